"""Torch files are written here instruction by instruction, so that torch is not needed."""

import inspect
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.common.errors import InputError
from members.training.networks import torch_file
from members.training.networks.torch_file import MAGIC_NUMBER, PROTOCOL_VERSION, read_torch_file

NEW_DICT = b"ccollections\nOrderedDict\n)R"
NUMBERS = np.arange(12, dtype="<f4")
COUNT = np.array([7], dtype="<i8")
Read = Callable[[bytes], dict[str, np.ndarray]]


def dump(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)


def push(value: Any) -> bytes:
    """The instructions of a pickle that leave `value` on the stack."""
    return dump(value)[2:-1]


def push_storage(key: str = "a", kind: bytes = b"FloatStorage", size: Any = 12, view: bytes = b"N") -> bytes:
    return b"(" + push("storage") + b"ctorch\n" + kind + b"\n" + push(key) + push("cpu") + push(size) + view + b"tQ"


def push_tensor(storage: bytes, offset: Any, size: Any, stride: Any) -> bytes:
    view = push(offset) + push(size) + push(stride)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"\x89" + NEW_DICT + b"tR"


def make_state(**tensors: bytes) -> bytes:
    items = b"".join(push(name) + tensor for name, tensor in tensors.items())
    metadata = b"}" + push("_metadata") + NEW_DICT + b"sb"
    return b"\x80\x02" + NEW_DICT + b"(" + items + b"u" + metadata + b"."


def make_file(state: bytes, **storages: np.ndarray) -> bytes:
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": True, "type_sizes": {"int": 4}}
    head = dump(MAGIC_NUMBER) + dump(PROTOCOL_VERSION) + dump(system) + state + dump(list(storages))
    return head + b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())


def make_tensor_file(offset: Any = 0, size: Any = (12,), stride: Any = (1,), **storage: Any) -> bytes:
    return make_file(make_state(x=push_tensor(push_storage(**storage), offset, size, stride)), a=NUMBERS)


GOOD = make_file(
    make_state(
        whole=push_tensor(push_storage(), 0, (3, 4), (4, 1)),
        strided=push_tensor(push_storage(), 1, (4, 2), (1, 4)),
        scalar=push_tensor(push_storage("b", b"LongStorage", 1), 0, (), ()),
        empty=push_tensor(push_storage("c", b"HalfStorage", 0), 0, (0, 2), (2, 1)),
    ),
    c=np.empty(0, "<f2"),
    b=COUNT,
    a=NUMBERS,
)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(content: bytes) -> dict[str, np.ndarray]:
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_torch_file(path)

    return write_and_read


