"""What a contact sheet shows."""

from conftest import draw_pairs

from members.training.sheet import GAP, draw_sheet
from members.training.spec import MemberSpec


def test_a_sheet_shows_tiles_with_outlines() -> None:
    """Two tiles of four, as they are and in three epochs; the first has no building, so no outline."""
    spec = MemberSpec(name="any", backbone="lite0", augment="d4", crop=32)
    sheet = draw_sheet(spec, list(draw_pairs(4, 1).values()), [0, 2], epochs=3)
    assert sheet.shape == (2 * (32 + GAP), 4 * (32 + GAP), 3)
    red = (sheet == (255, 0, 0)).all(axis=2)
    assert not red[: 32 + GAP].any()
    assert red[32 + GAP :].any()
    assert (sheet[32 : 32 + GAP] == 255).all()  # the gap between the rows
