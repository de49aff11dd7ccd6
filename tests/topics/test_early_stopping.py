"""early_stopping: scripts of losses, the rules against their definitions, closed forms against descent that is really run."""
import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import early_stopping as lib
from class4lib.guards import withheld
from tests.oracles import early_stopping as torch_lib

NAN, INF = float("nan"), float("inf")


def run(losses, patience, min_delta=0.0):
    stopping = lib.EarlyStopping(patience, min_delta)
    return [stopping.step(loss) for loss in losses], stopping


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "stops", "best_epoch", "best_loss"),
    [
        ([3.0, 2.0, 2.5, 2.5, 2.5], 3, 0.0, [False, False, False, False, True], 1, 2.0),
        ([1.0, 1.0, 1.0], 2, 0.0, [False, False, True], 0, 1.0),  # a plateau does not improve
        ([1.0, 0.875, 0.75, 0.5], 2, 0.125, [False, False, False, False], 3, 0.5),  # a tie at min_delta does not, adding up does
        ([1.0, 2.0, 0.5, 2.0, 2.0], 2, 0.0, [False, False, False, False, True], 2, 0.5),  # improvement in the last patient epoch
        ([1.0, 3.0, 2.0, 1.5, 1.25], 4, 0.0, [False, False, False, False, True], 0, 1.0),  # better than the epoch before is not enough
        ([2.0, NAN, 1.0, NAN, NAN], 2, 0.0, [False, False, False, False, True], 2, 1.0),
        ([NAN, NAN], 2, 0.0, [False, True], None, INF),
        ([INF, 1.0], 1, 0.0, [True, False], 1, 1.0),  # inf is not below inf
        ([-INF, -5.0], 1, 0.0, [False, True], 0, -INF),
        ([1.0, 2.0, 2.0, 0.5, 2.0], 2, 0.0, [False, False, True, False, False], 3, 0.5),  # after a stop it still keeps the best
        ([1.0, 2.0, 2.0, 2.0], 2, 0.0, [False, False, True, True], 0, 1.0),  # and still says so
        ([1.0, 1.5], 1, 0.0, [False, True], 0, 1.0),
    ],
)
def test_scripts_of_losses(losses, patience, min_delta, stops, best_epoch, best_loss):
    got, stopping = run(losses, patience, min_delta)
    assert got == stops
    assert (stopping.best_epoch, stopping.best_loss) == (best_epoch, best_loss)


def test_before_the_first_step_nothing_is_stored():
    stopping = lib.EarlyStopping(3)
    assert (stopping.best_epoch, stopping.best_loss, stopping.best_state) == (None, INF, None)


def test_best_state_is_a_deep_copy_of_the_best_epochs_state():
    state = {"weights": [np.zeros(2)]}
    stopping = lib.EarlyStopping(5)
    for loss in (3.0, 1.0, 2.0):
        stopping.step(loss, state)
        state["weights"][0] += 1.0
    assert_array_equal(stopping.best_state["weights"][0], [1.0, 1.0])


def test_a_loss_that_is_changed_in_place_afterwards_does_not_change_the_best_loss():
    for step in (lib.EarlyStopping.step, lib.EarlyStopping.step.__wrapped__):  # guarded and not
        loss, stopping = np.array(2.0), lib.EarlyStopping(2)
        step(stopping, loss)
        loss[...] = 9.0
        assert stopping.best_loss == 2.0


def test_the_state_of_an_improvement_may_be_none():
    stopping = lib.EarlyStopping(2)
    stopping.step(2.0, [1])
    stopping.step(1.0)
    assert stopping.best_state is None


def test_two_stoppings_share_nothing():
    first, second = lib.EarlyStopping(1), lib.EarlyStopping(1)
    first.step(1.0)
    assert second.best_epoch is None


def short_curves():
    return itertools.product([1.0, 1.125, 2.0, NAN], repeat=6)


@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (2, 0.0), (3, 0.125)])
def test_patience_stops_where_the_last_epochs_hold_no_record_on_every_short_curve(patience, min_delta):
    for losses in short_curves():
        assert lib.stopping_epoch_patience(losses, patience, min_delta) == torch_lib.stopping_epoch_patience(losses, patience, min_delta)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_slides_rule_follows_its_definition_on_every_short_curve(k):
    for losses in short_curves():
        assert lib.stopping_epoch_consecutive(losses, k) == torch_lib.stopping_epoch_consecutive(losses, k)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_slides_rule_never_stops_before_epoch_2k_minus_1(k):
    assert lib.stopping_epoch_consecutive(np.arange(20.0), k) == 2 * k - 1
    assert lib.stopping_epoch_consecutive(np.arange(2.0 * k - 1), k) is None


