"""Drawn scenes: what is painted where, its light and shadows, and the data set on disk."""

import csv
import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from members import scenes
from members.dataset import list_tiles, read_pair
from members.errors import InputError
from members.scene_painting import FINE, STEP, Canvas, paint_slab, paint_tree
from members.scene_roofs import PITCH, Form, Material, Roof, paint_building, raise_roof
from members.scenes import GROUP_SIZE, draw_scene, settle_group, write_scenes

FORMS = get_args(Form)
GREY = (0.5, 0.5, 0.5)


def make_canvas(size: int = 64, sun: tuple[float, float] = (0.0, np.pi / 4)) -> Canvas:
    return Canvas(size, sun, np.random.default_rng(0))


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of six neighbourhoods, two of each kind, two tiles each, 128 px."""
    seeds = [group * GROUP_SIZE + tile for group in range(6) for tile in range(2)]
    pairs = [draw_scene(seed, 128) for seed in seeds]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def test_paint_keeps_what_is_higher() -> None:
    canvas = make_canvas()
    paint_slab(canvas, (0, 0), 0, (4, 4), (1, 0, 0), height=3)
    paint_slab(canvas, (1, 0), 0, (4, 4), (0, 0, 1), height=0)
    middle = canvas.side // 2
    assert canvas.height[middle, middle] == 3
    assert canvas.colour[0, middle, middle] > 0.5  # the red slab
    right = middle + int(2.5 / STEP)
    assert canvas.height[middle, right] == 0
    assert canvas.colour[2, middle, right] > 0.5  # the blue one beside it


def test_shadow_falls_away_from_the_sun_and_is_as_long_as_the_wall_is_high_at_45_degrees() -> None:
    canvas = make_canvas(sun=(0.0, np.pi / 4))  # from the right
    paint_slab(canvas, (0, 0), 0, (2, 2), GREY, height=3)
    row = canvas.cast_shadows()[canvas.side // 2]
    dark = (np.flatnonzero(row) + 0.5 - canvas.side / 2) * STEP
    assert dark.max() == pytest.approx(-1, abs=2 * STEP)  # begins at the left wall
    assert dark.min() == pytest.approx(-4, abs=0.25 + 2 * STEP)  # the last 0.25 m are no shadow yet


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 2, 3]), st.sampled_from([0.5, 0.75, 1.0]))
def test_shadows_agree_with_a_march_towards_the_sun(seed: int, quarter: int, rise: float) -> None:
    rng = np.random.default_rng(seed)
    canvas = make_canvas(32, sun=(quarter * np.pi / 2, float(np.arctan(rise))))
    for _ in range(6):
        top, left = rng.integers(0, canvas.side - 10, 2)
        canvas.height[top : top + 10, left : left + 10] = rng.integers(1, 9)
    across, down = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter]
    padded = np.pad(canvas.height, 128)
    skyline = np.zeros_like(canvas.height)
    for step in range(1, 128):
        beyond = padded[128 + step * down :, 128 + step * across :][: canvas.side, : canvas.side]
        skyline = np.maximum(skyline, beyond - step * STEP * rise)
    clear = np.abs(skyline - canvas.height - 0.25) > 1e-2  # where rounding does not decide
    np.testing.assert_array_equal(canvas.cast_shadows()[clear], (skyline > canvas.height + 0.25)[clear])


@pytest.mark.parametrize("form", FORMS)
def test_slopes_are_the_gradient_of_the_rise(form: Form) -> None:
    frame = make_canvas().frame((0, 0), 0, 8)
    roof = raise_roof(frame, form, 12, 9)
    across, along = np.gradient(roof.rise, STEP)
    for measured, stated in ((along, roof.slope[0]), (across, roof.slope[1])):
        smooth = roof.inside & (np.abs(measured - stated) < 0.02)
        assert smooth.sum() > 0.85 * roof.inside.sum()  # all but ridges and valleys


@pytest.mark.parametrize("form", ["gable", "hip"])
def test_ridge_is_half_the_width_times_the_pitch_high(form: Form) -> None:
    roof = raise_roof(make_canvas().frame((0, 0), 0, 8), form, 12, 8)
    assert roof.rise[roof.inside].max() == pytest.approx(4 * PITCH[form], abs=STEP)
    assert roof.rise[roof.inside].min() == pytest.approx(0, abs=STEP)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("material", get_args(Material))
def test_every_form_and_material_marks_its_outline(form: Form, material: Material) -> None:
    area = {"round": np.pi * 4**2, "court": 12 * 8 - (12 - 4.96) * (8 - 4.96), "angle": 12 * 5.2 + 8 * 5.2 - 5.2**2}
    canvas = make_canvas()
    paint_building(canvas, np.random.default_rng(1), (0.7, -1.1), 0.4, (8, 12), 3.0, Roof(form, material, GREY))
    marked = np.count_nonzero(canvas.building) * STEP**2
    assert marked == pytest.approx(area.get(form, 12 * 8), rel=0.03)
    assert canvas.height[canvas.building > 0].min() >= 3.0
    assert not canvas.colour[:, canvas.building == 0].any()


@pytest.mark.parametrize("palm", [False, True])
def test_tree_hides_a_roof_but_not_its_mask(palm: bool) -> None:
    canvas = make_canvas()
    paint_building(canvas, np.random.default_rng(1), (0, 0), 0, (10, 8), 3.0, Roof("shed", "metal", GREY))
    colour, building = canvas.colour.copy(), canvas.building.copy()
    paint_tree(canvas, np.random.default_rng(2), (5, 0), 4.0, (0.2, 0.3, 0.1), palm)
    np.testing.assert_array_equal(canvas.building, building)
    assert (canvas.colour != colour)[:, building > 0].any()


def test_light_is_brighter_on_the_side_of_the_sun() -> None:
    canvas = make_canvas(sun=(np.pi / 2, np.pi / 4))  # from below
    paint_building(canvas, np.random.default_rng(1), (0, 0), 0, (10, 8), 3.0, Roof("gable", "thatch", GREY))
    middle, metres = canvas.side // 2, int(2 / STEP)
    assert canvas.light[middle + metres, middle] > 1 > canvas.light[middle - metres, middle]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**40), st.integers(32, 96))
def test_scene_is_the_same_every_time(seed: int, size: int) -> None:
    image, mask = draw_scene(seed, size)
    assert image.shape == (size, size, 3)
    assert mask.shape == (size, size)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 255}
    for first, second in zip((image, mask), draw_scene(seed, size), strict=True):
        np.testing.assert_array_equal(first, second)


def test_seeds_differ() -> None:
    assert (draw_scene(0, 64)[0] != draw_scene(1, 64)[0]).mean() > 0.5


@pytest.mark.parametrize(("seed", "size"), [(-1, 64), (0, 31)])
def test_too_small_a_seed_or_size_is_refused(seed: int, size: int) -> None:
    with pytest.raises(InputError, match="must be 0 or more, size 32 or more"):
        draw_scene(seed, size)


def test_mask_follows_the_canvas_to_the_half_pixel() -> None:
    fine = np.zeros((2 * FINE, 2 * FINE), np.uint8)
    fine[:FINE, :FINE] = 255  # a whole pixel
    fine[:FINE, FINE] = 255  # half of the next one
    fine[FINE, 0] = 255  # a quarter
    np.testing.assert_array_equal(scenes.shrink_mask(fine), [[255, 255], [0, 0]])


def test_each_three_groups_are_one_of_each_kind() -> None:
    kinds = [settle_group(group)[0].kind for group in range(30)]
    assert all(set(kinds[i : i + 3]) == {"town", "suburb", "rural"} for i in range(0, 30, 3))
    assert len({tuple(kinds[i : i + 3]) for i in range(0, 30, 3)}) > 1  # no pattern that a split could fall in with


def test_tiles_of_a_group_look_alike(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    mean = drawn[0].mean(axis=(1, 2)).reshape(6, 2, 3)
    within = np.linalg.norm(mean[:, 0] - mean[:, 1], axis=-1).mean()
    between = np.linalg.norm(mean[:, None, 0] - mean[None, :, 1], axis=-1)[~np.eye(6, dtype=bool)].mean()
    assert within < 0.7 * between


def test_no_threshold_on_colour_finds_the_buildings(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    images, masks = drawn
    truth = masks.ravel() > 0
    assert 0.05 < truth.mean() < 0.4
    rgb = images.reshape(-1, 3).astype(np.float32)
    redness, greenness = rgb[:, 0] - rgb[:, 1], rgb[:, 1] - rgb[:, 2]
    for channel in (*rgb.T, rgb.mean(axis=1), rgb.max(axis=1) - rgb.min(axis=1), redness, greenness):
        for cut in np.percentile(channel, range(2, 100, 4)):
            for found in (channel >= cut, channel < cut):
                assert np.sum(found & truth) < 0.5 * np.sum(found | truth)


def test_data_set_is_what_the_scenes_are(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_scenes(tmp_path, 5, seed=3)
        tiles = list_tiles(tmp_path)
        with rasterio.open(tiles[4].image) as raster:
            assert raster.res == pytest.approx((0.3, 0.3))
            image, mask = read_pair(tiles[4])
    assert [tile.image_id for tile in tiles] == [f"scene_{i:04d}" for i in range(5)]
    assert [tile.group for tile in tiles] == ["neighbourhood_000"] * 4 + ["neighbourhood_001"]
    expected = draw_scene(3_000_004)
    np.testing.assert_array_equal(image, expected[0])
    np.testing.assert_array_equal(mask, expected[1] > 0)
    with (tmp_path / "groups.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["image_id", "group", "kind"]
    assert rows[4]["kind"] == settle_group(3_000_004 // GROUP_SIZE)[0].kind


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    write_scenes(tmp_path, 2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_scenes(tmp_path, 2)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_stopped_writing_leaves_whole_files_and_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_at_second(seed: int) -> tuple[np.ndarray, np.ndarray]:
        if seed % 1000 == 1:
            raise KeyboardInterrupt
        return draw_scene(seed)

    monkeypatch.setattr(scenes, "draw_scene", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, 3)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["images/scene_0000.tif", "masks/scene_0000.tif"]


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (1_000_001, 1), (1, -1)])
def test_impossible_data_sets_are_refused(tmp_path: Path, count: int, seed: int) -> None:
    with pytest.raises(InputError, match="there can be 1 to 1000000"):
        write_scenes(tmp_path / "new", count, seed)
    assert not (tmp_path / "new").exists()


def test_folder_with_other_tiles_is_left_alone(tmp_path: Path) -> None:
    write_scenes(tmp_path, 2)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"scene_0001.tif: not one of the 1 scenes"):
        write_scenes(tmp_path, 1)
    assert sorted(tmp_path.rglob("*")) == before
