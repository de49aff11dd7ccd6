"""Judges of a trained model by what it predicts: on a stated scale of accuracy, and row by row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from class4lib.cases import Case, Failure, Record, Sheet
from class4lib.comparing import as_numbers
from class4lib.judging import changed_inputs, judge_as, raised

SHAPE = "predict returns one integer label per row of x: the index of the row's largest score."


def _labels(value: Any, n: int, step: int) -> ndarray | Failure:
    """The labels that predict returned, or why they are none."""
    labels = as_numbers(value)
    if value is None:
        return Failure("missing", "predict returned None where labels are expected", step)
    if labels is None or labels.dtype.kind not in "biuf":
        return Failure("type", "predict must return labels, one integer a row", step, advice=SHAPE)
    if labels.shape != (n,):
        text = f"predict returned an array of shape {labels.shape}, expected ({n},), one label a row"
        return Failure("shape", text, step, advice=SHAPE)
    if not np.isfinite(labels).all() or (labels != np.round(labels)).any():
        return Failure(
            "labels", "predict returned numbers that are no integers: labels are expected", step, advice=SHAPE
        )
    return labels


def _ended(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    failure = raised(case, records, sheet)
    if failure and records and records[-1].get("error") == "BudgetSpent":
        text = f"the budget ran out before train returned: {records[-1].get('message', '')}"
        return Failure("budget", text, len(records) - 1, advice=BUDGET)
    return failure


BUDGET = "Count what an epoch costs: a row of x multiplied by the first weights in the forward, once more in their gradient, and every look at x_val. Stop by a rule, or keep the best model so far and return it."
ADVICE = {
    "chance": "The network does no better than guessing. Is what predict computes with what train has learnt, prepared in the same way?",
    "one class": "Every row gets the same label. Look at the scores of a few rows: are they all equal, or NaN?",
    "plain": "This is what a plain network of equal size reaches: it has learnt the wrong labels by heart. What of this course keeps a network from that?",
    "scale": "It works. What is left to gain lies in the regularisers, in when training stops and which state is kept; choose on x_val.",
}


@judge_as("accuracy_scale")
def accuracy_scale(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """A script of pairs (keep train, call predict): the mean accuracy earns nothing up to `low`, everything from `high` on, straight between.

    Options: labels, the right labels for each predict step, in order; low; high; within. Where the reference's own predictions are at hand, full
    is never more than it reaches on the same data less `within`: an unlucky draw of data costs nobody anything.
    """
    failure = _ended(case, records, sheet)
    if failure:
        return failure
    truth: list[Any] = list(case.options["labels"])
    scores: list[float] = []
    theirs: list[float] = []
    for i, (step, record) in enumerate(zip(case.script, records, strict=True)):
        if step.target != "predict":
            continue
        right = np.asarray(truth[len(scores)])
        labels = _labels(record["value"], len(right), i)
        if isinstance(labels, Failure):
            return labels
        if (labels == labels[0]).all():
            return Failure(
                "one class",
                f"predict gives every row the label {labels[0]:g}",
                i,
                advice=ADVICE["one class"],
                share=0.0,
            )
        scores.append(float((labels == right).mean()))
        expected = case.expected[i].get("value") if i < len(case.expected) else None
        theirs.append(1.0 if expected is None else float((np.asarray(expected) == right).mean()))
    accuracy, low = float(np.mean(scores)), case.options["low"]
    high = min(case.options["high"], float(np.mean(theirs)) - case.options.get("within", 0.0))
    if accuracy >= high:
        return changed_inputs(case, records, sheet)
    code = "chance" if accuracy < 2 / len(np.unique(truth[0])) else "plain" if accuracy <= low else "scale"
    text = f"the accuracy on test data is {accuracy:.3f}; the scale begins at {low:g} and is full from {high:.3g} on"
    share = float(np.clip((accuracy - low) / (high - low), 0.0, 1.0))
    return changed_inputs(case, records, sheet) or Failure(
        code, text, len(records) - 1, advice=ADVICE[code], share=share
    )


@judge_as("predictions_by_row")
def predictions_by_row(case: Case, records: Sequence[Record], sheet: Sheet) -> Failure | None:
    """A script (keep train, call predict, call predict, …): a row's label is the same each time, whatever rows stand beside it.

    Options: rows, for each predict step the indices of its rows among those of the first; labels, the right ones of the first; least, the
    accuracy below which the labels are not what train has learnt.
    """
    failure = _ended(case, records, sheet)
    if failure:
        return failure
    steps = [i for i, s in enumerate(case.script) if s.target == "predict"]
    first: ndarray | None = None
    for i, rows in zip(steps, case.options["rows"], strict=True):
        rows = np.asarray(rows)
        labels = _labels(records[i]["value"], len(rows), i)
        if isinstance(labels, Failure):
            return labels
        if first is None:
            first = labels
            continue
        differ = int((labels != first[rows]).sum())
        if differ and len(rows) == len(first) and (rows == np.arange(len(rows))).all():
            text = (
                f"two calls with the same model and the same x give different labels for {differ} of {len(rows)} rows"
            )
            return Failure(
                "random",
                text,
                i,
                advice="Predictions are not drawn: which part of the network is random, and is it switched off here?",
            )
        if differ:
            text = f"{differ} of {len(rows)} rows get another label when other rows stand beside them"
            return Failure(
                "neighbours",
                text,
                i,
                advice="Which number in predict is computed from the batch at hand, where one from training belongs?",
            )
    assert first is not None
    accuracy = float((first == np.asarray(case.options["labels"])).mean())
    if accuracy < case.options["least"]:
        text = f"the labels agree with the right ones in {accuracy:.0%} of the rows, fewer than any trained network has"
        return Failure(
            "not learnt",
            text,
            steps[0],
            advice="Does predict prepare x as train did, and does it take the largest score?",
        )
    return changed_inputs(case, records, sheet)
