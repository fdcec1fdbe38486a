"""Run-length encoding: ours, the common NumPy recipe, and pycocotools, on the real masks of hot_buildings.

    python benchmarks/bench_rle.py

needs the real data in ../shared/data or $ROOFSTACK_DATA, and `pip install pycocotools`. All three are
checked to give equal masks, ours and the recipe equal text too. Each figure is the best of several
passes over all masks, one mask at a time. The first calls are timed apart: they compile, or load what an
earlier run compiled. pycocotools' time includes the column-major copy that it asks for. The CSV has
10,000 tiles, the real masks over and over, and its time includes decoding and comparing it.
The last line is one JSON object.
"""

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from members.common.console import run_command, stdout
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.tiles import list_files
from postproc.formats.rle import decode_rle, encode_rle
from postproc.formats.submission import read_submission, write_submission

PASSES = 7
CSV_TILES = 10_000


def encode_with_numpy(mask: np.ndarray) -> str:
    """Encode by the recipe of countless Kaggle notebooks."""
    pixels = mask.T.flatten()
    pixels = np.concatenate([[0], pixels, [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(x) for x in runs)


def decode_with_numpy(text: str, height: int, width: int) -> np.ndarray:
    """Decode by its counterpart."""
    s = text.split()
    starts, lengths = (np.asarray(x, dtype=int) for x in (s[0::2], s[1::2]))
    starts -= 1
    pixels = np.zeros(height * width, dtype=np.uint8)
    for lo, hi in zip(starts, starts + lengths, strict=True):
        pixels[lo:hi] = 1
    return pixels.reshape(width, height).T


def time_each(function: Callable[..., Any], arguments: Iterable[tuple]) -> float:
    """Return the microseconds a call, in the best of PASSES passes."""
    arguments = list(arguments)
    seconds = []
    for _ in range(PASSES):
        begin = time.perf_counter()
        for argument in arguments:
            function(*argument)
        seconds.append(time.perf_counter() - begin)
    return min(seconds) / len(arguments) * 1e6


def time_once(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the seconds of one call."""
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


def read_masks() -> list[np.ndarray]:
    """Read the 336 training masks of hot_buildings."""
    root = Path(os.environ.get("ROOFSTACK_DATA", Path(__file__).parents[2] / "shared/data"))
    files = list_files(root / "hot_buildings/training/masks/img")
    return [read_mask(path) for path in files.values()]


def measure_csv(masks: list[np.ndarray]) -> dict[str, float]:
    """Return the seconds to write (with its check) and to read a submission of CSV_TILES tiles, and its size."""
    ids = [f"tile_{i:05d}" for i in range(CSV_TILES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission.csv"
        write = time_once(write_submission, path, dict(zip(ids, itertools.cycle(masks), strict=False)))
        read = time_once(lambda: all(mask is not None for _, mask in read_submission(path)))
        return {"csv_seconds": write, "csv_read_seconds": read, "csv_megabytes": path.stat().st_size / 1e6}


def bench() -> None:
    """Measure run-length encoding beside the NumPy recipe and pycocotools."""
    try:
        from pycocotools import mask as coco
    except ImportError:
        raise InputError("pycocotools is compared with and not installed; pip install pycocotools") from None

    masks = read_masks()
    first = masks[0]
    first_call_seconds = time_once(lambda: decode_rle(encode_rle(first), *first.shape))

    texts = [encode_rle(mask) for mask in masks]
    coded = [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    for mask, text, code in zip(masks, texts, coded, strict=True):
        decoded = (decode_rle(text, *mask.shape), decode_with_numpy(text, *mask.shape), coco.decode(code))
        if text != encode_with_numpy(mask) or not all(np.array_equal(other, mask) for other in decoded):
            sys.exit("the three do not agree")

    arrays = [(mask,) for mask in masks]
    written = [(text, *mask.shape) for text, mask in zip(texts, masks, strict=True)]
    encode = {
        "ours": time_each(encode_rle, arrays),
        "numpy": time_each(encode_with_numpy, arrays),
        "pycocotools": time_each(lambda mask: coco.encode(np.asfortranarray(mask, np.uint8)), arrays),
    }
    decode = {
        "ours": time_each(decode_rle, written),
        "numpy": time_each(decode_with_numpy, written),
        "pycocotools": time_each(coco.decode, [(code,) for code in coded]),
    }
    stdout.print(f"{len(masks)} masks, {sum(map(len, texts)) / len(masks):.0f} characters each on average")
    for name in encode:
        stdout.print(f"{name:12s} encode {encode[name]:7.1f} us   decode {decode[name]:7.1f} us")
    figures = {
        "encode_speedup": encode["numpy"] / encode["ours"],
        "decode_speedup": decode["numpy"] / decode["ours"],
        **measure_csv(masks),
        "masks": len(masks),
        "first_call_seconds": first_call_seconds,
        "encode_microseconds": {name: round(value, 1) for name, value in encode.items()},
        "decode_microseconds": {name: round(value, 1) for name, value in decode.items()},
    }
    rounded = {key: round(value, 2) if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps(rounded))


if __name__ == "__main__":
    run_command(bench)
