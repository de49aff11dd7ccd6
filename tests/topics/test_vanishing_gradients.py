"""vanishing_gradients: backpropagation against PyTorch and central differences, and the theory against sampling."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import vanishing_gradients as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import vanishing_gradients as torch_lib

ACTIVATIONS = ["sigmoid", "tanh", "relu"]
WIDTHS = [[3, 2], [2, 5, 1], [4, 3, 5, 2]]


def random_net(widths, rng, scheme=None):
    weights = [rng.normal(scale=0.7 if scheme is None else lib.init_std(n, m, scheme), size=(n, m)) for n, m in pairwise(widths)]
    return weights, [rng.normal(scale=0.5, size=m) if scheme is None else np.zeros(m) for m in widths[1:]]


def flat(result):
    dx, dweights, dbiases = result
    return [dx, *dweights, *dbiases]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n", [1, 4])
def test_delta_recursion_agrees_with_autograd_through_the_activation(activation, n, rng):
    z, W, delta = rng.normal(size=(n, 3)), rng.normal(size=(3, 5)), rng.normal(size=(n, 5))
    sigma = 1 / (1 + np.exp(-z))
    slope = {"sigmoid": sigma * (1 - sigma), "tanh": 1 / np.cosh(z) ** 2, "relu": (z > 0) * 1.0}[activation]
    assert_allclose(lib.delta_recursion(delta, W, slope), torch_lib.delta_recursion(delta, W, z, activation), rtol=1e-10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("n", [1, 4])
def test_forward_and_backward_agree_with_pytorch(widths, activation, n, rng):
    weights, biases = random_net(widths, rng)
    x, dy = rng.normal(size=(n, widths[0])), rng.normal(size=(n, widths[-1]))
    assert_allclose(
        lib.mlp_forward(x, weights, biases, activation), torch_lib.mlp_forward(x, weights, biases, activation), rtol=1e-10, atol=1e-14
    )
    for ours, theirs in zip(
        flat(lib.mlp_backward(dy, x, weights, biases, activation)),
        flat(torch_lib.mlp_backward(dy, x, weights, biases, activation)),
        strict=True,
    ):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "activation", ["sigmoid", "tanh"]
)  # the mistake of sigma' at a is invisible with ReLU, and central differences dislike its kinks
def test_backward_agrees_with_central_differences(activation, rng):
    weights, biases = random_net([3, 4, 2, 3], rng)
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    gradients = flat(lib.mlp_backward(dy, x, weights, biases, activation))
    check_gradient(lambda x, *p: lib.mlp_forward(x, p[:3], p[3:], activation), [x, *weights, *biases], gradients, dy)


@pytest.mark.parametrize(("activation", "scheme"), [("tanh", "xavier"), ("relu", "he"), ("sigmoid", "xavier")])
def test_fifty_layers_agree_with_pytorch_also_where_nothing_is_left(activation, scheme, rng):
    weights, biases = random_net([16, *[20] * 49, 8], rng, scheme)
    x, dy = rng.normal(size=(6, 16)), rng.normal(size=(6, 8))
    ours, theirs = lib.mlp_backward(dy, x, weights, biases, activation), torch_lib.mlp_backward(dy, x, weights, biases, activation)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-10 * np.abs(b).max())  # of each array's own size, be it 1e-31
    smallest = np.abs(ours[1][0]).max()
    assert smallest < 1e-25 if activation == "sigmoid" else 1e-4 < smallest < 1e4


def test_fifty_tanh_layers_agree_with_central_differences(rng):
    weights, biases = random_net([3] * 51, rng, "xavier")
    x, dy = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    dx, dweights, _ = lib.mlp_backward(dy, x, weights, biases, "tanh")
    check_gradient(lambda x, W: lib.mlp_forward(x, [W, *weights[1:]], biases, "tanh"), [x, weights[0]], [dx, dweights[0]], dy)


def test_a_batch_gives_the_sum_of_its_examples_gradients(rng):
    weights, biases = random_net([3, 4, 2], rng)
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    _, dweights, dbiases = lib.mlp_backward(dy, x, weights, biases, "tanh")
    singles = [lib.mlp_backward(dy[i : i + 1], x[i : i + 1], weights, biases, "tanh") for i in range(5)]
    for layer in range(2):
        assert_allclose(dweights[layer], sum(s[1][layer] for s in singles))
        assert_allclose(dbiases[layer], sum(s[2][layer] for s in singles))


def test_relus_slope_at_zero_is_zero():
    dx, (dW, _), (db, _) = lib.mlp_backward([[1.0]], [[0.0]], [[[1.0]], [[1.0]]], [[0.0], [0.0]], "relu")
    assert dx == dW == db == 0.0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_pre_activations_of_a_thousand_stay_finite(activation):
    x, weights, biases = np.array([[1000.0], [-1000.0]]), [np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)]
    with np.errstate(all="raise", under="ignore"):
        y = lib.mlp_forward(x, weights, biases, activation)
        gradients = flat(lib.mlp_backward(np.ones((2, 1)), x, weights, biases, activation))
    assert_array_equal(y[:, 0], {"sigmoid": [1, 0], "tanh": [1, -1], "relu": [1000, 0]}[activation])
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_that_was_given_is_changed(activation, rng):
    weights, biases = random_net([2, 3, 1], rng)
    arrays = [rng.normal(size=(4, 1)), rng.normal(size=(4, 2)), *weights, *biases]
    copies = [a.copy() for a in arrays]
    lib.mlp_backward(arrays[0], arrays[1], weights, biases, activation)
    for a, copy in zip(arrays, copies, strict=True):
        assert_array_equal(a, copy)


def test_float32_stays_float32_and_its_norm_underflows_before_its_entries(rng):
    weights, biases = random_net([16] * 41, rng, "xavier")
    x, dy, *arrays = (a.astype(np.float32) for a in (rng.normal(size=(4, 16)), rng.normal(size=(4, 16)), *weights, *biases))
    weights, biases = arrays[:40], arrays[40:]
    first = lib.mlp_backward(dy, x, weights, biases, "sigmoid")[1][0]
    assert first.dtype == np.float32
    assert (first != 0).all()
    assert lib.layer_gradient_norms(dy, x, weights, biases, "sigmoid")[0] == 0.0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layer_gradient_norms_are_those_of_the_weights_gradients_first_layer_first(activation, rng):
    weights, biases = random_net([4, 3, 5, 2], rng)
    x, dy = rng.normal(size=(3, 4)), rng.normal(size=(3, 2))
    expected = [np.sqrt((dW**2).sum()) for dW in torch_lib.mlp_backward(dy, x, weights, biases, activation)[1]]
    assert_allclose(lib.layer_gradient_norms(dy, x, weights, biases, activation), expected, rtol=1e-10)


@pytest.mark.parametrize("scheme", ["lecun", "xavier", "he"])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (64, 10), (10, 640)])
def test_init_std_agrees_with_pytorchs_gains(scheme, fan_in, fan_out):
    assert lib.init_std(fan_in, fan_out, scheme) == pytest.approx(torch_lib.init_std(fan_in, fan_out, scheme), rel=1e-12)


def test_gradient_factor_is_the_mean_over_many_weights_also_where_the_width_changes(rng):
    delta_next, slope = rng.normal(size=(1, 7)), rng.uniform(size=(1, 4))
    squares = np.array([(lib.delta_recursion(delta_next, rng.normal(scale=0.3, size=(4, 7)), slope) ** 2).mean() for _ in range(20000)])
    expected = lib.gradient_factor(7, 0.3, float((slope**2).mean())) * (delta_next**2).mean()
    assert abs(squares.mean() - expected) < 5 * squares.std() / np.sqrt(20000)


def test_hes_scheme_keeps_the_gradient_of_relu_at_constant_width():
    assert lib.gradient_factor(64, lib.init_std(64, 64, "he"), 0.5) == pytest.approx(1.0)


@pytest.mark.parametrize(("factor", "ratio"), [(0.25, 1e-3), (0.9, 0.5), (1 / 16, 1e-30), (0.999, 0.1), (1e-9, 0.5)])
def test_depth_to_vanish_is_the_first_depth_at_which_the_product_is_small(factor, ratio):
    n = lib.depth_to_vanish(factor, ratio)
    assert n == torch_lib.depth_to_vanish(factor, ratio)
    assert isinstance(n, int)


def net(activation="tanh", **changes):
    arguments = {
        "dy": np.ones((2, 1)),
        "x": np.ones((2, 3)),
        "weights": [np.ones((3, 4)), np.ones((4, 1))],
        "biases": [np.ones(4), np.ones(1)],
        "activation": activation,
    }
    return arguments | changes


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: lib.mlp_backward(**net("gelu")),
            ValueError,
            "mlp_backward: activation must be one of 'sigmoid', 'tanh', 'relu', got 'gelu'.",
        ),
        (lambda: lib.mlp_backward(**net(weights=[])), ValueError, "mlp_backward: weights must hold at least 1, got 0."),
        (
            lambda: lib.mlp_backward(**net(dy=np.ones((3, 1)))),
            ValueError,
            "mlp_backward: dy must have shape (2, 1), got (3, 1): match axis 0 of x.",
        ),
        (
            lambda: lib.mlp_backward(**net(dy=np.ones((2, 3)))),
            ValueError,
            "mlp_backward: dy must have shape (2, 1), got (2, 3): match the last axis of weights[1].",
        ),
        (
            lambda: lib.layer_gradient_norms(**net(x=np.ones((2, 5)))),
            ValueError,
            "layer_gradient_norms: weights[0] must have shape (5, 4), got (3, 4): match the last axis of x.",
        ),
        (
            lambda: lib.mlp_forward(np.ones((2, 3)), [np.ones((3, 4))], [np.ones(3)], "relu"),
            ValueError,
            "mlp_forward: biases[0] must have shape (4,), got (3,): match the last axis of weights[0].",
        ),
        (
            lambda: lib.mlp_forward(["a"], [np.ones((3, 4))], [np.ones(3)], "relu"),
            TypeError,
            "mlp_forward: x must hold real numbers, got a list.",
        ),
        (
            lambda: lib.delta_recursion(np.ones((2, 3)), np.ones((3, 4)), np.ones((2, 3))),
            ValueError,
            "delta_recursion: W_next must have shape (3, 3), got (3, 4): match the last axis of delta_next.",
        ),
        (
            lambda: lib.delta_recursion(np.ones((2, 3)), np.ones((4, 3)), np.ones((1, 4))),
            ValueError,
            "delta_recursion: slope must have shape (2, 4), got (1, 4): match axis 0 of delta_next.",
        ),
        (lambda: lib.init_std(0, 3, "he"), ValueError, "init_std: fan_in must be at least 1, got 0."),
        (lambda: lib.init_std(3, 3, "kaiming"), ValueError, "init_std: scheme must be one of 'lecun', 'xavier', 'he', got 'kaiming'."),
        (lambda: lib.gradient_factor(3, -0.1, 1.0), ValueError, "gradient_factor: weight_std must be at least 0, got -0.1."),
        (lambda: lib.gradient_factor(3, 0.1, "one"), TypeError, "gradient_factor: mean_squared_slope must be a number, got 'one'."),
        (lambda: lib.depth_to_vanish(1.0, 0.5), ValueError, "depth_to_vanish: factor must be above 0 and below 1, got 1.0."),
        (lambda: lib.depth_to_vanish(0.5, 0.0), ValueError, "depth_to_vanish: ratio must be above 0 and below 1, got 0.0."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


@pytest.mark.parametrize("widths", [[3, 2], [2, 5, 1], [4, 3, 5, 2]])
def test_equalized_mlp_is_the_relu_net_with_scaled_weights_and_its_gradient_has_the_scale_once_more(widths, rng):
    weights, biases = random_net(widths, rng)
    x, dy = rng.normal(size=(4, widths[0])), rng.normal(size=(4, widths[-1]))
    scales = [lib.init_std(n, m, "he") for n, m in pairwise(widths)]
    effective = [c * W for c, W in zip(scales, weights, strict=True)]
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *weights, *biases)]
    y = lib.equalized_mlp_in_torch(leaves[0], leaves[1 : len(widths)], leaves[len(widths) :])
    y.backward(torch.tensor(dy))
    assert_allclose(y.detach().numpy(), lib.mlp_forward(x, effective, biases, "relu"), rtol=1e-10, atol=1e-14)
    dx, dweights, dbiases = lib.mlp_backward(dy, x, effective, biases, "relu")
    for ours, leaf in zip([dx, *(c * dW for c, dW in zip(scales, dweights, strict=True)), *dbiases], leaves, strict=True):
        assert_allclose(leaf.grad.numpy(), ours, rtol=1e-10, atol=1e-14)
