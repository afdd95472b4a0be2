"""Which metric a run is judged by."""

import re
from collections.abc import Collection, Mapping

from trainer.analysis.score_table import monitors, title

DEFAULT = "val/dice"
HEADLINE_TAG = "segscope.headline"
"""Set by hand on another program's run that logs several scores."""
STABILITY_TAG = "segscope.stability_of"
"""Names the metric that a run's ``stability/*`` and diagnoses are of; without it, `DEFAULT`."""

_VALIDATION = re.compile(r"(?<![a-z])(val|valid|validation)(?![a-z])")
_OVERLAP = re.compile(r"dice|iou|jaccard|(?<![a-z])f1")
_LOWER_IS_BETTER = re.compile(r"loss|err")


def headline(logged: Collection[str], *, params: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Return the metric that a run is judged by, higher is better; empty where nothing tells.

    The tag `HEADLINE_TAG`; else the parameter ``monitor``, where it names a score; else
    ``val/dice`` where it was ``logged``; else the one validation overlap that was. Of several
    such scores none is guessed, see `no_headline`.
    """
    if tag := tags.get(HEADLINE_TAG):
        return tag
    monitor = params.get("monitor", "")
    # Another program's run may have monitored its loss, or a name that it logged otherwise.
    if monitor in monitors() or (
        monitor in logged and not _LOWER_IS_BETTER.search(monitor.lower())
    ):
        return monitor
    if DEFAULT in logged:
        return DEFAULT
    known = _candidates(logged)
    return known[0] if len(known) == 1 else ""


def stability_of(tag: object) -> str:
    """Return what a run's stored ``stability/*`` and diagnoses are of, from its `STABILITY_TAG`."""
    return tag if isinstance(tag, str) else DEFAULT


def short(metric: str) -> str:
    """Return what a label calls a headline: ``Dice``; a metric of another name by that name."""
    return title(metric).removeprefix("validation ") if metric in monitors() else metric


def no_headline(logged: Collection[str]) -> str:
    """Return why a run that ``logged`` these metrics has no headline, and what gives it one."""
    known = _candidates(logged) or sorted(logged)
    said = f" of {', '.join(known)}" if known else ""
    return f"nothing says which metric the run is judged by: tag it {HEADLINE_TAG} with one{said}"


def _candidates(logged: Collection[str]) -> list[str]:
    """Return the metrics whose names say that they are overlaps (Dice, IoU, F1) on validation."""
    # What was logged once, of the best epoch or the test images, is no curve.
    once = ("best/", "test/", "stability/")
    lowered = {name: name.lower() for name in sorted(logged) if not name.startswith(once)}
    return [
        name
        for name, low in lowered.items()
        if _VALIDATION.search(low) and _OVERLAP.search(low) and not _LOWER_IS_BETTER.search(low)
    ]
