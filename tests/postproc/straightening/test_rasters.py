"""Masks and maps of other programs are told apart, and read as uint8."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from ensemble.mapfolder.raster import write_map
from members.common.errors import InputError
from postproc.straightening.rasters import find_kind, open_pictures, read_window

ALL = slice(0, 2), slice(0, 3)


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (np.array([[0, 1, 1], [0, 0, 1]], np.uint8), "mask", [[0, 255, 255], [0, 0, 255]]),
        (np.array([[0, 255, 0], [0, 0, 255]], np.uint16), "mask", [[0, 255, 0], [0, 0, 255]]),
        (np.array([[0, 128, 255], [7, 0, 1]], np.uint8), "map", [[0, 128, 255], [7, 0, 1]]),
        (np.array([[0, 0.5, 1], [np.nan, 0.25, 1.00005]], np.float32), "map", [[0, 128, 255], [0, 64, 255]]),
        (np.zeros((2, 3), np.float32), "mask", [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_what_it_is_and_what_it_reads(tmp_path: Path, values: np.ndarray, kind: str, read: list[list[int]]) -> None:
    pictures = open_pictures(write_raster(tmp_path / "a.tif", values))
    assert pictures["a"].kind == kind
    picture = pictures["a"].read(ALL)
    assert picture.dtype == np.uint8
    assert picture.tolist() == read


def test_maps_of_a_contact_member_come_with_their_relief(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.png", np.zeros((2, 3, 3), np.uint8))
    bands = np.array([[[0, 200, 255], [7, 0, 1]], [[0] * 3] * 2, [[0, 51, 255], [255, 0, 0]]], np.uint8)
    write_map(tmp_path / "maps/a.tif", bands, source)
    pictures = open_pictures(tmp_path / "maps")
    mask, layers = read_window(pictures, 128, "a", ALL)
    assert mask.tolist() == [[False, True, True], [False] * 3]
    assert layers[..., 0].tolist() == bands[0].tolist()
    assert layers[..., 1].tolist() == [[0, 160, 0], [0, 0, 1]]
    write_map(tmp_path / "maps/b.tif", bands[0], source)
    with pytest.raises(InputError, match=r"b.tif: one band, others have the 3 of a contact member; outline them apart"):
        open_pictures(tmp_path / "maps")


def test_one_map_makes_a_folder_of_maps(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", np.array([[0, 1]], np.uint8))
    assert find_kind(open_pictures(tmp_path)) == "mask"
    write_raster(tmp_path / "b.png", np.array([[0, 99]], np.uint8))
    pictures = open_pictures(tmp_path)
    assert (list(pictures), find_kind(pictures)) == (["a", "b"], "map")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0, 3]], np.uint16), "uint16 from 0 to 3; a mask has values {0, 1} or {0, 255}, a map is uint8"),
        (np.array([[-4.0, 2.5]], np.float32), "float32 from -4 to 2.5;"),
        (np.zeros((2, 2, 3), np.uint8), "3 bands; a mask or map has one"),
    ],
)
def test_what_is_neither(tmp_path: Path, values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("{", r"\{")):
        open_pictures(write_raster(tmp_path / "a.tif", values))
