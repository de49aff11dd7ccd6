"""Exercises of vanishing_gradients: backpropagation through a deep net, the factor per layer, and what an initialisation does to it."""
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tier, Tolerance, Topic, Written, case, edge, values_and_edge
from class4lib import vanishing_gradients as lib
from class4lib.basics import sigmoid

Net = tuple[list[ndarray], list[ndarray]]
CURVED, RECTANGULAR = "sigmoid and tanh", "N > 1, rectangular W"
EACH = Tolerance(atol=0.0, floor=0.0, reason="norms from 1 down to 1e-20 in one array: each has its own size")
TINY = Tolerance(floor=0.0, reason="all expected values are far below 1")


def _normal(rng: Generator, *shape: int) -> ndarray:
    """Numbers of three digits, for they are shown to students."""
    return np.round(rng.normal(size=shape), 3)


def _sizes(rng: Generator) -> tuple[int, ...]:
    """N and three widths, all different, and a fourth that differs from N and the first."""
    n, a, b, c = (int(k) for k in rng.permutation([2, 3, 4, 5]))
    return n, a, b, c, min(b, c)


def _net(rng: Generator, *widths: int) -> Net:
    return [_normal(rng, n, m) for n, m in pairwise(widths)], [_normal(rng, m) for m in widths[1:]]


def _saturated(rng: Generator, n: int, m: int) -> tuple[ndarray, list[ndarray], list[ndarray]]:
    """x (3, n) and a net with one hidden layer whose pre-activations are near 1000 in row 0, near -1000 in row 1, ordinary in row 2."""
    W = np.abs(_normal(rng, n, m)) + 0.5
    x = np.stack([np.full(n, 1.0), np.full(n, -1.0), np.round(rng.uniform(-0.3, 0.3, size=n), 3)])
    x[:2] *= np.floor(995.0 / W.sum(axis=0).max())
    return x, [W, _normal(rng, m, 1)], [_normal(rng, m), _normal(rng, 1)]


def _at_zero(n: int) -> tuple[ndarray, list[ndarray], list[ndarray]]:
    """x (n, 2) and a ReLU net in which a third of the pre-activations are exactly 0 (multiples of 1/8)."""
    x = np.array([[1.0, 1.0], [0.5, -0.5], [-0.25, 0.75], [0.0, 0.0]])[:n]
    W = np.array([[1.0, 0.5, -1.0], [-1.0, 0.5, 0.25]])
    return x, [W, np.array([[0.5, -1.0], [1.5, 1.0], [-0.75, 0.25]])], [np.zeros(3), np.array([0.25, -0.5])]


# ---- delta_recursion
def _delta_cases(rng: Generator) -> list[Case]:
    n, m, d, wide, _ = _sizes(rng)

    def slope(kind: str, rows: int, columns: int) -> ndarray:
        z = rng.normal(size=(rows, columns))
        return np.round({"sigmoid": sigmoid(z) * (1 - sigmoid(z)), "tanh": 1 - np.tanh(z) ** 2, "relu": (z > 0) * 1.0}[kind], 3)

    return [
        case("sigmoid's slopes, the next layer wider", _normal(rng, n, max(m, d)), _normal(rng, min(m, d), max(m, d)), slope("sigmoid", n, min(m, d)), trap=RECTANGULAR),
        case("tanh's slopes, the next layer narrower", _normal(rng, n, min(m, d)), _normal(rng, max(m, d), min(m, d)), slope("tanh", n, max(m, d)), trap=CURVED),
        case("a square W", _normal(rng, n, d), _normal(rng, d, d), slope("tanh", n, d)),
        case("another square W, sigmoid's slopes", _normal(rng, n, m), _normal(rng, m, m), slope("sigmoid", n, m)),
        edge("as many examples as units", _normal(rng, d, d), _normal(rng, d, d), slope("tanh", d, d), trap=""),
        edge("N = 1", _normal(rng, 1, wide), _normal(rng, d, wide), slope("sigmoid", 1, d)),
        edge("ReLU's slopes: 0 and 1", _normal(rng, n, m), _normal(rng, d, m), np.eye(n, d), trap=""),
        edge("a delta of size 1e-31", _normal(rng, n, m) * 1e-31, _normal(rng, d, m), slope("tanh", n, d), tolerance=TINY),
    ]


delta_recursion = Exercise(
    reference=lib.delta_recursion,
    tiers=values_and_edge(3, 1),
    cases=_delta_cases,
    traps=(CURVED, RECTANGULAR, "N = 1"),
    misconceptions=(
        Misconception("W for Wᵀ", lambda d, W, s: (d @ W) * s, "On the way forward W_next led from D units to M. An error signal travels the other way, from M to D: look at the shapes, and at which index of W_next the sum runs over."),
        Misconception("slope before the weights", lambda d, W, s: (d * s) @ W.T, "You multiply the NEXT layer's delta by this layer's slope. Each unit's slope comes after the signals from the next layer have arrived at that unit."),
        Misconception("slope before the weights, and W for Wᵀ", lambda d, W, s: (d * s) @ W, "Two things are in the wrong place: the slope meets the signal before it has arrived at this layer, and W_next is used in the forward direction."),
        Misconception("slope forgotten", lambda d, W, s: d @ W.T, "This is dLoss/da, at the layer's output. One link of the chain is missing: from the output a = σ(z) back to z."),
        Misconception("σ′ taken of the slope", lambda d, W, s: (d @ W.T) * s * (1 - s), "slope is σ′(z) already, and you treat it as an output a of which the derivative is still to be taken. Use it as it is.", (lambda d, W, s: (d @ W.T) * (1 - s**2), lambda d, W, s: (d @ W.T) * (s > 0))),
        Misconception("divided by the slope", lambda d, W, s: (d @ W.T) / s, "You divide by the slope. A flat activation must make the signal smaller, not larger: which way does the chain rule put it?"),
        Misconception("slope added", lambda d, W, s: d @ W.T + s, "You add the slope. Links of one chain are multiplied; only different paths are added."),
        Misconception("slope squared", lambda d, W, s: (d @ W.T) * s**2, "The slope enters twice. Squares belong to mean squares, later on; here is one link of the chain, once."),
        Misconception("averaged over the batch", lambda d, W, s: (d @ W.T) * s / len(d), "You divide by N. A mean over the batch, if there is one, is in the loss and so in delta_next already."),
        Misconception("summed over the batch", lambda d, W, s: ((d @ W.T) * s).sum(axis=0), "You add up the examples. Each row travels back on its own: N rows in, N rows out. (The sum comes with the gradients of parameters.)"),
        Misconception("slopes averaged over the batch", lambda d, W, s: (d @ W.T) * s.mean(axis=0), "Every example is multiplied by the same slopes. Each example has its own z, so its own row of slopes."),
        Misconception("one mean slope for each example", lambda d, W, s: (d @ W.T) * s.mean(axis=1, keepdims=True), "You use one slope for a whole row. Each unit has its own: multiply entry by entry.", (lambda d, W, s: (d @ W.T) * s.sum(axis=1, keepdims=True), lambda d, W, s: (d @ W.T) * s.mean())),
        Misconception("matrix product with the slopes", lambda d, W, s: s @ (d @ W.T), "A unit's slope acts on that unit alone. As a matrix that is a diagonal one for each example, which is an entry-by-entry product.", (lambda d, W, s: (d @ W.T).T @ s,)),
        Misconception("absolute weights", lambda d, W, s: (d @ np.abs(W.T)) * s, "Your weights have lost their signs. A negative weight turns the signal round."),
    ),
    hints=(
        "Two links: from z_next back to a, then from a = σ(z) back to z. Write each with indices before you write it with matrices.",
        "a_d reaches the loss through all M units of the next layer: dL/da_d = Σ_m delta_next_m W_next_dm. The second link is entry by entry.",
        "delta_next @ W_next.T has shape (N, D); multiply it, entry by entry, with slope.",
    ),
    minutes=12,
    difficulty=2,
)


