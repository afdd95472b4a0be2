"""Which class an image is of: found out, told, or refused with what decides."""

from pathlib import Path

import pytest

from tests.trainer.classification.animals import draw, drawn
from trainer.classification.config import ClassifyConfig
from trainer.classification.data import LabelledData
from trainer.classification.labels import open_labelled
from trainer.config.reading import Reading
from trainer.data.collection import Collection


def opened(path: Path, **reading: str) -> Collection:
    return open_labelled(path, Reading(**reading))  # type: ignore[arg-type]


def classes_of(collection: Collection) -> dict[str, str]:
    names = [info.name for info in collection.classes]
    return {pair.name: names[pair.whole or 0] for pair in collection.pairs}


def table(root: Path, *lines: str) -> Path:
    path = root / "labels.csv"
    path.write_text("\n".join(("image,class,split,group", *lines)), encoding="utf-8")
    return path


def data(path: Path, **changes: object) -> LabelledData:
    settings = {"image_size": (32, 40), "cache": "ram", **changes}
    return LabelledData.open(ClassifyConfig(data=str(path), **settings), progress=False)


def test_a_folder_is_a_class(tmp_path: Path) -> None:
    found = opened(draw(tmp_path, cats=2, dogs=1))
    assert classes_of(found) == {"cat/00.png": "cat", "cat/01.png": "cat", "dog/00.png": "dog"}
    assert {pair.split for pair in found.pairs} == {None}


