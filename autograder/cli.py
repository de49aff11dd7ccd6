"""The command line: `class4 --help`."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from autograder import course
from autograder.build import BuildError
from autograder.collect import Unreadable
from autograder.report import RosterError
from autograder.spec import SpecError

ERRORS = (
    BuildError,
    SpecError,
    Unreadable,
    RosterError,
    course.UnknownNameError,
    FileNotFoundError,
    RuntimeError,
    PermissionError,
)


def says_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: what a user can mend becomes one line on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ERRORS as error:
            click.echo(f"class4: {error}", err=True)
            sys.exit(1)

    return wrapper


def progress(total: int, what: str) -> tuple[Callable[[str], None], Callable[[], None]]:
    """A counter on stderr where a person looks, silent elsewhere: (call per item, call at the end)."""
    done = [0]

    def step(name: str) -> None:
        done[0] += 1
        if sys.stderr.isatty():
            click.echo(f"\r{what} {done[0]}/{total} {name[:40]:40}", nl=False, err=True)

    def end() -> None:
        if sys.stderr.isatty() and done[0]:
            click.echo("\r" + " " * 78 + "\r", nl=False, err=True)

    return step, end


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="class4", message="class4 %(version)s")
def main() -> None:
    """Neural Networks Class 4: release notebooks, check and grade what comes back.

    Students: `class4 check my_notebook.ipynb` says what the notebook's own checks say.
    Instructors: `class4 release`, collect, `class4 grade`, `class4 feedback`. `class4 demo` shows all of it on a made-up class.
    """


@main.command()
@click.argument("assignment", required=False)
@click.option("--force", is_flag=True, help="Run the solutions again, also those that are fresh.")
@says_errors
def release(assignment: str | None, force: bool) -> None:
    """Build solutions and student notebooks of ASSIGNMENT (all, if none is named).

    Writes solutions/<assignment>/*.ipynb (executed), the public cases, and notebooks/<assignment>/*.ipynb by stock nbgrader; for all of them,
    the overview of the course too.
    """
    from autograder import build

    for name in [assignment] if assignment else course.assignments():
        course.assignment_topics(name)
        click.echo(f"{name}: building …", err=True)
        build.release(name, force=force)
        for topic in course.assignment_topics(name):
            click.echo(f"notebooks/{name}/{topic}.ipynb")
    if not assignment:
        build.release_overview(force=force)
        click.echo("notebooks/overview.ipynb")


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@says_errors
def check(notebook: Path) -> None:
    """Say of NOTEBOOK what its own checks say: the public cases, with what came back and what was expected.

    Exit status 1 unless everything is right.
    """
    from autograder import grade
    from autograder.run.client import Pool
    from class4lib import feedback

    submission = grade.read(notebook)
    step, end = progress(len(course.topic(submission.topic).exercises), "judging")
    with Pool() as pool:
        verdict = grade.judge_submission(submission, pool, grade.public, step)
    end()
    for note in verdict.notes:
        click.echo(note)
    for exercise in verdict.exercises:
        click.echo(feedback.text(exercise) + "\n")
    click.echo(
        f"{verdict.points:g} of {verdict.max_points:g} points on the public cases, bonus {verdict.bonus:g} of {verdict.max_bonus:g}"
    )
    sys.exit(0 if all(e.status == "passed" for e in verdict.exercises if not e.extension) else 1)


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@says_errors
def judge(notebook: Path, as_json: bool) -> None:
    """Judge one NOTEBOOK on the hidden cases, as grading does, without recording anything.

    The JSON has points, max_points, bonus, max_bonus, notes, and exercises: a list with name, status (passed, partial, failed,
    not_attempted, unjudged), points, max_points, misconception, advice. A notebook that is judged gives exit status 0 whatever its score.
    """
    from autograder import grade
    from autograder.run.client import Pool
    from class4lib import feedback

    submission = grade.read(notebook)
    step, end = progress(len(course.topic(submission.topic).exercises), "judging")
    with Pool() as pool:
        verdict = grade.judge_submission(submission, pool, progress=step)
    end()
    if as_json:
        click.echo(json.dumps(verdict.to_json(), indent=1, ensure_ascii=False))
        return
    for note in verdict.notes:
        click.echo(note)
    for exercise in verdict.exercises:
        click.echo(feedback.headline(exercise))
        if exercise.status != "passed":
            mistake = f"{exercise.misconception}: " if exercise.misconception else ""
            click.echo(f"    {mistake}{exercise.advice}")
    click.echo(
        f"{verdict.points:g} of {verdict.max_points:g} points, bonus {verdict.bonus:g} of {verdict.max_bonus:g} (isolation: {verdict.isolation})"
    )


@main.command()
@click.argument("assignment", required=False)
@click.option(
    "--submitted",
    type=click.Path(path_type=Path),
    help="Folder with <student>/<assignment>/*.ipynb; copied to var/submitted first.",
)
@click.option(
    "--roster",
    type=click.Path(path_type=Path),
    help="CSV with the columns id, first_name, last_name, email. Default: var/roster.csv where it exists.",
)
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that run students' code at the same time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the class as JSON.")
@says_errors
def grade(assignment: str | None, submitted: Path | None, roster: Path | None, workers: int, as_json: bool) -> None:
    """Grade a class: every hand-in of ASSIGNMENT (all, if none is named) into verdict files, gradebook and var/grades.csv.

    Every student of the roster is listed with a status: graded, missing, unreadable or unjudged. A second run judges only what changed and
    keeps scores and comments given by hand.
    """
    from rich.console import Console

    from autograder import classroom, record, report

    names = [assignment] if assignment else list(course.assignments())
    for name in names:
        course.assignment_topics(name)
        if not (course.root() / "notebooks" / name).is_dir():
            raise course.UnknownNameError(f"{name} is not released yet: `class4 release {name}` first.")
    default = course.root() / "var" / "roster.csv"
    students = report.read_roster(roster or default) if roster or default.exists() else []
    if submitted is not None:
        record.take_in(submitted, names)
    rows, problems = [], []
    for name in names:
        folders = set(record.students_with_folders()) | {s.id for s in students}
        if not folders:
            raise FileNotFoundError(
                "nobody handed anything in: var/submitted is empty and there is no roster. Give --submitted DIR."
            )
        step, end = progress(len(folders), f"{name}: judging")
        graded = classroom.grade_class(name, students, workers=workers, progress=step)
        end()
        step, end = progress(len(graded), f"{name}: recording")
        problems += classroom.into_gradebook(name, graded, step)
        end()
        rows += graded
        if not as_json:
            console = Console()
            console.print(f"[bold]{name}[/bold]")
            console.print(report.table(graded))
    report.write_export(course.root() / "var" / "grades.csv", rows)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "student": r.student.id,
                        "assignment": r.assignment,
                        "status": r.status,
                        "points": r.points,
                        "max_points": r.max_points,
                        "bonus": r.bonus,
                        "notes": list(r.notes),
                        "notebooks": [v.to_json() for v in r.verdicts],
                    }
                    for r in rows
                ],
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        levels = {v.isolation for r in rows for v in r.verdicts if v.isolation}
        click.echo(
            f"Grades: var/grades.csv · gradebook: var/gradebook.db · isolation: {', '.join(sorted(levels)) or 'nothing ran'}"
        )
        if levels - {"landlock+seccomp"}:
            click.echo(
                "class4: this machine cannot enclose students' code fully (Linux 5.13 with Landlock and seccomp does): take these grades as provisional.",
                err=True,
            )
    for problem in problems:
        click.echo(f"class4: not recorded in the gradebook: {problem}", err=True)
    sys.exit(1 if problems else 0)


@main.command()
@click.argument("assignment", required=False)
@says_errors
def feedback(assignment: str | None) -> None:
    """Write the feedback pages of ASSIGNMENT (all that are graded, if none is named) to var/feedback, by stock nbgrader."""
    from autograder import classroom

    for name in [assignment] if assignment else course.assignments():
        course.assignment_topics(name)
        if any((course.root() / "var" / "autograded").glob(f"*/{name}")):
            click.echo(f"{classroom.write_feedback(name)}/<student>/{name}/*.html")
        elif assignment:
            raise course.UnknownNameError(f"nobody was graded in {name} yet: `class4 grade {name}` first.")


