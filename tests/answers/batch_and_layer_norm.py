"""Right answers to batch_and_layer_norm, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math
import statistics

import numpy as np


def batch_norm__columns_in_a_loop(x, gamma, beta, running_mean, running_var, *, training, momentum=0.1, eps=1e-5):
    columns, means, variances = [], [], []
    for j in range(np.shape(x)[1]):
        column = [float(v) for v in np.asarray(x)[:, j]]
        m, v = running_mean[j], running_var[j]
        if training:
            now = statistics.fmean(column)
            squares = sum((c - now) ** 2 for c in column)
            means.append(m + momentum * (now - m))
            variances.append(v + momentum * (squares / (len(column) - 1) - v))
            m, v = now, squares / len(column)
        else:
            means.append(m)
            variances.append(v)
        columns.append([gamma[j] * (c - m) / math.sqrt(v + eps) + beta[j] for c in column])
    return [list(row) for row in zip(*columns)], means, variances


def batch_norm__folded_to_scale_and_shift(x, gamma, beta, running_mean, running_var, *, training, momentum=0.1, eps=1e-5):
    if training:
        mean, var = np.mean(x, axis=0), np.var(x, axis=0)
        new_mean = np.average([running_mean, mean], axis=0, weights=[1 - momentum, momentum])
        new_var = np.average([running_var, np.var(x, axis=0, ddof=1)], axis=0, weights=[1 - momentum, momentum])
    else:
        mean, var = new_mean, new_var = running_mean, running_var
    scale = gamma * (var + eps) ** -0.5
    return x * scale + (beta - mean * scale), new_mean, new_var


def batch_norm__two_functions(x, gamma, beta, running_mean, running_var, *, training, momentum=0.1, eps=1e-5):
    def normalize(mean, var):
        return np.divide(np.subtract(x, mean), np.sqrt(np.add(var, eps))) * gamma + beta

    if not training:
        return normalize(running_mean, running_var), running_mean.copy(), running_var.copy()
    cov = np.atleast_2d(np.cov(x, rowvar=False))
    unbiased = np.diag(cov)
    n = len(x)
    return normalize(x.mean(0), unbiased * (n - 1) / n), running_mean * (1 - momentum) + x.mean(0) * momentum, running_var * (1 - momentum) + unbiased * momentum


def batch_norm__streaming_moments(x, gamma, beta, running_mean, running_var, *, training, momentum=0.1, eps=1e-5):
    # Welford's update, row by row
    mean, m2 = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for i, row in enumerate(x, start=1):
        delta = row - mean
        mean = mean + delta / i
        m2 = m2 + delta * (row - mean)
    if training:
        state = running_mean - momentum * (running_mean - mean), running_var - momentum * (running_var - m2 / (i - 1))
        var = m2 / i
    else:
        state = running_mean, running_var
        mean, var = state
    return (((x - mean) / np.sqrt(var + eps)) * gamma + beta).tolist(), list(state[0]), tuple(state[1])


def layer_norm__rows_in_a_loop(x, gamma, beta, eps=1e-5):
    flat = np.asarray(x, dtype=float).reshape(-1, np.shape(x)[-1])
    rows = []
    for row in flat.tolist():
        m = math.fsum(row) / len(row)
        v = math.fsum((a - m) ** 2 for a in row) / len(row)
        rows.append([g * (a - m) / math.sqrt(v + eps) + b for a, g, b in zip(row, gamma, beta)])
    return np.array(rows).reshape(np.shape(x))


def layer_norm__centring_matrix(x, gamma, beta, eps=1e-5):
    d = x.shape[-1]
    centred = x @ (np.eye(d) - np.ones((d, d)) / d)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    return centred / np.hypot(norm / np.sqrt(d), np.sqrt(eps)) * gamma + beta


def layer_norm__apply_along_axis(x, gamma, beta, eps=1e-5):
    return np.apply_along_axis(lambda row: (row - np.average(row)) / np.sqrt(np.var(row) + eps) * gamma + beta, -1, x)


def layer_norm__batch_norm_of_the_transpose(x, gamma, beta, eps=1e-5):
    rows = np.reshape(x, (-1, np.shape(x)[-1])).T
    mean, var = rows.mean(axis=0), rows.var(axis=0)
    y = ((rows - mean) / (var + eps) ** 0.5).T
    return np.reshape(y, np.shape(x)) * gamma + beta


def batch_norm_images__pixels_as_rows(x, gamma, beta, eps=1e-5):
    n, c, h, w = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, c)
    y = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + eps) * gamma + beta
    return y.reshape(n, h, w, c).transpose(0, 3, 1, 2)


def batch_norm_images__channel_by_channel(x, gamma, beta, eps=1e-5):
    y = np.empty(np.shape(x))
    for c in range(y.shape[1]):
        values = np.asarray(x, dtype=float)[:, c]
        y[:, c] = gamma[c] * (values - values.mean()) / np.sqrt(((values - values.mean()) ** 2).mean() + eps) + beta[c]
    return y


def batch_norm_images__uses_batch_norm(x, gamma, beta, eps=1e-5):
    c = x.shape[1]
    rows = np.moveaxis(x, 1, -1).reshape(-1, c)
    y = batch_norm(rows, gamma, beta, np.zeros(c), np.ones(c), training=True, eps=eps)[0]
    return np.moveaxis(np.reshape(y, np.moveaxis(x, 1, -1).shape), -1, 1)


def batch_norm_images__einsum(x, gamma, beta, eps=1e-5):
    m = x[0, 0].size * len(x)
    centred = x - (np.einsum("nchw->c", x) / m)[None, :, None, None]
    scale = gamma / np.sqrt(np.einsum("nchw,nchw->c", centred, centred) / m + eps)
    return np.einsum("nchw,c->nchw", centred, scale) + beta.reshape(1, -1, 1, 1)


def normalize_backward__full_jacobian(dx_hat, x_hat, std):
    d = x_hat.shape[-1]
    jacobian = (np.eye(d) - 1 / d - x_hat[..., :, None] * x_hat[..., None, :] / d) / std[..., None]
    return np.einsum("...i,...ij->...j", dx_hat, jacobian)


def normalize_backward__chain_of_the_paper(dx_hat, x_hat, std):
    # Ioffe and Szegedy's steps with x - mean = x_hat * std
    d = x_hat.shape[-1]
    centred = x_hat * std
    dvar = (dx_hat * centred).sum(axis=-1, keepdims=True) * -0.5 * std**-3
    dmean = (-dx_hat / std).sum(axis=-1, keepdims=True) + dvar * (-2 * centred).mean(axis=-1, keepdims=True)
    return dx_hat / std + dvar * 2 * centred / d + dmean / d


def normalize_backward__loops(dx_hat, x_hat, std):
    g, h = (np.asarray(a, dtype=float).reshape(-1, np.shape(x_hat)[-1]) for a in (dx_hat, x_hat))
    s = np.ravel(std)
    d = h.shape[1]
    out = np.zeros(h.shape)
    for n in range(len(h)):
        for j in range(d):
            for i in range(d):
                out[n, j] += g[n, i] * ((i == j) - 1 / d - h[n, i] * h[n, j] / d) / s[n]
    return out.reshape(np.shape(x_hat))


def normalize_backward__two_projections(dx_hat, x_hat, std):
    # ones and x_hat are orthogonal, both of squared length D: take both components away
    g = dx_hat - np.mean(dx_hat, axis=-1, keepdims=True)
    share = np.matmul(g[..., None, :], x_hat[..., :, None])[..., 0] / np.matmul(x_hat[..., None, :], x_hat[..., :, None])[..., 0]
    return (g - share * x_hat) / std


def batch_norm_backward__uses_normalize_backward(dy, x, gamma, eps=1e-5):
    std = np.sqrt(np.var(x, axis=0) + eps)
    x_hat = (x - np.mean(x, axis=0)) / std
    dx = np.transpose(normalize_backward(np.transpose(dy * gamma), np.transpose(x_hat), std.reshape(-1, 1)))
    return dx, np.sum(dy * x_hat, axis=0), np.sum(dy, axis=0)


def batch_norm_backward__common_factor(dy, x, gamma, eps=1e-5):
    n = x.shape[0]
    centred = x - x.mean(0)
    inverse = 1 / np.sqrt((centred**2).mean(0) + eps)
    h = centred * inverse
    dgamma, dbeta = (dy * h).sum(0), dy.sum(0)
    return gamma * inverse / n * (n * dy - dbeta - h * dgamma), dgamma, dbeta


def batch_norm_backward__step_by_step(dy, x, gamma, eps=1e-5):
    n = len(x)
    mean = x.mean(axis=0)
    centred = x - mean
    var = (centred**2).sum(axis=0) / n
    root = np.sqrt(var + eps)
    h = centred / root
    dh = dy * gamma
    droot = -(dh * centred).sum(axis=0) / root**2
    dvar = droot / (2 * root)
    dcentred = dh / root + 2 * centred * dvar / n
    return dcentred - dcentred.sum(axis=0) / n, (dy * h).sum(axis=0), dy.sum(axis=0)


def batch_norm_backward__one_column_at_a_time(dy, x, gamma, eps=1e-5):
    n, d = np.shape(x)
    dx, dgamma, dbeta = np.zeros((n, d)), [], []
    for j in range(d):
        col, g = np.asarray(x, float)[:, j], np.asarray(dy, float)[:, j]
        s = math.sqrt(np.var(col) + eps)
        h = (col - np.mean(col)) / s
        jacobian = (np.eye(n) - np.full((n, n), 1 / n) - np.outer(h, h) / n) / s
        dx[:, j] = gamma[j] * (jacobian @ g)
        dgamma.append(float(g @ h))
        dbeta.append(float(sum(g)))
    return [dx, dgamma, dbeta]


def layer_norm_backward__uses_normalize_backward(dy, x, gamma, eps=1e-5):
    std = (x.var(-1, keepdims=True) + eps) ** 0.5
    x_hat = (x - x.mean(-1, keepdims=True)) / std
    d = x.shape[-1]
    return normalize_backward(dy * gamma, x_hat, std), (dy * x_hat).reshape(-1, d).sum(0), dy.reshape(-1, d).sum(0)


def layer_norm_backward__row_by_row(dy, x, gamma, eps=1e-5):
    d = np.shape(x)[-1]
    rows, grads = np.asarray(x, float).reshape(-1, d), np.asarray(dy, float).reshape(-1, d)
    dx, dgamma, dbeta = [], np.zeros(d), np.zeros(d)
    for row, g in zip(rows, grads):
        s = np.sqrt(((row - row.mean()) ** 2).mean() + eps)
        h = (row - row.mean()) / s
        dgamma += g * h
        dbeta += g
        jacobian = (np.eye(d) - 1 / d - np.outer(h, h) / d) / s
        dx.append(jacobian @ (g * gamma))
    return np.reshape(dx, np.shape(x)), dgamma, dbeta


def layer_norm_backward__step_by_step(dy, x, gamma, eps=1e-5):
    d = x.shape[-1]
    centred = x - x.mean(axis=-1)[..., None]
    root = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + eps)
    dcentred = dy * gamma / root - centred * np.sum(dy * gamma * centred, axis=-1, keepdims=True) / (d * root**3)
    dx = dcentred - np.mean(dcentred, axis=-1, keepdims=True)
    return dx, np.tensordot(np.ones(dy.shape[:-1]), dy * centred / root, dy.ndim - 1), np.tensordot(np.ones(dy.shape[:-1]), dy, dy.ndim - 1)


def fold_batch_norm__diagonal_matrix(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    S = np.diag(gamma / np.sqrt(running_var + eps))
    return W @ S, (b - running_mean) @ S + beta


def fold_batch_norm__columns(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    columns, shifts = [], []
    for j, g in enumerate(gamma):
        s = g / math.sqrt(running_var[j] + eps)
        columns.append([s * w for w in np.asarray(W)[:, j]])
        shifts.append(s * b[j] - s * running_mean[j] + beta[j])
    return np.array(columns).T, shifts


def fold_batch_norm__from_its_values(W, b, gamma, beta, running_mean, running_var, eps=1e-5):
    # an affine map is known by its values at 0 and at the unit vectors
    def norm(z):
        return (z - running_mean) * (running_var + eps) ** -0.5 * gamma + beta

    at_zero = norm(b)
    return norm(np.eye(len(W)) @ W + b) - at_zero, at_zero


def layer_norm_in_torch__functional(x, gamma, beta, eps=1e-5):
    import torch

    return torch.nn.functional.layer_norm(x, x.shape[-1:], gamma, beta, eps)


def layer_norm_in_torch__var_without_correction(x, gamma, beta, eps=1e-5):
    import torch

    var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(var + eps) * gamma + beta


def layer_norm_in_torch__einsum(x, gamma, beta, eps=1e-5):
    import torch

    centred = x - torch.einsum("...d->...", x).unsqueeze(-1) / x.size(-1)
    var = torch.einsum("...d,...d->...", centred, centred).unsqueeze(-1) / x.size(-1)
    return torch.addcmul(beta, centred * (var + eps).pow(-0.5), gamma)


def layer_norm_in_torch__rows(x, gamma, beta, eps=1e-5):
    import torch

    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        c = row - row.mean()
        rows.append(gamma * c / ((c @ c) / len(row) + eps) ** 0.5 + beta)
    return torch.stack(rows).reshape(x.shape)
