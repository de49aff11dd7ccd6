"""Batch and layer norm by torch.nn.functional and autograd; images by nn.BatchNorm2d; folding by torch.nn.utils.fusion."""
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_linear_bn_weights


def normalize_backward(dx_hat: np.ndarray, x_hat: np.ndarray, std: np.ndarray, eps: float = 0.0) -> np.ndarray:
    """Autograd through (x - mean) / sqrt(var + eps) at an x that has these x_hat and std."""
    x = torch.tensor(x_hat * std + 3.0, requires_grad=True)
    y = (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, correction=0, keepdim=True) + eps)
    y.backward(torch.tensor(dx_hat))
    return x.grad.numpy()


def batch_norm(x, gamma, beta, running_mean, running_var, *, training: bool, momentum: float = 0.1, eps: float = 1e-5) -> tuple[np.ndarray, ...]:
    mean, var = torch.tensor(running_mean), torch.tensor(running_var)
    y = functional.batch_norm(torch.tensor(x), mean, var, torch.tensor(gamma), torch.tensor(beta), training, momentum, eps)
    return y.numpy(), mean.numpy(), var.numpy()


def batch_norm_backward(dy: np.ndarray, x: np.ndarray, gamma: np.ndarray, eps: float = 1e-5) -> tuple[np.ndarray, ...]:
    x, gamma, beta = (torch.tensor(a, requires_grad=True) for a in (x, gamma, np.zeros_like(gamma)))
    functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps).backward(torch.tensor(dy))
    return x.grad.numpy(), gamma.grad.numpy(), beta.grad.numpy()


def layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    return functional.layer_norm(torch.tensor(x), gamma.shape, torch.tensor(gamma), torch.tensor(beta), eps).numpy()


def layer_norm_backward(dy: np.ndarray, x: np.ndarray, gamma: np.ndarray, eps: float = 1e-5) -> tuple[np.ndarray, ...]:
    x, gamma, beta = (torch.tensor(a, requires_grad=True) for a in (x, gamma, np.zeros_like(gamma)))
    functional.layer_norm(x, gamma.shape, gamma, beta, eps).backward(torch.tensor(dy))
    return x.grad.numpy(), gamma.grad.numpy(), beta.grad.numpy()


def batch_norm_images(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    layer = nn.BatchNorm2d(len(gamma), eps=eps, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(gamma))
        layer.bias.copy_(torch.tensor(beta))
        return layer(torch.tensor(x)).numpy()


def fold_batch_norm(W, b, gamma, beta, running_mean, running_var, eps: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """torch's weights are (out, in)."""
    weight, bias = fuse_linear_bn_weights(*(torch.tensor(a) for a in (W.T, b, running_mean, running_var)), eps, torch.tensor(gamma), torch.tensor(beta))
    return weight.detach().numpy().T, bias.detach().numpy()
