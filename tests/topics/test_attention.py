"""attention: the library against PyTorch, central differences, invariants, masks, extremes and bad input."""
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import attention as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import attention as torch_lib

LEADING = [(), (2,), (2, 3)]
T, S, D, E = 4, 5, 3, 2  # all different: a confused axis cannot hide


def inputs(leading, rng):
    """Q, K, V and dy, queries of very different energy."""
    return tuple(rng.normal(scale=2, size=(*leading, *shape)) for shape in ((T, D), (S, D), (S, E), (T, E)))


def some_mask(shape, rng):
    """Every query keeps at least one key, no two queries alike."""
    mask = rng.random(shape) < 0.5
    mask[..., np.arange(T), np.arange(T)] = True
    return mask


def masks(leading, rng):
    return {"none": None, "shared": some_mask((T, S), rng), "own": some_mask((*leading, T, S), rng), "by key": np.arange(S) < 3, "by query": np.ones((T, 1), bool)}


@pytest.mark.parametrize("kind", ["none", "shared", "own", "by key", "by query"])
@pytest.mark.parametrize("leading", LEADING)
def test_scaled_dot_product_attention_and_its_backward_agree_with_pytorch(leading, kind, rng):
    Q, K, V, dy = inputs(leading, rng)
    mask = masks(leading, rng)[kind]
    y, *gradients = torch_lib.scaled_dot_product_attention(Q, K, V, mask, dy)
    assert_allclose(lib.scaled_dot_product_attention(Q, K, V, mask), y, rtol=1e-10, atol=1e-14)
    for got, expected in zip(lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask), gradients, strict=True):
        assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", ["none", "shared", "own", "by key"])
@pytest.mark.parametrize("leading", LEADING)
def test_attention_weights_agree_with_pytorch(leading, kind, rng):
    energies = rng.normal(scale=5, size=(*leading, T, S))
    mask = masks(leading, rng)[kind]
    assert_allclose(lib.attention_weights(energies, mask), torch_lib.attention_weights(energies, mask), rtol=1e-10)


@pytest.mark.parametrize("kind", ["none", "shared", "per example"])
@pytest.mark.parametrize("n_heads", [1, 2, 3, 6])
def test_multi_head_attention_agrees_with_pytorch(n_heads, kind, rng):
    x, weights = rng.normal(size=(2, T, 6)), rng.normal(size=(4, 6, 6))
    mask = {"none": None, "shared": some_mask((T, T), rng), "per example": some_mask((2, T, T), rng)}[kind]
    assert_allclose(lib.multi_head_attention(x, *weights, n_heads, mask), torch_lib.multi_head_attention(x, *weights, n_heads, mask), rtol=1e-10, atol=1e-12)


def test_additive_energies_and_contexts_agree_with_pytorch(rng):
    s, h, W, U, v = rng.normal(size=(2, T, 3)), rng.normal(size=(2, S, 4)), rng.normal(size=(3, 6)), rng.normal(size=(4, 6)), rng.normal(size=6)
    energies = lib.additive_energies(s, h, W, U, v)
    assert_allclose(energies, torch_lib.additive_energies(s, h, W, U, v), rtol=1e-10, atol=1e-13)
    weights = lib.attention_weights(energies)
    assert_allclose(lib.context_vectors(weights, h), torch_lib.context_vectors(weights, h), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("shape", [(4,), (1, 1), (3, 5), (2, 3, 4)])
def test_softmax_backward_agrees_with_autograd(shape, rng):
    probs = torch_lib.attention_weights(rng.normal(size=shape))
    dprobs = rng.normal(size=shape)
    assert_allclose(lib.softmax_backward(dprobs, probs), torch_lib.softmax_backward(dprobs, probs), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("shape", [(1, 2), (7, 4), (3, 10), (40, 6)])
def test_positional_encoding_agrees_with_a_complex_wave(shape):
    assert_allclose(lib.positional_encoding(*shape), torch_lib.positional_encoding(*shape), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["none", "shared", "own"])
def test_backward_agrees_with_central_differences(kind, rng):
    Q, K, V, dy = inputs((2,), rng)
    mask = masks((2,), rng)[kind]
    gradients = lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)
    check_gradient(lambda *a: lib.scaled_dot_product_attention(*a, mask), [Q, K, V], gradients, dy)


def test_weights_of_a_query_sum_to_one_and_masked_keys_have_exactly_none(rng):
    mask = some_mask((2, T, S), rng)
    weights = lib.attention_weights(rng.normal(scale=4, size=(2, T, S)), mask)
    assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-14)
    assert_array_equal(weights == 0, ~mask)


