"""Text for a code page: what a cashier typed to characters this printer has, one cell each.

No character that controls a printer ever passes (docs/printing.md, section 2: ESC p in a name kicks the drawer).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from anyascii import anyascii

UNKNOWN = "?"
DASH = "–"
_DRAWN_DASH = "─"
"""A line across the cell: every DOS code page has it (0xC4 in CP852), none has the en dash of the law's labels."""

_ALWAYS = {
    "\u00a0": " ",  # no-break spaces: the paper wraps by its own rules
    "\u202f": " ",
    "\u2007": " ",
    "\u00ad": "",  # soft hyphen
    "\u200b": "",
    "\u200c": "",
    "\u200d": "",
    "\u2060": "",
    "\ufeff": "",
    _DRAWN_DASH: DASH,
}
_FALLBACK = {
    DASH: "-",
    "—": DASH,
    "―": DASH,
    "−": "-",
    "‐": "-",
    "‑": "-",
    "„": '"',
    "”": '"',
    "“": '"',
    "«": '"',
    "»": '"',
    "‚": "'",
    "‘": "'",
    "’": "'",
    "…": "...",
    "€": "EUR",
    "£": "GBP",
    "•": "*",
    "·": "*",
    "×": "x",
    "÷": ":",
    "µ": "u",
    "μ": "u",
    "Ω": "Ohm",
    "°": "st.",
    "±": "+/-",
    "§": "par.",
    "⁄": "/",
    "″": '"',
    "′": "'",
    "≤": "<=",
    "≥": ">=",
    "≠": "/=",
    "≈": "~",
    "⌀": "O",
    "‰": "promili",
    "®": "(R)",
    "©": "(C)",
    "→": "->",
    "←": "<-",
    "√": "pierw. z ",
    "∞": "bez konca",
    "ł": "l",
    "Ł": "L",
    "ß": "ss",
    "ẞ": "SS",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "þ": "th",
    "Þ": "Th",
    "ð": "d",
    "ı": "i",
}
"""Only where the code page lacks the character itself."""

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "h", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ж": "zh", "з": "z",
    "и": "y", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
    "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch",
    "ь": "", "ю": "iu", "я": "ia", "ё": "e", "ъ": "", "ы": "y", "э": "e", "ў": "u",
}  # fmt: skip
"""Ukrainian as its passports write it (Cabinet of Ministers 55/2010), and its neighbours' letters."""
for _letter, _latin in _CYRILLIC.items():
    _FALLBACK[_letter] = _latin
    _FALLBACK[_letter.upper()] = _latin.capitalize()


def clean(text: str) -> str:
    """Return ``text`` in NFC, every run of white space one space, no control, format or unassigned characters."""
    if not (text.isascii() and text.isprintable()):  # most of a receipt needs no look at its letters
        text = "".join(map(_cleaned, unicodedata.normalize("NFC", text)))
    return " ".join(text.split())


@lru_cache(maxsize=4096)
def _cleaned(letter: str) -> str:
    known = _ALWAYS.get(letter)
    if known is not None:
        return known
    if letter.isspace():
        return " "
    return "" if unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp") else letter


def fit(text: str, encoding: str) -> str:
    """Return ``text`` in characters of the code page; what it lacks becomes its ASCII likeness, or ``?``.

    A likeness never runs into the digits beside it: 1½ is "1 1/2" and 10² is "10^2", where 11/2 and 102 would lie.
    """
    text = clean(text)
    if (text.isascii() and _keeps_ascii(encoding)) or _fits_whole(text, encoding):
        return text
    fitted = ""
    kind_before = ""
    for letter in text:
        likeness = _likeness(letter, encoding)
        if not likeness:
            continue
        kind = _kind(letter, likeness)
        fitted += _joint(fitted, kind_before, likeness, kind) + likeness
        kind_before = kind
    return " ".join(fitted.split())


def _kind(letter: str, likeness: str) -> str:
    """Return what stands for a letter: "" itself or a plain digit, "^" raised, "_" lowered, " " something longer."""
    if likeness == letter or unicodedata.category(letter) == "Nd":
        return ""
    return {"<super>": "^", "<sub>": "_"}.get(unicodedata.decomposition(letter).split(" ")[0], " ")


def _joint(before: str, kind_before: str, likeness: str, kind: str) -> str:
    if not before[-1:].isdigit() or not (likeness[0].isdigit() or (kind in "^_" and likeness[0] in "+-")):
        return ""
    if kind == kind_before != " ":
        return ""
    return kind or " "


def encode(text: str, encoding: str) -> bytes:
    """Return the bytes of a text that fit() made. Every byte is a printable character of the page."""
    if text.isascii() and text.isprintable() and _keeps_ascii(encoding):
        return text.encode("ascii")  # most lines, and a tenth of the work
    data = _as_on_page(text, encoding).encode(encoding)
    if data.translate(None, _PRINTABLE):
        raise ValueError(f"text with a control byte: {text!r}")
    return data


def decode(data: bytes, encoding: str) -> str:
    """Return the text that encode() made these bytes of. Raises UnicodeDecodeError."""
    return data.decode(encoding).replace(_DRAWN_DASH, DASH)


def printable(byte: int) -> bool:
    """Tell whether a printer prints this byte; all others command it."""
    return byte >= 0x20 and byte != 0x7F


_PRINTABLE = bytes(byte for byte in range(256) if printable(byte))
_ASCII = "".join(map(chr, range(0x20, 0x7F)))


@lru_cache(maxsize=16)
def _keeps_ascii(encoding: str) -> bool:
    """Tell whether every printable character of ASCII is its own byte on the page; of cp864 the percent sign is not."""
    return _ASCII.encode(encoding, "replace") == _ASCII.encode("ascii")


def _fits_whole(text: str, encoding: str) -> bool:
    """Tell whether the page has every letter of a cleaned text: then nothing stands for anything."""
    try:
        data = _as_on_page(text, encoding).encode(encoding)
    except UnicodeEncodeError:
        return False
    return len(data) == len(text) and not data.translate(None, _PRINTABLE)


@lru_cache(maxsize=4096)
def _likeness(letter: str, encoding: str) -> str:
    if _has(letter, encoding):
        return letter
    known = _FALLBACK.get(letter)
    if known is not None:
        return _likeness(known, encoding) if known == DASH else known
    plain = "".join(_FALLBACK.get(part, part) for part in unicodedata.normalize("NFKD", letter) if not _is_mark(part))
    if plain and plain.isascii() and plain.isprintable():
        return plain
    if unicodedata.category(letter)[0] not in "LMNP":
        return UNKNOWN  # emoji and other pictures
    latin = anyascii(letter)  # empty: a mark, or a letter that only carries a vowel
    return latin if latin.isprintable() else UNKNOWN


def _is_mark(letter: str) -> bool:
    """Accents and selectors of a letter's look, which have no cell of their own."""
    return unicodedata.category(letter) in ("Mn", "Me")


def _has(letter: str, encoding: str) -> bool:
    return _fits(_as_on_page(letter, encoding), encoding)


def _as_on_page(text: str, encoding: str) -> str:
    return text if _fits(DASH, encoding) else text.replace(DASH, _DRAWN_DASH)


@lru_cache(maxsize=4096)
def _fits(letter: str, encoding: str) -> bool:
    try:
        data = letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return len(data) == 1 and printable(data[0])
