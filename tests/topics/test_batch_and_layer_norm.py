"""batch_and_layer_norm: the library against PyTorch, central differences, invariants, extremes and bad input."""
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import batch_and_layer_norm as lib
from class4lib.basics import affine
from class4lib.gradcheck import check_gradient
from class4lib.network import RunningNorm, norm_block
from tests.oracles import batch_and_layer_norm as torch_lib

BATCHES = [(2, 1), (2, 5), (7, 3), (4, 4)]
ROWS = [(5,), (1, 3), (4, 1), (4, 6), (2, 3, 4), (2, 2, 3, 5)]


def parameters(d, rng):
    """gamma of both signs and beta, away from 1 and 0."""
    return rng.uniform(0.5, 2, size=d) * rng.choice([-1.0, 1.0], size=d), rng.normal(size=d)


def shifted(shape, rng):
    """Values whose features have means and deviations of their own."""
    return rng.normal(size=shape) * rng.uniform(0.5, 4, size=shape[-1]) + rng.normal(scale=5, size=shape[-1])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", BATCHES)
def test_batch_norm_and_its_running_statistics_agree_with_pytorch(shape, training, rng):
    x, (gamma, beta) = shifted(shape, rng), parameters(shape[1], rng)
    mean, var = rng.normal(size=shape[1]), rng.uniform(0.5, 3, size=shape[1])
    ours = lib.batch_norm(x, gamma, beta, mean, var, training=training, momentum=0.3, eps=1e-3)
    for got, expected in zip(ours, torch_lib.batch_norm(x, gamma, beta, mean, var, training=training, momentum=0.3, eps=1e-3), strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


def test_several_training_batches_then_evaluation_agree_with_pytorch(rng):
    gamma, beta = parameters(3, rng)
    ours = theirs = (None, np.zeros(3), np.ones(3))
    for n in (2, 5, 3, 4):
        x = shifted((n, 3), rng)
        ours = lib.batch_norm(x, gamma, beta, *ours[1:], training=True)
        theirs = torch_lib.batch_norm(x, gamma, beta, *theirs[1:], training=True)
    x = shifted((1, 3), rng)
    ours = lib.batch_norm(x, gamma, beta, *ours[1:], training=False)
    theirs = torch_lib.batch_norm(x, gamma, beta, *theirs[1:], training=False)
    for got, expected in zip(ours, theirs, strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("shape", BATCHES)
def test_batch_norm_backward_agrees_with_pytorch(shape, rng):
    x, (gamma, _), dy = shifted(shape, rng), parameters(shape[1], rng), rng.normal(size=shape)
    for got, expected in zip(lib.batch_norm_backward(dy, x, gamma, 1e-3), torch_lib.batch_norm_backward(dy, x, gamma, 1e-3), strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", ROWS)
def test_layer_norm_and_its_backward_agree_with_pytorch(shape, rng):
    x, (gamma, beta), dy = shifted(shape, rng), parameters(shape[-1], rng), rng.normal(size=shape)
    assert_allclose(lib.layer_norm(x, gamma, beta, 1e-3), torch_lib.layer_norm(x, gamma, beta, 1e-3), rtol=1e-10, atol=1e-13)
    for got, expected in zip(lib.layer_norm_backward(dy, x, gamma, 1e-3), torch_lib.layer_norm_backward(dy, x, gamma, 1e-3), strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("eps", [0.0, 0.5])
@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4)])
def test_normalize_backward_agrees_with_autograd_with_and_without_eps(shape, eps, rng):
    x, dx_hat = shifted(shape, rng), rng.normal(size=shape)
    std = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) / std
    assert_allclose(lib.normalize_backward(dx_hat, x_hat, std), torch_lib.normalize_backward(dx_hat, x_hat, std, eps), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 2, 1, 2), (3, 2, 4, 5), (4, 3, 1, 1)])
