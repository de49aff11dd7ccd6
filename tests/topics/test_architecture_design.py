"""architecture_design: the library against PyTorch, central differences, scripted evaluators that log their calls, and bad input."""
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from autograder import sheets
from class4lib import architecture_design as lib
from class4lib.calls import run_script
from class4lib.gradcheck import check_gradient
from class4lib.judging import JUDGES
from tests.oracles import architecture_design as torch_lib

RIDGE_SHAPES = [(1, 1, 1), (7, 3, 5), (4, 9, 2), (6, 2, 6)]  # N, D, M: fewer rows than columns, N = M, one row


def ridge_problem(shape, rng):
    n, d, m = shape
    return rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=(m, d)), rng.normal(size=m)


class Script:
    """An evaluator that answers from a table and logs its calls; an Exception in the table is raised."""

    def __init__(self, losses):
        self.losses, self.calls = losses, []

    def __call__(self, config, *budget):
        self.calls.append((config, *budget))
        loss = self.losses[config]
        loss = loss[budget[0]] if isinstance(loss, dict) else loss
        if isinstance(loss, BaseException):
            raise loss
        return loss


def in_turn(configs):
    remaining = iter(configs)
    return lambda rng: next(remaining)


# ---- the bilevel problem


@pytest.mark.parametrize("log_lambda", [-6.0, -0.7, 0.0, 4.0])
@pytest.mark.parametrize("shape", RIDGE_SHAPES)
def test_inner_solution_and_hypergradient_agree_with_pytorch(shape, log_lambda, rng):
    X, y, X_val, y_val = ridge_problem(shape, rng)
    assert_allclose(lib.inner_solution(log_lambda, X, y), torch_lib.inner_solution(log_lambda, X, y), rtol=1e-10, atol=1e-12)
    assert_allclose(lib.hypergradient(log_lambda, X, y, X_val, y_val), torch_lib.hypergradient(log_lambda, X, y, X_val, y_val), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("log_lambda", [-3.0, 0.0, 1.5])
@pytest.mark.parametrize("shape", RIDGE_SHAPES)
def test_hypergradient_is_the_central_difference_of_the_validation_loss(shape, log_lambda, rng):
    X, y, X_val, y_val = ridge_problem(shape, rng)

    def validation_loss(s):
        return 0.5 * np.mean((X_val @ lib.inner_solution(float(s), X, y) - y_val) ** 2)

    gradient = np.array(lib.hypergradient(log_lambda, X, y, X_val, y_val))
    check_gradient(validation_loss, [np.array(log_lambda)], [gradient])


def test_inner_solution_is_a_stationary_point_of_the_penalised_mean_loss(rng):
    X, y, _, _ = ridge_problem((8, 3, 1), rng)
    w = lib.inner_solution(-1.0, X, y)
    assert_allclose(X.T @ (X @ w - y) / 8 + np.exp(-1.0) * w, 0.0, atol=1e-14)


def test_repeating_every_row_leaves_the_inner_solution(rng):
    X, y, X_val, y_val = ridge_problem((5, 3, 4), rng)
    twice = np.concatenate([X, X]), np.concatenate([y, y])
    assert_allclose(lib.inner_solution(0.3, *twice), lib.inner_solution(0.3, X, y), rtol=1e-12)
    assert_allclose(lib.hypergradient(0.3, *twice, X_val, y_val), lib.hypergradient(0.3, X, y, X_val, y_val), rtol=1e-12)


def test_hypergradient_depends_on_which_data_validate(rng):
    X, y, X_val, y_val = ridge_problem((6, 3, 6), rng)
    assert lib.hypergradient(0.5, X, y, X, y) > 0  # on the training data itself a weaker penalty is always better
    assert abs(lib.hypergradient(0.5, X, y, X_val, y_val) - lib.hypergradient(0.5, X_val, y_val, X, y)) > 1e-3


# ---- the parameter budget


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (64, 10), (3, 7)])
@pytest.mark.parametrize("width", [1, 2, 33])
def test_the_width_fits_exactly_and_one_more_does_not(depth, n_in, n_out, width):
    exact = torch_lib.dense_parameters([n_in, *[width] * depth, n_out])
    assert lib.parameter_budget_width(depth, n_in, n_out, exact) == width
    assert lib.parameter_budget_width(depth, n_in, n_out, exact - 1) == width - 1


