"""The study holds every setting once, whatever happened to its journal."""

from pathlib import Path

import numpy as np
import pytest
from optuna.storages.journal import JournalFileOpenLock

from postproc.search import Grid, search_kernels
from postproc.study import mend_journal, open_study, record_grid


@pytest.fixture(scope="module")
def grid() -> Grid:
    rng = np.random.default_rng(3)
    truth = rng.random((4, 24, 24)) < 0.4
    tiles = [
        (np.where(t, rng.integers(90, 255, t.shape), rng.integers(0, 160, t.shape)).astype(np.uint8), t) for t in truth
    ]
    return search_kernels(tiles, ["a", "a", "b", "b"], 5)


def test_every_setting_is_one_trial_with_its_exact_threshold(grid: Grid, tmp_path: Path) -> None:
    study = open_study(tmp_path / "study.journal", "pooled")
    assert record_grid(study, grid, "pooled_iou") == len(grid.recipes) == len(study.trials)
    scores = grid.evidence.score("pooled_iou")
    for place, trial in enumerate(study.trials):
        recipe = grid.recipes[place]
        assert trial.params == {
            "order": recipe.order, "kernel": recipe.kernel, "close": recipe.close, "open": recipe.open
        }  # fmt: skip
        assert trial.value == scores[place].max() == scores[place, trial.user_attrs["threshold"] - 1]
    assert study.best_value == scores.max()


def test_recording_again_adds_nothing(grid: Grid, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    record_grid(open_study(journal, "pooled"), grid.take(range(5)), "pooled_iou")
    study = open_study(journal, "pooled")
    assert record_grid(study, grid, "pooled_iou") == len(grid.recipes) - 5
    assert record_grid(study, grid, "pooled_iou") == 0


def test_journal_cut_at_any_byte_of_its_last_line_is_mended(grid: Grid, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    record_grid(open_study(journal, "pooled"), grid.take(range(3)), "pooled_iou")
    content = journal.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    lock = JournalFileOpenLock(str(journal))
    for cut in range(last, len(content)):
        journal.write_bytes(content[:cut])
        mend_journal(journal, lock)
        assert journal.read_bytes() == content[:last]
    journal.write_bytes(content)
    mend_journal(journal, lock)
    assert journal.read_bytes() == content


@pytest.mark.parametrize("torn", [1, 20, 100])
def test_study_goes_on_after_a_torn_line(grid: Grid, tmp_path: Path, torn: int) -> None:
    journal = tmp_path / "study.journal"
    record_grid(open_study(journal, "pooled"), grid.take(range(3)), "pooled_iou")
    journal.write_bytes(journal.read_bytes()[:-torn])
    record_grid(open_study(journal, "pooled"), grid.take(range(3)), "pooled_iou")
    values = [trial.value for trial in open_study(journal, "pooled").trials]
    assert sorted(values) == sorted(grid.evidence.score("pooled_iou")[:3].max(axis=1).tolist())
