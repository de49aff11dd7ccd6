"""A script of calls is run step by step, every step is recorded, and nothing a student's code does ends the recording."""

from typing import Any

import numpy as np
import pytest

from class4lib.calls import CELL, Step, define, run_script
from class4lib.doubles import DOUBLES, double
from class4lib.values import Double, Other, same


def space(*cells: str) -> dict[str, Any]:
    """A namespace in which cells have run; none of them may fail."""
    made: dict[str, Any] = {"np": np}
    assert define(made, [(f"cell {i + 1}", c) for i, c in enumerate(cells)]) == {}
    return made


def value(source: str, *args: Any, **kwargs: Any) -> Any:
    (record,) = run_script(space(source), [Step("f", args, kwargs)])
    return record.get("value", record)


# ---- values and arguments
def test_a_call_is_recorded_with_value_changes_and_log() -> None:
    (record,) = run_script(space("def f(x, k=1):\n    return x * k"), [Step("f", (np.ones(2),), {"k": 3})])
    assert same(record.pop("value"), np.full(2, 3.0))
    assert record == {"changed": [], "global_random": False, "log": []}


def test_arguments_are_fresh_in_every_call() -> None:
    x = np.zeros(2)
    script = [Step("f", ([x], {"a": x}))] * 2
    first, second = run_script(
        space("def f(xs, d):\n    xs[0] += 1\n    d['a'] += 2\n    return xs[0] + d['a']"), script
    )
    assert same(first["value"], second["value"])
    assert x.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("return x + k", []),
        ("x += 1", [0]),
        ("x[0] = x[0]", []),
        ("y[0][1] = 7", [1]),
        ("y.append(x)", [1]),
        ("k *= 2", ["k"]),
        ("x.sort(); k[:] = 0", [0, "k"]),
        ("np.add(x, 1, out=x)", [0]),
    ],
)
def test_arguments_changed_in_place_are_named(body: str, changed: list[Any]) -> None:
    (record,) = run_script(
        space(f"def f(x, y, *, k):\n    {body}"), [Step("f", (np.array([2.0, 1.0]), [np.ones(2)]), {"k": np.ones(2)})]
    )
    assert record["changed"] == changed


def test_a_recorded_value_does_not_follow_later_changes() -> None:
    source = "kept = np.zeros(2)\ndef f():\n    return kept\ndef g():\n    kept[:] = 9"
    first, _, third = run_script(space(source), [Step("f"), Step("g"), Step("f")])
    assert first["value"].tolist() == [0, 0]
    assert third["value"].tolist() == [9, 9]


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        ("np.random.seed(3)", True),
        ("np.random.normal(size=1)", True),
        ("np.random.RandomState(0).normal()", False),
        ("np.random.default_rng(0).normal()", False),
        ("pass", False),
    ],
)
def test_a_move_of_numpys_global_generator_is_noticed(body: str, moved: bool) -> None:
    state = np.random.get_state()
    try:
        np.random.seed(17)
        assert run_script(space(f"def f():\n    {body}"), [Step("f")])[0]["global_random"] is moved
    finally:
        np.random.set_state(state)


def test_the_position_of_the_global_generator_is_noticed_without_a_new_block() -> None:
    state = np.random.get_state()
    try:
        np.random.seed(17)
        np.random.random(5)
        assert run_script(space("def f():\n    np.random.random()"), [Step("f")])[0]["global_random"] is True
    finally:
        np.random.set_state(state)


# ---- scripts of a class
STOPPER = """
class Stopper:
    def __init__(self, patience):
        self.patience, self.best, self.state = patience, None, None
    def step(self, loss, state):
        self.best, self.state = loss, {state}
        return loss > self.patience
"""


def stopper_script() -> list[Step]:
    weights = Double("variable", {"name": "weights"})
    return [
        Step("make", save="weights"),
        Step("Stopper", (2,), save="s"),
        Step("s.step", (3.0, weights)),
        Step("weights", (10.0,), op="shift"),
        Step("s.state", op="get"),
        Step("s.best", op="get"),
    ]


@pytest.mark.parametrize(
    ("kept", "shows"), [("__import__('copy').deepcopy(state)", 0.0), ("dict(state)", 10.0), ("state", 10.0)]
)
def test_a_shift_tells_a_copy_from_an_alias_and_from_a_shallow_copy(kept: str, shows: float) -> None:
    maker = "def make():\n    return {'w': [np.zeros(2)], 'b': (np.zeros(1),)}"
    records = run_script(space(STOPPER.replace("{state}", kept), maker), stopper_script())
    assert [("error" in r) for r in records] == [False] * 6
    assert records[1]["value"] == Other("Stopper")
    assert records[2]["value"] is True
    assert records[4]["value"]["w"][0].tolist() == [shows, shows]
    assert records[4]["value"]["b"][0].tolist() == [shows]
    assert records[5]["value"] == 3.0


