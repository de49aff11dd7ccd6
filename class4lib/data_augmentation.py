"""Data augmentation: geometric and statistical transformations, and the ridge penalty that input noise amounts to.

Angles are in radians and counter-clockwise, of points (x to the right, y up) and of images as seen (rows run downwards): both turn in the
same sense. Points are rows, (N, 2); images are (N, H, W).
"""
from typing import Any, Self

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.guards import array, generator, guarded, integer, number

_angle = number(above=-np.inf, below=np.inf)
_deviation = number(low=0, below=np.inf)


def _factor_per_coordinate(function: str, x: ndarray, s: ndarray) -> None:
    if s.ndim and s.shape != (x.shape[1],):
        raise ValueError(f"{function}: s must be a number or have shape {(x.shape[1],)}, got {s.shape}: match the last axis of x.")


def _is_fitted(function: str, self: "Normalizer", x: ndarray) -> None:
    if not hasattr(self, "mean_"):
        raise ValueError(f"{function}: x cannot be transformed before fit: call fit with the training data first.")
    if x.shape[1:] != self.mean_.shape:
        raise ValueError(f"{function}: x must have shape {(len(x), *self.mean_.shape)}, got {x.shape}: match the data given to fit.")


@guarded(theta=_angle)
def rotation_matrix(theta: float) -> ndarray:
    """Matrix that turns a COLUMN vector counter-clockwise.

    Args:
        theta: radians.

    Returns:
        (2, 2).

    Formula:
        [[cos theta, -sin theta], [sin theta, cos theta]]
    """
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s], [s, c]])


@guarded(x=array("N 2"), theta=_angle)
def rotate_points(x: ndarray, theta: float) -> ndarray:
    """Turn points counter-clockwise about the origin.

    Args:
        x: (N, 2) points, one per ROW (rotation_matrix is made for columns).
        theta: radians.

    Returns:
        (N, 2).

    Formula:
        column: x' = R x; row: x' = x R'.
    """
    return x @ rotation_matrix(theta).T


@guarded(x=array("N D"), t=array("D"))
def translate_points(x: ndarray, t: ndarray) -> ndarray:
    """Move every point by the same vector.

    Args:
        x: (N, D) points, one per row.
        t: (D,), one shift per coordinate.

    Returns:
        (N, D).

    Formula:
        x'_nd = x_nd + t_d
    """
    return x + t


@guarded(x=array("N D"), s=array(), also=_factor_per_coordinate)
def scale_points(x: ndarray, s: float | ndarray) -> ndarray:
    """Scale points about the origin.

    Args:
        x: (N, D) points, one per row.
        s: one factor for all, or (D,), one per coordinate.

    Returns:
        (N, D).

    Formula:
        x'_nd = s_d x_nd
    """
    return x * s


@guarded(images=array("N H W"), theta=_angle)
def rotate_images(images: ndarray, theta: float) -> ndarray:
    """Turn images counter-clockwise as seen, about their centre, with bilinear interpolation; the size stays.

    Args:
        images: (N, H, W); rows run downwards, the centre is ((H-1)/2, (W-1)/2).
        theta: radians.

    Returns:
        (N, H, W). Every pixel of the RESULT is read from where it came from (reading the other way round would leave holes); pixels
        off the grid are 0 and take part in the interpolation.

    Derivation:
        seen coordinates: x = column - (W-1)/2, y = (H-1)/2 - row; result = R source, so source = R' result
        dr, dc: the result's row and column less the centre, y = -dr
        source row = (H-1)/2 + sin(theta) dc + cos(theta) dr
        source column = (W-1)/2 + cos(theta) dc - sin(theta) dr
        value = sum over the 4 neighbours of (1 - |row distance|) (1 - |column distance|) pixel

    Source: scipy.ndimage.rotate with order=1, mode="grid-constant", reshape=False gives the same (in degrees).
    """
    _, h, w = images.shape
    dr, dc = np.arange(h)[:, None] - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    r = (h - 1) / 2 + np.sin(theta) * dc + np.cos(theta) * dr  # (H, W): where each pixel comes from
    c = (w - 1) / 2 + np.cos(theta) * dc - np.sin(theta) * dr
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))  # a frame of zeros; everything farther out is read there
    flat = framed.reshape(len(images), (h + 2) * (w + 2))  # one index a pixel: gathers twice as fast as two
    result = np.zeros(images.shape, np.result_type(images, np.float32))  # float32 stays, integers become float64
    above, left = np.floor(r), np.floor(c)
    down, right = r - above, c - left  # shares of the lower and of the right neighbours
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (down if i else 1.0 - down) * (right if j else 1.0 - right)  # (H, W)
        row, column = np.clip(above + i + 1, 0, h + 1).astype(int), np.clip(left + j + 1, 0, w + 1).astype(int)
        result += weight * flat.take(row * (w + 2) + column, axis=1)
    return result


