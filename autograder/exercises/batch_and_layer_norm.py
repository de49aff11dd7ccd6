"""Exercises of batch_and_layer_norm: the same formula over examples and over features, its gradient, running statistics, folding."""
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
    Step,
    Tier,
    Tolerance,
    Topic,
    Written,
    case,
    edge,
    script,
    values_and_edge,
)
from class4lib import batch_and_layer_norm as lib

Wrong = Callable[..., Any]

NOTHING_LEFT = Tolerance(floor=1.0, reason="the exact gradient is 0: what is left is rounding, divided by a deviation")
LARGE_MEAN = Tolerance(1e-6, 1e-6, reason="x scale + (beta - mean scale) is right too, and loses the digits by which the mean exceeds the deviation")


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and D, different, so that an axis taken for the other shows; never 2, where normalised values are ±1."""
    n, d = rng.permutation([3, 4])
    return int(n), int(d)


def _shifted(rng: Generator, *shape: int) -> ndarray:
    """Values whose features, and whose rows, have means and deviations of their own."""
    rows = (*shape[:-1], 1)
    return np.round(rng.normal(size=shape) * rng.uniform(0.5, 2, size=shape[-1]) * rng.uniform(0.5, 2, size=rows) + rng.normal(scale=3, size=shape[-1]) + rng.normal(scale=2, size=rows), 2)


def _scale_and_shift(rng: Generator, d: int) -> tuple[ndarray, ndarray]:
    """gamma of both signs, none of size 1, and beta without zeros."""
    gamma = rng.uniform(1.2, 2.4, size=d) * rng.permutation(np.resize([1.0, -0.4], d))
    return np.round(gamma, 2), np.round(rng.uniform(0.3, 2, size=d) * rng.choice([-1, 1], size=d), 2)


def _running(rng: Generator, d: int) -> tuple[ndarray, ndarray]:
    """A running mean and variance that are nobody's start."""
    return np.round(rng.normal(scale=2, size=d), 2), np.round(rng.uniform(1.5, 4, size=d), 2)


def _beside_1e4(rng: Generator, *shape: int) -> ndarray:
    """Four values beside 1e4 whose squares lose their differences to rounding: E[x²] − E[x]² is exactly 0, however it is summed."""
    steps = rng.permuted(np.broadcast_to([-4.0, -1.0, 2.0, 5.0], shape), axis=-1)
    return 1e4 + steps * 2.0**-16


# ---- wrong versions: how the statistics are taken, and what is divided by what
def _moments(x: ndarray, axis: Any = 0, ddof: int = 0, difference: bool = False) -> tuple[ndarray, ndarray]:
    """Mean and variance, kept along their axes; difference: E[x²] − E[x]²."""
    mean = x.mean(axis=axis, keepdims=True)
    return mean, ((x * x).mean(axis=axis, keepdims=True) - mean**2 if difference else x.var(axis=axis, ddof=ddof, keepdims=True))


def _inside(var: ndarray, eps: float) -> ndarray:
    return np.sqrt(var + eps)


DIVISORS: dict[str, Callable[[ndarray, float], ndarray]] = {
    "outside": lambda var, eps: np.sqrt(var) + eps,
    "left out": lambda var, eps: np.sqrt(var),
    "fixed": lambda var, eps: np.sqrt(var + 1e-5),
    "no root": lambda var, eps: var + eps,
    "twice": lambda var, eps: np.sqrt(np.sqrt(var) + eps),
}


def _x_hat_first(x_hat: ndarray, gamma: ndarray, beta: ndarray) -> ndarray:
    return gamma * x_hat + beta


# ---- batch_norm
def _batch_norm_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    gamma, beta = _scale_and_shift(rng, d)
    state = _running(rng, d)
    momentum = float(rng.choice([0.2, 0.3]))
    small = _scale_and_shift(rng, 2)

    def one(x: ndarray) -> tuple[ndarray, ...]:
        return (x, *_scale_and_shift(rng, x.shape[1]), *_running(rng, x.shape[1]))

    def step(number: int, x: ndarray) -> Step:
        state = (np.zeros(2), np.ones(2)) if number == 1 else tuple(Double("item", {"name": f"step {number - 1}", "index": i}) for i in (1, 2))
        return Step("", (x, *small, *state), {"training": number < 3, "momentum": momentum, "eps": 1e-12}, save=f"step {number}" if number < 3 else "")

    return [
        case("training: the output, N ≠ D", _shifted(rng, n, d), gamma, beta, *state, training=True, parts=(0,)),
        case("training: the output, N = D, eps = 0.5", *one(_shifted(rng, 3, 3)), training=True, eps=0.5, parts=(0,)),
        case("training: the new running statistics", _shifted(rng, n, d), gamma, beta, *state, training=True, tier="running", parts=(1, 2)),
        case("training: the new running statistics, another momentum", *one(_shifted(rng, 3, 2)), training=True, momentum=momentum, tier="running", parts=(1, 2)),
        case("evaluation", _shifted(rng, n, d), gamma, beta, *state, training=False, tier="running"),
        case("evaluation, N = 1, eps = 0.5", *one(_shifted(rng, 1, 2)), training=False, eps=0.5, tier="running", trap="N = 1", parts=(0,)),
        script("several training batches, then evaluation", *(step(i + 1, _shifted(rng, m, 2)) for i, m in enumerate((3, 2, 2))), tier="running", trap="several training batches, then evaluation"),
        edge("mean 1e4", *one(_beside_1e4(rng, 2, 4).T), training=True, eps=1e-9, tolerance=LARGE_MEAN, parts=(0,)),
        edge("a constant column", *one(np.column_stack([np.full(n, 0.1), _shifted(rng, n, 1)])), training=True, parts=(0,)),
        edge("N = 2", *one(_shifted(rng, 2, 3)), training=True, parts=(0,)),
    ]


def _bn(
    *, moments: Callable[[ndarray], tuple[ndarray, ndarray]] = _moments, kept: Callable | None = None, divisor: Callable = _inside, affine: Callable = _x_hat_first, ddof: int = 1, upside_down: bool = False, new: Callable = lambda old, now, m: (1 - m) * old + m * now,
    stored: Callable = lambda var, eps: var, used: str = "batch", evaluation: str = "running", eval_divisor: Callable | None = None, center: bool = True,
) -> Wrong:  # fmt: skip
    """batch_norm with one thing changed.

    moments: of the output in training, and kept: of the state, where they differ; ddof: 0 keeps the variance, else N/(N - 1) times it, which
    for one row is nan at 1 and an error at 2; used: whose statistics normalise in training; evaluation: whose normalise there, and whether
    the state moves.
    """

    def wrong(x, gamma, beta, running_mean, running_var, *, training, momentum=0.1, eps=1e-5):
        def normalized(mean, var, by):
            return affine((x - mean if center else x) / by(var, eps), gamma, beta)

        def moved():
            mean, var = (kept or moments)(x)
            if ddof and mean.shape[0] == 1 and mean.ndim == 2:
                var = var * ((len(x) - 1) / len(x) if upside_down else len(x) / (len(x) - 1) if len(x) > 1 else np.nan if ddof == 1 else 1 / 0)
            return new(running_mean, mean[0] if mean.shape[0] == 1 else mean, momentum), new(running_var, stored(var[0] if var.shape[0] == 1 else var, eps), momentum)

        if training or evaluation == "as in training":
            state = moved()
            mean, var = {"batch": lambda: moments(x), "old": lambda: (running_mean, running_var), "new": lambda: state}[used]()
            return normalized(mean, var, divisor), *state
        if evaluation == "batch":
            return normalized(*moments(x), divisor), running_mean, running_var
        if evaluation == "updated after":
            return normalized(running_mean, running_var, divisor), *moved()
        if evaluation == "updated before":
            state = moved()
            return normalized(*state, divisor), *state
        return normalized(running_mean, running_var, eval_divisor or divisor), running_mean, running_var

    return wrong


