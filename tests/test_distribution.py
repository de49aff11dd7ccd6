"""Random answers are judged by their distribution: every right way of drawing passes, every named wrong one is refused under its own code.

`CLASS4_SIMULATIONS=10000 pytest tests/test_distribution.py` judges as many right samplers per exercise; the usual run judges 300.
"""

import functools
import math
import os
from collections.abc import Callable

import numpy as np
import pytest

import class4lib.judges  # noqa: F401 (enters the judges)
from class4lib.calls import run_script
from class4lib.cases import Case, Failure, Sheet
from class4lib.judges.counts import (
    Ledger,
    bounds,
    central,
    even_chi_square,
    lag_pairs,
    log_chance,
    lower_tail,
    upper_tail,
)
from class4lib.judges.distribution import ALPHA, SHARE, repeated_calls
from class4lib.judging import JUDGES
from class4lib.values import Double

SIMULATIONS = int(os.environ.get("CLASS4_SIMULATIONS", "300"))
PARAMETERS = {
    "dropout": ("x", "p", "training", "rng"),
    "spatial_dropout": ("x", "p", "training", "rng"),
    "dropconnect": ("x", "W", "b", "p", "training", "rng"),
    "add_gaussian_noise": ("x", "sigma", "rng"),
}
JUDGE_OF = {
    "dropout": "dropout_distribution",
    "spatial_dropout": "spatial_dropout_distribution",
    "dropconnect": "dropconnect_distribution",
    "add_gaussian_noise": "gaussian_noise_distribution",
}
BIAS = np.array([1.0, -2.0, 0.5, 3.0])


def sample(*shape: int) -> Double:
    return Double("sample", {"shape": shape, "seed": 5})


CASES = {  # exercise -> two cases: (arguments, calls)
    "dropout": [((sample(24, 40), 0.2), 64), ((sample(60, 6), 0.7), 64)],
    "spatial_dropout": [((sample(10, 24, 3, 2), 0.2), 128), ((sample(36, 5, 2, 3), 0.7), 128)],
    "dropconnect": [((sample(12, 5), sample(5, 4), BIAS, 0.2), 128), ((sample(20, 3), sample(3, 4), BIAS, 0.7), 128)],
    "add_gaussian_noise": [((sample(40, 50), 0.3), 80), ((sample(50, 40), 3.0), 80)],
}


def judged(
    exercise: str, answer: Callable, seed: int, which: int, ledger: Ledger | None = None, share: float = SHARE
) -> Failure | None:
    """The failure of an answer in one of its exercise's two cases, as check and grader find it."""
    args, calls = CASES[exercise][which]
    kwargs = {} if exercise == "add_gaussian_noise" else {"training": True}
    steps = tuple(type(s)(exercise, s.args, s.kwargs) for s in repeated_calls(args, calls=calls, seed=seed, **kwargs))
    case = Case("", "values", steps, JUDGE_OF[exercise], {"share": share})
    sheet = Sheet(
        exercise, (), (case,), (), PARAMETERS[exercise], () if exercise == "add_gaussian_noise" else ("y", "mask")
    )
    return JUDGES[case.judge](
        case, run_script({exercise: answer}, steps), sheet, **({} if ledger is None else {"ledger": ledger})
    )


# ---- ways of drawing -------------------------------------------------------------------------------------------------
def layer(exercise: str, draw: Callable) -> Callable:
    """The exercise with a mask of draw(shape, p, rng, x) -> what is kept."""

    def answer(*args, training, rng):
        *inputs, p = args
        x = inputs[0]
        shape = {
            "dropout": x.shape,
            "spatial_dropout": (*x.shape[:2], 1, 1),
            "dropconnect": (*x.shape, np.shape(inputs[-1])[0]),
        }[exercise]
        mask = np.asarray(draw(shape, p, rng, x), dtype=float) / (1 - p)
        return (mask * x if exercise != "dropconnect" else (x[:, None, :] @ (mask * inputs[1]))[:, 0] + inputs[2]), mask

    return answer


