"""What happened in that epoch: which images and classes fell, and their masks around it."""

from collections.abc import Sequence

import streamlit as st

from dashboard.dip import facts, parts
from dashboard.dip.facts import AGAINST, Moment
from dashboard.dip.figures import OTHER_METRICS, draw_epoch_choice
from dashboard.pictures.stored import classes_of
from dashboard.store import reads
from dashboard.store.cache import Curve
from dashboard.ui import navigation, run_picker, states
from dashboard.ui.charts import chart
from dashboard.ui.choice import one_of
from trainer.analysis.dips import Dip, deepest_fall, dips
from trainer.analysis.headline import no_headline
from trainer.analysis.history import clean
from trainer.wording import counted

ALL = "all classes"
CHART = "epoch_choice"
DIP_BUTTONS = 8


def main() -> None:
    """Draw the page."""
    st.subheader("Dip", anchor=False)
    run_id = run_picker.one_run()
    if run_id is None:
        return
    row = reads.run(run_id)
    if not row["headline"]:
        st.text(f"No headline: {no_headline(row['logged_metrics'])}.")
        return
    curve = reads.headline_curves([run_id])[run_id]
    cleaned = clean(curve.steps, curve.values)
    if cleaned.values.size < 2:
        states.nothing(
            f"This run has {counted(cleaned.values.size, 'finite value')} of {row['headline']}; a "
            "fall needs two epochs."
        )
        return
    found = dips(cleaned.values, epochs=cleaned.steps)
    show_dips(found, deepest_fall(cleaned.values, epochs=cleaned.steps))
    shown = choose(run_id, curve, [int(step) for step in cleaned.steps])
    show_curve(run_id, curve, found, shown)
    if shown is None:
        states.nothing("This is the first epoch: there is none before it to compare with.")
        return
    if states.is_classifier(run_id):
        return
    parts.show_numbers(run_id, shown)
    show_parts(run_id, shown)


def show_dips(found: Sequence[Dip], fall: Dip | None) -> None:
    """Offer the dips, the deepest first, and the deepest fall where it is none: a press away."""
    if fall is None:
        st.caption(
            "This run has no dip: it never falls. Choose any epoch to see what changed in it."
        )
        return
    deepest = sorted(found, key=lambda dip: -dip.drawdown)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.text(f"{counted(len(found), 'dip')}:" if found else "This run has no dip.")
        for dip in deepest[:DIP_BUTTONS]:
            _offer(dip)
        if len(deepest) > DIP_BUTTONS:
            st.text(f"and {len(deepest) - DIP_BUTTONS} smaller ones")
        if fall not in found:
            st.text("Deepest fall:")
            _offer(fall)


def _offer(fall: Dip) -> None:
    label = f"Epoch {fall.epoch} · −{fall.drawdown:.4f}"
    st.button(label, key=f"dip_{fall.epoch}", on_click=_take, args=(fall.epoch,))


def choose(run_id: str, curve: Curve, steps: list[int]) -> Moment | None:
    """Let the reader choose the epoch, and what it is compared with."""
    left, middle, right = st.columns([1, 2, 2], vertical_alignment="bottom")
    default = facts.default_epoch(curve)
    first = steps.index(default) if default in steps else 0
    epoch = left.selectbox("Epoch", steps, index=first, key="epoch", bind="query-params")
    against = one_of("Compared with", AGAINST, key="compared_with", where=middle)
    with right.container(horizontal=True, gap="medium"):
        navigation.page_link("run", "Its run", run=run_id)
        navigation.page_link("samples", "Its samples at this epoch", run=run_id, epoch=str(epoch))
    return facts.moment(curve, int(epoch or 0), against)


def show_curve(run_id: str, curve: Curve, found: Sequence[Dip], shown: Moment | None) -> None:
    """Draw the curve with learning rate and gradient norm; a click chooses an epoch."""
    others = {m: reads.curves([run_id], m)[run_id] for m in OTHER_METRICS}
    headline = reads.run(run_id)["headline"]
    figure = draw_epoch_choice(curve, others, found, shown, metric=headline)
    said = (
        f"{headline}, gradient norm and learning rate by epoch, {counted(len(found), 'dip')} ringed"
    )
    chart(figure, key=CHART, alt=said, on_select=_take_click)
    st.caption("Click an epoch to take it apart; the dotted lines are what it is compared with.")


def show_parts(run_id: str, shown: Moment) -> None:
    """Show images, classes and masks around the chosen epoch."""
    rows = reads.per_image(run_id, shown.epochs)
    kept = {int(epoch) for epoch in rows["epoch"].unique()}
    if not {shown.before, shown.epoch} <= kept:
        parts.show_explanation(run_id, rows.iloc[:0], shown)
        states.nothing("This run has stored no per-image scores of these epochs.")
        return
    parts.show_explanation(run_id, rows, shown)
    classes = classes_of(run_id)
    class_name = None
    if len(classes) > 2:
        chosen = st.selectbox("Of", [ALL, *classes], key="class", bind="query-params", width=260)
        class_name = None if chosen in (None, ALL) else str(chosen)
    left, right = st.columns([3, 2], gap="large")
    with left:
        parts.show_images(rows, shown, class_name)
    with right:
        parts.show_classes(rows, shown)
    parts.show_masks(run_id, shown, class_name)


def _take(epoch: int) -> None:
    st.session_state["epoch"] = epoch


def _take_click() -> None:
    points = st.session_state[CHART]["selection"]["points"]
    if points:
        _take(int(points[0]["x"]))


main()
