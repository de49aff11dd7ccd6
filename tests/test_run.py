"""The worker: values come back, one death costs one exercise, and nothing that would be the answer is in the process.

Attacks are bounded: a loop has a second, memory the jail's limit, a network attempt goes to 127.0.0.1 only.
"""

import ast
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import class4lib
from autograder import course, library
from autograder.run import client
from autograder.run.client import Job, MachineFault, Pool, Run, Worker
from class4lib.calls import Step
from class4lib.values import Other, pack, same

SHORT = 1.0
AFTER = "def f(x):\n    return x + 1"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def job(
    source: str,
    *args: Any,
    n: int = 1,
    modules: dict[str, str] | None = None,
    seconds: float = 10.0,
    torch: bool = False,
    op: str = "call",
) -> Job:
    return Job(
        modules or {},
        (("cell", source),),
        tuple((Step("f", args, {}, op),) for _ in range(n)),
        wall_seconds=seconds,
        torch=torch,
    )


def result(run: Run) -> Any:
    """The value of the only call, or what was raised."""
    assert run.end == "ok", run
    (record,) = run.outcomes[0]
    return record["value"] if "value" in record else f"{record['error']}: {record['message']}"


def body(*lines: str) -> str:
    return "\n    ".join(["def f(x):", *lines])


# ---- values come back
def test_values_come_back_whole(worker: Worker) -> None:
    tree = [1, -2.5, None, True, "∂", (np.arange(6).reshape(2, 3), {"a": np.array(1e300)}), np.array([np.nan, np.inf])]
    assert same(result(worker.run(job("def f(x):\n    return x", tree))), tree)


def test_every_case_has_its_records_and_a_failed_cell_is_told(worker: Worker) -> None:
    run = worker.run(
        Job(
            {},
            (("a", "1 / 0"), ("b", AFTER)),
            ((Step("f", (1,)), Step("f", (2,))), (Step("f", ("a",)),), (Step("f", (3,)),)),
        )
    )
    assert [[r.get("value", r.get("error")) for r in records] for records in run.outcomes] == [
        [2, 3],
        ["TypeError"],
        [4],
    ]
    assert run.failures == {"a": {"error": "ZeroDivisionError", "message": "division by zero", "line": 1, "cell": "a"}}


def test_jobs_do_not_see_each_other(worker: Worker) -> None:
    assert (
        result(
            worker.run(
                job(body("import builtins, numpy", "builtins.mine = numpy.mine = 1", "numpy.exp = None", "return 1"), 0)
            )
        )
        == 1
    )
    assert result(
        worker.run(
            job(body("import builtins", "return [hasattr(builtins, 'mine'), hasattr(np, 'mine'), np.exp(0.0)]"), 0)
        )
    ) == [False, False, np.array(1.0)]


def test_the_seed_of_a_job_seeds_both_global_generators(worker: Worker) -> None:
    source = body("import random", "return [random.random(), np.random.random()]")
    one, again = (result(worker.run(Job({}, (("c", source),), ((Step("f", (0,)),),), seed=5))) for _ in range(2))
    other = result(worker.run(Job({}, (("c", source),), ((Step("f", (0,)),),), seed=6)))
    assert same(one, again)
    assert not same(one, other)


def test_modules_that_are_sent_can_be_imported_and_what_is_cut_out_of_them_cannot(worker: Worker) -> None:
    modules = {"class4lib.basics": "def relu(x):\n    return max(x, 0)"}
    assert (
        result(worker.run(job(body("from class4lib.basics import relu", "return relu(x)"), -3, modules=modules))) == 0
    )
    assert (
        result(worker.run(job(body("from class4lib import basics", "return basics.sigmoid(x)"), 1, modules=modules)))
        == "AttributeError: class4lib.basics.sigmoid is not there while this exercise is graded: write it yourself"
    )
    assert (
        result(worker.run(job(body("import class4lib.attention"), 1, modules=modules)))
        == "ModuleNotFoundError: class4lib.attention is not there while this exercise is graded: write it yourself"
    )


