"""Counting passes: every way to multiply costs, preparing the data is free, the count survives conversions and ends with the script."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder.run.client import Job, Worker
from class4lib.basics import affine
from class4lib.calls import Step, run_script
from class4lib.counting import BudgetSpent, Counter, counted
from class4lib.values import Double

N, D = 8, 4
ROWS = np.arange(N * D, dtype=np.uint8).reshape(N, D)
W = np.ones((D, 3))


def spent(use: Callable[[Any], Any], passes: float = 100.0) -> float:
    """The passes that a script of one call spends."""
    data = Double("counted_rows", {"rows": ROWS, "passes": passes})
    (record,) = run_script({"f": use}, [Step("f", (data,), op="keep")])
    assert "error" not in record, record
    ((name, number),) = record["log"]
    assert name == "passes"
    return number


ONE_PASS: dict[str, Callable[[Any], Any]] = {
    "x @ W": lambda x: x @ W,
    "W' @ x'": lambda x: W.T @ x.T,
    "np.dot": lambda x: np.dot(x, W),
    "x.dot": lambda x: x.dot(W),
    "einsum": lambda x: np.einsum("nd,dm->nm", x, W),
    "tensordot": lambda x: np.tensordot(x, W, 1),
    "the gradient of the weights": lambda x: x.T @ np.ones((N, 3)),
    "a copy": lambda x: x.copy() @ W,
    "standardised": lambda x: ((x - x.mean(axis=0)) / (x.std(axis=0) + 1)) @ W,
    "np.asarray": lambda x: np.asarray(x, dtype=float) @ W,
    "np.array": lambda x: np.array(x) @ W,
    "an array of rows": lambda x: np.array([x[i] for i in range(N)]) @ W,
    "stacked": lambda x: np.stack(list(x)) @ W,
    "with a column of ones": lambda x: np.hstack([x, np.ones((N, 1))])[:, :D] @ W,
    "np.where": lambda x: np.where(x > 2, x, 0.0) @ W,
    "float32": lambda x: x.astype(np.float32) @ W,
    "row by row": lambda x: [row @ W for row in x],
    "in two batches": lambda x: [x[i] @ W for i in (np.arange(5), np.arange(5, N))],
    "the library's affine": lambda x: affine(x, W, np.zeros(3)),
    "written out by broadcasting": lambda x: (x[:, None] * W.T).sum(axis=-1),
    "a decomposition": lambda x: np.linalg.svd(x, full_matrices=False),
    "tolist": lambda x: x.tolist(),
}
FREE: dict[str, Callable[[Any], Any]] = {
    "statistics": lambda x: (x.mean(axis=0), x.std(), np.median(x), x.max(), np.argsort(x[:, 0])),
    "standardising": lambda x: (x - x.mean(axis=0)) / (x.std() + 1),
    "slices": lambda x: (x[2:], x[[1, 2]], x[x[:, 0] > 3]),
    "len and shape": lambda x: (len(x), x.shape, x.size),
}


@pytest.mark.parametrize("name", ONE_PASS)
def test_all_rows_multiplied_once_are_one_pass_however_it_is_written(name: str) -> None:
    assert spent(ONE_PASS[name]) == pytest.approx(1.0)


@pytest.mark.parametrize("name", FREE)
def test_preparing_the_data_is_free(name: str) -> None:
    assert spent(FREE[name]) == 0.0


def test_a_product_is_plain_and_its_further_use_is_free() -> None:
    def two_layers(x: Any) -> None:
        h = x @ W
        assert type(h) is np.ndarray
        h @ h.T

    assert spent(two_layers) == pytest.approx(1.0)


def test_results_are_those_of_a_plain_array() -> None:
    x, plain = counted(ROWS, Counter(N, 100)), ROWS.astype(float)
    for use in (
        lambda a: a @ W,
        lambda a: (a - a.mean(0)) / 2,
        lambda a: np.concatenate([a, a[:2]]),
        lambda a: a.sum(axis=1),
    ):
        np.testing.assert_array_equal(np.asarray(use(x)), use(plain))
    assert isinstance(x, np.ndarray) and x.dtype == np.float64


def test_a_budget_that_is_spent_raises_and_may_be_caught() -> None:
    def until_the_end(x: Any) -> int:
        done = 0
        try:
            while True:
                x @ W
                done += 1
        except RuntimeError:
            return done

    data = Double("counted_rows", {"rows": ROWS, "passes": 3})
    (record,) = run_script({"f": until_the_end}, [Step("f", (data,))])
    assert record["value"] == 3
    (record,) = run_script({"f": lambda x: [x @ W for _ in range(4)]}, [Step("f", (data,))])
    assert record["error"] == "BudgetSpent" and "3 passes over the data are spent" in record["message"]
    with pytest.raises(BudgetSpent):
        Counter(1, 1).charge(2)


def test_two_sets_of_data_share_a_budget_and_a_pass_is_the_size_of_the_first() -> None:
    data = [Double("counted_rows", {"rows": ROWS[:n], "passes": 9}) for n in (N, 2)]
    (record,) = run_script({"f": lambda x, y: (x @ W, y @ W)}, [Step("f", tuple(data), op="keep")])
    assert record["log"] == [["passes", 1.25]] and record["value"] is None


def test_numpy_is_itself_again_after_the_script_also_after_an_error() -> None:
    before = np.asarray, np.array
    data = Double("counted_rows", {"rows": ROWS, "passes": 9})
    seen = []
    run_script({"f": lambda x: [seen.append(np.asarray is before[0]), 1 / 0]}, [Step("f", (data,))])
    assert seen == [False]
    assert (np.asarray, np.array) == before


@pytest.mark.parametrize("caught", ["BudgetSpent", "RuntimeError"])
def test_an_answer_may_catch_the_end_of_the_budget_while_it_is_graded(caught: str) -> None:
    data = Double("counted_rows", {"rows": ROWS, "passes": 3})
    source = (
        "from class4lib.counting import BudgetSpent\n\ndef f(x):\n    n = 0\n    try:\n        while True:\n"
        f"            x @ np.ones((4, 3))\n            n += 1\n    except {caught}:\n        return n"
    )
    worker = Worker()
    try:
        run = worker.run(Job({}, (("cell", source),), ((Step("f", (data,)),),)))
    finally:
        worker.close()
    assert run.outcomes[0][0]["value"] == 3 and not run.failures


def test_the_worker_counts_as_practice_does_and_sends_no_model_back() -> None:
    data = Double("counted_rows", {"rows": ROWS, "passes": 9})
    script = (Step("f", (data,), op="keep", save="m"), Step("g", (Double("variable", {"name": "m"}),)))
    source = "def f(x):\n    return np.asarray(x) @ np.ones((4, 3))\ndef g(m):\n    return m.shape[1]"
    worker = Worker()
    try:
        run = worker.run(Job({}, (("cell", source),), (script,)))
    finally:
        worker.close()
    (records,) = run.outcomes
    assert records[0]["value"] is None and records[0]["log"] == [["passes", 1.0]] and records[1]["value"] == 3
