"""Rubbish: damaged copies of sound files, the same each time, and what a reader says of them.

A reader is right where it returns, or raises ``ValueError`` in one line that names the file; it
takes no more than a few seconds of the processor and no more than a GiB of memory.
"""

import json
import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

# How many damaged copies each reader is given; more make a campaign.
TRIES = int(os.environ.get("SEGSCOPE_RUBBISH", "200"))
SECONDS = 5.0
MEMORY = 2**30
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")
DEEP = 100_000
# Those that read a run's files.
PAGES: list[tuple[str, dict[str, str]]] = [
    *(("run", {"part": part}) for part in ("Overview", "Samples", "Classes", "System", "Files")),
    *((page, {}) for page in ("samples", "dip", "compare")),
]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 255, 256, 1.5, -0.0, 1e308, float("nan"), float("inf")),
    *(2**31, 2**62, -(2**63), 10**30, "", " ", "0", "nan", "1e999", "none"),
    *("x" * 50_000, "é" * 300, "000.000"),
    *("../../../etc/passwd", "/", "\x00", "\x1b[31m", "\ud800", "<b>x</b>", "=1+1", "a\nb", "a/b"),
    *([], {}, [[]], [None], [1, 2], [0] * 1000, ["a", "a"], {"": None}, {"a": {"b": []}}),
)  # fmt: skip


def damaged(content: bytes, seed: str, tries: int = TRIES) -> Iterator[bytes]:
    """Yield damaged copies of a file: cut off anywhere, bytes changed, pieces moved or gone."""
    chance = random.Random(seed)
    yield b""
    for place in range(tries - 1):
        copy = bytearray(content)
        if place % 4 == 0:
            yield bytes(copy[: chance.randrange(len(copy))])
            continue
        for _ in range(chance.choice((1, 1, 1, 2, 5, 20))):
            _harm(copy, chance)
        yield bytes(copy)


def _harm(copy: bytearray, chance: random.Random) -> None:
    # Headers are where a lie costs most, so half of the harm is done there.
    end = len(copy) if chance.random() < 0.5 else min(len(copy), 256)
    at = chance.randrange(max(end, 1))
    width = chance.choice((1, 2, 4, 8))
    match chance.randrange(6):
        case 0:
            copy[at : at + 1] = bytes([copy[at] ^ 1 << chance.randrange(8)]) if copy else b""
        case 1:
            copy[at : at + width] = chance.choice(EXTREMES) * width
        case 2:
            copy[at : at + width] = chance.randbytes(width)
        case 3:
            del copy[at : at + chance.randrange(1, 64)]
        case 4:
            copy[at:at] = copy[at : at + chance.randrange(1, 64)]
        case _:
            copy[at:at] = chance.randbytes(width)


def twisted(value: Any, seed: str, tries: int = TRIES) -> Iterator[Any]:
    """Yield copies of plain values in which a part is odd, gone, doubled or of a strange name."""
    chance = random.Random(seed)
    yield from (deepcopy(odd) for odd in ODD if not isinstance(odd, str) or len(odd) < 10)
    for _ in range(tries):
        copy = deepcopy(value)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            _twist(copy, chance)
        yield copy


def _twist(copy: Any, chance: random.Random) -> None:
    places = [(inside, key) for inside in _containers(copy) for key in _keys(inside)]
    if not places:
        return
    inside, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, list):
            inside.insert(key, deepcopy(inside[key]))
        case 1:
            inside[str(chance.choice(ODD))] = inside.pop(key)
        case 2:
            other, name = chance.choice(places)
            inside[key] = deepcopy(other[name]) if name in _keys(other) else None
        case _:
            inside[key] = deepcopy(chance.choice(ODD))


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _containers(each)


def _keys(inside: Any) -> list[Any]:
    return list(inside) if isinstance(inside, dict) else list(range(len(inside)))


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=False).encode("utf-8", "replace")


def documents(value: Any, seed: str, write: Callable[[Any], bytes] = as_json) -> Iterator[bytes]:
    """Yield a file of plain values twisted, damaged as bytes, nested too deep and far too long."""
    for one in twisted(value, seed, TRIES // 2):
        yield write(one)
    yield from damaged(write(value), seed, TRIES // 2)
    yield b"[" * DEEP
    yield b'{"a":' * DEEP
    yield b"\xff\xfe" + write(value)
    yield b"\xef\xbb\xbf" + write(value)
    yield b"9" * 5000


class TooLong(BaseException):
    """A reader that would not end."""


@contextmanager
def bounded() -> Iterator[None]:
    """Raise `TooLong` after `SECONDS` of the processor, ``MemoryError`` for a GiB more memory."""
    resource = pytest.importorskip("resource", reason="this system bounds no process")

    def stop(*_: Any) -> None:
        raise TooLong(f"it took more than {SECONDS} s")

    before, limits = signal.signal(signal.SIGPROF, stop), resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/statm")
    if status.is_file():
        taken = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def fault_of(read: Callable[[], object], *names: str) -> str | None:
    """Return what is wrong with how ``read`` takes rubbish; None where it is right.

    One of ``names``, such as the file's, must be in the line that it refuses with.
    """
    try:
        with bounded():
            read()
    except ValueError as error:
        said = str(error)
        if not any(name in said for name in names):
            return f"a line that names none of {names}: {type(error).__name__}: {said[:300]!r}"
        if said.count("\n") > 2:  # a name may hold one, which the shell's line does without
            return f"not one line: {said[:300]!r}"
        return None
    except (Exception, TooLong) as error:  # noqa: BLE001  whatever it is, it is told
        return f"{type(error).__name__}: {str(error)[:300]!r}"
    return None


def assert_right(
    inputs: Iterable[bytes],
    path: Path,
    read: Callable[[Path], object],
    *names: str,
    what: str = "a reader",
) -> int:
    """Give a reader every input as the file at ``path``; return how many there were.

    ``names`` are what a refusal may name; left out, the file.
    """
    number = 0
    for number, content in enumerate(inputs, 1):
        if path != Path("/dev/null"):
            path.write_bytes(content)
        fault = fault_of(lambda: read(path), *(names or (path.name,)))
        assert fault is None, f"{what} of {path.name}, input {number} ({content[:200]!r}): {fault}"
    return number