def _over_features(x: ndarray) -> tuple[ndarray, ndarray]:
    return _moments(x, 1)


def _without_keepdims(x: ndarray) -> tuple[ndarray, ndarray]:
    return x.mean(axis=1), x.var(axis=1)


def _over_all(x: ndarray) -> tuple[ndarray, ndarray]:
    return _moments(x, None)


def _unbiased(x: ndarray) -> tuple[ndarray, ndarray]:
    return _moments(x, 0, 1) if len(x) > 1 else _moments(x)


def _swapped(old, now, m):
    return m * old + (1 - m) * now


batch_norm = Exercise(
    reference=lib.batch_norm,
    tiers=(Tier("values", "training: the output", 4), Tier("running", "running statistics and evaluation", 3, needs=("values",)), Tier("edge", "edge cases in training", 2, needs=("values",))),
    cases=_batch_norm_cases,
    returns=("y", "running_mean", "running_var"),
    traps=("several training batches, then evaluation", "mean 1e4", "a constant column", "N = 1", "N = 2"),
    misconceptions=(
        Misconception("normalised over the features", _bn(moments=_over_features, ddof=0), "Your statistics run along the features of one example: that is layer norm. Batch norm treats each FEATURE on its own, over the examples of the batch: which axis is that?", (_bn(moments=_over_features, kept=_moments), _bn(moments=_without_keepdims, ddof=0))),
        Misconception("one mean for the whole batch", _bn(moments=_over_all), "You take one mean and one variance of all N·D numbers. Every feature has its own: the statistics have shape (D,).", (_bn(moments=_over_all, kept=_moments),)),
        Misconception("N − 1 in the variance", _bn(moments=_unbiased, ddof=0), "You normalise by the variance that divides by N − 1. In training the output is divided by the deviation of this very batch, which divides by N; only the STORED variance is the other one. (NumPy's ddof.)"),
        Misconception("the two variances swapped", _bn(moments=_unbiased, kept=_moments, ddof=0), "Two variances are wanted here, and each stands where the other belongs: the batch's own (dividing by N) normalises, the estimate for the whole population (N − 1) is stored."),
        Misconception("E[x²] − E[x]²", _bn(moments=lambda x: _moments(x, 0, difference=True)), "The mean of the squares less the square of the mean is right on paper. Beside a mean of 1e4 both are 1e8, and their difference is lost to rounding: subtract the mean first, square afterwards."),
        Misconception("ε outside the root", _bn(divisor=DIVISORS["outside"]), "You add eps to the deviation. It is added to the VARIANCE: look once more at what the root covers."),
        Misconception("N − 1, and ε outside the root", _bn(moments=_unbiased, ddof=0, divisor=DIVISORS["outside"]), "Two things at once: the deviation that normalises divides by N (ddof=0), and eps is added to the variance, under the root, not to the deviation."),
        Misconception("root taken twice", _bn(divisor=DIVISORS["twice"]), "You take the root of a deviation, which is one already: start from the variance."),
        Misconception("ε left out", _bn(divisor=DIVISORS["left out"]), "eps takes no part in your result. A feature that is constant in the batch has variance 0, and 0/0 is nan: where does the formula put eps?"),
        Misconception("ε left out in evaluation", _bn(eval_divisor=DIVISORS["left out"]), "In training you are right; in evaluation eps is missing. The formula is the same in both modes, only the statistics differ."),
        Misconception("ε not taken from the call", _bn(divisor=DIVISORS["fixed"]), "You use 1e-5 whatever eps is given: the default is only a default.", (_bn(eval_divisor=DIVISORS["fixed"]),)),
        Misconception("no root", _bn(divisor=DIVISORS["no root"]), "You divide by the variance. Its unit is the square of x's: which of its relatives has the unit of x?"),
        Misconception("mean not subtracted", _bn(center=False), "Your output is divided by the deviation, but its mean is still that of x: one step comes first."),
        Misconception("β scaled too", _bn(affine=lambda x_hat, gamma, beta: gamma * (x_hat + beta)), "You shift first and scale afterwards, so beta is multiplied by gamma. First the scale, then the shift."),
        Misconception("γ and β left out", _bn(affine=lambda x_hat, gamma, beta: x_hat), "You return the normalised values. Scale and shift come after: without them a layer could never undo the normalisation.", (_bn(affine=lambda x_hat, gamma, beta: gamma * x_hat), _bn(affine=lambda x_hat, gamma, beta: x_hat + beta))),
        Misconception("γ and β swapped", _bn(affine=lambda x_hat, gamma, beta: beta * x_hat + gamma), "gamma scales and beta shifts; you have them the other way round."),
        Misconception("running statistics used in training", _bn(used="old"), "In training the batch is normalised by its OWN mean and variance. The running ones are only collected, for later.", (_bn(used="new"),)),
        Misconception("batch statistics at test time", _bn(evaluation="batch"), "In evaluation you still normalise by the statistics of the given rows, so a prediction depends on its neighbours, and a single row becomes beta. Use what was collected in training.", (_bn(evaluation="batch", ddof=0), *(_bn(evaluation="as in training", ddof=k) for k in (0, 1, 2)))),
        Misconception("running statistics updated in evaluation", _bn(evaluation="updated after"), "The state moves in evaluation: whoever looks at the test set changes the model. In evaluation both running arrays come back as they went in.", (*(_bn(evaluation="updated after", ddof=k) for k in (0, 2)), *(_bn(evaluation="updated before", ddof=k) for k in (0, 1, 2)))),
        Misconception("momentum swapped", _bn(new=_swapped), "Here momentum is the share of the NEW batch, as in PyTorch. Yours is the share of the old value, which is TensorFlow's meaning of the word: read the docstring's line on momentum."),
        Misconception("momentum swapped, biased variance stored", _bn(new=_swapped, ddof=0), "These are TensorFlow's conventions, both of them: momentum as the share of the OLD value, and a stored variance that divides by N. The docstring asks for PyTorch's."),
        Misconception("biased variance stored", _bn(ddof=0), "The output is right, and so is the running mean. The stored variance is not the one that normalised this batch: it estimates the variance of all data from N examples, so it divides by something else. Look at Returns."),
        Misconception("N/(N − 1) upside down", _bn(upside_down=True), "The stored variance became smaller than the batch's. Its estimate for all data divides by FEWER than N, so it is larger: turn the factor over."),
        Misconception("mean and variance swapped", lambda *args, **options: tuple(_bn()(*args, **options)[i] for i in (0, 2, 1)), "The two running arrays come back in the wrong order: mean first, then variance."),
        Misconception("momentum not taken from the call", _bn(new=lambda old, now, m: 0.9 * old + 0.1 * now), "You use 0.1 whatever momentum is given: the default is only a default."),
        Misconception("running statistics replaced", _bn(new=lambda old, now, m: now + 0 * old), "You store this batch's statistics as they are. They are averaged into the old ones: momentum says with which share."),
        Misconception("running statistics not averaged", _bn(new=lambda old, now, m: old + m * now), "You add the new share without taking it from the old: the two shares must sum to 1, or the running values grow for ever."),
        Misconception("running statistics do not move", _bn(new=lambda old, now, m: old), "In training you return the running arrays as they came. They must take in a share of this batch, or evaluation will normalise by their first values for ever."),
        Misconception("deviation stored", _bn(stored=lambda var, eps: np.sqrt(var), eval_divisor=lambda var, eps: var + eps), "You store a deviation. The state holds the VARIANCE (running_var): the root is taken when it is used.", (_bn(stored=lambda var, eps: np.sqrt(var)), _bn(stored=lambda var, eps: np.sqrt(var + eps)))),
        Misconception("ε stored too", _bn(stored=lambda var, eps: var + eps), "The stored variance is too large by eps: it is added where the root is taken, each time, and never stored."),
        Misconception("running variance taken for a deviation", _bn(eval_divisor=DIVISORS["no root"]), "In evaluation you divide by the running variance itself. The formula is the one of training, root and eps included, with other statistics."),
    ),
    hints=(
        "Which numbers share a mean? All examples of ONE feature: statistics of shape (D,). Then two questions: which statistics normalise in each mode, and which variance is stored?",
        "Training: mean and variance over axis 0 (dividing by N) normalise x; the running arrays become (1 − momentum) · old + momentum · new, with N/(N − 1) times the variance. Evaluation: the running arrays normalise and come back as they are.",
        "x_hat = (x - mean) / np.sqrt(var + eps), then gamma * x_hat + beta. In training mean, var = x.mean(axis=0), x.var(axis=0), and x.var(axis=0, ddof=1) goes into the running variance; otherwise mean, var = running_mean, running_var.",
    ),
    minutes=25,
    difficulty=3,
)


