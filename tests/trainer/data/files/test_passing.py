"""One pass over many files: in order, few at a time, and over as soon as somebody stops."""

import threading
import time

import numpy as np
import pytest

from trainer.data.files.passing import each_in_order
from trainer.data.files.reading import content_hash, count_labels


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_results_come_in_the_order_of_the_items(threads: int, count: int) -> None:
    def read(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number**2

    assert list(each_in_order(read, range(count), threads=threads)) == [n**2 for n in range(count)]


def test_no_more_is_read_ahead_than_a_few_items() -> None:
    """Whole images wait: reading all before the first is taken would fill the memory."""
    read: list[int] = []
    results = each_in_order(lambda n: read.append(n) or n, range(100), threads=2)  # type: ignore[func-returns-value]
    for taken in range(100):
        assert next(results) == taken
        time.sleep(0.001)
        assert len(read) <= taken + 6


def test_who_stops_waits_for_nothing_that_has_not_begun() -> None:
    read: list[int] = []

    def slowly(number: int) -> int:
        read.append(number)
        time.sleep(0.05)
        return number

    results = each_in_order(slowly, range(100), threads=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(read) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]


def test_a_failure_is_the_callers() -> None:
    def read(number: int) -> int:
        if number == 3:
            raise ValueError("damaged")
        return number

    results = each_in_order(read, range(9), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="damaged"):
        next(results)


def test_equal_images_have_equal_hashes_and_others_do_not() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    changed = image.copy()
    changed[3, 4, 1] ^= 1
    assert content_hash(image) == content_hash(np.asfortranarray(image))
    assert len({content_hash(i) for i in (image, changed, image.reshape(8, 6, 3))}) == 3
    # Caches hold this hash: another one would have to raise `decoding.FORMAT`.
    assert content_hash(np.zeros((2, 3, 3), np.uint8)) == "912c1186b206cf99164667d5c16431d2"


def test_labels_are_counted_with_void_last() -> None:
    target = np.array([[0, 2, 2], [255, 255, 255]], np.uint8)
    assert count_labels(target, 3).tolist() == [1, 0, 2, 3]
