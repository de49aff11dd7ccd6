"""Exercises of binary_cross_entropy: Bernoulli likelihood, its logarithm, the loss on probabilities and on logits, their gradients."""
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tier, Topic, Written, case, edge, values_and_edge
from class4lib import binary_cross_entropy as lib

EPSILONS = (1e-12, 1e-15, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-16)
MORE_EPSILONS = (1e-3, 1e-4, 1e-11, 1e-13, 1e-5, float(np.finfo(float).eps))
TINY = (1e-20, 1e-100, 1e-300, float(np.finfo(float).tiny))


def _mistake(name: str, advice: str, wrong: Callable, *variants: Callable) -> Misconception:
    return Misconception(name, wrong, advice, variants)


def _three_tiers(values: float, soft: float, edge: float) -> tuple[Tier, ...]:
    """Labels, soft targets, edge cases: choosing a term by the label is half right, and still earns the edge cases."""
    return Tier("values", "labels 0 and 1", values), Tier("soft", "soft targets", soft, needs=("values",)), Tier("edge", "edge cases", edge, needs=("values",))


def _sizes(rng: Generator) -> tuple[int, int]:
    """Two batch sizes, different, so that a lost 1/N is not taken for a constant factor."""
    n, m = rng.permutation([3, 4, 5])[:2]
    return int(n), int(m)


def _labels(rng: Generator, n: int) -> np.ndarray:
    """Labels 0.0 and 1.0, both present."""
    return rng.permutation(np.concatenate([[0.0, 1.0], rng.integers(2, size=n - 2)]))


def _probs(rng: Generator, n: int) -> np.ndarray:
    return rng.uniform(0.05, 0.95, size=n)


def _logits(rng: Generator, n: int) -> np.ndarray:
    """Logits of both signs, two of them smaller than 1 in size."""
    near = [float(rng.uniform(0.2, 0.8)), -float(rng.uniform(0.2, 0.8))]
    return rng.permutation(np.concatenate([near, rng.normal(scale=2.5, size=n - 2)]))


def _reduced(losses: np.ndarray, reduction: str, rule: str = "right") -> object:
    """losses reduced as asked, or by a wrong rule: "mean", "sum" or "none" whatever is asked, "all" for "none" too, "lost" and "twice" for 1/N."""
    reduction = rule if rule in ("mean", "sum", "none") else "sum" if (rule, reduction) == ("all", "none") else reduction
    if reduction == "none":
        return losses
    return losses.sum() / ({"lost": 1, "twice": len(losses) ** 2}.get(rule, len(losses)) if reduction == "mean" else 1)


def _reduced_gradient(gradient: np.ndarray, reduction: str, rule: str = "right") -> object:
    """The gradient for a reduction, or by a wrong rule: 1/N "lost", "always" or "twice", "one" number for the batch, "reduced" as the loss is."""
    n = len(gradient)
    if rule == "reduced":
        return _reduced(gradient, reduction)
    if rule == "one":
        return gradient.sum() / (n if reduction == "mean" else 1)
    return gradient / ({"lost": 1, "twice": n * n}.get(rule, n) if reduction == "mean" or rule == "always" else 1)


# ---- bernoulli_likelihood
def _likelihood_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    return [
        case("labels 0 and 1", _probs(rng, n), _labels(rng, n)),
        case("labels that are integers", _probs(rng, m), _labels(rng, m).astype(int)),
        case("every label 0", _probs(rng, n), np.zeros(n)),
        edge("p exactly 0 and exactly 1", np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])),
        edge("N = 1", _probs(rng, 1), np.zeros(1)),
    ]


bernoulli_likelihood = Exercise(
    reference=lib.bernoulli_likelihood,
    tiers=values_and_edge(0.5, 0.5),
    cases=_likelihood_cases,
    traps=("N = 1",),
    misconceptions=(
        Misconception("classes swapped", lambda p, y: y * (1 - p) + (1 - y) * p, "p is the probability of label 1. Put y = 1 into your line: does p come out?"),
        Misconception("always the probability of label 1", lambda p, y: p + 0 * y, "You return p for every example. That is the probability of a 1; where a 0 was observed, how probable was the 0?"),
        Misconception("label 0 has probability 1", lambda p, y: p**y, "Where the label is 0 you return 1, whatever p says. The factor for label 0 is missing."),
        Misconception("label 0 has probability 0", lambda p, y: y * p, "Where the label is 0 you return 0, whatever p says. The part for label 0 is missing."),
        Misconception("both exponents y", lambda p, y: p**y * (1 - p) ** y, "Where the label is 0 both powers are 1. The two factors must take turns: one exponent is 1 exactly where the other is 0."),
        Misconception("minus between the parts", lambda p, y: y * p - (1 - y) * (1 - p), "Where the label is 0 you return a negative number. A probability never is: the two parts are switched on in turn, not subtracted."),
        Misconception("two powers added", lambda p, y: p**y + (1 - p) ** (1 - y), "One of the two powers is always 1 (a power with exponent 0), so your sum is 1 too large. How must two factors be joined so that a 1 changes nothing?"),
        Misconception("product over the batch", lambda p, y: np.prod(y * p + (1 - y) * (1 - p)), "You multiply the examples together. Here each keeps its own probability: the result has the shape of p."),
        Misconception("logarithm taken", lambda p, y: np.log(y * p + (1 - y) * (1 - p)), "These are logarithms of probabilities. The logarithm is the next exercise; here the probability itself is asked."),
        Misconception("decision instead of a probability", lambda p, y: ((p > 0.5) == (y == 1)).astype(float), "You return whether the guess is right. How PROBABLE was the observed label, if p is believed?"),
    ),
    hints=(
        "Two cases, one line: what must come out for y = 1, and what for y = 0?",
        "Either two terms of which y switches one off, or two powers of which y makes one equal to 1.",
        "y * p + (1 - y) * (1 - p), or with powers p**y * (1 - p)**(1 - y).",
    ),
    minutes=3,
    difficulty=1,
)


