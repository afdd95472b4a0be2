"""Sides of a comparison and the counts that it starts from."""

import pandas as pd
import pytest

from dashboard.compare import facts
from tests.dashboard.made import record
from trainer.tracking.reading import runs_table


def frame(images: list[str], scale: int = 1) -> pd.DataFrame:
    rows = [(i, c, 10 * scale + n, 1, 2) for n, i in enumerate(images) for c in ("sky", "car")]
    return pd.DataFrame(rows, columns=["image", "class", "tp", "fp", "fn"])


def test_seeds_of_one_configuration_are_one_side() -> None:
    runs = runs_table(
        [
            record("a", tags={"segscope.seed_group": "g"}),
            record("b", tags={"segscope.seed_group": "g"}),
            record("c"),
        ]
    ).loc[["a", "b", "c"]]
    assert facts.configurations(runs, pool_seeds=True) == {"a": ["a", "b"], "c": ["c"]}
    assert list(facts.configurations(runs, pool_seeds=False)) == ["a", "b", "c"]


def test_counts_are_those_of_the_images_that_all_have() -> None:
    given = {"A": [frame(["x", "y"]), frame(["y", "x"], 3)], "B": [frame(["y", "z"])]}
    counts, images = facts.pixel_counts(given)
    assert images == ["y"]
    assert counts["A"].tp.shape == (2, 1, 2)
    assert counts["A"].tp[:, 0, 0].tolist() == [11, 30]
    assert counts["B"].tp[0, 0].tolist() == [10, 10]


def test_runs_on_other_images_or_classes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="share no validation image"):
        facts.pixel_counts({"A": [frame(["x"])], "B": [frame(["y"])]})
    other = frame(["x"]).replace("car", "bus")
    with pytest.raises(ValueError, match="different classes"):
        facts.pixel_counts({"A": [frame(["x"])], "B": [other]})


def test_only_parameters_that_differ_are_shown() -> None:
    runs = runs_table(
        [record("a", params={"lr": "1", "model": "unet"}), record("b", params={"lr": "2"})]
    )
    table = facts.differing(runs[["params.lr", "params.model"]].loc[["a", "b"]])
    assert table.loc["lr"].tolist() == ["1", "2"]
    assert table.loc["model"].tolist() == ["unet", ""]
