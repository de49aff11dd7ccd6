"""Exercises of dense_and_highway: layers that read everything before them, gated layers, and the gradients of both."""
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tier, Topic, Written, case, edge, values_and_edge
from class4lib import dense_and_highway as lib
from class4lib.basics import sigmoid

Wrong = Callable[..., Any]


def _drawn(rng: Generator, *shape: int, scale: float = 1.0) -> ndarray:
    """Numbers of both signs with two digits, none of them 0: a student can redo the case by hand."""
    return np.round(scale * rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.2, 2.0, size=shape), 2)


def _relu(z: ndarray) -> ndarray:
    return np.maximum(z, 0.0)


def _only(wrong: Wrong, right: Wrong, *parts: int) -> Wrong:
    """wrong's results at these places, right's elsewhere: the same mistake is named whatever is wrong besides."""
    return lambda *a: tuple(w if i in parts else r for i, (w, r) in enumerate(zip(wrong(*a), right(*a), strict=True)))


def _joined(features: Sequence[ndarray]) -> ndarray:
    return np.concatenate(features, axis=1)


# ---- dense_block_widths
def _widths_cases(rng: Generator) -> list[Case]:
    n_in, growth = (int(v) for v in rng.permutation([5, 7, 11, 13])[:2])
    return [
        case("three layers", n_in, growth, 3),
        case("four layers, growth above the input's width", 2, int(rng.integers(5, 9)), 4),
        case("thirty layers on digits", 64, int(rng.integers(6, 13)), 30),
        edge("one layer", n_in, growth, 1),
        edge("growth 1", int(rng.integers(4, 9)), 1, 3),
        edge("one input", 1, int(rng.integers(3, 7)), 2),
    ]


def _recursive(step: Callable[[list[int], int, int], int]) -> Wrong:
    """Widths w_0 = n_in, w_{l+1} = step(widths so far, growth, l)."""

    def wrong(n_in: int, growth: int, n_layers: int) -> list[int]:
        widths = [n_in]
        for layer in range(n_layers):
            widths.append(step(widths, growth, layer))
        return widths

    return wrong


dense_block_widths = Exercise(
    reference=lib.dense_block_widths,
    tiers=values_and_edge(1, 1),
    cases=_widths_cases,
    traps=("one layer", "growth 1", "one input"),
    misconceptions=(
        Misconception("output's width left out", lambda n, g, L: [n + k * g for k in range(L)], "The list ends with what the last layer READS. One number more is asked: the width of what the block hands on, the last layer's output included."),
        Misconception("first layer's input left out", lambda n, g, L: [n + (k + 1) * g for k in range(L)], "Your list begins with what the second layer reads. The first layer reads the block's input alone, and its width belongs in front."),
        Misconception("one number too many", lambda n, g, L: [n + k * g for k in range(L + 2)], "There is one number too many: each layer has one input width, and the block has one output width."),
        Misconception("only the layer before is read", _recursive(lambda w, g, k: g), "This is a plain net, in which a layer reads the layer before it alone. Here it reads the block's input and ALL layers before it."),
        Misconception("block's input forgotten", lambda n, g, L: [k * g for k in range(L + 1)], "The layers' outputs add up correctly, but the block's own input stays in what is read, in every layer and in the output.", (lambda n, g, L: [(k + 1) * g for k in range(L + 1)], lambda n, g, L: [n] + [(k + 1) * g for k in range(L)])),
        Misconception("input counted once more in every layer", _recursive(lambda w, g, k: w[-1] + w[0] + g), "You add the block's input again in every layer. It stands in the concatenation once.", (_recursive(lambda w, g, k: sum(w) + g), _recursive(lambda w, g, k: 2 * w[-1] + g), _recursive(lambda w, g, k: 2 * w[-1]))),
        Misconception("multiplied instead of added", lambda n, g, L: [n * g**k for k in range(L + 1)], "Growth is the number of features that a layer ADDS to what was there. Yours multiplies."),
        Misconception("growth and input width exchanged", lambda n, g, L: [g + k * n for k in range(L + 1)], "You begin with the growth and add the input's width. Which of the two stands there once, and which once a layer?"),
        Misconception("growth grows too", _recursive(lambda w, g, k: w[-1] + (k + 1) * g), "In your list the steps become larger from layer to layer. Every layer has the same number of units."),
        Misconception("only the last number", lambda n, g, L: n + L * g, "You return the block's output width alone: a list is asked, beginning with what the first layer reads."),
    ),
    hints=(
        "Draw a block of two layers and write beside every arrow how many numbers go along it.",
        "Each layer adds `growth` features to what the next one reads; nothing that was there is lost.",
        "[n_in + layer * growth for layer in range(n_layers + 1)]",
    ),
    minutes=5,
    difficulty=1,
)


# ---- dense_layer
def _dense(rng: Generator, n: int, widths: Sequence[int], m: int) -> tuple[list[ndarray], ndarray, ndarray]:
    """features, W, b."""
    return [_drawn(rng, n, w) for w in widths], _drawn(rng, sum(widths), m), _drawn(rng, m)


def _tied(rng: Generator) -> tuple[list[ndarray], ndarray, ndarray]:
    """Numbers in eighths, every unit off, at exactly 0 or on somewhere: unit 0 is at exactly 0 for the first two examples."""
    features = [rng.integers(1, 9, size=(3, 2)) / 8.0, rng.integers(1, 9, size=(3, 1)) / 8.0]
    W = rng.choice([-1.0, -0.5, 0.5, 1.0], size=(3, 2))
    W[:, 0] = [1.0, -1.0, 0.0]
    features[0][:2, 1] = features[0][:2, 0] + 0.25
    return features, W, np.array([0.25, 0.125])


def _dense_layer_cases(rng: Generator) -> list[Case]:
    a, b, c = (int(v) for v in rng.permutation([1, 2, 3]))
    return [
        case("three features of different widths", *_dense(rng, 4, (a, b, c), 5)),
        case("two features", *_dense(rng, 3, (4, 2), 5)),
        case("two features of equal width", *_dense(rng, 5, (2, 2), 3)),
        case("four features", *_dense(rng, 2, (b, c, a, 2), 3)),
        edge("one feature array", *_dense(rng, 2, (3,), 4)),
        edge("features near ±1000", *(lambda f, W, b: ([1000.0 * np.sign(f[0]), f[1] - 998.0], W, b))(*_dense(rng, 3, (2, 1), 2))),
        edge("features that are integers", [rng.integers(-4, 5, size=(3, 2)), rng.integers(-4, 5, size=(3, 1))], _drawn(rng, 3, 4), _drawn(rng, 4)),
        edge("N = 1", *_dense(rng, 1, (2, 3), 4)),
    ]


def _parts(features: Sequence[ndarray], W: ndarray) -> list[ndarray]:
    """f @ its rows of W, for every feature array."""
    ends = np.cumsum([f.shape[1] for f in features])[:-1]
    return [f @ rows for f, rows in zip(features, np.split(W, ends), strict=True)]


def _side_by_side(error: Wrong) -> Wrong:
    def wrong(features: Sequence[ndarray], W: ndarray, b: ndarray) -> ndarray:
        return _relu(error(features) @ W + b)

    return wrong


