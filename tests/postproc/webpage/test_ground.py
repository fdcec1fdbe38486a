"""Tiles and outlines on earth: which are chosen, where they come to lie, and that a page keeps its size."""

import json
import warnings

import numpy as np
import shapely
from conftest import GEOREFERENCE
from hypothesis import given
from hypothesis import strategies as st
from plotly.offline import get_plotlyjs
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning
from test_gallery import decode_with_alpha

from members.data.frames import Frame
from postproc.geo.footprints import Footprint
from postproc.webpage.gallery import CARD, PICTURE
from postproc.webpage.ground import (
    MOST_TILES,
    PIXELS,
    Ground,
    choose_ground,
    count_drawn,
    find_uncovered,
    locate,
    place_tile,
)
from postproc.webpage.page import LEAFLET

UTM = "EPSG:32645"


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), max_size=20), st.integers(1, 12))
def test_groups_are_drawn_whole_and_never_more_tiles_than_said(tiles: list[tuple[int, str]], most: int) -> None:
    wrong, groups = [count for count, _ in tiles], [group for _, group in tiles]
    chosen = choose_ground(wrong, groups, most)
    assert len(set(chosen)) == len(chosen) <= most
    drawn = list(dict.fromkeys(groups[number] for number in chosen))
    for group in drawn[1:]:
        assert groups.count(group) == sum(groups[number] == group for number in chosen)
    sums = [sum(count for count, name in tiles if name == group) for group in drawn]
    assert sums == sorted(sums, reverse=True)
    if len(tiles) <= most:
        assert len(chosen) == len(tiles)


def test_a_tile_of_utm_is_turned_into_web_mercator() -> None:
    """Its left half is white; the picture of what lies between its bounds has transparent corners."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, :100] = 255
    frame = Frame("a", (200, 200), UTM, Affine(30, 0, 900_000, 0, -30, 3_060_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotGeoreferencedWarning)  # nothing is said of what the user can't mend
        tile = place_tile(image, frame, "g", 0.5, 1)
    south, west, north, east = tile.bounds
    border = locate(frame)
    assert border is not None
    assert np.allclose((west, south, east, north), border.bounds, atol=1e-7)
    picture = decode_with_alpha(tile.picture).astype(int)
    assert picture[2, 2, 3] == 0  # a grid of UTM is turned against the meridian here
    middle = picture[picture.shape[0] // 2]
    assert middle[20, :3].min() > 240 > 15 > middle[-20, :3].max()


def test_pictures_of_many_tiles_are_smaller() -> None:
    frame = Frame("a", (300, 300), str(GEOREFERENCE["crs"]), GEOREFERENCE["transform"])
    for tiles in (1, 1_000):
        height, width, _ = decode_with_alpha(
            place_tile(np.zeros((300, 300, 3), np.uint8), frame, "g", 1, tiles).picture
        ).shape
        assert tiles * height * width <= max(PIXELS, 300 * 300)


def test_a_page_of_any_run_is_under_15_mb() -> None:
    """Noise, and outlines as many as there may be, of images with long names; the parts are added up."""
    rng, georeference = np.random.default_rng(0), (str(GEOREFERENCE["crs"]), GEOREFERENCE["transform"])
    side = round(np.sqrt(PIXELS / MOST_TILES))
    frame = Frame("a" * 60, (side, side), *georeference)
    tile = place_tile(rng.integers(0, 256, (side, side, 3), np.uint8), frame, "g" * 60, 0.5, MOST_TILES)
    x, y = 85 + 1e-3 * np.arange(100) + 1 / 3e6, 27 + 1e-3 * np.arange(80)[:, None] + 1 / 3e6
    small = shapely.box(x, y, x + 1 / 3e3, y + 1 / 3e3).ravel()
    count = count_drawn(small)
    ground = Ground(
        [tile] * MOST_TILES,
        [Footprint(each, "a" * 60, "regularised", 0.9, 99) for each in small[:count]],
        small[:count],
    )
    audit = 40 * PICTURE
    fixed = sum(path.stat().st_size for path in LEAFLET.iterdir()) + len(get_plotlyjs())
    assert fixed + audit + 30 * CARD + len(ground.export()) < 14_500_000  # charts and tables are the rest


def test_what_is_on_no_earth_or_near_a_pole_is_not_on_the_map() -> None:
    assert locate(Frame("a", (9, 9), None, Affine.identity())) is None
    assert locate(Frame("a", (9, 9), "OGC:CRS84", Affine(0.1, 0, 10, 0, -0.1, 89))) is None
    assert locate(Frame("a", (9, 9), "OGC:CRS84", Affine(0.1, 0, 10, 0, -0.1, 50))) is not None


def test_ours_beside_the_labels_and_true_ones_not_found_are_marked() -> None:
    one, two, three = (shapely.box(x, 10, x + 1, 11) for x in (0, 5, 9))
    ours = [Footprint(outline, "a", "regularised", 0.9, 99.6) for outline in (one, two)]
    content = json.loads(Ground([], ours, np.array([one, three])).export())
    assert [each["wrong"] for each in content["ours"]] == [False, True]
    assert [each["wrong"] for each in content["truths"]] == [False, True]
    assert content["ours"][0]["words"] == "a: 100 m², confidence 0.90, regularised"
    assert find_uncovered(np.zeros(0, object), np.array([one])).tolist() == []
    assert find_uncovered(np.array([one]), np.zeros(0, object)).tolist() == [True]
