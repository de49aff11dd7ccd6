"""Exercises of depth_vs_width: parameters, ReLU nets as functions, one wide layer, the sawtooth, pieces counted and bounded."""
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Topic, Written, case, edge, values_and_edge
from class4lib import depth_vs_width as lib

Net = tuple[list[ndarray], list[ndarray]]


def _relu(z: ndarray) -> ndarray:
    return np.maximum(z, 0.0)


def _random_net(widths: Sequence[int], rng: Generator) -> Net:
    weights = [rng.normal(size=(n, m)) * np.sqrt(2 / n) for n, m in pairwise(widths)]
    return weights, [rng.normal(scale=0.7, size=m) for m in widths[1:]]


# ---- count_parameters
def _count_parameters_cases(rng: Generator) -> list[Case]:
    a, b, c, d, e = (int(n) for n in rng.permutation([3, 4, 6, 7, 9]))
    return [
        case("one hidden layer", [a, b, c]),
        case("three hidden layers, all widths different", [a, b, c, d, e]),
        case("one number in, one out", [1, b, d, 1]),
        case("images of 784 pixels, 10 classes", [784, 100 + 10 * a, 10]),
        edge("two widths: no hidden layer", [b, e]),
        edge("layers of one unit", [c, 1, 1, d]),
        edge("deep and narrow", [1, *[2] * (8 + a), 1]),
    ]


def _layers(widths: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(widths))


count_parameters = Exercise(
    reference=lib.count_parameters,
    tiers=values_and_edge(2, 1),
    cases=_count_parameters_cases,
    misconceptions=(
        Misconception("biases forgotten", lambda widths: sum(n * m for n, m in _layers(widths)), "You count the weights alone. Every unit has a bias too: how many units are there, not counting the inputs?"),
        Misconception("output layer forgotten", lambda widths: sum((n + 1) * m for n, m in _layers(widths[:-1])), "The last entry of widths is a layer like the others: its weights and its biases are parameters too.", (lambda widths: sum(n * m for n, m in _layers(widths[:-1])), lambda widths: sum(n * m for n, m in _layers(widths[:-1])) + sum(widths[1:]))),
        Misconception("biases of the output layer forgotten", lambda widths: sum((n + 1) * m for n, m in _layers(widths)) - widths[-1], "Nearly: the units of the output layer have biases too."),
        Misconception("biases of the hidden layers forgotten", lambda widths: sum(n * m for n, m in _layers(widths)) + widths[-1], "You count the biases of the last layer only. Every unit has one, in hidden layers as well."),
        Misconception("first layer forgotten", lambda widths: sum((n + 1) * m for n, m in _layers(widths[1:])), "The weights that lead from the inputs to the first layer are missing."),
        Misconception("a bias for every input", lambda widths: sum(n * m for n, m in _layers(widths)) + sum(widths), "An input is a number that is given, not a unit: it has no bias.", (lambda widths: sum(n * (m + 1) for n, m in _layers(widths)),)),
        Misconception("one bias for a whole layer", lambda widths: sum(n * m + 1 for n, m in _layers(widths)), "You give each layer one bias. Each UNIT has its own.", (lambda widths: sum(n * m for n, m in _layers(widths)) + len(widths), lambda widths: sum(n * m for n, m in _layers(widths)) + 1)),
        Misconception("a bias on both sides", lambda widths: sum((n + 1) * (m + 1) for n, m in _layers(widths)), "You add one to both widths of a layer. Only the units that the layer feeds get a bias: one row more in its matrix, and no column."),
        Misconception("the order for the number", lambda widths: (len(widths) - 2) * widths[1] ** 2, "k n² says how the number GROWS, for k layers of equal width. Here it is to be counted, layer by layer, for any widths.", (lambda widths: len(widths) * widths[1] ** 2, lambda widths: (len(widths) - 1) * widths[1] ** 2, lambda widths: (len(widths) - 2) * max(widths) ** 2)),
        Misconception("units counted", lambda widths: sum(widths), "This is a number of units. Between two neighbouring layers there is a weight for every pair of units.", (lambda widths: sum(widths[1:]), lambda widths: sum(widths[1:-1]))),
        Misconception("product over all layers", lambda widths: math.prod(widths), "You multiply all widths. Weights join neighbouring layers only, and the layers' counts add up.", (lambda widths: math.prod(widths) + sum(widths[1:]),)),
        Misconception("every weight counted twice", lambda widths: sum(2 * n * m + m for n, m in _layers(widths)), "A weight joins two units, and it is one number: your count has it once for each of the two.", (lambda widths: sum(2 * n * m for n, m in _layers(widths)),)),
    ),
    hints=(
        "Draw a net with widths [2, 3, 1]. How many lines lead from the first column to the second? And what else does each unit of the second column own?",
        "A layer with n inputs and m units has an (n, m) matrix and a vector of m. Add that up over neighbouring pairs of widths.",
        "sum((n + 1) * m for n, m in zip(widths[:-1], widths[1:]))",
    ),
    minutes=5,
    difficulty=1,
)


# ---- relu_network
def _relu_network_cases(rng: Generator) -> list[Case]:
    n, a, b, c, d = (int(k) for k in rng.permutation([2, 3, 4, 5, 6]))
    dead_weights, dead_biases = _random_net([a, b, c], rng)
    dead_biases[0] = dead_biases[0] - np.where(np.arange(b) == 0, 1000.0, 0.0)
    asleep_weights, asleep_biases = _random_net([b, a, d, 1], rng)
    asleep_biases[1] = -1000.0 - rng.random(d)
    return [
        case("one hidden layer, rectangular", rng.normal(size=(n, a)), *_random_net([a, b, c], rng), trap="rectangular layers"),
        case("three hidden layers, all widths different", rng.normal(size=(n, d)), *_random_net([d, a, c, b, 1 + n], rng), trap="rectangular layers"),
        case("one number in, one out", rng.normal(size=(c, 1)), *_random_net([1, a, b, 1], rng)),
        edge("no hidden layer: affine, any sign", rng.normal(size=(n, a)), *_random_net([a, b], rng)),
        edge("a unit dead everywhere", rng.normal(size=(n, a)), dead_weights, dead_biases),
        edge("a whole layer dead: the output is the last bias", rng.normal(size=(n, b)), asleep_weights, asleep_biases),
        edge("N = 1", rng.normal(size=(1, a)), *_random_net([a, c, b], rng)),
        edge("an output below 0 for every row", np.abs(rng.normal(size=(n, 1))), [np.array([[1.0, 2.0]]), np.array([[-1.0], [-0.5]])], [np.array([0.5, -0.25]), np.array([-1.0])]),
    ]


def _net_with(act: Callable = _relu, *, first: bool = False, last: bool = False, only_first: bool = False, hidden_bias: bool = True, out_bias: bool = True, bias_outside: bool = False, out: bool = True) -> Callable:
    def wrong(x, weights, biases):
        n = len(weights) - 1
        x = np.asarray(x, dtype=float)
        x = act(x) if first else x
        for i, (W, b) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
            b = b if hidden_bias else 0.0
            f = act if i == 0 or not only_first else (lambda z: z)
            x = f(x @ W) + b if bias_outside else f(x @ W + b)
        if not out:
            return x
        y = x @ weights[n] + (biases[n] if out_bias else 0.0)
        return act(y) if last else y

    return wrong


def _first_layer_skipped(x, weights, biases):
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        x = (_relu(x) if i > 1 else x) @ W + b
    return x


