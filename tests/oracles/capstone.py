"""The capstone's blocks by autograd and by nn.TransformerEncoderLayer."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional


def pre_norm_block(dy: np.ndarray, *arguments: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Output, and gradients of sum(dy * output) in x, gamma, beta, W1, b1, W2, b2."""
    *moved, mask = [torch.tensor(a, requires_grad=True) for a in arguments]
    x, gamma, beta, W1, b1, W2, b2 = moved
    h = functional.linear(functional.layer_norm(x, x.shape[-1:], gamma, beta), W1.T, b1)
    y = x + functional.linear(functional.relu(h) * mask, W2.T, b2)
    return y.detach().numpy(), [g.numpy() for g in torch.autograd.grad(y, moved, torch.tensor(dy))]


def transformer_block(x, norm1, W_q, W_k, W_v, W_o, n_heads, norm2, W1, b1, W2, b2, mask=None):
    d, hidden = W1.shape
    layer = nn.TransformerEncoderLayer(d, n_heads, hidden, dropout=0.0, batch_first=True, norm_first=True, dtype=torch.float64)
    attention = layer.self_attn
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.tensor(np.concatenate([W_q.T, W_k.T, W_v.T])))
        attention.in_proj_bias.zero_()
        attention.out_proj.weight.copy_(torch.tensor(W_o.T))
        attention.out_proj.bias.zero_()
        pairs = [(layer.norm1, *norm1), (layer.norm2, *norm2), (layer.linear1, W1.T, b1), (layer.linear2, W2.T, b2)]
        for module, weight, bias in pairs:
            module.weight.copy_(torch.tensor(weight))
            module.bias.copy_(torch.tensor(bias))
        blocked = None
        if mask is not None:  # PyTorch: True blocks, one matrix per example and head
            blocked = torch.tensor(~np.broadcast_to(mask, (len(x), *mask.shape[-2:]))).repeat_interleave(n_heads, dim=0)
        return layer(torch.tensor(x), src_mask=blocked).numpy()
