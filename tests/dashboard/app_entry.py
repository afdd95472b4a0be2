"""Run the app from a folder of its own.

Streamlit takes a folder called pages beside the script for its older kind of app and then leaves
the router out; `dashboard.server` tells it otherwise, which its AppTest would undo.
"""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[2] / "dashboard" / "app.py"))
