"""Softmax and multi-class cross-entropy: probabilities from logits, the loss in nats, and their gradients.

Shapes: logits and probs are (N, K) in the losses, (..., K) in softmax, log_softmax and softmax_jacobian. Targets are labels, 1-D
integers in [0, K), or weights per class, 2-D of any dtype, which need not sum to 1. reduction: "none" gives one value per example,
"sum" their sum, "mean" their sum divided by N (for 2-D targets as well; PyTorch does the same here).
"""
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, guarded, integer, number
from class4lib.guards import reduction as reductions
from class4lib.types import Reduction


def _check_targets(function: str, targets: ndarray, scores: ndarray, scores_name: str) -> None:
    n, k = scores.shape
    if targets.ndim == 1 and targets.dtype.kind in "iu":
        if targets.shape != (n,):
            raise ValueError(f"{function}: targets must have shape {(n,)}, got {targets.shape}: match the rows of {scores_name}.")
        if n and not (targets.min() >= 0 and targets.max() < k):
            wrong = targets[(targets < 0) | (targets >= k)][0]
            raise ValueError(f"{function}: targets must be labels in [0, {k}), got {wrong}: match the last axis of {scores_name}.")
    elif targets.ndim == 2:
        if targets.shape != (n, k):
            raise ValueError(f"{function}: targets must have shape {(n, k)}, got {targets.shape}: match {scores_name}.")
    else:
        raise TypeError(f"{function}: targets must be labels (1-D integers) or weights per class (2-D), got {targets.ndim}-D of dtype {targets.dtype}.")


def _targets_match_logits(function: str, logits: ndarray, targets: ndarray, **_: object) -> None:
    _check_targets(function, targets, logits, "logits")


def _targets_match_probs(function: str, probs: ndarray, targets: ndarray, **_: object) -> None:
    _check_targets(function, targets, probs, "probs")


def _labels_in_range(function: str, labels: ndarray, n_classes: int, **_: object) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
        wrong = labels[(labels < 0) | (labels >= n_classes)][0]
        raise ValueError(f"{function}: labels must be in [0, {n_classes}), got {wrong}.")


