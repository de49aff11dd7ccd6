"""Who may import whom, read from the syntax trees of all files."""

import ast
import os
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import course

ROOT = Path(__file__).parent.parent
LIBRARY = sorted((ROOT / "class4lib").rglob("*.py"))
GRADER = sorted((ROOT / "autograder").rglob("*.py"))
TOPICS = [t for names in course.ASSIGNMENTS.values() for t in names]
HEAVY = ("torch", "sklearn", "matplotlib", "IPython", "scipy", "nbgrader", "nbformat", "jupytext")
KNOW_NBGRADER = {
    "autograder/build.py",
    "autograder/record.py",
    "autograder/nbgrader_plugins.py",
    "autograder/nbgrader_config.py",
    "autograder/classroom.py",
}
WORKER = (
    "autograder/run/worker.py",
    "autograder/run/jail.py",
    "class4lib/values.py",
    "class4lib/calls.py",
    "class4lib/counting.py",
    "class4lib/doubles.py",
)


def imports(source: str, *, top_level: bool = False) -> set[str]:
    """Full names of the modules that a source imports (of `from a import b` both a and a.b); top_level: those that run on import."""
    found = set()
    for node in _run_on_import(ast.parse(source)) if top_level else ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{a.name}" for a in node.names} | {str(node.module)}
        elif isinstance(node, ast.ImportFrom):
            found.add(f"relative to {node.level}")
    return found


def _run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes outside functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _run_on_import(child)


def roots(names: set[str]) -> set[str]:
    return {n.split(".")[0] for n in names}


def ours(names: set[str], package: str) -> set[str]:
    """Modules of a package among the names: class4lib.basics.relu and class4lib.basics are both basics."""
    return {n.split(".")[1] for n in names if n.startswith(f"{package}.")}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---- what is forbidden, as functions of a source, so that each rule is shown failing
def library_faults(source: str) -> set[str]:
    return (
        (roots(imports(source)) & {"autograder", "tests"})
        | (roots(imports(source, top_level=True)) & set(HEAVY))
        | {n for n in imports(source) if n.startswith("relative")}
    )


def topic_faults(topic: str, source: str) -> set[str]:
    allowed = {"basics", "guards", "types", *TOPICS[: TOPICS.index(topic)]}
    if topic == "capstone":
        allowed |= {"training", "network"}  # it puts everything together
    return ours(imports(source), "class4lib") - allowed


def worker_faults(source: str) -> set[str]:
    """What is no standard library, NumPy, neighbour of the worker; torch where it is asked for, inside a function."""
    neighbours = {"values", "calls", "counting", "doubles", "jail"}
    packages = {n.split(".")[0] for n in imports(source)} - {"class4lib"}
    from_library = ours(imports(source), "class4lib") - neighbours
    return (
        (packages - set(sys.stdlib_module_names) - {"numpy", "torch"} - neighbours)
        | (roots(imports(source, top_level=True)) & set(HEAVY))
        | from_library
    )


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_the_library_imports_nothing_of_the_grader_and_nothing_heavy(path: Path) -> None:
    assert library_faults(path.read_text()) == ({"matplotlib"} if path.stem == "plots" else set())


def test_plots_which_needs_matplotlib_is_imported_by_no_other_module() -> None:
    assert [name(p) for p in (*LIBRARY, *GRADER) if "plots" in ours(imports(p.read_text()), "class4lib")] == []


@pytest.mark.parametrize("topic", [t for t in TOPICS if (ROOT / "class4lib" / f"{t}.py").exists()])
def test_a_topic_imports_basics_guards_types_and_earlier_topics_only(topic: str) -> None:
    assert topic_faults(topic, (ROOT / "class4lib" / f"{topic}.py").read_text()) == set()


@pytest.mark.parametrize("module", ["basics", "guards", "types"])
def test_what_every_topic_stands_on_stands_on_nothing(module: str) -> None:
    assert ours(imports((ROOT / "class4lib" / f"{module}.py").read_text()), "class4lib") <= {"guards", "types"}


