"""What masks mean is read from evidence that names no rival, or asked: kinds, not cases."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from trainer.config.reading import Reading
from trainer.data.collection import VOID, Collection
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_mask
from trainer.data.layouts import open_collection

HEIGHT, WIDTH = 48, 64
Map = NDArray[np.uint8]


def disc(seed: int, radius: int = 12) -> NDArray[np.bool_]:
    """Return a disc somewhere in the middle, True inside."""
    random = np.random.default_rng(seed)
    row, column = random.integers(16, 32), random.integers(20, 44)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside: NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return inside


def blocks(seed: int, classes: int) -> Map:
    """Return areas of so many classes, all in every map."""
    columns = np.mgrid[:HEIGHT, :WIDTH][1] * classes // WIDTH
    return np.roll(columns, 7 * seed, axis=1).astype(np.uint8)


def write(root: Path, masks: list[Map | Image.Image], *, suffix: str = ".png", **how: Any) -> Path:
    """Write a photograph and a mask for each of ``masks``, and return the root."""
    for number, mask in enumerate(masks):
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        photo = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(photo).save(root / "images" / f"{number}.png")
        picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        picture.save(root / "masks" / f"{number}{suffix}", **how)
    return root


def targets(collection: Collection) -> list[Map]:
    return [read_mask(pair.mask, collection.coding) for pair in collection.pairs]


def colour_of(label: int) -> tuple[int, int, int]:
    return ((37 * label + 11) % 256, (91 * label) % 256, (201 * label + 60) % 256)


CODINGS = ("indices", "from one", "palette", "colours", "levels")


def coded(areas: Map, coding: str, classes: int) -> Map | Image.Image:
    if coding == "palette":
        image = Image.fromarray(areas).convert("P")
        image.frombytes(areas.tobytes())
        image.putpalette([channel for label in range(classes) for channel in colour_of(label)])
        return image
    if coding == "colours":
        return np.array([colour_of(label) for label in range(classes)], np.uint8)[areas]
    if coding == "levels":
        return (areas * (255 // (classes - 1))).astype(np.uint8)
    return areas + np.uint8(coding == "from one")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    coding=st.sampled_from(CODINGS),
    classes=st.integers(2, 24),
    void=st.booleans(),
    files=st.integers(2, 6),
)
def test_areas_are_read_back_whatever_they_are_coded_in(
    tmp_path_factory: pytest.TempPathFactory, coding: str, classes: int, void: bool, files: int
) -> None:
    """No class is empty everywhere, and void is never the commonest."""
    maps = [blocks(seed, classes) for seed in range(files)]
    masks = [coded(areas, coding, classes) for areas in maps]
    if void and coding in ("indices", "from one"):
        for mask in masks:
            mask[:2] = VOID  # type: ignore[index]
    root = write(tmp_path_factory.mktemp("set"), masks)
    collection = open_collection(root)
    read = np.stack(targets(collection))
    present = set(np.unique(read)) - {VOID}
    assert present == set(range(collection.num_classes))
    assert (read == VOID).mean() < 0.5
    assert collection.num_classes == classes
    # The same partition, whatever the order of the classes.
    seen = np.stack(maps)[read != VOID], read[read != VOID]
    assert len(set(zip(*(each.tolist() for each in seen), strict=True))) == classes


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    factor=st.integers(2, 4),
    resample=st.sampled_from([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC]),
    jpeg=st.booleans(),
    files=st.integers(1, 6),
)
def test_softened_edges_are_two_classes(
    tmp_path_factory: pytest.TempPathFactory,
    factor: int,
    resample: Image.Resampling,
    jpeg: bool,
    files: int,
) -> None:
    hard = [disc(seed) for seed in range(files)]
    soft = []
    for inside in hard:
        small = Image.fromarray(inside[::factor, ::factor].astype(np.uint8) * 255)
        soft.append(np.asarray(small.resize((WIDTH, HEIGHT), resample)))
    suffix = ".jpg" if jpeg else ".png"
    root = write(tmp_path_factory.mktemp("soft"), list(soft), suffix=suffix)
    collection = open_collection(root)
    assert collection.num_classes == 2
    wrong = [
        (read != inside).mean() for read, inside in zip(targets(collection), hard, strict=True)
    ]
    assert max(wrong) < 0.05


def test_many_classes_near_black_are_no_soft_edges(tmp_path: Path) -> None:
    collection = open_collection(write(tmp_path, [blocks(seed, 12) for seed in range(4)]))
    assert collection.num_classes == 12


def test_many_classes_near_black_and_a_void_are_no_soft_edges(tmp_path: Path) -> None:
    masks = [blocks(seed, 12) for seed in range(4)]
    for mask in masks:
        mask[:3] = VOID
    collection = open_collection(write(tmp_path, list(masks)))
    assert collection.num_classes == 12
    assert (np.stack(targets(collection)) == VOID).mean() == pytest.approx(3 / HEIGHT)


@pytest.mark.parametrize("strays", [[254], [1, 254], [3, 90], [17], [2, 3, 250, 251, 252]])
def test_a_few_stray_pixels_never_make_the_foreground_void(
    tmp_path: Path, strays: list[int]
) -> None:
    masks = []
    for seed in range(6):
        mask = disc(seed).astype(np.uint8) * 255
        mask[20, 20 : 20 + len(strays)] = strays
        masks.append(mask)
    try:
        collection = open_collection(write(tmp_path, list(masks)))
    except ValueError as error:
        # A level in the middle may be a class that is rarely seen; one near an end is none.
        assert 90 in strays
        assert "%" in str(error)
        return
    found = np.stack(targets(collection))
    whole = np.stack([disc(seed) for seed in range(6)])
    assert (found[whole] == found[0][disc(0)][-1]).mean() > 0.99
    assert (found == VOID).mean() < 0.01


def test_one_and_255_in_different_masks_are_both_foreground(tmp_path: Path) -> None:
    masks = [disc(seed) * np.uint8(255 if seed % 2 else 1) for seed in range(6)]
    collection = open_collection(write(tmp_path, list(masks)))
    assert [target.astype(bool).sum() for target in targets(collection)] == [
        disc(seed).sum() for seed in range(6)
    ]
    assert "never both" in collection.notes[0]


def test_two_other_values_never_together_are_asked_about(tmp_path: Path) -> None:
    masks = [disc(seed) * np.uint8(255 if seed % 2 else 128) for seed in range(6)]
    with pytest.raises(ValueError, match=r"0 with 128 \(3 masks\) or with 255 \(3 masks\)"):
        open_collection(write(tmp_path, list(masks)))


def test_classes_one_and_two_that_never_meet_are_two_classes(tmp_path: Path) -> None:
    masks = [disc(seed) * np.uint8(1 + seed % 2) for seed in range(6)]
    assert open_collection(write(tmp_path, list(masks))).num_classes == 3


def test_void_is_never_the_commonest_value(tmp_path: Path) -> None:
    masks = []
    for _ in range(4):
        mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
        mask[:8], mask[8:14] = 0, 1
        masks.append(mask)
    with pytest.raises(ValueError, match=r"255 \(70\.8 %\).*would be void.*classes\.yaml"):
        open_collection(write(tmp_path, list(masks)))


@pytest.mark.parametrize("value", [0, 1, 7, 255])
def test_masks_that_show_nothing_are_refused(tmp_path: Path, value: int) -> None:
    masks = [np.full((HEIGHT, WIDTH), value, np.uint8)] * 3
    with pytest.raises(ValueError, match=rf"every pixel of all 3 masks has the value {value}"):
        open_collection(write(tmp_path, list(masks)))


def test_a_mask_in_the_transparency_is_refused_with_the_cause(tmp_path: Path) -> None:
    masks = []
    for seed in range(3):
        mask = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
        mask[..., 3] = disc(seed) * 255
        masks.append(mask)
    with pytest.raises(ValueError, match="only the transparency differs"):
        open_collection(write(tmp_path, list(masks)))


def test_labels_that_jpeg_changed_are_refused(tmp_path: Path) -> None:
    masks = [disc(seed).astype(np.uint8) for seed in range(4)]
    root = write(tmp_path, list(masks), suffix=".jpg", quality=75)
    with pytest.raises(ValueError, match=r"lossy compression \(JPEG\) has changed the labels"):
        open_collection(root)


def test_levels_that_jpeg_changed_are_the_nearest(tmp_path: Path) -> None:
    masks = []
    for seed in range(4):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[disc(seed)] = 128
        mask[disc(seed + 50, 6)] = 255
        masks.append(mask)
    root = write(tmp_path, list(masks), suffix=".jpg", quality=90)
    collection = open_collection(root)
    expected = [np.searchsorted([0, 128, 255], mask) for mask in masks]
    same = [(a == b).mean() for a, b in zip(targets(collection), expected, strict=True)]
    assert min(same) > 0.98
    (root / "classes.yaml").write_text("classes: {ground: 0, leaf: 128, fruit: 255}\n")
    named = open_collection(root)
    assert [info.name for info in named.classes] == ["ground", "leaf", "fruit"]
    assert all(
        np.array_equal(a, b) for a, b in zip(targets(named), targets(collection), strict=True)
    )
    (root / "classes.yaml").write_text("classes: {ground: 0, leaf: 1}\n")
    with pytest.raises(ValueError, match="closer than 24 to each other, and the masks are JPEG"):
        open_collection(root)


def test_colours_between_two_others_are_asked_about(tmp_path: Path) -> None:
    masks = []
    for seed in range(4):
        small = Image.fromarray(disc(seed)[::2, ::2].astype(np.uint8) * 255)
        soft = np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)) / 255
        soft = (np.rint(soft * 4) / 4)[..., None]
        masks.append(np.rint(soft * [220, 20, 60]).astype(np.uint8))
    root = write(tmp_path, list(masks))
    with pytest.raises(ValueError, match=r"mixtures of the two in \d\.\d % of the pixels") as asked:
        open_collection(root)
    assert "cut them with --threshold 110" in str(asked.value)
    found = targets(open_collection(root, Reading(threshold=110)))
    assert all(np.array_equal(t, m[..., 0] > 110) for t, m in zip(found, masks, strict=True))


def test_three_is_a_border_only_where_it_lies_between_one_and_two(tmp_path: Path) -> None:
    land, trimaps = [], []
    for seed in range(4):
        field = np.where(np.mgrid[:HEIGHT, :WIDTH][0] < 30, 1, 3).astype(np.uint8)
        field[disc(seed, 8)] = 2
        land.append(field)
        trimap = np.full((HEIGHT, WIDTH), 2, np.uint8)
        trimap[disc(seed, 13)] = 3
        trimap[disc(seed, 11)] = 1
        trimaps.append(trimap)
    classes = open_collection(write(tmp_path / "land", list(land)))
    assert [info.name for info in classes.classes] == ["class 1", "class 2", "class 3"]
    border = open_collection(write(tmp_path / "pets", list(trimaps)))
    assert [info.name for info in border.classes] == ["background", "foreground"]
    assert (targets(border)[0][disc(0, 13) & ~disc(0, 11)] == VOID).all()


@pytest.mark.parametrize("kind", ["noise in grey", "a photograph"])
def test_one_file_that_is_no_mask_is_that_files_fault(tmp_path: Path, kind: str) -> None:
    masks: list[Map | Image.Image] = [disc(seed).astype(np.uint8) * 255 for seed in range(20)]
    random = np.random.default_rng(0)
    shape = (HEIGHT, WIDTH) if kind == "noise in grey" else (HEIGHT, WIDTH, 3)
    masks[7] = random.integers(0, 256, shape, np.uint8)
    collection = open_collection(write(tmp_path, masks))
    assert collection.num_classes == 2
    assert [fault.path.name for fault in collection.faults] == ["7.png"]
    assert "is no mask" in collection.faults[0].problem
    with pytest.raises(UnreadableFile, match=r"7\.png"):
        read_mask(collection.faults[0].path, collection.coding)


def test_a_class_that_no_mask_has_is_no_class(tmp_path: Path) -> None:
    masks = [np.array([0, 3, 9], np.uint8)[blocks(seed, 3)] for seed in range(4)]
    collection = open_collection(write(tmp_path, list(masks)))
    assert [info.name for info in collection.classes] == ["class 0", "class 3", "class 9"]


def numbered(seed: int, objects: int, *, kind: type[np.unsignedinteger[Any]] = np.uint8) -> Map:
    """Return a map in which each of so many squares has its own number, in a random order."""
    found = np.zeros((HEIGHT, WIDTH), kind)
    places = np.random.default_rng(seed).permutation(48)[:objects]
    for number, place in enumerate(places, start=1):
        row, column = 8 * (place // 8), 8 * (place % 8)
        found[row + 1 : row + 6, column + 1 : column + 6] = number
    return found


@given(
    st.lists(st.integers(0, 40), min_size=3, max_size=8).filter(
        lambda counts: len(set(counts)) >= 3 and max(counts) > 3
    ),
    st.sampled_from([np.uint8, np.uint16]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbered_objects_are_asked_about(
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[int],
    kind: type[np.unsignedinteger[Any]],
) -> None:
    masks = [numbered(seed, count, kind=kind) for seed, count in enumerate(counts)]
    root = write(tmp_path_factory.mktemp("numbered"), masks)
    with pytest.raises(ValueError, match="number objects") as asked:
        open_collection(root)
    said = str(asked.value)
    assert f"n from {min(counts)} to {max(counts)}, most values in one piece" in said
    assert "\n" not in said and "--mask-values" in said
    found = open_collection(root, Reading(threshold=0))
    for mask, target in zip(masks, targets(found), strict=True):
        assert np.array_equal(target, mask > 0)
    ids = np.unique(np.concatenate([mask.ravel() for mask in masks]))
    meaning = " ".join(f"{value}=c{value}" for value in ids)
    assert len(open_collection(root, Reading(mask_values=meaning)).classes) == len(ids)


def test_classes_are_no_numbered_objects(tmp_path: Path) -> None:
    """Each of these lacks one thing that numbers of objects have."""
    random = np.random.default_rng(0)
    all_of_them = [numbered(seed, 6) for seed in range(6)]
    gaps = [np.where(numbered(s, 6) == random.integers(1, 6), 0, numbered(s, 6)) for s in range(8)]
    pieces = [np.where(m > 0, (m - 1) % n + 1, 0) for n, m in enumerate(map(sixteen, range(7)), 1)]
    few_of_them = [numbered(seed, seed % 3 + 1) for seed in range(6)]
    for name, masks in {
        "every mask has all": all_of_them,
        "values are missing": gaps,
        "several pieces each": pieces,
        "few": few_of_them,
    }.items():
        found = open_collection(write(tmp_path / name, [m.astype(np.uint8) for m in masks]))
        assert len(found.classes) == len(set().union(*(np.unique(m) for m in masks))), name


def sixteen(seed: int) -> Map:
    return numbered(seed, 16)


LEVELS = np.array([0, 85, 170, 255], np.uint8)
COLOURS = np.array([(0, 0, 0), (128, 64, 128), (220, 20, 60), (0, 0, 142)], np.uint8)


def with_small_areas(seed: int) -> Map:
    """Return a large map of two classes with a small disc of each of two more."""
    rows, columns = np.mgrid[:240, :320]
    found = (rows >= 120).astype(np.uint8)
    for label in (2, 3):
        row, column = np.random.default_rng(10 * seed + label).integers(40, 200, 2)
        found[(rows - row) ** 2 + (columns - column) ** 2 <= 49] = label
    return found


@pytest.mark.parametrize("shades", [LEVELS, COLOURS], ids=["levels", "colours"])
@pytest.mark.parametrize("quality", [60, 90])
def test_small_classes_that_jpeg_scattered_are_never_taken_for_another(
    tmp_path: Path, shades: NDArray[np.uint8], quality: int
) -> None:
    areas = [with_small_areas(seed) for seed in range(6)]
    root = write(tmp_path, [shades[each] for each in areas], suffix=".jpg", quality=quality)
    with pytest.raises(ValueError, match=r"besides .* there are areas near .* save them as PNG"):
        open_collection(root)
    values = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in shades] if shades.ndim == 2 else shades
    two = f"{values[0]}=ground {values[1]}=road"
    with pytest.raises(ValueError, match="there are areas near"):
        open_collection(root, Reading(mask_values=two))
    found = open_collection(root, Reading(mask_values=f"{two} {values[2]}=person {values[3]}=car"))
    for mask, target in zip(areas, targets(found), strict=True):
        assert (mask == target).mean() > 0.99
        assert all((target == label).any() for label in (2, 3))


@pytest.mark.parametrize("binary", [1, 5])
def test_255_that_no_other_class_stands_beside_is_asked_about(tmp_path: Path, binary: int) -> None:
    masks: list[Map | Image.Image] = [blocks(seed, 5) for seed in range(8)]
    for number in range(binary):
        masks[number] = (disc(number) * 255).astype(np.uint8)
    root = write(tmp_path, masks)
    with pytest.raises(ValueError, match=r"255 beside 0 alone .* never with 1, 2, 3, 4"):
        open_collection(root)
    said = open_collection(root, Reading(mask_values="0=a 1=b 2=c 3=d 4=e 255=void"))
    assert len(said.classes) == 5


def test_a_value_far_beyond_the_others_may_be_void(tmp_path: Path) -> None:
    masks: list[Map | Image.Image] = [
        np.where(disc(seed), 254, blocks(seed, 4)).astype(np.uint8) for seed in range(4)
    ]
    notes = open_collection(write(tmp_path, masks)).notes
    assert "if 254 is void, say what they mean" in notes[0]


def test_leaves_that_others_part_are_numbered_objects(tmp_path: Path) -> None:
    masks: list[Map | Image.Image] = []
    for seed in range(8):
        found = numbered(seed, 4 + seed % 3)
        rows = np.flatnonzero((found == 1).any(axis=1))
        middle = found[rows[len(rows) // 2]]
        middle[middle == 1] = 0
        masks.append(found)
    with pytest.raises(ValueError, match="number objects"):
        open_collection(write(tmp_path, masks))


def test_a_trimap_may_be_given_names(tmp_path: Path) -> None:
    masks: list[Map | Image.Image] = []
    for seed in range(4):
        mask = np.full((HEIGHT, WIDTH), 2, np.uint8)
        mask[disc(seed, 12)], mask[disc(seed, 9)] = 3, 1
        masks.append(mask)
    root = write(tmp_path, masks)
    (root / "classes.yaml").write_text("classes: [grass, pet]\n")
    found = open_collection(root)
    assert [info.name for info in found.classes] == ["grass", "pet"]
    assert found.coding.values == {1: 1, 2: 0, 3: VOID}


@pytest.mark.parametrize("rare", [3, 200])
def test_a_gap_in_a_large_set_is_a_class_where_any_mask_fills_it(tmp_path: Path, rare: int) -> None:
    """More masks than are looked at first; one in their midst holds a value that no other has."""
    masks = [
        np.array([0, 1, 255 if rare == 200 else 5], np.uint8)[blocks(n, 3)] for n in range(230)
    ]
    masks[101][:6] = 2
    collection = open_collection(write(tmp_path, list(masks)))
    shown = {int(value) for target in targets(collection) for value in np.unique(target)}
    assert shown - {VOID} == set(range(len(collection.classes)))
    assert "class 2" in [info.name for info in collection.classes]


def test_a_label_below_zero_is_asked_about_and_can_be_void(tmp_path: Path) -> None:
    draw = write(tmp_path, [blocks(seed, 3) for seed in range(3)])
    for path in (draw / "masks").glob("*.png"):
        np.save(path.with_suffix(".npy"), np.asarray(Image.open(path)).astype(np.int32) - 1)
        path.unlink()
    with pytest.raises(ValueError, match="values -1, 0, 1, which are no class indices"):
        open_collection(tmp_path)
    said = open_collection(tmp_path, Reading(mask_values="0=ground 1=tree -1=void"))
    assert {int(value) for value in np.unique(targets(said))} == {0, 1, VOID}


def test_objects_numbered_from_mask_to_mask_are_asked_about(tmp_path: Path) -> None:
    masks, last = [], 0
    for seed in range(5):
        own = numbered(seed, 4 + seed, kind=np.uint16)
        masks.append(np.where(own > 0, own + last, 0).astype(np.uint16))
        last += 4 + seed
    write(tmp_path, [Image.fromarray(mask) for mask in masks])
    with pytest.raises(ValueError, match=r"of which 30 are in one mask alone .* --threshold 0"):
        open_collection(tmp_path)
    assert len(open_collection(tmp_path, Reading(threshold=0)).classes) == 2


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_a_small_class_without_any_even_area_is_missed_in_jpeg(
    tmp_path: Path, quality: int
) -> None:
    masks = []
    for seed in range(6):
        mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        mask[disc(seed)] = (200, 0, 0)
        mask[disc(seed + 20, 5)] = (0, 200, 0)
        masks.append(mask)
    write(tmp_path, list(masks), suffix=".jpg", quality=quality)
    try:
        collection = open_collection(tmp_path)
    except ValueError as error:
        assert "has scattered the labels" in str(error)
    else:
        assert len(collection.classes) == 3


def test_a_threshold_is_no_cure_for_three_softened_levels_but_ranges_are(tmp_path: Path) -> None:
    masks = []
    for seed in range(4):
        levels = np.where(disc(seed + 9, 5), 255, np.where(disc(seed, 16), 128, 0))
        sharp = Image.fromarray(levels.astype(np.uint8))
        masks.append(sharp.resize((32, 24)).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    write(tmp_path, list(masks))
    with pytest.raises(ValueError, match='ranges of them mean, as in --mask-values "0-99='):
        open_collection(tmp_path)
    said = open_collection(tmp_path, Reading(mask_values="0-63=a 64-191=b 192-255=c"))
    assert {int(value) for value in np.unique(targets(said))} == {0, 1, 2}


def test_of_two_colours_without_black_the_rarer_is_scored_and_said_so(tmp_path: Path) -> None:
    """Red on white: white is the background, whichever code comes first."""
    masks = []
    for seed in range(4):
        mask = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
        mask[disc(seed)] = (255, 0, 0)
        masks.append(mask)
    collection = open_collection(write(tmp_path, list(masks)))
    assert [info.name for info in collection.classes] == ["colour ffffff", "colour ff0000"]
    assert "class 0, which scores leave out as the background, is colour ffffff" in collection.notes
    assert all((target == 1).mean() < 0.3 for target in targets(collection))


def test_of_two_labels_without_0_it_is_said_which_is_left_out(tmp_path: Path) -> None:
    collection = open_collection(write(tmp_path, [blocks(seed, 2) + 1 for seed in range(4)]))
    assert [info.name for info in collection.classes] == ["class 1", "class 2"]
    assert "class 0, which scores leave out as the background, is class 1" in collection.notes
