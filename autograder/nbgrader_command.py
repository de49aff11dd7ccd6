"""Stock nbgrader's commands, run at the course's root."""

import os
import subprocess
import sys
from pathlib import Path

from autograder import course


class NbgraderError(RuntimeError):
    """Stock nbgrader refused; the message has its last words, `log` all of them."""

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


def nbgrader(*arguments: str) -> str:
    """Run an nbgrader command at the course's root; what it logged.

    Raises:
        NbgraderError: it failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # nbgrader looks for alembic there
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course.root(),
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )
    if done.returncode:
        raise NbgraderError(f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-2000:]}", done.stderr)
    return done.stderr
