"""Checking folders of maps, and importing those of other programs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import GEOREFERENCE, Outcome, hash_folder, write_raster, write_tiles

from ensemble.mapfolder import foreign as module
from ensemble.mapfolder.manifest import read_manifest, read_manifests
from ensemble.mapfolder.raster import map_path, read_map, write_map
from ensemble.selection.blend import Blend, read_blend
from members.common.errors import InputError
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.formats.submission import read_submission

RoofStack = Callable[..., Outcome]
VALUES = np.random.default_rng(0).random((64, 48), np.float32)
VALUES[0, :3] = 0, 1, 0.5


@pytest.fixture
def run(tmp_path: Path) -> Run:
    data = write_tiles(tmp_path / "data", 6, (64, 48))
    run = Run(tmp_path / "run")
    run.write_record(data, list_tiles(data), Split(fold_of_group={"g0": 0, "g1": 0, "g2": -1}))
    return run


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Maps of the four validation tiles, each in another form."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    np.save(folder / "tile0.npy", VALUES)
    np.save(folder / "tile1.npy", np.rint(VALUES * 255).astype(np.uint8)[None])
    write_raster(folder / "tile2.png", np.rint(VALUES * 255).astype(np.uint8))
    write_raster(folder / "tile3.tif", VALUES)
    return folder


def take_in(roofstack: RoofStack, run: Run, foreign: Path, member: str = "theirs", part: str = "valid") -> Outcome:
    return roofstack("maps", "import", "--run", run.path, "--part", part, "--member", member, "--from", foreign)


def test_maps_of_every_kind_are_taken_in(roofstack: RoofStack, run: Run, foreign: Path) -> None:
    outcome = take_in(roofstack, run, foreign)
    assert (outcome.code, outcome.err) == (0, "")
    folder = run.map_folder("valid", "theirs")
    manifest = read_manifest(folder)
    assert manifest.images == {f"tile{n}": (64, 48) for n in range(4)}
    for image_id in manifest.images:
        values = read_map(map_path(folder, image_id), (64, 48))
        np.testing.assert_array_equal(values, np.rint(VALUES.astype(float) * 255))
        assert values[0, 0] == 0
        assert values[0, 1] == 255
        with rasterio.open(map_path(folder, image_id)) as raster:
            assert (raster.crs, raster.transform) == (GEOREFERENCE["crs"], GEOREFERENCE["transform"])
    np.testing.assert_array_equal(read_blend(folder.parent, Blend({"theirs": 1}), "tile0", (64, 48)), values)
    checked = roofstack("maps", "check", folder)
    assert (checked.code, checked.out) == (0, "4 maps of theirs: no problem(s)\n")
    assert take_in(roofstack, run, foreign, "also").code == 0
    assert take_in(roofstack, run, foreign).code == 0  # again, in place of what was imported
    assert roofstack("maps", "check", folder.parent).out == "8 maps of also, theirs: no problem(s)\n"


def test_an_import_that_was_stopped_is_no_mixture(
    roofstack: RoofStack, run: Run, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps imported earlier are not taken for those of the import that a full disk ended."""
    assert take_in(roofstack, run, foreign).code == 0
    np.save(foreign / "tile0.npy", VALUES[::-1])
    written: list[Path] = []

    def write(path: Path, values: np.ndarray, source: Path) -> None:
        if written:
            raise InputError("full")
        written.append(path)
        write_map(path, values, source)

    monkeypatch.setattr(module, "write_map", write)
    assert take_in(roofstack, run, foreign).code == 2
    with pytest.raises(InputError, match="theirs: 3 of 4 maps are missing"):
        read_manifests([run.map_folder("valid", "theirs")])
    monkeypatch.undo()
    assert take_in(roofstack, run, foreign).code == 0
    assert len(read_manifests([run.map_folder("valid", "theirs")])[1]) == 4


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("tile0.npy", np.where(VALUES > 0.9, np.nan, VALUES), r"tile0.npy: \d+ values such as nan; floats are"),
        ("tile0.npy", VALUES + 0.1, r"tile0.npy: \d+ values such as 1\.\d+; floats are probabilities from 0 to 1"),
        ("tile0.npy", -VALUES, r"tile0.npy: \d+ values such as -\d\.\d+"),
        ("tile0.npy", VALUES[:9], r"tile0.npy: shape \(9, 48\); the image is 64 high and 48 wide, and a map has one"),
        ("tile0.npy", np.stack([VALUES] * 2), r"tile0.npy: shape \(2, 64, 48\)"),
        (
            "tile0.npy",
            np.ones((64, 48), np.uint16),
            r"tile0.npy: uint16 values; a map has floats from 0 to 1, or uint8",
        ),
        ("tile5.npy", VALUES, r"foreign: tile5 is no image of valid \(1 foreign\); move them elsewhere"),
    ],
)
def test_what_is_no_map_is_refused(
    roofstack: RoofStack, run: Run, foreign: Path, name: str, values: np.ndarray, message: str
) -> None:
    np.save(foreign / name, values)
    before = hash_folder(run.path)
    outcome = take_in(roofstack, run, foreign)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert re.search(message, outcome.err)
    assert hash_folder(run.path) == before


