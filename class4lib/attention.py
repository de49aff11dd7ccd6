"""Attention: from energies to weights to context vectors, additive and scaled dot product, with masks, heads and positions.

Shapes: T queries, S keys, leading axes of queries, keys and values are equal. Masks are boolean, True keeps; a mask broadcasts to
(..., T, S). A query all of whose keys are masked gives 0 and passes no gradient (a plain softmax over -inf gives NaN).
"""
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, guarded, integer

_mask = array(kind="bool", optional=True)


def _same_leading(function: str, name: str, value: ndarray, other: ndarray, other_name: str) -> None:
    if value.shape[:-2] != other.shape[:-2]:
        expected = (*other.shape[:-2], *value.shape[-2:])
        raise ValueError(f"{function}: {name} must have shape {expected}, got {value.shape}: match the leading axes of {other_name}.")


def _mask_fits(function: str, mask: ndarray | None, shape: tuple[int, ...]) -> None:
    if mask is None:
        return
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: mask must broadcast to {shape} (queries, keys last), got shape {mask.shape}.")


def _mask_fits_energies(function: str, energies: ndarray, mask: ndarray | None) -> None:
    _mask_fits(function, mask, energies.shape)


def _same_shapes(function: str, dprobs: ndarray, probs: ndarray) -> None:
    if dprobs.shape != probs.shape:
        raise ValueError(f"{function}: dprobs must have shape {probs.shape}, got {dprobs.shape}: match probs.")


def _leading_axes_match(function: str, Q: ndarray, K: ndarray, V: ndarray, mask: ndarray | None, dy: ndarray | None = None) -> None:
    _same_leading(function, "K", K, Q, "Q")
    _same_leading(function, "V", V, Q, "Q")
    if dy is not None:
        _same_leading(function, "dy", dy, Q, "Q")
    _mask_fits(function, mask, (*Q.shape[:-1], K.shape[-2]))


def _heads_divide(function: str, x: ndarray, n_heads: int, mask: ndarray | None, **_: object) -> None:
    n, t, d = x.shape
    if d % n_heads:
        raise ValueError(f"{function}: n_heads must divide the last axis of x, {d}, got {n_heads}.")
    _mask_fits(function, mask, (n, t, t))


def _even_width(function: str, n: int, d: int) -> None:
    if d % 2:
        raise ValueError(f"{function}: d must be even, got {d}: sines and cosines come in pairs.")


@guarded(probs=array("... S", nonempty=True), dprobs=array(), also=_same_shapes)
def softmax_backward(dprobs: ndarray, probs: ndarray) -> ndarray:
    """Gradient in the energies from the gradient in the softmax probabilities, along the last axis, without forming a Jacobian.

    Args:
        dprobs: (..., S) dLoss/dprobs.
        probs: (..., S) outputs of softmax; each row sums to 1 or is 0 (all masked).

    Returns:
        denergies (..., S): rows sum to 0; 0 wherever probs is 0.

    Derivation:
        dp_k/de_j = p_k ([k = j] - p_j)
        de_j = sum_k dp_k p_k ([k = j] - p_j) = p_j (dp_j - sum_k dp_k p_k), one number a row instead of S x S

    Source: Goodfellow et al. 2016, section 6.2.2.3; the vector form as in Dao et al. 2022, appendix B.2.
    """
    return probs * (dprobs - (dprobs * probs).sum(axis=-1, keepdims=True))


@guarded(energies=array("... T S", nonempty=True), mask=_mask, also=_mask_fits_energies)
def attention_weights(energies: ndarray, mask: ndarray | None = None) -> ndarray:
    """How much each query looks at each key; finite for every |energy| up to 1000.

    Args:
        energies: (..., T, S) of T queries against S keys.
        mask: booleans that broadcast to (..., T, S), True keeps; None keeps all.

    Returns:
        (..., T, S): for each query the weights over the keys sum to 1; masked keys have exactly 0; a query without any key has 0 throughout.

    Formula:
        alpha_ij = exp(e_ij - m_i) / sum_k exp(e_ik - m_i) over the kept keys, m_i the largest kept energy of query i.

    Source: Bahdanau et al. 2015, eq. 6.
    """
    if mask is not None:
        energies = np.where(mask, energies, -np.inf)
    peak = energies.max(axis=-1, keepdims=True)  # (..., T, 1), -inf where every key is masked
    shares = np.exp(energies - np.where(np.isneginf(peak), 0.0, peak))  # exp(-inf) = 0: never -inf - -inf
    return shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1.0)  # the largest share is 1, so a sum below 1 is that of no key at all


