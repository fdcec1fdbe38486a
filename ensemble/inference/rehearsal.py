"""What a prediction would do and how long it would take, by one batch of each member; nothing is written."""

from dataclasses import dataclass

import numpy as np

from ensemble.inference.engines.choice import measure, read_batch
from ensemble.inference.networks import load_network
from ensemble.inference.scenes import list_spans
from ensemble.inference.tasks import Task


@dataclass(frozen=True)
class PlannedMaps:
    """A member's maps that would be made.

    Attributes:
        member: its name.
        new: how many maps there are to make.
        images: of how many images.
        views: that each is looked at in.
        seconds: that they take, about, computed by Keras in this process.
    """

    member: str
    new: int
    images: int
    views: str
    seconds: float


def plan_maps(task: Task) -> PlannedMaps:
    """Plan a member's maps.

    Raises:
        InputError: weights are damaged, or an image can't be read.
    """
    left = set(task.list_left())
    sizes, passes, timed = task.manifest.images, 0.0, None
    for job, tiles in task.jobs:
        mine = [tile for tile in tiles if tile.image_id in left]
        pixels = 0
        for tile in mine:
            margin = job.around.measure(tile.image_id)
            height, width = sizes[tile.image_id]
            pixels += count_pixels((height + 2 * margin, width + 2 * margin), job.multiple)
        passes += pixels * len(job.views) * len(job.folders)
        if mine and timed is None:
            network, batch = load_network(job.folders[0], "keras"), read_batch(mine, job.multiple)
            network.predict(batch)  # compiles
            timed = measure(network, batch) / float(np.prod(batch.shape[:3]))
    return PlannedMaps(task.manifest.member, len(left), len(sizes), task.manifest.tta, passes * (timed or 0.0))


def count_pixels(size: tuple[int, int], multiple: int) -> int:
    """Count the pixels of the windows that an image of a height and width is read in, px."""
    rows, columns = (sum(len(weights) for _, weights in list_spans(side, multiple)) for side in size)
    return rows * columns
