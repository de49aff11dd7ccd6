"""The grader's side of a worker: send a job, get back what the student's process reported, and how it ended.

One Worker is one process; it is started when it is first needed and again after a death. Workers are used by threads, one job at a time each.
"""

import os
import queue
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import class4lib
from class4lib.calls import Step
from class4lib.cases import Record
from class4lib.values import ValueFormatError, pack, to_tree, unpack

WALL_SECONDS = 10.0
GRACE_SECONDS = 30.0
MAX_REPLY = 256 * 2**20


class MachineFault(RuntimeError):
    """The worker itself failed, not the student's code: nothing was judged."""


@dataclass(frozen=True)
class Job:
    """What a child needs: modules (name -> text) it may import, units (label, text) of the student, and scripts to run."""

    modules: dict[str, str]
    units: tuple[tuple[str, str], ...]
    scripts: tuple[tuple[Step, ...], ...]
    wall_seconds: float = WALL_SECONDS
    seed: int = 0
    torch: bool = False


@dataclass(frozen=True)
class Run:
    """What came back. end: "ok", "timeout", "signal N", "exit N" or "output"; failures: of units, by label; outcomes: one per script that was finished.

    level: how the process was enclosed, as jail.available() says it.
    """

    end: str
    failures: dict[str, Record] = field(default_factory=dict)
    outcomes: tuple[tuple[Record, ...], ...] = ()
    level: str = ""


class Worker:
    """One worker process."""

    def __init__(self, torch: bool = False) -> None:
        self.torch = torch
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, job: Job) -> Run:
        """Run a job.

        Raises:
            MachineFault: two workers died on it.
        """
        request = pack(
            {
                "modules": job.modules,
                "units": list(job.units),
                "cases": [[s.to_tree() for s in script] for script in job.scripts],
                "wall_seconds": job.wall_seconds,
                "seed": job.seed,
            }
        )
        for attempt in (1, 2):
            try:
                return _read_run(self._exchange(request, job.wall_seconds + GRACE_SECONDS), job)
            except (OSError, EOFError, TimeoutError, ValueFormatError) as error:
                self.close()
                if attempt == 2:
                    raise MachineFault(f"the worker did not answer ({type(error).__name__}: {error})") from error
        raise AssertionError

    def _exchange(self, request: bytes, seconds: float) -> bytes:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(struct.pack("<Q", len(request)) + request)
        process.stdin.flush()
        deadline = time.monotonic() + seconds
        (length,) = struct.unpack("<Q", self._read(process.stdout.fileno(), 8, deadline))
        if length > MAX_REPLY:
            raise OSError("a reply that is too long")
        return self._read(process.stdout.fileno(), length, deadline)

    @staticmethod
    def _read(fd: int, length: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("no reply in time")
            chunk = os.read(fd, min(2**20, length - len(data)))
            if not chunk:
                raise EOFError("the worker ended")
            data += chunk
        return bytes(data)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died: its pipes are closed before another is started
        if self._process is None:
            library = str(Path(class4lib.__file__).parent)
            site = str(Path(np.__file__).parent.parent)
            command = [
                sys.executable,
                "-I",
                "-S",
                "-B",
                str(Path(__file__).parent / "worker.py"),
                library,
                site,
                *(["torch"] if self.torch else []),
            ]
            threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            kept = {
                k: v
                for k, v in os.environ.items()
                if k in ("PATH", "LANG", "LC_ALL", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH")
            }
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, **threads},
                cwd="/",
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:
                        pass
            self._process = None


def _read_run(reply: bytes, job: Job) -> Run:
    """A reply's frames; what the child wrote is read with suspicion and ends at the first thing that is not the frame due."""
    tree = unpack(reply)
    stream, frames = tree["stream"].tobytes(), []
    while len(stream) >= 8:
        (length,) = struct.unpack_from("<Q", stream)
        if length > len(stream) - 8:
            break
        try:
            frame = unpack(stream[8 : 8 + length])
        except ValueFormatError:
            break
        if not isinstance(frame, dict):
            break
        frames.append(frame)
        stream = stream[8 + length :]
    failures = frames[0].get("failures") if frames else {}
    outcomes: list[tuple[Record, ...]] = []
    for frame, script in zip(frames[1:], job.scripts, strict=False):
        records = frame.get("records")
        if not isinstance(records, list) or len(records) > len(script) or not all(map(_is_record, records)):
            break
        outcomes.append(
            tuple({k: to_tree(v) for k, v in r.items()} for r in records)
        )  # the caps of to_tree hold for forged frames too
    return Run(
        str(tree["end"]),
        failures if isinstance(failures, dict) and all(isinstance(v, dict) for v in failures.values()) else {},
        tuple(outcomes),
        str(tree["level"]),
    )


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or not ("value" in value or isinstance(value.get("error"), str)):
        return False
    changed = value.get("changed", [])
    return (
        isinstance(value.get("error", ""), str)
        and isinstance(changed, list)
        and all(type(c) in (int, str) for c in changed)
    )


class Pool:
    """A few workers for threads to share; the ones with PyTorch are started only when an exercise needs them."""

    def __init__(self, size: int = 1) -> None:
        self._idle: dict[bool, queue.SimpleQueue[Worker]] = {False: queue.SimpleQueue(), True: queue.SimpleQueue()}
        self._all: list[Worker] = []
        self.size = size
        self.level = ""  # how the last process was enclosed
        for torch in (False, True):
            for _ in range(size):
                worker = Worker(torch)
                self._all.append(worker)
                self._idle[torch].put(worker)

    @contextmanager
    def _worker(self, torch: bool) -> Iterator[Worker]:
        worker = self._idle[torch].get()
        try:
            yield worker
        finally:
            self._idle[torch].put(worker)

    def run(self, job: Job) -> Run:
        """Run a job on the next idle worker."""
        with self._worker(job.torch) as worker:
            run = worker.run(job)
        self.level = run.level
        return run

    def close(self) -> None:
        for worker in self._all:
            worker.close()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
