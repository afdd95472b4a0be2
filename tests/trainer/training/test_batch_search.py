"""The largest batch that fits, without a step that would take more than there is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.batch_search import Shape, search

SIZES = st.sampled_from([(16, 16), (64, 96), (640, 959)])


def shapes_of(size: tuple[int, int]) -> list[Shape]:
    height, width = size
    parts = [Shape(1, height // n, width // n) for n in (4, 2)]
    return [*parts, *(Shape(2**n, height, width) for n in range(12))]


@given(
    size=SIZES,
    fixed=st.floats(10, 5000),
    per_pixel=st.floats(1e-5, 1e-2),
    spare=st.floats(0.5, 1e5),
)
def test_a_straight_line_is_followed_to_its_end_and_never_beyond(
    size: tuple[int, int], fixed: float, per_pixel: float, spare: float
) -> None:
    reach, tried = fixed + spare, []

    def peak_of(shape: Shape) -> float:
        tried.append(shape)
        return fixed + per_pixel * shape.pixels

    shapes = shapes_of(size)
    reached = search(shapes, peak_of, reach)
    fits = [each for each in shapes if fixed + per_pixel * each.pixels <= reach * (1 + 1e-9)]
    assert reached.shape in (fits[-1:] or [None]) + fits[-2:-1]  # a rounding apart
    assert all(each in fits for each in tried[2:])
    assert (f"of {reach / 1024:.1f} GiB" in reached.told) and "\n" not in reached.told


@given(size=SIZES, limit=st.integers(0, 10**8))
def test_what_refuses_is_not_asked_again(size: tuple[int, int], limit: int) -> None:
    """As a GPU does, whose allocator takes all at once: the peak tells nothing."""
    refused = []

    def peak_of(shape: Shape) -> float:
        assert not refused
        if shape.pixels > limit:
            refused.append(shape)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return 100.0

    shapes = shapes_of(size)
    reached = search(shapes, peak_of, 1e9)
    fits = [each for each in shapes if each.pixels <= limit]
    assert reached.shape == (fits[-1] if fits else None)
    assert ("does not fit" in reached.told) == bool(refused)


def test_a_step_that_took_more_than_it_may_is_not_taken() -> None:
    """Where growth is steeper than a line, as an algorithm's workspace may be."""
    shapes = shapes_of((64, 96))
    peaks = dict(zip(shapes, [10.0, 20.0, 30.0, 900.0], strict=False))
    reached = search(shapes, lambda shape: peaks[shape], 500.0)
    assert reached.shape == shapes[2]
    assert reached.told == (
        "1 x 64 x 96 took 0.0 GiB; 2 x 64 x 96 took 0.9 GiB, of 0.5 GiB that there are"
    )


def test_another_failure_passes_through() -> None:
    def peak_of(shape: Shape) -> float:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        search(shapes_of((64, 96)), peak_of, 1e9)
