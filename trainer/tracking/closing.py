"""The end of a run, whatever brings it about, and its log until then."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from trainer.faults import GO_ON, system_fault, unless_refused
from trainer.interruption import deaf
from trainer.printing import LineFormatter
from trainer.store import without_passwords
from trainer.tracking.run import LOG, Run
from trainer.tracking.syncing import sync_others


@dataclass
class Ending:
    """How a run ends, unless something is raised: see `closing`."""

    outcome: str = "completed"
    reason: str | None = None


@contextmanager
def closing(run: Run) -> Iterator[Ending]:
    """Close ``run`` whatever happens: as its `Ending` says, or as interrupted, or as failed."""
    ending = Ending()
    sync_others(run.id)
    is_over = False
    with ExitStack() as stack:
        try:
            stack.enter_context(run.beating)
            yield ending
            is_over = True
            run.finish(ending.outcome, ending.reason)
        except BaseException as error:
            with deaf():
                outcome, reason = ended_by(error)
                if is_over and outcome != "interrupted":
                    raise  # The store does not take how the run ended; nor would it take this.
                go_on = f"{GO_ON}trainer resume {run.id}"
                if outcome == "interrupted":
                    reason += f"; {go_on}"
                    error.add_note(go_on)
                if system_fault(error):
                    # What refused that may refuse this: the process is gone then, the run dead.
                    with unless_refused():
                        run.finish(outcome, reason)
                    raise
                run.finish(outcome, reason)
                raise


def ended_by(error: BaseException) -> tuple[str, str]:
    """Return the outcome, and the reason, of a run that an exception ends.

    The frames that an interruption came through are emptied: a cursor among them would hold the
    store's write lock, and whoever closes the run would find the database locked.
    """
    if isinstance(error, KeyboardInterrupt):
        traceback.clear_frames(error.__traceback__)
        return "interrupted", f"interrupted by {error}" if str(error) else "interrupted"
    if fault := system_fault(error):
        return "interrupted", fault
    return "failed", without_passwords(f"{type(error).__name__}: {error}")


@contextmanager
def log_file(run: Run) -> Iterator[None]:
    """Write the trainer's log lines to the run's ``log.txt`` too, appending after a resume."""
    handler = _LogFile(run.folder / LOG, encoding="utf-8")
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    trainer_logger = logging.getLogger("trainer")
    trainer_logger.addHandler(handler)
    level = trainer_logger.level
    trainer_logger.setLevel(logging.INFO)  # Called as a library, nobody has asked for it yet.
    try:
        yield
    finally:
        trainer_logger.setLevel(level)
        trainer_logger.removeHandler(handler)
        handler.close()


class _LogFile(logging.FileHandler):
    """A run's log, which is no reason to end it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Leave a line out that the system refuses: what the run needs comes up against it too."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, whose last line may find no room."""
        with suppress(OSError):
            super().close()
