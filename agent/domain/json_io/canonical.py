"""JSON values, and the one text of each: what is hashed and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


_leaf = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_one_way = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def indented(data: Json, margin: str = "\n") -> str:
    """Return the text for people: json.dumps() with indent=1 and sorted keys, to the letter.

    That one writes indented text in Python, token by token, which was half of an evidence bundle's time. NaN and
    infinities raise ValueError. ``margin``: what begins a line at this depth.
    """
    if isinstance(data, str):
        return encode_basestring(data)
    inner = f"{margin} "
    if isinstance(data, Mapping):
        parts = [f"{encode_basestring(key)}: {indented(value, inner)}" for key, value in sorted(data.items())]
        return f"{{{inner}{f',{inner}'.join(parts)}{margin}}}" if parts else "{}"
    if isinstance(data, Sequence):
        parts = [indented(value, inner) for value in data]
        return f"[{inner}{f',{inner}'.join(parts)}{margin}]" if parts else "[]"
    return _leaf(data)


def canonical(data: Json) -> str:
    """Return the one JSON text of ``data``: sorted keys, no blanks, letters as they are.

    NaN and infinities raise ValueError. Lone surrogates, which no UTF-8 file can hold, become question marks.
    """
    text = _one_way(data)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
