"""Right answers to capstone, written from the stubs alone, each in another way: other algebra, loops, other recipes of training."""
import math

import numpy as np


def _row_norm(row, gamma, beta):
    m = math.fsum(row) / len(row)
    v = math.fsum((a - m) ** 2 for a in row) / len(row)
    return [g * (a - m) / math.sqrt(v + 1e-5) + b for a, g, b in zip(row, gamma, beta)]


def pre_norm_block__row_by_row(x, gamma, beta, W1, b1, W2, b2, mask):
    out = []
    for row, factors in zip(np.asarray(x, dtype=float).tolist(), mask):
        h = _row_norm(row, gamma, beta)
        hidden = [max(0.0, sum(a * w for a, w in zip(h, column)) + b) * f for column, b, f in zip(np.transpose(W1).tolist(), b1, factors)]
        out.append([a + sum(u * w for u, w in zip(hidden, column)) + b for a, column, b in zip(row, np.transpose(W2).tolist(), b2)])
    return out


def pre_norm_block__einsum_and_where(x, gamma, beta, W1, b1, W2, b2, mask):
    d = x.shape[1]
    c = x @ (np.eye(d) - 1 / d)
    h = c / np.hypot(np.linalg.norm(c, axis=1, keepdims=True) / d**0.5, 1e-5**0.5) * gamma + beta
    z = np.einsum("nd,dh->nh", h, W1) + b1
    hidden = np.where(z > 0, mask * z, 0)
    return np.add(x, b2) + np.einsum("nh,hd->nd", hidden, W2)


def pre_norm_block__biases_as_rows(x, gamma, beta, W1, b1, W2, b2, mask):
    from class4lib.batch_and_layer_norm import layer_norm

    one = np.ones((len(x), 1))
    z = np.hstack([layer_norm(x, gamma, beta), one]) @ np.vstack([W1, b1])
    hidden = (np.abs(z) + z) / 2 * mask
    return x + np.hstack([hidden, one]) @ np.vstack([W2, b2])


def pre_norm_block__norm_folded_into_the_weights(x, gamma, beta, W1, b1, W2, b2, mask):
    x_hat = (x - x.mean(1, keepdims=True)) / (x.var(1, keepdims=True) + 1e-5) ** 0.5
    return (mask * np.clip(x_hat @ (gamma[:, None] * W1) + (b1 + beta @ W1), 0, None)) @ W2 + b2 + x


def pre_norm_block_backward__own_norm(dy, x, gamma, beta, W1, b1, W2, b2, mask):
    mu, s = x.mean(1, keepdims=True), np.sqrt(x.var(1, keepdims=True) + 1e-5)
    x_hat = (x - mu) / s
    h = gamma * x_hat + beta
    on = h @ W1 + b1 > 0
    hidden = (h @ W1 + b1) * on * mask
    dz = np.where(on, dy @ W2.T * mask, 0.0)
    dh = dz @ W1.T
    g = dh * gamma
    dx = (g - g.mean(1, keepdims=True) - x_hat * np.mean(g * x_hat, axis=1, keepdims=True)) / s + dy
    return dx, np.einsum("nd,nd->d", dh, x_hat), dh.sum(0), h.T @ dz, dz.sum(0), hidden.T @ dy, dy.sum(0)


def pre_norm_block_backward__from_pieces(dy, x, gamma, beta, W1, b1, W2, b2, mask):
    from class4lib.basics import affine, affine_backward, relu, relu_backward
    from class4lib.batch_and_layer_norm import layer_norm, layer_norm_backward
    from class4lib.dropout import dropout_backward

    h = layer_norm(x, gamma, beta)
    active = relu(affine(h, W1, b1))
    d, dW2, db2 = affine_backward(dy, active * mask, W2)
    d, dW1, db1 = affine_backward(relu_backward(dropout_backward(d, mask), active), h, W1)
    d, dgamma, dbeta = layer_norm_backward(d, x, gamma)
    return [d + dy, dgamma, dbeta, dW1, db1, dW2, db2]


