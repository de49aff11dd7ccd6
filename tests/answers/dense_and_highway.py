"""Right answers to dense_and_highway, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np


def dense_block_widths__loop(n_in, growth, n_layers):
    widths = [n_in]
    for _ in range(n_layers):
        widths.append(widths[-1] + growth)
    return widths


def dense_block_widths__array(n_in, growth, n_layers):
    return n_in + growth * np.arange(n_layers + 1)


def dense_block_widths__range(n_in, growth, n_layers):
    return tuple(range(n_in, n_in + growth * n_layers + 1, growth))


def dense_layer__one_product_a_feature(features, W, b):
    z, start = b, 0
    for f in features:
        end = start + np.shape(f)[1]
        z = z + f @ W[start:end]
        start = end
    return np.where(z > 0, z, 0.0)


def dense_layer__hstack(features, W, b):
    z = np.hstack(features).dot(W) + b
    return (z + np.abs(z)) / 2


def dense_layer__loops(features, W, b):
    out = []
    for n in range(len(features[0])):
        row = [float(v) for f in features for v in f[n]]
        out.append([max(0.0, sum(v * W[i][m] for i, v in enumerate(row)) + b[m]) for m in range(len(b))])
    return out


def dense_layer_backward__pieces(dy, features, W, b):
    c = np.hstack(features)
    dz = np.where(c @ W + b > 0, dy, 0.0)
    dfeatures, start = [], 0
    for f in features:
        end = start + f.shape[1]
        dfeatures.append(dz @ W[start:end].T)
        start = end
    return dfeatures, c.T @ dz, dz.sum(0)


def dense_layer_backward__einsum(dy, features, W, b):
    c = np.concatenate(features, 1)
    on = np.heaviside(c @ W + b, 0.0)
    dc = np.einsum("nm,nm,dm->nd", dy, on, W)
    cuts = [0]
    for f in features:
        cuts.append(cuts[-1] + f.shape[1])
    return tuple(dc[:, i:j] for i, j in zip(cuts, cuts[1:])), np.einsum("nd,nm,nm->dm", c, dy, on), np.einsum("nm,nm->m", dy, on)


def dense_layer_backward__example_by_example(dy, features, W, b):
    dfeatures = [np.zeros(f.shape) for f in features]
    dW, db = np.zeros(W.shape), np.zeros(b.shape)
    for n in range(len(dy)):
        row = np.concatenate([f[n] for f in features])
        for m in range(len(b)):
            if row @ W[:, m] + b[m] > 0:
                dW[:, m] += dy[n, m] * row
                db[m] += dy[n, m]
                start = 0
                for d in dfeatures:
                    d[n] += dy[n, m] * W[start : start + d.shape[1], m]
                    start += d.shape[1]
    return [dfeatures, dW, db]


def dense_block__list_of_features(x, weights, biases):
    features = [x]
    for W, b in zip(weights, biases):
        features.append(dense_layer(features, W, b))
    return np.concatenate(features, axis=1)


def dense_block__preallocated(x, weights, biases):
    n, d = x.shape
    out = np.zeros((n, d + sum(len(b) for b in biases)))
    out[:, :d] = x
    for W, b in zip(weights, biases):
        out[:, d : d + len(b)] = np.maximum(0, out[:, :d] @ W + b)
        d += len(b)
    return out


def dense_block__recursive(x, weights, biases):
    if not len(weights):
        return x
    a = x @ weights[0] + biases[0]
    return dense_block(np.hstack([x, a * (a > 0)]), weights[1:], biases[1:])


def dense_block_backward__by_features(dy, x, weights, biases):
    features = [x]
    for W, b in zip(weights, biases):
        features.append(dense_layer(features, W, b))
    cuts = np.cumsum([f.shape[1] for f in features])[:-1]
    grads = [g.copy() for g in np.split(dy, cuts, axis=1)]
    dweights, dbiases = [None] * len(weights), [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        shares, dweights[k], dbiases[k] = dense_layer_backward(grads[k + 1], features[: k + 1], weights[k], biases[k])
        for i, share in enumerate(shares):
            grads[i] += share
    return grads[0], dweights, dbiases


def dense_block_backward__one_array(dy, x, weights, biases):
    y = dense_block(x, weights, biases)
    g = np.array(dy, dtype=float)
    dweights, dbiases = [], []
    for W in weights[::-1]:
        n, m = W.shape
        dz = np.where(y[:, n : n + m] > 0, g[:, n : n + m], 0.0)
        g[:, :n] += dz @ W.T
        dweights.append(y[:, :n].T @ dz)
        dbiases.append(dz.sum(axis=0))
    return g[:, : x.shape[1]], dweights[::-1], dbiases[::-1]


def dense_block_backward__recursive(dy, x, weights, biases):
    if not len(weights):
        return dy, [], []
    W, b = weights[0], biases[0]
    a = np.maximum(x @ W + b, 0)
    dc, dweights, dbiases = dense_block_backward(dy, np.hstack([x, a]), weights[1:], biases[1:])
    d = x.shape[1]
    dz = dc[:, d:] * np.sign(a)
    return dc[:, :d] + dz @ W.T, [x.T @ dz, *dweights], [dz.sum(axis=0), *dbiases]


def highway_layer__moved(x, W_H, b_H, W_T, b_T):
    # from x a share T of the way to H; the sigmoid through tanh
    T = 0.5 * (1 + np.tanh(0.5 * (x @ W_T + b_T)))
    return x + T * (np.tanh(x @ W_H + b_H) - x)


def highway_layer__logaddexp(x, W_H, b_H, W_T, b_T):
    z = np.dot(x, W_T) + b_T
    opened, shut = np.exp(-np.logaddexp(0, -z)), np.exp(-np.logaddexp(0, z))
    return opened * np.tanh(np.dot(x, W_H) + b_H) + shut * x


def highway_layer__loops(x, W_H, b_H, W_T, b_T):
    out = np.zeros(np.shape(x))
    for n in range(len(x)):
        for j in range(len(b_H)):
            h = math.tanh(sum(x[n][i] * W_H[i][j] for i in range(len(b_H))) + b_H[j])
            z = sum(x[n][i] * W_T[i][j] for i in range(len(b_T))) + b_T[j]
            t = 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))
            out[n, j] = t * h + (1 - t) * x[n][j]
    return out


def highway_gate_gradient__square(dy, x, h, t):
    return (t - t**2) * (dy * h - dy * x)


def highway_gate_gradient__two_paths(dy, x, h, t):
    slope = t * (1 - t)
    return dy * h * slope + dy * x * -slope


def highway_gate_gradient__loops(dy, x, h, t):
    return [[float(a * (c - b) * d * (1 - d)) for a, b, c, d in zip(*rows)] for rows in zip(dy, x, h, t)]


def highway_layer_backward__three_paths(dy, x, W_H, b_H, W_T, b_T):
    H, T = np.tanh(x @ W_H + b_H), sigmoid(x @ W_T + b_T)
    gate = highway_gate_gradient(dy, x, H, T)
    transform = dy * T * (1 - H) * (1 + H)
    dx = sum([(1 - T) * dy, transform @ W_H.T, gate @ W_T.T])
    ones = np.ones(len(x))
    return dx, x.T @ transform, ones @ transform, x.T @ gate, ones @ gate


def highway_layer_backward__einsum(dy, x, W_H, b_H, W_T, b_T):
    H = np.tanh(x @ W_H + b_H)
    T = 0.5 + 0.5 * np.tanh((x @ W_T + b_T) / 2)
    dh = dy * T / np.cosh(np.clip(x @ W_H + b_H, -300, 300)) ** 2
    dt = dy * (H - x) * (T - T * T)
    dx = dy - dy * T + np.einsum("nj,ij->ni", dh, W_H) + np.einsum("nj,ij->ni", dt, W_T)
    return [dx, np.einsum("ni,nj->ij", x, dh), dh.sum(0), np.einsum("ni,nj->ij", x, dt), dt.sum(0)]


def highway_layer_backward__joined(dy, x, W_H, b_H, W_T, b_T):
    d = x.shape[1]
    W = np.hstack([W_H, W_T])
    z = x @ W + np.hstack([b_H, b_T])
    H, T = np.tanh(z[:, :d]), sigmoid(z[:, d:])
    dz = np.hstack([dy * T * (1 - H**2), dy * (H - x) * T * (1 - T)])
    dW, db = x.T @ dz, dz.sum(axis=0)
    return dy * (1 - T) + dz @ W.T, dW[:, :d], db[:d], dW[:, d:], db[d:]


def dense_net_in_torch__list(x, weights, biases):
    import torch

    features = [x]
    for W, b in zip(weights[:-1], biases[:-1]):
        features.append(torch.nn.functional.relu(torch.hstack(features) @ W + b))
    return torch.hstack(features) @ weights[-1] + biases[-1]


def dense_net_in_torch__parts(x, weights, biases):
    import torch

    features = [x]
    for k, (W, b) in enumerate(zip(weights, biases)):
        pieces = torch.split(W, [f.shape[1] for f in features])
        z = sum(f @ piece for f, piece in zip(features, pieces)) + b
        features.append(z if k == len(weights) - 1 else torch.where(z > 0, z, torch.zeros_like(z)))
    return features[-1]


def dense_net_in_torch__recursive(x, weights, biases):
    import torch

    y = torch.nn.functional.linear(x, weights[0].T, biases[0])
    if len(weights) == 1:
        return y
    return dense_net_in_torch(torch.concat((x, y.clamp(min=0)), -1), weights[1:], biases[1:])
