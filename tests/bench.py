"""`make bench`: ratios, measured side by side in one process: each function against PyTorch at three sizes, check, judge per notebook, import.

python -m tests.bench [TOPIC ...]
"""

import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

SIZES = (1_000, 100_000, 1_000_000)


def ratio(ours: Callable[[], object], theirs: Callable[[], object], seconds: float = 0.15) -> float:
    """Median of ours/theirs over pairs run in turn, so that a machine that slows down slows both."""
    ours(), theirs()
    pairs, end = [], time.perf_counter() + seconds
    while len(pairs) < 5 or (time.perf_counter() < end and len(pairs) < 200):
        a = time.perf_counter()
        ours()
        b = time.perf_counter()
        theirs()
        c = time.perf_counter()
        pairs.append((b - a) / (c - b))
    return statistics.median(pairs)


def against_pytorch(topics: list[str]) -> None:
    print(
        f"{'time of ours / time of PyTorch eager, one thread':52}" + "".join(f"{n:>12,}" for n in SIZES) + "  numbers"
    )
    for topic in topics:
        module = importlib.import_module(f"tests.benchmarks.{topic}")
        tables = [module.rows(n, np.random.default_rng(0)) for n in SIZES]
        for name in tables[0]:
            print(f"  {topic + '.' + name:50}" + "".join(f"{ratio(*t[name]):12.2f}" for t in tables))


def check_and_judge(topics: list[str]) -> None:
    from autograder import build, course, grade
    from autograder.run.client import Pool
    from class4lib.calls import run_script
    from class4lib.judging import judge
    from class4lib.public import topic_sheets

    print(
        "\nmilliseconds                                        check, median over exercises   judge, whole notebook (warm)"
    )
    with Pool(1) as pool:
        for topic in topics:
            sheets = topic_sheets(topic)
            times = []
            for exercise in course.topic(topic).exercises:
                sheet = sheets[exercise.name]
                start = time.perf_counter()
                judge(sheet, [run_script({exercise.name: exercise.reference}, c.script) for c in sheet.cases])
                times.append(time.perf_counter() - start)
            submission = grade.read(build.solution_path(course.topic(topic)))
            grade.judge_submission(submission, pool)
            runs = []
            for _ in range(3):
                start = time.perf_counter()
                grade.judge_submission(submission, pool)
                runs.append(time.perf_counter() - start)
            print(f"  {topic:50} {1000 * statistics.median(times):28.1f} {1000 * statistics.median(runs):30.0f}")


def imports() -> None:
    """User time of importing, as a difference to a bare interpreter."""

    def seconds(code: str) -> float:
        runs = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            runs.append(time.perf_counter() - start)
        return statistics.median(runs)

    bare = seconds("pass")
    print(
        "\nimport, milliseconds: "
        + ", ".join(
            f"{m} {1000 * (seconds(f'import {m}') - bare):.0f}"
            for m in ("numpy", "class4lib", "class4lib.check", "class4lib.softmax_cross_entropy")
        )
    )


def main() -> None:
    torch.set_num_threads(1)
    here = Path(__file__).parent / "benchmarks"
    topics = sys.argv[1:] or sorted(p.stem for p in here.glob("*.py") if p.stem != "__init__")
    against_pytorch(topics)
    check_and_judge(topics)
    imports()


if __name__ == "__main__":
    main()
