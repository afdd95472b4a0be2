"""Drop an image, choose a registered model, see and keep its mask. The one page with torch."""

import hashlib
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.display import score
from dashboard.pictures.overlays import encoded
from dashboard.pictures.viewer import Panel, legend, overlay_viewer
from dashboard.predict import uploads
from dashboard.settings import UPLOAD_MIB
from dashboard.ui import navigation, states, tables
from trainer.data.collection import ClassInfo, ImageCoding
from trainer.data.layouts.listing import IMAGE_SUFFIXES
from trainer.data.painting import in_colour
from trainer.prediction.registry import ModelVersion, list_models, resolve_model
from trainer.store import tracking_uri

if TYPE_CHECKING:
    from trainer.prediction.predictor import Predictor

DONE = "_prediction"
SUFFIXES = sorted(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of one image, shown in colour, at the image's own size."""

    image: np.ndarray
    mask: np.ndarray
    levels: np.ndarray | None
    """The foreground's probability as grey levels, for two classes."""


def main() -> None:
    """Draw the page."""
    st.subheader("Predict", anchor=False)
    versions = {f"{v.name}/{v.version}": v for of_name in models().values() for v in of_name}
    if not versions:
        states.nothing("No model is registered in this store yet. Register a run's best one:")
        st.code("trainer register RUN_ID --name NAME --alias champion", language="bash")
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        version = chosen_model(versions)
    with right:
        uploaded = st.file_uploader(
            f"Image (at most {UPLOAD_MIB} MiB; it stays in this server's memory)",
            type=SUFFIXES,
            key="upload",
            max_upload_size=UPLOAD_MIB,
        )
    if uploaded is None:
        states.nothing("Drop an image above to see its mask.")
        return
    try:
        predictor = load(tracking_uri(), version.uri)
    except (ValueError, OSError) as error:
        st.error("This model cannot be loaded.")
        st.code(str(error), language=None, wrap_lines=True)
        return
    classes = classes_of(predictor)
    name, content = str(uploaded.name), uploaded.getvalue()
    try:
        found = predicted(version.uri, name, content, predictor)
    except ValueError as error:
        st.error("This image cannot be used.")
        st.code(str(error), language=None, wrap_lines=True)
        return
    st.fragment(show)(found, name, classes)


def models() -> dict[str, list[ModelVersion]]:
    """Return the registered models, read anew every few seconds."""
    return _models(tracking_uri())


@st.cache_data(ttl=5, show_spinner=False, max_entries=4)
def _models(uri: str) -> dict[str, list[ModelVersion]]:
    assert uri == tracking_uri()
    return list_models()


def chosen_model(versions: dict[str, ModelVersion]) -> ModelVersion:
    """Let the reader choose a version; at first one with an alias, champion before others."""
    names = list(versions)
    ranked = sorted(
        names, key=lambda n: ("champion" not in versions[n].aliases, not versions[n].aliases)
    )
    chosen = st.selectbox(
        "Model (name/version)",
        names,
        index=names.index(ranked[0]),
        key="model",
        bind="query-params",
    )
    version = versions[chosen or ranked[0]]
    aliases = " ".join(f"@{alias}" for alias in version.aliases) or "no alias"
    dice = version.tags.get("best.val_dice")
    if dice:
        aliases += f" · best validation Dice {score(float(dice))}, arithmetic {version.scored_in}"
    st.text(aliases)
    if version.run_id:
        navigation.page_link("run", "The run it came from", run=version.run_id)
    return version


@st.cache_resource(show_spinner="Loading the model", max_entries=2)
def load(store: str, uri: str) -> "Predictor":
    """Return the model of a version, ready to predict; JSON and safetensors alone are read.

    Raises ``ValueError`` when it cannot be fetched or is damaged.
    """
    assert store == tracking_uri()
    from trainer.prediction.predictor import Predictor

    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        return Predictor(resolve_model(uri, Path(scratch)))


def classes_of(predictor: "Predictor") -> list[ClassInfo]:
    """Return the model's classes with their colours."""
    return [
        ClassInfo(name=name, colour=(colour[0], colour[1], colour[2]))
        for name, colour in zip(predictor.classes, predictor.colours, strict=True)
    ]


def predicted(uri: str, name: str, content: bytes, predictor: "Predictor") -> Prediction:
    """Return what the model says of an upload; of this session, the last one is kept."""
    key = (tracking_uri(), uri, name, hashlib.sha256(content).hexdigest())
    kept: Any = st.session_state.get(DONE)
    if kept is not None and kept[0] == key:
        return kept[1]  # type: ignore[no-any-return]
    at_most = uploads.most_pixels(len(predictor.classes))
    with st.spinner("Predicting"):
        coding = ImageCoding(channels=predictor.channels, value_range=predictor.value_range)
        image = uploads.read_upload(name, content, coding, at_most=at_most)
        levels = None
        if len(predictor.classes) == 2:
            levels = uploads.grey_levels(predictor.probabilities(image)[1])
            mask = uploads.thresholded(levels, 0.5)
        else:
            mask = predictor.predict(image)
    found = Prediction(image=in_colour(image), mask=mask, levels=levels)
    st.session_state[DONE] = (key, found)
    return found


def show(found: Prediction, name: str, classes: list[ClassInfo]) -> None:
    """Show image, mask and shares, and offer them as files: all are of one threshold."""
    mask = found.mask
    if found.levels is not None:
        threshold = st.slider(
            "Threshold of the probability",
            0.0,
            1.0,
            0.5,
            0.01,
            key="threshold",
            bind="query-params",
            width=480,
        )
        mask = uploads.thresholded(found.levels, float(threshold))
    show_mask(found.image, mask, name, classes)
    show_files(found.image, mask, name, classes)


def show_mask(image: np.ndarray, mask: np.ndarray, name: str, classes: list[ClassInfo]) -> None:
    """Show an image and its mask; the opacity moves in the browser."""
    legend(classes[1:])
    height, width = mask.shape
    small = uploads.reduced(image)
    panel = Panel(
        title=name,
        image=encoded(small),
        frames=[encoded(uploads.reduced(mask))],
        captions=[f"{width} × {height} pixels"],
    )
    note = "Files and shares below are at the image's own size."
    if small.shape != image.shape:
        note = f"Shown at {small.shape[1]} × {small.shape[0]}. {note}"
    overlay_viewer([panel], classes, key="predicted", mode="prediction", width=480, note=note)


def show_files(image: np.ndarray, mask: np.ndarray, name: str, classes: list[ClassInfo]) -> None:
    """Show the classes' shares, and offer the mask and the overlay as files."""
    rows = uploads.class_shares(mask, len(classes))
    table = pd.DataFrame(rows, columns=["pixels", "share"])
    table.index = pd.Index([info.name for info in classes], name="class")
    config = {
        "pixels": st.column_config.NumberColumn(format="localized"),
        "share": st.column_config.NumberColumn(format="percent"),
    }
    alt = "Share of each class in the predicted mask"
    tables.show(table, "class_shares", alt, column_config=config, width="content")
    stem = PurePath(name).stem
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Save the mask (palette PNG)",
            partial(uploads.mask_file, mask, classes),
            file_name=f"{stem}_mask.png",
            mime="image/png",
            key="save_mask",
            on_click="ignore",
        )
        st.download_button(
            "Save the overlay",
            partial(uploads.overlay_file, image, mask, classes),
            file_name=f"{stem}_overlay.png",
            mime="image/png",
            key="save_overlay",
            on_click="ignore",
        )


main()
