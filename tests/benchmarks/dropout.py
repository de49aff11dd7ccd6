"""dropout against PyTorch eager, one thread, D = 100 features. The random layer draws float64 uniforms, as PyTorch draws its own."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import dropout as lib

D = 100


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, w = rng.normal(size=(max(n // D, 1), D)), rng.normal(size=D)
    y, p = rng.normal(size=len(x)), 0.3
    tx, tw, ty = torch.tensor(x), torch.tensor(w), torch.tensor(y)
    _, mask = lib.dropout(x, p, training=True, rng=rng)
    tmask = torch.tensor(mask)
    leaf = torch.tensor(w, requires_grad=True)

    def torch_loss(v: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((tx @ v - ty) ** 2).mean() + 0.5 * p / (1 - p) * ((tx**2).mean(0) @ v**2)

    def torch_loss_and_grad() -> None:
        leaf.grad = None
        torch_loss(leaf).backward()

    return {
        "dropout_variance": (lambda: lib.dropout_variance(x, p), lambda: p / (1 - p) * tx**2),
        "dropout_mean": (lambda: lib.dropout_mean(x, p), lambda: tx.clone()),
        "dropout": (lambda: lib.dropout(x, p, training=True, rng=rng), lambda: functional.dropout(tx, p)),
        "dropout_backward": (lambda: lib.dropout_backward(x, mask), lambda: tx * tmask),
        "marginal_dropout_loss": (lambda: lib.marginal_dropout_loss(w, x, y, p), lambda: torch_loss(tw)),
        "marginal_dropout_loss + grad": (
            lambda: (lib.marginal_dropout_loss(w, x, y, p), lib.marginal_dropout_loss_grad(w, x, y, p)),
            torch_loss_and_grad,
        ),
        "mc_dropout_predict": (
            lambda: lib.mc_dropout_predict(lambda a, g: a * mask, x, 10, rng=rng),
            lambda: torch.stack([tx * tmask for _ in range(10)]).std(0, correction=0),
        ),
    }
