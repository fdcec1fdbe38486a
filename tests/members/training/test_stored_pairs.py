"""Decoded tiles in a mapped file: the same batches to the bit, no file left, and a full disk said in time."""

import errno
import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiles

from members.common.errors import InputError
from members.data.raster import read_pair
from members.data.tiles import list_tiles
from members.training import stored_pairs
from members.training.catalog import find_spec
from members.training.spec import revise_spec
from members.training.stored_pairs import map_pairs, measure_pairs
from members.training.training_set import read_pairs


def test_batches_are_the_same_to_the_bit(tmp_path: Path) -> None:
    from members.training.batches import TrainingBatches

    tiles = list_tiles(write_tiles(tmp_path / "data", 6, (70, 64)))
    spec = revise_spec(find_spec("lite0_unet"), augment="strong", crop=64, batch_size=3, balance=0.5)
    mapped, read = map_pairs(tiles, tmp_path / "not/there/yet"), [read_pair(tile) for tile in tiles]
    assert measure_pairs(tiles) == 6 * 70 * 64 * 4
    for (image, mask), (own_image, own_mask) in zip(mapped, read, strict=True):
        assert (str(image.dtype), str(mask.dtype)) == ("uint8", "bool")
        np.testing.assert_array_equal(image, own_image)
        np.testing.assert_array_equal(mask, own_mask)
    for epoch in range(2):
        one, other = TrainingBatches(mapped, spec, epoch), TrainingBatches(read, spec, epoch)
        assert len(one) == len(other) == 2
        for step in range(2):
            for ours, theirs in zip(one[step], other[step], strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    tiles = list_tiles(write_tiles(tmp_path / "data"))
    (tmp_path / "run").mkdir()
    map_pairs(tiles, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = list_tiles(write_tiles(tmp_path / "data"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 6 * 64 * 64 * 4 - 1))
    monkeypatch.setattr("members.training.stored_pairs.read_pair", None)
    with pytest.raises(InputError, match=r"0.0 GiB of decoded tiles, and room for 0.0 GiB; make some"):
        map_pairs(tiles, tmp_path)


def test_a_disk_that_others_fill_meanwhile_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(InputError, match=r"no room for decoded tiles \(No space left on device\); make some"):
        map_pairs(list_tiles(write_tiles(tmp_path / "data")), tmp_path)


@pytest.mark.parametrize(("content", "limit"), [("4096\n", 4096), ("max\n", None), (None, None)])
def test_memory_is_what_the_container_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, limit: int | None
) -> None:
    monkeypatch.setattr(stored_pairs, "LIMITS", (tmp_path / "memory.max",))
    if content is not None:
        (tmp_path / "memory.max").write_text(content)
    everything = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert stored_pairs.measure_memory() == (limit or everything)


def test_the_need_is_said_before_tiles_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six tiles of 64x64 px take 96 KiB; of 200 KiB of memory they may have 80."""
    tiles, told = list_tiles(write_tiles(tmp_path / "data")), list[str]()
    for memory, mapped in ((300 * 1024, False), (200 * 1024, True)):
        monkeypatch.setattr(stored_pairs, "measure_memory", lambda memory=memory: memory)
        monkeypatch.setattr("members.training.training_set.stderr.print", told.append)
        pairs = read_pairs(tiles, tmp_path / "run")
        assert pairs[0][0].flags.writeable == (not mapped)
        assert len(told) == mapped
    assert "the tiles take 0.0 GiB decoded, more than 40% of 0.0 GiB of memory" in told[0]
