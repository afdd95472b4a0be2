"""Whatever a test of the layouts opens is also written down and read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.config.reading import AUTO, Reading
from trainer.data.checking.writing import write_pairs
from trainer.data.collection import Collection
from trainer.data.files.imagefile import UnreadableFile
from trainer.data.files.reading import read_target
from trainer.data.layouts import open_collection

MANY = 1000


def assert_same_reading(found: Collection, again: Collection) -> None:
    """Assert equal pairs, splits, groups, classes, and the same target of every pair."""
    plain = [(p.name, p.group, p.split, p.image.resolve()) for p in found.pairs]
    assert [(p.name, p.group, p.split, p.image.resolve()) for p in again.pairs] == plain
    assert [info.name for info in again.classes] == [info.name for info in found.classes]
    for one, other in zip(found.pairs, again.pairs, strict=True):
        try:
            target = read_target(one, found.coding)
        except UnreadableFile:
            with pytest.raises(UnreadableFile):
                read_target(other, again.coding)
        else:
            assert np.array_equal(read_target(other, again.coding), target)


@pytest.fixture(autouse=True)
def written_and_read_back(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Let the module's `open_collection` write its result down, read that and compare."""

    def opened(path: Path, reading: Reading = AUTO) -> Collection:
        found = open_collection(path, reading)
        # A table of pairs cannot tell of these, and is refused.
        drawn, by_folder = found.coding.labels is not None, reading.combine == "classes"
        if len(found.pairs) > MANY or drawn or by_folder:
            return found
        table = tmp_path_factory.mktemp("written") / "pairs.csv"
        write_pairs(found, table)
        assert_same_reading(found, open_collection(table))
        return found

    module: Any = request.module
    if hasattr(module, "open_collection"):
        monkeypatch.setattr(module, "open_collection", opened)
