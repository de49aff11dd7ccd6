"""Stock nbgrader, the real thing, once: it releases, autogrades and gives back exactly what `class4 grade` says, whatever was done to a notebook.

All is run once for the whole file, in a course folder of its own: release, `nbgrader autograde`, marks by hand, `class4 grade`, feedback.
"""

import copy
import csv
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from autograder import course, grade
from autograder.run.client import Pool
from class4lib.values import to_json
from tests.conftest import HERE, grade_id

ASSIGNMENT, TOPIC = "3_losses", "softmax_cross_entropy"
SCRIPT = "<script>alert('graded')</script>"
AXIS_0 = f"def softmax(logits):\n    '''{SCRIPT}'''\n    e = np.exp(logits - logits.max(axis=0))\n    return e / e.sum(axis=0)"
LEAK = "def log_softmax(logits):\n    raise ValueError(repr(np.asarray(logits).tolist()) + \"<script>alert('message')</script>\")"
ZEROS = "def softmax(logits):\n    return np.zeros_like(logits)"


def cell(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in notebook["cells"] if grade_id(c) == name)


def with_script(notebook: dict[str, Any]) -> None:
    cell(notebook, "why_not_squared_error")["source"] = f"My answer. {SCRIPT} <img src=x onerror=alert('image')>"
    notebook["cells"].insert(
        3,
        {
            "cell_type": "markdown",
            "id": "mine",
            "metadata": {},
            "source": f"A note. {SCRIPT} <iframe src='//example.org'></iframe>",
        },
    )
    cell(notebook, "check_softmax")["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>alert('output')</script>"}}
    ]


def duplicated(notebook: dict[str, Any]) -> None:
    notebook["cells"] += [copy.deepcopy(cell(notebook, "check_softmax")), copy.deepcopy(cell(notebook, "softmax"))]


def deleted(notebook: dict[str, Any]) -> None:
    notebook["cells"].remove(cell(notebook, "check_softmax"))


def skipped(notebook: dict[str, Any]) -> None:
    for c in notebook["cells"]:
        if grade_id(c).startswith("check_"):
            c["metadata"]["tags"] = ["skip-execution"]
            c["source"] = "1"


def stripped(notebook: dict[str, Any]) -> None:
    notebook["metadata"] = {}
    for c in notebook["cells"]:
        c["metadata"] = {}


@dataclass
class Graded:
    """What came out of the run."""

    root: Path
    autograded: dict[str, dict[str, float | None]] = field(
        default_factory=dict
    )  # by `nbgrader autograde`: student -> cell -> score
    recorded: dict[str, dict[str, float | None]] = field(default_factory=dict)  # in the gradebook after `class4 grade`
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)  # of `class4 grade --json`
    log: str = ""

    def feedback(self, student: str) -> str:
        return (self.root / "var" / "feedback" / student / ASSIGNMENT / f"{TOPIC}.html").read_text()


