"""batch_and_layer_norm against PyTorch eager, one thread: D = 256 features, maps of 16 channels and 8 x 8 pixels.

Training writes the running statistics in PyTorch too; a backward is compared with forward and backward, because PyTorch needs both.

At the largest size the norms take 2 to 3 times PyTorch's time, on a busy processor more: NumPy passes over memory once for each of mean,
difference, square, scale and shift, where PyTorch has one fused kernel. The backwards share normalize_backward, the derivation that the
notebook is about, and hold two more arrays of x's size than they would written out in place.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import batch_and_layer_norm as lib

D, CHANNELS, SIDE = 256, 16, 8


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    x, dy = rng.normal(2.0, 3.0, size=(max(n // D, 2), D)), rng.normal(size=(max(n // D, 2), D))
    images = rng.normal(size=(max(n // (CHANNELS * SIDE**2), 2), CHANNELS, SIDE, SIDE))
    gamma, beta, mean, var = (
        rng.uniform(0.5, 2, size=D),
        rng.normal(size=D),
        rng.normal(size=D),
        rng.uniform(0.5, 2, size=D),
    )
    W = rng.normal(size=(max(n // D, 2), D))
    tx, tdy, timages, tgamma, tbeta, tmean, tvar, tW = map(torch.tensor, (x, dy, images, gamma, beta, mean, var, W))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    x_hat, std = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    tx_hat, tstd = torch.tensor(x_hat), torch.tensor(std)

    def torch_backward(forward: Callable) -> Callable:
        def run() -> None:
            for leaf in leaves:
                leaf.grad = None
            forward(*leaves).backward(tdy)

        return run

    def layer_norm_and_backward() -> None:
        lib.layer_norm(x, gamma, beta)
        lib.layer_norm_backward(dy, x, gamma)

    def batch_norm_and_backward() -> None:
        lib.batch_norm(x, gamma, beta, mean, var, training=True)
        lib.batch_norm_backward(dy, x, gamma)

    def torch_fold() -> tuple[torch.Tensor, torch.Tensor]:
        scale = tgamma / torch.sqrt(tvar + 1e-5)
        return tW * scale, (tbeta - tmean) * scale + tbeta

    return {
        "normalize_backward": (
            lambda: lib.normalize_backward(dy, x_hat, std),
            lambda: (tdy - tdy.mean(1, keepdim=True) - tx_hat * (tdy * tx_hat).mean(1, keepdim=True)) / tstd,
        ),
        "batch_norm, training": (
            lambda: lib.batch_norm(x, gamma, beta, mean, var, training=True),
            lambda: functional.batch_norm(tx, tmean, tvar, tgamma, tbeta, True),
        ),
        "batch_norm, evaluation": (
            lambda: lib.batch_norm(x, gamma, beta, mean, var, training=False),
            lambda: functional.batch_norm(tx, tmean, tvar, tgamma, tbeta, False),
        ),
        "batch_norm + backward": (
            batch_norm_and_backward,
            torch_backward(lambda a, g, b: functional.batch_norm(a, tmean, tvar, g, b, True)),
        ),
        "layer_norm": (lambda: lib.layer_norm(x, gamma, beta), lambda: functional.layer_norm(tx, (D,), tgamma, tbeta)),
        "layer_norm + backward": (
            layer_norm_and_backward,
            torch_backward(lambda a, g, b: functional.layer_norm(a, (D,), g, b)),
        ),
        "batch_norm_images": (
            lambda: lib.batch_norm_images(images, gamma[:CHANNELS], beta[:CHANNELS]),
            lambda: functional.batch_norm(timages, None, None, tgamma[:CHANNELS], tbeta[:CHANNELS], True),
        ),
        "fold_batch_norm": (lambda: lib.fold_batch_norm(W, beta, gamma, beta, mean, var), torch_fold),
    }
