"""Refuse data with faults, or leave the faulty pairs out and say which."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from trainer.data.collection import Collection, Fault
from trainer.wording import counted

log = logging.getLogger(__name__)

SHOWN = 10


def screen(
    collection: Collection, faults: Sequence[Fault], *, skip_faulty: bool
) -> tuple[Collection, tuple[str, ...]]:
    """Return the collection of sound pairs and the names of those left out.

    Raises ``ValueError`` with the first ten faults and their number, unless ``skip_faulty``;
    then it logs each pair that is left out, and raises only when none remains.
    """
    refusing = [fault for fault in faults if fault.refuses]
    if not refusing:
        return collection, ()
    if not skip_faulty:
        raise ValueError(_listed(collection, refusing))
    for fault in refusing:
        log.warning("left out: %s: %s", fault.path, fault.problem)
    faulty = {fault.pair for fault in refusing}
    left_out = tuple(pair.name for pair in collection.pairs if pair.name in faulty)
    sound = tuple(pair for pair in collection.pairs if pair.name not in faulty)
    if not sound:
        raise ValueError(f"data: every pair of {collection.root} is faulty")
    return replace(collection, pairs=sound), left_out


def _listed(collection: Collection, faults: Sequence[Fault]) -> str:
    number = counted(len(faults), "fault")
    shown = [f"{fault.path}: {fault.problem}" for fault in faults[:SHOWN]]
    more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    cure = "mend them, or leave those pairs out with --skip-faulty"
    return f"data: {collection.root} has {number}; {cure}: " + "; ".join([*shown, *more])