def test_reordered_keys_with_their_values_change_nothing(rng):
    Q, K, V, _ = inputs((2,), rng)
    order = rng.permutation(S)
    mask = some_mask((T, S), rng)
    assert_allclose(lib.scaled_dot_product_attention(Q, K[:, order], V[:, order], mask[:, order]), lib.scaled_dot_product_attention(Q, K, V, mask), rtol=1e-12)
    assert not np.allclose(lib.scaled_dot_product_attention(Q, K[:, order], V), lib.scaled_dot_product_attention(Q, K, V))


def test_reordered_positions_reorder_the_output_unless_positions_are_told(rng):
    x, weights, order = rng.normal(size=(2, T, 6)), rng.normal(size=(4, 6, 6)), np.array([2, 0, 3, 1])
    assert_allclose(lib.multi_head_attention(x[:, order], *weights, 2), lib.multi_head_attention(x, *weights, 2)[:, order], rtol=1e-10)
    told = lib.multi_head_attention(x[:, order] + lib.positional_encoding(T, 6), *weights, 2)
    assert not np.allclose(told, lib.multi_head_attention(x + lib.positional_encoding(T, 6), *weights, 2)[:, order], atol=0.1)


def test_masked_keys_never_change_the_output(rng):
    Q, K, V, dy = inputs((2,), rng)
    mask = np.array([True, True, False, True, False])
    wild_K, wild_V = K.copy(), V.copy()
    wild_K[:, ~mask], wild_V[:, ~mask] = 1e6, -1e6
    assert_array_equal(lib.scaled_dot_product_attention(Q, wild_K, wild_V, mask), lib.scaled_dot_product_attention(Q, K, V, mask))
    assert_allclose(lib.scaled_dot_product_attention(Q, K, V, mask), lib.scaled_dot_product_attention(Q, K[:, mask], V[:, mask]), rtol=1e-12)
    _, dK, dV = lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)
    assert_array_equal(dK[:, ~mask], 0.0)
    assert_array_equal(dV[:, ~mask], 0.0)


@pytest.mark.filterwarnings("error")
def test_a_fully_masked_row_gives_zeros_and_passes_no_gradient(rng):
    Q, K, V, dy = inputs((2,), rng)
    mask = some_mask((2, T, S), rng)
    mask[1, 2] = False
    others = np.arange(T) != 2
    y = lib.scaled_dot_product_attention(Q, K, V, mask)
    assert_array_equal(y[1, 2], 0.0)
    assert_allclose(y[1, others], lib.scaled_dot_product_attention(Q[1, others], K[1], V[1], mask[1, others]), rtol=1e-12)
    dQ, dK, dV = lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)
    assert_array_equal(dQ[1, 2], 0.0)
    without = lib.scaled_dot_product_attention_backward(dy[1, others], Q[1, others], K[1], V[1], mask[1, others])
    assert_allclose(dK[1], without[1], rtol=1e-10, atol=1e-14)
    assert_allclose(dV[1], without[2], rtol=1e-10, atol=1e-14)
    check_gradient(lambda *a: lib.scaled_dot_product_attention(*a, mask), [Q, K, V], (dQ, dK, dV), dy)
    x, weights, nobody = rng.normal(size=(1, T, 4)), rng.normal(size=(4, 4, 4)), np.zeros((T, T), bool)
    assert_array_equal(lib.multi_head_attention(x, *weights, 2, nobody), 0.0)


def test_causal_positions_see_themselves_and_the_past_only(rng):
    assert_array_equal(lib.causal_mask(3), [[True, False, False], [True, True, False], [True, True, True]])
    assert lib.causal_mask(1).dtype == bool
    x, weights = rng.normal(size=(1, T, 4)), rng.normal(size=(4, 4, 4))
    y = lib.multi_head_attention(x, *weights, 2, lib.causal_mask(T))
    x[0, 3] += 5.0
    moved = lib.multi_head_attention(x, *weights, 2, lib.causal_mask(T))
    assert_array_equal(moved[0, :3], y[0, :3])
    assert not np.allclose(moved[0, 3], y[0, 3])
    assert_allclose(y[0, 0], x[0, 0] @ weights[2] @ weights[3], rtol=1e-10)  # the first sees itself alone


