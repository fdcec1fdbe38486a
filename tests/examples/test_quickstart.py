"""The notebook of examples/ runs from its first cell to its last, and holds what it showed when it last did."""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

import roofstack as rs

NOTEBOOK = ROOT / "examples/quickstart.ipynb"


def list_cells(notebook: Any) -> list[Any]:
    """List the cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def list_shown(notebook: Any, kind: str) -> list[str]:
    """List what cells have shown of a MIME type."""
    outputs = [output for cell in list_cells(notebook) for output in cell.outputs]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def check(notebook: Any) -> None:
    """Three tables, a picture and a submission, one cell after the other."""
    cells = list_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    tables = [table for table in list_shown(notebook, "text/html") if "<table>" in table]
    for words, table in zip(("<td>mean of all</td>", "<td>threshold</td>", "<td>IoU, all"), tables, strict=True):
        assert words in table
    assert len(list_shown(notebook, "image/jpeg")) == 1
    written = cells[-1].outputs[0].text
    assert written.startswith("ImageId,EncodedPixels,Width,Height\ntile24,")


def test_the_notebook_holds_its_output() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    check(notebook)
    assert NOTEBOOK.stat().st_size < 500_000
    source = "\n".join(cell.source for cell in list_cells(notebook))
    functions = [name for name in rs.API if name[0].islower()]
    assert [name for name in functions if f"rs.{name}(" not in source] == []


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=None, startup_timeout=600, resources={"metadata": {"path": tmp_path}})
    client.execute()
    check(notebook)
    ids = [row.split(",")[0] for row in (tmp_path / "submission.csv").read_text().splitlines()]
    assert ids == ["ImageId", *(f"tile{number}" for number in range(24, 32))]
