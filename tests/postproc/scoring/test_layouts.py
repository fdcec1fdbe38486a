"""Where masks, images and groups are found in the layouts of data sets."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from members.common.errors import InputError
from postproc.scoring.layouts import find_images, find_table, find_truth

PIXELS = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    "folder", ["", "img", "masks/img", "masks", "training/masks/img", "test/masks/img", "test/masks"]
)
def test_masks_are_found_in_every_layout(tmp_path: Path, folder: str) -> None:
    write_raster(tmp_path / folder / "a.png", PIXELS)
    assert find_truth(tmp_path) == {"a": tmp_path / folder / "a.png"}


def test_test_masks_come_before_training_masks(tmp_path: Path) -> None:
    write_raster(tmp_path / "training/masks/img/a.png", PIXELS)
    write_raster(tmp_path / "test/masks/img/b.png", PIXELS)
    assert list(find_truth(tmp_path)) == ["b"]


@pytest.mark.parametrize("folder", ["", "images", "training/images/img", "test/images"])
def test_images_are_found_in_every_layout(tmp_path: Path, folder: str) -> None:
    path = write_raster(tmp_path / folder / "a.png", PIXELS)
    assert find_images(tmp_path) == find_images(path) == {"a": path}


def test_ids_say_which_part_is_meant(tmp_path: Path) -> None:
    test = write_raster(tmp_path / "test/images/img/a.png", PIXELS)
    training = write_raster(tmp_path / "training/images/img/b.png", PIXELS)
    assert find_images(tmp_path, ["b"]) == {"b": training}
    assert find_images(tmp_path, ["a"]) == {"a": test}
    with pytest.raises(InputError, match=r"images in .*test/images/img and .*training/images/img; give one of these"):
        find_images(tmp_path)


def test_the_table_is_found_from_below(tmp_path: Path) -> None:
    masks = write_raster(tmp_path / "set/training/masks/img/a.png", PIXELS).parent
    assert find_table(None, masks) is None
    (tmp_path / "set/tiles.csv").write_text("image_id,group\na,g\n")
    assert find_table(None, masks) == find_table(tmp_path / "set", None) == tmp_path / "set"
    assert find_table(tmp_path, None) is None
