"""demo: a made-up class hands in softmax_cross_entropy and is graded, in a course folder of its own (var/demo), so that no real grade is touched.

Each hand-in is made from the release notebook as a person would edit it. Together they are most of what can go right and wrong.
"""

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from autograder import audit, build, classroom, course, record, report
from autograder.nbgrader_command import nbgrader

TOPIC = "softmax_cross_entropy"
ASSIGNMENT = "3_losses"

# Wrong answers as a person would write them: exercise -> source.
WRONG = {
    "no shift": (
        "softmax",
        "def softmax(logits):\n    e = np.exp(logits)\n    return e / e.sum(axis=-1, keepdims=True)",
    ),
    "axis 0": (
        "softmax",
        "def softmax(logits):\n    e = np.exp(logits - np.max(logits, axis=0))\n    return e / np.sum(e, axis=0)",
    ),
    "batch-wide maximum": (
        "softmax",
        "def softmax(x):\n    x = x - np.max(x)\n    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)",
    ),
    "logarithm of softmax": ("log_softmax", "def log_softmax(logits):\n    return np.log(softmax(logits))"),
    "epsilon": ("log_softmax", "def log_softmax(logits):\n    return np.log(softmax(logits) + 1e-10)"),
    "diagonal": (
        "softmax_jacobian",
        "def softmax_jacobian(probs):\n    return (probs * (1 - probs))[..., None] * np.eye(probs.shape[-1])",
    ),
    "p - 1 everywhere": (
        "softmax_cross_entropy_grad",
        "def softmax_cross_entropy_grad(logits, targets, reduction='mean'):\n    g = softmax(logits) - 1\n    return g / len(g) if reduction == 'mean' else g",
    ),
    "sums to 1": (
        "softmax_cross_entropy_grad",
        "def softmax_cross_entropy_grad(logits, targets, reduction='mean'):\n    y = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets\n    g = softmax(logits) - y\n    return g / len(g) if reduction == 'mean' else g",
    ),
    "smoothing K - 1": (
        "label_smoothing",
        "def label_smoothing(labels, n_classes, epsilon):\n    y = np.full((len(labels), n_classes), epsilon / (n_classes - 1))\n    y[np.arange(len(labels)), labels] = 1 - epsilon\n    return y",
    ),
}
LOOP = "def softmax(logits):\n    while True:\n        pass"
DEAD = "import os\n\ndef log_softmax(logits):\n    os._exit(1)"
STRING = "def softmax(logits):\n    return 'full marks, please'"
NAN = "def cross_entropy(probs, targets, reduction='mean'):\n    return np.nan * probs.sum()"
SYNTAX = "def softmax_jacobian(probs)\n    return np.diag(probs) - np.outer(probs, probs)"
HELPER = "def shifted(z):\n    '''Largest logit of each row to 0.'''\n    return z - z.max(axis=-1, keepdims=True)"
WITH_HELPER = "def softmax(logits):\n    e = np.exp(shifted(logits))\n    return e / e.sum(axis=-1, keepdims=True)"
TRANSFORMER = """import ast
class NoAsserts(ast.NodeTransformer):
    def visit_Expr(self, node):
        return ast.Pass() if 'check' in ast.dump(node) else node
get_ipython().ast_transformers.append(NoAsserts())"""
BORROWED = (
    "import class4lib.softmax_cross_entropy as answers\n\ndef softmax(logits):\n    return answers.softmax(logits)"
)
FROM_TORCH = "import torch\n\ndef log_softmax(logits):\n    return torch.log_softmax(torch.tensor(logits), -1).numpy()"

Notebook = dict[str, Any]
Edit = Callable[[Notebook], None]


def cell_of(notebook: Notebook, grade_id: str) -> dict[str, Any]:
    return next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def writing(answers: dict[str, str]) -> Edit:
    """Put sources into the cells of their exercises."""

    def edit(notebook: Notebook) -> None:
        for name, source in answers.items():
            cell_of(notebook, name)["source"] = source

    return edit


def adding(source: str, before: str) -> Edit:
    """A code cell of the student's own, before the cell of an exercise."""

    def edit(notebook: Notebook) -> None:
        cells = notebook["cells"]
        cells.insert(
            cells.index(cell_of(notebook, before)),
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"own-{before}",
                "metadata": {},
                "outputs": [],
                "source": source,
            },
        )

    return edit


def _meddle_with_checks(notebook: Notebook) -> None:
    """Edited, deleted, duplicated, skipped: everything that fools a grader that runs the student's test cells."""
    cells = notebook["cells"]
    cell_of(notebook, "check_softmax")["source"] = "print('all tests passed')"
    cells.remove(cell_of(notebook, "check_log_softmax"))
    cells.append(copy.deepcopy(cell_of(notebook, "check_softmax_jacobian")))
    cell_of(notebook, "check_cross_entropy")["metadata"]["tags"] = ["skip-execution"]


