"""The versions that everything is installed with: one for each package that is asked for, and no address."""

import re
import tomllib

from conftest import ROOT

LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    """Return a requirement's package, as indexes compare names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_each_line_is_a_package_and_its_version() -> None:
    for line in LINES:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+( ; [^:]+)?", line), line


def test_every_package_that_make_installs_has_a_version() -> None:
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["cpu"], *extras["lite"], *extras["dev"]]
    names = {name_of(each) for each in asked} - {"roofstack"}
    assert names <= {name_of(line) for line in LINES}


def test_make_and_ci_take_them() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install .*?--editable '\.\[", makefile, re.DOTALL)
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in each for each in installs)
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