def test_files_that_are_missing_or_damaged(roofstack: RoofStack, run: Run, foreign: Path) -> None:
    before = hash_folder(run.path)
    whole = (foreign / "tile0.npy").read_bytes()
    (foreign / "tile0.npy").write_bytes(whole[:200])
    assert "tile0.npy: not a readable array" in take_in(roofstack, run, foreign).err
    (foreign / "tile0.npy").unlink()
    assert take_in(roofstack, run, foreign).err.endswith("no map of tile0 (1 missing); each image needs one\n")
    (foreign / "tile0.npy").write_bytes(whole)
    assert "--part town: no member has maps of it" in take_in(roofstack, run, foreign, part="town").err
    assert "--member a/b: " in take_in(roofstack, run, foreign, "a/b").err
    assert hash_folder(run.path) == before


def test_checking_finds_what_is_wrong(roofstack: RoofStack, run: Run, foreign: Path) -> None:
    take_in(roofstack, run, foreign)
    take_in(roofstack, run, foreign, "other")
    folder = run.map_folder("valid", "theirs")
    (folder / "tile0.tif").unlink()
    (folder / "tile1.tif").write_bytes((folder / "tile1.tif").read_bytes()[:900])
    (folder / "tile9.tif").write_bytes(b"?")
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text().replace('"g0": 0', '"g0": -1'))
    outcome = roofstack("maps", "check", folder.parent)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert f"{folder}: missing: tile0; run the same roofstack predict again" in lines
    assert f"{folder}: foreign: tile9.tif; not in manifest.json, so move them elsewhere" in lines
    assert any("tile1.tif: " in line for line in lines)
    assert f"{folder}: not the split of other's maps; predict or import both again in one run" in lines
    assert lines[-1] == "8 maps of other, theirs: 4 problem(s)"
    assert roofstack("maps", "check", run.path / "nothing").code == 2


# A run that is made by the import


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A data set with test images and no run, and another program's maps of all its tiles: the truth in noise."""
    data = write_tiles(tmp_path / "data")
    for number, name in enumerate([*(f"tile{n}" for n in range(6)), "new0", "new1"]):
        rng = np.random.default_rng(number)
        roofs = np.zeros((64, 64), bool)
        roofs[8:30, 5:28] = roofs[8:30, 36:58] = roofs[40:60, 12 + number : 40] = True
        image = np.repeat(np.where(roofs, 200, 50).astype(np.uint8)[..., None], 3, axis=2)
        part = "valid" if name.startswith("tile") else "test"
        if part == "valid":
            write_raster(data / f"images/{name}.tif", image, **GEOREFERENCE)
            write_raster(data / f"masks/{name}.tif", roofs * np.uint8(255), **GEOREFERENCE)
        else:
            write_raster(data / f"test/images/img/{name}.tif", image, **GEOREFERENCE)
        (tmp_path / part).mkdir(exist_ok=True)
        probability = np.clip(np.where(roofs, 0.8, 0.2) + rng.normal(0, 0.05, (64, 64)), 0, 1)
        np.save(tmp_path / part / f"{name}.npy", probability.astype(np.float32))
    return tmp_path


def test_foreign_maps_need_no_training(roofstack: RoofStack, theirs: Path) -> None:
    data, run = theirs / "data", theirs / "new"
    command = ("maps", "import", "--run", run, "--member")
    outcome = roofstack(*command, "a", "--data", data, "--part", "valid", "--from", theirs / "valid")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: 3 of 3 groups held out, fewer than 10")
    assert outcome.out == f"6 maps of valid imported: {run}/maps/valid/a\n"
    split = Run(run).read_record().split
    assert set(split.fold_of_group.values()) == {0, 1, 2}  # of three groups each validates, in a fold of its own
    assert split.valid_groups == {"g0", "g1", "g2"}
    for path in (theirs / "valid").iterdir():
        np.save(path, np.load(path) * np.float32(0.7))  # roofs at 0.56
    assert roofstack(*command, "b", "--part", "valid", "--from", theirs / "valid").code == 0
    for member in ("a", "b"):
        assert roofstack(*command, member, "--part", "test", "--from", theirs / "test").code == 0
    assert roofstack("maps", "check", run / "maps/valid").out == "12 maps of a, b: no problem(s)\n"

    outcome = roofstack("blend", "--data", data, "--run", run, "--bags", 2)
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads((run / "blend.json").read_text())["scores"]["mean"]["weights"] == {"a": 1, "b": 1}
    for part, ids in (("valid", [f"tile{n}" for n in range(6)]), ("test", ["new0", "new1"])):
        assert roofstack("submit", "--data", data, "--run", run, "--part", part, "--recipe", "default").code == 0
        assert [image_id for image_id, _ in read_submission(Run(run).submission_file(part))] == ids
    outcome = roofstack("score", "--truth", data, "--submission", Run(run).submission_file("valid"), "--json")
    assert json.loads(outcome.out)["pooled_iou"] == 1
    assert (run / "commands.sh").read_text().count("roofstack maps import") == 4


