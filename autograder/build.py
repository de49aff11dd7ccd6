"""build: a text notebook and the specs become the solution notebook, and stock nbgrader makes the release from it.

A text notebook (solutions/<assignment>/<topic>.py, jupytext's py:percent) marks a cell in one line: `setup=true`, `exercise="softmax"`,
`check="softmax"`, `written="name"`. Source, points and nbgrader's metadata come from the library and the spec. A marker that names nothing
stops the build, and so does a body that uses a name the notebook does not have.
"""

import ast
import builtins
import copy
import inspect
import os
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

import class4lib
from autograder import course, sheets
from autograder.nbgrader_command import NbgraderError, nbgrader
from autograder.parsing import parse
from autograder.spec import Exercise, SpecError, Topic

OVERVIEW = Path("solutions/overview.py")
MARKERS = ("setup", "exercise", "check", "written")
SOLUTION_ONLY = re.compile(r"^(Formula|Derivation):\n(?:(?:[ \t].*)?\n)*", re.M)
RUBRIC = ("- **full**", "- **half**", "- **none**")


class BuildError(SpecError):
    """An instructor's mistake in a text notebook, which stops the build."""


def source_path(topic: Topic) -> Path:
    return course.root() / "solutions" / topic.assignment / f"{topic.name}.py"


def solution_path(topic: Topic) -> Path:
    return source_path(topic).with_suffix(".ipynb")


def build_notebook(topic: Topic) -> NotebookNode:
    """The solution notebook of a topic, not executed: the same text gives the same bytes.

    Raises:
        BuildError: a marker, a name or a part is wrong.
    """
    path = source_path(topic)
    if not path.exists():
        raise BuildError(f"{topic.name}: its text notebook {path.relative_to(course.root())} is missing.")
    text = jupytext.reads(path.read_text(), fmt="py:percent")
    setup_names = _setup_names(topic, text.cells)
    cells: list[NotebookNode] = []
    for raw in text.cells:
        cells += _cells(topic, raw, setup_names)
    _check_complete(topic, cells)
    return _notebook(cells, topic=topic.name, assignment=topic.assignment)


def build_overview() -> NotebookNode:
    """The overview of the course (solutions/overview.py) as a notebook, not executed. It has no exercises, so no marker may stand in it."""
    text = jupytext.reads((course.root() / OVERVIEW).read_text(), fmt="py:percent")
    marked = [k for c in text.cells for k in c.metadata if k not in ("tags", "lines_to_next_cell")]
    if marked:
        raise BuildError(f"overview: a cell is marked {marked[0]}; the overview has no exercises.")
    return _notebook([_plain(c) for c in text.cells], topic="overview")


def _plain(raw: NotebookNode) -> NotebookNode:
    new = nbformat.v4.new_markdown_cell if raw.cell_type == "markdown" else nbformat.v4.new_code_cell
    return new(raw.source, metadata={k: v for k, v in raw.metadata.items() if k == "tags"})


def _notebook(cells: list[NotebookNode], **about: str) -> NotebookNode:
    """The cells with ids of their own, and the notebook's metadata."""
    for i, cell in enumerate(cells):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell["id"] = re.sub(r"[^a-zA-Z0-9-]", "-", f"{grade_id}" if grade_id else f"cell-{i:03d}")[:64]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "class4": {**about, "version": class4lib.__version__},
        }
    )
    notebook.nbformat_minor = 5
    return notebook


def _cells(topic: Topic, raw: NotebookNode, setup_names: set[str]) -> list[NotebookNode]:
    metadata = {k: v for k, v in raw.metadata.items() if k not in ("lines_to_next_cell", *MARKERS)}
    markers = {k: raw.metadata[k] for k in MARKERS if k in raw.metadata}
    unknown = set(metadata) - {"tags"}
    if unknown or len(markers) > 1:
        raise BuildError(
            f"{topic.name}: a cell is marked {', '.join(sorted(unknown) or sorted(markers))}; known are one of {', '.join(MARKERS)}, and tags. The cell begins: {raw.source[:60]!r}"
        )
    if "exercise" in markers:
        exercise = topic.exercise(markers["exercise"])
        if raw.source.strip():
            raise BuildError(
                f"{topic.name}: the cell of exercise {exercise.name} must be empty: its source is the library's."
            )
        return [
            _heading(exercise),
            _code(exercise_source(exercise, setup_names | set(topic.names)), exercise.name, solution=True),
        ]
    if "check" in markers:
        exercise = topic.exercise(markers["check"])
        return [
            _code(
                f'check("{exercise.name}")',
                f"check_{exercise.name}",
                points=0 if exercise.extension else exercise.points,
                locked=True,
            )
        ]
    if "written" in markers:
        return [_written(topic, markers["written"], raw.source)]
    if "setup" in markers:
        return [_code(raw.source, "setup", locked=True)]
    return [_plain(raw)]


