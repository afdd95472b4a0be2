"""Artifact reads stay inside the run they were asked of."""

from pathlib import Path

import pytest

from trainer.tracking import artifacts


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    folder = tmp_path / "run" / "artifacts"
    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "index.json").write_text("{}")
    (folder / "config.yaml").write_text("lr: 1")
    (folder / ".config.yaml.partial").write_text("half")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def test_files_are_found_and_absent_ones_are_none(run_folder: Path) -> None:
    uri = run_folder.as_uri()
    path = artifacts.artifact_path("r", uri, "samples/index.json")
    assert path is not None and path.read_text() == "{}"
    assert artifacts.artifact_path("r", uri, "samples/none.png") is None
    names = [entry.path for entry in artifacts.list_artifacts("r", uri)]
    assert names == ["config.yaml", "link.txt", "samples"]
    assert artifacts.list_artifacts("r", uri, "samples")[0].size == 2
    assert artifacts.list_artifacts("r", uri, "nothing") == []


@pytest.mark.parametrize(
    "path", ["../../secret.txt", "/etc/passwd", "samples/../../x", "a\\b", "file:///x", "a\0b"]
)
def test_a_path_out_of_the_run_is_refused(run_folder: Path, path: str) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        artifacts.artifact_path("r", run_folder.as_uri(), path)
    with pytest.raises(ValueError, match="does not lie inside"):
        artifacts.list_artifacts("r", run_folder.as_uri(), path)


def test_a_link_out_of_the_run_is_refused(run_folder: Path) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        artifacts.artifact_path("r", run_folder.as_uri(), "link.txt")
