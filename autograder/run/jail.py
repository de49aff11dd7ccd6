"""The jail: what a student's process may do, decided by the kernel. No root, no package.

    enclosure = jail.Jail(jail.Limits(), readable=["/usr/lib/python3.11"])    # in the parent, once
    if os.fork() == 0:
        level = enclosure.enter()                                              # in the child, first of all; under a millisecond

Three locks, each of which holds without the others: Landlock (which files), a seccomp filter (which system calls), resource limits (how much).
The filter answers EPERM, so that code gets an exception, and only a foreign calling convention kills. What no lock covers: `stat` and `readlink`
tell whether a path exists, a file that was open before stays open, and the clock can be read.

This module is loaded by path into the worker: standard library only.
"""

import ctypes
import errno
import os
import struct
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = resource = None  # type: ignore[assignment]

__all__ = ["Jail", "Limits", "available"]

# ---- resource limits

SPARE_TASKS = 256  # threads that may start beyond all that the machine runs already


@dataclass(frozen=True)
class Limits:
    """How much a child may use.

    Attributes:
        cpu_seconds: of all threads together; SIGXCPU then, SIGKILL a second later.
        memory_bytes: address space, with what the parent had mapped at the fork.
        file_bytes: the longest file it may write.
        open_files: file descriptors.
        processes: RLIMIT_NPROC where no seccomp filter refuses fork. It counts the user's threads too, and does not bind root.
    """

    cpu_seconds: int = 10
    memory_bytes: int = 2 * 2**30
    file_bytes: int = 0
    open_files: int = 64
    processes: int = 0


def _lower(name: str, soft: int, hard: int | None = None) -> None:
    """Lower a limit, never raise one; do nothing where the system has no such limit."""
    try:
        which = getattr(resource, name)
        _, most = resource.getrlimit(which)
        hard = soft if hard is None else hard
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(which, (soft, hard))
    except (AttributeError, OSError, ValueError):
        pass


