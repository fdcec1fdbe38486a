"""Who may import whom, folder by folder, and that only what trains or predicts needs Keras."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, write_raster, write_tiles

from members.data.raster import read_mask

PACKAGES = ("members", "ensemble", "postproc")

MEMBERS = {
    "members.common": set[str](),
    "members.data": {"members.common"},
    "members.audit": {"members.common", "members.data"},
    "members.synthetic": {"members.common"},
    "members.labels": {"members.common", "members.data"},
    "members.training": {"members.common", "members.data", "members.audit", "members.labels"},
    "members": {"members.common", "members.data", "members.training"},
}
ENSEMBLE = {
    "ensemble.statistics": {"members.common"},
    "ensemble.mapfolder": {"members.common", "members.data", "members.labels"},
    "ensemble.inference": {
        "members.common",
        "members.data",
        "members.training",
        "ensemble.mapfolder",
        "ensemble.statistics",
    },
    "ensemble.selection": {"members.common", "members.data", "ensemble.statistics", "ensemble.mapfolder"},
    "ensemble.distillation": {
        "members.common",
        "members.data",
        "members.audit",
        "members.training",
        "ensemble.mapfolder",
        "ensemble.inference",
    },
    "ensemble": {
        *MEMBERS,
        "ensemble.statistics",
        "ensemble.mapfolder",
        "ensemble.inference",
        "ensemble.selection",
        "ensemble.distillation",
    },
}
SHARED = {
    "members.common",
    "members.data",
    "members.labels",
    "ensemble.statistics",
    "ensemble.mapfolder",
    "ensemble.selection",
}
POSTPROC = {
    "postproc.operators": {"members.common"},
    "postproc.polygons": {"members.common"},
    "postproc.geo": {"members.common", "members.data", "members.labels", "postproc.polygons"},
    "postproc.objects": {*SHARED, "postproc.polygons"},
    "postproc.pipeline": {*SHARED, "postproc.operators", "postproc.polygons", "postproc.objects"},
    "postproc.formats": {"members.common", "members.data", "members.labels", "postproc.polygons", "postproc.geo"},
    "postproc.preparing": {
        "members.common", "members.data", "members.labels", "postproc.polygons", "postproc.geo", "postproc.formats",
    },
    "postproc.scoring": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.preparing",
    },
    "postproc.search": {
        *SHARED, "postproc.operators", "postproc.polygons", "postproc.objects", "postproc.pipeline", "postproc.scoring",
    },
    "postproc.study": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.scoring",
        "postproc.search",
    },
    "postproc.tuning": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.scoring",
        "postproc.search", "postproc.study", "postproc.objects",
    },
    "postproc.reporting": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.scoring",
        "postproc.search", "postproc.study", "postproc.tuning",
    },
    "postproc.webpage": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.scoring",
        "postproc.search", "postproc.study", "postproc.tuning", "postproc.reporting",
    },
    "postproc.straightening": {
        *SHARED, "postproc.polygons", "postproc.geo", "postproc.pipeline", "postproc.formats", "postproc.scoring",
    },
    "postproc.auditing": {*SHARED, "members.audit", "postproc.reporting", "postproc.webpage"},
}  # fmt: skip
COMMANDS = {"postproc": {*MEMBERS, *ENSEMBLE, *POSTPROC}, "": {*MEMBERS, *ENSEMBLE, *POSTPROC, "postproc"}}
MAY_IMPORT = {**MEMBERS, **ENSEMBLE, **POSTPROC, **COMMANDS}
"""Room -> the rooms that it may import, besides itself. Each stands after all that it may import: there is no cycle."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in [ROOT / "roofstack.py", *(path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py")))]
    if path.name != "__init__.py"
}
NETWORKS = {"keras", "tensorflow", "jax", "torch", "efficientnet", "segmentation_models", "classification_models"}
ENGINES = {"openvino", "onnxruntime", "onnx", "tf2onnx", "nncf"}
TRAINING = NETWORKS | ENGINES | {"albumentations", "tensorboardX"}
NETWORK_ROOMS = ("members.training", "ensemble.inference")


PENDING: dict[str, str] = {}  # to be mended by those who are at work there, then deleted


def expect(module: str, request: pytest.FixtureRequest) -> None:
    if module in PENDING:
        request.applymarker(pytest.mark.xfail(reason=PENDING[module], strict=False))


