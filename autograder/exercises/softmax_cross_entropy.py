"""Exercises of softmax_cross_entropy: softmax, cross-entropy, their gradients, label smoothing."""
import numpy as np
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Topic, Written, case, edge, values_and_edge
from class4lib import softmax_cross_entropy as lib


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and K, different, so that an axis taken for the other shows."""
    n, k = rng.permutation([3, 4, 5])[:2]
    return int(n), int(k)


def _batch(rng: Generator, targets: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, K) and targets: labels, probabilities (rows sum to 1) or weights (they do not)."""
    n, k = _sizes(rng)
    made = {"labels": lambda: rng.integers(k, size=n), "probabilities": lambda: rng.dirichlet(np.ones(k), size=n), "weights": lambda: rng.uniform(0.2, 2.0, size=(n, k))}
    return rng.normal(scale=2.0, size=(n, k)), made[targets]()


def _extremes(rng: Generator) -> np.ndarray:
    """Rows near -1000 and near +1000 together, and one that holds both."""
    rows = rng.normal(size=(3, 4))
    return rows + np.array([[-998.0], [997.0], [0.0]]) * np.array([1.0, 1.0, 1.0, 1.0]) + np.array([[0.0] * 4, [0.0] * 4, [990.0, -990.0, 0.0, 0.0]])


def _one_hot(targets: np.ndarray, k: int) -> np.ndarray:
    return np.eye(k)[targets] if targets.ndim == 1 else targets


def _reduced(losses: np.ndarray, reduction: str, n: int) -> object:
    return losses if reduction == "none" else losses.sum() / (n if reduction == "mean" else 1)


EPSILONS = (1e-8, 1e-9, 1e-10, 1e-15, 1e-16, 1e-7, 1e-6, 1e-5, 1e-300)


# ---- softmax
def _softmax_cases(rng: Generator) -> list[Case]:
    n, k = _sizes(rng)
    return [
        case("a batch of rows, N ≠ K", rng.normal(scale=2.0, size=(n, k))),
        case("a single row of logits, 1-D", rng.normal(scale=2.0, size=k)),
        case("two leading axes", rng.normal(scale=2.0, size=(2, n, k))),
        case("N = 1, K = 2", rng.normal(scale=2.0, size=(1, 2))),
        edge("rows near −1000 and +1000 together", _extremes(rng)),
        edge("logits that are integers", rng.integers(-4, 5, size=(n, k))),
        edge("all logits equal", np.full((2, k), float(rng.integers(1, 9)))),
    ]


def _softmax_over(axis: int | None, shift: object = "row"):
    def wrong(logits):
        m = {"row": lambda: logits.max(axis=axis, keepdims=True), "none": lambda: 0.0, "batch": lambda: logits.max(), "mean": lambda: logits.mean(axis=axis, keepdims=True)}[shift]()
        e = np.exp(logits - m)
        return e / e.sum(axis=axis, keepdims=True)

    return wrong


