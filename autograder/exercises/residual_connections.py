"""Exercises of residual_connections: the gradient of a sum of two paths, blocks with their backwards, a stack's Jacobian."""
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Exercise, Misconception, Tier, Topic, Written, case, edge, values_and_edge
from class4lib import residual_connections as lib

Wrong = Callable[..., Any]


def _sizes(rng: Generator) -> tuple[int, int, int]:
    """N, D and H, all different."""
    n, d, h = rng.permutation([2, 3, 4])
    return int(n), int(d), int(h)


def _drawn(rng: Generator, *shape: int, scale: float = 1.0) -> ndarray:
    """Quarters of both signs, none of them 0: a student can redo the case by hand, and its sheet stays short."""
    return scale * rng.choice([-1.0, 1.0], size=shape) * rng.integers(1, 9, size=shape) / 4.0


def _branch(rng: Generator, d: int, h: int, m: int | None = None) -> tuple[ndarray, ...]:
    """W1, b1, W2, b2 with every bias far enough from 0 to be missed; with x in quarters no pre-activation is 0 by chance."""
    m = d if m is None else m
    return _drawn(rng, d, h), _drawn(rng, h) + 1 / 32, _drawn(rng, h, m), _drawn(rng, m)


def _tied(rng: Generator, d: int) -> tuple[ndarray, ...]:
    """x, W1, b1, W2, b2 in eighths: in row 0 hidden pre-activations are exactly 0, and so is entry 0 of the sum; its others are positive."""
    x = rng.integers(1, 9, size=(2, d)) / 8.0
    W1 = np.eye(d)
    b1 = np.where(np.arange(d) % 2, 0.5, -x[0])
    W2 = rng.choice([-1.0, -0.5, 0.5, 1.0], size=(d, d))
    W2[:, 0] = 0.0
    W2[0, 0] = -1.0
    hidden = np.maximum(x @ W1 + b1, 0.0)
    b2 = 2.0 + rng.integers(1, 9, size=d) / 8.0
    b2[0] = hidden[0, 0] - x[0, 0]  # the sum of row 0, column 0 is exactly 0
    return x, W1, b1, W2, b2


def _dead(rng: Generator, d: int, h: int, m: int | None = None) -> tuple[ndarray, ...]:
    """A branch whose ReLU lets nothing through: what is left of it is b2."""
    W1, _, W2, b2 = _branch(rng, d, h, m)
    return W1, np.full(h, -50.0), W2, b2


def _zeroed(rng: Generator, d: int, h: int, m: int | None = None) -> tuple[ndarray, ...]:
    W1, b1, W2, b2 = _branch(rng, d, h, m)
    return W1, b1, 0.0 * W2, 0.0 * b2


def _relu(z: ndarray) -> ndarray:
    return np.maximum(z, 0.0)


