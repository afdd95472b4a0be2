"""Views that the reader has named: an address each, kept beside the store."""

from pathlib import Path

from trainer.files import write_json
from trainer.run_files import read_run_file
from trainer.store import local_folder

MAX_NAME = 60
MOST = 100


def saved_views(folder: Path | None = None) -> dict[str, str]:
    """Return the query string of each saved view by name; empty when none was saved."""
    try:
        found: dict[str, str] = read_run_file(_file(folder))
    except ValueError:
        return {}
    return found


def save_view(name: str, query: str, folder: Path | None = None) -> None:
    """Save a view, replacing one of that name; ``ValueError`` for a bad name or too many."""
    title = name.strip()
    if not title or len(title) > MAX_NAME:
        raise ValueError(f"view: a name has 1 to {MAX_NAME} characters")
    views = saved_views(folder) | {title: query}
    if len(views) > MOST:
        raise ValueError(f"view: {MOST} are saved already; delete one first")
    write_json(_file(folder), views, indent=2)


def delete_view(name: str, folder: Path | None = None) -> None:
    """Forget a view."""
    views = saved_views(folder)
    if views.pop(name, None) is not None:
        write_json(_file(folder), views, indent=2)


def _file(folder: Path | None) -> Path:
    return (folder or local_folder()) / "views.json"
