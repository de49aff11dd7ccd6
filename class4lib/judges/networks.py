"""Judges of weights by the net they make: its layers and widths, then what it draws on an interval. Any right weights pass.

A failure's code is a fingerprint: of the shapes, or of the curve. So two nets that draw the same curve are the same mistake, whatever their
weights. `pieces` judges a number of linear pieces; its code is the number.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import as_numbers, compare, kind_of
from class4lib.judging import changed_inputs, judge_as, raised

WITHIN = 1e-9  # of the largest value drawn, or of 1
TWO_LISTS = "Return two lists of the same length, `return weights, biases`: a matrix and a vector for every layer, the output layer included."
SHAPES = "Layer l needs weights[l] with as many rows as it has inputs and as many columns as it has units, and biases[l] with one entry per unit. Write the shapes of all of them down, from the single input to the single output."


@judge_as("draws_points")
def draws_points(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """(knots, values): one hidden layer, straight between the points. Options: at, further places as shares of the interval."""
    given = _arguments(case, sheet)
    knots, values = np.asarray(given["knots"], dtype=float), np.asarray(given["values"], dtype=float)
    x = np.unique(
        np.concatenate([knots, (knots[:-1] + knots[1:]) / 2, knots[0] + case.options["at"] * (knots[-1] - knots[0])])
    )
    net = _net(case, records, sheet, [None])
    return (
        net
        if isinstance(net, Failure)
        else _drawn(net, x, np.interp(x, knots, values), knots, sheet.name) or changed_inputs(case, records, sheet)
    )


@judge_as("draws_tents")
def draws_tents(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """(depth): the tent map composed depth times on [0, 1]. Options: hidden, the widths of the hidden layers; at, further places."""
    depth = _arguments(case, sheet)["depth"]
    knots = np.arange(2**depth + 1) / 2**depth
    x = np.unique(np.concatenate([knots, (knots[:-1] + knots[1:]) / 2, case.options["at"]]))
    y = x
    for _ in range(depth):
        y = np.minimum(2 * y, 2 - 2 * y)
    net = _net(case, records, sheet, case.options["hidden"])
    return (
        net
        if isinstance(net, Failure)
        else _drawn(net, x, y, knots, sheet.name) or changed_inputs(case, records, sheet)
    )


@judge_as("pieces")
def pieces(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """A whole number. Options: pieces, the right one."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    expected, value = case.options["pieces"], records[0]["value"]
    wrong = compare(expected, value)
    if not wrong:
        return changed_inputs(case, records, sheet)
    if wrong[0].kind != "value":
        return Failure(wrong[0].kind, wrong[0].text, 0, tuple(wrong))
    got = float(as_numbers(value))  # type: ignore[arg-type]
    text = f"counted {got:g} {'piece' if got == 1 else 'pieces'}, expected {expected}"
    if got > 2 * expected + 2:
        return Failure(
            "counts far too many",
            text,
            advice="You count many times more pieces than there are: rounding errors are taken for kinks, as on a sampled grid. Compute the kinks from the weights instead; and slopes that differ by next to nothing are one piece, the docstring says by how much.",
        )
    if got < expected:
        return Failure(
            f"counts {got:g}",
            text,
            advice="A piece is missed. Every unit of every hidden layer can bend the curve, wherever its pre-activation changes sign, and a piece may be very narrow: find those places from the weights, layer by layer.",
        )
    return Failure(
        f"counts {got:g}",
        text,
        advice="Too many pieces. Not every place where some unit switches is a kink of the OUTPUT: compare the slopes on its two sides, and look whether it lies inside the interval.",
    )


def _arguments(case: Case, sheet: Sheet) -> dict[str, Any]:
    step = case.script[0]
    return {**dict(zip(sheet.parameters, step.args, strict=False)), **step.kwargs}


Net = tuple[list[ndarray], list[ndarray]]