relu_network = Exercise(
    reference=lib.relu_network,
    tiers=values_and_edge(3, 2),
    cases=_relu_network_cases,
    equivalent_mutants=(("True → False", "zip's strict matters for lists of different lengths only, and a net has as many biases as weights"),),
    traps=("rectangular layers", "a unit dead everywhere"),
    misconceptions=(
        Misconception("ReLU on the output", _net_with(last=True), "Your output is never negative: the last layer goes through a ReLU too. It ends with its affine map, so that the net can give any number."),
        Misconception("no ReLU", _net_with(lambda z: z), "Without a ReLU between them, affine maps collapse into one affine map. It goes between any two layers."),
        Misconception("ReLU in the first layer only", _net_with(only_first=True), "Every hidden layer has its ReLU; you have one in the first of them only."),
        Misconception("first hidden layer without ReLU", _first_layer_skipped, "The first hidden layer has a ReLU as well: yours passes its pre-activations on as they are."),
        Misconception("ReLU on the inputs", _net_with(first=True), "You put a ReLU on the inputs as well: negative inputs are lost. It comes AFTER the affine map of a hidden layer."),
        Misconception("ReLU on the inputs and not on the hidden layers", lambda x, weights, biases: _net_with(lambda z: z)(_relu(x), weights, biases), "You cut the inputs at 0, and nothing afterwards. The ReLU belongs after the affine map of every hidden layer."),
        Misconception("biases forgotten", _net_with(hidden_bias=False, out_bias=False), "Nothing is added to x @ W. Without biases every kink sits at x = 0: each layer has its own vector to add.", (_net_with(hidden_bias=False),)),
        Misconception("bias of the output layer forgotten", _net_with(out_bias=False), "The hidden layers are right; the last layer has a bias too."),
        Misconception("output layer forgotten", _net_with(out=False), "You return the activations of the last hidden layer. The last matrix and the last bias have not been used yet."),
        Misconception("bias added after the ReLU", _net_with(bias_outside=True), "The bias moves the kink, so it must be inside: first the whole affine map, then the ReLU.", (_net_with(bias_outside=True, out_bias=False),)),
        Misconception("bias subtracted", lambda x, weights, biases: lib.relu_network(x, weights, [-b for b in biases]), "You subtract the biases; they are added.", (lambda x, weights, biases: lib.relu_network(x, weights, [*(-b for b in biases[:-1]), biases[-1]]),)),
        Misconception("minimum for maximum", _net_with(lambda z: np.minimum(z, 0.0)), "You keep the negative part. ReLU lets positive numbers through and makes the others 0."),
        Misconception("another activation", _net_with(np.abs), "The bend between your layers is not a ReLU: it is 0 for everything negative, and leaves what is positive alone.", (_net_with(np.tanh), _net_with(lambda z: 1 / (1 + np.exp(-z))), _net_with(lambda z: np.where(z > 0, z, 0.01 * z)), _net_with(lambda z: np.where(z > 0, z, 0.1 * z)), _net_with(lambda z: (z > 0) * 1.0))),
    ),
    hints=(
        "Go through weights and biases together with a loop; the last layer is treated differently.",
        "For every layer but the last: x becomes max(x @ W + b, 0). For the last: x @ W + b, and nothing more.",
        "for W, b in zip(weights[:-1], biases[:-1]): x = np.maximum(x @ W + b, 0), then return x @ weights[-1] + biases[-1].",
    ),
    minutes=10,
    difficulty=2,
)


# ---- interpolating_network
def _points(rng: Generator, n: int, start: float) -> tuple[ndarray, ndarray]:
    """n knots with unequal gaps from start on, and values of which the first is not 0."""
    knots = start + np.concatenate([[0.0], np.cumsum(rng.permutation(np.linspace(0.25, 1.5, n - 1)) if n > 2 else [0.75])])
    values = rng.normal(scale=2.0, size=n)
    values[0] = rng.choice([-1, 1]) * rng.uniform(1.0, 2.0)
    return knots, values


def _interpolating_cases(rng: Generator) -> list[Case]:
    def points(label: str, knots: ndarray, values: ndarray, make: Callable = case) -> Case:
        return make(label, knots, values, judge="draws_points", options={"at": rng.random(12)})

    straight = np.array([-1.0, 0.5, 1.0, 3.0, 3.5])
    return [
        points("five points round 0", *_points(rng, 5, -1.5 - rng.random())),
        points("six points right of 0", *_points(rng, 6, rng.uniform(0.5, 1.0))),
        points("four points left of 0", *_points(rng, 4, rng.uniform(-7.0, -6.0))),
        points("eight points", *_points(rng, 8, -2.0 - rng.random())),
        points("two points: one straight line", *_points(rng, 2, rng.uniform(-2.0, 2.0)), edge),
        points("points in line: a knot without a kink", straight, 0.5 * straight + np.where(straight > 2, rng.uniform(1.0, 2.0), 0.0) + float(rng.integers(1, 4)), edge),
        points("all values equal", _points(rng, 4, -1.0)[0], np.full(4, float(rng.integers(2, 9))), edge),
        points("knots near 1000", *_points(rng, 5, 1000.0 + rng.random()), edge),
        points("a steep piece, 1/1024 wide", np.array([-0.5, 0.25, 0.25 + 2.0**-10, 1.0]), np.array([1.0, -1.0, 1.0, rng.uniform(2.0, 3.0)]), edge),
    ]


def _slopes(knots, values):
    return np.diff(values) / np.diff(knots)


def _hinge_net(kinks, out, start) -> Net:
    return [np.ones((1, len(kinks))), np.asarray(out, dtype=float)[:, None]], [-np.asarray(kinks, dtype=float), np.array([float(start)])]


def _interpolated(slopes=_slopes, changes=lambda s: np.diff(s, prepend=0.0), kinks=lambda k: k[:-1], start=lambda v: v[0], after=lambda W, b: (W, b)) -> Callable:
    """interpolating_network with a part replaced."""

    def wrong(knots, values):
        return after(*_hinge_net(kinks(knots), changes(slopes(knots, values)), start(values)))

    return wrong


def _inside(changes: Callable) -> Callable:
    def wrong(knots, values):
        c = changes(_slopes(knots, values))
        return [c[None], np.ones((len(c), 1))], [-c * knots[:-1], values[:1]]

    return wrong


def _mirrored(kinks: Callable) -> Callable:
    def wrong(knots, values):
        c = np.diff(_slopes(knots, values), prepend=0.0)
        return [-np.ones((1, len(c))), c[:, None]], [kinks(knots), values[:1]]

    return wrong


def _alternating(W, b):
    return tuple(a for pair in zip(W, b, strict=True) for a in pair)


def _laid_out(name: str, advice: str, *layouts: Callable) -> Misconception:
    """The right numbers in a wrong arrangement: of the net with a unit at every knot but the last, and of that with one there too."""
    wrong = [_interpolated(after=a) for a in layouts]
    wrong += [_interpolated(changes=lambda s: np.append(np.diff(s, prepend=0.0), 0.0), kinks=lambda k: k, after=a) for a in layouts]
    return Misconception(name, wrong[0], advice, tuple(wrong[1:]))


