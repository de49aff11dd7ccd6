"""Nets made of blocks: the plain, residual, dense and highway stacks of the experiments, from anybody's functions.

A block is a pair of functions and the arrays they take:

    y = forward(x, *params)          dx, *dparams = backward(dy, x, *params)

Any pair of that form will do, so a student's residual_block and residual_block_backward plug in as they are:

    block = Block(residual_block, residual_block_backward, residual_params(32, 32, rng=rng))
    net = Stack([affine_block(64, 32, rng=rng), block, affine_block(32, 10, rng=rng)])
    y, inputs = net.forward(x)
    dx, grads = net.backward(dy, inputs)
    fit(net.params, objective(net), x, labels, ...)

A new kind of block is one new pair. Two adapters bring other forms to this one: `by_layer` for functions that take lists of weights and
biases (mlp_forward, dense_block), `dense_pair` for a layer that reads a list of features (dense_layer). Nothing is cached: a backward
recomputes from its input, and a Stack returns the inputs of its blocks instead of keeping them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from class4lib.basics import (
    affine,
    affine_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from class4lib.softmax_cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import LossAndGrads
from class4lib.vanishing_gradients import init_std

Forward = Callable[..., ndarray]
Backward = Callable[..., tuple[ndarray, ...]]
Scheme = Literal["lecun", "xavier", "he", "pytorch"]
Activation = Literal["linear", "sigmoid", "tanh", "relu"]


@dataclass(frozen=True)
class Block:
    """A pair of functions with their arrays, which training changes in place.

    Attributes:
        forward: forward(x, *params) -> y.
        backward: backward(dy, x, *params) -> (dx, *dparams).
        params: float arrays; may be empty.
    """

    forward: Forward
    backward: Backward
    params: Sequence[ndarray] = ()

    def gradients(self, dy: ndarray, x: ndarray) -> tuple[ndarray, list[ndarray]]:
        """dx and one gradient per array.

        Raises:
            ValueError: backward returned another number of arrays, or an array of another shape, than there is to return.
        """
        name = getattr(self.backward, "__name__", "backward")
        result = self.backward(dy, x, *self.params)
        wanted = [np.shape(x), *(p.shape for p in self.params)]
        if not isinstance(result, tuple | list) or len(result) != len(wanted):
            got = f"{len(result)} in all" if isinstance(result, tuple | list) else type(result).__name__
            raise ValueError(f"{name}: must return dx and {len(self.params)} further arrays, got {got}.")
        for i, (gradient, shape) in enumerate(zip(result, wanted, strict=True)):
            if np.shape(gradient) != shape:
                what = "dx" if i == 0 else f"the gradient of array {i - 1}"
                raise ValueError(f"{name}: {what} must have shape {shape}, got {np.shape(gradient)}.")
        dx, *grads = result
        return dx, grads


@dataclass(frozen=True)
class Stack:
    """Blocks one after another."""

    blocks: Sequence[Block]

    @property
    def params(self) -> list[ndarray]:
        """The arrays of all blocks, first block first: the same objects, not copies."""
        return [p for block in self.blocks for p in block.params]

    @property
    def n_parameters(self) -> int:
        return sum(p.size for p in self.params)

    def __call__(self, x: ndarray) -> ndarray:
        """The output alone."""
        for block in self.blocks:
            x = block.forward(x, *block.params)
        return x

    def forward(self, x: ndarray) -> tuple[ndarray, list[ndarray]]:
        """The output, and the input of each block for backward."""
        inputs = []
        for block in self.blocks:
            inputs.append(x)
            x = block.forward(x, *block.params)
        return x, inputs

    def backward(self, dy: ndarray, inputs: Sequence[ndarray]) -> tuple[ndarray, list[ndarray]]:
        """dx, and the gradients in the order of params, from dLoss/dy and the inputs that forward returned."""
        flat: list[list[ndarray]] = []
        for block, x in zip(reversed(self.blocks), reversed(inputs), strict=True):
            dy, grads = block.gradients(dy, x)
            flat.insert(0, grads)
        return dy, [g for grads in flat for g in grads]

    def by_block(self, flat: Sequence[Any]) -> list[list[Any]]:
        """A flat list in the order of params, cut into one list per block."""
        rest = iter(flat)
        return [[next(rest) for _ in block.params] for block in self.blocks]

    def without(self, index: int) -> "Stack":
        """The same net, and the same arrays, with one block left out."""
        return Stack([block for i, block in enumerate(self.blocks) if i != index])


def objective(net: Stack, loss: Callable = softmax_cross_entropy, loss_grad: Callable = softmax_cross_entropy_grad) -> LossAndGrads:
    """What training.fit minimises: the batch's mean loss of net(x) against y, with the gradients of net.params.

    Args:
        net: its arrays are read at every call.
        loss, loss_grad: f(predictions, y) -> number, and its gradient in predictions.
    """

    def loss_and_grads(x: ndarray, y: ndarray) -> tuple[float, list[ndarray]]:
        predictions, inputs = net.forward(x)
        return loss(predictions, y), net.backward(loss_grad(predictions, y), inputs)[1]

    return loss_and_grads


# ---- pairs from other forms


def activated(activation: Activation) -> tuple[Forward, Backward]:
    """The pair of y = sigma(x @ W + b), arrays W and b: a layer of a plain net."""
    f, f_backward = _ACTIVATIONS[activation]

    def forward(x: ndarray, W: ndarray, b: ndarray) -> ndarray:
        return f(affine(x, W, b))

    def backward(dy: ndarray, x: ndarray, W: ndarray, b: ndarray) -> tuple[ndarray, ...]:
        return affine_backward(f_backward(dy, forward(x, W, b)), x, W)

    return forward, backward


def by_layer(forward: Callable, backward: Callable, *options: Any) -> tuple[Forward, Backward]:
    """The pair of functions that take lists: forward(x, weights, biases, *options), backward(dy, x, weights, biases, *options).

    The block's arrays are W_0, b_0, W_1, b_1, ... So mlp_forward with mlp_backward and "tanh", or dense_block with
    dense_block_backward, are one block each.
    """

    def flat_forward(x: ndarray, *params: ndarray) -> ndarray:
        return forward(x, list(params[0::2]), list(params[1::2]), *options)

    def flat_backward(dy: ndarray, x: ndarray, *params: ndarray) -> tuple[ndarray, ...]:
        dx, dweights, dbiases = backward(dy, x, list(params[0::2]), list(params[1::2]), *options)
        return dx, *(g for pair in zip(dweights, dbiases, strict=True) for g in pair)

    return flat_forward, flat_backward


def dense_pair(layer: Callable, layer_backward: Callable) -> tuple[Forward, Backward]:
    """The pair of a dense block made of layer(features, W, b), layer_backward(dy, features, W, b) -> (dfeatures, dW, db).

    The block's arrays are W_0, b_0, W_1, b_1, ...; it returns x and every layer's output, concatenated.
    """

    def all_features(x: ndarray, params: Sequence[ndarray]) -> list[ndarray]:
        features = [x]
        for W, b in zip(params[0::2], params[1::2], strict=True):
            features.append(layer(features, W, b))
        return features

    def forward(x: ndarray, *params: ndarray) -> ndarray:
        return np.concatenate(all_features(x, params), axis=1)

    def backward(dy: ndarray, x: ndarray, *params: ndarray) -> tuple[ndarray, ...]:
        features = all_features(x, params)
        dfeatures = np.split(dy, np.cumsum([f.shape[1] for f in features])[:-1], axis=1)
        grads: list[ndarray] = []
        for i in reversed(range(1, len(features))):  # every reader of a feature comes before the layer that made it
            shares, dW, db = layer_backward(dfeatures[i], features[:i], params[2 * i - 2], params[2 * i - 1])
            dfeatures[:i] = [d + share for d, share in zip(dfeatures[:i], shares, strict=True)]
            grads = [dW, db, *grads]
        return dfeatures[0], *grads

    return forward, backward


_ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {  # sigma, and its backward from dy and the OUTPUT
    "linear": (lambda z: z, lambda dy, y: dy),
    "sigmoid": (sigmoid, sigmoid_backward),
    "tanh": (tanh, tanh_backward),
    "relu": (relu, relu_backward),  # relu(z) > 0 where z > 0
}


# ---- initial arrays


def layer_params(n_in: int, n_out: int, scheme: Scheme, *, rng: np.random.Generator, bias: float = 0.0) -> list[ndarray]:
    """W (n_in, n_out) normal with the scheme's deviation, b (n_out,) all equal to bias.

    "pytorch" is what torch.nn.Linear does: W and b uniform between -1/sqrt(n_in) and 1/sqrt(n_in), variance 1/(3 n_in).
    """
    if scheme == "pytorch":
        bound = n_in**-0.5
        return [rng.uniform(-bound, bound, size=(n_in, n_out)), rng.uniform(-bound, bound, size=n_out) + bias]
    return [rng.normal(scale=init_std(n_in, n_out, scheme), size=(n_in, n_out)), np.full(n_out, bias, dtype=np.float64)]


def mlp_params(widths: Sequence[int], scheme: Scheme, *, rng: np.random.Generator) -> list[ndarray]:
    """W_0, b_0, W_1, b_1, ... of a dense net with these widths, input and output included."""
    return [p for n_in, n_out in pairwise(widths) for p in layer_params(n_in, n_out, scheme, rng=rng)]


def residual_params(
    width: int, hidden: int, scheme: Scheme = "he", *, rng: np.random.Generator, branch_scale: float = 1.0
) -> list[ndarray]:
    """W1, b1, W2, b2 of residual_block; branch_scale multiplies W2 and b2, 1/sqrt(number of blocks) keeps a deep stack's size."""
    W1, b1 = layer_params(width, hidden, scheme, rng=rng)
    W2, b2 = layer_params(hidden, width, scheme, rng=rng)
    return [W1, b1, W2 * branch_scale, b2 * branch_scale]