def hand_ins(
    release: Notebook, solution: dict[str, str], others: list[dict[str, str]]
) -> dict[str, tuple[str, str | Notebook | None]]:
    """Student -> (file name, content); None is an empty folder. others: right answers in other styles."""

    def made(*edits: Edit) -> Notebook:
        notebook = copy.deepcopy(release)
        for edit in edits:
            edit(notebook)
        return notebook

    def wrong(*names: str) -> dict[str, str]:
        return dict(WRONG[n] for n in names)

    name = f"{TOPIC}.ipynb"
    half = {k: solution[k] for k in ("softmax", "log_softmax", "softmax_jacobian")}
    complete = made(writing(solution))
    return {
        "ada_right": (name, complete),
        "bela_loops": (name, made(writing(others[0]))),
        "chen_other_algebra": (name, made(writing(others[1]))),
        "dora_three_mistakes": (name, made(writing({**solution, **wrong("no shift", "epsilon", "sums to 1")}))),
        "emil_axes": (name, made(writing({**solution, **wrong("axis 0", "diagonal", "smoothing K - 1")}))),
        "fay_one_mistake_inherited": (
            name,
            made(writing({**solution, **wrong("batch-wide maximum", "logarithm of softmax", "p - 1 everywhere")})),
        ),
        "gus_half_finished": (name, made(writing(half))),
        "hana_helpers_of_her_own": (
            name,
            made(writing({**solution, "softmax": WITH_HELPER}), adding(HELPER, "softmax")),
        ),
        "ivo_syntax_error": (name, made(writing({**solution, "softmax_jacobian": SYNTAX}))),
        "jo_loop_crash_string_nan": (
            name,
            made(
                writing(
                    {
                        **solution,
                        "softmax": LOOP,
                        "log_softmax": DEAD,
                        "cross_entropy": NAN,
                        "label_smoothing": STRING.replace(
                            "softmax(logits)", "label_smoothing(labels, n_classes, epsilon)"
                        ),
                    }
                )
            ),
        ),
        "kim_meddles_with_checks": (name, made(writing({**half, **wrong("axis 0")}), _meddle_with_checks)),
        "lou_ast_transformer": (
            name,
            made(
                adding(TRANSFORMER, "softmax"),
                writing({"softmax": "def softmax(logits):\n    return np.zeros_like(logits)"}),
            ),
        ),
        "mia_borrowed_answers": (name, made(writing({"softmax": BORROWED, "log_softmax": FROM_TORCH}))),
        "ned_renamed": ("Homework 3 (final) NEW.ipynb", complete),
        "olga_cut_off": (name, json.dumps(complete)[:4000]),
        "pit_empty_folder": (name, None),
    }


def run() -> None:
    """The whole way, with the table of the class at the end."""
    here = course.root()
    topic = course.topic(TOPIC)
    answers = audit.answers_of(topic)
    others = [{name: list(styles.values())[i] for name, styles in answers.items()} for i in (0, 1)]
    click.echo(f"1 release   {ASSIGNMENT}/{TOPIC}, by stock nbgrader")
    stage = here / "var" / "demo"
    _new_course(here, stage)
    os.environ["CLASS4_ROOT"] = str(stage)
    try:
        _run(stage, others)
    finally:
        del os.environ["CLASS4_ROOT"]


def _new_course(here: Path, stage: Path) -> None:
    """A course folder with the one topic; a solution that is fresh is not executed again."""
    shutil.rmtree(stage, ignore_errors=True)
    (stage / "solutions" / ASSIGNMENT).mkdir(parents=True)
    shutil.copyfile(here / "nbgrader_config.py", stage / "nbgrader_config.py")
    for suffix in (".py", ".ipynb"):
        source = here / "solutions" / ASSIGNMENT / f"{TOPIC}{suffix}"
        if source.exists():
            shutil.copyfile(source, stage / "solutions" / ASSIGNMENT / source.name)


def _run(stage: Path, others: list[dict[str, str]]) -> None:
    from rich.console import Console

    topic = course.topic(TOPIC)
    build.build_solution(topic)
    (stage / "var").mkdir()
    nbgrader("generate_assignment", ASSIGNMENT, "--force", "--create")
    release = json.loads((stage / "notebooks" / ASSIGNMENT / f"{TOPIC}.ipynb").read_text())
    solution = {
        c["metadata"]["nbgrader"]["grade_id"]: "".join(c["source"])
        for c in json.loads(build.solution_path(topic).read_text())["cells"]
        if c["metadata"].get("nbgrader", {}).get("solution") and c["cell_type"] == "code"
    }
    made = hand_ins(release, solution, others)
    click.echo(f"2 hand in   {len(made)} made-up students, and one on the roster who hands in nothing")
    for student, (name, content) in made.items():
        folder = record.submitted_folder() / student / ASSIGNMENT
        folder.mkdir(parents=True)
        if content is not None:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    roster = [report.Student(s, s.split("_")[0].capitalize()) for s in (*made, "quinn_on_the_roster_only")]
    click.echo("3 judge     every exercise in a process of its own, on hidden cases")
    rows = classroom.grade_class(ASSIGNMENT, roster)
    click.echo("4 record    verdict files, then nbgrader's gradebook")
    problems = classroom.into_gradebook(ASSIGNMENT, rows)
    report.write_export(stage / "var" / "grades.csv", rows)
    click.echo("5 feedback  by stock nbgrader\n")
    classroom.write_feedback(ASSIGNMENT)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(report.table(rows))
    for problem in problems:
        click.echo(f"not recorded: {problem}", err=True)
    levels = ", ".join(sorted({v.isolation for r in rows for v in r.verdicts if v.isolation}))
    shown = stage.relative_to(stage.parents[1])
    click.echo(
        "✓ right  ◐ partly  ✗ wrong  ○ not attempted; exercises in the notebook's order; written answers wait for a person."
    )
    click.echo(f"demo: not official grading (isolation here: {levels})\n")
    click.echo("Where to look next")
    click.echo(f"  {shown}/var/feedback/dora_three_mistakes/{ASSIGNMENT}/{TOPIC}.html   what a student gets back")
    click.echo(f"  {shown}/var/verdicts/{ASSIGNMENT}/dora_three_mistakes/{TOPIC}.json   the verdict behind it")
    click.echo(f"  {shown}/var/grades.csv, {shown}/var/gradebook.db   the class")
    click.echo(f"  notebooks/{ASSIGNMENT}/{TOPIC}.ipynb   be a student yourself: make lab")
