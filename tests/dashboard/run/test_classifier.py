"""The page of a classifier's run: its own scores, its confusion in images, nothing of masks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.test_pages import said
from tests.trainer.classification.animals import draw
from trainer.classification.config import ClassifyConfig
from trainer.training.fitting import fit

Open = Callable[..., AppTest]


@pytest.fixture
def config(store: Path, tmp_path: Path) -> ClassifyConfig:
    return ClassifyConfig(
        data=str(draw(tmp_path / "animals", cats=16, dogs=16)),
        image_size=(32, 40),
        base_channels=4,
        depth=2,
        lr=1e-2,
        epochs=2,
        batch_size=4,
        val_fraction=0.3,
        cache="ram",
    )


def test_every_page_of_it_opens_and_tells_its_own_scores(
    config: ClassifyConfig, open_app: Open
) -> None:
    run_id = fit(config, progress=False).run_id
    app = open_app("run", run=run_id)
    labels = [metric.label for metric in app.metric]
    assert any("val/balanced_accuracy" in label or "accuracy" in label.lower() for label in labels)
    assert not any("mIoU" in label or "Dice" in label for label in labels)
    assert "classifier" in said(app)
    for part in ("Samples", "System", "Files"):
        text = said(open_app("run", run=run_id, part=part))
        assert "trainer register" not in text
    classes = open_app("run", run=run_id, part="Classes")
    (scores,) = [d.value for d in classes.dataframe if "Recall" in d.value.columns]
    assert list(scores.columns) == ["Recall", "Precision", "images", "share"]
    assert list(scores.index) == ["cat", "dog"]
    assert "balanced accuracy" in said(classes)
    for page in ("samples", "dip"):
        assert "is a classifier" in said(open_app(page, run=run_id))
    for page in ("runs", "curves", "stability"):
        open_app(page, runs=run_id)


def test_two_of_them_are_compared_by_their_own_scores(
    config: ClassifyConfig, open_app: Open
) -> None:
    both = (config.replace(epochs=1), config.replace(epochs=1, lr=1e-4))
    run_ids = ",".join(fit(one, progress=False).run_id for one in both)
    app = open_app("compare", runs=run_ids)
    (score,) = [box for box in app.selectbox if box.label == "Score that decides"]
    assert score.options == ["balanced_accuracy", "accuracy"]
    assert "Not comparable" not in said(app)
    assert "balanced_accuracy" in said(app)
