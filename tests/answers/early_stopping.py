"""Right answers to early_stopping, written from the stubs alone, each in another way: other memory, other algebra, loops, other NumPy."""
import copy
import math

import numpy as np


def _deep(value):
    if isinstance(value, dict):
        return {k: _deep(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_deep(v) for v in value)
    return value.copy() if isinstance(value, np.ndarray) else value


class EarlyStopping__last_good_epoch:
    """No count: how long ago the best was."""

    def __init__(self, patience, min_delta=0.0):
        self.patience = patience
        self.min_delta = min_delta
        self.best_epoch = None
        self.best_loss = float("inf")
        self.best_state = None
        self.seen = 0

    def step(self, loss, state=None):
        if self.best_loss - loss > self.min_delta:
            self.best_loss, self.best_epoch, self.best_state = loss, self.seen, _deep(state)
        self.seen += 1
        last_good = -1 if self.best_epoch is None else self.best_epoch
        return self.seen - 1 - last_good >= self.patience


class EarlyStopping__remaining_patience:
    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta, self.left = patience, min_delta, patience
        self.best_epoch, self.best_loss, self.best_state = None, math.inf, None
        self._t = -1

    def step(self, loss, state=None):
        self._t += 1
        if not math.isnan(loss) and loss + self.min_delta < self.best_loss:
            self.left = self.patience
            self.best_epoch = self._t
            self.best_loss = float(loss)
            self.best_state = copy.deepcopy(state)
        else:
            self.left -= 1
        return bool(self.left <= 0)


class EarlyStopping__whole_history:
    """Everything is remembered, and the rule is applied anew at each step."""

    def __init__(self, patience, min_delta=0.0):
        self.rule = (patience, min_delta)
        self.history = []

    def _replay(self):
        best, epoch, state, count = np.inf, None, None, 0
        for t, (loss, kept) in enumerate(self.history):
            if loss < best - self.rule[1]:
                best, epoch, state, count = loss, t, kept, 0
            else:
                count = count + 1
        return best, epoch, state, count

    @property
    def best_loss(self):
        return self._replay()[0]

    @property
    def best_epoch(self):
        return self._replay()[1]

    @property
    def best_state(self):
        return self._replay()[2]

    def step(self, loss, state=None):
        self.history.append((loss, copy.deepcopy(state)))
        return np.bool_(self._replay()[3] >= self.rule[0])


def stopping_epoch_patience__running_minimum(losses, patience, min_delta=0.0):
    best, last_good = float("inf"), -1
    for t in range(len(losses)):
        if losses[t] < best - min_delta:
            best, last_good = losses[t], t
        elif t - last_good == patience:
            return t
    return None


def stopping_epoch_patience__the_class(losses, patience, min_delta=0.0):
    watch = EarlyStopping(patience, min_delta)
    answers = [bool(watch.step(float(loss))) for loss in losses]
    return answers.index(True) if True in answers else None


def stopping_epoch_patience__records(losses, patience, min_delta=0.0):
    record, best = [], math.inf
    for loss in losses:
        record.append(bool(loss < best - min_delta))
        best = loss if record[-1] else best
    for t in range(patience - 1, len(record)):
        if True not in record[t + 1 - patience : t + 1]:
            return np.int64(t)
    return None


def stopping_epoch_consecutive__definition(losses, k):
    for t in range(2 * k - 1, len(losses)):
        if all(losses[s] > losses[s - k] for s in range(t - k + 1, t + 1)):
            return t
    return None


def stopping_epoch_consecutive__windows(losses, k):
    L = np.asarray(losses, dtype=float)
    if len(L) < 2 * k:
        return None
    worse = L[k:] > L[:-k]
    full = np.convolve(worse.astype(int), np.ones(k, dtype=int), mode="valid") == k
    return int(np.argmax(full)) + 2 * k - 1 if full.any() else None


def stopping_epoch_consecutive__text(losses, k):
    marks = "".join("w" if s >= k and losses[s] > losses[s - k] else "." for s in range(len(losses)))
    at = marks.find("w" * k)
    return None if at < 0 else at + k - 1


def gradient_descent_path__loop(eigenvalues, w_star, lr, n_steps):
    w = np.zeros(len(w_star))
    rows = [w]
    for _ in range(n_steps):
        w = w - lr * eigenvalues * (w - w_star)
        rows.append(w)
    return np.array(rows)


def gradient_descent_path__geometric_sum(eigenvalues, w_star, lr, n_steps):
    e = np.asarray(eigenvalues, float)
    steps = np.array([lr * e * (1 - lr * e) ** i * w_star for i in range(n_steps)]).reshape(n_steps, len(e))
    return np.concatenate([np.zeros((1, len(e))), np.cumsum(steps, axis=0)])


def gradient_descent_path__columns(eigenvalues, w_star, lr, n_steps):
    columns = [[w - w * (1 - lr * e) ** t for t in range(n_steps + 1)] for e, w in zip(eigenvalues, w_star)]
    return np.array(columns).T


def gradient_descent_path__cumulative_product(eigenvalues, w_star, lr, n_steps):
    left = np.cumprod(np.vstack([np.ones(len(w_star)), np.tile(1 - lr * np.asarray(eigenvalues), (n_steps, 1))]), axis=0)
    return w_star - left * w_star


def equivalent_l2__division(lr, step):
    return 1 / lr / step


def equivalent_l2__power(lr, step):
    return (lr * step) ** -1.0


def equivalent_l2__array(lr, step):
    return np.reciprocal(np.asarray(lr * float(step)))


def expected_excess_risk__loops(eigenvalues, w_star, lr, n_steps, noise_variance, n_examples):
    risks = []
    for t in range(n_steps + 1):
        risk = 0.0
        for e, w in zip(eigenvalues, w_star):
            a = (1 - lr * e) ** t
            risk += e * (a * w) ** 2 + (1 - a) ** 2 * noise_variance / n_examples
        risks.append(risk)
    return risks


def expected_excess_risk__from_the_path(eigenvalues, w_star, lr, n_steps, noise_variance, n_examples):
    path = gradient_descent_path(eigenvalues, w_star, lr, n_steps)
    share = gradient_descent_path(eigenvalues, np.ones(len(w_star)), lr, n_steps)
    return (path - w_star) ** 2 @ eigenvalues + noise_variance / n_examples * np.sum(np.square(share), axis=-1)


def expected_excess_risk__recursion(eigenvalues, w_star, lr, n_steps, noise_variance, n_examples):
    e, bias, share, out = np.asarray(eigenvalues), -np.asarray(w_star), np.zeros(len(w_star)), []
    for _ in range(n_steps + 1):
        out.append(np.dot(e, bias**2) + noise_variance * (share @ share) / n_examples)
        bias = bias * (1 - lr * e)
        share = share + lr * e * (1 - share)
    return np.array(out)


def expected_excess_risk__guarded_division(eigenvalues, w_star, lr, n_steps, noise_variance, n_examples):
    kept = np.asarray(eigenvalues) > 0
    e, w = np.asarray(eigenvalues)[kept], np.asarray(w_star)[kept]
    a = np.power.outer(1 - lr * e, np.arange(n_steps + 1))
    return np.einsum("j,jt->t", e, (a.T * w).T ** 2 + ((1 - a) ** 2).T.dot(np.diag(noise_variance / (n_examples * e))).T)


def stopped_fit_in_torch__autograd(X, y, lr, n_steps):
    import torch

    w = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    for _ in range(n_steps):
        loss = 0.5 * ((X @ w - y) ** 2).mean()
        (g,) = torch.autograd.grad(loss, w, create_graph=True)
        w = w - lr * g
    return X @ w


def stopped_fit_in_torch__in_predictions(X, y, lr, n_steps):
    import torch

    # the predictions obey a recursion of their own
    gram = X @ X.T / X.size(0)
    f = torch.zeros_like(y)
    for _ in range(n_steps):
        f = f + lr * gram @ (y - f)
    return f


def stopped_fit_in_torch__matrix_power(X, y, lr, n_steps):
    import torch

    n = X.shape[0]
    keep = torch.eye(n, dtype=X.dtype) - lr / n * torch.mm(X, X.t())
    return y - torch.linalg.matrix_power(keep, n_steps) @ y


def stopped_fit_in_torch__einsum(X, y, lr, n_steps):
    import torch

    w = torch.zeros((X.shape[1], 1), dtype=X.dtype)
    for _ in range(n_steps):
        residuals = torch.einsum("nd,do->no", X, w) - y.reshape(-1, 1)
        w = w - lr * (residuals * X).mean(dim=0).reshape(-1, 1)
    return torch.einsum("nd,do->n", X, w)
