"""The dashboard's router: pages, the sidebar they share, and the store they read."""

import streamlit as st

from dashboard import data
from dashboard.components import charts, login, navigation, selection, states, style

st.set_page_config(page_title="Segscope", page_icon=None, layout="wide")
style.apply()
login.require(data.settings())

PAGES = {
    "Look": [
        st.Page("pages/runs.py", title="Runs", default=True),
        st.Page("pages/curves.py", title="Curves"),
        st.Page("pages/run.py", title="Run"),
        st.Page("pages/samples.py", title="Samples"),
        st.Page("pages/dip.py", title="Dip"),
    ],
    "Decide": [
        st.Page("pages/compare.py", title="Compare"),
        st.Page("pages/stability.py", title="Stability"),
        st.Page("pages/predict.py", title="Predict"),
    ],
}
page = st.navigation(PAGES)
navigation.follow()

try:
    has_runs = not data.runs().empty
except ValueError as error:
    states.unreadable(error)
    st.stop()
with st.sidebar:
    selection.keep_in_address()
    charts.image_format_choice()
if has_runs:
    page.run()
else:
    states.no_runs()
