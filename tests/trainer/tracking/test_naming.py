"""Which run a word means: one that is there, and never one that is merely likely."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import TrainConfig
from trainer.tracking import start_parent, start_run
from trainer.tracking.client import client
from trainer.tracking.curating import archive
from trainer.tracking.naming import described, run_named, runs_named
from trainer.tracking.runs import find_runs

pytestmark = pytest.mark.usefixtures("store")


def begun(name: str) -> str:
    return start_parent(name, experiment="any")


@pytest.fixture
def alike(store: Path) -> list[str]:
    """Return the ids of three runs that begin alike, the first two further than shown at first."""
    import sqlite3

    beginnings = ["abcd000011112222", "abcd000011113333", "abcdffff00000000"]
    ids = []
    for number, beginning in enumerate(beginnings):
        run_id = begun(f"of {number}")
        ids.append(beginning + run_id[len(beginning) :])
        with sqlite3.connect(store / "mlflow.db") as database:
            database.execute("PRAGMA foreign_keys = OFF")
            database.execute("UPDATE runs SET run_uuid = ? WHERE run_uuid = ?", (ids[-1], run_id))
            database.execute("UPDATE tags SET run_uuid = ? WHERE run_uuid = ?", (ids[-1], run_id))
    return ids


@pytest.mark.parametrize("letters", [4, 8, 31])
def test_the_beginning_of_an_id_is_enough(letters: int, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = begun("first"), begun("second")
    with caplog.at_level(logging.INFO):
        assert run_named(first[:letters]) == first
    assert f"{first[:letters]} is run {first[:8]} (first, started 2" in caplog.text


def test_a_whole_id_is_itself_unseen_and_unsaid(caplog: pytest.LogCaptureFixture) -> None:
    other = begun("0" * 32)
    with caplog.at_level(logging.INFO):
        assert run_named("0" * 32) == "0" * 32 != other
    assert not caplog.text


def test_several_are_listed_by_what_tells_them_apart(alike: list[str]) -> None:
    with pytest.raises(ValueError, match="'abcd' is several") as error:
        run_named("abcd")
    said = str(error.value)
    assert all(f"{run_id[:13]} (of {n}, started" in said for n, run_id in enumerate(alike))
    assert run_named("abcd00001111222") == alike[0]
    assert run_named("abcdf") == alike[2]


def test_several_of_one_name_are_listed_and_many_are_cut_short() -> None:
    ids = [begun("repeat") for _ in range(8)]
    with pytest.raises(ValueError, match=r"several: .*, …; give more of the id") as error:
        run_named("repeat")
    assert sum(run_id[:8] in str(error.value) for run_id in ids) == 5


def test_a_name_that_another_id_begins_with_is_not_guessed() -> None:
    by_id = begun("first")
    by_name = begun(by_id[:5])
    assert {run.info.run_id for run in runs_named(by_id[:5])} == {by_id, by_name}
    with pytest.raises(ValueError, match="is several"):
        run_named(by_id[:5])


# No shell can pass on what ends a text in C.
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9
    )
)
def test_any_name_finds_its_run_and_no_other(name: str) -> None:
    """The filter's grammar has no escape, and wildcards."""
    run_id = begun(name)
    try:
        assert [run.info.run_id for run in runs_named(name)] == [run_id]
    finally:
        client().delete_run(run_id)


def test_the_last_is_the_newest_training_that_is_not_archived() -> None:
    with pytest.raises(ValueError, match="no run in this store yet; trainer fit begins one"):
        run_named("last")
    of_another_program = begun("theirs")
    assert run_named("last") == of_another_program
    newest = start_run(TrainConfig()).id
    gone = start_run(TrainConfig()).id
    archive([gone])
    for _ in range(21):
        start_parent("wide", experiment="any", tags={"segscope.kind": "sweep"})
    assert run_named("last") == newest


def test_an_archived_run_counts_where_no_other_fits() -> None:
    old = begun("cars")
    archive([old])
    assert run_named("cars") == run_named(old[:6]) == old
    again = begun("cars")
    assert run_named("cars") == again


@pytest.mark.parametrize("word", ["bsaeline", "baselin", "Baseline", "base"])
def test_none_lists_the_nearest(word: str) -> None:
    run_id = begun("baseline")
    begun("quite another")
    with pytest.raises(ValueError, match=f"no run '{word}' in this store; nearest: ") as error:
        run_named(word)
    assert f"nearest: {run_id[:8]} (baseline, started" in str(error.value)
    assert "quite another" not in str(error.value)


def test_the_nearest_is_found_behind_many_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.tracking.naming.LOOKED_THROUGH", 2)
    run_id = begun("it's 50% of all")
    for number in range(4):
        begun(f"other {number}")
    with pytest.raises(ValueError, match=f"nearest: {run_id[:8]}"):
        run_named("it's 50% off all")


def test_nothing_near_names_none_and_says_how_a_run_is_said() -> None:
    begun("baseline")
    with pytest.raises(ValueError, match=r"in this store; a run is said by its name, 4 letters"):
        run_named("zzz")


def test_a_slip_in_an_id_lists_the_run() -> None:
    run_id = begun("first")
    slipped = run_id[:11] + ("0" if run_id[11] != "0" else "1")
    with pytest.raises(ValueError, match=rf"nearest: {run_id[:8]} \(first"):
        run_named(slipped)


def test_an_endless_name_is_cut_and_a_strange_start_is_no_traceback() -> None:
    run_id = begun("n" * 250)
    (run,) = find_runs("")
    run.info._start_time = 10**30
    (said,) = described([run])
    assert said == f"{run_id[:8]} ({'n' * 39}…, started –)"


def test_a_name_is_found_among_thousands_without_reading_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = begun("wanted")
    for number in range(30):
        begun(f"other {number}")
    read: list[str] = []
    search = type(client()).search_runs

    def counting(*args: object, **more: object) -> object:
        page = search(*args, **more)  # type: ignore[arg-type]
        read.extend(run.info.run_id for run in page)
        return page

    monkeypatch.setattr(type(client()), "search_runs", counting)
    assert run_named("wanted") == run_named(run_id[:9]) == run_named(run_id) == run_id
    assert read == [run_id, run_id]
