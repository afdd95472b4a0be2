"""Where things lie: the tracking store and the local folder beside it.

Everything is worked out at the moment of the call, from the environment and the working
directory, so that a test or a notebook can move the store. Nothing here imports mlflow.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote

DEFAULT_FOLDER = "mlruns"
# As behind the ? of an address: key=value, joined by &.
SETTINGS = re.compile(r"(\w+=[^/&]*(&|$))*")


class Unreachable(ValueError):
    """The tracking server does not answer: nobody's mistake, and another time it may."""


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI`` when it is set, else the SQLite store in ``mlruns/``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{DEFAULT_FOLDER}/mlflow.db"


def sqlite_path(uri: str) -> Path | None:
    """Return the database file of a ``sqlite:///`` URI as an absolute path; None for others.

    Raises ``ValueError`` for a ``?`` that begins no settings: it would name another file.
    """
    prefix = "sqlite:///"
    if not uri.startswith(prefix):
        return None
    path, _, settings = uri.removeprefix(prefix).partition("?")
    if not SETTINGS.fullmatch(settings):
        raise ValueError(f"{uri}: write %3F for a ? in the name of a file or folder")
    return Path(unquote(path)).absolute()


def check_there(database: Path | None) -> None:
    """Raise ``ValueError`` where a store in a file is not there; a server is another's to ask."""
    if database is not None and not database.exists():
        raise ValueError(
            f"store: there is no {database}; trainer fit begins one, or correct MLFLOW_TRACKING_URI"
        )


def read_only(database: Path) -> str:
    """Return the address by which SQLite reads a file and never writes it or makes it."""
    return f"{database.as_uri()}?mode=ro{'&immutable=1' * is_still(database)}"


def is_still(database: Path) -> bool:
    """Whether a database is as good as one that never changes.

    To read what has a write-ahead log SQLite makes files beside it. Where we may not, and no
    writer has, nobody changes it either.
    """
    return not os.access(database.parent, os.W_OK) and not Path(f"{database}-wal").exists()


def without_password(uri: str) -> str:
    """Return an address as it may be shown: as it is, but for the password.

    Of an address that cannot be read, its password among it, only the kind is returned.
    """
    if "://" not in uri:
        return uri
    from sqlalchemy.engine import make_url  # late: `--help` and a path do without
    from sqlalchemy.exc import ArgumentError

    kind_alone = f"{uri.partition('://')[0]}://…"
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        return kind_alone
    if "@" in (url.host or ""):
        return kind_alone  # an @ of the password that was not quoted
    if url.password is None and "password" not in url.query:
        return uri
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def bare_address(uri: str) -> str:
    """Return an address without its password, to be kept where others read it."""
    return without_password(uri).replace(":***@", "@")


def without_passwords(text: str) -> str:
    """Return a text, a library's message say, with the passwords of the addresses in it masked."""
    named = re.sub(r"(\w+://[^\s/:@]*:)\S*(@)", r"\1***\2", text)
    return re.sub(r"([?&]password=)[^&\s]+", r"\1***", named)


def local_folder(uri: str | None = None) -> Path:
    """Return the folder for what this machine keeps: beside the SQLite file, else ``mlruns``."""
    database = sqlite_path(uri or tracking_uri())
    return database.parent if database else Path(DEFAULT_FOLDER).absolute()


def artifacts_folder() -> Path | None:
    """Return where a local store keeps artifacts; None when a server decides."""
    database = sqlite_path(tracking_uri())
    return database.parent / "artifacts" if database else None


def cache_folder() -> Path:
    """Return the folder of decoded images and of the built-in data; safe to delete."""
    return local_folder() / "cache"
