"""Each attack is planted in a forked child: without the jail it succeeds, inside it is refused. And honest code works inside.

Every attempt has its own interpreter, which forks the child, gives it seconds and reports what it said and how it ended: no attack sees the tests.
Networking is with 127.0.0.1 only, and a signal to the parent is 0 or SIGCONT, which ask nothing of it.
"""

import errno
import importlib.util
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SOURCE = Path(__file__).parent.parent / "autograder" / "run" / "jail.py"
SPEC = importlib.util.spec_from_file_location("jail", SOURCE)
assert SPEC is not None and SPEC.loader is not None
jail = importlib.util.module_from_spec(SPEC)
sys.modules["jail"] = jail
SPEC.loader.exec_module(jail)

LEVEL = jail.available()
READABLE = [
    os.path.dirname(os.__file__),
    "/lib",
    "/lib64",
    "/usr/lib",
    os.path.join(sys.base_prefix, "lib"),
    os.path.dirname(np.__file__),
    os.path.dirname(np.__file__) + ".libs",
]

# The interpreter of one attempt: job on stdin, outcome on stdout.
HARNESS = r"""
import ctypes, fcntl, importlib.util, json, mmap, os, resource, select, signal, socket, subprocess, sys, threading, time
job = json.load(sys.stdin)
for name in job["preload"]:
    __import__(name)
spec = importlib.util.spec_from_file_location("jail", job["jail"])
jail = sys.modules["jail"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jail)
if job["abi"] is not None:
    jail._landlock_abi = lambda libc: job["abi"]
if not job["seccomp"]:
    jail._program = lambda machine, abi: b""
enclosure = jail.Jail(jail.Limits(**job["limits"]), job["readable"], job["hidden"])
secret = ctypes.create_string_buffer(b"known to the parent")
libc = ctypes.CDLL(None, use_errno=True)
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(reading)
    said = {}
    try:
        said["level"] = enclosure.enter() if job["jailed"] else ""
        def check(result):
            if result == -1:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return result
        space = {**globals(), "parent": os.getppid(), **job["names"]}
        exec(job["source"], space)
        said["value"] = space.get("value", True)
    except BaseException as error:
        said["error"] = f"{type(error).__name__}: {error}"
        said["errno"] = getattr(error, "errno", None)
    os.write(writing, json.dumps(said, default=str).encode())
    os._exit(0)
os.close(writing)
data, deadline, late = b"", time.monotonic() + job["seconds"], True
while select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
    chunk = os.read(reading, 65536)
    data += chunk
    if not chunk:
        late = False
        break
if late:
    os.kill(pid, signal.SIGKILL)
status = os.waitpid(pid, 0)[1]
print(json.dumps({"said": json.loads(data or b"{}"), "code": os.waitstatus_to_exitcode(status), "late": late}))
"""


@dataclass(frozen=True)
class Outcome:
    """What the child said, its exit code (minus the signal), and whether it had to be stopped."""

    value: Any
    error: str | None
    errno: int | None
    level: str
    code: int
    late: bool

    @property
    def succeeded(self) -> bool:
        return self.error is None and bool(self.value)

    @property
    def refused(self) -> bool:
        return self.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS) or bool(
            self.error and self.error.startswith("PermissionError")
        )


def attempt(source: str, *, jailed: bool = True, seconds: float = 10, readable: list[str] = READABLE, hidden: tuple[str, ...] = (), preload: tuple[str, ...] = (),
            abi: int | None = None, seccomp: bool = True, limits: dict[str, int] | None = None, **names: Any) -> Outcome:  # fmt: skip
    """Run source in a child of an interpreter of its own."""
    job = {"source": source, "jailed": jailed, "seconds": seconds, "readable": list(map(str, readable)), "hidden": list(map(str, hidden)), "preload": preload, "abi": abi,
           "seccomp": seccomp, "limits": limits or {}, "names": names, "jail": str(SOURCE)}  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", HARNESS],
        input=json.dumps(job, default=str),
        capture_output=True,
        text=True,
        timeout=seconds + 50,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    said = report["said"]
    return Outcome(
        said.get("value"), said.get("error"), said.get("errno"), said.get("level", ""), report["code"], report["late"]
    )


