"""Calls: a script of steps is run against a student's definitions and every step is recorded as a value.

The same code runs in the notebook (practice) and in the worker (grading). It holds no expected value and judges nothing. Standard library
and NumPy only, nothing of class4lib but its two neighbours `values` and `doubles`: the worker loads the three by their paths.
"""

import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

try:
    from class4lib.doubles import DOUBLES
    from class4lib.values import Double, same, to_tree
except ImportError:  # in the worker, where there is no package of that name
    from doubles import DOUBLES  # type: ignore[no-redef]
    from values import Double, same, to_tree  # type: ignore[no-redef]

CELL = "<class4 "  # file names of students' code begin so: "<class4 softmax>"


@dataclass(frozen=True)
class Step:
    """One step of a script.

    op: "call" calls `target` (a name, or "variable.method") with args and kwargs; "get" reads "variable.attribute"; "shift" adds args[0]
    in place to every array inside the variable `target`, so that an alias or a shallow copy shows; "torch" calls `target` with every array
    as a tensor (float arrays with requires_grad) and records {"y": result, "grads": [d sum(args[-1] * y) / d each float array]}: args[-1] is dy.
    "keep" is a call whose result is not recorded: a model, which nobody compares.
    save: keep the result as a variable of the script under this name.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    op: str = "call"
    save: str = ""

    def to_tree(self) -> dict[str, Any]:
        return {"target": self.target, "args": self.args, "kwargs": self.kwargs, "op": self.op, "save": self.save}

    @staticmethod
    def from_tree(tree: dict[str, Any]) -> "Step":
        return Step(tree["target"], tuple(tree["args"]), dict(tree["kwargs"]), tree["op"], tree["save"])


class _Context:
    """What doubles may use while a script runs: its variables, the log of calls, and what must be undone at its end."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.log: list[Any] = []
        self.undo: list[Callable[[], None]] = []


def run_script(namespace: dict[str, Any], script: Iterable[Step]) -> list[dict[str, Any]]:
    """One record per step, up to the first that raises.

    Returns:
        For each step {"value": tree, "changed": [positions or keywords of arguments changed in place], "global_random": whether NumPy's global
        generator moved, "log": calls of doubles in this step}, or {"error": type, "message": str, "line": in the cell or None, "cell": label}.
    """
    context, records = _Context(), []
    try:
        for step in script:
            context.log = []
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    records.append(_run_step(namespace, context, step))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a student's SystemExit is a mistake, not the end of the judge
                records.append({**describe_error(error), "log": to_tree(context.log)})
                break
    finally:
        for undo in context.undo:
            undo()
    return records


def _run_step(namespace: dict[str, Any], context: _Context, step: Step) -> dict[str, Any]:
    args = [_made(context, a) for a in step.args]
    kwargs = {k: _made(context, v) for k, v in step.kwargs.items()}
    before = [to_tree(a) for a in args], {k: to_tree(v) for k, v in kwargs.items()}
    state = np.random.get_state(legacy=True)[1:3]  # type: ignore[index]
    result = _perform(namespace, context, step, args, kwargs)
    moved = np.random.get_state(legacy=True)[1:3]  # type: ignore[index]
    if step.save:
        context.variables[step.save] = result
    value = None if step.op == "keep" else to_tree(result)
    after = [to_tree(a) for a in args], {k: to_tree(v) for k, v in kwargs.items()}
    changed: list[Any] = [i for i, (a, b) in enumerate(zip(before[0], after[0], strict=True)) if not same(a, b)]
    changed += [k for k in kwargs if not same(before[1][k], after[1][k])]
    return {
        "value": value,
        "changed": changed,
        "global_random": state[1] != moved[1] or not np.array_equal(state[0], moved[0]),
        "log": to_tree(context.log),
    }


def _perform(namespace: dict[str, Any], context: _Context, step: Step, args: list[Any], kwargs: dict[str, Any]) -> Any:
    name, _, attribute = step.target.partition(".")
    if step.op == "shift":
        _shift(context.variables[name], args[0])
        return None
    if name in context.variables:
        target = context.variables[name]
    elif name in namespace:
        target = namespace[name]
    else:
        raise NameError(f"name {name!r} is not defined")
    if attribute:
        target = getattr(target, attribute)
    if step.op == "get":
        return target
    if step.op == "torch":
        return _with_gradients(target, args, kwargs)
    return target(*args, **kwargs)


def _made(context: _Context, value: Any) -> Any:
    """A fresh argument: arrays are copied, doubles are made."""
    if isinstance(value, Double):
        return DOUBLES[value.kind](context, **{k: _made(context, v) for k, v in value.params.items()})
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return type(value)(_made(context, v) for v in value)
    if isinstance(value, dict):
        return {k: _made(context, v) for k, v in value.items()}
    return value


def _shift(value: Any, amount: float) -> None:
    if isinstance(value, np.ndarray):
        value += np.asarray(amount).astype(value.dtype)
    elif isinstance(value, list | tuple):
        for part in value:
            _shift(part, amount)
    elif isinstance(value, dict):
        for part in value.values():
            _shift(part, amount)


def _with_gradients(target: Any, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    import torch

    leaves = []

    def tensor(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            made = torch.tensor(value, requires_grad=value.dtype.kind == "f")
            if made.requires_grad:
                leaves.append(made)
            return made
        return type(value)(map(tensor, value)) if isinstance(value, list | tuple) else value

    y = target(*map(tensor, args[:-1]), **{k: tensor(v) for k, v in kwargs.items()})
    if not isinstance(y, torch.Tensor):
        return {"y": y, "grads": None}
    if not y.requires_grad:
        return {"y": y, "grads": "no gradient"}
    (y * torch.tensor(args[-1])).sum().backward()
    return {"y": y, "grads": [torch.zeros_like(a) if a.grad is None else a.grad for a in leaves]}


def describe_error(error: BaseException) -> dict[str, Any]:
    """The record of an exception: type, message, and the line of the student's cell where it was raised."""
    line, cell, trace = None, None, error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.startswith(CELL):
            line, cell = trace.tb_lineno, _label(filename)
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line, cell = error.lineno, _label(error.filename or "")
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)[:500]
    except Exception:  # an exception of the student's whose __str__ fails
        message = ""
    return {"error": type(error).__name__[:80], "message": message, "line": line, "cell": cell}


def _label(filename: str) -> str:
    return filename[len(CELL) : -1].split("#")[0]


def define(namespace: dict[str, Any], units: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Execute units of source (label, text) in the namespace; the errors by label. One that fails does not stop the next."""
    import __future__

    failures = {}
    sys.setrecursionlimit(1500)
    for label, source in units:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = compile(
                    source, f"{CELL}{label}>", "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True
                )
                exec(code, namespace)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failures[label] = describe_error(error)
    return failures
