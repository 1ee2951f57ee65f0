"""Text that KSeF takes: which characters, how white space is folded.

KSeF refuses (450) characters that XML 1.0 forbids and those it only discourages: U+007F-U+0084, U+0086-U+009F,
U+FDD0-U+FDEF and the last two of every plane. The XSD's types are xsd:token, where runs of white space are one space.
"""

from __future__ import annotations

import re
import unicodedata

_LAST_OF_PLANES = "".join(chr(plane * 0x10000 + 0xFFFE) + chr(plane * 0x10000 + 0xFFFF) for plane in range(1, 17))
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff" + _LAST_OF_PLANES + "]"
)
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates of the bidirectional algorithm (UAX #9). The marks LRM and RLM only separate."""
_WHITE_SPACE = re.compile("[ \t\r\n\x85\u2028\u2029]+")


def collapse(text: str) -> str:
    """Return ``text`` in NFC with every run of white space, line breaks included, as one space; none at the ends."""
    if "  " not in text and text.isprintable():  # no white space but single spaces
        return unicodedata.normalize("NFC", text).strip(" ")
    return _WHITE_SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def storable(text: str) -> str:
    """Return the text with lone surrogates, which JSON allows and no UTF-8 holds, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def told(text: str, longest: int) -> str:
    """Return what another program says as a sentence for a log, a screen, a database: one line, so long at most.

    What cannot be printed, lone surrogates and turned directions among it, becomes a blank.
    """
    cut = text if len(text) <= longest else text[:longest] + "…"
    return cut if cut.isprintable() else "".join(each if each.isprintable() else " " for each in cut)


def first_forbidden(text: str) -> str | None:
    """Return the first character that KSeF refuses as "U+0084", None where there is none."""
    if text.replace("\n", "").isprintable():
        return None  # none of them is printable: many times as fast for a document of a hundred lines
    found = _FORBIDDEN.search(text)
    return None if found is None else f"U+{ord(found.group()):04X}"


def first_misleading(text: str) -> str | None:
    """Return the first character that turns the direction of what follows as "U+202E", None where there is none.

    KSeF takes them, but a name would read otherwise on a screen than it is on paper and in KSeF.
    """
    if text.isprintable():
        return None
    found = _DIRECTIONS.search(text)
    return None if found is None else f"U+{ord(found.group()):04X}"


def is_word(text: str | None) -> bool:
    """Tell whether a text says anything: a letter or a digit of some script; a dash or a dot names nobody."""
    return text is not None and any(character.isalnum() for character in text)


def is_visible(text: str) -> bool:
    """Tell whether there is anything to read: not only spaces and invisible characters."""
    if text.isprintable():  # of white space it may hold blanks only
        return not text.isspace() and bool(text)
    return any(character.isprintable() and not character.isspace() for character in text)
