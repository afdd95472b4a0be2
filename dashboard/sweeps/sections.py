"""The parts of the page Sweeps; each reads the sweep anew, so that it can rerun alone."""

import pandas as pd
import streamlit as st

from dashboard.display import plain, score
from dashboard.sweeps import figures, reads, trial
from dashboard.sweeps import parameter_figures as drawing
from dashboard.ui import downloads, named_choice, states
from dashboard.ui.charts import chart
from dashboard.ui.choice import one_of
from sweeps import reading
from sweeps.reading import ENOUGH, FANOVA, PED_ANOVA
from sweeps.trials import COMPLETE, RUNNING, SweepRead
from trainer.wording import counted, duration

DRAWDOWN = "maximum drawdown"
# Plotly gives parallel axes the colours of a light ground, whatever the theme.
AXES_IN_EITHER_THEME = """<style>
.parcoords .axis .domain, .parcoords .axis .tick line { stroke: #8c8c8c !important; }
.parcoords text { text-shadow: none !important; }
</style>"""
COSTS = {"max_drawdown": DRAWDOWN, "minutes": "training time, minutes"}


def show_progress(name: str) -> None:
    """Say how the sweep stands; it reruns alone while trials run."""
    sweep = reads.sweep(name)
    rerun_when_asked(live=RUNNING in sweep.counts)
    ended = sweep.ended
    total = sweep.total or ended + sweep.counts.get(RUNNING, 0)
    head = f"{ended} of {counted(total, 'trial')}: {sweep.counted}"
    st.progress(min(ended / total, 1.0) if total else 0.0, text=head)
    columns = st.columns(4)
    where = "" if sweep.best is None else f" · trial {sweep.best}"
    columns[0].metric(f"Best score{where}", _of_best(sweep, "value"))
    columns[1].metric("Its maximum drawdown", _of_best(sweep, "max_drawdown"))
    columns[2].metric("Epochs trained", f"{sweep.epochs_trained:,}")
    columns[3].metric("Time", duration(elapsed(sweep.trials)))
    if sweep.selection:
        st.caption(plain(sweep.selection))
    for number in sweep.trials.index[sweep.trials["state"] == RUNNING]:
        epochs, planned = int(sweep.trials["epochs"][number]), sweep.planned(number)
        done = min(epochs / planned, 1.0) if planned else 0.0
        st.progress(done, text=f"trial {number}: {epochs} of {counted(planned, 'epoch')}")


def elapsed(trials: pd.DataFrame) -> float | None:
    """Return the seconds from the first trial's start to the last end, or to now."""
    begun = trials[trials["started"].notna()]
    if begun.empty:
        return None
    running = (begun["state"] == RUNNING).any()
    end = pd.Timestamp.now(tz="UTC") if running else begun["ended"].max()
    return float((end - begun["started"].min()).total_seconds())


def show_history(name: str) -> None:
    """Draw the scores by trial, and when each trial ran."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    top = st.toggle("Zoom to the best", key="top", bind="query-params")
    figure = figures.draw_history(
        sweep.trials, sweep.parameters, metric=sweep.metric, top=top, chosen=_chosen()
    )
    _clickable(figure, "sweep_history", f"{sweep.metric} of every trial and the best so far")
    st.caption(
        "Pruned trials stand at the best score they reached; trials without a score stand on the "
        "floor. Click a mark to see its trial."
    )
    zone = st.context.timezone or "UTC"
    figure = figures.draw_timeline(sweep.trials, now=pd.Timestamp.now(tz="UTC"), zone=zone)
    _clickable(figure, "sweep_timeline", "When each trial ran")


def show_parameters(name: str) -> None:
    """Draw what the parameters do: all at once, one by one, two by two."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    of = one_of(
        "Shown",
        ["score", DRAWDOWN],
        key="of",
        format_func=lambda kind: sweep.metric if kind == "score" else kind,
    )
    column, metric = ("value", sweep.metric) if of == "score" else ("max_drawdown", DRAWDOWN)
    st.html(AXES_IN_EITHER_THEME)
    alt = "Every complete trial as a line through its parameters to its score"
    chart(
        drawing.draw_parallel(sweep.trials, sweep.parameters, metric=sweep.metric),
        key="sweep_parallel",
        alt=alt,
    )
    st.caption(
        "Complete trials by rank, orange (lowest) to blue (highest). Drag along an axis to filter."
    )
    figure = drawing.draw_slices(sweep.trials, sweep.parameters, metric=metric, column=column)
    _clickable(figure, "sweep_slices", f"{metric} over each parameter")
    show_contour(sweep, metric, column)


