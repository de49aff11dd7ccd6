"""Right answers to attention, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""

import math

import numpy as np


def attention_weights__query_by_query(energies, mask=None):
    energies = np.asarray(energies)
    keep = np.ones(energies.shape, bool) if mask is None else np.broadcast_to(mask, energies.shape)
    result = np.zeros(energies.shape)
    for index in np.ndindex(energies.shape[:-1]):
        row, kept = energies[index], keep[index]
        if kept.any():
            e = np.exp(row[kept] - row[kept].max())
            result[index][kept] = e / e.sum()
    return result


def attention_weights__low_number_and_mask_again(energies, mask=None):
    if mask is None:
        mask = True
    e = np.where(mask, energies, -1e9)
    e = np.exp(e - e.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) * mask


def attention_weights__nan_to_zero(energies, mask=None):
    if mask is not None:
        energies = np.where(mask, energies, -np.inf)
    with np.errstate(invalid="ignore"):
        p = np.exp(energies - np.max(energies, axis=-1, keepdims=True))
        return np.nan_to_num(p / np.sum(p, axis=-1, keepdims=True))


def attention_weights__log_sum_exp(energies, mask=None):
    keep = np.full(np.shape(energies), True) if mask is None else np.logical_and(mask, np.full(np.shape(energies), True))
    e = np.where(keep, energies, -np.inf)
    total = np.logaddexp.reduce(e, axis=-1, keepdims=True)
    return np.where(keep, np.exp(e - np.where(np.isfinite(total), total, 0)), 0.0)


def additive_energies__pairs_in_loops(s, h, W, U, v):
    N, T, S = s.shape[0], s.shape[1], h.shape[1]
    e = np.empty((N, T, S))
    for n in range(N):
        for i in range(T):
            for j in range(S):
                e[n, i, j] = sum(v[m] * math.tanh(s[n, i] @ W[:, m] + h[n, j] @ U[:, m]) for m in range(len(v)))
    return e


def additive_energies__einsum(s, h, W, U, v):
    left, right = np.einsum("nta,am->ntm", s, W), np.einsum("nsb,bm->nsm", h, U)
    return np.einsum("ntsm,m->nts", np.tanh(np.expand_dims(left, 2) + np.expand_dims(right, 1)), v)


def additive_energies__joined_vectors(s, h, W, U, v):
    T, S = s.shape[1], h.shape[1]
    pairs = np.concatenate([np.repeat(s[:, :, None], S, axis=2), np.repeat(h[:, None], T, axis=1)], axis=-1)
    return np.dot(np.tanh(np.dot(pairs, np.vstack([W, U]))), v)


def context_vectors__einsum(weights, h):
    return np.einsum("nij,njb->nib", weights, h)


def context_vectors__sum_by_broadcasting(weights, h):
    return (weights[..., None] * h[:, None]).sum(axis=2)


def context_vectors__nested_lists(weights, h):
    return [[list(np.dot(row, keys)) for row in w] for w, keys in zip(weights, h)]


def scaled_dot_product_attention__everything_at_hand(Q, K, V, mask=None):
    e = np.einsum("...td,...sd->...ts", Q, K) / math.sqrt(Q.shape[-1])
    keep = np.ones_like(e, dtype=bool) if mask is None else np.broadcast_to(mask, e.shape)
    e = np.where(keep, e, -np.inf)
    top = e.max(axis=-1, keepdims=True)
    top[np.isneginf(top)] = 0
    p = np.exp(e - top)
    z = p.sum(axis=-1, keepdims=True)
    return np.divide(p @ V, z, out=np.zeros_like(p @ V), where=z > 0)


def scaled_dot_product_attention__with_attention_weights(Q, K, V, mask=None):
    root = np.sqrt(np.sqrt(Q.shape[-1]))
    return attention_weights((Q / root) @ np.moveaxis(K / root, -1, -2), mask) @ V


def scaled_dot_product_attention__one_query_at_a_time(Q, K, V, mask=None):
    lead, T, S, d = Q.shape[:-2], Q.shape[-2], K.shape[-2], Q.shape[-1]
    keep = np.broadcast_to(True if mask is None else mask, (*lead, T, S))
    y = np.zeros((*lead, T, V.shape[-1]))
    for index in np.ndindex(*lead, T):
        batch = index[:-1]
        kept = np.flatnonzero(keep[index])
        if len(kept):
            e = K[batch][kept] @ Q[index] * d**-0.5
            w = np.exp(e - e.max())
            y[index] = (w / w.sum()) @ V[batch][kept]
    return y


def softmax_backward__with_the_jacobian(dprobs, probs):
    J = probs[..., :, None] * (np.eye(probs.shape[-1]) - probs[..., None, :])
    return np.einsum("...k,...kj->...j", dprobs, J)


def softmax_backward__expanded(dprobs, probs):
    g = dprobs * probs
    return g - probs * g.sum(-1, keepdims=True)


def softmax_backward__row_by_row(dprobs, probs):
    out = np.zeros(np.shape(probs))
    for i in np.ndindex(probs.shape[:-1]):
        out[i] = probs[i] * (dprobs[i] - np.vdot(dprobs[i], probs[i]))
    return out


def softmax_backward__pairwise_differences(dprobs, probs):
    # sum_k p_j p_k (dp_j - dp_k), right where the row sums to 1 and where it is 0
    return np.sum(probs[..., :, None] * probs[..., None, :] * (dprobs[..., :, None] - dprobs[..., None, :]), axis=-1)


def scaled_dot_product_attention_backward__einsum(dy, Q, K, V, mask=None):
    c = 1 / np.sqrt(Q.shape[-1])
    A = attention_weights(c * np.einsum("...td,...sd->...ts", Q, K), mask)
    dA = np.einsum("...te,...se->...ts", dy, V)
    dE = c * A * (dA - np.einsum("...ts,...ts->...t", dA, A)[..., None])
    return np.einsum("...ts,...sd->...td", dE, K), np.einsum("...ts,...td->...sd", dE, Q), np.einsum("...ts,...te->...se", A, dy)


def scaled_dot_product_attention_backward__row_sum_from_the_output(dy, Q, K, V, mask=None):
    # sum_k dA_ik A_ik = dy_i . y_i, as in FlashAttention
    d = Q.shape[-1]
    e = Q @ K.swapaxes(-1, -2) / d**0.5
    keep = np.broadcast_to(True if mask is None else mask, e.shape)
    e = np.where(keep, e, -1e30)
    A = np.exp(e - e.max(axis=-1, keepdims=True)) * keep
    A = A / np.maximum(A.sum(axis=-1, keepdims=True), 1e-300)
    dE = A * (dy @ V.swapaxes(-1, -2) - (dy * (A @ V)).sum(axis=-1, keepdims=True))
    return [dE @ K / d**0.5, dE.swapaxes(-1, -2) @ Q / d**0.5, A.swapaxes(-1, -2) @ dy]


def scaled_dot_product_attention_backward__example_by_example(dy, Q, K, V, mask=None):
    lead, T, S = Q.shape[:-2], Q.shape[-2], K.shape[-2]
    keep = np.broadcast_to(True if mask is None else mask, (*lead, T, S))
    dQ, dK, dV = np.zeros(Q.shape), np.zeros(K.shape), np.zeros(V.shape)
    s = Q.shape[-1] ** -0.5
    for b in np.ndindex(*lead):
        for i in range(T):
            j = keep[b][i].nonzero()[0]
            if not j.size:
                continue
            e = s * (K[b][j] @ Q[b][i])
            p = np.exp(e - e.max())
            p /= p.sum()
            dp = V[b][j] @ dy[b][i]
            de = s * (p * dp - p * (p @ dp))
            dQ[b][i] = de @ K[b][j]
            dK[b][j] += np.outer(de, Q[b][i])
            dV[b][j] += np.outer(p, dy[b][i])
    return dQ, dK, dV


def positional_encoding__entry_by_entry(n, d):
    rows = []
    for t in range(n):
        row = []
        for i in range(d // 2):
            w = t / 10000 ** (2 * i / d)
            row += [math.sin(w), math.cos(w)]
        rows.append(row)
    return rows


def positional_encoding__filled_by_strides(n, d):
    code = np.empty((n, d))
    w = np.exp(-np.log(10000.0) * np.arange(0, d, 2) / d)
    code[:, ::2] = np.sin(np.outer(np.arange(n), w))
    code[:, 1::2] = np.cos(np.outer(np.arange(n), w))
    return code


def positional_encoding__cosine_is_a_shifted_sine(n, d):
    c = np.arange(d)
    angle = np.arange(n)[:, None] / np.power(10000, (c - c % 2) / d)
    return np.sin(angle + (c % 2) * np.pi / 2)


def causal_mask__compared(n):
    i = np.arange(n)
    return i[:, None] >= i[None, :]


def causal_mask__lower_triangle(n):
    return np.tril(np.ones((n, n))).astype(bool)


def causal_mask__lists(n):
    return [[j <= i for j in range(n)] for i in range(n)]


def causal_mask__not_above(n):
    return ~np.triu(np.ones((n, n), dtype=bool), k=1)


def multi_head_attention__a_loop_over_heads(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    D = x.shape[-1]
    k = D // n_heads
    heads = []
    for m in range(n_heads):
        c = slice(m * k, (m + 1) * k)
        heads.append(scaled_dot_product_attention(x @ W_q[:, c], x @ W_k[:, c], x @ W_v[:, c], mask))
    return np.concatenate(heads, axis=-1) @ W_o


def multi_head_attention__einsum_over_heads(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    D = x.shape[2]
    k = D // n_heads
    q, key, value = (np.einsum("ntd,dhk->nhtk", x, np.reshape(W, (D, n_heads, k))) for W in (W_q, W_k, W_v))
    e = np.einsum("nhtk,nhsk->nhts", q, key) / np.sqrt(k)
    if mask is not None and np.ndim(mask) == 3:
        mask = mask[:, np.newaxis]
    a = attention_weights(e, mask)
    return np.einsum("nhts,nhsk,hkd->ntd", a, value, np.reshape(W_o, (n_heads, k, D)))


def multi_head_attention__sum_of_projected_heads(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    N, T, D = x.shape
    y = np.zeros((N, T, D))
    keep = np.broadcast_to(True if mask is None else mask, (N, T, T))
    for n in range(N):
        for q, k, v, o in zip(np.hsplit(x[n] @ W_q, n_heads), np.hsplit(x[n] @ W_k, n_heads), np.hsplit(x[n] @ W_v, n_heads), np.vsplit(W_o, n_heads)):
            e = np.where(keep[n], q @ k.T / math.sqrt(D / n_heads), -1e15)
            a = np.exp(e - e.max(axis=1, keepdims=True)) * keep[n]
            a = a / (a.sum(axis=1, keepdims=True) + 1e-300)
            y[n] += a @ v @ o
    return y


def multi_head_attention_in_torch__a_loop_over_heads(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    import torch

    k = x.shape[-1] // n_heads
    heads = []
    for m in range(n_heads):
        q, key, value = (x @ W[:, m * k : (m + 1) * k] for W in (W_q, W_k, W_v))
        e = torch.einsum("ntk,nsk->nts", q, key) / k**0.5
        if mask is None:
            p = torch.softmax(e, -1)
        else:
            p = torch.where(mask, torch.softmax(torch.where(mask, e, torch.full_like(e, -1e15)), -1), torch.zeros_like(e))
        heads.append(p @ value)
    return torch.cat(heads, -1) @ W_o


def multi_head_attention_in_torch__pytorchs_own_attention(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    import torch

    N, T, D = x.shape
    q, k, v = (torch.matmul(x, W).view(N, T, n_heads, D // n_heads).permute(0, 2, 1, 3) for W in (W_q, W_k, W_v))
    if mask is not None and mask.dim() == 3:
        mask = mask.unsqueeze(1)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return y.permute(0, 2, 1, 3).flatten(2) @ W_o


def multi_head_attention_in_torch__exponentials(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    import torch

    q, k, v = (torch.stack(torch.chunk(x @ W, n_heads, dim=-1)) for W in (W_q, W_k, W_v))  # (heads, N, T, D / heads)
    e = q @ k.mT * (x.shape[-1] / n_heads) ** -0.5
    if mask is not None:
        e = e.masked_fill(~mask, float("-inf"))
    peak = e.detach().amax(-1, keepdim=True)
    shares = torch.exp(e - torch.nan_to_num(peak, neginf=0.0))
    total = shares.sum(-1, keepdim=True)
    y = shares / torch.where(total == 0, torch.ones_like(total), total) @ v
    return torch.cat(list(y), dim=-1) @ W_o


def multi_head_attention_in_torch__nan_replaced_and_masked_fill(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
    import torch

    # masked_fill passes no gradient where it fills, so no nan comes back through it
    N, T, D = x.shape
    q, k, v = ((x @ W).unflatten(-1, (n_heads, -1)).transpose(1, 2) for W in (W_q, W_k, W_v))
    e = q @ k.transpose(2, 3) / (D / n_heads) ** 0.5
    if mask is not None:
        e = e.masked_fill(~(mask if mask.ndim == 2 else mask[:, None]), -torch.inf)
    p = torch.softmax(e, dim=-1).nan_to_num(0.0)
    return (p @ v).transpose(1, 2).reshape(x.shape) @ W_o
