"""Several runs on the same images, and where two of them disagree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.curves.facts import epochs_to_show
from dashboard.display import score as shown_score
from dashboard.pictures import scores as image_scores
from dashboard.pictures import stored as stored_pictures
from dashboard.pictures import strips
from dashboard.pictures.overlays import encoded
from dashboard.pictures.stored import Picture
from dashboard.pictures.viewer import Panel, legend, overlay_viewer
from dashboard.samples.gallery import Wanted
from dashboard.store import reads
from dashboard.ui import states, tables
from trainer.data.collection import VOID, ClassInfo

LETTERS = "ABCD"


def show_side_by_side(run_ids: Sequence[str], wanted: Wanted, labels: dict[str, str]) -> None:
    """Show the images that all runs stored, one row an image and one picture a run."""
    epochs = common_epochs(run_ids, wanted.epoch)
    if not epochs:
        states.nothing("These runs have stored no epoch in common.")
        return
    panels, classes = _panels(tuple(map(stored_pictures.state, run_ids)), tuple(epochs), wanted)
    st.text("\n".join(f"{a} = {labels[r]}" for a, r in zip(LETTERS, run_ids, strict=False)))
    if not panels:
        states.nothing("These runs have stored no sample image in common; train on the same data.")
        return
    step = wanted.epoch if wanted.epoch in epochs else epochs[-1]
    overlay_viewer(
        panels,
        classes,
        key=f"beside_{'_'.join(run_ids)}_{wanted}",
        steps=epochs,
        step=step,
        width=min(960, 260 * len(run_ids)),
        note="From left to right " + ", ".join(LETTERS[: len(run_ids)]) + "; the image with the "
        "largest difference first.",
    )


def show_disagreement(pair: Sequence[str], wanted: Wanted) -> None:
    """Show the pixels of two runs' predictions that differ, and how many of each kind."""
    st.subheader("Where A and B disagree", anchor=False)
    epochs = common_epochs(pair, wanted.epoch)
    try:
        panels, table = _differences(tuple(map(stored_pictures.state, pair)), tuple(epochs))
    except ValueError as error:
        states.nothing(str(error))
        return
    if not panels:
        states.nothing("A and B have stored no mask of the same image at the same epoch.")
        return
    legend(strips.DIFFERENCES[1:])
    step = wanted.epoch if wanted.epoch in epochs else epochs[-1]
    of_epoch = _differing(table, step)
    place = {str(name): position for position, name in enumerate(of_epoch.index)}
    overlay_viewer(
        sorted(panels, key=lambda panel: place.get(panel.title, len(place))),
        strips.DIFFERENCES,
        key=f"differ_{'_'.join(pair)}_{wanted.epoch}",
        steps=epochs,
        step=step,
        mode="prediction",
        opacity=0.8,
        width=300,
    )
    _show_shares(of_epoch, step)


def common_epochs(run_ids: Sequence[str], keep: int) -> list[int]:
    """Return epochs at which all runs have stored sample predictions, evenly spread if many."""
    stored = [set(reads.sample_epochs(run_id)) for run_id in run_ids]
    common = sorted(set.intersection(*stored)) if stored else []
    return epochs_to_show(common, {keep})


@st.cache_resource(show_spinner=False, max_entries=12)
def _panels(
    of: tuple[stored_pictures.State, ...], epochs: tuple[int, ...], wanted: Wanted
) -> tuple[list[Panel], list[ClassInfo]]:
    found = [stored_pictures.pictures(s.run_id, epochs) for s in of]
    scores = [
        stored_pictures.scores(s.run_id, image_scores.SCORES[wanted.score], wanted.class_name)
        for s in of
    ]
    names = _most_different(scores, _common(found), wanted.epoch)
    panels = [_panel(name, [stored[name] for stored, _ in found], scores, epochs) for name in names]
    return panels, found[0][1]


def _panel(
    name: str, pictures: Sequence[Picture], scores: Sequence[pd.DataFrame], epochs: Sequence[int]
) -> Panel:
    shown = [[p.predicted[e] for p in pictures if e in p.predicted] for e in epochs]
    # Without one of the masks the picture stays bare: all else would read as an error.
    frames = [encoded(strips.beside(m, fill=0)) if len(m) == len(pictures) else "" for m in shown]
    said = [
        "   ".join(
            f"{letter} {shown_score(_value(table, name, epoch))}"
            for letter, table in zip(LETTERS, scores, strict=False)
        )
        for epoch in epochs
    ]
    return Panel(
        title=name,
        image=encoded(strips.images_beside([p.image for p in pictures])),
        target=encoded(strips.beside([p.target for p in pictures], fill=VOID)),
        frames=frames,
        captions=said,
    )


@st.cache_resource(show_spinner=False, max_entries=12)
def _differences(
    of: tuple[stored_pictures.State, ...], epochs: tuple[int, ...]
) -> tuple[list[Panel], pd.DataFrame]:
    found = [stored_pictures.pictures(s.run_id, epochs) for s in of]
    panels, rows = [], []
    for name in _common(found):
        first, second = (stored[name] for stored, _ in found)
        frames, captions = [], []
        for epoch in epochs:
            if epoch not in first.predicted or epoch not in second.predicted:
                frames.append("")
                captions.append("no mask stored")
                continue
            masks = first.predicted[epoch], second.predicted[epoch]
            codes = strips.disagreement(*masks, first.target)
            shares = strips.disagreement_shares(codes, first.target)
            rows.append({"epoch": epoch, "image": name, **shares})
            frames.append(encoded(codes))
            captions.append(f"{1 - shares['same']:.2%} of the pixels differ")
        panels.append(
            Panel(title=name, image=encoded(first.image), frames=frames, captions=captions)
        )
    return panels, pd.DataFrame(rows, columns=["epoch", "image", *_KINDS])


_KINDS = [info.name for info in strips.DIFFERENCES]


def _differing(table: pd.DataFrame, epoch: int) -> pd.DataFrame:
    of_epoch = table[table["epoch"] == epoch].drop(columns=["epoch"]).set_index("image")
    of_epoch.insert(0, "differ", 1 - of_epoch.pop("same"))
    return of_epoch.sort_values("differ", ascending=False, kind="stable")


def _show_shares(of_epoch: pd.DataFrame, epoch: int) -> None:
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="percent") for name in of_epoch.columns
    }
    alt = "Share of pixels on which A and B differ"
    tables.show(of_epoch, "disagreement", alt, column_config=config, width="content")
    st.caption(f"Shares of the labelled pixels at epoch {epoch}.")


def _common(found: Sequence[tuple[dict[str, Picture], list[ClassInfo]]]) -> list[str]:
    return [name for name in found[0][0] if all(name in stored for stored, _ in found[1:])]


def _most_different(scores: Sequence[pd.DataFrame], names: list[str], epoch: int) -> list[str]:
    def spread(name: str) -> float:
        values = np.array([_value(table, name, epoch) for table in scores])
        finite = values[np.isfinite(values)]
        return float(np.ptp(finite)) if finite.size > 1 else 0.0

    return sorted(names, key=spread, reverse=True)


def _value(table: pd.DataFrame, name: str, epoch: int) -> float:
    return float(table.reindex(index=[name], columns=[epoch]).to_numpy(dtype=float)[0, 0])
