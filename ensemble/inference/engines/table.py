"""The table of engines: what can compute a network, and whether it is installed."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from ensemble.inference.engines.forward import Forward, load_keras, load_onnx, load_openvino
from ensemble.inference.engines.quantisation import load_int8
from members.common.errors import InputError
from members.data.run import FoldFolder


@dataclass(frozen=True)
class Engine:
    """What computes forward passes.

    Attributes:
        name: as it is given and written.
        load: makes a fold's forward pass.
        packages: what has to be installed for it beside Keras; the extra of the same name brings it.
        exact: whether its maps are those of Keras to 1 of 255.
    """

    name: str
    load: Callable[[FoldFolder], Forward]
    packages: tuple[str, ...] = ()
    exact: bool = True

    @property
    def installed(self) -> bool:
        """Whether all its packages are installed."""
        return all(importlib.util.find_spec(package) for package in self.packages)


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("keras", load_keras),
        Engine("openvino", load_openvino, ("openvino", "tf2onnx")),
        Engine("onnx", load_onnx, ("onnxruntime", "tf2onnx")),
        Engine("int8", load_int8, ("openvino", "tf2onnx"), exact=False),
    )
}
"""The first is what all others are compared with."""


def find_engine(name: str) -> Engine:
    """Return an engine that is installed.

    Raises:
        InputError: there is none of that name, or it is not installed.
    """
    if name not in ENGINES:
        raise InputError(f"engine {name!r}: there is none; choose one of {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if not engine.installed:
        extra = "int8" if name == "int8" else name
        raise InputError(f"engine {name}: not installed; pip install -e '.[{extra}]'")
    return engine
