"""Dropout of structures: whole feature maps (spatial dropout) and single weights (DropConnect).

Everywhere p is the probability to DROP, 0 <= p < 1; masks hold 0 or 1/(1-p), are drawn for each example separately, and are returned.
Relatives that are not exercises: DropBlock drops squares of pixels (Ghiasi et al. 2018), stochastic depth whole layers (Huang et al. 2016).
"""
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.dropout import draws_need_rng, drop_probability
from class4lib.guards import array, generator, guarded


@guarded(x=array("N D"), W=array("D M"), p=drop_probability)
def dropconnect_variance(x: ndarray, W: ndarray, p: float) -> ndarray:
    """Variance of the pre-activation of a layer whose weights are dropped.

    Args:
        x: (N, D) inputs, not random.
        W: (D, M) weights; each is dropped independently with probability p and rescaled when kept.
        p: probability to DROP a weight.

    Returns:
        (N, M). The bias is never dropped and adds nothing.

    Derivation:
        z_nm = sum_d m_ndm x_nd W_dm + b_m, the m independent
        Var[m] = p / (1 - p)
        Var[z_nm] = p / (1 - p) sum_d x_nd**2 W_dm**2

    Source: Wan et al. 2013, section 3.2 (there p keeps and nothing is rescaled: p (1 - p) in place of p / (1 - p)).
    """
    return p / (1.0 - p) * (x**2 @ W**2)


@guarded(x=array("N D"), W=array("D M"), b=array("M"), p=drop_probability)
def dropconnect_mean(x: ndarray, W: ndarray, b: ndarray, p: float) -> ndarray:
    """Expectation of the pre-activation of a layer whose weights are dropped and rescaled.

    Args:
        x: (N, D) inputs, not random.
        W: (D, M) weights.
        b: (M,) biases, never dropped.
        p: probability to DROP a weight.

    Returns:
        (N, M).

    Derivation:
        E[m] = (1 - p) / (1 - p) = 1
        E[z_nm] = sum_d x_nd W_dm + b_m

    Source: Wan et al. 2013, section 3.2 (there the mean is p x W: nothing is rescaled in training).
    """
    return x @ W + b


@guarded(x=array("N C H W"), p=drop_probability, rng=generator(optional=True), also=draws_need_rng)
def spatial_dropout(x: ndarray, p: float, *, training: bool, rng: Generator | None = None) -> tuple[ndarray, ndarray]:
    """Inverted dropout of whole feature maps: all pixels of a channel of an example live or die together.

    Args:
        x: (N, C, H, W) feature maps.
        p: probability to DROP a map. The same channel of two examples has two draws.
        training: False gives x unchanged.
        rng: the only source of randomness; needed when training with p above 0.

    Returns:
        y (N, C, H, W) and the mask (N, C, 1, 1), all ones when not training.

    Formula:
        m_nc = 0 with probability p, else 1 / (1 - p); y_nchw = m_nc x_nchw.

    Source: Tompson et al. 2015, section 3.2; torch.nn.Dropout2d does the same.
    """
    mask = np.ones_like(x[:, :, :1, :1])
    if training and p:
        keep = rng.random((*x.shape[:2], 1, 1)) >= p  # one draw a map
        mask = keep.astype(x.dtype) / (1.0 - p)
    return mask * x, mask


@guarded(dy=array("N C H W"), mask=array("N C 1 1"))
def spatial_dropout_backward(dy: ndarray, mask: ndarray) -> ndarray:
    """Gradient of spatial_dropout in x, with the mask of the forward.

    Args:
        dy: (N, C, H, W) dLoss/dy.
        mask: (N, C, 1, 1) as returned by spatial_dropout.

    Returns:
        dx (N, C, H, W).

    Derivation:
        y_nchw = m_nc x_nchw
        dL/dx_nchw = m_nc dL/dy_nchw
    """
    return mask * dy


@guarded(x=array("N D"), W=array("D M"), b=array("M"), p=drop_probability, rng=generator(optional=True), also=draws_need_rng)
def dropconnect(x: ndarray, W: ndarray, b: ndarray, p: float, *, training: bool, rng: Generator | None = None) -> tuple[ndarray, ndarray]:
    """An affine layer whose weights are dropped at random in training, separately for each example.

    Args:
        x: (N, D) inputs.
        W: (D, M) weights; each is dropped independently with probability p, and rescaled when kept.
        b: (M,) biases, never dropped.
        p: probability to DROP a weight.
        training: False gives the plain layer.
        rng: the only source of randomness; needed when training with p above 0.

    Returns:
        y (N, M) and the mask (N, D, M), one matrix for each example; all ones when not training.

    Formula:
        m_ndm = 0 with probability p, else 1 / (1 - p); y_n = x_n @ (m_n * W) + b.

    Source: Wan et al. 2013, section 3 (they drop the bias too, their p keeps, and they do not rescale in training).
    """
    mask = np.ones((*x.shape, W.shape[1]), dtype=x.dtype)  # (N, D, M)
    if training and p:
        keep = rng.random(mask.shape) >= p
        mask = keep.astype(x.dtype) / (1.0 - p)
    y = (x[:, None, :] @ (mask * W)).squeeze(1) + b  # (N, 1, D) @ (N, D, M): each example has a matrix of its own
    return y, mask


@guarded(dy=array("N M"), x=array("N D"), W=array("D M"), mask=array("N D M"))
def dropconnect_backward(dy: ndarray, x: ndarray, W: ndarray, mask: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Gradients of dropconnect, with the mask of the forward.

    Args:
        dy: (N, M) dLoss/dy.
        x: (N, D) inputs of the forward.
        W: (D, M) weights of the forward.
        mask: (N, D, M) as returned by dropconnect.

    Returns:
        dx (N, D), dW (D, M), db (M,): the last two summed over the batch.

    Derivation:
        y_nm = sum_d x_nd m_ndm W_dm + b_m
        dL/dx_nd = sum_m dy_nm m_ndm W_dm
        dL/dW_dm = sum_n x_nd m_ndm dy_nm
        dL/db_m = sum_n dy_nm
    """
    dx = ((mask * W) @ dy[:, :, None]).squeeze(2)  # (N, D, M) @ (N, M, 1)
    dW = np.einsum("nd,ndm,nm->dm", x, mask, dy)
    return dx, dW, dy.sum(axis=0)


def dropconnect_in_torch(x: Any, W: Any, b: Any, keep: Any, p: float) -> Any:
    """An affine layer with dropped weights in PyTorch's tensor operations, the draws given.

    Args:
        x: (N, D) float64 tensor.
        W: (D, M) float64 tensor; kept weights are rescaled.
        b: (M,) float64 tensor, never dropped.
        keep: (N, D, M) boolean tensor, one matrix for each example; True keeps a weight.
        p: the probability with which a weight was dropped, 0 <= p < 1.

    Returns:
        y (N, M), which can be differentiated in x, W and b.

    Formula:
        y_n = x_n @ (keep_n * W) / (1 - p) + b

    Source: Wan et al. 2013, section 3.
    """
    import torch

    thinned = keep * W / (1.0 - p)  # (N, D, M); keep / (1 - p) alone would be float32
    return torch.bmm(x[:, None, :], thinned).squeeze(1) + b
