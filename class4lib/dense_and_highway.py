"""Dense and highway connections: layers that read everything before them, and layers that learn how much to change.

Shapes: features are (N, D_0), (N, D_1), ..., concatenated along the last axis; in the highway layer x, H, T and the output are (N, D).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.basics import sigmoid
from class4lib.guards import array, arrays, guarded, integer


def _features_match(function: str, features: Sequence[ndarray], W: ndarray, dy: ndarray | None = None, **_: object) -> None:
    rows, width = len(features[0]), sum(f.shape[1] for f in features)
    for i, f in enumerate(features):
        if len(f) != rows:
            raise ValueError(f"{function}: features[{i}] must have {rows} rows, got {len(f)}: match features[0].")
    if len(W) != width:
        raise ValueError(f"{function}: W must have shape {(width, W.shape[1])}, got {W.shape}: match the widths of features together.")
    if dy is not None and len(dy) != rows:
        raise ValueError(f"{function}: dy must have shape {(rows, W.shape[1])}, got {dy.shape}: match the rows of features.")


def _layers_read_all_before(
    function: str, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray], dy: ndarray | None = None, **_: object
) -> None:
    if len(biases) != len(weights):
        raise ValueError(f"{function}: biases must hold one vector per layer, {len(weights)}, got {len(biases)}: match weights.")
    width = x.shape[1]
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        if len(W) != width:
            wanted = (width, W.shape[1])
            raise ValueError(
                f"{function}: weights[{layer}] must have shape {wanted}, got {W.shape}: match x and every earlier output together."
            )
        if len(b) != W.shape[1]:
            raise ValueError(
                f"{function}: biases[{layer}] must have shape ({W.shape[1]},), got {b.shape}: match the last axis of weights[{layer}]."
            )
        width += W.shape[1]
    if dy is not None and dy.shape[1] != width:
        raise ValueError(f"{function}: dy must have shape {(len(x), width)}, got {dy.shape}: match x and every output together.")


@guarded(x=array("N D"), dy=array("N D"), h=array("N D"), t=array("N D", low=0.0, high=1.0))
def highway_gate_gradient(dy: ndarray, x: ndarray, h: ndarray, t: ndarray) -> ndarray:
    """Gradient in the gate's pre-activation of a highway layer y = t * h + (1 - t) * x, t = sigmoid(z).

    Args:
        dy: (N, D) dL/dy.
        x: (N, D) the layer's input, which is carried where the gate is closed.
        h: (N, D) the transform, open gate.
        t: (N, D) the gate, in [0, 1], after the sigmoid.

    Returns:
        (N, D) dL/dz.

    Derivation:
        dy/dt = h - x
        dt/dz = t (1 - t)
        dL/dz = dy (h - x) t (1 - t)

    Source: Srivastava et al. 2015, "Highway networks", eq. 3.
    """
    return dy * (h - x) * t * (1.0 - t)


@guarded(features=arrays("N D"), W=array("D M"), b=array("M"), also=_features_match)
def dense_layer(features: Sequence[ndarray], W: ndarray, b: ndarray) -> ndarray:
    """A ReLU layer that reads several feature arrays side by side.

    Args:
        features: [(N, D_0), (N, D_1), ...], at least one; the rows of W follow their order.
        W: (D_0 + D_1 + ..., M).
        b: (M,).

    Returns:
        (N, M) the new features alone, without those that were read.

    Formula:
        relu([a_0, a_1, ...] @ W + b), concatenated along axis 1.

    Source: Huang et al. 2017, "Densely connected convolutional networks", eq. 2, without normalisation.
    """
    return np.maximum(np.concatenate(features, axis=1) @ W + b, 0.0)


@guarded(features=arrays("N D"), W=array("D M"), b=array("M"), dy=array("N M"), also=_features_match)
def dense_layer_backward(dy: ndarray, features: Sequence[ndarray], W: ndarray, b: ndarray) -> tuple[list[ndarray], ndarray, ndarray]:
    """Gradients of dense_layer.

    Args:
        dy: (N, M) dLoss/dy.
        features, W, b: those of the forward. ReLU'(0) = 0.

    Returns:
        dfeatures, a list with one array per feature array, of its shape; dW; db. Summed over the batch.

    Derivation:
        c = [a_0, a_1, ...], y = relu(c @ W + b), dz = dy * [y > 0]
        dW = c.T @ dz, db = sum_n dz
        dc = dz @ W.T, split at the widths of the features
    """
    c = np.concatenate(features, axis=1)  # (N, D_0 + D_1 + ...)
    dz = dy * (c @ W + b > 0)
    ends = np.cumsum([f.shape[1] for f in features])
    return np.split(dz @ W.T, ends[:-1], axis=1), c.T @ dz, dz.sum(axis=0)


@guarded(x=array("N D"), weights=arrays("n m"), biases=arrays("m"), also=_layers_read_all_before)
def dense_block(x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]) -> ndarray:
    """A block of dense layers, each of which reads x and the outputs of all layers before it.

    Args:
        x: (N, D).
        weights: weights[l] is (D + m_0 + ... + m_{l-1}, m_l); at least one layer, widths m_l may differ.
        biases: biases[l] is (m_l,).

    Returns:
        (N, D + m_0 + m_1 + ...): x and every layer's output, in order.

    Formula:
        c_0 = x, c_{l+1} = [c_l, relu(c_l @ W_l + b_l)].

    Source: Huang et al. 2017, eq. 2.
    """
    for W, b in zip(weights, biases, strict=True):
        x = np.concatenate([x, dense_layer([x], W, b)], axis=1)
    return x


@guarded(x=array("N D"), dy=array("N C"), weights=arrays("n m"), biases=arrays("m"), also=_layers_read_all_before)
def dense_block_backward(
    dy: ndarray, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]
) -> tuple[ndarray, list[ndarray], list[ndarray]]:
    """Gradients of dense_block.

    Args:
        dy: (N, D + m_0 + m_1 + ...) dLoss/dy: one part for x and for every layer's output.
        x, weights, biases: those of the forward. ReLU'(0) = 0.

    Returns:
        dx (N, D), dweights and dbiases: lists in the order of the layers; summed over the batch.

    Derivation:
        c_{l+1} = [c_l, a_l], a_l = relu(c_l @ W_l + b_l), so dc_{l+1} = [its first part, da_l]
        dz = da_l * [a_l > 0]
        dW_l = c_l.T @ dz, db_l = sum_n dz
        dc_l = the first part of dc_{l+1} + dz @ W_l.T: every later reader adds its share
    """
    y = dense_block(x, weights, biases)  # what layer l read is y's first columns, as many as W_l has rows
    dweights, dbiases = list(weights), list(biases)  # every entry is replaced
    for layer in reversed(range(len(weights))):
        n, m = weights[layer].shape
        dz = dy[:, n:] * (y[:, n : n + m] > 0)
        dweights[layer], dbiases[layer] = y[:, :n].T @ dz, dz.sum(axis=0)
        dy = dy[:, :n] + dz @ weights[layer].T
    return dy, dweights, dbiases


@guarded(n_in=integer(low=1), growth=integer(low=1), n_layers=integer(low=1))
def dense_block_widths(n_in: int, growth: int, n_layers: int) -> list[int]:
    """Input width of each layer of a dense block, then the block's output width.

    Args:
        n_in: width of the block's input.
        growth: units of each layer.
        n_layers: at least 1.

    Returns:
        n_layers + 1 whole numbers.

    Formula:
        n_in + l growth, l = 0 ... n_layers.

    Source: Huang et al. 2017, section 3, "growth rate".
    """
    return [n_in + layer * growth for layer in range(n_layers + 1)]


@guarded(x=array("N D"), W_H=array("D D"), b_H=array("D"), W_T=array("D D"), b_T=array("D"))
def highway_layer(x: ndarray, W_H: ndarray, b_H: ndarray, W_T: ndarray, b_T: ndarray) -> ndarray:
    """A layer that mixes a transform with its own input, entry by entry, by a learned gate.

    Args:
        x: (N, D).
        W_H, b_H: (D, D), (D,) of the transform H, which ends in tanh (the slides write sigma for both).
        W_T, b_T: (D, D), (D,) of the gate T, which ends in the sigmoid; T = 1 transforms, T = 0 carries.

    Returns:
        (N, D).

    Formula:
        T * H + (1 - T) * x, H = tanh(x @ W_H + b_H), T = sigmoid(x @ W_T + b_T).

    Source: Srivastava et al. 2015, eq. 3.
    """
    T = sigmoid(x @ W_T + b_T)
    return T * np.tanh(x @ W_H + b_H) + (1.0 - T) * x


@guarded(x=array("N D"), dy=array("N D"), W_H=array("D D"), b_H=array("D"), W_T=array("D D"), b_T=array("D"))
def highway_layer_backward(dy: ndarray, x: ndarray, W_H: ndarray, b_H: ndarray, W_T: ndarray, b_T: ndarray) -> tuple[ndarray, ...]:
    """Gradients of highway_layer.

    Args:
        dy: (N, D) dLoss/dy.
        x, W_H, b_H, W_T, b_T: those of the forward.

    Returns:
        dx (N, D), dW_H (D, D), db_H (D,), dW_T (D, D), db_T (D,); summed over the batch.

    Derivation:
        dz_H = dy * T * (1 - H**2)
        dz_T = dy * (H - x) * T * (1 - T)
        dW = x.T @ dz, db = sum_n dz, for both
        dx = dy * (1 - T) + dz_H @ W_H.T + dz_T @ W_T.T: carry, transform and gate

    Source: Srivastava et al. 2015, eq. 3, differentiated.
    """
    H, T = np.tanh(x @ W_H + b_H), sigmoid(x @ W_T + b_T)
    dz_H = dy * T * (1.0 - H * H)
    dz_T = highway_gate_gradient(dy, x, H, T)
    dx = dy * (1.0 - T) + dz_H @ W_H.T + dz_T @ W_T.T
    return dx, x.T @ dz_H, dz_H.sum(axis=0), x.T @ dz_T, dz_T.sum(axis=0)


def dense_net_in_torch(x: Any, weights: Sequence[Any], biases: Sequence[Any]) -> Any:
    """A net with dense connections in PyTorch's tensor operations, from the input to the logits.

    Every layer, the last one too, reads x and the outputs of all layers before it, side by side and in that order. All layers but the
    last end in ReLU; the last is linear, and its output alone is returned.

    Args:
        x: (N, D) float64 tensor; the result can be differentiated in it and in every array.
        weights: tensors; weights[l] is (D + m_0 + ... + m_{l-1}, m_l); at least one layer, widths m_l may differ.
        biases: tensors; biases[l] is (m_l,).

    Returns:
        (N, m_last) tensor.

    Formula:
        c_0 = x, c_{l+1} = [c_l, relu(c_l @ W_l + b_l)]; the result is c_last @ W_last + b_last.

    Source: Huang et al. 2017, eq. 2.
    """
    import torch

    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.cat([x, torch.relu(x @ W + b)], dim=1)
    return x @ weights[-1] + biases[-1]
