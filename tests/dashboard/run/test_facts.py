"""What a run's page tells, on values worked out by hand."""

import numpy as np
import pandas as pd

from dashboard.curves.facts import epochs_to_show
from dashboard.pictures.scores import dice_captions, image_dice
from dashboard.run import facts
from dashboard.run.figures import draw_class_curves, draw_confusion, row_shares
from tests.dashboard.made import curve
from trainer.config import TrainConfig


def test_differences_from_the_defaults_come_in_the_configs_order() -> None:
    params = TrainConfig(lr=0.5, batch_size=2, data="x").to_params() | {"foreign": "1"}
    table = facts.differences_from_default(params)
    assert table.index.tolist() == ["data", "lr", "batch_size", "foreign"]
    assert table.loc["batch_size"].tolist() == ["2", TrainConfig().to_params()["batch_size"]]
    assert table.loc["foreign", "default"] == ""


def row_of(params: dict[str, str], kind: str | None = "run") -> pd.Series:
    return pd.Series({"kind": kind, **{f"params.{name}": value for name, value in params.items()}})


def test_the_settings_of_the_runs_components_are_compared_and_no_others() -> None:
    sgd = TrainConfig(optimizer="sgd", momentum=0.5, patience=3).to_params()
    table = facts.differences_from_default(sgd)
    assert table.index.tolist() == ["optimizer", "momentum", "patience"]
    assert table.loc["momentum"].tolist() == ["0.5", "0.9"]
    before = TrainConfig().to_params() | {"momentum": "0.99", "fold": "0"}
    assert facts.differences_from_default(before).empty
    foreign = facts.differences_from_default({"optimizer": "Adam", "momentum": "0.5"})
    assert foreign.index.tolist() == ["optimizer", "momentum"]


def test_the_machine_is_no_difference_in_configuration() -> None:
    machine = {"train_dtype": "bfloat16", "processor": "X", "threads": "1"}
    params = TrainConfig().to_params() | machine
    assert facts.differences_from_default(params).empty
    said = facts.arithmetic(row_of(params))
    assert said == "Trained in bfloat16, scored in float32, on X with 1 thread."


def test_the_arithmetic_of_before_is_unknown_and_another_programs_is_not_told() -> None:
    params = TrainConfig().to_params()
    del params["eval_precision"]
    assert facts.arithmetic(row_of(params)) == "Scored in an arithmetic that was not recorded."
    assert facts.arithmetic(row_of({"precision": "16-mixed"}, kind=None)) == ""


def per_image(classes: list[str]) -> pd.DataFrame:
    rows = [(e, "x", c, 0.1 * e * (n + 1)) for e in (1, 2) for n, c in enumerate(classes)]
    return pd.DataFrame(rows, columns=["epoch", "image", "class", "dice"])


def test_an_images_dice_is_the_foregrounds_of_two_classes_and_the_mean_of_more() -> None:
    two = image_dice(per_image(["background", "car"]))
    assert two.loc["x", 2] == 0.4
    three = image_dice(per_image(["sky", "car", "tree"]))
    assert np.isclose(three.loc["x", 2], (0.2 + 0.4 + 0.6) / 3)
    assert dice_captions(two, "x", [1, 2, 3]) == ["Dice 0.2000", "Dice 0.4000", ""]
    assert dice_captions(two, "unknown", [1]) == [""]
    assert image_dice(pd.DataFrame(columns=["epoch", "image", "class", "dice"])).empty


def test_shown_epochs_keep_the_ends_and_what_must_stay() -> None:
    every = list(range(1, 501))
    shown = epochs_to_show(every, keep={77, 78, 9999}, at_most=20)
    assert len(shown) <= 22
    assert {1, 77, 78, 500} <= set(shown)
    assert epochs_to_show([1, 2, 3]) == [1, 2, 3]


def test_a_confusion_matrix_shows_shares_of_its_rows() -> None:
    matrix = np.array([[3, 1], [0, 0]])
    shares = row_shares(matrix)
    assert shares[0].tolist() == [0.75, 0.25]
    assert np.isnan(shares[1]).all()
    figure = draw_confusion(matrix, ["sky", "<b>"])
    assert figure.data[0].x == ("sky", "&lt;b&gt;")


def test_a_curve_of_each_class() -> None:
    figure = draw_class_curves({"car": curve([0.1, 0.2]), "sky": curve([0.9])})
    assert [trace.name for trace in figure.data] == ["car", "sky"]
    assert draw_class_curves({}).layout.annotations