interpolating_network = Exercise(
    reference=lib.interpolating_network,
    tiers=values_and_edge(4, 2),
    cases=_interpolating_cases,
    equivalent_mutants=(("result: reversed", "the hidden units in reversed order, with their weights and biases: the same net"),),
    misconceptions=(
        Misconception("slopes for changes of slope", _interpolated(changes=lambda s: s), "Each output weight is the slope of its piece. But a unit stays on once it is on: the slopes of all units to the left add up, so each unit must bring only what is NEW at its knot."),
        Misconception("differences for slopes", _interpolated(lambda k, v: np.diff(v)), "You use the differences of the values. The knots have unequal gaps: a slope is rise over run.", (lambda k, v: _hinge_net(k[:-1], np.diff(np.diff(v), prepend=0.0) / np.diff(k), v[0]), lambda k, v: _hinge_net(k[:-1], np.diff(v), v[0]))),
        Misconception("slopes summed up", _interpolated(changes=np.cumsum), "Your output weights grow from unit to unit. The units already add up by themselves: undo that, instead of doing it once more."),
        Misconception("changes one knot early", _interpolated(changes=lambda s: np.diff(s, append=0.0)), "Each unit brings the change of the NEXT knot. At the first knot the slope comes from 0; at each later one it changes from the piece on its left to the piece on its right."),
        Misconception("mean slopes at the knots", lambda k, v: _hinge_net(k[:-1], np.diff(np.gradient(v, k), prepend=0.0)[:-1], v[0]), "np.gradient gives a mean of the slopes on both sides of a knot. A piece has one slope, and a knot has two: one for each side.", (lambda k, v: _hinge_net(k, np.diff(np.gradient(v, k), prepend=0.0), v[0]), lambda k, v: _hinge_net(k, np.gradient(v, k), v[0]), lambda k, v: _hinge_net(k[:-1], np.gradient(v, k)[:-1], v[0]))),
        Misconception("slope inside the ReLU", _inside(lambda s: np.diff(s, prepend=0.0)), "Your first layer carries the slopes. A negative number inside the ReLU turns the unit round: it is on to the LEFT of its kink. What has a sign belongs behind the ReLU, in the output weights.", (_inside(lambda s: s),)),
        Misconception("units open to the left", _mirrored(lambda k: k[:-1]), "max(k − x, 0) is on to the LEFT of its kink. Units that bring the slope of what comes after a knot must open to the right.", (_mirrored(lambda k: k[1:]),)),
        Misconception("equal gaps taken for granted", _interpolated(lambda k, v: np.diff(v) / (k[1] - k[0])), "You divide every rise by the same gap. The gaps between the knots differ, and each piece has its own.", (_interpolated(lambda k, v: np.diff(v) / (k[-1] - k[0]) * (len(k) - 1)), _interpolated(lambda k, v: np.diff(v) * (len(k) - 1)))),
        Misconception("slope upside down", _interpolated(lambda k, v: np.diff(k) / np.diff(v)), "You divide the gap by the rise. A slope is the rise over the gap."),
        Misconception("first slope left out", lambda k, v: _hinge_net(k[1:-1], np.diff(_slopes(k, v)), v[0]), "Your curve is flat up to the second knot. Some unit must be on from the first knot, and bring the slope of the first piece."),
        Misconception("first value forgotten", _interpolated(start=lambda v: 0.0), "At the first knot every hidden unit is off, and your net gives 0 there. Which parameter is left that can give the first value?"),
        Misconception("last value for the first", _interpolated(start=lambda v: v[-1]), "The output's bias is what the net gives where every hidden unit is off. At which end of the interval is that?"),
        Misconception("biases forgotten", _interpolated(kinks=lambda k: np.zeros(len(k) - 1)), "All hidden biases are 0, so that all units have their kink at x = 0. Each kink belongs at a knot: for which b is x + b = 0 there?", (_interpolated(kinks=lambda k: np.zeros(len(k) - 1), start=lambda v: 0.0),)),
        Misconception("kinks at minus the knots", _interpolated(kinks=lambda k: -k[:-1]), "max(x + b, 0) bends where x = −b: with b = knot your kinks are mirrored at 0."),
        Misconception("kinks one knot late", _interpolated(kinks=lambda k: k[1:]), "Each unit begins one knot too late: the slope of a piece must be there from its LEFT end on.", (lambda k, v: _hinge_net(k[1:], _slopes(k, v), v[0]),)),
        Misconception("wrong sign of the change", _interpolated(changes=lambda s: np.concatenate([s[:1], -np.diff(s)])), "The first piece is right, then the curve turns the wrong way at every knot: a change is the new slope minus the old one.", (_interpolated(changes=lambda s: -np.diff(s, prepend=0.0)),)),
        Misconception("values as output weights", lambda k, v: _hinge_net(k, v, 0.0), "An output weight is not a height: a unit that is on goes on rising. What the weight sets is how much the SLOPE changes at the knot.", (lambda k, v: _hinge_net(k[:-1], v[:-1], 0.0), lambda k, v: _hinge_net(k[:-1], v[1:], v[0]), lambda k, v: _hinge_net(k, v, v[0]))),
        _laid_out("matrices transposed", "Rows are inputs and columns are units: from one input to H units is (1, H), from H units to one output (H, 1).", lambda W, b: ([w.T for w in W], b)),
        _laid_out("not two lists", "Two lists are expected: all matrices, then all biases. You return the same arrays in another arrangement.", _alternating, lambda W, b: (*W, *b), lambda W, b: list(zip(W, b, strict=True)), lambda W, b: (b, W)),
        _laid_out("output layer forgotten", "You return the hidden layer only. The output layer, which adds up the units, has a matrix and a bias too.", lambda W, b: (W[:1], b[:1]), lambda W, b: (W, b[:1])),
    ),
    hints=(
        "Sketch the curve. Put one unit max(x − knot, 0) at every knot but the last: which pieces does the first unit change? And the second?",
        "Left of all knots every unit is off, so the output's bias is the first value. Then the first output weight is the first slope, and each later one is the slope after its knot minus the slope before.",
        "slopes = np.diff(values) / np.diff(knots); hidden layer: ones (1, K − 1), biases −knots[:-1]; output weights np.diff(slopes, prepend=0.0) as a column, output bias values[0].",
    ),
    minutes=20,
    difficulty=4,
)


# ---- sawtooth_network
def _sawtooth_cases(rng: Generator) -> list[Case]:
    def tents(depth: int, make: Callable = case) -> Case:
        return make(f"depth {depth}", depth, judge="draws_tents", options={"hidden": [2] * depth, "at": rng.random(16)})

    return [tents(2), tents(3), tents(int(rng.integers(4, 6))), tents(int(rng.integers(6, 8))), tents(1, edge), tents(int(rng.integers(8, 10)), edge), tents(10, edge)]


def _tents(rise=2.0, change=-4.0, kinks=(0.0, -0.5), later=None, first=(1.0, 1.0), middle=None, end=None, last=0.0, n=lambda d: d, after=lambda W, b: (W, b)) -> Callable:
    """sawtooth_network with a part replaced: hidden biases of the first layer and of the later ones, the matrices, the last bias, the depth."""

    def wrong(depth):
        d, join = n(depth), np.array([[rise], [change]])
        inner = join @ np.array([first]) if middle is None else np.array(middle)
        weights = [np.array([first]), *(inner.copy() for _ in range(d - 1)), join if end is None else np.array(end)]
        biases = [np.array(kinks), *(np.array(kinks if later is None else later) for _ in range(d - 1)), np.array([last])]
        return after(weights, biases)

    return wrong


def _unmerged(depth):
    """Each tent as two layers: its two units, then one unit that holds its value."""
    weights = [a for _ in range(depth) for a in (np.ones((1, 2)), np.array([[2.0], [-4.0]]))]
    return weights, [a for _ in range(depth) for a in (np.array([0.0, -0.5]), np.zeros(1))]


