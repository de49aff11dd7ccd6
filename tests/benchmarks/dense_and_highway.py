"""dense_and_highway against PyTorch eager, one thread: eight dense layers of growth 8 on 64 inputs; highway layers of width 64.

A backward is compared with forward and backward, because PyTorch needs both.
"""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import dense_and_highway as lib
from tests.oracles import dense_and_highway as oracle

D, GROWTH, LAYERS = 64, 8, 8


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    N = max(n // D, 1)
    x, h, dy, t = rng.normal(size=(N, D)), rng.normal(size=(N, D)), rng.normal(size=(N, D)), rng.uniform(size=(N, D))
    widths = lib.dense_block_widths(D, GROWTH, LAYERS)
    weights, biases = [rng.normal(size=(w, GROWTH)) / w**0.5 for w in widths[:-1]], [np.zeros(GROWTH)] * LAYERS
    features, dwide = (
        np.split(rng.normal(size=(N, widths[-1])), widths[:-1], axis=1)[:-1],
        rng.normal(size=(N, widths[-1])),
    )
    params = [rng.normal(size=(D, D)) / 8, rng.normal(size=D), rng.normal(size=(D, D)) / 8, rng.normal(size=D)]
    tx, th, tdy, tt, tdwide = map(torch.tensor, (x, h, dy, t, dwide))

    def leaves(*arrays: np.ndarray) -> list[torch.Tensor]:
        return [torch.tensor(a, requires_grad=True) for a in arrays]

    tfeatures, (tW, tb), tweights, tbiases, thighway = (
        leaves(*features),
        leaves(weights[-1], biases[-1]),
        leaves(*weights),
        leaves(*biases),
        leaves(x, *params),
    )
    txl = leaves(x)[0]

    def torch_backward(
        forward: Callable[[], torch.Tensor], arrays: list[torch.Tensor], dloss: torch.Tensor
    ) -> Callable:
        def run() -> None:
            for leaf in arrays:
                leaf.grad = None
            forward().backward(dloss)

        return run

    def no_grad(forward: Callable[[], torch.Tensor]) -> Callable:
        def run() -> torch.Tensor:
            with torch.no_grad():
                return forward()

        return run

    layer, block, highway = (
        (lambda: oracle._dense_layer(tfeatures, tW, tb)),
        (lambda: oracle._dense_block(txl, tweights, tbiases)),
        (lambda: oracle._highway(*thighway)),
    )
    dnew = dy[:, :GROWTH].copy()
    return {
        "dense_layer": (lambda: lib.dense_layer(features, weights[-1], biases[-1]), no_grad(layer)),
        "dense_layer_backward": (
            lambda: lib.dense_layer_backward(dnew, features, weights[-1], biases[-1]),
            torch_backward(layer, [*tfeatures, tW, tb], torch.tensor(dnew)),
        ),
        "dense_block": (lambda: lib.dense_block(x, weights, biases), no_grad(block)),
        "dense_block_backward": (
            lambda: lib.dense_block_backward(dwide, x, weights, biases),
            torch_backward(block, [txl, *tweights, *tbiases], tdwide),
        ),
        "highway_layer": (lambda: lib.highway_layer(x, *params), no_grad(highway)),
        "highway_gate_gradient": (
            lambda: lib.highway_gate_gradient(dy, x, h, t),
            lambda: tdy * (th - tx) * tt * (1 - tt),
        ),
        "highway_layer_backward": (
            lambda: lib.highway_layer_backward(dy, x, *params),
            torch_backward(highway, thighway, tdy),
        ),
    }
