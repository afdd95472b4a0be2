"""The first part of a run's page: curves, configuration, diagnoses, stability."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.curves.facts import CurveInfo, curve_infos, drawn_badge
from dashboard.curves.figures import draw_curves
from dashboard.display import number, plain, score, short_name
from dashboard.run import facts
from dashboard.store import reads
from dashboard.ui import states, tables
from dashboard.ui.charts import chart
from trainer.analysis.definitions import DEFINITIONS
from trainer.analysis.diagnosis import diagnose
from trainer.analysis.headline import DEFAULT, STABILITY_TAG, stability_of
from trainer.analysis.history import History
from trainer.analysis.learning_rates import PICTURE
from trainer.analysis.score_table import title, twin
from trainer.analysis.stability import STATISTICS, Stability, of_history
from trainer.data.files.imagefile import UnreadableFile, decoded, named_faults, opened
from trainer.wording import MISSING, counted

DIAGNOSED = ("val/loss", "train/loss", "train/grad_norm", "lr", "val/foreground_share")
"""What the rules read beside the headline and its twin on the training images."""
SCORES = ("val/dice", "train/dice", "val/miou")
LOSSES = ("val/loss", "train/loss")


def show_curves(run_id: str) -> None:
    """Draw the scores and the losses by epoch; reruns alone while the run trains."""
    left, right = st.columns(2)
    with left:
        infos = _infos(run_id, tuple(dict.fromkeys((*_judged(run_id), *SCORES))))
        if not infos:
            infos = _infos(run_id, tuple(_foreign_metrics(run_id)))
        chart(
            draw_curves(infos, metric="score", height=320),
            key="scores",
            alt="Scores over epochs, dips ringed",
        )
        st.caption(drawn_badge(infos))
    with right:
        losses = _infos(run_id, LOSSES)
        chart(
            draw_curves(losses, metric="loss", height=320), key="losses", alt="Losses over epochs"
        )


def show_range_test(run_id: str) -> None:
    """Show the curve of a range test of learning rates, and what it was made with."""
    path = reads.artifact(run_id, PICTURE)
    if path is None:
        states.nothing("This test of learning rates has left no curve.")
    else:
        try:
            with named_faults(path), opened(path) as image:
                st.image(np.asarray(decoded(image)), caption="Test of learning rates")
        except UnreadableFile as error:
            st.text(f"{PICTURE}: {error.problem}")
    show_configuration(reads.run(run_id))


def show_details(run_id: str) -> None:
    """Show the configuration, what the diagnoses find, and the stability statistics."""
    row = reads.run(run_id)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Configuration", anchor=False)
        show_configuration(row)
    with right:
        st.subheader("Diagnoses", anchor=False)
        show_diagnoses(run_id)
    show_stability(run_id)


def show_configuration(row: Any) -> None:
    """Show what differs from the defaults first, then all parameters."""
    params = facts.parameters(row)
    if not params:
        states.nothing("This run has logged no parameters.")
        return
    changed = facts.differences_from_default(params)
    if said := facts.arithmetic(row):
        st.text(said)
    if changed.empty:
        st.caption("Every parameter has its default.")
    else:
        tables.show(changed, "differences", "Parameters that differ from their defaults")
    noted = reads.json_value(str(row.name), "dataset.json")
    if isinstance(noted, dict) and noted.get("notes"):
        with st.expander("Data, as it was read"):
            st.text("\n".join(map(str, noted["notes"])))
    with st.expander(f"All {counted(len(params), 'parameter')}"):
        table = pd.Series(params, name="value").rename_axis("parameter").to_frame()
        tables.show(table, "parameters", "All parameters")


def show_diagnoses(run_id: str) -> None:
    """Show what the rules found when the run ended, or what they find now."""
    stored = reads.json_value(run_id, "diagnoses.json")
    findings = _diagnosed_now(run_id) if stored is None else stored
    row = reads.run(run_id)
    of = stability_of(row.get(f"tags.{STABILITY_TAG}"))
    if stored is not None and row["headline"] and of != row["headline"]:
        st.caption(plain(f"Found when the run ended; they judge {title(of)}."))
    if not findings:
        st.caption("No rule found anything in this run's curves.")
    for finding in findings:
        with st.container(border=True, gap="xsmall"):
            st.markdown(f"**{plain(finding['rule'])}** · {plain(finding.get('severity', ''))}")
            st.text(finding["message"])
            with st.expander(f"Rule: {plain(finding.get('threshold', ''))}"):
                st.json(finding.get("evidence", {}), expanded=True)


def show_stability(run_id: str) -> None:
    """Show every statistic with its definition, the length of its tail, and the dips."""
    headline = reads.run(run_id)["headline"]
    st.subheader(f"Stability{headline and f' of {plain(title(headline))}'}", anchor=False)
    logged = History(*reads.headline_curves([run_id])[run_id])
    if of_history(logged).n == 0:
        states.nothing(f"This run has logged no {headline or 'score that it is judged by'}.")
        return
    warmup = st.number_input(
        "Warm-up epochs left out",
        0,
        int(logged.steps.max()),
        0,
        key="warmup",
        bind="query-params",
        width=200,
        help="Nothing is left out by default. What you declare here does not count at all.",
    )
    found = of_history(logged, warmup=int(warmup))
    for column, name in zip(_grid(len(STATISTICS)), STATISTICS, strict=True):
        definition = DEFINITIONS[f"stability/{name}"]
        value = getattr(found, name)
        shown = score(value) if definition.unit == "score" else number(value)
        said = plain(f"{definition.name}: {definition.formula}. Source: {definition.source}.")
        column.metric(
            short_name(definition.name, abbreviated=False),
            shown,
            help=f"{said} {_tail(found, name)}",
        )
    left_out = f"; {found.non_finite} not finite" if found.non_finite else ""
    st.caption(f"Over {counted(found.n, 'epoch')}, warm-up {found.warmup}{left_out}.")
    if found.dip_list:
        alt = "Dips with depth and recovery"
        tables.show(_dip_table(found), "dip_table", alt, hide_index=True, width="content")


def _infos(run_id: str, metrics: tuple[str, ...]) -> list[CurveInfo]:
    logged = reads.run(run_id)["logged_metrics"]
    curves = {m: reads.curves([run_id], m)[run_id] for m in metrics if m in logged}
    marked = curve_infos(curves, {m: m for m in curves}, mark_dips=False)
    dipped = curve_infos(curves, {m: m for m in curves}, mark_dips=True)
    headline = reads.run(run_id)["headline"]
    pairs = zip(dipped, marked, strict=True)
    return [ringed if ringed.run_id == headline else bare for ringed, bare in pairs]


def _judged(run_id: str) -> list[str]:
    """Return the headline of a run, if it has one, and its twin on the training images."""
    headline = str(reads.run(run_id)["headline"])
    return list(dict.fromkeys(name for name in (headline, twin(headline)) if name))


def _foreign_metrics(run_id: str) -> list[str]:
    return sorted(reads.run(run_id)["logged_metrics"])[:6]


def _diagnosed_now(run_id: str) -> list[dict[str, Any]]:
    curves: dict[str, History] = {}
    judged = _judged(run_id)
    for metric in (*judged, *DIAGNOSED):
        curve = reads.curves([run_id], metric)[run_id]
        if curve.steps.size:
            curves[metric] = History(curve.steps, curve.values)
    metric = judged[0] if judged else DEFAULT  # Losses tell of a run that has no headline too.
    return [finding.to_json() for finding in diagnose(curves, metric=metric)] if curves else []


def _grid(count: int) -> list[Any]:
    return [column for _ in range(0, count, 5) for column in st.columns(5)][:count]


def _tail(found: Stability, name: str) -> str:
    tails = {"long_term_risk": found.long_term_tail, "short_term_risk": found.short_term_tail}
    if name in tails:
        return f"Tail: {tails[name]} of {counted(found.n, 'value')}."
    if name == "checkpoint_luck":
        return f"Last {counted(found.last_k, 'epoch')}."
    if name == "max_drawdown" and found.max_drawdown_epoch:
        return f"At epoch {found.max_drawdown_epoch}."
    return ""


def _dip_table(found: Stability) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dip at epoch": [dip.epoch for dip in found.dip_list],
            "score": [score(dip.level) for dip in found.dip_list],
            "best before": [score(dip.previous_best) for dip in found.dip_list],
            "drawdown": [score(dip.drawdown) for dip in found.dip_list],
            "recovered at": [
                MISSING if dip.recovered_at is None else str(dip.recovered_at)
                for dip in found.dip_list
            ],
        }
    ).astype({"dip at epoch": np.int64})
