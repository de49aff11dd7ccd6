"""attains: right is a constant that attains the least loss. Where the minimisers fill an interval, any of them will do."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import compare
from class4lib.judging import changed_inputs, judge_as, raised

WITHIN = 1e-6


def minimisers(y: ndarray, loss: str, delta: float) -> tuple[float, float]:
    """The interval of constants with the least total loss; both ends are equal where there is one.

    Huber's total loss has a slope that is straight between the 2N knots y ± delta, so its zero is found exactly, without a search.
    """
    if loss == "mse":
        return float(y.mean()), float(y.mean())
    if loss == "mae":
        ordered = np.sort(y)
        return float(ordered[(len(y) - 1) // 2]), float(ordered[len(y) // 2])
    knots = np.sort(np.concatenate([y - delta, y + delta]))
    slopes = np.clip(knots[:, None] - y, -delta, delta).sum(axis=1)
    flat = knots[np.abs(slopes) <= 1e-12 * delta * len(y)]
    if len(flat):
        return float(flat[0]), float(flat[-1])
    i = int((slopes < 0).sum()) - 1
    c = float(knots[i] - slopes[i] * (knots[i + 1] - knots[i]) / (slopes[i + 1] - slopes[i]))
    return c, c


def _total(y: ndarray, loss: str, delta: float, c: float) -> float:
    r = np.abs(c - y)
    return float(
        {"mse": r * r / 2, "mae": r, "huber": np.minimum(r, delta) * (r - np.minimum(r, delta) / 2)}[loss].sum()
    )


def _one_step(y: ndarray, delta: float, start: float) -> float:
    return start + float(np.clip(y - start, -delta, delta).mean())


def _kept(y: ndarray, delta: float, start: float) -> float:
    near = y[np.abs(y - start) <= delta]
    return float(near.mean()) if len(near) else start


# code -> numbers that are not the answer and that somebody may take for it; the first that fits gives the failure its code
_TAKEN_FOR_IT: dict[str, Callable[[ndarray, str, float, tuple[float, float]], list[float]]] = {
    "mean": lambda y, loss, delta, best: [float(y.mean())],
    "median": lambda y, loss, delta, best: [float(np.median(y))],
    "between": lambda y, loss, delta, best: [float(np.median(y) + y.mean()) / 2],
    "other delta": lambda y, loss, delta, best: [c for c in minimisers(y, "huber", 1.0) if loss == "huber"],
    "one step": lambda y, loss, delta, best: [_one_step(y, delta, s) for s in (float(np.median(y)), float(y.mean()))],
    "dropped": lambda y, loss, delta, best: [_kept(y, delta, s) for s in (float(np.median(y)), float(y.mean()))],
    "loss": lambda y, loss, delta, best: [t := _total(y, loss, delta, best[0]), t / len(y), 2 * t, 2 * t / len(y)],
    "observation": lambda y, loss, delta, best: list(map(float, y)),
}


@judge_as("least_loss")
def least_loss(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """minimise_location(y, loss, delta=1.0): the result lies within 1e-6 of a minimiser of the total loss over y."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    value = records[0]["value"]
    wrong = [m for m in compare(0.0, value) if m.is_contract or m.kind == "finite"]
    if wrong:
        return Failure(wrong[0].kind, wrong[0].text, 0, tuple(wrong))
    y, loss, delta = _arguments(case, sheet)
    c, (low, high) = float(value), minimisers(y, loss, delta)
    distance = max(low - c, c - high, 0.0)
    if distance <= WITHIN:
        return changed_inputs(case, records, sheet)
    side = "left" if c > high else "right"
    text = f"{c:.6g} is not where the total {loss} loss is least: a step to the {side} still lowers it"
    for code, numbers in _TAKEN_FOR_IT.items():
        if any(abs(c - n) <= max(1e-9, 1e-12 * abs(n)) for n in numbers(y, loss, delta, (low, high))):
            return Failure(code, text, advice=_advice(loss, side))
    if distance <= 0.01 * float(np.ptp(y)):
        return Failure(
            "near",
            f"{text}. It is near, but further than 1e-6 from the nearest minimiser",
            advice=f"{_advice(loss, side)} {_NEAR}",
        )
    return Failure("far", text, advice=_advice(loss, side))


_NEAR = "It has come near: a grid is as coarse as its step, a descent can end early or rattle, and comparing loss VALUES is blind near the bottom. The sign of the slope is sharp everywhere."


def _advice(loss: str, side: str) -> str:
    return f'For "{loss}" the constant is not the best one in every case: somewhere a step to the {side} still lowers the total loss. At the best constant the pulls of all observations add up to 0 (or change sign).'


def _arguments(case: Case, sheet: Sheet) -> tuple[ndarray, str, float]:
    step = case.script[0]
    given: dict[str, Any] = {"delta": 1.0, **dict(zip(sheet.parameters, step.args, strict=False)), **step.kwargs}
    return np.asarray(given["y"], dtype=float), given["loss"], float(given["delta"])
