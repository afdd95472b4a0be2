"""Train as ``trainer fit --config FILE`` does, and wait for the test at the moments it names.

A moment is ``epoch-N``, once epoch N is kept, or ``file-N``, before the Nth file goes up. A file of
its name says that it has come, and one more, ``MOMENT.go``, lets it pass.
"""

import itertools
import sys
import time
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from trainer.command_line import DONE, guarded, log_to_stderr
from trainer.config.parsing import from_yaml
from trainer.interruption import end_like_ctrl_c

CONFIG, FOLDER, MOMENTS = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
upload, uploads = MlflowClient.log_artifact, itertools.count(1)


def reach(moment: str) -> None:
    """Wait here if the test has named this moment."""
    if moment in MOMENTS:
        (FOLDER / moment).touch()
        while not (FOLDER / f"{moment}.go").exists():
            time.sleep(0.02)


def paced(*args: Any, **kwargs: Any) -> None:
    """Send a file up, when the test lets it."""
    reach(f"file-{next(uploads)}")
    upload(*args, **kwargs)


def command() -> int:
    """Train the run and print its id."""
    from trainer.training.fitting import fit

    print(fit(from_yaml(CONFIG), on_epoch=lambda epoch, _: reach(f"epoch-{epoch}")).run_id)
    return DONE


MlflowClient.log_artifact = paced
end_like_ctrl_c()
log_to_stderr()
sys.exit(guarded("trainer", command))
