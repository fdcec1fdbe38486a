"""The Optuna study: every kernel setting of the grid as a trial, its threshold solved exactly."""

import itertools
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from ensemble.evidence import Objective
from postproc.recipe import KERNEL_SHAPES, Recipe
from postproc.search import LARGEST_KERNEL, Grid

SIZES = IntDistribution(1, LARGEST_KERNEL, step=2)
DISTRIBUTIONS = {
    "order": CategoricalDistribution(("close-open", "open-close")),
    "kernel": CategoricalDistribution(tuple(KERNEL_SHAPES)),
    "close": SIZES,
    "open": SIZES,
}


def open_study(journal: Path, name: str) -> optuna.Study:
    """Open or begin a study that maximises, in a journal file that several processes may share."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(str(journal))
    mend_journal(journal, lock)
    storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
    return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)


def mend_journal(journal: Path, lock: JournalFileOpenLock) -> None:
    """Cut off a last line that a killed writer left half-written: the next append would glue onto it."""
    if not journal.is_file():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if whole := content.rfind(b"\n") + 1 - len(content):
            with journal.open("r+b") as file:
                file.truncate(len(content) + whole)
    finally:
        lock.release()


def record_grid(study: optuna.Study, grid: Grid, objective: Objective) -> int:
    """Add a trial for every recipe of the grid that the study does not hold yet; returns how many."""
    held = {tuple(trial.params[name] for name in DISTRIBUTIONS) for trial in study.get_trials(deepcopy=False)}
    scores = grid.evidence.score(objective)
    trials = []
    for recipe, place in zip(grid.recipes, itertools.count()):
        params = {name: getattr(recipe, name) for name in DISTRIBUTIONS}
        if tuple(params.values()) in held:
            continue
        best: Recipe = grid.take([place]).choose(objective).recipe
        trials.append(
            optuna.trial.create_trial(
                params=params,
                distributions=DISTRIBUTIONS,
                value=float(scores[place].max()),
                user_attrs={"threshold": best.threshold},
            )
        )
    study.add_trials(trials)
    return len(trials)
