"""JSON that a program wrote to a file: marks of UTF-8 and UTF-16 are believed, other code pages are named and refused.

Guessing a code page would put a wrong letter into a name on a legal document; a byte order mark is no guess.
"""

from __future__ import annotations

import codecs

from agent.domain.errors import BadInput, FieldError

_POLISH = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ„”–—…’‘°§²³ \u00a0")
_CODE_PAGES = (("cp1250", "Windows-1250"), ("iso8859-2", "ISO 8859-2"), ("cp852", "DOS 852"))


def to_utf_8(data: bytes) -> bytes:
    """Return the text as UTF-8 without a mark; BadInput (not-json) names another code page."""
    if data.startswith(codecs.BOM_UTF8):
        return data.removeprefix(codecs.BOM_UTF8)
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            try:
                return data.removeprefix(mark).decode(codec).encode()
            except UnicodeError as error:
                raise _refused("Plik zaczyna się jak UTF-16, a dalej nim nie jest.", 0) from error
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        name = _named(data)
        what = f"w stronie kodowej {name}" if name else "w nieznanej stronie kodowej"
        raise _refused(
            f"Plik jest zapisany {what}, a JSON ma być w UTF-8. Zapisz go jako UTF-8.", error.start
        ) from error
    return data


def _named(data: bytes) -> str | None:
    """Return the code page in which all letters beyond ASCII are Polish ones."""
    for codec, name in _CODE_PAGES:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if all(character in _POLISH for character in text if not character.isascii()):
            return name
    return None


def _refused(sentence: str, place: int) -> BadInput:
    error = FieldError("", f"Bajt {place + 1} nie jest tekstem UTF-8.", "not-json")
    return BadInput(sentence, code="not-json", errors=(error,))
