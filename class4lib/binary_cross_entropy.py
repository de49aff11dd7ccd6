"""Binary cross-entropy: from the Bernoulli likelihood to a loss in nats, on probabilities and on logits, with its gradients.

Shapes: p, z and y are (N,). y is 0 or 1 in the two likelihoods, any share in [0, 1] (a soft target) in the losses. reduction: "none"
gives one value per example, "sum" their sum, "mean" their sum divided by N. The loss is the negative log-likelihood of a Bernoulli
variable, as half the squared error is that of a Gaussian and the absolute error that of a Laplace variable.
"""
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.basics import sigmoid
from class4lib.guards import array, guarded
from class4lib.guards import reduction as reductions
from class4lib.types import Reduction

__all__ = [
    "bce_with_logits",
    "bce_with_logits_grad",
    "bernoulli_likelihood",
    "bernoulli_log_likelihood",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "logistic_loss_in_torch",
    "sigmoid",
]


def _y_is_binary(function: str, y: ndarray, **_: object) -> None:
    wrong = y[(y > 0) & (y < 1)]
    if wrong.size:
        raise ValueError(f"{function}: y must hold 0 and 1 only, got {wrong[0]:g}.")


def _p_is_inside(function: str, p: ndarray, **_: object) -> None:
    wrong = p[(p <= 0) | (p >= 1)]
    if wrong.size:
        raise ValueError(f"{function}: p must be above 0 and below 1, got {wrong[0]:g}: the derivative is infinite at the ends.")


@guarded(p=array("N", low=0.0, high=1.0), y=array("N", low=0.0, high=1.0), also=_y_is_binary)
def bernoulli_likelihood(p: ndarray, y: ndarray) -> ndarray:
    """Probability of each observed label.

    Args:
        p: (N,) in [0, 1], the probability of label 1.
        y: (N,) labels, 0 or 1.

    Returns:
        (N,), one probability per example; it is not multiplied over the batch.

    Formula:
        p**y (1 - p)**(1 - y), which for y in {0, 1} is y p + (1 - y) (1 - p).

    Source: Goodfellow et al. 2016, eq. 3.18.

    >>> bernoulli_likelihood(np.array([0.25, 0.25]), np.array([1, 0])).tolist()
    [0.25, 0.75]
    """
    return y * p + (1.0 - y) * (1.0 - p)  # the power form needs no power where y is 0 or 1


@guarded(p=array("N", low=0.0, high=1.0), y=array("N", low=0.0, high=1.0), also=_y_is_binary)
def bernoulli_log_likelihood(p: ndarray, y: ndarray) -> ndarray:
    """Logarithm (nats) of the probability of each observed label.

    Args:
        p: (N,) in [0, 1], the probability of label 1.
        y: (N,) labels, 0 or 1.

    Returns:
        (N,), at most 0. 0 log 0 counts as 0, so a sure and right p gives 0; a sure and wrong one gives -inf.

    Formula:
        y log p + (1 - y) log(1 - p)

    Source: Goodfellow et al. 2016, eq. 3.18, its logarithm.
    """
    with np.errstate(divide="ignore"):  # log 0 = -inf is the answer, not an accident
        return np.select([y == 1, y == 0], [np.log(p), np.log1p(-p)], default=np.nan)  # choosing, not weighting: no 0 log 0; log1p does not round 1 - p


