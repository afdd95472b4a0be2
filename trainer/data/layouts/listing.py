"""List the images of a folder and match them with their masks by name."""

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from trainer.data.collection import Fault

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".gif", ".bmp", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".avif", ".npy", ".npz"}
)


def is_image(name: str) -> bool:
    """Say whether a file name looks like an image's; hidden files (``._a.png``) do not."""
    _, dot, suffix = name.rpartition(".")
    return not name.startswith(".") and dot + suffix.lower() in IMAGE_SUFFIXES


def is_image_file(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry of a folder is an image's file, or a link to one.

    Pipes are none: opening one would wait for ever. A link to nothing is one, or else its partner
    would be told as lacking a mask or an image; whoever reads it finds out.
    """
    if not is_image(entry.name):
        return False
    return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())


def list_images(folder: Path) -> list[Path]:
    """Return the images directly in ``folder``, sorted by name; none when it does not exist."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_image_file(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise ValueError(f"cannot look into {folder}: {error.strerror}") from error
    return [folder / name for name in sorted(names)]


def has_images(folder: Path) -> bool:
    """Say whether ``folder`` exists and directly holds at least one image."""
    return first_image(folder) is not None


def first_image(folder: Path) -> Path | None:
    """Return some image directly in ``folder``, without listing thousands of others."""
    try:
        with os.scandir(folder) as entries:
            return next(
                (folder / e.name for e in entries if is_image(e.name) and e.is_file()), None
            )
    except OSError:
        return None


def composed(name: str) -> str:
    """Return a name with every letter and its accent as one character.

    Some systems write them as two, so that two names that look the same are not.
    """
    return unicodedata.normalize("NFC", name)


def readable(name: str) -> str:
    """Return a file name as valid, composed Unicode; bytes that are not UTF-8 become ``\\xNN``."""
    return composed(os.fsencode(name).decode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class Match:
    """Images and masks that belong together, and the files that found no partner."""

    pairs: tuple[tuple[Path, Path], ...]
    faults: tuple[Fault, ...]


def match(
    images: Iterable[Path],
    masks: Iterable[Path],
    *,
    mask_key: Callable[[str], str | None] = lambda stem: stem,
    image_key: Callable[[str], str | None] = lambda stem: stem,
) -> Match:
    """Pair images and masks whose stems have the same key.

    A key of None leaves the file out. An image without a mask, a mask without an image, and two
    files with the same key (``a.png`` beside ``a.jpg``) are faults; of the two the first counts.
    """
    faults: list[Fault] = []
    by_image = _by_key(images, image_key, "image", faults)
    by_mask = _by_key(masks, mask_key, "mask", faults)
    for key, path in by_image.items():
        if key not in by_mask:
            faults.append(Fault(path=path, problem="missing mask: no mask belongs to this image"))
    for key, path in by_mask.items():
        if key not in by_image:
            faults.append(Fault(path=path, problem="orphan mask: no image belongs to this mask"))
    pairs = tuple((path, by_mask[key]) for key, path in by_image.items() if key in by_mask)
    return Match(pairs, tuple(faults))


def _by_key(
    paths: Iterable[Path], key: Callable[[str], str | None], kind: str, faults: list[Fault]
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        name = key(path.stem)
        if name is None:
            continue
        if name in found:
            problem = f"second {kind} of the same name: {found[name].name} is used instead"
            faults.append(Fault(path=path, problem=problem))
        else:
            found[name] = path
    return found


def drop_suffix(suffix: str) -> Callable[[str], str | None]:
    """Return a key that cuts ``suffix`` off a stem; a stem without it stays as it is."""
    return lambda stem: stem.removesuffix(suffix)
