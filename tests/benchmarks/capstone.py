"""capstone against PyTorch eager, one thread: D = 64, branches of 64 hidden units; sequences of 16 positions, 4 heads.

A backward is compared with forward and backward, because PyTorch needs both. train and predict have no counterpart.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from class4lib import capstone as lib

D, T, HEADS = 64, 16, 4


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    count = max(n // D, 1)
    x, dy = rng.normal(size=(count, D)), rng.normal(size=(count, D))
    norm = rng.uniform(0.5, 2, size=D), rng.normal(size=D)
    net = rng.normal(size=(D, D)) / 8, rng.normal(size=D), rng.normal(size=(D, D)) / 8, rng.normal(size=D)
    mask = (rng.random((count, D)) < 0.7) / 0.7
    sequences = rng.normal(size=(max(n // (T * D), 1), T, D))
    projections = [rng.normal(size=(D, D)) / 8 for _ in range(4)]
    tdy, tmask, tsequences = map(torch.tensor, (dy, mask, sequences))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *norm, *net)]
    layer = nn.TransformerEncoderLayer(D, HEADS, D, dropout=0.0, batch_first=True, norm_first=True, dtype=torch.float64)

    def torch_block() -> torch.Tensor:
        x, gamma, beta, W1, b1, W2, b2 = leaves
        return x + functional.relu(functional.layer_norm(x, (D,), gamma, beta) @ W1 + b1) * tmask @ W2 + b2

    def torch_forward() -> None:
        with torch.no_grad():
            torch_block()

    def torch_backward() -> None:
        for leaf in leaves:
            leaf.grad = None
        torch_block().backward(tdy)

    def forward_and_backward() -> None:
        lib.pre_norm_block(x, *norm, *net, mask)
        lib.pre_norm_block_backward(dy, x, *norm, *net, mask)

    def torch_transformer() -> None:
        layer(tsequences)

    return {
        "pre_norm_block": (lambda: lib.pre_norm_block(x, *norm, *net, mask), torch_forward),
        "pre_norm_block + backward": (forward_and_backward, torch_backward),
        "transformer_block": (
            lambda: lib.transformer_block(sequences, norm, *projections, HEADS, norm, *net),
            torch_transformer,
        ),
    }
