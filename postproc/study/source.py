"""What is tuned on: the members' maps of some tiles, read anew for every pass over them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ensemble.selection.blend import Blend, read_blend, read_member
from members.common.console import track
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.tiles import Tile


@dataclass(frozen=True)
class Source:
    """Maps of several members, and the truth.

    Attributes:
        part: folder of the members' folders of maps.
        members: their names.
        tiles: the tiles.
        sizes: image id -> (height, width).
        groups: the group of each tile, as scores are resampled.
        tables: the calibrations of the members that have one, as of a `Blend`.
    """

    part: Path
    members: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sizes: Mapping[str, tuple[int, int]]
    groups: tuple[str, ...]
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)

    def read(self, weights: Mapping[str, int], purpose: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each tile's blend, uint8 (height, width), and truth, bool of that shape, behind a progress bar."""
        for tile in track(self.tiles, purpose, len(self.tiles)):
            yield self.read_blend(tile, weights), self.read_truth(tile)

    def read_blend(self, tile: Tile, weights: Mapping[str, int]) -> np.ndarray:
        """Return a tile's blend, uint8 (height, width)."""
        return read_blend(self.part, Blend(weights, self.tables), tile.image_id, self.sizes[tile.image_id])

    def read_maps(self, tile: Tile) -> np.ndarray:
        """Return a tile's maps as they are blended, uint8 (members, height, width)."""
        size = self.sizes[tile.image_id]
        return np.stack([read_member(self.part, member, tile.image_id, size, self.tables) for member in self.members])

    def read_truth(self, tile: Tile) -> np.ndarray:
        """Return a tile's truth, bool (height, width).

        Raises:
            InputError: it has none, or one that is damaged.
        """
        if tile.mask is None:
            raise InputError(f"{tile.image}: image without a mask; only tiles with masks can be tuned on")
        return read_mask(tile.mask)