def test_batch_norm_images_agrees_with_pytorch(shape, rng):
    x, (gamma, beta) = rng.normal(3, 2, size=shape), parameters(shape[1], rng)
    assert_allclose(lib.batch_norm_images(x, gamma, beta, 1e-3), torch_lib.batch_norm_images(x, gamma, beta, 1e-3), rtol=1e-10, atol=1e-13)


def test_fold_batch_norm_agrees_with_pytorch_and_with_the_two_layers(rng):
    x, W, b = rng.normal(size=(4, 5)), rng.normal(size=(5, 3)), rng.normal(size=3)
    (gamma, beta), mean, var = parameters(3, rng), rng.normal(size=3), rng.uniform(0.1, 3, size=3)
    folded = lib.fold_batch_norm(W, b, gamma, beta, mean, var, 1e-3)
    for got, expected in zip(folded, torch_lib.fold_batch_norm(W, b, gamma, beta, mean, var, 1e-3), strict=True):
        assert_allclose(got, expected, rtol=1e-10)
    two_layers, _, _ = lib.batch_norm(affine(x, W, b), gamma, beta, mean, var, training=False, eps=1e-3)
    assert_allclose(affine(x, *folded), two_layers, rtol=1e-10)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_backwards_agree_with_central_differences(eps, rng):
    x, (gamma, beta), dy = shifted((5, 4), rng), parameters(4, rng), rng.normal(size=(5, 4))
    zeros, ones = np.zeros(4), np.ones(4)
    check_gradient(lambda *a: lib.batch_norm(*a, zeros, ones, training=True, eps=eps)[0], [x, gamma, beta], lib.batch_norm_backward(dy, x, gamma, eps), dy)
    check_gradient(lambda *a: lib.layer_norm(*a, eps), [x, gamma, beta], lib.layer_norm_backward(dy, x, gamma, eps), dy)


def test_batch_norm_is_layer_norm_of_the_transpose(rng):
    x = shifted((4, 6), rng)
    y, _, _ = lib.batch_norm(x, np.ones(6), np.zeros(6), np.zeros(6), np.ones(6), training=True)
    assert_allclose(y, lib.layer_norm(x.T, np.ones(4), np.zeros(4)).T, rtol=1e-12)


def test_images_are_rows_of_pixels(rng):
    x, (gamma, beta) = rng.normal(2, 3, size=(2, 3, 4, 5)), parameters(3, rng)
    pixels = np.moveaxis(x, 1, -1).reshape(-1, 3)
    y, _, _ = lib.batch_norm(pixels, gamma, beta, np.zeros(3), np.ones(3), training=True)
    assert_allclose(np.moveaxis(lib.batch_norm_images(x, gamma, beta), 1, -1).reshape(-1, 3), y, rtol=1e-12, atol=1e-13)


def test_the_input_gradient_is_orthogonal_to_shifts_and_to_x_hat_when_eps_vanishes(rng):
    x, gamma, dy = shifted((5, 4), rng), parameters(4, rng)[0], rng.normal(size=(5, 4))
    dx, _, _ = lib.batch_norm_backward(dy, x, gamma, 1e-30)
    assert_allclose(dx.sum(axis=0), 0.0, atol=1e-14)
    assert_allclose((dx * (x - x.mean(axis=0))).sum(axis=0), 0.0, atol=1e-13)
    dx, _, _ = lib.layer_norm_backward(dy, x, gamma, 1e-30)
    assert_allclose((dx * x).sum(axis=1), 0.0, atol=1e-13)


def test_ten_times_the_weights_leave_the_output_and_divide_the_gradient_by_ten(rng):
    x, W, dy, gamma, beta = rng.normal(size=(8, 5)), rng.normal(size=(5, 3)), rng.normal(size=(8, 3)), np.ones(3), np.zeros(3)
    outputs, gradients = [], []
    for scale in (1.0, 10.0):
        outputs.append(lib.batch_norm(x @ (scale * W), gamma, beta, beta, gamma, training=True, eps=1e-30)[0])
        gradients.append(x.T @ lib.batch_norm_backward(dy, x @ (scale * W), gamma, 1e-30)[0])
    assert_allclose(outputs[1], outputs[0], rtol=1e-10)
    assert_allclose(gradients[1], gradients[0] / 10, rtol=1e-10, atol=1e-14)


