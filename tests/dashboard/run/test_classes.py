"""Which metric is which class's."""

from dashboard.run.classes import class_metrics


def test_each_class_has_its_metric_in_the_order_of_the_classes() -> None:
    logged = {"val/iou/sky", "val/iou/_.1", "val/iou/_.2", "val/dice"}
    assert class_metrics(["sky", "🚲", "🚗"], logged) == {
        "sky": "val/iou/sky",
        "🚲": "val/iou/_.1",
        "🚗": "val/iou/_.2",
    }


def test_a_run_that_names_no_classes_is_read_by_its_metrics() -> None:
    logged = {"val/iou/car", "val/iou/background"}
    assert class_metrics([], logged) == {
        "background": "val/iou/background",
        "car": "val/iou/car",
    }


def test_what_an_earlier_version_wrote_under_one_key_is_shown_once() -> None:
    logged = {"val/iou/sky", "val/iou/_"}
    assert class_metrics(["sky", "🚲", "🚗"], logged) == {"sky": "val/iou/sky", "_": "val/iou/_"}
