"""Checks of a data set before training: what each finds, in words, and the tiles that show it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pyproj import CRS

from members.audit.duplicates import Duplicate
from members.audit.neighbours import Neighbours
from members.audit.shifts import Edges, Shift, find_shift
from members.audit.tiles import Look

TINY = 16
"""Area below which an object is hardly a building, px."""
OFF = 2.0
"""Length from which a shift is told, px."""
EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        check: its name.
        count: how many cases; 0 is good, or just information.
        words: the cases, in words.
        cases: each by itself: numbers and names for a program, worst first.
    """

    check: str
    count: int
    words: str
    cases: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def check_kinds(looks: Sequence[Look]) -> Finding:
    """Count sizes, bands and coordinate systems; more than one of any is worth a look."""
    sizes = Counter(f"{look.frame.size[1]}x{look.frame.size[0]}" for look in looks)
    bands = Counter(look.bands for look in looks)
    systems = Counter(look.frame.crs or "none" for look in looks)
    names = Counter({name if name == "none" else CRS(name).name: count for name, count in systems.items()})
    kinds = {"size": sizes, "bands": bands, "CRS": names}
    words = "; ".join(f"{kind} {list_counts(counts)}" for kind, counts in kinds.items())
    return Finding("kinds", sum(len(counts) > 1 for counts in kinds.values()), words, [{**kinds}])


def check_duplicates(
    looks: Sequence[Look], training: int, duplicates: Sequence[Duplicate]
) -> tuple[Finding, Finding, Finding]:
    """Tell near-duplicates within the training part, between the parts, and whole groups that are copies.

    Args:
        looks: of the training tiles, then of the test tiles.
        training: how many are training tiles.
        duplicates: pairs by number.
    """
    within: list[dict[str, Any]] = []
    between: list[dict[str, Any]] = []
    for pair in duplicates:
        one, other = looks[pair.one], looks[pair.other]
        case: dict[str, Any] = {
            "one": one.tile.image_id,
            "other": other.tile.image_id,
            "exact": pair.exact,
            "correlation": round(pair.correlation, 3),
            "distance": pair.distance,
            "symmetry": pair.symmetry,
        }
        if pair.other < training:
            within.append(case | {"groups": sorted({one.tile.group, other.tile.group})})
        elif pair.one < training:
            between.append(case)
    torn = sum(len(case["groups"]) > 1 for case in within)
    exact = sum(case["exact"] for case in within)
    words = f"{exact} exact, {len(within) - exact} near, {torn} in two groups" if within else "none"
    return (
        Finding("copies in training", len(within), words + list_examples(show_pairs(within)), within),
        Finding("copies in training and test", len(between), say(show_pairs(between)), between),
        check_equal_groups([look.tile.group for look in looks[:training]], duplicates, training),
    )  # fmt: skip


