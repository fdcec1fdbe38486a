"""Options of commands in TOML files: read from `--config FILE`, and written into the run that a command works on."""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from members.common.errors import InputError
from members.common.files import write_whole
from members.common.passwords import hide_passwords

CONFIG = typer.Option(
    metavar="FILE", help="Options in a TOML file: epochs = 12. Those on the command line go before it."
)
"""The option of every command that takes others from a file."""
NOT_KEPT = ("config", "json", "dry_run", "help")


class InForce:
    """The options that the command of this process runs with, once they are known.

    Attributes:
        command: its name; "" where no command runs.
        values: its options by their names, those left out among them.
    """

    def __init__(self) -> None:
        self.command = ""
        self.values: dict[str, Any] = {}

    def write(self, folder: Path) -> None:
        """Write the options as FOLDER/COMMAND.toml, or COMMAND-PART.toml, which `--config` takes again."""
        if not self.command:
            return
        part = self.values.get("part")
        lines = [f"# roofstack {self.command} --config FILE takes this file"]
        lines += [
            f"{name.replace('_', '-')} = {write_value(value)}"
            for name, value in self.values.items()
            if name not in NOT_KEPT and value is not None and value != []
        ]
        with write_whole(folder / f"{self.command}{f'-{part}' if part else ''}.toml") as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


IN_FORCE = InForce()


def write_value(value: Any) -> str:
    """Write a value as TOML has it; what is no number, truth value or list becomes a text.

    >>> print(write_value([Path("a"), 'b"c']), write_value(True), write_value(0.5))
    ["a", "b\\"c"] true 0.5
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return json.dumps(hide_passwords(str(value)), ensure_ascii=False)


class ConfigCommand(TyperCommand):
    """A command whose options may come from a file, too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for param in filter(_offers_choices, self.params):
            spell_choices(param)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, behind what the file says of options that it leaves out."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        path, taken = given.get("config"), {}
        if path is not None:
            taken = read_config(Path(path), self.params)
            left = {name: value for name, value in taken.items() if given.get(name) in (None, (), [])}
            args = [*list_words(self.params, left), *args]
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            name = getattr(error.param, "name", None)
            if name in taken and given.get(name) in (None, (), []):
                key = name.replace("_", "-")
                raise InputError(f"--config {path}: {key} = {write_value(taken[name])}: {error.message}") from None
            raise
        values = {str(param.name): ctx.params.get(param.name) for param in self.params}
        IN_FORCE.command, IN_FORCE.values = self.name or "", values
        return rest


def _offers_choices(param: Any) -> bool:
    return bool(list_choices(param)) and param.metavar is None


def list_choices(param: Any) -> list[str]:
    """List what a parameter can be, if that is one of a few words."""
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    kinds = [annotation, *typing.get_args(annotation)]
    return [str(word) for kind in kinds if typing.get_origin(kind) is Literal for word in typing.get_args(kind)]


def spell_choices(param: Any) -> None:
    """Put what a parameter can be into its help: in the narrow column of types words would be torn."""
    param.metavar = "CHOICE"
    param.help = f"{', '.join(list_choices(param))}. {param.help or ''}".strip()


def read_config(path: Path, params: Sequence[Any]) -> dict[str, Any]:
    """Read the options of a command, by the names of its parameters.

    Args:
        path: TOML: names of options without their dashes, or of arguments, and values.
        params: the command's, as Click has them.

    Raises:
        InputError: the file is missing or no TOML, or has a key that is no option, or a value of another kind.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--config {path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"--config {path}: not a readable TOML file ({error}); mend it") from None
    known = {param.name: param for param in params if param.name not in NOT_KEPT}
    options = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known:
            names = [each.replace("_", "-") for each in known]
            near = difflib.get_close_matches(key.replace("_", "-"), names, 1, cutoff=0.0)
            raise InputError(f"--config {path}: {key} is no option of this command; the nearest is {near[0]}")
        several = getattr(known[name], "multiple", False) or known[name].nargs == -1
        if isinstance(value, dict) or (isinstance(value, list) and not several):
            kind = "a table" if isinstance(value, dict) else "a list"
            raise InputError(f"--config {path}: {key} is {kind}; it takes one value: {key} = ..")
        options[name] = value
    return options


def list_words(params: Sequence[Any], options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what one would type for options: options first, then arguments."""
    for param in params:
        if param.name not in options or param.param_type_name != "option":
            continue
        value = options[param.name]
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool):
                yield from [param.opts[0]] if each else param.secondary_opts[:1]
            else:
                yield f"{param.opts[0]}={each}"
    for param in params:
        if param.name in options and param.param_type_name == "argument":
            value = options[param.name]
            yield from map(str, value if isinstance(value, list) else [value])


def take_config(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the option `--config`, which `ConfigCommand` has read before the function is called."""

    @functools.wraps(function)
    def call(*arguments: Any, config: Path | None = None, **options: Any) -> Any:
        return function(*arguments, **options)

    hints = {**typing.get_type_hints(function, include_extras=True), "config": Annotated[Path | None, CONFIG]}
    parameters = [
        *inspect.signature(function).parameters.values(),
        inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None),
    ]
    signature = inspect.Signature([each.replace(annotation=hints[each.name]) for each in parameters])
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = hints
    return call
