"""What of the library a student's process gets, as text: the basics, earlier topics, and single functions of the topic at hand.

The worker has no class4lib to import. Everything that would be the answer is cut out of the text before it is sent.
"""

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

import class4lib
from autograder import course
from autograder.parsing import parse
from autograder.spec import Exercise, Topic

ALWAYS = ("guards", "types", "basics")


@functools.cache
def _source(module: str) -> str:
    return (Path(class4lib.__file__).parent / f"{module}.py").read_text()


@functools.cache
def without(module: str, absent: frozenset[str]) -> str:
    """A module's text less the named functions and classes."""
    tree = parse(_source(module))
    tree.body = [n for n in tree.body if not (isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name in absent)]
    return ast.unparse(tree)


@functools.cache
def only(module: str, kept: frozenset[str]) -> tuple[str, frozenset[str]]:
    """A module's text with just these public definitions and all that they need; and the names of every definition that is in it."""
    tree = parse(_source(module))
    definitions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    wanted, seen = list(kept & definitions.keys()), set(kept & definitions.keys())
    while wanted:
        node = definitions[wanted.pop()]
        for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & definitions.keys() - seen:
            seen.add(name)
            wanted.append(name)
    tree.body = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.ClassDef) or n.name in seen]
    return ast.unparse(tree), frozenset(seen)


def modules_for(topic: Topic, exercise: Exercise, lent: Iterable[str] = ()) -> dict[str, str] | None:
    """Module name -> text for the process that judges an exercise.

    Args:
        lent: exercises of this topic whose library version is lent besides `may_use`.

    Returns:
        None where what is lent needs the exercise itself, or what it must not have: such a process must not judge it.
    """
    absent = frozenset(exercise.absent) | {exercise.name}
    modules = {
        f"class4lib.{m}": without(m, absent) for m in (*ALWAYS, *exercise.modules, *course.earlier_topics(topic.name)) if _exists(m)
    }
    kept = frozenset((*exercise.may_use, *lent))
    if kept:
        text, inside = only(topic.name, kept)
        if inside & absent:
            return None
        modules[f"class4lib.{topic.name}"] = text
    return modules


def lendable(topic: Topic, exercise: Exercise, uses: Iterable[str]) -> tuple[str, ...]:
    """Of the exercises that an answer calls, those whose library version may be lent to it: the ones that stand before it, or that it may use."""
    before = topic.names[: topic.names.index(exercise.name)]
    return tuple(n for n in uses if (n in before or n in exercise.may_use) and n not in exercise.absent)


def _exists(module: str) -> bool:
    return (Path(class4lib.__file__).parent / f"{module}.py").exists()
