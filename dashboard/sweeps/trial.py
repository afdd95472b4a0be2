"""One trial of a sweep: what it was, and one click to its run, checkpoint and model."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.display import label, plain, score
from dashboard.models import reads as model_reads
from dashboard.store import reads
from dashboard.ui import named_choice, navigation, tables
from dashboard.ui.named_choice import choose_number
from sweeps.trials import COMPLETE, SweepRead, shown
from trainer.prediction.registry import ModelVersion
from trainer.wording import counted, duration

TRIAL = "trial"
PICKED = "_trial_picked"
FIRST = ("number", "state", "value", "max_drawdown")


def choose(sweep: SweepRead) -> int | None:
    """Let the reader choose a trial; return it, else the best, else the last, None without any."""
    numbers = [int(n) for n in sweep.trials.index]
    chosen = choose_number(
        "Trial", numbers, key=TRIAL, width=260, placeholder="the best; or click one below"
    )
    if chosen is not None:
        return chosen
    return sweep.best if sweep.best is not None else (numbers[-1] if numbers else None)


def take_click(key: str) -> None:
    """Choose the trial whose mark was clicked in the figure ``key``; a callback."""
    points = st.session_state[key]["selection"]["points"]
    marks = [point["customdata"] for point in points if point.get("customdata")]
    if marks:
        pick(int(np.ravel(list(marks[0]))[0]))


def pick(number: int) -> None:
    """Choose a trial; only in a callback."""
    named_choice.choose(TRIAL, number)
    st.session_state[PICKED] = True


def show_card(sweep: SweepRead, number: int) -> None:
    """Show one trial with its links."""
    row: Any = sweep.trials.loc[number]
    with st.container(border=True, gap="xsmall"):
        best = ", the best" if number == sweep.best else ""
        st.text(" · ".join([f"Trial {number}{best}", *facts(row, sweep.metric)]))
        setting = ", ".join(f"{p.name} {shown(row[p.column])}" for p in sweep.parameters)
        st.text(setting or "no setting drawn yet")
        if row["reason"]:
            st.code(str(row["reason"]), language=None, wrap_lines=True)
        _links(row)


def facts(row: pd.Series, metric: str) -> list[str]:
    """Return what a line says about a trial: state, score, drawdown, epochs, time."""
    said = [str(row["state"])]
    if np.isfinite(row["value"]):
        said.append(f"{metric} {score(row['value'])}")
    elif np.isfinite(row["reached"]):
        said.append(f"{metric} {score(row['reached'])} reached")
    if np.isfinite(row["max_drawdown"]):
        said.append(f"maximum drawdown {score(row['max_drawdown'])}")
    if row["epochs"] > 0:
        trained, planned = row["epochs"], row["planned"]
        of = f"{trained:.0f} of " if np.isfinite(planned) else ""
        said.append(f"{of}{counted(int(planned if of else trained), 'epoch')}")
    seconds = (row["ended"] - row["started"]).total_seconds()
    return [*said, duration(seconds)] if np.isfinite(seconds) else said


def show_table(sweep: SweepRead) -> None:
    """Show every trial; its run, its files and its model are a click away."""
    trials = sweep.trials.sort_values("value", ascending=False, na_position="last", kind="stable")
    table = trial_table(trials, sweep, model_reads.by_run(model_reads.models()))
    kinds = st.column_config
    runs = [{"run": str(run_id)} if run_id else {} for run_id in trials["run_id"]]
    files = [row and row | {"part": "Files"} for row in runs]
    models = [_address(_models_of(run_ids)) for run_ids in trials["run_ids"]]
    config: dict[str, Any] = {
        "number": kinds.NumberColumn("Trial", format="%d", pinned=True, width=60),
        "state": kinds.TextColumn("State", width=85),
        "value": kinds.NumberColumn(sweep.metric, format="%.4f", width=85),
        "reached": kinds.NumberColumn(
            "Reached", format="%.4f", width=80, help="Best score reported, however it ended"
        ),
        "max_drawdown": kinds.NumberColumn("MDD", format="%.4f", width=75),
        "epochs": kinds.NumberColumn("Epochs", format="%d", width=70),
        "seconds": kinds.NumberColumn("Seconds", format="%.1f", width=80),
        "reason": kinds.TextColumn("Reason"),
        "run": _button("Run", "trial_run", "Open its run", "run", runs),
        "checkpoint": _button("Checkpoint", "trial_files", "Open its files", "run", files),
        "model": _button("Model", "trial_model", "Open its version", "models", models, width=125),
    }
    for parameter in sweep.parameters:
        if pd.api.types.is_numeric_dtype(table[parameter.name]):
            config[parameter.name] = kinds.NumberColumn(format="%.4g", width=100)
    key = f"trials_table_{sweep.name}"
    st.dataframe(
        table,
        hide_index=True,
        column_config=config,
        key=key,
        row_height=tables.ROW_HEIGHT,
        height=min(36 + tables.ROW_HEIGHT * max(len(table), 3), 560),
        placeholder="",
        on_select=lambda: _take_row(key, [int(n) for n in trials.index]),
        selection_mode="single-row",
        alt="Trials, the best first; choose one to see it above",
    )


def trial_table(
    trials: pd.DataFrame, sweep: SweepRead, versions: dict[str, list[ModelVersion]]
) -> pd.DataFrame:
    """Return what the table shows; ``run``, ``checkpoint``, ``model`` are None where not there."""
    table = trials.reset_index()
    table["seconds"] = (table["ended"] - table["started"]).dt.total_seconds()
    table = table.rename(columns={p.column: p.name for p in sweep.parameters})
    for parameter in sweep.parameters:
        numbers = pd.to_numeric(table[parameter.name], errors="coerce")
        if numbers.notna().sum() == table[parameter.name].notna().sum():
            table[parameter.name] = numbers
        else:
            table[parameter.name] = [None if v is None else str(v) for v in table[parameter.name]]
    table["run"] = [None if not run_id else str(run_id)[:8] for run_id in table["run_id"]]
    done = (table["state"] == COMPLETE) & table["run"].notna()
    table["checkpoint"] = pd.Series("files", table.index, dtype=object).where(done, None)
    found = [[v for run_id in ids for v in versions.get(run_id, [])] for ids in table["run_ids"]]
    table["model"] = [model_reads.described(own[0]) if own else None for own in found]
    names = [p.name for p in sweep.parameters]
    links = ["run", "checkpoint", "model"]
    return table[[*FIRST, *names, "epochs", *links, "reached", "seconds", "reason"]]


def _links(row: pd.Series) -> None:
    run_ids = [run_id for run_id in row["run_ids"] if reads.run(run_id) is not None]
    if not run_ids:
        st.caption("The store has no run of this trial.")
        return
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        for run_id in run_ids:
            name = str(reads.run(run_id)["name"])
            navigation.page_link("run", f"Run {plain(label(name, run_id))}", run=run_id)
        best = row["run_id"] if row["run_id"] in run_ids else run_ids[0]
        navigation.page_link("run", "Checkpoint and files", run=best, part="Files")
        versions = _models_of(run_ids)
        for version in versions:
            navigation.page_link(
                "models",
                f"Model {plain(model_reads.described(version))}",
                model=version.name,
                version=version.version,
            )
    if not versions and row["state"] == COMPLETE:
        st.code(f"trainer register {best} --name NAME --alias champion", language="bash")


def _models_of(run_ids: list[str]) -> list[ModelVersion]:
    known = model_reads.by_run(model_reads.models())
    return [version for run_id in run_ids for version in known.get(run_id, [])]


def _address(versions: list[ModelVersion]) -> dict[str, str]:
    """Return the query parameters of the first version, if there is one."""
    return {"model": versions[0].name, "version": versions[0].version} if versions else {}


def _button(
    title: str, key: str, help: str, page: str, rows: list[dict[str, str]], width: int = 85
) -> Any:
    return st.column_config.ButtonColumn(
        title,
        width=width,
        type="tertiary",
        alignment="left",
        key=key,
        help=help,
        on_click=navigation.open_clicked,
        args=(key, page, rows),
    )


def _take_row(key: str, numbers: list[int]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(numbers):
        pick(numbers[rows[0]])
