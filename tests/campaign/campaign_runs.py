"""What the campaigns share: a small run, commands in processes that may end at any moment, and the line of figures."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, ROOT, draw_stack, write_fold, write_raster, write_tiles

from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles

TILES, SIDE = 6, 32
MEMBERS = ("first", "second")
LOCKS = re.compile(r"\.(\w+\.lock|run\.lock|fold\d+\.lock|study\.journal\.(lock|turn)|\w+\.db\.turn)")
"""The names of the files that are locked, which stay."""
ERROR = re.compile(r"error: [^\n]+\n")


@dataclass(frozen=True)
class Ended:
    """How a command line has ended: exit code, or minus the signal, or None where it hung; and what it did."""

    code: int | None
    printed: str
    events: int
    sockets: int
    memory: int


class Server:
    """Runs command lines in forks of `campaign_server`."""

    def __init__(self, log: Path, *options: str) -> None:
        self.log = log
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "NO_COLOR": "1"}
        command = [sys.executable, str(Path(__file__).with_name("campaign_server.py")), *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def start(self, within: Path, *argv: object, **end: float) -> None:
        """Send a request; `end` is its signal, with its event or after how many seconds."""
        assert self.process.stdin is not None
        request = {"argv": list(map(str, argv)), "within": str(within), "log": str(self.log)}
        nothing = dict.fromkeys(("signal", "event", "after"))
        self.process.stdin.write(json.dumps({**request, **nothing, **end}) + "\n")
        self.process.stdin.flush()

    def wait(self) -> Ended:
        """Return the answer."""
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        return Ended(printed=self.log.read_text(errors="replace"), **answer)

    def run(self, within: Path, *argv: object, **end: float) -> Ended:
        """Run a command line."""
        self.start(within, *argv, **end)
        return self.wait()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def open_server(folder: Path, *options: str) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder / f"{len(list(folder.iterdir()))}.log", *options)
    try:
        yield server
    finally:
        server.close()


def make_run(folder: Path) -> Run:
    """Make a data set with test tiles and a scene, and a run of two members with two folds each, not predicted yet."""
    data = write_tiles(folder / "data", TILES, (SIDE, SIDE))
    for number in range(3):
        write_raster(data / f"test/images/img/new{number}.tif", 255 - draw_stack(SIDE, SIDE + number), **GEOREFERENCE)
    scene = np.random.default_rng(1).integers(0, 256, (40, 1100, 3), np.uint8)
    write_raster(folder / "scene/scene.tif", scene, **GEOREFERENCE)
    run = Run(folder / "run")
    run.write_record(data, list_tiles(data), Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0}))
    for member in MEMBERS:
        for fold in range(2):
            write_fold(run, member, fold, f"{member} {fold}".encode())
    return run


def list_commands(folder: Path) -> dict[str, list[object]]:
    """Return the commands that take a run of `make_run` from weights to a submission, in their order."""
    data, run = folder / "data", folder / "run"
    both = ["--data", data, "--run", run]
    return {
        "predict": ["predict", *both, "--part", "valid", "--tta", "none"],
        "predict test": ["predict", *both, "--part", "test", "--tta", "none", "--uncertainty"],
        "predict scene": ["predict", "--run", run, "--images", folder / "scene", "--part", "town", "--tta", "none"],
        "blend": ["blend", *both, "--bags", 1],
        "tune": ["tune", *both, "--trials", 2],
        "submit": ["submit", "--run", run, "--vector", run / "b.geojson", "--coco", run / "c.json"],
    }


def list_trainings(folder: Path) -> dict[str, list[object]]:
    """Return the command that trains a small network in two folds of a new run."""
    options = ["--epochs", 2, "--encoder-weights", "none", "--crop", 32, "--batch-size", 4, "--folds", 2]
    return {"train": ["train", "lite0_unet", "--data", folder / "data", "--run", folder / "new", *options]}


def hash_results(folder: Path) -> dict[str, str]:
    """Hash what commands leave, but for times, where it is, and what is locked: path -> hash."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or LOCKS.fullmatch(path.name) or path.suffix == ".png":
            continue
        if (
            path.name in ("commands.sh", "log.txt") or path.parent.name == "options"
        ):  # of the commands that worked on it
            continue
        content = path.read_bytes()
        if path.suffix in (".journal", ".db") or "tfevents" in path.name:
            content = b""  # studies and curves hold times
            name = re.sub(r"tfevents\..*", "tfevents", name)
        if path.name == "history.csv":
            content = re.sub(rb",[^,\r\n]*\r?\n", b"\n", content)  # the last column is seconds
        if path.name == "run.json":
            content = re.sub(rb'"(command|created|data)": "[^\n]*', b"", content)
        hashes[name] = hashlib.sha256(content).hexdigest()
    return hashes


def list_strays(folder: Path) -> list[str]:
    """List hidden files and folders that are no locks."""
    hidden = (path for path in folder.rglob(".*") if not LOCKS.fullmatch(path.name))
    return sorted(str(path.relative_to(folder)) for path in hidden)


TUNED = {"recipe": {"threshold": 99, "close": 3}, "members": {"first": 1, "second": 2}, "outlines": None}


def make_finished(server: Server, folder: Path, tunes: bool = True) -> Path:
    """Make a run, and take it to its submission; a tuning that takes too long for some is written down instead."""
    if tunes:
        return make_until(server, folder, "")
    make_until(server, folder, "blend")
    commands = list_commands(folder)
    (folder / "run/tuned.json").write_text(json.dumps(TUNED))
    ended = server.run(folder, *commands["submit"])
    assert ended.code == 0, ended.printed
    return folder


def make_until(server: Server, folder: Path, last: str) -> Path:
    """Make a run, and take it through all commands before the last."""
    make_run(folder)
    for name, argv in list_commands(folder).items():
        if name == last:
            break
        ended = server.run(folder, *argv)
        assert ended.code == 0, f"{name}: {ended.printed}"
    return folder


def copy_run(source: Path, folder: Path) -> Path:
    """Copy a folder, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(source, folder))


def is_one_line(printed: str) -> bool:
    """Tell whether one line says an error, and nothing beside warnings and notes stands before it."""
    errors = ERROR.findall(printed)
    return "Traceback" not in printed and len(errors) == 1 and printed.endswith(errors[0])


def report(request: pytest.FixtureRequest, campaign: str, **figures: float) -> None:
    """Have figures printed on the campaign's line, where those of its tests are added up."""
    request.node.user_properties.append((campaign, figures))