# ---- bernoulli_log_likelihood
def _ends(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """p exactly 0 and 1 under both labels, in a random order."""
    order = rng.permutation(4)
    return np.array([0.0, 1.0, 0.0, 1.0])[order], np.array([0.0, 1.0, 1.0, 0.0])[order]


def _log_likelihood_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    return [
        case("labels 0 and 1", _probs(rng, n), _labels(rng, n)),
        case("labels that are integers", _probs(rng, m), _labels(rng, m).astype(int)),
        edge("sure and right: 0 · log 0 counts as 0", np.array([1.0, 0.0, 0.25]), np.array([1.0, 0.0, 1.0])),
        edge("sure and wrong: −inf, no epsilon, no clip", *_ends(rng)),
        edge("p = 1e-9 and 1e-200 under label 1: never clipped", np.array([1e-9, 1e-200, float(rng.uniform(0.2, 0.8))]), np.array([1, 1, 0])),
        edge("N = 1", _probs(rng, 1), np.zeros(1)),
    ]


def _log_likelihood(p, y, log=np.log, guard=True, first=1.0, second=1.0):
    log_p = log(np.where((y == 0) & guard, 1.0, p))
    log_q = log(np.where((y == 1) & guard, 1.0, 1.0 - p))
    return (first * y * log_p if first else 0.0) + (second * (1.0 - y) * log_q if second else 0.0)


def _added(p, y, e):
    return y * np.log(p + e) + (1 - y) * np.log(1 - p + e)


def _clipped(p, y, e):
    q = np.clip(p, e, 1 - e)
    return y * np.log(q) + (1 - y) * np.log(1 - q)


def _floored(p, y, e):
    return y * np.log(np.maximum(p, e)) + (1 - y) * np.log(np.maximum(1 - p, e))


CAPPED = (*((f, e) for e in EPSILONS for f in (_added, _clipped, _floored)), *((f, e) for e in MORE_EPSILONS for f in (_added, _clipped)), *((_floored, e) for e in TINY))  # ways to put a floor under p


def _cut(p, y):
    """PyTorch's logarithms, cut at -100."""
    return _log_likelihood(p, y, log=lambda v: np.maximum(np.log(v), -100.0))


def _without_infinity(value: float):
    return lambda p, y: np.nan_to_num(_log_likelihood(p, y, guard=False), nan=0.0, neginf=value)


def _both(change=lambda v: v, of_y=lambda y: y, **options):
    """A wrong log-likelihood with and without care for 0 log 0: the one mistake is named where the other is made too."""
    return tuple(lambda p, y, g=g: change(_log_likelihood(p, of_y(y), guard=g, **options)) for g in (True, False))


def _of_one_log(p, y):
    return y * np.log(p) + (1 - y) * np.log(p)


LIKELIEST = tuple((f, e) for e in (1e-12, 1e-15, 1e-7) for f in (_added, _clipped))

bernoulli_log_likelihood = Exercise(
    reference=lib.bernoulli_log_likelihood,
    tiers=values_and_edge(1, 1),
    cases=_log_likelihood_cases,
    traps=("N = 1", "sure and wrong: −inf, no epsilon, no clip", "p = 1e-9 and 1e-200 under label 1: never clipped"),
    misconceptions=(
        _mistake("0 log 0 is nan", "NumPy makes nan of 0 · log 0. The term that the label switches off must add 0 whatever its logarithm is: let the logarithm see a harmless number there, or never take it.", lambda p, y: _log_likelihood(p, y, guard=False)),
        _mistake("epsilon in the logarithm", "A small number added to p, or a clip, puts a floor under the result: at p = 1e-200 it should be -460.5, and at p = 0 it IS -inf. Only the term that the label switches off needs care.", *(lambda p, y, f=f, e=e: f(p, y, e) for f, e in CAPPED)),
        _mistake("logarithm cut at −100", "You stop the logarithm at -100, as PyTorch's loss does. Here nothing is cut: a label that was called impossible has the logarithm of 0, which is -inf.", _cut),
        _mistake("infinity replaced", "What is not finite is replaced by a number (by nan_to_num, or by asking whether p is 0). The nan of 0 · log 0 should go, but -inf is right where a sure prediction is wrong. Ask the LABEL which logarithm is not wanted.", *map(_without_infinity, (-np.finfo(float).max, 0.0, -1e10, -100.0))),
        _mistake("minus too many", "Logarithms of probabilities are never positive, yours are. The minus belongs to the loss, which comes next.", *_both(lambda v: -v), *(lambda p, y, f=f, e=e: -f(p, y, e) for f, e in LIKELIEST)),
        _mistake("label 0 forgotten", "Examples with label 0 give 0: the term for them is missing.", *_both(second=0.0)),
        _mistake("classes swapped", "p is the probability of label 1. Put y = 1 into your line: does log p come out?", *_both(of_y=lambda y: 1 - y)),
        _mistake("wrong sign between the terms", "Examples with label 0 come out positive: how are the logarithms of two factors of a product joined?", *_both(second=-1.0)),
        _mistake("log p for every label", "You take log p also where a 0 was observed. How probable was the 0?", lambda p, y: np.log(p) + 0 * y, _of_one_log),
        _mistake("terms multiplied", "The two terms are multiplied, and one of them is always 0. The logarithm turns the product of the two powers into a sum.", lambda p, y: y * np.log(p) * (1 - y) * np.log(1 - p)),
        _mistake("logarithm to base 2", "Your result is in bits. The course uses nats: the natural logarithm.", *_both(log=np.log2)),
        _mistake("logarithm to base 10", "This is the logarithm to base 10. The course uses nats: the natural logarithm.", *_both(log=np.log10)),
        _mistake("summed over the batch", "You return one number for the batch. Here each example keeps its own: the result has the shape of p.", *_both(np.sum), *_both(np.mean)),
        _mistake("likelihood without its logarithm", "These are the likelihoods themselves; their logarithms are asked.", lambda p, y: y * p + (1 - y) * (1 - p)),
    ),
    hints=(
        "The logarithm turns a product into a sum and an exponent into a factor. Then look at p = 0 with y = 0.",
        "y log p + (1 − y) log(1 − p). Where a factor y or 1 − y is 0, its logarithm may be log 0, and 0 · (−inf) is nan: give log a 1 there.",
        "y * np.log(np.where(y == 0, 1.0, p)) + (1 - y) * np.log(np.where(y == 1, 1.0, 1 - p)).",
    ),
    minutes=6,
    difficulty=2,
)


# ---- binary_cross_entropy
def _bce_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    p, y, q, soft = _probs(rng, n), _labels(rng, n), _probs(rng, m), rng.uniform(0.1, 0.9, size=m)
    return [
        case("labels, mean", p, y),
        case("labels, sum", p, y, "sum"),
        case("labels, none", p, y, "none"),
        case("labels that are integers, mean", q, _labels(rng, m).astype(int)),
        case("soft targets, mean", q, soft, tier="soft"),
        case("soft targets, none", q, soft, "none", tier="soft"),
        edge("sure and right: 0 · log 0 counts as 0", np.array([1.0, 0.0, 0.25]), np.array([1.0, 0.0, 1.0]), "none"),
        edge("sure and wrong: inf, no epsilon, no clip", *_ends(rng), "none"),
        edge("one sure and wrong prediction: the mean is inf", np.array([0.5, 0.0]), np.array([1.0, 1.0])),
        edge("p = 1e-9 and 1e-200 under label 1: never clipped", np.array([1e-9, 1e-200]), np.array([1.0, 1.0]), "none"),
        edge("N = 1", _probs(rng, 1), np.zeros(1)),
    ]


def _bce(per_example, rule="right"):
    def wrong(p, y, reduction="mean"):
        return _reduced(per_example(p, y), reduction, rule)

    return wrong


def _minus(function, *more, rule="right"):
    return _bce(lambda p, y: -function(p, y, *more), rule)


def _by_label(p, y):
    """A log-likelihood that chooses a term, right for labels."""
    return _log_likelihood(p, np.where(y == 1, 1.0, 0.0))


def _labels_only(p, y):
    """A log-likelihood that knows labels only, as the library's."""
    return np.where((y == 0) | (y == 1), _log_likelihood(p, y), np.nan)


def _losses(change=lambda v: -v, rule="right", **options):
    """A wrong loss with and without care for 0 log 0."""
    return tuple(_bce(f, rule) for f in _both(change, **options))


binary_cross_entropy = Exercise(
    reference=lib.binary_cross_entropy,
    tiers=_three_tiers(1.5, 0.5, 1),
    cases=_bce_cases,
    traps=("sure and wrong: inf, no epsilon, no clip", "p = 1e-9 and 1e-200 under label 1: never clipped", "N = 1"),
    equivalent_mutants=tuple((change, "only the logarithm of a term of weight 0 changes, and 0 times it is 0") for change in ("1.0 → 2.0", "1.0 → 1.01", "0.0 → 0.01")),
    misconceptions=(
        _mistake("minus forgotten", "A good prediction should cost little and a bad one much, and no loss here can be negative: the sign is missing.", *_losses(lambda v: v), *(_bce(lambda p, y, f=f, e=e: f(p, y, e)) for f, e in LIKELIEST), _bce(_by_label), _bce(_labels_only)),
        _mistake("0 log 0 is nan", "NumPy makes nan of 0 · log 0. A term of weight 0 must add 0 whatever its logarithm is: let the logarithm see a harmless number there.", _losses()[1]),
        _mistake("epsilon in the logarithm", "A small number added to p, or a clip, changes the loss: at p = 1e-200 under label 1 it should be 460.5, at p = 0 it is inf, and yours stops long before. Only terms of weight 0 need care.", *(_minus(f, e) for f, e in CAPPED)),
        _mistake("logarithm cut at −100", "You stop the logarithm at -100, as PyTorch does, so that no loss exceeds 100. Here nothing is cut: p = 0 under label 1 costs inf.", _minus(_cut)),
        _mistake("infinity replaced", "What is not finite is replaced by a number (by nan_to_num, or by asking whether p is 0). The nan of 0 · log 0 should go, but inf is right where a sure prediction is wrong. Ask the TARGET which logarithm is not wanted.", *(_minus(_without_infinity(v)) for v in (-np.finfo(float).max, 0.0, -1e10, -100.0))),
        _mistake("soft targets taken for labels", "You choose one of the two terms by the label. A target may be any share between 0 and 1, say 0.3: then both terms count, each with its weight.", *_losses(of_y=lambda y: np.where(y == 1, 1.0, 0.0)), _losses(of_y=lambda y: np.where(y > 0.5, 1.0, 0.0))[0], _losses(of_y=lambda y: np.where(y == 0, 0.0, 1.0))[0], _minus(_labels_only)),
        _mistake("logarithm of a mixture", "You mix the two probabilities first and take the logarithm then. For labels 0 and 1 nothing is mixed; for a target between them each outcome's LOGARITHM is weighted.", _bce(lambda p, y: -np.log(y * p + (1 - y) * (1 - p)))),
        _mistake("reduction ignored", 'The result is the same whatever reduction says: "none" gives one value per example, "sum" their sum, "mean" the sum divided by N.', *_losses(rule="mean"), *_losses(rule="sum"), _losses(rule="none")[1]),
        _mistake('"none" reduced', '"none" asks for the losses themselves, one per example: nothing is summed there.', *_losses(rule="all")),
        _mistake("mean not divided by N", '"mean" gives the sum here: divide by the number of examples.', *_losses(rule="lost")),
        _mistake("1/N twice", '"mean" divides by N once. Yours has it twice: np.mean has divided already.', *_losses(rule="twice")),
        _mistake("label 0 forgotten", "Examples with label 0 cost nothing here, so a net that always says 1 would be perfect: the term for them is missing.", *_losses(second=0.0)),
        _mistake("classes swapped", "p is the probability of label 1. With y = 1 a p near 1 should cost nearly nothing; yours costs most there.", *_losses(of_y=lambda y: 1 - y)),
        _mistake("wrong sign between the terms", "Examples with label 0 come out negative: the minus stands before the whole bracket.", *_losses(second=-1.0)),
        _mistake("log p for every label", "You charge -log p also where a 0 was observed. How probable was the 0?", _bce(lambda p, y: -np.log(p) + 0 * y), _minus(_of_one_log)),
        _mistake("logarithm to base 2", "Your result is in bits. The course uses nats: the natural logarithm.", *_losses(log=np.log2)),
        _mistake("squared error", "This is the squared error, the negative log-likelihood of a Gaussian. A label is a coin: take the Bernoulli one.", _bce(lambda p, y: 0.5 * (p - y) ** 2), _bce(lambda p, y: (p - y) ** 2)),
    ),
    hints=(
        "Minus the log-likelihood of each example, with both terms weighted, since y may be a share; then the reduction.",
        "−[y log p + (1 − y) log(1 − p)], the logarithms fed with 1 where their weight is 0; y may lie between 0 and 1.",
        "log_p = np.log(np.where(y == 0, 1.0, p)); log_q = np.log(np.where(y == 1, 1.0, 1 - p)); losses = -(y * log_p + (1 - y) * log_q); for the mean losses.sum() / len(p).",
    ),
    minutes=7,
    difficulty=2,
)


# ---- binary_cross_entropy_grad
def _bce_grad_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    p, y, q, soft = _probs(rng, n), _labels(rng, n), _probs(rng, m), rng.uniform(0.1, 0.9, size=m)
    tiny = float(rng.uniform(1, 9))
    return [
        case("labels, mean", p, y),
        case("labels, sum", p, y, "sum"),
        case("labels, none: gradient of the sum", p, y, "none"),
        case("labels that are integers, mean", q, _labels(rng, m).astype(int)),
        case("soft targets, mean", q, soft),
        edge("p = y: the loss is least, its slope 0", soft, soft, "sum"),
        edge("p near 1e-9 under label 1: never clipped", np.array([tiny * 1e-9, 1e-9]), np.array([1.0, 1.0])),
        edge("p near 1e-200 under label 1", np.array([tiny * 1e-200]), np.array([1.0])),
        edge("N = 1", _probs(rng, 1), np.zeros(1)),
    ]


def _bce_grad(form=lambda p, y: (p - y) / (p * (1 - p)), rule="right"):
    def wrong(p, y, reduction="mean"):
        return _reduced_gradient(form(p, y), reduction, rule)

    return wrong


def _safe_grad(e: float):
    """The gradient with an epsilon in the denominator, with an epsilon in each, of a clipped p, each in one way."""
    added = _bce_grad(lambda p, y: (p - y) / (p * (1 - p) + e))
    each = _bce_grad(lambda p, y: -y / (p + e) + (1 - y) / (1 - p + e))
    clipped = _bce_grad(lambda p, y: (np.clip(p, e, 1 - e) - y) / (np.clip(p, e, 1 - e) * (1 - np.clip(p, e, 1 - e))))
    return added, each, clipped


binary_cross_entropy_grad = Exercise(
    reference=lib.binary_cross_entropy_grad,
    tiers=values_and_edge(2, 1),
    cases=_bce_grad_cases,
    traps=("N = 1", "p near 1e-9 under label 1: never clipped"),
    misconceptions=(
        _mistake("gradient in the logits", "This famous difference is the gradient in the LOGITS, which come later. Here the loss is differentiated in p itself; what does the derivative of a logarithm leave behind?", *(_bce_grad(lambda p, y: p - y, rule) for rule in ("right", "lost", "always"))),
        _mistake("sign", "This is the direction in which the loss FALLS. Under label 1 a larger p lowers the loss, so the gradient there is negative.", *(_bce_grad(lambda p, y: (y - p) / (p * (1 - p)), rule) for rule in ("right", "lost", "always"))),
        _mistake("brackets round the denominator", "Python reads a / b * c as (a / b) * c, so part of your denominator multiplies. Put the whole denominator in brackets.", *(_bce_grad(lambda p, y: (p - y) / p * (1 - p), rule) for rule in ("right", "lost", "always"))),
        _mistake("targets without their weights", "Both terms count in full whatever the target is. Keep the weights y and 1 - y when you differentiate: they are constants.", _bce_grad(lambda p, y: -1 / p + 1 / (1 - p) + 0 * y)),
        Misconception("inner derivative of 1 − p", _bce_grad(lambda p, y: -y / p - (1 - y) / (1 - p)), "Under label 1 you are right, under label 0 the sign is wrong. log(1 - p) has an inner function: what is the derivative of 1 - p?", (_bce_grad(lambda p, y: y / p + (1 - y) / (1 - p)),)),
        Misconception("label 0 forgotten", _bce_grad(lambda p, y: -y / p), "Where the label is 0 your gradient is 0, and nothing would ever push p down: the second term of the loss has a slope too."),
        Misconception("denominators swapped", _bce_grad(lambda p, y: -y / (1 - p) + (1 - y) / p), "Each logarithm leaves its OWN argument in the denominator: y stands with log p, 1 - y with log(1 - p)."),
        Misconception("multiplied by p(1 − p)", _bce_grad(lambda p, y: (p - y) * p * (1 - p)), "The factor p(1 - p) is on the wrong side of the fraction line. Check at p near 0 under label 1: the slope of -log p is steep there, yours is flat."),
        Misconception("only one denominator", _bce_grad(lambda p, y: (p - y) / p), "Over a common denominator stand BOTH p and 1 - p. Check with y = 0: the slope of -log(1 - p) has no p below the line.", (_bce_grad(lambda p, y: (p - y) / (1 - p)),)),
        Misconception("epsilon in the denominator", _safe_grad(1e-12)[0], "p lies strictly between 0 and 1, so nothing is divided by 0. A small number added (or a clip) changes the slope where it is steepest: at p = 1e-9 under label 1 it is -1e9.", (*_safe_grad(1e-12)[1:], *(f for e in EPSILONS[1:6] for f in _safe_grad(e)))),
        Misconception("1/N forgotten", _bce_grad(rule="lost"), 'The loss is a mean over N examples, so its gradient has 1/N too (not for "sum" and "none").'),
        Misconception("1/N for every reduction", _bce_grad(rule="always"), 'Only the mean has 1/N. For "sum", and for "none", which means the gradient of the sum, nothing is divided by N.'),
        Misconception("1/N twice", _bce_grad(rule="twice"), "The mean divides by N once; yours has 1/N twice."),
        _mistake("one number for the batch", "Each p has a slope of its own: the gradient has the shape of p, also where the loss is a single number.", _bce_grad(rule="one"), _bce_grad(rule="reduced")),
    ),
    hints=(
        "Differentiate the two terms apart: (log p)′ = 1/p, and log(1 − p) has an inner derivative.",
        "dL/dp = −y/p + (1 − y)/(1 − p), times 1/N for the mean. Over one denominator the numerator becomes very short.",
        "(p - y) / (p * (1 - p)), divided by len(p) where reduction is \"mean\".",
    ),
    minutes=10,
    difficulty=2,
)


# ---- sigmoid
def _sigmoid_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        case("logits of both signs", _logits(rng, n)),
        case("two axes", rng.normal(scale=2.0, size=(d, 2))),
        case("a single number, 0-d", np.array(float(rng.uniform(0.5, 3)))),
        edge("|z| = 1000", np.array([-1000.0, -710.0, 0.0, 710.0, 1000.0]) + np.array([0.0, float(rng.uniform(-5, 0)), 0.0, float(rng.uniform(0, 5)), 0.0])),
        edge("far to the left: small, but not 0", -np.array([rng.uniform(21, 24), rng.uniform(28.5, 32)])),
        edge("logits that are integers", rng.permutation([-3, -1, 0, 1, 2])),
        edge("N = 1", rng.normal(size=1) - 1.0),
    ]


