"""Say in words what a run's curves show: a table of named rules, each with its threshold.

To add a rule, write its function in `trainer.analysis.rules`, or a module of its own beside it, and
one line in `RULES`.
"""

from collections.abc import Callable, Mapping

from numpy.typing import ArrayLike

from trainer.analysis import collapse, rules
from trainer.analysis.fallen import PerImageDice
from trainer.analysis.findings import Finding, RunFacts, as_histories
from trainer.analysis.history import History
from trainer.analysis.overfitting import overfitting

__all__ = ["RULES", "Finding", "History", "PerImageDice", "diagnose"]

# The most serious first: the order in which findings are told.
RULES: dict[str, Callable[[RunFacts], Finding | None]] = {
    "diverged": rules.diverged,
    "not finite": rules.not_finite,
    "collapsed to background": collapse.to_background,
    "collapsed to foreground": collapse.to_foreground,
    "unstable": rules.unstable,
    "overfitting": overfitting,
    "plateaued": rules.plateaued,
    "still improving": rules.still_improving,
    "validation set too small": rules.too_few_images,
}


def diagnose(
    curves: Mapping[str, ArrayLike | History],
    *,
    metric: str = "val/dice",
    num_val_images: int | None = None,
    outcome: str | None = None,
    patience: int | None = None,
    target_foreground_share: float | None = None,
    claimed_difference: float | None = None,
    per_image: PerImageDice | None = None,
) -> list[Finding]:
    """Return what every rule finds in one run, in the order of `RULES`; empty when nothing.

    ``curves`` maps metric keys (``val/dice``, ``train/dice``, ``val/loss``, ``train/loss``,
    ``train/grad_norm``, ``lr``, ``val/foreground_share``) to full histories: ``(epochs,)`` from
    epoch 1 on, or a `History` where epochs are missing. A NaN is a value that was NaN. A rule
    whose curves or facts are missing stays silent. ``metric`` is the score that is judged, higher
    is better; ``target_foreground_share`` that of the validation targets;
    ``claimed_difference`` a difference in it that somebody wants to rely on.
    """
    facts = RunFacts(
        curves=as_histories(curves),
        metric=metric,
        num_val_images=num_val_images,
        outcome=outcome,
        patience=patience,
        target_foreground_share=target_foreground_share,
        claimed_difference=claimed_difference,
        per_image=per_image,
    )
    return [finding for rule in RULES.values() if (finding := rule(facts)) is not None]
