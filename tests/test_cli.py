"""The command line explains itself, says what it promised as JSON, and answers bad input with one line and a status that is not 0."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from autograder import cli, course

ASSIGNMENT, TOPIC = "3_losses", "softmax_cross_entropy"
COMMANDS = ("release", "check", "judge", "grade", "feedback", "exercises", "audit", "demo")

pytestmark = pytest.mark.usefixtures("one_topic_course")


def class4(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, list(map(str, arguments)))


# ---- help
def test_every_promised_command_is_there_and_described_in_the_overview() -> None:
    shown = class4("--help")
    assert shown.exit_code == 0
    assert set(COMMANDS) <= set(cli.main.commands)
    for name in cli.main.commands:
        assert re.search(rf"^  {name} +\S", shown.stdout, re.M), name


@pytest.mark.parametrize("name", sorted(cli.main.commands))
def test_every_command_and_every_option_explains_itself(name: str) -> None:
    shown = class4(name, "--help")
    command = cli.main.commands[name]
    assert shown.exit_code == 0
    assert command.help is not None
    assert command.help.splitlines()[0].rstrip().endswith((".", ":"))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[-1] in shown.stdout
            assert parameter.help or parameter.name == "workers", f"{name} {parameter.opts}"
        else:
            assert parameter.name is not None
            assert parameter.name.upper() in shown.stdout


def test_the_version_is_said() -> None:
    assert re.fullmatch(r"class4 \d+\.\d+\.\d+\n", class4("--version").stdout)


def test_the_installed_command_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli", "exercises", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(cli.__file__).parent.parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


# ---- bad input
def says(message: str, *arguments: str | Path) -> None:
    done = class4(*arguments)
    assert (done.exit_code, done.stderr, done.stdout) == (1, f"class4: {message}\n", "")


def test_a_notebook_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for command in ("judge", "check"):
        says("nothing.ipynb is not there.", command, tmp_path / "nothing.ipynb")


def test_a_file_that_is_no_notebook_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text("hello")
    for command in ("judge", "check"):
        says(
            "n.ipynb is cut off or damaged: it is not a complete notebook file. Open it in JupyterLab, save it and hand it in again.",
            command,
            tmp_path / "n.ipynb",
        )
    (tmp_path / "n.ipynb").write_text('{"cells": []}')
    says(
        "n.ipynb is a notebook without any exercise of this course.",
        "judge",
        tmp_path / "n.ipynb",
        "--json",
    )


@pytest.mark.parametrize("command", ["grade", "release", "feedback"])
def test_an_unknown_assignment_is_one_line_with_those_there_are(command: str) -> None:
    says("no assignment is called '9_nothing'; there are 3_losses.", command, "9_nothing")


def test_an_unknown_topic_is_one_line() -> None:
    known = ", ".join(course.topics())
    course.topic.cache_clear()
    says(f"no topic is called 'nothing'; there are {known}.", "audit", "nothing")


def test_a_folder_of_hand_ins_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    says(
        f"there is no folder {tmp_path / 'x'}: --submitted takes one that holds <student>/<assignment>/*.ipynb.",
        "grade",
        ASSIGNMENT,
        "--submitted",
        tmp_path / "x",
    )


def test_nobody_to_grade_is_one_line(one_topic_course: Path) -> None:
    assert not (one_topic_course / "var" / "submitted").exists()
    says(
        "nobody handed anything in: var/submitted is empty and there is no roster. Give --submitted DIR.",
        "grade",
        ASSIGNMENT,
    )


def test_feedback_on_nothing_is_one_line() -> None:
    says("nobody was graded in 3_losses yet: `class4 grade 3_losses` first.", "feedback", ASSIGNMENT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,email\nAda,a@b\n", "roster.csv needs a column called id, got name, email."),
        ("id\nada\n ada \n", "roster.csv, line 3: ada is there twice."),
        ("id\nada\n../../etc\n", "roster.csv, line 3: id '../../etc' is empty or no folder's name."),
        ("id,first_name\n,Ada\n", "roster.csv, line 2: id '' is empty or no folder's name."),
        ("id\n.hidden\n", "roster.csv, line 2: id '.hidden' is empty or no folder's name."),
    ],
)
def test_a_roster_that_cannot_be_used_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(text)
    says(message, "grade", ASSIGNMENT, "--roster", tmp_path / "roster.csv")


def test_a_roster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    says(
        f"there is no roster {tmp_path / 'r.csv'}: it is a CSV with the columns id, first_name, last_name, email.",
        "grade",
        ASSIGNMENT,
        "--roster",
        tmp_path / "r.csv",
    )


def test_an_assignment_that_is_not_released_is_one_line(one_topic_course: Path) -> None:
    released = one_topic_course / "notebooks"
    released.rename(one_topic_course / "aside")
    try:
        says("3_losses is not released yet: `class4 release 3_losses` first.", "grade", ASSIGNMENT)
    finally:
        (one_topic_course / "aside").rename(released)


def test_outside_a_course_folder_it_is_one_line(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "CLASS4_ROOT"}
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli", "grade"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**env, "PYTHONPATH": str(Path(cli.__file__).parent.parent)},
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr
        == "class4: this is not a class4 course folder (no nbgrader_config.py and solutions/ here or above): change into a checkout of the course, or set CLASS4_ROOT.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["judge"],
        ["judge", "a", "b"],
        ["grade", "--nonsense"],
        ["grade", "--workers", "0"],
        ["exercises", "--json=3"],
    ],
)
def test_a_command_that_is_none_is_an_error_with_a_status(arguments: list[str]) -> None:
    done = class4(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("Error: ")


# ---- JSON
def test_exercises_lists_what_was_promised() -> None:
    listed = json.loads(class4("exercises", "--json").stdout)
    assert [e["name"] for e in listed] == list(course.topic(TOPIC).names)
    for e in listed:
        assert {"name": str, "topic": str, "assignment": str, "extension": bool, "minutes": int} == {
            k: type(e[k]) for k in ("name", "topic", "assignment", "extension", "minutes")
        }
        assert isinstance(e["points"], int | float)
        assert (e["topic"], e["assignment"]) == (TOPIC, ASSIGNMENT)


def test_exercises_as_text_names_them_all_and_the_written_answers() -> None:
    shown = class4("exercises").stdout
    for name in (*course.topic(TOPIC).names, *(w.name for w in course.topic(TOPIC).written)):
        assert re.search(rf"^  {name} +[\d.]+ points", shown, re.M), name


AXIS_0 = "def softmax(logits):\n    e = np.exp(logits - logits.max(axis=0))\n    return e / e.sum(axis=0)"


def test_judge_says_what_was_promised_and_a_score_is_no_error(
    hand_in: Callable[..., Path], solution: dict[str, str], tmp_path: Path
) -> None:
    path = hand_in(tmp_path / f"{TOPIC}.ipynb", {"softmax": AXIS_0, "label_smoothing": solution["label_smoothing"]})
    done = class4("judge", path, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    verdict = json.loads(done.stdout)
    assert {"points", "max_points", "exercises"} <= verdict.keys()
    for e in verdict["exercises"]:
        assert {"name", "status", "points", "max_points", "misconception", "advice"} <= e.keys()
        assert e["status"] in ("passed", "partial", "failed", "not_attempted", "unjudged")
        assert "findings" not in e
    by_name = {e["name"]: e for e in verdict["exercises"]}
    assert list(by_name) == list(course.topic(TOPIC).names)
    assert (by_name["softmax"]["status"], by_name["softmax"]["misconception"]) == ("failed", "axis 0")
    assert (by_name["label_smoothing"]["status"], verdict["points"]) == ("passed", 1)
    assert by_name["log_softmax"]["status"] == "not_attempted"
    shown = class4("judge", path)
    assert shown.exit_code == 0
    assert "✗ softmax: not right yet, 0 of 4 points\n    axis 0: Each row is one example" in shown.stdout
    assert "○ log_softmax: not attempted yet, 0 of 3 points" in shown.stdout


def test_check_shows_the_public_cases_and_fails_unless_all_is_right(
    hand_in: Callable[..., Path], solution: dict[str, str], tmp_path: Path
) -> None:
    wrong = class4("check", hand_in(tmp_path / f"{TOPIC}.ipynb", {**solution, "softmax": AXIS_0}))
    assert wrong.exit_code == 1
    assert "    expected: [" in wrong.stdout
    assert "  mistake recognised: axis 0" in wrong.stdout
    right = class4("check", hand_in(tmp_path / f"{TOPIC}.ipynb", solution))
    assert right.exit_code == 0
    assert "✗" not in right.stdout


def test_a_renamed_notebook_is_judged_and_told(hand_in: Callable[..., Path], tmp_path: Path) -> None:
    shown = class4("judge", hand_in(tmp_path / "mine.ipynb"))
    assert shown.stdout.startswith(
        f"The file is called mine.ipynb, not {TOPIC}.ipynb: it was recognised by its contents.\n"
    )


# ---- export
def test_the_export_lists_everybody_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    from autograder.grade import NotebookVerdict, unreadable
    from autograder.report import Row, Student, write_export

    missing = unreadable(TOPIC, "No notebook.", status="missing")
    rows = [
        Row(Student("=cmd()", "+1", "-x", "@y"), True, ASSIGNMENT, (missing,)),
        Row(Student("bo"), False, ASSIGNMENT, (NotebookVerdict(TOPIC, "graded", ()),)),
    ]
    write_export(tmp_path / "grades.csv", rows)
    with (tmp_path / "grades.csv").open(newline="") as file:
        made: list[dict[str, Any]] = list(csv.DictReader(file))
    assert [(r["id"], r["first_name"], r["last_name"], r["email"], r["status"]) for r in made] == [
        ("'=cmd()", "'+1", "'-x", "'@y", "missing"),
        ("bo", "", "", "", "graded"),
    ]
    assert made[1]["notes"] == "Not on the roster."
