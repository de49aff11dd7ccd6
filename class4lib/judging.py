"""Judging: recorded calls against a sheet, to a verdict. Pure: the same code serves the check in a notebook, the grader and the audit.

A `Sheet` is all that is needed to judge one exercise, as data: cases with their scripts and expected records, tiers with points, and for
every named misconception the records that this wrong implementation gives on the same cases. The public sheets are files of this package;
the hidden ones are made by the grader and never leave it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from class4lib.calls import Step
from class4lib.comparing import Mismatch, Tolerance, as_numbers, close, compare, short
from class4lib.values import Other

Record = dict[str, Any]
MAX_FINDINGS = 2  # failed cases that are told in full: a third would not help
NAMING_SHARE = (
    0.9  # a mistake is named where at least this share of the cases it changes is as the wrong version gives them
)


@dataclass(frozen=True)
class Tier:
    """A group of cases that carries points, earned where every case passes and every tier in `needs` is complete too.

    Where all cases that fail have a share (a stated scale), the tier earns the mean share of its cases.
    """

    name: str
    title: str
    points: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One script of calls and what is expected of it.

    judge: a name in JUDGES; options are its parameters. expected: the reference's records, one per step. parts: positions of the results that
    count in this case (all, where empty). trap: the T line of the course that this case stands for.
    """

    label: str
    tier: str
    script: tuple[Step, ...]
    judge: str = "equal"
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()
    parts: tuple[int, ...] = ()
    trap: str = ""
    expected: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A named misconception on a sheet: per case the wrong version's failure (None where it is right) and its records."""

    name: str
    advice: str
    failures: tuple["Failure | None", ...]
    records: tuple[tuple[Record, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """All that judges one exercise. parameters and returns are names, for the messages."""

    name: str
    tiers: tuple[Tier, ...]
    cases: tuple[Case, ...]
    mistakes: tuple[Mistake, ...]
    parameters: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    extension: bool = False

    @property
    def max_points(self) -> float:
        return sum(t.points for t in self.tiers)


@dataclass(frozen=True)
class Failure:
    """Why a case failed. code: the kind of failure (a property judge's own code, or error, contract kinds, value); step: which of the script.

    advice: of a judge of properties, one thing to try where no named mistake fits; like every advice it holds no hidden value.
    share: of a judge with a stated scale, the share of the tier that is earned all the same; None: nothing is.
    """

    code: str
    text: str
    step: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    advice: str = ""
    share: float | None = None


@dataclass(frozen=True)
class TierVerdict:
    name: str
    title: str
    points: float
    max_points: float
    passed: int
    cases: int


@dataclass(frozen=True)
class Finding:
    """A failed case, for the student: what was given, what came back, what was expected of it."""

    case: str
    tier: str
    text: str
    given: str = ""
    returned: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Verdict:
    """status: passed, partial, failed, not_attempted or unjudged. misconception: the named mistake or "". advice: one thing to try, never a hidden value."""

    name: str
    status: str
    points: float
    max_points: float
    misconception: str = ""
    advice: str = ""
    tiers: tuple[TierVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    extension: bool = False


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


def companions(sheet: Sheet) -> tuple[str, ...]:
    """The other functions of the student's that the scripts of a sheet call: train is judged by what predict makes of its model."""
    found = []
    for case in sheet.cases:
        own = {sheet.name, *(s.save for s in case.script if s.save)}
        names = (s.target.partition(".")[0] for s in case.script if s.op in ("call", "keep", "torch"))
        found += [n for n in names if n not in own]
    return tuple(dict.fromkeys(found))


Judge = Callable[[Case, Sequence[Record], Sheet], "Failure | None"]
JUDGES: dict[str, Judge] = {}


def judge_as(name: str) -> Callable[[Judge], Judge]:
    """Decorator: enter a judge of one case under the name that cases use."""

    def enter(function: Judge) -> Judge:
        JUDGES[name] = function
        return function

    return enter


def raised(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """The failure of a script that raised or stopped early, or None; every judge asks this first."""
    for i, record in enumerate(records):
        if "error" in record:
            where = f" (line {record['line']} of the cell {record['cell']})" if record.get("line") else ""
            message = f": {record['message']}" if record.get("message") else ""
            return Failure("error", f"{sheet.name} raised {record['error']}{message}{where}", i)
    if len(records) < len(case.script):
        return Failure("stopped", "the call did not come back: an endless loop, or the process died", len(records))
    return None


def changed_inputs(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """The failure of a step that changed an argument in place or moved NumPy's global generator, or None."""
    for i, record in enumerate(records):
        if record.get("changed") and case.script[i].op in ("call", "keep", "torch"):
            names = [
                p
                if isinstance(p, str)
                else sheet.parameters[p]
                if p < len(sheet.parameters) and len(case.script) == 1
                else f"argument {p + 1}"
                for p in record["changed"]
            ]
            return Failure(
                "changed", f"{' and '.join(names)} was changed in place: inputs must come out as they went in", i
            )
    return None


@judge_as("equal")
def equal(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """Every step's value (and attribute read) equals the reference's."""
    failure = raised(case, records, sheet)
    if failure:
        return failure
    for i, (record, expected) in enumerate(zip(records, case.expected, strict=True)):
        if (
            case.script[i].op in ("shift", "keep")
            or case.options.get("ignore_value")
            or (case.script[i].save and case.script[i].op == "call" and case.script[i].target == sheet.name)
        ):
            continue  # a constructed object has no value of its own
        names = sheet.returns if case.script[i].op == "call" else ()
        found = compare(expected["value"], record["value"], case.tolerance, names)
        if case.parts and found:
            kept = {names[p] if names else f"[{p}]" for p in case.parts}
            found = [
                m
                for m in found
                if not m.part or any(m.part == k or m.part.startswith((k + "[", k + ".")) for k in kept)
            ]
        if found:
            first = found[0]
            return Failure(first.kind, "; ".join(m.text for m in found[:3]), i, tuple(found))
    return changed_inputs(case, records, sheet)


def judge(sheet: Sheet, outcomes: Sequence[Sequence[Record]], end: str = "ok", *, explain: bool = True) -> Verdict:
    """The verdict on one exercise from the records of its cases (fewer than there are cases where the process died; `end` says how).

    explain: False leaves out mistake, advice and findings, which the audit does not read of its mutants.
    """
    outcomes = [*outcomes, *([()] * (len(sheet.cases) - len(outcomes)))]
    failures = [JUDGES[case.judge](case, records, sheet) for case, records in zip(sheet.cases, outcomes, strict=True)]
    if not_attempted(outcomes):
        return unattempted(sheet)
    tiers = _tier_verdicts(sheet, failures)
    points = sum(t.points for t in tiers)
    status = "passed" if not any(failures) else "partial" if points else "failed"
    name, advice = ("", "") if status == "passed" or not explain else _explain(sheet, outcomes, failures, end)
    return Verdict(
        sheet.name,
        status,
        points,
        sheet.max_points,
        name,
        advice,
        tiers,
        _findings(sheet, outcomes, failures) if explain else (),
        sheet.extension,
    )


def not_attempted(outcomes: Sequence[Sequence[Record]]) -> bool:
    """Whether every case that ran ended in NotImplementedError: the stub as it was given."""
    ends = [records[-1] for records in outcomes if records]
    return bool(ends) and all(r.get("error") == "NotImplementedError" for r in ends)


def unattempted(sheet: Sheet, advice: str = "") -> Verdict:
    tiers = tuple(
        TierVerdict(t.name, t.title, 0.0, t.points, 0, sum(c.tier == t.name for c in sheet.cases)) for t in sheet.tiers
    )
    advice = advice or f'{sheet.name} is not written yet. hint("{sheet.name}") gives a first step.'
    return Verdict(sheet.name, "not_attempted", 0.0, sheet.max_points, "", advice, tiers, (), sheet.extension)


def _tier_verdicts(sheet: Sheet, failures: Sequence[Failure | None]) -> tuple[TierVerdict, ...]:
    gate = all(f is None or f.code not in ("changed", "dtype") for f in failures)
    of = {t.name: [f for c, f in zip(sheet.cases, failures, strict=True) if c.tier == t.name] for t in sheet.tiers}
    passed = {name: [f is None for f in found] for name, found in of.items()}
    verdicts = []
    for tier in sheet.tiers:
        earns = gate and all(all(passed[n]) for n in tier.needs)
        verdicts.append(
            TierVerdict(
                tier.name,
                tier.title,
                round(tier.points * _share(of[tier.name]), 2) if earns else 0.0,
                tier.points,
                sum(passed[tier.name]),
                len(passed[tier.name]),
            )
        )
    return tuple(verdicts)


def _share(failures: Sequence[Failure | None]) -> float:
    """The share of a tier that its cases earn: all or nothing, unless every failure stands on a scale."""
    shares = [1.0 if f is None else f.share for f in failures]
    return 0.0 if any(s is None for s in shares) else float(np.mean([s for s in shares if s is not None]))


def _explain(
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
    if case.judge != "equal" or theirs.code == "changed":
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
    which = f"{' and '.join(parts)} differ" if sheet.returns and parts and parts != [""] else "the values differ"
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
    which = " and ".join(sorted(p for p in parts if p)) or "the result"
    if all(transposed):
        return (
            "transposed",
            f"{which} is the transpose of what is expected: swap the factors of the product, or put the .T on the other one.",
        )
    known = [(r, n) for r, n in ratios if r is not None]
    if len(known) < len(ratios):
        return None
    if all(abs(r + 1) < 1e-6 for r, _ in known):
        return (
            "sign",
            f"{which} has the opposite sign of what is expected, every entry of it: look for a minus that was lost or written twice.",
        )
    several = len({n for _, n in known}) > 1
    if several and all(abs(r - n) < 1e-6 * n for r, n in known):
        return (
            "1/N missing",
            f"{which} is N times what is expected, N the number of examples: the mean over the batch divides by N.",
        )
    if several and all(abs(r * n - 1) < 1e-6 for r, n in known):
        return (
            "1/N too many",
            f"{which} is 1/N of what is expected, N the number of examples: something was divided by N that should not be, or divided twice.",
        )
    first = known[0][0]
    if all(abs(r - first) < 1e-6 * abs(first) for r, _ in known):
        return (
            "constant factor",
            f"{which} is {first:.6g} times what is expected, everywhere: a constant factor is lost or one too many.",
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


def _findings(
    sheet: Sheet, outcomes: Sequence[Sequence[Record]], failures: Sequence[Failure | None]
) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for case, records, failure in zip(sheet.cases, outcomes, failures, strict=True):
        if failure is None or len(findings) == MAX_FINDINGS:
            continue
        step = case.script[min(failure.step, len(case.script) - 1)]
        names = sheet.parameters if step.target == sheet.name else ()
        given = [_named(names[i], a) if i < len(names) else short(a) for i, a in enumerate(step.args)]
        given += [_named(k, v) for k, v in step.kwargs.items()]
        if len(case.script) > 1:
            given.insert(0, f"step {failure.step + 1} of {len(case.script)}: {step.target}")
        record = records[failure.step] if failure.step < len(records) else {}
        shown = case.judge == "equal" and failure.code != "changed" and failure.step < len(case.expected)
        findings.append(
            Finding(
                case.label,
                case.tier,
                failure.text,
                "\n".join(given),
                short(record["value"]) if "value" in record else "",
                short(case.expected[failure.step]["value"]) if shown and "value" in case.expected[failure.step] else "",
            )
        )
    return tuple(findings)


def _named(name: str, value: Any) -> str:
    """An argument with its name; one of several lines begins below the name, so that its columns stay aligned."""
    text = short(value)
    return f"{name} =\n{text}" if "\n" in text else f"{name} = {text}"