def find_room(module: str) -> str:
    """Return the room of a module; a folder within a room belongs to it, and roofstack.py to none."""
    return ".".join(module.split(".")[:-1][:2])


def list_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a file imports anywhere, functions included, and whether only type checkers do so."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    typing_only = {id(node) for guard in guards for node in ast.walk(guard)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name if name in MODULES else str(node.module), id(node) in typing_only) for name in inner)


def test_the_table_has_every_room_and_no_cycle() -> None:
    assert set(MAY_IMPORT) == {find_room(module) for module in MODULES}
    rooms = list(MAY_IMPORT)
    for number, room in enumerate(rooms):
        assert MAY_IMPORT[room] <= set(rooms[:number]), room


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_table(module: str, request: pytest.FixtureRequest) -> None:
    expect(module, request)
    room = find_room(module)
    rooms = {find_room(name) for name, _ in list_imports(MODULES[module]) if name in MODULES}
    assert rooms - {room} <= MAY_IMPORT[room]


@pytest.mark.parametrize("module", MODULES)
def test_a_command_is_imported_by_commands_alone(module: str, request: pytest.FixtureRequest) -> None:
    """A file that stands in a package itself is something to run: no room builds on it."""
    expect(module, request)
    commands = {name for name, _ in list_imports(MODULES[module]) if name in MODULES and name.count(".") == 1}
    assert not commands or find_room(module) in ("", "postproc")


@pytest.mark.parametrize("module", MODULES)
def test_only_training_and_inference_touch_networks(module: str) -> None:
    if find_room(module) not in NETWORK_ROOMS:
        imported = {name.partition(".")[0] for name, typing_only in list_imports(MODULES[module]) if not typing_only}
        assert not imported & TRAINING


@pytest.mark.parametrize("module", MODULES)
def test_importing_sets_nothing_in_the_process(module: str, request: pytest.FixtureRequest) -> None:
    """At its top level no module touches environment variables, warning filters or log levels."""
    expect(module, request)
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    top = "\n".join(ast.unparse(node) for node in tree.body if not isinstance(node, definitions))
    for setting in (
        "os.environ[",
        "os.environ.setdefault",
        "filterwarnings",
        "simplefilter",
        "set_verbosity",
        "setLevel",
    ):
        assert setting not in top


def test_there_are_modules() -> None:
    assert {
        "roofstack",
        "members.data.tiles",
        "members.training.fit",
        "ensemble.mapfolder.manifest",
        "postproc.pipeline.recipe",
    } <= set(MODULES)
    assert "keras" in dict(list_imports(MODULES["members.training.fit"]))


def run_hidden(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process where nothing that training needs is installed."""
    hide = f"""
import importlib.abc, sys
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {sorted(TRAINING)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
"""
    command = [sys.executable, "-c", hide + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_else_imports_without_what_training_needs() -> None:
    modules = [module for module in MODULES if find_room(module) not in (*NETWORK_ROOMS, "members")]
    run = run_hidden(f"import importlib\nfor name in {modules}:\n    importlib.import_module(name)")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.timeout(1800)
def test_the_flow_runs_without_what_training_needs(tmp_path: Path) -> None:
    """Maps of another program become a run, a blend, a pipeline, a submission, a picture and scores."""
    data, run, maps = write_tiles(tmp_path / "data", size=(32, 32)), tmp_path / "run", tmp_path / "theirs"
    for path in sorted((data / "masks").glob("*.tif")):
        write_raster(maps / f"{path.stem}.png", read_mask(path) * np.uint8(200))
    both = ["--data", data, "--run", run]
    commands = [
        ["maps", "import", *both, "--part", "valid", "--member", "theirs", "--from", maps],
        ["blend", *both],
        ["tune", *both],
        ["submit", "--run", run, "--part", "valid"],
        ["show", "tile0", *both],
        ["score", "--truth", data / "masks", "--submission", run / "submission-valid.csv"],
    ]
    lines = [["roofstack", *map(str, command)] for command in commands]
    done = run_hidden(f"""
import roofstack
for sys.argv in {lines}:
    try:
        roofstack.main()
    except SystemExit as end:
        print("exit code", end.code)
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("exit code 0") == len(lines), done.stdout + done.stderr
    assert done.stdout.count("exit code") == len(lines)
    assert (run / "report/tile0.png").is_file()