# ---- layer_norm
def _layer_norm_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    p, q = _scale_and_shift(rng, d), _scale_and_shift(rng, 4)
    constant = _shifted(rng, 3, 2)
    constant[:2] = [[0.1, 0.1], [-7.0, -7.0]]
    return [
        case("a batch of rows, N ≠ D", _shifted(rng, n, d), *p),
        case("one row, 1-D, eps = 0.5", _shifted(rng, d), *p, 0.5),
        case("two leading axes, T ≠ D", _shifted(rng, 2, 3, 4), *q),
        case("N = D", _shifted(rng, d, d), *p),
        edge("mean 1e4", _beside_1e4(rng, 3, 4), *q, 1e-9, tolerance=LARGE_MEAN),
        edge("a constant row", constant, *_scale_and_shift(rng, 2)),
        edge("integers, N = 1", rng.integers(-4, 5, size=(1, d)) + 2 * np.arange(d), *p, trap="N = 1"),
    ]


def _ln(*, moments: Callable[[ndarray], tuple[ndarray, ndarray]] = lambda x: _moments(x, -1), divisor: Callable = _inside, affine: Callable = _x_hat_first, center: bool = True) -> Wrong:
    def wrong(x, gamma, beta, eps=1e-5):
        mean, var = moments(np.asarray(x, dtype=float))
        return affine((x - mean if center else x) / divisor(var, eps), gamma, beta)

    return wrong


def _but_first(x: ndarray) -> tuple[ndarray, ndarray]:
    return _moments(x, tuple(range(1, x.ndim)) if x.ndim > 1 else 0)


def _but_last(x: ndarray) -> tuple[ndarray, ndarray]:
    return _moments(x, tuple(range(x.ndim - 1)) if x.ndim > 1 else 0)


layer_norm = Exercise(
    reference=lib.layer_norm,
    tiers=values_and_edge(4, 2),
    cases=_layer_norm_cases,
    traps=("mean 1e4", "a constant row", "N = 1"),
    misconceptions=(
        Misconception("normalised over the batch", _ln(moments=lambda x: _moments(x, 0)), "Your statistics run over the examples: that is batch norm. In layer norm a row looks at nobody but itself: along which axis do the features of one row lie?", (_ln(moments=_but_last),)),
        Misconception("T and D together", _ln(moments=_but_first), "For (N, D) you are right. With (N, T, D) you take one mean over T and D together: each of the N·T rows has its own, over the LAST axis only."),
        Misconception("one mean for all", _ln(moments=_over_all), "You take one mean and one variance of the whole array. Every row has its own: keep the last axis when you average, so that the subtraction broadcasts."),
        Misconception("axis 1 in place of the last", _ln(moments=lambda x: _moments(x, min(1, x.ndim - 1))), "For (N, D) you are right. With (N, T, D) axis 1 is not the last one: name the axis by its distance from the end."),
        Misconception("axes after the last lost", _ln(moments=lambda x: (x.mean(axis=-1), x.var(axis=-1))), "mean(axis=-1) loses the axis it averages over, so (N, D) minus (N,) does not fit, or pairs the wrong numbers where N = D: keepdims=True keeps it as a 1."),
        Misconception("D − 1 in the variance", _ln(moments=lambda x: _moments(x, -1, 1)), "Your variance divides by D − 1 (ddof=1, or the default of another library). These are all the features there are, not a sample of them: divide by D."),
        Misconception("E[x²] − E[x]²", _ln(moments=lambda x: _moments(x, -1, difference=True)), "The mean of the squares less the square of the mean is right on paper. Beside a mean of 1e4 both are 1e8, and their difference is lost to rounding: subtract the mean first, square afterwards."),
        Misconception("ε outside the root", _ln(divisor=DIVISORS["outside"]), "You add eps to the deviation. It is added to the VARIANCE: look once more at what the root covers."),
        Misconception("D − 1, and ε outside the root", _ln(moments=lambda x: _moments(x, -1, 1), divisor=DIVISORS["outside"]), "Two things at once, often copied together from PyTorch code: the variance here divides by D (ddof=0), and eps is added to it, under the root, not to the deviation."),
        Misconception("root taken twice", _ln(divisor=DIVISORS["twice"]), "You take the root of a deviation, which is one already: start from the variance."),
        Misconception("ε left out", _ln(divisor=DIVISORS["left out"]), "eps takes no part in your result. A constant row has variance 0, and 0/0 is nan: where does the formula put eps?"),
        Misconception("ε not taken from the call", _ln(divisor=DIVISORS["fixed"]), "You use 1e-5 whatever eps is given: the default is only a default."),
        Misconception("no root", _ln(divisor=DIVISORS["no root"]), "You divide by the variance. Its unit is the square of x's: which of its relatives has the unit of x?"),
        Misconception("mean not subtracted", _ln(center=False), "You divide by the deviation without taking the mean away first: a constant row must become beta, and yours does not."),
        Misconception("root mean square", _ln(moments=lambda x: (0.0, (x * x).mean(axis=-1, keepdims=True))), "You divide by the root of the mean SQUARE and subtract no mean: that is RMSNorm, a simpler relative (Zhang and Sennrich 2019). Layer norm subtracts the row's mean first."),
        Misconception("variance not about the mean", _ln(moments=lambda x: (x.mean(axis=-1, keepdims=True), (x * x).mean(axis=-1, keepdims=True))), "You subtract the mean above the line, but below it you average the squares of x itself: the variance is about the mean."),
        Misconception("β scaled too", _ln(affine=lambda x_hat, gamma, beta: gamma * (x_hat + beta)), "You shift first and scale afterwards, so beta is multiplied by gamma. First the scale, then the shift."),
        Misconception("γ and β left out", _ln(affine=lambda x_hat, gamma, beta: x_hat), "You return the normalised values: scale and shift, one pair for each feature, are missing.", (_ln(affine=lambda x_hat, gamma, beta: gamma * x_hat), _ln(affine=lambda x_hat, gamma, beta: x_hat + beta))),
        Misconception("γ and β swapped", _ln(affine=lambda x_hat, gamma, beta: beta * x_hat + gamma), "gamma scales and beta shifts; you have them the other way round."),
    ),
    hints=(
        "The formula is batch norm's. Only the set of numbers that share a mean is another one: the features of one row.",
        "Mean and variance (divided by D) along the last axis, with keepdims=True, so that (..., 1) fits (..., D); then scale and shift by feature.",
        "mean = x.mean(axis=-1, keepdims=True); var = x.var(axis=-1, keepdims=True); gamma * (x - mean) / np.sqrt(var + eps) + beta.",
    ),
    minutes=12,
    difficulty=2,
)


