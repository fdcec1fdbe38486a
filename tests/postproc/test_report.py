"""The page of a run: what it holds of each stage, that it opens without a network, and what it refuses."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, Outcome, hash_folder, write_raster

import roofstack as front_door

RoofStack = Callable[..., Outcome]
SECTIONS = [
    "Members", "Blend", "Margin", "Steps of tuning", "Threshold", "Closing and opening", "Calibration", "Uncertainty",
    "Groups", "Sizes", "Map", "Audit",
]  # fmt: skip
MAPS_ALONE = ["Members", "Threshold", "Closing and opening", "Calibration", "Groups", "Sizes", "Map"]
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


def run_quietly(*arguments: object) -> Outcome:
    """Run `roofstack ARGUMENTS` in this process, for what tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["roofstack", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            front_door.main()
    return Outcome(int(end.value.code or 0), "", "")


def list_headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="[^"]+">(.+?)</h2>', page)


def test_a_run_with_maps_alone_has_what_there_is(run: Path, roofstack: RoofStack) -> None:
    outcome = roofstack("report", "--run", run)
    assert outcome.code == 0, outcome.err
    page = (run / "report/index.html").read_text()
    assert list_headings(page) == [*MAPS_ALONE, "How it was made", "Tiles"]
    assert "Not tuned yet: the mean of all members at threshold 128, on 8 validation tiles of 8 groups" in page
    without_code = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:|#)', without_code)  # nothing from elsewhere


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run that every stage has worked on, with standard deviations; beside its run."""
    folder = write_town(tmp_path_factory.mktemp("whole"))
    for name in ("fair", "poor"):
        import_map(run_quietly, folder, name)
    place = ("--data", folder / "data", "--run", folder / "run")
    for number in range(8):
        std = np.random.default_rng(number).integers(0, 90, (64, 64), np.uint8)
        write_raster(folder / f"run/uncertainty/valid/tile{number}.tif", std)
    options = ("--run", folder / "run", "--against", folder / "run", "--output", folder / "page.html")
    for arguments in (("blend", *place), ("tune", *place), ("audit", *place), ("report", *options)):
        outcome = run_quietly(*arguments)
        assert outcome.code == 0, outcome.err
    return folder / "page.html"


def test_every_stage_is_told(whole: Path) -> None:
    page = whole.read_text()
    assert list_headings(page) == ["Against run", *SECTIONS, "How it was made", "Tiles"]
    assert re.search(r"Pooled IoU 0\.\d{4} untuned, \d\.\d{4} tuned, cross-fitted, 90% interval", page)
    assert "No margin of the outlines: it takes 9 groups or more, here are 8." in page
    assert page.count('class="plotly-graph-div"') == 7
    assert page.count("<li data-number=") == 8
    assert "+0.0000 .. +0.0000" in page  # a run against itself
    assert "<option>uncertainty</option>" in page
    assert "<td>suspicious labels</td>" in page
    assert "this is of other maps than the run has now" not in page
    assert len(page) < 15e6


def test_the_map_has_every_tile_where_it_lies_and_outlines_in_degrees(whole: Path) -> None:
    (data,) = re.findall(r'<script type="application/json" id="ground-data">(.*?)</script>', whole.read_text())
    ground = json.loads(data)
    assert {tile["id"] for tile in ground["tiles"]} == {f"tile{number}" for number in range(8)}
    south, west, north, east = ground["tiles"][0]["bounds"]
    assert west == pytest.approx(9_500_000 / 111_319.4908, abs=1e-6)
    assert east - west == pytest.approx(16 / 111_319.5, abs=1e-7)
    assert north - south == pytest.approx(32 / 111_319.5 * np.cos(np.radians(north)), abs=1e-6)
    assert ground["ours"]
    assert ground["truths"]
    for outline in (*ground["ours"], *ground["truths"]):
        for latitude, longitude in outline["rings"][0]:
            assert south - 1e-6 <= latitude <= north + 1e-6
            assert west - 1e-6 <= longitude <= east + 1e-6


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page with")
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_the_browser_complains_of_nothing_and_all_of_it_can_be_used(whole: Path, scheme: int) -> None:
    """Nothing on the console, every chart and the map are drawn, and axe-core finds no name or contrast missing."""
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    check = """addEventListener("load", () => setTimeout(() => axe.run(document).then(({violations}) => {
      const found = violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`);
      document.body.append(Object.assign(document.createElement("pre"), {id: "axe", textContent: found.join("\\n")}));
    }), 1500));"""
    page = whole.with_name(f"checked{scheme}.html")
    page.write_text(whole.read_text().replace("</body>", f"<script>{axe}</script><script>{check}</script></body>"))
    options = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000",
        f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom",
    ]  # fmt: skip
    shown = subprocess.run([str(BROWSER), *options, page.as_uri()], capture_output=True, text=True, timeout=300)
    assert "CONSOLE" not in shown.stderr, shown.stderr
    assert shown.stdout.count("main-svg") >= 7  # each chart is drawn
    assert 'aria-label="gain of each step' in shown.stdout
    assert shown.stdout.count('class="leaflet-image-layer') == 8
    assert 'class="leaflet-zoom-animated" width=' in shown.stdout  # the canvas of outlines
    assert '<pre id="axe"></pre>' in shown.stdout, shown.stdout[shown.stdout.find('<pre id="axe">') :]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("data", "the run's data are no longer there; say where they are: --data DIR"),
        ("nothing", "no run here"),
        ("ending", ".html"),
        ("audit", "audit.json: not an audit; run roofstack audit again"),
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
    if how == "audit":
        (run / "report").mkdir()
        (run / "report/audit.json").write_text('{"checks": {"blank images": 3}}')
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
