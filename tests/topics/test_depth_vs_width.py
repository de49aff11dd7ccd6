"""depth_vs_width: nets as functions, parameters and linear pieces, against PyTorch, rational arithmetic and dense sampling."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from autograder import sheets
from autograder.exercises import depth_vs_width as spec
from class4lib import depth_vs_width as lib
from class4lib.calls import run_script
from class4lib.judging import judge
from tests.oracles import depth_vs_width as torch_lib

A = np.array


def random_net(widths, rng, dyadic=False):
    def draw(*shape):
        return rng.integers(-8, 9, size=shape) / 8 if dyadic else rng.normal(size=shape) * np.sqrt(2 / shape[0])

    return [draw(n, m) for n, m in pairwise(widths)], [draw(m) for m in widths[1:]]


def random_widths(rng):
    return [1, *rng.integers(1, 7, size=rng.integers(1, 5)).tolist(), 1]


def units(*kinks, slopes=None, out=None):
    """One hidden layer: unit i is relu(slope_i (x - kink_i)), with output weight out_i."""
    kinks = A(kinks, dtype=float)
    slopes = np.ones_like(kinks) if slopes is None else A(slopes, dtype=float)
    out = np.ones_like(kinks) if out is None else A(out, dtype=float)
    return [slopes[None], out[:, None]], [-slopes * kinks, np.zeros(1)]


@pytest.mark.parametrize("widths", [[1, 1], [3, 4], [5, 1, 2], [1, *[2] * 10, 1], [64, 32, 16, 10]])
def test_parameters_are_counted_as_pytorch_holds_them(widths):
    assert lib.count_parameters(widths) == torch_lib.count_parameters(widths)


def test_the_parameters_of_a_net_are_those_of_its_arrays():
    weights, biases = lib.sawtooth_network(10)
    assert lib.count_parameters([1, *[2] * 10, 1]) == sum(a.size for a in [*weights, *biases]) == 61
    weights, biases = lib.shallow_sawtooth_network(10)
    assert lib.count_parameters([1, 1024, 1]) == sum(a.size for a in [*weights, *biases]) == 3073


@pytest.mark.parametrize("widths", [[3, 2], [1, 4, 1], [4, 3, 5, 2], [2, 1, 1, 3]])
@pytest.mark.parametrize("n", [1, 5])
def test_relu_network_agrees_with_pytorch(widths, n, rng):
    weights, biases = random_net(widths, rng)
    x = rng.normal(size=(n, widths[0]))
    assert_allclose(lib.relu_network(x, weights, biases), torch_lib.relu_network(x, weights, biases), rtol=1e-10, atol=1e-14)


def test_relu_network_leaves_the_sign_of_its_output_alone():
    assert lib.relu_network([[1.0]], [[[1.0]], [[1.0]]], [[0.0], [-3.0]]) == -2.0
    assert lib.relu_network([[1.0]], [[[-2.0]]], [[0.0]]) == -2.0


def test_relu_network_changes_none_of_its_inputs(rng):
    weights, biases = random_net([2, 3, 1], rng)
    arrays = [rng.normal(size=(4, 2)), *weights, *biases]
    copies = [a.copy() for a in arrays]
    lib.relu_network(arrays[0], weights, biases)
    for a, copy in zip(arrays, copies, strict=True):
        assert_array_equal(a, copy)


@pytest.mark.parametrize("n_knots", [2, 3, 50])
def test_interpolating_network_goes_through_the_points_and_is_linear_between(n_knots, rng):
    knots, values = np.sort(rng.uniform(-5, 5, size=n_knots)), rng.normal(scale=3, size=n_knots)
    net = lib.interpolating_network(knots, values)
    x = np.concatenate([knots, rng.uniform(knots[0], knots[-1], size=200)])
    assert_allclose(lib.relu_network(x[:, None], *net)[:, 0], torch_lib.interpolate(x, knots, values), rtol=1e-9, atol=1e-9)
    assert lib.count_linear_pieces(*net, knots[0], knots[-1]) == n_knots - 1


def test_interpolating_network_is_exact_on_dyadic_points_far_from_zero():
    knots, values = A([1000.0, 1000.125, 1001.0]), A([-2.0, 5.0, 5.5])
    assert_array_equal(lib.relu_network(knots[:, None], *lib.interpolating_network(knots, values))[:, 0], values)


def test_interpolating_network_does_not_share_memory_with_its_points():
    knots, values = A([0.0, 1.0]), A([1.0, 2.0])
    weights, biases = lib.interpolating_network(knots, values)
    assert not any(np.shares_memory(a, v) for a in [*weights, *biases] for v in (knots, values))


def test_one_hidden_layer_approximates_a_smooth_function_quadratically_in_the_knots():
    x = np.linspace(0, 3, 10001)
    errors = []
    for n in (10, 20, 40):
        knots = np.linspace(0, 3, n + 1)
        errors.append(
            np.abs(lib.relu_network(x[:, None], *lib.interpolating_network(knots, np.sin(3 * knots)))[:, 0] - np.sin(3 * x)).max()
        )
    assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 4.0, rtol=0.1)


@pytest.mark.parametrize("depth", range(1, 11))
@pytest.mark.parametrize("make", [lib.sawtooth_network, lib.shallow_sawtooth_network])
def test_sawtooths_are_the_composed_tent(make, depth, rng):
    net = make(depth)
    dyadic, random = np.arange(2**12 + 1) / 2**12, rng.random(500)
    assert_array_equal(lib.relu_network(dyadic[:, None], *net)[:, 0], torch_lib.sawtooth(dyadic, depth))
    assert_allclose(lib.relu_network(random[:, None], *net)[:, 0], torch_lib.sawtooth(random, depth), atol=1e-9)
    assert lib.count_linear_pieces(*net, 0.0, 1.0) == 2**depth


@pytest.mark.parametrize("depth", [1, 4, 10])
def test_sawtooths_have_the_widths_that_are_asked_for(depth):
    weights, biases = lib.sawtooth_network(depth)
    assert [W.shape for W in weights] == [(1, 2), *[(2, 2)] * (depth - 1), (2, 1)]
    assert [b.shape for b in biases] == [(2,)] * depth + [(1,)]
    weights, biases = lib.shallow_sawtooth_network(depth)
    assert [W.shape for W in weights] == [(1, 2**depth), (2**depth, 1)]
    assert [b.shape for b in biases] == [(2**depth,), (1,)]


def test_no_two_layers_of_a_sawtooth_share_an_array():
    weights, biases = lib.sawtooth_network(4)
    assert len({id(a) for a in weights}) == len({id(a) for a in biases}) == 5
    assert not any(np.shares_memory(a, b) for i, a in enumerate(biases) for b in biases[:i])


@pytest.mark.parametrize("dyadic", [False, True])  # dyadic weights tie often: shared kinks, cancelling and dead units
@pytest.mark.parametrize("seed", [*range(40), 101, 232, 338, 1025, 1292])  # in the last five a kink falls just left of an older one
def test_pieces_agree_with_rational_arithmetic(seed, dyadic):
    rng = np.random.default_rng(seed)
    net = random_net(random_widths(rng), rng, dyadic)
    assert lib.count_linear_pieces(*net, -3.0, 3.0) == torch_lib.count_linear_pieces(*net, -3.0, 3.0)


def test_pieces_agree_with_dense_sampling_where_none_is_narrow():
    n, compared = 2**13, 0
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)
        weights, biases = random_net(random_widths(rng), rng)
        y = lib.relu_network(np.linspace(-3, 3, n + 1)[:, None], weights, biases)[:, 0]
        slopes = np.diff(y) * n / 6
        same = np.abs(np.diff(slopes)) <= 1e-7 * np.abs(slopes).max()  # neighbouring cells on one piece
        starts = same & ~np.concatenate([[False], same[:-1]])  # every piece of three cells or more begins one run
        sampled = int(starts.sum())
        exact = lib.count_linear_pieces(weights, biases, -3.0, 3.0)
        assert exact >= sampled
        runs = np.diff(np.flatnonzero(~same), prepend=-1, append=len(same))
        if not ((runs > 1) & (runs < 4)).any():  # cells that hold kinks come in ones and twos: no piece is near the grid's width
            compared += exact == sampled
    assert compared >= 20


def test_pieces_do_not_change_when_the_interval_moves_with_the_net():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weights, biases = random_net(random_widths(rng), rng, dyadic=True)
        moved = [biases[0] - 1000.0 * weights[0][0], *biases[1:]]
        assert lib.count_linear_pieces(weights, moved, 997.0, 1003.0) == lib.count_linear_pieces(weights, biases, -3.0, 3.0)


@pytest.mark.parametrize(
    ("net", "pieces"),
    [
        (units(0.25, 0.25 + 1e-7), 3),  # a piece 1e-7 wide
        (units(0.5, 0.5, out=[1, -1]), 1),  # two units that cancel
        (units(0.3, 0.3, slopes=[1, 3]), 2),  # two that share a kink, which rounding splits (0.9 / 3)
        (units(0.5, 0.5, slopes=[1, -1]), 2),  # one begins where the other ends: |x - 1/2|
        (units(0.5, 0.5, slopes=[1, -1], out=[1, -1]), 1),  # the same without a kink: x - 1/2
        (units(-1.0, 2.0), 1),  # kinks outside the interval: always on, and dead
        (units(0.0, 1.0), 1),  # kinks at its ends
        (units(0.5, out=[0.0]), 1),  # a unit nobody reads
        (units(0.25, 0.5, 0.75, out=[1, -2, 2]), 4),  # slopes 0, 1, -1, 1: four pieces, three different slopes
        (([A([[0.0]]), A([[1.0]])], [A([5.0]), A([0.0])]), 1),  # a flat unit
        (([A([[2.0]])], [A([1.0])]), 1),  # no hidden layer
        (([A([[1.0]]), A([[-1.0]]), A([[1.0]])], [A([0.0]), A([-1.0]), A([0.0])]), 1),  # a layer dead everywhere
        (units(0.5, out=[1e-300]), 2),  # tiny against nothing larger
        (units(0.25, 0.5, out=[1.0, 1e-10]), 2),  # below 1e-9 of the largest slope
    ],
)
def test_degenerate_nets_have_the_pieces_one_counts_by_hand(net, pieces):
    assert lib.count_linear_pieces(*net, 0.0, 1.0) == pieces


def test_a_kink_of_the_second_layer_on_a_kink_of_the_first_is_one_kink():
    # relu(x + relu(x - 1/3) - 1/3) crosses 0 where the first layer bends, up to rounding
    third = 1.0 / 3.0
    net = [A([[1.0, 1.0]]), A([[1.0], [1.0]]), A([[1.0]])], [A([0.0, -third]), A([-third]), A([0.0])]
    assert lib.count_linear_pieces(*net, 0.0, 1.0) == 2


@pytest.mark.parametrize(("n_inputs", "widths"), [(1, [4]), (1, [3, 3, 3]), (2, [4, 6]), (3, [3, 7, 8]), (2, [2, 2, 2, 2]), (1, [1])])
def test_montufars_bound_agrees_with_its_formula(n_inputs, widths):
    assert lib.montufar_lower_bound(n_inputs, widths) == torch_lib.montufar_lower_bound(n_inputs, widths)


def test_montufars_bound_for_one_input_is_the_courses_count_and_a_sawtooth_does_not_exceed_it():
    for k, n in [(1, 4), (2, 3), (5, 2)]:
        assert lib.montufar_lower_bound(1, [n] * k) == n ** (k - 1) * (n + 1)
    assert lib.count_linear_pieces(*lib.sawtooth_network(5), -1.0, 2.0) <= lib.montufar_lower_bound(1, [2] * 5)


def test_montufars_bound_does_not_overflow():
    assert lib.montufar_lower_bound(2, [64] * 50) == (32**2) ** 49 * (1 + 64 + 64 * 63 // 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.count_parameters([3]), ValueError, "count_parameters: widths must hold at least 2, got 1."),
        (lambda: lib.count_parameters([]), ValueError, "count_parameters: widths must hold at least 2, got 0."),
        (lambda: lib.count_parameters([3, 0]), ValueError, "count_parameters: widths[1] must be at least 1, got 0."),
        (lambda: lib.count_parameters([3, 2.0]), TypeError, "count_parameters: widths[1] must be an integer, got 2.0."),
        (lambda: lib.count_parameters(3), TypeError, "count_parameters: widths must be a list of integers, got 3."),
        (
            lambda: lib.relu_network(np.ones(3), [np.ones((3, 1))], [np.ones(1)]),
            ValueError,
            "relu_network: x must have 2 axes (N, D), got shape (3,).",
        ),
        (lambda: lib.relu_network(np.ones((2, 3)), [], []), ValueError, "relu_network: weights must hold at least 1, got 0."),
        (
            lambda: lib.relu_network(np.ones((2, 3)), [np.ones((4, 1))], [np.ones(1)]),
            ValueError,
            "relu_network: weights[0] must have shape (3, 1), got (4, 1): match the last axis of x.",
        ),
        (
            lambda: lib.relu_network(np.ones((2, 3)), [np.ones((3, 1))], [np.ones(2)]),
            ValueError,
            "relu_network: biases[0] must have shape (1,), got (2,): match the last axis of weights[0].",
        ),
        (
            lambda: lib.relu_network(np.ones((2, 3)), [np.ones((3, 1))], [np.ones(1)] * 2),
            ValueError,
            "relu_network: biases must hold one vector per layer, 1, got 2: match weights.",
        ),
        (lambda: lib.interpolating_network([0.0], [1.0]), ValueError, "interpolating_network: knots must hold at least 2, got 1."),
        (
            lambda: lib.interpolating_network([0.0, 2.0, 2.0], [1.0, 1.0, 1.0]),
            ValueError,
            "interpolating_network: knots must increase strictly, got 2 before 2.",
        ),
        (
            lambda: lib.interpolating_network([0.0, 1.0], [1.0]),
            ValueError,
            "interpolating_network: values must have shape (2,), got (1,): match the length of knots.",
        ),
        (lambda: lib.sawtooth_network(0), ValueError, "sawtooth_network: depth must be at least 1 and at most 10, got 0."),
        (lambda: lib.sawtooth_network(2.0), TypeError, "sawtooth_network: depth must be an integer, got 2.0."),
        (
            lambda: lib.shallow_sawtooth_network(11),
            ValueError,
            "shallow_sawtooth_network: depth must be at least 1 and at most 10, got 11.",
        ),
        (
            lambda: lib.count_linear_pieces(*units(0.5), 1.0, 1.0),
            ValueError,
            "count_linear_pieces: low must be below high, both finite, got 1.0 and 1.0.",
        ),
        (
            lambda: lib.count_linear_pieces(*units(0.5), 0.0, np.inf),
            ValueError,
            "count_linear_pieces: low must be below high, both finite, got 0.0 and inf.",
        ),
        (
            lambda: lib.count_linear_pieces([np.ones((2, 1))], [np.ones(1)], 0, 1),
            ValueError,
            "count_linear_pieces: weights[0] must have 1 row, got 2: the net takes one number.",
        ),
        (
            lambda: lib.count_linear_pieces([np.ones((1, 2))], [np.ones(2)], 0, 1),
            ValueError,
            "count_linear_pieces: weights[0] must have 1 column, got 2: the net returns one number.",
        ),
        (
            lambda: lib.count_linear_pieces([np.ones((1, 2)), np.ones((3, 1))], [np.ones(2), np.ones(1)], 0, 1),
            ValueError,
            "count_linear_pieces: weights[1] must have shape (2, 1), got (3, 1): match the last axis of weights[0].",
        ),
        (
            lambda: lib.montufar_lower_bound(3, [3, 2]),
            ValueError,
            "montufar_lower_bound: hidden_widths[1] must be at least n_inputs = 3, got 2.",
        ),
        (lambda: lib.montufar_lower_bound(0, [3]), ValueError, "montufar_lower_bound: n_inputs must be at least 1, got 0."),
        (lambda: lib.montufar_lower_bound(1, []), ValueError, "montufar_lower_bound: hidden_widths must hold at least 1, got 0."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


def tensors(arrays):
    return [torch.tensor(a, requires_grad=True) for a in arrays]


@pytest.mark.parametrize("widths", [[3, 2], [1, 4, 1], [4, 3, 5, 2]])
def test_relu_network_in_torch_draws_the_numpy_net_and_hands_every_array_its_gradient(widths, rng):
    weights, biases = random_net(widths, rng)
    x, dy = rng.normal(size=(5, widths[0])), rng.normal(size=(5, widths[-1]))
    leaves = tensors([x]), tensors(weights), tensors(biases)
    y = lib.relu_network_in_torch(leaves[0][0], *leaves[1:])
    assert_allclose(y.detach().numpy(), lib.relu_network(x, weights, biases), rtol=1e-12, atol=1e-14)
    (y * torch.tensor(dy)).sum().backward()
    for arrays, grads in zip(([x], weights, biases), leaves, strict=True):
        for a, leaf in zip(arrays, grads, strict=True):
            index = tuple(0 for _ in a.shape)
            values = []
            for step in (1e-6, -1e-6):
                old = a[index]
                a[index] = old + step
                values.append((lib.relu_network(x, weights, biases) * dy).sum())
                a[index] = old
            assert_allclose(leaf.grad.numpy()[index], (values[0] - values[1]) / 2e-6, rtol=1e-6, atol=1e-8)


def test_relu_network_in_torch_has_slope_0_exactly_on_a_kink():
    x = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    W, b, out = (torch.tensor(v, dtype=torch.float64) for v in ([[2.0]], [-1.0], [[3.0]]))
    lib.relu_network_in_torch(x, [W, out], [b, torch.zeros(1, dtype=torch.float64)]).sum().backward()
    assert x.grad.item() == 0.0


# ---- what the judge of returned nets says


def verdict(exercise, function):
    sheet = sheets.make_sheet(exercise, [1])
    return judge(sheet, [run_script({exercise.name: function}, c.script) for c in sheet.cases])


def changed(function, change):
    return lambda *args: change(*function(*args))


def scaled_and_permuted(weights, biases):
    """The same curve from other weights: hidden units in reversed order, each scaled by its own factor."""
    factors = 1.0 + np.arange(weights[0].shape[1])
    return [(weights[0] * factors)[:, ::-1], (weights[1] / factors[:, None])[::-1]], [(biases[0] * factors)[::-1], biases[1]]


@pytest.mark.parametrize("exercise", [spec.interpolating_network, spec.shallow_sawtooth_network])
def test_another_net_that_draws_the_same_curve_passes(exercise):
    assert verdict(exercise, changed(exercise.reference, scaled_and_permuted)).status == "passed"


def test_a_wrong_curve_is_the_same_mistake_whatever_the_weights():
    mistake = spec.interpolating_network.misconceptions[0]
    assert verdict(spec.interpolating_network, changed(mistake.wrong, scaled_and_permuted)).misconception == mistake.name


def test_units_that_add_nothing_are_welcome_where_any_width_is_right_and_refused_where_it_is_fixed():
    def idle(weights, biases):
        return [np.hstack([weights[0], [[0.0]]]), np.vstack([weights[1], [[1.0]]])], [np.append(biases[0], -1.0), biases[1]]

    assert verdict(spec.interpolating_network, changed(lib.interpolating_network, idle)).status == "passed"
    refused = verdict(spec.shallow_sawtooth_network, changed(lib.shallow_sawtooth_network, idle))
    assert "weights[0] must have shape (1, 4), got (1, 5)" in refused.findings[0].text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda W, b: None, "the result is None: is a `return` missing?"),
        (lambda W, b: (W, b, 3), "the result must be two lists, weights and biases, got a tuple of 3"),
        (lambda W, b: (W[:1], b), "1 hidden layer and the output layer have 2 matrices and 2 vectors of biases, got 1 and 2"),
        (lambda W, b: ([W[0], W[1][:, 0]], b), "weights[1] must have shape (4, 1), got (4,)"),
        (lambda W, b: (W, [b[0], 0.0]), "biases[1] must have shape (1,), one bias for each of the layer's units, got ()"),
        (lambda W, b: ([W[0], W[1] * np.nan], b), "weights[1] holds inf or nan"),
        (lambda W, b: ([W[0].astype(np.float32), W[1]], b), "weights[0] must be float64, got float32"),
        (lambda W, b: ([W[0], ["a", "b", "c", "d"]], b), "weights[1] must be an array of real numbers, got a list of 4"),
        (lambda W, b: (W, [b[0], b[1] + 1e-6]), "(right at 0 of 21 places)"),
    ],
)
def test_what_is_wrong_with_a_net_is_said(change, text):
    found = verdict(spec.interpolating_network, changed(lib.interpolating_network, change))
    assert found.points == 0
    assert text in found.findings[0].text


def test_a_constant_that_is_too_much_is_told_from_a_kink_in_the_wrong_place():
    shifted = verdict(spec.interpolating_network, changed(lib.interpolating_network, lambda W, b: (W, [b[0], b[1] + 0.25])))
    assert "too high or too low by a constant" in shifted.advice

    def bent(knots, values):  # through all points, with a bump in the first piece
        middle = (knots[0] + knots[1]) / 2
        k = np.insert(knots, 1, middle)
        return lib.interpolating_network(k, np.interp(k, knots, values) + (k == middle))

    assert "right at every point where it should bend" in verdict(spec.interpolating_network, bent).advice


def test_a_count_is_right_as_any_number_and_far_too_many_pieces_are_rounding():
    exact = spec.count_linear_pieces.reference
    assert verdict(spec.count_linear_pieces, lambda *args: np.array(float(exact(*args)))).status == "passed"
    assert "rounding errors are taken for kinks" in verdict(spec.count_linear_pieces, lambda *args: 700 + exact(*args)).advice