def pre_norm_block_backward__example_by_example(dy, x, gamma, beta, W1, b1, W2, b2, mask):
    d, eye = x.shape[1], np.eye(x.shape[1])
    dx, dgamma, dbeta, dW1, db1, dW2, db2 = np.zeros(x.shape), np.zeros(d), np.zeros(d), np.zeros(W1.shape), np.zeros(len(b1)), np.zeros(W2.shape), np.zeros(d)
    for n in range(len(x)):
        c = x[n] - x[n].mean()
        s = math.sqrt(c @ c / d + 1e-5)
        h = gamma * c / s + beta
        z = W1.T @ h + b1
        dz = (W2 @ dy[n]) * mask[n] * (np.sign(np.maximum(z, 0)))
        dh = W1 @ dz
        jacobian = (eye - 1 / d) / s - np.outer(c, c) / (d * s**3)  # of x_hat in x
        dx[n] = dy[n] + jacobian.T @ (gamma * dh)
        dgamma += dh * c / s
        dbeta += dh
        dW1 += np.outer(h, dz)
        db1 += dz
        dW2 += np.outer(np.maximum(z, 0) * mask[n], dy[n])
        db2 += dy[n]
    return dx, dgamma, dbeta, dW1, db1, dW2, db2


def transformer_block__library_parts(x, norm1, W_q, W_k, W_v, W_o, n_heads, norm2, W1, b1, W2, b2, mask=None):
    from class4lib.attention import multi_head_attention
    from class4lib.batch_and_layer_norm import layer_norm

    g1, s1 = norm1
    h = multi_head_attention(layer_norm(x, g1, s1), W_q, W_k, W_v, W_o, n_heads, mask)
    h = h + x
    f = np.maximum(0, layer_norm(h, norm2[0], norm2[1]) @ W1 + b1) @ W2
    return h + f + b2


def _norm(a, pair):
    c = a - a.mean(-1, keepdims=True)
    return pair[0] * c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5) + pair[1]


def _soft(e, keep):
    w = np.zeros(e.shape)
    for t in range(len(e)):
        if keep[t].any():
            k = np.exp(e[t][keep[t]] - e[t][keep[t]].max())
            w[t][keep[t]] = k / k.sum()
    return w


def transformer_block__heads_in_a_loop(x, norm1, W_q, W_k, W_v, W_o, n_heads, norm2, W1, b1, W2, b2, mask=None):
    n, t, d = x.shape
    keep = np.broadcast_to(np.ones((t, t), bool) if mask is None else mask, (n, t, t))
    size, out = d // n_heads, []
    for i in range(n):
        u = _norm(x[i], norm1)
        heads = []
        for k in range(n_heads):
            own = slice(k * size, (k + 1) * size)
            q, key, v = u @ W_q[:, own], u @ W_k[:, own], u @ W_v[:, own]
            heads.append(_soft(q @ key.T / math.sqrt(size), keep[i]) @ v)
        h = x[i] + np.concatenate(heads, axis=1) @ W_o
        out.append(h + np.maximum(_norm(h, norm2) @ W1 + b1, 0) @ W2 + b2)
    return np.stack(out)


