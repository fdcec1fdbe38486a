"""The pictures of a report's tiles."""

import base64

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble.selection.blend import Blend
from postproc.pipeline.pipeline import Pipeline
from postproc.reporting.panels import ImageResult
from postproc.webpage.gallery import CARD, LAYERS, SIDE, choose_tiles, paint_layers


def decode(address: str) -> np.ndarray:
    content = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture[..., ::-1]


def decode_with_alpha(address: str) -> np.ndarray:
    content = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


def test_errors_are_white_orange_and_blue() -> None:
    image = np.full((60, 90, 3), 120, np.uint8)
    truth, values = np.zeros((60, 90), bool), np.zeros((60, 90), np.uint8)
    truth[:, :60], values[:, 30:] = True, 255  # missed, right, too much
    layers = paint_layers(ImageResult.of_map(image, truth, values, Pipeline(Blend({"m": 1}))))
    assert list(layers) == list(LAYERS)
    missed, right, extra = (decode(layers["errors"])[30, x].astype(int) for x in (15, 45, 75))
    assert missed[2] > missed[0] + 60
    assert right.min() > 190
    assert extra[0] > extra[2] + 60
    truth_shown = decode(layers["truth"])[30, :, 0]
    assert truth_shown[30] > 250 > 5 > truth_shown[80]


def test_a_standard_deviation_is_a_layer_more() -> None:
    blank = np.zeros((8, 9), np.uint8)
    result = ImageResult.of_map(np.zeros((8, 9, 3), np.uint8), None, blank, Pipeline(Blend({"m": 1})))
    layers = paint_layers(result, np.full((8, 9), 64, np.uint8))
    assert list(layers) == [*LAYERS, "uncertainty"]
    assert decode(layers["uncertainty"]).min(axis=(0, 1))[0] > 200  # as bright as it gets


def test_outlines_are_drawn_over_a_picture_of_their_own() -> None:
    values = np.zeros((60, 90), np.uint8)
    values[20:40, 20:60] = 255
    result = ImageResult.of_map(np.full((60, 90, 3), 120, np.uint8), None, values, Pipeline(Blend({"m": 1})))
    layers = paint_layers(result)
    assert np.ptp(decode(layers["outlines"])) > 100 > 5 > np.ptp(decode(layers["image"]))


def test_noise_takes_no_more_room_than_a_page_has() -> None:
    rng = np.random.default_rng(0)
    mask, truth = (rng.random((SIDE, SIDE)) < 0.5 for _ in range(2))
    image, values = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8), rng.integers(0, 256, (SIDE, SIDE), np.uint8)
    layers = paint_layers(ImageResult(image, truth, values, mask, ()), values)
    assert sum(map(len, layers.values())) + len(layers["errors"]) <= CARD
    assert all(max(decode(address).shape) > SIDE // 4 for address in layers.values())


def test_large_tiles_come_smaller() -> None:
    size = (300, 1200)
    blank = ImageResult.of_map(
        np.zeros((*size, 3), np.uint8), None, np.zeros(size, np.uint8), Pipeline(Blend({"m": 1}))
    )
    assert decode(paint_layers(blank)["image"]).shape == (SIDE // 4, SIDE, 3)


@given(st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0]), max_size=60))
def test_no_tile_is_shown_twice(ious: list[float]) -> None:
    chosen = choose_tiles(np.array(ious), np.arange(len(ious)))
    numbers = [number for number, _ in chosen]
    assert len(set(numbers)) == len(numbers) == min(len(ious), 30)
    if ious:
        assert ious[numbers[0]] == min(ious)
    if len(ious) > 12:
        assert max(ious[number] for number in numbers) == max(ious)
