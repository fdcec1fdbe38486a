"""Weights on disk are whole, known by their hash, and never written by HDF5 itself."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import build_small

from members.common.errors import InputError
from members.data.run import FoldFolder
from members.training.networks.weights import load_weights, read_weights, write_content, write_weights

WriteSmall = Callable[..., FoldFolder]


@contextmanager
def limit_files(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_the_weights_before(write_small: WriteSmall) -> None:
    """HDF5, given a file on a full disk, ends the process by a signal."""
    files = write_small(1)
    before = files.weights_file.read_bytes()
    with limit_files(len(before) // 2), pytest.raises(OSError, match="File too large"):
        write_weights(build_small(2), files)
    assert files.weights_file.read_bytes() == before
    assert load_weights(build_small(0), files)
    assert not [path for path in os.listdir(files.path) if path.startswith(".")]


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    files, content = FoldFolder(tmp_path / "fold0"), b"what training wrote"
    write_content(content, files)
    assert read_weights(files) == content
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        files.weights_file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"best.weights.h5: damaged, not the file .* anew with --restart"):
            read_weights(files)


def test_kills_between_hash_and_weights_leave_known_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it comes; and in the end no trace of it is left."""
    files, whole = FoldFolder(tmp_path / "fold0"), FoldFolder(tmp_path / "whole/fold0")
    write_content(b"before", files)

    def die(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("members.training.networks.weights.write_whole", die)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                write_content(b"after", files)
            assert read_weights(files) == b"before"
    write_content(b"after", files)
    write_content(b"after", whole)
    assert files.hashes_file.read_bytes() == whole.hashes_file.read_bytes()
