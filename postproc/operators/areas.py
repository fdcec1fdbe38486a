"""Minimum areas of holes and of objects, compiled: all pairs of them, at many thresholds, without making a picture.

A picture is cut into runs: stretches of a line that have one value. From bright to dark they join to objects, and from
dark to bright to holes (union-find, as component trees are built: Berger et al. 2007,
doi:10.1109/ICIP.2007.4379949), and the pixels of the small ones are summed on the way. Where no small object touches
a small hole, filling and dropping do not see one another, and a pair of areas removes and adds what each of the two
does alone. Where one does, the mask's components are joined at that threshold, hole by hole.

Everything that calls one another is in this file: numba's cache would not see a change in another one.
"""

import numpy as np

from members.common.compiled import compiled


@compiled
def count_areas(
    picture: np.ndarray, truth_sums: np.ndarray, hole_areas: np.ndarray, object_areas: np.ndarray, most: int
) -> np.ndarray:
    """Count the mask's pixels for every pair of a minimum area of holes and then one of objects, 4-connected.

    Args:
        picture: uint8 (height, width), of values 0..most; the mask at t is picture >= t.
        truth_sums: int32 (height, width + 1), how many pixels of the truth are left of each, as `sum_lines` gives it.
        hole_areas: int64 (holes,), increasing from 0; holes of a smaller area are filled.
        object_areas: int64 (objects,), increasing from 0; objects of a smaller area are dropped.
        most: the highest threshold.

    Returns:
        int32 (most, holes, objects, 2), [t - 1] of the mask at t: pixels of the truth's background and building.
    """
    runs = cut_runs(picture, truth_sums)
    levels = runs[0]
    largest = max(hole_areas[-1], object_areas[-1])
    dropped, base, large_below = sum_small(runs, levels, object_areas, largest, most)
    inverted = most - levels
    filled, _, below = sum_small(runs, inverted, hole_areas, largest, most)
    large_above = most - below
    coupled = find_coupled(runs, large_below, large_above, most)
    if picture.size < largest:  # a mask without an object may be one small hole
        coupled[:] = True
    counts = np.empty((most, len(hole_areas), len(object_areas), 2), np.int32)
    for t in range(1, most + 1):
        if coupled[t]:
            count_pairs(runs, t, hole_areas, object_areas, counts[t - 1])
            continue
        for hole in range(len(hole_areas)):
            for least in range(len(object_areas)):
                for kind in range(2):
                    counts[t - 1, hole, least, kind] = (
                        base[t, kind] + filled[most - t + 1, hole, kind] - dropped[t, least, kind]
                    )
    return counts


