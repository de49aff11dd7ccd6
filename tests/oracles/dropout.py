"""Dropout in PyTorch: expectations by summing over every mask, gradients by autograd."""
import itertools

import numpy as np
import torch
from torch.nn import functional


def _outcomes(p: float) -> list[tuple[float, float]]:
    """(probability, factor) of one entry."""
    return [(p, 0.0), (1.0 - p, 1.0 / (1.0 - p))]


def dropout_mean(x: np.ndarray, p: float) -> np.ndarray:
    return sum(probability * factor * torch.tensor(x) for probability, factor in _outcomes(p)).numpy()


def dropout_variance(x: np.ndarray, p: float) -> np.ndarray:
    mean = torch.tensor(dropout_mean(x, p))
    return sum(probability * (factor * torch.tensor(x) - mean) ** 2 for probability, factor in _outcomes(p)).numpy()


def dropout(x: np.ndarray, p: float) -> np.ndarray:
    """In evaluation."""
    return functional.dropout(torch.tensor(x), p, training=False).numpy()


def dropout_backward(dy: np.ndarray, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    x = torch.tensor(x, requires_grad=True)
    (x * torch.tensor(mask)).backward(torch.tensor(dy))
    return x.grad.numpy()


def marginal_dropout_loss(w: np.ndarray, X: np.ndarray, y: np.ndarray, p: float) -> tuple[float, np.ndarray]:
    """Loss and gradient in w: each example's expectation is the sum over its 2**D masks."""
    w, X, y = torch.tensor(w, requires_grad=True), torch.tensor(X), torch.tensor(y)
    loss = torch.zeros((), dtype=torch.float64)
    for outcome in itertools.product(_outcomes(p), repeat=X.shape[1]):
        probability = np.prod([q for q, _ in outcome])
        mask = torch.tensor([m for _, m in outcome], dtype=torch.float64)
        loss = loss + probability * functional.mse_loss((mask * X) @ w, y) / 2
    loss.backward()
    return loss.item(), w.grad.numpy()


def mc_dropout_predict(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of samples (S, ...)."""
    deviation, mean = torch.std_mean(torch.tensor(samples), dim=0, correction=0)
    return mean.numpy(), deviation.numpy()