# ---- mlp_forward
def _forward_cases(rng: Generator) -> list[Case]:
    n, a, b, c, d = _sizes(rng)
    x, weights, biases = _saturated(rng, 2, 3)
    return [
        case("sigmoid, one hidden layer", _normal(rng, n, a), *_net(rng, a, b, c), "sigmoid", trap=CURVED),
        case("tanh, two hidden layers", _normal(rng, n, d), *_net(rng, d, a, c, b), "tanh", trap=RECTANGULAR),
        case("ReLU, three hidden layers", _normal(rng, n, c), *_net(rng, c, b, a, d, 1), "relu"),
        case("sigmoid, other widths", _normal(rng, n, b), *_net(rng, b, a, c), "sigmoid"),
        case("tanh, one hidden layer", _normal(rng, n, c), *_net(rng, c, a, b), "tanh"),
        case("ReLU, one hidden layer", _normal(rng, n, a), *_net(rng, a, d, b), "relu"),
        edge("one layer: linear, whatever the activation", _normal(rng, n, c), *_net(rng, c, a), "tanh"),
        edge("N = 1", _normal(rng, 1, b), *_net(rng, b, c, a), "sigmoid"),
        edge("pre-activations near ±1000, sigmoid", x, weights, biases, "sigmoid"),
        edge("pre-activations near ±1000, tanh", x, weights, biases, "tanh"),
        edge("pre-activations near ±1000, ReLU", x, weights, biases, "relu"),
    ]


ACTIVATIONS: dict[str, Callable] = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0)}


def _overflowing_tanh(z: ndarray) -> ndarray:
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def _forward(*, first: bool = False, last: bool = False, layers: str = "hidden", hidden_bias: bool = True, out_bias: bool = True, outside: bool = False, out: bool = True, **changed: Callable) -> Callable:
    """mlp_forward with a part replaced; changed: other functions for some activations."""

    def wrong(x, weights, biases, activation):
        act = {**ACTIVATIONS, **changed}[activation]
        x, n = act(np.asarray(x)) if first else np.asarray(x), len(weights) - 1
        for i, (W, b) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
            f = act if layers == "hidden" or (i == 0) == (layers == "first") else (lambda z: z)
            b = b if hidden_bias else 0.0
            x = f(x @ W) + b if outside else f(x @ W + b)
        if not out:
            return x
        y = x @ weights[n] + (biases[n] if out_bias else 0.0)
        return act(y) if last else y

    return wrong


def _always(name: str) -> Callable:
    return _forward(**dict.fromkeys(ACTIVATIONS, ACTIVATIONS[name]))


def _last_hidden_linear(x, weights, biases, activation):
    """The activation left out before the last layer (and nowhere else)."""
    joined = [*weights[:-2], weights[-2] @ weights[-1]] if len(weights) > 1 else weights
    shifts = [*biases[:-2], biases[-2] @ weights[-1] + biases[-1]] if len(weights) > 1 else biases
    return lib.mlp_forward(x, joined, shifts, activation)


def _linear(z: ndarray) -> ndarray:
    return z


mlp_forward = Exercise(
    reference=lib.mlp_forward,
    tiers=values_and_edge(2.5, 1.5),
    cases=_forward_cases,
    traps=(CURVED, RECTANGULAR, "N = 1", "pre-activations near ±1000, sigmoid", "pre-activations near ±1000, tanh"),
    equivalent_mutants=(("True → False", "there are as many biases as weights: strict finds nothing to refuse"),),
    misconceptions=(
        Misconception("activation on the output", _forward(last=True), "The last layer goes through the activation too. It ends with its affine map: a loss wants logits or predictions without bounds."),
        Misconception("activation on the inputs", _forward(first=True), "The inputs go through the activation before anything else. The activation stands AFTER the affine map of a hidden layer."),
        Misconception("activation on the inputs of each layer", lambda x, weights, biases, activation: _forward(**dict.fromkeys(ACTIVATIONS, _linear))(ACTIVATIONS[activation](np.asarray(x)), weights, biases, activation), "You bend the inputs, and nothing afterwards. The activation stands after the affine map of every hidden layer."),
        Misconception("no activation", _forward(**dict.fromkeys(ACTIVATIONS, _linear)), "Nothing bends between your layers: fifty affine maps in a row are one affine map."),
        Misconception("activation in the first layer only", _forward(layers="first"), "Only the first hidden layer is bent. Every layer but the last has the activation."),
        Misconception("no activation in the first layer", _forward(layers="rest"), "The first hidden layer passes its pre-activations on as they are. It is a hidden layer like the others."),
        Misconception("no activation in the last hidden layer", _last_hidden_linear, "One activation is missing: the loop stops bending one layer too early. Only the LAST layer is linear, and the hidden one before it is not."),
        Misconception("biases forgotten", _forward(hidden_bias=False, out_bias=False), "Nothing is added to x @ W. Each layer has a vector of biases too.", (_forward(hidden_bias=False),)),
        Misconception("bias of the last layer forgotten", _forward(out_bias=False), "The hidden layers are right; the last layer has a bias as well."),
        Misconception("last layer forgotten", _forward(out=False), "You return the last hidden layer's output. One matrix and one bias have not been used yet."),
        Misconception("bias after the activation", _forward(outside=True), "You add the bias after the activation. It belongs to the pre-activation: it decides where a unit bends."),
        Misconception("always the same activation", _always("tanh"), "Your activation does not depend on the argument `activation`: all three are asked for.", (_always("relu"), _always("sigmoid"))),
        Misconception("sigmoid and tanh swapped", _forward(sigmoid=np.tanh, tanh=sigmoid), "sigmoid lies between 0 and 1, tanh between −1 and 1: yours are exchanged."),
        Misconception("sigmoid stretched wrongly", _forward(tanh=lambda z: 2 * sigmoid(z) - 1), "tanh can be made of a sigmoid, but at twice the argument: yours rises at half the slope. np.tanh is at hand.", (_forward(tanh=lambda z: 2 * sigmoid(2 * z)), _forward(tanh=lambda z: sigmoid(2 * z)))),
        Misconception("sign in the sigmoid", _forward(sigmoid=lambda z: sigmoid(-z)), "Your sigmoid falls: it gives 1 for very negative numbers. Look at the sign in the exponent."),
        Misconception("another function than ReLU", _forward(relu=lambda z: np.where(z > 0, z, 0.01 * z)), "Something gets through your ReLU where z is negative. It gives exactly 0 there.", (_forward(relu=lambda z: np.where(z > 0, z, 0.1 * z)), _forward(relu=np.abs), _forward(relu=lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))), _forward(relu=lambda z: np.logaddexp(z, 0.0)))),
        Misconception("ReLU as a step", _forward(relu=lambda z: (z > 0) * 1.0), "Your ReLU gives 0 or 1. That is its slope; the function itself lets positive numbers through as they are."),
        Misconception("sigmoid that overflows", _forward(sigmoid=lambda z: np.exp(z) / (1 + np.exp(z))), "exp(1000) is inf, and inf/inf is nan. The set-up cell gives you a sigmoid that knows better."),
        Misconception("tanh that overflows", _forward(tanh=_overflowing_tanh), "exp(1000) is inf, and inf/inf is nan. np.tanh knows better.", (_forward(tanh=lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)), _forward(sigmoid=lambda z: np.exp(z) / (1 + np.exp(z)), tanh=_overflowing_tanh))),
    ),
    hints=(
        "Go through weights and biases together in a loop. What is different about the last pair?",
        "Every layer but the last: x becomes σ(x @ W + b). The last one: x @ W + b. A dictionary from the name to the function saves three branches.",
        'f = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": relu}[activation]; for W, b in zip(weights[:-1], biases[:-1]): x = f(x @ W + b); then return x @ weights[-1] + biases[-1].',
    ),
    minutes=8,
    difficulty=1,
)