# ---- batch_norm_images (extension)
def _images_cases(rng: Generator) -> list[Case]:
    h, w = (int(v) for v in rng.permutation([1, 3]))

    def one(*shape: int) -> tuple[ndarray, ndarray, ndarray]:
        offsets = rng.normal(scale=3, size=(1, shape[1], 1, 1)) + rng.normal(size=(shape[0], 1, 1, 1))
        return (np.round(rng.normal(size=shape) + offsets, 2), *_scale_and_shift(rng, shape[1]))

    large, gamma, beta = one(2, 2, 1, 2)
    large = np.moveaxis(_beside_1e4(rng, 2, 4).reshape(2, 2, 1, 2), 0, 1)
    flat, flat_gamma, flat_beta = one(2, 2, 1, 3)
    flat[:, 0] = 0.1
    return [
        case("N, C, H, W all different", *one(2, 4, h, w)),
        case("C = W, so that a wrong axis fits too, eps = 0.5", *one(3, 2, 1, 2), 0.5),
        edge("mean 1e4", large, gamma, beta, 1e-9, tolerance=LARGE_MEAN),
        edge("a constant channel", flat, flat_gamma, flat_beta),
        edge("N = 1: a channel has pixels enough", *one(1, 3, 2, 2)),
        edge("one pixel, H = W = 1: plain batch norm", *one(4, 2, 1, 1)),
    ]


def _bni(axis: Any = (0, 2, 3), *, ddof: int = 0, difference: bool = False, divisor: Callable = _inside, place: Callable = lambda p: p[:, None, None], affine: Callable = _x_hat_first) -> Wrong:
    def wrong(x, gamma, beta, eps=1e-5):
        mean, var = _moments(x, axis, ddof, difference)
        return affine((x - mean) / divisor(var, eps), place(gamma), place(beta))

    return wrong


def _rows_to_images(rows: ndarray, gamma: ndarray, beta: ndarray, eps: float) -> ndarray:
    mean, var = _moments(rows)
    return gamma * (rows - mean) / np.sqrt(var + eps) + beta


batch_norm_images = Exercise(
    reference=lib.batch_norm_images,
    tiers=values_and_edge(1, 1),
    cases=_images_cases,
    extension=True,
    traps=("mean 1e4", "a constant channel"),
    misconceptions=(
        Misconception("a mean per pixel", _bni(0), "Every pixel of every channel has a mean of its own in your version. The same filter made the whole map, so a channel is ONE feature: which axes besides the batch belong to it?"),
        Misconception("a mean per image and channel", _bni((2, 3)), "Each image is normalised on its own: that is instance norm. Batch norm lets all images of the batch share the statistics of a channel."),
        Misconception("a mean per image", _bni((1, 2, 3)), "You normalise each image over all its channels: that is layer norm. Batch norm keeps the channels apart and takes the images together."),
        Misconception("one mean for all", _bni(None), "One mean for the whole array mixes the channels. Each channel has its own, C of them."),
        Misconception("the channel axis averaged away", _bni((0, 1)), "You average over the channels: axis 1 is the one that must stay.", (_bni(1),)),
        Misconception("reshaped across the axes", lambda x, gamma, beta, eps=1e-5: _rows_to_images(x.reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape), "reshape(-1, C) cuts the numbers as they lie in memory, where the channel is not the last axis, so each of your columns holds a mixture. Move the channel axis to the end first, and back afterwards.", (lambda x, gamma, beta, eps=1e-5: _rows_to_images(np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape),)),
        Misconception("γ on the last axis", _bni(place=lambda p: p), "gamma and beta meet the LAST axis of x, the width of the map, and do not fit unless it equals C. Give them axes, so that they stand at axis 1.", (_bni(place=lambda p: p[:, None]),)),
        Misconception("n − 1 in the variance", _bni(ddof=1), "Your variance divides by one less than the number of values. It normalises the very values it was computed from: divide by N·H·W."),
        Misconception("E[x²] − E[x]²", _bni(difference=True), "The mean of the squares less the square of the mean loses everything beside a mean of 1e4: subtract the mean first, square afterwards."),
        Misconception("ε outside the root", _bni(divisor=DIVISORS["outside"]), "You add eps to the deviation. It is added to the VARIANCE, under the root."),
        Misconception("ε left out", _bni(divisor=DIVISORS["left out"]), "A channel that is constant has variance 0, and 0/0 is nan: eps is missing."),
        Misconception("ε not taken from the call", _bni(divisor=DIVISORS["fixed"]), "You use 1e-5 whatever eps is given: the default is only a default."),
        Misconception("no root", _bni(divisor=DIVISORS["no root"]), "You divide by the variance: its root has the unit of x."),
        Misconception("γ and β left out", _bni(affine=lambda x_hat, gamma, beta: x_hat), "You return the normalised values: each channel's scale and shift are missing."),
    ),
    hints=(
        "A convolution treats every place alike, so the N·H·W values of one channel are N·H·W examples of one feature.",
        "Mean and variance over three of the four axes, with keepdims; gamma and beta must stand at axis 1.",
        "axis=(0, 2, 3), keepdims=True for both statistics; gamma[:, None, None] and beta[:, None, None].",
    ),
    minutes=10,
    difficulty=2,
)


