"""Exercises of early_stopping: two rules for when to stop, the path of gradient descent, the weight decay it acts like, the best time."""
import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from autograder.spec import (
    Case,
    Double,
    Exercise,
    Misconception,
    Step,
    Tier,
    Topic,
    Written,
    case,
    edge,
    script,
    values_and_edge,
)
from class4lib import early_stopping as lib

NAN, INF = float("nan"), float("inf")


def _curve(rng: Generator, eighths: Sequence[float]) -> list[float]:
    """Losses in eighths, lifted by a random whole number: ties stay exact."""
    lift = int(rng.integers(1, 5))
    return [lift + e / 8 for e in eighths]


def _told(losses: Sequence[float]) -> str:
    return " ".join(f"{v:g}" for v in losses)


# ---- EarlyStopping
def _trace(what: str, losses: Sequence[float], patience: int, min_delta: float = 0.0, *, tier: str = "stops", trap: str = "", kept: Sequence[str] = (), state: Any = None) -> Case:
    """A script: every loss is given to step (with the state, which training then goes on changing in place), then the attributes in `kept` are read."""
    steps = [Step("", (patience, min_delta) if min_delta else (patience,), save="stopping")]
    for loss in losses:
        steps.append(Step("stopping.step", (float(loss),) if state is None else (float(loss), Double("shared", {"name": "weights", "value": state}))))
        if state is not None:
            steps.append(Step("weights", (1.0,), op="shift"))
    steps += [Step(f"stopping.{name}", op="get") for name in kept]
    delta = f", min_delta {min_delta:g}" if min_delta else ""
    label = f"{what}: losses {_told(losses)}, patience {patience}{delta}" if losses else f"{what}, patience {patience}"
    return script(label, *steps, tier=tier, trap=trap)


def _stopping_cases(rng: Generator) -> list[Case]:
    best = ("best_epoch", "best_loss")
    weights = {"W": rng.integers(1, 9, size=(2, 3)).astype(float), "b": [rng.integers(1, 9, size=2).astype(float)]}
    nested = [rng.integers(1, 9, size=3).astype(float), rng.integers(1, 9, size=2).astype(float)]
    wave = rng.integers(1, 9, size=3).astype(float)
    alone = script(
        "two objects at once: each has a count and a best of its own",
        Step("", (2,), save="one"), Step("", (2,), save="two"), *(Step(f"{name}.step", (loss,)) for name, loss in (("one", 1.0), ("two", 2.0), ("one", 3.0), ("two", 3.0), ("two", 1.5))), *(Step(f"{name}.best_loss", op="get") for name in ("one", "two")),
        tier="edge", trap="two objects",
    )  # fmt: skip
    return [
        _trace("a minimum, then a rise", _curve(rng, [8, 6, 4, 5, 6, 7, 7]), 3),
        _trace("bad epochs scattered between good ones", _curve(rng, [10, 11, 8, 9, 6, 7, 4, 5]), 3),
        _trace("falling again, but not below the best", _curve(rng, [4, 12, 10, 8, 7, 6]), 4),
        _trace("an improvement in the last patience epoch", _curve(rng, [8, 9, 10, 4, 5, 6, 7]), 3, trap="improvement in the last patience epoch"),
        _trace("the shortest patience", _curve(rng, [8, 6, 7, 5, 6]), 1),
        _trace("the best is not the last", _curve(rng, [9, 6, 3, 5, 7]), 4, tier="keeps", kept=best),
        _trace("a dict of arrays as the state, trained on in place", _curve(rng, [9, 6, 3, 5, 7]), 5, tier="keeps", trap="state changed in place after the step", kept=("best_epoch", "best_state"), state=weights),
        _trace("a list of arrays as the state, trained on in place", _curve(rng, [3, 9, 5]), 5, tier="keeps", trap="state changed in place after the step", kept=("best_state",), state=nested),
        _trace("one array as the state, trained on in place", _curve(rng, [5, 3, 4]), 5, tier="keeps", kept=("best_state",), state=wave),
        _trace("before the first epoch", [], 3, tier="edge", kept=(*best, "best_state")),
        _trace("a plateau", _curve(rng, [8, 8, 8, 8]), 2, tier="edge", trap="plateaus", kept=best),
        _trace("exactly min_delta better", _curve(rng, [8, 7, 6, 5, 5, 3]), 2, 0.125, tier="edge", trap="ties at min_delta", kept=best),
        _trace("tiny improvements, and no min_delta", [2.0, 2.0 - 2**-9, 2.0 - 2**-8, 2.0 - 3 * 2**-9], 2, tier="edge", kept=("best_epoch",)),
        _trace("worse by less than min_delta", _curve(rng, [8, 4, 5, 5, 6]), 3, 0.25, tier="edge", kept=best),
        _trace("small steps that add up", _curve(rng, [16, 15, 14, 13, 12, 11]), 3, 0.3125, tier="edge", kept=best),
        _trace("a late second minimum", _curve(rng, [8, 4, 6, 7, 7, 2, 3]), 3, tier="edge", trap="a late second minimum", kept=best),
        _trace("NaN between numbers", [*_curve(rng, [8]), NAN, *_curve(rng, [0]), NAN, NAN], 2, tier="edge", trap="NaN", kept=best),
        _trace("NaN from the first epoch", [NAN, NAN, *_curve(rng, [6, 7])], 2, tier="edge", kept=(*best, "best_state")),
        alone,
    ]


