"""collect: a notebook becomes the source of each exercise. Reads text, runs nothing.

An exercise is taken from the cell that carries its grade_id, else from the last definition of its name anywhere. With it go the imports,
definitions and constants that it needs, found by following names through the syntax trees; everything else in the notebook is left alone.
"""

import ast
import hashlib
import json
import re
import symtable
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.parsing import parse

MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_CELLS = 5000


class Unreadable(ValueError):
    """A file that is not a notebook; the message is one sentence for student and instructor."""


@dataclass(frozen=True)
class Cell:
    """A cell as collect sees it. label: its grade_id, or "cell 7"."""

    kind: str
    source: str
    label: str
    grade_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What was found of one exercise. status: written, stub, absent or syntax; units: (label, text) to execute in order; uses: other exercises it calls."""

    name: str
    status: str
    units: tuple[tuple[str, str], ...] = ()
    uses: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Submission:
    """A notebook, collected."""

    topic: str
    cells: tuple[Cell, ...]
    found: Mapping[str, Found]
    notes: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class _Binding:
    """A top-level statement that binds names."""

    names: frozenset[str]
    needs: frozenset[str]
    text: str
    cell: int
    label: str
    grade_id: str
    is_stub: bool
    is_star: bool


def read_cells(path: Path) -> tuple[dict[str, Any], tuple[Cell, ...]]:
    """The notebook's metadata and cells.

    Raises:
        Unreadable: the file is missing, a link, too large, not JSON or not a notebook.
    """
    if path.is_symlink():
        raise Unreadable(f"{path.name} is a link to another file: hand in the notebook itself.")
    if not path.is_file():
        raise Unreadable(f"{path.name} is not there.")
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        raise Unreadable(
            f"{path.name} is larger than {MAX_NOTEBOOK_BYTES // 2**20} MiB: clear its outputs and hand it in again."
        )
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        reason = "is empty" if path.stat().st_size == 0 else "is cut off or damaged: it is not a complete notebook file"
        raise Unreadable(f"{path.name} {reason}. Open it in JupyterLab, save it and hand it in again.") from None
    cells = data.get("cells") if isinstance(data, dict) else None
    if cells is None and isinstance(data, dict) and isinstance(data.get("worksheets"), list):  # nbformat 3
        cells = [c for w in data["worksheets"] if isinstance(w, dict) for c in w.get("cells", [])]
    if not isinstance(cells, list):
        raise Unreadable(f"{path.name} is not a notebook: it holds no cells.")
    metadata = data.get("metadata")
    return metadata if isinstance(metadata, dict) else {}, tuple(
        _cell(i, c) for i, c in enumerate(cells[:MAX_CELLS]) if isinstance(c, dict)
    )


def _cell(index: int, raw: dict[str, Any]) -> Cell:
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    metadata = _dict(raw.get("metadata"))
    grade_id = _dict(metadata.get("nbgrader")).get("grade_id")
    grade_id = grade_id if isinstance(grade_id, str) else ""
    text = source if isinstance(source, str) else ""
    return Cell(str(raw.get("cell_type", "")), text, grade_id or f"cell {index + 1}", grade_id, metadata)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def collect(path: Path, topics: Mapping[str, tuple[str, ...]], setup: Mapping[str, str] = {}) -> Submission:
    """Read a notebook and find its exercises.

    Args:
        path: the file; its name need not be the topic's.
        topics: topic -> names of its exercises.
        setup: topic -> source of the release's set-up cell, which stands before everything of the student's.

    Raises:
        Unreadable: it is no notebook, or no topic's.
    """
    metadata, cells = read_cells(path)
    topic, note = _topic(path, metadata, cells, topics)
    names = topics[topic]
    notes = [note] if note else []
    for name in names:
        copies = sum(c.kind == "code" and c.grade_id == name for c in cells)
        if copies > 1:
            notes.append(f"The cell {name} is there {copies} times: the last one that defines it counts.")
    found = find_exercises(names, cells, setup.get(topic, ""))
    digest = hashlib.sha256(
        json.dumps([(c.kind, c.source, c.grade_id) for c in cells]).encode(errors="surrogatepass")
    ).hexdigest()
    return Submission(topic, cells, found, tuple(notes), digest)


def _topic(
    path: Path, metadata: dict[str, Any], cells: tuple[Cell, ...], topics: Mapping[str, tuple[str, ...]]
) -> tuple[str, str]:
    named = metadata.get("class4") if isinstance(metadata.get("class4"), dict) else {}
    claimed = named.get("topic")
    topic = claimed if isinstance(claimed, str) and claimed in topics else ""
    if not topic and path.stem in topics:
        topic = path.stem
    if not topic:
        ids = {c.grade_id for c in cells if c.kind == "code"}
        text = "\n".join(c.source for c in cells if c.kind == "code")
        ids |= set(re.findall(r"^\s*(?:def|class)\s+(\w+)", text, re.M))
        topic = max(topics, key=lambda t: len(ids & set(topics[t])), default="")
        if not topic or not ids & set(topics[topic]):
            raise Unreadable(f"{path.name} is a notebook without any exercise of this course.")
    return (
        topic,
        ""
        if path.stem == topic
        else f"The file is called {path.name}, not {topic}.ipynb: it was recognised by its contents.",
    )


def find_exercises(names: Iterable[str], cells: Iterable[Cell], setup: str = "") -> dict[str, Found]:
    """Each exercise's definition with all it needs."""
    bindings: list[_Binding] = []
    broken: dict[str, tuple[str, str]] = {}  # name -> (label, error) of cells that do not parse
    sources = [Cell("code", setup, "set-up"), *cells]
    for i, cell in enumerate(sources):
        if cell.kind != "code":
            continue
        try:
            bindings += _bindings(i, cell)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            text = f"The cell {cell.label} cannot be read by Python{line}: {getattr(error, 'msg', None) or error}"
            for name in re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", cell.source, re.M):
                broken[name[0] or name[1]] = (cell.grade_id, text)
            if cell.grade_id:
                broken.setdefault(cell.grade_id, (cell.grade_id, text))
    every = tuple(names)
    return {name: _find(name, every, bindings, broken) for name in every}


