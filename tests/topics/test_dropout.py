"""dropout: the library against PyTorch and sums over every mask, its randomness, its extremes and bad input."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from class4lib import dropout as lib
from class4lib.gradcheck import check_gradient
from tests.oracles import dropout as torch_lib

PROBABILITIES = [0.0, 0.2, 0.5, 0.7, 0.95]


def regression(rng, n=4, d=3):
    return rng.normal(size=d), rng.normal(size=(n, d)), rng.normal(size=n)


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("name", ["dropout_mean", "dropout_variance"])
def test_moments_are_those_of_the_two_outcomes(name, p, rng):
    x = rng.normal(size=(3, 4))
    assert_allclose(getattr(lib, name)(x, p), getattr(torch_lib, name)(x, p), rtol=1e-10)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_variance_is_p_over_one_minus_p_and_neither_p_times_one_minus_p_nor_its_inverse(p):
    assert_allclose(lib.dropout_variance([2.0], p), [4 * p / (1 - p)], rtol=1e-14)


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 2)])
def test_marginal_loss_and_gradient_agree_with_the_sum_over_every_mask(shape, p, rng):
    w, X, y = regression(rng, *shape)
    loss, gradient = torch_lib.marginal_dropout_loss(w, X, y, p)
    assert_allclose(lib.marginal_dropout_loss(w, X, y, p), loss, rtol=1e-10)
    assert_allclose(lib.marginal_dropout_loss_grad(w, X, y, p), gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_marginal_gradient_agrees_with_central_differences(p, rng):
    w, X, y = regression(rng)
    check_gradient(lambda w: lib.marginal_dropout_loss(w, X, y, p), [w], [lib.marginal_dropout_loss_grad(w, X, y, p)])


def test_marginal_loss_is_the_mean_of_sampled_losses(rng):
    w, X, y = regression(rng, 6, 3)
    losses = [0.5 * np.mean((lib.dropout(X, 0.2, training=True, rng=rng)[0] @ w - y) ** 2) for _ in range(4000)]
    error = np.std(losses) / np.sqrt(len(losses))
    assert abs(np.mean(losses) - lib.marginal_dropout_loss(w, X, y, 0.2)) < 4 * error


def test_marginal_loss_does_not_change_when_the_examples_are_repeated(rng):
    w, X, y = regression(rng)
    assert_allclose(lib.marginal_dropout_loss(w, np.tile(X, (3, 1)), np.tile(y, 3), 0.3), lib.marginal_dropout_loss(w, X, y, 0.3), rtol=1e-12)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_mask_holds_zero_with_probability_p_and_the_exact_factor_otherwise(p):
    _, mask = lib.dropout(np.ones((300, 200)), p, training=True, rng=np.random.default_rng(1))
    assert set(np.unique(mask)) == {0.0, 1.0 / (1.0 - p)}
    assert abs(np.mean(mask == 0) - p) < 5 * np.sqrt(p * (1 - p) / mask.size)


def test_output_is_the_mask_times_x_also_where_x_is_zero(rng):
    x = rng.normal(size=(4, 5))
    x[0] = 0.0
    y, mask = lib.dropout(x, 0.5, training=True, rng=rng)
    assert_array_equal(y, mask * x)
    assert set(np.unique(mask[0])) <= {0.0, 2.0}


def test_every_row_and_every_call_has_draws_of_its_own(rng):
    _, first = lib.dropout(np.ones((8, 64)), 0.5, training=True, rng=rng)
    _, second = lib.dropout(np.ones((8, 64)), 0.5, training=True, rng=rng)
    assert len(np.unique(np.vstack([first, second]), axis=0)) == 16


def test_the_same_generator_state_gives_the_same_mask_and_the_global_state_is_left_alone():
    before = np.random.get_state()[1].copy()
    masks = [lib.dropout(np.ones((5, 6)), 0.5, training=True, rng=np.random.default_rng(seed))[1] for seed in (3, 3, 4)]
    assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_evaluation_returns_x_and_ones_as_pytorch_does(p, rng):
    x = rng.normal(size=(3, 4))
    y, mask = lib.dropout(x, p, training=False)
    assert_array_equal(y, torch_lib.dropout(x, p))
    assert_array_equal(mask, np.ones((3, 4)))


def test_nothing_is_drawn_at_p_zero_or_in_evaluation():
    rng = np.random.default_rng(0)
    y, mask = lib.dropout([[1.0, 2.0]], 0.0, training=True)
    assert_array_equal(y, [[1.0, 2.0]])
    assert_array_equal(mask, [[1.0, 1.0]])
    lib.dropout([[1.0, 2.0]], 0.0, training=True, rng=rng)
    lib.dropout([[1.0, 2.0]], 0.5, training=False, rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


def test_backward_agrees_with_autograd_and_central_differences(rng):
    x, dy = rng.normal(size=(2, 4, 5))
    _, mask = lib.dropout(x, 0.3, training=True, rng=rng)
    dx = lib.dropout_backward(dy, mask)
    assert_allclose(dx, torch_lib.dropout_backward(dy, x, mask), rtol=1e-10)
    check_gradient(lambda x: lib.dropout(x, 0.3, training=True, rng=np.random.default_rng(7))[0], [x], [lib.dropout_backward(dy, lib.dropout(x, 0.3, training=True, rng=np.random.default_rng(7))[1])], dy)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_monte_carlo_moments_agree_with_pytorch_and_divide_by_the_number_of_samples(shape, rng):
    samples = rng.normal(size=(5, *shape))
    calls = iter(samples)
    given = []
    mean, deviation = lib.mc_dropout_predict(lambda x, rng: given.append(rng) or next(calls), np.ones(2), 5, rng=rng)
    for ours, theirs in zip((mean, deviation), torch_lib.mc_dropout_predict(samples), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10)
    assert given == [rng] * 5


def test_a_model_that_writes_into_one_buffer_is_sampled_right():
    buffer = np.zeros(2)

    def model(x, rng):
        buffer[:] += 1.0
        return buffer

    mean, deviation = lib.mc_dropout_predict(model, np.ones(2), 3, rng=np.random.default_rng(0))
    assert_allclose(mean, 2.0)
    assert_allclose(deviation, np.sqrt(2 / 3))


def test_one_sample_has_deviation_zero(rng):
    assert_array_equal(lib.mc_dropout_predict(lambda x, rng: x, np.ones(2), 1, rng=rng)[1], [0.0, 0.0])


def test_inputs_of_size_1000_give_finite_results_without_warnings():
    with np.errstate(all="raise"):
        assert lib.dropout_variance([1000.0, -1000.0], 0.75).tolist() == [3e6, 3e6]
        assert lib.marginal_dropout_loss([1.0], [[1000.0]], [1000.0], 0.5) == 5e5
        assert lib.dropout(np.zeros((1, 1)), 0.9, training=True, rng=np.random.default_rng(0))[0].tolist() == [[0.0]]


def test_inputs_stay_as_they_were_and_results_do_not_alias_them(rng):
    x, dy = rng.normal(size=(2, 3, 4))
    kept = x.copy()
    for result in (*lib.dropout(x, 0.5, training=True, rng=rng), lib.dropout(x, 0.5, training=False)[0], lib.dropout_mean(x, 0.5), lib.dropout_variance(x, 0.5)):
        assert not np.shares_memory(result, x)
    lib.dropout_backward(dy, x)
    assert_array_equal(x, kept)


def test_float32_stays_float32_and_integers_become_float64(rng):
    for dtype, expected in ((np.float32, np.float32), (np.int64, np.float64)):
        y, mask = lib.dropout(np.ones((2, 3), dtype=dtype), 0.5, training=True, rng=rng)
        assert (y.dtype, mask.dtype) == (expected, expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.dropout(np.ones((2, 3)), 1.0, training=True, rng=np.random.default_rng(0)), ValueError, "dropout: p must be at least 0 and below 1, got 1.0."),
        (lambda: lib.dropout(np.ones((2, 3)), -0.1, training=False), ValueError, "dropout: p must be at least 0 and below 1, got -0.1."),
        (lambda: lib.dropout(np.ones((2, 3)), np.nan, training=False), ValueError, "dropout: p must be at least 0 and below 1, got nan."),
        (lambda: lib.dropout(np.ones((2, 3)), "half", training=False), TypeError, "dropout: p must be a number, got 'half'."),
        (lambda: lib.dropout(np.ones((2, 3)), 0.5, training=True), TypeError, "dropout: rng must be a numpy.random.Generator when training with p above 0, got None: make one with np.random.default_rng(seed)."),
        (lambda: lib.dropout(np.ones((2, 3)), 0.5, training=True, rng=3), TypeError, "dropout: rng must be a numpy.random.Generator, got 3: make one with np.random.default_rng(seed)."),
        (lambda: lib.dropout(np.ones((2, 3)), 0.5, training="yes"), TypeError, "dropout: training must be True or False, got 'yes'."),
        (lambda: lib.dropout(["a"], 0.5, training=False), TypeError, "dropout: x must hold real numbers, got a list."),
        (lambda: lib.dropout_backward(np.ones((2, 3)), np.ones((2, 2))), ValueError, "dropout_backward: mask must have shape (2, 3), got (2, 2): match dy."),
        (lambda: lib.dropout_variance([1.0], 1.5), ValueError, "dropout_variance: p must be at least 0 and below 1, got 1.5."),
        (lambda: lib.dropout_mean([1.0], 1.5), ValueError, "dropout_mean: p must be at least 0 and below 1, got 1.5."),
        (lambda: lib.marginal_dropout_loss(np.ones(3), np.ones((4, 2)), np.ones(4), 0.5), ValueError, "marginal_dropout_loss: X must have shape (4, 3), got (4, 2): match the length of w."),
        (lambda: lib.marginal_dropout_loss_grad(np.ones(3), np.ones((4, 3)), np.ones((4, 1)), 0.5), ValueError, "marginal_dropout_loss_grad: y must have 1 axis (N), got shape (4, 1)."),
        (lambda: lib.marginal_dropout_loss(np.ones(3), np.ones((0, 3)), np.ones(0), 0.5), ValueError, "marginal_dropout_loss: X must not be empty, got shape (0, 3)."),
        (lambda: lib.mc_dropout_predict(lambda x, rng: x, np.ones(2), 0, rng=np.random.default_rng(0)), ValueError, "mc_dropout_predict: n_samples must be at least 1, got 0."),
        (lambda: lib.mc_dropout_predict(3, np.ones(2), 2, rng=np.random.default_rng(0)), TypeError, "mc_dropout_predict: model must be callable as model(x, rng), got 3."),
        (lambda: lib.mc_dropout_predict(lambda x, rng: x, np.ones(2), 2, rng=None), TypeError, "mc_dropout_predict: rng must be a numpy.random.Generator, got None: make one with np.random.default_rng(seed)."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
