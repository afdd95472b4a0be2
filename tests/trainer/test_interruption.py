"""A termination and a hang-up end a command as Ctrl-C does, and only once."""

import os
import signal
import subprocess
import sys

import pytest

NAMES = ("SIGTERM", "SIGHUP")
SAVING = """
import os, signal, sys
{before}
from trainer.interruption import end_like_ctrl_c
end_like_ctrl_c()
try:
    os.kill(os.getpid(), signal.{name})
    print("went on")
except KeyboardInterrupt as by:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)
    print("saved", by)
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no hang-up here")


def said(name: str, before: str = "") -> str:
    script = SAVING.format(name=name, before=before)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_first_interrupts_and_no_other_cuts_into_the_saving(name: str) -> None:
    assert said(name) == f"saved {name}"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_ignored_stays_ignored(name: str) -> None:
    assert said(name, f"signal.signal(signal.{name}, signal.SIG_IGN)") == "went on"


def test_a_pipe_is_no_closed_terminal() -> None:
    # What reads our output must hear of the end too.
    reader, writer = os.pipe()
    script = SAVING.format(name="SIGHUP", before="")
    subprocess.run([sys.executable, "-c", script], stdout=writer, check=True)
    os.close(writer)
    assert os.read(reader, 100) == b"saved SIGHUP\n"
    os.close(reader)
