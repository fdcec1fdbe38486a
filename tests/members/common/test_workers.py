"""Units mapped on threads and on a Dask cluster: the same results in the same order, whoever dies on the way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from members.common.errors import InputError
from members.common.workers import Cluster, Threads, Workers, count_cores, cut_chunks, open_workers


@pytest.fixture(scope="module")
def cluster(scheduler: str) -> Iterator[Workers]:
    with open_workers(scheduler) as workers:
        yield workers


@pytest.mark.parametrize("ordered", [True, False])
def test_threads_yield_every_result(ordered: bool) -> None:
    found = list(Threads(3).map(lambda number: number**2, range(50), ordered))
    assert (found if ordered else sorted(found)) == [number**2 for number in range(50)]


def test_a_cluster_yields_what_threads_do(cluster: Workers) -> None:
    table = {number: str(number) for number in range(30)}  # goes along with the local function
    assert list(cluster.map(lambda number: table[number], range(30))) == list(table.values())
    assert set(cluster.map(lambda number: table[number], range(30), ordered=False)) == set(table.values())
    assert cluster.count == 2


def test_what_is_the_same_for_all_units_goes_out_once(cluster: Workers, tmp_path: Path) -> None:
    """The function's copies say so each time that they are unpacked: once in each worker, not once a unit."""
    log = tmp_path / "unpacked"

    class Table:
        def __reduce__(self) -> tuple[object, ...]:
            return note, (log,)

    def note(log: Path) -> int:
        with log.open("a") as file:
            file.write("unpacked\n")
        return 7

    table = Table()
    assert list(cluster.map(lambda number: table * number, range(40))) == [7 * number for number in range(40)]  # type: ignore[operator]
    assert 1 <= len(log.read_text().split()) <= 4  # by the worker that is asked first, and by the other one


def test_what_workers_were_sent_they_never_pack_again(cluster: Workers) -> None:
    """A function that changes as it is called can't be packed at that moment."""
    parent = os.getpid()

    class Memory:
        def __reduce__(self) -> tuple[object, ...]:
            assert os.getpid() == parent
            return Memory, ()

    memory = Memory()
    assert list(cluster.map(lambda number: (number, memory)[0], range(40))) == list(range(40))


def test_items_are_read_only_a_few_ahead() -> None:
    yielded: list[int] = []

    def read() -> Iterator[int]:
        for number in range(50):
            assert number - len(yielded) <= 3
            yield number

    for number in Threads(2).map(lambda number: number, read()):
        yielded.append(number)
    assert yielded == list(range(50))


def test_a_worker_that_dies_loses_nothing(cluster: Workers, tmp_path: Path) -> None:
    flag = tmp_path / "died"

    def work(number: int) -> int:
        if number == 5 and not flag.exists():
            flag.touch()
            os._exit(9)
        return number + 1

    assert list(cluster.map(work, range(20))) == list(range(1, 21))
    assert flag.exists()


def test_an_error_of_the_work_is_raised_as_it_is(cluster: Workers) -> None:
    def work(number: int) -> int:
        raise InputError(f"tile {number}: damaged; restore it")

    for workers in (Threads(2), cluster):
        with pytest.raises(InputError, match=r"^tile 0: damaged; restore it$"):
            list(workers.map(work, range(9)))


def test_a_unit_that_kills_every_worker() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    import dask

    def work(number: int) -> None:
        os._exit(9)

    options = {"n_workers": 1, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(**options) as cluster,
        open_workers(cluster.scheduler_address) as workers,
        pytest.raises(InputError, match="workers keep dying"),
    ):
        list(workers.map(work, [1]))


def test_no_workers() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as empty:
        address = empty.scheduler_address
        with pytest.raises(InputError, match=f"--scheduler {address}: it has no workers"), open_workers(address):
            pass


def test_threads_by_default() -> None:
    with open_workers() as workers:
        assert isinstance(workers, Threads)
        assert not isinstance(workers, Cluster)
        assert workers.count == len(os.sched_getaffinity(0))


def test_chunks_keep_all_workers_busy() -> None:
    assert cut_chunks(range(5), Threads(2)) == [range(n, n + 1) for n in range(5)]
    assert [len(chunk) for chunk in cut_chunks(range(336), Threads(2))] == [16] * 21
    assert [len(chunk) for chunk in cut_chunks(range(40), Threads(2))] == [5] * 8


def test_cores_are_counted_where_no_process_is_bound_to_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert Threads().count == count_cores() == 7
