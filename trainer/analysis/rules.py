"""The named rules of a diagnosis, one pure function each: facts in, a finding or None out.

The thresholds are ours, chosen so that the curves of real reports fall on the right side, and
each finding shows the one it met. A rule judges by full histories, and by medians of a few
epochs where a single odd epoch must not decide.
"""

import numpy as np

from trainer.analysis.bootstrap import t_quantile
from trainer.analysis.dips import RECOVERY_MARGIN
from trainer.analysis.fallen import describe, fallen
from trainer.analysis.findings import Finding, Floats, RunFacts
from trainer.analysis.history import is_finite
from trainer.analysis.score_table import title
from trainer.analysis.stability import stability

UNSTABLE_DRAWDOWN = 0.05
"""A maximum drawdown above this is called unstable."""
OVERFITTING_FALL = 0.01
"""Overfitting: the validation score has fallen by more than this from its best, …"""
OVERFITTING_GAP = 0.02
"""… and the training score has gained more than this on it since."""
OVERFITTING_LOSS = 0.1
"""The same on losses: both by this share of the best validation loss."""
COLLAPSED_SHARE = 0.05
"""Less predicted foreground than this share of the target's is a collapse to background."""
PLATEAU_GAIN = 0.001
"""Plateaued: the best score rose by less than this over the last window, …"""
PLATEAU_FALL = 0.01
"""… and the curve did not fall away from it either."""
PLATEAU_EPOCHS = 5
"""The window's epochs at least; a third of the run where that is more."""
IMPROVING_GAIN = 0.005
"""Still improving: the last window's median is higher than the one's before by more than this."""
DEFAULT_CLAIM = 0.01
"""The difference in Dice that people usually report as one, where no claim is given."""
FEW_IMAGES = 20
"""Below this number of validation images a single one moves the mean by more than 5 % of its own
score, and percentile intervals cover less than nine times in ten (docs/metrics.md)."""


def diverged(facts: RunFacts) -> Finding | None:
    """Report the first epoch whose training or validation loss is no finite number."""
    for name in ("train/loss", "val/loss"):
        steps, values = facts.history(name)
        bad = steps[~is_finite(values)]
        if bad.size == 0:
            continue
        first = int(bad[0])
        lr, norm = facts.at("lr", first), facts.at("train/grad_norm", first)
        suggestion = "lower the learning rate, clip gradients, or train in float32"
        return Finding(
            rule="diverged",
            severity="problem",
            message=f"{name} was not finite from epoch {first}{_at_rate(lr)}: {suggestion}",
            threshold="a training or validation loss is NaN or infinite",
            suggestion=suggestion,
            evidence={"metric": name, "non_finite": bad.size, "lr": lr, "grad_norm": norm},
            epochs=tuple(int(epoch) for epoch in bad),
        )
    return None


def collapsed(facts: RunFacts) -> Finding | None:
    """Report predictions that are background nearly everywhere while the targets are not."""
    epochs, share = facts.curve("val/foreground_share")
    target = facts.target_foreground_share
    if share.size == 0 or not target or not np.isfinite(target):
        return None
    few = share < COLLAPSED_SHARE * target
    if not few[-1]:
        return None
    since = int(epochs[np.flatnonzero(~few)[-1] + 1]) if (~few).any() else int(epochs[0])
    suggestion = "weigh the classes, use a loss with a Dice term, or lower the learning rate"
    return Finding(
        rule="collapsed to background",
        severity="problem",
        message=(
            f"since epoch {since} {share[-1]:.2%} of the pixels are predicted as foreground, and "
            f"{target:.2%} are: {suggestion}"
        ),
        threshold=(
            f"predicted foreground at the last epoch < {COLLAPSED_SHARE:g} × the target's share"
        ),
        suggestion=suggestion,
        evidence={"foreground_share": share[-1], "target_foreground_share": target},
        epochs=tuple(int(epoch) for epoch in epochs[epochs >= since]),
    )


