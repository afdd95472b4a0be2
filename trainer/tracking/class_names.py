"""What classes are called in the store: in the names of metrics, and in a run's tag."""

import json
from collections.abc import Sequence

from trainer.tracking.runs import MAX_TAG, metric_key

CLASSES_TAG = "segscope.classes"
# Leaves room for what stands before a class in a metric's name, and for its index.
MAX_NAME = 200


def class_keys(classes: Sequence[str]) -> dict[str, str]:
    """Return what each class is called in the name of a metric: no two the same.

    That is its name as `metric_key` makes it. Names that come out alike get the index of their
    class behind them, but for one that is a key as it stands.
    """
    plain = {name: metric_key(name[:MAX_NAME]) for name in classes}
    shared = list(plain.values())
    keys = {name: key for name, key in plain.items() if key == name or shared.count(key) == 1}
    for index, name in enumerate(classes):
        if name not in keys:
            key = f"{plain[name]}.{index}"
            while key in keys.values():
                key = f"{key}.{index}"
            keys[name] = key
    return keys


def classes_tag(classes: Sequence[str]) -> dict[str, str]:
    """Return the tag that names a run's classes in their order; none where they are too long."""
    value = json.dumps(list(classes), ensure_ascii=False)
    return {CLASSES_TAG: value} if len(value) <= MAX_TAG else {}


def tagged_classes(value: object) -> list[str]:
    """Return the names of a run's classes from its tag; none where it has no such list."""
    try:
        names = json.loads(value) if isinstance(value, str) else []
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
