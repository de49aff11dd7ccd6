"""dropout_variants against PyTorch eager, one thread: 16 maps of 8 x 8 pixels, layers of 32 x 16 weights."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import dropout_variants as lib

C, SIDE, D, M, P = 16, 8, 32, 16, 0.2


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    maps = rng.normal(size=(max(n // (C * SIDE * SIDE), 1), C, SIDE, SIDE))
    map_mask = (rng.random((len(maps), C, 1, 1)) >= P) / (1 - P)
    examples = max(n // (D * M), 1)  # DropConnect's largest array is its mask
    x, W, b, dy = (
        rng.normal(size=(examples, D)),
        rng.normal(size=(D, M)),
        rng.normal(size=M),
        rng.normal(size=(examples, M)),
    )
    mask = (rng.random((examples, D, M)) >= P) / (1 - P)
    tmaps, tmap_mask, tx, tW, tb, tdy, tmask = map(torch.tensor, (maps, map_mask, x, W, b, dy, mask))
    p = torch.tensor(1 - P, dtype=torch.float64)

    def torch_dropconnect() -> torch.Tensor:
        drawn = torch.bernoulli(p.expand(examples, D, M)) / (1 - P)
        return torch.bmm(tx[:, None], drawn * tW)[:, 0] + tb

    return {
        "dropconnect_mean": (lambda: lib.dropconnect_mean(x, W, b, P), lambda: tx @ tW + tb),
        "dropconnect_variance": (lambda: lib.dropconnect_variance(x, W, P), lambda: P / (1 - P) * (tx**2 @ tW**2)),
        "spatial_dropout": (
            lambda: lib.spatial_dropout(maps, P, training=True, rng=rng),
            lambda: functional.dropout2d(tmaps, P),
        ),
        "spatial_dropout_backward": (lambda: lib.spatial_dropout_backward(maps, map_mask), lambda: tmap_mask * tmaps),
        "dropconnect": (lambda: lib.dropconnect(x, W, b, P, training=True, rng=rng), torch_dropconnect),
        "dropconnect_backward": (
            lambda: lib.dropconnect_backward(dy, x, W, mask),
            lambda: (torch.bmm(tmask * tW, tdy[:, :, None]), torch.einsum("nd,ndm,nm->dm", tx, tmask, tdy), tdy.sum(0)),
        ),
    }
