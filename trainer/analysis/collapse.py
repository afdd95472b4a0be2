"""The rules of a network that predicts one thing everywhere: nothing, or everything."""

import numpy as np

from trainer.analysis.findings import Finding, RunFacts

COLLAPSED_SHARE = 0.05
"""Predicted on less than this share of what the targets hold of it, a side has gone."""
LEAST_BACKGROUND = 0.05
"""Where the targets hold less background than this, missing it is no collapse."""


def to_background(facts: RunFacts) -> Finding | None:
    """Report predictions that are background nearly everywhere while the targets are not."""
    return _collapsed(facts, "foreground")


def to_foreground(facts: RunFacts) -> Finding | None:
    """Report predictions that are foreground nearly everywhere while the targets are not."""
    return _collapsed(facts, "background")


def _collapsed(facts: RunFacts, gone: str) -> Finding | None:
    """Report that what is ``gone``, foreground or background, is hardly predicted at the end."""
    epochs, share = facts.curve("val/foreground_share")
    target = facts.target_foreground_share
    # After its first epoch a network may not have left where it began.
    if share.size < 2 or target is None or not np.isfinite(target):
        return None
    left = "background" if gone == "foreground" else "foreground"
    if gone == "background":
        share, target = 1 - share, 1 - target
    if target <= (0 if gone == "foreground" else LEAST_BACKGROUND):
        return None
    few = share < COLLAPSED_SHARE * target
    if not few[-1]:
        return None
    since = int(epochs[np.flatnonzero(~few)[-1] + 1]) if (~few).any() else int(epochs[0])
    suggestion = "weigh the classes, use a loss with a Dice term, or lower the learning rate"
    return Finding(
        rule=f"collapsed to {left}",
        severity="problem",
        message=(
            f"since epoch {since} {share[-1]:.2%} of the pixels are predicted as {gone}, and "
            f"{target:.2%} of the validation targets are: {suggestion}"
        ),
        threshold=(
            f"predicted {gone} at the last epoch < {COLLAPSED_SHARE:g} × the validation targets' "
            "share"
        ),
        suggestion=suggestion,
        evidence={f"{gone}_share": share[-1], f"target_{gone}_share": target},
        epochs=tuple(int(epoch) for epoch in epochs[epochs >= since]),
    )
