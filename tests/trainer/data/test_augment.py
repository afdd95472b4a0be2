"""Augmentation: image and mask alike, seeded by item, and files that can run nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from trainer.catalogue.data import AUGMENTATIONS, Preset
from trainer.data import augment as augmentations
from trainer.data.augment import REFUSED, Augment

PRESETS = [name for name in AUGMENTATIONS if name != "none"]


def build_augmentation(name: str, probability: float) -> Augment:
    """Return the named augmentation with this probability, where it has one."""
    return augmentations.build_augmentation(name, Preset(augment_probability=probability))


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel is 250 exactly where the target is 1."""
    target = np.zeros((48, 64), np.uint8)
    target[8:20, 10:30] = 1
    target[40:44, 50:60] = 255
    image = np.full((48, 64, 3), 30, np.uint8)
    image[target == 1] = (250, 30, 30)
    return image, target


@pytest.mark.parametrize("name", PRESETS)
def test_the_seed_alone_decides(name: str, pair) -> None:
    first, second = build_augmentation(name, 0.5), build_augmentation(name, 0.5)
    made = [first(*pair, (3, 0, 1, item)) for item in range(12)]
    for item in reversed(range(12)):  # another order, another object
        again = second(*pair, (3, 0, 1, item))
        for a, b in zip(made[item], again, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len({image.tobytes() for image, _ in made}) > 3


@pytest.mark.parametrize("name", PRESETS)
def test_shapes_types_and_labels_stay(name: str, pair) -> None:
    augment = build_augmentation(name, 1.0)
    before = [array.copy() for array in pair]
    for seed in range(15):
        image, target = augment(*pair, seed)
        assert (image.dtype, image.shape) == (np.uint8, (48, 64, 3))
        assert (target.dtype, target.shape) == (np.uint8, (48, 64))
        assert set(np.unique(target)) <= {0, 1, 255}
    for array, unchanged in zip(pair, before, strict=True):
        np.testing.assert_array_equal(array, unchanged)


def test_read_only_arrays_will_do(pair) -> None:
    image, target = (array.copy() for array in pair)
    image.flags.writeable = target.flags.writeable = False
    build_augmentation("strong", 1.0)(image, target, 0)


@pytest.mark.parametrize("name", ["flips", "light"])
def test_image_and_target_move_together(name: str, pair) -> None:
    augment = build_augmentation(name, 0.7)
    for seed in range(20):
        image, target = augment(*pair, seed)
        red = image[..., 0].astype(int) - image[..., 1] > 100
        differing = (red != (target == 1)) & (target != 255)
        assert differing.mean() < 0.02  # the blurred rim of a rotated square


def test_flips_happen_as_often_as_asked_and_independently(pair) -> None:
    augment = build_augmentation("flips", 0.3)
    image, target = pair
    wanted = {
        "none": target,
        "left-right": target[:, ::-1],
        "up-down": target[::-1],
        "both": target[::-1, ::-1],
    }
    counts = dict.fromkeys(wanted, 0)
    for seed in range(1000):
        made = augment(image, target, (seed, 5))[1]
        (name,) = [name for name, flipped in wanted.items() if np.array_equal(made, flipped)]
        counts[name] += 1
    # Seeding every transform alike would make both flips happen together: 300 and 0, 0.
    expected = {"none": 490, "left-right": 210, "up-down": 210, "both": 90}
    for name, count in counts.items():
        assert abs(count - expected[name]) < 60, counts


@pytest.mark.parametrize("name", ["light", "report-4", "report-2", "strong"])
def test_what_comes_in_from_outside_is_void(name: str) -> None:
    image, target = np.full((48, 64, 3), 200, np.uint8), np.ones((48, 64), np.uint8)
    augment = build_augmentation(name, 1.0)
    made = [augment(image, target, seed)[1] for seed in range(10)]
    assert {value for target in made for value in np.unique(target)} == {1, 255}


def test_probability_nought_changes_nothing(pair) -> None:
    for name in AUGMENTATIONS:
        image, target = build_augmentation(name, 0.0)(*pair, 7)
        np.testing.assert_array_equal(image, pair[0])
        np.testing.assert_array_equal(target, pair[1])


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown augment 'flip'.*did you mean 'flips'"):
        build_augmentation("flip", 0.5)
    with pytest.raises(ValueError, match=r"missing.yaml: cannot be read"):
        build_augmentation(str(tmp_path / "missing.yaml"), 0.5)


def pipeline_file(folder: Path, *transforms: dict, **options: object) -> str:
    path = folder / "pipeline.yaml"
    whole = {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(transforms), **options}
    path.write_text(yaml.safe_dump({"__version__": "2.0.8", "transform": whole}))
    return str(path)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_written_to_a_file_is_the_same_pipeline(name: str, tmp_path: Path, pair) -> None:
    path = tmp_path / "preset.yaml"
    path.write_text(augmentations.written_augmentation(name, Preset(augment_probability=0.6)) or "")
    made, expected = (build_augmentation(n, 0.6) for n in (str(path), name))
    for seed in range(6):
        for a, b in zip(made(*pair, seed), expected(*pair, seed), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_files_masks_are_nearest_and_its_border_void(tmp_path: Path) -> None:
    rotate = {"__class_fullname__": "Rotate", "p": 1.0, "limit": [30, 31]}
    rotate |= {"mask_interpolation": 2, "fill_mask": 0.0, "border_mode": 0}
    augment = build_augmentation(pipeline_file(tmp_path, rotate), 0.5)
    target = np.ones((40, 40), np.uint8)
    target[10:30, 10:30] = 9
    made = augment(np.zeros((40, 40, 3), np.uint8), target, 0)[1]
    assert set(np.unique(made)) == {1, 9, 255}


def test_a_lone_transform_is_a_pipeline(tmp_path: Path, pair) -> None:
    path = tmp_path / "flip.yaml"
    path.write_text("transform: {__class_fullname__: HorizontalFlip, p: 1.0}\n")
    made = build_augmentation(str(path), 0.5)(*pair, 0)[1]
    np.testing.assert_array_equal(made, pair[1][:, ::-1])


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_transforms_say_why_however_deep(name: str, tmp_path: Path) -> None:
    inner = {"__class_fullname__": name, "p": 1.0}
    outer = {"__class_fullname__": "OneOf", "p": 1.0, "transforms": [inner]}
    with pytest.raises(ValueError, match=f"pipeline.yaml: {name} is not allowed: it "):
        build_augmentation(pipeline_file(tmp_path, outer), 0.5)


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "Nonsense", "builtins.eval"])
def test_only_transforms_of_albumentations_are_made(name: str, tmp_path: Path) -> None:
    path = pipeline_file(tmp_path, {"__class_fullname__": name, "p": 1.0, "args": "true"})
    with pytest.raises(ValueError, match="is no transform of albumentations"):
        build_augmentation(path, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "transform: !!python/object/apply:os.mkdir ['{proof}']\n",
        "!!python/object/new:os.mkdir ['{proof}']\n",
        "transform:\n  __class_fullname__: Lambda\n  __name__: x\n  p: 1\n",
        "transform: {{__class_fullname__: Compose, transforms: [[1]]}}\n",
        "transform: {{__class_fullname__: Compose, transforms: [{{p: 1}}]}}\n",
        "transform: {{__class_fullname__: BasicTransform, p: 1}}\n",
        "transform: {{__class_fullname__: Rotate, p: 1, nonsense: [}}\n",
        "transform: &a {{__class_fullname__: OneOf, p: 1, transforms: [*a]}}\n",
        "just text\n",
        "",
    ],
)
def test_a_hostile_or_broken_file_is_one_clear_error(text: str, tmp_path: Path) -> None:
    path, proof = tmp_path / "hostile.yaml", tmp_path / "proof"
    path.write_text(text.format(proof=proof))
    with pytest.raises(ValueError, match=r"^augment: .*hostile.yaml"):
        build_augmentation(str(path), 0.5)
    assert not proof.exists()


