"""The page of a report: one HTML file with all that it shows in it, so that it opens anywhere, without a network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from members.common.files import write_target
from members.common.tables import ResultTable
from postproc.reporting.gallery import LAYERS, Card

TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        intro: a sentence below it, plain text.
        blocks: pieces of HTML.
    """

    title: str
    intro: str = ""
    blocks: list[str] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())

    def add_table(self, table: ResultTable) -> None:
        self.blocks.append(f'<div class="table" tabindex="0" role="region" aria-label="{escape(table.title)}">')
        self.blocks[-1] += table._repr_html_() + "</div>"

    def add_chart(self, chart: str, caption: str) -> None:
        self.blocks.append(f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>")

    def add_notes(self, notes: Sequence[str]) -> None:
        if notes:
            self.blocks.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>")

    def add_text(self, text: str) -> None:
        """Add lines as they are, such as commands."""
        self.blocks.append(f'<pre tabindex="0">{escape(text)}</pre>')


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: of the page.
        verdict: what there is to know, in a sentence or two.
        next_steps: what to do next.
        sections: in their order.
        cards: tiles of the gallery.
    """

    title: str
    verdict: str
    next_steps: Sequence[str]
    sections: Sequence[Section]
    cards: Sequence[Card] = ()

    def render(self) -> str:
        """Return the page as HTML."""
        import jinja2
        from plotly.offline import get_plotlyjs

        charts = any("plotly-graph-div" in block for section in self.sections for block in section.blocks)
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
        content: dict[str, Any] = {
            "page": self,
            "plotly": get_plotlyjs() if charts else "",
            "layers": LAYERS,
            "groups": sorted({card.group for card in self.cards}),
            "pictures": json.dumps([card.pictures for card in self.cards]).replace("</", "<\\/"),
        }
        return template.render(content)


def write_page(path: Path, page: Page) -> None:
    """Write a page, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with write_target(path) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")
