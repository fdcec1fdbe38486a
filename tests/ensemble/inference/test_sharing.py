"""Several predicts on one folder share the work; a crashed one's images are redone; Dask's workers do the same."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Outcome, write_fold, write_tiles

from ensemble import predict
from ensemble.inference import sharing
from ensemble.inference.networks import Network
from ensemble.inference.tasks import Request, plan_member
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path, read_map
from members.common.errors import InputError
from members.data.raster import read_image
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from members.training.catalog import find_spec

TILES = 24
# A predict of its own process, whose network notes every image that it sees and takes its time.
PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np
from ensemble import predict
from ensemble.inference import sharing
from ensemble.inference.networks import Network
from members.training.catalog import find_spec
log, run, data, dies = sys.argv[1:]

def see_slowly(batch):
    with open(log, "a") as file:
        file.writelines(f"{int(image.sum())}\\n" for image in batch)
    if dies == "dies":
        os._exit(9)
    time.sleep(0.2)
    return batch[..., :1] / np.float32(255)

predict.choose_backend = lambda: None
sharing.load_network = lambda folder, engine="keras": Network(find_spec("lite0_unet"), see_slowly)
predict.predict(Path(run), "valid", Path(data), tta="none")
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    data = write_tiles(tmp_path / "data", TILES, (32, 32))
    tiles = list_tiles(data)
    run = Run(tmp_path / "run")
    run.write_record(data, tiles, Split(fold_of_group={tile.group: 0 for tile in tiles}))
    write_fold(run, "lite0_unet", 0)
    return run


def start(run: Run, log: Path, dies: str = "lives") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(log), str(run.path), str(run.path.parent / "data"), dies]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_maps(run: Run) -> None:
    for tile in list_tiles(run.path.parent / "data"):
        values = read_map(map_path(run.map_folder("valid", "lite0_unet"), tile.image_id), (32, 32))
        np.testing.assert_array_equal(values, read_image(tile.image)[..., 0])
    left = {path.name for path in run.map_folder("valid", "lite0_unet").iterdir()}
    assert left == {f"tile{n}.tif" for n in range(TILES)} | {"manifest.json"}


def test_two_predicts_share_the_work_and_a_third_crashes(run: Run, tmp_path: Path) -> None:
    crashed = start(run, tmp_path / "crashed.log", "dies")
    assert crashed.wait() == 9
    both = [start(run, tmp_path / f"{n}.log") for n in range(2)]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    seen = [(tmp_path / f"{n}.log").read_text().split() for n in range(2) if (tmp_path / f"{n}.log").is_file()]
    together = [image for images in seen for image in images]
    assert len(together) == len(set(together)) == TILES  # each image once, those of the crashed one too
    assert set((tmp_path / "crashed.log").read_text().split()) <= set(together)
    check_maps(run)


def test_workers_of_a_cluster(
    roofstack: Callable[..., Outcome], run: Run, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(folder: Path, engine: str) -> Network:  # a local function goes to the workers by value
        return Network(find_spec("lite0_unet"), lambda batch: batch[..., :1] / np.float32(255))

    monkeypatch.setattr(sharing, "load_network", load)
    monkeypatch.setattr(predict, "choose_backend", lambda: None)
    command = ("predict", "--data", run.path.parent / "data", "--run", run.path, "--part", "valid", "--tta", "none")
    outcome = roofstack(*command, "--scheduler", scheduler)
    assert outcome.code == 0, outcome.err
    assert f"{TILES} new of {TILES}" in outcome.out
    check_maps(run)


class OtherDisk:
    """Workers whose maps are seen here late, or never."""

    count = 1

    def __init__(self, late: bool) -> None:
        self.late = late

    def map(self, work: Callable[[Any], Any], items: Iterable[Any], ordered: bool = True) -> Iterator[Any]:
        for item in items:
            image_ids = work(item)
            paths = [map_path(item[0].target, image_id) for image_id in image_ids]
            for path in paths:
                path.rename(path.with_suffix(".elsewhere"))
            yield image_ids
            for path in paths if self.late else ():
                path.with_suffix(".elsewhere").rename(path)


@pytest.mark.parametrize("late", [True, False])
def test_workers_that_see_another_disk(run: Run, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    def load(folder: Path, engine: str) -> Network:
        return Network(find_spec("lite0_unet"), lambda batch: batch[..., :1] / np.float32(255))

    monkeypatch.setattr(sharing, "load_network", load)
    monkeypatch.setattr(sharing, "PATIENCE", 0.3)
    request = Request.of_tiles(run, run.read_record(), "valid", list_tiles(run.path.parent / "data"), VIEW_SETS["none"])
    task = plan_member(request, "lite0_unet")
    if late:
        assert sharing.predict_member(task, OtherDisk(late)) == TILES
        check_maps(run)
    else:
        with pytest.raises(InputError, match=r"have written \d+ maps .* \(tile\d+, \.\.\); --scheduler"):
            sharing.predict_member(task, OtherDisk(late))


def test_a_worker_that_dies(
    roofstack: Callable[..., Outcome], run: Run, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker dies in the middle of a chunk, whose images it has locked; they are redone, and none is missing."""
    flag = run.path / "died"

    def load(folder: Path, engine: str) -> Network:
        def see(batch: np.ndarray) -> np.ndarray:
            if not flag.exists():
                flag.touch()
                os._exit(9)
            return batch[..., :1] / np.float32(255)

        return Network(find_spec("lite0_unet"), see)

    monkeypatch.setattr(sharing, "load_network", load)
    command = ("predict", "--data", run.path.parent / "data", "--run", run.path, "--part", "valid", "--tta", "none")
    outcome = roofstack(*command, "--scheduler", scheduler)
    assert outcome.code == 0, outcome.err
    assert flag.exists()
    check_maps(run)


def test_no_scheduler(roofstack: Callable[..., Outcome], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr("members.common.workers.PATIENCE", 0.5)
    command = ("predict", "--data", run.path.parent / "data", "--run", run.path, "--part", "valid")
    outcome = roofstack(*command, "--scheduler", "tcp://127.0.0.1:9")
    assert outcome.code == 2
    assert outcome.err.startswith("error: --scheduler tcp://127.0.0.1:9: no Dask scheduler answers there")
