"""Mutants: wrong implementations made by machine from the reference, one small change each. A good sheet refuses them all."""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.parsing import parse
from autograder.spec import Exercise
from class4lib.cases import Sheet
from class4lib.comparing import as_numbers, compare

MAX_FROM_SOURCE = 48
MIN_MUTANTS = 20
ONE_VALUE = ("equal", "mask_backward")  # judges under which one value is right, so that any change of it is wrong
_BINARY = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
}
_COMPARE = {
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALLS = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "sum": "mean", "mean": "sum", "exp": "expm1", "log": "log1p", "log1p": "log", "zeros": "ones", "ones": "zeros",
    "sin": "cos", "cos": "sin", "sqrt": "square", "abs": "negative", "argmax": "argmin", "argmin": "argmax", "tanh": "sinh", "sign": "abs", "floor": "ceil", "cumsum": "cumprod", "prod": "sum",
    "var": "std", "std": "var", "any": "all", "all": "any", "zeros_like": "ones_like", "ones_like": "zeros_like", "append": "remove", "median": "mean",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A changed source, and what was changed: "old → new"."""

    change: str
    source: str


def bare_source(exercise: Exercise) -> str:
    """The reference's source without guards, docstrings and annotations of the signature."""
    tree = parse(textwrap.dedent(inspect.getsource(inspect.unwrap(exercise.reference))))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = [d for d in node.decorator_list if "guarded" not in ast.unparse(d)]
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return "\n".join([*_imports(exercise, tree), ast.unparse(tree)])


def _imports(exercise: Exercise, tree: ast.Module) -> list[str]:
    """What the reference's module imports whole and its source uses: the notebook has it in the set-up cell, a bare source has not."""
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    module = inspect.getmodule(inspect.unwrap(exercise.reference))
    found = [n for n in parse(inspect.getsource(module)).body if isinstance(n, ast.Import)] if module else []
    return [ast.unparse(n) for n in found if {(a.asname or a.name).split(".")[0] for a in n.names} & used]


def mutants(exercise: Exercise, sheet: Sheet) -> list[Mutant]:
    """All mutants of an exercise: changes of its source (spread evenly where there are very many), and of its results."""
    source = bare_source(exercise)
    tree = parse(source)
    seen, made = {ast.unparse(tree)}, []
    for change, changed in _changes(tree):
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text not in seen:
            seen.add(text)
            made.append(Mutant(change, text))
    step = max(1.0, len(made) / MAX_FROM_SOURCE)
    made = [made[int(i * step)] for i in range(int(len(made) / step))]
    made += _result_mutants(exercise, sheet, source)
    random = not exercise.torch and any(c.judge not in ONE_VALUE for c in sheet.cases)
    return made + _noise_mutants(exercise, source) if random and len(made) < MIN_MUTANTS else made


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Each change on a copy of its own."""
    nodes = list(ast.walk(tree))
    for index, node in enumerate(nodes):
        for replacement in _replacements(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[index]
            old = ast.unparse(node)
            new = _replace(changed, target, replacement)
            yield f"{old} → {new}", changed


def _replace(tree: ast.Module, target: ast.AST, make: Callable[[Any], ast.AST | None]) -> str:
    made = make(target)
    if made is None:
        return "(deleted)"
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, made)
            elif isinstance(value, list) and any(v is target for v in value):
                setattr(parent, name, [made if v is target else v for v in value])
    return ast.unparse(ast.fix_missing_locations(made))


def _replacements(node: ast.AST) -> list[Callable[[Any], ast.AST | None]]:
    """Ways to change one node."""
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [
            lambda n: ast.BinOp(n.left, _BINARY[type(n.op)](), n.right),
            *(
                [lambda n: ast.BinOp(n.right, n.op, n.left)]
                if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult)
                else []
            ),
            lambda n: n.left,
        ]
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return [
            lambda n: ast.Compare(n.left, [_COMPARE[type(n.ops[0])]()], n.comparators),
            lambda n: ast.UnaryOp(ast.Not(), n),
        ]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [lambda n: n.operand]
    if isinstance(node, ast.Constant):
        return _constants(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return [lambda n: n.value]
    if isinstance(node, ast.Attribute) and node.attr in _CALLS and isinstance(node.ctx, ast.Load):
        return [lambda n: ast.Attribute(n.value, _CALLS[n.attr], n.ctx)]
    if isinstance(node, ast.IfExp):
        return [lambda n: n.body, lambda n: n.orelse]
    if isinstance(node, ast.If):
        return [lambda n: ast.If(ast.UnaryOp(ast.Not(), n.test), n.body, n.orelse)]
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        return [lambda n: ast.Tuple(n.elts[::-1], n.ctx)]
    if isinstance(node, ast.AugAssign):
        return [lambda n: ast.Assign([n.target], n.value)]
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "where"
        and len(node.args) == 3
    ):
        return [lambda n: ast.Call(n.func, [n.args[0], n.args[2], n.args[1]], n.keywords), lambda n: n.args[1]]
    return []


def _constants(node: ast.Constant) -> list[Callable[[Any], ast.AST | None]]:
    value = node.value
    if isinstance(value, bool):
        return [lambda n: ast.Constant(not value)]
    if isinstance(value, int):
        return [lambda n: ast.Constant(value + 1), lambda n: ast.Constant(value - 1)]
    if isinstance(value, float):
        return [lambda n: ast.Constant(value + 1.0), lambda n: ast.Constant(value * 1.01 or 0.01)]
    if isinstance(value, str) and value:
        return [lambda n: ast.Constant(value + "_")]
    return []


# name -> what is done to the result r, with a the first argument
_RESULTS = {
    "−r": "-r", "2r": "2 * r", "r/2": "r / 2", "r + 0.001": "r + 0.001", "r·(1 + 1e-6)": "r * (1 + 1e-6)", "zeros": "np.zeros_like(r)", "ones": "np.ones_like(r)", "|r|": "np.abs(r)", "r²": "np.square(r)",
    "float32": "np.asarray(r).astype(np.float32)", "rounded to 3 digits": "np.round(r, 3)", "transposed": "np.transpose(r)", "reversed": "np.asarray(r)[::-1]", "last axis reversed": "np.asarray(r)[..., ::-1]",
    "rolled by one": "np.roll(r, 1)", "r·N": "r * np.shape(a)[0]", "r/N": "r / np.shape(a)[0]", "clipped to [0, 1]": "np.clip(r, 0, 1)", "one axis more": "np.asarray(r)[None]", "r − its mean": "r - np.mean(r)",
    "first entry for all": "np.full_like(r, np.ravel(r)[0])", "r + a": "r + a", "r − 1": "r - 1", "sorted": "np.sort(r)", "None": "None", "a string": "'right'", "r plus noise of 1e-5": "r + 1e-5 * np.cos(np.arange(np.size(r))).reshape(np.shape(r))",
}  # fmt: skip


# name -> what becomes of a random result r; a is the first argument, n = r - a the noise
_NOISE = {
    "noise squared": "a + n**2", "absolute noise": "a + np.abs(n)", "noise of its signs": "a + np.sign(n)", "noise sorted": "a + np.sort(n)", "first row's noise for all": "a + n[:1]", "first column's noise for all": "a + n[..., :1]",
    "noise less its mean": "a + n - np.mean(n)", "noise over its deviation": "a + n / (np.std(n) or 1)", "noise clipped": "a + np.clip(n, -2 * np.std(n), 2 * np.std(n))", "rounded": "np.round(r, 1)", "half the noise": "a + n / 2",
    "noise up by 2 %": "a + 1.02 * n + 0.001", "clipped to the range of a": "np.clip(r, np.min(a), np.max(a))", "one axis more": "r[None]", "transposed": "np.transpose(r)", "float32": "r.astype(np.float32)", "noise alone": "n", "a alone": "a",
}  # fmt: skip


def _noise_mutants(exercise: Exercise, source: str) -> list[Mutant]:
    """Mutants that spoil what a random answer added to its first argument."""
    return [
        Mutant(
            f"result: {name}",
            _wrapped(exercise.name, source, f"(lambda a, r: (lambda n: {code})(r - a))(np.asarray(a, dtype=float), r)"),
        )
        for name, code in _NOISE.items()
    ]


def _result_mutants(exercise: Exercise, sheet: Sheet, source: str) -> list[Mutant]:
    """Mutants that change a right result afterwards; those that change nothing in any case are none."""
    if inspect.isclass(inspect.unwrap(exercise.reference)) or any(c.judge not in ONE_VALUE for c in sheet.cases):
        return (
            [
                Mutant(f"result: {name}", _wrapped(exercise.name, source, f"_whole(r, lambda r: {code})"))
                for name, code in _RESULTS.items()
                if name in ("None", "a string", "zeros", "2r", "−r", "r/2", "r + 0.001", "ones", "reversed")
            ]
            if not inspect.isclass(inspect.unwrap(exercise.reference))
            else []
        )
    if exercise.torch:
        return [
            Mutant(f"result: {n}", _wrapped(exercise.name, source, code))
            for n, code in {
                "−r": "-r",
                "2r": "2 * r",
                "r/2": "r / 2",
                "r + 0.001": "r + 0.001",
                "r²": "r * r",
                "|r| + 1": "r.abs() + 1",
                "r detached": "r.detach()",
                "r as a number": "r.detach().numpy()",
                "None": "None",
                "gradient doubled": "2 * r - r.detach()",
                "gradient reversed": "2 * r.detach() - r",
                "r·N": "r * a.shape[0]",
                "r/N": "r / a.shape[0]",
                "float32": "r.float()",
                "r + a's sum": "r + a.sum()",
                "r − its mean": "r - r.mean()",
            }.items()
        ]
    n_parts = len(sheet.returns) or 1
    made = []
    for name, code in _RESULTS.items():
        for part in range(n_parts if name in ("−r", "2r", "zeros", "transposed", "r + 0.001") and n_parts > 1 else 1):
            if n_parts == 1:
                text = f"_whole(r, lambda r: {code})"
            else:
                text = f"tuple(_whole(p, lambda r: {code}) if i == {part} else p for i, p in enumerate(r))"
            label = f"result: {name}" + (f" in {sheet.returns[part]}" if n_parts > 1 else "")
            mutant = Mutant(label, _wrapped(exercise.name, source, text))
            if _differs(code, part if n_parts > 1 else None, sheet):
                made.append(mutant)
    return made


def _wrapped(name: str, source: str, result: str) -> str:
    helper = "def _whole(r, change):\n    if isinstance(r, (list, tuple)):\n        return type(r)(_whole(p, change) for p in r)\n    return change(r)\n"
    return f"{helper}\n{source}\n_right = {name}\ndef {name}(*args, **kwargs):\n    a = args[0]\n    r = _right(*args, **kwargs)\n    return {result}\n"


def _differs(code: str, part: int | None, sheet: Sheet) -> bool:
    """Whether the change shows in the expected values of some case (|r| of something positive does not)."""

    def change(value: object, a: object) -> object:
        if isinstance(value, list | tuple):
            return type(value)(change(v, a) for v in value)
        return eval(code, {"np": np, "r": value, "a": a})

    for case in sheet.cases:
        value: Any = case.expected[0].get("value")
        a = case.script[0].args[0] if case.script[0].args else None
        try:
            changed = (
                change(value, a) if part is None else [change(v, a) if i == part else v for i, v in enumerate(value)]
            )
            mismatches = compare(value, _as_tree(changed), case.tolerance)
        except Exception:
            continue  # the change cannot be made here: the mutant raises, which is refused anyhow
        if mismatches:
            return True
    return False


def _as_tree(value: object) -> object:
    if isinstance(value, list | tuple):
        return type(value)(map(_as_tree, value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return _as_tree(value.tolist())  # None as an array is None, as it is when it is recorded
    numbers = as_numbers(np.asarray(value)) if isinstance(value, np.ndarray | np.generic | float | int | bool) else None
    return value if numbers is None else numbers
