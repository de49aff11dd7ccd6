"""Augmentation in PyTorch: complex numbers for points, grid_sample for images, quadrature for noise."""
import itertools
import math

import numpy as np
import torch
from torch.nn import functional


def rotate_points(x: np.ndarray, theta: float) -> np.ndarray:
    """A point as a complex number, times exp(i theta)."""
    turned = torch.view_as_complex(torch.tensor(x)) * torch.exp(torch.tensor(1j * theta, dtype=torch.complex128))
    return torch.view_as_real(turned).numpy()


def rotation_matrix(theta: float) -> np.ndarray:
    """exp of the generator of rotations."""
    return torch.linalg.matrix_exp(theta * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)).numpy()


def rotate_images(images: np.ndarray, theta: float) -> np.ndarray:
    _, h, w = images.shape
    y, x = torch.meshgrid((h - 1) / 2 - torch.arange(h).double(), torch.arange(w).double() - (w - 1) / 2, indexing="ij")  # as seen
    source = torch.polar(torch.hypot(x, y), torch.atan2(y, x) - theta)
    grid = torch.stack([(2 * source.real) / w, (-2 * source.imag) / h], dim=-1)  # -1 and 1 are the outer edges of the outer pixels
    batch = torch.tensor(images)[None]  # images as channels of one example
    return functional.grid_sample(batch, grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0].numpy()


def translate_images(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return functional.pad(torch.tensor(images), (columns, -columns, rows, -rows)).numpy()


def normalize(fitted: np.ndarray, x: np.ndarray) -> np.ndarray:
    """No constant features."""
    deviation, mean = torch.std_mean(torch.tensor(fitted), dim=0, correction=0)
    return ((torch.tensor(x) - mean) / deviation).numpy()


def noise_ridge_loss(w: np.ndarray, X: np.ndarray, y: np.ndarray, sigma: float) -> tuple[float, np.ndarray]:
    """Loss and gradient in w: the two-point rule (noise -sigma or sigma, half each) is exact for a quadratic."""
    w, X, y = torch.tensor(w, requires_grad=True), torch.tensor(X), torch.tensor(y)
    loss = torch.zeros((), dtype=torch.float64)
    for signs in itertools.product([-1.0, 1.0], repeat=X.shape[1]):
        noisy = X + sigma * torch.tensor(signs, dtype=torch.float64)
        loss = loss + functional.mse_loss(noisy @ w, y) / 2 / math.pow(2, X.shape[1])
    loss.backward()
    return loss.item(), w.grad.numpy()
