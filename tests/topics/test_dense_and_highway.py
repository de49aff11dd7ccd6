"""dense_and_highway: both kinds of connection against PyTorch, central differences and their limits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import dense_and_highway as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import dense_and_highway as torch_lib


def highway(n, d, rng):
    return [rng.normal(size=s) for s in [(n, d), (d, d), (d,), (d, d), (d,)]]


def block(n, d, growths, rng):
    """x, weights, biases."""
    widths = np.cumsum([d, *growths])
    return (
        rng.normal(size=(n, d)),
        [rng.normal(size=(w, g)) for w, g in zip(widths, growths, strict=False)],
        [rng.normal(size=g) for g in growths],
    )


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("widths", [[3], [2, 5], [1, 4, 2]])
def test_dense_layer_and_its_backward_agree_with_pytorch(widths, n, rng):
    features, W, b = [rng.normal(size=(n, w)) for w in widths], rng.normal(size=(sum(widths), 3)), rng.normal(size=3)
    assert_allclose(lib.dense_layer(features, W, b), torch_lib.dense_layer(features, W, b), rtol=1e-10, atol=1e-14)
    dy = rng.normal(size=(n, 3))
    dfeatures, dW, db = lib.dense_layer_backward(dy, features, W, b)
    expected, dW_expected, db_expected = torch_lib.dense_layer_backward(dy, features, W, b)
    assert isinstance(dfeatures, list)
    assert [f.shape for f in dfeatures] == [f.shape for f in features]
    for a, e in zip([*dfeatures, dW, db], [*expected, dW_expected, db_expected], strict=True):
        assert_allclose(a, e, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("growths", [[2], [3, 1], [2, 2, 2, 2], [1, 4, 2]])
def test_dense_block_and_its_backward_agree_with_pytorch(growths, n, rng):
    x, weights, biases = block(n, 3, growths, rng)
    y = lib.dense_block(x, weights, biases)
    assert_allclose(y, torch_lib.dense_block(x, weights, biases), rtol=1e-10, atol=1e-14)
    dy = rng.normal(size=y.shape)
    dx, dweights, dbiases = lib.dense_block_backward(dy, x, weights, biases)
    dx_expected, dweights_expected, dbiases_expected = torch_lib.dense_block_backward(dy, x, weights, biases)
    for a, e in zip([dx, *dweights, *dbiases], [dx_expected, *dweights_expected, *dbiases_expected], strict=True):
        assert_allclose(a, e, rtol=1e-9, atol=1e-11 * np.abs(e).max())  # sums of many terms in another order


def test_dense_block_keeps_its_input_in_front_and_each_output_in_order(rng):
    x, weights, biases = block(4, 3, [2, 5, 1], rng)
    y = lib.dense_block(x, weights, biases)
    assert_array_equal(y[:, :3], x)
    assert_allclose(y[:, 3:5], lib.dense_layer([x], weights[0], biases[0]))
    assert_allclose(y[:, 5:10], lib.dense_layer([x, y[:, 3:5]], weights[1], biases[1]))
    assert y.shape == (4, 11)


def test_dense_block_widths_are_those_of_a_block_that_runs(rng):
    widths = lib.dense_block_widths(5, 3, 4)
    assert widths == [5, 8, 11, 14, 17]
    y = lib.dense_block(rng.normal(size=(2, 5)), [np.ones((w, 3)) for w in widths[:-1]], [np.zeros(3)] * 4)
    assert y.shape[1] == widths[-1]


def test_the_net_in_pytorch_is_the_numpy_block_with_a_linear_layer_on_top(rng):
    import torch

    x, weights, biases = block(4, 3, [2, 5, 1], rng)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *weights, *biases)]
    y = lib.dense_net_in_torch(tensors[0], tensors[1:4], tensors[4:])
    c = lib.dense_block(x, weights[:-1], biases[:-1])
    assert_allclose(y.detach().numpy(), c @ weights[-1] + biases[-1], rtol=1e-12, atol=1e-14)
    dy = rng.normal(size=y.shape)
    y.backward(torch.tensor(dy))
    dx, dweights, dbiases = lib.dense_block_backward(dy @ weights[-1].T, x, weights[:-1], biases[:-1])
    expected = [dx, *dweights, c.T @ dy, *dbiases, dy.sum(axis=0)]
    for tensor, e in zip(tensors, expected, strict=True):
        assert_allclose(tensor.grad.numpy(), e, rtol=1e-9, atol=1e-11 * np.abs(e).max())


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 3)])
def test_highway_layer_and_its_backward_agree_with_pytorch(shape, rng):
    args = highway(*shape, rng)
    assert_allclose(lib.highway_layer(*args), torch_lib.highway_layer(*args), rtol=1e-10, atol=1e-14)
    dy = rng.normal(size=shape)
    for a, e in zip(lib.highway_layer_backward(dy, *args), torch_lib.highway_layer_backward(dy, *args), strict=True):
        assert_allclose(a, e, rtol=1e-10, atol=1e-14)


def test_highway_gate_gradient_agrees_with_autograd(rng):
    dy, x, h, t = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.uniform(0.05, 0.95, size=(3, 4))
    assert_allclose(lib.highway_gate_gradient(dy, x, h, t), torch_lib.highway_gate_gradient(dy, x, h, t), rtol=1e-10)


def test_gradients_agree_with_central_differences(rng):
    args, dy = highway(3, 4, rng), rng.normal(size=(3, 4))
    check_gradient(lib.highway_layer, args, lib.highway_layer_backward(dy, *args), dy)
    while True:  # an example no step of which crosses a ReLU's kink
        x, weights, biases = block(2, 3, [2, 1, 2], rng)
        c = lib.dense_block(x, weights, biases)
        if (
            min(np.abs(c[:, : len(W)] @ W + b).min() for W, b in zip(weights, biases, strict=True)) > 0.2
            and (c[:, 3:] > 0).any(axis=0).all()
        ):
            break
    dy = rng.normal(size=c.shape)
    dx, dweights, dbiases = lib.dense_block_backward(dy, x, weights, biases)
    check_gradient(lambda x, *p: lib.dense_block(x, p[:3], p[3:]), [x, *weights, *biases], [dx, *dweights, *dbiases], dy)


def test_a_closed_gate_carries_and_an_open_gate_transforms(rng):
    x, W_H, b_H, W_T, _ = highway(3, 4, rng)
    dy = rng.normal(size=(3, 4))
    assert_array_equal(lib.highway_layer(x, W_H, b_H, 0 * W_T, np.full(4, -1000.0)), x)
    assert_array_equal(lib.highway_layer_backward(dy, x, W_H, b_H, 0 * W_T, np.full(4, -1000.0))[0], dy)
    assert_allclose(lib.highway_layer(x, W_H, b_H, 0 * W_T, np.full(4, 1000.0)), np.tanh(x @ W_H + b_H))


def test_a_half_open_gate_hides_a_swap_of_carry_and_transform_and_another_does_not(rng):
    x, W_H, b_H, W_T, _ = highway(3, 4, rng)
    H = np.tanh(x @ W_H + b_H)
    assert_allclose(lib.highway_layer(x, W_H, b_H, 0 * W_T, np.zeros(4)), (H + x) / 2)
    assert_allclose(lib.highway_layer(x, W_H, b_H, 0 * W_T, np.full(4, -np.log(3.0))), H / 4 + 3 * x / 4)


def test_a_thousand_in_and_zeros_stay_finite(rng):
    _, *params = highway(2, 3, rng)
    for x in (np.array([[1000.0, -1000.0, 500.0]] * 2), np.zeros((2, 3))):
        with np.errstate(all="raise", under="ignore"):
            y = lib.highway_layer(x, *params)
            gradients = lib.highway_layer_backward(np.ones((2, 3)), x, *params)
        assert np.isfinite(y).all()
        assert all(np.isfinite(g).all() for g in gradients)


def test_relus_slope_at_zero_is_zero():
    (df,), dW, db = lib.dense_layer_backward([[1.0]], [[[0.0]]], [[1.0]], [0.0])
    assert df == dW == db == 0.0
    dx, _, _ = lib.dense_block_backward([[1.0, 1.0]], [[0.0]], [[[1.0]]], [[0.0]])
    assert dx == 1.0  # the copy alone


def test_nothing_that_was_given_is_changed(rng):
    x, weights, biases = block(3, 2, [2, 2, 1], rng)
    args, dy = highway(3, 4, rng), rng.normal(size=(3, 7))
    arrays = [x, *weights, *biases, *args, dy]
    copies = [a.copy() for a in arrays]
    lib.dense_block_backward(dy, x, weights, biases)
    lib.dense_layer_backward(dy[:, :2], [x], weights[0], biases[0])
    lib.highway_layer_backward(args[0], *args)
    for a, copy in zip(arrays, copies, strict=True):
        assert_array_equal(a, copy)


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.dense_layer([], np.ones((3, 1)), np.ones(1)), ValueError, "dense_layer: features must hold at least 1, got 0."),
        (
            lambda: lib.dense_layer(3.0, np.ones((3, 1)), np.ones(1)),
            TypeError,
            "dense_layer: features must be a list of arrays, got float.",
        ),
        (
            lambda: lib.dense_layer([X, np.ones((1, 3))], np.ones((6, 1)), np.ones(1)),
            ValueError,
            "dense_layer: features[1] must have 2 rows, got 1: match features[0].",
        ),
        (
            lambda: lib.dense_layer([X, X], np.ones((3, 1)), np.ones(1)),
            ValueError,
            "dense_layer: W must have shape (6, 1), got (3, 1): match the widths of features together.",
        ),
        (
            lambda: lib.dense_layer([X], np.ones((3, 2)), np.ones(1)),
            ValueError,
            "dense_layer: b must have shape (2,), got (1,): match the last axis of W.",
        ),
        (
            lambda: lib.dense_layer_backward(np.ones((2, 4)), [X], np.ones((3, 2)), np.ones(2)),
            ValueError,
            "dense_layer_backward: dy must have shape (2, 2), got (2, 4): match the last axis of W.",
        ),
        (
            lambda: lib.dense_layer_backward(np.ones((1, 2)), [X], np.ones((3, 2)), np.ones(2)),
            ValueError,
            "dense_layer_backward: dy must have shape (2, 2), got (1, 2): match the rows of features.",
        ),
        (lambda: lib.dense_block(X, [], []), ValueError, "dense_block: weights must hold at least 1, got 0."),
        (
            lambda: lib.dense_block(X, [np.ones((3, 2)), np.ones((2, 2))], [np.ones(2)] * 2),
            ValueError,
            "dense_block: weights[1] must have shape (5, 2), got (2, 2): match x and every earlier output together.",
        ),
        (
            lambda: lib.dense_block(X, [np.ones((3, 2))], [np.ones(3)]),
            ValueError,
            "dense_block: biases[0] must have shape (2,), got (3,): match the last axis of weights[0].",
        ),
        (lambda: lib.dense_block(X, [np.ones((3, 2))], []), ValueError, "dense_block: biases must hold at least 1, got 0."),
        (
            lambda: lib.dense_block(X, [np.ones((3, 2))], [np.ones(2)] * 2),
            ValueError,
            "dense_block: biases must hold one vector per layer, 1, got 2: match weights.",
        ),
        (
            lambda: lib.dense_block_backward(X, X, [np.ones((3, 2))], [np.ones(2)]),
            ValueError,
            "dense_block_backward: dy must have shape (2, 5), got (2, 3): match x and every output together.",
        ),
        (lambda: lib.dense_block_widths(3, 0, 2), ValueError, "dense_block_widths: growth must be at least 1, got 0."),
        (lambda: lib.dense_block_widths(3, 2, 0), ValueError, "dense_block_widths: n_layers must be at least 1, got 0."),
        (lambda: lib.dense_block_widths(3, 2, 1.5), TypeError, "dense_block_widths: n_layers must be an integer, got 1.5."),
        (
            lambda: lib.highway_layer(X, np.ones((3, 2)), np.ones(3), np.eye(3), np.ones(3)),
            ValueError,
            "highway_layer: W_H must have shape (3, 3), got (3, 2): match the last axis of x.",
        ),
        (
            lambda: lib.highway_layer_backward(np.ones((1, 3)), X, np.eye(3), np.ones(3), np.eye(3), np.ones(3)),
            ValueError,
            "highway_layer_backward: dy must have shape (2, 3), got (1, 3): match axis 0 of x.",
        ),
        (lambda: lib.highway_gate_gradient(X, X, X, 2 * X), ValueError, "highway_gate_gradient: t must be at most 1, got 2."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