@guarded(p=array("N", low=0.0, high=1.0, nonempty=True), y=array("N", low=0.0, high=1.0), reduction=reductions)
def binary_cross_entropy(p: ndarray, y: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Binary cross-entropy in nats of probabilities against targets.

    Args:
        p: (N,) in [0, 1], the probability of label 1. It is never clipped.
        y: (N,) targets in [0, 1].
        reduction: "none" gives (N,), "sum" a number, "mean" the sum divided by N.

    Returns:
        A number, or (N,) for "none". A term of weight 0 adds 0, whatever its probability; p = 0 with y above 0 (or p = 1 with y below
        1) gives inf. PyTorch cuts its logarithms at -100 and gives at most 100.

    Formula:
        L_n = -[y log p + (1 - y) log(1 - p)], with 0 log 0 = 0: the negative log-likelihood.

    Source: Goodfellow et al. 2016, section 6.2.2.2.

    >>> float(binary_cross_entropy(np.array([0.0, 0.5]), np.array([1, 1])))
    inf
    """
    with np.errstate(divide="ignore"):  # log 0 = -inf is the answer, not an accident
        log_p = np.log(np.where(y == 0, 1.0, p))  # log 1 = 0 where the term does not count
        log_q = np.log1p(-np.where(y == 1, 0.0, p))  # log(1 - p) without rounding 1 - p
    losses = -(y * log_p + (1.0 - y) * log_q)  # (N,)
    return losses if reduction == "none" else losses.sum() / (len(p) if reduction == "mean" else 1)


@guarded(p=array("N", nonempty=True), y=array("N", low=0.0, high=1.0), reduction=reductions, also=_p_is_inside)
def binary_cross_entropy_grad(p: ndarray, y: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of binary_cross_entropy in the probabilities (not in the logits).

    Args:
        p: (N,) strictly between 0 and 1.
        y: (N,) targets in [0, 1].
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        (N,).

    Derivation:
        L = -[y log p + (1 - y) log(1 - p)]
        dL/dp = -y / p + (1 - y) / (1 - p)
        dL/dp = [-y (1 - p) + (1 - y) p] / [p (1 - p)] = (p - y) / [p (1 - p)]
    """
    gradient = (p - y) / (p * (1.0 - p))
    return gradient / (len(p) if reduction == "mean" else 1)


@guarded(z=array("N", nonempty=True), y=array("N", low=0.0, high=1.0), reduction=reductions)
def bce_with_logits(z: ndarray, y: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Binary cross-entropy in nats of sigmoid(z) against targets; finite and exact for every |z| up to 1000.

    Args:
        z: (N,) logits, any real numbers.
        y: (N,) targets in [0, 1].
        reduction: "none" gives (N,), "sum" a number, "mean" the sum divided by N.

    Returns:
        A number, or (N,) for "none".

    Formula:
        L_n = max(z, 0) - z y + log(1 + exp(-|z|)): the exponent is never positive, no logarithm of a rounded probability.

    Derivation:
        -log sigmoid(z) = log(1 + exp(-z)), -log(1 - sigmoid(z)) = log(1 + exp(z)) = z + log(1 + exp(-z))
        L = y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)) = log(1 + exp(z)) - z y
        log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|))

    Source: Goodfellow et al. 2016, section 6.2.2.2.

    >>> bce_with_logits(np.array([1000.0, -1000.0]), np.array([0, 1]), "none").tolist()
    [1000.0, 1000.0]
    """
    losses = np.maximum(z, 0.0) - z * y + np.log1p(np.exp(-np.abs(z)))  # (N,); the first two cancel exactly before the small term comes
    return losses if reduction == "none" else losses.sum() / (len(z) if reduction == "mean" else 1)


@guarded(z=array("N", nonempty=True), y=array("N", low=0.0, high=1.0), reduction=reductions)
def bce_with_logits_grad(z: ndarray, y: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of bce_with_logits in the logits.

    Args:
        z: (N,) logits, any real numbers.
        y: (N,) targets in [0, 1].
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        (N,).

    Derivation:
        L = log(1 + exp(z)) - z y
        dL/dz = exp(z) / (1 + exp(z)) - y = sigmoid(z) - y
        the same by the chain rule: dL/dp dp/dz = (p - y) / [p (1 - p)] * p (1 - p) = p - y
    """
    gradient = sigmoid(z) - y
    return gradient / (len(z) if reduction == "mean" else 1)


def logistic_loss_in_torch(x: Any, w: Any, b: Any, y: Any) -> Any:
    """Loss of one sigmoid unit in PyTorch's tensor operations: binary cross-entropy of sigmoid(x @ w + b), mean over the batch.

    Args:
        x: (N, D) float64 tensor.
        w: (D,) float64 tensor.
        b: float64 tensor with no axis.
        y: (N,) integer tensor of labels, 0 or 1.

    Returns:
        A scalar tensor, in nats, that can be differentiated in x, w and b. Value and gradients are right for every pre-activation
        up to 1000 in size, exactly 0 included (w = 0, b = 0 is where training often begins).

    Formula:
        mean_n of -[y log sigmoid(z) + (1 - y) log sigmoid(-z)], z = x @ w + b, with torch's logsigmoid, which is smooth at 0

    Source: Goodfellow et al. 2016, section 6.2.2.2.
    """
    import torch

    z = x @ w + b  # (N,)
    losses = -(y * torch.nn.functional.logsigmoid(z) + (1 - y) * torch.nn.functional.logsigmoid(-z))  # log(1 - sigmoid(z)) = log sigmoid(-z)
    return losses.mean()
