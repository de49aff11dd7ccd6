"""Residual blocks by torch.nn.functional.linear and autograd; Jacobians by torch.autograd.functional."""

import numpy as np
import torch
from torch.nn import functional


def _branch(x: torch.Tensor, W1: torch.Tensor, b1: torch.Tensor, W2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    return functional.linear(functional.relu(functional.linear(x, W1.T, b1)), W2.T, b2)


FORWARDS = {
    "residual_block": lambda x, *params: x + _branch(x, *params),
    "post_activation_block": lambda x, *params: functional.relu(x + _branch(x, *params)),
    "projection_block": lambda x, *params: functional.linear(x, params[-1].T) + _branch(x, *params[:-1]),
}


def forward(name: str, x: np.ndarray, *params: np.ndarray) -> np.ndarray:
    return FORWARDS[name](*map(torch.tensor, (x, *params))).numpy()


def backward(name: str, dy: np.ndarray, x: np.ndarray, *params: np.ndarray) -> list[np.ndarray]:
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *params)]
    FORWARDS[name](*tensors).backward(torch.tensor(dy))
    return [t.grad.numpy() for t in tensors]


def branch_jacobian(x: np.ndarray, *params: np.ndarray) -> np.ndarray:
    """At one example x (D,): [i, j] = dF_i/da_j."""
    return torch.autograd.functional.jacobian(lambda a: _branch(a, *map(torch.tensor, params)), torch.tensor(x)).numpy()


def stack_jacobian(x: np.ndarray, blocks: list[list[np.ndarray]]) -> np.ndarray:
    """Of the whole stack at one example x (D,), by autograd, without the branches' Jacobians."""

    def stack(a: torch.Tensor) -> torch.Tensor:
        for params in blocks:
            a = FORWARDS["residual_block"](a, *map(torch.tensor, params))
        return a

    return torch.autograd.functional.jacobian(stack, torch.tensor(x)).numpy()
