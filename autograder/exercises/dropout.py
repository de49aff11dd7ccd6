"""Exercises of dropout: mean and variance, the layer and its backward, the loss that it minimises in expectation.

dropout itself is judged by its distribution: any right way of drawing passes, refused with a chance of at most 1e-9 (docs/random_answers.md).
"""
import numpy as np
from numpy.random import Generator

from autograder.spec import Case, Double, Exercise, Misconception, Topic, Written, case, edge, script, values_and_edge
from class4lib import dropout as lib
from class4lib.judges.distribution import repeated_calls


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and D, different, so that an axis taken for the other shows."""
    n, d = rng.permutation([3, 4, 5])[:2]
    return int(n), int(d)


def _rates(rng: Generator) -> tuple[float, float]:
    """A small and a large probability to drop, never one half: there keeping and dropping look alike."""
    return round(float(rng.uniform(0.15, 0.3)), 3), round(float(rng.uniform(0.65, 0.8)), 3)


def _same_shape(rng: Generator) -> list[Case]:
    """Cases of a function (x, p) that works entry by entry."""
    n, d = _sizes(rng)
    few, many = _rates(rng)
    return [
        case("a batch, few dropped", rng.normal(scale=2.0, size=(n, d)), few, trap="p = 0.2 and 0.7"),
        case("a batch, most dropped", rng.normal(scale=2.0, size=(d, n)), many),
        case("one axis", rng.normal(loc=3.0, size=n), few),
        case("three axes", rng.normal(size=(2, d, n)), many),
        edge("p = 0", rng.normal(size=(n, d)), 0.0),
        edge("p = 1/2", rng.normal(size=(d,)), 0.5),
        edge("entries that are 0 or integers", rng.integers(-3, 4, size=(n, d)) * (1 - np.eye(n, d, dtype=int)), many),
        edge("p near 1", rng.normal(size=(1, d)), 0.99),
    ]


# ---- dropout_mean
dropout_mean = Exercise(
    reference=lib.dropout_mean,
    tiers=values_and_edge(0.5, 0.5),
    cases=_same_shape,
    traps=("p = 0.2 and 0.7",),
    misconceptions=(
        Misconception("not rescaled", lambda x, p: (1 - p) * np.asarray(x), "This is the mean of dropout WITHOUT rescaling. Here what is kept is multiplied by a factor: put it into the sum over the two outcomes."),
        Misconception("p kept instead of dropped", lambda x, p: p * np.asarray(x), "You weight x with the probability to drop, and without the rescaling. Write down both outcomes, what each gives and how likely it is.", (lambda x, p: np.asarray(x) * p / (1 - p),)),
        Misconception("rescaled, never dropped", lambda x, p: np.asarray(x) / (1 - p), "This is what a KEPT entry becomes. The other outcome, and the probability of each, are missing."),
        Misconception("rescaled by 1/p", lambda x, p: np.asarray(x) * (1 - p) / p, "The factor of what is kept comes from the probability to KEEP: p is the probability to DROP."),
        Misconception("mean over the batch", lambda x, p: np.mean(x, axis=0), "The expectation is over the random mask, one number for each entry of x; nothing is averaged over the examples.", (lambda x, p: np.mean(x), lambda x, p: np.full(np.shape(x), np.mean(x)))),
    ),
    hints=(
        "An entry has two outcomes: dropped, it gives 0; kept, it gives x times a factor. How likely is each?",
        "E = p · 0 + (1 − p) · (factor · x), and the factor is 1/(1 − p).",
        "Everything cancels: return np.array(x).",
    ),
    minutes=3,
    difficulty=1,
)


# ---- dropout_variance
dropout_variance = Exercise(
    reference=lib.dropout_variance,
    tiers=values_and_edge(3, 1),
    cases=_same_shape,
    traps=("p = 0.2 and 0.7",),
    misconceptions=(
        Misconception("variance p(1 − p)x²", lambda x, p: p * (1 - p) * np.asarray(x) ** 2, "This is the variance without rescaling: of r·x, r the coin of 0 and 1. What is kept is rescaled as well, and a factor goes into a variance SQUARED."),
        Misconception("rescaled once, not squared", lambda x, p: p * np.asarray(x) ** 2, "The rescaling factor went into the variance once. Var[c·r] is not c·Var[r]."),
        Misconception("variance of the coin alone", lambda x, p: np.full(np.shape(x), p * (1 - p)), "This is the variance of the coin. It is multiplied by x, and rescaled.", (lambda x, p: np.full(np.shape(x), p / (1 - p)), lambda x, p: p * (1 - p))),
        Misconception("p kept instead of dropped", lambda x, p: (1 - p) / p * np.asarray(x) ** 2, "Keep and drop are swapped: with p near 0 hardly anything is random, so the variance must vanish there."),
        Misconception("mean square, not variance", lambda x, p: np.asarray(x) ** 2 / (1 - p), "This is the expectation of the square. The square of the expectation must still be taken away."),
        Misconception("x not squared", lambda x, p: p / (1 - p) * np.asarray(x), "A variance has the square of x's unit, and it is never negative.", (lambda x, p: p / (1 - p) * np.abs(x),)),
        Misconception("standard deviation", lambda x, p: np.sqrt(p / (1 - p)) * np.abs(x), "This is the standard deviation, the root of what is asked for."),
        Misconception("(1 − p)² left under p", lambda x, p: p / (1 - p) ** 2 * np.asarray(x) ** 2, "The coin's variance has two factors, p and 1 − p; one of them cancels against the square of the rescaling, which you forgot to do."),
        Misconception("variance over the batch", lambda x, p: p / (1 - p) * np.var(x, axis=0), "x is fixed here: the variance is over the random mask, one number for each entry of x.", (lambda x, p: np.var(x, axis=0),)),
    ),
    hints=(
        "Write the output as m·x, where m is random and x is not. Var[m·x] is which multiple of Var[m]?",
        "Var[m] = E[m²] − E[m]². The mask is 0, or 1/(1 − p) with probability 1 − p: E[m²] = 1/(1 − p), and E[m] you know.",
        "1/(1 − p) − 1 = p/(1 − p): return p / (1 - p) * x**2.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- dropout
def _seed(rng: Generator) -> int:
    return int(rng.integers(1, 10**6))


def _dropout_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    few, many = _rates(rng)
    wide, tall = (int(rng.integers(20, 25)), int(rng.integers(38, 44))), (int(rng.integers(58, 66)), 6)

    def drawn(label: str, shape: tuple[int, int], p: float, trap: str) -> Case:
        x = Double("sample", {"shape": shape, "seed": _seed(rng)})
        return script(label, *repeated_calls((x, p), calls=64, seed=_seed(rng), training=True), judge="dropout_distribution", trap=trap)

    def generator() -> Double:
        return Double("rng", {"seed": _seed(rng)})

    return [
        drawn("few dropped, 64 calls in training", wide, few, "p = 0.2 and 0.7"),
        drawn("most dropped, 64 calls in training", tall, many, "fraction of zeros"),
        edge("not training", rng.normal(size=(n, d)), few, training=False, rng=generator(), trap="training=False"),
        edge("not training, most dropped otherwise", rng.normal(size=(d, n)), many, training=False, rng=generator()),
        edge("not training, and no rng", rng.normal(size=(n, d)), many, training=False),
        edge("p = 0 in training", rng.normal(size=(n, d)), 0.0, training=True, rng=generator()),
        edge("p = 0 in training, integers", rng.integers(-3, 4, size=(d, n)), 0.0, training=True, rng=generator()),
    ]


def _layer(keep, factor=lambda p: 1 / (1 - p), off=lambda p: 1.0, off_mask=lambda p: 1.0):
    """A wrong dropout: keep(shape, p, rng) in training, another factor, something else in evaluation."""

    def wrong(x, p, *, training, rng=None):
        x = np.asarray(x, dtype=float)
        if not training:
            return off(p) * x, np.full(x.shape, off_mask(p))
        mask = np.asarray(keep(x.shape, p, rng), dtype=float) * factor(p)
        return mask * x, mask

    return wrong


def _right(shape, p, rng):
    return rng.random(shape) >= p


def _always(keep=_right):
    return lambda x, p, *, training, rng=None: _layer(keep)(x, p, training=True, rng=rng)


def _drawn_first(x, p, *, training, rng=None):
    y, mask = _layer(_right)(x, p, training=True, rng=rng)
    return (y, mask) if training else (np.array(x, dtype=float), np.ones(np.shape(x)))


def _changed(change):
    """A right dropout in training, its (y, mask) changed afterwards."""

    def wrong(x, p, *, training, rng=None):
        y, mask = _layer(_right)(x, p, training=training, rng=rng)
        return change(y, mask, p, rng, np.asarray(x, dtype=float)) if training else (y, mask)

    return wrong


def _gaussian(x, p, *, training, rng=None):
    x = np.asarray(x, dtype=float)
    mask = 1 + np.sqrt(p / (1 - p)) * rng.standard_normal(x.shape) if training else np.ones(x.shape)
    return mask * x, mask


def _no_mask_when_off(x, p, *, training, rng=None):
    return _layer(_right)(x, p, training=True, rng=rng) if training else (np.array(x, dtype=float), None)


def _fixed(shape, p, rng):
    u = rng.random(shape)
    return u.argsort(axis=1).argsort(axis=1) >= round(p * shape[1])


def _one_bit(x, p, *, training, rng=None):
    x = np.asarray(x, dtype=float)
    keep = rng.random(x.shape[1]) >= p if training else np.ones(x.shape[1])
    mask = keep / (1 - p) if training else keep
    return x * mask, mask


dropout = Exercise(
    reference=lib.dropout,
    tiers=values_and_edge(5, 2),
    cases=_dropout_cases,
    returns=("y", "mask"),
    traps=("p = 0.2 and 0.7", "fraction of zeros", "training=False"),
    equivalent_mutants=(("rng.random(x.shape) >= p → rng.random(x.shape) > p", "a random number equals p with chance 0"),),
    misconceptions=(
        Misconception("p kept instead of dropped", _layer(lambda s, p, rng: rng.random(s) < p, lambda p: 1 / p), "You keep with probability p and rescale by 1/p. Here, as in PyTorch, p is the probability to DROP (Srivastava et al. keep with p; that is where the confusion comes from).", (_layer(lambda s, p, rng: rng.random(s) >= 1 - p, lambda p: 1 / p),)),
        Misconception("keep and drop swapped", _layer(lambda s, p, rng: rng.random(s) < p), "The factor is right, the coin is not: an entry is kept where it should be dropped. How likely is it that a uniform number lies below p?"),
        Misconception("not rescaled", _layer(_right, lambda p: 1.0), "The expectation of y is smaller than x: what is kept must grow to make up for what is dropped, and the mask holds that factor."),
        Misconception("rescaled at test time", _layer(_right, lambda p: 1.0, lambda p: 1 - p, lambda p: 1 - p), "This is the older form: nothing in training, shrink at test time. Ours is INVERTED: rescale in training, and leave x alone in evaluation.", (_layer(_right, lambda p: 1.0, lambda p: 1 - p),)),
        Misconception("rescaled in training and at test time", _layer(_right, off=lambda p: 1 - p), "Training is right. In evaluation nothing is left to be corrected: x goes through as it is, and the mask is all ones.", (_layer(_right, off=lambda p: 1 - p, off_mask=lambda p: 1 - p), _layer(_right, off=lambda p: 1 / (1 - p)), _layer(_right, off=lambda p: 1 / (1 - p), off_mask=lambda p: 1 / (1 - p)))),
        Misconception("rescaled twice", _layer(_right, lambda p: 1 / (1 - p) ** 2), "The kept entries are multiplied by the factor twice. Once keeps the expectation.", (_changed(lambda y, m, p, rng, x: (y / (1 - p), m)),)),
        Misconception("shrunk instead of enlarged", _layer(_right, lambda p: 1 - p), "What is kept gets smaller, so the expectation falls twice: by dropping and by shrinking."),
        Misconception("mask of zeros and ones returned", _changed(lambda y, m, p, rng, x: (y, m * (1 - p))), "y is right. The mask that you return is the coin alone: it should hold the factor of each entry, because backward will multiply by it and by nothing else.", (_changed(lambda y, m, p, rng, x: (y, m > 0)),)),
        Misconception("dropped in evaluation too", _always(), "With training=False nothing is random: y is x, and the mask is all ones. Where does your code use `training`?", (_always(lambda s, p, rng: rng.random(s) > p), _always(lambda s, p, rng: rng.random(s) < 1 - p), _always(lambda s, p, rng: rng.binomial(1, 1 - p, s)))),
        Misconception("drawn before `training` is looked at", _drawn_first, "In evaluation rng may be None, and nothing needs to be drawn: move the draw into the branch for training."),
        Misconception("y not rescaled", _changed(lambda y, m, p, rng, x: (y * (1 - p), m)), "The mask is right. y is made without its factor: multiply x by the very mask that you return."),
        Misconception("no mask when not training", _no_mask_when_off, "In evaluation the mask is not None: it is all ones, so that backward needs no special case."),
        Misconception("zeros as the mask in evaluation", _layer(_right, off_mask=lambda p: 0.0), "In evaluation every entry goes through: its factor is not 0."),
        Misconception("one mask for the whole batch", _layer(lambda s, p, rng: np.broadcast_to(rng.random((1, *s[1:])) >= p, s)), "All examples lose the same features. Every entry of every example has a draw of its own: how many random numbers do you draw?", (_one_bit,)),
        Misconception("whole examples dropped", _layer(lambda s, p, rng: np.broadcast_to(rng.random((s[0], *[1] * (len(s) - 1))) >= p, s)), "One draw decides about a whole example. Every entry has a draw of its own."),
        Misconception("one coin for everything", _layer(lambda s, p, rng: np.full(s, rng.random() >= p)), "One random number decides about the whole batch. Draw an array of x's shape."),
        Misconception("fixed number dropped", _layer(_fixed), "The number of dropped entries is always the same. Independent coins let it vary: let each entry decide for itself."),
        Misconception("global random state", _layer(lambda s, p, rng: np.random.random(s) >= p), "You draw from NumPy's global generator, so nobody can repeat the run. Draw from the argument rng."),
        Misconception("a generator of its own, fixed seed", _layer(lambda s, p, rng: np.random.default_rng(0).random(s) >= p), "Every call drops the same entries, whatever rng is given. Draw from rng, and make no generator inside."),
        Misconception("a generator of its own", _layer(lambda s, p, rng: np.random.default_rng().random(s) >= p), "The same rng gives different results: you draw from a generator of your own. Draw from the argument rng."),
        Misconception("another mask returned than used", _changed(lambda y, m, p, rng, x: (y, _right(m.shape, p, rng) / (1 - p))), "y was made with one mask, and another one is returned. Draw once, keep it in a variable, use it and return it."),
        Misconception("Gaussian noise", _gaussian, "Mean and variance are right, the law is not: dropout's mask has two values only."),
        Misconception("mask read off y", lambda x, p, *, training, rng=None: (y := _layer(_right)(x, p, training=training, rng=rng)[0], (y != 0) / (1 - p) if training and p else np.ones(np.shape(x))), "Where x is 0, y is 0 although the entry was kept. Build y from the mask, not the mask from y."),
    ),
    hints=(
        "Three steps in training: one uniform number per entry, a mask from the comparison with p, and y from the mask. In evaluation: x and ones.",
        "rng.random(x.shape) < p is true with probability p: those are dropped. The mask is 1/(1 − p) where an entry is kept, 0 elsewhere.",
        "mask = (rng.random(x.shape) >= p) / (1 - p) if training else np.ones(x.shape); return mask * x, mask",
    ),
    minutes=15,
    difficulty=3,
)


# ---- dropout_backward
def _mask(rng: Generator, shape: tuple[int, ...], p: float) -> np.ndarray:
    """A mask with both values in it."""
    mask = np.where(rng.random(shape) < p, 0.0, 1 / (1 - p))
    mask.flat[:2] = 0.0, 1 / (1 - p)
    return mask


def _backward_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    few, many = _rates(rng)

    def asked(label: str, dy: np.ndarray, mask: np.ndarray, make=case, trap: str = "") -> Case:
        return make(label, dy, mask, judge="mask_backward", trap=trap)

    return [
        asked("a batch, few dropped", rng.normal(size=(n, d)), _mask(rng, (n, d), few), case, "p = 0.2 and 0.7"),
        asked("a batch, most dropped", rng.normal(size=(d, n)), _mask(rng, (d, n), many)),
        asked("one axis", rng.normal(size=d), _mask(rng, (d,), few)),
        asked("the mask of evaluation: all ones", rng.normal(size=(n, d)), np.ones((n, d)), edge),
        asked("everything dropped", rng.normal(size=(1, d)), np.zeros((1, d)), edge),
        asked("dy of integers", rng.integers(-4, 5, size=(n, d)), _mask(rng, (n, d), many), edge),
    ]


def _fresh(seed, half=False):
    def wrong(dy, mask):
        p = 0.5 if half or not mask.any() else 1 - 1 / mask.max()
        return dy * (np.random.default_rng(seed).random(np.shape(dy)) >= p) / (1 - p)

    return wrong


dropout_backward = Exercise(
    reference=lib.dropout_backward,
    tiers=values_and_edge(1.5, 0.5),
    cases=_backward_cases,
    traps=("p = 0.2 and 0.7",),
    misconceptions=(
        Misconception("fresh mask", _fresh(0), "You draw a new mask: the gradient belongs to the function that the forward pass really computed, with the mask it used. It is among the arguments.", (_fresh(1, half=True),)),
        Misconception("mask ignored", lambda dy, mask: np.array(dy, dtype=float), "A dropped entry does not reach the loss, so no gradient comes back to it: where is the mask in your result?"),
        Misconception("factor forgotten", lambda dy, mask: dy * (mask > 0), "The zeros are right. The mask also holds the factor of what was kept, and it is part of the derivative: y moves faster than x."),
        Misconception("mask applied twice", lambda dy, mask: dy * mask**2, "The mask is the whole derivative of y in x, its factor included: once is enough."),
        Misconception("divided by the mask", lambda dy, mask: np.where(mask > 0, dy / np.where(mask > 0, mask, 1.0), 0.0), "y is the mask times x: its derivative is not one over the mask.", (lambda dy, mask: dy / mask,)),
        Misconception("dropped and kept swapped", lambda dy, mask: dy * (mask == 0), "You let the gradient through where the entry was DROPPED."),
    ),
    hints=(
        "y_i depends on x_i only. What is dy_i/dx_i for a kept entry, and for a dropped one?",
        "y_i = m_i x_i, and m_i does not depend on x.",
        "return mask * dy",
    ),
    minutes=4,
    difficulty=1,
)


# ---- marginal_dropout_loss
def _regression(rng: Generator, n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.normal(size=d), rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=d), rng.normal(scale=2.0, size=n)


def _marginal_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    few, many = _rates(rng)
    w, X, y = _regression(rng, n, d)
    return [
        case("few dropped", w, X, y, few, trap="p = 0.2 and 0.7"),
        case("most dropped", *_regression(rng, d, n), many),
        case("more features than examples", *_regression(rng, 2, 5), few),
        edge("N = 1", *_regression(rng, 1, d), many),
        edge("p = 0: no dropout", w, X, y, 0.0),
        edge("targets that are predicted exactly", w, X, X @ w, many),
        edge("integers", rng.integers(-2, 3, size=d), rng.integers(-3, 4, size=(n, d)), rng.integers(-3, 4, size=n), few),
        edge("one feature", *_regression(rng, n, 1), many),
    ]


def _odds(p):
    return p / (1 - p)


def _marginal(noise=lambda w, X: ((X * w) ** 2).sum(axis=1).mean(), rate=_odds, data_factor=0.5, noise_factor=0.5, data=lambda r: (r**2).mean()):
    def wrong(w, X, y, p):
        w, X = np.asarray(w, dtype=float), np.asarray(X, dtype=float)
        return data_factor * data(X @ w - y) + noise_factor * rate(p) * noise(w, X)

    return wrong


def _summed(w, X):
    return ((X * w) ** 2).sum()


def _total(r):
    return (r**2).sum()


marginal_dropout_loss = Exercise(
    reference=lib.marginal_dropout_loss,
    tiers=values_and_edge(3, 1),
    cases=_marginal_cases,
    traps=("p = 0.2 and 0.7",),
    equivalent_mutants=(
        ("X @ w - y → y - X @ w", "the residual is only ever squared"),
        ("p / (1.0 - p) * (X ** 2).mean(axis=0) @ w ** 2 → w ** 2 @ (p / (1.0 - p) * (X ** 2).mean(axis=0))", "a scalar product of two vectors is symmetric"),
    ),
    misconceptions=(
        Misconception("½ lost in the penalty", _marginal(noise_factor=1.0), "The penalty is twice too large: the ½ of the loss belongs to BOTH terms, because both come from the same square."),
        Misconception("½ lost everywhere", _marginal(data_factor=1.0, noise_factor=1.0), "Everything is twice too large: our loss has ½ in front of the square."),
        Misconception("1/N lost in the penalty", _marginal(noise=_summed), "The penalty is summed over the examples, while the loss is their MEAN: both terms are averaged over i."),
        Misconception("sum over the examples", _marginal(noise=_summed, data=_total), "You sum over the examples; the loss here is their mean. (With this, Srivastava et al.'s form, the penalty would grow with N.)"),
        Misconception("mean over N·D in the penalty", _marginal(noise=lambda w, X: ((X * w) ** 2).mean()), "The penalty adds the features and averages the examples; you average both."),
        Misconception("penalty left out", _marginal(noise=lambda w, X: 0.0), "This is the loss without dropout. The random predictions scatter around x·w, and the expectation of a square is more than the square of the expectation: by what?"),
        Misconception("variance p(1 − p)", _marginal(rate=lambda p: p * (1 - p)), "The inputs are rescaled, so their variance is not p(1 − p)x²: use your dropout_variance.", (_marginal(rate=lambda p: p),)),
        Misconception("p kept instead of dropped", _marginal(rate=lambda p: (1 - p) / p), "Keep and drop are swapped in the penalty: with p = 0 nothing is random and the penalty must vanish."),
        Misconception("mean square for variance", _marginal(rate=lambda p: 1 / (1 - p)), "You used the expectation of the square of the mask; the penalty holds its VARIANCE. With p = 0 it must vanish."),
        Misconception("plain ridge", _marginal(noise=lambda w, X: (w**2).sum()), "You penalise every weight alike. How much dropping an input shakes the prediction depends on how large that very input is.", (_marginal(noise=lambda w, X: (w @ w) * (X**2).mean()), _marginal(noise=lambda w, X: (w @ w) * (X**2).sum(axis=1).mean()))),
        Misconception("penalty subtracted", _marginal(noise_factor=-0.5), "The penalty has the wrong sign: scatter makes a square larger on average, never smaller."),
        Misconception("square of the sum", _marginal(noise=lambda w, X: ((X @ w) ** 2).mean()), "You square the sum over the features. The coins are independent, so the variances add: a sum of squares, not the square of a sum."),
        Misconception("x not squared", _marginal(noise=lambda w, X: (np.abs(X) * w**2).sum(axis=1).mean()), "A variance is quadratic in what is dropped: both the weight and the input come in squared.", (_marginal(noise=lambda w, X: (X * w**2).sum(axis=1).mean()), _marginal(noise=lambda w, X: (X**2 * w).sum(axis=1).mean()))),
        Misconception("mean of the inputs squared", _marginal(noise=lambda w, X: (X.mean(axis=0) ** 2 * w**2).sum()), "You average the inputs before squaring them. Every example has a variance of its own; those are averaged."),
        Misconception("variance of the data", _marginal(noise=lambda w, X: (X.var(axis=0) * w**2).sum()), "This is how the inputs vary over the examples. The variance here is over the mask: it is there for a constant input too."),
    ),
    hints=(
        "For one example: E[(random prediction − y)²] = (mean prediction − y)² + variance of the prediction.",
        "The mean prediction is x·w. The prediction is a sum of independent terms w_j x̃_j, so its variance is Σ_j w_j² Var[x̃_j], and Var[x̃_j] is your dropout_variance. Then ½ and the mean over the examples.",
        "0.5 * np.mean((X @ w - y)**2) + 0.5 * np.mean(p / (1 - p) * X**2 @ w**2)",
    ),
    minutes=13,
    difficulty=3,
)


# ---- marginal_dropout_loss_grad
def _marginal_grad(penalty=lambda w, X: w * (X**2).mean(axis=0), rate=_odds, factor=1.0, residual=lambda w, X, y: X.T @ (X @ w - y) / len(X)):
    def wrong(w, X, y, p):
        w, X = np.asarray(w, dtype=float), np.asarray(X, dtype=float)
        return residual(w, X, y) + factor * rate(p) * penalty(w, X)

    return wrong


marginal_dropout_loss_grad = Exercise(
    reference=lib.marginal_dropout_loss_grad,
    tiers=values_and_edge(2, 1),
    cases=_marginal_cases,
    traps=("p = 0.2 and 0.7",),
    misconceptions=(
        Misconception("½ left in the penalty", _marginal_grad(factor=0.5), "The penalty's gradient is half of what it should be: differentiating w_j² gives a 2, which takes the ½ away."),
        Misconception("½ lost in the penalty", _marginal_grad(factor=2.0), "The penalty's gradient is twice too large: its ½ has disappeared before the 2 of the square came."),
        Misconception("1/N lost in the penalty", _marginal_grad(penalty=lambda w, X: w * (X**2).sum(axis=0)), "The penalty is a mean over the examples; its gradient is one too."),
        Misconception("1/N forgotten", _marginal_grad(penalty=lambda w, X: w * (X**2).sum(axis=0), residual=lambda w, X, y: X.T @ (X @ w - y)), "The loss is a mean over N examples, so its gradient has 1/N in both terms."),
        Misconception("1/N lost in the data term", _marginal_grad(residual=lambda w, X, y: X.T @ (X @ w - y)), "The penalty is averaged over the examples, the first term is not."),
        Misconception("penalty left out", _marginal_grad(penalty=lambda w, X: 0.0), "This is the gradient of least squares: the penalty depends on w as well."),
        Misconception("penalty not differentiated", _marginal_grad(penalty=lambda w, X: w**2 * (X**2).mean(axis=0)), "The weights still stand squared in the penalty: differentiate it in w_j.", (_marginal_grad(penalty=lambda w, X: w**2 * (X**2).mean(axis=0), factor=0.5), _marginal_grad(penalty=lambda w, X: (w**2 * (X**2).mean(axis=0)).sum(), factor=0.5))),
        Misconception("variance p(1 − p)", _marginal_grad(rate=lambda p: p * (1 - p)), "The inputs are rescaled: the rate of the penalty is not p(1 − p).", (_marginal_grad(rate=lambda p: p),)),
        Misconception("p kept instead of dropped", _marginal_grad(rate=lambda p: (1 - p) / p), "Keep and drop are swapped in the penalty: with p = 0 it must vanish."),
        Misconception("plain ridge", _marginal_grad(penalty=lambda w, X: w), "Every weight is shrunk alike. Here a weight is shrunk as strongly as its own input is large.", (_marginal_grad(penalty=lambda w, X: w * (X**2).mean()), _marginal_grad(penalty=lambda w, X: w * (X**2).sum(axis=1).mean()))),
        Misconception("square of the sum", _marginal_grad(penalty=lambda w, X: X.T @ (X @ w) / len(X)), "You let the features share one coin. Their coins are independent: the penalty of w_j holds x_j alone, not the other features."),
        Misconception("sign of the residual", _marginal_grad(residual=lambda w, X, y: X.T @ (y - X @ w) / len(X)), "The first term points the wrong way: the residual is prediction minus target."),
    ),
    hints=(
        "Differentiate the two terms of your loss separately, in one w_j.",
        "The first gives the mean of (x_i·w − y_i) x_ij. In the second only the term with w_j² remains, and its 2 meets the ½.",
        "X.T @ (X @ w - y) / len(X) + p / (1 - p) * (X**2).mean(axis=0) * w",
    ),
    minutes=10,
    difficulty=2,
)


# ---- mc_dropout_predict
def _mc_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)

    def asked(label: str, shape: tuple[int, ...], m: int, samples: int, make=case) -> Case:
        model = Double("noisy_model", {"weights": rng.normal(size=(d, m)) if m else rng.normal(size=d), "p": 0.4})
        return make(label, model, rng.normal(size=shape), samples, rng=Double("rng", {"seed": _seed(rng)}))

    return [
        asked("a batch, several outputs", (n, d), 2, 7),
        asked("a batch, one output", (d + 1, d), 0, 12),
        asked("one example", (1, d), 3, 5),
        asked("one pass: no spread", (n, d), 2, 1, edge),
        asked("two passes", (n, d), 0, 2, edge),
    ]


def _mc(statistic=lambda s: (s.mean(axis=0), s.std(axis=0)), rng_of=lambda rng: rng, extra=0):
    def wrong(model, x, n_samples, *, rng):
        return statistic(np.stack([model(x, rng_of(rng)) for _ in range(n_samples + extra)]))

    return wrong


mc_dropout_predict = Exercise(
    reference=lib.mc_dropout_predict,
    tiers=values_and_edge(1, 1),
    cases=_mc_cases,
    returns=("mean", "deviation"),
    extension=True,
    misconceptions=(
        Misconception("divided by n_samples − 1", _mc(lambda s: (s.mean(axis=0), s.std(axis=0, ddof=1) if len(s) > 1 else np.full(s.shape[1:], np.nan))), "The mean is right. The docstring divides the squares by the number of samples, not by one less."),
        Misconception("variance for deviation", _mc(lambda s: (s.mean(axis=0), s.var(axis=0))), "The second result is the variance; its root is asked for."),
        Misconception("error of the mean", _mc(lambda s: (s.mean(axis=0), s.std(axis=0) / np.sqrt(len(s)))), "This says how well the MEAN is known; asked for is how far single passes scatter."),
        Misconception("the same mask in every pass", _mc(rng_of=lambda rng: np.random.default_rng(0)), "Every pass draws the same mask, so nothing scatters: hand the one rng to every pass, and it goes on by itself.", (_mc(rng_of=lambda rng: np.random.default_rng(42)),)),
        Misconception("averaged over the batch too", _mc(lambda s: (s.mean(), s.std())), "You average over the examples as well: each entry of a prediction has a mean and a spread of its own.", (_mc(lambda s: (s.mean(axis=1), s.std(axis=1))),)),
        Misconception("one pass too many", _mc(extra=1), "The model is called once more than n_samples says: count the passes that enter the mean."),
        Misconception("one pass only", lambda model, x, n_samples, *, rng: ((y := model(x, rng)), np.zeros_like(y)), "The model runs once. The spread shows only between several passes."),
    ),
    hints=(
        "Call the model n_samples times, keep all predictions, and take two statistics over the passes.",
        "np.stack puts the predictions into one array with the passes as first axis.",
        "samples = np.stack([model(x, rng) for _ in range(n_samples)]); return samples.mean(axis=0), samples.std(axis=0)",
    ),
    minutes=8,
    difficulty=2,
)


# ---- dropout_layer_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    few, many = _rates(rng)

    def asked(label: str, n: int, d: int, m: int, p: float, make=case, u=None) -> Case:
        u = rng.random((n, m)) if u is None else u
        return make(label, rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.normal(size=m), u, p, rng.normal(size=(n, m)), op="torch")

    n, d, m = (int(v) for v in rng.permutation([3, 4, 5]))
    ties = np.array([[0.25, 0.125, 0.5], [0.0, 0.25, 0.375]])
    return [
        asked("few dropped", n, d, m, few, u=np.clip(rng.random((n, m)), 0.0, 0.99)),
        asked("most dropped", m + 3, n, d, many),
        asked("another batch", d, m, n, few),
        asked("p = 0", n, d, m, 0.0, edge),
        asked("u equal to p", 2, d, 3, 0.25, edge, ties),
        asked("N = 1", 1, d, m, 0.5, edge),
    ]


def _in_torch(keep=lambda u, p: u >= p, factor=lambda p: 1 / (1 - p), where="after", act=True, detach=False):
    def wrong(x, W, b, u, p):
        import torch

        mask = keep(u, p).to(x.dtype) * factor(p)
        z = (x @ W) * mask + b if where == "before the bias" else x @ W + b
        h = torch.relu(z) if act else z
        h = h.detach() + 0 * torch.sum(x) if detach else h
        return h if where == "before the bias" else h * mask

    return wrong


dropout_layer_in_torch = Exercise(
    reference=lib.dropout_layer_in_torch,
    tiers=values_and_edge(3, 1),
    cases=_torch_cases,
    torch=True,
    misconceptions=(
        Misconception("keep and drop swapped", _in_torch(lambda u, p: u < p), "You keep where u < p; there a unit is to be DROPPED.", (_in_torch(lambda u, p: u < p, lambda p: 1 / p),)),
        Misconception("u = p dropped", _in_torch(lambda u, p: u > p), "Almost right: where u equals p the unit is kept, for u can be 0 and p too."),
        Misconception("not rescaled", _in_torch(factor=lambda p: 1.0), "What is kept must be rescaled in training, as in your NumPy version."),
        Misconception("rescaled by 1/p", _in_torch(factor=lambda p: 1 / p), "p is the probability to drop: the factor comes from the probability to keep."),
        Misconception("rescaled twice", _in_torch(factor=lambda p: 1 / (1 - p) ** 2), "The kept units are rescaled twice."),
        Misconception("dropped before the bias", _in_torch(where="before the bias"), "The bias is added after dropping, so a dropped unit still gives relu(b): drop the unit as a whole, last."),
        Misconception("ReLU forgotten", _in_torch(act=False), "The layer has a ReLU between the affine map and the dropout."),
        Misconception("gradient cut off", _in_torch(detach=True), "The values are right, but no gradient comes back: something was detached or turned into numbers on the way (.detach(), .item(), .numpy(), torch.tensor of a tensor)."),
    ),
    hints=(
        "Three lines: the affine map, torch.relu, and a mask made from u by a comparison.",
        "A comparison gives booleans; .to(x.dtype) turns them into numbers. No gradient needs to flow through the mask.",
        "keep = (u >= p).to(x.dtype); return torch.relu(x @ W + b) * keep / (1 - p)",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="dropout",
    assignment="2_regularization",
    title="Dropout",
    exercises=(dropout_mean, dropout_variance, dropout, dropout_backward, marginal_dropout_loss, marginal_dropout_loss_grad, mc_dropout_predict, dropout_layer_in_torch),
    written=(Written("training_loss_above_validation", points=3, minutes=10),),
)
