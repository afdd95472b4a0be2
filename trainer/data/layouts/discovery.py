"""Find out how masks are to be read: from a class table beside the data, else by looking."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trainer.data.classes import ClassTable
from trainer.data.collection import Fault, Pair
from trainer.data.layouts.colour_rules import by_colours
from trainer.data.layouts.decoding import Decoding
from trainer.data.layouts.looking import look
from trainer.data.layouts.tables import by_table, by_threshold
from trainer.data.layouts.value_rules import by_values


def discover(masks: Sequence[Path], *, table: ClassTable | None, trimap_border: str) -> Decoding:
    """Return how to read ``masks``, from the class table where there is one.

    Raises ``ValueError`` when the masks look like no coding of classes; the message says what
    was found and how to say what it means.
    """
    seen = look(masks)
    if table is not None and table.threshold is not None:
        return replace(by_threshold(seen, table), strays=seen.strays)
    notes: tuple[str, ...] = ()
    if table is not None:
        try:
            return replace(by_table(seen, table, masks, trimap_border), strays=seen.strays)
        except ValueError as error:
            if table.ours:
                raise
            # A list that another tool left behind may be about something else.
            notes = (f"not used: {error}",)
    if seen.coloured:
        found = by_colours(seen, masks)
    else:
        found = by_values(seen, masks, trimap_border=trimap_border)
    return replace(found, notes=found.notes + notes, strays=seen.strays)


def odd_ones(pairs: Sequence[Pair], decoding: Decoding) -> list[Fault]:
    """Return a fault for each pair whose mask looks like none."""
    problem = "is no mask: it holds a photograph or noise, where all others hold areas"
    names = {path: pair.name for pair in pairs for path in (pair.mask, *pair.more_masks)}
    return [Fault(path=path, problem=problem, pair=names[path]) for path in decoding.strays]
