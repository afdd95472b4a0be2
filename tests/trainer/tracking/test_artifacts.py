"""Artifact reads stay inside the run they were asked of."""

import os
from pathlib import Path

import pytest

from tests.reliability.forks import in_child
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


class Server:
    """Stands in for a server: downloads of its files as MLflow lays them out, or dies half-way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dies = False

    def download_artifacts(self, run_id: str, path: str, into: str) -> str:
        source = self.root / path
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        target = Path(into) / (path if source.is_dir() else source.name)
        for number, file in enumerate(files):
            copy = target / file.name if source.is_dir() else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
            if self.dies and number == len(files) - 1:
                copy.write_bytes(content[: len(content) // 2])
                os._exit(9)
            copy.write_bytes(content)
        return str(target)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="what dies is forked")
@pytest.mark.parametrize("version", ["1", None], ids=["ended", "moving"])
@pytest.mark.parametrize("path", ["samples", "samples/b.json", "b.json"])
def test_what_a_killed_download_has_left_is_not_taken_for_the_whole(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, version: str | None
) -> None:
    for place in (run_folder, run_folder / "samples"):
        (place / "b.json").write_text('{"whole": 1}')
    server = Server(run_folder)
    monkeypatch.setattr(artifacts, "client", lambda: server)

    def fetch(path: str) -> Path:
        uri = "http://files/0/r/artifacts"
        found = artifacts.artifact_path("r", uri, path, version=version)
        assert found is not None
        return found

    # One file of a folder does not stand for the folder.
    assert fetch("samples/index.json").read_text() == "{}"
    server.dies = True
    assert in_child(lambda: fetch(path)) == 9
    server.dies = False
    found = fetch(path)
    files = found.iterdir() if found.is_dir() else [found]
    expected = {"b.json": '{"whole": 1}'} | ({"index.json": "{}"} if path == "samples" else {})
    assert {file.name: file.read_text() for file in files} == expected
    # An ended run's files are fetched once.
    server.dies = version is not None
    assert fetch(path) == found
