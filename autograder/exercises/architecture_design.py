"""Exercises of architecture_design: what a budget buys, a gradient through training, two searches that count, a choice made smooth."""
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from autograder.spec import (
    Case,
    Double,
    Exercise,
    Misconception,
    Tolerance,
    Topic,
    Written,
    case,
    edge,
    values_and_edge,
)
from class4lib import architecture_design as lib
from class4lib.calls import run_script
from class4lib.softmax_cross_entropy import softmax

NAN, INF = float("nan"), float("inf")


# ---- parameter_budget_width
def _parameters(depth: int, n_in: int, n_out: int, n: int) -> int:
    return (n_in + 1) * n + (depth - 1) * (n + 1) * n + (n + 1) * n_out


def _width_cases(rng: Generator) -> list[Case]:
    n_in, n_out = (int(v) for v in rng.permutation([3, 5, 8, 11])[:2])
    deep, width = int(rng.integers(4, 7)), int(rng.integers(12, 40))

    def between(depth: int, n: int, share: float = 0.5) -> int:
        low, high = (_parameters(depth, n_in, n_out, m) for m in (n, n + 1))
        return low + int((high - low) * share)

    return [
        case("two hidden layers", 2, n_in, n_out, between(2, width)),
        case("one hidden layer", 1, n_in, n_out, between(1, width + 5)),
        case("many hidden layers", deep, n_in, n_out, between(deep, width - 3, 0.9)),
        case("many hidden layers, another budget", deep, n_in, n_out, between(deep, width + 2, 0.45)),
        case("many inputs, few outputs", 1, 20 * n_in, 2, _parameters(1, 20 * n_in, 2, width) + 12 * n_in),
        case("three hidden layers, one parameter short", 3, n_in, n_out, _parameters(3, n_in, n_out, width) - 1),
        edge("a width fits exactly", 3, n_in, n_out, _parameters(3, n_in, n_out, width)),
        edge("a width fits exactly, one layer", 1, n_in, n_out, _parameters(1, n_in, n_out, width), trap=""),
        edge("width 1 fits exactly", 2, n_in, n_out, _parameters(2, n_in, n_out, 1), trap=""),
        edge("not even width 1 fits", 2, n_in, n_out, _parameters(2, n_in, n_out, 1) - 1),
        edge("budget 0", deep, n_in, n_out, 0, trap=""),
        edge("a large budget", 1, n_in, n_out, _parameters(1, n_in, n_out, 100_000)),
        edge("a large budget, two layers", 2, n_in, n_out, _parameters(2, n_in, n_out, 30_000 + width) - 1, trap=""),
    ]


def _width(inputs=1, hidden=1, outputs=1, layers=-1, output=True, fits=lambda count, budget: count <= budget, more=0, least=0, swapped=False):
    """The largest width whose count fits; inputs, hidden, outputs: biases of those layers."""

    def wrong(depth, n_in, n_out, budget):
        n_in, n_out = (n_out, n_in) if swapped else (n_in, n_out)
        n = np.arange(1, 100_003)
        count = n_in * n + inputs * n + (depth + layers) * (n * n + hidden * n) + output * (n * n_out + outputs * n_out)
        return max(least, int(np.count_nonzero(fits(count, budget))) + more)

    return wrong


def _root_without_depth_1(depth, n_in, n_out, budget):
    a, b, c = depth - 1, n_in + depth + n_out, n_out - budget
    return max(0, int((-b + float(max(b * b - 4 * a * c, 0)) ** 0.5) / (2 * a)))


def _root_in_numpy(depth, n_in, n_out, budget):
    a, b, c = depth - 1, n_in + depth + n_out, n_out - budget
    return max(0, int((-b + np.sqrt(max(b * b - 4 * a * c, 0))) / np.float64(2 * a)))


def _by_root(depth, n_in, n_out, budget):
    a, b, c = depth - 1, n_in + 1 + depth - 1 + n_out, n_out - budget
    n = -c / b if a == 0 else (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
    return max(0, round(float(n)))


parameter_budget_width = Exercise(
    reference=lib.parameter_budget_width,
    tiers=values_and_edge(2, 1),
    cases=_width_cases,
    traps=("a width fits exactly", "not even width 1 fits", "a large budget"),
    equivalent_mutants=(("100001 → 100002", "widths above 100,000 are never asked"),),
    misconceptions=(
        Misconception("biases forgotten", _width(0, 0, 0), "You count the weights only. Every unit, hidden or output, has a bias as well.", (_width(1, 0, 0), _width(0, 0, 1), _width(1, 1, 0), _width(1, 0, 1), _width(0, 1, 1), _width(0, 1, 0))),
        Misconception("output layer forgotten", _width(output=False), "The last hidden layer leads to the outputs: that layer has weights and biases too."),
        Misconception("a hidden layer too many", _width(layers=0), "Count the arrows between hidden layers: three layers in a row have two gaps between them. Draw depth = 1: how many matrices are n by n?"),
        Misconception("a hidden layer too few", _width(layers=-2), "There is a square matrix in each gap between two neighbouring hidden layers: you leave one out, or subtract one at depth 1."),
        Misconception("depth without the first hidden layer", _width(layers=1), "You count two square matrices too many: the first hidden layer is fed by the inputs."),
        Misconception("budget must not be reached", _width(fits=lambda c, b: c < b), "A width that uses the budget to the last parameter still keeps within it."),
        Misconception("the first width that does not fit", _width(more=1), "You return the first width that is too large. The answer is the one before."),
        Misconception("one less than the largest", _width(more=-1), "One more unit per layer would still fit: look where your loop stops, and what it returns then."),
        Misconception("at least 1", _width(least=1), "Where not even width 1 fits, the answer is 0: a net that breaks the budget is no answer."),
        Misconception("rounded instead of down", _by_root, "Solving the quadratic is fine, but its root has to be rounded DOWN: half a unit more than fits does not fit."),
        Misconception("quadratic formula at depth 1", _root_without_depth_1, "With one hidden layer there is no square matrix: the equation is not quadratic, and its formula divides by 0. Treat that case by itself, or count instead of solving.", (_root_in_numpy,)),
        Misconception("inputs and outputs exchanged", _width(swapped=True), "Inputs and outputs are not alike: the biases of the output layer are n_out, those at the inputs do not exist. Look at the order of the arguments."),
    ),
    hints=(
        "Draw a net with two hidden layers of n units. Which matrices lie between which layers, and of what shape? Then the biases.",
        "Inputs to first layer (n_in + 1)·n; each of the depth − 1 gaps between hidden layers (n + 1)·n; outputs (n + 1)·n_out. The sum grows with n.",
        "n = np.arange(1, 100_001); count = (n_in + 1) * n + (depth - 1) * (n + 1) * n + (n + 1) * n_out; then how many counts are <= budget?",
    ),
    minutes=10,
    difficulty=2,
)


# ---- inner_solution
def _ridge(rng: Generator, n: int, d: int) -> tuple[Any, Any]:
    return rng.normal(size=(n, d)) + 0.3, rng.normal(size=n) + 0.5


def _inner_cases(rng: Generator) -> list[Case]:
    n, d = (int(v) for v in rng.permutation([4, 5, 6, 7])[:2])
    X, y = _ridge(rng, n, d)
    return [
        case("more rows than columns", float(rng.uniform(-2.5, -1)), *_ridge(rng, n + 4, d)),
        case("a strong penalty", float(rng.uniform(1, 2.5)), *_ridge(rng, n + 3, 3)),
        case("two columns", float(rng.uniform(-1, -0.3)), *_ridge(rng, 5, 2)),
        edge("more columns than rows", float(rng.uniform(-1.5, 1.5)), *_ridge(rng, 3, d)),
        edge("log lambda = −6", -6.0, *_ridge(rng, n + 3, d)),
        edge("log lambda = 4", 4.0, X, y),
        edge("log lambda = 0", 0.0, X, y, trap=""),
        edge("every row twice", float(rng.uniform(-2, -1)), np.concatenate([X, X]), np.concatenate([y, y])),
        edge("N = 1", -0.5, *_ridge(rng, 1, d)),
    ]


def _inner(strength=lambda s, n, d: np.exp(s), left="N", right="N", prepare=lambda X, y: (X, y), penalty=np.eye, solve=lambda A, b: np.linalg.lstsq(A, b, rcond=None)[0]):
    def wrong(log_lambda, X, y):
        n, d = X.shape
        X, y = prepare(X, y)
        by = {"N": n, "1": 1, "ND": n * d, "2N": n / 2}
        return solve(X.T @ X / by[left] + strength(log_lambda, n, d) * penalty(X.shape[1]), X.T @ y / by[right])

    return wrong


inner_solution = Exercise(
    reference=lib.inner_solution,
    tiers=values_and_edge(2, 1),
    cases=_inner_cases,
    traps=("more columns than rows", "log lambda = −6", "log lambda = 4", "every row twice", "N = 1"),
    misconceptions=(
        Misconception("penalty not scaled with N", _inner(left="1", right="1"), "This is the solution for the SUM of the squares (scikit-learn's convention). Our training loss is a mean: write down its gradient, 1/N included, and set it to 0.", (_inner(lambda s, n, d: np.exp(s) / n),)),
        Misconception("1/N on one side only", _inner(right="1"), "The gradient's two terms with X both carry 1/N. You kept it in one of them.", (_inner(left="1"),)),
        Misconception("logarithm taken for the strength", _inner(lambda s, n, d: s), "log_lambda is the LOGARITHM of the strength. What is the strength itself?", (_inner(lambda s, n, d: np.abs(s)),)),
        Misconception("another base", _inner(lambda s, n, d: 10.0**s), "log_lambda is the natural logarithm: undo it with np.exp.", (_inner(lambda s, n, d: 2.0**s),)),
        Misconception("½ counted once", _inner(lambda s, n, d: 2 * np.exp(s)), "Both terms of the training loss have a ½, and both lose it when differentiated: the factor between them stays.", (_inner(lambda s, n, d: np.exp(s) / 2),)),
        Misconception("N counted twice", _inner(lambda s, n, d: n * np.exp(s)), "The strength does not grow with N: the loss is a mean already, and so is X'X/N."),
        Misconception("penalty on every entry", _inner(penalty=lambda d: np.ones((d, d))), "A number plus a matrix adds it to EVERY entry. The penalty's part stands on the diagonal only: look at the gradient of |w|² entry by entry.", (_inner(penalty=lambda d: np.ones((d, d)), solve=np.linalg.solve),), unsteady=("more columns than rows",)),
        Misconception("penalty squared", _inner(lambda s, n, d: np.exp(2 * s)), "The strength enters as it is, not squared: the penalty is λ/2 times |w|²."),
        Misconception("penalty forgotten", _inner(lambda s, n, d: 0.0), "This is plain least squares. The penalty changes the matrix of the equations, too.", (_inner(lambda s, n, d: 0.0, solve=np.linalg.solve),), unsteady=("more columns than rows",)),
        Misconception("sign of the penalty", _inner(lambda s, n, d: -np.exp(s)), "Your penalty rewards large weights. Set the gradient of the WHOLE loss to 0 and bring the terms with w on one side."),
        Misconception("logarithm's sign", _inner(lambda s, n, d: np.exp(-s)), "A larger log_lambda must pull the weights more strongly towards 0: yours pulls less."),
        Misconception("centred data", _inner(prepare=lambda X, y: (X - X.mean(axis=0), y - y.mean())), "You remove the means first, as for a fit with intercept. Here X and y are used as they come, no column of ones and no centring."),
        Misconception("mean over N·D", _inner(left="ND", right="ND"), "The mean is over the N residuals; you divide by all N·D entries of X."),
        Misconception("targets' sign", _inner(right="2N"), "X'y/N has no factor 2: the ½ of the loss takes it.", (lambda s, X, y: -lib.inner_solution(s, X, y),)),
    ),
    hints=(
        "The loss is a bowl in w. At its lowest point the gradient is 0: write the gradient of both terms.",
        "X'(Xw − y)/N + λw = 0 with λ = exp(log_lambda). Sort: which matrix stands in front of w?",
        "np.linalg.solve(X.T @ X / n + np.exp(log_lambda) * np.eye(d), X.T @ y / n)",
    ),
    minutes=8,
    difficulty=2,
)


# ---- hypergradient
def _hyper_cases(rng: Generator) -> list[Case]:
    n, d, m = (int(v) for v in rng.permutation([4, 5, 6, 7])[:3])

    def made(s: float, n: int, d: int, m: int, lift: float = 0.0) -> tuple[Any, ...]:
        X_val, y_val = _ridge(rng, m, d)
        return s, *_ridge(rng, n, d), X_val, y_val + lift

    return [
        case("a weak penalty", *made(float(rng.uniform(-2.5, -1)), n + 3, d, m)),
        case("a strong penalty", *made(float(rng.uniform(0.8, 2)), n + 2, d, m)),
        case("few validation rows", *made(float(rng.uniform(-1, -0.4)), n + 2, 3, 2)),
        edge("log lambda = −6", *made(-6.0, n + 5, d, m)),
        edge("log lambda = 4", *made(4.0, n, d, m)),
        edge("log lambda = 0", *made(0.0, n, d, m), trap=""),
        edge("more columns than rows", *made(float(rng.uniform(-1.5, -0.5)), 3, d + 1, m)),
        edge("N = M", *made(float(rng.uniform(-1.5, -0.5)), n, d, n), trap=""),
        edge("one validation row", *made(float(rng.uniform(0.5, 1.5)), n, d, 1), trap=""),
        edge("validation targets near a million: a difference of two losses drowns", *made(float(rng.uniform(-1.5, -0.5)), n, d, m, 1e6)),
    ]


def _hyper(factor=lambda s: np.exp(s), hessian="penalised", rows="M", inner=lib.inner_solution, solve=True, sign=1.0, extra=lambda lam, w, dw: 0.0, slope_at="val"):
    def wrong(log_lambda, X_train, y_train, X_val, y_val):
        n, d = X_train.shape
        lam = np.exp(log_lambda)
        w = inner(log_lambda, X_train, y_train)
        A = {
            "penalised": lambda: X_train.T @ X_train / n + lam * np.eye(d),
            "plain": lambda: X_train.T @ X_train / n + 1e-12 * np.eye(d),
            "sum": lambda: X_train.T @ X_train + lam * np.eye(d),
            "val": lambda: X_val.T @ X_val / len(X_val) + lam * np.eye(d),
            "penalty": lambda: lam * np.eye(d),
        }[hessian]()
        dw = -factor(log_lambda) * (np.linalg.solve(A, w) if solve else w)
        X, y = (X_val, y_val) if slope_at == "val" else (X_train, y_train)
        by = {"M": len(X), "N": n, "1": 1, "MD": X.size, "2M": len(X) / 2}[rows]
        return float(sign * (X @ w - y) @ (X @ dw) / by + extra(lam, w, dw))

    return wrong


def _hyper_one_step(s, X, y, X_val, y_val):
    lr = 1 / (np.linalg.norm(X, 2) ** 2 / len(X) + np.exp(s))
    return lr * _hyper(solve=False)(s, X, y, X_val, y_val)


def _hyper_difference(h, central=True):
    def wrong(s, X, y, X_val, y_val):
        def loss(s):
            return 0.5 * np.mean((X_val @ lib.inner_solution(s, X, y) - y_val) ** 2)

        return float((loss(s + h) - loss(s - h)) / (2 * h)) if central else float((loss(s + h) - loss(s)) / h)

    return wrong


def _hyper_five_points(h):
    def wrong(*args):
        near, far = (_hyper_difference(k * h)(*args) for k in (1, 2))
        return (4 * near - far) / 3

    return wrong


def _hyper_swapped(s, X, y, X_val, y_val):
    return lib.hypergradient(s, X_val, y_val, X, y)


hypergradient = Exercise(
    reference=lib.hypergradient,
    tiers=values_and_edge(4, 2),
    cases=_hyper_cases,
    traps=("log lambda = −6", "log lambda = 4", "more columns than rows", "validation targets near a million: a difference of two losses drowns"),
    may_use=("inner_solution",),
    equivalent_mutants=(("(X_val @ w - y_val) @ (X_val @ dw) → X_val @ dw @ (X_val @ w - y_val)", "a dot product of two vectors: their order does not matter"),),
    misconceptions=(
        Misconception("derivative in λ, not in its logarithm", _hyper(factor=lambda s: 1.0), "This is the derivative in λ. Asked for is the one in log λ: the chain rule has one link more. At log λ = 0 the two agree, which hides it."),
        Misconception("gradient through the weights taken as zero", lambda s, X, y, Xv, yv: 0.0, "The validation loss has no penalty in it, so λ seems to be nowhere; but w* is another one for every λ. That is the whole derivative.", (lambda s, X, y, Xv, yv: float(np.exp(s) / 2 * np.sum(lib.inner_solution(s, X, y) ** 2)), lambda s, X, y, Xv, yv: float(np.sum(lib.inner_solution(s, X, y) ** 2) / 2))),
        Misconception("penalty in the validation loss", _hyper(extra=lambda lam, w, dw: lam / 2 * w @ w + lam * w @ dw), "You differentiate the validation loss WITH the penalty. The penalty belongs to training only.", (_hyper(extra=lambda lam, w, dw: lam / 2 * w @ w), _hyper(extra=lambda lam, w, dw: lam * w @ dw))),
        Misconception("1/N for 1/M", _hyper(rows="N"), "The validation loss is a mean over the M rows of X_val; you divide by the number of training rows."),
        Misconception("1/M forgotten", _hyper(rows="1"), "The validation loss is a mean over its M rows: its gradient has 1/M."),
        Misconception("mean over M·D", _hyper(rows="MD"), "The mean is over M residuals; you divide by all M·D entries of X_val."),
        Misconception("½ forgotten", _hyper(rows="2M"), "The ½ of the loss cancels the 2 of the square: your result is twice as large."),
        Misconception("sign", _hyper(sign=-1.0), "Differentiate the optimality condition once more and watch the side on which λw* ends: a stronger penalty pulls the weights towards 0."),
        Misconception("Hessian without the penalty", _hyper(hessian="plain"), "The matrix that belongs to dw* is the second derivative of the WHOLE training loss, its penalty included.", unsteady=("more columns than rows",)),
        Misconception("1/N missing in the Hessian", _hyper(hessian="sum"), "The training loss is a mean: its second derivative has 1/N in front of X'X."),
        Misconception("penalty not scaled with N", _hyper(hessian="sum", inner=_inner(left="1", right="1")), "You differentiate the solution for the SUM of squares. The training loss here is a mean, as in inner_solution."),
        Misconception("Hessian of the validation data", _hyper(hessian="val"), "The weights answer to the TRAINING loss: its second derivative decides how they move, not that of the validation loss."),
        Misconception("Hessian left out", _hyper(solve=False), "You let the weights take one step along the change of the gradient. They move until the training gradient is 0 again: that needs the inverse of the second derivative.", (_hyper_one_step, _hyper(hessian="penalty"))),
        Misconception("slope on the training data", _hyper(slope_at="train"), "The loss that is differentiated is the one on X_val, y_val; the training data only decide w*."),
        Misconception("training and validation exchanged", _hyper_swapped, "You train on the validation data and validate on the training data: look at the order of the arguments."),
        Misconception("logarithm taken for the strength", _hyper(factor=lambda s: s), "λ is exp(log_lambda); you multiply by the logarithm."),
        Misconception("numerical difference", _hyper_difference(1e-5), "A difference of two losses of 10¹¹ has lost the digits it needs. Derive the formula instead: it costs one solve and no step size.", (*(_hyper_difference(h, c) for h in (1e-2, 1e-3, 1e-4) for c in (True, False)), _hyper_difference(1e-5, False), _hyper_difference(1e-6, False), *map(_hyper_five_points, (1e-2, 1e-3, 1e-4)))),  # smaller steps give what rounding gives, another number on another processor
    ),
    hints=(
        "Two links: how the validation loss changes with w (at w*), and how w* changes with log λ. The product of the two is a dot product.",
        "For the second, differentiate A w* = X'y/N in log λ, both sides; A contains λI, and dλ/dlog λ = λ. Solve for dw*.",
        "dw = -lam * np.linalg.solve(A, w) with the A of inner_solution; slope = X_val.T @ (X_val @ w - y_val) / M; return slope @ dw.",
    ),
    minutes=18,
    difficulty=4,
)


# ---- random_search
def _letters(rng: Generator, n: int) -> list[str]:
    return [str(c) for c in rng.permutation(list("abcdefghijklmnopqrstuvwxyz"))[:n]]


def _eighths(rng: Generator, n: int) -> list[float]:
    """n different multiples of 1/8."""
    return [float(v) / 8 for v in rng.choice(np.arange(1, 4 * n + 8), size=n, replace=False)]


def _traced(reference: Callable, made: Case) -> Case:
    """The case with what the right search asks and returns, for its judge."""
    record = run_script({"search": reference}, [replace(made.script[0], target="search")])[0]
    return replace(made, options={"log": record["log"], "value": record["value"]})


def _drawn(label: str, rng: Generator, losses: Sequence[Any], make: Callable[..., Case] = case, **kwargs: Any) -> Case:
    names = _letters(rng, len(losses))
    made = make(
        label,
        Double("scripted_sampler", {"names": names}),
        Double("scripted_evaluate", {"losses": dict(zip(names, losses, strict=True))}),
        len(losses),
        rng=Double("rng", {"seed": int(rng.integers(1000))}),
        judge="random_search",
        **kwargs,
    )
    return _traced(lib.random_search, made)


def _search_cases(rng: Generator) -> list[Case]:
    many, few = _eighths(rng, 7), sorted(_eighths(rng, 5))
    low, middle, high = sorted(_eighths(rng, 3))
    negative = [-v for v in _eighths(rng, 4)]
    order = [few[2], few[0], few[3], few[1], few[4]]
    return [
        _drawn("seven trials", rng, many),
        _drawn("the best in the middle", rng, order),
        _drawn("negative losses, the best not last", rng, sorted(negative)),
        _drawn("one trial", rng, [middle], edge, trap="one configuration"),
        _drawn("no trial", rng, [], edge, trap="n_trials = 0"),
        _drawn("equal losses: the first counts", rng, [high, low, middle, low, low], edge, trap="ties"),
        _drawn("runs that raise", rng, [high, "ValueError", low, "FloatingPointError", middle], edge, trap="exceptions"),
        _drawn("a run that raises something of its own, first", rng, ["Diverged", middle, low, "KeyError"], edge, trap=""),
        _drawn("NaN first and in between", rng, [NAN, high, NAN, low, middle], edge, trap="NaN"),
        _drawn("inf, and -inf, which is no best", rng, [INF, middle, -INF, low, high], edge, trap="infinite losses"),
        _drawn("nothing finite", rng, [NAN, "FloatingPointError", INF, -INF], edge, trap="nothing finite"),
    ]


def _search(
    better=lambda loss, lowest: loss < lowest, start=None, catch=Exception, failed=INF, nan=INF, minus=-INF, best_of=np.isfinite, drawn=0, own_rng=False, twice=False, leave_out=False, stop=False, one=False, record=lambda trials: trials, result=lambda best, lowest: best
):  # fmt: skip
    """start: what the best begins with; nan, failed, minus: how those are recorded; None leaves them as they come."""

    def wrong(sample, evaluate, n_trials, *, rng):
        rng = np.random.default_rng(0) if own_rng else rng
        trials, best, lowest, config = [], None, start, None
        for _ in range(n_trials + drawn):
            config = sample(rng) if not one or config is None else config
            try:
                loss = evaluate(config)
            except catch:
                loss = failed
                if leave_out:
                    continue
                if stop:
                    break
            if loss is not None and np.isnan(loss) and nan is not None:
                loss = nan
            if loss == -INF:
                loss = minus
            trials.append((config, loss))
            if loss is not None and best_of(loss) and (lowest is None or better(loss, lowest)):
                best, lowest = config, loss
        if twice and best is not None:
            lowest = evaluate(best)
        return result(best, lowest), record(trials)

    return wrong


def _by_min(sample, evaluate, n_trials, *, rng):
    _, trials = lib.random_search(sample, evaluate, n_trials, rng=rng)
    return min(trials, key=lambda t: t[1])[0], trials


def _by_pairs(sample, evaluate, n_trials, *, rng):
    _, trials = lib.random_search(sample, evaluate, n_trials, rng=rng)
    ranked = sorted((loss, config) for config, loss in trials if np.isfinite(loss))
    return (ranked[0][1] if ranked else None), trials


random_search = Exercise(
    reference=lib.random_search,
    tiers=values_and_edge(2, 2),
    cases=_search_cases,
    returns=("best", "trials"),
    traps=("one configuration", "n_trials = 0", "ties", "exceptions", "NaN", "infinite losses", "nothing finite"),
    misconceptions=(
        Misconception("maximising", _search(lambda a, b: a > b), "A loss is better the LOWER it is: yours keeps the worst configuration."),
        Misconception("last of equals", _search(lambda a, b: a <= b), "Of two equal losses the one found first counts: an equal loss is not better."),
        Misconception("an exception ends the search", _search(catch=()), "One run that fails must not cost the results of all others: the call of evaluate needs a try, and a failure is recorded like any other result."),
        Misconception("only some exceptions caught", _search(catch=ValueError), "What a run may raise is not known beforehand: catch Exception, not one or two kinds of it.", (_search(catch=(ValueError, FloatingPointError)), _search(catch=ArithmeticError), _search(catch=(ValueError, ArithmeticError)), _search(catch=RuntimeError))),
        Misconception("failed runs left out", _search(leave_out=True), "A run that raised is a trial as well: it stands in the list with the loss that the docstring says.", (_search(leave_out=True, nan=None),)),
        Misconception("search stopped at a failure", _search(stop=True), "After a run that fails the search goes on with the next: continue, and do not break."),
        Misconception("failure not recorded as inf", _search(failed=NAN, nan=None), "An exception and NaN are both recorded as inf, so that trials can be compared and sorted.", (_search(failed=None), _search(failed=None, nan=None), _search(failed=1e9), _search(failed=0.0), _search(failed=-INF))),
        Misconception("NaN recorded as NaN", _search(nan=None), "Every comparison with NaN is false, so it spoils any later sorting. Record it as inf; np.isnan finds it."),
        Misconception("NaN taken for the best", _search(nan=None, best_of=lambda loss: True), "NaN came first, was taken as best, and was never beaten: nothing is smaller than NaN. Turn it into inf before you compare."),
        Misconception("-inf taken for the best", _search(best_of=lambda loss: True, start=INF), "A loss of -inf is a broken run, not a perfect one: only finite losses may win.", (_search(best_of=lambda loss: True), _by_min)),
        Misconception("-inf not recorded as it comes", _search(minus=INF), "-inf is recorded as it comes; it is only never the best.", (_search(minus=NAN, nan=None),)),
        Misconception("best although nothing is finite", _search(best_of=lambda loss: loss > -INF), "Where no loss is finite there is no best: return None."),
        Misconception("a trial too many", _search(drawn=1), "You draw one configuration more than n_trials."),
        Misconception("a trial too few", _search(drawn=-1), "You draw one configuration less than n_trials."),
        Misconception("evaluated again", _search(twice=True), "Each trial is evaluated once: an evaluation is a whole training run. Keep the loss, and do not ask for it again at the end."),
        Misconception("one configuration for all trials", _search(one=True), "sample was called once: every trial draws a configuration of its own."),
        Misconception("a generator of its own", _search(own_rng=True), "Give sample the rng that you were given: with another generator the search cannot be repeated."),
        Misconception("trials sorted", _search(record=lambda t: sorted(t, key=lambda p: p[1])), "The trials stand in the order in which they were drawn; find the best without sorting the list that you return."),
        Misconception("configuration and loss exchanged", _search(record=lambda t: [p[::-1] for p in t]), "A trial is (configuration, loss), in this order."),
        Misconception("results exchanged", lambda sample, evaluate, n_trials, *, rng: lib.random_search(sample, evaluate, n_trials, rng=rng)[::-1], "The order of the results: the best configuration first, then the trials."),
        Misconception("only the best returned", lambda sample, evaluate, n_trials, *, rng: lib.random_search(sample, evaluate, n_trials, rng=rng)[0], "Two results are asked for: the best configuration AND the list of all trials."),
        Misconception("losses only", _search(record=lambda t: [p[1] for p in t]), "A trial is a pair (configuration, loss): the loss alone does not say what was tried."),
        Misconception("best loss returned", _search(result=lambda best, lowest: lowest), "The first result is the best CONFIGURATION, not its loss."),
        Misconception("best as a pair", _search(result=lambda best, lowest: None if best is None else (best, lowest)), "The first result is the configuration alone, without its loss."),
        Misconception("configurations compared in a tie", _by_pairs, "Sorting pairs compares the configurations where losses are equal, and two dicts cannot be compared. Compare the losses only (a key, or a loop)."),
    ),
    hints=(
        "A loop of n_trials: draw, evaluate, record, compare. Before you compare, make every outcome a number.",
        "try: loss = float(evaluate(config)), except Exception: inf. NaN becomes inf. It is the best if it is finite and strictly lower than the lowest so far, which begins at inf.",
        "trials.append((config, loss)); if -np.inf < loss < lowest: best, lowest = config, loss. best begins as None.",
    ),
    minutes=12,
    difficulty=3,
)


# ---- successive_halving
def _race(label: str, rng: Generator, losses: Sequence[Any], min_budget: int, eta: int | None = None, make: Callable[..., Case] = case, plain: bool = False, **kwargs: Any) -> Case:
    names = [str(i) for i in rng.permutation(len(losses) + 3)[: len(losses)]] if plain else _letters(rng, len(losses))
    configs = [int(name) if plain else {"name": name, "width": 2 ** (3 + i % 4)} for i, name in enumerate(names)]
    args = (configs, Double("scripted_evaluate", {"losses": dict(zip(names, losses, strict=True))}), min_budget, *(() if eta is None else (eta,)))
    return _traced(lib.successive_halving, make(label, *args, judge="successive_halving", **kwargs))


def _changing(rng: Generator, n: int, min_budget: int, eta: int) -> list[dict[str, float]]:
    """Losses whose ranks change from budget to budget: of every round there is, and one more."""
    budgets, left = [min_budget], n
    while left > 1:
        budgets, left = [*budgets, budgets[-1] * eta], max(1, left // eta)
    rounds = [_eighths(rng, n) for _ in budgets]
    return [{str(b): losses[i] for b, losses in zip(budgets, rounds, strict=True)} for i in range(n)]


def _halving_cases(rng: Generator) -> list[Case]:
    low, middle, high, worst = sorted(_eighths(rng, 4))
    odd, three = int(rng.choice([9, 10, 11])), int(rng.choice([10, 11, 13]))
    late = [{"1": middle, "2": low}, {"1": low, "2": low}, {"1": high, "2": high}, {"1": worst, "2": worst}]
    return [
        _race("four configurations", rng, _changing(rng, 4, 1, 2), 1),
        _race("eight configurations, min_budget 3", rng, _changing(rng, 8, 3, 2), 3),
        _race("n = 7, eta = 2", rng, _changing(rng, 7, 1, 2), 1, 2, trap="n = 7, eta = 2"),
        _race("nine configurations, eta = 3", rng, _changing(rng, 9, 2, 3), 2, 3, trap="eta = 3"),
        _race("an odd number, eta = 2", rng, _changing(rng, odd, 2, 2), 2, 2, edge, plain=True, trap="odd numbers"),
        _race("a number that 3 does not divide", rng, _changing(rng, three, 1, 3), 1, 3, edge, trap=""),
        _race("fewer configurations than eta", rng, _changing(rng, 3, 2, 4), 2, 4, edge, trap="fewer configurations than eta"),
        _race("one configuration", rng, [middle], 5, None, edge),
        _race("two configurations", rng, [middle, low], 5, None, edge, trap=""),
        _race("equal losses: the earlier in configs stays", rng, [middle, low, low, low, low], 1, None, edge, trap="ties"),
        _race("equal in the second round only", rng, late, 1, None, edge, trap=""),
        _race("runs that raise", rng, ["ValueError", high, "Diverged", low, middle, "FloatingPointError"], 2, None, edge, trap="exceptions"),
        _race("the first run raises", rng, ["Diverged", low, middle, "KeyError"], 1, None, edge, trap=""),
        _race("NaN", rng, [NAN, high, NAN, low, middle, NAN], 1, None, edge),  # here sorted() does the same in every Python
        _race("inf and -inf rank last", rng, [middle, -INF, INF, high, -INF], 1, None, edge, trap="infinite losses"),
        _race("more failures than places: the first of them stays", rng, [NAN, "FloatingPointError", -INF, low], 1, None, edge, trap=""),
    ]


def _halving(
    share=lambda n, eta: n // eta, least=1, grow=lambda b, eta, first: b * eta, first=None, catch=Exception, failed=INF, clean=lambda loss: loss if np.isfinite(loss) else INF, sign=1.0, ties="first", order="configs", use="now",
    again=False, spend=lambda n, budget, losses: n * budget, total=lambda spent, rounds, n: spent, drop=False, result=lambda config, i, loss: config, twice=False, keep_eta=None,
):  # fmt: skip
    def wrong(configs, evaluate, min_budget, eta=2):
        left, budget, spent, rounds = list(range(len(configs))), first or min_budget, 0, 0
        known = {}
        keep = keep_eta or eta
        while len(left) > (0 if again and rounds == 0 else 1):
            losses = {}
            for i in left:
                try:
                    losses[i] = float(evaluate(configs[i], budget))
                except catch:
                    losses[i] = failed
            known = {i: (known.get(i, 0) + losses[i] if use == "sum" else known.get(i, losses[i]) if use == "first" else losses[i]) for i in left}
            spent += spend(len(left), budget, losses)
            rounds += 1
            pool = [i for i in left if np.isfinite(losses[i])] if drop else left
            pool = pool or left[:1]
            values = [sign * clean(known[i]) for i in pool]
            if ties == "first":
                ranked = [pool[j] for j in np.argsort(values, kind="stable")]
            else:
                ranked = [pool[j] for j in reversed(range(len(pool)))]
                ranked = [ranked[j] for j in np.argsort(values[::-1], kind="stable")]
            count = max(least, share(len(left), keep))
            if count >= len(left):
                count = len(left) - 1
            ranked = ranked[:count]
            left = sorted(ranked) if order == "configs" else ranked
            budget = grow(budget, eta, min_budget)
        if again and len(left) == 1:
            try:
                known[left[0]] = float(evaluate(configs[left[0]], budget))
            except Exception:
                known[left[0]] = INF
            spent += budget
        return result(configs[left[0]], left[0], known.get(left[0])), total(spent, rounds, len(configs))

    return wrong


def _keeping(keep):
    """Halving in which keep(losses, left, eta) names the places that go on, in their order."""

    def wrong(configs, evaluate, min_budget, eta=2):
        left, budget, spent = list(configs), min_budget, 0
        while len(left) > 1:
            losses = []
            for config in left:
                try:
                    losses.append(float(evaluate(config, budget)))
                except Exception:
                    losses.append(INF)
            spent += budget * len(left)
            left, budget = [left[i] for i in keep(losses, left, eta)], budget * eta
        return left[0], spent

    return wrong


def _finite(losses):
    return np.where(np.isfinite(losses), losses, INF).tolist()


def _share(left, eta):
    return max(1, len(left) // eta)


_nobody_left = _keeping(lambda losses, left, eta: sorted(np.argsort(_finite(losses), kind="stable")[: len(left) // eta]))
_race_by_pairs = _keeping(lambda losses, left, eta: [i for _, _, i in sorted(zip(_finite(losses), left, range(len(left))))[: _share(left, eta)]])
_nan_sorted = _keeping(lambda losses, left, eta: sorted(sorted(range(len(left)), key=losses.__getitem__)[: _share(left, eta)]))


def _ceil(n, eta):
    return -(-n // eta)


def _cumulative(configs, evaluate, min_budget, eta=2):
    winner, _ = lib.successive_halving(configs, evaluate, min_budget, eta)
    n, budget, before, spent = len(configs), min_budget, 0, 0
    while n > 1:
        spent, before, n, budget = spent + n * (budget - before), budget, max(1, n // eta), budget * eta
    return winner, spent


def _spent_rounds(how):
    def wrong(configs, evaluate, min_budget, eta=2):
        winner, spent = lib.successive_halving(configs, evaluate, min_budget, eta)
        rounds, n, budget = [], len(configs), min_budget
        while n > 1:
            rounds.append((n, budget))
            n, budget = max(1, n // eta), budget * eta
        return winner, how(rounds, spent, budget, len(configs), min_budget)

    return wrong


successive_halving = Exercise(
    reference=lib.successive_halving,
    tiers=values_and_edge(3, 3),
    cases=_halving_cases,
    returns=("configuration", "spent"),
    equivalent_mutants=(("0 → -1", "of one survivor the first is the last"),),
    traps=("n = 7, eta = 2", "eta = 3", "odd numbers", "fewer configurations than eta", "one configuration", "ties", "exceptions", "NaN", "infinite losses"),
    misconceptions=(
        Misconception("rounded up", _halving(_ceil), "Of 7, one in two is 3.5, and that is rounded DOWN: three go on, and 13 is spent in all.", (_halving(lambda n, e: round(n / e)), _halving(lambda n, e: int(n / e + 0.5)))),
        Misconception("maximising", _halving(sign=-1.0, clean=lambda v: v if np.isfinite(v) else -INF), "A loss is better the LOWER it is: yours keeps the worst.", (_halving(sign=-1.0), _halving(sign=-1.0, ties="last"), _halving(sign=-1.0, ties="last", clean=lambda v: v if np.isfinite(v) else -INF))),
        Misconception("the last one trained again", _halving(again=True), "When one is left there is nothing to compare it with: the search ends without training it again."),
        Misconception("same budget in every round", _halving(grow=lambda b, e, f: b), "Those who stay get more in each round: the budget grows by the factor eta."),
        Misconception("budget doubled whatever eta", _halving(grow=lambda b, e, f: 2 * b), "The budget grows by the factor eta, which is not always 2."),
        Misconception("budget grows by addition", _halving(grow=lambda b, e, f: b + f), "The budget is multiplied from round to round, not increased by the same amount.", (_halving(grow=lambda b, e, f: b + 1), _halving(grow=lambda b, e, f: b + e))),
        Misconception("half kept whatever eta", _halving(keep_eta=2), "One in eta is kept, and eta is not always 2."),
        Misconception("eta ignored", _halving(keep_eta=2, grow=lambda b, e, f: 2 * b), "You halve and double whatever eta is: both the share that is kept and the growth of the budget follow eta."),
        Misconception("nobody left", _nobody_left, "Three configurations divided by four are 0.75, rounded down nobody. At least one always stays."),
        Misconception("configurations compared in a tie", _race_by_pairs, "Sorting pairs compares the configurations where losses are equal, and two dicts cannot be compared. Rank the losses only, and keep places instead of configurations."),
        Misconception("all but one in eta kept", _halving(lambda n, e: n - n // e), "Only one in eta stays; you drop one in eta."),
        Misconception("min_budget ignored", _halving(first=1), "The first round gets min_budget, not 1."),
        Misconception("budget counted once a round", _spent_rounds(lambda r, s, b, n, m: sum(b for _, b in r)), "In a round EVERY configuration spends the budget: multiply by how many take part.", (_spent_rounds(lambda r, s, b, n, m: r[-1][1] if r else 0), _spent_rounds(lambda r, s, b, n, m: b if r else 0))),
        Misconception("a round miscounted", _spent_rounds(lambda r, s, b, n, m: s - (r[-1][0] * r[-1][1] if r else 0)), "What is spent does not agree with what evaluate was given. Add to it in the round itself, before the budget or the survivors change.", (_spent_rounds(lambda r, s, b, n, m: sum(c for c, _ in r)), _spent_rounds(lambda r, s, b, n, m: sum(c * m for c, _ in r)), _spent_rounds(lambda r, s, b, n, m: n * m * len(r)), _spent_rounds(lambda r, s, b, n, m: sum(c * (r[i + 1][1] if i + 1 < len(r) else b) for i, (c, _) in enumerate(r))), _spent_rounds(lambda r, s, b, n, m: sum((r[i + 1][0] if i + 1 < len(r) else 1) * b for i, (_, b) in enumerate(r))), _spent_rounds(lambda r, s, b, n, m: s - (r[0][0] * r[0][1] if r else 0)))),
        Misconception("the last one charged", _spent_rounds(lambda r, s, b, n, m: s + b), "You charge the last one for a round that is not run: one configuration alone spends 0.", (_spent_rounds(lambda r, s, b, n, m: s + b if r else 0),)),
        Misconception("training taken up where it stopped", _cumulative, "You charge only what is added to the earlier rounds. Here every evaluation starts anew and is charged in full."),
        Misconception("failures not charged", _halving(spend=lambda n, b, losses: b * sum(np.isfinite(v) for v in losses.values())), "A run that failed has spent its budget all the same."),
        Misconception("an exception ends the search", _halving(catch=()), "One run that fails must not end the search: the call of evaluate needs a try, and the failure ranks last."),
        Misconception("only some exceptions caught", _halving(catch=ValueError), "What a run may raise is not known beforehand: catch Exception, not one or two kinds of it.", (_halving(catch=(ValueError, ArithmeticError)), _halving(catch=RuntimeError))),
        Misconception("failures thrown out at once", _halving(drop=True), "Failures rank last, and are dropped because others are better. Where there are more places than good runs, the first failure stays."),
        Misconception("NaN among the losses", _nan_sorted, "NaN compares with nothing, so sorting it gives any order; and -inf would win. Replace everything that is not finite before you rank."),
        Misconception("-inf taken for the best", _halving(clean=lambda v: INF if np.isnan(v) else v), "A loss of -inf is a broken run, not a perfect one: it ranks last.", (_halving(clean=lambda v: v),)),
        Misconception("failure ranks behind failure", _halving(failed=1e9, clean=lambda v: {INF: 3e9, -INF: 4e9}.get(v, 2e9 if np.isnan(v) else v)), "All failures are equal: among them the one earlier in configs stays, whatever kind it is."),
        Misconception("last of equals", _halving(ties="last"), "Of equals the one EARLIER in configs stays: a stable sort does it."),
        Misconception("survivors in the order of their rank", _halving(order="rank"), "A tie in a later round goes to the one earlier in configs, not to the one that led before. Bring the survivors back into the order of configs."),
        Misconception("losses of the first round", _halving(use="first"), "Each round ranks by what it measured itself: with more budget another one may lead."),
        Misconception("losses of all rounds added up", _halving(use="sum"), "Each round ranks by its own losses; what earlier rounds said is out of date."),
        Misconception("loss returned", _halving(result=lambda c, i, v: v), "The first result is the configuration that is left, not its loss."),
        Misconception("place returned", _halving(result=lambda c, i, v: i), "The first result is the configuration itself, not its place in configs."),
        Misconception("list returned", _halving(result=lambda c, i, v: [c]), "The first result is the configuration, not a list with it inside."),
    ),
    hints=(
        "A while loop as long as more than one is left: evaluate all with the same budget, add up, rank, keep, raise the budget.",
        "Turn exceptions and everything not finite into inf. np.argsort(losses, kind=\"stable\") keeps the order of equals; keep the first max(1, n // eta), and sort their places again.",
        "kept = sorted(np.argsort(ranks, kind=\"stable\")[:max(1, len(survivors) // eta)]); survivors = [survivors[i] for i in kept]; budget *= eta. spent grew by budget * len(survivors) before that.",
    ),
    minutes=18,
    difficulty=4,
)


# ---- mixed_operation
def _operations(rng: Generator, kinds: Sequence[str], d: int) -> list[Double]:
    return [Double("operation", {"kind": k, **({"weights": rng.normal(size=(d, d))} if k == "linear" else {})}) for k in kinds]


def _mixtures(rng: Generator) -> list[tuple[str, str, Any, list[Double], Any]]:
    """Label, tier, x, operations, alpha; the number of operations differs from both axes of x."""
    n, d = (int(v) for v in rng.permutation([2, 5, 6])[:2])
    normal = rng.normal
    return [
        ("three operations", "values", normal(size=(n, d)), _operations(rng, ["linear", "tanh", "relu"], d), normal(size=3)),
        ("four operations", "values", normal(size=(3, d)), _operations(rng, ["zero", "tanh", "linear", "linear"], d), 1.5 * normal(size=4)),
        ("operations that sum an axis away", "values", normal(size=(4, d)), _operations(rng, ["total", "largest"], d), normal(size=2)),
        ("one returns x itself", "edge", normal(size=(d, n)), _operations(rng, ["identity", "linear", "tanh"], n), normal(size=3)),
        ("one operation", "edge", normal(size=(2, 3)), _operations(rng, ["linear"], 3), normal(size=1)),
        ("three axes", "edge", normal(size=(2, 3, d)), _operations(rng, ["relu", "identity", "tanh", "zero"], d), normal(size=4)),
        ("logits near 1000", "edge", normal(size=(n, d)), _operations(rng, ["tanh", "linear", "relu"], d), np.array([1000.0, 998.5, -1000.0])),
        ("logits near −1000", "edge", normal(size=(n, d)), _operations(rng, ["linear", "tanh"], d), np.array([-1000.0, -999.0])),
    ]


def _mixed_cases(rng: Generator) -> list[Case]:
    return [case(label, x, ops, alpha, tier=tier, trap=label) for label, tier, x, ops, alpha in _mixtures(rng)]


def _weights_naive(alpha):
    with np.errstate(all="ignore"):
        return np.exp(alpha) / np.exp(alpha).sum()


def _sigmoid(alpha):
    return 1 / (1 + np.exp(-np.clip(alpha, -700, 700)))


def _hard(alpha):
    return np.eye(len(alpha))[int(np.argmax(alpha))]


WEIGHTS: dict[str, Callable] = {
    "logits": lambda a: np.asarray(a), "naive": _weights_naive, "sigmoid": _sigmoid, "hard": _hard, "uniform": lambda a: np.full(len(a), 1 / len(a)), "minus": lambda a: softmax(-np.asarray(a)),
    "exp": lambda a: np.exp(np.minimum(a, 700)), "share": lambda a: np.asarray(a) / np.sum(a), "square": lambda a: np.square(a) / np.square(a).sum(), "log": lambda a: np.log(np.maximum(softmax(a), 1e-300)), "ones": lambda a: np.ones(len(a)), "mean": lambda a: softmax(a) / len(a), "twice": lambda a: softmax(softmax(a)),
}  # fmt: skip


def _mixed(weights: Callable = softmax, inside: bool = False) -> Callable[..., Any]:
    def wrong(x, operations, alpha):
        return sum(op(w * x) if inside else w * op(x) for w, op in zip(weights(alpha), operations, strict=True))

    return wrong


def _mixed_in_place(x, operations, alpha):
    y = operations[0](x)
    y *= softmax(alpha)[0]
    for w, op in zip(softmax(alpha)[1:], operations[1:], strict=True):
        y += w * op(x)
    return y


def _mixed_in_place_each(x, operations, alpha):
    y = 0.0
    for w, op in zip(softmax(alpha), operations, strict=True):
        out = op(x)
        out *= w
        y = y + out
    return y


def _mixed_sum_in_place(x, operations, alpha):
    outputs = [op(x) for op in operations]
    total = outputs[0]
    total *= softmax(alpha)[0]
    for w, out in zip(softmax(alpha)[1:], outputs[1:], strict=True):
        total += w * out
    return total


def _chained(x, operations, alpha):
    for w, op in zip(softmax(alpha), operations, strict=True):
        x = w * op(x)
    return x


NO_SHIFT = "The exponentials overflow for logits near 1000, and near −1000 all of them vanish. Subtract the largest logit first; the weights stay the same."

mixed_operation = Exercise(
    reference=lib.mixed_operation,
    tiers=values_and_edge(1, 1),
    cases=_mixed_cases,
    traps=("one returns x itself", "one operation", "logits near 1000", "operations that sum an axis away"),
    misconceptions=(
        Misconception("softmax forgotten", _mixed(WEIGHTS["logits"]), "alpha holds logits, any real numbers. The weights of a mixture are positive and sum to 1.", (_mixed(WEIGHTS["share"]), _mixed(WEIGHTS["square"]))),
        Misconception("weights do not sum to 1", _mixed(WEIGHTS["exp"]), "The exponentials have to be divided by their sum."),
        Misconception("logarithms as weights", _mixed(WEIGHTS["log"]), "Your weights are negative: they are logarithms of the probabilities."),
        Misconception("a sigmoid for each", _mixed(WEIGHTS["sigmoid"]), "The operations compete for one weight in all: softmax over them, not a sigmoid for each."),
        Misconception("choice made hard", _mixed(WEIGHTS["hard"]), "You take the strongest operation alone. The mixture keeps all of them, or there would be no gradient in alpha."),
        Misconception("alpha ignored", _mixed(WEIGHTS["uniform"]), "All operations have the same weight in your mixture: where does alpha come in?", (_mixed(WEIGHTS["ones"]),)),
        Misconception("sign of the logits", _mixed(WEIGHTS["minus"]), "A larger logit must give its operation MORE weight."),
        Misconception("mean for the sum", _mixed(WEIGHTS["mean"]), "The weights sum to 1 already: do not divide by the number of operations again."),
        Misconception("softmax applied twice", _mixed(WEIGHTS["twice"]), "The logits go through softmax twice: once is right."),
        Misconception("weight inside the operation", _mixed(inside=True), "The weight belongs to the operation's OUTPUT: tanh(w x) is not w tanh(x)."),
        Misconception("one after the other", _chained, "Every operation gets the same x. You feed the output of one to the next."),
        Misconception("no shift", _mixed(WEIGHTS["naive"]), NO_SHIFT),
        Misconception("x changed through an operation that returns it", _mixed_in_place, "One of the operations returns x itself, so += or *= on its result changes x, for the operations after it and for the caller. Add without changing in place.", (_mixed_in_place_each, _mixed_sum_in_place)),
    ),
    hints=(
        "Probabilities first, one per operation; then a weighted sum of the operations' outputs.",
        "The softmax of part 3 stands in the set-up cell, and it shifts. Begin the sum from 0 and never change an operation's result in place.",
        "sum(w * op(x) for w, op in zip(softmax(alpha), operations))",
    ),
    minutes=5,
    difficulty=1,
)


# ---- mixed_operation_grad
def _mixed_grad_cases(rng: Generator) -> list[Case]:
    cases = []
    for label, tier, x, ops, alpha in _mixtures(rng):
        shape = x.shape[:-1] if ops[0].params["kind"] == "total" else x.shape
        cases.append(case(label, rng.normal(size=shape), x, ops, alpha, tier=tier, trap=label, tolerance=Tolerance(floor=1.0, reason="differences of scores of size 1: where they cancel, what is left is rounding") if label == "one operation" else Tolerance()))
    return cases


def _mixed_grad(form: Callable, weights: Callable = softmax, score: Callable = lambda dy, x, out: np.sum(dy * out)) -> Callable[..., Any]:
    def wrong(dy, x, operations, alpha):
        p = weights(alpha)
        return np.asarray(form(p, np.array([score(dy, x, op(x)) for op in operations])))

    return wrong


def _right_form(p, s):
    return p * (s - p @ s)


def _grad_in_place(dy, x, operations, alpha):
    scores = []
    for op in operations:
        out = op(x)
        out *= dy
        scores.append(out.sum())
    return _right_form(softmax(alpha), np.array(scores))


mixed_operation_grad = Exercise(
    reference=lib.mixed_operation_grad,
    tiers=values_and_edge(2, 2),
    cases=_mixed_grad_cases,
    traps=("one returns x itself", "one operation", "logits near 1000", "operations that sum an axis away"),
    may_use=("mixed_operation",),
    misconceptions=(
        Misconception("softmax's Jacobian left out", _mixed_grad(lambda p, s: s), "This is the gradient in the WEIGHTS. alpha stands one step before: the chain goes on through softmax."),
        Misconception("diagonal Jacobian", _mixed_grad(lambda p, s: p * (1 - p) * s), "You used only dw_k/dα_k. Raising one logit takes weight from all the others: those terms are missing. (With one operation you may see it: its weight is 1 whatever α is.)"),
        Misconception("the others' share left out", _mixed_grad(lambda p, s: p * s), "Your entries do not sum to 0, but a common shift of alpha changes nothing. Raising one logit takes weight from the others: what do they lose?"),
        Misconception("scores compared with their plain mean", _mixed_grad(lambda p, s: p * (s - s.mean())), "An operation is compared with the MIXTURE, whose mean is weighted.", (_mixed_grad(lambda p, s: s - s.mean()),)),
        Misconception("terms off the diagonal with the wrong sign", _mixed_grad(lambda p, s: p * (s + p @ s)), "Raising one logit takes weight FROM the others: the terms off the diagonal of softmax's Jacobian are negative."),
        Misconception("diagonal of the Jacobian", _mixed_grad(lambda p, s: s - p * (p @ s)), "The terms off the diagonal are there, the diagonal is not right: what is dw_k/dα_k when w_k is nearly 0?"),
        Misconception("weight in front forgotten", _mixed_grad(lambda p, s: s - p @ s), "The comparison with the mixture is right; how strongly an operation answers depends on its own weight as well."),
        Misconception("sum for the weighted mean", _mixed_grad(lambda p, s: p * (s - s.sum())), "What is subtracted is the score of the mixture: weight the scores before you add them."),
        Misconception("sign", _mixed_grad(lambda p, s: -_right_form(p, s)), "This is the direction in which the loss FALLS: the gradient points the other way."),
        Misconception("averaged over the entries", _mixed_grad(_right_form, score=lambda dy, x, out: np.mean(dy * out)), "dy is dLoss/dy, entry by entry: the contributions of all entries add up, they are not averaged."),
        Misconception("averaged over the batch", _mixed_grad(_right_form, score=lambda dy, x, out: np.sum(dy * out) / len(x)), "dy already holds whatever mean the loss takes: do not divide by N again."),
        Misconception("dy left out", _mixed_grad(_right_form, score=lambda dy, x, out: np.sum(out)), "Where is dy? An output counts as much as the loss answers to it."),
        Misconception("operation applied to dy", lambda dy, x, ops, alpha: _right_form(softmax(alpha), np.array([np.sum(op(dy)) for op in ops])), "The operations act on x. dy multiplies what comes out."),
        Misconception("no shift", _mixed_grad(_right_form, weights=WEIGHTS["naive"]), NO_SHIFT),
        Misconception("softmax forgotten", _mixed_grad(_right_form, weights=WEIGHTS["logits"]), "alpha holds logits: the weights of the mixture are their softmax."),
        Misconception("x changed through an operation that returns it", _grad_in_place, "One of the operations returns x itself: *= on its result changes x. Multiply into a new array."),
    ),
    hints=(
        "Two links: dL/dweight_k is one number per operation (a sum over all entries of y). Then weights to logits, with softmax's Jacobian from part 3.",
        "Call s_k the sum of dy · op_k(x). dweight_j/dα_k = weight_j ([j = k] − weight_k): sum over j and take out weight_k.",
        "weights * (scores - weights @ scores), with scores = np.array([np.sum(dy * op(x)) for op in operations])",
    ),
    minutes=12,
    difficulty=3,
)


# ---- validation_loss_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    n, d = (int(v) for v in rng.permutation([2, 3]))
    m = 4

    def made(s: float, n: int, d: int, m: int) -> tuple[Any, ...]:
        return np.array(s), *_ridge(rng, n, d), *_ridge(rng, m, d), np.array(float(rng.uniform(0.5, 2.0)))

    return [
        case("a weak penalty, value and gradients", *made(float(rng.uniform(-2, -1)), n + 3, d, m), op="torch"),
        case("a strong penalty", *made(float(rng.uniform(0.7, 1.5)), n + 3, d, m), op="torch"),
        case("few validation rows", *made(float(rng.uniform(-1, -0.4)), n + 3, 3, 2), op="torch"),
        edge("log lambda = −6", *made(-6.0, n + 3, d, m), op="torch"),
        edge("log lambda = 4", *made(4.0, n + 1, d + 2, m), op="torch"),
        edge("more columns than rows", *made(-0.5, 2, 4, m), op="torch"),
    ]


def _torch_loss(strength="exp", n_by="N", reduce="mean", cut="", penalty=False, half=0.5, dtype=None):
    def wrong(log_lambda, X_train, y_train, X_val, y_val):
        import torch

        n, d = X_train.shape
        by = {"N": n, "1": 1}[n_by]
        lam = {"exp": torch.exp, "log": lambda s: s, "ten": lambda s: 10.0**s}[strength](log_lambda.detach() if cut == "lambda" else log_lambda)
        w = torch.linalg.lstsq(X_train.T @ X_train / by + lam * torch.eye(d, dtype=X_train.dtype), (X_train.T @ y_train / by)[:, None]).solution[:, 0]
        w = w.detach() if cut == "weights" else w
        r = X_val @ w - y_val
        loss = half * {"mean": lambda: (r**2).mean(), "sum": lambda: (r**2).sum(), "N": lambda: (r**2).sum() / n}[reduce]()
        if penalty:
            loss = loss + lam / 2 * (w**2).sum()
        return loss.detach() if cut == "all" else loss + 0 * log_lambda

    return wrong


validation_loss_in_torch = Exercise(
    reference=lib.validation_loss_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_torch_cases,
    torch=True,
    equivalent_mutants=(("X_val @ w - y_val → y_val - X_val @ w", "the residual is squared"),),
    traps=("more columns than rows", "log lambda = −6", "log lambda = 4"),
    misconceptions=(
        Misconception("weights cut off from the graph", _torch_loss(cut="weights"), "The value is right, but no gradient goes through the trained weights, and that is where log_lambda acts. No .detach(), .data, .numpy() or torch.no_grad() around the solve.", (_torch_loss(cut="lambda"), _torch_loss(cut="all"))),
        Misconception("penalty in the validation loss", _torch_loss(penalty=True), "The penalty belongs to training only: the validation loss is the error on the validation data."),
        Misconception("penalty not scaled with N", _torch_loss(n_by="1"), "The training loss is a mean over N rows, as in inner_solution: both terms with X carry 1/N."),
        Misconception("logarithm taken for the strength", _torch_loss("log"), "log_lambda is the logarithm: the strength is torch.exp of it.", (_torch_loss("ten"),)),
        Misconception("sum over the rows", _torch_loss(reduce="sum"), "The loss is a mean over the M validation rows."),
        Misconception("1/N for 1/M", _torch_loss(reduce="N"), "The mean is over the M rows of X_val; you divide by the number of training rows."),
        Misconception("½ forgotten", _torch_loss(half=1.0), "The loss has a ½ in front of the mean of the squares."),
    ),
    hints=(
        "inner_solution line by line with torch in place of np, then the loss on the validation data. Nothing is detached.",
        "torch.linalg.solve(A, b) has a gradient. torch.eye needs dtype=X_train.dtype, or float32 creeps in.",
        "A = X_train.T @ X_train / n + torch.exp(log_lambda) * torch.eye(d, dtype=X_train.dtype); w = torch.linalg.solve(A, X_train.T @ y_train / n); 0.5 * torch.mean((X_val @ w - y_val) ** 2)",
    ),
    minutes=8,
    difficulty=2,
)


TOPIC = Topic(
    name="architecture_design",
    assignment="5_attention_and_design",
    title="Architecture design",
    exercises=(parameter_budget_width, inner_solution, hypergradient, random_search, successive_halving, mixed_operation, mixed_operation_grad, validation_loss_in_torch),
    written=(Written("what_to_report", points=2, minutes=9),),
)
