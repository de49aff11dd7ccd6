"""softmax_cross_entropy: the library against PyTorch, central differences, invariants, extremes and bad input."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import softmax_cross_entropy as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import softmax_cross_entropy as torch_lib

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(1, 2), (1, 5), (7, 2), (3, 4), (4, 3)]


def logits_and_targets(shape, rng, kind):
    n, k = shape
    logits = rng.normal(scale=3, size=shape)
    targets = {"labels": rng.integers(k, size=n), "probabilities": rng.dirichlet(np.ones(k), size=n), "weights": rng.uniform(0, 2, size=shape)}
    return logits, targets[kind]


@pytest.mark.parametrize("shape", [(4,), (1, 2), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_agrees_with_pytorch(name, shape, rng):
    logits = rng.normal(scale=5, size=shape)
    assert_allclose(getattr(lib, name)(logits), getattr(torch_lib, name)(logits), rtol=1e-10)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", ["labels", "probabilities", "weights"])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_cross_entropy_and_its_gradient_agree_with_pytorch(shape, kind, reduction, rng):
    logits, targets = logits_and_targets(shape, rng, kind)
    loss, gradient = torch_lib.softmax_cross_entropy(logits, targets, reduction)
    assert_allclose(lib.softmax_cross_entropy(logits, targets, reduction), loss, rtol=1e-10)
    assert_allclose(lib.softmax_cross_entropy_grad(logits, targets, reduction), gradient, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", ["labels", "probabilities", "weights"])
def test_cross_entropy_and_its_gradient_agree_with_pytorch(kind, reduction, rng):
    logits, targets = logits_and_targets((3, 4), rng, kind)
    probs = lib.softmax(logits)
    loss, gradient = torch_lib.cross_entropy(probs, targets, reduction)
    assert_allclose(lib.cross_entropy(probs, targets, reduction), loss, rtol=1e-10)
    assert_allclose(lib.cross_entropy_grad(probs, targets, reduction), gradient, rtol=1e-10)


@pytest.mark.parametrize("shape", [(2,), (5,), (3, 4)])
def test_softmax_jacobian_agrees_with_autograd(shape, rng):
    probs = lib.softmax(rng.normal(size=shape))
    full = torch_lib.softmax_jacobian(probs)
    expected = full if len(shape) == 1 else np.stack([full[n, :, n] for n in range(shape[0])])
    assert_allclose(lib.softmax_jacobian(probs), expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["labels", "probabilities", "weights"])
def test_gradients_agree_with_central_differences(kind, reduction, rng):
    logits, targets = logits_and_targets((3, 4), rng, kind)
    check_gradient(lambda z: lib.softmax_cross_entropy(z, targets, reduction), [logits], [lib.softmax_cross_entropy_grad(logits, targets, reduction)])
    probs = rng.uniform(0.2, 0.9, size=(3, 4))
    check_gradient(lambda p: lib.cross_entropy(p, targets, reduction), [probs], [lib.cross_entropy_grad(probs, targets, reduction)])


def test_softmax_ignores_a_shift_of_a_row(rng):
    logits = rng.normal(size=(3, 4))
    assert_allclose(lib.softmax(logits + np.array([[1000.0], [-1000.0], [0.5]])), lib.softmax(logits), rtol=1e-9)


def test_rows_at_both_extremes_together_stay_finite():
    logits = np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, -999.0]])
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(lib.softmax(logits).sum(axis=1), 1.0)
        assert_array_equal(lib.log_softmax(logits)[0], [0.0, -1000.0, -2000.0])
        assert lib.softmax_cross_entropy(logits, np.array([2, 0]), "sum") == pytest.approx(2000.0 + np.log(2 + np.e))
        assert np.isfinite(lib.softmax_cross_entropy_grad(logits, np.array([2, 0]))).all()


def test_gradient_rows_sum_to_zero_whatever_the_targets_sum_to(rng):
    logits, targets = logits_and_targets((5, 3), rng, "weights")
    assert_allclose(lib.softmax_cross_entropy_grad(logits, targets).sum(axis=1), 0.0, atol=1e-15)


def test_a_weight_of_zero_makes_a_probability_of_zero_harmless():
    probs, targets = np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])
    assert lib.cross_entropy(probs, targets) == 0.0
    assert_array_equal(lib.cross_entropy_grad(probs, targets), [[0.0, -1.0]])
    with np.errstate(divide="ignore"):
        assert lib.cross_entropy(probs, np.array([0])) == np.inf


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_smoothed_targets_give_pytorchs_smoothed_loss(epsilon, rng):
    logits, labels = logits_and_targets((5, 3), rng, "labels")
    smoothed = lib.label_smoothing(labels, 3, epsilon)
    assert_allclose(lib.softmax_cross_entropy(logits, smoothed), torch_lib.label_smoothing_loss(logits, labels, epsilon), rtol=1e-10)


def test_integer_weights_per_class_are_weights_and_not_labels():
    assert lib.softmax_cross_entropy([[0.0, 0.0]], [[1, 0]]) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.softmax(3.0), ValueError, "softmax: logits must have at least 1 axis (K last), got shape ()."),
        (lambda: lib.softmax(np.ones((2, 0))), ValueError, "softmax: logits must not be empty, got shape (2, 0)."),
        (lambda: lib.softmax(["a"]), TypeError, "softmax: logits must hold real numbers, got a list."),
        (lambda: lib.softmax_cross_entropy(np.ones((3, 4)), [1, 2]), ValueError, "softmax_cross_entropy: targets must have shape (3,), got (2,): match the rows of logits."),
        (lambda: lib.softmax_cross_entropy(np.ones((2, 4)), [1, 4]), ValueError, "softmax_cross_entropy: targets must be labels in [0, 4), got 4: match the last axis of logits."),
        (lambda: lib.softmax_cross_entropy(np.ones((2, 4)), np.ones((2, 3))), ValueError, "softmax_cross_entropy: targets must have shape (2, 4), got (2, 3): match logits."),
        (lambda: lib.softmax_cross_entropy(np.ones((2, 4)), [0.0, 1.0]), TypeError, "softmax_cross_entropy: targets must be labels (1-D integers) or weights per class (2-D), got 1-D of dtype float64."),
        (lambda: lib.softmax_cross_entropy(np.ones((2, 4)), [0, 1], "avg"), ValueError, "softmax_cross_entropy: reduction must be one of 'mean', 'sum', 'none', got 'avg'."),
        (lambda: lib.cross_entropy([[-0.1, 1.1]], [0]), ValueError, "cross_entropy: probs must be at least 0, got -0.1."),
        (lambda: lib.label_smoothing([0, 5], 3, 0.1), ValueError, "label_smoothing: labels must be in [0, 3), got 5."),
        (lambda: lib.label_smoothing([0.5], 3, 0.1), TypeError, "label_smoothing: labels must hold integers, got dtype float64."),
        (lambda: lib.label_smoothing([0], 3, 1.5), ValueError, "label_smoothing: epsilon must be at least 0 and at most 1, got 1.5."),
        (lambda: lib.label_smoothing([0], 0, 0.5), ValueError, "label_smoothing: n_classes must be at least 1, got 0."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
