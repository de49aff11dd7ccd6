"""data_augmentation: the library against PyTorch and SciPy, the sense of turning, the noise's equivalent penalty, bad input."""
import inspect
import time

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from class4lib import data_augmentation as lib
from class4lib.data import digits, jittered
from class4lib.gradcheck import check_gradient
from class4lib.guards import withheld
from tests.oracles import data_augmentation as torch_lib

ANGLES = [0.0, 0.3, -1.0, np.pi / 6, np.pi / 4, np.pi / 2, -np.pi / 2, np.pi, 2.2, 7.0]
SHAPES = [(3, 8, 8), (2, 5, 9), (2, 9, 4), (2, 1, 4), (2, 4, 1), (1, 1, 1)]


def scipy_rotate(images, theta):
    return ndimage.rotate(images, np.degrees(theta), axes=(1, 2), order=1, mode="grid-constant", reshape=False)


@pytest.mark.parametrize("theta", ANGLES)
def test_rotation_of_points_agrees_with_complex_multiplication(theta, rng):
    x = rng.normal(size=(2, 2))  # N = D = 2: a transposed product has the same shape
    assert_allclose(lib.rotation_matrix(theta), torch_lib.rotation_matrix(theta), rtol=1e-10, atol=1e-13)
    assert_allclose(lib.rotate_points(x, theta), torch_lib.rotate_points(x, theta), rtol=1e-10, atol=1e-14)


def test_points_turn_counter_clockwise_in_radians_and_keep_their_length(rng):
    assert_allclose(lib.rotate_points([[1.0, 0.0]], np.pi / 6), [[np.sqrt(3) / 2, 0.5]], rtol=1e-14)
    x = rng.normal(size=(5, 2))
    assert_allclose(np.linalg.norm(lib.rotate_points(x, 1.0), axis=1), np.linalg.norm(x, axis=1), rtol=1e-14)
    assert_allclose(lib.rotate_points(lib.rotate_points(x, 0.5), 0.25), lib.rotate_points(x, 0.75), rtol=1e-12)


def test_points_are_moved_and_scaled_by_coordinate():
    x = [[1.0, 2.0], [3.0, 4.0]]
    assert_array_equal(lib.translate_points(x, [10.0, 20.0]), [[11.0, 22.0], [13.0, 24.0]])
    assert_array_equal(lib.scale_points(x, [10.0, -1.0]), [[10.0, -2.0], [30.0, -4.0]])
    assert_array_equal(lib.scale_points(x, 2), [[2.0, 4.0], [6.0, 8.0]])


@pytest.mark.parametrize("theta", ANGLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_of_images_agrees_with_scipy_and_pytorch(shape, theta, rng):
    images = rng.normal(size=shape)
    turned = lib.rotate_images(images, theta)
    assert_allclose(turned, scipy_rotate(images, theta), rtol=0, atol=1e-9)
    assert_allclose(turned, torch_lib.rotate_images(images, theta), rtol=0, atol=1e-9)


def test_rotation_of_images_takes_less_than_five_times_scipys_time_on_1000_digits():
    images = digits()[0][:1000].reshape(-1, 8, 8)
    seconds = {}
    for rotate in (lib.rotate_images, scipy_rotate):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            rotate(images, 0.3)
            times.append(time.perf_counter() - start)
        seconds[rotate] = min(times)
    assert seconds[lib.rotate_images] < 5 * seconds[scipy_rotate]


@pytest.mark.parametrize("theta", [0.4, -0.9, np.pi / 2, 2.5])
def test_points_and_images_turn_in_the_same_sense(theta):
    h, w = 21, 25
    x, y = 6, 3  # to the right and up of the centre
    image = np.zeros((1, h, w))
    image[0, (h - 1) // 2 - y, (w - 1) // 2 + x] = 1.0
    turned = lib.rotate_images(image, theta)[0]
    rows, columns = np.indices((h, w))
    seen = np.array([(turned * (columns - (w - 1) / 2)).sum(), (turned * ((h - 1) / 2 - rows)).sum()]) / turned.sum()  # centre of mass, y up
    assert_allclose(seen, lib.rotate_points([[x, y]], theta)[0], atol=0.3)  # bilinear interpolation smears a pixel


def test_a_quarter_turn_is_rot90_on_squares_and_none_changes_nothing(rng):
    images = rng.normal(size=(3, 6, 6))
    assert_allclose(lib.rotate_images(images, np.pi / 2), np.rot90(images, axes=(1, 2)), atol=1e-13)
    assert_array_equal(lib.rotate_images(images, 0.0), images)


def test_integers_become_floats_also_without_the_guards():
    images = np.arange(24).reshape(2, 3, 4)
    assert_allclose(inspect.unwrap(lib.rotate_images)(images, 0.3), lib.rotate_images(images.astype(float), 0.3), rtol=1e-14)


def test_images_turn_independently_of_each_other(rng):
    images = rng.normal(size=(4, 5, 6))
    assert_array_equal(lib.rotate_images(images, 0.7)[2], lib.rotate_images(images[2:3], 0.7)[0])


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (1, 2), (-2, 1), (3, -4), (-3, -1), (4, 5), (-4, -5)])
def test_translation_agrees_with_pytorchs_padding(rows, columns, rng):
    images = rng.normal(size=(2, 4, 5))
    assert_array_equal(lib.translate_images(images, rows, columns), torch_lib.translate_images(images, rows, columns))


