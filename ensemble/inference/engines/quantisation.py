"""Networks of 8 bits: made by NNCF on request, and computed by OpenVINO."""

import contextlib
import io
import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ensemble.inference.engines.conversion import find_converted
from ensemble.inference.engines.forward import Forward, compile_openvino
from members.common.errors import InputError
from members.data.run import FoldFolder
from members.data.tiles import Tile

SHOWN = 48
"""Tiles on which ranges of activations are measured, at most."""


def spread_tiles(tiles: Sequence[Tile], without: Sequence[Tile]) -> list[Tile]:
    """Return a sample of the tiles, evenly spread, none of them of those without."""
    known = {tile.image_id for tile in without}
    others = [tile for tile in tiles if tile.image_id not in known]
    return [others[int(index)] for index in np.linspace(0, len(others) - 1, min(SHOWN, len(others)))]


def import_nncf() -> Any:
    """Import NNCF, which reports its use to a server unless an environment variable says no.

    Raises:
        InputError: it is not installed.
    """
    before = os.environ.get("NNCF_CI")
    os.environ["NNCF_CI"] = "1"
    try:
        import nncf
    except ImportError:
        raise InputError("NNCF is not installed; pip install -e '.[int8]'") from None
    finally:
        if before is None:
            os.environ.pop("NNCF_CI", None)
        else:
            os.environ["NNCF_CI"] = before
    return nncf


def quantise_model(content: bytes, batches: Sequence[np.ndarray]) -> Any:
    """Return an ONNX file's network with weights and activations of 8 bits, as OpenVINO's model.

    Min-max quantisation with bias correction after training, as NNCF does it (https://github.com/openvinotoolkit/nncf).

    Args:
        content: of the file.
        batches: what the network takes, on which the ranges of activations are measured.

    Raises:
        InputError: NNCF is not installed.
    """
    nncf = import_nncf()
    import openvino

    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = openvino.Core().read_model(content, b"")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # bars of its own
        return nncf.quantize(
            model, nncf.Dataset(batches), preset=nncf.QuantizationPreset.MIXED, subset_size=len(batches)
        )


def remove_int8(files: FoldFolder) -> None:
    """Drop a quantised network, if there is one."""
    path = find_converted(files, "int8.xml")
    path.unlink(missing_ok=True)
    path.with_suffix(".bin").unlink(missing_ok=True)


def load_int8(files: FoldFolder) -> Forward:
    """Return the forward pass of a fold with 8 bits, as OpenVINO computes it on the CPU.

    Raises:
        InputError: no such network was made of these weights, or none was kept.
    """
    import openvino

    path = find_converted(files, "int8.xml")
    if not path.is_file():
        raise InputError(
            f"{files.path}: no network of 8 bits was kept for these weights; roofstack export MEMBER --int8 --data DIR "
            "makes one, and keeps it if it costs nothing"
        )
    return compile_openvino(openvino.Core().read_model(str(path), str(path.with_suffix(".bin"))))
