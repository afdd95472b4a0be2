"""Values of flags that are rubbish: one line and exit code 2."""

from pathlib import Path

import pytest

from sweeps.reading import study_names
from sweeps.study import open_storage
from tests.reliability.rubbish import bounded
from tests.trainer.test_cli import run  # noqa: F401  the fixture: commands as a user types them
from trainer.config import TrainConfig, field_names
from trainer.tracking import find_runs

ODD = (
    *("", "0", "-1", "nan", "inf", "-inf", "1e999", "9" * 26, "x", "{", "}", "%", "\x1b[31m"),
    *("../../x", "x" * 3000, "é" * 300, "None", "true", "[1,2]", "1 2", "\n"),
)


@pytest.mark.parametrize("name", [name for name in field_names() if name != "data"])
def test_a_flag_of_a_run(
    run,  # noqa: F811
    store: Path,
    tmp_path: Path,
    name: str,
) -> None:
    nowhere = tmp_path / "nowhere"  # so that nothing is trained where the value is a right one
    for value in ODD:
        with bounded():
            code, out, said = run("fit", "--data", nowhere, f"--{name.replace('_', '-')}", value)
        assert (code, out) == (2, ""), (value, said)
        assert said.count("\n") == 1, (value, said)
        assert said.startswith("trainer: ")
        assert len(said) < 1100


NAMED = {
    "resume": (),
    "register": ("--name", "m"),
    "evaluate": (),
    "predict": ("x.png", "--out", "out"),
    "promote": ("1",),
    "pull": ("--out", "out"),
    "compare": (),
    "stability": (),
}


@pytest.mark.parametrize("command", NAMED)
def test_a_name_of_a_run_or_model(
    run,  # noqa: F811
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in ODD:
        with bounded():
            code, out, said = run(command, value, *NAMED[command])
        assert (code, out, said.count("\n")) == (2, "", 1), (value, said)


def test_a_long_name_of_an_experiment(
    run,  # noqa: F811
    store: Path,
    tiny: TrainConfig,
    tmp_path: Path,
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny.replace(epochs=1).to_yaml())
    code, _, said = run("fit", "--config", path, "--experiment", "é" * 300)
    assert code == 0, said
    (found,) = find_runs("")
    assert found.info.status == "FINISHED"
    code, out, said = run("fit", "--config", path, "--experiment", "é" * 600)
    assert (code, out) == (2, "")
    assert said.startswith("trainer: experiment: 'éé") and said.count("\n") == 1
    assert len(find_runs("")) == 1


@pytest.mark.parametrize("name", ["{", "}", "{0}", "{a}.db", "{{}}"])
def test_braces_in_the_address_of_a_storage(tmp_path: Path, name: str) -> None:
    address = f"sqlite:///{tmp_path}/{name}"
    open_storage(address)
    assert (tmp_path / name).is_file()
    assert study_names(address) == []
