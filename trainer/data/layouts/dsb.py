"""The 2018 Data Science Bowl, as downloaded and as UNet++ code prepares it.

Prepared: ``images/<id>.png`` and ``masks/0/<id>.png``, one folder of masks for each class.
Downloaded: ``<id>/images/<id>.png`` and ``<id>/masks/*.png``, one mask for each nucleus. Scaling
has smoothed the masks' edges, so everything above the middle counts.
"""

import re
from pathlib import Path

from trainer.data.classes import class_colour, two_classes
from trainer.data.collection import ClassInfo, Collection, Fault, MaskCoding, Pair
from trainer.data.layouts.layout import Layout, Options
from trainer.data.layouts.listing import has_images, list_images, match, readable
from trainer.wording import counted

ID = re.compile(r"[0-9a-f]{64}")


def _class_folders(root: Path) -> list[Path]:
    try:
        found = [p for p in (root / "masks").iterdir() if p.name.isdecimal() and p.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name))


def _objects(root: Path) -> list[Path]:
    """Return the folders of the downloaded form, one for each image."""
    for top in (root, root / "stage1_train"):
        if top.is_dir():
            found = [path for path in sorted(top.iterdir()) if ID.fullmatch(path.name)]
            found = [path for path in found if (path / "images").is_dir()]
            if any((path / "masks").is_dir() for path in found):
                return found
    return []


def _matches(root: Path) -> bool:
    prepared = has_images(root / "images") and any(map(has_images, _class_folders(root)))
    return prepared or bool(_objects(root))


def _read(root: Path, options: Options) -> Collection:
    del options
    folders = _class_folders(root)
    pairs, faults = _prepared(root, folders) if folders else _downloaded(_objects(root))
    classes: tuple[ClassInfo, ...] = two_classes("nucleus")
    if len(folders) > 1:
        named = [
            ClassInfo(name=f"class {p.name}", colour=class_colour(i + 1))
            for i, p in enumerate(folders)
        ]
        classes = (classes[0], *named)
    elif pairs and not ID.fullmatch(pairs[0].name):
        classes = two_classes()
    return Collection(
        root=root,
        layout=LAYOUT.name,
        pairs=tuple(pairs),
        classes=classes,
        coding=MaskCoding(threshold=127, layered=len(folders) > 1),
        faults=tuple(faults),
        notes=_notes(pairs),
    )


def _notes(pairs: list[Pair]) -> tuple[str, ...]:
    several = sum(bool(pair.more_masks) for pair in pairs)
    many = counted(several, "image has", "images have")
    over = f"; {many} several masks, laid over each other" if several else ""
    return (f"masks: above 127 is foreground{over}",)


def _prepared(root: Path, folders: list[Path]) -> tuple[list[Pair], list[Fault]]:
    images = list_images(root / "images")
    found = match(images, list_images(folders[0]))
    more = [{path.stem: path for path in list_images(folder)} for folder in folders[1:]]
    faults = list(found.faults)
    pairs = []
    for image, mask in found.pairs:
        others = [layer.get(image.stem) for layer in more]
        for folder, other in zip(folders[1:], others, strict=True):
            if other is None:
                problem = f"missing mask: none in masks/{folder.name}/ belongs to this image"
                faults.append(Fault(path=image, problem=problem))
        if None not in others:
            name = readable(image.stem)
            layers = tuple(path for path in others if path is not None)
            pairs.append(Pair(name=name, image=image, mask=mask, group=name, more_masks=layers))
    return pairs, faults


def _downloaded(folders: list[Path]) -> tuple[list[Pair], list[Fault]]:
    pairs, faults = [], []
    for folder in folders:
        images, masks = list_images(folder / "images"), list_images(folder / "masks")
        if images and masks:
            name = readable(folder.name)
            pairs.append(
                Pair(
                    name=name,
                    image=images[0],
                    mask=masks[0],
                    group=name,
                    more_masks=tuple(masks[1:]),
                )
            )
        else:
            path = (images or masks or [folder])[0]
            problem = "missing mask: no mask belongs to this image"
            if masks:
                problem = "orphan mask: no image belongs to this mask"
            faults.append(Fault(path=path, problem=problem))
    return pairs, faults


LAYOUT = Layout(
    name="dsb2018",
    looks_for="images/ and masks/0/, or <id>/images/ and <id>/masks/",
    matches=_matches,
    read=_read,
)
