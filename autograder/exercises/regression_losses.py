"""Exercises of regression_losses: squared, absolute and Huber's loss, their gradients, the constant each likes best, quantiles in PyTorch."""
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Topic, Written, case, edge, values_and_edge
from class4lib import regression_losses as lib

Wrong = Callable[..., Any]


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and D, different, so that a mean over the wrong axis, or over both, shows."""
    n, d = rng.permutation([2, 3, 4])[:2]
    return int(n), int(d)


def _pair(rng: Generator, shape: int | tuple[int, ...], delta: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets whose residuals are never 0; with a delta, they lie inside and outside of it, on both sides."""
    size = int(np.prod(shape))
    order = rng.permutation(size)
    sign = np.where(order // 2 % 2 == 0, 1.0, -1.0)
    inside, outside = rng.uniform(0.15, 0.85, size=size), rng.uniform(1.25, 4.0, size=size)
    sizes = rng.uniform(0.2, 3.0, size=size) if delta is None else delta * np.where(order % 2 == 0, inside, outside)
    targets = np.round(rng.normal(scale=2.0, size=shape), 2)
    return targets + np.round(sign * sizes, 3).reshape(shape), targets


def _integers(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer predictions and targets with residuals of every sign and size 0 to 3."""
    targets = rng.integers(-4, 5, size=n)
    return targets + rng.permutation([-3, 1, 2, 0, -1])[:n], targets


def _huge(rng: Generator, residuals: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """These residuals beside others of ordinary size."""
    targets = np.round(rng.normal(size=len(residuals) + 1), 2)
    return targets + np.array([*residuals, float(rng.uniform(0.5, 2.0))]), targets


def _delta(rng: Generator) -> float:
    """Never 1: there Huber's loss and smooth-L1 are the same, and so are delta and its square."""
    return float(rng.choice([0.25, 0.5, 1.75, 2.5]))


def _at_delta(rng: Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Residuals exactly ±delta, 0, ±2 delta and ±delta/2, in multiples of 1/8."""
    delta = float(rng.choice([0.25, 0.5, 2.0]))
    targets = rng.integers(-16, 17, size=7) / 4
    return targets + delta * rng.permutation([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]), targets, delta


# ---- wrong versions: what happens to one entry, and how the entries become the result
def _reduce(entries: np.ndarray, reduction: str, how: str) -> object:
    n = len(entries)
    rows = entries.reshape(n, -1).sum(axis=1)
    total = entries.sum()
    right = {"none": rows, "sum": total, "mean": total / n}
    changed = {
        "mean over N·D": {"mean": total / entries.size},
        "averaged over D": {"mean": total / entries.size, "none": entries.reshape(n, -1).mean(axis=1), "sum": total / (entries.size / n)},
        "entries kept": {"none": entries},
        "as PyTorch": {"mean": total / entries.size, "none": entries},
        "down the columns": {"none": entries.sum(axis=0) if entries.ndim == 2 else entries},
        "always the mean": {"none": total / n, "sum": total / n},
        "always the sum": {"none": total, "mean": total},
        "mean is the sum": {"mean": total},
        "mean halved": {"mean": total / n / 2},
        "only the mean whole": {"none": rows / 2, "sum": total / 2},
        "sum is the mean": {"sum": total / n},
    }
    return {**right, **changed.get(how, {})}[reduction]


def _axis_1(make: Callable[..., Wrong], entry: Wrong) -> Wrong:
    """The loss, summed along axis 1 without asking whether there is one."""
    right = make(entry)

    def wrong(predictions: np.ndarray, targets: np.ndarray, *more: Any, **named: Any) -> object:
        (predictions - targets).sum(axis=1)
        return right(predictions, targets, *more, **named)

    return wrong


def _loss(entry: Wrong, how: str = "") -> Wrong:
    """A loss without delta whose entry is entry(residual)."""
    return lambda predictions, targets, reduction="mean": _reduce(entry(predictions - targets), reduction, how)


def _huber(entry: Wrong, how: str = "") -> Wrong:
    """A loss with delta whose entry is entry(residual, delta)."""
    return lambda predictions, targets, delta=1.0, reduction="mean": _reduce(entry(predictions - targets, delta), reduction, how)


def _divided(entries: np.ndarray, reduction: str, how: str, kind: Any = float) -> object:
    n = len(entries)
    if how == "written into integers":
        return (entries / (n if reduction == "mean" else 1)).astype(kind)
    if how == "one number":
        return entries.mean() if reduction == "mean" else entries.sum()
    if how == "one per example":
        return entries.reshape(n, -1).sum(axis=1) / (n if reduction == "mean" else 1)
    divisor = n if reduction == "mean" else 1
    return entries / {"mean over N·D": entries.size if reduction == "mean" else 1, "not divided": 1, "always divided": n, "divided for none": n if reduction != "sum" else 1}.get(how, divisor)


def _grad(entry: Wrong, how: str = "") -> Wrong:
    return lambda predictions, targets, reduction="mean": _divided(entry(predictions - targets), reduction, how, predictions.dtype)


def _huber_grad(entry: Wrong, how: str = "") -> Wrong:
    return lambda predictions, targets, delta=1.0, reduction="mean": _divided(entry(predictions - targets, delta), reduction, how, predictions.dtype)


_HOWS = ("not divided", "always divided", "mean over N·D")


def _ways(make: Callable[..., Wrong], *entries: Wrong) -> tuple[Wrong, ...]:
    """The same wrong entry of a gradient, divided in wrong ways besides: still the same first mistake."""
    return tuple(make(e, how) for e in entries for how in _HOWS)


_CUT_OFF = "Right, but for integers: an array made like an integer input (zeros_like, empty_like) holds integers and cuts off what you write into it. Make it with dtype=float."


def _of_losses(make: Callable[..., Wrong], entry: Wrong) -> tuple[Misconception, ...]:
    """Mistakes in the reduction, which every loss can have."""
    return (
        Misconception("(N,) forgotten", _axis_1(make, entry), "predictions may have a single axis, (N,): then an example is one number and there is nothing to sum. Sum over axis 1 only where there is one."),
        Misconception("mean over N·D", make(entry, "mean over N·D"), 'You divide by all N·D entries, as PyTorch does. Here an example\'s loss is the sum over its D entries, and "mean" divides by the number of examples only.'),
        Misconception("averaged over D", make(entry, "averaged over D"), "You average over the D entries of an example; here they are summed. Only the mean over the examples divides, and only by their number N."),
        Misconception("entries not summed", make(entry, "entries kept"), '"none" gives one value per example, shape (N,): for (N, D) the D entries of an example are summed first.'),
        Misconception("PyTorch's reductions", make(entry, "as PyTorch"), 'This is how PyTorch reduces: it treats every entry as an example. Here an example is a row: sum over its D entries first, then reduce over N.'),
        Misconception("summed down the columns", make(entry, "down the columns"), "You sum over the examples, axis 0, and get one value per column. Each row is an example: its entries lie along axis 1."),
        Misconception("reduction ignored", make(entry, "always the mean"), 'You always return the mean: "sum" and "none" must differ from it.', (make(entry, "always the sum"),)),
        Misconception("mean not divided by N", make(entry, "mean is the sum"), '"mean" gives the sum here: divide by the number of examples.'),
        Misconception("sum divided by N", make(entry, "sum is the mean"), '"sum" gives the mean here: only "mean" divides.'),
    )


def _of_gradients(make: Callable[..., Wrong], entry: Wrong, *also: Wrong) -> tuple[Misconception, ...]:
    """Mistakes in size and shape that every gradient can have; `also`: entries with another, smaller mistake, named when this one is mended."""
    return (
        Misconception("1/N forgotten", make(entry, "not divided"), 'The default loss is a mean over N examples, so its gradient carries the same factor (not for "sum" and "none").', tuple(make(e, "not divided") for e in also)),
        Misconception("mean over N·D", make(entry, "mean over N·D"), "You divide by all N·D entries. The loss sums over the D entries of an example and averages over the N examples: its gradient divides by N only."),
        Misconception("1/N in every reduction", make(entry, "always divided"), 'You divide by N whatever the reduction: for "sum" and "none" the loss has no such factor, so its gradient has none.', (make(entry, "divided for none"), *(make(e, "always divided") for e in also))),
        Misconception("integers cut off", make(entry, "written into integers"), _CUT_OFF),
        Misconception("reduced to one number", make(entry, "one number"), "A gradient has one entry for every prediction, and so the shape of predictions: nothing is summed over the batch. Only the loss is reduced; its gradient gets the factor."),
        Misconception("summed over D", make(entry, "one per example"), "Each of the N·D predictions has a slope of its own: the gradient has the shape of predictions. Only the loss sums over D."),
    )


# ---- mse
def _mse_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    flat, matrix = _pair(rng, n + 2), _pair(rng, (n, d))
    return [
        case("(N,), mean by default", *flat),
        case("(N, D), mean", *matrix, "mean"),
        case("(N, D), sum", *matrix, "sum"),
        case("(N, D), none: one value per example", *_pair(rng, (d, n)), "none"),
        case("(N,), none", *_pair(rng, d + 1), "none"),
        edge("losses near 1e8", *_huge(rng, [float(rng.uniform(1.3e4, 1.5e4)), -14142.0]), "none"),
        edge("one column, (N, 1), none", *_pair(rng, (n, 1)), "none", trap=""),
        edge("integers", *_integers(rng, n)),
        edge("prediction and target equal", flat[1], flat[1], "sum", trap=""),
        edge("N = 1", *_pair(rng, (1, d))),
    ]


def _half_square(r: np.ndarray) -> np.ndarray:
    return r * r / 2


mse = Exercise(
    reference=lib.mse,
    tiers=values_and_edge(1, 1),
    cases=_mse_cases,
    traps=("losses near 1e8", "N = 1"),
    equivalent_mutants=(("predictions - targets → targets - predictions", "the loss is the same on both sides of 0"),),
    misconceptions=(
        Misconception("½ forgotten", _loss(lambda r: r * r), "Everything is twice too large. Our squared error carries a factor of its own, the one that makes its derivative simple: read the first line of the docstring."),
        Misconception("½ forgotten, and mean over N·D", _loss(lambda r: r * r, "mean over N·D"), "Two conventions of PyTorch at once: it leaves out the factor ½, and its mean divides by every entry. Here the ½ belongs to the loss, and the mean divides by the number of examples.", (_loss(lambda r: r * r, "as PyTorch"), _loss(lambda r: r * r, "averaged over D"))),
        Misconception("½ in one reduction only", _loss(lambda r: r * r, "mean halved"), "The factor ½ is missing in some of the three reductions. It belongs to every entry's loss, before anything is summed.", (_loss(_half_square, "mean halved"), _loss(_half_square, "only the mean whole"), _loss(lambda r: r * r, "only the mean whole"))),
        Misconception("½ twice", _loss(lambda r: r * r / 4), "Everything is half of what is expected: the factor ½ was applied twice."),
        *_of_losses(_loss, _half_square),
        Misconception("integers cut off", _loss(lambda r: (r * r / 2).astype(r.dtype)), _CUT_OFF),
        Misconception("root of the mean", lambda p, t, reduction="mean": np.sqrt(_loss(_half_square)(p, t, reduction)), "You took a square root at the end (that is the RMSE, a number to report). The loss itself has none.", (lambda p, t, reduction="mean": np.sqrt(_loss(lambda r: r * r)(p, t, reduction)),)),
        Misconception("absolute for squared", _loss(np.abs), "You add up the sizes of the residuals; the squared error adds up their squares.", (_loss(lambda r: np.abs(r) / 2),)),
        Misconception("residual not squared", _loss(lambda r: r / 2), "Positive and negative residuals cancel in your sum: what makes each of them count?", (_loss(lambda r: r),)),
        Misconception("difference of squares", lambda p, t, reduction="mean": _reduce((p * p - t * t) / 2, reduction, ""), "You square prediction and target, then subtract. Subtract first: a loss is 0 where they agree and positive everywhere else."),
        Misconception("square of the sum", lambda p, t, reduction="mean": _reduce((p - t).reshape(len(p), -1).sum(axis=1) ** 2 / 2, reduction, ""), "You sum the residuals of an example and square afterwards: errors of opposite sign cancel. Square each entry first."),
    ),
    hints=(
        "First one value for every entry, then one for every example, then the reduction.",
        'Half the square of the difference, summed over the last axis where there are two; "mean" divides by len(predictions).',
        'losses = 0.5 * (predictions - targets) ** 2, and losses.sum(axis=1) if there are two axes; then losses, losses.sum() or losses.sum() / len(losses).',
    ),
    minutes=6,
    difficulty=1,
)


# ---- mse_grad
def _grad_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        case("(N,), mean by default", *_pair(rng, n + 2)),
        case("(N, D), mean", *_pair(rng, (n, d)), "mean"),
        case("(N, D), sum", *_pair(rng, (d, n)), "sum"),
        case("(N, D), none: gradient of the sum", *_pair(rng, (n, d)), "none"),
    ]


def _mse_grad_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        *_grad_cases(rng),
        edge("residuals near 1e8", *_huge(rng, [float(rng.uniform(0.9e8, 1.1e8)), -1e8])),
        edge("integers", *_integers(rng, n)),
        edge("N = 1", *_pair(rng, (1, d))),
    ]


mse_grad = Exercise(
    reference=lib.mse_grad,
    tiers=values_and_edge(1, 0.5),
    cases=_mse_grad_cases,
    traps=("residuals near 1e8", "N = 1"),
    misconceptions=(
        Misconception("2 in the gradient", _grad(lambda r: 2 * r), "Everything is twice too large: that is the slope of the square without its factor. What is it there for?", (_grad(lambda r: 2 * r, "always divided"), _grad(lambda r: 2 * r, "not divided"))),
        Misconception("2 in the gradient, and mean over N·D", _grad(lambda r: 2 * r, "mean over N·D"), "Two conventions of PyTorch at once: no factor ½ in the loss, and a mean over every entry. Here the loss has the ½, and its mean divides by the number of examples."),
        Misconception("½ kept", _grad(lambda r: r / 2), "Everything is half of what is expected: the exponent comes down as a factor when you differentiate. Where did it go?", _ways(_grad, lambda r: r / 2)),
        Misconception("sign", _grad(lambda r: -r), "Where the prediction is too high the loss grows with it: the slope there is positive. Yours has the opposite sign, the direction in which the loss falls.", _ways(_grad, lambda r: -r)),
        *_of_gradients(_grad, lambda r: r),
        Misconception("the loss for its gradient", _grad(_half_square), "These are the values of the loss, entry by entry, not its slopes: differentiate in the prediction.", (_grad(lambda r: r * r), lambda p, t, reduction="mean": lib.mse(p, t, reduction))),
        Misconception("size without sign", _grad(np.abs), "Every slope of yours is positive. Where the prediction is too low, raising it lowers the loss."),
    ),
    hints=(
        "Differentiate the loss of one entry in its prediction; the other entries do not depend on it.",
        'The ½ cancels the exponent, the difference is left; "mean" adds the factor 1/N, N examples.',
        "(predictions - targets), divided by len(predictions) for the mean.",
    ),
    minutes=4,
    difficulty=1,
)


# ---- mae
def _mae_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    flat, matrix = _pair(rng, n + 2), _pair(rng, (n, d))
    return [
        case("(N,), mean by default", *flat),
        case("(N, D), mean", *matrix, "mean"),
        case("(N, D), sum", *matrix, "sum"),
        case("(N, D), none: one value per example", *_pair(rng, (d, n)), "none"),
        case("(N,), none", *_pair(rng, d + 1), "none"),
        edge("losses near 1e8", *_huge(rng, [float(rng.uniform(0.9e8, 1.1e8)), -1e8]), "none"),
        edge("one column, (N, 1), none", *_pair(rng, (n, 1)), "none", trap=""),
        edge("integers", *_integers(rng, n)),
        edge("prediction and target equal", flat[1], flat[1], "sum", trap=""),
        edge("N = 1", *_pair(rng, (1, d))),
    ]


mae = Exercise(
    reference=lib.mae,
    tiers=values_and_edge(1, 0.5),
    cases=_mae_cases,
    traps=("losses near 1e8", "N = 1"),
    equivalent_mutants=(("predictions - targets → targets - predictions", "the loss is the same on both sides of 0"),),
    misconceptions=(
        *_of_losses(_loss, np.abs),
        Misconception("absolute value forgotten", _loss(lambda r: r), "Positive and negative residuals cancel in your sum: every error must count with its size.", (_loss(lambda r: -r),)),
        Misconception("absolute value of the sum", lambda p, t, reduction="mean": np.abs(_loss(lambda r: r)(p, t, reduction)), "You sum the residuals first and take the size afterwards: errors of opposite sign have cancelled by then. Take the size of each entry, then sum."),
        Misconception("½ too many", _loss(lambda r: np.abs(r) / 2), "Everything is half of what is expected: the factor ½ belongs to the square, whose exponent it cancels. There is no exponent here."),
        Misconception("squared for absolute", _loss(_half_square), "This is the squared error: the absolute error grows in proportion to the residual.", (_loss(lambda r: r * r),)),
        Misconception("length of the row", lambda p, t, reduction="mean": _reduce(np.sqrt(((p - t) ** 2).reshape(len(p), -1).sum(axis=1)), reduction, ""), "You take the Euclidean length of a row of residuals. The absolute error adds the sizes of its entries."),
        Misconception("root of the squared error", lambda p, t, reduction="mean": np.sqrt(_reduce((p - t) ** 2, reduction, "")), "The root of a sum of squares is not the sum of the sizes: take the size of each entry before anything is summed.", (lambda p, t, reduction="mean": np.sqrt(_reduce((p - t) ** 2, reduction, "as PyTorch")),)),
    ),
    hints=(
        "As in mse: a value for every entry, then for every example, then the reduction. Only the entry changes.",
        'The size of the difference, summed over the last axis where there are two; "mean" divides by len(predictions).',
        "losses = np.abs(predictions - targets); the rest is as in mse.",
    ),
    minutes=4,
    difficulty=1,
)


# ---- mae_grad
def _mae_grad_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    targets = rng.integers(-16, 17, size=5) / 8
    tiny = np.array([1e-9, -1e-9])
    return [
        *_grad_cases(rng),
        edge("residuals that are 0", targets + rng.permutation([0.0, 0.0, 0.125, -0.125, -2.0]), targets),
        edge("every residual 0, (N, D)", np.full((n, d), 1.5), np.full((n, d), 1.5), "sum"),
        edge("residuals of ±1e-9", tiny, np.zeros(2), "sum"),
        edge("residuals near 1e8", *_huge(rng, [float(rng.uniform(0.9e8, 1.1e8)), -1e8])),
        edge("integers", *_integers(rng, n)),
        edge("N = 1", *_pair(rng, (1, d))),
    ]


def _soft_sign(epsilon: float) -> tuple[Wrong, Wrong]:
    return _grad(lambda r: r / (np.abs(r) + epsilon)), _grad(lambda r: r / np.sqrt(r * r + epsilon))


mae_grad = Exercise(
    reference=lib.mae_grad,
    tiers=values_and_edge(1, 1),
    cases=_mae_grad_cases,
    traps=("residuals that are 0", "residuals near 1e8", "N = 1"),
    misconceptions=(
        Misconception("sign(0)", _grad(lambda r: np.where(r >= 0, 1.0, -1.0)), "Right, but for the residuals that are exactly 0: there the loss has a kink, and the docstring says which slope we take.", (_grad(lambda r: np.where(r > 0, 1.0, -1.0)), _grad(lambda r: np.where(r == 0, 0.5, np.sign(r))))),
        Misconception("0/0 at no residual", _grad(lambda r: r / np.abs(r)), "Dividing a residual by its size is 0/0 where it is 0. That case needs the value that the docstring names, or a function that knows it."),
        Misconception("epsilon in the division", _soft_sign(1e-8)[0], "The small number that you add bends the slope near 0: it should be ±1 even for a residual of 1e-9, and 0 only at exactly 0. No division is needed.", (_soft_sign(1e-8)[1], *(f for e in (1e-6, 1e-10, 1e-12) for f in _soft_sign(e)))),
        Misconception("0 for small residuals", _grad(lambda r: np.where(np.abs(r) < 1e-8, 0.0, np.sign(r))), "Residuals that are merely small get the slope 0. Only where the residual is exactly 0 is there no slope; beside it, however near, it is ±1."),
        Misconception("sign", _grad(lambda r: -np.sign(r)), "Where the prediction is too high the loss grows with it: the slope there is positive. Yours has the opposite sign.", _ways(_grad, lambda r: -np.sign(r))),
        *_of_gradients(_grad, np.sign, lambda r: np.where(r >= 0, 1.0, -1.0), lambda r: np.where(r > 0, 1.0, -1.0), lambda r: r / np.abs(r)),
        Misconception("the squared error's gradient", _grad(lambda r: r), "Your slope grows with the residual. The absolute error is a straight line on each side: how steep is it, far away and near?", _ways(_grad, lambda r: r)),
        Misconception("size without sign", _grad(lambda r: np.abs(np.sign(r))), "Every slope of yours is positive. Where the prediction is too low, raising it lowers the loss.", (_grad(np.abs), _grad(np.ones_like))),
        Misconception("½ too many", _grad(lambda r: np.sign(r) / 2), "Everything is half of what is expected: there is no factor ½ in the absolute error."),
        Misconception("one sign for the whole row", lambda p, t, reduction="mean": _divided(np.broadcast_to(np.sign((p - t).reshape(len(p), -1).sum(axis=1)).reshape(-1, *[1] * (np.ndim(p) - 1)), np.shape(p)), reduction, ""), "Each entry has its own sign; you give a row the sign of its sum."),
    ),
    hints=(
        "How steep is |r| for r > 0, for r < 0? At 0 the docstring decides.",
        'The slope is the sign of the residual, with sign 0 at 0; "mean" adds the factor 1/N.',
        "np.sign(predictions - targets), divided by len(predictions) for the mean.",
    ),
    minutes=6,
    difficulty=2,
)


# ---- huber
def _huber_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    first, second = _delta(rng), _delta(rng)
    p, t, exact = _at_delta(rng)
    large, wide = float(rng.choice([2.0, 4.0])), float(rng.choice([4000.0, 8000.0]))
    return [
        case("(N,), mean by default", *_pair(rng, n + 2, first), first),
        case("(N, D), mean", *_pair(rng, (n, d), second), second, "mean"),
        case("(N, D), sum", *_pair(rng, (n, d), first), first, "sum"),
        case("(N, D), none: one value per example", *_pair(rng, (d, n), first), first, "none"),
        case("(N,), none, delta above 1", *_pair(rng, 4, large), large, "none"),
        case("(N,), none, delta below 1", *_pair(rng, 4, 0.25), 0.25, "none"),
        edge("residuals exactly ±delta", p, t, exact, "none"),
        edge("delta left at its default", *_pair(rng, d + 2, 1.0), trap=""),
        edge("losses near 1e8", *_huge(rng, [1e8 / wide + wide / 2, -1e8 / wide]), wide, "none"),
        edge("integers, delta an integer", *_integers(rng, n), 2, trap="integers"),
        edge("N = 1", *_pair(rng, (1, d), second), second),
    ]


def _pieces(inner: Wrong, outer: Wrong, inside: Wrong = lambda r, d: np.abs(r) <= d) -> Wrong:
    return lambda r, d: np.where(inside(r, d), inner(r, d), outer(r, d))


def _parabola(r: np.ndarray, d: float) -> np.ndarray:
    return r * r / 2


def _line(r: np.ndarray, d: float) -> np.ndarray:
    return d * (np.abs(r) - d / 2)


_right_huber = _pieces(_parabola, _line)


def _asked_once(p: np.ndarray, t: np.ndarray, delta: float = 1.0, reduction: str = "mean") -> object:
    if np.abs(p - t) <= delta:
        return _reduce(_parabola(p - t, delta), reduction, "")
    return _reduce(_line(p - t, delta), reduction, "")


_IF = "Python's `if` asks one question and wants one answer, but an array has many (that is what the message about the truth value means). Each entry decides for itself: np.where chooses entry by entry."


def _rows_decide(r: np.ndarray, d: float) -> np.ndarray:
    """True for a whole row (or the whole 1-D array) whose length is at most d."""
    return np.linalg.norm(r, axis=-1, keepdims=True) <= d


huber = Exercise(
    reference=lib.huber,
    tiers=values_and_edge(2, 2),
    cases=_huber_cases,
    traps=("residuals exactly ±delta", "losses near 1e8", "N = 1"),
    equivalent_mutants=(("predictions - targets → targets - predictions", "the loss is the same on both sides of 0"),),
    misconceptions=(
        Misconception("smooth-L1", _huber(lambda r, d: _right_huber(r, d) / d), "This is the smooth-L1 loss of many libraries: everything is 1/delta of what is expected. Ours is not divided by delta; its parabola is exactly that of the squared error.", (_huber(lambda r, d: _right_huber(r, d) / d, "as PyTorch"),)),
        Misconception("δ not squared right", _huber(_pieces(_parabola, lambda r, d: d * np.abs(r) - d / 2)), "Inside delta you are right. Put |r| = delta into your straight line: it must give what the parabola gives there. And the loss has the unit of r² everywhere, so every term of the line must have it too.", (_huber(_pieces(_parabola, lambda r, d: np.abs(r) - d * d / 2)), _huber(_pieces(_parabola, lambda r, d: np.abs(r) - d / 2)), _huber(_pieces(_parabola, lambda r, d: np.abs(r) - 0.5)), _huber(_pieces(_parabola, lambda r, d: d * np.abs(r) - 0.5)), _huber(_pieces(_parabola, lambda r, d: d * d * (np.abs(r) - d / 2))), _huber(_pieces(_parabola, lambda r, d: d * (np.abs(r) - d) + d / 2)), _huber(_pieces(_parabola, lambda r, d: d * d * (np.abs(r) - 0.5))))),
        Misconception("jump at δ", _huber(_pieces(_parabola, lambda r, d: d * np.abs(r))), "Your loss jumps where the parabola ends. Just beyond delta the line must start at the height that the parabola has reached, and be as steep: put |r| = delta into both.", (_huber(_pieces(_parabola, lambda r, d: d * (np.abs(r) - d))), _huber(_pieces(_parabola, lambda r, d: d * np.abs(r) + d * d / 2)), _huber(_pieces(_parabola, lambda r, d: d * np.abs(r) - d * d / 4)), _huber(_pieces(_parabola, lambda r, d: np.abs(r))))),
        Misconception("kink at δ", _huber(_pieces(_parabola, lambda r, d: np.abs(r) - d + d * d / 2)), "No jump, but a kink: your line begins at the right height with the slope 1. Just inside delta the parabola is as steep as the residual is large: the line goes on with that slope."),
        Misconception("½ forgotten in the parabola", _huber(_pieces(lambda r, d: r * r, _line)), "The straight parts are right. Inside delta the loss should be that of our mse, whose factor is missing; so the two parts do not meet at delta."),
        Misconception("½ forgotten in the parabola, and δ not squared right", _huber(_pieces(lambda r, d: r * r, lambda r, d: d * np.abs(r) - d / 2)), "Two things. Inside delta the loss should be that of our mse, whose factor ½ is missing. Beyond, the line must start at the height that this parabola has reached at |r| = delta.", tuple(_huber(_pieces(lambda r, d: r * r, f)) for f in (lambda r, d: d * np.abs(r), lambda r, d: np.abs(r), lambda r, d: d * (np.abs(r) - d), lambda r, d: np.abs(r) - d / 2))),
        Misconception("½ forgotten", _huber(lambda r, d: 2 * _right_huber(r, d)), "Everything is twice too large: inside delta the loss should be that of our mse, with its factor ½."),
        Misconception("nothing at exactly δ", _huber(lambda r, d: np.where(np.abs(r) == d, 0.0, _right_huber(r, d))), "Residuals of exactly ±delta get 0: neither of your two conditions takes them. One of the comparisons must include equality."),
        Misconception("condition without the size", _huber(_pieces(_parabola, _line, lambda r, d: r <= d)), "A large NEGATIVE residual counts as small in your condition and gets the parabola: compare its size with delta.", (_huber(_pieces(_parabola, lambda r, d: d * (r - d / 2), lambda r, d: r <= d)),)),
        Misconception("line without the size", _huber(_pieces(_parabola, lambda r, d: d * (r - d / 2))), "Your straight line goes on downhill for large negative residuals, where the loss becomes negative: a loss treats both sides alike."),
        Misconception("parts swapped", _huber(_pieces(_line, _parabola)), "Large residuals get the parabola and small ones the line: the two parts are exchanged. It is the large ones that must not count too much."),
        Misconception("δ taken as 1", _huber(lambda r, d: _right_huber(r, 1.0)), "Your result does not depend on delta. A 1 (or ½) stands where delta should."),
        Misconception("flat beyond δ", _huber(lambda r, d: np.minimum(np.abs(r), d) ** 2 / 2), "Beyond delta your loss stays at one height, so a far outlier pulls no more at all. Huber's goes on as a straight line."),
        Misconception("pseudo-Huber", _huber(lambda r, d: d * d * (np.sqrt(1 + (r / d) ** 2) - 1)), "This is the pseudo-Huber loss, a smooth relative. Here the loss is EXACTLY the squared error up to delta and exactly a straight line beyond.", (_huber(lambda r, d: d * (np.sqrt(1 + (r / d) ** 2) - 1)),)),
        Misconception("one decision for a whole row", _huber(_pieces(_parabola, _line, _rows_decide)), "You compare delta with the length (or the largest entry) of a row, and treat all its entries alike. Each entry decides for itself: np.where chooses entry by entry.", (_huber(_pieces(_parabola, _line, lambda r, d: np.abs(r).max(axis=-1, keepdims=True) <= d)), _huber(_pieces(_parabola, _line, lambda r, d: np.abs(r).max() <= d)))),
        Misconception("`if` on an array", _asked_once, _IF),
        *_of_losses(_huber, _right_huber),
        Misconception("integers cut off", _huber(lambda r, d: _right_huber(r, d).astype(r.dtype)), _CUT_OFF),
    ),
    hints=(
        "Beyond delta write the line as delta · |r| + k. Which k makes it meet the parabola at |r| = delta?",
        "k = −½ delta². np.where(condition, parabola, line) chooses for every entry; the condition is about |r|.",
        "losses = np.where(np.abs(r) <= delta, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta)) with r = predictions - targets; the rest is as in mse.",
    ),
    minutes=12,
    difficulty=3,
)


# ---- huber_grad
def _huber_grad_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    first, second = _delta(rng), _delta(rng)
    p, t, exact = _at_delta(rng)
    return [
        case("(N,), mean by default", *_pair(rng, n + 2, first), first),
        case("(N, D), mean", *_pair(rng, (n, d), second), second, "mean"),
        case("(N, D), sum, delta below 1", *_pair(rng, (d, n), 0.25), 0.25, "sum"),
        case("(N, D), none: gradient of the sum; delta above 1", *_pair(rng, (n, d), 2.5), 2.5, "none"),
        edge("residuals exactly ±delta", p, t, exact, "sum"),
        edge("delta left at its default", *_pair(rng, d + 2, 1.0), trap=""),
        edge("residuals near 1e8", *_huge(rng, [float(rng.uniform(0.9e8, 1.1e8)), -1e8]), exact),
        edge("integers, delta an integer", *_integers(rng, n), 2, trap="integers"),
        edge("N = 1", *_pair(rng, (1, d), second), second),
    ]


def _slope(r: np.ndarray, d: float) -> np.ndarray:
    return np.clip(r, -d, d)


def _clipped_after(p: np.ndarray, t: np.ndarray, delta: float = 1.0, reduction: str = "mean") -> np.ndarray:
    return np.clip((p - t) / (len(p) if reduction == "mean" else 1), -delta, delta)


huber_grad = Exercise(
    reference=lib.huber_grad,
    tiers=values_and_edge(1.5, 1.5),
    cases=_huber_grad_cases,
    traps=("residuals exactly ±delta", "residuals near 1e8", "N = 1"),
    misconceptions=(
        Misconception("smooth-L1", _huber_grad(lambda r, d: _slope(r, d) / d), "This is the slope of the smooth-L1 loss: everything is 1/delta of what is expected. Our loss is not divided by delta.", _ways(_huber_grad, lambda r, d: _slope(r, d) / d)),
        Misconception("jump at δ", _huber_grad(_pieces(lambda r, d: r, lambda r, d: np.sign(r))), "Beyond delta your slope is ±1, so it jumps there unless delta is 1. How steep is the straight part of the loss you wrote?", _ways(_huber_grad, _pieces(lambda r, d: r, lambda r, d: np.sign(r)))),
        Misconception("δ not squared right", _huber_grad(_pieces(lambda r, d: r, lambda r, d: d * d * np.sign(r))), "Inside delta you are right. Beyond it delta appears once too often: a slope has the unit of r, not of r².", (_huber_grad(_pieces(lambda r, d: r, lambda r, d: d * np.sign(r) - d * d / 2)), _huber_grad(_pieces(lambda r, d: r, lambda r, d: d * d / 2 * np.sign(r))), _huber_grad(_pieces(lambda r, d: r, lambda r, d: d / 2 * np.sign(r))), _huber_grad(_pieces(lambda r, d: r, lambda r, d: d * np.sign(r) - d / 2)))),
        Misconception("the loss for its gradient", _huber_grad(_right_huber), "These are the values of the loss, entry by entry, not its slopes: differentiate each of the two parts in the prediction.", (lambda p, t, delta=1.0, reduction="mean": lib.huber(p, t, delta, reduction),)),
        Misconception("line not differentiated", _huber_grad(_pieces(lambda r, d: r, _line)), "Inside delta you have the slope, beyond it still the loss (or a part of it), which grows with |r|. A straight line is equally steep everywhere.", (_huber_grad(_pieces(lambda r, d: r, lambda r, d: d * np.abs(r))), _huber_grad(_pieces(lambda r, d: r, lambda r, d: d * r)))),
        Misconception("½ kept", _huber_grad(_pieces(lambda r, d: r / 2, lambda r, d: d * np.sign(r))), "Inside delta your slope is half of what is expected, so it jumps at delta: the exponent comes down as a factor when you differentiate the parabola.", (_huber_grad(lambda r, d: _slope(r, d) / 2),)),
        Misconception("sign lost beyond δ", _huber_grad(_pieces(lambda r, d: r, lambda r, d: d + 0 * r)), "For large negative residuals your slope is positive. A prediction that is much too low must be pulled up, one that is too high pulled down."),
        Misconception("only one side cut", _huber_grad(lambda r, d: np.minimum(r, d)), "Large positive residuals are cut, large negative ones are not: the limit holds for the size, on both sides.", (_huber_grad(lambda r, d: np.maximum(r, -d)), _huber_grad(lambda r, d: np.minimum(np.abs(r), d)))),
        Misconception("`if` on an array", _asked_once, _IF),
        Misconception("nothing beyond δ", _huber_grad(_pieces(lambda r, d: r, lambda r, d: 0 * r)), "Beyond delta your slope is 0, so an outlier pulls no more at all. The loss is still a line there, and not a flat one."),
        Misconception("nothing at exactly δ", _huber_grad(lambda r, d: np.where(np.abs(r) == d, 0.0, _slope(r, d))), "Residuals of exactly ±delta get 0: neither of your two conditions takes them. One of the comparisons must include equality."),
        Misconception("parts swapped", _huber_grad(_pieces(lambda r, d: d * np.sign(r), lambda r, d: r)), "Small residuals get the constant slope and large ones grow without limit: the two parts are exchanged."),
        Misconception("cut after the division by N", _clipped_after, "You divide by N first and cut at delta afterwards: almost nothing is cut then. The limit is for one example's pull; the mean over the examples comes last.", (lambda p, t, delta=1.0, reduction="mean": np.where(np.abs(p - t) <= delta, (p - t) / (len(p) if reduction == "mean" else 1), delta * np.sign(p - t)),)),
        Misconception("length of the row cut", _huber_grad(lambda r, d: r * np.minimum(1.0, d / np.maximum(np.linalg.norm(r, axis=-1, keepdims=True), 1e-300))), "You cut the length of a whole row, as gradient clipping does. Here each entry is cut on its own."),
        Misconception("2 in the gradient", _huber_grad(lambda r, d: 2 * _slope(r, d)), "Everything is twice too large: the parabola has a factor ½, which cancels the exponent.", (_huber_grad(_pieces(lambda r, d: 2 * r, lambda r, d: d * np.sign(r))),)),
        Misconception("δ taken as 1", _huber_grad(lambda r, d: _slope(r, 1.0)), "Your result does not depend on delta: where is the residual cut?"),
        Misconception("sign", _huber_grad(lambda r, d: -_slope(r, d)), "Where the prediction is too high the loss grows with it: the slope there is positive. Yours has the opposite sign.", _ways(_huber_grad, lambda r, d: -_slope(r, d))),
        *_of_gradients(_huber_grad, _slope),
    ),
    hints=(
        "Differentiate the two parts one after the other. Do they agree at |r| = delta?",
        "Inside: the residual itself. Beyond: delta with the residual's sign. So the residual is cut at ±delta; the mean adds 1/N.",
        "np.clip(predictions - targets, -delta, delta), divided by len(predictions) for the mean.",
    ),
    minutes=8,
    difficulty=2,
)


# ---- minimise_location (extension)
PUZZLE = np.array([-3.25, -3.0, -0.75, 1.5, 1.5, 2.75, 11.75])


def _location_cases(rng: Generator) -> list[Case]:
    skewed = np.round(rng.permutation(np.concatenate([rng.normal(3.0, 2.0, size=5), [rng.uniform(14, 20), rng.uniform(25, 30)]])), 2)
    even = np.sort(np.round(rng.normal(-2.0, 3.0, size=5), 2))
    even = rng.permutation(np.append(even, even[2] + rng.uniform(0.5, 2.0) * (even[3] - even[2] + 0.5)))
    apart = np.round(np.concatenate([rng.uniform(-6, -4, size=2), rng.uniform(5, 8, size=2)]), 2)
    far = np.round(np.append(rng.normal(size=5), rng.uniform(2e7, 4e7)), 2)

    def asked(make: Callable[..., Case], label: str, *args: Any, trap: str = "") -> Case:
        return make(label, *args, judge="least_loss", trap=trap)

    return [
        asked(case, "the squared error", skewed, "mse"),
        asked(case, "the absolute error, odd N", skewed, "mae"),
        asked(case, "Huber's loss", skewed, "huber", float(rng.choice([1.5, 2.0, 2.5]))),
        asked(case, "Huber's loss, large delta", skewed, "huber", float(rng.choice([8.0, 9.0, 11.0]))),
        asked(case, "Huber's loss, delta left at its default", np.round(skewed / 3 - 1, 2), "huber"),
        asked(edge, "the absolute error, even N: anything between the middle two", even, "mae", trap="even N"),
        asked(edge, "Huber's loss, even N: an interval of minimisers", apart, "huber", 0.5, trap="an interval"),
        asked(edge, "the puzzle, and the puzzle turned round", PUZZLE * rng.choice([1.0, -1.0]) + float(rng.integers(-3, 4)), "huber", 3.0, trap="the puzzle"),
        asked(edge, "an outlier so far that the total loss is near 1e8", far, "huber", float(rng.choice([2.0, 3.0])), trap="losses near 1e8"),
        asked(edge, "delta beyond every residual", skewed, "huber", 100.0, trap=""),
        asked(edge, "N = 1", skewed[:1], "huber", 2.0),
    ]


def _location(mse: Wrong = lambda y, d: y.mean(), mae: Wrong = lambda y, d: np.median(y), huber: Wrong = lambda y, d: lib.minimise_location(y, "huber", d)) -> Wrong:
    return lambda y, loss, delta=1.0: float({"mse": mse, "mae": mae, "huber": huber}[loss](y, delta))


def _totals(y: np.ndarray, loss: str, delta: float, constants: np.ndarray) -> np.ndarray:
    r = np.abs(constants[:, None] - y)
    return {"mse": r * r / 2, "mae": r, "huber": _right_huber(r, delta)}[loss].sum(axis=1)


def _searched(n: int) -> Wrong:
    """The best of n equidistant constants."""

    def wrong(y: np.ndarray, loss: str, delta: float = 1.0) -> float:
        constants = np.linspace(y.min(), y.max(), n)
        return float(constants[_totals(y, loss, delta, constants).argmin()])

    return wrong


def _best_observation(y: np.ndarray, loss: str, delta: float = 1.0) -> float:
    return float(y[_totals(y, loss, delta, y).argmin()])


def _one_step(start: Wrong) -> Wrong:
    return _location(huber=lambda y, d: start(y) + np.clip(y - start(y), -d, d).mean())


def _near_only(start: Wrong) -> Wrong:
    return _location(huber=lambda y, d: y[np.abs(y - start(y)) <= d].mean() if (np.abs(y - start(y)) <= d).any() else start(y))


def _middle(y: np.ndarray, d: float) -> float:
    return float(y.min() + y.max()) / 2 + 0.37


minimise_location = Exercise(
    reference=lib.minimise_location,
    tiers=values_and_edge(2, 1),
    cases=_location_cases,
    extension=True,
    traps=("even N", "an interval", "the puzzle", "losses near 1e8", "N = 1"),
    equivalent_mutants=(
        ("np.clip(middle - y, -delta, delta).sum() < 0 → np.clip(middle - y, -delta, delta).sum() <= 0", "where the slope is exactly 0 both halves hold a minimiser"),
        ("np.clip(middle - y, -delta, delta).sum → np.clip(middle - y, -delta, delta).mean", "only the sign is used, and mean and sum have the same"),
    ),
    misconceptions=(
        Misconception("the mean for every loss", _location(mae=lambda y, d: y.mean(), huber=lambda y, d: y.mean()), "The mean balances pulls that grow with the distance. The other two losses pull differently, so they balance elsewhere.", (_location(huber=lambda y, d: y.mean()), _location(mae=lambda y, d: y.mean()))),
        Misconception("the median for every loss", _location(mse=lambda y, d: np.median(y), huber=lambda y, d: np.median(y)), "The median balances pulls that are all equally strong. The squared error's grow with the distance, and Huber's do so up to delta.", (_location(huber=lambda y, d: np.median(y)), _location(mse=lambda y, d: np.median(y)))),
        Misconception("Huber halfway between mean and median", _location(huber=lambda y, d: (y.mean() + np.median(y)) / 2), "Huber's constant is no average of the two, and need not even lie between them: the puzzle shows one. Look for the c at which its pulls add up to 0."),
        Misconception("δ taken as 1", _location(huber=lambda y, d: lib.minimise_location(y, "huber", 1.0)), "Your constant does not move when delta does: pass delta on."),
        Misconception("clipped once", _one_step(np.median), "You cut the data around the median (or the mean) and average once. The cut belongs around the constant that you are looking for: with the new centre other residuals are cut, so go on until nothing moves.", (_one_step(np.mean),)),
        Misconception("outliers dropped", _near_only(np.median), "You average the data within delta and forget the rest. A residual beyond delta still pulls, with strength delta, and how many there are on each side matters.", (_near_only(np.mean),)),
        Misconception("the least loss, not its place", lambda y, loss, delta=1.0: float(_totals(y, loss, delta, np.array([lib.minimise_location(y, loss, delta)]))[0]), "You return how large the loss is at its lowest. Asked is WHERE that is: the constant itself."),
        Misconception("only the observations tried", _best_observation, "You choose the best among the values of y. That is enough for the absolute error only: the others are usually least between two observations.", (_location(huber=lambda y, d: _best_observation(y, "huber", d)),)),
        Misconception("near, but not there", _searched(1001), "Your constant comes near and stops: a grid is as coarse as its step, and a descent with few or large steps ends early. The sign of the slope says on which side of c the minimum lies: halve an interval until it is small enough.", (_location(huber=lambda y, d: _searched(1001)(y, "huber", d)),)),
        Misconception("not at the minimum", _location(_middle, _middle, _middle), "At the best constant the pulls of all the observations add up to 0. Compute that sum at your c, for the case shown: its sign says in which direction to go.", (_location(huber=_middle), _location(mae=_middle), _location(mse=_middle), _location(mae=_middle, huber=_middle))),
    ),
    hints=(
        "For two of the three losses the answer is a statistic with a name. For the third, ask where the gradients of all observations add up to 0.",
        "The slope of Huber's total loss at c is the sum of (c − y_n) cut at ±delta. It never falls as c grows; it is at most 0 at the smallest y and at least 0 at the largest.",
        "mean, median; for huber: low, high = y.min(), y.max(), then 100 times the middle: where np.clip(middle - y, -delta, delta).sum() < 0 it becomes low, else high.",
    ),
    minutes=20,
    difficulty=4,
)


# ---- quantile_loss_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    low, high = float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.7, 0.9))
    dy = np.array(float(rng.uniform(0.5, 2.0)))
    return [
        case("tau below ½, forward and gradient", *_pair(rng, 4), low, dy, op="torch"),
        case("tau = ½: half the absolute error", *_pair(rng, 2), 0.5, dy, op="torch"),
        case("tau above ½, forward and gradient", *_pair(rng, 3), high, dy, op="torch"),
        edge("every prediction too low", np.zeros(2), np.round(rng.uniform(0.5, 2.0, size=2), 2), low, dy, op="torch", trap="one side only"),
        edge("every prediction too high", np.zeros(2), np.round(rng.uniform(-2.0, -0.5, size=2), 2), low, dy, op="torch", trap="one side only"),
        edge("losses near 1e8", *_huge(rng, [2e8, -3e8]), high, dy, op="torch"),
        edge("N = 1", *_pair(rng, 1), low, dy, op="torch"),
    ]


def _quantile(below: Wrong, above: Wrong, reduce: str = "mean") -> Wrong:
    """below, above: steepness where the prediction is too low, too high."""

    def wrong(predictions: Any, targets: Any, tau: float) -> Any:
        import torch

        u = targets - predictions
        losses = torch.where(u > 0, below(tau) * u, -above(tau) * u)
        return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduce]()

    return wrong


def _detached(predictions: Any, targets: Any, tau: float) -> Any:
    return lib.quantile_loss_in_torch(predictions.detach(), targets.detach(), tau) + 0 * (predictions.sum() + targets.sum())


def _through_numpy(predictions: Any, targets: Any, tau: float) -> Any:
    return lib.quantile_loss_in_torch(predictions.detach(), targets.detach(), tau)


def _one_side(predictions: Any, targets: Any, tau: float) -> Any:
    u = targets - predictions
    return (tau * u if u.mean() > 0 else (tau - 1) * u).mean()


def _squared_quantile(predictions: Any, targets: Any, tau: float) -> Any:
    import torch

    u = targets - predictions
    return torch.where(u > 0, tau * u * u, (1 - tau) * u * u).mean()


def _minimum(predictions: Any, targets: Any, tau: float) -> Any:
    import torch

    u = targets - predictions
    return torch.minimum(tau * u, (tau - 1) * u).mean()


quantile_loss_in_torch = Exercise(
    reference=lib.quantile_loss_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("one side only", "losses near 1e8", "N = 1"),
    misconceptions=(
        Misconception("the two sides swapped", _quantile(lambda t: 1 - t, lambda t: t), "For tau = 0.9 nearly all targets should lie BELOW the best constant, so a prediction that is too low must cost more than one that is too high. Yours is the other way round."),
        Misconception("twice too steep", _quantile(lambda t: 2 * t, lambda t: 2 * (1 - t)), "The two sides stand in the right proportion, but both are twice too steep: their steepnesses should add up to 1."),
        Misconception("one steepness for both sides", _quantile(lambda t: t, lambda t: t), "Both sides of your loss are equally steep, so its best constant is the median whatever tau is. Which of the two sides must weigh more?", (_quantile(lambda t: 1 - t, lambda t: 1 - t), _quantile(lambda t: 1.0, lambda t: 1.0))),
        Misconception("one side not weighted", _quantile(lambda t: t, lambda t: 1.0), "One of the two sides has the steepness 1. They must add up to 1.", (_quantile(lambda t: 1.0, lambda t: 1 - t), _quantile(lambda t: t, lambda t: 0.0), _quantile(lambda t: 0.0, lambda t: 1 - t))),
        Misconception("a negative loss", _quantile(lambda t: t, lambda t: t - 1), "On one side your loss is negative and falls without end: an error must cost something on both sides. Check the sign of the residual there.", (_quantile(lambda t: -t, lambda t: 1 - t), _quantile(lambda t: t, lambda t: -t), _minimum)),
        Misconception("sum over the batch", _quantile(lambda t: t, lambda t: 1 - t, "sum"), "The loss is the mean over the batch; you return the sum."),
        Misconception("not reduced", _quantile(lambda t: t, lambda t: 1 - t, "none"), "You return one loss per example: take their mean at the end."),
        Misconception("squared", _squared_quantile, "You weight the squares of the residuals; that gives expectiles. A quantile counts how many targets lie on each side, so the loss is straight on both."),
        Misconception("gradient cut off", _detached, "The value is right, but no gradient reaches the predictions: something was detached or turned into a number or an array on the way (.detach(), .item(), .numpy(), torch.tensor of a tensor).", (_through_numpy,)),
        Misconception("one side for the whole batch", _one_side, "You decide once, for the whole batch, whether predictions are too low or too high. Each entry decides for itself: torch.where chooses entry by entry."),
    ),
    hints=(
        "Let a be the steepness where the prediction is too low, b where it is too high. A share tau of the targets lies below the best constant: when do the pulls balance?",
        "tau · b = (1 − tau) · a and a + b = 1: solve for a and b. torch.where or torch.maximum chooses the side for every entry.",
        "u = targets - predictions; torch.maximum(tau * u, (tau - 1) * u).mean().",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="regression_losses",
    assignment="3_losses",
    title="Losses of regression",
    exercises=(mse, mse_grad, mae, mae_grad, huber, huber_grad, minimise_location, quantile_loss_in_torch),
    written=(Written("when_robust_is_wrong", points=2, minutes=10),),
)
