"""Judges of random answers: right is whatever follows the stated law, in any way of drawing.

Judge                           exercise called as                       arrays judged
"dropout_distribution"          (x, p, *, training, rng)                 y, mask of x's shape (N, D)
"spatial_dropout_distribution"  (x, p, *, training, rng)                 x (N, C, H, W), mask (N, C, 1, 1)
"dropconnect_distribution"      (x, W, b, p, *, training, rng)           mask (N, D, M)
"mask_backward"                 (dy, mask)                               dy * mask: nothing random, but a fresh mask is named
"gaussian_noise_distribution"   (x, sigma, *, rng)                       y (N, D); N and D even, sigma > 0 and away from 1 (in noise.py)

A case is the script that `repeated_calls` makes of the arguments: half the calls share one generator, half have a seed of their own, and one
of these is repeated. x comes from Double("sample"), so that it need not be stored; it holds zeros. training=False, p = 0 and sigma = 0 are
certain and belong in cases of the judge "equal". Option: share, the part of ALPHA that this case may spend; the default is for six cases of an
exercise (two in a public round, two in each of two hidden ones).

    Case(label, tier, repeated_calls((Double("sample", {"shape": (24, 40), "seed": 7}), 0.2), calls=64, seed=8, training=True), judge="dropout_distribution")

Each judge asks first what is certain (contract, the mask's two values, y against the mask, one generator and no other), then counts. A right
sampler is refused with a probability of at most ALPHA per exercise: docs/random_answers.md derives it. The failure's code is the kind of
mistake; a misconception of a random exercise is named where the codes agree. `CODES`, here and in noise.py, lists them with what they advise.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.calls import Step
from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import Tolerance, as_numbers, close, compare
from class4lib.doubles import DOUBLES
from class4lib.judges.counts import Ledger, agreements, bounds, call_agreements, central
from class4lib.judging import judge_as, raised
from class4lib.values import Double

ALPHA = 1e-9  # chance of refusing a right answer, per exercise, all its cases together
SHARE = 1 / 6

CODES = {
    "not rescaled": "What is kept goes on as it is, so the expectation of y is smaller than x. What must the kept entries be multiplied by to make up for the dropped ones? The mask holds that factor.",
    "factor 1/p": "What is kept is multiplied by 1/p. Here p is the probability to DROP: which probability is it that an entry survives?",
    "rescaled twice": "The kept entries grow twice. Once is enough to keep the expectation.",
    "shrunk": "The kept entries shrink; then the expectation is even smaller than without any rescaling. Should they grow or shrink, to make up for the dropped ones?",
    "factor": "Check the expectation of one entry: probability to keep it, times its factor, must be 1.",
    "many factors": "A mask has two values only: an entry is dropped or it is kept, and everything kept has the same factor.",
    "mask without the factor": "y is right, but the mask that you return holds 0 and 1. It is the factor of each entry, rescaling included: backward will multiply by it and nothing else.",
    "y not rescaled": "The mask is right, y is not: multiply x by the very mask that you return.",
    "y rescaled twice": "The mask holds the factor already, and y is rescaled once more.",
    "mask not applied": "y is x itself although the mask has zeros: multiply by the mask.",
    "another mask": "y has its zeros elsewhere than the mask that you return: draw once, use that mask and return it.",
    "mask per pixel": "A pixel is dropped while its neighbour in the same map stays. One draw decides about a whole map of one example.",
    "bias dropped": "Without the bias y would be right: the bias is added after dropping, whole.",
    "y": "Compute y from the very mask that you return, as the docstring says.",
    "global state": "NumPy's global generator moved during the call. Draw from the argument rng, as rng.random(...) does, and from nothing else.",
    "not repeatable": "Two calls with equal generators gave different results: draw from the argument rng and from nothing else, and make no generator of your own.",
    "same every call": "Whatever generator is given, the result is the same: the draws do not come from rng. Do you make a generator with a fixed seed?",
    "not advanced": "Two calls in a row with one generator gave the same result. Draw from rng itself: a copy does not move it on.",
    "few seeds": "Two calls that should be independent gave the very same result: draw from rng itself, not from a generator seeded with a number of a few possible values.",
    "one draw per call": "All entries are dropped together. Every entry has a draw of its own: how many random numbers do you draw?",
    "one mask": "Every example of the batch has the same mask: draw for the whole batch, not for one example.",
    "one draw per example": "Whole examples are dropped or kept. Every entry of an example has a draw of its own.",
    "units dropped": "All weights into one unit are dropped together: that is dropout on the outputs. Every WEIGHT of every example has a draw of its own.",
    "inputs dropped": "All weights out of one input are dropped together: that is dropout on the inputs. Every WEIGHT of every example has a draw of its own.",
    "zeros of x": "Where x is 0 the mask is 0 in every call. The mask is drawn, not read off y: a kept 0 stays 0 as well.",
    "fixed number": "The number of dropped entries is the same every time. Independent draws let it vary; do not choose a fixed number, each entry decides for itself.",
    "swapped": "About as many are dropped as should be kept. p is the probability to DROP: look at the comparison.",
    "rate": "The share of zeros is not p, the probability to DROP. How often is your comparison true?",
    "unequal": "Some places are dropped more often than others. Every entry has the same chance, whatever x is there.",
    "dependent": "The entries are not independent of each other: each needs a random number of its own, for every entry of every example.",
    "dependent calls": "Calls are not independent of each other: draw anew in every call, from rng.",
}  # fmt: skip


def repeated_calls(args: tuple[Any, ...], *, calls: int, seed: int, **kwargs: Any) -> tuple[Step, ...]:
    """Steps that call the exercise `calls` times with these arguments, and once more as the last with a generator it has had before."""
    half = calls // 2
    rngs = [Double("shared_rng", {"name": "the shared generator", "seed": seed})] * half + [
        Double("rng", {"seed": seed + 1 + i}) for i in range(calls - half)
    ]
    return tuple(Step("", args, {**kwargs, "rng": rng}) for rng in [*rngs, rngs[-1]])


# ---- layers that drop ------------------------------------------------------------------------------------------------
@judge_as("dropout_distribution")
def dropout_distribution(
    case: Case, records: Sequence[Record], sheet: Sheet, ledger: Ledger | None = None
) -> Failure | None:
    """dropout: y = x * mask, one independent draw per entry."""
    x = arguments(case, sheet)["x"]
    n, d = x.shape
    others = {
        (d,): "one mask",
        (1, d): "one mask",
        (n,): "one draw per example",
        (n, 1): "one draw per example",
        (): "one draw per call",
    }
    return _dropped(case, records, sheet, x.shape, others, lambda mask: mask * x, x, ledger)


@judge_as("spatial_dropout_distribution")
def spatial_dropout_distribution(
    case: Case, records: Sequence[Record], sheet: Sheet, ledger: Ledger | None = None
) -> Failure | None:
    """spatial_dropout: y = x * mask, one independent draw per map of each example."""
    x = arguments(case, sheet)["x"]
    n, c = x.shape[:2]
    others = {
        x.shape: "mask per pixel",
        (1, c, 1, 1): "one mask",
        (c, 1, 1): "one mask",
        (n, 1, 1, 1): "one draw per example",
        (): "one draw per call",
    }
    return _dropped(case, records, sheet, (n, c, 1, 1), others, lambda mask: mask * x, x, ledger)


@judge_as("dropconnect_distribution")
def dropconnect_distribution(
    case: Case, records: Sequence[Record], sheet: Sheet, ledger: Ledger | None = None
) -> Failure | None:
    """dropconnect: y_n = x_n @ (mask_n * W) + b, one independent draw per weight of each example."""
    given = arguments(case, sheet)
    x, W, b = given["x"], given["W"], given["b"]
    n, (d, m) = len(x), W.shape
    others = {
        (d, m): "one mask",
        (1, d, m): "one mask",
        (n, m): "units dropped",
        (n, 1, m): "units dropped",
        (n, d): "inputs dropped",
        (n, d, 1): "inputs dropped",
        (): "one draw per call",
    }

    def outputs(mask: ndarray) -> ndarray:
        return np.einsum("nd,cndm,dm->cnm", x, mask, W) + b

    failure = _dropped(case, records, sheet, (n, d, m), others, outputs, None, ledger)
    if failure and failure.code == "y":
        y, mask = (np.stack([r["value"][i] for r in records]) for i in (0, 1))
        if (
            np.isclose(y - outputs(mask), np.where(b == 0, 0.0, -b)).mean() > 0.05
        ):  # entries from which the whole bias is missing
            return Failure("bias dropped", failure.text, failure.step, advice=CODES["bias dropped"])
    return failure


def arguments(case: Case, sheet: Sheet) -> dict[str, Any]:
    """The arguments of the first step by name, doubles of arrays made."""
    step = case.script[0]
    given = {**dict(zip(sheet.parameters, step.args, strict=False)), **step.kwargs}
    made = {
        k: DOUBLES[v.kind](None, **v.params) if isinstance(v, Double) and v.kind == "sample" else v
        for k, v in given.items()
    }
    return {k: np.asarray(v, dtype=float) if isinstance(v, ndarray) else v for k, v in made.items()}


def split(case: Case) -> tuple[int, list[int], tuple[int, int]]:
    """(number of calls with the shared generator, steps that are different calls, the pair with equal generators)."""
    rngs = [s.kwargs["rng"] for s in case.script]
    last = len(rngs) - 1
    return sum(r.kind == "shared_rng" for r in rngs), list(range(last)), (rngs.index(rngs[last]), last)


def contract(case: Case, records: Sequence[Record], sheet: Sheet, expected: Any) -> Failure | None:
    """The first step whose result has another shape, kind or dtype than expected, or is not finite."""
    for i, record in enumerate(records):
        found = [m for m in compare(expected, record["value"], Tolerance(), sheet.returns) if m.kind != "value"]
        if found:
            return Failure(found[0].kind, "; ".join(m.text for m in found[:3]), i, tuple(found))
    return None


def only_unchanged(records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """The failure of the first step that changed an argument other than rng, or None."""
    for i, record in enumerate(records):
        changed = [c for c in record.get("changed", []) if c != "rng"]
        if changed:
            names = [
                c if isinstance(c, str) else sheet.parameters[c] if c < len(sheet.parameters) else f"argument {c + 1}"
                for c in changed
            ]
            return Failure(
                "changed", f"{' and '.join(names)} was changed in place: inputs must come out as they went in", i
            )
    return None


def only_from_rng(
    case: Case, records: Sequence[Record], sheet: Sheet, results: ndarray, codes: dict[str, str]
) -> Failure | None:
    """Arguments untouched, the global generator unmoved, equal generators give equal results; results: of every step."""
    failure = only_unchanged(records, sheet)
    if failure:
        return failure
    for i, record in enumerate(records):
        if record.get("global_random"):
            return Failure(
                "global state", "NumPy's global random state was changed by the call", i, advice=codes["global state"]
            )
    first, again = split(case)[2]
    if not np.array_equal(results[first], results[again]):
        return Failure(
            "not repeatable",
            f"calls {first + 1} and {again + 1} had equal generators and gave different results",
            again,
            advice=codes["not repeatable"],
        )
    return None


def _dropped(
    case: Case,
    records: Sequence[Record],
    sheet: Sheet,
    shape: tuple[int, ...],
    others: dict[tuple[int, ...], str],
    outputs: Callable[[ndarray], ndarray],
    x: ndarray | None,
    ledger: Ledger | None,
) -> Failure | None:
    """What the layers have in common. shape: of the mask; others: shape of a wrong mask -> code; outputs: y of stacked masks; x: where it has zeros."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    p = float(arguments(case, sheet)["p"])
    for i, record in enumerate(records):
        value = record["value"]
        mask = as_numbers(value[1]) if isinstance(value, list | tuple) and len(value) == 2 else None
        if mask is not None and mask.shape != shape and mask.shape in others:
            code = others[mask.shape]
            return Failure(code, f"mask must have shape {shape}, got shape {mask.shape}", i, advice=CODES[code])
    y_shape = outputs(np.ones((1, *shape))).shape[1:]
    failure = contract(case, records, sheet, (np.zeros(y_shape), np.zeros(shape)))
    if failure:
        return failure
    y, mask = (np.stack([np.asarray(as_numbers(r["value"][i]), dtype=float) for r in records]) for i in (0, 1))
    failure = (
        _mask_values(mask, y, p, outputs)
        or _y_of_mask(mask, y, p, outputs, x)
        or only_from_rng(case, records, sheet, mask, CODES)
    )
    if failure:
        return failure
    shared, calls, _ = split(case)
    drawn = (mask[calls] == 0).reshape(len(calls), *(s for s in shape if s > 1))
    ledger = ledger if ledger is not None else Ledger()
    examine_masks(drawn, p, float(case.options.get("share", SHARE)) * ALPHA, shared, ledger)
    if not ledger.failures:
        return None
    code, text = _diagnosed(drawn, p, shared, x, ledger)
    return Failure(code, f"{text} (over {len(calls)} calls with p = {p:.3g})", advice=CODES[code])


