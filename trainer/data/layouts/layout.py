"""What every layout is: a name, a test of the folder, and how to list its pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.config.reading import Reading
from trainer.data.classes import ClassTable
from trainer.data.collection import Collection


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is known of a folder, whatever its layout: what the user says, and the class table."""

    reading: Reading
    table: ClassTable | None = None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to lay out a data set.

    ``looks_for`` completes the sentence "the layout looks for …". ``matches(root)`` looks at
    names, and opens one file at most, so that it is quick with thousands of them.
    ``read(root, options)`` raises ``ValueError`` where ``root`` is not laid out so.
    """

    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, Options], Collection]