def test_a_batch_of_two_only_keeps_which_is_larger(rng):
    y, _, _ = lib.batch_norm(rng.normal(size=(2, 6)), np.ones(6), np.zeros(6), np.zeros(6), np.ones(6), training=True, eps=1e-30)
    assert_allclose(np.abs(y), 1.0, rtol=1e-12)
    dx, _, _ = lib.batch_norm_backward(rng.normal(size=(2, 6)), rng.normal(size=(2, 6)), np.ones(6), 1e-30)
    assert_allclose(dx, 0.0, atol=1e-13)  # a sign has no slope


def test_the_running_variance_divides_by_n_minus_one_and_the_given_state_stays():
    mean, var = np.zeros(1), np.ones(1)
    y, new_mean, new_var = lib.batch_norm([[0.0], [2.0]], [1.0], [0.0], mean, var, training=True, momentum=0.25, eps=1e-12)
    assert_allclose(y, [[-1.0], [1.0]])
    assert_allclose([new_mean[0], new_var[0]], [0.25, 0.75 + 0.25 * 2.0])
    assert (mean[0], var[0]) == (0.0, 1.0)


@pytest.mark.parametrize("training", [True, False])
def test_no_input_is_changed(training, rng):
    args = [shifted((4, 3), rng), *parameters(3, rng), rng.normal(size=3), rng.uniform(1, 2, size=3)]
    copies = [a.copy() for a in args]
    lib.batch_norm(*args, training=training)
    lib.layer_norm(*args[:3])
    lib.batch_norm_backward(args[0], args[0], args[1])
    lib.layer_norm_backward(args[0], args[0], args[1])
    lib.normalize_backward(args[0], args[0], np.ones((4, 1)))
    for a, copy in zip(args, copies, strict=True):
        assert_array_equal(a, copy)


def test_a_running_norm_block_moves_its_statistics_in_training_only(rng):
    x, norm = shifted((5, 3), rng), RunningNorm(lib.batch_norm, 3)
    block = norm_block(norm, lib.batch_norm_backward, 3)
    y = block.forward(x, *block.params)
    expected = lib.batch_norm(x, *block.params, np.zeros(3), np.ones(3), training=True)
    for got, want in zip((y, norm.mean, norm.var), expected, strict=True):
        assert_array_equal(got, want)
    dx, (dgamma, dbeta) = block.gradients(x, x)
    for got, want in zip((dx, dgamma, dbeta), lib.batch_norm_backward(x, x, np.ones(3)), strict=True):
        assert_array_equal(got, want)
    norm.training, mean = False, norm.mean
    assert_array_equal(block.forward(x, *block.params), lib.batch_norm(x, *block.params, *expected[1:], training=False)[0])
    assert_array_equal(norm.mean, mean)


