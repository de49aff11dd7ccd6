"""regression_losses: the library against PyTorch, central differences, invariants, the puzzle, extremes and bad input."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import regression_losses as lib
from class4lib.calls import Step
from class4lib.cases import Case, Sheet
from class4lib.gradcheck import GradientError, check_gradient
from class4lib.judges.attains import least_loss, minimisers
from tests.oracles import regression_losses as torch_lib

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(1,), (7,), (1, 3), (4, 1), (3, 4), (4, 3)]
PUZZLE = np.array([-3.25, -3.0, -0.75, 1.5, 1.5, 2.75, 11.75])


def call(name, predictions, targets, reduction="mean", delta=1.0, grad=False):
    """The loss or its gradient, delta only where it belongs."""
    extra = {"delta": delta} if name == "huber" else {}
    return getattr(lib, name + "_grad" * grad)(predictions, targets, reduction=reduction, **extra)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "delta"), [("mse", 1.0), ("mae", 1.0), ("huber", 1.0), ("huber", 0.4), ("huber", 3.0)])
def test_losses_and_gradients_agree_with_pytorch(name, delta, shape, reduction, rng):
    a, b = rng.normal(scale=2, size=shape), rng.normal(scale=2, size=shape)
    loss, gradient = torch_lib.loss_and_gradient(name, a, b, reduction, delta)
    assert_allclose(call(name, a, b, reduction, delta), loss, rtol=1e-10)
    assert_allclose(call(name, a, b, reduction, delta, grad=True), gradient, rtol=1e-10, atol=1e-15)
    assert np.shape(call(name, a, b, reduction, delta)) == (shape[:1] if reduction == "none" else ())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_gradients_agree_with_central_differences(name, reduction, rng):
    residual = rng.choice([-1, 1], size=(4, 3)) * rng.choice([0.3, 0.55, 0.9, 2.0], size=(4, 3))  # away from the kinks at 0 and 0.7
    b = rng.normal(size=(4, 3))
    check_gradient(lambda a: call(name, a, b, reduction, 0.7), [b + residual], [call(name, b + residual, b, reduction, 0.7, grad=True)])


def test_a_gradient_twice_too_large_is_refused(rng):
    a, b = rng.normal(size=5), rng.normal(size=5)
    with pytest.raises(GradientError):
        check_gradient(lambda a: lib.mse(a, b), [a], [2 * lib.mse_grad(a, b)])


def test_the_squared_error_carries_its_half():
    assert lib.mse([3.0], [0.0]) == 4.5
    assert_array_equal(lib.mse_grad([3.0], [0.0]), [3.0])


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_the_mean_divides_by_examples_and_not_by_entries(name, rng):
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    assert_allclose(call(name, a, b, "mean") * 4, call(name, a, b, "sum"), rtol=1e-12)
    assert_allclose(call(name, a, b, "none").sum(), call(name, a, b, "sum"), rtol=1e-12)
    assert_allclose(call(name, a, b, "mean", grad=True) * 4, call(name, a, b, "none", grad=True), rtol=1e-12)


@pytest.mark.parametrize("delta", [0.125, 1.0, 2.5])
def test_huber_joins_its_two_parts_at_delta(delta):
    r = np.array([-delta, delta])
    assert_allclose(lib.huber(r, np.zeros(2), delta, "none"), 0.5 * delta**2, rtol=1e-15)
    assert_array_equal(lib.huber_grad(r, np.zeros(2), delta, "sum"), r)
    beyond = lib.huber([delta * (1 + 1e-9)], [0.0], delta) - lib.huber([delta], [0.0], delta)
    assert beyond == pytest.approx(delta**2 * 1e-9, rel=1e-5)


@pytest.mark.parametrize("delta", [0.25, 2.0])
def test_huber_is_delta_times_pytorchs_smooth_l1(delta, rng):
    from torch import tensor
    from torch.nn.functional import smooth_l1_loss

    a, b = rng.normal(size=9), rng.normal(size=9)
    assert_allclose(lib.huber(a, b, delta), delta * float(smooth_l1_loss(tensor(a), tensor(b), beta=delta)), rtol=1e-10)


def test_huber_is_the_squared_error_for_a_large_delta_and_delta_times_the_absolute_for_a_small_one(rng):
    a, b = rng.normal(size=9), rng.normal(size=9)
    assert_allclose(lib.huber(a, b, 1e3), lib.mse(a, b), rtol=1e-12)
    assert_allclose(lib.huber(a, b, np.inf), lib.mse(a, b), rtol=1e-12)
    assert_allclose(lib.huber(a, b, 1e-9) / 1e-9, lib.mae(a, b), rtol=1e-8)


def test_at_no_residual_every_loss_and_gradient_is_zero():
    y = np.array([0.0, -3.0, 1e8])
    for name in ("mse", "mae", "huber"):
        assert call(name, y, y) == 0
        assert_array_equal(call(name, y, y, grad=True), np.zeros(3))


def test_losses_near_1e8_keep_their_small_differences():
    a = np.array([1e8 + 1.0, 1e8 - 3.0])
    assert_array_equal(lib.mse(a, [1e8, 1e8], "none"), [0.5, 4.5])
    assert_array_equal(lib.huber(a, [1e8, 1e8], 2.0, "none"), [0.5, 4.0])
    assert lib.mae([1e8, -1e8], [0, 0], "sum") == 2e8
    assert_allclose(lib.huber([1e200], [0.0], 2.0), 2e200)  # its square would be infinite


def test_nan_propagates_to_its_own_example_only():
    for name in ("mse", "mae", "huber"):
        assert_array_equal(np.isnan(call(name, [np.nan, 1.0], [0.0, 0.0], "none")), [True, False])
        assert_array_equal(np.isnan(call(name, [np.nan, 1.0], [0.0, 0.0], grad=True)), [True, False])


def test_inputs_are_never_changed(rng):
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    kept = a.copy(), b.copy()
    for name in ("mse", "mae", "huber"):
        call(name, a, b), call(name, a, b, grad=True)
    y = b[:, 0].copy()
    lib.minimise_location(y, "mae"), lib.minimise_location(y, "huber")
    assert_array_equal(a, kept[0])
    assert_array_equal(b, kept[1])
    assert_array_equal(y, kept[1][:, 0])


@pytest.mark.parametrize("n", [1, 2, 7, 40])
@pytest.mark.parametrize("delta", [0.01, 1.0, 30.0])
def test_the_location_is_where_pytorch_finds_no_better_constant(n, delta, rng):
    y = rng.standard_cauchy(size=n)
    for name in ("mse", "mae", "huber"):
        c = lib.minimise_location(y, name, delta)
        least = torch_lib.total_loss(name, y, c, delta)
        for other in (c - 1e-3, c + 1e-3, *y, y.mean(), np.median(y)):
            assert least <= torch_lib.total_loss(name, y, other, delta) * (1 + 1e-12)


@pytest.mark.parametrize("n", [1, 2, 6, 9, 50])
@pytest.mark.parametrize("delta", [0.001, 0.5, 2.0, 100.0])
def test_hubers_location_lies_in_the_exact_set_of_minimisers(n, delta, rng):
    y = rng.standard_cauchy(size=n)
    low, high = torch_lib.huber_location(y, delta)
    assert low - 1e-8 <= lib.minimise_location(y, "huber", delta) <= high + 1e-8


def test_hubers_location_need_not_lie_between_mean_and_median():
    assert lib.minimise_location(PUZZLE, "mse") == lib.minimise_location(PUZZLE, "mae") == 1.5
    assert lib.minimise_location(PUZZLE, "huber", 3.0) == pytest.approx(0.5, abs=1e-12)


def test_hubers_location_tends_to_the_median_and_to_the_mean():
    y = np.array([0.0, 1.0, 2.0, 5.0, 100.0])
    assert lib.minimise_location(y, "huber", 1e-7) == pytest.approx(2.0, abs=1e-6)
    for delta in (1e3, 1e12, np.inf):
        assert lib.minimise_location(y, "huber", delta) == pytest.approx(21.6, abs=1e-9)


def test_of_an_even_number_any_point_between_the_middle_two_will_do():
    assert 1.0 <= lib.minimise_location([0.0, 1.0, 4.0, 9.0], "mae") <= 4.0
    assert 1.25 <= lib.minimise_location([0.0, 1.0, 4.0, 9.0], "huber", 0.25) <= 3.75


def test_the_location_moves_with_the_data_also_at_1e8():
    for name in ("mse", "mae", "huber"):
        assert lib.minimise_location(PUZZLE + 1e8, name, 3.0) - 1e8 == pytest.approx(lib.minimise_location(PUZZLE, name, 3.0), abs=1e-6)
    assert lib.minimise_location([7.0], "huber") == 7.0


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.75])
def test_the_constant_of_least_quantile_loss_is_the_quantile(tau, rng):
    from torch import tensor

    y = rng.standard_cauchy(size=40) + 0.03
    constants = np.sort(y)
    losses = [float(lib.quantile_loss_in_torch(tensor(np.full(40, c)), tensor(y), tau)) for c in constants]
    assert abs((y < constants[np.argmin(losses)]).mean() - tau) <= 1.5 / 40
    a = tensor(np.zeros(40), requires_grad=True)
    lib.quantile_loss_in_torch(a, tensor(y), tau).backward()
    assert_allclose(a.grad.numpy() * 40, np.where(y > 0, -tau, 1 - tau), rtol=1e-12)


def test_half_a_quantile_is_half_the_absolute_error(rng):
    from torch import tensor

    a, b = rng.normal(size=9), rng.normal(size=9)
    assert_allclose(float(lib.quantile_loss_in_torch(tensor(a), tensor(b), 0.5)), lib.mae(a, b) / 2, rtol=1e-12)


def verdict_on(value, y, loss, *delta):
    """What the judge of attained losses says of a returned value: a failure or None."""
    case = Case("", "values", (Step("minimise_location", (np.array(y, dtype=float), loss, *delta)),), "least_loss")
    return least_loss(case, [{"value": value, "changed": []}], Sheet("minimise_location", (), (case,), (), ("y", "loss", "delta")))


@pytest.mark.parametrize("delta", [0.01, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_judge_finds_the_exact_set_of_minimisers(n, delta, rng):
    y = rng.standard_cauchy(size=n)
    assert_allclose(minimisers(y, "huber", delta), torch_lib.huber_location(y, delta), atol=1e-10)
    for loss in ("mse", "mae", "huber"):
        assert verdict_on(lib.minimise_location(y, loss, delta), y, loss, delta) is None


def test_the_judge_takes_any_point_of_an_interval_and_none_beside_it():
    for c in (1.0, 2.7, np.float64(4.0), np.array(4.0), 1.0 - 9e-7):
        assert verdict_on(c, [0, 1, 4, 9], "mae") is None
    for c in (1.25, 3.75):
        assert verdict_on(c, [0, 1, 4, 9], "huber", 0.25) is None
    for c in (1 - 2e-6, 4 + 2e-6):
        assert verdict_on(c, [0, 1, 4, 9], "mae").code == "near"


@pytest.mark.parametrize(("value", "code"), [(1.5, "mean"), (0.5, "pass"), (None, "missing"), (np.array([0.5]), "shape"), (np.array(0.5, dtype=np.float32), "dtype"), (np.nan, "finite"), (11.75, "observation"), (7.0, "far"), (0.501, "near")])
def test_the_judge_says_what_was_taken_for_the_answer(value, code):
    failure = verdict_on(value, PUZZLE, "huber", 3.0)
    assert (failure.code if failure else "pass") == code


def test_the_judge_says_in_which_direction_the_loss_still_falls():
    assert verdict_on(7.0, PUZZLE, "huber", 3.0).text == "7 is not where the total huber loss is least: a step to the left still lowers it"
    assert "a step to the right" in verdict_on(-2.0, PUZZLE, "huber", 3.0).advice


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.mse([1.0, 2.0], [1.0]), ValueError, "mse: targets must have shape (2,), got (1,): match predictions."),
        (lambda: lib.mse([[1.0], [2.0]], [1.0, 2.0]), ValueError, "mse: targets must have shape (2, 1), got (2,): match predictions."),
        (lambda: lib.mse(1.0, 1.0), ValueError, "mse: predictions must have 1 axis (N) or 2 axes (N, D), got shape ()."),
        (lambda: lib.mse_grad(np.ones((1, 1, 1)), np.ones((1, 1, 1))), ValueError, "mse_grad: predictions must have 1 axis (N) or 2 axes (N, D), got shape (1, 1, 1)."),
        (lambda: lib.mse([], []), ValueError, "mse: predictions must not be empty, got shape (0,)."),
        (lambda: lib.mae(["a"], [1.0]), TypeError, "mae: predictions must hold real numbers, got a list."),
        (lambda: lib.mae([1.0], [1.0], "total"), ValueError, "mae: reduction must be one of 'mean', 'sum', 'none', got 'total'."),
        (lambda: lib.mae_grad([1.0], [[1.0], [2.0, 3.0]]), ValueError, "mae_grad: targets must be one rectangular array, got rows of different lengths."),
        (lambda: lib.huber([1.0], [1.0], 0), ValueError, "huber: delta must be above 0, got 0."),
        (lambda: lib.huber([1.0], [1.0], "mean"), TypeError, "huber: delta must be a number, got 'mean'."),
        (lambda: lib.huber_grad([1.0], [1.0], np.nan), ValueError, "huber_grad: delta must be above 0, got nan."),
        (lambda: lib.huber_grad([1.0], [1.0, 2.0]), ValueError, "huber_grad: targets must have shape (1,), got (2,): match predictions."),
        (lambda: lib.minimise_location([], "mse"), ValueError, "minimise_location: y must not be empty, got shape (0,)."),
        (lambda: lib.minimise_location([[1.0]], "mse"), ValueError, "minimise_location: y must have 1 axis (N), got shape (1, 1)."),
        (lambda: lib.minimise_location([1.0], "l2"), ValueError, "minimise_location: loss must be one of 'mse', 'mae', 'huber', got 'l2'."),
        (lambda: lib.minimise_location([1.0], "huber", -1.0), ValueError, "minimise_location: delta must be above 0, got -1.0."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
