"""A journal that a crash has torn is whole again, and no sweep of the store is lost."""

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

import sweeps.study
from sweeps.journal import repair
from sweeps.reading import journal, read_study, study_names
from sweeps.search import carry_out, start
from sweeps.spec import SweepSpec
from sweeps.study import change, create, load
from sweeps.workers import work

MakeSpec = Callable[..., SweepSpec]


@pytest.fixture
def swept(pretend: ModuleType, spec: MakeSpec) -> Path:
    """Return the journal of two sweeps with two trials each."""
    for name in ("first", "second"):
        start(spec(name=name, trials=2), None, fit=pretend.fit)
    return journal()


def finished(name: str) -> int:
    return len(load(name, None).trials(TrialState.COMPLETE))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 400))
def test_a_torn_end_costs_the_entry_that_was_torn_and_no_more(
    swept: Path, pretend: ModuleType, cut: int
) -> None:
    whole = swept.read_bytes()
    try:
        swept.write_bytes(whole[:-cut])
        assert study_names(str(swept)) == ["first", "second"]
        sweep = change(load("second", None), trials=3)
        carry_out(sweep, fit=pretend.fit)
        assert (finished("first"), finished("second")) == (2, 3)
        for line in swept.read_bytes().splitlines():
            assert "op_code" in json.loads(line)
    finally:
        swept.write_bytes(whole)


def test_an_end_that_lacks_its_line_break_alone_costs_nothing(
    swept: Path, pretend: ModuleType
) -> None:
    entries = swept.read_bytes().splitlines()
    swept.write_bytes(swept.read_bytes()[:-1])
    carry_out(change(load("second", None), trials=3), fit=pretend.fit)
    assert swept.read_bytes().splitlines()[: len(entries)] == entries


DAMAGE = {
    "a blank line": lambda lines: lines.insert(3, b""),
    "nothing": lambda lines: lines.insert(3, b"null"),
    "a list": lambda lines: lines.insert(3, b"[1]"),
    "a number": lambda lines: lines.insert(3, b"7"),
    "an unknown kind": lambda lines: lines.insert(3, b'{"op_code": 99, "worker_id": "w"}'),
    "a kind in words": lambda lines: lines.insert(3, b'{"op_code": "4", "worker_id": "w"}'),
    "of no study": lambda lines: lines.insert(3, b'{"op_code": 2, "worker_id": "w"}'),
    "of a study in words": lambda lines: lines.insert(
        3, b'{"op_code": 1, "worker_id": "w", "study_id": "0"}'
    ),
    "of nobody": lambda lines: lines.insert(3, b'{"op_code": 1, "study_id": 0}'),
    "no date": lambda lines: lines.insert(
        3, b'{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "soon"}'
    ),
    "no state": lambda lines: lines.insert(
        -1, b'{"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 17, "values": null}'
    ),
    "no distribution": lambda lines: lines.insert(
        -1,
        b'{"op_code": 5, "worker_id": "w", "trial_id": 0, "param_name": "lr", '
        b'"param_value_internal": 1.0, "distribution": "{\\"name\\": \\"Normal\\"}"}',
    ),
    "no direction": lambda lines: lines.insert(
        3, b'{"op_code": 0, "worker_id": "w", "study_name": "x", "directions": [9]}'
    ),
    "a long number": lambda lines: lines.insert(3, b'{"op_code": ' + b"9" * 5000 + b"}"),
    "in UTF-16": lambda lines: lines.insert(3, '{"op_code": 1, "study_id": 0}'.encode("utf-16")),
    "a foreign line": lambda lines: lines.insert(5, b"<<<<<<< HEAD"),
    "bytes of a disk": lambda lines: lines.insert(4, b"\0" * 80),
    "deep": lambda lines: lines.insert(4, b"[" * 100_000),
    "an entry behind a torn one": lambda lines: lines.__setitem__(6, lines[6][:30] + lines[6]),
    "a value": lambda lines: lines.__setitem__(-1, lines[-1][:-9]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_with_its_line_and_repaired(
    swept: Path, pretend: ModuleType, name: str
) -> None:
    lines = swept.read_bytes().splitlines()
    DAMAGE[name](lines)
    damaged = b"".join(line + b"\n" for line in (*lines, lines[0]))
    swept.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"line \d+ is damaged; mend it with: sweeps repair"):
        study_names(str(swept))
    assert "1 damaged line mended" in repair(swept)
    assert swept.with_name("optuna.journal.damaged-1").read_bytes() == damaged
    assert study_names(str(swept))[:2] == ["first", "second"]
    carry_out(change(load("first", None), trials=3), fit=pretend.fit)
    assert finished("first") == 3
    assert "is whole" in repair(swept)


def test_a_lost_beginning_of_a_trial_does_not_shift_the_later_ones(
    swept: Path, pretend: ModuleType
) -> None:
    before = read_study(str(swept), "second").trials
    lines = swept.read_bytes().splitlines()
    begun = [number for number, line in enumerate(lines) if b'"op_code":4' in line]
    lines[begun[1]] = lines[begun[1]][:-20]
    swept.write_bytes(b"".join(line + b"\n" for line in lines))
    repair(swept)
    after = read_study(str(swept), "second").trials
    assert after["value"].tolist() == before["value"].tolist()
    lines[begun[1]] = lines[begun[1]][:14]
    damaged = b"".join(line + b"\n" for line in lines)
    swept.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"line {begun[1] + 1} began a trial"):
        repair(swept)
    assert swept.read_bytes() == damaged


