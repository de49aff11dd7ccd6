"""The data of the course: sets that scikit-learn carries with it, and sets made by seed. Nothing is downloaded.

scikit-learn is imported when a function is called: class4lib itself needs NumPy only.
"""

from typing import NamedTuple

import numpy as np
from numpy import ndarray


class Split(NamedTuple):
    """A data set in two disjoint parts, rows are examples."""

    x_train: ndarray
    y_train: ndarray
    x_test: ndarray
    y_test: ndarray


def split(x: ndarray, y: ndarray, n_train: int, *, rng: np.random.Generator) -> Split:
    """n_train random rows for training, the others for the test.

    Raises:
        ValueError: n_train is not between 1 and len(x) - 1, or x and y differ in length.
    """
    if len(x) != len(y):
        raise ValueError(f"split: y must have {len(x)} rows, got {len(y)}: match the rows of x.")
    if not 1 <= n_train < len(x):
        raise ValueError(f"split: n_train must be at least 1 and at most {len(x) - 1}, got {n_train}.")
    order = rng.permutation(len(x))
    train, test = order[:n_train], order[n_train:]
    return Split(x[train], y[train], x[test], y[test])


def digits() -> tuple[ndarray, ndarray]:
    """1797 handwritten digits: pixels (1797, 64) in [0, 1], labels (1797,) in 0..9 (8 x 8 images, rows of 8)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16.0, y


def breast_cancer() -> tuple[ndarray, ndarray]:
    """569 tumours: 30 measurements, each with mean 0 and deviation 1 over the whole set; labels 1 benign, 0 malignant."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def diabetes() -> tuple[ndarray, ndarray]:
    """442 patients: 10 measurements, mean 0 and deviation 1 each; a measure of the disease's progression after a year (25 to 346)."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def photographs() -> ndarray:
    """scikit-learn's two sample photographs: (2, 427, 640, 3), values in [0, 1]."""
    from sklearn.datasets import load_sample_images

    return np.stack(load_sample_images().images) / 255.0


def noisy_labels(labels: ndarray, n_classes: int, share: float, *, rng: np.random.Generator) -> ndarray:
    """A copy in which a share of the labels, drawn at random, is replaced by a WRONG class, drawn at random.

    Raises:
        ValueError: share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"noisy_labels: share must be in [0, 1], got {share}.")
    wrong = np.flatnonzero(rng.random(len(labels)) < share)
    noisy = np.array(labels)
    noisy[wrong] = (labels[wrong] + rng.integers(1, n_classes, size=len(wrong))) % n_classes
    return noisy


def jittered(pictures: ndarray, radius: int, *, rng: np.random.Generator) -> ndarray:
    """Square pictures as rows (N, side * side), each moved by up to `radius` pixels down or up and right or left, at random; zeros move in."""
    side = round(pictures.shape[1] ** 0.5)
    if side**2 != pictures.shape[1]:
        raise ValueError(f"jittered: pictures must be square, got rows of {pictures.shape[1]}.")
    framed = np.pad(pictures.reshape(-1, side, side), ((0, 0), (radius, radius), (radius, radius)))
    row, column = rng.integers(2 * radius + 1, size=(2, len(pictures), 1, 1)) + np.arange(side)
    return framed[np.arange(len(pictures))[:, None, None], row.swapaxes(1, 2), column].reshape(pictures.shape)


class Mislabelled(NamedTuple):
    """Three disjoint parts of one data set. Labels of the first two are partly wrong, those of the test are right; y_right are the first part's."""

    x: ndarray
    y: ndarray
    x_val: ndarray
    y_val: ndarray
    x_test: ndarray
    y_test: ndarray
    y_right: ndarray


def mislabelled_digits(
    n_train: int, n_val: int, n_test: int, *, rng: np.random.Generator, share: float = 0.2
) -> Mislabelled:
    """Digits that no lookup recognises: pixels and classes renamed, every pixel with a gain of its own, some noise; labels partly wrong.

    Args:
        n_train, n_val, n_test: rows of the three parts, 1797 in all at most.
        rng: draws the rows, the order of pixels, the classes' names, gains between 1/2 and 2, the noise and the wrong labels.
        share: of wrong labels in training and validation.

    Returns:
        x in whole numbers, 0 to about 35, as float64; labels 0..9.
    """
    x, y = digits()
    rows = rng.permutation(len(x))[: n_train + n_val + n_test]
    gain = np.exp(rng.uniform(np.log(0.5), np.log(2.0), size=64))
    shown = 16 * x[rows] * gain + rng.normal(scale=0.5, size=(len(rows), 64))
    x, y = np.rint(shown[:, rng.permutation(64)]).clip(0) + 0.0, rng.permutation(10)[y[rows]]
    train, val, test = slice(n_train), slice(n_train, n_train + n_val), slice(n_train + n_val, None)
    noisy = (noisy_labels(y[part], 10, share, rng=rng) for part in (train, val))
    return Mislabelled(x[train], next(noisy), x[val], next(noisy), x[test], y[test], y[train])
