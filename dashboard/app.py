"""The dashboard's router: pages, the sidebar they share, and the store they read."""

import streamlit as st

from dashboard.server import own_folder_off_the_path
from dashboard.store import reads
from dashboard.ui import charts, live, login, selection, states, style
from dashboard.ui.navigation import follow, page

own_folder_off_the_path()
st.set_page_config(page_title="Segscope", layout="wide")
style.apply()
login.require(reads.settings())

PAGES = {
    "Look": [
        page("runs", "Runs", default=True),
        page("curves", "Curves"),
        page("run", "Run"),
        page("samples", "Samples"),
        page("dip", "Dip"),
    ],
    "Decide": [
        page("compare", "Compare"),
        page("stability", "Stability"),
        page("sweeps", "Sweeps"),
        page("models", "Models"),
        page("predict", "Predict"),
    ],
}
current = st.navigation(PAGES)
follow()
if states.store_is_ready():
    with st.sidebar:
        selection.keep_in_address()
        charts.image_format_choice()
        live.say_what_is_being_read()
    current.run()
    states.damaged()
