"""network: stacks of anybody's blocks, against PyTorch at depth 50 and under training."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import network
from class4lib.dense_and_highway import (
    dense_block,
    dense_block_backward,
    dense_layer,
    dense_layer_backward,
    highway_layer,
    highway_layer_backward,
)
from class4lib.gradcheck import check_gradient
from class4lib.network import Block, Stack, affine_block
from class4lib.residual_connections import residual_block, residual_block_backward
from class4lib.training import accuracy, fit
from class4lib.vanishing_gradients import mlp_backward, mlp_forward
from tests.oracles import dense_and_highway as torch_dense
from tests.oracles import residual_connections as torch_residual

WIDTH = 12


def plain(depth, rng, activation, scheme):
    return [affine_block(WIDTH, WIDTH, scheme, rng=rng, activation=activation) for _ in range(depth)]


def residual(depth, rng, scale):
    return [
        Block(
            residual_block, residual_block_backward, network.residual_params(WIDTH, WIDTH, rng=rng, branch_scale=scale)
        )
        for _ in range(depth)
    ]


def highway(depth, rng, gate_bias):
    return [
        Block(highway_layer, highway_layer_backward, network.highway_params(WIDTH, rng=rng, gate_bias=gate_bias))
        for _ in range(depth)
    ]


def dense(depth, rng):
    return [
        Block(*network.dense_pair(dense_layer, dense_layer_backward), network.dense_params(WIDTH, 4, depth, rng=rng))
    ]


DEEP = {
    "tanh, Xavier": (lambda rng: plain(50, rng, "tanh", "xavier"), lambda x, W, b: torch.tanh(x @ W + b)),
    "ReLU, He": (lambda rng: plain(50, rng, "relu", "he"), lambda x, W, b: torch.relu(x @ W + b)),
    "sigmoid, Xavier": (lambda rng: plain(50, rng, "sigmoid", "xavier"), lambda x, W, b: torch.sigmoid(x @ W + b)),
    "residual, He": (lambda rng: residual(50, rng, 1.0), torch_residual.FORWARDS["residual_block"]),
    "residual, He, scaled": (lambda rng: residual(50, rng, 50**-0.5), torch_residual.FORWARDS["residual_block"]),
    "highway": (lambda rng: highway(50, rng, -2.0), torch_dense._highway),
    "dense": (lambda rng: dense(50, rng), lambda x, *p: torch_dense._dense_block(x, p[0::2], p[1::2])),
}


@pytest.mark.parametrize("name", DEEP)
def test_fifty_layers_agree_with_pytorch_whatever_the_size_of_the_gradient(name, rng):
    make, torch_forward = DEEP[name]
    net = Stack(make(rng))
    x = rng.normal(size=(5, WIDTH))
    y, inputs = net.forward(x)
    dy = rng.normal(size=y.shape)
    dx, grads = net.backward(dy, inputs)
    leaves = [torch.tensor(p, requires_grad=True) for p in net.params]
    x_ = a = torch.tensor(x, requires_grad=True)
    for params in net.by_block(leaves):
        a = torch_forward(a, *params)
    a.backward(torch.tensor(dy))
    assert_allclose(y, a.detach().numpy(), rtol=1e-9, atol=1e-9 * np.abs(y).max())
    for ours, leaf in zip([dx, *grads], [x_, *leaves], strict=True):
        theirs = leaf.grad.numpy()
        assert_allclose(
            ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max()
        )  # of each array's own size, from 1e-30 to 1e8


def test_gradients_of_a_mixed_stack_agree_with_central_differences(rng):
    blocks = [
        affine_block(3, 4, rng=rng, activation="tanh"),
        Block(highway_layer, highway_layer_backward, network.highway_params(4, rng=rng, gate_bias=-1.0)),
        Block(
            *network.by_layer(mlp_forward, mlp_backward, "sigmoid"), network.mlp_params([4, 5, 2], "xavier", rng=rng)
        ),
    ]
    net, x, dy = Stack(blocks), rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    y, inputs = net.forward(x)
    assert_array_equal(y, net(x))
    dx, grads = net.backward(dy, inputs)

    def f(x, *params):
        return Stack([Block(b.forward, b.backward, p) for b, p in zip(blocks, net.by_block(params), strict=True)])(x)

    check_gradient(f, [x, *net.params], [dx, *grads], dy)


def test_dense_layers_one_by_one_are_the_dense_block(rng):
    params, x = network.dense_params(5, 3, 4, rng=rng), rng.normal(size=(6, 5))
    by_feature = Block(*network.dense_pair(dense_layer, dense_layer_backward), params)
    at_once = Block(*network.by_layer(dense_block, dense_block_backward), params)
    y = by_feature.forward(x, *params)
    assert_allclose(y, at_once.forward(x, *params), rtol=1e-12)
    dy = rng.normal(size=y.shape)
    (dx, grads), (dx_at_once, grads_at_once) = by_feature.gradients(dy, x), at_once.gradients(dy, x)
    for a, b in zip([dx, *grads], [dx_at_once, *grads_at_once], strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_a_stack_of_layers_is_the_mlp_in_one_block(activation, rng):
    params, x, dy = network.mlp_params([3, 4, 4, 2], "he", rng=rng), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    one = Stack([Block(*network.by_layer(mlp_forward, mlp_backward, activation), params)])
    pairs = [network.activated(a) for a in (activation, activation, "linear")]
    layers = Stack([Block(*pair, params[2 * i : 2 * i + 2]) for i, pair in enumerate(pairs)])
    results = []
    for net in (one, layers):
        y, inputs = net.forward(x)
        dx, grads = net.backward(dy, inputs)
        results.append([y, dx, *grads])
    for a, b in zip(*results, strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_a_new_kind_of_block_is_one_pair_of_functions(rng):
    def scale(x, gamma):
        return x * gamma

    def scale_backward(dy, x, gamma):
        return dy * gamma, (dy * x).sum(axis=0)

    net = Stack([affine_block(2, 3, rng=rng), Block(scale, scale_backward, [np.ones(3)])])
    x, dy = rng.normal(size=(4, 2)), rng.normal(size=(4, 3))
    dx, (_, _, dgamma) = net.backward(dy, net.forward(x)[1])
    assert_allclose(dx, dy @ net.params[0].T)
    assert_allclose(dgamma, (dy * net(x)).sum(axis=0))


def test_params_are_the_blocks_own_arrays_in_order_and_their_sizes_are_counted(rng):
    net = Stack(
        [
            affine_block(2, 3, rng=rng),
            *[Block(residual_block, residual_block_backward, network.residual_params(3, 5, rng=rng)) for _ in range(2)],
        ]
    )
    own = [p for block in net.blocks for p in block.params]
    assert all(a is b for a, b in zip(net.params, own, strict=True))
    assert net.n_parameters == (2 * 3 + 3) + 2 * (3 * 5 + 5 + 5 * 3 + 3)
    assert [len(part) for part in net.by_block(net.params)] == [2, 4, 4]


def test_a_block_left_out_leaves_the_others_and_their_arrays(rng):
    net = Stack(
        [
            affine_block(2, 3, rng=rng),
            *[Block(residual_block, residual_block_backward, network.residual_params(3, 5, rng=rng)) for _ in range(3)],
        ]
    )
    x = rng.normal(size=(4, 2))
    shorter = net.without(2)
    assert [b is c for b, c in zip(shorter.blocks, [net.blocks[0], net.blocks[1], net.blocks[3]], strict=True)] == [
        True
    ] * 3
    _, inputs = net.forward(x)
    assert_array_equal(shorter(x), net.blocks[3].forward(inputs[2], *net.blocks[3].params))


def test_forward_keeps_nothing_and_returns_the_input_of_each_block(rng):
    net = Stack(residual(3, rng, 0.5))
    x, other = rng.normal(size=(2, WIDTH)), rng.normal(size=(2, WIDTH))
    y, inputs = net.forward(x)
    dx, _ = net.backward(np.ones_like(y), inputs)
    net.forward(other)
    assert_array_equal(net.backward(np.ones_like(y), inputs)[0], dx)
    assert_array_equal(inputs[0], x)
    assert len(inputs) == 3


@pytest.mark.parametrize("kind", ["plain", "residual", "highway", "dense"])
def test_every_kind_learns_by_fit(kind, rng):
    x = rng.normal(size=(200, 4))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    body = {
        "plain": lambda: plain(2, rng, "tanh", "xavier"),
        "residual": lambda: residual(2, rng, 0.7),
        "highway": lambda: highway(2, rng, -1.0),
        "dense": lambda: dense(3, rng),
    }[kind]()
    net = Stack(
        [affine_block(4, WIDTH, rng=rng), *body, affine_block(WIDTH + 12 if kind == "dense" else WIDTH, 2, rng=rng)]
    )
    before = [p.copy() for p in net.params]
    history = fit(
        net.params, network.objective(net), x, labels, lr=0.02, n_epochs=60, batch_size=20, rng=rng, momentum=0.9
    )
    assert history[-1] < 0.3 < 0.5 < history[0]
    assert accuracy(net(x), labels) > 0.9
    assert all((p != q).any() for p, q in zip(net.params, before, strict=True))


def test_objective_takes_any_loss_and_its_gradient(rng):
    net, x, y = Stack([affine_block(3, 1, rng=rng)]), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    loss, (dW, db) = network.objective(
        net, lambda p, t: float(((p - t) ** 2).mean()), lambda p, t: 2 * (p - t) / p.size
    )(x, y)
    residuals = net(x) - y
    assert loss == pytest.approx((residuals**2).mean())
    assert_allclose(dW, 2 * x.T @ residuals / 5)
    assert_allclose(db, 2 * residuals.mean(axis=0))


@pytest.mark.parametrize(
    ("scheme", "variance"), [("lecun", 1 / 300), ("xavier", 2 / 500), ("he", 2 / 300), ("pytorch", 1 / 900)]
)
def test_initial_weights_have_the_schemes_variance(scheme, variance, rng):
    W, b = network.layer_params(300, 200, scheme, rng=rng)
    assert W.shape == (300, 200)
    assert b.shape == (200,)
    assert W.var() == pytest.approx(variance, rel=0.05)
    assert (b == 0).all() == (scheme != "pytorch")
    if scheme == "pytorch":
        assert max(np.abs(W).max(), np.abs(b).max()) <= 300**-0.5


def test_initial_weights_take_the_branch_scale_and_the_gate_bias():
    plain_params, scaled = (
        network.residual_params(4, 6, rng=np.random.default_rng(0), branch_scale=s) for s in (1.0, 0.25)
    )
    assert_array_equal(scaled[0], plain_params[0])
    assert_array_equal(scaled[2], plain_params[2] / 4)
    _, b_H, _, b_T = network.highway_params(4, rng=np.random.default_rng(0), gate_bias=-4.0)
    assert_array_equal(b_H, np.zeros(4))
    assert_array_equal(b_T, np.full(4, -4.0))
    assert [p.shape for p in network.dense_params(5, 3, 2, rng=np.random.default_rng(0))] == [
        (5, 3),
        (3,),
        (8, 3),
        (3,),
    ]


def bad_backward(result):
    def block_backward(dy, x, W):
        return result

    return Block(lambda x, W: x @ W, block_backward, [np.ones((3, 3))])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (bad_backward((np.ones((2, 3)),)), "block_backward: must return dx and 1 further arrays, got 1 in all."),
        (bad_backward(np.ones((2, 3))), "block_backward: must return dx and 1 further arrays, got ndarray."),
        (bad_backward((np.ones((3, 2)), np.ones((3, 3)))), "block_backward: dx must have shape (2, 3), got (3, 2)."),
        (
            bad_backward((np.ones((2, 3)), np.ones(3))),
            "block_backward: the gradient of array 0 must have shape (3, 3), got (3,).",
        ),
    ],
)
def test_a_backward_that_returns_the_wrong_thing_is_named(block, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Stack([block]).backward(np.ones((2, 3)), [np.ones((2, 3))])


def test_a_dropping_block_uses_one_mask_forward_and_back_and_none_when_not_training(rng):
    def forward(x, W, mask):
        return (x @ W) * mask

    def backward(dy, x, W, mask):
        return (dy * mask) @ W.T, x.T @ (dy * mask)

    dropping = network.Dropping(forward, backward, 5, 0.4, rng=rng)
    block = Block(dropping.forward, dropping.backward, [rng.normal(size=(3, 5))])
    net, x = Stack([block]), rng.normal(size=(200, 3))
    y, inputs = net.forward(x)
    assert abs((y == 0).mean() - 0.4) < 0.06
    assert_allclose(y[y != 0], ((x @ block.params[0]) / 0.6)[y != 0])
    dx, _ = net.backward(np.ones_like(y), inputs)
    assert_allclose(dx, ((y != 0) / 0.6) @ block.params[0].T)
    assert (net(x) != y).any()
    dropping.training = False
    assert_array_equal(net(x), x @ block.params[0])
