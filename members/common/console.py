"""How commands speak to the person at the terminal: progress and warnings on stderr, results on stdout."""

import errno
import importlib.util
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn, cast

import typer
from rich.console import Console
from rich.control import Control
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
from members.common.interruption import listen, stop_waiting, was_interrupted
from members.common.logfile import LOG
from members.common.options import ConfigCommand, take_config
from members.common.progress import Item
from members.common.tables import ResultTable

SCHEDULER = typer.Option(help="A Dask scheduler, tcp://HOST:PORT, whose workers see the same paths.")
"""The option of every command that gives its work out to a cluster."""
JSON = typer.Option("--json", help="Print one JSON object in place of the tables.")
"""The option of every command that has a result."""
DATA = typer.Option(help="The run's data set. Default: where it was when the run began.")
"""The option of every command that works on a run that is there."""
PACKAGES, PROGRAM = ("ensemble", "postproc"), "roofstack"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED = 130  # the exit code that Typer gives a KeyboardInterrupt
PERIOD = 60.0
"""Seconds between lines that say how far the work is, where there is no terminal to draw a bar on."""
PIPE_WIDTH = 120  # of tables that go to a file or a pipe


class Speaker(Console):
    """A console whose lines go to the log file of the run, too."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **options)
        if LOG.is_open and not any(isinstance(each, Control) for each in objects):
            Console(file=cast(IO[str], LOG), width=PIPE_WIDTH, markup=False, emoji=False, soft_wrap=True).print(
                *objects, **options
            )


# no markup: paths and messages have [brackets] and :colons: of their own
stdout = Speaker(soft_wrap=True, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
stderr = Speaker(soft_wrap=True, markup=False, emoji=False, highlight=False, stderr=True)


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


def show_notes(level: int = logging.INFO) -> None:
    """Have what the library logs shown, from a level on."""
    logger = logging.getLogger("roofstack")
    logger.setLevel(level)
    logger.handlers = [Notes()]


def choose_volume(quiet: bool, verbose: bool) -> None:
    """Say nothing but results and errors, or more than usual: the library's details, and where an error was raised."""
    stderr.quiet = quiet
    show_notes(logging.DEBUG if verbose else logging.INFO)


def be_quiet(wanted: bool) -> None:
    """Print results and errors alone, if that is wanted."""
    if wanted:
        choose_volume(quiet=True, verbose=False)


def be_verbose(wanted: bool) -> None:
    """Say more, if that is wanted."""
    if wanted:
        choose_volume(quiet=False, verbose=True)


def take_volume(
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", callback=be_quiet, expose_value=False, help="Print results and errors alone."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", callback=be_verbose, expose_value=False, help="Say more, and where an error was raised."
        ),
    ] = False,
) -> None:
    """Take the options that every command has."""


def make_command(found: Callable[..., Any] | typer.Typer) -> Any:
    """Return a function as a command, or an app as a group of them; each takes `--quiet` and `--verbose` as well."""
    app = found
    if not isinstance(app, typer.Typer):
        app = make_app()
        app.command()(found)
    command = typer.main.get_command(app)
    common = make_app()
    common.command()(take_volume)
    volume = [option for option in typer.main.get_command(common).params if option.name in ("quiet", "verbose")]
    for each in getattr(command, "commands", {"": command}).values():
        each.params += volume
    return command


def print_table(table: ResultTable) -> None:
    """Print a table of results, its notes below it."""
    drawn = Table(*table.header, title=table.title)
    for row in table.rows:
        drawn.add_row(*row)
    stdout.print(drawn)
    for note in table.notes:
        stdout.print(note)


def print_result(as_json: bool, content: Any, *shown: ResultTable | str) -> None:
    """Print a command's result: its content as one JSON object, or what is shown of it."""
    if as_json:
        text = json.dumps(content, default=str)
        typer.echo(text)
        LOG.write(f"{text}\n")
        return
    for each in shown:
        if isinstance(each, ResultTable):
            print_table(each)
        else:
            stdout.print(each)


