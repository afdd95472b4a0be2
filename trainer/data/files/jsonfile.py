"""JSON that others wrote, as a whole or part by part, with its fault named."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer.data.files.imagefile import UnreadableFile

# The largest file of COCO itself has 0.45 GB; what is larger is not read into memory.
MAX_BYTES = 2**31
HEAD = 2**16
SPACE = re.compile(r"[ \t\r\n]*")

# The first and the last byte of something in a file, the last one excluded.
Part = tuple[int, int]


def read_head(path: Path) -> bytes:
    """Return the first 64 KiB of a file, empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def read_parts(path: Path, parts: Sequence[Part] = ()) -> list[bytes]:
    """Return parts of a file, or all of it as one part. Raises `UnreadableFile`."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UnreadableFile(path, f"has {size:,} bytes; at most {MAX_BYTES:,} are read")
        with path.open("rb") as file:
            if not parts:
                return [file.read()]
            found = []
            for start, stop in parts:
                file.seek(start)
                found.append(file.read(stop - start))
            return found
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read: {error.strerror}") from error


def parsed(data: bytes, path: Path) -> Any:
    """Return what JSON holds. Raises `UnreadableFile`."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise UnreadableFile(path, "is nested too deeply") from error
    except ValueError as error:
        raise UnreadableFile(path, f"is not valid JSON: {str(error).splitlines()[0]}") from error


def walk_lists(path: Path) -> Iterator[tuple[str, Any, Part]]:
    """Yield every element of the lists in a file's one object: list name, element, place.

    One element is held at a time, so that memory is bounded by the file's text. Raises
    `UnreadableFile`.
    """
    (data,) = read_parts(path)
    # One character a byte, whatever the file holds, so that places in one are places in the other.
    text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    shift = len(data) - len(text)
    del data
    try:
        for name, value, (start, stop) in _elements(text):
            if not text.isascii() and not (part := text[start:stop]).isascii():
                value = json.loads(part.encode("latin-1"))
            yield name, value, (start + shift, stop + shift)
    except RecursionError as error:
        raise UnreadableFile(path, "is nested too deeply") from error
    except (ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFile(path, f"is not valid JSON: {reason}") from error


def _elements(text: str) -> Iterator[tuple[str, Any, Part]]:
    """Walk an object that holds lists; ``ValueError`` or ``IndexError`` where it is none."""
    decode = json.JSONDecoder().raw_decode
    at = _after(text, 0, "{")
    while text[at] != "}":
        name, at = decode(text, at)
        at = _after(text, _space(text, at), ":")
        if text[at] == "[":
            at = _space(text, at + 1)
            while text[at] != "]":
                start = at
                value, at = decode(text, at)
                yield name, value, (start, at)
                at = _next(text, at, "]")
            at += 1
        else:
            _, at = decode(text, at)
        at = _next(text, at, "}")


def _next(text: str, at: int, end: str) -> int:
    """Return where the next element begins, or where ``end`` stands."""
    at = _space(text, at)
    return at if text[at] == end else _after(text, at, ",")


def _after(text: str, at: int, mark: str) -> int:
    at = _space(text, at)
    if text[at] != mark:
        raise ValueError(f"expected {mark!r}, not {text[at]!r}, at byte {at}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    assert found is not None  # no space is a match too
    return found.end()
