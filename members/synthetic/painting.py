"""The canvas of a drawn aerial scene, and everything on it that is no building.

A canvas knows the colour, the height and the slope of each point of the ground. Light comes from one sun:
slopes turn brighter or darker, and heights cast shadows, whatever was painted.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
Inside = NDArray[np.bool_]
Point = tuple[float, float]
Colour = tuple[float, float, float]

PIXEL = 0.3  # metres on the ground
FINE = 2  # canvas samples along one pixel: edges get the mixed pixels that optics give them
STEP = PIXEL / FINE
MARGIN = 24  # pixels painted beyond each border, so that shadows and halves of houses enter from outside

BRIGHTEST = np.float32(1.3)  # of 1 for flat ground: film and eye compress what lies steeply towards the sun

CAR_COLOURS = (
    (0.85, 0.86, 0.87),
    (0.14, 0.14, 0.16),
    (0.55, 0.57, 0.60),
    (0.55, 0.12, 0.12),
    (0.16, 0.26, 0.48),
)
SHEET_COLOURS = (
    (0.15, 0.36, 0.66),
    (0.62, 0.24, 0.16),
    (0.20, 0.42, 0.32),
    (0.80, 0.80, 0.78),
    (0.70, 0.45, 0.15),
)
GLASS = (0.13, 0.16, 0.20)


class Frame(NamedTuple):
    """A window of the canvas in the axes of one object: metres along and across it from its centre."""

    window: tuple[slice, slice]
    along: Field
    across: Field
    angle: float


class Canvas:
    """Ground of `size` pixels and a margin; positions are metres from its centre, x to the right, y down.

    `sun` is the azimuth on the canvas (radians from x towards y) and the elevation (radians) of the sun.
    Colours are display values in 0..1, heights are metres.
    """

    def __init__(self, size: int, sun: tuple[float, float], rng: np.random.Generator) -> None:
        self.side = FINE * (size + 2 * MARGIN)
        self.reach = self.side * STEP / 2
        self.sun = sun
        self.colour = np.zeros((3, self.side, self.side), np.float32)
        self.height = np.zeros((self.side, self.side), np.float32)
        self.light = np.ones((self.side, self.side), np.float32)
        self.building = np.zeros((self.side, self.side), np.uint16)  # 1, 2, .. in the order of painting
        self.grain = rng.standard_normal((self.side, self.side), np.float32)
        self.leaves = draw_noise(rng, self.side, 0.7)
        self.mottle = draw_noise(rng, self.side, 2.5)
        self.relief = draw_noise(rng, self.side, 14.0)

    def frame(self, centre: Point, angle: float, reach: float) -> Frame:
        """Return the part of the canvas within `reach` metres of `centre`, in axes turned by `angle` radians."""
        axes = []
        for position in centre:
            middle = position / STEP + self.side / 2
            low, high = np.clip((int(middle - reach / STEP), int(middle + reach / STEP) + 2), 0, self.side)
            axes.append((slice(int(low), int(high)), (np.arange(low, high, dtype=np.float32) + 0.5 - middle) * STEP))
        (columns, x), (rows, y) = axes
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along, across = x * cos + y[:, None] * sin, y[:, None] * cos - x * sin
        return Frame((rows, columns), along, across, angle)

    def paint(
        self,
        frame: Frame,
        inside: Inside,
        colour: Colour | Field,
        height: float | Field = 0.0,
        slope: tuple[float | Field, float | Field] = (0.0, 0.0),
    ) -> None:
        """Cover the points `inside` with a surface, save where something higher hides it from above.

        `slope` is the surface's rise per metre along and across `frame`.
        """
        inside = inside & (height >= self.height[frame.window])
        azimuth, elevation = self.sun[0] - frame.angle, self.sun[1]
        along, across = slope
        glance = 1 / math.tan(elevation)
        ahead, aside = glance * math.cos(azimuth), glance * math.sin(azimuth)
        light = np.maximum(1 - along * ahead - across * aside, 0) / np.sqrt(1 + np.square(along) + np.square(across))
        light = np.minimum(light, BRIGHTEST)
        np.copyto(self.light[frame.window], light, where=inside, casting="same_kind")
        np.copyto(self.height[frame.window], height, where=inside, casting="same_kind")
        np.copyto(self.colour[:, *frame.window], as_planes(colour), where=inside)

    def tint(self, frame: Frame, inside: Inside, colour: Colour, strength: float) -> None:
        """Mix `colour` into what is painted `inside`; heights and light stay as they are."""
        patch = self.colour[:, *frame.window]
        np.copyto(patch, patch + np.float32(strength) * (as_planes(colour) - patch), where=inside)

    def cast_shadows(self) -> Inside:
        """Find the points that something higher hides from the sun.

        Look towards the sun over distances that double from shift to shift, so seven shifts see 19 m.
        """
        azimuth, elevation = self.sun
        skyline = self.height
        for step in 2.0 ** np.arange(7):
            move = np.array([[1, 0, step * np.cos(azimuth)], [0, 1, step * np.sin(azimuth)]])
            nearer = cv2.warpAffine(skyline, move, skyline.shape, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            skyline = np.maximum(skyline, nearer - np.float32(step * STEP * np.tan(elevation)))
        return skyline > self.height + 0.25


def draw_noise(rng: np.random.Generator, side: int, cell: float) -> Field:
    """Draw smooth noise of mean 0 and deviation near 1 with features of `cell` metres, shape (side, side)."""
    knots = int(side * STEP / cell) + 3
    coarse = rng.standard_normal((knots, knots), np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def as_planes(colour: Colour | Field) -> Field:
    """Turn one colour into an array that broadcasts over planes, shape (3, 1, 1); return planes as they are."""
    return colour if isinstance(colour, np.ndarray) else np.array(colour, np.float32)[:, None, None]


def jitter(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """Draw a colour like `colour`: brighter or darker by about `amount`, and a quarter of that off in hue."""
    varied = np.clip(np.multiply(colour, 1 + amount * rng.normal() + amount / 4 * rng.normal(size=3)), 0.03, 0.97)
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def speckle(canvas: Canvas, frame: Frame, colour: Colour, grain: float, mottle: float) -> Field:
    """Give `colour` fine and patchy variation, shape (3, rows, columns)."""
    variation = 1 + grain * canvas.grain[frame.window] + mottle * canvas.mottle[frame.window]
    return variation * as_planes(colour)


def cover_rectangle(frame: Frame, length: float, width: float) -> Inside:
    """Find the points of a frame within a rectangle round its centre, in metres along and across."""
    return (np.abs(frame.along) <= length / 2) & (np.abs(frame.across) <= width / 2)


def paint_slab(
    canvas: Canvas,
    centre: Point,
    angle: float,
    size: tuple[float, float],
    colour: Colour,
    height: float = 0.0,
) -> None:
    """Paint a flat mottled rectangle of `size` (length, width) metres: a court, a drive, a wall, a box on a roof."""
    frame = canvas.frame(centre, angle, float(np.hypot(*size)) / 2)
    canvas.paint(frame, cover_rectangle(frame, *size), speckle(canvas, frame, colour, 0.03, 0.05), height)


def paint_hedge(canvas: Canvas, centre: Point, angle: float, length: float, colour: Colour) -> None:
    """Paint a leafy strip 1.2 m wide and 1.5 m high."""
    frame = canvas.frame(centre, angle, length / 2)
    inside = np.abs(frame.across + 0.2 * canvas.leaves[frame.window]) < 0.6
    canvas.paint(frame, inside & (np.abs(frame.along) < length / 2), leaf_colour(canvas, frame, colour), 1.5)


def leaf_colour(canvas: Canvas, frame: Frame, colour: Colour) -> Field:
    """Give `colour` the variation of leaves, shape (3, rows, columns)."""
    variation = 1 + 0.22 * canvas.leaves[frame.window] + 0.06 * canvas.grain[frame.window]
    return variation * as_planes(colour)


def paint_tree(
    canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float, colour: Colour, palm: bool
) -> None:
    """Paint a crown of `radius` metres over whatever is lower; the mask of a roof below stays as it is."""
    frame = canvas.frame(centre, rng.uniform(0, 2 * np.pi), 1.4 * radius)
    distance = np.hypot(frame.along, frame.across) + 1e-3
    if palm:
        fronds = int(rng.integers(7, 11))
        edge = radius * (0.35 + 0.65 * np.abs(np.cos(np.arctan2(frame.across, frame.along) * fronds / 2)))
    else:
        edge = radius * (1 + 0.1 * canvas.leaves[frame.window] + 0.12 * canvas.mottle[frame.window])
    dome = np.sqrt(np.maximum(1 - np.square(distance / np.maximum(edge, 0.1)), 0))
    height = radius * (0.7 + 0.7 * dome) + rng.uniform(0.5, 2.5)
    steepness = -0.55 * distance / radius / (0.4 + dome)
    slope = (steepness * frame.along / distance, steepness * frame.across / distance)
    canvas.paint(frame, dome > 0, leaf_colour(canvas, frame, jitter(rng, colour, 0.12)), height, slope)


def paint_car(canvas: Canvas, rng: np.random.Generator, centre: Point, angle: float) -> None:
    """Paint a car, or now and then a van, with its panes."""
    length, width, height = (4.3, 1.8, 1.4) if rng.random() < 0.8 else (5.6, 2.1, 2.3)
    frame = canvas.frame(centre, angle, length / 2 + 0.5)
    round_off = np.power(np.abs(frame.along) * 2 / length, 4) + np.power(np.abs(frame.across) * 2 / width, 4) < 1
    canvas.paint(frame, round_off, jitter(rng, CAR_COLOURS[rng.integers(len(CAR_COLOURS))], 0.08), height)
    panes = (np.abs(frame.along - 0.7) < 0.35) | (np.abs(frame.along + length / 2 - 0.75) < 0.25)
    canvas.paint(frame, panes & (np.abs(frame.across) < width / 2 - 0.2), GLASS, height)


def paint_container(canvas: Canvas, rng: np.random.Generator, centre: Point, angle: float) -> None:
    """Paint a shipping container of 6 or 12 m, ribbed across: as high as a shed, but no building."""
    length = float(rng.choice([6.1, 12.2]))
    frame = canvas.frame(centre, angle, length / 2 + 1)
    colour = speckle(canvas, frame, jitter(rng, SHEET_COLOURS[rng.integers(len(SHEET_COLOURS))], 0.1), 0.02, 0.04)
    ribs = 1 + 0.08 * np.sign(np.sin(frame.along * 2 * np.pi / 0.9))
    canvas.paint(frame, cover_rectangle(frame, length, 2.4), ribs * colour, 2.6)


def paint_tarp(canvas: Canvas, rng: np.random.Generator, centre: Point, angle: float) -> None:
    """Paint a sheet spanned at head height or less, creased and with one corner cut."""
    length, width = rng.uniform(2.5, 5.0, 2)
    frame = canvas.frame(centre, angle, float(np.hypot(length, width)) / 2)
    inside = cover_rectangle(frame, length, width) & (frame.along / length + frame.across / width < rng.uniform(0.6, 1))
    creases = (0.25 * canvas.leaves[frame.window], 0.15 * canvas.mottle[frame.window])
    colour = jitter(rng, SHEET_COLOURS[rng.integers(len(SHEET_COLOURS))], 0.1)
    canvas.paint(frame, inside, speckle(canvas, frame, colour, 0.02, 0.05), rng.uniform(0.2, 1.8), creases)


def paint_streets(canvas: Canvas, street: Frame, distance: Field, width: float, paved: bool, colour: Colour) -> None:
    """Paint streets where `distance` (metres to the nearest centre line) is within half of `width`.

    Paved ones get pavements, worn wheel tracks and, if wide, a dashed centre line; the others get ruts and
    grown-in edges.
    """
    half = width / 2
    ragged = distance + 0.05 * canvas.leaves[street.window]
    if not paved:
        ragged = ragged + 0.35 * canvas.mottle[street.window] + 0.2 * canvas.leaves[street.window]
        canvas.paint(street, ragged < half, speckle(canvas, street, colour, 0.05, 0.06))
        canvas.tint(street, np.abs(ragged - 0.9) < 0.35, (0.30, 0.24, 0.18), 0.18)
        return
    canvas.paint(street, distance < half + 1.6, speckle(canvas, street, (0.60, 0.58, 0.55), 0.03, 0.03))
    canvas.paint(street, ragged < half, speckle(canvas, street, colour, 0.035, 0.025))
    canvas.tint(street, np.abs(distance - half / 2) < half / 5, (0.25, 0.25, 0.26), 0.15)
    if width > 6:
        dashes = (distance < 0.12) & ((street.along + street.across) % 6 < 3)
        canvas.tint(street, dashes, (0.92, 0.92, 0.88), 0.8)
