"""early_stopping against PyTorch eager, one thread: closed forms over D = 10 directions."""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import early_stopping as lib

D = 10


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    eigenvalues, w_star, n_steps = rng.uniform(0.01, 4.0, size=D), rng.normal(size=D), max(n // D, 1)
    te, tw, steps = torch.tensor(eigenvalues), torch.tensor(w_star), torch.arange(n_steps + 1)[:, None]

    def torch_risk() -> torch.Tensor:
        left = (1.0 - 0.2 * te) ** steps
        return (te * left**2 * tw**2).sum(1) + ((1.0 - left) ** 2).sum(1) * 2.0 / 50

    return {
        "gradient_descent_path": (
            lambda: lib.gradient_descent_path(eigenvalues, w_star, 0.2, n_steps),
            lambda: (1.0 - (1.0 - 0.2 * te) ** steps) * tw,
        ),
        "expected_excess_risk": (
            lambda: lib.expected_excess_risk(eigenvalues, w_star, 0.2, n_steps, 2.0, 50),
            torch_risk,
        ),
    }