def test_maps_of_a_new_place(roofstack: RoofStack, theirs: Path) -> None:
    """They are of images that no data set has, and are submitted as any part is."""
    data, run = theirs / "data", theirs / "run"
    command = ("maps", "import", "--run", run, "--member", "a", "--from")
    assert roofstack(*command, theirs / "valid", "--part", "valid", "--data", data).code == 0
    images = (data / "test/images/img").rename(theirs / "town")
    refused = roofstack(*command, theirs / "test", "--part", "town")
    assert (
        "--part town: no member has maps of it; give valid, test, a part that has some, or its --images" in refused.err
    )
    refused = roofstack(*command, theirs / "test", "--part", "valid", "--images", images)
    assert "--part valid with --images: it is of the run's data; give a --part name of your own" in refused.err
    outcome = roofstack(*command, theirs / "test", "--part", "town", "--images", images)
    assert (outcome.code, outcome.err) == (0, "")
    assert roofstack("submit", "--run", run, "--part", "town", "--recipe", "default").code == 0
    assert [image_id for image_id, _ in read_submission(Run(run).submission_file("town"))] == ["new0", "new1"]


def test_logits_under_other_names_and_data_that_have_moved(roofstack: RoofStack, theirs: Path) -> None:
    plain, logits = theirs / "valid", theirs / "logits"
    logits.mkdir()
    for path in plain.iterdir():
        values = np.clip(np.load(path).astype(np.float64), 0.01, 0.99)
        np.save(path, values)
        np.save(logits / f"{path.stem}_logit.npy", np.log(values / (1 - values)))
        np.save(logits / f"{path.stem}_class.npy", values > 0.5)
    command = ("maps", "import", "--run", theirs / "run", "--part", "valid", "--member")
    assert roofstack(*command, "a", "--from", plain, "--data", theirs / "data").code == 0
    told = "each image needs one; in a name such as tile0_class the suffix is _class\n"
    assert roofstack(*command, "b", "--from", logits).err.endswith(told)
    options = ("--from", logits, "--activation", "sigmoid", "--suffix", "_logit")
    assert roofstack(*command, "b", *options).code == 0
    one, other = (read_map(map_path(theirs / f"run/maps/valid/{name}", "tile3"), (64, 64)) for name in "ab")
    np.testing.assert_array_equal(one, other)
    (theirs / "data").rename(theirs / "moved")
    assert roofstack(*command, "c", *options).code == 0  # the others' maps say which images there are
    outcome = roofstack("maps", "import", "--run", theirs / "run", "--part", "test", "--member", "a", "--from", plain)
    assert outcome.code == 2
    assert (
        outcome.err == f"error: {theirs / 'data'}: the run's data are no longer there; say where they are: --data DIR\n"
    )


def test_the_split_of_a_run_that_is_made(roofstack: RoofStack, theirs: Path) -> None:
    data, rows = theirs / "data", ["image_id,group,region\n", *(f"tile{n},g{n},north\n" for n in range(6))]
    (data / "groups.csv").write_text("".join(rows))
    arguments = ("--data", data, "--part", "valid", "--member", "a", "--from", theirs / "valid")
    assert roofstack("maps", "import", "--run", theirs / "six", *arguments).code == 0
    split = Run(theirs / "six").read_record().split
    assert (split.folds, sorted(split.fold_of_group.values())) == (5, [0, 0, 1, 2, 3, 4])
    assert roofstack("maps", "import", "--run", theirs / "one", *arguments, "--group-by", "region").code == 0
    split = Run(theirs / "one").read_record().split
    assert (split.folds, split.fold_of_group, split.group_by) == (1, {"north": 0}, "region")
    outcome = roofstack("maps", "import", "--run", theirs / "six", *arguments, "--group-by", "region")
    assert outcome.code == 2
    assert (
        "six: this run has group_by None, not region; its members share one split, so leave the option" in outcome.err
    )


def test_a_run_is_not_begun_with_what_is_wrong(roofstack: RoofStack, theirs: Path) -> None:
    data, run = theirs / "data", theirs / "new"
    command = ("maps", "import", "--run", run, "--part", "valid", "--member", "a", "--from", theirs / "valid")

    def refuse(message: str, *options: object) -> None:
        outcome = roofstack(*command, *options)
        assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)
        assert re.search(message, outcome.err)
        assert not run.exists()

    refuse(r"new: no run here \(no run.json\); give the data set, --data, and one is made")
    refuse(r"--part town: no member has maps of it", "--data", data, "--part", "town")
    refuse(r"no column region among image_id, group; add it", "--data", data, "--group-by", "region")
    np.save(theirs / "valid/tile3.npy", np.full((64, 64), 2.0))
    refuse(r"tile3.npy: 4096 values such as 2.0; floats are probabilities", "--data", data)
    (theirs / "valid/tile3.npy").unlink()
    refuse(r"valid: no map of tile3 \(1 missing\)", "--data", data)
    write_raster(data / "masks/tile3.tif", np.zeros((64, 60), np.uint8))
    refuse(r"masks/tile3.tif: mask of 60x64 px for an image of 64x64 px; they must be equal", "--data", data)
