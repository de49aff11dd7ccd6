"""Exercises of dropout_variants: whole feature maps dropped, single weights dropped, and what that does to a unit."""
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import (
    Case,
    Double,
    Exercise,
    Misconception,
    Tolerance,
    Topic,
    Written,
    case,
    edge,
    values_and_edge,
)
from class4lib import dropout_variants as lib
from class4lib.judges.distribution import repeated_calls

Wrong = Callable[..., Any]


def _sizes(rng: Generator) -> tuple[int, int, int]:
    """N, D, M, all different, so that an axis taken for another shows."""
    n, d, m = rng.permutation([2, 3, 4])
    return int(n), int(d), int(m)


def _low(rng: Generator) -> float:
    return float(rng.choice([0.2, 0.25, 0.3]))


def _high(rng: Generator) -> float:
    return float(rng.choice([0.65, 0.7, 0.75]))


def _layer(rng: Generator, n: int, d: int, m: int) -> tuple[ndarray, ndarray, ndarray]:
    """x, W and b; no bias is 0."""
    return rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.choice([-1.0, 1.0], size=m) * rng.uniform(0.5, 2.0, size=m)


def _mask(rng: Generator, p: float, *shape: int) -> ndarray:
    """A mask as a layer returns it, in which something is dropped and something kept, and no two examples are alike."""
    while True:
        keep = rng.random(shape) >= p
        if keep.any() and not keep.all() and len(np.unique(keep.reshape(len(keep), -1), axis=0)) == len(keep):
            return keep / (1.0 - p)


def _seeds(rng: Generator) -> tuple[int, int, int]:
    """Seeds far apart, from 1 on: of the calls' generators, and of two arrays."""
    calls, first = int(rng.integers(1, 10**6)), int(rng.integers(10**6, 10**7))
    return calls, first, first + 1


# ---- spatial_dropout
def _spatial_cases(rng: Generator) -> list[Case]:
    cases = []
    for name, p, shape in (("few", _low(rng), (20, 24, 3, 2)), ("many", _high(rng), (72, 5, 2, 3))):
        calls, seed, _ = _seeds(rng)
        steps = repeated_calls((Double("sample", {"shape": shape, "seed": seed}), p), calls=64, seed=calls, training=True)
        cases.append(Case(f"{name} maps dropped, p = {p:g}", "values", steps, judge="spatial_dropout_distribution", trap="p away from one half"))
    x = rng.normal(size=(2, 3, 2, 4))
    return [
        *cases,
        edge("evaluation, without a generator", x, _low(rng), training=False),
        edge("evaluation, p above one half", x[:1], _high(rng), training=False, trap=""),
        edge("training with p = 0", x, 0.0, training=True, rng=Double("rng", {"seed": 1 + int(rng.integers(1000))})),
    ]


Draw = Callable[[Generator, tuple[int, ...], float], Any]


def _keep(rng: Generator, shape: tuple[int, ...], p: float) -> ndarray:
    return rng.random(shape) >= p


def _fixed_share(rng: Generator, shape: tuple[int, ...], p: float) -> ndarray:
    """In each example the same number is dropped."""
    ranks = rng.random((shape[0], int(np.prod(shape[1:])))).argsort(axis=1).argsort(axis=1)
    return (ranks >= round(p * ranks.shape[1])).reshape(shape)


def _global(rng: Generator, shape: tuple[int, ...], p: float) -> ndarray:
    return np.random.random(shape) >= p


def _fresh(*seed: int) -> Draw:
    return lambda rng, shape, p: np.random.default_rng(*seed).random(shape) >= p


def _whole_map(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], 1, 1)


def _spatial(draw: Draw = _keep, drawn: Wrong = _whole_map, factor: Wrong = lambda p: 1 / (1 - p), shown: Wrong = lambda mask, x, p: mask, applied: Wrong = lambda mask, p: mask, always: bool = False, evaluated: Wrong = lambda x, p: x, ones: Wrong = _whole_map) -> Wrong:
    def wrong(x, p, *, training, rng=None):
        if not training and not always:
            return evaluated(x, p), np.ones(ones(x.shape))
        mask = draw(rng, drawn(x.shape), p) * factor(p)
        return applied(mask, p) * x, shown(mask, x, p)

    return wrong


def _spread(mask: ndarray, x: ndarray, p: float) -> ndarray:
    return np.broadcast_to(mask, (*x.shape[:2], 1, 1))


def _first_pixel(mask: ndarray, x: ndarray, p: float) -> ndarray:
    return mask[:, :, :1, :1]


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape


def _channels(s: tuple[int, ...]) -> tuple[int, ...]:
    return (1, s[1], 1, 1)


def _by_kept_share(rng: Generator, shape: tuple[int, ...], p: float) -> ndarray:
    keep = _keep(rng, shape, p)
    return keep / max(keep.mean(), 1e-9) * (1 - p)


