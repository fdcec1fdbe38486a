"""The documentation builds without a warning, and its reference has every name of the library."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

import roofstack as rs


def test_the_site_builds_and_has_every_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    build = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stderr
    reference = (tmp_path / "site/api/index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<h3 id="roofstack\.(\w+)"', reference)) == set(rs.API)
    overview = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "roofstack train lite0_unet" in overview, "the README is included"