def need(*locks: str) -> None:
    """Stop with an expected failure where this machine has none of the locks that hold this attack."""
    if not any(lock in LEVEL.split("+") for lock in locks) and not ("rlimits" in locks and LEVEL != "none"):
        pytest.xfail(f"this machine's level is {LEVEL}, and only {' or '.join(locks)} stops this attack")


def refuses(source: str, *, only_if_possible: bool = False, **options: Any) -> None:
    """Assert that source succeeds outside and is refused inside."""
    inside = attempt(source, **options)
    assert inside.refused, inside
    outside = attempt(source, jailed=False, **options)
    if only_if_possible and outside.errno is not None:
        pytest.xfail(f"this machine refuses it without a jail too: {outside.error}")
    assert outside.succeeded, outside


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Any]:
    """A folder with a secret, and beside it a readable folder with a link that leads there."""
    for name in ("private", "public"):
        (tmp_path / name).mkdir()
    (tmp_path / "private" / "secret.txt").write_text("the answer")
    (tmp_path / "public" / "data.txt").write_text("the data")
    (tmp_path / "public" / "link.txt").symlink_to(tmp_path / "private" / "secret.txt")
    (tmp_path / "public" / "up").symlink_to("..")
    return {"private": str(tmp_path / "private"), "public": str(tmp_path / "public")}


def snapshot(folder: str) -> list[Any]:
    """Names, modes, times, lengths: all that an attack on a folder could change."""
    return [
        (str(p), s.st_mode, s.st_mtime_ns, s.st_size, s.st_nlink, os.listxattr(p))
        for p in sorted(Path(folder).rglob("*"))
        for s in [p.stat()]
    ]


# ---- files


@pytest.mark.parametrize(
    "source",
    [
        "value = open('/etc/passwd').read()",
        "value = open(jail_file).read()",
        "value = open(private + '/secret.txt').read()",
        "value = open(public + '/link.txt').read()",
        "value = open(public + '/../private/secret.txt').read()",
        "value = open(public + '/up/private/secret.txt').read()",
        "value = open('/proc/self/root' + private + '/secret.txt').read()",
        "os.chdir(private); value = open('secret.txt').read()",
        "value = os.read(os.open('secret.txt', os.O_RDONLY, dir_fd=os.open(private, os.O_PATH)), 9)",
        "value = os.listdir(private)",
        "value = os.listdir('/proc')",
        "value = open(f'/proc/{parent}/cmdline').read()",
    ],
)
def test_what_was_not_granted_cannot_be_read(source: str, places: dict[str, Any]) -> None:
    need("landlock")
    refuses(source, readable=[*READABLE, places["public"]], jail_file=str(SOURCE), **places)


def test_a_hidden_folder_inside_a_readable_one_cannot_be_read(places: dict[str, Any]) -> None:
    need("landlock")
    parent = str(Path(places["public"]).parent)
    options: dict[str, Any] = {"readable": [*READABLE, parent], "hidden": (places["private"],), **places}
    assert attempt("value = open(public + '/data.txt').read()", **options).value == "the data"
    refuses("value = open(private + '/secret.txt').read()", **options)


WRITES = {
    "overwrite": "open(file, 'w').write('x')",
    "append": "open(file, 'a').write('x')",
    "update": "open(file, 'r+').write('x')",
    "create": "open(folder + '/new', 'w')",
    "create, exclusively": "open(folder + '/new', 'x')",
    "temporary file": "os.open(folder, os.O_TMPFILE | os.O_RDWR); open(folder + '/new', 'w')",
    "empty when opening to read": "os.open(file, os.O_RDONLY | os.O_TRUNC)",
    "empty when opening for control": "os.open(file, 3 | os.O_TRUNC)",
    "truncate": "os.truncate(file, 1)",
    "delete": "os.unlink(file)",
    "rename": "os.rename(file, folder + '/new')",
    "replace": "os.replace(file, folder + '/link.txt')",
    "hard link": "os.link(file, folder + '/new')",
    "symbolic link": "os.symlink(file, folder + '/new')",
    "folder": "os.mkdir(folder + '/new')",
    "delete a folder": "os.rmdir(folder + '/empty')",
    "fifo": "os.mkfifo(folder + '/new')",
    "socket": "socket.socket(socket.AF_UNIX).bind(folder + '/new')",
    "chmod": "os.chmod(file, 0o600)",
    "fchmod": "os.fchmod(os.open(file, os.O_RDONLY), 0o600)",
    "utime": "os.utime(file, (1, 1))",
    "futimes": "os.utime(os.open(file, os.O_RDONLY), (1, 1))",
    "xattr": "os.setxattr(file, 'user.x', b'x')",
}


