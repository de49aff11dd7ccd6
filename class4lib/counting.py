"""Counting passes over the data: an array that knows how often it was multiplied.

A training is paid for in passes. One pass is as many rows as the training data has, multiplied once: a forward costs a row per example, the
gradient of the first weights another. Standard library and NumPy only (see calls.py): the worker loads this file by its path.

The count lives where the answer runs. It is a measure for people who play fair, not a wall: `buffer[:] = x` copies the numbers out of it. The
wall is the processor's time, which the grader limits.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

PRODUCTS = {np.matmul} | {getattr(np, name) for name in ("vecdot", "matvec", "vecmat") if hasattr(np, name)}
PRODUCT_FUNCTIONS = {
    np.dot, np.inner, np.vdot, np.tensordot, np.einsum, np.kron, np.outer, np.convolve, np.correlate, np.cov, np.corrcoef,
    *(f for f in vars(np.linalg).values() if callable(f) and not isinstance(f, type) and getattr(f, "__module__", "") == "numpy.linalg"),
}  # fmt: skip
STATISTICS = {
    np.mean, np.sum, np.std, np.var, np.median, np.max, np.min, np.argmax, np.argmin, np.argsort, np.cumsum, np.quantile,
    np.percentile, np.bincount, np.unique, np.histogram,
}  # fmt: skip
CONVERSIONS = ("asarray", "array", "ascontiguousarray", "asfortranarray", "asarray_chkfinite")


class BudgetSpent(RuntimeError):
    """More passes over the data than there are."""


class Counter:
    """Rows multiplied so far; `report` is ["passes", so many], kept up to date, for a log.

    n_rows: a pass is as many rows. limit: in passes; the product that would exceed it raises BudgetSpent.
    """

    def __init__(self, n_rows: int, limit: float) -> None:
        self.n_rows, self.limit = n_rows, limit
        self.report: list[Any] = ["passes", 0.0]

    @property
    def passes(self) -> float:
        return float(self.report[1])

    def charge(self, rows: float) -> None:
        self.report[1] += rows / self.n_rows
        if self.report[1] > self.limit * (1 + 1e-9):
            raise BudgetSpent(
                f"the {self.limit:g} passes over the data are spent: stop earlier, or keep the best model so far and return it."
            )


class CountedRows(np.ndarray):
    """Rows of data that charge a counter for every product taken with them, or with anything made from them entry by entry.

    Slices, copies, arithmetic (normalising, noise, dropout), reshaping and joining stay counted and are free. A product (@, dot, einsum, a
    decomposition, or one written out by broadcasting) costs entries / features rows, however transposed. Its result is a plain array, and so
    is every statistic.
    """

    counter: Counter | None = None
    features = 1

    def __array_finalize__(self, parent: Any) -> None:
        self.counter, self.features = getattr(parent, "counter", None), getattr(parent, "features", 1)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        data = [a for a in inputs if isinstance(a, CountedRows)]
        if ufunc in PRODUCTS:
            _charge(data)
        if out is not None:
            kwargs["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **_plain(kwargs))
        if out is not None:
            return out[0] if len(out) == 1 else out
        if not data or ufunc in PRODUCTS or method in ("reduce", "reduceat", "at"):
            return result
        first = result[0] if isinstance(result, tuple) else result
        if np.size(first) > max(a.size for a in data):
            _charge(data)  # a product, or all distances, written out by broadcasting
        least = min([2, *(a.ndim for a in data)])
        return (
            tuple(self._joined(r, least) for r in result) if isinstance(result, tuple) else self._joined(result, least)
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in PRODUCT_FUNCTIONS:
            _charge(a for a in _leaves([*args, *kwargs.values()]) if isinstance(a, CountedRows))
        result = function(*_plain(args), **_plain(kwargs))
        if kwargs.get("out") is not None:
            return kwargs["out"]
        if function in PRODUCT_FUNCTIONS or function in STATISTICS:
            return result
        several = isinstance(result, list | tuple) and not hasattr(result, "_fields")
        return type(result)(map(self._joined, result)) if several else self._joined(result)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out=out)

    def tolist(self) -> Any:
        _charge([self])  # numbers that leave are charged as if they were multiplied once
        return _plain(self).tolist()

    def _joined(self, result: Any, least: int = 2) -> Any:
        """The result, counted too where it still holds rows: a vector made of a matrix is a statistic of its columns."""
        if type(result) is np.ndarray and result.ndim >= least:
            result = result.view(CountedRows)
            result.counter, result.features = self.counter, self.features
        return result


def counted(rows: np.ndarray, counter: Counter) -> CountedRows:
    """A copy of rows (N, D), float64, that charges this counter."""
    made = np.asarray(rows).astype(np.float64).view(CountedRows)
    made.counter, made.features = counter, made.shape[1]
    return made


def keep_count() -> Callable[[], None]:
    """Make np.asarray and its like keep the count of counted rows, which they would strip; what is returned undoes it."""
    originals = {name: getattr(np, name) for name in CONVERSIONS}

    def keeping(original: Callable[..., Any]) -> Callable[..., Any]:
        def convert(a: Any, *args: Any, **kwargs: Any) -> Any:
            source = next((v for v in _leaves([a]) if isinstance(v, CountedRows)), None)
            if source is None:
                return original(a, *args, **kwargs)
            return source._joined(original(_plain(a), *args, **kwargs), min(2, source.ndim))

        return convert

    def undo() -> None:
        for name, original in originals.items():
            setattr(np, name, original)

    for name, original in originals.items():
        setattr(np, name, keeping(original))
    return undo


@contextmanager
def budget(x: np.ndarray, x_val: np.ndarray, passes: float) -> Iterator[tuple[CountedRows, CountedRows, Counter]]:
    """x and x_val as counted rows with one counter, for a training in a notebook: `with budget(x, x_val, 200) as (x, x_val, spent):`"""
    counter, undo = Counter(len(x), passes), keep_count()
    try:
        yield counted(x, counter), counted(x_val, counter), counter
    finally:
        undo()


def _charge(data: Iterable[CountedRows]) -> None:
    for a in data:
        if a.counter is not None:
            a.counter.charge(a.size / a.features)


def _plain(value: Any) -> Any:
    if isinstance(value, CountedRows):
        return value.view(np.ndarray)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(map(_plain, value))
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _leaves(value: Any) -> Iterator[Any]:
    """The members of nested lists and tuples, as far as they can hold counted rows: the first members are looked at, numbers end the search."""
    if isinstance(value, list | tuple):
        for v in value:
            if isinstance(v, int | float):
                return
            yield from _leaves(v)
    else:
        yield value
