"""Where streets, houses, gardens, fields and trees of a drawn scene go."""

import numpy as np

from members.synthetic.painting import (
    Canvas,
    Frame,
    Inside,
    Point,
    jitter,
    paint_car,
    paint_container,
    paint_hedge,
    paint_slab,
    paint_streets,
    paint_tarp,
    paint_tree,
    speckle,
)
from members.synthetic.roofs import Roof, locate, paint_building
from members.synthetic.styles import CROPS, PAVING, Neighbourhood

Size = tuple[float, float]


def lay_scene(canvas: Canvas, style: Neighbourhood, rng: np.random.Generator) -> None:
    """Paint one tile of a neighbourhood whose look is `style`."""
    axes = canvas.frame((0, 0), style.angle + rng.normal(0, 0.03), canvas.reach)
    turf = np.clip(0.35 + 0.5 * canvas.relief + 0.3 * canvas.mottle, 0, 1)
    turf = turf * 0.6 if style.kind != "town" else 1 - turf * 0.5
    ground = speckle(canvas, axes, style.grass, 0.05, 0.04)
    ground += turf * (speckle(canvas, axes, style.soil, 0.05, 0.04) - ground)
    canvas.paint(axes, np.ones(turf.shape, bool), ground)
    if style.kind == "rural":
        lay_countryside(canvas, style, axes, rng)
    else:
        lay_blocks(canvas, style, axes, rng)


def lay_blocks(canvas: Canvas, style: Neighbourhood, axes: Frame, rng: np.random.Generator) -> None:
    """Paint a grid of streets; between them two rows of plots, back to back, each with its house."""
    town = style.kind == "town"
    fill_plot = fill_town_plot if town else fill_suburb_plot
    width = rng.uniform(6, 9) if town else rng.uniform(5, 7)
    depth = rng.uniform(13, 17) if town else rng.uniform(20, 25)
    block_length, block_depth = (52.0 if town else 90.0) + rng.uniform(-6, 10), 2 * depth + width + 3
    shift_along, shift_across = rng.uniform(0, block_length), rng.uniform(0, block_depth)
    along = np.abs((axes.along - shift_along + block_length / 2) % block_length - block_length / 2)
    across = np.abs((axes.across - shift_across + block_depth / 2) % block_depth - block_depth / 2)
    paint_streets(canvas, axes, np.minimum(along, across), width, style.paved, style.road)
    corner = canvas.reach * np.sqrt(2)
    rows, columns = int(corner / block_depth) + 2, int(corner / block_length) + 2
    for row in range(-rows, rows):
        for column in range(-columns, columns):
            left = shift_along + column * block_length + width / 2 + 1.5
            right = left + block_length - width - 3
            for front, facing in ((row * block_depth, 1), ((row + 1) * block_depth, -1)):
                kerb = shift_across + front + facing * (width / 2 + 1.5)
                start = left
                while start < right - 5:
                    share = rng.uniform(10, 18) if town else rng.uniform(17, 23)
                    share = right - start if right - start - share < 7 else share
                    middle = locate((0, 0), axes.angle, start + share / 2, kerb + facing * depth / 2)
                    if max(map(abs, middle)) < canvas.reach + 6:
                        turn = axes.angle + (0 if facing > 0 else np.pi)
                        fill_plot(canvas, style, rng, middle, turn, (share, depth))
                    start += share
    park_cars(canvas, rng, axes, (np.abs(across - width / 2 + 1.1) < 0.2) & (along > width))
    for _ in range(int(rng.integers(3, 10) if town else rng.integers(5, 14))):
        spot = scatter(canvas, rng)
        paint_tree(canvas, rng, spot, rng.uniform(1.3, 3.2 if town else 3.6), style.leaves, style.palms)


def park_cars(canvas: Canvas, rng: np.random.Generator, axes: Frame, kerbs: Inside) -> None:
    """Paint cars somewhere on `kerbs`, along the streets that run along the blocks."""
    points = np.argwhere(kerbs)
    if not len(points):
        return
    for pick in rng.integers(len(points), size=int(rng.integers(4, 14))):
        spot = tuple(points[pick])
        centre = locate((0, 0), axes.angle, float(axes.along[spot]), float(axes.across[spot]))
        paint_car(canvas, rng, centre, axes.angle + rng.normal(0, 0.04))


def scatter(canvas: Canvas, rng: np.random.Generator) -> Point:
    """Draw a point anywhere on the canvas."""
    x, y = rng.uniform(-canvas.reach, canvas.reach, 2)
    return float(x), float(y)


