"""multi_task: the library against PyTorch's autograd, central differences, invariants, extremes and bad input."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from autograder.exercises.multi_task import multi_task_backward
from autograder.sheets import make_sheet
from class4lib import multi_task as lib
from class4lib.gradcheck import GradientError, check_gradient
from class4lib.judging import judge
from class4lib.softmax_cross_entropy import softmax_cross_entropy
from tests.oracles import multi_task as torch_lib

WEIGHTS = [[1.0, 1.0, 1.0], [0.25, 3.0, 0.0], [0.2, 0.3, 0.5]]


def network(rng, n=5, d=3, hidden=4, outputs=(2, 1, 3)):
    x, W, b = rng.normal(size=(n, d)), rng.normal(size=(d, hidden)), rng.normal(size=hidden)
    heads = [(rng.normal(size=(hidden, m)), rng.normal(size=m)) for m in outputs]
    return x, W, b, heads, [rng.normal(size=(n, m)) for m in outputs]


@pytest.mark.parametrize("n", [1, 5])
def test_forward_agrees_with_pytorch(n, rng):
    x, W, b, heads, _ = network(rng, n)
    h, predictions = lib.multi_task_forward(x, W, b, heads)
    expected_h, expected = torch_lib.multi_task_forward(x, W, b, heads)
    assert_allclose(h, expected_h, rtol=1e-10)
    assert isinstance(predictions, list) and len(predictions) == 3
    for got, want in zip(predictions, expected, strict=True):
        assert_allclose(got, want, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n", [1, 5])
def test_backward_agrees_with_autograd(n, weights, rng):
    x, W, b, heads, d = network(rng, n)
    dW, db, dheads = lib.multi_task_backward(d, x, W, b, heads, weights)
    expected_W, expected_b, expected_heads = torch_lib.multi_task_backward(d, x, W, b, heads, weights)
    assert_allclose(dW, expected_W, rtol=1e-10, atol=1e-13)
    assert_allclose(db, expected_b, rtol=1e-10, atol=1e-13)
    assert isinstance(dheads, list) and all(isinstance(pair, tuple) for pair in dheads)
    for got, want in zip(dheads, expected_heads, strict=True):
        assert_allclose(got[0], want[0], rtol=1e-10, atol=1e-13)
        assert_allclose(got[1], want[1], rtol=1e-10, atol=1e-13)


def test_backward_agrees_with_central_differences(rng):
    x, W, b, heads, d = network(rng)
    weights = [0.5, 2.0, 1.25]

    def total(W, b, *flat):
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        _, predictions = lib.multi_task_forward(x, W, b, pairs)
        return lib.combined_loss([(g * p).sum() for g, p in zip(d, predictions, strict=True)], weights)

    dW, db, dheads = lib.multi_task_backward(d, x, W, b, heads, weights)
    flat, dflat = [a for pair in heads for a in pair], [a for pair in dheads for a in pair]
    check_gradient(total, [W, b, *flat], [dW, db, *dflat])
    with pytest.raises(GradientError):  # the branches averaged
        check_gradient(total, [W, b, *flat], [dW / 3])


def test_a_task_of_weight_zero_leaves_no_trace(rng):
    x, W, b, heads, d = network(rng)
    dW, db, dheads = lib.multi_task_backward(d, x, W, b, heads, [1.0, 0.0, 2.0])
    alone_W, alone_b, _ = lib.multi_task_backward([d[0], d[2]], x, W, b, [heads[0], heads[2]], [1.0, 2.0])
    assert_array_equal(dheads[1][0], np.zeros((4, 1)))
    assert_array_equal(dheads[1][1], np.zeros(1))
    assert_allclose(dW, alone_W, rtol=1e-12)
    assert_allclose(db, alone_b, rtol=1e-12)


def test_the_trunks_gradient_is_the_shared_gradient_of_the_tasks_alone(rng):
    x, W, b, heads, d = network(rng)
    weights = [0.25, 3.0, 1.5]
    alone = [lib.multi_task_backward([d[i]], x, W, b, [heads[i]], [1.0]) for i in range(3)]
    dW, db, dheads = lib.multi_task_backward(d, x, W, b, heads, weights)
    assert_allclose(dW, lib.shared_gradient([a[0] for a in alone], weights), rtol=1e-12)
    assert_allclose(db, lib.shared_gradient([a[1] for a in alone], weights), rtol=1e-12)
    assert_allclose(dheads[1][0], 3.0 * alone[1][2][0][0], rtol=1e-12)  # lambda once in the head


def test_saturated_units_stay_finite_and_pass_nothing():
    heads = [(np.ones((2, 1)), np.zeros(1))]
    h, predictions = lib.multi_task_forward([[1000.0]], [[1.0, -1.0]], [0.0, 0.0], heads)
    assert_array_equal(h, [[1.0, -1.0]])
    assert_array_equal(predictions[0], [[0.0]])
    dW, db, _ = lib.multi_task_backward([np.ones((1, 1))], [[1000.0]], [[1.0, -1.0]], [0.0, 0.0], heads, [1.0])
    assert_array_equal(dW, [[0.0, 0.0]])
    assert_array_equal(db, [0.0, 0.0])


@pytest.mark.parametrize("weights", WEIGHTS)
def test_combined_loss_and_shared_gradient_agree_with_pytorch(weights, rng):
    losses, gradients = rng.uniform(size=3), [rng.normal(size=(2, 3)) for _ in range(3)]
    assert lib.combined_loss(losses, weights) == pytest.approx(torch_lib.combined_loss(losses, weights), rel=1e-12)
    assert isinstance(lib.combined_loss(list(losses), weights), float)
    assert_allclose(lib.shared_gradient(gradients, weights), torch_lib.shared_gradient(gradients, weights), rtol=1e-10)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4)])
def test_shared_gradient_takes_any_shape_and_does_not_normalise_the_weights(shape, rng):
    gradients = [rng.normal(size=shape) for _ in range(3)]
    expected = 2 * gradients[0] + 5 * gradients[1]
    result = lib.shared_gradient(gradients, [2.0, 5.0, 0.0])
    assert_allclose(result, expected, rtol=1e-12)
    assert np.shape(result) == shape


def test_uncertainty_weights_agree_with_the_papers_sigma_form(rng):
    losses, s = rng.uniform(0.1, 9, size=4), rng.normal(size=4)
    value, dlosses, ds = torch_lib.uncertainty_weighted_loss(losses, s)
    assert lib.uncertainty_weighted_loss(losses, s) == pytest.approx(value, rel=1e-12)
    assert_allclose(lib.uncertainty_weighted_loss_grad(losses, s)[0], dlosses, rtol=1e-10)
    assert_allclose(lib.uncertainty_weighted_loss_grad(losses, s)[1], ds, rtol=1e-10, atol=1e-15)


def test_the_uncertainty_gradients_agree_with_central_differences(rng):
    losses, s = rng.uniform(0.1, 9, size=4), rng.normal(size=4)
    check_gradient(lib.uncertainty_weighted_loss, [losses, s], lib.uncertainty_weighted_loss_grad(losses, s))
    with pytest.raises(GradientError):  # + s/2 left out
        check_gradient(lib.uncertainty_weighted_loss, [losses, s], [np.exp(-s) / 2, -np.exp(-s) * losses / 2])


def test_the_least_uncertainty_weighted_loss_is_at_the_logarithm_of_the_losses(rng):
    losses = rng.uniform(0.1, 9, size=4)
    s = np.log(losses)
    assert_allclose(lib.uncertainty_weighted_loss_grad(losses, s)[1], 0.0, atol=1e-15)
    least = lib.uncertainty_weighted_loss(losses, s)
    assert least == pytest.approx(0.5 * (4 + s.sum()), rel=1e-12)
    assert all(lib.uncertainty_weighted_loss(losses, s + step) > least for step in rng.normal(scale=0.1, size=(20, 4)))


def test_a_loss_of_zero_is_weighted_without_harm():
    assert lib.uncertainty_weighted_loss([0.0], [-2.0]) == -1.0
    assert_array_equal(lib.uncertainty_weighted_loss_grad([0.0], [0.0])[1], [0.5])


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
def test_cosine_and_projection_agree_with_pytorch(shape, rng):
    for sign in (1, -1):
        g1, g2 = rng.normal(size=shape), 3.0 * rng.normal(size=shape)  # g2 is no unit vector
        g2 *= sign * np.sign((g1 * g2).sum())
        assert lib.gradient_cosine(g1, g2) == pytest.approx(torch_lib.gradient_cosine(g1, g2), rel=1e-10)
        assert_allclose(lib.project_conflict(g1, g2), torch_lib.project_conflict(g1, g2), rtol=1e-10, atol=1e-14)


def test_cosine_of_known_angles():
    g = np.array([[3.0, 0.0], [0.0, 4.0]])
    assert lib.gradient_cosine(g, 7 * g) == pytest.approx(1.0, abs=1e-15)
    assert lib.gradient_cosine(g, -g) == pytest.approx(-1.0, abs=1e-15)
    assert lib.gradient_cosine(g, [[0.0, 1.0], [1.0, 0.0]]) == 0.0
    assert lib.gradient_cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx(np.sqrt(0.5))


def test_a_zero_gradient_has_cosine_zero_and_conflicts_with_nothing():
    zero, g = np.zeros(3), np.array([1.0, -2.0, 3.0])
    with np.errstate(all="raise"):
        assert lib.gradient_cosine(zero, g) == lib.gradient_cosine(g, zero) == lib.gradient_cosine(zero, zero) == 0.0
        assert_array_equal(lib.project_conflict(g, zero), g)
        assert_array_equal(lib.project_conflict(zero, g), zero)


@pytest.mark.parametrize("scale", [1e-250, 1e250])
def test_tiny_and_huge_gradients_are_compared_and_projected_as_any_other(scale):
    g1, g2 = scale * np.array([1.0, 0.0]), scale * np.array([-1.0, 1.0])
    assert lib.gradient_cosine(g1, g2) == pytest.approx(-np.sqrt(0.5))
    assert_allclose(lib.project_conflict(g1, g2), scale * np.array([0.5, 0.5]), rtol=1e-12)


def test_a_projected_gradient_no_longer_works_against_the_other(rng):
    g1 = rng.normal(size=(3, 4))
    g2 = -2.0 * g1 + rng.normal(size=(3, 4))
    projected = lib.project_conflict(g1, g2)
    assert (projected * g2).sum() == pytest.approx(0.0, abs=1e-12)
    assert (projected * g1).sum() > 0
    assert_allclose(lib.project_conflict(projected, g2), projected, atol=1e-12)


def test_agreeing_gradients_are_left_exactly_alone(rng):
    g1 = rng.normal(size=6)
    assert_array_equal(lib.project_conflict(g1, g1 + 0.1), g1)
    assert_array_equal(lib.project_conflict([1.0, 0.0], [0.0, 5.0]), [1.0, 0.0])


@pytest.mark.parametrize("n", [1, 5])
def test_the_loss_in_torch_is_the_uncertainty_weighted_loss_of_the_networks_cross_entropies(n, rng):
    import torch

    x, W, b, heads, _ = network(rng, n, outputs=(2, 3, 4))
    labels, s = [rng.integers(k, size=n) for k in (2, 3, 4)], rng.normal(size=3)

    def total(W, b, s, *flat):
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        _, logits = lib.multi_task_forward(x, W, b, pairs)
        return lib.uncertainty_weighted_loss([softmax_cross_entropy(z, y) for z, y in zip(logits, labels, strict=True)], s)

    arrays = [W, b, s, *(a for pair in heads for a in pair)]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    pairs = list(zip(tensors[3::2], tensors[4::2], strict=True))
    loss = lib.multi_task_loss_in_torch(torch.tensor(x), tensors[0], tensors[1], pairs, [torch.tensor(y) for y in labels], tensors[2])
    assert loss.item() == pytest.approx(total(*arrays), rel=1e-12)
    loss.backward()
    check_gradient(total, arrays, [t.grad.numpy() for t in tensors])


@pytest.mark.parametrize("head_mistake", ["λ left out of the head", "λ twice in the head", "a head of weight 0 left out"])
def test_a_mistake_in_the_trunk_is_named_whatever_the_heads_are(head_mistake):
    sheet = make_sheet(multi_task_backward, [7, 8])
    right = [c.expected[0]["value"] for c in sheet.cases]
    trunk, head = (next(m for m in sheet.mistakes if m.name == name) for name in ("branches averaged", head_mistake))

    def answer(with_heads):
        return [({"value": (*t[0]["value"][:2], h[0]["value"][2] if with_heads else r[2])},) for t, h, r in zip(trunk.records, head.records, right, strict=True)]

    assert judge(sheet, answer(with_heads=False)).misconception == "branches averaged"
    both = judge(sheet, answer(with_heads=True))
    first = head_mistake if head_mistake != "a head of weight 0 left out" else "branches averaged"  # that one shows in the edge cases only
    assert both.misconception == first
    assert {t.name: t.points for t in both.tiers}["trunk"] == 0
    assert judge(sheet, head.records).points >= 2.5  # the trunk's points stand


def test_nan_propagates():
    assert np.isnan(lib.combined_loss([np.nan, 1.0], [1.0, 1.0]))
    assert np.isnan(lib.gradient_cosine([np.nan, 1.0], [1.0, 1.0]))
    assert np.isnan(lib.project_conflict([1.0, 1.0], [np.nan, 1.0])).all()
    assert np.isnan(lib.uncertainty_weighted_loss([1.0], [np.nan]))


def test_inputs_are_never_changed(rng):
    x, W, b, heads, d = network(rng)
    arrays = [x, W, b, *d, *(a for pair in heads for a in pair)]
    kept = [a.copy() for a in arrays]
    lib.multi_task_backward(d, x, W, b, heads, [1.0, 2.0, 3.0])
    lib.shared_gradient([x, x], [1.0, 2.0])
    lib.project_conflict(x, -x)
    for now, before in zip(arrays, kept, strict=True):
        assert_array_equal(now, before)


ONES = np.ones((2, 3))
HEAD = (np.ones((4, 1)), np.zeros(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.combined_loss([1.0, 2.0], [1.0]), ValueError, "combined_loss: weights must have shape (2,), got (1,): match the length of losses."),
        (lambda: lib.combined_loss([], []), ValueError, "combined_loss: losses must not be empty, got shape (0,)."),
        (lambda: lib.combined_loss("ab", [1.0]), TypeError, "combined_loss: losses must hold real numbers, got 'ab'."),
        (lambda: lib.shared_gradient([ONES, ONES], [1.0]), ValueError, "shared_gradient: weights must have shape (2,), got (1,): match the length of task_gradients."),
        (lambda: lib.shared_gradient([ONES, ONES.T], [1.0, 1.0]), ValueError, "shared_gradient: task_gradients[1] must have shape (2, 3), got (3, 2): match task_gradients[0]."),
        (lambda: lib.shared_gradient([], []), ValueError, "shared_gradient: task_gradients must hold at least 1, got 0."),
        (lambda: lib.shared_gradient(3.0, [1.0]), TypeError, "shared_gradient: task_gradients must be a list of arrays, got float."),
        (lambda: lib.multi_task_forward(ONES, np.ones((2, 4)), np.ones(4), [HEAD]), ValueError, "multi_task_forward: W must have shape (3, 4), got (2, 4): match the last axis of x."),
        (lambda: lib.multi_task_forward(ONES, np.ones((3, 4)), np.ones(3), [HEAD]), ValueError, "multi_task_forward: b must have shape (4,), got (3,): match the last axis of W."),
        (lambda: lib.multi_task_forward(ONES, np.ones((3, 2)), np.ones(2), [HEAD]), ValueError, "multi_task_forward: heads[0][0] must have shape (2, 1), got (4, 1): match the last axis of W."),
        (
            lambda: lib.multi_task_forward(ONES, np.ones((3, 4)), np.ones(4), [HEAD, (np.ones((4, 2)), np.ones(1))]),
            ValueError,
            "multi_task_forward: heads[1][1] must have shape (2,), got (1,): match the last axis of heads[1][0].",
        ),
        (lambda: lib.multi_task_forward(ONES, np.ones((3, 4)), np.ones(4), []), ValueError, "multi_task_forward: heads must hold at least 1, got 0."),
        (lambda: lib.multi_task_forward(ONES, np.ones((3, 4)), np.ones(4), 1), TypeError, "multi_task_forward: heads must be a list of pairs (V, c), got int."),
        (lambda: lib.multi_task_forward(ONES, np.ones((3, 4)), np.ones(4), [np.ones((4, 1))]), TypeError, "multi_task_forward: heads[0] must be a pair (V, c), got a ndarray."),
        (
            lambda: lib.multi_task_backward([np.ones((2, 1))], ONES, np.ones((3, 4)), np.ones(4), [HEAD, HEAD], [1.0, 1.0]),
            ValueError,
            "multi_task_backward: dpredictions must hold one entry per head, 2, got 1: match heads.",
        ),
        (
            lambda: lib.multi_task_backward([np.ones((2, 1))], ONES, np.ones((3, 4)), np.ones(4), [HEAD], [1.0, 1.0]),
            ValueError,
            "multi_task_backward: weights must hold one entry per head, 1, got 2: match heads.",
        ),
        (
            lambda: lib.multi_task_backward([np.ones((2, 2))], ONES, np.ones((3, 4)), np.ones(4), [HEAD], [1.0]),
            ValueError,
            "multi_task_backward: dpredictions[0] must have shape (2, 1), got (2, 2): match the rows of x and the last axis of heads[0][0].",
        ),
        (lambda: lib.uncertainty_weighted_loss([1.0, 2.0], [0.0]), ValueError, "uncertainty_weighted_loss: log_variances must have shape (2,), got (1,): match the length of losses."),
        (lambda: lib.uncertainty_weighted_loss_grad([], []), ValueError, "uncertainty_weighted_loss_grad: losses must not be empty, got shape (0,)."),
        (lambda: lib.gradient_cosine([1.0], [1.0, 2.0]), ValueError, "gradient_cosine: g2 must have shape (1,), got (2,): match g1."),
        (lambda: lib.gradient_cosine([], []), ValueError, "gradient_cosine: g1 must not be empty, got shape (0,)."),
        (lambda: lib.project_conflict(ONES, ONES.T), ValueError, "project_conflict: g2 must have shape (2, 3), got (3, 2): match g1."),
        (lambda: lib.project_conflict([None], [1.0]), TypeError, "project_conflict: g1 must hold real numbers, got a list."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
