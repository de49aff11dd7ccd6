"""binary_cross_entropy: the library against PyTorch, central differences, identities, extremes and bad input."""
import inspect

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import basics
from class4lib import binary_cross_entropy as lib
from class4lib.gradcheck import GradientError, check_gradient
from tests.oracles import binary_cross_entropy as torch_lib

REDUCTIONS = ["mean", "sum", "none"]


def case(n, rng, soft):
    """Probabilities, logits and targets of n examples."""
    y = rng.uniform(size=n) if soft else rng.integers(2, size=n).astype(float)
    return rng.uniform(0.01, 0.99, size=n), rng.normal(scale=4, size=n), y


def test_sigmoid_is_the_one_in_basics():
    assert lib.sigmoid is basics.sigmoid


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4)])
def test_sigmoid_agrees_with_pytorch_in_any_shape(shape, rng):
    z = rng.normal(scale=10, size=shape)
    assert_allclose(lib.sigmoid(z), torch_lib.sigmoid(z), rtol=1e-10)
    assert lib.sigmoid(z).shape == shape


def test_sigmoid_of_both_signs_sums_to_one_and_is_silent_at_1000():
    z = np.array([0.0, 0.5, 37.0, 1000.0])
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(lib.sigmoid(z) + lib.sigmoid(-z), 1.0, rtol=1e-15)
        assert_array_equal(lib.sigmoid([-1000.0, 1000.0]), [0.0, 1.0])
        assert lib.sigmoid(-700.0) == pytest.approx(np.exp(-700.0), rel=1e-12)


