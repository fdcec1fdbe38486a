"""What pairs connect is one group."""

from members.common.graphs import find_groups


def test_connected_numbers_are_a_group() -> None:
    groups = find_groups(5, [(0, 3), (3, 4)])
    assert groups[0] == groups[3] == groups[4]
    assert len(set(groups.tolist())) == 3