# ---- mlp_backward: every input is judged three times, for dx, for the weights and for the biases
DX, DW, DB = (0,), (1,), (2,)


def _backward_inputs(rng: Generator) -> list[tuple]:
    """(label, tier, trap, arguments)."""
    n, a, b, c, _d = _sizes(rng)

    def of(widths: Sequence[int], activation: str, rows: int) -> tuple:
        return _normal(rng, rows, widths[-1]), _normal(rng, rows, widths[0]), *_net(rng, *widths), activation

    x, weights, biases = _saturated(rng, 2, 3)
    zero, zero_weights, zero_biases = _at_zero(4 if n == 3 else 3)
    return [
        ("sigmoid, one hidden layer", "", CURVED, of((a, b, c), "sigmoid", n)),
        ("ReLU, one hidden layer", "", "", of((c, a, b), "relu", n)),
        ("sigmoid, two hidden layers of equal width", "", "", of((2, 2, 2, 2), "sigmoid", 3)),
        ("tanh, two hidden layers", "", RECTANGULAR, of((b, c, a, 2 if n != 2 and a != 2 else 1), "tanh", n)),
        ("N = 1", "edge", "N = 1", of((a, b, 1), "tanh", 1)),
        ("one layer: linear, whatever the activation", "edge", "one layer", of((c, 1), "sigmoid", n)),
        ("pre-activations near ±1000, sigmoid", "edge", "±1000, sigmoid", (_normal(rng, 3, 1), x, weights, biases, "sigmoid")),
        ("pre-activations near ±1000, tanh", "edge", "±1000, tanh", (_normal(rng, 3, 1), x, weights, biases, "tanh")),
        ("ReLU, pre-activations exactly 0", "edge", "ReLU at 0", (_normal(rng, len(zero), 2), zero, zero_weights, zero_biases, "relu")),
    ]


def _backward_cases(rng: Generator) -> list[Case]:
    return [
        case(f"{label}: {what}", *arguments, tier=tier or part_tier, trap=trap, parts=parts)
        for label, tier, trap, arguments in _backward_inputs(rng)
        for what, part_tier, parts in (("dweights", "weights", DW), ("dbiases", "biases", DB), ("dx", "dx", DX))
    ]


SLOPES: dict[str, Callable] = {"sigmoid": lambda z: sigmoid(z) * (1 - sigmoid(z)), "tanh": lambda z: 1 - np.tanh(z) ** 2, "relu": lambda z: (z > 0) * 1.0}


def _slopes(**changed: Callable) -> Callable:
    """slope(activation, z), with other functions of z for some activations."""
    return lambda activation, z: {**SLOPES, **changed}[activation](z)


def _at_output(activation: str, z: ndarray) -> ndarray:
    return SLOPES[activation](ACTIVATIONS[activation](z))


def _backward(
    slope: Callable = lambda activation, z: SLOPES[activation](z),
    *,
    back: Callable = lambda d, W: d @ W.T,
    dW: Callable = lambda a, d: a.T @ d,
    db: Callable = lambda d: d.sum(axis=0),
    dx: Callable = lambda d, W, x, s: d @ W.T,
    first: Callable = lambda dy, y, s: dy,
    inputs: Callable = lambda a, z: a,
    bias: bool = True,
    bent: bool = True,
    late: bool = False,
    after: Callable = lambda dx, dW, db: (dx, dW, db),
) -> Callable:
    """mlp_backward with a part replaced; s is the slope as a function of a pre-activation."""

    def wrong(dy, x, weights, biases, activation):
        s = lambda z: slope(activation, z)
        pre, ins = [], [np.asarray(x)]
        for W, b in zip(weights, biases, strict=True):
            pre.append(ins[-1] @ W + (b if bias else 0.0))
            ins.append(ACTIVATIONS[activation](pre[-1]) if bent else pre[-1])
        taken = [ins[0], *(inputs(a, z) for a, z in zip(ins[1:], pre, strict=True))]
        delta, dweights, dbiases = first(np.asarray(dy), pre[-1], s), [], []
        for layer in reversed(range(len(weights))):
            dweights.insert(0, dW(taken[layer], delta))
            dbiases.insert(0, db(delta))
            if layer:
                delta = back(delta, weights[layer]) * s(pre[layer if late else layer - 1])
        return after(dx(delta, weights[0], ins[0], s), dweights, dbiases)

    return wrong


def _own_output(dy, x, weights, biases, activation):
    """dW of a layer from the layer's own output."""
    dx, _dW, db = lib.mlp_backward(dy, x, weights, biases, activation)
    outs = [lib.mlp_forward(x, weights[: i + 1], biases[: i + 1], activation) for i in range(len(weights))]
    deltas = [lib.mlp_backward(dy, o, [np.eye(o.shape[1]), *weights[i + 1 :]], [np.zeros(o.shape[1]), *biases[i + 1 :]], activation)[0] for i, o in enumerate(outs)]
    outs = [ACTIVATIONS[activation](o) for o in outs[:-1]] + outs[-1:]
    return dx, [o.T @ d for o, d in zip(outs, deltas, strict=True)], db


def _ones_for_dy(dy, *rest):
    return _backward()(np.ones_like(dy), *rest)


def _scaled(*divided: int) -> Callable:
    """The results at these positions divided by N."""

    def wrong(dy, *rest):
        parts = lib.mlp_backward(dy, *rest)
        return tuple((([g / len(dy) for g in p]) if isinstance(p, list) else p / len(dy)) if i in divided else p for i, p in enumerate(parts))

    return wrong


def _formula_on_z(**kept: Callable) -> Callable:
    return _backward(_slopes(**{"sigmoid": lambda z: z * (1 - z), "tanh": lambda z: 1 - z**2, **kept}))


