"""The front door: a table of commands that are imported when called, and a table of the library's names."""

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from conftest import ROOT, Outcome, write_raster

import roofstack as rs

RoofStack = Callable[..., Outcome]

FRAMEWORKS = {
    "albumentations", "distributed", "efficientnet", "geopandas", "jax", "keras", "matplotlib", "numba", "onnx",
    "onnxruntime", "openvino", "optuna", "pandas", "pyarrow", "pycocotools", "pyogrio", "pyproj", "scipy.ndimage",
    "scipy.sparse", "segmentation_models", "skimage.measure", "skimage.morphology", "sklearn", "sqlalchemy",
    "tensorboardX", "tensorflow", "torch",
}  # fmt: skip
"""What takes a good part of a second to load, or many."""
HEAVY = FRAMEWORKS | {"cv2", "numpy", "rasterio", "shapely"}
"""What help does without; bad input needs some of it to be seen."""


def run_python(program: str, **environment: str) -> str:
    """Run a program in a process of its own and return what it prints."""
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def list_heavy(program: str) -> set[str]:
    """Run a program in a process of its own and return which heavy libraries it has imported in the end."""
    lines = run_python(f"import sys\n{program}\nprint('\\n' + ' '.join(sys.modules))").splitlines()
    return HEAVY & set(lines[-1].split())


def list_loaded(lines: list[list[str]]) -> dict[str, tuple[int, set[str]]]:
    """Run command lines one after the other in one process: each with its exit code and what it has loaded so far."""
    program = f"""
import json, sys
import roofstack
ends = []
for sys.argv in {[["roofstack", *line] for line in lines]}:
    try:
        roofstack.main()
    except SystemExit as end:
        ends.append([end.code, [name for name in sys.modules if name in {sorted(HEAVY)}]])
print()
print(json.dumps(ends))
"""
    ends = json.loads(run_python(program).splitlines()[-1])
    return {" ".join(line): (code, set(names)) for line, (code, names) in zip(lines, ends, strict=True)}


def test_help_loads_nothing_that_computes() -> None:
    """Command by command, so that the first to load something is told."""
    commands = [name.split() for name in (*rs.COMMANDS, "maps check", "maps import")]
    lines = [["--help"], ["--version"], [], ["tun"], *([*command, "--help"] for command in commands)]
    for line, (code, loaded) in list_loaded(lines).items():
        assert (code, loaded) == (2 if line in ("", "tun") else 0, set()), line


def test_bad_input_is_told_before_a_framework_is_loaded(tmp_path: Path, data_set: Path) -> None:
    run, absent, other = str(tmp_path / "run"), str(tmp_path / "absent"), str(tmp_path / "other.tif")
    own, data = ["--run", run], ["--data", str(data_set)]
    write_raster(tmp_path / "other.tif", np.zeros((64, 64, 3), np.uint8))
    maps = {tile: np.zeros((64, 64), np.uint8) for tile in ("tile0", "tile1", "tile2", "tile3", "tile4", "tile5")}
    for tile, values in maps.items():
        (tmp_path / "theirs").mkdir(exist_ok=True)
        np.save(tmp_path / "theirs" / f"{tile}.npy", values)
    lines = [
        ["maps", "import", *data, *own, "--part", "valid", "--member", "theirs", "--from", str(tmp_path / "theirs")],
        ["train"],
        ["train", "nobody", *data, *own],
        ["train", "lite0_unet", "--data", absent, *own],
        ["train", "lite0_unet", *data, "--run", other],
        ["train", "lite0_unet", *data, *own, "--folds", "2"],
        ["train", "lite0_unet", *data, "--run", absent, "--folds", "99"],
        ["train", "lite0_unet", *data, "--run", absent, "--crop", "100"],
        ["train", "lite0_unet", *data, "--run", absent, "--time-budget", "soon"],
        ["train", "lite0_unet", *data, "--run", absent, "--encoder-weights", absent],
        ["train", "lite0_unet", *data, "--run", absent, "--encoder-weights", "imagenet"],
        ["augment", "nobody", *data, "--output", "sheet.png"],
        ["augment", "lite0_unet", *data, "--output", "sheet.jpg"],
        ["predict", "--part", "valid", *data, "--run", absent],
        ["predict", "--part", "valid", *data, *own, "--images", other],
        ["predict", "--part", "a/b", "--images", other, *own],
        ["predict", "--part", "new", "--images", absent, *own],
        ["predict", "--part", "valid", *data, *own, "--tta", "turned"],
        ["predict", "--part", "valid", *data, *own, "--members", "nobody"],
        ["predict", "--part", "valid", *data, *own],
        ["tta-gain", *data, "--run", absent],
        ["tta-gain", *data, *own, "--members", "nobody"],
        ["maps", "check", absent],
        ["maps", "import", *own, "--part", "valid", "--member", "a-b", "--from", absent],
        ["maps", "import", *own, "--part", "valid", "--member", "more", "--from", absent],
        ["blend", *data, "--run", absent],
        ["blend", "--data", absent, *own],
        ["blend", *data, *own, "--weights", "nobody=1"],
        ["blend", *data, *own, "--method", "best"],
        ["tune", *data, "--run", absent],
        ["tune", "--data", absent, *own],
        ["tune", *data, *own, "--tune-weights"],
        ["tune", *data, *own, "--objective", "building_f1", "--tune-weights"],
        ["submit", "--run", absent],
        ["submit", *own, "--part", "valid"],
        ["submit", *own, "--part", "valid", "--recipe", "default", "--sample", absent],
        ["submit", *own, "--part", "valid", "--recipe", "default", "--vector", "buildings.doc"],
        ["submit", *own, "--part", "valid", "--recipe", "default", "--min-area-m2", "4"],
        ["show", "tile0", *data, "--run", absent],
        ["show", "nobody", *data, *own],
        ["show", "tile0", "--data", absent, *own],
        ["score", "--truth", absent],
        ["score", "--truth", absent, "--submission", absent],
        ["score", "--truth", str(data_set / "masks"), "--submission", absent],
        ["score", "--truth", str(data_set / "masks"), "--submission", str(data_set / "groups.csv")],
        ["demo", "--data", absent, *own],
    ]  # fmt: skip
    (_, (code, _)), *bad = list_loaded(lines).items()
    assert code == 0
    for line, (code, loaded) in bad:
        assert (code, loaded & FRAMEWORKS) == (2, set()), line