@main.command()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a list of objects with name, topic, assignment, points, extension, minutes, difficulty.",
)
@says_errors
def exercises(as_json: bool) -> None:
    """List all exercises, with points and minutes."""
    listed = [
        {
            "name": e.name,
            "topic": t,
            "assignment": course.topic(t).assignment,
            "points": e.points,
            "extension": e.extension,
            "minutes": e.minutes,
            "difficulty": e.difficulty,
        }
        for t in course.topics()
        for e in course.topic(t).exercises
    ]
    if as_json:
        click.echo(json.dumps(listed, indent=1))
        return
    for t in course.topics():
        topic = course.topic(t)
        click.echo(f"\n{topic.assignment} / {t}: {topic.title}")
        for e in topic.exercises:
            click.echo(
                f"  {e.name:36} {e.points:4g} points{' (bonus)' if e.extension else '        '} {e.minutes:3} minutes"
            )
        for w in topic.written:
            click.echo(f"  {w.name:36} {w.points:4g} points, by hand {w.minutes:3} minutes")


@main.command()
@click.argument("topic", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64))
@says_errors
def audit(topic: str | None, as_json: bool, workers: int) -> None:
    """Check the checkers of TOPIC (of all, if none is named): right answers pass, wrong ones are refused and named.

    Prints counts per exercise and fails on the first kind of gap: a mutant that survives, a misconception that passes or is called by
    another name, fewer than two misconceptions, three right answers or twenty mutants, a T line of the course without a case.
    """
    from autograder import audit as auditing
    from autograder.run.client import Pool

    names = [topic] if topic else list(course.topics())
    for name in names:
        course.topic(name)
    reports = []
    with Pool(workers) as pool:
        for name in names:
            if not as_json:
                click.echo(f"\n{name}")
                click.echo(f"  {'exercise':36} misconceptions  right answers  mutants  refused  equivalent")
            for r in (found := auditing.audit_topic(course.topic(name), pool)):
                if not as_json:
                    click.echo(
                        f"  {r.name:36} {r.misconceptions:14}  {r.answers:13}  {r.mutants:7}  {r.refused:7}  {r.equivalent:10}"
                    )
            reports += found
    problems = auditing.problems_of(reports)
    if as_json:
        click.echo(json.dumps([asdict(r) for r in reports], indent=1, ensure_ascii=False))
    else:
        click.echo(f"\n{len(reports)} exercises, {sum(r.mutants for r in reports)} mutants, {len(problems)} problems")
    for problem in problems:
        click.echo(f"class4: {problem}", err=True)
    sys.exit(1 if problems else 0)


@main.command()
@says_errors
def demo() -> None:
    """Release an assignment, make up a class that hands it in, grade it, and write feedback."""
    from autograder import demo as demonstration

    demonstration.run()


if __name__ == "__main__":
    main()