def test_a_shift_beyond_the_image_leaves_zeros_and_nothing_wraps_round():
    images = np.ones((1, 3, 4))
    for rows, columns in ((4, 0), (5, 0), (-7, 0), (0, 10**9), (0, -6)):
        assert not lib.translate_images(images, rows, columns).any()
    assert_array_equal(lib.translate_images([[[1.0, 2.0], [3.0, 4.0]]], 1, 0), [[[0.0, 0.0], [1.0, 2.0]]])


def test_jittered_pictures_are_shifted_by_up_to_the_radius_each_way_independently():
    pictures = digits()[0][:300]
    moved = jittered(pictures, 2, rng=np.random.default_rng(0))
    shifts = [(i, j) for i in range(-2, 3) for j in range(-2, 3)]
    candidates = np.stack([lib.translate_images(pictures.reshape(-1, 8, 8), i, j).reshape(-1, 64) for i, j in shifts])
    found = (candidates == moved).all(axis=2)
    assert found.any(axis=0).all()
    assert found.any(axis=1).all()
    assert_array_equal(jittered(pictures, 0, rng=np.random.default_rng(0)), pictures)
    with pytest.raises(ValueError, match=r"^jittered: pictures must be square, got rows of 10\.$"):
        jittered(np.ones((2, 10)), 1, rng=np.random.default_rng(0))


def test_noise_has_the_deviation_sigma_and_the_shape_of_a_normal(rng):
    noise = lib.add_gaussian_noise(np.full((400, 500), 10.0), 3.0, rng=rng) - 10.0
    n = noise.size
    assert abs(noise.mean()) < 5 * 3.0 / np.sqrt(n)
    assert abs(noise.std() - 3.0) < 5 * 3.0 / np.sqrt(2 * n)
    for threshold, probability in ((3.0, 0.317310507863), (6.0, 0.0455002638964), (9.0, 0.00269979606326)):
        assert abs(np.mean(np.abs(noise) > threshold) - probability) < 5 * np.sqrt(probability / n)


