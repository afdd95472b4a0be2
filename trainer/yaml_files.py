"""YAML that people write: read safely, and every mistake in one line that names the file.

In YAML 1.1 ``off`` and ``no`` are false, ``2026-01-31`` is a date, ``010`` is eight and ``12:30``
is 750. Here they are words, as the names of caches, classes, images and folders are;
`trainer.settings.typed` makes a bool or a number of such a word where a field is one.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from trainer.files import read_text

TAG = "tag:yaml.org,2002:"
# Values that a file may stand for: ten aliases of ten aliases, and so on, are endless.
MOST_VALUES = 1_000_000


class _Names(yaml.SafeLoader):
    """YAML without bools and dates, its numbers decimal, no key twice in a mapping."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Check the keys as they are written: a merge may bring one of them once more."""
        node = super().compose_mapping_node(anchor)
        written = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in written and key.tag != f"{TAG}merge":
                problem = f"{key.value!r} stands there twice; remove one"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            written.add(name)
        return node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Count what a node stands for, each alias in it as what it repeats, and bound it."""
        repeats = self.check_event(yaml.AliasEvent)
        node: Any = super().compose_node(parent, index)
        if not repeats:
            parts = node.value if isinstance(node, yaml.CollectionNode) else ()
            inside = (part for pair in parts for part in (pair if type(pair) is tuple else (pair,)))
            node.stands_for = 1 + sum(part.stands_for for part in inside)
        problem = None
        if not hasattr(node, "stands_for"):  # it is not whole yet
            problem = "it holds itself"
        elif node.stands_for > MOST_VALUES:
            problem = f"its aliases stand for more than {MOST_VALUES:,} values"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node  # type: ignore[no-any-return]

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Name the line of a value that its tag does not fit, such as ``!!int one``."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{str(node.value)[:40]!r} is no {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


_Names.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag.removeprefix(TAG) in ("null", "merge")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Names.add_implicit_resolver(
    f"{TAG}int", re.compile(r"^[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Names.add_implicit_resolver(
    f"{TAG}float",
    re.compile(
        r"^([-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


class _Words(_Names):
    """The same with two bools, ``true`` and ``false``."""


_Words.add_implicit_resolver(
    f"{TAG}bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the ``key: value`` lines of a file; ``ValueError`` in one line that names it.

    It is one where the file cannot be read, is not UTF-8 text or no YAML, has a key twice, is
    nested too deep, or holds something other than a mapping.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, source: object, *, names: bool = False) -> dict[str, Any]:
    """Return what `read_yaml` does of a text, of which messages say that it is ``source``'s.

    With ``names`` the words ``true`` and ``false`` are text too.
    """
    try:
        # Both are safe loaders.
        document = yaml.load(text, Loader=_Names if names else _Words)
    except RecursionError as error:
        raise ValueError(f"{source}: is nested too deep") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: is not valid YAML: {_reason(error, text)}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{source}: must hold 'key: value' lines")
    return {str(key): value for key, value in document.items()}


def _reason(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"line {text.count(chr(10), 0, error.position) + 1}: {error.reason}"
    return str(error).splitlines()[0]
