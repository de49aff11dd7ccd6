"""Attention by torch.nn.functional.scaled_dot_product_attention, nn.MultiheadAttention and autograd; positions as powers of a complex wave."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional


def softmax_backward(dprobs: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Autograd through softmax at energies that give these probabilities, all above 0."""
    energies = torch.log(torch.tensor(probs)).requires_grad_()
    torch.softmax(energies, -1).backward(torch.tensor(dprobs))
    return energies.grad.numpy()


def attention_weights(energies: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """softmax over -inf, whose NaN rows (no key left) become 0."""
    e = torch.tensor(energies)
    return torch.softmax(e if mask is None else e.masked_fill(~torch.tensor(mask), -torch.inf), -1).nan_to_num(0.0).numpy()


def additive_energies(s: np.ndarray, h: np.ndarray, W: np.ndarray, U: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Pair by pair, the two weights as one linear layer on the joined vectors."""
    s, h, W, U, v = map(torch.tensor, (s, h, W, U, v))
    pairs = torch.cat([s[:, :, None].expand(-1, -1, h.shape[1], -1), h[:, None].expand(-1, s.shape[1], -1, -1)], -1)
    return functional.linear(torch.tanh(functional.linear(pairs, torch.cat([W, U]).T)), v[None])[..., 0].numpy()


def context_vectors(weights: np.ndarray, h: np.ndarray) -> np.ndarray:
    return torch.bmm(torch.tensor(weights), torch.tensor(h)).numpy()


def scaled_dot_product_attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, mask: np.ndarray | None = None, dy: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """y, or y and dQ, dK, dV where dy is given."""
    inputs = [torch.tensor(a, requires_grad=dy is not None) for a in (Q, K, V)]
    y = functional.scaled_dot_product_attention(*inputs, attn_mask=None if mask is None else torch.tensor(np.atleast_2d(mask)))  # 1-D masks fail on 4-D inputs
    if dy is None:
        return (y.numpy(),)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), *(a.grad.numpy() for a in inputs)


def multi_head_attention(x, W_q, W_k, W_v, W_o, n_heads: int, mask: np.ndarray | None = None) -> np.ndarray:
    """nn.MultiheadAttention: weights (out, in), its mask is True where a pair is FORBIDDEN, one (T, T) per example and head."""
    layer = nn.MultiheadAttention(x.shape[-1], n_heads, bias=False, batch_first=True, dtype=torch.float64)
    if mask is not None:
        mask = ~torch.tensor(mask if mask.ndim == 2 else np.repeat(mask, n_heads, axis=0))
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.tensor(np.concatenate([W_q.T, W_k.T, W_v.T])))
        layer.out_proj.weight.copy_(torch.tensor(W_o.T))
        x = torch.tensor(x)
        return layer(x, x, x, attn_mask=mask, need_weights=False)[0].numpy()


def positional_encoding(n: int, d: int) -> np.ndarray:
    """exp(i t w): the real part is the cosine, the imaginary part the sine."""
    wavelengths = torch.logspace(0, 4 * (d - 2) / d, d // 2, dtype=torch.float64)
    waves = torch.exp(1j * torch.arange(n, dtype=torch.float64)[:, None] / wavelengths)
    return torch.view_as_real(waves).flip(-1).reshape(n, d).numpy()