def unstable(facts: RunFacts) -> Finding | None:
    """Report a maximum drawdown that is too large, and what fell in it."""
    epochs, values = facts.curve(facts.metric)
    measured = stability(values, epochs=epochs)
    if not measured.max_drawdown > UNSTABLE_DRAWDOWN:
        return None
    at = int(np.flatnonzero(epochs == measured.max_drawdown_epoch)[0])
    peak = int(values[: at + 1].argmax())
    back = np.flatnonzero(values[at:] >= values[peak] - RECOVERY_MARGIN)
    recovered = int(epochs[at + back[0]]) if back.size else None
    epoch, peak_epoch = int(epochs[at]), int(epochs[peak])
    falls = fallen(facts.per_image, peak_epoch, epoch) if facts.per_image else ()
    suggestion = "lower the learning rate or clip gradients"
    outcome = "did not recover" if recovered is None else f"recovered at {recovered}"
    dip_epochs = [dip.epoch for dip in measured.dip_list]
    details = [text for text in (_dips(dip_epochs), describe(falls)) if text]
    return Finding(
        rule="unstable",
        severity="problem" if recovered is None else "warning",
        message=(
            f"{title(facts.metric)} fell by {measured.max_drawdown:.3f} at epoch {epoch} and "
            f"{outcome}: {'; '.join([suggestion, *details])}"
        ),
        threshold=f"maximum drawdown > {UNSTABLE_DRAWDOWN:g}",
        suggestion=suggestion,
        evidence={
            "max_drawdown": measured.max_drawdown,
            "level": values[at],
            "previous_best": values[peak],
            "previous_best_epoch": peak_epoch,
            "recovered_at": recovered,
            "dips": dip_epochs,
            "lr": facts.at("lr", epoch),
            "grad_norm": facts.at("train/grad_norm", epoch),
            "median_grad_norm": _median(facts.curve("train/grad_norm")[1]),
            "fallen": [vars(fall) for fall in falls[:10]],
        },
        epochs=tuple(sorted({*dip_epochs, epoch})),
    )