@guarded(images=array("N H W"), rows=integer(), columns=integer())
def translate_images(images: ndarray, rows: int, columns: int) -> ndarray:
    """Shift images by whole pixels; zeros move in, what leaves is lost (nothing comes back on the other side).

    Args:
        images: (N, H, W).
        rows: pixels DOWN, negative up.
        columns: pixels to the RIGHT, negative to the left.

    Returns:
        (N, H, W).

    Formula:
        result[n, i, j] = images[n, i - rows, j - columns], 0 off the grid.
    """
    _, h, w = images.shape
    rows, columns = max(-h, min(rows, h)), max(-w, min(columns, w))  # farther is out of sight as well
    up, left = max(-rows, 0), max(-columns, 0)
    framed = np.pad(images, ((0, 0), (max(rows, 0), up), (max(columns, 0), left)))  # zeros on the side from which they move in
    return framed[:, up : up + h, left : left + w]


@guarded(x=array(), sigma=_deviation, rng=generator())
def add_gaussian_noise(x: ndarray, sigma: float, *, rng: Generator) -> ndarray:
    """Add independent normal noise to every entry.

    Args:
        x: any shape.
        sigma: standard DEVIATION of the noise, at least 0 (not its variance).
        rng: the only source of randomness.

    Returns:
        x's shape; nothing is cut off or recentred.

    Formula:
        x' = x + sigma e, e ~ N(0, 1) independently for each entry.
    """
    return x + (sigma * rng.standard_normal(x.shape)).astype(x.dtype)


class Normalizer:
    """Zero mean and unit deviation for each feature, with the statistics of the data given to fit, whatever is transformed later.

    The deviation divides by N (as scikit-learn's StandardScaler, not N - 1). A feature that is constant in the fitted data
    (max == min; its computed deviation may be 1e-17 and not 0) is only centred: its std_ is 1.

    Attributes:
        mean_: (D,).
        std_: (D,).

    Formula:
        fit: mean = 1/N sum_n x_n, std = sqrt(1/N sum_n (x_n - mean)**2); transform: (x - mean) / std.
    """

    mean_: ndarray
    std_: ndarray

    @guarded(x=array("N D", nonempty=True))
    def fit(self, x: ndarray) -> Self:
        """Learn mean_ and std_ from x (N, D), forgetting what was learned before; return self."""
        self.mean_ = x.mean(axis=0)
        self.std_ = np.where(x.max(axis=0) == x.min(axis=0), 1.0, x.std(axis=0))
        return self

    @guarded(x=array("N D"), also=_is_fitted)
    def transform(self, x: ndarray) -> ndarray:
        """Return x (N, D) normalised with the fitted mean_ and std_; x's own statistics play no part."""
        return (x - self.mean_) / self.std_


@guarded(w=array("D"), sigma=_deviation)
def noise_penalty(w: ndarray, sigma: float) -> float:
    """What normal noise on the inputs adds, in expectation, to mean_i ½ (x_i . w - y_i)**2.

    Args:
        w: (D,) weights of a linear model.
        sigma: standard DEVIATION of the noise, at least 0.

    Returns:
        A number, at least 0; depends on w and sigma only.

    Derivation:
        ½ E ((x + sigma e) . w - y)**2, e ~ N(0, I)
        = ½ (x . w - y)**2 + sigma (x . w - y) E[e . w] + ½ sigma**2 E[(e . w)**2]
        E[e . w] = 0, E[(e . w)**2] = |w|**2
        penalty = ½ sigma**2 |w|**2

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """
    return 0.5 * sigma**2 * (w @ w)


@guarded(w=array("D"), X=array("N D", nonempty=True), y=array("N"), sigma=_deviation)
def noise_ridge_loss(w: ndarray, X: ndarray, y: ndarray, sigma: float) -> float:
    """Expected squared error of a linear model whose inputs carry normal noise, in closed form.

    Args:
        w: (D,) weights, no bias.
        X: (N, D) inputs without noise.
        y: (N,) targets.
        sigma: standard deviation of the noise, at least 0.

    Returns:
        The expectation of the MEAN over examples of ½ (prediction - target)**2.

    Formula:
        mean_i ½ (x_i . w - y_i)**2 + ½ sigma**2 |w|**2: the penalty is not divided by N.

    Source: Bishop 1995.
    """
    return 0.5 * ((X @ w - y) ** 2).mean() + noise_penalty(w, sigma)


@guarded(w=array("D"), X=array("N D", nonempty=True), y=array("N"), sigma=_deviation)
def noise_ridge_loss_grad(w: ndarray, X: ndarray, y: ndarray, sigma: float) -> ndarray:
    """Gradient of noise_ridge_loss in w.

    Args:
        w: (D,) weights.
        X: (N, D) inputs without noise.
        y: (N,) targets.
        sigma: standard deviation of the noise.

    Returns:
        (D,).

    Derivation:
        dL/dw = 1/N X' (X w - y) + sigma**2 w
    """
    return X.T @ (X @ w - y) / len(X) + sigma**2 * w


def noise_ridge_loss_in_torch(w: Any, X: Any, y: Any, sigma: float) -> Any:
    """noise_ridge_loss in PyTorch's tensor operations.

    Args:
        w: (D,) float64 tensor; the result can be differentiated in it, in X and in y.
        X: (N, D) float64 tensor of inputs without noise.
        y: (N,) float64 tensor of targets.
        sigma: standard deviation of the noise, at least 0.

    Returns:
        Tensor of shape ().

    Formula:
        mean_i ½ (x_i . w - y_i)**2 + ½ sigma**2 |w|**2
    """
    return 0.5 * ((X @ w - y) ** 2).mean() + 0.5 * sigma**2 * (w @ w)
