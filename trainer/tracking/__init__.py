"""The gateway to MLflow: the one package of `trainer` that imports it."""

from trainer.tracking.run import (
    OUTCOMES,
    Run,
    download,
    find_runs,
    finish,
    get_run,
    log_file,
    log_files,
    log_summary,
    metric_key,
    reopen_parent,
    reopen_run,
    set_tags,
    start_parent,
    start_run,
)

__all__ = [
    "OUTCOMES",
    "Run",
    "download",
    "find_runs",
    "finish",
    "get_run",
    "log_file",
    "log_files",
    "log_summary",
    "metric_key",
    "reopen_parent",
    "reopen_run",
    "set_tags",
    "start_parent",
    "start_run",
]
