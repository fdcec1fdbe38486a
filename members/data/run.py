"""A run: the folder that one ensemble's stages meet in, and the record of what it rests on."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from members.common.errors import InputError
from members.common.files import remove_stale, write_json
from members.common.locking import hold
from members.common.logfile import LOG
from members.common.options import IN_FORCE
from members.data.names import check_name
from members.data.record import RETRAIN, RunRecord, read_command, read_record, read_versions
from members.data.split import Split
from members.data.tiles import Tile, fingerprint_tiles


@dataclass(frozen=True)
class FoldFolder:
    """The folder of one trained fold of a member, and the files in it."""

    path: Path

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def record_file(self) -> Path:
        """A copy of the run's record: the data and the split that the fold was trained on."""
        return self.path / "run.json"

    @property
    def labels_file(self) -> Path:
        """Which file of outlines a contact member was trained on."""
        return self.path / "labels.json"

    @property
    def teachers_file(self) -> Path:
        """By which networks, on which images, a student was taught."""
        return self.path / "teachers.json"

    @property
    def weights_file(self) -> Path:
        return self.path / "best.weights.h5"

    @property
    def hashes_file(self) -> Path:
        """The hashes that the weights may have."""
        return self.path / "weights.json"

    def find_converted(self, name: str) -> Path:
        """Return the path of a converted network, kept for engines other than Keras; the name says of which weights."""
        return self.path / "converted" / name

    @property
    def history_file(self) -> Path:
        return self.path / "history.csv"

    @property
    def curves_folder(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def state_folder(self) -> Path:
        """What an exact resume needs; it is there as long as training is not finished."""
        return self.path / "last"

    @property
    def state_file(self) -> Path:
        return self.state_folder / "state.npz"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that trains the fold; beside the folder, which a restart moves away."""
        return self.path.parent / f".{self.path.name}.lock"

    @property
    def former(self) -> "FoldFolder":
        """Where a restart keeps what was trained before, until the new training has finished."""
        return FoldFolder(self.path.parent / f".{self.path.name}.former")


class Run:
    """The folder of a run: every path in it, and its record."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: a file; --run names a folder")
        self.path = path

    @classmethod
    def of_maps(cls, folder: Path) -> "Run | None":
        """Return the run that one member's folder of maps belongs to; None where the folder is in no run."""
        parents = folder.resolve().parents
        return cls(parents[2]) if len(parents) > 2 and parents[1].name == "maps" else None

    @property
    def record_file(self) -> Path:
        return self.path / "run.json"

    @property
    def lock_file(self) -> Path:
        """Locked while the record is written."""
        return self.path / ".run.lock"

    @property
    def options_folder(self) -> Path:
        """Where each command leaves the options that it ran with, as COMMAND.toml."""
        return self.path / "options"

    @property
    def commands_file(self) -> Path:
        """The command lines that worked on the run."""
        return self.path / "commands.sh"

    @property
    def log_file(self) -> Path:
        """What those commands printed, with times."""
        return self.path / "log.txt"

    @property
    def members_folder(self) -> Path:
        return self.path / "members"

    def fold(self, member: str, fold: int | str) -> FoldFolder:
        """Return the folder of one fold of a member (fold 0 without folds)."""
        return FoldFolder(self.members_folder / check_name(member, "member") / f"fold{fold}")

    def part_folder(self, part: str) -> Path:
        """Return the folder of a part's maps, one folder a member."""
        return self.path / "maps" / check_name(part, "part")

    def map_folder(self, part: str, member: str) -> Path:
        """Return the folder of one member's maps of a part."""
        return self.part_folder(part) / check_name(member, "member")

    def teaching_folder(self, fold: int, member: str) -> Path:
        """Return the folder of the maps by one fold of a member that teach the same fold of a student."""
        return self.path / "teaching" / f"fold{fold}" / check_name(member, "member")

    def uncertainty_folder(self, part: str, member: str | None = None) -> Path:
        """Return the folder of a member's standard deviations over views and folds; without a member over all members.

        The folders of the members are in that of all members.
        """
        folder = self.path / "uncertainty" / check_name(part, "part")
        return folder / check_name(member, "member") if member else folder

    @property
    def blend_file(self) -> Path:
        return self.path / "blend.json"

    @property
    def study_file(self) -> Path:
        return self.path / "study.journal"

    @property
    def tuned_file(self) -> Path:
        return self.path / "tuned.json"

    @property
    def report_folder(self) -> Path:
        return self.path / "report"

    @property
    def audit_file(self) -> Path:
        """What audit has found by the run's maps."""
        return self.report_folder / "audit.json"

    def submission_file(self, part: str) -> Path:
        """Return the path of a part's submission; that of the part test is named submission.csv."""
        return self.path / ("submission.csv" if part == "test" else f"submission-{check_name(part, 'part')}.csv")

    def list_members(self) -> list[str]:
        """List the members with at least one fold that was begun, by name; a name with a dot is set aside."""
        names = {spec.parent.parent.name for spec in self.members_folder.glob("*/fold*/spec.json")}
        return sorted(name for name in names if "." not in name)

    def list_mapped_members(self, part: str) -> list[str]:
        """List the members that have a folder of maps of a part, by name; a name with a dot is set aside."""
        folders = self.part_folder(part).glob("*/")
        return sorted(folder.name for folder in folders if folder.is_dir() and "." not in folder.name)

    def list_copies(self) -> list[Path]:
        """List the copies of the run's record beside its members' weights."""
        return sorted(self.members_folder.glob("*/fold*/run.json"))

    def has_record(self) -> bool:
        """Tell whether the run has begun.

        Raises:
            InputError: it has, as its members show, and its record is gone.
        """
        if self.record_file.is_file():
            return True
        if copies := self.list_copies():
            raise InputError(f"{self.record_file}: missing, though members were trained; {self._tell_cure(copies)}")
        return False

    def read_record(self) -> RunRecord:
        """Read run.json.

        Raises:
            InputError: it is missing or damaged.
        """
        if not self.has_record():
            raise InputError(f"{self.path}: no run here (no run.json); train members first: roofstack train")
        return read_record(self.record_file, self._tell_cure(self.list_copies()))

    def _tell_cure(self, copies: list[Path]) -> str:
        return f"copy {copies[0]} to {self.record_file}" if copies else "restore it, or begin another --run"

    def write_record(self, data: Path, tiles: list[Tile], split: Split) -> RunRecord:
        """Write run.json for a run that begins.

        Raises:
            InputError: another process has begun the run meanwhile.
        """
        record = RunRecord(
            command=read_command(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            versions=read_versions(),
            data=str(data.resolve()),
            fingerprint=fingerprint_tiles(tiles),
            tiles=len(tiles),
            split=split,
        )
        busy = f"{self.path}: another process begins this run at this moment; run the same command again"
        with hold(self.lock_file, busy):
            if self.record_file.is_file():
                raise InputError(busy)
            write_json(self.record_file, record.model_dump())
        return record

    def find_data(self, data: Path | None = None) -> Path:
        """Return the folder of the run's data set: as given, else where it was when the run began.

        Raises:
            InputError: there is no run here, or nothing is where its data were.
        """
        if data is not None:
            return data
        known = Path(self.read_record().data)
        if not known.is_dir():
            raise InputError(f"{known}: the run's data are no longer there; say where they are: --data DIR")
        return known

    def check_tiles(self, tiles: list[Tile]) -> RunRecord:
        """Read the record and compare its fingerprint with the tiles'.

        Raises:
            InputError: there is no run here, or it was made from other tiles, masks or groups.
        """
        record = self.read_record()
        if fingerprint_tiles(tiles) != record.fingerprint:
            raise InputError(
                f"{self.path}: a run of other data ({record.data}, {record.tiles} tiles: images, masks and groups "
                "as they were); give that --data, or begin another --run"
            )
        if unknown := [tile.group for tile in tiles if tile.group not in record.split.fold_of_group]:
            cure = self._tell_cure(self.list_copies())
            raise InputError(f"{self.record_file}: no fold of group {unknown[0]}, so damaged; {cure}")
        return record

    def check_fold(self, member: str, fold: int, record: RunRecord) -> None:
        """Compare the data and the split that a fold was trained on with the run's; a fold yet to begin has none.

        Raises:
            InputError: they are others, or unknown.
        """
        folder = self.fold(member, fold)
        if not folder.spec_file.is_file() and not folder.record_file.is_file():
            return
        own = read_record(folder.record_file, RETRAIN)
        if (own.fingerprint, own.split) != (record.fingerprint, record.split):
            what = "split" if own.fingerprint == record.fingerprint else "data"
            raise InputError(
                f"{folder.path}: trained on another {what} than {self.record_file} tells of, so it may have seen what "
                f"it would be scored on; restore that file from {folder.record_file}, or train it with --restart"
            )

    def open_log(self) -> None:
        """Have what commands print written to the log file, too."""
        LOG.open(self.log_file)

    def log_command(self) -> None:
        """Add the command line that is running to commands.sh, unless it is its last, and write its options in force.

        A run that is read-only, whose outputs go elsewhere, keeps no such record.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK):
            return
        self.open_log()
        remove_stale(self.path)
        line = read_command() + "\n"
        written = self.commands_file.read_text(encoding="utf-8") if self.commands_file.is_file() else ""
        if not written.endswith(line):  # one command may be made of several stages, and be started again
            with self.commands_file.open("a", encoding="utf-8") as lines:
                lines.write(line)
        IN_FORCE.write(self.options_folder)
