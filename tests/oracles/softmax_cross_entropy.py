"""Softmax and cross-entropy by torch.nn.functional."""
import numpy as np
import torch
from torch.nn import functional


def softmax(logits: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.tensor(logits), dim=-1).numpy()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.log_softmax(torch.tensor(logits), dim=-1).numpy()


def softmax_jacobian(probs: np.ndarray) -> np.ndarray:
    return torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), torch.log(torch.tensor(probs))).numpy()


def softmax_cross_entropy(logits: np.ndarray, targets: np.ndarray, reduction: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the logits; for "none" the gradient of the sum."""
    z = torch.tensor(logits, requires_grad=True)
    loss = functional.cross_entropy(z, torch.tensor(targets), reduction=reduction)
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


def cross_entropy(probs: np.ndarray, targets: np.ndarray, reduction: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the probabilities, by xlogy."""
    p = torch.tensor(probs, requires_grad=True)
    weights = functional.one_hot(torch.tensor(targets), p.shape[1]).double() if targets.ndim == 1 else torch.tensor(targets)
    losses = -torch.special.xlogy(weights, p).sum(1)
    loss = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    loss.sum().backward()
    return loss.detach().numpy(), p.grad.numpy()


def label_smoothing_loss(logits: np.ndarray, labels: np.ndarray, epsilon: float) -> np.ndarray:
    return functional.cross_entropy(torch.tensor(logits), torch.tensor(labels), label_smoothing=epsilon).numpy()