@pytest.mark.parametrize("abi", [None, 2, 0], ids=["best", "landlock 2", "seccomp alone"])
@pytest.mark.parametrize("name", WRITES)
def test_nothing_is_written_created_deleted_renamed_or_touched(
    name: str, abi: int | None, places: dict[str, Any]
) -> None:
    need("seccomp", *([] if abi == 0 or name in ("chmod", "fchmod", "utime", "futimes", "xattr") else ["landlock"]))
    folder = places["public"]
    (Path(folder) / "empty").mkdir()
    options: dict[str, Any] = {
        "readable": [*READABLE, folder],
        "limits": {"file_bytes": 2**20},
        "abi": abi,
        "folder": folder,
        "file": folder + "/data.txt",
    }
    before = snapshot(folder)
    inside = attempt(WRITES[name], **options)
    assert inside.refused and snapshot(folder) == before, inside
    if abi is not None:
        return  # that it succeeds outside is shown once
    outside = attempt(WRITES[name], jailed=False, **options)
    if outside.errno == errno.ENOTSUP:
        pytest.xfail("this file system has no such attribute")
    assert outside.error is None and snapshot(folder) != before, outside


# ---- processes

PROCESSES = {
    "fork": "pid = os.fork() or os._exit(0); value = os.waitpid(pid, 0)[1] == 0",
    "system": "value = os.system('exit 0') == 0\nif not value: raise PermissionError('system')",
    "subprocess": "value = subprocess.run([sys.executable, '-c', '']).returncode == 0",
    "spawn": "value = os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', ''], {}), 0)[1] == 0",
    "shared descriptor": "value = os.memfd_create('x')",
    "clone3": "a = (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17); pid = check(libc.syscall(435, a, 64)) or os._exit(0); value = os.waitpid(pid, 0)[1] == 0",
}


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_is_started(name: str) -> None:
    need("seccomp")
    refuses(PROCESSES[name])


def test_no_program_takes_over() -> None:
    need("seccomp")
    source = "os.execv('/bin/sh', ['sh', '-c', 'exit 7'])"
    assert attempt(source).refused
    assert attempt(source, jailed=False).code == 7


SIGNALS = {
    "kill": "os.kill(parent, signal.SIGCONT)",
    "kill, only asking": "os.kill(parent, 0)",
    "tgkill": "check(libc.tgkill(parent, parent, 0))",
    "pidfd": "signal.pidfd_send_signal(os.pidfd_open(parent), 0)",
    "a pipe's owner": "r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, parent); fcntl.fcntl(r, 10, signal.SIGCONT)",
}


@pytest.mark.parametrize("name", SIGNALS)
def test_the_parent_gets_no_signal(name: str) -> None:
    need("seccomp")
    refuses(SIGNALS[name])


INTRUSIONS = {
    "ptrace": "check(libc.ptrace(0x4206, parent, None, None))",  # PTRACE_SEIZE does not stop it
    "memory by call": """
        here, target = ctypes.create_string_buffer(9), ctypes.addressof(secret)
        vector = lambda address: (ctypes.c_size_t * 2)(address, 9)
        check(libc.process_vm_readv(parent, vector(ctypes.addressof(here)), 1, vector(target), 1, 0)); value = here.raw == b'known to '""",
    "memory by file": "f = open(f'/proc/{parent}/mem', 'rb', 0); f.seek(ctypes.addressof(secret)); value = f.read(9) == b'known to '",
    "environment": "value = open(f'/proc/{parent}/environ').read()",
    "limits": "resource.prlimit(parent, resource.RLIMIT_CORE, resource.prlimit(parent, resource.RLIMIT_CORE))",
    "own limits": "resource.prlimit(0, resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))",
    "descriptor": "value = check(libc.syscall(438, os.pidfd_open(parent), 0, 0)) >= 0",
}