@pytest.mark.parametrize("n", [1, 6])
def test_likelihood_and_its_logarithm_agree_with_pytorch(n, rng):
    p, _, y = case(n, rng, soft=False)
    assert_allclose(lib.bernoulli_likelihood(p, y), torch_lib.bernoulli_likelihood(p, y), rtol=1e-10)
    assert_allclose(lib.bernoulli_log_likelihood(p, y), torch_lib.bernoulli_log_likelihood(p, y), rtol=1e-10)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_losses_and_gradients_agree_with_pytorch(n, soft, reduction, rng):
    p, z, y = case(n, rng, soft)
    loss, gradient = torch_lib.binary_cross_entropy(p, y, reduction)
    assert_allclose(lib.binary_cross_entropy(p, y, reduction), loss, rtol=1e-10)
    assert_allclose(lib.binary_cross_entropy_grad(p, y, reduction), gradient, rtol=1e-10, atol=1e-15)
    loss, gradient = torch_lib.bce_with_logits(z, y, reduction)
    assert_allclose(lib.bce_with_logits(z, y, reduction), loss, rtol=1e-10)
    assert_allclose(lib.bce_with_logits_grad(z, y, reduction), gradient, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("soft", [False, True])
def test_gradients_agree_with_central_differences(soft, reduction, rng):
    p, z, y = case(5, rng, soft)
    p = 0.2 + 0.6 * p  # room for the step
    check_gradient(lambda p: lib.binary_cross_entropy(p, y, reduction), [p], [lib.binary_cross_entropy_grad(p, y, reduction)])
    check_gradient(lambda z: lib.bce_with_logits(z, y, reduction), [z], [lib.bce_with_logits_grad(z, y, reduction)])


def test_the_gradient_in_z_given_for_p_is_refused(rng):
    p, _, y = case(5, rng, soft=True)
    p = 0.2 + 0.6 * p
    with pytest.raises(GradientError):
        check_gradient(lambda p: lib.binary_cross_entropy(p, y), [p], [(p - y) / len(p)])


def test_the_loss_is_the_negative_log_likelihood(rng):
    p, _, y = case(6, rng, soft=False)
    assert_allclose(lib.binary_cross_entropy(p, y, "none"), -lib.bernoulli_log_likelihood(p, y), rtol=1e-15)
    assert_allclose(np.exp(lib.bernoulli_log_likelihood(p, y)), lib.bernoulli_likelihood(p, y), rtol=1e-14)


def test_the_likelihoods_of_both_labels_sum_to_one(rng):
    p = rng.uniform(size=6)
    assert_allclose(lib.bernoulli_likelihood(p, np.zeros(6)) + lib.bernoulli_likelihood(p, np.ones(6)), 1.0)


def test_loss_and_gradient_on_logits_are_those_on_probabilities_by_the_chain_rule(rng):
    _, z, y = case(6, rng, soft=True)
    p = lib.sigmoid(z)
    assert_allclose(lib.bce_with_logits(z, y, "none"), lib.binary_cross_entropy(p, y, "none"), rtol=1e-10)
    assert_allclose(lib.bce_with_logits_grad(z, y), lib.binary_cross_entropy_grad(p, y) * p * (1 - p), rtol=1e-9, atol=1e-15)


def test_mirrored_logits_and_targets_give_the_same_loss(rng):
    _, z, y = case(6, rng, soft=True)
    assert_allclose(lib.bce_with_logits(-z, 1 - y), lib.bce_with_logits(z, y), rtol=1e-12)
    assert_allclose(lib.bce_with_logits_grad(-z, 1 - y), -lib.bce_with_logits_grad(z, y), rtol=1e-9, atol=1e-16)


def test_logits_of_1000_give_exact_losses_in_silence():
    z, y = np.array([1000.0, -1000.0, 1000.0, -1000.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0, 0.25])
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(lib.bce_with_logits(z, y, "none"), [1000.0, 1000.0, 0.0, 0.0, np.log(2)], rtol=1e-15)
        assert_array_equal(lib.bce_with_logits_grad(z, y, "none"), [1.0, -1.0, 0.0, 0.0, 0.25])


def test_the_loss_of_a_sure_and_right_logit_is_small_but_not_rounded_to_zero():
    assert lib.bce_with_logits([40.0], [1]) == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert lib.bce_with_logits([-40.0], [0]) == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_no_probability_is_clipped():
    assert_allclose(lib.binary_cross_entropy([1e-9, 1e-300], [1, 1], "none"), [9 * np.log(10), 300 * np.log(10)], rtol=1e-12)
    assert_allclose(lib.binary_cross_entropy([1e-20], [0]), 1e-20, rtol=1e-12)
    assert_allclose(lib.bernoulli_log_likelihood([1e-20], [0]), -1e-20, rtol=1e-12)
    assert_allclose(lib.binary_cross_entropy_grad([1e-9], [1]), [-1e9], rtol=1e-12)


def test_zero_times_log_zero_is_zero_and_log_zero_is_infinite_in_silence():
    with np.errstate(all="raise"):
        assert_array_equal(lib.bernoulli_log_likelihood([0, 1, 0, 1], [0, 1, 1, 0]), [0, 0, -np.inf, -np.inf])
        assert_array_equal(lib.binary_cross_entropy([0, 1, 0, 1], [0, 1, 1, 0], "none"), [0, 0, np.inf, np.inf])
        assert_array_equal(lib.bernoulli_likelihood([0, 1, 0, 1], [0, 1, 1, 0]), [1, 1, 0, 0])
        assert lib.binary_cross_entropy([0.0, 0.5], [0.5, 0.5]) == np.inf


def test_nan_propagates_to_its_own_example_only():
    assert_array_equal(np.isnan(lib.binary_cross_entropy([np.nan, 0.5], [1, 1], "none")), [True, False])
    for likelihood in (lib.bernoulli_likelihood, lib.bernoulli_log_likelihood):
        assert_array_equal(np.isnan(likelihood([0.5, np.nan, 0.5], [1, 0, np.nan])), [False, True, True])
    assert_array_equal(np.isnan(lib.bce_with_logits([np.nan, 0.5], [1, 1], "none")), [True, False])
    assert_array_equal(np.isnan(lib.bce_with_logits_grad([0.5, 0.5], [np.nan, 1])), [True, False])


def test_inputs_are_never_changed(rng):
    p, z, y = case(5, rng, soft=False)
    kept = p.copy(), z.copy(), y.copy()
    for name in ("bernoulli_likelihood", "bernoulli_log_likelihood", "binary_cross_entropy", "binary_cross_entropy_grad"):
        getattr(lib, name)(p, y)
    for name in ("bce_with_logits", "bce_with_logits_grad"):
        getattr(lib, name)(z, y)
    lib.sigmoid(z)
    for now, before in zip((p, z, y), kept, strict=True):
        assert_array_equal(now, before)


def test_integer_and_boolean_labels_are_taken_as_numbers():
    assert lib.bce_with_logits([0, 0], [True, False]) == pytest.approx(np.log(2))
    assert lib.bce_with_logits_grad([0], [1]).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.sigmoid("a"), TypeError, "sigmoid: z must hold real numbers, got 'a'."),
        (lambda: lib.bernoulli_likelihood([0.5, 1.5], [0, 1]), ValueError, "bernoulli_likelihood: p must be at most 1, got 1.5."),
        (lambda: lib.bernoulli_likelihood([0.5, -0.5], [0, 1]), ValueError, "bernoulli_likelihood: p must be at least 0, got -0.5."),
        (lambda: lib.bernoulli_likelihood([0.5], [0.5]), ValueError, "bernoulli_likelihood: y must hold 0 and 1 only, got 0.5."),
        (lambda: lib.bernoulli_log_likelihood([0.5], [0.25]), ValueError, "bernoulli_log_likelihood: y must hold 0 and 1 only, got 0.25."),
        (lambda: lib.bernoulli_log_likelihood([0.5], [2]), ValueError, "bernoulli_log_likelihood: y must be at most 1, got 2."),
        (lambda: lib.binary_cross_entropy([0.5, 0.5], [1]), ValueError, "binary_cross_entropy: y must have shape (2,), got (1,): match the length of p."),
        (lambda: lib.binary_cross_entropy([], []), ValueError, "binary_cross_entropy: p must not be empty, got shape (0,)."),
        (lambda: lib.binary_cross_entropy([[0.5]], [1]), ValueError, "binary_cross_entropy: p must have 1 axis (N), got shape (1, 1)."),
        (lambda: lib.binary_cross_entropy([0.5], [-1]), ValueError, "binary_cross_entropy: y must be at least 0, got -1."),
        (lambda: lib.binary_cross_entropy([0.5], [1], "avg"), ValueError, "binary_cross_entropy: reduction must be one of 'mean', 'sum', 'none', got 'avg'."),
        (lambda: lib.binary_cross_entropy_grad([0.5, 0.0], [0, 0]), ValueError, "binary_cross_entropy_grad: p must be above 0 and below 1, got 0: the derivative is infinite at the ends."),
        (lambda: lib.binary_cross_entropy_grad([1.0], [1]), ValueError, "binary_cross_entropy_grad: p must be above 0 and below 1, got 1: the derivative is infinite at the ends."),
        (lambda: lib.bce_with_logits([0.0, 1.0], [[1, 0]]), ValueError, "bce_with_logits: y must have 1 axis (N), got shape (1, 2)."),
        (lambda: lib.bce_with_logits([1j], [1]), TypeError, "bce_with_logits: z must hold real numbers, got a list."),
        (lambda: lib.bce_with_logits_grad([0.0], [1.5]), ValueError, "bce_with_logits_grad: y must be at most 1, got 1.5."),
        (lambda: lib.bce_with_logits_grad([0.0], [1, 0]), ValueError, "bce_with_logits_grad: y must have shape (1,), got (2,): match the length of z."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


def test_every_function_says_what_it_takes_and_gives():
    for name in lib.__all__:
        doc = inspect.getdoc(getattr(lib, name))
        assert "Args:" in doc and "Returns:" in doc, name


@pytest.mark.parametrize("scale", [0.0, 1.0, 300.0])
def test_the_loss_in_torch_has_value_and_gradients_of_the_numpy_functions(scale, rng):
    x, w, b, y = rng.normal(size=(5, 3)), scale * rng.normal(size=3), scale * rng.normal(), rng.integers(2, size=5)
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w, b)]
    loss = lib.logistic_loss_in_torch(*tensors, torch.tensor(y))
    loss.backward()
    z = x @ w + b
    dz = lib.bce_with_logits_grad(z, y)
    assert_allclose(loss.item(), lib.bce_with_logits(z, y), rtol=1e-12)
    for tensor, gradient in zip(tensors, (np.outer(dz, w), x.T @ dz, dz.sum()), strict=True):
        assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-10, atol=1e-15)


def test_the_loss_in_torch_is_finite_at_pre_activations_of_1000():
    x, y = torch.tensor([[1.0], [-1.0], [1.0]], dtype=torch.float64), torch.tensor([0, 1, 1])
    w = torch.tensor([1000.0], dtype=torch.float64, requires_grad=True)
    loss = lib.logistic_loss_in_torch(x, w, torch.tensor(0.0, dtype=torch.float64), y)
    loss.backward()
    assert loss.item() == pytest.approx(2000 / 3)
    assert w.grad.item() == pytest.approx(2 / 3)
