"""The sampler of the studies: TPE, with random numbers that follow from the trial's number."""

import zlib
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

SEED = 42


class NumberedSampler(BaseSampler):
    """TPE (Bergstra et al. 2011, NeurIPS) whose random numbers follow from the trial's number.

    So processes that share a study don't all try the same, and a study that was killed goes on as it would have.

    Args:
        seed: of the random numbers.
        multivariate: whether parameters are drawn together, rather than each by itself; None leaves it to Optuna, whose
            version 5 draws them together.
    """

    def __init__(self, seed: int = SEED, multivariate: bool | None = None) -> None:
        self.seed, self.multivariate = seed, multivariate

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.make_sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.make_sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # each parameter has random numbers of its own: with the same ones they would all rise and fall together
        sampler = self.make_sampler(trial, zlib.crc32(param_name.encode()))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def make_sampler(self, trial: FrozenTrial, stream: int = 0) -> TPESampler:
        """Return the sampler of one trial; `stream` tells its several series of random numbers apart."""
        numbers = np.random.SeedSequence((self.seed, trial.number, stream))
        return TPESampler(seed=int(numbers.generate_state(1)[0]), multivariate=self.multivariate)
