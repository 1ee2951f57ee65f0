"""The hash chain of the event log, and the contents of the evidence an auditor reads without this program.

    chain(n) = SHA-256( JSON array [chain(n-1), at, kind, invoice id or null, data] )

``data`` is the text of canonical(); the array is encoded as canonical() encodes too, so a field can not
run over into its neighbour. The chain of the first event stands on GENESIS.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

GENESIS = "0" * 64


def canonical(data: Json) -> str:
    """Return the one JSON text of ``data``: sorted keys, no blanks, letters as they are.

    NaN and infinities raise ValueError. Lone surrogates, which no UTF-8 file can hold, become question marks.
    """
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode("utf-8")


def chain(previous_hex: str, at_iso: str, kind: str, invoice_id: str | None, data_json: str) -> str:
    """Return the chain value of one event: 64 lower-case hexadecimal digits."""
    line = canonical([previous_hex or GENESIS, at_iso, kind, invoice_id, data_json])
    return hashlib.sha256(line.encode("utf-8")).hexdigest()