def test_what_a_notebook_shows_is_a_stand_in_that_does_nothing(worker: Worker) -> None:
    source = (
        "import matplotlib.pyplot as plt\nfrom class4lib import plots, data\nfrom class4lib.check import check, hint\nplt.figure().add_subplot(1)\ncheck('f')\nx, y = plots.figure, data\n"
        + AFTER
    )
    assert result(worker.run(job(source, 1))) == 2


# ---- deaths
DEATHS = {
    "an endless loop": (body("while True: pass"), ("timeout",)),
    "a loop that ignores interrupts": (
        body("while True:", "    try:", "        while True: pass", "    except BaseException: pass"),
        ("timeout",),
    ),
    "sleep": (body("import time", "time.sleep(60)"), ("timeout",)),
    "os._exit(0)": (body("import os", "os._exit(0)"), ("ok",)),
    "os._exit(3)": (body("import os", "os._exit(3)"), ("exit 3",)),
    "a signal to itself": (
        body("import os, signal", "os.kill(os.getpid(), signal.SIGSEGV)"),
        ("signal 11", "ok"),
    ),  # the jail refuses the call
    "a segfault": (body("import ctypes", "ctypes.string_at(0)"), ("signal 11",)),
    "abort": (
        body("import os", "os.abort()"),
        ("signal 6", "signal 11"),
    ),  # where the jail refuses the signal, libc faults
    "memory": (body("return [np.ones(2**28) for _ in range(64)]"), ("ok", "signal 9", "exit 70")),
    "memory of Python's own": (body("return 'x' * 2**36"), ("ok", "signal 9", "exit 70")),
    "an infinite recursion in C": (
        body("x = []", "for _ in range(10**6): x = [x]", "return repr(x)"),
        ("ok", "signal 11"),
    ),
    "a closed pipe": (body("import os", "os.closerange(0, 64)", "return 1"), ("exit 70", "ok")),
}


@pytest.mark.parametrize("kind", DEATHS)
def test_a_death_costs_the_exercise_that_died_and_nothing_else(kind: str, worker: Worker) -> None:
    source, ends = DEATHS[kind]
    process = worker._process
    started = time.monotonic()
    run = worker.run(job(source, 1, seconds=SHORT))
    assert run.end in ends
    assert all("value" not in r for records in run.outcomes for r in records)
    assert time.monotonic() - started < 8
    assert result(worker.run(job(AFTER, 1))) == 2
    assert process is None or worker._process is process  # the clean parent lived on


def test_cases_before_a_death_count(worker: Worker) -> None:
    run = worker.run(
        Job(
            {},
            (("c", "import os\ndef f(x):\n    return x if x < 3 else os._exit(1)"),),
            tuple((Step("f", (i,)),) for i in range(5)),
        )
    )
    assert (run.end, [r[0]["value"] for r in run.outcomes]) == ("exit 1", [0, 1, 2])


def test_a_death_while_the_cells_are_run_leaves_no_outcome(worker: Worker) -> None:
    run = worker.run(job("import os\nos._exit(0)", 1))
    assert (run.end, run.outcomes, run.failures) == ("ok", (), {})


def test_printed_text_is_thrown_away_and_takes_no_time(worker: Worker) -> None:
    assert (
        result(
            worker.run(
                job(
                    body(
                        "import sys, os",
                        "print('x' * 10**7)",
                        "sys.stderr.write('y' * 10**7)",
                        "os.write(1, b'z' * 1000)",
                        "return input is not None",
                    ),
                    1,
                )
            )
        )
        is True
    )


def test_a_flood_of_values_is_stopped_at_the_cap(worker: Worker) -> None:
    run = worker.run(job(body("return np.zeros(7 * 2**20)"), 1, n=4))  # 56 MiB each, below the cap of one value
    assert run.end == "output"
    assert len(run.outcomes) < 4
    assert result(worker.run(job(body("return np.zeros(9 * 2**20)"), 1))) == Other("more than 64 MiB of numbers")