def _stopper(
    better: Callable[[float, float, float, float], bool] = lambda loss, best, before, d: loss < best - d,
    due: Callable[[int, int], bool] = lambda count, patience: count >= patience,
    keep: Callable[[Any], Any] = copy.deepcopy,
    *,
    resets: bool = True,
    last_state: bool = False,
    follows: bool = False,
    counts_good: bool = False,
    start_epoch: int | None = None,
    first_epoch: int = 0,
    epoch_of: str = "best",
    start: float | None = INF,
    forgets: bool = False,
    latched: bool = False,
    returns: Callable[[bool], Any] = lambda stop: stop,
) -> type:
    """A wrong EarlyStopping: how an epoch is better, when it is due to stop, how the state is kept, and what else is wrong."""

    class EarlyStopping:
        def __init__(self, patience: int, min_delta: float = 0.0) -> None:
            self.patience, self.min_delta = patience, min_delta
            self.best_epoch, self.best_loss, self.best_state = start_epoch, start, None
            self.before, self.epoch, self.count, self.stopped = INF, first_epoch, 0, False

        def step(self, loss: float, state: Any = None) -> Any:
            if latched and self.stopped:
                return True
            known = INF if self.best_loss is None else self.best_loss
            if better(loss, known, self.before, self.min_delta):
                self.best_epoch, self.best_loss, self.best_state = self.epoch, loss, keep(state)
                self.count = 0 if resets else self.count
            else:
                self.count += 1
                if follows and loss < known:
                    self.best_epoch, self.best_loss, self.best_state = self.epoch, loss, keep(state)
            if last_state:
                self.best_state = keep(state)
            if epoch_of == "last":
                self.best_epoch = self.epoch
            self.before = loss
            self.epoch += 0 if counts_good and self.count else 1
            self.stopped = due(self.count, self.patience)
            if forgets and self.stopped:
                self.count = 0
                return True
            return returns(self.stopped)

    return EarlyStopping


def _copy_method(state: Any) -> Any:
    return None if state is None else state.copy()


def _copied_parts(state: Any) -> Any:
    """One level of copies: what lies deeper is shared."""
    if isinstance(state, dict):
        return {k: copy.copy(v) for k, v in state.items()}
    return [copy.copy(v) for v in state] if isinstance(state, list) else copy.copy(state)


early_stopping = Exercise(
    reference=lib.EarlyStopping,
    tiers=(Tier("stops", "when it stops", 3), Tier("keeps", "what it keeps", 2), Tier("edge", "edge cases", 2, needs=("stops", "keeps"))),
    cases=_stopping_cases,
    traps=("plateaus", "ties at min_delta", "a late second minimum", "NaN", "improvement in the last patience epoch", "state changed in place after the step"),
    misconceptions=(
        Misconception("off by one: an epoch too late", _stopper(due=lambda c, p: c > p), "You wait one epoch longer than patience says. With patience 2, the second epoch in a row without improvement is the one whose step returns True.", (_stopper(due=lambda c, p: c == p + 1),)),
        Misconception("off by one: an epoch too early", _stopper(due=lambda c, p: c >= p - 1), "You stop one epoch too soon: patience 2 allows one epoch without improvement and stops at the second."),
        Misconception("compared with the previous epoch", _stopper(lambda loss, best, before, d: loss < before - d), "You compare with the epoch before. A curve that jumps up and creeps down again then looks like progress: compare with the best loss so far.", (_stopper(lambda loss, best, before, d: loss < before - d, follows=True),)),
        Misconception("bad epochs counted in total", _stopper(resets=False), "Your count never goes back to 0, so that bad epochs scattered over a long, healthy run add up. Patience counts epochs IN A ROW: what should an improvement do to the count?"),
        Misconception("equality counted as better", _stopper(lambda loss, best, before, d: loss <= best - d), "A loss exactly at the threshold counts as better for you, and a plateau as endless progress. The docstring says STRICTLY below."),
        Misconception("NaN counted as better", _stopper(lambda loss, best, before, d: not loss >= best - d), "A NaN passes your test: every comparison with NaN is False, so `not (loss >= ...)` is True. Ask the question the other way round, and once a NaN is the best, nothing is better than it.", (_stopper(lambda loss, best, before, d: loss < best - d or loss != loss), _stopper(lambda loss, best, before, d: best != best or not loss >= best - d), _stopper(lambda loss, best, before, d: best == INF or loss < best - d))),
        Misconception("min_delta ignored", _stopper(lambda loss, best, before, d: loss < best), "Any improvement counts for you, however small. It must be more than min_delta."),
        Misconception("min_delta with the wrong sign", _stopper(lambda loss, best, before, d: loss < best + d), "With your sign, a loss that is a little WORSE than the best counts as better: min_delta must make it harder to improve, not easier."),
        Misconception("best loss follows every lower loss", _stopper(follows=True), "You lower best_loss (or best_epoch) even where the epoch did not count as an improvement. Then small steps never add up to min_delta. Change the best only together with the count."),
        Misconception("min_delta as a share", _stopper(lambda loss, best, before, d: loss < best * (1 - d)), "You take min_delta as a share of the best loss; here it is an amount, in the unit of the loss.", (_stopper(lambda loss, best, before, d: loss < (best * (1 - d) if np.isfinite(best) else best)),)),
        Misconception("alias instead of copy", _stopper(keep=lambda s: s), "best_state is the very object that training goes on changing, so by the end it holds the last weights. Keep something of your own, all the way down."),
        Misconception("shallow copy", _stopper(keep=copy.copy), "You copied the container, but the arrays inside are still those that training changes in place. The copy must go all the way down; the module `copy`, imported above, can do that.", (_stopper(keep=_copy_method), _stopper(keep=lambda s: s.copy()), _stopper(keep=_copied_parts))),
        Misconception("last state instead of best", _stopper(last_state=True), "You store the state at every step. best_state belongs to the best epoch: store it only where the loss improved."),
        Misconception("state not kept", _stopper(keep=lambda s: None), "best_state stays None: the state of an epoch that improved has to be stored with its loss."),
        Misconception("epochs counted from 1", _stopper(first_epoch=1), "Your best_epoch is one too high: the first call of step is epoch 0."),
        Misconception("only improvements counted as epochs", _stopper(counts_good=True), "Your epoch number moves on only where the loss improved. Every call of step is an epoch."),
        Misconception("best epoch starts at 0", _stopper(start_epoch=0), "Before the first improvement there is no best epoch: None, not 0, which would be a real one."),
        Misconception("epoch of the last step", _stopper(epoch_of="last"), "best_epoch moves on with every step. It may change only where the loss improved."),
        Misconception("best loss starts at None or 0", _stopper(start=None), "Before the first improvement best_loss should be a number that every finite loss is below: see the docstring's Attributes.", (_stopper(start=0.0), _stopper(start=1e9), _stopper(start=1e308))),
        Misconception("count set back after stopping", _stopper(forgets=True), "After a True your count starts again. step should say True as long as nothing has improved: only an improvement sets the count back."),
        Misconception("deaf after stopping", _stopper(latched=True), "After its first True your object ignores what comes. Someone may train on: an improvement must still be stored, and step is False again."),
        Misconception("True for going on", _stopper(returns=lambda stop: not stop), "Your step is True where training should go on. It must be True where it should stop."),
        Misconception("step returns nothing", _stopper(returns=lambda stop: None), "step returns None where True or False is expected: a `return` is missing in one of the branches.", (_stopper(returns=lambda stop: True if stop else None),)),
    ),
    hints=(
        "Five things must survive from call to call: what are they? Set them in __init__; step compares, stores, counts, and answers.",
        "An improvement (strictly below best_loss - min_delta) stores epoch, loss and a deep copy of the state, and sets the count to 0. Everything else, a NaN too, adds 1.",
        "if loss < self.best_loss - self.min_delta: store all three (copy.deepcopy(state)), self.count = 0; else: self.count += 1. Then self.epoch += 1 and return self.count >= self.patience.",
    ),
    minutes=18,
    difficulty=3,
)


