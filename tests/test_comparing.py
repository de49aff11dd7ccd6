"""The comparator is generous about form and strict about content, and says in one line how a value differs."""

from typing import Any

import numpy as np
import pytest

from class4lib.comparing import Mismatch, Tolerance, compare, kind_of, short
from class4lib.values import Other, to_tree

NAN, INF = np.nan, np.inf


def said(
    expected: Any, got: Any, tolerance: Tolerance = Tolerance(), names: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    return [(m.kind, m.text) for m in compare(to_tree(expected), to_tree(got), tolerance, names)]


VECTOR = np.array([1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    "got",
    [
        [1, 0, 2],
        (1.0, 0.0, 2.0),
        [np.float64(1), np.int32(0), 2],
        np.array([1, 0, 2]),
        np.array([1, 0, 2], dtype=object),
        [np.array(1.0), 0, np.array(2)],
        np.array([1, 0, 2], dtype=np.longdouble),
    ],
    ids=repr,
)
def test_any_form_of_the_same_vector_is_right(got: Any) -> None:
    assert said(VECTOR, got) == []


@pytest.mark.parametrize(
    "got",
    [1, 1.0, True, np.float64(1), np.int8(1), np.bool_(True), np.array(1.0), np.array(True), 1.0 + 1e-9],
    ids=repr,
)
@pytest.mark.parametrize("expected", [1, 1.0, True, np.float64(1), np.array(1)], ids=repr)
def test_any_form_of_the_same_number_is_right(expected: Any, got: Any) -> None:
    assert said(expected, got) == []


def test_booleans_and_integers_and_floats_of_the_same_value_are_the_same() -> None:
    assert said(np.array([True, False]), np.array([1.0, 0.0])) == []
    assert said(np.array([1, 0]), np.array([True, False])) == []
    assert said(np.array([True, False]), np.array([1, 1])) == [
        ("value", "the result at [1] is 1, expected False (1 of 2 entries differ)")
    ]


def test_a_list_of_arrays_a_tuple_and_a_stacked_array_are_the_same() -> None:
    a, b = np.eye(2), np.ones((2, 2))
    for got in ([a, b], (a, b), np.array([a, b]), [a.tolist(), b]):
        assert said([a, b], got) == []
    assert said(np.array([a, b]), (a, b)) == []


def test_rows_of_different_lengths_compare_as_lists() -> None:
    assert said([np.ones(2), np.ones(3)], [[1, 1], (1, 1, 1)]) == []
    assert said([np.ones(2), np.ones(3)], [[1, 1], (1, 1, 2)]) == [
        ("value", "[1] at [2] is 2, expected 1 (1 of 3 entries differ)")
    ]


@pytest.mark.parametrize(
    ("expected", "got", "kind", "text"),
    [
        (VECTOR, VECTOR[:, None], "shape", "the result must have shape (3,), got shape (3, 1)"),
        (VECTOR, VECTOR[:2], "shape", "the result must have shape (3,), got shape (2,)"),
        (VECTOR, 1.0, "shape", "the result must have shape (3,), got shape ()"),
        (1.0, np.ones(1), "shape", "the result must have a number, shape (), got shape (1,)"),
        (VECTOR, VECTOR + 0j, "dtype", "the result must hold real numbers, got complex ones (dtype complex128)"),
        (VECTOR, VECTOR.astype(np.float32), "dtype", "the result must be float64, got float32"),
        (VECTOR, VECTOR.astype(np.float16), "dtype", "the result must be float64, got float16"),
        (1.0, np.float32(1), "dtype", "the result must be float64, got float32"),
        (VECTOR, None, "missing", "the result is None: is a `return` missing?"),
        (1.0, None, "missing", "the result is None: is a `return` missing?"),
        (VECTOR, "right", "type", "the result must be an array of shape (3,), got the string 'right'"),
        (1.0, "1.0", "type", "the result must be a number, got the string '1.0'"),
        (1.0, {"loss": 1.0}, "type", "the result must be a number, got a dict"),
        (VECTOR, [[1, 2], [3]], "type", "the result must be an array of shape (3,), got a list of 2 whose rows differ in shape"),
        (VECTOR, np.array(["a", "b", "c"]), "type", "the result must be an array of shape (3,), got an array of dtype <U1"),
        (VECTOR, (i for i in "abc"), "type", "the result must be an array of shape (3,), got a generator"),
        (VECTOR, [1, None, 2], "type", "the result must be an array of shape (3,), got a list of 3"),
        (VECTOR, [1, NAN, 2], "finite", "the result has nan in 1 of 3 entries, where finite numbers are expected"),
        (VECTOR, [INF, NAN, -INF], "finite", "the result has -inf and inf and nan in 3 of 3 entries, where finite numbers are expected"),
        (1.0, NAN, "finite", "the result has nan in 1 of 1 entry, where finite numbers are expected"),
        (VECTOR, [1, 0, 2.5], "value", "the result at [2] is 2.5, expected 2 (1 of 3 entries differ)"),
        (1.0, 1.5, "value", "the result is 1.5, expected 1"),
        (1.0, 10**400, "type", "the result must be a number, got an integer of more than 1024 bits"),
        (1.0, 10**300, "value", "the result is 1e+300, expected 1"),
        ("sigmoid", "tanh", "value", "the result must be 'sigmoid', got 'tanh'"),
        (None, 3, "value", "the result must be None, got 3"),
        (None, VECTOR, "value", "the result must be None, got [1 0 2]"),
        ({"a": 1}, {"b": 1}, "type", "the result must be a dict with the keys a, got a dict"),
    ],
)  # fmt: skip
def test_what_is_not_the_same_is_refused_and_says_how(expected: Any, got: Any, kind: str, text: str) -> None:
    assert said(expected, got) == [(kind, text)]


@pytest.mark.parametrize("special", [NAN, INF, -INF])
def test_nan_and_infinity_are_equal_to_themselves_only(special: float) -> None:
    expected = np.array([special, 1.0])
    assert said(expected, expected.copy()) == []
    for other in {0.0, 1e308, NAN, INF, -INF} - {special}:
        if not (np.isnan(other) and np.isnan(special)):
            assert [kind for kind, _ in said(expected, [other, 1.0])] == ["value"]


def test_infinity_does_not_loosen_the_comparison_of_its_neighbours() -> None:
    assert said([INF, 1.0], [INF, 1.001]) != []


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8])
def test_the_tolerance_grows_with_the_largest_entry_expected(scale: float) -> None:
    expected = scale * np.array([1.0, 1e-6, 0.0])
    assert said(expected, expected + 0.9e-8 * scale) == []
    assert said(expected, expected + np.array([0, 0, 1.1e-8]) * scale) != []