@guarded(logits=array("... K", nonempty=True))
def softmax(logits: ndarray) -> ndarray:
    """Probabilities from logits, along the last axis; finite for every |logit| up to 1000.

    Args:
        logits: (..., K) real numbers; each row is shifted by a maximum of its own.

    Returns:
        (..., K), every entry in [0, 1], each row sums to 1.

    Formula:
        p_k = exp(z_k - m) / sum_j exp(z_j - m), m = max_j z_j of the same row.

    Source: Goodfellow et al. 2016, eq. 4.1 and section 6.2.2.3.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (..., K), largest entry 1
    return shifted / shifted.sum(axis=-1, keepdims=True)


@guarded(logits=array("... K", nonempty=True))
def log_softmax(logits: ndarray) -> ndarray:
    """Logarithms (nats) of the softmax probabilities, along the last axis; finite for every |logit| up to 1000.

    Args:
        logits: (..., K) real numbers.

    Returns:
        (..., K), every entry at most 0. The logarithm of a probability that softmax rounds to 0 is still exact here.

    Formula:
        log p_k = (z_k - m) - log sum_j exp(z_j - m), m = max_j z_j: no logarithm of a rounded probability.

    Source: the log-sum-exp identity, Goodfellow et al. 2016, section 4.1.

    >>> log_softmax(np.array([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)  # (..., K)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@guarded(probs=array("... K", nonempty=True))
def softmax_jacobian(probs: ndarray) -> ndarray:
    """Derivatives of every probability in every logit, from the probabilities.

    Args:
        probs: (..., K) outputs of softmax.

    Returns:
        (..., K, K), entry [k, j] = dp_k / dz_j.

    Derivation:
        log p_k = z_k - log sum_i exp(z_i)
        d log p_k / dz_j = [k = j] - p_j
        dp_k / dz_j = p_k ([k = j] - p_j), that is diag(p) - p p'

    Source: Goodfellow et al. 2016, section 6.2.2.3.
    """
    identity = np.eye(probs.shape[-1])
    return probs[..., :, None] * (identity - probs[..., None, :])  # (..., K, 1) * (..., K, K)


@guarded(probs=array("N K", nonempty=True, low=0.0), targets=array(kind="any"), reduction=reductions, also=_targets_match_probs)
def cross_entropy(probs: ndarray, targets: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Cross-entropy in nats of probabilities against labels or weights per class.

    Args:
        probs: (N, K).
        targets: labels (N,) of integers, or weights per class (N, K) of any dtype.
        reduction: "none" gives (N,), "sum" a number, "mean" the sum divided by N.

    Returns:
        A number, or (N,) for "none". A class of weight 0 adds nothing, also where its probability is 0; p = 0 where the weight is
        above 0 gives inf.

    Formula:
        L_n = -sum_k y_nk log p_nk, with 0 log 0 = 0.

    Source: Goodfellow et al. 2016, eq. 3.51.
    """
    weights = np.eye(probs.shape[1])[targets] if targets.ndim == 1 else targets  # (N, K)
    log_probs = np.log(np.where(weights == 0, 1.0, probs))  # log 1 = 0 where the weight is 0
    losses = -(weights * log_probs).sum(axis=1)  # (N,)
    return losses if reduction == "none" else losses.sum() / (len(probs) if reduction == "mean" else 1)


@guarded(probs=array("N K", nonempty=True, low=0.0), targets=array(kind="any"), reduction=reductions, also=_targets_match_probs)
def cross_entropy_grad(probs: ndarray, targets: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of cross_entropy in the probabilities, each taken as a free variable.

    Args:
        probs: (N, K).
        targets: labels (N,) of integers, or weights per class (N, K).
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        (N, K); 0 where the weight is 0, also at p = 0.

    Derivation:
        dL_n / dp_nk = -y_nk / p_nk, divided by N for "mean".
    """
    weights = np.eye(probs.shape[1])[targets] if targets.ndim == 1 else targets  # (N, K)
    gradient = -weights / np.where(weights == 0, 1.0, probs)
    return gradient / (len(probs) if reduction == "mean" else 1)


@guarded(logits=array("N K", nonempty=True), targets=array(kind="any"), reduction=reductions, also=_targets_match_logits)
def softmax_cross_entropy(logits: ndarray, targets: ndarray, reduction: Reduction = "mean") -> float | ndarray:
    """Cross-entropy in nats of softmax(logits) against labels or weights per class; finite for every |logit| up to 1000.

    Args:
        logits: (N, K) finite real numbers.
        targets: labels (N,) of integers, or weights per class (N, K) of any dtype.
        reduction: "none" gives (N,), "sum" a number, "mean" the sum divided by N.

    Returns:
        A number, or (N,) for "none".

    Formula:
        L_n = -sum_k y_nk (z_nk - m_n - log sum_j exp(z_nj - m_n)): the logarithm is never taken of a rounded probability.

    Source: Goodfellow et al. 2016, section 6.2.2.3.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, K)
    weights = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets
    losses = -(weights * log_probs).sum(axis=1)  # (N,)
    return losses if reduction == "none" else losses.sum() / (len(logits) if reduction == "mean" else 1)


@guarded(logits=array("N K", nonempty=True), targets=array(kind="any"), reduction=reductions, also=_targets_match_logits)
def softmax_cross_entropy_grad(logits: ndarray, targets: ndarray, reduction: Reduction = "mean") -> ndarray:
    """Gradient of softmax_cross_entropy in the logits.

    Args:
        logits: (N, K) finite real numbers.
        targets: labels (N,) of integers, or weights per class (N, K), which need not sum to 1.
        reduction: the gradient of the reduced loss; for "none" that of the sum.

    Returns:
        (N, K).

    Derivation:
        L = -sum_k y_k log p_k, d log p_k / dz_j = [k = j] - p_j
        dL / dz_j = -y_j + p_j sum_k y_k, which is p_j - y_j where the weights sum to 1
    """
    weights = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets  # (N, K)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = shifted / shifted.sum(axis=1, keepdims=True)
    gradient = probs * weights.sum(axis=1, keepdims=True) - weights
    return gradient / (len(logits) if reduction == "mean" else 1)


@guarded(labels=array("N", kind="int"), n_classes=integer(low=1), epsilon=number(low=0, high=1), also=_labels_in_range)
def label_smoothing(labels: ndarray, n_classes: int, epsilon: float) -> ndarray:
    """Targets that leave a little probability to every class.

    Args:
        labels: (N,) integers in [0, n_classes).
        n_classes: K.
        epsilon: in [0, 1], the share that is spread over ALL classes, the right one included.

    Returns:
        (N, K), rows sum to 1.

    Formula:
        (1 - epsilon) one_hot + epsilon / K. Some texts spread epsilon over the K - 1 wrong classes; we do not.

    Source: Szegedy et al. 2016, section 7.
    """
    return (1.0 - epsilon) * np.eye(n_classes)[labels] + epsilon / n_classes


def smoothed_cross_entropy_in_torch(logits: Any, labels: Any, epsilon: float) -> Any:
    """Cross-entropy with label smoothing in PyTorch's tensor operations: the mean over the batch, as a scalar tensor.

    Args:
        logits: (N, K) float64 tensor; the result can be differentiated in it.
        labels: (N,) integer tensor.
        epsilon: in [0, 1], the share spread over ALL classes, as in label_smoothing.

    Returns:
        A scalar tensor, in nats.

    Formula:
        mean_n of (1 - epsilon) (-log p_n,label) + epsilon mean_k (-log p_nk)

    Source: Szegedy et al. 2016, section 7.
    """
    import torch

    log_probs = torch.log_softmax(logits, dim=1)  # (N, K)
    right = -log_probs.gather(1, labels[:, None])[:, 0]  # (N,)
    return ((1 - epsilon) * right - epsilon * log_probs.mean(dim=1)).mean()
