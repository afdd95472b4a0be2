"""Validation images of a run, the worst first; the same images under several runs."""

from collections.abc import Sequence

import streamlit as st

from dashboard.curves.facts import configuration_labels, epochs_to_show, notable_epochs
from dashboard.display import label, plain
from dashboard.pictures import scores as image_scores
from dashboard.pictures.stored import classes_of
from dashboard.samples import gallery as sample_gallery
from dashboard.samples import side_by_side
from dashboard.samples.gallery import Wanted
from dashboard.store import reads, run_table
from dashboard.ui import run_picker, selection, states
from dashboard.ui.choice import one_of

ALL = "all classes"
SIDES = 4


def main() -> None:
    """Draw the page."""
    st.subheader("Samples", anchor=False)
    run_id = run_picker.one_run()
    if run_id is None or states.is_classifier(run_id):
        return
    epochs = stored_epochs(run_id)
    if not epochs:
        states.nothing(
            "This run has stored neither sample pictures nor per-image scores. Another program's "
            "runs have none; a run of Segscope has them after its first epoch.",
            states.FIRST_RUN,
        )
        return
    wanted = controls(run_id, epochs)
    gallery, beside, scores = st.tabs(
        ["Gallery", "Several runs", "All images"], key="shown", bind="query-params"
    )
    if gallery.open:
        with gallery:
            curve = reads.headline_curves([run_id])[run_id]
            notable = notable_epochs(curve, reads.best_epoch(run_id)) | {wanted.epoch}
            shown = epochs_to_show(reads.sample_epochs(run_id), notable)
            sample_gallery.show_gallery(run_id, shown, wanted)
    if beside.open:
        with beside:
            show_several(run_id, wanted)
    if scores.open:
        with scores:
            sample_gallery.show_scores(run_id, wanted)


def stored_epochs(run_id: str) -> list[int]:
    """Return the epochs with per-image scores or sample pictures, in order."""
    rows = reads.per_image(run_id)
    scored = {int(epoch) for epoch in rows["epoch"].unique()}
    return sorted(scored | set(reads.sample_epochs(run_id)))


def controls(run_id: str, epochs: Sequence[int]) -> Wanted:
    """Let the reader choose the epoch, the score and the class that order the images."""
    best = reads.best_epoch(run_id)
    known = best is not None and best.epoch in epochs
    first = epochs.index(best.epoch) if best is not None and known else len(epochs) - 1
    left, middle, right = st.columns([2, 2, 3], vertical_alignment="bottom")
    epoch = left.selectbox(
        "Worst first at epoch" if best is None else f"Worst first at epoch (best: {best.epoch})",
        epochs,
        index=first,
        key="epoch",
        bind="query-params",
        help=None if best is None else plain(f"This run stands at {best}."),
    )
    score = one_of("By", list(image_scores.SCORES), key="order_by", where=middle)
    classes = classes_of(run_id)
    chosen = right.selectbox(
        "Of",
        [ALL, *classes],
        key="class",
        bind="query-params",
        help="All classes: the mean over the classes that an image has; of two, the foreground.",
    )
    return Wanted(str(score), None if chosen in (None, ALL) else str(chosen), int(epoch or 0))


def show_several(run_id: str, wanted: Wanted) -> None:
    """Show the run beside the selected ones, on the images that all of them stored."""
    chosen = [r for r in selection.selected() if r != run_id and reads.sample_epochs(r)]
    run_ids = [run_id, *chosen][:SIDES]
    add_run(run_id, run_ids)
    if len(run_ids) < 2:
        states.nothing("Add a run, or select runs on the page Runs: they appear beside this one.")
        return
    runs = reads.runs().loc[run_ids]
    labels = configuration_labels(runs, run_table.differing_parameters(runs, at_most=4))
    side_by_side.show_side_by_side(run_ids, wanted, labels)
    side_by_side.show_disagreement(run_ids[:2], wanted)


def add_run(run_id: str, shown: Sequence[str]) -> None:
    """Offer the runs of the same data; a chosen one joins the selection of all pages."""
    runs = reads.runs()
    same = runs["data"].eq(str(runs.loc[run_id, "data"])) & ~runs["archived"].astype(bool)
    others = [str(r) for r in runs.index[same] if r not in shown][: run_picker.NEAR]
    if not others or len(shown) >= SIDES:
        return
    names = runs["name"]
    st.selectbox(
        "Add a run",
        others,
        index=None,
        key="add_run",
        on_change=_add,
        width=420,
        placeholder="a run on the same data",
        format_func=lambda r: label(names[r], r),
    )


def _add() -> None:
    added = st.session_state["add_run"]
    if added:
        selection.select([*selection.selected(), added])
        st.session_state["add_run"] = None


main()
