"""Exercises of spectral_normalization: the largest singular value, its gradient, dividing by it, and what it says of a net."""
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Double, Exercise, Misconception, Step, Tier, Topic, Written, case, edge, script, values_and_edge
from class4lib import spectral_normalization as lib

Wrong = Callable[..., Any]


def _with_spectrum(rng: Generator, d: int, m: int, values: Sequence[float]) -> ndarray:
    """A (d, m) matrix with about these singular values, of three digits: gaps stay, numbers are short."""
    U, V = (np.linalg.qr(rng.normal(size=(n, len(values))))[0] for n in (d, m))
    return np.round(U * np.array(values) @ V.T, 3)


def _wide(rng: Generator, scale: float = 1.0) -> ndarray:
    return _with_spectrum(rng, 3, 5, scale * np.array([2.7, 1.6, 0.7]))


def _tall(rng: Generator, scale: float = 1.0) -> ndarray:
    return _with_spectrum(rng, 4, 2, scale * np.array([1.9, 0.8]))


def _square(rng: Generator, scale: float = 1.0) -> ndarray:
    return _with_spectrum(rng, 3, 3, scale * np.array([3.1, 1.4, 0.6]))


def _rank_one(rng: Generator, d: int, m: int) -> ndarray:
    """An outer product of small integers, none 0."""
    return np.outer(*(rng.integers(1, 5, size=n) * rng.choice([-1, 1], size=n) for n in (d, m))) / 2.0


def _vector(rng: Generator, n: int) -> ndarray:
    """Numbers of both signs, none near 0, at least one of size above 1."""
    return np.round(rng.uniform(0.4, 1.6, size=n) * rng.permutation(np.resize([1.0, -1.0], n)) + rng.permutation(np.eye(n)[0]), 2)


def _towards(rng: Generator, W: ndarray) -> ndarray:
    """A start (D,) whose product with W's first column has no cancellation: a W of rank one is never missed."""
    return np.abs(_vector(rng, len(W))) * np.sign(W[:, 0])


def _shift(rng: Generator) -> ndarray:
    """All its eigenvalues are 0."""
    return np.array([[0.0, round(float(rng.uniform(1.5, 3.0)), 2)], [0.0, 0.0]])


def _svd(W: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    return U, s, Vt


def _sigma(W: ndarray) -> float:
    return float(np.linalg.norm(W, 2))


def _radius(W: ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(W)).max())


_EIGENVALUES = "Eigenvalues exist for square matrices only, and they say what happens to a few directions that W keeps, not how long the longest image is: [[0, 1], [0, 0]] has eigenvalues 0 and stretches (1, 0), as a row, to length 1. Look for singular values."
_FROBENIUS = "The root of the sum of all squared entries adds up what W does in ALL directions. The identity of size 9 has Frobenius norm 3 and stretches nothing. Wanted is the largest singular value alone."


# ---- spectral_norm_svd
def _svd_cases(rng: Generator) -> list[Case]:
    return [
        case("more columns than rows", _wide(rng)),
        case("more rows than columns", _tall(rng)),
        case("square, not symmetric", _square(rng)),
        edge("1×n", _vector(rng, 4)[None, :]),
        edge("n×1", _vector(rng, 3)[:, None]),
        edge("rank-deficient", _rank_one(rng, 3, 4)),
        edge("all eigenvalues 0", _shift(rng)),
        edge("zero", np.zeros((2, 3))),
        edge("entries that are integers", np.diag([2, -int(rng.integers(5, 9))])),
    ]


spectral_norm_svd = Exercise(
    reference=lib.spectral_norm_svd,
    tiers=values_and_edge(2, 2),
    cases=_svd_cases,
    traps=("1×n", "rank-deficient", "all eigenvalues 0"),
    misconceptions=(
        Misconception("Frobenius norm", lambda W: float(np.linalg.norm(W)), f"np.linalg.norm without a second argument is the Frobenius norm. {_FROBENIUS}"),
        Misconception("spectral radius", _radius, _EIGENVALUES, (lambda W: float(np.linalg.eigvals(W).max().real), lambda W: float(np.abs(np.linalg.eigvalsh(W)).max()))),
        Misconception("eigenvalue of W'W without its root", lambda W: _sigma(W) ** 2, "You return the SQUARE of what is asked for: the eigenvalues of W'W are squared singular values."),
        Misconception("smallest singular value", lambda W: _svd(W)[1][-1], "NumPy gives the singular values in descending order: you took the last, which is the smallest stretch."),
        Misconception("sum of the singular values", lambda W: _svd(W)[1].sum(), "You add all singular values. The longest image of a vector of length 1 is given by one of them."),
        Misconception("all singular values returned", lambda W: _svd(W)[1], "The result is one number: you return every singular value."),
        Misconception("largest entry", lambda W: float(np.abs(W).max()), "The largest entry says what W does to ONE axis, in one coordinate. A vector that spreads over several axes may be stretched further.", (lambda W: float(W.max()),)),
        Misconception("longest row or column", lambda W: float(np.linalg.norm(W, axis=0).max()), "The length of a row or column is the stretch of one axis. Directions between the axes may be stretched further.", (lambda W: float(np.linalg.norm(W, axis=1).max()),)),
        Misconception("another matrix norm", lambda W: float(np.linalg.norm(W, 1)), "Sums of absolute values along rows or columns measure lengths differently. Ours are Euclidean: ord=2, or the singular values.", (lambda W: float(np.linalg.norm(W, np.inf)),)),
    ),
    hints=(
        "Write W = U Σ V'. U and V' turn and reflect, which changes no length. What is left to stretch?",
        "np.linalg.svd gives the singular values, in descending order, for matrices of any shape. It is not np.linalg.eigvals.",
        "np.linalg.svd(W, compute_uv=False) is the array of singular values; return its first entry.",
    ),
    minutes=8,
    difficulty=1,
)


