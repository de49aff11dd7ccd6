"""architecture_design against PyTorch eager, one thread: ridge with D = 10, a mixture of four operations on 10 columns."""

from collections.abc import Callable

import numpy as np
import torch

from class4lib import architecture_design as lib

D = 10


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    m = max(n // D, 1)
    X, y, X_val, y_val, alpha = rng.normal(size=(m, D)), rng.normal(size=m), rng.normal(size=(m, D)), rng.normal(size=m), rng.normal(size=4)
    tX, ty, tX_val, ty_val, ta = (torch.tensor(v) for v in (X, y, X_val, y_val, alpha))
    numpy_ops = [lambda x: x, np.tanh, lambda x: np.maximum(x, 0.0), np.abs]
    torch_ops = [lambda x: x, torch.tanh, torch.relu, torch.abs]

    def torch_hypergradient() -> torch.Tensor:
        s = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
        lib.validation_loss_in_torch(s, tX, ty, tX_val, ty_val).backward()
        return s.grad

    return {
        "hypergradient": (lambda: lib.hypergradient(-1.0, X, y, X_val, y_val), torch_hypergradient),
        "mixed_operation": (
            lambda: lib.mixed_operation(X, numpy_ops, alpha),
            lambda: sum(w * op(tX) for w, op in zip(torch.softmax(ta, 0), torch_ops, strict=True)),
        ),
    }
