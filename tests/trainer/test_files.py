"""Files and folders are written whole or not at all, whoever writes, reads or is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.data.painting import save_image
from trainer.files import (
    aside,
    is_partial,
    reading,
    remove_partials,
    replacing,
    replacing_folder,
    write_json,
    write_text,
)


def test_the_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note.txt"
    write_text(path, "earlier")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "earlier"
        assert partial.parent == path.parent and is_partial(partial)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    save_image(Image.fromarray(np.zeros((3, 4), np.uint8)), path)
    earlier = path.read_bytes()
    with pytest.raises(ValueError, match="half"), replacing(path) as partial:
        partial.write_bytes(b"half a picture")
        raise ValueError("half")
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_readable_whatever_their_alphabet(tmp_path: Path) -> None:
    write_json(tmp_path / "classes.json", {"name": "Straße 道路"})
    assert "Straße 道路" in (tmp_path / "classes.json").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "classes.json").read_bytes()) == {"name": "Straße 道路"}


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_the_mode_is_the_umasks(tmp_path: Path, mask: int) -> None:
    """A store that a group shares must stay readable to it."""
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "a")
        with replacing_folder(tmp_path / "folder") as folder:
            (folder / "b.txt").write_text("b")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o777 & ~mask


def test_what_takes_the_place_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it a power cut after the rename leaves a name and no content."""
    events: list[str] = []
    renames = {name: getattr(Path, name) for name in ("replace", "rename")}
    synced = os.fsync

    def sync(file: int) -> None:
        number = os.fstat(file).st_ino
        paths = [tmp_path, *tmp_path.rglob("*")]
        events.append(next(path.name for path in paths if path.stat().st_ino == number))
        synced(file)

    monkeypatch.setattr(os, "fsync", sync)
    for name, rename in renames.items():

        def renamed(path: Path, to: Path, rename: Callable[..., Path] = rename) -> Path:
            events.append(f"{path.name} > {to.name}")
            return rename(path, to)

        monkeypatch.setattr(Path, name, renamed)
    write_text(tmp_path / "a.txt", "a")
    assert events == [events[0], f"{events[0]} > a.txt"]
    write_folder(tmp_path / "folder")
    events.clear()
    write_folder(tmp_path / "folder")
    partial, old = ".folder.partial", aside(tmp_path / "folder").name
    assert set(events[:4]) == {partial, "inside", "b.txt", "c.txt"}
    assert events[4:] == [f"folder > {old}", f"{partial} > folder", tmp_path.name]


def write_folder(path: Path) -> None:
    with replacing_folder(path) as folder:
        (folder / "inside").mkdir()
        for name in ("b.txt", "inside/c.txt"):
            (folder / name).write_text(name)


def test_what_cannot_be_made_sense_of_is_named_and_what_is_not_there_is_no_damage() -> None:
    path = Path("folder/index.json")
    deep = "[" * 100_000
    for text, said in [
        ("", "Expecting value"),
        ("[]", "TypeError: list indices"),
        ("{}", "KeyError: 'names'"),
        ('{"names": 3}', "TypeError: 'int' object is not iterable"),
        (deep, "RecursionError: "),
    ]:
        with pytest.raises(ValueError, match="is damaged") as caught, reading(path):
            list(json.loads(text)["names"])
        assert str(caught.value).startswith(f"{path}: is damaged ({said}")
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError), reading(path):
        path.read_text()


def test_many_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "views.json"
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_json(path, [number] * 2000)
                assert len(set(json.loads(path.read_text()))) == 1
        except BaseException as error:  # noqa: BLE001 - a thread's failure is nobody's otherwise
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    for content in ("one", "two"):
        with replacing_folder(folder) as new:
            (new / f"{content}.txt").write_text(content)
    assert [path.name for path in folder.iterdir()] == ["two.txt"]
    with pytest.raises(OSError, match="full"), replacing_folder(folder) as new:
        (new / "three.txt").write_text("th")
        raise OSError("full")
    assert [path.name for path in folder.iterdir()] == ["two.txt"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(("step", "kept"), [(1, "one"), (2, "two")])
def test_who_is_interrupted_between_two_steps_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, kept: str
) -> None:
    folder, rename, steps = tmp_path / "folder", Path.rename, []
    with replacing_folder(folder) as new:
        (new / "one").touch()

    def interrupted(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        steps.append(path.name)
        if len(steps) == step:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder) as new:
        (new / "two").touch()
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [
        Path("folder"),
        Path("folder") / kept,
    ]


KILLED = """
import sys, time
from pathlib import Path
from trainer.files import replacing, replacing_folder

with replacing_folder(Path(sys.argv[1])) as new, replacing(Path(sys.argv[2])) as partial:
    (new / "half.txt").write_text("half")
    partial.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_what_is_known_as_partial(tmp_path: Path) -> None:
    folder, path = tmp_path / "last", tmp_path / "index.json"
    write_json(path, "whole")
    with replacing_folder(folder) as new:
        (new / "whole.txt").write_text("whole")
    command = [sys.executable, "-c", KILLED, str(folder), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads(path.read_text()) == "whole"
    assert (folder / "whole.txt").read_text() == "whole"
    assert {p.name for p in tmp_path.iterdir() if not is_partial(p)} == {"last", "index.json"}
    # The next writer of the folder makes a fresh start.
    with replacing_folder(folder) as new:
        assert list(new.iterdir()) == []


KILLED_BETWEEN = """
import os, sys
from pathlib import Path
from trainer.files import is_partial, replacing_folder

rename = Path.rename
Path.rename = lambda path, to: os._exit(9) if is_partial(path) else rename(path, to)
with replacing_folder(Path(sys.argv[1])) as new:
    (new / "state.json").write_text("2")
"""


def test_a_writer_killed_between_two_renames_leaves_the_earlier_folder_aside(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "last"
    with replacing_folder(folder) as new:
        (new / "state.json").write_text("1")
    assert subprocess.run([sys.executable, "-c", KILLED_BETWEEN, str(folder)]).returncode == 9
    assert not folder.exists()
    remove_partials(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        ".last.old",
        ".last.old/state.json",
    ]
    assert (aside(folder) / "state.json").read_text() == "1"
    aside(folder).rename(folder)
    aside(folder).mkdir()
    for name in (".old", "..old"):
        (tmp_path / name).mkdir()
    remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["..old", ".old", "last"]


@pytest.mark.parametrize(
    ("name", "partial"),
    [
        (".config.yaml.partial", True),  # as earlier versions named them
        (".epoch-0001.partial.png", True),
        (".last.partial", True),
        (".gitignore", False),
        ("the.partial.results.csv", False),
    ],
)
def test_what_is_partial_is_told_from_its_name(name: str, partial: bool) -> None:
    assert is_partial(Path(name)) is partial


def test_a_long_name_stays_writable(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 250}.txt"
    write_text(path, "a")
    assert path.read_text() == "a"


def test_what_was_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    whole = [tmp_path / "a.txt", tmp_path / "checkpoints/.last.old/state.json", tmp_path / ".keep"]
    left = [tmp_path / ".0a.partial.json", tmp_path / "checkpoints/.last.partial/state.json"]
    for path in whole + left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    remove_partials(tmp_path)
    assert [path.exists() for path in whole + left] == [True] * 3 + [False] * 2
    assert not (tmp_path / "checkpoints/.last.partial").exists()