def show_contour(sweep: SweepRead, metric: str, column: str) -> None:
    """Draw a score over two parameters that the reader chooses."""
    names = [parameter.name for parameter in sweep.parameters]
    if len(names) < 2:
        st.caption("A contour needs two parameters.")
        return
    left, right, _ = st.columns([1, 1, 2])
    first = left.selectbox("Across", names, key="x", bind="query-params")
    second = right.selectbox("Up", names, index=1, key="y", bind="query-params")
    by_name = {parameter.name: parameter for parameter in sweep.parameters}
    x, y = by_name.get(str(first)), by_name.get(str(second))
    if x is None or y is None:
        return
    figure = drawing.draw_contour(sweep.trials, x, y, metric=metric, column=column)
    _clickable(figure, "sweep_contour", f"{metric} over {x.name} and {y.name}")
    st.caption("Interpolated between complete trials (inverse distance); empty where none is near.")


def show_importance(name: str) -> None:
    """Draw how much each parameter matters for the score and for the drawdown."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    complete = sweep.counts.get(COMPLETE, 0)
    usual = reading.usual_evaluator(complete)
    evaluator = one_of("Evaluator", [PED_ANOVA, FANOVA], key="evaluator", default=usual)
    shares = {
        what: reading.importances(
            sweep.trials, sweep.parameters, column, higher_is_better=better, evaluator=evaluator
        )
        or {}
        for what, column, better in (
            (sweep.metric, "value", True),
            (DRAWDOWN, "max_drawdown", False),
        )
    }
    chart(
        drawing.draw_importance(shares, evaluator=evaluator),
        key="sweep_importance",
        alt="Importance of each parameter for the score and for the drawdown",
    )
    st.caption(
        f"Optuna's {evaluator} on {counted(complete, 'complete trial')}; "
        f"it asks for {ENOUGH[evaluator]}. "
        + (
            "How much a parameter decides whether a trial is among the best tenth."
            if evaluator == PED_ANOVA
            else "How much of the variance a parameter explains, by a random forest."
        )
        + " Shares of 1; with few trials they are rough."
    )


def show_curves(name: str) -> None:
    """Draw every trial's score by epoch."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    top = st.toggle("Zoom to the top", key="curves_top", bind="query-params")
    figure = figures.draw_trial_curves(
        sweep.trials, reads.curves(sweep), metric=sweep.metric, top=top, chosen=_chosen(sweep)
    )
    _clickable(figure, "sweep_curves", f"{sweep.metric} of every trial by epoch")
    st.caption("The mark at a curve's end says how the trial ended. Every epoch is drawn.")


def show_front(name: str) -> None:
    """Draw the trials that no other beats in score and cost."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    cost = one_of("Against", list(COSTS), key="cost", format_func=COSTS.__getitem__)
    figure = figures.draw_pareto(
        sweep.trials,
        sweep.parameters,
        cost=cost,
        cost_name=COSTS[cost],
        metric=sweep.metric,
        chosen=_chosen(),
    )
    _clickable(figure, "sweep_front", f"{sweep.metric} against {COSTS[cost]}")
    complete = sweep.trials[sweep.trials["state"] == COMPLETE]
    without = int(complete[cost].isna().sum())
    lacking = counted(
        without, "complete trial has none and is", "complete trials have none and are"
    )
    note = f" {lacking} left out." if without else ""
    st.caption(f"No trial is better in both than one on the front.{note}")


def show_trials(name: str) -> None:
    """Show the table of trials."""
    sweep = reads.sweep(name)
    rerun_when_asked()
    if sweep.trials.empty:
        states.nothing("No trial has begun yet.")
        return
    trial.show_table(sweep)
    saved = sweep.trials.drop(columns=["run_ids", "scores"])
    downloads.save_table(saved, "trials", ("CSV", "Markdown", "LaTeX"))


def rerun_when_asked(live: bool = True) -> None:
    """Rerun the page when a trial was clicked in one of its parts, or when all has ended."""
    was_live = st.session_state.get("_sweep_live", False)
    if st.session_state.pop(trial.PICKED, False) or (was_live and not live):
        st.session_state["_sweep_live"] = False
        st.rerun()


def _of_best(sweep: SweepRead, column: str) -> str:
    return score(None if sweep.best is None else float(sweep.trials[column][sweep.best]))


def _chosen(sweep: SweepRead | None = None) -> int | None:
    found = named_choice.chosen(trial.TRIAL)
    if found is None:
        return None if sweep is None else sweep.best
    return int(found)


def _clickable(figure: object, key: str, alt: str) -> None:
    chart(figure, key=key, alt=alt, on_select=lambda: trial.take_click(key))