def test_the_two_rules_disagree():
    slow_rise = [1.0, 0.5, 0.625, 0.75, 0.875, 1.0]
    zigzag = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
    late_minimum = [3.0, 3.5, 3.25, 3.0, 2.0]
    assert (lib.stopping_epoch_patience(slow_rise, 2), lib.stopping_epoch_consecutive(slow_rise, 2)) == (3, 4)
    assert (lib.stopping_epoch_patience(zigzag, 2), lib.stopping_epoch_consecutive(zigzag, 2)) == (2, None)
    assert (lib.stopping_epoch_patience(late_minimum, 3), lib.stopping_epoch_consecutive(late_minimum, 3)) == (3, None)
    dip = [4.0, 1.0, 5.0, 2.0, 0.5]  # L(2) > L(0) and L(3) > L(1), but patience 3 still waits, and is right
    assert (lib.stopping_epoch_patience(dip, 3), lib.stopping_epoch_consecutive(dip, 2)) == (None, 3)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("min_delta", [0.0, 0.5])
def test_with_the_same_k_the_slides_rule_never_stops_before_patience(k, min_delta):
    for losses in short_curves():  # L(s) > L(s - k) >= best - min_delta: each of the k epochs is one without improvement
        slides = lib.stopping_epoch_consecutive(losses, k)
        assert slides is None or lib.stopping_epoch_patience(losses, k, min_delta) <= slides


def test_no_epochs_never_stop():
    assert lib.stopping_epoch_patience([], 1) is None
    assert lib.stopping_epoch_consecutive([], 1) is None


def problem(rng):
    return np.array([2.0, 0.5, 0.03, 0.0]), rng.normal(size=4)


@pytest.mark.parametrize("lr", [0.0, 0.1, 0.5, 0.9, 1.1])
def test_the_descent_path_is_that_of_sgd(lr, rng):
    eigenvalues, w_star = problem(rng)
    assert_allclose(lib.gradient_descent_path(eigenvalues, w_star, lr, 25), torch_lib.gradient_descent_path(eigenvalues, w_star, lr, 25), rtol=1e-10, atol=1e-13)


def test_the_descent_path_on_data_is_the_same_filter(rng):
    X, y, lr = rng.normal(size=(8, 3)), rng.normal(size=8), 0.1
    eigenvalues, vectors = np.linalg.eigh(X.T @ X / 8)
    w_star, w = vectors.T @ np.linalg.lstsq(X, y)[0], np.zeros(3)
    for _ in range(10):
        w -= lr * X.T @ (X @ w - y) / 8
    assert_allclose(vectors @ lib.gradient_descent_path(eigenvalues, w_star, lr, 10)[-1], w, rtol=1e-10)


def test_the_path_starts_at_zero_even_where_a_step_is_the_inverse_curvature():
    assert_array_equal(lib.gradient_descent_path([2.0], [3.0], 0.5, 2), [[0.0], [3.0], [3.0]])
    assert_array_equal(lib.gradient_descent_path([2.0], [3.0], 0.5, 0), [[0.0]])


@pytest.mark.parametrize(("lr", "step"), [(0.1, 1), (0.3, 7), (2.0, 50)])
def test_equivalent_l2_has_the_slope_of_descent_at_curvature_zero(lr, step):
    assert_allclose(lib.equivalent_l2(lr, step), torch_lib.equivalent_l2(lr, step), rtol=1e-10)


def test_descent_and_ridge_shrink_alike_where_the_curvature_is_small():
    lam = np.array([1e-6])
    alpha = lib.equivalent_l2(0.2, 30)
    assert_allclose(lib.gradient_descent_path(lam, [1.0], 0.2, 30)[-1], lam / (lam + alpha), rtol=1e-4)


@pytest.mark.parametrize("lr", [0.0, 0.1, 0.9])
def test_expected_risk_agrees_with_moments_carried_step_by_step(lr, rng):
    arguments = *problem(rng), lr, 30, 0.7, 12
    assert_allclose(lib.expected_excess_risk(*arguments), torch_lib.expected_excess_risk(*arguments), rtol=1e-10)


def test_expected_risk_agrees_with_repeated_noise(rng):
    X, w_star, deviation = rng.normal(size=(10, 3)), np.array([1.0, -2.0, 0.5]), 2.0
    eigenvalues, vectors = np.linalg.eigh(X.T @ X / 10)
    risk = lib.expected_excess_risk(eigenvalues, vectors.T @ w_star, 0.1, 12, deviation**2, 10)[12]
    Y = X @ w_star + deviation * rng.normal(size=(4000, 10))
    W = np.zeros((4000, 3))
    for _ in range(12):
        W -= 0.1 * (W @ X.T - Y) @ X / 10
    samples = (((W - w_star) @ X.T) ** 2).mean(axis=1)
    assert abs(samples.mean() - risk) < 5 * samples.std() / np.sqrt(4000)


def test_without_noise_the_risk_falls_and_without_signal_it_rises():
    clean = lib.expected_excess_risk([1.0, 0.1], [1.0, 1.0], 0.5, 20, 0.0, 10)
    noise = lib.expected_excess_risk([1.0, 0.1], [0.0, 0.0], 0.5, 20, 1.0, 10)
    assert np.all(np.diff(clean) < 0)
    assert np.all(np.diff(noise) > 0)


