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


def tell_time(seconds: float) -> str:
    """Tell a time as a person would.

    >>> tell_time(50), tell_time(800), tell_time(9000)
    ('50 s', '13 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