mlp_backward = Exercise(
    reference=lib.mlp_backward,
    tiers=(
        Tier("weights", "gradients of the weights", 4),
        Tier("biases", "gradients of the biases", 1.5),
        Tier("dx", "gradient of the inputs", 1.5),
        Tier("edge", "edge cases", 1, needs=("weights", "biases", "dx")),
    ),
    cases=_backward_cases,
    returns=("dx", "dweights", "dbiases"),
    traps=(CURVED, RECTANGULAR, "N = 1", "one layer", "±1000, sigmoid", "±1000, tanh", "ReLU at 0"),
    misconceptions=(
        Misconception("σ′ at a instead of z", _backward(_at_output), "You take the slope at the layer's OUTPUT: the activation is applied once more inside σ′. Take it at the pre-activation z, or use a formula that is made for the output. (With ReLU the two agree, so it is right there.)", (_backward(_slopes(sigmoid=lambda z: _at_output("sigmoid", z))), _backward(_slopes(tanh=lambda z: _at_output("tanh", z))), _backward(_at_output, db=lambda d: d))),
        Misconception("formula for the output used on z", _formula_on_z(), "Your formula for the slope is one in the output a, but what you put in is the pre-activation z.", (_formula_on_z(tanh=SLOPES["tanh"]), _formula_on_z(sigmoid=SLOPES["sigmoid"]))),
        Misconception("slope forgotten", _backward(lambda activation, z: np.ones_like(z)), "The signal passes the hidden layers as if they were linear. Between a layer's output and its pre-activation stands the activation's slope."),
        Misconception("slope squared", _backward(lambda activation, z: SLOPES[activation](z) ** 2), "The slope enters twice in every layer: once in your formula, once more somewhere else (in delta_recursion, perhaps)."),
        Misconception("one slope for all activations", _backward(lambda activation, z: 1 - ACTIVATIONS[activation](z) ** 2), "Your slope does not depend on the argument `activation`: each of the three has a formula of its own.", (_backward(lambda activation, z: ACTIVATIONS[activation](z) * (1 - ACTIVATIONS[activation](z))), _backward(lambda activation, z: (z > 0) * 1.0))),
        Misconception("W for Wᵀ", _backward(back=lambda d, W: d @ W, dx=lambda d, W, x, s: d @ W), "The signal goes back through the weights in the forward direction. In delta_recursion you found which way W stands.", (_backward(back=lambda d, W: d @ W),)),
        Misconception("slope of the wrong layer", _backward(late=True), "After the signal has passed W it is at the layer BEFORE: the slope there belongs to that layer's z, and you take the next one's."),
        Misconception("slope on the last layer", _backward(first=lambda dy, y, s: dy * s(y)), "You begin with dy times a slope. The last layer is linear: what is its delta, then?"),
        Misconception("slope on the inputs", _backward(dx=lambda d, W, x, s: (d @ W.T) * s(x)), "Weights and biases are fine, but dx is multiplied by a slope. The inputs are given as they are: no activation stands before the first layer."),
        Misconception("dx stops before the first weights", _backward(dx=lambda d, W, x, s: d), "As dx you return the first layer's delta, dLoss/dz. The step from z back to the inputs is missing."),
        Misconception("bias gradient not summed", _backward(db=lambda d: d), "Your dbiases have one row per example. One bias serves all examples, so their gradients add up: (M,), not (N, M).", (_backward(db=lambda d: d.sum(axis=0, keepdims=True)), _backward(db=lambda d: d[0]))),
        Misconception("bias gradient averaged", _scaled(2), "Your dbiases are averaged over the batch, while everything else is summed. Any 1/N is in dy already.", (_backward(db=lambda d: np.full(d.shape[1], d.mean())),)),
        Misconception("bias gradient summed over the units", _backward(db=lambda d: d.sum(axis=1)), "You sum delta over the units of each example. A bias belongs to one unit and serves all examples: sum over the other axis."),
        Misconception("gradients averaged", _scaled(1, 2), "You divide by N. The gradients are summed over the batch: if the loss is a mean, its 1/N is in dy already.", (_scaled(1), _scaled(0, 1, 2))),
        Misconception("dweights transposed", _backward(dW=lambda a, d: d.T @ a), "Each dW is the transpose of what is expected: it must have the shape of its W, inputs in rows."),
        Misconception("output of the layer for its input", _own_output, "You pair a layer's delta with the layer's own output. A weight multiplies what comes INTO its layer."),
        Misconception("pre-activations for inputs", _backward(inputs=lambda a, z: z), "You pair delta with z of the layer before. What enters a layer is that layer's output, behind its activation."),
        Misconception("biases forgotten in the forward", _backward(bias=False), "The net you recompute has no biases, so slopes and inputs belong to another net."),
        Misconception("activation forgotten in the forward", _backward(bent=False), "The net you recompute on the way has no activation: the slopes are there, but the layers' outputs are wrong."),
        Misconception("reversed order", _backward(after=lambda dx, dW, db: (dx, dW[::-1], db[::-1])), "The lists begin with the last layer. Backpropagation meets the layers from the end, but what you return begins with the first.", (_backward(after=lambda dx, dW, db: (dx, dW[::-1], db)), _backward(after=lambda dx, dW, db: (dx, dW, db[::-1])))),
        Misconception("results in another order", _backward(after=lambda dx, dW, db: (dW, db, dx)), "Three results are expected in this order: dx, the list of dweights, the list of dbiases.", (_backward(after=lambda dx, dW, db: (dx, db, dW)),)),
        Misconception("results in one list", _backward(after=lambda dx, dW, db: (dx, list(zip(dW, db, strict=True)))), "Two lists are expected after dx: all dweights, then all dbiases.", (_backward(after=lambda dx, dW, db: (dW, db)),)),
        Misconception("dy ignored", _ones_for_dy, "Your result does not depend on dy. It is where the signal starts."),
        Misconception("tanh's slope without the square", _backward(_slopes(tanh=lambda z: 1 - np.tanh(z))), "sigmoid and ReLU are right; the slope of tanh is not: check it at z = 0, where it is 1, and at z = −3, where it is nearly 0.", (_backward(_slopes(tanh=lambda z: np.tanh(z) * (1 - np.tanh(z)))),)),
        Misconception("sigmoid's slope of tanh's form", _backward(_slopes(sigmoid=lambda z: 1 - sigmoid(z) ** 2)), "tanh and ReLU are right; the slope of sigmoid is not: it is ¼ at z = 0 and tends to 0 on both sides.", (_backward(_slopes(sigmoid=lambda z: 1 - sigmoid(z))), _backward(_slopes(sigmoid=sigmoid)))),
        Misconception("ReLU's slope is 1 at 0", _backward(_slopes(relu=lambda z: (z >= 0) * 1.0)), "Where z is exactly 0 the slope of ReLU is a convention, and the docstring states it.", (_backward(_slopes(relu=lambda z: np.where(z == 0, 0.5, z > 0))),)),
        Misconception("a ≥ 0 asked for ReLU", _backward(_slopes(relu=np.ones_like)), "sigmoid and tanh are right; your ReLU lets every signal through. Its output is never negative, so a ≥ 0 is always true."),
        Misconception("leaky slope for ReLU", _backward(_slopes(relu=lambda z: np.where(z > 0, 1.0, 0.01))), "sigmoid and tanh are right; your ReLU lets something through where z is not positive. Its slope there is exactly 0."),
        Misconception("ReLU itself for its slope", _backward(_slopes(relu=lambda z: np.maximum(z, 0))), "You multiply by ReLU's value. Its slope is 0 or 1."),
        Misconception("sigmoid's slope overflows", _backward(_slopes(sigmoid=lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2)), "At z = −1000 your slope of the sigmoid is inf/inf = nan. Written in the output a it cannot overflow."),
        Misconception("tanh overflows", _backward(_slopes(tanh=lambda z: 1 - _overflowing_tanh(z) ** 2)), "exp(1000) is inf, and inf/inf is nan. np.tanh knows better."),
    ),
    hints=(
        "Go forward first, and keep what enters each layer. Then go back with delta, from the last layer to the first, and use delta_recursion.",
        "In layer l: dW is (what enters).T @ delta, db the sum of delta over the rows. Then, unless it is the first layer, delta_recursion(delta, W of this layer, slope of the layer before). At the end dx = delta @ weights[0].T.",
        'With a the kept outputs the slopes are a(1 − a), 1 − a², and a > 0. for l in reversed(range(L)): dW[l] = a[l].T @ delta; db[l] = delta.sum(axis=0); if l: delta = (delta @ weights[l].T) * slope(a[l]), where a[0] = x.',
    ),
    minutes=20,
    difficulty=4,
)