def test_a_head_reads_its_own_columns_only(rng):
    x, weights = rng.normal(size=(2, T, 6)), rng.normal(size=(4, 6, 6))
    identity = [*weights[:3], np.eye(6)]
    y = lib.multi_head_attention(x, *identity, 3)
    for m in range(3):
        columns = slice(2 * m, 2 * m + 2)
        Q, K, V = (x @ W[:, columns] for W in weights[:3])
        assert_allclose(y[..., columns], lib.scaled_dot_product_attention(Q, K, V), rtol=1e-10, atol=1e-13)


@pytest.mark.filterwarnings("error")
def test_extreme_energies_stay_finite():
    energies = np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, -999.0]])
    weights = lib.attention_weights(energies)
    assert_array_equal(weights[0], [1.0, 0.0, 0.0])
    assert_allclose(weights[1], np.array([1, 1, np.e]) / (2 + np.e))
    assert_array_equal(lib.attention_weights(energies, [[False, True, True], [True, False, False]]), [[0, 1, 0], [1, 0, 0]])
    assert_array_equal(lib.attention_weights(np.zeros((1, 4))), np.full((1, 4), 0.25))
    assert_array_equal(lib.attention_weights(np.array([[-1000.0]])), [[1.0]])


def test_nan_is_not_taken_for_a_masked_row(rng):
    energies = rng.normal(size=(2, 3))
    energies[0, 1] = np.nan
    assert np.isnan(lib.attention_weights(energies)[0]).all()
    assert np.isfinite(lib.attention_weights(energies, [True, False, True])).all()


def test_dividing_by_the_root_of_d_keeps_the_energies_variance_at_one(rng):
    Q, K, V = rng.normal(size=(3, 200, 256))
    energies = Q @ K.T
    assert 200 < energies.var() < 320
    assert_allclose(lib.scaled_dot_product_attention(Q, K, V), lib.attention_weights(energies / 16) @ V, rtol=1e-10, atol=1e-13)


def test_positions_a_fixed_distance_apart_always_look_alike():
    code = lib.positional_encoding(30, 8)
    assert_allclose((code**2).sum(axis=1), 4.0)
    similarity = code @ code.T
    assert_allclose(np.diagonal(similarity, 7), similarity[0, 7], rtol=1e-12)


def test_no_input_is_changed_and_float32_stays(rng):
    Q, K, V, dy = inputs((2,), rng)
    copies = [a.copy() for a in (Q, K, V, dy)]
    mask = some_mask((T, S), rng)
    lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)
    lib.softmax_backward(Q, K[:, :T])
    energies = rng.normal(size=(T, S))
    before = energies.copy()
    lib.attention_weights(energies, mask)
    assert_array_equal(energies, before)
    for a, copy in zip((Q, K, V, dy), copies, strict=True):
        assert_array_equal(a, copy)
    small = [a.astype(np.float32) for a in (dy, Q, K, V)]
    assert all(a.dtype == np.float32 for a in lib.scaled_dot_product_attention_backward(*small, mask))
    assert lib.multi_head_attention(small[2][..., :2], *np.ones((4, 2, 2), np.float32), 2).dtype == np.float32


@pytest.mark.parametrize("kind", ["none", "shared", "per example", "nobody"])
@pytest.mark.parametrize("n_heads", [1, 2, 3])
def test_heads_in_torch_give_the_same_and_pass_no_nan(n_heads, kind, rng):
    x, weights, dy = rng.normal(size=(3, T, 6)), rng.normal(size=(4, 6, 6)), rng.normal(size=(3, T, 6))
    mask = {"none": None, "shared": some_mask((T, T), rng), "per example": some_mask((3, T, T), rng), "nobody": some_mask((T, T), rng)}[kind]
    if kind == "nobody":
        mask[1] = False
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *weights)]
    y = lib.multi_head_attention_in_torch(*leaves, n_heads, None if mask is None else torch.tensor(mask))
    y.backward(torch.tensor(dy))
    assert_allclose(y.detach().numpy(), lib.multi_head_attention(x, *weights, n_heads, mask), rtol=1e-10, atol=1e-12)
    gradients = [a.grad.numpy() for a in leaves]
    check_gradient(lambda x, *W: lib.multi_head_attention(x, *W, n_heads, mask), [x, *weights], gradients, dy)
    if kind == "nobody":
        assert_array_equal(y.detach().numpy()[:, 1], 0.0)


