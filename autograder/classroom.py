"""A class, graded: hand-ins to verdict files in parallel, then through stock nbgrader into gradebook and feedback."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autograder import course, record
from autograder.nbgrader_command import nbgrader
from autograder.report import Row, Student
from autograder.run.client import Pool


def grade_class(
    assignment: str, roster: Sequence[Student], *, workers: int = 2, progress: Callable[[str], None] = lambda _: None
) -> list[Row]:
    """Judge every hand-in of an assignment and write the verdict files. One bad submission never disturbs another.

    Args:
        roster: who is in the class; folders of others are graded too, and say so.
        workers: processes that run students' code at the same time.
        progress: called with a line as each student is done.
    """
    known = {s.id: s for s in roster}
    folders = record.students_with_folders()
    students = [*known.values(), *(Student(f) for f in folders if f not in known)]
    with Pool(workers) as pool, ThreadPoolExecutor(workers) as threads:

        def one(student: Student) -> Row:
            verdicts = tuple(record.verdict_of(h, pool) for h in record.hand_ins(student.id, assignment))
            progress(student.id)
            return Row(student, student.id in known or not roster, assignment, verdicts)

        return list(threads.map(one, sorted(students, key=lambda s: s.id)))


def into_gradebook(assignment: str, rows: Sequence[Row], progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Write the class into nbgrader's gradebook and autograded folder, through nbgrader itself; returns what went wrong, by student."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    from autograder.nbgrader_config import configure

    config = Config()
    configure(config)
    api = NbGraderAPI(config=config)
    with Gradebook(config.CourseDirectory.db_url, "class4") as gradebook:
        for row in rows:
            if row.on_roster:
                s = row.student
                gradebook.update_or_create_student(
                    s.id, first_name=s.first_name or None, last_name=s.last_name or None, email=s.email or None
                )
    problems = []
    for row in rows:
        if row.status == "missing":
            continue
        result = api.autograde(assignment, row.student.id, force=True, create=True)
        if not result["success"]:
            problems.append(
                f"{row.student.id}: {(result.get('error') or result.get('log') or 'nbgrader gave no reason').strip().splitlines()[-1]}"
            )
        progress(row.student.id)
    return problems


def write_feedback(assignment: str) -> Path:
    """Feedback pages of everybody who was graded, by stock nbgrader; returns their folder."""
    nbgrader("generate_feedback", assignment, "--force")
    return course.root() / "var" / "feedback"
