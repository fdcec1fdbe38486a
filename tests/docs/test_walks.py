"""The walks of the documentation: their command lines are accepted, and, slowly, all that they show is done."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from conftest import ROOT, write_raster
from rasterio.windows import Window
from test_readme import COMMANDS

from members.data.raster import read_mask
from postproc.formats.rle import encode_rle

FOLDER = ROOT / "docs/walks"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
MADE = {
    "competition": ["submission.csv", "runs/comp/tuned.json", "runs/comp/report/index.html"],
    "new-town": ["newtown.gpkg", "walls.gpkg", "straight.gpkg", "runs/town/report/test_scene.png"],
    "own-models": ["masks.csv", "scores.csv", "runs/mine/report/audit.json", "runs/mine/report/index.html"],
}
CHEAP = " --epochs 1 --crop 64"
"""What training gets here: the walk is what is tested, not what comes out."""


def list_blocks(page: str) -> list[tuple[str, str]]:
    """List the blocks of code that are run: language and text."""
    return re.findall(r"^```(bash|python)\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


def test_every_walk_is_on_the_site_and_is_run() -> None:
    assert set(PAGES) == set(MADE)
    site = (ROOT / "mkdocs.yml").read_text()
    assert all(f"walks/{name}.md" in site for name in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_are_accepted(page: str) -> None:
    lines = [line for language, text in list_blocks(page) if language == "bash" for line in text.splitlines()]
    assert len(lines) > 5
    for line in lines:
        program, name, *arguments = shlex.split(line)
        if program == "roofstack":
            COMMANDS[name].make_context(name, arguments, resilient_parsing=False)


def cut(source: Path, target: Path, side: int) -> None:
    """Copy the upper left of a large picture."""
    with rasterio.open(source) as raster:
        pixels = raster.read(window=Window(0, 0, side, side))
        write_raster(target, pixels.transpose(1, 2, 0), crs=raster.crs, transform=raster.transform)


def lay_competition(data: Path, folder: Path) -> None:
    """Tiles of eight groups with rows of run lengths, under other names than ours."""
    rows = [row.split(",") for row in (data / "hot_buildings/tiles.csv").read_text().splitlines()[1:]]
    wanted: dict[str, list[str]] = {}
    for name, part, _, group, *_ in rows:
        if part == "training" and (group in wanted or len(wanted) < 8) and len(wanted.get(group, [])) < 4:
            wanted.setdefault(group, []).append(name)
    lines, sample = ["img,rle\n"], ["img,rle\n"]
    for path in (folder / "train", folder / "test"):
        path.mkdir()
    for name in itertools.chain.from_iterable(wanted.values()):
        shutil.copy(data / f"hot_buildings/training/images/img/{name}.tif", folder / "train")
        runs = encode_rle(read_mask(data / f"hot_buildings/training/masks/img/{name}.tif"))
        lines.append(f"{name}.tif,{runs}\n")
    for path in sorted((data / "hot_buildings/test/images/img").iterdir())[3::-1]:
        shutil.copy(path, folder / "test")
        sample.append(f"{path.name},1 1\n")
    (folder / "train.csv").write_text("".join(lines))
    (folder / "sample_submission.csv").write_text("".join(sample))


def lay_town(data: Path, folder: Path) -> None:
    """The corners of the large pictures, and a layer with a column of its own."""
    import geopandas

    for name, side in (("scene", 2048), ("mask", 768), ("test_scene", 768)):  # four squares of tiles are four groups
        cut(data / f"hot_scene/{name}.tif", folder / f"{name}.tif", side)
    shutil.copy(data / "hot_scene/buildings.geojson", folder)
    layer = geopandas.read_file(folder / "buildings.geojson").iloc[:40]
    layer.assign(owner=[f"owner {number}" for number in range(len(layer))]).to_file(folder / "survey.gpkg")


def lay_maps(data: Path, folder: Path) -> None:
    """Every sixth tile, so that there are many groups, with maps of two models."""
    names = sorted(path.stem for path in (data / "hot_maps/valid/lite0").glob("*.tif"))[::6]
    for kind in ("images", "masks"):
        (folder / f"tiles/{kind}").mkdir(parents=True)
        for name in names:
            shutil.copy(data / f"hot_buildings/training/{kind}/img/{name}.tif", folder / f"tiles/{kind}")
    for member in ("lite0", "lite1"):
        (folder / f"theirs/{member}").mkdir(parents=True)
        for name in names:
            shutil.copy(data / f"hot_maps/valid/{member}/{name}.tif", folder / f"theirs/{member}")
    head, *rows = (data / "hot_buildings/tiles.csv").read_text().splitlines(keepends=True)
    kept = [row for row in rows if row.split(",")[0] in names]
    (folder / "tiles/tiles.csv").write_text("".join([head, *kept]))


LAY = {"competition": lay_competition, "new-town": lay_town, "own-models": lay_maps}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES)
def test_all_that_is_shown_is_done(page: str, tmp_path: Path, shared_data: Path) -> None:
    LAY[page](shared_data, tmp_path)
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": paths, "PYTHONPATH": str(ROOT)}
    for language, text in list_blocks(page):
        lines = re.sub(r"^(roofstack train .*)$", rf"\1{CHEAP}", text, flags=re.MULTILINE)
        command = ["bash", "-euxc", lines] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in MADE[page] if not (tmp_path / name).is_file()] == []
    if page == "competition":
        rows, sample = (
            [row.split(",") for row in (tmp_path / name).read_text().splitlines()]
            for name in ("submission.csv", "sample_submission.csv")
        )
        assert rows[0] == ["img", "rle"]
        assert [name for name, _ in rows] == [name for name, _ in sample]
    if page == "new-town":
        import geopandas

        straight = geopandas.read_file(tmp_path / "straight.gpkg")
        assert {"owner", "status"} <= set(straight.columns)
        assert geopandas.read_file(tmp_path / "newtown.gpkg").crs == "EPSG:3857"
