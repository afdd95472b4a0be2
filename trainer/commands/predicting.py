"""``trainer predict``: image in, mask out."""

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from trainer.catalogue import DEVICE
from trainer.command_line import DONE, USER_MISTAKE, Answer, check_folder, parse, print_json
from trainer.printing import say
from trainer.progress import Progress
from trainer.wording import counted

if TYPE_CHECKING:
    from trainer.prediction.files import Overlay, Prediction


@dataclass(frozen=True, kw_only=True)
class Predict(Answer):
    """Write the masks of images of any size, and a table of what each holds of each class."""

    model: Positional[str]
    """A run (id, beginning of it, name, last), a registered model's name for its champion,
    models:/NAME@ALIAS, models:/NAME/VERSION, or a pulled folder."""
    images: Positional[tuple[Path, ...]]
    """Image files, folders with all that is below them, or patterns ('photos/**/*.jpg')."""
    out: Path
    """Folder for the masks, PNGs of the images' sizes, and for predictions.csv."""
    values: Literal["index", "data"] | None = None
    """What masks store: the indices of the classes, or the values that the masks of the training
    data had, such as 0 and 255; left out, those of the data where the model tells them."""
    overlay: bool = False
    """Write each image with its mask drawn over it, too."""
    outline: bool = False
    """Draw the objects' outlines in full colour; with --opacity 0 they are all that is drawn."""
    color: Annotated[str | None, "COLOUR"] = None
    """Colour of the foreground in overlays, such as red or #ff0000; left out, the model's own."""
    opacity: float | None = None
    """How much of the colour covers the image in overlays, from 0 to 1; left out, 0.55."""
    device: Annotated[str, DEVICE] = "auto"
    """Where to run."""


def predict(args: list[str]) -> int:
    """Write the masks of images of any size, and what each holds of each class."""
    command = parse(Predict, prog="trainer predict", args=args)
    if not command.images:
        raise ValueError("images: give at least one image file or folder")
    check_folder("out", command.out)
    overlay = _overlay(command)
    from trainer.prediction.files import Prediction
    from trainer.prediction.inputs import find_pictures
    from trainer.prediction.registry import resolve_model

    found = find_pictures(command.images, command.out)
    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        prediction = Prediction(
            resolve_model(command.model, Path(scratch)),
            found,
            command.out,
            overlay=overlay,
            values=command.values,
            device=command.device,
        )
    prediction.run(Progress())
    if command.json:
        print_json(_as_json(prediction))
    else:
        say(*(str(one.mask) for one in prediction.written))
    for fault in prediction.damaged:
        say(f"not predicted: {fault}", file=sys.stderr)
    say(*_summary(prediction, found.skipped, command.out), file=sys.stderr)
    return USER_MISTAKE if prediction.damaged else DONE


def _overlay(command: Predict) -> "Overlay | None":
    """Return how overlays are to look; None where none are wanted."""
    said = {"outline": command.outline, "color": command.color, "opacity": command.opacity}
    unread = [name for name, value in said.items() if value is not None and value is not False]
    if not command.overlay:
        if unread:
            raise ValueError(f"{unread[0]}: it is of overlays; give --overlay too")
        return None
    from trainer.data.painting import OPACITY
    from trainer.prediction.files import Overlay

    opacity = OPACITY if command.opacity is None else command.opacity
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity: {opacity} must lie in 0 to 1")
    colour = None if command.color is None else _rgb(command.color)
    return Overlay(outline=command.outline, colour=colour, opacity=opacity)


def _rgb(color: str) -> tuple[int, int, int]:
    from PIL.ImageColor import getrgb

    try:
        red, green, blue = getrgb(color)[:3]
    except ValueError as error:
        problem = f"color: {color!r} is no colour; give a name such as red, or #ff0000"
        raise ValueError(problem) from error
    return red, green, blue


def _as_json(prediction: "Prediction") -> list[dict[str, object]]:
    names = [info.name for info in prediction.classes]
    return [
        {
            "image": str(one.image),
            "mask": str(one.mask),
            "classes": [
                {"name": name, **asdict(counted)}
                for name, counted in zip(names, one.counted, strict=True)
            ],
        }
        for one in prediction.written
    ]


def _summary(prediction: "Prediction", skipped: int, out: Path) -> list[str]:
    from trainer.prediction.counting import CONNECTIVITY, together
    from trainer.prediction.files import TABLE

    done = [counted(len(prediction.written), "image")]
    if prediction.damaged:
        done.append(f"{len(prediction.damaged)} could not be read")
    if skipped:
        done.append(f"{counted(skipped, 'file')} skipped, no image")
    if not prediction.written:
        return ["; ".join(done)]
    found = together([one.counted for one in prediction.written])
    largest = sorted(
        zip(prediction.classes[1:], found[1:], strict=True), key=lambda each: -each[1].pixels
    )
    done += [
        f"{info.name} {one.share:.1%} of the pixels, {counted(one.objects or 0, 'object')}"
        for info, one in largest[:3]
    ]
    return [
        f"masks hold {prediction.values.told}",
        f"{'; '.join(done)}; masks and {TABLE} in {out} ({CONNECTIVITY})",
    ]
