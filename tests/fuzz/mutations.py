"""Spoils inputs: bytes, lines, numbers, JSON and XML parts; deterministic by its random generator."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

LARGEST = 60_000
"""Bytes of a spoilt input: slow readers show at this size."""
TOKENS: tuple[bytes, ...] = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r\n", b"\n", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"{",
    b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e999", b"1e-999", b"9" * 400, b"0.1",
    b"-1", b"2147483648", b"18446744073709551616", b"&#0;", b"&#x110000;", b"&lt;", b"&a;",
    b"<!DOCTYPE a [<!ENTITY a 'a'>]>", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x ?>", b"</", b"/>", b"xmlns='x'",
    b"0000-00-00", b"9999-12-31T23:59:60Z",
    b"2026-02-30", b"2026-11-29T12:00:00+99:99", b"\x10\x04\x01", b"\x37\x22", b"\x37\x25\x00", b"\x1d\x28\x6b\xff\xff",
    b"../../etc/passwd", b"\xc4\x85", b"\xe2\x80\xae", b"\xed\xa0\x80", b"%s%n", b"=1+1", b"\xc2\xb2",
    b"[INFO]", b"[ZAWARTOSC]",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**400, 1e308, "", "x" * 3000, "\u0000", "\ud800", "²", "١٢", "-0", "NaN", "1e999",
    "2026-02-30", "9999-12-31", "0001-01-01T00:00:00Z", "2026-11-29T24:00:00Z", [], {}, [[]], [None],
    {"": None}, ["a", 1],
)  # fmt: skip


def spoil(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Return ``data`` with one to five spoilt places; ``others``: inputs of the same kind, to take pieces of."""
    if draw.random() < 0.4:
        data = _json(data, draw)
    for _ in range(draw.choice((1, 1, 2, 3, 5))):
        data = _bytes(data, others, draw)[:LARGEST]
    return data


def _bytes(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.choice((1, 1, 2, 4, 16, 64, 400)))
    match draw.randrange(10):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:at] + draw.choice(TOKENS) + data[end:]
        case 3:
            return data[:at] + draw.choice(TOKENS) + data[at:]
        case 4:
            return data[:at] + data[at:end] * draw.choice((2, 3, 50, 1000)) + data[end:]
        case 5:
            return data[:at] + bytes((draw.randrange(256),)) + data[at + 1 :]
        case 6:
            flipped = bytes((data[at] ^ (1 << draw.randrange(8)),)) if at < len(data) else b""
            return data[:at] + flipped + data[at + 1 :]
        case 7:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            return data[:at] + other[start : start + draw.choice((8, 64, 800))] + data[end:]
        case 8:
            lines = data.splitlines(keepends=True) or [b""]
            first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            return b"".join(lines)
        case _:
            return draw.choice((b"[", b'{"a":', b"<a>", b"[[", b"(")) * draw.choice((5, 200, 3000)) + data


def _json(data: bytes, draw: random.Random) -> bytes:
    """Put a strange value into a JSON document, or take a member away; other bytes come back as they are."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = [(container, key) for container in _containers(document) for key in _keys(container)]
    if not places:
        return data
    container, key = draw.choice(places)
    match draw.randrange(4):
        case 0:
            del container[key]
        case 1:
            container[key] = [container[key]] * draw.choice((1, 2, 300))
        case 2:
            container[key] = draw.choice(places)[0]
        case _:
            container[key] = draw.choice(VALUES)
    try:
        return json.dumps(document).encode()
    except (ValueError, RecursionError):  # put into itself
        return data


def _containers(value: Any) -> list[Any]:
    found = [value] if isinstance(value, (dict, list)) else []
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += _containers(item)
    return found


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))
