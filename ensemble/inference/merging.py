"""One probability out of what several networks say of several views of an image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.inference.networks import Network
from ensemble.inference.scenes import count_batch
from ensemble.inference.views import View
from members.common.errors import InputError
from members.training.augment import pad_tile
from members.training.spec import MemberSpec


@dataclass(frozen=True)
class Merge:
    """A mean in some sense: `finish(combine over views of prepare(probability), number of views)`, from `start` on."""

    start: float
    prepare: Callable[[np.ndarray], np.ndarray]
    combine: np.ufunc
    finish: Callable[[np.ndarray, int], np.ndarray]


def take_log(probability: np.ndarray) -> np.ndarray:
    """Return the logarithm; that of 0 is -inf, and makes the mean 0, as it should."""
    with np.errstate(divide="ignore"):
        return np.log(probability)


MERGES: dict[str, Merge] = {
    "mean": Merge(0, lambda p: p, np.add, lambda total, count: total / count),
    # of logs, since a product of many small probabilities underflows
    "gmean": Merge(0, take_log, np.add, lambda total, count: np.exp(total / count)),
    "power": Merge(0, np.square, np.add, lambda total, count: np.sqrt(total / count)),
    "max": Merge(-np.inf, lambda p: p, np.maximum, lambda total, count: total),
    "min": Merge(np.inf, lambda p: p, np.minimum, lambda total, count: total),
}
"""mean; gmean, the geometric mean; power, the mean of squares, rooted; max; min."""


def choose_views(spec: MemberSpec, views: Sequence[View]) -> tuple[View, ...]:
    """Return the views that a member was trained to support.

    Raises:
        InputError: there is none.
    """
    supported = tuple(view for view in views if view.is_supported(spec))
    if not supported:
        names = ", ".join(view.name for view in views)
        raise InputError(f"{spec.name}: not trained to support any of the views {names}; give others")
    return supported


def see_views(networks: Sequence[Network], stack: np.ndarray, views: Sequence[View]) -> Iterator[list[np.ndarray]]:
    """Yield what each network sees in each view, brought back to its place, in the order of the views.

    Views that are of one shape are shown together, as far as a batch holds them.

    Args:
        networks: of one size multiple.
        stack: uint8 (n, h, w, 3) of any h and w; padded by reflection, cropped again.
        views: what to look at.

    Yields:
        float32 (bands, n, h, w) a network, bands as its spec has them.
    """
    height, width = stack.shape[1:3]
    multiple = networks[0].spec.size_multiple
    padded = [pad_tile(image, 0, multiple) for image in stack]
    size = padded[0].shape[:2]
    turned = [[view.apply(image) for image in padded] for view in views]
    # a scaled view need not be of a multiple, and is padded once more
    shown = [np.stack([pad_tile(image, 0, multiple) for image in images]) for images in turned]
    seen: dict[int, list[np.ndarray]] = {}
    for number, (view, images) in enumerate(zip(views, turned, strict=True)):
        if number not in seen:
            together = choose_together(shown, number)
            batch = np.concatenate([shown[each] for each in together]).astype(np.float32)
            found = [np.split(network.predict(batch), len(together)) for network in networks]
            seen |= {each: list(parts) for each, parts in zip(together, zip(*found, strict=True), strict=True)}
        inner = images[0].shape[:2]
        yield [
            np.stack(
                [
                    [view.undo(one[: inner[0], : inner[1]], size)[:height, :width] for one in band]
                    for band in np.moveaxis(values, -1, 0)
                ]
            )
            for values in seen.pop(number)
        ]


def choose_together(shown: Sequence[np.ndarray], first: int) -> list[int]:
    """Choose the views that are shown in one batch: the first, and later ones of its shape as far as there is room."""
    room = count_batch(shown[first].shape[1:3]) // len(shown[first])
    same = [number for number in range(first, len(shown)) if shown[number].shape == shown[first].shape]
    return same[: max(room, 1)]


def merge_views(
    networks: Sequence[Network],
    stack: np.ndarray,
    views: Sequence[View],
    merge: str = "mean",
    std: bool = False,
) -> np.ndarray:
    """Merge all networks and views into one probability a band, and on request say how far they are apart.

    Args:
        networks: of one size multiple and the same bands, such as the folds of a member.
        stack: uint8 (n, h, w, 3) of any h and w.
        views: what to look at.
        merge: one of `MERGES`.
        std: whether to give the standard deviation over networks and views too, that of the first band.

    Returns:
        float32 (bands, n, h, w) in 0..1, or (bands + 1, n, h, w), the last the standard deviation in 0..0.5.
    """
    rule = MERGES[merge]
    total = np.full((len(networks[0].spec.bands), *stack.shape[:3]), rule.start, np.float32)
    sums = np.zeros((2, *stack.shape[:3])) if std else None
    for each in see_views(networks, stack, views):
        for seen in each:
            rule.combine(total, rule.prepare(seen), out=total)
            if sums is not None:
                sums += seen[0], np.square(seen[0], dtype=np.float64)
    count = len(views) * len(networks)
    merged = np.asarray(rule.finish(total, count), np.float32)
    if sums is None:
        return merged
    variance = np.maximum(sums[1] / count - (sums[0] / count) ** 2, 0)  # rounding may take it below
    return np.concatenate([merged, np.sqrt(variance)[None].astype(np.float32)])
