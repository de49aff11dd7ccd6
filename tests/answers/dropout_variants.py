"""Right answers to dropout_variants, written from the stubs alone, each in another way: other algebra, loops, other draws."""
import itertools

import numpy as np


def spatial_dropout__binomial(x, p, *, training, rng=None):
    n, c = x.shape[0], x.shape[1]
    if not training:
        return np.copy(x), np.ones((n, c, 1, 1))
    mask = rng.binomial(1, 1 - p, size=(n, c)).reshape(n, c, 1, 1) * (1 / (1 - p))
    return x * mask, mask


def spatial_dropout__map_by_map(x, p, *, training, rng=None):
    x = np.asarray(x, dtype=float)
    y = np.empty(x.shape)
    mask = np.zeros((len(x), len(x[0]), 1, 1))
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            if not training or rng.uniform() > p:
                mask[n, c] = 1 / (1 - p) if training else 1
            y[n, c] = x[n, c] * mask[n, c, 0, 0]
    return y, mask


def spatial_dropout__choice(x, p, *, training, rng=None):
    shape = (*x.shape[:2], 1, 1)
    mask = rng.choice([0.0, 1 / (1 - p)], size=shape, p=[p, 1 - p]) if training else np.ones(shape)
    return np.einsum("nchw,nc->nchw", x, mask[:, :, 0, 0]), mask


def spatial_dropout__where(x, p, *, training, rng=None):
    if not training or p == 0:
        return x, np.ones_like(x[:, :, :1, :1])
    mask = np.where(rng.random(x.shape[:2]) < p, 0.0, 1.0 / (1.0 - p))[..., np.newaxis, np.newaxis]
    return x * mask, mask


def spatial_dropout_backward__einsum(dy, mask):
    return np.einsum("nchw,nc->nchw", dy, mask[:, :, 0, 0])


def spatial_dropout_backward__loops(dy, mask):
    out = np.zeros(np.shape(dy))
    for i, c in np.ndindex(dy.shape[:2]):
        if mask[i, c, 0, 0] != 0:
            out[i, c] = dy[i, c] * mask[i, c, 0, 0]
    return out


def spatial_dropout_backward__broadcast(dy, mask):
    return dy * np.broadcast_to(mask, dy.shape)


def dropconnect_mean__einsum(x, W, b, p):
    return b + np.einsum("nd,dm->nm", x, W)


def dropconnect_mean__two_values(x, W, b, p):
    mean_of_mask = p * 0 + (1 - p) * (1 / (1 - p))
    return np.asarray(x) @ (mean_of_mask * np.asarray(W)) + b


def dropconnect_mean__loops(x, W, b, p):
    out = np.zeros((len(x), len(W[0])))
    for n in range(len(x)):
        for m in range(len(W[0])):
            out[n, m] = sum(x[n][d] * W[d][m] for d in range(len(W))) + b[m]
    return out


def dropconnect_variance__einsum(x, W, p):
    return np.einsum("nd,dm->nm", np.square(x), np.square(W)) * p / (1 - p)


def dropconnect_variance__every_mask(x, W, p):
    x, W = np.asarray(x, dtype=float), np.asarray(W, dtype=float)
    first = second = 0.0
    for kept in itertools.product([0, 1], repeat=len(W)):
        chance = (1 - p) ** sum(kept) * p ** (len(kept) - sum(kept))
        z = (x * np.array(kept) / (1 - p)) @ W
        first, second = first + chance * z, second + chance * z**2
    return np.where(p > 0, second - first**2, np.zeros(first.shape))


def dropconnect_variance__moments(x, W, p):
    second_moment = (1 - p) * (1 / (1 - p)) ** 2
    terms = x[:, :, None] * W[None]
    return ((second_moment - 1) * terms**2).sum(axis=1)


def dropconnect__einsum_binomial(x, W, b, p, *, training, rng=None):
    shape = (x.shape[0], W.shape[0], W.shape[1])
    mask = rng.binomial(1, 1 - p, shape) / (1 - p) if training else np.ones(shape)
    return np.einsum("nd,dm,ndm->nm", x, W, mask) + b, mask


def dropconnect__example_by_example(x, W, b, p, *, training, rng=None):
    ys, masks = [], []
    for row in x:
        m = np.ones(W.shape)
        if training:
            m = np.where(rng.uniform(size=W.shape) < p, 0, 1 / (1 - p))
        ys.append(row @ (m * W) + b)
        masks.append(m)
    return np.array(ys), np.array(masks)


def dropconnect__early_return(x, W, b, p, *, training, rng=None):
    n, (d, m) = len(x), W.shape
    if not training:
        return np.matmul(x, W) + b, np.ones((n, d, m))
    mask = rng.choice([0.0, 1 / (1 - p)], size=(n, d, m), p=[p, 1 - p])
    return (x[:, :, None] * mask * W).sum(axis=1) + b, mask


def dropconnect_backward__einsum(dy, x, W, mask):
    return np.einsum("nm,ndm,dm->nd", dy, mask, W), np.einsum("nm,nd,ndm->dm", dy, x, mask), np.einsum("nm->m", dy)


def dropconnect_backward__example_by_example(dy, x, W, mask):
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(dy.shape[1])
    for n in range(len(x)):
        thinned = mask[n] * W
        dx[n] = thinned @ dy[n]
        dW += np.outer(x[n], dy[n]) * mask[n]
        db += dy[n]
    return dx, dW, db


def dropconnect_backward__broadcast(dy, x, W, mask):
    g = mask * dy[:, np.newaxis, :]
    return [(g * W).sum(-1), (g * x[..., np.newaxis]).sum(0), dy.sum(0)]


def dropconnect_in_torch__einsum(x, W, b, keep, p):
    import torch

    return torch.einsum("nd,ndm->nm", x, keep.double() * W / (1 - p)) + b


def dropconnect_in_torch__where(x, W, b, keep, p):
    import torch

    thinned = torch.where(keep, W, torch.zeros_like(W))
    return b + (x.unsqueeze(1) @ thinned).squeeze(1) / (1 - p)


def dropconnect_in_torch__loop(x, W, b, keep, p):
    import torch

    rows = []
    for n in range(len(x)):
        rows.append(torch.nn.functional.linear(x[n], (W * keep[n]).T / (1 - p), b))
    return torch.stack(rows)


def dropconnect_in_torch__mask_first(x, W, b, keep, p):
    mask = keep / (1 - p)
    return (x[:, :, None] * mask * W).sum(dim=1) + b