def _find(name: str, exercises: tuple[str, ...], bindings: list[_Binding], broken: dict[str, tuple[str, str]]) -> Found:
    chosen = _definitions(name, bindings)
    if name in broken and (broken[name][0] == name or not chosen):
        return Found(name, "syntax", error=broken[name][1])
    if not chosen:
        present = any(name in b.names for b in bindings)
        return Found(name, "stub" if present else "absent")
    picked = {id(b): b for b in bindings if b.is_star}
    wanted, seen = [name], {name}
    uses = []
    while wanted:
        current = wanted.pop()
        for binding in _definitions(current, bindings, with_stubs=current != name):
            picked[id(binding)] = binding
            for needed in binding.needs - seen:
                seen.add(needed)
                wanted.append(needed)
                if needed in exercises:
                    uses.append(needed)
    order = {id(b): i for i, b in enumerate(bindings)}
    units = tuple((f"{b.label}#{i}", b.text) for i, b in enumerate(sorted(picked.values(), key=lambda b: order[id(b)])))
    return Found(name, "written", units, tuple(sorted(uses)))


def _definitions(name: str, bindings: list[_Binding], with_stubs: bool = False) -> list[_Binding]:
    """The statements that give a name its value: those of its own cell (the last copy), else all of them."""
    all_of_it = [b for b in bindings if name in b.names and (with_stubs or not b.is_stub)]
    own = [b for b in all_of_it if b.grade_id == name and not b.is_stub]
    if own:
        return [b for b in own if b.cell == own[-1].cell]
    return all_of_it


def _bindings(index: int, cell: Cell) -> list[_Binding]:
    source = cell.source.replace("\r\n", "\n").replace("\x00", "")
    try:
        tree = parse(source)
    except SyntaxError:
        source = without_magics(source)
        tree = parse(source)
    lines = source.split("\n")
    found = []
    for node in tree.body:
        names = _bound(node)
        if not names and not _is_star(node):
            continue
        text = _text(node, lines)
        found.append(
            _Binding(
                frozenset(names),
                frozenset(global_names(text)),
                text,
                index,
                cell.label,
                cell.grade_id,
                is_stub(node),
                _is_star(node),
            )
        )
    return found


def without_magics(source: str) -> str:
    """The source with IPython's magics, shell lines and help lines blanked, so that line numbers stay."""
    if re.match(r"\s*%%(?!time|capture|prun)", source):
        return ""
    return "\n".join(
        "" if re.match(r"\s*[%!]", line) or re.search(r"\w\?{1,2}\s*$", line) else line for line in source.split("\n")
    )


def _bound(node: ast.stmt) -> set[str]:
    """Names that a top-level statement binds at module level."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(a.asname or a.name).split(".")[0] for a in node.names if a.name != "*"}
    if isinstance(node, ast.Expr):
        return set()
    names: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(item.name)
        elif isinstance(item, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in item.names if a.name != "*"}
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.add(item.id)
        elif isinstance(item, ast.Subscript | ast.Attribute) and isinstance(item.ctx, ast.Store):
            base: ast.AST = item
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name):
                names.add(base.id)
        if not isinstance(
            item,
            ast.Lambda | ast.FunctionDef | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        ):
            stack.extend(ast.iter_child_nodes(item))
    return names


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)


def global_names(text: str) -> set[str]:
    """Global names that a statement refers to, also inside its functions."""
    needs: set[str] = set()
    try:
        tables = [symtable.symtable(text, "<cell>", "exec")]
    except (SyntaxError, RecursionError, ValueError):
        return needs
    top = tables[0]
    while tables:
        table = tables.pop()
        needs |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
        tables += table.get_children()
    return needs


def _text(node: ast.stmt, lines: list[str]) -> str:
    """The statement's own lines, moved down so that they keep their numbers."""
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    end = node.end_lineno or node.lineno
    text = "\n" * (start - 1) + "\n".join(lines[start - 1 : end])
    try:
        if len(parse(text).body) == 1:
            return text
    except SyntaxError:
        pass
    return "\n" * (start - 1) + ast.unparse(node)  # it shares a line with another statement


def is_stub(node: ast.AST) -> bool:
    """Whether a definition is as it was given: nothing but a docstring, `pass`, `...` or a NotImplementedError."""
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        return bool(methods) and all(is_stub(n) for n in methods)
    if not isinstance(node, ast.FunctionDef):
        return False
    body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if not body:
        return True
    first = body[0]
    if isinstance(first, ast.Raise) and first.exc is not None:
        raised = first.exc.func if isinstance(first.exc, ast.Call) else first.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return len(body) == 1 and isinstance(first, ast.Pass)
