"""Predict image files: masks as palette PNGs, and overlays to look at."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from trainer.data.collection import ClassInfo, ImageCoding
from trainer.data.files.reading import read_image
from trainer.data.painting import lay_over, save_image, save_mask
from trainer.network.device import choose_device
from trainer.prediction.predictor import Predictor


def predict_files(
    model_folder: Path,
    images: Sequence[Path],
    out: Path,
    *,
    overlay: bool = False,
    device: str = "auto",
) -> list[tuple[Path, Path]]:
    """Write ``out/<stem>.png`` for each image and return the pairs of image and mask.

    A mask is a palette PNG of the image's own size whose indices are the classes. ``overlay``
    adds ``<stem>_overlay.png``. Raises ``ValueError`` before anything is written when an image
    is not there, when two files would be written under one name, and when one would be written
    over an image; and for an image that cannot be read, when its turn comes.
    """
    for image in images:
        if image.is_dir():
            raise ValueError(f"images: {image} is a folder; give its files")
        if not image.is_file():
            raise ValueError(f"images: {image} does not exist")
    _check_outputs(images, out, overlay)
    predictor = Predictor(model_folder, device=str(choose_device(device)))
    classes = [
        ClassInfo(name=name, colour=(colour[0], colour[1], colour[2]))
        for name, colour in zip(predictor.classes, predictor.colours, strict=True)
    ]
    coding = ImageCoding(channels=predictor.channels, value_range=predictor.value_range)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path in images:
        pixels = read_image(path, coding)
        mask = predictor.predict(pixels)
        save_mask(mask, out / f"{path.stem}.png", classes)
        if overlay:
            laid = Image.fromarray(lay_over(pixels, mask, classes))
            save_image(laid, out / f"{path.stem}_overlay.png")
        written.append((path, out / f"{path.stem}.png"))
    return written


def _check_outputs(images: Sequence[Path], out: Path, overlay: bool) -> None:
    suffixes = (".png", "_overlay.png") if overlay else (".png",)
    outputs = [out / f"{image.stem}{suffix}" for image in images for suffix in suffixes]
    repeated = next((path for path, n in Counter(outputs).items() if n > 1), None)
    if repeated is not None:
        raise ValueError(
            f"images: two would be written as {repeated.name}; predict them into two folders"
        )
    inputs = {image.resolve() for image in images}
    lost = next((path for path in outputs if path.resolve() in inputs), None)
    if lost is not None:
        raise ValueError(f"out: {lost} is one of the images and would be lost; give another folder")