dense_layer = Exercise(
    reference=lib.dense_layer,
    tiers=values_and_edge(1, 1),
    cases=_dense_layer_cases,
    traps=("one feature array", "features near ±1000", "N = 1"),
    misconceptions=(
        Misconception("ReLU forgotten", lambda f, W, b: _joined(f) @ W + b, "Values below 0 come through: at the end stands the activation. The slides' σ is a ReLU here."),
        Misconception("bias forgotten", lambda f, W, b: _relu(_joined(f) @ W), "The bias is missing: one number per unit, added before the ReLU."),
        Misconception("bias after the ReLU", lambda f, W, b: _relu(_joined(f) @ W) + b, "You add the bias after the ReLU, so that a result can be negative again. It shifts the pre-activation."),
        Misconception("bias once for every feature array", lambda f, W, b: _relu(sum(_parts(f, W)) + len(f) * b), "Your bias is in the sum once for every feature array. The layer has one."),
        Misconception("ReLU on each part", lambda f, W, b: sum(_relu(p) for p in _parts(f, W)) + b, "You apply the ReLU to each feature's share by itself. The shares of all features add up to ONE pre-activation, and then it bends.", (lambda f, W, b: sum(_relu(p + b) for p in _parts(f, W)), lambda f, W, b: _relu(sum(_relu(p) for p in _parts(f, W)) + b))),
        Misconception("ReLU on what is read", lambda f, W, b: _relu(_relu(_joined(f)) @ W + b), "You cut the features before they are read. Negative entries of x are ordinary input: the ReLU stands at the end only.", (lambda f, W, b: _relu(_joined(f)) @ W + b,)),
        Misconception("order of the features reversed", lambda f, W, b: _relu(_joined(list(f)[::-1]) @ W + b), "You join the features last one first. The rows of W follow the order of the list; where widths differ, the shapes do not tell you."),
        Misconception("only the last features are read", lambda f, W, b: _relu(np.asarray(f[-1]) @ W[-f[-1].shape[1] :] + b), "Your layer reads the newest features alone, as in a plain net. It should read all of them."),
        Misconception("only the first features are read", lambda f, W, b: _relu(np.asarray(f[0]) @ W[: f[0].shape[1]] + b), "Your layer reads the first feature array alone. It should read all of them."),
        Misconception("what was read is returned too", lambda f, W, b: np.concatenate([*f, lib.dense_layer(f, W, b)], axis=1), "You hand on what you read together with the new features. The layer returns the new ones alone; the block does the collecting."),
        Misconception("sigmoid for ReLU", lambda f, W, b: sigmoid(_joined(f) @ W + b), "The activation is a ReLU here; σ on the slides stands for any activation.", (lambda f, W, b: np.tanh(_joined(f) @ W + b),)),
        Misconception("averaged over the features", lambda f, W, b: _relu(sum(_parts(f, W)) / len(f) + b), "You average the shares of the features. They are summed, as in any product with W."),
        Misconception("features not side by side", _side_by_side(sum), "Python met shapes that do not fit. W has a row for every COLUMN of all the features together: an example's features stand side by side in its row, and the number of rows stays N.", (_side_by_side(lambda f: np.concatenate(f, axis=0)),)),
    ),
    hints=(
        "Bring the features into one array first: how many rows has it, how many columns?",
        "c has shape (N, D_0 + D_1 + …): np.concatenate along axis 1, in the order of the list. Then it is an ordinary layer.",
        "c = np.concatenate(features, axis=1); return np.maximum(c @ W + b, 0.0)",
    ),
    minutes=5,
    difficulty=1,
)


# ---- dense_layer_backward
def _dense_backward_cases(rng: Generator) -> list[Case]:
    a, b, c = (int(v) for v in rng.permutation([1, 2, 3]))

    def one(n: int, widths: Sequence[int], m: int) -> tuple[Any, ...]:
        return _drawn(rng, n, m), *_dense(rng, n, widths, m)

    three, four, square = one(2, (a, b, c), 3), one(4, (1, 2, 1, 3), 2), one(2, (1, 2), 3)
    tied, off, single, row, equal = (_drawn(rng, 3, 2), *_tied(rng)), one(2, (2, 1), 4), one(2, (3,), 4), one(1, (2, 1), 3), one(3, (2, 2, 2), 2)
    off = (*off[:3], np.array([-50.0, 50.0, -50.0, 50.0]))
    arrays: dict[str, Any] = {"parts": (1, 2)}
    return [
        case("dW and db, three features", *three, tier="arrays", **arrays),
        case("dW and db, four features", *four, tier="arrays", **arrays),
        case("dW and db, D_0 + D_1 = M", *square, tier="arrays", **arrays),
        case("dfeatures, three of different widths", *three, parts=(0,)),
        case("dfeatures, four", *four, parts=(0,)),
        case("dfeatures, D_0 + D_1 = M", *square, parts=(0,)),
        edge("pre-activations that are exactly 0: dW and db", *tied, **arrays),
        edge("pre-activations that are exactly 0: dfeatures", *tied, parts=(0,)),
        edge("units that are always on or always off: dW and db", *off, **arrays),
        edge("units that are always on or always off: dfeatures", *off, parts=(0,)),
        edge("features of equal width", *equal, parts=(0,)),
        edge("one feature array", *single, parts=(0,)),
        edge("N = 1: dW and db", *row, **arrays),
        edge("N = 1: dfeatures", *row, parts=(0,)),
    ]


def _cut(dc: ndarray, features: Sequence[ndarray]) -> list[ndarray]:
    return np.split(dc, np.cumsum([f.shape[1] for f in features])[:-1], axis=1)


def _dense_grads(split: Wrong = _cut, mask: Wrong = lambda z, dy: z > 0, back: Wrong = lambda dz, W: dz @ W.T, dW: Wrong = lambda c, dz: c.T @ dz, db: Wrong = lambda dz, dy: dz.sum(axis=0), bias: float = 1.0) -> Wrong:
    """dense_layer_backward with one thing wrong."""

    def wrong(dy: ndarray, features: Sequence[ndarray], W: ndarray, b: ndarray) -> tuple[Any, ...]:
        c = _joined(features)
        dz = dy * mask(c @ W + bias * b, dy)
        return split(back(dz, W), features), dW(c, dz), db(dz, dy)

    return wrong


def _last_only(dc: ndarray, features: Sequence[ndarray]) -> list[ndarray]:
    return [*(np.zeros(f.shape) for f in features[:-1]), _cut(dc, features)[-1]]


def _first_only(dc: ndarray, features: Sequence[ndarray]) -> list[ndarray]:
    return [_cut(dc, features)[0], *(np.zeros(f.shape) for f in features[1:])]


def _dense_order(*order: int) -> Wrong:
    return lambda dy, f, W, b: tuple(lib.dense_layer_backward(dy, f, W, b)[i] for i in order)


