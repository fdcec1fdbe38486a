"""Buildings are counted in tiles of a group that touch, joined: a border cuts none in two."""

from collections.abc import Sequence

import numpy as np
import pytest
from rasterio import Affine
from shapely import Polygon, box

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.statistics.crossfit import CrossFit
from members.data.frames import Frame
from members.data.mosaic import join_frames
from postproc.pipeline.pipeline import Pipeline
from postproc.study.building_study import BuildingCounter, read_setting
from postproc.tuning import places as module
from postproc.tuning.fits import Task
from postproc.tuning.joined import Joined, score_joined
from postproc.tuning.places import Places, join_pieces, list_places

SIDE = 32


def make_frame(row: int, column: int) -> Frame:
    """A tile of 32 px, of 1 m, at a place of a grid of tiles."""
    transform = Affine(1, 0, 500_000 + SIDE * column, 0, -1, 1_000_000 - SIDE * row)
    return Frame(f"r{row}c{column}", (SIDE, SIDE), "EPSG:32645", transform)


def make_task(frames: Sequence[Frame], masks: Sequence[np.ndarray], groups: Sequence[str]) -> Task:
    maps = [np.uint8(200) * mask for mask in masks]
    samples = ArraySamples({"net": maps}, masks, groups)
    return Task(samples, tuple(groups), "building_f1", CrossFit(len(set(groups)), None), frames=tuple(frames))


def list_numbers(task: Task) -> list[tuple[int, ...]]:
    return sorted(unit.numbers for unit in list_places(task))


@pytest.fixture
def row() -> Task:
    """Three tiles in a row: a house across the first border, a shed in the second, and a hall across the second."""
    street = np.zeros((SIDE, 3 * SIDE), bool)
    street[4:14, 24:40] = True
    street[20:28, 36:44] = True
    street[2:30, 56:76] = True
    frames = [make_frame(0, column) for column in range(3)]
    return make_task(frames, np.split(street, 3, axis=1), ["a", "a", "b"])


def test_tiles_of_a_group_that_touch_are_one_place(row: Task) -> None:
    assert list_numbers(row) == [(0, 1), (2,)]


def test_tiles_that_do_not_touch_and_tiles_without_a_frame_are_alone() -> None:
    masks = [np.ones((SIDE, SIDE), bool)] * 3
    apart = make_task([make_frame(0, 0), make_frame(0, 2), make_frame(5, 0)], masks, "aaa")
    assert list_numbers(apart) == [(0,), (1,), (2,)]
    assert list_numbers(make_task([], masks, "aaa")) == [(0,), (1,), (2,)]


def test_a_large_place_is_cut_along_the_borders_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDE", 2 * SIDE)
    frames = [make_frame(row, column) for row in range(2) for column in range(4)]
    task = make_task(frames, [np.ones((SIDE, SIDE), bool)] * 8, "a" * 8)
    assert list_numbers(task) == [(0, 1, 4, 5), (2, 3, 6, 7)]


def test_a_building_on_a_border_counts_once(row: Task) -> None:
    units = list_places(row)
    places = Places(row.samples, Blend.mean(["net"]), units)
    joined, alone = (places[number] for number in np.argsort([-len(unit.numbers) for unit in units]))
    assert joined[0].shape == (SIDE, 2 * SIDE)
    assert sorted(building.bounds for building in joined[1]) == [(24, 4, 40, 14), (36, 20, 44, 28), (56, 2, 64, 30)]
    assert [building.bounds for building in alone[1]] == [(0, 2, 12, 30)]
    counter = BuildingCounter(places, [row.groups[unit.numbers[0]] for unit in units])
    assert counter.collect(read_setting({"threshold": 128})).score("building_f1") == 1


def test_what_is_found_is_told_joined_and_tile_by_tile(row: Task) -> None:
    """All is found either way, but tile by tile the house and the hall are two pieces each."""
    assert score_joined(row, Pipeline(Blend.mean(["net"]))) == Joined(1.0, 1.0, 3, 5)
    alone = make_task([], [truth for _, truth in row.samples], row.groups)
    assert score_joined(alone, Pipeline(Blend.mean(["net"]))) is None


@pytest.mark.parametrize(
    ("left", "right", "buildings"),
    [
        (box(20, 4, 32, 12), box(0, 4, 9, 12), 1),  # one house, cut by the border
        (box(20, 4, 32, 12), box(0, 12, 9, 20), 2),  # a corner in common
        (box(20, 4, 31, 12), box(0, 4, 9, 12), 2),  # a path between them
        (box(20, 4, 32, 12), box(0, 6, 9, 20), 1),  # part of a wall
    ],
)
def test_pieces_are_one_building_where_they_share_a_wall(left: Polygon, right: Polygon, buildings: int) -> None:
    (mosaic,) = join_frames([make_frame(0, 0), make_frame(0, 1)])
    joined = join_pieces(mosaic, [[left], [right]])
    assert len(joined) == buildings
    assert sum(outline.area for outline in joined) == pytest.approx(left.area + right.area, abs=0.5)
    assert all(outline.is_valid for outline in joined)


def test_neighbours_in_one_tile_stay_apart() -> None:
    (mosaic,) = join_frames([make_frame(0, 0), make_frame(0, 1)])
    assert len(join_pieces(mosaic, [[box(4, 4, 10, 10), box(10, 4, 16, 10)], []])) == 2
    assert join_pieces(mosaic, [[], []]) == []
