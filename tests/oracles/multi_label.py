"""Multi-label loss by torch.nn.functional, F1 by counting, thresholds by trying every one of them."""
import numpy as np
import torch
from torch.nn import functional


def multilabel_bce_with_logits(logits: np.ndarray, targets: np.ndarray, pos_weight: np.ndarray | None = None, reduction: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient in the logits; for "none" the gradient of the sum."""
    z = torch.tensor(logits, requires_grad=True)
    weight = None if pos_weight is None else torch.tensor(pos_weight)
    losses = functional.binary_cross_entropy_with_logits(z, torch.tensor(targets), pos_weight=weight, reduction="none").sum(1)
    loss = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


def decide(probs: np.ndarray, tau: float | np.ndarray) -> np.ndarray:
    return torch.gt(torch.tensor(probs), torch.tensor(tau, dtype=torch.float64)).numpy()


def f1_per_label(decisions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, 0 where either has no examples or both are 0."""
    decided, true = torch.tensor(decisions).bool(), torch.tensor(targets).bool()
    found = (decided & true).sum(0).double()
    precision = found / decided.sum(0).clamp(min=1)
    recall = found / true.sum(0).clamp(min=1)
    return torch.nan_to_num(2 * precision * recall / (precision + recall), nan=0.0).numpy()


def best_f1(probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(K,): the highest F1 that any threshold attains, all tried."""
    candidates = np.concatenate([np.unique(probs), [-1.0]])
    return np.max([f1_per_label(decide(probs, float(tau)), targets) for tau in candidates], axis=0)