# ---- stopping_epoch_patience
def _patience_cases(rng: Generator) -> list[Case]:
    c = lambda eighths: np.array(_curve(rng, eighths))
    return [
        case("a minimum, then a rise", c([8, 6, 4, 5, 6, 7, 7, 8]), 3),
        case("never", c([10, 11, 8, 9, 6, 7, 4, 5]), 3),
        case("falling again, but not below the best", c([4, 12, 10, 8, 7, 6, 5]), 4),
        case("an improvement in the last patience epoch", c([8, 9, 10, 4, 5, 6, 7]), 3),
        case("a better minimum after the stop", c([8, 4, 6, 7, 2, 3, 3, 3]), 2),
        edge("exactly min_delta better", c([8, 7, 6, 5, 5, 3, 3]), 2, 0.125),
        edge("tiny improvements, and no min_delta", np.array([2.0, 2.0 - 2**-9, 2.0 - 2**-8, 2.0 - 3 * 2**-9]), 2),
        edge("NaN", np.array([2.0, NAN, 1.0, NAN, NAN, 1.5]), 2),
        edge("no epoch at all", [], 1),
        edge("the last epoch stops", c([3, 4, 5]), 2),
    ]


def _epochs(losses: Any, stopping: Any, none: Any = None, add: int = 0) -> Any:
    for epoch, loss in enumerate(losses):
        if stopping.step(loss):
            return epoch + add
    return none(losses) if callable(none) else none


def _by_class(cls: type, **how: Any) -> Callable[..., Any]:
    return lambda losses, patience, min_delta=0.0: _epochs(losses, cls(patience, min_delta), **how)


def _best_of_patience(losses: Any, patience: int, min_delta: float = 0.0) -> int | None:
    stopping = lib.EarlyStopping(patience, min_delta)
    return stopping.best_epoch if any(stopping.step(loss) for loss in losses) else None


def _last_true(losses: Any, patience: int, min_delta: float = 0.0) -> int | None:
    stopping, found = lib.EarlyStopping(patience, min_delta), None
    for epoch, loss in enumerate(losses):
        found = epoch if stopping.step(loss) else found
    return found


stopping_epoch_patience = Exercise(
    reference=lib.stopping_epoch_patience,
    tiers=values_and_edge(1, 1),
    cases=_patience_cases,
    extension=True,
    misconceptions=(
        Misconception("best epoch returned", _best_of_patience, "You return the best epoch. Asked for is the epoch whose step said True, which comes later."),
        Misconception("last epoch that says stop", _last_true, "step goes on saying True after the first time. Return at the FIRST True: what comes later would never have been trained."),
        Misconception("epochs counted from 1", _by_class(lib.EarlyStopping, add=1), "You count epochs from 1; the course counts from 0."),
        Misconception("a number where it never stops", _by_class(lib.EarlyStopping, none=len), "Where no step says True the answer is None, not the number of epochs.", (_by_class(lib.EarlyStopping, none=lambda x: len(x) - 1), _by_class(lib.EarlyStopping, none=-1))),
        Misconception("off by one", _by_class(_stopper(due=lambda c, p: c > p)), "You stop an epoch too late: the patience-th epoch in a row without improvement is the one."),
        Misconception("compared with the previous epoch", _by_class(_stopper(lambda loss, best, before, d: loss < before - d)), "You compare with the epoch before; compare with the best so far."),
        Misconception("bad epochs counted in total", _by_class(_stopper(resets=False)), "Your count is not set back by an improvement."),
        Misconception("min_delta not handed on", lambda losses, patience, min_delta=0.0: _epochs(losses, lib.EarlyStopping(patience)), "min_delta never reaches the comparison: hand it on."),
    ),
    hints=(
        "You have written the rule already: make an object and feed it the curve.",
        "Go through the losses with enumerate; the first step that is True decides.",
        "stopping = EarlyStopping(patience, min_delta); for epoch, loss in enumerate(losses): if stopping.step(loss): return epoch. After the loop: return None.",
    ),
    minutes=5,
    difficulty=1,
)


