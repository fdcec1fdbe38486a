"""Damage to a run's files: each message names a cure, and what it says leads to the undamaged run's results."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from campaign_runs import (
    Server,
    copy_run,
    hash_results,
    is_one_line,
    list_commands,
    list_trainings,
    make_finished,
    make_run,
    open_server,
    report,
)

Act = Callable[[Path], object]
"""Something that is done to the files of a folder."""


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: dict[str, Act] = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "other bytes": lambda path: path.write_bytes(b"\xff\x00no file\n" * 40),
    "gone": Path.unlink,
}


class Case(NamedTuple):
    """A file that is damaged.

    Attributes:
        file: which, below the folder.
        argv: the command that meets it.
        cures: what messages say, one after the other, as a pattern, and what is done then: to files, or commands.
        before: what makes the command read the file.
        damages: what is done to it, of `DAMAGES`.
        certain: whether all of them are found.
    """

    file: str
    argv: list[object]
    cures: Sequence[tuple[str, Sequence[Act | list[object]]]]
    before: Act = lambda work: None
    damages: Sequence[str] = tuple(DAMAGES)
    certain: bool = True


def drop_maps(work: Path) -> None:
    for folder in work.glob("*/maps/valid"):
        shutil.rmtree(folder)


def remove(name: str) -> Act:
    return lambda work: (work / name).unlink(missing_ok=True)


def set_aside(name: str) -> Act:
    return lambda work: (work / name).rename(work / f"{name}.old")


def copy_record(work: Path) -> None:
    shutil.copy(work / "run/members/first/fold0/run.json", work / "run/run.json")


def list_cases(work: Path) -> list[Case]:
    """Return cases of a finished run."""
    do = list_commands(work)
    valid, test, study = "run/maps/valid/first", "run/maps/test/first", "run/study.journal"
    tile, new = f"{valid}/tile0.tif", f"{test}/new0.tif"
    another_folder = "restore it, or move the folder elsewhere and predict"
    missing = "are missing .* run the same roofstack predict again"
    return [
        Case("run/run.json", do["predict"], [(r"; copy \S+/fold0/run.json to \S+/run.json", [copy_record])], drop_maps),
        Case(f"{valid}/manifest.json", do["blend"], [(another_folder, [set_aside(valid), do["predict"]])]),
        Case(f"{test}/manifest.json", do["submit"], [(another_folder, [set_aside(test), do["predict test"]])]),
        Case(tile, do["blend"], [("remove it|" + missing, [remove(tile)]), (missing, [do["predict"]])]),
        Case(new, do["submit"], [("remove it|" + missing, [remove(new)]), (missing, [do["predict test"]])]),
        Case("run/blend.json", do["tune"], [("run roofstack blend again", [do["blend"]])], damages=list(DAMAGES)[:3]),
        Case("run/tuned.json", do["submit"], [("run roofstack tune", [do["tune"]])]),
        Case(study, do["tune"], [("move it elsewhere to begin anew", [set_aside(study)])], certain=False),
    ]  # fmt: skip


def list_training_cases(work: Path) -> list[Case]:
    """Return cases of a run that `list_trainings` trains, whose cure is to train anew."""
    train = list_trainings(work)["train"]
    predict = ["predict", "--data", work / "data", "--run", work / "new", "--part", "valid", "--tta", "none"]
    cures = [("with --restart", [[*train, "--fold", 0, "--restart"]])]
    fold = "new/members/lite0_unet/fold0"
    return [
        Case(f"{fold}/spec.json", predict, cures, drop_maps, ["cut"]),
        Case(f"{fold}/run.json", predict, cures, drop_maps, ["gone"]),
        Case(f"{fold}/weights.json", predict, cures, drop_maps, ["empty"]),
        Case(f"{fold}/best.weights.h5", predict, cures, drop_maps, ["other bytes"]),
        Case(f"{fold}/best.weights.h5", train, cures, damages=["gone"]),
        Case(f"{fold}/history.csv", train, cures, damages=["cut"]),
    ]


class Cures:
    """Cases that are tried, and what was wrong."""

    def __init__(self, server: Server, source: Path, work: Path) -> None:
        self.server, self.source, self.work = server, source, work
        self.expected = hash_results(source)
        self.tried = 0
        self.wrong: list[str] = []

    def take(self, case: Case, damage: str) -> None:
        """Damage a file, and do what the messages say until the command works."""
        self.tried += 1
        copy_run(self.source, self.work)
        case.before(self.work)
        DAMAGES[damage](self.work / case.file)
        fault = self.follow(case, damage)
        found = hash_results(self.work)
        different = sorted(path for path, value in self.expected.items() if found.get(path) != value)
        if fault or different:
            self.wrong.append(f"{case.file}, {damage}: {fault or different}")

    def follow(self, case: Case, damage: str) -> str | None:
        """Follow the cures; return what is wrong, or None."""
        for says, steps in case.cures:
            ended = self.server.run(self.work, *case.argv)
            if ended.code == 0:
                return None if not case.certain or steps is not case.cures[0][1] else "not found"
            if ended.code != 2 or not is_one_line(ended.printed) or not re.search(says, ended.printed):
                return f"{ended.code} {ended.printed[-700:]}"
            for step in steps:
                if callable(step):
                    step(self.work)
                elif (done := self.server.run(self.work, *step)).code != 0:
                    return f"the cure failed: {done.code} {done.printed[-700:]}"
        ended = self.server.run(self.work, *case.argv)
        return None if ended.code == 0 else f"not cured: {ended.code} {ended.printed[-700:]}"


def check(cures: Cures, request: pytest.FixtureRequest) -> None:
    """Report figures, and check that nothing is wrong."""
    report(request, "cures", tried=cures.tried, cured=cures.tried - len(cures.wrong))
    assert cures.wrong == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_all_cures(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cures = Cures(server, make_finished(server, tmp_path / "made"), tmp_path / "work")
    for case in list_cases(cures.work):
        for damage in case.damages:
            cures.take(case, damage)
    check(cures, request)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_cures_of_training(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source = tmp_path / "made"
    make_run(source)
    with open_server(tmp_path / "server", "train") as server:
        cases = list_training_cases(source)
        for argv in (list_trainings(source)["train"], cases[0].argv):
            ended = server.run(source, *argv)
            assert ended.code == 0, ended.printed
        cures = Cures(server, source, tmp_path / "work")
        for case in list_training_cases(cures.work):
            for damage in case.damages:
                cures.take(case, damage)
    check(cures, request)
