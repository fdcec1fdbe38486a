"""What the options of `roofstack train` come down to: which tiles train which fold, how, and until when."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import geopandas
import pytest
from conftest import Outcome, hash_folder, write_tiles

from members.common.errors import InputError
from members.common.locking import hold
from members.data.raster import Pair, read_mask
from members.data.run import FoldFolder
from members.training.networks.weights import write_content
from members.training.spec import MemberSpec
from members.training.train import parse_duration
from postproc.polygons.tracing import trace_mask

RoofStack = Callable[..., Outcome]
TILES = {f"tile{number}" for number in range(6)}  # tile0 and tile1 are of g0, tile2 and tile3 of g1, ..


class Fitted(NamedTuple):
    """What `train_fold` was called with."""

    spec: MemberSpec
    training: set[str]
    validation: int
    folder: FoldFolder
    deadline: float


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """The calls of `train_fold`, which trains nothing here and says that it did two epochs."""
    import members.training.fit
    import members.training.networks.network

    calls: list[Fitted] = []

    def train_fold(
        spec: MemberSpec,
        training: Mapping[str, Pair],
        validation: Mapping[str, Pair],
        folder: FoldFolder,
        deadline: float,
        report: object,
        callbacks: object,
    ) -> list[dict[str, float]]:
        calls.append(Fitted(spec, set(training), len(validation), folder, deadline))
        row = {"epoch": 1.0, "loss": 0.5, "iou": 0.5, "val_loss": 0.5, "val_iou": 0.25, "seconds": 60.0}
        return [row, row | {"epoch": 2.0, "val_loss": 0.25, "val_iou": 0.75}]

    monkeypatch.setattr(members.training.fit, "train_fold", train_fold)
    network = SimpleNamespace(count_params=lambda: 7)
    monkeypatch.setattr(members.training.networks.network, "build_network", lambda spec, weights: network)
    return calls


def train(roofstack: RoofStack, data: Path, *arguments: object) -> Outcome:
    return roofstack("train", "lite0_unet", "--data", data, "--run", data.parent / "run", *arguments)


def test_folds_validate_every_group_once(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    assert train(roofstack, data_set, "--folds", 3).code == 0
    assert [call.folder.path.name for call in fitted] == ["fold0", "fold1", "fold2"]
    held_out = [TILES - call.training for call in fitted]
    assert set.union(*held_out) == TILES
    assert all(tiles in ({"tile0", "tile1"}, {"tile2", "tile3"}, {"tile4", "tile5"}) for tiles in held_out)
    assert {call.validation for call in fitted} == {2}


def test_one_fold_is_that_of_all_folds(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    assert train(roofstack, data_set, "--folds", 3).code == 0
    assert train(roofstack, data_set, "--fold", 2).code == 0
    assert fitted[3].folder.path.name == "fold2"
    assert fitted[3].training == fitted[2].training
    refused = train(roofstack, data_set, "--fold", 3)
    assert refused.code == 2
    assert "--fold 3: the folds of this run are 0 to 2; name one of them" in refused.err
    assert len(fitted) == 4


def test_a_region_is_left_out_whole(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    region = {"g0": "town", "g1": "coast", "g2": "town"}
    rows = [f"tile{number},g{number // 2},{region[f'g{number // 2}']}\n" for number in range(6)]
    (data_set / "groups.csv").write_text("image_id,group,region\n" + "".join(rows))
    assert train(roofstack, data_set, "--leave-out", "region=town").code == 0
    assert [call.training for call in fitted] == [{"tile2", "tile3"}]
    assert fitted[0].validation == 4


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--leave-out", "group"], "--leave-out group: is COLUMN=VALUE"),
        (["--leave-out", "group=g0", "--folds", "2"], "goes without --folds"),
        (["--leave-out", "group=g9"], "g9"),
        (["--leave-out", "region=town"], "no column region"),
    ],
)
def test_what_cannot_be_left_out(
    roofstack: RoofStack, data_set: Path, fitted: list[Fitted], arguments: list[str], rule: str
) -> None:
    refused = train(roofstack, data_set, *arguments)
    assert refused.code == 2
    assert rule in refused.err.replace("\n", " ")
    assert not fitted
    assert not (data_set.parent / "run").exists()


def test_early_stopping_may_look_at_a_share_of_the_training_groups(
    roofstack: RoofStack, data_set: Path, fitted: list[Fitted]
) -> None:
    assert train(roofstack, data_set, "--folds", 3, "--inner-valid").code == 0
    assert {len(call.training) for call in fitted} == {2}  # of three groups one is held out, one is looked at
    assert {call.validation for call in fitted} == {2}


def test_settings_reach_the_member(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    given = ("--precision", "mixed_bfloat16", "--epochs", 3, "--crop", 64, "--batch-size", 2, "--seed", 7)
    assert train(roofstack, data_set, *given).code == 0
    spec = fitted[0].spec
    assert (spec.precision, spec.epochs, spec.crop, spec.batch_size, spec.seed) == ("mixed_bfloat16", 3, 64, 2, 7)
    assert fitted[0].deadline == math.inf


def test_a_time_budget_counts_from_the_start(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    began = time.monotonic()
    assert train(roofstack, data_set, "--time-budget", "1.5h").code == 0
    assert began + 5400 <= fitted[0].deadline <= time.monotonic() + 5400
    refused = train(roofstack, data_set, "--time-budget", "soon")
    assert refused.code == 2
    assert "--time-budget soon: not a duration; a number and h, m or s, such as 8.5h" in refused.err


def test_durations() -> None:
    assert [parse_duration(text) for text in ("600s", "90m", "8.5h")] == [600, 5400, 30600]


def test_the_table_shows_the_best_epoch(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    row = next(line for line in train(roofstack, data_set).out.splitlines() if line.startswith("│"))
    assert [cell.strip() for cell in row.strip("│").split("│")][-4:] == ["2", "2", "0.7500", "2.0"]


def test_a_restart_keeps_what_was_trained_until_the_new_training_has_finished(
    roofstack: RoofStack, data_set: Path, fitted: list[Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    import members.training.fit

    assert train(roofstack, data_set).code == 0
    folder = fitted[0].folder
    write_content(b"good weights", folder)

    def fail(*arguments: object) -> None:
        assert not folder.weights_file.exists()
        raise InputError("the loss is not finite")

    finish = members.training.fit.train_fold
    monkeypatch.setattr(members.training.fit, "train_fold", fail)
    assert train(roofstack, data_set, "--restart").code == 2
    assert train(roofstack, data_set, "--restart").code == 2
    assert folder.former.weights_file.read_bytes() == b"good weights"

    def train_anew(*arguments: Any) -> Any:
        write_content(b"better weights", folder)
        return finish(*arguments)

    monkeypatch.setattr(members.training.fit, "train_fold", train_anew)
    assert train(roofstack, data_set).code == 0
    assert folder.weights_file.read_bytes() == b"better weights"
    assert not folder.former.path.exists()


def test_a_fold_is_trained_by_one_process_at_a_time(roofstack: RoofStack, data_set: Path, fitted: list[Fitted]) -> None:
    assert train(roofstack, data_set).code == 0
    with hold(fitted[0].folder.lock_file, ""):
        refused = train(roofstack, data_set, "--restart")
    assert (refused.code, len(fitted)) == (2, 1)
    assert "fold0: another process trains it; wait until it has finished, or train other folds: --fold" in refused.err


def write_labels(path: Path, data: Path, tiles: int) -> Path:
    """Write the outlines of some tiles' masks, in pixels."""
    masks = {f"tile{number}": read_mask(data / f"masks/tile{number}.png") for number in range(tiles)}
    outlines = [(image_id, outline) for image_id, mask in masks.items() for outline in trace_mask(mask)]
    ids, polygons = zip(*outlines, strict=True)
    geopandas.GeoDataFrame({"image_id": ids}, geometry=list(polygons)).to_file(path)
    return path


