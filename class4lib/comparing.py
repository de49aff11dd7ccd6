"""The one comparator: is a value what was expected, and if not, how does it differ?

A number, a NumPy scalar and a 0-d array are the same value; so are a list, a tuple and an array of the same entries. Comparison is absolute
plus relative: |got - expected| <= rtol |expected| + atol max(largest |expected| of that array, floor). NaN equals NaN, inf equals inf.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from class4lib.values import Double, Other


@dataclass(frozen=True)
class Tolerance:
    """rtol and atol as above; floor keeps a result of zeros from asking for zero error; `reason` says why it is not the default."""

    rtol: float = 1e-8
    atol: float = 1e-8
    floor: float = 1e-6
    reason: str = ""


@dataclass(frozen=True)
class Mismatch:
    """How a value differs. kind is one of: missing, type, length, shape, dtype, finite, value; part says where in a tuple or list."""

    kind: str
    text: str
    part: str = ""
    got: Any = None
    expected: Any = None

    @property
    def is_contract(self) -> bool:
        return self.kind != "value" and self.kind != "finite"


def compare(
    expected: Any, got: Any, tolerance: Tolerance = Tolerance(), names: tuple[str, ...] = (), part: str = ""
) -> list[Mismatch]:
    """All mismatches, in the order of the parts; [] means equal. names: of a tuple's parts, for the text.

    An expected object that is not data (fit returns self) has no value to compare: any object that is not data equals it.
    """
    if isinstance(expected, Other):
        return _compare_object(expected, got, part)
    if isinstance(expected, list | tuple):
        return _compare_sequence(expected, got, tolerance, names, part)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or expected.keys() != got.keys():
            return [
                Mismatch(
                    "type",
                    f"{_it(part)} must be a dict with the keys {', '.join(expected)}, got {kind_of(got)}",
                    part,
                    got,
                    expected,
                )
            ]
        return [m for key, value in expected.items() for m in compare(value, got[key], tolerance, (), _join(part, key))]
    if got is None and expected is not None:
        return [Mismatch("missing", f"{_it(part)} is None: is a `return` missing?", part, got, expected)]
    if expected is None or isinstance(expected, str):
        return (
            []
            if type(got) is type(expected) and got == expected
            else [Mismatch("value", f"{_it(part)} must be {expected!r}, got {short(got)}", part, got, expected)]
        )
    return _compare_numbers(np.asarray(expected), got, tolerance, part, expected)


def _compare_object(expected: Other, got: Any, part: str) -> list[Mismatch]:
    if isinstance(got, Other):
        return []
    if got is None:
        return [Mismatch("missing", f"{_it(part)} is None: is a `return` missing?", part, got, expected)]
    return [Mismatch("type", f"{_it(part)} must be {kind_of(expected)}, got {kind_of(got)}", part, got, expected)]


def _compare_sequence(
    expected: list | tuple, got: Any, tolerance: Tolerance, names: tuple[str, ...], part: str
) -> list[Mismatch]:
    if isinstance(got, np.ndarray) and got.ndim:
        if names and len(got) != len(expected):
            return [
                Mismatch(
                    "type",
                    f"{_it(part)} must be {len(expected)} results ({', '.join(names)}), got {kind_of(got)}",
                    part,
                    got,
                    expected,
                )
            ]
        got = [np.asarray(v) for v in got]  # an entry is a 0-d array, and no NumPy integer
    if got is None:
        return [Mismatch("missing", f"{_it(part)} is None: is a `return` missing?", part, got, expected)]
    if not isinstance(got, list | tuple):
        wanted = f"{len(expected)} results ({', '.join(names)})" if names else f"a sequence of {len(expected)}"
        return [Mismatch("type", f"{_it(part)} must be {wanted}, got {kind_of(got)}", part, got, expected)]
    if len(got) != len(expected):
        wanted = f"{len(expected)} results ({', '.join(names)})" if names else f"{len(expected)} entries"
        return [Mismatch("length", f"{_it(part)} must hold {wanted}, got {len(got)}", part, got, expected)]
    labels = names if len(names) == len(expected) else tuple(f"[{i}]" for i in range(len(expected)))
    return [
        m
        for label, e, g in zip(labels, expected, got, strict=True)
        for m in compare(e, g, tolerance, (), _join(part, label))
    ]


def _compare_numbers(expected: np.ndarray, got: Any, tolerance: Tolerance, part: str, raw: Any) -> list[Mismatch]:
    array = as_numbers(got)
    if array is None:
        return [
            Mismatch(
                "type",
                f"{_it(part)} must be {'an array of shape ' + str(expected.shape) if expected.ndim else 'a number'}, got {kind_of(got)}",
                part,
                got,
                raw,
            )
        ]
    if array.dtype.kind == "c":
        return [
            Mismatch(
                "dtype", f"{_it(part)} must hold real numbers, got complex ones (dtype {array.dtype})", part, got, raw
            )
        ]
    if array.shape != expected.shape:
        wanted = f"shape {expected.shape}" if expected.ndim else "a number, shape ()"
        return [Mismatch("shape", f"{_it(part)} must have {wanted}, got shape {array.shape}", part, got, raw)]
    if expected.dtype.kind == "f" and array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return [Mismatch("dtype", f"{_it(part)} must be float64, got {array.dtype}", part, got, raw)]
    wrong = ~close(expected, array, tolerance)
    if not wrong.any():
        return []
    bad = wrong & ~np.isfinite(array.astype(float)) & np.isfinite(expected.astype(float))
    if bad.any():
        values = sorted({str(v) for v in np.atleast_1d(array[bad]).tolist()})
        return [
            Mismatch(
                "finite",
                f"{_it(part)} has {' and '.join(values)} in {int(bad.sum())} of {array.size} {'entries' if array.size != 1 else 'entry'}, where finite numbers are expected",
                part,
                got,
                raw,
            )
        ]
    with np.errstate(all="ignore"):
        error = np.where(wrong, np.nan_to_num(np.abs(array.astype(float) - expected.astype(float)), nan=np.inf), -1.0)
    index = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    where = f" at [{', '.join(map(str, index))}]" if index else ""
    share = f" ({int(wrong.sum())} of {wrong.size} entries differ)" if wrong.size > 1 else ""
    return [
        Mismatch(
            "value",
            f"{_it(part)}{where} is {number(array[index])}, expected {number(expected[index])}{share}",
            part,
            got,
            raw,
        )
    ]


def close(expected: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Elementwise verdict; shapes are equal."""
    e, g = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(e)
    scale = max(float(np.abs(e[finite]).max(initial=0.0)), tolerance.floor)
    with np.errstate(all="ignore"):
        near = np.abs(g - e) <= tolerance.rtol * np.abs(e) + tolerance.atol * scale
    return np.where(finite & np.isfinite(g), near, (e == g) | (np.isnan(e) & np.isnan(g)))


