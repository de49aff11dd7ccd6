"""judge: a collected notebook to verdicts. Each exercise runs in a process of its own, and is judged here, against a sheet it never sees."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import class4lib
from autograder import course, library, sheets
from autograder.collect import Found, Submission, Unreadable, collect
from autograder.run.client import Job, MachineFault, Pool, Run
from autograder.spec import Exercise, Topic
from class4lib.cases import Record, Sheet, Verdict
from class4lib.judging import companions, judge, unattempted

SheetOf = Callable[[str], Sheet]


@dataclass(frozen=True)
class NotebookVerdict:
    """What is known of one notebook. status: graded, unreadable, missing or unjudged; points and max_points are the core's, bonus the extensions'."""

    topic: str
    status: str
    exercises: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    key: str = ""
    isolation: str = ""

    @property
    def points(self) -> float:
        return sum(v.points for v in self.exercises if not v.extension)

    @property
    def max_points(self) -> float:
        return sum(v.max_points for v in self.exercises if not v.extension)

    @property
    def bonus(self) -> float:
        return sum(v.points for v in self.exercises if v.extension)

    @property
    def max_bonus(self) -> float:
        return sum(v.max_points for v in self.exercises if v.extension)

    def to_json(self) -> dict[str, Any]:
        """As data: the totals and a list of exercises; findings (hidden inputs and values) are left out."""
        exercises = [{k: v for k, v in asdict(e).items() if k != "findings"} for e in self.exercises]
        totals = {
            "points": self.points,
            "max_points": self.max_points,
            "bonus": self.bonus,
            "max_bonus": self.max_bonus,
        }
        return {
            "topic": self.topic,
            "status": self.status,
            **totals,
            "notes": list(self.notes),
            "exercises": exercises,
            "key": self.key,
            "isolation": self.isolation,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "NotebookVerdict":
        from class4lib.cases import TierVerdict

        exercises = tuple(
            Verdict(**{**e, "tiers": tuple(TierVerdict(**t) for t in e["tiers"]), "findings": ()})
            for e in data["exercises"]
        )
        return NotebookVerdict(
            data["topic"], data["status"], exercises, tuple(data["notes"]), data["key"], data["isolation"]
        )


def hidden(name: str) -> Sheet:
    """The hidden sheet of an exercise under this course's secret."""
    return sheets.hidden_sheet(name, sheets.secret())


def public(name: str) -> Sheet:
    """The public sheet of an exercise, from its spec."""
    return sheets.public_sheets(course.find_exercise(name)[0].name)[name]


def setups() -> dict[str, str]:
    """Topic -> source of the set-up cell of its release; topics that are not released are left out."""
    return {
        t: s
        for t in course.topics()
        if (s := _setup(course.root() / "notebooks" / course.topic(t).assignment / f"{t}.ipynb"))
    }


