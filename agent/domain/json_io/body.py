"""JSON bodies of tills and commands, read strictly: one object in UTF-8, no key twice, no NaN, of bounded depth.

Half a surrogate pair is JSON by its grammar ("\\ud800"), but no text that UTF-8 could hold: no database, document or
answer takes it, so none gets further than here.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Final, cast

from agent.domain.errors import BadInput, FieldError
from agent.domain.json_io.canonical import Json
from agent.domain.json_io.reader import escape, shown

DEEPEST: Final = 32
"""Levels of objects and arrays, far more than the API has; how deep Python itself reads differs by version."""

_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
"""A string without its end reaches to the end of the text."""
_TOKEN: Final = re.compile(_STRING + r"|[\[{\]}]", re.DOTALL)
"""A string, or a bracket outside strings."""
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""What a surrogate can come from: UTF-8 itself has none."""
_NO_BRACKET: Final = re.compile(_STRING + r"|[^\[{\]}\"]++", re.DOTALL)


class _DuplicateKey(ValueError):
    """An object names a key twice; which one is meant nobody knows."""


class _TooDeep(json.JSONDecodeError):
    """Objects or arrays within one another beyond ``DEEPEST``; where the first of them begins."""


def parse_object(body: bytes) -> Mapping[str, Json]:
    """Parse one object; numbers with a point come as floats, which every reader of amounts refuses.

    BadInput: duplicate-json-key, not-json or forbidden-character with the place.
    """
    try:
        text = body.decode("utf-8-sig")  # a byte order mark says nothing that RFC 8259 would need, and tills send it
        _require_shallow(text)
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _DuplicateKey as error:
        sentence = f"Pole „{shown(str(error), 60)}” podano dwa razy w tym samym miejscu."
        raise BadInput(sentence, code="duplicate-json-key") from error
    except ValueError as error:
        raise BadInput(
            f"Przesłane dane nie są poprawnym JSON (UTF-8).{_hint(body)}",
            code="not-json",
            errors=(FieldError("", _place(error), "not-json"),),
        ) from error
    if not isinstance(value, dict):
        raise BadInput("Oczekiwano obiektu JSON, czyli danych w nawiasach { }.", code="not-json")
    if _SURROGATE.search(text) is not None:
        _require_whole_characters(value, "")
    return cast("Mapping[str, Json]", value)


def canonical_bytes(document: Mapping[str, Json]) -> bytes:
    """Write the object in one way: a till that writes its basket anew after a crash repeats the same request."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _require_whole_characters(value: object, pointer: str) -> None:
    """Refuse the first text, or name, with half a surrogate pair; json.loads() joined the whole ones."""
    if isinstance(value, str) and (half := next((each for each in value if "\ud800" <= each <= "\udfff"), None)):
        sentence = f"Niedozwolony znak U+{ord(half):04X}: połowa pary zastępczej."
        raise BadInput(
            sentence, code="forbidden-character", errors=(FieldError(pointer, sentence, "forbidden-character"),)
        )
    if isinstance(value, dict):
        for name, member in value.items():
            inside = f"{pointer}/{escape(name)}"
            _require_whole_characters(name, inside)
            _require_whole_characters(member, inside)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _require_whole_characters(item, f"{pointer}/{place}")


def _require_shallow(text: str) -> None:
    """Refuse what is nested too deep before anything walks down: a parser's own limit may be that of the stack."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth = deepest = 0
    for bracket in _NO_BRACKET.sub("", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest <= DEEPEST:
        return
    depth = 0  # and once more for the place
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                raise _TooDeep("too deep", text, token.start())
        elif token[0] in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return result


def _no_constant(word: str) -> Json:
    raise ValueError(f"{word} nie jest liczbą JSON.")


def _place(error: ValueError) -> str:
    match error:
        case _TooDeep():
            return f"Więcej niż {DEEPEST} poziomy zagnieżdżenia w wierszu {error.lineno}, kolumnie {error.colno}."
        case json.JSONDecodeError():
            return f"Błąd w wierszu {error.lineno}, kolumnie {error.colno}."
        case UnicodeDecodeError():
            return f"Bajt {error.start + 1} nie jest tekstem UTF-8."
        case _:
            return str(error)


def _hint(body: bytes) -> str:
    if body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return " To wygląda na XML: wyślij go z nagłówkiem Content-Type: application/xml."
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        return " To wygląda na UTF-16: zapisz je w UTF-8."
    return ""