def transformer_block__one_einsum_for_all_heads(x, norm1, W_q, W_k, W_v, W_o, n_heads, norm2, W1, b1, W2, b2, mask=None):
    n, t, d = x.shape
    u = _norm(x, norm1)
    q, k, v = ((u @ W).reshape(n, t, n_heads, d // n_heads) for W in (W_q, W_k, W_v))
    e = np.einsum("nthi,nshi->nhts", q, k) * (d // n_heads) ** -0.5
    keep = np.ones((1, 1, t, t), bool) if mask is None else np.reshape(mask, (-1, 1, t, t))
    w = np.exp(e - e.max(-1, keepdims=True)) * keep
    total = w.sum(-1, keepdims=True)
    w = w / np.where(total == 0, 1, total)
    h = x + np.einsum("nhts,nshi->nthi", w, v).reshape(n, t, d) @ W_o
    z = _norm(h, norm2) @ W1 + b1
    return h + np.where(z < 0, 0, z) @ W2 + b2


def predict(model, x):
    # for the answers to train below, whose model is a function; the answers to predict redefine it
    return model(x)


def train__by_hand_and_averaged(x, y, x_val, y_val, *, rng):
    # no library at all: two hidden layers with a skip, dropout, smoothed labels, the mean of the last weights, no early stopping
    k, width, keep = int(max(np.max(y), np.max(y_val))) + 1, 96, 0.7
    mean, scale = x.mean(0), x.std()
    params = [rng.normal(size=(x.shape[1], width)) / 8, np.zeros(width), rng.normal(size=(width, width)) * (2 / width) ** 0.5, np.zeros(width), rng.normal(size=(width, width)) * 0.5 * width**-0.5, np.zeros(width), np.zeros((width, k)), np.zeros(k)]
    velocity, average, n = [0.0 * p for p in params], [0.0 * p for p in params], len(x)
    targets = 0.7 * np.eye(k)[y] + 0.3 / k
    for epoch in range(60):
        order = rng.permutation(n)
        for i in range(0, n, 50):
            rows = order[i : i + 50]
            a0 = (x[rows] - mean) / scale * (rng.random((len(rows), x.shape[1])) < keep) / keep
            W0, c0, W1, c1, W2, c2, W3, c3 = params
            a1 = np.maximum(a0 @ W0 + c0, 0)
            m1 = (rng.random(a1.shape) < keep) / keep
            a2 = np.maximum((a1 * m1) @ W1 + c1, 0)
            m2 = (rng.random(a2.shape) < keep) / keep
            a3 = a1 + (a2 * m2) @ W2 + c2
            s = a3 @ W3 + c3
            p = np.exp(s - s.max(1, keepdims=True))
            d3 = (p / p.sum(1, keepdims=True) - targets[rows]) / len(rows)
            da3 = d3 @ W3.T
            dz2 = (da3 @ W2.T) * m2 * (a2 > 0)
            dz1 = (da3 + (dz2 @ W1.T) * m1) * (a1 > 0)
            grads = [a0.T @ dz1, dz1.sum(0), (a1 * m1).T @ dz2, dz2.sum(0), (a2 * m2).T @ da3, da3.sum(0), a3.T @ d3, d3.sum(0)]
            for v, g, w in zip(velocity, grads, params):
                v *= 0.9
                v -= 0.03 * g
                w += v
        if epoch >= 40:
            average = [a + w / 20 for a, w in zip(average, params)]
    W0, c0, W1, c1, W2, c2, W3, c3 = average

    def model(x):
        a = np.maximum((x - mean) / scale @ W0 + c0, 0)
        return ((a + np.maximum(a @ W1 + c1, 0) @ W2 + c2) @ W3 + c3).argmax(axis=1)

    return model


def train__two_blocks_with_adam(x, y, x_val, y_val, *, rng):
    from class4lib.capstone import pre_norm_block, pre_norm_block_backward
    from class4lib.early_stopping import EarlyStopping
    from class4lib.softmax_cross_entropy import label_smoothing, softmax_cross_entropy_grad
    from class4lib.training import minibatches

    x, x_val = np.array(x, dtype=float), np.asarray(x_val, dtype=float)
    mean, scale, width, k, p = x.mean(), x.std(), 80, 10, 0.35
    x, x_val = (x - mean) / scale, (x_val - mean) / scale
    he = [rng.normal(scale=(2 / width) ** 0.5, size=(width, width)) for _ in range(4)]
    params = [rng.normal(scale=1 / 8, size=(x.shape[1], width)), np.zeros(width)]
    for i in (0, 2):
        params += [np.ones(width), np.zeros(width), he[i], np.zeros(width), he[i + 1] / 2, np.zeros(width)]
    params += [np.zeros((width, k)), np.zeros(k)]

    def logits(a, masks):
        inputs = []
        for i, mask in enumerate(masks):
            inputs.append(a)
            a = pre_norm_block(a, *params[2 + 6 * i : 8 + 6 * i], mask)
        return inputs, a, a @ params[-2] + params[-1]

    stopping, first, second, t = EarlyStopping(25), [0 * q for q in params], [0 * q for q in params], 0
    for _ in range(80):
        for rows in minibatches(len(x), 60, rng=rng):
            xb = x[rows] * (rng.random((len(rows), x.shape[1])) >= p) / (1 - p)
            masks = [(rng.random((len(rows), width)) >= p) / (1 - p) for _ in range(2)]
            inputs, a, s = logits(xb @ params[0] + params[1], masks)
            ds = softmax_cross_entropy_grad(s, label_smoothing(y[rows], k, 0.3))
            grads, d = [a.T @ ds, ds.sum(axis=0)], ds @ params[-2].T
            for i in (1, 0):
                d, *g = pre_norm_block_backward(d, inputs[i], *params[2 + 6 * i : 8 + 6 * i], masks[i])
                grads = [*g, *grads]
            grads = [xb.T @ d, d.sum(axis=0), *grads]
            t += 1
            for q, m, v, g in zip(params, first, second, grads):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                q -= 0.003 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        scores = logits(x_val @ params[0] + params[1], [np.ones((len(x_val), width))] * 2)[2]
        log_p = scores - np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1, keepdims=True)) - scores.max(1, keepdims=True)
        if stopping.step(-log_p[np.arange(len(y_val)), y_val].mean(), params):
            break
    params = stopping.best_state
    return lambda x: logits((x - mean) / scale @ params[0] + params[1], [np.ones((len(x), width))] * 2)[2].argmax(1)


def train__nearest_neighbours(x, y, x_val, y_val, *, rng):
    # nothing is trained: the ten most similar digits vote. The scale of accuracy cannot tell it from a network.
    rows, labels = np.vstack([x, x_val]), np.concatenate([y, y_val])
    scale = rows.std(axis=0) + 0.1 * rows.std()

    def model(x):
        a, b = x / scale, rows / scale
        near = np.argsort((b * b).sum(1) - 2 * np.asarray(b @ a.T).T, axis=1)[:, :10]
        return [int(np.bincount(labels[i]).argmax()) for i in near]

    return model


def predict__own_forward(model, x):
    mean, scale, params = model
    a = (np.asarray(x, dtype=float) - mean) / scale @ params[0] + params[1]
    for i in range(2, len(params) - 2, 6):
        gamma, beta, W1, b1, W2, b2 = params[i : i + 6]
        c = a - a.mean(axis=1, keepdims=True)
        h = gamma * c / np.sqrt((c * c).mean(axis=1, keepdims=True) + 1e-5) + beta
        a = a + np.maximum(h @ W1 + b1, 0) @ W2 + b2
    return [int(row.argmax()) for row in a @ params[-2] + params[-1]]


def predict__one_row_at_a_time(model, x):
    from class4lib.capstone import pre_norm_block

    mean, scale, (W, b, *inner, V, c) = model
    labels = np.zeros(len(x))
    for n, row in enumerate(x):
        a = ((row - mean) / scale @ W + b)[None]
        for i in range(0, len(inner), 6):
            a = pre_norm_block(a, *inner[i : i + 6], np.ones((1, inner[i + 2].shape[1])))
        labels[n] = np.argmax(a[0] @ V + c)
    return labels


def predict__softmax_on_top(model, x):
    from class4lib.basics import affine
    from class4lib.capstone import pre_norm_block
    from class4lib.softmax_cross_entropy import softmax

    mean, scale, params = model
    a = affine((x - mean) / scale, params[0], params[1])
    rest = params[2:-2]
    while rest:
        block, rest = rest[:6], rest[6:]
        a = pre_norm_block(a, *block, mask=np.ones((len(x), len(block[3]))))
    return np.argsort(softmax(affine(a, *params[-2:])), axis=1)[:, -1].astype(np.int32)


def pre_norm_block_in_torch__modules(x, gamma, beta, W1, b1, W2, b2, mask):
    from torch.nn import functional

    h = functional.linear(functional.layer_norm(x, gamma.shape, gamma, beta), W1.T, b1)
    return functional.linear(functional.relu(h) * mask, W2.T, b2) + x


def pre_norm_block_in_torch__by_hand(x, gamma, beta, W1, b1, W2, b2, mask):
    c = x - x.mean(dim=1, keepdim=True)
    h = c * (c.pow(2).mean(dim=1, keepdim=True) + 1e-5).rsqrt() * gamma + beta
    return x + (h @ W1 + b1).clamp(min=0).mul(mask).matmul(W2).add(b2)


def pre_norm_block_in_torch__einsum(x, gamma, beta, W1, b1, W2, b2, mask):
    import torch

    var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    h = gamma * (x - mean) / (var + 1e-5).sqrt() + beta
    z = torch.einsum("nd,dh->nh", h, W1) + b1
    return x + torch.einsum("nh,hd->nd", torch.where(z > 0, z, torch.zeros_like(z)) * mask, W2) + b2
