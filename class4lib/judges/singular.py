"""singular: right is a largest singular value with vectors of both sides that belong to it, up to a sign that the two share."""

from collections.abc import Sequence

import numpy as np

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import compare
from class4lib.judging import changed_inputs, judge_as, raised

CLOSE = 1e-8  # beside what the gap leaves: the cases' steps are many enough for it
START = 1e5  # the start may lean away from the leading vector by this tangent: fewer than one draw in ten thousand leans more
NAMES = ("sigma", "u", "v")


@judge_as("leading_pair")
def leading_pair(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """power_iteration(W, n_steps, rng=...): every step's result is near the leading singular pair; steps of the same rng state agree.

    The error left by n_steps is at most START (sigma_2 / sigma_1)**(2 n_steps); of sigma it is the square of that.
    """
    failure = raised(case, records, sheet)
    if failure:
        return failure
    for i, record in enumerate(records):
        failure = _one(case, record, i)
        if failure:
            return failure
        if record["global_random"]:
            return Failure(
                "global state",
                "NumPy's global generator was used: draw from rng, with rng.normal",
                i,
                advice="The start is drawn with np.random. Only the generator that is handed in, rng, may draw.",
            )
    for i, record in enumerate(records[1:], 1):
        if case.script[i].kwargs == case.script[0].kwargs and compare(
            records[0]["value"], record["value"], names=NAMES
        ):
            return Failure(
                "not repeatable",
                "two calls with the same rng state give different results",
                i,
                advice="Two calls with generators in the same state differ: all that is random must come from rng.",
            )
    return changed_inputs(case, records, sheet)


def _one(case: Case, record: Record, i: int) -> Failure | None:
    W, n_steps = np.asarray(case.script[i].args[0], dtype=float), int(case.script[i].args[1])
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    wrong = [
        m for m in compare((0.0, U[:, 0], Vt[0]), record["value"], names=NAMES) if m.is_contract or m.kind == "finite"
    ]
    if wrong:
        return Failure(wrong[0].kind, wrong[0].text, i, tuple(wrong))
    sigma, u, v = (np.asarray(part, dtype=float) for part in record["value"])
    for name, vector in (("u", u), ("v", v)):
        length = float(np.linalg.norm(vector))
        if abs(length - 1) > CLOSE:
            return Failure(
                "length",
                f"{name} has length {length:.6g}, not 1",
                i,
                advice=f"{name} must come back with length 1: divide by its norm after EVERY product.",
            )
    left = START * (s[1] / s[0]) ** (2 * n_steps) if len(s) > 1 else 0.0
    if abs(sigma - s[0]) > (CLOSE + left**2) * s[0]:
        code, also = (
            ("squared", ", which is its square")
            if abs(sigma - s[0] ** 2) <= CLOSE * s[0] ** 2
            else ("sign", ", which has the wrong sign")
            if abs(sigma + s[0]) <= CLOSE * s[0]
            else ("sigma", "")
        )
        return Failure(
            code,
            f"sigma is {float(sigma):.6g} after {n_steps} steps, the largest singular value is {s[0]:.6g}{also}",
            i,
            advice="With many steps sigma must reach the largest singular value: read it off at the end, from u, W and v together.",
        )
    if np.sign(u @ U[:, 0]) != np.sign(v @ Vt[0]):
        return Failure(
            "signs",
            "u and v belong to the largest singular value, but with opposite signs: u'Wv is negative",
            i,
            advice="u'Wv must be sigma and not −sigma: the signs of u and v are free only together.",
        )
    for name, vector, leading in (("u", u, U[:, 0]), ("v", v, Vt[0])):
        off = float(np.linalg.norm(vector - np.sign(vector @ leading) * leading))
        if off > CLOSE + left:
            return Failure(
                "vector",
                f"{name} is not the leading singular vector: a distance of {off:.3g} is left after {n_steps} steps",
                i,
                advice=f"After many steps {name} must be the leading singular vector of its side. Are both vectors updated in every step?",
            )
    return None
