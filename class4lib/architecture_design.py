"""Choosing an architecture: parameter budgets, searches that count what they spend, and gradients in a hyperparameter.

The search problem is bilevel: w*(alpha) = argmin_w L_train(w, alpha) inside, min over alpha of L_val(w*(alpha), alpha) outside. Training,
validation and test data are three different sets; no function here ever sees the third. A loss is a number, lower is better.
"""
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from class4lib.guards import Sizes, array, describe, generator, guarded, integer, number
from class4lib.softmax_cross_entropy import softmax


def _callable(function: str, name: str, value: Any, sizes: Sizes) -> Any:
    if not callable(value):
        raise TypeError(f"{function}: {name} must be callable, got {describe(value)}.")
    return value


def _configs(function: str, name: str, value: Any, sizes: Sizes) -> list[Any]:
    if not isinstance(value, Sequence | ndarray) or isinstance(value, str):
        raise TypeError(f"{function}: {name} must be a list of configurations, got {describe(value)}.")
    if len(value) == 0:
        raise ValueError(f"{function}: {name} must hold at least 1, got 0.")
    return list(value)


def _operations_match_alpha(function: str, operations: Sequence[Callable], alpha: ndarray, **_: object) -> None:
    if not isinstance(operations, Sequence):
        raise TypeError(f"{function}: operations must be a list of callables, got {describe(operations)}.")
    for k, operation in enumerate(operations):
        _callable(function, f"operations[{k}]", operation, {})
    if alpha.shape != (len(operations),):
        raise ValueError(f"{function}: alpha must have shape {(len(operations),)}, got {alpha.shape}: match the number of operations.")


LOG_LAMBDA = number(low=-20, high=20)  # outside of it the system is singular, or w is 0, in double precision


@guarded(
    log_lambda=LOG_LAMBDA,
    X_train=array("N D", nonempty=True), y_train=array("N"),
    X_val=array("M D", nonempty=True), y_val=array("M"),
)
def hypergradient(log_lambda: float, X_train: ndarray, y_train: ndarray, X_val: ndarray, y_val: ndarray) -> float:
    """Derivative of the validation loss in the logarithm of the ridge penalty, through the trained weights.

    The validation loss is 1/(2M) |X_val w* - y_val|^2, WITHOUT the penalty, at w* = inner_solution(log_lambda, X_train, y_train): it depends
    on log_lambda only because w* does. The derivative is in log lambda, not in lambda.

    Args:
        log_lambda: natural logarithm of the penalty's strength.
        X_train: (N, D) what the weights are fitted to.
        y_train: (N,).
        X_val: (M, D) what the penalty is judged on; M need not be N.
        y_val: (M,).

    Returns:
        A number; positive where a weaker penalty would validate better.

    Derivation:
        A w* = X'y/N, A = X'X/N + lambda I
        differentiated in log lambda: lambda w* + A dw* = 0, since dlambda/dlog lambda = lambda
        dw*/dlog lambda = -lambda A^-1 w*
        dL_val/dw = g = X_val'(X_val w* - y_val)/M
        dL_val/dlog lambda = g . dw*/dlog lambda = -lambda g . A^-1 w*

    Source: Bengio 2000, Gradient-based optimization of hyperparameters, section 2 (the implicit function theorem).
    """
    n, d = X_train.shape
    strength = np.exp(log_lambda)
    w = inner_solution(log_lambda, X_train, y_train)  # (D,)
    hessian = X_train.T @ X_train / n + strength * np.eye(d)  # (D, D), of the training loss with its penalty
    dw = -strength * np.linalg.solve(hessian, w)  # (D,) dw*/dlog_lambda
    return float((X_val @ w - y_val) @ (X_val @ dw) / len(X_val))


