"""multi_label: the library against PyTorch and scikit-learn, central differences, invariants, ties, extremes and bad input."""
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import class4lib.judges  # noqa: F401 (enters the judges)
from class4lib import binary_cross_entropy
from class4lib import multi_label as lib
from class4lib.basics import sigmoid
from class4lib.calls import Step
from class4lib.cases import Case, Sheet
from class4lib.gradcheck import GradientError, check_gradient
from class4lib.judging import JUDGES
from tests.oracles import multi_label as torch_lib

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(1, 1), (1, 4), (5, 1), (3, 4), (4, 3), (3, 3)]


def case(shape, rng, soft=True):
    targets = rng.uniform(size=shape) if soft else rng.integers(2, size=shape).astype(float)
    return rng.normal(scale=3, size=shape), targets, rng.uniform(0.2, 5.0, size=shape[1])


def scores(n, k, rng, levels=8):
    """Probabilities in multiples of 1/levels (many ties), and targets that go with them a little."""
    probs = rng.integers(levels + 1, size=(n, k)) / levels
    return probs, (rng.uniform(size=(n, k)) < 0.2 + 0.6 * probs).astype(float)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradient_agree_with_pytorch(shape, soft, weighted, reduction, rng):
    logits, targets, pos_weight = case(shape, rng, soft)
    pos_weight = pos_weight if weighted else None
    loss, gradient = torch_lib.multilabel_bce_with_logits(logits, targets, pos_weight, reduction)
    assert_allclose(lib.multilabel_bce_with_logits(logits, targets, pos_weight, reduction), loss, rtol=1e-10)
    assert_allclose(lib.multilabel_bce_with_logits_grad(logits, targets, pos_weight, reduction), gradient, rtol=1e-10, atol=1e-15)
    assert np.shape(lib.multilabel_bce_with_logits(logits, targets, pos_weight, reduction)) == (shape[:1] if reduction == "none" else ())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_agrees_with_central_differences(weighted, reduction, rng):
    logits, targets, pos_weight = case((3, 4), rng)
    pos_weight = pos_weight if weighted else None
    check_gradient(
        lambda z: lib.multilabel_bce_with_logits(z, targets, pos_weight, reduction), [logits], [lib.multilabel_bce_with_logits_grad(logits, targets, pos_weight, reduction)]
    )


def test_a_gradient_with_the_weight_on_both_terms_is_refused(rng):
    logits, targets, pos_weight = case((3, 4), rng)
    wrong = pos_weight * lib.multilabel_bce_with_logits_grad(logits, targets)
    with pytest.raises(GradientError):
        check_gradient(lambda z: lib.multilabel_bce_with_logits(z, targets, pos_weight), [logits], [wrong])


def test_the_labels_are_independent_and_add_up(rng):
    logits, targets, pos_weight = case((5, 3), rng)
    single = [lib.multilabel_bce_with_logits(logits[:, [k]], targets[:, [k]], pos_weight[[k]]) for k in range(3)]
    assert_allclose(lib.multilabel_bce_with_logits(logits, targets, pos_weight), sum(single), rtol=1e-12)
    assert_allclose(lib.multilabel_bce_with_logits(logits[:, [0]], targets[:, [0]]), binary_cross_entropy.bce_with_logits(logits[:, 0], targets[:, 0]), rtol=1e-12)
    moved = logits.copy()
    moved[:, 1] += 7.0
    before, after = (lib.multilabel_bce_with_logits_grad(z, targets) for z in (logits, moved))
    assert_array_equal(before[:, [0, 2]], after[:, [0, 2]])


def test_a_weight_of_one_changes_nothing_and_an_integer_weight_repeats_a_positive(rng):
    logits, targets, _ = case((5, 3), rng, soft=False)
    assert_allclose(lib.multilabel_bce_with_logits(logits, targets, np.ones(3)), lib.multilabel_bce_with_logits(logits, targets), rtol=1e-14)
    positive = targets[:, 0] == 1
    repeated = np.concatenate([logits[:, 0], logits[positive, 0], logits[positive, 0]])
    labels = np.concatenate([targets[:, 0], np.ones(2 * positive.sum())])
    expected = binary_cross_entropy.bce_with_logits(repeated, labels, "sum")
    assert_allclose(lib.multilabel_bce_with_logits(logits[:, :1], targets[:, :1], [3.0], "sum"), expected, rtol=1e-12)


def test_the_mean_divides_by_examples_and_not_by_entries(rng):
    logits, targets, _ = case((4, 3), rng)
    assert_allclose(4 * lib.multilabel_bce_with_logits(logits, targets), lib.multilabel_bce_with_logits(logits, targets, None, "sum"), rtol=1e-12)
    assert lib.multilabel_bce_with_logits(np.zeros((4, 3)), targets) == pytest.approx(3 * np.log(2))


