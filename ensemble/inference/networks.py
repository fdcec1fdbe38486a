"""Trained networks, loaded from a run: in this process, or in a worker that holds one member at a time."""

import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from ensemble.inference.views import Predict
from ensemble.mapfolder.maps import hash_file
from members.common.errors import InputError
from members.data.run import FoldFolder
from members.training.networks.backend import choose_backend
from members.training.spec import read_spec

Load = Callable[[Path], Predict]


def load_network(folder: Path) -> Predict:
    """The network of a trained fold with its best weights, as `see_views` takes it.

    Raises:
        InputError: the weights are damaged or do not fit the spec beside them.
    """
    choose_backend()
    from members.training.networks.network import build_network  # brings Keras

    weights = FoldFolder(folder).weights_file
    network = build_network(read_spec(FoldFolder(folder).spec_file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns that layers keep random weights
            network.load_weights(weights)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{weights}: damaged or of another network ({reason}); retrain") from None
    return network.predict_on_batch


@functools.lru_cache(maxsize=1)
def load_networks(folders: Sequence[Path], weights: Sequence[str], load: Load) -> list[Predict]:
    """The networks of several folds, in a worker; they stay loaded until others are asked for.

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
                f"{path}: hash {found}, but the manifest of the maps says {expected}; "
                "the member was trained on meanwhile, so predict again"
            )
    return [load(folder) for folder in folders]
