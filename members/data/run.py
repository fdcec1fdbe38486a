"""A run: the folder that one ensemble's stages meet in, and the record of what it rests on."""

import datetime
import importlib.metadata
import platform
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.data.split import Split
from members.data.tiles import Tile, fingerprint_tiles

PACKAGES = (
    "albumentations",
    "keras",
    "numpy",
    "optuna",
    "rasterio",
    "roofstack",
    "scikit-image",
    "tensorflow-cpu",
)


class RunRecord(BaseModel):
    """The content of run.json; all members of a run share its data and its split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    created: str
    versions: dict[str, str]
    data: str
    fingerprint: str
    tiles: int
    split: Split


@dataclass(frozen=True)
class FoldFolder:
    """The folder of one trained fold of a member, and the files in it."""

    path: Path

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def weights_file(self) -> Path:
        return self.path / "best.weights.h5"

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
    def commands_file(self) -> Path:
        """The command lines that worked on the run."""
        return self.path / "commands.sh"

    @property
    def members_folder(self) -> Path:
        return self.path / "members"

    def fold(self, member: str, fold: int | str) -> FoldFolder:
        """Return the folder of one fold of a member (fold 0 without folds)."""
        return FoldFolder(self.members_folder / member / f"fold{fold}")

    def part_folder(self, part: str) -> Path:
        """Return the folder of a part's maps, one folder a member."""
        return self.path / "maps" / part

    def map_folder(self, part: str, member: str) -> Path:
        """Return the folder of one member's maps of a part."""
        return self.part_folder(part) / member

    def uncertainty_folder(self, part: str, member: str | None = None) -> Path:
        """Return the folder of a member's standard deviations over views and folds; without a member over all members.

        The folders of the members are in that of all members.
        """
        folder = self.path / "uncertainty" / part
        return folder / member if member else folder

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

    def submission_file(self, part: str) -> Path:
        """Return the path of a part's submission; that of the part test is named submission.csv."""
        return self.path / ("submission.csv" if part == "test" else f"submission-{part}.csv")

    def list_members(self) -> list[str]:
        """List the members with at least one fold that was begun, by name."""
        return sorted({spec.parent.parent.name for spec in self.members_folder.glob("*/fold*/spec.json")})

    def list_mapped_members(self, part: str) -> list[str]:
        """List the members that have a folder of maps of a part, by name."""
        return sorted(folder.name for folder in self.part_folder(part).glob("[!.]*/") if folder.is_dir())

    def read_record(self) -> RunRecord:
        """Read run.json.

        Raises:
            InputError: it is missing or damaged.
        """
        if not self.record_file.is_file():
            raise InputError(f"{self.path}: no run here (no run.json); train members first: roofstack train")
        try:
            return RunRecord.model_validate(read_json(self.record_file))
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(map(str, problem["loc"])) or "content"
            raise InputError(f"{self.record_file}: {field}: {problem['msg']}; restore it") from None

    def write_record(self, data: Path, tiles: list[Tile], split: Split) -> RunRecord:
        """Write run.json for a run that begins."""
        record = RunRecord(
            command=read_command(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            versions=read_versions(),
            data=str(data.resolve()),
            fingerprint=fingerprint_tiles(tiles),
            tiles=len(tiles),
            split=split,
        )
        write_json(self.record_file, record.model_dump())
        return record

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
        return record

    def log_command(self) -> None:
        """Add the command line that is running to commands.sh, the record of how the run came about."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self.commands_file.open("a", encoding="utf-8") as lines:
            lines.write(read_command() + "\n")


def read_command() -> str:
    """Return the command line that is running, as one would type it."""
    program = Path(sys.argv[0])
    if program.suffix != ".py":
        return shlex.join([program.name, *sys.argv[1:]])
    return shlex.join(["python", "-m", f"{program.parent.name}.{program.stem}", *sys.argv[1:]])


def read_versions() -> dict[str, str]:
    """Look up the versions of Python and of the packages that results depend on, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
