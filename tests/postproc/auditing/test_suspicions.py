"""Labels that maps contradict: deleted and invented buildings come first in the ranking."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.mapfolder.raster import read_map
from members.data.raster import read_mask
from members.data.tiles import list_tiles
from members.synthetic.scenes import draw_scene
from postproc.auditing.suspicions import Kind, Ranking, Suspicion, rank_suspicions, suspect_labels

TOP = 0.05
KINDS: tuple[Kind, ...] = ("missing", "invented")
Sample = tuple[np.ndarray, np.ndarray]
Plant = tuple[int, Kind, np.ndarray]


def rank(samples: list[Sample]) -> Ranking:
    found: list[Suspicion] = []
    objects = 0
    for number, (values, mask) in enumerate(samples):
        suspicions, count = suspect_labels(values, mask, number)
        found += suspicions
        objects += count
    return rank_suspicions(found, objects)


def list_buildings(mask: np.ndarray, smallest: int, largest: int) -> list[np.ndarray]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return [labels == n for n in range(1, count) if smallest <= stats[n, cv2.CC_STAT_AREA] <= largest]


def plant(samples: list[Sample], each: int, seed: int, seen: float = 0.0) -> tuple[list[Sample], list[Plant]]:
    """Delete a building in some tiles, and invent one in others, a rectangle on open ground.

    `seen` is the mean probability, by the map, that the planted label is wrong, at least.
    """
    rng = np.random.default_rng(seed)
    changed, planted = list(samples), list[Plant]()
    for number in rng.permutation(len(samples)).tolist():
        values, mask = samples[number]
        kinds = [kind for _, kind, _ in planted]
        buildings = [own for own in list_buildings(mask, 300, 8000) if values[own].mean() >= 255 * seen]
        if kinds.count("missing") < each and buildings:
            area = buildings[int(rng.integers(len(buildings)))]
            planted.append((number, "missing", area))
            changed[number] = values, mask & ~area
        elif kinds.count("invented") < each:
            built = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
            for _ in range(100):
                height, width = rng.integers(20, 60, 2)
                top, left = rng.integers(0, mask.shape[0] - height), rng.integers(0, mask.shape[1] - width)
                area = np.zeros_like(mask)
                area[top : top + height, left : left + width] = True
                if not (area & built).any() and values[area].mean() <= 255 * (1 - seen):
                    planted.append((number, "invented", area))
                    changed[number] = values, mask | area
                    break
    return changed, planted


def count_found(ranking: Ranking, planted: list[Plant], kind: Kind) -> tuple[int, int]:
    """Count the planted errors of a kind that are in the top 5 % of the ranking, and all of them."""
    top = ranking.suspicions[: round(TOP * ranking.objects)]
    mine = [(number, area) for number, own, area in planted if own == kind]
    hits = 0
    for number, area in mine:
        boxes = [each.box for each in top if (each.tile, each.kind) == (number, kind)]
        hits += any(area[t:b, left:right].sum() > 0.5 * area.sum() for t, left, b, right in boxes)
    return hits, len(mine)


def read_samples(shared_data: Path) -> list[Sample]:
    """Read all real masks, and the mean of the maps of two members that did not train on them."""
    samples = []
    for tile in list_tiles(shared_data / "hot_buildings"):
        if tile.mask is not None:
            mask = read_mask(tile.mask)
            folder = shared_data / "hot_maps/valid"
            maps = [read_map(folder / f"{name}/{tile.image_id}.tif", mask.shape) for name in ("lite0", "lite1")]
            samples.append((np.rint(np.mean(maps, axis=0)).astype(np.uint8), mask))
    return samples


def draw_samples(count: int) -> list[Sample]:
    """Draw towns, and maps of them: the truth, blurred and noisy."""
    samples = []
    for seed in range(8, 8 + count):
        mask = draw_scene(seed)[1] > 0
        noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 2, mask.shape), (0, 0), 4)
        values = np.clip(cv2.GaussianBlur(mask * 0.94 + 0.03, (0, 0), 2) + noise * 0.4, 0, 1)
        samples.append((np.rint(values * 255).astype(np.uint8), mask))
    return samples


def test_one_of_each_and_what_agrees() -> None:
    values = np.zeros((60, 80), np.uint8)
    values[10:30, 10:30] = 250  # a building that has no label
    values[40:55, 50:70] = 250  # one that has
    mask = np.zeros((60, 80), bool)
    mask[41:56, 50:70] = True  # a pixel off is no contradiction
    mask[10:30, 50:60] = True  # a label on nothing
    suspicions, objects = suspect_labels(values, mask, 7)
    assert objects == 4
    first, second = rank_suspicions(suspicions, objects).suspicions
    assert first.confidence == pytest.approx(250 / 255)
    assert first == Suspicion(7, "missing", (10, 10, 30, 30), 400, first.confidence, True)
    assert second == Suspicion(7, "invented", (10, 50, 30, 60), 200, 1.0, True)
    assert first.score > second.score


def test_part_of_a_building() -> None:
    """A label that reaches too far is contradicted where it does, and not as a whole."""
    mask = np.zeros((60, 80), bool)
    mask[10:40, 10:70] = True
    ((found,), _) = suspect_labels((mask * np.uint8(255)) * (np.arange(80) < 50), mask)
    assert (found.kind, found.whole) == ("invented", False)
    assert found.box == (10, 53, 40, 70)


def test_planted_in_drawn_towns() -> None:
    samples, planted = plant(draw_samples(6), each=3, seed=0)
    ranking = rank(samples)
    assert count_found(ranking, planted, "missing") == (3, 3)
    assert count_found(ranking, planted, "invented") == (3, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("seen", "share"), [(0.85, 0.95), (0.75, 0.85)])
def test_planted_in_real_tiles(shared_data: Path, seen: float, share: float) -> None:
    """Maps of two small networks, and labels that have errors of their own, which rank high as well.

    What the maps contradict clearly is found; what they don't see they can't tell.
    """
    samples = read_samples(shared_data)
    hits, all_planted = 0, 0
    for seed in range(4):
        changed, planted = plant(samples, each=15, seed=seed, seen=seen)
        ranking = rank(changed)
        for kind in KINDS:
            found, count = count_found(ranking, planted, kind)
            hits += found
            all_planted += count
    assert all_planted == 120
    assert hits >= share * all_planted
