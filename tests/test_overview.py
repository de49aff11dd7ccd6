"""The overview of the course: what it says of topics, minutes and needs is what specs and notebooks say; progress; the notebook itself."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder import build, course
from autograder.spec import Topic
from class4lib import overview
from class4lib.public import outline, topic_sheets

ROOT = Path(__file__).parent.parent
TOPICS = [course.topic(t) for t in course.topics()]
by_name = pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)


def entry(topic: Topic) -> overview.Entry:
    return overview.COURSE[topic.assignment][topic.name]


def minutes(topic: Topic, *, bonus: bool) -> int:
    return sum(e.minutes for e in topic.exercises if e.extension == bonus) + (
        0 if bonus else sum(w.minutes for w in topic.written)
    )


@by_name
def test_title_and_minutes_are_those_of_the_spec(topic: Topic) -> None:
    assert entry(topic)[:3] == (topic.title, minutes(topic, bonus=False), minutes(topic, bonus=True))


def plain(words: str) -> str:
    return " ".join(w for w in re.split(r"[^a-z]+", words.lower()) if w not in ("and", "vs"))


@by_name
def test_the_outline_of_a_topic_is_that_of_its_sheets(topic: Topic) -> None:
    assert list(outline(topic.name).items()) == [(s.name, s.extension) for s in topic_sheets(topic.name).values()]
    assert tuple(outline(topic.name)) == topic.names


@by_name
def test_needs_are_the_notebooks_that_the_header_names(topic: Topic) -> None:
    header = build.source_path(topic).read_text().split("# %%")[1]
    needs = re.search(r"\*\*Needs\*\*(.*?)· \*\*Symbols", header, re.S).group(1)
    names = {plain(t): t for t in overview.topic_names()}
    named = [plain(n) for n in re.findall(r"\*([^*]+)\*", needs)]
    assert set(named) <= set(names), "the header names a notebook that does not exist"
    assert {names[n] for n in named} == set(entry(topic).needs)


@by_name
def test_a_notebook_needs_only_what_was_taught_before(topic: Topic) -> None:
    order = overview.topic_names()
    assert all(order.index(need) < order.index(topic.name) for need in entry(topic).needs)


def test_an_arrow_that_others_imply_is_left_out() -> None:
    assert overview.COURSE["1_architectures"]["dense_and_highway"].needs == (
        "vanishing_gradients",
        "residual_connections",
    )
    assert overview.direct_needs("dense_and_highway") == ("residual_connections",)


def test_progress_counts_core_exercises_and_names_the_next() -> None:
    core = [s.name for s in topic_sheets("dropout").values() if not s.extension]
    statuses = {core[0]: "passed", core[1]: "partial"}
    assert overview.share_done("dropout", statuses) == (1, len(core))
    table = overview.progress_table(statuses)
    assert re.search(rf"Dropout  .*■□+ 1 of {len(core)} next: {core[1]}\n", table)
    assert re.search(r"1 of \d+ core exercises are right\.$", table)
    everything = dict.fromkeys(core, "passed")
    assert re.search(rf"■ {len(core)} of {len(core)} complete\n", overview.progress_table(everything))


def test_the_overview_asks_one_question_of_every_notebook() -> None:
    rows = re.findall(
        r"^# \|.*\| (\w+) \| .*\? .*?\|$|^# \|.*\| (\w+) \| .*\|$", (ROOT / build.OVERVIEW).read_text(), re.M
    )
    named = [a or b for a, b in rows]
    assert [n for n in named if n in overview.topic_names()] == list(overview.topic_names())


def test_the_overview_is_fresh_and_its_release_is_the_same_without_outputs() -> None:
    solved = nbformat.read(ROOT / "solutions" / "overview.ipynb", as_version=4)
    released = nbformat.read(ROOT / "notebooks" / "overview.ipynb", as_version=4)
    assert build.source_of(solved) == build.source_of(build.build_overview()) == build.source_of(released)
    assert not any(c.get("outputs") for c in released.cells)
    pictures = [o for c in solved.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 2
    assert all(p.metadata["image/png"]["alt"] for p in pictures)
    assert not [o for c in solved.cells for o in c.get("outputs", []) if o.output_type == "error"]


def test_the_overview_shows_what_was_checked_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = tmp_path / "progress.json"
    progress.write_text('{"softmax": "passed"}')
    monkeypatch.setenv("CLASS4_PROGRESS", str(progress))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(ROOT / "notebooks" / "overview.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    text = "\n".join(str(o.get("text", "")) for c in notebook.cells for o in c.get("outputs", []))
    assert "Softmax and cross-entropy          ■□" in text
    assert "1 of" in text.splitlines()[-1]
    assert progress.read_text() == '{"softmax": "passed"}', "trying out a function by hand is no progress"


def test_a_marker_in_the_overview_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "solutions"
    folder.mkdir()
    (folder / "overview.py").write_text('# %% exercise="softmax"\n')
    (tmp_path / "nbgrader_config.py").write_text("")
    monkeypatch.setenv("CLASS4_ROOT", str(tmp_path))
    with pytest.raises(build.BuildError, match="the overview has no exercises"):
        build.build_overview()
