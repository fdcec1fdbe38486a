"""Weights on disk: a file as Keras writes it, with hashes beside it that tell a damaged file from a whole one."""

import hashlib
import io
import warnings
from typing import TYPE_CHECKING, Any

from members.common.errors import InputError
from members.common.files import read_json, write_json, write_whole
from members.data.record import RETRAIN
from members.data.run import FoldFolder

if TYPE_CHECKING:
    import keras


class MemoryFile(io.BytesIO):
    """A file in memory that Keras takes for one of weights.

    On a disk that fills up HDF5 ends the whole process (h5py 3.14), so it is given no file on the disk.
    """

    def __str__(self) -> str:
        return "best.weights.h5"


def write_weights(network: "keras.Model", folder: FoldFolder) -> None:
    """Write the best weights, and their hash.

    Raises:
        OSError: there is no room; the weights that were there are whole.
    """
    from keras.src.saving.saving_lib import save_weights_only  # what `save_weights` calls; it takes a path alone

    file = MemoryFile()
    save_weights_only(network, file)
    write_content(file.getvalue(), folder)


def write_content(content: bytes, folder: FoldFolder) -> None:
    """Write the bytes of a file of weights, and their hash.

    The hash is there first, beside those of the weights before: whenever kills come, those that are there are known.
    In the end it stands alone, so that nothing tells how often a training was stopped.
    """
    own = hash_bytes(content)
    known = read_hashes(folder) if folder.weights_file.is_file() else []
    write_json(folder.hashes_file, {"fold": folder.path.name, "blake2b": list(dict.fromkeys((own, *known)))})
    with write_whole(folder.weights_file) as temporary:
        temporary.write_bytes(content)
    write_json(folder.hashes_file, {"fold": folder.path.name, "blake2b": [own]})


def load_weights(network: "keras.Model", folder: FoldFolder) -> str:
    """Load the best weights into a network built from their spec; return their hash, 32 hexadecimal digits.

    Raises:
        InputError: there are none, they are damaged, or they are of another network.
    """
    from keras.src.saving.saving_lib import load_weights_only

    content = read_weights(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns that layers keep random weights
            load_weights_only(network, MemoryFile(content))
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{folder.weights_file}: of another network than its spec.json ({reason}); retrain") from None
    return hash_bytes(content)


def read_weights(folder: FoldFolder) -> bytes:
    """Read the file of the best weights, and compare it with its hash.

    Raises:
        InputError: there is none, or the file is not the one that was written.
    """
    path = folder.weights_file
    if not path.is_file():
        raise InputError(f"{path}: no such file, so no trained network here; train it, or name another folder")
    content, hashes = path.read_bytes(), read_hashes(folder)
    if hash_bytes(content) not in hashes:
        raise InputError(
            f"{path}: damaged, not the file that training wrote (hash {hash_bytes(content)}, {folder.hashes_file.name} "
            f"says {' or '.join(hashes)}); restore both files, or train this member anew with --restart"
        )
    return content


def read_hashes(folder: FoldFolder) -> list[str]:
    """Read the hashes that the weights may have: that of the newest, and that of those before.

    Raises:
        InputError: they are missing or damaged, or of another fold, whose network has seen other tiles.
    """
    content: Any = read_json(folder.hashes_file, RETRAIN)
    hashes = content.get("blake2b") if isinstance(content, dict) else None
    if not isinstance(hashes, list) or not all(isinstance(each, str) for each in hashes):
        raise InputError(f"{folder.hashes_file}: no list of hashes; {RETRAIN}")
    if content.get("fold", folder.path.name) != folder.path.name:
        raise InputError(
            f"{folder.hashes_file}: of the weights of {content['fold']}, which were trained on other tiles; move the "
            "files back to where they were, or train this member anew with --restart"
        )
    return hashes


def hash_bytes(content: bytes) -> str:
    """Return the BLAKE2b hash of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
