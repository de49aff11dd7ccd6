"""Early stopping: two rules for when to stop, and why stopping acts like weight decay.

Epochs and steps count from 0. Two rules share the name: patience waits for an improvement on the best loss SO FAR; the slides compare
each epoch with the one k epochs before. They disagree on some curves.
"""
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, guarded, integer, number

_finite_nonnegative = number(low=0, below=np.inf)


def _eigenvalues_are_not_negative(function: str, eigenvalues: ndarray, **_: object) -> None:
    # numpy.linalg.eigvalsh returns -1e-17 for 0: rounding is let through
    if np.any(eigenvalues < -1e-9 * np.abs(eigenvalues).max(initial=0.0)):
        raise ValueError(f"{function}: eigenvalues must be at least 0, got {float(np.nanmin(eigenvalues)):g}.")


class EarlyStopping:
    """Patience: stop after `patience` epochs in a row without an improvement on the best loss so far, and keep the best state.

    An epoch improves if its loss is STRICTLY below best_loss - min_delta; a NaN never does. Only then do best_loss, best_epoch and
    best_state change, and the count of epochs without improvement returns to 0; every other epoch adds 1.

    Args:
        patience: at least 1.
        min_delta: at least 0, in the unit of the loss.

    Attributes:
        best_epoch: counted from 0; None before the first improvement.
        best_loss: inf before the first improvement.
        best_state: a deep copy of the state at the best epoch, so that training on changes nothing in it; None before.

    Formula:
        step: if loss < best_loss - min_delta: store, count = 0; else count += 1; return count >= patience.

    Source: Goodfellow et al. 2016, algorithm 7.1; Prechelt 1998, whose criterion GL looks at the best so far, too.

    >>> stopping = EarlyStopping(patience=2)
    >>> [stopping.step(loss) for loss in [3.0, 2.0, 2.0, 2.5]], stopping.best_epoch
    ([False, False, False, True], 1)
    """

    best_epoch: int | None
    best_loss: float
    best_state: Any

    @guarded(patience=integer(low=1), min_delta=_finite_nonnegative)
    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        """Start before epoch 0: nothing seen, nothing stored."""
        self.patience, self.min_delta = patience, min_delta
        self.best_epoch, self.best_loss, self.best_state = None, np.inf, None
        self.epoch = self.count = 0  # epochs seen; of these, the latest without improvement

    @guarded(loss=number(nan=True))
    def step(self, loss: float, state: Any = None) -> bool:
        """Take the next epoch's loss (NaN is allowed) and state; return whether to stop, True again after that until one improves."""
        self.count += 1
        if loss < self.best_loss - self.min_delta:  # False for NaN
            self.best_epoch, self.best_loss, self.best_state = self.epoch, float(loss), copy.deepcopy(state)
            self.count = 0
        self.epoch += 1
        return self.count >= self.patience


@guarded(losses=array("T"), patience=integer(low=1), min_delta=_finite_nonnegative)
def stopping_epoch_patience(losses: Sequence[float], patience: int, min_delta: float = 0.0) -> int | None:
    """Epoch after which EarlyStopping stops.

    Args:
        losses: (T,), one per epoch; may hold NaN.
        patience: at least 1.
        min_delta: at least 0.

    Returns:
        The epoch, from 0, whose step returns True first (not the best epoch); None if there is none.

    Formula:
        min {t : step(L_t) is True}.

    >>> stopping_epoch_patience([3.0, 2.0, 2.0, 2.5, 1.0], patience=2)
    3
    """
    stopping = EarlyStopping(patience, min_delta)
    return next((epoch for epoch, loss in enumerate(losses) if stopping.step(loss)), None)


@guarded(losses=array("T"), k=integer(low=1))
def stopping_epoch_consecutive(losses: Sequence[float], k: int) -> int | None:
    """Epoch at which the slides' rule stops: worse than k epochs before, k epochs in a row.

    Args:
        losses: (T,), one per epoch, from 0. A comparison with NaN is false.
        k: at least 1, both the distance and the number in a row. An epoch before k has none to compare with: it does not count as worse.

    Returns:
        The first such epoch; None if there is none.

    Formula:
        min {t : L(s) > L(s - k) for every s = t - k + 1, ..., t, each s >= k}, so t >= 2 k - 1.

    Source: the slides; Prechelt 1998, whose criterion UP compares the ends of successive strips of k epochs, ours every epoch.

    >>> stopping_epoch_consecutive([1.0, 2.0, 3.0, 4.0, 5.0], k=2)
    3
    """
    worse = 0  # epochs in a row
    for t in range(k, len(losses)):
        worse = worse + 1 if losses[t] > losses[t - k] else 0
        if worse == k:
            return t
    return None