def dense_params(n_in: int, growth: int, n_layers: int, scheme: Scheme = "he", *, rng: np.random.Generator) -> list[ndarray]:
    """W_0, b_0, W_1, b_1, ... of a dense block: layer l reads n_in + l growth features."""
    return [p for layer in range(n_layers) for p in layer_params(n_in + layer * growth, growth, scheme, rng=rng)]


def highway_params(width: int, scheme: Scheme = "xavier", *, rng: np.random.Generator, gate_bias: float = 0.0) -> list[ndarray]:
    """W_H, b_H, W_T, b_T of highway_layer; a negative gate_bias starts with the gate nearly closed, so that the input is carried."""
    return [*layer_params(width, width, scheme, rng=rng), *layer_params(width, width, scheme, rng=rng, bias=gate_bias)]


def affine_block(n_in: int, n_out: int, scheme: Scheme = "lecun", *, rng: np.random.Generator, activation: Activation = "linear") -> Block:
    """A layer sigma(x @ W + b) of a plain net, ready to stack."""
    return Block(*activated(activation), layer_params(n_in, n_out, scheme, rng=rng))


# ---- normalised nets


class RunningNorm:
    """The forward of a block from anybody's batch_norm: it holds the running statistics, which move while `training` is True.

    training: True normalises by each batch's own statistics; False by the running ones, which then stay.
    """

    def __init__(self, batch_norm: Callable, width: int) -> None:
        self.batch_norm, self.training = batch_norm, True
        self.mean, self.var = np.zeros(width), np.ones(width)

    def __call__(self, x: ndarray, gamma: ndarray, beta: ndarray) -> ndarray:
        y, self.mean, self.var = self.batch_norm(x, gamma, beta, self.mean, self.var, training=self.training)
        return y


