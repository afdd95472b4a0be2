"""The examples at the end of each command's help work, one after the other as they stand there."""

import importlib
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from trainer.examples import EXAMPLES, shown_examples
from trainer.options import ASK, Asked
from trainer.words import sizes_apart

PROGRAMS = ("trainer", "sweeps", "dashboard")
LINES = [line for lines in EXAMPLES.values() for line in lines]
# So that what trains takes a second: said last, these flags are the ones that count.
SMALL = "--epochs 1 --image-size 32 48 --batch-size 4 --cache ram --val-fraction 0.25"
TRAINS = {"trainer fit", "trainer lr-find", "trainer classify", "sweeps run"}


def commands(program: str) -> list[str]:
    table = getattr(importlib.import_module(f"{program}.cli"), "COMMANDS", None)
    return [program] if table is None else [f"{program} {name}" for name in table]


def test_every_command_has_examples_of_itself() -> None:
    assert sorted(EXAMPLES) == sorted(c for p in PROGRAMS for c in commands(p))
    for command, lines in EXAMPLES.items():
        assert lines
        assert all(line.startswith(command) for line in lines)
        assert shown_examples(command)[1] == "examples:"
    assert shown_examples("something else") == []


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith("dashboard")])
def test_the_options_of_an_example_exist(line: str, tmp_path: Path) -> None:
    program, name, *words = shlex.split(line)
    command = importlib.import_module(f"{program}.cli").COMMANDS[name]
    (tmp_path / "spec.yaml").write_text("space: {lr: [0.01, 0.02]}\n")
    here = [str(tmp_path / word) if word == "spec.yaml" else word for word in words]
    with pytest.raises(Asked) as asked:
        command([ASK] if "MODEL" in here else [*here, ASK])
    options = asked.value.options
    flags = {option.flag for option in options}
    assert {word.split("=")[0] for word in sizes_apart(words, options) if word[:2] == "--"} <= flags


# They need a run that was stopped, and a journal that is damaged; both have tests of their own.
ELSEWHERE = ("trainer resume RUN", "sweeps repair")


def lines_of(program: str) -> list[str]:
    return [line for line in LINES if line.startswith(f"{program} ") and line not in ELSEWHERE]


@pytest.mark.slow
@pytest.mark.parametrize("program", ["trainer", "sweeps"])
def test_the_examples_work(
    program: str,
    store: Path,
    cars: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(cars, "cars")
    images = sorted((cars / "train").iterdir())
    for number, image in enumerate(images):
        folder = Path("labelled", ("one", "other")[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder)
    shutil.copytree("cars/train_masks", "masks")
    Path("spec.yaml").write_text("space: {lr: [0.01, 0.02]}\nfixed: {data: cars}\ntrials: 2\n")
    main = importlib.import_module(f"{program}.cli").main
    runs: list[str] = []
    for line in lines_of(program):
        words = shlex.split(line)
        small = shlex.split(SMALL) if " ".join(words[:2]) in TRAINS else []
        data = ["--data", "cars"] if small and "--data" not in words else []
        stand_in = dict(zip(("RUN", "OTHER", "MODEL"), runs, strict=False))
        argv = [
            str(images.pop()) if word == "IMAGE" else stand_in.get(word, word)
            for word in [*words, *data, *small]
        ]
        monkeypatch.setattr(sys, "argv", argv)
        code = main()
        said = capsys.readouterr()
        assert code == 0, (line, said.err)
        if words[:2] == ["trainer", "fit"]:
            runs = [*runs, *said.out.split()]
