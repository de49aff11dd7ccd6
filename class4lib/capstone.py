"""The capstone: blocks that join residual path, normalisation and dropout, and a network of them trained on labels of which some are wrong.

Shapes: x is (N, D) in the pre-norm block, (N, T, D) in the Transformer block; gamma and beta are (D,), W1 (D, H), b1 (H,), W2 (H, D),
b2 (D,). Pre-norm: the normalisation stands on the branch, before its first weights, and nothing stands on the skip path. Its eps is 1e-5.
"""
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.attention import multi_head_attention
from class4lib.basics import affine, affine_backward, relu
from class4lib.batch_and_layer_norm import layer_norm, layer_norm_backward
from class4lib.dropout import dropout
from class4lib.early_stopping import EarlyStopping
from class4lib.guards import Sizes, array, describe, generator, guarded, integer
from class4lib.softmax_cross_entropy import label_smoothing, softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import fit

_BLOCK = {"gamma": array("D"), "beta": array("D"), "W1": array("D H"), "b1": array("H"), "W2": array("H D"), "b2": array("D")}


def _norm(function: str, name: str, value: Any, sizes: Sizes) -> tuple[ndarray, ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{function}: {name} must be a pair (gamma, beta), got {describe(value)}.")
    return tuple(array("D")(function, f"{name}[{i}]", v, sizes) for i, v in enumerate(value))


def _labels(function: str, name: str, value: Any, sizes: Sizes) -> ndarray:
    return array("N" if name == "y" else "V", kind="int", low=0)(function, name, value, sizes)


@guarded(x=array("N D", nonempty=True), **_BLOCK, mask=array("N H", low=0.0))
def pre_norm_block(x: ndarray, gamma: ndarray, beta: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, mask: ndarray) -> ndarray:
    """One residual block: normalise, affine, ReLU, dropout, affine; added to its own input.

    Args:
        x: (N, D).
        gamma, beta: (D,) of the layer normalisation, eps 1e-5.
        W1, b1: (D, H), (H,).
        W2, b2: (H, D), (D,).
        mask: (N, H) dropout's factor for each hidden activation, 0 or 1/(1-p), after the ReLU; ones when not training.

    Returns:
        (N, D). x itself, not its normalised version, is what the branch is added to.

    Formula:
        y = x + (mask * relu(layer_norm(x) W1 + b1)) W2 + b2

    Source: He et al. 2016, eq. 8 (pre-activation); Xiong et al. 2020 (pre-norm).
    """
    hidden = relu(layer_norm(x, gamma, beta) @ W1 + b1) * mask  # (N, H)
    return x + hidden @ W2 + b2


@guarded(x=array("N D", nonempty=True), dy=array("N D"), **_BLOCK, mask=array("N H", low=0.0))
def pre_norm_block_backward(dy: ndarray, x: ndarray, gamma: ndarray, beta: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, mask: ndarray) -> tuple[ndarray, ...]:
    """Gradients of pre_norm_block in everything but the mask.

    Args:
        dy: (N, D) dLoss/dy.
        x, gamma, beta, W1, b1, W2, b2, mask: as in the forward, with the forward's own mask.

    Returns:
        dx (N, D), dgamma (D,), dbeta (D,), dW1 (D, H), db1 (H,), dW2 (H, D), db2 (D,). ReLU'(0) = 0.

    Derivation:
        y = x + (mask * relu(z)) W2 + b2, z = h W1 + b1, h = layer_norm(x)
        db2 = sum_n dy_n, dW2 = (mask * relu(z))' dy
        dz = (dy W2') * mask * [z > 0]
        db1 = sum_n dz_n, dW1 = h' dz, dh = dz W1'
        dx = dy + what layer_norm_backward makes of dh: the two paths add
    """
    h = layer_norm(x, gamma, beta)  # (N, D)
    z = h @ W1 + b1  # (N, H)
    dz = (dy @ W2.T) * mask * (z > 0)  # (N, H)
    dx, dgamma, dbeta = layer_norm_backward(dz @ W1.T, x, gamma)
    return dy + dx, dgamma, dbeta, h.T @ dz, dz.sum(axis=0), (relu(z) * mask).T @ dy, dy.sum(axis=0)


@guarded(
    x=array("N T D", nonempty=True), norm1=_norm, W_q=array("D D"), W_k=array("D D"), W_v=array("D D"), W_o=array("D D"),
    n_heads=integer(low=1), norm2=_norm, W1=array("D H"), b1=array("H"), W2=array("H D"), b2=array("D"),
)
def transformer_block(
    x: ndarray, norm1: tuple[ndarray, ndarray], W_q: ndarray, W_k: ndarray, W_v: ndarray, W_o: ndarray, n_heads: int,
    norm2: tuple[ndarray, ndarray], W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, mask: ndarray | None = None,
) -> ndarray:
    """One pre-norm Transformer block: attention between the positions, then the same small network at each; both residual.

    Args:
        x: (N, T, D) sequences.
        norm1: (gamma, beta), each (D,), of the normalisation before the attention, eps 1e-5.
        W_q, W_k, W_v, W_o: (D, D), as in multi_head_attention.
        n_heads: divides D.
        norm2: (gamma, beta), each (D,), of the normalisation before the network.
        W1, b1, W2, b2: (D, H), (H,), (H, D), (D,) of the network, which has one ReLU.
        mask: booleans (T, T) or (N, T, T), True keeps; None keeps all. This is the attention's mask, not dropout's.

    Returns:
        (N, T, D). No normalisation after the last sum: a stack of pre-norm blocks ends with one of its own.

    Formula:
        h = x + MHA(LN1(x)), y = h + relu(LN2(h) W1 + b1) W2 + b2

    Source: Vaswani et al. 2017, section 3.1, which normalises after each sum; here before (Xiong et al. 2020).
    """
    h = x + multi_head_attention(layer_norm(x, *norm1), W_q, W_k, W_v, W_o, n_heads, mask)  # (N, T, D)
    return h + relu(layer_norm(h, *norm2) @ W1 + b1) @ W2 + b2


@guarded(x=array("N D", nonempty=True), y=_labels, x_val=array("V D", nonempty=True), y_val=_labels, rng=generator())
def train(x: ndarray, y: ndarray, x_val: ndarray, y_val: ndarray, *, rng: Generator) -> Any:
    """A residual network trained so that wrong labels do little harm; every part of it was an exercise of the course.

    Args:
        x: (N, D).
        y: (N,) labels, integers from 0, of which some are wrong.
        x_val: (V, D) what training is stopped by.
        y_val: (V,) labels, of which some may be wrong as well.
        rng: the only source of randomness: weights, order, dropout.

    Returns:
        A model in any form that predict reads. The library's is (mean, scale, params), with the params of the epoch that validated best.

    Formula:
        affine, 3 pre-norm blocks of width 64, affine; dropout 0.3 on the inputs and in the blocks, labels smoothed by 0.3; momentum 0.9,
        at most 60 epochs of batches of 64, stopped when the (smoothed) validation loss has not fallen for 20 of them.
    """
    width, depth, n_classes = 64, 3, int(max(y.max(), y_val.max())) + 1
    mean, scale = x.mean(axis=0), x.std() or 1.0
    params = [rng.normal(scale=x.shape[1] ** -0.5, size=(x.shape[1], width)), np.zeros(width)]
    for _ in range(depth):
        W1, W2 = rng.normal(scale=width**-0.5, size=(2, width, width))
        params += [np.ones(width), np.zeros(width), 2**0.5 * W1, np.zeros(width), depth**-0.5 * W2, np.zeros(width)]
    params += [0.1 * rng.normal(scale=width**-0.5, size=(width, n_classes)), np.zeros(n_classes)]
    blocks = [params[i : i + 6] for i in range(2, 2 + 6 * depth, 6)]  # the same arrays: fit changes them in place

    def forward(x: np.ndarray, masks: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        states = [affine(x, *params[:2])]  # what goes into each block, and into the last layer
        for block, mask in zip(blocks, masks):
            states.append(pre_norm_block(states[-1], *block, mask))
        return states, affine(states[-1], *params[-2:])

    def loss_and_grads(x: np.ndarray, targets: np.ndarray) -> tuple[float, list[np.ndarray]]:
        x, _ = dropout(x, 0.3, training=True, rng=rng)
        masks = [dropout(np.ones((len(x), width)), 0.3, training=True, rng=rng)[1] for _ in blocks]
        states, logits = forward(x, masks)
        d, *grads = affine_backward(softmax_cross_entropy_grad(logits, targets), states[-1], params[-2])
        for block, mask, state in zip(blocks[::-1], masks[::-1], states[-2::-1]):
            d, *dblock = pre_norm_block_backward(d, state, *block, mask)
            grads = dblock + grads
        return softmax_cross_entropy(logits, targets), [*affine_backward(d, x, params[0])[1:], *grads]

    def after_epoch(epoch: int) -> bool:
        logits = forward((x_val - mean) / scale, [np.ones((len(x_val), width))] * depth)[1]
        return stopping.step(softmax_cross_entropy(logits, targets_val), params)

    stopping = EarlyStopping(patience=20)
    targets, targets_val = (label_smoothing(labels, n_classes, 0.3) for labels in (y, y_val))
    fit(params, loss_and_grads, (x - mean) / scale, targets, lr=0.02, n_epochs=60, batch_size=64, rng=rng, momentum=0.9, after_epoch=after_epoch)
    return mean, scale, stopping.best_state


@guarded(x=array("N D"))
def predict(model: Any, x: ndarray) -> ndarray:
    """The labels that a model of train gives, without dropout.

    Args:
        model: what train returned.
        x: (N, D), as many features as in training.

    Returns:
        (N,) integers.
    """
    mean, scale, params = model
    a = affine((x - mean) / scale, *params[:2])
    for i in range(2, len(params) - 2, 6):
        a = pre_norm_block(a, *params[i : i + 6], np.ones((len(a), params[i + 2].shape[1])))
    return affine(a, *params[-2:]).argmax(axis=1)


def pre_norm_block_in_torch(x: Any, gamma: Any, beta: Any, W1: Any, b1: Any, W2: Any, b2: Any, mask: Any) -> Any:
    """pre_norm_block in PyTorch's tensor operations, differentiable in everything but the mask.

    Args:
        x: (N, D) float64 tensor.
        gamma, beta: (D,) float64 tensors of the layer normalisation, eps 1e-5.
        W1, b1: (D, H), (H,) float64 tensors.
        W2, b2: (H, D), (D,) float64 tensors.
        mask: (N, H) dropout's factor for each hidden activation, after the ReLU; given, never drawn here.

    Returns:
        (N, D) tensor.

    Formula:
        y = x + (mask * relu(layer_norm(x) W1 + b1)) W2 + b2

    Source: as pre_norm_block.
    """
    import torch

    h = torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta)  # eps is 1e-5 there too
    return x + (mask * torch.relu(h @ W1 + b1)) @ W2 + b2