@pytest.mark.parametrize("name", rs.COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    target, summary = rs.COMMANDS[name]
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    text = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert text is not None
    assert text.splitlines()[0] == summary


@pytest.mark.parametrize("name", rs.COMMANDS)
def test_a_command_tells_its_own_help(roofstack: RoofStack, name: str) -> None:
    short, long = roofstack(name, "-h"), roofstack(name, "--help")
    assert short == long
    assert short.code == 0
    assert f"roofstack {name} " in short.out
    assert rs.COMMANDS[name].summary.split()[0] in short.out


def test_help_lists_the_commands_in_the_order_of_the_flow(roofstack: RoofStack) -> None:
    words = [line.split()[1] for line in roofstack("--help").out.splitlines() if line[:2] == "│ " and line[2] != " "]
    assert [word for word in words if not word.startswith("-")] == list(rs.COMMANDS)


def test_version(roofstack: RoofStack) -> None:
    assert roofstack("--version") == Outcome(0, f"roofstack {rs.__version__}\n", "")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {rs.__version__}" in changelog
    assert f"\nversion: {rs.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_a_mistyped_command_and_option(roofstack: RoofStack) -> None:
    unknown = roofstack("tun")
    assert (unknown.code, unknown.out) == (2, "")
    assert "Did you mean 'tune'?" in unknown.err
    option = roofstack("tune", "--nope")
    assert (option.code, option.out) == (2, "")
    assert "No such option: --nope" in option.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [("roofstack tta", "tta-gain"), ("roofstack tune --obj", "--objective"), ("roofstack maps ch", "check")],
)
def test_the_shell_completes_commands_and_options(words: str, offered: str) -> None:
    program = "import sys; sys.argv = ['roofstack']; import roofstack; roofstack.main()"
    typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    assert run_python(program, _ROOFSTACK_COMPLETE="complete_bash", **typed).split() == [offered]


# The library


@pytest.mark.parametrize("name", rs.API)
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(rs, name)
    assert found.__name__ == name
    assert found.__module__ == rs.API[name], "the table names the module that defines it"
    assert inspect.getdoc(found)


def test_names_for_readers_are_those_of_the_table() -> None:
    """The imports that only type checkers see agree with the table, which only the interpreter sees."""
    tree = ast.parse((ROOT / "roofstack.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == rs.API
    assert list(rs.API) == sorted(rs.API)
    assert {*rs.API, "__version__"} == set(rs.__all__) <= set(dir(rs))


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"^roofstack has no 'predict'; it offers .*Recipe"):
        _ = rs.predict


def test_importing_changes_nothing_in_the_process() -> None:
    program = """
import os, warnings
before = dict(os.environ), list(warnings.filters)
import roofstack
assert (dict(os.environ), list(warnings.filters)) == before
roofstack.InputError
"""
    assert list_heavy(program) == set()


def test_taking_every_name_sets_no_variable_of_our_own() -> None:
    program = f"""
import os
before = dict(os.environ)
import roofstack
for name in {list(rs.API)}:
    getattr(roofstack, name)
print(*{{name for name, value in os.environ.items() if before.get(name) != value}})
"""
    by_rasterio, by_opencv = {"GDAL_CURL_CA_BUNDLE", "PROJ_CURL_CA_BUNDLE"}, {"LD_LIBRARY_PATH"}
    assert set(run_python(program).split()) <= by_rasterio | by_opencv


def test_bad_input_is_a_value_error() -> None:
    found: Any = rs.InputError
    assert issubclass(found, ValueError)
