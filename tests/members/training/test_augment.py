"""Augmentation keeps images and masks together, and depends on its seed alone."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from members.data.raster import Pair, read_pair
from members.data.tiles import list_tiles
from members.training.augment import augment_tile, cut_rectangle, import_albumentations, pad_tile, paste_buildings

POLICIES = ("none", "d4", "d4_photo", "d4_cutmix", "strong")


def draw_blocks(count: int = 3, side: int = 96) -> list[Pair]:
    """Masks of one block each, bright on dark: wherever an image is bright, its mask is set."""
    rng = np.random.default_rng(count)
    pairs = []
    for _ in range(count):
        mask = np.zeros((side, side), bool)
        top, left = rng.integers(10, 40, 2)
        mask[top : top + 40, left : left + 25] = True
        image = np.where(mask[..., None], 230, 20) + rng.integers(-10, 10, (side, side, 3))
        pairs.append((image.astype(np.uint8), mask))
    return pairs


@pytest.mark.parametrize("crop", [64, 96, 128])
@pytest.mark.parametrize("policy", POLICIES)
def test_equal_seeds_give_equal_examples_of_the_right_kind(policy: str, crop: int) -> None:
    pairs = draw_blocks()
    for index in range(3):
        image, mask = augment_tile(pairs, index, policy, crop, (42, 7))
        again, mask_again = augment_tile(pairs, index, policy, crop, (42, 7))
        assert (image.shape, mask.shape) == ((crop, crop, 3), (crop, crop))
        assert image.dtype == np.uint8
        assert mask.dtype == bool
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(mask, mask_again)


def test_threads_do_not_mix_their_seeds() -> None:
    pairs = draw_blocks(8)
    seeds = [(index % 8, epoch) for epoch in range(6) for index in range(8)]
    alone = [augment_tile(pairs, index, "strong", 64, (42, epoch))[0] for index, epoch in seeds]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda seed: augment_tile(pairs, seed[0], "strong", 64, (42, seed[1]))[0], seeds)
        for expected, got in zip(alone, together, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_epochs_differ(policy: str) -> None:
    pairs = draw_blocks()
    seen = {augment_tile(pairs, 0, policy, 64, (42, epoch))[0].tobytes() for epoch in range(8)}
    assert len(seen) > 4


@pytest.mark.parametrize("policy", POLICIES)
def test_buildings_stay_under_their_masks(policy: str) -> None:
    """Over many examples the bright pixels are those of the mask, but for blur, cut-outs and changes of light."""
    pairs, agree, total = draw_blocks(), 0, 0
    for epoch in range(30):
        image, mask = augment_tile(pairs, epoch % 3, policy, 96, (0, epoch))
        threshold = (int(image.min()) + int(image.max())) / 2
        agree, total = agree + ((image.mean(axis=2) > threshold) == mask).sum(), total + mask.size
    assert agree / total > {"none": 0.999, "d4": 0.999, "d4_photo": 0.99, "d4_cutmix": 0.99, "strong": 0.93}[policy]


def test_d4_reaches_all_eight_symmetries_and_nothing_else() -> None:
    image, mask = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8), np.zeros((40, 40), bool)
    seen = {augment_tile([(image, mask)], 0, "d4", 40, (1, epoch))[0].tobytes() for epoch in range(100)}
    turned = [np.rot90(flipped, k) for flipped in (image, image[:, ::-1]) for k in range(4)]
    assert seen == {np.ascontiguousarray(view).tobytes() for view in turned}


@pytest.mark.parametrize(("scale", "spans"), [(1, (8, 8)), (2, (4, 16))])
def test_crops_show_the_ground_up_to_twice_and_half_as_large(scale: float, spans: tuple[int, int]) -> None:
    """A stripe 8 px wide, in tiles smaller and larger than what is cut out of them."""
    for side in (40, 96):
        mask = np.zeros((side, side), bool)
        mask[:, side // 2 - 4 : side // 2 + 4] = True
        pair = (mask[..., None] * np.full(3, 200, np.uint8), mask)
        widths = []
        for epoch in range(150):
            image, seen = augment_tile([pair], 0, "none", 32, (3, epoch), scale)
            assert (image.shape, seen.shape) == ((32, 32, 3), (32, 32))
            assert seen.dtype == bool
            assert ((image[..., 0] > 100) == seen).mean() > 0.9
            runs = np.flatnonzero(np.diff(np.pad(seen[16], 1).astype(int)))
            whole = [
                (first, last) for first, last in zip(runs[::2], runs[1::2], strict=True) if first > 0 and last < 32
            ]
            widths += [int(last - first) for first, last in whole]
        assert (min(widths), max(widths)) == pytest.approx(spans, abs=0 if scale == 1 else 1)


def test_whole_buildings_are_pasted_and_the_arguments_stay() -> None:
    image, donor = np.zeros((3, 5, 3), np.uint8), np.full((3, 5, 3), 9, np.uint8)
    mask, donor_mask = np.zeros((3, 5), bool), np.array([[1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)
    mask[2, 2] = True
    outcomes = set()
    for seed in range(60):
        pasted, merged = paste_buildings(image, mask, donor, donor_mask, np.random.default_rng(seed))
        new = pasted[..., 0] == 9
        np.testing.assert_array_equal(merged, mask | new)
        assert not (new & ~donor_mask).any()
        assert new[0, 0] == new[1, 0]
        assert new[0, 4] == new[1, 4]
        outcomes.add(tuple(new[1, [0, 2, 4]].tolist()))
    assert len(outcomes) == 8  # each of the three comes and stays away by itself
    assert not image.any()
    assert mask.sum() == 1


def test_a_rectangle_of_another_tile_comes_with_its_mask_and_the_arguments_stay() -> None:
    image, donor, mask = np.zeros((8, 12, 3), np.uint8), np.full((8, 12, 3), 9, np.uint8), np.zeros((8, 12), bool)
    areas = []
    for seed in range(400):
        mixed, merged = cut_rectangle(image, mask, donor, ~mask, np.random.default_rng(seed))
        np.testing.assert_array_equal(mixed[..., 0] == 9, merged)
        rows, columns = merged.any(axis=1), merged.any(axis=0)
        np.testing.assert_array_equal(merged, np.outer(rows, columns))  # of rows and columns that
        assert all(np.flatnonzero(np.diff(side.astype(int))).size <= 2 for side in (rows, columns))  # follow on another
        areas.append(merged.mean())
    assert not image.any()
    assert not mask.any()
    assert 0.2 < np.mean(areas) < 0.45  # half of the image, less what lay outside
    assert min(areas) < 0.05
    assert max(areas) > 0.8


def test_padding_reflects_at_bottom_and_right() -> None:
    np.testing.assert_array_equal(pad_tile(np.array([[1, 2], [3, 4]]), 3), [[1, 2, 2], [3, 4, 4], [3, 4, 4]])
    assert pad_tile(np.zeros((50, 96, 3)), 0, 48).shape == (96, 96, 3)
    tile = np.zeros((64, 32))
    assert pad_tile(tile, 0, 32) is tile


@pytest.mark.parametrize("before", [None, "0"])
def test_importing_albumentations_leaves_the_environment_as_it_was(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE", raising=False)
    if before is not None:
        monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", before)
    assert import_albumentations().__name__ == "albumentations"
    assert os.environ.get("NO_ALBUMENTATIONS_UPDATE") == before


def test_importing_albumentations_asks_nobody() -> None:
    """By itself it looks for a newer release, at each import."""
    program = """
import sys
asked = []
sys.addaudithook(lambda name, arguments: asked.append(name) if name.startswith("socket.") else None)
from members.training.augment import import_albumentations
import_albumentations()
assert asked == [], asked
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_real_tiles_under_the_strongest_policy(shared_data: Path) -> None:
    pairs = [read_pair(tile) for tile in list_tiles(shared_data / "hot_buildings")[:8]]
    before = sum(mask.mean() for _, mask in pairs)
    examples = [augment_tile(pairs, index, "strong", 128, (42, 0)) for index in range(8)]
    assert all(image.std() > 1 for image, _ in examples)
    assert 0.5 < sum(mask.mean() for _, mask in examples) / before < 2