# ---- layer_gradient_norms
def _norm_cases(rng: Generator) -> list[Case]:
    n, a, b, c, _d = _sizes(rng)
    chain = [np.array([[w]]) for w in np.round(rng.uniform(0.1, 0.3, size=24), 3)], [np.array([v]) for v in np.round(rng.uniform(-0.5, 0.5, size=24), 3)]

    def of(widths: Sequence[int], activation: str, rows: int) -> tuple:
        return _normal(rng, rows, widths[-1]), _normal(rng, rows, widths[0]), *_net(rng, *widths), activation

    return [
        case("tanh, one hidden layer", *of((a, b, c), "tanh", n), trap=CURVED),
        case("sigmoid, one hidden layer", *of((c, a, b), "sigmoid", n), trap=RECTANGULAR),
        case("ReLU, two hidden layers", *of((c, b, a, 2), "relu", n)),
        edge("N = 1, one layer", *of((c, b), "tanh", 1)),
        edge("24 layers of one unit, sigmoid", _normal(rng, 2, 1), _normal(rng, 2, 1), *chain, "sigmoid", tolerance=EACH),
        edge("dy = 0", np.zeros((n, c)), _normal(rng, n, a), *_net(rng, a, b, c), "tanh"),
    ]


def _norms(of: Callable, which: int = 1) -> Callable:
    return lambda *args: np.array([of(np.asarray(g)) for g in lib.mlp_backward(*args)[which]])


def _frobenius(g: ndarray) -> float:
    return float(np.sqrt((g**2).sum()))


layer_gradient_norms = Exercise(
    reference=lib.layer_gradient_norms,
    tiers=values_and_edge(1, 1),
    cases=_norm_cases,
    extension=True,
    traps=(CURVED, RECTANGULAR, "24 layers of one unit, sigmoid"),
    misconceptions=(
        Misconception("spectral norm", _norms(lambda g: np.linalg.norm(g, 2)), "np.linalg.norm with ord=2 is the largest singular value of a matrix. The Frobenius norm treats the matrix as one long vector."),
        Misconception("squared norm", _norms(lambda g: (g**2).sum()), "The root is missing: these are squared norms."),
        Misconception("root mean square", _norms(lambda g: np.sqrt((g**2).mean())), "You average over the entries before the root. A norm adds their squares."),
        Misconception("sum of absolute values", _norms(lambda g: np.abs(g).sum()), "You add absolute values. The Frobenius norm is the Euclidean length.", (_norms(lambda g: np.abs(g).mean()), _norms(lambda g: np.linalg.norm(g, 1)))),
        Misconception("largest entry", _norms(lambda g: np.abs(g).max()), "You take the largest entry. A norm of the whole matrix counts all of them."),
        Misconception("last layer first", lambda *args: lib.layer_gradient_norms(*args)[::-1], "The order is that of the layers, the first one first."),
        Misconception("norms of the biases' gradients", _norms(_frobenius, 2), "These are the norms of dbiases. It is the weights that are asked for."),
        Misconception("norms of the weights", lambda dy, x, weights, biases, activation: [_frobenius(W) for W in weights], "You measure the weights themselves and not their gradients."),
        Misconception("weights and biases together", lambda *args: [math.hypot(_frobenius(a), _frobenius(b)) for a, b in zip(*lib.mlp_backward(*args)[1:], strict=True)], "The biases' gradients are in your norms as well. One matrix, one norm.", (lambda *args: [_frobenius(a) + _frobenius(b) for a, b in zip(*lib.mlp_backward(*args)[1:], strict=True)],)),
        Misconception("one norm for all layers", lambda *args: float(np.sqrt(sum((g**2).sum() for g in lib.mlp_backward(*args)[1]))), "You return one number for the whole net. The point is to see the layers apart: (L,)."),
        Misconception("divided by N", lambda *args: lib.layer_gradient_norms(*args) / len(args[0]), "You divide by N. If the loss is a mean, its 1/N is in dy already."),
        Misconception("small norms cut off", lambda *args: np.maximum(lib.layer_gradient_norms(*args), 1e-8), "Something replaces the smallest norms (a maximum, an epsilon, a rounding). They are what you want to see.", (lambda *args: lib.layer_gradient_norms(*args) + 1e-8, lambda *args: np.round(lib.layer_gradient_norms(*args), 8), lambda *args: lib.layer_gradient_norms(*args) + 1e-12, lambda *args: np.maximum(lib.layer_gradient_norms(*args), 1e-12))),
    ),
    hints=(
        "You have the gradients of all layers from mlp_backward; for each of its dweights one number.",
        "The Frobenius norm of a matrix: square every entry, add them all, take the root.",
        "_, dweights, _ = mlp_backward(dy, x, weights, biases, activation); np.array([np.linalg.norm(dW) for dW in dweights])",
    ),
    minutes=5,
    difficulty=1,
)


# ---- gradient_factor
def _factor_cases(rng: Generator) -> list[Case]:
    def number(low: float, high: float) -> float:
        return float(np.round(rng.uniform(low, high), 4))

    return [
        case("a sigmoid layer", int(rng.integers(40, 90)), number(0.08, 0.3), number(0.03, 0.06)),
        case("a ReLU layer", int(rng.integers(100, 300)), number(0.05, 0.2), 0.5),
        case("a tanh layer of few units", int(rng.integers(3, 9)), number(0.3, 0.7), number(0.6, 0.95)),
        case("weights with a deviation above 1", int(rng.integers(12, 30)), number(1.2, 2.5), number(0.1, 0.4)),
        edge("linear units: slope 1", int(rng.integers(20, 60)), number(0.1, 0.5), 1.0),
        edge("one unit", 1, number(0.5, 0.9), number(0.2, 0.8)),
        edge("every unit saturated: slope 0", int(rng.integers(20, 60)), number(0.1, 0.5), 0.0),
        edge("tiny weights", int(rng.integers(20, 60)), number(1.0, 9.0) * 1e-9, number(0.2, 0.8), tolerance=TINY),
    ]