def test_a_variable_is_the_very_object_and_a_saved_name_stands_before_the_notebooks() -> None:
    script = [Step("f", save="x"), Step("g", (Double("variable", {"name": "x"}),)), Step("x", op="get")]
    records = run_script(space("x = 'of the notebook'\ndef f():\n    return [1]\ndef g(y):\n    y.append(2)"), script)
    assert records[1]["changed"] == [0]
    assert records[2]["value"] == [1, 2]


def test_a_shared_value_is_one_object_for_all_steps_and_a_shift_finds_it_by_its_name() -> None:
    given = np.zeros(2)
    shared = Double("shared", {"name": "data", "value": given})
    steps = [Step("keep", (shared,)), Step("data", (1.0,), op="shift"), Step("keep", (shared,))]
    records = run_script({"keep": lambda x: x.copy()}, steps)
    assert [r["value"] if i == 1 else r["value"].tolist() for i, r in enumerate(records)] == [[0, 0], None, [1, 1]]
    assert given.tolist() == [0, 0], "the sheet's own array is another one"


def test_get_reads_a_constant_and_an_attribute_that_is_missing_is_an_error() -> None:
    record, missing = run_script(
        space("class A:\n    b = 5"), [Step("A.b", op="get"), Step("A.c", op="get"), Step("A.b", op="get")]
    )
    assert record["value"] == 5
    assert missing == {
        "error": "AttributeError",
        "message": "type object 'A' has no attribute 'c'",
        "line": None,
        "cell": None,
        "log": [],
    }


# ---- doubles
def test_a_generator_is_seeded_and_made_anew_for_each_step() -> None:
    rng = Double("rng", {"seed": 4})
    first, second = run_script(
        space("def f(rng):\n    return rng.normal(size=3)"), [Step("f", (rng,)), Step("f", (), {"rng": rng})]
    )
    assert same(first["value"], second["value"])
    assert same(first["value"], np.random.default_rng(4).normal(size=3))
    assert first["changed"] == [] == second["changed"]


def test_a_callable_double_logs_its_calls_step_by_step() -> None:
    @double
    def times_two_for_this_test(context: Any, gain: float) -> Any:
        def call(x: Any) -> Any:
            context.log.append({"x": x})
            return gain * x

        return call

    try:
        f = Double("times_two_for_this_test", {"gain": 2.0})
        source = "def f(g, n):\n    return [g(i) for i in range(n)]"
        first, second = run_script(space(source), [Step("f", (f, 2)), Step("f", ((f,)[0], 1))])
        assert first["value"] == [0.0, 2.0]
        assert first["log"] == [{"x": 0}, {"x": 1}]
        assert second["log"] == [{"x": 0}]
        (record,) = run_script(space("def f(g):\n    g(5)\n    raise ValueError('late')"), [Step("f", (f,))])
        assert record == {"error": "ValueError", "message": "late", "line": 3, "cell": "cell 1", "log": [{"x": 5}]}
    finally:
        del DOUBLES["times_two_for_this_test"]


# ---- errors
def test_a_script_ends_at_the_first_error() -> None:
    records = run_script(space("def f(x):\n    return 1 / x"), [Step("f", (1.0,)), Step("f", (0,)), Step("f", (2.0,))])
    assert [sorted(r) for r in records] == [
        ["changed", "global_random", "log", "value"],
        ["cell", "error", "line", "log", "message"],
    ]
    assert records[1] == {
        "error": "ZeroDivisionError",
        "message": "division by zero",
        "line": 2,
        "cell": "cell 1",
        "log": [],
    }


def test_an_error_in_a_helper_is_told_at_the_line_of_the_helpers_cell() -> None:
    made = space("def helper(x):\n    y = x\n    return y['no']", "\n\ndef f(x):\n    return helper(x)")
    assert run_script(made, [Step("f", (np.ones(2),))])[0]["line"] == 3
    assert run_script(made, [Step("f", (np.ones(2),))])[0]["cell"] == "cell 1"