spatial_dropout = Exercise(
    reference=lib.spatial_dropout,
    equivalent_mutants=(("rng.random((*x.shape[:2], 1, 1)) >= p → rng.random((*x.shape[:2], 1, 1)) > p", "a draw equals p with a chance of at most 2**-53"),),
    tiers=values_and_edge(3, 1),
    cases=_spatial_cases,
    returns=("y", "mask"),
    traps=("p away from one half", "evaluation, without a generator"),
    misconceptions=(
        Misconception("mask per pixel", _spatial(drawn=_shape, ones=_shape), "A pixel is dropped while its neighbour in the same map stays: that is ordinary dropout. How many draws does one map of one example need, and which shape of array, with H and W still there as axes, spreads a draw over all its pixels?", (_spatial(drawn=_shape), _spatial(drawn=_shape, shown=_first_pixel))),
        Misconception("one mask for all examples", _spatial(drawn=_channels, ones=_channels), "Every example loses the same channels. The slides write r_c, but each example has draws of its own: the mask needs the axis N.", (_spatial(drawn=_channels), _spatial(drawn=_channels, shown=_spread))),
        Misconception("whole examples dropped", _spatial(drawn=lambda s: (s[0], 1, 1, 1), ones=lambda s: (s[0], 1, 1, 1)), "All maps of an example live or die together. Each channel has a draw of its own: the mask needs the axis C.", (_spatial(drawn=lambda s: (s[0], 1, 1, 1), shown=_spread), _spatial(drawn=lambda s: (s[0], 1, 1, 1)))),
        Misconception("one draw for everything", _spatial(drawn=lambda s: (1, 1, 1, 1), shown=_spread), "One single draw decides about the whole batch: each map of each example needs its own. How many numbers do you ask rng for?", (_spatial(drawn=lambda s: (), shown=_spread),)),
        Misconception("not rescaled in training", _spatial(factor=lambda p: 1.0), "A kept map goes on as it is, so that y is smaller than x on average. By how much must what is left grow, to make up for what is lost? The mask holds that factor.", (_spatial(factor=lambda p: 1.0, evaluated=lambda x, p: (1 - p) * x),)),
        Misconception("p taken for the probability to keep", _spatial(lambda r, s, p: r.random(s) < p), "p is the probability to DROP. With p = 0.2 four maps of five should survive; look at your comparison, and at the factor.", (_spatial(lambda r, s, p: r.random(s) < p, factor=lambda p: 1 / p), _spatial(factor=lambda p: 1 / p))),
        Misconception("rescaled twice", _spatial(factor=lambda p: (1 - p) ** -2), "What is kept grows twice. Once keeps the expectation.", (_spatial(applied=lambda m, p: m / (1 - p)),)),
        Misconception("mask without the factor", _spatial(shown=lambda m, x, p: (m != 0) * 1.0), "y is right, but the mask you return holds 0 and 1. Backward will multiply by it and by nothing else: the factor belongs into it.", (_spatial(shown=lambda m, x, p: m != 0),)),
        Misconception("rescaled in evaluation", _spatial(evaluated=lambda x, p: (1 - p) * x), "Training is right. What is kept was rescaled there already, so that evaluation needs nothing: with training=False y is x.", (_spatial(evaluated=lambda x, p: x / (1 - p)),)),
        Misconception("dropped in evaluation too", _spatial(always=True), "Your function draws also when training is False, where there may be no generator at all. Evaluation is not random: y is x, and the mask is all ones."),
        Misconception("rescaled by the share that happened to stay", _spatial(_by_kept_share), "You divide by the share of maps that was kept in this call, which changes from call to call and ties the maps to each other. The factor is one number, known before the draw."),
        Misconception("a fixed number of maps dropped", _spatial(_fixed_share), "The same number of maps is dropped every time. Each map decides for itself, so that the number varies."),
        Misconception("NumPy's global generator", _spatial(_global), "You draw from np.random. Draw from the argument rng, and from nothing else: rng.random(shape)."),
        Misconception("a generator of its own", _spatial(_fresh(0)), "The result does not depend on the generator that was handed over. Make none inside the function: rng is the only source of randomness.", (_spatial(_fresh()),)),
    ),
    hints=(
        "One draw decides about a whole map of one example. How many draws is that, for x of shape (N, C, H, W)?",
        "Draw an array of shape (N, C, 1, 1): NumPy spreads it over H and W by itself. What survives is divided by the probability to survive. Nothing is drawn when training is False.",
        "In training: mask = (rng.random((N, C, 1, 1)) >= p) / (1 - p); else np.ones((N, C, 1, 1)). Return mask * x and the mask.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- spatial_dropout_backward
def _spatial_backward_cases(rng: Generator) -> list[Case]:
    n, c, h = _sizes(rng)
    p, q = _low(rng), _high(rng)
    return [
        case("few maps dropped", rng.normal(size=(n, c, h, 5)), _mask(rng, p, n, c, 1, 1)),
        case("many maps dropped", rng.normal(size=(c, n, 2, h)), _mask(rng, q, c, n, 1, 1)),
        edge("no map dropped in training", rng.normal(size=(1, 2, 2, 3)), np.full((1, 2, 1, 1), 1 / (1 - p))),
        edge("every map dropped", rng.normal(size=(1, 2, 2, 2)), np.zeros((1, 2, 1, 1))),
        edge("evaluation: a mask of ones", rng.normal(size=(2, 1, 2, 2)), np.ones((2, 1, 1, 1))),
        edge("maps of one pixel, N = C", rng.normal(size=(2, 2, 1, 1)), _mask(rng, p, 2, 2, 1, 1)),
    ]


spatial_dropout_backward = Exercise(
    reference=lib.spatial_dropout_backward,
    tiers=values_and_edge(1, 1),
    cases=_spatial_backward_cases,
    extension=True,
    misconceptions=(
        Misconception("mask ignored", lambda dy, mask: dy * 1.0, "dy comes back as it went in. What did a dropped map contribute to the loss, and what did a kept one?"),
        Misconception("rescaling forgotten", lambda dy, mask: (mask != 0) * dy, "A kept map was made larger on the way forward, so the loss is more sensitive to it. The mask holds that factor already."),
        Misconception("rescaled twice", lambda dy, mask: mask**2 * dy, "The factor stands in your gradient twice; y holds it once.", (lambda dy, mask: mask * dy * mask.max(),)),
        Misconception("divided by the mask", lambda dy, mask: np.divide(dy, mask, out=np.zeros_like(dy), where=(mask != 0) & np.ones_like(dy, bool)), "You divide by the factor. The forward multiplied: what is the derivative of m x in x?"),
        Misconception("dropped maps get the gradient", lambda dy, mask: (mask == 0) * dy, "It is the kept maps that have a gradient; yours are the dropped ones.", (lambda dy, mask: (mask.max() - mask) * dy,)),
        Misconception("summed over the map", lambda dy, mask: (mask * dy).sum(axis=(2, 3), keepdims=True), "You sum over the pixels: that would be the gradient in the MASK. Each pixel of x has a gradient of its own.", (lambda dy, mask: mask * dy.sum(axis=(2, 3), keepdims=True) * np.ones_like(dy), lambda dy, mask: mask * dy.mean(axis=(2, 3), keepdims=True) * np.ones_like(dy))),
        Misconception("mean over the batch", lambda dy, mask: mask * dy / len(dy), "A division by N stands in your gradient. If the loss is a mean, dy holds that division already."),
        Misconception("one example's mask for all", lambda dy, mask: mask[:1] * dy, "Each example has a mask of its own; you use the first one's for all.", (lambda dy, mask: mask.mean(axis=0, keepdims=True) * dy,)),
    ),
    hints=(
        "y = m x, pixel by pixel, and m does not depend on x.",
        "Whatever multiplied x on the way forward multiplies dy on the way back: zeros included, factor included.",
        "One product of the two arguments; the mask of shape (N, C, 1, 1) spreads over the pixels by itself.",
    ),
    minutes=4,
    difficulty=1,
)


# ---- dropconnect_mean
def _mean_cases(rng: Generator) -> list[Case]:
    n, d, m = _sizes(rng)
    x, W, b = _layer(rng, n, d, m)
    return [
        case("p below one half", x, W, b, _low(rng)),
        case("p above one half", *_layer(rng, m, n, d), _high(rng)),
        case("one example, one input", *_layer(rng, 1, 1, 3), 0.4),
        edge("p = 0: nothing is dropped", x, W, b, 0.0),
        edge("inputs that are 0", 0 * x, W, b, _high(rng)),
        edge("N = D = M", *_layer(rng, 3, 3, 3), _low(rng)),
        edge("integers", rng.integers(-3, 4, size=(n, d)), rng.integers(1, 4, size=(d, m)), rng.integers(1, 4, size=m), _low(rng)),
    ]


dropconnect_mean = Exercise(
    reference=lib.dropconnect_mean,
    tiers=values_and_edge(1, 1),
    cases=_mean_cases,
    traps=("p = 0: nothing is dropped",),
    misconceptions=(
        Misconception("weights not rescaled", lambda x, W, b, p: (1 - p) * (x @ W) + b, "That is the mean where kept weights stay as they are. Here they are rescaled: what is the expectation of one entry of the mask, 0 or 1/(1-p)?"),
        Misconception("bias scaled too", lambda x, W, b, p: (1 - p) * (x @ W + b), "You scale the whole pre-activation, bias included. The bias is never dropped, and a kept weight is rescaled: which of the two terms is random at all?", (lambda x, W, b, p: x @ W + (1 - p) * b, lambda x, W, b, p: (x @ W + b) / (1 - p), lambda x, W, b, p: x @ W + b / (1 - p))),
        Misconception("p taken for the probability to keep", lambda x, W, b, p: p * (x @ W) + b, "p is the probability to DROP, and what is kept is rescaled. Write down the two values of a mask entry with their probabilities.", (lambda x, W, b, p: p * (x @ W + b), lambda x, W, b, p: p / (1 - p) * (x @ W) + b)),
        Misconception("factor without its probability", lambda x, W, b, p: x @ W / (1 - p) + b, "You take the value of a KEPT entry for the mean of all: it has that value only with probability 1 - p."),
        Misconception("bias forgotten", lambda x, W, b, p: x @ W, "Without the bias: it is never dropped, so it stands in the mean as it is.", (lambda x, W, b, p: (1 - p) * (x @ W),)),
        Misconception("mean over the batch", lambda x, W, b, p: (x @ W + b).mean(axis=0), "The expectation is over masks, not over examples: every example keeps its row."),
        Misconception("W transposed", lambda x, W, b, p: (x @ W.T if W.shape[0] == W.shape[1] else x @ W.reshape(W.shape[::-1]).T) + b, "In this course a layer is x @ W + b, with W of shape (D, M) as it comes."),
    ),
    hints=(
        "Expectation is linear: E[Σ m x W + b] = Σ E[m] x W + b. Only m is random.",
        "m is 0 with probability p and 1/(1-p) with probability 1 - p. Multiply and add.",
        "E[m] = 1 for every p. What is left of the layer if each m is replaced by 1?",
    ),
    minutes=4,
    difficulty=1,
)


# ---- dropconnect_variance
def _variance_cases(rng: Generator) -> list[Case]:
    n, d, m = _sizes(rng)
    x, W, _ = _layer(rng, n, d, m)
    y, V, _ = _layer(rng, m, n, d)
    return [
        case("p below one half", x, W, _low(rng)),
        case("p above one half", y, V, _high(rng)),
        case("another p, negative weights", x, -np.abs(W), 0.4),
        edge("p = 0: nothing is random", x, W, 0.0),
        edge("terms that cancel in the mean", np.ones((1, 2)), np.array([[2.0], [-2.0]]) * float(rng.integers(1, 4)), _low(rng)),
        edge("one example, one input", *_layer(rng, 1, 1, 3)[:2], _high(rng)),
        edge("N = D = M", *_layer(rng, 3, 3, 3)[:2], _low(rng)),
        edge("integers", rng.integers(-3, 4, size=(n, d)), rng.integers(1, 4, size=(d, m)), _low(rng)),
    ]


def _variance(factor: Wrong = lambda p: p / (1 - p), terms: Wrong = lambda x, W: x**2 @ W**2) -> Wrong:
    return lambda x, W, p: factor(p) * terms(x, W)


dropconnect_variance = Exercise(
    reference=lib.dropconnect_variance,
    tiers=values_and_edge(3, 1),
    cases=_variance_cases,
    traps=("p = 0: nothing is random", "terms that cancel in the mean"),
    misconceptions=(
        Misconception("weights not rescaled", _variance(lambda p: p * (1 - p)), "That is the variance of a mask of zeros and ones. A kept weight is multiplied by 1/(1-p): what does a factor do to a variance?"),
        Misconception("p and 1 − p swapped", _variance(lambda p: (1 - p) / p if p else np.inf), "For p near 0 almost nothing is random, and your variance becomes huge. p is the probability to DROP.", (_variance(lambda p: (1 - p) / p), _variance(lambda p: (1 - p) / np.float64(p)), _variance(lambda p: 1 / p if p else np.inf))),
        Misconception("second moment", _variance(lambda p: 1 / (1 - p)), "You give E[m²]. For p = 0 nothing is random and the variance must be 0: what is to be subtracted?"),
        Misconception("rescaled once for twice", _variance(lambda p: p), "A kept weight is multiplied by a factor, and a variance grows with the SQUARE of a factor; yours has it once."),
        Misconception("factor squared, probability forgotten", _variance(lambda p: p / (1 - p) ** 2), "Start from a mask entry's two values and their probabilities: one probability is missing from your result.", (_variance(lambda p: (p / (1 - p)) ** 2), _variance(lambda p: (1 - p) ** -2))),
        Misconception("p left out", _variance(lambda p: 1.0), "Your result does not depend on p. For p = 0 nothing is random: what should come out?"),
        Misconception("squared after the sum", _variance(terms=lambda x, W: (x @ W) ** 2), "You square the sum. The D masks of a unit are independent: variances add, so each TERM is squared before the sum. Two terms that cancel in the mean do not cancel here.", (_variance(lambda p: p * (1 - p), lambda x, W: (x @ W) ** 2),)),
        Misconception("nothing squared", _variance(terms=lambda x, W: x @ W), "A variance cannot be negative. A constant that multiplies a random number comes out of the variance how?", (_variance(terms=lambda x, W: np.abs(x) @ np.abs(W)),)),
        Misconception("inputs not squared", _variance(terms=lambda x, W: x @ W**2), "The weights are squared, the inputs are not: both multiply the mask.", (_variance(terms=lambda x, W: np.abs(x) @ W**2), _variance(terms=lambda x, W: np.ones_like(x) @ W**2))),
        Misconception("weights not squared", _variance(terms=lambda x, W: x**2 @ W), "The inputs are squared, the weights are not: both multiply the mask.", (_variance(terms=lambda x, W: x**2 @ np.abs(W)), _variance(terms=lambda x, W: x**2 @ np.ones_like(W)))),
        Misconception("standard deviation", lambda x, W, p: np.sqrt(p / (1 - p) * (x**2 @ W**2)), "You return the deviation. The variance is asked for."),
        Misconception("deviations added", lambda x, W, p: np.sqrt(p / (1 - p)) * (np.abs(x) @ np.abs(W)), "You add deviations. Of independent terms it is the VARIANCES that add; and a variance is asked for.", (lambda x, W, p: p / (1 - p) * (np.abs(x) @ np.abs(W)) ** 2,)),
        Misconception("second moment of the terms, mean of the sum", lambda x, W, p: x**2 @ W**2 / (1 - p) - (x @ W) ** 2, "You subtract the squared mean of the SUM from second moments of the TERMS. Finish the variance of one term first, then add."),
        Misconception("mean over the inputs", _variance(terms=lambda x, W: x**2 @ W**2 / len(W)), "The pre-activation is a SUM over the D inputs; you divide by D."),
        Misconception("summed over the batch", _variance(terms=lambda x, W: (x**2 @ W**2).sum(axis=0)), "Each example has masks and a variance of its own: the result has N rows.", (_variance(terms=lambda x, W: (x**2 @ W**2).mean(axis=0)),)),
        Misconception("not summed over the inputs", _variance(terms=lambda x, W: x[:, :, None] ** 2 * W**2), "That is the variance of each term. The terms are independent: what is the variance of their sum?"),
    ),
    hints=(
        "First one mask entry: E[m²] − E[m]². Then one term m x W, where x and W are constants. Then the sum of D independent terms.",
        "m is 1/(1-p) with probability 1 - p, so E[m²] = 1/(1-p), and E[m] = 1. A constant leaves a variance as its square.",
        "Var[m] = p/(1-p); the sum over d of x_nd² W_dm² is a matrix product of two squared matrices.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- dropconnect
def _dropconnect_cases(rng: Generator) -> list[Case]:
    cases = []
    for name, p, n, d in (("few", _low(rng), 24, 5), ("many", _high(rng), 40, 3)):
        calls, seed, other = _seeds(rng)
        args = (Double("sample", {"shape": (n, d), "seed": seed}), Double("sample", {"shape": (d, 4), "seed": other}), _layer(rng, 1, 1, 4)[2], p)
        cases.append(Case(f"{name} weights dropped, p = {p:g}, b ≠ 0", "values", repeated_calls(args, calls=64, seed=calls, training=True), judge="dropconnect_distribution", trap="N > 1, b ≠ 0"))
    n, d, m = _sizes(rng)
    x, W, b = _layer(rng, n, d, m)
    return [
        *cases,
        edge("evaluation, without a generator", x, W, b, _low(rng), training=False),
        edge("evaluation, p above one half", x[:1], W, b, _high(rng), training=False, trap=""),
        edge("training with p = 0", x, W, b, 0.0, training=True, rng=Double("rng", {"seed": 1 + int(rng.integers(1000))})),
    ]


def _full(n: int, d: int, m: int) -> tuple[int, ...]:
    return n, d, m


def _connect(draw: Draw = _keep, drawn: Wrong = _full, factor: Wrong = lambda p: 1 / (1 - p), shown: Wrong = lambda mask, shape: mask, always: bool = False, evaluated: Wrong = lambda x, W, b, p: x @ W + b, ones: Wrong = _full, bias: Wrong = lambda b, rng, n, p: b, applied: Wrong = lambda mask, p: mask) -> Wrong:
    def wrong(x, W, b, p, *, training, rng=None):
        shape = (len(x), *W.shape)
        if not training and not always:
            return evaluated(x, W, b, p), np.ones(ones(*shape))
        mask = draw(rng, drawn(*shape), p) * factor(p)
        y = np.einsum("nd,ndm->nm", x, np.broadcast_to(applied(mask, p) * W, shape))
        return y + bias(b, rng, len(x), p), shown(mask, shape)

    return wrong


def _wide(mask: ndarray, shape: tuple[int, ...]) -> ndarray:
    return np.broadcast_to(mask, shape).copy()


def _one_matrix(n: int, d: int, m: int) -> tuple[int, ...]:
    return d, m


def _outputs_dropped(full: bool) -> Wrong:
    """Dropout on x @ W."""

    def wrong(x, W, b, p, *, training, rng=None):
        if not training:
            return x @ W + b, np.ones((len(x), *W.shape) if full else (len(x), W.shape[1]))
        mask = (rng.random((len(x), W.shape[1])) >= p) / (1 - p)
        return mask * (x @ W) + b, _wide(mask[:, None, :], (len(x), *W.shape)) if full else mask

    return wrong


def _inputs_dropped(full: bool) -> Wrong:
    """Dropout on x."""

    def wrong(x, W, b, p, *, training, rng=None):
        if not training:
            return x @ W + b, np.ones((len(x), *W.shape) if full else x.shape)
        mask = (rng.random(x.shape) >= p) / (1 - p)
        return (mask * x) @ W + b, _wide(mask[:, :, None], (len(x), *W.shape)) if full else mask

    return wrong


def _dropped_bias(rescaled: bool) -> Wrong:
    return lambda b, rng, n, p: b * (rng.random((n, len(b))) >= p) / ((1 - p) if rescaled else 1)


dropconnect = Exercise(
    reference=lib.dropconnect,
    equivalent_mutants=(("rng.random(mask.shape) >= p → rng.random(mask.shape) > p", "a draw equals p with a chance of at most 2**-53"),),
    tiers=values_and_edge(3, 2),
    cases=_dropconnect_cases,
    returns=("y", "mask"),
    traps=("N > 1, b ≠ 0", "evaluation, without a generator"),
    misconceptions=(
        Misconception("one mask for all examples", _connect(drawn=_one_matrix, ones=_one_matrix), "All examples of the batch go through the same thinned matrix. Each needs a matrix of its own: the mask has N × D × M entries, and x @ W no longer does it in one product.", (_connect(drawn=_one_matrix), _connect(drawn=_one_matrix, shown=_wide))),
        Misconception("bias dropped", _connect(bias=_dropped_bias(True)), "Without the bias y would be right. Wan et al. drop it too; here it is added after dropping, whole.", (_connect(bias=_dropped_bias(False)), _connect(bias=lambda b, rng, n, p: b * (rng.random(len(b)) >= p) / (1 - p)))),
        Misconception("bias forgotten", _connect(bias=lambda b, rng, n, p: 0.0, evaluated=lambda x, W, b, p: x @ W), "The bias is missing from y, in evaluation as well."),
        Misconception("units dropped", _outputs_dropped(True), "All weights into a unit are dropped together: that is dropout on the outputs. Every single WEIGHT has a draw of its own.", (_outputs_dropped(False),)),
        Misconception("inputs dropped", _inputs_dropped(True), "All weights out of an input are dropped together: that is dropout on x. Every single WEIGHT has a draw of its own.", (_inputs_dropped(False),)),
        Misconception("one draw for everything", _connect(drawn=lambda n, d, m: (1, 1, 1), shown=_wide), "One single draw decides about all weights of all examples. How many numbers do you ask rng for?", (_connect(drawn=lambda n, d, m: (), shown=_wide),)),
        Misconception("one draw per example", _connect(drawn=lambda n, d, m: (n, 1, 1), shown=_wide), "All weights of an example live or die together. Every weight has a draw of its own."),
        Misconception("not rescaled in training", _connect(factor=lambda p: 1.0), "A kept weight goes on as it is, so that the pre-activation shrinks on average. By how much must what is left grow? The mask holds that factor.", (_connect(factor=lambda p: 1.0, evaluated=lambda x, W, b, p: x @ ((1 - p) * W) + b),)),
        Misconception("p taken for the probability to keep", _connect(lambda r, s, p: r.random(s) < p), "p is the probability to DROP (Wan et al.'s keeps). With p = 0.2 four weights of five should survive; look at your comparison, and at the factor.", (_connect(lambda r, s, p: r.random(s) < p, factor=lambda p: 1 / p), _connect(factor=lambda p: 1 / p))),
        Misconception("rescaled twice", _connect(factor=lambda p: (1 - p) ** -2), "What is kept grows twice. Once keeps the expectation.", (_connect(applied=lambda m, p: m / (1 - p)),)),
        Misconception("mask without the factor", _connect(shown=lambda m, s: (m != 0) * 1.0), "y is right, but the mask you return holds 0 and 1. Backward will multiply by it and by nothing else: the factor belongs into it.", (_connect(shown=lambda m, s: m != 0),)),
        Misconception("rescaled in evaluation", _connect(evaluated=lambda x, W, b, p: x @ ((1 - p) * W) + b), "Training is right. Kept weights were rescaled there already, so that evaluation is the plain layer.", (_connect(evaluated=lambda x, W, b, p: (1 - p) * (x @ W + b)), _connect(evaluated=lambda x, W, b, p: x @ W / (1 - p) + b))),
        Misconception("dropped in evaluation too", _connect(always=True), "Your function draws also when training is False, where there may be no generator at all. Evaluation is the plain layer, with a mask of ones."),
        Misconception("a fixed number of weights dropped", _connect(_fixed_share), "In each example the same number of weights is dropped. Each weight decides for itself, so that the number varies."),
        Misconception("NumPy's global generator", _connect(_global), "You draw from np.random. Draw from the argument rng, and from nothing else: rng.random(shape)."),
        Misconception("a generator of its own", _connect(_fresh(0)), "The result does not depend on the generator that was handed over. Make none inside the function: rng is the only source of randomness.", (_connect(_fresh()),)),
    ),
    hints=(
        "Each example meets a matrix of its own. Which shape has the mask of a whole batch?",
        "Draw (N, D, M) numbers; mask * W is then N matrices, for W spreads over the first axis. Row n of x is multiplied by matrix n: x[:, None, :] @ (mask * W), or np.einsum with the letters n, d, m.",
        "In training: mask = (rng.random((N, D, M)) >= p) / (1 - p), else ones; y = np.einsum(\"nd,ndm->nm\", x, mask * W) + b.",
    ),
    minutes=12,
    difficulty=3,
)


# ---- dropconnect_backward
def _backward_case(rng: Generator, n: int, d: int, m: int, p: float) -> tuple[ndarray, ...]:
    x, W, _ = _layer(rng, n, d, m)
    return rng.normal(size=(n, m)), x, W, _mask(rng, p, n, d, m)


def _backward_cases(rng: Generator) -> list[Case]:
    n, d, m = _sizes(rng)
    args = _backward_case(rng, n, d, m, _low(rng))
    dy, x, W, _ = _backward_case(rng, d, m, n, 0.4)
    return [
        case("dx alone, N ≠ D ≠ M", *args, parts=(0,)),
        case("dW alone", *args, parts=(1,)),
        case("db alone", *args, parts=(2,)),
        case("all three, many weights dropped", *_backward_case(rng, m, n, d, _high(rng))),
        edge("one example", *_backward_case(rng, 1, 3, 2, _high(rng))),
        edge("N = D = M", *_backward_case(rng, 3, 3, 3, _low(rng))),
        edge("evaluation: a mask of ones", dy, x, W, np.ones((d, m, n))),
        edge("one example without any weight", dy, x, W, np.concatenate([np.zeros((1, m, n)), np.full((d - 1, m, n), 1 / 0.6)])),
    ]


def _connect_backward(dx_mask: Wrong = lambda mask: mask, dW_mask: Wrong = lambda mask: mask, dx: Wrong = lambda g: g, dW: Wrong = lambda g, W: g.sum(axis=0), db: Wrong = lambda dy, mask: dy.sum(axis=0)) -> Wrong:
    def wrong(dy, x, W, mask):
        of_x = dx(np.einsum("nm,ndm->nd", dy, np.broadcast_to(dx_mask(mask), mask.shape) * W))
        of_W = dW(x[:, :, None] * np.broadcast_to(dW_mask(mask), mask.shape) * dy[:, None, :], W)
        return of_x, of_W, db(dy, mask)

    return wrong


def _binary(mask: ndarray) -> ndarray:
    return (mask != 0) * 1.0


def _batch_mean(mask: ndarray) -> ndarray:
    return mask.mean(axis=0, keepdims=True)


def _first(mask: ndarray) -> ndarray:
    return mask[:1]


dropconnect_backward = Exercise(
    reference=lib.dropconnect_backward,
    tiers=values_and_edge(2, 1),
    cases=_backward_cases,
    returns=("dx", "dW", "db"),
    misconceptions=(
        Misconception("mask ignored", _connect_backward(np.ones_like, np.ones_like), "These are the gradients of the plain layer. The forward used mask_n * W in place of W: follow it through both gradients."),
        Misconception("mask missing from dx", _connect_backward(dx_mask=np.ones_like), "dx goes back through the whole W. On the way forward each example met its own thinned matrix; the way back is through the same one."),
        Misconception("mask missing from dW", _connect_backward(dW_mask=np.ones_like), "You give the gradient in the thinned matrix. W is one step further back: which factor stands between W and it?"),
        Misconception("rescaling forgotten", _connect_backward(_binary, _binary), "Your mask is made of zeros and ones. The factor of the kept weights stands in the forward, so it stands in the gradients: use the mask as it comes.", (_connect_backward(_binary), _connect_backward(dW_mask=_binary))),
        Misconception("one mask for the batch", _connect_backward(_batch_mean, _batch_mean), "You average the masks over the batch. Each example goes back through its own.", (_connect_backward(dW_mask=_batch_mean), _connect_backward(_batch_mean), _connect_backward(_first, _first), _connect_backward(_first), _connect_backward(dW_mask=_first))),
        Misconception("mask squared", _connect_backward(np.square, np.square), "The mask stands in a gradient twice; y holds it once.", (_connect_backward(dW_mask=np.square), _connect_backward(np.square))),
        Misconception("mask applied to db", _connect_backward(db=lambda dy, mask: (dy * mask.mean(axis=1)).sum(axis=0)), "The bias was never dropped: no mask stands between it and y.", (_connect_backward(db=lambda dy, mask: (dy[:, None, :] * mask).sum(axis=(0, 1))),)),
        Misconception("dW not summed over the batch", _connect_backward(dW=lambda g, W: g), "You keep one matrix for each example. All examples share W: their gradients add up."),
        Misconception("dW averaged over the batch", _connect_backward(dW=lambda g, W: g.mean(axis=0)), "dW is divided by N. dy holds that division already, if the loss is a mean: gradients of a shared array add up.", (_connect_backward(dW=lambda g, W: g.mean(axis=0), db=lambda dy, mask: dy.mean(axis=0)),)),
        Misconception("db averaged over the batch", _connect_backward(db=lambda dy, mask: dy.mean(axis=0)), "db is divided by N. dy holds that division already, if the loss is a mean: gradients of a shared array add up."),
        Misconception("db not summed over the batch", _connect_backward(db=lambda dy, mask: dy * 1.0), "Every example has the same b: its gradient has shape (M,)."),
        Misconception("W in dW", _connect_backward(dW=lambda g, W: g.sum(axis=0) * W), "Your dW is multiplied by W. y is linear in W: its slope does not depend on W."),
        Misconception("dW transposed", _connect_backward(dW=lambda g, W: g.sum(axis=0).T), "dW has W's shape, (D, M): rows are inputs."),
    ),
    hints=(
        "Write one output: y_nm = Σ_d x_nd m_ndm W_dm + b_m. In what sums does x_nd occur, in which W_dm, in which b_m?",
        "x_nd goes to all M outputs of example n, each through m_ndm W_dm. W_dm goes to output m of all N examples, each through x_nd m_ndm. Sum over what is not in the result's index.",
        "Three np.einsum or sums: dx \"nm,ndm->nd\" with mask * W; dW \"nd,ndm,nm->dm\"; db is dy summed over n.",
    ),
    minutes=10,
    difficulty=3,
)


# ---- dropconnect_in_torch
def _torch_layer(rng: Generator, n: int, d: int, m: int, p: float) -> tuple[Any, ...]:
    """x, W, b, keep, p and dy."""
    return *_layer(rng, n, d, m), _mask(rng, p, n, d, m) > 0, p, rng.normal(size=(n, m))


SINGLE = Tolerance(1e-6, 1e-6, reason="a boolean tensor divided by a number is float32 in PyTorch: keep / (1 - p) is right to 6e-8")


def _in_torch_cases(rng: Generator) -> list[Case]:
    n, d, m = _sizes(rng)
    x, W, b, keep, _, dy = _torch_layer(rng, n, d, m, 0.4)
    return [
        case("few weights dropped, y and gradients", *_torch_layer(rng, n, d, m, _low(rng)), op="torch", tolerance=SINGLE),
        case("many weights dropped", *_torch_layer(rng, m, n, d, _high(rng)), op="torch", tolerance=SINGLE),
        edge("p = 0: everything kept", x, W, b, np.ones_like(keep), 0.0, dy, op="torch", tolerance=SINGLE),
        edge("nothing kept", x, W, b, np.zeros_like(keep), 0.4, dy, op="torch", tolerance=SINGLE),
        edge("one example", *_torch_layer(rng, 1, 3, 2, _low(rng)), op="torch", tolerance=SINGLE),
        edge("N = D = M", *_torch_layer(rng, 3, 3, 3, _high(rng)), op="torch", tolerance=SINGLE),
    ]


def _in_torch(factor: Wrong = lambda p: 1 / (1 - p), kept: Wrong = lambda keep: keep, bias: Wrong = lambda b, p: b, weights: Wrong = lambda W: W, inputs: Wrong = lambda x: x) -> Wrong:
    def wrong(x, W, b, keep, p):
        mask = kept(keep) * factor(p)
        return (inputs(x)[:, :, None] * (mask * weights(W))).sum(1) + bias(b, p)

    return wrong


def _cut(x, W, b, keep, p):
    import torch

    return torch.tensor(lib.dropconnect_in_torch(x, W, b, keep, p).detach().numpy())


dropconnect_in_torch = Exercise(
    reference=lib.dropconnect_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("p = 0: everything kept",),
    misconceptions=(
        Misconception("not rescaled", _in_torch(lambda p: 1.0), "keep holds True and False, no factor: what is kept must still make up for what is dropped."),
        Misconception("rescaled by p", _in_torch(lambda p: 1 / p if p else np.inf), "You divide by p. Here p is the probability to DROP: with which probability does a weight survive?", (_in_torch(lambda p: 1 / p),)),
        Misconception("shrunk instead of grown", _in_torch(lambda p: 1 - p), "What is kept becomes smaller; it should grow, to make up for what is dropped."),
        Misconception("drop and keep swapped", _in_torch(kept=lambda k: ~k), "True keeps; you drop there."),
        Misconception("one mask for all examples", _in_torch(kept=lambda k: k[:1]), "You use the first example's mask for all. Each has its own: keep has N × D × M entries.", (_in_torch(kept=lambda k: k.double().mean(0, keepdim=True)), _in_torch(kept=lambda k: k.any(0, keepdim=True)), _in_torch(kept=lambda k: k.all(0, keepdim=True)))),
        Misconception("bias rescaled too", _in_torch(bias=lambda b, p: b / (1 - p)), "The bias is divided by 1 - p as well. It was never dropped: add it last."),
        Misconception("bias forgotten", _in_torch(bias=lambda b, p: 0 * b), "The bias is missing from y."),
        Misconception("mask ignored", _in_torch(lambda p: 1.0, kept=lambda k: k | ~k), "This is the plain layer: keep is not used."),
        Misconception("gradient cut off", _cut, "The values are right, but no gradient comes back: something was detached or turned into numbers on the way (.detach(), .numpy(), .data, torch.no_grad, torch.tensor of a tensor).", (_in_torch(weights=lambda W: W.detach()), _in_torch(inputs=lambda x: x.detach()), _in_torch(bias=lambda b, p: b.detach()))),
    ),
    hints=(
        "Write your NumPy layer with tensors; the draws are given. A boolean tensor may be multiplied by a float one.",
        "keep * W / (1 - p) are N matrices, for N rows of x: torch.einsum or torch.bmm.",
        "torch.einsum(\"nd,ndm->nm\", x, keep * W / (1 - p)) + b.",
    ),
    minutes=6,
    difficulty=2,
)


TOPIC = Topic(
    name="dropout_variants",
    assignment="2_regularization",
    title="Dropout of maps and of weights",
    exercises=(spatial_dropout, spatial_dropout_backward, dropconnect_mean, dropconnect_variance, dropconnect, dropconnect_backward, dropconnect_in_torch),
    written=(Written("what_was_taken_away", points=2, minutes=8),),
)
