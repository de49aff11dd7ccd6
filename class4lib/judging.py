"""Judging: recorded calls against a sheet, to a verdict. Pure: the same code serves the check in a notebook, the grader and the audit.

A `Sheet` is all that is needed to judge one exercise, as data: cases with their scripts and expected records, tiers with points, and for
every named misconception the records that this wrong implementation gives on the same cases. The public sheets are files of this package;
the hidden ones are made by the grader and never leave it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from class4lib import explaining
from class4lib.cases import Case, Failure, Record, Sheet, TierVerdict, Verdict
from class4lib.comparing import compare


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
            target = case.script[i].target
            who = target if target in companions(sheet) else sheet.name  # predict may raise where train is judged
            return Failure("error", f"{who} raised {record['error']}{message}{where}", i)
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
    name, advice = ("", "") if status == "passed" or not explain else explaining.explain(sheet, outcomes, failures, end)
    return Verdict(
        sheet.name,
        status,
        points,
        sheet.max_points,
        name,
        advice,
        tiers,
        explaining.findings(sheet, outcomes, failures) if explain else (),
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
