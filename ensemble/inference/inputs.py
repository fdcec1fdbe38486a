"""What is predicted, and by whom: the images of a part, and the members of a run that are ready."""

import re
from collections.abc import Sequence
from pathlib import Path

from rasterio.windows import Window

from ensemble.inference.views import View, parse_views
from members.common.errors import InputError
from members.data.raster import check_tiles, open_raster, read_bands
from members.data.run import Run, RunRecord
from members.data.tiles import Tile, list_tiles, take_images


def list_part(
    run: Run, record: RunRecord, part: str, data: Path | None, images: Path | None
) -> tuple[list[Tile], list[str]]:
    """List the images of a part: the validation tiles of the run, the data set's test tiles, or any images.

    Returns:
        The images, and remarks on them for the user.

    Raises:
        InputError: the options don't name one part, there are no such images, one can't be read to its end, or the
            data are not the run's.
    """
    tiles = find_tiles(run, record, part, data, images)
    remarks = check_tiles(tiles)
    check_ends(tiles)
    if part != "valid":
        return tiles, remarks
    run.check_tiles(tiles)
    return [tile for tile in tiles if tile.group in record.split.valid_groups], remarks


def find_tiles(run: Run, record: RunRecord, part: str, data: Path | None, images: Path | None) -> list[Tile]:
    """Find the tiles that a part is among: the training tiles for valid, the test folder, or any images.

    Raises:
        InputError: the options don't name one part, or there are no such images.
    """
    ours = part in ("valid", "test")
    if not re.fullmatch(r"\w[\w.-]*", part):
        raise InputError(f"--part {part}: it names a folder, by letters, digits, '.', '-' and '_' alone")
    if ours and images is not None:
        raise InputError(f"--part {part} with --images: it is of the run's data; give a --part name of your own")
    if not ours and images is None:
        raise InputError(f"--part {part}: its images are not known; give --images, or --part valid or test")
    if images is not None:
        if data is not None:
            raise InputError("--data with --images: these are predicted, the data set is not looked at; drop --data")
        return take_images(images)
    root = run.find_data(data)
    return list_tiles(root, "test") if part == "test" else list_tiles(root, group_by=record.split.group_by)


def check_ends(tiles: Sequence[Tile]) -> None:
    """Read the last pixel of every image: a truncated file is said before an hour of predicting, not in its midst.

    Raises:
        InputError: one cannot be read.
    """
    for tile in tiles:
        with open_raster(tile.image) as raster:
            read_bands(raster, indexes=1, window=Window(raster.width - 1, raster.height - 1, 1, 1))


def choose_members(run: Run, record: RunRecord, texts: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Choose the members to predict with: those named, or all that are trained.

    Args:
        run: the run.
        record: its record.
        texts: names, several in one text parted by commas.

    Returns:
        Their names, and remarks on them for the user.

    Raises:
        InputError: one is not in the run, or not all of its folds are trained, on the run's data and split.
    """
    trained = run.list_members()
    names = [name for text in texts or () for name in text.split(",")]
    for name in names:
        if name not in trained:
            raise InputError(f"{run.path}: no trained member {name}; there are {', '.join(trained) or 'none'}")
    chosen, remarks = list(dict.fromkeys(names or trained)), []
    for name in chosen:
        for fold in range(record.split.folds):
            folder = run.fold(name, fold)
            if not folder.weights_file.is_file():
                raise InputError(f"{folder.path}: not trained yet; run roofstack train {name} first")
            run.check_fold(name, fold, record)
            if folder.state_folder.is_dir():
                remarks.append(f"{folder.path}: training is not finished; predicting with the best weights so far")
    if not chosen:
        raise InputError(f"{run.path}: no trained members; run roofstack train first")
    return chosen, remarks


def read_views(tta: str) -> tuple[View, ...]:
    """Parse the option --tta.

    Raises:
        InputError: it names no views.
    """
    try:
        return parse_views(tta)
    except InputError as error:
        raise InputError(f"--tta {tta}: {error}") from None
