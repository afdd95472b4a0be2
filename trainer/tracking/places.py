"""Where a store's files lie, also after the store was moved, copied or mounted elsewhere.

MLflow records absolute places. Those of a store in a file are found again beside its database.
"""

import os
from pathlib import Path, PurePosixPath

from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from trainer.files import copy_folder
from trainer.store import local_folder, sqlite_path, tracking_uri, without_password

# From a run's or a model's files to the folder of all files: artifacts/EXPERIMENT/RUN/artifacts.
FLOORS = 4
ROOTS = "SEGSCOPE_ARTIFACT_ROOTS"


class Outside(ValueError):
    """What a store names and is not to be touched: it lies outside of what is the store's."""


def local_path(artifact_uri: str) -> Path | None:
    """Return the folder of a run's or a model's files on this machine; None where a server has it.

    Where it was recorded elsewhere than beside the database, it is looked for there first: whoever
    copies a store must not write into the original. What is nowhere yet belongs where its
    experiment's folder is.

    A store may come from somebody else, so what it names must lie below its own folder or one that
    the user named (`allowed_roots`), links followed. Raises `Outside` where it does not, and
    ``ValueError`` where a server has the files, and the store is looked at through its database.
    """
    if not is_local(artifact_uri):
        _check_server_is_asked(artifact_uri)
        return None
    recorded = Path(local_file_uri_to_path(artifact_uri))
    try:
        place = _place(recorded)
        real = place.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a link to itself
        raise Outside(f"store: it names {str(recorded)[:500]!r}, which is no place") from error
    if not any(root in real.parents for root in allowed_roots()):
        raise Outside(
            f"store: it names {str(recorded)[:500]!r}, which is not below {local_folder()}; if "
            f"you trust the store, set {ROOTS} to a folder above that"
        )
    return place


def staging(run_id: str) -> Path:
    """Return where the files of a run that a server has lie on this machine as it is written."""
    return local_folder() / "staging" / run_id


def is_local(artifact_uri: str) -> bool:
    """Return whether files lie on this machine; `Outside` for the place of another's."""
    try:
        return bool(is_local_uri(artifact_uri))
    except (MlflowException, ValueError) as error:  # file://HOST/PATH; http://[
        raise Outside(
            f"store: it names {artifact_uri[:500]!r}, a file of another machine or no address"
        ) from error


def _check_server_is_asked(artifact_uri: str) -> None:
    """Raise ``ValueError`` for files that only a tracking server hands out, which is not asked."""
    store = tracking_uri()
    if artifact_uri.startswith("mlflow-artifacts:") and not store.startswith(("http:", "https:")):
        raise ValueError(
            f"store: its files are kept by a tracking server, which {without_password(store)}, its "
            "database, does not reach; set MLFLOW_TRACKING_URI to the server's address, such as "
            "http://HOST:5000"
        )


def allowed_roots() -> list[Path]:
    """Return the folders below which local files of a store may lie.

    They are the store's own (that of an SQLite database; ``mlruns`` here for any other store), and
    those of the environment variable ``SEGSCOPE_ARTIFACT_ROOTS``, joined as in ``PATH``.
    """
    named = os.environ.get(ROOTS, "").split(os.pathsep)
    return [root.resolve() for root in (local_folder(), *(Path(name) for name in named if name))]


def checked(path: str) -> PurePosixPath:
    """Return an artifact path that stays inside its run; ``ValueError`` for any other."""
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts or "\\" in path or "\0" in path or ":" in path:
        raise ValueError(f"artifact: {path!r} does not lie inside the run")
    return inside


def _place(recorded: Path) -> Path:
    database = sqlite_path(tracking_uri())
    if database is None or recorded.is_relative_to(database.parent):
        return recorded
    ends = [recorded.parts[i:] for i in range(1, len(recorded.parts) - 1)]
    places = [*(database.parent.joinpath(*end) for end in ends), recorded]
    above = (database.parent, *database.parent.parents)
    for floor in range(FLOORS):
        for place in places:
            known = [place, *place.parents][floor : floor + 1]
            if known and known[0] not in above and known[0].exists():
                return place
    return recorded


def copied_here(folder: Path, artifact_uri: str) -> bool:
    """Copy the files of ``folder`` to where those of a run or a model lie on this machine.

    Returns False, and copies nothing, where a server has them.
    """
    target = local_path(artifact_uri)
    if target is not None:
        copy_folder(folder, target)
    return target is not None