# ---- stopping_epoch_consecutive
def _consecutive_cases(rng: Generator) -> list[Case]:
    c = lambda eighths: np.array(_curve(rng, eighths))
    return [
        case("a minimum, then a rise, k = 2", c([8, 4, 5, 6, 7, 8, 9]), 2),
        case("a noisy rise, k = 3", c([9, 3, 6, 5, 8, 7, 4, 9, 9, 8, 10]), 3),
        case("a zigzag that gets worse, k = 2", c([6, 2, 7, 3, 8, 4]), 2),
        case("worse, but not in a row, k = 2", c([4, 8, 6, 5, 7, 6, 5, 9, 6, 10]), 2),
        case("high for long, but falling, k = 3", c([2, 12, 11, 10, 9, 8, 7, 6, 9, 9]), 3),
        case("k = 1", c([8, 6, 4, 5, 3]), 1),
        case("never", c([9, 8, 7, 6, 5, 4, 3]), 2),
        edge("worse from the first epoch on", c([1, 2, 3, 4, 5, 6, 7]), 3),
        edge("high at the end and low at the start", c([9, 8, 1, 2, 1, 0]), 2, trap="a negative index"),
        edge("equal to the epoch k before", c([4, 8, 4, 8, 4, 8]), 2, trap="plateaus"),
        edge("NaN", np.array([1.0, NAN, 2.0, 3.0, NAN, NAN, 4.0, 5.0, 6.0, 7.0]), 2),
        edge("fewer than 2k epochs", c([1, 2, 3, 4, 5]), 3),
        edge("exactly 2k epochs", c([1, 2, 3, 4, 5, 6]), 3),
    ]


def _slides(worse: Callable[..., bool] = lambda L, s, k: L[s] > L[s - k], first: Callable[[int], int] = lambda k: k, needed: Callable[[int], int] = lambda k: k, resets: bool = True, none: Any = None, add: int = 0) -> Callable[..., Any]:
    def wrong(losses: Any, k: int) -> Any:
        count = 0
        for t in range(first(k), len(losses)):
            if worse(losses, t, k):
                count += 1
            elif resets:
                count = 0
            if count >= needed(k):
                return t + add
        return none(losses) if callable(none) else none

    return wrong


def _windowed(losses: Any, k: int) -> int | None:
    """Every epoch of the last k is worse than the one epoch before them."""
    return next((t for t in range(k, len(losses)) if all(losses[s] > losses[t - k] for s in range(t - k + 1, t + 1))), None)


