"""Input speed: augmented 256x256 examples a second on one core, beside a plain tf.data pipeline.

Both sides hold the decoded tiles in memory as uint8, seed and call the same augmentation, and end in float32
batches of 8; the other one is `tf.data.Dataset.map` with `tf.numpy_function`. Seconds are of processor time, all
threads together, so that what else the machine does counts little; sides alternate and the best of the rounds counts.

    python benchmarks/bench_input.py [--rounds N]

The last line is one JSON object: `images_per_second_per_core` and `ratio_tf_data` (ours / tf.data), by policy.
"""

import argparse
import json
import os
import time

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before any library counts the cores
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

from collections.abc import Callable  # noqa: E402
from typing import get_args  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from members.training.augment import Pair, augment_tile  # noqa: E402
from members.training.batches import TrainingBatches  # noqa: E402
from members.training.spec import MemberSpec, Policy  # noqa: E402

TILES, SIDE, BATCH = 32, 256, 8


def draw_pairs() -> list[Pair]:
    """Draw tiles of smooth noise, whose cost to compress and to blur is that of photographs, with a few rectangles."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(TILES):
        coarse = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((SIDE, SIDE), bool)
        for top, left in rng.integers(0, SIDE - 64, (4, 2)):
            mask[top : top + 48, left : left + 64] = True
        pairs.append((image, mask))
    return pairs


def read_ours(pairs: list[Pair], spec: MemberSpec, epoch: int) -> int:
    """Run through one epoch as training does; returns the number of examples."""
    batches = TrainingBatches(pairs, spec, epoch)
    return sum(len(batches[step][0]) for step in range(len(batches)))


def read_tf_data(pairs: list[Pair], spec: MemberSpec, epoch: int) -> int:
    """Read the same examples through tf.data."""

    def augment(index: np.ndarray) -> Pair:
        image, mask = augment_tile(pairs, int(index), spec.augment, spec.crop, (spec.seed, epoch))
        return image.astype(np.float32), mask.astype(np.float32)[..., None]

    order = np.random.default_rng((spec.seed, epoch)).permutation(len(pairs))
    examples = tf.data.Dataset.from_tensor_slices(order).map(
        lambda index: tf.numpy_function(augment, [index], [tf.float32, tf.float32])
    )
    return sum(len(images) for images, _ in examples.batch(BATCH, drop_remainder=True).prefetch(2))


def measure(
    read: Callable[[list[Pair], MemberSpec, int], int], pairs: list[Pair], spec: MemberSpec, epoch: int
) -> float:
    """Measure the images a second of processor time in one epoch."""
    began = time.process_time()
    return read(pairs, spec, epoch) / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    pairs = draw_pairs()
    result: dict[str, dict[str, float]] = {"images_per_second_per_core": {}, "ratio_tf_data": {}}
    for policy in get_args(Policy):
        spec = MemberSpec(name="bench", backbone="lite0", augment=policy, batch_size=BATCH, crop=SIDE)
        speeds = {read_ours: 0.0, read_tf_data: 0.0}
        for epoch in range(rounds + 1):
            for read in speeds:
                speed = measure(read, pairs, spec, epoch)
                if epoch:  # the first round warms up
                    speeds[read] = max(speeds[read], speed)
        result["images_per_second_per_core"][policy] = round(speeds[read_ours], 1)
        result["ratio_tf_data"][policy] = round(speeds[read_ours] / speeds[read_tf_data], 3)
        print(f"{policy}: {speeds[read_ours]:.0f} images/s, tf.data {speeds[read_tf_data]:.0f} images/s", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
