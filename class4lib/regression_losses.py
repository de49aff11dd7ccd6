"""Losses of regression: squared, absolute and Huber's, their gradients, and the constant that each of them likes best.

Shapes: predictions and targets are (N,) or (N, D), equal. reduction: "none" gives one value per example, (N,), the sum over its D
entries; "sum" adds the examples, "mean" divides that sum by N (PyTorch's mean divides by every entry, N * D).
"""
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from class4lib.guards import array, choice, guarded, number
from class4lib.guards import reduction as reductions
from class4lib.types import Reduction


def _shapes_match(function: str, predictions: ndarray, targets: ndarray, **_: object) -> None:
    if predictions.ndim not in (1, 2):
        raise ValueError(f"{function}: predictions must have 1 axis (N) or 2 axes (N, D), got shape {predictions.shape}.")
    if targets.shape != predictions.shape:
        raise ValueError(f"{function}: targets must have shape {predictions.shape}, got {targets.shape}: match predictions.")


@guarded(predictions=array(nonempty=True), targets=array(), reduction=reductions, also=_shapes_match)
def mse(predictions: ndarray, targets: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Half the squared error: the factor 1/2 is part of the loss, as on the slides; scikit-learn and PyTorch leave it out.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        reduction: "none" gives (N,), the sum over D; "sum" a number; "mean" the sum divided by N, not by N * D.

    Returns:
        A number, or (N,) for "none".

    Formula:
        L_n = sum_d 1/2 (prediction_nd - target_nd)**2: the negative log-likelihood of a Gaussian of variance 1, less its constant.

    Source: Goodfellow et al. 2016, section 5.5.1.
    """
    residual = predictions - targets
    losses = 0.5 * residual * residual
    if reduction == "none":
        return losses.sum(axis=1) if losses.ndim == 2 else losses  # (N,)
    return losses.sum() / (len(losses) if reduction == "mean" else 1)


@guarded(predictions=array(nonempty=True), targets=array(), reduction=reductions, also=_shapes_match)
def mse_grad(predictions: ndarray, targets: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of mse (with its factor 1/2) in the predictions.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        The shape of predictions.

    Derivation:
        d/dprediction 1/2 (prediction - target)**2 = prediction - target, divided by N for "mean".
    """
    return (predictions - targets) / (len(predictions) if reduction == "mean" else 1)


@guarded(predictions=array(nonempty=True), targets=array(), reduction=reductions, also=_shapes_match)
def mae(predictions: ndarray, targets: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Absolute error.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        reduction: "none" gives (N,), the sum over D; "sum" a number; "mean" the sum divided by N, not by N * D.

    Returns:
        A number, or (N,) for "none".

    Formula:
        L_n = sum_d |prediction_nd - target_nd|: the negative log-likelihood of a Laplace variable of scale 1, less its constant.
    """
    losses = np.abs(predictions - targets)
    if reduction == "none":
        return losses.sum(axis=1) if losses.ndim == 2 else losses  # (N,)
    return losses.sum() / (len(losses) if reduction == "mean" else 1)


@guarded(predictions=array(nonempty=True), targets=array(), reduction=reductions, also=_shapes_match)
def mae_grad(predictions: ndarray, targets: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of mae in the predictions; where prediction and target are equal there is none, and we take the subgradient 0.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        The shape of predictions.

    Derivation:
        d|r|/dr = 1 for r > 0, -1 for r < 0; at 0 every number in [-1, 1] is a subgradient; divided by N for "mean".
    """
    return np.sign(predictions - targets) / (len(predictions) if reduction == "mean" else 1)


@guarded(predictions=array(nonempty=True), targets=array(), delta=number(above=0), reduction=reductions, also=_shapes_match)
def huber(predictions: ndarray, targets: ndarray, delta: float = 1.0, reduction: Reduction = "mean") -> float | ndarray:
    """Huber's loss: a parabola up to a residual of delta, from there a straight line that continues it without a jump or a kink.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        delta: above 0, in the units of the targets. The loss is the slides'; the smooth-L1 loss of many libraries is this one divided
            by delta, the same at delta = 1 only.
        reduction: "none" gives (N,), the sum over D; "sum" a number; "mean" the sum divided by N, not by N * D.

    Returns:
        A number, or (N,) for "none".

    Formula:
        1/2 r**2 for |r| <= delta, else delta (|r| - delta / 2); with c = r cut to [-delta, delta] both are c (r - c / 2).

    Source: Huber 1964, section 2.
    """
    residual = predictions - targets
    slope = np.clip(residual, -delta, delta)
    losses = slope * (residual - 0.5 * slope)  # slope = r: r**2 / 2; slope = +-delta: delta (|r| - delta / 2)
    if reduction == "none":
        return losses.sum(axis=1) if losses.ndim == 2 else losses  # (N,)
    return losses.sum() / (len(losses) if reduction == "mean" else 1)


@guarded(predictions=array(nonempty=True), targets=array(), delta=number(above=0), reduction=reductions, also=_shapes_match)
def huber_grad(predictions: ndarray, targets: ndarray, delta: float = 1.0, reduction: Reduction = "mean") -> ndarray:
    """Gradient of huber in the predictions.

    Args:
        predictions: (N,) or (N, D).
        targets: same shape.
        delta: above 0; the loss is not divided by it.
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        The shape of predictions.

    Derivation:
        |r| <= delta: d/dr r**2 / 2 = r
        |r| > delta: d/dr delta (|r| - delta / 2) = delta sign(r)
        both: r cut to [-delta, delta]; they agree at |r| = delta, so the loss has no kink
    """
    return np.clip(predictions - targets, -delta, delta) / (len(predictions) if reduction == "mean" else 1)


@guarded(y=array("N", nonempty=True), loss=choice("mse", "mae", "huber"), delta=number(above=0))
def minimise_location(y: ndarray, loss: Literal["mse", "mae", "huber"], delta: float = 1.0) -> float:
    """A constant prediction with the least total loss over y.

    Args:
        y: (N,) observed values.
        loss: "mse", "mae" or "huber".
        delta: above 0, used by "huber" only.

    Returns:
        c, within 1e-6 of the set of minimisers; where they form an interval, any of them.

    Derivation:
        sum_n (c - y_n) = 0 gives the mean; sum_n sign(c - y_n) = 0 gives a median
        huber: g(c) = sum_n clip(c - y_n, -delta, delta) never falls, g(min y) <= 0 <= g(max y): halve that interval

    Source: Huber 1964, section 2.
    """
    if loss != "huber":
        return float(np.mean(y) if loss == "mse" else np.median(y))
    low, high = float(y.min()), float(y.max())
    while high - low > np.spacing(max(abs(low), abs(high))):  # until no float lies between
        middle = 0.5 * low + 0.5 * high
        if np.clip(middle - y, -delta, delta).sum() < 0:
            low = middle
        else:
            high = middle
    return high


def quantile_loss_in_torch(predictions: Any, targets: Any, tau: float) -> Any:
    """Quantile loss (pinball loss) in PyTorch's tensor operations: the mean over the batch, as a scalar tensor.

    Like the absolute error it is 0 at no residual and straight on both sides, but not equally steep. The two steepnesses are fixed by two
    claims: the constant that this loss likes best has a share tau of the targets BELOW it; and the steepnesses add up to 1, so that
    tau = 1/2 gives half the absolute error.

    Args:
        predictions: (N,) float64 tensor; the result can be differentiated in it and in targets.
        targets: (N,) float64 tensor. Where it equals the prediction any subgradient will do.
        tau: in (0, 1).

    Returns:
        A scalar tensor.

    Formula:
        mean_n of max(tau u, (tau - 1) u), u = target - prediction

    Source: Koenker and Bassett 1978.
    """
    import torch

    missing = targets - predictions  # (N,): above 0 where the prediction is too low
    return torch.maximum(tau * missing, (tau - 1) * missing).mean()
