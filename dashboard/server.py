"""Run Streamlit in this process, with what the first page needs on its way already."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from streamlit.web.cli import main as streamlit

APP = Path(__file__).resolve().with_name("served.py")
OPEN_FILES = 4096


def own_folder_off_the_path() -> None:
    """Make `sweeps` the package of that name, not our folder of its page.

    Streamlit puts the app's folder first on the path, before it starts and again at each run. The
    package is imported here, so that it is known whatever another session's run adds meanwhile.
    """
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != APP.parent]
    import sweeps  # noqa: F401


def run_server(flags: Sequence[str]) -> None:
    """Serve the app with Streamlit's own ``flags`` until interrupted."""
    own_folder_off_the_path()
    _allow_files()
    threading.Thread(target=_warm_up, daemon=True).start()
    streamlit(["run", str(APP), *flags], standalone_mode=False)


def _allow_files() -> None:
    # Of a page that was closed Streamlit keeps three files open for two minutes, of up to 128, in
    # case it comes back; the usual limit of some systems is 256.
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _warm_up() -> None:
    # The slow imports (mlflow, pyarrow, plotly): done by the time somebody opens a page.
    import plotly.graph_objects  # noqa: F401

    import dashboard.store.reads  # noqa: F401