def _split_integer(z):
    out = np.zeros_like(z)
    out[...] = 1 / (1 + np.exp(-1.0 * z))
    return out


sigmoid = Exercise(
    reference=lib.sigmoid,
    tiers=values_and_edge(1, 1),
    cases=_sigmoid_cases,
    traps=("|z| = 1000", "N = 1"),
    equivalent_mutants=(("z >= 0 → z > 0", "at z = 0 both numerators are 1"),),
    misconceptions=(
        Misconception("sign of the exponent", lambda z: 1 / (1 + np.exp(z)), "A large logit should mean a probability near 1, yours goes to 0: this is the probability of label 0.", (lambda z: np.exp(-z) / (1 + np.exp(-z)), lambda z: 1 - 1 / (1 + np.exp(-z)))),
        _mistake("overflow: inf/inf", "The exponential overflows above about 709, and inf/inf is nan (nan_to_num makes it 0, where 1 is right). Divide numerator and denominator by the exponential: only one is left, and where it overflows the limit comes out right.", lambda z: np.exp(z) / (1 + np.exp(z)), lambda z: np.nan_to_num(np.exp(z) / (1 + np.exp(z)))),
        Misconception("derivative", lambda z: lib.sigmoid(z) * (1 - lib.sigmoid(z)), "At z = 0 this gives 1/4 where 1/2 is expected: it is the DERIVATIVE of the function that is asked."),
        Misconception("tanh", np.tanh, "tanh runs from -1 to 1. A probability runs from 0 to 1.", (lambda z: 1 / 2 * (1 + np.tanh(z)), lambda z: (1 + np.tanh(2 * z)) / 2)),
        Misconception("softmax over the batch", lambda z: np.exp(z - np.max(z)) / np.exp(z - np.max(z)).sum(), "Your numbers sum to 1 over the batch. Each logit is an experiment of its own: one probability for each, whatever the others are.", (lambda z: np.exp(z) / np.exp(z).sum(),)),
        Misconception("odds, not a probability", lambda z: np.exp(z), "These are the odds p/(1 - p), which grow without limit. Solve for p."),
        _mistake("reciprocal or brackets missing", "A probability is never above 1. Either the last step is missing, or the brackets round the whole denominator: Python divides before it adds.", lambda z: 1 + np.exp(-z), lambda z: np.exp(z) / 1 + np.exp(z)),
        _mistake("sign in the denominator", "At z = 0 you divide by 0, and some results lie outside [0, 1]. Go back to the equation and bring the terms with p to one side: which sign does the second one get?", lambda z: 1 / (1 - np.exp(-z)), lambda z: np.exp(z) / (1 - np.exp(z)), lambda z: np.exp(z) / (np.exp(z) - 1)),
        _mistake("the inverse", "This goes from p to z. The way back is asked: solve the equation for p.", lambda z: np.log(z / (1 - z)), lambda z: np.log(z) - np.log(1 - z)),
        Misconception("clipped", lambda z: 1 / (1 + np.exp(-np.clip(z, -20, 20))), "A clip changes values: far to the left the result is small, but not constant. No clip is needed: where the exponential overflows, its reciprocal is 0, which is right.", (*(lambda z, c=c: 1 / (1 + np.exp(-np.clip(z, -c, c))) for c in (10, 15, 25)), *(lambda z, e=e: np.clip(1 / (1 + np.exp(-z)), e, 1 - e) for e in (1e-7, 1e-6, 1e-8, 1e-9, 1e-10, 1e-12)))),
        Misconception("written into an integer array", _split_integer, "np.zeros_like of an integer array holds integers, and every result is cut to 0: make it with dtype=float, or compute the result in one expression."),
        Misconception("step function", lambda z: (z > 0) * 1.0, "This is the decision, not the probability: nothing could be learnt through a function that is flat everywhere."),
    ),
    hints=(
        "Start from z = log(p / (1 − p)), take exp on both sides, and solve for p.",
        "exp(z) = p / (1 − p) gives p = exp(z) / (1 + exp(z)). Divide above and below by exp(z), so that no inf/inf can appear.",
        "1 / (1 + np.exp(-z)): where exp overflows, 1/inf = 0 is the right limit (the warning costs nothing).",
    ),
    minutes=5,
    difficulty=1,
)


