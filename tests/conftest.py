"""What several test modules share: the real data, where it is present."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("ROOFSTACK_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ROOFSTACK_DATA")
    return folder
