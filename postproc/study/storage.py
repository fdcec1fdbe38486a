"""Where studies are kept: a journal file, SQLite or PostgreSQL, each shared by several processes."""

import contextlib
import json
import os
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from members.common.errors import InputError
from members.common.locking import FOR_EVER, hold
from members.common.passwords import hide_passwords

PATIENCE = 10  # s, until a server counts as out of reach
SQLITE_PATIENCE = 60  # s, for other processes to finish writing
BEGINNING = b'{"op_code":'  # of every record of a journal
CHECK = "crc32"
"""The key of a record's checksum, of all else in it."""
CURE = "restore the file, or move it elsewhere to begin anew"
TURN = 7223  # number of the advisory lock that processes on one PostgreSQL database take in turn


class Address:
    """A storage's address: the path of a journal file, sqlite:///FILE or postgresql://USER@HOST/DATABASE.

    Raises:
        InputError: it is a database address of another kind, or one that cannot be read.
    """

    def __init__(self, address: str | Path) -> None:
        self.url: URL | None = None
        self.path: Path | None = None
        if not str(address):
            raise InputError("--storage '': no address; give a journal file, sqlite:///FILE or postgresql://..")
        if "://" not in str(address):
            self.path = Path(address)
            if self.path.is_dir() or not find_parent(self.path).is_dir():
                raise InputError(f"--storage {address}: a journal is a file in a folder; give another path")
            return
        try:
            self.url = make_url(str(address))
        except (SQLAlchemyError, ValueError):
            raise InputError("--storage: not a database address; one is postgresql://USER@HOST/DATABASE") from None
        kind = self.url.get_backend_name()
        if kind == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        elif kind == "sqlite" and self.url.database not in (None, "", ":memory:"):
            self.path = Path(str(self.url.database))
        else:
            raise InputError(
                f"--storage {self}: a study is kept in a journal file, in sqlite:///FILE or in "
                "postgresql://USER@HOST/DATABASE; give one of these"
            )

    def __str__(self) -> str:
        """Return the address as it may be shown: without a password."""
        return str(self.path) if self.url is None else hide_passwords(self.url.render_as_string())

    def open(self) -> BaseStorage:
        """Open the storage, and set it up where nothing is there yet."""
        with self.report_failure(), self.take_turn(), quieten():
            if self.url is None:
                check_journal(Path(str(self.path)))
                return JournalStorage(Journal(Path(str(self.path))))
            url = self.url.render_as_string(hide_password=False)
            return RDBStorage(url, engine_kwargs={"connect_args": self.connect_options})

    def reach(self) -> None:
        """Try whether a server answers, or a file may be there, before anything else is done; none is touched.

        Raises:
            InputError: it does not, or may not.
        """
        with self.report_failure():
            self.check_folder()
            if self.path is None:
                with self.take_turn():
                    pass

    @property
    def connect_options(self) -> dict[str, int]:
        """What the database driver is told."""
        return {"connect_timeout": PATIENCE} if self.path is None else {"timeout": SQLITE_PATIENCE}

    def check_folder(self) -> None:
        """Refuse a file in what is no folder."""
        if self.path is not None and self.path.parent.exists() and not self.path.parent.is_dir():
            raise NotADirectoryError(f"{self.path.parent} is no folder")

    @contextlib.contextmanager
    def take_turn(self) -> Iterator[None]:
        """Keep all other processes that ask for their turn on this storage waiting; a killed one gives way.

        Optuna adds single trials safely; looking which are missing and then adding them takes a lock of one's own.
        """
        if self.path is not None:
            self.check_folder()
            with hold(name_lock(self.path, "turn"), patience=FOR_EVER):
                yield
        elif self.url is not None:
            engine = create_engine(self.url, poolclass=NullPool, connect_args=self.connect_options)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SELECT pg_advisory_lock(:turn)"), {"turn": TURN})
                yield

    @contextlib.contextmanager
    def report_failure(self) -> Iterator[None]:
        """Turn what databases and files raise into one line.

        Raises:
            InputError: the storage cannot be reached, or does not answer any more.
        """
        try:
            yield
        except InputError:
            raise
        except ImportError as error:
            raise InputError(f"--storage {self}: no database driver ({error}); pip install -e '.[postgres]'") from None
        except (SQLAlchemyError, StorageInternalError, OSError, ValueError, RuntimeError) as error:
            reason = hide_passwords((str(error.__cause__ or error).strip().splitlines() or [type(error).__name__])[0])
            raise InputError(
                f"--storage {self}: cannot be reached or used ({reason}); check that it is there, or give another one; "
                "what it holds is unchanged"
            ) from None


@contextlib.contextmanager
def quieten() -> Iterator[None]:
    """Keep Optuna from telling on stderr what it begins, and leave its setting as the caller has it."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


class Journal(JournalFileBackend):
    """Optuna's journal file, made safe and fast where processes are killed.

    Half a line that a killed writer left is cut off before the next is written, which would glue onto it and make
    the journal unreadable. The system frees a killed process's lock at once, where Optuna's own take 30 s. And a
    record is not forced onto the disk one by one, nine times a trial: that guards against power cuts alone.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, one a line, all at once."""
        lines = "".join(write_record(log | {CHECK: check_record(log)}) + "\n" for log in logs)
        with hold(name_lock(self.path, "lock"), patience=FOR_EVER), self.path.open("r+b") as file:
            mend_journal(file)
            file.write(lines.encode())

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """Yield the records from a number on.

        Raises:
            ValueError: one is not as it was written.
        """
        for log in super().read_logs(log_number_from):
            check = log.pop(CHECK, None)  # Optuna's own have none
            if check is not None and check != check_record(log):
                raise ValueError(f"a damaged line; {CURE}")
            yield log


def write_record(log: dict[str, Any]) -> str:
    """Return a record as the journal has it."""
    return json.dumps(log, separators=(",", ":"))


def check_record(log: dict[str, Any]) -> int:
    """Return the checksum of a record."""
    return zlib.crc32(write_record(log).encode())


def name_lock(path: Path, kind: str) -> Path:
    """Return the hidden file beside a study's that is locked for it."""
    return path.absolute().with_name(f".{path.name}.{kind}")


def check_journal(path: Path) -> None:
    """Raise ValueError where there is a file that does not begin as a journal does."""
    if path.is_file():
        with path.open("rb") as file:
            found = file.read(len(BEGINNING))
        if not BEGINNING.startswith(found):
            raise ValueError(f"no journal of a study; {CURE}")


def mend_journal(file: BinaryIO) -> None:
    """Cut off a last line that does not end, and go to the file's end."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(size - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)


def find_parent(path: Path) -> Path:
    """Return the folder that a file is or will be in, if it exists, or else the nearest that does."""
    return next(folder for folder in path.absolute().parents if folder.exists())
