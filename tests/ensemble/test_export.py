"""The command that exports networks: what it writes, and what it refuses before any work."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome, hash_folder, write_fold, write_tiles

from ensemble import export as command
from ensemble.inference.engines import exporting
from ensemble.inference.engines.exporting import Export
from members.data.run import FoldFolder, Run
from members.data.split import Split
from members.data.tiles import list_tiles

pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")

RoofStack = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of one member with two folds."""
    data = write_tiles(tmp_path / "data")
    run = Run(tmp_path / "run")
    run.write_record(data, list_tiles(data), Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0}))
    for fold in (0, 1):
        write_fold(run, "lite0_unet", fold)
    monkeypatch.setattr(command, "choose_backend", lambda: None)
    return run


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str, int | None, float | None]]:
    """What the command asks to be exported."""
    asked: list[tuple[list[str], str, int | None, float | None]] = []

    def stand_in(folds: list[FoldFolder], name: str, side: int | None, resolution: float | None) -> Export:
        asked.append(([files.path.name for files in folds], name, side, resolution))
        return Export(b"network", {})

    monkeypatch.setattr(exporting, "export_networks", stand_in)
    return asked


def test_a_member_is_one_file(
    roofstack: RoofStack, run: Run, tmp_path: Path, exported: list[tuple[list[str], str, int | None, float | None]]
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    target = tmp_path / "net.onnx"
    options = ("export", "lite0_unet", "--run", run.path, "--output", target)
    outcome = roofstack(*options)
    assert (outcome.code, outcome.out) == (0, f"{target}: 2 networks of lite0_unet\n")
    assert outcome.err.startswith("warning: the resolution of the images is not known; give --resolution, or --data")
    assert target.read_bytes() == b"network"
    assert roofstack(*options, "--fold", 1, "--side", 0, "--resolution", 14).err == ""
    assert roofstack(*options, "--data", tmp_path / "data").err == ""
    assert exported[:2] == [
        (["fold0", "fold1"], "lite0_unet", 512, None),
        (["fold1"], "lite0_unet", None, 14),
    ]
    assert exported[2][3] == pytest.approx(36, abs=3)  # 25 x 50 cm in web-mercator, at 28 degrees of latitude
    assert run.commands_file.read_text().count("roofstack export lite0_unet") == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["lite1_unet"], "no trained member lite1_unet; there are lite0_unet"),
        (["lite0_unet", "--fold", 2], "--fold 2: lite0_unet has the folds 0 to 1"),
        (["lite0_unet", "--side", 500], "--side 500: lite0_unet takes multiples of 32 px; give 480, or 0"),
        (["lite0_unet", "--output", "net.h5"], "net.h5: ending .h5; give one of .onnx"),
        (["lite0_unet", "--int8"], "--int8: give --format openvino, which computes with 8 bits, and --data"),
    ],
)
def test_what_cannot_be_exported(roofstack: RoofStack, run: Run, options: list[object], message: str) -> None:
    before = hash_folder(run.path)
    outcome = roofstack("export", *options, "--run", run.path)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert message in outcome.err
    assert hash_folder(run.path) == before
