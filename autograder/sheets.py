"""Sheets: a spec and a seed become all that is needed to judge, expected values included.

The public sheets have a fixed seed and become files of class4lib; the hidden ones are seeded by the course's secret and stay in memory.
"""

import copy
import functools
import hashlib
import json
import secrets
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import class4lib.judges  # noqa: F401 (enters the judges that cases name)
from autograder import course
from autograder.spec import Exercise, Misconception, SpecError, Topic
from class4lib.calls import Step, run_script
from class4lib.cases import Mistake, Record, Sheet
from class4lib.judging import JUDGES
from class4lib.public import sheet_to_tree
from class4lib.values import pack, to_json, to_tree

Made = TypeVar("Made")
PUBLIC_SEED = 2024
HIDDEN_ROUNDS = 2  # the same generator twice: other numbers, other sizes


def secret() -> bytes:
    """The course's secret seed, drawn when it is first asked for; it lies in var/, which git ignores."""
    path = course.root() / "var" / "secret"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(secrets.token_hex(16))
        path.chmod(0o600)
    return path.read_text().strip().encode()


def make_sheet(exercise: Exercise, seeds: Sequence[int]) -> Sheet:
    """The sheet of an exercise for these seeds, one round of cases each.

    Raises:
        SpecError: the reference fails its own cases, or a case names a tier or judge that does not exist.
    """
    cases = []
    for seed in seeds:
        for made in exercise.cases(np.random.default_rng(seed)):
            steps = tuple(replace(s, target=s.target or exercise.name) for s in made.script)
            if made.tier not in {t.name for t in exercise.tiers} or made.judge not in JUDGES:
                raise SpecError(
                    f"{exercise.name}: case {made.label!r} names tier {made.tier!r} and judge {made.judge!r}; one of them does not exist."
                )
            cases.append(replace(made, script=steps, expected=tuple(_records(exercise, exercise.reference, steps))))
    missing = {t.name for t in exercise.tiers} - {c.tier for c in cases}
    if missing:
        raise SpecError(f"{exercise.name}: tier {missing.pop()!r} has no case.")
    sheet = Sheet(
        exercise.name,
        exercise.tiers,
        tuple(cases),
        (),
        exercise.parameters,
        exercise.returns,
        exercise.hints,
        exercise.extension,
    )
    for c in cases:
        failure = JUDGES[c.judge](c, c.expected, sheet)
        if failure:
            raise SpecError(f"{exercise.name}: the reference fails its own case {c.label!r}: {failure.text}.")
    return replace(
        sheet,
        mistakes=tuple(
            _mistake(exercise, sheet, m, wrong) for m in exercise.misconceptions for wrong in (m.wrong, *m.variants)
        ),
    )


def _mistake(exercise: Exercise, sheet: Sheet, made: Misconception, wrong: Any) -> Mistake:
    records = tuple(tuple(_records(exercise, wrong, c.script)) for c in sheet.cases)
    failures = tuple(
        None if c.label in made.unsteady else JUDGES[c.judge](c, r, sheet)
        for c, r in zip(sheet.cases, records, strict=True)
    )
    return Mistake(made.name, made.advice, failures, records)


def _records(exercise: Exercise, function: Any, steps: Sequence[Step]) -> list[Record]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return run_script({**_companions(exercise, steps), exercise.name: function}, steps)


def _companions(exercise: Exercise, steps: Sequence[Step]) -> dict[str, Any]:
    """What a script calls besides the exercise, from the library. Its trainings are the same for every wrong version of predict: each is run once."""
    library = vars(sys.modules[exercise.reference.__module__])
    return {s.target: _once(library[s.target]) for s in steps if s.target in library and s.target != exercise.name}


@functools.cache
def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which remembers its results by its arguments and the state of the generators among them."""
    known: dict[bytes, Any] = {}

    def remembered(*args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        states = [str(a.bit_generator.state) if isinstance(a, np.random.Generator) else a for a in given]
        key = hashlib.sha256(pack(to_tree([states, list(kwargs)]))).digest()
        if key not in known:
            known[key] = function(*args, **kwargs)
        return copy.deepcopy(known[key])

    return remembered


_making = threading.RLock()


def _made_once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Like functools.cache, one at a time: graders' threads ask at once, and a script looks whether NumPy's global generator moved."""
    cached = functools.cache(make)

    @functools.wraps(make)
    def made(*args: Any) -> Made:
        with _making:
            return cached(*args)

    return made


@_made_once
def public_sheets(topic_name: str) -> dict[str, Sheet]:
    """Exercise -> its public sheet."""
    return {e.name: make_sheet(e, [PUBLIC_SEED]) for e in course.topic(topic_name).exercises}


@_made_once
def hidden_sheet(name: str, key: bytes) -> Sheet:
    """The hidden sheet of an exercise under a secret."""
    _, exercise = course.find_exercise(name)
    seeds = [
        int.from_bytes(hashlib.sha256(key + f"{name}/{r}".encode()).digest()[:8], "big") for r in range(HIDDEN_ROUNDS)
    ]
    return make_sheet(exercise, seeds)


def public_json(topic: Topic) -> str:
    """The text of class4lib/public/<topic>.json."""
    data = [to_json(sheet_to_tree(s)) for s in public_sheets(topic.name).values()]
    return json.dumps(data, separators=(",", ":")).replace("],[", "],\n[") + "\n"


def write_public(topic: Topic) -> Path:
    """Write the public sheets of a topic where `check` finds them."""
    import class4lib.public

    path = Path(class4lib.public.__file__).parent / f"{topic.name}.json"
    path.write_text(public_json(topic))
    return path


def spec_digest(exercise: Exercise) -> str:
    """A digest of everything that decides a verdict but the submission and the secret: part of the verdict's key."""
    sheet = public_sheets(course.find_exercise(exercise.name)[0].name)[exercise.name]
    shown = [asdict(t) for t in sheet.tiers], to_json(sheet_to_tree(sheet))
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]