def test_folders_of_a_split_hold_the_classes(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        draw(tmp_path / split, cats=1, dogs=1)
    (tmp_path / "train" / "bird").mkdir()
    drawn("cat", 7).save(tmp_path / "train" / "loose.png")
    found = opened(tmp_path)
    assert [info.name for info in found.classes] == ["cat", "dog"]
    assert {pair.split for pair in found.pairs} == {"train", "val"}
    assert "no image in train/bird/" in found.notes
    assert "not used: 1 image in no class's folder, such as loose.png" in found.notes


def test_the_pets_list_says_the_species_and_its_split(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations" / "trimaps").mkdir(parents=True)
    names = ["Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2"]
    for number, name in enumerate([*names, "stray_1"]):
        drawn("cat", number).save(tmp_path / "images" / f"{name}.jpg")
        drawn("cat", number).save(tmp_path / "annotations" / "trimaps" / f"{name}.png")
    rows = [f"{n} {1 + i // 2} {1 + i // 2} 1" for i, n in enumerate([*names[:3], "beagle_2"])]
    listed = "\n".join(["#Image CLASS-ID SPECIES BREED ID", *rows, "beagle_3 2 2 1"])
    (tmp_path / "annotations" / "list.txt").write_text(listed)
    (tmp_path / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_1 2 2 1\n")
    (tmp_path / "annotations" / "test.txt").write_text("Abyssinian_2 1 1 1\nbeagle_2 2 2 1\n")
    found = opened(tmp_path)
    assert classes_of(found) == dict(zip(names, ["cat", "cat", "dog", "dog"], strict=True))
    assert {pair.name: pair.split for pair in found.pairs}["Abyssinian_2"] == "test"
    assert any("stray_1" in note for note in found.notes)
    assert [fault.path.name for fault in found.faults] == ["beagle_3"]
    (tmp_path / "annotations" / "list.txt").write_text("Abyssinian_1 1 3 1")
    with pytest.raises(ValueError, match=r"list.txt, line 1: wants image, breed and species"):
        opened(tmp_path)


def test_a_table_names_class_split_and_group(tmp_path: Path) -> None:
    draw(tmp_path, cats=2, dogs=1)
    rows = ("cat/00.png,tabby,train,a", "cat/01.png,tabby,val,a", "dog/00.png,hound,test,")
    found = opened(table(tmp_path, *rows))
    assert classes_of(found)["dog/00.png"] == "hound"
    assert [(p.split, p.group) for p in found.pairs] == [
        ("train", "a"),
        ("val", "a"),
        ("test", "dog/00.png"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("cat/00.png,dog,,", r"lines 2 and 4 name cat/00.png: 'cat' and 'dog'"),
        ("cat/01.png,,,", "line 4: has no class"),
        (",cat,,", "line 4: has no image"),
        ("cat/01.png,cat,holdout,", "split 'holdout' is not train, val or test"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, row: str, said: str) -> None:
    draw(tmp_path, cats=2, dogs=1)
    with pytest.raises(ValueError, match=said):
        opened(table(tmp_path, "cat/00.png,cat,,", "dog/00.png,dog,,", row))


def test_an_image_that_a_table_names_and_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    draw(tmp_path, cats=8, dogs=8)
    rows = [f"{name}/{n:02d}.png,{name},," for name in ("cat", "dog") for n in range(9)]
    with pytest.raises(ValueError, match=r"2 faults.*missing image: labels.csv names it"):
        data(table(tmp_path, *rows))


def test_a_folder_that_can_be_read_in_two_ways_is_refused_with_what_decides(tmp_path: Path) -> None:
    path = table(draw(tmp_path, cats=1, dogs=1), "cat/00.png,a,,", "dog/00.png,b,,")
    with pytest.raises(ValueError, match=r"2 ways.*--layout folders, or --data .*labels\.csv"):
        opened(tmp_path)
    assert [info.name for info in opened(tmp_path, layout="folders").classes] == ["cat", "dog"]
    assert [info.name for info in opened(path).classes] == ["a", "b"]


@pytest.mark.parametrize("folders", [("images", "masks"), ("train/images", "train/masks")])
def test_images_and_masks_are_no_two_classes(tmp_path: Path, folders: tuple[str, str]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        drawn("cat", 1).save(tmp_path / folder / "1.png")
    with pytest.raises(ValueError, match=r"reads like images or masks.*--layout folders"):
        opened(tmp_path)
    assert len(opened(tmp_path, layout="folders").classes) == 2


def test_a_split_beside_a_class_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, cats=1, dogs=1)
    draw(tmp_path / "test", cats=1, dogs=1)
    with pytest.raises(ValueError, match=r"test/, which is a split, beside cat/"):
        opened(tmp_path)


def test_one_class_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="says which class an image is of"):
        opened(tmp_path)
    draw(tmp_path, cats=2, dogs=0)
    with pytest.raises(ValueError, match="1 class, 'cat'; 2 to 255"):
        opened(tmp_path)


def test_one_image_in_two_classes_is_refused_or_left_out_of_both(tmp_path: Path) -> None:
    draw(tmp_path, cats=8, dogs=8)
    drawn("cat", 3).save(tmp_path / "dog" / "copy.png")
    with pytest.raises(ValueError, match=r"2 faults.*one image in two classes") as error:
        data(tmp_path)
    assert "cat/03.png" in str(error.value) and "dog/copy.png" in str(error.value)
    assert sorted(data(tmp_path, skip_faulty=True).left_out) == ["cat/03.png", "dog/copy.png"]


def test_an_unreadable_image_is_refused_once_or_left_out(tmp_path: Path) -> None:
    draw(tmp_path, cats=8, dogs=8)
    (tmp_path / "dog" / "00.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1 fault;.*dog/00.png: is not an image"):
        data(tmp_path)
    assert data(tmp_path, skip_faulty=True).left_out == ("dog/00.png",)


def test_a_class_without_an_image_in_a_split_is_told(tmp_path: Path) -> None:
    draw(tmp_path / "train", cats=4, dogs=4)
    draw(tmp_path / "val", cats=2, dogs=0)
    for number in range(2):  # others than those of training
        drawn("cat", 500 + number).save(tmp_path / "val" / "cat" / f"{number:02d}.png")
    notes = data(tmp_path).notes()
    assert "val: cat 2, dog none" in notes
    assert any("'dog' is in no validation image" in note for note in notes)


def test_training_images_of_one_class_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "train", cats=4, dogs=0)
    draw(tmp_path / "val", cats=0, dogs=2)
    with pytest.raises(ValueError, match="training images are all of 'cat'"):
        data(tmp_path).check_scorable()


@pytest.mark.parametrize("augment", ["none", "strong"])
@pytest.mark.parametrize("geometry", ["resize", "pad", "five-crop"])
def test_a_batch_holds_the_class_of_each_image(tmp_path: Path, geometry: str, augment: str) -> None:
    size = {} if geometry == "pad" else {"image_size": (24, 24)}
    config = ClassifyConfig(
        data=str(draw(tmp_path, cats=6, dogs=4)), geometry=geometry, augment=augment, **size
    )
    opened_data = LabelledData.open(config.replace(cache="ram"), progress=False)
    names = opened_data.names("train")
    batches = opened_data.batches("train", batch_size=3, shuffle=True, augment=True)
    for batch in batches:
        assert batch.targets.shape == (len(batch.images), 1, 1)
        said = ["cat" if target == 0 else "dog" for target in batch.targets.flatten().tolist()]
        assert said == [names[index].split("/")[0] for index in batch.indices.tolist()]


def test_weights_of_the_classes_are_of_their_images(tmp_path: Path) -> None:
    found = data(draw(tmp_path, cats=20, dogs=10), test_fraction=0.0, val_fraction=0.1)
    cats, dogs = found.class_images("train")
    weights = found.class_weights("inverse")
    assert weights is not None
    assert weights == pytest.approx([(cats + dogs) / (2 * cats), (cats + dogs) / (2 * dogs)])


def test_another_label_is_another_data_set(tmp_path: Path) -> None:
    draw(tmp_path, cats=8, dogs=8)
    rows = [f"{name}/{n:02d}.png,{name},," for name in ("cat", "dog") for n in range(8)]
    before = data(table(tmp_path, *rows)).digest
    assert data(table(tmp_path, *rows)).digest == before
    assert data(table(tmp_path, *rows[:-1], rows[-1].replace(",dog", ",cat"))).digest != before