def choose_roof(style: Neighbourhood, rng: np.random.Generator) -> Roof:
    """Draw one of the neighbourhood's roofs."""
    return style.roofs[int(rng.integers(len(style.roofs)))]


def fill_town_plot(
    canvas: Canvas, style: Neighbourhood, rng: np.random.Generator, middle: Point, angle: float, size: Size
) -> None:
    """Paint a house on the whole front of its plot, often wall to wall, a court behind; some plots lie open."""
    share, depth = size
    surface = PAVING[rng.integers(len(PAVING))] if rng.random() < 0.35 else style.soil
    paint_slab(canvas, middle, angle, (share, depth), jitter(rng, surface, 0.08))
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(2, 5))):
            spot = locate(middle, angle, *(rng.uniform(-0.35, 0.35, 2) * size))
            if rng.random() < 0.3:
                paint_container(canvas, rng, spot, angle + np.pi / 2)
            else:
                paint_car(canvas, rng, spot, angle + np.pi / 2)
        return
    built = depth * rng.uniform(0.55, 0.85)
    front = locate(middle, angle, 0, (built - depth) / 2 + rng.uniform(0, 0.8))
    house = (share - max(rng.uniform(-2, 1.6), 0), built)  # wall to wall with its neighbour, or a gap
    paint_building(canvas, rng, front, angle, house, rng.uniform(3, 6), choose_roof(style, rng))
    yard = depth - built
    spot = locate(middle, angle, rng.uniform(-0.3, 0.3) * share, (depth - yard) / 2)
    extra = rng.random()
    if yard > 4 and extra < 0.3:
        paint_tarp(canvas, rng, spot, angle + rng.normal(0, 0.2))
    elif yard > 4 and extra < 0.5:
        shed = (rng.uniform(3, 5), rng.uniform(2.5, 3.5))
        paint_building(canvas, rng, spot, angle, shed, 2.7, choose_shed(style, rng))
    elif yard > 4 and extra < 0.75:
        paint_tree(canvas, rng, spot, rng.uniform(1.5, 2.8), style.leaves, style.palms)
    else:
        paint_car(canvas, rng, spot, angle)


def choose_shed(style: Neighbourhood, rng: np.random.Generator) -> Roof:
    """Draw a plain roof for an outbuilding."""
    roof = choose_roof(style, rng)
    return roof if roof.form in ("gable", "shed") else Roof("shed", "metal", (0.62, 0.64, 0.66))


def fill_suburb_plot(
    canvas: Canvas, style: Neighbourhood, rng: np.random.Generator, middle: Point, angle: float, size: Size
) -> None:
    """Paint a free-standing house with a drive, a garden with terrace, hedge, trees, and often a shed or a pool."""
    share, depth = size
    lawn = jitter(rng, style.grass if rng.random() < 0.8 else style.soil, 0.10)
    paint_slab(canvas, middle, angle, (share, depth), lawn)
    paving = jitter(rng, PAVING[rng.integers(len(PAVING))], 0.08)
    side = float(rng.choice([-1, 1]))
    setback = rng.uniform(3.5, 6)
    drive = locate(middle, angle, side * (share / 2 - 2), (-depth + setback + 8) / 2 - 1)
    paint_slab(canvas, drive, angle, (3.0, setback + 8), paving)
    if rng.random() < 0.5:
        paint_car(canvas, rng, locate(middle, angle, side * (share / 2 - 2), -depth / 2 + 3), angle + np.pi / 2)
    house = (min(share - 4.0, rng.uniform(12, 17)), rng.uniform(9, 12))
    front = locate(middle, angle, -side * (share - house[0] - 2) / 2, -depth / 2 + setback + house[1] / 2)
    terrace = locate(front, angle, rng.uniform(-2, 2), house[1] / 2 + 1.2)
    paint_slab(canvas, terrace, angle, (rng.uniform(3.5, 7), rng.uniform(3, 5.5)), jitter(rng, paving, 0.05))
    paint_building(
        canvas, rng, front, angle + rng.normal(0, 0.02), house, rng.uniform(2.6, 4.2), choose_roof(style, rng)
    )
    back = locate(middle, angle, side * (share / 2 - 3), depth / 2 - 2.5)
    extra = rng.random()
    if extra < 0.12:
        shed = (rng.uniform(4.5, 7), rng.uniform(3.5, 4.5))
        paint_building(canvas, rng, back, angle, shed, 2.7, choose_shed(style, rng))
    elif extra < 0.27:
        paint_slab(canvas, locate(back, angle, -side, -1), angle, (6.6, 4.4), (0.70, 0.68, 0.64))
        paint_slab(canvas, locate(back, angle, -side, -1), angle, (5.2, 3.0), (0.24, 0.58, 0.68))
    elif extra < 0.4:
        paint_tarp(canvas, rng, back, angle)
    if rng.random() < 0.6:
        paint_hedge(canvas, locate(middle, angle, share / 2, depth / 4), angle + np.pi / 2, depth / 2, style.leaves)
    for _ in range(int(rng.integers(1, 4))):
        spot = locate(middle, angle, rng.uniform(-0.5, 0.5) * share, rng.uniform(0.15, 0.5) * depth)
        paint_tree(canvas, rng, spot, rng.uniform(1.2, 3.0), style.leaves, style.palms)


