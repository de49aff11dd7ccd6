"""The worker: a clean process that imports once and then forks a child for every exercise it is sent.

    python -I -S worker.py LIBRARY SITE [torch]

LIBRARY is the folder of values.py, counting.py, doubles.py and calls.py, SITE the one that holds numpy. Requests and replies are frames on stdin and stdout:
eight bytes of length, then a packed value. A request holds sources and calls; no expected value, tolerance, reference or score ever comes here.
A child writes a frame when the sources are defined and one for every case, so that what was done before a death counts.

Standard library and NumPy only; nothing of autograder or class4lib is imported (the library's modules that a student may use come as text).
"""

import importlib.abc
import importlib.machinery
import math
import os
import select
import signal
import struct
import sys
import time
import types
from typing import Any, BinaryIO

MAX_STREAM = 96 * 2**20
STANDARD = [
    "math",
    "itertools",
    "functools",
    "collections",
    "typing",
    "dataclasses",
    "random",
    "operator",
    "fractions",
    "statistics",
    "copy",
    "numbers",
    "string",
    "enum",
    "abc",
    "warnings",
    "contextlib",
    "inspect",
    "textwrap",
    "re",
    "heapq",
    "bisect",
    "time",
    "json",
]


def main() -> None:
    library, site, *options = sys.argv[1:]
    sys.path[:0] = [library, site, os.path.dirname(os.path.abspath(__file__))]
    import numpy

    for name in ("linalg", "random", "fft", "polynomial", "ma", "lib.stride_tricks"):
        __import__(f"numpy.{name}")
    for name in STANDARD:
        __import__(name)
    if "torch" in options:
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
    import calls
    import jail
    import values

    # From here on nothing outside the standard library can be imported: neither this package's sources nor other people's answers.
    sys.path[:] = [p for p in sys.path if p not in (library, site, os.path.dirname(os.path.abspath(__file__)))]
    enclosure = jail.Jail(
        jail.Limits(memory_bytes=(16 if "torch" in options else 2) * 2**30), readable(numpy, options), hidden=packages()
    )
    level = jail.available()
    _adopt_orphans()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as null:
        os.dup2(null.fileno(), 0)
    while (request := read_frame(requests)) is not None:
        job = values.unpack(request)
        end, stream = serve(job, calls, values, enclosure)
        write_frame(replies, values.pack({"end": end, "level": level, "stream": numpy.frombuffer(stream, numpy.uint8)}))


def readable(numpy: types.ModuleType, options: list[str]) -> list[str]:
    """What a child may read: the standard library, shared libraries, NumPy and, where it was asked for, PyTorch."""
    paths = [os.path.dirname(os.__file__), "/lib", "/lib64", "/usr/lib", sys.base_prefix + "/lib"]
    packages = [numpy, *([sys.modules["torch"]] if "torch" in options else [])]
    for package in packages:
        folder = os.path.dirname(package.__file__ or "")
        paths += [folder, folder + ".libs"]
    return [p for p in dict.fromkeys(map(os.path.realpath, paths)) if os.path.exists(p)]


def packages() -> list[str]:
    """Folders of installed packages inside the standard library's: a class4lib there must not be readable."""
    roots = [os.path.dirname(os.__file__), sys.base_prefix + "/lib", "/usr/lib", "/usr/lib/python3", "/usr/local/lib"]
    found = [
        os.path.join(root, sub, name)
        for root in roots
        for sub in ("", *_versions(root))
        for name in ("site-packages", "dist-packages")
    ]
    return [p for p in dict.fromkeys(map(os.path.realpath, found)) if os.path.isdir(p)]


def _versions(root: str) -> list[str]:
    return [d for d in os.listdir(root) if d.startswith("python")] if os.path.isdir(root) else []


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    return stream.read(struct.unpack("<Q", head)[0])


def write_frame(stream: BinaryIO, data: bytes) -> None:
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)
    stream.flush()


