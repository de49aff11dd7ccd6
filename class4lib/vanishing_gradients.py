"""Vanishing and exploding gradients: backpropagation through a deep dense net, and what the initialisation does to it.

Shapes: weights[l] is (n_l, n_{l+1}), biases[l] is (n_{l+1},); z = a @ W + b is a layer's pre-activation, a = sigma(z) its output, and
delta = dLoss/dz. The activation stands after every layer but the last, which is linear.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from class4lib.basics import relu, sigmoid
from class4lib.guards import array, arrays, check_layers, choice, guarded, integer, number

Activation = Literal["sigmoid", "tanh", "relu"]
_activations = choice("sigmoid", "tanh", "relu")


def _layers_chain(
    function: str, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], dy: ndarray | None = None, **_: object
) -> None:
    check_layers(function, weights, biases, x.shape[1])
    if dy is not None and dy.shape[1] != weights[-1].shape[1]:
        wanted = (len(x), weights[-1].shape[1])
        raise ValueError(f"{function}: dy must have shape {wanted}, got {dy.shape}: match the last axis of weights[{len(weights) - 1}].")


@guarded(delta_next=array("N M"), W_next=array("D M"), slope=array("N D"))
def delta_recursion(delta_next: ndarray, W_next: ndarray, slope: ndarray) -> ndarray:
    """dLoss/dz of a layer from dLoss/dz of the next one.

    Args:
        delta_next: (N, M) dLoss/dz of the next layer, whose pre-activation is z_next = sigma(z) @ W_next + b_next.
        W_next: (D, M) weights of the next layer.
        slope: (N, D) sigma'(z) of this layer: at the pre-activation z, not at the output sigma(z).

    Returns:
        (N, D).

    Derivation:
        dL/da_d = sum_m dL/dz_next_m dz_next_m/da_d = sum_m delta_next_m W_next_dm
        dL/dz_d = dL/da_d sigma'(z_d)
        delta = (delta_next @ W_next.T) * slope

    Source: Rumelhart et al. 1986; the slide's product in the order that rows as examples need.
    """
    return (delta_next @ W_next.T) * slope


@guarded(x=array("N D"), weights=arrays("n m"), biases=arrays("m"), activation=_activations, also=_layers_chain)
def mlp_forward(x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], activation: Activation) -> ndarray:
    """Output of a dense net; the last layer is linear.

    Args:
        x: (N, n_0).
        weights: weights[l] is (n_l, n_{l+1}); at least one layer.
        biases: biases[l] is (n_{l+1},).
        activation: "sigmoid", "tanh" or "relu", after every layer but the last.

    Returns:
        (N, n_L); finite for every |pre-activation| up to 1000.

    Formula:
        a_{l+1} = sigma(a_l @ W_l + b_l), and a_L = a_{L-1} @ W_{L-1} + b_{L-1}.

    Source: Goodfellow et al. 2016, algorithm 6.3.
    """
    f = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": relu}[activation]
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        x = f(x @ W + b)
    return x @ weights[-1] + biases[-1]


@guarded(x=array("N D"), dy=array("N M"), weights=arrays("n m"), biases=arrays("m"), activation=_activations, also=_layers_chain)
def mlp_backward(
    dy: ndarray, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], activation: Activation
) -> tuple[ndarray, list[ndarray], list[ndarray]]:
    """Gradients of mlp_forward.

    Args:
        dy: (N, n_L) dLoss/dy.
        x: (N, n_0) input of the forward.
        weights: those of the forward.
        biases: those of the forward.
        activation: that of the forward. ReLU'(0) = 0.

    Returns:
        dx (N, n_0), dweights and dbiases: lists in the order of the layers, first layer first; summed over the batch, not averaged.

    Derivation:
        delta_L = dy, the last layer being linear
        delta_l = (delta_{l+1} @ W_{l+1}.T) * sigma'(z_l)
        dW_l = a_{l-1}.T @ delta_l, db_l = sum_n delta_l, with a_0 = x
        dx = delta_1 @ W_1.T
        sigma'(z) from a = sigma(z): sigmoid a (1 - a), tanh 1 - a**2, ReLU [a > 0]

    Source: Goodfellow et al. 2016, algorithm 6.4.
    """
    f = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": relu}[activation]
    slopes = {"sigmoid": lambda a: a * (1.0 - a), "tanh": lambda a: 1.0 - a * a, "relu": lambda a: np.heaviside(a, 0.0)}
    slope = slopes[activation]  # from a = sigma(z)
    inputs = [x]  # of each layer
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        inputs.append(f(inputs[-1] @ W + b))
    delta, dweights, dbiases = dy, list(weights), list(biases)  # every entry of the lists is replaced
    for layer in reversed(range(len(weights))):
        dweights[layer], dbiases[layer] = inputs[layer].T @ delta, delta.sum(axis=0)
        if layer > 0:
            delta = delta_recursion(delta, weights[layer], slope(inputs[layer]))
    return delta @ weights[0].T, dweights, dbiases


@guarded(x=array("N D"), dy=array("N M"), weights=arrays("n m"), biases=arrays("m"), activation=_activations, also=_layers_chain)
def layer_gradient_norms(dy: ndarray, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], activation: Activation) -> ndarray:
    """Frobenius norm of dLoss/dW of every layer.

    Args:
        dy: (N, n_L) dLoss/dy.
        x: (N, n_0).
        weights, biases, activation: as in mlp_forward.

    Returns:
        (L,), first layer first. Norms below 1e-162 (1e-19 in float32) read too small or 0: the squares underflow before the entries do.

    Formula:
        sqrt(sum_ij dW_ij**2).

    Source: the plot of Glorot and Bengio 2010, figure 7.
    """
    _, dweights, _ = mlp_backward(dy, x, weights, biases, activation)
    return np.array([np.linalg.norm(dW) for dW in dweights])


@guarded(fan_in=integer(low=1), fan_out=integer(low=1), scheme=choice("lecun", "xavier", "he"))
def init_std(fan_in: int, fan_out: int, scheme: Literal["lecun", "xavier", "he"]) -> float:
    """STANDARD DEVIATION of a layer's initial weights: not the variance, and not the bound of a uniform distribution.

    Args:
        fan_in: D of W (D, M).
        fan_out: M.
        scheme: "lecun" keeps the variance of the signal, "xavier" a compromise of signal and gradient, "he" the signal behind a ReLU.

    Returns:
        A number above 0.

    Formula:
        The square root of 1 / fan_in, 2 / (fan_in + fan_out), 2 / fan_in.

    Source: LeCun et al. 1998, section 4.6; Glorot and Bengio 2010, eq. 12; He et al. 2015, eq. 10.
    """
    variance = {"lecun": 1.0 / fan_in, "xavier": 2.0 / (fan_in + fan_out), "he": 2.0 / fan_in}[scheme]
    return float(np.sqrt(variance))


@guarded(fan_out=integer(low=1), weight_std=number(low=0), mean_squared_slope=number(low=0))
def gradient_factor(fan_out: int, weight_std: float, mean_squared_slope: float) -> float:
    """Expected factor of the MEAN SQUARE of one component of delta per layer going back.

    It is the factor of the squared norm only where the width is constant.

    Args:
        fan_out: M of the next layer's weights (D, M): how many components of delta_next are summed.
        weight_std: standard deviation of those weights, independent with mean 0.
        mean_squared_slope: mean of sigma'(z)**2; 1 for a linear layer, 1/2 for ReLU behind symmetric pre-activations.

    Returns:
        A number; below 1 gradients vanish, above 1 they explode.

    Formula:
        fan_out * weight_std**2 * mean_squared_slope.

    Source: He et al. 2015, eq. 13 and 14.
    """
    return float(fan_out * weight_std**2 * mean_squared_slope)


@guarded(factor=number(above=0, below=1), ratio=number(above=0, below=1))
def depth_to_vanish(factor: float, ratio: float) -> int:
    """Smallest number of layers after which the gradient's NORM has shrunk to a given share, at constant width.

    Args:
        factor: of the squared norm, per layer, in (0, 1); see gradient_factor.
        ratio: of the norm (not its square), in (0, 1).

    Returns:
        n >= 1.

    Formula:
        factor**(n / 2) <= ratio, so n = ceil(2 log(ratio) / log(factor)).
    """
    return int(np.ceil(2.0 * np.log(ratio) / np.log(factor)))  # both logarithms are negative


def equalized_mlp_in_torch(x: Any, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    """Output of a ReLU net whose weights are stored with deviation 1 and brought to He's size in the forward pass, in PyTorch's tensor operations.

    Args:
        x: (N, n_0) float64 tensor; the result can be differentiated in it and in every weight and bias.
        weights: tensors (n_l, n_{l+1}), drawn with standard deviation 1; at least one layer. They are not changed.
        biases: tensors (n_{l+1},), used as they are.

    Returns:
        (N, n_L) tensor. EVERY layer's weights are scaled, each by its own number; ReLU after every layer but the last, which is linear.

    Formula:
        a_{l+1} = relu(a_l @ (c_l W_l) + b_l), c_l = sqrt(2 / n_l)

    Source: Karras et al. 2018, section 4.1 (equalized learning rate), with the scale of He et al. 2015 in the last layer as well.
    """
    import torch

    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        x = x @ (W * (2.0 / W.shape[0]) ** 0.5) + b
        if layer < len(weights) - 1:
            x = torch.relu(x)
    return x
