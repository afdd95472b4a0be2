"""Where a store's files lie, also after the store was moved, copied or mounted elsewhere.

MLflow records absolute places. Those of a store in a file are found again beside its database.
"""

import shutil
from pathlib import Path

from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from trainer.store import sqlite_path, tracking_uri

# From a run's or a model's files to the folder of all files: artifacts/EXPERIMENT/RUN/artifacts.
FLOORS = 4


def local_path(artifact_uri: str) -> Path | None:
    """Return the folder of a run's or a model's files on this machine; None where a server has it.

    Where it was recorded elsewhere than beside the database, it is looked for there first: whoever
    copies a store must not write into the original. What is nowhere yet belongs where its
    experiment's folder is.
    """
    if not is_local_uri(artifact_uri):
        return None
    recorded = Path(local_file_uri_to_path(artifact_uri))
    database = sqlite_path(tracking_uri())
    if database is None or recorded.is_relative_to(database.parent):
        return recorded
    ends = [recorded.parts[i:] for i in range(1, len(recorded.parts) - 1)]
    places = [*(database.parent.joinpath(*end) for end in ends), recorded]
    above = (database.parent, *database.parent.parents)
    for floor in range(FLOORS):
        for place in places:
            known = (place, *place.parents)[floor]
            if known not in above and known.exists():
                return place
    return recorded


def copied_here(folder: Path, artifact_uri: str) -> bool:
    """Copy the files of ``folder`` to where those of a run or a model lie on this machine.

    Returns False, and copies nothing, where a server has them.
    """
    target = local_path(artifact_uri)
    if target is not None:
        shutil.copytree(folder, target, dirs_exist_ok=True)
    return target is not None
