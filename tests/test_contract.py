"""The library, the exercises and the points are what the contract (signatures.py) says."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from autograder import course
from class4lib import guards
from tests import signatures

SOURCE = Path(signatures.__file__).read_text()
HEADING = re.compile(r"^# ---- (\w+) / (\w+)", re.M)


def by_topic() -> dict[str, dict[str, Any]]:
    """Topic -> name -> function or class of the contract, by its headings."""
    starts = [(SOURCE[: m.start()].count("\n") + 1, m[2]) for m in HEADING.finditer(SOURCE)]
    found: dict[str, dict[str, Any]] = {topic: {} for _, topic in starts}
    for node in ast.parse(SOURCE).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            topic = [t for line, t in starts if line < node.lineno][-1]
            found[topic][node.name] = getattr(signatures, node.name)
    return found


CONTRACT = by_topic()
EVERY = [(topic, name) for topic, names in CONTRACT.items() for name in names]


def written(annotation: Any) -> str:
    """An annotation as text that does not depend on where its names were imported from, nor on whether an alias was used."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(
        r"\b(numpy|np|typing|collections\.abc|numpy\.random\._generator|class4lib\.types|tests\.signatures|signatures|random)\.",
        "",
        text,
    )
    text = re.sub(r"\b_generator\.", "", text)
    for alias in ("Reduction", "Activation"):
        words = ", ".join(map(repr, getattr(signatures, alias).__args__))
        text = text.replace(f"Literal[{words}]", alias)
    return text


def signature(function: Callable[..., Any]) -> list[tuple[str, str, Any, str]]:
    """Parameters (name, kind, default, annotation) and what is returned."""
    made = inspect.signature(function)
    parameters = [(p.name, p.kind.name, p.default, written(p.annotation)) for p in made.parameters.values()]
    return [*parameters, ("return", "", None, written(made.return_annotation))]


def differences(contract: Any, library: Any) -> Iterator[str]:
    """How a function or class of the library departs from the contract's."""
    if inspect.isclass(contract) != inspect.isclass(library):
        yield f"{contract.__name__} is a class in one and none in the other"
    elif inspect.isclass(contract):
        for name, method in vars(contract).items():
            if inspect.isfunction(method):
                ours = getattr(library, name, None)
                if ours is None:
                    yield f"{contract.__name__}.{name} is missing"
                elif signature(method) != signature(ours):
                    yield f"{contract.__name__}.{name}: the contract says {signature(method)}, the library {signature(ours)}"
    elif signature(contract) != signature(library):
        yield f"{contract.__name__}: the contract says {signature(contract)}, the library {signature(library)}"


def library(topic: str) -> ModuleType:
    return importlib.import_module(f"class4lib.{topic}")


def test_the_contract_is_read_whole() -> None:
    assert {t: len(names) for t, names in CONTRACT.items()} == {
        t: len(re.findall(r"^(?:def|class) ", part, re.M))
        for t, part in zip(CONTRACT, re.split(HEADING.pattern, SOURCE, flags=re.M)[3::3], strict=True)
    }
    assert [(a, t) for a, names in course.ASSIGNMENTS.items() for t in names] == [
        (m[1], m[2]) for m in HEADING.finditer(SOURCE)
    ]
    assert len(EVERY) == len({name for _, name in EVERY}) > 100


@pytest.mark.parametrize(("topic", "name"), EVERY, ids=[n for _, n in EVERY])
def test_the_library_has_what_the_contract_says_with_the_same_signature(topic: str, name: str) -> None:
    ours = getattr(library(topic), name, None)
    assert ours is not None, f"class4lib.{topic} has no {name}"
    assert list(differences(CONTRACT[topic][name], ours)) == []
    assert inspect.unwrap(ours).__module__.startswith("class4lib.")


