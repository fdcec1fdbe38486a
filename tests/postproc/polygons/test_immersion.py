"""Pieces of a relief: by hand, and as a plain reference finds them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postproc.polygons.immersion import find_pieces
from postproc.polygons.labelling import label_components

ROW = np.array([[5, 9, 9, 4, 7, 6, 2, 8, 1]], np.uint16)
ALL = np.ones(ROW.shape, np.int32)


def cut(contrast: int, least: int = 0) -> list[int]:
    return find_pieces(ROW, ALL, contrast, least)[0].tolist()


def test_peaks_stand_by_the_contrast_above_the_pass() -> None:
    assert cut(1) == [1, 1, 1, 1, 2, 2, 3, 3, 3]  # a pass goes to its higher neighbour
    assert cut(3) == [1, 1, 1, 1, 2, 2, 3, 3, 3]  # 7 stands 3 above 4, and 5 above 2
    assert cut(4) == [1, 1, 1, 1, 1, 1, 2, 2, 2]
    assert cut(7) == [1] * 9


def test_what_is_small_where_it_meets_another_joins_it() -> None:
    assert cut(1, least=2) == [1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert cut(1, least=3) == [1] * 9


def test_components_stay_apart() -> None:
    relief = np.full((3, 5), 7, np.uint16)
    components = np.array([[1, 1, 0, 3, 3], [1, 1, 2, 2, 2], [0, 0, 2, 0, 4]], np.int32)
    assert find_pieces(relief, components, 1, 99).tolist() == [[1, 1, 0, 2, 2], [1, 1, 3, 3, 3], [0, 0, 3, 0, 4]]
    assert not find_pieces(relief, components * 0, 1, 0).any()
    assert find_pieces(relief[:0], components[:0], 1, 0).shape == (0, 5)


def find_plainly(relief: np.ndarray, components: np.ndarray, contrast: int, least: int) -> np.ndarray:
    """Keep pieces as sets of pixels, and go by the rules as they are written."""
    pieces: list[set[tuple[int, int]]] = []
    pixels = [(int(y), int(x)) for y, x in np.argwhere(components > 0)]
    for y, x in sorted(pixels, key=lambda pixel: -int(relief[pixel])):
        near = [(y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)]
        near = [n for n in near if any(n in piece for piece in pieces) and components[n] == components[y, x]]
        if not near:
            pieces.append({(y, x)})
            continue
        first = max(near, key=lambda pixel: int(relief[pixel]))  # of equals the first
        own = next(piece for piece in pieces if first in piece)
        for pixel in near:
            other = next(piece for piece in pieces if pixel in piece)
            peaks = [max(int(relief[p]) for p in piece) for piece in (own, other)]
            weak = min(peaks) - int(relief[y, x]) < contrast or min(len(own), len(other)) < least
            if other is not own and weak:
                own |= other
                pieces = [piece for piece in pieces if piece is not other]
        own.add((y, x))
    labels = np.zeros(relief.shape, np.int32)
    for number, piece in enumerate(sorted(pieces, key=min), 1):
        labels[tuple(np.array(list(piece)).T)] = number
    return labels


@settings(deadline=None, max_examples=80)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda size: st.tuples(
            arrays(np.uint16, size, elements=st.integers(0, 6)),
            arrays(np.bool_, size, elements=st.sampled_from([True, True, True, False])),
        )
    ),
    st.integers(1, 5),
    st.integers(0, 6),
)
def test_pieces_are_those_of_the_rules(made: tuple[np.ndarray, np.ndarray], contrast: int, least: int) -> None:
    relief, mask = made
    components = label_components(mask)
    found = find_pieces(relief, components, contrast, least)
    np.testing.assert_array_equal(found, find_plainly(relief, components, contrast, least))
    for number in range(1, found.max() + 1):
        assert label_components(found == number).max() == 1
