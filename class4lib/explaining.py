"""What a verdict says to the student: the mistake by its name, one thing to try, and the cases that show it. Pure, like judging."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from class4lib.cases import Case, Failure, Finding, Mistake, Record, Sheet
from class4lib.comparing import Tolerance, as_numbers, close, compare, short
from class4lib.values import Other

MAX_FINDINGS = 2  # failed cases that are told in full: a third would not help
NAMING_SHARE = (
    0.9  # a mistake is named where at least this share of the cases it changes is as the wrong version gives them
)

_LOOP = (
    "endless loop",
    "A call did not come back in time. Look for a loop whose condition never becomes false, or for work that grows with every call.",
)
_ENDS = {
    "timeout": _LOOP,
    "signal 24": _LOOP,  # SIGXCPU: the limit of processor time
    "output": (
        "too much output",
        "The results are larger than any right answer's: look for an array that grows with every call.",
    ),
}


def explain(
    sheet: Sheet, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None], end: str
) -> tuple[str, str]:
    """Name of the mistake and advice: a named misconception, else a general one, else the first failure in words."""
    first = next(f for f in failures if f is not None)
    if first.code == "stopped":
        return _ENDS.get(
            end,
            (
                "the process ended",
                f"{sheet.name} ended the process it ran in ({end}): a call of exit, memory that was not its own, or more memory than there is. The same call in the notebook would end the kernel.",
            ),
        )
    candidates = []
    tier = next(
        c.tier
        for t in sheet.tiers
        for c, f in zip(sheet.cases, failures, strict=True)
        if f is not None and c.tier == t.name
    )
    for mistake in sheet.mistakes:
        share, matched = _agreement(sheet, mistake, outcomes, failures)
        explains = any(
            m is not None and f is not None and c.tier == tier
            for c, f, m in zip(sheet.cases, failures, mistake.failures, strict=True)
        )
        if (
            share >= NAMING_SHARE and explains
        ):  # a mistake that shows in edge cases only does not explain wrong ordinary values
            candidates.append((matched, mistake))
    if candidates:
        best = max(candidates, key=lambda c: c[0])[1]  # max keeps the first of equals: order in the spec decides
        return best.name, best.advice
    return _general(sheet, outcomes, failures, first)


def _agreement(
    sheet: Sheet, mistake: Mistake, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None]
) -> tuple[float, int]:
    """Share and number of the cases this mistake changes on which the student gives what it gives."""
    changed = [i for i, f in enumerate(mistake.failures) if f is not None]
    matched = sum(
        failures[i] is not None and _alike(sheet.cases[i], outcomes[i], failures[i], mistake, i) for i in changed
    )
    return (matched / len(changed) if changed else 0.0), matched


def _alike(case: Case, records: Sequence[Record], failure: Failure | None, mistake: Mistake, i: int) -> bool:
    theirs = mistake.failures[i]
    assert failure is not None and theirs is not None
    if case.judge != "equal" or "changed" in (theirs.code, failure.code):  # changed in place: the values were right
        return failure.code == theirs.code
    wrong = mistake.records[i]
    if len(records) != len(wrong):
        return False
    loose = Tolerance(1e-6, 1e-6, case.tolerance.floor)
    for mine, its in zip(records, wrong, strict=True):
        if "error" in its or "error" in mine:
            if mine.get("error") != its.get("error"):
                return False
        elif isinstance(its["value"], Other) and isinstance(mine["value"], Other):
            continue  # an object of the script's, such as a constructed class, has no value to compare
        elif compare(_counting(case, its["value"]), _counting(case, mine["value"]), loose):
            return False
    return True


def _counting(case: Case, value: Any) -> Any:
    """The results that count in this case: a mistake in one part is named whatever the others are."""
    cut = case.parts and isinstance(value, list | tuple) and len(value) > max(case.parts)
    return [value[p] for p in case.parts] if cut else value


def _general(
    sheet: Sheet, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None], first: Failure
) -> tuple[str, str]:
    """Mistakes that any function can have."""
    changed = next((f for f in failures if f is not None and f.code == "changed"), None)
    if changed:
        return (
            "input changed in place",
            f"{changed.text}. Work on a new array: write x = x + 1 and not x += 1, and copy before you assign into a slice.",
        )
    if first.code == "error":
        return "", f"{first.text}. The message names what Python met; print the shapes just before that line."
    if first.code == "missing":
        return (
            "nothing returned",
            f"{sheet.name} returned None where a result is expected: end the function with `return`.",
        )
    if first.code == "dtype":
        return (
            "wrong dtype",
            f"{first.text}. Let NumPy keep float64: no astype(np.float32), no integer array to write floats into.",
        )
    if first.code in ("shape", "value"):
        pattern = _pattern(sheet, outcomes, failures)
        if pattern:
            return pattern
    if first.code == "shape":
        return (
            "wrong shape",
            f"{_without_values(first)}. Write the shape of every intermediate array beside its line; one axis too many or too few shows at once.",
        )
    if first.code in ("type", "length"):
        return (
            "wrong kind of result",
            f"{_without_values(first)}. The docstring's Returns section says what must come back, in which order.",
        )
    if first.code == "finite":
        return (
            "not finite",
            f'{_without_values(first)}. Somewhere an exponential overflows, a logarithm meets 0, or 0 is divided by 0: check("{sheet.name}") shows on which input.',
        )
    if first.advice:
        return "", first.advice
    values = [m.got for f in failures if f is not None for m in f.mismatches]
    if values and all((a := as_numbers(v)) is not None and not a.any() for v in values):
        return (
            "zeros returned",
            f"{sheet.name} gives zeros where other values are expected: is what you computed what you return?",
        )
    parts = sorted({m.part.split("[")[0] for f in failures if f is not None for m in f.mismatches if m.part})
    which = (
        f"{' and '.join(parts)} {'differ' if len(parts) > 1 else 'differs'}"
        if sheet.returns and parts and parts != [""]
        else "the values differ"
    )
    return (
        "",
        f'{which} from what is expected; no common mistake fits. check("{sheet.name}") shows a small case: work it through by hand, line by line.',
    )


def _without_values(failure: Failure) -> str:
    return failure.mismatches[0].text if failure.mismatches else failure.text


def _pattern(
    sheet: Sheet, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None]
) -> tuple[str, str] | None:
    """A sign, a factor, a missing or doubled 1/N, a transposition that explains every failed case."""
    ratios, transposed, parts = [], [], set()
    for case, failure in zip(sheet.cases, failures, strict=True):
        if failure is None:
            continue
        if failure.code not in ("value", "shape") or not failure.mismatches:
            return None
        n = next((len(a) for a in map(as_numbers, case.script[failure.step].args) if a is not None and a.ndim), 1)
        for m in failure.mismatches:
            got, expected = as_numbers(m.got), as_numbers(m.expected)
            if got is None or expected is None:
                return None
            parts.add(m.part)
            transposed.append(
                expected.ndim >= 2
                and got.shape == expected.T.shape
                and bool(close(expected.T, got, case.tolerance).all())
            )
            ratios.append((_ratio(expected, got, case.tolerance), n))
    named = sorted(p for p in parts if p)
    which, is_, has = " and ".join(named) or "the result", *(("are", "have") if len(named) > 1 else ("is", "has"))
    if all(transposed):
        return (
            "transposed",
            f"{which} {is_} the transpose of what is expected: swap the factors of the product, or put the .T on the other one.",
        )
    known = [(r, n) for r, n in ratios if r is not None]
    if len(known) < len(ratios):
        return None
    if all(abs(r + 1) < 1e-6 for r, _ in known):
        return (
            "sign",
            f"{which} {has} the opposite sign of what is expected, every entry of it: look for a minus that was lost or written twice.",
        )
    several = len({n for _, n in known}) > 1
    if several and all(abs(r - n) < 1e-6 * n for r, n in known):
        return (
            "1/N missing",
            f"{which} {is_} N times what is expected, N the number of examples: the mean over the batch divides by N.",
        )
    if several and all(abs(r * n - 1) < 1e-6 for r, n in known):
        return (
            "1/N too many",
            f"{which} {is_} 1/N of what is expected, N the number of examples: something was divided by N that should not be, or divided twice.",
        )
    first = known[0][0]
    if all(abs(r - first) < 1e-6 * abs(first) for r, _ in known):
        return (
            "constant factor",
            f"{which} {is_} {first:.6g} times what is expected, everywhere: a constant factor is lost or one too many.",
        )
    return None


def _ratio(expected: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> float | None:
    """got / expected where it is one constant for the whole array, else None."""
    if (
        got.shape != expected.shape
        or expected.dtype.kind not in "iuf"
        or not np.isfinite(expected).all()
        or not np.isfinite(got).all()
    ):
        return None
    large = np.abs(expected) > 1e-6 * max(np.abs(expected).max(initial=0.0), 1e-300)
    if not large.any() or not close(np.zeros_like(expected), np.where(large, 0.0, got), tolerance).all():
        return None
    ratios = got[large] / expected[large]
    ratio = float(np.median(ratios))
    return ratio if ratio != 0 and np.abs(ratios - ratio).max() <= 1e-6 * abs(ratio) else None


def findings(
    sheet: Sheet, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None]
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for case, records, failure in zip(sheet.cases, outcomes, failures, strict=True):
        if failure is None or len(found) == MAX_FINDINGS:
            continue
        step = case.script[min(failure.step, len(case.script) - 1)]
        names = sheet.parameters if step.target == sheet.name else ()
        given = [_named(names[i], a) if i < len(names) else short(a) for i, a in enumerate(step.args)]
        given += [_named(k, v) for k, v in step.kwargs.items()]
        if len(case.script) > 1:
            given.insert(0, f"step {failure.step + 1} of {len(case.script)}: {step.target}")
        record = records[failure.step] if failure.step < len(records) else {}
        shown = case.judge == "equal" and failure.code != "changed" and failure.step < len(case.expected)
        found.append(
            Finding(
                case.label,
                case.tier,
                failure.text,
                "\n".join(given),
                short(record["value"]) if "value" in record else "",
                short(case.expected[failure.step]["value"]) if shown and "value" in case.expected[failure.step] else "",
            )
        )
    return tuple(found)


def _named(name: str, value: Any) -> str:
    """An argument with its name; one of several lines begins below the name, so that its columns stay aligned."""
    text = short(value)
    return f"{name} =\n{text}" if "\n" in text else f"{name} = {text}"
