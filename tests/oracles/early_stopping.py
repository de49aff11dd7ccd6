"""Early stopping in PyTorch: rules written over the whole curve, gradient descent really run, moments carried step by step."""
import math

import numpy as np
import torch


def stopping_epoch_patience(losses: list[float], patience: int, min_delta: float = 0.0) -> int | None:
    """Stops at the first epoch whose last `patience` epochs hold no record."""
    records, best = [], math.inf
    for loss in losses:
        records.append(loss < best - min_delta)
        best = loss if records[-1] else best
    return next((t for t in range(patience - 1, len(losses)) if not any(records[t - patience + 1 : t + 1])), None)


def stopping_epoch_consecutive(losses: list[float], k: int) -> int | None:
    """The definition word for word."""
    for t in range(len(losses)):
        epochs = range(t - k + 1, t + 1)
        if all(s - k >= 0 and losses[s] > losses[s - k] for s in epochs):
            return t
    return None


def gradient_descent_path(eigenvalues: np.ndarray, w_star: np.ndarray, lr: float, n_steps: int) -> np.ndarray:
    curvature, target = torch.tensor(eigenvalues), torch.tensor(w_star)
    w = torch.zeros_like(target, requires_grad=True)
    optimizer, path = torch.optim.SGD([w], lr=lr), [w.detach().clone()]
    for _ in range(n_steps):
        optimizer.zero_grad()
        (0.5 * curvature * (w - target) ** 2).sum().backward()
        optimizer.step()
        path.append(w.detach().clone())
    return torch.stack(path).numpy()


def equivalent_l2(lr: float, step: int) -> float:
    """The slope at curvature 0 is 1 / alpha for ridge; that of descent comes from autograd."""
    curvature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    w = torch.zeros((), dtype=torch.float64)
    for _ in range(step):
        w = w - lr * curvature * (w - 1.0)
    w.backward()
    return 1.0 / curvature.grad.item()


def expected_excess_risk(eigenvalues: np.ndarray, w_star: np.ndarray, lr: float, n_steps: int, noise_variance: float, n_examples: int) -> np.ndarray:
    """error_{t+1} = (1 - lr lambda) error_t + lr n: bias and the factor of n are carried on; Var n = lambda noise_variance / N."""
    curvature, bias = torch.tensor(eigenvalues), -torch.tensor(w_star)
    factor, risks = torch.zeros_like(bias), []
    for _ in range(n_steps + 1):
        variance = factor**2 * curvature * noise_variance / n_examples
        risks.append((curvature * (bias**2 + variance)).sum().item())
        bias, factor = bias - lr * curvature * bias, factor - lr * curvature * factor + lr
    return np.array(risks)