def _heading(exercise: Exercise) -> NotebookNode:
    kind = "bonus, " if exercise.extension else ""
    points = f"{exercise.points:g} point{'s' if exercise.points != 1 else ''}"
    dots = "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)
    return nbformat.v4.new_markdown_cell(
        f'### Exercise: `{exercise.name}`\n\n{kind}{points} · about {exercise.minutes} minutes · difficulty {dots} · stuck? `hint("{exercise.name}")`'
    )


def _code(
    source: str, grade_id: str, *, solution: bool = False, points: float | None = None, locked: bool = False
) -> NotebookNode:
    nbgrader = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        nbgrader["points"] = points
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": nbgrader})


def _written(topic: Topic, name: str, source: str) -> NotebookNode:
    found = [w for w in topic.written if w.name == name]
    if not found:
        raise BuildError(
            f"{topic.name}: a cell is marked written={name!r}; the spec has {', '.join(w.name for w in topic.written) or 'none'}."
        )
    if not all(level in source for level in RUBRIC):
        raise BuildError(
            f"{topic.name}: the written answer {name} needs a rubric of three lines that begin {', '.join(RUBRIC)}."
        )
    text = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    nbgrader = {
        "grade": True,
        "grade_id": name,
        "locked": False,
        "points": found[0].points,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }
    return nbformat.v4.new_markdown_cell(text, metadata={"nbgrader": nbgrader})


def _setup_names(topic: Topic, cells: list[NotebookNode]) -> set[str]:
    setups = [c.source for c in cells if "setup" in c.metadata]
    if len(setups) != 1:
        raise BuildError(f"{topic.name}: the notebook must have one cell marked setup=true, got {len(setups)}.")
    names = {"np"}
    for node in ast.walk(parse(setups[0])):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
    return names


def _check_complete(topic: Topic, cells: list[NotebookNode]) -> None:
    ids = [c.metadata["nbgrader"]["grade_id"] for c in cells if "nbgrader" in c.metadata]
    wanted = [i for name in topic.names for i in (name, f"check_{name}")] + [w.name for w in topic.written] + ["setup"]
    for grade_id in wanted:
        if ids.count(grade_id) != 1:
            raise BuildError(f"{topic.name}: the notebook must have {grade_id} once, got {ids.count(grade_id)} times.")
    order = [i for i in ids if i in topic.names]
    if order != list(topic.names):
        raise BuildError(
            f"{topic.name}: the exercises stand in the order {', '.join(order)}; the spec's is {', '.join(topic.names)}."
        )


def exercise_source(exercise: Exercise, known: set[str]) -> str:
    """The cell of an exercise: the library's own source between solution marks, without guards, annotations and the sections that are the answer."""
    function = inspect.unwrap(exercise.reference)
    text = textwrap.dedent(inspect.getsource(function))
    lines = text.split("\n")
    node = parse(text).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    _check_free_names(exercise, node, known)
    if isinstance(node, ast.FunctionDef):
        return _function(node, lines, "")
    parts = [f"class {node.name}:"]
    docstring = ast.get_docstring(node)
    if docstring:
        parts += [_docstring(docstring, "    "), ""]
    for method in node.body:
        if isinstance(method, ast.FunctionDef):
            parts += [_function(method, lines, "    "), ""]
    return "\n".join(parts).rstrip()


def _function(node: ast.FunctionDef, lines: list[str], indent: str) -> str:
    kept = [f"{indent}@{ast.unparse(d)}" for d in node.decorator_list if "guarded" not in ast.unparse(d)]
    arguments = ast.unparse(_bare(node.args))
    parts = [*kept, f"{indent}def {node.name}({arguments}):"]
    docstring = ast.get_docstring(node)
    if docstring:
        parts.append(_docstring(docstring, indent + "    "))
    body = node.body[1:] if docstring else node.body
    first, last = body[0].lineno, body[-1].end_lineno or body[-1].lineno
    while first >= 2 and lines[first - 2].lstrip().startswith("#"):
        first -= 1  # a comment above the first statement belongs to the body
    solution = textwrap.indent(textwrap.dedent("\n".join(lines[first - 1 : last])), indent + "    ")
    return "\n".join([*parts, f"{indent}    ### BEGIN SOLUTION", solution, f"{indent}    ### END SOLUTION"])


