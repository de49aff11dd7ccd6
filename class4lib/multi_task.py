"""Several tasks, one trunk: h = tanh(x @ W + b), head i predicts h @ V_i + c_i, and the total loss is sum lambda_i L_i.

Shapes: x (N, D), W (D, H), b (H,), head i a pair V_i (H, M_i), c_i (M_i,); T tasks. The weights lambda_i multiply losses and their
gradients as they are: they need not be equal and need not sum to 1. L_i may be any loss; dpredictions[i] is its gradient in prediction i.
"""
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, arrays, guarded


def _heads(function: str, name: str, value: Any, sizes: dict[str, tuple[int, str]]) -> list[tuple[ndarray, ndarray]]:
    """A guard: pairs (V_i, c_i) whose V_i take the H values of the trunk."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"{function}: {name} must be a list of pairs (V, c), got {type(value).__name__}.")
    if len(value) == 0:
        raise ValueError(f"{function}: {name} must hold at least 1, got 0.")
    pairs = []
    for i, head in enumerate(value):
        if not isinstance(head, Sequence) or len(head) != 2:
            raise TypeError(f"{function}: {name}[{i}] must be a pair (V, c), got a {type(head).__name__}.")
        own = dict(sizes)  # M differs from head to head
        pairs.append((array("H M")(function, f"{name}[{i}][0]", head[0], own), array("M")(function, f"{name}[{i}][1]", head[1], own)))
    return pairs


def _direction(function: str, name: str, value: Any, sizes: dict[str, tuple[int, str]]) -> ndarray:
    """A guard: a gradient of which only the direction matters, divided by its largest entry; else the square of 1e-200 would be 0."""
    gradient = array(nonempty=True)(function, name, value, sizes)
    largest = np.abs(gradient).max()
    return gradient if largest == 0 else gradient / largest


def _one_gradient_each(function: str, task_gradients: Sequence[ndarray], weights: ndarray) -> None:
    if len(weights) != len(task_gradients):
        raise ValueError(f"{function}: weights must have shape {(len(task_gradients),)}, got {weights.shape}: match the length of task_gradients.")
    for i, gradient in enumerate(task_gradients):
        if gradient.shape != task_gradients[0].shape:
            raise ValueError(f"{function}: task_gradients[{i}] must have shape {task_gradients[0].shape}, got {gradient.shape}: match task_gradients[0].")


def _one_of_each_per_head(function: str, dpredictions: Sequence[ndarray], x: ndarray, heads: Sequence[tuple[ndarray, ndarray]], weights: ndarray, **_: object) -> None:
    for name, values in (("dpredictions", dpredictions), ("weights", weights)):
        if len(values) != len(heads):
            raise ValueError(f"{function}: {name} must hold one entry per head, {len(heads)}, got {len(values)}: match heads.")
    for i, (d, (V, _c)) in enumerate(zip(dpredictions, heads, strict=True)):
        if d.shape != (len(x), V.shape[1]):
            raise ValueError(f"{function}: dpredictions[{i}] must have shape {(len(x), V.shape[1])}, got {d.shape}: match the rows of x and the last axis of heads[{i}][0].")


def _same_shape(function: str, g1: ndarray, g2: ndarray) -> None:
    if g2.shape != g1.shape:
        raise ValueError(f"{function}: g2 must have shape {g1.shape}, got {g2.shape}: match g1.")


@guarded(losses=array("T", nonempty=True), weights=array("T"))
def combined_loss(losses: Sequence[float], weights: Sequence[float]) -> float:
    """The total loss of several tasks.

    Args:
        losses: (T,) one number per task.
        weights: (T,) the lambda_i, taken as they are: they need not sum to 1.

    Returns:
        A number.

    Formula:
        sum_i lambda_i L_i

    >>> combined_loss([1.0, 10.0], [2.0, 0.5])
    7.0
    """
    return float(np.dot(weights, losses))


@guarded(task_gradients=arrays(), weights=array("T"), also=_one_gradient_each)
def shared_gradient(task_gradients: Sequence[ndarray], weights: Sequence[float]) -> ndarray:
    """Gradient of the total loss in a parameter that all tasks share.

    Args:
        task_gradients: one array per task, the gradient of its own, unweighted loss in the shared parameter; any shape, all the same.
        weights: (T,) the lambda_i, taken as they are.

    Returns:
        The shape of one gradient.

    Formula:
        sum_i lambda_i dL_i/dtheta: a sum, not a mean over the tasks.
    """
    return np.tensordot(weights, np.stack(task_gradients), axes=1)  # (T,) with (T, ...)


@guarded(x=array("N D"), W=array("D H"), b=array("H"), heads=_heads)
def multi_task_forward(x: ndarray, W: ndarray, b: ndarray, heads: Sequence[tuple[ndarray, ndarray]]) -> tuple[ndarray, list[ndarray]]:
    """The shared representation and every head's prediction.

    Args:
        x: (N, D).
        W: (D, H), weights of the trunk.
        b: (H,).
        heads: pairs V_i (H, M_i), c_i (M_i,); their widths may differ.

    Returns:
        h (N, H), the output of the trunk's one tanh layer, and a list of the predictions (N, M_i), linear in h.

    Formula:
        h = tanh(x @ W + b), prediction_i = h @ V_i + c_i
    """
    h = np.tanh(x @ W + b)  # (N, H)
    return h, [h @ V + c for V, c in heads]


@guarded(dpredictions=arrays("N M"), x=array("N D"), W=array("D H"), b=array("H"), heads=_heads, weights=array("T"), also=_one_of_each_per_head)
def multi_task_backward(
    dpredictions: Sequence[ndarray], x: ndarray, W: ndarray, b: ndarray, heads: Sequence[tuple[ndarray, ndarray]], weights: Sequence[float]
) -> tuple[ndarray, ndarray, list[tuple[ndarray, ndarray]]]:
    """Gradients of the total loss sum lambda_i L_i in the trunk and in every head.

    Args:
        dpredictions: one (N, M_i) per head, the gradient of its own, unweighted L_i in prediction i.
        x: (N, D) inputs of the forward.
        W: (D, H), weights of the trunk.
        b: (H,).
        heads: pairs V_i (H, M_i), c_i (M_i,).
        weights: (T,) the lambda_i; each enters its branch once, in the head as well as in the trunk.

    Returns:
        dW (D, H), db (H,), and a list of pairs dV_i (H, M_i), dc_i (M_i,), zeros where lambda_i is 0.

    Derivation:
        G_i = lambda_i dL_i/dprediction_i
        dV_i = h' G_i, dc_i = sum_n G_i
        dh = sum_i G_i V_i', because every head reads the same h
        dz = dh (1 - h**2), because tanh' = 1 - tanh**2
        dW = x' dz, db = sum_n dz
    """
    h = np.tanh(x @ W + b)  # (N, H)
    weighted = [weight * d for weight, d in zip(weights, dpredictions, strict=True)]  # (N, M_i) each
    dheads = [(h.T @ d, d.sum(axis=0)) for d in weighted]
    dh = sum(d @ V.T for d, (V, _) in zip(weighted, heads, strict=True))  # the branches meet in h: their gradients add
    dz = dh * (1.0 - h * h)
    return x.T @ dz, dz.sum(axis=0), dheads


@guarded(losses=array("T", nonempty=True), log_variances=array("T"))
def uncertainty_weighted_loss(losses: ndarray, log_variances: ndarray) -> float:
    """The total loss with a learned weight per task.

    Args:
        losses: (T,) one number per task; for a Gaussian task the full squared error, without the factor 1/2.
        log_variances: (T,) s_i = log sigma_i**2, the logarithm of the VARIANCE, not of the deviation.

    Returns:
        A number; it may be negative.

    Formula:
        sum_i 1/2 exp(-s_i) L_i + 1/2 s_i: 1/(2 sigma**2) L + log sigma of the paper; the second term is what keeps s_i from growing.

    Source: Kendall, Gal and Cipolla 2018, eq. 7.
    """
    return float(0.5 * (np.exp(-log_variances) * losses + log_variances).sum())


@guarded(losses=array("T", nonempty=True), log_variances=array("T"))
def uncertainty_weighted_loss_grad(losses: ndarray, log_variances: ndarray) -> tuple[ndarray, ndarray]:
    """Gradients of uncertainty_weighted_loss in the losses and in the log-variances.

    Args:
        losses: (T,).
        log_variances: (T,) s_i = log sigma_i**2.

    Returns:
        dlosses (T,), the weight that each task gets in effect, and dlog_variances (T,).

    Derivation:
        dL/dL_i = 1/2 exp(-s_i)
        dL/ds_i = 1/2 - 1/2 exp(-s_i) L_i, which is 0 at s_i = log L_i
    """
    weights = 0.5 * np.exp(-log_variances)
    return weights, 0.5 - weights * losses


@guarded(g1=_direction, g2=_direction, also=_same_shape)
def gradient_cosine(g1: ndarray, g2: ndarray) -> float:
    """Cosine of the angle between two gradients: below 0 the tasks are in conflict.

    Args:
        g1: any shape; all entries form one vector.
        g2: same shape.

    Returns:
        A number in [-1, 1], up to rounding; 0 where one of the gradients is zero.

    Formula:
        <g1, g2> / (|g1| |g2|)

    Source: Yu et al. 2020, definition 1.
    """
    lengths = np.sqrt(np.vdot(g1, g1) * np.vdot(g2, g2))
    return float(np.vdot(g1, g2) / lengths) if lengths != 0 else 0.0


@guarded(g1=array(nonempty=True), g2=_direction, also=_same_shape)
def project_conflict(g1: ndarray, g2: ndarray) -> ndarray:
    """g1 without the part that works against g2.

    Args:
        g1: any shape; all entries form one vector.
        g2: same shape; need not be a unit vector. It is not changed: the projection of g2 is a call of its own.

    Returns:
        g1's shape: orthogonal to g2 where the two are in conflict (negative inner product), else g1 as it is.

    Formula:
        g1 - min(<g1, g2>, 0) / |g2|**2 g2

    Source: Yu et al. 2020, algorithm 1.
    """
    square = np.vdot(g2, g2)
    if square == 0:
        return g1
    conflict = np.minimum(np.vdot(g1, g2), 0.0)  # 0: no conflict, nothing to take away
    return g1 - conflict / square * g2


def multi_task_loss_in_torch(x: Any, W: Any, b: Any, heads: Sequence[tuple[Any, Any]], labels: Sequence[Any], log_variances: Any) -> Any:
    """The network of multi_task_forward with its uncertainty-weighted loss in PyTorch's tensor operations; every task is a classification.

    Args:
        x: (N, D) float64 tensor.
        W: (D, H) float64 tensor, weights of the trunk.
        b: (H,) float64 tensor.
        heads: pairs of float64 tensors V_i (H, K_i), c_i (K_i,); head i gives the logits of task i.
        labels: one (N,) integer tensor per head, in [0, K_i).
        log_variances: (T,) float64 tensor, s_i as in uncertainty_weighted_loss.

    Returns:
        A scalar tensor, which can be differentiated in every float tensor: uncertainty_weighted_loss of the tasks' cross-entropies, each
        in nats and a mean over the batch.

    Formula:
        h = tanh(x @ W + b), L_i = cross_entropy(h @ V_i + c_i, labels_i), sum_i 1/2 exp(-s_i) L_i + 1/2 s_i
    """
    import torch

    h = torch.tanh(x @ W + b)  # (N, H)
    losses = torch.stack([torch.nn.functional.cross_entropy(h @ V + c, y) for (V, c), y in zip(heads, labels, strict=True)])  # (T,)
    return 0.5 * (torch.exp(-log_variances) * losses + log_variances).sum()