def test_noise_comes_from_the_given_generator_only(rng):
    before = np.random.get_state()[1].copy()
    x = np.ones((3, 4))
    first, again, other = (lib.add_gaussian_noise(x, 1.0, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert_array_equal(np.random.get_state()[1], before)


def test_no_noise_changes_nothing(rng):
    x = rng.normal(size=(3, 4))
    assert_array_equal(lib.add_gaussian_noise(x, 0.0, rng=rng), x)


def test_normalizer_uses_the_fitted_data_only_and_forgets_it_at_the_next_fit(rng):
    A, B, C = rng.normal(size=(3, 2)) * 5, rng.normal(size=(4, 2)), rng.normal(size=(3, 2)) + 7
    normalizer = lib.Normalizer()
    assert normalizer.fit(A) is normalizer
    expected = torch_lib.normalize(A.copy(), B)
    A += 100.0  # an alias would move
    assert_allclose(normalizer.transform(B), expected, rtol=1e-10)
    assert_allclose(normalizer.fit(C).transform(B), torch_lib.normalize(C, B), rtol=1e-10)


def test_normalizer_divides_by_n():
    normalizer = lib.Normalizer().fit([[0.0], [1.0], [2.0]])
    assert_allclose(normalizer.std_, [np.sqrt(2 / 3)], rtol=1e-14)
    assert_array_equal(normalizer.mean_, [1.0])


def test_a_constant_feature_is_only_centred_although_its_computed_deviation_is_not_zero():
    x = np.column_stack([np.full(3, 0.1), [1.0, 2.0, 3.0]])
    assert x[:, 0].std() != 0.0
    normalizer = lib.Normalizer().fit(x)
    assert normalizer.std_[0] == 1.0
    assert_allclose(normalizer.transform([[2.1, 2.0]]), [[2.0, 0.0]], atol=1e-15)


def test_one_example_gives_deviation_one():
    assert_array_equal(lib.Normalizer().fit([[3.0, -2.0]]).std_, [1.0, 1.0])


def test_a_deviation_near_1e_minus_9_on_a_large_mean_is_kept():
    assert_allclose(lib.Normalizer().fit([[1e4], [1e4 + 1e-6]]).std_, [5e-7], rtol=1e-4)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 3.0])
def test_the_loss_in_pytorch_has_the_value_and_the_gradient_of_the_one_in_numpy(sigma, rng):
    w, X, y = rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=5)
    leaf = torch.tensor(w, requires_grad=True)
    loss = lib.noise_ridge_loss_in_torch(leaf, torch.tensor(X), torch.tensor(y), sigma)
    loss.backward()
    assert_allclose(loss.item(), lib.noise_ridge_loss(w, X, y, sigma), rtol=1e-10)
    assert_allclose(leaf.grad, lib.noise_ridge_loss_grad(w, X, y, sigma), rtol=1e-10)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 2), (3, 3)])
def test_noisy_loss_and_gradient_agree_with_the_expectation_over_noise(shape, sigma, rng):
    w, X, y = rng.normal(size=shape[1]), rng.normal(size=shape), rng.normal(size=shape[0])
    loss, gradient = torch_lib.noise_ridge_loss(w, X, y, sigma)
    assert_allclose(lib.noise_ridge_loss(w, X, y, sigma), loss, rtol=1e-10)
    assert_allclose(lib.noise_ridge_loss_grad(w, X, y, sigma), gradient, rtol=1e-10, atol=1e-13)
    assert_allclose(lib.noise_penalty(w, sigma), loss - torch_lib.noise_ridge_loss(w, X, y, 0.0)[0], rtol=1e-9, atol=1e-13)
    check_gradient(lambda w: lib.noise_ridge_loss(w, X, y, sigma), [w], [lib.noise_ridge_loss_grad(w, X, y, sigma)])


def test_noisy_loss_is_the_mean_of_sampled_losses(rng):
    w, X, y = rng.normal(size=3), rng.normal(size=(6, 3)), rng.normal(size=6)
    losses = [0.5 * np.mean((lib.add_gaussian_noise(X, 0.7, rng=rng) @ w - y) ** 2) for _ in range(4000)]
    assert abs(np.mean(losses) - lib.noise_ridge_loss(w, X, y, 0.7)) < 4 * np.std(losses) / np.sqrt(4000)


def test_the_minimum_is_ridge_with_strength_n_sigma_squared(rng):
    X, y, sigma = rng.normal(size=(8, 3)), rng.normal(size=8), 0.6
    ridge = np.linalg.solve(X.T @ X + 8 * sigma**2 * np.eye(3), X.T @ y)
    assert_allclose(lib.noise_ridge_loss_grad(ridge, X, y, sigma), 0.0, atol=1e-14)


