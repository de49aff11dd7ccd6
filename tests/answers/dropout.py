"""Right answers to dropout, written from the stubs alone, each in another way: other algebra, loops, other draws."""

import numpy as np


def dropout_mean__two_outcomes(x, p):
    kept = np.asarray(x, dtype=float) / (1 - p)
    return p * 0.0 + (1 - p) * kept


def dropout_mean__as_it_is(x, p):
    return x


def dropout_mean__loop(x, p):
    out = np.empty(np.shape(x))
    for index, value in np.ndenumerate(np.asarray(x)):
        out[index] = value
    return out


def dropout_variance__moments(x, p):
    kept = np.asarray(x, dtype=float) / (1 - p)
    mean = (1 - p) * kept
    return (1 - p) * (kept - mean) ** 2 + p * mean**2


def dropout_variance__coin(x, p):
    scale = np.asarray(x) / (1.0 - p)
    return scale * scale * p * (1 - p)


def dropout_variance__loop(x, p):
    x = np.array(x, dtype=float)
    flat = [v * v / (1 - p) - v * v for v in x.ravel().tolist()]
    return np.array(flat).reshape(x.shape)


def dropout__binomial(x, p, *, training, rng=None):
    x = np.asarray(x, dtype=float)
    if not training:
        return x, np.ones(x.shape)
    mask = rng.binomial(1, 1 - p, size=x.shape) / (1 - p)
    return x * mask, mask


def dropout__rows(x, p, *, training, rng=None):
    mask = np.ones(np.shape(x))
    if training:
        for i in range(len(x)):
            for j in range(len(x[i])):
                mask[i, j] = 0.0 if rng.uniform() < p else 1.0 / (1.0 - p)
    return np.multiply(x, mask), mask


def dropout__choice(x, p, *, training, rng=None):
    if training:
        mask = rng.choice([0.0, 1 / (1 - p)], size=np.shape(x), p=[p, 1 - p])
    else:
        mask = np.ones_like(x, dtype=float)
    return np.where(mask == 0, 0.0, x * mask), mask


def dropout__transposed_draws(x, p, *, training, rng=None):
    n, d = np.shape(x)
    keep = (rng.random((d, n)).T > p) if training else np.full((n, d), True)
    mask = keep * (1 / (1 - p) if training else 1.0)
    return x * mask, mask


def dropout__normal_signs(x, p, *, training, rng=None):
    # a uniform number from the angle of two normal ones: unusual, but independent and right
    if not training:
        return np.array(x), np.ones(np.shape(x))
    a, b = rng.standard_normal((2, *np.shape(x)))
    u = (np.arctan2(a, b) + np.pi) / (2 * np.pi)
    mask = np.where(u < p, 0.0, 1 / (1 - p))
    return mask * x, mask


def dropout_backward__product(dy, mask):
    return np.multiply(dy, mask)


def dropout_backward__where(dy, mask):
    return np.where(mask == 0, 0.0, dy * mask)


def dropout_backward__einsum(dy, mask):
    return np.einsum("...,...->...", np.asarray(dy, dtype=float), mask)


def marginal_dropout_loss__loops(w, X, y, p):
    total = 0.0
    for row, target in zip(X, y):
        prediction = sum(float(a) * float(b) for a, b in zip(row, w))
        variance = sum(p / (1 - p) * (float(a) * float(b)) ** 2 for a, b in zip(row, w))
        total += 0.5 * ((prediction - target) ** 2 + variance)
    return total / len(y)


def marginal_dropout_loss__quadratic_form(w, X, y, p):
    n = len(X)
    G = X.T @ X / n
    A = G + p / (1 - p) * np.diag(np.diag(G))
    return 0.5 * (w @ A @ w) - w @ X.T @ y / n + 0.5 * (y @ y) / n


def marginal_dropout_loss__moments(w, X, y, p):
    # E[(s - y)^2] = E[s^2] - 2 y E[s] + y^2 with E[s^2] = Var + mean^2
    terms = X * w
    mean = terms.sum(1)
    second = p / (1 - p) * (terms**2).sum(1) + mean**2
    return np.mean(second - 2 * y * mean + y * y) / 2


def marginal_dropout_loss_grad__loops(w, X, y, p):
    n, d = np.shape(X)
    g = [0.0] * d
    for i in range(n):
        r = sum(X[i][k] * w[k] for k in range(d)) - y[i]
        for j in range(d):
            g[j] += (r * X[i][j] + p / (1 - p) * w[j] * X[i][j] ** 2) / n
    return np.array(g)


def marginal_dropout_loss_grad__matrix(w, X, y, p):
    G = X.T @ X / len(X)
    return (G + p / (1 - p) * np.diag(np.diag(G))) @ w - X.T @ y / len(X)


def marginal_dropout_loss_grad__per_example(w, X, y, p):
    each = (X @ w - y)[:, None] * X + (1 / (1 - p) - 1) * X**2 * w
    return each.mean(axis=0)


def mc_dropout_predict__list(model, x, n_samples, *, rng):
    passes = []
    while len(passes) < n_samples:
        passes.append(model(x, rng))
    mean = sum(passes) / n_samples
    spread = np.sqrt(sum((q - mean) ** 2 for q in passes) / n_samples)
    return mean, spread


def mc_dropout_predict__welford(model, x, n_samples, *, rng):
    mean, m2 = 0.0, 0.0
    for k in range(1, n_samples + 1):
        y = np.asarray(model(x, rng))
        delta = y - mean
        mean = mean + delta / k
        m2 = m2 + delta * (y - mean)
    return mean, (m2 / n_samples) ** 0.5


def mc_dropout_predict__array(model, x, n_samples, *, rng):
    s = np.array([model(x, rng) for _ in range(n_samples)])
    return np.average(s, axis=0), np.sqrt(np.var(s, axis=0))


def dropout_layer_in_torch__where(x, W, b, u, p):
    import torch

    h = torch.clamp(torch.addmm(b, x, W), min=0)
    return torch.where(u < p, torch.zeros_like(h), h / (1 - p))


def dropout_layer_in_torch__functional(x, W, b, u, p):
    import torch

    h = torch.nn.functional.relu(torch.nn.functional.linear(x, W.T, b))
    return h.mul(torch.ge(u, p)).div(1 - p)


def dropout_layer_in_torch__mask_first(x, W, b, u, p):
    import torch

    mask = 1.0 / (1.0 - p) * (1 - (u < p).double())
    return torch.einsum("nd,dm->nm", x, W).add(b).mul(mask).relu()
