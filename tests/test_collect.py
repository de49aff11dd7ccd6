"""Collect reads any notebook a person can hand in, takes the right definition of each exercise with what it needs, and runs nothing."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.build import cleared
from autograder.collect import (
    MAX_NOTEBOOK_BYTES,
    Submission,
    Unreadable,
    collect,
    find_exercises,
    global_names,
    read_cells,
    without_magics,
)
from class4lib.calls import Step, define, run_script

TOPICS = {"losses": ("f", "g", "Stopper"), "norms": ("h",)}
SETUP = "import numpy as np"
STUB = "def f(x):\n    '''Docstring.'''\n    raise NotImplementedError  # your code here"


def code(source: str | list[str], grade_id: str = "", **metadata: Any) -> dict[str, Any]:
    nbgrader = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {**nbgrader, **metadata},
        "outputs": [],
        "execution_count": None,
    }


def notebook(*cells: dict[str, Any] | str, topic: str = "losses") -> dict[str, Any]:
    return {
        "cells": [code(c) if isinstance(c, str) else c for c in cells],
        "metadata": {"class4": {"topic": topic}} if topic else {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def hand_in(
    folder: Path, *cells: dict[str, Any] | str, name: str = "losses.ipynb", topic: str = "losses"
) -> Submission:
    path = folder / name
    path.write_text(json.dumps(notebook(*cells, topic=topic)))
    return collect(path, TOPICS, {"losses": SETUP})


def call(submission: Submission, name: str, *args: Any) -> Any:
    """What the collected exercise gives, run in a namespace of its own."""
    space: dict[str, Any] = {}
    failures = define(space, submission.found[name].units)
    (record,) = run_script(space, [Step(name, args)])
    return record.get("value", (record, failures))


# ---- which definition counts
def test_the_cell_that_carries_the_grade_id_is_taken(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code("def f(x):\n    return 'own cell'", "f"), "def f(x):\n    return 'elsewhere'")
    assert call(found, "f", 0) == "own cell"


def test_without_its_cell_the_last_definition_anywhere_is_taken(tmp_path: Path) -> None:
    found = hand_in(tmp_path, "def f(x):\n    return 1", "x = 3", "def f(x):\n    return 2", topic="losses")
    assert call(found, "f", 0) == 2
    assert found.found["g"].status == "absent"


def test_an_answer_written_in_a_cell_of_its_own_below_the_stub_counts(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, code(STUB, "f"), "def f(x):\n    return x + 1"), "f", 1) == 2


def test_an_answer_in_anothers_cell_counts(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code("def f(x):\n    return 1\n\ndef g(x):\n    return 2", "f"), code("", "g"))
    assert (call(found, "f", 0), call(found, "g", 0)) == (1, 2)


def test_of_copied_cells_the_last_that_defines_it_counts_and_a_note_says_so(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path, code("def f(x):\n    return 1", "f"), code("def f(x):\n    return 2", "f"), code("# empty", "f")
    )
    assert call(found, "f", 0) == 2
    assert found.notes == ("The cell f is there 3 times: the last one that defines it counts.",)


def test_a_copy_that_went_back_to_the_stub_does_not_hide_the_answer(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, code("def f(x):\n    return 1", "f"), code(STUB, "f")), "f", 0) == 1


def test_a_function_that_is_wrapped_after_its_definition_keeps_its_wrapper(tmp_path: Path) -> None:
    wrapper = "def twice(function):\n    return lambda x: 2 * function(x)"
    found = hand_in(tmp_path, wrapper, code("def f(x):\n    return x\nf = twice(f)", "f"))
    assert call(found, "f", 3) == 6


def test_a_wrapper_in_another_cell_counts_where_the_function_has_no_cell_of_its_own(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        "def twice(function):\n    return lambda x: 2 * function(x)",
        "def f(x):\n    return x",
        "f = twice(f)",
    )
    assert call(found, "f", 3) == 6


@pytest.mark.parametrize(
    "source",
    [
        "f = lambda x: x + 1",
        "f = make()\n",
        "from functools import partial\nf = partial(max, 1)",
        "if True:\n    def f(x):\n        return 2\nelse:\n    f = None",
        "try:\n    import nothing_of_that_name\nexcept ImportError:\n    f = lambda x: 2",
    ],
)
def test_any_statement_that_gives_the_name_a_value_defines_it(source: str, tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, "def make():\n    return lambda x: x + 1", code(source, "f")), "f", 1) in (1, 2)


# ---- what goes with it
def test_helpers_imports_and_constants_of_other_cells_go_with_it(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        "from math import sqrt as root\nSCALE = 2",
        "def helper(x):\n    return SCALE * inner(x)",
        code("def f(x):\n    return helper(x)", "f"),
        "def inner(x):\n    return root(x)",
    )
    assert call(found, "f", 9.0) == 6.0


def test_names_reached_only_inside_nested_functions_defaults_and_decorators_go_with_it(tmp_path: Path) -> None:
    source = "@mark\ndef f(x, k=DEFAULT):\n    def inside():\n        return [OTHER + v for v in (x,)][0] + k\n    return (lambda: inside())()"
    found = hand_in(
        tmp_path, "DEFAULT = 10\nOTHER = 100", "def mark(function):\n    return function", code(source, "f")
    )
    assert call(found, "f", 1) == 111


def test_a_table_filled_by_later_statements_is_whole(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        "table = {}\ntable['a'] = 1",
        "table['b'] = 2\nfor i in range(3):\n    table[i] = i",
        code("def f(x):\n    return len(table)", "f"),
    )
    assert call(found, "f", 0) == 5


def test_the_rest_of_the_notebook_is_left_alone(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        "experiment = open('never')",
        "1 / 0",
        "print('loud')",
        code("def f(x):\n    return np.abs(x)", "f"),
        "del np",
    )
    assert [label.split("#")[0] for label, _ in found.found["f"].units] == ["set-up", "f"]
    assert call(found, "f", -1.0) == 1


def test_a_local_variable_with_the_name_of_a_global_experiment_does_not_pull_it_in(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        "losses = [slow() for _ in range(10**9)]\ne = 1 / 0",
        code("def f(x):\n    losses = x + 1\n    e = [e for e in (losses,)]\n    return e[0]", "f"),
    )
    assert len(found.found["f"].units) == 1
    assert call(found, "f", 1) == 2
    assert global_names("def f(x):\n    y = x\n    return y + z + len(w for w in x)") == {"z", "len"}


@pytest.mark.parametrize("own", ["", "import nump as np", "import numpy as nump", "raise KeyboardInterrupt"])
def test_the_release_gives_the_setup_whatever_the_student_made_of_theirs(own: str, tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, code(own, "setup"), code("def f(x):\n    return np.sum(x)", "f")), "f", [1, 2]) == 3


def test_an_import_of_the_students_own_stands_after_the_releases(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, "import math as np", code("def f(x):\n    return np.sqrt(x)", "f")), "f", 4) == 2.0


def test_star_imports_go_with_everything(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, "from math import *", code("def f(x):\n    return sqrt(x)", "f")), "f", 4) == 2.0


def test_the_exercises_that_an_answer_calls_are_known(tmp_path: Path) -> None:
    found = hand_in(
        tmp_path,
        code("def f(x):\n    return x", "f"),
        "def helper(x):\n    return f(x)",
        code("def g(x):\n    return helper(x)", "g"),
    )
    assert (found.found["g"].uses, found.found["f"].uses) == (("f",), ())


def test_a_stub_that_an_answer_calls_goes_with_it(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code(STUB, "f"), code("def g(x):\n    return f(x)", "g"))
    record, failures = call(found, "g", 0)
    assert (record["error"], failures) == ("NotImplementedError", {})
    assert found.found["g"].uses == ("f",)


def test_cells_out_of_order_do_no_harm_to_functions(tmp_path: Path) -> None:
    assert (
        call(
            hand_in(
                tmp_path, code("def g(x):\n    return f(x) + K", "g"), code("def f(x):\n    return x", "f"), "K = 5"
            ),
            "g",
            1,
        )
        == 6
    )


def test_lines_keep_their_numbers_so_that_errors_point_at_the_cell(tmp_path: Path) -> None:
    record, _ = call(hand_in(tmp_path, code("# a comment\n\ny = 1; z = 2\n\ndef f(x):\n    return x / 0", "f")), "f", 1)
    assert (record["line"], record["cell"]) == (6, "f")


def test_statements_that_share_a_line_are_told_apart(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code("a = 1; b = 1 / 0\ndef f(x): return a", "f"))
    assert call(found, "f", 0) == 1


# ---- magics and syntax
def test_magics_shell_and_help_lines_are_dropped_and_lines_stay() -> None:
    source = "%matplotlib inline\n!pip install x\nx = 1\nnp.sum?\n  %time y = 2\nz = 5 % 3"
    assert without_magics(source) == "\n\nx = 1\n\n\nz = 5 % 3"
    assert without_magics("%%bash\nls") == ""
    assert without_magics("%%time\nx = 1") == "\nx = 1"


def test_a_cell_with_magics_is_read(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, code("%load_ext autoreload\n!ls\ndef f(x):\n    return x\nf?", "f")), "f", 7) == 7
    assert call(hand_in(tmp_path, code("%%time\ndef f(x):\n    return x", "f"), "%%html\n<b>f = 1</b>"), "f", 7) == 7


def test_a_syntax_error_costs_its_cell_only_and_says_where(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code("def f(x)\n    return x", "f"), "def helper(:", code("def g(x):\n    return x", "g"))
    assert (found.found["f"].status, found.found["f"].error) == (
        "syntax",
        "The cell f cannot be read by Python in line 1: expected ':'",
    )
    assert call(found, "g", 1) == 1


def test_a_syntax_error_in_its_own_cell_is_told_though_an_older_definition_is_elsewhere(tmp_path: Path) -> None:
    assert (
        hand_in(tmp_path, "def f(x):\n    return 1", code("def f(x):\n  return (1", "f")).found["f"].status == "syntax"
    )


def test_a_broken_copy_elsewhere_does_not_cost_a_right_answer(tmp_path: Path) -> None:
    assert call(hand_in(tmp_path, code("def f(x):\n    return 1", "f"), "def f(x):\n  return (1"), "f", 0) == 1


def test_an_exercise_whose_only_definition_is_broken_is_a_syntax_error_wherever_it_stands(tmp_path: Path) -> None:
    found = hand_in(tmp_path, "x = 1", "def f(x):\n    return (1")
    assert (found.found["f"].status, found.found["f"].error) == (
        "syntax",
        "The cell cell 2 cannot be read by Python in line 2: '(' was never closed",
    )


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n\treturn 1\n        return 2",
        "f = " + "(" * 500 + ")" * 500,
        "x = '\ud800'\ndef f(x): return 1",
        "def f(x):\r\n    return 1\r\n",
        "def f(x):\n    return 1\x00",
        "\ufeffdef f(x):\n    return 1",
    ],
)
def test_strange_sources_are_read_or_told_and_never_raise(source: str, tmp_path: Path) -> None:
    assert hand_in(tmp_path, code(source, "f"), code("def g(x):\n    return 1", "g")).found["f"].status in (
        "written",
        "syntax",
    )


# ---- stubs
@pytest.mark.parametrize(
    "body",
    [
        "raise NotImplementedError",
        "raise NotImplementedError('todo')",
        "'''Doc.'''\n    raise NotImplementedError",
        "pass",
        "...",
        "'''Doc only.'''",
        "'''Doc.'''\n    # a comment\n    pass",
        "raise NotImplementedError\n    return x",
    ],
)
def test_a_stub_as_given_is_recognised(body: str, tmp_path: Path) -> None:
    found = hand_in(tmp_path, code(f"def f(x):\n    {body}", "f")).found["f"]
    assert (found.status, found.units) == ("stub", ())


@pytest.mark.parametrize(
    "body",
    ["return None", "y = x", "raise ValueError", "pass\n    return x", "if x:\n        raise NotImplementedError"],
)
def test_anything_written_is_no_stub(body: str, tmp_path: Path) -> None:
    assert hand_in(tmp_path, code(f"def f(x):\n    {body}", "f")).found["f"].status == "written"


def test_a_class_is_a_stub_as_long_as_every_method_is(tmp_path: Path) -> None:
    stub = "class Stopper:\n    '''Doc.'''\n    best: float\n\n    def __init__(self):\n        raise NotImplementedError\n\n    def step(self):\n        raise NotImplementedError"
    assert hand_in(tmp_path, code(stub, "Stopper")).found["Stopper"].status == "stub"
    assert (
        hand_in(tmp_path, code(stub.replace("raise NotImplementedError", "self.best = 1", 1), "Stopper"))
        .found["Stopper"]
        .status
        == "written"
    )


def test_what_clear_solutions_leaves_is_a_stub() -> None:
    source = 'def f(x):\n    """Doc."""\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION'
    from autograder.collect import Cell

    assert find_exercises(["f"], [Cell("code", cleared(source), "f", "f")])["f"].status == "stub"
    assert find_exercises(["f"], [Cell("code", source, "f", "f")])["f"].status == "written"


# ---- which topic
def test_a_renamed_file_is_recognised_by_its_metadata_and_a_note_says_so(tmp_path: Path) -> None:
    found = hand_in(tmp_path, code("def f(x):\n    return 1", "f"), name="my homework (final).ipynb")
    assert found.topic == "losses"
    assert found.notes == (
        "The file is called my homework (final).ipynb, not losses.ipynb: it was recognised by its contents.",
    )


def test_a_renamed_file_without_metadata_is_recognised_by_its_definitions(tmp_path: Path) -> None:
    found = hand_in(tmp_path, "def h(x):\n    return 1", "def unrelated(x):\n    return f(x)", name="x.ipynb", topic="")
    assert found.topic == "norms"


def test_deleted_metadata_costs_nothing(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["def f(x):\n", "    return 4"]},
        {"cell_type": "code", "source": "def g(x):\n    return f(x)", "metadata": None},
        {"cell_type": "code", "source": "q = 1", "metadata": {"nbgrader": "gone"}},
    ]
    path = tmp_path / "losses.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    found = collect(path, TOPICS)
    assert (call(found, "f", 0), call(found, "g", 0)) == (4, 4)
    assert found.notes == ()


def test_the_topic_that_metadata_claims_must_be_one_of_the_course(tmp_path: Path) -> None:
    for claimed in ("nonsense", 3, ["losses"], {"a": 1}):
        path = tmp_path / "norms.ipynb"
        path.write_text(json.dumps({**notebook("def h(x):\n    return 1"), "metadata": {"class4": {"topic": claimed}}}))
        assert collect(path, TOPICS).topic == "norms"


def test_a_version_3_notebook_is_read(tmp_path: Path) -> None:
    v3 = {
        "metadata": {},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "code", "input": ["def f(x):\n", "    return 3"], "language": "python", "outputs": []}
                ]
            }
        ],
    }
    path = tmp_path / "losses.ipynb"
    path.write_text(json.dumps(v3))
    assert call(collect(path, TOPICS), "f", 0) == 3


def test_a_notebook_that_jupyter_wrote_is_read(tmp_path: Path) -> None:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("def f(x):\n    return 5")])
    nbformat.write(made, tmp_path / "losses.ipynb")
    assert call(collect(tmp_path / "losses.ipynb", TOPICS), "f", 0) == 5


# ---- what is no notebook
WHOLE = json.dumps(notebook("def f(x):\n    return 1"))
BAD = "Open it in JupyterLab, save it and hand it in again."
NOT_NOTEBOOKS = {
    "truncated": (WHOLE[:-9].encode(), f"n.ipynb is cut off or damaged: it is not a complete notebook file. {BAD}"),
    "empty": (b"", f"n.ipynb is empty. {BAD}"),
    "not JSON": (b"print('hello')", f"n.ipynb is cut off or damaged: it is not a complete notebook file. {BAD}"),
    "not text": (
        b"\x89PNG\r\n\x1a\n\xff\xfe",
        f"n.ipynb is cut off or damaged: it is not a complete notebook file. {BAD}",
    ),
    "nested without end": (b"[" * 200_000, f"n.ipynb is cut off or damaged: it is not a complete notebook file. {BAD}"),
    "a list": (b"[1, 2]", "n.ipynb is not a notebook: it holds no cells."),
    "a number": (b"3", "n.ipynb is not a notebook: it holds no cells."),
    "cells that are none": (b'{"cells": {"a": 1}}', "n.ipynb is not a notebook: it holds no cells."),
    "somebody else's notebook": (
        json.dumps(notebook("x = 1", topic="")).encode(),
        "n.ipynb is a notebook without any exercise of this course.",
    ),
    "a notebook without cells": (
        b'{"cells": []}',
        "n.ipynb is a notebook without any exercise of this course.",
    ),
}


@pytest.mark.parametrize("kind", NOT_NOTEBOOKS)
def test_a_file_that_is_no_notebook_is_told_in_one_sentence(kind: str, tmp_path: Path) -> None:
    data, message = NOT_NOTEBOOKS[kind]
    (tmp_path / "n.ipynb").write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        collect(tmp_path / "n.ipynb", TOPICS)
    assert str(caught.value) == message


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.ipynb").write_text(WHOLE)
    (tmp_path / "n.ipynb").symlink_to(tmp_path / "real.ipynb")
    with pytest.raises(Unreadable) as caught:
        collect(tmp_path / "n.ipynb", TOPICS)
    assert str(caught.value) == "n.ipynb is a link to another file: hand in the notebook itself."


def test_a_pipe_a_folder_and_nothing_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("pipe", "folder", "nothing"):
        with pytest.raises(Unreadable) as caught:
            read_cells(tmp_path / f"{name}.ipynb")
        assert str(caught.value) == f"{name}.ipynb is not there."


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "n.ipynb").open("wb") as file:
        file.truncate(MAX_NOTEBOOK_BYTES + 1)
    with pytest.raises(Unreadable) as caught:
        collect(tmp_path / "n.ipynb", TOPICS)
    assert str(caught.value) == "n.ipynb is larger than 50 MiB: clear its outputs and hand it in again."


def test_a_byte_order_mark_and_odd_cells_are_passed_over(tmp_path: Path) -> None:
    made = notebook("def f(x):\n    return 1")
    made["cells"] += [
        None,
        3,
        "text",
        {},
        {"cell_type": 4, "source": 5},
        {"cell_type": "code", "source": [1, "g = 2"]},
        {"cell_type": "raw", "source": "def f("},
        {"cell_type": "markdown", "source": "def f(x):\n    return 2"},
    ]
    (tmp_path / "losses.ipynb").write_text("\ufeff" + json.dumps(made))
    found = collect(tmp_path / "losses.ipynb", TOPICS)
    assert call(found, "f", 0) == 1
    assert found.found["g"].status == "written"


# ---- digest
def test_the_digest_follows_the_cells_and_nothing_else(tmp_path: Path) -> None:
    one = hand_in(tmp_path, code("def f(x):\n    return 1", "f"))
    with_output = code("def f(x):\n    return 1", "f")
    with_output["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    assert hand_in(tmp_path, with_output).digest == one.digest
    assert hand_in(tmp_path, code("def f(x):\n    return 2", "f")).digest != one.digest
    assert hand_in(tmp_path, code("def f(x):\n    return 1", "g")).digest != one.digest


def test_collecting_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    hand_in(
        tmp_path,
        f"open({str(mark)!r}, 'w')",
        code(f"f = open({str(mark)!r}, 'w')\ndef f(x=open({str(mark)!r}, 'w')):\n    return 1", "f"),
    )
    assert not mark.exists()
