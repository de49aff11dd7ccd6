"""Batch and layer normalisation: the same formula over the batch axis and over the feature axis, forward and backward.

Shapes: x is (N, D) in batch norm, (..., D) in layer norm, (N, C, H, W) for images; gamma and beta are (D,), or (C,) for images.
Variances divide by the number of averaged values, unless said; eps > 0 is added to the variance, under the root. Running statistics
are explicit state: they go in and come out.
"""
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, describe, guarded, number

_momentum, _eps = number(low=0, high=1), number(above=0)


def _same_shape(function: str, name: str, value: ndarray, shape: tuple[int, ...], match: str) -> None:
    if value.shape != shape:
        raise ValueError(f"{function}: {name} must have shape {shape}, got {value.shape}: match {match}.")


def _x_hat_and_std_match(function: str, dx_hat: ndarray, x_hat: ndarray, std: ndarray) -> None:
    _same_shape(function, "dx_hat", dx_hat, x_hat.shape, "x_hat")
    _same_shape(function, "std", std, (*x_hat.shape[:-1], 1), "the rows of x_hat")
    if (std <= 0).any():
        raise ValueError(f"{function}: std must be above 0, got {float(std.min()):g}.")


def _dy_matches_x(function: str, dy: ndarray, x: ndarray, **_: object) -> None:
    _same_shape(function, "dy", dy, x.shape, "x")


def _enough_examples(function: str, x: ndarray, **_: object) -> None:
    if len(x) < 2:
        raise ValueError(f"{function}: x must have at least 2 rows in training, got {len(x)}: one example has no deviation.")


def _enough_examples_in_training(function: str, x: ndarray, training: bool, **_: object) -> None:
    if not isinstance(training, bool | np.bool_):
        raise TypeError(f"{function}: training must be True or False, got {describe(training)}.")
    if training:
        _enough_examples(function, x)


def _enough_pixels(function: str, x: ndarray, **_: object) -> None:
    if x.size < 2 * x.shape[1]:
        raise ValueError(f"{function}: x must have at least 2 values per channel, got shape {x.shape}: one value has no deviation.")


@guarded(x_hat=array("... D", nonempty=True), dx_hat=array(), std=array(), also=_x_hat_and_std_match)
def normalize_backward(dx_hat: ndarray, x_hat: ndarray, std: ndarray) -> ndarray:
    """Gradient of x_hat = (x - mean) / std in x, where mean and std are those of x itself, along the last axis.

    Args:
        dx_hat: (..., D) dLoss/dx_hat.
        x_hat: (..., D) the normalised values.
        std: (..., 1) what x - mean was divided by: the deviation that divides by D (with an eps under the root, or none).

    Returns:
        dx (..., D): mean and std depend on every entry of x, so all three paths count.

    Derivation:
        dx_hat_i/dx_j = ([i = j] - 1/D) / std - (x_i - mean) / std**2 * dstd/dx_j
        std**2 = mean_k (x_k - mean)**2 + eps, so dstd/dx_j = (x_j - mean) / (D std) = x_hat_j / D
        dx_hat_i/dx_j = ([i = j] - 1/D - x_hat_i x_hat_j / D) / std
        dx_j = (dx_hat_j - mean_i dx_hat_i - x_hat_j mean_i(dx_hat_i x_hat_i)) / std

    Source: Ioffe and Szegedy 2015, section 3, the last equations of the chain, put together.
    """
    along_x_hat = np.einsum("...d,...d->...", dx_hat, x_hat)[..., None] / x_hat.shape[-1]  # (..., 1)
    dx = x_hat * -along_x_hat  # (..., D), a new array, reused below: memory is what this costs
    dx += dx_hat
    dx -= dx_hat.mean(axis=-1, keepdims=True)
    dx /= std
    return dx


