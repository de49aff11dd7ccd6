"""Exercises of multi_task: the weighted loss, a trunk with heads and its gradients, learned weights, conflicting gradients."""
import numpy as np
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tier, Tolerance, Topic, Written, case, edge, values_and_edge
from class4lib import multi_task as lib

OTHER_SUM = "weights that do not sum to 1"


def _sizes(rng: Generator) -> tuple[int, int, int]:
    """N, D and H, all different."""
    n, d, h = rng.permutation([2, 3, 4])
    return int(n), int(d), int(h)


def _weights(rng: Generator, t: int) -> np.ndarray:
    """Unequal, and their sum is far from 1."""
    return np.round(rng.permutation([0.4, 2.5, 1.7, 0.9])[:t] + rng.uniform(0, 0.3, size=t), 3)


def _network(rng: Generator, widths: tuple[int, ...], n: int = 0) -> tuple:
    """x, W, b, heads: numbers of three digits, for they are shown to students."""
    rows, d, h = _sizes(rng)
    heads = [(_normal(rng, h, m), _normal(rng, m)) for m in widths]
    return _normal(rng, n or rows, d), 0.6 * _normal(rng, d, h), _normal(rng, h), heads


def _normal(rng: Generator, *shape: int) -> np.ndarray:
    return np.round(rng.normal(size=shape), 3)


