"""The rule of a network that goes on learning the training images and nothing else."""

import numpy as np

from trainer.analysis.findings import Finding, RunFacts, running_median
from trainer.analysis.score_table import twin

FALL = 0.01
"""The validation score has fallen by more than this from its best, …"""
GAP = 0.02
"""… and the training score has gained more than this on it since."""
LOSS_SHARE = 0.1
"""The same on losses: both by this share of the best validation loss."""


def overfitting(facts: RunFacts) -> Finding | None:
    """Report a validation score that falls while training draws away from it.

    Where the scores show none, or a run has no training score, the losses are judged so; what the
    loss alone shows is a note.
    """
    of_train = twin(facts.metric)
    found = _drawn_apart(facts, of_train, facts.metric)
    if found is not None:
        return found
    alone = facts.pair(of_train, facts.metric)[0].size > 0
    return _drawn_apart(facts, "train/loss", "val/loss", alone=alone)


def _drawn_apart(
    facts: RunFacts, of_train: str, of_val: str, *, alone: bool = False
) -> Finding | None:
    epochs, train, val = facts.pair(of_train, of_val)
    window = max(3, val.size // 5)
    if val.size < window + 2:
        return None
    fall_needed, gap_needed = FALL, GAP
    if of_val == "val/loss":
        fall_needed = gap_needed = LOSS_SHARE * abs(float(val.min()))
        train, val = -train, -val
    smooth_val, smooth_gap = running_median(val), running_median(train - val)
    best = int(smooth_val[:-window].argmax())
    fall = smooth_val[best] - float(np.median(val[-window:]))
    growth = float(np.median((train - val)[-window:])) - smooth_gap[best]
    if not (fall > fall_needed and growth > gap_needed):
        return None
    suggestion = "stop earlier, augment more, add weight decay or more images"
    if alone:
        suggestion = f"{facts.metric} does not show it: rely on the masks, not on the probabilities"
    return Finding(
        rule="overfitting",
        severity="note" if alone else "warning",
        message=(
            f"since epoch {epochs[best]} {of_val} became worse by {fall:.3f} while "
            f"{of_train} drew away from it by {growth:.3f}: {suggestion}"
        ),
        threshold=(
            f"median of the last {window} epochs: validation worse than its best by more than "
            f"{fall_needed:.3g}, and the gap to training wider by more than {gap_needed:.3g}"
        ),
        suggestion=suggestion,
        evidence={"fall": fall, "gap_growth": growth, "best_epoch": epochs[best], "window": window},
        epochs=tuple(int(epoch) for epoch in epochs[best:]),
    )
