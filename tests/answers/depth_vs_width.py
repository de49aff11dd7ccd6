"""Right answers to depth_vs_width, written from the stubs alone, each in another way: other algebra, loops, other nets for the same curve."""
import math
from fractions import Fraction

import numpy as np


def count_parameters__loop(widths):
    total = 0
    n_before = widths[0]
    for n in widths[1:]:
        total += n_before * n
        total += n
        n_before = n
    return total


def count_parameters__arrays(widths):
    w = np.array(widths)
    return w[:-1] @ w[1:] + w[1:].sum()


def count_parameters__build_and_measure(widths):
    arrays = []
    for i in range(1, len(widths)):
        arrays += [np.empty((widths[i - 1], widths[i])), np.empty(widths[i])]
    return float(sum(a.size for a in arrays))


def relu_network__loops(x, weights, biases):
    rows = []
    for row in x:
        a = list(row)
        for layer, (W, b) in enumerate(zip(weights, biases)):
            z = [sum(a[i] * W[i][j] for i in range(len(a))) + b[j] for j in range(len(b))]
            a = z if layer == len(weights) - 1 else [v if v > 0 else 0.0 for v in z]
        rows.append(a)
    return rows


def relu_network__ones_column(x, weights, biases):
    # biases as one more row of each matrix
    a = np.asarray(x, dtype=float)
    last = len(weights) - 1
    for layer in range(last + 1):
        full = np.vstack([weights[layer], biases[layer]])
        a = np.hstack([a, np.ones((len(a), 1))]) @ full
        if layer < last:
            a *= a > 0
    return a


def relu_network__recursion(x, weights, biases):
    z = np.einsum("nd,dm->nm", x, weights[0]) + biases[0]
    if len(weights) == 1:
        return z
    return relu_network((z + np.abs(z)) / 2, weights[1:], biases[1:])


def relu_network__basics(x, weights, biases):
    from class4lib.basics import affine, relu

    *hidden, last = zip(weights, biases)
    for W, b in hidden:
        x = relu(affine(x, W, b))
    return affine(x, *last)


def interpolating_network__a_hat_for_every_point(knots, values):
    # value_i times a hat that is 1 at knot i and 0 at its neighbours: three units each
    k = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    places, out = [], []
    for i in range(1, len(k) - 1):
        rise, fall = 1 / (k[i] - k[i - 1]), 1 / (k[i + 1] - k[i])
        places += [k[i - 1], k[i], k[i + 1]]
        out += [values[i - 1] * rise, -values[i - 1] * (rise + fall), values[i - 1] * fall]
    return [np.ones((1, len(places))), np.array(out).reshape(-1, 1)], [-np.array(places), np.zeros(1)]


def interpolating_network__linear_equations(knots, values):
    # the units are given, the output layer is solved for
    features = np.maximum(knots[:, None] - knots[None, :-1], 0)
    design = np.hstack([features, np.ones((len(knots), 1))])
    solution = np.linalg.solve(design, values)
    return (np.ones((1, len(knots) - 1)), solution[:-1, None]), (-knots[:-1], solution[-1:])


def interpolating_network__from_the_right(knots, values):
    # units that are on to the LEFT of their kink; the last value is the bias
    n = len(knots)
    out, before = [], 0.0
    for i in range(n - 1, 0, -1):
        slope = (values[i - 1] - values[i]) / (knots[i] - knots[i - 1])
        out.append(slope - before)
        before = slope
    return [[[-1.0] * (n - 1)], [[c] for c in out]], [list(knots[:0:-1]), [values[-1]]]


def interpolating_network__absolute_values(knots, values):
    # |x - k| = relu(x - k) + relu(k - x); each inner kink by one |.|, and a straight line by two units
    s = np.diff(values) / np.diff(knots)
    half = np.diff(s) / 2
    inner = knots[1:-1]
    first, last = s[0] + half.sum(), knots[0]
    start = values[0] - (half * np.abs(knots[0] - inner)).sum()
    W1 = np.concatenate([np.ones(len(inner)), -np.ones(len(inner)), [1.0]])[None, :]
    b1 = np.concatenate([-inner, inner, [-last]])
    return [W1, np.concatenate([half, half, [first]])[:, None]], [b1, np.array([start])]


def interpolating_network__add_one_unit_after_the_other(knots, values):
    places, out = [], []
    for i in range(len(knots) - 1):
        reached = values[0] + sum(c * max(knots[i + 1] - p, 0) for p, c in zip(places, out))
        places.append(float(knots[i]))
        out.append(float((values[i + 1] - reached) / (knots[i + 1] - knots[i])))
    return [[[1] * len(out)], [[c] for c in out]], [[-p for p in places], [float(values[0])]]