@guarded(s=array("N T A", nonempty=True), h=array("N S B", nonempty=True), W=array("A M"), U=array("B M"), v=array("M"))
def additive_energies(s: ndarray, h: ndarray, W: ndarray, U: ndarray, v: ndarray) -> ndarray:
    """Energy of every query against every key by a network with one hidden layer.

    Args:
        s: (N, T, A) queries (in translation the states of the decoder).
        h: (N, S, B) keys (the states of the encoder).
        W, U: (A, M), (B, M) weights of the hidden layer, for s and for h; no bias.
        v: (M,) weights of the output.

    Returns:
        (N, T, S): entry [n, i, j] of query i and key j.

    Formula:
        e_ij = v . tanh(s_i W + h_j U); the two products are taken once for each s_i and h_j, and not for each pair.

    Source: Bahdanau et al. 2015, appendix A.1.2 (with column vectors there).
    """
    hidden = np.tanh((s @ W)[:, :, None, :] + (h @ U)[:, None, :, :])  # (N, T, 1, M) + (N, 1, S, M)
    return hidden @ v  # (N, T, S)


@guarded(weights=array("N T S"), h=array("N S B"))
def context_vectors(weights: ndarray, h: ndarray) -> ndarray:
    """What each query reads from the keys.

    Args:
        weights: (N, T, S) attention weights.
        h: (N, S, B) what is read.

    Returns:
        (N, T, B).

    Formula:
        c_i = sum_j alpha_ij h_j.

    Source: Bahdanau et al. 2015, eq. 5.
    """
    return weights @ h


@guarded(Q=array("... T d", nonempty=True), K=array("... S d", nonempty=True), V=array("... S e"), mask=_mask, also=_leading_axes_match)
def scaled_dot_product_attention(Q: ndarray, K: ndarray, V: ndarray, mask: ndarray | None = None) -> ndarray:
    """Every query reads the values, weighted by how well their keys match it.

    Args:
        Q: (..., T, d) queries.
        K: (..., S, d) keys.
        V: (..., S, e) values.
        mask: booleans that broadcast to (..., T, S), True keeps; None keeps all.

    Returns:
        (..., T, e); 0 for a query without any key.

    Formula:
        softmax(Q K' / sqrt(d)) V, the softmax over the keys; d is the length of one query.

    Source: Vaswani et al. 2017, eq. 1.
    """
    energies = Q / Q.shape[-1] ** 0.5 @ K.swapaxes(-1, -2)  # (..., T, S); Q is scaled, being smaller than the energies
    return attention_weights(energies, mask) @ V


@guarded(Q=array("... T d", nonempty=True), K=array("... S d", nonempty=True), V=array("... S e"), dy=array("... T e"), mask=_mask, also=_leading_axes_match)
def scaled_dot_product_attention_backward(dy: ndarray, Q: ndarray, K: ndarray, V: ndarray, mask: ndarray | None = None) -> tuple[ndarray, ndarray, ndarray]:
    """Gradients of scaled_dot_product_attention.

    Args:
        dy: (..., T, e) dLoss/dy.
        Q, K, V, mask: as in the forward.

    Returns:
        dQ (..., T, d), dK (..., S, d), dV (..., S, e). Masked pairs pass no gradient.

    Derivation:
        E = Q K' / sqrt(d), A = softmax(E), y = A V
        dV = A' dy, dA = dy V'
        dE_ij = A_ij (dA_ij - sum_k dA_ik A_ik)
        dQ = dE K / sqrt(d), dK = dE' Q / sqrt(d)

    Source: Dao et al. 2022, appendix B.2.
    """
    scale = Q.shape[-1] ** -0.5
    probs = attention_weights(scale * Q @ K.swapaxes(-1, -2), mask)  # (..., T, S)
    denergies = softmax_backward(dy @ V.swapaxes(-1, -2), probs)  # 0 where probs is 0: also in masked rows
    return scale * (denergies @ K), denergies.swapaxes(-1, -2) @ (scale * Q), probs.swapaxes(-1, -2) @ dy


@guarded(n=integer(low=1))
def causal_mask(n: int) -> ndarray:
    """Mask of a sequence in which nobody sees the future; each position sees itself.

    Args:
        n: length of the sequence.

    Returns:
        (n, n) booleans, rows are queries: True where position i may look at position j.

    Formula:
        [i, j] = (j <= i).

    Source: Vaswani et al. 2017, section 3.2.3.
    """
    positions = np.arange(n)
    return positions[:, None] >= positions


