"""Everything that ``trainer data PATH`` tells of a folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainer.config import TrainConfig
from trainer.config.reading import AUTO, Reading
from trainer.data.checking.faults import PairReport, all_faults, examine
from trainer.data.collection import Collection, Fault
from trainer.data.files.passing import Watch
from trainer.data.layouts import open_collection
from trainer.data.layouts.listing import readable
from trainer.data.splits import SPLITS, make_splits
from trainer.wording import counted

SHOWN = 20
DARK = 32


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is in a folder, every file read once.

    ``splits`` counts the pairs of each split: the official ones where ``official``, else the ones
    that dividing them by seed and group would make.
    """

    collection: Collection
    reports: tuple[PairReport, ...]
    faults: tuple[Fault, ...]
    splits: dict[str, int]
    official: bool
    notes: tuple[str, ...]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many images have each height and width."""
        return Counter(report.size for report in self.reports if report.size is not None)

    @property
    def pixels(self) -> list[int]:
        """The pixels of each class over all masks, and of void last."""
        total = np.zeros(self.collection.num_classes + 1, dtype=np.int64)
        for report in self.reports:
            if report.class_pixels is not None:
                total += report.class_pixels
        return [int(count) for count in total]

    @property
    def images_with_class(self) -> list[int]:
        """In how many masks each class occurs, and void last."""
        total = np.zeros(self.collection.num_classes + 1, dtype=np.int64)
        for report in self.reports:
            if report.class_pixels is not None:
                total += report.class_pixels > 0
        return [int(count) for count in total]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values.

        ``classes`` are the names in the order of their indices; ``class_shares`` are shares of
        the pixels that count and ``void_share`` that of all pixels. ``faults`` that do not
        ``refuse`` training are legal; ``pair`` is the name that ``--skip-faulty`` leaves out.
        """
        names = [info.name for info in self.collection.classes]
        shares, void = self._shares()
        sizes = sorted(self.sizes, key=lambda size: size[0] * size[1])
        return {
            "layout": self.collection.layout,
            "path": readable(str(self.collection.root)),
            "pairs": len(self.collection.pairs),
            "groups": len({pair.group for pair in self.collection.pairs}),
            "classes": names,
            "colours": {
                i.name: "#{:02x}{:02x}{:02x}".format(*i.colour) for i in self.collection.classes
            },
            "class_shares": dict(zip(names, shares, strict=True)),
            "class_pixels": dict(zip(names, self.pixels, strict=False)),
            "class_images": dict(zip(names, self.images_with_class, strict=False)),
            "void_share": void,
            "void_pixels": self.pixels[-1],
            "image_sizes": {
                "distinct": len(sizes),
                "smallest": list(sizes[0]) if sizes else None,
                "largest": list(sizes[-1]) if sizes else None,
            },
            "splits": self.splits,
            "split": "official" if self.official else "by seed and group",
            "faults": [
                {
                    "path": readable(str(fault.path)),
                    "problem": readable(fault.problem),
                    "pair": fault.pair,
                    "refuses": fault.refuses,
                }
                for fault in self.faults
            ],
            "notes": list(self.notes),
        }

    def print(self, console: Console, *, shown: int = SHOWN) -> None:
        """Print the report as tables, with the first ``shown`` faults."""
        console.print(self._summary())
        console.print(self._classes())
        for note in self.notes:
            console.print(f"• {escape(note)}", highlight=False)
        if not self.faults:
            console.print("No faults.")
            return
        refusing = sum(fault.refuses for fault in self.faults)
        legal = len(self.faults) - refusing
        console.print(
            f"[bold]{counted(refusing, 'fault')}[/bold] that fit refuses (or leaves out with "
            f"--skip-faulty), {legal} worth knowing:",
            highlight=False,
        )
        for fault in sorted(self.faults, key=lambda fault: not fault.refuses)[:shown]:
            mark = "[red]✗[/red]" if fault.refuses else "[yellow]![/yellow]"
            line = escape(
                readable(f"{_below(fault.path, self.collection.folder)}: {fault.problem}")
            )
            console.print(f"{mark} {line}", highlight=False, soft_wrap=True)
        if len(self.faults) > shown:
            console.print(f"  and {len(self.faults) - shown} more; --json lists all of them")

    def _summary(self) -> Table:
        table = Table.grid(padding=(0, 2))
        collection = self.collection
        groups = len({pair.group for pair in collection.pairs})
        splits = ", ".join(f"{split} {n:,}" for split, n in self.splits.items()) or "none"
        kind = "official" if self.official else "by seed and group"
        rows = {
            "Folder": readable(str(collection.root)),
            "Layout": collection.layout,
            "Pairs": f"{len(collection.pairs):,}",
            "Groups": f"{groups:,}" if groups < len(collection.pairs) else "every image its own",
            "Split": f"{splits} ({kind})",
            "Image size": self._sizes_in_words(),
        }
        for name, value in rows.items():
            table.add_row(f"[bold]{name}[/bold]", escape(value))
        return table

    def _sizes_in_words(self) -> str:
        sizes = sorted(self.sizes, key=lambda size: size[0] * size[1])
        if not sizes:
            return "none can be read"
        smallest, largest = (f"{height} x {width}" for height, width in (sizes[0], sizes[-1]))
        if len(sizes) == 1:
            return f"{smallest} (height x width)"
        return f"{smallest} to {largest} (height x width), {len(sizes)} different ones"

    def _classes(self) -> Table:
        table = Table("Index", "Class", "Colour", "Share of pixels", "In images")
        for column in (0, 3, 4):
            table.columns[column].justify = "right"
        shares, void = self._shares()
        images = self.images_with_class
        for index, info in enumerate(self.collection.classes):
            red, green, blue = info.colour
            colour = f"[rgb({red},{green},{blue})]██[/] #{red:02x}{green:02x}{blue:02x}"
            share = f"{shares[index]:.2%}"
            table.add_row(str(index), escape(info.name), colour, share, f"{images[index]:,}")
        if self.pixels[-1]:
            table.add_row("", "void (not counted)", "", f"{void:.2%} of all", f"{images[-1]:,}")
        return table

    def _shares(self) -> tuple[list[float], float]:
        *classes, void = self.pixels
        counted = sum(classes)
        shares = [pixels / counted if counted else 0.0 for pixels in classes]
        return shares, void / (counted + void) if counted + void else 0.0