# ---- normalize_backward
def _normalized(rng: Generator, *shape: int) -> tuple[ndarray, ndarray]:
    """x_hat and std of some x, eps = 0; the deviations of the rows differ."""
    x = (_shifted(rng, *shape) + rng.uniform(0, 0.01, size=shape)) * rng.uniform(0.4, 4, size=(*shape[:-1], 1))
    std = x.std(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / std, std


def _dy(rng: Generator, *shape: int) -> ndarray:
    """Upstream gradients whose mean is not 0, along any axis."""
    return np.round(rng.normal(size=shape) + rng.choice([-1.0, 1.0]), 2)


def _normalize_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    x_hat, std = _normalized(rng, 3, d)
    directions = np.stack([np.full(d, 1.5), 2.0 * x_hat[1], _dy(rng, d)])
    tiny_x_hat, tiny = _normalized(rng, 2, d)
    return [
        case("a batch of rows, N ≠ D", _dy(rng, n, d), *_normalized(rng, n, d)),
        case("one row, 1-D", _dy(rng, 4), *_normalized(rng, 4)),
        case("N = D", _dy(rng, 3, 3), *_normalized(rng, 3, 3)),
        case("two leading axes, T ≠ D", _dy(rng, 2, 2, 3), *_normalized(rng, 2, 2, 3)),
        edge("dx_hat constant in one row, along x_hat in another", directions, x_hat, std),
        edge("D = 2: the values are ±1, and no gradient is left", _dy(rng, 3, 2), *_normalized(rng, 3, 2), tolerance=NOTHING_LEFT),
        edge("a deviation of 1e-4", _dy(rng, 2, d), tiny_x_hat, 1e-4 * tiny),
    ]


def _nb(form: Callable[[ndarray, ndarray, Callable], ndarray], average: Callable = lambda a: a.mean(axis=-1, keepdims=True), power: float = 1) -> Wrong:
    """form gets dx_hat, x_hat and how to average."""
    return lambda dx_hat, x_hat, std: form(dx_hat, x_hat, average) / std**power


def _three_paths(g: ndarray, h: ndarray, average: Callable) -> ndarray:
    return g - average(g) - h * average(g * h)


def _last(a: ndarray) -> ndarray:
    return a.mean(axis=-1, keepdims=True)


normalize_backward = Exercise(
    reference=lib.normalize_backward,
    tiers=values_and_edge(6, 3),
    cases=_normalize_cases,
    traps=("dx_hat constant in one row, along x_hat in another", "D = 2: the values are ±1, and no gradient is left"),
    misconceptions=(
        Misconception("μ and σ taken as constants", _nb(lambda g, h, average: g), "You treat mean and std as constants. Both are made from x: moving one entry moves them, and through them every other entry of the row. Two more paths are missing."),
        Misconception("σ taken as a constant", _nb(lambda g, h, average: g - average(g)), "The path through the mean is there, the path through std is not: std depends on every entry of x too."),
        Misconception("μ taken as a constant", _nb(lambda g, h, average: g - h * average(g * h)), "The path through std is there, the path through the mean is not. Test: adding a constant to a row changes nothing, so each row of dx must sum to 0."),
        Misconception("sums in place of means", _nb(_three_paths, lambda a: a.sum(axis=-1, keepdims=True)), "You sum where 1/D is due: one entry moves the mean by 1/D of its own step, and std by about as little. Write dmean/dx_j once more.", (_nb(lambda g, h, average: g - g.sum(-1, keepdims=True) - h * average(g * h)), _nb(lambda g, h, average: g - average(g) - h * (g * h).sum(-1, keepdims=True)))),
        Misconception("averaged over the batch", _nb(_three_paths, lambda a: a.mean(axis=0, keepdims=True)), "Your means run down the batch. Here each row was normalised on its own: the means run along the last axis."),
        Misconception("axis 1 in place of the last", _nb(_three_paths, lambda a: a.mean(axis=1, keepdims=True)), "For (N, D) you are right, but a single row has no axis 1, and with (N, T, D) axis 1 is not the last: name the axis by its distance from the end."),
        Misconception("keepdims forgotten", _nb(_three_paths, lambda a: a.mean(axis=-1)), "mean(axis=-1) loses the axis it averages over, so (N, D) minus (N,) does not fit, or pairs the wrong numbers where N = D: keepdims=True keeps it as a 1.", (_nb(lambda g, h, average: g - average(g) - h * (g * h).mean(axis=-1)), _nb(lambda g, h, average: g - g.mean(axis=-1) - h * average(g * h)))),
        Misconception("averaged over everything", _nb(_three_paths, lambda a: a.mean()), "Your means run over the whole array, so the rows influence each other. Each row was normalised on its own: last axis, keepdims=True.", (_nb(_three_paths, lambda a: a.mean(axis=tuple(range(1, a.ndim)) if a.ndim > 1 else None, keepdims=True)),)),
        Misconception("not divided by std", _nb(_three_paths, power=0), "The two corrections are right. But x_hat changes by 1/std of what x changes: that factor is missing."),
        Misconception("divided by the variance", _nb(_three_paths, power=2), "Everything is too small by std: one division too many (the second term of the derivation has std twice below the line, but x − mean brings one of them back)."),
        Misconception("std in the last term", lambda g, h, std: (g - _last(g) - h * _last(g * h) / std) / std, "Only the last term is off, by a factor of std. x_i − mean is std times x_hat, and this std cancels one of the two below the line; the other stays for all three terms together.", (lambda g, h, std: (g - _last(g) - h * std * _last(g * h)) / std, lambda g, h, std: (g - _last(g) - h * std**2 * _last(g * h)) / std)),
        Misconception("D times too large", lambda g, h, std: g.shape[-1] * _nb(_three_paths)(g, h, std), "Everything is D times too large: the form with two sums has a 1/D in front of the bracket."),
        Misconception("1/D too many", lambda g, h, std: _nb(_three_paths)(g, h, std) / g.shape[-1], "Everything is D times too small: the two means have their 1/D already, and the direct path has none."),
        Misconception("multiplied by std", _nb(_three_paths, power=-1), "You multiply by std. The larger the deviation, the less x_hat moves when x moves: divide."),
        Misconception("x̂ lost in the last term", _nb(lambda g, h, average: g - average(g) - average(g * h)), "The path through std carries the entry's own x_hat: how much std moves depends on where in the row you push."),
        Misconception("dx_hat lost in the last term", _nb(lambda g, h, average: g - average(g) - h * average(h * h)), "The path through std averages dx_hat TIMES x_hat over the row. Yours does not depend on dx_hat."),
        Misconception("projected with the wrong vector", _nb(lambda g, h, average: g - average(g) - g * average(g * h)), "The last term is a multiple of x_hat, not of dx_hat: it comes from dstd/dx_j, and std knows nothing of dx_hat."),
        Misconception("corrections added", _nb(lambda g, h, average: g + average(g) + h * average(g * h)), "The corrections have the wrong sign. Moving an entry up moves the mean up, so every x_hat goes DOWN a little.", (_nb(lambda g, h, average: g - average(g) + h * average(g * h)), _nb(lambda g, h, average: g + average(g) - h * average(g * h)))),
        Misconception("all three with the other sign", _nb(lambda g, h, average: -_three_paths(g, h, average)), "Everything has the opposite sign: x_hat grows with its own x."),
        Misconception("½ of the root lost", _nb(lambda g, h, average: g - average(g) - 2 * h * average(g * h)), "The last term is twice too large. Differentiate std² first: the 2 of the square and the 2 of d(std²) = 2 std dstd cancel."),
        Misconception("½ too many", _nb(lambda g, h, average: g - average(g) - 0.5 * h * average(g * h)), "The last term is half of what it should be. Differentiate std² first: the 2 of the square and the 2 of d(std²) = 2 std dstd cancel."),
        Misconception("D − 1", _nb(_three_paths, lambda a: a.sum(axis=-1, keepdims=True) / (a.shape[-1] - 1)), "You divide by D − 1. Mean and std of this exercise divide by D, so their derivatives do too.", (_nb(lambda g, h, average: g - average(g) - h * (g * h).sum(axis=-1, keepdims=True) / (g.shape[-1] - 1)),)),
    ),
    hints=(
        "x_j reaches the loss by three paths: directly through x_hat_j, and through the mean and the std, which touch every entry of the row. Differentiate std² rather than std.",
        "dmean/dx_j = 1/D and dstd/dx_j = x_hat_j / D. So dx_hat_i/dx_j = ([i = j] − 1/D − x_hat_i x_hat_j / D) / std; multiply by dx_hat_i and sum over i.",
        "dx_hat less its mean, less x_hat times the mean of (dx_hat * x_hat), all divided by std; both means along the last axis with keepdims=True.",
    ),
    minutes=30,
    difficulty=4,
)


# ---- batch_norm_backward and layer_norm_backward
PARAMETERS_THEN_X = (Tier("parameters", "gradients of gamma and beta", 2), Tier("values", "gradient of x", 4))


def _bn_backward_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    gamma, two = _scale_and_shift(rng, d)[0], _scale_and_shift(rng, 2)[0]
    x, dy = _shifted(rng, n, d), _dy(rng, n, d)
    constant = np.column_stack([np.full(3, 0.1), _shifted(rng, 3, 1)])
    return [
        case("dgamma and dbeta", dy, x, gamma, tier="parameters", parts=(1, 2)),
        case("dgamma and dbeta, N = D, eps = 0.5", _dy(rng, 3, 3), _shifted(rng, 3, 3), _scale_and_shift(rng, 3)[0], 0.5, tier="parameters", parts=(1, 2)),
        case("dx, N ≠ D", dy, x, gamma, parts=(0,)),
        case("dx, N = D", _dy(rng, 3, 3), _shifted(rng, 3, 3), _scale_and_shift(rng, 3)[0], parts=(0,)),
        case("dx, eps = 0.5", _dy(rng, 3, 2), _shifted(rng, 3, 2), two, 0.5, parts=(0,)),
        edge("mean 1e4", _dy(rng, 4, 2), _beside_1e4(rng, 2, 4).T, two, 1e-9, tolerance=LARGE_MEAN, parts=(0,)),
        edge("a constant column", _dy(rng, 3, 2), constant, two, parts=(0,)),
        edge("N = 2", _dy(rng, 2, 3), _shifted(rng, 2, 3), _scale_and_shift(rng, 3)[0], 0.1, parts=(0,)),
    ]


def _ln_backward_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    gamma, two = _scale_and_shift(rng, d)[0], _scale_and_shift(rng, 2)[0]
    x, dy = _shifted(rng, n, d), _dy(rng, n, d)
    constant = _shifted(rng, 3, 2)
    constant[:2] = [[0.1, 0.1], [-7.0, -7.0]]
    sequence, dsequence, third = _shifted(rng, 2, 2, 3), _dy(rng, 2, 2, 3), _scale_and_shift(rng, 3)[0]
    return [
        case("dgamma and dbeta", dy, x, gamma, tier="parameters", parts=(1, 2)),
        case("dgamma and dbeta, two leading axes, eps = 0.5", dsequence, sequence, third, 0.5, tier="parameters", parts=(1, 2)),
        case("dgamma and dbeta, one row, 1-D", _dy(rng, d), _shifted(rng, d), gamma, tier="parameters", parts=(1, 2)),
        case("dx, N ≠ D", dy, x, gamma, parts=(0,)),
        case("dx, N = D", _dy(rng, 3, 3), _shifted(rng, 3, 3), third, parts=(0,)),
        case("dx, two leading axes, eps = 0.5", dsequence, sequence, third, 0.5, parts=(0,)),
        edge("mean 1e4", _dy(rng, 2, 4), _beside_1e4(rng, 2, 4), _scale_and_shift(rng, 4)[0], 1e-9, tolerance=LARGE_MEAN, parts=(0,)),
        edge("a constant row", _dy(rng, 3, 2), constant, two, parts=(0,)),
        edge("one row, 1-D", _dy(rng, d), _shifted(rng, d), gamma, parts=(0,)),
    ]


def _backward(
    own: Any, *, axis: Any = None, ddof: int = 0, difference: bool = False, divisor: Callable = _inside, form: Callable = _three_paths, scale: str = "before",
    dgamma: Callable = lambda dy, x, h, gamma: dy * h, dbeta: Callable = lambda dy, gamma: dy, over: Callable = lambda a: a.sum(axis=tuple(range(a.ndim - 1))), order: tuple[int, int, int] = (0, 1, 2),
) -> Wrong:  # fmt: skip
    """A backward with one thing changed. own: the right axis of the statistics; scale: gamma before the means, after them, twice, or left out.

    dgamma and dbeta give one entry for each of dy's; `over` makes them (D,).
    """
    axis = own if axis is None else axis

    def wrong(dy, x, gamma, eps=1e-5):
        along = axis(x) if callable(axis) else axis
        mean, var = _moments(np.asarray(x, dtype=float), along, ddof, difference)
        s = divisor(var, eps)
        h = (x - mean) / s
        dx = form(dy * gamma if scale in ("before", "twice") else dy, h, lambda a: a.mean(axis=along, keepdims=True)) / s
        dx = dx * gamma if scale in ("after", "twice") else dx
        results = dx, over(dgamma(dy, x, h, gamma)), over(dbeta(dy, gamma))
        return tuple(results[i] for i in order)

    return wrong


def _mean_leading(a: ndarray) -> ndarray:
    return a.mean(axis=tuple(range(a.ndim - 1)))


def _of_backwards(own: Any, count: str) -> tuple[Misconception, ...]:
    """Mistakes that both backwards can have; count: what the statistics divide by."""
    return (
        Misconception("μ and σ taken as constants", _backward(own, form=lambda g, h, average: g), "You divide by std as if mean and std were numbers. Both are made from x, so x has two more paths to the loss: normalize_backward has all three."),
        Misconception("σ taken as a constant", _backward(own, form=lambda g, h, average: g - average(g)), "The path through the mean is there, the path through the variance is not."),
        Misconception("μ taken as a constant", _backward(own, form=lambda g, h, average: g - h * average(g * h)), "The path through the variance is there, the path through the mean is not: adding a constant to all values that share a mean changes nothing, so their dx must sum to 0."),
        Misconception("γ left out", _backward(own, scale="left out"), "dx does not contain gamma. y is gamma times x_hat: what does that make of the gradient on its way back to x_hat?"),
        Misconception("dgamma and dbeta swapped", _backward(own, order=(0, 2, 1)), "dgamma and dbeta have changed places: they come back in the order dx, dgamma, dbeta."),
        Misconception("dgamma from x", _backward(own, dgamma=lambda dy, x, h, gamma: dy * x), "gamma multiplies the NORMALISED values: dgamma meets x_hat, not x."),
        Misconception("dgamma without x̂", _backward(own, dgamma=lambda dy, x, h, gamma: dy), "Your dgamma is dbeta. gamma multiplies something before beta is added: that factor belongs into its gradient."),
        Misconception("dgamma with γ", _backward(own, dgamma=lambda dy, x, h, gamma: dy * gamma * h), "y is linear in gamma, so gamma itself does not occur in its own gradient: use dy there, and dy · gamma for dx only.", (_backward(own, dgamma=lambda dy, x, h, gamma: dy * gamma * h, dbeta=lambda dy, gamma: dy * gamma),)),
        Misconception("γ twice", _backward(own, scale="twice"), "gamma occurs twice in dx: once is right, on the way from y to x_hat."),
        Misconception("dbeta with γ", _backward(own, dbeta=lambda dy, gamma: dy * gamma), "beta is added after the scaling: gamma does not occur in its gradient."),
        Misconception("averaged over the batch", _backward(own, over=_mean_leading), "dgamma and dbeta are averaged over the examples. Each example's share adds up: dy already carries the 1/N of the loss, if there is one."),
        Misconception("not summed over the batch", _backward(own, over=lambda a: a), "gamma and beta have one entry per feature, used by every example: their gradients are summed over the examples, shape (D,)."),
        Misconception("ε left out", _backward(own, divisor=DIVISORS["left out"]), "eps is missing from your std. It must be the forward's own, or values that do not vary divide by 0."),
        Misconception("ε outside the root", _backward(own, divisor=DIVISORS["outside"]), "You add eps to the deviation. The forward adds it to the variance, under the root, and so must its backward."),
        Misconception("ε not taken from the call", _backward(own, divisor=DIVISORS["fixed"]), "You use 1e-5 whatever eps is given: the backward must use the forward's."),
        Misconception("n − 1 in the variance", _backward(own, ddof=1), f"Your variance divides by one less than the number of values. The forward normalises by the one that divides by {count}.", (_backward(own, ddof=1, form=lambda g, h, average: g - average(g) - h * average(g * h) * g.size / (g.size - average(g).size)),)),
        Misconception("E[x²] − E[x]²", _backward(own, difference=True), "The mean of the squares less the square of the mean loses everything beside a mean of 1e4: subtract the mean first, square afterwards."),
        Misconception("½ of the root lost", _backward(own, form=lambda g, h, average: g - average(g) - 2 * h * average(g * h)), "The path through the variance counts twice in your dx: the root brings a ½ that cancels the 2 of the square."),
        Misconception("sums in place of means", _backward(own, form=lambda g, h, average: g - average(g) * (g.size / average(g).size) - h * average(g * h) * (g.size / average(g).size)), f"Two sums in your dx should be means: the 1/{count} of mean and variance is lost.", (_backward(own, form=lambda g, h, average: g - average(g) * (g.size / average(g).size) - h * average(g * h)), _backward(own, form=lambda g, h, average: g - average(g) - h * average(g * h) * (g.size / average(g).size)))),
    )


_BN_AXIS, _LN_AXIS = 0, -1

batch_norm_backward = Exercise(
    reference=lib.batch_norm_backward,
    tiers=(*PARAMETERS_THEN_X, Tier("edge", "edge cases", 3, needs=("values",))),
    cases=_bn_backward_cases,
    returns=("dx", "dgamma", "dbeta"),
    traps=("mean 1e4", "a constant column", "N = 2"),
    misconceptions=(
        Misconception("not transposed", _backward(_BN_AXIS, form=lambda g, h, average: _three_paths(g, h, _last)), "x_hat and std are right. normalize_backward averages along the LAST axis, and here the values that share a mean lie along the first: hand it the transposes."),
        Misconception("summed over the features", _backward(_BN_AXIS, over=lambda a: a.sum(axis=1)), "dgamma and dbeta are summed along the features. gamma has one entry per FEATURE, used by every example: sum over the examples."),
        Misconception("normalised over the features", _backward(_BN_AXIS, axis=-1), "Your statistics run along the features of a row. Batch norm shares a mean among the examples of one feature: transpose before you call normalize_backward, and back afterwards.", (_backward(_BN_AXIS, axis=lambda x: None),)),
        *_of_backwards(_BN_AXIS, "N"),
    ),
    hints=(
        "Three gradients: beta is added, gamma multiplies x_hat, and dx comes through x_hat. For the third you have a function already; only its axis is another.",
        "dx_hat = dy · gamma; normalize_backward works along the LAST axis, and here the values that share a mean lie along the first: hand it the transposes. dgamma = Σ_n dy x_hat, dbeta = Σ_n dy.",
        "std = np.sqrt(x.var(axis=0) + eps); x_hat = (x - x.mean(axis=0)) / std; dx = normalize_backward((dy * gamma).T, x_hat.T, std[:, None]).T; then (dy * x_hat).sum(axis=0) and dy.sum(axis=0).",
    ),
    minutes=25,
    difficulty=4,
)

layer_norm_backward = Exercise(
    reference=lib.layer_norm_backward,
    tiers=(*PARAMETERS_THEN_X, Tier("edge", "edge cases", 2, needs=("values",))),
    cases=_ln_backward_cases,
    returns=("dx", "dgamma", "dbeta"),
    equivalent_mutants=(("1 → 2", "NumPy finds the size that is given as -2 in reshape as well"),),
    traps=("mean 1e4", "a constant row"),
    misconceptions=(
        Misconception("γ outside the means", _backward(_LN_AXIS, scale="after"), "You multiply by gamma at the end. In batch norm that is the same; here the means run over the features, each with a gamma of its own, so gamma must be in before they are taken."),
        Misconception("normalised over the batch", _backward(_LN_AXIS, axis=0), "Your statistics run over the examples, as in batch norm. Layer norm's run along the last axis, row by row."),
        Misconception("T and D together", _backward(_LN_AXIS, axis=lambda x: tuple(range(1, x.ndim)) if x.ndim > 1 else 0), "For (N, D) you are right. With (N, T, D) each of the N·T rows has its own mean and std, over the last axis only.", (_backward(_LN_AXIS, axis=lambda x: None),)),
        Misconception("summed over axis 0 only", _backward(_LN_AXIS, over=lambda a: a.sum(axis=0)), "With (N, T, D) your dgamma and dbeta keep an axis too many, and with a single row they lose the only one. One gamma serves every row: sum over ALL axes but the last."),
        Misconception("summed over the features", _backward(_LN_AXIS, over=lambda a: a.sum(axis=-1)), "dgamma and dbeta are summed along the features. The statistics run along that axis, but gamma has one entry per FEATURE: sum over all the others.", (_backward(_LN_AXIS, over=lambda a: a.sum(axis=-1, keepdims=True)),)),
        *_of_backwards(_LN_AXIS, "D"),
    ),
    hints=(
        "The same three gradients as before. Now rows are normalised, so nothing needs to be transposed; but gamma differs along the axis of the means.",
        "dx_hat = dy · gamma goes into normalize_backward, with std of shape (..., 1). dgamma and dbeta are sums over every axis but the last.",
        "std = np.sqrt(x.var(axis=-1, keepdims=True) + eps); x_hat = (x - mean) / std; normalize_backward(dy * gamma, x_hat, std); leading = tuple(range(x.ndim - 1)) for the two sums.",
    ),
    minutes=20,
    difficulty=3,
)


# ---- fold_batch_norm
def _fold_cases(rng: Generator) -> list[Case]:
    d, m = _sizes(rng)

    def one(d: int, m: int) -> tuple[ndarray, ...]:
        return np.round(rng.normal(size=(d, m)), 2), np.round(rng.normal(scale=2, size=m), 2), *_scale_and_shift(rng, m), *_running(rng, m)

    W, b, gamma, beta, mean, var = one(d, 3)
    gamma[0], var[1] = 0.0, 0.0
    return [
        case("D ≠ M", *one(d, m)),
        case("D = M", *one(3, 3)),
        case("eps = 0.5", *one(2, 3), 0.5),
        edge("a scale of 0 and a variance of 0", W, b, gamma, beta, mean, var),
        edge("integers", rng.integers(-3, 4, size=(2, 3)), *(rng.integers(1, 6, size=3) for _ in range(5))),
        edge("D = 1, M = 1", *one(1, 1)),
    ]


def _fold(scale: Callable = lambda gamma, var, eps: gamma / np.sqrt(var + eps), weight: Callable = lambda W, s: W * s, bias: Callable = lambda b, mean, s, beta: (b - mean) * s + beta) -> Wrong:
    def wrong(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
        s = scale(gamma, running_var, eps)
        return weight(W, s), bias(b, running_mean, s, beta)

    return wrong


fold_batch_norm = Exercise(
    reference=lib.fold_batch_norm,
    tiers=values_and_edge(3, 2),
    cases=_fold_cases,
    returns=("W", "b"),
    traps=("a scale of 0 and a variance of 0",),
    misconceptions=(
        Misconception("b not scaled", _fold(bias=lambda b, mean, s, beta: b - mean * s + beta), "W is right. The old bias is part of what is normalised: it is scaled like everything else that comes before the norm.", (_fold(bias=lambda b, mean, s, beta: b - mean + beta),)),
        Misconception("running mean not scaled", _fold(bias=lambda b, mean, s, beta: b * s - mean + beta), "W is right. The mean is subtracted BEFORE the division by the deviation, so it is scaled too."),
        Misconception("running mean left out", _fold(bias=lambda b, mean, s, beta: b * s + beta), "W is right, but the running mean does not occur in your bias. Put x @ W + b into the norm's formula and expand."),
        Misconception("running mean added", _fold(bias=lambda b, mean, s, beta: (b + mean) * s + beta), "W is right. The running mean has the wrong sign in your bias: batch norm takes it away."),
        Misconception("β left out", _fold(bias=lambda b, mean, s, beta: (b - mean) * s), "W is right. The norm's own shift is missing from the bias."),
        Misconception("β scaled too", _fold(bias=lambda b, mean, s, beta: (b - mean + beta) * s), "W is right. beta comes after the scaling and is not scaled itself."),
        Misconception("old bias left out", _fold(bias=lambda b, mean, s, beta: beta - mean * s), "W is right, but b does not occur in your bias. (A layer before a batch norm is often built without one; this one has it.)"),
        Misconception("bias left as it was", _fold(bias=lambda b, mean, s, beta: b), "The weights are folded, the bias is not: mean and shift of the norm must go somewhere."),
        Misconception("rows of W scaled", _fold(weight=lambda W, s: W * s[:, None]), "You scale the ROWS of W. Output j is made by column j of W (y = x @ W): one factor per column."),
        Misconception("W not scaled", _fold(weight=lambda W, s: W), "The bias is right, the weights are as before: the norm divides x @ W too."),
        Misconception("γ left out", _fold(lambda gamma, var, eps: 1 / np.sqrt(var + eps)), "Your scale lacks gamma: fold the whole norm, its own scale and shift included."),
        Misconception("γ left out of the bias", lambda W, b, gamma, beta, mean, var, eps=1e-5: (W * gamma / np.sqrt(var + eps), (b - mean) / np.sqrt(var + eps) + beta), "W is right. The bias is divided by the deviation but not multiplied by gamma: both come after the mean is taken away."),
        Misconception("no root", _fold(lambda gamma, var, eps: gamma / (var + eps)), "You divide by the running variance; the norm divides by its root.", (_fold(lambda gamma, var, eps: gamma / var),)),
        Misconception("ε left out", _fold(lambda gamma, var, eps: gamma / np.sqrt(var)), "eps is missing: a unit whose running variance is 0 divides by 0, and every other one differs a little from the unfolded net."),
        Misconception("ε outside the root", _fold(lambda gamma, var, eps: gamma / (np.sqrt(var) + eps)), "You add eps to the deviation. The norm adds it to the variance, under the root."),
        Misconception("ε not taken from the call", _fold(lambda gamma, var, eps: gamma / np.sqrt(var + 1e-5)), "You use 1e-5 whatever eps is given: the folded layer must use the norm's own."),
        Misconception("multiplied by the deviation", _fold(lambda gamma, var, eps: gamma * np.sqrt(var + eps)), "You multiply by the deviation where the norm divides by it."),
    ),
    hints=(
        "In evaluation a batch norm is an affine function of each unit, and an affine function of an affine function is affine. Write y = gamma (x W + b − mean) / √(…) + beta and sort it: what multiplies x, and what does not?",
        "One factor per output unit, gamma / √(running_var + eps), multiplies the unit's column of W, and b − running_mean; beta is added at the end.",
        "scale = gamma / np.sqrt(running_var + eps); W * scale; (b - running_mean) * scale + beta.",
    ),
    minutes=12,
    difficulty=2,
)


# ---- layer_norm_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    p, q = _scale_and_shift(rng, d), _scale_and_shift(rng, 3)
    constant = _shifted(rng, 3, 2)
    constant[:2] = [[0.1, 0.1], [-7.0, -7.0]]
    return [
        case("a batch of rows, forward and gradients", _shifted(rng, n, d), *p, _dy(rng, n, d), op="torch"),
        case("two leading axes, T ≠ D, eps = 0.5", _shifted(rng, 2, 2, 3), *q, 0.5, _dy(rng, 2, 2, 3), op="torch"),
        edge("a constant row", constant, *_scale_and_shift(rng, 2), _dy(rng, 3, 2), op="torch"),
        edge("mean 1e4", _beside_1e4(rng, 2, 4), *_scale_and_shift(rng, 4), 1e-9, _dy(rng, 2, 4), op="torch", tolerance=LARGE_MEAN),
        edge("one row, 1-D", _shifted(rng, d), *p, 1e-5, _dy(rng, d), op="torch"),
    ]


def _torch_ln(dim: Any = -1, correction: int = 0, divisor: str = "inside", detach: str = "", affine: Callable = _x_hat_first, difference: bool = False) -> Wrong:
    def wrong(x, gamma, beta, eps=1e-5):
        import torch

        x = x.detach() + 0 * x if detach == "x" else x
        dims = tuple(range(x.ndim)) if dim is None else tuple(range(1, x.ndim)) or (0,) if dim == "but first" else dim
        mean = x.mean(dim=dims, keepdim=True)
        var = (x * x).mean(dim=dims, keepdim=True) - mean * mean if difference else x.var(dim=dims, correction=correction, keepdim=True)
        mean, var = mean.detach() if "mean" in detach else mean, var.detach() if "var" in detach else var
        by = {
            "inside": lambda: torch.sqrt(var + eps), "fixed": lambda: torch.sqrt(var + 1e-5), "outside": lambda: torch.sqrt(var) + eps, "left out": lambda: torch.sqrt(var),
            "no root": lambda: var + eps, "std outside": lambda: x.std(dim=dims, correction=correction, keepdim=True) + eps,
        }[divisor]()  # fmt: skip
        y = affine((x - mean) / by, gamma, beta)
        return y.detach() + 0 * (x.sum() + gamma.sum() + beta.sum()) if detach == "all" else y

    return wrong


layer_norm_in_torch = Exercise(
    reference=lib.layer_norm_in_torch,
    tiers=values_and_edge(2, 2),
    cases=_in_torch_cases,
    torch=True,
    traps=("a constant row", "mean 1e4"),
    misconceptions=(
        Misconception("D − 1 in the variance", _torch_ln(correction=1), "torch.var and torch.std divide by D − 1 unless told otherwise, where NumPy divides by D: look for the argument that says so."),
        Misconception("normalised over the batch", _torch_ln(dim=0), "Your statistics run over the examples. Layer norm's run along the last dimension, with keepdim=True."),
        Misconception("T and D together", _torch_ln(dim="but first"), "With (N, T, D) each of the N·T rows has its own mean and deviation: the last dimension only.", (_torch_ln(dim=None),)),
        Misconception("statistics detached", _torch_ln(detach="mean var"), "The values are right, the gradient of x is not: mean and variance were cut from the graph (.detach(), torch.no_grad(), .item()), so they count as constants.", (_torch_ln(detach="var"), _torch_ln(detach="mean"))),
        Misconception("gradient cut off", _torch_ln(detach="all"), "The values are right, but no gradient arrives: something was detached or turned into NumPy on the way.", (_torch_ln(detach="x"),)),
        Misconception("ε outside the root", _torch_ln(divisor="outside"), "You add eps to the deviation: it belongs to the variance, under the root. (A root taken before eps is there has an infinite slope where a row is constant.)", (_torch_ln(divisor="std outside"),)),
        Misconception("D − 1, and ε outside the root", _torch_ln(correction=1, divisor="std outside"), "Two things at once, often copied together: torch.std divides by D − 1 unless told otherwise, and eps is added to the variance, under the root, not to the deviation.", (_torch_ln(correction=1, divisor="outside"),)),
        Misconception("ε left out", _torch_ln(divisor="left out"), "eps is missing: a constant row gives 0/0."),
        Misconception("ε not taken from the call", _torch_ln(divisor="fixed"), "You use 1e-5 whatever eps is given: torch.nn.functional.layer_norm has that default too."),
        Misconception("no root", _torch_ln(divisor="no root"), "You divide by the variance: take its root."),
        Misconception("E[x²] − E[x]²", _torch_ln(difference=True), "Beside a mean of 1e4 the two squares lose the difference to rounding, in tensors as in arrays: subtract the mean first, square afterwards."),
        Misconception("γ and β left out", _torch_ln(affine=lambda x_hat, gamma, beta: x_hat + 0 * gamma), "You return the normalised values: scale and shift are missing."),
    ),
    hints=(
        "Line by line your layer_norm, with dim for axis and keepdim for keepdims. One default of torch differs from NumPy's.",
        "x.var(dim=-1, correction=0, keepdim=True) divides by D; or average the squares of x − mean. No NumPy, no detach: the statistics are part of the graph.",
        "c = x - x.mean(dim=-1, keepdim=True); var = (c * c).mean(dim=-1, keepdim=True); gamma * c / torch.sqrt(var + eps) + beta.",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="batch_and_layer_norm",
    assignment="4_normalization",
    title="Batch and layer normalisation",
    exercises=(batch_norm, layer_norm, batch_norm_images, normalize_backward, batch_norm_backward, layer_norm_backward, fold_batch_norm, layer_norm_in_torch),
    written=(Written("which_norm", points=4, minutes=15),),
)
