"""The public sheets: per topic a generated file with the cases that `check` uses, their expected values, and the named mistakes' values.

No formula and no hidden case is in them. They are made by `class4 release`; a test makes them again and compares.
"""

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import class4lib.judges  # noqa: F401 (enters the judges that sheets name)
from class4lib.calls import Step
from class4lib.cases import Case, Failure, Mistake, Sheet, Tier
from class4lib.comparing import Tolerance
from class4lib.values import from_json


def sheet_to_tree(sheet: Sheet) -> dict[str, Any]:
    """A sheet as a value."""
    return {
        "name": sheet.name,
        "parameters": sheet.parameters,
        "returns": sheet.returns,
        "hints": sheet.hints,
        "extension": sheet.extension,
        "tiers": [(t.name, t.title, t.points, t.needs) for t in sheet.tiers],
        "cases": [_case_to_tree(c) for c in sheet.cases],
        "mistakes": [
            _mistake_to_tree(m, sheet.cases, first=m is next(n for n in sheet.mistakes if n.name == m.name))
            for m in sheet.mistakes
        ],
    }


def _mistake_to_tree(mistake: Mistake, cases: Sequence[Case], *, first: bool) -> tuple[Any, ...]:
    """Only what naming needs: the advice once per name, of a failure its code, nine digits, the parts that count.

    No records where the case passes, nor where a property is judged: there a mistake is known by its code alone.
    """
    failures = [f and (f.code, "", f.step) for f in mistake.failures]
    records = [
        _rounded(_counted(c, _brief(r))) if f and c.judge == "equal" else ()
        for c, r, f in zip(cases, mistake.records, failures, strict=True)
    ]
    return mistake.name, mistake.advice if first else "", failures, records


def _counted(case: Case, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with None for the results that do not count in this case."""
    cut = [
        case.parts and isinstance(r.get("value"), list | tuple) and len(r["value"]) > max(case.parts) for r in records
    ]
    return [
        {**r, "value": [v if i in case.parts else None for i, v in enumerate(r["value"])]} if c else r
        for r, c in zip(records, cut, strict=True)
    ]


def _rounded(tree: Any) -> Any:
    """The tree with its floats cut to nine significant digits: a mistake is recognised within 1e-6."""
    if isinstance(tree, dict):
        return {k: _rounded(v) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map(_rounded, tree))
    if isinstance(tree, np.ndarray) and tree.dtype == np.float64:
        return np.array([float(f"{v:.9g}") for v in tree.ravel()]).reshape(tree.shape)
    return float(f"{tree:.9g}") if isinstance(tree, float) else tree


def _case_to_tree(case: Case) -> dict[str, Any]:
    tolerance = case.tolerance
    return {
        "label": case.label,
        "tier": case.tier,
        "script": [s.to_tree() for s in case.script],
        "judge": case.judge,
        "options": case.options,
        "tolerance": (tolerance.rtol, tolerance.atol, tolerance.floor, tolerance.reason),
        "parts": case.parts,
        "trap": case.trap,
        "expected": _brief(case.expected) if case.judge == "equal" else [{"value": None} for _ in case.expected],
    }


def _brief(records: Any) -> list[dict[str, Any]]:
    return [{k: r[k] for k in ("value", "error", "changed") if k in r and (k == "value" or r[k])} for r in records]


def sheet_from_tree(tree: dict[str, Any]) -> Sheet:
    """The sheet of a value."""
    cases = tuple(
        Case(
            c["label"],
            c["tier"],
            tuple(map(Step.from_tree, c["script"])),
            c["judge"],
            c["options"],
            Tolerance(*c["tolerance"]),
            tuple(c["parts"]),
            c["trap"],
            tuple(c["expected"]),
        )
        for c in tree["cases"]
    )
    advice = {name: text for name, text, *_ in reversed(tree["mistakes"]) if text}
    mistakes = tuple(
        Mistake(name, advice[name], tuple(f and Failure(*f) for f in failures), tuple(map(tuple, records)))
        for name, _, failures, records in tree["mistakes"]
    )
    return Sheet(
        tree["name"],
        tuple(Tier(*t) for t in tree["tiers"]),
        cases,
        mistakes,
        tree["parameters"],
        tree["returns"],
        tree["hints"],
        tree["extension"],
    )


_OUTLINE = re.compile(r'\["name","(\w+)"\],\s*\["parameters",.*?\["extension",(true|false)\]', re.S)


@functools.cache
def outline(topic: str) -> dict[str, bool]:
    """Exercise -> whether it is an extension, in the order of the notebook. Read off the text: parsing all files would take most of a second."""
    text = (Path(__file__).parent / f"{topic}.json").read_text()
    return {name: extension == "true" for name, extension in _OUTLINE.findall(text)}


@functools.cache
def _index() -> dict[str, str]:
    """Exercise -> topic."""
    topics = sorted(path.stem for path in Path(__file__).parent.glob("*.json"))
    return {name: topic for topic in topics for name in outline(topic)}


@functools.cache
def topic_sheets(topic: str) -> dict[str, Sheet]:
    """Exercise -> sheet, in the order of the notebook."""
    data = json.loads((Path(__file__).parent / f"{topic}.json").read_text())
    return {s.name: s for s in (sheet_from_tree(from_json(d)) for d in data)}


def public_sheet(name: str) -> Sheet:
    """The public sheet of an exercise.

    Raises:
        LookupError: no exercise has that name; the message lists near ones.
    """
    import difflib

    if name not in _index():
        near = difflib.get_close_matches(name, _index(), n=3)
        raise LookupError(
            f"no exercise is called {name!r}"
            + (
                f"; did you mean {' or '.join(map(repr, near))}?"
                if near
                else ": the names stand in the headings of the notebooks."
            )
        )
    return topic_sheets(_index()[name])[name]
