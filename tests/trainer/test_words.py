"""The first mistakes on a command line, and what is said of them."""

import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweeps.cli
import trainer.cli
from sweeps.spec_reading import from_plain
from trainer.config import field_names
from trainer.config.parsing import from_mapping, from_yaml
from trainer.options import options_of
from trainer.other_words import OTHER_WORDS, unknown_setting
from trainer.words import in_parts, sizes_apart

OF_COMMANDS = {"out"}


class Told:
    """What calls a command, which must refuse, and returns its one line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._said = monkeypatch, capsys

    def __call__(self, line: str) -> str:
        self._patch.setattr(sys, "argv", shlex.split(line))
        main = {"trainer": trainer.cli.main, "sweeps": sweeps.cli.main}[sys.argv[0]]
        assert main() == 2
        said = self._said.readouterr()
        (line,) = said.err.splitlines()
        assert said.out == ""
        return line.partition(": ")[2]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("learning-rate", "lr"),
        ("learning-rte", "lr"),
        ("learning_rate", "lr"),
        ("Batch-Sise", "batch-size"),
        ("bs", "batch-size"),
        ("num-epochs", "epochs"),
        ("img-size", "image-size"),
        ("arch", "model"),
        ("early-stopping", "patience"),
        ("optimiser", "optimizer"),
        ("seads", "seeds"),
    ],
)
def test_another_programs_word_is_answered_with_ours(told: Told, given: str, meant: str) -> None:
    assert told(f"trainer fit --{given}=1") == (
        f"unknown option '--{given}' (did you mean '--{meant}'?)"
    )


def test_so_it_is_in_a_file_and_in_a_sweeps_spec(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("learning_rate: 1e-3\n")
    with pytest.raises(ValueError, match=r"a\.yaml: unknown field 'learning_rate' \(did .* 'lr'"):
        from_yaml(path)
    for spec in ({"space": {"bs": [1, 2]}}, {"fixed": {"bs": 2}, "space": {"lr": [1, 2]}}):
        with pytest.raises(ValueError, match=r"unknown field 'bs' \(did you mean 'batch_size'\?\)"):
            from_plain(spec)
    assert "did you mean '--epochs'" in told("sweeps run lr-only --num-epochs 3")


def test_what_is_like_nothing_is_not_answered_with_everything(told: Told) -> None:
    assert told("trainer fit --zzzq 1") == "unknown option '--zzzq'; see trainer fit --help"
    with pytest.raises(ValueError, match=r"^unknown field 'zzzq'; see trainer fit --help$"):
        from_mapping({"zzzq": 1})


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_other_words_are_none_of_ours_and_stand_for_one_of_them(word: str) -> None:
    assert word not in field_names()
    assert OTHER_WORDS[word] in {*field_names(), *OF_COMMANDS}
    (said,) = unknown_setting("field", word, [OTHER_WORDS[word]], see="").args
    assert f"(did you mean {OTHER_WORDS[word]!r}?)" in said


def test_an_unknown_command_is_answered_with_the_nearest(told: Told) -> None:
    assert told("trainer evalute").startswith(
        "unknown command 'evalute' (did you mean 'evaluate'?)"
    )
    assert told("sweeps satus").startswith("unknown command 'satus' (did you mean 'status'?)")


sides = st.integers(1, 9999)


@given(sides, sides, st.sampled_from("xX×"), st.booleans())
def test_a_size_is_one_word_or_two(height: int, width: int, by: str, joined: bool) -> None:
    from trainer.catalogue.data import Sized

    options = options_of(Sized)
    size = f"{height}{by}{width}"
    words = [f"--image-size={size}"] if joined else ["--image-size", size]
    apart = ["--image-size", str(height), str(width)]
    assert sizes_apart(["a", *words, "b"], options) == ["a", *apart, "b"]
    assert sizes_apart(apart, options) == apart
    assert sizes_apart(["--run-name", size], options) == ["--run-name", size]


@pytest.mark.parametrize("words", ["160", "160 --lr 1", "160x", "160x24x3", "wide", "a 5 5"])
def test_half_a_size_is_refused_with_the_cure(told: Told, words: str) -> None:
    first = words.split()[0]
    assert told(f"trainer fit --image-size {words}") == (
        f"--image-size: {first} is not two numbers; give 160 240, or 160x240"
    )


@pytest.mark.parametrize(
    "line",
    [
        "trainer fit --data my own data",
        "trainer fit --data=my own data --lr 1",
        "trainer data my own data",
        "trainer predict somebody my own data --out masks",
        "trainer fit --config my own data",
        "sweeps run my own data",
    ],
)
def test_a_path_with_blanks_is_to_be_quoted(
    told: Told, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my own data").mkdir()
    assert told(line) == "'my own data' has blanks; put it in quotes: 'my own data'"


def test_what_is_a_path_by_itself_is_no_part_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a b").mkdir()
    assert in_parts(["a", "b"]) is not None
    assert in_parts(["a", "--flag", "b"]) is None
    assert in_parts(["a b"]) is None
    Path("a").mkdir()
    assert in_parts(["a", "b"]) is None


@pytest.mark.parametrize(
    "flag", ["--lr", "--learning-rate", "--no-boundary-iou", "--kernel-size=5"]
)
def test_a_setting_is_not_for_what_was_begun(told: Told, flag: str) -> None:
    field = flag.split("=")[0].removeprefix("--no-").removeprefix("--")
    meant = "lr" if field == "learning-rate" else field
    for command, begin in (("trainer resume", "trainer fit"), ("sweeps resume", "sweeps run")):
        said = told(f"{command} something {flag}")
        assert said.startswith(f"{meant.replace('-', '_')}: a ")
        assert "goes on with the settings that it began with" in said
        assert f"begin another: {begin} " in said
        assert said.endswith(f" --{meant} …")
