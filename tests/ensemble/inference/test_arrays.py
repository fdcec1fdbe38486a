"""Maps of arrays are those that the command writes, whatever the images' sizes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Standin, draw_stack, write_raster

from ensemble.inference.arrays import predict_maps
from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Network
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path, measure_gaps, read_bands_of_map, read_map
from members.common.errors import InputError
from members.data.drivers import hash_image
from members.data.tiles import Tile

SIZES = [(3, 5), (33, 47), (40, 700), (33, 47), (550, 530), *[(64, 32)] * 9]


def draw_images() -> list[np.ndarray]:
    return [np.roll(draw_stack(*size), number, axis=1) for number, size in enumerate(SIZES)]


def test_each_image_gets_its_own_map(capfd: pytest.CaptureFixture[str]) -> None:
    standin, images = Standin(), draw_images()
    maps = predict_maps(standin.network, images, views="flips")
    assert [values.shape for values in maps] == SIZES
    for values, image in zip(maps, images, strict=True):
        assert values.dtype == np.uint8
        np.testing.assert_array_equal(values, image[..., 0])
    assert max(len(batch) for batch in standin.batches) == 8
    assert max(max(batch.shape[1:3]) for batch in standin.batches) == 512
    assert predict_maps(standin.network, []) == []
    assert capfd.readouterr() == ("", "")


def test_maps_are_those_that_the_command_writes(tmp_path: Path) -> None:
    images = [image for image in draw_images() if min(image.shape[:2]) >= 32]
    paths = [write_raster(tmp_path / f"{number}.tif", image) for number, image in enumerate(images)]
    tiles = [Tile(path.stem, path, None, path.stem) for path in paths]
    hashes = {tile.image_id: hash_image(tile.image) for tile in tiles}
    job = Job((), (), tmp_path / "maps", None, VIEW_SETS["d4"], "gmean", 32, hashes)
    network = Standin(tilt=0.8).network
    assert len(list(make_maps(job, [network], tiles, Locks(job.target)))) == len(images)
    maps = predict_maps(network, images, views="d4", merge="gmean")
    for tile, values in zip(tiles, maps, strict=True):
        np.testing.assert_array_equal(values, read_map(map_path(job.target, tile.image_id), values.shape))


def test_a_contact_member_gives_three_bands(tmp_path: Path) -> None:
    images = [image for image in draw_images() if min(image.shape[:2]) >= 32]
    paths = [write_raster(tmp_path / f"{number}.tif", image) for number, image in enumerate(images)]
    tiles = [Tile(path.stem, path, None, path.stem) for path in paths]
    hashes = {tile.image_id: hash_image(tile.image) for tile in tiles}
    job = Job((), (), tmp_path / "maps", tmp_path / "std", VIEW_SETS["d4"], "mean", 32, hashes, bands=3)
    network = Standin(member="lite0_contact").network
    assert len(list(make_maps(job, [network], tiles, Locks(job.target)))) == len(images)
    maps = predict_maps(network, images, views="d4")
    for tile, values, image in zip(tiles, maps, images, strict=True):
        assert (np.abs(values.astype(int) - image) <= 1).all()  # windows are means of several
        path, size = map_path(job.target, tile.image_id), values.shape[:2]
        np.testing.assert_array_equal(values[..., 0], read_map(path, size))
        np.testing.assert_array_equal(measure_gaps(values[..., 1], values[..., 2]), read_bands_of_map(path, size)[1])
        assert not read_map(map_path(tmp_path / "std", tile.image_id), size).any()


def test_progress_sees_all_work() -> None:
    seen: list[tuple[int, str]] = []

    def watch(items: Iterable[Any], description: str, total: int) -> Iterable[Any]:
        kept = list(items)
        seen.append((total, description))
        assert len(kept) == total
        return kept

    predict_maps(Standin().network, draw_images(), views="none", progress=watch)
    assert seen == [(6, "predicting")]  # of nine images of one size two batches, and four other sizes


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((32, 32), np.uint8)], r"images\[0\]: uint8 \(32, 32\); an image is a uint8 array \(h, w, 3\), RGB"),
        ([draw_stack(4, 4), draw_stack(4, 4) / 255], r"images\[1\]: float64 \(4, 4, 3\); an image is a uint8"),
        ([np.zeros((32, 32, 4), np.uint8)], r"images\[0\]: uint8 \(32, 32, 4\)"),
        ([np.zeros((0, 32, 3), np.uint8)], r"images\[0\]: uint8 \(0, 32, 3\)"),
        (["tile.tif"], r"images\[0\]: str; an image is a uint8 array"),
    ],
)
def test_what_is_no_image(images: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict_maps(Standin().network, images)


def test_options_that_are_none() -> None:
    image = draw_stack(32, 32)
    with pytest.raises(InputError, match="no view 'd5'; there are the sets none, flips, d4"):
        predict_maps(Standin().network, [image], views="d5")
    with pytest.raises(InputError, match="lite0_unet: not trained to support any of the views scale2; give others"):
        predict_maps(Standin().network, [image], views="scale2")
    with pytest.raises(InputError, match="merge 'median': no way to merge views; there are mean, gmean, power, max"):
        predict_maps(Standin().network, [image], merge="median")


def test_views_that_a_network_does_not_support_are_left_out() -> None:
    standin = Standin(tilt=0.8)
    network = Network(standin.spec.model_copy(update={"views": "none"}), standin.predict)
    [values] = predict_maps(network, [draw_stack(32, 32)], views="d4")
    assert len(standin.batches) == 1
    assert np.abs(values - draw_stack(32, 32)[..., 0] * (1 - 0.8 * np.linspace(0, 1, 32))).max() <= 0.51


def test_the_example() -> None:
    network = Network(Standin().spec, lambda batch: batch[..., :1] / 255)
    image = np.zeros((3, 5, 3), np.uint8)
    image[1:, 2:4, 0] = 200
    [values] = predict_maps(network, [image])
    assert values.tolist() == [[0, 0, 0, 0, 0], [0, 0, 200, 200, 0], [0, 0, 200, 200, 0]]
