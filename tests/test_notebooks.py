"""The notebooks as documents: solutions without error and inside their bands, on several BLAS kernels; releases that run unsolved.

nbval (the second line of `make test`) runs every solution again and compares outputs; here is what it does not see.
"""

import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder import build, course
from autograder.spec import Topic

ROOT = Path(__file__).parent.parent
KERNELS = {
    "Haswell": "avx2",
    "SkylakeX": "avx512f",
    "Prescott": "pni",
}  # OPENBLAS_CORETYPE -> what the processor must have
TOPICS = [course.topic(t) for t in course.topics()]
by_name = pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)


def outputs(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(
        str(o.get("text", o.get("data", {}).get("text/plain", o.get("evalue", ""))))
        for c in notebook.cells
        for o in c.get("outputs", [])
    )


@by_name
def test_the_executed_solution_has_no_error_and_every_figure_inside_its_band(topic: Topic) -> None:
    notebook = nbformat.read(build.solution_path(topic), as_version=4)
    assert not [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert "(outside" not in outputs(notebook)
    assert "waits for" not in outputs(notebook)


@by_name
def test_every_picture_carries_a_text_description(topic: Topic) -> None:
    notebook = nbformat.read(build.solution_path(topic), as_version=4)
    pictures = [o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert pictures
    for picture in pictures:
        assert picture.metadata["image/png"]["alt"]
        assert picture.data["text/plain"].startswith("Figure: ")


@by_name
def test_the_notebook_has_every_part_in_order(topic: Topic) -> None:
    text = build.source_path(topic).read_text()
    first_markdown = text.split("# %%")[1]
    assert "Time" in first_markdown
    assert "Recap question" in first_markdown
    opening = [re.search(part, text).start() for part in ("Recap question", "my_(prediction|guess)", 'exercise="')]
    closing = [text.index(part) for part in ("import torch", 'written="', "## Recap", "**To read")]
    assert opening == sorted(opening)
    assert closing == sorted(closing)
    assert opening[-1] < text.rindex("@experiment") < closing[1]


@by_name
def test_the_unsolved_release_runs_from_top_to_bottom_and_says_what_it_waits_for(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLASS4_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    path = tmp_path / f"{topic.name}.ipynb"
    shutil.copyfile(ROOT / "notebooks" / topic.assignment / path.name, path)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    failed = [
        c.metadata.get("nbgrader", {}).get("grade_id", c.source)
        for c in notebook.cells
        if any(o.output_type == "error" for o in c.get("outputs", []))
    ]
    assert failed == [f"check_{name}" for name in topic.names]
    assert len(re.findall("not attempted yet, 0 of", outputs(notebook))) >= len(topic.names)
    assert "waits for" in outputs(notebook)
    assert "stopped:" not in outputs(notebook)


@pytest.mark.bands
@pytest.mark.parametrize("kernel", KERNELS)
@by_name
def test_bands_hold_on_several_blas_kernels(topic: Topic, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if not re.search(rf"\b{KERNELS[kernel]}\b", flags):
        pytest.skip(f"this processor cannot run OpenBLAS's {kernel} kernel")
    monkeypatch.setenv("OPENBLAS_CORETYPE", kernel)
    notebook = build.execute(build.build_notebook(topic), build.solution_path(topic).parent)
    assert "(outside" not in outputs(notebook)
    assert os.environ["OPENBLAS_CORETYPE"] == kernel