def _setup(path: Path) -> str:
    if not path.exists():
        return ""
    cells = json.loads(path.read_text())["cells"]
    return next(
        ("".join(c["source"]) for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") == "setup"), ""
    )


def read(path: Path) -> Submission:
    """Collect a notebook of this course.

    Raises:
        Unreadable: it is none.
    """
    return collect(path, {t: course.topic(t).names for t in course.topics()}, setups())


def judge_notebook(path: Path, pool: Pool, sheet_of: SheetOf = hidden, topic: str = "") -> NotebookVerdict:
    """The verdict on a notebook file; what cannot be read becomes a verdict too. topic: what it is expected to be."""
    try:
        submission = read(path)
    except Unreadable as error:
        return unreadable(topic, str(error)) if topic else NotebookVerdict("", "unreadable", (), (str(error),))
    if topic and submission.topic != topic:
        return unreadable(topic, f"{path.name} is the notebook {submission.topic}, not {topic}.")
    return judge_submission(submission, pool, sheet_of)


def unreadable(topic: str, note: str, status: str = "unreadable") -> NotebookVerdict:
    """The verdict on a notebook of which nothing could be read."""
    return NotebookVerdict(
        topic, status, tuple(unattempted(public(e.name), note) for e in course.topic(topic).exercises), (note,)
    )


def judge_submission(
    submission: Submission, pool: Pool, sheet_of: SheetOf = hidden, progress: Callable[[str], None] = lambda _: None
) -> NotebookVerdict:
    """Judge every exercise of a submission; the fault of a machine leaves that one unjudged. progress: called with a name before each."""
    topic = course.topic(submission.topic)

    def one(exercise: Exercise) -> Verdict:
        progress(exercise.name)
        return judge_exercise(topic, exercise, submission.found[exercise.name], pool, sheet_of, submission.found)

    verdicts = tuple(map(one, topic.exercises))
    status = "unjudged" if any(v.status == "unjudged" for v in verdicts) else "graded"
    return NotebookVerdict(topic.name, status, verdicts, submission.notes, verdict_key(submission), pool.level)


def verdict_key(submission: Submission) -> str:
    """Digest of all that decides the verdict: the submission, the specs, the version, the secret."""
    topic = course.topic(submission.topic)
    parts = [
        submission.digest,
        class4lib.__version__,
        hashlib.sha256(sheets.secret()).hexdigest(),
        *(sheets.spec_digest(e) for e in topic.exercises),
    ]
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def judge_exercise(
    topic: Topic,
    exercise: Exercise,
    found: Found,
    pool: Pool,
    sheet_of: SheetOf = hidden,
    notebook: Mapping[str, Found] = MappingProxyType({}),
) -> Verdict:
    """Judge one exercise: with the student's own definitions, and where it fails and calls others, with the library's version of those.

    notebook: what was found of the others, for exercises that are judged together (train by what predict makes of its model).
    """
    sheet = sheet_of(exercise.name)
    if found.status == "absent":
        return unattempted(sheet, f"The notebook defines no {exercise.name}: neither its own cell nor any other does.")
    if found.status == "stub":
        return unattempted(sheet)
    found, missing = _with_companions(sheet, found, notebook)
    if missing:
        return unattempted(
            sheet, f"{exercise.name} is judged together with {' and '.join(missing)}, which cannot be called yet."
        )
    if found.status == "syntax":
        return Verdict(
            sheet.name,
            "failed",
            0.0,
            sheet.max_points,
            "syntax error",
            f"{found.error}. Run the cell in JupyterLab: Python marks the place.",
            extension=sheet.extension,
        )
    try:
        verdict = _judged(topic, exercise, found, pool, sheet, ())
        assert verdict is not None  # without loans there is always a library to send
        lent = library.lendable(topic, exercise, found.uses)
        if verdict.status in ("failed", "partial", "not_attempted") and lent:
            again = _judged(topic, exercise, found, pool, sheet, lent)
            if again is not None and _worth(again) >= _worth(verdict):
                helped = _worth(again) > _worth(verdict)
                note = (
                    f"Judged with the library's {' and '.join(lent)}, which this answer calls: the notebook's own would have cost it points twice. "
                    if helped
                    else ""
                )
                verdict = replace(again, advice=(note + again.advice).strip())
    except MachineFault as fault:
        return Verdict(
            sheet.name,
            "unjudged",
            0.0,
            sheet.max_points,
            "",
            f"Not judged: {fault}. This is no mistake of yours; it will be run again.",
            extension=sheet.extension,
        )
    except (
        Exception
    ) as error:  # a judge that fails on one answer must not stop the class, nor cost this student anything
        return Verdict(
            sheet.name,
            "unjudged",
            0.0,
            sheet.max_points,
            "",
            f"Not judged: the judge itself failed ({type(error).__name__}). This is no mistake of yours; tell your instructor.",
            extension=sheet.extension,
        )
    return verdict


def _worth(verdict: Verdict) -> tuple[int, float]:
    return sum(t.passed for t in verdict.tiers), verdict.points


def _with_companions(sheet: Sheet, found: Found, notebook: Mapping[str, Found]) -> tuple[Found, list[str]]:
    """What was found, with the definitions of the exercises that the sheet's scripts call besides; and the names of those that are not there."""
    others = [notebook[n] for n in companions(sheet) if n in notebook]
    missing = [o.name for o in others if o.status != "written"]
    units = [u for o in others for u in o.units if u not in found.units]
    uses = {u for o in (found, *others) for u in o.uses} - {found.name, *(o.name for o in others)}
    return replace(found, units=(*found.units, *dict.fromkeys(units)), uses=tuple(sorted(uses))), missing


def _judged(
    topic: Topic, exercise: Exercise, found: Found, pool: Pool, sheet: Sheet, lent: tuple[str, ...]
) -> Verdict | None:
    modules = library.modules_for(topic, exercise, lent)
    if modules is None:
        return None
    loans = tuple((f"library {name}", f"from class4lib.{topic.name} import {name}") for name in lent)
    seed = int.from_bytes(hashlib.sha256(exercise.name.encode()).digest()[:4], "big")
    run = pool.run(
        Job(
            modules,
            (*found.units, *loans),
            tuple(c.script for c in sheet.cases),
            wall_seconds=exercise.seconds,
            seed=seed,
            torch=exercise.torch,
        )
    )
    outcomes = [[_quiet(r) for r in records] for records in run.outcomes]
    return _with_failures(exercise, run, judge(sheet, outcomes, run.end))


def _quiet(record: Record) -> Record:
    """A record whose words hold no decimal number: a message or a string of the student's code may quote a hidden input, and goes into feedback."""
    return {
        k: re.sub(r"-?\d*\.\d+(e[+-]?\d+)?", "…", v) if k in ("message", "value") and isinstance(v, str) else v
        for k, v in record.items()
    }


def _with_failures(exercise: Exercise, run: Run, verdict: Verdict) -> Verdict:
    """The verdict, with what Python said where a definition that the answer needs could not be made."""
    if verdict.status not in ("failed", "not_attempted") or not run.failures:
        return verdict
    label, record = next(iter(run.failures.items()))
    where = (
        f"line {record.get('line')} of the cell {record.get('cell')}"
        if record.get("line")
        else f"the cell {label.split('#')[0]}"
    )
    said = f"{record.get('error')}: {record.get('message')} ({where})"
    if record.get("error") in ("ModuleNotFoundError", "ImportError"):
        advice = f"{said}. While {exercise.name} is graded only NumPy, the standard library and class4lib's earlier parts are there: write it with those."
        return replace(verdict, status="failed", misconception="not available while grading", advice=advice)
    return replace(
        verdict,
        status="failed",
        misconception=verdict.misconception or "error in a definition",
        advice=f"{said}. {verdict.advice}",
    )
