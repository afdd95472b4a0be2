"""Whoever raises it, what the system refuses is told in one line; what is ours is not."""

import errno
import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from mlflow.exceptions import MlflowException
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import save_file
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from trainer.faults import GO_ON, is_out_of_memory, system_fault, unless_refused, writing
from trainer.files import replacing, replacing_folder

NOISE = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
TABLE = pa.table({"pixels": NOISE.ravel()})
WRITERS: dict[str, Callable[[Path], object]] = {
    "part.parquet": lambda path: pq.write_table(TABLE, path),
    "model.safetensors": lambda path: save_file({"a": torch.rand(90_000)}, path),
    "state.json": lambda path: path.write_text(json.dumps(NOISE.tolist())),
    "items.npz": lambda path: np.savez(path, NOISE),
    "image.png": lambda path: Image.fromarray(NOISE).save(path),
}


@contextmanager
def files_below(size: int) -> Iterator[None]:
    """Let this process write no file beyond so many bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_says_which_file_found_no_room(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"the last good one")
    with pytest.raises(OSError) as refused, files_below(20_000), replacing(path) as partial:
        WRITERS[name](partial)
    assert system_fault(refused.value) == (
        f"{path}: File too large; the limit for a file's size is too low there; see ulimit -f"
    )
    assert path.read_bytes() == b"the last good one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_stays_as_it_was(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "last"
    folder.mkdir()
    (folder / name).write_bytes(b"the last good one")
    with pytest.raises(OSError) as refused, files_below(20_000), replacing_folder(folder) as new:
        WRITERS[name](new / name)
    assert str(folder) in (system_fault(refused.value) or "")
    assert (folder / name).read_bytes() == b"the last good one"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_safetensors_tells_the_systems_error_in_words_alone(number: int, tmp_path: Path) -> None:
    words = SafetensorError(f"Error while serializing: I/O error: … (os error {number})")
    with pytest.raises(OSError) as refused, writing(tmp_path):
        raise words
    assert refused.value.errno == number
    assert system_fault(words)


def database_error(work: str, database: Path) -> Exception:
    """Return what SQLAlchemy raises, and MLflow wraps, when a database cannot do the work."""
    try:
        with create_engine(f"sqlite:///{database}").begin() as connection:
            connection.execute(text("PRAGMA max_page_count = 3"))
            connection.execute(text(work))
    except SQLAlchemyError as error:
        try:
            raise MlflowException(message=str(error)) from error
        except MlflowException as wrapped:
            return wrapped
    raise AssertionError("it was done")


def test_a_full_database_is_told_with_its_file(store: Path, tmp_path: Path) -> None:
    database = tmp_path / "full.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE a (x)")
    error = database_error("INSERT INTO a VALUES (zeroblob(1000000))", database)
    assert system_fault(error) == (
        f"store: {store / 'mlflow.db'}: database or disk is full; make room there"
    )


def test_a_damaged_database_is_told(store: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.db").write_bytes(b"no database" * 999)
    told = system_fault(database_error("SELECT 1", tmp_path / "odd.db"))
    assert told and "file is not a database; put a copy of before in its place" in told


def test_a_wrong_statement_is_ours(store: Path, tmp_path: Path) -> None:
    assert system_fault(database_error("SELECT x FROM nowhere", tmp_path / "new.db")) is None


@pytest.mark.parametrize(
    "error", [KeyError("x"), FileNotFoundError(2, "x"), ValueError("No space")]
)
def test_what_is_ours_keeps_its_traceback(error: Exception) -> None:
    assert system_fault(error) is None
    with pytest.raises(type(error)), unless_refused():
        raise error


def test_the_widest_way_to_go_on_is_told_last() -> None:
    error = OSError(errno.ENOSPC, "full", "file")
    error.add_note("some note of a library")
    error.add_note(f"{GO_ON}trainer resume 1")
    error.add_note(f"{GO_ON}sweeps resume lrs")
    told = "file: No space left on device; make room there; go on with: sweeps resume lrs"
    assert system_fault(error) == told
    with unless_refused():
        raise error


def too_much() -> object:
    return torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.parametrize("ask", [too_much, lambda: np.empty(2**60, np.uint8)])
def test_what_torch_and_numpy_raise_without_memory(ask: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        ask()
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("unable to mmap 80 bytes: Cannot allocate memory (12)"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected
