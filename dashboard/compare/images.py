"""The images on which two sides differ most, with their masks where both stored them."""

import pandas as pd
import streamlit as st

from dashboard.pictures.panels import sample_panels
from dashboard.pictures.viewer import Panel, overlay_viewer
from trainer.data.collection import ClassInfo
from trainer.evaluation.results import BestEpoch, Verdict


def show_most_different(verdict: Verdict, sides: dict[str, list[str]]) -> None:
    """Show the first pair's images in a table, and its samples next to each other."""
    comparison = verdict.pairs[0]
    if not comparison.most_different:
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Images that differ most", anchor=False)
        rows = [(d.image, d.a, d.b, d.difference) for d in comparison.most_different]
        table = pd.DataFrame(rows, columns=["image", "Dice A", "Dice B", "A − B"])
        config = {c: st.column_config.NumberColumn(format="%.4f") for c in table.columns[1:]}
        st.dataframe(
            table,
            column_config=config,
            hide_index=True,
            key="most_different",
            row_height=28,
            alt="Images whose Dice differs most",
        )
    with right:
        st.subheader("The same images under both", anchor=False)
        first = (sides[comparison.a][0], sides[comparison.b][0])
        panels, classes = _side_by_side(first, verdict.best)
        if panels:
            at = [verdict.best[run_id].epoch for run_id in first]
            note = f"A is {comparison.a} at epoch {at[0]}, B is {comparison.b} at epoch {at[1]}."
            overlay_viewer(panels, classes, key=f"pair_{first[0]}_{first[1]}", width=240, note=note)
        else:
            st.caption("The two runs have stored no sample image in common.")


def _side_by_side(
    pair: tuple[str, str], best: dict[str, BestEpoch]
) -> tuple[list[Panel], list[ClassInfo]]:
    found = [
        sample_panels(run_id, [best[run_id].epoch], title=f"{side} · {{name}}")
        for side, run_id in zip("AB", pair, strict=True)
    ]
    by_name = [{p.title.split(" · ", 1)[1]: p for p in panels} for panels, _ in found]
    common = [name for name in by_name[0] if name in by_name[1]]
    return [side[name] for name in common for side in by_name], found[0][1]
