"""ReLU nets by torch.nn, tents by iteration, linear pieces by exact rational arithmetic."""

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import torch


def count_parameters(widths: list[int]) -> int:
    return sum(p.numel() for n_in, n_out in pairwise(widths) for p in torch.nn.Linear(n_in, n_out).parameters())


def relu_network(x: np.ndarray, weights: list[np.ndarray], biases: list[np.ndarray]) -> np.ndarray:
    layers = []
    for W, b in zip(weights, biases, strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(W).T, torch.tensor(b)
        layers += [linear, torch.nn.ReLU()]
    with torch.no_grad():
        return torch.nn.Sequential(*layers[:-1])(torch.tensor(x)).numpy()


def interpolate(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Between neighbouring points, the mean weighted by distance."""
    x, k, v = (torch.tensor(a) for a in (x, knots, values))
    right = torch.searchsorted(k, x).clamp(1, len(k) - 1)
    return torch.lerp(v[right - 1], v[right], (x - k[right - 1]) / (k[right] - k[right - 1])).numpy()


def sawtooth(x: np.ndarray, depth: int) -> np.ndarray:
    y = torch.tensor(x)
    for _ in range(depth):
        y = 1 - torch.abs(2 * y - 1)
    return y.numpy()


def count_linear_pieces(weights: list[np.ndarray], biases: list[np.ndarray], low: float, high: float) -> int:
    """The contract in rational arithmetic: kinks are exact, so no two that are equal are ever told apart by rounding."""
    rational = [
        ([[Fraction(w) for w in row] for row in W.tolist()], [Fraction(v) for v in b.tolist()])
        for W, b in zip(weights, biases, strict=True)
    ]
    pieces = [(Fraction(low), Fraction(high), [(Fraction(1), Fraction(0))])]  # ends, and slope and intercept of every unit
    for layer, (W, b) in enumerate(rational):
        split = []
        for left, right, units in pieces:
            lines = [
                (sum(s * W[i][j] for i, (s, _) in enumerate(units)), sum(c * W[i][j] for i, (_, c) in enumerate(units)) + b[j])
                for j in range(len(b))
            ]
            if layer == len(rational) - 1:
                split.append((left, right, lines))
                continue
            kinks = {-c / s for s, c in lines if s != 0}
            ends = [left, *sorted(k for k in kinks if left < k < right), right]
            for lo, hi in pairwise(ends):
                middle = (lo + hi) / 2
                split.append((lo, hi, [(s, c) if s * middle + c > 0 else (Fraction(0), Fraction(0)) for s, c in lines]))
        pieces = split
    slopes = [lines[0][0] for _, _, lines in pieces]
    tolerance = max(map(abs, slopes)) / 10**9
    return 1 + sum(abs(b - a) > tolerance for a, b in pairwise(slopes))


def montufar_lower_bound(n_inputs: int, hidden_widths: list[int]) -> int:
    folds = [(n // n_inputs) ** n_inputs for n in hidden_widths[:-1]]
    return int(np.prod(np.array([1, *folds], dtype=object))) * sum(comb(hidden_widths[-1], j) for j in range(n_inputs + 1))