gradient_factor = Exercise(
    reference=lib.gradient_factor,
    tiers=values_and_edge(1.5, 0.5),
    cases=_factor_cases,
    traps=("linear units: slope 1", "one unit"),
    misconceptions=(
        Misconception("deviation not squared", lambda n, s, q: n * s * q, "A mean SQUARE is asked for. The weights enter it by their variance, and you are given their standard deviation.", (lambda n, s, q: n * s * math.sqrt(q),)),
        Misconception("square of the sum for the sum of squares", lambda n, s, q: (n * s) ** 2 * q, "Your fan_out is squared too, as if all terms of the sum had the same sign. They are independent with mean 0: in the expected square the mixed products vanish, and how many are left?"),
        Misconception("fan_out forgotten", lambda n, s, q: s**2 * q, "This is what one of the next layer's units sends back. All of them send something, and independent squares add."),
        Misconception("averaged over the next layer", lambda n, s, q: s**2 * q / n, "You divide by fan_out. delta of a unit is a SUM over the next layer's units, not their mean."),
        Misconception("factor of the root mean square", lambda n, s, q: math.sqrt(n * s**2 * q), "This is the factor of the size, the root of what is asked: of the mean square.", (lambda n, s, q: math.sqrt(n) * s * q,)),
        Misconception("slope squared again", lambda n, s, q: n * s**2 * q**2, "mean_squared_slope is the mean of σ′² already: squaring it once more counts the slope four times."),
        Misconception("root of the mean squared slope", lambda n, s, q: n * s**2 * math.sqrt(q), "You take the root of the mean squared slope. The slope multiplies delta; what does it do to delta's square?"),
        Misconception("slope forgotten", lambda n, s, q: n * s**2, "This is the factor of linear units: the activation's slope is not in it."),
        Misconception("divided by the mean squared slope", lambda n, s, q: n * s**2 / q if q else math.inf, "You divide by the slopes. A flatter activation lets less of the signal through."),
        Misconception("fan_out and deviation swapped", lambda n, s, q: n**2 * s * q, "The square is on the wrong one of the two: terms are counted, weights are squared."),
        Misconception("uniform bound for the deviation", lambda n, s, q: n * s**2 / 3 * q, "A factor 1/3 turns the bound of a uniform distribution into a variance. You are given the standard deviation itself."),
        Misconception("½ for ReLU put in once more", lambda n, s, q: n * s**2 * q / 2, "There is a ½ too many: what a ReLU halves is in mean_squared_slope already.", (lambda n, s, q: 2 * n * s**2 * q,)),
    ),
    hints=(
        "One component: delta_d = slope_d · Σ_m W_dm delta_m. Square it and take the mean over the weights, which are independent with mean 0.",
        "In the squared sum only the fan_out terms W² delta² survive; the mean of W² is the variance. The slope comes in squared.",
        "fan_out * weight_std**2 * mean_squared_slope",
    ),
    minutes=8,
    difficulty=3,
)


# ---- init_std
def _init_cases(rng: Generator) -> list[Case]:
    a, b, c, d = (int(n) for n in rng.permutation([int(rng.integers(low, low + 9)) for low in (12, 40, 100, 300)]))
    return [
        *(case(f"{scheme}, {n} → {m}", n, m, scheme) for scheme in ("lecun", "xavier", "he") for n, m in ((a, b), (d, c))),
        *(edge(f"{scheme}, {n} → {m}", n, m, scheme, trap=trap) for scheme, n, m, trap in (("xavier", c, c, "equal widths"), ("lecun", 1, b, "one input"), ("he", 1, d, "one input"), ("he", 2, a, ""), ("xavier", 1, 1, "one input"), ("lecun", 784 + a, 10, ""))),
    ]


def _variance(scheme: str, n: int, m: int) -> float:
    return {"lecun": 1 / n, "xavier": 2 / (n + m), "he": 2 / n}[scheme]


def _init(by: Callable[[float], float] = math.sqrt, **changed: Callable) -> Callable:
    """init_std with other variances, and another step from the variance to what is returned."""

    def wrong(fan_in, fan_out, scheme):
        return by(changed[scheme](fan_in, fan_out) if scheme in changed else _variance(scheme, fan_in, fan_out))

    return wrong


_OUT = {"lecun": lambda n, m: 1 / m, "he": lambda n, m: 2 / m}

init_std = Exercise(
    reference=lib.init_std,
    tiers=values_and_edge(1.5, 0.5),
    cases=_init_cases,
    traps=("equal widths", "one input"),
    misconceptions=(
        Misconception("variance returned", _init(lambda v: v), "You return the variance. A generator's scale, and this function's result, is the standard deviation.", (_init(lambda v: v**2), _init(lambda v: v, xavier=lambda n, m: 1 / (n + m)))),
        Misconception("one scheme's variance returned", _init(he=lambda n, m: (2 / n) ** 2), "Of the three schemes one comes back as a variance: the root is missing there.", (_init(lecun=lambda n, m: 1 / n**2), _init(xavier=lambda n, m: 4 / (n + m) ** 2))),
        Misconception("root of the numerator only", _init(lecun=lambda n, m: 1 / n**2, xavier=lambda n, m: 2 / (n + m) ** 2, he=lambda n, m: 2 / n**2), "The root reaches only the number on top; the count below must be under it as well.", (_init(xavier=lambda n, m: 4 / (n + m), he=lambda n, m: 4 / n),)),
        Misconception("variance returned, and fan_out for fan_in", _init(lambda v: v, **_OUT), "Two things: this is a variance and not a deviation, and what keeps the SIGNAL's size is a condition on the number of terms that each unit adds up."),
        Misconception("uniform bound returned", _init(lambda v: math.sqrt(3 * v)), "This is the bound of a uniform distribution that has the right variance. The standard deviation itself is smaller by √3."),
        Misconception("deviation divided by √3", _init(lambda v: math.sqrt(v / 3)), "You treat the scheme's deviation as the bound of a uniform distribution, and so return a third of the variance. (PyTorch's default for a linear layer has just this size.)"),
        Misconception("fan_out for fan_in", _init(**_OUT), "You count the wrong side: a unit's pre-activation is a sum over its INPUTS. Here \"lecun\" and \"he\" keep the signal on the way forward."),
        Misconception("He without ReLU's half", _init(he=lambda n, m: 1 / n), "\"he\" is the same as \"lecun\" here. A ReLU throws half of the mean square away, and the weights have to make up for it."),
        Misconception("He makes up for the wrong half", _init(he=lambda n, m: 1 / (2 * n)), "With \"he\" the signal is halved twice: the ReLU takes half of the mean square, and your weights another half. They should bring it back.", (_init(he=lambda n, m: 4 / n), _init(he=lambda n, m: 2 / (n + m)))),
        Misconception("He with fan_out", _init(he=lambda n, m: 2 / m), "\"he\" keeps the size of the signal behind a ReLU on the way FORWARD here: which of the two numbers counts the terms of that sum?"),
        Misconception("LeCun with fan_out", _init(lecun=lambda n, m: 1 / m), "\"lecun\" keeps the size of the signal on the way forward: which of the two numbers counts the terms of that sum?"),
        Misconception("LeCun and He swapped", _init(lecun=lambda n, m: 2 / n, he=lambda n, m: 1 / n), "\"lecun\" and \"he\" are exchanged: the larger weights belong to the scheme for ReLU."),
        Misconception("LeCun as large as He", _init(lecun=lambda n, m: 2 / n), "\"lecun\" needs no extra factor: no ReLU takes half away."),
        Misconception("sum of the fans for their mean", _init(xavier=lambda n, m: 1 / (n + m)), "\"xavier\" puts the MEAN of the two fans where \"lecun\" has fan_in. With equal widths it must agree with \"lecun\"."),
        Misconception("mean of the two variances", _init(xavier=lambda n, m: (1 / n + 1 / m) / 2), "You average the two variances. Glorot and Bengio average the two counts, which is not the same."),
        Misconception("product of the fans", _init(xavier=lambda n, m: 2 / (n * m)), "You multiply the two fans. The compromise is a mean of the two counts.", (_init(xavier=lambda n, m: 1 / (n * m)),)),
        Misconception("geometric mean", _init(xavier=lambda n, m: 1 / math.sqrt(n * m)), "You take the geometric mean of the two fans. Glorot and Bengio's compromise is the arithmetic one."),
        Misconception("mean of the two deviations", lambda n, m, scheme: (1 / math.sqrt(n) + 1 / math.sqrt(m)) / 2 if scheme == "xavier" else lib.init_std(n, m, scheme), "You average two deviations. Average the two counts first, then go to the deviation."),
        Misconception("Xavier's uniform bound", _init(xavier=lambda n, m: 6 / (n + m)), "The 6 belongs to the bound of a uniform distribution. What is its variance?", (_init(he=lambda n, m: 6 / n), _init(xavier=lambda n, m: 6 / (n + m), he=lambda n, m: 6 / n))),
        Misconception("Xavier with fan_in only", _init(xavier=lambda n, m: 1 / n), "\"xavier\" does not look at fan_out here. It is the compromise between the signal's condition and the gradient's.", (_init(xavier=lambda n, m: 1 / m), _init(xavier=lambda n, m: 2 / n))),
        Misconception("always the same scheme", lambda n, m, scheme: math.sqrt(2 / n), "Your result does not depend on the argument `scheme`.", (lambda n, m, scheme: math.sqrt(1 / n), lambda n, m, scheme: math.sqrt(2 / (n + m)))),
    ),
    hints=(
        "Find the variance first: for which one does a layer leave the mean square of the signal as it is? Then its root.",
        "Forward, fan_in terms are added: variance 1/fan_in. He: twice that, because a ReLU halves the mean square. Xavier: the mean of the two fans in place of fan_in.",
        "np.sqrt of 1 / fan_in, of 2 / (fan_in + fan_out), of 2 / fan_in, for \"lecun\", \"xavier\", \"he\".",
    ),
    minutes=5,
    difficulty=2,
)


