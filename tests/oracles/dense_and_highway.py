"""Dense and highway layers in PyTorch: autograd, and torch.lerp for the gate's mixture."""

import numpy as np
import torch
from torch.nn import functional


def _dense_layer(features: list[torch.Tensor], W: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """One product per feature, instead of one product of their concatenation."""
    parts = torch.split(W, [f.shape[1] for f in features])
    return functional.relu(sum(f @ part for f, part in zip(features, parts, strict=True)) + b)


def _dense_block(x: torch.Tensor, weights: list[torch.Tensor], biases: list[torch.Tensor]) -> torch.Tensor:
    features = [x]
    for W, b in zip(weights, biases, strict=True):
        features.append(_dense_layer(features, W, b))
    return torch.hstack(features)


def _highway(x: torch.Tensor, W_H: torch.Tensor, b_H: torch.Tensor, W_T: torch.Tensor, b_T: torch.Tensor) -> torch.Tensor:
    H, T = torch.tanh(functional.linear(x, W_H.T, b_H)), torch.sigmoid(functional.linear(x, W_T.T, b_T))
    return torch.lerp(x, H, T)


def _leaves(arrays: list[np.ndarray]) -> list[torch.Tensor]:
    return [torch.tensor(a, requires_grad=True) for a in arrays]


def dense_layer(features: list[np.ndarray], W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _dense_layer([torch.tensor(f) for f in features], torch.tensor(W), torch.tensor(b)).numpy()


def dense_layer_backward(
    dy: np.ndarray, features: list[np.ndarray], W: np.ndarray, b: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    *f, W_, b_ = leaves = _leaves([*features, W, b])
    _dense_layer(f, W_, b_).backward(torch.tensor(dy))
    *df, dW, db = (t.grad.numpy() for t in leaves)
    return df, dW, db


def dense_block(x: np.ndarray, weights: list[np.ndarray], biases: list[np.ndarray]) -> np.ndarray:
    return _dense_block(torch.tensor(x), [torch.tensor(W) for W in weights], [torch.tensor(b) for b in biases]).numpy()


def dense_block_backward(
    dy: np.ndarray, x: np.ndarray, weights: list[np.ndarray], biases: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    (x_,), W_, b_ = _leaves([x]), _leaves(weights), _leaves(biases)
    _dense_block(x_, W_, b_).backward(torch.tensor(dy))
    return x_.grad.numpy(), [t.grad.numpy() for t in W_], [t.grad.numpy() for t in b_]


def highway_layer(x: np.ndarray, *params: np.ndarray) -> np.ndarray:
    return _highway(*map(torch.tensor, (x, *params))).numpy()


def highway_layer_backward(dy: np.ndarray, x: np.ndarray, *params: np.ndarray) -> list[np.ndarray]:
    leaves = _leaves([x, *params])
    _highway(*leaves).backward(torch.tensor(dy))
    return [t.grad.numpy() for t in leaves]


def highway_gate_gradient(dy: np.ndarray, x: np.ndarray, h: np.ndarray, t: np.ndarray) -> np.ndarray:
    z = torch.logit(torch.tensor(t)).requires_grad_()
    torch.lerp(torch.tensor(x), torch.tensor(h), torch.sigmoid(z)).backward(torch.tensor(dy))
    return z.grad.numpy()