def _mask_values(mask: ndarray, y: ndarray, p: float, outputs: Callable[[ndarray], ndarray]) -> Failure | None:
    kept, values = 1.0 / (1.0 - p), np.unique(mask[mask != 0].round(12))
    if len(values) and np.all(np.abs(values - kept) <= 1e-8 * kept):
        return None
    if len(values) == 1:
        known = {"not rescaled": 1.0, "factor 1/p": 1.0 / p, "rescaled twice": kept**2, "shrunk": 1.0 - p}
        code = next((c for c, v in known.items() if abs(values[0] - v) <= 1e-8 * v), "factor")
        if code == "not rescaled" and _near(outputs(mask * kept), y):
            code = "mask without the factor"
        text = f"the mask's kept entries are {values[0]:.6g}, expected {kept:.6g}, which is 1/(1-p) for p = {p:.3g}"
    else:
        code, text = (
            (
                "many factors",
                f"the mask holds {len(values)} different values besides 0, such as {values[0]:.6g} and {values[-1]:.6g}; expected are 0 and {kept:.6g}",
            )
            if len(values)
            else ("rate", "the mask is 0 everywhere, in every call")
        )
    return Failure(code, text, advice=CODES[code])


def _y_of_mask(
    mask: ndarray, y: ndarray, p: float, outputs: Callable[[ndarray], ndarray], x: ndarray | None
) -> Failure | None:
    right = outputs(mask)
    if _near(right, y):
        return None
    step = int(np.argmax(np.abs(right - y).reshape(len(y), -1).max(axis=1)))
    code = next(
        (
            c
            for c, m in {
                "y not rescaled": mask * (1.0 - p),
                "y rescaled twice": mask / (1.0 - p),
                "mask not applied": np.ones_like(mask),
            }.items()
            if _near(outputs(m), y)
        ),
        "y",
    )
    if code == "y" and x is not None and ((right == 0) != (y == 0)).any():
        maps = ((y == 0) & (x != 0)).reshape(*y.shape[:3], -1) if x.ndim == 4 else np.zeros((1, 1))
        code = (
            "mask per pixel"
            if x.ndim == 4 and (maps.any(axis=3) & ((y != 0).reshape(*y.shape[:3], -1)).any(axis=3)).any()
            else "another mask"
        )
    return Failure(code, "y is not what the returned mask makes of x", step, advice=CODES[code])


