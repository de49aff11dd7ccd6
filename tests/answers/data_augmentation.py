"""Right answers to data_augmentation, written from the stubs alone, each in another way: other algebra, loops, other draws."""

import math

import numpy as np


def rotation_matrix__complex(theta):
    z = np.exp(1j * theta)
    return np.array([[z.real, -z.imag], [z.imag, z.real]])


def rotation_matrix__lists(theta):
    return [[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]]


def rotation_matrix__quarter_turn(theta):
    return math.cos(theta) * np.eye(2) + math.sin(theta) * np.array([[0, -1], [1, 0]])


def rotate_points__complex(x, theta):
    x = np.asarray(x, dtype=float)
    z = (x[:, 0] + 1j * x[:, 1]) * np.exp(1j * theta)
    return np.column_stack([z.real, z.imag])


def rotate_points__loop(x, theta):
    result = np.zeros((len(x), 2))
    for i, (a, b) in enumerate(x):
        result[i] = math.cos(theta) * a - math.sin(theta) * b, math.sin(theta) * a + math.cos(theta) * b
    return result


def rotate_points__columns(x, theta):
    c, s = np.cos(theta), np.sin(theta)
    return (np.array([[c, -s], [s, c]]) @ np.asarray(x).T).T


def translate_points__loop(x, t):
    result = np.array(x, dtype=float)
    for d in range(result.shape[1]):
        result[:, d] += t[d]
    return result


def translate_points__tile(x, t):
    return np.add(x, np.tile(t, (len(x), 1)))


def translate_points__homogeneous(x, t):
    x = np.asarray(x, dtype=float)
    return np.hstack([x, np.ones((len(x), 1))]) @ np.vstack([np.eye(x.shape[1]), t])


def scale_points__diagonal(x, s):
    x = np.asarray(x, dtype=float)
    return x @ np.diag(np.broadcast_to(s, x.shape[1]))


def scale_points__loop(x, s):
    result = np.array(x, dtype=float)
    s = np.ones(result.shape[1]) * s
    for row in result:
        row *= s
    return result


def scale_points__einsum(x, s):
    return np.einsum("nd,d->nd", x, np.full(np.shape(x)[1], s) if np.ndim(s) == 0 else s)


def rotate_images__loop(images, theta):
    images = np.asarray(images, dtype=float)
    n, h, w = images.shape
    out = np.zeros((n, h, w))
    c, s = math.cos(theta), math.sin(theta)
    for i in range(h):
        for j in range(w):
            x, y = j - (w - 1) / 2, (h - 1) / 2 - i
            row, col = (h - 1) / 2 - (-s * x + c * y), (w - 1) / 2 + c * x + s * y
            a, b = math.floor(row), math.floor(col)
            for p in (a, a + 1):
                for q in (b, b + 1):
                    if 0 <= p < h and 0 <= q < w:
                        out[:, i, j] += (1 - abs(row - p)) * (1 - abs(col - q)) * images[:, p, q]
    return out


def rotate_images__masks(images, theta):
    images = np.asarray(images, dtype=float)
    _, h, w = images.shape
    i, j = np.indices((h, w))
    x, y = j - (w - 1) / 2, (h - 1) / 2 - i
    r = (h - 1) / 2 - (np.cos(theta) * y - np.sin(theta) * x)
    c = (w - 1) / 2 + np.cos(theta) * x + np.sin(theta) * y
    r0, c0 = np.floor(r).astype(int), np.floor(c).astype(int)
    fr, fc = r - r0, c - c0

    def at(a, b):
        inside = (a >= 0) & (a < h) & (b >= 0) & (b < w)
        return np.where(inside, images[:, a % h, b % w], 0.0)

    return (1 - fr) * ((1 - fc) * at(r0, c0) + fc * at(r0, c0 + 1)) + fr * ((1 - fc) * at(r0 + 1, c0) + fc * at(r0 + 1, c0 + 1))


def rotate_images__tents(images, theta):
    """A matrix of weights from every pixel to every pixel."""
    images = np.asarray(images, dtype=float)
    n, h, w = images.shape
    z = np.exp(-1j * theta) * (np.arange(w)[None] - (w - 1) / 2 + 1j * ((h - 1) / 2 - np.arange(h)[:, None]))
    r, c = ((h - 1) / 2 - z.imag).ravel(), (z.real + (w - 1) / 2).ravel()
    rows = np.maximum(0, 1 - np.abs(r[:, None] - np.arange(h)))
    cols = np.maximum(0, 1 - np.abs(c[:, None] - np.arange(w)))
    return np.einsum("ph,pw,nhw->np", rows, cols, images).reshape(n, h, w)


def translate_images__loop(images, rows, columns):
    images = np.asarray(images, dtype=float)
    n, h, w = images.shape
    out = np.zeros((n, h, w))
    for i in range(h):
        for j in range(w):
            if 0 <= i - rows < h and 0 <= j - columns < w:
                out[:, i, j] = images[:, i - rows, j - columns]
    return out


