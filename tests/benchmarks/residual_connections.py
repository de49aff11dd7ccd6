"""residual_connections against PyTorch eager, one thread: D = 64, branches of 64 hidden units.

A backward is compared with forward and backward, because PyTorch needs both.
"""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import residual_connections as lib
from tests.oracles import residual_connections as oracle

D = 64


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, dy = rng.normal(size=(max(n // D, 1), D)), rng.normal(size=(max(n // D, 1), D))
    params = [rng.normal(size=(D, D)) / 8, rng.normal(size=D), rng.normal(size=(D, D)) / 8, rng.normal(size=D)]
    W_skip = rng.normal(size=(D, D)) / 8
    jacobians = 0.1 * rng.normal(size=(max(n // D**2, 1), D, D))
    tdy, tx, *tparams = map(torch.tensor, (dy, x, *params))
    tW_skip, tjacobians = torch.tensor(W_skip), torch.tensor(jacobians)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *params, W_skip)]

    def torch_backward(name: str, arrays: list[torch.Tensor]) -> Callable:
        def run() -> None:
            for leaf in arrays:
                leaf.grad = None
            oracle.FORWARDS[name](*arrays).backward(tdy)

        return run

    def torch_stack() -> torch.Tensor:
        total = torch.eye(D, dtype=torch.float64)
        for jacobian in tjacobians:
            total = total + jacobian @ total
        return total

    return {
        "residual_gradient": (
            lambda: lib.residual_gradient(dy[0], jacobians[0]),
            lambda: tdy[0] + tjacobians[0].T @ tdy[0],
        ),
        "residual_block": (
            lambda: lib.residual_block(x, *params),
            lambda: oracle.FORWARDS["residual_block"](tx, *tparams),
        ),
        "residual_block_backward": (
            lambda: lib.residual_block_backward(dy, x, *params),
            torch_backward("residual_block", leaves[:5]),
        ),
        "residual_stack_jacobian": (lambda: lib.residual_stack_jacobian(jacobians), torch_stack),
        "post_activation_block": (
            lambda: lib.post_activation_block(x, *params),
            lambda: oracle.FORWARDS["post_activation_block"](tx, *tparams),
        ),
        "post_activation_block_backward": (
            lambda: lib.post_activation_block_backward(dy, x, *params),
            torch_backward("post_activation_block", leaves[:5]),
        ),
        "projection_block": (
            lambda: lib.projection_block(x, *params, W_skip),
            lambda: oracle.FORWARDS["projection_block"](tx, *tparams, tW_skip),
        ),
        "projection_block_backward": (
            lambda: lib.projection_block_backward(dy, x, *params, W_skip),
            torch_backward("projection_block", leaves),
        ),
    }
