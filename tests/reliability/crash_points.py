"""A program that dies in a run at one of its durable steps, and goes on with it as a new process.

``crash_points.py CONFIG STORE FOLDER FIRST EVERY`` trains CONFIG in FOLDER/0, a copy of STORE, to
its end; then, for every so many-th point from the first on, in a FOLDER/POINT of its own, dies
there and goes on. A point is a file opened for writing, a name that is made, moved or removed, or
a commit. One process that has everything loaded is forked for each: loading takes longer than a
tiny run.
"""

import os
import shutil
import sys
from pathlib import Path

import torch
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.reliability.forks import in_child
from tests.reliability.seen import check_whole
from trainer.config import TrainConfig
from trainer.config.parsing import from_yaml
from trainer.tracking import find_runs
from trainer.training.fitting import fit, resume

NAMES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR
DIED = 9


class Points:
    """Counts the durable steps below a folder and dies before the n-th."""

    def __init__(self, folder: Path, deadly: int) -> None:
        self.reached = 0
        self._folder = os.fspath(folder)
        self._deadly = deadly
        sys.addaudithook(self._hear)
        event.listen(Engine, "commit", lambda _connection: self._come())

    def _hear(self, what: str, args: tuple[object, ...]) -> None:
        writes = what == "open" and isinstance(args[2], int) and args[2] & WRITING
        if (writes or what in NAMES) and str(args[0]).startswith(self._folder):
            self._come()

    def _come(self) -> None:
        self.reached += 1
        if self.reached == self._deadly:
            os._exit(DIED)


def die(config: TrainConfig, store: Path, point: int) -> int:
    """Train a run whose process dies at a point; return how many it passed."""
    watched = Points(store, point)
    fit(config, progress=False)
    return watched.reached


def go_on(config: TrainConfig) -> None:
    """Do what the user of a run that died does; with none of which anything was kept, begin one."""
    for run in find_runs(""):
        check_whole(run.info.run_id)
        if run.info.status == "FINISHED":
            return
        try:
            resume(run.info.run_id, progress=False)
            return
        except ValueError as error:
            assert str(error).endswith("start a new one"), error
    fit(config, progress=False)


def main(config: TrainConfig, template: Path, folder: Path, first: int, every: int) -> None:
    """Train once to the end, and then with a death at every so many-th point from the first on."""
    torch.set_num_threads(1)

    def store_of(point: int) -> Path:
        store = folder / str(point)
        shutil.copytree(template, store)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}/mlflow.db"
        return store

    last = die(config, store_of(0), 0)
    for point in range(first, last + 1, every):
        store = store_of(point)
        ended = in_child(lambda store=store, point=point: die(config, store, point))
        assert ended == DIED, (point, ended)
        assert in_child(lambda: go_on(config)) == 0, point


if __name__ == "__main__":
    main(
        from_yaml(Path(sys.argv[1])),
        *(Path(word) for word in sys.argv[2:4]),
        *(int(word) for word in sys.argv[4:]),
    )