softmax = Exercise(
    reference=lib.softmax,
    tiers=values_and_edge(2, 2),
    cases=_softmax_cases,
    traps=("rows near −1000 and +1000 together",),
    misconceptions=(
        Misconception("axis 0", _softmax_over(0), "Each row is one example, and its own probabilities must sum to 1. Yours sum to 1 down the columns: sum and shift along the LAST axis."),
        Misconception("normalised over the whole batch", _softmax_over(None), "All your numbers together sum to 1. Every row is an example of its own: sum along the last axis, and keep that axis so that the division broadcasts."),
        Misconception("no shift", _softmax_over(-1, "none"), "exp overflows for logits above about 709, and inf/inf is nan. A number subtracted from a whole row cancels in the ratio: choose it so that no exponent is positive."),
        Misconception("batch-wide maximum", _softmax_over(-1, "batch"), "You subtract one maximum for the whole array. A row far below it becomes exp(-2000) = 0 everywhere, and 0/0 is nan: each row needs its own maximum."),
        Misconception("shifted by the mean", _softmax_over(-1, "mean"), "Any shift cancels in the ratio, but only the row's maximum makes sure that no exponent is positive; after the mean some still overflow."),
        Misconception("exponential forgotten", lambda logits: logits / logits.sum(axis=-1, keepdims=True), "You divide the logits themselves by their sum: negative logits give negative 'probabilities'. What makes every term positive before the division?"),
        Misconception("sigmoid", lambda logits: 1 / (1 + np.exp(-logits)), "You squash every logit on its own: the entries of a row do not sum to 1. Softmax couples them through a common denominator."),
        Misconception("not normalised", lambda logits: np.exp(logits - logits.max(axis=-1, keepdims=True)), "The exponentials are right, but a row does not sum to 1 yet."),
    ),
    hints=(
        "Exponentiate, then divide each row by its own sum. What happens to exp(1000)?",
        "p does not change when a constant is subtracted from all logits of a row. With the row's maximum as that constant the largest exponent is 0.",
        "m = logits.max(axis=-1, keepdims=True); e = np.exp(logits - m); then e divided by e's sum along the same axis, keepdims again.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- log_softmax
def _log_softmax_cases(rng: Generator) -> list[Case]:
    n, k = _sizes(rng)
    return [
        case("a batch of rows, N ≠ K", rng.normal(scale=2.0, size=(n, k))),
        case("a single row of logits, 1-D", rng.normal(scale=2.0, size=k)),
        case("two leading axes", rng.normal(scale=2.0, size=(2, n, k))),
        case("N = 1, K = 2", rng.normal(scale=2.0, size=(1, 2))),
        edge("rows near −1000 and +1000 together", _extremes(rng)),
        edge("a probability that rounds to 0", np.array([[0.0, float(rng.integers(-60, -45)), -800.0]])),
    ]


def _log_sum_exp_with(shift: str):
    def wrong(logits):
        m = {"none": lambda: 0.0, "batch": lambda: logits.max()}[shift]()
        return logits - m - np.log(np.exp(logits - m).sum(axis=-1, keepdims=True))

    return wrong


def _log_softmax_axis_0(logits):
    shifted = logits - logits.max(axis=0, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))


log_softmax = Exercise(
    reference=lib.log_softmax,
    tiers=values_and_edge(1, 2),
    cases=_log_softmax_cases,
    traps=("rows near −1000 and +1000 together",),
    misconceptions=(
        Misconception("logarithm of softmax", lambda z: np.log(lib.softmax(z)), "softmax rounds a tiny probability to exactly 0, and log 0 is -inf. Take the logarithm on paper first: log(a/b) = log a - log b, and log exp cancels."),
        Misconception("epsilon in the logarithm", lambda z: np.log(lib.softmax(z) + 1e-12), "A small number added to the probability (or a clip) puts a floor under the result, where the true logarithm goes on to -2000. Algebra needs no epsilon: simplify the logarithm of the quotient before you compute.", (*(lambda z, e=e: np.log(lib.softmax(z) + e) for e in EPSILONS), *(lambda z, e=e: np.log(np.clip(lib.softmax(z), e, 1.0)) for e in (1e-12, *EPSILONS)))),
        Misconception("no shift", _log_sum_exp_with("none"), "The exponentials overflow (or all vanish) for logits near ±1000. Subtract each row's maximum first; it cancels."),
        Misconception("batch-wide maximum", _log_sum_exp_with("batch"), "You subtract one maximum for the whole array; in a row far below it every exponential is 0 and the logarithm -inf. Each row needs its own maximum."),
        Misconception("axis 0", _log_softmax_axis_0, "You normalise down the columns. Each row is one example: maximum and sum run along the LAST axis."),
        Misconception("log-sum left out", lambda z: z - z.max(axis=-1, keepdims=True), "You return the shifted logits. Their exponentials do not sum to 1 yet: one term of the formula, the same for the whole row, is missing."),
        Misconception("logarithm of the sum forgotten", lambda z: z - z.max(axis=-1, keepdims=True) - np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True), "You subtract the sum of the exponentials; the logarithm of a quotient subtracts the LOGARITHM of the denominator."),
    ),
    hints=(
        "Write log softmax on paper as a difference of two logarithms. One of them cancels against the exponential.",
        "log p_k = z_k - log Σ exp(z_j). Shift z by its row's maximum before the exponentials: nothing overflows and at least one of them is 1.",
        "shifted = logits - maximum of each row; the result is shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)).",
    ),
    minutes=10,
    difficulty=2,
)


