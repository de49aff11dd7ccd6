"""Residual connections: blocks that add a branch to their input, and what that does to the gradient.

The branch is F(x) = relu(x @ W1 + b1) @ W2 + b2. Shapes: x is (N, D), W1 (D, H), b1 (H,), W2 (H, D), b2 (D,).
"""

from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.guards import array, guarded


def _square_matrices(function: str, branch_jacobians: ndarray) -> None:
    if branch_jacobians.shape[1] != branch_jacobians.shape[2]:
        raise ValueError(f"{function}: branch_jacobians must hold square matrices, got shape {branch_jacobians.shape}.")


@guarded(dy=array("D"), branch_jacobian=array("D D"))
def residual_gradient(dy: ndarray, branch_jacobian: ndarray) -> ndarray:
    """Gradient in the input of a residual block a' = a + F(a), for one example.

    Args:
        dy: (D,) dL/da'.
        branch_jacobian: (D, D), entry [i, j] = dF_i/da_j: rows are outputs.

    Returns:
        (D,) dL/da.

    Derivation:
        da'_i/da_j = [i = j] + J_ij
        dL/da_j = sum_i dL/da'_i ([i = j] + J_ij) = dy_j + sum_i J_ij dy_i
        dL/da = (I + J') dL/da', a sum of two paths; for J = -I it is 0

    Source: He et al. 2016, "Identity mappings in deep residual networks", eq. 5 (the slides leave the transpose out).
    """
    return dy + branch_jacobian.T @ dy


