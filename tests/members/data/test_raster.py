"""Reading images and masks: every admitted kind, and one line for each that is not."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import write_raster

from members.common.errors import InputError
from members.data.raster import check_tiles, read_image, read_mask, read_pair
from members.data.tiles import Tile

RGB = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
GREY = RGB[..., 0]
ROOF = GREY > 99


# Images


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_rgb_grey_and_alpha(tmp_path: Path, suffix: str) -> None:
    alpha = np.dstack([RGB, GREY])
    np.testing.assert_array_equal(read_image(write_raster(tmp_path / f"rgb{suffix}", RGB)), RGB)
    np.testing.assert_array_equal(read_image(write_raster(tmp_path / f"grey{suffix}", GREY)), np.dstack([GREY] * 3))
    profile = {"photometric": "RGB", "alpha": "YES"} if suffix == ".tif" else {}
    image = read_image(write_raster(tmp_path / f"alpha{suffix}", alpha, **profile))
    np.testing.assert_array_equal(image, RGB)
    assert image.flags.c_contiguous


def test_jpeg(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 50).astype(np.uint8)[None, :, None] * np.ones((40, 1, 3), np.uint8)
    image = read_image(write_raster(tmp_path / "a.jpg", ramp, quality=95))
    assert np.abs(image.astype(int) - ramp).max() < 10


def write_palette(path: Path) -> Path:
    profile = {"height": 40, "width": 50, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="PNG" if path.suffix == ".png" else "GTiff", **profile) as raster:
        raster.write(GREY, 1)
        raster.write_colormap(1, {value: (value, 0, 255 - value) for value in range(256)})
    return path


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("deep.tif", RGB.astype(np.uint16), r"deep.tif: uint16 samples; images have 8 bits a band \(gdal_translate"),
        ("deep.png", RGB.astype(np.uint16), r"deep.png: uint16 samples; images have 8 bits a band"),
        ("float.tif", RGB.astype(np.float32), r"float.tif: float32 samples; images have 8 bits a band"),
        ("two.tif", RGB[..., :2], r"two.tif: 2 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha"),
        ("two.png", RGB[..., :2], r"two.png: 2 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha"),
        ("infrared.tif", np.dstack([RGB, GREY]), r"infrared.tif: 4 bands; images have 1"),
        ("five.tif", np.dstack([RGB, RGB[..., :2]]), r"five.tif: 5 bands; images have 1"),
        ("low.png", RGB[:31], r"low.png: 50x31 px; tiles have at least 32 px a side"),
        ("narrow.jpg", RGB[:, :20], r"narrow.jpg: 20x40 px; tiles have at least 32 px a side"),
    ],
)
def test_images_that_are_refused(tmp_path: Path, name: str, pixels: np.ndarray, message: str) -> None:
    path = write_raster(tmp_path / name, pixels, **({"photometric": "MINISBLACK"} if name == "infrared.tif" else {}))
    with pytest.raises(InputError, match=message):
        read_image(path)
    with pytest.raises(InputError, match=message):
        check_tiles([Tile("a", path, None, "a")])


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_palette_images_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match=f"a{suffix}: a palette image; images are grey or RGB"):
        read_image(write_palette(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("plain.tif", {}),
        ("deflate.tif", {"compress": "deflate"}),
        ("lzw.tif", {"compress": "lzw"}),
        ("tiled.tif", {"tiled": True, "blockxsize": 16, "blockysize": 16}),
        ("a.png", {}),
        ("a.jpg", {}),
        ("progressive.jpg", {"PROGRESSIVE": "ON"}),
    ],
)
def test_truncated_images_are_refused(tmp_path: Path, name: str, profile: dict[str, str]) -> None:
    path = write_raster(tmp_path / name, RGB, **profile)
    whole = path.read_bytes()
    for kept in (1, 8, 60, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 17):
        path.write_bytes(whole[:kept])
        with pytest.raises(InputError, match=f"{name}: (truncated or damaged|not a readable raster)"):
            read_image(path)


def test_a_truncated_png_mask_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "mask.png", ROOF.astype(np.uint8) * 255)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"mask.png: truncated or damaged"):
        read_mask(path)


def test_files_that_are_no_rasters(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty.png: zero bytes; restore the file or remove it"):
        read_image(tmp_path / "empty.png")
    (tmp_path / "text.tif").write_text("a page of prose, saved under a wrong name")
    with pytest.raises(InputError, match=r"text.tif: not a readable raster \(.*\); restore the file or remove it"):
        read_image(tmp_path / "text.tif")
    with pytest.raises(InputError, match=r"absent.tif: no such file"):
        read_image(tmp_path / "absent.tif")


def test_grey_and_alpha_are_said_once(tmp_path: Path) -> None:
    paths = [write_raster(tmp_path / f"grey{n}.tif", GREY) for n in range(3)]
    paths += [write_raster(tmp_path / f"alpha{n}.png", np.dstack([RGB, GREY])) for n in range(2)]
    paths += [write_raster(tmp_path / "rgb.tif", RGB)]
    assert check_tiles([Tile(path.stem, path, None, path.stem) for path in paths]) == [
        "3 of 6 images are grey; the band is repeated to RGB",
        "2 of 6 images have a fourth band that is alpha; it is dropped",
    ]


# Masks


@pytest.mark.parametrize("building", [1, 255])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("mask", [ROOF, ROOF & False, ROOF | True], ids=["some", "none", "all"])
def test_masks(tmp_path: Path, building: int, suffix: str, mask: np.ndarray) -> None:
    read = read_mask(write_raster(tmp_path / f"a{suffix}", mask * np.uint8(building)))
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == np.bool_


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (ROOF * np.uint8(254), r"a.tif: values 0, 254; a mask has values \{0, 1\} or \{0, 255\}; threshold it first"),
        (GREY, r"a.tif: values 0, 1, 2, 3, 4, 5, ...; a mask has values"),
        (np.where(ROOF, np.uint8(1), np.uint8(255)), r"a.tif: values 1, 255; a mask has values"),
        (ROOF * np.float32(0.5), r"a.tif: values 0.0, 0.5; a mask has values"),
        (np.where(ROOF, np.nan, 0), r"a.tif: values 0.0, nan; a mask has values"),
        (RGB, r"a.tif: 3 bands; a mask has one"),
    ],
)
def test_masks_that_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_mask(write_raster(tmp_path / "a.tif", pixels))


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "image.tif", RGB)
    mask = write_raster(tmp_path / "mask.tif", ROOF[:, 1:].astype(np.uint8))
    with pytest.raises(InputError, match=r"mask.tif: mask of 49x40 px for an image of 50x40 px; they must be equal"):
        read_pair(Tile("a", image, mask, "a"))
    with pytest.raises(InputError, match=r"image.tif: image without a mask"):
        read_pair(Tile("a", image, None, "a"))


def test_a_picture_that_lies_nowhere_is_read_without_a_warning(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.png", RGB)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        read_image(path)
        assert warnings.filters == before


def test_a_small_file_that_says_it_is_huge_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    profile = {"width": 100_000, "height": 100_000, "count": 3, "dtype": "uint8", "SPARSE_OK": True, "tiled": True}
    with rasterio.open(path, "w", driver="GTiff", BIGTIFF="YES", blockxsize=4096, blockysize=4096, **profile):
        pass
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"sparse.tif: 100000x100000 px, 3 band\(s\): more than 1,073,741,824 values"):
        read_image(path)
