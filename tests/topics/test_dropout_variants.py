"""dropout_variants: spatial dropout and DropConnect against PyTorch, sums over every mask, their randomness and bad input."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import dropout_variants as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import dropout_variants as torch_lib

PROBABILITIES = [0.0, 0.2, 0.5, 0.7]


def layer(rng, n=3, d=4, m=2):
    return rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.normal(size=m)


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 2), (2, 3, 5)])
def test_dropconnect_moments_agree_with_the_sum_over_every_mask(shape, p, rng):
    x, W, b = layer(rng, *shape)
    mean, variance = torch_lib.dropconnect_moments(x, W, b, p)
    assert_allclose(lib.dropconnect_mean(x, W, b, p), mean, rtol=1e-10)
    assert_allclose(lib.dropconnect_variance(x, W, p), variance, rtol=1e-10, atol=1e-14)


def test_dropconnect_moments_are_those_of_sampled_outputs(rng):
    x, W, b = layer(rng, 1)
    y, _ = lib.dropconnect(np.repeat(x, 20000, axis=0), W, b, 0.2, training=True, rng=rng)
    variance = lib.dropconnect_variance(x, W, 0.2)[0]
    assert np.all(np.abs(y.mean(axis=0) - lib.dropconnect_mean(x, W, b, 0.2)[0]) < 5 * np.sqrt(variance / 20000))
    assert_allclose(y.var(axis=0), variance, rtol=0.1)  # sampling error of a variance: about 2 %


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 2), (2, 3, 5)])
def test_dropconnect_and_its_backward_agree_with_pytorch(shape, p, rng):
    x, W, b = layer(rng, *shape)
    dy = rng.normal(size=(shape[0], shape[2]))
    y, mask = lib.dropconnect(x, W, b, p, training=True, rng=rng)
    expected = torch_lib.dropconnect(x, W, b, mask, dy)
    for ours, theirs in zip((y, *lib.dropconnect_backward(dy, x, W, mask)), expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_dropconnect_backward_agrees_with_central_differences(rng):
    x, W, b = layer(rng)
    dy = rng.normal(size=(3, 2))

    def forward(x, W, b):
        return lib.dropconnect(x, W, b, 0.4, training=True, rng=np.random.default_rng(5))[0]

    _, mask = lib.dropconnect(x, W, b, 0.4, training=True, rng=np.random.default_rng(5))
    check_gradient(forward, [x, W, b], lib.dropconnect_backward(dy, x, W, mask), dy)


def test_the_bias_is_never_dropped(rng):
    b = np.array([3.0, -2.0])
    y, _ = lib.dropconnect(np.zeros((50, 4)), np.ones((4, 2)), b, 0.7, training=True, rng=rng)
    assert_array_equal(y, np.tile(b, (50, 1)))


def test_every_example_has_a_weight_mask_of_its_own(rng):
    x, W, b = np.ones((16, 10)), np.ones((10, 6)), np.zeros(6)
    _, mask = lib.dropconnect(x, W, b, 0.5, training=True, rng=rng)
    assert mask.shape == (16, 10, 6)
    assert len(np.unique(mask.reshape(16, -1), axis=0)) == 16


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_masks_hold_zero_with_probability_p_and_the_exact_factor_otherwise(p, rng):
    masks = [lib.spatial_dropout(np.ones((200, 100, 1, 2)), p, training=True, rng=rng)[1], lib.dropconnect(np.ones((40, 25)), np.ones((25, 20)), np.zeros(20), p, training=True, rng=rng)[1]]
    for mask in masks:
        assert set(np.unique(mask)) == {0.0, 1.0 / (1.0 - p)}
        assert abs(np.mean(mask == 0) - p) < 5 * np.sqrt(p * (1 - p) / mask.size)


def test_spatial_dropout_keeps_or_drops_whole_maps_of_each_example(rng):
    x = rng.normal(size=(6, 20, 3, 4))
    y, mask = lib.spatial_dropout(x, 0.5, training=True, rng=rng)
    assert mask.shape == (6, 20, 1, 1)
    assert_array_equal(y, np.broadcast_to(mask, x.shape) * x)
    assert len(np.unique(mask.reshape(6, 20), axis=0)) == 6


@pytest.mark.parametrize("p", PROBABILITIES)
def test_evaluation_changes_nothing_and_the_masks_are_ones(p, rng):
    x, W, b = layer(rng)
    y, mask = lib.dropconnect(x, W, b, p, training=False)
    assert_allclose(y, x @ W + b, rtol=1e-14)
    assert_array_equal(mask, np.ones((3, 4, 2)))
    maps = rng.normal(size=(2, 3, 4, 5))
    y, mask = lib.spatial_dropout(maps, p, training=False)
    assert_array_equal(y, maps)
    assert_array_equal(mask, np.ones((2, 3, 1, 1)))


def test_nothing_is_drawn_at_p_zero(rng):
    assert_array_equal(lib.spatial_dropout(np.ones((2, 3, 4, 5)), 0.0, training=True)[1], np.ones((2, 3, 1, 1)))
    assert_array_equal(lib.dropconnect(*layer(rng), 0.0, training=True)[1], np.ones((3, 4, 2)))


def test_the_same_generator_state_gives_the_same_masks_and_the_global_state_is_left_alone(rng):
    before = np.random.get_state()[1].copy()
    arguments = layer(rng)
    for call in (lambda r: lib.dropconnect(*arguments, 0.5, training=True, rng=r)[1], lambda r: lib.spatial_dropout(np.ones((4, 8, 2, 2)), 0.5, training=True, rng=r)[1]):
        first, again, other = (call(np.random.default_rng(seed)) for seed in (3, 3, 4))
        assert_array_equal(first, again)
        assert not np.array_equal(first, other)
    assert_array_equal(np.random.get_state()[1], before)


def test_spatial_backward_agrees_with_autograd_and_central_differences(rng):
    x, dy = rng.normal(size=(2, 2, 3, 2, 2))
    _, mask = lib.spatial_dropout(x, 0.4, training=True, rng=np.random.default_rng(5))
    dx = lib.spatial_dropout_backward(dy, mask)
    assert_allclose(dx, torch_lib.spatial_dropout_backward(dy, x, mask), rtol=1e-10)
    check_gradient(lambda x: lib.spatial_dropout(x, 0.4, training=True, rng=np.random.default_rng(5))[0], [x], [dx], dy)


def test_inputs_of_size_1000_give_finite_results_without_warnings():
    with np.errstate(all="raise"):
        assert lib.dropconnect_variance([[1000.0]], [[1000.0]], 0.5).tolist() == [[1e12]]
        assert lib.dropconnect_mean([[1000.0]], [[-1000.0]], [1000.0], 0.5).tolist() == [[-999000.0]]
        assert lib.spatial_dropout(np.zeros((1, 1, 1, 1)), 0.9, training=True, rng=np.random.default_rng(0))[0].item() == 0.0


def test_inputs_stay_as_they_were_and_float32_stays(rng):
    arguments = [a.astype(np.float32) for a in layer(rng)]
    kept = [a.copy() for a in arguments]
    y, mask = lib.dropconnect(*arguments, 0.5, training=True, rng=rng)
    assert y.dtype == mask.dtype == np.float32
    lib.dropconnect_backward(y, *arguments[:2], mask)
    for after, before in zip(arguments, kept, strict=True):
        assert_array_equal(after, before)


def test_dropconnect_in_torch_is_the_layer_with_its_mask_given(rng):
    import torch

    x, W, b = layer(rng)
    y, mask = lib.dropconnect(x, W, b, 0.2, training=True, rng=rng)
    dy = rng.normal(size=y.shape)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    z = lib.dropconnect_in_torch(*leaves, torch.tensor(mask > 0), 0.2)
    z.backward(torch.tensor(dy))
    assert z.dtype == torch.float64
    assert_allclose(z.detach().numpy(), y, rtol=1e-12)
    for leaf, gradient in zip(leaves, lib.dropconnect_backward(dy, x, W, mask), strict=True):
        assert_allclose(leaf.grad.numpy(), gradient, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.spatial_dropout(np.ones((2, 3, 4)), 0.5, training=False), ValueError, "spatial_dropout: x must have 4 axes (N, C, H, W), got shape (2, 3, 4)."),
        (lambda: lib.spatial_dropout(np.ones((2, 3, 4, 5)), 1.0, training=False), ValueError, "spatial_dropout: p must be at least 0 and below 1, got 1.0."),
        (lambda: lib.spatial_dropout(np.ones((2, 3, 4, 5)), 0.5, training=True), TypeError, "spatial_dropout: rng must be a numpy.random.Generator when training with p above 0, got None: make one with np.random.default_rng(seed)."),
        (lambda: lib.spatial_dropout(np.ones((2, 3, 4, 5)), 0.5, training=1), TypeError, "spatial_dropout: training must be True or False, got 1."),
        (lambda: lib.spatial_dropout_backward(np.ones((2, 3, 4, 5)), np.ones((2, 3, 4, 5))), ValueError, "spatial_dropout_backward: mask must have shape (2, 3, 1, 1), got (2, 3, 4, 5)."),
        (lambda: lib.dropconnect(np.ones((2, 3)), np.ones((4, 2)), np.ones(2), 0.5, training=False), ValueError, "dropconnect: W must have shape (3, 2), got (4, 2): match the last axis of x."),
        (lambda: lib.dropconnect(np.ones((2, 3)), np.ones((3, 2)), np.ones(3), 0.5, training=False), ValueError, "dropconnect: b must have shape (2,), got (3,): match the last axis of W."),
        (lambda: lib.dropconnect(np.ones((2, 3)), np.ones((3, 2)), np.ones(2), 0.5, training=True, rng="seed"), TypeError, "dropconnect: rng must be a numpy.random.Generator, got 'seed': make one with np.random.default_rng(seed)."),
        (lambda: lib.dropconnect_mean(np.ones((2, 3)), np.ones((3, 2)), np.ones(3), 0.5), ValueError, "dropconnect_mean: b must have shape (2,), got (3,): match the last axis of W."),
        (lambda: lib.dropconnect_variance(np.ones((2, 3)), np.ones((3, 2)), -1), ValueError, "dropconnect_variance: p must be at least 0 and below 1, got -1."),
        (lambda: lib.dropconnect_backward(np.ones((2, 2)), np.ones((2, 3)), np.ones((3, 2)), np.ones((3, 2))), ValueError, "dropconnect_backward: mask must have 3 axes (N, D, M), got shape (3, 2)."),
        (lambda: lib.dropconnect_backward(np.ones((2, 2)), np.ones((4, 3)), np.ones((3, 2)), np.ones((2, 3, 2))), ValueError, "dropconnect_backward: x must have shape (2, 3), got (4, 3): match axis 0 of dy."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
