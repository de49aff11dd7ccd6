"""A text notebook and the specs become the solution and the release: the same each time, complete or not at all, and the release holds no answer."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import class4lib
from autograder import build, course, sheets
from autograder.build import BuildError, build_notebook, cleared, exercise_source, source_of
from autograder.collect import Cell, find_exercises
from autograder.spec import Exercise, Misconception, SpecError, Topic, case, edge, values_and_edge
from class4lib.guards import array, guarded, number
from class4lib.judging import judge
from class4lib.public import topic_sheets

TOPICS = course.topics()
SOFTMAX = course.topic("softmax_cross_entropy")
Reference = Callable[..., Any]


def exercise(reference: Reference) -> Exercise:
    cases = lambda rng: [case("a", rng.normal(size=2)), edge("b", rng.normal(size=2))]  # noqa: E731
    return Exercise(
        reference, values_and_edge(2, 1), cases, (Misconception("m", reference, ""),), ("1", "2", "3"), 5, 2
    )


# ---- the cell of an exercise
@guarded(x=array("N D"), scale=number(above=0))
def example(x: np.ndarray, scale: float = 2.0, *, shift: "np.ndarray | None" = None, **rest: int) -> np.ndarray:
    """One sentence.

    Args:
        x: (N, D).

    Formula:
        y = scale x + shift,
        on two lines.

    Returns:
        (N, D).

    Derivation:
        dy/dx = scale

    Source: a book, eq. 1.

    >>> 1 + 1
    2
    """
    # a comment before the first statement
    y: np.ndarray = scale * x  # (N, D)
    if shift is not None:
        y = y + shift

    return y  # the end


EXAMPLE = '''def example(x, scale=2.0, *, shift=None, **rest):
    """One sentence.

    Args:
        x: (N, D).

    Returns:
        (N, D).

    Source: a book, eq. 1.

    >>> 1 + 1
    2
    """
    ### BEGIN SOLUTION
    # a comment before the first statement
    y: np.ndarray = scale * x  # (N, D)
    if shift is not None:
        y = y + shift

    return y  # the end
    ### END SOLUTION'''


def test_a_cell_is_the_librarys_source_without_guards_annotations_and_the_sections_that_answer() -> None:
    assert exercise_source(exercise(example), {"np"}) == EXAMPLE


def test_the_stub_keeps_signature_and_docstring_and_no_line_of_the_body() -> None:
    stub = cleared(EXAMPLE)
    assert stub == EXAMPLE[: EXAMPLE.index("    ### BEGIN")] + "    raise NotImplementedError  # your code here"
    assert find_exercises(["example"], [Cell("code", stub, "example", "example")])["example"].status == "stub"
    assert find_exercises(["example"], [Cell("code", EXAMPLE, "example", "example")])["example"].status == "written"


class Counter:
    """Counts."""

    total: int

    @guarded(start=number(low=0))
    def __init__(self, start: int = 0) -> None:
        self.total = start

    @property
    def double(self) -> int:
        """Twice the total."""
        return 2 * self.total


def test_a_class_becomes_a_stub_for_every_method() -> None:
    source = exercise_source(exercise(Counter), {"np"})
    assert source == (
        'class Counter:\n    """Counts."""\n\n    def __init__(self, start=0):\n        ### BEGIN SOLUTION\n        self.total = start\n        ### END SOLUTION\n\n'
        '    @property\n    def double(self):\n        """Twice the total."""\n        ### BEGIN SOLUTION\n        return 2 * self.total\n        ### END SOLUTION'
    )
    assert (
        find_exercises(["Counter"], [Cell("code", cleared(source), "Counter", "Counter")])["Counter"].status == "stub"
    )


def _helper(x: Any) -> Any:
    return x


def uses_a_helper(x):
    return _helper(math.sqrt(x)) + sum(k for k in (x,))


def test_a_body_that_uses_a_name_which_the_notebook_does_not_have_stops_the_build() -> None:
    with pytest.raises(BuildError) as caught:
        exercise_source(exercise(uses_a_helper), {"np"})
    assert (
        str(caught.value)
        == "uses_a_helper: its body uses _helper, math, which the notebook does not have: import it in the set-up cell, or write the body without it."
    )
    assert "_helper(math.sqrt(x))" in exercise_source(exercise(uses_a_helper), {"np", "math", "_helper"})


# ---- what stops the build
TEXT = (course.root() / "solutions" / "3_losses" / "softmax_cross_entropy.py").read_text()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], nbformat.NotebookNode]:
    """Build the topic from another text, in a course folder of its own."""
    (tmp_path / "nbgrader_config.py").touch()
    path = tmp_path / "solutions" / "3_losses" / "softmax_cross_entropy.py"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv("CLASS4_ROOT", str(tmp_path))

    def from_text(text: str) -> nbformat.NotebookNode:
        path.write_text(text)
        return build_notebook(SOFTMAX)

    return from_text


def replaced(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


CHECK = '# %% check="softmax"\n'
EXERCISE = '# %% exercise="softmax"\n'
STOPS = {
    "a misspelt marker": (replaced(EXERCISE, '# %% exercize="softmax"\n'), "a cell is marked exercize; known are one of setup, exercise, check, written, and tags. The cell begins: ''"),
    "two markers": (replaced(EXERCISE, '# %% exercise="softmax" check="softmax"\n'), "a cell is marked check, exercise; known are one of setup, exercise, check, written, and tags. The cell begins: ''"),
    "a misspelt exercise": (replaced(EXERCISE, '# %% exercise="sofmax"\n'), f"no exercise is called 'sofmax'; there are {', '.join(SOFTMAX.names)}."),
    "a misspelt check": (replaced(CHECK, '# %% check="sofmax"\n'), f"no exercise is called 'sofmax'; there are {', '.join(SOFTMAX.names)}."),
    "a missing check": (replaced(CHECK, ""), "the notebook must have check_softmax once, got 0 times."),
    "a missing exercise": (replaced(EXERCISE, ""), "the notebook must have softmax once, got 0 times."),
    "an exercise twice": (replaced(EXERCISE, EXERCISE + "\n" + EXERCISE), "the notebook must have softmax once, got 2 times."),
    "no set-up": (replaced("# %% setup=true\n", "# %%\n"), "the notebook must have one cell marked setup=true, got 0."),
    "two set-ups": (replaced(CHECK, CHECK + "\n# %% setup=true\nx = 1\n"), "the notebook must have one cell marked setup=true, got 2."),
    "a missing rubric": (replaced("# - **half** ", "# - half: "), "the written answer why_not_squared_error needs a rubric of three lines that begin - **full**, - **half**, - **none**."),
    "an unknown written answer": (replaced('written="why_not_squared_error"', 'written="why"'), "a cell is marked written='why'; the spec has why_not_squared_error."),
    "a missing written answer": (replaced('# %% [markdown] written="why_not_squared_error"', "# %% [markdown]"), "the notebook must have why_not_squared_error once, got 0 times."),
    "an exercise cell with something in it": (replaced(EXERCISE, EXERCISE + "x = 1\n"), "the cell of exercise softmax must be empty: its source is the library's."),
}  # fmt: skip


@pytest.mark.parametrize("kind", STOPS)
def test_an_instructors_mistake_stops_the_build_and_says_which(kind: str, built: Callable[[str], Any]) -> None:
    text, message = STOPS[kind]
    with pytest.raises(SpecError) as caught:
        built(text)
    assert str(caught.value) == f"softmax_cross_entropy: {message}"


def test_exercises_in_another_order_than_the_specs_stop_the_build(built: Callable[[str], Any]) -> None:
    text = (
        TEXT.replace('exercise="softmax"', 'exercise="X"')
        .replace('exercise="log_softmax"', 'exercise="softmax"')
        .replace('exercise="X"', 'exercise="log_softmax"')
    )
    with pytest.raises(BuildError) as caught:
        built(text)
    assert (
        str(caught.value)
        == f"softmax_cross_entropy: the exercises stand in the order log_softmax, softmax, {', '.join(SOFTMAX.names[2:])}; the spec's is {', '.join(SOFTMAX.names)}."
    )


def test_a_name_that_the_setup_does_not_import_stops_the_build(
    built: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = replaced("import numpy as np\n", "import numpy\n")
    assert built(text)  # np is always known
    wrong = Topic(SOFTMAX.name, SOFTMAX.assignment, "", (exercise(uses_a_helper),))
    with pytest.raises(BuildError, match=r"^uses_a_helper: its body uses _helper, math, which"):
        build._cells(wrong, nbformat.v4.new_code_cell("", metadata={"exercise": "uses_a_helper"}), {"np"})


def test_a_missing_text_notebook_stops_the_build(built: Callable[[str], Any], tmp_path: Path) -> None:
    built(TEXT)
    (tmp_path / "solutions" / "3_losses" / "softmax_cross_entropy.py").unlink()
    with pytest.raises(BuildError) as caught:
        build_notebook(SOFTMAX)
    assert (
        str(caught.value)
        == "softmax_cross_entropy: its text notebook solutions/3_losses/softmax_cross_entropy.py is missing."
    )


def test_a_solution_cell_that_raises_stops_the_build(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x = 1", id="a"), nbformat.v4.new_code_cell("1 / 0", id="b")]
    )
    notebook.metadata["class4"] = {"topic": "losses"}
    with pytest.raises(BuildError) as caught:
        build.execute(notebook, tmp_path)
    assert str(caught.value).startswith("losses: a cell of the solution raised.\n")
    assert "ZeroDivisionError: division by zero" in re.sub(r"\x1b\[[0-9;]*m", "", str(caught.value))


# ---- the same each time
def test_the_same_text_gives_the_same_bytes(built: Callable[[str], Any]) -> None:
    first = nbformat.writes(built(TEXT))
    assert nbformat.writes(built(TEXT)) == first
    assert nbformat.writes(built(TEXT.replace("two hours", "three hours"))) != first
    source = "import nbformat, sys\nfrom autograder import build, course\nsys.stdout.write(nbformat.writes(build.build_notebook(course.topic('softmax_cross_entropy'))))"
    built(TEXT)
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "3"},
    )
    assert done.stdout == first


def test_cells_are_named_and_marked_as_nbgrader_wants_them(built: Callable[[str], Any]) -> None:
    notebook = built(TEXT)
    nbformat.validate(notebook)
    cells = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    assert cells["softmax"].metadata.nbgrader == {
        "grade": False,
        "grade_id": "softmax",
        "locked": False,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }
    assert cells["check_softmax"].metadata.nbgrader == {
        "grade": True,
        "grade_id": "check_softmax",
        "locked": True,
        "points": 4,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    assert cells["check_cross_entropy_grad"].metadata.nbgrader.points == 0  # bonus stays out of the assignment's points
    assert cells["check_softmax"].source == 'check("softmax")'
    assert cells["setup"].metadata.nbgrader.locked
    assert [c["id"] for c in notebook.cells if "nbgrader" in c.metadata][:3] == ["setup", "softmax", "check-softmax"]
    assert len({c["id"] for c in notebook.cells}) == len(notebook.cells)
    assert notebook.metadata.class4 == {
        "topic": "softmax_cross_entropy",
        "assignment": "3_losses",
        "version": class4lib.__version__,
    }
    assert notebook.metadata.kernelspec.name == "python3"
    heading = notebook.cells[[c["id"] for c in notebook.cells].index("softmax") - 1]
    assert (
        heading.source
        == '### Exercise: `softmax`\n\n4 points · about 10 minutes · difficulty ●●○○○ · stuck? `hint("softmax")`'
    )


# ---- every topic, as it is on disk
def release_path(topic: Topic) -> Path:
    return course.root() / "notebooks" / topic.assignment / f"{topic.name}.ipynb"


def bodies(notebook: Any) -> list[str]:
    """Lines between solution marks."""
    found = []
    for cell in notebook.cells:
        for part in re.findall(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", cell.source, re.S):
            found += [line.strip() for line in part.split("\n")]
    return found


def answers_in(source: str, lines: Sequence[str]) -> list[str]:
    """Lines of a solution that stand in a source; what is too short to be an answer does not count."""
    held = {line.strip() for line in source.split("\n")}
    return sorted({line for line in lines if len(line) > 24 and line in held})


@pytest.mark.parametrize("name", TOPICS)
def test_the_executed_solution_on_disk_is_what_builds_now(name: str) -> None:
    topic = course.topic(name)
    assert build.is_fresh(topic), f"class4 release {topic.assignment}"


@pytest.mark.parametrize("name", TOPICS)
def test_the_release_on_disk_is_the_cleared_solution(name: str) -> None:
    topic = course.topic(name)
    released = nbformat.read(release_path(topic), as_version=4)
    wanted = []
    for cell in build_notebook(topic).cells:
        is_answer = cell.metadata.get("nbgrader", {}).get("solution")
        wanted.append(
            (cell["id"], "*Your answer here.*" if is_answer and cell.cell_type == "markdown" else cleared(cell.source))
        )
    assert [(c["id"], c.source) for c in released.cells] == wanted
    assert [c.get("outputs", []) for c in released.cells if c.cell_type == "code"] == [[]] * sum(
        c.cell_type == "code" for c in released.cells
    )


@pytest.mark.parametrize("name", TOPICS)
def test_the_release_holds_no_line_of_a_solution(name: str) -> None:
    lines = bodies(build_notebook(course.topic(name)))
    text = "\n".join(c.source for c in nbformat.read(release_path(course.topic(name)), as_version=4).cells)
    assert len(lines) > 5
    assert answers_in(text, lines) == []
    for mark in ("BEGIN SOLUTION", "Formula:", "Derivation:", "guarded"):
        assert mark not in text


def test_a_line_of_a_solution_in_a_release_is_found() -> None:
    lines = bodies(build_notebook(SOFTMAX))
    line = "shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (..., K), largest entry 1"
    assert answers_in(f"def f():\n        {line}\n", lines) == [line]


@pytest.mark.parametrize("name", TOPICS)
def test_every_exercise_of_the_release_is_recognised_as_not_attempted(name: str) -> None:
    topic = course.topic(name)
    cells = [
        Cell(c.cell_type, c.source, c["id"], c.metadata.get("nbgrader", {}).get("grade_id", ""))
        for c in nbformat.read(release_path(topic), as_version=4).cells
    ]
    assert {n: f.status for n, f in find_exercises(topic.names, cells).items()} == dict.fromkeys(topic.names, "stub")


@pytest.mark.parametrize("name", TOPICS)
def test_the_solutions_checks_all_passed_when_it_was_executed(name: str) -> None:
    notebook = nbformat.read(build.solution_path(course.topic(name)), as_version=4)
    checks = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_")]
    assert len(checks) == len(course.topic(name).exercises)
    for cell in checks:
        (output,) = cell.outputs
        assert output["data"]["text/plain"].startswith("✓"), cell.source


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two pieces of JSON data differ; floats may by two units of the ninth digit, to which sheets round them: kernels differ in the last bits."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for k in a for d in differences(a[k], b[k], f"{where}.{k}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{where}[{i}]")]
    if isinstance(a, float) and isinstance(b, float):
        return (
            [] if math.isclose(a, b, rel_tol=2e-8, abs_tol=1e-12) or (a != a and b != b) else [f"{where}: {a} and {b}"]
        )
    return [] if type(a) is type(b) and a == b else [f"{where}: {str(a)[:60]} and {str(b)[:60]}"]


@pytest.mark.parametrize("name", TOPICS)
def test_the_public_cases_on_disk_are_what_the_specs_give(name: str) -> None:
    """What a wrong version gives may hang on rounding (the inverse of a singular matrix), and so on the processor: then it must still be named."""
    path = Path(class4lib.__file__).parent / "public" / f"{name}.json"
    on_disk, made = (
        [dict(tree["dict"]) for tree in json.loads(text)]
        for text in (path.read_text(), sheets.public_json(course.topic(name)))
    )
    for old, new, sheet in zip(on_disk, made, sheets.public_sheets(name).values(), strict=True):
        theirs, ours = ([m["tuple"] for m in tree.pop("mistakes")] for tree in (old, new))
        assert differences(old, new) == []
        assert [m[:2] for m in theirs] == [m[:2] for m in ours]
        for a, b, mistake in zip(theirs, ours, sheet.mistakes, strict=True):
            if differences(a, b):
                verdict = judge(topic_sheets(name)[sheet.name], mistake.records)
                assert (verdict.status, verdict.misconception) in ((s, mistake.name) for s in ("failed", "partial"))


def test_a_public_case_that_is_not_what_the_specs_give_is_found() -> None:
    assert differences([1.0, {"a": [2.0]}], [1.0 + 1e-11, {"a": [2.0]}]) == []
    assert differences([1.0, {"a": [2.0]}], [1.0, {"a": [2.00001]}]) == ["[1].a[0]: 2.0 and 2.00001"]
    assert differences([1], [1.0]) == ["[0]: 1 and 1.0"]
    assert differences([1], [1, 2]) == [": [1] and [1, 2]"]


def test_what_differs_when_built_again_is_seen(built: Callable[[str], Any]) -> None:
    one, other = built(TEXT), built(TEXT)
    assert source_of(one) == source_of(other)
    other.cells[3].source += " "
    assert source_of(one) != source_of(other)
    other = built(TEXT)
    other.cells[-1].metadata["tags"] = ["x"]
    assert source_of(one) != source_of(other)


def test_nothing_but_notebooks_is_released() -> None:
    files = [p for p in (course.root() / "notebooks").rglob("*") if p.is_file() and ".ipynb_checkpoints" not in p.parts]
    assert {p.suffix for p in files} <= {".ipynb"}
    known = {f"{a}/{t}.ipynb" for a, names in course.ASSIGNMENTS.items() for t in names}
    assert {str(p.relative_to(course.root() / "notebooks")) for p in files} - known <= {"overview.ipynb"}
