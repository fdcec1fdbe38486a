"""What the page tells of tuned.json."""

from typing import Any

from postproc.webpage.charts import draw_training
from postproc.webpage.story import tell_promise, tell_verdict

PROMISE: dict[str, Any] = {
    "measure": "recall", "level": 0.9, "confidence": None, "threshold": 70, "groups": 29, "tiles": 336, "mean": 0.9171,
    "words": "promised at threshold 70: at least 90%, IoU aside",
}  # fmt: skip


def test_a_promise_is_told_in_place_of_the_margin() -> None:
    section = tell_promise({"promise": PROMISE, "margin": {"words": "not that"}})
    assert section is not None
    assert (section.title, section.intro) == ("Promise", "Promised at threshold 70: at least 90%, IoU aside.")
    (table,) = section.blocks
    assert "<td>on average</td>" in table
    assert "<td>336 tiles of 29 groups; new places drawn like them</td>" in table
    sure = tell_promise({"promise": PROMISE | {"confidence": 0.8}})
    assert sure is not None
    assert "with a confidence of 80%" in sure.blocks[0]
    assert tell_verdict({"promise": PROMISE}, 336, 29).startswith("Promised at threshold 70: at least 90%, IoU aside. ")


def test_a_single_epoch_is_seen() -> None:
    """A line through one point is none."""
    epoch = {"epoch": 1.0, "iou": 0.4, "val_iou": 0.5}
    assert draw_training({"m fold0": [epoch]}).count("lines+markers") == 2
    long = draw_training({"m fold0": [epoch | {"epoch": float(number)} for number in range(9)]})
    assert "markers" not in long.partition("template")[0]
    assert long.count('"showlegend":true') == 1


def test_a_margin_is_told_and_without_either_nothing() -> None:
    section = tell_promise({"margin": {"words": "the true outlines lie within 3 px"}})
    assert section is not None
    assert (section.title, section.intro) == ("Margin", "The true outlines lie within 3 px.")
    assert tell_promise({"margin": None}) is None
