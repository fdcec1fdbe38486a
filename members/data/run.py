"""A run: the folder that one ensemble's stages meet in, and the record of what it rests on."""

import datetime
import importlib.metadata
import platform
import shlex
import sys
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
    """The content of run.json: all members of a run share its data and its split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    created: str
    versions: dict[str, str]
    data: str
    fingerprint: str
    tiles: int
    split: Split


class Run:
    """Paths below a run's folder, and its record."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: a file; --run names a folder")
        self.path = path

    def member_folder(self, member: str, fold: int) -> Path:
        """Where the weights, history and logs of one fold of a member are (fold 0 without folds)."""
        return self.path / "members" / member / f"fold{fold}"

    def map_folder(self, part: str, member: str) -> Path:
        """Where a member's probability maps of a part are."""
        return self.path / "maps" / part / member

    @property
    def record_file(self) -> Path:
        return self.path / "run.json"

    @property
    def tuned_file(self) -> Path:
        return self.path / "tuned.json"

    @property
    def study_file(self) -> Path:
        return self.path / "study.journal"

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
        with (self.path / "commands.sh").open("a", encoding="utf-8") as lines:
            lines.write(read_command() + "\n")

    def list_members(self) -> list[str]:
        """The members with at least one trained fold, by name."""
        return sorted({spec.parent.parent.name for spec in self.path.glob("members/*/fold*/spec.json")})


def read_command() -> str:
    """The command line that is running, as one would type it."""
    program = Path(sys.argv[0])
    if program.suffix != ".py":
        return shlex.join([program.name, *sys.argv[1:]])
    return shlex.join(["python", "-m", f"{program.parent.name}.{program.stem}", *sys.argv[1:]])


def read_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
