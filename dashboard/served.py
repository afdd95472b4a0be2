"""The app as a server runs it: `app.py`, with the gate before it."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.gate import Gate

_app = st.App(Path(__file__).resolve().with_name("app.py"), middleware=[Middleware(Gate)])
