"""The steps of ours that stand in stock nbgrader's lists.

`nbgrader autograde` runs no student's code in its kernel: the notebook is put back on the release's skeleton, the verdict is read from (or
judged into) its verdict file, and the score and comment of each graded cell are written from that.
"""

from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder import course, record
from autograder.collect import Cell, Unreadable, read_cells
from class4lib import feedback
from class4lib.cases import Verdict

MAX_EXTRA_CELLS = 200
MAX_SOURCE = 100_000


class TagChecks(NbGraderPreprocessor):
    """Release: a check raises on a wrong answer; the tag lets Run All go on past it."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, Any]:
        for cell in nb.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_"):
                cell.metadata["tags"] = ["raises-exception"]
        return nb, resources


def know_every_notebook(assignment: str, student: str, notebooks: list[str], **_: Any) -> None:
    """Before autograding a student: list the assignment's notebooks under their right names, whatever the files are called."""
    if not notebooks:
        return
    folder = Path(notebooks[0]).parent
    notebooks[:] = [str(folder / f"{topic}.ipynb") for topic in course.assignment_topics(folder.name)]


class SubmissionExporter(NotebookExporter):
    """Reads a submission that may be renamed, damaged or rearranged, and gives it back on the release's skeleton."""

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> Any:
        where = (resources or {}).get("nbgrader", {})
        if record.submitted_folder().resolve() not in Path(filename).resolve().parents:
            return super().from_filename(filename, resources, **kw)  # the second pass, over what the first one wrote
        found = next(
            (h for h in record.hand_ins(where["student"], where["assignment"]) if h.topic == where["notebook"]), None
        )
        return self.from_notebook_node(
            restored(where["assignment"], where["notebook"], found.path if found else None), resources, **kw
        )


def restored(assignment: str, topic: str, path: Path | None) -> NotebookNode:
    """The release's notebook with the student's answers in it, and the cells they added after the ones they followed; outputs are dropped."""
    skeleton = nbformat.read(course.root() / "notebooks" / assignment / f"{topic}.ipynb", as_version=4)
    try:
        cells = read_cells(path)[1] if path is not None else ()
    except Unreadable:
        return skeleton
    ours = {c.source for c in skeleton.cells}
    editable = {
        c.metadata["nbgrader"]["grade_id"]: c for c in skeleton.cells if c.metadata.get("nbgrader", {}).get("solution")
    }
    locked = {c.metadata["nbgrader"]["grade_id"] for c in skeleton.cells if "nbgrader" in c.metadata} - editable.keys()
    extras: dict[str, list[Cell]] = {}
    place, kept = "", 0
    for cell in cells:
        if cell.grade_id in editable:
            editable[cell.grade_id].source = cell.source[:MAX_SOURCE]
            place = cell.grade_id
        elif cell.grade_id in locked:
            place = cell.grade_id
        elif (
            cell.source.strip()
            and cell.source not in ours
            and kept < MAX_EXTRA_CELLS
            and cell.kind in ("code", "markdown")
        ):
            extras.setdefault(place, []).append(cell)
            kept += 1
    rebuilt = [_extra(c, f"student-0-{i}") for i, c in enumerate(extras.get("", []))]
    for cell in skeleton.cells:
        rebuilt.append(cell)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id:
            rebuilt += [_extra(c, f"student-{len(rebuilt)}-{i}") for i, c in enumerate(extras.get(grade_id, []))]
    skeleton.cells = rebuilt
    return skeleton


def _extra(cell: Cell, cell_id: str) -> NotebookNode:
    new = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
    return new(cell.source[:MAX_SOURCE], id=cell_id)


class ShowVerdict(NbGraderPreprocessor):
    """Autograde: fetch the notebook's verdict and put each exercise's under its check cell. No hidden case is shown."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, Any]:
        where = resources["nbgrader"]
        hand_in = next(
            h for h in record.hand_ins(where["student"], where["assignment"]) if h.topic == where["notebook"]
        )
        verdict = record.verdict_of(hand_in, record.shared_pool())
        resources["class4"] = verdict
        by_name = {v.name: v for v in verdict.exercises}
        for cell in nb.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("check_")
            if cell.cell_type == "code":
                cell.outputs = [_output(by_name[name])] if _is_check(cell) else []
                cell.execution_count = None
        if verdict.notes:
            nb.cells.insert(
                0,
                nbformat.v4.new_markdown_cell(
                    "**About this submission.** " + " ".join(verdict.notes), id="about-this-submission"
                ),
            )
        return nb, resources


def _is_check(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_"))


def _output(verdict: Verdict) -> NotebookNode:
    data = {"text/plain": feedback.text(verdict), "text/html": feedback.html(verdict)}
    return nbformat.v4.new_output("display_data", data=data)


class RecordVerdict(NbGraderPreprocessor):
    """Autograde, after SaveAutoGrades: automatic scores and comments from the verdict; manual scores and comments are never touched."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, Any]:
        where, verdict = resources["nbgrader"], resources["class4"]
        key = (where["notebook"], where["assignment"], where["student"])
        with Gradebook(where["db_url"]) as gradebook:
            for exercise in verdict.exercises:
                self._record(gradebook, exercise, key)
            gradebook.db.commit()
        return nb, resources

    @staticmethod
    def _record(gradebook: Gradebook, exercise: Verdict, key: tuple[str, str, str]) -> None:
        grade = gradebook.find_grade(f"check_{exercise.name}", *key)
        unjudged = exercise.status == "unjudged"
        grade.auto_score = None if unjudged else exercise.points
        grade.needs_manual_grade = unjudged
        comment = gradebook.find_comment(exercise.name, *key)
        mistake = f"{exercise.misconception}: " if exercise.misconception else ""
        comment.auto_comment = (
            None
            if exercise.status == "passed"
            else _as_text(f"{feedback.headline(exercise)}. {mistake}{exercise.advice}")
        )


def _as_text(comment: str) -> str:
    """A comment without what nbgrader's pages take for HTML or a link: the message of a student's exception may stand in it."""
    return comment.replace("<", "‹").replace(">", "›").replace("](", "] (")
