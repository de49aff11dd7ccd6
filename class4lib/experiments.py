"""Experiments in notebooks: a cell that waits for the student's functions, and figures held against what is to be expected."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["expect", "experiment"]


def experiment(*needs: str) -> Callable[[Callable[[], Any]], Any]:
    """Decorator: run the function at once with the notebook's own functions; where one is missing, name it and go on.

    The name is then bound to what the function returned, or None where it waited.

        @experiment("softmax", "softmax_cross_entropy_grad")
        def digit_classifier(): ...
    """

    def run(function: Callable[[], Any]) -> Any:
        names = sys._getframe(1).f_globals
        missing = [n for n in needs if n not in names or is_stub(names[n])]
        if missing:
            return _wait(function.__name__, missing)
        try:
            return function()
        except NotImplementedError:
            return _wait(function.__name__, list(needs))
        except Exception as error:  # a wrong answer above must not stop the cells below
            last = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{function.__name__} stopped: {type(error).__name__}: {error} (line {last.lineno} of {last.name}).")
            print("Check first: " + ", ".join(f'check("{n}")' for n in needs))
            return None

    return run


def _wait(name: str, missing: list[str]) -> None:
    print(
        f"{name.replace('_', ' ')} waits for: {', '.join(missing)}. Write {'it' if len(missing) == 1 else 'them'} above, then run this cell again."
    )


def is_stub(function: Any) -> bool:
    """Whether a function is a stub as it was given: its code does nothing but raise NotImplementedError."""
    if isinstance(function, type):
        return any(is_stub(f) for f in vars(function).values() if callable(f))
    code = getattr(function, "__code__", None)
    return code is not None and code.co_names == ("NotImplementedError",)


def expect(what: str, value: float, low: float, high: float, form: str = ".3g") -> bool:
    """Print a measured figure beside the band it was found in on several processors and seeds; returns whether it lies inside."""
    inside = low <= value <= high
    word = "as expected" if inside else "outside: is something above not right yet?"
    print(f"{what}: expected {low:{form}} to {high:{form}}, yours {value:{form}} ({word})")
    return inside
