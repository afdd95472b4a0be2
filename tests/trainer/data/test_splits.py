"""Splits: official ones kept, groups never divided, the same seed the same splits."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import TrainConfig
from trainer.data.collection import ClassInfo, Collection, MaskCoding, Pair
from trainer.data.layouts import open_collection
from trainer.data.splits import (
    SPLITS,
    Splits,
    duplicates_across,
    join_duplicates,
    leaking_groups,
    make_splits,
)


def collection(*pairs: tuple[str, str, str | None]) -> Collection:
    """Return a collection of (name, group, official split)."""
    return Collection(
        root=Path("made-up"),
        layout="made-up",
        pairs=tuple(
            Pair(name=n, group=g, split=s, image=Path(n), mask=Path(n)) for n, g, s in pairs
        ),
        classes=(ClassInfo(name="a", colour=(0, 0, 0)), ClassInfo(name="b", colour=(1, 1, 1))),
        coding=MaskCoding(threshold=0),
    )


def cars(groups: int, views: int) -> Collection:
    return collection(
        *((f"{g:02d}_{v}", f"{g:02d}", None) for g in range(groups) for v in range(views))
    )


def animals(*images: int, views: int = 1) -> Collection:
    """Return images of a class each: so many of each class, ``views`` of them to a group."""
    pairs = [
        Pair(name=f"{n}_{i}", image=path, mask=path, group=f"{n}_{i // views}", layers=(n,))
        for n, number in enumerate(images)
        for i in range(number)
        if (path := Path(f"{n}_{i}"))
    ]
    return replace(cars(1, 1), pairs=tuple(pairs))


def of_each(names: tuple[str, ...], classes: int) -> list[int]:
    found = Counter(name.partition("_")[0] for name in names)
    return [found[str(n)] for n in range(classes)]


def groups_of(data: Collection, names: tuple[str, ...]) -> set[str]:
    return {pair.group for pair in data.pairs if pair.name in names}


def everything(splits: Splits) -> list[str]:
    return sorted([*splits.train, *splits.val, *splits.test])


def test_shares_are_of_the_groups() -> None:
    data = cars(20, 4)
    splits = make_splits(data, TrainConfig(val_fraction=0.15, test_fraction=0.1))
    assert [len(groups_of(data, splits.names(split))) for split in SPLITS] == [15, 3, 2]
    assert [len(splits.names(split)) for split in SPLITS] == [60, 12, 8]
    assert everything(splits) == sorted(pair.name for pair in data.pairs)


@pytest.mark.parametrize("seed", range(40))
def test_no_group_is_divided_whatever_is_asked(seed: int) -> None:
    groups, views = 2 + seed % 9, 1 + seed % 4
    data = cars(groups, views)
    config = TrainConfig(
        split_seed=seed,
        val_fraction=0.05 + 0.02 * seed,
        test_fraction=0.0 if seed % 3 == 0 else 0.1,
        folds=2 if seed % 2 and groups > 2 else None,
    )
    splits = make_splits(data, config)
    assert splits.train and splits.val
    assert leaking_groups(data, splits) == []
    assert everything(splits) == sorted(pair.name for pair in data.pairs)


def test_order_of_the_pairs_does_not_matter_and_the_seed_does() -> None:
    data = cars(20, 2)
    turned = Collection(**{**vars(data), "pairs": data.pairs[::-1]})
    assert make_splits(data, TrainConfig()) == make_splits(turned, TrainConfig())
    assert make_splits(data, TrainConfig()) != make_splits(data, TrainConfig(split_seed=1))
    # The training seed is another matter: repeats must see the same images.
    assert make_splits(data, TrainConfig()) == make_splits(data, TrainConfig(seed=7))


def test_two_pairs_train_and_validate() -> None:
    splits = make_splits(cars(2, 1), TrainConfig())
    assert [len(splits.names(split)) for split in SPLITS] == [1, 1, 0]


def test_three_groups_give_one_to_each_part() -> None:
    splits = make_splits(cars(3, 1), TrainConfig())
    assert [len(splits.names(split)) for split in SPLITS] == [1, 1, 1]


def test_one_group_is_refused_with_the_cure() -> None:
    with pytest.raises(ValueError, match=r"one group, .* has all of 5 images.*--group-by"):
        make_splits(cars(1, 5), TrainConfig())


def test_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no pair"):
        make_splits(collection(), TrainConfig())


def test_official_parts_are_kept_as_published() -> None:
    data = collection(("a", "a", "train"), ("b", "b", "val"), ("c", "c", "test"))
    assert make_splits(data, TrainConfig()) == Splits(train=("a",), val=("b",), test=("c",))


def test_official_train_and_val_leave_test_empty() -> None:
    data = collection(("a", "a", "train"), ("b", "b", "train"), ("c", "c", "val"))
    assert make_splits(data, TrainConfig()) == Splits(train=("a", "b"), val=("c",))


def test_validation_is_carved_from_official_training_by_group() -> None:
    training = [(f"{g}{v}", g, "train") for g in "abcdefghij" for v in range(3)]
    data = collection(*training, ("t", "t", "test"))
    splits = make_splits(data, TrainConfig(val_fraction=0.2))
    assert splits.test == ("t",)
    assert [len(splits.train), len(splits.val)] == [24, 6]
    assert leaking_groups(data, splits) == []


def test_one_official_training_image_leaves_the_test_part_to_validate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = collection(("21", "21", "train"), ("01", "01", "test"))
    assert make_splits(data, TrainConfig()) == Splits(train=("21",), val=("01",))
    assert "test split validates" in caplog.text


def test_images_outside_the_official_lists_are_left_out_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = collection(("a", "a", "train"), ("b", "b", "val"), ("c", "c", None))
    assert "c" not in everything(make_splits(data, TrainConfig()))
    assert "1 image is in no list" in caplog.text and "such as c" in caplog.text


def test_an_official_split_that_divides_groups_is_kept_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = collection(("a1", "a", "train"), ("a2", "a", "val"))
    splits = make_splits(data, TrainConfig())
    assert leaking_groups(data, splits) == ["a"]
    assert "divides 1 group," in caplog.text


def test_only_official_training_is_no_split() -> None:
    data = collection(*((str(i), str(i), "train") for i in range(10)))
    splits = make_splits(data, TrainConfig(val_fraction=0.2, test_fraction=0.2))
    assert [len(splits.names(split)) for split in SPLITS] == [6, 2, 2]


def test_folds_validate_every_group_once_and_share_the_test_part() -> None:
    data = cars(11, 2)
    config = TrainConfig(folds=4, test_fraction=0.2)
    folds = [make_splits(data, config.replace(fold=fold)) for fold in range(4)]
    assert len({splits.test for splits in folds}) == 1
    assert len(folds[0].test) == 4  # round(0.2 x 11 groups) = 2 groups of 2 views
    validated = sorted(name for splits in folds for name in splits.val)
    assert validated == sorted(set(everything(folds[0])) - set(folds[0].test))
    assert {len(splits.val) for splits in folds} == {4, 6}  # 9 groups in 4 folds
    for splits in folds:
        assert leaking_groups(data, splits) == []


def test_folds_of_an_official_split_keep_its_test_part() -> None:
    data = collection(
        *((f"t{i}", f"t{i}", "train") for i in range(4)),
        *((f"v{i}", f"v{i}", "val") for i in range(2)),
        ("x", "x", "test"),
    )
    folds = [make_splits(data, TrainConfig(folds=3, fold=fold)) for fold in range(3)]
    assert {splits.test for splits in folds} == {("x",)}
    assert sorted(n for s in folds for n in s.val) == ["t0", "t1", "t2", "t3", "v0", "v1"]


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="folds: 5 is more than the 3 groups"):
        make_splits(cars(3, 4), TrainConfig(folds=5))


def test_a_fraction_takes_whole_groups_but_for_the_last() -> None:
    data = cars(40, 4)
    whole = make_splits(data, TrainConfig())
    tenth = make_splits(data, TrainConfig(fraction=0.1))
    fifth = make_splits(data, TrainConfig(fraction=0.2))
    assert (tenth.val, tenth.test) == (whole.val, whole.test)
    assert len(tenth.train) == round(0.1 * len(whole.train)) == 11
    assert len(groups_of(data, tenth.train)) == 3  # 4 + 4 + 3 images
    assert set(tenth.train) < set(fifth.train) < set(whole.train)
    assert make_splits(data, TrainConfig(fraction=0.1)) == tenth


def test_the_smallest_fraction_leaves_one_image() -> None:
    assert len(make_splits(cars(5, 2), TrainConfig(fraction=1e-6)).train) == 1


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 99))
def test_each_class_has_its_share_of_every_split(images: list[int], seed: int) -> None:
    total, classes = sum(images), len(images)
    data, config = animals(*images), TrainConfig(split_seed=seed)
    splits = make_splits(data, config)
    assert everything(splits) == sorted(pair.name for pair in data.pairs)
    for names in (splits.train, splits.val, splits.test):
        for own, number in zip(of_each(names, classes), images, strict=True):
            # Where the classes end at one place, a split takes some of them and not the others.
            assert abs(own - number * len(names) / total) < (1 if classes == 2 else 2)
    learnt = of_each(splits.train, classes)
    assert all(own for own, number in zip(learnt, images, strict=True) if number >= 3)
    half = make_splits(data, config.replace(fraction=0.5)).train
    for own, number in zip(of_each(half, classes), learnt, strict=True):
        assert abs(own - number * len(half) / len(splits.train)) < 2


@given(st.lists(st.integers(5, 40), min_size=2, max_size=6), st.integers(2, 5))
def test_each_class_has_its_share_of_every_fold(images: list[int], count: int) -> None:
    config = TrainConfig(folds=count, test_fraction=0)
    folds = [make_splits(animals(*images), config.replace(fold=fold)) for fold in range(count)]
    for splits in folds:
        for own, number in zip(of_each(splits.val, len(images)), images, strict=True):
            assert abs(own - number / count) < 1


def test_groups_of_a_class_stay_whole() -> None:
    data = animals(60, 20, views=4)
    splits = make_splits(data, TrainConfig(val_fraction=0.2, test_fraction=0.2))
    assert leaking_groups(data, splits) == []
    assert [of_each(splits.names(split), 2) for split in SPLITS] == [[36, 12], [12, 4], [12, 4]]


def test_stored_and_read_again() -> None:
    splits = make_splits(cars(9, 2), TrainConfig())
    assert Splits.from_json(splits.to_json()) == splits
    with pytest.raises(ValueError, match="train, val, test"):
        Splits.from_json({"train": ["a"]})
    with pytest.raises(ValueError, match="'a' is listed twice"):
        Splits(train=("a",), val=("a",))
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        splits.names("valid")


def test_equal_images_in_different_splits_are_named() -> None:
    splits = Splits(train=("a", "b", "c"), val=("d", "e"), test=("f",))
    content = {"a": "1", "b": "2", "c": "2", "d": "1", "e": "3", "f": "3"}
    assert duplicates_across(splits, content) == [("a", "d"), ("e", "f")]
    assert splits.without(["a", "e"]) == Splits(train=("b", "c"), val=("d",), test=("f",))


def test_equal_images_are_one_group_in_a_chain() -> None:
    data = collection(*((name, name[0], None) for name in ("a1", "a2", "b1", "b2", "c1", "d1")))
    content = {"a1": "1", "a2": "2", "b1": "2", "b2": "3", "c1": "3", "d1": "4"}
    joined = join_duplicates(data, content)
    assert [pair.group for pair in joined.pairs] == ["a", "a", "a", "a", "a", "d"]
    assert join_duplicates(data, {name: name for name in content}) is data


def test_no_car_of_carvana_is_in_two_parts(real_data) -> None:
    data = open_collection(real_data("carvana_480"))
    splits = make_splits(data, TrainConfig())
    car = {pair.name: Path(pair.image).name.split("_")[0] for pair in data.pairs}
    of_splits = [{car[name] for name in splits.names(split)} for split in SPLITS]
    assert [len(split) for split in of_splits] == [38, 8, 8]
    assert len(set.union(*of_splits)) == 38 + 8 + 8
    assert len(everything(splits)) == 856


def test_official_splits_of_real_sets(real_data, caplog: pytest.LogCaptureFixture) -> None:
    def sizes(name: str) -> list[int]:
        splits = make_splits(open_collection(real_data(name)), TrainConfig())
        return [len(splits.names(split)) for split in SPLITS]

    with caplog.at_level(logging.WARNING):
        assert sizes("camvid") == [30, 8, 10]
        assert sizes("voc2012") == [41, 29, 0]
        assert sizes("water_bodies") == [15, 5, 0]
        assert sizes("oxford_pets") == [15, 3, 11]  # 18 trainval, of which 15 % validate
        assert sizes("drive") == [1, 1, 0]
    assert "Abyssinian_82" in caplog.text