def test_logits_of_1000_give_exact_losses_in_silence():
    logits, targets = np.array([[1000.0, -1000.0], [1000.0, -1000.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        assert_array_equal(lib.multilabel_bce_with_logits(logits, targets, [2.0, 3.0], "none"), [4000.0, 0.0])
        assert_array_equal(lib.multilabel_bce_with_logits_grad(logits, targets, [2.0, 3.0], "sum"), [[1.0, -3.0], [0.0, 0.0]])
    assert lib.multilabel_bce_with_logits([[40.0]], [[1.0]]) == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_nan_propagates_to_its_own_entry_only():
    assert_array_equal(np.isnan(lib.multilabel_bce_with_logits([[np.nan, 0.0], [0.0, 0.0]], np.ones((2, 2)), None, "none")), [True, False])
    assert_array_equal(np.isnan(lib.multilabel_bce_with_logits_grad([[np.nan, 0.0]], [[1, 1]])), [[True, False]])


def test_a_probability_equal_to_its_threshold_is_not_enough():
    assert_array_equal(lib.decide([[0.5, 0.625], [0.375, 0.5]], 0.5), [[0, 1], [0, 0]])


def test_thresholds_go_by_label_and_never_by_example():
    probs = np.full((2, 2), 0.5)
    assert_array_equal(lib.decide(probs, [0.25, 0.75]), [[1, 0], [1, 0]])
    assert_array_equal(lib.decide(np.full((3, 2), 0.5), [0.75, 0.25]), [[0, 1]] * 3)


def test_every_kind_of_threshold_is_taken(rng):
    probs = rng.uniform(size=(4, 3))
    for tau in (0.5, np.float64(0.5), np.array(0.5), [0.5, 0.5, 0.5]):
        assert_array_equal(lib.decide(probs, tau), torch_lib.decide(probs, 0.5))
    assert_array_equal(lib.decide(probs, -1), np.ones((4, 3)))
    assert_array_equal(lib.decide(probs, 1), np.zeros((4, 3)))


@pytest.mark.parametrize("shape", SHAPES)
def test_f1_agrees_with_scikit_learn_and_with_counting(shape, rng):
    from sklearn.metrics import f1_score

    for _ in range(5):
        decisions, targets = rng.integers(2, size=shape), rng.integers(2, size=shape)
        assert_allclose(lib.f1_per_label(decisions, targets), torch_lib.f1_per_label(decisions, targets), rtol=1e-12)
        expected = [f1_score(targets[:, k], decisions[:, k], zero_division=0) for k in range(shape[1])]
        assert_allclose(lib.f1_per_label(decisions, targets), expected, rtol=1e-12)


def test_an_empty_label_has_f1_zero_in_silence():
    from sklearn.metrics import f1_score

    decisions, targets = np.array([[0, 1, 0, 1]] * 2), np.array([[0, 0, 1, 1]] * 2)
    with np.errstate(all="raise"):
        f1 = lib.f1_per_label(decisions, targets)
    assert_array_equal(f1, [0, 0, 0, 1])
    assert_array_equal(f1, f1_score(targets, decisions, average=None, zero_division=0))


@pytest.mark.parametrize(("n", "k", "levels"), [(1, 3, 8), (2, 2, 2), (9, 4, 8), (30, 5, 4), (40, 5, 10**6)])
def test_best_thresholds_attain_the_highest_f1_of_all(n, k, levels, rng):
    for _ in range(10):
        probs, targets = scores(n, k, rng, levels)
        tau = lib.best_thresholds(probs, targets)
        assert np.isfinite(tau).all()
        assert_allclose(lib.f1_per_label(lib.decide(probs, tau), targets), torch_lib.best_f1(probs, targets), rtol=1e-14)


def test_best_thresholds_agree_with_scikit_learns_precision_recall_curve(rng):
    from sklearn.metrics import precision_recall_curve

    probs, targets = scores(200, 4, rng, levels=64)
    f1 = lib.f1_per_label(lib.decide(probs, lib.best_thresholds(probs, targets)), targets)
    for k in range(4):
        precision, recall, _ = precision_recall_curve(targets[:, k], probs[:, k])
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
        assert f1[k] == pytest.approx(best, rel=1e-12)


def test_neighbouring_floats_are_still_told_apart():
    high = np.nextafter(0.5, 1)
    probs, targets = np.array([[high], [0.5], [0.5]]), np.array([[1], [0], [0]])
    assert_array_equal(lib.decide(probs, lib.best_thresholds(probs, targets)), targets)


def test_best_thresholds_at_the_ends():
    probs = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]])
    targets = np.array([[1, 0, 0], [1, 0, 0]])  # all true, none true, none true and tied
    decisions = lib.decide(probs, lib.best_thresholds(probs, targets))
    assert_array_equal(decisions, targets)
    ones = np.ones((3, 1))
    assert_array_equal(lib.f1_per_label(lib.decide(np.zeros((3, 1)), lib.best_thresholds(np.zeros((3, 1)), ones)), ones), [1.0])


