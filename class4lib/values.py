"""Values: what may cross the border between a student's process and the judge.

A value is a tree of list, tuple, dict, None, bool, int, float, str and numeric arrays; anything else becomes an `Other` that says what it
was. `pack` and `unpack` turn a tree into bytes and back without pickle: a header in JSON, then the arrays' bytes. `unpack` trusts nothing:
every size is checked against what is there before memory is taken. `to_json` and `from_json` are the same in readable JSON, for files.

This file needs the standard library and NumPy only and imports nothing of class4lib: the worker loads it by its path.
"""

import json
import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_BYTES = 64 * 2**20
MAX_NODES = 200_000
MAX_DEPTH = 24
MAX_TEXT = 20_000


class ValueFormatError(ValueError):
    """Bytes that are not a packed value."""


@dataclass(frozen=True)
class Other:
    """Something that is not a value: `kind` is its type's name, or what was wrong with it."""

    kind: str


@dataclass(frozen=True)
class Double:
    """An argument that is made where the call runs: a generator, a callable that logs its calls, a variable of the script (see doubles.py)."""

    kind: str
    params: dict[str, Any] = field(default_factory=dict)


def to_tree(value: Any) -> Any:
    """The value as a tree of fresh, independent parts (arrays are copied)."""
    return _Copier().copy(value, 0)


class _Copier:
    def __init__(self) -> None:
        self.nodes = self.bytes = 0

    def copy(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            return Other("a value too large or too deep")
        if value is None or type(value) in (bool, float):
            return value
        if isinstance(value, int) and not isinstance(value, bool | np.generic):
            return int(value) if int(value).bit_length() <= 1024 else Other("an integer of more than 1024 bits")
        if isinstance(value, str) and not isinstance(value, np.generic):
            return str(value[:MAX_TEXT])
        if isinstance(value, float) and not isinstance(value, np.generic):
            return float(value)
        if isinstance(value, Double | Other):
            return value
        if isinstance(value, list | tuple):
            parts = [self.copy(v, depth + 1) for v in value]
            return parts if isinstance(value, list) else tuple(parts)
        if isinstance(value, dict):
            return {str(k)[:200]: self.copy(v, depth + 1) for k, v in value.items()}
        if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray | np.generic):
            return self.copy_array(value.view(np.ndarray) if isinstance(value, np.ndarray) else np.asarray(value), depth)
        return Other(type(value).__name__)

    def copy_array(self, value: np.ndarray, depth: int) -> Any:
        if value.dtype.kind == "O":
            return self.copy(value.tolist(), depth + 1)
        if value.dtype.kind not in "biufc":
            return Other(f"an array of dtype {value.dtype}")
        self.bytes += value.nbytes
        if self.bytes > MAX_BYTES:
            return Other("more than 64 MiB of numbers")
        if value.dtype.itemsize > 8 and value.dtype.kind == "f":
            value = value.astype(np.float64)
        return np.array(value, order="C")


def pack(tree: Any) -> bytes:
    """Bytes of a tree."""
    blobs: list[bytes] = []
    offset = 0

    def encode(node: Any) -> Any:
        nonlocal offset
        if isinstance(node, np.ndarray):
            data = np.ascontiguousarray(node).tobytes()
            blobs.append(data)
            offset += len(data)
            return {"array": [node.dtype.str, list(node.shape), offset - len(data)]}
        return _encode(node, encode)

    header = json.dumps(encode(tree)).encode()
    return struct.pack("<Q", len(header)) + header + b"".join(blobs)


def unpack(data: bytes) -> Any:
    """The tree of packed bytes.

    Raises:
        ValueFormatError: the bytes are not what pack makes.
    """
    try:
        (length,) = struct.unpack_from("<Q", data)
        if length > len(data) - 8:
            raise ValueFormatError("a header longer than its bytes")
        body = memoryview(data)[8 + length :]

        def decode(node: Any) -> Any:
            if isinstance(node, dict) and "array" in node:
                name, shape, offset = node["array"]
                dtype = np.dtype(str(name))
                if (
                    dtype.kind not in "biufc"
                    or len(shape) > 32
                    or any(type(n) is not int or n < 0 for n in (*shape, offset))
                ):
                    raise ValueFormatError("an array that is not numeric")
                size = math.prod(shape) * dtype.itemsize
                if offset + size > len(body):
                    raise ValueFormatError("an array longer than its bytes")
                return np.frombuffer(body[offset : offset + size], dtype).reshape(shape).copy()
            return _decode(node, decode)

        return decode(json.loads(data[8 : 8 + length]))
    except ValueFormatError:
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        struct.error,
        RecursionError,
        AttributeError,
        SyntaxError,
    ) as error:
        raise ValueFormatError(f"not a packed value: {type(error).__name__}") from None


def to_json(tree: Any) -> Any:
    """The tree as JSON data; float64 arrays keep every bit (repr round trip)."""

    def encode(node: Any) -> Any:
        if isinstance(node, np.ndarray):
            return {"array": [node.dtype.str, list(node.shape), node.ravel().tolist()]}
        return _encode(node, encode)

    return encode(tree)


def from_json(data: Any) -> Any:
    """The tree of to_json's data."""

    def decode(node: Any) -> Any:
        if isinstance(node, dict) and "array" in node:
            name, shape, items = node["array"]
            return np.array(items, dtype=np.dtype(name)).reshape(shape)
        return _decode(node, decode)

    return decode(data)


def _encode(node: Any, encode: Any) -> Any:
    if isinstance(node, list):
        return [encode(v) for v in node]
    if isinstance(node, tuple):
        return {"tuple": [encode(v) for v in node]}
    if isinstance(node, dict):
        return {"dict": [[k, encode(v)] for k, v in node.items()]}
    if isinstance(node, Double):
        return {"double": [node.kind, encode(node.params)]}
    if isinstance(node, Other):
        return {"other": node.kind}
    return node


def _decode(node: Any, decode: Any) -> Any:
    if isinstance(node, list):
        return [decode(v) for v in node]
    if not isinstance(node, dict):
        return node
    ((tag, content),) = node.items()
    if tag == "tuple":
        return tuple(decode(v) for v in content)
    if tag == "dict":
        return {str(k): decode(v) for k, v in content}
    if tag == "double":
        return Double(str(content[0]), decode(content[1]))
    if tag == "other":
        return Other(str(content)[:200])
    raise ValueFormatError(f"unknown tag {tag!r}")


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, NaN equal to NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray)
            and isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
        )
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))
