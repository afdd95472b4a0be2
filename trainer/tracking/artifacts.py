"""A run's files, read where they lie or fetched once, and never from outside the run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd
from filelock import FileLock
from mlflow.exceptions import MlflowException

from trainer.extras import check_place, missing
from trainer.files import copy_folder, is_partial, replacing_folder
from trainer.store import cache_folder
from trainer.tracking.client import client
from trainer.tracking.places import Outside, checked, is_local, local_path
from trainer.tracking.runs import get_run


class ArtifactEntry(NamedTuple):
    """A file or folder of a run; ``size`` in bytes, 0 for a folder."""

    path: str
    is_folder: bool
    size: int


def list_artifacts(run_id: str, artifact_uri: str, path: str = "") -> list[ArtifactEntry]:
    """Return what the folder ``path`` of a run holds, sorted; empty when there is no such folder.

    Raises ``ValueError`` when ``path`` leads out of the run.
    """
    inside = checked(path)
    if (root := local_path(artifact_uri)) is not None:
        folder = _resolved(root, inside)
        if folder is None or not folder.is_dir():
            return []
        with _reaching(run_id):
            found = [
                ArtifactEntry((inside / p.name).as_posix(), p.is_dir(), _size(p))
                for p in folder.iterdir()
                if not is_partial(p)
            ]
    else:
        check_place(artifact_uri)
        with _reaching(run_id):
            listed = client().list_artifacts(run_id, None if path == "" else inside.as_posix())
        found = [ArtifactEntry(f.path, f.is_dir, f.file_size or 0) for f in listed]
    return sorted(found)


def artifact_path(
    run_id: str, artifact_uri: str, path: str, *, version: str | None = None
) -> Path | None:
    """Return a readable file or folder of a run; None when the run has none of that path.

    On a local store it is the store's own file: read it, never write it. From a server it is
    fetched into the cache folder: once for each ``version``, which names a state of the run that
    will not change, such as when it ended; without one each time. Raises ``ValueError`` when
    ``path`` leads out of the run, by ``..``, from the root or by a link, and when the place of the
    run's files cannot be reached.
    """
    inside = checked(path)
    if (root := local_path(artifact_uri)) is not None:
        return _resolved(root, inside)
    check_place(artifact_uri)
    # Each path has a folder of its own: one file of a folder is no sign that the others are there.
    name = sha256(inside.as_posix().encode()).hexdigest()[:16]
    folder = cache_folder() / "artifacts" / checked(run_id) / checked(version or "moving") / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        target = _resolved(folder, inside)
        if version is not None and target is not None:
            return target
        try:
            with _reaching(run_id, besides=(MlflowException, OSError)):
                _fetch(run_id, inside, folder)
        except (MlflowException, OSError):
            return None  # MLflow does not tell a missing file from a refused one.
        return _resolved(folder, inside)


def _fetch(run_id: str, inside: PurePosixPath, folder: Path) -> None:
    """Fetch an artifact into a folder, which holds all of it or, after a kill, what it held."""
    with replacing_folder(folder) as partial:
        fetched = Path(client().download_artifacts(run_id, inside.as_posix(), str(partial)))
        # MLflow keeps the path of a folder, but puts a single file on top.
        if fetched.is_file() and fetched != partial / inside:
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            fetched.replace(partial / inside)


def state_of(ended: pd.Timestamp) -> str | None:
    """Return what tells the state of a run's files: when it ended; None while they may change."""
    return None if pd.isna(ended) else str(ended.value // 10**6)


def is_remote(artifact_uri: str) -> bool:
    """Return whether a run's files have to be fetched."""
    return not is_local(artifact_uri)


def download(run_id: str, path: str, into: Path) -> Path:
    """Copy an artifact file or folder of a run into ``into`` and return the copy's path.

    On a local store MLflow would return the store's own path; this never does. Raises
    ``ValueError`` when the run has no such artifact, and for links in it, or that lead out of it.
    """
    into.mkdir(parents=True, exist_ok=True)
    artifact_uri = get_run(run_id).info.artifact_uri
    local = local_path(artifact_uri)
    if local is None:
        check_place(artifact_uri)
        try:
            with _reaching(run_id, besides=(MlflowException,)):
                return Path(client().download_artifacts(run_id, path, str(into)))
        except MlflowException as error:
            raise ValueError(f"run: {run_id} has no artifact {path!r}") from error
    source, target = _resolved(local, checked(path)), into / path
    if source is not None and source.is_dir():
        copy_folder(source, target)
    elif source is not None and source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    elif not local.exists():
        raise ValueError(f"run: the files of {run_id} are gone: there is no {local}")
    else:
        raise ValueError(f"run: {run_id} has no artifact {path!r}")
    return target


@contextmanager
def _reaching(run_id: str, besides: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Make one ``ValueError`` of all that a place of files raises, but for errors ``besides``.

    MLflow knows many kinds of places, and each has libraries of its own that may be missing here,
    refuse, or know no such address.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, besides):
            raise
        said = " ".join(str(error).split())[:300] or type(error).__name__
        reason = missing(error) or said
        raise ValueError(f"run: the files of {run_id} cannot be reached: {reason}") from error


def _resolved(root: Path, inside: PurePosixPath) -> Path | None:
    try:
        target = (root / inside).resolve()
    except (OSError, RuntimeError) as error:
        raise Outside(f"artifact: {str(inside)!r} is a link to itself, or no place") from error
    if not target.is_relative_to(root.resolve()):
        raise Outside(f"artifact: {str(inside)!r} does not lie inside the run")
    return target if target.exists() else None


def _size(path: Path) -> int:
    try:
        return 0 if path.is_dir() else path.stat().st_size
    except OSError:
        return 0  # Replaced while it was listed.
