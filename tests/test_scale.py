"""Judging a training: points on a stated scale, companions from the same notebook, and what is wrong is called by its name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autograder.collect import Found
from autograder.grade import _with_companions
from autograder.sheets import _once
from autograder.spec import Case, Step, Tier, script
from class4lib.calls import run_script
from class4lib.cases import Sheet
from class4lib.judging import companions, judge
from class4lib.values import Double

rng = np.random.default_rng(0)
TRUTH = rng.integers(0, 4, size=40)
X = np.column_stack([TRUTH * 20 + 5, rng.integers(0, 99, size=40)]).astype(np.uint8)
ROWS = Double("counted_rows", {"rows": X, "passes": 5})
FIT = Step("train", (ROWS, TRUTH), op="keep", save="model")
MODEL = Double("variable", {"name": "model"})


def asked(rows: Any) -> Step:
    return Step("predict", (MODEL, X[rows].astype(float)))


ALL = np.arange(40)
SCALE = script(
    "digits",
    FIT,
    asked(ALL),
    tier="scale",
    judge="accuracy_scale",
    options={"labels": [TRUTH], "low": 0.5, "high": 0.9},
)
BY_ROW = script(
    "rows", FIT, asked(ALL), asked(ALL), asked(ALL[::-1]), asked([3]), tier="scale", judge="predictions_by_row",
    options={"rows": [ALL, ALL, ALL[::-1], [3]], "labels": TRUTH, "least": 0.5},
)  # fmt: skip


def verdict(train: Any, predict: Any, *cases: Case) -> Any:
    sheet = Sheet("train", (Tier("scale", "accuracy", 10.0),), cases or (SCALE,), ())
    return judge(sheet, [run_script({"train": train, "predict": predict}, c.script) for c in sheet.cases])


def train(x: Any, y: Any) -> float:
    x @ np.ones((2, 1))
    return 20.0


def predict(model: float, x: Any) -> Any:
    return (x[:, 0] // model).astype(int)


def right_in(share: float) -> Any:
    """A predict that is right in this share of the rows."""
    return lambda model, x: np.where(
        np.arange(len(x)) < round(share * len(x)), predict(model, x), (predict(model, x) + 1) % 4
    )


@pytest.mark.parametrize(
    ("share", "points"), [(1.0, 10.0), (0.9, 10.0), (0.8, 7.5), (0.6, 2.5), (0.5, 0.0), (0.2, 0.0)]
)
def test_points_follow_the_stated_scale(share: float, points: float) -> None:
    assert verdict(train, right_in(share)).points == pytest.approx(points)


def test_a_tier_earns_the_mean_share_of_its_cases() -> None:
    half = replace(SCALE, options={**SCALE.options, "low": 0.8, "high": 1.0})
    assert verdict(train, right_in(0.9), SCALE, half).points == pytest.approx(7.5)


def test_a_failure_off_the_scale_costs_the_whole_tier() -> None:
    assert verdict(train, lambda m, x: [predict(m, x), 1 / 0][0], SCALE).points == 0.0
    broken = replace(SCALE, script=(FIT, Step("predict", (MODEL, "no data"))))
    assert verdict(train, right_in(0.8), SCALE, broken).points == 0.0


def test_full_is_never_more_than_the_reference_reaches_on_the_same_data() -> None:
    expected = ({"value": None}, {"value": right_in(0.7)(20.0, X.astype(float))})
    assert verdict(train, right_in(0.7), replace(SCALE, expected=expected)).status == "passed"
    within = replace(SCALE, expected=expected, options={**SCALE.options, "within": 0.1})
    assert verdict(train, right_in(0.6), within).status == "passed"
    assert verdict(train, right_in(0.55), within).points == pytest.approx(5.0)


WRONG = {
    "one class": (train, lambda m, x: np.zeros(len(x), dtype=int), SCALE),
    "chance": (train, right_in(0.2), SCALE),
    "plain": (train, right_in(0.5), SCALE),
    "scale": (train, right_in(0.7), SCALE),
    "shape": (train, lambda m, x: predict(m, x)[:, None], SCALE),
    "missing": (train, lambda m, x: None, SCALE),
    "type": (train, lambda m, x: "labels", SCALE),
    "labels": (train, lambda m, x: predict(m, x) + 0.5, SCALE),
    "budget": (lambda x, y: [x @ np.ones((2, 1)) for _ in range(6)], predict, SCALE),
    "changed": (lambda x, y: x.__setitem__(0, 1.0) or 20.0, predict, SCALE),
    "random": (train, lambda m, x: (predict(m, x) + np.random.default_rng().integers(0, 2, len(x))) % 4, BY_ROW),
    "neighbours": (train, lambda m, x: (predict(m, x) + np.arange(len(x)) % 2) % 4, BY_ROW),
    "not learnt": (train, right_in(0.0), BY_ROW),
}  # fmt: skip


@pytest.mark.parametrize("code", WRONG)
def test_every_way_to_fail_has_a_code_of_its_own(code: str) -> None:
    from class4lib.judging import JUDGES

    fit, ask, case = WRONG[code]
    sheet = Sheet("train", (), (case,), (), ("x", "y"))
    failure = JUDGES[case.judge](case, run_script({"train": fit, "predict": ask}, case.script), sheet)
    assert failure is not None and failure.code == code


def test_a_right_predict_passes_row_by_row() -> None:
    assert verdict(train, predict, BY_ROW).status == "passed"


def test_a_companion_of_the_library_runs_once_for_equal_arguments_and_gives_each_caller_its_own_result() -> None:
    ran = []

    def fit(x: Any, *, rng: np.random.Generator) -> list[float]:
        ran.append(len(x))
        return [float(x.sum()), rng.random()]

    once = _once(fit)
    first, again = (once(np.ones(3), rng=np.random.default_rng(0)) for _ in range(2))
    first[0] = -1.0
    assert again == once(np.ones(3), rng=np.random.default_rng(0)) == [3.0, np.random.default_rng(0).random()]
    assert ran == [3]
    once(np.ones(3), rng=np.random.default_rng(1)), once(2 * np.ones(3), rng=np.random.default_rng(0))
    assert ran == [3, 3, 3]


def test_what_a_script_calls_besides_is_taken_from_the_same_notebook() -> None:
    sheet = Sheet("train", (), (SCALE,), ())
    assert companions(sheet) == ("predict",)
    units = (("setup#0", "a = 1"), ("train#1", "def train(): ..."))
    mine = Found("train", "written", units, uses=("predict", "block"))
    other = Found("predict", "written", (units[0], ("predict#2", "def predict(): ...")), uses=("head",))
    both, missing = _with_companions(sheet, mine, {"predict": other})
    assert (
        both.units == (*units, ("predict#2", "def predict(): ...")) and both.uses == ("block", "head") and not missing
    )
    assert _with_companions(sheet, mine, {"predict": Found("predict", "stub")})[1] == ["predict"]
