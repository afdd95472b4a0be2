"""Registered models: what is in use, whether a new version is better, and how to fetch it."""

import streamlit as st

from dashboard.models import promotion
from dashboard.models import reads as model_reads
from dashboard.models import versions as model_versions
from dashboard.store import reads
from dashboard.ui import states
from dashboard.ui.named_choice import choose_named
from trainer.prediction.registry import CHAMPION, ModelVersion

NAME = "model"


def main() -> None:
    """Draw the page."""
    try:
        models = model_reads.models()
    except ValueError as error:
        states.unreadable(error)
        return
    if not models:
        st.subheader("Models", anchor=False)
        show_none()
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.subheader("Models", anchor=False)
    with right:
        name = choose_named("Model", list(models), key=NAME, label_visibility="collapsed")
    versions = models[name]
    if not versions:
        states.nothing("This model has no version.", "trainer register RUN_ID --name NAME")
        return
    show_in_use(versions)
    model_versions.show_table(versions)
    chosen = model_versions.choose(versions)
    compare, fetch = st.columns([3, 2], gap="large")
    with compare:
        alias = promotion.choose_alias(versions)
        promotion.show(chosen, versions, alias)
    with fetch:
        model_versions.show_fetching(chosen)


def show_none() -> None:
    """Say that nothing is registered, and what would register the best run."""
    overview = reads.overview()
    best = overview["best"].dropna()
    run_id = str(best.idxmax()) if len(best) else "RUN_ID"
    states.nothing(
        "No model is registered. A registered model is a run's best checkpoint under a name; "
        "this registers the best run of the store:",
        f"trainer register {run_id} --name NAME --alias {CHAMPION}",
    )


def show_in_use(versions: list[ModelVersion]) -> None:
    """Say which version each alias points at."""
    held = [(alias, version) for version in versions for alias in version.aliases]
    if not held:
        st.caption(f"No version is in use: none has the alias {CHAMPION}.")
        return
    st.text(
        "   ".join(
            f"{alias} → version {version.version}"
            for alias, version in sorted(held, key=lambda pair: (pair[0] != CHAMPION, pair[0]))
        )
    )


main()
