"""Guards: what each function of the library accepts, said once and checked before its body runs.

A guard is written as a decorator, so that the body of an exercise is the mathematics alone: the builder cuts the decorator from the
cell that students see. Guards also convert: integers and lists become float64 arrays, float32 stays, inputs are never changed.

    @guarded(x=array("N D"), gamma=array("D"), eps=number(above=0))
    def layer_norm(x, gamma, eps=1e-5): ...

A shape is a string of axis names. The first argument with a name fixes its size for those that follow; a number is that size exactly;
`...` is any number of leading axes (not compared). Messages name function, argument, expectation, value and the argument to match:
`layer_norm: gamma must have shape (4,), got (3,): match the last axis of x.`
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Sizes = dict[str, tuple[int, str]]  # axis name -> (size, where it was fixed)
_yours_to_write: set[str] = set()  # exercises whose library version must not answer now; see `withheld`


class withheld:
    """While entered, the library's own versions of the named exercises refuse to be called (practice on one's own machine)."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def __enter__(self) -> None:
        self._added = self.names - _yours_to_write
        _yours_to_write.update(self._added)

    def __exit__(self, *_: object) -> None:
        _yours_to_write.difference_update(self._added)


class array:
    """A real array of a given shape. kind: "float" (integers become float64), "int", "bool", or "any" (left as it is)."""

    def __init__(
        self,
        shape: str = "...",
        *,
        kind: str = "float",
        low: float | None = None,
        high: float | None = None,
        optional: bool = False,
        nonempty: bool = False,
    ) -> None:
        self.axes = shape.split()
        self.kind, self.low, self.high, self.optional, self.nonempty = kind, low, high, optional, nonempty

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> Any:
        if value is None and self.optional:
            return None
        value = as_array(function, name, value, self.kind)
        self._check_shape(function, name, value, sizes)
        if self.nonempty and value.size == 0:
            raise ValueError(f"{function}: {name} must not be empty, got shape {value.shape}.")
        if self.low is not None and bool(np.any(value < self.low)):
            raise ValueError(f"{function}: {name} must be at least {self.low:g}, got {float(np.nanmin(value)):g}.")
        if self.high is not None and bool(np.any(value > self.high)):
            raise ValueError(f"{function}: {name} must be at most {self.high:g}, got {float(np.nanmax(value)):g}.")
        return value

    def _check_shape(self, function: str, name: str, value: np.ndarray, sizes: Sizes) -> None:
        axes = self.axes
        if axes and axes[0] == "...":
            axes = axes[1:]
            if value.ndim < len(axes):
                raise ValueError(
                    f"{function}: {name} must have at least {_count(len(axes))} ({', '.join(axes)} last), got shape {value.shape}."
                )
        elif value.ndim != len(axes):
            raise ValueError(
                f"{function}: {name} must have {_count(len(axes))} ({', '.join(axes)}), got shape {value.shape}."
            )
        shape = value.shape[value.ndim - len(axes) :]
        wanted = [int(a) if a.isdigit() else sizes.get(a, (s, ""))[0] for a, s in zip(axes, shape, strict=True)]
        if list(shape) != wanted:
            full = (*value.shape[: value.ndim - len(axes)], *wanted)
            wrong = [a for a, got, want in zip(axes, shape, wanted, strict=True) if got != want]
            match = " and ".join(dict.fromkeys(sizes[a][1] for a in wrong if a in sizes))
            raise ValueError(
                f"{function}: {name} must have shape {full}, got {value.shape}"
                + (f": match {match}." if match else ".")
            )
        for i, (a, size) in enumerate(zip(axes, shape, strict=True)):
            if not a.isdigit():
                where = (
                    "the last axis"
                    if i == len(axes) - 1 and len(self.axes) > 1
                    else "the length"
                    if len(axes) == 1
                    else f"axis {i - len(axes) if self.axes[0] == '...' else i}"
                )
                sizes.setdefault(a, (size, f"{where} of {name}"))


class arrays:
    """A sequence of arrays, each of the same kind of shape (axis names are per array, not shared); `minimum` of them."""

    def __init__(self, shape: str = "...", *, minimum: int = 1, kind: str = "float") -> None:
        self.shape, self.minimum, self.kind = shape, minimum, kind

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> list[np.ndarray]:
        if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
            raise TypeError(f"{function}: {name} must be a list of arrays, got {type(value).__name__}.")
        if len(value) < self.minimum:
            raise ValueError(f"{function}: {name} must hold at least {self.minimum}, got {len(value)}.")
        return [
            array(self.shape, kind=self.kind)(function, f"{name}[{i}]", v, dict(sizes)) for i, v in enumerate(value)
        ]


