"""Several labels per example: one sigmoid each, binary cross-entropy summed over the labels, thresholds and F1.

Shapes: logits, probs, decisions and targets are (N, K); what belongs to a label (pos_weight, tau, F1) is (K,). Targets are shares in
[0, 1] in the losses, 0 or 1 elsewhere. reduction: "none" gives one value per example, (N,), the sum over its K labels; "sum" adds the
examples, "mean" divides that sum by N (PyTorch's mean divides by every entry, N * K).
"""
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.basics import sigmoid
from class4lib.guards import array, guarded
from class4lib.guards import reduction as reductions
from class4lib.types import Reduction


def _binary(function: str, name: str, values: ndarray) -> None:
    wrong = values[(values > 0) & (values < 1)]
    if wrong.size:
        raise ValueError(f"{function}: {name} must hold 0 and 1 only, got {wrong[0]:g}.")


def _targets_are_binary(function: str, targets: ndarray, decisions: ndarray | None = None, **_: object) -> None:
    if decisions is not None:
        _binary(function, "decisions", decisions)
    _binary(function, "targets", targets)


def _tau_fits(function: str, probs: ndarray, tau: ndarray) -> None:
    if tau.ndim and tau.shape != probs.shape[1:]:
        raise ValueError(f"{function}: tau must be a number or have shape {probs.shape[1:]}, got {tau.shape}: match the last axis of probs.")


@guarded(logits=array("N K", nonempty=True), targets=array("N K", low=0.0, high=1.0), pos_weight=array("K", low=0.0, optional=True), reduction=reductions)
def multilabel_bce_with_logits(logits: ndarray, targets: ndarray, pos_weight: ndarray | None = None, reduction: Reduction = "mean") -> float | ndarray:
    """Binary cross-entropy in nats of K independent sigmoids, summed over the labels; finite for every |logit| up to 1000.

    Args:
        logits: (N, K) real numbers.
        targets: (N, K) in [0, 1]; rows need not sum to 1.
        pos_weight: (K,) at least 0, a factor for each label's positive term alone; None is 1 everywhere.
        reduction: "none" gives (N,), the sum over the labels; "sum" a number; "mean" the sum divided by N, not by N * K.

    Returns:
        A number, or (N,) for "none".

    Formula:
        L_n = sum_k w_k y_nk log(1 + exp(-z_nk)) + (1 - y_nk) log(1 + exp(z_nk)), log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)).

    Source: Goodfellow et al. 2016, section 6.2.2.2, one Bernoulli variable per label.
    """
    tail = np.log1p(np.exp(-np.abs(logits)))  # (N, K), what both logarithms share
    positive = targets * (np.maximum(-logits, 0.0) + tail)  # -y log sigmoid(z)
    negative = (1.0 - targets) * (np.maximum(logits, 0.0) + tail)  # -(1 - y) log sigmoid(-z)
    losses = positive + negative if pos_weight is None else pos_weight * positive + negative
    return losses.sum(axis=1) if reduction == "none" else losses.sum() / (len(logits) if reduction == "mean" else 1)


@guarded(logits=array("N K", nonempty=True), targets=array("N K", low=0.0, high=1.0), pos_weight=array("K", low=0.0, optional=True), reduction=reductions)
def multilabel_bce_with_logits_grad(logits: ndarray, targets: ndarray, pos_weight: ndarray | None = None, reduction: Reduction = "mean") -> ndarray:
    """Gradient of multilabel_bce_with_logits in the logits.

    Args:
        logits: (N, K) real numbers.
        targets: (N, K) in [0, 1].
        pos_weight: (K,) at least 0, a factor for each label's positive term alone; None is 1 everywhere.
        reduction: the gradient of the reduced loss; for "none" that of the sum. "mean" divides by N, not by N * K.

    Returns:
        (N, K).

    Derivation:
        L = w y log(1 + exp(-z)) + (1 - y) log(1 + exp(z)), each label for itself
        d log(1 + exp(-z)) / dz = -(1 - p), d log(1 + exp(z)) / dz = p, with p = sigmoid(z)
        dL/dz = -w y (1 - p) + (1 - y) p, which is p - y for w = 1
        as one product: p (1 + (w - 1) y) - w y
    """
    positive = targets if pos_weight is None else pos_weight * targets  # (N, K), weight of the positive term
    gradient = sigmoid(logits) * (1.0 - targets + positive) - positive
    return gradient / (len(logits) if reduction == "mean" else 1)