def _net(case: Case, records: Sequence[Record], sheet: Sheet, hidden: Sequence[int | None]) -> Net | Failure:
    """The net that was returned, with hidden layers of these widths (None: any), from one input to one output; or why it is none."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    value = records[0]["value"]
    if value is None:
        return Failure("missing", "the result is None: is a `return` missing?")
    code, lists = f"shapes {_outline(value)}", [_listed(part) for part in _listed(value) or []]
    if len(lists) != 2 or lists[0] is None or lists[1] is None:
        return Failure(
            code, f"the result must be two lists, weights and biases, got {kind_of(value)}", advice=TWO_LISTS
        )
    n = len(hidden) + 1
    if len(lists[0]) != n or len(lists[1]) != n:
        layers = f"{len(hidden)} hidden layer{'s' if len(hidden) > 1 else ''} and the output layer"
        return Failure(
            code,
            f"{layers} have {n} matrices and {n} vectors of biases, got {len(lists[0])} and {len(lists[1])}",
            advice=f"Count the layers: the net needs a matrix and a vector of biases for every hidden layer and for the output layer. {TWO_LISTS}",
        )
    weights, biases = [as_numbers(W) for W in lists[0]], [as_numbers(b) for b in lists[1]]
    n_in = 1
    for i, (W, b, width) in enumerate(zip(weights, biases, [*hidden, 1], strict=True)):
        for name, a, given in ((f"weights[{i}]", W, lists[0][i]), (f"biases[{i}]", b, lists[1][i])):
            if a is None or a.dtype.kind == "c":
                return Failure(code, f"{name} must be an array of real numbers, got {kind_of(given)}", advice=SHAPES)
            if a.dtype.kind == "f" and a.dtype.itemsize < 8:
                return Failure("dtype", f"{name} must be float64, got {a.dtype}")
        assert W is not None and b is not None
        if W.ndim != 2 or W.shape[0] != n_in or (width is not None and W.shape[1] != width):
            return Failure(
                code,
                f"weights[{i}] must have shape ({n_in}, {'any number' if width is None else width}), got {W.shape}",
                advice=SHAPES,
            )
        n_in = W.shape[1]
        if b.shape != (n_in,):
            return Failure(
                code,
                f"biases[{i}] must have shape ({n_in},), one bias for each of the layer's units, got {b.shape}",
                advice=SHAPES,
            )
        for name, a in ((f"weights[{i}]", W), (f"biases[{i}]", b)):
            if not np.isfinite(a).all():
                return Failure(
                    "not finite",
                    f"{name} holds inf or nan",
                    advice="Some weight is inf or nan. Where do you divide, and can what you divide by be 0?",
                )
    return [W.astype(float) for W in weights if W is not None], [b.astype(float) for b in biases if b is not None]


def _drawn(net: Net, x: ndarray, y: ndarray, knots: ndarray, name: str) -> Failure | None:
    """How what the net draws at x differs from y; the knots are where the curve bends."""
    a = x[:, None]
    with np.errstate(all="ignore"):
        for W, b in zip(net[0][:-1], net[1][:-1], strict=True):
            a = np.maximum(a @ W + b, 0.0)
        got = (a @ net[0][-1] + net[1][-1])[:, 0]
        scale = max(1.0, float(np.abs(y).max()))
        right = np.abs(got - y) <= WITHIN * scale
    if right.all():
        return None
    first = int(np.flatnonzero(~right)[0])
    text = f"the net draws another curve: at x = {x[first]:.6g} it gives {got[first]:.6g}, expected {y[first]:.6g} (right at {int(right.sum())} of {len(x)} places)"
    advice = f"Look at what your net draws: evaluate relu_network(x, *{name}(…)) on a fine grid and plot it. From which place on does the curve leave the right one, and by how much does its slope change there?"
    if right[np.isin(x, knots)].all():
        advice = "The curve is right at every point where it should bend, but not straight in between: some unit has its kink elsewhere."
    elif np.ptp(got - y) <= WITHIN * scale:
        advice = "The curve has the right shape everywhere and lies too high or too low by a constant. What does the net give where every hidden unit is off?"
    with np.errstate(all="ignore"):
        mark = float(np.cos(np.arange(len(x))) @ got) / scale / len(x)
    return Failure(f"draws {round(mark, 7) + 0.0:.7f}", text, advice=advice)


def _listed(value: Any) -> list[Any] | None:
    if isinstance(value, ndarray):
        return list(value) if value.ndim else None
    return list(value) if isinstance(value, list | tuple) else None


def _outline(value: Any, level: int = 0) -> str:
    """The shapes in a result: lists of lists of arrays."""
    if level < 2 and isinstance(value, list | tuple):
        return "[" + " ".join(_outline(v, level + 1) for v in value) + "]"
    array = as_numbers(value)
    return kind_of(value) if array is None else str(array.shape)
