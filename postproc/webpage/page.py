"""The page of a report: one HTML file with all that it shows in it, so that it opens anywhere, without a network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from members.common.files import write_target
from members.common.tables import ResultTable
from postproc.webpage.gallery import Card
from postproc.webpage.ground import Ground

TEMPLATE = Path(__file__).with_name("page.html.jinja")
GROUND_SCRIPT = Path(__file__).with_name("ground.js")
LEAFLET = Path(__file__).with_name("leaflet")
GROUND_LAYERS = {"images": "images", "tiles": "tiles", "truths": "true outlines", "ours": "our outlines"}


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

    def add_pictures(self, pictures: Sequence[tuple[str, str]]) -> None:
        """Add pictures, each a data address and what it shows."""
        shown = "".join(
            f'<li><img src="{address}" alt="" loading="lazy"><small>{escape(words)}</small></li>'
            for address, words in pictures
        )
        self.blocks.append(f'<ul class="cards pictures">{shown}</ul>')

    def add_ground(self, ground: Ground) -> None:
        """Add a map of tiles and outlines, one on a page."""
        names = dict.fromkeys(tile.group for tile in ground.tiles)
        groups = "".join(f"<option>{escape(name)}</option>" for name in names)
        boxes = "".join(
            f'<label><input type="checkbox" id="ground-{name}" checked> {words}</label>'
            for name, words in GROUND_LAYERS.items()
        )
        data = ground.export().replace("</", "<\\/")
        self.blocks.append(
            f'<div class="controls"><label>go to group <select id="ground-group">{groups}</select></label>{boxes}</div>'
            '<div id="ground-map" role="region" aria-label="Map of tiles and outlines; arrow keys move, + and - zoom">'
            f'</div><script type="application/json" id="ground-data">{data}</script>'
        )

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

        blocks = [block for section in self.sections for block in section.blocks]
        charts = any("plotly-graph-div" in block for block in blocks)
        ground = any('id="ground-map"' in block for block in blocks)
        leaflet = (LEAFLET / "leaflet.js").read_text(encoding="utf-8").partition("//# sourceMappingURL")[0]
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
        content: dict[str, Any] = {
            "page": self,
            "plotly": get_plotlyjs() if charts else "",
            "leaflet": leaflet if ground else "",
            "leaflet_style": (LEAFLET / "leaflet.css").read_text(encoding="utf-8") if ground else "",
            "ground_script": GROUND_SCRIPT.read_text(encoding="utf-8") if ground else "",
            "layers": list(self.cards[0].pictures) if self.cards else (),
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
