"""What is done of a large image, kept beside its map while that is made: a stopped prediction goes on from there."""

import shutil
from pathlib import Path

import numpy as np

from ensemble.inference.scenes import Block
from ensemble.mapfolder.raster import refuse_disk
from members.common.files import write_whole


class Blocks:
    """The finished blocks of one scene, a file each; none is half-written, and a map is put together from all.

    Args:
        folder: where they are; it need not exist. Its name begins with a dot, so that nobody takes it for maps.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, block: Block) -> Path:
        """Return the path of a block, there or not."""
        rows, columns = block
        return self.folder / f"{rows.start}-{rows.stop}-{columns.start}-{columns.stop}.npy"

    def has(self, block: Block) -> bool:
        """Tell whether a block is there."""
        return self.find(block).is_file()

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block's values, uint8 (channels, h, w).

        Raises:
            InputError: the disk is full, or refuses for another reason.
        """
        try:
            with write_whole(self.find(block)) as temporary:
                np.save(temporary, values)
        except OSError as error:
            raise refuse_disk(self.find(block), error) from None

    def read(self, block: Block) -> np.ndarray:
        """Read the values of a block that is there, uint8 (channels, h, w)."""
        return np.load(self.find(block), allow_pickle=False)

    def remove(self) -> None:
        """Drop all blocks, once their map is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