def sawtooth_network__one_minus_an_absolute_value(depth):
    # tent(x) = 1 - relu(2x - 1) - relu(1 - 2x)
    weights = [np.array([[2.0, -2.0]])] + [np.array([[-2.0, 2.0], [-2.0, 2.0]]) for _ in range(depth - 1)] + [np.array([[-1.0], [-1.0]])]
    biases = [np.array([-1.0, 1.0])] + [np.array([1.0, -1.0]) for _ in range(depth - 1)] + [np.array([1.0])]
    return weights, biases


def sawtooth_network__integers_and_lists(depth):
    # units relu(2x) and relu(4x - 2): their difference is the tent
    return ([[[2, 4]]] + [[[2, 4], [-2, -4]]] * (depth - 1) + [[[1], [-1]]], [[0, -2]] * depth + [[0]])


def sawtooth_network__from_the_right(depth):
    # tent(x) = 2 relu(1 - x) - 4 relu(1/2 - x)
    column, row = np.array([[2.0], [-4.0]]), np.array([[-1.0, -1.0]])
    weights, biases = [row], [np.array([1.0, 0.5])]
    for _ in range(depth - 1):
        weights.append(column @ row)
        biases.append(np.array([1.0, 0.5]))
    return tuple(weights) + (column,), tuple(biases) + (np.zeros(1),)


def sawtooth_network__units_not_scaled_to_one(depth):
    # relu(x / 3) and relu(7x - 3.5), undone by the weights behind them; the order of the units changes from layer to layer
    rows = [np.array([[1 / 3, 7.0]]), np.array([[7.0, 1 / 3]])]
    columns = [np.array([[6.0], [-4 / 7]]), np.array([[-4 / 7], [6.0]])]
    kinks = [np.array([0.0, -3.5]), np.array([-3.5, 0.0])]
    weights = [rows[0]]
    for i in range(1, depth):
        weights.append(columns[(i - 1) % 2] @ rows[i % 2])
    weights.append(columns[(depth - 1) % 2])
    return weights, [kinks[i % 2] for i in range(depth)] + [np.array([0.0])]


def shallow_sawtooth_network__loop(depth):
    n = 2**depth
    out = [float(n)] + [2.0 * n if k % 2 == 0 else -2.0 * n for k in range(1, n)]
    return [[[1.0] * n], [[c] for c in out]], [[-k / n for k in range(n)], [0.0]]


def shallow_sawtooth_network__interpolation(depth):
    knots = np.linspace(0, 1, 2**depth + 1)
    values = np.zeros(2**depth + 1)
    values[1::2] = 1
    return interpolating_network(knots, values)


def shallow_sawtooth_network__mirrored_and_scaled(depth):
    # the curve is symmetric, so the units may open to the left; relu(c t) = c relu(t)
    n = 2**depth
    k = np.arange(n)
    out = np.where(k % 2 == 0, 2.0, -2.0)
    out[0] = 1
    return (-n * np.ones((1, n)), out.reshape(n, 1)), (n - k * 1.0, np.array([0]))


def shallow_sawtooth_network__folding_the_points(depth):
    knots = np.array([0.0, 1.0])
    values = np.array([0.0, 1.0])
    for _ in range(depth):
        knots = np.concatenate([knots / 2, 1 - knots[-2::-1] / 2])
        values = np.concatenate([values, values[-2::-1]])
    s = np.diff(values) / np.diff(knots)
    return [np.ones((1, len(s))), np.append(s[0], s[1:] - s[:-1])[:, None]], [0 - knots[:-1], values[:1]]


def count_linear_pieces__fractions(weights, biases, low, high):
    lo, hi = Fraction(float(low)), Fraction(float(high))
    pieces = [(lo, hi, [(Fraction(1), Fraction(0))])]
    for layer, (W, b) in enumerate(zip(weights, biases)):
        after = []
        for left, right, units in pieces:
            lines = []
            for j in range(len(b)):
                slope = sum(units[i][0] * Fraction(float(W[i][j])) for i in range(len(units)))
                height = sum(units[i][1] * Fraction(float(W[i][j])) for i in range(len(units))) + Fraction(float(b[j]))
                lines.append((slope, height))
            if layer == len(weights) - 1:
                after.append((left, right, lines))
                continue
            cuts = {left, right} | {-c / s for s, c in lines if s != 0 and left < -c / s < right}
            cuts = sorted(cuts)
            for p, q in zip(cuts, cuts[1:]):
                m = (p + q) / 2
                after.append((p, q, [(s, c) if s * m + c > 0 else (Fraction(0), Fraction(0)) for s, c in lines]))
        pieces = after
    slopes = [lines[0][0] for _, _, lines in pieces]
    biggest = max(abs(s) for s in slopes)
    return 1 + sum(abs(q - p) > biggest / 10**9 for p, q in zip(slopes, slopes[1:]))


