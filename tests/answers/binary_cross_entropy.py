"""Right answers to binary_cross_entropy, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def bernoulli_likelihood__powers(p, y):
    return p**y * (1 - p) ** (1 - y)


def bernoulli_likelihood__where(p, y):
    return np.where(np.asarray(y) == 1, p, 1 - np.asarray(p))


def bernoulli_likelihood__loop_to_a_list(p, y):
    result = []
    for probability, label in zip(p, y):
        if label:
            result.append(probability)
        else:
            result.append(1 - probability)
    return result


def bernoulli_likelihood__distance(p, y):
    # |1 - y - p| is p where y = 1 and 1 - p where y = 0
    return abs(1 - y - p)


def bernoulli_log_likelihood__logarithm_of_the_likelihood(p, y):
    return np.log(bernoulli_likelihood(p, y))


def bernoulli_log_likelihood__where_by_label(p, y):
    return np.where(y == 1, np.log(p), np.log(1 - p))


def bernoulli_log_likelihood__loop(p, y):
    out = np.empty(len(p))
    for i in range(len(p)):
        q = p[i] if y[i] == 1 else 1 - p[i]
        out[i] = -math.inf if q == 0 else math.log(q)
    return out


def bernoulli_log_likelihood__masked_log1p(p, y):
    logs = np.zeros(np.shape(p))
    ones = np.asarray(y) == 1
    logs[ones] = np.log(np.asarray(p)[ones])
    logs[~ones] = np.log1p(-np.asarray(p)[~ones])
    return logs


def _xlogy(weight, value):
    with np.errstate(all="ignore"):
        product = weight * np.log(value)
    return np.where(weight == 0, 0.0, product)


def _reduce(losses, reduction):
    losses = np.asarray(losses)
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def binary_cross_entropy__xlogy(p, y, reduction="mean"):
    return _reduce(-_xlogy(y, p) - _xlogy(1 - y, 1 - p), reduction)


def binary_cross_entropy__logarithm_of_powers(p, y, reduction="mean"):
    # log(p**y) = y log p, also for soft targets, and 0**0 = 1
    return _reduce(-np.log(p ** np.asarray(y, float)) - np.log((1 - p) ** (1 - np.asarray(y, float))), reduction)


def binary_cross_entropy__loop(p, y, reduction="mean"):
    losses = []
    for a, b in zip(np.asarray(p, float).tolist(), np.asarray(y, float).tolist()):
        loss = 0.0
        if b > 0:
            loss += b * (math.inf if a == 0 else -math.log(a))
        if b < 1:
            loss += (1 - b) * (math.inf if a == 1 else -math.log1p(-a))
        losses.append(loss)
    if reduction == "none":
        return losses
    total = math.fsum(losses) if math.inf not in losses else math.inf
    return total if reduction == "sum" else total / len(losses)


def binary_cross_entropy__log_with_where(p, y, reduction="mean"):
    log_p = np.log(p, where=np.asarray(y) != 0, out=np.zeros(len(p)))
    log_q = np.log(1 - p, where=np.asarray(y) != 1, out=np.zeros(len(p)))
    losses = -(y * log_p + (1 - y) * log_q)
    if reduction == "none":
        return losses
    return np.sum(losses) if reduction == "sum" else np.average(losses)


def binary_cross_entropy_grad__two_terms(p, y, reduction="mean"):
    g = -y / p + (1 - y) / (1 - p)
    return g / len(g) if reduction == "mean" else g


def binary_cross_entropy_grad__loop(p, y, reduction="mean"):
    scale = 1 / len(p) if reduction == "mean" else 1
    return [scale * ((1 - b) / (1 - a) - b / a) for a, b in zip(p, y)]


def binary_cross_entropy_grad__partial_fractions(p, y, reduction="mean"):
    # (p - y) (1/p + 1/(1-p))
    g = (p - y) * (1 / p + 1 / (1 - p))
    return {"mean": lambda: g / g.size, "sum": lambda: g, "none": lambda: g}[reduction]()


def sigmoid__plain(z):
    return 1 / (1 + np.exp(-z))


def sigmoid__tanh(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def sigmoid__loop(z):
    def one(v):
        return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (math.exp(v) + 1)

    return np.vectorize(one, otypes=[float])(z)


def sigmoid__masks(z):
    z = np.asarray(z, dtype=float)
    out = np.empty(z.shape)
    positive = z > 0
    out[positive] = 1 / (1 + np.exp(-z[positive]))
    e = np.exp(z[~positive])
    out[~positive] = e / (1 + e)
    return out


def sigmoid__logaddexp(z):
    return np.exp(-np.logaddexp(0, -1.0 * z))


def bce_with_logits__logaddexp(z, y, reduction="mean"):
    return _reduce(np.logaddexp(0.0, z) - z * y, reduction)


def bce_with_logits__two_softplus(z, y, reduction="mean"):
    return _reduce(y * np.logaddexp(0, -1.0 * z) + (1 - y) * np.logaddexp(0, z), reduction)


def bce_with_logits__branches(z, y, reduction="mean"):
    losses = []
    for v, t in zip(np.asarray(z, float).tolist(), np.asarray(y, float).tolist()):
        if v >= 0:
            losses.append((1 - t) * v + math.log1p(math.exp(-v)))
        else:
            losses.append(-t * v + math.log1p(math.exp(v)))
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else sum(losses) / len(losses)


def bce_with_logits__shifted_by_the_maximum(z, y, reduction="mean"):
    # the two-class softmax with logits 0 and z
    m = np.maximum(0, z)
    total = m + np.log(np.exp(-1.0 * m) + np.exp(z - m))
    return _reduce(total - y * z, reduction)


def bce_with_logits_grad__uses_sigmoid(z, y, reduction="mean"):
    g = sigmoid(z) - y
    if reduction == "mean":
        g = g / len(z)
    return g


def bce_with_logits_grad__plain_formula(z, y, reduction="mean"):
    n = {"mean": np.size(z), "sum": 1, "none": 1}[reduction]
    return (1 / (1 + np.exp(-1.0 * z)) - y) / n


def bce_with_logits_grad__loop(z, y, reduction="mean"):
    out = np.zeros(len(z))
    for i, (v, t) in enumerate(zip(z, y)):
        p = 1 / (1 + math.exp(-v)) if v > 0 else 1 - 1 / (1 + math.exp(v))
        out[i] = (1 - t) * p - t * (1 - p)  # the slopes of the two terms
    return out / len(z) if reduction == "mean" else out


def bce_with_logits_grad__tanh(z, y, reduction="mean"):
    g = 0.5 * np.tanh(np.asarray(z) / 2) + 0.5 - y
    return np.mean(np.diag(g), axis=0) if reduction == "mean" else g


def logistic_loss_in_torch__functional(x, w, b, y):
    import torch.nn.functional as F

    return F.binary_cross_entropy_with_logits(x @ w + b, y.double())


def logistic_loss_in_torch__softplus(x, w, b, y):
    import torch

    z = torch.mv(x, w) + b
    sign = 1 - 2 * y  # +1 under label 0, -1 under label 1
    return torch.logaddexp(torch.zeros_like(z), sign * z).mean()


def logistic_loss_in_torch__module(x, w, b, y):
    import torch

    return torch.nn.BCEWithLogitsLoss()((x * w).sum(dim=1) + b, y.to(torch.float64))


def logistic_loss_in_torch__two_class_softmax(x, w, b, y):
    import torch

    z = x.matmul(w) + b
    logits = torch.stack([torch.zeros_like(z), z], dim=1)
    return torch.nn.functional.cross_entropy(logits, y)
