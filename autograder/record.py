"""record: verdict files, the only truth about who earned what. Gradebook, feedback, report and export are views and can be made again.

var/submitted/<student>/<assignment>/*.ipynb     as handed in
var/verdicts/<assignment>/<student>/<topic>.json  one file a notebook, with the key of all that decided it
"""

import atexit
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import course, grade
from autograder.collect import Unreadable, read_cells
from autograder.grade import NotebookVerdict
from autograder.run.client import Pool

MAX_FILES = 200


@dataclass(frozen=True)
class HandIn:
    """One notebook that a student should have handed in; path is None where nothing was found."""

    student: str
    assignment: str
    topic: str
    path: Path | None


def submitted_folder() -> Path:
    return course.root() / "var" / "submitted"


def verdict_path(student: str, assignment: str, topic: str) -> Path:
    return course.root() / "var" / "verdicts" / assignment / student / f"{topic}.json"


def take_in(folder: Path, assignments: Iterable[str]) -> int:
    """Copy notebooks handed in elsewhere (folder/<student>/<assignment>/*.ipynb, or folder/<student>/*.ipynb) to var/submitted; links are not followed.

    Returns:
        How many files were copied.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {folder}: --submitted takes one that holds <student>/<assignment>/*.ipynb."
        )
    if folder.resolve() == submitted_folder().resolve():
        return 0
    copied = 0
    for student in sorted(
        p for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")
    ):
        for assignment in assignments:
            source = student / assignment if (student / assignment).is_dir() else student
            target = submitted_folder() / student.name / assignment
            target.mkdir(parents=True, exist_ok=True)
            kept = set()
            for path in sorted(source.glob("*.ipynb"))[:MAX_FILES]:
                if path.is_symlink() or not path.is_file():
                    continue
                shutil.copyfile(path, target / path.name)
                kept.add(path.name)
                copied += 1
            for old in target.glob("*.ipynb"):
                if old.name not in kept:
                    old.unlink()  # handed in before, withdrawn or renamed since
    return copied


def students_with_folders() -> list[str]:
    folder = submitted_folder()
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def hand_ins(student: str, assignment: str) -> Iterator[HandIn]:
    """What a student handed in for each topic of an assignment: the file of the topic's name, else one recognised by its contents."""
    folder = submitted_folder() / student / assignment
    files = sorted(p for p in folder.glob("*.ipynb") if not p.is_symlink())[:MAX_FILES] if folder.is_dir() else []
    topics = course.assignment_topics(assignment)
    named = {p.stem: p for p in files if p.stem in topics}
    spare = [p for p in files if p.stem not in topics]
    recognised: dict[str, Path] = {}
    for path in spare:
        try:
            recognised.setdefault(grade.read(path).topic, path)
        except Unreadable:
            continue
    broken = [p for p in spare if p not in recognised.values() and not _is_readable(p)]
    for topic in topics:
        found = named.get(topic) or recognised.get(topic)
        if found is None and len(topics) == 1 and broken:
            found = broken[0]
        yield HandIn(student, assignment, topic, found)


def _is_readable(path: Path) -> bool:
    try:
        read_cells(path)
    except Unreadable:
        return False
    return True


def verdict_of(hand_in: HandIn, pool: Pool) -> NotebookVerdict:
    """The verdict on a notebook: the file's, where everything that decides it is unchanged; else it is judged now. Unjudged is never kept."""
    if hand_in.path is None:
        verdict = grade.unreadable(hand_in.topic, f"No notebook {hand_in.topic}.ipynb was handed in.", status="missing")
        _write(hand_in, verdict)
        return verdict
    try:
        key = grade.verdict_key(grade.read(hand_in.path))
    except Unreadable:
        key = ""
    kept = read_verdict(hand_in.student, hand_in.assignment, hand_in.topic)
    if kept is not None and key and kept.key == key and kept.status == "graded":
        return kept
    verdict = grade.judge_notebook(hand_in.path, pool, topic=hand_in.topic)
    _write(hand_in, verdict)
    return NotebookVerdict.from_json(
        verdict.to_json()
    )  # as it will be read again: without the hidden inputs and values of its findings


def read_verdict(student: str, assignment: str, topic: str) -> NotebookVerdict | None:
    """The verdict file of a notebook, or None where there is none that can be read."""
    try:
        return NotebookVerdict.from_json(json.loads(verdict_path(student, assignment, topic).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(hand_in: HandIn, verdict: NotebookVerdict) -> None:
    """Write a verdict file whole or not at all: a run that is interrupted leaves no half of one."""
    path = verdict_path(hand_in.student, hand_in.assignment, hand_in.topic)
    path.parent.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {"student": hand_in.student, "assignment": hand_in.assignment, **verdict.to_json()}
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    partial.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    partial.replace(path)


_shared_pool: list[Pool] = []


def shared_pool() -> Pool:
    """The pool that nbgrader's preprocessors use; it lives as long as the process."""
    if not _shared_pool:
        _shared_pool.append(Pool(1))
        atexit.register(_shared_pool[0].close)
    return _shared_pool[0]