def _bare(arguments: ast.arguments) -> ast.arguments:
    for argument in (*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg):
        if argument is not None:
            argument.annotation = None
    return arguments


def _docstring(docstring: str, indent: str) -> str:
    shown = re.sub(r"\n{3,}", "\n\n", SOLUTION_ONLY.sub("", docstring + "\n")).strip()
    if "\n" not in shown:
        return f'{indent}"""{shown}"""'
    return textwrap.indent(f'"""{shown}\n"""', indent, lambda line: bool(line.strip()))


def _check_free_names(exercise: Exercise, node: ast.AST, known: set[str]) -> None:
    from autograder.collect import global_names

    node = copy.deepcopy(node)  # a method's own decorators stay in the cell
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            part.decorator_list = []
        if isinstance(part, ast.FunctionDef):
            part.returns = None
            _bare(part.args)
        if isinstance(part, ast.AnnAssign):
            part.annotation = ast.Constant(None)
    free = global_names(ast.unparse(node)) - known - set(dir(builtins)) - {exercise.name}
    if free:
        raise BuildError(
            f"{exercise.name}: its body uses {', '.join(sorted(free))}, which the notebook does not have: import it in the set-up cell, or write the body without it."
        )


def cleared(source: str) -> str:
    """A cell's source with the parts between solution marks replaced by the stub, as nbgrader's ClearSolutions does."""
    return re.sub(
        r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION",
        r"\1raise NotImplementedError  # your code here",
        source,
        flags=re.M | re.S,
    )


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom in a kernel of its own.

    Raises:
        BuildError: a cell raised; the message has the cell and the error.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    with tempfile.TemporaryDirectory() as scratch:
        kept = {k: os.environ.get(k) for k in ("CLASS4_PROGRESS", "PYDEVD_DISABLE_FILE_VALIDATION")}
        os.environ.update({"CLASS4_PROGRESS": f"{scratch}/progress.json", "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
        try:
            NotebookClient(
                notebook,
                timeout=600,
                kernel_name="python3",
                record_timing=False,
                resources={"metadata": {"path": str(folder)}},
            ).execute()
        except CellExecutionError as error:
            raise BuildError(
                f"{notebook.metadata['class4']['topic']}: a cell of the solution raised.\n{error}"
            ) from None
        finally:
            for k, v in kept.items():
                os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def source_of(notebook: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    """What of a notebook must be the same when it is built again: id, kind, source and metadata of each cell."""
    return [(c["id"], c["cell_type"], c["source"], dict(c["metadata"])) for c in notebook.cells]


def is_fresh(topic: Topic) -> bool:
    """Whether the executed solution on disk is what its text and specs build now."""
    return _is_built_from(solution_path(topic), build_notebook(topic))


def _is_built_from(path: Path, notebook: NotebookNode) -> bool:
    return path.exists() and source_of(nbformat.read(path, as_version=4)) == source_of(notebook)


def build_solution(topic: Topic, *, force: bool = False) -> bool:
    """Write the executed solution notebook where it is not fresh; returns whether it was run."""
    if not force and is_fresh(topic):
        return False
    notebook = execute(build_notebook(topic), solution_path(topic).parent)
    nbformat.write(notebook, solution_path(topic))
    return True


def release_overview(*, force: bool = False) -> None:
    """Write the executed overview where it is not fresh, and its release without outputs; it comes after the parts, whose public cases it lists."""
    path, made = (course.root() / OVERVIEW).with_suffix(".ipynb"), build_overview()
    bare = copy.deepcopy(made)
    if force or not _is_built_from(path, made):
        nbformat.write(execute(made, path.parent), path)
    nbformat.write(bare, course.root() / "notebooks" / path.name)


def release(assignment: str, *, force: bool = False) -> None:
    """Public sheets, executed solutions and nbgrader's release of an assignment.

    Raises:
        BuildError: a notebook cannot be built, or nbgrader refuses; its last words are in the message.
    """
    for name in course.assignment_topics(assignment):
        sheets.write_public(course.topic(name))
    for name in course.assignment_topics(assignment):
        build_solution(course.topic(name), force=force)
    (course.root() / "var").mkdir(exist_ok=True)
    try:
        nbgrader("generate_assignment", assignment, "--force", "--create")
    except NbgraderError as error:
        if "there are submissions associated with it" not in error.log:
            raise BuildError(str(error)) from None
        raise BuildError(
            f"{assignment}: its notebooks changed and the gradebook holds hand-ins of the old ones, which nbgrader does not rewrite. "
            "Move var/gradebook.db aside, release, and `class4 grade` again: the verdict files keep what was judged; note down scores given by hand."
        ) from None
