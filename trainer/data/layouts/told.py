"""The folders, or the files of one folder, that a user names for images and masks."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePath

from trainer.data.layouts.listing import is_image, readable
from trainer.data.layouts.walking import Folder, walk
from trainer.data.layouts.words import Place, place

Told = Mapping[str, Set[Path]]


def as_told(
    root: Path,
    folders: Sequence[Folder],
    images_in: str | None,
    masks_in: str | Sequence[Path] | None,
) -> list[Folder]:
    """Return the folders with the roles that the user gave them, without those ruled out.

    A folder of which files are named is two: these, and the others. Raises ``ValueError`` where
    nothing is so called.
    """
    told = {
        role: set(_told(root, role, given) if isinstance(given, str) else given)
        for role, given in (("image", images_in), ("mask", masks_in))
        if given
    }
    files = {path for tops in told.values() for path in tops if path.is_file()}
    whole: list[Folder] = []
    parted: list[Folder] = []
    for folder in folders:
        (whole if files.isdisjoint(folder.files) else parted).append(folder)
    # What is not named in a folder of named files is the other kind, unless folders are called so.
    settled = {*told, *(folder.place.role for folder in whole)}
    found = [one for folder in whole for one in _in_told_folder(folder, told)]
    return found + [one for folder in parted for one in _divided(folder, told, settled)]


def told_folders(root: Path, role: str, given: str) -> list[Path]:
    """Return the folders below ``root`` that a user names; ``ValueError`` where there is none."""
    if tops := [path for path in _called(root, role, given) if path.is_dir()]:
        return tops
    if "," in given:
        raise ValueError(
            f"{role}s: {given!r} names several folders; --combine union makes one foreground of "
            "them, --combine classes a class of each"
        )
    last = PurePath(given).name
    like = [f.path for f in walk(root) if f.path.name == last and f.path != root]
    hint = ", ".join(repr(readable(path.relative_to(root).as_posix())) for path in like[:3])
    there = f"; there is {hint}" if hint else ""
    raise ValueError(f"{role}s: there is no folder {given!r} below {root}{there}")


def _told(root: Path, role: str, given: str) -> list[Path]:
    """Return the folders that a user names, else the files."""
    called = _called(root, role, given)
    files = [path for path in called if path.is_file() and is_image(path.name)]
    if files and not any(path.is_dir() for path in called):
        return files
    return told_folders(root, role, given)


def _called(root: Path, role: str, given: str) -> list[Path]:
    if not (pattern := PurePath(given.strip("/")).parts):
        return [root]
    try:
        called = list(root.glob(str(PurePath(*pattern))))
        return [path for path in called if ".." not in path.relative_to(root).parts]
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"{role}s: {given!r} names no folder: {error}") from error


def _divided(folder: Folder, told: Told, settled: Set[str | None]) -> Iterator[Folder]:
    """Yield the files of a folder that are named, and the others for the role that is not."""
    here = folder.place
    named = {role: tops & set(folder.files) for role, tops in told.items()}
    rest = set(folder.files).difference(*named.values())
    others = {role: rest for role in ("image", "mask") if role not in settled}
    for role, files in (named | others).items():
        if files:
            of_role = Place(role, here.split, here.rest, 0)
            yield replace(folder, place=of_role, files=tuple(sorted(files)))


def _in_told_folder(folder: Folder, told: Told) -> list[Folder]:
    """Return the folder with the role of the named one that it is or lies in; none if ruled out."""
    here = folder.place
    above = (folder.path, *folder.path.parents)
    role, top = next(
        ((role, top) for role, tops in told.items() for top in above if top in tops),
        (None, folder.path),
    )
    # Whoever names the folder of images may have the masks in one below it.
    if role == "mask" or (role == "image" and ("mask" in told or here.role != "mask")):
        below = place(folder.path.relative_to(top).parts)
        here = Place(role, below.split or here.split, below.rest, 0)
    elif here.role in told or (here.role is None and "image" in told):
        return []
    return [replace(folder, place=here)]
