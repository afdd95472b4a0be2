"""Say in words what a folder holds, for those whose data is not found in it."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath

from trainer.data.layouts.listing import is_image, readable
from trainer.wording import counted

FOLDERS = 6
FLOORS = 5
# What people keep masks in that this program does not read as such.
CURES = {
    ".mat": "save each array as a PNG of class indices",
    ".json": "export the polygons as masks, or as COCO or labelme have them",
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
    said = [
        _folder(place, names) if names else f"{readable(place.as_posix())}/ is empty"
        for place, names in files_below(root)
        if names or place != Path()
    ]
    if not said:
        return ["it is empty"]
    more = [f"and {counted(len(said) - FOLDERS, 'more folder')}"] if len(said) > FOLDERS else []
    return said[:FOLDERS] + more


def files_below(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder below ``root`` that holds files, or nothing at all, and their names.

    Both sorted; what is hidden, or more than `FLOORS` folders deep, is left out.
    """
    for path, folders, files in os.walk(root):
        place = Path(path).relative_to(root)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if len(place.parts) >= FLOORS:
            folders.clear()
        names = sorted(name for name in files if not name.startswith("."))
        if names or not folders:
            yield place, names


def _folder(place: Path, names: list[str]) -> str:
    images = [name for name in names if is_image(name)]
    others = Counter(PurePath(name).suffix.lower() for name in names if not is_image(name))
    where = "in it" if place == Path() else f"in {readable(place.as_posix())}/"
    said = []
    if images:
        some = ", ".join(map(readable, images[:2]))
        said.append(f"{counted(len(images), 'image')} ({some}, …)")
    for suffix, n in others.most_common(2):
        cure = f" ({CURES[suffix]})" if suffix in CURES else ""
        before, after = (f"{suffix} ", "") if suffix else ("", " without a suffix")
        read = (
            f"{before}{file}{after}, which {be}" for file, be in (("file", "is"), ("files", "are"))
        )
        said.append(f"{counted(n, *read)} not read{cure}")
    return f"{' and '.join(said)} {where}"
