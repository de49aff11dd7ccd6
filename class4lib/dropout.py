"""Dropout: entries are dropped at random in training; mean, variance, gradient, and the loss it minimises in expectation.

Everywhere p is the probability to DROP, 0 <= p < 1, and dropout is inverted: what is kept is rescaled in training, so that evaluation
changes nothing. A mask holds the factor of each entry, 0 or 1/(1-p); it is returned so that backward can use the same one.
"""
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.guards import array, describe, generator, guarded, integer, number

drop_probability = number(low=0, below=1)


def draws_need_rng(function: str, p: float, training: bool, rng: Generator | None, **_: object) -> None:
    """Raise TypeError unless training is a truth value, and rng is there when something is drawn."""
    if not isinstance(training, bool | np.bool_):
        raise TypeError(f"{function}: training must be True or False, got {describe(training)}.")
    if training and p > 0 and rng is None:
        raise TypeError(f"{function}: rng must be a numpy.random.Generator when training with p above 0, got None: make one with np.random.default_rng(seed).")


def _mask_has_the_shape_of_dy(function: str, dy: ndarray, mask: ndarray) -> None:
    if mask.shape != dy.shape:
        raise ValueError(f"{function}: mask must have shape {dy.shape}, got {mask.shape}: match dy.")


def _model_is_callable(function: str, model: object, **_: object) -> None:
    if not callable(model):
        raise TypeError(f"{function}: model must be callable as model(x, rng), got {describe(model)}.")


@guarded(x=array(), p=drop_probability)
def dropout_variance(x: ndarray, p: float) -> ndarray:
    """Variance of inverted dropout's output, elementwise.

    Args:
        x: any shape.
        p: probability to DROP an entry; what is kept is rescaled.

    Returns:
        x's shape, in the square of x's unit.

    Derivation:
        x~ = m x, m = r / (1 - p), P(r = 1) = 1 - p
        E[m**2] = (1 - p) / (1 - p)**2 = 1 / (1 - p), E[m]**2 = 1
        Var[x~] = x**2 (1 / (1 - p) - 1) = x**2 p / (1 - p)

    Source: Srivastava et al. 2014, section 10 (there p keeps).
    """
    return p / (1.0 - p) * x**2


@guarded(x=array(), p=drop_probability)
def dropout_mean(x: ndarray, p: float) -> ndarray:
    """Expectation of inverted dropout's output, elementwise.

    Args:
        x: any shape.
        p: probability to DROP an entry.

    Returns:
        x's shape.

    Derivation:
        E[r x / (1 - p)] = (1 - p) x / (1 - p) = x

    Source: Srivastava et al. 2014, section 10.
    """
    return np.array(x)


@guarded(x=array(), p=drop_probability, rng=generator(optional=True), also=draws_need_rng)
def dropout(x: ndarray, p: float, *, training: bool, rng: Generator | None = None) -> tuple[ndarray, ndarray]:
    """Inverted dropout: each entry is dropped independently, and the rest is rescaled in training, never in evaluation.

    Args:
        x: any shape; (N, D) in the course. Every entry of every example has a draw of its own.
        p: probability to DROP an entry (Srivastava et al.'s p keeps; PyTorch's drops, as ours).
        training: False gives x unchanged.
        rng: the only source of randomness; needed when training with p above 0.

    Returns:
        y and the mask, both of x's shape; the mask is all ones when not training.

    Formula:
        m = 0 with probability p, else 1 / (1 - p); y = m x.

    Source: Srivastava et al. 2014, section 10.

    >>> y, mask = dropout(np.ones((2, 3)), 0.75, training=False)
    >>> y.tolist(), mask.tolist()
    ([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    """
    if not (training and p):  # nothing is drawn
        return x.copy(), np.ones_like(x)
    keep = rng.random(x.shape) >= p  # P(u < p) = p
    mask = keep.astype(x.dtype) / (1.0 - p)
    return mask * x, mask


@guarded(dy=array(), mask=array(), also=_mask_has_the_shape_of_dy)
def dropout_backward(dy: ndarray, mask: ndarray) -> ndarray:
    """Gradient of dropout in x, with the mask of the forward: a fresh one would be the gradient of another function.

    Args:
        dy: dLoss/dy, any shape.
        mask: of dy's shape, as returned by dropout.

    Returns:
        dx, of dy's shape.

    Derivation:
        y_i = m_i x_i, m does not depend on x
        dL/dx_i = m_i dL/dy_i
    """
    return mask * dy