sawtooth_network = Exercise(
    reference=lib.sawtooth_network,
    tiers=values_and_edge(3, 2),
    cases=_sawtooth_cases,
    equivalent_mutants=(("result: reversed", "every layer's units in reversed order, with their weights and biases: the same net"),),
    misconceptions=(
        Misconception("flat after the middle", _tents(change=-2.0), "Behind x = ½ your tent stays at 1. The second unit must not only undo the first one's rise, but turn it into a fall."),
        Misconception("a tent of half the height", _tents(1.0, -2.0), "Your tent reaches ½. It must reach 1, or the next layer does not get the whole interval to fold.", (_tents(middle=[[1.0, 1.0], [-2.0, -2.0]]),)),
        Misconception("bias not scaled with its weight", _tents(1.0, -2.0, first=(2.0, 2.0)), "max(wx + b, 0) bends at x = −b/w: with another w, the b of a kink at ½ is another one too.", (_tents(1.0, -1.0, first=(2.0, 4.0)), _tents(2.0, -1.0, first=(1.0, 4.0)), _tents(2.0, -2.0, first=(1.0, 2.0)))),
        Misconception("minus lost between the layers", _tents(middle=[[2.0, 2.0], [4.0, 4.0]]), "Between the layers both units count as positive. The value of a tent is the first unit's share MINUS the second's, there as well as at the end.", (_tents(1.0, -1.0, kinks=(0.0, -2.0), first=(2.0, 4.0), middle=[[2.0, 4.0], [2.0, 4.0]]),)),
        Misconception("constant lost between the layers", _tents(-1.0, -1.0, kinks=(-1.0, 1.0), first=(2.0, -2.0), last=1.0), "With 1 − max(2x − 1, 0) − max(1 − 2x, 0) a tent has a constant of its own. Between two layers it does not vanish: it goes into the biases of the next layer.", (_tents(-1.0, -1.0, kinks=(-1.0, 1.0), first=(2.0, -2.0)), _tents(-1.0, -1.0, kinks=(-1.0, 1.0), later=(1.0, -1.0), first=(2.0, -2.0)))),
        Misconception("biases forgotten", _tents(kinks=(0.0, 0.0)), "All hidden biases are 0, so that both units bend at 0 and the tent has no top. Where is its kink?"),
        Misconception("bias in the first layer only", _tents(later=(0.0, 0.0)), "Only your first layer has its kink at ½. Every layer makes the same tent of what it gets, so every layer has the same biases."),
        Misconception("kink at −½", _tents(kinks=(0.0, 0.5)), "max(x + b, 0) bends where x = −b: your second unit is on all over [0, 1]."),
        Misconception("kink at 1", _tents(kinks=(0.0, -1.0)), "Your second unit switches on at x = 1, where the tent has already ended. Its top is in the middle."),
        Misconception("upside down", _tents(-2.0, 4.0), "Your first piece falls. The tent begins at 0 and rises."),
        Misconception("matrix between the layers transposed", _tents(middle=[[2.0, -4.0], [2.0, -4.0]]), "Both units of the next layer need the same number, the value of this tent: in x @ W each COLUMN of W makes one unit's input."),
        Misconception("layers not composed", _tents(middle=np.eye(2)), "The units are handed on side by side. The next tent must be made of the VALUE of this one, which is a weighted sum of both units.", (_tents(middle=[[2.0, 0.0], [0.0, -4.0]]),)),
        Misconception("units added up without weights", _tents(middle=np.ones((2, 2))), "Between two layers you add the two units up. This tent's value is a WEIGHTED sum of them; only the input of the net needs no weights."),
        Misconception("last layer adds up without weights", _tents(end=[[1.0], [1.0]]), "The folds are right, and the last layer adds the two units up without weights. It has to form the value of the last tent, like all the others."),
        Misconception("every tent in two layers", _unmerged, "The curve is right, but the net has a hidden layer of one unit between any two tents. That unit holds a weighted sum: multiply its matrix with the next one, and it is gone."),
        Misconception("one layer too few", _tents(n=lambda d: d - 1), "One tent is missing: `depth` tents are `depth` hidden layers of two units, and an output layer."),
        Misconception("one layer too many", _tents(n=lambda d: d + 1), "There is one tent too many: `depth` hidden layers, and an output layer that has no units of its own to bend."),
        Misconception("one tent whatever the depth", lambda depth: lib.sawtooth_network(1), "Your net has one tent for every depth. Each further tent is a further hidden layer."),
        Misconception("output layer forgotten", _tents(after=lambda W, b: (W[:-1], b[:-1])), "The output layer is missing: one more matrix, from the two last units to the one output, and its bias.", (_tents(after=lambda W, b: (W, b[:-1])),)),
        Misconception("one wide layer", lib.shallow_sawtooth_network, "This is one layer with very many units. Here `depth` layers are asked for, with two units each."),
        Misconception("matrices transposed", _tents(after=lambda W, b: ([w.T for w in W], b)), "Rows are inputs and columns are units: from one input to two units is (1, 2), from two units to one output (2, 1)."),
        Misconception("not two lists", _tents(after=_alternating), "You return matrices and vectors one after the other. Two lists are expected: all matrices, then all biases.", (_tents(after=lambda W, b: (*W, *b)), _tents(after=lambda W, b: list(zip(W, b, strict=True))), _tents(after=lambda W, b: (b, W)))),
    ),
    hints=(
        "Start with depth 1. One unit gives the rise from x = 0 on. What must the second unit, which switches on at x = ½, add to the slope?",
        "With depth 2 the value of the first tent is the input of BOTH units of the next layer. That value is h @ (a column), and it goes through a row of ones: column times row is one (2, 2) matrix.",
        "tent(x) = 2 max(x, 0) − 4 max(x − ½, 0). Weights: ones (1, 2), then depth − 1 times [[2, 2], [−4, −4]], then [[2], [−4]]. Biases: [0, −½] for every hidden layer, [0] at the end.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- shallow_sawtooth_network (extension)
def _shallow_cases(rng: Generator) -> list[Case]:
    def tents(depth: int, make: Callable = case) -> Case:
        return make(f"depth {depth}: {2**depth} units", depth, judge="draws_tents", options={"hidden": [2**depth], "at": rng.random(16)})

    return [tents(2), tents(3), tents(int(rng.integers(4, 6))), tents(1, edge), tents(6, edge)]


def _zigzag(out: Callable = lambda c, s: np.concatenate([[s], c]), kinks: Callable = lambda n: np.arange(n) / n, sign: float = -1.0, after: Callable = lambda W, b: (W, b)) -> Callable:
    """shallow_sawtooth_network with a part replaced: out gets the changes of slope at the inner kinks, and the first slope."""

    def wrong(depth):
        n = 2**depth
        changes = np.where(np.arange(1, n) % 2, -2.0, 2.0) * n
        places, weights = np.asarray(kinks(n), dtype=float), np.asarray(out(changes, float(n)))
        return after([np.ones((1, len(places))), weights[:, None]], [sign * places, np.zeros(1)])

    return wrong


shallow_sawtooth_network = Exercise(
    reference=lib.shallow_sawtooth_network,
    tiers=values_and_edge(1, 1),
    cases=_shallow_cases,
    equivalent_mutants=(("result: reversed", "the hidden units in reversed order, with their weights and biases: the same net"),),
    extension=True,
    misconceptions=(
        Misconception("slopes for changes of slope", _zigzag(lambda c, s: s * (-1.0) ** np.arange(len(c) + 1)), "Your output weights are the slopes of the pieces. A unit stays on once it is on: at each kink only the CHANGE of slope is new."),
        Misconception("first slope doubled", _zigzag(lambda c, s: np.concatenate([[2 * s], c])), "All your output weights have the same size. At every kink the slope turns round, but the first piece begins from slope 0."),
        Misconception("first slope left out", _zigzag(lambda c, s: np.concatenate([[0.0], c])), "The kinks are there, but the curve begins flat: one unit has to bring the slope of the first piece."),
        Misconception("a unit too few", _zigzag(lambda c, s: c, lambda n: np.arange(1, n) / n), "One unit for every kink is one too few: who brings the slope of the first piece?"),
        Misconception("a unit too many", _zigzag(lambda c, s: np.concatenate([[s], c, [0.0]]), lambda n: np.arange(n + 1) / n), "The last end of the interval is not a kink: no unit is needed there."),
        Misconception("half as many units", lambda depth: _zigzag()(depth - 1) if depth > 1 else _hinge_net([0.0], [1.0], 0.0), "How many pieces has the tent composed once, twice, three times? You have half as many units as that."),
        Misconception("slopes of one tent", _zigzag(lambda c, s: np.concatenate([[s], c]) * 2 / s), "The first piece must climb to 1 on an interval of length 1/2**depth: how steep is that? Yours has slope 2 for every depth."),
        Misconception("one tent only", lambda depth: (lambda k: lib.interpolating_network(k, 1 - np.abs(2 * k - 1)))(np.arange(2**depth + 1) / 2**depth), "Your points lie on a single tent. Composed with itself it goes up and down again and again: which values has it at k/2**depth?"),
        Misconception("upside down", lambda depth: lib.interpolating_network(np.arange(2**depth + 1) / 2**depth, 1 - np.arange(2**depth + 1) % 2), "Your curve begins at 1. The tent of 0 is 0, and so is the tent of that."),
        Misconception("kinks too far apart", _zigzag(kinks=lambda n: np.linspace(0, 1, n)), "2**depth places from 0 to 1, both ends included, lie 1/(2**depth − 1) apart. The pieces are 2**depth: how long is each?", (_zigzag(lambda c, s: s * (-1.0) ** np.arange(len(c) + 1), lambda n: np.linspace(0, 1, n)),)),
        Misconception("signs do not alternate", _zigzag(lambda c, s: np.concatenate([[s], -np.abs(c)])), "The slope must turn round at EVERY kink, from rise to fall and from fall to rise: the changes alternate in sign."),
        Misconception("biases forgotten", _zigzag(kinks=lambda n: np.zeros(n)), "All hidden biases are 0, so that all units have their kink at x = 0."),
        Misconception("kinks at minus the knots", _zigzag(sign=1.0), "max(x + b, 0) bends where x = −b: your kinks lie left of 0, outside the interval."),
        Misconception("the deep net", lib.sawtooth_network, "This is the deep net. One hidden layer is asked for, with a unit for every piece."),
        Misconception("matrices transposed", _zigzag(after=lambda W, b: ([w.T for w in W], b)), "Rows are inputs and columns are units: from one input to H units is (1, H), from H units to one output (H, 1)."),
    ),
    hints=(
        "Which points does the curve join? Write down x and value for depth 2.",
        "The points are (k/2**depth, 0 for even k and 1 for odd k), k = 0, …, 2**depth. You have a function that goes through given points.",
        "k = np.arange(2**depth + 1); interpolating_network(k / 2**depth, k % 2). By hand: first output weight 2**depth, then ∓2 · 2**depth in turn.",
    ),
    minutes=10,
    difficulty=3,
)


# ---- count_linear_pieces (extension)
def _value(weights: Sequence[ndarray], biases: Sequence[ndarray], x: ndarray) -> ndarray:
    """The affine map of the last of these layers at x (n,): (n, units)."""
    return _net_with()(np.asarray(x, dtype=float)[:, None], weights, biases)


def _crossings(weights: Sequence[ndarray], biases: Sequence[ndarray], low: float, high: float, layers: int | None = None) -> list[float]:
    """Where a unit of the hidden layers (the first so many) changes sign within (low, high): one entry per unit and place."""
    edges, found = np.array([low, high], dtype=float), []
    for n in range(1, len(weights) if layers is None else layers + 1):
        z = _value(weights[:n], biases[:n], edges)
        a, b = z[:-1], z[1:]
        piece, unit = np.nonzero((np.minimum(a, b) < -1e-9) & (np.maximum(a, b) > 1e-9))
        share = a[piece, unit] / (a[piece, unit] - b[piece, unit])
        found += list(edges[piece] + share * np.diff(edges)[piece])
        inner, _ = np.nonzero((np.abs(z[1:-1]) <= 1e-9) & ((z[:-2] > 1e-9) != (z[2:] > 1e-9)))  # a kink upon a kink of an earlier layer
        found += list(edges[1:-1][inner])
        edges = _distinct(np.concatenate([edges, found]), (high - low) * 1e-9)
    return found


def _distinct(values: ndarray, gap: float) -> ndarray:
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=-np.inf) > gap]