def test_a_pipeline_that_breaks_the_pair_is_refused_at_the_first_item(tmp_path: Path, pair) -> None:
    gray = {"__class_fullname__": "ToGray", "p": 1.0, "num_output_channels": 1}
    with pytest.raises(ValueError, match=r"image uint8 \(48, 64\) .*must stay uint8"):
        build_augmentation(pipeline_file(tmp_path, gray), 0.5)(*pair, 0)


def test_albumentations_is_imported_only_when_asked_for() -> None:
    code = (
        "import sys, trainer.data.dataset, trainer.data.augment as a\n"
        "a.build_augmentation('none', 0.5)\n"
        "print([m for m in ('albumentations', 'torch', 'cv2', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("rotate_limt", "ShiftScaleRotate: unknown argument 'rotate_limt' .*did you mean 'rotate_"),
        ("mask_value", "ShiftScaleRotate: unknown argument 'mask_value'"),
    ],
)
def test_an_argument_that_albumentations_does_not_know_is_refused_by_name(
    tmp_path: Path, argument: str, said: str
) -> None:
    """It would warn, and go on with the default."""
    path = tmp_path / "slip.yaml"
    path.write_text(
        "transform:\n  __class_fullname__: Compose\n  p: 1.0\n  transforms:\n"
        f"  - {{__class_fullname__: ShiftScaleRotate, p: 1.0, {argument}: 7}}\n"
    )
    with pytest.raises(ValueError, match=said):
        build_augmentation(str(path), 0.5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("name", PRESETS)
def test_what_is_not_refused_takes_any_number_of_channels(name: str, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, channels), dtype=np.uint8)
    target = np.zeros((48, 64), np.uint8)
    settings = Preset(augment_probability=0.1)
    try:
        augmentations.check_augmentation(name, settings, (48, 64), channels)
    except ValueError as error:
        assert channels in (2, 4, 7) and name in ("report-2", "report-4", "strong")
        assert f"does not take images of {channels} channels; leave it out" in str(error)
        return
    augment = build_augmentation(name, 1.0)
    for seed in range(10):
        assert augment(image, target, seed)[0].shape == image.shape