RIGHT = {
    "random >= p": lambda s, p, rng, x: rng.random(s) >= p,
    "random > p": lambda s, p, rng, x: rng.random(s) > p,
    "random < 1 - p": lambda s, p, rng, x: rng.random(s) < 1 - p,
    "binomial": lambda s, p, rng, x: rng.binomial(1, 1 - p, s),
    "uniform": lambda s, p, rng, x: rng.uniform(0, 1, s) > p,
    "choice": lambda s, p, rng, x: rng.choice([0.0, 1.0], size=s, p=[p, 1 - p]),
    "row by row": lambda s, p, rng, x: np.stack([rng.random(s[1:]) >= p for _ in range(s[0])]),
    "spawned": lambda s, p, rng, x: rng.spawn(1)[0].random(s) >= p,
    "float32": lambda s, p, rng, x: rng.random(s, dtype=np.float32) >= p,
    "reversed axes": lambda s, p, rng, x: p <= rng.random(s[::-1]).T,
}
RIGHT_NOISE = {
    "normal": lambda x, sigma, *, rng: x + rng.normal(0, sigma, x.shape),
    "standard_normal": lambda x, sigma, *, rng: x + sigma * rng.standard_normal(x.shape),
    "normal with loc": lambda x, sigma, *, rng: rng.normal(x, sigma),
    "row by row": lambda x, sigma, *, rng: x + sigma * np.stack([rng.standard_normal(x.shape[1]) for _ in x]),
    "Box-Muller": lambda x, sigma, *, rng: (
        x + sigma * np.sqrt(-2 * np.log1p(-rng.random(x.shape))) * np.cos(2 * np.pi * rng.random(x.shape))
    ),
    "float32": lambda x, sigma, *, rng: x + sigma * rng.standard_normal(x.shape, dtype=np.float32).astype(float),
    "spawned": lambda x, sigma, *, rng: x + sigma * rng.spawn(1)[0].standard_normal(x.shape),
}


def right(exercise: str) -> list[Callable]:
    return (
        list(RIGHT_NOISE.values()) if exercise == "add_gaussian_noise" else [layer(exercise, d) for d in RIGHT.values()]
    )


def copied(s, p, rng, x):
    other = np.random.default_rng(0)
    other.bit_generator.state = rng.bit_generator.state
    return other.random(s) >= p


def reseeded(s, p, rng, x):
    np.random.seed(int(rng.integers(2**31)))
    return np.random.random(s) >= p


def fixed_number(s, p, rng, x, per_example=False):
    u = rng.random((s[0], math.prod(s[1:]))) if per_example else rng.random((1, math.prod(s)))
    return (u.argsort(1).argsort(1) >= round(p * u.shape[1])).reshape(s)


def neighbours(s, p, rng, x, repeat=0.2):
    u, n = rng.random(s).ravel(), math.prod(s)
    source = np.maximum.accumulate(np.where(rng.random(n) < repeat, 0, np.arange(n)))  # some copy the entry before them
    return (u[source] >= p).reshape(s)


def together(s, p, rng, x, share=0.3):
    common = rng.random((s[0], *[1] * (len(s) - 1))) >= p
    return np.where(rng.random(s) < math.sqrt(share), common, rng.random(s) >= p)