def as_numbers(value: Any) -> np.ndarray | None:
    """The value as a numeric array, or None where it is not numbers."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind in "biufc" else None
    if isinstance(value, bool | int | float):
        try:
            return np.asarray(value, dtype=None if abs(value) < 2**63 else np.float64)
        except OverflowError:
            return np.asarray(np.inf)
    if isinstance(value, list | tuple):
        parts = [as_numbers(v) for v in value]
        if any(p is None for p in parts) or len({p.shape for p in parts if p is not None}) > 1:
            return None
        return np.array(parts) if parts else np.empty(0)
    return None


def kind_of(value: Any) -> str:
    """What a value is, in two or three words."""
    if isinstance(value, Other):
        return f"a {value.kind}" if " " not in value.kind else value.kind
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else "a number"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}" + (
            " whose rows differ in shape" if value and isinstance(value[0], list | tuple | np.ndarray) else ""
        )
    return {"str": f"the string {value!r}"[:80], "NoneType": "None", "dict": "a dict"}.get(
        type(value).__name__, f"the {type(value).__name__} {value!r}"[:80]
    )


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def short(value: Any, limit: int = 400) -> str:
    """A value as a person reads it: four digits, long arrays cut, columns aligned."""
    if isinstance(value, np.ndarray):
        width = (
            max((len(f"{v:.4g}") for v in value.ravel()[:200].tolist()), default=0) if value.dtype.kind == "f" else 0
        )
        text = np.array2string(
            value,
            threshold=24,
            edgeitems=2,
            max_line_width=100,
            formatter={"float_kind": lambda v: f"{v:.4g}".rjust(width)},
        )
    elif isinstance(value, float):
        text = number(value)
    elif isinstance(value, tuple):
        text = "(" + ", ".join(short(v, limit) for v in value) + ("," if len(value) == 1 else "") + ")"
    elif isinstance(value, list):
        text = "[" + ", ".join(short(v, limit) for v in value) + "]"
    elif isinstance(value, Other):
        text = f"<{value.kind}>"
    elif isinstance(value, Double):
        text = f"<{' '.join([value.kind, *(f'{k}={short(v)}' for k, v in value.params.items())])}>"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 2] + " …"


def _it(part: str) -> str:
    return part or "the result"


def _join(part: str, label: str) -> str:
    return f"{part}{label}" if label.startswith("[") or not part else f"{part}.{label}"
