"""Right answers to softmax_cross_entropy, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def softmax__loops(logits):
    z = np.asarray(logits, dtype=float)
    rows = z.reshape(-1, z.shape[-1])
    out = []
    for row in rows:
        biggest = max(row)
        e = [math.exp(v - biggest) for v in row]
        out.append([v / sum(e) for v in e])
    return np.array(out).reshape(z.shape)


def softmax__pairwise(logits):
    # p_k = 1 / sum_j exp(z_j - z_k): only differences of logits
    z = np.asarray(logits, dtype=float)
    d = z[..., None, :] - z[..., :, None]
    with np.errstate(over="ignore"):
        return 1.0 / np.exp(d).sum(axis=-1)


def softmax__by_logarithms(logits):
    z = np.array(logits, dtype=float)
    total = np.logaddexp.reduce(z, axis=-1)
    return np.exp(z - np.expand_dims(total, -1))


def log_softmax__logaddexp(logits):
    return logits - np.logaddexp.reduce(np.asarray(logits, dtype=float), axis=-1, keepdims=True)


def log_softmax__loops(logits):
    flat = np.asarray(logits, dtype=float).reshape(-1, np.shape(logits)[-1])
    result = np.empty_like(flat)
    for i in range(flat.shape[0]):
        m = flat[i].max()
        s = 0.0
        for v in flat[i]:
            s += math.exp(v - m)
        for k in range(flat.shape[1]):
            result[i, k] = flat[i, k] - m - math.log(s)
    return result.reshape(np.shape(logits))


def log_softmax__pairwise(logits):
    # -log sum_j exp(z_j - z_k), each sum shifted by its own largest term
    z = np.asarray(logits, dtype=float)
    d = z[..., None, :] - z[..., :, None]
    top = d.max(-1)
    return -(top + np.log(np.exp(d - top[..., None]).sum(-1)))


def softmax_jacobian__loops(probs):
    p = np.asarray(probs)
    k = p.shape[-1]
    out = np.zeros(p.shape + (k,))
    for index in np.ndindex(p.shape[:-1]):
        for a in range(k):
            for b in range(k):
                out[index][a, b] = p[index][a] * (1 - p[index][a]) if a == b else -p[index][a] * p[index][b]
    return out


def softmax_jacobian__diag_and_outer(probs):
    def one(p):
        return np.diag(p) - np.outer(p, p)

    return np.apply_along_axis(one, -1, probs)


def softmax_jacobian__einsum(probs):
    jacobian = -np.einsum("...i,...j->...ij", probs, probs)
    i = np.arange(probs.shape[-1])
    jacobian[..., i, i] += probs
    return jacobian


def _weights(scores, targets):
    targets = np.asarray(targets)
    if targets.ndim == 2:
        return targets.astype(float)
    hot = np.zeros(scores.shape)
    hot[np.arange(len(targets)), targets] = 1
    return hot


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    return np.sum(losses) if reduction == "sum" else np.mean(losses)


def cross_entropy__loops(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    losses = []
    for p_row, w_row in zip(probs, w):
        loss = 0.0
        for p, y in zip(p_row, w_row):
            if y != 0:
                loss -= y * math.log(p)
        losses.append(loss)
    return _reduce(np.array(losses), reduction)


def cross_entropy__masked_log(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    logs = np.log(probs, out=np.zeros(probs.shape), where=w != 0)
    return _reduce(-np.einsum("nk,nk->n", w, logs), reduction)


def cross_entropy__nan_to_num(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    with np.errstate(all="ignore"):
        terms = w * np.log(probs)
    terms[w == 0] = 0
    return _reduce(0 - terms.sum(1), reduction)


def cross_entropy_grad__loops(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    g = np.zeros(probs.shape)
    for i, j in zip(*np.nonzero(w)):
        g[i, j] = -w[i, j] / probs[i, j]
    return g / len(probs) if reduction == "mean" else g


def cross_entropy_grad__divide_where(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    g = -np.divide(w, probs, out=np.zeros(probs.shape), where=w != 0)
    if reduction == "mean":
        g *= 1 / probs.shape[0]
    return g


def cross_entropy_grad__power(probs, targets, reduction="mean"):
    w = _weights(probs, targets)
    safe = probs + (w == 0)
    return -w * safe**-1.0 / {"mean": probs.shape[0]}.get(reduction, 1)


def softmax_cross_entropy__uses_log_softmax(logits, targets, reduction="mean"):
    return _reduce(-(_weights(logits, targets) * log_softmax(logits)).sum(axis=1), reduction)


def softmax_cross_entropy__logsumexp(logits, targets, reduction="mean"):
    # y sums need not be 1: L = lse * sum(y) - y.z
    w = _weights(logits, targets)
    lse = np.logaddexp.reduce(np.asarray(logits, float), axis=1)
    return _reduce(lse * w.sum(1) - (w * logits).sum(1), reduction)


def softmax_cross_entropy__loops(logits, targets, reduction="mean"):
    losses = []
    for z, y in zip(np.asarray(logits, float).tolist(), _weights(logits, targets).tolist()):
        m = max(z)
        lse = m + math.log(sum(math.exp(v - m) for v in z))
        losses.append(sum(b * (lse - a) for a, b in zip(z, y)))
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else sum(losses) / len(losses)


def softmax_cross_entropy_grad__uses_softmax(logits, targets, reduction="mean"):
    w = _weights(logits, targets)
    g = softmax(logits) * w.sum(1)[:, None] - w
    return g / len(g) if reduction == "mean" else g


def softmax_cross_entropy_grad__chain_through_the_jacobian(logits, targets, reduction="mean"):
    w = _weights(logits, targets)
    z = logits - np.max(logits, axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    jac_log = np.eye(p.shape[1]) - p[:, None, :]  # d log p_k / d z_j
    g = -np.einsum("nk,nkj->nj", w, jac_log)
    return g / len(g) if reduction == "mean" else g


def softmax_cross_entropy_grad__loops(logits, targets, reduction="mean"):
    w = _weights(logits, targets)
    n, k = w.shape
    g = np.zeros((n, k))
    for i in range(n):
        e = np.exp(logits[i] - logits[i].max())
        p = e / e.sum()
        for c in range(k):
            for j in range(k):
                g[i, j] += w[i, c] * (p[j] - (1 if c == j else 0))
    if reduction == "mean":
        g = g / n
    return g


def label_smoothing__loops(labels, n_classes, epsilon):
    return [[(1 - epsilon) * (k == y) + epsilon / n_classes for k in range(n_classes)] for y in labels]


def label_smoothing__scatter(labels, n_classes, epsilon):
    out = np.full((len(labels), n_classes), epsilon / n_classes)
    out[np.arange(len(labels)), labels] += 1 - epsilon
    return out


def label_smoothing__compare(labels, n_classes, epsilon):
    hot = np.asarray(labels)[:, None] == np.arange(n_classes)
    return np.where(hot, 1 - epsilon + epsilon / n_classes, epsilon / n_classes)


def smoothed_cross_entropy_in_torch__targets(logits, labels, epsilon):
    import torch

    k = logits.shape[1]
    targets = torch.full_like(logits, epsilon / k)
    targets[torch.arange(len(labels)), labels] += 1 - epsilon
    return -(targets.detach() * torch.log_softmax(logits, 1)).sum(1).mean()


def smoothed_cross_entropy_in_torch__logsumexp(logits, labels, epsilon):
    import torch

    lse = torch.logsumexp(logits, dim=-1)
    chosen = logits[torch.arange(logits.size(0)), labels]
    return (lse - (1 - epsilon) * chosen - epsilon * logits.mean(-1)).mean()


def smoothed_cross_entropy_in_torch__functional(logits, labels, epsilon):
    import torch.nn.functional as F

    return F.cross_entropy(logits, labels, label_smoothing=epsilon)
