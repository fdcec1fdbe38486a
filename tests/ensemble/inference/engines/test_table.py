"""What is not installed or does not exist is said so."""

import importlib.util

import pytest

from ensemble.inference.engines.table import ENGINES, find_engine
from members.common.errors import InputError


def test_keras_comes_first_and_needs_nothing_else() -> None:
    assert next(iter(ENGINES)) == "keras"
    assert find_engine("keras").installed


def test_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match=r"engine 'tensorrt': there is none; choose one of keras, openvino, onnx, int8"
    ):
        find_engine("tensorrt")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"engine openvino: not installed; pip install -e '\.\[openvino\]'"):
        find_engine("openvino")