@pytest.mark.parametrize("name", INTRUSIONS)
def test_the_parent_is_not_looked_into(name: str) -> None:
    need("seccomp")
    source = "\n".join(line.strip() for line in INTRUSIONS[name].strip().splitlines())
    refuses(source, only_if_possible=name not in ("limits", "own limits"))


# ---- network


def test_no_connection_reaches_a_listener_on_this_machine() -> None:
    need("seccomp", "landlock")
    with socket.create_server(("127.0.0.1", 0)) as server:
        refuses("value = socket.create_connection(('127.0.0.1', port), 2)", port=server.getsockname()[1])


def test_no_datagram_arrives() -> None:
    need("seccomp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        source = "value = socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))"
        assert attempt(source, port=server.getsockname()[1]).refused
        with pytest.raises(TimeoutError):
            server.recv(1)
        assert attempt(source, jailed=False, port=server.getsockname()[1]).succeeded
        assert server.recv(1) == b"x"


@pytest.mark.parametrize("abstract", [False, True])
def test_no_unix_socket_is_reached(abstract: bool, tmp_path: Path) -> None:
    need("seccomp")
    address = f"\0jail-{os.getpid()}" if abstract else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        refuses("s = socket.socket(socket.AF_UNIX); s.connect(address)", address=address)


# ---- resources


def test_memory_ends_at_the_limit() -> None:
    need("rlimits")
    source = "value = len(bytearray(150 * 2**20)) > 0"
    inside = attempt(source, limits={"memory_bytes": 128 * 2**20})
    assert inside.error is not None and inside.error.startswith("MemoryError"), inside
    assert attempt(source, jailed=False).succeeded


def test_files_end_at_the_limit(tmp_path: Path) -> None:
    need("rlimits")
    source = "f = os.open(path, os.O_WRONLY | os.O_CREAT); value = os.write(f, bytes(2000)) == 2000"
    options: dict[str, Any] = {
        "abi": 0,
        "seccomp": False,
        "limits": {"file_bytes": 1000},
        "path": str(tmp_path / "f"),
    }  # the limit alone
    assert attempt(source, **options).value is False
    assert (tmp_path / "f").stat().st_size == 1000
    assert attempt(source, jailed=False, **options).succeeded


def test_open_files_end_at_the_limit() -> None:
    need("rlimits")
    source = "value = [os.open(os.devnull, os.O_RDONLY) for _ in range(1000)]"
    assert attempt(source).errno == errno.EMFILE
    assert attempt(source, jailed=False).succeeded


def test_threads_end_at_the_limit() -> None:
    need("rlimits")
    if os.getuid() == 0:
        pytest.xfail("RLIMIT_NPROC does not bind root: memory and time bound its threads")
    source = """
threading.stack_size(65536)
held = threading.Event()
try:
    for value in range(1, 1500): threading.Thread(target=held.wait, daemon=True).start()
except RuntimeError as error: raise PermissionError(str(error))
"""
    refuses(source, limits={"memory_bytes": 64 * 2**30})


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("while True: pass", signal.SIGXCPU),
        ("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", signal.SIGKILL),
    ],
)
def test_an_endless_loop_ends_by_the_cpu_limit(source: str, number: int) -> None:
    need("rlimits")
    inside = attempt(source, seconds=30, limits={"cpu_seconds": 1})
    assert (inside.code, inside.late) == (-number, False)
    assert attempt(source, jailed=False, seconds=2.5, limits={"cpu_seconds": 1}).late