def check_equal_groups(groups: Sequence[str], duplicates: Sequence[Duplicate], training: int) -> Finding:
    """Tell pairs of groups in which each tile of the one is a copy of a tile of the other."""
    sizes = Counter(groups)
    shared: dict[tuple[str, str], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for pair in duplicates:
        if pair.other < training and groups[pair.one] != groups[pair.other]:
            first, second = sorted((pair.one, pair.other), key=lambda number: groups[number])
            for numbers, number in zip(shared[groups[first], groups[second]], (first, second), strict=True):
                numbers.add(number)
    cases = [
        {"one": one, "other": other, "tiles": sizes[one]}
        for (one, other), numbers in shared.items()
        if (len(numbers[0]), len(numbers[1])) == (sizes[one], sizes[other]) and sizes[one] > 1
    ]
    return Finding("identical groups", len(cases), say(show_pairs(cases)), cases)


def check_ground(looks: Sequence[Look], training: int, neighbours: Sequence[Neighbours]) -> tuple[Finding, Finding]:
    """Tell tiles of one ground that are in two groups: those that overlap, and those that only touch.

    Args:
        looks: of the training tiles, then of the test tiles, each of which is a group of its own.
        training: how many are training tiles.
        neighbours: pairs by number, from positions or from borders.
    """
    overlapping: list[dict[str, Any]] = []
    touching: list[dict[str, Any]] = []
    for pair in neighbours:
        one, other = looks[pair.one].tile, looks[pair.other].tile
        if pair.one >= training or one.group == other.group:
            continue
        case = {
            "one": one.image_id, "other": other.image_id, "test": pair.other >= training,
            "overlap": round(pair.overlap, 3),
        }  # fmt: skip
        (overlapping if pair.overlap else touching).append(case)
    overlapping.sort(key=lambda case: -case["overlap"])
    found = []
    for name, cases in (("one ground in two groups", overlapping), ("neighbours in two groups", touching)):
        tests = sum(case["test"] for case in cases)
        words = f"{tests} of training and test" if cases else "none"
        found.append(Finding(name, len(cases), words + list_examples(show_pairs(cases)), cases))
    return found[0], found[1]


def check_blank(looks: Sequence[Look]) -> Finding:
    """Tell images that are of one value, or mostly so."""
    cases = [
        {"image": look.tile.image_id, "plain": round(look.plain, 3), "contrast": round(look.taken.contrast, 2)}
        for look in sorted(looks, key=lambda look: -look.plain)
        if look.is_blank
    ]
    return Finding("blank images", len(cases), say(show_images(cases)), cases)


def check_balance(looks: Sequence[Look]) -> Finding:
    """Tell the share of building pixels in each group, and which groups have no building."""
    pixels: Counter[str] = Counter()
    buildings: Counter[str] = Counter()
    empty = 0
    for look in looks:
        if look.labels:
            pixels[look.tile.group] += look.frame.size[0] * look.frame.size[1]
            buildings[look.tile.group] += look.labels.pixels
            empty += look.labels.pixels == 0
    shares = {group: buildings[group] / count for group, count in pixels.items()}
    shares = dict(sorted(shares.items(), key=lambda item: item[1]))
    bare = [group for group, share in shares.items() if share == 0]
    low, middle, high = np.quantile(list(shares.values()), (0, 0.5, 1))
    words = (
        f"{empty} of {len(looks)} tiles without a building; buildings cover {low:.1%} to {high:.1%} of a group, "
        f"{middle:.1%} in the median"
    )
    cases = [{"group": group, "share": round(share, 4)} for group, share in shares.items()]
    return Finding("groups without a building", len(bare), words + list_examples(bare), cases)


def check_tiny(looks: Sequence[Look]) -> Finding:
    """Tell masks with objects of a few pixels."""
    counts = {look.tile.image_id: int((look.labels.areas < TINY).sum()) for look in looks if look.labels}
    cases = [{"image": image, "objects": n} for image, n in sorted(counts.items(), key=lambda item: -item[1]) if n]
    total = sum(counts.values())
    words = f"under {TINY} px, in {len(cases)} masks" if cases else "none"
    return Finding("tiny objects", total, words + list_examples(show_images(cases)), cases)


def check_shifts(looks: Sequence[Look]) -> tuple[Finding, Finding]:
    """Tell groups and tiles whose masks lie off the edges of their images."""
    edges: dict[str, Edges] = {}
    tiles: list[tuple[str, Shift]] = []
    for look in looks:
        if look.labels is None:
            continue
        group, own = look.tile.group, look.labels.edges
        edges[group] = edges[group] + own if group in edges else own
        if shift := find_shift(own):
            tiles.append((look.tile.image_id, shift))
    groups = [(group, shift) for group, sums in edges.items() if (shift := find_shift(sums))]
    return tell_shifts("groups with shifted masks", "group", groups), tell_shifts("shifted masks", "image", tiles)


def tell_shifts(check: str, what: str, shifts: Sequence[tuple[str, Shift]]) -> Finding:
    """Tell the shifts of 2 px and more among those that could be measured, the longest first."""
    far = sorted((item for item in shifts if item[1].length >= OFF), key=lambda item: -item[1].length)
    cases = [
        {what: name, "down": shift.down, "right": shift.right, "certainty": round(shift.certainty, 2)}
        for name, shift in far
    ]
    words = f"{OFF:g} px or more, of {len(shifts)} that can be measured"
    shown = [f"{name} {tell_direction(shift.down, shift.right)}" for name, shift in far]
    return Finding(check, len(cases), words + list_examples(shown), cases)


def tell_direction(down: float, right: float) -> str:
    """Say a shift in words.

    >>> tell_direction(-3, 1)
    '3 px up, 1 px right'
    """
    parts = ((down, "down", "up"), (right, "right", "left"))
    return ", ".join(f"{abs(round(n, 1)):g} px {plus if n > 0 else minus}" for n, plus, minus in parts if round(n, 1))


def list_counts(counts: Mapping[str, int]) -> str:
    """List names by their frequency; with counts where there are several."""
    names = sorted(counts, key=lambda name: -counts[name])
    if len(names) == 1:
        return names[0]
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(f"{name} ({counts[name]})" for name in names[:EXAMPLES]) + more


def list_examples(names: Iterable[str]) -> str:
    """List the first few names behind a colon, or nothing."""
    shown = list(names)
    more = ", .." if len(shown) > EXAMPLES else ""
    return f": {', '.join(shown[:EXAMPLES])}{more}" if shown else ""


def say(names: Sequence[str]) -> str:
    """List the first few names, or say that there are none."""
    return list_examples(names).removeprefix(": ") or "none"


def show_pairs(cases: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name pairs."""
    return [f"{case['one']} and {case['other']}" for case in cases]


def show_images(cases: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name images."""
    return [str(case["image"]) for case in cases]
