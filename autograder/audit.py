"""audit: the checkers are checked. What is right passes, what is wrong is refused and called by its name.

Per exercise: the solution earns everything and the release nothing, every misconception is refused and named, at least three right answers
written without sight of the reference pass, at least twenty mutants of the reference are refused (or listed as equivalent, with a reason,
at most one in twenty; an exercise judged on a scale has none, there only its misconceptions tell), and every T line of the course has its case.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from autograder import build, course, grade, library
from autograder.collect import Cell, find_exercises
from autograder.mutants import MIN_MUTANTS, mutants
from autograder.parsing import parse
from autograder.run.client import Job, Pool
from autograder.spec import Exercise, Topic
from class4lib.cases import Sheet, Verdict
from class4lib.judging import companions, judge

MIN_MISCONCEPTIONS, MIN_ANSWERS, MAX_EQUIVALENT = 2, 3, 0.05
MUTANT_SECONDS = 3.0


@dataclass(frozen=True)
class Report:
    """What was counted for one exercise, and what is wrong with its checker."""

    name: str
    topic: str
    misconceptions: int
    answers: int
    mutants: int
    refused: int
    equivalent: int
    problems: tuple[str, ...]


def audit_topic(topic: Topic, pool: Pool) -> list[Report]:
    """Reports on a topic's exercises, in order."""
    notebook = build.build_notebook(topic)
    names = topic.names
    solved = find_exercises(names, _cells(notebook))
    released = find_exercises(names, _cells(notebook, release=True))
    answers = answers_of(topic)
    with ThreadPoolExecutor(pool.size) as threads:
        jobs = [
            threads.submit(_audit, topic, e, solved, released, answers.get(e.name, {}), pool) for e in topic.exercises
        ]
        return [j.result() for j in jobs]


def _audit(
    topic: Topic, exercise: Exercise, solved: dict, released: dict, answers: dict[str, str], pool: Pool
) -> Report:
    hidden, public = grade.hidden(exercise.name), grade.public(exercise.name)
    problems = []
    verdict = grade.judge_exercise(topic, exercise, solved[exercise.name], pool, notebook=solved)
    if verdict.status != "passed":
        problems.append(f"the solution is {verdict.status}: {verdict.advice}")
    verdict = grade.judge_exercise(topic, exercise, released[exercise.name], pool, notebook=released)
    if (verdict.status, verdict.points) != ("not_attempted", 0.0):
        problems.append(f"the release is {verdict.status} with {verdict.points:g} points")
    problems += [
        p
        for sheet, kind in ((hidden, "hidden"), (public, "public"))
        for p in misconception_problems(exercise, sheet, kind)
    ]
    problems += [
        f"T line {trap!r} has no case" for trap in exercise.traps if trap not in {c.trap for c in hidden.cases}
    ]
    for style, source in answers.items():
        verdict = _judge_source(topic, exercise, source, pool, hidden, exercise.seconds)
        if verdict.status != "passed":
            problems.append(
                f"the right answer {style!r} is {verdict.status}: {verdict.misconception} {verdict.findings[0].text if verdict.findings else verdict.advice}"
            )
    if len(answers) < MIN_ANSWERS:
        problems.append(f"has {len(answers)} right answers of other people, {MIN_ANSWERS} are needed")
    if len(exercise.misconceptions) < MIN_MISCONCEPTIONS:
        problems.append(f"has {len(exercise.misconceptions)} misconceptions, {MIN_MISCONCEPTIONS} are needed")
    made = [] if exercise.scored else mutants(exercise, hidden)
    seconds = max(MUTANT_SECONDS, exercise.seconds if companions(hidden) else 0.0)
    survivors = [
        m.change
        for m in made
        if _judge_source(topic, exercise, m.source, pool, hidden, seconds, explain=False).status == "passed"
    ]
    listed = dict(exercise.equivalent_mutants)
    problems += [f"mutant survives: {change}" for change in survivors if change not in listed]
    problems += [f"listed as equivalent but refused or gone: {change}" for change in listed if change not in survivors]
    equivalent = sum(change in listed for change in survivors)
    if len(made) < MIN_MUTANTS and not exercise.scored:
        problems.append(f"has {len(made)} mutants, {MIN_MUTANTS} are needed")
    if equivalent > MAX_EQUIVALENT * len(made):
        problems.append(f"{equivalent} of {len(made)} mutants are listed as equivalent, more than {MAX_EQUIVALENT:.0%}")
    return Report(
        exercise.name,
        topic.name,
        len(exercise.misconceptions),
        len(answers),
        len(made),
        len(made) - len(survivors),
        equivalent,
        tuple(problems),
    )


