"""What classes are called in the store."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name
from PIL import Image

from trainer.config import TrainConfig
from trainer.data.class_tables import find_table
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.per_image import read_parts
from trainer.tracking import get_run, metric_key
from trainer.tracking.class_names import CLASSES_TAG, class_keys, classes_tag, tagged_classes
from trainer.tracking.reading import histories
from trainer.training.fitting import fit

SIGNS = ["sky", "\U0001f697", "\U0001f6b2", "tree(1)", "tree[1]"]
# Few characters, so that names often come out alike; more of them, so that all kinds occur.
LIKE = st.text("a_+(./ 0", max_size=4)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.lists(LIKE | ANY, min_size=2, max_size=12, unique=True))
def test_no_two_classes_share_a_key_and_the_store_takes_each(classes: list[str]) -> None:
    keys = class_keys(classes)
    assert list(class_keys(classes).items()) == list(keys.items())
    assert set(keys) == set(classes)
    assert len(set(keys.values())) == len(classes)
    for name, key in keys.items():
        for stored in (f"val/iou/{key}", f"train/iou/{key}"):
            _validate_metric_name(stored)
            assert metric_key(stored) == stored and len(stored) <= 250
        if metric_key(name) == name and len(name) <= 200:
            assert key == name


def test_keys_of_names_that_come_out_alike_have_their_index() -> None:
    assert list(class_keys(SIGNS).values()) == ["sky", "_.1", "_.2", "tree_1_.3", "tree_1_.4"]
    assert class_keys(["car+", "car_", "car-"]) == {
        "car+": "car_.0",
        "car_": "car_",
        "car-": "car-",
    }
    assert class_keys(["a+", "a(", "a_.0"]) == {"a+": "a_.0.0", "a(": "a_.1", "a_.0": "a_.0"}
    long = class_keys(["x" * 300, "x" * 299 + "y"])
    assert list(long.values()) == ["x" * 200 + ".0", "x" * 200 + ".1"]


@given(st.lists(ANY, min_size=2, max_size=40))
def test_the_tag_gives_the_names_back_or_is_left_out(classes: list[str]) -> None:
    tag = classes_tag(classes)
    if tag:
        assert tagged_classes(tag[CLASSES_TAG]) == classes
    else:
        assert len(json.dumps(classes, ensure_ascii=False)) > 5000


@pytest.mark.parametrize("stored", [None, float("nan"), "", "[1, ", '{"a": 1}'])
def test_what_is_no_list_of_names_names_nothing(stored: object) -> None:
    assert tagged_classes(stored) == []


def test_every_class_has_its_own_metric() -> None:
    confusion = np.diag([1, 2, 3, 4, 5])[None].astype(np.int64)
    evaluation = Evaluation(split="val", images=("a",), classes=tuple(SIGNS), confusion=confusion)
    of_classes = {k: v for k, v in evaluation.metrics().items() if k.startswith("val/iou/")}
    assert of_classes == {f"val/iou/{key}": 1.0 for key in class_keys(SIGNS).values()}


def test_a_run_keeps_all_classes_apart(tiny: TrainConfig, store: Path, tmp_path: Path) -> None:
    data = tmp_path / "signs"
    names = [*SIGNS[:4], "tree[1]", "a/b", ".hidden", "x" * 300]
    ids = np.repeat(np.arange(len(names), dtype=np.uint8), 4)[:, None].repeat(48, axis=1)
    for number in range(6):
        image = np.random.default_rng(number).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        for kind, array in (("images", image), ("masks", ids)):
            (data / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(data / kind / f"{number}.png")
    listed = json.dumps({"classes": names}, ensure_ascii=False)
    (data / "classes.yaml").write_text(listed, encoding="utf-8")
    run_id = fit(tiny.replace(data=str(data), epochs=1), progress=False).run_id
    run = get_run(run_id)
    assert tagged_classes(run.data.tags[CLASSES_TAG]) == names
    metrics = [f"val/iou/{key}" for key in class_keys(names).values()]
    curves = histories([run_id], metrics)
    assert sorted(curves["metric"].astype(str)) == sorted(metrics)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    rows = read_parts(folder / "evaluation/per_image", [1])
    pooled = rows.groupby("class", observed=True)[["tp", "fp", "fn"]].sum()
    assert set(pooled.index) == set(names)
    logged = curves.set_index(curves["metric"].astype(str))["value"]
    for name, key in class_keys(names).items():
        tp, fp, fn = pooled.loc[name]
        assert logged[f"val/iou/{key}"] == pytest.approx(tp / (tp + fp + fn))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("''", r"class 1 \(counted from 0\) has no name"),
        ("'  '", r"class 1 \(counted from 0\) has no name"),
        (json.dumps(SIGNS[1]), r"name of class 1 \(counted from 0\) holds half a character"),
    ],
)
def test_a_class_without_a_name_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "classes.yaml").write_text(f"classes: [sky, {name}]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"classes\.yaml: .*{said}"):
        find_table(tmp_path)
