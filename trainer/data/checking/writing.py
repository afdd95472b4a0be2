"""Write down how a folder was read: a table of its pairs, and what its masks' values mean."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from trainer.data.collection import VOID, Collection, Pair
from trainer.data.layouts.listing import readable
from trainer.data.layouts.pairs_file import COLUMNS, NEEDED, below
from trainer.files import replacing, write_text


def write_pairs(collection: Collection, path: Path) -> list[Path]:
    """Write down how a folder was read, to be corrected by hand, and return what was written.

    Beside the table of pairs stands a classes.yaml, unless one is there already: it was read.
    Raises ``ValueError`` where ``path`` is no .csv or exists, and where the masks are
    drawn or their classes hang on their folders.
    """
    if path.suffix.lower() != ".csv":
        raise ValueError(f"write: {path} must end in .csv")
    coding = collection.coding
    if coding.labels is not None:
        raise ValueError("write: a table of pairs cannot tell of masks that are drawn from JSON")
    if any(p.layers for p in collection.pairs) or (coding.layered and coding.threshold is None):
        raise ValueError("write: a table of pairs cannot tell which mask is of which class")
    if path.exists():
        raise ValueError(f"write: {path} is there already; give another name, or remove it")
    rows = list(_rows(collection.pairs, path.parent))
    used = [name for name in COLUMNS if name in NEEDED or any(row[name] for row in rows)]
    with (
        replacing(path) as partial,
        # A name that is not UTF-8 is written as the system has it.
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(file, used, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = path.with_name("classes.yaml")
    if table.exists():
        return [path]
    write_text(
        table,
        yaml.safe_dump(
            _classes(collection), sort_keys=False, default_flow_style=None, allow_unicode=True
        ),
    )
    return [path, table]


def _rows(pairs: Sequence[Pair], folder: Path) -> Iterator[dict[str, str]]:
    stems = Counter(readable(pair.image.stem) for pair in pairs)
    by_stem = len(stems) == len(pairs) and all(pair.name in stems for pair in pairs)
    for pair in pairs:
        of_pair = {
            "image": below(pair.image, folder),
            "split": pair.split or "",
            "group": "" if pair.group == pair.name else pair.group,
            "valid": below(pair.valid, folder) if pair.valid else "",
            "name": "" if by_stem else pair.name,
        }
        for mask in (pair.mask, *pair.more_masks):
            yield of_pair | {"mask": below(mask, folder)}


def _classes(collection: Collection) -> dict[str, object]:
    """Return the document of a classes.yaml that has masks read as ``collection`` reads them."""
    coding = collection.coding
    values = sorted((coding.values or {}).items())
    colours = sorted((coding.colours or {}).items())
    classes = []
    for index, info in enumerate(collection.classes):
        stored = [value for value, i in values if i == index]
        colour = next((colour for colour, i in colours if i == index), info.colour)
        of_class: dict[str, object] = {"values": stored} if coding.values is not None else {}
        classes.append({"name": info.name, **of_class, "colour": list(colour)})
    void = [value for value, i in values if i == VOID]
    document = {
        "classes": classes,
        "void": void + [list(colour) for colour, i in colours if i == VOID],
        "threshold": coding.threshold,
        "layered": coding.layered,
    }
    return {key: value for key, value in document.items() if value not in ([], None, False)}