@pytest.mark.parametrize(
    "module",
    [
        "check",
        "judging",
        "comparing",
        "calls",
        "feedback",
        "values",
        "doubles",
        "public/__init__",
        "guards",
        "experiments",
        "plots",
        "gradcheck",
    ],
)
def test_the_mechanism_in_the_library_knows_no_topic(module: str) -> None:
    assert ours(imports((ROOT / "class4lib" / f"{module}.py").read_text()), "class4lib") & set(TOPICS) == set()


@pytest.mark.parametrize("file", WORKER)
def test_the_worker_needs_the_standard_library_and_numpy_only(file: str) -> None:
    assert worker_faults((ROOT / file).read_text()) == set()


@pytest.mark.parametrize("path", [p for p in GRADER if name(p) not in KNOW_NBGRADER], ids=name)
def test_nbgrader_is_known_to_those_who_build_and_record_only(path: Path) -> None:
    assert roots(imports(path.read_text())) & {"nbgrader", "nbconvert"} == set()


@pytest.mark.parametrize("path", [p for p in GRADER if p.parent.name == "exercises" and p.stem != "__init__"], ids=name)
def test_specs_import_the_library_and_the_words_of_a_spec_only(path: Path) -> None:
    assert ours(imports(path.read_text()), "autograder") <= {"spec"}
    assert roots(imports(path.read_text(), top_level=True)) & set(HEAVY) == set()


@pytest.mark.parametrize("path", [p for p in GRADER if "exercises" not in p.parts], ids=name)
def test_the_graders_mechanism_knows_no_topic(path: Path) -> None:
    known = ours(imports(path.read_text()), "class4lib") | {
        n.split(".")[2] for n in imports(path.read_text()) if n.startswith("autograder.exercises.")
    }
    assert known & set(TOPICS) == set()


def test_tests_are_imported_by_nobody() -> None:
    assert [name(p) for p in (*LIBRARY, *GRADER) if "tests" in roots(imports(p.read_text()))] == []


def test_each_rule_refuses_what_it_forbids() -> None:
    assert library_faults("from autograder import course") == {"autograder"}
    assert library_faults("def f():\n    import autograder.spec") == {"autograder"}
    assert library_faults("try:\n    import torch\nexcept ImportError:\n    pass") == {"torch"}
    assert library_faults("class A:\n    from sklearn import datasets") == {"sklearn"}
    assert library_faults("from . import basics") == {"relative to 1"}
    assert library_faults("def f():\n    import torch") == set()
    assert topic_faults("dropout", "from class4lib.attention import softmax_backward") == {"attention"}
    assert topic_faults("dropout", "from class4lib import judging, basics") == {"judging"}
    assert topic_faults("dropout", "import class4lib.dropout") == {"dropout"}
    assert topic_faults("attention", "from class4lib.dropout import dropout") == set()
    assert worker_faults("import pandas, json, numpy.linalg") == {"pandas"}
    assert worker_faults("from class4lib.judging import judge") == {"judging"}
    assert worker_faults("from autograder import sheets") == {"autograder"}
    assert worker_faults("import torch") == {"torch"}
    assert worker_faults("def f():\n    import torch") == set()


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(p.parent.relative_to(ROOT).parts) for p in (*LIBRARY, *GRADER) if p.name == "__init__.py"}
    assert sorted(there) == sorted(listed)
    assert {p.parent for p in (*LIBRARY, *GRADER)} == {ROOT.joinpath(*package.split(".")) for package in listed}


def user_seconds(source: str) -> float:
    """Processor time that an interpreter spends on a source, without its own start."""
    code = f"import os\na = os.times()\n{source}\nb = os.times()\nprint(b.user + b.system - a.user - a.system)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(done.stdout)


def test_check_is_imported_in_a_fifth_of_a_second_besides_numpy() -> None:
    times = [user_seconds("import numpy\na = os.times()\nimport class4lib.check") for _ in range(5)]
    assert statistics.median(times) < 0.2, times


def test_the_measurement_sees_a_slow_import() -> None:
    assert user_seconds("import numpy\na = os.times()\nsum(range(10**7))") > 0.05


def test_importing_check_loads_nothing_heavy() -> None:
    code = f"import sys, class4lib.check\nprint(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
