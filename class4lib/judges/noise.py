"""Judge of additive Gaussian noise by its distribution; distribution.py says how its cases are made, and what is common to all random answers."""

import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import as_numbers
from class4lib.judges.counts import Ledger, agreements, call_agreements, even_chi_square
from class4lib.judges.distribution import ALPHA, SHARE, arguments, contract, only_from_rng, split
from class4lib.judges.distribution import CODES as SHARED_CODES
from class4lib.judging import judge_as, raised

_SHARED = ("global state", "not repeatable", "same every call", "not advanced", "few seeds", "dependent calls")
CODES = {code: SHARED_CODES[code] for code in _SHARED} | {
    "variance for deviation": "The noise has the deviation √sigma: sigma was taken for the variance. NumPy's normal takes the standard deviation.",
    "deviation squared": "The noise has the deviation sigma²: sigma is the standard deviation already.",
    "sigma ignored": "The noise has the deviation 1 for every sigma.",
    "not added": "y does not follow x: noise is added to x.",
    "multiplied": "Where x is 0 no noise arrives, and where x is large there is more of it: noise is ADDED, the same law everywhere.",
    "no noise": "y is x: nothing was added.",
    "one-sided": "The noise has one sign only: it should have mean 0.",
    "discrete": "The noise takes few values: normal noise is continuous.",
    "uniform": "The noise never goes beyond a bound of less than two deviations, as uniform noise does. Normal noise has tails: which method of rng draws it?",
    "clipped": "Values pile up at a bound: y, or the noise, is clipped. Nothing is to be cut off.",
    "shared": "Entries share their noise: draw an array of x's shape, one number per entry.",
    "recentred": "The noise sums to 0 every time. Independent noise has mean 0 only in expectation: do not subtract its mean.",
    "rescaled": "The noise has the same sum of squares every time. Independent noise has the deviation sigma only in expectation: do not divide by its own deviation.",
    "law": "The noise has not the distribution asked for: normal, mean 0, standard deviation sigma.",
    "unequal": "The noise is larger, or of one sign more often, in some places than in others. Every entry has the same law.",
    "dependent": "Entries of the noise depend on each other: each needs a draw of its own.",
}  # fmt: skip

NORMAL = statistics.NormalDist()
QUARTILE = NORMAL.inv_cdf(0.75)  # |e| is below it with probability 1/2
SIZES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 4.0)
THRESHOLDS = (*(s * z for z in SIZES for s in (-1, 1)), 0.0)


