"""The outbox's file: whatever cuts it, what is whole in it stays, in order."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.tracking import outbox as module
from trainer.tracking.outbox import Outbox, record, waiting_in, waiting_runs

TAGS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=2)


def records_of(path: Path) -> list[str]:
    return [waiting["id"] for waiting in waiting_in(path.read_bytes(), str(path))]


@given(tags=st.lists(TAGS, min_size=1, max_size=5), data=st.data())
def test_any_cut_leaves_whole_records_in_order(
    tags: list[dict[str, str]], data: st.DataObject
) -> None:
    all_records = [record(tags=some) for some in tags]
    sent = data.draw(st.integers(0, len(tags)))
    written = [*all_records, *({"sent": one["id"]} for one in all_records[:sent])]
    lines = [f"{json.dumps(line, ensure_ascii=False)}\n".encode() for line in written]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [len(b"".join(lines[: i + 1])) for i in range(len(lines))]
    survived = written[: sum(end <= cut for end in ends)]
    gone = [line["sent"] for line in survived if "sent" in line]
    expected = [line for line in survived if "id" in line and line["id"] not in gone]
    assert waiting_in(whole[:cut], "it") == expected
    # What waits is always a piece of what was written, without a gap.
    assert expected == all_records[len(gone) : len(gone) + len(expected)]


@pytest.mark.usefixtures("store")
def test_what_is_put_is_there_for_the_next_process_until_it_is_sent() -> None:
    first, second = record(tags={"a": "ü\n"}), record(tags={"b": "2"})
    one = Outbox("run")
    one.put(first, second)
    assert first["id"] != second["id"]
    assert waiting_runs() == ["run"]
    other = Outbox("run")
    assert (len(other), other.first()) == (2, first)
    assert not other.ends()
    other.sent(other.first() or {})
    assert Outbox("run").first() == second
    other.put(record(status="FINISHED", end=1))
    assert Outbox("run").ends()
    for _ in range(2):
        other.sent(other.first() or {})
    assert (len(other), other.first()) == (0, None)
    assert not other.path.exists() and waiting_runs() == []


@pytest.mark.usefixtures("store")
def test_a_torn_last_line_is_dropped_and_written_over() -> None:
    first, second = record(tags={"a": "1"}), record(tags={"b": "2"})
    box = Outbox("run")
    box.put(first)
    with box.path.open("ab") as file:
        file.write(b'{"id": "half')
    again = Outbox("run")
    again.put(second)
    assert records_of(box.path) == [first["id"], second["id"]]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("damage", [b"\xff\n", b"[]\n", b"{}\n", b'{"sent": "unknown"}\n', b"1\n"])
def test_damage_elsewhere_is_told_with_its_line(damage: bytes) -> None:
    box = Outbox("run")
    box.put(record(tags={}))
    box.path.write_bytes(box.path.read_bytes() + damage + box.path.read_bytes())
    with pytest.raises(ValueError, match=r"outbox: line 2 of .*run\.jsonl is damaged; "):
        Outbox("run").first()


@pytest.mark.usefixtures("store")
def test_what_the_disk_does_not_take_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Outbox("run")
    box.put(record(tags={"a": "1"}))
    before = box.path.read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            box.put(record(tags={"b": "2"}))
    assert box.path.read_bytes() == before
    assert len(box) == 1


def test_a_kept_file_is_as_it_was(store: Path, tmp_path: Path) -> None:
    replaced, grown = tmp_path / "weights", tmp_path / "log.txt"
    replaced.write_text("1")
    grown.write_text("1")
    box = Outbox("run")
    kept = [box.keep(replaced, grows=False), box.keep(grown, grows=True)]
    box.put(*(record(artifact=Path(path).name, kept=path) for path in kept))
    (tmp_path / "other").write_text("2")
    (tmp_path / "other").replace(replaced)
    with grown.open("a") as file:
        file.write("2")
    assert [(box.files / path).read_text() for path in kept] == ["1", "1"]
    box.sent(box.first() or {})
    assert not (box.files / kept[0]).exists()
    box.sent(box.first() or {})
    assert not box.files.exists()


@pytest.mark.usefixtures("store")
def test_one_process_at_a_time_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.01)
    with Outbox("run").locked() as first, Outbox("run").locked() as second:
        assert (first, second) == (True, False)
    with Outbox("run").locked() as third:
        assert third
