"""Measure how often the diagnoses are wrong: simulated runs that are well, and that are not.

python benchmarks/diagnoses.py [--runs 600]

A simulated run has one of five shapes of learning curve, 5 to 100 epochs, its own start, level,
speed and noise, a training score, losses and a predicted share of foreground. Every third begins
with a wobble, some epochs fall a little. A fault is then planted in it. No number of this file is
one of the rules' thresholds.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy loads

import numpy as np
from numpy.typing import NDArray

from trainer.analysis.diagnosis import RULES, Finding, diagnose

Floats = NDArray[np.float64]
Random = np.random.Generator
LENGTHS = (5, 7, 10, 15, 20, 30, 50, 100)


@dataclass(kw_only=True)
class Simulated:
    """A run's curves, each ``(epochs,)``, and the share of foreground in its targets."""

    val: Floats
    train: Floats
    val_loss: Floats
    train_loss: Floats
    share: Floats
    target: float

    @property
    def epochs(self) -> int:
        """How many epochs it has."""
        return self.val.size

    def findings(self) -> list[Finding]:
        """Return what the rules say of it."""
        curves = {
            "val/dice": self.val.clip(0, 1),
            "train/dice": self.train.clip(0, 1),
            "val/loss": self.val_loss,
            "train/loss": self.train_loss,
            "val/foreground_share": self.share.clip(0, 1),
        }
        return diagnose(
            curves, num_val_images=300, outcome="completed", target_foreground_share=self.target
        )


def rise(random: Random, epochs: int) -> Floats:
    """Return how far learning has come, 0 to 1, in one of five shapes."""
    at = np.arange(epochs)
    pace = epochs * random.uniform(0.03, 0.25)
    shapes = (
        lambda: 1 - np.exp(-at / pace),
        lambda: 1 - (1 + at / pace) ** -random.uniform(0.7, 1.5),
        lambda: 1 / (1 + np.exp(-(at - 2.5 * pace) / (0.5 * pace))),
        # The learning rate falls twice, and each time the score gains a step.
        lambda: (
            0.9 * (1 - np.exp(-at / pace))
            + 0.07 * (at >= epochs * 0.5)
            + 0.03 * (at >= epochs * 0.75)
        ),
        lambda: 0.85 * (1 - np.exp(-2 * at / pace)) + 0.15 * at / epochs,
    )
    risen: Floats = shapes[random.integers(len(shapes))]()
    return risen


def healthy(random: Random, *, epochs: int | None = None) -> Simulated:
    """Return a run that is well."""
    epochs = epochs or int(random.choice(LENGTHS))
    top, start = random.uniform(0.5, 0.97), random.uniform(0, 0.8)
    level = top * (start + (1 - start) * rise(random, epochs))
    noise = np.exp(random.uniform(np.log(0.001), np.log(0.012)))
    noise = noise * (1 + 2 * np.exp(-np.arange(epochs) / 2))
    val = level + random.normal(0, 1, epochs) * noise
    val -= (random.random(epochs) < 0.04) * random.uniform(0, 0.03, epochs)
    if random.random() < 1 / 3:
        at = min(int(random.geometric(0.5)), epochs - 1)
        val[at] -= random.uniform(0.05, 0.3) * level[at]
    train = level + random.uniform(-0.01, 0.03) * (level / top)
    train += random.normal(0, 0.3, epochs) * noise
    scale, floor = random.uniform(0.5, 2), random.uniform(0.01, 0.1)
    losses = [
        (scale * (1 - score) + floor) * np.exp(random.normal(0, 0.02, epochs))
        for score in (val, train)
    ]
    target = random.uniform(0.02, 0.6)
    share = target * np.exp(random.normal(0, 0.1, epochs))
    return Simulated(
        val=val, train=train, val_loss=losses[0], train_loss=losses[1], share=share, target=target
    )


def late(random: Random, run: Simulated, earliest: float, latest: float, *, least: int = 3) -> int:
    """Return an epoch in this part of a run; as many as ``least`` come before."""
    low = max(least, round(earliest * run.epochs))
    return int(random.integers(low, max(low + 1, round(latest * run.epochs))))


def diverged(random: Random, run: Simulated) -> None:
    """Let a loss stop being a number."""
    run.train_loss[random.integers(1, run.epochs) :] = random.choice([np.nan, np.inf])


def background(random: Random, run: Simulated) -> None:
    """Let nothing but background be predicted until the end."""
    at = late(random, run, 0.2, 1)
    run.share[at:] = run.target * random.uniform(0, 0.03, run.epochs - at)
    run.val[at:] = random.uniform(0, 0.03, run.epochs - at)


def foreground(random: Random, run: Simulated) -> None:
    """Let nothing but foreground be predicted until the end."""
    at = late(random, run, 0.2, 1)
    run.share[at:] = 1 - (1 - run.target) * random.uniform(0, 0.03, run.epochs - at)
    run.val[at:] = 2 * run.target / (1 + run.target)


