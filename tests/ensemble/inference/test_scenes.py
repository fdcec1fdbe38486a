"""Large images: windows of any format that cover them, without seams, masked where there is no data."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from conftest import GEOREFERENCE, write_raster
from hypothesis import given
from hypothesis import strategies as st

from ensemble.inference import scenes
from ensemble.inference.jobs import Job, write_scene
from ensemble.inference.scenes import (
    MARGIN,
    ArrayScene,
    Scene,
    StackPredictor,
    find_window_starts,
    open_scene,
    predict_scene,
    weigh_windows,
)
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import read_map
from members.data.drivers import hash_image
from members.data.tiles import Tile

RADIUS = 15  # of the stand-in, three blurs of 11 px


def blur(stack: np.ndarray) -> np.ndarray:
    """A translation-covariant network: red blurred three times, borders by reflection; (1, n, h, w) in 0..1."""
    out = []
    for image in stack:
        red = image[..., 0].astype(np.float32) / 255
        for _ in range(3):
            red = cv2.blur(red, (11, 11), borderType=cv2.BORDER_REFLECT)
        out.append(red)
    return np.stack(out)[None]


def draw_image(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def predict_whole(path: Path, multiple: int = 32) -> np.ndarray:
    with open_scene(path) as scene:
        return join_blocks(scene, multiple)


def join_blocks(scene: Scene, multiple: int = 32) -> np.ndarray:
    values = np.full((1, *scene.size), np.nan, np.float32)
    for (rows, columns), block in predict_scene(scene, StackPredictor(blur, multiple=multiple)):
        assert np.isnan(values[:, rows, columns]).all()  # no pixel is given twice
        values[:, rows, columns] = block
    return values[0]


@pytest.mark.parametrize("size", [(600, 1300), (1111, 513), (512, 512), (700, 64)])
@pytest.mark.parametrize("panel", [512, 16384])
def test_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], panel: int) -> None:
    assert RADIUS <= MARGIN
    monkeypatch.setattr(scenes, "PANEL", panel)
    image = draw_image(*size)
    values = predict_whole(write_raster(tmp_path / "scene.tif", image))
    assert np.abs(values - blur(image[None])[0, 0]).max() < 0.1 / 255


def test_a_size_multiple_of_48(tmp_path: Path) -> None:
    image = draw_image(600, 1000)
    values = predict_whole(write_raster(tmp_path / "scene.tif", image), multiple=48)
    assert np.abs(values - blur(image[None])[0, 0]).max() < 0.1 / 255


def test_an_image_in_memory_is_seen_as_its_file_is(tmp_path: Path) -> None:
    image = draw_image(600, 700)
    values = join_blocks(ArrayScene(image))
    np.testing.assert_array_equal(values, predict_whole(write_raster(tmp_path / "scene.tif", image)))


@pytest.mark.parametrize("kind", ["strips", "bigtiff", "cog", "vrt"])
def test_formats(tmp_path: Path, kind: str) -> None:
    image = draw_image(600, 700)
    path = write_raster(
        tmp_path / "scene.tif", image, **GEOREFERENCE, **({"bigtiff": "yes"} if kind == "bigtiff" else {})
    )
    if kind == "cog":
        rasterio.shutil.copy(path, tmp_path / "cog.tif", driver="COG", blocksize=256)
        path = tmp_path / "cog.tif"
    if kind == "vrt":
        rasterio.shutil.copy(path, tmp_path / "scene.vrt", driver="VRT")
        path = tmp_path / "scene.vrt"
    job = Job((), (), tmp_path / "maps", None, VIEW_SETS["none"], "mean", 32, {"a": hash_image(path)})
    with open_scene(path) as scene:
        write_scene(job, Tile("a", path, None, "a"), scene, blur)
    expected = np.rint(blur(image[None])[0, 0] * 255)
    assert np.abs(read_map(tmp_path / "maps/a.tif", (600, 700)) - expected).max() <= 1
    with rasterio.open(tmp_path / "maps/a.tif") as raster:
        assert (raster.crs, raster.transform) == (GEOREFERENCE["crs"], GEOREFERENCE["transform"])
        assert raster.block_shapes == [(512, 512)]
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["a.tif"]


class Stopped(Exception):
    """What ends a prediction in its midst, as a killed process does."""


@pytest.mark.parametrize(("size", "whole", "least"), [((1300, 600), 12, 2), ((900, 64), 3, 3)])
def test_a_stopped_scene_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], whole: int, least: int
) -> None:
    """Stopped after any call of the network, and started again, it gives the bits that it gives at once.

    The last row of windows reaches into the one before, and at 900 px all three reach into one another.
    """
    monkeypatch.setattr(scenes, "PANEL", 512)
    path = write_raster(tmp_path / "scene.tif", draw_image(*size))

    def predict(folder: str, most: int | None = None) -> int:
        """Write map and standard deviation; returns how often the network was called, `most` times at most."""
        calls = 0

        def see(stack: np.ndarray) -> np.ndarray:
            nonlocal calls
            if calls == most:
                raise Stopped
            calls += 1
            red = stack[None, ..., 0] / np.float32(255)
            return np.concatenate([red, red / 2])

        target = tmp_path / folder
        job = Job((), (), target, target / "std", VIEW_SETS["none"], "mean", 32, {"a": hash_image(path)})
        with open_scene(path) as scene:
            write_scene(job, Tile("a", path, None, "a"), scene, see)
        return calls

    assert predict("at once") == whole
    needed = []
    for most in range(whole):
        folder = f"stopped after {most}"
        with pytest.raises(Stopped):
            predict(folder, most)
        needed.append(predict(folder))
        for name in ("a.tif", "std/a.tif"):
            values = read_map(tmp_path / folder / name, size)
            np.testing.assert_array_equal(values, read_map(tmp_path / "at once" / name, size))
        assert {each.name for each in (tmp_path / folder).iterdir()} == {"a.tif", "std"}
    assert needed == sorted(needed, reverse=True)
    assert (needed[0], needed[-1]) == (whole, least)


@pytest.mark.parametrize("name", ["scene", "test_scene"])
def test_real_scenes(shared_data: Path, name: str) -> None:
    path = shared_data / f"hot_scene/{name}.tif"
    values = predict_whole(path)
    with rasterio.open(path) as raster:
        image = raster.read([1, 2, 3]).transpose(1, 2, 0)
    assert values.shape == image.shape[:2]
    assert np.abs(values - blur(image[None])[0, 0]).max() < 0.1 / 255


# Windows


@given(st.integers(1, 3000), st.integers(2, 20), st.sampled_from([1, 8, 32]), st.data())
def test_windows_cover_the_axis_and_overlap(length: int, units: int, multiple: int, data: st.DataObject) -> None:
    window = units * multiple
    overlap = data.draw(st.integers(0, window - multiple))
    starts = find_window_starts(length, window, overlap, multiple)
    assert starts[0] == 0
    assert length <= starts[-1] + window
    assert length > starts[-1] + window - multiple or starts == [0]
    assert all(start % multiple == 0 for start in starts)
    steps = np.diff(starts)
    if len(steps):
        assert 0 < steps.min() <= steps.max() <= window - overlap
        longest = (window - overlap) // multiple * multiple
        assert (len(starts) - 2) * longest + window < length  # one less would not do


def test_starts_by_hand() -> None:
    assert find_window_starts(10, 4, 1, 1) == [0, 3, 6]
    assert find_window_starts(11, 4, 1, 1) == [0, 2, 4, 7]
    assert find_window_starts(4, 4, 1, 1) == [0]
    assert find_window_starts(1000, 512, 128, 32) == [0, 256, 512]
    assert find_window_starts(513, 512, 128, 32) == [0, 32]


@given(st.integers(1, 2000), st.integers(0, 40), st.integers(1, 60))
def test_weights_sum_to_one_and_fall_to_the_crop(length: int, margin: int, ramp: int) -> None:
    window, overlap = 256, 2 * margin + ramp
    starts = find_window_starts(length, window, overlap, 16)
    weights = weigh_windows(length, starts, window, overlap, margin)
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
        first, last = start == 0, start + len(weight) == length
        assert first or (not weight[:margin].any() and weight[margin] > 0)
        assert last or (not weight[len(weight) - margin :].any() and weight[-margin - 1] > 0)
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_weights_by_hand() -> None:
    first, second = weigh_windows(8, [0, 3], 5, 2, 0)
    np.testing.assert_allclose(first, [1, 1, 1, 2 / 3, 1 / 3])
    np.testing.assert_allclose(second, [1 / 3, 2 / 3, 1, 1, 1])
    [first, second] = weigh_windows(8, [0, 2], 6, 4, 1)
    np.testing.assert_allclose(first, [1, 1, 1, 2 / 3, 1 / 3, 0])