@pytest.mark.parametrize("shape", ROWS)
def test_layer_norm_in_torch_has_pytorchs_values_and_gradients(shape, rng):
    x, (gamma, beta), dy = shifted(shape, rng), parameters(shape[-1], rng), rng.normal(size=shape)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    y = lib.layer_norm_in_torch(*leaves, 1e-3)
    y.backward(torch.tensor(dy))
    assert_allclose(y.detach().numpy(), torch_lib.layer_norm(x, gamma, beta, 1e-3), rtol=1e-10, atol=1e-13)
    for leaf, expected in zip(leaves, torch_lib.layer_norm_backward(dy, x, gamma, 1e-3), strict=True):
        assert_allclose(leaf.grad.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_evaluation_treats_each_row_alone_and_returns_the_state_as_it_came(rng):
    x, (gamma, beta), mean, var = shifted((4, 3), rng), parameters(3, rng), rng.normal(size=3), rng.uniform(1, 2, size=3)
    y, new_mean, new_var = lib.batch_norm(x, gamma, beta, mean, var, training=False)
    assert_allclose(lib.batch_norm(x[2:3], gamma, beta, mean, var, training=False)[0], y[2:3], rtol=1e-14)
    assert_array_equal(new_mean, mean)
    assert_array_equal(new_var, var)


@pytest.mark.parametrize("mean", [1e4, -1e4, 1e8])
def test_a_large_mean_costs_no_more_digits_than_the_input_lost(mean, rng):
    steps = rng.integers(-8, 9, size=(6, 5)) / 8  # exact beside the mean: the shifted input has the same differences
    gamma, beta, zeros, ones = np.ones(5), np.zeros(5), np.zeros(5), np.ones(5)
    assert_allclose(lib.layer_norm(steps + mean, gamma, beta), lib.layer_norm(steps, gamma, beta), rtol=0, atol=1e-15 * abs(mean) + 1e-12)
    shifted_y, unshifted_y = (lib.batch_norm(x, gamma, beta, zeros, ones, training=True)[0] for x in (steps + mean, steps))
    assert_allclose(shifted_y, unshifted_y, rtol=0, atol=1e-15 * abs(mean) + 1e-12)
    for backward in (lib.layer_norm_backward, lib.batch_norm_backward):
        assert_allclose(backward(steps.T.reshape(6, 5), steps + mean, gamma)[0], backward(steps.T.reshape(6, 5), steps, gamma)[0], rtol=0, atol=1e-14 * abs(mean) + 1e-11)


def test_constant_rows_and_columns_give_beta_and_a_finite_gradient():
    x, gamma, beta = np.array([[7.0, 7.0], [0.1, 0.1], [-1000.0, -1000.0]]), np.array([2.0, 3.0]), np.array([-1.0, 0.5])
    assert_allclose(lib.layer_norm(x, gamma, beta), np.broadcast_to(beta, (3, 2)), atol=1e-12)
    assert_allclose(lib.batch_norm(x.T, np.ones(3), np.arange(3.0), np.zeros(3), np.ones(3), training=True)[0], [[0, 1, 2]] * 2, atol=1e-12)
    dx, dgamma, dbeta = lib.layer_norm_backward(np.ones((3, 2)), x, gamma)
    assert_allclose(dx, [[-0.5 / np.sqrt(1e-5), 0.5 / np.sqrt(1e-5)]] * 3, rtol=1e-9)
    assert_allclose(dgamma, 0.0, atol=1e-12)
    assert_array_equal(dbeta, [3.0, 3.0])


def test_float32_stays_and_integers_become_float64():
    x, ones, zeros = np.array([[1, 2], [5, 3]]), np.ones(2, np.float32), np.zeros(2, np.float32)
    assert lib.layer_norm(x.astype(np.float32), ones, zeros).dtype == np.float32
    assert all(a.dtype == np.float32 for a in lib.batch_norm(x.astype(np.float32), ones, zeros, zeros, ones, training=True))
    assert all(a.dtype == np.float32 for a in lib.layer_norm_backward(x.astype(np.float32), x.astype(np.float32), ones))
    assert lib.layer_norm(x, [1, 1], [0, 0]).dtype == np.float64


@pytest.mark.filterwarnings("error")
def test_extremes_and_nan(rng):
    x = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    assert_allclose(lib.layer_norm(x, np.ones(2), np.zeros(2)), np.sign(x), rtol=1e-10)
    y = lib.layer_norm(np.array([[np.nan, 1.0], [1.0, 3.0]]), np.ones(2), np.zeros(2))
    assert np.isnan(y[0]).all() and np.isfinite(y[1]).all()


def bn(x=((1.0, 2.0), (3.0, 4.0)), gamma=(1, 1), beta=(0, 0), mean=(0, 0), var=(1, 1), training=True, **options):
    return lib.batch_norm(x, gamma, beta, mean, var, training=training, **options)


ONES = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.layer_norm(np.ones((2, 4)), np.ones(3), np.ones(4)), ValueError, "layer_norm: gamma must have shape (4,), got (3,): match the last axis of x."),
        (lambda: lib.layer_norm(np.ones((2, 4)), np.ones(4), np.ones(5)), ValueError, "layer_norm: beta must have shape (4,), got (5,): match the last axis of x."),
        (lambda: lib.layer_norm(3.0, [1], [0]), ValueError, "layer_norm: x must have at least 1 axis (D last), got shape ()."),
        (lambda: lib.layer_norm(np.ones((2, 0)), [], []), ValueError, "layer_norm: x must not be empty, got shape (2, 0)."),
        (lambda: lib.layer_norm(ONES, [1, 1, 1], [0, 0, 0], 0), ValueError, "layer_norm: eps must be above 0, got 0."),
        (lambda: lib.layer_norm(["a"], [1], [0]), TypeError, "layer_norm: x must hold real numbers, got a list."),
        (lambda: lib.layer_norm_backward(np.ones((3, 3)), ONES, [1, 1, 1]), ValueError, "layer_norm_backward: dy must have shape (2, 3), got (3, 3): match x."),
        (lambda: bn(x=[1.0, 2.0]), ValueError, "batch_norm: x must have 2 axes (N, D), got shape (2,)."),
        (lambda: bn(x=[[1.0, 2.0]]), ValueError, "batch_norm: x must have at least 2 rows in training, got 1: one example has no deviation."),
        (lambda: bn(mean=[0.0]), ValueError, "batch_norm: running_mean must have shape (2,), got (1,): match the last axis of x."),
        (lambda: bn(var=[1.0, -1.0]), ValueError, "batch_norm: running_var must be at least 0, got -1."),
        (lambda: bn(momentum=1.5), ValueError, "batch_norm: momentum must be at least 0 and at most 1, got 1.5."),
        (lambda: bn(eps="small"), TypeError, "batch_norm: eps must be a number, got 'small'."),
        (lambda: bn(training="no"), TypeError, "batch_norm: training must be True or False, got 'no'."),
        (lambda: lib.batch_norm_backward(np.ones((3, 3)), ONES, [1, 1, 1]), ValueError, "batch_norm_backward: dy must have shape (2, 3), got (3, 3): match axis 0 of x."),
        (lambda: lib.batch_norm_backward([[1.0]], [[1.0]], [1]), ValueError, "batch_norm_backward: x must have at least 2 rows in training, got 1: one example has no deviation."),
        (lambda: lib.normalize_backward(np.ones((3, 3)), ONES, np.ones((2, 1))), ValueError, "normalize_backward: dx_hat must have shape (2, 3), got (3, 3): match x_hat."),
        (lambda: lib.normalize_backward(ONES, ONES, np.ones(2)), ValueError, "normalize_backward: std must have shape (2, 1), got (2,): match the rows of x_hat."),
        (lambda: lib.normalize_backward(ONES, ONES, np.zeros((2, 1))), ValueError, "normalize_backward: std must be above 0, got 0."),
        (lambda: lib.batch_norm_images(ONES, [1, 1, 1], [0, 0, 0]), ValueError, "batch_norm_images: x must have 4 axes (N, C, H, W), got shape (2, 3)."),
        (lambda: lib.batch_norm_images(np.ones((2, 3, 1, 1)), [1], [0]), ValueError, "batch_norm_images: gamma must have shape (3,), got (1,): match axis 1 of x."),
        (lambda: lib.batch_norm_images(np.ones((1, 3, 1, 1)), [1] * 3, [0] * 3), ValueError, "batch_norm_images: x must have at least 2 values per channel, got shape (1, 3, 1, 1): one value has no deviation."),
        (lambda: lib.fold_batch_norm(ONES, [0, 0, 0], [1, 1], [0] * 3, [0] * 3, [1] * 3), ValueError, "fold_batch_norm: gamma must have shape (3,), got (2,): match the last axis of W."),
        (lambda: lib.fold_batch_norm(ONES, [0, 0, 0], [1] * 3, [0] * 3, [0] * 3, [-1] * 3), ValueError, "fold_batch_norm: running_var must be at least 0, got -1."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
