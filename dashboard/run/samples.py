"""A run's sample images, epoch by epoch, with what was right and wrong."""

from dashboard.curves.facts import epochs_to_show, notable_epochs
from dashboard.pictures.panels import sample_panels
from dashboard.pictures.viewer import overlay_viewer
from dashboard.store import reads
from dashboard.ui import states
from trainer.wording import counted


def show_samples(run_id: str) -> None:
    """Show the fixed sample images under one bar of controls; reruns alone while training."""
    if states.is_classifier(run_id):
        return
    epochs = reads.sample_epochs(run_id)
    if not epochs:
        states.nothing("This run has stored no sample predictions.", "trainer fit --samples 6")
        return
    curve = reads.headline_curves([run_id])[run_id]
    shown = epochs_to_show(epochs, notable_epochs(curve, reads.best_epoch(run_id)))
    panels, classes = sample_panels(run_id, shown)
    if not panels:
        states.nothing("The sample images of this run cannot be read; it may be writing them now.")
        return
    note = "The slider of epochs, the opacity and the view change in the browser."
    if len(shown) < len(epochs):
        of = f"{len(shown)} of {counted(len(epochs), 'epoch')}"
        note = f"{of}, with the best one and every dip. {note}"
    overlay_viewer(panels, classes, key=f"samples_{run_id}", steps=shown, note=note)
