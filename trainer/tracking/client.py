"""The MLflow client, prepared once per store and process.

This package is the one place of `trainer` that imports mlflow.
"""

import os

# mlflow reads these when it is first imported: no telemetry, no bars among our own lines, and no
# addresses of its pages on stdout, where our results go.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# mlflow's own seven retries take minutes, in silence. What a run writes the outbox sends again, and
# whoever waits for another answer is told within seconds that there is none.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

import contextlib
import logging
import sqlite3
import urllib.error
import urllib.request
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trainer.extras import missing
from trainer.faults import system_fault
from trainer.store import (
    Unreachable,
    artifacts_folder,
    check_there,
    is_still,
    read_only,
    sqlite_path,
    tracking_uri,
    without_password,
)
from trainer.tracking.schema import check_schema

PROBE_SECONDS = 5.0
# What a proxy answers whose server is not there.
GATEWAY_ERRORS = (502, 503, 504)


def client() -> MlflowClient:
    """Return a client of the current store.

    Raises ``ValueError`` when the store is not there, cannot be reached or opened, or is of
    another MLflow.
    """
    check_there(sqlite_path(tracking_uri()))
    return begin()


def begin() -> MlflowClient:
    """Return a client of the current store as `client` does; a local one is made where none is."""
    return _prepared(_absolute(tracking_uri()))


def experiment_id(name: str) -> str:
    """Return the id of the experiment called ``name``, creating it when there is none.

    Raises ``ValueError`` when it has been deleted: MLflow keeps its name taken.
    """
    api = begin()
    found = api.get_experiment_by_name(name)
    if found is None:
        folder = artifacts_folder()
        location = None if folder is None else (folder / _folder_name(name)).as_uri()
        try:
            return str(api.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            # Another process may have created it between the question and the answer.
            found = api.get_experiment_by_name(name)
            if found is None:
                raise ValueError(f"experiment: {name[:80]!r}: {error.message}") from error
    if found.lifecycle_stage == "deleted":
        raise ValueError(f"experiment: {name!r} has been deleted; restore it or give another name")
    return str(found.experiment_id)


def check_answers(uri: str) -> None:
    """Raise `Unreachable` where a tracking server does not answer; other stores are not asked."""
    address = urlsplit(uri)
    if address.scheme not in ("http", "https"):
        return
    # Anyone may ask for its health, and urllib takes no name and password in an address.
    health = address._replace(
        netloc=address.netloc.rpartition("@")[2], path=f"{address.path.rstrip('/')}/health"
    )
    try:
        with urllib.request.urlopen(health.geturl(), timeout=PROBE_SECONDS):
            return
    except urllib.error.HTTPError as error:
        if error.code not in GATEWAY_ERRORS:
            return  # It answered; whether it lets us in is the first call's question.
        reason: object = error
    except (urllib.error.URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
    raise Unreachable(
        f"store: the tracking server {without_password(uri)} cannot be reached ({reason}); "
        "start it, or correct MLFLOW_TRACKING_URI"
    )


def _absolute(uri: str) -> str:
    # A relative path is meant from where we are now; an open client stays where it was made.
    database = sqlite_path(uri)
    if database is None:
        return uri
    _, mark, settings = uri.partition("?")
    path = str(database)
    if "%" in path or "?" in path:
        # mlflow makes the folder that stands here as it is quoted: with no / there is none.
        path = quote(path, safe="")
    return f"sqlite:///{path}{mark}{settings}"


@lru_cache(maxsize=8)
def _prepared(uri: str) -> MlflowClient:
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It logs, with its traceback, each error of a database that it raises as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a warning for each retry
    database = sqlite_path(uri)
    if database is not None:
        return _local(uri, database)
    check_answers(uri)
    return _first_call(uri)


def _local(uri: str, database: Path) -> MlflowClient:
    if database.exists() and is_still(database):
        check_schema(database)
        # Quoted twice: once for SQLAlchemy, once for SQLite.
        path, mark, settings = read_only(database).removeprefix("file://").partition("?")
        quoted = quote(path, safe="")
        return _first_call(f"sqlite:///file:{quoted}{mark}{settings}&uri=true")
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"store: cannot create {database.parent}: {error.strerror}") from error
    # Two processes that create the database at once break it for good, so one at a time.
    with FileLock(f"{database}.lock"):
        new = not database.exists()
        if not new:
            check_schema(database)
        api = _first_call(uri)
        if new:
            _prepare_database(database)
    return api


def _first_call(uri: str) -> MlflowClient:
    try:
        api = MlflowClient(uri)
        api.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = missing(error) or str(error).splitlines()[0]
        refused = f"store: cannot open {without_password(uri)}: {reason}"
        raise ValueError(system_fault(error) or refused) from error
    return api


def _prepare_database(database: Path) -> None:
    # Readers of a write-ahead log never block the writer, nor it them.
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _folder_name(experiment: str) -> str:
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in experiment)
    # No system takes names of more than 255 bytes; experiments may share a folder.
    return safe.encode()[:200].decode(errors="ignore").strip(".") or "experiment"
