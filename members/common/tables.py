"""Tables of results: as text, as HTML in a notebook, and drawn on a terminal by `members.common.console`."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

LONG = 60
"""Letters of a cell from which it is long."""


@dataclass(frozen=True)
class ResultTable:
    """A table of words and formatted numbers.

    Attributes:
        title: stands above it.
        header: a heading a column.
        rows: cells, as many as there are headings.
        notes: sentences below it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.header, *self.rows)
        ]
        return "\n".join((self.title, *lines, *self.notes))

    def _repr_html_(self) -> str:
        header = "".join(f"<th>{html.escape(cell)}</th>" for cell in self.header)
        rows = ("".join(map(_make_cell, row)) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<table><caption>{html.escape(self.title)}</caption><thead><tr>{header}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )


def _make_cell(cell: str) -> str:
    """Return a cell as HTML; a long one says so, as a page may break its lines."""
    kind = ' class="long"' if len(cell) > LONG else ""
    return f"<td{kind}>{html.escape(cell)}</td>"
