"""regression_losses against PyTorch eager, one thread, (N, 10); PyTorch's means are over every element, so sums are compared."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import regression_losses as lib

D = 10


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    a, b = rng.normal(size=(n // D, D)), rng.normal(size=(n // D, D))
    leaf, t = torch.tensor(a, requires_grad=True), torch.tensor(b)
    p = torch.tensor(a)

    def gradient(loss: Callable) -> Callable:
        def run() -> None:
            leaf.grad = None
            loss(leaf, t, reduction="sum").backward()

        return run

    return {
        "mse": (lambda: lib.mse(a, b, "sum"), lambda: 0.5 * functional.mse_loss(p, t, reduction="sum")),
        "mse + grad": (lambda: (lib.mse(a, b, "sum"), lib.mse_grad(a, b, "sum")), gradient(functional.mse_loss)),
        "mae": (lambda: lib.mae(a, b, "sum"), lambda: functional.l1_loss(p, t, reduction="sum")),
        "mae + grad": (lambda: (lib.mae(a, b, "sum"), lib.mae_grad(a, b, "sum")), gradient(functional.l1_loss)),
        "huber": (lambda: lib.huber(a, b, 1.0, "sum"), lambda: functional.huber_loss(p, t, reduction="sum")),
        "huber + grad": (
            lambda: (lib.huber(a, b, 1.0, "sum"), lib.huber_grad(a, b, 1.0, "sum")),
            gradient(functional.huber_loss),
        ),
    }