def test_the_width_is_zero_where_none_fits_and_never_above_its_ceiling():
    assert lib.parameter_budget_width(3, 64, 10, 0) == 0
    assert lib.parameter_budget_width(1, 1, 1, 10**15) == 100_000
    assert type(lib.parameter_budget_width(1, 1, 1, 10)) is int


# ---- searches


def test_random_search_evaluates_each_trial_once_in_the_order_sampled():
    evaluate = Script({"a": 0.5, "b": 0.25, "c": 0.75})
    best, trials = lib.random_search(in_turn("abc"), evaluate, 3, rng=np.random.default_rng(0))
    assert best == "b"
    assert trials == [("a", 0.5), ("b", 0.25), ("c", 0.75)]
    assert evaluate.calls == [("a",), ("b",), ("c",)]


def test_random_search_survives_failures_and_never_prefers_one():
    evaluate = Script({"a": ValueError("diverged"), "b": np.nan, "c": -np.inf, "d": 3.0, "e": np.inf, "f": 3.0, "g": None})
    best, trials = lib.random_search(in_turn("abcdefg"), evaluate, 7, rng=np.random.default_rng(0))
    assert best == "d"  # the first of equals
    assert trials == [("a", np.inf), ("b", np.inf), ("c", -np.inf), ("d", 3.0), ("e", np.inf), ("f", 3.0), ("g", np.inf)]


@pytest.mark.parametrize("losses", [{}, {"a": np.nan}, {"a": -np.inf, "b": RuntimeError("no")}])
def test_random_search_without_a_finite_loss_has_no_best(losses):
    best, trials = lib.random_search(in_turn(losses), Script(losses), len(losses), rng=np.random.default_rng(0))
    assert best is None
    assert len(trials) == len(losses)


def test_random_search_does_not_swallow_an_interrupt():
    with pytest.raises(KeyboardInterrupt):
        lib.random_search(in_turn("a"), Script({"a": KeyboardInterrupt()}), 1, rng=np.random.default_rng(0))


def test_random_search_draws_from_rng_only():
    searches = [lib.random_search(lambda rng: rng.normal(), abs, 5, rng=np.random.default_rng(3)) for _ in range(2)]
    assert searches[0] == searches[1]
    assert [c for c, _ in searches[0][1]] == np.random.default_rng(3).normal(size=5).tolist()


