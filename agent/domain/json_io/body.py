"""JSON bodies of tills and commands, read strictly: one object in UTF-8, no key twice, no NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from agent.domain.errors import BadInput, FieldError
from agent.domain.json_io.canonical import Json


class _DuplicateKey(ValueError):
    """An object names a key twice; which one is meant nobody knows."""


def parse_object(body: bytes) -> Mapping[str, Json]:
    """Parse one object; numbers with a point come as floats, which every reader of amounts refuses.

    BadInput: duplicate-json-key, or not-json with the place.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except _DuplicateKey as error:
        sentence = f"Pole „{str(error)[:60]}” podano dwa razy w tym samym miejscu."
        raise BadInput(sentence, code="duplicate-json-key") from error
    except (ValueError, RecursionError) as error:
        hint = " To wygląda na XML: wyślij go z nagłówkiem Content-Type: application/xml." if _is_xml(body) else ""
        raise BadInput(
            f"Przesłane dane nie są poprawnym JSON (UTF-8).{hint}",
            code="not-json",
            errors=(FieldError("", _place(error), "not-json"),),
        ) from error
    if not isinstance(value, dict):
        raise BadInput("Oczekiwano obiektu JSON, czyli danych w nawiasach { }.", code="not-json")
    return cast("Mapping[str, Json]", value)


def one_way(document: Mapping[str, Json]) -> bytes:
    """Write the object in one way: a till that writes its basket anew after a crash repeats the same request."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


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


def _place(error: ValueError | RecursionError) -> str:
    match error:
        case json.JSONDecodeError():
            return f"Błąd w wierszu {error.lineno}, kolumnie {error.colno}."
        case UnicodeDecodeError():
            return f"Bajt {error.start + 1} nie jest tekstem UTF-8."
        case RecursionError():
            return "Za dużo zagnieżdżeń."
        case _:
            return str(error)


def _is_xml(body: bytes) -> bool:
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