def _pieces(weights: Sequence[ndarray], biases: Sequence[ndarray], low: float, high: float, layers: int | None = None) -> tuple[ndarray, ndarray]:
    """Edges and slopes of the intervals between crossings; neighbours may have equal slopes."""
    edges = _distinct(np.array([low, high, *_crossings(weights, biases, low, high, layers)]), (high - low) * 1e-9)
    return edges, np.diff(_value(weights, biases, edges)[:, 0]) / np.diff(edges)


def _changes(slopes: ndarray, share: float = 1e-9) -> int:
    return int((np.abs(np.diff(slopes)) > share * np.abs(slopes).max()).sum())


def _hinges(rng: Generator, kinks: Sequence[float], jumps: Sequence[float] | ndarray, start: float = 0.5) -> Net:
    """One hidden layer that changes the slope by these jumps: units open to either side, their weights powers of 2."""
    w = rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], size=len(kinks))
    return [w[None], (np.asarray(jumps) / np.abs(w))[:, None]], [-w * np.asarray(kinks), np.array([start])]


def _interval(rng: Generator) -> tuple[float, float]:
    return -2.0 - float(rng.random()), 2.0 + float(rng.random())


def _spread(rng: Generator, n: int, low: float, high: float) -> ndarray:
    """n places within the interval, no two nearer than a third of the mean distance, none where a grid has a point."""
    return low + (high - low) * (np.arange(1, n + 1) + rng.uniform(-0.33, 0.33, size=n)) / (n + 1)


def _bent_net(rng: Generator, widths: Sequence[int], low: float, high: float) -> Net:
    """A random net with five pieces or more, each a twentieth of the interval, so that a sampled grid sees every one of them."""
    while True:
        weights, biases = _random_net(widths, rng)
        edges, slopes = _pieces(weights, biases, low, high)
        wide = np.diff(edges).min() > 0.05 * (high - low)
        clear = len(slopes) > 1 and np.abs(np.diff(slopes)).min() > 0.02 * np.abs(slopes).max()
        if wide and clear and len(slopes) >= 5 and len(slopes) != sum(widths[1:-1]) + 1:
            return weights, biases


def _and_units(net: Net, w: Sequence[float], b: Sequence[float], out: Sequence[float]) -> Net:
    """The net of one hidden layer with more units."""
    (W1, W2), (b1, b2) = net
    return [np.hstack([W1, [list(w)]]), np.vstack([W2, np.asarray(out, dtype=float)[:, None]])], [np.append(b1, b), b2]


