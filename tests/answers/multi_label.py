"""Right answers to multi_label, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def _softplus(v):
    """log(1 + e^v) of one number."""
    return v + math.log1p(math.exp(-v)) if v > 0 else math.log1p(math.exp(v))


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    return np.sum(losses) if reduction == "sum" else np.mean(losses)


def multilabel_bce_with_logits__loops(logits, targets, pos_weight=None, reduction="mean"):
    losses = []
    for z_row, y_row in zip(np.asarray(logits).tolist(), np.asarray(targets).tolist()):
        total = 0.0
        for k, (z, y) in enumerate(zip(z_row, y_row)):
            w = 1.0 if pos_weight is None else pos_weight[k]
            total += w * y * _softplus(-z) + (1 - y) * _softplus(z)
        losses.append(total)
    if reduction == "none":
        return losses
    return sum(losses) if reduction == "sum" else sum(losses) / len(losses)


def multilabel_bce_with_logits__logaddexp(logits, targets, pos_weight=None, reduction="mean"):
    w = np.ones(logits.shape[1]) if pos_weight is None else np.asarray(pos_weight)
    entries = w * targets * np.logaddexp(0, -logits) + (1 - targets) * np.logaddexp(0, logits)
    return _reduce(entries.sum(axis=-1), reduction)


def multilabel_bce_with_logits__pytorchs_form(logits, targets, pos_weight=None, reduction="mean"):
    # (1 - y) z + l (log(1 + e^-|z|) + max(-z, 0)), l = 1 + (w - 1) y
    w = 1.0 if pos_weight is None else pos_weight
    scale = 1 + (w - 1) * targets
    entries = (1 - targets) * logits + scale * (np.log(1 + np.exp(-abs(logits))) + (-logits).clip(min=0))
    return _reduce(entries @ np.ones(logits.shape[1]), reduction)


def multilabel_bce_with_logits__label_by_label(logits, targets, pos_weight=None, reduction="mean"):
    n, k = logits.shape
    losses = np.zeros(n)
    for j in range(k):
        z, y = logits[:, j], targets[:, j]
        log_p = np.where(z >= 0, -np.log1p(np.exp(-np.abs(z))), z - np.log1p(np.exp(-np.abs(z))))
        log_q = log_p - z
        weight = 1 if pos_weight is None else pos_weight[j]
        losses -= weight * y * log_p + (1 - y) * log_q
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / n}[reduction]


def multilabel_bce_with_logits__earlier_notebook(logits, targets, pos_weight=None, reduction="mean"):
    from class4lib.binary_cross_entropy import bce_with_logits

    n, k = logits.shape
    w = np.ones(k) if pos_weight is None else pos_weight
    z = logits.ravel()
    yes, no = bce_with_logits(z, np.ones(n * k), "none"), bce_with_logits(z, np.zeros(n * k), "none")
    return _reduce((w * targets * yes.reshape(n, k) + (1 - targets) * no.reshape(n, k)).sum(1), reduction)


def multilabel_bce_with_logits_grad__two_terms(logits, targets, pos_weight=None, reduction="mean"):
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-logits))
    w = np.ones(logits.shape[1]) if pos_weight is None else pos_weight
    g = (1 - targets) * p - w * targets * (1 - p)
    return g / logits.shape[0] if reduction == "mean" else g


def multilabel_bce_with_logits_grad__loops(logits, targets, pos_weight=None, reduction="mean"):
    n, k = np.shape(logits)
    out = [[0.0] * k for _ in range(n)]
    for i in range(n):
        for j in range(k):
            p = (1 + math.tanh(logits[i][j] / 2)) / 2
            w = 1.0 if pos_weight is None else pos_weight[j]
            out[i][j] = (p - w * targets[i][j] + (w - 1) * targets[i][j] * p) / (n if reduction == "mean" else 1)
    return out


def multilabel_bce_with_logits_grad__basics_sigmoid(logits, targets, pos_weight=None, reduction="mean"):
    g = sigmoid(logits) - targets
    if pos_weight is not None:
        g = g - (pos_weight - 1) * targets * sigmoid(-logits)
    if reduction == "mean":
        g = g / len(g)
    return g


def decide__where(probs, tau):
    return np.where(probs > tau, 1, 0)


def decide__loops(probs, tau):
    n, k = probs.shape
    thresholds = [float(tau)] * k if np.ndim(tau) == 0 else list(tau)
    return [[int(probs[i, j] > thresholds[j]) for j in range(k)] for i in range(n)]


def decide__booleans(probs, tau):
    return np.greater(probs, np.broadcast_to(tau, np.shape(probs)))


def decide__floats(probs, tau):
    return 1.0 - (probs <= np.asarray(tau)[None, ...])


def f1_per_label__loops(decisions, targets):
    n, k = np.shape(decisions)
    result = []
    for j in range(k):
        tp = fp = fn = 0
        for i in range(n):
            if decisions[i][j] == 1 and targets[i][j] == 1:
                tp += 1
            elif decisions[i][j] == 1:
                fp += 1
            elif targets[i][j] == 1:
                fn += 1
        result.append(2 * tp / (2 * tp + fp + fn) if tp else 0)
    return result


def f1_per_label__precision_and_recall(decisions, targets):
    d, t = np.asarray(decisions, bool), np.asarray(targets, bool)
    tp = (d & t).sum(0)
    with np.errstate(all="ignore"):
        precision, recall = tp / d.sum(0), tp / t.sum(0)
        f1 = 2 / (1 / precision + 1 / recall)
    return np.nan_to_num(f1, nan=0.0)


def f1_per_label__matrix_product(decisions, targets):
    found = np.diag(decisions.T @ targets)
    total = np.ones(len(decisions)) @ (decisions + targets)
    return np.divide(2.0 * found, total, out=np.zeros(len(total)), where=total > 0)


def f1_per_label__small_epsilon(decisions, targets):
    tp = (decisions * targets).sum(axis=0)
    precision = tp / (decisions.sum(axis=0) + 1e-10)
    recall = tp / (targets.sum(axis=0) + 1e-10)
    return 2 * precision * recall / (precision + recall + 1e-10)


def best_thresholds__every_candidate(probs, targets):
    taus = []
    for scores, y in zip(probs.T, targets.T):
        candidates = [-1.0] + sorted(set(scores.tolist()))
        f1s = [2 * ((scores > c) * y).sum() / max((scores > c).sum() + y.sum(), 1) for c in candidates]
        taus.append(candidates[f1s.index(max(f1s))])
    return taus


def best_thresholds__midpoints(probs, targets):
    k = probs.shape[1]
    out = np.zeros(k)
    for j in range(k):
        levels = np.unique(probs[:, j])
        cuts = np.concatenate([[levels[0] - 1], (levels[1:] + levels[:-1]) / 2, [levels[-1] + 1]])
        best = -1
        for c in cuts[::-1]:
            yes = probs[:, j] > c
            both = np.count_nonzero(yes & (targets[:, j] == 1))
            f1 = 0 if both == 0 else 2 * both / (yes.sum() + targets[:, j].sum())
            if f1 > best:
                best, out[j] = f1, c
    return out


def best_thresholds__just_below_the_score(probs, targets):
    result = []
    for j in range(probs.shape[1]):
        s = probs[:, j]
        below = np.nextafter(np.unique(s), -np.inf)
        result.append(max(below, key=lambda c: 2 * targets[s > c, j].sum() / ((s > c).sum() + targets[:, j].sum())))
    return np.array(result)


def best_thresholds__own_functions(probs, targets):
    tried = np.append(np.unique(probs), -1.0)
    table = np.array([f1_per_label(decide(probs, float(t)), targets) for t in tried])
    return tried[table.argmax(axis=0)]


def best_thresholds__one_sort(probs, targets):
    taus = np.empty(probs.shape[1])
    for j in range(probs.shape[1]):
        order = np.argsort(-probs[:, j], kind="stable")
        s, y = probs[order, j], targets[order, j]
        last = np.append(s[:-1] != s[1:], True)  # the last of each group of equal scores
        n = np.flatnonzero(last) + 1
        f1 = 2 * np.cumsum(y)[last] / (n + y.sum())
        best = n[np.argmax(f1)]
        taus[j] = s[best] if best < len(s) else s[-1] - 0.5
    return taus


def focal_loss_in_torch__cross_entropy_first(logits, targets, gamma):
    import torch
    import torch.nn.functional as F

    bce = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none")
    q = torch.exp(-bce)
    return ((1 - q) ** gamma * bce).sum(1).mean()


def focal_loss_in_torch__two_terms(logits, targets, gamma):
    import torch
    from torch.nn.functional import logsigmoid

    p, y = torch.sigmoid(logits), targets.double()
    yes = y * (1 - p) ** gamma * logsigmoid(logits)
    no = (1 - y) * p**gamma * logsigmoid(-logits)
    return -(yes + no).sum() / len(logits)


def focal_loss_in_torch__softplus(logits, targets, gamma):
    import torch.nn.functional as F

    sign = 1 - 2 * targets
    loss = F.softplus(sign * logits)
    return ((-gamma * F.softplus(-sign * logits)).exp() * loss).sum(dim=-1).mean(dim=0)
