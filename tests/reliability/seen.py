"""What readers see of a run: all of it that two equal trainings share."""

from collections import Counter
from pathlib import Path

import numpy as np

from trainer.analysis.history import newest
from trainer.evaluation.per_image import FOLDER as PER_IMAGE
from trainer.evaluation.per_image import read_part
from trainer.evaluation.samples import FOLDER as SAMPLES
from trainer.evaluation.samples import read_predictions, read_samples, read_worst, sampled_epochs
from trainer.files import is_partial
from trainer.tracking import get_run
from trainer.tracking.places import local_path
from trainer.tracking.reading import chosen_runs, histories

# Times, and what a process took of the machine, are its own.
OWN_METRICS = ("time/", "throughput/", "memory/")
OWN_FILES = ("environment.json", "log.txt")


def folder_of(run_id: str) -> Path:
    """Return the folder of a run of a local store."""
    folder = local_path(get_run(run_id).info.artifact_uri)
    assert folder is not None
    return folder


def curves(run_id: str) -> dict[str, list[tuple[int, float]]]:
    """Return every metric at every step, as readers take it: the newest of each."""
    logged = histories([run_id], chosen_runs([run_id])["logged_metrics"].iloc[0])
    found = {}
    for key, rows in logged.groupby("metric", observed=True):
        if not str(key).startswith(OWN_METRICS):
            taken = newest(rows["step"], rows["value"])
            found[str(key)] = list(zip(taken.steps.tolist(), map(repr, taken.values), strict=True))
    return found


def files(run_id: str) -> dict[str, bytes]:
    """Return the content of every file of a run, but of those that tell of its processes."""
    folder = folder_of(run_id)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    shown = {p.relative_to(folder): p for p in paths if not any(map(is_partial, (p, *p.parents)))}
    return {str(k): p.read_bytes() for k, p in shown.items() if k.name not in OWN_FILES}


def repeated(run_id: str) -> int:
    """Return how many epochs were logged more than once."""
    steps = Counter(histories([run_id], ["val/dice"])["step"])
    return sum(times - 1 for times in steps.values())


def check_whole(run_id: str) -> None:
    """Fail where readers of a run, alive or dead, would meet a gap or half an epoch."""
    folder = folder_of(run_id)
    epochs = sorted(set(histories([run_id], ["val/dice"])["step"]))
    assert epochs == list(range(1, len(epochs) + 1))
    parts = sorted((folder / PER_IMAGE).glob("epoch-*.parquet"))
    sampled = sampled_epochs(folder / SAMPLES)
    for told in ([int(read_part(path)["epoch"].iloc[0]) for path in parts], sampled):
        assert told in (epochs, [*epochs, len(epochs) + 1])
    for epoch in sampled:
        assert np.array(read_predictions(folder / SAMPLES, epoch)).any()
    for epoch in epochs:
        read_worst(folder / SAMPLES, epoch)
    if sampled:
        read_samples(folder / SAMPLES)
