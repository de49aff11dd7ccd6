"""The judge: tiers and gates, mistakes named at nine cases in ten, general mistakes recognised, and nothing named where nothing fits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autograder import course, sheets
from autograder.audit import misconception_problems
from autograder.spec import Exercise, Misconception, Tier, case, edge, values_and_edge
from class4lib import feedback
from class4lib.calls import Step, run_script
from class4lib.cases import Case, Failure, Sheet, Verdict
from class4lib.judging import judge, unattempted

Function = Callable[..., Any]


def centre(x, shift=0.0):
    return x - np.mean(x, axis=0) + shift


def _cases(rng: np.random.Generator) -> list[Case]:
    return [
        *(
            case(f"{n} by {m}", rng.normal(size=(n, m)))
            for n, m in ((3, 2), (4, 3), (5, 4), (2, 3), (6, 3), (7, 2), (4, 2), (3, 5))
        ),
        edge("with a shift", rng.normal(size=(3, 4)), shift=2.0),
        edge("one row", rng.normal(size=(1, 3))),
    ]


def exercise(
    reference: Function = centre,
    misconceptions: tuple[Misconception, ...] = (),
    tiers: tuple[Tier, ...] = values_and_edge(2, 1),
    cases: Any = _cases,
    returns: tuple[str, ...] = (),
) -> Exercise:
    return Exercise(reference, tiers, cases, misconceptions, ("one", "two", "three"), 5, 1, returns=returns)


def judged(function: Function, made: Exercise | None = None, end: str = "ok") -> Verdict:
    made = made or exercise()
    sheet = sheets.make_sheet(made, [7])
    return judge(sheet, [run_script({made.name: function}, c.script) for c in sheet.cases], end)


def summary(verdict: Verdict) -> tuple[str, float, str]:
    return verdict.status, verdict.points, verdict.misconception


# ---- points
def test_a_right_answer_gets_all_points_and_no_advice() -> None:
    verdict = judged(lambda x, shift=0.0: (x - x.sum(0) / len(x) + shift).tolist())
    assert summary(verdict) == ("passed", 3, "")
    assert (verdict.advice, verdict.findings, verdict.max_points) == ("", (), 3)
    assert [(t.points, t.passed, t.cases) for t in verdict.tiers] == [(2, 8, 8), (1, 2, 2)]


def test_right_values_with_a_wrong_edge_case_earn_the_first_tier_only() -> None:
    verdict = judged(lambda x, shift=0.0: x - x.mean(axis=0))
    assert summary(verdict)[:2] == ("partial", 2)
    assert [(t.points, t.passed) for t in verdict.tiers] == [(2, 8), (0, 1)]


def test_right_edge_cases_earn_nothing_where_ordinary_values_are_wrong() -> None:
    verdict = judged(lambda x, shift=0.0: centre(x, shift) if shift or len(x) == 1 else x)
    assert summary(verdict)[:2] == ("failed", 0)
    assert [(t.points, t.passed, t.cases) for t in verdict.tiers] == [(0, 0, 8), (0, 2, 2)]
    assert feedback.tier_lines(verdict) == [
        "✗ ordinary values: 0 of 8 cases, 0 of 2 points",
        "✓ edge cases: 2 of 2 cases, 0 of 1 points (count once the tier above is complete)",
    ]


def test_one_wrong_case_costs_its_whole_tier() -> None:
    assert summary(judged(lambda x, shift=0.0: centre(x, shift) if len(x) != 7 else x))[:2] == ("failed", 0)


def test_tiers_without_needs_are_earned_apart() -> None:
    apart = exercise(tiers=(Tier("values", "values", 2), Tier("edge", "edge", 1)))
    assert summary(judged(lambda x, shift=0.0: centre(x, shift) if shift or len(x) == 1 else x, apart))[:2] == (
        "partial",
        1,
    )


# ---- gates
def _in_place(x, shift=0.0):
    x -= x.mean(axis=0)
    x += shift
    return x


def test_an_input_changed_in_place_earns_nothing_though_every_value_is_right() -> None:
    verdict = judged(_in_place)
    assert summary(verdict) == ("failed", 0, "input changed in place")
    assert (
        verdict.advice
        == "x was changed in place: inputs must come out as they went in. Work on a new array: write x = x + 1 and not x += 1, and copy before you assign into a slice."
    )
    assert [t.points for t in verdict.tiers] == [0, 0]


def test_an_input_changed_in_an_edge_case_only_closes_the_gate_for_all() -> None:
    assert summary(judged(lambda x, shift=0.0: _in_place(x, shift) if shift else centre(x))) == (
        "failed",
        0,
        "input changed in place",
    )


def test_an_input_changed_in_place_is_not_taken_for_a_mistake_whose_values_are_nearly_right() -> None:
    made = exercise(misconceptions=(Misconception("a little off", lambda x, shift=0.0: centre(x, shift) + 3e-7, "…"),))
    assert judged(lambda x, shift=0.0: centre(x, shift) + 3e-7, made).misconception == "a little off"

    def in_place(x, shift=0.0):
        x -= np.mean(x, axis=0) - shift
        return x

    assert judged(in_place, made).misconception == "input changed in place"


def test_float32_closes_the_gate() -> None:
    verdict = judged(lambda x, shift=0.0: centre(x, shift).astype(np.float32))
    assert summary(verdict) == ("failed", 0, "wrong dtype")
    assert (
        verdict.advice
        == "the result must be float64, got float32. Let NumPy keep float64: no astype(np.float32), no integer array to write floats into."
    )
    assert summary(judged(lambda x, shift=0.0: centre(x, shift) if not shift else centre(x, shift).astype(np.float32)))[
        :2
    ] == ("failed", 0)


def test_a_result_that_shares_memory_with_the_input_is_fine() -> None:
    def same(x):
        return x.copy()

    made = exercise(same, cases=lambda rng: [case("a", rng.normal(size=3)), edge("b", rng.normal(size=4))])
    assert judged(lambda x: x, made).status == "passed"


# ---- general mistakes
GENERAL = {
    "sign": (lambda x, shift=0.0: -centre(x, shift), "the result has the opposite sign of what is expected, every entry of it: look for a minus that was lost or written twice."),
    "constant factor": (lambda x, shift=0.0: 0.5 * centre(x, shift), "the result is 0.5 times what is expected, everywhere: a constant factor is lost or one too many."),
    "1/N missing": (lambda x, shift=0.0: len(x) * centre(x, shift), "the result is N times what is expected, N the number of examples: the mean over the batch divides by N."),
    "1/N too many": (lambda x, shift=0.0: centre(x, shift) / len(x), "the result is 1/N of what is expected, N the number of examples: something was divided by N that should not be, or divided twice."),
    "transposed": (lambda x, shift=0.0: centre(x, shift).T, "the result is the transpose of what is expected: swap the factors of the product, or put the .T on the other one."),
    "nothing returned": (lambda x, shift=0.0: None, "centre returned None where a result is expected: end the function with `return`."),
    "zeros returned": (lambda x, shift=0.0: np.zeros_like(x), "centre gives zeros where other values are expected: is what you computed what you return?"),
    "wrong shape": (lambda x, shift=0.0: centre(x, shift)[None], "the result must have shape (3, 2), got shape (1, 3, 2). Write the shape of every intermediate array beside its line; one axis too many or too few shows at once."),
    "wrong kind of result": (lambda x, shift=0.0: "right", "the result must be an array of shape (3, 2), got the string 'right'. The docstring's Returns section says what must come back, in which order."),
    "not finite": (lambda x, shift=0.0: x * np.nan, 'the result has nan in 6 of 6 entries, where finite numbers are expected. Somewhere an exponential overflows, a logarithm meets 0, or 0 is divided by 0: check("centre") shows on which input.'),
}  # fmt: skip


@pytest.mark.parametrize("name", GENERAL)
def test_a_mistake_that_any_function_can_have_is_recognised(name: str) -> None:
    wrong, advice = GENERAL[name]
    verdict = judged(wrong)
    assert summary(verdict) == ("failed", 0, name)
    assert verdict.advice == advice


@pytest.mark.parametrize("name", ["sign", "constant factor", "1/N missing", "1/N too many", "transposed"])
def test_a_pattern_that_one_failed_case_contradicts_is_not_named(name: str) -> None:
    wrong, _ = GENERAL[name]
    verdict = judged(lambda x, shift=0.0: wrong(x, shift) if len(x) != 7 else x + 1)
    assert verdict.misconception == ("wrong shape" if name == "transposed" else "")


def test_where_nothing_fits_nothing_is_named_and_the_advice_says_so() -> None:
    verdict = judged(lambda x, shift=0.0: np.cos(x) + x)
    assert summary(verdict) == ("failed", 0, "")
    assert (
        verdict.advice
        == 'the values differ from what is expected; no common mistake fits. check("centre") shows a small case: work it through by hand, line by line.'
    )


def test_an_error_is_told_with_its_message() -> None:
    def broken(x, shift=0.0):
        return x @ x

    verdict = judged(broken)
    assert summary(verdict) == ("failed", 0, "")
    assert verdict.advice.startswith(
        "centre raised ValueError: matmul: Input operand 1 has a mismatch in its core dimension 0"
    )
    assert verdict.advice.endswith(". The message names what Python met; print the shapes just before that line.")


# ---- naming
def _by_column(x, shift=0.0):
    return x - x.mean(axis=1, keepdims=True) + shift


def _by_all(x, shift=0.0):
    return x - x.mean() + shift


NAMED = (
    Misconception("over the columns", _by_column, "Along axis 0."),
    Misconception("over everything", _by_all, "One mean a column."),
)


def test_a_misconception_is_named_by_what_it_gives_however_it_is_written() -> None:
    verdict = judged(
        lambda x, shift=0.0: np.array([[v - sum(row) / len(row) + shift for v in row] for row in x]),
        exercise(misconceptions=NAMED),
    )
    assert summary(verdict) == ("failed", 0, "over the columns")
    assert verdict.advice == "Along axis 0."


@pytest.mark.parametrize(("deviating", "name"), [(0, "over everything"), (1, "over everything"), (2, "")])
def test_a_mistake_is_named_on_nine_of_ten_cases_and_not_on_eight(deviating: int, name: str) -> None:
    made = exercise(misconceptions=NAMED)
    sheet = sheets.make_sheet(made, [7])
    assert sum(f is not None for f in sheet.mistakes[1].failures) == 10
    outcomes = [
        run_script({"centre": _by_all if i >= deviating else lambda x, shift=0.0: np.cos(x)}, c.script)
        for i, c in enumerate(sheet.cases)
    ]
    assert judge(sheet, outcomes).misconception == name


def test_only_cases_that_the_mistake_changes_count_for_its_name() -> None:
    """A mistake that shows in one edge case is named by that case alone."""
    forgot = Misconception("shift forgotten", lambda x, shift=0.0: centre(x), "Where is the shift?")
    verdict = judged(lambda x, shift=0.0: x - np.mean(x, axis=0), exercise(misconceptions=(forgot,)))
    assert summary(verdict) == ("partial", 2, "shift forgotten")


def test_a_mistake_seen_in_edge_cases_does_not_explain_wrong_ordinary_values() -> None:
    forgot = Misconception("shift forgotten", lambda x, shift=0.0: centre(x), "Where is the shift?")
    verdict = judged(lambda x, shift=0.0: np.cos(x) if not shift else centre(x), exercise(misconceptions=(forgot,)))
    assert verdict.misconception == ""


def test_of_two_that_fit_the_one_that_explains_more_cases_is_named_and_of_equals_the_first() -> None:
    def one_row(x, shift=0.0):
        return _by_all(x, shift) if len(x) == 3 else centre(x, shift)

    narrow = Misconception("three rows only", one_row, "")
    assert judged(_by_all, exercise(misconceptions=(narrow, NAMED[1]))).misconception == "over everything"
    twin = replace(NAMED[1], name="twin")
    assert judged(_by_all, exercise(misconceptions=(twin, NAMED[1]))).misconception == "twin"
    assert judged(_by_all, exercise(misconceptions=(NAMED[1], twin))).misconception == "over everything"


def test_a_variant_is_called_by_its_misconceptions_name() -> None:
    made = exercise(
        misconceptions=(
            Misconception(
                "scaled",
                lambda x, shift=0.0: 3 * centre(x, shift),
                "No factor.",
                (lambda x, shift=0.0: 5 * centre(x, shift),),
            ),
        )
    )
    assert judged(lambda x, shift=0.0: 5 * centre(x, shift), made).misconception == "scaled"
    assert judged(lambda x, shift=0.0: 7 * centre(x, shift), made).misconception == "constant factor"


@pytest.mark.parametrize(("unsteady", "name"), [((), ""), (("one row", "with a shift"), "doubled")])
def test_a_name_does_not_rest_on_cases_where_the_mistake_hangs_on_rounding(
    unsteady: tuple[str, ...], name: str
) -> None:
    def doubled(x, shift=0.0, noise=0.5):
        return 2 * (x - np.mean(x, axis=0)) + (0.0 if len(x) > 3 or len(x) == 2 else noise)

    cases = lambda rng: [c for c in _cases(rng) if c.label not in ("3 by 2", "3 by 5")]  # noqa: E731
    made = exercise(cases=cases, misconceptions=(Misconception("doubled", doubled, "No factor.", (), unsteady),))
    assert judged(lambda x, shift=0.0: doubled(x, shift, noise=-0.7), made).misconception == name


def test_a_mistake_that_raises_is_named_by_the_error() -> None:
    made = exercise(
        misconceptions=(Misconception("looks up a key", lambda x, shift=0.0: x["a"], "Index by position."),)
    )
    assert judged(lambda x, shift=0.0: x["b"], made).misconception == "looks up a key"
    assert judged(lambda x, shift=0.0: {}["b"], made).misconception == ""


def test_naming_would_fail_with_the_misconceptions_taken_away() -> None:
    assert judged(_by_column, exercise(misconceptions=())).misconception == ""


# ---- parts
def _both(x):
    return x + 1, x * 2


def test_only_the_parts_that_a_case_names_count() -> None:
    cases = lambda rng: [  # noqa: E731
        case("the sum", rng.normal(size=3), parts=(0,)),
        edge("the product", rng.normal(size=3), parts=(1,)),
    ]
    made = exercise(_both, cases=cases, returns=("total", "product"))
    assert summary(judged(lambda x: (x + 1, x), made))[:2] == ("partial", 2)
    assert judged(lambda x: (x + 1, x * 2), made).status == "passed"
    assert summary(judged(lambda x: x + 1, made))[:2] == ("failed", 0)


def test_a_pattern_names_the_part_it_stands_in() -> None:
    made = exercise(
        _both,
        cases=lambda rng: [case("a", rng.normal(size=3)), edge("b", rng.normal(size=4))],
        returns=("total", "product"),
    )
    assert (
        judged(lambda x: (x + 1, -2 * x), made).advice
        == "product has the opposite sign of what is expected, every entry of it: look for a minus that was lost or written twice."
    )
    assert (
        judged(lambda x: (-x - 1, -2 * x), made).advice
        == "product and total have the opposite sign of what is expected, every entry of it: look for a minus that was lost or written twice."
    )
    assert (
        judged(lambda x: (x + 1, np.cos(x)), made).advice
        == 'product differs from what is expected; no common mistake fits. check("_both") shows a small case: work it through by hand, line by line.'
    )


# ---- not attempted, stopped
def _stub(x, shift=0.0):
    raise NotImplementedError


def test_a_stub_is_not_attempted_and_not_wrong() -> None:
    verdict = judged(_stub)
    assert summary(verdict) == ("not_attempted", 0, "")
    assert verdict.advice == 'centre is not written yet. hint("centre") gives a first step.'
    assert [(t.passed, t.cases) for t in verdict.tiers] == [(0, 8), (0, 2)]


def test_an_answer_that_is_half_written_is_wrong_and_not_unattempted() -> None:
    assert judged(lambda x, shift=0.0: centre(x) if len(x) < 5 else _stub(x)).status == "failed"


@pytest.mark.parametrize(
    ("end", "name", "advice"),
    [
        (
            "timeout",
            "endless loop",
            "A call did not come back in time. Look for a loop whose condition never becomes false, or for work that grows with every call.",
        ),
        (
            "signal 24",
            "endless loop",
            "A call did not come back in time. Look for a loop whose condition never becomes false, or for work that grows with every call.",
        ),
        (
            "output",
            "too much output",
            "The results are larger than any right answer's: look for an array that grows with every call.",
        ),
        (
            "signal 11",
            "the process ended",
            "centre ended the process it ran in (signal 11): a call of exit, memory that was not its own, or more memory than there is. The same call in the notebook would end the kernel.",
        ),
    ],
)
def test_a_process_that_ended_is_told_by_how_it_ended(end: str, name: str, advice: str) -> None:
    sheet = sheets.make_sheet(exercise(), [7])
    done = [run_script({"centre": centre}, c.script) for c in sheet.cases[:3]]
    for outcomes in ([], done):
        verdict = judge(sheet, outcomes, end)
        assert summary(verdict) == ("failed", 0, name)
        assert verdict.advice == advice
        assert verdict.tiers[0].passed == len(outcomes)


def test_a_death_after_the_ordinary_values_costs_the_edge_cases_only() -> None:
    sheet = sheets.make_sheet(exercise(), [7])
    done = [run_script({"centre": centre}, c.script) for c in sheet.cases[:8]]
    assert summary(judge(sheet, done, "signal 9"))[:2] == ("partial", 2)


# ---- what is told
def test_a_finding_says_what_was_given_returned_and_expected() -> None:
    made = exercise(
        cases=lambda rng: [
            case("two rows", np.array([[1.0, 2.0], [3.0, 4.0]])),
            edge("shifted", np.zeros((2, 1)), shift=1.0),
        ]
    )
    found = judged(lambda x, shift=0.0: x, made).findings[0]
    assert (found.case, found.tier, found.given) == ("two rows", "values", "x =\n[[1 2]\n [3 4]]")
    assert (found.returned, found.expected) == ("[[1 2]\n [3 4]]", "[[-1 -1]\n [ 1  1]]")
    assert found.text == "the result at [0, 1] is 2, expected -1 (4 of 4 entries differ)"


def test_the_text_of_a_verdict_says_all_of_it() -> None:
    made = exercise(
        misconceptions=NAMED,
        cases=lambda rng: [
            case("two rows", np.array([[1.0, 2.0], [3.0, 4.0]])),
            edge("shifted", np.zeros((2, 1)), shift=1.0),
        ],
    )
    assert (
        feedback.text(judged(_by_all, made))
        == """✗ centre: not right yet, 0 of 3 points
  ✗ ordinary values: 0 of 1 cases, 0 of 2 points
  ✓ edge cases: 1 of 1 cases, 0 of 1 points (count once the tier above is complete)

  case: two rows
    given:    x =
              [[1 2]
               [3 4]]
    returned: [[-1.5 -0.5]
               [ 0.5  1.5]]
    expected: [[-1 -1]
               [ 1  1]]
    → the result at [0, 0] is -1.5, expected -1 (4 of 4 entries differ)

  mistake recognised: over everything
  try: One mean a column."""
    )


def test_html_shows_a_students_text_and_runs_none_of_it() -> None:
    html = feedback.html(judged(lambda x, shift=0.0: "<script>alert(1)</script>"))
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_unattempted_carries_the_reason_it_is_given() -> None:
    sheet = Sheet("f", (Tier("values", "values", 2),), (), ())
    assert (
        feedback.text(unattempted(sheet, "The notebook is missing."))
        == "○ f: not attempted yet, 0 of 2 points\nThe notebook is missing."
    )


# ---- the sheets of the course
@pytest.mark.parametrize("topic", course.topics())
def test_every_misconception_is_refused_and_called_by_its_name(topic: str) -> None:
    problems = [
        p
        for e in course.topic(topic).exercises
        for p in misconception_problems(e, sheets.public_sheets(topic)[e.name], "public")
    ]
    assert problems == []


def test_a_misconception_that_passes_and_one_that_is_misnamed_are_found() -> None:
    harmless, twin = Misconception("harmless", centre, ""), Misconception("twin", _by_all, "")
    made = exercise(misconceptions=(harmless, NAMED[1], twin))
    found = list(misconception_problems(made, sheets.make_sheet(made, [7]), "public"))
    assert found == [
        "misconception 'harmless' passes the public cases",
        "misconception 'twin' is called 'over everything' on the public cases",
    ]


def test_failures_of_a_property_judge_are_compared_by_their_code() -> None:
    from class4lib.cases import Mistake
    from class4lib.judging import JUDGES

    def positive(case: Case, records: Any, sheet: Sheet) -> Failure | None:
        value = records[0]["value"]
        return None if value > 0 else Failure("zero" if value == 0 else "negative", f"{value} is not positive")

    JUDGES["positive for this test"] = positive
    try:
        one = Case("c", "values", (Step("f"),), "positive for this test")
        sheet = Sheet(
            "f",
            (Tier("values", "values", 1),),
            (one,),
            (Mistake("below", "", (Failure("negative", ""),), (({"value": -3.0},),)),),
        )
        assert [judge(sheet, [({"value": v},)]).misconception for v in (-5.0, 0.0)] == ["below", ""]
        assert judge(sheet, [({"value": 2.0},)]).status == "passed"
    finally:
        del JUDGES["positive for this test"]
