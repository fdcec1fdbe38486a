"""Trained networks, loaded from their folders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.inference.engines.table import find_engine
from members.common.errors import InputError
from members.common.files import hash_file
from members.data.raster import Pair
from members.data.run import FoldFolder
from members.training.networks.backend import load_backend
from members.training.spec import MemberSpec, read_spec


@dataclass(frozen=True)
class Network:
    """A trained network, as `load_network` gives it.

    Attributes:
        spec: what it was built and trained by; says its size multiple and which views it supports.
        predict: from RGB 0..255, float32 (n, h, w, 3), h and w multiples of `spec.size_multiple`, to probabilities,
            float32 (n, h, w, 1) in 0..1.
    """

    spec: MemberSpec
    predict: Callable[[np.ndarray], np.ndarray]


Load = Callable[[Path, str], Network]


def load_network(folder: str | Path, engine: str = "keras") -> Network:
    """Load a trained network with its best weights.

    Args:
        folder: of one fold of a member, RUN/members/MEMBER/foldK; holds spec.json and best.weights.h5.
        engine: what computes it: `keras`, `openvino`, `onnx`, or `int8` where `roofstack export --int8` has kept such
            a network. OpenVINO and ONNX Runtime compute in float32 as Keras does, and their maps differ by 1 of 255 at
            most; the first time the network is converted for them, and kept beside its weights.

    Returns:
        The network and its spec, as `predict_maps` takes it.

    Raises:
        InputError: the engine is not installed, the folder has no spec or no weights, or the weights are damaged or do
            not fit the spec.
    """
    files = FoldFolder(Path(folder))
    return Network(read_spec(files.spec_file), find_engine(engine).load(files))


def train_network(
    spec: MemberSpec,
    training: Mapping[str, Pair],
    validation: Mapping[str, Pair],
    folder: FoldFolder,
    report: Callable[[dict[str, float]], None],
) -> Network:
    """Train a fold, as `members.training.fit.train_fold` says, and return its network with its best weights.

    It is the network that was trained, not one built anew, unless the fold was trained before.
    """
    load_backend()
    import keras

    from ensemble.inference.engines.forward import trace_sizes
    from members.training.fit import train_fold
    from members.training.networks.weights import load_weights

    holder = keras.callbacks.Callback()  # Keras tells it the network
    train_fold(spec, training, validation, folder, report=report, callbacks=[holder])
    if holder.model is None:
        return load_network(folder.path)
    load_weights(holder.model, folder)
    return Network(spec, trace_sizes(holder.model))


def load_networks(folders: Sequence[Path], weights: Sequence[str], engine: str, load: Load) -> list[Network]:
    """Load the networks of several folds, and check that they are those that the maps' manifest was written for.

    Args:
        folders: of the folds.
        weights: the hash of each one's weights file, as the maps' manifest has it.
        engine: what computes them.
        load: `load_network`.

    Raises:
        InputError: the weights there are others.
    """
    networks = [load(folder, engine) for folder in folders]
    for folder, expected in zip(folders, weights, strict=True):  # after loading: these are what was loaded
        path = FoldFolder(folder).weights_file
        if (found := hash_file(path)) != expected:
            raise InputError(
                f"{path}: hash {found}, but the manifest of the maps says {expected}; the member was trained on "
                "meanwhile, so predict again"
            )
    return networks
