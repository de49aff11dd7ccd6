"""Doubles: the generators and callables that stand in for real ones among an exercise's arguments, made where the call runs.

Each maker gets the script's context (`variables`, `log`, `undo`) and its own parameters. A callable logs its calls: the judge reads what was asked
of it. This is the one registry; a topic that needs a new double adds a maker here. Standard library and NumPy only (see calls.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from class4lib.counting import Counter, counted, keep_count
except ImportError:  # in the worker, where there is no package of that name
    from counting import Counter, counted, keep_count  # type: ignore[no-redef]

DOUBLES: dict[str, Callable[..., Any]] = {}


def double(make: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: enter a maker under its name."""
    DOUBLES[make.__name__] = make
    return make


@double
def rng(context: Any, seed: int) -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(seed)


@double
def variable(context: Any, name: str) -> Any:
    """A variable that an earlier step saved: the very object, not a copy."""
    return context.variables[name]


@double
def item(context: Any, name: str, index: int) -> Any:
    """One of the results of an earlier step, saved under `name`: the very array, not a copy; a list of numbers becomes an array."""
    results = context.variables[name]
    if not isinstance(results, list | tuple) or len(results) <= index:
        raise TypeError(f"the step before must return at least {index + 1} results")
    return np.asarray(results[index]) if isinstance(results[index], list | tuple) else results[index]


@double
def shared_rng(context: Any, name: str, seed: int) -> np.random.Generator:
    """A seeded generator that all steps of a script share: each goes on where the one before left it."""
    return context.variables.setdefault(name, np.random.default_rng(seed))


@double
def sample(context: Any, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """An array too large to be written down: normal numbers, larger from column to column, a quarter of them exactly 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=tuple(shape)) * (1.0 + np.arange(shape[-1]) / 8)
    return np.where(rng.random(x.shape) < 0.25, 0.0, x)


@double
def noisy_model(context: Any, weights: np.ndarray, p: float) -> Callable[..., np.ndarray]:
    """model(x, rng): a linear model whose inputs are dropped with probability p."""

    def model(x: Any, rng: np.random.Generator) -> np.ndarray:
        context.log.append("model")
        return (np.asarray(x) * (rng.random(np.shape(x)) >= p) / (1.0 - p)) @ weights

    return model


@double
def shared(context: Any, name: str, value: Any) -> Any:
    """A value that all steps of a script share: the very object, as the steps before left it; "shift" finds it under its name."""
    return context.variables.setdefault(name, value)


@double
def relu_net(context: Any, weights: list[Any], skip: bool = False) -> Callable[[Any], np.ndarray]:
    """A function of rows: x @ W for each of the weights with ReLU in between (one weight: a linear map); skip adds x at the end."""

    def f(x: Any) -> np.ndarray:
        x = np.asarray(x, dtype=np.float64)
        y = x @ np.asarray(weights[0])
        for W in weights[1:]:
            y = np.maximum(y, 0.0) @ np.asarray(W)
        y = x + y if skip else y
        context.log.append([list(x.shape), list(y.shape)])
        return y

    return f


@double
def counted_rows(context: Any, rows: np.ndarray, passes: float, budget: str = "budget") -> np.ndarray:
    """Data (N, D) as floats that counts the passes over it; all data of one script with the same budget share a counter.

    The first data made for a budget says how many rows a pass has. What was spent by the end of a step stands in its log.
    """
    if budget not in context.variables:
        context.variables[budget] = Counter(len(rows), passes)
        context.undo.append(keep_count())
    counter = context.variables[budget]
    if not any(entry is counter.report for entry in context.log):
        context.log.append(counter.report)
    return counted(rows, counter)


@double
def scripted_sampler(context: Any, names: list[str]) -> Callable[[np.random.Generator], dict[str, Any]]:
    """sample(rng): the configurations of these names in turn, each with a learning rate drawn from the rng it is given."""
    waiting = iter(names)

    def sample(rng: np.random.Generator) -> dict[str, Any]:
        config = {"name": next(waiting, "one too many"), "lr": round(float(10 ** rng.uniform(-4, 0)), 6)}
        context.log.append(["sample", dict(config)])
        return config

    return sample


class Diverged(RuntimeError):
    """What a scripted run raises where nothing more usual is asked for."""


@double
def scripted_evaluate(context: Any, losses: dict[str, Any]) -> Callable[..., float]:
    """evaluate(config) or evaluate(config, budget): the loss found under the configuration (its "name", where it is a dict).

    A loss is a number, or the name of an exception that is raised; or a dict from budgets to such, of which the largest not above the
    budget counts.
    """

    def evaluate(config: Any, budget: Any = None) -> float:
        known = config if not isinstance(config, dict) else config.get("name")
        context.log.append(["evaluate", str(known), *([] if budget is None else [float(budget)])])
        loss = losses[str(known)]
        if isinstance(loss, dict):
            reached = [b for b in loss if budget is not None and float(b) <= float(budget)]
            loss = loss[max(reached or loss, key=float)]
        if isinstance(loss, str):
            usual = {e.__name__: e for e in (ValueError, FloatingPointError, MemoryError, ArithmeticError, KeyError)}
            raise usual.get(loss, Diverged)("the run diverged")
        return loss

    return evaluate


@double
def operation(context: Any, kind: str, weights: Any = None) -> Callable[[Any], Any]:
    """One operation of a mixture: "identity" returns x ITSELF, "linear" x @ weights, "tanh", "relu", "zero", "total" sums the last axis."""

    def op(x: Any) -> Any:
        context.log.append(kind)
        if kind == "identity":
            return x
        x = np.asarray(x, dtype=np.float64)
        return {
            "linear": lambda: x @ weights,
            "tanh": lambda: np.tanh(x),
            "relu": lambda: np.maximum(x, 0.0),
            "zero": lambda: np.zeros(x.shape),
            "total": lambda: x.sum(axis=-1),
            "largest": lambda: x.max(axis=-1),
        }[kind]()

    return op


@double
def floats(context: Any, rows: np.ndarray) -> np.ndarray:
    """Whole numbers as float64: in a sheet they are written down as the short integers they are."""
    return np.asarray(rows).astype(np.float64)