# ---- softmax_jacobian
def _jacobian_cases(rng: Generator) -> list[Case]:
    n, k = _sizes(rng)
    return [
        case("probabilities of one row, 1-D", rng.dirichlet(np.ones(k))),
        case("a batch of rows, N ≠ K", rng.dirichlet(np.ones(k), size=n)),
        case("two leading axes", rng.dirichlet(np.ones(3), size=(2, 2))),
        edge("K = 2", rng.dirichlet(np.ones(2), size=1)),
        edge("a certain class: p is one-hot", np.eye(k)[rng.integers(k, size=2)]),
    ]


def _outer(p):
    return p[..., :, None] * p[..., None, :]


def _diagonal(p):
    return p[..., :, None] * np.eye(p.shape[-1])


softmax_jacobian = Exercise(
    reference=lib.softmax_jacobian,
    tiers=values_and_edge(2, 1),
    cases=_jacobian_cases,
    misconceptions=(
        Misconception("diagonal only", lambda p: _diagonal(p * (1 - p)), "You give dp_k/dz_k and zeros elsewhere. Every logit stands in the common denominator, so p_k moves with z_j too: the entries off the diagonal are not 0."),
        Misconception("diagonal left out", lambda p: -_outer(p), "Off the diagonal you are right. For j = k the numerator depends on z_k as well: a term is missing there."),
        Misconception("wrong sign off the diagonal", lambda p: _diagonal(p) - _diagonal(p * p) + (_outer(p) - _diagonal(p * p)), "Raising one logit must LOWER every other probability: the entries off the diagonal are negative."),
        Misconception("sign", lambda p: _outer(p) - _diagonal(p), "Raising a logit raises its own probability: the diagonal must be positive. Yours is the whole matrix times -1."),
        Misconception("derivative of each entry as a vector", lambda p: p * (1 - p), "You return one number per probability. There are K probabilities and K logits: the result has K × K entries for every row."),
        Misconception("identity times nothing", lambda p: np.eye(p.shape[-1]) - _outer(p), "The diagonal of the first term is not 1: compare with p_k (1 - p_k) for j = k."),
        Misconception("plus instead of minus", lambda p: _diagonal(p) + _outer(p), "Each row of the Jacobian must sum to 0, since the probabilities always sum to 1. Yours sums to 2 p_k: check the sign of the second term."),
    ),
    hints=(
        "Start from log p_k = z_k − log Σ exp(z_j) and differentiate it in z_j, once for j = k and once for j ≠ k.",
        "dp_k/dz_j = p_k · d log p_k/dz_j, and d log p_k/dz_j = [k = j] − p_j.",
        "For one row it is np.diag(p) - np.outer(p, p); with leading axes write p[..., :, None] * (np.eye(K) - p[..., None, :]).",
    ),
    minutes=20,
    difficulty=3,
)


# ---- cross_entropy
def _cross_entropy_cases(rng: Generator) -> list[Case]:
    logits, labels = _batch(rng, "labels")
    probs = lib.softmax(logits)
    n, k = probs.shape
    soft = lib.softmax(rng.normal(size=(k, n)))
    zero = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.25, 0.25, 0.5]])
    return [
        case("labels, mean", probs, labels),
        case("labels, sum", probs, labels, "sum"),
        case("labels, none", probs, labels, "none"),
        case("probabilities as targets, mean", soft, rng.dirichlet(np.ones(n), size=k)),
        case("probabilities as targets, none", soft, rng.dirichlet(np.ones(n), size=k), "none"),
        edge("a probability of 0 under a target of 0", zero, np.array([1, 2, int(rng.integers(3))])),
        edge("a probability of 0 under a weight of 0, weights per class", zero, np.array([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75], [0.5, 0.5, 0.0]]), "none"),
        edge("a probability of 1e-9 or 1e-200 at the target", np.array([[1e-9, 1 - 1e-9], [1e-200, 1.0]]), np.array([0, 0]), "none"),
        edge("weights that do not sum to 1", soft, rng.uniform(0.2, 2.0, size=(k, n)), "sum"),
        edge("weights per class that are integers", soft, rng.integers(0, 3, size=(k, n)) + np.eye(k, n, dtype=int), trap=""),
        edge("N = 1", probs[:1], labels[:1]),
    ]


