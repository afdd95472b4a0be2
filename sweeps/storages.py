"""Where the study of a sweep is kept: as told, by the environment, or as the store has noted it.

The sweep's own run carries the address of its study as a tag, without the password, so that who
has the store finds the study. Nothing here imports Optuna.
"""

import os
import re
import sys
from pathlib import Path
from urllib.parse import quote

from sweeps.reading import STORAGE, journal, storages, study_names
from trainer.printing import say
from trainer.store import bare_address, local_folder, sqlite_path, tracking_uri

TAG = "segscope.storage"
GIVE = f"give it with --storage or in {STORAGE}"
# A database of this machine, and nothing that a driver would read as another's address.
_OWN_SERVER = re.compile(
    r"postgresql\+psycopg://([^@/]*@)?(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/[\w.-]+"
)


def tag(storage: str | None) -> str:
    """Return what the store notes of where a study is kept; empty for the journal beside it."""
    if storage is None:
        return "" if sqlite_path(tracking_uri()) else str(journal())
    database = sqlite_path(storage)
    return bare_address(storage) if database is None else str(database)


def told(storage: str | None) -> str | None:
    """Return the storage that the flag names, else the environment; None where neither does."""
    return storage or os.environ.get(STORAGE) or None


def located(name: str, storage: str | None, *, reading: bool = True) -> str | None:
    """Return the storage that has a sweep, None for the journal; ``storage`` itself where given.

    Where no storage has it, it is the one for a sweep that is not there yet. Raises ``ValueError``
    where the store notes a place that is not here, or not to be trusted, or one where a sweep can
    be read but, without ``reading``, not be gone on with.
    """
    if storage:
        return storage
    for known in storages():
        if name in study_names(known):
            return None if known == str(journal()) else known
    noted = next((place for sweep, place in _noted() if sweep == name), "")
    if not noted:
        return told(None)
    place = checked(name, noted)
    if reading:
        return place
    if "://" not in place:
        raise ValueError(
            f"storage: the study of {name!r} is the journal {place}; go on with it in the folder "
            f"where it was begun, {Path(place).parent.parent}"
        )
    say(f"storage: the store has sweep {name} in {place}", file=sys.stderr)
    return place


def others() -> list[tuple[str, str]]:
    """Return name and noted place of the sweeps that the store knows elsewhere than `storages`."""
    known = {str(journal()), *map(tag, storages())}
    return [(name, place) for name, place in dict(reversed(_noted())).items() if place not in known]


def checked(name: str, noted: str) -> str:
    """Return the storage that a store has noted for a sweep, as it can be opened.

    A store in a file may come from anybody, so it leads to files and to this machine's own
    database at most, not to a server elsewhere with the passwords that are at hand here. A file of
    the store's folder is found beside the database, wherever that was copied. Raises
    ``ValueError`` for what is not here, or not to be trusted.
    """
    if "://" in noted:
        if sqlite_path(tracking_uri()) and not _OWN_SERVER.fullmatch(noted):
            raise ValueError(
                f"storage: the study of {name!r} is said to be in {bare_address(noted)}, but a "
                f"store in a file may come from anybody; if you trust it, {GIVE}"
            )
        return noted
    beside = local_folder() / Path(noted).name
    file = next((path for path in (beside, Path(noted)) if path.is_file()), None)
    if file is None:
        raise ValueError(
            f"storage: the study of {name!r} is in {noted}, which is not here; if it is elsewhere "
            f"now, {GIVE}; a new sweep needs another --name"
        )
    return str(file) if file.name == journal().name else f"sqlite:///{quote(str(file))}"


def default_told() -> str:
    """Return the line that says where a study is kept of which nobody has said it; else empty."""
    if sqlite_path(tracking_uri()):
        return ""
    return (
        f"storage: the store is a server's, the study lies in {journal()} of this machine; "
        f"to share it with others {GIVE}: postgresql+psycopg://user@host/name"
    )


def _noted() -> list[tuple[str, str]]:
    """Return name and place of each sweep whose place the store notes, the last begun first."""
    from trainer.tracking import find_runs  # late: it imports mlflow

    database = sqlite_path(tracking_uri())
    if database is not None and not database.exists():
        return []
    tags = [run.data.tags for run in find_runs("tags.`segscope.kind` = 'sweep'")]
    return [(found.get("segscope.sweep", ""), found[TAG]) for found in tags if found.get(TAG)]