@guarded(x=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H D"), b2=array("D"))
def residual_block(x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> ndarray:
    """The residual block whose skip stays clean: nothing stands after the addition.

    Args:
        x: (N, D), entries of any sign.
        W1, b1: (D, H), (H,) first layer of the branch, with ReLU.
        W2, b2: (H, D), (D,) second layer of the branch, linear.

    Returns:
        (N, D).

    Formula:
        x + relu(x @ W1 + b1) @ W2 + b2.

    Source: He et al. 2016, eq. 3, without its normalisation.
    """
    return x + np.maximum(x @ W1 + b1, 0.0) @ W2 + b2


@guarded(x=array("N D"), dy=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H D"), b2=array("D"))
def residual_block_backward(dy: ndarray, x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> tuple[ndarray, ...]:
    """Gradients of residual_block.

    Args:
        dy: (N, D) dLoss/dy.
        x, W1, b1, W2, b2: those of the forward. ReLU'(0) = 0.

    Returns:
        dx (N, D), dW1 (D, H), db1 (H,), dW2 (H, D), db2 (D,); summed over the batch.

    Derivation:
        h = relu(x @ W1 + b1), y = x + h @ W2 + b2
        dW2 = h.T @ dy, db2 = sum_n dy
        dz = (dy @ W2.T) * [h > 0]
        dW1 = x.T @ dz, db1 = sum_n dz
        dx = dy + dz @ W1.T, the skip and the branch

    Source: He et al. 2016, eq. 4.
    """
    h = np.maximum(x @ W1 + b1, 0.0)  # (N, H)
    dz = (dy @ W2.T) * (h > 0)
    return dy + dz @ W1.T, x.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum(axis=0)


@guarded(x=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H D"), b2=array("D"))
def post_activation_block(x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> ndarray:
    """The first form of the residual block: a ReLU stands after the addition, on the skip too.

    Args:
        x: (N, D), entries of any sign.
        W1, b1, W2, b2: (D, H), (H,), (H, D), (D,) the branch, as in residual_block.

    Returns:
        (N, D), no entry below 0.

    Formula:
        relu(x + F(x)). Not x + relu(F(x)).

    Source: He et al. 2015, "Deep residual learning", figure 2; the first of the slides' two forms.
    """
    return np.maximum(residual_block(x, W1, b1, W2, b2), 0.0)


@guarded(x=array("N D"), dy=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H D"), b2=array("D"))
def post_activation_block_backward(dy: ndarray, x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> tuple[ndarray, ...]:
    """Gradients of post_activation_block.

    Args:
        dy: (N, D) dLoss/dy.
        x, W1, b1, W2, b2: those of the forward. ReLU'(0) = 0, for both.

    Returns:
        dx (N, D), dW1 (D, H), db1 (H,), dW2 (H, D), db2 (D,); summed over the batch.

    Derivation:
        y = relu(s), s = x + F(x)
        dL/ds = dy * [s > 0], which then goes back through the block without the last ReLU
    """
    ds = dy * (residual_block(x, W1, b1, W2, b2) > 0)
    return residual_block_backward(ds, x, W1, b1, W2, b2)


@guarded(x=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H M"), b2=array("M"), W_skip=array("D M"))
def projection_block(x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, W_skip: ndarray) -> ndarray:
    """A residual block that changes the width: the skip is a linear map without a bias.

    Args:
        x: (N, D).
        W1, b1, W2, b2: (D, H), (H,), (H, M), (M,) the branch.
        W_skip: (D, M).

    Returns:
        (N, M).

    Formula:
        x @ W_skip + relu(x @ W1 + b1) @ W2 + b2.

    Source: He et al. 2015, eq. 2.
    """
    return x @ W_skip + np.maximum(x @ W1 + b1, 0.0) @ W2 + b2


@guarded(x=array("N D"), W1=array("D H"), b1=array("H"), W2=array("H M"), b2=array("M"), W_skip=array("D M"), dy=array("N M"))
def projection_block_backward(
    dy: ndarray, x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, W_skip: ndarray
) -> tuple[ndarray, ...]:
    """Gradients of projection_block.

    Args:
        dy: (N, M) dLoss/dy.
        x, W1, b1, W2, b2, W_skip: those of the forward. ReLU'(0) = 0.

    Returns:
        dx (N, D), dW1 (D, H), db1 (H,), dW2 (H, M), db2 (M,), dW_skip (D, M); summed over the batch.

    Derivation:
        the branch as in residual_block_backward: dz = (dy @ W2.T) * [h > 0]
        dW_skip = x.T @ dy
        dx = dy @ W_skip.T + dz @ W1.T
    """
    h = np.maximum(x @ W1 + b1, 0.0)  # (N, H)
    dz = (dy @ W2.T) * (h > 0)
    return dy @ W_skip.T + dz @ W1.T, x.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum(axis=0), x.T @ dy


@guarded(branch_jacobians=array("L D K"), also=_square_matrices)
def residual_stack_jacobian(branch_jacobians: ndarray) -> ndarray:
    """Jacobian of a stack of residual blocks from the Jacobians of their branches.

    Args:
        branch_jacobians: (L, D, D), first layer first, entry [k, i, j] = dF_i/da_j of block k at its own input.

    Returns:
        (D, D), entry [i, j] = dout_i/din_j; the identity for L = 0. The order of the factors matters.

    Formula:
        (I + J_L) ... (I + J_2) (I + J_1): the last layer stands leftmost.

    Source: Veit et al. 2016, eq. 6: multiplied out, a sum over 2**L paths.
    """
    total = np.eye(branch_jacobians.shape[1])
    for jacobian in branch_jacobians:
        total = total + jacobian @ total
    return total


def residual_stack_in_torch(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """A stack of L residual blocks in PyTorch's tensor operations; every branch, its last bias included, is multiplied by 1/sqrt(L).

    Nothing else is scaled, and nothing stands after an addition.

    Args:
        x: (N, D) float64 tensor; the result can be differentiated in it and in the four others.
        W1, b1: (L, D, H), (L, H) first layers of the branches, with ReLU; index k belongs to block k, and block 0 comes first.
        W2, b2: (L, H, D), (L, D) second layers, linear.

    Returns:
        (N, D) tensor: the output of the last block.

    Formula:
        x_{k+1} = x_k + (relu(x_k @ W1_k + b1_k) @ W2_k + b2_k) / sqrt(L)

    Source: Zhang et al. 2019, "Fixup initialization", section 2, on why a stack of unscaled branches grows.
    """
    import torch

    for k in range(len(W1)):
        x = x + (torch.relu(x @ W1[k] + b1[k]) @ W2[k] + b2[k]) / len(W1) ** 0.5
    return x
