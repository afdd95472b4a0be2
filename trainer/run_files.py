"""The JSON files that a run and a model leave, and what each of them must hold.

They are input: a run may have been killed, copied by halves, or sent by somebody else. Fields that
a later version adds are let through.
"""

from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from trainer.schema import (
    Reading,
    anything,
    in_unicode,
    list_of,
    mapping,
    number,
    or_null,
    read_json,
    record,
    score,
    text,
    whole,
)

# What the names of a million images take.
MOST_BYTES = 40 * 2**20
INT64 = 2**63 - 1
# 2 says so in the state of a checkpoint; what lacks it is 1, and otherwise the same.
CHECKPOINT_FORMAT = 2
EPOCH = whole(0)


def _setting(where: str, value: Any) -> Any:
    """Take what torch keeps of an optimiser beside its tensors, and a model's settings."""
    if isinstance(value, list):
        return [_setting(f"{where}[{place}]", each) for place, each in enumerate(value)]
    return value if value is None or isinstance(value, bool | int | str) else score(where, value)


def _numbers(where: str, value: Any) -> list[float]:
    # A list, as what goes on with it appends to it and stores it again.
    return list(list_of(score)(where, value))


def _schedule(where: str, value: Any) -> Any:
    if isinstance(value, dict) and "inner" in value:  # a warm-up before it
        read = record({"taken": EPOCH, "full": _numbers, "inner": _schedule}, {})
    else:
        read = record({"last_epoch": EPOCH}, {"base_lrs": _numbers}, open_ended=True)
    return read(where, value)


def _mask_value(where: str, value: Any) -> Any:
    if isinstance(value, list):
        return list_of(whole(0, 255), 3, 3)(where, value)
    return whole(0, 2**16 - 1)(where, value)


NAMES = list_of(in_unicode)
CLASSES = list_of(
    record({"name": in_unicode, "colour": list_of(whole(0, 255), 3, 3)}, {}, open_ended=True)
)
# What a mask file stores for each class; null where that is not one value or colour each.
MASK_VALUES = or_null(list_of(_mask_value, 2, 255))
SPLIT = record({"train": NAMES, "val": NAMES, "test": NAMES}, {})
DATASET = record(
    {
        "root": in_unicode,
        "digest": in_unicode,
        "classes": CLASSES,
        "mean": list_of(number(0, 1), 1),
        "std": list_of(number(0, 1), 1),
    },
    {"notes": NAMES, "mask_values": MASK_VALUES},
    open_ended=True,
)
ORIGIN = record(
    {"run_id": in_unicode, "root": in_unicode, "digest": in_unicode, "split": SPLIT},
    {"reading": mapping(anything), "scored_in": or_null(text), "mask_values": MASK_VALUES},
    open_ended=True,
)
ENVIRONMENT = record({}, {"resumed": list_of(mapping(anything))}, open_ended=True)
DIAGNOSES = list_of(
    record(
        {"rule": text, "message": in_unicode},
        {
            "severity": text,
            "threshold": in_unicode,
            "epochs": or_null(list_of(EPOCH)),
            "evidence": mapping(anything),
        },
        open_ended=True,
    )
)
PROGRESSION = record(
    {"epoch": EPOCH},
    {
        "best_epoch": EPOCH,
        "best_score": score,
        "best_metrics": mapping(score),
        "score_to_beat": score,
        "epochs_without_gain": EPOCH,
        "history": mapping(_numbers),
    },
    open_ended=True,
)
CHECKPOINT = record(
    {
        "optimizer": record(
            {
                "state": mapping(mapping(_setting)),
                "param_groups": list_of(mapping(_setting), 1),
            },
            {},
        )
    },
    {
        "model": record({"name": text, "settings": mapping(_setting)}, {}),
        "progression": PROGRESSION,
        "average": record({"updates": EPOCH}, {}),
        "schedule": _schedule,
    },
    open_ended=True,
)


def _checkpoint(where: str, value: Any) -> Any:
    written = value.get("format", 1) if isinstance(value, dict) else 1
    if type(written) is not int or not 1 <= written <= CHECKPOINT_FORMAT:
        raise ValueError(  # first: a later one has fields of its own
            f"has format {shortened(written)}; this version reads 1 to {CHECKPOINT_FORMAT}: "
            "upgrade Segscope"
        )
    return CHECKPOINT(where, value)


def _confusion(where: str, value: Any) -> Any:
    counts = list_of(list_of(whole(0, INT64)))
    needed = {"split": text, "classes": NAMES, "matrix": counts}
    found = record(needed, {"epoch": or_null(EPOCH)}, open_ended=True)(where, value)
    classes = len(found["classes"])
    if [len(row) for row in found["matrix"]] != [classes] * classes:
        raise ValueError(f"matrix: is not of {classes} by {classes}, as many as there are classes")
    return found


def _index(where: str, value: Any) -> Any:
    sizes = list_of(list_of(whole(1), 2, 2), 1)
    needed = {"names": NAMES, "sizes": sizes, "classes": CLASSES}
    found = record(needed, {"dice": list_of(score)}, open_ended=True)(where, value)
    images = len(found["names"])
    for name in ("sizes", "dice"):
        if name in found and len(found[name]) != images:
            raise ValueError(f"{name}: are {len(found[name])} for {images} images")
    return found


# By the name of the file; each epoch's worst images have an index of their own.
SCHEMAS: dict[str, Reading] = {
    "dataset.json": DATASET,
    "split.json": SPLIT,
    "origin.json": ORIGIN,
    "environment.json": ENVIRONMENT,
    "diagnoses.json": DIAGNOSES,
    "confusion.json": _confusion,
    "state.json": _checkpoint,
    "views.json": mapping(in_unicode),
}


def read_run_file(path: Path) -> Any:
    """Return what a JSON file of a run or a model holds, lists as tuples.

    Raises ``ValueError`` in one line that names the file, and the field where there is one.
    """
    return read_json(path, SCHEMAS.get(path.name, _index), most=MOST_BYTES)
