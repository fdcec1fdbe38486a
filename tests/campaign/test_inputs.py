"""Bad input of every kind to every command: exit code 2, one line, nothing changed, no network, little memory."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign_runs import Server, copy_run, is_one_line, list_commands, make_finished, report
from conftest import hash_folder

GIB = 2**30
HEADER = "ImageId,EncodedPixels,Width,Height\n"
Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: of the case.
        file: what is damaged, below the folder; empty where the options are bad.
        damage: what is done to it.
        argv: the command that meets it.
        certain: whether it must be refused; if not, a command may find nothing wrong with it.
    """

    name: str
    file: str
    damage: Damage
    argv: list[object]
    certain: bool = True


def write(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Damage] = {
    "empty": write(b""),
    "cut": cut,
    "other bytes": write(np.random.default_rng(3).bytes(5000)),
    "another text": write("Straße\n\x1b[2J".encode("latin-1")),
    "gone": Path.unlink,
    "a folder": make_folder,
    "a link to itself": link_to_itself,
}
JSON_DAMAGES: dict[str, Damage] = {
    "deep": write(b"[" * 200_000),
    "a list": write(b"[]"),
    "a number": write(b"1e999"),
    "nothing": write(b"null"),
    "doubled": lambda path: path.write_bytes(path.read_bytes() * 2),
}
VALUES: tuple[object, ...] = (None, -1, 10**9, 1e300, "../x", "\u001b[2J", [], {}, True)


def list_files(work: Path) -> dict[str, tuple[list[object], bool]]:
    """Return files, and for each the command that reads it, and whether that must refuse a damaged one."""
    commands, run = list_commands(work), work / "run"
    both = ["--data", work / "data", "--run", run]
    score = ["score", "--truth", work / "data"]
    anew = ["predict", *both, "--part", "valid", "--tta", "none", "--members", "first", "--replace"]
    part = ["predict", "--run", run, "--images", work / "scene", "--part", "other", "--tta", "none"]
    imported = ["maps", "import", "--run", run, "--part", "valid", "--member", "theirs", "--from", work / "theirs"]
    return {
        "run/run.json": (commands["predict"], True),
        "run/members/first/fold0/spec.json": (anew, True),
        "run/members/first/fold0/run.json": (anew, True),
        "run/members/first/fold0/weights.json": (part, True),
        "run/members/first/fold0/best.weights.h5": (part, True),
        "run/maps/valid/first/manifest.json": (commands["blend"], True),
        "run/maps/test/first/manifest.json": (commands["submit"], True),
        "run/maps/valid/first/tile0.tif": (commands["blend"], True),
        "run/maps/test/first/new0.tif": (commands["submit"], True),
        "run/blend.json": (commands["tune"], False),
        "run/tuned.json": (commands["submit"], True),
        "run/study.journal": (commands["tune"], False),
        "data/groups.csv": (commands["tune"], False),
        "data/images/tile0.tif": (commands["predict"], True),
        "data/masks/tile0.tif": (commands["tune"], True),
        "data/masks/tile1.tif": ([*score, "--submission", work / "valid.csv"], True),
        "data/test/images/img/new0.tif": (commands["predict test"], True),
        "scene/scene.tif": (commands["predict scene"], True),
        "valid.csv": ([*score, "--submission", work / "valid.csv"], True),
        "valid.geojson": ([*score, "--vector", work / "valid.geojson"], False),
        "valid.gpkg": ([*score, "--vector", work / "valid.gpkg"], True),
        "recipe.json": (["submit", "--run", run, "--recipe", work / "recipe.json"], True),
        "sample.csv": (["submit", "--run", run, "--sample", work / "sample.csv"], True),
        "theirs/tile0.npy": (imported, True),
        "theirs/tile1.png": (imported, True),
    }


