"""An audit: every check's findings, the groups that are proposed, and what of it is worth a picture."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.statistics.metrics import NEUTRAL_THRESHOLD
from members.audit.checks import (
    OFF,
    Finding,
    check_balance,
    check_blank,
    check_duplicates,
    check_ground,
    check_kinds,
    check_shifts,
    check_tiny,
    list_examples,
    tell_direction,
)
from members.audit.duplicates import find_duplicates
from members.audit.neighbours import find_touching, match_borders
from members.audit.proposal import Proposal, mend_groups, propose_groups
from members.audit.tiles import DataSet
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from postproc.auditing.offsets import Offset, find_offset
from postproc.auditing.suspicions import Ranking, Suspicion, rank_suspicions, suspect_labels

SURE = 0.8
"""Mean probability, by the map, that a label is wrong, from which it is counted."""
FEW = 2000
"""Pixels of buildings, by label or map, below which a group is not compared with others."""
OUTLYING = 3.0
"""Robust standard deviations below the median from which a group differs."""


@dataclass(frozen=True)
class Audit:
    """What an audit has found.

    Attributes:
        findings: of each check, in the order in which they are told.
        proposal: groups that tear nothing apart that belongs together.
        given: how many groups the data set has as it is.
        grouped: whether a table, or an option, says what the groups are.
    """

    findings: Sequence[Finding]
    proposal: Proposal
    given: int
    grouped: bool

    def find(self, check: str) -> Finding | None:
        """Return a check's finding; None where it was not made."""
        return next((finding for finding in self.findings if finding.check == check), None)

    def tabulate(self, title: str, notes: Sequence[str] = ()) -> ResultTable:
        """Return the findings as a table."""
        rows = [(finding.check, str(finding.count), finding.words) for finding in self.findings]
        return ResultTable(title, ("check", "found", "what"), rows, notes)

    def export(self) -> dict[str, Any]:
        """Return the findings with all their cases, for JSON."""
        checks = {
            finding.check: {"found": finding.count, "words": finding.words, "cases": list(finding.cases)}
            for finding in self.findings
        }
        proposal = {
            "groups": self.proposal.count, "ties": dict(self.proposal.reasons), "square_m": self.proposal.square,
            "torn_neighbours": self.proposal.torn,
        }  # fmt: skip
        return {"groups": self.given, "grouped": self.grouped, "proposal": proposal, "checks": checks}


def audit_data(
    data: DataSet, grouped: bool, read_image: Callable[[int], np.ndarray], progress: Progress = silent
) -> Audit:
    """Audit a data set before anything is trained on it.

    Args:
        data: as it was read.
        grouped: whether its groups were given; where not, groups are proposed from scratch.
        read_image: reads an image by its number, training tiles first, uint8 (h, w, 3).
        progress: shows how far the comparison of images is.
    """
    looks, training = [*data.training, *data.test], len(data.training)
    prints, frames = [look.taken for look in looks], [look.frame for look in looks]
    duplicates = find_duplicates(prints, read_image, progress)
    neighbours = find_touching(frames) + match_borders(prints, frames)
    own = [pair for pair in duplicates if pair.other < training], [pair for pair in neighbours if pair.other < training]
    groups = {look.tile.image_id: look.tile.group for look in data.training}
    proposal = mend_groups(groups, *own) if grouped else propose_groups(frames[:training], *own)
    findings = (
        check_kinds(looks),
        *check_duplicates(looks, training, duplicates),
        *check_ground(looks, training, neighbours),
        check_blank(looks),
        check_balance(data.training),
        check_tiny(data.training),
        *check_shifts(data.training),
    )
    return Audit(findings, proposal, len(set(groups.values())), grouped)