def _count_cases(rng: Generator) -> list[Case]:
    low, high = _interval(rng)

    def count(label: str, net: Net, make: Callable = case, ends: tuple[float, float] = (low, high), trap: str = "") -> Case:
        return make(label, *net, *ends, judge="pieces", options={"pieces": lib.count_linear_pieces(*net, *ends)}, trap=trap)

    signs = rng.choice([-1.0, 1.0], size=6)
    a, b, c, d, e, f = _spread(rng, 6, low, high)
    tie = float(rng.integers(-6, 7)) / 8
    dead = _and_units(_hinges(rng, [b, e], [1.0, -2.5]), [0.0, 1.0], [-0.5, low - high], [3.0, 2.0])
    deep, (W, bias) = _bent_net(rng, [1, 3, 4, 1], low, high), (np.array([[1.0, 1.0, 2.0]]), np.array([0.0, -tie, -2 * c]))
    across = [W, np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [0.5]])], [bias + np.array([8.0, 0.0, 0.0]), np.array([-8.0 - tie, 0.0]), np.array([0.0])]
    steep = [np.ones((1, 4)), np.array([[2.0], [2e-7], [-1.999], [2e-12]]) * 2.0**14], [-np.array([low, a, c, e]), rng.normal(size=1)]
    return [
        count("one hidden layer", _hinges(rng, [a, c, d, f], signs[:4] * rng.uniform(0.5, 2.0, size=4))),
        count("slopes that come back", _hinges(rng, [a, b, d, e, f], [1.0, -2.0, 2.0, -1.0, 1.0])),
        count("two hidden layers, rectangular", deep, trap="rectangular layers"),
        count("three hidden layers, rectangular", _bent_net(rng, [1, 4, 3, 2, 1], low, high), trap="rectangular layers"),
        count("the sawtooth of depth 3, not from end to end", lib.sawtooth_network(3), ends=(0.03 + 0.05 * float(rng.random()), 0.92 + 0.05 * float(rng.random()))),
        count("a piece 1e-7 wide", _hinges(rng, [a, c, c + 1e-7 * (high - low), e], [1.0, 2.0, -2.0, -1.5]), edge),
        count("two cancelling units", _and_units(_hinges(rng, [a, f], signs[:2]), [0.5, 0.5], [-tie / 2] * 2, [3.0, -3.0]), edge),
        count("two units sharing a kink", _and_units(_hinges(rng, [a - 8, f - 8], signs[2:4]), [1.0, -2.0], [8 - tie, 2 * tie - 16], [1.0, 2.0]), edge, (low - 8, high - 8)),
        count("a kink of the second layer on one of the first", across, edge),
        count("a unit dead everywhere", dead, edge),
        count("kinks outside the interval", _hinges(rng, [low - 1, low - 0.5, b, d, high + 0.25], [1.0, 2.0, -1.0, 2.0, 1.0]), edge),
        count("kinks at both ends of the interval", _hinges(rng, [-1.0, tie, 2.0], [1.0, -3.0, 2.0]), edge, (-1.0, 2.0)),
        count("a change of slope by 1e-7 of the largest, and one by 1e-12", steep, edge),
        count("slopes near 1e-9", _hinges(rng, [b, c, f], signs[:3] * 2.0**-30, start=0.0), edge),
        count("a constant net", _hinges(rng, [b, d], [0.0, 0.0]), edge),
        count("no hidden layer", ([rng.normal(size=(1, 1))], [rng.normal(size=1)]), edge),
    ]


def _sampled(points: int, rule: str) -> Callable:
    """Count on a grid: every change between neighbouring cells ("changes"), runs of them ("runs"), any change at all ("exact"), different slopes, rounded ("different") or not ("set")."""

    def wrong(weights, biases, low, high):
        x = np.linspace(low, high, points)
        slopes = np.diff(_value(weights, biases, x)[:, 0]) / np.diff(x)
        change = np.abs(np.diff(slopes)) > 1e-6 * np.abs(slopes).max()
        if rule == "runs":
            change = change[1:] & ~change[:-1] if len(change) > 1 else change
        if rule == "different":
            return len(np.unique(np.round(slopes, 4)))
        if rule == "set":
            return len(set(slopes.tolist()))
        return 1 + int((np.diff(slopes) != 0).sum() if rule == "exact" else change.sum())

    return wrong


def _patterns(points: int, rule: str) -> Callable:
    """Count on-off patterns of all units on a grid: changes between neighbours, or different ones."""

    def wrong(weights, biases, low, high):
        x = np.linspace(low, high, points)
        on = [_value(weights[:n], biases[:n], x) > 0 for n in range(1, len(weights))]
        codes = np.hstack(on) @ 2.0 ** np.arange(sum(len(b) for b in biases[:-1])) if on else np.zeros(points)
        return len(np.unique(codes)) if rule == "different" else 1 + int((np.diff(codes) != 0).sum())

    return wrong


def _counted(rule: Callable, **options) -> Callable:
    return lambda weights, biases, low, high: rule(_pieces(weights, biases, low, high, **options)[1])


def _kinks_in_closed_interval(weights, biases, low, high):
    slack = 1e-6 * (high - low)
    return 1 + _changes(_pieces(weights, biases, low - slack, high + slack)[1])


def _absolute(tolerance: float) -> Callable:
    return _counted(lambda s: 1 + int((np.abs(np.diff(s)) > tolerance).sum()))


