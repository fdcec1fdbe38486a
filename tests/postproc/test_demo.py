"""The demo's own way to predict gives the maps of `roofstack predict`, and its line tells what is left."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Standin

from ensemble.inference import sharing
from ensemble.inference.tasks import Request, plan_member
from ensemble.inference.views import parse_views
from ensemble.mapfolder.raster import map_path, read_map
from members.data.run import Run
from members.data.tiles import list_tiles
from postproc import demo
from postproc.demo import SHARES, Outlook, plan_training, revise_member, write_maps


@pytest.fixture
def run(data_set: Path, tmp_path: Path) -> Run:
    """A run with one member that is trained."""
    run = Run(tmp_path / "run")
    plan_training(run, data_set)
    folder = run.fold("lite0_unet", 0)
    folder.path.mkdir(parents=True)
    folder.spec_file.write_text(revise_member("lite0_unet", 1).model_dump_json())
    folder.weights_file.write_bytes(b"weights")
    return run


def test_maps_with_and_without_tta_come_from_one_pass(
    run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of two predictions, and each view of a tile is looked at once."""
    tiles, views = list_tiles(data_set), parse_views("d4")
    parts = {"test": views, "test_without_tta": views[:1], "other": views, "other_without_tta": views[:1]}
    tasks = {
        part: plan_member(Request.of_tiles(run, run.read_record(), part, tiles, seen), "lite0_unet")
        for part, seen in parts.items()
    }
    network = Standin(tilt=0.8)
    write_maps([tasks["test"], tasks["test_without_tta"]], network.network, tiles, views)
    assert sum(len(batch) for batch in network.batches) == len(views) * len(tiles)
    monkeypatch.setattr(sharing, "load_network", lambda folder, engine: Standin(tilt=0.8).network)
    for part in ("other", "other_without_tta"):
        sharing.predict_member(tasks[part])
    for one, other in (("test", "other"), ("test_without_tta", "other_without_tta")):
        for tile in tiles:
            ours, theirs = (read_map(map_path(tasks[part].folder, tile.image_id), (64, 64)) for part in (one, other))
            np.testing.assert_array_equal(ours, theirs)
    write_maps([tasks["test"], tasks["test_without_tta"]], network.network, tiles, views)
    assert sum(len(batch) for batch in network.batches) == len(views) * len(tiles), "what is there is left as it is"


def test_the_line_says_what_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 60.0, 60.1, 120.1])
    # not of the module itself: other threads, such as a cluster's, look at the clock too, and would end
    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setitem(SHARES, "scenes", 0.25)
    monkeypatch.setitem(SHARES, "predict", 0.5)
    outlook = Outlook()
    outlook.finish("scenes")
    outlook.finish("predict", 0.5)  # was there from an earlier start, in no time
    outlook.finish("scenes")
    assert capsys.readouterr().err.splitlines() == [
        "demo: 25% done; about 3.0 minutes left",
        "demo: 50% done; about 2.0 minutes left",
        "demo: 75% done; about 1.0 minutes left",
    ]


def test_the_stages_are_all_of_the_work() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
