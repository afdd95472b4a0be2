"""Which setting is tried next.

A space of choices and steps is finite, and Optuna's samplers come back to the same combination
again and again (of 6 combinations and 40 trials, one was tried 17 times). `Untried` draws again
until the combination is new.
"""

from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from sweeps.attributes import UNCOUNTED
from sweeps.space import Choices, Dimension, Space, combinations, conditions, read_by
from sweeps.spec import SweepSpec

DRAWS = 10


class Untried(BaseSampler):
    """Let ``base`` draw from a finite space, but no combination that has been drawn before.

    ``known`` holds every combination; without ``base`` they come in that order. Once all have
    been drawn they may come again, but a sweep ends there.
    """

    def __init__(
        self,
        base: BaseSampler | None,
        space: Space,
        known: list[dict[str, Any]],
        *,
        seed: int,
    ) -> None:
        self._base = base
        self._whole = space
        drawn = {name: _distribution(dimension) for name, dimension in space.items()}
        self._space = {name: each for name, each in drawn.items() if not each.single()}
        self._single = {n: d.labels()[0] for n, d in space.items() if d.count() == 1}
        self._known = known
        self._random = np.random.default_rng(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return every field: a combination can be judged as a whole only."""
        del study, trial
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a combination that no other trial has had, within what the trial has fixed."""
        fixed = trial.system_attrs.get("fixed_params", {})
        fitting = [c for c in self._known if c.items() >= fixed.items()] or self._known
        drawn = [self._read(each) for each in _drawn(study, besides=trial.number)]
        left = [c for c in fitting if c not in drawn] or fitting
        if self._base is None:
            return self._only_searched(left[0])
        for _ in range(DRAWS):
            draw = self._draw(self._base, study, trial, search_space)
            draw = self._read(self._single | draw | fixed)
            if draw in left:
                return self._only_searched(draw)
        return self._only_searched(left[self._random.integers(len(left))])

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a field that is not in the space; the sweep itself never asks for one."""
        base = self._base or RandomSampler(seed=int(self._random.integers(2**32)))
        return base.sample_independent(study, trial, param_name, param_distribution)

    def _draw(
        self,
        base: BaseSampler,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        # Not what only some trials have: a sampler that models fields together needs them all.
        alike = search_space.keys() - conditions(self._whole).keys()
        together = base.sample_relative(study, trial, {n: search_space[n] for n in sorted(alike)})
        return {
            name: together[name]
            if name in together
            else base.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def _only_searched(self, combination: dict[str, Any]) -> dict[str, Any]:
        return {name: combination[name] for name in self._space if name in combination}

    def _read(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return of a combination what its components read."""
        return {name: labels[name] for name in read_by(self._whole, labels) if name in labels}


def build_sampler(spec: SweepSpec, *, number: int) -> BaseSampler:
    """Return the sampler for the trial with this number.

    It is made anew for each trial and seeded by the number, so that neither the workers nor the
    parts of a sweep that was stopped draw the same settings.
    """
    seed = int(np.random.SeedSequence((spec.sampler.seed, number)).generate_state(1)[0])
    startup = spec.sampler.startup_trials or min(10, max(4, spec.trials // 3))
    base: BaseSampler | None = None
    if spec.sampler.name == "tpe":
        base = TPESampler(seed=seed, n_startup_trials=startup)
    elif spec.sampler.name == "gp":
        base = GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
    elif spec.sampler.name == "random":
        base = RandomSampler(seed=seed)
    known = combinations(spec.space)
    if known is not None:
        return Untried(base, spec.space, known, seed=seed)
    assert base is not None, "a grid needs a finite space, which SweepSpec has checked"
    return base


def distributions(spec: SweepSpec) -> dict[str, BaseDistribution]:
    """Return what Optuna draws each field of the space from."""
    return {name: _distribution(dimension) for name, dimension in spec.space.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.labels())
    if dimension.whole:
        step = int(dimension.step or 1)
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, step)
    return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)


def _drawn(study: Study, *, besides: int) -> list[dict[str, Any]]:
    """Return the combinations of all other trials that count, those that wait included."""
    return [
        trial.system_attrs.get("fixed_params", {}) | trial.params
        for trial in study.get_trials(deepcopy=False)
        if trial.number != besides and UNCOUNTED not in trial.user_attrs
    ]
