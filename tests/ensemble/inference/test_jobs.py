"""Each image gets its own map, once, whatever its size and whoever else is at work."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import Standin, write_raster

from ensemble.inference.jobs import Job, make_maps, read_batches
from ensemble.inference.locks import Locks
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path, read_map
from members.common.errors import InputError
from members.data.drivers import hash_image
from members.data.tiles import Tile

SIZES = [(32, 32)] * 9 + [(40, 33)] * 2 + [(40, 700)] + [(32, 32)] * 2


@pytest.fixture
def tiles(tmp_path: Path) -> list[Tile]:
    """Of two small sizes, more of one than a batch holds, and one that goes in windows."""
    images = [np.random.default_rng(n).integers(0, 256, (*size, 3), np.uint8) for n, size in enumerate(SIZES)]
    paths = [write_raster(tmp_path / f"images/{n}.tif", image) for n, image in enumerate(images)]
    return [Tile(path.stem, path, None, path.stem) for path in paths]


def plan(folder: Path, tiles: Sequence[Tile], tta: str = "none", std: Path | None = None) -> Job:
    hashes = {tile.image_id: hash_image(tile.image) for tile in tiles}
    return Job((), (), folder, std, VIEW_SETS[tta], "mean", 32, hashes)


def make(job: Job, tiles: Sequence[Tile], *networks: Standin) -> list[str]:
    used = [each.network for each in networks]
    return list(make_maps(job, used, tiles, Locks(job.target)))


def read_red(tile: Tile) -> np.ndarray:
    with rasterio.open(tile.image) as raster:
        return raster.read(1)


def test_each_tile_gets_its_own_map(tmp_path: Path, tiles: list[Tile]) -> None:
    network, job = Standin(), plan(tmp_path / "maps", tiles)
    assert sorted(make(job, tiles, network)) == sorted(tile.image_id for tile in tiles)
    for tile, size in zip(tiles, SIZES, strict=True):
        np.testing.assert_array_equal(read_map(map_path(job.target, tile.image_id), size), read_red(tile))
    assert max(len(batch) for batch in network.batches) == 8
    assert max(max(batch.shape[1:3]) for batch in network.batches) == 512
    assert make(job, tiles, network) == []


def test_images_of_many_sizes_do_not_wait_until_the_end(
    tmp_path: Path, tiles: list[Tile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five of five sizes, and room for two: from the third on each lets the one go that has waited longest."""
    monkeypatch.setattr("ensemble.inference.jobs.WAITING", 2 * 40 * 40)
    paths = [write_raster(tmp_path / f"i/{n}.tif", np.zeros((40, 36 + n, 3), np.uint8)) for n in range(5)]
    tiles = [Tile(path.stem, path, None, path.stem) for path in paths]
    job, locked = plan(tmp_path / "maps", tiles), []

    class Noted(Locks):
        def take(self, image_id: str) -> bool:
            locked.append(image_id)
            return super().take(image_id)

    read = []
    for batch in read_batches(job, tiles, Noted(job.target)):
        assert isinstance(batch, list)
        read.append((len(locked), [each.tile.image_id for each in batch]))
    assert read == [(3, ["0"]), (4, ["1"]), (5, ["2"]), (5, ["3"]), (5, ["4"])]


def test_std_over_views_and_networks(tmp_path: Path, tiles: list[Tile]) -> None:
    """Two networks that say 0.2 and 0.6 of the truth are 0.2 of it away from their mean."""
    job = plan(tmp_path / "maps", tiles, "flips", tmp_path / "std")
    assert len(make(job, tiles, Standin(0.2), Standin(0.6))) == len(tiles)
    for tile, size in zip(tiles, SIZES, strict=True):
        for folder, slope in ((job.target, 0.4), (tmp_path / "std", 0.2)):
            values = read_map(map_path(folder, tile.image_id), size)
            assert np.abs(values - read_red(tile) * slope).max() <= 0.51
    map_path(tmp_path / "std", "3").unlink()
    assert make(job, tiles, Standin()) == ["3"]


def test_what_another_process_has_locked_is_left_to_it(tmp_path: Path, tiles: list[Tile]) -> None:
    class Busy(Locks):
        def take(self, image_id: str) -> bool:
            return image_id not in ("0", "11") and super().take(image_id)

    job = plan(tmp_path / "maps", tiles)
    made = list(make_maps(job, [Standin().network], tiles, Busy(job.target)))
    assert {tile.image_id for tile in tiles} - set(made) == {"0", "11"}


def test_pixels_without_data_are_no_buildings(tmp_path: Path) -> None:
    image = np.full((40, 600, 3), 200, np.uint8)
    image[10:20, 100:120] = 0
    alpha = np.where(image[..., 0], 255, 0).astype(np.uint8)
    write_raster(tmp_path / "i/nodata.tif", image, nodata=0)
    write_raster(tmp_path / "i/alpha.tif", np.dstack([image, alpha]))
    write_raster(tmp_path / "i/small.png", np.dstack([image, alpha])[:, :150])
    bright = Standin()
    for path in sorted((tmp_path / "i").iterdir()):
        tile = Tile(path.stem, path, None, path.stem)
        job = plan(tmp_path / "maps", [tile])
        assert make(job, [tile], bright) == [tile.image_id]
        values = read_map(map_path(job.target, tile.image_id), (40, 150 if path.stem == "small" else 600))
        expected = image[:, : values.shape[1], 0]
        np.testing.assert_array_equal(values, expected)
    write_raster(tmp_path / "i/nodata.tif", np.full((40, 600, 3), 9, np.uint8), nodata=9)
    tile = Tile("nodata", tmp_path / "i/nodata.tif", None, "nodata")
    network = Standin()
    make(plan(tmp_path / "empty", [tile]), [tile], network)
    assert not read_map(tmp_path / "empty/nodata.tif", (40, 600)).any()
    assert network.batches == []  # nothing was asked of the network


def test_an_image_damaged_in_the_middle_loses_nothing_that_is_written(tmp_path: Path, tiles: list[Tile]) -> None:
    job = plan(tmp_path / "maps", tiles)
    path = tiles[11].image
    content = bytearray(path.read_bytes())
    path.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(InputError, match=r"11.tif: "):
        make(job, tiles, Standin())
    written = {path.name for path in job.target.iterdir()}
    assert written == {f"{n}.tif" for n in range(8)}  # the first full batch; nothing half-written is left