# ---- power_iteration
def _power_cases(rng: Generator) -> list[Case]:
    def converges(label: str, W: ndarray, n_steps: int, tier: str, trap: str = "") -> Case:
        seed = int(rng.integers(2**31))
        steps = (*(Step("", (W, n_steps), {"rng": Double("rng", {"seed": s})}) for s in (seed, seed)), Step("", (W, n_steps), {"rng": Double("rng", {"seed": seed + 1})}))
        return script(label, *(steps[:2] if tier == "edge" else steps), tier=tier, judge="leading_pair", trap=trap)

    holed = _wide(rng)
    holed[:, int(rng.integers(5))] = 0.0
    close = _with_spectrum(rng, 4, 3, [2.4, 2.0, 0.5])
    return [
        case("one step from a given u", _wide(rng), 1, u=_vector(rng, 3), trap="given u with one or two steps"),
        case("two steps from a given u", _tall(rng), 2, u=_vector(rng, 4), trap="given u with one or two steps"),
        case("three steps, second singular value near the first", close, 3, u=_vector(rng, 4)),
        case("u of length 6, a column of zeros", holed, 1, u=6.0 * (a := _vector(rng, 3)) / np.linalg.norm(a)),
        converges("from rng, 40 steps, more columns than rows", _wide(rng), 40, "from rng"),
        converges("from rng, 40 steps, more rows than columns", _tall(rng, 0.4), 40, "from rng"),
        edge("1×n", _vector(rng, 4)[None, :], 1, u=np.array([-2.0])),
        edge("n×1", W := _vector(rng, 3)[:, None], 1, u=_towards(rng, W)),
        edge("rank-deficient", _rank_one(rng, 3, 2), 2, u=np.array([2, -1, int(rng.integers(13, 19))])),
        converges("from rng, 900 steps", _wide(rng), 900, "edge"),
        converges("rank-deficient, from rng", _with_spectrum(rng, 4, 1, [1.7]) @ _vector(rng, 3)[None, :], 3, "edge"),
    ]


def _unit(x: ndarray) -> ndarray:
    return x / np.linalg.norm(x)


def _by_sigma(W: ndarray, u: ndarray, v: ndarray, old: ndarray) -> float:
    return float(u @ W @ v)


def _power(scale_v: Wrong = _unit, scale_u: Wrong = _unit, read: Wrong = _by_sigma, steps: Wrong = lambda n: n, start: Wrong | None = None, ignore: bool = False, last: Wrong = lambda *r: r) -> Wrong:
    """Power iteration with one of its parts replaced."""

    def wrong(W, n_steps, *, u=None, rng=None):
        u = np.ones(len(W)) if ignore else u
        if u is None:
            u = start(len(W)) if start else rng.normal(size=len(W))
        u = _unit(np.asarray(u, dtype=float))
        old, v = u, u @ W
        for _ in range(steps(n_steps)):
            old, v = u, scale_v(u @ W)
            u = scale_u(W @ v)
        return last(read(W, u, v, old), u, v)

    return wrong


def _by_svd(sign: Wrong) -> Wrong:
    def wrong(W, n_steps, *, u=None, rng=None):
        U, s, Vt = _svd(W)
        flip = sign(U[:, 0], u)
        return s[0], flip * U[:, 0], flip * Vt[0]

    return wrong


def _one_side(W, n_steps, *, u=None, rng=None):
    """v is made once and never again."""
    u = rng.normal(size=len(W)) if u is None else u
    v = _unit(u @ W)
    for _ in range(n_steps):
        u = _unit(W @ v)
    return float(u @ W @ v), u, v


def _ends_with_v(W, n_steps, *, u=None, rng=None):
    _, u, v = _power()(W, n_steps, u=u, rng=rng)
    v = _unit(u @ W)
    return float(u @ W @ v), u, v


def _changes_u(W, n_steps, *, u=None, rng=None):
    u = rng.normal(size=len(W)) if u is None else u
    u /= np.linalg.norm(u)
    return _power()(W, n_steps, u=u)


_same = lambda x: x  # noqa: E731

