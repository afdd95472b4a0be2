"""A run's sample images, epoch by epoch, with what was right and wrong."""

import numpy as np

from dashboard.curves.facts import best_epoch, epochs_to_show
from dashboard.pictures.panels import sample_panels
from dashboard.pictures.viewer import overlay_viewer
from dashboard.store import reads, run_table
from dashboard.ui import states
from trainer.analysis.dips import dips
from trainer.analysis.history import clean


def show_samples(run_id: str) -> None:
    """Show the fixed sample images under one bar of controls; reruns alone while training."""
    epochs = reads.sample_epochs(run_id)
    if not epochs:
        states.nothing("This run has stored no sample predictions.", "trainer fit --samples 6")
        return
    curve = reads.curves([run_id], run_table.MAIN_METRIC)[run_id]
    shown = epochs_to_show(epochs, _notable(curve.steps, curve.values))
    panels, classes = sample_panels(run_id, shown)
    if not panels:
        states.nothing("The sample images of this run cannot be read; it may be writing them now.")
        return
    note = "The slider of epochs, the opacity and the view change in the browser."
    if len(shown) < len(epochs):
        note = f"{len(shown)} of {len(epochs)} epochs, with the best one and every dip. {note}"
    overlay_viewer(panels, classes, key=f"samples_{run_id}", steps=shown, note=note)


def _notable(steps: np.ndarray, values: np.ndarray) -> set[int]:
    cleaned = clean(steps, values)
    best = best_epoch(cleaned.steps, cleaned.values)
    found = {dip.epoch for dip in dips(cleaned.values, epochs=cleaned.steps)}
    around = {epoch + offset for epoch in found for offset in (-1, 0, 1)}
    return around | ({best} if best is not None else set())