dense_layer_backward = Exercise(
    reference=lib.dense_layer_backward,
    tiers=(Tier("arrays", "gradients of W and b", 1), Tier("values", "gradients of the features", 2), Tier("edge", "edge cases", 1, needs=("arrays", "values"))),
    cases=_dense_backward_cases,
    returns=("dfeatures", "dW", "db"),
    traps=("pre-activations that are exactly 0: dW and db", "pre-activations that are exactly 0: dfeatures", "features of equal width", "one feature array", "N = 1: dfeatures"),
    misconceptions=(
        Misconception("gradient not split", _dense_grads(split=lambda dc, f: dc), "You return one array for all features together. What was joined going forward has to be taken apart going back: a list, with one array for every feature array, of its shape.", (_dense_grads(split=lambda dc, f: [dc]),)),
        Misconception("only the last part", _dense_grads(split=_last_only), "Only the newest features get a gradient from you. All of them were read, so each of them gets its columns.", (_dense_grads(split=lambda dc, f: _last_only(dc, f)[-1:]), _dense_grads(split=lambda dc, f: _last_only(dc, f)[-1]), lambda dy, f, W, b: (lib.dense_layer_backward(dy, f, W, b)[0][-1], *lib.dense_layer_backward(dy, f, W, b)[1:]))),
        Misconception("only the first part", _dense_grads(split=_first_only), "Only the first features get a gradient from you. All of them were read, so each of them gets its columns.", (_dense_grads(split=lambda dc, f: _first_only(dc, f)[:1]), _dense_grads(split=lambda dc, f: _first_only(dc, f)[0]))),
        Misconception("cut at the widths", _dense_grads(split=lambda dc, f: np.split(dc, [p.shape[1] for p in f][:-1], axis=1)), "np.split takes the positions where it cuts, counted from the left edge, not the widths of the pieces. Where does the third piece begin?", (_dense_grads(split=lambda dc, f: np.split(dc, [p.shape[1] for p in f], axis=1)), _dense_grads(split=lambda dc, f: [dc[:, : p.shape[1]] for p in f]))),
        Misconception("one piece too many", _dense_grads(split=lambda dc, f: np.split(dc, np.cumsum([p.shape[1] for p in f]), axis=1)), "Behind the last feature you cut once more, and an empty piece is left over: k pieces need k − 1 cuts."),
        Misconception("pieces of equal width", _dense_grads(split=lambda dc, f: np.array_split(dc, len(f), axis=1)), "You cut into pieces of equal width. The features have widths of their own."),
        Misconception("cut along the batch", _dense_grads(split=lambda dc, f: np.array_split(dc, len(f), axis=0)), "You cut the examples apart. The features stand side by side: the cuts go between columns, axis 1."),
        Misconception("pieces in reverse order", _dense_grads(split=lambda dc, f: _cut(dc, f)[::-1]), "The pieces are right, their order is not: first in the list is the gradient of the first feature array.", (_dense_grads(split=lambda dc, f: _cut(dc, f[::-1])), _dense_grads(split=lambda dc, f: _cut(dc, f[::-1])[::-1]))),
        Misconception("ReLU forgotten in backward", _dense_grads(mask=lambda z, dy: 1.0), "Nothing comes back through a unit that was off: the ReLU's derivative is missing.", (_dense_grads(db=lambda dz, dy: dy.sum(axis=0)), _only(_dense_grads(mask=lambda z, dy: 1.0), lib.dense_layer_backward, 1, 2), _only(_dense_grads(mask=lambda z, dy: 1.0), lib.dense_layer_backward, 0))),
        Misconception("ReLU'(0) = 1", _dense_grads(mask=lambda z, dy: z >= 0), "A pre-activation of exactly 0 counts as on in your mask. By the course's convention the derivative of ReLU at 0 is 0.", (_dense_grads(mask=lambda z, dy: np.where(z == 0, 0.5, z > 0)),)),
        Misconception("mask turned over", _dense_grads(mask=lambda z, dy: z <= 0), "You let the gradient through where the unit was off, and stop it where it was on.", (_dense_grads(mask=lambda z, dy: z < 0),)),
        Misconception("ReLU's value for its slope", _dense_grads(mask=lambda z, dy: _relu(z)), "You multiply by ReLU's VALUE on the way back. Its derivative is 1 where the unit is on, and 0 where it is off."),
        Misconception("mask from the sign of dy", _dense_grads(mask=lambda z, dy: dy > 0), "You apply the ReLU to dy. What decides whether something comes back is the sign of the unit's pre-activation in the FORWARD pass."),
        Misconception("bias left out of the mask", _dense_grads(bias=0.0), "You recompute the units without their bias, so others are on than in the forward pass."),
        Misconception("features masked too", lambda dy, f, W, b: (lambda g: ([d * (np.asarray(p) > 0) for d, p in zip(g[0], f, strict=True)], *g[1:]))(lib.dense_layer_backward(dy, f, W, b)), "You also cut the gradient where a feature itself is not positive. This layer read it as it is: its only ReLU is the one at its end."),
        Misconception("W for Wᵀ", _dense_grads(back=lambda dz, W: dz @ W), "Going back through a product, the weights are transposed: dz has one column per unit, and one per feature must come out."),
        Misconception("dW transposed", _dense_grads(dW=lambda c, dz: dz.T @ c), "dW is the transpose of what is wanted: it has W's shape, a row for every column that was read."),
        Misconception("dW split as well", lambda dy, f, W, b: (lambda g: (g[0], np.split(g[1], np.cumsum([p.shape[1] for p in f])[:-1]), g[2]))(lib.dense_layer_backward(dy, f, W, b)), "You cut dW into pieces too. W is one array, and so is its gradient; only the features are a list."),
        Misconception("averaged over the batch", _dense_grads(dW=lambda c, dz: c.T @ dz / len(c), db=lambda dz, dy: dz.mean(axis=0)), "You divide by N. dy has the loss's 1/N in it already, if the loss has one: a backward only sums.", (_dense_grads(dW=lambda c, dz: c.T @ dz / len(c)), _dense_grads(db=lambda dz, dy: dz.mean(axis=0)))),
        Misconception("bias not summed over the batch", _dense_grads(db=lambda dz, dy: dz), "Every example uses the same bias, so its gradient collects over the whole batch: db has shape (M,).", (_dense_grads(db=lambda dz, dy: dy), _dense_grads(db=lambda dz, dy: dz.sum(axis=1)), _dense_grads(db=lambda dz, dy: dz.sum(axis=0, keepdims=True)), _dense_grads(db=lambda dz, dy: dz.sum()))),
        Misconception("results in another order", _dense_order(0, 2, 1), "The values are right, the order is not: the list of the features' gradients first, then dW, then db.", (_dense_order(1, 2, 0), _dense_order(1, 0, 2))),
    ),
    hints=(
        "Join the features as in the forward pass and go back through an ordinary layer with ReLU. Only its last line is new.",
        "With dz = dy where the unit was on, else 0: dW = cᵀ dz, db = Σ_n dz, and dz Wᵀ belongs to c, all features side by side. Cut it between columns, where the features met.",
        "np.split(dz @ W.T, np.cumsum([f.shape[1] for f in features])[:-1], axis=1) gives the list, with dz = dy * (c @ W + b > 0).",
    ),
    minutes=12,
    difficulty=3,
)


# ---- dense_block (extension)
def _block(rng: Generator, n: int, d: int, growths: Sequence[int], scale: float = 1.0) -> tuple[ndarray, list[ndarray], list[ndarray]]:
    """x, weights, biases; biases lean to the positive, so that most units are on somewhere."""
    widths = np.cumsum([d, *growths])
    weights = [_drawn(rng, int(w), g, scale=scale) for w, g in zip(widths[:-1], growths, strict=True)]
    return _drawn(rng, n, d), weights, [_drawn(rng, g) + 0.25 for g in growths]


def _block_cases(rng: Generator) -> list[Case]:
    a, b = (int(v) for v in rng.permutation([1, 3]))
    x, weights, biases = _block(rng, 3, 2, (2, 1, 2))
    return [
        case("three layers of different widths", *_block(rng, 4, 2, (a, 2, b))),
        case("two layers", *_block(rng, 2, 3, (4, 1))),
        case("four layers of one width", *_block(rng, 5, 3, (2, 2, 2, 2), 0.7)),
        edge("negative input comes through", -np.abs(_drawn(rng, 3, 2)), weights, biases),
        edge("a layer that is off", x, weights, [biases[0], np.array([-500.0]), biases[2]]),
        edge("one layer", *_block(rng, 3, 4, (2,))),
        edge("N = 1", *_block(rng, 1, 2, (3, 1))),
    ]


def _collect(join: Wrong = lambda c, a: np.concatenate([c, a], axis=1), act: Wrong = lambda z, last: _relu(z), after: Wrong = lambda c, D: c, bias: float = 1.0, reads: Wrong = lambda c, D: c) -> Wrong:
    """dense_block with one thing wrong."""

    def wrong(x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]) -> Any:
        c = x
        for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
            c = join(c, act(reads(c, x.shape[1]) @ W + bias * np.asarray(b), k == len(weights) - 1))
        return after(c, x.shape[1])

    return wrong