power_iteration = Exercise(
    reference=lib.power_iteration,
    tiers=(Tier("values", "one to three steps from a given u", 5), Tier("from rng", "from a start of rng's", 2), Tier("edge", "edge cases", 2, needs=("values",))),
    cases=_power_cases,
    returns=("sigma", "u", "v"),
    equivalent_mutants=(("u @ W @ v → v @ (u @ W)", "an inner product has no order"),),
    traps=("given u with one or two steps", "1×n", "rank-deficient"),
    misconceptions=(
        Misconception("an SVD in place of the steps", _by_svd(lambda a, u: 1.0), "After one step from a given u, sigma and the vectors are NOT the exact ones yet: you return the result of an SVD. Do exactly n_steps steps; products with W are all you need.", (_by_svd(lambda a, u: -1.0), _by_svd(lambda a, u: 1.0 if u is None or a @ u >= 0 else -1.0), _by_svd(lambda a, u: np.sign(a[np.abs(a).argmax()])))),
        Misconception("u not renormalised", _power(scale_u=_same), "u comes back with another length than 1: it must be divided by its norm after its product too, in every step, or sigma is counted twice.", (_power(scale_v=_same, scale_u=_same), _power(scale_u=_same, read=lambda W, u, v, old: float(np.linalg.norm(u))))),
        Misconception("brought to length 1 at the end only", _power(_same, _same, read=lambda W, u, v, old: float(_unit(u) @ W @ _unit(v)), last=lambda s, u, v: (s, _unit(u), _unit(v))), "Right for a few steps. With many the vectors grow, or shrink, by a factor of σ² a step, until they overflow or vanish: divide by the norm within every step."),
        Misconception("v not renormalised", _power(scale_v=_same), "v comes back with another length than 1: divide it by its norm after its product, in every step, as you do with u."),
        Misconception("another norm", _power(scale_v=lambda x: x / np.abs(x).max(), scale_u=lambda x: x / np.abs(x).max()), "You divide by the largest entry, or by the sum of the absolute values. The vectors must have Euclidean length 1.", (_power(scale_v=lambda x: x / np.abs(x).sum(), scale_u=lambda x: x / np.abs(x).sum()),)),
        Misconception("sigma squared", _power(read=lambda W, u, v, old: float(u @ W @ v) ** 2), "sigma is the square of what u, W and v give together: a singular value is the ROOT of an eigenvalue of WW'.", (_power(read=lambda W, u, v, old: float(u @ W @ W.T @ u)),)),
        Misconception("sigma from the old u", _power(read=lambda W, u, v, old: float(old @ W @ v)), "The vectors are right; sigma is read off with the u from BEFORE its last update. Compute it at the end, with the u and v that you return."),
        Misconception("sigma half a step ahead", _power(read=lambda W, u, v, old: float(np.linalg.norm(u @ W))), "The vectors are right; sigma is the length of one more product with W. It should be read off with the u and v that you return."),
        Misconception("v updated once more", _ends_with_v, "u is right, v has had one update too many: a step is first v from u, then u from v, and sigma is read off right after the last u."),
        Misconception("one step too few", _power(steps=lambda n: n - 1), "You do one step less than n_steps: does the loop begin at 1, or is the start counted as a step?", (lambda W, n_steps, *, u=None, rng=None: _power()(W, max(n_steps - 1, 1), u=u, rng=rng),)),
        Misconception("one step too many", _power(steps=lambda n: n + 1), "You do one step more than n_steps: one update of v, then one of u, is a whole step."),
        Misconception("u given is ignored", _power(ignore=True), "The given u is not where you start: only where u is None is a start to be drawn.", (lambda W, n_steps, *, u=None, rng=None: _power()(W, n_steps, u=np.random.default_rng(0).normal(size=len(W))),), unsteady=("rank-deficient",)),
        Misconception("a product that does not fit", lambda W, n_steps, *, u=None, rng=None: W @ (np.ones(len(W)) if u is None else u), "NumPy could not work with these shapes. u has one entry per ROW of W, v one per column: u @ W (or W.T @ u) goes from the rows' side to the columns', W @ v comes back."),
        Misconception("u and v swapped", _power(last=lambda s, u, v: (s, v, u)), "u belongs to the rows of W, (D,), v to the columns, (M,): they come back in the wrong order."),
        Misconception("v never updated again", _one_side, "Your loop repeats the update of u with the same v, which changes nothing after the first time. Both vectors are updated in every step."),
        Misconception("u changed in place", _changes_u, "The caller's u must stay as it was: write u = u / … and not u /= …, which works inside the given array (and fails for integers)."),
        Misconception("global random numbers", _power(start=lambda n: np.random.normal(size=n)), "The start is drawn with np.random. Only the generator that is handed in, rng, may draw.", (_power(start=lambda n: np.random.randn(n)), _power(start=lambda n: np.random.rand(n)))),
    ),
    hints=(
        "u lives on the side of the rows, v on the side of the columns. u @ W goes over to v's side, W @ v comes back; neither needs an SVD.",
        "A step: v becomes u @ W brought to length 1, then u becomes W @ v brought to length 1. Only where u is None do you draw, with rng.normal.",
        "for _ in range(n_steps): v = u @ W; v = v / np.linalg.norm(v); u = W @ v; u = u / np.linalg.norm(u). At the end sigma = u @ W @ v.",
    ),
    minutes=20,
    difficulty=3,
)


# ---- spectral_norm_grad
def _grad_cases(rng: Generator) -> list[Case]:
    return [
        case("more columns than rows", _wide(rng)),
        case("more rows than columns", _tall(rng, 0.3)),
        case("square, not symmetric", _square(rng)),
        edge("1×n", _vector(rng, 4)[None, :]),
        edge("n×1", _vector(rng, 3)[:, None]),
        edge("rank-deficient", _rank_one(rng, 3, 4)),
        edge("a diagonal with a negative entry", np.diag([1.0, -float(rng.integers(3, 7)), 0.5])),
    ]


def _pair(k: int) -> Wrong:
    return lambda W: np.outer(_svd(W)[0][:, k], _svd(W)[2][k])


