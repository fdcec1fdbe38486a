"""Students: what each fold of one is taught, by whom, and what it never sees."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import Outcome, Standin, draw_stack, hash_folder, write_fold, write_raster

from ensemble import distill
from ensemble.distillation.images import cut_pair
from ensemble.distillation.taught_set import draw_lesson
from ensemble.inference import sharing
from members.common.files import hash_file, write_json
from members.data.raster import Pair, read_image, read_mask
from members.data.run import FoldFolder, Run
from members.data.split import Split
from members.data.tiles import list_tiles
from members.training.networks.weights import write_content
from members.training.spec import Distillation, MemberSpec
from members.training.targets import decode_probabilities

RoofStack = Callable[..., Outcome]
SPLIT = Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0})
SLOPES = {("lite0_unet", "fold0"): 0.25, ("lite1_unet", "fold0"): 0.75, ("lite0_unet", "fold1"): 1.0,
          ("lite1_unet", "fold1"): 0.5}  # fmt: skip
MEAN = {"fold0": 0.5, "fold1": 0.75}  # of a fold's teachers
STEP = 1 / 126 + 1 / 255
Taught = dict[str, tuple[MemberSpec, Mapping[str, Pair], Mapping[str, Pair]]]


@pytest.fixture
def run(tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of two members with two folds, whose networks are stand-ins, and a data set with two test tiles."""
    run = Run(tmp_path / "run")
    run.write_record(data_set, list_tiles(data_set), SPLIT)
    for member, fold in SLOPES:
        write_fold(run, member, int(fold[-1]), f"{member} {fold}".encode())
    for number, image in enumerate(draw_stack(2, 64, 64)):
        write_raster(data_set / "test" / "images" / f"tile{number}.png", image)
    monkeypatch.setattr(distill, "choose_backend", lambda: None)
    monkeypatch.setattr(
        sharing, "load_network", lambda folder, engine: Standin(SLOPES[folder.parent.name, folder.name]).network
    )
    return run


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Taught:
    """What `train_fold`, which trains nothing here, was given for each fold."""
    import members.training.fit
    import members.training.networks.network

    given: Taught = {}

    def train_fold(
        spec: MemberSpec, training: Mapping[str, Pair], validation: Mapping[str, Pair], folder: FoldFolder, *_: object
    ) -> list[dict[str, float]]:
        given[folder.path.name] = spec, training, validation
        write_json(folder.spec_file, spec.model_dump())
        write_content(b"student", folder)
        return [{"epoch": 1.0, "loss": 0.5, "iou": 0.5, "val_loss": 0.5, "val_iou": 0.25, "seconds": 60.0}]

    monkeypatch.setattr(members.training.fit, "train_fold", train_fold)
    network = SimpleNamespace(count_params=lambda: 7)
    monkeypatch.setattr(members.training.networks.network, "build_network", lambda spec, weights: network)
    return given


def learn(roofstack: RoofStack, run: Run, *arguments: object) -> Outcome:
    return roofstack("distill", "lite0_unet", "--run", run.path, *arguments)


def test_a_fold_is_taught_by_the_networks_that_did_not_see_what_it_is_validated_on(
    roofstack: RoofStack, run: Run, data_set: Path, taught: Taught
) -> None:
    outcome = learn(roofstack, run)
    assert outcome.code == 0, outcome.err
    assert "test tiles are learned from, without labels" in outcome.err
    tiles = {tile.image_id: tile for tile in list_tiles(data_set)}
    for fold, (spec, training, validation) in taught.items():
        assert (spec.name, spec.student) == ("lite0_unet_student", Distillation())
        held = {name for name, tile in tiles.items() if SPLIT.validates(tile.group, int(fold[-1]))}
        assert validation.keys() == held
        assert training.keys() == (tiles.keys() - held) | {"test.tile0.0", "test.tile1.0"}
        maps = {path.stem for path in (run.path / "teaching" / fold).rglob("*.tif")}
        assert maps == (tiles.keys() - held) | {"test.tile0", "test.tile1"}
        for name, (image, target) in training.items():
            from_teachers = image[..., 0] / 255 * MEAN[fold]
            wanted = (
                0.5 * read_mask(tiles[name].mask or Path()) + 0.5 * from_teachers if name in tiles else from_teachers
            )
            np.testing.assert_allclose(decode_probabilities(target), wanted, atol=STEP)
        for name, (image, target) in validation.items():
            np.testing.assert_array_equal(image, read_image(tiles[name].image))
            np.testing.assert_array_equal(decode_probabilities(target), read_mask(tiles[name].mask or Path()))
    assert taught.keys() == {"fold0", "fold1"}


