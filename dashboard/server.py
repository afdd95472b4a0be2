"""Run Streamlit in this process, with what the first page needs on its way already."""

import threading
from collections.abc import Sequence
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main as streamlit

APP = Path(__file__).with_name("app.py")


def run_server(flags: Sequence[str]) -> None:
    """Serve the app with Streamlit's own ``flags`` until interrupted."""
    # Streamlit takes a folder called pages for its older kind of app, and would run a page
    # without the router when the first visit goes to the page's own address.
    PagesManager.uses_pages_directory = False
    threading.Thread(target=_warm_up, daemon=True).start()
    streamlit(["run", str(APP), *flags], standalone_mode=False)


def _warm_up() -> None:
    # The slow imports (mlflow, pyarrow, plotly): done by the time somebody opens a page.
    import plotly.graph_objects  # noqa: F401

    import dashboard.data  # noqa: F401
