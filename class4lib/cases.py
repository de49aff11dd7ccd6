"""What a judge works with, as data: cases and sheets that it judges by, failures and verdicts that it gives."""

from dataclasses import dataclass, field
from typing import Any

from class4lib.calls import Step
from class4lib.comparing import Mismatch, Tolerance

Record = dict[str, Any]


@dataclass(frozen=True)
class Tier:
    """A group of cases that carries points, earned where every case passes and every tier in `needs` is complete too.

    Where all cases that fail have a share (a stated scale), the tier earns the mean share of its cases.
    """

    name: str
    title: str
    points: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One script of calls and what is expected of it.

    judge: a name in JUDGES; options are its parameters. expected: the reference's records, one per step. parts: positions of the results that
    count in this case (all, where empty). trap: the T line of the course that this case stands for.
    """

    label: str
    tier: str
    script: tuple[Step, ...]
    judge: str = "equal"
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()
    parts: tuple[int, ...] = ()
    trap: str = ""
    expected: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A named misconception on a sheet: per case the wrong version's failure (None where it is right) and its records."""

    name: str
    advice: str
    failures: tuple["Failure | None", ...]
    records: tuple[tuple[Record, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """All that judges one exercise. parameters and returns are names, for the messages."""

    name: str
    tiers: tuple[Tier, ...]
    cases: tuple[Case, ...]
    mistakes: tuple[Mistake, ...]
    parameters: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    extension: bool = False

    @property
    def max_points(self) -> float:
        return sum(t.points for t in self.tiers)


@dataclass(frozen=True)
class Failure:
    """Why a case failed. code: the kind of failure (a property judge's own code, or error, contract kinds, value); step: which of the script.

    advice: of a judge of properties, one thing to try where no named mistake fits; like every advice it holds no hidden value.
    share: of a judge with a stated scale, the share of the tier that is earned all the same; None: nothing is.
    """

    code: str
    text: str
    step: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    advice: str = ""
    share: float | None = None


@dataclass(frozen=True)
class TierVerdict:
    name: str
    title: str
    points: float
    max_points: float
    passed: int
    cases: int


@dataclass(frozen=True)
class Finding:
    """A failed case, for the student: what was given, what came back, what was expected of it."""

    case: str
    tier: str
    text: str
    given: str = ""
    returned: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Verdict:
    """status: passed, partial, failed, not_attempted or unjudged. misconception: the named mistake or "". advice: one thing to try, never a hidden value."""

    name: str
    status: str
    points: float
    max_points: float
    misconception: str = ""
    advice: str = ""
    tiers: tuple[TierVerdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    extension: bool = False