def test_contact_members_need_outlines(roofstack: RoofStack, tmp_path: Path, fitted: list[Fitted]) -> None:
    data = write_tiles(tmp_path / "data", suffix=".png")

    def learn(*arguments: object, member: str = "lite0_contact") -> Outcome:
        return roofstack("train", member, "--data", data, "--run", tmp_path / "run", *arguments)

    before = hash_folder(tmp_path)
    refused = learn()
    assert (refused.code, hash_folder(tmp_path)) == (2, before)
    assert "lite0_contact: learns where buildings touch, which masks do not tell; give their outlines" in refused.err
    labels = write_labels(tmp_path / "some.geojson", data, 2)
    refused = learn("--labels", labels, member="lite0_unet")
    assert refused.code == 2
    assert "no contact member learns from it; name one, such as lite0_contact" in refused.err
    refused = learn("--labels", labels)
    assert refused.code == 2
    assert "agree with the masks to IoU 0.3" in refused.err  # a third of the tiles have some
    assert not (tmp_path / "run").exists()
    write_labels(data / "buildings.geojson", data, 6)
    assert learn().code == 0  # found by itself
    assert (tmp_path / "run/members/lite0_contact/fold0/labels.json").is_file()
    refused = learn("--labels", write_labels(tmp_path / "most.geojson", data, 5))
    assert refused.code == 2
    assert "begun on other outlines than" in refused.err
    assert len(fitted) == 1
