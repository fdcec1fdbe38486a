"""A mask in blocks: every object is whole in one window, and numbers that are connected are one group."""

import numpy as np

from postproc.geo.blocks import plan_windows


def test_memory_is_that_of_a_block_and_the_largest_object() -> None:
    """Of a long row of houses no window is larger than a block and what reaches over its sides."""
    mask = np.zeros((20, 1000), bool)
    mask[5:12, 3::20] = mask[5:12, 4::20] = mask[5:12, 5::20] = True  # 50 houses, 3 wide
    read_windows = []

    def read(window: tuple[slice, slice]) -> np.ndarray:
        read_windows.append(window)
        return mask[window]

    planned = list(plan_windows(mask.shape, read, 64))
    found = 0
    for (rows, columns), seeds in planned:
        assert seeds is not None
        found += len(seeds)
        assert columns.stop - columns.start <= 64 + 2
        assert mask[rows, columns][tuple(seeds.T)].all()
    assert found == 50
    assert max(window[1].stop - window[1].start for window in read_windows) == 64


def test_an_object_over_four_blocks_is_whole_in_the_first() -> None:
    mask = np.zeros((10, 10), bool)
    mask[3:8, 4:9] = True
    (window, seeds), *others = plan_windows(mask.shape, lambda window: mask[window], 5)
    assert window == (slice(3, 8), slice(4, 9))
    assert seeds is not None
    assert seeds.tolist() == [[0, 0]]
    assert [len(own) for _, own in others if own is not None] == [0, 0, 0]


def test_a_small_mask_is_its_own_window() -> None:
    mask = np.ones((4, 5), bool)
    assert list(plan_windows(mask.shape, lambda window: mask[window], 5)) == [((slice(0, 4), slice(0, 5)), None)]
