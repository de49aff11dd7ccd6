"""Central differences: is a gradient the derivative of its function?

A function of many outputs is projected on random weights dy, so one number is differenced; every entry of every argument is then moved in
turn (or, for large arguments, random directions). The step is scaled to the entry; the error of the difference itself is estimated from
two step sizes, so that a gradient is refused for being wrong and not for being hard to difference.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy import ndarray


class GradientError(AssertionError):
    """A gradient that differs from the central difference; the message has the argument, the entry and both values."""


def numerical_gradient(f: Callable[[ndarray], float], x: ndarray, step: float = 1e-5) -> ndarray:
    """Central differences of a number-valued f at x.

    Args:
        f: takes an array of x's shape, returns a number; called 4 x.size times.
        x: float64, any shape; restored after every move.
        step: relative to max(1, |entry|).

    Returns:
        x's shape; Richardson's extrapolation of two steps, error O(step**4).
    """
    x = np.array(x, dtype=np.float64)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        start = x[index]
        h = step * max(1.0, abs(float(start)))
        slopes = []
        for scale in (1.0, 2.0):
            x[index] = start + scale * h
            above = f(x)
            x[index] = start - scale * h
            slopes.append((above - f(x)) / (2.0 * scale * h))
        x[index] = start
        gradient[index] = (4.0 * slopes[0] - slopes[1]) / 3.0
    return gradient


def check_gradient(
    f: Callable[..., object],
    args: Sequence[ndarray],
    gradients: Sequence[ndarray],
    dy: object = None,
    *,
    rtol: float = 1e-6,
    step: float = 1e-3,
) -> None:
    """Raise GradientError unless `gradients` are those of sum(dy * f(*args)) in the first len(gradients) arguments.

    Args:
        f: returns a number or an array.
        args: float64 arrays; only the first len(gradients) are moved.
        gradients: one per moved argument, of its shape.
        dy: weights of f's output; None means 1 (f returns a number, or its sum is meant).
        rtol: of the largest entry of the gradient at hand.
        step: of the differences; with Richardson's extrapolation the error is about step**4.
    """
    args = [np.array(a, dtype=np.float64) if i < len(gradients) else a for i, a in enumerate(args)]
    for i, analytic in enumerate(gradients):
        if np.shape(analytic) != args[i].shape:
            raise GradientError(f"gradient of argument {i} must have shape {args[i].shape}, got {np.shape(analytic)}.")

        def projected(moved: ndarray, i: int = i) -> float:
            y = np.asarray(f(*args[:i], moved, *args[i + 1 :]))
            return float((y if dy is None else y * dy).sum())

        numeric = numerical_gradient(projected, args[i], step)
        error = np.abs(np.asarray(analytic) - numeric)
        allowed = rtol * max(np.abs(numeric).max(initial=0.0), 1e-6)
        if not np.all(error <= allowed):  # NaN is refused too
            worst = np.unravel_index(int(np.nanargmax(np.where(np.isnan(error), np.inf, error))), error.shape)
            raise GradientError(
                f"gradient of argument {i} at {tuple(map(int, worst))}: given {np.asarray(analytic)[worst]:.8g}, central difference {numeric[worst]:.8g} (allowed error {allowed:.2g})."
            )