def _listed(x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]) -> list[ndarray]:
    return np.split(lib.dense_block(x, weights, biases), np.cumsum([x.shape[1], *(len(b) for b in biases)])[:-1], axis=1)


dense_block = Exercise(
    reference=lib.dense_block,
    tiers=values_and_edge(1, 1),
    cases=_block_cases,
    extension=True,
    equivalent_mutants=(("True → False", "strict only stops on lists of different lengths, which are never given"),),
    traps=("negative input comes through", "a layer that is off", "one layer", "N = 1"),
    misconceptions=(
        Misconception("block's input not handed on", _collect(after=lambda c, D: c[:, D:]), "You return the layers' outputs alone. The block's input stands in front of them: nothing that was there is lost."),
        Misconception("only the last layer's output", lambda x, W, b: lib.dense_block(x, W, b)[:, -len(b[-1]) :], "You return what the last layer made. The block hands on everything: its input and every layer's output, side by side.", (lambda x, W, b: lib.dense_block(x, W, b)[:, : -len(b[-1])],)),
        Misconception("new features in front", _collect(join=lambda c, a: np.concatenate([a, c], axis=1)), "You put each new output IN FRONT of what was there. W's rows follow the order x, first layer, second layer, …; shapes cannot tell you.", (_collect(join=lambda c, a: np.concatenate([a, c], axis=1), after=lambda c, D: np.concatenate([c[:, -D:], c[:, :-D]], axis=1)),)),
        Misconception("outputs in reverse order", lambda x, W, b: _joined(_listed(x, W, b)[::-1]), "The layers read the right things, but you join the result last layer first. In order: x, first layer, second layer, …", (lambda x, W, b: _joined([x, *_listed(x, W, b)[:0:-1]]),)),
        Misconception("a list instead of one array", _listed, "You return the parts as a list. The block's result is one array, (N, all widths together)."),
        Misconception("ReLU forgotten", _collect(act=lambda z, last: z), "Every layer ends in a ReLU: the new features are never negative."),
        Misconception("last layer linear", _collect(act=lambda z, last: z if last else _relu(z)), "Your last layer has no ReLU. A block is not the end of a net: all its layers are alike."),
        Misconception("ReLU on everything", _collect(join=lambda c, a: _relu(np.concatenate([c, a], axis=1))), "You apply the ReLU to what was there as well, and the input's negative entries are lost. It belongs to the new features alone.", (_collect(after=lambda c, D: _relu(c)), _collect(reads=lambda c, D: _relu(c)))),
        Misconception("bias forgotten", _collect(bias=0.0), "The biases are missing: every layer adds its own before the ReLU."),
        Misconception("only the layer before is read", _collect(join=lambda c, a: a), "Python met shapes that do not fit. Every layer has as many rows in its W as there are columns in x and in ALL outputs before it; what does your layer read?", (_collect(reads=lambda c, D: c[:, :D]), _collect(reads=lambda c, D: c[:, D:] if c.shape[1] > D else c))),
    ),
    hints=(
        "Keep one array that grows: what the next layer reads is also what the block has to return so far.",
        "Begin with x; each layer reads the whole array, and its output is put behind it along axis 1.",
        "for W, b in zip(weights, biases): x = np.concatenate([x, dense_layer([x], W, b)], axis=1)",
    ),
    minutes=10,
    difficulty=2,
)


# ---- dense_block_backward (extension)
def _block_backward_cases(rng: Generator) -> list[Case]:
    a, b = (int(v) for v in rng.permutation([1, 3]))

    def one(n: int, d: int, growths: Sequence[int], scale: float = 1.0) -> tuple[Any, ...]:
        return _drawn(rng, n, d + sum(growths)), *_block(rng, n, d, growths, scale)

    three, four, two = one(4, 2, (a, 2, b)), one(5, 2, (1, 1, 2, 1), 0.7), one(3, 2, (2, 1))
    dy, x, weights, biases = one(3, 2, (2, 1, 2))
    arrays: dict[str, Any] = {"tier": "arrays", "parts": (1, 2)}
    last = dy.copy()
    last[:, :-2] = 0.0
    return [
        case("weights and biases, three layers", *three, **arrays),
        case("weights and biases, four layers", *four, **arrays),
        case("weights and biases, two layers", *two, **arrays),
        case("dx, three layers", *three, parts=(0,)),
        case("dx, four layers", *four, parts=(0,)),
        case("dx, two layers", *two, parts=(0,)),
        edge("a layer that is off", dy, x, weights, [biases[0], np.array([-500.0]), biases[2]]),
        edge("dy on the last layer's output alone", last, x, weights, biases),
        edge("a first layer at exactly 0", dy, x, [0.0 * weights[0], *weights[1:]], [0.0 * biases[0], *biases[1:]]),
        edge("one layer", *one(3, 4, (2,))),
        edge("N = 1", *one(1, 2, (3, 1, 2))),
    ]


def _block_grads(add: Wrong = lambda running, direct, share, last: running + share, mask: Wrong = lambda a, z: a > 0, start: Wrong = lambda dy, m: dy, db: Wrong = lambda dz: dz.sum(axis=0), divisor: Wrong = lambda x: 1, inputs: Wrong = lambda c: c) -> Wrong:
    """dense_block_backward with one thing wrong; add(running total, its part of dy, a reader's share, whether it is the last layer)."""

    def wrong(dy: ndarray, x: ndarray, weights: Sequence[ndarray], biases: Sequence[ndarray]) -> tuple[Any, ...]:
        y, total = lib.dense_block(x, weights, biases), start(dy, weights[-1].shape[1])
        dweights, dbiases = [], []
        for k in reversed(range(len(weights))):
            n, m = weights[k].shape
            dz = total[:, n : n + m] * mask(y[:, n : n + m], y[:, :n] @ weights[k] + biases[k])
            dweights.insert(0, inputs(y[:, :n]).T @ dz / divisor(x))
            dbiases.insert(0, db(dz))
            total = add(total[:, :n], dy[:, :n], dz @ weights[k].T, k == len(weights) - 1)
        return total, dweights, dbiases

    return wrong


def _ends_only(dy: ndarray, m: int) -> ndarray:
    cut = np.zeros_like(dy)
    cut[:, -m:] = dy[:, -m:]
    return cut


def _block_order(*order: int) -> Wrong:
    return lambda *a: tuple(lib.dense_block_backward(*a)[i] for i in order)


