"""What a user may say of how a folder of images and masks is to be read.

A configuration and every command that opens a folder are a `Reading` too: its fields are their
flags, so that a folder is read alike wherever it is opened. Nothing here imports torch.
"""

import math
from dataclasses import dataclass, fields
from typing import Annotated

from trainer.catalogue.data import LAYOUTS
from trainer.names import check
from trainer.settings import require

COMBINATIONS = ("union", "classes")
BORDERS = ("void", "class")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a folder is read; what is left out, is found out or refused, never guessed."""

    group = "data"

    layout: Annotated[str, ("auto", *LAYOUTS)] = "auto"
    """How the folder is laid out; auto finds out."""
    images: Annotated[str | None, "PATH"] = None
    """Folder below data that holds the images, or files ("*.jpg"), where names do not tell."""
    masks: Annotated[str | None, "PATH"] = None
    """Folder below data that holds the masks, or files ("*_m.png"), where names do not tell."""
    combine: Annotated[str | None, COMBINATIONS] = None
    """What masks from several folders (masks left,right) are: union (one class) or classes."""
    mask_values: Annotated[str | None, "VALUES=CLASS"] = None
    """What the masks' values mean, such as "0=background 1,255=car 2=void"; or colours, #rrggbb."""
    threshold: int | None = None
    """Mask values above it are the foreground."""
    split_file: Annotated[str | None, "PATH"] = None
    """File that says which image is in train, val or test: lines of image,split, or a JSON."""
    trimap_border: Annotated[str, BORDERS] = "void"
    """What a trimap's border is: void (not counted) or class (a third class)."""
    group_by: Annotated[str | None, "REGEX"] = None
    """Regular expression whose first group names what must not be split, such as a patient."""
    channels: int = 3
    """Bands of an image that are read: 3 are colours, 1 is grey, others what the file holds."""
    value_range: Annotated[tuple[float, float] | None, "LOW HIGH"] = None
    """Values of black and white, in images of more than 8 bits; 16 bits are 0 to 65535 without."""

    def check_reading(self) -> None:
        """Raise ``ValueError`` naming the field that is wrong, or that contradicts another."""
        check("layout", self.layout, ["auto", *LAYOUTS])
        if self.combine is not None:
            check("combine", self.combine, COMBINATIONS)
        check("trimap_border", self.trimap_border, BORDERS)
        if self.mask_values is not None and self.threshold is not None:
            raise ValueError("mask_values: a threshold says what the values mean already")
        # COCO's masks are a file, of which several may lie there.
        told = self.images or self.combine or (self.masks and self.layout != "coco")
        if told and self.layout not in ("auto", "folders"):
            raise ValueError(f"images, masks: are for the layout folders, not for {self.layout}")
        require("channels", self.channels, self.channels >= 1, "must be at least 1")
        low, high = self.value_range or (0, 1)
        rises = -math.inf < low < high < math.inf
        require("value_range", self.value_range, rises, "must be two numbers, the lower one first")


# As a folder is read of which nothing is said.
AUTO = Reading()
READING = tuple(field.name for field in fields(Reading))