count_linear_pieces = Exercise(
    reference=lib.count_linear_pieces,
    tiers=values_and_edge(1, 2),
    cases=_count_cases,
    equivalent_mutants=(
        ("values + slopes * (middles - cuts[:-1])[:, None] > 0 → values + slopes * (middles - cuts[:-1])[:, None] >= 0", "a unit that is 0 in the middle of a piece is 0 all over it: on or off, it adds nothing"),
        ("np.diff(cuts, prepend=-np.inf) > tiny → np.diff(cuts, prepend=-np.inf) >= tiny", "a limit between rounding and what is asked: no two kinks are asked exactly that far apart"),
    ),
    extension=True,
    traps=("a piece 1e-7 wide", "two cancelling units", "two units sharing a kink", "a unit dead everywhere", "kinks outside the interval", "rectangular layers"),
    misconceptions=(
        Misconception("sampled grid", _sampled(1000, "changes"), "A grid does not know where the kinks are: it steps over a narrow piece, and a cell with a kink inside looks like a piece of its own. Every kink can be computed: it is where some unit's pre-activation is 0.", (*(_sampled(n, r) for n in (201, 501, 1001, 10_000) for r in ("changes", "runs", "different")), *(_sampled(n, "exact") for n in (1000, 10_001)), *(_sampled(n, r) for n in (100, 101, 2001, 20_000) for r in ("changes", "runs", "exact")), *(_sampled(n, "set") for n in (100, 1000, 10_000)), _sampled(1000, "runs"), _sampled(1000, "different"), _patterns(20_000, "changes"), _patterns(20_000, "different"))),
        Misconception("equal slopes counted twice", _counted(len), "Somewhere a unit switches and the curve goes straight on: nobody reads that unit, or another one cancels it. Two neighbouring intervals with the same slope are ONE piece."),
        Misconception("every unit's kink counted", lambda weights, biases, low, high: 1 + len(_crossings(weights, biases, low, high)), "You add up the kinks of all units. Units can share a kink, and a kink counts only if the slope of the OUTPUT changes there."),
        Misconception("number of different slopes", _counted(lambda s: len(np.unique(np.round(s / max(np.abs(s).max(), 1e-300), 7)))), "You count different slopes. A slope can come back later, and is a new piece then: compare NEIGHBOURING pieces only."),
        Misconception("kinks counted, not pieces", _counted(_changes), "This is the number of kinks. One kink makes two pieces."),
        Misconception("turning points", _counted(lambda s: 1 + int((np.sign(s[1:]) != np.sign(s[:-1])).sum())), "You count where the curve turns from rise to fall. It can bend without turning."),
        Misconception("kinks outside the interval counted", lambda weights, biases, low, high: lib.count_linear_pieces(weights, biases, low - 1e4, high + 1e4), "Only the pieces within [low, high] count; you have some that lie outside."),
        Misconception("kinks at the ends counted", _kinks_in_closed_interval, "A kink exactly at low or high has a piece of the interval on one side only: it does not count."),
        Misconception("one piece more than units", lambda weights, biases, low, high: 1 + sum(len(b) for b in biases[:-1]), "Units + 1 is the MOST one hidden layer can have. Units can be idle, and a unit of a deeper layer can switch several times.", (lambda weights, biases, low, high: 1 + len(biases[0]) * (len(biases) > 1), lambda weights, biases, low, high: 1 + (len(biases[-2]) if len(biases) > 1 else 0), lambda weights, biases, low, high: math.prod(len(b) + 1 for b in biases[:-1]))),
        Misconception("first hidden layer only", lambda weights, biases, low, high: 1 + _changes(_pieces(weights, biases, low, high, 1)[1]) if len(weights) > 1 else 1, "Your kinks come from the first hidden layer. Units of deeper layers switch too, at places that depend on the layers before: go on layer by layer."),
        Misconception("coarse tolerance", _counted(lambda s: 1 + _changes(s, 1e-5)), "Slopes that differ by more than 1e-9 of the largest are different pieces; your comparison is coarser (np.isclose allows 1e-5 unless told otherwise).", (_counted(lambda s: 1 + _changes(s, 1e-6)), _counted(lambda s: 1 + int((~np.isclose(s[1:], s[:-1])).sum())), _counted(lambda s: 1 + int((~np.isclose(s[1:], s[:-1], atol=0)).sum())))),
        Misconception("tolerance not relative", _absolute(1e-9), "You compare the change of slope with a fixed number. The tolerance is 1e-9 of the LARGEST |slope|, so that a net with tiny slopes has its pieces too.", tuple(map(_absolute, (1e-8, 1e-7, 1e-6, 1e-5)))),
        Misconception("no tolerance", _counted(lambda s: 1 + _changes(s, 1e-13)), "A change of slope below 1e-9 of the largest |slope| is rounding, not a kink: compare with that tolerance."),
        Misconception("the bound", lambda weights, biases, low, high: lib.montufar_lower_bound(1, [len(b) for b in biases[:-1]]) if len(weights) > 1 else 1, "This is how many pieces a net of these widths CAN have. Count those of the net that you are given."),
        Misconception("ReLU on the output", lambda weights, biases, low, high: lib.count_linear_pieces([*weights, np.ones((1, 1))], [*biases, np.zeros(1)], low, high), "You put a ReLU behind the last layer: it adds a kink wherever the output crosses 0."),
    ),
    hints=(
        "On each piece found so far every unit is a straight line. Where does a line cross 0, given its slope and its value at the left end?",
        "Carry slope and left-end value of all units through the layers: both go through W, the value gets b. A unit cuts a piece at left − value/slope, if that lies inside; then every new piece has each unit wholly on or off (look at its middle). At the end, compare slopes of neighbouring pieces.",
        "edges = [low, high], slopes = [[1]], values = [[low]]. Per hidden layer: slopes @ W and values @ W + b; add the cuts to edges (merge those nearer than 1e-9); carry slopes and values to each new piece's left end, and multiply both by (value at the middle > 0). Result: 1 + number of neighbouring output slopes that differ by more than 1e-9 of the largest.",
    ),
    minutes=35,
    difficulty=5,
)


# ---- montufar_lower_bound (extension)
def _bound_cases(rng: Generator) -> list[Case]:
    a, b, c, d = (int(n) for n in rng.permutation([4, 5, 6, 7]))
    return [
        case("one input, three layers", 1, [a, b, c]),
        case("two inputs, widths that 2 does not divide", 2, [5, 7, d]),
        case("three inputs, widths that 3 does not divide", 3, [7, 8, a, 5 + int(rng.integers(3))]),
        case("two inputs, two layers", 2, [a + 2, b]),
        case("two inputs, ten layers of five", 2, [5] * 10),
        edge("one hidden layer", 2, [a + b]),
        edge("layers as wide as the input", 3, [3, 3, 3]),
        edge("one input, one unit a layer", 1, [1, 1, 1]),
        edge("many inputs, one hidden layer", 4, [4 + int(rng.integers(3))]),
    ]


