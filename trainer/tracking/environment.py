"""What a run was made with: versions, machine, commit, user."""

import getpass
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("torch", "mlflow", "optuna", "albumentations", "numpy", "pillow", "pandas")


def environment() -> dict[str, Any]:
    """Return the Python, the packages, the processor count and the commit, as plain JSON.

    The host's name and paths are left out: runs are shared.
    """
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "git_commit": git_commit(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def git_commit() -> str:
    """Return the commit of the working directory, ending in ``+`` when files differ from it.

    Empty outside a checkout and where git is missing.
    """
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")


def user() -> str:
    """Return the name that the user logged in with; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have a number alone.
        return ""


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=5)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
