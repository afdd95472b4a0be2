"""Images with masks over them; every slider works in the browser, without a rerun."""

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.theme import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from trainer.data.collection import VOID, ClassInfo
from trainer.data.painting import CHEQUER, OPACITY, VOID_CHEQUERS

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One image of the viewer; images and maps as `overlays.encoded` returns them.

    ``frames`` holds one predicted map for each of the viewer's steps ("" where there is none) and
    ``captions`` one short text for each.
    """

    title: str
    image: str
    target: str | None = None
    frames: Sequence[str] = field(default_factory=tuple)
    captions: Sequence[str] = field(default_factory=tuple)


def overlay_viewer(
    panels: Sequence[Panel],
    classes: Sequence[ClassInfo],
    *,
    key: str,
    steps: Sequence[int] = (1,),
    step: int | None = None,
    step_name: str = "Epoch",
    mode: str = "errors",
    opacity: float = OPACITY,
    width: int = 220,
    note: str = "",
) -> None:
    """Show panels side by side under one bar of controls.

    ``steps`` are what the panels' frames belong to, and ``step`` the one shown first, the last
    when left out. ``mode`` is errors, prediction, target or image; ``width`` the least width of a
    panel in pixels; ``note`` one line of plain text beneath.
    """
    has_targets = any(panel.target for panel in panels)
    data: dict[str, Any] = {
        "panels": [vars_of(panel) for panel in panels],
        "steps": list(steps),
        "step": steps[-1] if step is None else step,
        "step_name": step_name,
        "classes": [{"name": c.name, "colour": list(c.colour)} for c in classes],
        "void": {"label": VOID, "chequers": VOID_CHEQUERS, "side": CHEQUER},
        "colours": {"tp": TRUE_POSITIVE, "fp": FALSE_POSITIVE, "fn": FALSE_NEGATIVE},
        "mode": mode if has_targets else "prediction",
        "opacity": opacity,
        "width": width,
        "note": note,
        "has_targets": has_targets,
    }
    data["signature"] = hashlib.sha256(repr(data).encode()).hexdigest()[:16]
    _component()(data=data, key=key, height="content")


def vars_of(panel: Panel) -> dict[str, Any]:
    """Return a panel as plain values for the browser."""
    return {
        "title": panel.title,
        "image": panel.image,
        "target": panel.target,
        "frames": list(panel.frames),
        "captions": list(panel.captions),
    }


def legend(classes: Sequence[ClassInfo]) -> None:
    """Show names with their colours; names are text, whatever they hold."""
    entries = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.35rem;margin-right:1rem">'
        f'<i style="width:.8rem;height:.8rem;border-radius:2px;background:rgb{tuple(c.colour)}">'
        f"</i>{html.escape(c.name)}</span>"
        for c in classes
    )
    st.html(f'<div style="font-size:.875rem">{entries}</div>')


@lru_cache(maxsize=1)
def _component() -> Any:
    return st.components.v2.component(
        "segscope_overlay_viewer",
        html='<div class="viewer"></div>\n',
        css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
        js=(_HERE / "viewer.js").read_text(encoding="utf-8"),
    )
