"""A format is a row: with one more, one more ending is written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from members.common.errors import InputError
from members.data.frames import Frame
from postproc.formats.exports import Source, plan_exports, write_exports
from postproc.formats.registry import FORMATS, BuildingFormat, find_format
from postproc.geo.outlining import OutlinedMosaic
from postproc.polygons.buildings import Building
from postproc.polygons.tracing import trace_mask

FRAMES = {"roof": Frame("roof", (4, 5), None, Affine.identity())}


def write_counts(path: Path, frames: Mapping[str, Frame], outlined: Sequence[OutlinedMosaic], note: str) -> None:
    path.write_text(f"{len(frames)} images, {sum(len(each.buildings) for each in outlined)} buildings")


def trace(mask: np.ndarray, blend: np.ndarray) -> list[Building]:
    return [Building(outline, "traced", 1.0) for outline in trace_mask(mask)]


def test_a_row_is_all_that_a_format_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counts.txt"
    with pytest.raises(InputError, match=r"ending .txt; give one of .gpkg, .geojson, .parquet"):
        find_format("vector", path)
    row = BuildingFormat("vector", ".txt", write_counts)
    monkeypatch.setattr("postproc.formats.registry.FORMATS", [*FORMATS, row])
    assert find_format("vector", path) == row
    mask = np.eye(4, 5, dtype=bool)
    source = Source(
        FRAMES, lambda image_id, window: (mask[window], mask[window].astype(np.uint8)), trace, from_outlines=False
    )
    assert write_exports(plan_exports({"vector": path}, FRAMES), source).buildings == 4
    assert path.read_text() == "1 images, 4 buildings"


def test_each_option_has_each_ending_once() -> None:
    rows = [(row.option, row.suffix) for row in FORMATS]
    assert len(set(rows)) == len(rows)
    assert all(suffix == suffix.lower() for _, suffix in rows)
