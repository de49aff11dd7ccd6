"""Right answers to architecture_design, written from the stubs alone, each in another way: other algebra, loops, other NumPy."""
import math

import numpy as np

# ---- parameter_budget_width


def parameter_budget_width__one_more_unit(depth, n_in, n_out, budget):
    width = 0
    while width < 100_000:
        sizes = [n_in] + [width + 1] * depth + [n_out]
        if sum((a + 1) * b for a, b in zip(sizes, sizes[1:])) > budget:
            return width
        width += 1
    return width


def parameter_budget_width__bisection(depth, n_in, n_out, budget):
    def count(n):
        return n * (n_in + 1) + (depth - 1) * n * (n + 1) + n_out * (n + 1)

    low, high = 0, 100_001
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle) <= budget:
            low = middle
        else:
            high = middle
    return low


def parameter_budget_width__quadratic(depth, n_in, n_out, budget):
    a, b, c = depth - 1, n_in + depth + n_out, n_out - budget
    if c > 0:
        return 0
    return int(-c // b) if a == 0 else (-b + math.isqrt(b * b - 4 * a * c)) // (2 * a)


def parameter_budget_width__sorted(depth, n_in, n_out, budget):
    n = np.arange(1, 100_001, dtype=np.int64)
    return np.searchsorted(n_in * n + n + (depth - 1) * (n**2 + n) + n * n_out + n_out, budget, side="right")


# ---- inner_solution


def inner_solution__inverse(log_lambda, X, y):
    X, y = np.asarray(X), np.asarray(y)
    N, D = X.shape
    return np.linalg.inv(X.T.dot(X) + N * math.exp(log_lambda) * np.identity(D)).dot(X.T.dot(y))


def inner_solution__rows_added(log_lambda, X, y):
    # the penalty as D further examples with target 0
    n, d = X.shape
    A = np.vstack([X, np.sqrt(n * np.exp(log_lambda)) * np.eye(d)])
    return np.linalg.lstsq(A, np.append(y, np.zeros(d)), rcond=None)[0]


def inner_solution__singular_values(log_lambda, X, y):
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return Vt.T @ (s / (s**2 + len(X) * np.exp(log_lambda)) * (U.T @ y))


def inner_solution__dual(log_lambda, X, y):
    # N equations for N multipliers
    n = len(X)
    return X.T @ np.linalg.solve(X @ X.T + n * np.exp(log_lambda) * np.eye(n), y)


# ---- hypergradient


def hypergradient__adjoint(log_lambda, X_train, y_train, X_val, y_val):
    lam, n = np.exp(log_lambda), len(y_train)
    A = X_train.T @ X_train + n * lam * np.eye(X_train.shape[1])
    w = np.linalg.solve(A, X_train.T @ y_train)
    g = X_val.T @ (X_val @ w - y_val) / len(y_val)
    return -lam * n * np.dot(np.linalg.solve(A, g), w)


def hypergradient__calls_inner_solution(log_lambda, X_train, y_train, X_val, y_val):
    w = inner_solution(log_lambda, X_train, y_train)
    d = w.size
    A = np.einsum("ni,nj->ij", X_train, X_train) / X_train.shape[0] + math.exp(log_lambda) * np.eye(d)
    dw = np.linalg.inv(A) @ (-math.exp(log_lambda) * w)
    residual = X_val @ w - y_val
    return np.mean(residual * (X_val @ dw))


def hypergradient__in_the_eigenbasis(log_lambda, X_train, y_train, X_val, y_val):
    n = len(X_train)
    values, V = np.linalg.eigh(X_train.T @ X_train / n)
    lam = np.exp(log_lambda)
    c = V.T @ (X_train.T @ y_train / n)
    w = c / (values + lam)
    dw = -lam * c / (values + lam) ** 2
    P = X_val @ V
    return float(np.sum((P @ w - y_val) * (P @ dw)) / P.shape[0])


def hypergradient__product_rule(log_lambda, X_train, y_train, X_val, y_val):
    # w = inverse b, d inverse = - inverse dA inverse
    lam = np.exp(log_lambda)
    inverse = np.linalg.pinv(X_train.T @ X_train / len(X_train) + lam * np.eye(X_train.shape[1]))
    b = X_train.T @ y_train / len(X_train)
    d_inverse = -inverse @ (lam * np.eye(len(b))) @ inverse
    return ((X_val @ inverse @ b - y_val) @ X_val @ d_inverse @ b) / X_val.shape[0]


# ---- random_search


def random_search__two_passes(sample, evaluate, n_trials, *, rng):
    configs = [sample(rng) for _ in range(n_trials)]

    def loss_of(config):
        try:
            value = evaluate(config)
        except Exception:
            return math.inf
        return math.inf if value != value else value

    trials = [(config, loss_of(config)) for config in configs]
    finite = [t for t in trials if math.isfinite(t[1])]
    best = min(finite, key=lambda t: t[1])[0] if finite else None
    return best, trials


def random_search__argmin(sample, evaluate, n_trials, *, rng):
    configs, losses = [], np.full(n_trials, np.inf)
    for i in range(n_trials):
        configs.append(sample(rng))
        try:
            losses[i] = evaluate(configs[-1])
        except Exception:
            pass
    losses[np.isnan(losses)] = np.inf
    ranked = np.where(np.isfinite(losses), losses, np.inf)
    best = configs[int(ranked.argmin())] if np.isfinite(losses).any() else None
    return best, [[c, v] for c, v in zip(configs, losses)]


def random_search__place_of_the_best(sample, evaluate, n_trials, *, rng):
    trials, at = [], None
    while len(trials) < n_trials:
        config = sample(rng)
        loss = float("inf")
        try:
            loss = evaluate(config)
            if np.isnan(loss):
                raise ArithmeticError
        except Exception:
            loss = float("inf")
        trials.append((config, loss))
        if abs(loss) != float("inf") and (at is None or trials[at][1] > loss):
            at = len(trials) - 1
    return (None if at is None else trials[at][0]), trials


# ---- successive_halving


def successive_halving__sorted(configs, evaluate, min_budget, eta=2):
    def rank(config, budget):
        try:
            loss = evaluate(config, budget)
        except Exception:
            return math.inf
        return loss if math.isfinite(loss) else math.inf

    alive, spent, budget = list(range(len(configs))), 0, min_budget
    while len(alive) >= 2:
        pairs = sorted((rank(configs[i], budget), i) for i in alive)
        spent += len(alive) * budget
        alive = [i for _, i in pairs[: max(len(alive) // eta, 1)]]
        budget = budget * eta
    return configs[alive[0]], spent


def successive_halving__recursive(configs, evaluate, min_budget, eta=2):
    n = len(configs)
    if n == 1:
        return configs[0], 0
    losses = np.full(n, np.inf)
    for i in reversed(range(n)):  # the order within a round is free
        try:
            losses[i] = evaluate(configs[i], min_budget)
        except Exception:
            losses[i] = np.nan
    losses[~np.isfinite(losses)] = np.inf
    keep = np.zeros(n, dtype=bool)
    keep[np.lexsort((np.arange(n), losses))[: n // eta or 1]] = True
    winner, rest = successive_halving([c for c, k in zip(configs, keep) if k], evaluate, min_budget * eta, eta)
    return winner, n * min_budget + rest


def successive_halving__the_worst_leave(configs, evaluate, min_budget, eta=2):
    alive, spent, r = list(configs), 0, 0
    places = list(range(len(configs)))
    while len(places) != 1:
        budget = min_budget * eta**r
        results = {}
        for i in places:
            spent += budget
            try:
                v = float(evaluate(alive[i], budget))
                results[i] = v if v == v and abs(v) < np.inf else np.inf
            except Exception:
                results[i] = np.inf
        target = max(1, int(len(places) / eta))
        while len(places) > target:
            worst = max(results[i] for i in places)
            places.remove([i for i in places if results[i] == worst][-1])
        r += 1
    return alive[places[0]], spent


# ---- mixed_operation


def mixed_operation__stacked(x, operations, alpha):
    alpha = np.asarray(alpha, dtype=float)
    p = np.exp(alpha - alpha.max())
    p /= p.sum()
    return np.tensordot(p, np.stack([op(x) for op in operations]), axes=1)


def mixed_operation__loop(x, operations, alpha):
    e = [math.exp(a - max(alpha)) for a in alpha]
    y = 0.0
    for k, op in enumerate(operations):
        y = y + e[k] / sum(e) * op(x)
    return y


def mixed_operation__average(x, operations, alpha):
    a = np.array(alpha, dtype=float)
    return np.average([f(x) for f in operations], axis=0, weights=np.exp(a - np.max(a)))


# ---- mixed_operation_grad


def mixed_operation_grad__jacobian(dy, x, operations, alpha):
    alpha = np.asarray(alpha, dtype=float)
    p = np.exp(alpha - alpha.max())
    p = p / p.sum()
    s = np.array([np.vdot(dy, op(x)) for op in operations])
    return (np.diag(p) - np.outer(p, p)) @ s


def mixed_operation_grad__against_the_mixture(dy, x, operations, alpha):
    a = np.array(alpha, dtype=float) - max(alpha)
    p = np.exp(a) / np.exp(a).sum()
    outputs = [np.asarray(op(x)) for op in operations]
    y = sum(w * o for w, o in zip(p, outputs))
    return np.array([w * ((o - y) * dy).sum() for w, o in zip(p, outputs)])


def mixed_operation_grad__calls_mixed_operation(dy, x, operations, alpha):
    y = mixed_operation(x, operations, alpha)
    p = [1 / sum(math.exp(min(b - a, 700)) for b in alpha) for a in alpha]
    return [p[k] * float(np.sum(np.asarray(dy) * (operations[k](x) - y))) for k in range(len(p))]


# ---- validation_loss_in_torch


def validation_loss_in_torch__inverse(log_lambda, X_train, y_train, X_val, y_val):
    import torch

    n, d = X_train.shape
    A = X_train.t().mm(X_train) + n * log_lambda.exp() * torch.eye(d, dtype=torch.float64)
    w = torch.inverse(A).mv(X_train.t().mv(y_train))
    return torch.nn.functional.mse_loss(X_val.mv(w), y_val) / 2


def validation_loss_in_torch__dual(log_lambda, X_train, y_train, X_val, y_val):
    import torch

    n = len(X_train)
    K = X_train @ X_train.T + n * torch.exp(log_lambda) * torch.eye(n).to(X_train)
    predictions = X_val @ X_train.T @ torch.linalg.solve(K, y_train)
    return ((predictions - y_val) ** 2).sum() / (2 * len(y_val))


def validation_loss_in_torch__cholesky(log_lambda, X_train, y_train, X_val, y_val):
    import torch

    A = X_train.T @ X_train / X_train.size(0) + torch.diag(torch.exp(log_lambda).repeat(X_train.size(1)))
    L = torch.linalg.cholesky(A)
    w = torch.cholesky_solve((X_train.T @ y_train / X_train.size(0)).unsqueeze(1), L).squeeze(1)
    r = X_val @ w - y_val
    return 0.5 * torch.dot(r, r) / r.numel()