def _tasks() -> int:
    """How many threads the whole machine runs: at least as many as RLIMIT_NPROC counts for this user."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 4096


# ---- system calls

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the table, AUDIT_ARCH_…
_MACHINE = _MACHINES.get(os.uname().machine) if sys.platform == "linux" and struct.calcsize("P") == 8 else None

# Why -> calls, each as name x86_64/aarch64 ("-": the machine has none). Refused whatever the arguments.
REFUSED = {
    "no network, no talk to other processes": """
        socket 41/198  socketpair 53/199  connect 42/203  bind 49/200  listen 50/201  accept 43/202  accept4 288/242
        sendto 44/206  sendmsg 46/211  sendmmsg 307/269
        shmget 29/194  shmat 30/196  shmctl 31/195  shmdt 67/197  msgget 68/186  msgsnd 69/189  msgrcv 70/188  msgctl 71/187
        semget 64/190  semop 65/193  semctl 66/191  semtimedop 220/192  mq_open 240/180  mq_unlink 241/181""",
    "one process: clone is left for threads, below": "fork 57/-  vfork 58/-  execve 59/221  execveat 322/281  memfd_create 319/279  memfd_secret 447/447",
    "no signal to anybody; Landlock scopes them only since ABI 6": """
        kill 62/129  tkill 200/130  tgkill 234/131  rt_sigqueueinfo 129/138  rt_tgsigqueueinfo 297/240  pidfd_send_signal 424/424  pidfd_open 434/434""",
    "no look into other processes": """
        ptrace 101/117  process_vm_readv 310/270  process_vm_writev 311/271  pidfd_getfd 438/438  kcmp 312/272  process_madvise 440/440
        process_mrelease 448/448  move_pages 279/239  migrate_pages 256/238""",
    "attributes of files, which Landlock does not cover": """
        chmod 90/-  fchmod 91/52  fchmodat 268/53  fchmodat2 452/452  chown 92/-  fchown 93/55  lchown 94/-  fchownat 260/54
        utime 132/-  utimes 235/-  futimesat 261/-  utimensat 280/88  setxattr 188/5  lsetxattr 189/6  fsetxattr 190/7  setxattrat 463/463
        removexattr 197/14  lremovexattr 198/15  fremovexattr 199/16  removexattrat 466/466  file_setattr 469/469""",
    "the tree of files, a second time where Landlock is": """
        creat 85/-  truncate 76/45  mkdir 83/-  mkdirat 258/34  mknod 133/-  mknodat 259/33  rmdir 84/-  unlink 87/-  unlinkat 263/35
        rename 82/-  renameat 264/38  renameat2 316/276  link 86/-  linkat 265/37  symlink 88/-  symlinkat 266/36""",
    "files by another way than their path": "name_to_handle_at 303/264  open_by_handle_at 304/265  fanotify_init 300/262  fanotify_mark 301/263",
    "spying on what others open": "inotify_init 253/-  inotify_init1 294/26  inotify_add_watch 254/27",
    "another view of the file system": """
        mount 165/40  umount2 166/39  pivot_root 155/41  chroot 161/51  unshare 272/97  setns 308/268  open_tree 428/428  move_mount 429/429
        fsopen 430/430  fsconfig 431/431  fsmount 432/432  fspick 433/433  mount_setattr 442/442  open_tree_attr 467/467""",
    "limits and priorities": """
        setrlimit 160/164  sched_setaffinity 203/122  sched_setscheduler 144/119  sched_setparam 142/118  sched_setattr 314/274
        setpriority 141/140  ioprio_set 251/30""",
    "who it is": """
        setuid 105/146  setgid 106/144  setreuid 113/145  setregid 114/143  setresuid 117/147  setresgid 119/149  setfsuid 122/151
        setfsgid 123/152  setgroups 116/159  capset 126/91  keyctl 250/219  add_key 248/217  request_key 249/218""",
    "calls with a history of holes; io_uring also goes round this filter": """
        io_uring_setup 425/425  io_uring_enter 426/426  io_uring_register 427/427  bpf 321/280  perf_event_open 298/241  userfaultfd 323/282
        personality 135/92  seccomp 317/277  vmsplice 278/75  modify_ldt 154/-  uselib 134/-  lookup_dcookie 212/18""",
    "the machine itself": """
        kexec_load 246/104  kexec_file_load 320/294  reboot 169/142  init_module 175/105  finit_module 313/273  delete_module 176/106
        quotactl 179/60  quotactl_fd 443/443  swapon 167/224  swapoff 168/225  acct 163/89  settimeofday 164/170  clock_settime 227/112
        adjtimex 159/171  clock_adjtime 305/266  sethostname 170/161  setdomainname 171/162  syslog 103/116  vhangup 153/58  iopl 172/-
        ioperm 173/-""",
}
NEWEST = (
    469  # the last number this table was checked against; what came later is answered ENOSYS, as by an older kernel
)

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS, _ENOTTY = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS, _ERRNO | errno.ENOTTY
_ALL = 0xFFFFFFFF


@dataclass(frozen=True)
class When:
    """Half of an argument, masked, is (or is not) a value."""

    arg: int
    value: int
    mask: int = _ALL
    equal: bool = True
    high: bool = False


@dataclass(frozen=True)
class Rule:
    """One system call: `match` when any condition holds, else `otherwise`."""

    numbers: tuple[int, int]
    conditions: tuple[When, ...]
    match: int = _EPERM
    otherwise: int = _ALLOW


_CLONE_THREAD = 0x10000
_IOCTLS = (
    0x5401,
    0x802C542A,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS, TCGETS2 (isatty), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_FCNTLS = (
    8,
    10,
    15,
    1024,
    1026,
)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: a signal to anybody when a pipe fills; F_SETLEASE, F_NOTIFY
RULES = (
    Rule((56, 220), (When(0, 0, mask=_CLONE_THREAD),)),  # clone: threads only
    Rule((435, 435), (), otherwise=_ENOSYS),  # clone3: its flags lie behind a pointer; libc falls back to clone
    # prlimit64: nobody else's limits, and no new ones for itself
    Rule((302, 261), (When(0, 0, equal=False), When(2, 0, equal=False), When(2, 0, equal=False, high=True))),
    Rule((157, 167), (When(0, 1), When(0, 4))),  # prctl: PR_SET_PDEATHSIG and PR_SET_DUMPABLE stay
    Rule(
        (16, 29), tuple(When(1, request) for request in _IOCTLS), match=_ALLOW, otherwise=_ENOTTY
    ),  # TIOCSTI, FS_IOC_SETFLAGS, … are not among them
    Rule((72, 25), tuple(When(1, command) for command in _FCNTLS)),
)
_OPENS = (((2, -1), 1), ((257, 56), 2))  # open, openat, and which argument holds the flags
_OPENAT2 = Rule((437, 437), (), otherwise=_ENOSYS)  # its flags lie behind a pointer


def _open_rules(abi: int) -> Iterator[Rule]:
    """What of open() is left to the filter: all writing without Landlock; emptying a file opened to read before ABI 3, which does not see it."""
    written, emptied = 0o1103, 0o1000  # O_WRONLY | O_RDWR | O_CREAT | O_TRUNC; O_TRUNC
    for numbers, arg in _OPENS if abi < 3 else ():
        if abi < 1:
            yield Rule(numbers, (When(arg, 0, mask=written, equal=False),))
        else:
            yield Rule(numbers, tuple(When(arg, emptied | mode, mask=emptied | 3) for mode in (0, 3)))
    if abi < 3:
        yield _OPENAT2


def refused_numbers() -> Iterator[tuple[str, tuple[int, int]]]:
    """Each refused call's name with its numbers on x86_64 and aarch64, -1 for none."""
    for calls in REFUSED.values():
        words = calls.split()
        for name, numbers in zip(words[::2], words[1::2], strict=True):
            x86, arm = (-1 if n == "-" else int(n) for n in numbers.split("/"))
            yield name, (x86, arm)


