"""Keras networks as ONNX: what the engines beside Keras compute, kept beside the weights that it was made of."""

import contextlib
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from members.common.errors import InputError
from members.common.files import write_whole
from members.data.run import FoldFolder
from members.training.networks.backend import choose_backend, load_backend
from members.training.networks.weights import hash_bytes, read_weights
from members.training.spec import read_spec

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 17
"""Of ONNX: late enough for all that networks need, and read by ONNX Runtime since 1.12, of 2022."""
VERSION = 1
"""Of what this module makes of the same weights: a change of it makes kept networks be converted anew."""


def read_converted(files: FoldFolder) -> bytes:
    """Return a trained network as ONNX, converted when it is first asked for; Keras starts only then.

    It takes RGB 0..255, float32 (n, h, w, 3), and gives probabilities, float32 (n, h, w, 1).

    Raises:
        InputError: the weights are missing or damaged, or Keras does not run on TensorFlow, which converts.
    """
    path = find_converted(files, "onnx")
    if path.is_file():
        return path.read_bytes()
    content: bytes = convert_networks([load_keras_network(files)]).SerializeToString()
    with contextlib.suppress(OSError):  # of a run that is read-only, or a full disk: it is converted again next time
        for former in path.parent.glob("[!.]*"):
            former.unlink()
        with write_whole(path) as temporary:
            temporary.write_bytes(content)
    return content


def find_converted(files: FoldFolder, suffix: str) -> Path:
    """Return where a network that was made of a fold's weights is kept; it need not be there.

    Raises:
        InputError: the weights are missing or damaged.
    """
    return files.find_converted(f"{hash_bytes(read_weights(files))}-{VERSION}.{suffix}")


def load_keras_network(files: FoldFolder) -> "keras.Model":
    """Build a fold's network and load its best weights; the first time this starts Keras.

    Raises:
        InputError: no backend of Keras is installed, or spec or weights are missing, damaged or of another network.
    """
    load_backend()
    from members.training.networks.network import build_network  # brings Keras
    from members.training.networks.weights import load_weights

    network = build_network(read_spec(files.spec_file))
    load_weights(network, files)
    return network


def convert_networks(
    networks: Sequence["keras.Model"], side: int | None = None, channels_first: bool = False
) -> "onnx.ModelProto":
    """Convert the mean of networks, which can't be used by Keras afterwards.

    Args:
        networks: from (n, h, w, 3) to (n, h, w, 1).
        side: of the images, px; None leaves height and width free.
        channels_first: whether to take (n, 3, h, w) and give (n, 1, h, w), as most programs do.

    Raises:
        InputError: Keras does not run on TensorFlow, the converter is not installed, or it can't convert the network.
    """
    if load_backend() != "tensorflow":
        raise InputError("networks are converted by TensorFlow; run this once with KERAS_BACKEND=tensorflow")
    try:
        import tf2onnx
    except ImportError:
        raise InputError("tf2onnx is not installed; pip install -e '.[onnx]' or [openvino]") from None
    import tensorflow

    for network in networks:
        free_sides(network)

    def predict(image: Any) -> Any:
        if channels_first:
            image = tensorflow.transpose(image, (0, 2, 3, 1))
        probability = tensorflow.add_n([network(image, training=False) for network in networks]) / len(networks)
        return tensorflow.transpose(probability, (0, 3, 1, 2)) if channels_first else probability

    shape = (None, 3, side, side) if channels_first else (None, side, side, 3)
    signature = [tensorflow.TensorSpec(shape, tensorflow.float32, name="image")]
    try:
        with silence_converter():
            model, _ = tf2onnx.convert.from_function(
                tensorflow.function(predict, input_signature=signature), input_signature=signature, opset=OPSET
            )
    except (TypeError, ValueError, NotImplementedError) as error:  # PSPNet's pyramid, whose cells depend on the sides
        reason = " ".join(str(error).split())[-160:]
        raise InputError(
            f"{networks[0].name}: no network that can be converted ({reason}); predict with Keras"
        ) from None
    name_ends(model, channels_first)
    return model


def free_sides(network: "keras.Model") -> None:
    """Let bilinear upsampling take images whose sides are known only when they come, which Keras 3.15 refuses."""
    import keras
    import tensorflow

    from members.training.networks.network import list_layers

    def upsample(factors: tuple[int, int]) -> Callable[[Any], Any]:
        def call(x: Any) -> Any:
            size = tensorflow.shape(x)[1:3] * factors
            larger = tensorflow.raw_ops.ResizeBilinear(images=x, size=size, half_pixel_centers=True)
            sides = [side and side * factor for side, factor in zip(x.shape[1:3], factors, strict=True)]
            larger.set_shape((x.shape[0], *sides, x.shape[3]))
            return larger

        return call

    for layer in list_layers(network):
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "bilinear":
            layer.call = upsample(layer.size)


def name_ends(model: "onnx.ModelProto", channels_first: bool) -> None:
    """Name input, output and free dimensions by what they are."""
    [image], [probability] = model.graph.input, model.graph.output
    for node in model.graph.node:
        node.input[:] = ["image" if name == image.name else name for name in node.input]
        node.output[:] = ["probability" if name == probability.name else name for name in node.output]
    image.name, probability.name = "image", "probability"
    axes = ("batch", "", "height", "width") if channels_first else ("batch", "height", "width", "")
    for value in (image, probability):
        for axis, dimension in zip(axes, value.type.tensor_type.shape.dim, strict=True):
            if axis and not dimension.dim_value:
                dimension.dim_param = axis


def write_openvino(path: Path, model: Any) -> None:
    """Write OpenVINO's model: the graph as .xml, its weights beside it as .bin; the graph is there last."""
    import openvino

    with write_whole(path) as graph, write_whole(path.with_suffix(".bin")) as weights:
        openvino.serialize(model, str(graph), str(weights))


@contextlib.contextmanager
def silence_converter() -> Any:
    """Keep tf2onnx from reporting on standard error what it optimises."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def can_convert(files: FoldFolder) -> bool:
    """Tell whether a fold's network is there as ONNX, or can be converted here: by Keras on TensorFlow."""
    return find_converted(files, "onnx").is_file() or choose_backend() == "tensorflow"