def translate_images__matrices(images, rows, columns):
    _, h, w = np.shape(images)
    return np.eye(h, k=-rows) @ np.asarray(images, dtype=float) @ np.eye(w, k=columns)


def translate_images__pad(images, rows, columns):
    _, h, w = np.shape(images)
    a, b = abs(rows), abs(columns)
    padded = np.pad(images, ((0, 0), (a, a), (b, b)))
    return padded[:, a - rows : a - rows + h, b - columns : b - columns + w]


def add_gaussian_noise__normal(x, sigma, *, rng):
    return x + rng.normal(0.0, sigma, size=np.shape(x))


def add_gaussian_noise__loc(x, sigma, *, rng):
    return rng.normal(x, sigma)


def add_gaussian_noise__box_muller(x, sigma, *, rng):
    x = np.asarray(x, dtype=float)
    u, v = 1 - rng.random(x.shape), rng.random(x.shape)
    return x + sigma * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)


class Normalizer__sums:
    def fit(self, x):
        x = np.asarray(x, dtype=float)
        self.mean_ = x.sum(axis=0) / len(x)
        self.std_ = np.sqrt(((x - self.mean_) ** 2).sum(axis=0) / len(x))
        self.std_[np.ptp(x, axis=0) == 0] = 1.0
        return self

    def transform(self, x):
        return (np.asarray(x) - self.mean_) / self.std_


class Normalizer__columns:
    def fit(self, x):
        columns = [np.array(c, dtype=float) for c in zip(*x, strict=True)]
        self.mean_ = np.array([c.mean() for c in columns])
        self.std_ = np.array([1.0 if (c == c[0]).all() else np.std(c) for c in columns])
        return self

    def transform(self, x):
        out = np.array(x, dtype=float)
        for row in out:
            row -= self.mean_
            row /= self.std_
        return out


class Normalizer__where:
    def __init__(self):
        self.mean_ = self.std_ = None

    def fit(self, x):
        x = np.array(x, dtype=float)
        constant = (x == x[:1]).all(axis=0)
        self.mean_ = np.mean(x, axis=0)
        self.std_ = np.where(constant, 1, np.var(x, axis=0) ** 0.5)
        return self

    def transform(self, x):
        return np.divide(np.subtract(x, self.mean_), self.std_)


def noise_penalty__norm(w, sigma):
    return np.linalg.norm(sigma * np.asarray(w)) ** 2 / 2


def noise_penalty__loop(w, sigma):
    return sum(0.5 * (sigma * float(v)) ** 2 for v in w)


def noise_penalty__covariance(w, sigma):
    w = np.asarray(w, dtype=float)
    return 0.5 * w @ (sigma**2 * np.eye(len(w))) @ w


def noise_ridge_loss__loop(w, X, y, sigma):
    total = 0.0
    for row, target in zip(X, y, strict=True):
        r = sum(a * b for a, b in zip(row, w, strict=True)) - target
        total += 0.5 * r * r + 0.5 * sigma**2 * sum(v * v for v in w)
    return total / len(y)


def noise_ridge_loss__stacked(w, X, y, sigma):
    X, n = np.asarray(X, dtype=float), len(X)
    a = np.vstack([X, sigma * np.sqrt(n) * np.eye(X.shape[1])])
    r = a @ w - np.concatenate([y, np.zeros(X.shape[1])])
    return r @ r / (2 * n)


def noise_ridge_loss__moments(w, X, y, sigma):
    w, X, y = (np.asarray(v, dtype=float) for v in (w, X, y))
    second = X.T @ X / len(X) + sigma**2 * np.eye(len(w))
    return (w @ second @ w - 2 * w @ X.T @ y / len(X) + y @ y / len(X)) / 2


def noise_ridge_loss_grad__loop(w, X, y, sigma):
    g = sigma**2 * np.asarray(w, dtype=float)
    for row, target in zip(np.asarray(X, dtype=float), y, strict=True):
        g = g + (row @ w - target) * row / len(y)
    return g


def noise_ridge_loss_grad__moments(w, X, y, sigma):
    X = np.asarray(X, dtype=float)
    return (X.T @ X / len(X) + sigma**2 * np.eye(X.shape[1])) @ w - X.T @ np.asarray(y) / len(X)


def noise_ridge_loss_grad__mean(w, X, y, sigma):
    X = np.asarray(X, dtype=float)
    r = X @ w - y
    return np.mean(r[:, None] * X, axis=0) + sigma * sigma * np.asarray(w)


def noise_ridge_loss_in_torch__mse(w, X, y, sigma):
    import torch

    return 0.5 * torch.nn.functional.mse_loss(X @ w, y) + 0.5 * sigma**2 * w.pow(2).sum()


def noise_ridge_loss_in_torch__stacked(w, X, y, sigma):
    import torch

    r = torch.cat([X @ w - y, sigma * len(X) ** 0.5 * w])
    return r.dot(r) / (2 * len(X))


def noise_ridge_loss_in_torch__norms(w, X, y, sigma):
    r = (X * w).sum(dim=1) - y
    return (r.square().mean() + (sigma * w).square().sum()) / 2
