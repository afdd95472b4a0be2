"""Completion in a shell, from what the commands themselves parse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard.cli
import sweeps.cli
import trainer.cli
from sweeps.spec_reading import PRESETS
from trainer.catalogue.losses import LOSSES
from trainer.completion import SCRIPTS, candidates, completion
from trainer.config.recipes import RECIPES
from trainer.models import MODELS

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "trainer": trainer.cli.COMMANDS,
    "sweeps": sweeps.cli.COMMANDS,
    "dashboard": dashboard.cli._serve,
}


def offered(line: str) -> list[str]:
    """Return what the end of a line, behind its last blank, may become."""
    prog, *words = line.split(" ")
    return candidates(PROGRAMS[prog], words)


def test_commands_are_offered() -> None:
    assert offered("trainer re") == ["resume", "register", "recipes"]
    assert {"run", "status", "report", "completion"} <= set(offered("sweeps "))
    assert offered("trainer nonsense ") == []
    assert offered("trainer completion ") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("trainer fit --model ", list(MODELS)),
        ("trainer fit --loss ", list(LOSSES)),
        ("trainer fit --recipe ", list(RECIPES)),
        ("trainer fit --lr 3 --optimizer a", ["adam", "adamw", "adamax"]),
        ("trainer fit --geometry=ran", ["--geometry=random-crop"]),
        ("trainer fit --geometry = ran", ["random-crop"]),
        ("trainer fit --geometry =", ["resize", "pad", "random-crop", "five-crop"]),
        ("trainer fit --optimizer sgd --mom", ["--momentum"]),
        ("trainer fit --mom", []),
        ("trainer fit --recipe nonsense --see", ["--seed", "--seeds"]),
        ("trainer fit --data ", []),
        ("trainer evaluate --split t", ["train", "test"]),
        ("trainer predict --ov", ["--overlay"]),
        ("trainer predict model im", []),
        ("sweeps run ", list(PRESETS)),
        ("sweeps run lr-only --epo", ["--epochs"]),
        ("sweeps run lr-only --model resu", ["resunet"]),
        ("sweeps report a --format l", ["latex"]),
        ("dashboard --p", ["--port"]),
        ("dashboard --port ", []),
    ],
)
def test_names_are_offered_where_a_name_belongs(line: str, names: list[str]) -> None:
    assert offered(line) == names


def test_a_command_without_a_word_of_its_own_offers_its_options_at_once() -> None:
    assert {"--lr", "--help", "--model"} <= set(offered("trainer fit "))
    assert offered("trainer predict ") == []


def test_another_shell_is_one_line() -> None:
    with pytest.raises(ValueError, match="unknown shell 'tcsh'; known: bash, fish, zsh"):
        completion("trainer", {}, ["tcsh"])
    with pytest.raises(ValueError, match="known: bash, fish, zsh"):
        completion("trainer", {}, [])


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize("prog", PROGRAMS)
def test_every_command_has_a_script_for_every_shell(shell: str, prog: str) -> None:
    line = [sys.executable, "-m", prog, "completion", shell]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)
    assert f"{prog} completion words" in done.stdout
    assert "PROG" not in done.stdout
    if shutil.which(shell):
        check = [shell, "--no-execute"] if shell == "fish" else [shell, "-n"]
        subprocess.run(check, input=done.stdout, text=True, check=True, timeout=60)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a search path on which the three commands are those of this checkout."""
    for prog in PROGRAMS:
        command = tmp_path / prog
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {prog} "$@"\n')
        command.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


BASH = """
source <({prog} completion bash)
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
eval "$(complete -p {prog} | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        ("trainer fit --model deepl", "deeplabv3plus"),
        ("trainer fit --model = deepl", "deeplabv3plus"),
        ("trainer fit --model deeplabv3plus --encoder-d", "--encoder-depth"),
        ("trainer lr-", "lr-find"),
        ("trainer predict model ''", ""),
        ("sweeps run report-1", "report-1"),
        ("dashboard --read", "--read-only"),
    ],
)
def test_bash_completes(words: str, becomes: str, path: str) -> None:
    prog = words.split()[0]
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH.format(prog=prog, words=words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=True,
    )
    assert done.stdout.strip("\n") == becomes, done.stderr
