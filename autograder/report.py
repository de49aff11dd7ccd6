"""report: a class as a table, and as a CSV that lists every student of the roster with a status."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder import course
from autograder.grade import NotebookVerdict

STATUSES = ("graded", "missing", "unreadable", "unjudged")


class RosterError(ValueError):
    """A roster that cannot be used."""


@dataclass(frozen=True)
class Student:
    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Row:
    """A student's assignment: status is the worst of its notebooks' (unjudged, unreadable, missing, graded)."""

    student: Student
    on_roster: bool
    assignment: str
    verdicts: tuple[NotebookVerdict, ...]

    @property
    def status(self) -> str:
        statuses = {v.status for v in self.verdicts}
        if statuses == {"missing"}:
            return "missing"
        return next((s for s in ("unjudged", "unreadable", "missing") if s in statuses), "graded")

    @property
    def points(self) -> float:
        return sum(v.points for v in self.verdicts)

    @property
    def max_points(self) -> float:
        return sum(v.max_points for v in self.verdicts)

    @property
    def bonus(self) -> float:
        return sum(v.bonus for v in self.verdicts)

    @property
    def mistakes(self) -> tuple[str, ...]:
        return tuple(f"{e.name}: {e.misconception}" for v in self.verdicts for e in v.exercises if e.misconception)

    @property
    def notes(self) -> tuple[str, ...]:
        notes = [n for v in self.verdicts for n in v.notes]
        return tuple(notes if self.on_roster else ["Not on the roster.", *notes])


def read_roster(path: Path) -> list[Student]:
    """Students of a CSV with a column id, and if you like first_name, last_name, email.

    Raises:
        RosterError: the file is missing or has no such column; an id is empty, twice there, or no folder's name.
    """
    if not path.is_file():
        raise RosterError(f"there is no roster {path}: it is a CSV with the columns id, first_name, last_name, email.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
        columns = list(rows[0]) if rows else []
    if rows and "id" not in columns:
        raise RosterError(f"{path.name} needs a column called id, got {', '.join(map(str, columns))}.")
    students: list[Student] = []
    for line, row in enumerate(rows, start=2):
        student = Student(*((row.get(c) or "").strip() for c in ("id", "first_name", "last_name", "email")))
        if not student.id or "/" in student.id or student.id.startswith("."):
            raise RosterError(f"{path.name}, line {line}: id {student.id!r} is empty or no folder's name.")
        if student.id in {s.id for s in students}:
            raise RosterError(f"{path.name}, line {line}: {student.id} is there twice.")
        students.append(student)
    return students


def write_export(path: Path, rows: Iterable[Row]) -> None:
    """One line per student and assignment; columns per exercise of what is in it."""
    rows = list(rows)
    exercises = [
        e.name
        for a in dict.fromkeys(r.assignment for r in rows)
        for t in course.assignment_topics(a)
        for e in course.topic(t).exercises
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "id",
                "first_name",
                "last_name",
                "email",
                "assignment",
                "status",
                "points",
                "max_points",
                "bonus",
                "notes",
                *exercises,
            ]
        )
        for row in rows:
            points = {e.name: f"{e.points:g}" for v in row.verdicts for e in v.exercises}
            s = row.student
            fields = [
                s.id,
                s.first_name,
                s.last_name,
                s.email,
                row.assignment,
                row.status,
                f"{row.points:g}",
                f"{row.max_points:g}",
                f"{row.bonus:g}",
                " ".join(row.notes),
                *(points.get(e, "") for e in exercises),
            ]
            writer.writerow([_harmless(f) for f in fields])


def _harmless(text: str) -> str:
    """A cell that a spreadsheet takes for text and not for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t") or (text[:1] == "-" and not _is_number(text)) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def table(rows: Sequence[Row]) -> object:
    """A rich table of the class."""
    from rich.table import Table
    from rich.text import Text

    made = Table(show_lines=False, header_style="bold", expand=False)
    for column, justify in (
        ("student", "left"),
        ("points", "right"),
        ("bonus", "right"),
        ("status", "left"),
        ("exercises", "left"),
        ("mistakes named, and notes", "left"),
    ):
        made.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    marks = {"passed": "✓", "partial": "◐", "failed": "✗", "not_attempted": "○", "unjudged": "?"}
    for row in rows:
        signs = " ".join("".join(marks[e.status] for e in v.exercises) for v in row.verdicts)
        said = "; ".join([*dict.fromkeys(row.mistakes), *dict.fromkeys(row.notes)])
        made.add_row(
            Text(row.student.id), f"{row.points:g}/{row.max_points:g}", f"{row.bonus:g}", row.status, signs, Text(said)
        )
    return made
