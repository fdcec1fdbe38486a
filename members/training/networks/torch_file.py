"""Read weights out of a file that `torch.save` wrote, without torch and without running what is in it.

The legacy layout, torch's default up to 1.5: the pickles of a magic number, a protocol version, the writer's
machine, the state dict and the list of storage keys, one after another; then for each key the number of
elements (int64) and the elements themselves. Tensors name their storage by a persistent id. The layout is
defined by `_legacy_save` in torch/serialization.py.
"""

import io
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from members.common.errors import InputError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
# What the writer's protocol 2 needs for numbers, strings, tuples, lists, dictionaries and tensors. The others
# would make objects in further ways, or ask for gigabytes before the end of the file is noticed.
INSTRUCTIONS = {
    "PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS",
    "EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "GLOBAL", "REDUCE", "BUILD", "BINPERSID",
}  # fmt: skip


class _Storage(NamedTuple):
    key: str
    dtype: str
    size: int  # in elements, as are offset and stride below


class _Tensor(NamedTuple):
    """As the pickle describes it: unchecked until the pickle is done, which may change a list in it."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _StateDict(dict[Any, Any]):
    """A stand-in for collections.OrderedDict; torch hangs `_metadata` onto it as an attribute."""


class _Unpickler(pickle.Unpickler):
    """An unpickler that admits the names that a state dict of tensors needs, and calls nothing but this module.

    A pickle gets hold of no class and no module through it, only of strings, named tuples and functions made
    for it alone; so nothing that it calls or sets reaches beyond the result, which is checked.
    """

    def __init__(self, stream: io.BytesIO, path: Path) -> None:
        start = stream.tell()
        for instruction, argument, _position in pickletools.genops(stream):
            if instruction.name not in INSTRUCTIONS:
                raise ValueError(f"uses the pickle instruction {instruction.name}")
            if instruction.name == "LONG_BINPUT" and int(argument or 0) > stream.tell():
                raise ValueError("its pickle's memo is larger than its pickle")
        stream.seek(start)
        super().__init__(stream)
        self.path = path
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return lambda: _StateDict()
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_autograd: _Tensor(storage, offset, size, stride)
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise InputError(
            f"{self.path}: asks for {f'{module}.{name}'!r}; weights need tensors only, "
            "so this is refused and nothing was run; get the file from a source you trust"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, size, view = pid
        if kind != "storage" or dtype not in STORAGE_DTYPES.values() or not isinstance(key, str):
            raise ValueError("a persistent id that is no storage's")
        if type(size) is not int or size < 0:
            raise ValueError(f"storage {key!r} has a size that is no count")
        if view is not None:
            raise ValueError(f"storage {key!r} is a view of another one, which torch stopped writing in 0.4")
        storage = _Storage(key, dtype, size)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key!r} is declared twice, differently")
        return storage


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict in torch's legacy file format.

    Args:
        path: the file, as `torch.save(model.state_dict(), path)` wrote it on a little-endian machine.

    Returns:
        The tensors by name, in the file's order: read-only views of the file's bytes with the shape,
        strides and dtype that they had in torch.

    Raises:
        InputError: the file is missing, cut short or longer than it says, is in another format, asks for
            anything but tensors, or holds a tensor that reaches beyond its storage.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a torch file") from None
    try:
        return _parse(content, path)
    except InputError:
        raise
    except Exception as error:  # the pickle module: "other exceptions may also be raised during unpickling"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: not a whole state dict in torch's legacy format ({reason}); fetch the file again, or "
            "rewrite it by torch.save(state_dict, path, _use_new_zipfile_serialization=False)"
        ) from None


def _parse(content: bytes, path: Path) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content)
    if _Unpickler(stream, path).load() != MAGIC_NUMBER:
        raise ValueError("wrong magic number")
    if _Unpickler(stream, path).load() != PROTOCOL_VERSION:
        raise ValueError(f"protocol version is not {PROTOCOL_VERSION}")
    if _Unpickler(stream, path).load()["little_endian"] is not True:
        raise ValueError("written on a big-endian machine")
    unpickler = _Unpickler(stream, path)
    state = unpickler.load()
    keys = _Unpickler(stream, path).load()
    if len(keys) != len(unpickler.storages) or set(keys) != set(unpickler.storages):
        raise ValueError("the tensors use other storages than the file lists")
    buffers = _slice_storages(memoryview(content), stream.tell(), [unpickler.storages[key] for key in keys])
    if not isinstance(state, _StateDict):
        raise ValueError(f"holds a {type(state).__name__}")
    if not all(isinstance(name, str) for name in state):
        raise ValueError("a tensor's name is no string")
    return {name: _view_tensor(name, tensor, buffers) for name, tensor in state.items()}


def _slice_storages(content: memoryview, start: int, storages: list[_Storage]) -> dict[str, memoryview]:
    """Cut the raw storages, which fill `content` from `start` to its end, by their keys."""
    buffers = {}
    for key, dtype, size in storages:
        (stored,) = struct.unpack_from("<q", content, start)
        if stored != size:
            raise ValueError(f"storage {key!r} has {stored} elements where {size} were declared")
        start += 8
        end = start + size * np.dtype(dtype).itemsize
        if end > len(content):
            raise ValueError(f"storage {key!r} should end at byte {end} of {len(content)}")
        buffers[key] = content[start:end]
        start = end
    if start != len(content):
        raise ValueError(f"{len(content) - start} bytes follow the last storage")
    return buffers


def _view_tensor(name: str, tensor: Any, buffers: dict[str, memoryview]) -> np.ndarray:
    """View a storage as the tensor that the pickle described, if it stays inside it."""
    if not isinstance(tensor, _Tensor) or not isinstance(tensor.storage, _Storage):
        raise ValueError(f"{name!r} is no tensor")
    storage, offset, size, stride = tensor
    if not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
        raise ValueError(f"tensor {name!r} has an offset, size or stride that is no count")
    # In Python's unbounded integers: NumPy's own check of strides can overflow and let a tensor through.
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.size:
        raise ValueError(f"tensor {name!r} reaches element {last} of a storage of {storage.size}")
    item = np.dtype(storage.dtype).itemsize
    strides = [step * item for step in stride]
    return np.ndarray(size, storage.dtype, buffers[storage.key], offset * item, strides)