def list_leaves(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a JSON content."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from list_leaves(value, (*way, key))
    elif isinstance(content, list) and content:
        yield from list_leaves(content[0], (*way, 0))
    else:
        yield way


def change_value(way: tuple[Any, ...], value: object) -> Damage:
    """Return what puts another value at a place of a JSON file."""

    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        inner = content
        for key in way[:-1]:
            inner = inner[key]
        inner[way[-1]] = value
        path.write_text(json.dumps(content))

    return change


ROWS = {
    "no such column": "ImageId,EncodedPixels,Width\ntile0,,32\n",
    "an image twice": HEADER + "tile0,,32,32\n" * 2,
    "an unknown image": HEADER + "tile77,,32,32\n",
    "a path for an id": HEADER + "../../etc/passwd,,32,32\n",
    "pixels without an end": HEADER + "tile0,1 1,46340,46340\n",
    "a negative width": HEADER + "tile0,1 1,-32,32\n",
    "a width of letters": HEADER + "tile0,1 1,wide,32\n",
    "a width of many digits": HEADER + f"tile0,1 1,{'9' * 5000},32\n",
    "runs past the end": HEADER + "tile0,1 9999,32,32\n",
    "runs from 0": HEADER + "tile0,0 5,32,32\n",
    "half a run": HEADER + "tile0,1 5 9,32,32\n",
    "runs that overlap": HEADER + "tile0,1 5 3 5,32,32\n",
    "runs of letters": HEADER + "tile0,one two,32,32\n",
    "a field too many": HEADER + "tile0,,32,32,7\n",
    "an open quote": HEADER + 'tile0,"1 5,32,32\n',
    "a zero byte": HEADER + "tile0,\0,32,32\n",
}


def list_options(work: Path) -> dict[str, list[object]]:
    """Return command lines whose options are bad, by name."""
    commands, run, data = list_commands(work), work / "run", work / "data"
    both = ["--data", data, "--run", run]
    train = ["train", "lite0_unet", *both]
    bad: dict[str, list[object]] = {}
    for name in ("", "../x", "a/b", "x\ny", "x\x1b[2J", ".hidden", "é" * 150, "a b\\c"):
        bad[f"--part {name!r}"] = ["predict", "--run", run, "--images", work / "scene", "--part", name]
        bad[f"submit --part {name!r}"] = ["submit", "--run", run, "--part", name]
        bad[f"--member {name!r}"] = [
            "maps", "import", "--run", run, "--part", "valid", "--member", name, "--from", work / "theirs"
        ]  # fmt: skip
        bad[f"--members {name!r}"] = [*commands["predict"], "--members", name]
        bad[f"train {name!r}"] = ["train", name, *both]
        bad[f"show {name!r}"] = ["show", name, *both]
    for tta in ("", "d5", "scale0", "scale-1", "scale1e9", "gamma0", "gammanan", "e,,e", "e," * 5000):
        bad[f"--tta {tta[:20]!r}"] = ["predict", "--run", run, "--images", work / "scene", "--part", "x", "--tta", tta]
    for weights in ("", "first", "first=", "first=-1", "first=0,second=0", "first=1e9", "first=1000000000", "third=1",
                    "first=1,first=", "first=٣", "=1", "first=1.5"):  # fmt: skip
        bad[f"--weights {weights!r}"] = [*commands["blend"], "--weights", weights]
    for storage in ("", "mysql://me@host/x", "sqlite://", "://", "/dev/null/s", "postgresql://me:secret@127.0.0.1:9/x",
                    "postgresql://me@[::1", "sqlite:////dev/null/x"):  # fmt: skip
        bad[f"--storage {storage!r}"] = [*commands["tune"], "--storage", storage]
    for option, values in {
        "--valid-fraction": ("0", "1", "-1", "nan", "inf"),
        "--crop": ("0", "31", "33", "-32"),
        "--epochs": ("0", "-1"),
        "--batch-size": ("0", "-1"),
        "--seed": ("-1",),
        "--folds": ("99", str(10**9)),
        "--group-by": ("no_such", "(", "((a)(b))", "0m", "x(no)", "1e9m"),
        "--leave-out": ("region", "=", "group=none", "none=1"),
        "--encoder-weights": ("absent.h5", "", "imagenet"),
        "--time-budget": ("", "8", "1y", "-1h", "nanh"),
    }.items():
        for value in values:
            bad[f"{option} {value!r}"] = [*train, "--run", work / "new", option, value]
    for path in (work / "valid.csv/s.csv", work / "s.txt", work, Path("/dev/full/s.csv"), work / ("x" * 300 + ".csv")):
        bad[f"--output {str(path)[-20:]}"] = ["submit", "--run", run, "--output", path]
    for path in (work / "b.kml", work / "valid.csv/b.gpkg", work / "b", work / "b.json"):
        bad[f"--vector {path.name} in {path.parent.name}"] = ["submit", "--run", run, "--vector", path]
    for argument in (work / "none", work / "valid.csv", work / "scene"):
        for name, argv in {
            "predict": ["predict", "--run", run, "--part", "valid", "--data", argument],
            "tune": ["tune", "--run", run, "--data", argument],
            "blend": ["blend", "--run", run, "--data", argument],
            "train": ["train", "lite0_unet", "--run", work / "new", "--data", argument],
            "score": ["score", "--truth", argument, "--submission", work / "valid.csv"],
            "run": ["submit", "--run", argument],
            "predict of no run": ["predict", "--data", data, "--run", argument, "--part", "valid"],
            "maps check": ["maps", "check", argument],
        }.items():
            bad[f"{name} with {argument.name}"] = argv
    bad["neither --data nor --images"] = ["predict", "--run", run, "--part", "valid"]
    bad["--scheduler"] = [*commands["submit"], "--scheduler", "nothing://x"]
    bad["--recipe"] = ["submit", "--run", run, "--recipe", "absent.json"]
    bad["--by"] = ["score", "--truth", data, "--submission", work / "valid.csv", "--by", "no_such"]
    bad["both to score"] = [
        "score",
        "--truth",
        data,
        "--submission",
        work / "valid.csv",
        "--vector",
        work / "valid.gpkg",
    ]
    return bad


def list_cases(work: Path) -> list[Case]:
    """Return all cases; `work` holds a copy of what `prepare` makes."""
    cases = [Case(name, "", lambda path: None, argv) for name, argv in list_options(work).items()]
    for file, (argv, certain) in list_files(work).items():
        cases += [Case(f"{file}: {name}", file, damage, argv, certain) for name, damage in DAMAGES.items()]
        if not file.endswith((".json", ".geojson")) or not (work / file).is_file():
            continue
        cases += [Case(f"{file}: {name}", file, damage, argv, certain) for name, damage in JSON_DAMAGES.items()]
        content = json.loads((work / file).read_text())
        draw = random.Random(file)
        for way in list_leaves(content):
            for value in draw.sample(VALUES, 2):
                named = ".".join(map(str, way))
                cases.append(Case(f"{file}: {named} = {value!r}", file, change_value(way, value), argv, certain=False))
    recipe = ["submit", "--run", work / "run", "--recipe", work / "recipe.json"]
    cases.append(Case("recipe.json: a huge kernel", "recipe.json", change_value(("recipe", "close"), 100_001), recipe))
    score = ["score", "--truth", work / "data", "--submission", work / "valid.csv"]
    cases += [Case(f"valid.csv: {name}", "valid.csv", write(text.encode()), score) for name, text in ROWS.items()]
    return cases


def prepare(server: Server, folder: Path, tunes: bool) -> Path:
    """Make a finished run, and files of every kind that commands read."""
    made = make_finished(server, folder / "made", tunes)
    run = made / "run"
    ended = server.run(
        made, "submit", "--run", run, "--part", "valid", "--output", made / "valid.csv", "--vector", made / "valid.gpkg"
    )
    assert ended.code == 0, ended.printed
    again = ["--output", made / "again.csv", "--vector", made / "valid.geojson"]
    assert server.run(made, "submit", "--run", run, "--part", "valid", *again).code == 0
    (made / "recipe.json").write_text(json.dumps({"recipe": {"threshold": 99, "close": 3}, "members": {"first": 1}}))
    (made / "sample.csv").write_text(HEADER + "".join(f"new{number},,32,32\n" for number in range(3)))
    theirs = made / "theirs"
    theirs.mkdir()
    for number in range(6):
        np.save(theirs / f"tile{number}.npy", np.full((32, 32), 0.5, np.float32))
    (theirs / "tile1.npy").unlink()
    shutil.copy(made / "data/masks/tile1.tif", theirs / "tile1.tif")
    (theirs / "tile1.tif").rename(theirs / "tile1.png")
    return made


@dataclass
class Figures:
    """What came of the cases."""

    cases: int = 0
    accepted: int = 0
    one_line: int = 0
    unchanged: int = 0
    sockets: int = 0
    memory: int = 0
    wrong: list[str] = field(default_factory=list)

    def take(self, case: Case, server: Server, work: Path) -> bool:
        """Run one case; return whether it has changed nothing."""
        if case.file:
            case.damage(work / case.file)
        before = hash_folder(work)
        ended = server.run(work, *case.argv)
        self.cases += 1
        self.sockets += ended.sockets if "postgresql" not in case.name and "--scheduler" not in case.name else 0
        self.memory = max(self.memory, ended.memory)
        if ended.memory > GIB:
            self.wrong.append(f"{case.name}: {ended.memory / GIB:.2f} GiB")
            print(self.cases, self.wrong[-1], flush=True)
        if ended.code == 0 and not case.certain:
            self.accepted += 1
            return False
        after = hash_folder(work)
        one_line, unchanged = ended.code == 2 and is_one_line(ended.printed), after == before
        self.one_line += one_line
        self.unchanged += unchanged
        if not (one_line and unchanged):
            changed = [path for path in before.keys() | after if before.get(path) != after.get(path)]
            self.wrong.append(f"{case.name}: {ended.code} {changed} {ended.printed[-700:]}")
            print(self.cases, self.wrong[-1], flush=True)
        return unchanged


def run_cases(server: Server, base: Path, choose: Callable[[list[Case]], list[Case]], tunes: bool = True) -> Figures:
    """Run the cases that are chosen of all."""
    made, work = prepare(server, base, tunes), base / "work"
    copy_run(made, work)
    figures = Figures()
    for case in choose(list_cases(work)):
        if not figures.take(case, server, work):
            copy_run(made, work)
        elif case.file:
            restore(made / case.file, work / case.file)
    return figures


def restore(source: Path, path: Path) -> None:
    """Put a file back in place of what a damage has made of it."""
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    shutil.copy2(source, path)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_all_inputs(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    figures = run_cases(server, tmp_path, lambda cases: cases)
    counts = {name: getattr(figures, name) for name in ("cases", "accepted", "one_line", "unchanged", "sockets")}
    report(request, "inputs", **counts, gib=round(figures.memory / GIB, 2))
    assert figures.wrong == []
    assert figures.sockets == 0
    assert figures.memory < GIB
