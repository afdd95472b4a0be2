"""Say in words what a folder holds, for those whose data is not found in it."""

import os
from collections import Counter
from pathlib import Path, PurePath

from trainer.data.layouts.listing import is_image, readable

FOLDERS = 6
FLOORS = 5
# What people keep masks in that this program does not read as such.
CURES = {
    ".npy": "save each array as a PNG of class indices",
    ".npz": "save each array as a PNG of class indices",
    ".mat": "save each array as a PNG of class indices",
    ".json": "export the polygons as masks",
    ".xml": "export the polygons as masks",
    ".gz": "unpack them",
    ".zip": "unpack them",
    ".tar": "unpack them",
    ".nii": "save each slice as a PNG",
}


def inventory(root: Path) -> list[str]:
    """Return a few words on each folder that holds files: "6 images in images/ (a.png, b.png)".

    Files that are no images are told with their suffix and that they are not read.
    """
    said: list[str] = []
    for path, folders, files in os.walk(root):
        place = Path(path).relative_to(root)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if len(place.parts) >= FLOORS:
            folders.clear()
        names = sorted(name for name in files if not name.startswith("."))
        if names:
            said.append(_folder(place, names))
    if not said:
        return ["it is empty"]
    more = [f"and {len(said) - FOLDERS} more folders"] if len(said) > FOLDERS else []
    return said[:FOLDERS] + more


def _folder(place: Path, names: list[str]) -> str:
    images = [name for name in names if is_image(name)]
    others = Counter(PurePath(name).suffix.lower() for name in names if not is_image(name))
    where = "in it" if place == Path() else f"in {readable(place.as_posix())}/"
    said = []
    if images:
        some = ", ".join(map(readable, images[:2]))
        said.append(f"{len(images)} image{'' if len(images) == 1 else 's'} ({some}, …)")
    for suffix, n in others.most_common(2):
        cure = f" ({CURES[suffix]})" if suffix in CURES else ""
        kind = f"{suffix} file" if suffix else "file without a suffix"
        many = ", which is not read" if n == 1 else "s, which are not read"
        said.append(f"{n} {kind}{many}{cure}")
    return f"{' and '.join(said)} {where}"
