"""The record of a run: what it rests on, written once into the run, and beside the weights of each fold."""

import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from members.common.errors import InputError
from members.common.files import read_json
from members.common.passwords import hide_passwords
from members.data.split import Split

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

ROOMS = ("members", "ensemble", "postproc")
"""Packages whose files are commands."""


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


RETRAIN = "restore it, or train this member anew with --restart"
"""What to do about a damaged file beside weights."""


def read_record(path: Path, cure: str) -> RunRecord:
    """Read the record of a run, or the copy of it beside weights.

    Raises:
        InputError: it is missing or damaged; `cure` says what to do about it.
    """
    try:
        return RunRecord.model_validate(read_json(path, cure))
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or "content"
        raise InputError(f"{path}: {field}: {problem['msg']}; {cure}") from None


def read_command() -> str:
    """Return the command line that is running, as one would type it, without passwords; of a notebook a remark."""
    if "ipykernel" in sys.modules:  # its command line is the kernel's
        return "# from a notebook, by Python"
    program, arguments = Path(sys.argv[0]), [hide_passwords(argument) for argument in sys.argv[1:]]
    if program.suffix != ".py":
        return shlex.join([program.name, *arguments])
    if program.absolute().parent.name not in ROOMS:
        return shlex.join(["python", str(program), *arguments])
    return shlex.join(["python", "-m", f"{program.absolute().parent.name}.{program.stem}", *arguments])


def read_versions() -> dict[str, str]:
    """Look up what results depend on: Python, the machine and its cores, and the packages, as far as they are there."""
    versions = {"python": platform.python_version(), "machine": f"{platform.platform()}, {os.cpu_count()} cores"}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
