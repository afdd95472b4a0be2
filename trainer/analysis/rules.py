"""The named rules of a diagnosis, one pure function each: facts in, a finding or None out.

The thresholds are ours, chosen so that the curves of real reports fall on the right side, and
each finding shows the one it met. A rule judges by full histories, and by medians of a few
epochs where a single odd epoch must not decide.
"""

from dataclasses import asdict

import numpy as np

from trainer.analysis.bootstrap import half_width
from trainer.analysis.dips import RECOVERY_MARGIN, dips
from trainer.analysis.fallen import describe, fallen
from trainer.analysis.findings import Finding, Floats, Ints, RunFacts, running_median
from trainer.analysis.history import is_finite
from trainer.analysis.ratios import Sample
from trainer.analysis.score_table import title
from trainer.analysis.scores import nan_mean_last
from trainer.wording import counted, measured

UNSTABLE_DRAWDOWN = 0.05
"""A drawdown above this is called unstable, …"""
FIRST_EPOCHS = 3
"""… past this many epochs, in which a network may still stagger."""
PLATEAU_GAIN = 0.001
"""Plateaued: the best score rose by less than this over the last window, …"""
PLATEAU_NOISE = 2.0
"""… or by less than this many times its spread from epoch to epoch, …"""
MEDIAN_STEP = 0.954
"""The median step from epoch to epoch of independent normal noise, in standard deviations."""
PLATEAU_FALL = 0.01
"""… and the curve did not fall away from it either."""
PLATEAU_EPOCHS = 4
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


def not_finite(facts: RunFacts) -> Finding | None:
    """Report the epochs whose score is no finite number, which no statistic counts."""
    steps, values = facts.history(facts.metric)
    bad = steps[~is_finite(values)]
    if bad.size == 0:
        return None
    suggestion = "look at these epochs' losses, and for a class that no validation image has"
    return Finding(
        rule="not finite",
        severity="problem" if 2 * bad.size >= steps.size or bad[-1] == steps[-1] else "warning",
        message=(
            f"{facts.metric} is no finite number in {bad.size} of {counted(steps.size, 'epoch')} "
            f"(the first: {bad[0]}), which nothing counts: {suggestion}"
        ),
        threshold="the score that is judged is NaN or infinite",
        suggestion=suggestion,
        evidence={"metric": facts.metric, "non_finite": bad.size, "epochs": steps.size},
        epochs=tuple(int(epoch) for epoch in bad),
    )


def _has_gap(facts: RunFacts, window: int) -> bool:
    """Whether one of the last epochs has no finite score: no trend is told across it."""
    return not is_finite(facts.history(facts.metric).values[-window:]).all()


