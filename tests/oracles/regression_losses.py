"""Squared, absolute and Huber's loss by torch.nn.functional; the location by Huber's breakpoints instead of halving."""
import numpy as np
import torch
from torch.nn import functional


def loss_and_gradient(name: str, predictions: np.ndarray, targets: np.ndarray, reduction: str = "mean", delta: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the predictions; for "none" the gradient of the sum."""
    a, b = torch.tensor(predictions, requires_grad=True), torch.tensor(targets)
    losses = {
        "mse": lambda: functional.mse_loss(a, b, reduction="none") / 2,
        "mae": lambda: functional.l1_loss(a, b, reduction="none"),
        "huber": lambda: functional.huber_loss(a, b, reduction="none", delta=delta),
    }[name]()
    per_example = losses.flatten(1).sum(1) if losses.ndim > 1 else losses
    loss = {"none": per_example, "sum": per_example.sum(), "mean": per_example.mean()}[reduction]
    loss.sum().backward()
    return loss.detach().numpy(), a.grad.numpy()


def total_loss(name: str, y: np.ndarray, c: float, delta: float = 1.0) -> float:
    return float(loss_and_gradient(name, np.full_like(y, c), y, "sum", delta)[0])


def huber_location(y: np.ndarray, delta: float) -> tuple[float, float]:
    """The set of minimisers [low, high]: the derivative is linear between the 2N sorted breakpoints y -+ delta, and known at each."""
    values = torch.tensor(y)
    knots = torch.sort(torch.cat([values - delta, values + delta])).values
    slopes = torch.clamp(knots[:, None] - values, -delta, delta).sum(1)
    slopes = torch.where(slopes.abs() < 1e-12 * delta * len(y), 0.0, slopes)
    if (slopes == 0).any():
        flat = knots[slopes == 0]
        return float(flat.min()), float(flat.max())
    i = int((slopes < 0).sum()) - 1
    c = float(knots[i] - slopes[i] * (knots[i + 1] - knots[i]) / (slopes[i + 1] - slopes[i]))
    return c, c