@contextmanager
def gradebook(root: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{root}/var/gradebook.db", "class4") as book:
            yield book


def scores(root: Path) -> dict[str, dict[str, float | None]]:
    with gradebook(root) as book:
        return {
            s.student.id: {g.name: g.auto_score for n in s.notebooks for g in n.grades}
            for s in book.assignment_submissions(ASSIGNMENT)
        }


def run(root: Path, *command: str) -> str:
    env = {
        **os.environ,
        "CLASS4_ROOT": str(root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout if command[0] == "-c" else done.stderr


def class4(root: Path, *arguments: str) -> str:
    return run(
        root,
        "-c",
        f"from autograder import course\ncourse.topics = lambda: ({TOPIC!r},)\nfrom autograder.cli import main\nmain({list(arguments)!r})",
    )


@pytest.fixture(scope="module")
def graded(one_topic_course: Path, hand_in: Callable[..., Path], solution: dict[str, str]) -> Graded:
    root = one_topic_course
    made = Graded(root)
    run(root, "-m", "nbgrader", "generate_assignment", ASSIGNMENT, "--force", "--create")

    def submit(
        student: str,
        answers: dict[str, str],
        edit: Callable[[dict[str, Any]], Any] = lambda notebook: None,
        name: str = f"{TOPIC}.ipynb",
    ) -> Path:
        return hand_in(root / "var" / "submitted" / student / ASSIGNMENT / name, answers, edit)

    submit("ada_right", solution)
    submit("bob_wrong", {**solution, "softmax": AXIS_0, "log_softmax": LEAK}, with_script)
    submit("cy_blank", {})
    submit("di_renamed", solution, name="my final homework.ipynb")
    cut = submit("ed_cut_off", solution)
    cut.write_text(cut.read_text()[:3000])
    submit("flo_duplicated_check", {**solution, "softmax": ZEROS}, duplicated)
    submit("gil_deleted_check", solution, deleted)
    submit("hal_skipped_checks", {"softmax": ZEROS}, skipped)
    submit("ida_stripped", solution, stripped)
    (root / "var" / "roster.csv").write_text(
        "id,first_name,last_name,email\nada_right,Ada,A,a@example.org\nzoe_missing,Zoë,Z,\n"
    )
    made.log = run(root, "-m", "nbgrader", "autograde", ASSIGNMENT, "--create")
    made.autograded = scores(root)
    with gradebook(root) as book:
        key = (TOPIC, ASSIGNMENT, "ada_right")
        book.find_grade("why_not_squared_error", *key).manual_score = 1.5
        book.find_grade("check_softmax", *key).manual_score = 3.0
        book.find_comment("softmax", *key).manual_comment = "Nicely written."
        book.db.commit()
    made.rows = {r["student"]: r for r in json.loads(class4(root, "grade", ASSIGNMENT, "--json"))}
    made.recorded = scores(root)
    class4(root, "feedback", ASSIGNMENT)
    return made


STUDENTS = (
    "ada_right",
    "bob_wrong",
    "cy_blank",
    "di_renamed",
    "ed_cut_off",
    "flo_duplicated_check",
    "gil_deleted_check",
    "hal_skipped_checks",
    "ida_stripped",
)
FULL = sum(e.points for e in course.topic(TOPIC).exercises if not e.extension)
BY_NAME = {e.name: e.points for e in course.topic(TOPIC).exercises}


# ---- release
def test_the_release_made_again_is_the_one_on_disk_to_the_byte(graded: Graded) -> None:
    path = Path("notebooks") / ASSIGNMENT / f"{TOPIC}.ipynb"
    assert (graded.root / path).read_bytes() == (HERE / path).read_bytes()


def test_checks_of_the_release_raise_without_stopping_run_all(graded: Graded) -> None:
    released = json.loads((graded.root / "notebooks" / ASSIGNMENT / f"{TOPIC}.ipynb").read_text())
    tagged = [grade_id(c) for c in released["cells"] if c["metadata"].get("tags") == ["raises-exception"]]
    assert tagged == [f"check_{n}" for n in course.topic(TOPIC).names]


def test_nothing_but_the_notebook_is_released(graded: Graded) -> None:
    assert [p.name for p in (graded.root / "notebooks" / ASSIGNMENT).iterdir()] == [f"{TOPIC}.ipynb"]


# ---- scores
def test_every_submission_is_autograded_whatever_was_done_to_it(graded: Graded) -> None:
    assert sorted(graded.autograded) == list(STUDENTS)
    assert "[ERROR]" not in re.sub("\x1b\\[[0-9;]*m", "", graded.log).replace(" | ERROR | ", "[ERROR]")


@pytest.mark.parametrize("student", STUDENTS)
def test_nbgrader_gives_exactly_the_scores_of_class4(student: str, graded: Graded) -> None:
    said = {f"check_{e['name']}": e["points"] for e in graded.rows[student]["notebooks"][0]["exercises"]}
    assert {k: v for k, v in graded.autograded[student].items() if k.startswith("check_")} == said
    assert {k: v for k, v in graded.recorded[student].items() if k.startswith("check_")} == said


def test_the_scores_are_those_that_are_earned(graded: Graded) -> None:
    earned = {s: r["points"] for s, r in graded.rows.items()}
    assert earned == {
        "ada_right": FULL,
        "bob_wrong": FULL - BY_NAME["softmax"] - BY_NAME["log_softmax"],
        "cy_blank": 0,
        "di_renamed": FULL,
        "ed_cut_off": 0,
        "flo_duplicated_check": FULL - BY_NAME["softmax"],
        "gil_deleted_check": FULL,
        "hal_skipped_checks": 0,
        "ida_stripped": FULL,
        "zoe_missing": 0,
    }


def test_every_one_has_a_status_and_the_export_lists_them_all(graded: Graded) -> None:
    statuses = dict.fromkeys(STUDENTS, "graded") | {"ed_cut_off": "unreadable", "zoe_missing": "missing"}
    assert {s: r["status"] for s, r in graded.rows.items()} == statuses
    with (graded.root / "var" / "grades.csv").open(newline="") as file:
        lines = {r["id"]: r for r in csv.DictReader(file)}
    assert {s: r["status"] for s, r in lines.items()} == statuses
    assert (lines["zoe_missing"]["first_name"], lines["zoe_missing"]["points"]) == ("Zoë", "0")
    assert lines["cy_blank"]["notes"] == "Not on the roster."
    assert (
        lines["di_renamed"]["notes"]
        == f"Not on the roster. The file is called my final homework.ipynb, not {TOPIC}.ipynb: it was recognised by its contents."
    )


def test_written_answers_wait_for_a_person(graded: Graded) -> None:
    with gradebook(graded.root) as book:
        for student in ("bob_wrong",):
            found = book.find_grade("why_not_squared_error", TOPIC, ASSIGNMENT, student)
            assert (found.needs_manual_grade, found.auto_score, found.manual_score) == (True, None, None)
        assert not book.find_grade("check_softmax", TOPIC, ASSIGNMENT, "bob_wrong").needs_manual_grade


def test_marks_and_comments_by_hand_survive_another_run(graded: Graded) -> None:
    with gradebook(graded.root) as book:
        key = (TOPIC, ASSIGNMENT, "ada_right")
        assert book.find_grade("why_not_squared_error", *key).manual_score == 1.5
        softmax = book.find_grade("check_softmax", *key)
        assert (softmax.manual_score, softmax.auto_score, softmax.score) == (3.0, 4.0, 3.0)
        comment = book.find_comment("softmax", *key)
        assert (comment.manual_comment, comment.auto_comment, comment.comment) == (
            "Nicely written.",
            None,
            "Nicely written.",
        )


def test_names_of_the_roster_reach_the_gradebook(graded: Graded) -> None:
    with gradebook(graded.root) as book:
        student = book.find_student("ada_right")
        assert (student.first_name, student.last_name, student.email) == ("Ada", "A", "a@example.org")
        assert book.find_student("zoe_missing").first_name == "Zoë"


def test_the_autograded_notebook_stands_on_the_releases_skeleton(graded: Graded) -> None:
    released = json.loads((graded.root / "notebooks" / ASSIGNMENT / f"{TOPIC}.ipynb").read_text())
    for student in STUDENTS:
        made = json.loads((graded.root / "var" / "autograded" / student / ASSIGNMENT / f"{TOPIC}.ipynb").read_text())
        ids = [grade_id(c) for c in made["cells"] if grade_id(c)]
        assert ids == [grade_id(c) for c in released["cells"] if grade_id(c)], student
        locked = {grade_id(c): "".join(c["source"]) for c in made["cells"] if grade_id(c).startswith("check_")}
        assert locked == {f"check_{n}": f'check("{n}")' for n in course.topic(TOPIC).names}, student


# ---- feedback
def test_feedback_holds_verdict_mistake_and_advice(graded: Graded) -> None:
    page = unescape(graded.feedback("bob_wrong"))
    assert "✗ softmax: not right yet, 0 of 4 points" in page
    assert "Mistake recognised: <b>axis 0</b>" in page
    assert "Each row is one example, and its own probabilities must sum to 1." in page
    assert "✓ label_smoothing: right, 1 of 1 points" in page
    assert "○ softmax: not attempted yet, 0 of 4 points" in unescape(graded.feedback("cy_blank"))
    assert "Nicely written." in graded.feedback("ada_right")


def test_feedback_on_what_could_not_be_read_or_was_renamed_says_so(graded: Graded) -> None:
    assert f"{TOPIC}.ipynb is cut off or damaged: it is not a complete notebook file." in unescape(
        graded.feedback("ed_cut_off")
    )
    assert "The file is called my final homework.ipynb" in unescape(graded.feedback("di_renamed"))


@pytest.mark.parametrize("student", STUDENTS)
def test_feedback_runs_nothing_of_a_students(student: str, graded: Graded) -> None:
    page = graded.feedback(student)
    assert re.findall(r"<script[^>]*>(?:(?!</script>).)*alert", page, re.S) == []
    body = page[page.index("<body") :]
    assert re.findall(r"<iframe|<[^>]+\sonerror\s*=|<object|<embed|javascript:alert", body, re.I) == []
    assert "alert('output')" not in page


def test_what_a_student_wrote_is_still_to_be_read(graded: Graded) -> None:
    page = unescape(graded.feedback("bob_wrong"))
    assert "My answer." in page
    assert "A note." in page


@pytest.mark.parametrize("student", ["bob_wrong", "flo_duplicated_check", "cy_blank"])
def test_feedback_and_verdict_files_hold_no_hidden_case(student: str, graded: Graded) -> None:
    pages = [
        graded.feedback(student),
        (graded.root / "var" / "verdicts" / ASSIGNMENT / student / f"{TOPIC}.json").read_text(),
    ]
    pages += [(graded.root / "var" / "autograded" / student / ASSIGNMENT / f"{TOPIC}.ipynb").read_text()]
    numbers = {
        f"{v:.6g}"
        for n in ("softmax", "log_softmax")
        for c in grade.hidden(n).cases
        for part in (c.script[0].args[0], c.expected[0]["value"])
        for v in _numbers(to_json(part))
        if len(f"{v:.6g}") >= 7
    }
    assert len(numbers) > 100
    for page in pages:
        assert [n for n in numbers if n in page] == []
        assert "given:" not in page
        assert "two leading axes" not in page


def _numbers(data: Any) -> Iterator[float]:
    if isinstance(data, list | dict):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _numbers(item)
    elif isinstance(data, float):
        yield data


def test_the_search_for_hidden_numbers_finds_them_in_a_verdict_that_shows_its_findings(graded: Graded) -> None:
    from class4lib import feedback

    topic = course.topic(TOPIC)
    found = grade.read(graded.root / "var" / "submitted" / "bob_wrong" / ASSIGNMENT / f"{TOPIC}.ipynb").found["softmax"]
    with Pool() as pool:
        text = feedback.text(grade.judge_exercise(topic, topic.exercise("softmax"), found, pool))
    assert "given:" in text
    numbers = {f"{v:.4f}" for v in _numbers(to_json(grade.hidden("softmax").cases[0].script[0].args[0]))}
    assert [n for n in numbers if n in text]