def unstable(facts: RunFacts) -> Finding | None:
    """Report a maximum drawdown that is too large, and what fell in it."""
    epochs, values = facts.curve(facts.metric)
    drawdowns = np.maximum.accumulate(values) - values
    drawdowns[:FIRST_EPOCHS] = 0
    if not drawdowns.max(initial=0) > UNSTABLE_DRAWDOWN:
        return None
    at = int(drawdowns.argmax())
    peak = int(values[: at + 1].argmax())
    if _is_alone(values, peak):
        return _lone_peak(facts.metric, epochs, values, peak)
    drawdown = drawdowns[at]
    back = np.flatnonzero(values[at:] >= values[peak] - RECOVERY_MARGIN)
    recovered = int(epochs[at + back[0]]) if back.size else None
    epoch, peak_epoch = int(epochs[at]), int(epochs[peak])
    falls = fallen(facts.per_image, peak_epoch, epoch) if facts.per_image else ()
    suggestion = "lower the learning rate or clip gradients"
    outcome = "did not recover" if recovered is None else f"recovered at {recovered}"
    dip_epochs = [dip.epoch for dip in dips(values, epochs=epochs)]
    details = [text for text in (_dips(dip_epochs), describe(falls)) if text]
    return Finding(
        rule="unstable",
        severity="problem" if recovered is None and _ends_low(values) else "warning",
        message=(
            f"{title(facts.metric)} fell by {drawdown:.3f} at epoch {epoch} and "
            f"{outcome}: {'; '.join([suggestion, *details])}"
        ),
        threshold=(
            f"maximum drawdown > {UNSTABLE_DRAWDOWN:g}, the first {FIRST_EPOCHS} epochs left out"
        ),
        suggestion=suggestion,
        evidence={
            "max_drawdown": drawdown,
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


def _is_alone(values: Floats, peak: int) -> bool:
    """Whether one epoch rose far above those beside it, and nothing fell but from there."""
    if not 0 < peak < values.size - 1:
        return False
    beside = max(values[peak - 1], values[peak + 1])
    level = np.maximum.accumulate(np.where(np.arange(values.size) == peak, beside, values))
    falls = (level - values)[FIRST_EPOCHS:]
    return bool(values[peak] - beside > UNSTABLE_DRAWDOWN and falls.max() <= UNSTABLE_DRAWDOWN)


def _lone_peak(metric: str, epochs: Ints, values: Floats, peak: int) -> Finding:
    epoch, beside = int(epochs[peak]), max(values[peak - 1], values[peak + 1])
    suggestion = "do not rely on an epoch that no other bears out; validate on more images"
    return Finding(
        rule="unstable",
        severity="warning",
        message=(
            f"{title(metric)} was {values[peak]:.3f} at epoch {epoch} alone, and at most "
            f"{beside:.3f} beside it: {suggestion}"
        ),
        threshold=f"one epoch more than {UNSTABLE_DRAWDOWN:g} above those beside it, and no fall",
        suggestion=suggestion,
        evidence={"level": values[peak], "beside": beside},
        epochs=(epoch,),
    )


def _ends_low(values: Floats) -> bool:
    """Whether the last window lies below the level that the run had, by medians of both."""
    window = max(3, values.size // 5)
    level = running_median(values).max()
    return bool(level - np.median(values[-window:]) > UNSTABLE_DRAWDOWN)


def plateaued(facts: RunFacts) -> Finding | None:
    """Report a score that has neither risen nor fallen for a third of the run."""
    epochs, values = facts.curve(facts.metric)
    window = max(2, facts.patience or max(PLATEAU_EPOCHS, values.size // 3))
    if values.size < window + 2 or _has_gap(facts, window):
        return None
    smooth = running_median(values)
    before, last = smooth[:-window], smooth[-window:]
    gain = max(0.0, float(last.max() - before.max()))
    fall = float(smooth.max() - np.median(last))
    spread = float(np.median(np.abs(np.diff(values[-window:])))) / MEDIAN_STEP
    least = max(PLATEAU_GAIN, PLATEAU_NOISE * spread)
    if not (gain < least and fall < PLATEAU_FALL):
        return None
    best = values[:-window]
    since = int(epochs[best.argmax()])
    rose = f"rose by only {measured(gain)}" if gain > 0 else "did not rise"
    suggestion = "train for fewer epochs, or lower the learning rate from there"
    return Finding(
        rule="plateaued",
        severity="note",
        message=(
            f"the best {facts.metric}, {best.max():.4f} at epoch {since}, {rose} "
            f"in the last {window} epochs, one odd epoch left out: {suggestion}"
        ),
        threshold=(
            f"best of the last {window} epochs < {least:.2g} above the best "
            f"before, and their median < {PLATEAU_FALL:g} below the best (of running medians)"
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
    if _has_gap(facts, 2 * window):
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

    The per-image Dice of the best epoch tells how well their mean is known; without it only the
    number of images can be judged.
    """
    claim = facts.claimed_difference or DEFAULT_CLAIM
    scores, groups = _best_epoch_scores(facts)
    number = scores.size or facts.num_val_images
    if not number:
        return None
    half = half_width(scores, groups)
    shown = Sample(number, len(set(groups)) if groups else None)
    if not (half > claim or number < FEW_IMAGES):
        return None
    suggestion = f"validate on more {shown.unit} or folds, and compare runs image by image"
    verbs = ("knows", "is") if number == 1 else ("know", "are")
    known = f" {verbs[0]} Dice to ± {half:.3f} only (95 %)" if half > claim else f" {verbs[1]} few"
    return Finding(
        rule="validation set too small",
        severity="note" if facts.claimed_difference is None else "warning",
        message=(
            f"{shown.told('validation')}{known}, too coarse for a difference of "
            f"{claim:g}: {suggestion}"
        ),
        threshold=(
            f"half of the 95 % interval of the mean per-image Dice > {claim:g}, or n < {FEW_IMAGES}"
        ),
        suggestion=suggestion,
        evidence={**asdict(shown), "half_width": half, "claimed_difference": claim},
    )


def _best_epoch_scores(facts: RunFacts) -> tuple[Floats, list[str] | None]:
    """Return the Dice and the group of each image at the best epoch kept; empty when none was."""
    per_image = facts.per_image
    if per_image is None or not len(per_image.epochs):
        return np.empty(0), None
    kept = [facts.at(facts.metric, epoch) for epoch in per_image.epochs]
    best = int(np.nan_to_num(kept, nan=-np.inf).argmax())
    classes = per_image.dice[best][:, 1 if len(per_image.classes) == 2 else 0 :]
    scores = nan_mean_last(classes)
    there = ~np.isnan(scores)
    groups = per_image.groups and np.asarray(per_image.groups, dtype=str)[there].tolist()
    return scores[there], groups or None


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _at_rate(lr: float) -> str:
    return f" at learning rate {lr:g}" if np.isfinite(lr) else ""


def _dips(epochs: list[int]) -> str:
    if len(epochs) < 2:
        return ""
    return f"{len(epochs)} dips, at epochs {', '.join(str(epoch) for epoch in epochs)}"