@guarded(
    x=array("N T D", nonempty=True), W_q=array("D D"), W_k=array("D D"), W_v=array("D D"), W_o=array("D D"),
    n_heads=integer(low=1), mask=_mask, also=_heads_divide,
)
def multi_head_attention(x: ndarray, W_q: ndarray, W_k: ndarray, W_v: ndarray, W_o: ndarray, n_heads: int, mask: ndarray | None = None) -> ndarray:
    """Self-attention in several heads, each on its own slice of the projected features.

    Args:
        x: (N, T, D) sequences.
        W_q, W_k, W_v, W_o: (D, D) projections to queries, keys, values, and of the joined heads; no biases.
        n_heads: divides D; head m has the columns m D / n_heads to (m + 1) D / n_heads - 1 of the projections.
        mask: booleans (T, T) or (N, T, T), True keeps, the same for every head; None keeps all.

    Returns:
        (N, T, D). A head's energies are scaled for the length of its own queries, not for D.

    Formula:
        concatenate_m softmax(Q_m K_m' / sqrt(D / n_heads)) V_m, times W_o; Q_m the columns of head m of x W_q.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    N, T, D = x.shape
    # (N, T, D) -> (N, T, heads, D / heads) -> (N, heads, T, D / heads): the features are cut, never the positions
    Q, K, V = ((x @ W).reshape(N, T, n_heads, D // n_heads).swapaxes(1, 2) for W in (W_q, W_k, W_v))
    if mask is not None:
        mask = np.broadcast_to(mask, (N, T, T))[:, None]  # (N, 1, T, T): one for all heads
    heads = scaled_dot_product_attention(Q, K, V, mask)  # (N, heads, T, D / heads)
    return heads.swapaxes(1, 2).reshape(N, T, D) @ W_o


@guarded(n=integer(low=1), d=integer(low=2), also=_even_width)
def positional_encoding(n: int, d: int) -> ndarray:
    """Waves of growing length that tell positions apart, for attention sees its keys as a set.

    Args:
        n: number of positions, from 0.
        d: features, even.

    Returns:
        (n, d): sine and cosine of a wave stand side by side, in columns 2i and 2i + 1 (some texts put all sines first).

    Formula:
        [t, 2i] = sin(t / 10000**(2i/d)), [t, 2i + 1] = cos(t / 10000**(2i/d)).

    Source: Vaswani et al. 2017, section 3.5.
    """
    angles = np.arange(n)[:, None] / 10000.0 ** (np.arange(0, d, 2) / d)  # (n, d / 2), radians
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d)


def multi_head_attention_in_torch(x: Any, W_q: Any, W_k: Any, W_v: Any, W_o: Any, n_heads: int, mask: Any = None) -> Any:
    """multi_head_attention in PyTorch's tensor operations, differentiable in x and all four projections.

    Args:
        x: (N, T, D) float64 tensor.
        W_q, W_k, W_v, W_o: (D, D) float64 tensors, used as x @ W.
        n_heads: divides D; head m has the columns m D / n_heads to (m + 1) D / n_heads - 1 of the projections.
        mask: boolean tensor (T, T) or (N, T, T), True KEEPS, the same for every head; None keeps all.

    Returns:
        (N, T, D) tensor. A query without any key gives 0 and passes no gradient; no gradient may become NaN.

    Formula:
        concatenate_m softmax(Q_m K_m' / sqrt(D / n_heads)) V_m, times W_o. The masked energies get a number that is very low, but finite,
        and their weights are set to 0 afterwards: softmax over -inf alone is NaN, and its backward multiplies by that NaN.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    import torch

    N, T, D = x.shape
    Q, K, V = ((x @ W).reshape(N, T, n_heads, D // n_heads).transpose(1, 2) for W in (W_q, W_k, W_v))  # (N, heads, T, D / heads)
    energies = Q @ K.transpose(-1, -2) / (D // n_heads) ** 0.5  # (N, heads, T, T)
    if mask is None:
        probs = torch.softmax(energies, dim=-1)
    else:
        keep = mask.expand(N, T, T)[:, None]  # (N, 1, T, T): one for all heads
        probs = torch.softmax(energies.masked_fill(~keep, torch.finfo(x.dtype).min), dim=-1) * keep
    return (probs @ V).transpose(1, 2).reshape(N, T, D) @ W_o