def _near(expected: ndarray, got: ndarray) -> bool:
    return bool(close(expected, got, Tolerance()).all())


def examine_masks(dropped: ndarray, p: float, alpha: float, shared: int, ledger: Ledger) -> None:
    """Count in masks what independent draws with P(drop) = p fix the law of; a right sampler fails with a probability of at most alpha.

    Args:
        dropped: booleans (calls, N, ...), True where the mask is 0; of the calls the first `shared` used one generator.
        p: in (0, 1).
        alpha: shared equally by eight families of counts.
        shared: number of calls that share their generator.
        ledger: takes the failures, most telling families first.
    """
    calls, *shape = dropped.shape
    n, row = math.prod(shape), math.prod(shape[1:])
    flat, level = dropped.reshape(calls, n), alpha / 8
    subsets = [s for size in range(1, len(shape) + 1) for s in itertools.combinations(range(1, dropped.ndim), size)]
    # 1 the share of zeros; 2 at each index of every set of axes; 3 at each position. x is the same in all calls: dependence on x shows here
    ledger.count("rate", "dropped entries", np.count_nonzero(flat), flat.size, p, level)
    for kept in subsets[:-1]:
        counts = dropped.sum(axis=tuple(a for a in range(dropped.ndim) if a not in kept))
        ledger.count(
            "unequal",
            f"dropped entries at one index of {_axes(kept)}",
            counts,
            flat.size // counts.size,
            p,
            level / (len(subsets) - 1),
        )
    ledger.count("unequal", "times that one entry is dropped", flat.sum(axis=0), calls, p, level)
    # 4 how the NUMBER of zeros in a block varies, over every set of axes; 5 blocks wholly dropped or wholly kept
    same = p * p + (1.0 - p) ** 2
    for subset in subsets:
        size, counts = math.prod(dropped.shape[a] for a in subset), dropped.sum(axis=subset)
        low, high, inside = central(size, p)
        where = "calls" if len(subset) == len(shape) else f"blocks along {_axes(subset)}"
        ledger.count(
            "dependent",
            f"{where} with {low} to {high} of {size} entries dropped",
            np.count_nonzero((counts >= low) & (counts <= high)),
            counts.size,
            inside,
            level / len(subsets),
        )
        for what, k, chance in (("dropped", size, p**size), ("kept", 0, (1.0 - p) ** size)):
            if chance * counts.size > 1e-30:
                ledger.count(
                    "dependent",
                    f"{where} wholly {what}",
                    np.count_nonzero(counts == k),
                    counts.size,
                    chance,
                    level / (2 * len(subsets)),
                )
    # 6 pairs of entries at a distance; 7 pairs of calls
    lags, agree, pairs = agreements(flat, row)
    if len(lags):
        ledger.count(
            "dependent",
            "pairs of entries at a fixed distance that are dropped or kept together",
            agree,
            pairs,
            same,
            level,
        )
    for name, group in (("with one generator", flat[:shared]), ("with different seeds", flat[shared:])):
        for lag in (1, 2):
            k, total = call_agreements(group, lag)
            ledger.count("dependent calls", f"entries that agree between two calls {name}", k, total, same, level / 4)
    # 8 two calls wholly equal
    chance = math.comb(calls, 2) * same**n
    if chance <= level:
        equal = len(np.unique(np.packbits(flat, axis=1), axis=0)) < calls
        ledger.certain("few seeds", "two different calls gave the very same mask" if equal else "", chance)


