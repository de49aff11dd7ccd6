"""Counts held against the binomial law: exact tails, their bounds, and disjoint pairs. No judge; `distribution` is built from it.

Every statistic is a count K that is exactly Binomial(n, q) if the draws are right. It is refused where K lies outside `bounds`, which a right
sampler leaves with a probability of at most the level given. Tails are sums of terms, the first by math.lgamma: nothing is approximated by a
normal. The levels add up (union bound), so the counts need not be independent of each other.
"""

import functools
import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray


def log_chance(k: int, n: int, q: float) -> float:
    """log P(K = k), 0 < q < 1."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(q) + (n - k) * math.log1p(-q)


def upper_tail(k: int, n: int, q: float) -> float:
    """P(K >= k). Terms are summed outward from k, so a tail of 1e-300 is as exact as one of 1e-3."""
    if k <= 0 or k > n:
        return float(k <= 0)
    if k <= n * q:  # the long side
        return 1.0 - lower_tail(k - 1, n, q)
    term = total = 1.0
    for j in range(k, n):
        term *= (n - j) / (j + 1) * (q / (1.0 - q))
        total += term
        if term < 1e-17 * total:
            break
    return math.exp(log_chance(k, n, q)) * total


def lower_tail(k: int, n: int, q: float) -> float:
    """P(K <= k), likewise."""
    if k < 0 or k >= n:
        return float(k >= n)
    if k >= n * q:
        return 1.0 - upper_tail(k + 1, n, q)
    term = total = 1.0
    for j in range(k, 0, -1):
        term *= j / (n - j + 1) * ((1.0 - q) / q)
        total += term
        if term < 1e-17 * total:
            break
    return math.exp(log_chance(k, n, q)) * total


@functools.cache
def bounds(n: int, q: float, level: float) -> tuple[int, int]:
    """(low, high), the narrowest with P(K < low) <= level/2 and P(K > high) <= level/2."""
    mean = math.floor(n * q)
    a, b = mean, n + 1  # the smallest k with P(K >= k) <= level/2 lies in (a, b]
    while b - a > 1:
        middle = (a + b) // 2
        a, b = (a, middle) if upper_tail(middle, n, q) <= level / 2 else (middle, b)
    high = b - 1
    a, b = -1, mean + 1  # the largest k with P(K <= k) <= level/2 lies in [a, b)
    while b - a > 1:
        middle = (a + b) // 2
        a, b = (middle, b) if lower_tail(middle, n, q) <= level / 2 else (a, middle)
    return a + 1, high


@functools.cache
def central(n: int, q: float) -> tuple[int, int, float]:
    """(low, high, probability): values round the mode whose probability is nearest to 1/2."""
    low = high = min(n, int((n + 1) * q))
    inside = math.exp(log_chance(low, n, q))
    while True:
        below = math.exp(log_chance(low - 1, n, q)) if low else 0.0
        above = math.exp(log_chance(high + 1, n, q)) if high < n else 0.0
        more = max(below, above)
        if more == 0.0 or abs(inside + more - 0.5) >= abs(inside - 0.5):
            return low, high, inside
        low, high, inside = (low - 1, high, inside + more) if below >= above else (low, high + 1, inside + more)


@dataclass
class Ledger:
    """Counts compared with their bounds. failures: (family, text); spent: sum of the levels; counts: one of each kind, (what, k, n, q)."""

    failures: list[tuple[str, str]] = field(default_factory=list)
    spent: float = 0.0
    counts: list[tuple[str, int, int, float]] = field(default_factory=list)

    def count(self, family: str, what: str, k: object, n: int, q: float, level: float) -> None:
        """k: one count or an array of counts, each Binomial(n, q) if the sampler is right; they share the level.

        Raises:
            ValueError: q is a chance that double precision cannot tell from never or always.
        """
        ks = np.atleast_1d(np.asarray(k))
        if n == 0 or ks.size == 0:
            return
        if not 1e-300 < q < 1.0 - 1e-16:
            raise ValueError(f"count: {what} has the degenerate probability {q}.")
        self.spent += level
        self.counts.append((what, int(ks.flat[0]), n, q))
        low, high = bounds(n, q, level / ks.size)
        wrong = (ks < low) | (ks > high)
        if wrong.any():
            worst = int(ks.flat[np.argmax(np.abs(ks - n * q))])
            others = f" ({int(wrong.sum())} of {ks.size} such counts are outside)" if ks.size > 1 else ""
            self.failures.append(
                (
                    family,
                    f"{what}: {worst} of {n}, where about {n * q:.0f} are expected and {low} to {high} allowed{others}",
                )
            )

    def certain(self, family: str, text: str, chance: float) -> None:
        """A failure that right draws have with at most this chance, whether or not it happened here: text "" where it did not."""
        self.spent += chance
        if text:
            self.failures.append((family, text))


@functools.cache
def lag_pairs(n: int, row: int) -> tuple[tuple[int, ...], ndarray, ndarray]:
    """(lags, first, second): for each lag equally many DISJOINT pairs (i, i + lag) of range(n); disjoint, so that agreements are independent.

    Lags 1 .. 2 row and the multiples of row up to n/2. Pairs with i mod 2 lag < lag are disjoint.
    """
    lags = tuple(
        sorted({lag for lag in itertools.chain(range(1, 2 * row + 1), range(row, n // 2 + 1, row)) if lag <= n // 2})
    )
    starts = [(i := np.arange(n - lag))[i % (2 * lag) < lag] for lag in lags]
    pairs = min(map(len, starts), default=0)
    first = np.stack([s[:pairs] for s in starts]) if starts else np.empty((0, 0), dtype=int)
    return lags, first, first + np.array(lags, dtype=int)[:, None]


def agreements(signs: ndarray, row: int) -> tuple[tuple[int, ...], ndarray, int]:
    """(lags, agreeing pairs per lag, pairs per lag) of booleans (calls, n)."""
    lags, first, second = lag_pairs(signs.shape[1], row)
    columns = np.ascontiguousarray(signs.T)  # (n, calls): a gather copies whole rows
    agree = np.array(
        [np.count_nonzero(columns[a] == columns[b]) for a, b in zip(first, second, strict=True)], dtype=int
    )
    return lags, agree, first.shape[1] * len(signs)


def call_agreements(signs: ndarray, lag: int) -> tuple[int, int]:
    """(agreeing, all) entries of disjoint pairs of calls (m, m + lag)."""
    m = np.arange(max(len(signs) - lag, 0))
    m = m[m % (2 * lag) < lag]
    return int(np.count_nonzero(signs[m] == signs[m + lag])), m.size * signs.shape[1]


def even_chi_square(q: float, freedom: int) -> float:
    """P(chi-square <= q) for an EVEN number of degrees of freedom: P(Poisson(q/2) >= freedom/2), exactly."""
    if freedom % 2:
        raise ValueError(f"even_chi_square: freedom must be even, got {freedom}.")
    half = q / 2
    return 1.0 - math.fsum(math.exp(j * math.log(half) - half - math.lgamma(j + 1)) for j in range(freedom // 2))
