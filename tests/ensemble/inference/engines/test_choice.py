"""The fastest engine is taken whose maps are the same; a prediction that goes on keeps its own."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_stack, write_fold, write_raster, write_tiles

from ensemble.inference.engines import choice
from ensemble.inference.engines.choice import Trial, choose_engine, read_batch, take_fastest, try_engines
from ensemble.inference.engines.table import Engine
from ensemble.inference.networks import Network
from ensemble.inference.tasks import Request, Task, plan_member
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.manifest import read_manifest
from members.common.errors import InputError
from members.data.run import FoldFolder, Run
from members.data.split import Split
from members.data.tiles import Tile, list_tiles
from members.training.catalog import find_spec


def see(seconds: float, shift: float) -> Callable[[FoldFolder], Callable[[np.ndarray], np.ndarray]]:
    """Load what takes its time and sees `shift` steps of 1 / 255 more than there is."""

    def predict(batch: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        return np.minimum((batch[..., :1] + np.float32(shift)) / np.float32(255), 1)

    return lambda files: predict


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("keras", see(0.08, 0)),
        Engine("near", see(0.04, 0.6)),
        Engine("far", see(0, 2)),
        Engine("absent", see(0, 0), packages=("no_such_package",)),
        Engine("int8", see(0, 0), exact=False),
    )
}


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Six tiles by one member in all eight views."""
    data = write_tiles(tmp_path / "data")
    tiles = list_tiles(data)
    run = Run(tmp_path / "run")
    run.write_record(data, tiles, Split(fold_of_group={tile.group: 0 for tile in tiles}))
    write_fold(run, "lite0_unet", 0)
    monkeypatch.setattr(choice, "ENGINES", ENGINES)
    spec = find_spec("lite0_unet")
    monkeypatch.setattr(choice, "load_network", lambda path, name: Network(spec, ENGINES[name].load(FoldFolder(path))))
    monkeypatch.setattr(choice, "can_convert", lambda files: True)
    request = Request.of_tiles(run, run.read_record(), "valid", tiles, VIEW_SETS["d4"])
    return plan_member(request, "lite0_unet")


def test_the_fastest_of_those_whose_maps_are_the_same() -> None:
    trials = [Trial("keras", 3, 0), Trial("near", 2, 1), Trial("far", 1, 2)]
    assert take_fastest(trials) == "near"
    assert take_fastest(trials[:1]) == "keras"


def test_engines_are_timed_and_compared(task: Task) -> None:
    batch = np.full((2, 32, 32, 3), 100, np.float32)
    trials = try_engines(FoldFolder(task.full.folders[0]), batch, [ENGINES[name] for name in ("keras", "near", "far")])
    assert [trial.engine for trial in trials] == ["keras", "near", "far"]
    assert [trial.difference for trial in trials] == [0, 1, 2]
    assert trials[0].seconds >= 0.08


def test_a_long_prediction_takes_the_fastest(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(choice, "WORTH", 48)  # forward passes, as many as there are
    chosen = choose_engine(task, said.append)
    assert {job.engine for job, _ in chosen.jobs} == {chosen.full.engine} == {"near"}
    assert chosen.manifest.engines == ("near",)
    assert len(said) == 1
    assert said[0].startswith("lite0_unet: near computes it; seconds for a batch, and largest difference: keras 0.")
    monkeypatch.setattr(choice, "WORTH", 49)
    assert choose_engine(task, said.append).full.engine == "keras"
    monkeypatch.setattr(choice, "WORTH", 1)
    monkeypatch.setattr(choice, "can_convert", lambda files: False)
    assert choose_engine(task, said.append).full.engine == "keras"
    assert len(said) == 1
    monkeypatch.setattr(choice, "can_convert", lambda files: True)

    def refuse(path: Path, name: str) -> Network:
        raise InputError("no network that can be converted")

    monkeypatch.setattr(choice, "load_network", refuse)
    assert choose_engine(task, said.append).full.engine == "keras"
    assert said[1] == "lite0_unet: keras computes it; no network that can be converted"


def test_a_prediction_goes_on_with_the_engine_that_began_it(task: Task) -> None:
    task.with_engine("far").prepare()
    assert choose_engine(task, pytest.fail).full.engine == "far"
    task.with_engine("absent").prepare()  # on another machine
    assert read_manifest(task.folder).engines == ("far", "absent")
    assert choose_engine(task, pytest.fail).full.engine == "far"


def test_maps_of_two_engines_are_alike_and_those_of_8_bits_are_not(task: Task) -> None:
    task.prepare()
    other = task.with_engine("openvino")
    assert not other.owns_folder()  # its engine is to be noted first
    assert not other.describe_changes()
    other.prepare()
    assert task.owns_folder()
    assert other.owns_folder()
    small = dataclasses.replace(task, manifest=task.manifest.model_copy(update={"int8": True}))
    assert small.describe_changes() == [f"{task.folder}: its 6 maps are dropped, and made anew"]


def test_a_batch_is_of_one_size_and_no_larger_than_a_window(tmp_path: Path) -> None:
    images = {"a": draw_stack(600, 520), "b": draw_stack(40, 40), "c": draw_stack(530, 700)}
    paths = [write_raster(tmp_path / f"{name}.tif", image) for name, image in images.items()]
    batch = read_batch([Tile(path.stem, path, None, path.stem) for path in paths], 32)
    assert batch.shape == (2, 512, 512, 3)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch[1], images["c"][:512, :512])
    small = read_batch([Tile("b", paths[1], None, "b")], 32)
    assert small.shape == (1, 64, 64, 3)