@guarded(eigenvalues=array("D"), w_star=array("D"), lr=_finite_nonnegative, n_steps=integer(low=0), also=_eigenvalues_are_not_negative)
def gradient_descent_path(eigenvalues: ndarray, w_star: ndarray, lr: float, n_steps: int) -> ndarray:
    """Weights after every step of gradient descent on ½ sum_j lambda_j (w_j - w*_j)**2 from w_0 = 0, in closed form.

    Args:
        eigenvalues: (D,) lambda, of X'X / N for our mean losses (that is s**2 / N with the singular values s of X; not s, not s**2).
        w_star: (D,) the minimiser, in the eigenvectors' coordinates.
        lr: step size; the path converges where lr lambda_j < 2, and diverges beyond 2 as it should.
        n_steps: T.

    Returns:
        (T + 1, D), row t after t steps; row 0 is zero.

    Formula:
        w_tj = (1 - (1 - lr lambda_j)**t) w*_j

    Source: Goodfellow et al. 2016, section 7.8, eq. 7.40.
    """
    steps = np.arange(n_steps + 1)[:, None]  # (T + 1, 1)
    return (1.0 - (1.0 - lr * eigenvalues) ** steps) * w_star


@guarded(lr=number(above=0, below=np.inf), step=integer(low=1))
def equivalent_l2(lr: float, step: int) -> float:
    """Strength of the weight decay that acts like stopping after `step` steps, to first order in the curvature.

    Args:
        lr: step size, above 0.
        step: number of steps taken, at least 1.

    Returns:
        alpha of the loss ½ sum_j lambda_j (w_j - w*_j)**2 + ½ alpha sum_j w_j**2 (with the ½: a loss without it has half of it).

    Derivation:
        descent: w_j / w*_j = 1 - (1 - lr lambda_j)**t = t lr lambda_j + O(lambda_j**2)
        ridge: w_j / w*_j = lambda_j / (lambda_j + alpha) = lambda_j / alpha + O(lambda_j**2)
        equal to first order: alpha = 1 / (t lr)

    Source: Goodfellow et al. 2016, section 7.8, eq. 7.45.
    """
    return 1.0 / (lr * step)


@guarded(
    eigenvalues=array("D"),
    w_star=array("D"),
    lr=_finite_nonnegative,
    n_steps=integer(low=0),
    noise_variance=_finite_nonnegative,
    n_examples=integer(low=1),
    also=_eigenvalues_are_not_negative,
)
def expected_excess_risk(eigenvalues: ndarray, w_star: ndarray, lr: float, n_steps: int, noise_variance: float, n_examples: int) -> ndarray:
    """Expected excess risk after every step of gradient descent on least squares: bias**2 + variance.

    Args:
        eigenvalues: (D,) lambda, of X'X / N.
        w_star: (D,) the true weights, in the eigenvectors' coordinates.
        lr: step size.
        n_steps: T.
        noise_variance: of the targets' noise (not its deviation).
        n_examples: N.

    Returns:
        (T + 1,): E (w_t - w*)' X'X/N (w_t - w*) over the noise, no ½; its argmin is the optimal stopping time. A direction with
        eigenvalue 0 adds 0.

    Formula:
        a_tj = (1 - lr lambda_j)**t
        risk_t = sum_j lambda_j [a_tj**2 w*_j**2 + (1 - a_tj)**2 noise_variance / (N lambda_j)]

    Source: Ali, Kolter and Tibshirani 2019 (there for gradient flow).
    """
    left = (1.0 - lr * eigenvalues) ** np.arange(n_steps + 1)[:, None]  # (T + 1, D): share of w* not yet learned
    bias = left**2 @ (eigenvalues * w_star**2)
    variance = ((1.0 - left) ** 2).sum(axis=1) * noise_variance / n_examples  # lambda cancels: nothing is divided by 0
    return bias + variance


def stopped_fit_in_torch(X: Any, y: Any, lr: float, n_steps: int) -> Any:
    """Predictions of a linear model whose training was stopped, in PyTorch's tensor operations: training itself is what is differentiated.

    n_steps steps of gradient descent on mean_i ½ (x_i . w - y_i)**2 over all examples, from w = 0, no bias; then X w.

    Args:
        X: (N, D) float64 tensor; the result can be differentiated in it and in y, through every step.
        y: (N,) float64 tensor.
        lr: step size.
        n_steps: at least 1.

    Returns:
        (N,) tensor.

    Formula:
        w <- w - lr X' (X w - y) / N, n_steps times; X w.
    """
    import torch

    w = torch.zeros(X.shape[1], dtype=X.dtype)
    for _ in range(n_steps):
        w = w - lr * (X @ w - y) @ X / len(X)
    return X @ w
