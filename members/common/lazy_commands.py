"""A command line that imports a command's module only when the command is called, so that its help comes at once."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from members.common.console import make_app, make_command


class Row(NamedTuple):
    """One command of the table: where it is, as module:function or module:app, and the first line of its help."""

    target: str
    summary: str


class LazyGroup(TyperGroup):
    """A group whose commands are loaders: help and completion list them, and a call runs what they load."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the loaded command and the arguments that are left for it."""
        name, command, rest = super().resolve_command(ctx, args)
        load = command and command.callback
        return name, load and load(), rest


def build_app(summary: str, rows: Mapping[str, Row]) -> typer.Typer:
    """Return a command line of the rows, in their order; `summary` is what its help begins with."""
    app = make_app(cls=LazyGroup, help=summary, no_args_is_help=True, add_completion=True)
    for name, row in rows.items():
        app.command(name, help=row.summary)(make_loader(row.target))
    return app


def make_loader(target: str) -> Callable[[], Any]:
    """Return a function that loads the command `target`."""

    def load() -> Any:
        return load_command(target)

    return load


def load_command(target: str) -> Any:
    """Import `module:function` or `module:app` and return it as a command."""
    module, _, attribute = target.partition(":")
    return make_command(getattr(importlib.import_module(module), attribute))
