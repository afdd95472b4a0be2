"""Put a version into use, or go back: the comparison first, then the button."""

import streamlit as st

from dashboard.compare import reads as compare_reads
from dashboard.compare.figures import draw_intervals
from dashboard.display import score
from dashboard.models import reads as model_reads
from dashboard.store import reads
from dashboard.ui import named_choice, navigation, states
from dashboard.ui.charts import chart
from dashboard.ui.named_choice import choose_named
from trainer.analysis.score_table import comparable
from trainer.prediction.registry import CHAMPION, ModelVersion

ALIAS = "alias"


def choose_alias(versions: list[ModelVersion]) -> str:
    """Let the reader choose which alias is meant; the address holds it as ``alias``."""
    known = [CHAMPION, *sorted({a for v in versions for a in v.aliases} - {CHAMPION})]
    if len(known) == 1:
        return CHAMPION
    return choose_named("Alias", known, key=ALIAS, width=260)


def show(chosen: ModelVersion, versions: list[ModelVersion], alias: str) -> None:
    """Compare the chosen version with the one in use, then offer to put it into use."""
    current = model_reads.holder(versions, alias)
    if current is None:
        st.subheader(f"Put version {chosen.version} into use", anchor=False)
        st.text(f"No version has the alias {alias}, so there is nothing to compare with.")
        _offer(chosen, alias)
        return
    if current.version == chosen.version:
        st.subheader(f"Version {chosen.version} is in use", anchor=False)
        st.text(f"{alias} points at it. Choose another version to compare it with this one.")
        _offer_roll_back(current, alias)
        return
    st.subheader(f"Version {chosen.version} against the {alias}", anchor=False)
    show_comparison(chosen, current)
    _offer(chosen, alias)
    _offer_roll_back(current, alias)


def show_comparison(a: ModelVersion, b: ModelVersion) -> None:
    """Show whether A, the chosen version, is better than B, the one in use."""
    st.text(f"A = version {a.version}, Dice {_dice(a)}    B = version {b.version}, Dice {_dice(b)}")
    wrong = not_comparable(a, b)
    if wrong is not None:
        states.nothing(f"Not comparable: {wrong}.")
        return
    column = st.columns([1, 2])[0]
    decides = column.selectbox(
        "Score that decides", comparable(), key="decides", bind="query-params"
    )
    try:
        verdict = compare_reads.verdict(
            {"version " + v.version: [str(v.run_id)] for v in (a, b)}, str(decides), of_models=True
        )
    except ValueError as error:
        st.text(f"Not comparable: {error}.")
        return
    (found,) = verdict.pairs
    with st.container(border=True, gap="xsmall"):
        st.text(found.line)
        for note in found.notes:
            st.text(f"Note: {note}.")
        if found.is_open:
            st.text(f"Plan: {found.plans()[-1]}.")
    chart(draw_intervals(found), key="promotion_intervals", alt="Differences with their intervals")
    st.caption(
        f"Paired bootstrap over {found.sample.told('validation')}, {found.resamples:,} resamples; "
        f"{found.a} stands at {verdict.best[str(a.run_id)]}; "
        f"{found.b} at {verdict.best[str(b.run_id)]}."
    )
    navigation.page_link("compare", "Compare the two runs in full", runs=f"{a.run_id},{b.run_id}")


def not_comparable(a: ModelVersion, b: ModelVersion) -> str | None:
    """Return why there are no two runs to compare, else None."""
    if a.run_id is None or b.run_id is None:
        return "one of them does not come from a run of this store"
    if a.run_id == b.run_id:
        return "both come from the same run"
    for version in (a, b):
        if reads.run(str(version.run_id)) is None:
            return f"the run of version {version.version} is no longer in this store"
    return None


def _offer(chosen: ModelVersion, alias: str) -> None:
    if reads.settings().read_only:
        st.caption("This dashboard is read-only: aliases are changed with trainer promote.")
        return
    st.button(
        f"Promote version {chosen.version} to {alias}",
        type="primary",
        key="promote",
        on_click=_promote,
        args=(chosen.name, chosen.version, alias),
    )


def _offer_roll_back(current: ModelVersion, alias: str) -> None:
    if reads.settings().read_only:
        return
    known = model_reads.earlier(current.name, alias, current.version)
    if known:
        st.button(
            f"Roll {alias} back to version {known[-1]}",
            key="roll_back",
            on_click=_roll_back,
            args=(current.name, alias),
            help="The version it pointed at before, as noted here and by trainer promote",
        )


def _promote(name: str, version: str, alias: str) -> None:
    try:
        model_reads.promote(name, version, alias=alias)
    except ValueError as error:
        st.toast(str(error), duration="long")
        return
    st.toast(f"{alias} points at version {version}")


def _roll_back(name: str, alias: str) -> None:
    try:
        version = model_reads.roll_back(name, alias=alias)
    except ValueError as error:
        st.toast(str(error), duration="long")
        return
    named_choice.choose("version", version)
    st.toast(f"{alias} points at version {version} again")


def _dice(version: ModelVersion) -> str:
    try:
        return score(float(version.tags["best.val_dice"]))
    except (KeyError, ValueError):
        return score(None)
