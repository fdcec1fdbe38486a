"""Losses against NumPy references, and their gradients on masks of every kind."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from members.training.losses import (
    LOSSES,
    binary_crossentropy,
    binary_focal,
    boundary,
    build_loss,
    grade_errors,
    lovasz_hinge,
    soft_dice,
    trace_boundary,
)

tf = pytest.importorskip("tensorflow")
TRUTH = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], np.float32)
GUESS = np.array(
    [
        [0.1, 0.2, 0.1, 0.0, 0.0],
        [0.2, 0.9, 0.8, 0.4, 0.1],
        [0.1, 0.7, 1.0, 0.6, 0.3],
        [0.0, 0.8, 0.9, 0.2, 0.6],
        [0.3, 0.1, 0.0, 0.1, 0.2],
    ],
    np.float32,
)
RNG = np.random.default_rng(0)
Loss = Callable[[Any, Any], Any]


def test_further_bands_count_their_share() -> None:
    """The building's band counts by the member's own loss, border and contact by a quarter and a half of theirs."""
    rng = np.random.default_rng(3)
    truth, guess = rng.integers(0, 2, (2, 4, 5, 3)).astype(np.float32), rng.random((2, 4, 5, 3)).astype(np.float32)

    def compute(name: str, band: int) -> float:
        one = np.s_[..., band : band + 1]
        return float(build_loss(name)(ops.convert_to_tensor(truth[one]), ops.convert_to_tensor(guess[one]))[0])

    expected = compute("lovasz", 0) + 0.25 * compute("bce_dice", 1) + 0.5 * compute("bce_dice", 2)
    found = float(build_loss("lovasz")(ops.convert_to_tensor(truth), ops.convert_to_tensor(guess))[0])
    assert found == pytest.approx(expected, rel=1e-5)


def evaluate(loss: Loss, truth: np.ndarray, guess: np.ndarray) -> float:
    return float(loss(ops.convert_to_tensor(truth[None, ..., None]), ops.convert_to_tensor(guess[None, ..., None])))


def slide(image: np.ndarray, side: int, reduce: Callable[[np.ndarray], float]) -> np.ndarray:
    """`reduce` over the part of each side x side window that lies inside the image."""
    half = side // 2
    return np.array(
        [
            [
                reduce(image[max(r - half, 0) : r + half + 1, max(c - half, 0) : c + half + 1])
                for c in range(image.shape[1])
            ]
            for r in range(image.shape[0])
        ]
    )


def naive_boundary(truth: np.ndarray, guess: np.ndarray) -> float:
    edges = [slide(1 - mask, 3, np.max) - (1 - mask) for mask in (truth.astype(float), guess.astype(float))]
    near = [slide(edge, 5, np.mean) for edge in edges]
    precision = (edges[1] * near[0]).sum() / edges[1].sum()
    recall = (edges[0] * near[1]).sum() / edges[0].sum()
    return 1 - 2 * precision * recall / (precision + recall)


def naive_lovasz(truth: np.ndarray, guess: np.ndarray) -> float:
    """The sum over pixels, worst first, of their hinge error times what they add to 1 - IoU when got wrong."""
    signs, logits = 2.0 * truth.ravel() - 1, np.log(guess.ravel() / (1 - guess.ravel()))
    errors = 1 - logits * signs
    total, before, wrong = 0.0, 0.0, np.zeros(truth.size, bool)
    for pixel in np.argsort(-errors, kind="stable"):
        wrong[pixel] = True
        predicted = (truth.ravel() > 0) ^ wrong
        union = (predicted | (truth.ravel() > 0)).sum()
        after = 1 - (predicted & (truth.ravel() > 0)).sum() / union if union else 0.0
        total += max(errors[pixel], 0) * (after - before)
        before = after
    return total


def test_dice() -> None:
    expected = 1 - 2 * (TRUTH * GUESS).sum() / (TRUTH.sum() + GUESS.sum())
    assert evaluate(soft_dice, TRUTH, GUESS) == pytest.approx(expected, abs=1e-6)
    assert evaluate(soft_dice, TRUTH, TRUTH) == pytest.approx(0, abs=1e-6)
    assert evaluate(soft_dice, TRUTH, 1 - TRUTH) == pytest.approx(1, abs=1e-5)
    assert evaluate(soft_dice, 0 * TRUTH, 0 * TRUTH) == 0


def test_focal_and_cross_entropy() -> None:
    guess = np.clip(GUESS.astype(float), 1e-7, 1 - 1e-7)
    right = np.where(TRUTH > 0, guess, 1 - guess)
    weight = np.where(TRUTH > 0, 0.25, 0.75)
    focal = (-weight * (1 - right) ** 2 * np.log(right)).mean()
    assert evaluate(binary_focal, TRUTH, GUESS) == pytest.approx(focal, rel=1e-4)
    assert evaluate(binary_crossentropy, TRUTH, GUESS) == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_a_square_has_its_outer_pixels_as_boundary() -> None:
    edge = ops.convert_to_numpy(trace_boundary(ops.convert_to_tensor(TRUTH[None, ..., None])))[0, ..., 0]
    ring = TRUTH.copy()
    ring[2, 2] = 0
    np.testing.assert_array_equal(edge, ring)


def test_boundary() -> None:
    assert evaluate(boundary, TRUTH, GUESS) == pytest.approx(naive_boundary(TRUTH, GUESS), abs=1e-5)
    assert evaluate(boundary, 0 * TRUTH, 0 * TRUTH) == pytest.approx(0, abs=1e-5)
    assert evaluate(boundary, 0 * TRUTH, GUESS) == pytest.approx(1, abs=1e-4)
    assert evaluate(boundary, TRUTH, 0 * TRUTH) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_boundary_of_random_masks(share: float) -> None:
    truth = (RNG.random((9, 7)) < share).astype(np.float32)
    guess = RNG.random((9, 7)).astype(np.float32)
    expected = naive_boundary(truth, guess) if 0 < share < 1 else 1
    assert evaluate(boundary, truth, guess) == pytest.approx(expected, abs=1e-4)


def test_lovasz_grows_by_the_iou_that_each_error_costs() -> None:
    # truth building, ground, building, worst error first: wrong sets of 1, 2, 3 pixels leave IoU 1/2, 1/3, 0
    steps = ops.convert_to_numpy(grade_errors(ops.convert_to_tensor([1.0, 0.0, 1.0])))
    np.testing.assert_allclose(steps, [1 / 2, 1 / 2 - 1 / 3, 1 / 3], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_lovasz_equals_the_sum_over_growing_sets_of_errors(share: float) -> None:
    truth = (RNG.random((6, 5)) < share).astype(np.float32)
    guess = RNG.uniform(0.02, 0.98, (6, 5)).astype(np.float32)
    assert evaluate(lovasz_hinge, truth, guess) == pytest.approx(naive_lovasz(truth, guess), rel=1e-4)


def test_lovasz_is_nothing_where_all_pixels_are_right_by_a_margin() -> None:
    assert evaluate(lovasz_hinge, TRUTH, np.where(TRUTH > 0, 0.9, 0.1).astype(np.float32)) == 0


MASKS: dict[str, Any] = {
    "empty": np.zeros((2, 8, 8, 1)),
    "full": np.ones((2, 8, 8, 1)),
    "random": RNG.random((2, 8, 8, 1)) < 0.4,
}
GUESSES = {
    "zero": 0 * MASKS["full"],
    "one": MASKS["full"],
    "half": MASKS["full"] / 2,
    "random": RNG.random((2, 8, 8, 1)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_and_its_gradient_are_finite(name: str, mask: str, guess: str, dtype: str) -> None:
    truth, prediction = tf.constant(MASKS[mask], dtype), tf.Variable(tf.cast(GUESSES[guess], dtype))
    with tf.GradientTape() as tape:
        value = build_loss(name)(truth, prediction)
    gradient = tape.gradient(value, prediction)
    assert value.dtype == "float32"
    assert np.isfinite(value)
    assert gradient.dtype == dtype
    assert np.isfinite(np.asarray(tf.cast(gradient, "float32"))).all()


@pytest.mark.parametrize("name", LOSSES)
def test_going_down_the_gradient_finds_the_mask(name: str) -> None:
    logits = keras.Variable(RNG.normal(size=(1, 8, 8, 1)), dtype="float32")
    truth = np.pad(np.ones((1, 4, 4, 1), np.float32), [(0, 0), (2, 2), (2, 2), (0, 0)])
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([logits])

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            value = build_loss(name)(truth, ops.sigmoid(logits))
        optimizer.apply([tape.gradient(value, logits.value)], [logits])

    for _ in range(120):
        step()
    found = ops.convert_to_numpy(logits)[..., 0] > 0
    assert (found != (truth[..., 0] > 0)).sum() <= 1  # the boundary loss may leave a pixel at the border


@pytest.mark.parametrize("name", [name for name in LOSSES if "lovasz" not in name])
def test_unknown_pixels_teach_nothing(name: str) -> None:
    truth = RNG.uniform(size=(2, 8, 8, 1)).astype(np.float32)
    truth[:, :, 5:] = -1
    guess = RNG.uniform(0.1, 0.9, size=truth.shape).astype(np.float32)
    other = np.where(truth < 0, 0.5, guess)
    loss, prediction = build_loss(name, partial=True), tf.Variable(guess)
    with tf.GradientTape() as tape:
        value = loss(truth, prediction)
    assert float(value[0]) == pytest.approx(float(loss(truth, other)[0]))
    gradient = np.asarray(tape.gradient(value, prediction))
    assert not gradient[truth < 0].any()
    assert gradient[truth >= 0].any()