@judge_as("gaussian_noise_distribution")
def gaussian_noise_distribution(
    case: Case, records: Sequence[Record], sheet: Sheet, ledger: Ledger | None = None
) -> Failure | None:
    """add_gaussian_noise: y - x are independent, normal, of mean 0 and deviation sigma."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    given = arguments(case, sheet)
    x, sigma = given["x"], float(given["sigma"])
    failure = contract(case, records, sheet, np.zeros(x.shape))
    if failure:
        return failure
    y = np.stack([np.asarray(as_numbers(r["value"]), dtype=float) for r in records])
    failure = only_from_rng(case, records, sheet, y, CODES)
    if failure:
        return failure
    shared, calls, _ = split(case)
    ledger = ledger if ledger is not None else Ledger()
    e = (y[calls] - x) / sigma
    examine_noise(e, x == 0, float(case.options.get("share", SHARE)) * ALPHA, shared, ledger)
    if not ledger.failures:
        return None
    code, text = _diagnosed_noise(e, x, sigma, shared, ledger)
    return Failure(code, f"{text} (over {len(calls)} calls with sigma = {sigma:.3g})", advice=CODES[code])


@functools.cache
def _middle_half(freedom: int) -> tuple[float, float, float]:
    """(low, high, probability) of a chi-square near its quartiles (Wilson and Hilferty 1931); the probability is exact for these limits."""
    low, high = (
        freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3 for z in (-QUARTILE, QUARTILE)
    )
    return low, high, even_chi_square(high, freedom) - even_chi_square(low, freedom)


def examine_noise(e: ndarray, zero: ndarray, alpha: float, shared: int, ledger: Ledger) -> None:
    """Count in e (calls, N, D), N and D even, what independent standard normal numbers fix the law of; a right sampler fails with a probability of at most alpha.

    zero: (N, D), where x is 0. alpha is shared equally by seven families. The first `shared` calls used one generator.
    """
    calls, flat, level = len(e), e.reshape(len(e), -1), alpha / 7
    size = np.abs(flat)
    # 1 the distribution function: all entries, their sizes (both tails pooled), entries where x is 0
    for what, values, grid, pooled in (
        ("noise", flat, THRESHOLDS, False),
        ("noise, its sign left out,", size, SIZES, True),
        ("noise where x is 0", flat[:, zero.ravel()], (-2.0, -1.0, 0.0, 1.0, 2.0), False),
    ):
        for z in grid:
            ledger.count(
                "law",
                f"entries of the {what} up to {z:g} sigma",
                np.count_nonzero(values <= z),
                values.size,
                2.0 * NORMAL.cdf(z) - 1.0 if pooled else NORMAL.cdf(z),
                level / (3 * len(grid)),
            )
    positive, large = flat > 0, size > QUARTILE
    # 2 sign and size by row, column, position
    for what, grids in (("positive", positive), ("larger than 0.674 sigma", large)):
        for where, axes in (("row", (0, 2)), ("column", (0, 1)), ("place", (0,))):
            counts = grids.reshape(e.shape).sum(axis=axes)
            ledger.count(
                "unequal", f"entries of one {where} that are {what}", counts, e.size // counts.size, 0.5, level / 6
            )
    # 3 sums: recentred noise has none; 4 sums of squares: rescaled noise has always the same
    for where, axes in (("call", (1, 2)), ("row", (2,)), ("column", (1,))):
        terms = math.prod(e.shape[a] for a in axes)
        sums = e.sum(axis=axes) / math.sqrt(terms)
        inside = np.count_nonzero(np.abs(sums) < QUARTILE)
        ledger.count(
            "recentred" if inside > sums.size / 2 else "dependent",
            f"{where}s whose sum of noise is in the middle half",
            inside,
            sums.size,
            0.5,
            level / 3,
        )
        low, high, chance = _middle_half(terms)
        squares = (e * e).sum(axis=axes)
        inside = np.count_nonzero((squares > low) & (squares < high))
        ledger.count(
            "rescaled" if inside > chance * squares.size else "dependent",
            f"{where}s whose sum of squares is in the middle half",
            inside,
            squares.size,
            chance,
            level / 3,
        )
    # 5 pairs of entries; 6 pairs of calls
    for what, signs in (("sign", positive), ("size", large)):
        _, agree, pairs = agreements(signs, e.shape[2])
        ledger.count(
            "dependent", f"pairs of entries at a fixed distance that agree in {what}", agree, pairs, 0.5, level / 2
        )
        for where, group in (("with one generator", signs[:shared]), ("with different seeds", signs[shared:])):
            k, total = call_agreements(group, 1)
            ledger.count(
                "dependent calls", f"entries that agree in {what} between two calls {where}", k, total, 0.5, level / 4
            )
    # 7 no chance for continuous noise (floats repeat with a chance far below the level left): equal calls, few values
    few = len(np.unique(flat[:, :50])) < flat[:, :50].size / 2
    ledger.certain("discrete", "more than half of the values occur again" if few else "", level / 2)
    equal = len(np.unique(flat[:, :8], axis=0)) < calls
    ledger.certain("few seeds", "two different calls gave the very same noise" if equal else "", level / 2)


def _piled(values: ndarray) -> bool:
    """Whether values that are otherwise all different have one largest or one smallest many times."""
    v = values.ravel()
    low, high = v <= v.min() + 1e-9, v >= v.max() - 1e-9
    inner = v[~low & ~high].round(9)
    return max(low.sum(), high.sum()) >= 10 and len(np.unique(inner)) > len(inner) / 2


def _diagnosed_noise(e: ndarray, x: ndarray, sigma: float, shared: int, ledger: Ledger) -> tuple[str, str]:
    """(code, text) of noise that is refused already."""
    flat, noise = e.reshape(len(e), -1), e * sigma
    y = x + noise
    with np.errstate(all="ignore"):
        deviation = float(noise.std())
    known = {"variance for deviation": math.sqrt(sigma), "deviation squared": sigma**2, "sigma ignored": 1.0}
    measured = f"the noise has the deviation {deviation:.3g}"
    patterns: dict[str, tuple[Callable[[], Any], str]] = {
        "no noise": (lambda: not noise.any(), "y is x in every call"),
        "same every call": (lambda: (flat[shared:] == flat[shared]).all(), "calls with generators of different seeds gave the same noise"),
        "not advanced": (lambda: (flat[:shared] == flat[0]).all(), "calls that go on with one generator gave the same noise"),
        "multiplied": (lambda: np.abs(noise[:, x == 0]).max() <= 1e-12, "wherever x is 0 there is no noise"),
        "not added": (lambda: np.abs(np.corrcoef(y.mean(axis=0).ravel(), x.ravel())[0, 1]) < 0.2, "the mean of y over the calls does not follow x"),
        "shared": (lambda: any(np.allclose(e, np.take(e, [0], axis=a), atol=1e-9) for a in (1, 2)), "whole rows or columns have the same noise"),
        "few seeds": (lambda: len(np.unique(flat, axis=0)) < len(flat), "two different calls gave the very same noise"),
        "clipped": (lambda: (y.min() >= x.min() - 1e-9 and y.max() <= x.max() + 1e-9) or _piled(y) or _piled(e), "values pile up at a bound"),
        "discrete": (lambda: any(f == "discrete" for f, _ in ledger.failures), "more than half of the values occur again"),
        "one-sided": (lambda: (e >= 0).all() or (e <= 0).all(), "all of the noise has one sign"),
        "uniform": (lambda: np.abs(e).max() < 1.8 * e.std(), f"{measured} and never goes beyond {np.abs(noise).max():.3g}"),
    }  # fmt: skip
    for code, (seen, text) in patterns.items():
        if seen():
            return code, text
    for code, value in known.items():
        if abs(deviation / value - 1.0) < 0.02:
            return code, f"{measured}, expected {sigma:.3g}"
    return ledger.failures[0]
