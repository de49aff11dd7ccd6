"""Spectral normalisation: the largest singular value of a weight matrix, its gradient, and what it says of a network's Lipschitz constant.

Shapes: W is (D, M), used as x @ W; sigma(W) is its largest singular value, the same for W and its transpose. Vectors u (D,) and v (M,)
are the singular vectors of the rows' and of the columns' side. Distances are Euclidean.
"""
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.guards import array, arrays, describe, generator, guarded, integer


def _not_zero(function: str, W: ndarray, **_: object) -> None:
    if not W.any():
        raise ValueError(f"{function}: W must not be 0 everywhere: the largest singular value has no gradient there.")


def _start_is_usable(function: str, W: ndarray, u: ndarray | None, rng: Generator | None, **_: object) -> None:
    if u is None:
        if rng is None:
            raise TypeError(f"{function}: rng must be a numpy.random.Generator where u is not given, got None: make one with np.random.default_rng(seed).")
    elif not u.any():
        raise ValueError(f"{function}: u must not be 0 everywhere: it has no direction.")
    elif W.any() and not (u @ W).any():
        raise ValueError(f"{function}: u must not be orthogonal to every column of W: the iteration cannot start.")


def _guarded_against_zero(iterate: Callable[..., tuple[float, ndarray, ndarray]]) -> Callable[..., tuple[float, ndarray, ndarray]]:
    """Decorator of power_iteration: W = 0 has no direction to turn to, and is answered without a step."""

    @functools.wraps(iterate)
    def answered(W: ndarray, n_steps: int, *, u: ndarray | None = None, rng: Generator | None = None) -> tuple[float, ndarray, ndarray]:
        if W.any():
            return iterate(W, n_steps, u=u, rng=rng)
        start = rng.normal(size=len(W)) if u is None and rng is not None else np.asarray(u)
        return 0.0, start / np.linalg.norm(start), np.full(W.shape[1], W.shape[1] ** -0.5)

    return answered


def _layers_chain(function: str, weights: list[ndarray]) -> None:
    for layer, W in enumerate(weights):
        if W.size == 0:
            raise ValueError(f"{function}: weights[{layer}] must not be empty, got shape {W.shape}.")
        if layer and len(W) != weights[layer - 1].shape[1]:
            expected = (weights[layer - 1].shape[1], W.shape[1])
            raise ValueError(f"{function}: weights[{layer}] must have shape {expected}, got {W.shape}: match the last axis of weights[{layer - 1}].")


def _row_function(function: str, name: str, value: Any, sizes: object) -> Callable[[ndarray], ndarray]:
    """Guard: a callable; what it returns is checked at each call."""
    if not callable(value):
        raise TypeError(f"{function}: {name} must be a function of an array, got {describe(value)}.")

    def checked(x: ndarray) -> ndarray:
        y = np.asarray(value(x))
        if y.ndim != 2 or len(y) != len(x):
            raise ValueError(f"{function}: {name} must return 2 axes and one row per row of its input, {len(x)}, got shape {y.shape}.")
        return y

    return checked


@guarded(W=array("D M", nonempty=True))
def spectral_norm_svd(W: ndarray) -> float:
    """How far W can stretch a vector: its largest singular value.

    Args:
        W: (D, M), any rank.

    Returns:
        A number, at least 0. It is neither the largest |eigenvalue| nor the root of the sum of squared entries.

    Formula:
        sigma(W) = max |W h| over |h| = 1 = the first singular value.

    Source: Miyato et al. 2018, eq. 6.
    """
    return float(np.linalg.svd(W, compute_uv=False)[0])  # in descending order


@guarded(W=array("D M", nonempty=True), also=_not_zero)
def spectral_norm_grad(W: ndarray) -> ndarray:
    """Gradient of the largest singular value in the entries of W.

    Args:
        W: (D, M), not 0; its largest singular value is simple (where two are equal there is no gradient: one of the subgradients is returned).

    Returns:
        (D, M).

    Derivation:
        sigma = u' W v with |u| = |v| = 1, W v = sigma u, W' u = sigma v
        dsigma = u' dW v + du' W v + u' W dv = u' dW v + sigma (du' u + v' dv)
        |u|**2 = 1, so du' u = 0, and v' dv = 0 likewise
        dsigma/dW_ij = u_i v_j, that is u v'

    Source: Miyato et al. 2018, section 2.1, eq. 10.
    """
    U, _, Vt = np.linalg.svd(W, full_matrices=False)
    return np.outer(U[:, 0], Vt[0])  # the sign of a singular pair is free, that of its product is not


@guarded(W=array("D M", nonempty=True), n_steps=integer(low=1), u=array("D", optional=True), rng=generator(optional=True), also=_start_is_usable)
@_guarded_against_zero
def power_iteration(W: ndarray, n_steps: int, *, u: ndarray | None = None, rng: Generator | None = None) -> tuple[float, ndarray, ndarray]:
    """The largest singular value and its vectors by products with W alone, from a start.

    Args:
        W: (D, M), not 0.
        n_steps: at least 1; one step updates v, then u.
        u: (D,) start, of any length (not changed), with W'u not 0; None draws one from normal numbers.
        rng: draws the start where u is None.

    Returns:
        sigma, u (D,), v (M,), both of length 1.

    Formula:
        v = W'u / |W'u|, u = W v / |W v|, n_steps times; sigma = u' W v.
        W = 0 is answered too: sigma 0, u the start brought to length 1, v some vector of length 1.
        The vectors' error falls by (sigma_2 / sigma_1)**2 a step, that of sigma by the square of it.

    Source: Miyato et al. 2018, section 2.1, eqs. 18 and 19 and algorithm 1.
    """
    u = rng.normal(size=len(W)) if u is None else u  # its length does not matter: v is brought to length 1
    for _ in range(n_steps):
        v = u @ W  # (M,), W'u
        v = v / np.linalg.norm(v)
        u = W @ v  # (D,)
        u = u / np.linalg.norm(u)
    return float(u @ W @ v), u, v


