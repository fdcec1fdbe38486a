"""Losses on probabilities, finite with finite gradients on empty, full and any other masks.

Both arguments are (batch, h, w, 1): truth 0 or 1, prediction 0..1. The result is a scalar, float32 whatever
the precision of the network.
"""

from collections.abc import Callable

import keras
from keras import KerasTensor, ops

SMOOTH = 1e-5
EPSILON = 1e-6


def binary_crossentropy(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Mean binary cross-entropy."""
    return ops.mean(keras.losses.binary_crossentropy(truth, prediction))


def soft_dice(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """1 - Dice coefficient over the whole batch, smoothed by 1e-5 so that empty against empty costs nothing.

    Milletari et al. 2016, https://arxiv.org/abs/1606.04797.
    """
    intersection = ops.sum(truth * prediction)
    return 1 - (2 * intersection + SMOOTH) / (ops.sum(truth) + ops.sum(prediction) + SMOOTH)


def binary_focal(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Mean focal loss with gamma 2, alpha 0.25 (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""
    return ops.mean(
        keras.losses.binary_focal_crossentropy(truth, prediction, apply_class_balancing=True, alpha=0.25, gamma=2.0)
    )


def boundary(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """1 - BF1, the boundary loss of Bokhovkin and Burnaev 2019 (https://arxiv.org/abs/1905.07852).

    A boundary is the 3x3 max pooling of the inverted mask minus that inverted mask. Where the paper extends
    it by max pooling, the notebook's network averages over 5x5; so does this. Precision is the share of the
    predicted boundary near the true one, recall the reverse, over the whole batch; where both masks have no
    boundary the loss is 0.
    """
    true_edge, predicted_edge = trace_boundary(truth), trace_boundary(prediction)
    near_truth = ops.average_pool(true_edge, 5, strides=1, padding="same")
    near_prediction = ops.average_pool(predicted_edge, 5, strides=1, padding="same")
    precision = (ops.sum(predicted_edge * near_truth) + EPSILON) / (ops.sum(predicted_edge) + EPSILON)
    recall = (ops.sum(true_edge * near_prediction) + EPSILON) / (ops.sum(true_edge) + EPSILON)
    return 1 - 2 * precision * recall / (precision + recall + EPSILON * EPSILON)


def trace_boundary(mask: KerasTensor) -> KerasTensor:
    """The inner boundary of a soft mask: 1 on pixels of the mask that touch a pixel outside it (8-connected)."""
    inverted = 1 - mask
    return ops.max_pool(inverted, 3, strides=1, padding="same") - inverted


LOSSES: dict[str, tuple[Callable[[KerasTensor, KerasTensor], KerasTensor], ...]] = {
    "bce_dice": (binary_crossentropy, soft_dice),
    "dice_focal_boundary": (soft_dice, binary_focal, boundary),
}


def build_loss(name: str) -> Callable[[KerasTensor, KerasTensor], KerasTensor]:
    """The sum of a named loss's terms, computed in float32."""

    def loss(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        truth, prediction = ops.cast(truth, "float32"), ops.cast(prediction, "float32")
        return sum(term(truth, prediction) for term in LOSSES[name])

    loss.__name__ = name
    return loss
