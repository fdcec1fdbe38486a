"""What can name a file."""

from pathlib import Path

import pytest
from conftest import write_tiles
from hypothesis import given
from hypothesis import strategies as st

from ensemble.mapfolder.raster import map_path
from members.common.errors import InputError
from members.data.names import check_name
from members.data.run import Run
from members.data.tiles import list_files

BAD = ["", ".", "..", ".hidden", "a/b", "a\\b", "../../etc/passwd", "a\nb", "a\x1b[2J", "a\x00", "\udcff", "é" * 101]


@pytest.mark.parametrize("name", BAD)
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"no name of a file; it has 1 to 200 bytes") as error:
        check_name(name, "image")
    assert str(error.value).isprintable()
    run = Run(tmp_path)
    for find in (run.part_folder, lambda name: run.map_folder("valid", name), lambda name: run.fold(name, 0)):
        with pytest.raises(InputError):
            find(name)
    with pytest.raises(InputError):
        map_path(tmp_path, name)


@given(st.text())
def test_a_name_is_one_part_of_a_path(name: str) -> None:
    try:
        check_name(name, "image")
    except InputError:
        return
    assert (Path("/folder") / f"{name}.tif").parent == Path("/folder")


def test_a_file_whose_name_is_none(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, 2) / "images"
    (folder / "tile0.tif").rename(folder / "tile\n0.tif")
    with pytest.raises(InputError, match=r"images: file 'tile\\n0': no name of a file"):
        list_files(folder)
