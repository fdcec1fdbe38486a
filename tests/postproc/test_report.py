"""The page of a run: what it holds of each stage, that it opens without a network, and what it refuses."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, Outcome, hash_folder, write_raster

RoofStack = Callable[..., Outcome]
SECTIONS = ["Members", "Blend", "Steps of tuning", "Threshold", "Closing and opening", "Calibration", "Groups", "Sizes"]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def write_town(folder: Path, tiles: int = 8) -> Path:
    """Write tiles with a house each, one group a tile, and the maps of two programs that blur it."""
    for number in range(tiles):
        rng = np.random.default_rng(number)
        mask = np.zeros((64, 64), bool)
        mask[12:44, 8 + number : 40 + number] = True
        image = np.repeat((mask * 120 + rng.integers(0, 90, mask.shape))[..., None], 3, axis=2).astype(np.uint8)
        write_raster(folder / f"data/images/tile{number}.tif", image, **GEOREFERENCE)
        write_raster(folder / f"data/masks/tile{number}.tif", mask * np.uint8(255), **GEOREFERENCE)
        for name, noise in (("fair", 30), ("poor", 60)):
            values = np.clip(mask * 170 + rng.normal(40, noise, mask.shape), 0, 255).astype(np.uint8)
            write_raster(folder / f"maps/{name}/tile{number}.tif", values)
    return folder


@pytest.fixture
def run(tmp_path: Path, roofstack: RoofStack) -> Path:
    """A run with maps of another program alone."""
    write_town(tmp_path)
    import_map(roofstack, tmp_path, "fair")
    return tmp_path / "run"


def import_map(roofstack: RoofStack, folder: Path, name: str) -> None:
    place = ("--data", folder / "data", "--run", folder / "run", "--part", "valid")
    outcome = roofstack("maps", "import", *place, "--member", name, "--from", folder / "maps" / name)
    assert outcome.code == 0, outcome.err


def list_headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="[^"]+">(.+?)</h2>', page)


def test_a_run_with_maps_alone_has_what_there_is(run: Path, roofstack: RoofStack) -> None:
    outcome = roofstack("report", "--run", run)
    assert outcome.code == 0, outcome.err
    page = (run / "report/index.html").read_text()
    assert list_headings(page) == ["Members", *SECTIONS[3:], "How it was made", "Tiles"]
    assert "Not tuned yet: the mean of all members at threshold 128, on 8 validation tiles of 8 groups" in page
    without_code = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:|#)', without_code)  # nothing from elsewhere


def test_every_stage_is_told_and_the_browser_complains_of_nothing(run: Path, roofstack: RoofStack) -> None:
    import_map(roofstack, run.parent, "poor")
    place = ("--data", run.parent / "data", "--run", run)
    assert roofstack("blend", *place).code == 0
    assert roofstack("tune", *place).code == 0
    outcome = roofstack("report", "--run", run, "--against", run, "--output", run.parent / "page.html")
    assert outcome.code == 0, outcome.err
    page = (run.parent / "page.html").read_text()
    assert list_headings(page) == ["Against run", *SECTIONS, "How it was made", "Tiles"]
    assert re.search(r"Pooled IoU 0\.\d{4} untuned, \d\.\d{4} tuned, cross-fitted, 90% interval", page)
    assert page.count('class="plotly-graph-div"') == 6
    assert page.count("<li data-number=") == 8
    assert "+0.0000 .. +0.0000" in page  # a run against itself
    assert len(page) < 15e6
    if BROWSER is None:
        pytest.skip("no Chromium to open the page with")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
    ]
    shown = subprocess.run(
        [BROWSER, *options, "--dump-dom", (run.parent / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in shown.stderr, shown.stderr
    assert shown.stdout.count("main-svg") >= 6  # each chart is drawn
    assert 'aria-label="gain of each step' in shown.stdout


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("data", "the run's data are no longer there; say where they are: --data DIR"),
        ("nothing", "no run here"),
        ("ending", ".html"),
        ("tuned", "tuned.json: not a readable JSON file"),
        ("against", "other/run: a run of other data"),
    ],
)
def test_bad_input_is_one_line(run: Path, tmp_path: Path, roofstack: RoofStack, how: str, message: str) -> None:
    arguments: list[object] = ["--run", run]
    if how == "data":
        (tmp_path / "data").rename(tmp_path / "moved")
    if how == "nothing":
        arguments = ["--run", tmp_path / "nowhere"]
    if how == "ending":
        arguments += ["--output", tmp_path / "page.txt"]
    if how == "tuned":
        (run / "tuned.json").write_text("[")
    if how == "against":
        write_town(tmp_path / "other", 4)
        import_map(roofstack, tmp_path / "other", "fair")
        arguments += ["--against", tmp_path / "other/run"]
    before = hash_folder(tmp_path)
    outcome = roofstack("report", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert len(outcome.err.splitlines()) == 1
    assert message in outcome.err
    assert hash_folder(tmp_path) == before
