"""multi_task against PyTorch eager, one thread: trunk D -> M, two heads."""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import multi_task as lib

D, M, K = 64, 64, 10


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, W, b = rng.normal(size=(max(n // D, 2), D)), rng.normal(size=(D, M)) / 8, np.zeros(M)
    heads = [(rng.normal(size=(M, k)) / 8, np.zeros(k)) for k in (K, 1)]
    dy, weights = [rng.normal(size=(len(x), k)) for k in (K, 1)], [1.0, 0.3]
    leaves = [torch.tensor(a, requires_grad=True) for a in (W, b, *(a for head in heads for a in head))]
    tx, tdy = torch.tensor(x), [torch.tensor(d) for d in dy]

    def forward() -> list[torch.Tensor]:
        h = torch.tanh(tx @ leaves[0] + leaves[1])
        return [h @ leaves[2] + leaves[3], h @ leaves[4] + leaves[5]]

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        sum(w * (p * d).sum() for w, p, d in zip(weights, forward(), tdy, strict=True)).backward()

    g1, g2 = rng.normal(size=n), rng.normal(size=n)
    t1, t2 = torch.tensor(g1), torch.tensor(g2)
    return {
        "forward": (lambda: lib.multi_task_forward(x, W, b, heads), lambda: forward()),
        "forward + backward": (
            lambda: (lib.multi_task_forward(x, W, b, heads), lib.multi_task_backward(dy, x, W, b, heads, weights)),
            both,
        ),
        "gradient_cosine": (lambda: lib.gradient_cosine(g1, g2), lambda: torch.dot(t1, t2) / (t1.norm() * t2.norm())),
        "project_conflict": (
            lambda: lib.project_conflict(g1, -g1 + g2),
            lambda: t1 - torch.dot(t1, t2 - t1) / torch.dot(t2 - t1, t2 - t1) * (t2 - t1),
        ),
    }
