"""Where views and members disagree: standard deviations, as maps beside the maps."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from ensemble.mapfolder.raster import map_path, open_map, quantise
from members.data.raster import open_raster, read_bands
from members.data.run import Run
from members.data.tiles import Tile


def combine_std(run: Run, part: str, members: Sequence[str], tiles: Sequence[Tile]) -> None:
    """Write RUN/uncertainty/PART/IMAGE_ID.tif, the standard deviation over views and members, value / 255.

    Each member counts alike: the variance is the mean of the members' variances and the variance of their maps.
    """
    for tile in tiles:
        paths = [run.map_folder(part, member) for member in members]
        paths += [run.uncertainty_folder(part, member) for member in members]
        with ExitStack() as files:
            rasters = [files.enter_context(open_raster(map_path(path, tile.image_id))) for path in paths]
            path = map_path(run.uncertainty_folder(part), tile.image_id)
            combined = files.enter_context(open_map(path, tile.image, rasters[0].shape))
            for _, block in rasters[0].block_windows():
                values = np.stack([read_bands(raster, window=block)[0] for raster in rasters]) / 255
                combined.write(quantise(join_std(*np.split(values, 2))), 1, window=block)


def join_std(means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Return the standard deviation of all values of several equally large sets, from each set's mean and deviation.

    Args:
        means: (sets, h, w).
        deviations: (sets, h, w).

    Returns:
        (h, w).
    """
    return np.sqrt(np.square(deviations).mean(axis=0) + means.var(axis=0))
