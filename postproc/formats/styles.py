"""Styles of vector files: an outline has the colour of its status, and is the paler the less sure it is.

QGIS takes its own kind, QML, from a table of a GeoPackage or from the file NAME.qml beside any other; GeoServer and
others take SLD (OGC 02-070).
"""

import contextlib
import sqlite3
from pathlib import Path

from members.common.files import write_target
from postproc.formats.columns import STATUSES, Look

STYLE = "roofstack"
"""The name of the style that is ours."""
CLASSES = ((0, 0.6, 0.2), (0.6, 0.8, 0.45), (0.8, 1, 0.75))
"""For SLD, which knows classes alone: from this confidence to below that one, and how opaque the fill is."""
TABLE = """CREATE TABLE IF NOT EXISTS layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""
"""That in which QGIS keeps styles, as it makes it itself."""


def make_style(look: Look, kind: str) -> str:
    """Return a style as text.

    Args:
        look: of the table.
        kind: "qml" for QGIS from version 3.20 on, or "sld", version 1.0.0.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = Path(__file__).with_name(f"style.{kind}.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(look=look, statuses=STATUSES, classes=CLASSES)


def store_style(path: Path, layer: str, look: Look) -> None:
    """Store a layer's style in its GeoPackage; the default that a user has chosen stays the default.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            _store_style(database, layer, look)
    except sqlite3.Error as error:
        raise OSError(str(error)) from None


def _store_style(database: sqlite3.Connection, layer: str, look: Look) -> None:
    database.execute(TABLE)
    database.execute(
        "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '', 0)"
    )
    database.execute("DELETE FROM layer_styles WHERE f_table_name = ? AND styleName = ?", (layer, STYLE))
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, styleSLD, useAsDefault, description, owner) SELECT '', '', table_name, column_name, ?, ?, ?, "
        "NOT EXISTS (SELECT 1 FROM layer_styles WHERE f_table_name = table_name AND useAsDefault), "
        "'status and confidence', '' FROM gpkg_geometry_columns WHERE table_name = ?",
        (STYLE, make_style(look, "qml"), make_style(look, "sld"), layer),
    )


def write_styles(path: Path, look: Look) -> None:
    """Write NAME.qml and NAME.sld beside a vector file; what is there stays, as a user may have changed it.

    Raises:
        InputError: they cannot be written.
    """
    for kind in ("qml", "sld"):
        style = path.with_suffix(f".{kind}")
        if not style.exists():
            with write_target(style) as temporary:
                temporary.write_text(make_style(look, kind), encoding="utf-8")
