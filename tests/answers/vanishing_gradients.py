"""Right answers to vanishing_gradients, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def delta_recursion__loops(delta_next, W_next, slope):
    n_rows, n_units = slope.shape
    delta = np.zeros((n_rows, n_units))
    for n in range(n_rows):
        for d in range(n_units):
            for m in range(W_next.shape[1]):
                delta[n, d] += delta_next[n, m] * W_next[d, m]
            delta[n, d] *= slope[n, d]
    return delta


def delta_recursion__einsum(delta_next, W_next, slope):
    return np.einsum("nm,dm,nd->nd", delta_next, W_next, slope)


def delta_recursion__diagonal_matrices(delta_next, W_next, slope):
    return [list(np.diag(s) @ W_next @ d) for s, d in zip(slope, delta_next)]


def delta_recursion__columns(delta_next, W_next, slope):
    return slope * W_next.dot(np.transpose(delta_next)).T


def mlp_forward__recursion(x, weights, biases, activation):
    z = np.matmul(x, weights[0]) + biases[0]
    if len(weights) == 1:
        return z
    if activation == "relu":
        a = np.where(z > 0, z, 0)
    elif activation == "tanh":
        a = np.tanh(z)
    else:
        a = 0.5 * (1 + np.tanh(z / 2))
    return mlp_forward(a, weights[1:], biases[1:], activation)


def mlp_forward__linear_first(x, weights, biases, activation):
    z = x @ weights[0] + biases[0]
    for W, b in zip(weights[1:], biases[1:]):
        if activation == "sigmoid":
            z = 1.0 / (1.0 + np.exp(-z))  # overflow to inf is right here
        elif activation == "tanh":
            z = np.tanh(z)
        else:
            z = z * (z > 0)
        z = z @ W + b
    return z


def mlp_forward__example_by_example(x, weights, biases, activation):
    def sig(v):
        return 1 / (1 + math.exp(-v)) if v > -700 else 0.0

    f = {"sigmoid": sig, "tanh": math.tanh, "relu": lambda v: max(v, 0.0)}[activation]
    rows = []
    for row in x:
        a = [float(v) for v in row]
        for layer in range(len(weights)):
            W, b = weights[layer], biases[layer]
            z = [sum(a[i] * W[i][j] for i in range(len(a))) + b[j] for j in range(len(b))]
            a = z if layer == len(weights) - 1 else [f(v) for v in z]
        rows.append(a)
    return rows


def _f(z, activation):
    if activation == "relu":
        return np.maximum(0, z)
    return np.tanh(z) if activation == "tanh" else 0.5 + 0.5 * np.tanh(0.5 * z)


def _df(z, activation):
    if activation == "relu":
        return (z > 0).astype(float)
    e = np.exp(-np.abs(z) * (2 if activation == "tanh" else 1))
    return e / (1 + e) ** 2 * (4 if activation == "tanh" else 1)


def mlp_backward__from_pre_activations(dy, x, weights, biases, activation):
    zs, acts = [], [x]
    for k in range(len(weights)):
        zs.append(acts[k] @ weights[k] + biases[k])
        acts.append(_f(zs[k], activation))
    grads_W, grads_b = [], []
    delta = dy
    for k in range(len(weights) - 1, -1, -1):
        grads_W.append(np.einsum("ni,nj->ij", acts[k], delta))
        grads_b.append(np.sum(delta, 0))
        back = np.dot(delta, weights[k].T)
        if k > 0:
            delta = back * _df(zs[k - 1], activation)
    return back, grads_W[::-1], grads_b[::-1]


def mlp_backward__recursive(dy, x, weights, biases, activation):
    z = x @ weights[0] + biases[0]
    if len(weights) == 1:
        dz, dWs, dbs = dy, [], []
    else:
        da, dWs, dbs = mlp_backward(dy, _f(z, activation), weights[1:], biases[1:], activation)
        dz = da * _df(z, activation)
    return dz @ weights[0].T, [x.T @ dz, *dWs], [dz.sum(0), *dbs]


def mlp_backward__example_by_example(dy, x, weights, biases, activation):
    dx = np.zeros(np.shape(x))
    dWs, dbs = [np.zeros(W.shape) for W in weights], [np.zeros(b.shape) for b in biases]
    for n in range(len(x)):
        a = [x[n]]
        for W, b in zip(weights[:-1], biases[:-1]):
            a.append(_f(a[-1] @ W + b, activation))
        delta = dy[n]
        for k in reversed(range(len(weights))):
            dWs[k] += np.outer(a[k], delta)
            dbs[k] += delta
            delta = weights[k] @ delta
            if k:
                delta = delta * {"sigmoid": a[k] * (1 - a[k]), "tanh": (1 - a[k]) * (1 + a[k]), "relu": np.sign(a[k])}[activation]
        dx[n] = delta
    return [dx, dWs, dbs]


def mlp_backward__uses_delta_recursion(dy, x, weights, biases, activation):
    a = [np.array(x, dtype=float)]
    for W, b in zip(weights[:-1], biases[:-1]):
        a.append({"sigmoid": sigmoid, "tanh": np.tanh, "relu": relu}[activation](a[-1] @ W + b))
    deltas = [dy]
    for k in range(len(weights) - 1, 0, -1):
        slope = a[k] * (1 - a[k]) if activation == "sigmoid" else 1 - a[k] ** 2 if activation == "tanh" else a[k] > 0
        deltas.insert(0, delta_recursion(deltas[0], weights[k], slope * 1.0))
    return deltas[0] @ weights[0].T, tuple(i.T @ d for i, d in zip(a, deltas)), tuple(d.sum(axis=0) for d in deltas)


def layer_gradient_norms__linalg(dy, x, weights, biases, activation):
    return [np.linalg.norm(g, "fro") for g in mlp_backward(dy, x, weights, biases, activation)[1]]


def layer_gradient_norms__traces(dy, x, weights, biases, activation):
    dweights = mlp_backward(dy, x, weights, biases, activation)[1]
    return np.array([math.sqrt(np.trace(g.T @ g)) for g in dweights])


def layer_gradient_norms__hypot(dy, x, weights, biases, activation):
    out = np.zeros(len(weights))
    a = [x]
    for W, b in zip(weights, biases):
        a.append(_f(a[-1] @ W + b, activation))
    delta = dy
    for k in reversed(range(len(weights))):
        out[k] = math.hypot(*(a[k].T @ delta).ravel())
        if k:
            delta = (delta @ weights[k].T) * _df(a[k - 1] @ weights[k - 1] + biases[k - 1], activation)
    return out


def init_std__powers(fan_in, fan_out, scheme):
    if scheme == "lecun":
        return fan_in**-0.5
    if scheme == "he":
        return (fan_in / 2) ** -0.5
    return ((fan_in + fan_out) / 2) ** -0.5


def init_std__from_a_uniform_distribution(fan_in, fan_out, scheme):
    bound = {"lecun": np.sqrt(3 / fan_in), "xavier": np.sqrt(6 / (fan_in + fan_out)), "he": np.sqrt(6 / fan_in)}[scheme]
    return bound / np.sqrt(3)


def init_std__gains(fan_in, fan_out, scheme):
    gain = math.sqrt(2) if scheme == "he" else 1.0
    fan = 0.5 * (fan_in + fan_out) if scheme == "xavier" else fan_in
    return np.array(gain / math.sqrt(fan))


def gradient_factor__product(fan_out, weight_std, mean_squared_slope):
    return mean_squared_slope * np.square(weight_std) * fan_out


def gradient_factor__adds_the_terms(fan_out, weight_std, mean_squared_slope):
    return math.fsum(weight_std * weight_std * mean_squared_slope for _ in range(fan_out))


def gradient_factor__square_of_a_root(fan_out, weight_std, mean_squared_slope):
    return (weight_std * math.sqrt(fan_out * mean_squared_slope)) ** 2


def depth_to_vanish__counts(factor, ratio):
    n, norm = 1, factor**0.5
    while norm > ratio:
        n, norm = n + 1, norm * factor**0.5
    return n


def depth_to_vanish__squares(factor, ratio):
    n = 1
    while n * math.log(factor) > 2 * math.log(ratio):
        n += 1
    return float(n)


def depth_to_vanish__other_base(factor, ratio):
    return 1 + int(np.log2(ratio) / np.log2(np.sqrt(factor)))  # the exact depth is never a whole number


def equalized_mlp_in_torch__functional(x, weights, biases):
    import torch.nn.functional as F

    for W, b in zip(weights[:-1], biases[:-1]):
        x = F.relu(F.linear(x, W.T * math.sqrt(2 / len(W)), b))
    return F.linear(x, weights[-1].T * math.sqrt(2 / len(weights[-1])), biases[-1])


def equalized_mlp_in_torch__scales_the_inputs(x, weights, biases):
    import torch

    h = x
    for i in range(len(weights)):
        z = torch.addmm(biases[i], h / (weights[i].size(0) / 2) ** 0.5, weights[i])
        h = z.clamp(min=0)
    return z


def equalized_mlp_in_torch__recursive(x, weights, biases):
    import torch

    (W, *rest), (b, *other) = weights, biases
    z = torch.einsum("nd,dm->nm", x, W) * torch.sqrt(torch.tensor(2.0 / W.shape[0], dtype=x.dtype)) + b
    return equalized_mlp_in_torch(torch.where(z > 0, z, torch.zeros_like(z)), rest, other) if rest else z
