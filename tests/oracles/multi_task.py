"""The two-level network, its weighted loss and its gradients by autograd."""
from collections.abc import Sequence

import numpy as np
import torch

Heads = Sequence[tuple[np.ndarray, np.ndarray]]


def _forward(x, W, b, heads):
    h = torch.tanh(torch.nn.functional.linear(x, W.T, b))
    return h, [torch.nn.functional.linear(h, V.T, c) for V, c in heads]


def multi_task_forward(x: np.ndarray, W: np.ndarray, b: np.ndarray, heads: Heads) -> tuple[np.ndarray, list[np.ndarray]]:
    h, predictions = _forward(*map(torch.tensor, (x, W, b)), [(torch.tensor(V), torch.tensor(c)) for V, c in heads])
    return h.numpy(), [p.numpy() for p in predictions]


def multi_task_backward(dpredictions: Sequence[np.ndarray], x: np.ndarray, W: np.ndarray, b: np.ndarray, heads: Heads, weights: Sequence[float]):
    """Autograd of sum_i weights[i] * sum(dpredictions[i] * prediction_i)."""
    trunk = [torch.tensor(a, requires_grad=True) for a in (W, b)]
    leaves = [(torch.tensor(V, requires_grad=True), torch.tensor(c, requires_grad=True)) for V, c in heads]
    _, predictions = _forward(torch.tensor(x), *trunk, leaves)
    total = sum(w * (torch.tensor(d) * p).sum() for w, d, p in zip(weights, dpredictions, predictions, strict=True))
    total.backward()
    return trunk[0].grad.numpy(), trunk[1].grad.numpy(), [(V.grad.numpy(), c.grad.numpy()) for V, c in leaves]


def combined_loss(losses: Sequence[float], weights: Sequence[float]) -> float:
    return float((torch.tensor(losses, dtype=torch.float64) * torch.tensor(weights, dtype=torch.float64)).sum())


def shared_gradient(task_gradients: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Autograd of the weighted sum of losses that are linear in theta with these slopes."""
    theta = torch.zeros(np.shape(task_gradients[0]), dtype=torch.float64, requires_grad=True)
    sum(w * (torch.tensor(g) * theta).sum() for w, g in zip(weights, task_gradients, strict=True)).backward()
    return theta.grad.numpy()


def uncertainty_weighted_loss(losses: np.ndarray, log_variances: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """As the paper writes it, in sigma: L / (2 sigma**2) + log sigma; loss and gradients in losses and log-variances."""
    L, s = torch.tensor(losses, requires_grad=True), torch.tensor(log_variances, requires_grad=True)
    sigma = torch.exp(s).sqrt()
    loss = (L / (2 * sigma**2) + torch.log(sigma)).sum()
    loss.backward()
    return float(loss.detach()), L.grad.numpy(), s.grad.numpy()


def gradient_cosine(g1: np.ndarray, g2: np.ndarray) -> float:
    return float(torch.nn.functional.cosine_similarity(torch.tensor(g1).flatten(), torch.tensor(g2).flatten(), dim=0, eps=1e-300))


def project_conflict(g1: np.ndarray, g2: np.ndarray) -> np.ndarray:
    """By a unit vector along g2."""
    a, unit = torch.tensor(g1), torch.nn.functional.normalize(torch.tensor(g2).flatten(), dim=0, eps=1e-300).reshape(np.shape(g2))
    inner = (a * unit).sum()
    return (a - inner * unit if inner < 0 else a).numpy()
