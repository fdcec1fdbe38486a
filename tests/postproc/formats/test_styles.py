"""Styles and descriptions of columns: QGIS's, OGC's, and what OGR reads of them."""

import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import geopandas
import numpy as np
import pyogrio
import pytest
from shapely import box

from postproc.formats.columns import COLUMNS, STATUSES, Look
from postproc.formats.styles import make_style
from postproc.formats.vector import write_table
from postproc.polygons.buildings import Status
from postproc.straightening.layers import KEPT

SLD = {"s": "http://www.opengis.net/sld", "o": "http://www.opengis.net/ogc"}


def make_table(**columns: object) -> geopandas.GeoDataFrame:
    given = {"image_id": "roof", "status": list(STATUSES), "confidence": [0.1, 0.65, 0.8, 1.0], "area_m2": 1.0}
    return geopandas.GeoDataFrame(given | columns, geometry=[box(n, 0, n + 0.5, 1) for n in range(4)], crs="EPSG:32645")


def make_look(**columns: object) -> Look:
    look = Look.of_table(make_table(**columns))
    assert look is not None
    return look


def test_every_status_has_a_colour_of_its_own() -> None:
    assert set(STATUSES) == {*get_args(Status), KEPT}
    assert len({kind.colour for kind in STATUSES.values()}) == len(STATUSES)


def test_qml_has_a_category_a_status_in_its_colour_and_paler_fills() -> None:
    root = ET.fromstring(make_style(make_look(), "qml"))
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (root.tag, renderer.get("type"), renderer.get("attr")) == ("qgis", "categorizedSymbol", "status")
    symbols = {symbol.get("name"): symbol for symbol in renderer.iterfind("symbols/symbol")}
    categories = {each.get("value"): symbols[each.get("symbol")] for each in renderer.iterfind("categories/category")}
    assert list(categories) == list(STATUSES)
    for status, symbol in categories.items():
        red, green, blue = bytes.fromhex(STATUSES[str(status)].colour[1:])
        options = {option.get("name"): option.get("value") for option in symbol.iterfind("layer/Option/Option")}
        assert options["color"] == f"{red},{green},{blue},220"
        assert options["outline_color"] == f"{red},{green},{blue},255"
        (fill,) = symbol.iterfind(".//Option[@name='fillColor']/Option[@name='expression']")
        assert fill.get("value") == f'color_rgba({red},{green},{blue}, scale_linear("confidence", 0.4, 1, 30, 220))'
    aliases = {alias.get("field"): alias.get("name") for alias in root.iterfind("aliases/alias")}
    assert aliases == {name: column.alias for name, column in COLUMNS.items()}


def test_sld_has_one_rule_for_each_building() -> None:
    """Each outline is drawn by the one rule of its status and class of confidence, whatever its numbers are."""
    table = make_table()
    rules = ET.fromstring(make_style(make_look(), "sld")).findall(".//s:Rule", SLD)
    compare = {"GreaterThanOrEqualTo": np.greater_equal, "LessThan": np.less}
    drawn = []
    for _, row in table.iterrows():
        for rule in rules:
            status = rule.findtext(".//o:PropertyIsEqualTo/o:Literal", None, SLD)
            bounds = [
                compare[name](row.confidence, float(literal.text or ""))
                for name in compare
                for literal in rule.iterfind(f".//o:PropertyIs{name}/o:Literal", SLD)
            ]
            if status == row.status and all(bounds):
                parameters = {each.get("name"): each.text for each in rule.iterfind(".//s:CssParameter", SLD)}
                drawn.append((row.status, parameters["fill"], parameters["fill-opacity"]))
    opacities = ["0.2", "0.45", "0.75", "0.75"]
    assert drawn == [
        (status, kind.colour, opacity) for (status, kind), opacity in zip(STATUSES.items(), opacities, strict=True)
    ]


@pytest.mark.parametrize("confidence", ["sure", [50.0, 80.0, 90.0, 100.0], [0.5, np.nan, 0.5, 0.5]])
def test_what_is_no_probability_makes_nothing_pale(confidence: object) -> None:
    look = make_look(confidence=confidence)
    assert look.confidence is None
    assert "fillColor" not in make_style(look, "qml")
    rules = ET.fromstring(make_style(look, "sld")).findall(".//s:Rule", SLD)
    assert [rule.findtext("s:Name", None, SLD) for rule in rules] == list(STATUSES)


def test_ours_are_told_from_a_layers_own_columns() -> None:
    look = make_look(outline_status="traced", outline_ar=2.0)
    assert look.status == "outline_status"
    assert set(look.columns) == {"image_id", "outline_status", "confidence", "outline_ar"}
    assert Look.of_table(make_table().drop(columns="status")) is None


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_ogr_reads_names_units_and_comments(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"b{suffix}"
    write_table(path, make_table(owner=["a", 1, None, "b"], nothing=None))
    fields = {field.name: field.metadata or {} for field in pyogrio.read_arrow(path, layer="buildings")[1].schema}
    told = {name: found.get(b"GDAL:OGR:alternative_name", b"").decode() for name, found in fields.items()}
    assert {name: told[name] for name in COLUMNS} == {name: column.alias for name, column in COLUMNS.items()}
    assert fields["area_m2"][b"GDAL:OGR:comment"].decode() == COLUMNS["area_m2"].comment
    table = pyogrio.read_dataframe(path, layer="buildings").set_index("status")
    assert table.owner["simplified"] == "1"
    assert table.nothing.isna().all()


def read_styles(path: Path) -> list[tuple[str, str, int]]:
    with sqlite3.connect(path) as database:
        found = database.execute("SELECT styleName, f_table_name, useAsDefault FROM layer_styles ORDER BY id")
        return found.fetchall()


def test_a_users_style_stays_the_default(tmp_path: Path) -> None:
    path = tmp_path / "b.gpkg"
    write_table(path, make_table())
    assert read_styles(path) == [("roofstack", "buildings", 1)]
    with sqlite3.connect(path) as database:
        database.execute("UPDATE layer_styles SET styleName = 'mine', styleQML = 'mine'")
    write_table(path, make_table())
    assert read_styles(path) == [("mine", "buildings", 1), ("roofstack", "buildings", 0)]
    beside = tmp_path / "b.qml"
    beside.write_text("mine")
    write_table(tmp_path / "b.geojson", make_table().to_crs(4326))
    assert beside.read_text() == "mine"
    assert (tmp_path / "b.sld").read_text() == make_style(make_look(), "sld")
