"""Exercises of multi_label: one sigmoid per label, the summed loss and its gradient, decisions, F1, thresholds, focal loss."""
import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tolerance, Topic, Written, case, edge, values_and_edge
from class4lib import multi_label as lib
from class4lib.basics import sigmoid
from class4lib.softmax_cross_entropy import log_softmax, softmax

EPSILONS = (1e-12, 1e-9, 1e-10, 1e-15, 1e-16, 1e-11, 1e-14, 1e-20, 1e-300)  # added or as a clip: the same
LARGE_EPSILONS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)  # added they show in ordinary values too


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and K, different, so that an axis taken for the other shows."""
    n, k = rng.permutation([2, 3, 4])[:2]
    return int(n), int(k)


def _batch(rng: Generator, n: int, k: int, soft: bool) -> tuple[ndarray, ndarray]:
    """Logits (N, K), and targets: shares, or integers of which about half are 1; two decimals, to be read by people."""
    return rng.normal(scale=2.0, size=(n, k)).round(2), rng.uniform(0.05, 0.95, size=(n, k)).round(2) if soft else _halves(rng, n, k)


def _halves(rng: Generator, n: int, k: int) -> ndarray:
    """(N, K) integers: every column is half ones, in random order."""
    return rng.permuted(np.arange(n)[:, None] % 2 + np.zeros((1, k), dtype=int), axis=0)


def _weights(rng: Generator, k: int) -> ndarray:
    """(K,) factors, all different, below and above 1, none at 1."""
    return (rng.permutation(np.linspace(0.4, 3.1, k)) + rng.uniform(0.0, 0.1, size=k)).round(2)


def _extremes(rng: Generator) -> tuple[ndarray, ndarray]:
    """Logits of ±1000 with right, wrong and soft targets, beside ordinary ones."""
    logits = rng.normal(size=(4, 3)).round(2) + np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0], [0.0, 990.0, -990.0], [900.0, 0.0, -900.0]])
    return np.clip(logits, -1000.0, 1000.0), np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.75], [0.0, 1.0, 1.0]])


def _loss_cases(rng: Generator) -> list[Case]:
    """Of the loss and of its gradient, which take the same arguments."""
    n, k = _sizes(rng)
    logits, soft = _batch(rng, n, k, soft=True)
    others, hard = _batch(rng, k, n, soft=False)
    square, shares = _batch(rng, 3, 3, soft=True)
    far, targets = _extremes(rng)
    return [
        case("soft targets, mean", logits, soft, trap="soft targets"),
        case("soft targets, sum", logits, soft, reduction="sum"),
        case("soft targets, none", logits, soft, reduction="none", trap="N ≠ K"),
        case("targets 0 and 1, mean", others, hard),
        case("pos_weight, mean", others, hard, _weights(rng, n)),
        case("pos_weight and soft targets, none", logits, soft, _weights(rng, k), "none"),
        edge("|z| = 1000, none", far, targets, None, "none", trap="|z| = 1000"),
        edge("|z| = 1000, pos_weight, sum", far, targets, _weights(rng, 3), "sum", trap="|z| = 1000"),
        edge("as many labels as examples, pos_weight, none", square, shares, _weights(rng, 3), "none", trap="N = K"),
        edge("N = 1", logits[:1], soft[:1], _weights(rng, k)),
        edge("K = 1, sum", logits[:, :1], soft[:, :1], _weights(rng, 1), "sum"),
        edge("weights of 0 and 1", others, hard, np.arange(n) % 2 * 1.0),
    ]


# ---- multilabel_bce_with_logits
def _exact(z: ndarray) -> tuple[ndarray, ndarray]:
    """−log p and −log(1 − p)."""
    return np.logaddexp(0.0, -z), np.logaddexp(0.0, z)


def _logs_of(change, probs=sigmoid):
    """The two terms from a probability that is changed before its logarithm is taken."""

    def terms(z):
        p = probs(z)
        return -np.log(change(p)), -np.log(change(1.0 - p))

    return terms


def _weighted(y, w, positive, negative):
    return w * y * positive + (1 - y) * negative


def _loss(terms=_exact, entries=_weighted, per_example=lambda e: e.sum(axis=1), divisor="N", only_mean=False):
    def wrong(logits, targets, pos_weight=None, reduction="mean"):
        losses = per_example(entries(targets, 1.0 if pos_weight is None else pos_weight, *terms(logits)))
        if reduction == "none" and not only_mean:
            return losses
        return losses.sum() / ({"N": len(logits), "K": logits.shape[1], "NK": logits.size, "1": 1}[divisor] if reduction == "mean" or only_mean else 1)

    return wrong


def _overflowing(logits, targets, pos_weight=None, reduction="mean"):
    """(1 − y) z + (1 + (w − 1) y) log(1 + exp(−z)): right until the exponential overflows."""
    w = 1.0 if pos_weight is None else pos_weight
    return _loss(lambda z: (np.log(1 + np.exp(-z)), z), lambda y, w, positive, z: (1 - y) * z + (1 + (w - 1) * y) * positive)(logits, targets, w, reduction)


def _carelessly(entries, divisor="N"):
    """The same mistake with logarithms that overflow or are cut off: it is the first to be mended all the same."""
    terms = (_logs_of(lambda p: p), lambda z: (np.log(1 + np.exp(-z)), np.log(1 + np.exp(z))), *(_logs_of(lambda p, e=e: p + e) for e in (1e-12, 1e-8, 1e-15)))
    return tuple(_loss(t, entries, divisor=divisor) for t in terms)


def _per_entry(share):
    """One weight for an entry, w or 1 by its target, on both of its terms."""
    return lambda y, w, positive, negative: np.where(share(y), w, 1.0) * _weighted(y, 1.0, positive, negative)


def _on_both(y, w, positive, negative):
    return w * _weighted(y, 1.0, positive, negative)


def _on_negative(y, w, positive, negative):
    return y * positive + w * (1 - y) * negative


def _on_none(y, w, positive, negative):
    return _weighted(y, 1.0, positive, negative)


def _raw_softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def _competing(probs, both=False, weighted=True):
    """Softmax probabilities, with the multi-class loss or with both terms."""
    return _loss(lambda z: (-np.log(probs(z)), -np.log(1 - probs(z))), lambda y, w, positive, negative: _weighted(y, w if weighted else 1.0, positive, negative if both else 0.0))


def _rounded(pick):
    return lambda y, w, positive, negative: _weighted(pick(y) * 1.0, w, positive, negative)


def _by_row(y, w, positive, negative):
    return _weighted(y, w if np.ndim(w) == 0 else w[:, None], positive, negative)


multilabel_bce_with_logits = Exercise(
    reference=lib.multilabel_bce_with_logits,
    tiers=values_and_edge(2, 2),
    cases=_loss_cases,
    traps=("soft targets", "N ≠ K", "|z| = 1000", "N = K", "N = 1"),
    misconceptions=(
        Misconception(
            "softmax",
            _loss(lambda z: (-np.log(softmax(z)), -np.log(softmax(z))), lambda y, w, positive, _: w * y * positive),
            "You make the labels compete: a softmax shares ONE unit of probability among them, but a 6 is even AND has a loop AND is above 4. Each logit needs a probability of its own, whatever the other logits are.",
            (
                *(_competing(f, both, weighted) for f in (softmax, _raw_softmax) for both in (False, True) for weighted in (True, False)),
                *(_loss(lambda z: (-log_softmax(z), 0.0 * z), lambda y, w, positive, _, weighted=weighted: (w if weighted else 1.0) * y * positive) for weighted in (True, False)),
                _loss(lambda z: (-np.log(softmax(z)), 0.0 * z), divisor="NK"),
            ),
        ),
        Misconception("mean over N·K", _loss(divisor="NK"), '"mean" divides by the number of examples N. You divide by all N·K entries, as PyTorch does: then a label counts the less the more of them you ask for.'),
        Misconception("averaged over the labels", _loss(per_example=lambda e: e.mean(axis=1)), "You average over the labels; here an example's loss is the SUM over its labels, in every reduction. Only the examples are averaged."),
        Misconception("summed over the wrong axis", _loss(per_example=lambda e: e.sum(axis=0)), 'You sum down the columns, over the examples: "none" must give one loss per example, (N,), the sum along its row of labels.', (_loss(per_example=lambda e: e.sum(axis=0), divisor="K"),)),
        Misconception("not summed over the labels", _loss(per_example=lambda e: e), '"none" must give one number per example, (N,): the loss of a row is the sum over its labels.', (_loss(per_example=lambda e: e, divisor="NK"),)),
        Misconception("pos_weight on both terms", _loss(entries=_on_both), "You weight the whole entry. pos_weight makes a MISSED yes dearer and leaves the price of a false yes alone: it belongs to one of the two terms.", (*_carelessly(_on_both), _loss(entries=_on_both, divisor="NK"))),
        Misconception("pos_weight on the negative term", _loss(entries=_on_negative), "pos_weight stands at the other term: it multiplies what is paid where the target is 1.", _carelessly(_on_negative)),
        Misconception("pos_weight ignored", _loss(entries=_on_none), "Without pos_weight you are right. With it, one of the two terms of every entry gets its label's factor.", _carelessly(_on_none)),
        Misconception("one weight per entry", _loss(entries=_per_entry(lambda y: y == 1)), "You give every entry ONE weight, by its target. Where the target is a share both of its terms count, and only one of them carries the weight.", (*(_loss(entries=_per_entry(f)) for f in (lambda y: y > 0.5, lambda y: y > 0)), _loss(entries=lambda y, w, positive, negative: (1 + (w - 1) * y) * _weighted(y, 1.0, positive, negative)))),
        Misconception("pos_weight by row", _loss(entries=_by_row), "pos_weight has one factor per LABEL, (K,): it must line up with the last axis. Yours goes down the rows, one factor per example, which works by accident where N = K and raises where it is not."),
        Misconception("pos_weight as an exponent", _loss(entries=lambda y, w, positive, negative: y**w * positive + (1 - y) * negative), "A weight is a factor of the term, not a power of the target: with targets 0 and 1 a power changes nothing."),
        Misconception("negative term forgotten", _loss(entries=lambda y, w, positive, _: w * y * positive), "A label that is absent costs nothing in yours: all sigmoids at 1 would be perfect. With softmax the missing term was implied; with independent labels it must be written."),
        Misconception("positive term forgotten", _loss(entries=lambda y, w, _, negative: (1 - y) * negative), "A label that is present costs nothing in yours: all sigmoids at 0 would be perfect. Each entry has two terms."),
        Misconception("terms swapped", _loss(entries=lambda y, w, positive, negative: _weighted(y, w, negative, positive)), "Your loss is low where the answer is wrong. Say it in words: where y = 1, which probability should be large, and which logarithm stands there?"),
        Misconception("minus forgotten", _loss(entries=lambda *a: -_weighted(*a)), "Logarithms of probabilities are negative, a loss is not: the sign is missing."),
        Misconception("soft targets rounded", _loss(entries=_rounded(lambda y: y == 1)), "A target of 0.3 is treated as 0 or 1. It is a share: both terms count, each with its part.", tuple(_loss(entries=_rounded(f)) for f in (lambda y: y > 0.5, lambda y: y > 0))),
        Misconception(
            "overflow",
            _loss(_logs_of(lambda p: p)),
            "For logits near ±1000 an exponential overflows, or a probability is rounded to 0 before its logarithm is taken. Write −log of the sigmoid as ONE function of z, and pick the form in which no exponent is positive.",
            (_loss(lambda z: (np.log(1 + np.exp(-z)), np.log(1 + np.exp(z)))), _loss(lambda z: (np.log1p(np.exp(-z)), np.log1p(np.exp(z)))), _overflowing, _loss(lambda z: (np.log1p(np.exp(-z)), z + np.log1p(np.exp(-z))))),
        ),
        Misconception(
            "epsilon in the logarithm",
            _loss(_logs_of(lambda p: p + 1e-12)),
            "A small number added to the probability (or a clip) caps the loss near 28 where it should go on to 1000, and so forgives the worst mistakes. Algebra needs none: the logarithm of a sigmoid is simple in z.",
            (*(_loss(_logs_of(lambda p, e=e: p + e)) for e in (*EPSILONS, *LARGE_EPSILONS)), *(_loss(_logs_of(lambda p, e=e: np.clip(p, e, 1 - e))) for e in LARGE_EPSILONS)),
        ),
        Misconception("logits clipped", _loss(lambda z: _exact(np.clip(z, -500, 500))), "Clipping the logits keeps the exponential from overflowing and changes the loss: a logit of −1000 for a yes costs 1000, and its gradient must not vanish. Choose the form of the logarithm in which no exponent is positive.", tuple(_loss(lambda z, c=c: _exact(np.clip(z, -c, c))) for c in (20, 30, 50, 100, 250, 700)) + tuple(_loss(lambda z, c=c: _logs_of(lambda p: p)(np.clip(z, -c, c))) for c in (10, 20, 30))),
        Misconception("squared error", _loss(lambda z: (sigmoid(z), sigmoid(z)), lambda y, w, p, _: (p - y) ** 2), "You measure the squared distance of probability and target. The loss here is the logarithm of a likelihood.", (_loss(lambda z: (sigmoid(z), sigmoid(z)), lambda y, w, p, _: (p - y) ** 2 / 2),)),
        Misconception("sigmoid applied twice", _loss(lambda z: _exact(sigmoid(z))), "The logits go through two sigmoids: a probability is given to a formula that expects a logit. Then no loss can come near 0."),
        Misconception("sigmoid forgotten", _loss(lambda z: (-np.log(z), -np.log(1 - z))), "You take the logarithm of the logits. They are any real numbers; what is between 0 and 1 is their sigmoid."),
        Misconception("logits multiplied in place of logarithms", _loss(lambda z: (-z, z)), "You weight the logits themselves. What is paid is −log of a probability: always positive, and near 0 only where the logit is large and right."),
        Misconception("reduction ignored", _loss(only_mean=True), 'You always return the mean: "sum" and "none" must differ.'),
        Misconception("mean not divided by N", _loss(divisor="1"), '"mean" gives the sum here: divide by the number of examples.'),
        Misconception("mean over the labels, sum over the batch", _loss(divisor="K"), 'You divide by the number of labels K. "mean" divides by the number of examples, N; the labels are summed.'),
    ),
    hints=(
        "Every entry (n, k) is a binary cross-entropy of its own: two terms, one for the target, one for its complement. Where do −log σ(z) and −log(1 − σ(z)) lead for z = ±1000?",
        "−log σ(z) = log(1 + e^−z) and −log(1 − σ(z)) = log(1 + e^z). Both are max(∓z, 0) + log(1 + e^−|z|). The weight goes to the first; then sum along the row, then reduce.",
        "tail = np.log1p(np.exp(-np.abs(logits))); positive = targets * (np.maximum(-logits, 0) + tail), times pos_weight; negative = (1 - targets) * (np.maximum(logits, 0) + tail); add, sum over axis 1, divide by len(logits) for the mean.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- multilabel_bce_with_logits_grad
def _slope(p, y, w):
    return (1 - y) * p - w * y * (1 - p)


def _grad(form=_slope, probs=sigmoid, divisor="N", always=False):
    def wrong(logits, targets, pos_weight=None, reduction="mean"):
        gradient = form(probs(logits), targets, 1.0 if pos_weight is None else pos_weight)
        return gradient / ({"N": len(logits), "K": logits.shape[1], "NK": logits.size, "1": 1}[divisor] if always or reduction == "mean" else 1)

    return wrong


def _column(w):
    return w if np.ndim(w) == 0 else w[:, None]


def _reduced_otherwise(form):
    """The same mistake beside a wrong reduction."""
    return _grad(form, divisor="1"), _grad(form, always=True), _grad(form, divisor="NK")


multilabel_bce_with_logits_grad = Exercise(
    reference=lib.multilabel_bce_with_logits_grad,
    tiers=values_and_edge(2, 2),
    cases=lambda rng: [c for c in _loss_cases(rng) if c.label not in ("targets 0 and 1, mean", "weights of 0 and 1", "|z| = 1000, none")],
    traps=("soft targets", "N ≠ K", "|z| = 1000", "N = K", "N = 1"),
    misconceptions=(
        Misconception("softmax", _grad(lambda p, y, w: p - w * y, softmax), "You share one unit of probability among the labels. Each label has a sigmoid of its own: its gradient does not know the other logits.", (_grad(lambda p, y, w: p * (w * y).sum(axis=1, keepdims=True) - w * y, softmax), _grad(_slope, softmax), _grad(lambda p, y, w: w * (p - y), softmax))),
        Misconception("pos_weight on both terms", _grad(lambda p, y, w: w * (p - y)), "w(p − y) is the slope of a loss that is weighted as a whole. Here only the positive term has the factor: differentiate the two terms one by one.", _reduced_otherwise(lambda p, y, w: w * (p - y))),
        Misconception("pos_weight on the target only", _grad(lambda p, y, w: p - w * y), "You put the factor at the y of p − y. The positive term has a slope that depends on p too: go back one line, to the two terms before they are added up, and weight the first there.", _reduced_otherwise(lambda p, y, w: p - w * y)),
        Misconception("pos_weight on the negative term", _grad(lambda p, y, w: w * (1 - y) * p - y * (1 - p)), "pos_weight stands at the other term: it multiplies what is paid where the target is 1."),
        Misconception("the whole weight on p as well", _grad(lambda p, y, w: p - w * y * (1 - p)), "Your negative term pushes down with its full slope even where the target is 1. Each of the two terms counts with its own share, one with y, the other with what is left.", (_grad(lambda p, y, w: (1 - y) * p - w * y),)),
        Misconception("one weight per entry", _grad(lambda p, y, w: np.where(y == 1, w, 1.0) * (p - y)), "You give every entry ONE weight, by its target. Where the target is a share both of its terms count, and only one of them carries the weight.", tuple(_grad(f) for f in (lambda p, y, w: np.where(y > 0.5, w, 1.0) * (p - y), lambda p, y, w: np.where(y > 0, w, 1.0) * (p - y), lambda p, y, w: (1 + (w - 1) * y) * (p - y)))),
        Misconception("p − y alone", _grad(lambda p, y, w: p - y, divisor="1"), "p − y is the slope of ONE unweighted entry. Two things are still to be added: what \"mean\" does to a gradient, and what pos_weight does to one of the two terms.", (_grad(lambda p, y, w: p - y, always=True), _grad(lambda p, y, w: p - y, divisor="NK"), _grad(lambda p, y, w: p - y, divisor="NK", always=True))),
        Misconception("pos_weight ignored", _grad(lambda p, y, w: p - y), "p − y is right without pos_weight. With it, the slope of the positive term gets its label's factor before the two terms are added."),
        Misconception("pos_weight by row", _grad(lambda p, y, w: _slope(p, y, _column(w))), "pos_weight has one factor per LABEL, (K,): it must line up with the last axis. Yours goes down the rows, which works by accident where N = K and raises where it is not."),
        Misconception("sign", _grad(lambda *a: -_slope(*a)), "This is the direction in which the loss FALLS. The gradient points the other way.", tuple(_grad(lambda p, y, w: y - p, divisor=d, always=a) for d, a in (("N", False), ("N", True), ("1", False), ("NK", False)))),
        Misconception("1/N forgotten", _grad(divisor="1"), 'The loss is a mean over N examples, so its gradient has 1/N too (not for "sum" and "none").'),
        Misconception("mean over N·K", _grad(divisor="NK"), 'You divide by all N·K entries: "mean" divides by the number of examples only, the labels are summed.', (_grad(divisor="NK", always=True),)),
        Misconception("divided by K", _grad(divisor="K"), 'You divide by the number of labels; "mean" divides by the number of examples, the labels are summed.', (_grad(divisor="K", always=True),)),
        Misconception("reduction ignored", _grad(always=True), 'You always divide by N: for "sum" and "none" the gradient is that of the SUM.'),
        Misconception("gradient in the probabilities", _grad(lambda p, y, w: (1 - y) / (1 - p) - w * y / p), "This is the gradient in the probabilities. The chain goes on through the sigmoid to the logits, and there the fractions cancel."),
        Misconception("slope of the sigmoid left over", _grad(lambda p, y, w: _slope(p, y, w) * p * (1 - p)), "A factor p(1 − p) is left over: it cancels against the fraction that the logarithm's derivative brings. With it the gradient vanishes exactly where the answer is confidently wrong."),
        Misconception("negative term forgotten", _grad(lambda p, y, w: -w * y * (1 - p)), "Where the target is 0 your gradient is 0: nothing ever pushes a wrong yes down. Differentiate both terms."),
        Misconception("positive term forgotten", _grad(lambda p, y, w: (1 - y) * p), "Where the target is 1 your gradient is 0: nothing ever pushes a wrong no up. Differentiate both terms."),
        Misconception("soft targets rounded", _grad(lambda p, y, w: _slope(p, (y == 1) * 1.0, w)), "A target of 0.3 is treated as 0 or 1. It is a share: both terms count, each with its part.", tuple(_grad(lambda p, y, w, f=f: _slope(p, f(y) * 1.0, w)) for f in (lambda y: y > 0.5,))),
        Misconception("sigmoid forgotten", _grad(probs=lambda z: z), "You use the logits where their probabilities belong."),
        Misconception("sigmoid applied twice", _grad(probs=lambda z: sigmoid(sigmoid(z))), "The logits go through the sigmoid twice: once is right."),
        Misconception("overflow", _grad(probs=lambda z: np.exp(z) / (1 + np.exp(z))), "exp overflows for logits near 1000 and inf/inf is nan. The sigmoid of class4lib.basics is safe, and so is 1/(1 + e^−z).", (lambda z, y, w=None, r="mean": _grad(lambda e, y, w: ((1 - y) * e - w * y) / (1 + e), np.exp)(z, y, w, r),)),
        Misconception("summed over the batch", _grad(lambda *a: _slope(*a).sum(axis=0)), "Every entry of the logits has a slope of its own: the gradient has their shape, (N, K). Nothing is summed.", (_grad(lambda *a: _slope(*a).sum(axis=1)),)),
    ),
    hints=(
        "The loss is a sum over entries, and each holds one logit: differentiate w·y·log(1 + e^−z) and (1 − y)·log(1 + e^z) by themselves.",
        "The derivatives are −(1 − p) for log(1 + e^−z) and p for log(1 + e^z), with p = σ(z). The weight stands at the first. The mean adds 1/N.",
        "gradient = (1 - targets) * p - pos_weight * targets * (1 - p) with p = sigmoid(logits); without pos_weight that is p - targets; divided by len(logits) for the mean.",
    ),
    minutes=12,
    difficulty=3,
)


# ---- decide
def _decide_cases(rng: Generator) -> list[Case]:
    n, k = (size + 1 for size in _sizes(rng))
    eighths = rng.permutation(np.arange(n * k) % 9).reshape(n, k) / 8
    taus = (rng.permutation(np.linspace(0.15, 0.75, k)) + rng.uniform(0.0, 0.1, size=k)).round(2)
    two, more = rng.uniform(size=(2, n, k)).round(3)
    return [
        case("one threshold of ½", two, 0.5),
        case("one threshold, low", two, round(float(rng.uniform(0.15, 0.35)), 2)),
        case("one threshold per label", more, taus, trap="N ≠ K"),
        case("one threshold per label, as many labels as examples", np.tile(np.linspace(0.2, 0.8, 4), (4, 1)), rng.permutation([0.1, 0.35, 0.65, 0.9]), trap="N = K"),
        edge("p = τ", np.vstack([eighths, np.full((1, k), 0.5)]), 0.5),
        edge("p = τ, one threshold per label", np.vstack([eighths, np.arange(k)[None] / 8]), np.arange(k) / 8, trap="p = τ"),
        edge("probabilities of 0 and 1 at thresholds of 0 and 1", np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), np.array([0.0, 1.0])),
        edge("a threshold below 0", two, -1.0),
        edge("N = 1", more[:1], taus),
    ]


decide = Exercise(
    reference=lib.decide,
    tiers=values_and_edge(1, 1),
    cases=_decide_cases,
    traps=("N ≠ K", "N = K", "p = τ", "N = 1"),
    misconceptions=(
        Misconception("≥ for >", lambda p, tau: (p >= tau) * 1, "A probability EQUAL to its threshold is decided in yours. The slides' rule is strict, and the difference is real: scores of a small or rounded model are often equal."),
        Misconception("τ by row", lambda p, tau: (p > (tau if np.ndim(tau) == 0 else tau[:, None])) * 1, "tau has one threshold per LABEL, (K,): it must line up with the last axis. Yours gives each example a threshold, which works by accident where N = K and raises where it is not.", (lambda p, tau: (p >= (tau if np.ndim(tau) == 0 else tau[:, None])) * 1, lambda p, tau: (tau < p.T).T * 1)),
        Misconception("τ ignored", lambda p, tau: (p > 0.5) * 1, "You always decide at ½. The threshold is an argument: a number, or one per label.", (lambda p, tau: np.round(p), lambda p, tau: (p >= 0.5) * 1)),
        Misconception("one label per row", lambda p, tau: np.eye(p.shape[1], dtype=int)[p.argmax(axis=1)], "You give every example exactly one label, its likeliest. Here a row may have any number of yeses, none included: each label is compared with its own threshold.", (lambda p, tau: (p == p.max(axis=1, keepdims=True)) * (p > tau), lambda p, tau: p.argmax(axis=1))),
        Misconception("comparison the wrong way round", lambda p, tau: (p < tau) * 1, "You say yes where the probability is LOW. Turn the comparison round.", (lambda p, tau: (p <= tau) * 1,)),
        Misconception("probabilities kept", lambda p, tau: np.where(p > tau, p, 0.0), "Where the answer is yes you keep the probability. A decision is 0 or 1."),
        Misconception("−1 for no", lambda p, tau: np.where(p > tau, 1, -1), "A no is 0 here, not −1."),
        Misconception("rows made to sum to 1", lambda p, tau: (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300) > tau) * 1, "You divide each row by its sum first. The labels are independent: their probabilities need not sum to 1, and another label's probability is no reason to change this one's answer."),
        Misconception("one threshold for all labels", lambda p, tau: (p > np.mean(tau)) * 1, "tau may hold one threshold per label; yours uses a single number for all of them. Broadcasting compares column by column without any help.", (lambda p, tau: (p > np.ravel(tau)[0]) * 1, lambda p, tau: (p > np.max(tau)) * 1, lambda p, tau: (p > np.min(tau)) * 1)),
        Misconception("one answer per example", lambda p, tau: (p > tau).any(axis=1) * 1, "You return one answer per row. Every label of every example gets its own: the result has the shape of probs.", (lambda p, tau: (p > tau).all(axis=1) * 1, lambda p, tau: (p > tau).sum(axis=1))),
        Misconception("indices returned", lambda p, tau: np.argwhere(p > tau), "You return where the yeses are. What is asked for is an array of 0 and 1 with the shape of probs.", (lambda p, tau: np.nonzero(p > tau),)),
    ),
    hints=(
        "One comparison for the whole array. What does NumPy do with shapes (N, K) and (K,)?",
        "It lines up the last axes, so one threshold per label needs nothing special. Strictly above; True and False become 1 and 0.",
        "(probs > tau).astype(int)",
    ),
    minutes=5,
    difficulty=1,
)


# ---- f1_per_label
def _pairs(rng: Generator, n: int, k: int) -> tuple[ndarray, ndarray]:
    """Decisions and targets that agree more often than not; per label both have ones, and their numbers differ."""
    while True:
        targets = _halves(rng, n, k)
        decisions = np.where(rng.uniform(size=(n, k)) < 0.25, 1 - targets, targets)
        decided, true, found = decisions.sum(axis=0), targets.sum(axis=0), (decisions * targets).sum(axis=0)
        if (found > 0).all() and (decided != true).all() and (found < decided).any():
            return decisions, targets


_COUNTS = Tolerance(1e-7, 1e-7, reason="ratios of small counts: two different ones are 1e-3 apart, and 1e-8 added to a denominator does no harm")


def _f1_cases(rng: Generator) -> list[Case]:
    n, k = int(rng.integers(9, 12)), int(rng.integers(3, 5))
    decisions, targets = np.array([[0, 1, 0, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 1, 1]]), np.array([[0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])
    order = rng.permutation(5)
    return [
        case("more examples than labels", *_pairs(rng, n, k), tolerance=_COUNTS, trap="N ≠ K"),
        case("another batch", *_pairs(rng, n + 3, k - 1), tolerance=_COUNTS),
        case("as many labels as examples", *_pairs(rng, 6, 6), tolerance=_COUNTS, trap="N = K"),
        edge("a label that is neither decided nor true, one that is never true, one that is never decided", decisions[:, order], targets[:, order], tolerance=_COUNTS, trap="an empty label"),
        edge("nothing decided", np.zeros((4, 2), dtype=int), _halves(rng, 4, 2), tolerance=_COUNTS),
        edge("everything decided", np.ones((5, 3), dtype=int), _halves(rng, 5, 3), tolerance=_COUNTS),
        edge("N = 1", np.array([[1, 0, 1, 0]]), np.array([[1, 1, 0, 0]]), tolerance=_COUNTS),
    ]


def _f1(value, axis=0):
    """From true positives, false positives, false negatives and true negatives, counted along an axis."""

    def wrong(decisions, targets):
        d, t = np.asarray(decisions) == 1, np.asarray(targets) == 1
        return value(*((a & b).sum(axis=axis) for a, b in ((d, t), (d, ~t), (~d, t), (~d, ~t))))

    return wrong


def _ratio(a, b, empty=0.0):
    return np.where(b == 0, empty, a / np.where(b == 0, 1, b))


def _harmonic(tp, fp, fn, tn, empty=0.0):
    return _ratio(2 * tp, 2 * tp + fp + fn, empty)


def _nan_f1(tp, fp, fn, tn):
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)


def _guarded_ratios(e):
    def f1(tp, fp, fn, tn):
        precision, recall = tp / (tp + fp + e), tp / (tp + fn + e)
        return 2 * precision * recall / (precision + recall + e)

    return f1


f1_per_label = Exercise(
    reference=lib.f1_per_label,
    tiers=values_and_edge(2, 1),
    cases=_f1_cases,
    traps=("N ≠ K", "N = K", "an empty label", "N = 1"),
    equivalent_mutants=(("1 → 2", "a label with a count of 1 has no find: 0 over 1 and 0 over 2 are the same"),),
    misconceptions=(
        Misconception("0/0 is nan", _f1(_nan_f1), "A label that is never decided (or never true) makes a 0/0. By convention its F1 is 0. Write F1 in counts first: then one denominator is left, and it is 0 in one case only.", (_f1(lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn)),)),
        Misconception("1 for an empty label", _f1(lambda *c: _harmonic(*c, empty=1.0)), "A label that is neither decided nor true counts as perfect in yours. The convention here is 0, as in scikit-learn with zero_division=0: the docstring says so."),
        Misconception("accuracy", _f1(lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn)), "You count the right noes too: that is accuracy, which a label that is never decided can win. F1 looks at the yeses only.", (lambda d, t: (d == t).mean(), lambda d, t: (d == t).all(axis=1).mean(), lambda d, t: (d == t).mean(axis=1), lambda d, t: (d == t).all(axis=1) * 1.0)),
        Misconception("true noes counted as found", _f1(lambda tp, fp, fn, tn: _ratio(2 * (tp + tn), 2 * (tp + tn) + fp + fn)), "An example that is neither decided nor true is no find: F1 does not know the true noes at all."),
        Misconception("precision", _f1(lambda tp, fp, fn, tn: _ratio(tp, tp + fp)), "This is the share of the decided that are true, precision alone. F1 asks for the share of the true that were decided as well."),
        Misconception("recall", _f1(lambda tp, fp, fn, tn: _ratio(tp, tp + fn)), "This is the share of the true that were decided, recall alone: deciding everything makes it perfect. F1 asks for precision as well."),
        Misconception("arithmetic mean", _f1(lambda tp, fp, fn, tn: (_ratio(tp, tp + fp) + _ratio(tp, tp + fn)) / 2), "You average precision and recall. Deciding everything would still get more than half for its recall: the HARMONIC mean is near the smaller of the two."),
        Misconception("geometric mean", _f1(lambda tp, fp, fn, tn: np.sqrt(_ratio(tp, tp + fp) * _ratio(tp, tp + fn))), "This is the geometric mean of precision and recall; F1 is the harmonic one."),
        Misconception("product of precision and recall", _f1(lambda tp, fp, fn, tn: _ratio(tp, tp + fp) * _ratio(tp, tp + fn)), "The product of precision and recall is not yet their harmonic mean: a division is missing."),
        Misconception("2 forgotten", _f1(lambda *c: _harmonic(*c) / 2), "A perfect label gets ½ in yours: a factor is missing. The harmonic mean of two equal numbers is that number."),
        Misconception("Jaccard index", _f1(lambda tp, fp, fn, tn: _ratio(tp, tp + fp + fn)), "You divide what is in both by what is in either: the Jaccard index. In F1 a find counts in precision AND in recall, so it has weight two above and below."),
        Misconception("finds counted twice above, once below", _f1(lambda tp, fp, fn, tn: _ratio(2 * tp, tp + fp + fn)), "A perfect label gets 2 in yours. If a find counts twice above the line it counts twice below it: it is among the decided AND among the true."),
        Misconception("finds counted only", _f1(lambda tp, fp, fn, tn: tp * 1.0), "You return how many were found. F1 sets that number against how many were decided and how many are true.", (_f1(lambda tp, fp, fn, tn: tp / (tp + fp + fn + tn)),)),
        Misconception("one F1 for all labels", _f1(lambda *c: _harmonic(*c), axis=None), "You pool the counts of all labels (micro-averaged F1). What is asked for is one F1 per label, (K,): count along the examples only."),
        Misconception("mean over the labels", _f1(lambda *c: _harmonic(*c).mean()), "You return the mean of the F1s (macro-F1). What is asked for are the K numbers before that mean."),
        Misconception("one F1 per example", _f1(_harmonic, axis=1), "You count along the rows: one F1 per example, (N,). A label's F1 is counted down its column, over the examples.", (_f1(_nan_f1, axis=1), _f1(lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn), axis=1))),
        Misconception("epsilon in the denominator", _f1(_guarded_ratios(1e-6)), "A number added to a denominator keeps 0/0 away and makes every other F1 a little too low. Only one denominator can be 0: treat that case and leave the others exact.", (*(_f1(_guarded_ratios(e)) for e in (1e-5, 1e-4, 1e-3, 1.0)), *(_f1(lambda tp, fp, fn, tn, e=e: 2 * tp / (2 * tp + fp + fn + e)) for e in (1e-3, 1.0)))),
        Misconception("rounded to whole numbers", _f1(lambda *c: np.floor(_harmonic(*c))), "Everything but a perfect label became 0: a whole-number division or an integer array rounds it. Divide with /, into floats."),
    ),
    hints=(
        "For each label count three things down its column: decided and true, decided, true.",
        "Precision is TP / decided, recall TP / true. Put both into 2PR/(P + R) and simplify: one fraction of counts remains, with one denominator, which is 0 only for a label that is neither decided nor true.",
        "found = (decisions * targets).sum(axis=0); counted = decisions.sum(axis=0) + targets.sum(axis=0); 2 * found / np.maximum(counted, 1).",
    ),
    minutes=10,
    difficulty=2,
)


# ---- best_thresholds (extension)
def _scored(rng: Generator, n: int, k: int) -> tuple[ndarray, ndarray]:
    """Scores at least 0.01 apart within a label, and targets that go with them, of every label another share."""
    probs = (np.argsort(rng.uniform(size=(n, k)), axis=0) + rng.uniform(0.3, 0.7, size=(n, k))).round(2) / n
    return probs, (rng.uniform(size=(n, k)) < probs ** np.linspace(0.8, 3.0, k)).astype(int)


def _telling(rng: Generator, make) -> tuple[ndarray, ndarray]:
    """Such a draw on which the likely wrong ways give a lower F1 in some label, but a search that never decides the lowest score does not: that is an edge case."""
    while True:
        probs, targets = make(rng)
        best = lib.f1_per_label(lib.decide(probs, lib.best_thresholds(probs, targets)), targets)

        def falls_short(wrong):
            tau = wrong(probs, targets)
            return np.isfinite(tau).all() and bool((lib.f1_per_label(lib.decide(probs, tau), targets) < best - 1e-9).any())

        wrong_ways = (_by_accuracy, _at_least, _shared, _half, _everything, _by_precision)
        if targets.any(axis=0).all() and all(map(falls_short, wrong_ways)) and not falls_short(_searched(candidates=np.unique)):
            return probs, targets


def _best_thresholds_cases(rng: Generator) -> list[Case]:
    a, b = rng.uniform(0.31, 0.39), rng.uniform(0.61, 0.69)
    close = np.array([[a, b], [a + 2e-7, b - 3e-7], [a - 2e-7, b + 3e-7], [0.125, 0.25]])

    def tied(rng: Generator) -> tuple[ndarray, ndarray]:
        probs = rng.integers(1, 8, size=(8, 3)) / 8
        return probs, (rng.uniform(size=probs.shape) < probs).astype(int)

    everyone = np.array([[0.0, 0.375, 1.0], [0.25, 0.75, 0.5], [0.625, 0.5, 0.75]])
    return [
        case("more examples than labels", *_telling(rng, lambda r: _scored(r, 8, 3)), judge="highest_f1", trap="N ≠ K"),
        case("another batch", *_telling(rng, lambda r: _scored(r, 12, 2)), judge="highest_f1"),
        case("as many labels as examples", *_telling(rng, lambda r: _scored(r, 4, 4)), judge="highest_f1", trap="N = K"),
        edge("equal scores, multiples of 1/8", *_telling(rng, tied), judge="highest_f1", trap="ties"),
        edge("scores closer than any grid", close, np.array([[0, 0], [1, 0], [0, 1], [0, 0]]), judge="highest_f1"),
        edge("labels that every example has, one with a score of 0", everyone, np.array([[1, 1, 0], [1, 1, 1], [1, 1, 1]]), judge="highest_f1", trap="every example is to be decided"),
        edge("a label that no example has", *_empty(rng), judge="highest_f1"),
        edge("N = 1", np.array([[0.25, 0.75]]), np.array([[1, 0]]), judge="highest_f1"),
    ]


def _empty(rng: Generator) -> tuple[ndarray, ndarray]:
    probs, targets = _telling(rng, lambda r: _scored(r, 8, 3))
    targets[:, 1] = 0
    return probs, targets


def _measured(measure, decided, true):
    """A measure of every row of decided, (T, N) booleans."""
    tp, n, positive = (decided & true).sum(axis=1), decided.sum(axis=1), true.sum()
    return {"f1": 2 * tp / np.maximum(n + positive, 1), "accuracy": (decided == true).sum(axis=1), "precision": tp / np.maximum(n, 1), "recall": tp / max(positive, 1)}[measure]


def _searched(measure="f1", candidates=lambda s: np.concatenate([[-1.0], np.unique(s)]), above=np.greater, result=lambda tau: tau):
    """The first candidate with the highest measure, label by label."""

    def wrong(probs, targets):
        taus = []
        for scores, true in zip(probs.T, targets.T == 1, strict=True):
            tried = candidates(scores)
            taus.append(tried[int(np.argmax(_measured(measure, above(scores, np.array(tried)[:, None]), true)))])
        return result(np.array(taus))

    return wrong


_by_accuracy, _by_precision, _everything = _searched("accuracy"), _searched("precision"), _searched("recall")
_at_least = _searched(candidates=lambda s: np.unique(s)[::-1], above=np.greater_equal)


def _half(probs, targets):
    return np.full(probs.shape[1], 0.5)


def _shared(probs, targets):
    tried = np.concatenate([[-1.0], np.unique(probs)])
    scores = [_measured("f1", s > tried[:, None], t) for s, t in zip(probs.T, targets.T == 1, strict=True)]
    return np.full(probs.shape[1], tried[int(np.argmax(np.mean(scores, axis=0)))])


def _through_ties(middle):
    """The n first in falling order, for the best n, whether or not the next one has the same score."""

    def wrong(probs, targets):
        taus = []
        for scores, true in zip(probs.T, targets.T, strict=True):
            order = np.lexsort([-true, -scores])  # within equal scores the true ones first, as an optimist would have it
            s, hits = np.append(scores[order], -1.0), true[order].cumsum()
            n = int(np.argmax(2 * hits / (np.arange(1, len(hits) + 1) + max(hits[-1], 1)))) + 1
            taus.append((s[n - 1] + s[n]) / 2 if middle else s[n])
        return np.array(taus)

    return wrong


def _below(step):
    return lambda probs, targets: _at_least(probs, targets) - step


def _nan_f1_of(decided, true):
    tp = (decided & true).sum(axis=1)
    with np.errstate(all="ignore"):
        precision, recall = tp / decided.sum(axis=1), tp / true.sum()
        return 2 * precision * recall / (precision + recall)


def _nan_wins(candidates):
    """Precision, or F1, is 0/0 where nothing true is decided, and np.argmax takes nan for the highest."""

    def wrong(probs, targets):
        return np.array([(c := candidates(s))[int(np.argmax(_nan_f1_of(s > c[:, None], t)))] for s, t in zip(probs.T, targets.T == 1, strict=True)])

    return wrong


def _grid(n, first=0.0, last=1.0):
    return _searched(candidates=lambda s: np.linspace(first, last, n))


best_thresholds = Exercise(
    reference=lib.best_thresholds,
    tiers=values_and_edge(2, 1),
    cases=_best_thresholds_cases,
    extension=True,
    equivalent_mutants=(("1 → 2", "any number below 0 is below every score"),),
    traps=("N ≠ K", "N = K", "ties", "every example is to be decided", "N = 1"),
    misconceptions=(
        Misconception("tuned for accuracy", _by_accuracy, "Your thresholds are the best for accuracy, which counts right noes as much as right yeses. F1 does not, and its best threshold lies lower: count as f1_per_label does.", (_searched("accuracy", lambda s: np.concatenate([[-1.0], np.unique(s)])[::-1]), _searched("accuracy", lambda s: np.unique(s)))),
        Misconception("≥ for >", _at_least, "Your threshold IS the lowest score that is to be decided, and decide is strict: that example is left out. Put the threshold below it, at the next lower score or between the two."),
        Misconception("one threshold for all labels", _shared, "All labels have the same threshold. Each label's F1 depends on its own column only: search column by column.", (_half, lambda p, t: np.full(p.shape[1], np.mean(_searched()(p, t))))),
        Misconception("a grid of thresholds", _grid(101), "Your thresholds come from a regular grid, and scores can be closer than its steps. A threshold matters only through the set it decides: the scores themselves are all the candidates you need.", tuple(_grid(n) for n in (10, 11, 20, 21, 50, 51, 100, 201, 1000, 1001)) + tuple(_grid(n, *ends) for n, ends in ((99, (0.01, 0.99)), (19, (0.05, 0.95)), (9, (0.1, 0.9)), (100, (0.0, 0.99)), (121, (-0.1, 1.1)), (103, (-0.01, 1.01)), (1201, (-0.1, 1.1))))),
        Misconception("the lowest score is never decided", _searched(candidates=lambda s: np.unique(s)), "With scores as the only candidates the lowest-scored example can never be decided, for no score is below itself. Where every example has the label, that one is lost: one more candidate is needed.", (_searched(candidates=lambda s: np.unique(s)[::-1]), _searched(candidates=lambda s: np.concatenate([[0.0], np.unique(s)])), _searched(candidates=lambda s: (np.unique(s)[1:] + np.unique(s)[:-1]) / 2 if len(s) > 1 else s), _searched(candidates=lambda s: np.append((np.unique(s)[1:] + np.unique(s)[:-1]) / 2, 1.0)))),
        Misconception("equal scores cut apart", _through_ties(False), "You count as if the n highest could be decided for every n. Where the n-th and the next have the same score no threshold does that: they are decided together or not at all.", (_through_ties(True),)),
        Misconception("a small step below the score", _below(1e-6), "Your threshold lies a small number below the lowest score that is to be decided. Another score may lie between the two: take the next lower score itself, or the middle.", tuple(map(_below, (1e-5, 1e-4, 1e-3, 0.01)))),
        Misconception("tuned for precision", _by_precision, "Your thresholds have the highest precision: they decide the surest examples only. F1 asks for recall as well.", (_searched("precision", lambda s: np.unique(s)[::-1]),)),
        Misconception("tuned for recall", _everything, "Your thresholds decide every example: that is the best for recall, but not for F1.", (lambda p, t: np.full(p.shape[1], -1.0) - np.arange(p.shape[1]) / 8, lambda p, t: p.min(axis=0) - 0.01)),
        Misconception("nan taken for the highest", _nan_wins(lambda s: np.append(np.unique(s)[::-1], -1.0)), "At your thresholds nothing true is decided, so F1 is 0. Where no find is made precision and recall lead to 0/0: if that is nan in your search, np.argmax takes it for the largest.", (_nan_wins(lambda s: np.append(-1.0, np.unique(s))), _nan_wins(lambda s: np.unique(s)), _nan_wins(lambda s: np.linspace(0, 1, 101)))),
        Misconception("infinite threshold", _searched(candidates=lambda s: np.concatenate([[-np.inf], np.unique(s), [np.inf]])), "A threshold is infinite. All must be finite: any number below the lowest score decides everything, any at or above the highest nothing.", (_searched(candidates=lambda s: np.concatenate([[np.inf], np.unique(s)[::-1], [-np.inf]])),)),
        Misconception("one threshold per example", lambda p, t: p.max(axis=1), "You return one threshold per example, (N,). Each belongs to a label, (K,): search down the columns.", (lambda p, t: _searched()(p.T, t.T),)),
        Misconception("F1 returned", lambda p, t: lib.f1_per_label(lib.decide(p, lib.best_thresholds(p, t)), t) - 1e-3, "You return how high F1 gets; what is asked for is the threshold at which it gets there."),
    ),
    hints=(
        "A threshold matters only through the set of examples it decides. With N scores there are at most N + 1 such sets: which thresholds give them all?",
        "Sort a label's scores from the highest down. Deciding the n first takes a threshold at the (n+1)-th score (any number below them all for n = N), if the n-th is strictly above it. Their F1 needs one cumulative sum of the sorted targets.",
        "for every label: candidates = [-1.0, *scores]; take the one with the highest 2·found / (decided + true) for scores > candidate. That is right; with sort and cumsum it is fast as well.",
    ),
    minutes=25,
    difficulty=4,
)


# ---- focal_loss_in_torch
def _focal_cases(rng: Generator) -> list[Case]:
    n, k = _sizes(rng)
    logits, targets = _batch(rng, n, k, soft=False)
    others, more = _batch(rng, k, n, soft=False)
    square, third = _batch(rng, 3, 3, soft=False)
    dy = np.array(float(rng.uniform(0.5, 2.0)))
    far = np.array([[1000.0, -1000.0, 0.3], [-1000.0, 1000.0, -0.4]]) + np.array([0.0, 0.0, float(rng.uniform(0.1, 0.9))])
    return [
        case("exponent 2", logits, targets, 2.0, dy, op="torch", trap="N ≠ K"),
        case("exponent between 1 and 2", others, more, float(rng.uniform(1.1, 1.9)), dy, op="torch"),
        case("as many labels as examples", square, third, 3.0, dy, op="torch"),
        edge("exponent 0: plain cross-entropy", logits, targets, 0.0, dy, op="torch"),
        edge("|z| = 1000", far, np.array([[1, 1, 0], [1, 0, 1]]), 2.0, dy, op="torch"),
        edge("N = 1", logits[:1], targets[:1], 1.0, dy, op="torch"),
    ]


def _focal(factor=None, logs=None, reduce=lambda e: e.sum(dim=1).mean(), sign=-1.0, detach=False):
    """factor and logs: from p, q (the probability of what is true) and z, what is not right."""

    def wrong(logits, targets, gamma):
        import torch

        z = torch.where(targets == 1, logits, -logits)
        p, q, rest = torch.sigmoid(logits), torch.sigmoid(z), torch.sigmoid(-z)
        weight = rest**gamma if factor is None else factor(p, q, rest, targets, gamma)
        log_q = torch.nn.functional.logsigmoid(z) if logs is None else logs(q, logits, targets)
        return reduce(sign * (weight.detach() if detach else weight) * log_q)

    return wrong


def _with_softmax(logits, targets, gamma):
    import torch

    p = torch.softmax(logits, dim=1)
    return -(targets * (1 - p) ** gamma * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _cut_off(logits, targets, gamma):
    return lib.focal_loss_in_torch(logits.detach(), targets, gamma) + 0 * logits.sum()


focal_loss_in_torch = Exercise(
    reference=lib.focal_loss_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_focal_cases,
    torch=True,
    traps=("N ≠ K", "|z| = 1000", "N = 1"),
    misconceptions=(
        Misconception("factor of the wrong probability", _focal(lambda p, q, rest, y, g: q**g), "Your factor is large where the answer is already right: the easy entries win. It must fade as the probability of what is true goes to 1."),
        Misconception("factor from p for both targets", _focal(lambda p, q, rest, y, g: (1 - p) ** g), "Your factor is the same function of p whether the target is 1 or 0. Where the target is 0, what is true has probability 1 − p: an easy no must fade too.", (_focal(lambda p, q, rest, y, g: p**g),)),
        Misconception("factor on the yeses only", _focal(lambda p, q, rest, y, g: (rest**g) * y + (1 - y)), "Where the target is 0 your factor is 1. Focal loss fades every easy entry, the easy noes above all: they are most of the data."),
        Misconception("factor on the noes only", _focal(lambda p, q, rest, y, g: (rest**g) * (1 - y) + y), "Where the target is 1 your factor is 1. Focal loss fades every easy entry, of either target."),
        Misconception("multiplied by γ", _focal(lambda p, q, rest, y, g: g * rest), "γ multiplies in yours. It is an exponent: γ = 0 must give plain cross-entropy back."),
        Misconception("factor forgotten", _focal(lambda p, q, rest, y, g: rest * 0 + 1), "This is plain cross-entropy. Every entry has a factor that fades as it gets easy."),
        Misconception("noes forgotten", _focal(lambda p, q, rest, y, g: y * rest**g), "An entry whose target is 0 costs nothing in yours: all sigmoids at 1 would be perfect."),
        Misconception("factor of the mean", lambda z, y, g: _focal_of_mean(z, y, g, "mean"), "You take the mean of the cross-entropy first and weight that one number. Every entry has a factor of its own: keep the entries apart (reduction=\"none\") until they are weighted.", (lambda z, y, g: _focal_of_mean(z, y, g, "sum"),)),
        Misconception("balanced by α", _focal(lambda p, q, rest, y, g: (0.25 * y + 0.75 * (1 - y)) * rest**g), "You have the paper's second factor α as well. Here there is none: γ = 0 must give plain cross-entropy back.", (_focal(lambda p, q, rest, y, g: 0.25 * rest**g), _focal(lambda p, q, rest, y, g: (0.25 * y + (1 - y)) * rest**g))),
        Misconception("factor detached", _focal(detach=True), "The value is right, the gradient is not: your factor is treated as a constant (.detach(), torch.no_grad, .data). It depends on the logits too, so both factors pass a gradient."),
        Misconception("gradient cut off", _cut_off, "The value is right, but no gradient reaches the logits: something was detached or turned into a number on the way (.detach(), .item(), .data, torch.tensor of a tensor)."),
        Misconception("softmax", _with_softmax, "The labels compete for one unit of probability in yours. Each has a sigmoid of its own."),
        Misconception("mean over N·K", _focal(reduce=lambda e: e.mean()), "You average over all N·K entries, PyTorch's default. Here the labels are summed and only the examples averaged."),
        Misconception("sum over the batch", _focal(reduce=lambda e: e.sum()), "You sum over the batch: the loss is the mean over the examples of each one's sum."),
        Misconception("averaged over the labels only", _focal(reduce=lambda e: e.mean(dim=1).sum()), "You average over the labels and sum over the examples: it is the other way round."),
        Misconception("one loss per example", _focal(reduce=lambda e: e.sum(dim=1)), "You return one loss per example. The result is a scalar: their mean."),
        Misconception("minus forgotten", _focal(sign=1.0), "Logarithms of probabilities are negative, a loss is not: the sign is missing."),
        Misconception(
            "overflow",
            _focal(logs=lambda q, z, y: q.log()),
            "At logits of ±1000 a probability is rounded to 0 before its logarithm is taken: −inf, and nan in the gradient. torch.nn.functional.logsigmoid, or binary_cross_entropy_with_logits, takes both steps at once.",
            (lambda z, y, g: _naive_focal(z, y, g),),
        ),
        Misconception("epsilon in the logarithm", _focal(logs=lambda q, z, y: (q + 1e-12).log()), "A small number added to the probability (or a clip) caps the loss and kills the gradient of the worst mistakes. torch.nn.functional.logsigmoid needs none.", (*(_focal(logs=lambda q, z, y, e=e: (q + e).log()) for e in (*EPSILONS, *LARGE_EPSILONS)), *(_focal(logs=lambda q, z, y, e=e: q.clamp(e, 1 - e).log()) for e in LARGE_EPSILONS))),
    ),
    hints=(
        "Turn every entry into one question: what is the logit of what is TRUE? It is z where the target is 1; and where it is 0?",
        "With m = z or −z the probability of what is true is sigmoid(m), of the rest sigmoid(−m), and the logarithm is logsigmoid(m). Minus factor times logarithm; sum over dim 1, mean over the batch.",
        "m = torch.where(targets == 1, logits, -logits); losses = -torch.sigmoid(-m) ** gamma * torch.nn.functional.logsigmoid(m); losses.sum(dim=1).mean()",
    ),
    minutes=8,
    difficulty=2,
)


def _focal_of_mean(logits, targets, gamma, reduction):
    import torch

    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction=reduction)
    return (1 - torch.exp(-loss)) ** gamma * loss


def _naive_focal(logits, targets, gamma):
    import torch

    p = torch.sigmoid(logits)
    return -(targets * (1 - p) ** gamma * torch.log(p) + (1 - targets) * p**gamma * torch.log(1 - p)).sum(dim=1).mean()


TOPIC = Topic(
    name="multi_label",
    assignment="3_losses",
    title="Several labels at once",
    exercises=(multilabel_bce_with_logits, multilabel_bce_with_logits_grad, decide, f1_per_label, best_thresholds, focal_loss_in_torch),
    written=(Written("one_odds_two_knobs", points=3, minutes=10),),
)