def _f(x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> ndarray:
    """The branch."""
    return _relu(x @ W1 + b1) @ W2 + b2


# ---- residual_gradient
def _gradient_cases(rng: Generator) -> list[Case]:
    a, b = (int(n) for n in rng.permutation([2, 3]))
    antisymmetric = np.array([[0.0, 1.5], [-1.5, 0.0]])
    return [
        case(f"D = {a}, a Jacobian that is not symmetric", _drawn(rng, a), _drawn(rng, a, a)),
        case(f"D = {b}, a Jacobian that is not symmetric", _drawn(rng, b), _drawn(rng, b, b)),
        case("D = 4, a small Jacobian", _drawn(rng, 4), _drawn(rng, 4, 4, scale=0.125)),
        edge("a branch that does nothing: J = 0", _drawn(rng, 3), np.zeros((3, 3))),
        edge("a branch that cancels its input: J = −I", _drawn(rng, 3), -np.eye(3)),
        edge("an antisymmetric Jacobian", _drawn(rng, 2), antisymmetric),
        edge("D = 1", _drawn(rng, 1), _drawn(rng, 1, 1)),
    ]


residual_gradient = Exercise(
    reference=lib.residual_gradient,
    tiers=values_and_edge(2, 1),
    cases=_gradient_cases,
    traps=("a branch that does nothing: J = 0", "a branch that cancels its input: J = −I", "an antisymmetric Jacobian"),
    misconceptions=(
        Misconception("Jacobian not transposed", lambda dy, J: dy + J @ dy, "J[i, j] says how OUTPUT i moves with input j. For the gradient in input j you must collect over all outputs i: over which index of J does your product sum?"),
        Misconception("skip forgotten", lambda dy, J: J.T @ dy, "This is the way through the branch alone. The input also reaches the output directly, and what comes back on that way is missing.", (lambda dy, J: J @ dy,)),
        Misconception("branch forgotten", lambda dy, J: dy.copy(), "This is the way along the skip alone. The input also acts through F, and the Jacobian of F takes no part in your result."),
        Misconception("a product for the sum", lambda dy, J: dy * (J.T @ dy), "You multiply what comes back on the two ways. The input acts twice on the output, and the effects of two ways ADD.", (lambda dy, J: dy * (J @ dy), lambda dy, J: dy * (1 + J.T @ dy), lambda dy, J: dy * (1 + J @ dy))),
        Misconception("1 added to the gradient", lambda dy, J: 1 + J.T @ dy, "The slides' 1 stands inside the bracket and is multiplied by what comes from above: along the skip dL/da' comes back as it is, not a 1.", (lambda dy, J: 1 + J @ dy, lambda dy, J: np.eye(len(dy)) + J.T @ dy)),
        Misconception("1 added to every entry of J", lambda dy, J: (1 + J).T @ dy, "In NumPy 1 + J adds 1 to EVERY entry of the matrix. The derivative of a in a is another matrix: output i of the skip moves with input i only.", (lambda dy, J: (1 + J) @ dy,)),
        Misconception("entry by entry", lambda dy, J: dy * (1 + J), "The * of NumPy multiplies entry by entry and leaves a matrix. One number per input is wanted: sum over the outputs.", (lambda dy, J: dy[:, None] * (1 + J), lambda dy, J: dy * (np.eye(len(dy)) + J), lambda dy, J: dy[:, None] * (np.eye(len(dy)) + J), lambda dy, J: dy + J * dy, lambda dy, J: (1 + J).T * dy, lambda dy, J: (np.eye(len(dy)) + J).T * dy)),
        Misconception("diagonal of the Jacobian only", lambda dy, J: dy * (1 + np.diag(J)), "You use only how each output moves with the input of the same index. A branch mixes its inputs: every output i carries something back to input j."),
        Misconception("Jacobian summed before the product", lambda dy, J: dy * (1 + J.sum(axis=0)), "You sum the Jacobian first and multiply afterwards, so each output counts the same. Every output i has its own dL/da'_i, which belongs inside the sum.", (lambda dy, J: dy * (1 + J.sum(axis=1)),)),
        Misconception("branch subtracted", lambda dy, J: dy - J.T @ dy, "You subtract what comes back through the branch: in the forward pass it is added to the skip.", (lambda dy, J: dy - J @ dy,)),
        Misconception("skip counted twice", lambda dy, J: 2 * dy + J.T @ dy, "The skip is in your result twice: it is in J already only if F contained it, and it does not."),
    ),
    hints=(
        "Write one output: a'_i = a_i + F_i(a). What is its derivative in a_j, for j = i and for j ≠ i?",
        "dL/da_j = Σ_i dL/da'_i · ∂a'_i/∂a_j, and ∂a'_i/∂a_j is 1 for i = j, else 0, plus J[i, j]. The sum runs over the FIRST index of J.",
        "The first part of the sum gives dy itself; the second is branch_jacobian.T @ dy. Add them.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- residual_block
def _block_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    x, params = _drawn(rng, n, d), _branch(rng, d, h)
    return [
        case("N, D and H differ", x, *params),
        case("other sizes", _drawn(rng, 3, 2), *_branch(rng, 2, 4)),
        case("D = H", _drawn(rng, 2, 3), *_branch(rng, 3, 3)),
        case("negative entries", -np.abs(_drawn(rng, 3, d)), *_branch(rng, d, h), trap="negative entries"),
        edge("a zeroed branch returns x", _drawn(rng, n, d), *_zeroed(rng, d, h)),
        edge("a branch whose ReLU is shut: b2 is left", _drawn(rng, n, d), *_dead(rng, d, h)),
        edge("x near ±1000", np.array([[1000.0, -1000.0], [-998.0, 3.0], [0.0, 999.0]]), *_branch(rng, 2, 3)),
        edge("x holds integers", rng.integers(-4, 5, size=(n, d)), *_branch(rng, d, h), trap=""),
        edge("N = 1", _drawn(rng, 1, d), *_branch(rng, d, h)),
    ]


def _residual_difference(x: ndarray, *p: ndarray) -> ndarray:
    return _f(x, *p) - x


_BIASES: tuple[Wrong, ...] = (lambda W1, b1, W2, b2: (W1, 0 * b1, W2, b2), lambda W1, b1, W2, b2: (W1, b1, W2, 0 * b2), lambda W1, b1, W2, b2: (W1, 0 * b1, W2, 0 * b2))


def _without_biases(block: Wrong) -> tuple[Wrong, ...]:
    """block with the biases of one layer, the other, and both left out."""
    return tuple(lambda x, W1, b1, W2, b2, *rest, cut=cut: block(x, *cut(W1, b1, W2, b2), *rest) for cut in _BIASES)


def _linear_branch(x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray) -> ndarray:
    return (x @ W1 + b1) @ W2 + b2


_BIAS_ADVICE = "A bias is missing: the branch has two layers, and each has its own. In a case whose branch lets nothing through, b2 must still show."

residual_block = Exercise(
    reference=lib.residual_block,
    tiers=values_and_edge(2, 1),
    cases=_block_cases,
    traps=("a zeroed branch returns x", "negative entries", "a branch whose ReLU is shut: b2 is left", "x near ±1000", "N = 1"),
    misconceptions=(
        Misconception("skip forgotten", _f, "You return the branch alone. With its weights at zero the block must hand its input through: what has to be added for that?"),
        Misconception("ReLU after the addition", lambda x, *p: _relu(x + _f(x, *p)), "You put a ReLU after the addition. That is the slides' other form: here nothing stands after it, so that negative entries of x come through."),
        Misconception("x + ReLU of the branch", lambda x, *p: x + _relu(_f(x, *p)), "You put a ReLU at the end of the branch, so the block can only raise its input. The branch's second layer is linear."),
        Misconception("ReLU at the wrong layer", lambda x, *p: x + _relu(_linear_branch(x, *p)), "The ReLU belongs between the two layers of the branch; yours stands behind the second one, and between them is none.", (lambda x, *p: _relu(x + _linear_branch(x, *p)),)),
        Misconception("ReLU forgotten", lambda x, *p: x + _linear_branch(x, *p), "Without a ReLU between them the branch's two layers are one linear map."),
        Misconception("ReLU on the input", lambda x, *p: x + _f(_relu(x), *p), "Your branch reads ReLU(x): it never sees the negative entries. Its first layer takes x as it is."),
        Misconception("ReLU on the skip", lambda x, *p: _relu(x) + _f(x, *p), "Negative entries of x are lost on your skip. It carries x as it is.", (lambda x, *p: _relu(x) + _f(_relu(x), *p),)),
        Misconception("a product for the sum", lambda x, *p: x * _f(x, *p), "You multiply input and branch. With a branch of zeros the block must return x, not zeros."),
        Misconception("a difference for the sum", _residual_difference, "You return F(x) − x. The residual is what the branch must ADD to its input: with a branch of zeros the block returns x.", (lambda x, *p: x - _f(x, *p),)),
        Misconception("halved", lambda x, *p: (x + _f(x, *p)) / 2, "You average input and branch. They are added: with a branch of zeros the block must return all of x."),
        Misconception("a bias left out", _without_biases(lib.residual_block)[2], _BIAS_ADVICE, _without_biases(lib.residual_block)[:2]),
        Misconception("skip twice", lambda x, *p: 2 * x + _f(x, *p), "The input is in your result twice: with a branch of zeros you return 2x."),
    ),
    hints=(
        "Compute the branch F(x) first: a layer with ReLU, a layer without. Then the skip.",
        "h = ReLU(x W1 + b1) has shape (N, H), h W2 + b2 has the shape of x. Nothing follows the addition.",
        "x + np.maximum(x @ W1 + b1, 0.0) @ W2 + b2",
    ),
    minutes=5,
    difficulty=1,
)


# ---- backwards: the five gradients with one thing wrong
def _grads(
    dy: ndarray,
    x: ndarray,
    W1: ndarray,
    b1: ndarray,
    W2: ndarray,
    b2: ndarray,
    *,
    mask: Wrong = lambda z, x: z > 0,
    hidden: Wrong = _relu,
    join: Wrong = lambda dy, branch: dy + branch,
    reduce: Wrong = lambda a: a.sum(axis=0),
    transposed: bool = True,
    divisor: Wrong = lambda dy: 1,
) -> tuple[ndarray, ...]:
    """residual_block_backward: mask(z, x) of the hidden layer, hidden(z) what dW2 reads, join(dy, what the branch brings), the biases' sum."""
    z = x @ W1 + b1
    dz = (dy @ (W2.T if transposed else W2)) * mask(z, x)
    n = divisor(dy)
    return join(dy, dz @ (W1.T if transposed else W1)), x.T @ dz / n, reduce(dz) / n, hidden(z).T @ dy / n, reduce(dy) / n


def _with(**changed: Any) -> Wrong:
    return lambda dy, x, *p: _grads(dy, x, *p, **changed)


def _reordered(*order: int) -> Wrong:
    return lambda dy, x, *p: tuple(lib.residual_block_backward(dy, x, *p)[i] for i in order)


def _backward_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    first = _drawn(rng, n, d), _drawn(rng, n, d), *_branch(rng, d, h)
    more = n + 1 if n > 2 else 4  # another N, which is not D either
    square = _drawn(rng, more, 3), _drawn(rng, more, 3), *_branch(rng, 3, 3)
    tied, dead = _tied(rng, 3), _dead(rng, d, h)
    single, arrays = (_drawn(rng, 1, d), _drawn(rng, 1, d), *_branch(rng, d, h)), (1, 2, 3, 4)
    return [
        case("the branch's arrays; N, D and H differ", *first, tier="branch", parts=arrays),
        case("the branch's arrays, D = H", *square, tier="branch", parts=arrays),
        case("dx; N, D and H differ", *first, parts=(0,)),
        case("dx, D = H", *square, parts=(0,)),
        # one edge case holds dx or the arrays, so that a mistake in one is named whatever the other is
        edge("a zeroed branch passes dy on", _drawn(rng, n, d), _drawn(rng, n, d), *_zeroed(rng, d, h), parts=(0,)),
        edge("a branch whose ReLU is shut", _drawn(rng, n, d), _drawn(rng, n, d), *dead, parts=arrays),
        edge("pre-activations that are exactly 0", _drawn(rng, 2, 3), *tied, parts=arrays),
        edge("N = 1", *single, parts=arrays),
        edge("N = 1, dx", *single, parts=(0,), trap="N = 1"),
    ]


_BACKWARD_RETURNS = ("dx", "dW1", "db1", "dW2", "db2")
_NOT_SUMMED = "Every example uses the same bias, so its gradient collects over the whole batch: db1 has shape (H,) and db2 (D,)."

residual_block_backward = Exercise(
    reference=lib.residual_block_backward,
    tiers=(Tier("branch", "gradients of the branch's arrays", 3), Tier("values", "gradient of x", 2), Tier("edge", "edge cases", 2, needs=("branch", "values"))),
    cases=_backward_cases,
    returns=_BACKWARD_RETURNS,
    traps=("a zeroed branch passes dy on", "a branch whose ReLU is shut", "pre-activations that are exactly 0", "N = 1"),
    misconceptions=(
        Misconception("skip forgotten in backward", _with(join=lambda dy, b: b), "The branch's arrays are right. x acts on y a second time, directly: what comes back on the skip is missing from dx."),
        Misconception("branch forgotten in dx", _with(join=lambda dy, b: dy.copy()), "Your dx has the skip's way back only. x also feeds the branch: go on from the hidden layer to x and add what arrives."),
        Misconception("a product for the sum of the two paths", _with(join=lambda dy, b: dy * b), "You multiply what comes back on the two ways. The two effects of x on y ADD, and so do their gradients."),
        Misconception("1 for dy on the skip", _with(join=lambda dy, b: 1 + b), "The 1 of the slides stands inside a bracket and is multiplied by what comes from above: along the skip dy comes back as it is."),
        Misconception("dy in both factors", _with(join=lambda dy, b: dy * (1 + b)), "You multiply dy into the bracket, but the way through the branch has dy in it already: add the two ways."),
        Misconception("skip counted twice", _with(join=lambda dy, b: 2 * dy + b), "The skip's way back is in your dx twice."),
        Misconception("branch subtracted in dx", _with(join=lambda dy, b: dy - b), "You subtract the branch's part of dx. In the forward pass it is added to the skip."),
        Misconception("backward of the other form", lib.post_activation_block_backward, "You cut dy by a ReLU after the addition. This block has none: dy reaches skip and branch untouched."),
        Misconception("x + ReLU of the branch", lambda dy, x, *p: (dy + (g := _grads(dy * (_f(x, *p) > 0), x, *p, join=lambda d, b: b))[0], *g[1:]), "You cut dy where the branch's output is negative, but its second layer is linear: the only ReLU stands between the two layers."),
        Misconception("ReLU forgotten in backward", _with(mask=lambda z, x: 1.0), "Nothing comes back through a hidden unit that was off: between the two layers the ReLU's derivative is missing.", (_with(mask=lambda z, x: 1.0, join=lambda dy, b: b), _with(mask=lambda z, x: 1.0, hidden=lambda z: z))),
        Misconception("ReLU's value for its slope", _with(mask=lambda z, x: _relu(z)), "You multiply by ReLU's VALUE on the way back. Its derivative is 1 where the unit is on, and 0 where it is off."),
        Misconception("mask turned over", _with(mask=lambda z, x: z <= 0), "You let the gradient through where the unit was off, and stop it where it was on."),
        Misconception("ReLU'(0) = 1", _with(mask=lambda z, x: z >= 0), "A pre-activation of exactly 0 counts as on in your mask. By the course's convention the derivative of ReLU at 0 is 0."),
        Misconception("masked by the block's input", _with(mask=lambda z, x: x > 0), "You switch hidden units by the sign of x. What decides is the pre-activation of the hidden layer, of shape (N, H).", (lambda dy, x, *p: _grads(dy, x, *p, mask=lambda z, _: lib.residual_block(x, *p) > 0),)),
        Misconception("bias of the first layer left out of the mask", lambda dy, x, W1, b1, W2, b2: _grads(dy, x, W1, 0 * b1, W2, b2), "You recompute the hidden layer without b1, so other units are on than in the forward pass.", (lambda dy, x, W1, b1, W2, b2: _grads(dy, x, W1, b1, W2, b2, mask=lambda z, x: x @ W1 > 0), lambda dy, x, W1, b1, W2, b2: _grads(dy, x, W1, b1, W2, b2, hidden=lambda z: _relu(x @ W1)))),
        Misconception("dW2 from the pre-activation", _with(hidden=lambda z: z), "The second layer reads the hidden values AFTER the ReLU: dW2 needs those, not the pre-activations."),
        Misconception("dW2 from a mask", _with(hidden=lambda z: (z > 0) * 1.0), "dW2 needs the hidden VALUES, not whether they are on."),
        Misconception("biases not summed over the batch", _with(reduce=lambda a: a), _NOT_SUMMED, (lambda dy, x, *p: (*_grads(dy, x, *p)[:4], dy.copy()), _with(reduce=lambda a: a.sum(axis=0, keepdims=True)))),
        Misconception("biases summed over the features", _with(reduce=lambda a: a.sum(axis=1)), "Your bias gradients sum over the features of each example. One bias serves all examples: sum over the batch, axis 0.", (_with(reduce=lambda a: a.sum()),)),
        Misconception("biases averaged over the batch", _with(reduce=lambda a: a.mean(axis=0)), "You average the bias gradients. dy has the loss's 1/N in it already, if the loss has one: a backward only sums."),
        Misconception("averaged over the batch", _with(divisor=len), "You divide the gradients of the arrays by N. dy has the loss's 1/N in it already, if the loss has one: a backward only sums.", (lambda dy, x, *p: (lambda g: (g[0], g[1] / len(x), g[2], g[3] / len(x), g[4]))(_grads(dy, x, *p)),)),
        Misconception("W for Wᵀ", _with(transposed=False), "Going back, the weights are transposed: dy has D columns, the hidden layer H. With D = H the shapes do not tell you."),
        Misconception("results in another order", _reordered(0, 3, 4, 1, 2), "The values are right, the order is not: dx first, then the arrays in the order of the parameters.", (_reordered(1, 2, 3, 4, 0), _reordered(0, 1, 3, 2, 4))),
    ),
    hints=(
        "Split it: y = x + h W2 + b2 with h = ReLU(x W1 + b1). Go back through the second layer, the ReLU, the first layer; then think of the skip.",
        "dW2 = hᵀ dy, db2 = Σ_n dy; at the hidden layer dz = (dy W2ᵀ) where the unit was on, else 0; dW1 = xᵀ dz, db1 = Σ_n dz. x receives from the first layer AND from the skip.",
        "h = np.maximum(x @ W1 + b1, 0.0); dz = (dy @ W2.T) * (h > 0); return dy + dz @ W1.T, x.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum(axis=0)",
    ),
    minutes=15,
    difficulty=3,
)


# ---- residual_stack_jacobian
def _stack_cases(rng: Generator) -> list[Case]:
    cancelled = _drawn(rng, 3, 2, 2)
    cancelled[1] = -np.eye(2)
    return [
        case("two blocks, D = 3", _drawn(rng, 2, 3, 3)),
        case("three blocks, D = 2", _drawn(rng, 3, 2, 2)),
        case("four blocks, D = 3, small Jacobians", _drawn(rng, 4, 3, 3, scale=0.25)),
        case("five blocks, D = 2", _drawn(rng, 5, 2, 2)),
        edge("two blocks whose order decides", np.array([[[0.0, float(rng.integers(1, 9))], [0.0, 0.0]], [[0.0, 0.0], [float(rng.integers(1, 9)), 0.0]]])),
        edge("L = D", _drawn(rng, 3, 3, 3)),
        edge("branches that do nothing", np.zeros((4, 3, 3))),
        edge("one block cancels: J = −I", cancelled),
        edge("twenty blocks", _drawn(rng, 20, 2, 2, scale=0.125)),
        edge("one block", _drawn(rng, 1, 3, 3)),
    ]


def _product(factors: Sequence[ndarray]) -> ndarray:
    """The last factor leftmost."""
    return functools.reduce(lambda total, factor: factor @ total, factors)


def _stack(factor: Wrong = lambda J, eye: eye + J, before: Wrong = lambda Js: Js, after: Wrong = lambda total, eye: total) -> Wrong:
    def wrong(Js: ndarray) -> ndarray:
        eye = np.eye(Js.shape[1])
        chosen = [factor(J, eye) for J in before(Js)]
        return after(_product(chosen) if chosen else eye, eye)

    return wrong


residual_stack_jacobian = Exercise(
    reference=lib.residual_stack_jacobian,
    tiers=values_and_edge(3, 2),
    cases=_stack_cases,
    equivalent_mutants=(("1 → 2", "the matrices are square: both axes have length D"),),
    traps=("two blocks whose order decides", "L = D", "branches that do nothing", "one block cancels: J = −I", "one block"),
    misconceptions=(
        Misconception("reversed order", _stack(before=lambda Js: Js[::-1]), "Your factors stand in the order in which the blocks come, from left to right. A column of inputs meets the first block first: where must its factor stand, if the input is multiplied from the right?"),
        Misconception("every factor transposed", _stack(factor=lambda J, eye: (eye + J).T), "J[i, j] is output i moving with input j already, and the result is asked in the same layout: nothing needs to be transposed.", (_stack(factor=lambda J, eye: (eye + J).T, before=lambda Js: Js[::-1]),)),
        Misconception("skips forgotten", _stack(factor=lambda J, eye: J), "This is a stack of branches without skips. Each BLOCK's Jacobian has its skip in it.", (_stack(factor=lambda J, eye: J, before=lambda Js: Js[::-1]),)),
        Misconception("one skip around all the branches", _stack(factor=lambda J, eye: J, after=lambda total, eye: eye + total), "You multiply the branches and add one identity at the end: that is one long skip around everything. Every block has its own.", (_stack(factor=lambda J, eye: J, before=lambda Js: Js[::-1], after=lambda total, eye: eye + total),)),
        Misconception("a sum for the product", lambda Js: np.eye(Js.shape[1]) + Js.sum(axis=0), "You add up the branches. That holds for paths through ONE branch; a path may run through several, one after the other, and these products are missing.", (lambda Js: len(Js) * np.eye(Js.shape[1]) + Js.sum(axis=0), lambda Js: Js.sum(axis=0))),
        Misconception("1 added to every entry", _stack(factor=lambda J, eye: 1 + J), "1 + J adds 1 to every entry of the matrix. A skip brings input j to output j only: which matrix is that?", (_stack(factor=lambda J, eye: 1 + J, before=lambda Js: Js[::-1]),)),
        Misconception("entry by entry", lambda Js: np.prod(np.eye(Js.shape[1]) + Js, axis=0), "You multiply the factors entry by entry. A chain of linear maps is a product of matrices.", (lambda Js: np.prod(1 + Js, axis=0), lambda Js: np.prod(Js, axis=0), lambda Js: np.eye(Js.shape[1]) * np.prod(np.eye(Js.shape[1]) + Js, axis=0))),
        Misconception("one block left out", _stack(before=lambda Js: Js[1:]), "One block is missing in your product: count the factors for L = 1 and L = 2.", (_stack(before=lambda Js: Js[:-1]), _stack(before=lambda Js: Js[:0:-1]), _stack(before=lambda Js: Js[-2::-1]))),
        Misconception("the same block every time", _stack(before=lambda Js: [Js[0]] * len(Js)), "All your factors come from the same block. Every block has its own Jacobian.", (_stack(before=lambda Js: [Js[-1]] * len(Js)),)),
        Misconception("identity counted once more", _stack(after=lambda total, eye: eye + total), "There is an identity too many: with branches that do nothing the stack hands its input through once, not twice.", (_stack(before=lambda Js: Js[::-1], after=lambda total, eye: eye + total),)),
        Misconception("every partial product returned", lambda Js: np.array([_product([np.eye(Js.shape[1]) + J for J in Js[: k + 1]]) for k in range(len(Js))]), "You return the Jacobian after every block; asked is the last one, a matrix."),
        Misconception("branches subtracted", _stack(factor=lambda J, eye: eye - J), "You subtract the branches' Jacobians. A block ADDS its branch to its input."),
    ),
    hints=(
        "What is the Jacobian of one block? And of two blocks, one after the other?",
        "One block: I + J_k. By the chain rule the later block's factor stands to the LEFT: (I + J_2)(I + J_1).",
        "Start with total = np.eye(D); for every J, first layer first: total = total + J @ total.",
    ),
    minutes=10,
    difficulty=3,
)


# ---- post_activation_block
def _post_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    return [
        case("N, D and H differ", _drawn(rng, n, d), *_branch(rng, d, h)),
        case("other sizes", _drawn(rng, 4, 3), *_branch(rng, 3, 2)),
        case("D = H", _drawn(rng, 2, 3), *_branch(rng, 3, 3)),
        case("a small branch", _drawn(rng, 3, 4), *(0.25 * a for a in _branch(rng, 4, 2))),
        edge("negative entries and a zeroed branch", np.array([[-1.5, 2.0, -0.25], [0.5, -3.0, 1.0]]) * float(rng.integers(1, 4)), *_zeroed(rng, 3, h)),
        edge("a branch whose ReLU is shut: b2 is left", _drawn(rng, n, d), *_dead(rng, d, h)),
        edge("x near ±1000", np.array([[1000.0, -1000.0], [-998.0, 3.0]]), *_branch(rng, 2, 3)),
        edge("N = 1", _drawn(rng, 1, 4), *_branch(rng, 4, 3)),
    ]


post_activation_block = Exercise(
    reference=lib.post_activation_block,
    tiers=values_and_edge(1, 1),
    cases=_post_cases,
    traps=("negative entries and a zeroed branch", "a branch whose ReLU is shut: b2 is left", "x near ±1000", "N = 1"),
    misconceptions=(
        Misconception("skip outside the ReLU", lambda x, *p: x + _relu(_f(x, *p)), "Your skip goes around the last ReLU. In this form the sum of both goes through it, so that no output is negative."),
        Misconception("ReLU after the addition forgotten", lib.residual_block, "This is the block of before, with a clean skip. Here the sum goes through one more ReLU."),
        Misconception("ReLU on each path", lambda x, *p: _relu(x) + _relu(_f(x, *p)), "You cut skip and branch separately and add afterwards. A negative branch must be able to lower a positive input: add first."),
        Misconception("ReLU on the skip", lambda x, *p: _relu(x) + _f(x, *p), "You cut the skip alone. The ReLU stands after the addition and sees the sum.", (lambda x, *p: _relu(_relu(x) + _f(x, *p)), lambda x, *p: _relu(_relu(x) + _f(_relu(x), *p)))),
        Misconception("skip forgotten", lambda x, *p: _relu(_f(x, *p)), "This is the branch with a ReLU: the input is not added.", (_f,)),
        Misconception("ReLU inside the branch forgotten", lambda x, *p: _relu(x + _linear_branch(x, *p)), "There are two ReLUs: one between the branch's layers, one after the addition. The first is missing."),
        Misconception("branch followed by a ReLU too", lambda x, *p: _relu(x + _relu(_f(x, *p))), "You cut the branch before it is added, so it can only raise x. Its second layer is linear; the ReLU sees the sum."),
        Misconception("a bias left out", _without_biases(lib.post_activation_block)[2], _BIAS_ADVICE, _without_biases(lib.post_activation_block)[:2]),
        Misconception("a product for the sum", lambda x, *p: _relu(x * _f(x, *p)), "You multiply input and branch; they are added."),
    ),
    hints=(
        "You have the block with the clean skip. One thing follows now.",
        "Both paths are added first; the ReLU sees the sum, so that no output is negative.",
        "np.maximum(residual_block(x, W1, b1, W2, b2), 0.0)",
    ),
    minutes=5,
    difficulty=1,
)


# ---- post_activation_block_backward
def _post_backward_cases(rng: Generator) -> list[Case]:
    n, d, h = _sizes(rng)
    zeroed = np.array([[-1.5, 2.0, -0.25], [0.5, -3.0, 1.0]])
    return [
        case("N, D and H differ", _drawn(rng, n, d), _drawn(rng, n, d), *_branch(rng, d, h)),
        case("D = H", _drawn(rng, 4, 3), _drawn(rng, 4, 3), *_branch(rng, 3, 3)),
        case("other sizes", _drawn(rng, 3, 2), _drawn(rng, 3, 2), *_branch(rng, 2, 4)),
        case("a small branch", _drawn(rng, 2, 4), _drawn(rng, 2, 4), *(0.25 * a for a in _branch(rng, 4, 3))),
        edge("a zeroed branch, negative entries", _drawn(rng, 2, 3), zeroed, *_zeroed(rng, 3, h)),
        edge("sums and pre-activations that are exactly 0", _drawn(rng, 2, 3), *_tied(rng, 3)),
        edge("N = 1", _drawn(rng, 1, 4), _drawn(rng, 1, 4), *_branch(rng, 4, 3)),
    ]


def _post_grads(outer: Wrong = lambda s, x, f: s > 0, on: str = "both", **changed: Any) -> Wrong:
    """outer(s, x, F): mask after the addition; on: the paths it cuts, "both", "branch" or "skip"."""

    def wrong(dy: ndarray, x: ndarray, *p: ndarray) -> tuple[ndarray, ...]:
        f = _f(x, *p)
        cut = dy * outer(x + f, x, f)
        through_branch, through_skip = (dy if on == "skip" else cut), (dy if on == "branch" else cut)
        join = changed.get("join", lambda d, b: d + b)
        return _grads(through_branch, x, *p, **{**changed, "join": lambda d, b: join(through_skip, b)})

    return wrong


post_activation_block_backward = Exercise(
    reference=lib.post_activation_block_backward,
    tiers=values_and_edge(1, 1),
    cases=_post_backward_cases,
    returns=_BACKWARD_RETURNS,
    extension=True,
    traps=("a zeroed branch, negative entries", "sums and pre-activations that are exactly 0", "N = 1"),
    misconceptions=(
        Misconception("last ReLU forgotten", lib.residual_block_backward, "dy meets the last ReLU first: where the sum was not positive nothing comes back, on either way."),
        Misconception("last ReLU cuts the branch only", _post_grads(on="branch"), "You cut the branch's way back only. The ReLU stands after the addition, so the skip's way goes through it too: that is what this form loses."),
        Misconception("last ReLU cuts the skip only", _post_grads(on="skip"), "You cut the skip's way back only: the branch went through the same ReLU."),
        Misconception("skip forgotten in backward", _post_grads(join=lambda d, b: b), "x acts on the sum twice. What comes back on the skip is missing from dx."),
        Misconception("branch forgotten in dx", _post_grads(join=lambda d, b: d), "Your dx has the skip's way back only: add what comes through the branch's first layer."),
        Misconception("a product for the sum of the two paths", _post_grads(join=lambda d, b: d * b), "The two effects of x on the sum ADD, and so do their gradients."),
        Misconception("masked by x", _post_grads(lambda s, x, f: x > 0), "You mask by the sign of x. What the last ReLU saw is the sum."),
        Misconception("masked by the branch", _post_grads(lambda s, x, f: f > 0), "You mask by the sign of the branch. What the last ReLU saw is the sum of input and branch.", (_post_grads(lambda s, x, f: f > 0, on="branch"),)),
        Misconception("ReLU'(0) = 1", _post_grads(lambda s, x, f: s >= 0, mask=lambda z, x: z >= 0), "A value of exactly 0 counts as on in a mask of yours. By the course's convention the derivative of ReLU at 0 is 0, for both ReLUs.", (_post_grads(lambda s, x, f: s >= 0), _post_grads(mask=lambda z, x: z >= 0))),
        Misconception("inner ReLU forgotten in backward", _post_grads(mask=lambda z, x: 1.0), "Nothing comes back through a hidden unit that was off: the ReLU between the two layers has a derivative too."),
        Misconception("biases not summed over the batch", _post_grads(reduce=lambda a: a), _NOT_SUMMED),
        Misconception("dW2 from the pre-activation", _post_grads(hidden=lambda z: z), "The second layer reads the hidden values AFTER the ReLU: dW2 needs those."),
        Misconception("last ReLU's mask applied twice", lambda dy, x, *p: (lambda g: (g[0] * (lib.residual_block(x, *p) > 0), *g[1:]))(lib.post_activation_block_backward(dy, x, *p)), "You cut dx once more at the end. The ReLU cuts what comes from above, before it parts into two ways."),
    ),
    hints=(
        "Name the sum: s = x + F(x), y = ReLU(s). What is dL/ds?",
        "dL/ds is dy where s > 0, else 0. From s back to x and the arrays you have a function already.",
        "ds = dy * (residual_block(x, W1, b1, W2, b2) > 0); return residual_block_backward(ds, x, W1, b1, W2, b2)",
    ),
    minutes=10,
    difficulty=2,
)


# ---- projection_block
def _projection(rng: Generator, n: int, d: int, h: int, m: int, branch: Wrong = _branch) -> tuple[ndarray, ...]:
    return _drawn(rng, n, d), *branch(rng, d, h, m), _drawn(rng, d, m)


def _four(rng: Generator) -> tuple[int, int, int, int]:
    n, d, h, m = (int(v) for v in rng.permutation([2, 3, 4, 5]))
    return n, d, h, m


def _projection_cases(rng: Generator) -> list[Case]:
    n, d, h, m = _four(rng)
    return [
        case("N, D, H and M differ", *_projection(rng, n, d, h, m)),
        case("wider: D = 2, M = 4", *_projection(rng, 3, 2, 3, 4)),
        case("D = M = H", *_projection(rng, 2, 3, 3, 3)),
        edge("a zeroed branch: the projection is left", *_projection(rng, n, d, h, m, _zeroed)),
        edge("W_skip = 0: the branch is left", *_projection(rng, n, d, h, m)[:-1], np.zeros((d, m))),
        edge("N = 1", *_projection(rng, 1, 3, 2, 4)),
    ]


projection_block = Exercise(
    reference=lib.projection_block,
    tiers=values_and_edge(0.5, 0.5),
    cases=_projection_cases,
    extension=True,
    traps=("a zeroed branch: the projection is left", "W_skip = 0: the branch is left", "N = 1"),
    misconceptions=(
        Misconception("skip not projected", lambda x, *a: x + _f(x, *a[:-1]), "Your skip carries x itself, which has D columns where M are wanted: it goes through W_skip."),
        Misconception("skip forgotten", lambda x, *a: _f(x, *a[:-1]), "You return the branch alone: with its weights at zero the projected input must be left."),
        Misconception("branch forgotten", lambda x, *a: x @ a[-1], "You return the projected input alone: the branch is missing."),
        Misconception("ReLU after the addition", lambda x, *a: _relu(lib.projection_block(x, *a)), "Nothing stands after the addition: negative values come through."),
        Misconception("ReLU on the skip", lambda x, *a: _relu(x @ a[-1]) + _f(x, *a[:-1]), "The skip is linear: no ReLU on it.", (lambda x, *a: _relu(x) @ a[-1] + _f(x, *a[:-1]),)),
        Misconception("x + ReLU of the branch", lambda x, *a: x @ a[-1] + _relu(_f(x, *a[:-1])), "The branch's second layer is linear: its only ReLU stands between the two."),
        Misconception("ReLU forgotten", lambda x, *a: x @ a[-1] + _linear_branch(x, *a[:-1]), "Between the branch's two layers the ReLU is missing."),
        Misconception("branch reads the projected input", lambda x, *a: x @ a[-1] + _f(x @ a[-1], *a[:-1]), "Your branch reads the projected input. Both ways begin at x.", (lambda x, *a: (x + _f(x, *a[:-1])) @ a[-1],)),
        Misconception("identity added as well", lambda x, *a: x + lib.projection_block(x, *a), "The projection takes the place of the identity: x itself is not added.", (lambda x, *a: x @ (np.eye(*a[-1].shape) + a[-1]) + _f(x, *a[:-1]),)),
        Misconception("b2 on the skip too", lambda x, *a: lib.projection_block(x, *a) + a[3], "A bias is in your result twice: the skip has none.", (*_without_biases(lib.projection_block),)),
        Misconception("W_skip transposed", lambda x, *a: x @ a[-1].T + _f(x, *a[:-1]), "W_skip is (D, M) and multiplies rows from the right, as every W of the course does."),
    ),
    hints=(
        "The branch ends with M columns, x has D: they cannot be added as they are.",
        "The skip is one linear map, without bias or ReLU; the branch is as before.",
        "x @ W_skip + np.maximum(x @ W1 + b1, 0.0) @ W2 + b2",
    ),
    minutes=5,
    difficulty=1,
)


# ---- projection_block_backward
def _projection_backward_cases(rng: Generator) -> list[Case]:
    n, d, h, m = _four(rng)

    def one(n: int, d: int, h: int, m: int, branch: Wrong = _branch) -> tuple[ndarray, ...]:
        return _drawn(rng, n, m), *_projection(rng, n, d, h, m, branch)

    x, W1, b1, W2, b2 = _tied(rng, 3)
    return [
        case("N, D, H and M differ", *one(n, d, h, m)),
        case("wider: D = 2, M = 4", *one(3, 2, 5, 4)),
        case("D = M = H", *one(4, 3, 3, 3)),
        case("narrower: D = 4, M = 2", *one(2, 4, 3, 2)),
        edge("a zeroed branch: the projection is left", *one(n, d, h, m, _zeroed)),
        edge("pre-activations that are exactly 0", _drawn(rng, 2, 3), x, W1, b1, W2, b2, _drawn(rng, 3, 3)),
        edge("N = 1", *one(1, 3, 2, 4)),
    ]


def _projected(join: Wrong = lambda dy, W, b: dy @ W.T + b, dW: Wrong = lambda x, dy, dz, h: x.T @ dy, **changed: Any) -> Wrong:
    """join(dy, W_skip, what the branch brings) gives dx; dW(x, dy, dz, h) gives dW_skip."""

    def wrong(dy: ndarray, x: ndarray, W1: ndarray, b1: ndarray, W2: ndarray, b2: ndarray, W_skip: ndarray) -> tuple[ndarray, ...]:
        z = x @ W1 + b1
        grads = _grads(dy, x, W1, b1, W2, b2, **{**changed, "join": lambda d, b: join(d, W_skip, b)})
        return *grads, dW(x, dy, (dy @ W2.T) * (z > 0), _relu(z))

    return wrong


projection_block_backward = Exercise(
    reference=lib.projection_block_backward,
    tiers=values_and_edge(2, 1),
    cases=_projection_backward_cases,
    returns=("dx", "dW1", "db1", "dW2", "db2", "dW_skip"),
    extension=True,
    traps=("a zeroed branch: the projection is left", "pre-activations that are exactly 0", "N = 1"),
    misconceptions=(
        Misconception("skip forgotten in backward", _projected(join=lambda dy, W, b: b), "Your dx has the branch's way back only. x also reaches the output through W_skip."),
        Misconception("identity on the way back", _projected(join=lambda dy, W, b: dy + b), "On the skip dy comes back as it is only where the skip is the identity. Here it is a linear map: go back through it as through any layer."),
        Misconception("W_skip not transposed", _projected(join=lambda dy, W, b: dy @ W + b), "Going back through W_skip its transpose is needed; with D = M the shapes do not tell you."),
        Misconception("branch forgotten in dx", _projected(join=lambda dy, W, b: dy @ W.T), "Your dx has the skip's way back only: add what comes through the branch."),
        Misconception("a product for the sum of the two paths", _projected(join=lambda dy, W, b: (dy @ W.T) * b), "The two effects of x on the output ADD, and so do their gradients."),
        Misconception("dW_skip from the hidden layer", _projected(dW=lambda x, dy, dz, h: h.T @ dy), "W_skip multiplies x, not the hidden values: its gradient has the shape of W_skip."),
        Misconception("dW_skip from the hidden gradient", _projected(dW=lambda x, dy, dz, h: x.T @ dz), "dy reaches W_skip directly: it does not go through the branch's hidden layer."),
        Misconception("dW_skip transposed", _projected(dW=lambda x, dy, dz, h: dy.T @ x), "dW_skip is the transpose of what is wanted: it has W_skip's shape (D, M)."),
        Misconception("dW_skip missing", lambda *a: lib.projection_block_backward(*a)[:5], "Six gradients come back, one for each argument of the forward: that of W_skip is missing."),
        Misconception("dW_skip averaged", _projected(dW=lambda x, dy, dz, h: x.T @ dy / len(x)), "dW_skip is divided by N. A backward only sums over the batch."),
        Misconception("ReLU forgotten in backward", _projected(mask=lambda z, x: 1.0), "Nothing comes back through a hidden unit that was off: the ReLU's derivative is missing."),
        Misconception("ReLU'(0) = 1", _projected(mask=lambda z, x: z >= 0), "A pre-activation of exactly 0 counts as on in your mask. By the course's convention the derivative of ReLU at 0 is 0."),
        Misconception("biases not summed over the batch", _projected(reduce=lambda a: a), "Every example uses the same bias, so its gradient collects over the whole batch: db1 has shape (H,) and db2 (M,)."),
        Misconception("dW2 from the pre-activation", _projected(hidden=lambda z: z), "The second layer reads the hidden values AFTER the ReLU: dW2 needs those."),
    ),
    hints=(
        "The branch's four arrays are as before. New are the skip's part of dx and one more array.",
        "The skip is a linear layer without bias: dW_skip = xᵀ dy, and dy W_skipᵀ comes back to x.",
        "With h and dz as in residual_block_backward: dy @ W_skip.T + dz @ W1.T first, x.T @ dy last.",
    ),
    minutes=10,
    difficulty=2,
)


# ---- residual_stack_in_torch
def _blocks(rng: Generator, n: int, L: int, d: int, h: int, scale: float = 1.0) -> tuple[ndarray, ...]:
    return _drawn(rng, n, d), _drawn(rng, L, d, h, scale=scale), _drawn(rng, L, h) + 1 / 32, _drawn(rng, L, h, d, scale=scale), _drawn(rng, L, d), _drawn(rng, n, d)


def _in_torch_cases(rng: Generator) -> list[Case]:
    *zeroed, dy = _blocks(rng, 2, 2, 2, 3)
    return [
        case("two blocks, forward and gradients", *_blocks(rng, 4, 2, 3, 2), op="torch"),
        case("four blocks, small weights", *_blocks(rng, 3, 4, 2, 2, 0.5), op="torch"),
        edge("branches that do nothing", *zeroed[:3], 0 * zeroed[3], 0 * zeroed[4], dy, op="torch"),
        edge("L = D = H", *_blocks(rng, 3, 2, 2, 2), op="torch"),
        edge("one block, one example", *_blocks(rng, 1, 1, 2, 3), op="torch"),
    ]


def _torch_stack(scale: Wrong = lambda L: L**-0.5, step: Wrong = lambda x, f, s, first: x + s * f, order: Wrong = lambda ks: ks, inner: str = "relu", bias_scaled: bool = True, detach: bool = False) -> Wrong:
    def wrong(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        import torch

        first, s = x, scale(len(W1))
        act = {"relu": torch.relu, "tanh": torch.tanh, "none": lambda z: z}[inner]
        for k in order(list(range(len(W1)))):
            f = act((x.detach() if detach else x) @ W1[k] + b1[k]) @ W2[k]
            x = step(x, f + b2[k], s, first) if bias_scaled else step(x, f + b2[k] / s, s, first)
        return x

    return wrong


def _torch_post(x: Any, f: Any, s: float, first: Any) -> Any:
    import torch

    return torch.relu(x + s * f)


def _torch_relu_branch(x: Any, f: Any, s: float, first: Any) -> Any:
    import torch

    return x + torch.relu(s * f)


def _torch_bias_only(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    import torch

    for k in range(len(W1)):
        x = x + torch.relu(x @ W1[k] + b1[k]) @ W2[k] + b2[k] / len(W1) ** 0.5
    return x


def _torch_by_number(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    for k in range(len(W1)):
        x = _torch_stack(scale=lambda L, k=k: (k + 1) ** -0.5)(x, W1[k : k + 1], b1[k : k + 1], W2[k : k + 1], b2[k : k + 1])
    return x


def _torch_numbers(x: Any, *a: Any) -> Any:
    return lib.residual_stack_in_torch(x, *(v.detach() for v in a))


def _torch_cut(x: Any, *a: Any) -> Any:
    import torch

    return torch.tensor(lib.residual_stack_in_torch(x, *a).detach().numpy())


def _torch_parallel(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    import torch

    return x + sum(torch.relu(x @ W1[k] + b1[k]) @ W2[k] + b2[k] for k in range(len(W1))) / len(W1) ** 0.5


residual_stack_in_torch = Exercise(
    reference=lib.residual_stack_in_torch,
    tiers=values_and_edge(2, 1),
    cases=_in_torch_cases,
    torch=True,
    traps=("branches that do nothing", "L = D = H", "one block, one example"),
    misconceptions=(
        Misconception("branches not scaled", _torch_stack(scale=lambda L: 1.0), "Your stack is right but for its scale: each branch is multiplied by a number that depends on how many blocks there are."),
        Misconception("scaled by 1/L", _torch_stack(scale=lambda L: 1.0 / L), "You divide by the number of blocks. It is the mean SQUARES that add up over the blocks: look at the docstring's factor again."),
        Misconception("multiplied instead of divided", _torch_stack(scale=lambda L: L**0.5), "You multiply the branches by sqrt(L): the deeper the stack, the SMALLER each branch should be."),
        Misconception("scaled by another size", lambda x, W1, *a: _torch_stack(scale=lambda L: W1.shape[1] ** -0.5)(x, W1, *a), "L is the number of blocks, the first axis of W1: you scale by another axis.", (lambda x, W1, *a: _torch_stack(scale=lambda L: W1.shape[2] ** -0.5)(x, W1, *a),)),
        Misconception("skip scaled too", _torch_stack(step=lambda x, f, s, first: (x + f) * s), "You scale the whole block, skip included: after L blocks almost nothing of x is left. Only the branch is scaled."),
        Misconception("only the last bias scaled", _torch_bias_only, "Look at the order of your operations: as it stands, the division meets b2 alone. The whole branch is scaled."),
        Misconception("scaled by the block's own number", _torch_by_number, "Your scale changes from block to block. L is how many blocks there are, the same for all."),
        Misconception("a ReLU at the end of the branch", _torch_stack(step=_torch_relu_branch), "Your branch ends with a ReLU, so a block can only raise its input. The second layer is linear."),
        Misconception("last bias not scaled", _torch_stack(bias_scaled=False), "b2 belongs to the branch: it is scaled with it."),
        Misconception("output scaled once", lambda x, *a: _torch_stack(scale=lambda L: 1.0)(x, *a) / len(a[0]) ** 0.5, "You scale the result of the whole stack, once. Each block scales its own branch, before it is added.", (lambda x, *a: x + (_torch_stack(scale=lambda L: 1.0)(x, *a) - x) / len(a[0]) ** 0.5,)),
        Misconception("ReLU after the addition", _torch_stack(step=_torch_post), "You put a ReLU after each addition. Nothing stands there in this form."),
        Misconception("ReLU forgotten", _torch_stack(inner="none"), "Between the branch's two layers the ReLU is missing."),
        Misconception("skip forgotten", _torch_stack(step=lambda x, f, s, first: s * f), "Your blocks return their branches alone: a plain deep net.", (_torch_stack(step=lambda x, f, s, first: f),)),
        Misconception("skip from the first input", _torch_stack(step=lambda x, f, s, first: first + s * f), "Your skips all start at the stack's first input. Each block adds its branch to what the block BEFORE it returned."),
        Misconception("one skip around all", lambda x, *a: x + _torch_stack(step=lambda x, f, s, first: s * f)(x, *a), "There is one long skip around all branches. Every block has its own.", (lambda x, *a: x + _torch_stack(step=lambda x, f, s, first: f)(x, *a) / len(a[0]) ** 0.5,)),
        Misconception("blocks side by side", _torch_parallel, "All your branches read the first input. Each reads what the block before it returned."),
        Misconception("last block first", _torch_stack(order=lambda ks: ks[::-1]), "Your stack runs backwards: block 0 comes first."),
        Misconception("one block left out", _torch_stack(order=lambda ks: ks[:-1]), "One block is missing: count how often your loop runs for L = 1.", (_torch_stack(order=lambda ks: ks[1:]),)),
        Misconception("the same block every time", _torch_stack(order=lambda ks: [0] * len(ks)), "All your blocks use the same arrays: block k has its own."),
        Misconception("gradient cut off", _torch_cut, "The values are right, but no gradient comes back: something was detached or turned into numbers on the way (.detach(), .numpy(), .data, torch.no_grad, torch.tensor of a tensor).", (_torch_stack(detach=True), _torch_numbers)),
    ),
    hints=(
        "A loop over the blocks; what one returns the next one reads. Plain operations on tensors (@, +, torch.relu) are all you need.",
        "Block k: x plus its branch divided by sqrt(L), L = len(W1). Write x = x + …, not x += …: PyTorch refuses to change an input whose gradient is wanted.",
        "x = x + (torch.relu(x @ W1[k] + b1[k]) @ W2[k] + b2[k]) / len(W1) ** 0.5, for every k; then return x.",
    ),
    minutes=15,
    difficulty=2,
)


TOPIC = Topic(
    name="residual_connections",
    assignment="1_architectures",
    title="Residual connections",
    exercises=(residual_gradient, residual_block, residual_block_backward, residual_stack_jacobian, post_activation_block, post_activation_block_backward, projection_block, projection_block_backward, residual_stack_in_torch),
    written=(Written("why_not_just_skip", points=3, minutes=15),),
)
