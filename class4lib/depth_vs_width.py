"""Depth against width: what a ReLU net represents, with how many parameters and in how many linear pieces.

Shapes: weights[l] is (n_l, n_{l+1}), biases[l] is (n_{l+1},), x is (N, n_0); ReLU after every layer but the last. A net R -> R has
n_0 = 1 and one output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, arrays, check_layers, describe, guarded, integer, number


def _widths(minimum: int) -> Callable[[str, str, Any, dict], list[int]]:
    """A guard: a list of at least `minimum` whole numbers, each at least 1."""

    def guard(function: str, name: str, value: Any, sizes: dict) -> list[int]:
        if not isinstance(value, Sequence | ndarray) or isinstance(value, str | bytes) or np.ndim(value) == 0:
            raise TypeError(f"{function}: {name} must be a list of integers, got {describe(value)}.")
        if len(value) < minimum:
            raise ValueError(f"{function}: {name} must hold at least {minimum}, got {len(value)}.")
        return [integer(low=1)(function, f"{name}[{i}]", n, sizes) for i, n in enumerate(value)]

    return guard


def _layers_chain(function: str, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], **_: object) -> None:
    check_layers(function, weights, biases, x.shape[1])


def _knots_increase(function: str, knots: ndarray, **_: object) -> None:
    if len(knots) < 2:
        raise ValueError(f"{function}: knots must hold at least 2, got {len(knots)}.")
    if not (np.diff(knots) > 0).all():
        i = int(np.flatnonzero(~(np.diff(knots) > 0))[0])
        raise ValueError(f"{function}: knots must increase strictly, got {knots[i]:g} before {knots[i + 1]:g}.")


def _net_of_one_variable(function: str, weights: Sequence[ndarray], biases: Sequence[ndarray], low: float, high: float) -> None:
    if weights[0].shape[0] != 1:
        raise ValueError(f"{function}: weights[0] must have 1 row, got {weights[0].shape[0]}: the net takes one number.")
    check_layers(function, weights, biases)
    for layer in range(1, len(weights)):
        n_in, shape = weights[layer - 1].shape[1], weights[layer].shape
        if shape[0] != n_in:
            wanted = (n_in, shape[1])
            raise ValueError(
                f"{function}: weights[{layer}] must have shape {wanted}, got {shape}: match the last axis of weights[{layer - 1}]."
            )
    if weights[-1].shape[1] != 1:
        last = f"weights[{len(weights) - 1}]"
        raise ValueError(f"{function}: {last} must have 1 column, got {weights[-1].shape[1]}: the net returns one number.")
    if not (low < high and np.isfinite(high - low)):
        raise ValueError(f"{function}: low must be below high, both finite, got {low} and {high}.")


def _as_wide_as_the_input(function: str, n_inputs: int, hidden_widths: Sequence[int]) -> None:
    for layer, width in enumerate(hidden_widths):
        if width < n_inputs:
            raise ValueError(f"{function}: hidden_widths[{layer}] must be at least n_inputs = {n_inputs}, got {width}.")


@guarded(widths=_widths(2))
def count_parameters(widths: Sequence[int]) -> int:
    """Number of weights and biases of a dense net.

    Args:
        widths: [n_in, n_1, ..., n_out], at least two; every layer has a bias, the output layer too.

    Returns:
        A whole number.

    Formula:
        sum over the layers of (n_l + 1) n_{l+1}: of order k n**2 for k layers of n units.

    Source: Goodfellow et al. 2016, section 6.4.1.
    """
    return sum((widths[i] + 1) * widths[i + 1] for i in range(len(widths) - 1))


@guarded(x=array("N D"), weights=arrays("n m"), biases=arrays("m"), also=_layers_chain)
def relu_network(x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]) -> ndarray:
    """Output of a dense net with ReLU after every layer but the last.

    Args:
        x: (N, n_0), rows are examples.
        weights: weights[l] is (n_l, n_{l+1}); at least one layer. One layer is an affine map.
        biases: biases[l] is (n_{l+1},).

    Returns:
        (N, n_L), any sign.

    Formula:
        a_{l+1} = max(a_l @ W_l + b_l, 0), and a_L = a_{L-1} @ W_{L-1} + b_{L-1}.

    Source: Goodfellow et al. 2016, section 6.1.
    """
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        x = np.maximum(x @ W + b, 0.0)
    return x @ weights[-1] + biases[-1]


@guarded(knots=array("K"), values=array("K"), also=_knots_increase)
def interpolating_network(knots: ndarray, values: ndarray) -> tuple[list[ndarray], list[ndarray]]:
    """A net R -> R with one hidden ReLU layer through given points, linear between them.

    With knots dense enough this approximates any continuous function on an interval.

    Args:
        knots: (K,) strictly increasing, at least two.
        values: (K,) the net's outputs there.

    Returns:
        weights [(1, H), (H, 1)] and biases [(H,), (1,)] for relu_network. Any number H of hidden units is right; outside of
        [knots[0], knots[-1]] the net may do as it likes.

    Formula:
        f(x) = v_0 + sum_i c_i max(x - k_i, 0), i = 0 ... K - 2; the slope changes by c_i at k_i:
        c_0 = s_0, c_i = s_i - s_{i-1}, s_i = (v_{i+1} - v_i) / (k_{i+1} - k_i).

    Source: one-hidden-layer approximation, Cybenko 1989 and Hornik et al. 1989; this construction for ReLU is folklore.
    """
    slopes = np.diff(values) / np.diff(knots)  # (K - 1,)
    changes = np.diff(slopes, prepend=0.0)  # the first unit brings the first slope
    return [np.ones((1, len(changes))), changes[:, None]], [-knots[:-1], np.array([values[0]])]


@guarded(depth=integer(low=1, high=10))
def sawtooth_network(depth: int) -> tuple[list[ndarray], list[ndarray]]:
    """A net of `depth` hidden layers with two ReLU units each that equals the tent map composed depth times on [0, 1].

    The tent map is 2x up to 1/2 and 2 - 2x from there.

    Args:
        depth: 1 to 10.

    Returns:
        weights [(1, 2), (2, 2), ..., (2, 1)] and biases [(2,), ..., (1,)] for relu_network: depth + 1 of each. Outside of [0, 1] the
        net may do as it likes.

    Formula:
        tent(x) = 2 max(x, 0) - 4 max(x - 1/2, 0); the output weights (2, -4) of one tent are merged with the input weights (1, 1) of
        the next, its biases are (0, -1/2).

    Source: Telgarsky 2016, "Benefits of depth in neural networks", section 1.
    """
    split, join, kinks = np.ones((1, 2)), np.array([[2.0], [-4.0]]), np.array([0.0, -0.5])
    merged = np.hstack([join, join])  # join @ split: both units read the value of the tent before
    weights = [split, *(merged.copy() for _ in range(depth - 1)), join]  # (1, 2), (2, 2), ..., (2, 1)
    return weights, [*(kinks.copy() for _ in range(depth)), np.zeros(1)]


@guarded(depth=integer(low=1, high=10))
def shallow_sawtooth_network(depth: int) -> tuple[list[ndarray], list[ndarray]]:
    """The function of sawtooth_network on [0, 1] from a net with one hidden layer of exactly 2**depth units.

    Args:
        depth: 1 to 10, the number of tents composed.

    Returns:
        weights [(1, 2**depth), (2**depth, 1)] and biases [(2**depth,), (1,)] for relu_network.

    Formula:
        The composed tents join the points (k / 2**depth, k mod 2), k = 0 ... 2**depth: 2**depth - 1 kinks, a unit each, and one unit
        for the first slope.

    Source: Telgarsky 2016, section 1.
    """
    k = np.arange(2.0**depth + 1)
    return interpolating_network(k / 2**depth, k % 2)


@guarded(weights=arrays("n m"), biases=arrays("m"), low=number(), high=number(), also=_net_of_one_variable)
def count_linear_pieces(weights: Sequence[ndarray], biases: Sequence[ndarray], low: float, high: float) -> int:
    """Number of maximal intervals of [low, high] on which a ReLU net R -> R is affine; computed from the weights, not sampled.

    Neighbouring slopes that differ by at most 1e-9 of the largest |slope| are one piece, a kink at low or high does not count, and
    kinks nearer to each other than 1e-9 (high - low) are taken for one that rounding has split.

    Args:
        weights: weights[l] is (n_l, n_{l+1}), one input and one output.
        biases: biases[l] is (n_{l+1},).
        low, high: ends of the interval, low < high.

    Returns:
        A whole number, at least 1.

    Formula:
        Put t = 0 at low and t = 1 at high. Every unit is affine on every piece so far: carry its slope and its value at the piece's
        left end through the layers. A ReLU cuts a piece where the value crosses 0, step = -value / slope from the left end, and keeps
        the unit where the middle of the new piece is positive. At the end count the changes of the output's slope.

    Source: counting by layers as in Montufar et al. 2014, section 2; Hanin and Rolnick 2019.
    """
    tiny = 1e-9
    edges, slopes, values = np.array([0.0, 1.0]), np.array([[high - low]]), np.array([[low]])  # low + (high - low) t, t in [0, 1]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        slopes, values = slopes @ W, values @ W + b  # (pieces, units)
        with np.errstate(all="ignore"):  # a flat unit crosses 0 nowhere: its step is inf, which is clipped, or NaN, which sorts last
            steps = np.clip(-values / slopes, 0.0, np.diff(edges)[:, None])
        cuts = np.sort(np.concatenate([edges, (edges[:-1, None] + steps).ravel()]))
        cuts = cuts[np.diff(cuts, prepend=-np.inf) > tiny]  # units that share a kink cut once; NaN compares as False
        middles = (cuts[:-1] + cuts[1:]) / 2
        parent = np.searchsorted(edges[1:-1], middles)  # the old piece of each new one
        slopes, values = slopes[parent], values[parent] + slopes[parent] * (cuts[:-1] - edges[parent])[:, None]
        on = values + slopes * (middles - cuts[:-1])[:, None] > 0
        edges, slopes, values = cuts, slopes * on, values * on
    slopes = (slopes @ weights[-1])[:, 0]
    return 1 + int((np.abs(np.diff(slopes)) > tiny * np.abs(slopes).max()).sum())


@guarded(n_inputs=integer(low=1), hidden_widths=_widths(1), also=_as_wide_as_the_input)
def montufar_lower_bound(n_inputs: int, hidden_widths: Sequence[int]) -> int:
    """Lower bound on the MAXIMUM, over all weights, of the number of linear regions of a ReLU net on the whole input space.

    One net, or an interval, may have fewer.

    Args:
        n_inputs: n_0.
        hidden_widths: [n_1, ..., n_L], hidden layers only, at least one, each at least n_inputs.

    Returns:
        A whole number (Python's, so that it cannot overflow).

    Formula:
        prod_{l < L} floor(n_l / n_0)**n_0 * sum_{j = 0}^{n_0} C(n_L, j); the product is 1 for one hidden layer.
        For one input and k layers of n units: n**(k - 1) (n + 1).

    Source: Montufar et al. 2014, theorem 5.
    """
    *inner, last = hidden_widths
    regions, binomial = 0, 1
    for j in range(n_inputs + 1):
        regions += binomial
        binomial = binomial * (last - j) // (j + 1)  # C(n, j + 1) = C(n, j) (n - j) / (j + 1), exact
    for width in inner:
        regions *= (width // n_inputs) ** n_inputs
    return regions


def relu_network_in_torch(x: Any, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    """relu_network in PyTorch's tensor operations, so that it can be differentiated in x and in every weight and bias.

    Exactly on a kink the slope of ReLU counts as 0.

    Args:
        x: (N, n_0) float64 tensor, rows are examples.
        weights: tensors, weights[l] is (n_l, n_{l+1}); at least one layer.
        biases: tensors, biases[l] is (n_{l+1},).

    Returns:
        (N, n_L) tensor.

    Formula:
        a_{l+1} = relu(a_l @ W_l + b_l), without the relu in the last layer. torch.relu has slope 0 at 0; torch.clamp has 1 there, and
        torch.maximum with 0 has 1/2.

    Source: Goodfellow et al. 2016, section 6.1.
    """
    import torch

    for layer in range(len(weights) - 1):
        x = torch.relu(x @ weights[layer] + biases[layer])
    return x @ weights[-1] + biases[-1]