def lay_countryside(canvas: Canvas, style: Neighbourhood, axes: Frame, rng: np.random.Generator) -> None:
    """Paint fields in strips, a winding track, and beside it yards with a few buildings."""
    wide, deep = rng.uniform(22, 45), rng.uniform(22, 45)
    column, row = np.floor(axes.along / wide).astype(int), np.floor(axes.across / deep).astype(int)
    which = (column * 7 + row * 13) % 11
    crops = np.array([jitter(rng, CROPS[rng.integers(len(CROPS))], 0.12) for _ in range(11)], np.float32).T
    furrows = 1 + 0.07 * np.sin(np.where(which % 2, axes.along, axes.across) * (2 * np.pi / 1.6))
    texture = furrows + 0.05 * canvas.grain + 0.05 * canvas.mottle + 0.05 * canvas.leaves
    canvas.paint(axes, which > 4, texture * crops[:, which])
    bend = rng.uniform(2, 6) * np.sin(axes.along / rng.uniform(14, 30) + rng.uniform(0, 6))
    shift = rng.uniform(-15, 15)
    paint_streets(canvas, axes, np.abs(axes.across - shift - bend), rng.uniform(3.2, 4.6), False, style.soil)
    for _ in range(int(rng.integers(1, 3))):
        along, side = rng.uniform(-0.9, 0.9) * canvas.reach, float(rng.choice([-1, 1]))
        yard = locate((0, 0), axes.angle, along, shift + side * rng.uniform(16, 24))
        lay_farm(canvas, style, rng, yard, axes.angle)
    for _ in range(int(rng.integers(6, 24))):
        paint_tree(canvas, rng, scatter(canvas, rng), rng.uniform(1.2, 4.5), style.leaves, style.palms)


def lay_farm(canvas: Canvas, style: Neighbourhood, rng: np.random.Generator, yard: Point, angle: float) -> None:
    """Paint bare ground with a few buildings that keep clear of each other, and what lies about a farm."""
    frame = canvas.frame(yard, angle, 27)
    radius = np.hypot(frame.along, frame.across) + 2.5 * canvas.mottle[frame.window] + 2 * canvas.relief[frame.window]
    canvas.paint(frame, radius < 18, speckle(canvas, frame, style.soil, 0.05, 0.07))
    taken: list[tuple[float, float, float]] = []
    for _ in range(int(rng.integers(12, 24))):
        roof = choose_roof(style, rng)
        length = rng.uniform(18, 28) if rng.random() < 0.2 else rng.uniform(8, 14)
        size = (length, min(length, rng.uniform(6.5, 9.5) if length < 15 else rng.uniform(10, 13)))
        reach = float(np.hypot(*size)) / 2
        along, across = rng.uniform(-17, 17, 2)
        if any(np.hypot(along - a, across - b) < reach + r + 0.8 for a, b, r in taken):
            continue
        taken.append((along, across, reach))
        spot = locate(yard, angle, along, across)
        turn = angle + rng.normal(0, 0.15) + rng.integers(2) * np.pi / 2
        lot = rng.random()
        if lot < 0.65:
            paint_building(canvas, rng, spot, turn, size, rng.uniform(2.4, 4), roof)
        elif lot < 0.75:
            paint_slab(canvas, spot, turn, size, jitter(rng, PAVING[rng.integers(len(PAVING))], 0.08))
        elif lot < 0.85:
            paint_tree(canvas, rng, spot, rng.uniform(2, 4.5), style.leaves, style.palms)
        else:
            paint_thing(canvas, rng, spot, turn)


def paint_thing(canvas: Canvas, rng: np.random.Generator, centre: Point, angle: float) -> None:
    """Paint a sheet, a car or a container, each as often: what lies about and is no building."""
    kind = rng.integers(3)
    if kind == 0:
        paint_tarp(canvas, rng, centre, angle)
    elif kind == 1:
        paint_car(canvas, rng, centre, angle)
    else:
        paint_container(canvas, rng, centre, angle)
