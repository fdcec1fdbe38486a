"""Groups that tear nothing apart that belongs together, proposed from positions, names and pictures."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from members.audit.duplicates import Duplicate, find_duplicates
from members.audit.neighbours import Neighbours, find_touching, match_borders
from members.audit.prints import take_print
from members.common.files import write_target
from members.common.graphs import find_groups
from members.data.frames import Frame, read_frame
from members.data.groups import find_middle, name_square
from members.data.split import ENOUGH_GROUPS
from members.data.tiles import Tile

PART_OF_SCENE = re.compile(r"(.+?)[_-][a-z]*\d+[_-][a-z]*\d+", re.IGNORECASE)
SQUARES = (5000, 2000, 1000, 500, 200, 100)
"""Sides of squares on the ground that are tried where scenes are too few to be groups, m."""


@dataclass(frozen=True)
class Proposal:
    """Groups of tiles, and what they rest on.

    Attributes:
        groups: image id -> group.
        reasons: how many tiles are tied to another by each kind of tie: "touch", "name", "look".
        square: side of the squares on the ground that scenes were cut into, m; None where they were not.
        torn: pairs of tiles that touch and are in two groups all the same, on the squares' borders.
    """

    groups: Mapping[str, str]
    reasons: Mapping[str, int]
    square: int | None = None
    torn: int = 0

    @property
    def count(self) -> int:
        """The number of groups."""
        return len(set(self.groups.values()))

    def describe(self) -> str:
        """Say how many groups there are and why, as part of a sentence."""
        words = {
            "touch": "touch or continue another",
            "name": "share the start of their name",
            "look": "are copies",
        }
        why = [f"{count} {words[kind]}" for kind, count in self.reasons.items() if count]
        said = f"{self.count} groups of {len(self.groups)} tiles ({', '.join(why) or 'none is tied to another'})"
        if self.square is not None:
            said += f", cut into squares of {self.square} m, or they would be fewer than {ENOUGH_GROUPS}"
        return said

    def write(self, path: Path) -> None:
        """Write the groups as groups.csv.

        Raises:
            InputError: it cannot be written; `path` is as it was.
        """
        rows = [f"{image_id},{group}\n" for image_id, group in self.groups.items()]
        with write_target(path) as temporary:
            temporary.write_text("image_id,group\n" + "".join(rows), encoding="utf-8")


def propose_from_tiles(tiles: Sequence[Tile], read_image: Callable[[int], np.ndarray]) -> Proposal:
    """Propose groups of tiles; `read_image` reads the image of one by its number, uint8 (h, w, 3)."""
    prints = [take_print(read_image(number)) for number in range(len(tiles))]
    frames = [read_frame(tile.image) for tile in tiles]
    neighbours = find_touching(frames) + match_borders(prints, frames)
    return propose_groups(frames, find_duplicates(prints, read_image), neighbours)


def propose_groups(
    frames: Sequence[Frame], duplicates: Sequence[Duplicate], neighbours: Sequence[Neighbours]
) -> Proposal:
    """Propose groups where a data set has none.

    Tiles that touch, look alike, or whose names differ in a row and a column alone, are of one group. Where that leaves
    too few groups to choose anything on, and all tiles are georeferenced, scenes are cut into the largest squares that
    give enough; copies and overlapping tiles stay together.
    """
    scenes = [name_scene(frame.image_id) for frame in frames]
    first_of: dict[str, int] = {}
    named = [(first_of.setdefault(scene, number), number) for number, scene in enumerate(scenes) if scene is not None]
    ties = {
        "touch": [(pair.one, pair.other) for pair in neighbours],
        "name": [pair for pair in named if pair[0] != pair[1]],
        "look": [(pair.one, pair.other) for pair in duplicates],
    }
    reasons = {kind: len({number for pair in pairs for number in pair}) for kind, pairs in ties.items()}
    whole = connect(frames, [pair for pairs in ties.values() for pair in pairs], scenes)
    if len(set(whole.values())) >= ENOUGH_GROUPS or any(frame.crs is None for frame in frames):
        return Proposal(whole, reasons)
    firm = ties["look"] + [(pair.one, pair.other) for pair in neighbours if pair.overlap]
    middles = [find_middle(frame, Path(frame.image_id)) for frame in frames]
    for side in SQUARES:
        squares = [name_square(*middle, side) for middle in middles]
        corner: dict[str, int] = {}
        same = [(corner.setdefault(square, number), number) for number, square in enumerate(squares)]
        groups = connect(frames, same + firm, squares)
        if len(set(groups.values())) >= ENOUGH_GROUPS:
            ids = [frame.image_id for frame in frames]
            torn = sum(groups[ids[one]] != groups[ids[other]] for one, other in ties["touch"])
            return Proposal(groups, reasons, side, torn)
    return Proposal(whole, reasons)


def mend_groups(
    groups: Mapping[str, str], duplicates: Sequence[Duplicate], neighbours: Sequence[Neighbours]
) -> Proposal:
    """Join the groups of a data set that share copies or ground; image ids in the order of the pairs' numbers."""
    ids, names = list(groups), list(groups.values())
    copies = [(pair.one, pair.other) for pair in duplicates]
    ground = [(pair.one, pair.other) for pair in neighbours if pair.overlap]
    first_of: dict[str, int] = {}
    own = [(first_of.setdefault(name, number), number) for number, name in enumerate(names)]
    parts = find_groups(len(ids), own + copies + ground)
    joined: dict[int, str] = {}
    mended = {image_id: joined.setdefault(part, name) for image_id, part, name in zip(ids, parts, names, strict=True)}
    reasons = {kind: len({n for pair in pairs for n in pair}) for kind, pairs in (("touch", ground), ("look", copies))}
    return Proposal(mended, reasons)


def tell_ungrouped(root: Path, proposal: Proposal) -> str:
    """Say that a data set has no groups, and which are proposed."""
    said = f"NO GROUPS: {root} has no tiles.csv or groups.csv, so each tile is its own group"
    if proposal.count == len(proposal.groups):
        return f"{said}; nothing tells that any belong together, but tiles of one picture or place have to"
    cure = "roofstack audit --output DIR writes groups.csv, to be put into the data set's folder"
    return (
        f"{said}, and tiles that belong together stand on both sides of a split: scores will be too good. Proposed: "
        f"{proposal.describe()}; {cure}"
    )


def name_scene(image_id: str) -> str | None:
    """Return the part of an image id before `_ROW_COL`; None where it does not end so.

    >>> name_scene("austin1_3_14"), name_scene("zurich-r02-c11"), name_scene("tile_14")
    ('austin1', 'zurich', None)
    """
    found = PART_OF_SCENE.fullmatch(image_id)
    return found[1] if found else None


def connect(frames: Sequence[Frame], pairs: Sequence[tuple[int, int]], names: Sequence[str | None]) -> dict[str, str]:
    """Return the groups that pairs connect, by image id: named as all their tiles are, or after their first tile."""
    parts = find_groups(len(frames), pairs)
    found: dict[int, list[int]] = {}
    for number, part in enumerate(parts.tolist()):
        found.setdefault(part, []).append(number)
    label = {}
    for part, numbers in found.items():
        own = {names[number] for number in numbers}
        label[part] = str(own.pop()) if len(own) == 1 and None not in own else frames[numbers[0]].image_id
    twice = {name for name, count in Counter(label.values()).items() if count > 1}
    for part, numbers in found.items():
        if label[part] in twice:  # one scene that is in several pieces
            label[part] = frames[numbers[0]].image_id
    return {frame.image_id: label[part] for frame, part in zip(frames, parts.tolist(), strict=True)}
