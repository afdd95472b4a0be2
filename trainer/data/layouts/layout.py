"""What every layout is: a name, a test of the folder, and how to list its pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.data.classes import ClassTable
from trainer.data.collection import Collection


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a folder, whatever its layout.

    ``trimap_border`` is ``void`` or ``class``: what a trimap's border becomes.
    ``table`` is the class table beside the data, if there is one. ``images`` and ``masks`` are
    the folders below the root that hold them, where the user says so.
    """

    trimap_border: str = "void"
    images: str | None = None
    masks: str | None = None
    table: ClassTable | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to lay out a data set.

    ``looks_for`` completes the sentence "the layout looks for …". ``matches(root)`` looks at
    names only and opens no image, so that it is quick with thousands of files.
    ``read(root, options)`` raises ``ValueError`` where ``root`` is not laid out so.
    """

    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, Options], Collection]
