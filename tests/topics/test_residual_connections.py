"""residual_connections: the blocks against PyTorch, central differences and the identity they should keep."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import residual_connections as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import residual_connections as torch_lib

BLOCKS = ["residual_block", "post_activation_block", "projection_block"]
SHAPES = [(1, 1, 1), (1, 3, 5), (6, 4, 2), (5, 3, 3)]  # N, D, hidden


def arguments(name, shape, rng):
    """x and the block's arrays."""
    n, d, h = shape
    m = d + 2 if name == "projection_block" else d
    shapes = [(n, d), (d, h), (h,), (h, m), (m,)] + ([(d, m)] if name == "projection_block" else [])
    return [rng.normal(size=s) for s in shapes]


def backward(name):
    return getattr(lib, f"{name}_backward")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BLOCKS)
def test_forward_and_backward_agree_with_pytorch(name, shape, rng):
    args = arguments(name, shape, rng)
    y = getattr(lib, name)(*args)
    assert_allclose(y, torch_lib.forward(name, *args), rtol=1e-10, atol=1e-14)
    dy = rng.normal(size=y.shape)
    ours, theirs = backward(name)(dy, *args), torch_lib.backward(name, dy, *args)
    assert len(ours) == len(args)
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", BLOCKS)
def test_backward_agrees_with_central_differences_away_from_the_kinks(name, rng):
    while True:  # an example no step of which crosses a ReLU's kink
        args = arguments(name, (3, 3, 4), rng)
        x, W1, b1, *_ = args
        inner = np.abs(x @ W1 + b1).min()
        outer = np.abs(lib.residual_block(*args)).min() if name == "post_activation_block" else 1.0
        if min(inner, outer) > 0.05:
            break
    dy = rng.normal(size=getattr(lib, name)(*args).shape)
    check_gradient(getattr(lib, name), args, backward(name)(dy, *args), dy)


def test_a_zeroed_branch_returns_its_input_and_passes_the_gradient_on(rng):
    x, W1, b1, W2, b2 = arguments("residual_block", (4, 3, 5), rng)
    dy = rng.normal(size=x.shape)
    assert_array_equal(lib.residual_block(x, W1, b1, 0 * W2, 0 * b2), x)
    assert_array_equal(lib.residual_block_backward(dy, x, W1, b1, 0 * W2, 0 * b2)[0], dy)


def test_post_activation_cuts_the_skip_where_the_sum_is_negative(rng):
    x = np.array([[-2.0, 3.0, 0.0]])
    zeros = [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    assert_array_equal(lib.post_activation_block(x, *zeros), [[0.0, 3.0, 0.0]])
    assert_array_equal(lib.post_activation_block_backward(np.ones((1, 3)), x, *zeros)[0], [[0.0, 1.0, 0.0]])  # ReLU'(0) = 0


def test_an_identity_projection_is_the_plain_block(rng):
    args = arguments("residual_block", (4, 3, 5), rng)
    assert_allclose(lib.projection_block(*args, np.eye(3)), lib.residual_block(*args))


@pytest.mark.parametrize("name", BLOCKS)
def test_a_thousand_in_and_zeros_stay_finite(name, rng):
    args = arguments(name, (2, 3, 2), rng)
    for x in (np.array([[1000.0, -1000.0, 0.0]] * 2), np.zeros((2, 3))):
        y = getattr(lib, name)(x, *args[1:])
        assert np.isfinite(y).all()
        assert all(np.isfinite(g).all() for g in backward(name)(np.ones_like(y), x, *args[1:]))


@pytest.mark.parametrize("name", BLOCKS)
def test_nothing_that_was_given_is_changed(name, rng):
    args = arguments(name, (3, 2, 4), rng)
    y = getattr(lib, name)(*args)
    copies, dy = [a.copy() for a in args], np.ones_like(y)
    backward(name)(dy, *args)
    assert_array_equal(dy, np.ones_like(y))
    for a, copy in zip(args, copies, strict=True):
        assert_array_equal(a, copy)


def test_residual_gradient_is_the_block_backward_of_one_example(rng):
    x, *params = arguments("residual_block", (1, 4, 6), rng)
    dy = rng.normal(size=(1, 4))
    jacobian = torch_lib.branch_jacobian(x[0], *params)
    assert_allclose(lib.residual_gradient(dy[0], jacobian), torch_lib.backward("residual_block", dy, x, *params)[0][0], rtol=1e-10)
    assert not np.allclose(jacobian, jacobian.T)


def test_the_skip_does_not_save_the_gradient_from_a_branch_that_cancels_it(rng):
    assert_array_equal(lib.residual_gradient(rng.normal(size=4), -np.eye(4)), np.zeros(4))


def test_stack_jacobian_agrees_with_autograd_through_the_stack(rng):
    blocks = [arguments("residual_block", (1, 3, 5), rng)[1:] for _ in range(4)]
    x = a = rng.normal(size=3)
    jacobians = []
    for params in blocks:
        jacobians.append(torch_lib.branch_jacobian(a, *params))
        a = lib.residual_block(a[None], *params)[0]
    expected = torch_lib.stack_jacobian(x, blocks)
    assert_allclose(lib.residual_stack_jacobian(np.array(jacobians)), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    reversed_order = lib.residual_stack_jacobian(np.array(jacobians[::-1]))
    assert not np.allclose(reversed_order, expected)  # they do not commute: the order is visible here


def test_stack_jacobian_of_no_block_and_of_zero_branches_is_the_identity():
    assert_array_equal(lib.residual_stack_jacobian(np.empty((0, 3, 3))), np.eye(3))
    assert_array_equal(lib.residual_stack_jacobian(np.zeros((5, 3, 3))), np.eye(3))


def test_gradients_and_stack_jacobian_say_the_same(rng):
    jacobians = rng.normal(size=(5, 4, 4))
    dy = dx = rng.normal(size=4)
    for jacobian in jacobians[::-1]:
        dx = lib.residual_gradient(dx, jacobian)
    assert_allclose(dx, dy @ lib.residual_stack_jacobian(jacobians), rtol=1e-10)


def test_the_stack_in_pytorch_is_the_numpy_block_with_scaled_branches(rng):
    import torch

    blocks = [arguments("residual_block", (4, 3, 5), rng)[1:] for _ in range(4)]
    x = rng.normal(size=(4, 3))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *map(np.array, zip(*blocks, strict=True)))]
    y = lib.residual_stack_in_torch(*tensors)
    inputs, a, dx = [], x, rng.normal(size=x.shape)
    y.backward(torch.tensor(dx))
    scaled = [(W1, b1, W2 / 2, b2 / 2) for W1, b1, W2, b2 in blocks]
    for params in scaled:
        inputs.append(a)
        a = lib.residual_block(a, *params)
    for params, at in zip(scaled[::-1], inputs[::-1], strict=True):
        dx, *grads = lib.residual_block_backward(dx, at, *params)
    assert_allclose(y.detach().numpy(), a, rtol=1e-12)
    assert_allclose(tensors[0].grad.numpy(), dx, rtol=1e-10)
    assert_allclose(tensors[1].grad.numpy()[0], grads[0], rtol=1e-10, atol=1e-14)


