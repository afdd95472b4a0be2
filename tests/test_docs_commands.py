"""docs/commands.md is what scripts/commands.py writes: every command, option and output."""

import re
from importlib import import_module
from pathlib import Path

import pytest

commands = import_module("scripts.commands")
WRITTEN = commands.PAGE.read_text(encoding="utf-8")


def shape(text: str) -> list[str]:
    """Return the lines of an output without what another machine or moment makes different."""
    text = re.sub(r"\b[0-9a-f]{8,32}\b", "ID", text)
    text = re.sub(r"training in .*|b?float\d+", "ARITHMETIC", text)
    text = re.sub(r"[+-]?\d[\d,.]*(e[+-]?\d+)?|–", "0", text)
    text = re.sub(r" +(the )?best( so far)?$", "", text, flags=re.MULTILINE)
    return [re.sub(r"[\s-]+", " ", line).strip() for line in text.splitlines()]


def examples(page: str) -> dict[str, list[str]]:
    found = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)
    return {example: shape(printed) for example, printed in found}


@pytest.mark.parametrize("called", [f"{p} {n}".strip() for p, n, _ in commands.commands()])
def test_a_command_stands_there_with_an_example_and_its_options(called: str) -> None:
    assert f"\n## {called}\n" in WRITTEN
    section = WRITTEN.split(f"\n## {called}\n")[1].split("\n## ")[0]
    assert called in commands.NOT_RUN or f"$ {called}" in section, "give it an example"
    shared = commands.options("trainer fit") if called != "trainer fit" else {}
    assert commands.listed(commands.options(called), shared) in section, "run scripts/commands.py"


@pytest.mark.slow  # Every command is run.
@pytest.mark.timeout(900)
def test_the_examples_print_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    written, printed = examples(WRITTEN), examples(commands.page(tmp_path))
    assert list(printed) == list(written)
    for example, lines in printed.items():
        # What is said of the scores, a diagnosis or a verdict, is theirs; the rest is the same.
        strange = [line for line in lines if line not in written[example]]
        assert len(strange) <= len(lines) // 3, (example, strange)
