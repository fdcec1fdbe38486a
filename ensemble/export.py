"""The command that writes a member's network for other programs, and judges networks of 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from members.common.choices import ExportFormat
from members.common.console import JSON, print_result, run_command, track, warn
from members.common.errors import InputError
from members.common.files import check_target
from members.common.tables import ResultTable
from members.training.networks.backend import choose_backend

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml"}


def export(
    member: Annotated[str, typer.Argument(help="The member.")],
    run: Annotated[Path, typer.Option(help="The run that it was trained in.")],
    format: Annotated[ExportFormat, typer.Option(help="onnx, or openvino: .xml with .bin.")] = "onnx",
    output: Annotated[Path | None, typer.Option(help="The file; default: MEMBER.onnx or MEMBER.xml, here.")] = None,
    fold: Annotated[int | None, typer.Option(help="One fold alone; default: the mean of all, in one network.")] = None,
    side: Annotated[int, typer.Option(min=0, help="Of the images, px; 0 leaves it free, for other programs.")] = 512,
    data: Annotated[Path | None, typer.Option(help="The data set of the run: says the resolution of images.")] = None,
    resolution: Annotated[float | None, typer.Option(min=0.01, help="Of the images, cm per pixel.")] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="8 bits, kept for predict too, if that costs nothing; with --data.")
    ] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Export a member as one network for other programs, QGIS's Deepness plugin among them.

    It takes (RGB / 255 - mean) / std, (batch, 3, h, w), and gives the probability of building, (batch, 1, h, w). Mean,
    std, resolution, class names and tile size are in the file, where the plugin reads them. A member with folds is the
    mean of them, as in maps of new images; it takes as much longer. With --int8 networks of 8 bits are compared with
    those of float32 on the validation tiles, and nothing is written where their cost is proven.
    """
    from ensemble.inference.engines.exporting import (
        export_networks,
        measure_resolution,
        quantise_export,
        write_ir,
        write_onnx,
    )
    from ensemble.inference.engines.judgement import judge_int8, tabulate_judgement
    from ensemble.inference.engines.table import find_engine
    from ensemble.inference.inputs import choose_members
    from members.data.run import Run
    from members.data.tiles import list_tiles
    from members.training.spec import read_spec

    choose_backend()
    folder = Run(run)
    record = folder.read_record()
    [name], remarks = choose_members(folder, record, [member])
    for remark in remarks:
        warn(remark)
    numbers = list(range(record.split.folds)) if fold is None else [fold]
    if fold is not None and not 0 <= fold < record.split.folds:
        raise InputError(f"--fold {fold}: {name} has the folds 0 to {record.split.folds - 1}")
    multiple = read_spec(folder.fold(name, 0).spec_file).size_multiple
    if side % multiple:
        near = max(side // multiple, 1) * multiple
        raise InputError(f"--side {side}: {name} takes multiples of {multiple} px; give {near}, or 0")
    target = output or Path(f"{name}{SUFFIXES[format]}")
    check_target(target, [SUFFIXES[format]])
    if int8 and (format != "openvino" or data is None):
        raise InputError("--int8: give --format openvino, which computes with 8 bits, and --data, to judge it on")
    find_engine("int8" if int8 else format)
    tiles = [] if data is None else list_tiles(data, group_by=record.split.group_by)
    if data is not None:
        folder.check_tiles(tiles)
    content: dict[str, Any] = {"member": name, "networks": len(numbers), "written": None}
    tables: list[ResultTable] = []
    if int8:
        judgement = judge_int8(folder, record, name, tiles, track)
        tables.append(tabulate_judgement(name, judgement))
        content |= {"iou": judgement.iou[0], "iou of 8 bits": judgement.iou[1], "kept": judgement.kept}
        if not judgement.kept:
            print_result(json, content, *tables)
            return
    resolution = resolution or measure_resolution(tiles)
    if resolution is None:
        warn("the resolution of the images is not known; give --resolution, or --data with georeferenced images")
    network = export_networks([folder.fold(name, number) for number in numbers], name, side or None, resolution)
    if format == "onnx":
        write_onnx(target, network)
    else:
        write_ir(target, network, quantise_export(network, tiles, side or None, multiple) if int8 else None)
    folder.log_command()
    told = f"{target}: {len(numbers)} network{'s' if len(numbers) > 1 else ''} of {name}"
    print_result(json, content | {"written": str(target)}, *tables, told)


if __name__ == "__main__":
    run_command(export)
