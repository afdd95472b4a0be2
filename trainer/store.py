"""Where things lie: the tracking store and the local folder beside it.

Everything is worked out at the moment of the call, from the environment and the working
directory, so that a test or a notebook can move the store. Nothing here imports mlflow.
"""

import os
from pathlib import Path
from urllib.parse import unquote

DEFAULT_FOLDER = "mlruns"


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when it is set, else the SQLite store in ``mlruns/``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{DEFAULT_FOLDER}/mlflow.db"


def sqlite_path(uri: str) -> Path | None:
    """Return the database file of a ``sqlite:///`` URI as an absolute path; None for others."""
    prefix = "sqlite:///"
    if not uri.startswith(prefix):
        return None
    return Path(unquote(uri.removeprefix(prefix).split("?")[0])).absolute()


def local_folder() -> Path:
    """Return the folder for what this machine keeps: beside the SQLite file, else ``mlruns``."""
    database = sqlite_path(tracking_uri())
    return database.parent if database else Path(DEFAULT_FOLDER).absolute()


def artifacts_folder() -> Path | None:
    """Return where a local store keeps artifacts; None when a server decides."""
    database = sqlite_path(tracking_uri())
    return database.parent / "artifacts" if database else None


def cache_folder() -> Path:
    """Return the folder of decoded images and of the built-in data; safe to delete."""
    return local_folder() / "cache"