@guarded(W=array("D M", nonempty=True))
def spectral_normalize(W: ndarray) -> ndarray:
    """W scaled so that it stretches no vector, and keeps the length of one.

    Args:
        W: (D, M).

    Returns:
        (D, M) with largest singular value 1, also where it was below 1 (that is not a cap); zero stays zero.

    Formula:
        W / sigma(W).

    Source: Miyato et al. 2018, eq. 8.
    """
    sigma = spectral_norm_svd(W)
    return W / sigma if sigma else W


@guarded(W=array("D M", nonempty=True), dy=array("D M"), also=_not_zero)
def spectral_normalize_backward(dy: ndarray, W: ndarray) -> ndarray:
    """Gradient of spectral_normalize, through sigma(W) too.

    Args:
        dy: (D, M) dLoss/d(W / sigma).
        W: (D, M), not 0, its largest singular value simple.

    Returns:
        dW (D, M).

    Derivation:
        y = W / sigma, dy_ij/dW_kl = [ij = kl] / sigma - W_ij / sigma**2 * dsigma/dW_kl
        dsigma/dW = u v'
        dW = (dy - <dy, W / sigma> u v') / sigma, <a, b> the sum of a_ij b_ij
        orthogonal to W, for the output does not see W's scale

    Source: Miyato et al. 2018, section 2.1, eqs. 9 to 12.
    """
    direction = spectral_norm_grad(W)  # u v'
    sigma = (direction * W).sum()  # u'Wv: no second decomposition
    return (dy - (dy * W).sum() / sigma * direction) / sigma


@guarded(weights=arrays("D M"), also=_layers_chain)
def lipschitz_upper_bound(weights: Sequence[ndarray]) -> float:
    """A number that no quotient |f(a) - f(b)| / |a - b| of a plain ReLU net exceeds (no skip connections).

    Args:
        weights: (n_l, n_{l+1}), one per layer; the biases do not matter.

    Returns:
        A number, the smallest that follows from each layer's own spectral norm; often far above the largest quotient.

    Derivation:
        |relu(a) - relu(b)| <= |a - b|, and |a W - b W| <= sigma(W) |a - b|
        layer after layer: |f(a) - f(b)| <= sigma(W_1) ... sigma(W_L) |a - b|

    Source: Miyato et al. 2018, eq. 7.
    """
    return float(np.prod([spectral_norm_svd(W) for W in weights]))


@guarded(W1=array("D H", nonempty=True), W2=array("H D", nonempty=True))
def residual_lipschitz_bound(W1: ndarray, W2: ndarray) -> float:
    """A number that no quotient |f(a) - f(b)| / |a - b| of the residual block f(x) = x + relu(x @ W1) @ W2 exceeds.

    Args:
        W1: (D, H).
        W2: (H, D).

    Returns:
        A number, the smallest that follows from the two matrices' own spectral norms.

    Derivation:
        f(a) - f(b) = (a - b) + (F(a) - F(b)), and |F(a) - F(b)| <= sigma(W1) sigma(W2) |a - b|
        |f(a) - f(b)| <= (1 + sigma(W1) sigma(W2)) |a - b|: the lengths of two paths add
    """
    return 1.0 + spectral_norm_svd(W1) * spectral_norm_svd(W2)


@guarded(f=_row_function, x=array("N D"))
def empirical_lipschitz(f: Callable[[ndarray], ndarray], x: ndarray) -> float:
    """Largest stretch of f over all pairs of the given points: a LOWER bound of its Lipschitz constant.

    Args:
        f: maps (n, D) to (n, M), each row by itself.
        x: (N, D) points; pairs of equal points are skipped.

    Returns:
        A number; 0 where no pair of different points is left.

    Formula:
        max over a != b of |f(a) - f(b)| / |a - b|.

    >>> empirical_lipschitz(lambda x: 3.0 * x, np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 1.0]]))
    3.0
    """
    y, largest = f(x), 0.0
    for k in range(1, len(x)):  # rows k apart: all pairs in N - 1 vectorised steps, without an (N, N, D) array
        dx, dy = x[k:] - x[:-k], y[k:] - y[:-k]
        squares = np.vecdot(dx, dx)  # (N - k,), |a - b|**2
        apart = squares > 0
        largest = np.maximum(largest, np.max(np.vecdot(dy, dy)[apart] / squares[apart], initial=0.0))  # NaN stays NaN
    return float(np.sqrt(largest))


def spectral_linear_in_torch(x: Any, W: Any, u: Any) -> Any:
    """A spectrally normalised layer without bias, in PyTorch's tensor operations; one power step from u estimates sigma.

    The singular vectors count as constants, as in torch's own spectral_norm: the gradient reaches W directly and through sigma = u'Wv
    with u and v held fixed, and does not reach the start u.

    Args:
        x: (N, D) float64 tensor.
        W: (D, M) float64 tensor; the result can be differentiated in x and W.
        u: (D,) float64 tensor, the start, of any length; not changed.

    Returns:
        (N, M), x @ (W / sigma).

    Formula:
        without gradient v = W'u / |W'u|, u = W v / |W v|; with gradient sigma = u' W v, y = x W / sigma.

    Source: Miyato et al. 2018, algorithm 1.
    """
    import torch

    with torch.no_grad():
        v = u @ W
        v = v / v.norm()
        u = W @ v
        u = u / u.norm()
    return x @ (W / (u @ W @ v))
