"""An audit on the page of a report."""

import json
from pathlib import Path

import numpy as np
import pytest

from members.audit.checks import Finding
from members.common.errors import InputError
from postproc.auditing.sheet import Picture
from postproc.auditing.story import BOX, COLOURS, list_findings, paint, read_audit, tell_audit

CASE = {"image": "a", "kind": "missing", "box": [2, 3, 8, 9], "area": 36, "confidence": 0.9}


def test_each_check_is_a_row_and_the_worst_are_drawn() -> None:
    findings = [Finding("suspicious labels", 1, "1 seems to be missing", [CASE]), Finding("kinds", 0, "none")]
    image, mask, values = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), bool), np.zeros((16, 16), np.uint8)
    section = tell_audit(findings, lambda name: image, lambda name: mask, lambda name: values, outdated=False)
    table, legend, pictures = section.blocks
    assert table.count("<tr>") == 3
    assert "yellow: mask, blue: map" in legend
    assert pictures.count("<img") == 1
    assert "a\nseems missing: 0.90, 36 px" in pictures
    again = tell_audit([], lambda name: image, lambda name: mask, lambda name: values, outdated=True)
    assert "this is of other maps than the run has now: run roofstack audit again" in again.blocks[0]


def test_a_picture_has_its_lines_and_its_box() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    shown = paint(Picture("a", np.full((40, 40, 3), 90, np.uint8), {"mask": mask}, (25, 25, 35, 35)))
    assert shown.shape == (320, 320, 3)
    assert np.allclose(shown[80, 120], COLOURS["mask"][1], atol=40)  # lines have soft edges
    assert np.allclose(shown[8 * 22, 8 * 30], BOX, atol=40)
    assert tuple(shown[300, 20]) == (90, 90, 90)


def test_cases_of_images_that_are_gone_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    assert read_audit(path) is None
    pair = {"one": "a", "other": "b", "exact": True}
    checks = {"copies in training": {"found": 2, "words": "both", "cases": [pair, pair | {"other": "c"}]}}
    path.write_text(json.dumps({"checks": checks}))
    content = read_audit(path)
    assert content is not None
    (finding,) = list_findings(content, path, {"a", "b"})
    assert (finding.count, list(finding.cases)) == (2, [pair])
    path.write_text("[]")
    with pytest.raises(InputError, match="not an audit; run roofstack audit again"):
        read_audit(path)
