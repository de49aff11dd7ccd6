"""depth_vs_width against PyTorch eager, one thread: nets of three hidden layers of 32 units, curves with a knot for every third number.

The makers of weights that take a depth do the same small work at every size; counting pieces has no counterpart in PyTorch and is written
here with tensors, layer by layer, without the care for shared kinks.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from class4lib import depth_vs_width as lib

WIDTHS = [32, 32, 32, 32, 1]


def _torch_interpolating(knots: torch.Tensor, values: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    slopes = torch.diff(values) / torch.diff(knots)
    changes = torch.diff(slopes, prepend=torch.zeros(1, dtype=slopes.dtype))
    return [torch.ones((1, len(changes)), dtype=slopes.dtype), changes[:, None]], [-knots[:-1], values[:1].clone()]


def _torch_pieces(weights: list[torch.Tensor], biases: list[torch.Tensor], low: float, high: float) -> int:
    edges, slopes, values = (
        torch.tensor([low, high]).double(),
        torch.ones((1, 1)).double(),
        torch.tensor([[low]]).double(),
    )
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        slopes, values = slopes @ W, values @ W + b
        cuts = edges[:-1, None] - values / slopes
        inside = (cuts > edges[:-1, None]) & (cuts < edges[1:, None])
        new = torch.sort(torch.cat([edges, cuts[inside]])).values
        middles = (new[:-1] + new[1:]) / 2
        parent = torch.searchsorted(edges[1:-1].contiguous(), middles)
        slopes, values = slopes[parent], values[parent] + slopes[parent] * (new[:-1] - edges[parent])[:, None]
        on = values + slopes * (middles - new[:-1])[:, None] > 0
        edges, slopes, values = new, slopes * on, values * on
    slopes = (slopes @ weights[-1])[:, 0]
    return 1 + int((torch.diff(slopes).abs() > 1e-9 * slopes.abs().max()).sum())


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x = rng.normal(size=(max(n // WIDTHS[0], 1), WIDTHS[0]))
    weights, biases = [rng.normal(size=s) / 4 for s in pairwise(WIDTHS)], [rng.normal(size=m) for m in WIDTHS[1:]]
    layers: list[nn.Module] = []
    for W, b in zip(weights, biases, strict=True):
        linear = nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        layers += [linear, nn.ReLU()]
    net, tx = nn.Sequential(*layers[:-1]), torch.tensor(x)
    knots, values = np.cumsum(rng.uniform(0.5, 1, size=max(n // 3, 2))), rng.normal(size=max(n // 3, 2))
    tknots, tvalues = torch.tensor(knots), torch.tensor(values)
    m = max(int(n**0.5), 2)  # m pieces by m units are n numbers
    curve, tcurve = lib.interpolating_network(knots[:m], values[:m]), _torch_interpolating(tknots[:m], tvalues[:m])
    low, high = float(knots[0]), float(knots[:m][-1])

    def torch_net() -> torch.Tensor:
        with torch.no_grad():
            return net(tx)

    return {
        "count_parameters": (lambda: lib.count_parameters(WIDTHS), lambda: sum(p.numel() for p in net.parameters())),
        "relu_network": (lambda: lib.relu_network(x, weights, biases), torch_net),
        "interpolating_network": (
            lambda: lib.interpolating_network(knots, values),
            lambda: _torch_interpolating(tknots, tvalues),
        ),
        "count_linear_pieces, one layer": (
            lambda: lib.count_linear_pieces(*curve, low, high),
            lambda: _torch_pieces(*tcurve, low, high),
        ),
    }