def test_an_error_inside_numpy_is_told_at_the_students_line() -> None:
    (record,) = run_script(space("def f(x):\n\n    return np.linalg.inv(x)"), [Step("f", (np.ones((2, 3)),))])
    assert (record["error"], record["line"], record["cell"]) == ("LinAlgError", 3, "cell 1")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("raise SystemExit(0)", "SystemExit", "0"),
        ("exit()", "NameError", "name 'exit' is not defined"),
        ("__import__('sys').exit('bye')", "SystemExit", "bye"),
        ("raise GeneratorExit", "GeneratorExit", ""),
        ("return f()", "RecursionError", "maximum recursion depth exceeded"),
        ("raise type('Mine', (BaseException,), {})('own')", "Mine", "own"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "Mute", ""),
        ("raise ValueError('x' * 9999)", "ValueError", "x" * 500),
        ("raise NotImplementedError", "NotImplementedError", ""),
        ("missing", "NameError", "name 'missing' is not defined"),
    ],
)
def test_whatever_is_raised_becomes_a_record(
    body: str, error: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    monkeypatch.delattr(builtins, "exit", raising=False)  # `site` puts it there, and the worker runs without
    (record,) = run_script(space(f"def f():\n    {body}"), [Step("f")])
    assert (record["error"], record["message"]) == (error, message)


def test_an_interrupt_from_the_keyboard_is_obeyed() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_script({"f": lambda: (_ for _ in ()).throw(KeyboardInterrupt)}, [Step("f")])


def test_a_function_that_is_not_there_or_no_function_is_an_error() -> None:
    assert run_script({}, [Step("f")])[0]["message"] == "name 'f' is not defined"
    assert run_script({"f": 3}, [Step("f")])[0]["message"] == "'int' object is not callable"
    assert run_script({"f": lambda: 1}, [Step("f", (2,))])[0]["error"] == "TypeError"


def test_warnings_and_printed_text_cost_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        value("import warnings\ndef f():\n    warnings.warn('careful')\n    print('hello')\n    return np.log(0.0)")
        == -np.inf
    )
    assert capsys.readouterr().out == "hello\n"


# ---- definitions
def test_a_unit_that_fails_does_not_stop_the_next_and_its_line_is_told() -> None:
    made: dict[str, Any] = {}
    failures = define(
        made, [("softmax#3", "x = 1\n\nraise ValueError('no')"), ("cell 4", "def f(:\n    pass"), ("cell 5", "y = 2")]
    )
    assert failures == {
        "softmax#3": {"error": "ValueError", "message": "no", "line": 3, "cell": "softmax"},
        "cell 4": {"error": "SyntaxError", "message": "invalid syntax", "line": 1, "cell": "cell 4"},
    }
    assert (made["x"], made["y"]) == (1, 2)


def test_exit_in_a_cell_is_a_failure_of_that_cell() -> None:
    assert define({}, [("a", "raise SystemExit"), ("b", "1 / 0")]).keys() == {"a", "b"}


def test_annotations_are_not_evaluated_so_missing_types_do_no_harm() -> None:
    made = space("def f(x: Missing, y: np.nothing = 1) -> Absent:\n    z: Unknown = x\n    return z + y")
    assert run_script(made, [Step("f", (1,))])[0]["value"] == 2


def test_files_of_cells_are_told_from_the_judges_own() -> None:
    made = space("def f():\n    import inspect\n    return inspect.currentframe().f_code.co_filename")
    assert run_script(made, [Step("f")])[0]["value"] == f"{CELL}cell 1>"


# ---- torch
def test_gradients_through_tensors_are_recorded_for_every_float_array() -> None:
    dy = np.array([1.0, 2.0])
    script = [Step("f", (np.array([3.0, 4.0]), np.array([0, 1]), 5.0, dy), op="torch")]
    (record,) = run_script(space("def f(x, i, k):\n    return x[i] ** 2 * k"), script)
    assert record["value"]["y"].tolist() == [45.0, 80.0]
    assert [g.tolist() for g in record["value"]["grads"]] == [[30.0, 80.0]]


@pytest.mark.parametrize(
    ("body", "grads"),
    [("return x.detach() * 2", "no gradient"), ("return 3.0", None), ("return x.detach().numpy()", None)],
)
def test_a_gradient_that_is_cut_off_is_recorded_as_such(body: str, grads: Any) -> None:
    (record,) = run_script(space(f"def f(x):\n    {body}"), [Step("f", (np.ones(2), np.ones(2)), op="torch")])
    assert record["value"]["grads"] == grads


def test_an_array_that_the_result_does_not_use_has_a_gradient_of_zeros() -> None:
    (record,) = run_script(
        space("def f(x, w):\n    return x"), [Step("f", (np.ones(2), np.ones(3), np.ones(2)), op="torch")]
    )
    assert [g.tolist() for g in record["value"]["grads"]] == [[1, 1], [0, 0, 0]]


def test_a_step_survives_the_trip_through_a_tree() -> None:
    step = Step("s.step", (1.0, [2]), {"state": None}, "get", "x")
    assert Step.from_tree(step.to_tree()) == step