# ---- depth_to_vanish
def _clear(rng: Generator, low: float, high: float, ratio: float, small: bool = True) -> tuple[float, float]:
    """A factor between low and high and the ratio, such that the exact depth is no whole number and rounds down (small) or up."""
    while True:
        factor = float(np.round(rng.uniform(low, high), 5))
        depth = 2 * math.log(ratio) / math.log(factor)
        if 0.1 < depth % 1 < 0.9 and (depth % 1 < 0.4) == small:
            return factor, ratio


def _depth_cases(rng: Generator) -> list[Case]:
    return [
        case("a factor near 1/16, a thousandth", *_clear(rng, 0.03, 0.09, 1e-3)),
        case("a factor near one half, a millionth", *_clear(rng, 0.45, 0.55, 1e-6)),
        case("a factor of nine tenths, a thousandth", *_clear(rng, 0.88, 0.94, 1e-3, False)),
        case("a factor near one tenth, half", *_clear(rng, 0.15, 0.28, 0.25)),
        edge("below the ratio after one layer", float(np.round(rng.uniform(0.2, 0.3), 4)), 0.9),
        edge("thousands of layers", *_clear(rng, 0.9990, 0.9998, 0.01, False)),
        edge("a ratio of 1e-200", *_clear(rng, 0.3, 0.6, 1e-200)),
    ]


def _depth(of: Callable[[float, float], float], by: Callable[[float], float] = math.ceil) -> Callable:
    return lambda factor, ratio: int(by(of(factor, ratio)))


def _exact(factor: float, ratio: float) -> float:
    return 2 * math.log(ratio) / math.log(factor)


def _counted_to_epsilon(factor, ratio):
    norm, n = 1.0, 0
    while norm - ratio > 1e-8:
        norm, n = norm * math.sqrt(factor), n + 1
    return max(n, 1)


depth_to_vanish = Exercise(
    reference=lib.depth_to_vanish,
    tiers=values_and_edge(1, 1),
    cases=_depth_cases,
    extension=True,
    traps=("below the ratio after one layer", "a ratio of 1e-200"),
    misconceptions=(
        Misconception("factor taken for the norm's", _depth(lambda f, r: math.log(r) / math.log(f)), "You let the NORM shrink by factor in every layer. factor is that of the squared norm: what does the norm itself shrink by?"),
        Misconception("squared once more", _depth(lambda f, r: math.log(r) / math.log(f) / 2), "The norm shrinks by the ROOT of factor per layer; yours shrinks by its square."),
        Misconception("rounded down", _depth(_exact, math.floor), "After that many layers the norm is still a little above the ratio. Which whole number comes next?", (lambda f, r: max(1, math.floor(_exact(f, r))),)),
        Misconception("rounded to the nearest", _depth(_exact, round), "The nearest whole number may be one layer too few: the norm must have come DOWN to the ratio.", (lambda f, r: max(1, round(_exact(f, r))),)),
        Misconception("one layer too many", lambda f, r: lib.depth_to_vanish(f, r) + 1, "One layer less is enough. In a loop, look at what is counted when the condition is first met; with logarithms, rounding up needs no + 1."),
        Misconception("not a whole number", _exact, "A number of layers is a whole number: the smallest one that is enough."),
        Misconception("upside down", _depth(lambda f, r: 2 * math.log(f) / math.log(r)), "You divide by the logarithm of the ratio. Solve factor to the power of n/2 = ratio for n once more."),
        Misconception("compared with a tolerance", _counted_to_epsilon, "You stop when the norm is CLOSE to the ratio. A small ratio is below any such tolerance: compare the two themselves."),
        Misconception("the count of a linear decay", _depth(lambda f, r: (1 - r) / (1 - math.sqrt(f))), "You subtract the same amount in every layer. A factor multiplies: the decay is geometric.", (_depth(lambda f, r: (1 - r) / (1 - f)),)),
        Misconception("sign", lambda f, r: -lib.depth_to_vanish(f, r), "Your number of layers is negative. Both logarithms are negative: what is the sign of their ratio?"),
    ),
    hints=(
        "The squared norm after n layers is factor**n of what it was. And the norm?",
        "factor**(n/2) ≤ ratio. Take logarithms (both are negative), solve for n, round up. Or multiply in a loop and count.",
        "int(np.ceil(2 * np.log(ratio) / np.log(factor)))",
    ),
    minutes=5,
    difficulty=2,
)


