"""Bernoulli likelihood and binary cross-entropy by torch, xlogy and autograd."""
import numpy as np
import torch
from torch.nn import functional


def _reduced(losses: torch.Tensor, reduction: str) -> torch.Tensor:
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return torch.sigmoid(torch.tensor(z)).numpy()


def bernoulli_likelihood(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By powers, as on the slide."""
    p, y = torch.tensor(p), torch.tensor(y)
    return (p**y * (1 - p) ** (1 - y)).numpy()


def bernoulli_log_likelihood(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    p, y = torch.tensor(p), torch.tensor(y)
    return (torch.special.xlogy(y, p) + torch.special.xlog1py(1 - y, -p)).numpy()


def binary_cross_entropy(p: np.ndarray, y: np.ndarray, reduction: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the probabilities; for "none" the gradient of the sum. Not functional.binary_cross_entropy: it cuts at 100."""
    p, y = torch.tensor(p, requires_grad=True), torch.tensor(y)
    loss = _reduced(-torch.special.xlogy(y, p) - torch.special.xlog1py(1 - y, -p), reduction)
    loss.sum().backward()
    return loss.detach().numpy(), p.grad.numpy()


def bce_with_logits(z: np.ndarray, y: np.ndarray, reduction: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the logits; for "none" the gradient of the sum."""
    z = torch.tensor(z, requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(z, torch.tensor(y), reduction=reduction)
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()
