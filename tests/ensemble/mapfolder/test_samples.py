"""Samples: the same tiles in the same order in every pass, and nothing that does not fit together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_raster, write_tiles

from ensemble.mapfolder.manifest import Manifest, write_manifest
from ensemble.mapfolder.raster import map_path
from ensemble.mapfolder.samples import ArraySamples, RunSamples, Samples
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles

SPLIT = Split(fold_of_group={"g0": 0, "g1": -1, "g2": 0})
VALID = ("tile0", "tile1", "tile4", "tile5")


def draw_map(seed: int, shape: tuple[int, int] = (2, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def give(samples: Samples) -> list[tuple[list[list[int]], list[bool]]]:
    """What a pass yields, as plain numbers."""
    return [([values.ravel().tolist() for values in maps], truth.ravel().tolist()) for maps, truth in samples]


# Arrays


def test_arrays_by_hand() -> None:
    maps = {"b": [row(1, 2), row(3, 4).T], "a": [row(5, 6), row(7, 8).T]}
    samples = ArraySamples(maps, [np.array([[True, False]]), np.array([[False], [True]])], np.array([9, 8]))
    assert (samples.members, samples.groups, len(samples)) == (("b", "a"), ("9", "8"), 2)
    expected = [([[1, 2], [5, 6]], [True, False]), ([[3, 4], [7, 8]], [False, True])]
    assert give(samples) == expected
    assert give(samples) == expected


MAPS = {"a": [draw_map(0), draw_map(1)], "b": [draw_map(2), draw_map(3)]}
TRUTHS = [draw_map(4) > 127, draw_map(5) > 127]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maps": {}}, "maps: no member; give a mapping of member to its maps, one a tile"),
        ({"maps": {"a": []}, "truths": [], "groups": []}, "truths: no tile; give at least one, with its map and its"),
        ({"maps": MAPS | {"b": MAPS["b"][:1]}}, r"maps\['b'\]: 1 for 2 truths; give one a tile, all in the same order"),
        ({"groups": ["g"]}, r"groups: 1 for 2 truths; give one a tile"),
        ({"truths": TRUTHS * 2}, r"maps\['a'\]: 2 for 4 truths"),
        (
            {"maps": {"a": [draw_map(0) / 255, draw_map(1) / 255]}},
            r"maps\['a'\]\[0\]: float64 \(2, 3\); a map is a uint8 array \(h, w\), 255 where the probability is 1",
        ),
        ({"maps": {"a": [draw_map(0), draw_map(1)[..., None]]}}, r"maps\['a'\]\[1\]: uint8 \(2, 3, 1\); a map is"),
        ({"maps": {"a": [[[1, 2, 3]] * 2] * 2}}, r"maps\['a'\]\[0\]: list; a map is a uint8 array"),
        ({"truths": [TRUTHS[0], draw_map(0)]}, r"truths\[1\]: uint8 \(2, 3\); a truth is a bool array \(h, w\), True"),
        (
            {"truths": [TRUTHS[0], TRUTHS[1].T]},
            r"maps\['a'\]\[1\]: \(2, 3\), but truths\[1\] is \(3, 2\); give both in one order",
        ),
    ],
)
def test_arrays_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"maps": MAPS, "truths": TRUTHS, "groups": ["g", "h"]}
    with pytest.raises(InputError, match=message):
        ArraySamples(**arguments | changes)


# A run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with maps of two members of its four validation tiles."""
    data = write_tiles(tmp_path / "data")
    run = Run(tmp_path / "run")
    run.write_record(data, list_tiles(data), SPLIT)
    for member, seed in {"y": 10, "x": 20}.items():
        fill(run, "valid", member, VALID, seed)
    return run


def fill(run: Run, part: str, member: str, image_ids: tuple[str, ...], seed: int, split: Split = SPLIT) -> None:
    folder = run.map_folder(part, member)
    images = dict.fromkeys(image_ids, (64, 64))
    described = Manifest(member=member, spec={}, tta="none", weights={}, split=split, images=images)
    write_manifest(folder, described)
    for number, image_id in enumerate(image_ids):
        write_raster(map_path(folder, image_id), draw_map(seed + number, (64, 64)))


def test_a_run_gives_its_validation_tiles(run: Run, tmp_path: Path) -> None:
    samples = RunSamples(run, tmp_path / "data")
    assert samples.members == ("x", "y")
    assert samples.groups == ("g0", "g0", "g2", "g2")
    assert tuple(tile.image_id for tile in samples.tiles) == VALID
    assert samples.sizes == dict.fromkeys(VALID, (64, 64))
    assert [manifest.member for manifest in samples.manifests.values()] == ["x", "y"]
    for _ in range(2):
        assert len(list(samples)) == len(samples) == 4
        for number, (maps, truth) in enumerate(samples):
            np.testing.assert_array_equal(maps, [draw_map(20 + number, (64, 64)), draw_map(10 + number, (64, 64))])
            np.testing.assert_array_equal(truth, read_mask(tmp_path / f"data/masks/{VALID[number]}.tif"))


def test_what_is_kept_is_read_once(run: Run, tmp_path: Path) -> None:
    samples = RunSamples(run, tmp_path / "data", members=["y"])
    first = give(samples)
    map_path(run.map_folder("valid", "y"), "tile4").unlink()
    assert give(samples) == first


def test_beyond_what_is_kept_each_pass_reads_the_files_anew(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ensemble.mapfolder.samples.KEPT_BYTES", 0)
    samples = RunSamples(run, tmp_path / "data", members=["y"])
    assert samples.members == ("y",)
    first = give(samples)
    path = map_path(run.map_folder("valid", "y"), "tile4")
    write_raster(path, draw_map(99, (64, 64)))
    assert give(samples)[2] == ([draw_map(99, (64, 64)).ravel().tolist()], first[2][1])
    path.unlink()
    with pytest.raises(InputError, match=r"valid/y/tile4.tif: no such file"):
        list(samples)


def test_another_part_is_all_tiles_of_its_data(run: Run, tmp_path: Path) -> None:
    town = write_tiles(tmp_path / "town", 2)
    fill(run, "town", "x", ("tile0", "tile1"), 0)
    samples = RunSamples(run, town, "town")
    assert (samples.members, samples.groups) == (("x",), ("g0", "g0"))
    with pytest.raises(InputError, match=r"town/x: not maps of the tiles of .*data; predict them again"):
        RunSamples(run, tmp_path / "data", "town")


@pytest.mark.parametrize(
    ("image_ids", "split", "message"),
    [
        (VALID[:3], SPLIT, r"valid/x: not maps of the run's validation tiles; predict them again"),
        (VALID, Split(folds=2), r"valid/x: maps by a member trained on another split than the run's; predict them"),
    ],
)
def test_maps_of_something_else(
    run: Run, tmp_path: Path, image_ids: tuple[str, ...], split: Split, message: str
) -> None:
    for member in ("x", "y"):
        fill(run, "valid", member, image_ids, 0, split)
    with pytest.raises(InputError, match=message):
        RunSamples(run, tmp_path / "data")


def test_other_data_than_the_runs(run: Run, tmp_path: Path) -> None:
    other = write_tiles(tmp_path / "other", 4)
    with pytest.raises(InputError, match=r"run: a run of other data"):
        RunSamples(run, other)
    with pytest.raises(InputError, match=r"no run here"):
        RunSamples(Run(tmp_path / "absent"), other)
