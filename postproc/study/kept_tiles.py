"""Tiles that a study goes through once a trial: kept in memory as far as there is room, else read again."""

import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

Content = TypeVar("Content", bound=tuple[Any, ...])

ROOM = 2**30
"""Bytes of tiles that are kept in memory, at most."""


class KeptTiles(Generic[Content]):
    """What is read of each tile. A copy that goes to another process begins without what is kept here.

    Args:
        count: of the tiles.
        read: reads one by its number; arrays in what it gives count as memory.
        room: bytes that may be kept.
    """

    def __init__(self, count: int, read: Callable[[int], Content], room: int = ROOM) -> None:
        self.count, self.read, self.room = count, read, room
        self.kept: dict[int, Content] = {}
        self.used = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Content:
        if number in self.kept:
            return self.kept[number]
        content = self.read(number)
        size = sum(part.nbytes if isinstance(part, np.ndarray) else sys.getsizeof(part) for part in content)
        if self.used + size <= self.room:
            self.kept[number] = content
            self.used += size
        return content

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptTiles, (self.count, self.read, self.room)