def test_a_child_dies_with_its_parent() -> None:
    need("seccomp", "landlock")
    source = """
held, holds = os.pipe()
ready, tells = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        locked and enclosure.enter()
        os.write(tells, b".")
        time.sleep(3)
        os._exit(0)
    os.read(ready, 1)
    os._exit(0)
os.close(holds)
value = bool(select.select([held], [], [], 1)[0])  # nobody holds it any more
"""
    assert attempt(source, jailed=False, locked=True).value is True
    assert attempt(source, jailed=False, locked=False).value is False
    assert attempt("check(libc.prctl(1, 0, 0, 0, 0))").refused  # it cannot take that back


# ---- the kernel

KERNEL = {
    "user namespace": "check(libc.unshare(0x10000000))",
    "chroot": "os.chroot('/')",
    "shared memory": "i = check(libc.shmget(0, 4096, 0o600)); check(libc.shmctl(i, 0, None))",
    "message queue": "i = check(libc.msgget(0, 0o600)); check(libc.msgctl(i, 0, None))",
    "io_uring": "check(libc.syscall(425, 1, ctypes.create_string_buffer(120)))",
    "watching files": "check(libc.inotify_init1(0))",
    "processors": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "priority": "os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))",
    "personality": "check(libc.personality(ctypes.c_ulong(0xffffffff)))",
    "own name": "os.setuid(os.getuid())",
    "a filter of its own": "check(libc.syscall((317, 277)[column], 2, 0, ctypes.byref(ctypes.c_uint32(0x7fff0000))))",
}


@pytest.mark.parametrize("name", KERNEL)
def test_the_rest_of_the_kernel_is_out_of_reach(name: str) -> None:
    need("seccomp")
    refuses(KERNEL[name], only_if_possible=True, column=jail._MACHINE[0])


def test_root_inside_has_no_privilege_left() -> None:
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.xfail("only root has privileges to lose")
    source = "d = ctypes.create_string_buffer(24); check(libc.capget(b'\\x22\\x05\\x08\\x20' + bytes(4), d)); value = [int.from_bytes(d.raw[i : i + 4], 'little') for i in range(0, 24, 4)]"
    assert sum(attempt(source, jailed=False).value) > 8
    assert attempt(source, seccomp=False).value in (
        [4, 4, 0, 0, 0, 0],
        [0] * 6,
    )  # 4: CAP_DAC_READ_SEARCH, where it was had


def test_calls_of_the_32_bit_kind_kill() -> None:
    need("seccomp")
    if os.uname().machine != "x86_64":
        pytest.xfail("only x86_64 has this way")
    # mov eax, 20 (getpid); int 0x80; ret
    source = "m = mmap.mmap(-1, 4096, prot=7); m.write(bytes.fromhex('b814000000cd80c3')); value = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))() == os.getpid()"
    assert attempt(source).code == -signal.SIGSYS
    outside = attempt(source, jailed=False)
    if outside.code == -signal.SIGSEGV:
        pytest.xfail("this kernel has no 32-bit calls")
    assert outside.succeeded, outside


# ---- the filter, on both machines, by a model of the kernel's interpreter

X86, ARM = jail._MACHINES["x86_64"], jail._MACHINES["aarch64"]
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, ENOTTY = (0x50000 | e for e in (errno.EPERM, errno.ENOSYS, errno.ENOTTY))


def decide(machine: tuple[int, int], number: int, *args: int, abi: int = 7, architecture: int | None = None) -> int:
    """What the filter answers to one call."""
    data = struct.pack(
        "=IIQ6Q",
        number & 0xFFFFFFFF,
        machine[1] if architecture is None else architecture,
        0,
        *args,
        *[0] * (6 - len(args)),
    )
    code = list(struct.iter_unpack("=HBBI", jail._program(machine, abi)))
    at = accumulator = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, k)
        elif operation == 0x54:
            accumulator &= k
        elif operation in (0x15, 0x35):
            at += yes if (accumulator == k if operation == 0x15 else accumulator >= k) else no
        else:
            assert operation == 0x06
            return int(k)