def _bound(fold=lambda n, m: (n // m) ** m, inner=lambda w: w[:-1], total=lambda n, m: sum(math.comb(n, j) for j in range(m + 1))) -> Callable:
    def wrong(n_inputs, hidden_widths):
        return math.prod(fold(n, n_inputs) for n in inner(hidden_widths)) * total(hidden_widths[-1], n_inputs)

    return wrong


montufar_lower_bound = Exercise(
    reference=lib.montufar_lower_bound,
    tiers=values_and_edge(1, 1),
    cases=_bound_cases,
    equivalent_mutants=(("binomial * (last - j) // (j + 1) → binomial * (last - j) / (j + 1)", "the division leaves no remainder: the same whole number, as a float"),),
    extension=True,
    misconceptions=(
        Misconception("not rounded down", _bound(lambda n, m: (n / m) ** m), "A unit that is left over when the layer is dealt out to the inputs folds nothing: the quotient is rounded down, before the power."),
        Misconception("rounded down too late", _bound(lambda n, m: math.floor((n / m) ** m)), "You round after the power. Each input gets a whole number of units: round first."),
        Misconception("rounded up", _bound(lambda n, m: (-(-n // m)) ** m), "A layer of 7 units gives each of 2 inputs three of them, not four."),
        Misconception("one input folded only", _bound(lambda n, m: n // m), "EVERY input is folded, independently of the others: the numbers of copies multiply, over the inputs too."),
        Misconception("whole layer for every input", _bound(lambda n, m: n**m), "The units of a layer are shared out among the inputs: each gets only its part of them."),
        Misconception("last layer folded too", _bound(inner=lambda w: w), "The last hidden layer does not fold, it cuts: it stands in the sum and not in the product as well."),
        Misconception("last layer folded and not cut", _bound(inner=lambda w: w, total=lambda n, m: 1), "The last hidden layer does not fold, it cuts, and its cuts make more regions than its folds would: that is the sum over j."),
        Misconception("folding layers left out", _bound(inner=lambda w: []), "This is what the last hidden layer makes of ONE copy. How many copies do the layers before it lay on each other?"),
        Misconception("one input taken for granted", lambda n_inputs, hidden_widths: math.prod(hidden_widths[:-1]) * (hidden_widths[-1] + 1), "This is the count for one input. With more inputs the units of a folding layer are shared out, and the last layer's cuts cross."),
        Misconception("binomial the wrong way round", _bound(total=lambda n, m: 2**m), "You choose among the inputs. It is the last layer's n_L cuts of which at most n_0 are chosen: math.comb(n_L, j)."),
        Misconception("every layer cuts", lambda n_inputs, hidden_widths: math.prod(sum(math.comb(n, j) for j in range(n_inputs + 1)) for n in hidden_widths), "You let every layer cut what the layers before have made. Only the last one does; the others fold, and a fold has no piece more than it has units for an input.", (lambda n_inputs, hidden_widths: math.prod(n + 1 for n in hidden_widths),)),
        Misconception("last layer left out", _bound(total=lambda n, m: 1), "The last hidden layer cuts every copy into several regions: that factor is missing."),
        Misconception("sum begins at 1", _bound(total=lambda n, m: sum(math.comb(n, j) for j in range(1, m + 1))), "No cut at all leaves one region: the sum begins with j = 0."),
        Misconception("sum ends too early", _bound(total=lambda n, m: sum(math.comb(n, j) for j in range(m))), "The sum has n_inputs + 1 terms: range(n) stops before n."),
        Misconception("one term of the sum", _bound(total=lambda n, m: math.comb(n, m)), "This is one term only. Regions of all kinds count: add up over j from 0 to the number of inputs."),
        Misconception("units + 1 for any number of inputs", _bound(total=lambda n, m: n + 1), "n cuts make n + 1 pieces of a LINE. In a plane, cuts cross: n lines make more regions than that."),
        Misconception("all on-off patterns", _bound(total=lambda n, m: 2**n), "Not every pattern of on and off occurs: n lines cut a plane into fewer than 2**n regions.", (lambda n_inputs, hidden_widths: 2 ** sum(hidden_widths),)),
        Misconception("sum in place of the product", lambda n_inputs, hidden_widths: sum((n // n_inputs) ** n_inputs for n in hidden_widths[:-1]) + sum(math.comb(hidden_widths[-1], j) for j in range(n_inputs + 1)), "Each layer multiplies what the layers before have made: copies of copies."),
    ),
    hints=(
        "With one input it is the product of all widths but the last, times (the last width + 1). Which two parts change when there are n_0 inputs?",
        "Share the units of a folding layer out among the inputs, rounding down, and raise to the power n_0: every input is folded as often. The last layer's n_L cuts make Σ_j C(n_L, j) regions, j = 0, …, n_0.",
        "math.comb helps: (math.prod of (n // n_inputs) ** n_inputs over hidden_widths[:-1]) times (sum of math.comb(hidden_widths[-1], j) for j in range(n_inputs + 1)). Write `import math` inside.",
    ),
    minutes=15,
    difficulty=3,
)


# ---- relu_network_in_torch
def _in_torch_cases(rng: Generator) -> list[Case]:
    n, a, b, c, d = (int(k) for k in rng.permutation([2, 3, 4, 5, 6]))

    def net(label: str, widths: Sequence[int], rows: int, make: Callable = case, **options: str) -> Case:
        return make(label, rng.normal(size=(rows, widths[0])), *_random_net(widths, rng), rng.normal(size=(rows, widths[-1])), op="torch", **options)

    W = rng.integers(1, 5, size=(2, 3)) / 4.0
    x = np.array([[0.5, -0.25], [1.0, 0.75], [-0.5, 0.25]])
    kink = [W, rng.integers(1, 9, size=(3, 2)) / 8.0], [-(x[0] @ W), np.array([0.25, -0.5])]  # the first row meets every kink exactly
    return [
        net("one hidden layer, rectangular", [a, b, c], n),
        net("three hidden layers, rectangular", [d, a, c, b, 1 + n], n),
        net("one number in, one out", [1, a, b, 1], c),
        net("no hidden layer", [a, b], n, edge),
        net("N = 1", [a, c, b], 1, edge),
        edge("a row exactly on the kinks", x, *kink, rng.normal(size=(3, 2)), op="torch"),
    ]


def _torch_net(act: str = "relu", *, last: bool = False, hidden_bias: bool = True, out_bias: bool = True, out: bool = True, cut: bool = False, bias_outside: bool = False, first: bool = False) -> Callable:
    def wrong(x, weights, biases):
        import torch

        f = {"relu": torch.relu, "none": lambda z: z, "clamp": lambda z: z.clamp(min=0), "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)), "tanh": torch.tanh, "sigmoid": torch.sigmoid, "leaky": torch.nn.functional.leaky_relu, "abs": torch.abs}[act]
        y = f(x) if first else x
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            b = b if hidden_bias else 0.0
            y = f(y @ W) + b if bias_outside else f(y @ W + b)
            y = y.detach() if cut else y
        if not out:
            return y
        y = y @ weights[-1] + (biases[-1] if out_bias else 0.0)
        return f(y) if last else y

    return wrong


def _all_cut(x, weights, biases):
    return lib.relu_network_in_torch(x.detach(), [W.detach() for W in weights], [b.detach() for b in biases])


def _rebuilt(x, weights, biases):
    import torch

    return torch.tensor(lib.relu_network(x.detach().numpy(), [W.detach().numpy() for W in weights], [b.detach().numpy() for b in biases]), requires_grad=True) + 0.0


def _in_numpy(x, weights, biases):
    return _rebuilt(x, weights, biases).detach().numpy()


def _copied(x, weights, biases):
    return lib.relu_network_in_torch(x.detach(), weights, biases)


relu_network_in_torch = Exercise(
    reference=lib.relu_network_in_torch,
    tiers=values_and_edge(1, 1),
    cases=_in_torch_cases,
    torch=True,
    misconceptions=(
        Misconception("ReLU on the output", _torch_net(last=True), "The last layer goes through a ReLU too. It ends with its affine map, so that the net can give any number."),
        Misconception("no ReLU", _torch_net("none"), "Without a ReLU between them, affine maps collapse into one. It goes between any two layers."),
        Misconception("ReLU on the inputs", _torch_net(first=True), "The inputs go through a ReLU as well: it comes AFTER the affine map of a hidden layer."),
        Misconception("another activation", _torch_net("tanh"), "The bend between your layers is not a ReLU: 0 for everything negative, and what is positive unchanged.", (_torch_net("sigmoid"), _torch_net("leaky"), _torch_net("abs"))),
        Misconception("biases forgotten", _torch_net(hidden_bias=False, out_bias=False), "Each layer has a bias vector to add, and gradients are asked for it.", (_torch_net(hidden_bias=False), _torch_net(out_bias=False))),
        Misconception("bias added after the ReLU", _torch_net(bias_outside=True), "The bias moves the kink, so it must be inside: first the whole affine map, then the ReLU."),
        Misconception("output layer forgotten", _torch_net(out=False), "You return the activations of the last hidden layer: the last matrix and the last bias have not been used yet."),
        Misconception("slope 1 on the kink", _torch_net("clamp"), "Values agree, and so do gradients but for one row: where a pre-activation is exactly 0, clamp lets the whole gradient through. The docstring says what it should be there."),
        Misconception("slope ½ on the kink", _torch_net("maximum"), "Values agree, and so do gradients but for one row: where a pre-activation is exactly 0, torch.maximum gives half of the gradient to each side. The docstring says what it should be there."),
        Misconception("gradient cut off", _torch_net(cut=True), "The values are right, but no gradient reaches the first layers: something was detached or left PyTorch on the way (.detach(), .data, .numpy(), torch.tensor of a tensor).", (_all_cut, _rebuilt, _in_numpy, _copied)),
    ),
    hints=(
        "It is your relu_network with tensors: @ and + work as they are, and no NumPy may come between, or the gradient is lost.",
        "Of PyTorch's ways to write max(z, 0), torch.relu is the one whose slope at 0 is 0.",
        "for W, b in zip(weights[:-1], biases[:-1]): x = torch.relu(x @ W + b), then return x @ weights[-1] + biases[-1]; `import torch` stands above.",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="depth_vs_width",
    assignment="1_architectures",
    title="Depth and width",
    exercises=(count_parameters, relu_network, interpolating_network, sawtooth_network, shallow_sawtooth_network, count_linear_pieces, montufar_lower_bound, relu_network_in_torch),
    written=(Written("depth_or_width", points=3, minutes=10),),
)
