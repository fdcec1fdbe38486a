"""A run's folder and its record."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import write_fold, write_tiles

from members.common.errors import InputError
from members.data.run import Run, read_command
from members.data.split import Split
from members.data.tiles import list_tiles

SPLIT = Split(seed=7, folds=2, fold_of_group={"g0": 1, "g1": 0, "g2": 1})


@pytest.fixture
def run(tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(sys, "argv", ["/venv/bin/roofstack", "train", "a member", "--run", "x"])
    run = Run(tmp_path / "run")
    run.write_record(data_set, list_tiles(data_set), SPLIT)
    return run


def test_the_record_reads_as_written(run: Run, data_set: Path) -> None:
    record = run.read_record()
    assert record.split == SPLIT
    assert (record.data, record.tiles) == (str(data_set), 6)
    assert record.command == "roofstack train 'a member' --run x"
    assert record.versions["python"] == sys.version.split()[0]
    assert record.versions["machine"].endswith(" cores")
    assert {"keras", "numpy", "rasterio", "roofstack"} <= set(record.versions)
    assert run.check_tiles(list_tiles(data_set)[::-1]) == record


def test_paths(tmp_path: Path) -> None:
    run = Run(tmp_path)
    fold = run.fold("a", 2)
    paths = {
        "run.json": run.record_file,
        ".run.lock": run.lock_file,
        "commands.sh": run.commands_file,
        "members": run.members_folder,
        "members/a/fold2": fold.path,
        "members/a/fold2/spec.json": fold.spec_file,
        "members/a/fold2/best.weights.h5": fold.weights_file,
        "members/a/fold2/run.json": fold.record_file,
        "members/a/fold2/weights.json": fold.hashes_file,
        "members/a/.fold2.lock": fold.lock_file,
        "members/a/.fold2.former": fold.former.path,
        "members/a/fold2/history.csv": fold.history_file,
        "members/a/fold2/tensorboard": fold.curves_folder,
        "members/a/fold2/last": fold.state_folder,
        "members/a/fold2/last/state.npz": fold.state_file,
        "maps/valid": run.part_folder("valid"),
        "maps/valid/a": run.map_folder("valid", "a"),
        "uncertainty/town": run.uncertainty_folder("town"),
        "uncertainty/town/a": run.uncertainty_folder("town", "a"),
        "blend.json": run.blend_file,
        "study.journal": run.study_file,
        "tuned.json": run.tuned_file,
        "report": run.report_folder,
        "submission.csv": run.submission_file("test"),
        "submission-valid.csv": run.submission_file("valid"),
    }
    for relative, path in paths.items():
        assert path == tmp_path / relative


def test_a_folder_of_maps_leads_to_its_run(tmp_path: Path) -> None:
    run = Run.of_maps(tmp_path / "run/maps/valid/a")
    assert run is not None
    assert run.path == (tmp_path / "run").resolve()
    assert Run.of_maps(tmp_path / "elsewhere/valid/a") is None
    assert Run.of_maps(Path("/maps")) is None


def test_mapped_members_are_those_with_a_folder_of_maps(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.list_mapped_members("valid") == []
    for name in ("b", "a"):
        run.map_folder("valid", name).mkdir(parents=True)
    (run.part_folder("valid") / ".hidden").mkdir()
    (run.part_folder("valid") / "file").touch()
    assert run.list_mapped_members("valid") == ["a", "b"]


def test_other_data(run: Run, data_set: Path, tmp_path: Path) -> None:
    other = list_tiles(write_tiles(tmp_path / "other", 5))
    message = rf"a run of other data \({data_set}, 6 tiles: .*\); give that --data, or begin another --run"
    with pytest.raises(InputError, match=message):
        run.check_tiles(other)


@pytest.mark.parametrize("group", ["new", "g0"])
def test_a_tile_that_moved_to_another_group_is_other_data(run: Run, data_set: Path, group: str) -> None:
    table = data_set / "groups.csv"
    table.write_text(table.read_text().replace("tile3,g1", f"tile3,{group}"))
    with pytest.raises(InputError, match=r"a run of other data .*groups.*give that --data"):
        run.check_tiles(list_tiles(data_set))


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: no run here \(no run.json\); train members first: roofstack train"):
        Run(tmp_path / "absent").read_record()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: a file; --run names a folder"):
        Run(tmp_path / "file")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:50], r"run.json: not a readable JSON file"),
        (lambda text: "", r"run.json: not a readable JSON file"),
        (lambda text: "[]", r"run.json: content: Input should be .*; restore it"),
        (lambda text: text.replace('"folds": 2', '"folds": 0'), r"run.json: split.folds: .* equal to 1; restore it"),
        (lambda text: text.replace('"tiles": 6,', ""), r"run.json: tiles: Field required; restore it"),
        (lambda text: text.replace('"tiles"', '"tile"'), r"run.json: tiles: Field required; restore it"),
    ],
)
def test_a_damaged_record(run: Run, damage: Callable[[str], str], message: str) -> None:
    run.record_file.write_text(damage(run.record_file.read_text()))
    with pytest.raises(InputError, match=message):
        run.read_record()


def test_the_log_of_commands_grows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.log_command()
    monkeypatch.setattr(sys, "argv", ["/somewhere/ensemble/predict.py", "--part", "valid"])
    run.log_command()
    assert run.commands_file.read_text().splitlines() == [
        "roofstack train 'a member' --run x",
        "python -m ensemble.predict --part valid",
    ]
    assert read_command() == "python -m ensemble.predict --part valid"
    monkeypatch.setattr(sys, "argv", ["roofstack", "tune", "--storage=postgresql://me:secret@host/x?password=secret"])
    assert read_command() == "roofstack tune '--storage=postgresql://me:***@host/x?password=***'"


def test_what_is_no_command_of_ours_is_told_as_it_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mine/my_unet.py", "--run", "x"])
    assert read_command() == "python mine/my_unet.py --run x"
    monkeypatch.setattr(sys, "argv", ["/usr/lib/ipykernel_launcher.py", "-f", "/run/kernel-1.json"])
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert read_command() == "# from a notebook, by Python"


def test_a_lost_record_is_beside_the_weights_of_each_fold(run: Run) -> None:
    record = run.read_record()
    write_fold(run, "a", 0)
    run.record_file.unlink()
    with pytest.raises(InputError, match=r"run.json: missing, though members were trained; copy \S+ to \S+") as e:
        run.read_record()
    shutil.copy(str(e.value).split("copy ")[1].split(" to ")[0], run.record_file)
    assert run.read_record() == record


def test_a_fold_of_another_split_is_not_the_runs(run: Run, data_set: Path) -> None:
    folder = write_fold(run, "a", 0)
    record = run.read_record()
    run.check_fold("a", 0, record)
    run.check_fold("a", 1, record)  # it is yet to be trained
    others = {
        "split": record.model_copy(update={"split": SPLIT.model_copy(update={"seed": 8})}),
        "data": record.model_copy(update={"fingerprint": "0" * 32}),
    }
    for what, other in others.items():
        with pytest.raises(InputError, match=rf"fold0: trained on another {what} than .*run.json tells of"):
            run.check_fold("a", 0, other)
    folder.record_file.unlink()
    with pytest.raises(InputError, match=r"fold0/run.json: no such file; restore it, or train this member anew"):
        run.check_fold("a", 0, record)


def test_one_of_two_first_commands_begins_the_run(run: Run, data_set: Path) -> None:
    before = run.record_file.read_bytes()
    with pytest.raises(InputError, match=r"run: another process begins this run at this moment; run the same command"):
        run.write_record(data_set, list_tiles(data_set), Split(seed=1, fold_of_group={"g0": 0, "g1": -1, "g2": -1}))
    assert run.record_file.read_bytes() == before


def test_a_folder_set_aside_is_no_member(run: Run) -> None:
    for name in ("a", "a.old"):
        write_fold(run, name, 0)
        run.map_folder("valid", name).mkdir(parents=True)
    assert run.list_members() == run.list_mapped_members("valid") == ["a"]


def test_members_are_those_with_a_fold(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.list_members() == []
    for member, fold in (("b", 0), ("a", 1), ("a", 0)):
        run.fold(member, fold).path.mkdir(parents=True)
        run.fold(member, fold).spec_file.write_text(json.dumps({}))
    run.fold("begun", 0).path.mkdir(parents=True)
    assert run.list_members() == ["a", "b"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"g0": 1, "g1": 0}, r"run.json: no fold of group g2, so damaged; copy .*fold0/run.json to"),
        (
            {"g0": 1, "g1": 0, "g2": 5},
            r"run.json: split: Value error, group g2 is in fold 5, and the folds are 0 to 1;",
        ),
    ],
)
def test_a_split_that_is_not_of_the_groups(run: Run, data_set: Path, folds: dict[str, int], message: str) -> None:
    write_fold(run, "a", 0)
    content = json.loads(run.record_file.read_text())
    content["split"]["fold_of_group"] = folds
    run.record_file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        run.check_tiles(list_tiles(data_set))
    shutil.copy(run.fold("a", 0).record_file, run.record_file)  # the cure
    run.check_tiles(list_tiles(data_set))


def test_the_data_are_where_they_were_or_where_one_says(tmp_path: Path) -> None:
    data = write_tiles(tmp_path / "data")
    run = Run(tmp_path / "run")
    tiles = list_tiles(data)
    run.write_record(data, tiles, SPLIT)
    assert run.find_data() == data
    assert run.find_data(Path("elsewhere")) == Path("elsewhere")
    data.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="data: the run's data are no longer there; say where they are: --data DIR"):
        run.find_data()
