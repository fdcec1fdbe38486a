"""Neighbourhoods of drawn scenes: the season, the sun, the colours and roofs that their tiles share."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from members.synthetic.painting import Colour, jitter
from members.synthetic.roofs import COLOURS, Form, Material, Roof

Kind = Literal["town", "suburb", "rural"]
KINDS: tuple[Kind, ...] = ("town", "suburb", "rural")

ROOFS: dict[Kind, tuple[tuple[Form, Material], ...]] = {
    "town": (
        ("flat", "concrete"), ("flat", "bitumen"), ("flat", "concrete"), ("shed", "rust"), ("gable", "tiles"),
        ("hip", "tiles"), ("court", "tiles"), ("angle", "metal"), ("shed", "metal"),
    ),
    "suburb": (
        ("gable", "tiles"), ("hip", "tiles"), ("angle", "tiles"), ("hip", "metal"), ("gable", "metal"),
        ("angle", "metal"), ("flat", "bitumen"), ("flat", "concrete"),
    ),
    "rural": (
        ("gable", "metal"), ("gable", "rust"), ("round", "thatch"), ("hip", "thatch"), ("gable", "tiles"),
        ("shed", "metal"), ("hip", "metal"),
    ),
}  # fmt: skip
# one colour each for the wet, the mild and the dry season
GRASS: tuple[Colour, ...] = ((0.36, 0.45, 0.23), (0.44, 0.47, 0.27), (0.57, 0.52, 0.35))
LEAVES: tuple[Colour, ...] = ((0.20, 0.32, 0.14), (0.28, 0.36, 0.16), (0.36, 0.36, 0.20))

SOIL: tuple[Colour, ...] = ((0.55, 0.44, 0.33), (0.62, 0.45, 0.32), (0.64, 0.58, 0.47))
PAVING: tuple[Colour, ...] = ((0.63, 0.61, 0.57), (0.52, 0.51, 0.50), (0.66, 0.60, 0.52), (0.40, 0.40, 0.40))
CROPS: tuple[Colour, ...] = ((0.34, 0.44, 0.20), (0.66, 0.60, 0.38), (0.46, 0.50, 0.26), (0.50, 0.40, 0.29))


@dataclass(frozen=True)
class Neighbourhood:
    """The look that the tiles of one group share; angles in radians, colours in 0..1."""

    kind: Kind
    angle: float  # of the streets
    sun: tuple[float, float]  # azimuth on the picture, elevation
    roofs: tuple[Roof, ...]
    grass: Colour
    soil: Colour
    leaves: Colour
    road: Colour
    paved: bool
    palms: bool


def draw_neighbourhood(kind: Kind, rng: np.random.Generator) -> Neighbourhood:
    """Draw a neighbourhood: one season, one sun, four sorts of roof."""
    season = int(rng.integers(3))
    chosen = [ROOFS[kind][i] for i in rng.permutation(len(ROOFS[kind]))[:4]]
    paved = kind == "town" or (kind == "suburb" and rng.random() < 0.7)
    soil = jitter(rng, SOIL[rng.integers(3)], 0.06)
    return Neighbourhood(
        kind=kind,
        angle=rng.uniform(0, np.pi),
        sun=(rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(46, 67))),
        roofs=tuple(Roof(f, m, jitter(rng, COLOURS[m][rng.integers(len(COLOURS[m]))], 0.06)) for f, m in chosen),
        grass=jitter(rng, GRASS[season], 0.07),
        soil=soil,
        leaves=jitter(rng, LEAVES[season], 0.08),
        road=jitter(rng, (0.37, 0.37, 0.38), 0.10) if paved else soil,
        paved=paved,
        palms=bool(rng.random() < 0.3),
    )
