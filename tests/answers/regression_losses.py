"""Right answers to regression_losses, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math
import statistics

import numpy as np


def _per_example(values):
    values = np.asarray(values, dtype=float)
    return values if values.ndim == 1 else np.einsum("nd->n", values)


def _reduced(per_example, reduction):
    if reduction == "none":
        return per_example
    return np.sum(per_example) if reduction == "sum" else np.mean(per_example)


def _pairs(predictions, targets):
    """Rows of (prediction, target) pairs, whatever the number of axes."""
    a, b = np.asarray(predictions, float), np.asarray(targets, float)
    return [list(zip(np.atleast_1d(p).tolist(), np.atleast_1d(t).tolist())) for p, t in zip(a, b)]


def mse__loops(predictions, targets, reduction="mean"):
    losses = []
    for row in _pairs(predictions, targets):
        losses.append(sum((p - t) ** 2 / 2 for p, t in row))
    if reduction == "none":
        return losses
    total = math.fsum(losses)
    return total / len(losses) if reduction == "mean" else total


def mse__einsum(predictions, targets, reduction="mean"):
    r = np.subtract(predictions, targets, dtype=float).reshape(len(predictions), -1)
    return _reduced(0.5 * np.einsum("nd,nd->n", r, r), reduction)


def mse__norm(predictions, targets, reduction="mean"):
    r = np.asarray(predictions, float) - targets
    lengths = np.abs(r) if r.ndim == 1 else np.linalg.norm(r, axis=1)
    return _reduced(lengths**2 / 2, reduction)


def mse__variadic_axes(predictions, targets, reduction="mean"):
    squares = np.square(np.asarray(predictions) - np.asarray(targets)) / 2.0
    per_example = squares.sum(axis=tuple(range(1, squares.ndim)))
    return {"none": per_example, "sum": float(squares.sum()), "mean": float(squares.sum()) / squares.shape[0]}[reduction]


def mse_grad__negated(predictions, targets, reduction="mean"):
    g = -1.0 * np.subtract(targets, predictions)
    if reduction == "mean":
        g /= g.shape[0]
    return g


def mse_grad__loops(predictions, targets, reduction="mean"):
    n = len(predictions)
    scale = 1 / n if reduction == "mean" else 1.0
    out = np.zeros(np.shape(predictions))
    for index in np.ndindex(out.shape):
        out[index] = scale * (predictions[index] - targets[index])
    return out


def mse_grad__as_lists(predictions, targets, reduction="mean"):
    weight = {"mean": np.shape(predictions)[0]}.get(reduction, 1)
    return ((np.array(predictions) - np.array(targets)) / weight).tolist()


def mae__loops(predictions, targets, reduction="mean"):
    losses = []
    for row in _pairs(predictions, targets):
        loss = 0.0
        for p, t in row:
            loss += p - t if p > t else t - p
        losses.append(loss)
    return _reduced(np.array(losses), reduction)


def mae__max_minus_min(predictions, targets, reduction="mean"):
    return _reduced(_per_example(np.maximum(predictions, targets) - np.minimum(predictions, targets)), reduction)


def mae__one_norm(predictions, targets, reduction="mean"):
    r = np.subtract(predictions, targets).astype(float)
    return _reduced(np.linalg.norm(r.reshape(len(r), -1), ord=1, axis=1), reduction)


def mae__sign_times_residual(predictions, targets, reduction="mean"):
    r = predictions - targets
    per_example = (np.sign(r) * r).reshape(r.shape[0], -1) @ np.ones(r.size // r.shape[0])
    return _reduced(per_example, reduction)


def mae_grad__comparisons(predictions, targets, reduction="mean"):
    g = (predictions > targets).astype(float) - (predictions < targets)
    return g / len(g) if reduction == "mean" else g


def mae_grad__where(predictions, targets, reduction="mean"):
    r = predictions - targets
    g = np.where(r == 0, 0.0, np.where(r > 0, 1.0, -1.0))
    return g * (1 / len(r) if reduction == "mean" else 1)


def mae_grad__division_guarded(predictions, targets, reduction="mean"):
    r = np.asarray(predictions - targets, dtype=float)
    g = np.divide(r, np.abs(r), out=np.zeros_like(r), where=r != 0)
    return g / r.shape[0] if reduction == "mean" else g


def mae_grad__integers(predictions, targets, reduction="mean"):
    signs = np.sign(predictions - targets).astype(int)
    return signs / len(signs) if reduction == "mean" else signs


def huber__masks(predictions, targets, delta=1.0, reduction="mean"):
    size = np.abs(np.asarray(predictions, float) - targets)
    losses = 0.5 * size**2
    far = size > delta
    losses[far] = delta * (size[far] - 0.5 * delta)
    return _reduced(_per_example(losses), reduction)


def huber__loops(predictions, targets, delta=1.0, reduction="mean"):
    losses = []
    for row in _pairs(predictions, targets):
        loss = 0.0
        for p, t in row:
            r = abs(p - t)
            loss += r * r / 2 if r < delta else delta * r - delta**2 / 2
        losses.append(loss)
    return _reduced(np.array(losses), reduction)


def huber__excess(predictions, targets, delta=1.0, reduction="mean"):
    # the parabola up to min(|r|, delta), and delta for every unit beyond
    size = np.abs(predictions - targets)
    near = np.minimum(size, delta)
    return _reduced(_per_example(near**2 / 2 + delta * (size - near)), reduction)


def huber__squared_error_less_the_excess(predictions, targets, delta=1.0, reduction="mean"):
    r = predictions - targets
    beyond = np.maximum(np.abs(r) - delta, 0)
    return _reduced(_per_example((r**2 - beyond**2) / 2), reduction)


def huber__select(predictions, targets, delta=1.0, reduction="mean"):
    r = np.subtract(predictions, targets, dtype=float)
    parts = [delta * (-r - delta / 2), r**2 / 2, delta * (r - delta / 2)]
    return _reduced(_per_example(np.select([r < -delta, r <= delta, True], parts)), reduction)


def huber_grad__where(predictions, targets, delta=1.0, reduction="mean"):
    r = predictions - targets
    g = np.where(np.abs(r) < delta, r, delta * np.sign(r))
    return g / len(r) if reduction == "mean" else g


def huber_grad__maximum_minimum(predictions, targets, delta=1.0, reduction="mean"):
    g = np.maximum(-delta, np.minimum(delta, predictions - targets))
    return g * {"mean": 1 / len(predictions), "sum": 1.0, "none": 1.0}[reduction]


def huber_grad__scaled_residual(predictions, targets, delta=1.0, reduction="mean"):
    r = np.asarray(predictions, float) - targets
    shrink = delta / np.maximum(np.abs(r), delta)
    return r * shrink / (r.shape[0] if reduction == "mean" else 1)


def huber_grad__loops(predictions, targets, delta=1.0, reduction="mean"):
    g = np.empty(np.shape(predictions), dtype=float)
    for i in np.ndindex(g.shape):
        r = predictions[i] - targets[i]
        g[i] = r if -delta <= r <= delta else math.copysign(delta, r)
    return g / g.shape[0] if reduction == "mean" else g


def minimise_location__uses_huber_grad(y, loss, delta=1.0):
    if loss == "mse":
        return y.mean()
    if loss == "mae":
        return np.median(y)
    low, high = y.min() - 1, y.max() + 1
    while high - low > 1e-9 * max(1.0, abs(low)):
        middle = (low + high) / 2
        if huber_grad(np.full(len(y), middle), y, delta, "sum").sum() > 0:
            high = middle
        else:
            low = middle
    return high


def minimise_location__reweighted_means(y, loss, delta=1.0):
    # iteratively reweighted least squares from the median
    if loss == "mse":
        return sum(y.tolist()) / len(y)
    c = statistics.median(y.tolist())
    if loss == "huber":
        for _ in range(20000):
            w = delta / np.maximum(np.abs(y - c), delta)
            c = float((w * y).sum() / w.sum())
    return c


def minimise_location__breakpoints(y, loss, delta=1.0):
    if loss == "mae":
        return float(np.sort(y)[len(y) // 2])
    if loss == "mse":
        return np.average(y)
    knots = np.sort(np.r_[y - delta, y + delta])
    slope = [np.clip(k - y, -delta, delta).sum() for k in knots]
    for a, b, s, t in zip(knots, knots[1:], slope, slope[1:]):
        if s <= 0 <= t:
            return a if s == 0 else float(a - s * (b - a) / (t - s))
    return knots[0]


def minimise_location__steps_of_the_mean_pull(y, loss, delta=1.0):
    # each step is the mean pull: it never goes past the minimum; many are needed
    c = np.float64(sorted(y)[(len(y) - 1) // 2])
    if loss == "mse":
        c = np.array(np.add.reduce(y) / y.size)
    elif loss == "huber":
        for _ in range(20000):
            c = c - np.clip(c - y, -delta, delta).mean()
    return c


def quantile_loss_in_torch__where(predictions, targets, tau):
    import torch

    missing = targets - predictions
    return torch.where(missing >= 0, tau * missing, (tau - 1) * missing).mean()


def quantile_loss_in_torch__two_relus(predictions, targets, tau):
    from torch import relu

    low, high = relu(targets - predictions), relu(predictions - targets)
    return (tau * low + (1 - tau) * high).sum() / len(targets)


def quantile_loss_in_torch__tilted_absolute(predictions, targets, tau):
    r = predictions - targets
    return torch_mean(0.5 * r.abs() + (0.5 - tau) * r)


def torch_mean(values):
    import torch

    return torch.mean(values)


def quantile_loss_in_torch__loop(predictions, targets, tau):
    total = 0.0
    for p, t in zip(predictions, targets):
        total = total + (tau * (t - p) if t > p else (1 - tau) * (p - t))
    return total / predictions.shape[0]
