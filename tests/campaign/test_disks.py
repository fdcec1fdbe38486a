"""Disks that are full, read-only, or give back other bits: no traceback, no hang, and nothing wrong is used."""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from campaign_runs import (
    Server,
    copy_run,
    hash_results,
    is_one_line,
    list_commands,
    list_strays,
    list_trainings,
    make_finished,
    make_run,
    make_until,
    open_server,
    report,
)

MIB = 2**20


@contextmanager
def make_read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


def measure_disk(folder: Path) -> int:
    """Return the bytes that files take in blocks of 4 KiB, a page for each folder with them."""
    paths = list(folder.rglob("*"))
    return sum(4096 * (1 + path.stat().st_size // 4096) for path in paths)


def try_full_disks(
    server: Server,
    base: Path,
    mount: Callable[[int], Path],
    rooms: list[float],
    commands: Callable[[Path], dict[str, list[object]]] = list_commands,
) -> tuple[int, list[str]]:
    """Run every command where there is too little room for it, and again where there is enough.

    Args:
        rooms: shares of what a command writes that there is room for.
        commands: the command lines on a folder, by name.
    """
    cases, wrong = 0, list[str]()
    make_run(base / "now")
    for name in commands(base):
        before = base / "now"
        whole = copy_run(before, base / "whole")
        assert server.run(whole, *commands(whole)[name]).code == 0
        least, most = measure_disk(before), measure_disk(whole)
        for room in rooms:
            disk = mount(least + int(room * (most - least)) + 8 * 4096)
            work = copy_run(before, disk / "work")
            ended = server.run(work, *commands(work)[name])
            cases += 1
            clean = ended.code == 0 or (ended.code == 2 and is_one_line(ended.printed))
            if not clean or list_strays(work):
                wrong.append(f"{name}, room {room}: {ended.code} {list_strays(work)} {ended.printed[-1500:]}")
            subprocess.run(["mount", "-o", f"remount,size={64 * MIB}", disk], check=True)
            again = server.run(work, *commands(work)[name])  # the cure: room, and the same command again
            found = hash_results(work)
            different = sorted(path for path, value in hash_results(whole).items() if found.get(path) != value)
            if again.code != 0 or different:
                wrong.append(f"{name}, room {room}, again: {again.code} {different} {again.printed[-1500:]}")
        copy_run(whole, before)
    return cases, wrong


def try_read_only(
    server: Server, base: Path, mount: Callable[[int], Path], tunes: bool = True
) -> tuple[int, list[str]]:
    """Run every command on a run of which nothing can be changed, and those that can with their outputs elsewhere."""
    disk, out, wrong = mount(64 * MIB), base / "out", list[str]()
    out.mkdir(parents=True)
    work = disk / "work"
    make_finished(server, work, tunes)
    commands = list_commands(work)
    files, run = [out / "s.csv", out / "b.gpkg", out / "tile0.png"], work / "run"
    elsewhere = {
        "submit elsewhere": ["submit", "--run", run, "--part", "valid", "--output", files[0], "--vector", files[1]],
        "show elsewhere": ["show", "tile0", "--data", work / "data", "--run", run, "--output", files[2]],
        "score": ["score", "--truth", work / "data", "--submission", files[0]],
        "maps check": ["maps", "check", run / "maps/valid"],
    }
    for part in ("valid", "test", "town"):  # so that there is something to do
        (run / f"maps/{part}/first").rename(run / f"maps/{part}/first.aside")
    predicts = {name: argv for name, argv in commands.items() if name.startswith("predict")}
    with make_read_only(disk):
        for name, argv in predicts.items():
            ended = server.run(work, *argv)
            if ended.code != 2 or not is_one_line(ended.printed):
                wrong.append(f"read-only, {name}: {ended.code} {ended.printed[-1500:]}")
    for part in ("valid", "test", "town"):
        (run / f"maps/{part}/first.aside").rename(run / f"maps/{part}/first")
    with make_read_only(disk):
        for name, argv in elsewhere.items():
            ended = server.run(work, *argv)
            if ended.code != 0 or "Traceback" in ended.printed:
                wrong.append(f"read-only, {name}: {ended.code} {ended.printed[-1500:]}")
        for name in ("blend", "tune", "submit") if tunes else ("submit",):
            ended = server.run(work, *commands[name])
            if ended.code != 2 or not is_one_line(ended.printed):
                wrong.append(f"read-only, {name}: {ended.code} {ended.printed[-1500:]}")
    if not all(path.is_file() for path in files):
        wrong.append("read-only: an output elsewhere is missing")
    return len(predicts) + len(elsewhere) + 3, wrong


KINDS = {
    "weights": ("run/members/first/fold0/best.weights.h5", "predict", "run/maps/valid/"),
    "maps": ("run/maps/test/first/new0.tif", "submit", "run/submission"),
    "maps to tune on": ("run/maps/valid/second/tile3.tif", "blend", "run/blend.json"),
    "journal": ("run/study.journal", "tune", "run/tuned.json"),
    "blocks": ("", "predict scene", "run/maps/town/"),
}
"""What bits are flipped in, the command that reads it, and what that writes."""


def make_blocks(server: Server, before: Path, folder: Path) -> str:
    """Make a run whose scene is predicted in part; return the path of a finished block."""
    argv = list_commands(folder)["predict scene"]
    events = server.run(copy_run(before, folder), *argv).events
    for event in range(events, 0, -4):
        server.run(copy_run(before, folder), *argv, signal=9, event=event)
        if blocks := sorted(folder.glob("run/maps/town/first/.*/1/*.npy")):
            return str(blocks[0].relative_to(folder))
    raise ValueError("no block was ever there")


def try_flips(
    server: Server, base: Path, flips: int, kinds: Sequence[str] = tuple(KINDS), tunes: bool = True
) -> tuple[int, list[str], list[str]]:
    """Flip single bits; return how many, which of them were used in silence, and what else was wrong."""
    source, begun = make_finished(server, base / "made", tunes), base / "begun"
    block = make_blocks(server, make_until(server, base / "before", "predict scene"), begun)
    draw, silent, wrong, expected = random.Random(0), list[str](), list[str](), hash_results(source)
    for number in range(flips):
        kind = kinds[number % len(kinds)]
        path, name, results = KINDS[kind]
        work = copy_run(begun if kind == "blocks" else source, base / "work")
        if kind == "weights":
            shutil.rmtree(work / "run/maps/valid")
        target = work / (path or block)
        content = bytearray(target.read_bytes())
        bit = draw.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        target.write_bytes(bytes(content))
        ended = server.run(work, *list_commands(work)[name])
        case = f"{kind}, bit {bit} of {8 * len(content)}"
        if ended.code == 0:
            found = hash_results(work)
            if any(found.get(each) != value for each, value in expected.items() if each.startswith(results)):
                silent.append(case)
        elif ended.code != 2 or not is_one_line(ended.printed):
            wrong.append(f"{case}: {ended.code} {ended.printed[-1500:]}")
    return flips, silent, wrong


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_all_disks(
    server: Server, tmp_path: Path, mount: Callable[[int], Path], request: pytest.FixtureRequest
) -> None:
    full, wrong_full = try_full_disks(server, tmp_path / "full", mount, [0.05, 0.2, 0.5, 0.8, 0.95])
    read_only, wrong_read_only = try_read_only(server, tmp_path / "read-only", mount)
    flips, silent, wrong_flips = try_flips(server, tmp_path / "flips", 500)
    wrong, cases = [*wrong_full, *wrong_read_only, *silent, *wrong_flips], full + read_only + flips
    report(request, "disks", cases=cases, clean=cases - len(wrong), silent=len(silent))
    assert wrong == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_full_disks_of_training(tmp_path: Path, mount: Callable[[int], Path], request: pytest.FixtureRequest) -> None:
    with open_server(tmp_path / "server", "train") as server:
        cases, wrong = try_full_disks(server, tmp_path / "full", mount, [0.1, 0.3, 0.5, 0.7, 0.9], list_trainings)
    report(request, "disks", cases=cases, clean=cases - len(wrong), silent=0)
    assert wrong == []
