"""The course: its assignments and topics in the order they are taught, and where the folders are."""

import functools
import importlib
import os
from pathlib import Path

from autograder.spec import Exercise, SpecError, Topic
from class4lib.overview import COURSE

ASSIGNMENTS: dict[str, tuple[str, ...]] = {part: tuple(topics) for part, topics in COURSE.items()}


class UnknownNameError(LookupError):
    """A topic, assignment or exercise that the course does not have."""


def root() -> Path:
    """The course's folder: the nearest one at or above the working directory that holds nbgrader_config.py; CLASS4_ROOT names another.

    Raises:
        FileNotFoundError: there is none.
    """
    named = os.environ.get("CLASS4_ROOT")
    for folder in [Path(named)] if named else [Path.cwd(), *Path.cwd().parents]:
        if (folder / "nbgrader_config.py").exists() and (folder / "solutions").is_dir():
            return folder
    raise FileNotFoundError(
        "this is not a class4 course folder (no nbgrader_config.py and solutions/ here or above): change into a checkout of the course, or set CLASS4_ROOT."
    )


@functools.cache
def topic(name: str) -> Topic:
    """The spec of a topic.

    Raises:
        UnknownNameError: the course has no such topic, or it is not written yet.
    """
    if name not in topics():
        raise UnknownNameError(f"no topic is called {name!r}; there are {', '.join(topics())}.")
    found: Topic = importlib.import_module(f"autograder.exercises.{name}").TOPIC
    assignment = next(a for a, names in ASSIGNMENTS.items() if name in names)
    if (found.name, found.assignment) != (name, assignment):
        raise SpecError(
            f"exercises/{name}.py: TOPIC says {found.assignment}/{found.name}, the course says {assignment}/{name}."
        )
    return found


@functools.cache
def topics() -> tuple[str, ...]:
    """Names of the topics that are written, in order."""
    here = Path(__file__).parent / "exercises"
    return tuple(t for names in ASSIGNMENTS.values() for t in names if (here / f"{t}.py").exists())


def assignments() -> dict[str, tuple[str, ...]]:
    """Assignments with their topics, as far as this course folder has them: a topic whose text notebook is taken out is not taught."""
    solutions = root() / "solutions"
    here = {
        a: tuple(t for t in names if t in topics() and (solutions / a / f"{t}.py").exists())
        for a, names in ASSIGNMENTS.items()
    }
    return {a: names for a, names in here.items() if names}


def assignment_topics(assignment: str) -> tuple[str, ...]:
    """Topics of an assignment.

    Raises:
        UnknownNameError: the course has no such assignment.
    """
    if assignment not in assignments():
        raise UnknownNameError(f"no assignment is called {assignment!r}; there are {', '.join(assignments())}.")
    return assignments()[assignment]


def earlier_topics(name: str) -> tuple[str, ...]:
    """Topics taught before this one."""
    every = [t for names in ASSIGNMENTS.values() for t in names]
    return tuple(every[: every.index(name)])


def find_exercise(name: str) -> tuple[Topic, Exercise]:
    """The exercise of that name, with its topic.

    Raises:
        UnknownNameError: there is none.
    """
    for t in topics():
        for e in topic(t).exercises:
            if e.name == name:
                return topic(t), e
    raise UnknownNameError(f"no exercise is called {name!r}: `class4 exercises` lists them.")