def test_extremes_stay_finite_without_warnings():
    with np.errstate(all="raise"):
        assert lib.noise_penalty([1000.0], 1000.0) == 5e11
        assert np.isfinite(lib.rotate_images(np.full((1, 3, 3), 1000.0), 1e6)).all()
        assert lib.Normalizer().fit([[1000.0], [-1000.0]]).transform([[0.0]]).tolist() == [[0.0]]


def test_inputs_stay_as_they_were_and_float32_stays(rng):
    images, x = rng.normal(size=(2, 4, 4)).astype(np.float32), rng.normal(size=(3, 2)).astype(np.float32)
    kept = images.copy(), x.copy()
    results = [lib.rotate_images(images, 0.5), lib.translate_images(images, 1, 0), lib.add_gaussian_noise(x, 1.0, rng=rng), lib.Normalizer().fit(x).transform(x)]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}
    assert_array_equal(images, kept[0])
    assert_array_equal(x, kept[1])


def test_withholding_the_class_withholds_its_methods():
    with withheld("Normalizer"), pytest.raises(PermissionError, match=r"^Normalizer is yours to write here"):
        lib.Normalizer().fit(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lib.rotation_matrix(np.nan), ValueError, "rotation_matrix: theta must be above -inf and below inf, got nan."),
        (lambda: lib.rotation_matrix("90"), TypeError, "rotation_matrix: theta must be a number, got '90'."),
        (lambda: lib.rotate_points(np.ones((2, 3)), 0.1), ValueError, "rotate_points: x must have shape (2, 2), got (2, 3)."),
        (lambda: lib.translate_points(np.ones((4, 2)), np.ones(4)), ValueError, "translate_points: t must have shape (2,), got (4,): match the last axis of x."),
        (lambda: lib.scale_points(np.ones((4, 2)), np.ones(3)), ValueError, "scale_points: s must be a number or have shape (2,), got (3,): match the last axis of x."),
        (lambda: lib.rotate_images(np.ones((4, 4)), 0.1), ValueError, "rotate_images: images must have 3 axes (N, H, W), got shape (4, 4)."),
        (lambda: lib.translate_images(np.ones((1, 4, 4)), 0.5, 0), TypeError, "translate_images: rows must be an integer, got 0.5."),
        (lambda: lib.add_gaussian_noise(np.ones(3), -1.0, rng=np.random.default_rng(0)), ValueError, "add_gaussian_noise: sigma must be at least 0 and below inf, got -1.0."),
        (lambda: lib.add_gaussian_noise(np.ones(3), 1.0, rng=None), TypeError, "add_gaussian_noise: rng must be a numpy.random.Generator, got None: make one with np.random.default_rng(seed)."),
        (lambda: lib.Normalizer().transform(np.ones((2, 2))), ValueError, "Normalizer.transform: x cannot be transformed before fit: call fit with the training data first."),
        (lambda: lib.Normalizer().fit(np.ones((0, 2))), ValueError, "Normalizer.fit: x must not be empty, got shape (0, 2)."),
        (lambda: lib.Normalizer().fit(np.ones(3)), ValueError, "Normalizer.fit: x must have 2 axes (N, D), got shape (3,)."),
        (lambda: lib.Normalizer().fit(np.ones((3, 2))).transform(np.ones((3, 4))), ValueError, "Normalizer.transform: x must have shape (3, 2), got (3, 4): match the data given to fit."),
        (lambda: lib.noise_penalty(np.ones((2, 2)), 1.0), ValueError, "noise_penalty: w must have 1 axis (D), got shape (2, 2)."),
        (lambda: lib.noise_ridge_loss(np.ones(2), np.ones((3, 2)), np.ones(2), 1.0), ValueError, "noise_ridge_loss: y must have shape (3,), got (2,): match axis 0 of X."),
        (lambda: lib.noise_ridge_loss_grad(np.ones(3), np.ones((3, 2)), np.ones(3), 1.0), ValueError, "noise_ridge_loss_grad: X must have shape (3, 3), got (3, 2): match the length of w."),
        (lambda: lib.noise_ridge_loss(np.ones(2), np.ones((3, 2)), np.ones(3), -1.0), ValueError, "noise_ridge_loss: sigma must be at least 0 and below inf, got -1.0."),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
