"""What may be changed about runs: tags, notes, archive and restore. Absent with --read-only."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.store import reads
from dashboard.ui import navigation, selection
from trainer.tracking import curating
from trainer.wording import counted

UNDO = "_undo_archive"


def actions(run_ids: Sequence[str]) -> None:
    """Draw what can be done with the chosen runs."""
    _offer_undo()
    if not run_ids:
        st.caption("Choose runs by the boxes on the left to draw, compare, tag or archive them.")
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Curves",
            on_click=navigation.open_page,
            args=("curves",),
            key="to_curves",
            type="primary",
        )
        st.button(
            "Compare",
            on_click=navigation.open_page,
            args=("compare",),
            key="to_compare",
            disabled=len(run_ids) < 2,
        )
        st.button(
            "Stability", on_click=navigation.open_page, args=("stability",), key="to_stability"
        )
        if not reads.settings().read_only:
            _archive_buttons(run_ids)
            with st.popover("Tag"):
                _tag_form(run_ids)
            if len(run_ids) == 1:
                with st.popover("Note"):
                    note_form(run_ids[0])


def note_form(run_id: str) -> None:
    """Edit the note of one run."""
    row = reads.run(run_id)
    with st.form(f"note_{run_id}", border=False):
        note = row["note"] if isinstance(row["note"], str) else ""
        written = st.text_area("Note", value=note, max_chars=5000, key=f"note_text_{run_id}")
        if st.form_submit_button("Save note"):
            _write([run_id], lambda: curating.set_note(run_id, written or ""), "Note saved")


def _tag_form(run_ids: Sequence[str]) -> None:
    with st.form("tag_form", border=False):
        key = st.text_input("Tag", max_chars=curating.MAX_TAG_NAME, key="tag_key")
        value = st.text_input("Value", max_chars=5000, key="tag_value")
        if st.form_submit_button(f"Tag {counted(len(run_ids), 'run')}"):
            _write(run_ids, lambda: curating.tag_runs(run_ids, key or "", value or ""), "Tagged")


def _archive_buttons(run_ids: Sequence[str]) -> None:
    archived = reads.runs().loc[list(run_ids), "archived"].to_numpy(dtype=bool)
    kept = [r for r, gone in zip(run_ids, archived, strict=True) if not gone]
    gone = [r for r in run_ids if r not in kept]
    if kept:
        st.button(f"Archive {len(kept)}", on_click=_archive, args=(kept,), key="archive")
    if gone:
        st.button(f"Restore {len(gone)}", on_click=_restore, args=(gone,), key="restore")


def _archive(run_ids: Sequence[str]) -> None:
    done = f"Archived {len(run_ids)}"
    if _write(run_ids, lambda: curating.archive(run_ids), done, rerun=False):
        st.session_state[UNDO] = list(run_ids)
        selection.select([r for r in selection.selected() if r not in run_ids])


def _restore(run_ids: Sequence[str]) -> None:
    done = f"Restored {len(run_ids)}"
    _write(run_ids, lambda: curating.restore(run_ids), done, rerun=False)
    st.session_state.pop(UNDO, None)


def _offer_undo() -> None:
    gone = st.session_state.get(UNDO)
    if gone and not reads.settings().read_only:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"Archived {counted(len(gone), 'run')}; nothing was deleted.")
            st.button("Undo", on_click=_restore, args=(gone,), key="undo_archive")


def _write(
    run_ids: Sequence[str], change: Callable[[], object], done: str, *, rerun: bool = True
) -> bool:
    try:
        try:
            change()
        finally:  # Some of the runs may have been changed before one failed.
            reads.store().refresh(run_ids)
    except ValueError as error:
        st.toast(str(error), duration="long")
        return False
    st.toast(done)
    if rerun:
        st.rerun()
    return True
