"""What a run used and what it left: speed, memory, environment, files, log."""

import json

import pandas as pd
import streamlit as st

from dashboard.curves.facts import curve_infos
from dashboard.curves.figures import draw_curves
from dashboard.store import reads
from dashboard.ui import states, tables
from dashboard.ui.charts import chart
from trainer.classification.config import KIND

SYSTEM = {
    "time/epoch_seconds": "seconds an epoch",
    "throughput/train_images_per_second": "training images a second",
    "throughput/val_images_per_second": "validation images a second",
    "memory/peak_mib": "peak memory, MiB",
    "lr": "learning rate",
    "train/grad_norm": "gradient norm",
}
LOG_SHOWN = 60_000


def show_system(run_id: str) -> None:
    """Draw speed, memory, learning rate and gradient norm by epoch, and the environment."""
    logged = reads.run(run_id)["logged_metrics"]
    shown = {metric: name for metric, name in SYSTEM.items() if metric in logged}
    columns = st.columns(2)
    for place, (metric, name) in enumerate(shown.items()):
        with columns[place % 2]:
            infos = curve_infos(reads.curves([run_id], metric), {run_id: name}, mark_dips=False)
            figure = draw_curves(infos, metric=name, height=220, legend=False)
            chart(figure, key=f"system_{metric.replace('/', '_')}", alt=f"{name} over epochs")
    environment = reads.json_value(run_id, "environment.json")
    if isinstance(environment, dict):
        rows = {k: v if isinstance(v, str) else json.dumps(v) for k, v in environment.items()}
        table = pd.Series(rows, name="value").rename_axis("environment").to_frame()
        tables.show(table, "environment", "Environment of the run")
    elif not shown:
        states.nothing("This run has logged neither speed nor environment.")


def show_files(run_id: str) -> None:
    """Show the run's files, its checkpoints, its configuration file and its log."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Files", anchor=False)
        try:
            tables.show(file_table(run_id), "files", "Files of the run", hide_index=True)
        except ValueError as error:
            st.code(str(error), language=None, wrap_lines=True)
        config = reads.text(run_id, "config.yaml")
        if config:
            st.download_button("config.yaml", config, file_name="config.yaml", on_click="ignore")
        st.text(f"Run id {run_id}")
        register = f"\ntrainer register {run_id} --name NAME"
        whole = reads.run(run_id)["kind"] == KIND
        st.code(f"trainer resume {run_id}{'' if whole else register}", language="bash")
    with right:
        st.subheader("Log", anchor=False)
        log = reads.text(run_id, "log.txt", at_most=LOG_SHOWN)
        if log:
            st.code(log, language=None, height=420)
        else:
            states.nothing("This run has no log.")


def file_table(run_id: str) -> pd.DataFrame:
    """Return the run's files two folders deep: ``path`` and ``KiB``."""
    rows = []
    folders = [""]
    while folders:
        for entry in reads.artifact_list(run_id, folders.pop(0)):
            if entry.is_folder and entry.path.count("/") < 1:
                folders.append(entry.path)
            rows.append((entry.path + "/" * entry.is_folder, entry.size / 1024 or None))
    return pd.DataFrame(sorted(rows), columns=["path", "KiB"]).round(1)
