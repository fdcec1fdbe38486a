"""Batches of tiles for Keras, on any backend."""

from collections.abc import Sequence
from itertools import cycle, islice

import keras
import numpy as np

from members.common.errors import InputError
from members.data.raster import Pair
from members.training.augment import augment_tile, pad_tile
from members.training.spec import MemberSpec
from members.training.targets import decode_probabilities, split_bits, take_mask


class TrainingBatches(keras.utils.PyDataset):
    """One epoch of augmented crops, drawn, shuffled and augmented as (seed, epoch, tile) says.

    Crops are padded to the spec's size multiple. The last incomplete batch is left out, but with fewer tiles than
    a batch there is one smaller batch. Either is a multiple of `devices`, which share it out evenly.

    Raises:
        InputError: the spec's batch, or all tiles together, can't be shared out evenly.
    """

    def __init__(self, pairs: Sequence[Pair], spec: MemberSpec, epoch: int, devices: int = 1) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.pairs, self.spec, self.epoch = pairs, spec, epoch
        # only a balance looks at the masks, which may be on disk
        built_up = [spec.balance is None or bool(take_mask(target).any()) for _, target in pairs]
        self.order = draw_order(built_up, spec.balance, (spec.seed, epoch))
        self.size = min(spec.batch_size, len(pairs) - len(pairs) % devices)
        if spec.batch_size % devices or not self.size:
            raise InputError(
                f"batches of {spec.batch_size} from {len(pairs)} tiles on {devices} GPUs: each takes an equal share; "
                f"give a --batch-size that is a multiple of {devices}, or show fewer GPUs (CUDA_VISIBLE_DEVICES)"
            )

    def __len__(self) -> int:
        return len(self.pairs) // self.size

    def list_indices(self, step: int) -> np.ndarray:
        """Return the indices of the tiles that a batch is made of."""
        return self.order[step * self.size : (step + 1) * self.size]

    def __getitem__(self, step: int) -> Pair:
        spec, seed = self.spec, (self.spec.seed, self.epoch)
        examples = [
            augment_tile(self.pairs, int(index), spec.augment, spec.crop, seed, spec.scale)
            for index in self.list_indices(step)
        ]
        batch = stack_pairs(examples, spec)
        return mix_up(*batch, spec.mixup, np.random.default_rng((*seed, step, len(examples)))) if spec.mixup else batch


def mix_up(images: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator) -> Pair:
    """Mix each example of a batch with another (mixup, Zhang et al. 2018, https://arxiv.org/abs/1710.09412).

    Args:
        images: float32 (batch, h, w, 3).
        targets: float32 (batch, h, w, bands), 0..1, or -1 where nothing is taught.
        alpha: shares are drawn from Beta(alpha, alpha): the smaller, the nearer to one of the two.
        rng: draws shares and partners.

    Returns:
        New images and targets; nothing is taught where either of two teaches nothing.
    """
    partner = rng.permutation(len(images))
    share = rng.beta(alpha, alpha, (len(images), 1, 1, 1)).astype(np.float32)
    mixed = share * targets + (1 - share) * targets[partner]
    unknown = np.minimum(targets, targets[partner]) < 0
    return share * images + (1 - share) * images[partner], np.where(unknown, np.float32(-1), mixed)


def draw_order(built_up: Sequence[bool], balance: float | None, seed: tuple[int, int]) -> np.ndarray:
    """Draw the tiles of one epoch, in order: as many as there are.

    Args:
        built_up: whether each tile has any building.
        balance: None takes every tile once; else the share of the epoch that goes to tiles with buildings, each
            kind taken in turn, so that no tile comes a third time before all of its kind came twice.
        seed: (seed, epoch).

    Returns:
        int (n,), indices of tiles.
    """
    rng = np.random.default_rng(seed)
    if balance is None or len(set(built_up)) == 1:
        return rng.permutation(len(built_up))
    wanted = round(balance * len(built_up))
    kinds = (np.flatnonzero(built_up), wanted), (np.flatnonzero(~np.asarray(built_up)), len(built_up) - wanted)
    return rng.permutation(np.concatenate([np.resize(rng.permutation(tiles), count) for tiles, count in kinds]))


class ValidationBatches(keras.utils.PyDataset):
    """Whole tiles, padded by reflection to the spec's size multiple, batched with others of their size.

    With several devices, which share out each batch evenly, the last batch of a size is filled up with tiles of that
    size that were there already: these count twice.
    """

    def __init__(self, pairs: Sequence[Pair], spec: MemberSpec, devices: int = 1) -> None:
        super().__init__()
        self.spec = spec
        by_shape: dict[tuple[int, ...], list[Pair]] = {}
        for image, mask in pairs:
            by_shape.setdefault(mask.shape, []).append((image, mask))
        for same in by_shape.values():
            same.extend(islice(cycle(list(same)), -len(same) % devices))
        self.batches = [
            same[start : start + spec.batch_size]
            for same in by_shape.values()
            for start in range(0, len(same), spec.batch_size)
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Pair:
        return stack_pairs(self.batches[step], self.spec)


def stack_pairs(pairs: Sequence[Pair], spec: MemberSpec) -> Pair:
    """Pad to the spec's size multiple and stack: images (batch, h, w, 3) in 0..255, targets (batch, h, w, bands).

    Targets are 0 or 1, one band for each of the spec's; a student's are 0..1, or -1 where it is taught nothing. All is
    float32.
    """
    padded = ([pad_tile(pixels, 0, spec.size_multiple) for pixels in pair] for pair in pairs)
    images, targets = map(np.stack, zip(*padded, strict=True))
    bands = decode_probabilities(targets)[..., None] if spec.student else split_bits(targets, len(spec.bands))
    return images.astype(np.float32), bands.astype(np.float32)
