"""Buildings of a drawn aerial scene: roof shapes, materials and what stands on roofs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from members.synthetic.painting import (
    Canvas,
    Colour,
    Field,
    Frame,
    Inside,
    Point,
    as_planes,
    jitter,
    paint_slab,
    speckle,
)

Form = Literal["gable", "hip", "shed", "flat", "angle", "court", "round"]
Material = Literal["tiles", "metal", "rust", "concrete", "thatch", "bitumen"]

COLOURS: dict[Material, tuple[Colour, ...]] = {
    "tiles": ((0.60, 0.35, 0.27), (0.55, 0.30, 0.24), (0.45, 0.34, 0.29), (0.38, 0.37, 0.38)),
    "metal": (
        (0.72, 0.74, 0.76),
        (0.62, 0.66, 0.70),
        (0.26, 0.42, 0.64),
        (0.34, 0.50, 0.43),
        (0.52, 0.25, 0.22),
    ),
    "rust": ((0.68, 0.66, 0.64), (0.56, 0.50, 0.47)),
    "concrete": ((0.68, 0.66, 0.62), (0.60, 0.59, 0.57), (0.74, 0.71, 0.65)),
    "thatch": ((0.72, 0.63, 0.44), (0.60, 0.55, 0.47)),
    "bitumen": ((0.31, 0.31, 0.32), (0.40, 0.39, 0.38)),
}
RUST = (0.47, 0.22, 0.12)
PITCH: dict[Form, float] = {
    "gable": 0.6,
    "hip": 0.55,
    "shed": 0.14,
    "flat": 0.0,
    "angle": 0.6,
    "court": 0.45,
    "round": 0.8,
}


@dataclass(frozen=True)
class Roof:
    """The choice of a neighbourhood's builders: a shape, a material, its colour."""

    form: Form
    material: Material
    colour: Colour


@dataclass(frozen=True)
class Surface:
    """A roof seen from above: where it is, its rise over the eaves (m), its slope along and across."""

    inside: Inside
    rise: Field
    slope: tuple[Field, Field]


def build_hip(along: Field, across: Field, length: float, width: float, pitch: float, gable: bool) -> Surface:
    """Build planes that rise from the eaves: from all four sides, or from the long two where `gable`."""
    from_end, from_side = length / 2 - np.abs(along), width / 2 - np.abs(across)
    end = np.zeros(along.shape, bool) if gable else from_end < from_side
    rise = pitch * np.where(end, from_end, from_side)
    slope = (np.where(end, -pitch * np.sign(along), 0), np.where(end, 0, -pitch * np.sign(across)))
    return Surface((from_end >= 0) & (from_side >= 0), rise, slope)


def join(first: Surface, second: Surface) -> Surface:
    """Join two wings of one building: where both are, the higher one is seen."""
    upper = second.inside & (~first.inside | (second.rise > first.rise))
    rise = np.where(upper, second.rise, first.rise)
    along = np.where(upper, second.slope[0], first.slope[0])
    across = np.where(upper, second.slope[1], first.slope[1])
    return Surface(first.inside | second.inside, rise, (along, across))


def build_roof(frame: Frame, form: Form, length: float, width: float) -> Surface:
    """Build the surface of a roof that fills `length` by `width` metres round the centre of `frame`."""
    along, across, pitch = frame.along, frame.across, PITCH[form]
    if form == "angle":  # two wings, 65 % as wide as the plot, meet in a corner
        wing = 0.65 * width
        front = build_hip(along, across + (width - wing) / 2, length, wing, pitch, gable=True)
        side = build_hip(across, along - (length - wing) / 2, width, wing, pitch, gable=True)
        return join(front, Surface(side.inside, side.rise, (side.slope[1], side.slope[0])))
    outer = build_hip(along, across, length, width, pitch, gable=form == "gable")
    if form == "court":  # a ring of wings: the outer half rises, the inner half falls to the court
        wing = 0.62 * min(length, width) / 2
        inward = outer.rise > pitch * wing / 2
        slope = (
            np.where(inward, -outer.slope[0], outer.slope[0]),
            np.where(inward, -outer.slope[1], outer.slope[1]),
        )
        rise = np.where(inward, pitch * wing - outer.rise, outer.rise)
        return Surface(outer.inside & (rise >= 0), rise, slope)
    if form == "round":
        distance = np.hypot(along, across) + 1e-3
        slope = (-pitch * along / distance, -pitch * across / distance)
        return Surface(distance <= width / 2, pitch * (width / 2 - distance), slope)
    if form == "shed":
        return Surface(outer.inside, pitch * (width / 2 - across), (np.zeros_like(along), np.full_like(along, -pitch)))
    return outer


