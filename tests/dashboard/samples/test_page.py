"""Samples: scores of images, pictures side by side, disagreement, and the page."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pictures import scores as image_scores
from dashboard.pictures import strips
from tests.dashboard.errors import error_codes
from trainer.data.collection import VOID
from trainer.tracking import reading

Open = Callable[..., AppTest]


def rows_of(values: dict[tuple[int, str, str], tuple[int, int, int]]) -> pd.DataFrame:
    """Return per-image rows: (epoch, image, class) → tp, fp, fn."""
    made = []
    for (epoch, image, name), (tp, fp, fn) in values.items():
        total = 2 * tp + fp + fn
        made.append(
            {
                "epoch": epoch,
                "image": image,
                "class": name,
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "dice": 2 * tp / total if total else np.nan,
                "iou": tp / (tp + fp + fn) if total else np.nan,
            }
        )
    frame = pd.DataFrame(made)
    classes = list(dict.fromkeys(frame["class"]))
    return frame.astype({"image": "category", "class": pd.CategoricalDtype(classes)})


TWO = {
    (1, "a", "background"): (90, 5, 5),
    (1, "a", "car"): (20, 5, 5),
    (1, "b", "background"): (90, 0, 0),
    (1, "b", "car"): (0, 0, 0),
    (1, "c", "background"): (90, 9, 1),
    (1, "c", "car"): (1, 1, 9),
    (2, "a", "background"): (90, 5, 5),
    (2, "a", "car"): (25, 0, 5),
    (2, "b", "background"): (90, 0, 0),
    (2, "b", "car"): (0, 0, 0),
    (2, "c", "background"): (90, 0, 0),
    (2, "c", "car"): (10, 0, 0),
}


def test_with_two_classes_the_foreground_alone_counts() -> None:
    scores = image_scores.image_scores(rows_of(TWO))
    assert scores.loc["a", 1] == pytest.approx(40 / 50)
    assert scores.loc["c", 1] == pytest.approx(2 / 12)
    assert np.isnan(scores.loc["b", 1])
    iou = image_scores.image_scores(rows_of(TWO), "iou")
    assert iou.loc["a", 1] == pytest.approx(20 / 30)


def test_a_class_can_be_chosen_and_an_unknown_one_is_named() -> None:
    scores = image_scores.image_scores(rows_of(TWO), "dice", "background")
    assert scores.loc["b", 1] == 1.0
    with pytest.raises(ValueError, match=r"'tree' is none of background, car"):
        image_scores.image_scores(rows_of(TWO), "dice", "tree")


def test_several_classes_are_averaged_over_those_an_image_has() -> None:
    rows = rows_of(
        {
            (1, "a", "sky"): (10, 0, 0),
            (1, "a", "tree"): (1, 1, 1),
            (1, "a", "car"): (0, 0, 0),
        }
    )
    assert image_scores.image_scores(rows).loc["a", 1] == pytest.approx((1 + 0.5) / 2)


def test_the_worst_image_comes_first_and_one_without_a_score_not_at_all() -> None:
    scores = image_scores.image_scores(rows_of(TWO))
    assert image_scores.worst_first(scores, 1) == ["c", "a"]
    assert image_scores.worst_first(scores, 9) == []


def test_captions_tell_score_and_missing_mask() -> None:
    scores = image_scores.image_scores(rows_of(TWO))
    said = image_scores.captions(scores, "c", [1, 2, 3], [True, False, False], "Dice")
    assert said == ["Dice 0.1667", "Dice 1.0000 · no mask stored", "no mask stored"]
    assert image_scores.captions(scores, "unknown", [1], [True], "Dice") == [""]


def test_the_table_has_every_image_with_its_change_and_course() -> None:
    rows = rows_of(TWO)
    scores = image_scores.image_scores(rows)
    table = image_scores.score_table(rows, scores, 2, pictures=["c"])
    assert list(table.index) == ["a", "c", "b"]
    assert table.loc["c", "change"] == pytest.approx(1 - 2 / 12)
    assert table.loc["c", "best"] == 1.0
    assert table.loc["b", "course"] == []
    assert table["picture"].tolist() == [False, True, False]
    assert table.columns.tolist() == ["score", "change", "best", "course", "picture"]


def test_the_table_has_a_column_a_class_when_there_are_several() -> None:
    rows = rows_of({(1, "a", n): (i + 1, 1, 1) for i, n in enumerate(("sky", "tree", "car"))})
    table = image_scores.score_table(rows, image_scores.image_scores(rows), 1)
    assert table.columns[-3:].tolist() == ["sky", "tree", "car"]
    assert table.loc["a", "sky"] == pytest.approx(0.5)


def test_no_rows_make_no_scores() -> None:
    assert image_scores.image_scores(rows_of(TWO).iloc[:0]).empty


def test_pictures_keep_every_pixel_side_by_side() -> None:
    first, second = np.full((2, 3), 1, np.uint8), np.full((4, 2), 2, np.uint8)
    joined = strips.beside([first, second], fill=9)
    assert joined.shape == (4, 3 + strips.GAP + 2)
    np.testing.assert_array_equal(joined[:2, :3], first)
    np.testing.assert_array_equal(joined[:, -2:], second)
    assert (joined[2:, :3] == 9).all() and (joined[:, 3 : 3 + strips.GAP] == 9).all()
    image = strips.images_beside([np.zeros((2, 2, 3), np.uint8)] * 3)
    assert image.shape == (2, 6 + 2 * strips.GAP, 3)
    with pytest.raises(ValueError, match="no picture"):
        strips.beside([], fill=0)


def test_a_mask_that_is_not_stored_is_no_error() -> None:
    target = np.array([[0, 1], [1, 1]], np.uint8)
    targets, masks = strips.beside_where_stored([target, target], [np.zeros_like(target), None])
    codes = error_codes(masks, targets)
    np.testing.assert_array_equal(codes[:, :2], [[0, 3], [3, 3]])
    assert (codes[:, 2:] == 0).all()
    assert (targets[:, 2:] == VOID).all()


def test_disagreement_names_who_is_right_pixel_by_pixel() -> None:
    target = np.array([[0, 1, 1, 2, VOID, 2]], np.uint8)
    first = np.array([[0, 1, 0, 0, 1, 2]], np.uint8)
    second = np.array([[0, 0, 1, 1, 0, 2]], np.uint8)
    codes = strips.disagreement(first, second, target)
    assert codes.tolist() == [
        [
            strips.AGREE,
            strips.FIRST_RIGHT,
            strips.SECOND_RIGHT,
            strips.BOTH_WRONG,
            strips.AGREE,
            strips.AGREE,
        ]
    ]
    shares = strips.disagreement_shares(codes, target)
    assert shares == {
        "same": 0.4,
        "only A right": 0.2,
        "only B right": 0.2,
        "differ, both wrong": 0.2,
    }


def test_disagreement_is_symmetric_and_void_alone_has_no_shares() -> None:
    random = np.random.default_rng(0)
    first, second, target = random.integers(0, 3, (3, 20, 30), dtype=np.uint8)
    there, back = (
        strips.disagreement(*pair, target) for pair in ((first, second), (second, first))
    )
    swapped = np.array([0, 2, 1, 3], np.uint8)[back]
    np.testing.assert_array_equal(there, swapped)
    np.testing.assert_array_equal(there != strips.AGREE, first != second)
    void = np.full_like(target, VOID)
    assert np.isnan(list(strips.disagreement_shares(there, void).values())).all()


def test_disagreement_of_two_sizes_says_the_cure() -> None:
    with pytest.raises(ValueError, match="one image_size"):
        strips.disagreement(*(np.zeros((2, n), np.uint8) for n in (2, 3, 2)))


def test_differences_can_be_told_apart_in_grey() -> None:
    """People who see no hue still see lightness: no two colours within 8 of 255."""
    light = [
        0.2126 * r + 0.7152 * g + 0.0722 * b
        for r, g, b in (info.colour for info in strips.DIFFERENCES[1:])
    ]
    assert min(abs(a - b) for i, a in enumerate(light) for b in light[:i]) > 8


def said(app: AppTest) -> str:
    kinds = ("subheader", "text", "caption", "markdown", "code")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def ids(**wanted: str) -> list[str]:
    runs = reading.list_runs()
    for column, value in wanted.items():
        runs = runs[runs[column] == value]
    return list(runs.index)


def test_the_page_says_what_to_run_on_an_empty_store(store: object, open_app: Open) -> None:
    assert "trainer fit" in said(open_app("samples"))


@pytest.mark.parametrize(
    "name",
    [
        "street flips",
        "one epoch",
        "diverged",
        "still training",
        "keras_baseline_0",
        "half-written",
        "trial 5",
    ],
)
@pytest.mark.parametrize("view", ["Gallery", "Several runs", "All images"])
def test_every_kind_of_run_shows(
    full_store: str, open_app: Open, run_named: Callable[[str], str], name: str, view: str
) -> None:
    app = open_app("samples", run=run_named(name), shown=view)
    if name in ("keras_baseline_0", "half-written"):
        assert "neither sample pictures nor per-image scores" in said(app)


def test_the_table_orders_by_the_chosen_score_epoch_and_class(
    full_store: str, open_app: Open, run_named: Callable[[str], str]
) -> None:
    run = run_named("street flips")
    app = open_app(
        "samples",
        **{"run": run, "shown": "All images", "order_by": "IoU", "epoch": "4", "class": "tree"},
    )
    table = app.dataframe[0].value
    assert len(table) == 16
    assert table["score"].dropna().is_monotonic_increasing
    scored = table["score"].notna()
    np.testing.assert_allclose(table["score"][scored], table["tree"][scored])


def test_an_address_of_an_epoch_that_is_not_there_falls_back(
    full_store: str, open_app: Open, run_named: Callable[[str], str]
) -> None:
    app = open_app("samples", run=run_named("street flips"), epoch="99")
    assert app.selectbox(key="epoch").value in range(1, 13)
    assert "no run nothing" in said(open_app("samples", run="nothing"))


def test_two_runs_show_side_by_side_with_their_disagreement(
    full_store: str, open_app: Open
) -> None:
    first, second = ids(experiment="carvana")[:2]
    app = open_app("samples", run=first, runs=f"{first},{second}", shown="Several runs")
    assert "Where A and B disagree" in said(app)
    assert "A = " in said(app) and "B = " in said(app)
    shares = app.dataframe[0].value
    assert shares["differ"].is_monotonic_decreasing and len(shares) == 6


def test_one_run_alone_says_how_to_add_another(full_store: str, open_app: Open) -> None:
    app = open_app("samples", run=ids(experiment="carvana")[0], shown="Several runs")
    assert "Add a run" in said(app)
    other = app.selectbox(key="add_run").options[0]
    assert other


def test_runs_on_other_data_share_no_image(
    full_store: str, open_app: Open, run_named: Callable[[str], str]
) -> None:
    cars, street = ids(experiment="carvana")[0], run_named("street flips")
    app = open_app("samples", run=cars, runs=street, shown="Several runs")
    assert not app.exception