# ---- bce_with_logits
def _thousand(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logits of 1000 and -1000 under both labels, and an ordinary one, in a random order."""
    order = rng.permutation(5)
    return np.array([1000.0, -1000.0, 1000.0, -1000.0, float(rng.normal())])[order], np.array([0.0, 1.0, 1.0, 0.0, 1.0])[order]


def _with_logits_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    z, y, v, soft = _logits(rng, n), _labels(rng, n), _logits(rng, m), rng.uniform(0.1, 0.9, size=m)
    extreme, labels = _thousand(rng)
    return [
        case("labels, mean", z, y),
        case("labels, sum", z, y, "sum"),
        case("labels, none", z, y, "none"),
        case("soft targets, mean", v, soft, tier="soft"),
        case("soft targets, none", v, soft, "none", tier="soft"),
        edge("|z| = 1000", extreme, labels, "none"),
        edge("|z| = 1000, soft targets, mean", extreme, rng.uniform(0.1, 0.9, size=5)),
        edge("z between 37 and 60 under label 0", rng.uniform(37.5, 60, size=3), np.zeros(3), "none"),
        edge("|z| near 720 under the wrong label", np.array([1.0, -1.0]) * rng.uniform(712, 730, size=2), np.array([0.0, 1.0]), "sum"),
        edge("integers, logits and labels", rng.permutation([-3, -1, 0, 2]), rng.permutation([0, 1, 1, 0])),
        edge("N = 1", rng.normal(size=1) + 1.0, np.zeros(1)),
    ]


def _with_logits(per_example, rule="right"):
    def wrong(z, y, reduction="mean"):
        return _reduced(per_example(z, y), reduction, rule)

    return wrong


def _exact(z, y):
    return lib.bce_with_logits(z, y, "none")


def _of_p(function, *more):
    return _with_logits(lambda z, y: -function(lib.sigmoid(z), y, *more))


def _of_both(z, y, guard=True):
    """The loss from sigmoid(z) and sigmoid(-z): no cancellation, but a logarithm of 0."""
    p, q = lib.sigmoid(z), lib.sigmoid(-1.0 * z)
    return -(y * np.log(np.where((y == 0) & guard, 1.0, p)) + (1 - y) * np.log(np.where((y == 1) & guard, 1.0, q)))


OVERFLOWING = (
    lambda z, y: np.log(1 + np.exp(z)) - z * y,
    lambda z, y: y * np.log(1 + np.exp(-1.0 * z)) + (1 - y) * np.log(1 + np.exp(z)),
    lambda z, y: (1 - y) * z + np.log(1 + np.exp(-1.0 * z)),
    lambda z, y: np.nan_to_num(np.log(1 + np.exp(z))) - z * y,
)
BY_LABEL = (
    lambda z, y: _exact(z, np.where(y == 1, 1.0, 0.0)),
    lambda z, y: _exact(z, np.where(y > 0.5, 1.0, 0.0)),
    lambda z, y: _exact(z, np.where(y == 0, 0.0, 1.0)),
    lambda z, y: np.logaddexp(0, -(2 * y - 1) * z),
    lambda z, y: -np.log(lib.sigmoid((2 * y - 1) * z)),
    lambda z, y: np.where(y == 1, np.log(1 + np.exp(-1.0 * z)), np.log(1 + np.exp(z))),
    lambda z, y: np.where(y == 1, np.log(1 + np.exp(-1.0 * z)), z + np.log(1 + np.exp(-1.0 * z))),
)

bce_with_logits = Exercise(
    reference=lib.bce_with_logits,
    tiers=_three_tiers(1, 0.5, 1.5),
    cases=_with_logits_cases,
    traps=("|z| = 1000", "N = 1", "z between 37 and 60 under label 0"),
    misconceptions=(
        _mistake("logarithm of a rounded probability", "The loss goes through a probability that was rounded to 0 or 1, and its logarithm is lost. Put the sigmoid into the loss ON PAPER and simplify the two logarithms before you compute.", _of_p(_log_likelihood), _with_logits(lambda z, y: -_log_likelihood(lib.sigmoid(z), y, guard=False)), _with_logits(_of_both), _with_logits(lambda z, y: _of_both(z, y, guard=False)), _with_logits(lambda z, y: np.nan_to_num(-_log_likelihood(lib.sigmoid(z), y, guard=False)))),
        _mistake("epsilon in the logarithm", "A small number added to p (or a clip) caps the loss, where it should go on to 1000, and kills the gradient of the worst mistakes. Simplify the logarithm of a sigmoid on paper: then nothing needs an epsilon.", *(_of_p(f, e) for f, e in CAPPED if e not in TINY[:2] and e not in MORE_EPSILONS[:5]), _of_p(_cut)),
        _mistake("exponential overflows", "On paper you are right, but the exponential of 1000 is inf. One term can be taken out of the logarithm so that the exponent that stays is never positive; it depends on the sign of z which.", *map(_with_logits, OVERFLOWING)),
        _mistake("logits clipped", "You clip the logits, so the loss stops growing where the prediction is worst. Keep the exponent from being positive by algebra instead.", *(_with_logits(lambda z, y, c=c: _exact(np.clip(z, -c, c), y)) for c in (500, 700, 709, 100, 60, 50, 30, 20))),
        _mistake("sigmoid applied twice", "The logits are squashed and then squashed again: even a perfect prediction keeps a loss of 0.31. The formula on logits takes z itself.", _with_logits(lambda z, y: _exact(lib.sigmoid(z), y))),
        _mistake("sigmoid forgotten", "You put logits where probabilities belong: the logarithm of a negative number is nan.", _with_logits(lambda z, y: -_log_likelihood(1.0 * z, y)), _with_logits(lambda z, y: -_log_likelihood(1.0 * z, y, guard=False))),
        _mistake("minus forgotten", "No loss here can be negative: look for the sign in front of the logarithm.", _with_logits(lambda z, y: -_exact(z, y)), _with_logits(lambda z, y: _log_likelihood(lib.sigmoid(z), y)), _with_logits(lambda z, y: _log_likelihood(lib.sigmoid(z), y, guard=False))),
        _mistake("targets ignored", "y never enters: this is the loss as if every label were 0 (or every label 1). Each of the two terms has its weight.", _with_logits(lambda z, y: _exact(z, 0.0 * y)), _with_logits(lambda z, y: _exact(z, 1.0 + 0 * y))),
        _mistake("classes swapped", "A large logit means label 1: with y = 1 and z = 1000 the loss is 0, yours is 1000. A sign in front of z, or y and 1 - y, is the other way round.", _with_logits(lambda z, y: _exact(z, 1 - y))),
        _mistake("sign of z y", "Under label 0 you are right. Under label 1 a larger z must LOWER the loss: look at the sign of the term that holds y.", _with_logits(lambda z, y: _exact(z, np.zeros(len(z))) + z * y)),
        _mistake("the logarithm left out", "For large |z| you are right, near z = 0 not: at z = 0 the loss is log 2 whatever the label is. Something is missing that matters where the logit is small.", _with_logits(lambda z, y: np.maximum(z, 0) - z * y), _with_logits(lambda z, y: np.maximum(z, 0) - z * y + np.exp(-np.abs(z)))),
        _mistake("|z| for max(z, 0)", "For negative z the loss is |z| too large. What is taken out of the logarithm there?", _with_logits(lambda z, y: np.abs(z) - z * y + np.log1p(np.exp(-np.abs(z))))),
        _mistake("max(z, 0) left out", "For negative z you are right, for positive not: making the exponent negative took something out of the logarithm that must stand before it.", _with_logits(lambda z, y: -z * y + np.log1p(np.exp(-np.abs(z))))),
        _mistake("exponent positive", "The logarithm holds a large number where it should hold a number between 1 and 2: the exponent must never be positive. Look at its sign.", _with_logits(lambda z, y: np.maximum(z, 0) - z * y + np.log1p(np.exp(np.abs(z))))),
        _mistake("label 0 forgotten", "Examples with label 0 cost nothing here: the term for them is missing.", _with_logits(lambda z, y: y * np.logaddexp(0, -1.0 * z))),
        _mistake("soft targets taken for labels", "You choose one of two terms by the label. A target may be any share between 0 and 1: both terms count, each with its weight.", *map(_with_logits, BY_LABEL)),
        _mistake("reduction ignored", 'The result is the same whatever reduction says: "none" gives one value per example, "sum" their sum, "mean" the sum divided by N.', *(_with_logits(_exact, rule) for rule in ("mean", "sum", "none"))),
        _mistake('"none" reduced', '"none" asks for the losses themselves, one per example: nothing is summed there.', _with_logits(_exact, "all")),
        _mistake("mean not divided by N", '"mean" gives the sum here: divide by the number of examples.', _with_logits(_exact, "lost")),
        _mistake("1/N twice", '"mean" divides by N once. Yours has it twice: np.mean has divided already.', _with_logits(_exact, "twice")),
        _mistake("squared error", "This is the squared error of the probability: it can never exceed 1/2, and that is what is wrong with it.", _with_logits(lambda z, y: 0.5 * (lib.sigmoid(z) - y) ** 2)),
    ),
    hints=(
        "Write −log σ(z) and −log(1 − σ(z)) with σ(z) = 1/(1 + e^{−z}) and simplify both: no fraction is left in either.",
        "−log σ(z) = log(1 + e^{−z}) and −log(1 − σ(z)) = log(1 + e^{z}) = z + log(1 + e^{−z}), so L = log(1 + e^{z}) − z y. For z > 0 take z out of the logarithm: the exponent becomes −|z|.",
        "losses = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))). (np.logaddexp(0, z) - z * y does the same.)",
    ),
    minutes=10,
    difficulty=3,
)


# ---- bce_with_logits_grad
def _with_logits_grad_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    z, y, v, soft = _logits(rng, n), _labels(rng, n), _logits(rng, m), rng.uniform(0.1, 0.9, size=m)
    extreme, labels = _thousand(rng)
    return [
        case("labels, mean", z, y),
        case("labels, sum", z, y, "sum"),
        case("labels, none: gradient of the sum", z, y, "none"),
        case("soft targets, mean", v, soft),
        case("soft targets, sum", v, soft, "sum"),
        edge("|z| = 1000", extreme, labels),
        edge("|z| = 1000, soft targets, sum", extreme, rng.uniform(0.1, 0.9, size=5), "sum"),
        edge("z between 37 and 60 under label 0", rng.uniform(37.5, 60, size=3), np.zeros(3), "none"),
        edge("integers, logits and labels", rng.permutation([-3, -1, 0, 2]), rng.permutation([0, 1, 1, 0])),
        edge("N = 1", rng.normal(size=1) + 1.0, np.zeros(1)),
    ]


def _with_logits_grad(form=lambda p, y: p - y, probs=lib.sigmoid, rule="right"):
    def wrong(z, y, reduction="mean"):
        return _reduced_gradient(form(probs(z), y), reduction, rule)

    return wrong


def _chain_by_chain(p, y):
    return (p - y) / (p * (1 - p)) * (p * (1 - p))


bce_with_logits_grad = Exercise(
    reference=lib.bce_with_logits_grad,
    tiers=values_and_edge(1, 1),
    cases=_with_logits_grad_cases,
    traps=("|z| = 1000", "N = 1"),
    misconceptions=(
        _mistake("gradient in the probabilities", "This is the gradient in p. The chain goes on from p to the logit: one more factor, and what a relief it is.", *(_with_logits_grad(lambda p, y: (p - y) / (p * (1 - p)), rule=rule) for rule in ("right", "lost", "always"))),
        Misconception("chain rule not simplified", _with_logits_grad(_chain_by_chain), "The two factors are right, and at |z| = 1000 one is infinite and the other 0: their product is nan. Multiply them on paper; one cancels the other.", (_with_logits_grad(lambda p, y: (-y / p + (1 - y) / (1 - p)) * p * (1 - p)), _with_logits_grad(lambda p, y: -y / p * p * (1 - p) + (1 - y) / (1 - p) * p * (1 - p)))),
        Misconception("chain rule through a clipped probability", _with_logits_grad(lambda p, y: _chain_by_chain(np.clip(p, 1e-12, 1 - 1e-12), y) * (p * (1 - p) > 0)), "A clip (or a small number added) stands in for algebra, and where the prediction is worst the gradient vanishes. Multiply the two factors on paper; one cancels the other.", tuple(_with_logits_grad(lambda p, y, e=e, f=f: f(p, y, e)) for e in EPSILONS[:5] for f in (lambda p, y, e: (p - y) / (p * (1 - p) + e) * p * (1 - p), lambda p, y, e: (-y / (p + e) + (1 - y) / (1 - p + e)) * p * (1 - p), lambda p, y, e: (np.clip(p, e, 1 - e) - y) / (np.clip(p, e, 1 - e) * (1 - np.clip(p, e, 1 - e))) * p * (1 - p)))),
        _mistake("sign", "This is the direction in which the loss FALLS. Under label 1 a larger logit lowers the loss, so the gradient there is negative.", *(_with_logits_grad(lambda p, y: y - p, rule=rule) for rule in ("right", "lost", "always"))),
        Misconception("squared error's gradient", _with_logits_grad(lambda p, y: (p - y) * p * (1 - p)), "The factor p(1 - p) stays only for the squared error. Here dL/dp has the same factor below the line: they cancel."),
        Misconception("sigmoid forgotten", _with_logits_grad(probs=lambda z: 1.0 * z), "You subtract the targets from the logits. It is the probability that they are subtracted from."),
        Misconception("overflow: inf/inf", _with_logits_grad(probs=lambda z: np.exp(z) / (1 + np.exp(z))), "Your sigmoid overflows for logits near 1000, and inf/inf is nan: divide above and below by the exponential."),
        Misconception("sigmoid applied twice", _with_logits_grad(probs=lambda z: lib.sigmoid(lib.sigmoid(z))), "The logits go through the sigmoid twice: once is right."),
        Misconception("label 0 forgotten", _with_logits_grad(lambda p, y: -y * (1 - p)), "Where the label is 0 your gradient is 0, and nothing would ever push the logit down: the second term of the loss has a slope too."),
        Misconception("derivative of the sigmoid only", _with_logits_grad(lambda p, y: p * (1 - p) + 0 * y), "This is dp/dz, one factor of the chain. The slope of the loss in p is the other, and it knows the target."),
        Misconception("label taken as 1", _with_logits_grad(lambda p, y: p - 1 + 0 * y), "You subtract 1 from every probability. Subtract each example's own target."),
        Misconception("decision for the probability", _with_logits_grad(probs=lambda z: (np.asarray(z) > 0) * 1.0), "You subtract the target from a decision, 0 or 1. The gradient has the probability itself: a right but unsure answer is still pushed."),
        Misconception("sign of the exponent", _with_logits_grad(probs=lambda z: lib.sigmoid(-1.0 * z)), "Your p is the probability of label 0: the exponent's sign is the other way round."),
        Misconception("1/N forgotten", _with_logits_grad(rule="lost"), 'The loss is a mean over N examples, so its gradient has 1/N too (not for "sum" and "none").'),
        Misconception("1/N for every reduction", _with_logits_grad(rule="always"), 'Only the mean has 1/N. For "sum", and for "none", which means the gradient of the sum, nothing is divided by N.'),
        Misconception("1/N twice", _with_logits_grad(rule="twice"), "The mean divides by N once; yours has 1/N twice."),
        _mistake("soft targets taken for labels", "You choose p - 1 or p by the label. A target may be any share between 0 and 1: one formula serves them all.", *(_with_logits_grad(lambda p, y, f=f: p - f(y)) for f in (lambda y: np.where(y == 1, 1.0, 0.0), lambda y: np.where(y > 0.5, 1.0, 0.0), lambda y: np.where(y == 0, 0.0, 1.0)))),
        _mistake("one number for the batch", "Each logit has a slope of its own: the gradient has the shape of z, also where the loss is a single number.", _with_logits_grad(rule="one"), _with_logits_grad(rule="reduced")),
    ),
    hints=(
        "Chain rule: dL/dz = dL/dp · dp/dz. You have the first factor; the second is the sigmoid's own derivative, written with p.",
        "dp/dz = p(1 − p), and dL/dp = (p − y)/[p(1 − p)]. Multiply on paper, not in NumPy.",
        "(sigmoid(z) - y), divided by len(z) where reduction is \"mean\".",
    ),
    minutes=6,
    difficulty=2,
)


# ---- logistic_loss_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    n, m = _sizes(rng)
    dy = np.array(float(rng.uniform(0.5, 2.0)))

    def unit(rows: int) -> tuple:
        return rng.normal(size=(rows, 2)), rng.normal(size=2), np.array(float(rng.uniform(0.5, 1.5))), _labels(rng, rows).astype(int)

    first, second = unit(n), unit(m)
    far = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
    return [
        case("a batch, value and gradients", *first, dy, op="torch"),
        case("another batch", *second, dy, op="torch"),
        edge("|z| = 1000", far, np.array([500.0, -500.0]), np.array(0.0), np.array([0, 1, 1, 0]), dy, op="torch"),
        edge("w = 0, b = 0: every z is exactly 0", first[0], np.zeros(2), np.array(0.0), first[3], dy, op="torch"),
        edge("N = 1", rng.normal(size=(1, 3)), rng.normal(size=3), np.array(0.5), np.array([0]), dy, op="torch"),
    ]


def _torch_loss(per_example, reduce="mean", bias=True):
    def wrong(x, w, b, y):
        losses = per_example(x @ w + (b if bias else 0 * b), y)
        return {"sum": losses.sum, "mean": losses.mean, "none": lambda: losses}[reduce]()

    return wrong


def _torch_exact(z, y):
    import torch

    return torch.nn.functional.binary_cross_entropy_with_logits(z, y.to(z.dtype), reduction="none")


def _torch_of_p(change=lambda p: p, cut=False):
    def losses(z, y):
        import torch

        p = change(torch.sigmoid(z))
        if cut:
            return torch.nn.functional.binary_cross_entropy(p, y.to(z.dtype), reduction="none")
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))

    return losses


def _torch_added(e):
    def losses(z, y):
        import torch

        p = torch.sigmoid(z)
        return -(y * torch.log(p + e) + (1 - y) * torch.log(1 - p + e))

    return losses


def _torch_twice(z, y):
    import torch

    return _torch_exact(torch.sigmoid(z), y)


def _torch_kink(positive):
    def losses(z, y):
        import torch

        above = {"clamp": lambda: torch.clamp(z, min=0), "relu": lambda: torch.relu(z)}[positive]()
        return above - z * y + torch.log1p(torch.exp(-torch.abs(z)))

    return losses


def _torch_overflow(z, y):
    import torch

    return torch.log(1 + torch.exp(z)) - z * y


def _torch_margin(z, y):
    import torch

    return torch.log1p(torch.exp(-(2 * y - 1) * z))


def _torch_of_both(z, y):
    import torch

    return -(y * torch.log(torch.sigmoid(z)) + (1 - y) * torch.log(torch.sigmoid(-z)))


def _torch_chosen(z, y):
    import torch

    return -torch.where(y == 1, torch.log(torch.sigmoid(z)), torch.log(1 - torch.sigmoid(z)))


def _torch_number(x, w, b, y):
    return lib.logistic_loss_in_torch(x, w, b, y).item()


def _torch_square(z, y):
    import torch

    return 0.5 * (torch.sigmoid(z) - y) ** 2


def _torch_outer(x, w, b, y):
    return _torch_loss(_torch_logsigmoid)(x, w[:, None], b, y)


def _torch_logsigmoid(z, y):
    import torch

    return -(y * torch.nn.functional.logsigmoid(z) + (1 - y) * torch.nn.functional.logsigmoid(-z))


def _torch_detached(x, w, b, y):
    return lib.logistic_loss_in_torch(x.detach(), w.detach(), b.detach(), y)


def _torch_detached_but_connected(x, w, b, y):
    return _torch_detached(x, w, b, y) + 0 * (x.sum() + w.sum() + b)


logistic_loss_in_torch = Exercise(
    reference=lib.logistic_loss_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("|z| = 1000", "w = 0, b = 0: every z is exactly 0", "N = 1"),
    misconceptions=(
        Misconception("sigmoid applied twice", _torch_loss(_torch_twice), "..._with_logits squashes its argument itself: hand it x @ w + b, not a probability. It does not complain, it only learns badly."),
        _mistake("logarithm of a rounded probability", "torch.sigmoid rounds to 0 or 1 just as yours does, and after that no logarithm is right: inf in the loss, nan in the gradients. Stay with the logits.", _torch_loss(_torch_of_p()), _torch_loss(_torch_of_both), _torch_loss(_torch_chosen)),
        _mistake("PyTorch's loss on probabilities", "binary_cross_entropy takes probabilities and cuts its logarithms at -100: at |z| = 1000 loss and gradients are lost. There is one that takes logits.", _torch_loss(_torch_of_p(cut=True))),
        _mistake("epsilon in the logarithm", "A small number added to p (or a clamp) caps the loss and kills the gradient of the worst mistakes. Stay with the logits.", *(_torch_loss(_torch_added(e)) for e in (1e-12, 1e-7, 1e-8, 1e-10)), *(_torch_loss(_torch_of_p(lambda p, e=e: p.clamp(e, 1 - e))) for e in (1e-7, 1e-12, 1e-8))),
        _mistake("exponential overflows", "torch.exp overflows near 1000 just as NumPy does, and inf - inf or inf/inf is nan. PyTorch has the logarithm of a sigmoid as one function.", _torch_loss(_torch_overflow), _torch_loss(_torch_margin)),
        _mistake("kink at z = 0", "The value is right everywhere, the gradient is not where z is exactly 0: max(z, 0) and |z| have kinks there that cancel in the sum but not for autograd, and w = 0, b = 0 is where training often begins. Use one smooth function.", _torch_loss(_torch_kink("clamp")), _torch_loss(_torch_kink("relu"))),
        Misconception("column against row", _torch_outer, "Somewhere a column (N, 1) meets a row (N,): the two broadcast to N × N losses, every prediction against every label, and the mean hides it. Print the shapes."),
        _mistake("not reduced", "One loss per example comes back; the mean over the batch is asked.", _torch_loss(_torch_exact, "none")),
        Misconception("sum over the batch", _torch_loss(_torch_exact, "sum"), "The loss is the mean over the batch; you return the sum."),
        Misconception("minus forgotten", _torch_loss(lambda z, y: -_torch_exact(z, y)), "Log-likelihoods are negative, a loss is not: the sign is missing."),
        Misconception("bias forgotten", _torch_loss(_torch_exact, bias=False), "b never enters: the unit computes x @ w + b."),
        Misconception("classes swapped", _torch_loss(lambda z, y: _torch_exact(z, 1 - y)), "A large x @ w + b means label 1: y and 1 - y, or the sign of z, are the other way round."),
        Misconception("label 0 forgotten", _torch_loss(lambda z, y: y * _torch_exact(z, y)), "Examples with label 0 cost nothing here: the term for them is missing."),
        Misconception("squared error", _torch_loss(_torch_square), "This is the squared error of the probability, the slow one from section 1."),
        Misconception("gradient cut off", _torch_detached, "The value is right, but no gradient reaches x, w and b: something was detached or turned into a number on the way (.detach(), .item(), .numpy(), torch.tensor of a tensor).", (_torch_detached_but_connected, _torch_number)),
    ),
    hints=(
        "z = x @ w + b has shape (N,). torch.nn.functional has a loss that takes logits; it wants y as floats of x's dtype, and y.float() is another. (Or its logsigmoid.)",
        "log σ(z) is torch.nn.functional.logsigmoid(z), and log(1 − σ(z)) is the same function of −z.",
        "torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y.to(x.dtype)): its default reduction is the mean.",
    ),
    minutes=5,
    difficulty=2,
)


TOPIC = Topic(
    name="binary_cross_entropy",
    assignment="3_losses",
    title="Binary cross-entropy",
    exercises=(bernoulli_likelihood, bernoulli_log_likelihood, binary_cross_entropy, binary_cross_entropy_grad, sigmoid, bce_with_logits, bce_with_logits_grad, logistic_loss_in_torch),
    written=(Written("the_clipped_example", points=2, minutes=8),),
)