def overfitting(facts: RunFacts) -> Finding | None:
    """Report a validation score that falls while training draws away from it.

    Losses stand in where a run has no training score.
    """
    twin = facts.metric.replace("val/", "train/", 1)
    epochs, train, val = facts.pair(twin, facts.metric)
    names, fall_needed, gap_needed = (twin, facts.metric), OVERFITTING_FALL, OVERFITTING_GAP
    if not epochs.size:
        epochs, train, val = facts.pair("train/loss", "val/loss")
        names, train, val = ("train/loss", "val/loss"), -train, -val
        fall_needed = gap_needed = OVERFITTING_LOSS * abs(val.max()) if val.size else np.inf
    window = max(3, val.size // 5)
    if val.size < 2 * window:
        return None
    smooth_val, smooth_gap = _running_median(val), _running_median(train - val)
    best = int(smooth_val[:-window].argmax())
    fall = smooth_val[best] - float(np.median(val[-window:]))
    growth = float(np.median((train - val)[-window:])) - smooth_gap[best]
    if not (fall > fall_needed and growth > gap_needed):
        return None
    suggestion = "stop earlier, augment more, add weight decay or more images"
    return Finding(
        rule="overfitting",
        severity="warning",
        message=(
            f"since epoch {epochs[best]} {names[1]} became worse by {fall:.3f} while "
            f"{names[0]} drew away from it by {growth:.3f}: {suggestion}"
        ),
        threshold=(
            f"median of the last {window} epochs: validation worse than its best by more than "
            f"{fall_needed:.3g}, and the gap to training wider by more than {gap_needed:.3g}"
        ),
        suggestion=suggestion,
        evidence={"fall": fall, "gap_growth": growth, "best_epoch": epochs[best], "window": window},
        epochs=tuple(int(epoch) for epoch in epochs[best:]),
    )


def plateaued(facts: RunFacts) -> Finding | None:
    """Report a score that has neither risen nor fallen for a third of the run."""
    epochs, values = facts.curve(facts.metric)
    window = facts.patience or max(PLATEAU_EPOCHS, values.size // 3)
    if values.size < window + 2:
        return None
    before, last = values[:-window], values[-window:]
    gain = max(0.0, float(last.max() - before.max()))
    fall = float(values.max() - np.median(last))
    if not (gain < PLATEAU_GAIN and fall < PLATEAU_FALL):
        return None
    since = int(epochs[before.argmax()])
    suggestion = "train for fewer epochs, or lower the learning rate from there"
    return Finding(
        rule="plateaued",
        severity="note",
        message=(
            f"the best {facts.metric}, {before.max():.4f} at epoch {since}, rose by only "
            f"{gain:.4f} in the last {window} epochs: {suggestion}"
        ),
        threshold=(
            f"best of the last {window} epochs < {PLATEAU_GAIN:g} above the best before, and their "
            f"median < {PLATEAU_FALL:g} below the best"
        ),
        suggestion=suggestion,
        evidence={"gain": gain, "fall": fall, "window": window, "best_epoch": since},
        epochs=tuple(int(epoch) for epoch in epochs[-window:]),
    )


def still_improving(facts: RunFacts) -> Finding | None:
    """Report a run that ended while its score was still rising."""
    epochs, values = facts.curve(facts.metric)
    window = max(2, values.size // 5)
    if values.size < 2 * window or facts.outcome in ("pruned", "failed", "interrupted"):
        return None
    last, before = values[-window:], values[-2 * window : -window]
    rise = float(np.median(last) - np.median(before))
    if not (rise > IMPROVING_GAIN and values.argmax() >= values.size - window):
        return None
    early = facts.outcome == "early-stopped"
    suggestion = "give more patience" if early else "train for more epochs"
    return Finding(
        rule="still improving",
        severity="warning" if early else "note",
        message=(
            f"{facts.metric} still rose by {rise:.4f} over the last {window} epochs and was best "
            f"at epoch {epochs[values.argmax()]} of {epochs[-1]}: {suggestion}"
        ),
        threshold=(
            f"median of the last {window} epochs > {IMPROVING_GAIN:g} above the {window} before, "
            "and the best among them"
        ),
        suggestion=suggestion,
        evidence={"rise": rise, "window": window, "best_epoch": epochs[values.argmax()]},
        epochs=tuple(int(epoch) for epoch in epochs[-window:]),
    )


def too_few_images(facts: RunFacts) -> Finding | None:
    """Report a validation set that cannot carry the difference claimed.

    From the per-image Dice of the best epoch the half-width of a 95 % interval of their mean is
    t × standard deviation / √n; without it only the number of images can be judged.
    """
    claim = facts.claimed_difference or DEFAULT_CLAIM
    scores = _best_epoch_scores(facts)
    number = scores.size or facts.num_val_images
    if not number:
        return None
    half = np.nan
    if number > 1 and scores.size:
        half = t_quantile(0.95, number - 1) * float(scores.std(ddof=1)) / np.sqrt(number)
    if not (half > claim or number < FEW_IMAGES):
        return None
    suggestion = "validate on more images or folds, and compare runs image by image"
    known = f" know Dice to ± {half:.3f} only (95 %)" if half > claim else " are few"
    return Finding(
        rule="validation set too small",
        severity="note" if facts.claimed_difference is None else "warning",
        message=(
            f"{number} validation images{known}, too coarse for a difference of {claim:g}: "
            f"{suggestion}"
        ),
        threshold=(
            f"half of the 95 % interval of the mean per-image Dice > {claim:g}, or n < {FEW_IMAGES}"
        ),
        suggestion=suggestion,
        evidence={"images": number, "half_width": half, "claimed_difference": claim},
    )


def _best_epoch_scores(facts: RunFacts) -> Floats:
    """Return the Dice of each image at the best epoch that was kept; empty when none was."""
    per_image = facts.per_image
    if per_image is None or not len(per_image.epochs):
        return np.empty(0)
    kept = [facts.at(facts.metric, epoch) for epoch in per_image.epochs]
    best = int(np.nan_to_num(kept, nan=-np.inf).argmax())
    classes = per_image.dice[best][:, 1 if len(per_image.classes) == 2 else 0 :]
    scored = classes[~np.isnan(classes).all(axis=1)]
    return np.asarray(np.nanmean(scored, axis=1)) if scored.size else np.empty(0)


def _running_median(values: Floats) -> Floats:
    """Return the median of each epoch and its neighbours, so that one odd epoch counts little."""
    near = [values[max(0, at - 1) : at + 2] for at in range(values.size)]
    return np.array([np.median(window) for window in near])


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _at_rate(lr: float) -> str:
    return f" at learning rate {lr:g}" if np.isfinite(lr) else ""


def _dips(epochs: list[int]) -> str:
    if len(epochs) < 2:
        return ""
    return f"{len(epochs)} dips, at epochs {', '.join(str(epoch) for epoch in epochs)}"