GOOD = [np.ones((2, 3)), np.ones((3, 4)), np.ones(4), np.ones((4, 3)), np.ones(3)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.residual_block(np.ones(3), *GOOD[1:]), ValueError, "residual_block: x must have 2 axes (N, D), got shape (3,)."),
        (
            lambda: lib.residual_block(*GOOD[:3], np.ones((4, 5)), np.ones(5)),
            ValueError,
            "residual_block: W2 must have shape (4, 3), got (4, 5): match the last axis of x.",
        ),
        (
            lambda: lib.residual_block(*GOOD[:2], np.ones(3), *GOOD[3:]),
            ValueError,
            "residual_block: b1 must have shape (4,), got (3,): match the last axis of W1.",
        ),
        (
            lambda: lib.residual_block_backward(np.ones((2, 4)), *GOOD),
            ValueError,
            "residual_block_backward: dy must have shape (2, 3), got (2, 4): match the last axis of x.",
        ),
        (
            lambda: lib.post_activation_block(*GOOD[:4], np.ones(4)),
            ValueError,
            "post_activation_block: b2 must have shape (3,), got (4,): match the last axis of x.",
        ),
        (
            lambda: lib.post_activation_block_backward(np.ones((1, 3)), *GOOD),
            ValueError,
            "post_activation_block_backward: dy must have shape (2, 3), got (1, 3): match axis 0 of x.",
        ),
        (
            lambda: lib.projection_block(*GOOD, np.ones((3, 4))),
            ValueError,
            "projection_block: W_skip must have shape (3, 3), got (3, 4): match the last axis of W2.",
        ),
        (
            lambda: lib.projection_block_backward(np.ones((2, 4)), *GOOD, np.ones((3, 3))),
            ValueError,
            "projection_block_backward: dy must have shape (2, 3), got (2, 4): match the last axis of W2.",
        ),
        (
            lambda: lib.residual_gradient(np.ones(3), np.ones((4, 4))),
            ValueError,
            "residual_gradient: branch_jacobian must have shape (3, 3), got (4, 4): match the length of dy.",
        ),
        (
            lambda: lib.residual_stack_jacobian(np.ones((2, 3, 4))),
            ValueError,
            "residual_stack_jacobian: branch_jacobians must hold square matrices, got shape (2, 3, 4).",
        ),
        (
            lambda: lib.residual_stack_jacobian(np.eye(3)),
            ValueError,
            "residual_stack_jacobian: branch_jacobians must have 3 axes (L, D, K), got shape (3, 3).",
        ),
        (lambda: lib.residual_gradient(["a"], [[1.0]]), TypeError, "residual_gradient: dy must hold real numbers, got a list."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
