"""Exercises of attention: masked weights, additive and dot-product energies, contexts, gradients, positions, heads."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Topic, Written, case, edge, values_and_edge
from class4lib import attention as lib

Wrong = Callable[..., Any]
Weights = Callable[..., ndarray]


def _sizes(rng: Generator, n: int) -> list[int]:
    """n sizes, all different, so that an axis taken for another shows; the first is S, and at least 3."""
    sizes = list(range(2, max(n, 3) + 2))
    first = int(rng.choice([3, 4]))
    sizes.remove(first)
    return [first, *(int(v) for v in rng.permutation(sizes)[: n - 1])]


def _mask(rng: Generator, *shape: int) -> ndarray:
    """Every query keeps a key and loses one; no two queries in a row are alike."""
    mask = rng.random(shape) < 0.5
    rows, columns = np.indices(shape[-2:])
    mask[..., (rows + columns) % shape[-1] == 0] = True
    mask[..., (rows + columns) % shape[-1] == 1] = False
    return mask


def _with_an_empty_row(rng: Generator, *shape: int) -> ndarray:
    mask = _mask(rng, *shape)
    mask[..., int(rng.integers(shape[-2])), :] = False
    return mask


# ---- attention_weights
def _weights_cases(rng: Generator) -> list[Case]:
    s, n, t = _sizes(rng, 3)
    both = rng.normal(size=(3, 4)) + np.array([[-997.0], [996.0], [0.0]]) + np.array([[0.0] * 4, [0.0] * 4, [990.0, -990.0, 0.0, 0.0]])
    low = np.array([[1000.0, -996.0, -997.5, -999.0], [-998.0, -996.5, 1000.0, -997.0]])
    return [
        case("one sequence, T ≠ S, no mask", rng.normal(scale=2.0, size=(t, s))),
        case("a batch, no mask", rng.normal(scale=2.0, size=(n, t, s))),
        case("a batch, its own mask for each example, True keeps", rng.normal(scale=2.0, size=(2, t, s)), _mask(rng, 2, t, s)),
        case("two leading axes, one mask (T, S) for all", rng.normal(scale=2.0, size=(2, 3, t, s)), _mask(rng, t, s)),
        edge("a fully masked row", rng.normal(scale=2.0, size=(2, t, s)), _with_an_empty_row(rng, t, s)),
        edge("a mask by key, (S,)", rng.normal(scale=2.0, size=(n, t, s)), np.arange(s) != rng.integers(s)),
        edge("rows near −1000 and +1000 together", both),
        edge("the largest energy is masked: +1000 beside −1000", low, np.array([[False, True, True, True], [True, True, False, True]])),
        edge("energies that are integers, T = 1", rng.integers(-4, 5, size=(1, s)), _mask(rng, 1, s)),
    ]


def _w(masking: str = "keep", axis: Any = -1, shift: str = "kept", fill: float | None = None, extra: float = 0.0) -> Weights:
    """Softmax with a mask, and ways to get it wrong: masking keep, inverted, ignored, added, multiplied, after, nan; fill instead of -inf."""

    def weights(energies: Any, mask: Any = None) -> ndarray:
        e = np.asarray(energies, dtype=float)
        keep = np.ones(e.shape, bool) if mask is None else np.broadcast_to(mask, e.shape)
        everything = np.ones(e.shape, bool)
        after = keep if masking == "after" else everything
        if mask is not None and masking == "inverted":
            keep = ~keep
        elif mask is not None and masking == "added":
            e, keep = e + keep, everything
        elif masking == "multiplied":
            e, keep = e * keep, everything
        elif masking in ("ignored", "after"):
            keep = everything
        elif fill is not None:
            e, keep = (np.where(keep, e, fill) if masking == "keep" else e + np.where(keep, 0.0, fill)), everything
        low = np.where(keep, e, -np.inf)
        peak = {"kept": lambda: low.max(axis=axis, keepdims=True), "all": lambda: e.max(axis=axis, keepdims=True), "batch": lambda: low.max(), "none": lambda: 0.0}[shift]()
        if masking != "nan":
            peak = np.where(np.isneginf(peak), 0.0, peak)
        shares = np.exp(low - peak)
        total = shares.sum(axis=axis, keepdims=True)
        safe = total if masking == "nan" else np.where(total == 0, 1.0, total)
        return shares / (safe + extra) * after

    return weights


MASKING = {
    "axis": "Each QUERY shares out one unit of attention over the keys. Yours sums to 1 down the other axis: queries stand in the rows, (..., T, S), so sum and shift along the LAST axis.",
    "added": "You add the mask as 0 and 1. That only tilts the energies a little: a key that nobody may see still gets weight. What must a forbidden energy be, so that its exponential is 0?",
    "multiplied": "You multiply the energies by the mask. A masked energy is then 0, and exp(0) = 1 is a weight like any other. What must it be instead, so that its exponential is 0?",
    "after": "You take the softmax over all keys and zero the masked ones afterwards: the rest no longer sums to 1. The masked keys must be missing in the denominator too.",
    "inverted": "True KEEPS a pair, here and in torch.nn.functional.scaled_dot_product_attention (nn.MultiheadAttention has it the other way round). Your mask hides what it should show.",
    "ignored": "Your result is what it would be without a mask.",
    "nan": "A query all of whose keys are masked gives nan: −∞ − (−∞), or 0/0. Such a row must come out as 0: find what its largest energy and its sum are, and let a harmless number stand in for them.",
    "fill": "Your masked keys get a very low energy instead of none at all. In a row where ALL are masked these are equal, and softmax makes them uniform: the row should be 0. What could the mask do once more, at the end?",
    "shallow": "The number you give to masked energies is not low enough: beside real energies near −1000 a masked key gets weight. Use −∞, or a number far below anything that can occur.",
    "shift": "exp overflows for energies above about 709, and inf/inf is nan. A number subtracted from a whole row cancels: subtract the row's maximum first.",
    "batch": "You subtract one maximum for the whole array. A query whose energies lie far below it gets exp(−2000) = 0 everywhere: each row needs its own maximum.",
    "all": "Your maximum includes masked keys. Where a masked energy towers above the kept ones, all that is left is exp(−2000) = 0: mask first, then take the maximum.",
}

attention_weights = Exercise(
    reference=lib.attention_weights,
    tiers=values_and_edge(2, 2),
    cases=_weights_cases,
    equivalent_mutants=(("0.0 → 1.0", "in a row without any key the shift is free: exp(−∞ − anything) is 0"), ("0.0 → 0.01", "in a row without any key the shift is free: exp(−∞ − anything) is 0")),
    traps=("a fully masked row", "a mask by key, (S,)", "rows near −1000 and +1000 together", "the largest energy is masked: +1000 beside −1000"),
    misconceptions=(
        Misconception("softmax over queries", _w(axis=-2), MASKING["axis"], (_w(axis=0), _w(axis=1))),
        Misconception("normalised over all pairs", _w(axis=(-2, -1)), "All pairs of a sequence together sum to 1. Each query has one unit of its own: sum along the last axis.", (_w(axis=None),)),
        Misconception("mask as 0/1 added", _w("added"), MASKING["added"]),
        Misconception("energies multiplied by the mask", _w("multiplied"), MASKING["multiplied"]),
        Misconception("mask after the softmax", _w("after"), MASKING["after"]),
        Misconception("mask inverted", _w("inverted"), MASKING["inverted"]),
        Misconception("mask ignored", _w("ignored"), MASKING["ignored"]),
        Misconception("nan in a masked row", _w("nan"), MASKING["nan"]),
        Misconception("low number in a masked row", _w(fill=-1e9), MASKING["fill"], (_w("plus", fill=-1e9),)),
        Misconception("fill not low enough", _w(fill=-1000.0), MASKING["shallow"], (_w(fill=-999.0), _w(fill=-100.0), _w("plus", fill=-1000.0), _w("plus", fill=-100.0), _w("plus", fill=-10.0))),
        Misconception("no shift", _w(shift="none"), MASKING["shift"], (_w("nan", shift="none"),)),
        Misconception("batch-wide maximum", _w(shift="batch"), MASKING["batch"], (_w("nan", shift="batch"),)),
        Misconception("maximum over masked keys too", _w(shift="all"), MASKING["all"], (_w("nan", shift="all"), _w("nan", shift="all", extra=1e-9), _w("nan", shift="all", extra=1e-12))),
        Misconception("epsilon in the denominator", _w(extra=1e-6), "The number you add to the sum leaves every row a little short of 1. Only a row without any key has sum 0: treat that one alone.", (_w(extra=1e-3), _w(extra=1.0))),
        Misconception("not normalised", lambda energies, mask=None: np.exp((low := np.where(True if mask is None else mask, energies, -np.inf)) - np.where(np.isneginf(low.max(axis=-1, keepdims=True)), 0, low.max(axis=-1, keepdims=True))), "The exponentials are right, but a query's weights do not sum to 1 yet."),
    ),
    hints=(
        "First give every masked energy a value whose exponential is exactly 0; then a softmax along the last axis, shifted by the row's maximum.",
        "np.where(mask, energies, -np.inf). In a row without any key the maximum is −∞ and the sum 0: replace the first by 0 and the second by 1, and 0/1 = 0 comes out.",
        "peak = e.max(axis=-1, keepdims=True); shares = np.exp(e - np.where(np.isneginf(peak), 0, peak)); total = shares.sum(axis=-1, keepdims=True); shares / np.where(total == 0, 1, total).",
    ),
    minutes=10,
    difficulty=3,
)


# ---- additive_energies
def _additive_inputs(rng: Generator, n: int, t: int, s: int, a: int, b: int, m: int, scale: float = 1.0) -> list[ndarray]:
    return [rng.normal(scale=scale, size=shape) for shape in ((n, t, a), (n, s, b))] + [rng.normal(size=shape) for shape in ((a, m), (b, m), (m,))]


def _additive_cases(rng: Generator) -> list[Case]:
    s, t, a, b, m = _sizes(rng, 5)
    ordinary = _additive_inputs(rng, 2, t, s, a, b, m)
    varied = [x.copy() for x in ordinary]
    varied[0][:, 0] += 1.5
    order = np.roll(np.arange(s), 1)
    reordered = [ordinary[0], ordinary[1][:, order], *ordinary[2:]]
    return [
        case("a batch, T, S, A, B, M all different", *ordinary),
        case("queries and keys of one length, A = B", *_additive_inputs(rng, 2, 3, 2, 4, 4, 5)),
        case("a batch of three, one key more than queries", *_additive_inputs(rng, 3, 2, 3, 5, 4, 2)),
        edge("a varied query", *varied),
        edge("permuted keys", *reordered),
        edge("N = T = S", *_additive_inputs(rng, 3, 3, 3, a, b, m)),
        edge("pre-activations in the thousands", *_additive_inputs(rng, 1, 2, 3, 2, 3, 4, 800.0)),
        edge("N = 1, T = 1", *_additive_inputs(rng, 1, 1, s, a, b, m)),
    ]


def _additive(act: Callable = np.tanh, join: Callable = np.add, out: Callable | None = None) -> Wrong:
    def wrong(s, h, W, U, v):
        z = join((s @ W)[:, :, None, :], (h @ U)[:, None, :, :])
        return out(act(z), v) if out else act(z) @ v

    return wrong


def _swapped(s, h, W, U, v):
    return np.tanh((s @ U)[:, :, None, :] + (h @ W)[:, None, :, :]) @ v


additive_energies = Exercise(
    reference=lib.additive_energies,
    tiers=values_and_edge(2, 1),
    cases=_additive_cases,
    traps=("a varied query", "permuted keys", "N = T = S", "pre-activations in the thousands"),
    misconceptions=(
        Misconception("keys in the rows", lambda *a: lib.additive_energies(*a).swapaxes(1, 2), "Entry [n, i, j] is of QUERY i and key j: queries are the rows, (N, T, S). Yours is transposed."),
        Misconception("tanh forgotten", _additive(lambda z: z), "Without the tanh the energy is a query's part plus a key's part. In softmax over the keys the query's part cancels: every query would look at the same keys."),
        Misconception("tanh of each part", _additive(lambda z: z, lambda p, q: np.tanh(p) + np.tanh(q)), "You squash query and key apart and add them afterwards. In softmax over the keys the query's part then cancels: the two must meet inside the tanh."),
        Misconception("tanh outside", _additive(lambda z: z, out=lambda z, v: np.tanh(z @ v)), "v belongs outside: it weighs the M hidden units after the tanh. As you have it all energies lie between −1 and 1."),
        Misconception("query left out", _additive(join=lambda p, q: 0 * p + q), "Your energies do not depend on the query: every row is the same."),
        Misconception("key left out", _additive(join=lambda p, q: p + 0 * q), "Your energies do not depend on the key: every query would look at all keys alike."),
        Misconception("v left out", _additive(out=lambda a, v: a.sum(axis=-1)), "You sum the hidden units; v weighs them."),
        Misconception("mean over the hidden units", _additive(out=lambda a, v: a @ v / len(v)), "The output is a weighted sum of the hidden units, not their mean: no division by M."),
        Misconception("ReLU for tanh", _additive(lambda z: np.maximum(z, 0)), "The hidden layer's activation is tanh here, as in the docstring of this section's formula."),
        Misconception("sigmoid for tanh", _additive(lambda z: 0.5 + 0.5 * np.tanh(z / 2)), "The hidden layer's activation is tanh, not sigmoid: values between −1 and 1."),
        Misconception("product of query and key", _additive(join=np.multiply), "The slides' other energy multiplies query and key. This one is ADDITIVE: the two projections are summed inside the tanh."),
        Misconception("W and U swapped", _swapped, "W is for the queries s, U for the keys h: yours are swapped. (Where A = B nothing complains.)"),
        Misconception("softmax already applied", lambda *a: lib.attention_weights(lib.additive_energies(*a)), "Energies are any real numbers; the softmax comes afterwards, in attention_weights."),
        Misconception("tanh from exponentials", _additive(lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))), "Your tanh overflows where the pre-activation is in the thousands: np.tanh does not."),
    ),
    hints=(
        "Project queries and keys once each, to (N, T, M) and (N, S, M). Then every query must meet every key: where does broadcasting need an axis of length 1?",
        "(s @ W)[:, :, None, :] is (N, T, 1, M), (h @ U)[:, None, :, :] is (N, 1, S, M); their sum is (N, T, S, M).",
        "np.tanh((s @ W)[:, :, None, :] + (h @ U)[:, None, :, :]) @ v",
    ),
    minutes=10,
    difficulty=3,
)


# ---- context_vectors
def _context_cases(rng: Generator) -> list[Case]:
    s, n, t, b = _sizes(rng, 4)
    weights, h = rng.dirichlet(np.ones(s), size=(n, t)), rng.normal(size=(n, s, b))
    order = np.roll(np.arange(s), 1)
    empty = weights.copy()
    empty[:, -1] = 0.0
    return [
        case("a batch, N, T, S, B all different", weights, h),
        case("as many queries as keys", rng.dirichlet(np.ones(3), size=(2, 3)), rng.normal(size=(2, 3, 4))),
        edge("permuted keys", weights[:, :, order], h[:, order]),
        edge("a query without any key: weights 0", empty, h),
        edge("N = T = S", rng.dirichlet(np.ones(3), size=(3, 3)), rng.normal(size=(3, 3, 2))),
        edge("N = 1, T = 1", weights[:1, :1], h[:1]),
    ]


context_vectors = Exercise(
    reference=lib.context_vectors,
    tiers=values_and_edge(0.5, 0.5),
    cases=_context_cases,
    traps=("permuted keys", "N = T = S"),
    misconceptions=(
        Misconception("weights transposed", lambda weights, h: weights.swapaxes(1, 2) @ h, "Queries stand in the rows of the weights, keys in the columns: sum over the columns. With T = S the transposed product fits too, and means something else."),
        Misconception("plain mean", lambda weights, h: 0 * weights @ h + h.mean(axis=1, keepdims=True), "You average the keys: the weights are not used."),
        Misconception("divided by S", lambda weights, h: weights @ h / h.shape[1], "A query's weights sum to 1 already: the sum is an average as it stands, without a division by S."),
        Misconception("renormalised", lambda weights, h: weights / weights.sum(axis=2, keepdims=True) @ h, "You normalise the weights once more: a query without any key has sum 0, and 0/0 is nan. Use them as they are."),
        Misconception("examples mixed", lambda weights, h: np.einsum("nts,msb->ntb", weights, h), "You sum over the batch as well: example n reads its own keys only."),
        Misconception("only the best key", lambda weights, h: np.take_along_axis(h, weights.argmax(axis=2)[:, :, None], axis=1), "You copy the key of the largest weight. All keys count, each by its weight: that is what makes attention differentiable."),
        Misconception("queries summed too", lambda weights, h: (weights @ h).sum(axis=1, keepdims=True) + 0 * (weights @ h), "Every query has a context of its own: sum over the keys only."),
    ),
    hints=(
        "For one example and one query it is a weighted sum of S vectors of length B.",
        "For one example: (T, S) times (S, B). What does @ do with a leading axis?",
        "weights @ h: matrix products for all n at once.",
    ),
    minutes=4,
    difficulty=1,
)


# ---- scaled_dot_product_attention
def _qkv(rng: Generator, leading: tuple[int, ...], t: int, s: int, d: int, e: int, scale: float = 1.3) -> list[ndarray]:
    return [rng.normal(scale=scale, size=(*leading, *shape)) for shape in ((t, d), (s, d), (s, e))]


def _attention_cases(rng: Generator) -> list[Case]:
    s, t, d, e = _sizes(rng, 4)
    Q, K, V = _qkv(rng, (2,), t, s, d, e)
    varied, order = Q.copy(), np.roll(np.arange(s), 1)
    varied[:, 0] += 1.5
    mask = _mask(rng, t, s)
    return [
        case("a batch, T, S, d, e all different", Q, K, V),
        case("no leading axis, T = S", *_qkv(rng, (), 4, 4, 3, 2)),
        case("a mask (T, S) for all", Q, K, V, mask),
        case("two leading axes, one mask each", *_qkv(rng, (2, 3), 2, 3, 4, 1), _mask(rng, 2, 3, 2, 3)),
        edge("a varied query", varied, K, V),
        edge("permuted keys, with their values and masks", Q, K[..., order, :], V[..., order, :], mask[:, order]),
        edge("a fully masked row", Q, K, V, _with_an_empty_row(rng, 2, t, s)),
        edge("a mask by key, (S,)", Q, K, V, np.arange(s) != rng.integers(s)),
        edge("a mask by query, (T, 1)", Q, K, V, (np.arange(t) != 0)[:, None]),
        edge("queries and keys near ±1000", *_qkv(rng, (1,), 2, 3, 4, 2, 400.0), _mask(rng, 2, 3)),
    ]


def _attend(scale: str = "d", weights: Weights = lib.attention_weights, out: Callable = np.matmul) -> Wrong:
    def wrong(Q, K, V, mask=None):
        return out(weights(Q @ K.swapaxes(-1, -2) * _SCALES[scale](Q, K, V), mask), V)

    return wrong


_SCALES: dict[str, Callable[[ndarray, ndarray, ndarray], float]] = {
    "d": lambda Q, K, V: Q.shape[-1] ** -0.5, "1": lambda Q, K, V: 1.0, "/d": lambda Q, K, V: 1 / Q.shape[-1], "*": lambda Q, K, V: Q.shape[-1] ** 0.5, "S": lambda Q, K, V: K.shape[-2] ** -0.5,
    "T": lambda Q, K, V: Q.shape[-2] ** -0.5, "e": lambda Q, K, V: V.shape[-1] ** -0.5, "0": lambda Q, K, V: len(Q) ** -0.5, "d/2": lambda Q, K, V: 2 * Q.shape[-1] ** -0.5, "axis 1": lambda Q, K, V: Q.shape[1] ** -0.5,
}  # fmt: skip


def _mask_mistakes(made: Callable[[Weights], Wrong], *, fill: bool = True) -> tuple[Misconception, ...]:
    """What can go wrong with a mask, in whatever is made of the weights."""
    shown = (
        Misconception("softmax over queries", made(_w(axis=-2)), MASKING["axis"]),
        Misconception("mask as 0/1 added", made(_w("added")), MASKING["added"]),
        Misconception("energies multiplied by the mask", made(_w("multiplied")), MASKING["multiplied"]),
        Misconception("mask after the softmax", made(_w("after")), MASKING["after"]),
        Misconception("mask inverted", made(_w("inverted")), MASKING["inverted"]),
        Misconception("mask ignored", made(_w("ignored")), MASKING["ignored"] + " It must reach the weights."),
        Misconception("nan in a masked row", made(_w("nan")), MASKING["nan"]),
    )
    low = Misconception("low number in a masked row", made(_w(fill=-1e9)), MASKING["fill"], (made(_w("plus", fill=-1e9)),))
    return (*shown, low) if fill else shown


SCALE = {
    "1": "The energies are not scaled: with long queries they grow, and the softmax freezes. By what must they be divided so that their variance stays 1?",
    "/d": "You divide by d itself. A sum of d products of independent numbers of variance 1 has VARIANCE d: what is its standard deviation?",
    "*": "You multiply by the root where you should divide: energies grow with d anyway.",
    "other": "You scale by the root of another length. What counts is how many products are summed in one energy: the length of a query, Q.shape[-1].",
}

scaled_dot_product_attention = Exercise(
    reference=lib.scaled_dot_product_attention,
    tiers=values_and_edge(3, 2),
    cases=_attention_cases,
    traps=("a varied query", "permuted keys, with their values and masks", "a fully masked row", "a mask by key, (S,)", "queries and keys near ±1000"),
    misconceptions=(
        Misconception("√d forgotten", _attend("1"), SCALE["1"]),
        Misconception("√d and the mask forgotten", _attend("1", _w("ignored")), "Two things are missing: the energies are not scaled for the length of a query, and the mask is not used."),
        Misconception("divided by d", _attend("/d"), SCALE["/d"]),
        Misconception("multiplied by √d", _attend("*"), SCALE["*"]),
        Misconception("root of another length", _attend("S"), SCALE["other"], (_attend("T"), _attend("e"), _attend("0"), _attend("axis 1"))),
        *_mask_mistakes(lambda w: _attend(weights=w)),
        Misconception("no shift", _attend(weights=_w(shift="none")), MASKING["shift"], (_attend(weights=_w("nan", shift="none")),)),
        Misconception("batch-wide maximum", _attend(weights=_w(shift="batch")), MASKING["batch"], (_attend(weights=_w("nan", shift="batch")),)),
        Misconception("only for one leading axis", lambda Q, K, V, mask=None: lib.attention_weights(Q @ K.transpose(0, 2, 1) / Q.shape[-1] ** 0.5, mask) @ V, "It works for (N, T, d) only. The dots in (..., T, d) allow no leading axis, or two: name the last two axes by −1 and −2."),
        Misconception("weights returned", _attend(out=lambda w, V: w), "You return the weights; the values V are still to be averaged with them."),
        Misconception("scaled after the softmax", lambda Q, K, V, mask=None: lib.attention_weights(Q @ K.swapaxes(-1, -2), mask) @ V / Q.shape[-1] ** 0.5, "The root divides the ENERGIES, before the softmax; after it, the weights no longer sum to 1."),
        Misconception("all axes transposed", lambda Q, K, V, mask=None: lib.attention_weights(Q @ K.T / Q.shape[-1] ** 0.5, mask) @ V, "K.T turns the order of ALL axes around, the batch's too. Only the last two change places: swapaxes(-1, -2)."),
        Misconception("keys read instead of values", lambda Q, K, V, mask=None: lib.scaled_dot_product_attention(Q, K, K, mask), "Keys decide who is looked at; what is read are the values V."),
    ),
    hints=(
        "Three steps: energies of every query against every key, weights (you have that function, mask included), weighted sum of the values.",
        "Only the last two axes of K change places: K.swapaxes(-1, -2). Divide the energies by the root of Q.shape[-1].",
        "attention_weights(Q @ K.swapaxes(-1, -2) / np.sqrt(Q.shape[-1]), mask) @ V",
    ),
    minutes=8,
    difficulty=2,
)


# ---- softmax_backward
def _softmax_backward_cases(rng: Generator) -> list[Case]:
    s, n, t = _sizes(rng, 3)
    probs = rng.dirichlet(np.ones(s), size=(n, t))
    empty = probs.copy()
    empty[:, -1] = 0.0
    return [
        case("one row, 1-D", rng.normal(size=s), rng.dirichlet(np.ones(s))),
        case("a batch, T ≠ S", rng.normal(size=(n, t, s)), probs),
        case("two axes", rng.normal(size=(t, s)), rng.dirichlet(np.ones(s), size=t)),
        case("four axes", rng.normal(size=(2, 2, 3, 4)), rng.dirichlet(np.ones(4), size=(2, 2, 3))),
        edge("a fully masked row: probs 0", rng.normal(size=(n, t, s)), empty),
        edge("masked keys: single probs are 0", rng.normal(size=(2, 4)), np.array([[0.25, 0.0, 0.75, 0.0], [0.0, 0.5, 0.25, 0.25]])),
        edge("all weight on one key", rng.normal(size=(3, s)), np.eye(s)[rng.integers(s, size=3)]),
        edge("the same dprobs for all keys", np.full((2, s), float(rng.integers(1, 9))), rng.dirichlet(np.ones(s), size=2)),
    ]


def _sb(form: Callable[[ndarray, ndarray], Any]) -> Wrong:
    return lambda dprobs, probs: form(dprobs, probs)


def _sum(a: ndarray, axis: Any = -1) -> ndarray:
    return a.sum(axis=axis, keepdims=True)


softmax_backward = Exercise(
    reference=lib.softmax_backward,
    tiers=values_and_edge(2, 2),
    cases=_softmax_backward_cases,
    traps=("a fully masked row: probs 0",),
    misconceptions=(
        Misconception("diagonal Jacobian", _sb(lambda g, p: g * p * (1 - p)), "You used only dp_k/de_k. Every weight depends on every energy of its row, through the common denominator: sum over k."),
        Misconception("second term forgotten", _sb(lambda g, p: g * p), "One term is there; the other comes from the common denominator, which every energy of the row moves."),
        Misconception("sum without the weights", _sb(lambda g, p: p * (g - _sum(g))), "In the term that the whole row shares each dL/dp_k comes with a factor: look at dp_k/de_j for k ≠ j once more."),
        Misconception("mean of dprobs subtracted", _sb(lambda g, p: p * (g - g.mean(axis=-1, keepdims=True))), "What is subtracted is an average of dprobs, but not the plain one: which weights does the Jacobian give?"),
        Misconception("mean for the sum", _sb(lambda g, p: p * (g - (g * p).mean(axis=-1, keepdims=True))), "You average dprobs · probs over the keys. The probs are weights that sum to 1 already: no division by S."),
        Misconception("factor p missing", _sb(lambda g, p: g - _sum(g * p)), "The difference is right, a factor for each entry is missing: a key of weight 0 must pass no gradient."),
        Misconception("sum over another axis", _sb(lambda g, p: p * (g - _sum(g * p, 0))), "The shared term is a sum over the keys of ONE query: the last axis, with keepdims so that it broadcasts back.", (_sb(lambda g, p: p * (g - _sum(g * p, max(-2, -p.ndim)))), _sb(lambda g, p: p * (g - _sum(g * p, min(1, p.ndim - 1)))))),
        Misconception("sum over everything", _sb(lambda g, p: p * (g - (g * p).sum())), "You sum over all rows together. Each query's weights depend on its own energies only: sum along the last axis."),
        Misconception("sign", _sb(lambda g, p: p * (_sum(g * p) - g)), "All signs are turned round: raising an energy RAISES its own weight."),
        Misconception("plus instead of minus", _sb(lambda g, p: p * (g + _sum(g * p))), "Adding the same number to all energies of a row changes no weight, so the result must sum to 0 along the row. Yours does not: check the sign of the second term."),
        Misconception("p once too often", _sb(lambda g, p: p * p * (g - _sum(g * p))), "The factor p stands there twice."),
        Misconception("gradient times minus p only", _sb(lambda g, p: g - p * _sum(g)), "That is the backward of LOG-softmax. Here dprobs is the gradient in the probabilities themselves."),
    ),
    hints=(
        "dL/de_j = Σ_k dL/dp_k · dp_k/de_j. You know dp_k/de_j from softmax's Jacobian: p_k ([k = j] − p_j). Put it in and split the sum.",
        "Σ_k dp_k p_k [k = j] is dp_j p_j; in Σ_k dp_k p_k p_j the p_j comes out, and what is left is one number per row.",
        "probs * (dprobs - (dprobs * probs).sum(axis=-1, keepdims=True))",
    ),
    minutes=12,
    difficulty=3,
)


# ---- scaled_dot_product_attention_backward
def _backward_cases(rng: Generator) -> list[Case]:
    s, t, d, e = _sizes(rng, 4)
    Q, K, V = _qkv(rng, (), t, s, d, e)
    dy = rng.normal(size=(t, e))
    small, small_dy = _qkv(rng, (), 2, 3, 4, 1), rng.normal(size=(2, 1))
    order, mask = np.roll(np.arange(3), 1), _mask(rng, 2, 3)
    return [
        case("T, S, d, e all different", dy, Q, K, V),
        case("T = S = d", rng.normal(size=(3, 2)), *_qkv(rng, (), 3, 3, 3, 2)),
        case("a batch, a mask (T, S) for all", rng.normal(size=(2, 3, 1)), *_qkv(rng, (2,), 3, 4, 2, 1), _mask(rng, 3, 4)),
        case("two leading axes, one mask each", rng.normal(size=(2, 1, 2, 4)), *_qkv(rng, (2, 1), 2, 3, 1, 4), _mask(rng, 2, 1, 2, 3)),
        edge("a fully masked row passes no gradient", small_dy, *small, _with_an_empty_row(rng, 2, 3)),
        edge("permuted keys, with their values and masks", small_dy, small[0], small[1][order], small[2][order], mask[:, order]),
        edge("a mask by key, (S,)", small_dy, *small, np.arange(3) != rng.integers(3)),
        edge("rows of energies near −1000 and +1000", rng.normal(size=(2, 2)), *_near_1000(rng), np.array([[True, True, False], [True, False, True]])),
    ]


def _near_1000(rng: Generator) -> list[ndarray]:
    """Q, K, V whose energies lie near ±1000 by row, while those of a row differ little: the gradients are not all 0."""
    Q, K, V = _qkv(rng, (), 2, 3, 4, 2, 1.0)
    Q[:, 0], K[:, 0] = rng.permutation([40.0, -40.0]), 50.0
    return [Q, K, V]


def _back(qk: tuple[str, str] = ("d", "d"), weights: Weights = lib.attention_weights, jacobian: Wrong = lib.softmax_backward, forward: str = "d", dv: Callable = lambda A, dy: A.swapaxes(-1, -2) @ dy, masked: bool = True) -> Wrong:
    def wrong(dy, Q, K, V, mask=None):
        A = weights(Q @ K.swapaxes(-1, -2) * _SCALES[forward](Q, K, V), mask)
        dE = jacobian(dy @ V.swapaxes(-1, -2), A)
        return dE @ K * _SCALES[qk[0]](Q, K, V), dE.swapaxes(-1, -2) @ Q * _SCALES[qk[1]](Q, K, V), dv(A, dy)

    return wrong


def _back_all_axes(dy, Q, K, V, mask=None):
    scale = Q.shape[-1] ** -0.5
    A = lib.attention_weights(Q @ K.swapaxes(-1, -2) * scale, mask)
    dE = lib.softmax_backward(dy @ V.swapaxes(-1, -2), A)
    return dE @ K * scale, dE.T @ Q * scale, A.T @ dy


def _back_untransposed(dv: bool) -> Wrong:
    def wrong(dy, Q, K, V, mask=None):
        scale = Q.shape[-1] ** -0.5
        A = lib.attention_weights(Q @ K.swapaxes(-1, -2) * scale, mask)
        dE = lib.softmax_backward(dy @ V.swapaxes(-1, -2), A) * scale
        return dE @ K, dE @ Q, (A if dv else A.swapaxes(-1, -2)) @ dy

    return wrong


def _same(name: str) -> Wrong:
    return _back((name, name), forward=name)


scaled_dot_product_attention_backward = Exercise(
    reference=lib.scaled_dot_product_attention_backward,
    tiers=values_and_edge(4, 3),
    cases=_backward_cases,
    returns=("dQ", "dK", "dV"),
    traps=("a fully masked row passes no gradient", "permuted keys, with their values and masks", "rows of energies near −1000 and +1000"),
    misconceptions=(
        Misconception("√d left out of dQ and dK", _back(("1", "1")), "The energies were divided by √d on the way forward, so the same factor waits on the way back to Q and to K."),
        Misconception("√d left out of one", _back(("d", "1")), "One of dQ and dK has the factor of the scaled energies, the other has not.", (_back(("1", "d")),)),
        Misconception("√d twice", _back(("/d", "/d")), "On the way back to Q and K the factor 1/√d stands twice, once in the energies' gradient and once in the products. It was applied once."),
        Misconception("√d forgotten", _same("1"), SCALE["1"] + " Forward and backward must agree.", (_back(("d", "d"), forward="1"),)),
        Misconception("divided by d", _same("/d"), SCALE["/d"]),
        Misconception("root of another length", _same("S"), SCALE["other"], (_same("T"), _same("e"))),
        Misconception("diagonal Jacobian", _back(jacobian=lambda g, p: g * p * (1 - p)), "You let softmax act entry by entry. Every weight of a row depends on every energy of it: softmax_backward has both terms."),
        Misconception("arguments of softmax_backward swapped", _back(jacobian=lambda g, p: lib.softmax_backward(p, g)), "softmax_backward takes the gradient in the weights first, the weights second: yours are swapped."),
        Misconception("softmax left out on the way back", _back(jacobian=lambda g, p: g), "The gradient in the weights is used as if it were that in the energies: softmax lies between them.", (_back(jacobian=lambda g, p: np.where(p == 0, 0.0, g)),)),
        Misconception("softmax's second term forgotten", _back(jacobian=lambda g, p: g * p), "Between weights and energies one term is missing: the one from the common denominator."),
        Misconception("row sum over another axis", _back(jacobian=lambda g, p: p * (g - (g * p).sum(axis=-2, keepdims=True))), "In softmax's backward the sum runs over the keys of one query, the last axis."),
        Misconception("weights not transposed in dV", _back(dv=lambda A, dy: A @ dy), "dV[j] collects from all queries that looked at key j: the sum runs over the queries, so the weights stand transposed. With T = S both products fit."),
        Misconception("dE not transposed in dK", _back_untransposed(False), "dK[j] collects from all queries that met key j: the sum runs over the queries, so dE stands transposed. With T = S both products fit.", (_back_untransposed(True),)),
        Misconception("all axes transposed", _back_all_axes, "dE.T and A.T turn the order of ALL axes around, the batch's too. Only the last two change places: swapaxes(-1, -2)."),
        *_mask_mistakes(lambda w: _back(weights=w)),
        Misconception("no shift", _back(weights=_w(shift="none")), MASKING["shift"], (_back(weights=_w("nan", shift="none")),)),
        Misconception("batch-wide maximum", _back(weights=_w(shift="batch")), MASKING["batch"], (_back(weights=_w("nan", shift="batch")),)),
        Misconception("only for one leading axis", lambda dy, Q, K, V, mask=None: lib.scaled_dot_product_attention_backward(dy, Q, K.transpose(0, 2, 1).transpose(0, 2, 1), V, mask), "It works for (N, T, d) only. The dots in (..., T, d) allow no leading axis, or two: name the last two axes by −1 and −2."),
        Misconception("dQ and dK swapped", lambda dy, Q, K, V, mask=None: (lambda r: (r[1], r[0], r[2]))(lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)), "Your first two results have changed places: dQ comes first, then dK."),
        Misconception("sign", lambda dy, Q, K, V, mask=None: tuple(-r for r in lib.scaled_dot_product_attention_backward(dy, Q, K, V, mask)), "All three gradients point the other way."),
    ),
    hints=(
        "Go backward through three steps: y = A V, A = softmax(E), E = Q Kᵀ / √d. For a product y = A V the gradients are dA = dy Vᵀ and dV = Aᵀ dy.",
        "Recompute A with attention_weights and the mask; dE = softmax_backward(dA, A). Masked pairs have weight 0 and need no further care.",
        "dE @ K / √d, dE.swapaxes(-1, -2) @ Q / √d, A.swapaxes(-1, -2) @ dy",
    ),
    minutes=18,
    difficulty=4,
)


# ---- positional_encoding
def _positions_cases(rng: Generator) -> list[Case]:
    n, d = int(rng.choice([3, 5, 7])), int(rng.choice([4, 6]))
    return [
        case("a few positions, n ≠ d", n, d),
        case("more positions than features", d + 3, 4),
        case("more features than positions", 3, 8),
        edge("d = 2: a single wave", n, 2),
        edge("n = 1: position 0", 1, d),
        edge("as many positions as features", d, d),
    ]


def _positions(power: Callable = lambda c, d: c // 2 * 2 / d, base: float = 10000.0, start: int = 0, arrange: Callable | None = None, swap: bool = False, multiply: bool = False, factor: float = 1.0) -> Wrong:
    def wrong(n, d):
        c, t = np.arange(d), factor * (np.arange(n)[:, None] + start)
        angles = t * base ** power(c, d) if multiply else t / base ** power(c, d)
        y = np.where((c % 2 == 0) != swap, np.sin(angles), np.cos(angles))
        return arrange(y) if arrange else y

    return wrong


positional_encoding = Exercise(
    reference=lib.positional_encoding,
    tiers=values_and_edge(1, 1),
    cases=_positions_cases,
    misconceptions=(
        Misconception("sines first, cosines after", _positions(arrange=lambda y: np.concatenate([y[:, ::2], y[:, 1::2]], axis=1)), "You put all sines into the first half. Here sine and cosine of one wave stand side by side, in columns 2i and 2i + 1."),
        Misconception("cosine before sine", _positions(swap=True), "Even columns are sines, odd ones cosines: position 0 is 0, 1, 0, 1, …"),
        Misconception("own wavelength for each column", _positions(lambda c, d: c / d), "Sine and cosine of a pair must share ONE wavelength: columns 2i and 2i + 1 have the same exponent 2i/d. Yours uses the column's own number in odd columns."),
        Misconception("exponent doubled", _positions(lambda c, d: 2 * c / d), "In 2i/d the number 2i IS the column: i counts pairs. Yours doubles the column's number.", (_positions(lambda c, d: 2 * (c // 2 * 2) / d),)),
        Misconception("exponent halved", _positions(lambda c, d: c // 2 / d), "The exponent of pair i is 2i/d; yours is i/d, so that the longest wave is only a hundred times the shortest."),
        Misconception("positions from 1", _positions(start=1), "Positions count from 0: the first row is 0, 1, 0, 1, …"),
        Misconception("frequency grows", _positions(multiply=True), "You multiply the position by the power of 10000. The waves must get LONGER with i: divide."),
        Misconception("base 1000", _positions(base=1000.0), "The base is 10000, with four zeros.", (_positions(base=1e5),)),
        Misconception("sines only", _positions(arrange=lambda y: np.where(np.arange(y.shape[1]) % 2 == 0, y, np.roll(y, 1, axis=1))), "Odd columns hold the cosine of the same angle, not the sine again."),
        Misconception("written into integers", _positions(arrange=np.trunc), "Your values are cut to whole numbers: the array they are written into has an integer dtype."),
        Misconception("positions in the columns", _positions(arrange=np.transpose), "Rows are positions, (n, d): yours is transposed."),
        Misconception("factor 2π", _positions(factor=2 * np.pi), "The angle is position / 10000^(2i/d) in radians: no factor 2π in it."),
        Misconception("exponent ends at 1", _positions(lambda c, d: c // 2 / max(d // 2 - 1, 1)), "Your last wave has base 10000 exactly. The exponent is 2i/d with the whole d below, so it never reaches 1."),
    ),
    hints=(
        "Make the angles first, an (n, d/2) array: position divided by the wave's length; np.arange(0, d, 2) gives all 2i.",
        "y = np.empty((n, d)); then y[:, 0::2] and y[:, 1::2] are the even and the odd columns.",
        "angles = np.arange(n)[:, None] / 10000 ** (np.arange(0, d, 2) / d); y[:, 0::2] = np.sin(angles); y[:, 1::2] = np.cos(angles).",
    ),
    minutes=6,
    difficulty=2,
)


# ---- causal_mask
def _causal_cases(rng: Generator) -> list[Case]:
    n = int(rng.choice([3, 5, 6]))
    return [
        case("four positions", 4),
        case("a few positions", n),
        edge("one position, which sees itself", 1),
        edge("two positions", 2),
    ]


causal_mask = Exercise(
    reference=lib.causal_mask,
    tiers=values_and_edge(0.5, 0.5),
    cases=_causal_cases,
    traps=("one position, which sees itself",),
    misconceptions=(
        Misconception("strict: nobody sees himself", lambda n: np.tril(np.ones((n, n), bool), -1), "A position may look at itself too. With yours, the first one may look at nothing at all."),
        Misconception("transposed", lambda n: np.triu(np.ones((n, n), bool)), "Rows are the positions that look, columns those looked at. Yours lets everybody see the future and hides the past."),
        Misconception("inverted", lambda n: np.triu(np.ones((n, n), bool), 1), "True KEEPS a pair, here. You marked what is forbidden."),
        Misconception("one step into the future", lambda n: np.tril(np.ones((n, n), bool), 1), "Row i is True one column too far: i + 1 is the future already."),
        Misconception("minus infinity", lambda n: np.where(np.tril(np.ones((n, n), bool)), 0.0, -np.inf), "This is the mask that is ADDED to energies. In this course a mask is made of booleans: True where position i may look at j.", (lambda n: np.where(np.tril(np.ones((n, n), bool)), 0.0, -1e9),)),
        Misconception("everything kept", lambda n: np.ones((n, n), bool), "Every pair is kept: the future, j > i, must be hidden."),
        Misconception("only itself", lambda n: np.eye(n, dtype=bool), "A position sees itself, and all those before it too."),
        Misconception("only the neighbour", lambda n: np.tril(np.triu(np.ones((n, n), bool), -1)), "A position sees ALL before it, not the last one only."),
    ),
    hints=(
        "Write the 3 × 3 mask down by hand: row i, column j, True where i may look at j.",
        "Compare a column of positions with a row of positions, or look for NumPy's lower triangle.",
        "np.arange(n)[:, None] >= np.arange(n)",
    ),
    minutes=3,
    difficulty=1,
)


# ---- multi_head_attention
def _mha_inputs(rng: Generator, n: int, t: int, d: int, scale: float = 0.8) -> list[ndarray]:
    return [rng.normal(size=(n, t, d)), *rng.normal(scale=scale, size=(4, d, d))]


def _mha_cases(rng: Generator) -> list[Case]:
    t = int(rng.choice([3, 5]))
    six, four = _mha_inputs(rng, 1, t, 6), _mha_inputs(rng, 2, 3, 4)
    own = np.array([[[True, False], [True, True]], [[True, True], [False, True]], [[False, True], [True, False]]])
    order = np.roll(np.arange(3), 1)
    return [
        case("two heads of three columns", *six, 2),
        case("three heads of two columns, causal", *six, 3, lib.causal_mask(t)),
        case("a batch, two heads, a mask (T, T)", *four, 2, _mask(rng, 3, 3)),
        case("own masks, (N, T, T), N ≠ n_heads", *_mha_inputs(rng, 3, 2, 4), 2, own),
        edge("as many examples as heads, own masks", *four, 2, _mask(rng, 2, 3, 3)),
        edge("one head", *_mha_inputs(rng, 1, 2, 3), 1),
        edge("as many heads as features", *_mha_inputs(rng, 1, 2, 3), 3),
        edge("permuted positions", four[0][:, order], *four[1:], 2),
        edge("a fully masked row", *four, 2, _with_an_empty_row(rng, 3, 3)),
        edge("energies beyond ±1000", *_mha_inputs(rng, 1, 3, 4, 25.0), 2, _mask(rng, 3, 3)),
    ]


def _cut(y: ndarray, h: int) -> ndarray:
    n, t, d = y.shape
    return y.reshape(n, t, h, d // h).swapaxes(1, 2)


def _join(y: ndarray) -> ndarray:
    n, h, t, k = y.shape
    return y.swapaxes(1, 2).reshape(n, t, h * k)


def _per_head(mask: ndarray | None, shape: tuple[int, ...]) -> ndarray | None:
    return None if mask is None else np.broadcast_to(mask, (shape[0], *shape[2:]))[:, None]


def _mha(cut: Callable = _cut, join: Callable = _join, weights: Weights = lib.attention_weights, scale: Callable = lambda d, h: (d / h) ** -0.5, last: Callable = np.matmul, per_head: Callable = _per_head, project: Callable = np.matmul, one: bool = False) -> Wrong:
    def wrong(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
        d, h = x.shape[-1], 1 if one else n_heads
        Q, K, V = (cut(project(x, W), h) for W in (W_q, W_k, W_v))
        energies = Q @ K.swapaxes(-1, -2) * scale(d, h)
        return last(join(weights(energies, per_head(mask, energies.shape)) @ V), W_o)

    return wrong


def _across_heads(energies, mask=None):
    return _w(axis=1)(energies, mask)


multi_head_attention = Exercise(
    reference=lib.multi_head_attention,
    tiers=values_and_edge(4, 3),
    cases=_mha_cases,
    traps=("as many examples as heads, own masks", "permuted positions", "a fully masked row", "energies beyond ±1000"),
    misconceptions=(
        Misconception("√D for every head", _mha(scale=lambda d, h: d**-0.5), "Each head sums over its OWN columns only: D / n_heads of them. Its energies are scaled by the root of that."),
        Misconception("√d forgotten", _mha(scale=lambda d, h: 1.0), SCALE["1"]),
        Misconception("divided by d", _mha(scale=lambda d, h: h / d), SCALE["/d"]),
        Misconception("root of the number of heads", _mha(scale=lambda d, h: h**-0.5), "You scale by the number of heads. What counts is how many products one energy sums: the columns of a head."),
        Misconception("heads cut across positions", _mha(cut=lambda y, h: y.reshape(y.shape[0], h, y.shape[1], -1)), "A reshape to (N, heads, T, D / heads) deals out the numbers in memory order: it mixes positions. Cut the FEATURES first, (N, T, heads, D / heads), then swap the two axes.", (_mha(cut=lambda y, h: y.reshape(y.shape[0], h, y.shape[1], -1), join=lambda y: y.reshape(y.shape[0], y.shape[2], -1)), _mha(cut=lambda y, h: y.reshape(y.shape[0], h, y.shape[1], -1), join=lambda y: y.reshape(y.shape[0], y.shape[2], -1), per_head=lambda mask, shape: mask))),
        Misconception("heads joined across positions", _mha(join=lambda y: y.reshape(y.shape[0], y.shape[2], -1)), "The heads are cut rightly but joined wrongly: swap (N, heads, T, D / heads) back to (N, T, heads, D / heads) before the reshape.", (_mha(join=lambda y: y.reshape(y.shape[0], y.shape[2], -1), per_head=lambda mask, shape: mask),)),
        Misconception("columns dealt out in turn", _mha(cut=lambda y, h: y.reshape(*y.shape[:2], -1, h).transpose(0, 3, 1, 2)), "Head m has the columns m·D/n_heads and following, side by side. You deal them out in turn: 0, n_heads, 2·n_heads, …", (_mha(cut=lambda y, h: y.reshape(*y.shape[:2], -1, h).transpose(0, 3, 1, 2), join=lambda y: y.transpose(0, 2, 3, 1).reshape(y.shape[0], y.shape[2], -1)),)),
        Misconception("n_heads ignored", _mha(one=True), "The result is that of a single head: the projections are not cut."),
        Misconception("W_o left out", _mha(last=lambda y, W: y), "The heads are joined; their projection W_o is still missing."),
        Misconception("weights transposed", _mha(project=lambda x, W: x @ W.T, last=lambda y, W: y @ W.T), "We write x @ W. PyTorch's layers keep (out, in) and multiply by the transpose; here W is used as it is.", (_mha(project=lambda x, W: x @ W.T), _mha(last=lambda y, W: y @ W.T))),
        Misconception("residual added", lambda x, *a: x + lib.multi_head_attention(x, *a), "You add x at the end. The skip belongs to the block, in the capstone; here attention stands alone."),
        Misconception("mask (T, T) given an axis", _mha(per_head=lambda mask, shape: None if mask is None else mask[:, None]), "mask[:, None] is right for (N, T, T), whose N must not meet the heads. A mask (T, T) needs no new axis: its first axis is the queries."),
        Misconception("mask of example m given to head m", _mha(per_head=lambda mask, shape: mask), "A mask (N, T, T) against energies (N, heads, T, T): NumPy aligns from the right, so N meets the heads. Give the mask an axis of length 1 for them."),
        Misconception("softmax over heads", _mha(weights=_across_heads), "Your weights sum to 1 over the heads. Each head has its own softmax, over the keys."),
        *_mask_mistakes(lambda w: _mha(weights=w)),
        Misconception("no shift", _mha(weights=_w(shift="none")), MASKING["shift"]),
    ),
    hints=(
        "Project x three times to (N, T, D), cut the D columns into n_heads groups, attend in each group, join, project with W_o. A loop over heads with slices of columns is a good first version.",
        "(N, T, D) → reshape (N, T, n_heads, D // n_heads) → swapaxes(1, 2): scaled_dot_product_attention takes the heads as a leading axis, and scales by the right length by itself. A mask (N, T, T) needs an axis for the heads: mask[:, None].",
        "heads = scaled_dot_product_attention(cut(x @ W_q), cut(x @ W_k), cut(x @ W_v), mask); then heads.swapaxes(1, 2).reshape(N, T, D) @ W_o.",
    ),
    minutes=15,
    difficulty=4,
)


# ---- multi_head_attention_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    own = np.array([[[True, False], [True, True]], [[True, True], [False, True]], [[False, True], [True, False]]])
    two = _mha_inputs(rng, 2, 3, 2)
    return [
        case("two heads of two columns, forward and gradients", *_mha_inputs(rng, 1, 3, 4), 2, None, rng.normal(size=(1, 3, 4)), op="torch"),
        case("three heads of one column, a mask (T, T), True keeps", *_mha_inputs(rng, 1, 2, 3), 3, np.array([[True, False], [True, True]]), rng.normal(size=(1, 2, 3)), op="torch"),
        edge("own masks, (N, T, T), N ≠ n_heads", *_mha_inputs(rng, 3, 2, 2), 2, own, rng.normal(size=(3, 2, 2)), op="torch"),
        edge("as many examples as heads, own masks", *two, 2, _mask(rng, 2, 3, 3), rng.normal(size=(2, 3, 2)), op="torch"),
        edge("a fully masked row passes no gradient, and no nan", *two, 1, _with_an_empty_row(rng, 3, 3), rng.normal(size=(2, 3, 2)), op="torch"),
        edge("rows of energies near −1000 and +1000", *_mha_near_1000(rng), 1, _mask(rng, 3, 3), rng.normal(size=(1, 3, 3)), op="torch"),
    ]


def _mha_near_1000(rng: Generator) -> list[ndarray]:
    """The last column of x is 1, so that all keys share a large component: energies near ±1000 by row, gradients that are not all 0."""
    x, W_q, W_k, W_v, W_o = _mha_inputs(rng, 1, 3, 3)
    x[0, :, 0], x[0, :, 2] = rng.permutation([1.0, 1.0, -1.0]), 1.0
    W_q[:, 0], W_k[:, 0] = [40.0, 0.0, 0.0], [0.0, 0.0, 45.0]
    return [x, W_q, W_k, W_v, W_o]


def _torch_mha(masking: str = "right", scale: str = "head", cut: str = "right", join: str = "right", dim: int = -1, per_head: bool = True, fill: float = -np.inf, detach: bool = False, last: bool = True) -> Wrong:
    def wrong(x, W_q, W_k, W_v, W_o, n_heads, mask=None):
        import torch

        if detach:
            return wrong_of(x.detach(), W_q, W_k, W_v, W_o, n_heads, mask, torch) + 0 * x
        return wrong_of(x, W_q, W_k, W_v, W_o, n_heads, mask, torch)

    def wrong_of(x, W_q, W_k, W_v, W_o, n_heads, mask, torch):
        n, t, d = x.shape
        size = (n, t, n_heads, -1) if cut == "right" else (n, n_heads, t, -1)
        Q, K, V = ((x @ W).reshape(size) for W in (W_q, W_k, W_v))
        if cut == "right":
            Q, K, V = (a.transpose(1, 2) for a in (Q, K, V))
        e = Q @ K.transpose(-1, -2) / {"head": (d / n_heads) ** 0.5, "D": d**0.5, "1": 1.0, "d": d / n_heads}[scale]
        if masking == "no shift":
            shares = e.exp() if mask is None else e.exp() * mask.expand(n, t, t)[:, None]
            probs = shares / shares.sum(dim=-1, keepdim=True)
        elif mask is None or masking == "ignored":
            probs = torch.softmax(e, dim=dim)
        else:
            keep = mask.expand(n, t, t)[:, None] if per_head else mask
            filled = e.masked_fill(~keep, fill)
            probs = {
                "right": lambda: torch.softmax(e.masked_fill(~keep, -1e12), dim=dim) * keep, "fill": lambda: torch.softmax(filled, dim=dim), "nan_to_num": lambda: torch.softmax(e + torch.zeros_like(e).masked_fill(~keep, fill), dim=dim).nan_to_num(0.0),
                "plus": lambda: torch.softmax(e + torch.zeros_like(e).masked_fill(~keep, fill), dim=dim), "added": lambda: torch.softmax(e + keep.to(e.dtype), dim=dim),
                "after": lambda: torch.softmax(e, dim=dim) * keep, "inverted": lambda: torch.softmax(e.masked_fill(keep, -1e12), dim=dim) * ~keep, "multiplied": lambda: torch.softmax(e * keep, dim=dim),
                "inverted fill": lambda: torch.softmax(e.masked_fill(keep, fill), dim=dim),
            }[masking]()  # fmt: skip
        y = probs @ V
        y = y.transpose(1, 2).reshape(n, t, d) if join == "right" else y.reshape(n, t, d)
        return y @ W_o if last else y + 0 * W_o.sum()

    return wrong


multi_head_attention_in_torch = Exercise(
    reference=lib.multi_head_attention_in_torch,
    tiers=values_and_edge(1, 2),
    cases=_in_torch_cases,
    torch=True,
    equivalent_mutants=(("D // n_heads → D / n_heads", "n_heads divides D: under the root the two are the same number"), ("-2 → 2", "the energies' factors have four axes: axis 2 is the last but one")),
    traps=("a fully masked row passes no gradient, and no nan", "rows of energies near −1000 and +1000", "as many examples as heads, own masks"),
    misconceptions=(
        Misconception("nan gradient of a masked row", _torch_mha("nan_to_num"), "The values are right, but the gradients are nan. A softmax over −∞ alone is nan, and its backward multiplies by that nan although you replaced it afterwards. The softmax itself should never see a row of nothing but −∞."),
        Misconception("nan in a masked row", _torch_mha("fill"), "In a row where every key is masked you take a softmax over −∞ alone: nan, and the nan spreads to every gradient. Let the softmax see finite numbers in that row, and set its weights to 0 afterwards.", (_torch_mha("plus"),)),
        Misconception("low number in a masked row", _torch_mha("fill", fill=-1e9), MASKING["fill"]),
        Misconception("mask inverted", _torch_mha("inverted"), "True KEEPS here, as in torch.nn.functional.scaled_dot_product_attention; masked_fill fills where its mask is True, and nn.MultiheadAttention hides where it is True.", (_torch_mha("inverted fill"), _torch_mha("inverted fill", fill=-1e9))),
        Misconception("mask ignored", _torch_mha("ignored"), MASKING["ignored"] + " It must reach the weights."),
        Misconception("mask as 0/1 added", _torch_mha("added"), MASKING["added"]),
        Misconception("energies multiplied by the mask", _torch_mha("multiplied"), MASKING["multiplied"]),
        Misconception("mask after the softmax", _torch_mha("after"), MASKING["after"]),
        Misconception("mask of example m given to head m", _torch_mha(per_head=False), "A mask (N, T, T) meets energies (N, heads, T, T) from the right: N meets the heads. Give it an axis of length 1 for them."),
        Misconception("√D for every head", _torch_mha(scale="D"), "Each head sums over its own D / n_heads columns only: scale by the root of that."),
        Misconception("√d forgotten", _torch_mha(scale="1"), SCALE["1"]),
        Misconception("divided by d", _torch_mha(scale="d"), SCALE["/d"]),
        Misconception("softmax over queries", _torch_mha(dim=-2), MASKING["axis"]),
        Misconception("heads cut across positions", _torch_mha(cut="wrong"), "reshape to (N, heads, T, D / heads) mixes positions: reshape to (N, T, heads, D / heads), then transpose(1, 2).", (_torch_mha(cut="wrong", join="wrong"),)),
        Misconception("heads joined across positions", _torch_mha(join="wrong"), "Transpose the heads back, (N, T, heads, D / heads), before you reshape to (N, T, D)."),
        Misconception("W_o left out", _torch_mha(last=False), "The heads are joined; their projection W_o is still missing."),
        Misconception("gradient cut off", _torch_mha(detach=True), "The values are right, but a gradient does not arrive: something was detached or turned into NumPy on the way."),
        Misconception("no shift", _torch_mha("no shift"), "torch.exp overflows as NumPy's does: torch.softmax shifts for you."),
    ),
    hints=(
        "Line by line your multi_head_attention, with dim for axis and transpose(-1, -2) for swapaxes. The mask is the one place where tensors ask for more care: the gradient, too, must never meet a nan.",
        "Give masked energies a very low FINITE number with masked_fill(~mask, ...): a fully masked row then has uniform weights and no nan. What must those weights be multiplied by?",
        "keep = mask.expand(N, T, T)[:, None]; probs = torch.softmax(energies.masked_fill(~keep, -1e12), dim=-1) * keep.",
    ),
    minutes=9,
    difficulty=3,
)


TOPIC = Topic(
    name="attention",
    assignment="5_attention_and_design",
    title="Attention",
    exercises=(
        attention_weights,
        additive_energies,
        context_vectors,
        scaled_dot_product_attention,
        softmax_backward,
        scaled_dot_product_attention_backward,
        positional_encoding,
        causal_mask,
        multi_head_attention,
        multi_head_attention_in_torch,
    ),
    written=(Written("what_attention_cannot_see", points=3, minutes=8),),
)
