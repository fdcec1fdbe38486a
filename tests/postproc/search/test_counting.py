"""Tiles that workers read and count: the same sums whoever counts them, and whoever dies on the way."""

import os
from pathlib import Path

import numpy as np
import pytest

from ensemble.statistics.counts import count_maps
from members.common.workers import Threads, open_workers
from postproc.search.counting import Tile, collect_counts, count_picture


def draw_tile(number: int) -> Tile:
    rng = np.random.default_rng(number)
    blend = rng.integers(0, 256, (9, 7), np.uint8)
    return blend, blend > rng.integers(0, 256, blend.shape)


def test_a_cluster_counts_what_threads_do_and_loses_nothing(scheduler: str, tmp_path: Path) -> None:
    """A worker dies as it reads a tile; its tiles are counted by another, and none twice."""
    flag = tmp_path / "died"

    class Drawn:
        """Tiles that are drawn where they are asked for."""

        def __len__(self) -> int:
            return 40

        def __getitem__(self, number: int) -> Tile:
            if number == 17 and os.getpid() != parent and not flag.exists():
                flag.touch()
                os._exit(9)
            return draw_tile(number)

    def count(tile: Tile) -> np.ndarray:
        return count_picture(*tile)[None]

    parent, groups = os.getpid(), [f"group {number % 5}" for number in range(40)]
    with open_workers(scheduler) as workers:
        found = collect_counts(count, Drawn(), groups, "pooled_iou", workers)
    assert flag.exists()
    alone = collect_counts(count, Drawn(), groups, "pooled_iou", Threads(3))
    tiles = [draw_tile(number) for number in range(40)]
    expected = count_maps([blend for blend, _ in tiles], [truth for _, truth in tiles], groups)
    for name, sums in expected.sums.items():
        np.testing.assert_array_equal(found.sums[name][:, 0], sums)
        np.testing.assert_array_equal(alone.sums[name][:, 0], sums)


def test_progress_is_shown_chunks() -> None:
    shown = []

    def watch(items, purpose, total):  # type: ignore[no-untyped-def]
        items = list(items)
        shown.append((purpose, len(items), total))
        return items

    def count(tile: Tile) -> np.ndarray:
        return count_picture(*tile)[None]

    tiles = [draw_tile(number) for number in range(40)]
    collect_counts(count, tiles, ["a"] * 40, "pooled_iou", Threads(2), watch, "counting")
    assert shown == [("counting", 8, 8)]


def test_tiles_and_groups_are_equally_many() -> None:
    with pytest.raises(ValueError, match="1 tiles of 2 groups"):
        collect_counts(lambda tile: tile[0], [draw_tile(0)], ["a", "b"], "pooled_iou")
