"""A small training loop: minibatch gradient descent with momentum. What is not the point of a notebook lives here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

LossAndGrads = Callable[[ndarray, ndarray], tuple[float, Sequence[ndarray]]]


def minibatches(n: int, batch_size: int, *, rng: np.random.Generator) -> Iterator[ndarray]:
    """Indices of one epoch: every example once, in random order, batch_size at a time (the last batch may be smaller)."""
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def fit(
    params: Sequence[ndarray],
    loss_and_grads: LossAndGrads,
    x: ndarray,
    y: ndarray,
    *,
    lr: float,
    n_epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    momentum: float = 0.0,
    after_epoch: Callable[[int], bool | None] | None = None,
) -> ndarray:
    """Minimise the mean loss of a model by stochastic gradient descent; params are updated in place.

    Args:
        params: the model's arrays.
        loss_and_grads: called with a batch (x, y); returns the batch's mean loss and one gradient per array, reading the arrays as they are.
        x, y: (N, ...) and (N, ...).
        lr: step size.
        n_epochs: passes over the data.
        batch_size: examples a step.
        rng: order of the examples.
        momentum: 0 is plain descent; else velocity = momentum * velocity - lr * gradient (Polyak 1964).
        after_epoch: called with the epoch's number, from 0; True ends the training.

    Returns:
        (epochs run,): the mean of each epoch's batch losses.

    Raises:
        ValueError: the number of gradients is not that of params.
    """
    velocities = [np.zeros_like(p) for p in params]
    history = []
    for epoch in range(n_epochs):
        losses = []
        for batch in minibatches(len(x), batch_size, rng=rng):
            loss, grads = loss_and_grads(x[batch], y[batch])
            if len(grads) != len(params):
                raise ValueError(
                    f"fit: loss_and_grads must return {len(params)} gradients, one per array, got {len(grads)}."
                )
            for p, v, g in zip(params, velocities, grads, strict=True):
                v *= momentum
                v -= lr * g
                p += v
            losses.append(loss)
        history.append(float(np.mean(losses)))
        if after_epoch is not None and after_epoch(epoch):
            break
    return np.array(history)


def accuracy(scores: ndarray, labels: ndarray) -> float:
    """Share of rows of scores (N, K) whose largest entry stands at the label."""
    return float((scores.argmax(axis=1) == labels).mean())


def first_stop(stopping: Any, losses: Iterable[float]) -> int | None:
    """Epoch at which `stopping.step(loss)` says stop, from 0; None where it never does."""
    for epoch, loss in enumerate(losses):
        if stopping.step(loss):
            return epoch
    return None
