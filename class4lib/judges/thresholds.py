"""Judge of decision thresholds by what they attain: each label's F1 under `probs > tau`, against the highest of all thresholds.

F1 is compared as a fraction of whole numbers, so that two thresholds which decide alike are alike and no rounding counts. A failure's code
says what the thresholds attain instead, where that tells how they were found.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy import ndarray

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import as_numbers, kind_of
from class4lib.judging import changed_inputs, judge_as, raised

GRIDS = (
    9,
    10,
    19,
    20,
    25,
    49,
    50,
    99,
    100,
    199,
    200,
    499,
    500,
    999,
    1000,
)  # numbers of equal steps that people divide [0, 1] into
STEPS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # what people subtract from a score to lie below it
SAYS = {
    "shared": "all labels have the same threshold",
    "nothing": "nothing true is decided",
    "at least": "p >= tau would attain it, but a probability equal to its threshold is not decided",
    "accuracy": "this threshold has the highest accuracy, which is another aim",
    "recall": "every example is decided, which has the highest recall and little else",
    "precision": "this threshold has the highest precision, which is another aim",
    "lowest": "only a threshold below the lowest score attains it, which decides every example",
    "ties": "equal scores are decided together: no threshold cuts between them",
    "grid": "no threshold of this grid attains it",
    "step": "the threshold lies a small step below a score, and another score lies between",
    "low": "",
}
ADVICE = "Some label has a higher F1 at another threshold. Take one label of the small case that check shows, list the sets that a threshold can decide, from none to all, with the F1 of each, and see which one your search misses."


class Label:
    """One label: its scores and targets, and its threshold."""

    def __init__(self, scores: ndarray, true: ndarray, tau: float) -> None:
        self.scores, self.true, self.tau = scores, true, tau
        self.cuts = [scores > cut for cut in (-np.inf, *np.unique(scores))]  # every set that a threshold can decide
        self.best = max(map(self.f1, self.cuts))

    def f1(self, decided: ndarray) -> Fraction:
        counted = int(decided.sum() + self.true.sum())
        return Fraction(2 * int((decided & self.true).sum()), max(counted, 1))

    def has_highest(self, measure: str) -> bool:
        def value(decided: ndarray) -> Fraction:
            if measure == "accuracy":
                return Fraction(int((decided == self.true).sum()))
            return Fraction(int((decided & self.true).sum()), int(decided.sum()) or 1)  # precision

        return value(self.scores > self.tau) == max(map(value, self.cuts))

    @property
    def is_low(self) -> bool:
        return self.f1(self.scores > self.tau) < self.best


@judge_as("highest_f1")
def highest_f1(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """The call's arguments are probs and targets, its result one finite threshold per label, each with the highest F1 there is."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    probs, targets = (np.asarray(a) for a in case.script[0].args)
    value = records[0]["value"]
    tau = as_numbers(value)
    if value is None:
        return Failure("missing", "the result is None: is a `return` missing?")
    if tau is None or tau.dtype.kind == "c":
        return Failure("type", f"the result must be {probs.shape[1]} thresholds, one per label, got {kind_of(value)}")
    if tau.shape != probs.shape[1:]:
        return Failure(
            "shape", f"the result must have shape {probs.shape[1:]}, one threshold per label, got shape {tau.shape}"
        )
    if not np.isfinite(tau).all():
        return Failure("finite", f"a threshold is {tau[~np.isfinite(tau)][0]}: all must be finite")
    labels = [Label(s, t > 0.5, float(c)) for s, t, c in zip(probs.T, targets.T, tau, strict=True)]
    low = [k for k, label in enumerate(labels) if label.is_low]
    if not low:
        return changed_inputs(case, records, sheet)
    code, first = _code(labels, [labels[k] for k in low]), labels[low[0]]
    attained = float(first.f1(first.scores > first.tau))
    reason = f": {SAYS[code]}" if SAYS[code] else ""
    return Failure(
        code,
        f"at tau[{low[0]}] = {first.tau:.6g} label {low[0]} has F1 {attained:.4g}, another threshold attains {float(first.best):.4g}{reason}",
        advice=ADVICE,
    )


def _code(labels: Sequence[Label], low: Sequence[Label]) -> str:
    """What explains the labels whose F1 is too low, the most telling first."""
    found = {
        "nothing": all(label.f1(label.scores > label.tau) == 0 for label in low),
        "recall": all((label.scores > label.tau).all() for label in low),
        "shared": len(labels) > 1 and np.ptp([label.tau for label in labels]) < 1e-12,
        "at least": all(label.f1(label.scores >= label.tau) == label.best for label in labels),
        "accuracy": all(label.has_highest("accuracy") for label in labels),
        "lowest": all(all(label.f1(cut) < label.best for cut in label.cuts[1:]) for label in low),
        "precision": all(label.has_highest("precision") for label in labels),
        "ties": all((label.scores == label.tau).sum() > 1 for label in low),
        "grid": any(
            all(abs(label.tau) < 2 and abs(label.tau * steps - round(label.tau * steps)) < 1e-9 for label in low)
            for steps in GRIDS
        ),
        "step": any(all(np.abs(label.scores - label.tau - step).min() < 1e-10 for label in low) for step in STEPS),
    }
    return next((code for code, holds in found.items() if holds), "low")
