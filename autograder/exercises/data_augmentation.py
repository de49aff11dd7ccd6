"""Exercises of data augmentation: points and images moved, noise, normalisation, and the ridge penalty that input noise amounts to.

add_gaussian_noise is judged by its law, in six cases: two in the public round, two in each of two hidden ones. Each may spend 1e-9/6. It shares
that among seven families of counts, a family among its counts; every count is exactly Binomial(n, q) for a right answer and is refused only in two
tails of half its level each. By the union bound a right answer is refused with a probability of at most 1e-9, whatever the counts have to do
with each other (class4lib/judges/noise.py, docs/random_answers.md). Sizes are those of tests/test_distribution.py: 80 calls of 2000 entries,
at which a deviation 4 % off or a mean of 0.03 sigma is refused in each of 100 streams tried, and so is every wrong sampler below.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from autograder.spec import Case, Double, Exercise, Misconception, Step, Tier, Topic, Written, case, edge, script, values_and_edge
from class4lib import data_augmentation as lib
from class4lib.judges.distribution import repeated_calls


def _sizes(rng: Generator) -> tuple[int, int]:
    """N and D, different."""
    n, d = rng.permutation([3, 4, 5])[:2]
    return int(n), int(d)


def _angle(rng: Generator) -> float:
    """Neither a quarter turn nor near one: sine and cosine differ, and neither is 0."""
    return round(float(rng.uniform(0.3, 0.65)), 3)


def _matrix(theta: float) -> ndarray:
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s], [s, c]])


# ---- rotation_matrix
def _matrix_cases(rng: Generator) -> list[Case]:
    theta = _angle(rng)
    return [
        case("a small angle", theta, trap="θ not π or π/2 only"),
        case("an obtuse angle", theta + 1.9),
        case("clockwise", -theta - 0.1),
        edge("θ = 0", 0),
        edge("a quarter turn", np.pi / 2),
        edge("more than a full turn", 2 * np.pi + theta),
    ]


rotation_matrix = Exercise(
    reference=lib.rotation_matrix,
    tiers=values_and_edge(1, 1),
    cases=_matrix_cases,
    traps=("θ not π or π/2 only",),
    misconceptions=(
        Misconception("clockwise", lambda theta: _matrix(theta).T, "Your matrix turns clockwise. Where must the column (1, 0) go for a small positive angle: up or down?", (lambda theta: _matrix(-theta),)),
        Misconception("degrees", lambda theta: _matrix(np.deg2rad(theta)), "You convert theta from degrees. It is in radians already, as NumPy's functions want it.", (lambda theta: _matrix(np.rad2deg(theta)),)),
        Misconception("sine and cosine swapped", lambda theta: np.array([[np.sin(theta), -np.cos(theta)], [np.cos(theta), np.sin(theta)]]), "Sine and cosine are swapped: the angle 0 must give the identity."),
        Misconception("a reflection", lambda theta: np.array([[np.cos(theta), np.sin(theta)], [np.sin(theta), -np.cos(theta)]]), "This is a reflection: it turns the plane over, its determinant is −1. Look at the image of (0, 1).", (lambda theta: np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), -np.cos(theta)]]),)),
        Misconception("both sines positive", lambda theta: np.abs(np.array([[1, 0], [0, 1]])) * np.cos(theta) + np.array([[0, 1], [1, 0]]) * np.sin(theta), "Both sines have the same sign. The point (0, 1) moves to the LEFT when it is turned counter-clockwise."),
    ),
    hints=("A matrix's columns are the images of (1, 0) and of (0, 1). Draw both after a small turn.", "(1, 0) goes to (cos, sin). (0, 1) is a quarter turn ahead of it.", "return np.array([[c, -s], [s, c]]) with c = np.cos(theta), s = np.sin(theta)"),
    minutes=5,
    difficulty=1,
)


# ---- rotate_points
def _points_cases(rng: Generator) -> list[Case]:
    theta = _angle(rng)
    return [
        case("four points", rng.normal(size=(4, 2)), theta, trap="θ not π or π/2 only"),
        case("two points: N = D", rng.normal(size=(2, 2)), theta + 1.9, trap="N = D"),
        case("five points, clockwise", rng.normal(loc=2.0, size=(5, 2)), -theta),
        edge("one point", rng.normal(size=(1, 2)), theta),
        edge("no points", np.zeros((0, 2)), theta),
        edge("integers, a quarter turn", rng.integers(1, 6, size=(3, 2)), np.pi / 2),
    ]


def _about_mean(x: Any, theta: float) -> ndarray:
    x = np.asarray(x, dtype=float)
    centre = x.mean(axis=0) if len(x) else 0.0
    return (x - centre) @ _matrix(theta).T + centre


rotate_points = Exercise(
    reference=lib.rotate_points,
    tiers=values_and_edge(1, 1),
    cases=_points_cases,
    traps=("θ not π or π/2 only", "N = D"),
    misconceptions=(
        Misconception("R where rows need its transpose", lambda x, theta: np.asarray(x) @ _matrix(theta), "Your points turn clockwise. The matrix is made for COLUMNS, and points are ROWS: what becomes of R x when both sides are transposed?", (lambda x, theta: np.asarray(x) @ _matrix(-theta).T,)),
        Misconception("degrees", lambda x, theta: np.asarray(x) @ _matrix(np.deg2rad(theta)).T, "You convert theta from degrees; it is in radians already.", (lambda x, theta: np.asarray(x) @ _matrix(np.rad2deg(theta)).T,)),
        Misconception("about the mean", _about_mean, "You turn about the mean of the points. The centre is the origin."),
        Misconception("points taken for columns", lambda x, theta: _matrix(theta) @ np.asarray(x) if len(x) == 2 else np.asarray(x) @ _matrix(theta).T, "With the matrix on the left, x is read column by column; that works for two points only, and wrongly. Each ROW of x is a point: what is R x with both sides transposed?", (lambda x, theta: (_matrix(theta) @ np.asarray(x)).T if len(x) == 2 else np.asarray(x) @ _matrix(theta).T,)),
        Misconception("coordinates overwritten", lambda x, theta: np.stack([a := np.cos(theta) * np.asarray(x)[:, 0] - np.sin(theta) * np.asarray(x)[:, 1], np.sin(theta) * a + np.cos(theta) * np.asarray(x)[:, 1]], axis=1), "The second coordinate is computed from the NEW first one. Both come from the old pair."),
    ),
    hints=("For a column x the turned point is R x. Your points are rows.", "Transpose: (R x)' = x' R'.", "return x @ rotation_matrix(theta).T"),
    minutes=5,
    difficulty=2,
)


# ---- translate_points, scale_points
def _translate_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        case("unequal shifts", rng.normal(size=(n, d)), rng.normal(size=d), trap="unequal shifts"),
        case("as many points as coordinates", rng.normal(size=(d, d)), rng.normal(scale=3.0, size=d), trap="N = D"),
        edge("one point", rng.normal(size=(1, d)), rng.normal(size=d)),
        edge("integers", rng.integers(-3, 4, size=(n, d)), rng.integers(1, 5, size=d)),
        edge("no points", np.zeros((0, d)), rng.normal(size=d)),
    ]


translate_points = Exercise(
    reference=lib.translate_points,
    tiers=values_and_edge(0.5, 0.5),
    cases=_translate_cases,
    traps=("unequal shifts", "N = D"),
    misconceptions=(
        Misconception("the other way", lambda x, t: np.asarray(x) - np.asarray(t), "Your points move against t."),
        Misconception("one shift per point", lambda x, t: np.asarray(x) + (np.asarray(t)[:, None] if len(x) == len(t) else np.asarray(t)), "Where there are as many points as coordinates, you add t down the rows. It holds one number per COORDINATE."),
        Misconception("one shift for all coordinates", lambda x, t: np.asarray(x) + np.asarray(t)[0], "All coordinates move by the same amount; t has one shift for each.", (lambda x, t: np.asarray(x) + np.mean(t), lambda x, t: np.asarray(x) + np.sum(t))),
        Misconception("multiplied", lambda x, t: np.asarray(x) * np.asarray(t), "You multiply. A translation adds."),
    ),
    hints=("Every point moves by the same vector.", "Broadcasting matches (D,) with the last axis of (N, D).", "return x + t"),
    minutes=2,
    difficulty=1,
)


def _scale_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        case("one factor", rng.normal(size=(n, d)), float(rng.uniform(1.5, 2.5))),
        case("a factor per coordinate", rng.normal(loc=1.0, size=(n, d)), rng.uniform(0.3, 3.0, size=d)),
        case("as many points as coordinates", rng.normal(size=(d, d)), rng.uniform(0.3, 3.0, size=d), trap="N = D"),
        edge("a mirror", rng.normal(size=(n, d)), -1.0),
        edge("a factor 0", rng.normal(size=(n, d)), 0.0),
        edge("integers", rng.integers(1, 5, size=(n, d)), 3),
    ]


def _scaled_about_mean(x: Any, s: Any) -> ndarray:
    x = np.asarray(x, dtype=float)
    return (x - x.mean(axis=0)) * s + x.mean(axis=0)


scale_points = Exercise(
    reference=lib.scale_points,
    tiers=values_and_edge(0.5, 0.5),
    cases=_scale_cases,
    traps=("N = D",),
    extension=True,
    misconceptions=(
        Misconception("about the mean", _scaled_about_mean, "You scale about the mean of the points. The centre is the origin."),
        Misconception("one factor per point", lambda x, s: np.asarray(x) * (np.asarray(s)[:, None] if np.shape(s) == (len(x),) else s), "Where there are as many points as coordinates, the factors go down the rows. There is one per COORDINATE."),
        Misconception("divided", lambda x, s: np.asarray(x) / np.where(np.asarray(s) == 0, 1, s), "You divide; a factor 2 makes things larger."),
        Misconception("added", lambda x, s: np.asarray(x) + s, "You add s. That is a translation."),
        Misconception("first factor for all", lambda x, s: np.asarray(x) * np.ravel(s)[0], "All coordinates get the first factor; s may hold one for each."),
    ),
    hints=("A factor for each coordinate, or one for all.", "Broadcasting does both cases.", "return x * s"),
    minutes=2,
    difficulty=1,
)


# ---- rotate_images
def _pictures(rng: Generator, n: int, h: int, w: int) -> ndarray:
    return np.round(rng.uniform(0.2, 1.0, size=(n, h, w)), 3)


def _rotate_images_cases(rng: Generator) -> list[Case]:
    theta = _angle(rng)
    return [
        case("wider than high", _pictures(rng, 2, 4, 6), theta, trap="H ≠ W"),
        case("higher than wide, clockwise", _pictures(rng, 1, 5, 3), -theta - 0.2, trap="θ not π or π/2 only"),
        case("square, an obtuse angle", _pictures(rng, 1, 4, 4), 1.7 + theta),
        case("long and low: much is read from off the grid", _pictures(rng, 1, 3, 9), 1.2 + theta / 3),
        edge("θ = 0", _pictures(rng, 2, 3, 4), 0.0),
        edge("a single picture, turned far", _pictures(rng, 1, 4, 5), 2.4 + theta),  # no quarter turn: places exactly on an edge fall to either side by rounding
        edge("one row", _pictures(rng, 1, 1, 5), theta),
        edge("high and narrow, more than a half turn", _pictures(rng, 2, 9, 2), 3.9 + theta),
        edge("integers", rng.integers(1, 9, size=(2, 3, 4)), theta),
    ]


def _read(images: ndarray, r: ndarray, c: ndarray, how: str = "bilinear") -> ndarray:
    """Pixels of images (N, H, W) at fractional rows and columns."""
    _, h, w = images.shape
    result = np.zeros((len(images), *r.shape))
    if how in ("int", "int signed"):
        a, b = np.trunc(r), np.trunc(c)
        fr, fc = (r - a, c - b) if how == "int signed" else (np.abs(r - a), np.abs(c - b))
        corners = [(a + i, b + j, (fr if i else 1 - fr) * (fc if j else 1 - fc)) for i in (0, 1) for j in (0, 1)]
    elif how in ("nearest", "truncated"):
        corners = [(np.round(r), np.round(c), np.ones_like(r))] if how == "nearest" else [(np.trunc(r), np.trunc(c), np.ones_like(r))]
    else:
        if how == "clamped":
            r, c = np.clip(r, 0, h - 1), np.clip(c, 0, w - 1)
        corners = [(a, b, (np.abs(r - a) if how == "far" else 1 - np.abs(r - a)) * (np.abs(c - b) if how == "far" else 1 - np.abs(c - b))) for a in (np.floor(r), np.floor(r) + 1) for b in (np.floor(c), np.floor(c) + 1)]
    for a, b, weight in corners:
        inside = (a >= 0) & (a < h) & (b >= 0) & (b < w)
        if how == "wrapped":
            inside = np.ones_like(inside)
        if how == "cut":
            inside &= (r >= 0) & (r <= h - 1) & (c >= 0) & (c <= w - 1)
        if how == "cut strictly":
            inside &= (r >= 0) & (r < h - 1) & (c >= 0) & (c < w - 1)
        result += np.where(inside, weight, 0.0) * images[:, a.astype(int) % h, b.astype(int) % w]
    return result


def _turned(how: str = "bilinear", *, sense: float = 1.0, unit: float = 1.0, centre: str = "middle", aspect: bool = False) -> Callable[..., ndarray]:
    def wrong(images: Any, theta: float) -> ndarray:
        images = np.asarray(images, dtype=float)
        _, h, w = images.shape
        a, b = {"middle": ((h - 1) / 2, (w - 1) / 2), "corner": (0, 0), "half": (h / 2, w / 2), "floor": (h // 2, w // 2), "swapped": ((w - 1) / 2, (h - 1) / 2)}[centre]
        s, c = np.sin(sense * unit * theta), np.cos(unit * theta)
        dr, dc = np.arange(h)[:, None] - a, np.arange(w) - b
        return _read(images, a + s * dc + c * dr, b + c * dc - s * dr, how)

    return wrong


def _forward(images: Any, theta: float) -> ndarray:
    images = np.asarray(images, dtype=float)
    n, h, w = images.shape
    result = np.zeros((n, h, w))
    for i in range(h):
        for j in range(w):
            y, x = (h - 1) / 2 - i, j - (w - 1) / 2
            u, v = np.cos(theta) * x - np.sin(theta) * y, np.sin(theta) * x + np.cos(theta) * y
            row, column = round((h - 1) / 2 - v), round((w - 1) / 2 + u)
            if 0 <= row < h and 0 <= column < w:
                result[:, row, column] = images[:, i, j]
    return result


rotate_images = Exercise(
    reference=lib.rotate_images,
    tiers=values_and_edge(3, 2),
    cases=_rotate_images_cases,
    traps=("H ≠ W", "θ not π or π/2 only"),
    equivalent_mutants=(
        ("0 → -1", "the lower limit of a row: with one row of flat indices less one reads the frame's last row, which is 0 as well"),
        ("1 → 2", "the upper limit of a column: one column more is the next row's frame, 0 as well; beyond the last row AND the last column nothing lies, as turning keeps the distance from the centre"),
    ),
    misconceptions=(
        Misconception("clockwise as seen", _turned(sense=-1.0), "Your pictures turn clockwise. Rows run DOWN, y runs up; and you look for where a pixel came FROM, so you turn back."),
        Misconception("degrees", _turned(unit=np.pi / 180), "You convert theta from degrees; it is in radians already.", (_turned(unit=180 / np.pi),)),
        Misconception("about the corner", _turned(centre="corner"), "You turn about the pixel (0, 0), a corner. Measure rows and columns from the middle, and go back afterwards."),
        Misconception("centre half a pixel off", _turned(centre="half"), "Your centre is half a pixel too far: rows are numbered 0 to H − 1, so which number lies halfway?", (_turned(centre="floor"),)),
        Misconception("H and W swapped in the centre", _turned(centre="swapped"), "The middle row comes from the number of rows, the middle column from the number of columns; you have them the other way round."),
        Misconception("forward mapping", _forward, "You send each pixel of the source to where it goes. Some places are then hit twice and others never: ask for every pixel of the RESULT where it came from."),
        Misconception("nearest pixel", _turned("nearest"), "You read the nearest pixel. Bilinear reads four neighbours, each weighted by how near it is.", (_turned("truncated"),)),
        Misconception("border repeated", _turned("clamped"), "Beyond the edge you read the edge once more. Pixels off the grid are 0."),
        Misconception("wrapped around", _turned("wrapped"), "What leaves on one side comes back on the other: negative indices, or a remainder? Pixels off the grid are 0."),
        Misconception("cut off at the edge", _turned("cut"), "A place a fraction of a pixel beyond the edge gives 0 at once for you. Only the NEIGHBOURS off the grid are 0; those on it still count.", (_turned("cut strictly"),)),
        Misconception("weights of distance, not nearness", _turned("far"), "A neighbour counts MORE the nearer it is; you give each its distance. Try a place exactly on a pixel: whose weight must be 1?"),
        Misconception("int() where floor is meant", _turned("int"), "int() rounds towards 0, so between row −1 and row 0 it takes the wrong neighbour. np.floor always goes down.", (_turned("int signed"),)),
        Misconception("clockwise, and the nearest pixel", _turned("nearest", sense=-1.0), "Two things at once: your pictures turn clockwise (you look for where a pixel came FROM), and you read one pixel where four are to be mixed."),
    ),
    hints=("For every pixel of the result: row and column from the centre, y = −(row from the centre), turn BACK by theta, and you have the place to read.", "Row: centre + sin·dc + cos·dr; column: centre + cos·dc − sin·dr. That is rarely a whole number: take the four pixels around it, each with (1 − row distance)(1 − column distance).", "Pad with one pixel of zeros, floor r and c, and for i, j in (0, 1) add weight * padded[:, clip(r0 + i + 1, 0, H + 1), clip(c0 + j + 1, 0, W + 1)]."),
    minutes=20,
    difficulty=4,
)


# ---- translate_images
def _translate_images_cases(rng: Generator) -> list[Case]:
    return [
        case("down and right, unequal", _pictures(rng, 2, 4, 6), 1, 2, trap="unequal shifts"),
        case("up and left", _pictures(rng, 1, 5, 4), -2, -1, trap="H ≠ W"),
        case("down and left", _pictures(rng, 2, 5, 3), 3, -1),
        edge("no shift", _pictures(rng, 1, 3, 4), 0, 0),
        edge("only up", _pictures(rng, 1, 4, 3), -1, 0),
        edge("out of sight", _pictures(rng, 1, 3, 4), -5, 1),
        edge("out of sight to the right", _pictures(rng, 1, 3, 4), 0, 9),
        edge("just out of sight", _pictures(rng, 1, 3, 4), 3, 0),
        edge("far down", _pictures(rng, 1, 3, 4), 7, 1),
        edge("far to the left", _pictures(rng, 1, 3, 4), 1, -6),
    ]


def _clamped_shift(images: Any, rows: int, columns: int) -> ndarray:
    images = np.asarray(images)
    _, h, w = images.shape
    return images[:, np.clip(np.arange(h) - rows, 0, h - 1)[:, None], np.clip(np.arange(w) - columns, 0, w - 1)]


translate_images = Exercise(
    reference=lib.translate_images,
    tiers=values_and_edge(1, 1),
    cases=_translate_images_cases,
    traps=("unequal shifts", "H ≠ W"),
    extension=True,
    misconceptions=(
        Misconception("rolled around", lambda images, rows, columns: np.roll(images, (rows, columns), axis=(1, 2)), "What leaves on one side comes back on the other. np.roll does that; here zeros move in."),
        Misconception("the other way", lambda images, rows, columns: lib.translate_images(images, -rows, -columns), "Your pictures move up and left; positive is down and right."),
        Misconception("rows and columns swapped", lambda images, rows, columns: lib.translate_images(images, columns, rows), "rows moves along the axis of height, columns along the width; you have them the other way round."),
        Misconception("border repeated", _clamped_shift, "The edge is repeated where something new moves in; it should be 0."),
        Misconception("up taken for positive", lambda images, rows, columns: lib.translate_images(images, -rows, columns), "Rows run downwards: a positive shift moves DOWN."),
    ),
    hints=("result[n, i, j] comes from images[n, i − rows, j − columns], where that is on the grid.", "Copy one slice into another, into zeros. Which rows of the source survive a shift by +2, which by −2?", "Pad with |rows| and |columns| zeros on every side and cut (H, W) out, beginning at |rows| − rows and |columns| − columns."),
    minutes=8,
    difficulty=2,
)


# ---- add_gaussian_noise
def _seed(rng: Generator) -> int:
    return int(rng.integers(1, 10**6))


def _noise_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)

    def drawn(label: str, shape: tuple[int, int], sigma: float, trap: str) -> Case:
        x = Double("sample", {"shape": shape, "seed": _seed(rng)})
        return script(label, *repeated_calls((x, sigma), calls=80, seed=_seed(rng)), judge="gaussian_noise_distribution", trap=trap)

    def generator() -> Double:
        return Double("rng", {"seed": _seed(rng)})

    return [
        drawn("little noise, 80 calls", (40, 50), round(float(rng.uniform(0.25, 0.4)), 3), ""),
        drawn("σ = 3, 80 calls", (50, 40), 3.0, "σ = 0 and 3"),
        edge("σ = 0", rng.normal(size=(n, d)), 0.0, rng=generator(), trap="σ = 0 and 3"),
        edge("σ = 0, three axes", rng.normal(size=(2, d, n)), 0.0, rng=generator()),
        edge("σ = 0, integers", rng.integers(-3, 4, size=(d, n)), 0, rng=generator()),
    ]


def _noisy(noise: Callable[[Any, tuple[int, ...], float], Any], join: Callable[[ndarray, Any], Any] = lambda x, e: x + e) -> Callable[..., Any]:
    def wrong(x: Any, sigma: float, *, rng: Generator) -> Any:
        x = np.asarray(x, dtype=float)
        return join(x, noise(rng, x.shape, sigma))

    return wrong


def _changed(change: Callable[[ndarray], Any]) -> Callable[..., Any]:
    """Right noise, spoilt afterwards."""
    return _noisy(lambda rng, s, sigma: change(rng.normal(0, sigma, size=s)))


def _cut(x: ndarray, e: ndarray) -> ndarray:
    """Values kept in the range of x, as pixels are kept in [0, 1]."""
    return np.clip(x + e, x.min(), x.max())


add_gaussian_noise = Exercise(
    reference=lib.add_gaussian_noise,
    tiers=values_and_edge(2, 1),
    cases=_noise_cases,
    traps=("σ = 0 and 3",),
    equivalent_mutants=(("x + (sigma * rng.standard_normal(x.shape)).astype(x.dtype) → x - (sigma * rng.standard_normal(x.shape)).astype(x.dtype)", "normal noise of mean 0 has the same law with its sign turned"),),
    misconceptions=(
        Misconception("variance for deviation", _noisy(lambda rng, s, sigma: rng.normal(0, np.sqrt(sigma), size=s)), "You take sigma for the variance. It is the standard deviation, and NumPy's normal wants that."),
        Misconception("deviation squared", _noisy(lambda rng, s, sigma: rng.normal(0, sigma**2, size=s)), "Your noise has the deviation sigma²: sigma is the deviation already."),
        Misconception("noise multiplied", _noisy(lambda rng, s, sigma: rng.normal(0, sigma, size=s), lambda x, e: x * (1 + e)), "Where x is 0 nothing happens, where it is large much. The noise is ADDED, the same law everywhere."),
        Misconception("uniform noise", _noisy(lambda rng, s, sigma: rng.uniform(-np.sqrt(3) * sigma, np.sqrt(3) * sigma, size=s)), "Mean and deviation are right, but the noise is bounded. Normal noise has tails."),
        Misconception("noise shared", _noisy(lambda rng, s, sigma: rng.normal(0, sigma, size=s[1:])), "Entries share their noise: all examples, or all features, get the same. Every entry has a draw of its own: how many numbers does your call of rng return?", (_noisy(lambda rng, s, sigma: rng.normal(0, sigma)), _noisy(lambda rng, s, sigma: rng.normal(0, sigma, size=(s[0], *[1] * (len(s) - 1)))))),
        Misconception("recentred", _changed(lambda e: e - e.mean()), "Your noise sums to 0 in every call. Its mean is 0 in expectation only: leave it as it was drawn."),
        Misconception("rescaled", _changed(lambda e: e / (e.std() or 1.0)), "Your noise is divided by its own deviation. sigma is the deviation of the LAW; what was drawn may vary."),
        Misconception("clipped", _noisy(lambda rng, s, sigma: rng.normal(0, sigma, size=s), _cut), "Values pile up at a bound: y, or the noise, is clipped. Nothing is to be cut off, or near the bounds the noise has no longer mean 0."),
        Misconception("one-sided", _changed(np.abs), "Your noise has one sign only, so it moves everything the same way. Its mean should be 0."),
        Misconception("sigma forgotten", _noisy(lambda rng, s, sigma: rng.standard_normal(s)), "Your noise has the deviation 1 whatever sigma is."),
        Misconception("noise alone", _noisy(lambda rng, s, sigma: rng.normal(0, sigma, size=s), lambda x, e: e), "You return the noise; it was to be added to x."),
        Misconception("a generator of its own, fixed seed", _noisy(lambda rng, s, sigma: np.random.default_rng(0).normal(0, sigma, size=s)), "Every call adds the same noise, whatever rng is given. Draw from rng, and make no generator inside."),
        Misconception("a generator of its own", _noisy(lambda rng, s, sigma: np.random.default_rng().normal(0, sigma, size=s)), "The same rng gives different results: you draw from a generator of your own. Draw from the argument rng."),
        Misconception("global random state", _noisy(lambda rng, s, sigma: np.random.normal(0, sigma, size=s)), "You draw from NumPy's global generator, so nobody can repeat the run. Draw from the argument rng."),
    ),
    hints=("One independent number per entry of x, from rng.", "rng.normal takes mean, standard deviation and size.", "return x + sigma * rng.standard_normal(x.shape)"),
    minutes=6,
    difficulty=2,
)


# ---- Normalizer
def _fitted(label: str, a: Any, *others: Any, again: Any = None, tier: str = "values", trap: str = "") -> Case:
    """Fit a, read both attributes, transform the others; then fit `again` and transform the first of the others once more."""
    steps = [Step("", save="normalizer"), Step("normalizer.fit", (a,)), Step("normalizer.mean_", op="get"), Step("normalizer.std_", op="get")]
    for i, b in enumerate(others):
        steps += [Step("normalizer.transform", (b,), save=f"result {i}"), Step(f"result {i}", (1.0,), op="shift")]  # a result is nobody's state
    if again is not None:
        steps += [Step("normalizer.fit", (again,)), Step("normalizer.transform", (others[0],)), Step("normalizer.mean_", op="get"), Step("normalizer.std_", op="get")]
    return script(label, *steps, tier=tier, trap=trap)


def _normalizer_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)

    def made(rows: int, columns: int) -> ndarray:
        return np.round(rng.normal(size=(rows, columns)) * rng.uniform(0.5, 4.0, size=columns) + rng.uniform(-5, 5, size=columns), 3)

    few, given = made(3, d), made(n + 3, d)
    tenth = made(3, 3)
    tenth[:, 1] = 0.1
    square = made(d, d)
    changed = script(
        "the fitted data changed in place afterwards",
        Step("", save="normalizer"), Step("normalizer.fit", (Double("shared", {"name": "data", "value": given}),)), Step("data", (1.0,), op="shift"), Step("normalizer.transform", (few,)),
        tier="edge",
    )  # fmt: skip
    two = script(
        "two normalizers, each with data of its own",
        Step("", save="first"), Step("", save="second"), Step("first.fit", (few,)), Step("second.fit", (given,)), Step("first.transform", (given,)), Step("second.transform", (few,)),
        tier="edge",
    )  # fmt: skip
    return [
        _fitted("fitted to three examples, others transformed", few, made(2, d), trap="N = 3"),
        _fitted("fit A, transform B, fit C, transform B", given, made(n, d), again=made(4, d), trap="other data than fitted"),
        _fitted("as many examples as features", square, made(2, d), trap="N = D"),
        _fitted("a constant feature 0.1", tenth, np.array([[1.0, 2.1, 3.0]]), tier="edge", trap="a constant 0.1"),
        _fitted("one example", made(1, d), made(2, d), tier="edge"),
        _fitted("fitted data, then one example alone", given, given, given[:1], tier="edge"),
        _fitted("integers, a feature of tiny spread", np.array([[1, 5], [2, 5], [4, 9]]), np.array([[3, 3]]), tier="edge"),
        _fitted("a feature of tiny spread", np.array([[1e-9, 1.0], [3e-9, 4.0], [2e-9, 6.0]]), np.array([[2.5e-9, 1.0]]), tier="edge"),
        changed,
        two,
    ]


class _Shared:
    """Statistics kept by the class: all its objects share them."""

    def fit(self, x: Any) -> Any:
        x = np.asarray(x, dtype=float)
        _Shared.mean_, _Shared.std_ = x.mean(axis=0), np.where(np.ptp(x, axis=0) == 0, 1.0, x.std(axis=0))
        return self

    def transform(self, x: Any) -> Any:
        return (np.asarray(x) - self.mean_) / self.std_


class _Late:
    """Keeps the fitted data and measures them when asked: the data may have changed by then."""

    def fit(self, x: Any) -> Any:
        self.x = x
        return self

    mean_ = property(lambda self: np.mean(self.x, axis=0))
    std_ = property(lambda self: np.where(np.ptp(self.x, axis=0) == 0, 1.0, np.std(self.x, axis=0)))

    def transform(self, x: Any) -> Any:
        return (np.asarray(x) - self.mean_) / self.std_


def _normalizer(mean: Callable[..., Any] = lambda x: x.mean(axis=0), std: Callable[..., Any] = lambda x: x.std(axis=0), zero: Callable[[ndarray, ndarray], Any] = lambda s, x: np.where(np.ptp(x, axis=0) == 0, 1.0, s), *, own: bool = False, frozen: bool = False, nothing: bool = False, use: Callable[..., Any] = lambda x, m, s: (x - m) / s) -> type:
    class Normalizer:
        def fit(self, x: Any) -> Any:
            x = np.asarray(x, dtype=float)
            if not (frozen and hasattr(self, "mean_")):
                self.mean_ = mean(x)
                self.std_ = zero(std(x), x)
            return None if nothing else self

        def transform(self, x: Any) -> Any:
            x = np.asarray(x, dtype=float)
            if own:
                self.fit(x)
            with np.errstate(all="ignore"):
                return use(x, self.mean_, self.std_)

    return Normalizer


normalizer = Exercise(
    reference=lib.Normalizer,
    tiers=(Tier("values", "ordinary values", 2), Tier("edge", "edge cases", 2, needs=("values",))),
    cases=_normalizer_cases,
    traps=("N = 3", "other data than fitted", "N = D", "a constant 0.1"),
    misconceptions=(
        Misconception("statistics of the data transformed", _normalizer(own=True), "transform uses the statistics of what it is given. Test data are measured with the TRAINING data's mean and deviation: only fit learns.", (_normalizer(use=lambda x, m, s: (x - x.mean(axis=0)) / np.where(np.ptp(x, axis=0) == 0, 1.0, x.std(axis=0))), _normalizer(use=lambda x, m, s: (x - x.mean(axis=0)) / s), _normalizer(use=lambda x, m, s: (x - m) / np.where(np.ptp(x, axis=0) == 0, 1.0, x.std(axis=0))))),
        Misconception("N − 1", _normalizer(std=lambda x: x.std(axis=0, ddof=1) if len(x) > 1 else np.ones(x.shape[1])), "Your deviation divides by N − 1; here it is N.", tuple(_normalizer(std=lambda x: x.std(axis=0, ddof=1) if len(x) > 1 else np.zeros(x.shape[1]), zero=zero) for zero in (lambda s, x: s, lambda s, x: np.where(s == 0, 1.0, s), lambda s, x: s + 1e-8))),
        Misconception("statistics by example", _normalizer(lambda x: x.mean(axis=1) if len(x) == x.shape[1] else x.mean(axis=0), lambda x: x.std(axis=1) if len(x) == x.shape[1] else x.std(axis=0)), "Where there are as many examples as features you average along the wrong axis. Each FEATURE has a mean, over the examples."),
        Misconception("one mean for everything", _normalizer(lambda x: np.full(x.shape[1], x.mean()), lambda x: np.full(x.shape[1], x.std())), "Mean and deviation are taken over all entries together. Each feature has its own."),
        Misconception("variance for deviation", _normalizer(std=lambda x: x.var(axis=0)), "You divide by the variance. Look at the units: what must x be divided by to lose them?", (_normalizer(std=lambda x: x.var(axis=0), zero=lambda s, x: np.where(s == 0, 1.0, s)), _normalizer(std=lambda x: x.var(axis=0), zero=lambda s, x: s))),
        Misconception("constant feature divided by about 0", _normalizer(zero=lambda s, x: s), "A constant feature has a computed deviation of 0, or of 1e-17: dividing by it gives NaN or nonsense. Ask whether maximum and minimum agree.", (_normalizer(zero=lambda s, x: np.where(s == 0, 1.0, s)), *(_normalizer(zero=lambda s, x: s, use=lambda x, m, s, eps=eps: (x - m) / (s + eps)) for eps in (1e-15, 1e-12, 1e-10, 1e-9, 1e-8)), _normalizer(zero=lambda s, x: s, use=lambda x, m, s: np.where(s < 1e-12, 0.0, (x - m) / s)), _normalizer(zero=lambda s, x: s, use=lambda x, m, s: (x - m) / np.where(s < 1e-12, 1.0, s)))),
        Misconception("a small number added", _normalizer(zero=lambda s, x: s + 1e-8), "A small number is added to the deviation; all values change a little. Only a CONSTANT feature is an exception, and its std_ is 1.", (_normalizer(zero=lambda s, x: np.maximum(s, 1e-8)),)),
        Misconception("small deviations replaced", _normalizer(zero=lambda s, x: np.where(s < 1e-8, 1.0, s)), "A feature of tiny spread counts as constant for you. It is not: only where maximum and minimum agree is std_ 1."),
        Misconception("fitted only once", _normalizer(frozen=True), "The second fit changes nothing. Each fit forgets what was learned before."),
        Misconception("statistics kept by the class", lambda: _Shared(), "Two normalizers share their statistics: the second fit changed the first. Store them in self, not in the class."),
        Misconception("fitted data kept instead of their statistics", lambda: _Late(), "When the fitted data change afterwards, so do your statistics. Compute them in fit and store the two results."),
        Misconception("fit returns nothing", _normalizer(nothing=True), "fit has learned, but returns None: with `return self` one can write Normalizer().fit(a).transform(b)."),
        Misconception("not centred", _normalizer(use=lambda x, m, s: x / s), "x is divided, but its mean was never taken away."),
        Misconception("only centred", _normalizer(use=lambda x, m, s: x - m), "The mean is taken away, the deviation is not divided by."),
    ),
    hints=("fit stores two arrays in self and returns self; transform only uses them.", "Mean and deviation along axis 0. A column is constant where x.max(axis=0) == x.min(axis=0): there std_ is 1.", "self.std_ = np.where(x.max(axis=0) == x.min(axis=0), 1.0, x.std(axis=0)); transform returns (x - self.mean_) / self.std_."),
    minutes=10,
    difficulty=2,
)


# ---- noise_penalty, noise_ridge_loss and its gradient
def _penalty_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)
    return [
        case("little noise", rng.normal(size=d), float(rng.uniform(0.2, 0.4))),
        case("σ = 3", rng.normal(size=n), 3.0, trap="σ = 0 and 3"),
        case("large weights", rng.normal(scale=5.0, size=d + 2), 0.7),
        edge("σ = 0", rng.normal(size=d), 0.0, trap="σ = 0 and 3"),
        edge("one weight", rng.normal(size=1), 0.6),
        edge("integers", rng.integers(-3, 4, size=n), 2),
    ]


noise_penalty = Exercise(
    reference=lib.noise_penalty,
    tiers=values_and_edge(1, 1),
    cases=_penalty_cases,
    traps=("σ = 0 and 3",),
    misconceptions=(
        Misconception("½ forgotten", lambda w, sigma: sigma**2 * np.sum(np.square(w)), "The loss has a ½ in front of the square; it goes with every term."),
        Misconception("variance for deviation", lambda w, sigma: 0.5 * sigma * np.sum(np.square(w)), "sigma enters once. The noise stands inside a square: what is E[(σ e)²]?", (lambda w, sigma: sigma * np.sum(np.square(w)),)),
        Misconception("norm not squared", lambda w, sigma: 0.5 * sigma**2 * np.linalg.norm(w), "The norm of w enters once; square e · w and take the expectation term by term."),
        Misconception("mean over the weights", lambda w, sigma: 0.5 * sigma**2 * np.mean(np.square(w)), "You average over the weights. The noise terms of all coordinates ADD up."),
        Misconception("square of the sum", lambda w, sigma: 0.5 * sigma**2 * np.sum(w) ** 2, "You square the sum of the weights. The coordinates' noises are independent: what is E[e_j e_k] for j ≠ k?"),
        Misconception("absolute values", lambda w, sigma: 0.5 * sigma**2 * np.sum(np.abs(w)), "You sum absolute values; the expectation of a square gives squares."),
    ),
    hints=("Write the noisy residual as r + σ e·w, and square it.", "The middle term has expectation 0. E[(e·w)²] is a double sum of w_j w_k E[e_j e_k]: which terms stay?", "return 0.5 * sigma**2 * (w @ w)"),
    minutes=8,
    difficulty=2,
)


def _ridge_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)

    def made(rows: int, columns: int) -> tuple[ndarray, ndarray, ndarray]:
        return rng.normal(size=columns), rng.normal(size=(rows, columns)), rng.normal(loc=1.0, size=rows)

    return [
        case("a batch", *made(n, d), float(rng.uniform(0.3, 0.6))),
        case("σ = 3", *made(d + 3, n), 3.0, trap="σ = 0 and 3"),
        case("N = D", *made(d, d), 0.7, trap="N = D"),
        edge("σ = 0", *made(n, d), 0.0, trap="σ = 0 and 3"),
        edge("one example", *made(1, d), 0.5),
        edge("one weight", *made(n, 1), 1.5),
        edge("integers", rng.integers(-2, 3, size=d), rng.integers(-2, 3, size=(n, d)), rng.integers(-2, 3, size=n), 2),
    ]


def _ridge(a: float = 0.5, b: float = 0.5, power: int = 2, *, total: bool = False, shared: bool = False, norm: int = 2) -> Callable[..., float]:
    def wrong(w: Any, X: Any, y: Any, sigma: float) -> float:
        w, X, y = np.asarray(w, float), np.asarray(X, float), np.asarray(y, float)
        squares = (X @ w - y) ** 2
        return a * (squares.sum() if total else squares.mean()) + b * sigma**power * np.sum(np.abs(w) ** norm) / (len(X) if shared else 1)

    return wrong


noise_ridge_loss = Exercise(
    reference=lib.noise_ridge_loss,
    tiers=values_and_edge(1, 1),
    cases=_ridge_cases,
    traps=("σ = 0 and 3", "N = D"),
    equivalent_mutants=(("X @ w - y → y - X @ w", "the residual is squared"),),
    misconceptions=(
        Misconception("penalty divided by N", _ridge(shared=True), "You divide the penalty by N. Every example carries noise, and the mean of N equal terms is one of them."),
        Misconception("sum instead of mean", _ridge(total=True), "The squares are summed; the loss is their MEAN over the examples.", (lambda w, X, y, sigma: len(X) * _ridge()(w, X, y, sigma),)),
        Misconception("norm not squared", lambda w, X, y, sigma: _ridge(b=0.0)(w, X, y, sigma) + 0.5 * sigma**2 * np.linalg.norm(w), "The penalty holds the norm of w, not its square; your noise_penalty has it right.", (_ridge(norm=1),)),
        Misconception("no penalty", _ridge(b=0.0), "This is the loss without noise. What does noise add?"),
        Misconception("½ of the squares forgotten", _ridge(a=1.0), "The ½ before the squared residuals is missing.", (_ridge(a=1.0, b=1.0),)),
        Misconception("½ of the penalty forgotten", _ridge(b=1.0), "The ½ before the penalty is missing: it comes from the same ½ as that of the residuals."),
        Misconception("variance for deviation", _ridge(power=1), "sigma enters the penalty once; it is a deviation, and stands inside a square."),
        Misconception("penalty subtracted", _ridge(b=-0.5), "Noise makes the expected loss larger, not smaller."),
    ),
    hints=("Two terms: the loss without noise, and the penalty.", "The penalty is the same for every example, so the mean leaves it as it is.", "return 0.5 * ((X @ w - y) ** 2).mean() + noise_penalty(w, sigma)"),
    minutes=5,
    difficulty=2,
)


def _ridge_grad(scale: str = "N", b: float = 1.0, power: int = 2, *, shared: bool = False, sign: float = 1.0) -> Callable[..., ndarray]:
    def wrong(w: Any, X: Any, y: Any, sigma: float) -> ndarray:
        w, X, y = np.asarray(w, float), np.asarray(X, float), np.asarray(y, float)
        slope = X.T @ (X @ w - y) / {"N": len(X), "1": 1, "N/2": len(X) / 2}[scale]
        return sign * slope + b * sigma**power * w / (len(X) if shared else 1)

    return wrong


noise_ridge_loss_grad = Exercise(
    reference=lib.noise_ridge_loss_grad,
    tiers=values_and_edge(1, 1),
    cases=_ridge_cases,
    traps=("σ = 0 and 3", "N = D"),
    extension=True,
    misconceptions=(
        Misconception("1/N forgotten", _ridge_grad("1"), "The squares are averaged over N; their gradient, too."),
        Misconception("penalty divided by N", _ridge_grad(shared=True), "The penalty is not divided by N, so its gradient is not either."),
        Misconception("½ of the penalty kept", _ridge_grad(b=0.5), "A square's derivative brings a 2, which cancels the penalty's ½."),
        Misconception("factor 2", _ridge_grad("N/2"), "The squares' ½ cancels the 2 of the derivative.", (_ridge_grad("N/2", b=2.0), _ridge_grad(b=2.0))),
        Misconception("penalty itself added", lambda w, X, y, sigma: _ridge_grad(b=0.0)(w, X, y, sigma) + sigma**2 * np.sum(np.square(w)), "A number is added to every entry. The penalty must be DIFFERENTIATED: its slope in w_j is another one for each j.", (lambda w, X, y, sigma: _ridge_grad(b=0.0)(w, X, y, sigma) + 0.5 * sigma**2 * np.sum(np.square(w)),)),
        Misconception("penalty left out", _ridge_grad(b=0.0), "Only the squares are differentiated; the penalty depends on w as well."),
        Misconception("residual with the wrong sign", _ridge_grad(sign=-1.0), "The part of the squares points the wrong way: the residual is prediction minus target."),
        Misconception("variance for deviation", _ridge_grad(power=1), "sigma enters the penalty squared."),
    ),
    hints=("Differentiate both terms of the loss.", "The residual's derivative in w is x_i: X' times the residuals, over N.", "return X.T @ (X @ w - y) / len(X) + sigma**2 * w"),
    minutes=5,
    difficulty=2,
)


# ---- noise_ridge_loss_in_torch
def _torch_cases(rng: Generator) -> list[Case]:
    n, d = _sizes(rng)

    def made(rows: int, columns: int, sigma: float) -> tuple[Any, ...]:
        return rng.normal(size=columns), rng.normal(size=(rows, columns)), rng.normal(size=rows), sigma, 1.5

    return [
        case("a batch, forward and gradients", *made(n, d, 0.4), op="torch"),
        case("σ = 3", *made(d + 2, n, 3.0), op="torch", trap="σ = 0 and 3"),
        edge("σ = 0", *made(n, d, 0.0), op="torch", trap="σ = 0 and 3"),
        edge("one example", *made(1, d, 0.5), op="torch"),
    ]


def _torch_ridge(a: float = 0.5, b: float = 0.5, power: int = 2, *, total: bool = False, shared: bool = False, cut: bool = False) -> Callable[..., Any]:
    def wrong(w: Any, X: Any, y: Any, sigma: float) -> Any:
        squares = (X @ w - y) ** 2
        v = w.detach() if cut else w
        return a * (squares.sum() if total else squares.mean()) + b * sigma**power * (v * v).sum() / (len(X) if shared else 1)

    return wrong


noise_ridge_loss_in_torch = Exercise(
    reference=lib.noise_ridge_loss_in_torch,
    tiers=values_and_edge(0.5, 0.5),
    cases=_torch_cases,
    traps=("σ = 0 and 3",),
    torch=True,
    equivalent_mutants=(("X @ w - y → y - X @ w", "the residual is squared"),),
    misconceptions=(
        Misconception("penalty cut off from the graph", _torch_ridge(cut=True), "The value is right, but no gradient flows through the penalty: no .detach(), no .data, no .item()."),
        Misconception("norm not squared", lambda w, X, y, sigma: _torch_ridge(b=0.0)(w, X, y, sigma) + 0.5 * sigma**2 * w.norm(), "The penalty holds the norm of w, not its square."),
        Misconception("mse_loss without ½", _torch_ridge(a=1.0), "PyTorch's mse_loss has no ½; the loss here has one before the mean.", (_torch_ridge(a=1.0, b=1.0),)),
        Misconception("penalty divided by N", _torch_ridge(shared=True), "The penalty is not divided by N: every example has its own noise."),
        Misconception("½ of the penalty forgotten", _torch_ridge(b=1.0), "The ½ before the penalty is missing."),
        Misconception("sum instead of mean", _torch_ridge(total=True), "The squares are summed; their mean is asked for."),
        Misconception("variance for deviation", _torch_ridge(power=1), "sigma enters the penalty squared."),
    ),
    hints=("As in NumPy, with tensors; nothing is detached.", "((X @ w - y) ** 2).mean() is a tensor of no axes, and so is w @ w.", "return 0.5 * ((X @ w - y) ** 2).mean() + 0.5 * sigma**2 * (w @ w)"),
    minutes=4,
    difficulty=1,
)


TOPIC = Topic(
    name="data_augmentation",
    assignment="2_regularization",
    title="Data augmentation",
    exercises=(rotation_matrix, rotate_points, translate_points, scale_points, rotate_images, translate_images, add_gaussian_noise, normalizer, noise_penalty, noise_ridge_loss, noise_ridge_loss_grad, noise_ridge_loss_in_torch),
    written=(Written("a_claim_about_labels", points=2, minutes=6),),
)
