"""A training that is only rehearsed: what it tells, and that it leaves nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import build_small, hash_folder

from members.common.progress import tell_time


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are built as the small network."""
    from members.training.networks.backend import load_backend

    load_backend()
    monkeypatch.setattr("members.training.rehearsal.build_network", lambda spec, weights: build_small(0))


@pytest.mark.usefixtures("small")
def test_a_dry_run_tells_folds_and_times_and_writes_nothing(roofstack: Any, data_set: Path) -> None:
    before = hash_folder(data_set.parent)
    command = ("train", "lite0_unet", "--data", data_set, "--run", data_set.parent / "run", "--dry-run")
    outcome = roofstack(*command, "--folds", 3, "--epochs", 7, "--batch-size", 2, "--crop", 32)
    assert outcome.code == 0, outcome.err
    assert "nothing is trained or written: --dry-run" in outcome.out
    (plan,) = json.loads(roofstack(*command, "--epochs", 3, "--batch-size", 2, "--crop", 32, "--json").out)["folds"]
    assert (plan["member"], plan["tiles"], plan["validated_on"], plan["steps"], plan["epochs"]) == (
        "lite0_unet", 4, 2, 2, 3,
    )  # fmt: skip
    assert plan["seconds"] > 0
    assert hash_folder(data_set.parent) == before
    refused = roofstack(*command, "--fold", 5)
    assert (refused.code, len(refused.err.splitlines()[-1:])) == (2, 1)


def test_times_are_told_as_one_would() -> None:
    assert [tell_time(seconds) for seconds in (0.2, 89, 91, 5300, 5400)] == ["0 s", "89 s", "2 min", "88 min", "1.5 h"]