def _ce(log=np.log, sign=-1.0, mean_over="N", guard=True, only_mean=False):
    def wrong(probs, targets, reduction="mean"):
        weights = _one_hot(targets, probs.shape[1])
        terms = weights * log(np.where(weights == 0, 1.0, probs) if guard else probs)
        losses = sign * terms.sum(axis=1)
        if only_mean:
            return losses.mean()
        return losses if reduction == "none" else losses.sum() / ({"N": len(probs), "NK": probs.size, "1": 1}[mean_over] if reduction == "mean" else 1)

    return wrong


cross_entropy = Exercise(
    reference=lib.cross_entropy,
    tiers=values_and_edge(2, 1),
    cases=_cross_entropy_cases,
    traps=("weights that do not sum to 1", "N = 1"),
    equivalent_mutants=(("1.0 → 2.0", "only the logarithm of a term of weight 0 changes, and 0 times it is 0"), ("1.0 → 1.01", "only the logarithm of a term of weight 0 changes, and 0 times it is 0")),
    misconceptions=(
        Misconception("minus forgotten", _ce(sign=1.0), "Logarithms of probabilities are negative, a loss is not: the sign is missing."),
        Misconception("0 log 0 is nan", _ce(guard=False), "0 · log 0 is nan for NumPy, but 0 in the limit: a class of weight 0 adds nothing. Let the logarithm see a harmless number there."),
        Misconception("epsilon in the logarithm", lambda p, t, reduction="mean": _ce(guard=False)(p + 1e-12, t, reduction), "A small number added to the probability (or a clip) changes the loss: at p = 1e-200 it should be 460.5, and yours stops long before. Only the terms whose weight is 0 need care.", (*(lambda p, t, reduction="mean", e=e: _ce(guard=False)(p + e, t, reduction) for e in EPSILONS[:-1]), *(lambda p, t, reduction="mean", e=e: _ce(guard=False)(np.clip(p, e, 1.0), t, reduction) for e in (1e-12, *EPSILONS[:-1])))),
        Misconception("mean over N·K", _ce(mean_over="NK"), "The mean divides by the number of examples N. You divide by all N·K entries: sum over the classes first, then average over the rows."),
        Misconception("reduction ignored", _ce(only_mean=True), 'You always return the mean: "sum" and "none" must differ.'),
        Misconception("mean not divided by N", _ce(mean_over="1"), '"mean" gives the sum here: divide by the number of rows.'),
        Misconception("logarithm to base 2", _ce(log=np.log2), "Your result is in bits. The course uses nats: the natural logarithm."),
        Misconception("probability without the logarithm", _ce(log=lambda p: p), "You weight the probabilities themselves; the loss weights their logarithms."),
    ),
    hints=(
        "Turn labels into one-hot rows first; then both kinds of target are the same formula.",
        "Per example: minus the sum over classes of weight · log(probability); guard the terms of weight 0. Then reduce over the rows.",
        "weights = np.eye(K)[targets] if targets.ndim == 1 else targets; losses = -(weights * np.log(np.where(weights == 0, 1.0, probs))).sum(axis=1).",
    ),
    minutes=15,
    difficulty=2,
)


# ---- cross_entropy_grad (extension)
def _cross_entropy_grad_cases(rng: Generator) -> list[Case]:
    logits, labels = _batch(rng, "labels")
    probs = lib.softmax(logits)
    n, k = probs.shape
    soft = lib.softmax(rng.normal(size=(k, n)))
    zero = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    return [
        case("labels, mean", probs, labels),
        case("labels, sum", probs, labels, "sum"),
        case("probabilities as targets, mean", soft, rng.dirichlet(np.ones(n), size=k)),
        case("probabilities as targets, none: gradient of the sum", soft, rng.dirichlet(np.ones(n), size=k), "none"),
        edge("a probability of 0 under a target of 0", zero, np.array([1, 2])),
        edge("weights that do not sum to 1", soft, rng.uniform(0.2, 2.0, size=(k, n))),
        edge("N = 1", probs[:1], labels[:1]),
    ]


