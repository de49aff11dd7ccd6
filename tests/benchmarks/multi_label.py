"""multi_label against PyTorch eager, one thread, K = 10 labels."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import multi_label as lib
from class4lib.basics import sigmoid

K = 10


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    z, y, w = (
        rng.normal(scale=2, size=(n // K, K)),
        rng.integers(2, size=(n // K, K)).astype(float),
        rng.uniform(0.5, 3, size=K),
    )
    tz, ty, tw, leaf = torch.tensor(z), torch.tensor(y), torch.tensor(w), torch.tensor(z, requires_grad=True)
    d = lib.decide(sigmoid(z), 0.5)
    td = torch.tensor(np.asarray(d, dtype=float))

    def torch_loss_and_grad() -> None:
        leaf.grad = None
        functional.binary_cross_entropy_with_logits(leaf, ty, pos_weight=tw, reduction="sum").backward()

    def torch_f1() -> torch.Tensor:
        both = (td * ty).sum(0)
        return torch.nan_to_num(2 * both / (td.sum(0) + ty.sum(0)))

    return {
        "loss": (
            lambda: lib.multilabel_bce_with_logits(z, y, w, "sum"),
            lambda: functional.binary_cross_entropy_with_logits(tz, ty, pos_weight=tw, reduction="sum"),
        ),
        "loss + grad": (
            lambda: (
                lib.multilabel_bce_with_logits(z, y, w, "sum"),
                lib.multilabel_bce_with_logits_grad(z, y, w, "sum"),
            ),
            torch_loss_and_grad,
        ),
        "decide": (lambda: lib.decide(sigmoid(z), 0.5), lambda: (torch.sigmoid(tz) > 0.5).long()),
        "f1_per_label": (lambda: lib.f1_per_label(d, y), torch_f1),
    }
