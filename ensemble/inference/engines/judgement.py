"""Whether networks of 8 bits cost anything: on tiles that the networks did not see, by the rule of tta-gain."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.inference.engines.conversion import find_converted, read_converted, write_openvino
from ensemble.inference.engines.forward import compile_openvino
from ensemble.inference.engines.quantisation import quantise_model, remove_int8, spread_tiles
from ensemble.inference.merging import merge_views
from ensemble.inference.networks import Network
from ensemble.inference.view_gain import choose_thresholds
from ensemble.inference.views import View
from ensemble.mapfolder.raster import quantise
from ensemble.statistics.counts import Counts, count_thresholds
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.gains import Gain, measure_gain
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.data.raster import read_image, read_pair
from members.data.run import Run, RunRecord
from members.data.tiles import Tile
from members.training.augment import pad_tile
from members.training.spec import MemberSpec, read_spec

BITS = ("float32", "int8")


@dataclass(frozen=True)
class Judgement:
    """What 8 bits cost a member.

    Attributes:
        tiles: how many it was judged on.
        iou: pooled, at the best threshold, in float32 and with 8 bits.
        seconds: of a tile, likewise.
        loss: the gain of float32 over 8 bits.
    """

    tiles: int
    iou: tuple[float, float]
    seconds: tuple[float, float]
    loss: Gain

    @property
    def kept(self) -> bool:
        """Whether 8 bits are not likely to cost anything; of too few groups to tell, whether they cost nothing here."""
        return self.loss.value <= 0 if self.loss.interval is None else not self.loss.is_kept("likely")


def judge_int8(
    run: Run, record: RunRecord, member: str, tiles: Sequence[Tile], progress: Progress = silent
) -> Judgement:
    """Quantise a member's networks and judge them; they are kept beside the weights where they cost nothing.

    Args:
        run: the run.
        record: its record.
        member: one whose folds are all trained.
        tiles: the training tiles, with masks.
        progress: shows how many tiles are judged.

    Raises:
        InputError: NNCF is not installed, or weights are damaged.
    """
    groups: list[str] = []
    columns: list[list[dict[str, np.ndarray]]] = [[], []]
    seconds = [0.0, 0.0]
    models = {}
    for fold in range(record.split.folds):
        files = run.fold(member, fold)
        unseen = [tile for tile in tiles if record.split.validates(tile.group, fold)]
        spec, content = read_spec(files.spec_file), read_converted(files)
        models[fold] = quantise_model(content, [take_batch(tile, spec) for tile in spread_tiles(tiles, unseen)])
        networks = [Network(spec, compile_openvino(model)) for model in (content, models[fold])]
        for tile in progress(unseen, f"{member} fold {fold}", len(unseen)):
            image, truth = read_pair(tile)
            groups.append(tile.group)
            for number, network in enumerate(networks):
                began = time.perf_counter()
                seen = merge_views([network], image[None], [View()])[0, 0]
                seconds[number] += time.perf_counter() - began
                columns[number].append(count_thresholds(quantise(seen), truth))
    crossfit = CrossFit.deal(groups)
    choices = [choose_thresholds(Counts.from_tiles(groups, own), crossfit) for own in columns]
    exact, small = (float(each[0].score("pooled_iou")) for each in choices)
    judgement = Judgement(
        tiles=len(groups),
        iou=(exact, small),
        seconds=(seconds[0] / len(groups), seconds[1] / len(groups)),
        loss=measure_gain(choices[1], choices[0], "pooled_iou", crossfit),
    )
    for fold, model in models.items():
        if judgement.kept:
            write_openvino(find_converted(run.fold(member, fold), "int8.xml"), model)
        else:
            remove_int8(run.fold(member, fold))
    return judgement


def take_batch(tile: Tile, spec: MemberSpec) -> np.ndarray:
    """Read a tile as a batch of one, float32 (1, h, w, 3), padded to what the member's networks take."""
    return pad_tile(read_image(tile.image), 0, spec.size_multiple)[None].astype(np.float32)


def tabulate_judgement(member: str, judgement: Judgement) -> ResultTable:
    """Return the table of one member, with the verdict below it."""
    low, high = judgement.loss.interval or (judgement.loss.value, judgement.loss.value)
    gains = ("", f"{-judgement.loss.value:+.4f} ({-high:+.4f} .. {-low:+.4f})")
    rows = [
        (bits, f"{seconds * 1000:.0f}", f"{iou:.4f}", gain)
        for bits, seconds, iou, gain in zip(BITS, judgement.seconds, judgement.iou, gains, strict=True)
    ]
    verdict = (
        "kept: they are not likely to cost anything" if judgement.kept else "not kept: they are likely to cost IoU"
    )
    return ResultTable(
        f"{member}: pooled IoU at the best threshold, {judgement.tiles} validation tiles, without test-time views",
        ("network", "ms a tile", "IoU", "gain, with its 90% interval"),
        rows,
        [f"networks of 8 bits: {verdict}"],
    )