def serve(job: dict[str, Any], calls: Any, values: Any, enclosure: Any) -> tuple[str, bytes]:
    """Fork, run the job, and return how it ended ("ok", "timeout", "signal N", "exit N", "output") with the bytes the child wrote."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(job, writing, calls, values, enclosure)
    os.close(writing)
    try:
        return _drain(pid, reading, time.monotonic() + float(job["wall_seconds"]))
    finally:
        os.close(reading)
        _end_orphans()


def _drain(pid: int, reading: int, deadline: float) -> tuple[str, bytes]:
    chunks, size, verdict = [], 0, ""
    while not verdict:
        left = deadline - time.monotonic()
        if left <= 0:
            verdict = "timeout"
        elif select.select([reading], [], [], min(left, 0.25))[0]:
            chunk = os.read(reading, 2**20)
            size += len(chunk)
            chunks.append(chunk)
            if not chunk:
                break
            if size > MAX_STREAM:
                verdict = "output"
        elif os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break  # dead, though something it left behind holds the pipe
    if verdict or not _wait(pid, 1.0):
        _kill(pid)
    _, status = os.waitpid(pid, 0)
    if not verdict:
        verdict = (
            "ok"
            if status == 0
            else f"signal {os.WTERMSIG(status)}"
            if os.WIFSIGNALED(status)
            else f"exit {os.WEXITSTATUS(status)}"
        )
    return verdict, b"".join(chunks)[:MAX_STREAM]


def _wait(pid: int, seconds: float) -> bool:
    """Whether the child ends within so many seconds of closing its pipe."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.0005)
    return False


def _kill(pid: int) -> None:
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _adopt_orphans() -> None:
    """Ask Linux to hand us the children of children that outlive their parent, so that none stays behind."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _end_orphans() -> None:
    for _ in range(64):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                children = [int(c) for c in file.read().split()]
        except OSError:
            return
        if not children:
            return
        for child in children:
            _kill(child)
            os.waitpid(child, 0)


def _child(job: dict[str, Any], writing: int, calls: Any, values: Any, enclosure: Any) -> None:
    """Never returns."""
    try:
        os.setsid()
        os.dup2(writing, 3)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.closerange(4, 1024)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        enclosure.enter(cpu_seconds=math.ceil(job["wall_seconds"]))
        out = os.fdopen(3, "wb", closefd=False)
        namespace = prepare(job["modules"], int(job["seed"]))
        write_frame(out, values.pack({"failures": calls.define(namespace, job["units"])}))
        for script in job["cases"]:
            records = calls.run_script(namespace, [calls.Step.from_tree(s) for s in script])
            write_frame(out, values.pack({"records": records}))
        os._exit(0)
    except BaseException:
        os._exit(70)


def prepare(modules: dict[str, str], seed: int) -> dict[str, Any]:
    """A fresh namespace in which `class4lib` is what was sent and every other package but NumPy is absent."""
    import random

    import numpy

    counting = sys.modules["counting"]
    for name in ("calls", "values", "doubles", "counting", "jail", "__main__"):
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Modules(modules, counting))
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__dict__["np"] = numpy
    if "torch" in sys.modules:
        module.__dict__["torch"] = sys.modules["torch"]
    return module.__dict__


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves `class4lib` from text. What a notebook uses and grading does not (plots, check, matplotlib …) is a stand-in that does nothing."""

    IDLE = (
        "matplotlib",
        "IPython",
        "class4lib.check",
        "class4lib.experiments",
        "class4lib.plots",
        "class4lib.data",
        "class4lib.gradcheck",
        "class4lib.training",
        "class4lib.network",
        "class4lib.quiz",
    )

    def __init__(self, sources: dict[str, str], counting: types.ModuleType) -> None:
        self.sources = sources
        self.given = {
            "class4lib.counting": counting
        }  # the very module that counts: an answer may catch its BudgetSpent

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in {*self.sources, *self.given, "class4lib"} or self._is_idle(fullname):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=not fullname.startswith("class4lib."))
        if fullname.split(".")[0] in ("class4lib", "autograder"):
            raise ModuleNotFoundError(
                f"{fullname} is not there while this exercise is graded: write it yourself", name=fullname
            )
        return None

    def _is_idle(self, fullname: str) -> bool:
        return fullname not in self.sources and any(fullname == n or fullname.startswith(n + ".") for n in self.IDLE)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return Idle(spec.name) if self._is_idle(spec.name) else self.given.get(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        if name in self.sources:
            exec(compile(self.sources[name], f"<{name}>", "exec"), module.__dict__)
            name_of = name
            module.__getattr__ = lambda attribute: _absent(name_of, attribute)  # type: ignore[method-assign]


def _absent(module: str, attribute: str) -> Any:
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    raise AttributeError(f"{module}.{attribute} is not there while this exercise is graded: write it yourself")


class Idle(types.ModuleType):
    """A module whose every name is a callable that does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()


class _Nothing:
    def __call__(self, *args: Any, **kwargs: Any) -> "_Nothing":
        return self

    def __getattr__(self, name: str) -> "_Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self


if __name__ == "__main__":
    main()
