"""What a predicted mask stores: class indices, or the values of the masks that were learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.data.collection import ClassInfo
from trainer.data.painting import Map, save_image, save_mask
from trainer.run_files import read_run_file


@dataclass(frozen=True, kw_only=True)
class Values:
    """What a mask file stores for each class: a grey level, or a colour; None for the indices."""

    table: NDArray[Any] | None
    told: str

    @classmethod
    def of(cls, folder: Path, wanted: str | None, classes: Sequence[str]) -> Self:
        """Return those of the masks that a model learnt from, where its folder says them.

        ``wanted`` is index or data, None where either will do. Raises ``ValueError`` where those
        of the data are wanted and unknown.
        """
        origin = folder / "origin.json"
        known = read_run_file(origin).get("mask_values") if origin.is_file() else None
        known = known if known is not None and len(known) == len(classes) else None
        if wanted == "data" and known is None:
            raise ValueError(
                "values: this model does not tell one value of each class in the masks that it "
                "learnt from; give --values index"
            )
        if wanted == "index" or known is None or list(known) == [*range(len(classes))]:
            unknown = " (its data's own values are not known)" if known is None else ""
            return cls(table=None, told=f"class indices{unknown}: {_listed(classes)}")
        table = np.array(known, np.uint16 if max(np.ravel(known)) > 255 else np.uint8)
        return cls(table=table, told=f"the data's own values: {_listed(classes, known)}")

    def save(self, mask: Map, path: Path, classes: Sequence[ClassInfo]) -> None:
        """Save a map of class indices; indices as a palette PNG in the classes' colours."""
        if self.table is None:
            save_mask(mask, path, classes)
        else:
            save_image(Image.fromarray(self.table[mask]), path)


def _listed(classes: Sequence[str], values: Sequence[Any] | None = None, most: int = 5) -> str:
    pairs = list(zip(values or range(len(classes)), classes, strict=True))
    shown = [f"{_named(value)} {name}" for value, name in pairs[:most]]
    return ", ".join([*shown, *(["…"] if len(pairs) > most else [])])


def _named(value: Any) -> str:
    return str(value) if isinstance(value, int) else "#" + bytes(value).hex()
