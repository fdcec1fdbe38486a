"""Regularisation: straight walls and right angles, kept only where the outline stays close to its source."""

import functools
from typing import NamedTuple

import numpy as np
import scipy
import shapely

from postproc.polygons.corners import Segments
from postproc.polygons.directions import find_directions, share_directions
from postproc.polygons.forms import cut_walls, draw_forms
from postproc.polygons.gate import Gate
from postproc.polygons.simplification import simplify_outlines

ROW_GAP = 2.0  # buildings that are this near may stand in a row, in units of the tolerance
LEAST_TOLERANCE = 1.0  # px: finer walls would follow the pixels
ROUNDNESS = 0.05  # of a circle: the standard deviation of its radius over the mean; a square has 0.11
ROUND_FILL = 0.2  # of a circle: how much its area may differ from that of its mean radius
ROUND_RADIUS = 8.0  # smaller blobs look round whatever they were, px


class Walls(NamedTuple):
    """The walls of all sources, as `cut_walls` gives them, with what `find_directions` finds of them."""

    segments: Segments
    ring_starts: np.ndarray
    angles: np.ndarray
    weights: np.ndarray


class Drawn:
    """What was drawn so far: of each source the form, or itself; whether that passed; whether it is known."""

    def __init__(self, sources: np.ndarray) -> None:
        self.forms = sources.copy()
        self.passed, self.known = np.zeros((2, len(sources)), bool)

    def take(self, which: np.ndarray, found: tuple[np.ndarray, np.ndarray]) -> None:
        """Take what `draw_forms` found of some."""
        self.forms[which], self.passed[which] = found
        self.known[which] = True


