"""HTML as a tree, so that no name can become markup: text is escaped where it is written out."""

import xml.etree.ElementTree as ET

from trainer.printing import inert
from trainer.store import without_passwords

Element = ET.Element
Child = Element | str


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element; ``class_`` is its class, and ``stroke_width`` the attribute stroke-width.

    What stands in a text and would be obeyed, or is a password, is made inert.
    """
    made = Element(tag, {_named(name): _inert(str(value)) for name, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            made.append(child)
            last = child
        elif last is None:
            made.text = (made.text or "") + _inert(child)
        else:
            last.tail = (last.tail or "") + _inert(child)
    return made


def page(root: Element) -> str:
    """Return a whole document."""
    return "<!DOCTYPE html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"


def listed(sentences: list[str]) -> Element:
    """Return sentences as a list."""
    return element("ul", *(element("li", sentence) for sentence in sentences))


def _named(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _inert(text: str) -> str:
    return "\n".join(map(inert, without_passwords(text).split("\n")))
