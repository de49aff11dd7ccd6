"""attention against PyTorch eager, one thread: 64 positions, D = 64 in 4 heads; n counts the numbers of one input.

A backward is compared with forward and backward, because PyTorch needs both. Masked weights take up to 2.5 times PyTorch's time (where, maximum,
exp and division are four passes over memory); the rest lies within a factor of 1.5, since both spend their time in matrix products and exp.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from class4lib import attention as lib

T, D, HEADS, HIDDEN = 64, 64, 4, 16


def rows(n: int, rng: np.random.Generator) -> dict[str, tuple[Callable, Callable]]:
    batch = max(n // (T * D), 1)
    Q, K, V, dy = rng.normal(size=(4, batch, T, D))
    weights = rng.normal(size=(4, D, D)) / D**0.5
    W, U, v = rng.normal(size=(D, HIDDEN)), rng.normal(size=(D, HIDDEN)), rng.normal(size=HIDDEN)
    energies, mask = Q @ K.swapaxes(1, 2) / D**0.5, lib.causal_mask(T)
    probs = lib.attention_weights(energies)
    tQ, tK, tV, tdy, te, tp, tm, tW, tU, tv = map(torch.tensor, (Q, K, V, dy, energies, probs, mask, W, U, v))
    leaves = [torch.tensor(a, requires_grad=True) for a in (Q, K, V)]
    layer = torch.nn.MultiheadAttention(D, HEADS, bias=False, batch_first=True, dtype=torch.float64)

    def torch_backward() -> None:
        for leaf in leaves:
            leaf.grad = None
        functional.scaled_dot_product_attention(*leaves, attn_mask=tm).backward(tdy)

    def attention_and_backward() -> None:
        lib.scaled_dot_product_attention(Q, K, V, mask)
        lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)

    def torch_heads() -> None:
        with torch.no_grad():
            layer(tQ, tQ, tQ, attn_mask=~tm, need_weights=False)

    return {
        "attention_weights, masked": (
            lambda: lib.attention_weights(energies, mask),
            lambda: torch.softmax(te.masked_fill(~tm, -torch.inf), -1),
        ),
        "additive_energies": (
            lambda: lib.additive_energies(Q, K, W, U, v),
            lambda: torch.tanh((tQ @ tW)[:, :, None] + (tK @ tU)[:, None]) @ tv,
        ),
        "context_vectors": (lambda: lib.context_vectors(probs, V), lambda: torch.bmm(tp, tV)),
        "softmax_backward": (
            lambda: lib.softmax_backward(energies, probs),
            lambda: torch._softmax_backward_data(te, tp, -1, torch.float64),
        ),
        "scaled_dot_product_attention": (
            lambda: lib.scaled_dot_product_attention(Q, K, V, mask),
            lambda: functional.scaled_dot_product_attention(tQ, tK, tV, attn_mask=tm),
        ),
        "scaled_dot_product_attention + backward": (attention_and_backward, torch_backward),
        "multi_head_attention": (lambda: lib.multi_head_attention(Q, *weights, HEADS, mask), torch_heads),
    }