spectral_norm_grad = Exercise(
    reference=lib.spectral_norm_grad,
    tiers=values_and_edge(5, 2),
    cases=_grad_cases,
    traps=("1×n", "rank-deficient"),
    equivalent_mutants=(("False → True", "the full SVD has the same leading vectors"),),
    misconceptions=(
        Misconception("gradient of the Frobenius norm", lambda W: W / np.linalg.norm(W), "This is the gradient of the Frobenius norm, which pulls in every direction at once. Only the leading pair of vectors carries the largest singular value."),
        Misconception("all singular pairs", lambda W: _svd(W)[0] @ _svd(W)[2], "U V' is the gradient of the SUM of the singular values. Only one of them is differentiated here: which columns belong to it?", (lambda W: _svd(W)[1][0] * _svd(W)[0] @ _svd(W)[2],), unsteady=("rank-deficient",)),
        Misconception("best rank-one matrix", lambda W: _svd(W)[1][0] * _pair(0)(W), "You return W's part along the leading pair, which still has the factor σ. The derivative of σ itself does not."),
        Misconception("gradient of σ²", lambda W: 2 * _svd(W)[1][0] * _pair(0)(W), "You differentiate the square of σ (2 W v v' is its gradient). By the chain rule dσ² = 2σ dσ: what has to go?"),
        Misconception("W divided by σ", lambda W: W / _sigma(W), "W / σ is the normalised matrix, not a derivative. Move one entry a little: how do u and v enter?"),
        Misconception("column of V' taken for a row", lambda W: np.outer(_svd(W)[0][:, 0], _svd(W)[2][:, 0]), "np.linalg.svd returns V TRANSPOSED: its rows, not its columns, are the right singular vectors.", (lambda W: np.outer(np.linalg.svd(W)[0][:, 0], np.linalg.svd(W)[2][:, 0]),)),
        Misconception("row of U taken for a column", lambda W: np.outer(_svd(W)[0][0], _svd(W)[2][0]), "Left singular vectors are the COLUMNS of U: you took a row.", (lambda W: np.outer(np.linalg.svd(W)[0][0], np.linalg.svd(W)[2][0]),)),
        Misconception("entries multiplied in pairs", lambda W: _svd(W)[0][:, 0] * _svd(W)[2][0], "u has D entries and v has M: the gradient holds EVERY product u_i v_j, a matrix of W's shape. Neither * nor @ makes that of two 1-D arrays.", (lambda W: _svd(W)[0][:, 0] @ _svd(W)[2][0],)),
        Misconception("v u' for u v'", lambda W: _pair(0)(W).T, "The gradient has W's shape: rows belong to u, columns to v."),
        Misconception("last singular pair", _pair(-1), "NumPy sorts singular values in DESCENDING order: the leading pair stands first, not last.", unsteady=("rank-deficient",)),
        Misconception("signs lost", lambda W: np.abs(_pair(0)(W)), "All your entries are positive. The sign of u alone is free, and so is that of v, but not the sign of their product."),
    ),
    hints=(
        "Start from σ = u' W v and differentiate all three factors. Two of the three terms are zero: u and v keep their length.",
        "|u| = 1 means u'du = 0, so a small turn of u does not change σ at first order. What remains is u' dW v: read off what multiplies dW_ij.",
        "U, s, Vt = np.linalg.svd(W, full_matrices=False); the leading vectors are U[:, 0] and Vt[0]; return their np.outer.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- spectral_normalize
def _normalize_cases(rng: Generator) -> list[Case]:
    return [
        case("σ above 1", _wide(rng)),
        case("σ below 1", _tall(rng, 0.2)),
        case("square, not symmetric", _square(rng)),
        edge("zero stays zero", np.zeros((2, 3))),
        edge("1×n", _vector(rng, 4)[None, :]),
        edge("rank-deficient", _rank_one(rng, 3, 4)),
        edge("all eigenvalues 0", _shift(rng)),
        edge("a tiny matrix", 1e-6 * _wide(rng)),
    ]


def _divided(by: Wrong) -> Wrong:
    return lambda W: W / by(W) if W.any() else W


spectral_normalize = Exercise(
    reference=lib.spectral_normalize,
    tiers=values_and_edge(2, 2),
    cases=_normalize_cases,
    traps=("zero stays zero", "1×n", "rank-deficient"),
    misconceptions=(
        Misconception("divided only when σ > 1", lambda W: W / max(1.0, _sigma(W)), "A matrix with σ below 1 comes back unchanged. This is no cap: every matrix but 0 must come out with σ = 1."),
        Misconception("Frobenius norm", _divided(np.linalg.norm), _FROBENIUS),
        Misconception("spectral radius", _divided(_radius), _EIGENVALUES),
        Misconception("divided by σ²", _divided(lambda W: _sigma(W) ** 2), "You divide by the square of σ: the σ of your result is 1/σ, not 1."),
        Misconception("zero divided by zero", lambda W: W / np.float64(_sigma(W)), "For W = 0 there is nothing to divide by: 0/0 is nan. Zero stays zero; everything else is right."),
        Misconception("a small number added to σ", lambda W: W / (_sigma(W) + 1e-12), "A matrix of tiny entries does not come out with σ = 1: something was added to σ. Only the matrix 0 needs care, and an epsilon is not needed for it.", tuple(lambda W, e=e: W / (_sigma(W) + e) for e in (1e-10, 1e-8, 1e-7, 1e-6, 1e-5)) + tuple(lambda W, e=e: W / max(_sigma(W), e) for e in (1e-5, 1e-4))),
        Misconception("every row or column normalised", lambda W: W / np.where(W.any(axis=0), np.linalg.norm(W, axis=0), 1.0), "You divide every column (or row) by its own length. One number divides the whole matrix: directions must keep their proportions.", (lambda W: W / np.where(W.any(axis=1), np.linalg.norm(W, axis=1), 1.0)[:, None],)),
        Misconception("all singular values set to 1", lambda W: _svd(W)[0] @ _svd(W)[2] if W.any() else W, "All singular values became 1. Only the largest should: the others keep their proportion to it.", unsteady=("rank-deficient",)),
        Misconception("multiplied by σ", lambda W: W * _sigma(W), "You multiply by σ where you should divide."),
    ),
    hints=(
        "σ(cW) = c σ(W) for c > 0: which c makes it 1?",
        "Divide by your spectral_norm_svd(W), always, and return W itself where that is 0.",
        "sigma = spectral_norm_svd(W); return W / sigma if sigma > 0 else W.",
    ),
    minutes=5,
    difficulty=1,
)


# ---- spectral_normalize_backward
def _backward_cases(rng: Generator) -> list[Case]:
    return [
        case("σ above 1", np.round(rng.normal(size=(3, 5)), 2), _wide(rng)),
        case("σ below 1", np.round(rng.normal(size=(4, 2)), 2), _tall(rng, 0.2)),
        case("square, not symmetric", np.round(rng.normal(size=(3, 3)), 2), _square(rng)),
        edge("1×n", _vector(rng, 4)[None, :], 2 * _vector(rng, 4)[None, :]),
        edge("n×1", np.round(rng.normal(size=(3, 1)), 2), _vector(rng, 3)[:, None]),
        edge("rank-deficient", np.round(rng.normal(size=(3, 4)), 2), _rank_one(rng, 3, 4)),
        edge("W = 10 times another, dy of integers", rng.integers(1, 4, size=(3, 5)), 10 * _wide(rng)),
    ]


def _backward(along: Wrong = lambda W: _pair(0)(W), inner: Wrong = lambda dy, W, uv: (dy * W).sum(), power: int = 2, sign: float = -1.0, first: Wrong = lambda W: _sigma(W)) -> Wrong:
    """dy / first + sign <dy, W> / σ**power · direction, one part replaced."""

    def wrong(dy, W):
        direction = along(W)
        return dy / first(W) + sign * inner(dy, W, direction) / _sigma(W) ** power * direction

    return wrong


spectral_normalize_backward = Exercise(
    reference=lib.spectral_normalize_backward,
    tiers=values_and_edge(6, 2),
    cases=_backward_cases,
    traps=("1×n", "rank-deficient"),
    misconceptions=(
        Misconception("σ taken as a constant", lambda dy, W: dy / _sigma(W), "This is right only if σ were a constant. It depends on W too: the quotient rule has a second term, through the gradient you derived."),
        Misconception("second term with the wrong sign", _backward(sign=1.0), "The second term has the wrong sign: a larger σ makes the quotient smaller."),
        Misconception("second term not divided by σ²", _backward(power=1), "In the second term a σ is missing below the line: the derivative of 1/σ is −1/σ².", (_backward(power=0),)),
        Misconception("W for its leading direction", _backward(along=lambda W: W / np.linalg.norm(W)), "Your second term points along W, as for the Frobenius norm. σ grows along the product of its two singular vectors.", (_backward(along=lambda W: W / _sigma(W)), lambda dy, W: (dy - (dy * W).sum() * W / (W * W).sum()) / _sigma(W), lambda dy, W: (dy - (dy * W).sum() * W / (W * W).sum()) / np.linalg.norm(W), _backward(along=lambda W: W))),
        Misconception("dy compared with u v' in place of W", _backward(inner=lambda dy, W, uv: (dy * uv).sum() * _sigma(W)), "The number in the second term says how the loss answers when the whole OUTPUT shrinks: dy is multiplied with W, entry by entry, and summed. You multiply it with the direction of σ."),
        Misconception("the two factors of the second term swapped", lambda dy, W: dy / _sigma(W) - (dy * _pair(0)(W)).sum() / _sigma(W) ** 2 * W, "In the second term dy meets the gradient of σ, and W stands outside the sum. It is W that dy must be summed against: W_ij has the index of dy_ij, the gradient of σ that of dW."),
        Misconception("dy forgotten in the second term", lambda dy, W: dy / _sigma(W) - W / _sigma(W) ** 2 * _pair(0)(W), "The second term does not contain dy: by the chain rule every term does."),
        Misconception("dy not summed against W", lambda dy, W: dy / _sigma(W) - dy * W / _sigma(W) ** 2 * _pair(0)(W), "σ is one number that every entry of the output feels: the products of dy and W have to be SUMMED over all entries before they multiply the gradient of σ."),
        Misconception("summed by row or column", _backward(inner=lambda dy, W, uv: (dy * W).sum(axis=1, keepdims=True)), "You sum dy times W along one axis only. σ belongs to the whole matrix, so the sum runs over all entries.", (_backward(inner=lambda dy, W, uv: (dy * W).sum(axis=0)),)),
        Misconception("first term not divided", _backward(first=lambda W: 1.0), "dy reaches W directly through W/σ: the first term has to be divided by σ."),
        Misconception("nothing below σ = 1", lambda dy, W: lib.spectral_normalize_backward(dy, W) if _sigma(W) > 1 else dy, "Where σ is below 1 you hand dy on: the forward divides there too, so its gradient is the same formula.", (lambda dy, W: lib.spectral_normalize_backward(dy, W) if _sigma(W) > 1 else 1.0 * dy,)),
        Misconception("only the second term", lambda dy, W: -(dy * W).sum() / _sigma(W) ** 2 * _pair(0)(W), "The direct path is missing: the quotient rule has two terms."),
    ),
    hints=(
        "Quotient rule: W stands above the line, and σ(W) below it depends on W as well. Two terms.",
        "y_ij = W_ij / σ. The second term is −(Σ_ij dy_ij W_ij) / σ², one number, times the gradient of σ.",
        "With direction = spectral_norm_grad(W) and sigma = spectral_norm_svd(W): dy / sigma - (dy * W).sum() / sigma**2 * direction.",
    ),
    minutes=20,
    difficulty=4,
)


# ---- lipschitz_upper_bound
def _bound_cases(rng: Generator) -> list[Case]:
    return [
        case("three layers", [_wide(rng), _with_spectrum(rng, 5, 4, [1.7, 1.1, 0.3]), _tall(rng)]),
        case("two layers, one with σ below 1", [_wide(rng, 0.2), _with_spectrum(rng, 5, 2, [2.2, 0.9])]),
        case("one layer", [_wide(rng)]),
        edge("a layer of zeros", [_wide(rng), np.zeros((5, 2)), np.ones((2, 3))]),
        edge("n×1 and 1×n", [_vector(rng, 3)[:, None], _vector(rng, 4)[None, :]]),
        edge("square layers, all eigenvalues 0", [_shift(rng), _shift(rng).T]),
        edge("all σ below 1", [_square(rng, 0.3), _square(rng, 0.2)]),
    ]


def _over_layers(combine: Wrong, norm: Wrong = _sigma) -> Wrong:
    return lambda weights: float(combine([norm(np.asarray(W)) for W in weights]))


def _one_matrix(weights):
    product = weights[0]
    for W in weights[1:]:
        product = product @ W
    return _sigma(product)


lipschitz_upper_bound = Exercise(
    reference=lib.lipschitz_upper_bound,
    tiers=values_and_edge(2, 1),
    cases=_bound_cases,
    misconceptions=(
        Misconception("sum of the layers", _over_layers(sum), "You add the layers' stretches. Two layers after one another, each doubling every distance, make it four times as long."),
        Misconception("largest layer only", _over_layers(max), "One layer's stretch does not end there: the next layer stretches the result again."),
        Misconception("norm of the product", _one_matrix, "The norm of the product of all matrices belongs to a net WITHOUT ReLUs. Between the layers a ReLU can switch off just those parts that would cancel: the norms have to be taken one by one."),
        Misconception("Frobenius norm", _over_layers(np.prod, np.linalg.norm), _FROBENIUS),
        Misconception("spectral radius", _over_layers(np.prod, _radius), _EIGENVALUES),
        Misconception("1 added to each layer", _over_layers(lambda s: np.prod(1 + np.array(s))), "The 1 belongs to a skip connection. A plain net has none: without it the signal passes through every layer."),
        Misconception("squared", _over_layers(lambda s: np.prod(s) ** 2), "You return the square of the bound."),
        Misconception("never below 1", _over_layers(lambda s: max(1.0, np.prod(s))), "A net may shrink all distances: the bound may lie below 1.", (_over_layers(lambda s: np.prod(np.maximum(1.0, s))),)),
        Misconception("last layer left out", lambda weights: float(np.prod([_sigma(W) for W in weights[:-1]])), "The last layer has no ReLU, but it stretches as well: one factor is missing."),
        Misconception("mean of the layers", _over_layers(np.mean), "You average over the layers. They stand one after another: each stretches what the one before gave it."),
    ),
    hints=(
        "How far apart are a and b after one layer, at most? That is what the next layer gets.",
        "ReLU brings no two numbers further apart, and a bias drops out of differences. So layer l multiplies a distance by at most σ(W_l).",
        "Multiply spectral_norm_svd(W) over all W in weights, for example with np.prod.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- empirical_lipschitz
def _points(rng: Generator, n: int, d: int) -> ndarray:
    """Points of three digits, no two equal, not around 0."""
    return np.round(rng.normal(size=(n, d)) + 1.5, 2)


def _net(*weights: ndarray) -> Double:
    return Double("relu_net", {"weights": list(weights)})


def _empirical_cases(rng: Generator) -> list[Case]:
    repeated = _points(rng, 3, 2)[[0, 1, 0, 2, 1]]
    d = np.round(rng.normal(size=4), 1) + 3
    far = np.array([[0.0, 0.0], [0.0, 4.0], [d[0], 0.0], [-d[1], 3.0], [0.0, -5.0]])
    return [
        case("a linear map", _net(_wide(rng)), _points(rng, 4, 3)),
        case("a small ReLU net", _net(_wide(rng), _with_spectrum(rng, 5, 4, [1.7, 1.1, 0.3])), _points(rng, 6, 3)),
        case("a steep direction between points that are not neighbours", _net(np.array([[3.0], [0.25]])), far),
        case("near points, distances all shrink", _net(_tall(rng, 0.2)), _points(rng, 5, 4) / 8),
        edge("some points equal", _net(_tall(rng).T[:, :3]), repeated),
        edge("a single point", _net(_wide(rng)), _points(rng, 1, 3)),
        edge("all points equal", _net(_wide(rng)), np.tile(_points(rng, 1, 3), (3, 1))),
        edge("f is constant", _net(np.zeros((3, 2))), _points(rng, 4, 3)),
    ]


def _pairs(f: Wrong, x: ndarray) -> tuple[ndarray, ndarray]:
    """Differences of outputs and inputs over all pairs of different points."""
    x = np.asarray(x, dtype=float)
    i, j = np.triu_indices(len(x), 1)
    y = np.asarray(f(x))
    apart = (x[i] != x[j]).any(axis=1)
    return (y[i] - y[j])[apart], (x[i] - x[j])[apart]


def _of_pairs(reduce: Wrong) -> Wrong:
    """From lengths of the differences; 0 without a pair."""

    def wrong(f, x):
        dy, dx = _pairs(f, x)
        return float(reduce(dy, dx)) if len(dx) else 0.0

    return wrong


def _length(a: ndarray, order: Any = None) -> ndarray:
    return np.linalg.norm(a, ord=order, axis=1)


def _neighbours(f, x, cyclic=False):
    y = np.asarray(f(x))
    shifted = (np.roll(y, 1, axis=0) - y, np.roll(x, 1, axis=0) - x)
    dy, dx = shifted if cyclic else (np.diff(y, axis=0), np.diff(x, axis=0))
    apart = dx.any(axis=1)
    return float((_length(dy[apart]) / _length(dx[apart])).max(initial=0.0))


def _naive(f, x):
    """Every pair i < j, equal points as well."""
    y = f(x)
    return max(np.linalg.norm(y[i] - y[j]) / np.linalg.norm(x[i] - x[j]) for i in range(len(x)) for j in range(i))


def _nan(f, x):
    x, y = np.asarray(x), np.asarray(f(x))
    i, j = np.triu_indices(len(x), 1)
    q = _length(y[i] - y[j]) / _length(x[i] - x[j])
    return q.max() if len(q) else 0.0


def _with_itself(f, x):
    x, y = np.asarray(x), np.asarray(f(x))
    return (np.linalg.norm(y[:, None] - y, axis=2) / np.linalg.norm(x[:, None] - x, axis=2)).max()


empirical_lipschitz = Exercise(
    reference=lib.empirical_lipschitz,
    tiers=values_and_edge(2, 1),
    cases=_empirical_cases,
    equivalent_mutants=tuple((f"{a}[k:] - {a}[:-k] → {a}[:-k] - {a}[k:]", "a difference and its opposite have the same length") for a in "xy"),
    misconceptions=(
        Misconception("a point paired with itself", _with_itself, "A point and itself give 0/0, which is nan, and nan spoils the maximum: only pairs of DIFFERENT points count."),
        Misconception("equal points not skipped", _nan, "Two rows of x can be equal: 0/0 is nan. Skip such pairs; where no pair is left, the result is 0.", (_naive, lambda f, x: np.nan_to_num(_naive(f, x)))),
        Misconception("a small number added to the distance", _of_pairs(lambda dy, dx: (_length(dy) / (_length(dx) + 1e-8)).max()), "Something is added to the distances, which spoils the quotients of near points. Skip the pairs of equal points instead.", tuple(_of_pairs(lambda dy, dx, e=e: (_length(dy) / (_length(dx) + e)).max()) for e in (1e-7, 1e-6, 1e-5, 1e-4))),
        Misconception("neighbours only", _neighbours, "You compare each row with the next one only. The steepest pair may stand anywhere: all pairs count.", (lambda f, x: _neighbours(f, x, True),)),
        Misconception("mean over the pairs", _of_pairs(lambda dy, dx: (_length(dy) / _length(dx)).mean()), "You average over the pairs: one steep pair is enough to break a bound, so the LARGEST quotient counts."),
        Misconception("squared quotient", _of_pairs(lambda dy, dx: (_length(dy) ** 2 / _length(dx) ** 2).max()), "You compare squared distances: the root is missing."),
        Misconception("not divided by the distance", _of_pairs(lambda dy, dx: _length(dy).max()), "You return the largest distance of two outputs. How far apart were their inputs?"),
        Misconception("largest over largest", _of_pairs(lambda dy, dx: _length(dy).max() / _length(dx).max()), "You divide the largest distance of outputs by a distance of inputs that belongs to ANOTHER pair: divide pair by pair, then take the maximum.", (_of_pairs(lambda dy, dx: _length(dy).max() / _length(dx).min()),)),
        Misconception("quotient upside down", _of_pairs(lambda dy, dx: (_length(dx) / np.maximum(_length(dy), 1e-300)).max()), "Your quotients are upside down: how far apart the outputs are goes above the line."),
        Misconception("lengths of vectors, not of differences", lambda f, x: float((_length(f(x)) / _length(x)).max()), "You compare |f(a)| with |a|. The Lipschitz constant is about how far TWO points move apart: take differences first.", (lambda f, x: float(np.linalg.norm(f(x), 2) / np.linalg.norm(x, 2)), lambda f, x: float(np.linalg.norm(f(x)) / np.linalg.norm(x)))),
        Misconception("another distance", _of_pairs(lambda dy, dx: (_length(dy, 1) / _length(dx, 1)).max()), "Your distances add absolute values, or take the largest entry. Ours are Euclidean.", (_of_pairs(lambda dy, dx: (_length(dy, np.inf) / _length(dx, np.inf)).max()),)),
        Misconception("smallest quotient", _of_pairs(lambda dy, dx: (_length(dy) / _length(dx)).min()), "You return the smallest quotient; the steepest pair is wanted."),
    ),
    hints=(
        "Call f once on all of x, then go over the pairs: two loops will do.",
        "For each pair: the Euclidean length of y[i] − y[j] over that of x[i] − x[j], skipped where the latter is 0. Begin the maximum at 0.0.",
        "y = f(x); best = 0.0; for i in range(len(x)): for j in range(i): d = np.linalg.norm(x[i] - x[j]); if d > 0: best = max(best, np.linalg.norm(y[i] - y[j]) / d).",
    ),
    minutes=12,
    difficulty=2,
)


# ---- residual_lipschitz_bound
def _residual_cases(rng: Generator) -> list[Case]:
    return [
        case("D = 3, H = 5", _wide(rng), _with_spectrum(rng, 5, 3, [1.7, 1.1, 0.3])),
        case("D = 4, H = 2, both σ below 1", _tall(rng, 0.3), _with_spectrum(rng, 2, 4, [0.8, 0.3])),
        edge("a branch of zeros", _tall(rng), np.zeros((2, 4))),
        edge("D = 1", _vector(rng, 4)[None, :], _vector(rng, 4)[:, None]),
        edge("square, all eigenvalues 0", _shift(rng), _shift(rng)),
    ]


def _of_two(combine: Wrong, norm: Wrong = _sigma) -> Wrong:
    return lambda W1, W2: float(combine(norm(W1), norm(W2)))


residual_lipschitz_bound = Exercise(
    reference=lib.residual_lipschitz_bound,
    tiers=values_and_edge(1, 1),
    cases=_residual_cases,
    misconceptions=(
        Misconception("product bound applied to a residual block", _of_two(lambda a, b: a * b), "This is the bound of the branch alone. The block also hands x on as it is: what does the skip path add to a distance? (With W2 = 0 the block is the identity.)"),
        Misconception("1 added to each layer", _of_two(lambda a, b: (1 + a) * (1 + b)), "There is one skip connection, around both layers together: within the branch the layers follow one another as in a plain net."),
        Misconception("all three added", _of_two(lambda a, b: 1 + a + b), "W1 and W2 stand one AFTER the other in the branch: their stretches do not add."),
        Misconception("the larger of the two paths", _of_two(lambda a, b: max(1.0, a * b)), "The two paths are added, not chosen between: if both stretch the same direction, the lengths add up."),
        Misconception("root of the sum of squares", _of_two(lambda a, b: np.sqrt(1 + (a * b) ** 2)), "The two paths need not be at a right angle: where they point the same way their lengths add."),
        Misconception("norm of the product", lambda W1, W2: 1 + _sigma(W1 @ W2), "The ReLU between W1 and W2 can switch off just those parts that would cancel: take the two norms one by one.", (lambda W1, W2: _sigma(np.eye(len(W1)) + W1 @ W2),)),
        Misconception("Frobenius norm", _of_two(lambda a, b: 1 + a * b, np.linalg.norm), _FROBENIUS),
        Misconception("spectral radius", _of_two(lambda a, b: 1 + a * b, _radius), _EIGENVALUES),
    ),
    hints=(
        "f(a) − f(b) is a sum of two differences, one per path. How long can a sum of two vectors be?",
        "The skip path keeps the distance |a − b|; the branch is a plain net of two layers.",
        "1 + spectral_norm_svd(W1) * spectral_norm_svd(W2).",
    ),
    minutes=5,
    difficulty=2,
)


# ---- spectral_linear_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    def given(n: int, W: ndarray, stretch: float = 1.0) -> tuple[ndarray, ...]:
        return np.round(rng.normal(size=(n, W.shape[0])), 2), W, stretch * _towards(rng, W), np.round(rng.normal(size=(n, W.shape[1])), 2)

    return [
        case("forward and gradients, σ above 1", *given(2, _wide(rng)), op="torch"),
        case("u of another length, σ below 1", *given(3, _tall(rng, 0.2), 3.0), op="torch"),
        edge("one example, 1×n", *given(1, _vector(rng, 3)[None, :]), op="torch", trap="1×n"),
        edge("rank-deficient", *given(2, _rank_one(rng, 3, 4)), op="torch"),
        edge("n×1", *given(2, _vector(rng, 3)[:, None]), op="torch"),
    ]


def _torch_layer(through: bool = False, cut: str = "", exact: bool = False, old: str = "", divide: Wrong = lambda s: s, steps: int = 1) -> Wrong:
    def wrong(x, W, u):
        import torch

        a, b = u, None
        for _ in range(steps):
            b = torch.nn.functional.normalize(a @ W, dim=0)
            a = torch.nn.functional.normalize(W @ b, dim=0)
        a = (u if old == "raw" else u / u.norm()) if old else a
        a, b = (a, b) if through else (a.detach(), b.detach())
        sigma = torch.linalg.matrix_norm(W, 2) if exact else a @ (W.detach() if cut == "W in sigma" else W) @ b
        y = x @ ((W.detach() if cut == "W" else W) / divide(sigma))
        return y.detach() + 0 * (x.sum() + W.sum() + u.sum()) if cut == "all" else y

    return wrong


spectral_linear_in_torch = Exercise(
    reference=lib.spectral_linear_in_torch,
    tiers=values_and_edge(2, 1),
    cases=_torch_cases,
    torch=True,
    traps=("1×n", "rank-deficient"),
    equivalent_mutants=(("u @ W @ v → v @ (u @ W)", "an inner product has no order"),),
    misconceptions=(
        Misconception("gradient through the power step", _torch_layer(through=True), "The values are right, but a gradient also flows back through the power step, into u and once more into W. The singular vectors count as constants: make them where nothing is recorded."),
        Misconception("σ taken as a constant", _torch_layer(cut="W in sigma"), "The values are right, but no gradient reaches W through σ: only u and v are constants. σ = u'Wv has to be computed with recording on (and without .item() or .detach())."),
        Misconception("W detached", _torch_layer(cut="W"), "The values are right, but W's direct path was cut: only u and v are constants."),
        Misconception("gradient cut off", _torch_layer(cut="all"), "The values are right, but no gradient arrives: the result was computed without recording, or detached."),
        Misconception("exact σ", _torch_layer(exact=True), "You divide by the exact largest singular value. One power step from the given u is asked for, as torch's own layer does in a training step."),
        Misconception("u not updated", _torch_layer(old="unit"), "σ is read off with the u from before the step: update v, then u, then compute σ from both.", (_torch_layer(old="raw"),)),
        Misconception("two steps", _torch_layer(steps=2), "One power step per call: you do more."),
        Misconception("divided only when σ > 1", _torch_layer(divide=lambda s: s.clamp(min=1.0)), "A matrix with σ below 1 must be divided as well: this is no cap."),
        Misconception("not divided", lambda x, W, u: x @ W + 0 * u.sum(), "You return x @ W: the division by σ is missing."),
        Misconception("multiplied by σ", _torch_layer(divide=lambda s: 1 / s), "You multiply by σ where you should divide."),
    ),
    hints=(
        "Your power_iteration with n_steps = 1, in tensors; @ and .norm() work as in NumPy. Which lines must PyTorch not record?",
        "Inside `with torch.no_grad():` make v and u, each divided by its norm. Outside of it, sigma = u @ W @ v and the product.",
        "with torch.no_grad(): v = u @ W; v = v / v.norm(); u = W @ v; u = u / u.norm(). Then return x @ (W / (u @ W @ v)).",
    ),
    minutes=10,
    difficulty=3,
)


TOPIC = Topic(
    name="spectral_normalization",
    assignment="4_normalization",
    title="Spectral normalisation",
    exercises=(spectral_norm_svd, power_iteration, spectral_norm_grad, spectral_normalize, spectral_normalize_backward, lipschitz_upper_bound, empirical_lipschitz, residual_lipschitz_bound, spectral_linear_in_torch),
    written=(Written("what_the_bound_promises", points=3, minutes=12),),
)
