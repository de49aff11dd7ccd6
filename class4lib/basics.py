"""The pieces every notebook may use: affine, ReLU, sigmoid, tanh, forward and backward.

Conventions of the course: x is (N, D) with rows as examples, y = x @ W + b; dy is dLoss/dy with y's shape; a backward takes dy and the
inputs of its forward and returns gradients in the order of the forward's arguments.
"""
import numpy as np
from numpy import ndarray

from class4lib.guards import array, guarded


@guarded(x=array("N D"), W=array("D M"), b=array("M"))
def affine(x: ndarray, W: ndarray, b: ndarray) -> ndarray:
    """y = x @ W + b.

    Args:
        x: (N, D) inputs, rows are examples.
        W: (D, M) weights.
        b: (M,) biases.

    Returns:
        (N, M).
    """
    return x @ W + b


@guarded(dy=array("N M"), x=array("N D"), W=array("D M"))
def affine_backward(dy: ndarray, x: ndarray, W: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Gradients of affine.

    Args:
        dy: (N, M) dLoss/dy.
        x: (N, D) inputs of the forward.
        W: (D, M) weights of the forward.

    Returns:
        dx (N, D), dW (D, M), db (M,): summed over the batch.
    """
    return dy @ W.T, x.T @ dy, dy.sum(axis=0)


@guarded(x=array())
def relu(x: ndarray) -> ndarray:
    """max(x, 0), elementwise, any shape."""
    return np.maximum(x, 0.0)


@guarded(dy=array(), x=array())
def relu_backward(dy: ndarray, x: ndarray) -> ndarray:
    """dx of relu; the derivative at 0 is 0."""
    return dy * (x > 0)


@guarded(z=array())
def sigmoid(z: ndarray) -> ndarray:
    """The logistic function, elementwise; finite for every |z| up to 1000.

    Args:
        z: any shape.

    Returns:
        z's shape, in [0, 1].

    Formula:
        1 / (1 + exp(-z)); for z < 0 the equal exp(z) / (1 + exp(z)), so that the exponent is never positive.

    Source: Goodfellow et al. 2016, eq. 3.30.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    e = np.exp(-np.abs(z))  # in (0, 1]: cannot overflow
    return np.maximum(e, z >= 0) / (1.0 + e)  # numerator: 1 for z >= 0, else e, which is below 1


@guarded(dy=array(), y=array())
def sigmoid_backward(dy: ndarray, y: ndarray) -> ndarray:
    """dz of y = sigmoid(z), from the output y: dy * y * (1 - y)."""
    return dy * y * (1.0 - y)


@guarded(z=array())
def tanh(z: ndarray) -> ndarray:
    """Hyperbolic tangent, elementwise, any shape."""
    return np.tanh(z)


@guarded(dy=array(), y=array())
def tanh_backward(dy: ndarray, y: ndarray) -> ndarray:
    """dz of y = tanh(z), from the output y: dy * (1 - y**2)."""
    return dy * (1.0 - y * y)
