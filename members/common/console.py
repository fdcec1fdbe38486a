"""How commands speak to the person at the terminal: progress and warnings on stderr, results on stdout."""

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from members.common.errors import InputError
from members.common.progress import Item
from members.common.tables import ResultTable

SCHEDULER = typer.Option(help="A Dask scheduler, tcp://HOST:PORT, whose workers see the same paths.")
"""The option of every command that gives its work out to a cluster."""
DATA = typer.Option(help="The run's data set. Default: where it was when the run began.")
"""The option of every command that works on a run that is there."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED = 130  # the exit code that Typer gives a KeyboardInterrupt

# no markup: paths and messages have [brackets] and :colons: of their own
PIPE_WIDTH = 120  # of tables that go to a file or a pipe
stdout = Console(soft_wrap=True, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
stderr = Console(soft_wrap=True, markup=False, emoji=False, highlight=False, stderr=True)


def escape(text: str) -> str:
    """Write out what is not printed, such as the codes that move a terminal's cursor, in a text that quotes a file.

    >>> escape("image \\x1b[2J")
    'image \\\\x1b[2J'
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def warn(message: str) -> None:
    """Print one warning line to stderr."""
    stderr.print(Text.assemble(("warning:", "yellow"), " ", escape(message)))


class Notes(logging.Handler):
    """What the library logs, as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        stderr.print(record.getMessage())


def show_notes() -> None:
    """Have what the library logs shown."""
    logger = logging.getLogger("roofstack")
    logger.setLevel(logging.INFO)
    logger.handlers = [Notes()]


def print_table(table: ResultTable) -> None:
    """Print a table of results, its notes below it."""
    drawn = Table(*table.header, title=table.title)
    for row in table.rows:
        drawn.add_row(*row)
    stdout.print(drawn)
    for note in table.notes:
        stdout.print(note)


def make_progress() -> Progress:
    """Make a progress display with count, elapsed and remaining time, on stderr; silent where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
        console=stderr, disable=not stderr.file.isatty(),
    )  # fmt: skip


def track(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Yield `items` behind a progress bar of `total` steps: the `Progress` of commands."""
    with make_progress() as progress:
        task = progress.add_task(description, total=total, note="")
        for item in items:
            yield item
            progress.advance(task)


def make_app(**options: Any) -> typer.Typer:
    """Return an app without commands yet; `-h` is help too, and paragraphs of help stay whole."""
    names = {"help_option_names": ["-h", "--help"]}
    common: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "context_settings": names}
    return typer.Typer(**{**common, "rich_markup_mode": "markdown", **options})


def run_app(app: typer.Typer, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, the one typed or `arguments`; bad input becomes one line on stderr and exit code 2."""
    if os.name == "nt":
        fail("Windows: roofstack runs on Linux and macOS; on this machine start it in WSL, Windows' own Linux")
    show_notes()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a cluster sends ends as Ctrl-C does
    try:
        app(arguments)
    except InputError as error:
        message = " ".join(str(error).splitlines())  # libraries whose reason it quotes may use several
        fail(message)
    except OSError as error:
        if error.filename is None and error.errno not in FULL:
            raise
        where = f"{error.filename}: " if error.filename else ""
        cure = "free some room" if error.errno in FULL else "make it so that you may, or give another path"
        fail(f"{where}refused by the disk ({error.strerror}); what was whole is whole still: {cure}, and try again")
    except SystemExit as end:  # Typer ends every other run itself
        if end.code == INTERRUPTED:
            stderr.print("interrupted; the same command goes on where it stopped")
        raise
    sys.exit(0)


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    stderr.print(Text.assemble(("error:", "red"), " ", escape(message)))
    sys.exit(2)


def run_command(command: Callable[..., Any], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one function as a whole command line, for `python -m package.module`; `arguments` as for `run_app`."""
    app = make_app()
    app.command()(command)
    run_app(app, arguments)
