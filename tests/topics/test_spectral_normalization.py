"""spectral_normalization: the library against PyTorch, central differences, invariants, degenerate matrices and bad input."""
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import spectral_normalization as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import spectral_normalization as torch_lib

SHAPES = [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3), (4, 4)]


def with_spectrum(values, shape, rng):
    """A matrix with these singular values, and its singular vectors of both sides."""
    U, V = (np.linalg.qr(rng.normal(size=(n, len(values))))[0] for n in shape)
    return U * values @ V.T, U, V


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", SHAPES)
def test_spectral_norm_and_its_gradient_agree_with_pytorch(shape, scale, rng):
    W = scale * rng.normal(size=shape)
    assert_allclose(lib.spectral_norm_svd(W), torch_lib.spectral_norm_svd(W), rtol=1e-10)
    assert_allclose(lib.spectral_norm_grad(W), torch_lib.spectral_norm_grad(W), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_spectral_normalize_and_its_backward_agree_with_pytorch(shape, rng):
    W, dy = 0.3 * rng.normal(size=shape), rng.normal(size=shape)
    y, dW = torch_lib.spectral_normalize(W, dy)
    assert_allclose(lib.spectral_normalize(W), y, rtol=1e-10)
    assert_allclose(lib.spectral_normalize_backward(dy, W), dW, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("n_steps", [1, 2, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_power_iteration_from_a_given_start_agrees_with_pytorch_step_by_step(shape, n_steps, rng):
    W, u = rng.normal(size=shape), 3.0 * rng.normal(size=shape[0])
    for got, expected in zip(lib.power_iteration(W, n_steps, u=u), torch_lib.power_iteration(W, n_steps, u), strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


def test_one_step_by_hand():
    sigma, u, v = lib.power_iteration([[2.0, 0.0], [0.0, 1.0]], 1, u=[1.0, 1.0])
    assert_allclose(v, np.array([2, 1]) / 5**0.5)
    assert_allclose(u, np.array([4, 1]) / 17**0.5)
    assert sigma == pytest.approx((17 / 5) ** 0.5)  # the SVD would say 2


def test_gradients_agree_with_central_differences(rng):
    W, dy = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    check_gradient(lib.spectral_norm_svd, [W], [lib.spectral_norm_grad(W)])
    check_gradient(lib.spectral_normalize, [W], [lib.spectral_normalize_backward(dy, W)], dy)
    rank_one = np.outer(rng.normal(size=3), rng.normal(size=4))
    check_gradient(lib.spectral_normalize, [rank_one], [lib.spectral_normalize_backward(dy, rank_one)], dy)


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_the_error_of_power_iteration_falls_by_the_squared_gap_a_step(ratio, shape, rng):
    W, U, V = with_spectrum(np.array([1.0, ratio, 0.1]), shape, rng)
    start = U @ np.array([1.0, 1.0, 0.0])  # both leading directions alike
    for n_steps in (1, 3, 5):
        sigma, u, v = lib.power_iteration(W, n_steps, u=start)
        assert abs(u @ U[:, 1]) / abs(u @ U[:, 0]) == pytest.approx(ratio ** (2 * n_steps), rel=1e-6)
        assert abs(v @ V[:, 1]) / abs(v @ V[:, 0]) == pytest.approx(ratio ** (2 * n_steps - 1), rel=1e-6)
        assert sigma <= 1.0 + 1e-15


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (3, 5), (5, 3)])
def test_power_iteration_from_rng_converges_to_the_leading_pair(shape, rng):
    W, U, V = with_spectrum(np.array([2.0, 0.8, 0.3])[: min(shape)], shape, rng)
    sigma, u, v = lib.power_iteration(W, 30, rng=rng)
    assert sigma == pytest.approx(2.0, rel=1e-12)
    sign = np.sign(u @ U[:, 0])
    assert_allclose(u, sign * U[:, 0], atol=1e-10)
    assert_allclose(v, sign * V[:, 0], atol=1e-10)


def test_power_iteration_draws_from_rng_only_and_not_where_u_is_given():
    W = np.arange(6.0).reshape(2, 3)
    first, again = (lib.power_iteration(W, 1, rng=np.random.default_rng(5)) for _ in range(2))
    assert_array_equal(first[1], again[1])
    rng = np.random.default_rng(5)
    lib.power_iteration(W, 1, u=[1.0, 0.0], rng=rng)
    assert rng.random() == np.random.default_rng(5).random()


def test_rank_one_is_found_in_one_step(rng):
    a, b = rng.normal(size=4), rng.normal(size=3)
    sigma, u, v = lib.power_iteration(np.outer(a, b), 1, rng=rng)
    assert sigma == pytest.approx(np.linalg.norm(a) * np.linalg.norm(b), rel=1e-13)
    assert_allclose(np.outer(u, v), np.outer(a, b) / sigma, rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_zero_has_norm_zero_and_stays_zero():
    sigma, u, v = lib.power_iteration(np.zeros((2, 3)), 4, u=[3.0, 4.0])
    assert sigma == 0.0
    assert_allclose(u, [0.6, 0.8])
    assert np.linalg.norm(v) == pytest.approx(1.0)
    assert_array_equal(lib.spectral_normalize(np.zeros((2, 3))), np.zeros((2, 3)))
    assert lib.spectral_norm_svd(np.zeros((2, 3))) == 0.0
    assert lib.lipschitz_upper_bound([np.zeros((2, 3)), np.ones((3, 1))]) == 0.0


def test_the_spectral_norm_is_not_the_spectral_radius_nor_the_frobenius_norm():
    assert lib.spectral_norm_svd([[0, 1], [0, 0]]) == 1.0
    assert lib.spectral_norm_svd(np.eye(4)) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_normalised_matrices_have_norm_one_whatever_they_had_before(scale, rng):
    W = scale * rng.normal(size=(3, 5))
    assert lib.spectral_norm_svd(lib.spectral_normalize(W)) == pytest.approx(1.0, rel=1e-13)


def test_the_gradient_of_the_normalised_matrix_is_orthogonal_to_the_matrix(rng):
    W, dy = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    dW = lib.spectral_normalize_backward(dy, W)
    assert (dW * W).sum() == pytest.approx(0.0, abs=1e-13)
    assert_allclose(lib.spectral_normalize_backward(dy, 10 * W), dW / 10, rtol=1e-10, atol=1e-14)


def test_quotients_stay_below_the_jacobian_norm_found_and_the_product_bound(rng):
    weights = [rng.normal(size=shape) for shape in ((3, 8), (8, 8), (8, 2))]
    x = rng.normal(size=(60, 3))
    observed = lib.empirical_lipschitz(lambda x: torch_lib.relu_net(weights, x), x)
    bound = lib.lipschitz_upper_bound(weights)
    assert bound == pytest.approx(torch_lib.lipschitz_upper_bound(weights), rel=1e-10)
    steepest = torch_lib.largest_jacobian_norm(weights, rng.normal(scale=2, size=(4000, 3)))
    assert 0.3 * steepest < observed <= steepest * (1 + 1e-9) < bound


def test_the_product_bound_is_attained_by_a_rank_one_chain_and_not_by_a_residual_block():
    weights = [np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 0.5]])]
    x = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert lib.empirical_lipschitz(lambda x: np.maximum(x @ weights[0], 0) @ weights[1], x) == lib.lipschitz_upper_bound(weights) == 6.0
    residual = lib.empirical_lipschitz(lambda x: x + np.maximum(x @ weights[0], 0) @ weights[1], x)
    assert residual == 1 + lib.lipschitz_upper_bound(weights)


def test_the_residual_bound_is_attained_where_the_branch_doubles_what_the_skip_carries(rng):
    W1, W2 = np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 0.5], [0.0, 0.0]])
    x = np.array([[0.0, 0.0], [1.0, 0.0]])
    bound = lib.residual_lipschitz_bound(W1, W2)
    assert bound == lib.empirical_lipschitz(lambda x: x + np.maximum(x @ W1, 0) @ W2, x) == 7.0
    W1, W2, x = rng.normal(size=(3, 5)), rng.normal(size=(5, 3)), rng.normal(size=(80, 3))
    observed = lib.empirical_lipschitz(lambda x: x + torch_lib.relu_net([W1, W2], x), x)
    assert observed < lib.residual_lipschitz_bound(W1, W2) == pytest.approx(1 + torch_lib.lipschitz_upper_bound([W1, W2]), rel=1e-10)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (3, 5), (5, 3)])