class Forms:
    """Straight, squared and simplified forms of outlines: each is made once, for all ways to split and tolerances.

    Args:
        sources: Polygon (n,), valid, as `trace_mask` gives them, px.
        gate: how close a form must be to its source.
    """

    def __init__(self, sources: np.ndarray, gate: Gate) -> None:
        self.sources, self.gate = sources, gate
        self._walls: dict[float, Walls] = {}
        self._straight: dict[float, Drawn] = {}
        self._squared: dict[float, tuple[Drawn, np.ndarray]] = {}
        self._simplified: dict[tuple[float, bytes], np.ndarray] = {}

    def regularise(
        self, which: np.ndarray, tolerance: float, fixed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give outlines that stand together straight walls, at right angles where they stay close to what they were.

        Straight walls are those of `segment_rings`. To be squared they follow the direction that most length of the
        outline's walls has, modulo 90 degrees; neighbours in a row share it, long diagonal walls keep theirs.
        Courtyards stay, holes of less than four times the tolerance's square are closed. Circles are not squared. Where
        straight walls fail the gate, finer ones are tried, down to `LEAST_TOLERANCE`.

        Args:
            which: int (m,), their numbers among the sources.
            tolerance: a corner is set where it saves the tolerance's cube of squared distance along the walls, px;
                squared walls lose steps and bumps of less than four times its square. 0 leaves all as it is.
            fixed: bool (m,), which of them are neighbours only, and stay as they are; None: none.

        Returns:
            straight: Polygon (m,), valid; the source where there is none that passes.
            squared: Polygon (m,), valid; the source where there is none that passes.
            levels: int64 (m,), the most regular form that passes: 2 squared, 1 straight, 0 the source.
        """
        sources, levels = self.sources[which], np.zeros(len(which), np.int64)
        if not len(which) or tolerance <= 0:
            return sources, sources, levels
        free = np.ones(len(which), bool) if fixed is None else ~fixed
        walls = self._cut(tolerance)
        straight, passed = self._straighten(which, tolerance)
        levels[passed & free] = 1
        angles = share_directions(straight, walls.angles[which], walls.weights[which], ROW_GAP * tolerance)
        square = free & ~np.isnan(angles) & ~self._round[which]
        squared = sources.copy()
        squared[square], passed = self._square(which[square], tolerance, angles[square])
        levels[np.flatnonzero(square)[passed]] = 2
        left = np.flatnonzero(free & (levels == 0))
        while len(left) and tolerance / 2 >= LEAST_TOLERANCE:
            tolerance /= 2
            straight[left], passed = self._straighten(which[left], tolerance)
            levels[left[passed]] = 1
            left = left[~passed]
        return straight, squared, levels

    def simplify(self, which: np.ndarray, tolerance: float) -> np.ndarray:
        """Simplify outlines together, as `simplify_outlines` does.

        Where the bounds of two are apart neither changes the other, so that a cluster of those whose bounds meet is
        simplified once, however often it is asked for.

        Args:
            which: int64 (m,), their numbers among the sources.
            tolerance: as for `simplify_outlines`.

        Returns:
            Polygon (m,).
        """
        chosen = np.zeros(len(self.sources), bool)
        chosen[which] = True
        one, other = self._meetings[:, chosen[self._meetings].all(axis=0)]
        links = scipy.sparse.coo_array((np.ones(len(one)), (one, other)), shape=(len(chosen),) * 2)
        clusters = scipy.sparse.csgraph.connected_components(links, directed=False)[1][which]
        order = np.argsort(clusters, kind="stable")
        parts = np.split(which[order], np.flatnonzero(np.diff(clusters[order])) + 1)
        keys = [(tolerance, part.tobytes()) for part in parts]
        new = {key: part for key, part in zip(keys, parts, strict=True) if key not in self._simplified}
        if new:
            made = simplify_outlines(self.sources[np.concatenate(list(new.values()))], tolerance)
            ends = np.cumsum([len(part) for part in new.values()])
            self._simplified |= zip(new, np.split(made, ends[:-1]), strict=True)
        simplified = np.empty(len(which), object)
        simplified[order] = np.concatenate([self._simplified[key] for key in keys])
        return simplified

    @functools.cached_property
    def _meetings(self) -> np.ndarray:
        """The pairs of sources whose bounds meet, int64 (2, pairs)."""
        boxes = shapely.box(*shapely.bounds(self.sources).T)
        return shapely.STRtree(boxes).query(boxes)

    @functools.cached_property
    def _round(self) -> np.ndarray:
        return are_round(self.sources)

    def _cut(self, tolerance: float) -> Walls:
        if tolerance not in self._walls:
            segments, ring_starts = cut_walls(self.sources, tolerance)
            self._walls[tolerance] = Walls(segments, ring_starts, *find_directions(segments, ring_starts, tolerance))
        return self._walls[tolerance]

    def _straighten(self, which: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return straight forms, Polygon (m,), the source where none passes, and bool (m,), which pass."""
        drawn = self._straight.setdefault(tolerance, Drawn(self.sources))
        new = which[~drawn.known[which]]
        if len(new):
            walls = self._walls.get(tolerance)
            if walls is None:
                cut, numbers = cut_walls(self.sources[new], tolerance), np.arange(len(new))
            else:
                cut, numbers = (walls.segments, walls.ring_starts), new
            drawn.take(
                new, draw_forms(self.sources[new], *cut, numbers, np.full(len(new), np.nan), tolerance, self.gate)
            )
        return drawn.forms[which], drawn.passed[which]

    def _square(self, which: np.ndarray, tolerance: float, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return squared forms along angles, float (m,), as `_straighten` returns straight ones."""
        drawn, known = self._squared.setdefault(tolerance, (Drawn(self.sources), np.full(len(self.sources), np.nan)))
        other = known[which] != angles
        new, own = which[other], angles[other]
        if len(new):
            walls = self._cut(tolerance)
            cut = walls.segments, walls.ring_starts
            drawn.take(new, draw_forms(self.sources[new], *cut, new, own, tolerance, self.gate))
            known[new] = own
        return drawn.forms[which], drawn.passed[which]


def are_round(outlines: np.ndarray) -> np.ndarray:
    """Tell which outlines are circles, bool (n,)."""
    points, owners = shapely.get_coordinates(shapely.get_exterior_ring(outlines), return_index=True)
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    radii = np.hypot(*(points - centres[owners]).T)
    counts = np.maximum(np.bincount(owners, minlength=len(outlines)), 1)
    means = np.bincount(owners, weights=radii, minlength=len(outlines)) / counts
    squares = np.bincount(owners, weights=(radii - means[owners]) ** 2, minlength=len(outlines)) / counts
    filled = shapely.area(shapely.polygons(shapely.get_exterior_ring(outlines)))
    # a rectangle's corners are as far from its centre as a circle's, but it fills less of that circle
    full = np.abs(filled / (np.pi * means**2) - 1) < ROUND_FILL
    return full & (np.sqrt(squares) < ROUNDNESS * means) & (means > ROUND_RADIUS)