def _changed() -> dict[str, Callable[..., Any]]:
    def renamed(logits: Any, labels: Any, reduction: Any = "mean") -> Any: ...
    def fewer(probs: Any, targets: Any) -> Any: ...
    def keyword_only(
        probs: signatures.ndarray, targets: signatures.ndarray, *, reduction: signatures.Reduction = "mean"
    ) -> "float | signatures.ndarray": ...
    def other_default(
        probs: signatures.ndarray, targets: signatures.ndarray, reduction: signatures.Reduction = "sum"
    ) -> "float | signatures.ndarray": ...
    def other_type(
        probs: signatures.ndarray, targets: list, reduction: signatures.Reduction = "mean"
    ) -> "float | signatures.ndarray": ...  # type: ignore[type-arg]
    def other_result(
        probs: signatures.ndarray, targets: signatures.ndarray, reduction: signatures.Reduction = "mean"
    ) -> float: ...

    return {f.__name__: f for f in (renamed, fewer, keyword_only, other_default, other_type, other_result)}


@pytest.mark.parametrize("change", list(_changed()))
def test_a_changed_signature_is_refused(change: str) -> None:
    def same(
        probs: signatures.ndarray, targets: signatures.ndarray, reduction: signatures.Reduction = "mean"
    ) -> "float | signatures.ndarray": ...

    assert list(differences(signatures.cross_entropy, same))[1:] == []
    assert signature(signatures.cross_entropy) == signature(same)
    assert len(list(differences(signatures.cross_entropy, _changed()[change]))) == 1


def test_a_missing_method_and_a_function_for_a_class_are_refused() -> None:
    class Normalizer:
        def fit(self, x: signatures.ndarray) -> "Self": ...  # type: ignore[name-defined,empty-body]  # noqa: F821

    assert list(differences(signatures.Normalizer, Normalizer)) == ["Normalizer.transform is missing"]
    assert list(differences(signatures.Normalizer, lambda x: x)) == [
        "Normalizer is a class in one and none in the other"
    ]


def extension_marks(topic: str) -> dict[str, bool]:
    """Name -> whether the contract marks it EXTENSION."""
    marks = {}
    for node in ast.parse(SOURCE).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in CONTRACT[topic]:
            marks[node.name] = (ast.get_docstring(node) or "").startswith("EXTENSION")
    return marks


@pytest.mark.parametrize("topic", course.topics())
def test_every_function_of_the_contract_is_an_exercise_core_or_extension_as_marked(topic: str) -> None:
    exercises = {e.name: e.extension for e in course.topic(topic).exercises}
    marks = extension_marks(topic)
    assert {n: exercises.get(n, "missing") for n in marks} == marks
    for exercise in course.topic(topic).exercises:
        if exercise.name in marks:
            assert inspect.unwrap(exercise.reference) is inspect.unwrap(getattr(library(topic), exercise.name))


def points(assignment: str) -> float:
    """Core exercises and written answers of an assignment."""
    topics = [course.topic(t) for t in course.ASSIGNMENTS[assignment]]
    return sum(e.points for t in topics for e in t.exercises if not e.extension) + sum(
        w.points for t in topics for w in t.written
    )


def complete() -> list[str]:
    return [a for a, names in course.ASSIGNMENTS.items() if set(names) <= set(course.topics())]


def test_the_points_of_a_complete_assignment_sum_to_100() -> None:
    assert {a: points(a) for a in complete()} == dict.fromkeys(complete(), 100)


def test_an_exercise_has_points_minutes_hints_and_at_least_two_misconceptions() -> None:
    for topic in map(course.topic, course.topics()):
        for e in topic.exercises:
            assert e.points > 0, e.name
            assert e.minutes > 0, e.name
            assert len(e.misconceptions) >= 2, e.name
            assert all(m.advice for m in e.misconceptions), e.name
            assert all(h.strip() for h in e.hints), e.name


def test_names_are_unique_in_the_whole_course() -> None:
    names = [e.name for t in course.topics() for e in course.topic(t).exercises] + [
        w.name for t in course.topics() for w in course.topic(t).written
    ]
    assert sorted(names) == sorted(set(names))


def test_the_guards_keep_the_signature_of_what_they_guard() -> None:
    @guards.guarded(x=guards.array("N"))
    def f(x: Any, *, k: int = 3) -> int:
        return k

    assert str(inspect.signature(f)) == "(x: Any, *, k: int = 3) -> int"
