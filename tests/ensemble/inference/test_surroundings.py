"""Images are shown with what touches them: a part cut into tiles is predicted as the one picture that it was."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine

from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Network
from ensemble.inference.scenes import open_scene
from ensemble.inference.surroundings import Neighbour, Surroundings, cut_overlap, find_surroundings, list_close
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path, read_map
from members.data.drivers import hash_image
from members.data.frames import Frame, read_frame
from members.data.mosaic import join_frames
from members.data.tiles import Tile
from members.training.catalog import find_spec

GRID = Affine(0.25, 0, 9_500_000, 0, -0.25, 3_200_000)


def make_frame(name: str, row: int, column: int, size: tuple[int, int] = (4, 4)) -> Frame:
    return Frame(name, size, "EPSG:3857", GRID * Affine.translation(column, row))


def write_image(path: Path, pixels: np.ndarray, row: int, column: int) -> Path:
    return write_raster(path, pixels, crs="EPSG:3857", transform=GRID * Affine.translation(column, row))


def look(frames: list[Frame], margin: int, together: list[list[str]]) -> dict[str, list[str]]:
    paths = {frame.image_id: Path(frame.image_id) for frame in frames}
    found = find_surroundings(frames, paths, margin, together)
    return {image_id: [each.image_id for each in others] for image_id, others in found.neighbours.items()}


def test_neighbours_are_what_shows_a_pixel_beyond_the_border() -> None:
    frames = [
        make_frame("middle", 0, 0),
        make_frame("right", 0, 4),
        make_frame("corner", 4, 4),
        make_frame("far", 0, 8),
        make_frame("twin", 0, 0),
        Frame("nowhere", (4, 4), None, Affine.identity()),
    ]
    every = [frame.image_id for frame in frames]
    assert look(frames, 0, [every]) == {}
    near = look(frames, 2, [every])
    assert near["middle"] == near["twin"] == ["corner", "right"]
    assert near["right"] == ["corner", "far", "middle", "twin"]
    assert "nowhere" not in near
    assert look(frames, 5, [every])["middle"] == ["corner", "far", "right"]


def test_networks_see_no_image_that_others_were_kept_from() -> None:
    frames = [make_frame(name, 0, 4 * number) for number, name in enumerate("abcd")]
    assert look(frames, 2, [["a", "b"], ["c", "d"]]) == {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}


def test_large_images_are_read_in_windows_and_seen_by_others() -> None:
    frames = [make_frame("large", 0, 0, (600, 600)), make_frame("small", 0, 600)]
    assert look(frames, 2, [["large", "small"]]) == {"small": ["large"]}


@given(corner=st.tuples(*[st.integers(-9, 9)] * 2), size=st.tuples(*[st.integers(1, 9)] * 2), margin=st.integers(1, 5))
def test_the_part_that_is_seen_is_that_of_pictures_laid_over_another(
    corner: tuple[int, int], size: tuple[int, int], margin: int
) -> None:
    """Against pixels that are laid out one by one."""
    side = 5
    laid = {
        (corner[0] + row + margin, corner[1] + column + margin): (row, column)
        for row in range(size[0])
        for column in range(size[1])
    }
    wanted = {at: pixel for at, pixel in laid.items() if all(0 <= each < side + 2 * margin for each in at)}
    frames = [make_frame("a", 0, 0, (side, side)), make_frame("b", *corner, size)]
    close = dict(list_close(join_frames(frames)[0], margin)) if len(join_frames(frames)) == 1 else {}
    if not wanted:
        assert not any(close.values())
        return
    inside, target = cut_overlap(Neighbour("b", corner, size), (side, side), margin)
    pictures = [np.stack(tuple(np.mgrid[part]), axis=-1).reshape(-1, 2).tolist() for part in (target, inside)]
    assert {tuple(at): tuple(pixel) for at, pixel in zip(*pictures, strict=True)} == wanted


def test_what_no_neighbour_shows_is_reflected(tmp_path: Path) -> None:
    """Of 32 x 32 numbered px the corners, with the pixel beyond; a flat image lies right of it."""
    left, right = np.zeros((32, 32, 3), np.uint8), np.full((32, 40, 3), 99, np.uint8)
    left[..., 0] = 32 + np.arange(32) - np.arange(32)[:, None]
    paths = {
        "left": write_image(tmp_path / "left.tif", left, 0, 0),
        "right": write_image(tmp_path / "right.tif", right, 0, 32),
    }
    around = find_surroundings([read_frame(path) for path in paths.values()], paths, 1, [[*paths]])
    with open_scene(paths["left"]) as scene:
        shown = around.read("left", scene)
        assert shown[:3, :3, 0].tolist() == [[32, 32, 33], [32, 32, 33], [31, 31, 32]]
        assert shown[:3, -3:, 0].tolist() == [[62, 63, 63], [62, 63, 99], [61, 62, 99]]
        assert shown[-3:, -3:, 0].tolist() == [[32, 33, 99], [31, 32, 99], [31, 32, 32]]
        assert around.measure("left") == 1
        assert Surroundings().read("left", scene).shape == (32, 32, 3)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 99))
def test_tiles_are_predicted_as_the_one_picture_they_were(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """By a network that looks two pixels far; nearer than that to the picture's own border it is reflected, anyhow."""
    folder = tmp_path_factory.mktemp("tiles")
    picture = np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8)
    cuts = [(row, column) for row in (0, 32) for column in (0, 32, 64)]
    paths = [
        write_image(folder / f"{row}-{column}.tif", picture[row : row + 32, column : column + 32], row, column)
        for row, column in cuts
    ]
    tiles = [Tile(path.stem, path, None, path.stem) for path in paths]

    def average(batch: np.ndarray) -> np.ndarray:
        red = np.pad(batch[..., :1], [(0, 0), (2, 2), (2, 2), (0, 0)])
        shifts = [red[:, r : r + batch.shape[1], c : c + batch.shape[2]] for r in range(5) for c in range(5)]
        return np.mean(shifts, axis=0) / np.float32(255)

    whole = average(np.pad(picture, [(32, 32), (32, 32), (0, 0)], mode="symmetric")[None].astype(np.float32))
    expected = np.rint(whole[0, 32:-32, 32:-32, 0] * 255)
    around = find_surroundings(
        [read_frame(path) for path in paths],
        {tile.image_id: tile.image for tile in tiles},
        32,
        [[tile.image_id for tile in tiles]],
    )
    hashes = {tile.image_id: hash_image(tile.image) for tile in tiles}
    network = Network(find_spec("lite0_unet"), average)
    whole_job = Job((), (), folder / "maps", None, VIEW_SETS["d4"], "mean", 32, hashes, around=around)
    for tile in tiles:  # as workers are sent it: with what is needed for the tile alone
        assert list(make_maps(whole_job.take([tile.image_id]), [network], [tile], Locks(whole_job.target)))
    found = np.zeros_like(expected)
    for tile, (row, column) in zip(tiles, cuts, strict=True):
        found[row : row + 32, column : column + 32] = read_map(map_path(whole_job.target, tile.image_id), (32, 32))
    np.testing.assert_allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1)
