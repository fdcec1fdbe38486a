"""Tables of results that read alike in a terminal, in a notebook, and as plain text."""

import html
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.table import Table as RichTable

WIDTH = 120
"""Of plain text, characters."""


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: said above it.
        header: one title a column.
        rows: one text a column.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __rich__(self) -> RichTable:
        table = RichTable(*self.header, title=self.title)
        for row in self.rows:
            table.add_row(*row)
        return table

    def __str__(self) -> str:
        return render_text(self)

    def _repr_html_(self) -> str:
        header = "".join(f"<th>{html.escape(cell)}</th>" for cell in self.header)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"


def render_text(*parts: RenderableType) -> str:
    """Return what a terminal of `WIDTH` characters without colours would show, without trailing spaces."""
    console = Console(width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def render_html(*parts: Table | str) -> str:
    """Return tables and lines of text as HTML, one below the other."""
    return "".join(f"<p>{html.escape(part)}</p>" if isinstance(part, str) else part._repr_html_() for part in parts)
