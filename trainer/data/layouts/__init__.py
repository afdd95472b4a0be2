"""Open a folder of images and masks, whatever its layout.

To add a layout, write a module with a `Layout` named ``LAYOUT`` and add one line to
`trainer.catalogue.LAYOUTS`.
"""

import re
from dataclasses import replace
from pathlib import Path

from trainer import names
from trainer.catalogue import LAYOUTS
from trainer.data.collection import Collection
from trainer.data.layouts.layout import Layout, Options


def open_collection(
    path: Path,
    *,
    layout: str = "auto",
    trimap_border: str = "void",
    group_by: str | None = None,
) -> Collection:
    """Return the pairs under ``path``, in a fixed order, without decoding the images.

    ``layout`` is ``auto`` or a name of `LAYOUTS`; ``trimap_border`` is ``void`` or ``class``;
    ``group_by`` is a regular expression whose first group, found in a pair's name, becomes the
    pair's group. Raises ``ValueError`` when ``path`` does not exist or holds no pairs, when no
    layout fits, and when ``layout`` or ``group_by`` is wrong.
    """
    names.check("layout", layout, ["auto", *LAYOUTS])
    root = Path(path).expanduser()
    if not root.is_dir():
        problem = "is a file; give the folder it lies in" if root.exists() else "does not exist"
        raise ValueError(f"data: {root} {problem}")
    options = Options(trimap_border=trimap_border)
    root, chosen = _choose(root) if layout == "auto" else (root, _load(layout))
    collection = chosen.read(root, options)
    if not collection.pairs:
        raise ValueError(_no_pairs(collection, chosen))
    return collection if group_by is None else _grouped(collection, group_by)


def _load(name: str) -> Layout:
    layout: Layout = names.load("layout", name, LAYOUTS)
    return layout


def _choose(root: Path) -> tuple[Path, Layout]:
    layouts = [_load(name) for name in LAYOUTS]
    for layout in layouts:
        if layout.matches(root):
            return root, layout
    looked_for = "; ".join(f"{layout.name}: {layout.looks_for}" for layout in layouts)
    raise ValueError(f"data: {root} holds no pairs of images and masks; looked for {looked_for}")


def _no_pairs(collection: Collection, layout: Layout) -> str:
    line = f"data: {collection.root} holds no pairs; layout {layout.name} looks for"
    line = f"{line} {layout.looks_for}"
    if collection.faults:
        first = collection.faults[0]
        line = f"{line}; first of {len(collection.faults)} faults: {first.path}: {first.problem}"
    return line


def _grouped(collection: Collection, pattern: str) -> Collection:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"group_by: {pattern!r} is not a regular expression: {error}") from error
    if expression.groups < 1:
        raise ValueError(f"group_by: {pattern!r} has no group; put brackets round what to keep")
    pairs = []
    for pair in collection.pairs:
        found = expression.search(pair.name)
        if found is None or found.group(1) is None:
            raise ValueError(f"group_by: {pattern!r} does not match the image {pair.name!r}")
        pairs.append(replace(pair, group=found.group(1)))
    return replace(collection, pairs=tuple(pairs))
