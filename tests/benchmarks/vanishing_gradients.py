"""vanishing_gradients against PyTorch eager, one thread: nets of 10 layers of 64 units; a backward is compared with forward and backward, because PyTorch needs both."""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import vanishing_gradients as lib
from class4lib.network import mlp_params

WIDTH, DEPTH = 64, 10
TORCH = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, dy = rng.normal(size=(max(n // WIDTH, 2), WIDTH)), rng.normal(size=(max(n // WIDTH, 2), WIDTH))
    params = mlp_params([WIDTH] * (DEPTH + 1), "xavier", rng=rng)
    weights, biases = params[0::2], params[1::2]
    slope = rng.uniform(size=x.shape)
    tx, tdy, tslope = map(torch.tensor, (x, dy, slope))
    tweights, tbiases = [torch.tensor(W) for W in weights], [torch.tensor(b) for b in biases]
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, *weights, *biases)]

    def torch_forward(activation: str, a: torch.Tensor, arrays: list[torch.Tensor]) -> torch.Tensor:
        for W, b in zip(arrays[: DEPTH - 1], arrays[DEPTH:-1], strict=True):
            a = TORCH[activation](a @ W + b)
        return a @ arrays[DEPTH - 1] + arrays[-1]

    def torch_backward(activation: str) -> None:
        for leaf in leaves:
            leaf.grad = None
        torch_forward(activation, leaves[0], leaves[1:]).backward(tdy)

    def torch_norms() -> list[torch.Tensor]:
        torch_backward("tanh")
        return [torch.linalg.norm(W.grad) for W in leaves[1 : DEPTH + 1]]

    made: dict[str, tuple[Callable, Callable]] = {
        "delta_recursion": (lambda: lib.delta_recursion(dy, weights[0], slope), lambda: (tdy @ tweights[0].T) * tslope)
    }
    for name in ("sigmoid", "tanh", "relu"):
        made[f"mlp_forward, {name}"] = (
            lambda name=name: lib.mlp_forward(x, weights, biases, name),
            lambda name=name: torch_forward(name, tx, [*tweights, *tbiases]),
        )
        made[f"mlp_backward, {name}"] = (
            lambda name=name: lib.mlp_backward(dy, x, weights, biases, name),
            lambda name=name: torch_backward(name),
        )
    return {
        **made,
        "layer_gradient_norms, tanh": (lambda: lib.layer_gradient_norms(dy, x, weights, biases, "tanh"), torch_norms),
    }