def _saturated(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x with a first row whose pre-activations reach 980 and a second whose reach -980."""
    x = x.copy()
    x[0] = np.round(x[0] * 980.0 / np.abs(x[0] @ W).max(), 1)
    x[1] = -x[0]
    return x


# ---- combined_loss
def _combined_cases(rng: Generator) -> list[Case]:
    return [
        case("two tasks", np.round(rng.uniform(0.5, 3.0, size=2), 3), _weights(rng, 2)),
        case("three tasks, weights that do not sum to 1", np.round(rng.uniform(0.5, 9.0, size=3), 3), _weights(rng, 3), trap=OTHER_SUM),
        case("four tasks, one of weight 0", np.round(rng.uniform(0.5, 3.0, size=4), 3), np.append(0.0, _weights(rng, 3)), trap="a weight of 0"),
        edge("one task", np.round(rng.uniform(0.5, 3.0, size=1), 3), _weights(rng, 1), trap=""),
        edge("losses of very different size", np.array([2.3, float(rng.integers(10**7, 10**8))]), np.array([1.0, 1e-7])),
        edge("a negative loss", np.round(-rng.uniform(2.0, 4.0, size=2), 3), _weights(rng, 2)),
    ]


combined_loss = Exercise(
    reference=lib.combined_loss,
    tiers=values_and_edge(0.5, 0.5),
    cases=_combined_cases,
    traps=(OTHER_SUM, "a weight of 0"),
    misconceptions=(
        Misconception("λ taken equal", lambda losses, weights: np.sum(losses), "The weights do not reach your result: every task counts alike in it.", (lambda losses, weights: np.mean(losses),)),
        Misconception("weights made to sum to 1", lambda losses, weights: np.average(losses, weights=weights), "You divide by the sum of the weights. They are taken as they are here: doubling all of them doubles the loss, and so the step that training takes.", (lambda losses, weights: len(weights) * np.average(losses, weights=weights), lambda losses, weights: np.dot(losses, np.exp(weights) / np.exp(weights).sum()))),
        Misconception("averaged over the tasks", lambda losses, weights: np.mean(np.multiply(losses, weights)), "You divide by the number of tasks. The total loss is a sum over the tasks, whose balance the weights alone decide."),
        Misconception("λ twice", lambda losses, weights: np.dot(np.square(weights), losses), "Each weight enters twice. Once is enough."),
        Misconception("not summed", lambda losses, weights: np.multiply(losses, weights), "You return one number per task. Training needs a single number: what is done with the weighted losses?"),
        Misconception("the second weight taken as 1 − λ₁", lambda losses, weights: weights[0] * losses[0] + (1 - weights[0]) * np.sum(losses[1:]), "With two tasks one often writes λ and 1 − λ. Here every task brings a weight of its own, and their sum may be anything."),
        Misconception("tasks left out", lambda losses, weights: np.dot(weights[:2], losses[:2]), "Some tasks never reach your result. There may be any number of them: run over all.", (lambda losses, weights: weights[0] * losses[0], lambda losses, weights: weights[-1] * losses[-1])),
        Misconception("sums multiplied", lambda losses, weights: np.sum(losses) * np.sum(weights), "You add first and multiply then, so every weight acts on every loss. Each loss is multiplied by its own weight before anything is added.", (lambda losses, weights: np.sum(losses) * np.mean(weights),)),
        Misconception("divided by the weight", lambda losses, weights: np.sum(np.divide(losses, weights)), "A task of weight 0 must not count at all; in your result it counts most."),
    ),
    hints=(
        "One multiplication per task, then one number for all of them.",
        "Each loss times its own weight; add the products. No division anywhere.",
        "float(np.dot(weights, losses)), or a loop over zip(weights, losses) that adds weight * loss.",
    ),
    minutes=3,
    difficulty=1,
)


# ---- shared_gradient
def _shared_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    g = _normal(rng, d, h)
    return [
        case("matrices, three tasks", [_normal(rng, d, h) for _ in range(3)], _weights(rng, 3), trap=OTHER_SUM),
        case("vectors, two tasks", [_normal(rng, n) for _ in range(2)], _weights(rng, 2)),
        case("matrices, two tasks, one gradient much longer", [_normal(rng, n, d), 50.0 * _normal(rng, n, d)], _weights(rng, 2)),
        case("three axes, four tasks", [_normal(rng, 1, 3, 2) for _ in range(4)], _weights(rng, 4)),
        edge("a weight of 0", [_normal(rng, d, h) for _ in range(3)], np.append(_weights(rng, 2), 0.0)),
        edge("one task", [_normal(rng, h)], _weights(rng, 1), trap=""),
        edge("as many tasks as rows and columns", [_normal(rng, 3, 3) for _ in range(3)], _weights(rng, 3)),
        edge("two gradients that cancel", [g, -2.0 * g], np.array([1.5, 0.75])),
    ]


def _weighted(task_gradients, weights):
    return [w * np.asarray(g) for w, g in zip(weights, task_gradients, strict=True)]


def _unit_length(task_gradients, weights):
    return sum(w * g / np.linalg.norm(g) for w, g in zip(weights, task_gradients, strict=True))


shared_gradient = Exercise(
    reference=lib.shared_gradient,
    tiers=values_and_edge(1.5, 0.5),
    cases=_shared_cases,
    traps=(OTHER_SUM, "a weight of 0"),
    misconceptions=(
        Misconception("branches averaged", lambda g, w: np.mean(_weighted(g, w), axis=0), "You average over the tasks. Differentiate the total loss as it stands, term by term: no 1/T is in it."),
        Misconception("λ taken equal", lambda g, w: np.sum(g, axis=0), "The weights are missing: each task's loss was multiplied by its own before it was differentiated.", (lambda g, w: np.mean(g, axis=0),)),
        Misconception("weights made to sum to 1", lambda g, w: np.sum(_weighted(g, w), axis=0) / np.sum(w), "You divide by the sum of the weights. They are taken as they are: they need not sum to 1."),
        Misconception("sums multiplied", lambda g, w: np.sum(g, axis=0) * np.sum(w), "You add the gradients first, so every weight acts on every task. Each gradient is multiplied by its own weight before anything is added.", (lambda g, w: np.sum(g, axis=0) * np.mean(w),)),
        Misconception("λ twice", lambda g, w: np.sum(_weighted(_weighted(g, w), w), axis=0), "Each weight enters twice. The gradients you are given are those of the UNWEIGHTED losses: one multiplication is due."),
        Misconception("one task only", lambda g, w: w[-1] * np.asarray(g[-1]), "Only one task's gradient arrives in your result: in a loop, is the sum overwritten where it should grow?", (lambda g, w: w[0] * np.asarray(g[0]),)),
        Misconception("summed over the entries too", lambda g, w: np.sum(_weighted(g, w)), "Your result is one number. The parameter has many entries and the gradient has its shape: sum over the tasks, not inside an array."),
        Misconception("not summed", lambda g, w: np.array(_weighted(g, w)), "You return one array per task. The shared parameter takes one step, along one gradient."),
        Misconception("gradients brought to unit length", _unit_length, "You divide each gradient by its length before adding. That is another algorithm (and an interesting one); the gradient of the total loss keeps every length as it is."),
        Misconception("multiplied along the rows", lambda g, w: np.sum([np.asarray(a) * (w if np.shape(a)[-1:] == (len(w),) else x) for a, x in zip(g, w, strict=True)], axis=0), "Where a gradient has as many columns as there are tasks, NumPy multiplies the whole vector of weights into its rows. Task i's array takes the single number weights[i]."),
    ),
    hints=(
        "Differentiate the total loss in one shared number: what becomes of a sum, what of a constant factor?",
        "The derivative of a sum is the sum of the derivatives; each λ is a constant in front of its term.",
        "sum(w * g for w, g in zip(weights, task_gradients)): all arrays have one shape, so they add entry by entry.",
    ),
    minutes=5,
    difficulty=1,
)


# ---- multi_task_forward
def _forward_cases(rng: Generator) -> list[Case]:
    x, W, b, heads = _network(rng, (2, 3))
    return [
        case("two heads", *_network(rng, (2, 1))),
        case("three heads of different width", *_network(rng, (1, 3, 2))),
        edge("N = 1", *_network(rng, (2, 1), n=1)),
        edge("one head", *_network(rng, (2,)), trap=""),
        edge("pre-activations near ±1000", _saturated(x, W, b), W, b, heads),
        edge("heads of equal width", *_network(rng, (2, 2)), trap=""),
    ]


def _forward(activation=np.tanh, head=lambda h, V, c: h @ V + c, shape=lambda p: p, bias=True, returned=None, gather=lambda p: p):
    def wrong(x, W, b, heads):
        z = x @ W + (b if bias else 0)
        h = activation(z)
        predictions = gather([shape(head(h, V, c)) for V, c in heads])
        return (returned(z, h) if returned else h), predictions

    return wrong


def _softmax_rows(y):
    e = np.exp(y - y.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _tanh_overflowing(z):
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


multi_task_forward = Exercise(
    reference=lib.multi_task_forward,
    tiers=values_and_edge(1, 1),
    cases=_forward_cases,
    returns=("h", "predictions"),
    traps=("N = 1", "pre-activations near ±1000"),
    misconceptions=(
        Misconception("tanh forgotten", _forward(activation=lambda z: z), "The trunk is one tanh layer; yours is linear. Without the bend, trunk and head together are one matrix product."),
        Misconception("tanh on the heads", _forward(head=lambda h, V, c: np.tanh(h @ V + c)), "The heads are linear in h: a prediction of 313 must be possible, and logits go into their loss as they are. Only the trunk bends."),
        Misconception("another activation", _forward(activation=lambda z: np.maximum(z, 0)), "The trunk's activation is tanh here: h lies between −1 and 1, on both sides of 0.", (_forward(activation=lambda z: 1 / (1 + np.exp(-z))),)),
        Misconception("softmax in the heads", _forward(head=lambda h, V, c: _softmax_rows(h @ V + c)), "A head gives numbers as they come, for any loss. Softmax belongs to the loss of a task that is a classification, and would squash the others."),
        Misconception("the trunk's bias forgotten", _forward(bias=False), "Every prediction is off because h is: the trunk has a bias b as well."),
        Misconception("the heads' biases forgotten", _forward(head=lambda h, V, c: h @ V), "h is right, the predictions are not: a head is a pair, and you use only its first part."),
        Misconception("heads read the pre-activation", lambda x, W, b, heads: (np.tanh(x @ W + b), [(x @ W + b) @ V + c for V, c in heads]), "h is right, but your heads read the trunk before its tanh. They read h."),
        Misconception("pre-activation returned", _forward(returned=lambda z, h: z), "The predictions are right; what you return beside them is the trunk before its tanh. h comes after it."),
        Misconception("h not returned", lambda x, W, b, heads: lib.multi_task_forward(x, W, b, heads)[1], "The predictions are right, but they are only half of what must come back: h first, then the list."),
        Misconception("results swapped", lambda x, W, b, heads: lib.multi_task_forward(x, W, b, heads)[::-1], "Both results are right and in the wrong order: h first."),
        Misconception("bias after the tanh", lambda x, W, b, heads: (np.tanh(x @ W) + b, [(np.tanh(x @ W) + b) @ V + c for V, c in heads]), "You add the trunk's bias after the tanh. It belongs to the affine map that goes into it: h lies between −1 and 1."),
        Misconception("predictions in one array", _forward(gather=lambda p: np.concatenate(p, axis=1)), "The predictions come as a list, one array (N, M_i) per head: the tasks have losses of different kinds, and each takes its own array."),
        Misconception("one-column predictions flattened", _forward(shape=lambda p: p[:, 0] if p.shape[1] == 1 else p), "A head of width 1 still predicts an array (N, 1), not (N,): keep the axis, or the loss broadcasts (N,) against (N, 1) to N × N.", (_forward(shape=np.squeeze),)),
        Misconception("tanh that overflows", _forward(activation=_tanh_overflowing), "exp(1000) is inf, and inf/inf is nan. np.tanh knows better.", (_forward(activation=lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)),)),
    ),
    hints=(
        "Two steps: one layer for all, then one matrix product and one bias per head.",
        "h is np.tanh of an affine map of x; each head is an affine map of h. Collect the predictions in a list, in the order of the heads.",
        "h = np.tanh(x @ W + b); return h, [h @ V + c for V, c in heads].",
    ),
    minutes=7,
    difficulty=2,
)


# ---- multi_task_backward: every input is judged twice, once for the heads' gradients and once for the trunk's
HEADS, TRUNK = (2,), (0, 1)


def _backward_input(rng: Generator, widths: tuple[int, ...], weights: np.ndarray, n: int = 0, saturated: bool = False) -> tuple:
    x, W, b, heads = _network(rng, widths, n)
    if saturated:
        x = _saturated(x, W, b)
    return [_normal(rng, len(x), m) for m in widths], x, W, b, heads, weights


def _backward_cases(rng: Generator) -> list[Case]:
    two = _backward_input(rng, (2, 1), _weights(rng, 2))
    three = _backward_input(rng, (1, 2, 3), _weights(rng, 3))
    silent = _backward_input(rng, (2, 1, 3), np.insert(_weights(rng, 2), 1, 0.0))
    single = _backward_input(rng, (2,), _weights(rng, 1), n=1)
    flat = _backward_input(rng, (1, 2), _weights(rng, 2), n=3, saturated=True)
    return [
        case("two tasks: the heads", *two, tier="heads", parts=HEADS),
        case("three tasks, weights that do not sum to 1: the heads", *three, tier="heads", parts=HEADS, trap=OTHER_SUM),
        case("two tasks: the trunk", *two, tier="trunk", parts=TRUNK),
        case("three tasks, weights that do not sum to 1: the trunk", *three, tier="trunk", parts=TRUNK, trap=OTHER_SUM),
        edge("a weight of 0: the heads", *silent, parts=HEADS, trap="a weight of 0"),
        edge("a weight of 0: the trunk", *silent, parts=TRUNK, trap="a weight of 0"),
        edge("N = 1 and a single task: the heads", *single, parts=HEADS, trap="N = 1"),
        edge("N = 1 and a single task: the trunk", *single, parts=TRUNK, trap="N = 1"),
        edge("pre-activations near ±1000: the trunk", *flat, parts=TRUNK, trap="pre-activations near ±1000"),
    ]


def _backward(head_weight=lambda w: w, trunk_weight=lambda w: w, merge=sum, slope=lambda h, z: 1 - h * h, batch=np.sum, tanh=np.tanh, read=lambda h, z: h, keep=lambda w: True, matrix=lambda a, d: a.T @ d):
    """The backward with one piece exchanged: what multiplies the heads' gradients and the trunk's, how the branches meet, the slope, the sum over the batch."""

    def wrong(dpredictions, x, W, b, heads, weights):
        z = x @ W + b
        h, weights = tanh(z), np.asarray(weights)
        dheads = [(matrix(read(h, z), w * d), batch(w * d, axis=0)) for w, d in zip(head_weight(weights), dpredictions, strict=True) if keep(w)]
        dh = merge([w * d @ V.T for w, d, (V, _) in zip(trunk_weight(weights), dpredictions, heads, strict=True)])
        dz = dh * slope(h, z)
        return matrix(x, dz), batch(dz, axis=0), dheads

    return wrong


def _average(branches):
    return sum(branches) / len(branches)


def _ones(weights):
    return np.ones(len(weights))


def _shares(weights):
    return weights / weights.sum()


def _scaled_to_t(weights):
    return len(weights) * weights / weights.sum()


def _heads_returned(change):
    def wrong(*args):
        dW, db, dheads = lib.multi_task_backward(*args)
        return dW, db, change(dheads)

    return wrong


def _bias_before_the_tanh(dpredictions, x, W, b, heads, weights):
    dh = sum(w * d @ V.T for w, d, (V, _) in zip(weights, dpredictions, heads, strict=True))
    dW, _, dheads = lib.multi_task_backward(dpredictions, x, W, b, heads, weights)
    return dW, dh.sum(axis=0), dheads


multi_task_backward = Exercise(
    reference=lib.multi_task_backward,
    tiers=(Tier("heads", "the heads' gradients", 1.5), Tier("trunk", "the trunk's gradient", 2.5), Tier("edge", "edge cases", 1, needs=("heads", "trunk"))),
    cases=_backward_cases,
    returns=("dW", "db", "dheads"),
    traps=(OTHER_SUM, "a weight of 0", "N = 1", "pre-activations near ±1000"),
    equivalent_mutants=(("True → False", "the three lists have one entry per head by contract: zip has nothing to be strict about"),),
    misconceptions=(
        Misconception(
            "branches averaged",
            _backward(merge=_average),
            "The trunk's gradient is averaged over the tasks, where it must be summed: h stands in every task's loss, and each of them pulls with its full weight.",
            (_backward(trunk_weight=_ones, merge=_average), _backward(merge=_average, slope=lambda h, z: 1.0)),
        ),
        Misconception("averaged over the tasks everywhere", _backward(head_weight=lambda w: w / len(w), merge=_average), "Heads and trunk are 1/T of what they should be, T the number of tasks: the total loss is a sum over the tasks, not their mean."),
        Misconception("λ taken equal", _backward(_ones, _ones), "The weights are missing everywhere. dpredictions holds the gradients of the UNWEIGHTED losses: where does each λ come in?"),
        Misconception("weights made to sum to 1", _backward(_shares, _shares), "You divide the weights by their sum. They are taken as they are: they need not sum to 1.", (_backward(trunk_weight=_shares), _backward(_shares), _backward(_scaled_to_t, _scaled_to_t))),
        Misconception("averaged over the tasks in the heads", _backward(head_weight=lambda w: w / len(w)), "The heads' gradients are 1/T of what they should be, T the number of tasks. The total loss is a sum over the tasks."),
        Misconception("λ left out of the head", _backward(_ones), "The heads' gradients lack λ. A head belongs to one task only, but what training minimises is that task's WEIGHTED loss."),
        Misconception("λ left out of the trunk", _backward(trunk_weight=_ones), "The trunk's gradient lacks the weights: each branch brings its own λ along."),
        Misconception("λ twice in the head", _backward(lambda w: w * w), "The heads' gradients have λ squared: it enters once on the way from the total loss to the head."),
        Misconception("λ twice in the trunk", _backward(trunk_weight=lambda w: w * w), "The trunk's gradient has λ squared: perhaps you weight a prediction's gradient, and then the branch that was made of it again."),
        Misconception("λ twice everywhere", _backward(lambda w: w * w, lambda w: w * w), "λ enters twice everywhere: it is in the total loss once."),
        Misconception("only one branch reaches the trunk", _backward(merge=lambda branches: branches[-1]), "Only one head's gradient arrives in the trunk. In a loop over the heads, dh must grow: dh = ... starts it anew each time.", (_backward(merge=lambda branches: branches[0]),)),
        Misconception("tanh′ forgotten", _backward(slope=lambda h, z: 1.0), "The heads are right. On its way from h to W the gradient passes the tanh, which has a slope of its own."),
        Misconception("tanh′ taken at h", _backward(slope=lambda h, z: 1 - np.tanh(h) ** 2), "The slope of tanh is needed at its input, the pre-activation; you evaluate it at its output h. Written in terms of h there is no further tanh in it."),
        Misconception("tanh′ without the square", _backward(slope=lambda h, z: 1 - h), "Your slope goes from 2 to 0 as h goes from −1 to 1. The tanh is as flat at one end as at the other, and steepest in the middle.", (_backward(slope=lambda h, z: 1 - np.abs(h)),)),
        Misconception("another slope", _backward(slope=lambda h, z: 1 + h * h), "The heads are right; the factor that the tanh puts between h and its pre-activation is not. Derive it again: it is 1 at h = 0 and falls to 0 on both sides.", (_backward(slope=lambda h, z: (1 - h) ** 2), _backward(slope=lambda h, z: 1 - z * z), _backward(slope=lambda h, z: z > 0))),
        Misconception("tanh′ left out of db", _bias_before_the_tanh, "dW is right, db is not: the bias stands before the tanh, as W does, and its gradient passes the same slope."),
        Misconception("slope of the sigmoid", _backward(slope=lambda h, z: h * (1 - h)), "h(1 − h) is the slope of the sigmoid. The trunk is a tanh layer."),
        Misconception("bias gradients averaged", _backward(batch=np.mean), "A bias serves every row, so the rows' gradients add up. You average them: any 1/N is already inside dpredictions."),
        Misconception("divided by N again", _backward(batch=np.mean, matrix=lambda a, d: a.T @ d / len(a)), "You divide by the number of rows. dpredictions are the gradients of the LOSSES, in which a mean's 1/N is already."),
        Misconception("bias gradients not summed", _backward(batch=lambda d, axis: d), "Your bias gradients still have a row per example. The one bias serves every row: what do their gradients do?"),
        Misconception("heads read the pre-activation", _backward(read=lambda h, z: z), "What multiplies a head's matrix is the head's input. You use the trunk before its tanh."),
        Misconception("the heads' biases left out", _heads_returned(lambda dheads: [dV for dV, _ in dheads]), "Each head is a pair (V, c), and so is each entry of the list: what is the gradient of its bias?"),
        Misconception("the pairs unpacked", _heads_returned(lambda dheads: [part for pair in dheads for part in pair]), "The numbers are right, the packing is not: one pair (dV, dc) per head, not one long list.", (_heads_returned(lambda dheads: ([dV for dV, _ in dheads], [dc for _, dc in dheads])),)),
        Misconception("a head of weight 0 left out", _backward(keep=lambda w: w != 0), "A head whose task has weight 0 gets gradients too: zeros of the right shapes, or the list no longer lines up with the heads."),
        Misconception("tanh that overflows", _backward(tanh=_tanh_overflowing), "exp(1000) is inf, and inf/inf is nan. np.tanh knows better.", (_backward(tanh=lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)),)),
    ),
    hints=(
        "Go backwards: weighted gradient of each prediction, then each head, then what all branches bring to h, then the tanh, then W and b.",
        "Multiply dpredictions[i] by weights[i] first, and use that product for V_i, for c_i and for the branch to h. The branches' gradients add up; tanh′ = 1 − h².",
        "h = np.tanh(x @ W + b); G = [w * d for ...]; dheads = [(h.T @ g, g.sum(axis=0)) for g in G]; dh = sum of g @ V.T; dz = dh * (1 - h**2); dW = x.T @ dz, db = dz.sum(axis=0).",
    ),
    minutes=15,
    difficulty=3,
)


# ---- uncertainty_weighted_loss
def _uncertainty_input(rng: Generator, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses, and log-variances of both signs, none near 0."""
    return np.round(rng.uniform(0.5, 6.0, size=t), 3), np.round(rng.permutation([-1.3, 0.6, 1.1, -0.7])[:t] + rng.uniform(-0.2, 0.2, size=t), 3)


def _uncertainty_cases(rng: Generator) -> list[Case]:
    losses, _ = _uncertainty_input(rng, 3)
    return [
        case("two tasks", *_uncertainty_input(rng, 2)),
        case("three tasks", *_uncertainty_input(rng, 3)),
        case("four tasks", *_uncertainty_input(rng, 4)),
        case("every s positive", losses, np.round(rng.uniform(0.4, 1.6, size=3), 3), trap=""),
        edge("one task", *_uncertainty_input(rng, 1), trap=""),
        edge("s = log L, with losses of very different size", np.array([0.02, 2.3, 5e4]), np.log([0.02, 2.3, 5e4])),
        edge("a loss of 0, and a negative result", np.array([0.0, 0.125]), np.array([-4.0, -2.0]) + rng.integers(3, size=2) / 8),
    ]


def _uncertainty(c=0.5, k=1.0, r=0.5, regulariser=lambda s: s, reduce=np.sum):
    """c exp(-k s) L + r regulariser(s)."""

    def wrong(losses, log_variances):
        L, s = np.asarray(losses), np.asarray(log_variances)
        return reduce(c * np.exp(-k * s) * L + r * regulariser(s))

    return wrong


uncertainty_weighted_loss = Exercise(
    reference=lib.uncertainty_weighted_loss,
    tiers=values_and_edge(1.5, 0.5),
    cases=_uncertainty_cases,
    traps=("s = log L, with losses of very different size",),
    misconceptions=(
        Misconception("+ ½ s omitted", _uncertainty(r=0.0), "Nothing in your loss keeps s from growing for ever, and every task would be weighted down to nothing. The Gaussian's normalising factor depends on σ: what does its logarithm leave?"),
        Misconception("s read as log σ", _uncertainty(k=2.0, r=1.0), "You take s for the logarithm of the deviation. Here it is that of the VARIANCE, s = log σ²: rewrite 1/σ² and log σ with it.", (_uncertainty(c=1.0, k=2.0, r=1.0), _uncertainty(c=1.0, k=2.0))),
        Misconception("s read as log σ in one place", _uncertainty(k=2.0), "One of your two terms takes s for log σ, the other for log σ². It is log σ²: what is 1/σ² then?", (_uncertainty(r=1.0),)),
        Misconception("½ before the loss missing", _uncertainty(c=1.0), "The second term is right; the first lacks the factor that the Gaussian's exponent has. (The paper leaves it out for classification; here every task is treated alike.)"),
        Misconception("both halves missing", _uncertainty(c=1.0, r=1.0), "Everything is twice what it should be: −log of the density of a Gaussian has a ½ in its exponent, and log σ = ½ log σ²."),
        Misconception("sign of the exponent", _uncertainty(k=-1.0), "A larger variance must lower a task's weight; yours raises it."),
        Misconception("− ½ s", _uncertainty(r=-0.5), "The sign of the second term is wrong: with it the loss falls without limit as s grows."),
        Misconception("s taken for the variance itself", lambda L, s: np.sum(0.5 * L / s + 0.5 * np.log(s)), "You divide by s and take its logarithm. s is already a logarithm, so that any real number is allowed: the variance is its exponential.", (lambda L, s: np.sum(0.5 * L / s**2 + np.log(s)),)),
        Misconception("log(1 + σ²) for log σ²", _uncertainty(regulariser=lambda s: np.log1p(np.exp(s))), "log(1 + σ²) is another paper's term (it keeps the loss positive). The Gaussian's own is the logarithm of σ, and the result may be negative."),
        Misconception("the variance itself added", _uncertainty(regulariser=np.exp), "You add the variance where its logarithm belongs: minus the logarithm of 1/σ leaves log σ."),
        Misconception("constant kept", _uncertainty(regulariser=lambda s: s + np.log(2 * np.pi)), "½ log 2π depends on nothing that is learned: drop it."),
        Misconception("losses squared again", lambda L, s: _uncertainty()(np.square(L), s), "The losses come squared already: L is the squared error itself."),
        Misconception("½ twice before the loss", _uncertainty(c=0.25), "The first term has one ½, from the Gaussian's exponent. L comes without a ½ of its own."),
        Misconception("averaged over the tasks", _uncertainty(reduce=np.mean), "You divide by the number of tasks; the logarithms of a product of densities add up.", (lambda L, s: np.sum(0.5 * np.exp(-s) * L) + 0.5 * np.mean(s), lambda L, s: np.mean(0.5 * np.exp(-s) * L) + 0.5 * np.sum(s))),
        Misconception("not summed", _uncertainty(reduce=lambda v: v), "You return one number per task: add them."),
    ),
    hints=(
        "Write −log of the Gaussian density of one task: one term has the squared error, one has σ alone, and one is a constant.",
        "L/(2σ²) + log σ. Now put in s = log σ²: what is 1/σ², and what is log σ?",
        "0.5 * np.exp(-log_variances) * losses + 0.5 * log_variances, summed over the tasks.",
    ),
    minutes=6,
    difficulty=2,
)


# ---- uncertainty_weighted_loss_grad
def _uncertainty_grad_cases(rng: Generator) -> list[Case]:
    return [
        case("two tasks", *_uncertainty_input(rng, 2)),
        case("three tasks", *_uncertainty_input(rng, 3)),
        case("four tasks", *_uncertainty_input(rng, 4)),
        edge("one task", *_uncertainty_input(rng, 1), trap=""),
        edge("s = log L: the minimum in s", np.array([0.02, 2.3, 5e4]), np.log([0.02, 2.3, 5e4])),
        edge("s = 0, with losses of very different size", np.array([float(rng.integers(2, 5)), float(rng.integers(10**4, 10**5))]), np.zeros(2), trap=""),
        edge("a loss of 0", np.array([0.0, 1.5]), np.round(rng.normal(size=2), 3), trap=""),
    ]


def _uncertainty_grad(weight=lambda s: 0.5 * np.exp(-s), ds=lambda w, L, s: 0.5 - w * L, result=lambda w, ds: (w, ds)):
    def wrong(losses, log_variances):
        L, s = np.asarray(losses), np.asarray(log_variances)
        w = weight(s)
        return result(w, ds(w, L, s))

    return wrong


uncertainty_weighted_loss_grad = Exercise(
    reference=lib.uncertainty_weighted_loss_grad,
    tiers=values_and_edge(2, 1),
    cases=_uncertainty_grad_cases,
    returns=("dlosses", "dlog_variances"),
    traps=("s = log L: the minimum in s",),
    misconceptions=(
        Misconception("+ ½ s omitted", _uncertainty_grad(ds=lambda w, L, s: -w * L), "dlosses is right. The second term of the loss contains s too, and its derivative is missing: yours is negative whatever s is, so s would grow for ever."),
        Misconception("s read as log σ", _uncertainty_grad(lambda s: 0.5 * np.exp(-2 * s), lambda w, L, s: 1 - 2 * w * L), "You take s for the logarithm of the deviation. It is that of the VARIANCE: s = log σ².", (_uncertainty_grad(lambda s: 0.5 * np.exp(-2 * s), lambda w, L, s: 0.5 - 2 * w * L), _uncertainty_grad(lambda s: 0.5 * np.exp(-2 * s)))),
        Misconception("the exponential's minus lost", _uncertainty_grad(ds=lambda w, L, s: 0.5 + w * L), "dlosses is right. Differentiating exp(−s) brings down a minus; without it the gradient is never 0, and no s is best."),
        Misconception("sign of dlog_variances", _uncertainty_grad(ds=lambda w, L, s: w * L - 0.5), "dlosses is right; dlog_variances has the opposite sign. When s is far too large the loss must grow with s: which of your terms is left then, and which sign has it?"),
        Misconception("½ before the loss missing", _uncertainty_grad(lambda s: np.exp(-s)), "The first term of the loss has a factor ½, which both its derivatives keep.", (_uncertainty_grad(lambda s: np.exp(-s), lambda w, L, s: 0.5 - 0.5 * w * L),)),
        Misconception("½ before exp missing in ds", _uncertainty_grad(ds=lambda w, L, s: 0.5 - 2 * w * L), "dlosses is right; in dlog_variances the term with the loss has lost its ½."),
        Misconception("both halves missing", _uncertainty_grad(lambda s: np.exp(-s), lambda w, L, s: 1 - w * L), "Everything is twice what it should be: both terms of the loss have a ½."),
        Misconception("1 for ½ in ds", _uncertainty_grad(ds=lambda w, L, s: 1 - w * L), "dlosses is right. The derivative of ½ s is not 1: at s = log L your dlog_variances should be 0."),
        Misconception("½ s not differentiated", _uncertainty_grad(ds=lambda w, L, s: 0.5 * s - w * L), "dlosses is right. In dlog_variances one term is differentiated and the other stands as it was: what is the derivative of ½ s?", (_uncertainty_grad(ds=lambda w, L, s: s - w * L),)),
        Misconception("losses squared", _uncertainty_grad(ds=lambda w, L, s: 0.5 - w * L * L), "dlosses is right. In dlog_variances the loss is a factor as it comes; you square it."),
        Misconception("L missing in ds", _uncertainty_grad(ds=lambda w, L, s: 0.5 - w), "dlosses is right. In dlog_variances the loss itself is a factor that stays: it is not differentiated there."),
        Misconception("dlosses multiplied by the losses", _uncertainty_grad(result=lambda w, ds: (0.5 - ds, ds)), "The loss is linear in every L: its derivative in L is the factor in front, without L."),
        Misconception("results swapped", _uncertainty_grad(result=lambda w, ds: (ds, w)), "Your two results are right and in the wrong order: dlosses first."),
        Misconception("gradient in σ", _uncertainty_grad(ds=lambda w, L, s: np.exp(-s / 2) - np.exp(-1.5 * s) * L), "This is the derivative in σ. The parameter is s = log σ²: the chain has one step more.", (_uncertainty_grad(ds=lambda w, L, s: np.exp(-s) * (0.5 - w * L)),)),
        Misconception("averaged over the tasks", _uncertainty_grad(result=lambda w, ds: (w / len(w), ds / len(ds))), "You divide by the number of tasks; the loss is a sum over them."),
        Misconception("summed over the tasks", _uncertainty_grad(result=lambda w, ds: (w, ds.sum())), "Each task has its own loss and its own s, and so its own two derivatives: both results have T entries.", (_uncertainty_grad(result=lambda w, ds: (w.sum(), ds.sum())),)),
        Misconception("one result only", _uncertainty_grad(result=lambda w, ds: w), "Two arrays must come back: dlosses and dlog_variances.", (_uncertainty_grad(result=lambda w, ds: ds),)),
    ),
    hints=(
        "Differentiate one task's two terms, first in L with s held fixed, then in s with L held fixed.",
        "In L only the factor in front remains. In s the exponential brings down −1 and keeps L, and ½ s becomes ½.",
        "w = 0.5 * np.exp(-log_variances); return w, 0.5 - w * losses.",
    ),
    minutes=8,
    difficulty=2,
)


# ---- gradient_cosine (extension)
def _cosine_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    g, small = _normal(rng, d, h), 1e-6 * _normal(rng, d, h)
    return [
        case("two vectors", _normal(rng, n + 2), 3.0 * _normal(rng, n + 2)),
        case("two matrices", 2.0 * _normal(rng, n, d), _normal(rng, n, d)),
        case("three axes", _normal(rng, 2, 3, 2), _normal(rng, 2, 3, 2)),
        case("two matrices in conflict", g, -g + 0.4 * _normal(rng, d, h)),
        edge("opposite gradients of different length", g, -2.5 * g, trap=""),
        edge("one gradient is zero", g, np.zeros((d, h))),
        edge("the other gradient is zero", np.zeros(n), _normal(rng, n), trap=""),
        edge("small gradients", small, small[::-1] - 0.5 * small),
    ]


def _cosine(inner=np.vdot, length=np.linalg.norm, power=1, epsilon=0.0, guard=True, result=lambda c: c):
    def wrong(g1, g2):
        a, b = np.asarray(g1, dtype=float), np.asarray(g2, dtype=float)
        if guard and not (a.any() and b.any()):
            return result(0.0)
        return result(inner(a, b) / (length(a) ** power * length(b) ** power + epsilon))

    return wrong


def _by_rows(g1, g2):
    return (g1 * g2).sum(axis=-1) / (np.linalg.norm(g1, axis=-1) * np.linalg.norm(g2, axis=-1))


def _largest_singular_value(a):
    return np.linalg.norm(a, 2) if a.ndim == 2 else np.linalg.norm(a)


gradient_cosine = Exercise(
    reference=lib.gradient_cosine,
    tiers=values_and_edge(0.5, 0.5),
    cases=_cosine_cases,
    extension=True,
    traps=("one gradient is zero", "small gradients"),
    misconceptions=(
        Misconception("not normalised", _cosine(power=0), "This is the inner product: it grows with the gradients' lengths. A cosine lies between −1 and 1."),
        Misconception("one length only", lambda g1, g2: np.vdot(g1, g2) / np.linalg.norm(g1) if np.any(g1) else 0.0, "You divide by one of the two lengths: doubling the other gradient still doubles your result.", (lambda g1, g2: np.vdot(g1, g2) / np.linalg.norm(g2) if np.any(g2) else 0.0,)),
        Misconception("squared lengths", _cosine(power=2), "You divide by the SQUARED lengths: the result should not change when a gradient is doubled."),
        Misconception("0/0 is nan", _cosine(guard=False), "A zero gradient has no direction, and 0/0 is nan. The docstring says what to return then."),
        Misconception("epsilon in the denominator", _cosine(epsilon=1e-8), "A small number added to the denominator is not small when gradients are: at 1e-6 it decides. Only the exact zero needs care.", (_cosine(epsilon=1e-12), _cosine(epsilon=1e-10), _cosine(epsilon=1e-6), _cosine(length=lambda a: np.linalg.norm(a) + 1e-8))),
        Misconception("row by row", _by_rows, "You get one cosine per row. All entries of a gradient form ONE vector, whatever its shape.", (lambda g1, g2: np.mean(_by_rows(g1, g2)),)),
        Misconception("a matrix norm", _cosine(length=_largest_singular_value), "np.linalg.norm(g, 2) of a matrix is its largest singular value. The length of all its entries as one vector is meant."),
        Misconception("absolute value", _cosine(result=abs), "The sign is what matters: below 0 the tasks are in conflict."),
        Misconception("angle for its cosine", _cosine(result=np.arccos), "You return the angle; the cosine itself is asked for."),
        Misconception("one minus the cosine", _cosine(result=lambda c: 1 - c), "1 − cosine is a distance. The cosine itself is asked for: 1 for the same direction, −1 for opposite ones.", (lambda g1, g2: 1 - _cosine()(g1, g2) if np.any(g1) and np.any(g2) else 0.0,)),
        Misconception("another norm", _cosine(length=lambda a: np.abs(a).sum()), "Your lengths are not Euclidean: with them a gradient has no cosine of 1 with itself.", (_cosine(length=lambda a: np.abs(a).max()),)),
        Misconception("entries centred", lambda g1, g2: _cosine()(g1 - np.mean(g1), g2 - np.mean(g2)), "You subtract the means first: that is a correlation. A direction is measured from 0."),
    ),
    hints=(
        "Flatten both gradients: then it is the cosine of two vectors.",
        "Inner product divided by both lengths; return 0 before the division where a length is 0.",
        "inner = (g1 * g2).sum(); lengths np.sqrt((g * g).sum()); return 0.0 if one of them is 0, else inner / (l1 * l2).",
    ),
    minutes=5,
    difficulty=1,
)


# ---- project_conflict (extension)
def _project_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    g, other, cube = _normal(rng, d, h), _normal(rng, n + 2), _normal(rng, 2, 3, 2)
    return [
        case("in conflict, g2 is not a unit vector", other, -2.0 * other + _normal(rng, n + 2), trap="g2 is not a unit vector"),
        case("matrices in conflict", g, -0.4 * g + 0.2 * _normal(rng, d, h)),
        case("three axes, in conflict", 1.5 * cube, -cube + 0.5 * _normal(rng, 2, 3, 2)),
        case("no conflict", g, 0.6 * g + 0.2 * _normal(rng, d, h)),
        edge("opposite gradients", g, -3.0 * g, trap="", tolerance=Tolerance(floor=1.0, reason="two terms of size 1 cancel: measured by their size, not by what is left")),
        edge("at a right angle", np.array([1.0, 0.0, 2.0]), np.array([0.0, 5.0, 0.0]), trap=""),
        edge("g2 is zero", g, np.zeros((d, h))),
        edge("g1 is zero", np.zeros(n), _normal(rng, n), trap=""),
    ]


def _projected(component, condition=lambda inner: inner < 0):
    """g1 less component(inner, g1, g2) where the condition holds."""

    def wrong(g1, g2):
        a, b = np.asarray(g1, dtype=float), np.asarray(g2, dtype=float)
        inner = np.vdot(a, b)
        return a - component(inner, a, b) if condition(inner) else a

    return wrong


def _along_g2(inner, a, b):
    return inner / np.vdot(b, b) * b if b.any() else 0 * b


def _row_by_row(g1, g2):
    inner = (g1 * g2).sum(axis=-1, keepdims=True)
    return g1 - np.minimum(inner, 0) / (g2 * g2).sum(axis=-1, keepdims=True) * g2


project_conflict = Exercise(
    reference=lib.project_conflict,
    tiers=values_and_edge(1.5, 0.5),
    cases=_project_cases,
    extension=True,
    traps=("g2 is not a unit vector", "g2 is zero"),
    misconceptions=(
        Misconception("‖g₂‖ for ‖g₂‖²", _projected(lambda inner, a, b: inner / np.linalg.norm(b) * b), "Your result changes when g2 is doubled, though its direction stays. g2 stands twice in the component: in the inner product and as the vector at the end."),
        Misconception("not divided by a length", _projected(lambda inner, a, b: inner * b), "You subtract the inner product times g2. That is the component only for a g2 of length 1."),
        Misconception("projected always", _projected(_along_g2, lambda inner: True), "You take the component along g2 away even where the two agree: that throws away common progress. Only a conflict is to be removed."),
        Misconception("condition reversed", _projected(_along_g2, lambda inner: inner > 0), "You project where the gradients agree and leave the conflict: which sign of the inner product is a conflict?"),
        Misconception("component added", _projected(lambda inner, a, b: -_along_g2(inner, a, b)), "After the projection the inner product with g2 should be 0; yours has doubled. Check the sign."),
        Misconception("mirrored", _projected(lambda inner, a, b: 2 * _along_g2(inner, a, b)), "You take the component away twice: that mirrors g1. After one subtraction the inner product with g2 is already 0."),
        Misconception("g1 thrown away", _projected(lambda inner, a, b: a), "In a conflict you drop g1 altogether. Only its part along g2 has to go; the rest hurts nobody."),
        Misconception("component returned", lambda g1, g2: _along_g2(np.vdot(g1, g2), np.asarray(g1), np.asarray(g2)) if np.vdot(g1, g2) < 0 else g1, "You return the part of g1 along g2: what is asked for is the rest."),
        Misconception("roles swapped", lambda g1, g2: _projected(_along_g2)(g2, g1), "You return g2 without its part along g1. g1 is the one that gives way here."),
        Misconception("divided by ‖g₁‖²", _projected(lambda inner, a, b: inner / np.vdot(a, a) * b if a.any() else 0 * b), "The direction is g2's, but you divide by the length of g1: the component along g2 needs the length of g2."),
        Misconception("cosine for the inner product", _projected(lambda inner, a, b: inner / (np.linalg.norm(a) * np.linalg.norm(b)) * b if a.any() and b.any() else 0 * b), "A cosine knows nothing of g1's length; the component of g1 along g2 does. Divide by g2's length only.", (_projected(lambda inner, a, b: inner / (np.linalg.norm(a) * np.vdot(b, b)) * b if a.any() and b.any() else 0 * b),)),
        Misconception("0/0 is nan", lambda g1, g2: g1 - min(np.vdot(g1, g2), 0.0) / np.vdot(g2, g2) * g2, "A g2 of zeros is in conflict with nothing, but 0/0 is nan: look at the sign of the inner product before you divide."),
        Misconception("row by row", _row_by_row, "You project every row on its own. All entries of a gradient form ONE vector, with one inner product."),
        Misconception("both gradients returned", lambda g1, g2: _projected(_along_g2)(g1, g2) + _projected(_along_g2)(g2, g1), "You return both projected gradients, or their sum. One call projects one gradient; the sum is made outside.", (lambda g1, g2: (_projected(_along_g2)(g1, g2), _projected(_along_g2)(g2, g1)),)),
    ),
    hints=(
        "Draw g1 and g2 with an obtuse angle, and the foot of g1 on the line along g2. Which vector is to be taken away?",
        "Where the inner product is negative, subtract (inner product) / ‖g2‖² · g2, over all entries; else return g1.",
        "inner = (g1 * g2).sum(); return g1 if inner >= 0 else g1 - inner / (g2 * g2).sum() * g2.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- multi_task_loss_in_torch
def _in_torch_input(rng: Generator, widths: tuple[int, ...], n: int = 0) -> tuple:
    x, W, b, heads = _network(rng, widths, n)
    labels = [rng.permutation(np.arange(len(x)) % k) for k in widths]
    return x, W, b, heads, labels, _uncertainty_input(rng, len(widths))[1]


def _in_torch_cases(rng: Generator) -> list[Case]:
    dy = np.array(round(float(rng.uniform(0.5, 2.0)), 3))
    x, W, b, heads, labels, s = _in_torch_input(rng, (3,))
    certain = [(1000.0 * V, c) for V, c in heads]
    return [
        case("two tasks, forward and gradients", *_in_torch_input(rng, (3, 2)), dy, op="torch"),
        case("three tasks", *_in_torch_input(rng, (3, 2, 2)), dy, op="torch"),
        edge("N = 1", *_in_torch_input(rng, (2, 3), n=1), dy, op="torch"),
        edge("logits near ±1000", x, W, b, certain, labels, s, dy, op="torch"),
    ]


def _in_torch(activation="tanh", reduce="mean", log_probs=None, cut=lambda i, h: h, losses_as=lambda v: v, total=lambda L, s: (0.5 * ((-s).exp() * L + s)).sum()):
    def wrong(x, W, b, heads, labels, log_variances):
        import torch

        z = x @ W + b
        h = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "none": torch.clone}[activation](z)
        losses = []
        for i, ((V, c), y) in enumerate(zip(heads, labels, strict=True)):
            logits = cut(i, h) @ V + c
            lp = log_probs(logits) if log_probs else torch.log_softmax(logits, dim=1)
            chosen = -lp[torch.arange(len(y)), y]
            losses.append({"mean": chosen.mean(), "sum": chosen.sum(), "NK": chosen.mean() / lp.shape[1]}[reduce])
        return total(losses_as(torch.stack(losses)), log_variances)

    return wrong


def _twice(logits):
    import torch

    return torch.log_softmax(torch.softmax(logits, dim=1), dim=1)


def _log_of_softmax(logits):
    import torch

    return torch.log(torch.softmax(logits, dim=1))


multi_task_loss_in_torch = Exercise(
    reference=lib.multi_task_loss_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("N = 1", "logits near ±1000"),
    equivalent_mutants=(("True → False", "there is one array of labels per head by contract: zip has nothing to be strict about"),),
    misconceptions=(
        Misconception("+ ½ s omitted", _in_torch(total=lambda L, s: (0.5 * (-s).exp() * L).sum()), "The second term of uncertainty_weighted_loss is missing: without it every s grows for ever."),
        Misconception("s read as log σ", _in_torch(total=lambda L, s: (0.5 * (-2 * s).exp() * L + s).sum()), "You take s for log σ, in one place or in both. It is the logarithm of the VARIANCE.", (_in_torch(total=lambda L, s: (0.5 * (-s).exp() * L + s).sum()),)),
        Misconception("½ before the losses missing", _in_torch(total=lambda L, s: ((-s).exp() * L + 0.5 * s).sum()), "Each loss lacks its ½. (The paper leaves it out for classification; here the loss is that of your uncertainty_weighted_loss, for every task.)", (_in_torch(total=lambda L, s: ((-s).exp() * L + s).sum()),)),
        Misconception("averaged over the tasks", _in_torch(total=lambda L, s: (0.5 * ((-s).exp() * L + s)).mean()), "You average over the tasks; their terms are summed."),
        Misconception("losses turned into numbers", _in_torch(losses_as=lambda L: L.detach()), "The value is right, but only s gets a gradient: on the way the losses became plain numbers (.item(), float(), torch.tensor([...]) of tensors). torch.stack keeps them alive."),
        Misconception("only one task reaches the trunk", _in_torch(cut=lambda i, h: h.detach() if i else h), "The value is right, but the trunk hears of one task only: a .detach() (or .data) stands between h and the other heads. The trunk is there for all of them."),
        Misconception("the weights detached", _in_torch(total=lambda L, s: (0.5 * ((-s).exp().detach() * L + s)).sum()), "The value is right, but the gradient in s lacks a part: exp(−s) was cut off from s, and then s has no reason to stop."),
        Misconception("gradient cut off", lambda *a: _in_torch()(*a).detach(), "The value is right, but no gradient reaches anything: the result was detached or turned into a number (.detach(), .item(), float(), torch.no_grad(), NumPy).", (lambda *a: _in_torch()(*a).item(),)),
        Misconception("softmax applied twice", _in_torch(log_probs=_twice), "The logits go through softmax twice: cross_entropy takes the logits themselves."),
        Misconception("logarithm of softmax", _in_torch(log_probs=_log_of_softmax), "softmax rounds a tiny probability to 0, and its logarithm is −inf. log_softmax, or cross_entropy of the logits, never sees that 0."),
        Misconception("sum over the batch", _in_torch(reduce="sum"), "Each task's loss is a MEAN over the batch; yours is a sum."),
        Misconception("mean over N·K", _in_torch(reduce="NK"), "Each task's loss is divided by N only, not by its number of classes as well."),
        Misconception("tanh forgotten", _in_torch(activation="none"), "The trunk is one tanh layer; yours is linear."),
        Misconception("another activation", _in_torch(activation="relu"), "The trunk's activation is tanh.", (_in_torch(activation="sigmoid"),)),
        Misconception("the learned weights left out", _in_torch(total=lambda L, s: L.sum() + 0 * s.sum()), "You add the losses as they are. Each is weighted by its own s, and s has a term of its own."),
        Misconception("sign of the exponent", _in_torch(total=lambda L, s: (0.5 * (s.exp() * L + s)).sum()), "A larger variance must lower a task's weight; yours raises it."),
        Misconception("not summed", _in_torch(total=lambda L, s: 0.5 * ((-s).exp() * L + s)), "You return one number per task: add them."),
    ),
    hints=(
        "The forward as in NumPy, with torch.tanh; then one cross-entropy per head; then your uncertainty_weighted_loss with torch.exp.",
        "torch.nn.functional.cross_entropy(logits, labels) is the mean over the batch, from logits. Put the T losses in one tensor with torch.stack, not torch.tensor: that would cut the gradient.",
        "h = torch.tanh(x @ W + b); losses = torch.stack([cross_entropy(h @ V + c, y) for (V, c), y in zip(heads, labels)]); then 0.5 * (torch.exp(-s) * losses + s), summed.",
    ),
    minutes=8,
    difficulty=2,
)


TOPIC = Topic(
    name="multi_task",
    assignment="3_losses",
    title="Multi-task learning",
    exercises=(combined_loss, shared_gradient, multi_task_forward, multi_task_backward, uncertainty_weighted_loss, uncertainty_weighted_loss_grad, gradient_cosine, project_conflict, multi_task_loss_in_torch),
    written=(Written("why_weights_do_not_rescue", points=3, minutes=10),),
)