# ---- the filter: classic BPF over struct seccomp_data (number, architecture, address, six arguments of 64 bits)

_LOAD, _AND, _JEQ, _JGE, _RET = 0x20, 0x54, 0x15, 0x35, 0x06


def _op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` say how many to skip."""
    return struct.pack("=HBBI", code, yes, no, k)


def _block(rule: Rule, number: int) -> bytes:
    """If the call is this one, decide it; the number stays loaded otherwise."""
    body = b""
    for when in rule.conditions:
        body += _op(_LOAD, 16 + 8 * when.arg + 4 * when.high) + (_op(_AND, when.mask) if when.mask != _ALL else b"")
        body += _op(_JEQ, when.value, *((0, 1) if when.equal else (1, 0))) + _op(_RET, rule.match)
    body += _op(_RET, rule.otherwise)
    return _op(_JEQ, number, 0, len(body) // 8) + body


def _program(machine: tuple[int, int], abi: int) -> bytes:
    """The whole filter for a machine and a Landlock ABI."""
    column, architecture = machine
    code = _op(_LOAD, 4) + _op(_JEQ, architecture, 1, 0) + _op(_RET, _KILL)  # 32-bit calls have other numbers
    code += (
        _op(_LOAD, 0) + _op(_JGE, NEWEST + 1, 0, 1) + _op(_RET, _ENOSYS)
    )  # the x32 numbers of x86_64 too: they start at 2**30
    refused = (Rule(numbers, (), otherwise=_EPERM) for _, numbers in refused_numbers())
    for rule in (*RULES, *_open_rules(abi), *refused):
        if rule.numbers[column] >= 0:
            code += _block(rule, rule.numbers[column])
    return code + _op(_RET, _ALLOW)


# ---- Landlock

_READ_FILE, _WRITE_FILE, _READ_DIR = 1 << 2, 1 << 1, 1 << 3
_DEVICES = (("/dev/null", _READ_FILE | _WRITE_FILE), ("/dev/urandom", _READ_FILE))
_CREATE, _ADD, _RESTRICT = 444, 445, 446


def _landlock_abi(libc: ctypes.CDLL) -> int:
    """The kernel's Landlock version; 0 where it has none or it is switched off."""
    return max(0, int(libc.syscall(ctypes.c_long(_CREATE), None, ctypes.c_long(0), ctypes.c_long(1))))


def _attributes(abi: int) -> bytes:
    """struct landlock_ruleset_attr: everything this ABI can refuse (files, TCP from 4, abstract sockets and signals from 6)."""
    files = (1 << (16 if abi >= 5 else 15 if abi >= 3 else 14 if abi >= 2 else 13)) - 1
    return struct.pack("=QQQ", files, 3, 3)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]


def _grants(readable: Sequence[str], hidden: Sequence[str]) -> list[tuple[str, int]]:
    """Paths with their rights. Landlock only adds rights down a tree, so a folder that holds a hidden path is granted by its other entries; its names may be listed."""
    grants: dict[str, int] = {}
    secret = [os.path.realpath(path) for path in hidden]
    todo = [os.path.realpath(path) for path in readable]
    while todo:
        path = todo.pop()
        if path in grants or any(_within(path, h) for h in secret):
            continue
        if any(_within(h, path) for h in secret):
            grants[path] = _READ_DIR
            todo += [
                os.path.join(path, name) for name in os.listdir(path) if not os.path.islink(os.path.join(path, name))
            ]
        elif os.path.exists(path):
            grants[path] = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
    return list(grants.items())


def _out_of_the_way(descriptor: int) -> int:
    """Move a descriptor to 1024 or above where the limit allows it: a child closes the low numbers wholesale."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 1024)
    except (OSError, ValueError):
        return descriptor
    os.close(descriptor)
    return moved


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# ---- the jail

_NO_NEW_PRIVS, _PDEATHSIG, _DUMPABLE, _SECCOMP = 38, 1, 4, 22
_GET_NO_NEW_PRIVS, _SIGKILL = 39, 9
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)  # version 3, this thread
_CAP_DAC_READ_SEARCH = 1 << 2


class Jail:
    """Everything that can be made ready before the fork.

    Args:
        limits: how much the child may use.
        readable: files and folders it may read; where a path is not there, nothing is granted.
        hidden: what stays unreadable although it lies in a readable folder.

    Attributes:
        descriptor: the Landlock ruleset, close-on-exec, -1 for none. A child that closes it before enter() builds its own, which takes longer.
    """

    def __init__(self, limits: Limits, readable: Sequence[str], hidden: Sequence[str] = ()) -> None:
        self.limits = limits
        self.descriptor = -1
        if _MACHINE is None:
            return
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        self._abi = _landlock_abi(self._libc)
        self._grants = [*_grants(readable, hidden), *_DEVICES]
        # Two filters: should Landlock refuse to start after all, the filter has to do more.
        self._programs = [ctypes.create_string_buffer(_program(_MACHINE, abi)) for abi in (0, self._abi)]
        self._filters = [
            struct.pack("HxxxxxxQ", (len(p) - 1) // 8, ctypes.addressof(p)) for p in self._programs
        ]  # struct sock_fprog
        self.descriptor = _out_of_the_way(self._ruleset())
        self._prctl(_GET_NO_NEW_PRIVS, 0)  # look the functions up now: a child would pay for it
        self._capabilities()

    def enter(self, cpu_seconds: int | None = None) -> str:
        """Lock the calling process in for good, as far as this machine can, and say how far that was.

        cpu_seconds: instead of the limits' own, for an answer that is known to need more.
        Call it while the process has one thread; it dies with the thread that forked it.
        """
        landlock = seccomp = False
        tasks = _tasks()  # now: /proc is closed in a moment
        if _MACHINE is not None:
            self._prctl(_NO_NEW_PRIVS, 1)
            self._prctl(_PDEATHSIG, _SIGKILL)
            self._prctl(_DUMPABLE, 0)
            landlock = self._restrict_files()
        if resource is not None:
            self._limit(tasks, cpu_seconds or self.limits.cpu_seconds)
        if _MACHINE is not None:
            self._drop_capabilities()
            seccomp = self._prctl(_SECCOMP, 2, self._filters[landlock])  # last: it refuses what was just done
        if resource is not None and not seccomp:
            _lower("RLIMIT_NPROC", self.limits.processes)
        levels = [name for name, reached in (("landlock", landlock), ("seccomp", seccomp)) if reached]
        return "+".join(levels) or ("rlimits" if resource is not None else "none")

    def _call(self, number: int, *args: int | bytes | None) -> int:
        return int(
            self._libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
        )

    def _prctl(self, option: int, value: int, data: bytes | int = 0) -> bool:
        pointer = data if isinstance(data, bytes) else ctypes.c_ulong(data)
        return bool(self._libc.prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0)

    def _restrict_files(self) -> bool:
        """Landlock: nothing but the granted paths."""
        for ruleset in (self.descriptor, -1):
            ruleset = self._ruleset() if ruleset < 0 else ruleset
            if ruleset < 0:
                return False
            if self._call(_RESTRICT, ruleset, 0) == 0:  # fails for a number that was closed or given to another file
                os.close(ruleset)
                return True
        return False

    def _ruleset(self) -> int:
        """A descriptor of all grants, -1 for none. A path that went away meanwhile grants nothing."""
        attributes = _attributes(self._abi)
        ruleset = self._call(_CREATE, attributes, len(attributes), 0) if self._abi else -1
        for path, rights in self._grants if ruleset >= 0 else ():
            try:
                beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            self._call(_ADD, ruleset, 1, struct.pack("=Qi", rights, beneath), 0)  # 1: LANDLOCK_RULE_PATH_BENEATH
            os.close(beneath)
        return ruleset

    def _limit(self, tasks: int, cpu_seconds: int) -> None:
        limits = self.limits
        _lower("RLIMIT_CPU", cpu_seconds, cpu_seconds + 1)
        _lower("RLIMIT_AS", limits.memory_bytes)
        _lower("RLIMIT_FSIZE", limits.file_bytes)
        _lower("RLIMIT_NOFILE", limits.open_files)
        _lower("RLIMIT_CORE", 0)
        _lower(
            "RLIMIT_NPROC", max(limits.processes, tasks + SPARE_TASKS)
        )  # the filter refuses fork; this bounds threads

    def _capabilities(self) -> list[int]:
        """Of the capabilities this process has, the one a child keeps: effective and permitted."""
        data = ctypes.create_string_buffer(24)
        self._libc.capget(_CAPABILITY_HEADER, data)
        return [struct.unpack_from("=I", data, offset)[0] & _CAP_DAC_READ_SEARCH for offset in (0, 4)]

    def _drop_capabilities(self) -> None:
        """Root keeps its name only, and the right to read what Landlock granted though it belongs to another user."""
        self._libc.capset(_CAPABILITY_HEADER, struct.pack("=6I", *self._capabilities(), 0, 0, 0, 0))


def available() -> str:
    """The level this machine can reach, found out by a forked child that enters a jail: "landlock+seccomp", "landlock", "seccomp", "rlimits", "none"."""
    if resource is None or not hasattr(os, "fork"):
        return "none"
    enclosure = Jail(Limits(), [])
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the child makes a few system calls and ends: other threads do not matter
        pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, enclosure.enter().encode())
        finally:
            os._exit(0)
    os.close(writing)
    level = os.read(reading, 64).decode()
    os.close(reading)
    if enclosure.descriptor >= 0:
        os.close(enclosure.descriptor)
    os.waitpid(pid, 0)
    return level or "none"
