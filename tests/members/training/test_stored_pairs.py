"""Decoded tiles in a mapped file: the same batches to the bit, no file left, and a full disk said in time."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiles

from members.common.errors import InputError
from members.data.raster import read_pair
from members.data.tiles import list_tiles
from members.training.catalog import find_spec
from members.training.spec import revise_spec
from members.training.stored_pairs import map_pairs, measure_pairs


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
    def refuse(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    tiles = list_tiles(write_tiles(tmp_path / "data"))
    with pytest.raises(InputError, match=r"no room for 0.0 GiB of decoded tiles \(No space left"):
        map_pairs(tiles, tmp_path)
