"""What a contact member is taught, drawn by hand, and outlines that are not those of the masks."""

from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, write_raster
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import Polygon, box

from members.common.errors import InputError
from members.data.tiles import Tile
from members.labels.agreement import Agreement, number_buildings
from members.training.augment import augment_tile
from members.training.targets import (
    TargetReader,
    decode_probabilities,
    draw_target,
    encode_probabilities,
    split_bits,
    take_mask,
)


def test_two_houses_share_a_wall() -> None:
    labels = number_buildings([box(0, 0, 7, 2), box(7, 0, 14, 2)], (2, 14))
    assert labels[0].tolist() == [1] * 7 + [2] * 7
    building, border, contact = np.moveaxis(split_bits(draw_target(labels > 0, labels), 3), -1, 0)
    assert building.all()
    assert border[0].tolist() == [0] * 6 + [1, 1] + [0] * 6
    assert contact[1].tolist() == [0] * 3 + [1] * 8 + [0] * 3


def test_a_gap_is_a_contact_and_the_mask_stays() -> None:
    labels = number_buildings([box(0, 0, 5, 1), box(8, 0, 13, 1)], (1, 13))
    _, border, contact = np.moveaxis(split_bits(draw_target(labels > 0, labels), 3), -1, 0)
    assert contact[0].tolist() == [0] * 4 + [1] * 5 + [0] * 4  # 4 px from either house
    assert border[0].tolist() == [0] * 4 + [1, 1, 0, 1, 1] + [0] * 4
    assert draw_target(np.zeros((1, 13), bool), labels).tolist() == [[0] * 4 + [6, 6, 4, 6, 6] + [0] * 4]


def test_nothing_is_drawn_of_no_building() -> None:
    assert not draw_target(np.zeros((3, 4), bool), number_buildings([], (3, 4))).any()


@given(st.integers(0, 2**32 - 1))
def test_bits_are_the_bands(seed: int) -> None:
    target = np.random.default_rng(seed).integers(0, 8, (3, 5), np.uint8)
    assert (split_bits(target, 3) @ [1, 2, 4] == target).all()
    assert (split_bits(target & 1 > 0, 1)[..., 0] == target & 1).all()


@pytest.mark.parametrize("policy", ["d4", "d4_cutmix", "strong"])
def test_augmentation_moves_target_and_mask_alike(policy: str) -> None:
    """The building's bit of an augmented target is what the mask alone would have become."""
    rng = np.random.default_rng(1)
    blobs = [rng.random((8, 8)).repeat(8, 0).repeat(8, 1) < 0.3 for _ in range(3)]
    images = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in blobs]
    targets = [draw_target(mask, mask.astype(np.float32)) for mask in blobs]
    for epoch in range(12):
        _, target = augment_tile(list(zip(images, targets, strict=True)), 0, policy, 64, (0, epoch))
        _, mask = augment_tile(list(zip(images, blobs, strict=True)), 0, policy, 64, (0, epoch))
        assert target.dtype == np.uint8
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(target & 1, mask)


def draw_tile(folder: Path, name: str, mask: np.ndarray) -> Tile:
    image = write_raster(folder / f"{name}.tif", np.zeros((*mask.shape, 3), np.uint8), **GEOREFERENCE)
    return Tile(name, image, write_raster(folder / f"{name}_mask.tif", mask.astype(np.uint8) * 255), name)


def test_outlines_of_other_places_are_told(tmp_path: Path) -> None:
    mask = np.zeros((32, 40), bool)
    mask[4:20, 4:24] = True
    tiles = [draw_tile(tmp_path, name, mask) for name in "ab"]

    def read(**outlines: list[Polygon]) -> Agreement:
        known = dict[str, list[Polygon]](a=[], b=[]) | outlines
        reader = TargetReader(known, Agreement(tmp_path / "labels.gpkg"))
        for tile in tiles:
            image, target = reader(tile)
            assert image.shape == (32, 40, 3)
            assert ((target & 1) == mask).all()
        return reader.agreement

    right, shifted = [box(4, 4, 24, 20)], [box(6, 4, 26, 20)]
    assert read(a=right, b=right).check() == []
    assert "agree with the masks to IoU 0.818; look whether they are shifted" in read(a=shifted, b=shifted).check()[0]
    _, missing = read(a=right).check()
    assert missing.endswith("no outline in 1 tiles whose mask has buildings (b, ..)")
    with pytest.raises(InputError, match=r"to IoU 0\.\d+; they are to be of the same buildings"):
        read(a=[box(30, 20, 40, 30)]).check()


@given(levels=arrays(np.uint8, (3, 4), elements=st.integers(0, 126)), known=arrays(np.bool_, (3, 4)))
def test_probabilities_survive(levels: np.ndarray, known: np.ndarray) -> None:
    probabilities = levels / 126
    target = encode_probabilities(probabilities, known)
    np.testing.assert_array_equal(take_mask(target), probabilities >= 0.5)
    np.testing.assert_allclose(decode_probabilities(target), np.where(known, probabilities, -1), atol=1e-6)