def test_spectral_linear_in_torch_has_the_values_and_gradients_of_pytorchs_layer(shape, rng):
    x, W, u, dy = rng.normal(size=(2, shape[0])), rng.normal(size=shape), rng.normal(size=shape[0]), rng.normal(size=(2, shape[1]))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, W)]
    y = lib.spectral_linear_in_torch(*leaves, torch.tensor(u))
    y.backward(torch.tensor(dy))
    for got, expected in zip((y.detach(), *(leaf.grad for leaf in leaves)), torch_lib.spectral_linear(x, W, u, dy), strict=True):
        assert_allclose(got.numpy(), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("shape", [(2, 1), (7, 3), (20, 5)])
def test_empirical_lipschitz_agrees_with_pytorchs_distances(shape, rng):
    x = 1e4 + rng.normal(size=shape)  # far from 0: a Gram-matrix shortcut loses every digit here
    assert_allclose(lib.empirical_lipschitz(lambda x: np.sin(x), x), torch_lib.empirical_lipschitz(x, np.sin(x)), rtol=1e-10)


def test_equal_points_are_skipped_and_nothing_left_is_zero():
    def step(x):
        return (x > 0).astype(float)

    assert lib.empirical_lipschitz(step, [[1.0], [1.0], [-1.0]]) == 0.5
    assert lib.empirical_lipschitz(step, [[1.0], [1.0]]) == 0.0
    assert lib.empirical_lipschitz(step, [[1.0]]) == 0.0
    assert np.isnan(lib.empirical_lipschitz(lambda x: np.where(x == 0, np.nan, 2 * x), [[1.0], [0.0], [3.0]]))


@pytest.mark.parametrize(("left", "right"), [(1, 0), (0, 1)])
def test_the_steepest_pair_is_found_wherever_it_stands(left, right):
    x = np.arange(5.0)[:, None]
    for i in range(5):
        for j in range(i):
            y = np.zeros((5, 1))
            y[i], y[j] = 100.0 * left, 100.0 * right
            assert lib.empirical_lipschitz(lambda _, y=y: y, x) == 100.0


def test_no_input_is_changed(rng):
    W, u = rng.normal(size=(3, 4)), rng.normal(size=3)
    copies = W.copy(), u.copy()
    lib.power_iteration(W, 3, u=u)
    lib.spectral_normalize(W)
    lib.spectral_normalize_backward(W, W)
    assert_array_equal(W, copies[0])
    assert_array_equal(u, copies[1])


ONES = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.spectral_norm_svd([1.0, 2.0]), ValueError, "spectral_norm_svd: W must have 2 axes (D, M), got shape (2,)."),
        (lambda: lib.spectral_norm_svd(np.ones((0, 3))), ValueError, "spectral_norm_svd: W must not be empty, got shape (0, 3)."),
        (lambda: lib.spectral_norm_svd([["a"]]), TypeError, "spectral_norm_svd: W must hold real numbers, got a list."),
        (lambda: lib.spectral_norm_grad(0 * ONES), ValueError, "spectral_norm_grad: W must not be 0 everywhere: the largest singular value has no gradient there."),
        (lambda: lib.power_iteration(ONES, 0, u=[1, 1]), ValueError, "power_iteration: n_steps must be at least 1, got 0."),
        (lambda: lib.power_iteration(ONES, 1.0, u=[1, 1]), TypeError, "power_iteration: n_steps must be an integer, got 1.0."),
        (lambda: lib.power_iteration(ONES, 1, u=[1, 1, 1]), ValueError, "power_iteration: u must have shape (2,), got (3,): match axis 0 of W."),
        (lambda: lib.power_iteration(ONES, 1, u=[0, 0]), ValueError, "power_iteration: u must not be 0 everywhere: it has no direction."),
        (lambda: lib.power_iteration(ONES, 1, u=[1, -1]), ValueError, "power_iteration: u must not be orthogonal to every column of W: the iteration cannot start."),
        (lambda: lib.power_iteration(ONES, 1), TypeError, "power_iteration: rng must be a numpy.random.Generator where u is not given, got None: make one with np.random.default_rng(seed)."),
        (lambda: lib.power_iteration(ONES, 1, rng=3), TypeError, "power_iteration: rng must be a numpy.random.Generator, got 3: make one with np.random.default_rng(seed)."),
        (lambda: lib.spectral_normalize_backward(ONES.T, ONES), ValueError, "spectral_normalize_backward: dy must have shape (2, 3), got (3, 2): match axis 0 of W and the last axis of W."),
        (lambda: lib.spectral_normalize_backward(ONES, 0 * ONES), ValueError, "spectral_normalize_backward: W must not be 0 everywhere: the largest singular value has no gradient there."),
        (lambda: lib.lipschitz_upper_bound([]), ValueError, "lipschitz_upper_bound: weights must hold at least 1, got 0."),
        (lambda: lib.lipschitz_upper_bound([ONES, ONES]), ValueError, "lipschitz_upper_bound: weights[1] must have shape (3, 3), got (2, 3): match the last axis of weights[0]."),
        (lambda: lib.lipschitz_upper_bound([np.ones((2, 0))]), ValueError, "lipschitz_upper_bound: weights[0] must not be empty, got shape (2, 0)."),
        (lambda: lib.empirical_lipschitz("relu", ONES), TypeError, "empirical_lipschitz: f must be a function of an array, got 'relu'."),
        (lambda: lib.empirical_lipschitz(np.sum, ONES), ValueError, "empirical_lipschitz: f must return 2 axes and one row per row of its input, 2, got shape ()."),
        (lambda: lib.empirical_lipschitz(np.sin, [1.0, 2.0]), ValueError, "empirical_lipschitz: x must have 2 axes (N, D), got shape (2,)."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