# ---- equalized_mlp_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    n, a, b, c, _d = _sizes(rng)

    def of(label: str, widths: Sequence[int], rows: int, make: Callable = case, **more: str) -> Case:
        weights, biases = _net(rng, *widths)
        return make(label, _normal(rng, rows, widths[0]), weights, [0.5 * v for v in biases], _normal(rng, rows, widths[-1]), op="torch", **more)

    asleep, asleep_biases = _net(rng, a, c, b)
    return [
        of("one hidden layer", (a, b, c), n, trap=RECTANGULAR),
        of("two hidden layers", (c, a, b, 1), n),
        of("one layer: linear, and scaled", (b, c), n, edge),
        of("N = 1", (c, a, b), 1, edge),
        of("four layers of two", (2,) * 5, 3, edge, trap=""),
        edge("every hidden unit asleep", _normal(rng, n, a), asleep, [np.full(c, -100.0), asleep_biases[1]], _normal(rng, n, b), op="torch", trap=""),
    ]


def _equalized(scale: Callable = lambda n, m: math.sqrt(2 / n), *, last_scale: bool = True, relu: str = "hidden", act: str = "relu", bias: Callable = lambda b, c: b, use: Callable = lambda W: W, back: Callable = lambda W, c: W * c) -> Callable:
    def wrong(x, weights, biases):
        import torch

        n = len(weights) - 1
        for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
            c = scale(*W.shape) if last_scale or i < n else 1.0
            x = x @ back(use(W), c) + bias(b, c)
            if relu == "all" or (relu == "hidden" and i < n):
                x = getattr(torch, act)(x)
        return x

    return wrong


def _cut_off(x, weights, biases):
    """The right values, and no gradient in anything."""
    y = lib.equalized_mlp_in_torch(x.detach(), [W.detach() for W in weights], [b.detach() for b in biases])
    return y + 0 * x.sum()


equalized_mlp_in_torch = Exercise(
    reference=lib.equalized_mlp_in_torch,
    tiers=values_and_edge(2, 1),
    cases=_torch_cases,
    torch=True,
    equivalent_mutants=(("True → False", "there are as many biases as weights: strict finds nothing to refuse"),),
    traps=(RECTANGULAR, "N = 1", "one layer: linear, and scaled"),
    misconceptions=(
        Misconception("fan_out for fan_in", _equalized(lambda n, m: math.sqrt(2 / m)), "Your scale counts the layer's outputs. A tensor W here is (inputs, outputs), the other way round than torch.nn.Linear's weight: which axis does a unit sum over?"),
        Misconception("variance for the deviation", _equalized(lambda n, m: 2 / n), "You multiply by the variance that the weights should have. Multiplying by c multiplies the deviation by c."),
        Misconception("uniform bound", _equalized(lambda n, m: math.sqrt(6 / n)), "√6 belongs to the bound of a uniform distribution; the stored weights have deviation 1, not bound 1."),
        Misconception("the scale without ReLU's half", _equalized(lambda n, m: math.sqrt(1 / n)), "This scale keeps the signal of a linear net. Behind a ReLU half of the mean square is lost in every layer."),
        Misconception("Xavier's scale", _equalized(lambda n, m: math.sqrt(2 / (n + m))), "This is Xavier's scale. The net has ReLUs, so He's is asked for."),
        Misconception("scale forgotten", _equalized(lambda n, m: 1.0), "The weights go in with deviation 1, so the signal grows with every layer. Each layer's W has to be brought to He's size first."),
        Misconception("divided by the scale", _equalized(lambda n, m: math.sqrt(n / 2)), "You make the weights larger where they should become smaller: the stored deviation is 1, the wanted one below."),
        Misconception("root of one part only", _equalized(lambda n, m: 2 / math.sqrt(n)), "Only one of the two numbers in your scale is under the root: both belong there.", (_equalized(lambda n, m: math.sqrt(2) / n),)),
        Misconception("one scale for all layers", lambda x, weights, biases: _equalized(lambda n, m: math.sqrt(2 / weights[0].shape[0]))(x, weights, biases), "Every layer gets the first one's scale. The layers differ in width, and each scale counts the inputs of its own layer."),
        Misconception("last layer not scaled", _equalized(last_scale=False), "The last layer goes in unscaled. Every layer's weights are stored with deviation 1, the last one's too."),
        Misconception("last layer scaled without the 2", lambda x, weights, biases: _equalized()(x, [*weights[:-1], weights[-1] / math.sqrt(2)], biases), "The last layer gets another scale than the rest. It stands behind a ReLU like the others (see the docstring)."),
        Misconception("bias scaled too", _equalized(bias=lambda b, c: c * b), "You scale the whole pre-activation, bias and all. Only the weights are scaled; with biases of 0 nobody would notice."),
        Misconception("biases forgotten", _equalized(bias=lambda b, c: 0.0), "The biases never enter: they also get no gradient."),
        Misconception("ReLU on the output", _equalized(relu="all"), "The output is never negative: the last layer is linear."),
        Misconception("no ReLU", _equalized(relu="none"), "Nothing bends between the layers. A ReLU stands after every layer but the last."),
        Misconception("another activation", _equalized(act="tanh"), "The hidden layers are to be ReLUs.", (_equalized(act="sigmoid"),)),
        Misconception("weights' gradient cut off", _equalized(use=lambda W: W.detach()), "The values are right, but no gradient reaches the weights: W was detached or rebuilt on the way (.detach(), .data, .numpy(), torch.tensor of a tensor)."),
        Misconception("gradient cut off", _cut_off, "The values are right, but no gradient reaches what went in: something was detached or turned into numbers on the way (.detach(), .data, .numpy(), torch.no_grad())."),
        Misconception("scale hidden from the gradient", _equalized(back=lambda W, c: W + (W * c - W).detach()), "The values are right, but the weights' gradient does not know of the scale. Multiply the tensor W itself; autograd then sees the factor."),
        Misconception("weights changed in place", _equalized(back=lambda W, c: W.mul_(c)), "A parameter that is differentiated cannot be changed in place (W *= c, W.mul_). Make a new tensor: W * c."),
        Misconception("weights made to have deviation 1", _equalized(use=lambda W: W / W.std()), "You divide by the deviation that you measure. The weights are DRAWN with deviation 1; what they are after that, training decides.", (_equalized(use=lambda W: (W - W.mean()) / W.std()),)),
    ),
    hints=(
        "It is mlp_forward with ReLU, in tensors, and with every W replaced by W times a number. Which number, and from which axis of W?",
        "The wanted deviation is init_std(fan_in, fan_out, \"he\"), the stored one is 1, so that is the number. W.shape[0] is fan_in. Multiply, do not assign.",
        "x = x @ (W * (2 / W.shape[0]) ** 0.5) + b, and torch.relu(x) for all layers but the last.",
    ),
    minutes=12,
    difficulty=2,
)


TOPIC = Topic(
    name="vanishing_gradients",
    assignment="1_architectures",
    title="Vanishing and exploding gradients",
    exercises=(delta_recursion, mlp_forward, mlp_backward, layer_gradient_norms, gradient_factor, init_std, depth_to_vanish, equalized_mlp_in_torch),
    written=(Written("three_remedies", points=3, minutes=10),),
)
