"""What a caller gives to watch long work with."""

from collections.abc import Iterable

from members.common.console import track
from members.common.progress import Item, Progress, silent


def double(items: list[int], progress: Progress = silent) -> list[int]:
    return [2 * item for item in progress(items, "double", len(items))]


def test_a_library_function_is_silent_unless_told_otherwise() -> None:
    seen: list[tuple[str, int]] = []

    def watch(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
        seen.append((description, total))
        return items

    for progress in (silent, watch, track):
        assert double([1, 2, 3], progress) == [2, 4, 6]
    assert double([1, 2, 3]) == [2, 4, 6]
    assert seen == [("double", 3)]
