"""spectral_normalization against PyTorch eager, one thread: square matrices; distances of points with 8 coordinates.

Both libraries spend their time in LAPACK's SVD, or in products. A backward is compared with forward and backward, because PyTorch needs both.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.utils.parametrizations import spectral_norm

from class4lib import spectral_normalization as lib

LARGEST = 256  # an SVD takes the third power of this
POINTS = 512


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    size = min(max(int(n**0.5), 2), LARGEST)
    W, dy, u = rng.normal(size=(size, size)), rng.normal(size=(size, size)), rng.normal(size=size)
    x = rng.normal(size=(min(max(n // 8, 2), POINTS), 8))
    tW, tdy, tx = map(torch.tensor, (W, dy, x))
    leaf = torch.tensor(W, requires_grad=True)
    layer = torch.nn.Linear(size, size, bias=False, dtype=torch.float64)
    spectral_norm(layer, n_power_iterations=10)

    def torch_norm_and_grad() -> None:
        leaf.grad = None
        torch.linalg.matrix_norm(leaf, 2).backward()

    def torch_normalize_and_grad() -> None:
        leaf.grad = None
        (leaf / torch.linalg.matrix_norm(leaf, 2)).backward(tdy)

    def torch_quotient() -> torch.Tensor:
        return (torch.pdist(torch.tanh(tx)) / torch.pdist(tx)).max()

    return {
        "spectral_norm_svd": (lambda: lib.spectral_norm_svd(W), lambda: torch.linalg.matrix_norm(tW, 2)),
        "spectral_norm_grad": (lambda: lib.spectral_norm_grad(W), torch_norm_and_grad),
        "power_iteration, 10 steps": (lambda: lib.power_iteration(W, 10, u=u), lambda: layer.weight),
        "spectral_normalize": (lambda: lib.spectral_normalize(W), lambda: tW / torch.linalg.matrix_norm(tW, 2)),
        "spectral_normalize_backward": (lambda: lib.spectral_normalize_backward(dy, W), torch_normalize_and_grad),
        "lipschitz_upper_bound": (
            lambda: lib.lipschitz_upper_bound([W, dy]),
            lambda: torch.linalg.matrix_norm(tW, 2) * torch.linalg.matrix_norm(tdy, 2),
        ),
        "residual_lipschitz_bound": (
            lambda: lib.residual_lipschitz_bound(W, dy),
            lambda: 1 + torch.linalg.matrix_norm(tW, 2) * torch.linalg.matrix_norm(tdy, 2),
        ),
        "empirical_lipschitz": (lambda: lib.empirical_lipschitz(np.tanh, x), torch_quotient),
    }
