"""How a record of the outbox gets into the store: sent twice, it is there once."""

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from trainer.extras import missing
from trainer.store import Unreachable, without_password
from trainer.tracking.client import check_answers
from trainer.tracking.heartbeat import HEARTBEAT, beat
from trainer.tracking.outbox import Outbox, Record
from trainer.tracking.places import checked, local_path

SILENT = "the tracking server does not answer"


class NotSent(Exception):
    """The store has not got a record, or nobody knows whether it has; says why, in one line."""


def deliver(api: MlflowClient, run_id: str, what: Record, outbox: Outbox, *, alive: bool) -> None:
    """Write a record of ``outbox`` to the run; `NotSent` where that fails.

    A record has ``metrics`` with their ``step`` and ``time``, ``tags``, ``params``, a ``status``
    and an ``end``; or an ``artifact``, its path in the run, and the file ``kept`` for it. Times
    are in ms since 1970. ``alive`` says that the run is being written, which its heartbeat then
    does.

    Any can be sent again. Tags, status and files become what they are; a parameter is taken again
    with the same value; and MLflow's database knows a metric's value by its key, step, time and
    number, all of which are the record's own: one that it has it leaves out.
    """
    try:
        check_answers(api.tracking_uri)
        if "artifact" in what:
            _send_file(api, run_id, what, outbox)
        else:
            _write(api, run_id, what, alive=alive and "end" not in what)
    except Unreachable as error:
        raise NotSent(SILENT) from error
    except Exception as error:  # The packages of artifact stores raise what they like.
        raise NotSent(_why(api.tracking_uri, error)) from error


def _send_file(api: MlflowClient, run_id: str, what: Record, outbox: Outbox) -> None:
    # Who writes a run whose files lie on this machine puts them there. MLflow would write wherever
    # the store says, and follow links in it.
    if local_path(api.get_run(run_id).info.artifact_uri) is not None:
        raise ValueError("its files lie on this machine, where none is sent")
    folder = checked(what["artifact"]).parent.as_posix()
    api.log_artifact(run_id, str(outbox.kept(what)), None if folder == "." else folder)


def _write(api: MlflowClient, run_id: str, what: Record, *, alive: bool) -> None:
    values = what.get("metrics", {}).items()
    metrics = [Metric(key, value, what["time"], what["step"]) for key, value in values]
    params = [Param(key, value) for key, value in what.get("params", {}).items()]
    tags = [RunTag(key, value) for key, value in what.get("tags", {}).items()]
    if alive:
        tags.append(RunTag(HEARTBEAT, beat()))
    # The heartbeat before the status: with the one of before, readers elsewhere would call a run
    # dead that is running again.
    if metrics or params or tags:
        api.log_batch(run_id, metrics=metrics, params=params, tags=tags)
    if "end" in what:
        api.set_terminated(run_id, status=what["status"], end_time=what["end"])
    elif "status" in what:
        api.update_run(run_id, status=what["status"])


def _why(uri: str, error: Exception) -> str:
    try:
        check_answers(uri)
    except Unreachable:
        return SILENT
    line = missing(error) or (str(error).splitlines() or [type(error).__name__])[0]
    return f"the store does not take it: {line.replace(uri, without_password(uri))}"
