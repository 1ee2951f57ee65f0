"""Writing FA(3): elements in their order, text escaped, the same bytes for the same content.

lxml would make an object of each element, which is most of the time that a document of a hundred lines takes. Nothing
is issued that Fa3Schema.check() has not parsed strictly and found valid.
"""

from __future__ import annotations

from collections.abc import Mapping

DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"


class Element:
    """An element with other elements in it; section() and add() fill it."""

    __slots__ = ("content", "name", "start")

    def __init__(self, name: str, attributes: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.start = name + _attributes(attributes or {})
        """What stands between the brackets of its start tag."""
        self.content: list[str | Element] = []
        """In order: leaves as they are written, and elements."""

    def __str__(self) -> str:
        """Return it as it is written."""
        if not self.content:
            return f"<{self.start}/>"
        return f"<{self.start}>{''.join(map(str, self.content))}</{self.name}>"


def section(parent: Element, name: str) -> Element:
    """Append an element for other elements."""
    element = Element(name)
    parent.content.append(element)
    return element


def add(parent: Element, name: str, text: str | None, attributes: Mapping[str, str] | None = None) -> None:
    """Append an element with a text; None: an empty one."""
    start = name + _attributes(attributes) if attributes else name
    parent.content.append(f"<{start}/>" if text is None else f"<{start}>{escaped(text)}</{name}>")


def to_bytes(root: Element) -> bytes:
    """Serialise: UTF-8, declaration, no indentation. These bytes are hashed and never change."""
    return f"{DECLARATION}{root}".encode()


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f' {name}="{escaped(value).replace(chr(34), "&quot;")}"' for name, value in attributes.items())


def escaped(text: str) -> str:
    """Return text as it stands between tags, as lxml writes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
