"""Batches of tiles for Keras, on any backend."""

from collections.abc import Sequence

import keras
import numpy as np

from members.training.augment import Pair, augment_tile, pad_tile
from members.training.spec import SIZE_MULTIPLE, MemberSpec


class TrainingBatches(keras.utils.PyDataset):
    """One epoch of augmented crops, shuffled and augmented as (seed, epoch, tile) says.

    The last incomplete batch is left out, but with fewer tiles than a batch there is one smaller batch.
    """

    def __init__(self, pairs: Sequence[Pair], spec: MemberSpec, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.pairs, self.spec, self.epoch = pairs, spec, epoch
        self.order = np.random.default_rng((spec.seed, epoch)).permutation(len(pairs))
        self.size = min(spec.batch_size, len(pairs))

    def __len__(self) -> int:
        return len(self.pairs) // self.size

    def __getitem__(self, step: int) -> Pair:
        spec = self.spec
        return stack_pairs(
            [
                augment_tile(self.pairs, int(index), spec.augment, spec.crop, (spec.seed, self.epoch))
                for index in self.order[step * self.size : (step + 1) * self.size]
            ]
        )


class ValidationBatches(keras.utils.PyDataset):
    """Whole tiles, padded by reflection to the size multiple, batched with others of their size."""

    def __init__(self, pairs: Sequence[Pair], batch_size: int) -> None:
        super().__init__()
        by_shape: dict[tuple[int, ...], list[Pair]] = {}
        for image, mask in pairs:
            by_shape.setdefault(mask.shape, []).append((image, mask))
        self.batches = [
            same[start : start + batch_size] for same in by_shape.values() for start in range(0, len(same), batch_size)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Pair:
        return stack_pairs(
            [(pad_tile(i, 0, SIZE_MULTIPLE), pad_tile(m, 0, SIZE_MULTIPLE)) for i, m in self.batches[step]]
        )


def stack_pairs(pairs: Sequence[Pair]) -> Pair:
    """Stack images to float32 (batch, h, w, 3) in 0..255 and masks to float32 (batch, h, w, 1) in {0, 1}."""
    images, masks = zip(*pairs, strict=True)
    return np.stack(images).astype(np.float32), np.stack(masks).astype(np.float32)[..., None]