@guarded(probs=array("N K", low=0.0, high=1.0), tau=array(), also=_tau_fits)
def decide(probs: ndarray, tau: float | ndarray) -> ndarray:
    """The labels that each example is given.

    Args:
        probs: (N, K) in [0, 1].
        tau: a threshold for all labels, or (K,), one per label. A probability equal to its threshold is not enough.

    Returns:
        (N, K) of 0 and 1; a row may hold any number of ones.

    Formula:
        1 where p > tau, strictly, else 0.
    """
    return (probs > tau).astype(np.int64)


@guarded(decisions=array("N K", low=0.0, high=1.0), targets=array("N K", low=0.0, high=1.0), also=_targets_are_binary)
def f1_per_label(decisions: ndarray, targets: ndarray) -> ndarray:
    """F1 of each label: the harmonic mean of its precision and its recall over the examples.

    Args:
        decisions: (N, K) of 0 and 1.
        targets: (N, K) of 0 and 1.

    Returns:
        (K,) in [0, 1]; 0 for a label that is neither decided nor true anywhere.

    Formula:
        2 TP / (2 TP + FP + FN) = 2 TP / (number decided + number true)

    Source: van Rijsbergen 1979, chapter 7; zero_division=0 in scikit-learn.

    >>> f1_per_label([[1, 0], [1, 0]], [[1, 0], [0, 0]]).round(4).tolist()
    [0.6667, 0.0]
    """
    found = np.einsum("nk,nk->k", decisions, targets)  # (K,) true positives, without an (N, K) product in memory
    counted = np.einsum("nk->k", decisions) + np.einsum("nk->k", targets)  # (K,) number decided + number true
    return 2.0 * found / np.maximum(counted, 1)  # a count below 1 is 0, and so is found


@guarded(probs=array("N K", low=0.0, high=1.0, nonempty=True), targets=array("N K", low=0.0, high=1.0), also=_targets_are_binary)
def best_thresholds(probs: ndarray, targets: ndarray) -> ndarray:
    """For each label a threshold whose F1, under decide, no other threshold exceeds.

    Args:
        probs: (N, K) in [0, 1]; equal probabilities are decided together, whatever the threshold.
        targets: (N, K) of 0 and 1.

    Returns:
        (K,) finite numbers, also outside [0, 1]; of several best ones any will do.

    Derivation:
        a threshold matters only through the set it decides: the n highest scores, for n = 0, ..., N
        tau = (n+1)-th highest score decides exactly these n, provided that the n-th stands strictly above it
        F1(n) = 2 hits(n) / (n + hits(N)), hits(n) a cumulative sum in falling order: one sort a label, N log N
        of several best n the smallest is taken; -1 decides all N

    Source: Lipton et al. 2014.
    """
    order = np.argsort(probs, axis=0)[::-1]  # (N, K), falling
    taus = np.vstack([np.take_along_axis(probs, order, axis=0), np.full_like(probs[:1], -1)])  # (N+1, K): taus[n] decides the n highest
    hits = np.take_along_axis(targets, order, axis=0).cumsum(axis=0)  # (N, K): found among the 1, 2, ..., N highest
    decided = np.arange(1, len(probs) + 1)[:, None]
    f1 = np.vstack([np.zeros_like(probs[:1]), hits / (decided + hits[-1])])  # (N+1, K), half of it: the best are the same
    f1[1:][taus[:-1] == taus[1:]] = -np.inf  # no threshold cuts through a tie
    return taus[f1.argmax(axis=0), np.arange(probs.shape[1])]


def focal_loss_in_torch(logits: Any, targets: Any, gamma: float) -> Any:
    """Focal loss of K independent sigmoids in PyTorch's tensor operations: summed over the labels, the mean over the batch.

    Args:
        logits: (N, K) float64 tensor; the result can be differentiated in it, and the gradient flows through both factors.
            Finite, with its gradient, for every |logit| up to 1000.
        targets: (N, K) integer tensor of 0 and 1.
        gamma: 0 or at least 1, the exponent; 0 is plain binary cross-entropy.

    Returns:
        A scalar tensor, in nats.

    Formula:
        mean_n sum_k -(1 - q_nk)**gamma log q_nk, q = p where the target is 1 and 1 - p where it is 0, that is sigmoid(z) or sigmoid(-z).

    Source: Lin et al. 2017, eq. 4, without their factor alpha.
    """
    import torch

    margin = torch.where(targets == 1, logits, -logits)  # (N, K), the logit of what is true
    losses = -torch.sigmoid(-margin) ** gamma * torch.nn.functional.logsigmoid(margin)
    return losses.sum(dim=1).mean()