def test_tensors_come_back_with_names_shapes_strides_and_dtypes(read: Read) -> None:
    tensors = read(GOOD)
    assert list(tensors) == ["whole", "strided", "scalar", "empty"]
    assert tensors["whole"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert tensors["strided"].tolist() == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert tensors["scalar"] == 7
    assert tensors["empty"].shape == (0, 2)
    assert [array.dtype.name for array in tensors.values()] == ["float32", "float32", "int64", "float16"]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_view_of_a_storage_equals_an_element_by_element_walk(data: st.DataObject, read: Read) -> None:
    size = data.draw(st.lists(st.integers(0, 3), max_size=3).map(tuple))
    stride = data.draw(st.tuples(*[st.integers(0, 4)] * len(size)))
    offset = data.draw(st.integers(0, 12))
    expected = np.empty(size, "<f4")
    content = make_tensor_file(offset, size, stride)
    try:
        for index in np.ndindex(size):
            expected[index] = NUMBERS[offset + sum(i * step for i, step in zip(index, stride, strict=True))]
    except IndexError:
        with pytest.raises(InputError, match="'x' reaches element"):
            read(content)
    else:
        np.testing.assert_array_equal(read(content)["x"], expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "legacy format", id="empty"),
        pytest.param(b"PK\x03\x04" + bytes(60), "_use_new_zipfile_serialization=False", id="zip"),
        pytest.param(dump(MAGIC_NUMBER + 1) + GOOD[15:], "wrong magic number", id="magic"),
        pytest.param(GOOD.replace(dump(PROTOCOL_VERSION), dump(1002), 1), "version is not 1001", id="version"),
        pytest.param(GOOD.replace(b"\x88", b"\x89", 1), "big-endian", id="big-endian"),
        pytest.param(GOOD + b"\0", "1 bytes follow", id="too long"),
        pytest.param(make_tensor_file(size=(13,)), "reaches element 12 of a storage of 12", id="size"),
        pytest.param(make_tensor_file(offset=1), "reaches element 12", id="offset"),
        pytest.param(make_tensor_file(size=(2,), stride=(12,)), "reaches element 12", id="stride"),
        pytest.param(
            make_tensor_file(size=(5, 2), stride=(1 << 62, 1)),
            "reaches element",
            id="stride overflowing int64",
        ),
        pytest.param(make_tensor_file(size=(2,), stride=(-1,)), "no count", id="negative stride"),
        pytest.param(make_tensor_file(offset=-1), "no count", id="negative offset"),
        pytest.param(make_tensor_file(size=(3, 4)), "legacy format", id="stride missing"),
        pytest.param(make_tensor_file(size=12), "legacy format", id="size no tuple"),
        pytest.param(make_tensor_file(size=("12",)), "no count", id="size no number"),
        pytest.param(make_tensor_file(size=(1,) * 65, stride=(1,) * 65), "legacy format", id="dimensions"),
        pytest.param(make_file(make_state(x=push_storage()), a=NUMBERS), "'x' is no tensor", id="bare storage"),
        pytest.param(make_file(make_state(x=push_tensor(push("a"), 0, (), ()))), "'x' is no tensor", id="no storage"),
        pytest.param(make_tensor_file(size=(9,))[:-4], "should end at byte", id="storage cut"),
        pytest.param(make_tensor_file(key="b"), "other storages", id="storage not listed"),
        pytest.param(make_file(make_state(), a=NUMBERS), "other storages", id="storage not used"),
        pytest.param(make_tensor_file(size=(1,), view=push(("a", 0, 4))), "is a view", id="storage view"),
        pytest.param(make_tensor_file(kind=b"FloatStorage", view=push(1)), "is a view", id="view metadata"),
        pytest.param(make_file(dump([1, 2])), "holds a list", id="list"),
        pytest.param(make_file(dump({"epoch": 3})), "holds a dict", id="plain dictionary"),
        pytest.param(make_file(b"\x80\x02" + NEW_DICT + b"K\x01K\x02s."), "name is no string", id="name"),
        pytest.param(make_file(b"\x80\x02Nr\xff\xff\xff\xff."), "memo is larger", id="memo claiming gigabytes"),
        pytest.param(b"\x80\x05\x96" + struct.pack("<q", 1 << 40) + b".", "legacy format", id="bytes claimed"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_that_names_it(content: bytes, reason: str, read: Read) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert "weights.pth" in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lie", [0, 11, 13, -1, 1 << 60])
def test_a_storage_whose_size_lies_is_refused(lie: int, read: Read) -> None:
    declared = make_tensor_file(size=(0,)).replace(push_storage(), push_storage(size=lie))
    with pytest.raises(InputError, match="storage 'a' has"):
        read(declared)
    stored = GOOD.replace(struct.pack("<q", 12) + NUMBERS.tobytes(), struct.pack("<q", lie) + NUMBERS.tobytes())
    with pytest.raises(InputError, match=f"'a' has {lie} elements where 12"):
        read(stored)


def test_a_storage_declared_twice_must_agree_with_itself(read: Read) -> None:
    state = make_state(
        x=push_tensor(push_storage(), 0, (12,), (1,)),
        y=push_tensor(push_storage(kind=b"IntStorage"), 0, (12,), (1,)),
    )
    with pytest.raises(InputError, match="'a' is declared twice"):
        read(make_file(state, a=NUMBERS))


def test_a_file_cut_anywhere_is_refused(read: Read) -> None:
    for end in range(len(GOOD)):
        with pytest.raises(InputError, match="weights"):
            read(GOOD[:end])


@given(position=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_a_damaged_byte_never_raises_anything_but_input_error(position: int, value: int, read: Read) -> None:
    try:
        tensors = read(GOOD[:position] + bytes([value]) + GOOD[position + 1 :])
    except InputError:
        return
    assert all(isinstance(array.sum(), np.generic) for array in tensors.values())  # every element is readable


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        read_torch_file(tmp_path / "absent.pth")


@pytest.mark.parametrize(
    "name",
    [
        "os system",
        "posix system",
        "builtins eval",
        "builtins getattr",
        "numpy array",
        "numpy.core.multiarray _reconstruct",
        "collections Counter",
        "collections OrderedDict.fromkeys",
        "torch.storage FloatStorage",
        "torch nn",
        "torch._utils _rebuild_tensor",
        "members.training.networks.torch_file read_torch_file",
    ],
)
@pytest.mark.parametrize("part", range(5), ids=["magic", "version", "system", "state", "keys"])
def test_a_forbidden_name_is_refused_wherever_it_stands(name: str, part: int, read: Read, tmp_path: Path) -> None:
    module, attribute = name.split()
    proof = tmp_path / "proof"
    attack = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + push((f"touch {proof}",)) + b"R."
    parts = [
        dump(MAGIC_NUMBER),
        dump(PROTOCOL_VERSION),
        dump({"little_endian": True}),
        make_state(),
        dump([]),
    ]
    parts[part] = attack
    with pytest.raises(InputError, match=f"'{module}.{attribute}'.*refused") as caught:
        read(b"".join(parts))
    assert "weights.pth" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not proof.exists()


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(b"\x80\x04\x8c\x02os\x8c\x06system\x93%bR.", id="STACK_GLOBAL"),
        pytest.param(b"(%bios\nsystem\n.", id="INST"),
        pytest.param(b"\x80\x02(cos\nsystem\n%bo.", id="OBJ"),
        pytest.param(b"\x80\x02\x82\x01%bR.", id="EXT1"),
    ],
)
def test_other_ways_to_a_call_are_refused(attack: bytes, read: Read, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    with pytest.raises(InputError, match=r"legacy format|refused"):
        read(make_file(attack % push((f"touch {proof}",))))
    assert not proof.exists()


def test_nothing_that_a_pickle_sets_outlives_it(read: Read) -> None:
    """BUILD sets attributes: on a function of the module it would change how the next file is read."""
    poison = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + push((None, {"poison": 1})) + b"b."
    with pytest.raises(InputError, match="legacy format"):
        read(make_file(poison))
    functions = [value for _, value in inspect.getmembers(torch_file, inspect.isfunction)]
    own = [function for function in functions if function.__module__ == torch_file.__name__]
    assert read_torch_file in own
    assert not any(vars(function) for function in own)
