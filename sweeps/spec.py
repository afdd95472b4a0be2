"""What a sweep searches and how, checked before anything starts.

Nothing here imports optuna or torch.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sweeps.space import Space, combinations, setting
from trainer.config import TrainConfig
from trainer.config.formats import FORMAT
from trainer.config.parsing import from_mapping
from trainer.names import check
from trainer.settings import require

# Each name is built in `sweeps.samplers` and `sweeps.pruners`.
SAMPLERS = ("tpe", "random", "grid", "gp")
PRUNERS = ("median", "percentile", "none")

# What two parts of one sweep may differ in: how far it goes and what it is called.
MAY_CHANGE = ("trials", "timeout", "description")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")  # Files are named after it.


@dataclass(frozen=True, kw_only=True)
class SamplerSpec:
    """How the next setting is chosen."""

    name: str = "tpe"
    seed: int = 0
    startup_trials: int | None = None
    """Trials drawn at random before the sampler learns; left out, a third, from 4 to 10."""

    def __post_init__(self) -> None:
        check("sampler", self.name, SAMPLERS)
        require("sampler.seed", self.seed, 0 <= self.seed < 2**32, "must lie in 0 to 2**32 - 1")
        startup = self.startup_trials
        if startup is not None:
            require("sampler.startup_trials", startup, startup >= 1, "must be at least 1")


@dataclass(frozen=True, kw_only=True)
class PrunerSpec:
    """When a trial is given up: see `sweeps.pruners`."""

    name: str = "median"
    startup_trials: int = 3
    """Trials that must be complete before any is pruned."""
    warmup_epochs: int = 1
    """Epochs at the start of a trial that are never judged."""
    patience: int = 1
    """Further epochs in a row that must be as bad before the trial is pruned."""
    keep: float = 50.0
    """With percentile: share of the trials, from the best, to be among, in percent."""

    def __post_init__(self) -> None:
        check("pruner", self.name, PRUNERS)
        for name in ("startup_trials", "warmup_epochs", "patience"):
            lowest = 1 if name == "startup_trials" else 0
            value = getattr(self, name)
            require(f"pruner.{name}", value, value >= lowest, f"must be at least {lowest}")
        require("pruner.keep", self.keep, 0 < self.keep < 100, "must lie between 0 and 100")


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """One sweep. ``config`` holds what every trial shares; ``space`` what they differ in.

    Where components are searched, ``config`` has the first of each, and ``beside`` the fixed
    settings that only others of them have.
    """

    name: str
    space: Space
    config: TrainConfig = field(default_factory=TrainConfig)
    beside: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    first: tuple[dict[str, Any], ...] = ()
    """Settings, complete or in part, to try before the sampler decides."""
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    pruner: PrunerSpec = field(default_factory=PrunerSpec)
    trials: int = 20
    seeds: int = 1
    """Runs of each setting, with seeds counted on from the config's; the score is their mean."""
    timeout: float | None = None
    """Seconds after which no new trial starts; left out, none."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name: {self.name[:200]!r} may hold letters, digits, '.', '_' and '-', starts "
                "with a letter or digit, and has at most 200 characters"
            )
        require("trials", self.trials, 1 <= self.trials <= 10**6, "must lie in 1 to 1,000,000")
        require("seeds", self.seeds, 1 <= self.seeds <= 1000, "must lie in 1 to 1,000")
        if self.timeout is not None:
            require("timeout", self.timeout, 0 < self.timeout < math.inf, "must be above 0")
        if self.seeds > 1 and "seed" in self.space:
            raise ValueError("seeds: the space searches seed already; remove one")
        if self.sampler.name == "grid" and combinations(self.space) is None:
            raise ValueError(
                "sampler: grid needs a space of choices or steps, of at most 10,000 combinations"
            )

    @property
    def metric(self) -> str:
        """The score: its best epoch's value is what a trial is judged by, higher is better."""
        return self.config.monitor

    @property
    def total(self) -> int:
        """Trials that finish the sweep; a finite space has no more than its combinations."""
        known = combinations(self.space)
        return self.trials if known is None else min(self.trials, len(known))

    def config_of(self, params: Mapping[str, Any]) -> TrainConfig:
        """Return the configuration of a trial with these stored parameters."""
        drawn = setting(self.space, params)
        return from_mapping({**self.beside, **drawn}, self.config, leave_out=True)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values that `from_plain` reads back, whatever the defaults are then."""
        fixed = self.config.plain() | self.beside
        return {
            "format": FORMAT,
            "name": self.name,
            "description": self.description,
            "fixed": {k: v for k, v in fixed.items() if k not in self.space},
            "space": {name: dimension.to_mapping() for name, dimension in self.space.items()},
            "first": [dict(setting) for setting in self.first],
            "sampler": asdict(self.sampler),
            "pruner": asdict(self.pruner),
            "trials": self.trials,
            "seeds": self.seeds,
            "timeout": self.timeout,
        }

    def difference(self, other: "SweepSpec") -> str | None:
        """Return the first thing that makes ``other`` a different sweep, in words; else None."""
        mine, theirs = _flat(self.to_mapping()), _flat(other.to_mapping())
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in MAY_CHANGE and mine.get(key) != theirs.get(key):
                return f"{key} is {mine.get(key)!r} there and {theirs.get(key)!r} here"
        return None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and not prefix.startswith("space."):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def with_changes(spec: SweepSpec, **changes: Any) -> SweepSpec:
    """Return ``spec`` with its name, number of trials or timeout changed, where not None."""
    return replace(spec, **{key: value for key, value in changes.items() if value is not None})
