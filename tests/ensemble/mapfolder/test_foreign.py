"""Other programs' maps become ours, value by value, or are refused."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from ensemble.mapfolder.foreign import read_foreign
from members.common.errors import InputError

HALVES = np.array([[0, 0.5, 1], [0.2, 0.25, 0.75]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (2, 3, 1)])
def test_floats_are_probabilities(tmp_path: Path, dtype: type, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", HALVES.astype(dtype).reshape(shape))
    values = read_foreign(tmp_path / "a.npy", (2, 3))
    assert values.dtype == np.uint8
    assert values.tolist() == [[0, 128, 255], [51, 64, 191]]


@pytest.mark.parametrize("suffix", [".npy", ".png", ".tif"])
def test_eight_bits_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    expected = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, expected)
    else:
        write_raster(path, expected)
    np.testing.assert_array_equal(read_foreign(path, (2, 3)), expected)


def test_a_side_of_one_pixel_is_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.0], [1.0]]))
    assert read_foreign(tmp_path / "a.npy", (2, 1)).tolist() == [[0], [255]]


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a.npy: not a readable array \(.*Python objects"):
        read_foreign(tmp_path / "a.npy", (64, 48))


def test_a_header_of_any_size_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for side in (2**20, 2**35):
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (side, side)})
        with pytest.raises(InputError, match=r"a.npy: not a readable array \(.*\); export it again"):
            read_foreign(path, (64, 48))


def test_rasters_that_are_damaged(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.zeros((64, 48), np.uint8))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(
        InputError, match=r"a.tif: (truncated or damaged|not a readable raster) \(.*\); restore the file"
    ):
        read_foreign(path, (64, 48))
