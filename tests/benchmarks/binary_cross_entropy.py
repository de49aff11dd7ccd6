"""binary_cross_entropy against PyTorch eager, one thread, (N,)."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import binary_cross_entropy as lib


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    z, y = rng.normal(scale=3, size=n), rng.integers(2, size=n).astype(float)
    p = lib.sigmoid(z)
    tz, ty, tp, leaf = torch.tensor(z), torch.tensor(y), torch.tensor(p), torch.tensor(z, requires_grad=True)

    def torch_loss_and_grad() -> None:
        leaf.grad = None
        functional.binary_cross_entropy_with_logits(leaf, ty).backward()

    return {
        "sigmoid": (lambda: lib.sigmoid(z), lambda: torch.sigmoid(tz)),
        "binary_cross_entropy": (
            lambda: lib.binary_cross_entropy(p, y),
            lambda: functional.binary_cross_entropy(tp, ty),
        ),
        "binary_cross_entropy_grad": (
            lambda: lib.binary_cross_entropy_grad(p, y),
            lambda: (tp - ty) / (tp * (1 - tp)) / n,
        ),
        "bce_with_logits": (
            lambda: lib.bce_with_logits(z, y),
            lambda: functional.binary_cross_entropy_with_logits(tz, ty),
        ),
        "bce_with_logits + grad": (
            lambda: (lib.bce_with_logits(z, y), lib.bce_with_logits_grad(z, y)),
            torch_loss_and_grad,
        ),
    }
