"""Imports go one way, and only what trains or predicts needs Keras."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGES = ("members", "ensemble", "postproc")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in [ROOT / "roofstack.py", *(path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py")))]
    if path.name != "__init__.py"
}
NETWORKS = {"keras", "tensorflow", "jax", "torch", "efficientnet", "segmentation_models", "classification_models"}


def list_imports(path: Path) -> Iterator[str]:
    """The dotted names that a module imports anywhere, functions included; none is relative."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield str(node.module)


def touches_networks(module: str) -> bool:
    return module.startswith("members.training.") or module == "ensemble.predict"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    imported = {name.partition(".")[0] for name in list_imports(MODULES[module])}
    package = module.partition(".")[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :] if package in PACKAGES else ()
    assert not imported & {*above, *({"roofstack"} if package in PACKAGES else ())}
    if not touches_networks(module):
        assert not imported & NETWORKS


def test_there_are_modules() -> None:
    assert {
        "roofstack",
        "members.data.tiles",
        "members.training.fit",
        "ensemble.mapfolder.manifest",
        "postproc.pipeline.recipe",
    } <= set(MODULES)
    assert "keras" in set(list_imports(MODULES["members.training.fit"]))


def test_all_else_starts_without_keras() -> None:
    """With Keras and every framework hidden, each module imports and the command line tells its help."""
    modules = [module for module in MODULES if not module.startswith("members.training.")]
    program = f"""
import importlib, sys
for name in {sorted(NETWORKS)}:
    sys.modules[name] = None
for name in {modules}:
    importlib.import_module(name)
sys.argv = ["roofstack", "--help"]
sys.modules["roofstack"].main()
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "train" in run.stdout
    assert "predict" in run.stdout