stopping_epoch_consecutive = Exercise(
    reference=lib.stopping_epoch_consecutive,
    tiers=values_and_edge(2, 2),
    cases=_consecutive_cases,
    traps=("a negative index", "plateaus", "NaN"),
    misconceptions=(
        Misconception("negative index", _slides(first=lambda k: 0), "In the first k epochs, losses[s - k] has a negative index: Python reads it from the END of the curve, from the future. Those epochs have nothing to be compared with.", (lambda L, k: next((t for t in range(len(L)) if all(L[s] > L[s - k] for s in range(t - k + 1, t + 1))), None), lambda L, k: next((t for t in range(k, len(L)) if all(L[s] > L[s - k] for s in range(t - k + 1, t + 1))), None))),
        Misconception("one comparison is enough", _slides(needed=lambda k: 1), "You stop at the first epoch that is worse than k before. The rule wants that k epochs in a row."),
        Misconception("compared with the previous epoch", _slides(lambda L, s, k: L[s] > L[s - 1], first=lambda k: 1), "You compare neighbours: k rises in a row. The slides compare each epoch with the one k epochs before."),
        Misconception("compared with one fixed epoch", _windowed, "You hold all of the last k epochs against the same older epoch. Each epoch s has a partner of its own, k before it."),
        Misconception("patience", lambda L, k: lib.stopping_epoch_patience(L, k), "This is patience: it compares with the best so far. The slides' rule looks exactly k epochs back, and forgets everything older."),
        Misconception("equality counted as worse", _slides(lambda L, s, k: L[s] >= L[s - k]), "A loss equal to that of k epochs before is not worse."),
        Misconception("NaN counted as worse", _slides(lambda L, s, k: not L[s] <= L[s - k]), "A comparison with NaN is False, so `not (a <= b)` calls it worse. Ask for a > b."),
        Misconception("not in a row", _slides(resets=False), "Your count goes on after an epoch that was not worse: k epochs IN A ROW are asked for."),
        Misconception("off by one: an epoch too late", _slides(needed=lambda k: k + 1), "You wait for k + 1 worse epochs; the k-th in a row is the one."),
        Misconception("off by one: an epoch too early", _slides(needed=lambda k: max(k - 1, 1)), "You stop at k − 1 worse epochs in a row."),
        Misconception("comparison begins too late", _slides(first=lambda k: k + 1), "Your first comparison is one epoch late: epoch k is the first that has a partner, epoch 0."),
        Misconception("compared with the best of the past", _slides(lambda L, s, k: L[s] > min(L[: s - k + 1])), "You compare with the lowest loss up to k epochs before. The slides' rule asks for that one epoch alone."),
        Misconception("epochs counted from 1", _slides(add=1), "You count epochs from 1; the course counts from 0."),
        Misconception("a number where it never stops", _slides(none=len), "Where the rule never stops the answer is None.", (_slides(none=-1), _slides(none=lambda L: len(L) - 1))),
        Misconception("first epoch of the run", lambda L, k: None if (t := lib.stopping_epoch_consecutive(L, k)) is None else t - k + 1, "You return where the k worse epochs begin. Nobody knows then that they will go on: the rule stops at the last of them."),
        Misconception("better instead of worse", _slides(lambda L, s, k: L[s] < L[s - k]), "Your inequality stops training while it improves."),
    ),
    hints=(
        "For one epoch s the question is whether losses[s] is above losses[s - k]. From which s on can it be asked at all?",
        "Count how many epochs in a row say yes; a no sets the count to 0; the count k stops.",
        "worse = 0; for t in range(k, len(losses)): worse = worse + 1 if losses[t] > losses[t - k] else 0; if worse == k: return t. After the loop: None.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- gradient_descent_path
def _spectrum(rng: Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Eigenvalues and minimiser (D,), and a number of steps with T + 1 ≠ D."""
    d, t = rng.permutation([2, 3, 4])[:2]
    return rng.uniform(0.1, 1.5, size=d), rng.normal(scale=2.0, size=d), int(t) + 2


def _path_cases(rng: Generator) -> list[Case]:
    a, b = _spectrum(rng), _spectrum(rng)
    lr = float(rng.uniform(0.1, 0.5))
    return [
        case("a few steps", *a[:2], lr, a[2]),
        case("another spectrum", *b[:2], float(rng.uniform(0.1, 0.5)), b[2]),
        case("a single direction", b[0][:1], b[1][:1], lr, 5),
        case("lr λ between 1 and 2: it swings", rng.uniform(1.2, 1.8, size=2), b[1][:2], 1.0, 4),
        edge("an eigenvalue 0: nothing is learned there", np.array([float(rng.uniform(0.5, 1.0)), 0.0, 0.25]), rng.normal(size=3), lr, 4),
        edge("lr λ exactly 1: there after one step", np.array([2.0, 0.5]), rng.normal(size=2), 0.5, 3),
        edge("lr λ beyond 2: it diverges", np.array([5.0, 0.5]), rng.normal(size=2), 0.5, 3),
        edge("no step", *a[:2], lr, 0),
        edge("one step", *a[:2], lr, 1),
    ]


def _path(share: Callable[..., np.ndarray], first: int = 0, last: int = 1) -> Callable[..., Any]:
    """share(lambda, lr, t) of w* after t steps, for t = first .. n_steps - 1 + last."""

    def wrong(eigenvalues: Any, w_star: Any, lr: float, n_steps: int) -> np.ndarray:
        t = np.arange(first, n_steps + last)[:, None]
        return share(eigenvalues, lr, t) * w_star

    return wrong


def _filter(e: Any, lr: float, t: Any) -> np.ndarray:
    return 1 - (1 - lr * e) ** t


gradient_descent_path = Exercise(
    reference=lib.gradient_descent_path,
    tiers=values_and_edge(2, 2),
    cases=_path_cases,
    misconceptions=(
        Misconception("what is left, not what is learned", _path(lambda e, lr, t: (1 - lr * e) ** t), "Your path begins at w* and ends at 0. You have the share that is NOT yet learned; the weights begin at 0."),
        Misconception("distance to the minimum", _path(lambda e, lr, t: -((1 - lr * e) ** t)), "This is w − w*, the distance that shrinks. The weights themselves are asked for."),
        Misconception("row 0 left out", _path(_filter, first=1), "Your first row is the one after a step. Row 0 is the start, before any step: n_steps + 1 rows."),
        Misconception("last row left out", _path(_filter, last=0), "A row is missing at the end: rows 0 to n_steps are n_steps + 1."),
        Misconception("a step too far", _path(_filter, first=1, last=2), "Your row t is after t + 1 steps: row 0 must be zero."),
        Misconception("gradient flow", _path(lambda e, lr, t: 1 - np.exp(-lr * e * t)), "An exponential belongs to infinitely small steps. Ours have the size lr: what does one of them do to the distance w − w*? Then do it t times."),
        Misconception("factor 2 in the gradient", _path(lambda e, lr, t: _filter(2 * e, lr, t)), "The loss has a ½, so its gradient has no 2."),
        Misconception("½ kept in the gradient", _path(lambda e, lr, t: _filter(e / 2, lr, t)), "Differentiating ½ λ (w − w*)² brings a 2 down, which cancels the ½."),
        Misconception("eigenvalues squared", _path(lambda e, lr, t: _filter(e**2, lr, t)), "You square the eigenvalues as if they were singular values. They are the curvatures already."),
        Misconception("eigenvalue forgotten", _path(lambda e, lr, t: _filter(np.ones_like(e), lr, t)), "Every direction moves at the same speed in your path. How steep is the loss in direction j?"),
        Misconception("a straight line", _path(lambda e, lr, t: lr * e * t), "You take t times the first step. The steps get shorter as the distance shrinks."),
        Misconception("ridge", _path(lambda e, lr, t: lr * e * t / (lr * e * t + 1)), "This is the shrinkage of ridge regression. It resembles descent; descent itself has another formula: unroll a few steps."),
        Misconception("every row the same", lambda e, w, lr, n: np.tile(_filter(np.asarray(e), lr, n) * w, (n + 1, 1)), "All your rows are the last one: w is changed in place, and the list holds the same array again and again. Make a new array in every step."),
        Misconception("w* forgotten", lambda e, w, lr, n: _filter(np.asarray(e), lr, np.arange(n + 1)[:, None]), "You return the share that is learned. The weights are that share of w*."),
        Misconception("geometric sum", _path(lambda e, lr, t: lr * e * (1 - lr * e) ** t), "This is the length of the t-th step alone. The weights are the sum of the steps before."),
    ),
    hints=(
        "In one direction: w ← w − lr · λ (w − w*). Write down w − w* before and after one step.",
        "The distance w − w* is multiplied by the same number in every step. It begins at −w*.",
        "left = (1 - lr * eigenvalues) ** np.arange(n_steps + 1)[:, None]; the weights are (1 - left) * w_star.",
    ),
    minutes=10,
    difficulty=3,
)


# ---- equivalent_l2
def _equivalent_cases(rng: Generator) -> list[Case]:
    return [
        case("a few steps", float(rng.uniform(0.05, 0.3)), int(rng.integers(5, 30))),
        case("many steps", float(rng.uniform(0.05, 0.3)), int(rng.integers(200, 900))),
        case("a step size above 1", float(rng.uniform(1.5, 4.0)), int(rng.integers(5, 30))),
        case("two steps", float(rng.uniform(0.05, 0.3)), 2),
        edge("one step", float(rng.uniform(0.3, 0.9)), 1),
        edge("a million steps of a tiny size", float(rng.uniform(1e-6, 9e-6)), 10**6),
    ]


equivalent_l2 = Exercise(
    reference=lib.equivalent_l2,
    tiers=values_and_edge(2, 1),
    cases=_equivalent_cases,
    misconceptions=(
        Misconception("upside down", lambda lr, step: lr * step, "Your strength grows with every step. But a longer training shrinks the weights LESS."),
        Misconception("½ of the penalty lost", lambda lr, step: 1 / (2 * lr * step), "You have half of it. The penalty is ½ α Σ w², so that its gradient is α w; the strength of a penalty without the ½ would be yours."),
        Misconception("a 2 in the gradient", lambda lr, step: 2 / (lr * step), "You have twice the strength: with the ½ in both terms of the loss no 2 appears."),
        Misconception("step size upside down", lambda lr, step: lr / step, "A larger step size gets further in the same number of steps: should it act like MORE weight decay?"),
        Misconception("number of steps upside down", lambda lr, step: step / lr, "More steps get further: should they act like MORE weight decay?"),
        Misconception("step size forgotten", lambda lr, step: 1 / step, "The step size is missing: ten steps of 0.1 get about as far as one of 1."),
        Misconception("number of steps forgotten", lambda lr, step: 1 / lr, "The number of steps is missing."),
        Misconception("one step too many", lambda lr, step: 1 / (lr * (step + 1)), "`step` is the number of steps taken, not the number of the last one counted from 0: no + 1.", (lambda lr, step: 1 / (lr * max(step - 1, 0.5)),)),
        Misconception("higher order kept", lambda lr, step: 1 / (lr * step) - (1 - (step - 1) / (2 * step)), "A further term is in your answer. To FIRST order in λ only the terms with a single λ are compared."),
    ),
    hints=(
        "Write both shrinkages w_j / w*_j, of descent and of ridge, as functions of λ_j, and expand each to first order.",
        "(1 − lr λ)^t = 1 − t lr λ + …, and λ / (λ + α) = λ/α + …",
        "t · lr · λ must equal λ / α: solve for α.",
    ),
    minutes=8,
    difficulty=3,
)


# ---- expected_excess_risk
def _risk_cases(rng: Generator) -> list[Case]:
    a, b = _spectrum(rng), _spectrum(rng)
    n = int(rng.integers(7, 15))
    lr, variance = float(rng.uniform(0.1, 0.5)), float(rng.uniform(2.0, 5.0))
    return [
        case("bias and variance", *a[:2], lr, a[2], variance, n),
        case("another spectrum", *b[:2], lr, b[2], float(rng.uniform(2.0, 5.0)), n + 5),
        case("no noise: bias alone", *a[:2], lr, a[2], 0.0, n),
        case("nothing to learn: variance alone", b[0], np.zeros(len(b[0])), lr, b[2], variance, n),
        case("a single direction", a[0][:1], a[1][:1], lr, 5, variance, n),
        edge("an eigenvalue 0 adds nothing", np.array([float(rng.uniform(0.5, 1.0)), 0.0, 0.25]), rng.normal(scale=3.0, size=3), lr, 4, variance, n),
        edge("lr λ exactly 1 and beyond", np.array([2.0, 3.0]), rng.normal(size=2), 0.5, 3, variance, n),
        edge("fewer examples than directions", np.append(a[0], 0.3), np.append(a[1], 1.0), lr, 6, variance, 2),
        edge("no step", *a[:2], lr, 0, variance, n),
    ]


def _risk(bias: Callable[..., Any] = lambda e, w, a: e * a**2 * w**2, variance: Callable[..., Any] = lambda e, a, v, n: (1 - a) ** 2 * v / n, first: int = 0, reduce: Callable[..., Any] = np.sum, share: Callable[..., Any] = lambda e, lr, t: (1 - lr * e) ** t) -> Callable[..., Any]:
    def wrong(eigenvalues: Any, w_star: Any, lr: float, n_steps: int, noise_variance: float, n_examples: int) -> np.ndarray:
        e, w = np.asarray(eigenvalues), np.asarray(w_star)
        a = share(e, lr, np.arange(first, n_steps + 1)[:, None])
        return reduce(bias(e, w, a) + variance(e, a, noise_variance, n_examples) + np.zeros_like(a), axis=1)

    return wrong


expected_excess_risk = Exercise(
    reference=lib.expected_excess_risk,
    tiers=values_and_edge(3, 1),
    cases=_risk_cases,
    equivalent_mutants=(("1.0 - left → left - 1.0", "it is squared"),),
    misconceptions=(
        Misconception("0/0 at an eigenvalue 0", _risk(variance=lambda e, a, v, n: e * (1 - a) ** 2 * v / (n * e)), "Right, but for a direction without curvature you divide 0 by 0. Cancel λ on paper before you compute."),
        Misconception("error of the weights, not of the predictions", _risk(bias=lambda e, w, a: a**2 * w**2, variance=lambda e, a, v, n: np.divide((1 - a) ** 2 * v, n * e, out=np.zeros_like(a), where=e > 0)), "You measure how far the weights are off. The risk is about predictions: an error in direction j counts with the variance λ_j that the inputs have there.", (_risk(bias=lambda e, w, a: a**2 * w**2, variance=lambda e, a, v, n: (1 - a) ** 2 * v / (n * e)),)),
        Misconception("λ missing in the bias", _risk(bias=lambda e, w, a: a**2 * w**2), "The bias lacks its weight λ_j: a wrong weight in a flat direction hardly shows in the predictions."),
        Misconception("λ not cancelled in the variance", _risk(variance=lambda e, a, v, n: np.divide((1 - a) ** 2 * v, n * e, out=np.zeros_like(a), where=e > 0)), "The variance of the weights is divided by λ_j, but in the risk λ_j multiplies it again.", (_risk(variance=lambda e, a, v, n: (1 - a) ** 2 * v / (n * e)), _risk(variance=lambda e, a, v, n: e * (1 - a) ** 2 * v / n))),
        Misconception("bias not squared", _risk(bias=lambda e, w, a: e * a * w**2), "The bias enters the risk squared, all of it: the share not yet learned, too.", (_risk(bias=lambda e, w, a: e * a * w),)),
        Misconception("learned share not squared in the variance", _risk(variance=lambda e, a, v, n: (1 - a) * v / n), "A factor in front of a random number enters its variance squared."),
        Misconception("1 − a² for (1 − a)²", _risk(variance=lambda e, a, v, n: (1 - a**2) * v / n), "You subtract the square; square the difference instead: the noise is learned with the share 1 − a."),
        Misconception("shares swapped", _risk(bias=lambda e, w, a: e * (1 - a) ** 2 * w**2, variance=lambda e, a, v, n: a**2 * v / n), "At step 0 nothing is learned: the bias must be all there and the variance 0. Your two shares are exchanged."),
        Misconception("variance of what is left", _risk(variance=lambda e, a, v, n: a**2 * v / n), "Your variance is largest at step 0, where the weights are 0 whatever the noise is. Which share of the noise has been learned after t steps?"),
        Misconception("summed before squaring", lambda e, w, lr, n, v, N: (np.sqrt(np.asarray(e)) * w * (1 - lr * np.asarray(e)) ** np.arange(n + 1)[:, None]).sum(axis=1) ** 2 + ((1 - (1 - lr * np.asarray(e)) ** np.arange(n + 1)[:, None]) ** 2).sum(axis=1) * v / N, "Errors in different directions do not cancel: square in each direction first, then add."),
        Misconception("noise does not depend on time", _risk(variance=lambda e, a, v, n: v / n), "Before the first step the weights are 0 whatever the noise is: the variance must grow from 0."),
        Misconception("variance left out", _risk(variance=lambda e, a, v, n: 0.0), "Only the bias is there; with noise the risk rises again after its minimum."),
        Misconception("bias left out", _risk(bias=lambda e, w, a: 0.0), "Only the variance is there; the risk should begin at Σ λ_j w*_j²."),
        Misconception("variance taken for deviation", _risk(variance=lambda e, a, v, n: (1 - a) ** 2 * v**2 / n), "noise_variance is a variance already: it is not squared again.", (_risk(variance=lambda e, a, v, n: (1 - a) ** 2 * np.sqrt(v) / n),)),
        Misconception("number of examples forgotten", _risk(variance=lambda e, a, v, n: (1 - a) ** 2 * v), "More examples average the noise away: n_examples is missing.", (_risk(variance=lambda e, a, v, n: (1 - a) ** 2 * v / n**2), _risk(variance=lambda e, a, v, n: (1 - a) ** 2 * v / np.sqrt(n)))),
        Misconception("½ of the loss", _risk(bias=lambda e, w, a: e * a**2 * w**2 / 2, variance=lambda e, a, v, n: (1 - a) ** 2 * v / n / 2), "You have half of it: the excess risk of the docstring has no ½."),
        Misconception("noise of the targets added", _risk(reduce=lambda r, axis: r.sum(axis=axis), variance=lambda e, a, v, n: (1 - a) ** 2 * v / n + v / len(e)), "The noise of a new target is in every risk and cannot be learned. EXCESS risk is what comes on top of it."),
        Misconception("mean over the directions", _risk(reduce=np.mean), "The directions add up; you average them."),
        Misconception("row 0 left out", _risk(first=1), "The first entry belongs to step 0, before any training: n_steps + 1 entries."),
        Misconception("gradient flow", _risk(share=lambda e, lr, t: np.exp(-lr * e * t)), "The exponential belongs to infinitely small steps: use the share of your gradient_descent_path."),
    ),
    hints=(
        "Per direction: the weights are (1 − a)(w* + noise), with a the share not yet learned. What is their mean, what their variance?",
        "The mean misses w* by a·w*; the least squares noise has variance noise_variance / (N λ_j), and a share 1 − a of it is learned. Weight both with λ_j and add.",
        "left = (1 - lr * eigenvalues) ** np.arange(n_steps + 1)[:, None]; bias: (eigenvalues * left**2 * w_star**2).sum(axis=1); variance: ((1 - left)**2).sum(axis=1) * noise_variance / n_examples.",
    ),
    minutes=12,
    difficulty=4,
)


# ---- stopped_fit_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    def made(n: int, d: int, lr: float, steps: int, **kwargs: Any) -> tuple[Any, ...]:
        return rng.normal(size=(n, d)), rng.normal(size=n), lr, steps, rng.normal(size=n)

    n, d = (int(v) for v in rng.permutation([3, 4, 5])[:2])
    return [
        case("a few steps, forward and gradients", *made(n, d, float(rng.uniform(0.1, 0.3)), 3), op="torch"),
        case("more steps", *made(d + 2, n, float(rng.uniform(0.1, 0.3)), 6), op="torch"),
        case("two steps", *made(6, 2, float(rng.uniform(0.3, 0.5)), 2), op="torch"),
        edge("one step", *made(4, 3, float(rng.uniform(0.1, 0.3)), 1), op="torch"),
        edge("N = 1", *made(1, 2, 0.1, 3), op="torch"),
        edge("one column", *made(5, 1, 0.2, 3), op="torch"),
    ]


def _fit_in_torch(scale: str = "N", extra: int = 0, cut: str = "", output: str = "predictions", start: float = 0.0, sign: float = 1.0) -> Callable[..., Any]:
    def wrong(X: Any, y: Any, lr: float, n_steps: int) -> Any:
        import torch

        divisor = {"N": len(X), "1": 1, "2/N": len(X) / 2, "ND": X.numel()}[scale]
        w = torch.full((X.shape[1],), start, dtype=X.dtype)
        a, b = (X.detach(), y.detach()) if cut == "training" else (X, y)
        for i in range(n_steps + extra):
            before = w.detach() if cut == "steps" or (cut == "last" and i == n_steps - 1) else w
            slope = (a @ before - b) @ a / divisor
            w = before - sign * lr * (slope.detach() if cut == "slope" else slope)
        result = {"predictions": lambda: X @ w, "weights": lambda: w, "residuals": lambda: X @ w - y, "loss": lambda: 0.5 * ((X @ w - y) ** 2).mean()}[output]()
        if cut == "number":
            return result.detach()
        return result.detach() + 0 * X.sum() if cut == "all" else result

    return wrong


stopped_fit_in_torch = Exercise(
    reference=lib.stopped_fit_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_torch_cases,
    torch=True,
    misconceptions=(
        Misconception("training cut off from the graph", _fit_in_torch(cut="training"), "The predictions are right, but no gradient flows through the training: to PyTorch the weights are constants. No .detach(), no .data, no torch.no_grad() around the steps; torch.autograd.grad needs create_graph=True, and each step makes a new w.", (_fit_in_torch(cut="all"), _fit_in_torch(cut="number"), _fit_in_torch(cut="slope"))),
        Misconception("only the last step in the graph", _fit_in_torch(cut="steps"), "The graph holds a single step, because the weights were detached before it. Every step must stay in the graph: make a new w from the old one, and detach nothing."),
        Misconception("1/N forgotten", _fit_in_torch("1"), "The loss is a mean over the N examples: its gradient has 1/N."),
        Misconception("factor 2 in the gradient", _fit_in_torch("2/N"), "The loss has a ½, so its gradient has no 2."),
        Misconception("mean over N·D", _fit_in_torch("ND"), "You divide by all N·D entries of X; the mean is over N residuals."),
        Misconception("a step too many", _fit_in_torch(extra=1), "You take a step more than n_steps."),
        Misconception("a step too few", _fit_in_torch(extra=-1), "You take a step less than n_steps."),
        Misconception("uphill", _fit_in_torch(sign=-1.0), "Your steps climb: descent goes AGAINST the gradient."),
        Misconception("weights returned", _fit_in_torch(output="weights"), "You return the weights; asked for are the predictions, one per example."),
        Misconception("residuals returned", _fit_in_torch(output="residuals"), "You return the residuals; asked for are the predictions."),
        Misconception("loss returned", _fit_in_torch(output="loss"), "You return the loss; asked for are the predictions, one per example."),
        Misconception("starts at ones", _fit_in_torch(start=1.0), "Training starts from w = 0."),
    ),
    hints=(
        "Start with torch.zeros of the right length and dtype, and make a new w in every step: nothing is changed in place, and the graph grows by itself.",
        "The gradient of the mean of ½ r² is the residuals times X, divided by N: w = w - lr * that.",
        "for _ in range(n_steps): w = w - lr * (X @ w - y) @ X / len(X); then return X @ w. No detach, no item, no optimizer.",
    ),
    minutes=9,
    difficulty=2,
)


TOPIC = Topic(
    name="early_stopping",
    assignment="2_regularization",
    title="Early stopping",
    exercises=(early_stopping, stopping_epoch_patience, stopping_epoch_consecutive, gradient_descent_path, equivalent_l2, expected_excess_risk, stopped_fit_in_torch),
    written=(Written("stop_or_decay", points=2, minutes=8),),
)
