"""Which run a user means: by its id, the beginning of its id, its name, or ``last``."""

import logging
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from mlflow.entities import ViewType

from trainer.tracking.reading import NO_TRAINING
from trainer.tracking.runs import find_runs
from trainer.wording import moment

logger = logging.getLogger(__name__)

LAST = "last"
FEWEST = 4
"""Letters that an id is told by at least."""
SHOWN = 5
# Among so many of the newest runs, and of those whose names begin alike, the nearest are found.
LOOKED_THROUGH = 200
_LONGEST_NAME = 40
_ID = re.compile(r"[0-9a-f]{32}")


def is_whole_id(word: str) -> bool:
    """Return whether a word is a run's id in full, whose meaning needs no look at the store."""
    return _ID.fullmatch(word) is not None


def run_named(word: str) -> str:
    """Return the id of the one run that a word means; what was understood is logged.

    An id in full is that run, whatever else is called so, and is returned unseen. ``last`` is the
    newest training that is not archived, whatever else is called so. Any other word is a name, or
    `FEWEST` letters or more that an id begins with; runs that are archived count where no other
    fits. Raises ``ValueError`` where none or several fit, listing the nearest.
    """
    return word if is_whole_id(word) else the_one(word, runs_named(word))


def runs_named(word: str) -> list[Any]:
    """Return MLflow's records of the runs that a word may mean, see `run_named`: `SHOWN` and one.

    The store is asked for these alone, however many runs it has.
    """
    if word == LAST:
        return _last()
    for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY):
        matches = {run.info.run_id: run for run in _called(word, view)}
        if re.fullmatch(f"[0-9a-f]{{{FEWEST},32}}", word):
            begun = find_runs(f"attributes.run_id LIKE '{word}%'", view=view, most=SHOWN + 1)
            matches |= {run.info.run_id: run for run in begun}
        if matches:
            return list(matches.values())
    return []


def the_one(word: str, matches: Sequence[Any], *, missing: str = "") -> str:
    """Return the id of the only match, and log it; ``ValueError`` where there is none or several.

    ``missing`` says that there is none where it might have been something else than a run.
    """
    if len(matches) == 1:
        logger.info("%s is run %s", word, described(matches)[0])
        return str(matches[0].info.run_id)
    if matches:
        listed = ", ".join(described(matches[:SHOWN])) + ", …" * (len(matches) > SHOWN)
        raise ValueError(f"run: {word!r} is several: {listed}; give more of the id")
    if word == LAST:
        raise ValueError("run: there is no run in this store yet; trainer fit begins one")
    near = described(_nearest(word))
    listed = f"; nearest: {', '.join(near)}" if near else ""
    missing = missing or f"run: there is no run {word!r} in this store"
    raise ValueError(
        f"{missing}{listed}; a run is said by its name, {FEWEST} letters of its id, or {LAST}; "
        "trainer runs lists them"
    )


def described(runs: Sequence[Any]) -> list[str]:
    """Return runs in words, each by as much of its id as tells it from the others."""
    ids = [run.info.run_id for run in runs]
    lengths = range(8, max(map(len, ids), default=8))
    length = next((n for n in lengths if len({i[:n] for i in ids}) == len(ids)), None)
    return [
        f"{run.info.run_id[:length]} ({_name(run)}, started {moment(run.info.start_time)})"
        for run in runs
    ]


def _last() -> list[Any]:
    """Return the newest run, as a list, that is of no kind of `NO_TRAINING`."""
    seen = 0
    while True:  # MLflow's filters leave out what has no such tag, as other programs' runs.
        newest = find_runs("", most=seen + 20)
        for run in newest[seen:]:
            if run.data.tags.get("segscope.kind") not in NO_TRAINING:
                return [run]
        if len(newest) < seen + 20:
            return []
        seen += 20


def _called(name: str, view: int) -> list[Any]:
    pattern = _pattern(name)
    if pattern == name:
        return find_runs(f"attributes.run_name = '{name}'", view=view, most=SHOWN + 1)
    like = find_runs(f"attributes.run_name LIKE '{pattern}'", view=view)
    return [run for run in like if run.info.run_name == name][: SHOWN + 1]


def _pattern(text: str) -> str:
    # The filter's grammar knows no escape: what it might misread stands for any letter.
    return re.sub(r"[^\w .:/-]", "_", text)


def _nearest(word: str) -> list[Any]:
    """Return runs whose name, or the beginning of whose id, is nearly the word."""
    beginning = _pattern(word[: len(word) // 2])
    alike = find_runs(f"attributes.run_name ILIKE '{beginning}%'", most=LOOKED_THROUGH)
    looked_at = {run.info.run_id: run for run in (*find_runs("", most=LOOKED_THROUGH), *alike)}
    said = word.lower()
    of_name = _grouped((_name(run).lower(), run) for run in looked_at.values())
    of_id = _grouped((run.info.run_id[: len(word)], run) for run in looked_at.values())
    near = [name for name in of_name if said in name]
    near += [name for name in get_close_matches(said, of_name, n=SHOWN) if name not in near]
    matches = [run for name in near for run in of_name[name]]
    if len(word) >= FEWEST:
        matches += [run for part in get_close_matches(said, of_id, n=2) for run in of_id[part]]
    return list({run.info.run_id: run for run in matches}.values())[:SHOWN]


def _grouped(named: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for name, run in named:
        groups.setdefault(name, []).append(run)
    return groups


def _name(run: Any) -> str:
    name = run.info.run_name or "without a name"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
