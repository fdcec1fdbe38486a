"""Which of GDAL's drivers may open a file: that of its ending.

Left to itself GDAL goes by the content: a file named .tif may be a mosaic that names any other file of the machine, or
an address on the network.
"""

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

from members.common.errors import InputError
from members.common.files import hash_file

DRIVERS = {
    ".tif": "GTiff", ".tiff": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jp2": "JP2OpenJPEG",
    ".vrt": "VRT",
}  # fmt: skip
SOURCES = ("SourceFilename", "SourceDataset")
"""The elements of a virtual raster that name a file."""


def find_driver(path: Path) -> str:
    """Return the name of the driver that may open a raster.

    Raises:
        InputError: rasters have no such ending, or a virtual raster names files that are not below its folder.
    """
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise InputError(f"{path}: ending {path.suffix or 'none'}; a raster has one of {', '.join(DRIVERS)}")
    if driver == "VRT":
        list_sources(path)
    return driver


def list_sources(path: Path) -> list[Path]:
    """List what a virtual raster is made of: plain rasters in its folder, or below it.

    Raises:
        InputError: it is no such file.
    """
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable raster ({error}); restore the file or remove it") from None
    folder = path.resolve().parent
    sources = [element.text or "" for element in root.iter() if element.tag in SOURCES]
    targets = [(folder / source).resolve() for source in sources]
    for source, target in zip(sources, targets, strict=True):
        plain = DRIVERS.get(target.suffix.lower(), "VRT") != "VRT"
        if not (plain and target.is_relative_to(folder) and target.is_file()):
            raise InputError(
                f"{path}: made of {source!r}; a virtual raster is made of {', '.join(list(DRIVERS)[:-1])} files in its "
                "own folder or below it"
            )
        with target.open("rb") as file:
            if file.read(1) == b"<":  # markup: a raster of another kind, whatever its name
                raise InputError(f"{target}: no raster, but markup; restore the file or remove it")
    return targets


def hash_image(path: Path) -> str:
    """Return the hash of an image's bytes, 32 hexadecimal digits; of a virtual raster, of all that it is made of, too.

    Raises:
        InputError: the file is no raster, or cannot be read.
    """
    try:
        hashes = [hash_file(path)]
        if find_driver(path) == "VRT":
            hashes += [hash_file(source) for source in list_sources(path)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); restore the file or remove it") from None
    return hashes[0] if len(hashes) == 1 else hashlib.blake2b("".join(hashes).encode(), digest_size=16).hexdigest()
