"""How a library function lets its caller watch long work: it passes its items through a `Progress`."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """A function that yields the items that it is given, in order, and may show how far their consumer is."""

    def __call__(self, items: Iterable[Item], description: str, total: int, /) -> Iterable[Item]:
        """Return an iterable of `items`; `total` is their number, `description` what is done with them."""
        ...


def silent(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Return the items as they are: the default of every library function."""
    return items
