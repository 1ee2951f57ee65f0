"""JSON values, and the one text of each: what is hashed and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical(data: Json) -> str:
    """Return the one JSON text of ``data``: sorted keys, no blanks, letters as they are.

    NaN and infinities raise ValueError. Lone surrogates, which no UTF-8 file can hold, become question marks.
    """
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode("utf-8")
