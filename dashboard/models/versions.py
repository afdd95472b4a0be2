"""The versions of a registered model: a table, the choice of one, and how to fetch it."""

import shlex
from pathlib import PurePath
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.display import label, local_time, plain
from dashboard.store import reads
from dashboard.ui import navigation, tables
from dashboard.ui.named_choice import choose_named
from trainer.analysis.score_table import SCORES
from trainer.prediction.registry import UNKNOWN, ModelVersion
from trainer.store import tracking_uri, without_password

VERSION = "version"


def show_table(versions: list[ModelVersion]) -> None:
    """Show every version, the newest first, with its scores and its run."""
    table = version_table(versions, reads.overview(), st.context.timezone)
    kinds = st.column_config
    dice, miou = SCORES["dice"], SCORES["miou"]
    runs = [{"run": v.run_id} if v.run_id else {} for v in versions]
    number: dict[str, Any] = {"format": "%.4f", "width": 85}
    config: dict[str, Any] = {
        "version": kinds.NumberColumn("Version", format="%d", width=70, pinned=True),
        "aliases": kinds.TextColumn("Aliases", width=110),
        "dice": kinds.NumberColumn(f"Best {dice.label}", help=dice.definition, **number),
        "miou": kinds.NumberColumn(f"Best {miou.label}", help=miou.definition, **number),
        "test_dice": kinds.NumberColumn(f"Test {dice.label}", **number),
        "max_drawdown": kinds.NumberColumn(
            "MDD", help="Maximum drawdown of the run that it comes from", **number
        ),
        "epoch": kinds.NumberColumn("Epoch", format="%d", width=65),
        "data": kinds.TextColumn("Data", width=110),
        "registered": kinds.TextColumn("Registered", width=130),
        "run": kinds.ButtonColumn(
            "Run",
            type="tertiary",
            alignment="left",
            key="version_run",
            on_click=navigation.open_clicked,
            args=("version_run", "run", runs),
            help="Open the run that it comes from",
        ),
    }
    st.dataframe(
        table,
        hide_index=True,
        column_config=config,
        key="versions_table",
        row_height=tables.ROW_HEIGHT,
        placeholder="",
        alt="Versions of the model, the newest first",
    )


def version_table(
    versions: list[ModelVersion], overview: pd.DataFrame, zone: str | None
) -> pd.DataFrame:
    """Return one row a version; scores are those kept with the version, else its run's.

    ``run`` is None where the store no longer has the run.
    """
    rows = []
    for version in versions:
        known = version.run_id in overview.index
        run = overview.loc[version.run_id] if known else pd.Series(dtype=object)
        created = pd.Timestamp(version.created, unit="ms", tz="UTC")
        rows.append(
            {
                "version": int(version.version),
                "aliases": ", ".join(version.aliases),
                "dice": _score(version, "best.val_dice", run.get("best_dice")),
                "miou": _score(version, "best.val_miou", run.get("best_miou")),
                "test_dice": _score(version, "test.dice", None),
                "max_drawdown": run.get("max_drawdown"),
                "epoch": _score(version, "best.epoch", None),
                "data": PurePath(str(run.get("data", ""))).name,
                "registered": local_time(created, zone),
                "run": label(str(run["name"]), str(version.run_id)) if known else None,
            }
        )
    table = pd.DataFrame(rows)
    numbers = ["dice", "miou", "test_dice", "max_drawdown", "epoch"]
    return table.astype(dict.fromkeys(numbers, float))


def choose(versions: list[ModelVersion]) -> ModelVersion:
    """Let the reader choose a version; the address holds it as ``version``."""
    by_number = {version.version: version for version in versions}
    return by_number[choose_named("Version", list(by_number), key=VERSION, width=160)]


def show_fetching(version: ModelVersion) -> None:
    """Show the lines of Python and the commands that use the chosen version."""
    st.subheader("Use it", anchor=False)
    address = f"models:/{version.name}@{version.aliases[0]}" if version.aliases else version.uri
    st.code(python_lines(address, tracking_uri()), language="python", wrap_lines=True)
    st.caption(
        "Images uint8 (n, height, width, channels) in, class indices uint8 (n, height, width) out."
    )
    if said := arithmetic(version):
        st.caption(said)
    if version.selected_on:
        st.caption(plain(f"Chosen: {version.selected_on}."))
    st.code(commands(address, version.name), language="bash", wrap_lines=True)
    if version.run_id is not None and reads.run(version.run_id) is not None:
        with st.container(horizontal=True, gap="medium"):
            navigation.page_link("run", "Its run", run=version.run_id)
            navigation.page_link("run", "Checkpoint and files", run=version.run_id, part="Files")


def arithmetic(version: ModelVersion) -> str:
    """Return what the version's scores, and its masks, are computed in; empty if it is not ours."""
    if not version.tags:
        return ""
    if version.scored_in == UNKNOWN:
        return "Predicts in float32; which arithmetic its recorded scores are of is unknown."
    return f"Predicts in {version.scored_in}, as it was scored."


def python_lines(address: str, store: str) -> str:
    """Return three lines of Python that load and run a model; a password is left out."""
    return "\n".join(
        [
            f"import mlflow; mlflow.set_tracking_uri({without_password(store)!r})",
            f"model = mlflow.pyfunc.load_model({address!r})",
            "masks = model.predict(images)",
        ]
    )


def commands(address: str, name: str) -> str:
    """Return the commands that copy a model and that predict with it."""
    given = shlex.quote(address)
    folder = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".") or "model"
    return f"trainer pull {given} --out {folder}\ntrainer predict {given} IMAGE --out masks"


def _score(version: ModelVersion, tag: str, fallback: Any) -> float | None:
    try:
        return float(version.tags[tag])
    except (KeyError, ValueError):
        return None if fallback is None else float(fallback)