def test_a_result_of_zeros_is_compared_to_the_floor_and_not_exactly() -> None:
    assert said(np.zeros(2), np.array([0, 0.9e-14])) == []
    assert said(np.zeros(2), np.array([0, 1.1e-14])) != []
    assert said(np.zeros(2), np.array([0, 0.9e-8]), Tolerance(floor=1.0)) == []


def test_rtol_and_atol_of_a_spec_are_used() -> None:
    assert said(100.0, 101.0, Tolerance(rtol=0.011, atol=0)) == []
    assert said(100.0, 101.0, Tolerance(rtol=0.009, atol=0)) != []
    assert said(np.array([100.0, 0.0]), [100.0, 0.9], Tolerance(rtol=0, atol=0.01)) == []
    assert said(np.array([100.0, 0.0]), [100.0, 1.1], Tolerance(rtol=0, atol=0.01)) != []


def test_every_part_that_differs_is_listed_by_its_name_in_order() -> None:
    names = ("dx", "dW", "db")
    found = said(
        (np.ones(2), [np.ones(1), np.ones(1)], np.ones(2)),
        (np.ones(2), [np.ones(1), np.zeros(1)], np.zeros(2)),
        names=names,
    )
    assert found == [
        ("value", "dW[1] at [0] is 0, expected 1"),
        ("value", "db at [0] is 0, expected 1 (2 of 2 entries differ)"),
    ]


def test_a_wrong_number_of_results_names_those_that_are_due() -> None:
    names = ("dx", "dW")
    expected = (np.ones(2), np.ones(2))
    assert said(expected, (np.ones(2),) * 3, names=names) == [
        ("length", "the result must hold 2 results (dx, dW), got 3")
    ]
    assert said(expected, 3.0, names=names) == [("type", "the result must be 2 results (dx, dW), got the float 3.0")]
    assert said(expected, None, names=names) == [("missing", "the result is None: is a `return` missing?")]
    assert said([1, 2, 3], [1, 2]) == [("length", "the result must hold 3 entries, got 2")]
    assert said([1, 2, 3], "abc") == [("type", "the result must be a sequence of 3, got the string 'abc'")]
    assert said((np.ones(2), 1.0), (np.ones(2), None), names=names) == [
        ("missing", "dW is None: is a `return` missing?")
    ]


def test_dicts_are_compared_by_key() -> None:
    assert said({"a": [1.0], "b": 2}, {"b": 2.0, "a": (1,)}) == []
    assert said({"a": [1.0]}, {"a": [2.0]}) == [("value", "a[0] is 2, expected 1")]


def test_a_mismatch_keeps_what_came_and_what_was_expected() -> None:
    (m,) = compare(np.ones(2), np.zeros(2))
    assert (m.got.tolist(), m.expected.tolist(), m.is_contract) == ([0, 0], [1, 1], False)
    assert Mismatch("shape", "").is_contract


def test_short_text_stays_short_and_names_what_is_no_value() -> None:
    assert short(np.arange(6.0).reshape(2, 3)) == "[[0 1 2]\n [3 4 5]]"
    assert short((1.0, [2, "a"], None)) == "(1, [2, 'a'], None)"
    assert short((0.5,)) == "(0.5,)"
    assert short(Other("generator")) == "<generator>"
    assert len(short([1.5] * 1000)) == 400
    assert len(short(np.arange(10_000.0))) < 100
    assert [
        kind_of(v) for v in (None, 1.5, np.ones((2, 3)), np.array(1.0), Other("set"), Other("an array of dtype <U1"))
    ] == ["None", "the float 1.5", "an array of shape (2, 3)", "a number", "a set", "an array of dtype <U1"]


def test_huge_integers_in_lists_are_compared_and_not_raised_over() -> None:
    assert [k for k, _ in said(np.ones(2), [2**80, 1])] == ["value"]
    assert [k for k, _ in said(np.ones(2), [2**1023 * 1.0, 1])] == ["value"]
    assert [k for k, _ in said(np.ones(1), [2**1024 - 1])] in (["finite"], ["value"])


def test_an_integer_answer_too_large_for_a_float_still_equals_itself() -> None:
    assert said(2**70, 2**70) == []
    assert said(2**70, 2**71) != []


def test_an_object_in_place_of_an_object_is_right_and_nothing_else_is() -> None:
    """fit returns self: there is no value to compare, but None and an array are not an object."""
    assert said(Other("Normalizer"), Other("Normalizer")) == said(Other("Normalizer"), Other("MyNormalizer")) == []
    assert said(Other("Normalizer"), None) == [("missing", "the result is None: is a `return` missing?")]
    assert said(Other("Normalizer"), VECTOR) == [
        ("type", "the result must be a Normalizer, got an array of shape (3,)")
    ]
