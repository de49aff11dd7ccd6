"""A notebook becomes a verdict: one error is charged once, no process judges what it holds, and no verdict is never a pass and never a silent zero."""

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder import course, grade, library, record, sheets
from autograder.grade import NotebookVerdict, judge_exercise, judge_notebook, judge_submission, verdict_key
from autograder.record import HandIn, verdict_of
from autograder.run.client import Job, MachineFault, Pool, Run
from class4lib.cases import Verdict
from class4lib.values import to_json

ASSIGNMENT, TOPIC = "3_losses", "softmax_cross_entropy"
HandInFunction = Callable[..., Path]

SOFTMAX_WRONG = (
    "def softmax(logits):\n    e = np.exp(logits - logits.max())\n    return e / e.sum(axis=-1, keepdims=True)"
)
SOFTMAX_AXIS_0 = "def softmax(logits):\n    e = np.exp(logits - logits.max(axis=0))\n    return e / e.sum(axis=0)"
LOG_OF_SOFTMAX = "def log_softmax(logits):\n    return np.log(softmax(logits))"
LOSS_BY_LOG_SOFTMAX = """def softmax_cross_entropy(logits, targets, reduction="mean"):
    weights = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets
    losses = -(weights * log_softmax(logits)).sum(axis=1)
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()"""
GRADIENT_BY_SOFTMAX = """def softmax_cross_entropy_grad(logits, targets, reduction="mean"):
    weights = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets
    gradient = softmax(logits) * weights.sum(axis=1, keepdims=True) - weights
    return gradient / len(logits) if reduction == "mean" else gradient"""

pytestmark = pytest.mark.usefixtures("one_topic_course")


class Recording(Pool):
    """A pool that remembers its jobs."""

    def __init__(self) -> None:
        super().__init__(1)
        self.jobs: list[Job] = []

    def run(self, job: Job) -> Run:
        self.jobs.append(job)
        return super().run(job)


class Faulty(Pool):
    """A pool on a machine that fails."""

    def run(self, job: Job) -> Run:
        raise MachineFault("the worker did not answer (EOFError: the worker ended)")


@pytest.fixture(scope="module")
def pool() -> Iterator[Recording]:
    with Recording() as made:
        yield made


