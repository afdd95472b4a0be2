"""Whether a database is a store of the MLflow that is installed, asked before MLflow opens it.

MLflow writes its tables into any database, and what lacks some it upgrades in silence.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow.store.db_migrations
from mlflow.store.db.utils import _get_latest_schema_revision

from trainer.faults import database_fault
from trainer.store import read_only


def check_schema(database: Path) -> None:
    """Raise ``ValueError``, with the cure, for a file that is no store of this MLflow.

    One that has no tables yet passes: it is a store that is about to be.
    """
    tables, revision = _read(database)
    if revision is None:
        # A process that was killed while it made the store has left some of MLflow's.
        if tables and "experiments" not in tables:
            raise ValueError(f"store: {database} is a database, but not MLflow's; give another")
        return
    if revision == _get_latest_schema_revision():
        return
    migrations = Path(mlflow.store.db_migrations.__file__).parent / "versions"
    if revision not in {path.name.partition("_")[0] for path in migrations.glob("*.py")}:
        raise ValueError(
            f"store: {database} is of a later MLflow (its schema is {revision}); "
            "upgrade MLflow: pip install --upgrade mlflow"
        )
    raise ValueError(
        f"store: {database} is of an earlier MLflow (its schema is {revision}); copy it, then "
        f"upgrade it: mlflow db upgrade sqlite:///{database}"
    )


def _read(database: Path) -> tuple[set[str], str | None]:
    """Return the names of the tables, and the revision of the schema, None where none is noted."""
    try:
        with closing(sqlite3.connect(read_only(database), uri=True, timeout=60)) as connection:
            named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {str(name) for (name,) in named}
            if "alembic_version" not in tables:
                return tables, None
            noted = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return tables, None if noted is None else str(noted[0])
    except sqlite3.Error as error:
        told = database_fault(error, str(database)) or f"{database}: {error}"
        raise ValueError(f"store: {told}") from error