def make_progress() -> Progress:
    """Make a progress display with count, elapsed and remaining time, on stderr; silent where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
        console=stderr, disable=not stderr.file.isatty(),
    )  # fmt: skip


class Minutes:
    """A line a minute that says how far the work is, where there is no terminal to draw a bar on.

    Args:
        description: what is done.
        total: steps.
    """

    def __init__(self, description: str, total: int) -> None:
        self.description, self.total = description, total
        self.began = self.last = time.monotonic()

    def tell(self, done: int, note: str = "") -> None:
        """Print the line, if it is time."""
        now = time.monotonic()
        if now - self.last < PERIOD or stderr.file.isatty():
            return
        self.last = now
        spent = (now - self.began) / 60
        left = f", about {spent * (self.total - done) / done:.0f} left" if 0 < done < self.total else ""
        stderr.print(f"{self.description}: {done} of {self.total} in {spent:.0f} minutes{left} {note}".rstrip())


def track(items: Iterable[Item], description: str, total: int) -> Iterable[Item]:
    """Yield `items` behind a progress bar of `total` steps, or with a line a minute: the `Progress` of commands."""
    minutes = Minutes(description, total)
    with make_progress() as progress:
        task = progress.add_task(description, total=total, note="")
        for done, item in enumerate(items, start=1):
            yield item
            progress.advance(task)
            minutes.tell(done)


class App(typer.Typer):
    """An app whose commands take their options from a file, too."""

    def command(  # type: ignore[override]
        self, name: str | None = None, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Add a function as a command, and leave the function as it is."""
        add = super().command(name, **{"cls": ConfigCommand, **options})

        def take(function: Callable[..., Any]) -> Callable[..., Any]:
            add(take_config(function))
            return function

        return take


def make_app(**options: Any) -> App:
    """Return an app without commands yet; `-h` is help too, and paragraphs of help stay whole."""
    names = {"help_option_names": ["-h", "--help"]}
    common: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "context_settings": names}
    return App(**{**common, "rich_markup_mode": "markdown", **options})


def run_app(app: Callable[..., Any], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, the one typed or `arguments`; bad input becomes one line on stderr and exit code 2."""
    if os.name == "nt":
        fail("Windows: roofstack runs on Linux and macOS; on this machine start it in WSL, Windows' own Linux")
    choose_volume(quiet=False, verbose=False)
    check_packages()
    LOG.close()
    listen()
    try:
        app(arguments)
    except SystemExit as end:  # Typer ends every run itself that raises nothing
        if end.code == INTERRUPTED:
            tell_interruption()
        raise
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyboardInterrupt) or was_interrupted():  # the first before Typer looks out for it
            tell_interruption()
            sys.exit(INTERRUPTED)
        tell_failure(error)
        raise
    sys.exit(0)


def check_packages() -> None:
    """End where a file of the folder that Python was started in hides one of our packages, as `python -m` lets it."""
    root = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = spec and spec.origin
        if origin and Path(origin).resolve().parents[1] != root:
            fail(f"{origin}: hides roofstack's package {name}; rename it, or start the program {PROGRAM} from anywhere")


def tell_failure(error: BaseException) -> None:
    """End where an error is the user's to mend, bad input or a full disk; return where it is ours."""
    if isinstance(error, InputError):
        message = " ".join(str(error).splitlines())  # libraries whose reason it quotes may use several
        fail(message)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in FULL):
        where = f"{error.filename}: " if error.filename else ""
        cure = "free some room" if error.errno in FULL else "make it so that you may, or give another path"
        fail(f"{where}refused by the disk ({error.strerror}); what was whole is whole still: {cure}, and try again")


def tell_interruption() -> None:
    """Say that a command was stopped, and what to do."""
    stop_waiting()
    stderr.print("interrupted; the same command goes on where it stopped")


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2; where details are wanted, after where the error was raised."""
    stderr.quiet = False
    if not LOG.begun:  # who has done nothing yet changes nothing
        LOG.close()
    if logging.getLogger("roofstack").level == logging.DEBUG:
        stderr.print(traceback.format_exc(), end="")
    stderr.print(Text.assemble(("error:", "red"), " ", escape(message)))
    sys.exit(2)


def run_command(command: Callable[..., Any], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one function as a whole command line, for `python -m package.module`; `arguments` as for `run_app`."""
    run_app(make_command(command), arguments)
