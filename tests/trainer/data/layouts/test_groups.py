"""What belongs together is proposed where names or folders show it, and only there."""

import re

import pytest

from trainer.config.reading import Reading
from trainer.data.layouts import open_collection

TOGETHER = {
    "a folder for each patient": (
        [f"images/p{p}/{p}{n}.png" for p in range(3) for n in range(4)],
        3,
    ),
    "repeating names": ([f"images/p{p}/{n}.png" for p in range(3) for n in range(4)], 3),
    "folders above": ([f"p{p}/images/{p}-{n}.png" for p in range(3) for n in range(4)], 3),
    "frames": ([f"images/video{v}_{n:04}.png" for v in range(2) for n in range(5, 50, 5)], 2),
    "a folder for each slice": (
        [f"patient_{p}_slice_{n}/image.png" for p in range(3) for n in range(5)],
        3,
    ),
    "a folder for each frame": (
        [f"all/film{p}-{n:03}/image.png" for p in range(3) for n in range(0, 50, 10)],
        3,
    ),
    "slices": ([f"images/case{v}-slice{n}.png" for v in range(4) for n in range(6)], 4),
}
APART = {
    "numbers": [f"images/{n}.png" for n in range(12)],
    "one beginning": [f"images/scan_{n}.png" for n in range(12)],
    "two of each": [f"images/eye{n}_{side}.png" for n in range(6) for side in (1, 2)],
    "a folder for each image": [f"case{n}/image.png" for n in range(12)],
    "numbers that do not count": [
        f"images/{kind}_{n}.png" for kind in ("cat", "dog") for n in (3, 17, 18, 42, 77, 140, 141)
    ],
}


def lay_out(draw, root, images) -> None:
    for path in images:
        draw.photo(root / path)
        draw.mask(root / path.replace("image", "mask"))


@pytest.mark.parametrize("name", TOGETHER)
def test_the_proposed_pattern_makes_the_groups(tmp_path, draw, name):
    images, groups = TOGETHER[name]
    lay_out(draw, tmp_path, images)
    (note,) = [n for n in open_collection(tmp_path).notes if "--group-by" in n]
    found = re.search(r"--group-by '(.*)'", note)
    assert found is not None
    pairs = open_collection(tmp_path, Reading(group_by=found.group(1))).pairs
    assert len({pair.group for pair in pairs}) == groups
    assert all(f"{pair.group} (" in note or "…" in note for pair in pairs)


@pytest.mark.parametrize("name", APART)
def test_nothing_is_proposed_without_a_sign(tmp_path, draw, name):
    lay_out(draw, tmp_path, APART[name])
    assert not [note for note in open_collection(tmp_path).notes if "--group-by" in note]


def test_nothing_is_proposed_where_validation_is_given(tmp_path, draw):
    images, _ = TOGETHER["frames"]
    lay_out(draw, tmp_path, [path.replace("images", "train/images") for path in images])
    lay_out(draw, tmp_path, ["val/images/one.png", "val/images/two.png"])
    assert not [note for note in open_collection(tmp_path).notes if "--group-by" in note]