def test_the_best_threshold_for_f1_is_not_the_best_for_accuracy():
    probs, targets = np.array([[0.875], [0.75], [0.625], [0.5], [0.375], [0.25]]), np.array([[1], [0], [0], [1], [0], [0]])
    decisions = lib.decide(probs, lib.best_thresholds(probs, targets))
    assert_array_equal(lib.f1_per_label(decisions, targets), [2 / 3])
    assert (decisions == targets).mean() <= (lib.decide(probs, 0.8) == targets).mean()


def test_best_thresholds_of_many_examples_take_one_sort(rng):
    probs = rng.uniform(size=(200_000, 1))  # trying every threshold would take hours
    targets = (rng.uniform(size=probs.shape) < probs).astype(float)
    start = time.perf_counter()
    lib.best_thresholds(probs, targets)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("gamma", [0.0, 1.0, 1.5, 3.0])
def test_focal_loss_weights_every_entry_by_what_the_truth_is_not_given(gamma, rng):
    import torch

    logits, targets = rng.normal(scale=3, size=(4, 3)), rng.integers(2, size=(4, 3))
    q = np.where(targets == 1, sigmoid(logits), sigmoid(-logits))
    loss = lib.focal_loss_in_torch(torch.tensor(logits), torch.tensor(targets), gamma)
    assert loss.item() == pytest.approx(-((1 - q) ** gamma * np.log(q)).sum(axis=1).mean(), rel=1e-12)


