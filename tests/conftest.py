"""What all tests share."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent.parent
ONE = ("3_losses", "softmax_cross_entropy")  # the topic of the one-topic course


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240)


@pytest.fixture(scope="module")
def one_topic_course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A released course folder of one topic, for tests that write into var/; the course's functions see nothing else while it is in use."""
    from autograder import course

    assignment, topic = ONE
    root = tmp_path_factory.mktemp("course")
    config = (
        (HERE / "nbgrader_config.py")
        .read_text()
        .replace(
            "configure(get_config())",
            f"from autograder import course\n\ncourse.topics = lambda: ({topic!r},)\nconfigure(get_config())",
        )
    )
    (root / "nbgrader_config.py").write_text(config)
    for name in (
        f"solutions/{assignment}/{topic}.py",
        f"solutions/{assignment}/{topic}.ipynb",
        f"notebooks/{assignment}/{topic}.ipynb",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / name, root / name)
    (root / "var").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLASS4_ROOT", str(root))
        patch.setattr(course, "topics", lambda: (topic,))
        yield root


def grade_id(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


@pytest.fixture(scope="module")
def solution(one_topic_course: Path) -> dict[str, str]:
    """Exercise -> source, of the solution notebook."""
    notebook = json.loads((one_topic_course / "solutions" / ONE[0] / f"{ONE[1]}.ipynb").read_text())
    return {
        grade_id(c): "".join(c["source"])
        for c in notebook["cells"]
        if c["cell_type"] == "code" and c["metadata"].get("nbgrader", {}).get("solution")
    }


@pytest.fixture(scope="module")
def hand_in(one_topic_course: Path) -> Callable[..., Path]:
    """Write the release with answers in it: hand_in(path, {exercise: source}, edit), where edit may change the notebook's data."""

    def write(
        path: Path, answers: Mapping[str, str] = {}, edit: Callable[[dict[str, Any]], Any] = lambda notebook: None
    ) -> Path:
        notebook = json.loads((one_topic_course / "notebooks" / ONE[0] / f"{ONE[1]}.ipynb").read_text())
        for cell in notebook["cells"]:
            if grade_id(cell) in answers:
                cell["source"] = answers[grade_id(cell)]
        edit(notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook))
        return path

    return write
