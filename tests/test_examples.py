"""The examples in docstrings are run: what they show is what comes out."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT


def list_modules() -> list[str]:
    packages = [path for name in ("members", "ensemble", "postproc") for path in sorted((ROOT / name).rglob("*.py"))]
    return [name_module(path) for path in packages if ">>> " in path.read_text()]


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("name", list_modules())
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, attempted = doctest.testmod(module, extraglobs={"np": np})
    assert (failed, attempted > 0) == (0, True)
