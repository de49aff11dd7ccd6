"""Spectral norm by torch.linalg and autograd, power iteration by torch.nn.utils.parametrizations, all pairs by pdist."""
import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def spectral_norm_svd(W: np.ndarray) -> float:
    """Root of the largest eigenvalue of the smaller Gram matrix: no SVD."""
    w = torch.tensor(W if W.shape[0] <= W.shape[1] else W.T)
    return float(torch.linalg.eigvalsh(w @ w.T)[-1].clamp(min=0).sqrt())


def spectral_norm_grad(W: np.ndarray) -> np.ndarray:
    w = torch.tensor(W, requires_grad=True)
    torch.linalg.matrix_norm(w, 2).backward()
    return w.grad.numpy()


def _normalised_layer(W: np.ndarray, n_steps: int, u: np.ndarray) -> tuple[nn.Module, nn.Module]:
    layer = nn.Linear(*W.shape, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W.T))
    spectral_norm(layer, n_power_iterations=n_steps)
    state = layer.parametrizations.weight[0]
    state._v.copy_(torch.tensor(u / np.linalg.norm(u)))
    return layer, state


def power_iteration(W: np.ndarray, n_steps: int, u: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """torch's parametrization of the transpose: its weight is (out, in), and it updates the vector of the rows first."""
    layer, state = _normalised_layer(W, n_steps, u)
    layer(torch.zeros(1, W.shape[0], dtype=torch.float64))  # one pass in training mode is n_steps iterations
    return float(torch.vdot(state._u, torch.tensor(W.T) @ state._v)), state._v.numpy(), state._u.numpy()


def spectral_normalize(W: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W / sigma and its gradient."""
    w = torch.tensor(W, requires_grad=True)
    y = w / torch.linalg.svdvals(w)[0]
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), w.grad.numpy()


def lipschitz_upper_bound(weights: list[np.ndarray]) -> float:
    return float(torch.stack([torch.linalg.matrix_norm(torch.tensor(W), 2) for W in weights]).log().sum().exp())


def relu_net(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    layers = [layer for W in weights for layer in (nn.Linear(*W.shape, bias=False, dtype=torch.float64), nn.ReLU())][:-1]
    with torch.no_grad():
        for layer, W in zip(layers[::2], weights, strict=True):
            layer.weight.copy_(torch.tensor(W.T))
        return nn.Sequential(*layers)(torch.tensor(x)).numpy()


def largest_jacobian_norm(weights: list[np.ndarray], x: np.ndarray) -> float:
    """Largest spectral norm of the net's Jacobian at the rows of x."""
    matrices = [torch.tensor(W) for W in weights]

    def net(row: torch.Tensor) -> torch.Tensor:
        for W in matrices[:-1]:
            row = torch.relu(row @ W)
        return row @ matrices[-1]

    jacobians = torch.func.vmap(torch.func.jacrev(net))(torch.tensor(x))
    return float(torch.linalg.matrix_norm(jacobians, 2).max())


def empirical_lipschitz(x: np.ndarray, y: np.ndarray) -> float:
    """Over pairs of different rows of x with images y."""
    distances = torch.pdist(torch.tensor(x))
    return float((torch.pdist(torch.tensor(y)) / distances)[distances > 0].max())


def spectral_linear(x: np.ndarray, W: np.ndarray, u: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, dx, dW of torch's layer in training mode, one power step from u."""
    layer, _ = _normalised_layer(W, 1, u)
    leaf = torch.tensor(x, requires_grad=True)
    y = layer(leaf)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), leaf.grad.numpy(), layer.parametrizations.weight.original.grad.numpy().T
