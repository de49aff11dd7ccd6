"""What students call: `check("softmax")` judges the softmax of this notebook on the public cases, `hint("softmax")` gives a first step.

A check takes some milliseconds, shows what passed by tier, and for a failure what was given, what came back, what was expected, the mistake
where one is recognised, and one thing to try. It raises CheckFailed unless everything is right, so that nbgrader's Validate sees it too.
"""

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from class4lib import feedback
from class4lib.calls import run_script
from class4lib.cases import Sheet, Verdict
from class4lib.experiments import is_stub
from class4lib.guards import withheld
from class4lib.judging import companions, judge, unattempted
from class4lib.public import public_sheet

__all__ = ["CheckFailed", "check", "hint", "progress"]

_rungs: dict[str, int] = {}


class CheckFailed(AssertionError):
    """An exercise that is not right yet. In a notebook only its last line is shown: the check's own display says the rest."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(feedback.headline(verdict))

    def _render_traceback_(self) -> list[str]:  # IPython asks for this instead of a traceback
        return [str(self)]


class _Shown:
    """A verdict that a notebook displays."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": feedback.text(self.verdict), "text/html": feedback.html(self.verdict)}


def check(name: str, function: Callable[..., Any] | None = None) -> None:
    """Judge an exercise on its public cases and show the verdict.

    Args:
        name: the exercise, as in its heading.
        function: what to judge; without it, what the notebook defines under that name. Only the latter counts as progress.

    Raises:
        CheckFailed: it is not right yet.
        LookupError: no exercise has that name.
    """
    sheet = public_sheet(name)
    notebook = sys._getframe(1).f_globals
    given = function if function is not None else notebook.get(name)
    verdict = _practise(sheet, given, {n: notebook[n] for n in companions(sheet) if n in notebook})
    if function is None:
        _remember(verdict)
    _show(verdict)
    if verdict.status != "passed":
        raise CheckFailed(verdict)


def _practise(sheet: Sheet, function: Any, others: Mapping[str, Any]) -> Verdict:
    if function is None:
        return unattempted(sheet, f"This notebook defines no {sheet.name} yet: run the cell above that begins it.")
    if not callable(function):
        return Verdict(
            sheet.name,
            "failed",
            0.0,
            sheet.max_points,
            "not a function",
            f"{sheet.name} is the name of a {type(function).__name__} here: some later cell uses the name for something else. Run the cell that defines it again.",
        )
    if (getattr(inspect.unwrap(function), "__module__", "") or "").startswith("class4lib"):
        return Verdict(
            sheet.name,
            "failed",
            0.0,
            sheet.max_points,
            "the library's answer",
            f"{sheet.name} is yours to write: this is the library's.",
        )
    stubs = [n for n in companions(sheet) if n not in others or is_stub(others[n])]
    if stubs and not is_stub(function):
        return unattempted(
            sheet, f"{sheet.name} is judged together with {' and '.join(stubs)}: write that too, then check again."
        )
    with withheld(sheet.name):
        return judge(sheet, [run_script({**others, sheet.name: function}, case.script) for case in sheet.cases])


def _show(verdict: Verdict) -> None:
    try:
        from IPython import get_ipython
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        print(feedback.text(verdict))
    else:
        from IPython.display import display

        display(_Shown(verdict))


def hint(name: str, rung: int | None = None) -> None:
    """Print the next hint for an exercise: three rungs, the last nearly the answer.

    Args:
        name: the exercise.
        rung: 1, 2 or 3; without it, the next one in this session.
    """
    hints: Sequence[str] = public_sheet(name).hints
    if rung is None:
        rung = min(_rungs.get(name, 0) + 1, len(hints))
    if not 1 <= rung <= len(hints):
        raise ValueError(f"hint: rung must be 1, 2 or 3, got {rung}.")
    _rungs[name] = rung
    print(f"{name}, hint {rung} of {len(hints)}: {hints[rung - 1]}")


def _progress_file() -> Path:
    named = os.environ.get("CLASS4_PROGRESS")
    return Path(named) if named else Path.home() / ".class4" / "progress.json"


def progress() -> dict[str, str]:
    """Exercise -> status of its last check on this machine."""
    try:
        return dict(json.loads(_progress_file().read_text()))
    except (OSError, ValueError):
        return {}


def _remember(verdict: Verdict) -> None:
    path = _progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**progress(), verdict.name: verdict.status}, sort_keys=True))
    except OSError:
        pass  # a read-only home costs the overview's progress bar, nothing else