def test_focal_loss_with_exponent_0_is_the_plain_loss_and_gradient_also_at_1000():
    import torch

    logits, targets = np.array([[1000.0, -1000.0, 0.5], [-1000.0, 1000.0, 2.0]]), np.array([[1, 1, 0], [1, 0, 1]])
    z = torch.tensor(logits, requires_grad=True)
    loss = lib.focal_loss_in_torch(z, torch.tensor(targets), 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(lib.multilabel_bce_with_logits(logits, targets), rel=1e-12)
    assert_allclose(z.grad.numpy(), lib.multilabel_bce_with_logits_grad(logits, targets), atol=1e-15)
    for gamma in (1.0, 1.5, 2.0):
        z.grad = None
        lib.focal_loss_in_torch(z, torch.tensor(targets), gamma).backward()
        assert torch.isfinite(z.grad).all()


def judged(tau, probs, targets):
    """The failure's code of these thresholds, "" where they are right."""
    case = Case("", "values", (Step("best_thresholds", (np.array(probs), np.array(targets))),), judge="highest_f1")
    failure = JUDGES["highest_f1"](case, [{"value": tau, "changed": []}], Sheet("best_thresholds", (), (case,), (), ("probs", "targets")))
    return failure.code if failure else ""


PROBS = [[0.1, 0.9], [0.3, 0.7], [0.5, 0.5], [0.7, 0.3]]
TARGETS = [[0, 1], [1, 0], [0, 1], [1, 0]]  # best: the three highest, the three highest


@pytest.mark.parametrize("tau", [[0.1, 0.3], [0.2, 0.4], (0.299, np.float64(0.499)), np.array([0.15, 0.45], dtype=np.float32)])
def test_every_threshold_that_decides_a_best_set_is_right(tau):
    assert judged(tau, PROBS, TARGETS) == ""


@pytest.mark.parametrize("tau", [-1, -5e-324, -1e300])
def test_thresholds_outside_the_scores_are_right_where_all_are_to_be_decided(tau):
    assert judged([tau], [[0.0], [0.5]], [[1], [1]]) == ""
    assert judged([-tau], [[0.0], [0.5]], [[0], [0]]) == ""  # F1 is 0 whatever is decided


@pytest.mark.parametrize(
    ("tau", "code"),
    [
        (None, "missing"),
        ("a string", "type"),
        ([[0.2], [0.4]], "shape"),
        (0.2, "shape"),
        ([0.2, np.inf], "finite"),
        ([0.2, np.nan], "finite"),
        ([0.3, 0.3], "shared"),
        ([0.3, 0.5], "at least"),
        ([-1.0, -2.0], "recall"),
        ([0.65, 0.8], "accuracy"),
        ([0.1, 0.95], "nothing"),
        ([0.1, 0.6123], "low"),
    ],
)
def test_thresholds_that_fall_short_are_refused_with_their_reason(tau, code):
    assert judged(tau, PROBS, TARGETS) == code


def test_ties_grids_and_steps_are_told_apart():
    tied = [[0.875], [0.75], [0.5], [0.5], [0.5], [0.5], [0.25], [0.25], [0.25], [0.125]]
    assert judged([0.5], tied, [[0], [1], [1], [0], [0], [0], [1], [1], [1], [0]]) == "ties"
    close = [[0.3123456], [0.3123458], [0.3123454], [0.1]]
    assert judged([0.31], close, [[0], [1], [0], [0]]) == "grid"
    assert judged([0.3123458 - 1e-5], close, [[0], [1], [0], [0]]) == "step"
    assert judged([0.25], [[0.0], [0.5]], [[1], [1]]) == "lowest"


def test_inputs_are_never_changed(rng):
    logits, targets, pos_weight = case((4, 3), rng, soft=False)
    probs, tau = rng.uniform(size=(4, 3)), rng.uniform(size=3)
    arrays = logits, targets, pos_weight, probs, tau
    kept = [a.copy() for a in arrays]
    lib.multilabel_bce_with_logits(logits, targets, pos_weight)
    lib.multilabel_bce_with_logits_grad(logits, targets, pos_weight)
    lib.f1_per_label(lib.decide(probs, tau), targets)
    lib.best_thresholds(probs, targets)
    for now, before in zip(arrays, kept, strict=True):
        assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.multilabel_bce_with_logits([0.0], [1.0]), ValueError, "multilabel_bce_with_logits: logits must have 2 axes (N, K), got shape (1,)."),
        (lambda: lib.multilabel_bce_with_logits(np.ones((0, 2)), np.ones((0, 2))), ValueError, "multilabel_bce_with_logits: logits must not be empty, got shape (0, 2)."),
        (
            lambda: lib.multilabel_bce_with_logits(np.ones((3, 2)), np.ones((2, 3))),
            ValueError,
            "multilabel_bce_with_logits: targets must have shape (3, 2), got (2, 3): match axis 0 of logits and the last axis of logits.",
        ),
        (lambda: lib.multilabel_bce_with_logits([[0.0]], [[2]]), ValueError, "multilabel_bce_with_logits: targets must be at most 1, got 2."),
        (lambda: lib.multilabel_bce_with_logits([[0.0]], [[1]], [1, 1]), ValueError, "multilabel_bce_with_logits: pos_weight must have shape (1,), got (2,): match the last axis of logits."),
        (lambda: lib.multilabel_bce_with_logits([[0.0]], [[1]], [-1]), ValueError, "multilabel_bce_with_logits: pos_weight must be at least 0, got -1."),
        (lambda: lib.multilabel_bce_with_logits([[0.0]], [[1]], "mean"), TypeError, "multilabel_bce_with_logits: pos_weight must hold real numbers, got 'mean'."),
        (lambda: lib.multilabel_bce_with_logits_grad([[0.0]], [[1]], None, "avg"), ValueError, "multilabel_bce_with_logits_grad: reduction must be one of 'mean', 'sum', 'none', got 'avg'."),
        (lambda: lib.multilabel_bce_with_logits_grad([[0.0]], [[-0.5]]), ValueError, "multilabel_bce_with_logits_grad: targets must be at least 0, got -0.5."),
        (lambda: lib.decide([[3.0]], 0.5), ValueError, "decide: probs must be at most 1, got 3."),
        (lambda: lib.decide([[0.5, 0.5]], [0.5]), ValueError, "decide: tau must be a number or have shape (2,), got (1,): match the last axis of probs."),
        (lambda: lib.decide([[0.5, 0.5]], [[0.5, 0.5]]), ValueError, "decide: tau must be a number or have shape (2,), got (1, 2): match the last axis of probs."),
        (lambda: lib.decide([[0.5]], "half"), TypeError, "decide: tau must hold real numbers, got 'half'."),
        (lambda: lib.f1_per_label([[0.5]], [[1]]), ValueError, "f1_per_label: decisions must hold 0 and 1 only, got 0.5."),
        (lambda: lib.f1_per_label([[1]], [[0.25]]), ValueError, "f1_per_label: targets must hold 0 and 1 only, got 0.25."),
        (lambda: lib.f1_per_label([[1]], [[1, 0]]), ValueError, "f1_per_label: targets must have shape (1, 1), got (1, 2): match the last axis of decisions."),
        (lambda: lib.best_thresholds([[0.5]], [[0.5]]), ValueError, "best_thresholds: targets must hold 0 and 1 only, got 0.5."),
        (lambda: lib.best_thresholds([[-0.5]], [[1]]), ValueError, "best_thresholds: probs must be at least 0, got -0.5."),
        (lambda: lib.best_thresholds(np.ones((0, 2)), np.ones((0, 2))), ValueError, "best_thresholds: probs must not be empty, got shape (0, 2)."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
