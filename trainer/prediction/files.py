"""Predict image files: their masks, overlays to look at, and a table of what was found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from PIL import Image

from trainer.data.collection import ClassInfo, Colour, ImageCoding
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_image
from trainer.data.painting import OPACITY, Map, lay_outlined, lay_over, save_image
from trainer.exports import csv
from trainer.files import write_text
from trainer.network.device import choose_device
from trainer.prediction.counting import Counted, count
from trainer.prediction.inputs import Found, Picture
from trainer.prediction.predictor import Predictor
from trainer.prediction.values import Values
from trainer.progress import Progress

TABLE = "predictions.csv"
# An outline is as many pixels wide as these go into the longer side, so that it is seen from afar.
OUTLINES = 500


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """How a mask is laid over its image; ``colour`` is the foreground's, None the model's own."""

    outline: bool = False
    colour: Colour | None = None
    opacity: float = OPACITY

    def drawn(self, image: Map, mask: Map, classes: Sequence[ClassInfo]) -> Map:
        """Return an image ``(height, width, channels)`` with its mask laid over it, RGB."""
        if self.colour is not None:
            classes = [classes[0], replace(classes[1], colour=self.colour)]
        if not self.outline:
            return lay_over(image, mask, classes, self.opacity)
        width = max(1, round(max(mask.shape) / OUTLINES))
        return lay_outlined(image, mask, classes, self.opacity, width=width)


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """An image, the file of its mask, and what this has of each class."""

    image: Path
    mask: Path
    counted: list[Counted]


class Prediction:
    """A model and all that is to be done with it, checked before anything is written.

    Writes ``out/<place>.png`` for each picture, with an ``overlay`` ``<place>_overlay.png`` too,
    and `TABLE`. ``values`` is index or data, None for what the model knows. Raises ``ValueError``
    when two files would be written under one name or one over an image, for values that the model
    does not tell, and for a colour where there are more than two classes.
    """

    def __init__(
        self,
        model_folder: Path,
        found: Found,
        out: Path,
        *,
        overlay: Overlay | None = None,
        values: str | None = None,
        device: str = "auto",
    ) -> None:
        self._found, self._out, self._overlay = found, out, overlay
        _check_outputs(found.pictures, out, _suffixes(overlay))
        self._predictor = Predictor(model_folder, device=str(choose_device(device)))
        self.classes = [
            ClassInfo(name=name, colour=(colour[0], colour[1], colour[2]))
            for name, colour in zip(self._predictor.classes, self._predictor.colours, strict=True)
        ]
        if overlay and overlay.colour is not None and len(self.classes) > 2:
            raise ValueError(
                f"color: this model tells {len(self.classes)} classes apart, each in a colour of "
                "its own; leave --color out"
            )
        self.values = Values.of(model_folder, values, self._predictor.classes)
        self.written: list[Predicted] = []
        self.damaged: list[UnreadableFile] = []

    def run(self, progress: Progress) -> None:
        """Predict one picture after the other; a damaged one is noted and the others are done.

        The table holds what was done, also where something cuts in.
        """
        self._out.mkdir(parents=True, exist_ok=True)
        try:
            for picture in progress.watch(self._found.pictures, "predicting"):
                try:
                    self.written.append(self._predicted(picture))
                except UnreadableFile as error:
                    self.damaged.append(error)
        finally:
            if self.written:
                write_text(self._out / TABLE, csv(self._table()))

    def _predicted(self, picture: Picture) -> Predicted:
        predictor = self._predictor
        coding = ImageCoding(channels=predictor.channels, value_range=predictor.value_range)
        pixels = read_image(picture.path, coding)
        mask = predictor.predict(pixels)
        path = _output(self._out, picture, ".png")
        self.values.save(mask, path, self.classes)
        if self._overlay:
            laid = Image.fromarray(self._overlay.drawn(pixels, mask, self.classes))
            save_image(laid, _output(self._out, picture, "_overlay.png"))
        return Predicted(image=picture.path, mask=path, counted=count(mask, len(self.classes)))

    def _table(self) -> pd.DataFrame:
        """Return a row an image; by column, so that classes of one name do not become one."""
        headings = ["mask"]
        for info in self.classes:
            kinds = ("pixels", "share", "objects") if len(headings) > 1 else ("pixels", "share")
            headings += [f"{info.name} {kind}" for kind in kinds]
        rows = [[one.mask.relative_to(self._out).as_posix(), *_cells(one)] for one in self.written]
        index = pd.Index([str(one.image) for one in self.written], name="image")
        return pd.DataFrame(rows, index=index, columns=headings)


def _cells(one: Predicted) -> list[float]:
    values = [value for counted in one.counted for value in vars(counted).values()]
    return [value for value in values if value is not None]


def _suffixes(overlay: Overlay | None) -> tuple[str, ...]:
    return (".png", "_overlay.png") if overlay else (".png",)


def _output(out: Path, picture: Picture, suffix: str) -> Path:
    return out / picture.place.with_name(f"{picture.place.name}{suffix}")


def _check_outputs(pictures: Sequence[Picture], out: Path, suffixes: Sequence[str]) -> None:
    outputs = [_output(out, picture, suffix) for picture in pictures for suffix in suffixes]
    repeated = next((path for path, n in Counter(outputs).items() if n > 1), None)
    if repeated is not None:
        raise ValueError(
            f"images: two would be written as {repeated.relative_to(out)}; predict them into two "
            "folders"
        )
    inputs = {picture.path.resolve() for picture in pictures}
    lost = next((path for path in outputs if path.resolve() in inputs), None)
    if lost is not None:
        raise ValueError(f"out: {lost} is one of the images and would be lost; give another folder")
