"""Copies among tiles: ours beside imagehash, on the real tiles of hot_buildings with a copy of each planted among them.

    python benchmarks/bench_audit.py

needs the real data in ../shared/data or $ROOFSTACK_DATA, and `pip install imagehash`. Each copy is turned or mirrored,
cropped by up to 4 px at each side, and saved as JPEG of quality 30 to 95. imagehash computes its `phash` of each of the
eight symmetries, as it has no other way to find turned copies, and takes pairs whose hashes are as near as ours have to
be; it has no second look at the pixels. Seconds are of processor time on one core, the best of several passes; ours
include the borders that are kept beside the hashes. The last line is one JSON object: tiles a second, pairs found and
false ones.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from members.audit.duplicates import DISTANCE, find_duplicates
from members.audit.prints import SYMMETRIES, take_print, turn
from members.common.console import run_command, stdout
from members.common.errors import InputError
from members.data.raster import read_image
from members.data.tiles import list_tiles

PASSES = 3
CROP = 4
Pairs = set[tuple[int, int]]


def plant(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, crop and recompress an image."""
    image = turn(image, int(rng.integers(SYMMETRIES)))
    top, left, bottom, right = rng.integers(0, CROP + 1, 4)
    image = np.ascontiguousarray(image[top : len(image) - bottom, left : image.shape[1] - right])
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))


def time_each(function: Callable[[np.ndarray], object], images: Sequence[np.ndarray]) -> float:
    """Return the images a second of processor time, in the best of several passes."""
    seconds = []
    for _ in range(PASSES):
        began = time.process_time()
        for image in images:
            function(image)
        seconds.append(time.process_time() - began)
    return len(images) / min(seconds)


def find_with_imagehash(images: Sequence[np.ndarray]) -> Pairs:
    """Return the pairs whose phashes are near under some symmetry."""
    hashes = np.stack([hash_with_imagehash(image) for image in images])
    near = np.zeros((len(images),) * 2, bool)
    for turned in hashes.transpose(1, 0, 2):
        near |= (hashes[:, 0, None] != turned[None]).sum(2) <= DISTANCE
    one, other = np.nonzero(np.triu(near | near.T, 1))
    return set(zip(one.tolist(), other.tolist(), strict=True))


def hash_with_imagehash(image: np.ndarray) -> np.ndarray:
    """Return the phash of each symmetry of an image, bool (8, 64)."""
    import imagehash  # type: ignore[import-untyped]
    from PIL import Image

    turned = [Image.fromarray(turn(image, symmetry)) for symmetry in range(SYMMETRIES)]
    return np.stack([imagehash.phash(picture).hash.ravel() for picture in turned])


def bench() -> None:
    """Find planted copies among real tiles, with ours and with imagehash."""
    try:
        import imagehash
    except ImportError:
        raise InputError("imagehash is compared with and not installed; pip install imagehash") from None

    cv2.setNumThreads(1)
    root = Path(os.environ.get("ROOFSTACK_DATA", Path(__file__).parents[2] / "shared/data")) / "hot_buildings"
    files = [tile.image for tile in (*list_tiles(root), *list_tiles(root, "test"))]
    began = time.process_time()
    tiles = [read_image(path) for path in files]
    reading = time.process_time() - began
    rng = np.random.default_rng(0)
    images = [*tiles, *(plant(image, rng) for image in tiles)]
    planted = {(number, number + len(tiles)) for number in range(len(tiles))}

    began = time.process_time()
    prints = [take_print(image) for image in images]
    found = {(pair.one, pair.other) for pair in find_duplicates(prints, lambda number: images[number])}
    seconds = time.process_time() - began
    theirs = find_with_imagehash(images)
    speed, their_speed = time_each(take_print, tiles), time_each(hash_with_imagehash, tiles[::8])
    for name, pairs in (("ours", found), (f"imagehash {imagehash.__version__}", theirs)):
        stdout.print(f"{name}: {len(pairs & planted)} of {len(planted)} copies, {len(pairs - planted)} false pairs")
    figures = {
        "tiles": len(tiles),
        "tiles_per_second": round(speed),
        "tiles_per_second_with_reading": round(1 / (1 / speed + reading / len(tiles))),
        "imagehash_tiles_per_second": round(their_speed),
        "ratio": round(speed / their_speed, 1),
        "recall": round(len(found & planted) / len(planted), 4),
        "false_pairs": len(found - planted),
        "imagehash_recall": round(len(theirs & planted) / len(planted), 4),
        "imagehash_false_pairs": len(theirs - planted),
        "seconds_for_all": round(seconds, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    run_command(bench)