def test_a_direction_without_curvature_adds_nothing_and_warns_nothing():
    with np.errstate(all="raise"):
        assert_array_equal(lib.expected_excess_risk([0.0], [1000.0], 0.5, 3, 1.0, 5), np.zeros(4))


def test_eigenvalues_that_rounding_made_negative_are_let_through():
    assert np.all(np.isfinite(lib.expected_excess_risk([1.0, -1e-17], [1.0, 1.0], 0.5, 3, 1.0, 5)))


def test_a_stopped_fit_in_torch_is_the_filter_and_its_slope_in_the_targets_is_the_degrees_of_freedom(rng):
    X, y = torch.tensor(rng.normal(size=(7, 3))), torch.tensor(rng.normal(size=7), requires_grad=True)
    eigenvalues, vectors = np.linalg.eigh(X.numpy().T @ X.numpy() / 7)
    w_star = vectors.T @ np.linalg.lstsq(X.numpy(), y.detach().numpy())[0]
    path = lib.gradient_descent_path(eigenvalues, w_star, 0.2, 6)
    assert_allclose(lib.stopped_fit_in_torch(X, y, 0.2, 6).detach().numpy(), X.numpy() @ vectors @ path[-1], rtol=1e-10)
    jacobian = torch.autograd.functional.jacobian(lambda t: lib.stopped_fit_in_torch(X, t, 0.2, 6), y)
    assert_allclose(float(jacobian.trace()), lib.gradient_descent_path(eigenvalues, np.ones(3), 0.2, 6)[-1].sum(), rtol=1e-10)


def test_withholding_the_class_withholds_its_methods():
    stopping = lib.EarlyStopping(2)
    with withheld("EarlyStopping"):
        for call in (lambda: lib.EarlyStopping(2), lambda: stopping.step(1.0)):
            with pytest.raises(PermissionError, match=r"^EarlyStopping is yours to write here"):
                call()
    assert stopping.step(1.0) is False


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.EarlyStopping(0), ValueError, "EarlyStopping: patience must be at least 1, got 0."),
        (lambda: lib.EarlyStopping(2.0), TypeError, "EarlyStopping: patience must be an integer, got 2.0."),
        (lambda: lib.EarlyStopping(2, -0.1), ValueError, "EarlyStopping: min_delta must be at least 0 and below inf, got -0.1."),
        (lambda: lib.EarlyStopping(2, NAN), ValueError, "EarlyStopping: min_delta must be at least 0 and below inf, got nan."),
        (lambda: lib.EarlyStopping(2).step("low"), TypeError, "EarlyStopping.step: loss must be a number, got 'low'."),
        (lambda: lib.EarlyStopping(2).step([1.0]), TypeError, "EarlyStopping.step: loss must be a number, got a list."),
        (lambda: lib.stopping_epoch_patience([1.0], 0), ValueError, "stopping_epoch_patience: patience must be at least 1, got 0."),
        (lambda: lib.stopping_epoch_patience([[1.0]], 1), ValueError, "stopping_epoch_patience: losses must have 1 axis (T), got shape (1, 1)."),
        (lambda: lib.stopping_epoch_consecutive([1.0], 0), ValueError, "stopping_epoch_consecutive: k must be at least 1, got 0."),
        (lambda: lib.stopping_epoch_consecutive(["a"], 1), TypeError, "stopping_epoch_consecutive: losses must hold real numbers, got a list."),
        (lambda: lib.gradient_descent_path([1.0, 2.0], [1.0], 0.1, 3), ValueError, "gradient_descent_path: w_star must have shape (2,), got (1,): match the length of eigenvalues."),
        (lambda: lib.gradient_descent_path([1.0, -2.0], [1.0, 1.0], 0.1, 3), ValueError, "gradient_descent_path: eigenvalues must be at least 0, got -2."),
        (lambda: lib.gradient_descent_path([1.0], [1.0], -0.1, 3), ValueError, "gradient_descent_path: lr must be at least 0 and below inf, got -0.1."),
        (lambda: lib.gradient_descent_path([1.0], [1.0], 0.1, -1), ValueError, "gradient_descent_path: n_steps must be at least 0, got -1."),
        (lambda: lib.equivalent_l2(0.0, 1), ValueError, "equivalent_l2: lr must be above 0 and below inf, got 0.0."),
        (lambda: lib.equivalent_l2(0.1, 0), ValueError, "equivalent_l2: step must be at least 1, got 0."),
        (lambda: lib.expected_excess_risk([1.0], [1.0], 0.1, 3, -1.0, 5), ValueError, "expected_excess_risk: noise_variance must be at least 0 and below inf, got -1.0."),
        (lambda: lib.expected_excess_risk([1.0], [1.0], 0.1, 3, 1.0, 0), ValueError, "expected_excess_risk: n_examples must be at least 1, got 0."),
        (lambda: lib.expected_excess_risk([-1.0], [1.0], 0.1, 3, 1.0, 5), ValueError, "expected_excess_risk: eigenvalues must be at least 0, got -1."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