def count_linear_pieces__slope_and_height(weights, biases, low, high):
    """Every unit is slope * x + height on each piece, with x counted from the middle of the interval."""
    middle, half = (low + high) / 2, (high - low) / 2
    ends, lines = [(-1.0, 1.0)], [(np.array([half]), np.array([middle]))]
    for W, b in zip(weights[:-1], biases[:-1]):
        new_ends, new_lines = [], []
        for (p, q), (s, c) in zip(ends, lines):
            s, c = s @ W, c @ W + b
            roots = [-c[j] / s[j] for j in range(len(s)) if abs(s[j]) > 1e-14]
            cuts = [p]
            for r in sorted(roots):
                if cuts[-1] + 1e-9 < r < q - 1e-9:
                    cuts.append(r)
            for left, right in zip(cuts, [*cuts[1:], q]):
                on = s * (left + right) / 2 + c > 0
                new_ends.append((left, right))
                new_lines.append((s * on, c * on))
        ends, lines = new_ends, new_lines
    out = np.array([(s @ weights[-1])[0] for s, _ in lines])
    return int(1 + np.sum(np.abs(out[1:] - out[:-1]) > 1e-9 * np.max(np.abs(out))))


def count_linear_pieces__patterns_between_kinks(weights, biases, low, high):
    """Kinks layer by layer from the values at both ends of each piece; then the slope from the on-off pattern in its middle."""

    def pre(x, n):
        a = np.asarray(x, dtype=float)[:, None]
        for W, b in zip(weights[: n - 1], biases[: n - 1]):
            a = np.maximum(a @ W + b, 0)
        return a @ weights[n - 1] + biases[n - 1]

    edges = np.array([low, high], dtype=float)
    for n in range(1, len(weights)):
        z = pre(edges, n)
        more = []
        for i in range(len(edges) - 1):
            for a, b in zip(z[i], z[i + 1]):
                if a * b < 0:
                    more.append(edges[i] + (edges[i + 1] - edges[i]) * a / (a - b))
        edges = np.unique(np.concatenate([edges, more]))
        edges = edges[np.concatenate([[True], np.diff(edges) > 2e-9 * (high - low)])]
    slopes = []
    for x in (edges[1:] + edges[:-1]) / 2:
        J = np.ones((1, 1))
        for n in range(1, len(weights) + 1):
            J = J @ weights[n - 1]
            if n < len(weights):
                J = J * (pre([x], n) > 0)
        slopes.append(J.item())
    largest = max(map(abs, slopes))
    count = 1
    for before, after in zip(slopes, slopes[1:]):
        if abs(after - before) > 1e-9 * largest:
            count += 1
    return count


def montufar_lower_bound__loops(n_inputs, hidden_widths):
    total = 0
    for j in range(n_inputs + 1):
        ways = 1
        for i in range(j):
            ways = ways * (hidden_widths[-1] - i) // (i + 1)
        total += ways
    for n in hidden_widths[:-1]:
        for _ in range(n_inputs):
            total *= n // n_inputs
    return total


def montufar_lower_bound__math(n_inputs, hidden_widths):
    *folds, last = hidden_widths
    return math.prod((n // n_inputs) ** n_inputs for n in folds) * sum(math.comb(last, j) for j in range(n_inputs + 1))


def montufar_lower_bound__one_cut_after_the_other(n_inputs, hidden_widths):
    # a further cut is itself cut by the others, in one dimension less
    def regions(n, dim):
        return 1 if n == 0 or dim == 0 else regions(n - 1, dim) + regions(n - 1, dim - 1)

    copies = np.prod([np.floor(n / n_inputs) ** n_inputs for n in hidden_widths[:-1]])
    return copies * regions(int(hidden_widths[-1]), n_inputs)


def relu_network_in_torch__functional(x, weights, biases):
    import torch.nn.functional as F

    for W, b in zip(weights[:-1], biases[:-1]):
        x = F.relu(F.linear(x, W.T, b))
    return F.linear(x, weights[-1].T, biases[-1])


def relu_network_in_torch__where(x, weights, biases):
    import torch

    last = len(weights) - 1
    for i in range(last + 1):
        z = torch.addmm(biases[i], x, weights[i])
        x = z if i == last else torch.where(z > 0, z, torch.zeros_like(z))
    return x


def relu_network_in_torch__mask_and_recursion(x, weights, biases):
    z = torch_einsum(x, weights[0]) + biases[0]
    return z if len(weights) == 1 else relu_network_in_torch(z * (z > 0), weights[1:], biases[1:])


def relu_network_in_torch__module(x, weights, biases):
    import torch
    from torch.func import functional_call

    layers, values = [], {}
    for i, (W, b) in enumerate(zip(weights, biases)):
        layers += [torch.nn.Linear(*W.shape, dtype=torch.float64), torch.nn.ReLU()]
        values |= {f"{2 * i}.weight": W.T, f"{2 * i}.bias": b}
    return functional_call(torch.nn.Sequential(*layers[:-1]), values, (x,))


def torch_einsum(x, W):
    import torch

    return torch.einsum("nd,dm->nm", x, W)
