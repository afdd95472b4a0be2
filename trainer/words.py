"""The words of a command line before they are parsed: sizes, blanks in paths, what is surplus."""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, takewhile
from pathlib import Path
from typing import get_args

from trainer.options import Option
from trainer.other_words import unknown_setting

_SIZE = re.compile(r"(\d+)[x×](\d+)", re.IGNORECASE)
# Of how many words the parts of one path may be.
_PARTS = 12


def sizes_apart(words: Sequence[str], options: Sequence[Option]) -> list[str]:
    """Return ``words`` with sizes as two numbers, where tables have them as one word: 160x240.

    Raises ``ValueError`` for one number alone: it could be either side of the image.
    """
    sizes = {option.flag for option in options if get_args(option.kind) == (int, int)}
    told: list[str] = []
    left = list(words)
    while left:
        flag, given, value = left.pop(0).partition("=")
        if flag.replace("_", "-") not in sizes:
            told.append(flag + given + value)
            continue
        value = value if given else left.pop(0) if left else ""
        if size := _SIZE.fullmatch(value):
            told += [flag, *size.groups()]
        elif value and not (value.isdecimal() and left and left[0].isdecimal()):
            raise ValueError(f"{flag}: {value} is not two numbers; give 160 240, or 160x240")
        else:
            told += [flag, *([value] if value or given else [])]
    return told


def surplus(rest: Sequence[str], options: Sequence[Option], prog: str) -> str:
    """Return what is wrong with the words ``rest`` that no option takes."""
    flags = [word.split("=")[0] for word in rest if word.startswith("-")]
    if not flags:
        return f"unexpected argument {rest[0]!r}; see {prog} --help"
    known = [option.flag for option in options if not option.is_positional]
    return str(unknown_setting("option", flags[0], known, see=f"{prog} --help"))


def in_parts(words: Sequence[str]) -> str | None:
    """Return what to do about a path with blanks that came as several words; None without one."""
    path = next(filter(_exists, _joined(words)), None)
    return path and f"{path!r} has blanks; put it in quotes: {shlex.quote(path)}"


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # Too long for a name, or where nobody may look.
        return False


def _joined(words: Sequence[str]) -> Iterator[str]:
    for start, word in enumerate(words):
        first = word.partition("=")[2] if word.startswith("-") else word
        if first and not _exists(first):
            rest = takewhile(lambda each: not each.startswith("-"), words[start + 1 :])
            yield from islice(accumulate([first, *rest], "{} {}".format), 1, _PARTS)
