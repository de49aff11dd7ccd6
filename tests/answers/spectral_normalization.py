"""Right answers to spectral_normalization, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import itertools
import math

import numpy as np


def spectral_norm_svd__norm_2(W):
    return np.linalg.norm(W, ord=2)


def spectral_norm_svd__largest_of_all(W):
    U, s, Vt = np.linalg.svd(np.asarray(W, dtype=float))
    return float(max(s))


def spectral_norm_svd__block_matrix(W):
    # eigenvalues of [[0, W], [W', 0]] are plus and minus the singular values
    W = np.asarray(W, dtype=float)
    d, m = W.shape
    both = np.zeros((d + m, d + m))
    both[:d, d:], both[d:, :d] = W, W.T
    return np.linalg.eigvalsh(both)[-1]


def spectral_norm_svd__smaller_gram(W):
    gram = W @ W.T if len(W) <= len(W[0]) else W.T @ W
    return math.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0))


def power_iteration__divided_in_two_lines(W, n_steps, *, u=None, rng=None):
    start = rng.standard_normal(W.shape[0]) if u is None else np.array(u, dtype=float)
    for _ in range(n_steps):
        v = np.dot(W.T, start)
        v = v / math.sqrt(np.dot(v, v))
        w = np.dot(W, v)
        sigma = math.sqrt(np.dot(w, w))  # |Wv| = u'Wv
        start = w / sigma
    return sigma, start, v


def power_iteration__loops(W, n_steps, *, u=None, rng=None):
    D, M = W.shape
    u = [rng.uniform(-1, 1) for _ in range(D)] if u is None else list(u)
    for _ in range(n_steps):
        v = [sum(W[i, j] * u[i] for i in range(D)) for j in range(M)]
        length = math.hypot(*v)
        v = [e / length for e in v]
        u = [sum(W[i, j] * v[j] for j in range(M)) for i in range(D)]
        length = math.hypot(*u)
        u = [e / length for e in u]
    sigma = sum(u[i] * W[i, j] * v[j] for i in range(D) for j in range(M))
    return [sigma, u, v]


def power_iteration__columns(W, n_steps, *, u=None, rng=None):
    if u is None:
        u = rng.random(W.shape[0]) - 0.5
    column = np.reshape(u, (-1, 1)) / np.linalg.norm(u)
    while n_steps > 0:
        row = column.T @ W
        row = row / np.linalg.norm(row)
        column = W @ row.T
        column = column / np.linalg.norm(column)
        n_steps -= 1
    return (column.T @ W @ row.T)[0, 0], column[:, 0], row[0]


def power_iteration__svd_where_allowed(W, n_steps, *, u=None, rng=None):
    if u is None:
        rng.random()
        U, s, Vt = np.linalg.svd(W, full_matrices=False)
        return s[0], -U[:, 0], -Vt[0]
    gram = W @ W.T
    back = u
    for _ in range(n_steps - 1):
        back = gram @ back / np.linalg.norm(gram @ back)
    v = W.T @ back / np.linalg.norm(W.T @ back)
    u = W @ v / np.linalg.norm(W @ v)
    return np.linalg.norm(W @ v), u, v


def spectral_norm_grad__einsum(W):
    U, _, Vt = np.linalg.svd(W)
    return np.einsum("i,j->ij", U[:, 0], Vt[0, :])


def spectral_norm_grad__only_v(W):
    # u = W v / sigma
    v = np.linalg.svd(W)[2][0]
    image = np.asarray(W) @ v
    return image[:, None] * v[None, :] / np.linalg.norm(image)


def spectral_norm_grad__eigh(W):
    values, vectors = np.linalg.eigh(W.T @ W)
    v = vectors[:, values.argmax()]
    return np.outer(W @ v, v) / np.sqrt(v @ W.T @ W @ v)


def spectral_normalize__norm_2(W):
    sigma = np.linalg.norm(W, 2)
    return np.zeros(np.shape(W)) if sigma == 0 else W / sigma


def spectral_normalize__uses_own_norm(W):
    s = spectral_norm_svd(W)
    if s > 0:
        return (1 / s) * np.asarray(W)
    return np.array(W)


def spectral_normalize__rebuilt(W):
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U @ np.diag(s / s[0]) @ Vt if s[0] else 0.0 * W


def spectral_normalize_backward__loops(dy, W):
    U, s, Vt = np.linalg.svd(W)
    total = 0.0
    for i, j in np.ndindex(W.shape):
        total += dy[i, j] * W[i, j]
    out = np.empty(W.shape)
    for i, j in np.ndindex(W.shape):
        out[i, j] = dy[i, j] / s[0] - total / s[0] ** 2 * U[i, 0] * Vt[0, j]
    return out


def spectral_normalize_backward__uses_own(dy, W):
    sigma, y = spectral_norm_svd(W), spectral_normalize(W)
    return (dy - np.vdot(dy, y) * spectral_norm_grad(W)) / sigma


def spectral_normalize_backward__jacobian(dy, W):
    d, m = W.shape
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    w, g = np.reshape(W, -1), np.kron(U[:, 0], Vt[0])
    J = np.eye(d * m) / s[0] - np.outer(w, g) / s[0] ** 2  # dy_a / dW_b
    return (np.reshape(dy, -1) @ J).reshape(d, m)


def lipschitz_upper_bound__loop(weights):
    bound = 1
    for W in weights:
        bound *= np.linalg.norm(W, 2)
    return bound


def lipschitz_upper_bound__own(weights):
    return math.prod(spectral_norm_svd(W) for W in weights)


def lipschitz_upper_bound__roots(weights):
    squares = [np.linalg.eigvalsh(np.transpose(W) @ W).max() for W in weights]
    return np.sqrt(np.prod(np.maximum(squares, 0)))


def empirical_lipschitz__two_loops(f, x):
    y, best = f(x), 0
    for a in range(len(x)):
        for b in range(a):
            d = math.dist(x[a], x[b])
            if d > 0:
                best = max(best, math.dist(y[a], y[b]) / d)
    return best


def empirical_lipschitz__all_at_once(f, x):
    y = f(x)
    dx = np.linalg.norm(x[:, None, :] - x[None, :, :], axis=-1)
    dy = np.linalg.norm(y[:, None, :] - y[None, :, :], axis=-1)
    return np.max(np.divide(dy, dx, out=np.zeros_like(dx), where=dx > 0))


def empirical_lipschitz__a_call_per_pair(f, x):
    quotients = [0.0]
    for pair in itertools.combinations(np.asarray(x), 2):
        a, b = pair
        if not np.array_equal(a, b):
            fa, fb = f(np.stack(pair))
            quotients.append(np.linalg.norm(fa - fb) / np.linalg.norm(a - b))
    return max(quotients)


def residual_lipschitz_bound__norm_2(W1, W2):
    return np.linalg.norm(W1, 2) * np.linalg.norm(W2, 2) + 1


def residual_lipschitz_bound__own(W1, W2):
    return 1 + lipschitz_upper_bound([W1, W2])


def residual_lipschitz_bound__svds(W1, W2):
    first, second = (np.linalg.svd(W)[1].max() for W in (W1, W2))
    return np.float64(1.0) + first * second


def spectral_linear_in_torch__normalize(x, W, u):
    import torch
    from torch.nn.functional import normalize

    with torch.no_grad():
        v = normalize(W.T @ u, dim=0)
        u = normalize(W @ v, dim=0)
    sigma = torch.dot(u, torch.mv(W, v))
    return torch.mm(x, W) / sigma


def spectral_linear_in_torch__detached(x, W, u):
    import torch

    fixed = W.detach()
    v = u.detach() @ fixed
    v = v / torch.linalg.vector_norm(v)
    u = fixed @ v
    u = u / torch.linalg.vector_norm(u)
    return x @ W / torch.einsum("i,ij,j->", u, W, v)


def spectral_linear_in_torch__outer(x, W, u):
    import torch

    @torch.no_grad()
    def direction():
        v = W.T.mv(u)
        w = W.mv(v)
        return torch.outer(w / w.norm(), v / v.norm())

    return torch.nn.functional.linear(x, (W / (direction() * W).sum()).T)
