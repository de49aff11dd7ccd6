"""The spec of an exercise: everything about it that is not its implementation, as frozen dataclasses.

A spec file (autograder/exercises/<topic>.py) states cases by a generator of numbers, misconceptions as wrong implementations, hints and
points. Expected values are never written down: they come from the reference in class4lib.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from class4lib.calls import Step
from class4lib.cases import Case, Tier
from class4lib.comparing import Tolerance
from class4lib.values import Double

__all__ = [
    "Case",
    "Double",
    "Exercise",
    "Misconception",
    "SpecError",
    "Step",
    "Tier",
    "Tolerance",
    "Topic",
    "Written",
    "case",
    "edge",
    "script",
    "values_and_edge",
]


class SpecError(ValueError):
    """A spec that cannot be used: an instructor's mistake, which stops the build."""


@dataclass(frozen=True)
class Misconception:
    """A mistake as a wrong implementation. The judge names it where a student's values are what `wrong` gives.

    name: a few words, shown to the student. advice: one thing to try; it leads to the mistake without stating the formula.
    variants: further wrong implementations of the same mistake (another epsilon, another clip), named alike.
    unsteady: labels of cases in which what it gives hangs on rounding (the inverse of a singular matrix), and so on the processor: the
    name does not rest on them.
    """

    name: str
    wrong: Callable[..., Any]
    advice: str
    variants: tuple[Callable[..., Any], ...] = ()
    unsteady: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """One function (or class) that students write.

    Attributes:
        reference: the right implementation, in class4lib; its name is the exercise's.
        tiers: groups of cases with their points; see `values_and_edge`.
        cases: from a generator, the cases of one round; called with a public seed for practice and with secret ones for grading.
        misconceptions: at least two; the more specific first.
        hints: exactly three, the last nearly the answer.
        minutes: what a student who follows needs. difficulty: 1 to 5.
        extension: bonus, outside the 100 points of the assignment.
        returns: names of the results, where there is more than one.
        traps: labels of the T lines of the course that some case must cover.
        may_use: names of this topic's exercises whose library version may be called while this one is judged.
        absent: names from basics or earlier topics that would be the answer and are withheld.
        torch: written with tensors; judged in the worker that has PyTorch, by steps of op "torch".
        modules: library modules outside the topics that the answer may import, such as training.
        seconds: of processor and wall time for all cases together, where 10 are too few.
        scored: judged on a scale, where any recipe that does well is right: changes of the source are no mutants then.
        equivalent_mutants: description of a generated mutant -> reason why it is right too.
    """

    reference: Callable[..., Any]
    tiers: tuple[Tier, ...]
    cases: Callable[[Generator], Sequence[Case]]
    misconceptions: tuple[Misconception, ...]
    hints: tuple[str, str, str]
    minutes: int
    difficulty: int
    extension: bool = False
    returns: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    torch: bool = False
    modules: tuple[str, ...] = ()
    seconds: float = 10.0
    scored: bool = False
    equivalent_mutants: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return self.reference.__name__

    @property
    def points(self) -> float:
        return sum(t.points for t in self.tiers)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.reference).parameters)

    def __post_init__(self) -> None:
        if len(self.hints) != 3:
            raise SpecError(f"{self.name}: hints must be three, got {len(self.hints)}.")
        if not 1 <= self.difficulty <= 5:
            raise SpecError(f"{self.name}: difficulty must be 1 to 5, got {self.difficulty}.")
        names = [m.name for m in self.misconceptions]
        if len(set(names)) < len(names):
            raise SpecError(f"{self.name}: two misconceptions have the same name.")


@dataclass(frozen=True)
class Written:
    """A written answer, graded by hand; question, rubric and model answer stand in the notebook's source."""

    name: str
    points: float
    minutes: int


@dataclass(frozen=True)
class Topic:
    """A notebook: its exercises in the order in which they stand there."""

    name: str
    assignment: str
    title: str
    exercises: tuple[Exercise, ...]
    written: tuple[Written, ...] = ()

    def exercise(self, name: str) -> Exercise:
        for e in self.exercises:
            if e.name == name:
                return e
        raise SpecError(
            f"{self.name}: no exercise is called {name!r}; there are {', '.join(e.name for e in self.exercises)}."
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(e.name for e in self.exercises)


def values_and_edge(values: float, edge: float) -> tuple[Tier, ...]:
    """The usual two tiers: ordinary values, and edge cases, which count only where the ordinary values are right."""
    return (Tier("values", "ordinary values", values), Tier("edge", "edge cases", edge, needs=("values",)))


def case(
    label: str,
    *args: Any,
    tier: str = "values",
    trap: str = "",
    judge: str = "equal",
    options: dict[str, Any] | None = None,
    tolerance: Tolerance = Tolerance(),
    parts: tuple[int, ...] = (),
    op: str = "call",
    target: str = "",
    **kwargs: Any,
) -> Case:
    """A case of one call with these arguments. The target is filled in as the exercise's name."""
    return Case(label, tier, (Step(target, args, kwargs, op),), judge, options or {}, tolerance, parts, trap)


def edge(label: str, *args: Any, trap: str = "", **kwargs: Any) -> Case:
    """A case of the tier "edge"; its trap is the label unless given."""
    return case(label, *args, tier="edge", trap=trap or label, **kwargs)


def script(
    label: str,
    *steps: Step,
    tier: str = "values",
    trap: str = "",
    judge: str = "equal",
    options: dict[str, Any] | None = None,
    tolerance: Tolerance = Tolerance(),
) -> Case:
    """A case of several steps; a step whose target is "" calls the exercise itself."""
    return Case(label, tier, steps, judge, options or {}, tolerance, (), trap)
