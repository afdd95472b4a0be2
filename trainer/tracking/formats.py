"""The format that a run is written in, its names in the store and its files; a later one is told.

A run of format 1 has no tag that says so. Every file with a schema of its own says its format too:
configurations, sweeps' specs, checkpoints and models.
"""

from collections.abc import Mapping

TAG = "segscope.format"
FORMAT = 2
FORMATS = (1, FORMAT)


def later_format(tags: Mapping[str, str]) -> str | None:
    """Return why a run cannot be read, which a later version wrote; None where it can."""
    written = tags.get(TAG, "1")
    if written in map(str, FORMATS):
        return None
    reads = f"{FORMATS[0]} to {FORMATS[-1]}"
    return f"it has format {written[:20]!r}; this version reads {reads}: upgrade Segscope"


def check_run_format(run_id: str, tags: Mapping[str, str]) -> None:
    """Raise ``ValueError`` for a run that a later version wrote."""
    if why := later_format(tags):
        raise ValueError(f"run: {run_id} cannot be read: {why}")