def inspect(
    path: Path,
    reading: Reading = AUTO,
    *,
    workers: int | None = None,
    progress: Watch | None = None,
) -> Inspection:
    """Read every file under ``path`` once and report what is there.

    ``workers`` and ``progress`` are those of `faults.examine`. Raises ``ValueError`` as
    `open_collection` does.
    """
    collection = open_collection(path, reading)
    reports = tuple(examine(collection, workers=workers, progress=progress))
    splits, official, notes = _splits(collection, reading.group_by)
    return Inspection(
        collection=collection,
        reports=reports,
        faults=tuple(all_faults(collection, reports)),
        splits=splits,
        official=official,
        notes=(*collection.notes, *notes, *_darkness(reports)),
    )


def _splits(collection: Collection, group_by: str | None) -> tuple[dict[str, int], bool, list[str]]:
    counted = Counter(pair.split for pair in collection.pairs if pair.split is not None)
    official = {split: counted[split] for split in SPLITS if counted[split]}
    if "train" in official and len(official) > 1:
        notes = [] if "val" in official else ["validation images are taken from train, by seed"]
        return official, True, notes
    try:
        splits = make_splits(collection, TrainConfig(group_by=group_by))
    except ValueError as error:
        return {}, False, [str(error)]
    return {split: len(splits.names(split)) for split in SPLITS}, False, []


def _darkness(reports: Iterable[PairReport]) -> list[str]:
    brightest = max((report.brightest for report in reports if report.size), default=255)
    if brightest >= DARK:
        return []
    return [
        f"images are nearly black: the brightest value is {brightest} of 255; for 16-bit files "
        "with fewer bits in use give these, such as --value-range 0 4095"
    ]


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
