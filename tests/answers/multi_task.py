"""Right answers to multi_task, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def combined_loss__loop(losses, weights):
    total = 0.0
    for i in range(len(losses)):
        total += weights[i] * losses[i]
    return total


def combined_loss__zip(losses, weights):
    return sum(w * loss for w, loss in zip(weights, losses))


def combined_loss__matrix_product(losses, weights):
    return (np.atleast_2d(losses) @ np.atleast_2d(weights).T).item()


def shared_gradient__loop(task_gradients, weights):
    total = np.zeros(np.shape(task_gradients[0]))
    for g, w in zip(task_gradients, weights):
        total = total + w * g
    return total


def shared_gradient__einsum(task_gradients, weights):
    return np.einsum("t,t...->...", weights, np.array(task_gradients))


def shared_gradient__flattened(task_gradients, weights):
    flat = np.column_stack([np.ravel(g) for g in task_gradients])  # (entries, T)
    return (flat @ np.asarray(weights)).reshape(np.shape(task_gradients[0])).tolist()


def multi_task_forward__affine(x, W, b, heads):
    from class4lib.basics import affine, tanh

    h = tanh(affine(x, W, b))
    return h, [affine(h, *head) for head in heads]


def multi_task_forward__one_wide_head(x, W, b, heads):
    # all heads are one matrix product, cut apart afterwards
    h = np.tanh(np.asarray(x) @ W + b)
    wide = h @ np.hstack([V for V, _ in heads]) + np.hstack([c for _, c in heads])
    widths = [len(c) for _, c in heads]
    return h, tuple(np.split(wide, np.cumsum(widths)[:-1], axis=1))


def multi_task_forward__loops(x, W, b, heads):
    h = [[math.tanh(sum(x[n][d] * W[d][j] for d in range(len(W))) + b[j]) for j in range(len(b))] for n in range(len(x))]
    predictions = []
    for V, c in heads:
        predictions.append([[sum(row[j] * V[j][m] for j in range(len(V))) + c[m] for m in range(len(c))] for row in h])
    return [h, predictions]


def multi_task_backward__grows(dpredictions, x, W, b, heads, weights):
    h, _ = multi_task_forward(x, W, b, heads)
    dh, dheads = np.zeros_like(h), []
    for i, (V, _) in enumerate(heads):
        g = weights[i] * dpredictions[i]
        dheads.append((np.dot(h.T, g), np.sum(g, 0)))
        dh += np.dot(g, V.T)
    dz = dh / np.cosh(np.clip(x @ W + b, -300, 300)) ** 2
    return np.dot(x.T, dz), np.sum(dz, 0), dheads


def multi_task_backward__per_task_then_shared(dpredictions, x, W, b, heads, weights):
    # each task alone and unweighted; the trunk's gradient is the shared gradient of the tasks
    h = np.tanh(x @ W + b)
    slope = (1 - h) * (1 + h)
    dWs, dbs, dheads = [], [], []
    for d, (V, _), w in zip(dpredictions, heads, weights):
        dz = (d @ V.T) * slope
        dWs.append(x.T @ dz)
        dbs.append(dz.sum(0))
        dheads.append([w * (h.T @ d), w * d.sum(0)])
    return shared_gradient(dWs, weights), shared_gradient(dbs, weights), dheads


def multi_task_backward__basics(dpredictions, x, W, b, heads, weights):
    from class4lib.basics import affine, affine_backward, tanh, tanh_backward

    h = tanh(affine(x, W, b))
    parts = [affine_backward(w * d, h, V) for w, d, (V, _) in zip(weights, dpredictions, heads)]
    dh = np.add.reduce([p[0] for p in parts])
    _, dW, db = affine_backward(tanh_backward(dh, h), x, W)
    return dW, db, [(p[1], p[2]) for p in parts]


def multi_task_backward__row_by_row(dpredictions, x, W, b, heads, weights):
    # outer products of one example at a time, all heads as one wide head
    wide = np.hstack([V for V, _ in heads])
    g = np.hstack([w * d for w, d in zip(weights, dpredictions)])
    dW, db, dwide = np.zeros(W.shape), np.zeros(b.shape), np.zeros(wide.shape)
    for x_n, g_n in zip(x, g):
        h_n = np.tanh(x_n @ W + b)
        dwide += np.outer(h_n, g_n)
        dz_n = (wide @ g_n) * (1 - h_n**2)
        dW += np.outer(x_n, dz_n)
        db += dz_n
    cuts = np.cumsum([len(c) for _, c in heads])[:-1]
    return dW, db, list(zip(np.split(dwide, cuts, axis=1), np.split(g.sum(axis=0), cuts)))


def uncertainty_weighted_loss__sigma(losses, log_variances):
    sigma = np.exp(np.asarray(log_variances) / 2)
    return np.sum(np.asarray(losses) / (2 * sigma**2) + np.log(sigma))


def uncertainty_weighted_loss__loop(losses, log_variances):
    total = 0
    for loss, s in zip(losses, log_variances):
        total += 0.5 * (loss / math.exp(s) + s)
    return total


def uncertainty_weighted_loss__uses_combined_loss(losses, log_variances):
    return combined_loss(losses, np.exp(-log_variances) / 2) + np.mean(log_variances) * len(log_variances) / 2


def uncertainty_weighted_loss_grad__sigma(losses, log_variances):
    variance = np.exp(log_variances)
    return 1 / (2 * variance), (variance - losses) / (2 * variance)


def uncertainty_weighted_loss_grad__loop(losses, log_variances):
    dlosses, ds = [], []
    for loss, s in zip(losses, log_variances):
        precision = math.exp(-s)
        dlosses.append(precision / 2)
        ds.append((1 - precision * loss) / 2)
    return [dlosses, ds]


def uncertainty_weighted_loss_grad__expm1(losses, log_variances):
    # 1/2 - 1/2 exp(log L - s), which is exact near the minimum; a loss of 0 leaves 1/2
    with np.errstate(divide="ignore"):
        gap = np.log(losses) - log_variances
    return np.array([0.5 * np.exp(-log_variances), -0.5 * np.expm1(gap)])


def gradient_cosine__flattened(g1, g2):
    a, b = np.ravel(g1), np.ravel(g2)
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return 0 if lengths == 0 else a @ b / lengths


def gradient_cosine__unit_vectors(g1, g2):
    if not np.any(g1) or not np.any(g2):
        return 0.0
    u = g1 / np.sqrt((g1**2).sum())
    v = g2 / np.sqrt((g2**2).sum())
    return (u * v).sum()


def gradient_cosine__loop(g1, g2):
    inner = square1 = square2 = 0.0
    for p, q in zip(np.asarray(g1).flat, np.asarray(g2).flat):
        inner += p * q
        square1 += p * p
        square2 += q * q
    if square1 and square2:
        return inner / math.sqrt(square1 * square2)
    return 0.0


def gradient_cosine__law_of_cosines(g1, g2):
    a, b = np.linalg.norm(g1), np.linalg.norm(g2)
    if min(a, b) == 0:
        return np.float64(0)
    u, v = g1 / a, g2 / b
    return 1 - 0.5 * np.linalg.norm(u - v) ** 2


def project_conflict__plain(g1, g2):
    inner = np.sum(g1 * g2)
    if inner >= 0:
        return g1
    return g1 - inner / np.sum(g2**2) * g2


def project_conflict__unit_vector(g1, g2):
    length = np.linalg.norm(g2)
    if length == 0:
        return g1.copy()
    u = g2 / length
    return g1 - min(np.vdot(u, g1), 0) * u


def project_conflict__projection_matrix(g1, g2):
    a, b = np.ravel(g1), np.ravel(g2)
    if a @ b < 0:
        a = (np.eye(len(b)) - np.outer(b, b) / (b @ b)) @ a
    return a.reshape(np.shape(g1))


def project_conflict__by_the_cosine(g1, g2):
    cosine = gradient_cosine(g1, g2)
    if cosine < 0:
        g1 = g1 - cosine * np.linalg.norm(g1) * g2 / np.linalg.norm(g2)
    return g1


def multi_task_loss_in_torch__loop(x, W, b, heads, labels, log_variances):
    import torch
    import torch.nn.functional as F

    h = (x @ W + b).tanh()
    total = 0
    for i, (V, c) in enumerate(heads):
        loss = F.cross_entropy(torch.addmm(c, h, V), labels[i])
        total = total + loss / (2 * log_variances[i].exp()) + log_variances[i] / 2
    return total


def multi_task_loss_in_torch__gather(x, W, b, heads, labels, log_variances):
    import torch

    h = torch.tanh(torch.nn.functional.linear(x, W.t(), b))
    losses = []
    for (V, c), y in zip(heads, labels):
        log_probs = torch.log_softmax(h.mm(V) + c, dim=-1)
        losses.append(-log_probs.gather(1, y.unsqueeze(1)).mean())
    losses = torch.stack(losses)
    return (losses * torch.exp(-log_variances)).sum() / 2 + log_variances.sum() / 2


def multi_task_loss_in_torch__sigma_and_logsumexp(x, W, b, heads, labels, log_variances):
    import torch

    z = x @ W + b
    h = 2 * torch.sigmoid(2 * z) - 1
    sigma = torch.exp(log_variances / 2)
    terms = []
    for s, head, y in zip(sigma, heads, labels):
        logits = h @ head[0] + head[1]
        nll = torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]
        terms.append(nll.mean() / (2 * s * s) + torch.log(s))
    return sum(terms)