@guarded(log_lambda=LOG_LAMBDA, X=array("N D", nonempty=True), y=array("N"))
def inner_solution(log_lambda: float, X: ndarray, y: ndarray) -> ndarray:
    """The weights that training finds for a given strength of the ridge penalty: argmin_w 1/(2N) |Xw - y|^2 + exp(log_lambda)/2 |w|^2.

    Args:
        log_lambda: natural logarithm of the strength; with the mean loss the strength does not grow with N.
        X: (N, D); no column of ones is added.
        y: (N,).

    Returns:
        (D,).

    Formula:
        (X'X/N + lambda I) w = X'y/N, solved and not inverted.

    Source: Hoerl and Kennard 1970; the factors ½ and 1/N are ours, scikit-learn's Ridge has neither: its alpha is N lambda.

    >>> inner_solution(0.0, [[1.0], [1.0]], [2.0, 4.0]).tolist()
    [1.5]
    """
    n, d = X.shape
    return np.linalg.solve(X.T @ X / n + np.exp(log_lambda) * np.eye(d), X.T @ y / n)


@guarded(depth=integer(low=1), n_in=integer(low=1), n_out=integer(low=1), budget=integer(low=0))
def parameter_budget_width(depth: int, n_in: int, n_out: int, budget: int) -> int:
    """The largest width of `depth` equal hidden layers whose dense network keeps within a number of parameters.

    Args:
        depth: hidden layers, at least 1; the output layer comes on top.
        n_in: inputs.
        n_out: outputs.
        budget: most weights AND biases allowed, the output layer's included.

    Returns:
        The width, 0 where not even width 1 fits; at most 100,000.

    Formula:
        parameters(n) = (n_in + 1) n + (depth - 1) (n + 1) n + (n + 1) n_out, which grows with n: count the widths that fit.

    >>> parameter_budget_width(depth=1, n_in=1, n_out=1, budget=3073)
    1024
    """
    width = np.arange(1, 100_001)
    parameters = (n_in + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * n_out
    return int(np.count_nonzero(parameters <= budget))  # parameters grow with the width


@guarded(sample=_callable, evaluate=_callable, n_trials=integer(low=0), rng=generator())
def random_search(sample: Callable[[Generator], Any], evaluate: Callable[[Any], float], n_trials: int, *, rng: Generator) -> tuple[Any, list[tuple[Any, float]]]:
    """Draw configurations at random, evaluate each once, return the best; one that fails never ends the search.

    Args:
        sample: called with rng, draws a configuration.
        evaluate: called with a configuration once; its loss, lower is better. It may raise an Exception or return NaN or an infinity.
        n_trials: how many, at least 0.
        rng: the only source of randomness.

    Returns:
        The configuration of the lowest FINITE loss (the first of equals; None if there is none), and all trials (configuration, loss) in the order sampled. An
        Exception and NaN are recorded as inf; -inf is recorded as it comes and is never best.

    Formula:
        best = argmin over the finite losses; strict < keeps the first of equals.

    Source: Bergstra and Bengio 2012.
    """
    trials, best, lowest = [], None, None
    for _ in range(n_trials):
        config = sample(rng)
        try:
            loss = float(evaluate(config))
        except Exception:  # a diverged run is a result, not the end of the search; KeyboardInterrupt still passes
            loss = np.inf
        loss = np.inf if np.isnan(loss) else loss
        trials.append((config, loss))
        if np.isfinite(loss) and (lowest is None or loss < lowest):
            best, lowest = config, loss
    return best, trials


@guarded(configs=_configs, evaluate=_callable, min_budget=integer(low=1), eta=integer(low=2))
def successive_halving(configs: Sequence[Any], evaluate: Callable[[Any, int], float], min_budget: int, eta: int = 2) -> tuple[Any, int]:
    """Give every configuration a little, keep the best share, give those more, until one is left.

    Args:
        configs: at least one.
        evaluate: called with a configuration and a budget (epochs, say); its loss after that budget, lower is better, spent in full each time.
        min_budget: of the first round.
        eta: each round keeps one in eta, rounded DOWN but at least one, and the next one's budget is eta times as large.

    Returns:
        The configuration that is left, and the budget spent in all. The last one is not evaluated again, one configuration alone spends 0.
        Of equals the one earlier in configs is kept. Exceptions, NaN, inf and -inf rank last and have spent their budget.

    Formula:
        while n > 1: spent += n budget; n = max(1, floor(n / eta)); budget *= eta

    Source: Jamieson and Talwalkar 2016, algorithm 1 (budget fixed per round here, not in all).

    >>> successive_halving(list(range(8)), lambda config, budget: config, min_budget=1)
    (0, 24)
    """
    survivors, budget, spent = list(configs), min_budget, 0
    while len(survivors) > 1:
        losses = []
        for config in survivors:
            try:
                losses.append(float(evaluate(config, budget)))
            except Exception:
                losses.append(np.inf)
        spent += budget * len(survivors)
        ranks = np.where(np.isfinite(losses), losses, np.inf)
        kept = sorted(range(len(survivors)), key=lambda i: ranks[i])[: max(1, len(survivors) // eta)]  # stable: the first of equals
        survivors = [survivors[i] for i in sorted(kept)]  # the order of configs again: it decides the next round's ties
        budget *= eta
    return survivors[0], spent


@guarded(x=array(), alpha=array("K", nonempty=True), also=_operations_match_alpha)
def mixed_operation(x: ndarray, operations: Sequence[Callable[[ndarray], ndarray]], alpha: ndarray) -> ndarray:
    """A choice between operations made smooth: their outputs, weighted by probabilities.

    Args:
        x: any shape.
        operations: K functions of x whose results share one shape; one may return x itself, which must not be changed.
        alpha: (K,) logits of the choice; each |alpha| up to 1000.

    Returns:
        The shape of the operations' results.

    Formula:
        sum_k softmax(alpha)_k op_k(x)

    Source: Liu et al. 2019 (DARTS), eq. 2.
    """
    return sum(weight * operation(x) for weight, operation in zip(softmax(alpha), operations))


@guarded(dy=array(), x=array(), alpha=array("K", nonempty=True), also=_operations_match_alpha)
def mixed_operation_grad(dy: ndarray, x: ndarray, operations: Sequence[Callable[[ndarray], ndarray]], alpha: ndarray) -> ndarray:
    """Gradient of mixed_operation in alpha.

    Args:
        dy: dLoss/dy, the shape of the operations' results.
        x: any shape.
        operations: K functions of x.
        alpha: (K,) logits, not probabilities.

    Returns:
        (K,); the entries sum to 0, because a common shift of alpha changes nothing.

    Derivation:
        s_k = sum(dy * op_k(x)) = dL/dweight_k
        dweight_j/dalpha_k = weight_j ([j = k] - weight_k)
        dL/dalpha_k = weight_k (s_k - sum_j weight_j s_j)
    """
    weights = softmax(alpha)  # (K,)
    scores = np.array([np.sum(dy * operation(x)) for operation in operations])  # (K,)
    return weights * (scores - weights @ scores)


def validation_loss_in_torch(log_lambda: Any, X_train: Any, y_train: Any, X_val: Any, y_val: Any) -> Any:
    """The validation loss as a function of the ridge penalty, in tensors: its gradient in log_lambda is the hypergradient, found by autograd.

    1/(2M) |X_val w* - y_val|^2 without the penalty, at the w* of inner_solution, computed here from tensors alone. The gradient reaches
    log_lambda, and the data, through the trained weights.

    Args:
        log_lambda: tensor without axes.
        X_train: (N, D) tensor.
        y_train: (N,) tensor.
        X_val: (M, D) tensor.
        y_val: (M,) tensor.

    Returns:
        A tensor without axes.

    Formula:
        w* = solve(X'X/N + lambda I, X'y/N); 1/2 mean((X_val w* - y_val)^2)
    """
    import torch

    n, d = X_train.shape
    hessian = X_train.T @ X_train / n + torch.exp(log_lambda) * torch.eye(d, dtype=X_train.dtype)
    w = torch.linalg.solve(hessian, X_train.T @ y_train / n)
    return 0.5 * torch.mean((X_val @ w - y_val) ** 2)
