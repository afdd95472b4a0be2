"""To come."""

import streamlit as st

st.text("to come")