@pytest.mark.parametrize("machine", [X86, ARM], ids=["x86_64", "aarch64"])
def test_every_call_in_the_table_is_refused_and_the_others_are_not(machine: tuple[int, int]) -> None:
    refused = {numbers[machine[0]] for _, numbers in jail.refused_numbers()} - {-1}
    special = {rule.numbers[machine[0]] for rule in jail.RULES}
    assert not refused & special
    for number in set(range(jail.NEWEST + 1)) - special:
        assert decide(machine, number) == (EPERM if number in refused else ALLOW), number
    assert decide(machine, jail.NEWEST + 1) == decide(machine, 2**30 + 1) == decide(machine, -1) == ENOSYS
    assert decide(machine, 1, architecture=0x40000003) == KILL


@pytest.mark.parametrize(
    ("machine", "clone", "prlimit", "ioctl", "fcntl"),
    [(X86, 56, 302, 16, 72), (ARM, 220, 261, 29, 25)],
    ids=["x86_64", "aarch64"],
)
def test_arguments_decide(machine: tuple[int, int], clone: int, prlimit: int, ioctl: int, fcntl: int) -> None:
    assert decide(machine, clone, 0x3D0F00) == ALLOW  # what pthread_create asks for
    assert decide(machine, clone, 0x1200011) == EPERM  # what fork asks for
    assert decide(machine, 435) == ENOSYS
    assert decide(machine, prlimit, 0, 7, 0, 1) == ALLOW
    assert (
        decide(machine, prlimit, 5, 7, 0, 1)
        == decide(machine, prlimit, 0, 7, 1)
        == decide(machine, prlimit, 0, 7, 2**32)
        == EPERM
    )
    assert decide(machine, ioctl, 0, 0x5401) == ALLOW
    assert decide(machine, ioctl, 0, 0x5412) == decide(machine, ioctl, 0, 0x40086602) == ENOTTY
    assert decide(machine, fcntl, 0, 1030) == ALLOW
    assert decide(machine, fcntl, 0, 8) == EPERM


@pytest.mark.parametrize(
    ("column", "header"),
    [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")],
    ids=["x86_64", "aarch64"],
)
def test_the_numbers_are_those_of_the_kernel_headers(column: int, header: str) -> None:
    path = Path("/usr/include", header)
    if not path.exists():
        pytest.xfail(f"{path} is not installed")
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())}
    for name, numbers in jail.refused_numbers():
        if name in known or numbers[column] < 450:
            assert numbers[column] == known.get(name, -1), name


def test_every_refused_call_is_refused_by_this_kernel() -> None:
    need("seccomp")
    unsafe = ("fork", "vfork", "vhangup")  # would do something if the filter failed; tried above by other means
    numbers = {
        name: pair[jail._MACHINE[0]]
        for name, pair in jail.refused_numbers()
        if name not in unsafe and pair[jail._MACHINE[0]] >= 0
    }
    source = "value = [name for name, number in numbers.items() if libc.syscall(number, -1, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != 1]"
    assert attempt(source, numbers=numbers).value == []


# ---- what the jail says of itself


def test_every_lock_reports_itself_and_holds_without_the_others() -> None:
    assert attempt("").level == LEVEL
    if LEVEL != "landlock+seccomp":
        pytest.xfail(f"this machine's level is {LEVEL}")
    assert attempt("", abi=0).level == "seccomp"
    assert attempt("", seccomp=False).level == "landlock"
    assert attempt("", abi=0, seccomp=False).level == "rlimits"
    assert attempt("value = open(path).read()", seccomp=False, path=str(SOURCE)).refused
    assert attempt("os.fork()", abi=0).refused


@pytest.mark.parametrize("abi", range(1, 7))
def test_older_kernels_get_what_they_have(abi: int, places: dict[str, Any]) -> None:
    need("landlock")
    assert attempt("", abi=abi).level == LEVEL
    assert attempt("value = open(private + '/secret.txt').read()", abi=abi, **places).refused


def test_a_child_that_closed_everything_is_jailed_all_the_same(places: dict[str, Any]) -> None:
    need("landlock")
    source = "value = (level := enclosure.enter()); open(private + '/secret.txt')"
    inside = attempt("if enclosure.descriptor >= 0: os.close(enclosure.descriptor)\n" + source, jailed=False, **places)
    assert inside.refused, inside


