"""``trainer predict``: image in, mask out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from trainer.command_line import DONE, Answer, check_folder, parse, print_json
from trainer.printing import say


@dataclass(frozen=True, kw_only=True)
class Predict(Answer):
    """Write the masks of images of any size."""

    model: Positional[str]
    """A run id, models:/NAME@ALIAS, models:/NAME/VERSION, or a pulled folder."""
    images: Positional[tuple[Path, ...]]
    """Image files."""
    out: Path
    """Folder for the masks, palette PNGs of the images' sizes."""
    overlay: bool = False
    """Write each image with its mask drawn over it, too."""
    device: str = "auto"
    """Where to run: auto, cpu, cuda or cuda:N."""


def predict(args: list[str]) -> int:
    """Write the masks of images of any size."""
    command = parse(Predict, prog="trainer predict", args=args)
    if not command.images:
        raise ValueError("images: give at least one image file")
    check_folder("out", command.out)
    from trainer.prediction.files import predict_files
    from trainer.prediction.registry import resolve_model

    with tempfile.TemporaryDirectory(prefix="segscope-") as scratch:
        written = predict_files(
            resolve_model(command.model, Path(scratch)),
            command.images,
            command.out,
            overlay=command.overlay,
            device=command.device,
        )
    if command.json:
        print_json([{"image": str(image), "mask": str(mask)} for image, mask in written])
    else:
        say(*(str(mask) for _, mask in written))
    return DONE
