"""Scores of images together, from what was counted of each: every metric of `METRICS`, with its interval."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.statistics.estimates import LEVEL, Estimate, Scorer, estimate_scores
from ensemble.statistics.metrics import METRICS, MetricName
from members.common.errors import InputError
from members.common.tables import ResultTable
from postproc.polygons.buildings import Building
from postproc.scoring.average_precision import make_precision_scorer
from postproc.scoring.buildings import Comparison, ImageBuildings, compare_buildings
from postproc.scoring.pixels import pool_masks

OF_WALLS: tuple[MetricName, ...] = ("c_iou", "n_ratio", "right_angles", "truth_right_angles")
"""Along pixels these mean nothing: every angle is right, and a wall has as many vertices as steps."""
NOTHING = Estimate(math.nan, None)
NEED = "these take outlines that were drawn, of ours and of the truth, and here are masks, whose edges are pixels'"


@dataclass(frozen=True, repr=False)
class Scores(Mapping[MetricName, Estimate]):
    """Scores of images together: a mapping of the names in `METRICS` to values with intervals.

    Attributes:
        estimates: NaN is the value of what does not exist, such as the mean distance of no pairs, or the walls of
            outlines that were traced along pixels.
        images: how many images.
        groups: how many groups they are of.
        traced: whether any were, ours or those of the truth.
    """

    estimates: Mapping[MetricName, Estimate]
    images: int
    groups: int
    traced: bool = False

    def __getitem__(self, metric: MetricName) -> Estimate:
        return self.estimates[metric]

    def __iter__(self) -> Iterator[MetricName]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def tabulate(self) -> ResultTable:
        """Return the table of every score; where outlines were traced along pixels, of those that this leaves sense."""
        shown = {name: score for name, score in self.items() if not (self.traced and name in OF_WALLS)}
        rows = [(METRICS[name].label, *format_estimate(score)) for name, score in shown.items()]
        title = f"{self.images} images of {self.groups} groups"
        notes = [f"without {', '.join(METRICS[name].title for name in OF_WALLS)}: {NEED}"] if self.traced else []
        return ResultTable(title, ("score", "value", f"{LEVEL:.0%} interval"), rows, notes)

    def describe(self) -> dict[str, Any]:
        """Return the scores as they are written to JSON; None stands for what does not exist."""
        values = {name: None if math.isnan(score.value) else score.value for name, score in self.items()}
        intervals = {name: score.interval for name, score in self.items()}
        return {**values, "images": self.images, "groups": self.groups, "intervals": intervals}

    def __str__(self) -> str:
        return str(self.tabulate())

    __repr__ = __str__  # a notebook stores it beside the HTML

    def _repr_html_(self) -> str:
        return self.tabulate()._repr_html_()


def format_estimate(score: Estimate) -> tuple[str, str]:
    """Return a score and its interval in words; "-" where it does not exist, "" without an interval."""
    value = "-" if math.isnan(score.value) else f"{score.value:.4f}"
    return value, "..".join(f"{end:.3f}" for end in score.interval or ())


def make_scorer(images: Sequence[Comparison]) -> Scorer:
    """Return the scorer of images by every metric of `METRICS`.

    A metric's formula is applied to the sums of the images' columns; average precision is no formula on sums, so
    what `rank_detections` finds is handed to it like one.
    """
    names = images[0].columns
    columns = {name: np.array([image.columns[name] for image in images], np.float64) for name in names}
    columns["tiles"] = np.ones(len(images))
    rank = make_precision_scorer([image.detections for image in images])

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        sums = {**{name: weights @ values for name, values in columns.items()}, **rank(weights)}
        return {name: metric.compute(sums) for name, metric in METRICS.items()}

    return score


def score_each(image: Comparison) -> Scores:
    """Score one image by itself."""
    scores = make_scorer([image])(np.ones((1, 1)))
    estimates = {name: Estimate(float(values[0]), None) for name, values in scores.items()}
    return _make_scores(estimates, 1, 1, image.traced)


def _make_scores(estimates: Mapping[MetricName, Estimate], images: int, groups: int, traced: bool) -> Scores:
    hidden = OF_WALLS if traced else ()
    shown = {name: NOTHING if name in hidden else score for name, score in estimates.items()}
    return Scores(shown, images, groups, traced)


def score_images(
    scorer: Scorer, groups: Sequence[str], chosen: np.ndarray | None = None, traced: bool = False
) -> Scores:
    """Score images together.

    Args:
        scorer: of all images.
        groups: the group of each, for the intervals.
        chosen: bool (images,), which ones are scored; all by default.
        traced: whether any outlines, ours or the true ones, are those of a mask's pixels.
    """
    kept = [group for number, group in enumerate(groups) if chosen is None or chosen[number]]
    return _make_scores(estimate_scores(scorer, groups, chosen), len(kept), len(set(kept)), traced)


def score_masks(
    masks: Iterable[np.ndarray],
    truths: Iterable[np.ndarray],
    groups: Sequence[object] | None = None,
    outlines: Iterable[Sequence[Building]] | None = None,
) -> Scores:
    """Score masks against the truth, pixel by pixel and building by building.

    Args:
        masks: bool (h, w), True = building, one an image; images may differ in size.
        truths: bool, each of its mask's shape.
        groups: one name an image: images of one group resemble one another, so intervals are of 2,000 bootstrap draws
            of whole groups; without it each image is its own group.
        outlines: the buildings of each image, as `Pipeline.outline` gives them, which are matched by their
            confidences; without them each 4-connected component of a mask is a building, and all rank alike.
            Buildings of the truth are always its components.

    Returns:
        An `Estimate`, value and interval, by the name of each metric; NaN for those of vertices and angles, which take
        a truth whose outlines were drawn, as files of `roofstack score` may hold.

    Raises:
        InputError: there is no image or no building in any truth, a mask or truth is no bool array of two dimensions
            or of another size than its truth, or the arguments are not equally many.

    >>> truth = np.array([[True, True, False, False]])
    >>> score_masks([truth, ~truth], [truth, truth])["pooled_iou"].value
    0.3333333333333333
    """
    columns: dict[str, list[Any]] = {"masks": list(masks), "truths": list(truths)}
    images = len(columns["truths"])
    columns["groups"] = list(range(images)) if groups is None else list(groups)
    columns["outlines"] = [None] * images if outlines is None else list(outlines)
    for name, values in columns.items():
        if len(values) != images:
            raise InputError(f"{name}: {len(values)} for {images} truths; give one an image, all in the same order")
    compared = []
    for number, (mask, truth, _, buildings) in enumerate(zip(*columns.values(), strict=True)):
        check_mask(f"masks[{number}]", mask)
        check_mask(f"truths[{number}]", truth)
        predicted = ImageBuildings.from_mask(mask) if buildings is None else take_buildings(mask, buildings)
        try:
            compared.append(compare_buildings(predicted, ImageBuildings.from_mask(truth)))
        except InputError as error:
            raise InputError(f"masks[{number}]: {error}") from None
    pool_masks(image.columns for image in compared)
    traced = any(image.traced for image in compared)
    return score_images(make_scorer(compared), [str(group) for group in columns["groups"]], traced=traced)


def check_mask(name: str, mask: np.ndarray) -> None:
    """Raise InputError unless it is a bool array of two dimensions."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        got = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f"{name}: a mask is a bool array (h, w), True = building, got {got}; compare it, as mask > 0")


def take_buildings(mask: np.ndarray, buildings: Sequence[Building]) -> ImageBuildings:
    """Take a mask's buildings from their outlines."""
    outlines = [building.outline for building in buildings]
    return ImageBuildings(mask, outlines, [building.confidence for building in buildings])