# ---- honest work

HONEST = {
    "linear algebra": "import numpy as np; a = np.random.default_rng(0).normal(size=(150, 150)); value = bool(np.allclose(a @ np.linalg.inv(a), np.eye(150)))",
    "decompositions": "import numpy as np; u, s, v = np.linalg.svd(np.arange(12.0).reshape(3, 4)); value = len(s) == 3",
    "legacy random": "import numpy as np; np.random.seed(0); value = bool(abs(np.random.randn(10000).mean()) < 0.1)",
    "fft": "import numpy as np; x = np.arange(1000.0); value = bool(np.allclose(np.fft.ifft(np.fft.fft(x)).real, x))",
    "a module in Python": "assert 'fractions' not in sys.modules; from fractions import Fraction as F; value = F(1, 3) + F(2, 3) == 1",
    "a module in C": "assert '_elementtree' not in sys.modules; import xml.etree.ElementTree as E; value = E.fromstring('<a/>').tag == 'a'",
    "threads": "done = []; t = [threading.Thread(target=done.append, args=(i,)) for i in range(8)]\nfor x in t: x.start()\nfor x in t: x.join()\nvalue = len(done) == 8",
    "a pool of threads": "from concurrent.futures import ThreadPoolExecutor as P; value = list(P(4).map(abs, [-1, -2])) == [1, 2]",
    "no output": "import contextlib\nwith open(os.devnull, 'w') as f, contextlib.redirect_stdout(f): print('x'); value = True",
    "randomness": "import random; value = 0 <= random.SystemRandom().random() < 1 and len(os.urandom(8)) == len(open('/dev/urandom', 'rb', 0).read(8))",
    "the clock": "time.sleep(0.01); value = time.perf_counter() > 0 and time.localtime().tm_year > 2000",
    "granted files": "value = open(public + '/data.txt').read() == 'the data' and 'data.txt' in os.listdir(public)",
    "reading limits": "value = resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 64 and os.cpu_count() >= 1",
    "an error": "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: value = 'ZeroDivisionError' in traceback.format_exc()",
}


@pytest.mark.parametrize("abi", [None, 2, 0], ids=["best", "landlock 2", "seccomp alone"])
@pytest.mark.parametrize("name", HONEST)
def test_honest_code_works_inside(name: str, abi: int | None, places: dict[str, Any]) -> None:
    inside = attempt(
        HONEST[name],
        abi=abi,
        readable=[*READABLE, places["public"]],
        preload=("numpy",) if "numpy" in HONEST[name] else (),
        **places,
    )
    if name == "no output" and abi == 0:  # without Landlock nothing at all is opened to write
        assert inside.refused
    else:
        assert inside.succeeded, inside


def test_pytorch_differentiates_inside() -> None:
    spec = importlib.util.find_spec("torch")
    assert spec is not None and spec.submodule_search_locations, "PyTorch is not installed"
    source = """
torch.set_num_threads(1)
w = torch.randn(20, 3, requires_grad=True)
loss = torch.nn.functional.cross_entropy(torch.randn(64, 20) @ w, torch.randint(3, (64,)))
before = loss.item()
loss.backward()
with torch.no_grad(): w -= 0.1 * w.grad
m = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.LSTM(4, 5)) and torch.nn.Conv2d(1, 4, 3)
m(torch.randn(2, 1, 8, 8)).sum().backward()
value = w.grad.shape == (20, 3) and bool(torch.isfinite(w.grad).all()) and before > 0
"""
    inside = attempt(
        "import torch\n" + source,
        seconds=60,
        preload=("torch",),
        readable=[*READABLE, *spec.submodule_search_locations],
        limits={"memory_bytes": 16 * 2**30},
    )
    assert inside.succeeded, inside


def test_entering_is_fast() -> None:
    source = "t = time.perf_counter(); enclosure.enter(); value = 1000 * (time.perf_counter() - t)"
    times = [attempt(source, jailed=False).value for _ in range(3)]
    assert min(times) < 20, times  # about 1 ms on a quiet machine
