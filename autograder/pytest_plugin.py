"""`pytest --submission NOTEBOOK.ipynb`: a notebook, graded against the reference as tests: one per exercise and tier, the advice as failure text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--submission", metavar="NOTEBOOK.ipynb", help="grade this notebook as tests: one per exercise and tier"
    )


def pytest_collection(session: pytest.Session) -> None:
    if session.config.getoption("--submission"):
        session.config.args[:] = []  # the notebook is all there is to test


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    path = config.getoption("--submission")
    if path:
        items[:] = list(_items(session, Path(path)))


def _items(session: pytest.Session, path: Path) -> Iterator["TierItem"]:
    from autograder import grade
    from autograder.collect import Unreadable
    from autograder.run.client import Pool

    try:
        submission = grade.read(path)
    except (Unreadable, FileNotFoundError) as error:
        raise pytest.UsageError(str(error)) from None
    with Pool() as pool:
        verdict = grade.judge_submission(submission, pool)
    for exercise in verdict.exercises:
        for tier in exercise.tiers or (None,):
            name = f"{exercise.name}[{tier.title if tier else 'all'}]"
            yield TierItem.from_parent(session, name=name, exercise=exercise, tier=tier, path=path)


class TierItem(pytest.Item):
    """One tier of one exercise."""

    def __init__(self, *, exercise: Any, tier: Any, path: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exercise, self.tier, self.path = exercise, tier, path

    def runtest(self) -> None:
        if self.exercise.status == "unjudged":
            pytest.skip(self.exercise.advice)
        if self.tier is None or self.tier.points < self.tier.max_points or self.tier.passed < self.tier.cases:
            raise TierFailed(self.exercise, self.tier)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, TierFailed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class TierFailed(AssertionError):
    """A tier that is not complete."""

    def __init__(self, exercise: Any, tier: Any) -> None:
        from class4lib import feedback

        count = f"{tier.title}: {tier.passed} of {tier.cases} cases\n" if tier else ""
        mistake = f"mistake recognised: {exercise.misconception}\n" if exercise.misconception else ""
        super().__init__(f"{feedback.headline(exercise)}\n{count}{mistake}{exercise.advice}")