@compiled
def add_areas(
    picture: np.ndarray,
    truth_sums: np.ndarray,
    areas: np.ndarray,
    ranks: np.ndarray,
    entries: np.ndarray,
    unit: int,
    sums: np.ndarray,
) -> None:
    """Add a tile's counts of every pair of areas to sums: at thresholds, or the most that any between two could reach.

    Args:
        picture: uint8 (height, width).
        truth_sums: as for `count_areas`.
        areas: int64 (areas,), increasing from 0, of holes and of objects.
        ranks: uint8 (256,), how many of the thresholds are no higher than each value; the last is their number n.
        entries: int64 (entries, 2), the numbers, from 0, of a lower and an upper threshold; one alone is both.
        unit: what an IoU of 1 adds to the sum of IoU.
        sums: int64 (3, entries, areas, areas), to which intersection, union and IoU are added. A mask between two
            thresholds lies between theirs, whatever the areas: it meets no more of the truth than the lower one's, and
            has no fewer pixels beside it than the upper one's.
    """
    height, width = picture.shape
    ranked = np.empty((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            ranked[y, x] = ranks[picture[y, x]]
    most = 0 + ranks[255]  # an integer: as a byte it would be a negative size from 128 on
    counts = count_areas(ranked, truth_sums, areas, areas, most)
    truth = 0
    for y in range(height):
        truth += truth_sums[y, width]
    for n in range(len(entries)):
        low, high = entries[n]
        for hole in range(len(areas)):
            for least in range(len(areas)):
                inside = counts[low, hole, least, 1]
                either = truth + counts[high, hole, least, 0]
                ratio = 1.0 if either == 0 else inside / either
                sums[0, n, hole, least] += inside
                sums[1, n, hole, least] += either
                sums[2, n, hole, least] += int(np.rint(ratio * unit))


@compiled
def sum_lines(truth: np.ndarray) -> np.ndarray:
    """Return how many pixels of a mask, bool (height, width), are left of each: int32 (height, width + 1)."""
    sums = np.zeros((truth.shape[0], truth.shape[1] + 1), np.int32)
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            sums[y, x + 1] = sums[y, x] + truth[y, x]
    return sums


@compiled
def cut_runs(
    picture: np.ndarray, truth_sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut a picture into runs, line by line.

    Returns:
        levels: int32 (runs,), the value of each.
        sizes: int32 (runs, 2), its pixels in the truth's background and building.
        neighbours: int32 (2 * pairs,), the runs that touch the first, then those that touch the second, ..
        starts: int32 (runs + 1,), where each run's neighbours begin.
        pairs: int32 (pairs, 2), runs that touch, the earlier one first.
    """
    height, width = picture.shape
    count = 0
    for y in range(height):
        count += 1
        for x in range(1, width):
            count += picture[y, x] != picture[y, x - 1]
    levels, begins, sizes = np.empty(count, np.int32), np.empty(count, np.int32), np.empty((count, 2), np.int32)
    ends = np.empty(count, np.int32)
    lines = np.empty(height + 1, np.int32)
    n = 0
    for y in range(height):
        lines[y] = n
        start = 0
        for x in range(1, width + 1):
            if x == width or picture[y, x] != picture[y, x - 1]:
                building = truth_sums[y, x] - truth_sums[y, start]
                levels[n], begins[n], ends[n] = picture[y, start], start, x
                sizes[n, 0], sizes[n, 1] = x - start - building, building
                n += 1
                start = x
    lines[height] = n
    # two lines of m and n runs touch in fewer than m + n places
    pairs = np.empty((3 * count + 1, 2), np.int32)
    touching = 0
    for y in range(height):
        for i in range(lines[y], lines[y + 1] - 1):
            pairs[touching, 0], pairs[touching, 1] = i, i + 1
            touching += 1
        if y + 1 < height:
            i, j = lines[y], lines[y + 1]
            while i < lines[y + 1] and j < lines[y + 2]:
                pairs[touching, 0], pairs[touching, 1] = i, j
                touching += 1
                if ends[i] < ends[j]:
                    i += 1
                elif ends[i] > ends[j]:
                    j += 1
                else:
                    i += 1
                    j += 1
    starts = np.zeros(count + 1, np.int32)
    for p in range(touching):
        starts[pairs[p, 0] + 1] += 1
        starts[pairs[p, 1] + 1] += 1
    for i in range(count):
        starts[i + 1] += starts[i]
    neighbours, places = np.empty(2 * touching, np.int32), starts[:-1].copy()
    for p in range(touching):
        i, j = pairs[p]
        neighbours[places[i]] = j
        neighbours[places[j]] = i
        places[i] += 1
        places[j] += 1
    return levels, sizes, neighbours, starts, pairs[:touching]


@compiled
def find_root(parents: np.ndarray, i: int) -> int:
    """Return the root of a node's set, and shorten the way there."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@compiled
def rank_areas(areas: np.ndarray, largest: int) -> np.ndarray:
    """Return how many of the minimum areas an area reaches, for the areas 0..largest: int64 (largest + 1,)."""
    ranks = np.zeros(largest + 1, np.int64)
    for area in range(largest + 1):
        for least in areas:
            ranks[area] += area >= least
    return ranks


@compiled
def sum_small(
    runs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    levels: np.ndarray,
    areas: np.ndarray,
    largest: int,
    most: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum the pixels of small objects at every threshold.

    Args:
        runs: as `cut_runs` gives them.
        levels: int32 (runs,), their values, or those of the complement.
        areas: int64 (areas,), as for `count_areas`.
        largest: objects of this area and above are large.
        most: the highest threshold.

    Returns:
        small: int64 (most + 1, areas, 2), [t, a] the pixels of objects of fewer than areas[a], at t.
        base: int64 (most + 1, 2), [t] the pixels of all objects.
        large_below: int32 (runs,), the highest threshold at which the run's object is large; 0 where there is none.
    """
    _, sizes, neighbours, starts, _ = runs
    count = len(levels)
    ranks = rank_areas(areas, largest)
    offsets = np.zeros(most + 2, np.int64)
    for level in levels:
        offsets[level + 1] += 1
    for level in range(most + 1):
        offsets[level + 1] += offsets[level]
    order, places = np.empty(count, np.int32), offsets[:-1].copy()
    for i in range(count):
        order[places[levels[i]]] = i
        places[levels[i]] += 1
    parents = np.full(count, -1, np.int32)
    own = sizes.copy()
    following = np.arange(count).astype(np.int32)  # the runs of each small object, in a ring
    large_below = np.zeros(count, np.int32)
    by_rank = np.zeros((len(areas) + 1, 2), np.int64)
    total = np.zeros(2, np.int64)
    small, base = np.zeros((most + 1, len(areas), 2), np.int64), np.zeros((most + 1, 2), np.int64)
    for level in range(most, 0, -1):
        for place in range(offsets[level], offsets[level + 1]):
            i = order[place]
            root = i
            parents[i] = i
            area = own[i, 0] + own[i, 1]
            total[0] += own[i, 0]
            total[1] += own[i, 1]
            if area >= largest:
                large_below[i] = level
            else:
                by_rank[ranks[area], 0] += own[i, 0]
                by_rank[ranks[area], 1] += own[i, 1]
            for n in range(starts[i], starts[i + 1]):
                if parents[neighbours[n]] < 0:
                    continue
                other = find_root(parents, neighbours[n])
                if other == root:
                    continue
                area, other_area = own[root, 0] + own[root, 1], own[other, 0] + own[other, 1]
                if other_area > area:
                    root, other, area, other_area = other, root, other_area, area
                joined = area + other_area
                if other_area < largest:
                    by_rank[ranks[other_area], 0] -= own[other, 0]
                    by_rank[ranks[other_area], 1] -= own[other, 1]
                    if joined >= largest:
                        mark_ring(large_below, following, other, level)
                if area < largest:
                    by_rank[ranks[area], 0] -= own[root, 0]
                    by_rank[ranks[area], 1] -= own[root, 1]
                    if joined >= largest:
                        mark_ring(large_below, following, root, level)
                parents[other] = root
                own[root, 0] += own[other, 0]
                own[root, 1] += own[other, 1]
                if joined < largest:
                    by_rank[ranks[joined], 0] += own[root, 0]
                    by_rank[ranks[joined], 1] += own[root, 1]
                    following[root], following[other] = following[other], following[root]
        for kind in range(2):
            base[level, kind] = total[kind]
            for a in range(1, len(areas)):
                small[level, a, kind] = small[level, a - 1, kind] + by_rank[a, kind]
    return small, base, large_below


@compiled
def mark_ring(marks: np.ndarray, following: np.ndarray, first: int, mark: int) -> None:
    """Mark all runs of a ring."""
    i = first
    while True:
        marks[i] = mark
        i = following[i]
        if i == first:
            break


@compiled
def find_coupled(
    runs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    large_below: np.ndarray,
    large_above: np.ndarray,
    most: int,
) -> np.ndarray:
    """Tell at which thresholds a small object touches a small hole, bool (most + 1,).

    Args:
        runs: as `cut_runs` gives them.
        large_below: int32 (runs,), the run's object is small above this threshold.
        large_above: int32 (runs,), the run's hole is large above this threshold.
        most: the highest threshold.
    """
    levels, _, _, _, pairs = runs
    coupled = np.zeros(most + 1, np.bool_)
    for p in range(len(pairs)):
        for way in range(2):
            i, j = pairs[p, way], pairs[p, 1 - way]
            for t in range(max(levels[j], large_below[i]) + 1, min(levels[i], large_above[j]) + 1):
                coupled[t] = True
    return coupled


@compiled
def count_pairs(
    runs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    threshold: int,
    hole_areas: np.ndarray,
    object_areas: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Fill counts, int32 (holes, objects, 2), with the pixels of the mask at one threshold."""
    levels, sizes, _, _, pairs = runs
    count = len(levels)
    parents = np.arange(count).astype(np.int32)
    own = sizes.copy()
    for p in range(len(pairs)):
        i, j = pairs[p]
        if (levels[i] >= threshold) == (levels[j] >= threshold):
            join(parents, own, i, j)
    roots = np.empty(count, np.int32)
    filled_at = np.full(count, len(hole_areas), np.int32)  # of holes: the first minimum area that fills them
    components = 0
    for i in range(count):
        if parents[i] == i:
            roots[components] = i
            components += 1
            if levels[i] < threshold:
                area = own[i, 0] + own[i, 1]
                for hole in range(len(hole_areas) - 1, -1, -1):
                    if area < hole_areas[hole]:
                        filled_at[i] = hole
    bridges, steps = np.empty((len(pairs), 2), np.int32), np.empty(len(pairs), np.int32)
    used = 0
    for p in range(len(pairs)):
        i, j = pairs[p]
        if (levels[i] >= threshold) == (levels[j] >= threshold):
            continue
        step = filled_at[find_root(parents, i if levels[i] < threshold else j)]
        if step < len(hole_areas):
            bridges[used, 0], bridges[used, 1], steps[used] = i, j, step
            used += 1
    is_object = np.zeros(count, np.bool_)
    for c in range(components):
        is_object[roots[c]] = levels[roots[c]] >= threshold
    for hole in range(len(hole_areas)):
        for c in range(components):
            if filled_at[roots[c]] == hole:
                is_object[roots[c]] = True
        for b in range(used):
            if steps[b] == hole:
                join(parents, own, bridges[b, 0], bridges[b, 1])
        counts[hole] = 0
        for c in range(components):
            root = roots[c]
            if parents[root] == root and (is_object[root]):
                area = own[root, 0] + own[root, 1]
                for least in range(len(object_areas)):
                    if area >= object_areas[least]:
                        counts[hole, least, 0] += own[root, 0]
                        counts[hole, least, 1] += own[root, 1]


@compiled
def join(parents: np.ndarray, own: np.ndarray, i: int, j: int) -> None:
    """Join the sets of two runs; the earlier root stays one."""
    i, j = find_root(parents, i), find_root(parents, j)
    if i == j:
        return
    if i > j:
        i, j = j, i
    parents[j] = i
    own[i, 0] += own[j, 0]
    own[i, 1] += own[j, 1]