def written(path: Path, lines: list[bytes]) -> bytes:
    content = b"".join(line + b"\n" for line in lines)
    # As another file: of the one that was read, readers go on where they stopped.
    path.with_name("other").write_bytes(content)
    path.with_name("other").replace(path)
    return content


def beginnings(lines: list[bytes], code: int) -> list[int]:
    return [n for n, line in enumerate(lines) if line.startswith(b'{"op_code":%d,' % code)]


@pytest.mark.parametrize("foreign", [None, b"", b"<<<<<<< HEAD"], ids=["gone", "blank", "foreign"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_lost_beginning_of_a_sweep_is_told_and_shifts_no_other(
    swept: Path, which: int, foreign: bytes | None
) -> None:
    lines = swept.read_bytes().splitlines()
    at = beginnings(lines, 0)[which]
    lines[at : at + 1] = [] if foreign is None else [foreign]
    damaged = written(swept, lines)
    with pytest.raises(ValueError, match=r"line \d+ is damaged; mend it with: sweeps repair"):
        study_names(str(swept))
    with pytest.raises(
        ValueError, match=r"speaks of sweep \d, whose .* go on from a copy of before"
    ):
        repair(swept)
    assert swept.read_bytes() == damaged


def test_an_entry_that_stands_there_twice_counts_once(swept: Path) -> None:
    before = read_study(str(swept), "second").trials
    lines = swept.read_bytes().splitlines()
    at = beginnings(lines, 4)[1]
    lines.insert(at, lines[at])
    written(swept, lines)
    with pytest.raises(ValueError, match=f"line {at + 2} is damaged"):
        read_study(str(swept), "second")
    assert "1 damaged line mended" in repair(swept)
    assert read_study(str(swept), "second").trials["value"].tolist() == before["value"].tolist()
    assert "is whole" in repair(swept)


@pytest.mark.parametrize("foreign", [b"", b"<<<<<<< HEAD"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_trial_begins_where_the_one_line_that_cannot_be_read_stands(
    pretend: ModuleType, spec: MakeSpec, which: int, foreign: bytes
) -> None:
    start(spec(name="only", trials=3), None, fit=pretend.fit)
    before = read_study(str(journal()), "only").trials
    lines = journal().read_bytes().splitlines()
    at = beginnings(lines, 4)[which]
    lines[at] = foreign
    written(journal(), lines)
    with pytest.raises(ValueError, match="mend it with: sweeps repair"):
        read_study(str(journal()), "only")
    assert f"line {at + 1} is taken for the beginning of a trial" in repair(journal())
    after = read_study(str(journal()), "only").trials
    assert after["value"].tolist() == before["value"].tolist()


def test_which_sweep_a_lost_trial_was_of_is_not_guessed(swept: Path) -> None:
    lines = swept.read_bytes().splitlines()
    lines[beginnings(lines, 4)[1]] = b""
    damaged = written(swept, lines)
    with pytest.raises(ValueError, match=r"speaks of trial \d, whose beginning is lost"):
        repair(swept)
    assert swept.read_bytes() == damaged


@pytest.mark.slow
def test_a_database_that_is_locked_is_waited_for(
    pretend: ModuleType, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    sweep = create(spec(trials=2), url)
    held = sqlite3.connect(tmp_path / "study.db", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    release = threading.Timer(7, lambda: held.execute("COMMIT"))  # beyond SQLite's own 5 s
    release.start()
    work(sweep, fit=pretend.fit)
    release.join()
    held.close()
    assert len(sweep.trials(TrialState.COMPLETE)) == 2


def test_a_database_that_stays_locked_is_named_and_blames_no_setting(
    pretend: ModuleType, spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps.study, "LOCKED_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path}/study.db"
    sweep = create(spec(trials=1), url)
    with sqlite3.connect(tmp_path / "study.db", isolation_level=None) as held:

        def fit(config, *, on_epoch, **_):  # type: ignore[no-untyped-def]
            held.execute("BEGIN IMMEDIATE")
            return pretend.fit(config, on_epoch=on_epoch)

        with pytest.raises(ValueError, match=r"study\.db: database is locked; go on with: sweeps"):
            work(sweep, fit=fit)
        held.execute("ROLLBACK")
    held.close()
    assert not sweep.trials(TrialState.FAIL)
    work(load("test", url), fit=pretend.fit)
    assert len(load("test", url).trials(TrialState.COMPLETE)) == 1