@guarded(
    x=array("N D", nonempty=True), gamma=array("D"), beta=array("D"), running_mean=array("D"), running_var=array("D", low=0),
    momentum=_momentum, eps=_eps, also=_enough_examples_in_training,
)
def batch_norm(
    x: ndarray, gamma: ndarray, beta: ndarray, running_mean: ndarray, running_var: ndarray, *, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[ndarray, ndarray, ndarray]:
    """Every feature brought to mean 0 and deviation 1, then scaled by gamma and shifted by beta.

    Args:
        x: (N, D), N >= 2 in training.
        gamma, beta: (D,) scale and shift.
        running_mean, running_var: (D,) statistics for evaluation; not changed.
        training: True normalises by the batch's own statistics, False by the running ones.
        momentum: the share of the NEW batch in the running statistics, as PyTorch's (Keras's momentum is the share of the old).
        eps: added to the variance.

    Returns:
        y (N, D), the new running mean (D,), the new running variance (D,). Training normalises by the variance that divides by N and
        stores the one that divides by N - 1, as PyTorch (Keras stores the one that divides by N). In evaluation both come back unchanged.

    Formula:
        y = gamma (x - mean) / sqrt(variance + eps) + beta
        new = (1 - momentum) old + momentum batch

    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    """
    n = len(x)
    mean = x.mean(axis=0) if training else running_mean  # (D,)
    y = x - mean  # (N, D), a new array, reused below: memory is what this costs
    variance = np.einsum("nd,nd->d", y, y) / n if training else running_var  # of centred values: no cancellation
    y *= gamma / np.sqrt(variance + eps)
    y += beta
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean  # new arrays: the given ones stay
        running_var = (1 - momentum) * running_var + momentum * variance * (n / (n - 1))
    return y, running_mean, running_var


@guarded(x=array("N D", nonempty=True), dy=array("N D"), gamma=array("D"), eps=_eps, also=_enough_examples)
def batch_norm_backward(dy: ndarray, x: ndarray, gamma: ndarray, eps: float = 1e-5) -> tuple[ndarray, ndarray, ndarray]:
    """Gradients of batch_norm in training mode, where mean and variance are functions of the batch.

    Args:
        dy: (N, D) dLoss/dy.
        x: (N, D) the batch of the forward, N >= 2.
        gamma: (D,) scale.
        eps: as in the forward.

    Returns:
        dx (N, D), dgamma (D,), dbeta (D,). The running statistics pass no gradient.

    Derivation:
        y = gamma x_hat + beta, so dbeta = sum_n dy_n, dgamma = sum_n dy_n x_hat_n, dx_hat = gamma dy
        dx = (dx_hat - mean_n dx_hat - x_hat mean_n(dx_hat x_hat)) / std: normalize_backward with the batch as last axis

    Source: Ioffe and Szegedy 2015, section 3.
    """
    x_hat = x - x.mean(axis=0)  # (N, D)
    std = np.sqrt(np.einsum("nd,nd->d", x_hat, x_hat) / len(x) + eps)  # (D,)
    x_hat /= std
    dx = normalize_backward((dy * gamma).T, x_hat.T, std[:, None]).T
    return dx, np.einsum("nd,nd->d", dy, x_hat), dy.sum(axis=0)


@guarded(x=array("... D", nonempty=True), gamma=array("D"), beta=array("D"), eps=_eps)
def layer_norm(x: ndarray, gamma: ndarray, beta: ndarray, eps: float = 1e-5) -> ndarray:
    """Every example brought to mean 0 and deviation 1 over its own features, then scaled by gamma and shifted by beta.

    Args:
        x: (..., D).
        gamma, beta: (D,) scale and shift.
        eps: added to the variance.

    Returns:
        (..., D). A constant row gives beta. There is no state, and no difference between training and evaluation.

    Formula:
        y = gamma (x - mean) / sqrt(variance + eps) + beta, mean and variance over the last axis, the variance divides by D.

    Source: Ba, Kiros and Hinton 2016, eqs. 3 and 4.

    >>> layer_norm(np.array([[5.0, 5.0, 5.0]]), np.ones(3), np.array([0.0, 1.0, 2.0])).tolist()
    [[0.0, 1.0, 2.0]]
    """
    y = x - x.mean(axis=-1, keepdims=True)  # (..., D), a new array, reused below: memory is what this costs
    variance = np.vecdot(y, y)[..., None] / x.shape[-1]  # (..., 1), of centred values: no cancellation
    y *= 1.0 / np.sqrt(variance + eps)
    y *= gamma
    y += beta
    return y


@guarded(x=array("... D", nonempty=True), dy=array(), gamma=array("D"), eps=_eps, also=_dy_matches_x)
def layer_norm_backward(dy: ndarray, x: ndarray, gamma: ndarray, eps: float = 1e-5) -> tuple[ndarray, ndarray, ndarray]:
    """Gradients of layer_norm, where mean and variance are functions of the row.

    Args:
        dy: (..., D) dLoss/dy.
        x: (..., D) the input of the forward.
        gamma: (D,) scale.
        eps: as in the forward.

    Returns:
        dx (..., D), dgamma (D,), dbeta (D,): the last two summed over all leading axes.

    Derivation:
        y = gamma x_hat + beta, so dbeta = sum_n dy_n, dgamma = sum_n dy_n x_hat_n, dx_hat = gamma dy
        dx = (dx_hat - mean_d dx_hat - x_hat mean_d(dx_hat x_hat)) / std: normalize_backward; gamma lies INSIDE the two means

    Source: Ba, Kiros and Hinton 2016, eq. 4, differentiated.
    """
    rows = dy.reshape(-1, x.shape[-1])  # dgamma and dbeta are sums over every row
    x_hat = x - x.mean(axis=-1, keepdims=True)  # (..., D)
    std = np.sqrt(np.vecdot(x_hat, x_hat)[..., None] / x.shape[-1] + eps)  # (..., 1)
    x_hat /= std
    dgamma = np.einsum("nd,nd->d", rows, x_hat.reshape(rows.shape))
    return normalize_backward(dy * gamma, x_hat, std), dgamma, rows.sum(axis=0)


@guarded(x=array("N C H W", nonempty=True), gamma=array("C"), beta=array("C"), eps=_eps, also=_enough_pixels)
def batch_norm_images(x: ndarray, gamma: ndarray, beta: ndarray, eps: float = 1e-5) -> ndarray:
    """Batch normalisation of feature maps in training mode: one mean and one variance per channel.

    Args:
        x: (N, C, H, W).
        gamma, beta: (C,) scale and shift.
        eps: added to the variance.

    Returns:
        (N, C, H, W). A feature map is treated alike at every place, so a channel is one feature.

    Formula:
        y = gamma_c (x - mean_c) / sqrt(variance_c + eps) + beta_c, over the N H W values of channel c.

    Source: Ioffe and Szegedy 2015, section 3.2.
    """
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    return (x - mean) * (gamma[:, None, None] / np.sqrt(variance + eps)) + beta[:, None, None]


@guarded(W=array("D M"), b=array("M"), gamma=array("M"), beta=array("M"), running_mean=array("M"), running_var=array("M", low=0), eps=_eps)
def fold_batch_norm(W: ndarray, b: ndarray, gamma: ndarray, beta: ndarray, running_mean: ndarray, running_var: ndarray, eps: float = 1e-5) -> tuple[ndarray, ndarray]:
    """One affine layer that equals an affine layer followed by batch norm in evaluation.

    Args:
        W, b: (D, M), (M,) of y = x @ W + b.
        gamma, beta, running_mean, running_var: (M,) of the batch norm after it.
        eps: as in the batch norm.

    Returns:
        W (D, M), b (M,) of the folded layer.

    Formula:
        scale = gamma / sqrt(running_var + eps), W scale, (b - running_mean) scale + beta.

    Source: Jacob et al. 2018, section 3.2, eq. 14.
    """
    scale = gamma / np.sqrt(running_var + eps)  # (M,)
    return W * scale, (b - running_mean) * scale + beta


def layer_norm_in_torch(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """layer_norm in PyTorch's tensor operations, differentiable in all three tensors.

    Args:
        x: (..., D) float64 tensor.
        gamma, beta: (D,) float64 tensors, scale and shift.
        eps: added to the variance.

    Returns:
        (..., D) tensor. A constant row gives beta, and finite gradients. The variance divides by D.

    Formula:
        y = gamma (x - mean) / sqrt(variance + eps) + beta; torch.var divides by D - 1 unless told otherwise.

    Source: Ba, Kiros and Hinton 2016, eqs. 3 and 4.
    """
    import torch

    centred = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = (centred * centred).mean(dim=-1, keepdim=True)  # (..., 1)
    return gamma * centred / torch.sqrt(variance + eps) + beta
