"""How each engine makes a forward pass.

From RGB 0..255, float32 (n, h, w, 3), to probabilities, float32 (n, h, w, 1).
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from ensemble.inference.engines.conversion import load_keras_network, read_converted
from members.data.run import FoldFolder

Forward = Callable[[np.ndarray], np.ndarray]
TRACES = 16
"""Sizes of images whose traces are kept."""


def load_keras(files: FoldFolder) -> Forward:
    """Return the forward pass of a fold as Keras computes it.

    Raises:
        InputError: no backend of Keras is installed, or the fold has no whole weights.
    """
    return trace_sizes(load_keras_network(files))


def trace_sizes(network: Any) -> Forward:
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


def load_openvino(files: FoldFolder) -> Forward:
    """Return the forward pass of a fold as OpenVINO computes it on the CPU, in float32.

    Raises:
        InputError: the fold has no whole weights, or can't be converted.
    """
    return compile_openvino(read_converted(files))


def compile_openvino(model: Any) -> Forward:
    """Return the forward pass of an ONNX file's bytes, or of OpenVINO's own model."""
    import openvino

    core = openvino.Core()
    if isinstance(model, bytes):
        model = core.read_model(model, b"")
    # left to itself it computes in bfloat16 where the CPU can, and maps differ by 10 of 255
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", settings)
    return lambda batch: np.array(compiled(batch)[0])  # a copy: the next call writes into the same memory


def load_onnx(files: FoldFolder) -> Forward:
    """Return the forward pass of a fold as ONNX Runtime computes it on the CPU.

    Raises:
        InputError: the fold has no whole weights, or can't be converted.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waits without burning a core
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(read_converted(files), options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"image": batch})[0]