X, I4 = np.ones((2, 3, 4)), np.eye(4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.softmax_backward(np.ones((2, 3)), np.ones((2, 4))), ValueError, "softmax_backward: dprobs must have shape (2, 4), got (2, 3): match probs."),
        (lambda: lib.attention_weights(np.ones(3)), ValueError, "attention_weights: energies must have at least 2 axes (T, S last), got shape (3,)."),
        (lambda: lib.attention_weights(np.ones((2, 0))), ValueError, "attention_weights: energies must not be empty, got shape (2, 0)."),
        (lambda: lib.attention_weights(np.ones((2, 3)), np.ones((2, 3))), TypeError, "attention_weights: mask must hold booleans (True keeps), got dtype float64."),
        (lambda: lib.attention_weights(np.ones((2, 3)), np.ones((3, 2), bool)), ValueError, "attention_weights: mask must broadcast to (2, 3) (queries, keys last), got shape (3, 2)."),
        (lambda: lib.attention_weights(np.ones((2, 3)), np.ones((5, 2, 3), bool)), ValueError, "attention_weights: mask must broadcast to (2, 3) (queries, keys last), got shape (5, 2, 3)."),
        (lambda: lib.additive_energies(X, X, np.ones((3, 2)), np.ones((4, 2)), [1, 1]), ValueError, "additive_energies: W must have shape (4, 2), got (3, 2): match the last axis of s."),
        (lambda: lib.additive_energies(X, X, np.ones((4, 2)), np.ones((4, 2)), [1]), ValueError, "additive_energies: v must have shape (2,), got (1,): match the last axis of W."),
        (lambda: lib.additive_energies(X, X[:1], I4, I4, np.ones(4)), ValueError, "additive_energies: h must have shape (2, 3, 4), got (1, 3, 4): match axis 0 of s."),
        (lambda: lib.context_vectors(np.ones((2, 3, 5)), X), ValueError, "context_vectors: h must have shape (2, 5, 4), got (2, 3, 4): match the last axis of weights."),
        (lambda: lib.scaled_dot_product_attention(X, np.ones((2, 5, 3)), X), ValueError, "scaled_dot_product_attention: K must have shape (2, 5, 4), got (2, 5, 3): match the last axis of Q."),
        (lambda: lib.scaled_dot_product_attention(X, X, np.ones((2, 5, 3))), ValueError, "scaled_dot_product_attention: V must have shape (2, 3, 3), got (2, 5, 3): match axis -2 of K."),
        (lambda: lib.scaled_dot_product_attention(X, X[:1], X[:1]), ValueError, "scaled_dot_product_attention: K must have shape (2, 3, 4), got (1, 3, 4): match the leading axes of Q."),
        (lambda: lib.scaled_dot_product_attention_backward(X[:1], X, X, X), ValueError, "scaled_dot_product_attention_backward: dy must have shape (2, 3, 4), got (1, 3, 4): match the leading axes of Q."),
        (lambda: lib.scaled_dot_product_attention_backward(X[:, :, :2], X, X, X), ValueError, "scaled_dot_product_attention_backward: dy must have shape (2, 3, 4), got (2, 3, 2): match the last axis of V."),
        (lambda: lib.scaled_dot_product_attention(X, X, X, np.ones((3, 4), bool)), ValueError, "scaled_dot_product_attention: mask must broadcast to (2, 3, 3) (queries, keys last), got shape (3, 4)."),
        (lambda: lib.multi_head_attention(X, I4, I4, I4, I4, 3), ValueError, "multi_head_attention: n_heads must divide the last axis of x, 4, got 3."),
        (lambda: lib.multi_head_attention(X, I4, I4, I4, I4, 2.0), TypeError, "multi_head_attention: n_heads must be an integer, got 2.0."),
        (lambda: lib.multi_head_attention(X, I4, I4, I4, np.ones((4, 3)), 2), ValueError, "multi_head_attention: W_o must have shape (4, 4), got (4, 3): match the last axis of x."),
        (lambda: lib.multi_head_attention(X, I4, I4, I4, I4, 2, np.ones((2, 2, 3, 3), bool)), ValueError, "multi_head_attention: mask must broadcast to (2, 3, 3) (queries, keys last), got shape (2, 2, 3, 3)."),
        (lambda: lib.causal_mask(0), ValueError, "causal_mask: n must be at least 1, got 0."),
        (lambda: lib.positional_encoding(3, 5), ValueError, "positional_encoding: d must be even, got 5: sines and cosines come in pairs."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