def audit_labels(
    ids: Sequence[str], groups: Sequence[str], samples: Iterable[tuple[np.ndarray, np.ndarray]]
) -> tuple[Finding, ...]:
    """Audit labels by the maps of members that did not train on them.

    Args:
        ids: of the tiles.
        groups: of the tiles.
        samples: the blended map, uint8 (h, w), and the mask, bool (h, w), of each tile.
    """
    suspicions: list[Suspicion] = []
    offsets: dict[str, Offset] = {}
    sums: dict[str, np.ndarray] = {}
    objects = 0
    for number, (image_id, group, (values, mask)) in enumerate(zip(ids, groups, samples, strict=True)):
        found, buildings = suspect_labels(values, mask, number)
        suspicions += found
        objects += buildings
        if offset := find_offset(values, mask):
            offsets[image_id] = offset
        predicted = values >= NEUTRAL_THRESHOLD
        counts = [np.count_nonzero(both) for both in (predicted & mask, predicted | mask, predicted, mask)]
        sums[group] = sums.get(group, np.zeros(4, int)) + counts
    return tell_ranking(rank_suspicions(suspicions, objects), ids), tell_offsets(offsets), compare_groups(sums)


def tell_ranking(ranking: Ranking, ids: Sequence[str]) -> Finding:
    """Tell the suspicions, the strongest first; those that the maps are sure of are counted."""
    cases: list[dict[str, Any]] = [
        {
            "image": ids[suspicion.tile], "kind": suspicion.kind, "box": list(suspicion.box), "area": suspicion.area,
            "confidence": round(suspicion.confidence, 3), "whole": suspicion.whole, "score": round(suspicion.score, 3),
        }
        for suspicion in ranking.suspicions
    ]  # fmt: skip
    sure = [case for case in cases if case["confidence"] >= SURE]
    missing, whole = (sum(case[key] == value for case in sure) for key, value in (("kind", "missing"), ("whole", True)))
    words = (
        f"{missing} seem to be missing, {len(sure) - missing} to be invented or gone, {whole} of them whole; "
        f"{len(cases)} contradictions are ranked, of {ranking.objects} buildings"
    )
    shown = [f"{case['image']} ({case['kind']})" for case in cases]
    return Finding("suspicious labels", len(sure), words + list_examples(shown), cases)


def tell_offsets(offsets: Mapping[str, Offset]) -> Finding:
    """Tell the masks that lie 2 px or more off their maps, among those that could be measured."""
    far = sorted((item for item in offsets.items() if item[1].length >= OFF), key=lambda item: -item[1].length)
    cases = [
        {"image": image_id, "down": round(offset.down, 2), "right": round(offset.right, 2),
         "correlation": round(offset.correlation, 3)}
        for image_id, offset in far
    ]  # fmt: skip
    shown = [f"{image_id} {tell_direction(offset.down, offset.right)}" for image_id, offset in far]
    words = f"{OFF:g} px or more, of {len(offsets)} that can be measured"
    return Finding("masks off their maps", len(cases), words + list_examples(shown), cases)


def compare_groups(sums: Mapping[str, np.ndarray]) -> Finding:
    """Tell the groups whose maps and masks agree far less than in other groups: IoU of the maps cut at 128.

    Args:
        sums: of each group, int (4,): pixels of both, of either, of the map's buildings, and of the label's.
    """
    ious = {group: float(own[0] / own[1]) for group, own in sums.items() if own[1] >= FEW}
    middle = float(np.median(list(ious.values()))) if ious else 0.0
    spread = 1.4826 * float(np.median([abs(iou - middle) for iou in ious.values()])) if ious else 0.0
    cases = [
        {"group": group, "iou": round(iou, 3), "predicted": int(sums[group][2]), "labelled": int(sums[group][3])}
        for group, iou in sorted(ious.items(), key=lambda item: item[1])
        if iou < middle - OUTLYING * spread
    ]
    words = f"IoU far below the median of {middle:.3f}" if cases else f"none; the median of their IoU is {middle:.3f}"
    shown = [f"{case['group']} {case['iou']}" for case in cases]
    return Finding("groups that differ", len(cases), words + list_examples(shown), cases)
