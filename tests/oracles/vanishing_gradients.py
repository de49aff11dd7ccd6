"""Deep dense nets by torch.nn and autograd; initial deviations by torch.nn.init's own gains."""

import math

import numpy as np
import torch

ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}


def _net(weights: list[np.ndarray], biases: list[np.ndarray], activation: str) -> torch.nn.Sequential:
    layers = []
    for W, b in zip(weights, biases, strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(W).T, torch.tensor(b)
        layers += [linear, ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers[:-1])


def mlp_forward(x: np.ndarray, weights: list[np.ndarray], biases: list[np.ndarray], activation: str) -> np.ndarray:
    return _net(weights, biases, activation)(torch.tensor(x)).detach().numpy()


def mlp_backward(
    dy: np.ndarray, x: np.ndarray, weights: list[np.ndarray], biases: list[np.ndarray], activation: str
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    net, x = _net(weights, biases, activation), torch.tensor(x, requires_grad=True)
    net(x).backward(torch.tensor(dy))
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    return x.grad.numpy(), [layer.weight.grad.T.numpy() for layer in linear], [layer.bias.grad.numpy() for layer in linear]


def delta_recursion(delta_next: np.ndarray, W_next: np.ndarray, z: np.ndarray, activation: str) -> np.ndarray:
    """From the pre-activation z instead of the slope."""
    z = torch.tensor(z, requires_grad=True)
    (ACTIVATIONS[activation]()(z) @ torch.tensor(W_next)).backward(torch.tensor(delta_next))
    return z.grad.numpy()


def init_std(fan_in: int, fan_out: int, scheme: str) -> float:
    """The deviation torch.nn.init.kaiming_normal_ (mode fan_in) and xavier_normal_ use, from torch's gains."""
    gain = {"lecun": torch.nn.init.calculate_gain("linear"), "he": torch.nn.init.calculate_gain("relu"), "xavier": 1.0}[scheme]
    return gain / math.sqrt((fan_in + fan_out) / 2 if scheme == "xavier" else fan_in)


def depth_to_vanish(factor: float, ratio: float) -> int:
    """By multiplying."""
    norm, n = 1.0, 0
    while norm > ratio:
        norm, n = norm * math.sqrt(factor), n + 1
    return n
