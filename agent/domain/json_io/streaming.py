"""A JSON object that is too large to hold: one of its members is read member by member."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from agent.domain.json_io.canonical import Json

LARGEST_VALUE: Final = 1024 * 1024
"""Characters of any other value, name or member."""
_SPACE: Final = " \t\n\r"
_DECODER: Final = json.JSONDecoder()


def read_object(pieces: Iterable[bytes], name: str, take: Callable[[str, Json], None]) -> dict[str, Json]:
    """Return the object that ``pieces`` of UTF-8 hold; members of its member ``name`` go to ``take``, in their order.

    In the result that member is {}, where it is an object; else it is as it is. ValueError, RecursionError where it is
    no object, or has more than one member of that name; what was taken until then counts for nothing.
    """
    text = _Text(pieces)
    found: dict[str, Json] = {}
    for key in text.names():
        if key == name and key in found:
            raise ValueError(f"two members {name}")
        if key == name and text.peek() == "{":
            found[key] = {}
            for each in text.names():
                take(each, text.value())
        else:
            found[key] = text.value()
    if text.peek():
        raise ValueError("more than an object")
    return found


class _Text:
    """The text from a place on, of which a piece is in memory."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0

    def names(self) -> Iterator[str]:
        """Yield the names of an object's members; after each, whoever asks has read its value."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise ValueError("a name is expected")
            name = self.value()
            self._expect(":")
            yield str(name)
            if self.peek() == "}":
                self._at += 1
                return
            self._expect(",")

    def peek(self) -> str:
        """Return the next character that is no white space, "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def value(self) -> Json:
        """Read a value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > LARGEST_VALUE or not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():  # a number may go on
                continue
            self._at = end
            return value  # type: ignore[no-any-return]

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"{character} is expected")
        self._at += 1

    def _more(self) -> bool:
        for piece in self._pieces:
            if new := self._decoder.decode(piece):
                self._text, self._at = self._text[self._at :] + new, 0
                return True
        self._decoder.decode(b"", final=True)
        return False
