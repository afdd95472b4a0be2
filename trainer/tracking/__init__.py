"""The gateway to MLflow: the one package of `trainer` that imports it."""

from trainer.tracking.artifacts import download
from trainer.tracking.beginning import reopen_run, start_run
from trainer.tracking.closing import Ending, closing, log_file
from trainer.tracking.heartbeat import Beating
from trainer.tracking.holding import held, starting
from trainer.tracking.run import Run
from trainer.tracking.runs import (
    OUTCOMES,
    find_runs,
    finish,
    get_run,
    log_files,
    log_summary,
    metric_key,
    reopen_parent,
    set_tags,
    start_parent,
)

__all__ = [
    "OUTCOMES",
    "Beating",
    "Ending",
    "Run",
    "closing",
    "download",
    "find_runs",
    "finish",
    "get_run",
    "held",
    "log_file",
    "log_files",
    "log_summary",
    "metric_key",
    "reopen_parent",
    "reopen_run",
    "set_tags",
    "start_parent",
    "start_run",
    "starting",
]