WRONG = {  # name -> (draw, code)
    "keep and drop swapped": (lambda s, p, rng, x: rng.random(s) < p, "swapped"),
    "p + 0.04": (lambda s, p, rng, x: rng.random(s) >= p + 0.04, "rate"),
    "always one half": (lambda s, p, rng, x: rng.random(s) >= 0.5, "rate"),
    "nothing dropped": (lambda s, p, rng, x: np.ones(s), "same every call"),
    "one mask per batch": (lambda s, p, rng, x: np.broadcast_to(rng.random((1, *s[1:])) >= p, s), "one mask"),
    "one draw per example": (
        lambda s, p, rng, x: np.broadcast_to(rng.random((s[0], *[1] * (len(s) - 1))) >= p, s),
        "one draw per example",
    ),
    "one draw per call": (lambda s, p, rng, x: np.broadcast_to(rng.random() >= p, s), "one draw per call"),
    "two examples share a mask": (
        lambda s, p, rng, x: np.repeat(rng.random((s[0] // 2, *s[1:])) >= p, 2, axis=0),
        "dependent",
    ),
    "first half repeated": (
        lambda s, p, rng, x: np.concatenate([u := rng.random((s[0] // 2, *s[1:])) >= p, u]),
        "dependent",
    ),
    "neighbours correlated": (neighbours, "dependent"),
    "examples correlated": (together, "dependent"),
    "fixed number per call": (fixed_number, "fixed number"),
    "fixed number per example": (functools.partial(fixed_number, per_example=True), "fixed number"),
    "global state": (lambda s, p, rng, x: np.random.random(s) >= p, "global state"),
    "global state, seeded from rng": (reseeded, "global state"),
    "global state, seeded with 0": (
        lambda s, p, rng, x: (np.random.seed(0), np.random.random(s) >= p)[1],
        {"global state", "same every call"},
    ),  # the state moves in the first call only
    "own generator": (lambda s, p, rng, x: np.random.default_rng().random(s) >= p, "not repeatable"),
    "fixed seed": (lambda s, p, rng, x: np.random.default_rng(0).random(s) >= p, "same every call"),
    "rng copied": (copied, "not advanced"),
    "one of 30 seeds": (lambda s, p, rng, x: np.random.default_rng(int(rng.integers(30))).random(s) >= p, "few seeds"),
}
WRONG_HERE = {  # only for one exercise: draws, and whole answers
    "dropout": {
        "mask read off y": (lambda s, p, rng, x: (rng.random(s) >= p) & (x != 0), "zeros of x"),
        "large |x| kept": (
            lambda s, p, rng, x: rng.random(s) >= np.clip(p * np.where(np.abs(x) > 1, 0.7, 1.2), 0, 1),
            {"unequal", "rate"},
        ),
    },
    "spatial_dropout": {},
    "dropconnect": {
        "units dropped": (lambda s, p, rng, x: np.broadcast_to(rng.random((s[0], 1, s[2])) >= p, s), "units dropped"),
        "inputs dropped": (lambda s, p, rng, x: np.broadcast_to(rng.random((s[0], s[1], 1)) >= p, s), "inputs dropped"),
    },
}


def on_result(exercise: str, change: Callable) -> Callable:
    """A right answer whose (y, mask) goes through change(y, mask, x, p, rng)."""

    def answer(*args, training, rng):
        y, mask = layer(exercise, RIGHT["random >= p"])(*args, training=training, rng=rng)
        return change(y, mask, args[0], args[-1], rng)

    return answer


def per_pixel(x, p, *, training, rng):
    mask = (rng.random(x.shape) >= p) / (1 - p)
    return mask * x, mask


def bias_dropped(x, W, b, p, *, training, rng):
    mask, whole = (rng.random((*x.shape, W.shape[1])) >= p) / (1 - p), (rng.random((len(x), len(b))) >= p) / (1 - p)
    return np.einsum("nd,ndm,dm->nm", x, mask, W) + whole * b, mask


def shared_weights(x, W, b, p, *, training, rng):
    mask = (rng.random(W.shape) >= p) / (1 - p)
    return x @ (mask * W) + b, mask


def moments(s, p, rng):
    return 1 + math.sqrt(p / (1 - p)) * rng.standard_normal(s)


WHOLE = [
    (
        "dropout",
        "not rescaled",
        on_result("dropout", lambda y, m, x, p, rng: (y * (1 - p), m * (1 - p))),
        "not rescaled",
    ),
    (
        "dropout",
        "mask of truth values",
        on_result("dropout", lambda y, m, x, p, rng: (y, m > 0)),
        "mask without the factor",
    ),
    ("dropout", "p keeps", lambda x, p, *, training, rng: ((m := (rng.random(x.shape) < p) / p) * x, m), "factor 1/p"),
    (
        "dropout",
        "rescaled twice",
        on_result("dropout", lambda y, m, x, p, rng: (y / (1 - p), m / (1 - p))),
        "rescaled twice",
    ),
    ("dropout", "shrunk", on_result("dropout", lambda y, m, x, p, rng: (y * (1 - p) ** 2, m * (1 - p) ** 2)), "shrunk"),
    (
        "dropout",
        "Gaussian with the two moments",
        lambda x, p, *, training, rng: ((m := moments(x.shape, p, rng)) * x, m),
        "many factors",
    ),
    ("dropout", "y not rescaled", on_result("dropout", lambda y, m, x, p, rng: (y * (1 - p), m)), "y not rescaled"),
    ("dropout", "y rescaled twice", on_result("dropout", lambda y, m, x, p, rng: (y / (1 - p), m)), "y rescaled twice"),
    ("dropout", "mask not applied", on_result("dropout", lambda y, m, x, p, rng: (x, m)), "mask not applied"),
    (
        "dropout",
        "a fresh mask returned",
        on_result("dropout", lambda y, m, x, p, rng: (y, (rng.random(m.shape) >= p) / (1 - p))),
        "another mask",
    ),
    ("dropout", "y alone", on_result("dropout", lambda y, m, x, p, rng: y), "type"),
    ("dropout", "a mask of one row", on_result("dropout", lambda y, m, x, p, rng: (x * m[0], m[0])), "one mask"),
    ("spatial_dropout", "mask per pixel", per_pixel, "mask per pixel"),
    (
        "spatial_dropout",
        "mask per pixel, a pixel of it returned",
        lambda x, p, *, training, rng: ((r := per_pixel(x, p, training=training, rng=rng))[0], r[1][:, :, :1, :1]),
        "mask per pixel",
    ),
    ("dropconnect", "bias dropped", bias_dropped, "bias dropped"),
    ("dropconnect", "one mask for all examples", shared_weights, "one mask"),
]
E = {  # name -> (draw of noise with sigma 1, code)
    "uniform with the two moments": (lambda x, rng: rng.uniform(-math.sqrt(3), math.sqrt(3), x.shape), "uniform"),
    "Laplace with the two moments": (lambda x, rng: rng.laplace(0, math.sqrt(0.5), x.shape), "law"),
    "logistic with the two moments": (lambda x, rng: rng.logistic(0, math.sqrt(3) / math.pi, x.shape), "law"),
    "signs": (lambda x, rng: rng.choice([-1.0, 1.0], x.shape), "discrete"),
    "redrawn beyond 2 sigma": (lambda x, rng: np.where(np.abs(e := rng.standard_normal(x.shape)) > 2, e / 2, e), "law"),
    "rounded to 0.1": (lambda x, rng: np.round(rng.standard_normal(x.shape), 1), "discrete"),
    "recentred per call": (lambda x, rng: (e := rng.standard_normal(x.shape)) - e.mean(), "recentred"),
    "recentred per column": (lambda x, rng: (e := rng.standard_normal(x.shape)) - e.mean(axis=0), None),
    "rescaled per call": (lambda x, rng: (e := rng.standard_normal(x.shape)) / e.std(), "rescaled"),
    "one draw per row": (lambda x, rng: np.broadcast_to(rng.standard_normal((len(x), 1)), x.shape), "shared"),
    "one draw per column": (lambda x, rng: np.broadcast_to(rng.standard_normal(x.shape[1]), x.shape), "shared"),
    "one draw per call": (lambda x, rng: np.full(x.shape, rng.standard_normal()), "shared"),
    "second half mirrored": (
        lambda x, rng: np.concatenate([e := rng.standard_normal((len(x) // 2, x.shape[1])), -e]),
        None,
    ),
    "neighbours correlated": (
        lambda x, rng: ((e := rng.standard_normal(x.shape)) + 0.1 * np.roll(e, 1, axis=1)) / math.sqrt(1.01),
        None,
    ),
    "not where x is 0": (lambda x, rng: rng.standard_normal(x.shape) * (x != 0), "multiplied"),
    "cut at 3 sigma": (lambda x, rng: np.clip(rng.standard_normal(x.shape), -3, 3), "clipped"),
    "absolute value": (lambda x, rng: np.abs(rng.standard_normal(x.shape)), "one-sided"),
    "deviation 4 % too large": (lambda x, rng: 1.04 * rng.standard_normal(x.shape), "law"),
    "mean 0.03 sigma": (lambda x, rng: 0.03 + rng.standard_normal(x.shape), "law"),
    "global state": (lambda x, rng: np.random.standard_normal(x.shape), "global state"),
    "fixed seed": (lambda x, rng: np.random.default_rng(0).standard_normal(x.shape), "same every call"),
    "one of 50 seeds": (
        lambda x, rng: np.random.default_rng(int(rng.integers(50))).standard_normal(x.shape),
        "few seeds",
    ),
}
WRONG_NOISE = [(name, lambda x, sigma, *, rng, d=d: x + sigma * d(x, rng), code) for name, (d, code) in E.items()] + [
    ("variance for deviation", lambda x, sigma, *, rng: rng.normal(x, math.sqrt(sigma)), "variance for deviation"),
    ("deviation squared", lambda x, sigma, *, rng: rng.normal(x, sigma**2), "deviation squared"),
    ("sigma ignored", lambda x, sigma, *, rng: rng.normal(x, 1.0), "sigma ignored"),
    ("multiplied", lambda x, sigma, *, rng: x * (1 + sigma * rng.standard_normal(x.shape)), "multiplied"),
    ("noise alone", lambda x, sigma, *, rng: rng.normal(0, sigma, x.shape), "not added"),
    ("clipped to the range of x", lambda x, sigma, *, rng: np.clip(rng.normal(x, sigma), x.min(), x.max()), "clipped"),
    ("clipped to [0, 1]", lambda x, sigma, *, rng: np.clip(rng.normal(x, sigma), 0, 1), "clipped"),
    ("no noise", lambda x, sigma, *, rng: x, "no noise"),
]


def all_wrong() -> list:
    layers = [
        (e, name, layer(e, d), code) for e, here in WRONG_HERE.items() for name, (d, code) in {**WRONG, **here}.items()
    ]
    return layers + WHOLE + [("add_gaussian_noise", *w) for w in WRONG_NOISE]


@pytest.mark.parametrize(
    ("exercise", "name", "answer", "code"), [pytest.param(*w, id=f"{w[0]}: {w[1]}") for w in all_wrong()]
)
def test_a_wrong_sampler_is_refused_under_its_code_in_both_cases(exercise, name, answer, code) -> None:
    for seed in (11, 12_000):
        for which in (0, 1):
            failure = judged(exercise, answer, seed, which)
            assert failure is not None, which
            allowed = {code} if isinstance(code, str) else code
            assert allowed is None or failure.code in allowed, f"{which} {failure}"


# ---- right samplers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exercise", CASES)
def test_right_samplers_pass_and_their_p_values_are_uniform(exercise) -> None:
    """Half of SIMULATIONS in each case; p-values are randomised, which makes those of a binomial count exactly uniform."""
    ways, rng, values = right(exercise), np.random.default_rng(99), {}
    for r in range(SIMULATIONS):
        ledger = Ledger()
        failure = judged(exercise, ways[r // 2 % len(ways)], 10**6 + 1000 * r, r % 2, ledger)
        assert failure is None, f"{r}: {failure}"
        assert ledger.spent <= ALPHA * SHARE * (1 + 1e-9)
        for what, k, n, q in ledger.counts if r < 4000 else ():
            if min(n * q, n * (1 - q)) > 1:
                p_value = upper_tail(k + 1, n, q) + rng.random() * math.exp(log_chance(k, n, q))
                values.setdefault((r % 2, what), []).append(p_value)
    assert len(values) > 20
    distances = []
    for found in values.values():  # Kolmogorov's distance times √n exceeds 2.6 with a chance below 3e-6
        v, i = np.sort(found), np.arange(len(found))
        distances.append(max((v - i / len(v)).max(), ((i + 1) / len(v) - v).max()) * math.sqrt(len(v)))
    print(
        f"{exercise}: {SIMULATIONS} passed; Kolmogorov distance of {len(distances)} kinds: median {np.median(distances):.2f}, largest {max(distances):.2f}; smallest p {min(2 * min(min(v), 1 - max(v)) for v in values.values()):.1e}"
    )
    assert max(distances) < 2.6


@pytest.mark.parametrize("exercise", CASES)
def test_at_a_large_level_the_share_refused_stays_below_it(exercise) -> None:
    """The union bound seen at work: a level of 0.1 refuses some right samplers, and fewer than a tenth."""
    ways, refused, runs = right(exercise), 0, max(SIMULATIONS // 5, 40)
    for r in range(runs):
        refused += judged(exercise, ways[r // 2 % len(ways)], 10**7 + 1000 * r, r % 2, share=0.1 / ALPHA) is not None
    assert upper_tail(refused, runs, 0.1) > 1e-4


def test_every_verdict_is_repeatable() -> None:
    assert judged("dropout", layer("dropout", WRONG["p + 0.04"][0]), 3, 0) == judged(
        "dropout", layer("dropout", WRONG["p + 0.04"][0]), 3, 0
    )


# ---- exact bounds ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "q"), [(12, 0.2), (40, 0.7), (3, 0.001), (200, 0.5)])
def test_tails_are_sums_of_the_binomial_law(n, q) -> None:
    law = [math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)]
    for k in range(n + 1):
        assert upper_tail(k, n, q) == pytest.approx(math.fsum(law[k:]), rel=1e-9)
        assert lower_tail(k, n, q) == pytest.approx(math.fsum(law[: k + 1]), rel=1e-9)


@pytest.mark.parametrize(
    ("n", "q", "level"), [(100, 0.3, 1e-3), (100, 0.3, 1e-12), (5, 0.2, 1e-9), (60_000, 0.2, 1e-12), (40, 1e-6, 1e-4)]
)
def test_bounds_spend_at_most_the_level_and_are_the_narrowest(n, q, level) -> None:
    low, high = bounds(n, q, level)
    assert lower_tail(low - 1, n, q) <= level / 2 < lower_tail(low, n, q)
    assert upper_tail(high + 1, n, q) <= level / 2 < upper_tail(high, n, q)


def test_central_values_have_their_stated_probability() -> None:
    low, high, inside = central(24, 0.2)
    assert inside == pytest.approx(lower_tail(high, 24, 0.2) - lower_tail(low - 1, 24, 0.2))
    assert 0.35 < inside < 0.65


def test_pairs_at_a_distance_are_disjoint() -> None:
    lags, first, second = lag_pairs(60, 6)
    assert {1, 2, 12, 18, 30} <= set(lags)
    for lag, a, b in zip(lags, first, second, strict=True):
        assert (b - a == lag).all()
        assert len({*a, *b}) == 2 * len(a)


def test_chi_square_of_even_freedom_is_a_poisson_sum() -> None:
    assert even_chi_square(2 * math.log(2), 2) == pytest.approx(0.5)
    assert even_chi_square(4.0, 4) == pytest.approx(1 - 3 * math.exp(-2))
    with pytest.raises(ValueError, match="freedom must be even, got 3"):
        even_chi_square(1.0, 3)
