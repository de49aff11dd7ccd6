"""Judges of searches: what was asked of the scripted evaluator counts as much as what came back.

What the right search asks and returns stands in the case's options, `log` and `value`. A failure's code is a fingerprint of what the search did: the rounds it ran, whom it kept, what it returned. Two searches that do the same
are the same mistake, however they are written.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import isfinite, isnan
from typing import Any

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import as_numbers, kind_of
from class4lib.judging import changed_inputs, judge_as, raised
from class4lib.values import same

DIVERGED = "the run diverged"  # what the evaluator's exceptions say
ESCAPES = "One configuration whose training fails must not end the whole search: the call of evaluate needs a try, and the failure is a result like any other. Catch Exception and not one kind of it: what a run may raise is not known."


@judge_as("random_search")
def random_search(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """(sample, evaluate, n_trials): as many draws from rng as trials, one evaluation each in that order, then best and trials."""
    failure = _ended(case, records, sheet)
    if failure:
        return failure
    wanted, log, value = case.options, records[0]["log"], records[0]["value"]
    failure = _trials(wanted["log"], log)
    if failure:
        return failure
    if value is None:
        return Failure("missing", "the result is None: is a `return` missing?")
    parts = _parts(value)
    if parts is None or len(parts) != 2:
        return Failure(
            "not two results",
            f"the result must be 2 results (best configuration, trials), got {kind_of(value)}",
            advice="End with `return best, trials`: the configuration, then the list of pairs.",
        )
    failure = _best_and_trials(parts[0], parts[1], *wanted["value"])
    return failure or changed_inputs(case, records, sheet)


def _trials(wanted: Sequence[Any], log: Sequence[Any]) -> Failure | None:
    """What was drawn and evaluated, against what should have been."""
    draws, theirs = ([e[1] for e in entries if e[0] == "sample"] for entries in (wanted, log))
    evaluated = [e[1] for e in log if e[0] == "evaluate"]
    if len(theirs) != len(draws):
        return Failure(
            f"{len(theirs)} draws",
            f"sample was called {_times(len(theirs))}, expected {_times(len(draws))}",
            advice="Every trial draws a configuration of its own, and there are n_trials of them: count how often sample is called.",
        )
    if theirs != draws:
        return Failure(
            "other random numbers",
            "sample drew other configurations than the generator that was given yields",
            advice="Give sample the rng that you were given, the very object, and take nothing else from it: a generator of your own makes the search another one.",
        )
    order = [d["name"] for d in draws]
    if evaluated == order:
        return None
    code = f"evaluates {' '.join(evaluated)}"
    twice = [name for name, times in Counter(evaluated).items() if times > 1]
    if twice:
        return Failure(
            code,
            f"configuration {twice[0]!r} was evaluated {_times(evaluated.count(twice[0]))}: each trial is trained once",
            advice="An evaluation is a whole training run: call evaluate once per trial and keep its answer in a variable.",
        )
    if set(evaluated) != set(order):
        left = next(iter(set(order) - set(evaluated)), "?")
        return Failure(
            code,
            f"{len(evaluated)} of {len(order)} configurations were evaluated: {left!r}, which was drawn, was not",
            advice="Some configurations were drawn and never evaluated. Does the loop end early, or pass over some?",
        )
    return Failure(
        code,
        f"the trials were evaluated in the order {', '.join(evaluated)}, and drawn in the order {', '.join(order)}",
        advice="Evaluate the trials in the order in which they were drawn.",
    )


def _best_and_trials(best: Any, trials: Any, right: Any, wanted: Sequence[Any]) -> Failure | None:
    pairs = [_parts(t) for t in _parts(trials) or []]
    if _parts(trials) is None or any(p is None or len(p) != 2 for p in pairs):
        return Failure(
            "no list" if _parts(trials) is None else "no pairs",
            f"trials must be a list of pairs (configuration, loss), got {kind_of(trials)}",
            advice="The second result is a list with one pair (configuration, loss) for every trial.",
        )
    got = [(p[0], _number(p[1])) for p in pairs if p is not None]
    mark = f"trials {_outline(got)}"
    named = [_name(c) for c, _ in got]
    if len(got) != len(wanted):
        return Failure(
            mark,
            f"trials holds {len(got)} entries, expected {len(wanted)}: one for every trial, also for one that failed",
            advice="The list of trials is the record of the search: every trial stands in it, whatever came out.",
        )
    if not all(_is(c, right) for (c, _), (right, _) in zip(got, wanted, strict=True)):
        if named == [_name(c) for c, _ in wanted]:
            return Failure(
                f"{mark} changed",
                "a configuration in trials is not as it was drawn",
                advice="A trial holds the configuration as sample gave it: add nothing to it and change nothing in it.",
            )
        text = "trials must hold the configurations in the order in which they were drawn"
        if sorted(named) == sorted(_name(c) for c, _ in wanted):
            return Failure(
                mark,
                text + f", got the order {', '.join(named)}",
                advice="Keep the trials in the order in which they were drawn; look for the best without sorting the list that you return.",
            )
        return Failure(
            mark, text, advice="Each trial is a pair: the configuration as it was drawn, and its loss, in this order."
        )
    for (config, loss), (_, expected) in zip(got, wanted, strict=True):
        if loss is None or not (
            loss == expected or (isfinite(expected) and abs(loss - expected) <= 1e-12 * abs(expected))
        ):
            return Failure(
                mark,
                f"the loss of {_name(config)!r} is recorded as {loss}, expected {expected}",
                advice="Compare the recorded losses with the docstring: what is recorded for an exception, for NaN, and for -inf?",
            )
    if _is(best, right):
        return None
    return Failure(
        f"best {_outline(best)}",
        f"the best configuration is {_outline(best)}, expected {_outline(right)}",
        advice="The best is the CONFIGURATION with the lowest finite loss. Write the losses of the small case in a row and mark the ones that may win at all; then say which of equal ones does.",
    )


@judge_as("successive_halving")
def successive_halving(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """(configs, evaluate, min_budget, eta): the rounds, by how many with which budget and by whom; then who is left, and what was spent."""
    failure = _ended(case, records, sheet)
    if failure:
        return failure
    wanted, value = case.options, records[0]["value"]
    if value is None:
        return Failure("missing", "the result is None: is a `return` missing?")
    if any(e[0] == "evaluate" and len(e) < 3 for e in records[0]["log"]):
        return Failure(
            "no budget",
            "evaluate was called without a budget",
            advice="evaluate takes two arguments here: the configuration, and the budget of the round.",
        )
    rounds, theirs = _rounds(wanted["log"]), _rounds(records[0]["log"])
    failure = _schedule(rounds, theirs) or _survivors(rounds, theirs)
    if failure:
        return failure
    parts = _parts(value)
    if parts is None or len(parts) != 2:
        return Failure("type", f"the result must be 2 results (configuration, budget spent), got {kind_of(value)}")
    left, spent = wanted["value"]
    if not _is(parts[0], left):
        return Failure(
            f"left {_outline(parts[0])}",
            f"the configuration that is left is {_outline(parts[0])}, expected {_outline(left)}",
            advice="The rounds are right; what is returned is not the one that is left after the last of them. Return the configuration itself, neither its loss nor its place.",
        )
    if _number(parts[1]) != spent:
        return Failure(
            f"spent {_outline(parts[1])}",
            f"the budget spent is {_outline(parts[1])}, but evaluate was given {spent} in all",
            advice="Add up what evaluate was given, call by call: in a round of three with a budget of 2 each that is 6, whatever came out.",
        )
    return changed_inputs(case, records, sheet)


Rounds = list[tuple[float, list[str]]]


def _rounds(log: Sequence[Any]) -> Rounds:
    """Budget, and the configurations that were given it, round by round."""
    calls = [(e[2] if len(e) > 2 else 0.0, e[1]) for e in log]
    return [(budget, sorted(name for _, name in group)) for budget, group in groupby(calls, key=lambda c: c[0])]


def _schedule(rounds: Rounds, theirs: Rounds) -> Failure | None:
    plan, made = ([(len(names), budget) for budget, names in r] for r in (rounds, theirs))
    if made == plan:
        return None
    told = ", then ".join(f"{n} with budget {b:g}" for n, b in made[:6]) or "nobody"
    text = f"evaluated: {told}; expected: {', then '.join(f'{n} with budget {b:g}' for n, b in plan) or 'nobody, one configuration needs no race'}"
    advice = "Write the rounds of the small case down: how many take part, what each gets, how many are kept."
    if [n for n, _ in made] == [n for n, _ in plan]:
        advice = "The numbers of configurations are right, the budgets are not: what does the first round give, and what becomes of the budget from one round to the next?"
    elif made[:-1] == plan and made[-1][0] == 1:
        advice = (
            "When one is left the search is over: the last one has nobody to be compared with and is not trained again."
        )
    elif [b for _, b in made][: len(plan)] == [b for _, b in plan][: len(made)]:
        advice = "The budgets are right, the numbers of configurations are not: divide by eta, and mind what happens to the remainder."
    return Failure(f"rounds {made[:12]}", text, advice=advice)


def _survivors(rounds: Rounds, theirs: Rounds) -> Failure | None:
    for i, ((budget, names), (_, made)) in enumerate(zip(rounds, theirs, strict=True)):
        if names == made:
            continue
        if i == 0:
            return Failure(
                "first round",
                f"the first round evaluated {', '.join(made)}, expected every configuration once",
                advice="In the first round every configuration takes part, exactly once.",
            )
        lost, kept = sorted(set(names) - set(made)), sorted(set(made) - set(names))
        if not lost:
            return Failure(
                f"keeps {made}",
                f"with budget {budget:g} some configuration was evaluated twice: {', '.join(made)}",
                advice="Each survivor is evaluated once a round: keep its loss in a variable.",
            )
        return Failure(
            f"keeps {i} {' '.join(made)}",
            f"after round {i} {', '.join(kept) or 'nobody'} went on where {', '.join(lost)} should have: budget {budget:g} was given to {', '.join(made)}",
            advice="Rank by the losses of THIS round, lowest first. Which of two equal ones comes earlier in configs? And where do an exception, NaN, inf and -inf stand?",
        )
    return None


def _ended(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """An exception, of the evaluator's or another."""
    if records and DIVERGED in str(records[0].get("message", "")):
        return Failure(
            f"{records[0]['error']} escapes",
            f"{sheet.name} raised what evaluate raised: {records[0]['error']}",
            advice=ESCAPES,
        )
    return raised(case, records, sheet)


def _parts(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, list | tuple) else None


def _number(value: Any) -> float | None:
    array = as_numbers(value)
    return float(array) if array is not None and array.ndim == 0 and array.dtype.kind != "c" else None


def _is(config: Any, right: Any) -> bool:
    """The same configuration; a whole number may be NumPy's."""
    number = _number(right)
    return same(config, right) if number is None else _number(config) == number


def _name(config: Any) -> str:
    return str(config.get("name")) if isinstance(config, dict) else str(config)


def _outline(value: Any) -> str:
    """A result as a word: the name of a configuration, a number, or what it is made of."""
    if isinstance(value, dict):
        return repr(_name(value))
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_outline(v) for v in value) + ")"
    number = _number(value)
    return repr(value) if number is None else f"{number:g}" if not isnan(number) else "nan"


def _times(n: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n} times")