dense_block_backward = Exercise(
    reference=lib.dense_block_backward,
    tiers=(Tier("arrays", "gradients of weights and biases", 1), Tier("values", "gradient of x", 1), Tier("edge", "edge cases", 1, needs=("arrays", "values"))),
    cases=_block_backward_cases,
    returns=("dx", "dweights", "dbiases"),
    extension=True,
    equivalent_mutants=(("(list(weights), list(biases)) → (list(biases), list(weights))", "the lists only set the lengths: every entry is replaced"),),
    traps=("a layer that is off", "dy on the last layer's output alone", "one layer", "N = 1"),
    misconceptions=(
        Misconception("not accumulated", _block_grads(add=lambda r, d, s, last: d + s), "A later share replaces the ones before it. Every layer that read a feature adds to its gradient: keep a running total. (With fewer than three layers hardly anything shows.)"),
        Misconception("only the last reader", _block_grads(add=lambda r, d, s, last: r + s if last else r), "Only the last layer's share reaches the earlier features. Every layer that read them adds its own."),
        Misconception("only the block's output", _block_grads(add=lambda r, d, s, last: r), "You use what dy brings directly, and nothing that comes back through a layer. The later layers read these features too, and each of them adds a share."),
        Misconception("dy's direct part forgotten", _block_grads(start=_ends_only), "You begin at the last layer's output alone. The block returns x and every output, so dy has a part of its own for each of them.", (_block_grads(add=lambda r, d, s, last: s, start=_ends_only), _block_grads(add=lambda r, d, s, last: s))),
        Misconception("dx without its direct part", lambda dy, x, W, b: (lambda g: (g[0] - dy[:, : x.shape[1]], *g[1:]))(lib.dense_block_backward(dy, x, W, b)), "x itself is part of the block's result: the first columns of dy reach it directly, and are missing from your dx."),
        Misconception("shares multiplied", _block_grads(add=lambda r, d, s, last: r * s), "You multiply the readers' shares. What acts on the loss in several ways has effects that ADD."),
        Misconception("direct part counted once a reader", _block_grads(add=lambda r, d, s, last: r + d + s), "You add dy's direct part anew for every reader: it comes in once."),
        Misconception("ReLU forgotten in backward", _block_grads(mask=lambda a, z: 1.0), "Nothing comes back through a unit that was off: the ReLU's derivative is missing. (A test ≥ 0 on the unit's OUTPUT lets everything through: outputs are never below 0.)"),
        Misconception("ReLU'(0) = 1", _block_grads(mask=lambda a, z: z >= 0), "A pre-activation of exactly 0 counts as on in your mask. By the course's convention the derivative of ReLU at 0 is 0."),
        Misconception("ReLU's value for its slope", _block_grads(mask=lambda a, z: a), "You multiply by ReLU's VALUE on the way back. Its derivative is 1 where the unit is on, and 0 where it is off."),
        Misconception("lists in reverse order", lambda *a: (lambda g: (g[0], g[1][::-1], g[2][::-1]))(lib.dense_block_backward(*a)), "Your loop ran from the last layer to the first, and so do your lists: they belong in the layers' order.", (lambda *a: (lambda g: (g[0], g[1][::-1], g[2]))(lib.dense_block_backward(*a)), lambda *a: (lambda g: (g[0], g[1], g[2][::-1]))(lib.dense_block_backward(*a)))),
        Misconception("biases not summed over the batch", _block_grads(db=lambda dz: dz), "Every example uses the same bias, so its gradient collects over the whole batch: one number per unit.", (_block_grads(db=lambda dz: dz.sum(axis=1)),)),
        Misconception("averaged over the batch", _block_grads(divisor=len, db=lambda dz: dz.mean(axis=0)), "You divide by N. dy has the loss's 1/N in it already, if the loss has one: a backward only sums.", (_block_grads(divisor=len), _block_grads(db=lambda dz: dz.mean(axis=0)))),
        Misconception("gradient of the whole concatenation", lambda dy, x, W, b: (lambda g: (np.concatenate([g[0], dy[:, x.shape[1] :]], axis=1), *g[1:]))(lib.dense_block_backward(dy, x, W, b)), "Your dx is as wide as the block's output. It has x's shape: cut it after D columns."),
        Misconception("results in another order", _block_order(1, 2, 0), "The values are right, the order is not: dx, then the list for the weights, then the list for the biases.", (_block_order(0, 2, 1),)),
    ),
    hints=(
        "Go from the last layer to the first with one array of gradients, as wide as everything that was read so far. Which of its columns belong to the present layer's output?",
        "Those behind the first W.shape[0] columns. Switch them by the ReLU: dz. Then dz Wᵀ is this reader's share for the columns before: add it to what is there, do not replace it.",
        "n, m = W.shape; dz = dy[:, n:] * (y[:, n:n+m] > 0); dW = y[:, :n].T @ dz; then dy = dy[:, :n] + dz @ W.T, with y = dense_block(x, weights, biases). What is left of dy at the end is dx.",
    ),
    minutes=20,
    difficulty=4,
)


# ---- highway_layer
def _highway(rng: Generator, n: int, d: int, gate_bias: float = 0.0) -> tuple[ndarray, ...]:
    """x, W_H, b_H, W_T, b_T; gates well away from one half."""
    return _drawn(rng, n, d), _drawn(rng, d, d, scale=0.6), _drawn(rng, d), _drawn(rng, d, d, scale=0.6), _drawn(rng, d) + gate_bias


def _fixed_gate(rng: Generator, n: int, d: int, b_T: float) -> tuple[ndarray, ...]:
    x, W_H, b_H, W_T, _ = _highway(rng, n, d)
    return x, W_H, b_H, 0.0 * W_T, np.full(d, b_T)


def _highway_cases(rng: Generator) -> list[Case]:
    n, d = (int(v) for v in rng.permutation([2, 3]))
    x, *rest = _highway(rng, 2, 2)
    return [
        case("gates open and shut, N ≠ D", *_highway(rng, n, d)),
        case("D = 4", *_highway(rng, 3, 4)),
        case("gates that lean to carrying", *_highway(rng, 4, d, -1.5)),
        edge("gate bias −1000: everything is carried", *_fixed_gate(rng, n, d, -1000.0)),
        edge("gate bias 1000: everything is transformed", *_fixed_gate(rng, n, d, 1000.0)),
        edge("a gate of one quarter", *_fixed_gate(rng, n, d, -1.0986122886681098)),
        edge("large input", 100.0 * x, *rest),
        edge("x holds integers", rng.integers(-3, 4, size=(n, d)), *_highway(rng, n, d)[1:], trap=""),
        edge("N = 1", *_highway(rng, 1, d)),
    ]


def _mixed(mix: Wrong = lambda T, H, x: T * H + (1 - T) * x, act_H: Wrong = np.tanh, act_T: Wrong = sigmoid, b: tuple[float, float] = (1.0, 1.0), reads: Wrong = lambda x, H: x, weights: Wrong = lambda W_H, W_T: (W_H, W_T), biases: Wrong = lambda b_H, b_T: (b_H, b_T)) -> Wrong:
    """highway_layer with one thing wrong; reads(x, H) is what the gate reads."""

    def wrong(x: ndarray, W_H: ndarray, b_H: ndarray, W_T: ndarray, b_T: ndarray) -> ndarray:
        (W_H, W_T), (b_H, b_T) = weights(W_H, W_T), biases(b_H, b_T)
        H = act_H(x @ W_H + b[0] * b_H)
        return mix(act_T(reads(x, H) @ W_T + b[1] * b_T), H, x)

    return wrong


def _naive(z: ndarray) -> ndarray:
    with np.errstate(all="ignore"):
        return np.exp(z) / (1 + np.exp(z))


highway_layer = Exercise(
    reference=lib.highway_layer,
    tiers=values_and_edge(2, 1),
    cases=_highway_cases,
    traps=("gate bias −1000: everything is carried", "gate bias 1000: everything is transformed", "a gate of one quarter", "N = 1"),
    misconceptions=(
        Misconception("carry and transform exchanged", _mixed(lambda T, H, x: (1 - T) * H + T * x), "An open gate, T = 1, lets the TRANSFORM through; yours carries the input then. (At T = ½ nobody would notice.)"),
        Misconception("carry path forgotten", _mixed(lambda T, H, x: T * H), "Where the gate is shut your layer returns 0. What is not transformed is carried: with a gate bias of −1000 the input comes out as it went in."),
        Misconception("input carried in full", _mixed(lambda T, H, x: T * H + x), "You carry all of x whatever the gate says. Transform and carry share: what the gate gives to one, the other loses."),
        Misconception("transform not gated", _mixed(lambda T, H, x: H + (1 - T) * x), "The gate acts on the carry only in your layer. Transform and carry share: with the gate shut nothing of H comes through.", (_mixed(lambda T, H, x: H + T * x),)),
        Misconception("gate on the carry as well", _mixed(lambda T, H, x: T * H + T * x), "You multiply the input by the same share as the transform. What the gate gives to the one, the other loses: with the gate shut the input comes out as it went in."),
        Misconception("gate forgotten", _mixed(lambda T, H, x: H + x), "You add transform and input without a gate: that is a residual block.", (_mixed(lambda T, H, x: H), _mixed(lambda T, H, x: (H + x) / 2))),
        Misconception("sigmoid for the transform", _mixed(act_H=sigmoid), "Your transform is never negative. The slides write σ for both, but only the gate is a sigmoid: the docstring says in what H ends."),
        Misconception("ReLU for the transform", _mixed(act_H=_relu), "Your transform ends in a ReLU: the docstring says in what H ends."),
        Misconception("transform without its activation", _mixed(act_H=lambda z: z), "Your transform is linear: the docstring says in what H ends."),
        Misconception("tanh for the gate", _mixed(act_T=np.tanh), "A gate says how much: its values lie between 0 and 1, and yours can be negative."),
        Misconception("gate without its sigmoid", _mixed(act_T=lambda z: z), "Your gate is not squashed: a share lies between 0 and 1."),
        Misconception("the two weights exchanged", _mixed(weights=lambda H, T: (T, H)), "Your gate uses the transform's W, or the other way round.", (_mixed(biases=lambda H, T: (T, H)), _mixed(weights=lambda H, T: (T, H), biases=lambda H, T: (T, H)), _mixed(weights=lambda H, T: (H, H)), _mixed(biases=lambda H, T: (H, H)))),
        Misconception("gate reads the transform", _mixed(reads=lambda x, H: H), "Your gate reads H. Gate and transform both read the layer's input."),
        Misconception("a bias forgotten", _mixed(b=(1.0, 0.0)), "A bias is missing. Transform and gate have one each, and the gate's is what this notebook is about.", (_mixed(b=(0.0, 1.0)), _mixed(b=(0.0, 0.0)))),
        Misconception("weights transposed", _mixed(weights=lambda H, T: (H.T, T.T)), "Rows are examples, so the weights stand on the right as they are: x @ W. W is square here, and the shapes do not tell you.", (_mixed(weights=lambda H, T: (H.T, T)), _mixed(weights=lambda H, T: (H, T.T)))),
        Misconception("exponential overflows", _mixed(act_T=_naive), "exp(1000) is inf, and inf/inf is nan. Write the sigmoid so that the largest exponential stands in the denominator alone, or use the one from class4lib.basics."),
        Misconception("one gate for the whole row", _mixed(lambda T, H, x: (m := T.mean(axis=1, keepdims=True)) * H + (1 - m) * x), "You use one gate for all features of an example. Every entry has its own."),
    ),
    hints=(
        "Two ordinary layers read x: one is the transform H, one the gate T. Then mix, entry by entry.",
        "H = tanh(x W_H + b_H), T = sigmoid(x W_T + b_T). Where T is 1 the result is H, where T is 0 it is x.",
        "T * np.tanh(x @ W_H + b_H) + (1 - T) * x with T = sigmoid(x @ W_T + b_T)",
    ),
    minutes=5,
    difficulty=1,
)


# ---- highway_gate_gradient
def _gate_cases(rng: Generator) -> list[Case]:
    n, d = (int(v) for v in rng.permutation([2, 3]))

    def one(n: int, d: int) -> tuple[ndarray, ...]:
        return _drawn(rng, n, d), _drawn(rng, n, d), np.round(np.tanh(_drawn(rng, n, d)), 2), np.round(rng.uniform(0.05, 0.4, size=(n, d)) + rng.choice([0.0, 0.5], size=(n, d)), 2)

    dy, x, h, t = one(n, d)
    return [
        case("N ≠ D, gates away from ½", *one(n, d)),
        case("D = 4", *one(3, 4)),
        case("gates nearly shut", *one(4, d)[:3], np.round(rng.uniform(0.01, 0.06, size=(4, d)), 3)),
        edge("gates of exactly 0 and 1", dy, x, h, np.round(t)),
        edge("transform and input agree in column 0", dy, x, np.where(np.arange(d) == 0, x, h), t),
        edge("a transform of zeros", dy, x, 0.0 * h, t),
        edge("an input of zeros", dy, 0.0 * x, h, t),
        edge("N = 1", *one(1, d)),
    ]


highway_gate_gradient = Exercise(
    reference=lib.highway_gate_gradient,
    tiers=values_and_edge(2, 1),
    cases=_gate_cases,
    traps=("gates of exactly 0 and 1", "transform and input agree in column 0", "a transform of zeros", "an input of zeros", "N = 1"),
    misconceptions=(
        Misconception("carry left out", lambda dy, x, h, t: dy * h * t * (1 - t), "The gate stands in the formula twice: what it gives to the transform it takes from the carry. Your derivative has the first only."),
        Misconception("transform left out", lambda dy, x, h, t: -dy * x * t * (1 - t), "The gate stands in the formula twice. Your derivative has the carry's share only.", (lambda dy, x, h, t: dy * x * t * (1 - t),)),
        Misconception("input and transform exchanged", lambda dy, x, h, t: dy * (x - h) * t * (1 - t), "This is the right size with the wrong sign: opening the gate moves the output from x towards h. In which direction is that?"),
        Misconception("added for subtracted", lambda dy, x, h, t: dy * (h + x) * t * (1 - t), "Where transform and input agree the gate decides nothing, and its gradient is 0. Yours is not: check the sign of the carry's share."),
        Misconception("slope on one of the two only", lambda dy, x, h, t: dy * h * t * (1 - t) - dy * x, "The sigmoid's slope multiplies only one of your two terms. Transform and carry both move through the gate: mind the brackets.", (lambda dy, x, h, t: dy * h - dy * x * t * (1 - t),)),
        Misconception("sigmoid's slope forgotten", lambda dy, x, h, t: dy * (h - x), "This is the gradient in the gate t itself. One link of the chain is left: t is the sigmoid of the pre-activation."),
        Misconception("half of the sigmoid's slope", lambda dy, x, h, t: dy * (h - x) * t, "The sigmoid's slope has two factors: it vanishes at an open gate and at a shut one.", (lambda dy, x, h, t: dy * (h - x) * (1 - t),)),
        Misconception("sigmoid applied again", lambda dy, x, h, t: dy * (h - x) * sigmoid(t) * (1 - sigmoid(t)), "t is the gate already, after its sigmoid. You apply the sigmoid once more before you take the slope."),
        Misconception("tanh's slope for the gate", lambda dy, x, h, t: dy * (h - x) * (1 - t * t), "You use the slope of tanh. The gate is a sigmoid."),
        Misconception("transform's slope included", lambda dy, x, h, t: dy * (h - x) * t * (1 - t) * (1 - h * h), "The way through the gate does not pass through the transform's tanh: h is a constant here."),
        Misconception("dy left out", lambda dy, x, h, t: (h - x) * t * (1 - t), "This is how y moves with the gate's pre-activation. For the loss, what comes from above is a factor too."),
        Misconception("other paths included", lambda dy, x, h, t: dy * (h - x) * t * (1 - t) + dy * (1 - t), "You add what comes back along the carry. Here only the gate's pre-activation moves; x and h stand still."),
        Misconception("summed over the batch", lambda dy, x, h, t: (dy * (h - x) * t * (1 - t)).sum(axis=0), "You sum over the examples. Each example has a pre-activation of its own: the result is (N, D)."),
    ),
    hints=(
        "Hold x and h fixed and write y as a function of t alone. What is its slope?",
        "y = x + t (h − x). And the sigmoid's slope, written with its own value, is t (1 − t).",
        "dy * (h - x) * t * (1 - t)",
    ),
    minutes=8,
    difficulty=2,
)


