"""A raster is opened as what its ending says, and a mosaic holds nothing from elsewhere."""

import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from members.common.errors import InputError
from members.data.raster import read_image, read_size

SOURCE = '<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>'
RAW = (
    '<VRTDataset rasterXSize="40" rasterYSize="40">'
    '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">{source}'
    "<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>40</LineOffset>"
    "</VRTRasterBand></VRTDataset>"
)
MOSAIC = (
    '<VRTDataset rasterXSize="40" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}'
    "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)
WMS = '<GDAL_WMS><Service name="TMS"><ServerUrl>{address}/${{z}}/${{x}}/${{y}}</ServerUrl></Service></GDAL_WMS>'


def write_secret(folder: Path) -> Path:
    path = folder / "secret.txt"
    path.write_bytes(b"root:x:0:0" * 200)
    return path


@pytest.fixture
def server() -> tuple[str, list[object]]:
    """The address of a server, and who has called it."""
    listener, calls = socket.create_server(("127.0.0.1", 0)), list[object]()

    def answer() -> None:
        while True:
            connection, caller = listener.accept()
            calls.append(caller)
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", calls


def test_a_tiff_that_is_a_mosaic_shows_no_other_file(tmp_path: Path) -> None:
    secret = write_secret(tmp_path)
    for kind in (RAW, MOSAIC):
        path = tmp_path / "tile.tif"
        path.write_text(kind.format(source=SOURCE.format(relative=0, source=secret)))
        with pytest.raises(InputError, match=r"tile.tif: not a readable raster"):
            read_image(path)


@pytest.mark.parametrize("name", ["tile.tif", "tile.png", "inner.vrt"])
def test_no_raster_calls_the_network(tmp_path: Path, server: tuple[str, list[object]], name: str) -> None:
    address, calls = server
    (tmp_path / name).write_text(WMS.format(address=address))
    with pytest.raises(InputError, match=r"not a readable raster|a virtual raster is made of"):
        read_size(tmp_path / name)
    (tmp_path / "outer.vrt").write_text(MOSAIC.format(source=SOURCE.format(relative=1, source=name)))
    with pytest.raises(InputError, match=r"a virtual raster is made of|no raster, but markup"):
        read_image(tmp_path / "outer.vrt")
    source = SOURCE.format(relative=0, source=f"/vsicurl/{address}/a.tif")
    (tmp_path / "curl.vrt").write_text(MOSAIC.format(source=source))
    with pytest.raises(InputError, match=r"made of '/vsicurl/.*'; a virtual raster is made of"):
        read_image(tmp_path / "curl.vrt")
    assert calls == []


def test_a_virtual_raster_of_its_own_folder(tmp_path: Path) -> None:
    grey = np.arange(1600, dtype=np.uint16).reshape(40, 40).astype(np.uint8)
    write_raster(tmp_path / "town/parts/a.tif", grey)
    path = tmp_path / "town/scene.vrt"
    path.write_text(MOSAIC.format(source=SOURCE.format(relative=1, source="parts/a.tif")))
    np.testing.assert_array_equal(read_image(path), np.repeat(grey[..., None], 3, axis=2))
    for source in ("../town2/a.tif", "parts/absent.tif", "scene.vrt", str(write_secret(tmp_path))):
        path.write_text(MOSAIC.format(source=SOURCE.format(relative=1, source=source)))
        with pytest.raises(InputError, match=r"scene.vrt: made of .*; a virtual raster is made of .tif, .tiff, .png"):
            read_image(path)


def test_another_ending_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"secret.txt: ending .txt; a raster has one of .tif, .tiff, .png, .jpg"):
        read_image(write_secret(tmp_path))
