"""What every validation image scored at every epoch: a Parquet data set, one part an epoch.

A part is written whole or not at all, so a killed run keeps every epoch that it finished. Pixel
counts stand beside Dice and IoU because a comparison resamples images and must then compute the
data-set-level value again, which the scores alone do not allow. The group that an image belongs to
stands there because groups are what it resamples; parts of version 0.1.0 have none.
"""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trainer.analysis.scores import Counts, counts, dice, iou
from trainer.files import reading, replacing

logger = logging.getLogger(__name__)

FOLDER = "evaluation/per_image"
SCHEMA = pa.schema(
    [
        ("epoch", pa.int32()),
        ("image", pa.dictionary(pa.int32(), pa.string())),
        ("class", pa.dictionary(pa.int16(), pa.string())),
        ("tp", pa.int32()),
        ("fp", pa.int32()),
        ("fn", pa.int32()),
        ("dice", pa.float32()),
        ("iou", pa.float32()),
        ("lr", pa.float32()),
        ("grad_norm", pa.float32()),
        ("group", pa.dictionary(pa.int32(), pa.string())),
    ]
)

COUNTS = ("tp", "fp", "fn")
# Far above any epoch's: a few bytes may tell of more rows than there is memory for.
MOST_ROWS, MOST_BYTES = 5_000_000, 2**28
NEEDED = ("epoch", "image", "class", *COUNTS)


def write_part(
    folder: Path,
    *,
    epoch: int,
    images: Sequence[str],
    classes: Sequence[str],
    confusion: Counts,
    lr: float,
    grad_norm: float,
    groups: Sequence[str] | None = None,
) -> Path:
    """Write one epoch's part into ``folder`` and return its path.

    ``confusion`` is ``(images, classes, classes)`` in pixels; a class that an image neither has
    nor is given scores NaN there. ``lr`` and ``grad_norm`` are the epoch's, repeated on each row,
    so that a part can be read alone. ``groups`` names each image's group; unknown, it stays empty.
    """
    tp, fp, fn = counts(confusion)
    rows = len(images) * len(classes)
    image = np.repeat(np.arange(len(images)), len(classes))
    columns = [
        np.full(rows, epoch),
        _repeated(images, image, pa.int32()),
        _repeated(classes, np.tile(np.arange(len(classes)), len(images)), pa.int16()),
        *(values.ravel() for values in (tp, fp, fn, dice(tp, fp, fn), iou(tp, fp, fn))),
        np.full(rows, lr),
        np.full(rows, grad_norm),
        pa.nulls(rows, SCHEMA.field("group").type)
        if groups is None
        else pa.array(np.asarray(groups, dtype=str)[image]).dictionary_encode(),
    ]
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column).cast(kind.type, safe=False)
        for column, kind in zip(columns, SCHEMA, strict=True)
    ]
    target = folder / f"epoch-{epoch:04d}.parquet"
    with replacing(target) as partial:
        pq.write_table(
            pa.Table.from_arrays(arrays, schema=SCHEMA),
            partial,
            compression="zstd",
            use_dictionary=["epoch", "image", "class", "lr", "grad_norm"],
            use_byte_stream_split=["tp", "fp", "fn", "dice", "iou"],  # A quarter smaller.
        )
    return target


@lru_cache(maxsize=1024)
def _tell_left_out(damage: str) -> None:
    logger.warning("results by image: %s; it is left out", damage)


def read_parts(
    folder: Path,
    epochs: Sequence[int] | None = None,
    *,
    damaged: Callable[[str], object] = _tell_left_out,
) -> pd.DataFrame:
    """Return the rows of all or of the given epochs, in their order; empty when there are none.

    A part that is damaged is left out, and ``damaged`` is called with the line that says so; unless
    given, that is logged once.
    """
    paths = sorted(folder.glob("epoch-*.parquet"))
    if epochs is not None:
        wanted = {f"epoch-{epoch:04d}.parquet" for epoch in epochs}
        paths = [path for path in paths if path.name in wanted]
    tables = []
    for path in paths:
        try:
            tables.append(_read(path))
        except (ValueError, OSError) as error:
            damaged(str(error))
    return _as_frame(tables)


def read_part(path: Path) -> pd.DataFrame:
    """Return the rows of one part; ``ValueError`` in one line that names it when it is damaged."""
    return _as_frame([_read(path)])


def _read(path: Path) -> pa.Table:
    with reading(path):
        try:
            told = pq.read_metadata(path)
            unpacked = sum(told.row_group(n).total_byte_size for n in range(told.num_row_groups))
            if told.num_rows > MOST_ROWS or unpacked > MOST_BYTES:
                raise ValueError(f"it tells of {told.num_rows:,} rows in {unpacked:,} bytes")
            table = pq.read_table(path, schema=SCHEMA)
            table.validate(full=True)
        except pa.ArrowException as error:  # not all of which are ValueErrors
            raise ValueError(str(error)) from error
        if lacking := [name for name in NEEDED if table.column(name).null_count]:
            raise ValueError(f"it lacks values of {', '.join(lacking)}")
        if any(pc.min(table.column(name)).as_py() < 0 for name in COUNTS if table.num_rows):
            raise ValueError("it counts less than no pixel")
        rows = table.select(["epoch", "image", "class"]).to_pandas()
        if rows.duplicated().any() or rows["epoch"].nunique() > 1:
            raise ValueError("it does not hold one epoch, each image and class once")
        return table


def _as_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    table = pa.concat_tables(tables).unify_dictionaries() if tables else SCHEMA.empty_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _repeated(names: Sequence[str], indices: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, kind), pa.array(list(names)))
