"""Studies are found again by their names, and are never continued with other data or other ranges."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution

from members.common.errors import InputError
from postproc.study.storage import Address
from postproc.study.studies import MemoryStudies, StoredStudies

RANGES = {"x": IntDistribution(0, 1000), "y": IntDistribution(0, 1000)}


def test_studies_of_other_data_or_ranges_are_refused(tmp_path: Path) -> None:
    address = Address(tmp_path / "study.journal")
    StoredStudies(address, "x", "data1", "maps1").open("pooled_iou", RANGES)
    content = (tmp_path / "study.journal").read_bytes()
    with pytest.raises(InputError, match=r"x-maps1-pooled_iou is of a run x on other data .*data1, this is data2"):
        StoredStudies(address, "x", "data2", "maps1")
    with pytest.raises(InputError, match=r"study x-maps1-pooled_iou is of other ranges \(x\); give another --storage"):
        StoredStudies(address, "x", "data1", "maps1").open("pooled_iou", RANGES | {"x": IntDistribution(0, 5)})
    assert (tmp_path / "study.journal").read_bytes() == content
    for run, data, maps in (("x", "data1", "maps2"), ("y", "data2", "maps2")):  # other maps, another run: side by side
        assert not StoredStudies(address, run, data, maps).open("pooled_iou", RANGES).trials


def test_studies_in_memory_are_kept_apart_by_kind_and_gone_with_their_object() -> None:
    studies = MemoryStudies()
    studies.open("areas", RANGES).enqueue_trial({"x": 1, "y": 2})
    assert len(studies.open("areas", RANGES).trials) == 1
    assert studies.open("splits", RANGES).trials == []
    assert MemoryStudies().open("areas", RANGES).trials == []


def test_opening_says_nothing_and_leaves_what_optuna_says_to_the_caller(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    level = optuna.logging.get_verbosity()
    MemoryStudies().open("areas", RANGES)
    StoredStudies(Address(tmp_path / "study.journal"), "x", "data", "maps").open("areas", RANGES)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level