@pytest.mark.parametrize(("n", "eta", "min_budget", "spent"), [(1, 2, 5, 0), (2, 2, 1, 2), (7, 2, 1, 13), (8, 2, 1, 24), (8, 2, 3, 72), (9, 3, 1, 18), (3, 4, 2, 6), (10, 3, 1, 19), (5, 2, 1, 9)])
def test_halving_spends_what_its_rule_says_and_finds_the_lowest(n, eta, min_budget, spent):
    losses = {i: (i - n // 2) ** 2 for i in range(n)}
    evaluate = Script(losses)
    assert lib.successive_halving(range(n), evaluate, min_budget, eta) == (n // 2, spent)
    assert sum(budget for _, budget in evaluate.calls) == spent


def test_halving_evaluates_every_survivor_once_a_round_and_the_last_never_again():
    evaluate = Script({"a": 4.0, "b": 1.0, "c": 3.0, "d": 2.0, "e": 5.0, "f": 6.0, "g": 7.0})
    assert lib.successive_halving("a b c d e f g".split(), evaluate, 1) == ("b", 13)
    assert sorted(evaluate.calls) == sorted([*((c, 1) for c in "abcdefg"), *((c, 2) for c in "bcd")])


def test_halving_ranks_by_the_round_at_hand():
    evaluate = Script({"slow": {1: 0.75, 2: 0.125}, "fast": {1: 0.5, 2: 0.25}, "bad": {1: 1.0}, "worse": {1: 2.0}})
    assert lib.successive_halving(["slow", "fast", "bad", "worse"], evaluate, 1) == ("slow", 8)


def test_halving_breaks_ties_by_the_place_in_configs_in_every_round():
    # "late" leads the first round; in the second both are equal, and "early" stands first in configs
    evaluate = Script({"early": {1: 0.5, 2: 0.25}, "late": {1: 0.25, 2: 0.25}, "x": {1: 1.0}, "y": {1: 1.0}})
    assert lib.successive_halving(["early", "late", "x", "y"], evaluate, 1)[0] == "early"
    assert lib.successive_halving([3, 1, 2, 0], lambda config, budget: 0.5, 1) == (3, 8)


@pytest.mark.parametrize("failure", [np.nan, np.inf, -np.inf, ValueError("diverged"), None])
def test_halving_ranks_a_failure_last_and_counts_its_budget(failure):
    evaluate = Script({"a": failure, "b": failure, "c": 1e300, "d": failure})
    assert lib.successive_halving(["a", "b", "c", "d"], evaluate, 1) == ("c", 8)
    assert ("a", 2) in evaluate.calls  # of three failures the first is kept


def test_halving_with_failures_only_keeps_the_first():
    assert lib.successive_halving(["a", "b", "c"], Script(dict.fromkeys("abc", np.nan)), 1) == ("a", 3)


def test_halving_accepts_configurations_that_cannot_be_compared_or_hashed():
    configs = [{"width": w} for w in (8, 4)]
    best, _ = lib.successive_halving(configs, lambda config, budget: config["width"], 1)
    assert best is configs[1]
    assert configs == [{"width": 8}, {"width": 4}]


# ---- the mixed operation

OPERATIONS = [lambda x: x, np.tanh, lambda x: np.maximum(x, 0.0), np.zeros_like]


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_mixed_operation_and_its_gradient_agree_with_pytorch_and_central_differences(shape, k, rng):
    x, dy, alpha = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=k)
    y, dalpha = torch_lib.mixed_operation(dy, x, OPERATIONS[:k], alpha)
    assert_allclose(lib.mixed_operation(x, OPERATIONS[:k], alpha), y, rtol=1e-10, atol=1e-14)
    gradient = lib.mixed_operation_grad(dy, x, OPERATIONS[:k], alpha)
    assert_allclose(gradient, dalpha, rtol=1e-10, atol=1e-14)
    check_gradient(lambda a: lib.mixed_operation(x, OPERATIONS[:k], a), [alpha], [gradient], dy)


def test_mixed_operations_may_change_the_shape(rng):
    x, alpha = rng.normal(size=(3, 4)), rng.normal(size=2)
    operations = [lambda x: x.sum(axis=1), lambda x: x.max(axis=1)]
    assert lib.mixed_operation(x, operations, alpha).shape == (3,)
    check_gradient(lambda a: lib.mixed_operation(x, operations, a), [alpha], [lib.mixed_operation_grad(np.ones(3), x, operations, alpha)])


def test_an_operation_that_returns_x_itself_leaves_x_as_it_was(rng):
    x = rng.normal(size=(3, 4))
    before = x.copy()
    lib.mixed_operation(x, OPERATIONS, np.zeros(4))
    lib.mixed_operation_grad(np.ones((3, 4)), x, OPERATIONS, np.zeros(4))
    assert_array_equal(x, before)


def test_each_operation_is_called_once(rng):
    calls = []
    operations = [lambda x, k=k: calls.append(k) or x * k for k in range(3)]
    lib.mixed_operation(np.ones(2), operations, np.zeros(3))
    assert sorted(calls) == [0, 1, 2]


def test_one_large_alpha_chooses_its_operation_and_a_common_shift_changes_nothing(rng):
    x, dy, alpha = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=4)
    with np.errstate(all="raise", under="ignore"):
        assert_array_equal(lib.mixed_operation(x, OPERATIONS, [-1000.0, 1000.0, 0.0, 0.0]), np.tanh(x))
        assert_array_equal(lib.mixed_operation_grad(dy, x, OPERATIONS, [-1000.0, 1000.0, 0.0, 0.0]), 0.0)
    assert_allclose(lib.mixed_operation(x, OPERATIONS, alpha + 100.0), lib.mixed_operation(x, OPERATIONS, alpha), rtol=1e-12)
    assert lib.mixed_operation_grad(dy, x, OPERATIONS, alpha).sum() == pytest.approx(0.0, abs=1e-14)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.inner_solution(0.0, np.ones((3, 2)), np.ones(2)), ValueError, "inner_solution: y must have shape (3,), got (2,): match axis 0 of X."),
        (lambda: lib.inner_solution(30.0, np.ones((3, 2)), np.ones(3)), ValueError, "inner_solution: log_lambda must be at least -20 and at most 20, got 30.0."),
        (lambda: lib.inner_solution(np.nan, np.ones((3, 2)), np.ones(3)), ValueError, "inner_solution: log_lambda must be at least -20 and at most 20, got nan."),
        (lambda: lib.inner_solution("0", np.ones((3, 2)), np.ones(3)), TypeError, "inner_solution: log_lambda must be a number, got '0'."),
        (lambda: lib.inner_solution(0.0, np.ones((0, 2)), np.ones(0)), ValueError, "inner_solution: X must not be empty, got shape (0, 2)."),
        (lambda: lib.hypergradient(0.0, np.ones((3, 2)), np.ones(3), np.ones((4, 3)), np.ones(4)), ValueError, "hypergradient: X_val must have shape (4, 2), got (4, 3): match the last axis of X_train."),
        (lambda: lib.hypergradient(0.0, np.ones((3, 2)), np.ones(3), np.ones((4, 2)), np.ones(3)), ValueError, "hypergradient: y_val must have shape (4,), got (3,): match axis 0 of X_val."),
        (lambda: lib.parameter_budget_width(0, 1, 1, 5), ValueError, "parameter_budget_width: depth must be at least 1, got 0."),
        (lambda: lib.parameter_budget_width(1, 1, 1, 5.0), TypeError, "parameter_budget_width: budget must be an integer, got 5.0."),
        (lambda: lib.random_search(1, abs, 2, rng=RNG), TypeError, "random_search: sample must be callable, got 1."),
        (lambda: lib.random_search(abs, None, 2, rng=RNG), TypeError, "random_search: evaluate must be callable, got None."),
        (lambda: lib.random_search(abs, abs, -1, rng=RNG), ValueError, "random_search: n_trials must be at least 0, got -1."),
        (lambda: lib.random_search(abs, abs, 1, rng=7), TypeError, "random_search: rng must be a numpy.random.Generator, got 7: make one with np.random.default_rng(seed)."),
        (lambda: lib.successive_halving([], max, 1), ValueError, "successive_halving: configs must hold at least 1, got 0."),
        (lambda: lib.successive_halving({1, 2}, max, 1), TypeError, "successive_halving: configs must be a list of configurations, got a set."),
        (lambda: lib.successive_halving([1], max, 0), ValueError, "successive_halving: min_budget must be at least 1, got 0."),
        (lambda: lib.successive_halving([1], max, 1, 1), ValueError, "successive_halving: eta must be at least 2, got 1."),
        (lambda: lib.mixed_operation(np.ones(2), [np.tanh], [0.0, 1.0]), ValueError, "mixed_operation: alpha must have shape (1,), got (2,): match the number of operations."),
        (lambda: lib.mixed_operation(np.ones(2), [np.tanh, 3], [0.0, 1.0]), TypeError, "mixed_operation: operations[1] must be callable, got 3."),
        (lambda: lib.mixed_operation_grad(np.ones(2), np.ones(2), np.tanh, [0.0]), TypeError, "mixed_operation_grad: operations must be a list of callables, got a ufunc."),
        (lambda: lib.mixed_operation(np.ones(2), [], []), ValueError, "mixed_operation: alpha must not be empty, got shape (0,)."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


# ---- in PyTorch


@pytest.mark.parametrize("shape", RIDGE_SHAPES)
def test_autograd_through_the_solve_finds_the_hypergradient(shape, rng):
    X, y, X_val, y_val = ridge_problem(shape, rng)
    for s in (-6.0, 0.7, 4.0):
        log_lambda = torch.tensor(s, dtype=torch.float64, requires_grad=True)
        loss = lib.validation_loss_in_torch(log_lambda, *map(torch.tensor, (X, y, X_val, y_val)))
        loss.backward()
        assert loss.item() == pytest.approx(0.5 * np.mean((X_val @ lib.inner_solution(s, X, y) - y_val) ** 2), rel=1e-10)
        assert log_lambda.grad.item() == pytest.approx(lib.hypergradient(s, X, y, X_val, y_val), rel=1e-8, abs=1e-12)


# ---- how searches are judged


def judged(search, name="random_search"):
    """The failures' codes on the public cases, by label."""
    sheet = sheets.public_sheets("architecture_design")[name]
    failures = [(c.label, JUDGES[c.judge](c, run_script({name: search}, c.script), sheet)) for c in sheet.cases]
    return {label: f.code for label, f in failures if f}


def test_a_search_may_draw_everything_before_it_evaluates():
    def search(sample, evaluate, n_trials, *, rng):
        configs = [sample(rng) for _ in range(n_trials)]
        return lib.random_search(lambda rng, rest=iter(configs): next(rest), evaluate, n_trials, rng=rng)

    assert judged(search) == {}


def test_a_search_that_evaluates_in_another_order_is_refused():
    def search(sample, evaluate, n_trials, *, rng):
        configs = [sample(rng) for _ in range(n_trials)]
        best, trials = lib.random_search(lambda rng, rest=iter(configs[::-1]): next(rest), evaluate, n_trials, rng=rng)
        return best, trials[::-1]

    assert judged(search)["seven trials"].startswith("evaluates ")


def test_an_exception_that_escapes_is_told_by_its_kind():
    def search(sample, evaluate, n_trials, *, rng):
        return None, [(c, evaluate(c)) for c in (sample(rng) for _ in range(n_trials))]

    assert judged(search)["runs that raise"] == "ValueError escapes"


def test_halving_may_evaluate_a_round_in_any_order_but_not_the_last_one_again():
    def backwards(configs, evaluate, min_budget, eta=2):
        losses = {}

        def known(config, budget):
            loss = losses[configs.index(config), budget]
            if isinstance(loss, Exception):
                raise loss
            return loss

        def once(i, budget):
            try:
                losses[i, budget] = evaluate(configs[i], budget)
            except Exception as error:
                losses[i, budget] = error

        rounds = {}
        lib.successive_halving(configs, lambda c, b: rounds.setdefault(b, []).append(c) or 0.0, min_budget, eta)
        if rounds:
            for i in reversed(range(len(configs))):
                once(i, min_budget)

        def lazily(config, budget):
            if budget > min_budget:
                once(configs.index(config), budget)
            return known(config, budget)

        return lib.successive_halving(configs, lazily, min_budget, eta)

    def again(configs, evaluate, min_budget, eta=2):
        winner, spent = lib.successive_halving(configs, evaluate, min_budget, eta)
        evaluate(winner, 10 * min_budget)
        return winner, spent

    assert judged(backwards, "successive_halving") == {}
    assert judged(again, "successive_halving")["four configurations"].startswith("rounds ")