class number:
    """A real number, inclusive limits low, high; exclusive limits above, below. NaN is refused unless nan=True."""

    def __init__(
        self,
        *,
        low: float | None = None,
        high: float | None = None,
        above: float | None = None,
        below: float | None = None,
        nan: bool = False,
    ) -> None:
        self.low, self.high, self.above, self.below, self.nan = low, high, above, below, nan

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> Any:
        if isinstance(value, str | bytes) or np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "biuf":
            raise TypeError(f"{function}: {name} must be a number, got {describe(value)}.")
        ok = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        ok = ok and (self.above is None or value > self.above) and (self.below is None or value < self.below)
        if not (ok and (self.nan or value == value)):
            raise ValueError(f"{function}: {name} must be {self._range()}, got {value}.")
        return value if isinstance(value, float | int) else np.asarray(value)[()].item()

    def _range(self) -> str:
        parts = [
            f"{word} {limit:g}"
            for word, limit in (
                ("at least", self.low),
                ("above", self.above),
                ("at most", self.high),
                ("below", self.below),
            )
            if limit is not None
        ]
        return " and ".join(parts) or "a number"


class integer:
    """A whole number with inclusive limits."""

    def __init__(self, *, low: int | None = None, high: int | None = None) -> None:
        self.low, self.high = low, high

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{function}: {name} must be an integer, got {describe(value)}.")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            limits = " and ".join(
                f"{w} {v}" for w, v in (("at least", self.low), ("at most", self.high)) if v is not None
            )
            raise ValueError(f"{function}: {name} must be {limits}, got {value}.")
        return int(value)


class choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> str:
        if value not in self.words:
            raise ValueError(f"{function}: {name} must be one of {', '.join(map(repr, self.words))}, got {value!r}.")
        return value


class generator:
    """A numpy.random.Generator; never a seed, never the global state."""

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def __call__(self, function: str, name: str, value: Any, sizes: Sizes) -> Any:
        if value is None and self.optional:
            return None
        if not isinstance(value, np.random.Generator):
            raise TypeError(
                f"{function}: {name} must be a numpy.random.Generator, got {describe(value)}: make one with np.random.default_rng(seed)."
            )
        return value


reduction = choice("mean", "sum", "none")


def guarded(*, also: Callable[..., None] | None = None, **guards: Any) -> Callable:
    """Decorator: check and convert the named arguments in the order given, then call `also(function_name, **arguments)`.

    `also` says what a shape cannot (raise ValueError or TypeError, `name` first in the message). It may change nothing.
    A method is named with its class (`EarlyStopping.step`), a constructor by its class; withholding the class withholds both.
    """

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)
        label = function.__qualname__.rpartition("<locals>.")[2].removesuffix(".__init__")
        exercise = label.partition(".")[0]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if exercise in _yours_to_write:
                raise PermissionError(
                    f"{exercise} is yours to write here: the library's version does not answer for it."
                )
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            sizes: Sizes = {}
            for name, guard in guards.items():
                bound.arguments[name] = guard(label, name, bound.arguments[name], sizes)
            if also is not None:
                also(label, **bound.arguments)
            return function(*bound.args, **bound.kwargs)

        return wrapper

    return decorate


def check_layers(
    function: str, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], n_in: int | None = None
) -> None:
    """Raise unless weights[l] (n_l, n_{l+1}) and biases[l] (n_{l+1},) chain, from n_in where it is given."""
    if len(biases) != len(weights):
        raise ValueError(
            f"{function}: biases must hold one vector per layer, {len(weights)}, got {len(biases)}: match weights."
        )
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        if n_in is not None and W.shape[0] != n_in:
            source = "the last axis of x" if layer == 0 else f"the last axis of weights[{layer - 1}]"
            raise ValueError(
                f"{function}: weights[{layer}] must have shape {(n_in, W.shape[1])}, got {W.shape}: match {source}."
            )
        if b.shape != (W.shape[1],):
            raise ValueError(
                f"{function}: biases[{layer}] must have shape {(W.shape[1],)}, got {b.shape}: match the last axis of weights[{layer}]."
            )
        n_in = W.shape[1]


def as_array(function: str, name: str, value: Any, kind: str = "float") -> np.ndarray:
    """value as a real array: integers and booleans become float64 for kind "float"; float32 stays."""
    try:
        result = np.asarray(value)
    except ValueError:
        raise ValueError(f"{function}: {name} must be one rectangular array, got rows of different lengths.") from None
    if result.dtype.kind not in "biuf":
        raise TypeError(f"{function}: {name} must hold real numbers, got {describe(value)}.")
    if kind == "float" and result.dtype.kind != "f":
        return result.astype(np.float64)
    if kind == "int" and result.dtype.kind not in "iu":
        raise TypeError(f"{function}: {name} must hold integers, got dtype {result.dtype}.")
    if kind == "bool" and result.dtype.kind != "b":
        raise TypeError(f"{function}: {name} must hold booleans (True keeps), got dtype {result.dtype}.")
    return result


def describe(value: Any) -> str:
    """A few words on a value, for messages."""
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    return repr(value) if isinstance(value, str | int | float | bool | type(None)) else f"a {type(value).__name__}"


def _count(n: int) -> str:
    return f"{n} axis" if n == 1 else f"{n} axes"
