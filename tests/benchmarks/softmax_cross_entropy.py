"""softmax_cross_entropy against PyTorch eager, one thread, K = 100 classes."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import softmax_cross_entropy as lib

K = 100


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    z, y = rng.normal(size=(max(n // K, 1), K)), rng.integers(K, size=max(n // K, 1))
    tz, ty = torch.tensor(z), torch.tensor(y)
    p, hot = lib.softmax(z), lib.label_smoothing(y, K, 0.1)
    tp, thot = torch.tensor(p), torch.tensor(hot)
    leaf = torch.tensor(z, requires_grad=True)

    def torch_loss_and_grad() -> None:
        leaf.grad = None
        functional.cross_entropy(leaf, ty).backward()

    return {
        "softmax": (lambda: lib.softmax(z), lambda: torch.softmax(tz, 1)),
        "log_softmax": (lambda: lib.log_softmax(z), lambda: torch.log_softmax(tz, 1)),
        "softmax_jacobian": (
            lambda: lib.softmax_jacobian(p[: max(len(p) // K, 1)]),
            lambda: (
                torch.diag_embed(tp[: max(len(p) // K, 1)])
                - torch.einsum("nk,nj->nkj", tp[: max(len(p) // K, 1)], tp[: max(len(p) // K, 1)])
            ),
        ),
        "cross_entropy": (lambda: lib.cross_entropy(p, hot), lambda: -(torch.special.xlogy(thot, tp)).sum(1).mean()),
        "softmax_cross_entropy": (lambda: lib.softmax_cross_entropy(z, y), lambda: functional.cross_entropy(tz, ty)),
        "softmax_cross_entropy + grad": (
            lambda: (lib.softmax_cross_entropy(z, y), lib.softmax_cross_entropy_grad(z, y)),
            torch_loss_and_grad,
        ),
        "label_smoothing": (
            lambda: lib.label_smoothing(y, K, 0.1),
            lambda: (1 - 0.1) * functional.one_hot(ty, K).double() + 0.1 / K,
        ),
    }
