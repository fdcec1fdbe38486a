"""Other programs' maps become ours, value by value, or are refused."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from ensemble.mapfolder.coding import Coding
from ensemble.mapfolder.foreign import list_maps, read_foreign
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


@pytest.mark.parametrize(
    ("coding", "values"),
    [
        (Coding("sigmoid"), np.array([[-800.0, 0, 800], [-2, 2, 1]], np.float32)),
        (Coding("sigmoid", 10), np.array([[-8000, 0, 8000], [-20, 20, 10]], np.int16)),
        (Coding(scale=65535), np.array([[0, 32768, 65535], [7812, 57723, 47910]], np.uint16)),
        (Coding(scale=100), np.array([[0, 50, 100], [11.92, 88.08, 73.106]])),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_logits_and_other_scales(tmp_path: Path, coding: Coding, values: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    else:
        write_raster(path, values)
    assert read_foreign(path, (2, 3), coding).tolist() == [[0, 128, 255], [30, 225, 186]]


@pytest.mark.parametrize(
    ("coding", "value", "message"),
    [
        (Coding("sigmoid"), np.nan, "1 values such as nan; logits are finite floats"),
        (Coding("sigmoid"), np.uint8(3), "uint8 values; logits are finite floats"),
        (Coding(scale=100), 101.0, "1 values such as 101.0; values from 0 to 100 are probabilities from 0 to 1"),
        (Coding(scale=100), True, "bool values; values from 0 to 100"),
        (Coding(), np.uint16(3), "uint16 values; a map has floats from 0 to 1, or uint8; of logits the activation is"),
        (Coding(), 7.0, "1 values such as 7.0; floats are probabilities from 0 to 1; of logits the activation is sig"),
    ],
)
def test_what_stands_for_no_probability(tmp_path: Path, coding: Coding, value: object, message: str) -> None:
    np.save(tmp_path / "a.npy", np.array([[value]]))
    with pytest.raises(InputError, match=f"a.npy: {message}"):
        read_foreign(tmp_path / "a.npy", (1, 1), coding)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan])
def test_a_scale_is_above_0(scale: float) -> None:
    with pytest.raises(InputError, match="what stands for 1 is a number above 0"):
        Coding(scale=scale)


def test_names_with_a_suffix(tmp_path: Path) -> None:
    for name in ("a_prob.npy", "b_prob.tif", "a_mask.tif"):
        (tmp_path / name).touch()
    assert list_maps(tmp_path, "_prob") == {"a": tmp_path / "a_prob.npy", "b": tmp_path / "b_prob.tif"}
    with pytest.raises(InputError, match=r"no map whose name ends with _p, such as a_mask_p\.tif"):
        list_maps(tmp_path, "_p")


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