def lay_material(canvas: Canvas, rng: np.random.Generator, frame: Frame, surface: Surface, roof: Roof) -> Field:
    """Colour a roof with its material, shape (3, rows, columns)."""
    end = np.abs(surface.slope[0]) > np.abs(surface.slope[1])
    course, sheet = np.where(end, frame.along, frame.across), np.where(end, frame.across, frame.along)
    colour = jitter(rng, roof.colour, 0.09)
    mottle = canvas.mottle[frame.window]
    if roof.material == "tiles":
        rows = 1 + 0.07 * np.sin(course * (2 * np.pi / 0.7)) + 0.05 * canvas.leaves[frame.window]
        return rows * speckle(canvas, frame, colour, 0.05, 0.04)
    if roof.material == "concrete":
        stains = 1 - 0.10 * np.maximum(mottle, 0) - 0.12 * (canvas.relief[frame.window] > 0.8)
        return stains * speckle(canvas, frame, colour, 0.03, 0.03)
    if roof.material == "bitumen":
        seams = 1 + 0.16 * (np.abs(sheet % 2.0 - 1) < 0.1) - 0.05 * (sheet % 4.0 < 2)
        return seams * speckle(canvas, frame, colour, 0.04, 0.06)
    if roof.material == "thatch":
        straws = 1 + 0.13 * canvas.leaves[frame.window] + 0.10 * np.sin(course * (2 * np.pi / 1.3))
        return straws * speckle(canvas, frame, colour, 0.07, 0.05)
    aged = roof.material == "rust"
    tones = 1 + (0.13 if aged else 0.03) * rng.standard_normal((16, 16), np.float32)
    sheets = tones[(sheet / 1.1).astype(int) % 16, (course / 2.6).astype(int) % 16]
    ribs = sheets + 0.05 * np.sin(sheet * (2 * np.pi / 0.8))
    laid = ribs * speckle(canvas, frame, colour, 0.02, 0.03)
    rusted = np.clip(0.3 + 0.5 * mottle + 2.0 * (sheets - 1), 0, 1) if aged else np.clip(0.25 * mottle - 0.3, 0, 0.4)
    return laid + rusted * (as_planes(RUST) - laid)


def paint_building(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: Point,
    angle: float,
    size: tuple[float, float],
    eaves: float,
    roof: Roof,
) -> None:
    """Paint a building of `size` (length, width) metres with walls of `eaves` metres, and mark it in the mask.

    Gables, valleys and ridges follow the longer side. The mask is the outline of the roof, without a court.
    """
    if size[0] < size[1]:
        size, angle = (size[1], size[0]), angle + np.pi / 2
    angle += float(rng.integers(2)) * np.pi
    length, width = size
    frame = canvas.frame(centre, angle, float(np.hypot(length, width)) / 2)
    surface = build_roof(frame, roof.form, length, width)
    colour = lay_material(canvas, rng, frame, surface, roof)
    canvas.paint(frame, surface.inside, colour, surface.rise + np.float32(eaves), surface.slope)
    np.copyto(canvas.building[frame.window], canvas.building.max() + 1, where=surface.inside)
    if roof.form == "flat":
        rim = surface.inside & ~((np.abs(frame.along) < length / 2 - 0.4) & (np.abs(frame.across) < width / 2 - 0.4))
        canvas.paint(frame, rim, jitter(rng, roof.colour, 0.15), eaves + 0.9)
        paint_plant(canvas, rng, centre, angle, (length, width), eaves)
    elif roof.form in ("gable", "hip"):
        paint_ridge(canvas, rng, frame, roof, (length, width), eaves)


def locate(centre: Point, angle: float, along: float, across: float) -> Point:
    """Find the point that lies so many metres along and across from `centre`, in axes turned by `angle`."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return centre[0] + along * cos - across * sin, centre[1] + along * sin + across * cos


def paint_plant(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: Point,
    angle: float,
    size: tuple[float, float],
    eaves: float,
) -> None:
    """Paint what flat roofs carry: stair heads, air conditioners, water tanks, skylights."""
    for _ in range(int(rng.integers(1, 5))):
        along, across = rng.uniform(-0.36, 0.36, 2) * size
        spot = locate(centre, angle, along, across)
        kind = rng.random()
        if kind < 0.25:
            paint_slab(canvas, spot, angle, (2.6, 2.2), jitter(rng, (0.60, 0.58, 0.55), 0.12), eaves + 2.2)
        elif kind < 0.6:
            paint_slab(canvas, spot, angle, (1.3, 1.0), jitter(rng, (0.75, 0.76, 0.77), 0.08), eaves + 0.9)
        elif kind < 0.8:
            paint_slab(canvas, spot, angle, (1.8, 1.2), (0.55, 0.66, 0.74), eaves + 0.3)
        else:
            frame = canvas.frame(spot, angle, 0.8)
            tank = np.hypot(frame.along, frame.across) < 0.65
            canvas.paint(frame, tank, (0.10, 0.10, 0.11) if rng.random() < 0.5 else (0.20, 0.36, 0.55), eaves + 1.6)


def paint_ridge(
    canvas: Canvas,
    rng: np.random.Generator,
    frame: Frame,
    roof: Roof,
    size: tuple[float, float],
    eaves: float,
) -> None:
    """Paint what pitched roofs carry: a pale ridge, a chimney on tiles, now and then solar panels."""
    length, width = size
    end = 0 if roof.form == "gable" else width / 2
    canvas.tint(
        frame,
        (np.abs(frame.across) < 0.12) & (np.abs(frame.along) < length / 2 - end),
        (0.85, 0.82, 0.78),
        0.3,
    )
    if roof.material == "tiles" and rng.random() < 0.6:
        stack = np.maximum(np.abs(frame.along - rng.uniform(-0.25, 0.25) * length), np.abs(frame.across - 0.6)) < 0.45
        canvas.paint(frame, stack, (0.50, 0.36, 0.31), eaves + PITCH[roof.form] * width / 2 + 1.0)
    if roof.material in ("tiles", "metal") and rng.random() < 0.2:
        panels = (np.abs(frame.along) < length / 5) & (np.abs(frame.across + width / 4) < width / 8)
        canvas.tint(frame, panels, (0.09, 0.12, 0.22), 0.85)
        canvas.tint(frame, panels & (frame.along % 1.1 < 0.15), (0.5, 0.52, 0.56), 0.5)
