"""A program that kills ``trainer fit`` and ``trainer resume`` again and again.

``kill_campaign.py CONFIG STORE FOLDER KILLS`` trains CONFIG undisturbed in FOLDER/0, a copy of
STORE; then begins it in FOLDER/1 and so on, kills it there up to a few times, each in another phase
of its life, and lets it end, until it has killed so often. It prints the kills of each phase as
JSON. Each command is a process of its own, forked from one that has everything loaded.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import torch

from tests.reliability.forks import begin, end_of, in_child
from tests.reliability.seen import check_whole
from trainer.cli import main as trainer
from trainer.config.parsing import from_yaml
from trainer.files import write_json
from trainer.tracking import find_runs
from trainer.training.fitting import fit

PATIENCE = 300.0
KILLS_A_RUN = 4
RUN = "mlruns/artifacts/*/*/artifacts"


class Phase(NamedTuple):
    """A stretch of a run's life: it begins as a file changes or a line is told, and is so long."""

    name: str
    file: str = ""
    line: str = ""
    seconds: float = 0.0


CACHE = Phase("the cache's build", file="mlruns/cache/**/.*.partial/*", seconds=0.02)
PHASES = [
    Phase("its creation", file="mlruns/artifacts/*/*"),
    Phase("its description", file=f"{RUN}/*.json", seconds=0.02),
    Phase("its samples", file=f"{RUN}/samples/*.png", seconds=0.01),
    Phase("a batch or an evaluation", line="scores in", seconds=0.3),
    Phase("a part of results", file=f"{RUN}/evaluation/per_image/*"),
    Phase("a write to the store", file=f"{RUN}/samples/worst/*.json", seconds=0.01),
    Phase("a checkpoint", file=f"{RUN}/checkpoints/.last.partial/*", seconds=0.003),
    Phase("the best's copy", file=f"{RUN}/checkpoints/last/*", seconds=0.002),
    Phase("the test split", line="epoch   3/3", seconds=0.1),
    Phase("the test's results", file=f"{RUN}/evaluation/test/*", seconds=0.01),
    Phase("the diagnoses", file=f"{RUN}/diagnoses.json"),
    Phase("the closing", file=f"{RUN}/diagnoses.json", seconds=0.03),
]


class Victim:
    """A command that runs in a process of its own, until it ends or is killed."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.folder = folder
        self.told = folder / "told.txt"
        self._begun = time.time_ns()
        self._pid = begin(lambda: self._be(command))

    def _be(self, command: tuple[str, ...]) -> int:
        for stream, name in ((1, os.devnull), (2, self.told)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv = ["trainer", *command]
        return trainer()

    def wait(self) -> int:
        """Return how it ended."""
        return end_of(self._pid)

    def killed_in(self, phase: Phase, later: float) -> bool:
        """Kill it so many seconds after a phase began; return False where it ended before."""
        deadline = time.monotonic() + PATIENCE
        moment = deadline
        while time.monotonic() < moment:
            if os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return False
            if moment == deadline and self._has_come_to(phase):
                moment = time.monotonic() + later
        os.kill(self._pid, signal.SIGKILL)
        assert moment < deadline, f"it hangs before {phase.name}"
        return True

    def _has_come_to(self, phase: Phase) -> bool:
        if phase.line:
            return self.told.exists() and phase.line in self.told.read_text(errors="replace")
        for path in self.folder.glob(phase.file):
            try:
                if path.stat().st_ctime_ns > self._begun:
                    return True
            except FileNotFoundError:
                continue  # it was put into its place meanwhile
        return False


def command_for(config: Path) -> list[str]:
    """Return what the user of a store does next; nothing once its run has ended."""
    for run in find_runs("attributes.status != 'FAILED'"):
        check_whole(run.info.run_id)
        return [] if run.info.status == "FINISHED" else ["resume", run.info.run_id]
    return ["fit", "--config", str(config)]


def look(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    """Return what some work finds in a process of its own, which leaves no store open here."""
    answer = folder / "answer.json"
    code = in_child(lambda: write_json(answer, work()))
    assert code == 0, "readers meet half an epoch"
    found: list[str] = json.loads(answer.read_text())
    return found


def phases(chance: random.Random) -> Iterator[Phase]:
    """Yield all phases in a random order, again and again."""
    return chain.from_iterable(chance.sample(PHASES, len(PHASES)) for _ in repeat(None))


def main(config: Path, template: Path, folder: Path, wanted: int) -> None:
    """Kill so often; fail where a command does not go on."""
    torch.set_num_threads(1)
    chance = random.Random(0)
    killed: Counter[str] = Counter()
    repeats: Counter[str] = Counter()
    coming = phases(chance)

    def place(number: int) -> Path:
        here = folder / str(number)
        shutil.copytree(template, here / "mlruns")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{here}/mlruns/mlflow.db"
        return here

    place(0)
    fit(from_yaml(config), progress=False)
    number = 0
    while killed.total() < wanted:
        number += 1
        here = place(number)
        kills = 0
        while command := look(here, lambda: command_for(config)):
            victim = Victim(here, *command)
            if kills < KILLS_A_RUN and killed.total() < wanted:
                # A run builds its cache once.
                phase = CACHE if kills == 0 and number % 3 == 1 else next(coming)
                if victim.killed_in(phase, chance.uniform(0, phase.seconds)):
                    killed[phase.name] += 1
                    kills += 1
                    victim.wait()
                    continue
            if victim.wait() != 0:  # it was killed before anything of it was kept, and is closed
                told = victim.told.read_text()
                assert told.endswith("start a new one\n"), (number, command, told)
        repeats[str(number)] = kills
    print(json.dumps({"killed": killed, "of_run": repeats}))


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]), int(sys.argv[4]))