def _axes(axes: tuple[int, ...]) -> str:
    return f"ax{'is' if len(axes) == 1 else 'es'} {' and '.join(str(a - 1) for a in axes)}"


def _diagnosed(dropped: ndarray, p: float, shared: int, x: ndarray | None, ledger: Ledger) -> tuple[str, str]:
    """(code, text) of masks that are refused already: a pattern that needs no chance to be seen, else the first family that failed."""
    calls = len(dropped)
    flat = dropped.reshape(calls, -1)
    rows = dropped.reshape(*dropped.shape[:2], -1)
    patterns: dict[str, tuple[Callable[[], Any], str]] = {
        "same every call": (lambda: (flat[shared:] == flat[shared]).all(), "calls with generators of different seeds gave the same mask"),
        "not advanced": (lambda: (flat[:shared] == flat[0]).all(), "calls that go on with one generator gave the same mask"),
        "one draw per call": (lambda: (flat == flat[:, :1]).all(), "in every call all entries are dropped or all are kept"),
        "one mask": (lambda: (dropped == dropped[:, :1]).all(), "in every call all examples have the same mask"),
        "one draw per example": (lambda: (rows == rows[:, :, :1]).all(), "every example is dropped or kept as a whole"),
        "units dropped": (lambda: dropped.ndim == 4 and (dropped == dropped[:, :, :1]).all(), "all weights into a unit are dropped or kept together"),
        "inputs dropped": (lambda: dropped.ndim == 4 and (dropped == dropped[..., :1]).all(), "all weights out of an input are dropped or kept together"),
        "zeros of x": (lambda: x is not None and x.shape == dropped.shape[1:] and dropped[:, x == 0].all(), "wherever x is 0 the mask is 0, in every call"),
        "fixed number": (lambda: len(np.unique(flat.sum(axis=1))) == 1 or len(np.unique(rows.sum(axis=2))) == 1, "the number of dropped entries never varies"),
    }  # fmt: skip
    for code, (seen, text) in patterns.items():
        if seen():
            return code, text
    few = [t for f, t in ledger.failures if f == "few seeds"]
    family, text = ("few seeds", few[0]) if few else ledger.failures[0]
    low, high = bounds(flat.size, 1.0 - p, 1e-9)
    return ("swapped", text) if family == "rate" and low <= np.count_nonzero(flat) <= high else (family, text)


