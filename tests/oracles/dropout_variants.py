"""Spatial dropout and DropConnect in PyTorch: moments by summing over every mask, gradients by autograd."""
import itertools

import numpy as np
import torch


def dropconnect_moments(x: np.ndarray, W: np.ndarray, b: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (N, M): a unit sees D weights, so 2**D masks."""
    x, W, b = map(torch.tensor, (x, W, b))
    outputs, probabilities = [], []
    for kept in itertools.product([0, 1], repeat=x.shape[1]):
        mask = torch.tensor(kept, dtype=torch.float64) / (1.0 - p)
        outputs.append(torch.nn.functional.linear(x * mask, W.T, b))
        probabilities.append((1.0 - p) ** sum(kept) * p ** (len(kept) - sum(kept)))
    outputs, probabilities = torch.stack(outputs), torch.tensor(probabilities, dtype=torch.float64)[:, None, None]
    mean = (probabilities * outputs).sum(0)
    return mean.numpy(), (probabilities * (outputs - mean) ** 2).sum(0).numpy()


def spatial_dropout_backward(dy: np.ndarray, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    x = torch.tensor(x, requires_grad=True)
    (x * torch.tensor(mask)).backward(torch.tensor(dy))
    return x.grad.numpy()


def dropconnect(x: np.ndarray, W: np.ndarray, b: np.ndarray, mask: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    """y, dx, dW, db for a given mask, one example after the other."""
    x, W, b = (torch.tensor(a, requires_grad=True) for a in (x, W, b))
    y = torch.stack([torch.nn.functional.linear(row, (m * W).T, b) for row, m in zip(x, torch.tensor(mask), strict=True)])
    y.backward(torch.tensor(dy))
    return tuple(a.numpy() for a in (y.detach(), x.grad, W.grad, b.grad))