def test_a_flood_of_raw_bytes_is_stopped_at_the_cap(worker: Worker) -> None:
    run = worker.run(job(body("import os", "while True: os.write(3, b'x' * 2**20)"), 1))
    assert run.end == "output"
    assert run.outcomes == ()


# ---- forged frames
def frame(tree: Any) -> bytes:
    data = pack(tree)
    return struct.pack("<Q", len(data)) + data


def forged(data: bytes, then: str = "os._exit(0)") -> str:
    return body("import os", f"os.write(3, {data!r})", then)


RECORD = {"value": 1, "changed": [], "global_random": False, "log": []}
DEEP = "[" * 900 + "]" * 900
FORGED = {
    "garbage": b"\xff" * 64,
    "a length of 16 EiB": b"\xff" * 8,
    "a packed value with a lie": struct.pack("<Q", 40) + struct.pack("<Q", 2**60) + b"x" * 32,
    "no dict": frame([1, 2]),
    "no records": frame({"records": 3}),
    "records of nothing": frame({"records": [1, None]}),
    "a record without a value": frame({"records": [{"changed": []}]}),
    "an error that is no text": frame({"records": [{"error": 3}]}),
    "changed arguments that are none": frame({"records": [{**RECORD, "changed": [{"a": 1}]}]}),
    "more records than steps": frame({"records": [RECORD] * 3}),
    "failures again": frame({"failures": {"a": {}}}),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_frame_that_is_none_ends_the_reading_and_not_the_grader(kind: str, worker: Worker) -> None:
    run = worker.run(job(forged(FORGED[kind]), 1, n=3))
    assert run.outcomes == ()
    assert result(worker.run(job(AFTER, 1))) == 2


def test_more_frames_than_cases_are_not_taken(worker: Worker) -> None:
    run = worker.run(job(forged(frame({"records": [RECORD]}) * 50), 1, n=3))
    assert [len(r) for r in run.outcomes] == [1, 1, 1]


def test_a_forged_value_is_capped_like_any_other(worker: Worker) -> None:
    deep: Any = 1.0
    for _ in range(90):
        deep = [deep]
    run = worker.run(job(forged(frame({"records": [{**RECORD, "value": deep}]})), 1))
    value, depth = run.outcomes[0][0]["value"], 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1
    assert value == Other("a value too large or too deep")
    assert depth < 30


def test_forged_failures_are_not_taken_for_records(worker: Worker) -> None:
    data = frame({"failures": [1, 2]}) + frame({"records": [RECORD]})
    run = worker.run(job(f"import os\nos.write(3, {data!r})\nos._exit(0)", 1, n=1))
    assert run.failures == {}


# ---- other processes
def test_the_parent_cannot_be_killed(worker: Worker) -> None:
    worker.run(job(AFTER, 1))
    process = worker._process
    assert process is not None
    said = result(
        worker.run(job(body("import os, signal", "os.kill(os.getppid(), 0)", "return 'allowed'"), 1))
    )  # signal 0 asks and does nothing
    if said == "allowed":
        pytest.xfail("this machine's kernel cannot keep a signal from the parent")
    assert said.startswith("PermissionError")
    assert process.poll() is None


def test_a_process_left_behind_is_ended(worker: Worker, tmp_path: Path) -> None:
    source = body(
        "import os, time",
        "pid = os.fork()",
        "if pid == 0:",
        "    os.setsid()",
        "    time.sleep(60)",
        "    os._exit(0)",
        "return pid",
    )
    said = result(worker.run(job(source, 1)))
    if isinstance(said, str):
        assert said.startswith(("PermissionError", "BlockingIOError", "OSError"))
    else:
        with pytest.raises(ProcessLookupError):
            os.kill(said, 0)


def test_the_network_is_absent(worker: Worker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = result(
            worker.run(
                job(
                    body(
                        "import socket",
                        f"socket.create_connection(('127.0.0.1', {port}), timeout=2)",
                        "return 'connected'",
                    ),
                    1,
                )
            )
        )
    if said == "connected":
        pytest.xfail("this machine's kernel cannot keep a process from the network")
    assert said.startswith(("PermissionError", "OSError"))


# ---- what is absent
@pytest.mark.parametrize(
    "name",
    [
        "scipy",
        "scipy.special",
        "sklearn",
        "torch",
        "jax",
        "tensorflow",
        "autograder",
        "autograder.sheets",
        "class4lib.judging",
        "class4lib.public",
        "class4lib.comparing",
        "class4lib.softmax_cross_entropy",
        "tests",
        "pytest",
        "IPython.core",
        "calls",
        "values",
        "jail",
        "worker",
    ],
)
def test_nothing_that_knows_the_answer_can_be_imported(name: str, worker: Worker) -> None:
    said = result(
        worker.run(
            job(
                body(
                    "import importlib",
                    f"module = importlib.import_module({name!r})",
                    "return getattr(module, '__file__', None) or type(module).__name__",
                ),
                1,
            )
        )
    )
    assert said.startswith("ModuleNotFoundError") or said == "Idle"
    if not name.startswith("IPython"):
        assert said != "Idle"


def test_only_the_standard_library_and_numpy_are_loaded(worker: Worker) -> None:
    source = body("import sys", "return sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))")
    loaded = {
        m for m in result(worker.run(job(source, 1))) if "cython" not in m
    }  # Cython's own bookkeeping, from NumPy's extension modules
    assert loaded == {"numpy", "__main__"}


@pytest.mark.parametrize(
    "path",
    [
        Path(class4lib.__file__).parent / "softmax_cross_entropy.py",
        Path(class4lib.__file__).parent / "public" / "softmax_cross_entropy.json",
        Path(library.__file__),
        Path(library.__file__).parent / "exercises" / "softmax_cross_entropy.py",
    ],
    ids=lambda p: p.name,
)
def test_the_librarys_and_the_graders_sources_cannot_be_read_from_disk(path: Path, worker: Worker) -> None:
    assert path.exists()
    run = worker.run(job(body(f"return open({str(path)!r}).read()"), 1))
    if "landlock" not in run.level:
        pytest.xfail(f"this machine's level is {run.level}")
    assert result(run) == f"PermissionError: [Errno 13] Permission denied: {str(path)!r}"


def test_the_secret_cannot_be_read_from_disk(worker: Worker) -> None:
    from autograder import sheets

    sheets.secret()
    run = worker.run(job(body(f"return open({str(course.root() / 'var' / 'secret')!r}).read()"), 1))
    if "landlock" not in run.level:
        pytest.xfail(f"this machine's level is {run.level}")
    assert result(run).startswith("PermissionError")


SEARCH = """
def f(x):
    import gc, sys
    found, frame = [], sys._getframe()
    seen = set()
    while frame is not None:
        found += [v for v in (*frame.f_locals.values(), *frame.f_globals.values())]
        frame = frame.f_back
    found += gc.get_objects()
    for module in list(sys.modules.values()):
        found += list(vars(module).values())
    hits = []
    todo = [(v, 0) for v in found]
    while todo:
        v, depth = todo.pop()
        if id(v) in seen:
            continue
        seen.add(id(v))
        if isinstance(v, np.ndarray) and v.shape == (2,) and v.dtype == float and np.array_equal(v, MARK + 0.5):
            hits.append("an array")
        if isinstance(v, (str, bytes)) and ("expec" + "ted" if isinstance(v, str) else b"expec" + b"ted") in v and "MARKED" in str(v):
            hits.append("a text")
        if isinstance(v, (list, tuple)) and depth < 8:
            todo += [(w, depth + 1) for w in v]
        if isinstance(v, dict) and depth < 8:
            todo += [(w, depth + 1) for w in list(v.values())]
    return hits
"""


def test_frames_and_garbage_hold_no_expected_value(worker: Worker) -> None:
    """The search finds what is planted, and finds nothing where only a job was sent."""
    mark = "MARK = np.array([3.0, 4.0])\n"
    assert result(worker.run(job(mark + "hidden = [{'a': (MARK + 0.5,)}]\n" + SEARCH, 1))) == ["an array"]
    request: list[bytes] = []
    original = client.pack
    try:
        client.pack = lambda tree: request.append(original(tree)) or request[-1]  # type: ignore[assignment,func-returns-value]
        assert result(worker.run(job(mark + SEARCH, np.array([3.0, 4.0])))) == []
    finally:
        client.pack = original
    assert b"expected" not in request[0].replace(b'\\"expec\\"', b"")


def defined(source: str) -> set[str]:
    """Names of all functions and classes in a source."""
    return {n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("topic", course.topics())
def test_no_exercise_is_sent_its_own_answer(topic: str) -> None:
    made = course.topic(topic)
    for exercise in made.exercises:
        modules = library.modules_for(made, exercise)
        assert modules is not None
        for name, text in modules.items():
            assert defined(text) & {exercise.name, *exercise.absent} == set(), (exercise.name, name)


def test_the_check_for_the_own_answer_can_fail() -> None:
    topic = course.topic("softmax_cross_entropy")
    modules = library.modules_for(topic, topic.exercise("log_softmax"), ("softmax",))
    assert modules is not None
    assert "softmax" in defined(modules["class4lib.softmax_cross_entropy"])
    assert library.modules_for(topic, topic.exercise("softmax"), ("softmax",)) is None


# ---- torch
def test_an_exercise_with_tensors_runs_where_torch_is_and_only_there() -> None:
    source = "def f(x):\n    return (x * x).sum()"
    torch_worker = Worker(torch=True)
    try:
        value = result(torch_worker.run(job(source, np.array([1.0, 3.0]), np.array(2.0), torch=True, op="torch")))
        assert (float(value["y"]), value["grads"][0].tolist()) == (10.0, [4.0, 12.0])
        assert torch_worker.run(job(body("import os", "os._exit(4)"), 1)).end == "exit 4"
        assert result(torch_worker.run(job(AFTER, 1))) == 2
    finally:
        torch_worker.close()


# ---- the machine
def test_a_worker_that_died_is_started_again(worker: Worker) -> None:
    worker.run(job(AFTER, 1))
    process = worker._process
    assert process is not None
    process.kill()
    process.wait()
    assert result(worker.run(job(AFTER, 1))) == 2
    assert worker._process is not process


class Dead(Worker):
    """A worker whose process ends before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.started = 0

    def _started(self) -> Any:
        import subprocess
        import sys

        self.started += 1
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self._process


def test_a_worker_that_dies_twice_is_a_fault_of_the_machine() -> None:
    dead = Dead()
    with pytest.raises(
        MachineFault, match=r"^the worker did not answer \((EOFError: the worker ended|BrokenPipeError: .*)\)$"
    ):
        dead.run(job(AFTER, 1))
    assert dead.started == 2


def test_a_reply_that_is_too_long_is_a_fault_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_REPLY", 100)
    with (
        Pool(1) as pool,
        pytest.raises(MachineFault, match=r"^the worker did not answer \(OSError: a reply that is too long\)$"),
    ):
        pool.run(job(body("return np.zeros(100)"), 1))


def test_a_pool_serves_more_threads_than_it_has_workers() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Pool(2) as pool, ThreadPoolExecutor(6) as threads:
        runs = list(
            threads.map(lambda i: pool.run(job(AFTER if i % 3 else body("import os", "os._exit(9)"), i)), range(12))
        )
    assert [r.end for r in runs] == ["exit 9" if i % 3 == 0 else "ok" for i in range(12)]
    assert [result(r) for r in runs if r.end == "ok"] == [i + 1 for i in range(12) if i % 3]
