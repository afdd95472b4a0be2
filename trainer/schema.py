"""JSON that is input: read by a schema of types and ranges, each fault one line with its field.

A reading takes where a value stands (``model.settings``; nothing for the whole) and the value, and
returns it or raises ``ValueError``. This file travels inside every registered model.
"""

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from .names import check

Reading = Callable[[str, Any], Any]

INT32 = 2**31 - 1
FLOAT64 = sys.float_info.max


def read_json(path: Path, schema: Reading, *, most: int) -> Any:
    """Return what a JSON file of at most ``most`` bytes holds, read by a schema.

    Raises ``ValueError`` in one line that names the file, and the field where there is one.
    """
    try:
        if not path.is_file():
            raise ValueError("is not there" if not path.exists() else "is not a file")
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise ValueError(f"has more than {most:,} bytes")
        return schema("", _parsed(content))
    except RecursionError as error:
        raise ValueError(f"{path}: is nested too deeply") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:  # a number of 5,000 digits too
        raise ValueError(f"is not valid JSON: {error}") from error


def refused(where: str, value: Any, wanted: str) -> ValueError:
    """Return the error for a value that is not what is ``wanted``, in words."""
    return ValueError(f"{where or 'its content'}: {shortened(value)} is not {wanted}")


def anything(where: str, value: Any) -> Any:  # noqa: ARG001
    """Take whatever it is."""
    return value


def text(where: str, value: Any, most: int = 1000) -> str:
    """Take a name or a word, of at most so many characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise refused(where, value, f"a text of 1 to {most:,} characters")
    return in_unicode(where, value)


def in_unicode(where: str, value: Any) -> str:
    """Take a text, of any length, that every output takes."""
    try:
        if isinstance(value, str):
            value.encode()
            return value
    except UnicodeEncodeError:  # half of a pair
        pass
    raise refused(where, value, "text in Unicode")


def flag(where: str, value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise refused(where, value, "true or false")
    return value


def whole(low: int = -INT32, high: int = INT32) -> Reading:
    """Take a whole number from ``low`` to ``high``."""

    def read(where: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise refused(where, value, f"a whole number from {low} to {high}")
        return value

    return read


def number(low: float, high: float, *, above: bool = False) -> Reading:
    """Take a number from ``low``, or ``above`` it, to ``high``."""

    def read(where: str, value: Any) -> float:
        # NaN lies nowhere, so it is refused too.
        inside = type(value) in (int, float) and low <= value <= high
        if not inside or (above and value == low):
            raise refused(where, value, f"a number {'above' if above else 'from'} {low} to {high}")
        return float(value)

    return read


def score(where: str, value: Any) -> float:
    """Take a number, an infinite one and NaN too."""
    if type(value) is float and not math.isfinite(value):
        return value
    return float(number(-FLOAT64, FLOAT64)(where, value))


def one_of(names: Iterable[Any]) -> Reading:
    """Take one of the names."""

    def read(where: str, value: Any) -> str:
        name = text(where, value)
        check(where, name, names)
        return name

    return read


def list_of(one: Reading, least: int = 0, most: int = INT32) -> Reading:
    """Take a list; it becomes a tuple."""

    def read(where: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            length = f"{least} or more" if most == INT32 else f"{least} to {most}"
            raise refused(where, value, f"a list of {least if least == most else length}")
        return tuple(one(f"{where}[{place}]", item) for place, item in enumerate(value))

    return read


def or_null(one: Reading) -> Reading:
    """Take null too."""
    return lambda where, value: None if value is None else one(where, value)


def mapping(one: Reading) -> Reading:
    """Take a JSON object of any names whose values are alike."""

    def read(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refused(where, value, "a JSON object")
        return {in_unicode(where, n): one(f"{where}.{n[:80]}", each) for n, each in value.items()}

    return read


def record(
    required: Mapping[str, Reading], optional: Mapping[str, Reading], *, open_ended: bool = False
) -> Reading:
    """Take a JSON object of these fields; where it is ``open_ended`` of others too, as they are."""
    kinds = {**required, **optional}

    def read(where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refused(where, value, "a JSON object")
        prefix = f"{where}: " if where else ""
        if missing := sorted(set(required) - set(value)):
            raise ValueError(f"{prefix}lacks {', '.join(missing)}")
        if (strange := sorted(set(value) - set(kinds))) and not open_ended:
            raise ValueError(
                f"{prefix}has {shortened(strange[0])}, which is not one of {', '.join(kinds)}"
            )
        return {
            name: kinds.get(name, anything)(f"{where}.{name}" if where else name, one)
            for name, one in value.items()
        }

    return read
