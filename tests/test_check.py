"""check, hint and experiments, as a student meets them in a notebook: they tell, they never leak, and they never stop what can go on."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from class4lib import check as checking
from class4lib import softmax_cross_entropy as library
from class4lib.check import CheckFailed, check, hint, progress
from class4lib.experiments import expect, experiment


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASS4_PROGRESS", str(tmp_path / "deep" / "progress.json"))
    checking._rungs.clear()


def test_a_right_answer_of_the_notebook_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    check("softmax")
    assert (
        capsys.readouterr().out
        == "✓ softmax: right, 4 of 4 points\n  ✓ ordinary values: 4 of 4 cases, 2 of 2 points\n  ✓ edge cases: 3 of 3 cases, 2 of 2 points\n"
    )
    assert progress() == {"softmax": "passed"}


def test_a_wrong_answer_raises_with_one_line_and_shows_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckFailed) as caught:
        check("softmax", lambda logits: 1 / (1 + np.exp(-logits)))
    assert str(caught.value) == "✗ softmax: not right yet, 0 of 4 points"
    assert caught.value._render_traceback_() == [str(caught.value)]
    shown = capsys.readouterr().out
    for part in (
        "    given:    logits =",
        "    returned: [[",
        "    expected: [[",
        "  mistake recognised: sigmoid\n  try: You squash every logit on its own",
    ):
        assert part in shown


def test_an_assertion_is_what_nbgraders_validate_looks_for() -> None:
    assert issubclass(CheckFailed, AssertionError)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            lambda logits: (_ for _ in ()).throw(NotImplementedError),
            '○ softmax: not attempted yet, 0 of 4 points\nsoftmax is not written yet. hint("softmax") gives a first step.\n',
        ),
        (
            library.softmax,
            "✗ softmax: not right yet, 0 of 4 points\n\n  mistake recognised: the library's answer\n  try: softmax is yours to write: this is the library's.\n",
        ),
        (
            3,
            "✗ softmax: not right yet, 0 of 4 points\n\n  mistake recognised: not a function\n  try: softmax is the name of a int here: some later cell uses the name for something else. Run the cell that defines it again.\n",
        ),
    ],
)
def test_what_is_no_answer_is_called_what_it_is(given: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckFailed):
        check("softmax", given)
    assert capsys.readouterr().out == said


def test_a_name_that_the_notebook_does_not_have_is_not_attempted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckFailed):
        check("log_softmax")
    assert (
        capsys.readouterr().out
        == "○ log_softmax: not attempted yet, 0 of 3 points\nThis notebook defines no log_softmax yet: run the cell above that begins it.\n"
    )


def test_the_librarys_answer_refuses_to_stand_in_while_it_is_checked_and_works_again_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CheckFailed):
        check("softmax", lambda logits: library.softmax(logits))
    assert (
        "PermissionError: softmax is yours to write here: the library's version does not answer for it."
        in capsys.readouterr().out
    )
    assert library.softmax(np.zeros(2)).tolist() == [0.5, 0.5]


def test_a_misspelt_name_says_what_is_near() -> None:
    with pytest.raises(LookupError) as caught:
        check("sofmax")
    assert str(caught.value).startswith("no exercise is called 'sofmax'; did you mean 'softmax'")
    with pytest.raises(LookupError) as caught:
        hint("qqq")
    assert str(caught.value) == "no exercise is called 'qqq': the names stand in the headings of the notebooks."


def test_a_check_takes_less_than_50_ms(capsys: pytest.CaptureFixture[str]) -> None:
    check("softmax")  # reads the sheets
    started = time.process_time()
    for _ in range(5):
        check("softmax")
    assert (time.process_time() - started) / 5 < 0.05


def test_progress_is_kept_and_a_home_that_cannot_be_written_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check("softmax")
    with pytest.raises(CheckFailed):
        check("softmax", lambda z: z)
    assert progress() == {"softmax": "passed"}, "trying out another function says nothing about the notebook's own"
    monkeypatch.setitem(globals(), "log_softmax", lambda z: z)
    with pytest.raises(CheckFailed):
        check("log_softmax")
    assert progress() == {"softmax": "passed", "log_softmax": "failed"}
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("CLASS4_PROGRESS", str(tmp_path / "a file" / "x.json"))
    check("softmax")
    assert progress() == {}


def test_hints_climb_three_rungs_and_stay_on_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(4):
        hint("softmax")
    said = capsys.readouterr().out.splitlines()
    assert [line[:22] for line in said] == [f"softmax, hint {i} of 3: "[:22] for i in (1, 2, 3, 3)]
    assert len(set(said)) == 3
    hint("softmax", 2)
    assert capsys.readouterr().out.strip() == said[1]
    with pytest.raises(ValueError, match=r"^hint: rung must be 1, 2 or 3, got 4\.$"):
        hint("softmax", 4)


# ---- experiments
def stub(x):
    raise NotImplementedError


def needs_helper(x):
    return stub(x)


class Stub:
    def step(self):
        raise NotImplementedError


def test_an_experiment_runs_at_once_and_its_name_is_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    @experiment("softmax")
    def halves():
        return softmax(np.zeros(2)).tolist()

    assert halves == [0.5, 0.5]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (("stub", "softmax"), "my plot waits for: stub. Write it above, then run this cell again.\n"),
        (("not_there", "Stub"), "my plot waits for: not_there, Stub. Write them above, then run this cell again.\n"),
        (("needs_helper",), "my plot waits for: needs_helper. Write it above, then run this cell again.\n"),
    ],
)
def test_an_experiment_names_what_it_waits_for_and_goes_on(
    needs: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @experiment(*needs)
    def my_plot():
        return needs_helper(1)

    assert my_plot is None
    assert capsys.readouterr().out == said


def test_an_experiment_that_fails_tells_where_and_does_not_stop_the_notebook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @experiment("softmax")
    def curve():
        return softmax(None)

    assert curve is None
    said = capsys.readouterr().out
    assert said.startswith("curve stopped: AttributeError: 'NoneType' object has no attribute 'max' (line ")
    assert said.endswith(' of softmax).\nCheck first: check("softmax")\n')


def test_a_figure_is_held_against_its_band(capsys: pytest.CaptureFixture[str]) -> None:
    assert [expect("accuracy", v, 0.9, 1.0, ".2f") for v in (0.9, 1.0, 0.85, float("nan"))] == [
        True,
        True,
        False,
        False,
    ]
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "accuracy: expected 0.90 to 1.00, yours 1.00 (as expected)",
        "accuracy: expected 0.90 to 1.00, yours 0.85 (outside: is something above not right yet?)",
    ]


def test_exercises_that_are_judged_together_wait_for_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(model, x):
        raise NotImplementedError

    def train(x, y, x_val, y_val, *, rng):
        return None

    monkeypatch.setitem(globals(), "predict", predict)
    with pytest.raises(CheckFailed):
        check("train", train)
    assert "train is judged together with predict: write that too, then check again." in capsys.readouterr().out
    monkeypatch.setitem(globals(), "predict", lambda model, x: len(model))
    with pytest.raises(CheckFailed):
        check("train", train)
    assert "predict raised TypeError: object of type 'NoneType' has no len()" in capsys.readouterr().out