# ---- highway_layer_backward
def _highway_backward_cases(rng: Generator) -> list[Case]:
    n, d = (int(v) for v in rng.permutation([2, 3]))

    def one(args: tuple[ndarray, ...]) -> tuple[ndarray, ...]:
        return _drawn(rng, *args[0].shape), *args

    first, second = one(_highway(rng, n, d)), one(_highway(rng, 4, 2, -1.0))
    shut, open_, row = one(_fixed_gate(rng, n, d, -1000.0)), one(_fixed_gate(rng, n, d, 1000.0)), one(_highway(rng, 1, 2))
    made = []
    for tier, parts, name in (("transform", (1, 2), "dW_H and db_H"), ("gate", (3, 4), "dW_T and db_T"), ("values", (0,), "dx")):
        made += [case(f"{name}, N ≠ D", *first, tier=tier, parts=parts), case(f"{name}, gates that lean to carrying", *second, tier=tier, parts=parts)]
    for parts, name in (((1, 2), "dW_H and db_H"), ((3, 4), "dW_T and db_T"), ((0,), "dx")):
        made.append(edge(f"N = 1: {name}", *row, parts=parts))
    return [*made, edge("gate bias −1000: dy is carried", *shut, parts=(0,)), edge("gate bias 1000: everything is transformed", *open_, parts=(0,))]


def _highway_grads(
    carry: Wrong = lambda dy, T: dy * (1 - T),
    from_H: Wrong = lambda dz, W_H, W_T: dz @ W_H.T,
    from_T: Wrong = lambda dz, W_H, W_T: dz @ W_T.T,
    dz_H: Wrong = lambda dy, x, H, T: dy * T * (1 - H * H),
    dz_T: Wrong = lambda dy, x, H, T: dy * (H - x) * T * (1 - T),
    dW: Wrong = lambda x, dz: x.T @ dz,
    db: Wrong = lambda dz: dz.sum(axis=0),
    gate: Wrong = lambda T: T,
    act_H: Wrong = np.tanh,
) -> Wrong:
    """highway_layer_backward with one thing wrong."""

    def wrong(dy: ndarray, x: ndarray, W_H: ndarray, b_H: ndarray, W_T: ndarray, b_T: ndarray) -> tuple[Any, ...]:
        H, T = act_H(x @ W_H + b_H), gate(sigmoid(x @ W_T + b_T))
        h, t = dz_H(dy, x, H, T), dz_T(dy, x, H, T)
        return carry(dy, T) + from_H(h, W_H, W_T) + from_T(t, W_H, W_T), dW(x, h), db(h), dW(x, t), db(t)

    return wrong


def _highway_order(*order: int) -> Wrong:
    return lambda *a: tuple(lib.highway_layer_backward(*a)[i] for i in order)


def _nothing(*_: Any) -> float:
    return 0.0


highway_layer_backward = Exercise(
    reference=lib.highway_layer_backward,
    tiers=(Tier("transform", "gradients of the transform's arrays", 1), Tier("gate", "gradients of the gate's arrays", 1), Tier("values", "gradient of x", 1), Tier("edge", "edge cases", 1, needs=("transform", "gate", "values"))),
    cases=_highway_backward_cases,
    returns=("dx", "dW_H", "db_H", "dW_T", "db_T"),
    traps=("gate bias −1000: dy is carried", "gate bias 1000: everything is transformed", "N = 1: dx"),
    misconceptions=(
        Misconception("carry path dropped", _highway_grads(carry=_nothing), "Your dx has what comes back through the layer's two products. x also reaches the output directly, where the gate is shut: that way back is missing."),
        Misconception("gate's own gradient dropped", _highway_grads(from_T=_nothing), "x moves the gate as well, and the gate moves the output: your dx has the transform and the carry, but not the way through the gate."),
        Misconception("gate taken for a constant", _highway_grads(dz_T=lambda dy, x, H, T: 0 * dy), "You treat the gate as a given number: its weights and bias get no gradient and could never learn when to open."),
        Misconception("transform's path dropped", _highway_grads(from_H=_nothing), "Your dx has the carry and the gate. What comes back through the transform is missing."),
        Misconception("gate and transform dropped from dx", _highway_grads(from_H=_nothing, from_T=_nothing), "Your dx has the carry alone. x also feeds the transform and the gate: three ways in all."),
        Misconception("carry counted in full", _highway_grads(carry=lambda dy, T: dy), "You let all of dy through the carry, as a residual block does. Here the carry has a factor in the forward pass, and has it going back too."),
        Misconception("carry and transform exchanged", _highway_grads(carry=lambda dy, T: dy * T, dz_H=lambda dy, x, H, T: dy * (1 - T) * (1 - H * H), dz_T=lambda dy, x, H, T: dy * (x - H) * T * (1 - T)), "You go back through another layer, in which an open gate carries. Which of the two does T = 1 let through?", (_highway_grads(carry=lambda dy, T: dy * T), _highway_grads(carry=lambda dy, T: dy * T, dz_H=lambda dy, x, H, T: dy * (1 - T) * (1 - H * H)), _highway_grads(dz_T=lambda dy, x, H, T: dy * (x - H) * T * (1 - T)))),
        Misconception("carry left out of the gate's gradient", _highway_grads(dz_T=lambda dy, x, H, T: dy * H * T * (1 - T)), "What the gate gives to the transform it takes from the carry: its gradient compares the two. See highway_gate_gradient.", (_only(_highway_grads(dz_T=lambda dy, x, H, T: dy * H * T * (1 - T)), lib.highway_layer_backward, 3, 4),)),
        Misconception("gate's slope forgotten", _highway_grads(dz_T=lambda dy, x, H, T: dy * (H - x)), "The gate is a sigmoid of its pre-activation: that slope is missing on the way to W_T and b_T.", (_only(_highway_grads(dz_T=lambda dy, x, H, T: dy * (H - x)), lib.highway_layer_backward, 3, 4),)),
        Misconception("tanh's slope forgotten", _highway_grads(dz_H=lambda dy, x, H, T: dy * T), "The transform ends in tanh: its slope is missing on the way to W_H and b_H.", (_only(_highway_grads(dz_H=lambda dy, x, H, T: dy * T), lib.highway_layer_backward, 1, 2),)),
        Misconception("sigmoid's slope for the transform", _highway_grads(dz_H=lambda dy, x, H, T: dy * T * H * (1 - H)), "You use the sigmoid's slope for the transform, which ends in tanh. (The slides write σ for both.)", (_highway_grads(act_H=sigmoid, dz_H=lambda dy, x, H, T: dy * T * H * (1 - H)),)),
        Misconception("tanh's slope, square missing", _highway_grads(dz_H=lambda dy, x, H, T: dy * T * (1 - H)), "The slope of tanh is not 1 − H: it must be the same for H and −H."),
        Misconception("tanh taken twice", _highway_grads(dz_H=lambda dy, x, H, T: dy * T * (1 - np.tanh(H) ** 2)), "H is the transform already, after its tanh; you take the tanh of it again."),
        Misconception("gate missing before the transform", _highway_grads(dz_H=lambda dy, x, H, T: dy * (1 - H * H)), "The transform is multiplied by the gate in the forward pass; going back, dy gets the same factor before it reaches the transform."),
        Misconception("W for Wᵀ", _highway_grads(from_H=lambda dz, W_H, W_T: dz @ W_H, from_T=lambda dz, W_H, W_T: dz @ W_T), "Going back through a product, the weights are transposed. They are square here, so the shapes do not tell you.", (_highway_grads(from_H=lambda dz, W_H, W_T: dz @ W_H), _highway_grads(from_T=lambda dz, W_H, W_T: dz @ W_T))),
        Misconception("the two weights exchanged", _highway_grads(from_H=lambda dz, W_H, W_T: dz @ W_T.T, from_T=lambda dz, W_H, W_T: dz @ W_H.T), "What comes back through the transform goes through W_H, what comes back through the gate through W_T.", (_highway_grads(from_T=lambda dz, W_H, W_T: dz @ W_H.T), _highway_grads(from_H=lambda dz, W_H, W_T: dz @ W_T.T))),
        Misconception("dW transposed", _highway_grads(dW=lambda x, dz: dz.T @ x), "Your dW_H and dW_T are transposed. They are square here, so the shapes do not tell you: row i belongs to input i."),
        Misconception("bias not summed over the batch", _highway_grads(db=lambda dz: dz), "Every example uses the same bias, so its gradient collects over the whole batch: db_H and db_T have shape (D,).", (_highway_grads(db=lambda dz: dz.sum(axis=1)), _highway_grads(db=lambda dz: dz.sum(axis=0, keepdims=True)), _highway_grads(db=lambda dz: dz.sum()))),
        Misconception("averaged over the batch", _highway_grads(dW=lambda x, dz: x.T @ dz / len(x), db=lambda dz: dz.mean(axis=0)), "You divide by N. dy has the loss's 1/N in it already, if the loss has one: a backward only sums.", (_highway_grads(dW=lambda x, dz: x.T @ dz / len(x)), _highway_grads(db=lambda dz: dz.mean(axis=0)))),
        Misconception("results in another order", _highway_order(0, 3, 4, 1, 2), "The values are right, the order is not: dx, then the gradients in the order of the parameters.", (_highway_order(1, 2, 3, 4, 0), _highway_order(0, 1, 3, 2, 4), _highway_order(0, 2, 1, 4, 3))),
    ),
    hints=(
        "Recompute H and T. Then ask in how many ways x reaches the output: there are three.",
        "At the transform dz_H = dy T (1 − H²); at the gate dz_T is your highway_gate_gradient. Weights: xᵀ dz; biases: Σ_n dz; and what comes back to x: dz Wᵀ from each of the two, and the carry.",
        "dx = dy * (1 - T) + dz_H @ W_H.T + dz_T @ W_T.T, with dz_H = dy * T * (1 - H**2) and dz_T = highway_gate_gradient(dy, x, H, T)",
    ),
    minutes=15,
    difficulty=3,
)


