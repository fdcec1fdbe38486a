"""Shapefiles: short names, texts that are cut, and files that belong together."""

from pathlib import Path

import geopandas
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from members.common.errors import InputError
from postproc.formats.shapefile import fit_table, shorten_names
from postproc.formats.vector import write_table


def make_table(count: int = 2) -> geopandas.GeoDataFrame:
    columns = {"a_name_that_is_long": [f"é{n}" * 200 for n in range(count)], "a_name_that_is_longer": range(count)}
    return geopandas.GeoDataFrame(columns, geometry=[box(n, 0, n + 0.5, 1) for n in range(count)], crs="EPSG:32645")


@given(st.lists(st.text(max_size=14), unique=True, max_size=14))
def test_short_names_are_short_and_different(names: list[str]) -> None:
    short = shorten_names(names)
    assert list(short) == names
    assert all(len(name.encode()) <= 10 for name in short.values())
    assert len({name.lower() for name in short.values()}) == len(names)
    fine = [name for name in names if len(name.encode()) <= 10]
    assert all(short[name].startswith(name[:8]) for name in fine)


@pytest.mark.parametrize("name", ["b.SHP", "b.GPKG", "b.GeoJSON", "b.FGB"])
def test_endings_in_large_letters(tmp_path: Path, name: str) -> None:
    table = make_table(2).rename(columns=lambda column: column[-6:]).set_geometry("ometry").to_crs(4326)
    write_table(tmp_path / name, table)
    assert len(pyogrio.read_dataframe(tmp_path / name)) == 2
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_what_is_lost_is_said() -> None:
    table, remarks = fit_table(make_table())
    assert list(table.columns) == ["a_name_tha", "a_name_th1", "geometry"]
    assert remarks == [
        "a Shapefile's field names have 10 characters at most: a_name_that_is_long is a_name_tha, "
        "a_name_that_is_longer is a_name_th1",
        "a Shapefile's texts have 254 bytes at most: 2 of a_name_that_is_long are cut off",
    ]


def test_another_shapefile_leaves_nothing_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.shp"
    write_table(path, fit_table(make_table(3))[0])
    (tmp_path / "b.qix").write_bytes(b"an index of the first")
    write_table(path, fit_table(make_table(2).set_crs(None, allow_override=True))[0])
    assert len(pyogrio.read_dataframe(path)) == 2
    assert {each.name for each in tmp_path.iterdir()} == {"b.shp", "b.shx", "b.dbf", "b.cpg"}

    def cut(old: Path, new: Path) -> None:
        raise OSError("the power is cut")

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(InputError, match="the power is cut"):
        write_table(path, fit_table(make_table(3))[0])
    assert not path.exists()  # nobody takes its parts for another's