def norm_block(forward: Forward, backward: Callable, width: int) -> Block:
    """A norm ready to stack, gamma 1 and beta 0: forward(x, gamma, beta) (layer_norm, a RunningNorm), backward(dy, x, gamma)."""
    return Block(forward, lambda dy, x, gamma, beta: backward(dy, x, gamma), [np.ones(width), np.zeros(width)])


def relu_block() -> Block:
    """ReLU ready to stack, without arrays."""
    return Block(relu, lambda dy, x: (relu_backward(dy, x),))


class Dropping:
    """The pair of a block that takes dropout's mask last, such as pre_norm_block: a fresh mask at each forward, the same in the backward after it.

    training: False makes every mask all ones.
    """

    def __init__(
        self, forward: Callable, backward: Callable, n_hidden: int, p: float, *, rng: np.random.Generator
    ) -> None:
        self.pair, self.n_hidden, self.p, self.rng, self.training = (forward, backward), n_hidden, p, rng, True
        self.mask = np.ones((0, n_hidden))

    def forward(self, x: ndarray, *params: ndarray) -> ndarray:
        shape = len(x), self.n_hidden
        self.mask = (self.rng.random(shape) >= self.p) / (1.0 - self.p) if self.training else np.ones(shape)
        return self.pair[0](x, *params, self.mask)

    def backward(self, dy: ndarray, x: ndarray, *params: ndarray) -> tuple[ndarray, ...]:
        return self.pair[1](dy, x, *params, self.mask)