# ---- backward: nothing random, but a fresh mask must be told from other mistakes -----------------------------------------
@judge_as("mask_backward")
def mask_backward(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """(dy, mask) -> dy * mask, the mask as it is or broadcast. The codes tell what came back instead, also where it was drawn anew."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    given = arguments(case, sheet)
    dy, mask = np.broadcast_arrays(given["dy"], given["mask"])
    dx = as_numbers(records[0]["value"])
    if dx is not None and dx.shape == dy.shape and dx.dtype.kind == "f":
        with np.errstate(all="ignore"):
            known = {"mask ignored": dy, "factor forgotten": dy * (mask > 0), "mask applied twice": dy * mask**2}
            divided = mask.any() and _near((dy / mask)[mask > 0], dx[mask > 0])
            ratio = dx[dy != 0] / dy[dy != 0]
        wrong = not _near(dy * mask, dx)
        code = next((c for c, v in known.items() if _near(v, dx)), "divided" if divided else "")
        if wrong and not code and np.isfinite(ratio).all() and len(np.unique(ratio.round(9))) <= 2:
            other = ((ratio != 0) != (mask[dy != 0] != 0)).any()  # zeros elsewhere than in the mask
            opposite = ((ratio != 0) == (mask[dy != 0] == 0)).all()
            code = ("swapped" if opposite and mask.any() else "fresh mask") if other else ""
        if wrong and code:
            return Failure(code, "; ".join(m.text for m in compare(dy * mask, dx)), advice=BACKWARD[code])
    found = compare(dy * mask, records[0]["value"])
    if found:
        return Failure(found[0].kind, found[0].text, 0, tuple(found))
    return only_unchanged(records, sheet)


BACKWARD = {
    "fresh mask": "The gradient is 0 elsewhere than the mask: use the mask that the forward pass used, and draw nothing.",
    "mask ignored": "No gradient comes back to a dropped entry: where is the mask in your result?",
    "factor forgotten": "The zeros are right; the factor of what was kept belongs to the derivative too.",
    "mask applied twice": "The mask is the whole derivative of y in x: once is enough.",
    "divided": "y is the mask times x: its derivative is not one over the mask.",
    "swapped": "The gradient goes through where the entry was dropped.",
}
