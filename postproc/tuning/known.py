"""What was made once, kept by keys that are equal or not, but have no hash, such as blends and pipelines."""

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def recall(known: list[tuple[Key, Value]], key: Key, make: Callable[[], Value]) -> Value:
    """Return what was made for an equal key before; else make it, and keep it in `known`."""
    for other, value in known:
        if other == key:
            return value
    value = make()
    known.append((key, value))
    return value
