"""Architecture design by other means: autograd through the inner solution, an augmented least-squares problem, parameters counted in modules."""
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn


def _least_squares(log_lambda: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    # the penalty as D more rows: |X w - y|^2 / N + lambda |w|^2 = |[X / sqrt(N); sqrt(lambda) I] w - [y / sqrt(N); 0]|^2
    n, d = X.shape
    rows = torch.cat([X / n**0.5, torch.exp(0.5 * log_lambda) * torch.eye(d, dtype=X.dtype)])
    return torch.linalg.lstsq(rows, torch.cat([y / n**0.5, torch.zeros(d, dtype=X.dtype)])[:, None]).solution[:, 0]


def inner_solution(log_lambda: float, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _least_squares(torch.tensor(log_lambda, dtype=torch.float64), torch.tensor(X), torch.tensor(y)).numpy()


def hypergradient(log_lambda: float, X_train: np.ndarray, y_train: np.ndarray, X_val: np.ndarray, y_val: np.ndarray) -> float:
    s = torch.tensor(log_lambda, dtype=torch.float64, requires_grad=True)
    w = _least_squares(s, torch.tensor(X_train), torch.tensor(y_train))
    (0.5 * (torch.tensor(X_val) @ w - torch.tensor(y_val)).square().mean()).backward()
    return s.grad.item()


def dense_parameters(widths: Sequence[int]) -> int:
    layers = [nn.Linear(a, b, device="meta") for a, b in zip(widths[:-1], widths[1:], strict=True)]
    return sum(p.numel() for layer in layers for p in layer.parameters())


def mixed_operation(dy: np.ndarray, x: np.ndarray, operations: Sequence[Callable], alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output, and gradient of sum(dy * output) in alpha."""
    a = torch.tensor(alpha, requires_grad=True)
    outputs = torch.stack([torch.tensor(operation(x)) for operation in operations])
    y = torch.tensordot(torch.softmax(a, 0), outputs, dims=1)
    (torch.tensor(dy) * y).sum().backward()
    return y.detach().numpy(), a.grad.numpy()
