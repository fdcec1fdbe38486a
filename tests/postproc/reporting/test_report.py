"""The pictures show what they say."""

from pathlib import Path

import cv2
import numpy as np

from postproc.reporting.report import COLUMNS, FALSE_ALARM, GAP, HEADER, HIT, MISS, draw_panel, draw_sheet

TRUTH = np.array([[1, 1, 0], [1, 0, 0]], bool)
MASK = np.array([[1, 0, 0], [1, 0, 1]], bool)


def test_errors_are_coloured() -> None:
    errors = draw_panel(np.zeros((2, 3, 3), np.uint8), TRUTH, np.zeros((2, 3), np.uint8), MASK)[3]
    black = (0, 0, 0)
    expected = [[HIT, MISS, black], [HIT, black, FALSE_ALARM]]
    np.testing.assert_array_equal(errors, np.array(expected, np.uint8))


def test_sheet_has_a_row_a_tile_and_keeps_proportions(tmp_path: Path) -> None:
    image = np.full((64, 128, 3), (10, 200, 30), np.uint8)
    truth = np.zeros((64, 128), bool)
    panel = ("tile", image, truth, np.full((64, 128), 255, np.uint8), ~truth)
    draw_sheet([panel, panel], tmp_path / "sheet.png", width=96)
    sheet = cv2.cvtColor(cv2.imread(str(tmp_path / "sheet.png")), cv2.COLOR_BGR2RGB)
    assert sheet.shape == (HEADER + 2 * (48 + HEADER), len(COLUMNS) * (96 + GAP) - GAP, 3)
    np.testing.assert_array_equal(sheet[HEADER + 24, 48], image[0, 0])  # the image itself, in RGB
    np.testing.assert_array_equal(sheet[HEADER + 24, -48], FALSE_ALARM)
