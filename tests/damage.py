"""What may become of a file: cut off, emptied, overwritten."""

from collections.abc import Iterator

import numpy as np


def damaged(whole: bytes, number: int = 200) -> Iterator[bytes]:
    """Yield a file's content damaged in so many ways, the same ones each time."""
    random = np.random.default_rng(5)
    yield from (b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff" * len(whole), whole + b"more")
    for _ in range(number // 2):
        yield whole[: random.integers(len(whole))]
        content = bytearray(whole)
        for place in random.integers(len(whole), size=random.integers(1, 9)):
            content[place] = random.integers(256)
        yield bytes(content)
