"""Mutants: every one differs from the reference, runs on its own, and is refused by a good sheet; a poor sheet lets some live."""

import ast

import numpy as np
import pytest

from autograder import course, grade
from autograder.mutants import MIN_MUTANTS, bare_source, mutants
from autograder.sheets import make_sheet
from autograder.spec import Exercise, Misconception, case, values_and_edge
from autograder.spec import edge as edge_case
from class4lib.calls import run_script
from class4lib.judging import judge

TOPICS = [course.topic(t) for t in ("softmax_cross_entropy", "vanishing_gradients", "data_augmentation", "attention")]
EXERCISES = [e for t in TOPICS for e in t.exercises]


def centred(x):
    """The rows less their mean."""
    return x - x.mean(axis=-1, keepdims=True)


def exercise(*shapes: tuple[int, ...]) -> Exercise:
    return Exercise(
        centred,
        values_and_edge(1, 1),
        lambda rng: [
            case("values", rng.normal(size=shapes[0])),
            *(edge_case(str(s), rng.normal(size=s)) for s in shapes),
        ],
        (Misconception("as it is", lambda x: x, "Take the mean away."),),
        ("one", "two", "three"),
        5,
        1,
    )


def survivors(made: Exercise) -> list[str]:
    sheet, alive = make_sheet(made, [0]), []
    for mutant in mutants(made, sheet):
        namespace: dict = {"np": np}
        exec(mutant.source, namespace)
        if judge(sheet, [run_script(namespace, c.script) for c in sheet.cases]).status == "passed":
            alive.append(mutant.change)
    return alive


def test_a_good_sheet_refuses_every_mutant() -> None:
    assert survivors(exercise((3, 4), (2, 3, 5))) == []


def test_a_poor_sheet_lets_mutants_live() -> None:
    assert any("axis" in change or "1" in change for change in survivors(exercise((1, 4), (1, 4))))


@pytest.mark.parametrize("made", EXERCISES, ids=lambda e: e.name)
def test_mutants_are_many_all_different_and_none_is_the_reference(made: Exercise) -> None:
    found = [m.source for m in mutants(made, grade.public(made.name))]
    assert len(found) >= MIN_MUTANTS
    assert len(set(found)) == len(found)
    assert bare_source(made) not in found


@pytest.mark.parametrize("made", EXERCISES, ids=lambda e: e.name)
def test_a_bare_source_has_no_guard_no_docstring_and_the_modules_it_uses(made: Exercise) -> None:
    tree = ast.parse(bare_source(made))
    definition = tree.body[-1]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    assert definition.name == made.name
    assert ast.get_docstring(definition) is None
    assert "guarded" not in bare_source(made)
    assert all(isinstance(n, ast.Import) for n in tree.body[:-1])
    imported = {a.asname or a.name for n in tree.body[:-1] for a in n.names}
    assert imported <= {n.id for n in ast.walk(definition) if isinstance(n, ast.Name)}
