"""A file that is no store of the installed MLflow is told, with its cure, and left as it was."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trainer.tracking.client import begin, client, experiment_id
from trainer.tracking.schema import check_schema

FIRST = "451aebb31d03"  # of MLflow's schemas


def changed(*statements: str) -> Callable[[Path], None]:
    def change(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return change


def overwritten(start: int, content: bytes) -> Callable[[Path], None]:
    def change(database: Path) -> None:
        with database.open("rb+") as file:
            file.seek(start)
            file.write(content)

    return change


def of_revision(name: str) -> Callable[[Path], None]:
    return changed(f"UPDATE alembic_version SET version_num = '{name}'")


def another_programs(database: Path) -> None:
    database.unlink()
    changed("CREATE TABLE studies (name)")(database)


CURES = {
    "text": (overwritten(0, b"no database at all" * 9), "file is not a database; put a copy of"),
    "halved": (lambda d: d.write_bytes(d.read_bytes()[:5000]), "malformed; put a copy of before"),
    "earlier": (of_revision(FIRST), "earlier MLflow (its schema is 451aebb31d03); copy it, then "),
    "earlier, fewer tables": (
        changed("DROP TABLE latest_metrics", f"UPDATE alembic_version SET version_num = '{FIRST}'"),
        "upgrade it: mlflow db upgrade sqlite:///",
    ),
    "later": (of_revision("ffffffffffff"), "later MLflow (its schema is ffffffffffff); upgrade"),
    "another's": (another_programs, "is a database, but not MLflow's"),
}


@pytest.mark.parametrize("harm", CURES)
@pytest.mark.parametrize("opened", [client, begin, lambda: experiment_id("new")])
def test_it_is_told_and_left_as_it_was(
    harm: str, opened: Callable[[], object], store: Path
) -> None:
    database = store / "mlflow.db"
    change, said = CURES[harm]
    change(database)
    before = database.read_bytes()
    with pytest.raises(ValueError, match=r"^store: .*mlflow\.db") as refused:
        opened()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert database.read_bytes() == before


def test_a_store_that_a_killed_process_began_is_made_whole(store: Path) -> None:
    database = store / "mlflow.db"
    database.write_bytes(b"")
    check_schema(database)
    experiment_id("new")
    assert client().get_experiment_by_name("new") is not None
