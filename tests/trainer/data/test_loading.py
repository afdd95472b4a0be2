"""Opening a data set and making batches: repeatable, whole, and free of leaks."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainer.config import TrainConfig
from trainer.data.collection import VOID
from trainer.data.files.reading import read_pair
from trainer.data.geometry import resize_image, resize_target
from trainer.data.loading import Batch, SegmentationData, open_data
from trainer.data.splits import SPLITS, Splits

pytestmark = pytest.mark.usefixtures("store")

BASE = TrainConfig(image_size=(16, 24), batch_size=4, val_fraction=0.3, test_fraction=0.2)


def config(root: Path, **changes: object) -> TrainConfig:
    return BASE.replace(data=str(root), **changes)


def opened(root: Path, **changes: object) -> SegmentationData:
    return open_data(config(root, **changes), progress=False)


def joined(batches: Iterable[Batch]) -> Batch:
    return Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def trained(data: SegmentationData, epoch: int, workers: int = 0, seed: int = 3) -> Batch:
    return joined(
        data.batches(
            "train",
            batch_size=4,
            epoch=epoch,
            seed=seed,
            shuffle=True,
            augment=True,
            workers=workers,
        )
    )


def test_a_batch_is_what_reading_and_resizing_gives(make_cars) -> None:
    data = opened(make_cars())
    (pairs, whole) = (
        {pair.name: pair for pair in data.collection.pairs},
        list(data.batches("val", batch_size=4)),
    )
    assert [len(batch.indices) for batch in whole] == [4, 2]  # the last one smaller, not dropped
    for batch in whole:
        size = len(batch.indices)
        assert batch.images.shape == (size, 3, 16, 24) and batch.images.dtype == torch.uint8
        assert batch.targets.shape == (size, 16, 24) and batch.targets.dtype == torch.uint8
        assert batch.indices.dtype == torch.int64
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        for row, index in enumerate(batch.indices.tolist()):
            image, target = read_pair(pairs[data.names("val")[index]], data.collection.coding)
            expected = resize_image(image, (16, 24))
            np.testing.assert_array_equal(batch.images[row].permute(1, 2, 0).numpy(), expected)
            np.testing.assert_array_equal(data.image("val", index), expected)
            coded = resize_target(target, (16, 24))
            np.testing.assert_array_equal(batch.targets[row].numpy(), coded)
            np.testing.assert_array_equal(data.target("val", index), coded)
    assert sorted(joined(whole).indices.tolist()) == list(range(data.size("val")))


def test_every_image_comes_once_an_epoch_in_another_order(make_cars) -> None:
    data = opened(make_cars())
    orders = [trained(data, epoch).indices.tolist() for epoch in (1, 2, 3)]
    assert all(sorted(order) == list(range(data.size("train"))) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("geometry", ["resize", "random-crop"])
def test_workers_change_nothing_and_epochs_and_seeds_do(make_cars, geometry: str) -> None:
    data = opened(make_cars(cars=8), augment="strong", geometry=geometry)
    expected = [trained(data, epoch) for epoch in (1, 2, 3)]
    for workers in (1, 2):  # the same workers throughout: they stay from epoch to epoch
        for epoch in (1, 2, 3):
            assert equal(trained(data, epoch, workers), expected[epoch - 1]), (workers, epoch)
    by_index = [batch.images[batch.indices.argsort()] for batch in expected]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = (by_index[one] == by_index[other]).flatten(1).all(dim=1)
        assert same.float().mean() < 0.3  # all of it where workers repeat themselves
    assert not equal(trained(data, 1, seed=4), expected[0])


def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(make_cars) -> None:
    root = make_cars()
    whole = [trained(opened(root, augment="light"), epoch) for epoch in (1, 2, 3)]
    splits = Splits.from_json(json.loads(json.dumps(opened(root).splits.to_json())))
    again = open_data(config(root, augment="light"), splits=splits, progress=False)
    assert equal(trained(again, 3, workers=2), whole[2])


def test_epochs_made_ahead_keep_their_own_order(make_cars) -> None:
    data = opened(make_cars())
    both = [
        data.batches("train", batch_size=4, epoch=epoch, shuffle=True, workers=1)
        for epoch in (1, 2)
    ]
    first, second = (joined(batches).indices.tolist() for batches in both)
    assert first != second
    assert joined(both[0]).indices.tolist() == first


def test_workers_leave_torch_s_random_numbers_alone(make_cars) -> None:
    data = opened(make_cars())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for epoch in (1, 2):
        trained(data, epoch, workers=1)
    assert torch.equal(torch.rand(3), expected)


def test_an_epoch_dropped_half_way_leaves_the_next_one_whole(make_cars) -> None:
    data = opened(make_cars())
    expected = trained(data, 2)
    for _ in data.batches(
        "train", batch_size=4, epoch=1, seed=3, shuffle=True, augment=True, workers=2
    ):
        break
    assert equal(trained(data, 2, workers=2), expected)


def test_augmentation_is_for_training_alone(make_cars) -> None:
    data = opened(make_cars(), augment="strong", augment_probability=1.0)
    plain = joined(data.batches("train", batch_size=4))
    assert equal(plain, joined(opened(Path(data.config.data or "")).batches("train", batch_size=4)))
    assert not torch.equal(
        joined(data.batches("train", batch_size=4, augment=True)).images, plain.images
    )


def test_random_crops_are_windows_of_the_image(make_cars) -> None:
    data = opened(make_cars(size=(40, 60)), geometry="random-crop")
    batch = trained(data, 1)
    assert batch.images.shape[2:] == (16, 24)
    corners = set()
    for image, target, index in zip(*batch, strict=True):
        whole, coded = data.images.read(data.items("train").rows[index])
        windows = np.lib.stride_tricks.sliding_window_view(whole, (16, 24, 3))[:, :, 0]
        found = np.argwhere((windows == image.permute(1, 2, 0).numpy()).all(axis=(2, 3, 4)))
        assert len(found) == 1
        top, left = found[0]
        corners.add((int(top), int(left)))
        np.testing.assert_array_equal(target.numpy(), coded[top : top + 16, left : left + 24])
    assert len(corners) > 5


def test_five_crops_make_five_items_of_an_image(make_cars) -> None:
    data = opened(make_cars(size=(40, 60)), geometry="five-crop")
    batch = trained(data, 1)
    images = data.size("train")
    assert len(batch.indices) == 5 * images
    assert torch.bincount(batch.indices).tolist() == [5] * images
    whole = data.images.read(data.items("train").rows[0])[0]
    ours = {
        image.permute(1, 2, 0).numpy().tobytes()
        for image, index in zip(batch.images, batch.indices, strict=True)
        if index == 0
    }
    corners = [(0, 0), (0, 36), (24, 0), (24, 36), (12, 18)]
    assert ours == {whole[t : t + 16, le : le + 24].tobytes() for t, le in corners}


@pytest.mark.parametrize("geometry", ["pad", "random-crop", "five-crop"])
def test_validation_sees_whole_images_whoever_shares_the_batch(make_cars, geometry: str) -> None:
    sizes = [(31, 47), (40, 20), (32, 48), (9, 9)]
    root = make_cars(size=lambda number: sizes[number % 4])
    data = opened(root, geometry=geometry, depth=3)
    seen = []
    for batch in data.batches("val", batch_size=4):
        height, width = batch.targets.shape[1:]
        assert height % 8 == 0 and width % 8 == 0
        for image, target, index in zip(*batch, strict=True):
            seen.append(int(index))
            whole, coded = data.images.read(data.items("val").rows[index])
            inside = slice(None, coded.shape[0]), slice(None, coded.shape[1])
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy()[inside], whole)
            np.testing.assert_array_equal(target.numpy()[inside], coded)
            assert (target == VOID).sum() == target.numel() - coded.size
            # Padded for the network alone, never to the size of others in the batch.
            assert (height - coded.shape[0], width - coded.shape[1]) < (8, 8)
            np.testing.assert_array_equal(data.target("val", int(index)), target.numpy())
    assert sorted(seen) == list(range(data.size("val")))


def test_whole_images_in_a_batch_take_no_more_room_than_its_crops(make_cars) -> None:
    data = opened(make_cars(size=(32, 48)), geometry="random-crop")
    assert {len(b.indices) for b in data.batches("val", batch_size=8)} == {2}  # 8 / (2 x 2)
    assert {len(b.indices) for b in data.batches("val", batch_size=1)} == {1}


def test_training_pads_a_mixed_batch_to_its_largest(make_cars) -> None:
    data = opened(make_cars(size=lambda n: (20 + 8 * (n % 3), 24)), geometry="pad", depth=2)
    batch = next(iter(data.batches("train", batch_size=9, shuffle=True)))
    assert batch.targets.shape[1:] == (36, 24)
    for target, index in zip(batch.targets, batch.indices, strict=True):
        height, width = data.images.size(data.items("train").rows[index])
        assert (target[:height, :width] != VOID).all()
        assert (target[height:] == VOID).all()


def test_statistics_are_of_the_training_images_alone(make_cars) -> None:
    root = make_cars()
    data = opened(root)
    images = joined(data.batches("train", batch_size=4))
    values = images.images.double() / 255
    assert data.mean == pytest.approx(values.mean(dim=(0, 2, 3)).tolist(), abs=1e-9)
    assert data.std == pytest.approx(values.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-9)
    assert data.class_pixels.tolist() == torch.bincount(images.targets.flatten()).tolist()
    names = tuple(pair.name for pair in data.collection.pairs)
    tested = Splits(train=(), val=(), test=names)
    everything = open_data(config(root), splits=tested, progress=False)
    assert everything.class_pixels.sum() > data.class_pixels.sum()
    assert data.class_weights("none") is None
    weights = data.class_weights("median-frequency")
    assert weights is not None and weights[1] > weights[0]


def test_what_a_run_stores_of_its_data(make_cars) -> None:
    data = opened(make_cars())
    stored = json.loads(json.dumps(data.to_json()))
    assert stored["layout"] == "carvana" and stored["pairs"] == 18
    assert stored["digest"] == data.digest == opened(Path(stored["root"]), cache="ram").digest
    assert [c["name"] for c in stored["classes"]] == list(data.class_names)
    assert stored["class_pixels"] == data.class_pixels.tolist()


def spoil(root: Path, number: int) -> Path:
    path = sorted((root / "train").iterdir())[number]
    path.write_bytes(path.read_bytes()[:100])
    return path


def test_faulty_data_is_refused_by_name_and_number(make_cars) -> None:
    root = make_cars(cars=8)
    spoiled = [spoil(root, number) for number in range(12)]
    with pytest.raises(ValueError, match=r"has 12 faults; .*--skip-faulty") as refused:
        opened(root)
    message = str(refused.value)
    assert all(path.name in message for path in spoiled[:10])
    assert spoiled[10].name not in message and "and 2 more" in message


def test_faulty_pairs_are_left_out_when_asked_and_logged(
    make_cars, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_cars()
    sound = opened(root).digest
    spoiled = spoil(root, 4)
    (root / "train_masks" / "ffffffffffff_01_mask.gif").write_bytes(b"an orphan")
    with caplog.at_level(logging.WARNING):
        data = opened(root, skip_faulty=True)
    assert data.left_out == (spoiled.stem,)
    assert spoiled.name in caplog.text
    assert spoiled.stem not in [*data.splits.train, *data.splits.val, *data.splits.test]
    assert len(data.collection.pairs) == 17
    assert data.digest != sound
    joined(data.batches("train", batch_size=4))


def test_all_faulty_is_refused_even_then(make_cars) -> None:
    root = make_cars(cars=2, views=1)
    for number in range(2):
        spoil(root, number)
    with pytest.raises(ValueError, match=r"every pair of .* is faulty"):
        opened(root, skip_faulty=True)


def test_equal_images_stay_together_in_a_seeded_split(make_cars) -> None:
    root = make_cars(cars=12, views=1)
    paths = sorted((root / "train").iterdir())
    for copy in paths[1:6]:
        Image.open(paths[0]).save(copy.with_suffix(".png"))  # equal pixels, another file
        copy.unlink()
    for seed in range(8):
        splits = opened(root, split_seed=seed).splits
        names = {path.stem for path in paths[:6]}
        holding = {split for split in SPLITS if names & set(splits.names(split))}
        assert len(holding) == 1


def test_equal_images_across_an_official_split_are_named(make_cars, tmp_path: Path) -> None:
    root = tmp_path / "camvid"
    random = np.random.default_rng(0)
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        (root / part).mkdir(parents=True)
        (root / f"{part}annot").mkdir()
        for number in range(count):
            image = random.integers(0, 256, (16, 24, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / part / f"{part}_{number}.png")
            mask = random.integers(0, 3, (16, 24), dtype=np.uint8)
            Image.fromarray(mask).save(root / f"{part}annot" / f"{part}_{number}.png")
    copied = (root / "test" / "test_1.png").read_bytes()
    (root / "train" / "train_2.png").write_bytes(copied)
    with pytest.raises(ValueError, match=r"1 image stands in two splits.*\n.*train_2.*test_1"):
        opened(root)
    data = opened(root, skip_faulty=True)
    assert len(data.splits.train) == 3 and len(data.splits.test) == 2
    assert len(data.left_out) == 1 and "train_2" in data.left_out[0]


def test_a_stored_split_of_other_data_is_refused(make_cars) -> None:
    splits = Splits(train=("elsewhere_1",), val=("elsewhere_2",))
    with pytest.raises(ValueError, match=r"2 images of the splits are not in .*'elsewhere_1'"):
        open_data(config(make_cars()), splits=splits, progress=False)


def test_tiny_and_odd_sets_work(make_cars) -> None:
    two = opened(make_cars(cars=2, views=1, size=(7, 9)), geometry="pad")
    assert [two.size(part) for part in ("train", "val", "test")] == [1, 1, 0]
    assert list(two.batches("test", batch_size=4)) == []
    assert trained(two, 1).images.shape == (1, 3, 16, 16)
    small = opened(make_cars(size=(7, 9), folder="small"), geometry="random-crop")
    assert trained(small, 1).images.shape[2:] == (16, 24)  # padded up to the crop


@pytest.mark.slow
def test_no_car_of_carvana_leaks_and_its_numbers_are_right(real_data) -> None:
    data = open_data(TrainConfig(data=str(real_data("carvana_480"))), progress=False)
    cars = [{name.split("_")[0] for name in data.names(p)} for p in ("train", "val", "test")]
    assert not (cars[0] & cars[1] or cars[0] & cars[2] or cars[1] & cars[2])
    assert sum(data.size(part) for part in ("train", "val", "test")) == 856
    share = data.class_pixels[1] / data.class_pixels.sum()
    assert 0.18 < share < 0.24  # "about 21 % of the pixels are car"
    batch = next(iter(data.batches("val", batch_size=16)))
    assert set(batch.targets.unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("camvid", {*range(11), VOID}),
        ("drive", {0, 1, VOID}),
        ("oxford_pets", {0, 1, VOID}),
        ("isbi_membrane", {0, 1}),
        ("kvasir_seg", {0, 1}),
        ("carvana_tiny", {0, 1}),
    ],
)
def test_real_sets_reach_the_network(real_data, name: str, labels: set[int]) -> None:
    data = open_data(
        TrainConfig(data=str(real_data(name)), image_size=(64, 64), augment="light"),
        progress=False,
    )
    batch = joined(data.batches("train", batch_size=4))
    assert batch.images.shape == (data.size("train"), 3, 64, 64)
    assert set(batch.targets.unique().tolist()) <= labels
    assert set(batch.targets.unique().tolist()) >= {0, 1}


def test_a_link_to_nothing_is_refused_or_left_out(make_cars) -> None:
    root = make_cars()
    lost = sorted((root / "train").iterdir())[0]
    lost.unlink()
    lost.symlink_to(root / "elsewhere.jpg")
    with pytest.raises(ValueError, match=rf"has 1 fault; .*{lost.name}: is a link to nothing"):
        opened(root)
    assert opened(root, skip_faulty=True).left_out == (lost.stem,)