@guarded(w=array("D"), X=array("N D", nonempty=True), y=array("N"), p=drop_probability)
def marginal_dropout_loss(w: ndarray, X: ndarray, y: ndarray, p: float) -> float:
    """Expected squared error of a linear model whose inputs go through inverted dropout, in closed form.

    Args:
        w: (D,) weights, no bias.
        X: (N, D) inputs before dropout; each entry is dropped independently.
        y: (N,) targets.
        p: probability to DROP an input.

    Returns:
        The expectation of the MEAN over examples of ½ (prediction - target)**2, our loss everywhere (some texts sum, or omit the ½).

    Formula:
        mean_i ½ (x_i . w - y_i)**2 + ½ p / (1 - p) mean_i sum_j w_j**2 x_ij**2

    Source: Wager et al. 2013; Srivastava et al. 2014, section 9.1 (sum over examples, no ½).
    """
    residuals = X @ w - y  # (N,)
    noise = p / (1.0 - p) * (X**2).mean(axis=0) @ w**2  # variance of the prediction, mean over examples
    return 0.5 * (residuals**2).mean() + 0.5 * noise


@guarded(w=array("D"), X=array("N D", nonempty=True), y=array("N"), p=drop_probability)
def marginal_dropout_loss_grad(w: ndarray, X: ndarray, y: ndarray, p: float) -> ndarray:
    """Gradient of marginal_dropout_loss in w.

    Args:
        w: (D,) weights.
        X: (N, D) inputs before dropout.
        y: (N,) targets.
        p: probability to DROP an input.

    Returns:
        (D,).

    Derivation:
        E[x~ . w] = x . w, Var[x~ . w] = p / (1 - p) sum_j x_j**2 w_j**2
        E ½ (x~ . w - y)**2 = ½ (x . w - y)**2 + ½ Var[x~ . w]
        dL/dw_j = mean_i (x_i . w - y_i) x_ij + p / (1 - p) w_j mean_i x_ij**2
    """
    residuals = X @ w - y  # (N,)
    return X.T @ residuals / len(X) + p / (1.0 - p) * (X**2).mean(axis=0) * w


@guarded(x=array(kind="any"), n_samples=integer(low=1), rng=generator(), also=_model_is_callable)
def mc_dropout_predict(model: Callable[[ndarray, Generator], ndarray], x: ndarray, n_samples: int, *, rng: Generator) -> tuple[ndarray, ndarray]:
    """Monte Carlo dropout: a prediction and its spread from repeated passes with dropout switched on.

    Args:
        model: called as model(x, rng), n_samples times with the SAME generator, so that every pass draws anew.
        x: handed to the model as it is.
        n_samples: number of passes, at least 1.
        rng: handed to the model.

    Returns:
        Mean and standard deviation over the passes, each of the shape of one prediction.

    Formula:
        mean = 1/S sum_s y_s, deviation = sqrt(1/S sum_s (y_s - mean)**2): divided by S.

    Source: Gal and Ghahramani 2016, eq. 6 (their predictive variance adds the noise of the data, 1/tau; ours does not).
    """
    samples = np.stack([np.array(model(x, rng)) for _ in range(n_samples)])  # copies: a model may reuse its buffer
    return samples.mean(axis=0), samples.std(axis=0)


def dropout_layer_in_torch(x: Any, W: Any, b: Any, u: Any, p: float) -> Any:
    """A hidden layer with inverted dropout in PyTorch's tensor operations: affine, ReLU, dropout, in training.

    Args:
        x: (N, D) float64 tensor.
        W: (D, M) float64 tensor.
        b: (M,) float64 tensor.
        u: (N, M) float64 tensor, uniform in [0, 1), drawn by the caller: a unit is DROPPED where u < p.
        p: probability to DROP, 0 <= p < 1.

    Returns:
        (N, M) tensor that can be differentiated in x, W and b.

    Formula:
        relu(x @ W + b) * [u >= p] / (1 - p)

    Source: Srivastava et al. 2014, section 10.
    """
    import torch

    keep = (u >= p).to(x.dtype)  # (N, M)
    return torch.relu(x @ W + b) * keep / (1.0 - p)