def _ce_grad(sign=-1.0, divisor="N", guard=True, logits=False):
    def wrong(probs, targets, reduction="mean"):
        weights = _one_hot(targets, probs.shape[1])
        g = probs - weights if logits else sign * weights / (np.where(weights == 0, 1.0, probs) if guard else probs)
        return g / ({"N": len(probs), "NK": probs.size, "1": 1}[divisor] if reduction == "mean" else 1)

    return wrong


cross_entropy_grad = Exercise(
    reference=lib.cross_entropy_grad,
    tiers=values_and_edge(1, 1),
    cases=_cross_entropy_grad_cases,
    extension=True,
    traps=("weights that do not sum to 1", "N = 1"),
    equivalent_mutants=(("1.0 → 2.0", "it divides a weight of 0, and 0 by anything is 0"), ("1.0 → 1.01", "it divides a weight of 0, and 0 by anything is 0")),
    misconceptions=(
        Misconception("gradient in the logits", _ce_grad(logits=True), "p − y is the gradient in the LOGITS. Here every probability is a free variable: differentiate −y log p in p."),
        Misconception("minus forgotten", _ce_grad(sign=1.0), "A larger probability at the target must lower the loss: the gradient there is negative."),
        Misconception("0/0 is nan", _ce_grad(guard=False), "Where the weight is 0 the term −0·log p is constant: its derivative is 0, also at p = 0. Divide by a harmless number there."),
        Misconception("1/N forgotten", _ce_grad(divisor="1"), 'The loss is a mean over N rows, so its gradient has 1/N too (not for "sum" and "none").'),
        Misconception("mean over N·K", _ce_grad(divisor="NK"), "You divide by all N·K entries; the mean divides by the number of rows."),
    ),
    hints=(
        "Each probability stands in one term only: differentiate −y log p.",
        "The derivative is −y/p; where y = 0 it is 0 whatever p is. Then the factor of the reduction.",
        "-weights / np.where(weights == 0, 1.0, probs), divided by the number of rows for the mean.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- softmax_cross_entropy
def _sce_cases(rng: Generator) -> list[Case]:
    logits, labels = _batch(rng, "labels")
    others, soft = _batch(rng, "probabilities")
    more, weights = _batch(rng, "weights")
    extreme = _extremes(rng)
    return [
        case("labels, mean", logits, labels),
        case("labels, sum", logits, labels, "sum"),
        case("labels, none", logits, labels, "none"),
        case("probabilities as targets, mean", others, soft),
        case("probabilities as targets, none", others, soft, "none"),
        edge("rows near −1000 and +1000 together", extreme, np.array([0, 1, 1]), "none"),
        edge("rows near −1000 and +1000 together, soft targets", extreme, rng.dirichlet(np.ones(4), size=3)),
        edge("weights that do not sum to 1", more, weights),
        edge("weights per class that are integers", more, np.eye(*more.shape, dtype=int) + 1, "sum", trap=""),
        edge("N = 1", logits[:1], labels[:1]),
    ]


def _sce(log_probs=lib.log_softmax, sign=-1.0, mean_over="N", only_mean=False):
    def wrong(logits, targets, reduction="mean"):
        return _ce(log=lambda w: w, sign=sign, mean_over=mean_over, guard=False, only_mean=only_mean)(log_probs(logits), targets, reduction)

    return wrong


softmax_cross_entropy = Exercise(
    reference=lib.softmax_cross_entropy,
    tiers=values_and_edge(1, 2),
    cases=_sce_cases,
    traps=("rows near −1000 and +1000 together", "weights that do not sum to 1", "N = 1"),
    misconceptions=(
        Misconception("softmax applied twice", _sce(lambda z: lib.log_softmax(lib.softmax(z))), "The logits go through softmax twice. Then even a perfect classifier cannot get its loss near 0: give the logits themselves to the second step."),
        Misconception("logarithm of softmax", _sce(lambda z: np.log(lib.softmax(z))), "softmax rounds a tiny probability to 0, and its logarithm is -inf. Use the logarithm of softmax simplified on paper, as in log_softmax."),
        Misconception("guarded logarithm of softmax", lambda z, t, reduction="mean": _ce()(lib.softmax(z), t, reduction), "The loss goes through a probability that was rounded to 0, so it is inf where it should be 2000. Work with log-probabilities that never were probabilities."),
        Misconception("epsilon in the logarithm", _sce(lambda z: np.log(lib.softmax(z) + 1e-12)), "A small number added to the probability (or a clip) caps the loss, where it should go on to 2000, and so kills the gradient of the worst mistakes. log_softmax needs none.", (*(_sce(lambda z, e=e: np.log(lib.softmax(z) + e)) for e in EPSILONS), *(_sce(lambda z, e=e: np.log(np.clip(lib.softmax(z), e, 1.0))) for e in (1e-12, *EPSILONS)))),
        Misconception("no shift", _sce(_log_sum_exp_with("none")), "The exponentials overflow or all vanish for logits near ±1000. Subtract each row's maximum first."),
        Misconception("batch-wide maximum", _sce(_log_sum_exp_with("batch")), "One maximum for the whole batch makes every exponential of a much smaller row 0. Each row needs its own."),
        Misconception("minus forgotten", _sce(sign=1.0), "Log-probabilities are negative, a loss is not: the sign is missing."),
        Misconception("mean over N·K", _sce(mean_over="NK"), "The mean divides by the number of examples N; you divide by all N·K entries."),
        Misconception("reduction ignored", _sce(only_mean=True), 'You always return the mean: "sum" and "none" must differ.'),
        Misconception("mean not divided by N", _sce(mean_over="1"), '"mean" gives the sum here: divide by the number of rows.'),
        Misconception("softmax forgotten", lambda z, t, reduction="mean": _ce(log=lambda w: w, guard=False)(z, t, reduction), "You weight the logits themselves. They are not log-probabilities yet: their exponentials do not sum to 1."),
    ),
    hints=(
        "You have log_softmax: the loss is minus the weighted sum of its entries.",
        "Labels become one-hot rows; per example −Σ_k y_k log p_k; then the reduction over rows.",
        "log_probs as in log_softmax; losses = -(weights * log_probs).sum(axis=1); mean divides by len(logits).",
    ),
    minutes=10,
    difficulty=2,
)


# ---- softmax_cross_entropy_grad
def _sce_grad_cases(rng: Generator) -> list[Case]:
    logits, labels = _batch(rng, "labels")
    others, soft = _batch(rng, "probabilities")
    more, weights = _batch(rng, "weights")
    extreme = _extremes(rng)
    return [
        case("labels, mean", logits, labels),
        case("labels, sum", logits, labels, "sum"),
        case("labels, none: gradient of the sum", logits, labels, "none"),
        case("probabilities as targets, mean", others, soft),
        edge("targets that do not sum to 1", more, weights),
        edge("targets that do not sum to 1, sum", more, weights, "sum"),
        edge("rows near −1000 and +1000 together", extreme, np.array([0, 1, 1])),
        edge("weights per class that are integers", more, np.eye(*more.shape, dtype=int) + 1, trap=""),
        edge("N = 1", logits[:1], labels[:1]),
    ]


def _sce_grad(probs=lib.softmax, divisor="N", form=lambda p, y: p * y.sum(axis=1, keepdims=True) - y):
    def wrong(logits, targets, reduction="mean"):
        weights = _one_hot(targets, logits.shape[1])
        return form(probs(logits), weights) / ({"N": len(logits), "NK": logits.size, "1": 1}[divisor] if reduction == "mean" else 1)

    return wrong


softmax_cross_entropy_grad = Exercise(
    reference=lib.softmax_cross_entropy_grad,
    tiers=values_and_edge(2, 1),
    cases=_sce_grad_cases,
    traps=("targets that do not sum to 1", "rows near −1000 and +1000 together", "N = 1"),
    misconceptions=(
        Misconception("p − 1 on every class", _sce_grad(form=lambda p, y: p - 1), "You subtract 1 from every class. Only the class of the label has y = 1; for the others y = 0."),
        Misconception("targets assumed to sum to 1", _sce_grad(form=lambda p, y: p - y), "p − y holds where the targets of a row sum to 1. Derive it again without that step: Σ_k y_k stays as a factor of p."),
        Misconception("sign", _sce_grad(form=lambda p, y: y - p * y.sum(axis=1, keepdims=True)), "This is the direction in which the loss FALLS. The gradient points the other way."),
        Misconception("1/N forgotten", _sce_grad(divisor="1"), 'The loss is a mean over N rows, so its gradient has 1/N too (not for "sum" and "none").'),
        Misconception("mean over N·K", _sce_grad(divisor="NK"), "You divide by all N·K entries; the mean divides by the number of rows."),
        Misconception("gradient in the probabilities", _sce_grad(form=lambda p, y: -y / p), "This is the gradient in the probabilities. The chain goes on through softmax to the logits."),
        Misconception("diagonal Jacobian", _sce_grad(form=lambda p, y: -y * (1 - p)), "You used only dp_k/dz_k of softmax. Every probability depends on every logit: the terms off the diagonal are missing."),
        Misconception("no shift", _sce_grad(probs=_softmax_over(-1, "none")), "exp overflows for logits near 1000 and inf/inf is nan. Use a softmax that subtracts each row's maximum."),
        Misconception("batch-wide maximum", _sce_grad(probs=_softmax_over(-1, "batch")), "One maximum for the whole batch makes a much smaller row 0/0. Each row needs its own."),
        Misconception("softmax applied twice", _sce_grad(probs=lambda z: lib.softmax(lib.softmax(z))), "The logits go through softmax twice: once is right."),
        Misconception("softmax forgotten", _sce_grad(probs=lambda z: z), "You subtract the targets from the logits; it is the probabilities that they are subtracted from."),
    ),
    hints=(
        "Write L = −Σ_k y_k log p_k with log p_k = z_k − log Σ exp(z_j), and differentiate in one z_j.",
        "dL/dz_j = −y_j + p_j Σ_k y_k. Where the targets sum to 1 that is p_j − y_j. The mean adds 1/N.",
        "(softmax(logits) * weights.sum(axis=1, keepdims=True) - weights), divided by len(logits) for the mean.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- label_smoothing
def _label_smoothing_cases(rng: Generator) -> list[Case]:
    n, k = _sizes(rng)
    return [
        case("a batch of labels", rng.integers(k, size=n), k, float(rng.uniform(0.05, 0.3))),
        case("N = 1", rng.integers(k, size=1), k, 0.1),
        case("K = 2, epsilon large", rng.integers(2, size=n), 2, float(rng.uniform(0.4, 0.6))),
        edge("epsilon = 0", rng.integers(k, size=n), k, 0.0),
        edge("epsilon = 1", rng.integers(k, size=n), k, 1.0),
        edge("a class that no label has", np.zeros(3, dtype=int), k + 2, float(rng.uniform(0.1, 0.3))),
    ]


def _smoothed(right, wrong_class):
    def wrong(labels, n_classes, epsilon):
        hot = np.eye(n_classes)[labels]
        return hot * right(epsilon, n_classes) + (1 - hot) * wrong_class(epsilon, n_classes)

    return wrong


label_smoothing = Exercise(
    reference=lib.label_smoothing,
    tiers=values_and_edge(0.5, 0.5),
    cases=_label_smoothing_cases,
    misconceptions=(
        Misconception("ε/(K−1) smoothing", _smoothed(lambda e, k: 1 - e, lambda e, k: e / (k - 1)), "You spread ε over the K − 1 wrong classes. Here it is spread over ALL K classes, the right one included: look at the docstring."),
        Misconception("share of the right class forgotten", _smoothed(lambda e, k: 1 - e, lambda e, k: e / k), "Your rows sum to less than 1: the right class gets its ε/K too."),
        Misconception("one-hot not scaled", _smoothed(lambda e, k: 1 + e / k, lambda e, k: e / k), "Your rows sum to 1 + ε: what is given to all classes must first be taken from the right one."),
        Misconception("ε not divided by K", _smoothed(lambda e, k: 1, lambda e, k: e), "Every class gets the whole ε: it is one share to be divided among K."),
        Misconception("ε and 1 − ε swapped", _smoothed(lambda e, k: e + (1 - e) / k, lambda e, k: (1 - e) / k), "With a small ε the right class should keep almost everything: yours loses it. The two shares are swapped."),
    ),
    hints=(
        "A row is a mixture of two: the one-hot row and the uniform row.",
        "The one-hot row has share 1 − ε, the uniform row (1/K everywhere) has share ε.",
        "(1 - epsilon) * np.eye(n_classes)[labels] + epsilon / n_classes",
    ),
    minutes=5,
    difficulty=1,
)


# ---- smoothed_cross_entropy_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    logits, labels = _batch(rng, "labels")
    others, more = _batch(rng, "labels")
    dy = np.array(float(rng.uniform(0.5, 2.0)))
    return [
        case("a batch, forward and gradient", logits, labels, 0.1, dy, op="torch"),
        case("another batch, epsilon larger", others, more, float(rng.uniform(0.3, 0.6)), dy, op="torch"),
        edge("epsilon = 0: plain cross-entropy", logits, labels, 0.0, dy, op="torch"),
        edge("rows near −1000 and +1000 together", _extremes(rng), np.array([0, 1, 1]), 0.1, dy, op="torch"),
        edge("N = 1", logits[:1], labels[:1], 0.2, dy, op="torch"),
    ]


def _smoothed_in_torch(spread="K", reduce="mean", stable=True, sign=-1.0):
    def wrong(logits, labels, epsilon):
        import torch

        log_probs = torch.log_softmax(logits, dim=1) if stable else torch.log(torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True))
        right = log_probs.gather(1, labels[:, None])[:, 0]
        k = logits.shape[1]
        rest = {"K": log_probs.mean(dim=1), "K-1": (log_probs.sum(dim=1) - right) / (k - 1), "sum": log_probs.sum(dim=1)}[spread]
        losses = sign * ((1 - epsilon) * right + epsilon * rest)
        return losses.sum() if reduce == "sum" else losses.mean() if reduce == "mean" else losses.mean() / k

    return wrong


def _detached(logits, labels, epsilon):
    import torch

    return lib.smoothed_cross_entropy_in_torch(logits.detach(), labels, epsilon) + 0 * torch.sum(logits)


smoothed_cross_entropy_in_torch = Exercise(
    reference=lib.smoothed_cross_entropy_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("rows near −1000 and +1000 together", "N = 1"),
    equivalent_mutants=(("0 → -1", "gather gives one column: the first is the last"),),
    misconceptions=(
        Misconception("ε/(K−1) smoothing", _smoothed_in_torch("K-1"), "ε is spread over all K classes here, the right one included: the second term is a mean over all log-probabilities of the row."),
        Misconception("sum over classes for a mean", _smoothed_in_torch("sum"), "Each class gets ε/K: the second term is the MEAN of the row's log-probabilities, not their sum."),
        Misconception("sum over the batch", _smoothed_in_torch(reduce="sum"), "The loss is the mean over the batch; you return the sum."),
        Misconception("mean over N·K", _smoothed_in_torch(reduce="NK"), "You divide by N·K: the mean is over the N examples only."),
        Misconception("minus forgotten", _smoothed_in_torch(sign=1.0), "Log-probabilities are negative, a loss is not: the sign is missing."),
        Misconception("no shift", _smoothed_in_torch(stable=False), "torch.exp overflows near 1000 just as NumPy does: torch.log_softmax shifts for you."),
        Misconception("gradient cut off", _detached, "The value is right, but no gradient reaches the logits: something was detached or turned into a number on the way (.detach(), .item(), .data, torch.tensor of a tensor)."),
    ),
    hints=(
        "torch.log_softmax(logits, dim=1) gives all you need; no NumPy on the way, or the gradient is lost.",
        "Loss of a row: (1 − ε) times minus the label's log-probability, plus ε times minus the mean log-probability.",
        "right = -log_probs.gather(1, labels[:, None])[:, 0]; then ((1 - epsilon) * right - epsilon * log_probs.mean(dim=1)).mean().",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="softmax_cross_entropy",
    assignment="3_losses",
    title="Softmax and cross-entropy",
    exercises=(softmax, log_softmax, softmax_jacobian, cross_entropy, cross_entropy_grad, softmax_cross_entropy, softmax_cross_entropy_grad, label_smoothing, smoothed_cross_entropy_in_torch),
    written=(Written("why_not_squared_error", points=2, minutes=10),),
)
