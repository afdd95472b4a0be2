"""What one of COCO's files lists, without its areas, which are read image by image."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.data.collection import Fault
from trainer.data.files.jsonfile import Part, walk_lists
from trainer.wording import counted


@dataclass(kw_only=True)
class Listing:
    """What one file lists; images, annotations and categories by their ids as text.

    ``images`` gives name and place of each entry, ``parts`` the places of an image's annotations
    and ``above`` the supercategory of each category. ``used`` counts annotations by category,
    ``areas`` those that have a segmentation.
    """

    path: Path
    images: dict[str, tuple[str, Part]] = field(default_factory=dict)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    above: dict[str, Any] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    areas: int = 0
    crowds: int = 0

    def faults(self) -> list[Fault]:
        """Return a fault for each image that has annotations and is not listed."""
        unlisted = (key for key in self.parts if key not in self.images)
        return [Fault(path=self.path, problem=self._of_no_image(key)) for key in unlisted]

    def _of_no_image(self, key: str) -> str:
        number = counted(len(self.parts[key]), "annotation")
        return f"{number} of the image {key}, which the file does not list"

    def add_image(self, entry: Mapping[str, Any], part: Part) -> None:
        key, name = str(entry.get("id")), entry.get("file_name")
        if not isinstance(name, str) or not name or "id" not in entry:
            raise ValueError(f"{self.path}: images: an entry has no id or no file_name")
        if key in self.images:
            raise ValueError(f"{self.path}: images: two have the id {key}")
        self.images[key] = (name, part)

    def add_category(self, entry: Mapping[str, Any]) -> None:
        key, name = str(entry.get("id")), entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{self.path}: categories: {key} has no name")
        if key in self.categories or name in self.categories.values():
            raise ValueError(f"{self.path}: categories: {key} ({name}) is listed twice")
        self.categories[key] = name
        self.above[key] = entry.get("supercategory")

    def add_annotation(self, entry: Mapping[str, Any], part: Part) -> None:
        self.parts.setdefault(str(entry.get("image_id")), []).append(part)
        self.used[str(entry.get("category_id"))] += 1
        self.areas += bool(entry.get("segmentation"))
        self.crowds += entry.get("iscrowd") == 1


def read_listing(path: Path) -> Listing:
    """Read a file from end to end; ``ValueError`` where it is none of COCO's."""
    found = Listing(path=path)
    for name, entry, part in walk_lists(path):
        if name in ("images", "categories", "annotations") and not isinstance(entry, dict):
            raise ValueError(f"{path}: {name}: an entry is no JSON object")
        if name == "images":
            found.add_image(entry, part)
        elif name == "categories":
            found.add_category(entry)
        elif name == "annotations":
            found.add_annotation(entry, part)
    return found
