"""Values cross the border whole, and bytes that lie are refused before memory is taken."""

import json
import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest

from class4lib import values
from class4lib.values import Double, Other, ValueFormatError, from_json, pack, same, to_json, to_tree, unpack

DTYPES = ("?", "i1", "i4", "i8", "u1", "u8", "f4", "f8", "c16", ">f8")


def random_array(rng: np.random.Generator) -> np.ndarray:
    shape = tuple(int(n) for n in rng.integers(0, 4, size=rng.integers(0, 4)))
    numbers = rng.normal(scale=40.0, size=shape)
    made = (
        np.array(numbers).astype(DTYPES[rng.integers(len(DTYPES))], casting="unsafe")
        if rng.random() < 0.5
        else np.array(numbers)
    )
    if made.dtype.kind == "f" and made.size:
        made.flat[0] = [np.nan, np.inf, -np.inf, -0.0, 5e-324][rng.integers(5)]
    return made


def random_tree(rng: np.random.Generator, depth: int = 0) -> Any:
    kinds = 12 if depth < 4 else 8
    match int(rng.integers(kinds)):
        case 0:
            return None
        case 1:
            return bool(rng.integers(2))
        case 2:
            return int(rng.integers(-9, 9)) * 10 ** int(rng.integers(0, 40))
        case 3:
            return [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, float(rng.normal())][rng.integers(7)]
        case 4:
            return ["", "array", "dict", "zażółć ∂L/∂z", '"], [', "\x00\n"][rng.integers(6)]
        case 5 | 6:
            return random_array(rng)
        case 7:
            return Other("a generator") if rng.random() < 0.5 else Double("rng", {"seed": 3})
        case 8 | 9:
            return [random_tree(rng, depth + 1) for _ in range(rng.integers(4))]
        case 10:
            return tuple(random_tree(rng, depth + 1) for _ in range(rng.integers(4)))
        case _:
            return {key: random_tree(rng, depth + 1) for key in ("array", "tuple", "a b", "")[: rng.integers(5)]}


def holds_complex(tree: Any) -> bool:
    if isinstance(tree, list | tuple | dict):
        return any(map(holds_complex, tree.values() if isinstance(tree, dict) else tree))
    return isinstance(tree, np.ndarray) and tree.dtype.kind == "c"


