"""Schedules as pure functions, against Keras's own callbacks on the same histories."""

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members.training.schedule import best_epoch, choose_rate, is_finished, plateau_rate
from members.training.spec import MemberSpec

SPEC = MemberSpec(name="any", backbone="lite0", learning_rate=5e-5, epochs=150, patience=10)
HISTORIES = {
    "falling": [1 - 0.01 * epoch for epoch in range(15)],
    "flat": [1.0] * 15,
    "less than the plateau's 1e-4": [1 - 1e-5 * epoch for epoch in range(20)],
    "up and down": [0.9, 0.7, 0.8, 0.75, 0.71, 0.69, 0.9, 0.9, 0.9, 0.9, 0.68, 0.7, 0.7],
    "stops": [0.5, 0.4, *[0.45] * 12],
}
losses = st.lists(st.sampled_from([0.1, 0.2, 0.2 - 5e-5, 0.3, 0.4]), min_size=1, max_size=40)


def make_model() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(SPEC.learning_rate), loss="mse")
    return model


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_rates_equal_those_of_reduce_lr_on_plateau(history: list[float]) -> None:
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.7, patience=3)
    callback.set_model(make_model())
    callback.on_train_begin()
    for epoch, loss in enumerate(history):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        expected = float(callback.model.optimizer.learning_rate)
        assert plateau_rate(SPEC, history[: epoch + 1]) == pytest.approx(expected, rel=1e-5)


@given(history=losses)
@settings(max_examples=30, deadline=None)
def test_stopping_equals_early_stopping(history: list[float]) -> None:
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
    model = make_model()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(history):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        assert is_finished(SPEC, history[: epoch + 1]) == bool(model.stop_training)
        assert best_epoch(history[: epoch + 1]) == callback.best_epoch
        if model.stop_training:
            break


def test_all_epochs_are_an_end() -> None:
    assert is_finished(SPEC.model_copy(update={"epochs": 2}), [0.5, 0.4])
    assert not is_finished(SPEC, [])
    assert plateau_rate(SPEC, []) == 5e-5


def test_the_rate_begins_anew_in_each_cycle() -> None:
    spec = SPEC.model_copy(update={"schedule": "cosine", "learning_rate": 8.0, "epochs": 4, "cycles": 2})
    rates = choose_rate(spec, steps=2)
    assert isinstance(rates, keras.optimizers.schedules.LearningRateSchedule)
    assert [float(rates(step)) for step in range(8)] == pytest.approx(
        [8, 4 + 4 / 2**0.5, 4, 4 - 4 / 2**0.5] * 2, rel=1e-5
    )
