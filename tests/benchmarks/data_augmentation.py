"""data_augmentation against PyTorch eager, one thread: D = 100 features, or pictures of 8 x 8. its noise draws float64.

PyTorch's turn is grid_sample, one pass with all four neighbours of a pixel; NumPy gathers and weighs them in four passes (3 to 5 times the time,
a tenth of SciPy's).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import data_augmentation as lib

D = 100


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, w = rng.normal(size=(max(n // D, 1), D)), rng.normal(size=D)
    y, sigma, theta = rng.normal(size=len(x)), 0.3, 0.4
    points, images = rng.normal(size=(max(n // 2, 1), 2)), rng.random(size=(max(n // 64, 1), 8, 8))
    tx, tw, ty, tpoints, timages = (torch.tensor(v) for v in (x, w, y, points, images))
    matrix = torch.tensor(lib.rotation_matrix(theta))
    affine = torch.cat([matrix, torch.zeros(2, 1, dtype=torch.float64)], dim=1)[None]
    leaf = torch.tensor(w, requires_grad=True)
    normalizer = lib.Normalizer().fit(x)
    mean, std = torch.tensor(normalizer.mean_), torch.tensor(normalizer.std_)

    def torch_rotate() -> torch.Tensor:
        grid = functional.affine_grid(affine, (1, 1, 8, 8), align_corners=True)  # one grid, the pictures are its channels
        return functional.grid_sample(timages[None], grid, align_corners=True)

    def torch_loss(v: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((tx @ v - ty) ** 2).mean() + 0.5 * sigma**2 * (v @ v)

    def torch_loss_and_grad() -> None:
        leaf.grad = None
        torch_loss(leaf).backward()

    return {
        "rotate_points": (lambda: lib.rotate_points(points, theta), lambda: tpoints @ matrix.T),
        "translate_points": (lambda: lib.translate_points(x, w), lambda: tx + tw),
        "scale_points": (lambda: lib.scale_points(x, w), lambda: tx * tw),
        "rotate_images": (lambda: lib.rotate_images(images, theta), torch_rotate),
        "translate_images": (
            lambda: lib.translate_images(images, 1, -2),
            lambda: functional.pad(timages, (-2, 2, 1, -1)),
        ),
        "add_gaussian_noise": (
            lambda: lib.add_gaussian_noise(x, sigma, rng=rng),
            lambda: tx + sigma * torch.randn_like(tx),
        ),
        "Normalizer.fit": (lambda: lib.Normalizer().fit(x), lambda: torch.std_mean(tx, dim=0, correction=0)),
        "Normalizer.transform": (
            lambda: normalizer.transform(x),
            lambda: (tx - mean) / std,
        ),
        "noise_ridge_loss": (lambda: lib.noise_ridge_loss(w, x, y, sigma), lambda: torch_loss(tw)),
        "noise_ridge_loss + grad": (
            lambda: (lib.noise_ridge_loss(w, x, y, sigma), lib.noise_ridge_loss_grad(w, x, y, sigma)),
            torch_loss_and_grad,
        ),
    }