def framed(header: object, body: bytes = b"") -> bytes:
    """Packed bytes with a header of our own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_doubles_equal(a: Any, b: Any) -> bool:
    return same(a, b) or repr(a) == repr(b)  # a Double with an array among its parameters has no ==


@pytest.mark.parametrize("seed", range(60))
def test_a_tree_comes_back_as_it_went_to_the_last_bit(seed: int) -> None:
    tree = random_tree(np.random.default_rng(seed))
    assert with_doubles_equal(unpack(pack(tree)), tree)


@pytest.mark.parametrize("seed", range(60))
def test_a_tree_survives_json_text_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    tree = random_tree(rng)
    while holds_complex(tree):  # JSON has no complex numbers, and no sheet has any
        tree = random_tree(rng)
    assert with_doubles_equal(from_json(json.loads(json.dumps(to_json(tree)))), tree)


def test_the_round_trip_would_notice_one_bit() -> None:
    x = np.array([0.1, 0.2])
    assert not same(unpack(pack(x)), np.nextafter(x, 1))
    assert not same(unpack(pack((1, 2))), [1, 2])
    assert not same(unpack(pack(1)), 1.0)
    assert not same(unpack(pack(np.float32([1]))), np.float64([1]))


def test_what_comes_back_is_writable_and_shares_nothing() -> None:
    x = np.arange(3.0)
    data = pack([x, x])
    first, second = unpack(data)
    first += 1
    assert second.tolist() == x.tolist() == [0, 1, 2]
    assert unpack(data)[0].tolist() == [0, 1, 2]


def test_a_tree_of_values_shares_no_memory_with_them() -> None:
    x, inside = np.zeros(2), [1.0]
    tree = to_tree({"x": x, "inside": inside})
    x += 1
    inside.append(2.0)
    assert tree["x"].tolist() == [0, 0]
    assert tree["inside"] == [1.0]


def test_views_in_any_order_of_memory_keep_their_values() -> None:
    x = np.arange(12.0).reshape(3, 4)
    for view in (x.T, x[::-1, ::2], np.asfortranarray(x), np.broadcast_to(x[0], (2, 4))):
        assert same(unpack(pack(to_tree(view))), np.array(view))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (1 + 2j, "complex"),
        ((i for i in "ab"), "generator"),
        (len, "builtin_function_or_method"),
        (np.array(["a"]), "an array of dtype <U1"),
        (np.array(["2020"], dtype="datetime64[Y]"), "an array of dtype datetime64[Y]"),
        (2**1025, "an integer of more than 1024 bits"),
    ],
)
def test_what_is_no_value_becomes_the_name_of_what_it_was(value: object, kind: str) -> None:
    assert to_tree(value) == Other(kind)
    assert unpack(pack(to_tree([value]))) == [Other(kind)]


def test_an_array_of_objects_is_read_as_the_list_it_is() -> None:
    assert to_tree(np.array([1, None, "a"], dtype=object)) == [1, None, "a"]
    assert to_tree(np.array([object()], dtype=object)) == [Other("object")]


def test_subclasses_become_the_plain_type() -> None:
    class Count(int):
        pass

    class Rows(list):  # type: ignore[type-arg]
        pass

    made = to_tree([Count(3), Rows([1]), np.float64(0.5), np.bool_(True)])
    assert type(made[0]) is int
    assert type(made[1]) is list
    assert same(made[2], np.array(0.5))
    assert same(made[3], np.array(True))


def test_a_value_that_holds_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    made, depth = to_tree(loop), 0
    while isinstance(made, list):
        made, depth = made[0], depth + 1
    assert made == Other("a value too large or too deep")
    assert depth == values.MAX_DEPTH + 1


def test_nodes_bytes_and_text_are_capped() -> None:
    many = to_tree([0] * (values.MAX_NODES + 5))
    assert many[values.MAX_NODES - 2] == 0
    assert many[-1] == Other("a value too large or too deep")
    half = np.zeros(values.MAX_BYTES // 16)  # 32 MiB
    first, second, third = to_tree([half, half, half])
    assert first.size == second.size == half.size
    assert third == Other("more than 64 MiB of numbers")
    assert len(to_tree("x" * 100_000)) == values.MAX_TEXT


F8 = "<f8"
LIES = {
    "nothing at all": (b"", "not a packed value: error"),
    "seven bytes": (b"\0" * 7, "not a packed value: error"),
    "a header longer than its bytes": (struct.pack("<Q", 10) + b"[1]", "a header longer than its bytes"),
    "a header of 16 EiB": (struct.pack("<Q", 2**64 - 1) + b"[1]", "a header longer than its bytes"),
    "a header that is not JSON": (framed(b"[1,"), "not a packed value: JSONDecodeError"),
    "a header that is not text": (framed(b"\xff\xfe\xfa"), "not a packed value: UnicodeDecodeError"),
    "32 GiB in a few bytes": (framed({"array": [F8, [4 * 2**30], 0]}, b"\0" * 64), "an array longer than its bytes"),
    "a product of axes that overflows 64 bits": (
        framed({"array": [F8, [2**33, 2**33], 0]}, b"\0" * 64),
        "an array longer than its bytes",
    ),
    "an offset past the end": (framed({"array": [F8, [1], 60]}, b"\0" * 64), "an array longer than its bytes"),
    "an object dtype": (framed({"array": ["|O", [1], 0]}, b"\0" * 8), "an array that is not numeric"),
    "a text dtype": (framed({"array": ["<U2", [1], 0]}, b"\0" * 8), "an array that is not numeric"),
    "a record dtype": (framed({"array": ["f8,f8", [1], 0]}, b"\0" * 16), "an array that is not numeric"),
    "a date dtype": (framed({"array": ["<M8[s]", [1], 0]}, b"\0" * 8), "an array that is not numeric"),
    "a dtype that is none": (framed({"array": ["nonsense", [1], 0]}, b"\0" * 8), "not a packed value: TypeError"),
    "a negative shape": (framed({"array": [F8, [-1], 0]}, b"\0" * 8), "an array that is not numeric"),
    "two negative axes": (framed({"array": [F8, [-2, -4], 0]}, b"\0" * 64), "an array that is not numeric"),
    "a negative offset": (framed({"array": [F8, [1], -8]}, b"\0" * 64), "an array that is not numeric"),
    "a shape of True": (framed({"array": [F8, [True], 0]}, b"\0" * 8), "an array that is not numeric"),
    "a fractional shape": (framed({"array": [F8, [1.0], 0]}, b"\0" * 8), "an array that is not numeric"),
    "a shape of text": (framed({"array": [F8, "12", 0]}, b"\0" * 64), "an array that is not numeric"),
    "33 axes": (framed({"array": [F8, [1] * 33, 0]}, b"\0" * 8), "an array that is not numeric"),
    "an array without a shape": (framed({"array": [F8]}, b""), "not a packed value: ValueError"),
    "an array of nothing": (framed({"array": None}), "not a packed value: TypeError"),
    "an unknown tag": (framed({"pickle": "cos\nsystem"}), "unknown tag 'pickle'"),
    "two tags": (framed({"tuple": [], "dict": []}), "not a packed value: ValueError"),
    "no tag": (framed({}), "not a packed value: ValueError"),
    "a tuple of a number": (framed({"tuple": 3}), "not a packed value: TypeError"),
    "a dict of triples": (framed({"dict": [[1, 2, 3]]}), "not a packed value: ValueError"),
    "a double of nothing": (framed({"double": []}), "not a packed value: IndexError"),
    "lists nested 100,000 deep": (framed(b"[" * 100_000 + b"]" * 100_000), "not a packed value: RecursionError"),
    "tuples nested 5,000 deep": (framed(b'{"tuple":[' * 5_000 + b"]}" * 5_000), "not a packed value: RecursionError"),
}


@pytest.mark.parametrize("lie", LIES)
def test_bytes_that_lie_are_refused_with_what_was_wrong(lie: str) -> None:
    data, message = LIES[lie]
    with pytest.raises(ValueFormatError) as caught:
        unpack(data)
    assert str(caught.value) == message


def test_a_lie_about_size_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        for lie in ("32 GiB in a few bytes", "a product of axes that overflows 64 bits", "a header of 16 EiB"):
            with pytest.raises(ValueFormatError):
                unpack(LIES[lie][0])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_a_value_or_refused_and_never_another_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(pack([np.arange(5.0), {"a": (1, "b", None)}, Other("x")]))
    for _ in range(int(rng.integers(1, 6))):
        data[rng.integers(len(data))] = rng.integers(256)
    try:
        unpack(bytes(data[: rng.integers(1, len(data) + 1)]))
    except ValueFormatError:
        pass


def test_the_same_bytes_without_the_lie_are_read() -> None:
    assert unpack(framed({"array": [F8, [2], 8]}, np.arange(3.0).tobytes())).tolist() == [1.0, 2.0]
    assert unpack(framed({"dict": [["a", {"tuple": [1]}]]})) == {"a": (1,)}


def test_nothing_is_unpickled(tmp_path: Any) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "written"), "w"))

    with pytest.raises(ValueFormatError):
        unpack(pickle.dumps(Evil()))
    assert not (tmp_path / "written").exists()