@pytest.fixture
def judged(pool: Recording, hand_in: HandInFunction, tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on one exercise of a notebook with these answers."""

    def verdict_on(
        name: str, answers: dict[str, str], edit: Callable[[dict[str, Any]], Any] = lambda notebook: None
    ) -> Verdict:
        found = grade.read(hand_in(tmp_path / f"{TOPIC}.ipynb", answers, edit)).found[name]
        topic = course.topic(TOPIC)
        pool.jobs.clear()
        return judge_exercise(topic, topic.exercise(name), found, pool)

    return verdict_on


def summary(verdict: Verdict) -> tuple[str, float, str]:
    return verdict.status, verdict.points, verdict.misconception


# ---- promise 6
def test_an_error_in_one_exercise_is_not_charged_again_where_another_calls_it(judged: Callable[..., Verdict]) -> None:
    answers = {"softmax": SOFTMAX_AXIS_0, "softmax_cross_entropy_grad": GRADIENT_BY_SOFTMAX}
    assert summary(judged("softmax", answers)) == ("failed", 0, "axis 0")
    verdict = judged("softmax_cross_entropy_grad", answers)
    assert summary(verdict) == ("passed", 3, "")
    assert (
        verdict.advice
        == "Judged with the library's softmax, which this answer calls: the notebook's own would have cost it points twice."
    )


def test_a_helper_that_was_not_written_is_lent_too(judged: Callable[..., Verdict]) -> None:
    assert summary(judged("softmax_cross_entropy", {"softmax_cross_entropy": LOSS_BY_LOG_SOFTMAX})) == ("passed", 3, "")


def test_an_answer_is_judged_with_the_notebooks_own_definitions_first(
    judged: Callable[..., Verdict], pool: Recording, solution: dict[str, str]
) -> None:
    assert judged("softmax_cross_entropy", {**solution, "softmax_cross_entropy": LOSS_BY_LOG_SOFTMAX}).advice == ""
    assert len(pool.jobs) == 1
    assert [label.split("#")[0] for label, _ in pool.jobs[0].units] == [
        "setup",
        "log_softmax",
        "softmax_cross_entropy",
    ] or len(pool.jobs[0].units) >= 3
    assert not any("library" in label for label, _ in pool.jobs[0].units)


def test_an_error_of_its_own_is_charged_though_the_library_helps(judged: Callable[..., Verdict]) -> None:
    wrong = GRADIENT_BY_SOFTMAX.replace("weights.sum(axis=1, keepdims=True) - weights", "1.0 - weights")
    assert summary(
        judged("softmax_cross_entropy_grad", {"softmax": SOFTMAX_AXIS_0, "softmax_cross_entropy_grad": wrong})
    ) == ("partial", 2, "targets assumed to sum to 1")


def test_each_of_a_chain_is_judged_again_in_a_process_that_does_not_hold_it(
    judged: Callable[..., Verdict], pool: Recording
) -> None:
    answers = {
        "softmax": SOFTMAX_WRONG,
        "log_softmax": "def log_softmax(logits):\n    return softmax(logits)",
        "softmax_cross_entropy": LOSS_BY_LOG_SOFTMAX,
    }
    assert judged("softmax_cross_entropy", answers).status == "passed"
    assert len(pool.jobs) == 2
    for made in pool.jobs:
        assert not any("def softmax_cross_entropy(" in text for text in made.modules.values())
    assert "def log_softmax(" in pool.jobs[1].modules[f"class4lib.{TOPIC}"]
    assert pool.jobs[1].units[-2:] == (
        ("library log_softmax", f"from class4lib.{TOPIC} import log_softmax"),
        ("library softmax", f"from class4lib.{TOPIC} import softmax"),
    ) or pool.jobs[1].units[-1][0].startswith("library ")


def test_the_logarithm_of_softmax_earns_no_edge_case_by_the_librarys_softmax(judged: Callable[..., Verdict]) -> None:
    assert summary(judged("log_softmax", {"softmax": SOFTMAX_WRONG, "log_softmax": LOG_OF_SOFTMAX})) == (
        "partial",
        1,
        "logarithm of softmax",
    )


CIRCLE = {
    "softmax": "def softmax(logits):\n    return np.exp(log_softmax(logits))",
    "log_softmax": "def log_softmax(logits):\n    return np.log(softmax(logits))",
}


def test_two_answers_that_call_each_other_earn_nothing_for_it(judged: Callable[..., Verdict], pool: Recording) -> None:
    """softmax = exp(log_softmax) with log_softmax = log(softmax): the later may borrow the earlier, the earlier nothing."""
    assert summary(judged("softmax", CIRCLE))[:2] == ("failed", 0)
    assert all(f"class4lib.{TOPIC}" not in j.modules for j in pool.jobs)
    assert summary(judged("log_softmax", CIRCLE))[:2] == ("partial", 1)


def test_an_exercise_cannot_be_had_from_the_library_by_way_of_a_later_one(
    judged: Callable[..., Verdict], pool: Recording
) -> None:
    borrowed = "def softmax(logits):\n    z = np.atleast_2d(logits)\n    return softmax_cross_entropy_grad(z, np.zeros(z.shape), 'sum')"
    assert judged("softmax", {"softmax": borrowed}).points == 0
    assert not any(
        "def softmax(" in text or "def softmax_cross_entropy_grad(" in text
        for j in pool.jobs
        for text in j.modules.values()
    )


@pytest.mark.parametrize("topic", course.topics())
def test_no_process_holds_what_it_judges_whatever_an_answer_calls(topic: str) -> None:
    made = course.topic(topic) if topic == TOPIC else _topic_of_the_course(topic)
    for exercise in made.exercises:
        lent = library.lendable(made, exercise, made.names)
        assert exercise.name not in lent
        assert not set(lent) & set(exercise.absent)
        modules = library.modules_for(made, exercise, lent) or {}
        for text in modules.values():
            assert exercise.name not in {
                n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.ClassDef)
            }


def _topic_of_the_course(name: str) -> Any:
    import importlib

    return importlib.import_module(f"autograder.exercises.{name}").TOPIC


# ---- answers that are none
@pytest.mark.parametrize(
    ("source", "status", "name"),
    [
        ("def softmax(logits):\n    raise NotImplementedError", "not_attempted", ""),
        ("def softmax(logits):\n    return np.zeros_like(logits)", "failed", "zeros returned"),
        ("def softmax(logits):\n    return np.ones_like(logits) / logits.shape[-1]", "failed", ""),
        ("def softmax(logits):\n    return 'full marks'", "failed", "wrong kind of result"),
        ("def softmax(logits):\n    return np.full(logits.shape, np.nan)", "failed", "not finite"),
        ("def softmax(logits):\n    while True: pass", "failed", "endless loop"),
        ("import os\ndef softmax(logits):\n    os._exit(0)", "failed", "the process ended"),
        ("def softmax(logits)\n    return 1", "failed", "syntax error"),
        ("from class4lib.softmax_cross_entropy import softmax", "failed", "not available while grading"),
        ("import class4lib.softmax_cross_entropy as answers\ndef softmax(logits):\n    return answers.softmax(logits)", "failed", "not available while grading"),
        ("from scipy.special import softmax", "failed", "not available while grading"),
        ("import torch\ndef softmax(logits):\n    return torch.softmax(torch.tensor(logits), -1).numpy()", "failed", "not available while grading"),
        ("softmax = 3", "failed", ""),
        ("", "not_attempted", ""),
        ("class softmax:\n    def __init__(self, logits):\n        raise NotImplementedError", "not_attempted", ""),
        ("def softmax(logits):\n    class Everything(type(logits)):\n        def __eq__(self, other): return True\n    return np.zeros(logits.shape).view(Everything)", "failed", "zeros returned"),
    ],
)  # fmt: skip
def test_what_is_no_answer_earns_nothing_and_is_called_what_it_is(
    source: str, status: str, name: str, judged: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = grade.Job
    monkeypatch.setattr(grade, "Job", lambda *a, **k: original(*a, **{**k, "wall_seconds": 1.0}))
    assert summary(judged("softmax", {"softmax": source})) == (status, 0, name)


def test_a_missing_definition_says_that_it_is_missing(judged: Callable[..., Verdict]) -> None:
    def without(notebook: dict[str, Any]) -> None:
        notebook["cells"] = [c for c in notebook["cells"] if "def softmax(" not in "".join(c["source"])]

    assert (
        judged("softmax", {}, without).advice
        == "The notebook defines no softmax: neither its own cell nor any other does."
    )


def test_prints_warnings_and_random_numbers_cost_nothing(
    judged: Callable[..., Verdict], solution: dict[str, str]
) -> None:
    loud = solution["softmax"].replace(
        "    ### BEGIN SOLUTION", "    import warnings\n    warnings.warn('!')\n    print('x' * 1000)\n    np.log(-1.0)"
    )
    assert summary(judged("softmax", {"softmax": loud})) == ("passed", 4, "")


def test_an_answer_that_detects_the_public_cases_fails_the_hidden_ones(judged: Callable[..., Verdict]) -> None:
    cases = sheets.public_sheets(TOPIC)["softmax"].cases
    table = [(c.script[0].args[0].tolist(), c.expected[0]["value"].tolist()) for c in cases]
    source = f"TABLE = {table!r}\ndef softmax(logits):\n    return np.array(next(v for k, v in TABLE if k == np.asarray(logits).tolist()))"
    topic = course.topic(TOPIC)
    assert judged("softmax", {"softmax": source}).points == 0
    with Pool() as pool:
        from autograder.collect import Found

        found = Found("softmax", "written", (("s", "import numpy as np\n" + source),))
        assert judge_exercise(topic, topic.exercise("softmax"), found, pool, grade.public).status == "passed"


# ---- the whole notebook
@pytest.fixture(scope="module")
def right(
    pool: Recording, hand_in: HandInFunction, solution: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> NotebookVerdict:
    return judge_notebook(hand_in(tmp_path_factory.mktemp("right") / f"{TOPIC}.ipynb", solution), pool)


def test_the_solution_earns_everything(right: NotebookVerdict) -> None:
    assert [e.status for e in right.exercises] == ["passed"] * len(right.exercises)
    topic = course.topic(TOPIC)
    assert (right.status, right.points, right.bonus) == (
        "graded",
        sum(e.points for e in topic.exercises if not e.extension),
        sum(e.points for e in topic.exercises if e.extension),
    )
    assert (right.points, right.bonus) == (right.max_points, right.max_bonus)


def test_the_release_earns_nothing_and_is_not_attempted(
    pool: Recording, hand_in: HandInFunction, tmp_path: Path
) -> None:
    verdict = judge_notebook(hand_in(tmp_path / f"{TOPIC}.ipynb"), pool)
    assert (verdict.points, verdict.bonus, {e.status for e in verdict.exercises}) == (0, 0, {"not_attempted"})


def test_the_json_of_a_verdict_has_the_promised_fields(right: NotebookVerdict) -> None:
    data = json.loads(json.dumps(right.to_json()))
    assert data.keys() == {
        "topic",
        "status",
        "points",
        "max_points",
        "bonus",
        "max_bonus",
        "notes",
        "exercises",
        "key",
        "isolation",
    }
    for exercise in data["exercises"]:
        assert exercise.keys() == {
            "name",
            "status",
            "points",
            "max_points",
            "misconception",
            "advice",
            "tiers",
            "extension",
        }
        for tier in exercise["tiers"]:
            assert tier.keys() == {"name", "title", "points", "max_points", "passed", "cases"}
    again = NotebookVerdict.from_json(data)
    assert again == replace(right, exercises=tuple(replace(e, findings=()) for e in right.exercises))


def test_the_json_holds_no_hidden_input_and_no_hidden_value(
    pool: Recording, hand_in: HandInFunction, tmp_path: Path
) -> None:
    answers = {
        "softmax": "def softmax(logits):\n    return logits + 0.5",
        "log_softmax": "def log_softmax(logits):\n    raise ValueError(repr(np.asarray(logits).tolist()))",
        "softmax_jacobian": "def softmax_jacobian(probs):\n    return repr(probs.tolist())",
    }
    verdict = judge_notebook(hand_in(tmp_path / f"{TOPIC}.ipynb", answers), pool)
    assert verdict.exercises[1].advice.startswith("log_softmax raised ValueError: [[…, …")
    text = json.dumps(verdict.to_json())
    for name in answers:
        for case in grade.hidden(name).cases:
            for secret in (*case.script[0].args, case.expected[0]["value"]):
                for number in _fractions(to_json(secret)):
                    assert repr(number) not in text, (name, case.label)
                    assert f"{number:.6g}" not in text or len(f"{number:.6g}") < 6, (name, case.label)


def test_what_the_recorder_hands_on_holds_no_finding(
    pool: Recording, hand_in: HandInFunction, one_topic_course: Path
) -> None:
    path = hand_in(
        one_topic_course / "var" / "submitted" / "fin" / ASSIGNMENT / f"{TOPIC}.ipynb", {"softmax": SOFTMAX_AXIS_0}
    )
    for verdict in (
        verdict_of(HandIn("fin", ASSIGNMENT, TOPIC, path), pool),
        verdict_of(HandIn("fin", ASSIGNMENT, TOPIC, path), pool),
    ):
        assert verdict.exercises[0].misconception == "axis 0"
        assert [e.findings for e in verdict.exercises] == [()] * len(verdict.exercises)


def _fractions(data: Any) -> Iterator[float]:
    if isinstance(data, list):
        for item in data:
            yield from _fractions(item)
    elif isinstance(data, dict):
        for item in data.values():
            yield from _fractions(item)
    elif isinstance(data, float) and data != round(data, 3):
        yield data


def test_one_bad_exercise_does_not_disturb_the_others(
    pool: Recording, hand_in: HandInFunction, solution: dict[str, str], tmp_path: Path
) -> None:
    bad = {
        **solution,
        "softmax": "import os\ndef softmax(logits):\n    os._exit(1)",
        "softmax_jacobian": "def softmax_jacobian(p)\n  return",
        "cross_entropy": "def cross_entropy(*a):\n    return {}['no']",
    }
    statuses = {e.name: e.status for e in judge_notebook(hand_in(tmp_path / f"{TOPIC}.ipynb", bad), pool).exercises}
    assert statuses == {
        n: "failed" if n in ("softmax", "softmax_jacobian", "cross_entropy") else "passed"
        for n in course.topic(TOPIC).names
    }


def test_what_cannot_be_read_is_a_verdict_with_its_reason(pool: Recording, tmp_path: Path) -> None:
    (tmp_path / f"{TOPIC}.ipynb").write_text('{"cells": [')
    verdict = judge_notebook(tmp_path / f"{TOPIC}.ipynb", pool, topic=TOPIC)
    note = f"{TOPIC}.ipynb is cut off or damaged: it is not a complete notebook file. Open it in JupyterLab, save it and hand it in again."
    assert (verdict.status, verdict.points, verdict.notes) == ("unreadable", 0, (note,))
    assert {(e.status, e.advice) for e in verdict.exercises} == {("not_attempted", note)}


# ---- unjudged
def test_a_fault_of_the_machine_is_unjudged_and_no_zero(
    hand_in: HandInFunction, solution: dict[str, str], tmp_path: Path
) -> None:
    verdict = judge_notebook(hand_in(tmp_path / f"{TOPIC}.ipynb", solution), Faulty())
    assert verdict.status == "unjudged"
    assert {(e.status, e.misconception) for e in verdict.exercises} == {("unjudged", "")}
    assert (
        verdict.exercises[0].advice
        == "Not judged: the worker did not answer (EOFError: the worker ended). This is no mistake of yours; it will be run again."
    )


def test_a_judge_that_fails_leaves_its_exercise_unjudged_and_judges_the_rest(
    pool: Recording, hand_in: HandInFunction, solution: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = grade.judge

    def failing(sheet: Any, *args: Any) -> Verdict:
        if sheet.name == "softmax":
            raise IndexError("a bug")
        return original(sheet, *args)

    monkeypatch.setattr(grade, "judge", failing)
    verdict = judge_notebook(hand_in(tmp_path / f"{TOPIC}.ipynb", solution), pool)
    assert [e.status for e in verdict.exercises] == ["unjudged"] + ["passed"] * (len(verdict.exercises) - 1)
    assert (
        verdict.exercises[0].advice
        == "Not judged: the judge itself failed (IndexError). This is no mistake of yours; tell your instructor."
    )


def test_unjudged_is_never_kept_and_is_run_again(
    pool: Recording, hand_in: HandInFunction, solution: dict[str, str], one_topic_course: Path
) -> None:
    path = hand_in(one_topic_course / "var" / "submitted" / "una" / ASSIGNMENT / f"{TOPIC}.ipynb", solution)
    here = HandIn("una", ASSIGNMENT, TOPIC, path)
    assert verdict_of(here, Faulty()).status == "unjudged"
    assert verdict_of(here, pool).status == "graded"


# ---- key and cache
def test_a_verdict_is_kept_until_what_decides_it_changes(
    pool: Recording, hand_in: HandInFunction, one_topic_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = one_topic_course / "var" / "submitted" / "kay" / ASSIGNMENT
    here = HandIn("kay", ASSIGNMENT, TOPIC, folder / f"{TOPIC}.ipynb")

    def runs(answers: dict[str, str]) -> int:
        hand_in(folder / f"{TOPIC}.ipynb", answers)
        pool.jobs.clear()
        verdict_of(here, pool)
        return len(pool.jobs)

    mine = {"softmax": SOFTMAX_AXIS_0}
    assert runs(mine) > 0
    assert runs(mine) == 0
    assert runs({"softmax": SOFTMAX_WRONG}) > 0
    assert runs(mine) > 0
    secret = one_topic_course / "var" / "secret"
    old = secret.read_text()
    try:
        secret.write_text("another")
        assert runs(mine) > 0
        assert runs(mine) == 0
    finally:
        secret.write_text(old)
    assert runs(mine) > 0
    path = record.verdict_path("kay", ASSIGNMENT, TOPIC)
    path.write_text(path.read_text()[:-30])
    assert runs(mine) > 0


def test_the_key_follows_submission_secret_specs_and_version(
    hand_in: HandInFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = grade.read(hand_in(tmp_path / f"{TOPIC}.ipynb"))
    key = verdict_key(submission)
    assert verdict_key(submission) == key
    keys = {key, verdict_key(replace(submission, digest="other"))}
    with monkeypatch.context() as patch:
        patch.setattr(grade.class4lib, "__version__", "0.0.0")
        keys.add(verdict_key(submission))
    with monkeypatch.context() as patch:
        patch.setattr(sheets, "secret", lambda: b"other")
        keys.add(verdict_key(submission))
    with monkeypatch.context() as patch:
        patch.setattr(sheets, "spec_digest", lambda exercise: "other")
        keys.add(verdict_key(submission))
    assert len(keys) == 5
    assert sheets.secret().decode() not in key


def test_the_digest_of_a_spec_follows_its_points_cases_and_misconceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = course.topic(TOPIC)
    exercise = topic.exercise("label_smoothing")
    sheet = sheets.public_sheets(TOPIC)["label_smoothing"]
    digests = {sheets.spec_digest(exercise)}
    for other in (
        replace(sheet, tiers=tuple(replace(t, points=t.points + 1) for t in sheet.tiers)),
        replace(sheet, cases=sheet.cases[1:], mistakes=()),
        replace(sheet, mistakes=sheet.mistakes[1:]),
    ):
        monkeypatch.setattr(sheets, "public_sheets", lambda name, other=other: {"label_smoothing": other})
        digests.add(sheets.spec_digest(exercise))
    assert len(digests) == 4


def test_hidden_cases_follow_the_secret_and_differ_from_the_public_ones() -> None:
    def inputs(sheet: Any) -> str:
        return json.dumps([to_json(c.script[0].args) for c in sheet.cases])

    one, again, other = (inputs(sheets.hidden_sheet("softmax", key)) for key in (b"a", b"a", b"b"))
    assert one == again
    assert one != other
    assert inputs(sheets.public_sheets(TOPIC)["softmax"])[:60] not in one


def test_the_secret_is_drawn_once_and_only_the_owner_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name / "solutions").mkdir(parents=True)
        (tmp_path / name / "nbgrader_config.py").touch()
        monkeypatch.setenv("CLASS4_ROOT", str(tmp_path / name))
        made += [sheets.secret(), sheets.secret()]
        assert (tmp_path / name / "var" / "secret").stat().st_mode & 0o777 == 0o600
    assert made[0] == made[1] != made[2] == made[3]
    assert len(made[0]) == 32


def test_judging_twice_gives_the_same_verdict(
    right: NotebookVerdict, pool: Recording, hand_in: HandInFunction, solution: dict[str, str], tmp_path: Path
) -> None:
    submission = grade.read(hand_in(tmp_path / f"{TOPIC}.ipynb", solution))
    assert judge_submission(submission, pool).to_json() == right.to_json()
