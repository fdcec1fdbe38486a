"""Losses on probabilities, finite with finite gradients on empty, full and any other masks.

Both arguments of a term are (batch, h, w, 1): truth 0 or 1, prediction 0..1. The result is a scalar, float32 whatever
the precision of the network.
"""

from collections.abc import Callable

import keras
from keras import KerasTensor, ops

SMOOTH = 1e-5
EPSILON = 1e-6


def binary_crossentropy(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Compute the mean binary cross-entropy."""
    return ops.mean(keras.losses.binary_crossentropy(truth, prediction))


def soft_dice(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Compute 1 - Dice coefficient over the whole batch, smoothed by 1e-5 so that empty against empty costs nothing.

    Milletari et al. 2016, https://arxiv.org/abs/1606.04797.
    """
    intersection = ops.sum(truth * prediction)
    return 1 - (2 * intersection + SMOOTH) / (ops.sum(truth) + ops.sum(prediction) + SMOOTH)


def binary_focal(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Compute the mean focal loss with gamma 2, alpha 0.25 (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""
    return ops.mean(
        keras.losses.binary_focal_crossentropy(truth, prediction, apply_class_balancing=True, alpha=0.25, gamma=2.0)
    )


def boundary(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Compute 1 - BF1, the boundary loss of Bokhovkin and Burnaev 2019 (https://arxiv.org/abs/1905.07852).

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
    """Trace the inner boundary of a soft mask: 1 on pixels of the mask that touch a pixel outside it (8-connected)."""
    inverted = 1 - mask
    return ops.max_pool(inverted, 3, strides=1, padding="same") - inverted


def lovasz_hinge(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
    """Compute the Lovasz extension of 1 - IoU over the pixels' hinge errors, over the whole batch.

    Berman et al. 2018, https://arxiv.org/abs/1705.08790. Over the batch, not image by image, because the score
    pools the pixels of all tiles. The hinge needs logits; they are taken back out of the probabilities, so
    beyond a probability of 1e-6 from 0 or 1 a pixel no longer pulls.
    """
    truth = ops.reshape(truth, (-1,))
    bounded = ops.clip(ops.reshape(prediction, (-1,)), EPSILON, 1 - EPSILON)
    errors = 1 - (ops.log(bounded) - ops.log(1 - bounded)) * (2 * truth - 1)
    order = ops.stop_gradient(ops.argsort(-errors))
    steps = ops.stop_gradient(grade_errors(ops.take(truth, order)))
    return ops.sum(ops.relu(ops.take(errors, order)) * steps)


def grade_errors(truth: KerasTensor) -> KerasTensor:
    """Compute how much 1 - IoU grows with each pixel got wrong, in descending order of error (their Algorithm 1)."""
    count = ops.sum(truth)
    loss = 1 - (count - ops.cumsum(truth)) / (count + ops.cumsum(1 - truth))
    return ops.concatenate([loss[:1], loss[1:] - loss[:-1]])


LOSSES: dict[str, tuple[Callable[[KerasTensor, KerasTensor], KerasTensor], ...]] = {
    "bce_dice": (binary_crossentropy, soft_dice),
    "bce_lovasz": (binary_crossentropy, lovasz_hinge),
    "dice_focal_boundary": (soft_dice, binary_focal, boundary),
    "lovasz": (lovasz_hinge,),
}


FURTHER_LOSS, FURTHER_WEIGHTS = "bce_dice", (0.25, 0.5)
"""Of the bands border and contact, beside the building's loss, which counts 1."""


def build_loss(name: str, partial: bool = False) -> Callable[[KerasTensor, KerasTensor], KerasTensor]:
    """Make the sum of a named loss's terms on the first band, and of `FURTHER_LOSS` on further ones.

    Args:
        name: of the loss.
        partial: whether truth may be -1, for unknown: such pixels count as background that is predicted as such.

    Returns:
        A loss of (batch, h, w, bands), computed in float32; its result is of shape (1,).
    """

    def loss(truth: KerasTensor, prediction: KerasTensor) -> KerasTensor:
        truth, prediction = ops.cast(truth, "float32"), ops.cast(prediction, "float32")
        if partial:
            truth, prediction = ops.maximum(truth, 0), ops.where(truth < 0, 0.0, prediction)
        total = sum(term(truth[..., :1], prediction[..., :1]) for term in LOSSES[name])
        for band, weight in enumerate(FURTHER_WEIGHTS[: prediction.shape[-1] - 1], 1):
            one = truth[..., band : band + 1], prediction[..., band : band + 1]
            total += weight * sum(term(*one) for term in LOSSES[FURTHER_LOSS])
        # of a scalar Keras would not take each replica's share where tf.distribute has several
        return ops.reshape(total, (1,))

    loss.__name__ = name
    return loss