def test_what_is_known_of_labelled_tiles_is_left_out(
    roofstack: RoofStack, run: Run, data_set: Path, tmp_path: Path, taught: Taught
) -> None:
    tile = list_tiles(data_set)[0]  # georeferenced
    copied = tmp_path / "new" / "copy.tif"
    copied.parent.mkdir()
    copied.write_bytes(tile.image.read_bytes())
    georeference = dict(zip(("crs", "transform"), _read_reference(tile.image), strict=True))
    write_raster(tmp_path / "new" / "same_ground.tif", draw_stack(64, 64), **georeference)
    write_raster(tmp_path / "new" / "elsewhere.tif", draw_stack(64, 160))
    outcome = learn(roofstack, run, "--images", tmp_path / "new", "--no-test", "--fold", 1)
    assert outcome.code == 0, outcome.err
    assert (
        "2 images without labels are of the data set's own tiles, or of their ground (images.copy, ..)" in outcome.err
    )
    assert "test tiles" not in outcome.err
    _, training, _ = taught["fold1"]
    # as large as the labelled tiles, at most
    shapes = {name: target.shape for name, (_, target) in training.items() if name.startswith("images.")}
    assert shapes == {f"images.elsewhere.{number}": (64, width) for number, width in enumerate((54, 53, 53))}


def _read_reference(path: Path) -> tuple[object, object]:
    import rasterio

    with rasterio.open(path) as raster:
        return raster.crs, raster.transform


def test_a_student_keeps_its_teachers(roofstack: RoofStack, run: Run, taught: Taught) -> None:
    assert learn(roofstack, run, "--fold", 0).code == 0
    made = hash_folder(run.path / "teaching")
    assert learn(roofstack, run, "--fold", 0).code == 0  # goes on
    assert hash_folder(run.path / "teaching") == made
    note = run.fold("lite0_unet_student", 0).teachers_file.read_text()
    assert hash_file(run.fold("lite1_unet", 0).weights_file) in note
    before = hash_folder(run.path)
    refused = learn(roofstack, run, "--fold", 0, "--teachers", "lite1_unet")
    assert (refused.code, hash_folder(run.path)) == (2, before)
    assert "begun with other teachers, views or images; name those with --teachers, --tta and --images" in refused.err
    write_content(b"trained anew", run.fold("lite1_unet", 0))
    before = hash_folder(run.path)
    refused = learn(roofstack, run, "--fold", 0)
    assert (refused.code, hash_folder(run.path)) == (2, before)
    assert "begun with other teachers" in refused.err
    assert learn(roofstack, run, "--fold", 0, "--restart").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lite0_unet", "--teachers", "nobody"], "no trained member nobody; there are lite0_unet, lite1_unet"),
        (["lite0_unet", "--fold", "2"], "--fold 2: the folds of this run are 0 to 1"),
        (["lite0_contact"], "maps teach a student buildings alone"),
        (["lite1_unet"], "is of masks, not of probabilities; a student with loss bce_dice"),
        (["lite0_unet", "--tta", "turned"], "--tta turned"),
        (["lite0_unet", "--images", "absent"], "absent: no such folder"),
        (["nobody"], "nobody: no such member"),
    ],
)
def test_what_cannot_be_taught(
    roofstack: RoofStack, run: Run, taught: Taught, arguments: list[str], message: str
) -> None:
    before = hash_folder(run.path)
    refused = roofstack("distill", *arguments, "--run", run.path)
    assert (refused.code, hash_folder(run.path), taught) == (2, before, {})
    assert message in refused.err


def test_students_teach_only_where_they_are_named(roofstack: RoofStack, run: Run, taught: Taught) -> None:
    assert learn(roofstack, run).code == 0
    assert "lite0_unet_student: the student itself" in learn(roofstack, run, "--teachers", "lite0_unet_student").err
    for member in ("lite0_unet", "lite1_unet"):
        for fold in (0, 1):
            write_content(b"other weights", run.fold(member, fold))
            record = run.fold(member, fold).record_file
            record.write_text(record.read_text().replace('"g0": 0', '"g0": 1'))
    refused = learn(roofstack, run, "--restart")
    assert "trained on another split" in refused.err  # so it may have seen what the student is validated on


def test_a_lesson() -> None:
    maps, mask = np.array([[0.2, 0.6, 0.9]]), np.array([[False, False, True]])
    halved = Distillation(label_weight=0.5)
    np.testing.assert_allclose(decode_probabilities(draw_lesson(maps, mask, halved)), [[0.1, 0.3, 0.95]], atol=STEP)
    unsure = Distillation(floor=0.75)
    np.testing.assert_allclose(decode_probabilities(draw_lesson(maps, None, unsure)), [[0.2, -1, 0.9]], atol=STEP)
    softer = decode_probabilities(draw_lesson(maps, None, Distillation(temperature=2)))
    np.testing.assert_allclose(softer, [[1 / 3, 0.55, 0.75]], atol=STEP)  # square roots of the odds 1/4, 3/2, 9


@pytest.mark.parametrize("size", [(5, 3), (64, 64), (7, 200)])
def test_cuts_cover_an_image_once(size: tuple[int, int]) -> None:
    target = np.arange(size[0] * size[1]).reshape(size)
    cuts = cut_pair(np.repeat(target[..., None], 3, 2), target, 64)
    assert sorted(np.concatenate([part.ravel() for _, part in cuts])) == list(range(target.size))
    assert all((image[..., 0] == part).all() and max(part.shape) <= 64 for image, part in cuts)
