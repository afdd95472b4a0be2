"""The gallery of one run: its stored validation images worst first, and scores of all of them."""

from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.display import plain
from dashboard.pictures import scores as image_scores
from dashboard.pictures import stored as stored_pictures
from dashboard.pictures.viewer import Panel, overlay_viewer
from dashboard.store import reads
from dashboard.ui import downloads, states, tables
from trainer.data.collection import ClassInfo
from trainer.wording import counted


class Wanted(NamedTuple):
    """What the reader wants to see: by which score, of which class, ordered at which epoch."""

    score: str
    """``Dice`` or ``IoU``, as shown."""
    class_name: str | None
    epoch: int


def show_gallery(run_id: str, shown: list[int], wanted: Wanted) -> None:
    """Show the stored pictures, those with the lowest score at the chosen epoch first."""
    panels, classes, images = _panels(
        stored_pictures.state(run_id), tuple(sorted({*shown, wanted.epoch})), wanted
    )
    if not panels:
        states.nothing(
            "This run has stored no sample pictures; its scores are under All images.",
            "trainer fit --samples 6",
        )
        return
    note = (
        f"Pictures of {len(panels)} of {counted(images, 'validation image')}: the fixed samples, "
        f"and the worst of epoch {wanted.epoch}. The slider moves through "
        f"{counted(len(shown), 'epoch')}; their order stays."
    )
    key = f"gallery_{run_id}_{wanted.score}_{wanted.class_name}_{wanted.epoch}"
    steps = sorted({*shown, wanted.epoch})
    overlay_viewer(panels, classes, key=key, steps=steps, step=wanted.epoch, note=note)


@st.cache_resource(show_spinner=False, max_entries=24)
def _panels(
    of: stored_pictures.State, epochs: tuple[int, ...], wanted: Wanted
) -> tuple[list[Panel], list[ClassInfo], int]:
    stored, classes = stored_pictures.pictures(of.run_id, epochs, worst_of=[wanted.epoch])
    pictures = stored_pictures.encoded_pictures(stored)
    scores = stored_pictures.scores(of.run_id, image_scores.SCORES[wanted.score], wanted.class_name)
    order = [n for n in image_scores.worst_first(scores, wanted.epoch) if n in pictures]
    order += [name for name in pictures if name not in order]
    panels = []
    for name in order:
        image, target, frames = pictures[name]
        has_mask = [epoch in frames for epoch in epochs]
        panels.append(
            Panel(
                title=name,
                image=image,
                target=target,
                frames=[frames.get(epoch, "") for epoch in epochs],
                captions=image_scores.captions(scores, name, epochs, has_mask, wanted.score),
            )
        )
    return panels, classes, max(len(scores), len(panels))


def show_scores(run_id: str, wanted: Wanted) -> None:
    """Show the score of every validation image, the lowest first."""
    score = image_scores.SCORES[wanted.score]
    rows = reads.per_image(run_id)
    scores = stored_pictures.scores(run_id, score, wanted.class_name)
    if wanted.epoch not in scores.columns:
        states.nothing(f"No per-image scores are stored for epoch {wanted.epoch}.")
        return
    stored, _ = stored_pictures.pictures(run_id, [wanted.epoch], worst_of=[wanted.epoch])
    table = image_scores.score_table(rows, scores, wanted.epoch, score=score, pictures=list(stored))
    if len(table) * len(scores.columns) > 200_000:
        table = table.drop(columns="course")
    alt = f"{wanted.score} of every validation image at epoch {wanted.epoch}"
    config = _configured(table, wanted)
    tables.show(table, "image_scores", alt, most=640, column_config=config)
    saved = table.drop(columns="course", errors="ignore")
    downloads.save_table(saved, "image_scores", ("CSV", "Markdown", "LaTeX"))


def _configured(table: pd.DataFrame, wanted: Wanted) -> dict[str, Any]:
    kinds = st.column_config
    of_class = f" of {wanted.class_name}" if wanted.class_name else ""
    named: dict[str, Any] = {
        "score": kinds.NumberColumn(
            wanted.score, format="%.4f", help=f"At epoch {wanted.epoch}{plain(of_class)}"
        ),
        "change": kinds.NumberColumn("Change", format="%+.4f", help="Since the epoch before"),
        "best": kinds.NumberColumn("Best", format="%.4f", help="Over all stored epochs"),
        "course": kinds.LineChartColumn("Course", y_min=0, y_max=1, width=140),
        "picture": kinds.CheckboxColumn("Picture", help="A picture and its mask are stored"),
    }
    classes = [column for column in table.columns if column not in named]
    return named | {name: kinds.NumberColumn(format="%.4f") for name in classes}
