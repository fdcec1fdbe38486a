"""The one module that decides which framework Keras computes with."""

import contextlib
import ctypes
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from members.common.errors import InputError
from members.common.workers import count_cores

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # as in glibc's malloc.h
BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend() -> str:
    """Choose what Keras computes with, KERAS_BACKEND or the first framework installed; nothing is loaded yet.

    Raises:
        InputError: no framework, or not the one asked for, is installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # else off without AVX-512, where it pays too
    chosen = os.environ.get("KERAS_BACKEND")
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if chosen is None and installed:
        chosen = os.environ["KERAS_BACKEND"] = installed[0]
    if chosen not in installed:
        missing = f"KERAS_BACKEND={chosen} is not installed" if chosen else "no Keras backend is installed"
        raise InputError(f"{missing}; networks need one of: pip install -e '.[cpu]', [gpu] or [jax]")
    return chosen


def load_backend() -> str:
    """Load Keras, which takes seconds, on what `choose_backend` chooses.

    Raises:
        InputError: as there.
    """
    chosen = choose_backend()
    keep_freed_memory()
    with silence_stderr():
        importlib.import_module("keras")
    return chosen


def keep_freed_memory() -> None:
    """Have glibc keep what tensors free for the next ones, instead of returning it at every step."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, size in ((M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28)):
            mallopt(parameter, size)


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: TensorFlow's C++ start-up chatter obeys no log level."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def seed_backend(seed: int) -> None:
    """Seed Python, NumPy and the framework, and ask TensorFlow for deterministic operations."""
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def list_accelerators() -> list[str]:
    """List the GPUs that Keras computes on, as its backend names them."""
    import keras

    if keras.backend.backend() == "torch":
        return []
    # asked for GPUs alone, JAX raises where it has none
    return [device for device in keras.distribution.list_devices() if device.startswith("gpu")]


@contextlib.contextmanager
def distribute_batches() -> Iterator[None]:
    """Build networks within it for all GPUs, each batch shared out among them; with one or none as ever."""
    import keras

    devices = list_accelerators()
    if len(devices) < 2:
        yield
    elif keras.backend.backend() == "tensorflow":
        import tensorflow

        with tensorflow.distribute.MirroredStrategy([device.upper() for device in devices]).scope():
            yield
    else:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        yield


def describe_devices() -> str:
    """Name the devices that training runs on, with their memory: "2 CPU cores, 24 GiB", "NVIDIA H200, 143771 MiB"."""
    if list_accelerators() and shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        return "; ".join(listed.strip().splitlines())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{count_cores()} CPU cores, {memory:.0f} GiB"
