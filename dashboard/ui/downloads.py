"""Buttons that save a table."""

from collections.abc import Collection
from functools import partial

import pandas as pd
import streamlit as st

from trainer import exports

_FORMATS = {
    "CSV": (exports.csv, "csv", "text/csv"),
    "Markdown": (exports.markdown, "md", "text/markdown"),
    "LaTeX": (exports.latex, "tex", "application/x-tex"),
}


def save_table(
    table: pd.DataFrame,
    name: str,
    formats: tuple[str, ...] = ("CSV",),
    *,
    whole: Collection[str] = (),
) -> None:
    """Offer a table, with its index, in some of the formats CSV, Markdown and LaTeX.

    Columns that are ``whole`` hold counts.
    """
    with st.container(horizontal=True, gap="small"):
        for label in formats:
            write, suffix, mime = _FORMATS[label]
            st.download_button(
                label,
                partial(write, table, whole),
                file_name=f"{name}.{suffix}",
                mime=mime,
                key=f"{name}_{suffix}",
                on_click="ignore",
                type="tertiary",
            )