# ---- dense_net_in_torch
def _net_cases(rng: Generator) -> list[Case]:
    a, b = (int(v) for v in rng.permutation([1, 3]))

    def one(n: int, d: int, growths: Sequence[int], scale: float = 1.0) -> tuple[Any, ...]:
        return *_block(rng, n, d, growths, scale), _drawn(rng, n, growths[-1])

    x, weights, biases, dy = one(3, 2, (2, 1, 4))
    return [
        case("two hidden layers, forward and gradients", *one(3, 2, (a, b, 4)), op="torch"),
        case("one hidden layer", *one(2, 3, (2, 4)), op="torch"),
        case("three hidden layers", *one(4, 2, (1, 2, 1, 3), 0.7), op="torch"),
        edge("a hidden layer that is off", x, weights, [np.full(2, -500.0), *biases[1:]], dy, op="torch"),
        edge("a linear layer alone", *one(3, 4, (2,)), op="torch"),
        edge("N = 1", *one(1, 2, (3, 1, 2)), op="torch"),
    ]


def _torch_net(join: Wrong = lambda torch, c, a: torch.cat([c, a], dim=1), act: Wrong = lambda torch, z: torch.relu(z), end: Wrong = lambda torch, y, c: y, bias: float = 1.0, reads: Wrong = lambda c: c) -> Wrong:
    def wrong(x: Any, weights: Any, biases: Any) -> Any:
        import torch

        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            x = join(torch, x, act(torch, reads(x) @ W + bias * b))
        return end(torch, reads(x) @ weights[-1] + bias * biases[-1], x)

    return wrong


def _torch_cut(x: Any, weights: Any, biases: Any) -> Any:
    import torch

    return torch.tensor(lib.dense_net_in_torch(x, weights, biases).detach().numpy())


dense_net_in_torch = Exercise(
    reference=lib.dense_net_in_torch,
    tiers=values_and_edge(2, 1),
    cases=_net_cases,
    torch=True,
    equivalent_mutants=(("True → False", "strict only stops on lists of different lengths, which are never given"),),
    traps=("a hidden layer that is off", "a linear layer alone", "N = 1"),
    misconceptions=(
        Misconception("ReLU on the last layer", _torch_net(end=lambda torch, y, c: torch.relu(y)), "Your logits are never negative: the last layer is linear."),
        Misconception("ReLU forgotten", _torch_net(act=lambda torch, z: z), "Without the ReLU in the hidden layers the whole net is one linear map."),
        Misconception("another activation", _torch_net(act=lambda torch, z: torch.tanh(z)), "The hidden layers end in ReLU.", (_torch_net(act=lambda torch, z: torch.sigmoid(z)),)),
        Misconception("everything returned", _torch_net(end=lambda torch, y, c: torch.cat([c, y], dim=1)), "You return all features together. This is the end of a net: the last layer's output alone comes out.", (_torch_net(end=lambda torch, y, c: c),)),
        Misconception("new features in front", _torch_net(join=lambda torch, c, a: torch.cat([a, c], dim=1)), "You put new features IN FRONT of the old ones. The rows of W follow the order x, first layer, second layer, …; shapes cannot tell you."),
        Misconception("ReLU on everything", _torch_net(join=lambda torch, c, a: torch.relu(torch.cat([c, a], dim=1))), "You apply the ReLU to what was there as well, and the input's negative entries are lost.", (_torch_net(reads=lambda c: c.relu()),)),
        Misconception("bias forgotten", _torch_net(bias=0.0), "The biases are missing."),
        Misconception("only the layer before is read", _torch_net(join=lambda torch, c, a: a), "PyTorch met shapes that do not fit, or misses a gradient. Every layer, the last one too, reads x and ALL outputs before it, side by side along dim=1.", (_torch_net(join=lambda torch, c, a: torch.cat([c, a], dim=0)),)),
        Misconception("gradient cut off", _torch_cut, "The values are right, but no gradient comes back: something was detached or turned into numbers on the way (.detach(), .numpy(), .data, torch.no_grad, torch.tensor of a tensor)."),
        Misconception("earlier features detached", _torch_net(join=lambda torch, c, a: torch.cat([c.detach(), a], dim=1)), "The values are right, but what comes back through the earlier features is cut off: leave the old features attached when you join.", (_torch_net(join=lambda torch, c, a: torch.cat([c, a.detach()], dim=1)),)),
    ),
    hints=(
        "A loop over all layers but the last, with one tensor that grows; then the last layer by itself.",
        "torch.cat([x, new], dim=1) joins along the features. Give the result a name again; PyTorch adds up the gradients of all readers for you.",
        "for W, b in zip(weights[:-1], biases[:-1]): x = torch.cat([x, torch.relu(x @ W + b)], dim=1); then return x @ weights[-1] + biases[-1]",
    ),
    minutes=10,
    difficulty=2,
)


TOPIC = Topic(
    name="dense_and_highway",
    assignment="1_architectures",
    title="Dense and highway connections",
    exercises=(dense_block_widths, dense_layer, dense_layer_backward, dense_block, dense_block_backward, highway_layer, highway_gate_gradient, highway_layer_backward, dense_net_in_torch),
    written=(Written("why_a_negative_bias", points=3, minutes=10),),
)