def dips(random: Random, run: Simulated) -> None:
    """Let one to three epochs fall far below those around them."""
    for _ in range(random.integers(1, 4)):
        at = late(random, run, 0.1, 1)
        run.val[at] -= random.uniform(0.1, 0.5)


def trough(random: Random, run: Simulated) -> None:
    """Let a stretch of epochs fall, and come back."""
    at = late(random, run, 0.1, 0.7)
    run.val[at : at + max(2, run.epochs // 8)] -= random.uniform(0.1, 0.5)


def lasting(random: Random, run: Simulated) -> None:
    """Let the score fall for good."""
    at = late(random, run, 0.3, 0.7)
    fall = random.uniform(0.1, 0.5)
    run.val[at:], run.train[at:] = run.val[at:] - fall, run.train[at:] - fall


def overfitting(random: Random, run: Simulated) -> None:
    """Let validation sink from its best and training go on, until they are far apart."""
    at = late(random, run, 0.2, 0.5, least=2)
    ramp = np.linspace(0, 1, run.epochs - at)
    noise = random.normal(0, 0.003, (2, ramp.size))
    run.val[at:] = run.val[:at].max() - random.uniform(0.04, 0.2) * ramp + noise[0]
    run.train[at:] = run.train[:at].max() + random.uniform(0.01, 0.1) * ramp + noise[1]
    run.val_loss[at:] *= 1 + random.uniform(0.5, 2) * ramp
    run.train_loss[at:] *= 1 - random.uniform(0.2, 0.7) * ramp


def overfitting_loss(random: Random, run: Simulated) -> None:
    """Let the validation loss climb from its lowest while the score holds."""
    at = late(random, run, 0.2, 0.5, least=2)
    ramp = np.linspace(0, 1, run.epochs - at)
    low = run.val_loss[: at + 1].min()
    climbing = low * (1 + random.uniform(0.4, 2) * ramp)
    run.val_loss[at:] = climbing * np.exp(random.normal(0, 0.02, ramp.size))
    run.train_loss[at:] = run.train_loss[at] * (1 - random.uniform(0.2, 0.7) * ramp)


def plateau(random: Random, run: Simulated) -> None:
    """Let the score stay where it is from the first half on."""
    at = late(random, run, 0.2, 0.5)
    run.val[at:] = run.val[:at].max() + random.normal(0, 0.002, run.epochs - at)


def improving(random: Random, run: Simulated) -> None:
    """Let the score climb steadily until the end."""
    climb = np.linspace(0, random.uniform(0.2, 0.6), run.epochs)
    run.val[:] = random.uniform(0.2, 0.35) + climb + random.normal(0, 0.004, run.epochs)


PLANTED: dict[str, tuple[Callable[[Random, Simulated], None], str]] = {
    "a loss is NaN or infinite": (diverged, "diverged"),
    "all background until the end": (background, "collapsed to background"),
    "all foreground until the end": (foreground, "collapsed to foreground"),
    "one to three deep dips": (dips, "unstable"),
    "a trough": (trough, "unstable"),
    "a fall for good": (lasting, "unstable"),
    "overfitting": (overfitting, "overfitting"),
    "overfitting in the loss alone": (overfitting_loss, "overfitting"),
    "a plateau": (plateau, "plateaued"),
    "still climbing": (improving, "still improving"),
}


def false_alarms(runs: int) -> None:
    """Print what the rules say of runs that are well."""
    random = np.random.default_rng(1)
    told = [healthy(random).findings() for _ in range(runs)]
    for severity in ("problem", "warning", "note"):
        shares = {
            rule: sum(any(f.rule == rule and f.severity == severity for f in t) for t in told)
            for rule in RULES
        }
        any_of = sum(any(f.severity == severity for f in t) for t in told)
        parts = [f"{rule} {100 * n / runs:.1f}" for rule, n in shares.items() if n]
        print(f"well | a {severity} | {100 * any_of / runs:.1f} | {', '.join(parts)}")


def hits(runs: int) -> None:
    """Print how often the rule meant finds each planted fault, in all and in short runs."""
    for name, (plant, rule) in PLANTED.items():
        random = np.random.default_rng(2)
        found: dict[bool, list[bool]] = {True: [], False: []}
        for _ in range(runs):
            run = healthy(random)
            plant(random, run)
            found[run.epochs < 10].append(any(f.rule == rule for f in run.findings()))
        every = [*found[True], *found[False]]
        shares = [f"{100 * np.mean(of):.1f}" for of in (every, found[True], found[False])]
        print(f"{name} | {rule} | " + " | ".join(shares), flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=600, help="simulated runs a row")
    runs = parser.parse_args().runs
    print(f"{runs} simulated runs a row, in %")
    print("run | said | of all | by rule")
    false_alarms(runs)
    print("planted | rule | found | below 10 epochs | from 10 on")
    hits(runs)


if __name__ == "__main__":
    main()