def misconception_problems(exercise: Exercise, sheet: Sheet, kind: str = "hidden") -> Iterator[str]:
    """Misconceptions that the sheet lets pass, or calls by another name."""
    for mistake in sheet.mistakes:
        verdict = judge(sheet, mistake.records)
        if verdict.status == "passed":
            yield f"misconception {mistake.name!r} passes the {kind} cases"
        elif verdict.misconception != mistake.name:
            yield f"misconception {mistake.name!r} is called {verdict.misconception!r} on the {kind} cases"


def _judge_source(
    topic: Topic, exercise: Exercise, source: str, pool: Pool, sheet: Sheet, seconds: float, *, explain: bool = True
) -> Verdict:
    """The verdict on a bare source, which may call the topic's other exercises (the library's are lent, but never the exercise itself).

    What the scripts call besides and the source does not define stands before it, from the library, in the same namespace.
    """
    partners = [n for n in companions(sheet) if not re.search(rf"^(def|class) {n}\b", source, re.M)]
    lent = tuple(n for n in topic.names if n != exercise.name and n not in exercise.absent and f"{n}(" in source)
    modules = library.modules_for(topic, exercise, lent)
    loans = [("library", f"from class4lib.{topic.name} import {n}") for n in lent]
    if modules is None:
        modules, loans = library.modules_for(topic, exercise) or {}, []
    basics = ("set-up", "from class4lib.basics import *")
    if partners:
        loans = [("library", library.only(topic.name, frozenset(partners))[0]), *loans]
    run = pool.run(
        Job(
            modules,
            (basics, *loans, (exercise.name, source)),
            tuple(c.script for c in sheet.cases),
            wall_seconds=seconds,
            torch=exercise.torch,
        )
    )
    return judge(sheet, run.outcomes, run.end, explain=explain)


def _cells(notebook: object, release: bool = False) -> list[Cell]:
    """A built notebook's cells as collect sees them; release cuts the solutions."""
    cells = []
    for cell in notebook.cells:  # type: ignore[attr-defined]
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        source = build.cleared(cell.source) if release else cell.source
        cells.append(Cell(cell.cell_type, source, grade_id or cell["id"], grade_id))
    return cells


def answers_of(topic: Topic) -> dict[str, dict[str, str]]:
    """Exercise -> style -> source, from tests/answers/<topic>.py: functions called <exercise>__<style>; the file's imports and other functions go with each."""
    path = course.root() / "tests" / "answers" / f"{topic.name}.py"
    if not path.exists():
        return {}
    return answers_in(path)


def answers_in(path: Path) -> dict[str, dict[str, str]]:
    """The right answers that a file holds."""
    tree = parse(path.read_text())
    shared = "\n".join(ast.unparse(n) for n in tree.body if not _is_answer(n) and not isinstance(n, ast.Expr))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_answer(node):
            name, _, style = node.name.partition("__")
            node.name = name
            found.setdefault(name, {})[style] = f"{shared}\n{ast.unparse(node)}"
    return found


def _is_answer(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and "__" in node.name.strip("_")


def problems_of(reports: Sequence[Report]) -> list[str]:
    return [f"{r.name}: {p}" for r in reports for p in r.problems]
