"""Trained networks, loaded from their folders: in this process, or in a worker that holds one member at a time."""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.mapfolder.manifest import hash_file
from members.common.errors import InputError
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


TRACES = 16
"""Sizes of images whose traces are kept."""
Load = Callable[[Path], Network]


def load_network(folder: str | Path) -> Network:
    """Load a trained network with its best weights; the first time this starts Keras.

    Args:
        folder: of one fold of a member, RUN/members/MEMBER/foldK; holds spec.json and best.weights.h5.

    Returns:
        The network and its spec, as `predict_maps` takes it.

    Raises:
        InputError: no backend of Keras is installed, the folder has no spec or no weights, or the weights are damaged
            or do not fit the spec.
    """
    load_backend()
    from members.training.networks.network import build_network  # brings Keras
    from members.training.networks.weights import load_weights

    files = FoldFolder(Path(folder))
    spec = read_spec(files.spec_file)
    network = build_network(spec)
    load_weights(network, files)
    return Network(spec, trace_sizes(network))


def trace_sizes(network: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return a Keras network's forward pass, traced anew for each size of images.

    Keras itself relaxes a trace to sizes that are known only when it runs, which its bilinear upsampling refuses on
    TensorFlow (3.15). TensorFlow in turn warns of many traces, which are meant here.
    """
    logger = logging.getLogger("tensorflow")

    @functools.lru_cache(maxsize=TRACES)
    def trace(size: tuple[int, ...]) -> Any:
        network.make_predict_function(force=True)
        return network.predict_function

    def predict(batch: np.ndarray) -> np.ndarray:
        network.predict_function = trace(batch.shape[1:])
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            return network.predict_on_batch(batch)
        finally:
            logger.setLevel(level)

    return predict


@functools.lru_cache(maxsize=1)
def load_networks(folders: Sequence[Path], weights: Sequence[str], load: Load) -> list[Network]:
    """Load the networks of several folds, in a worker; they stay loaded until others are asked for.

    Args:
        folders: of the folds.
        weights: the hash of each one's weights file, as the maps' manifest has it.
        load: `load_network`.

    Raises:
        InputError: the weights there are others.
    """
    for folder, expected in zip(folders, weights, strict=True):
        path = FoldFolder(folder).weights_file
        if (found := hash_file(path)) != expected:
            raise InputError(
                f"{path}: hash {found}, but the manifest of the maps says {expected}; the member was trained on "
                "meanwhile, so predict again"
            )
    return [load(folder) for folder in folders]
