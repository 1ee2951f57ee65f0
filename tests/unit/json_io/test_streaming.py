"""An object read member by member is what json.loads() makes of it, however its bytes come."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.domain.json_io import streaming
from agent.domain.json_io.canonical import Json
from agent.domain.json_io.streaming import read_object

plain = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
objects = st.dictionaries(st.sampled_from(["files", "format", "chain", "ż"]), values, max_size=4)


def read(text: bytes, size: int) -> dict[str, Json]:
    taken: dict[str, Json] = {}

    def take(name: str, value: Json) -> None:
        taken[name] = value

    pieces = (text[place : place + size] for place in range(0, len(text), size))
    found = read_object(pieces, "files", take)
    return {**found, "files": taken} if found.get("files") == {} else found


@given(objects, st.integers(1, 7), st.sampled_from([None, 1]))
@example({"files": {"a": 12, "b": 345}, "chain": 67}, 1, None)
def test_an_object_is_read_whatever_its_pieces(value: dict[str, Json], size: int, indent: int | None) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
        assert read(text, size) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b" ", b"[]", b"1", b'"files"', b"{", b'{"files"', b'{"files":', b'{"files":{', b'{"files":{"a":"b"'),
        *(b'{"files":{}', b'{"files":{}}}', b'{"files":{}} 1', b'{"files":{},}', b'{"files":{"a":1,}}', b"{1:2}"),
        *(b'{"files":{},"files":{}}', b'{"files":1,"files":{}}', b'{"a" 1}', b'{"a":}', b'{"a":"\xff"}', b'{"a":"\xc5'),
        *(b'{"a":1}\xc5', b'{"a":nul}', b'{"a":' + b"[" * 100_000),
    ],
)
def test_what_is_no_object_is_told(text: bytes) -> None:
    for size in (1, 3, 1000):
        if len(text) // size < 1000:
            with pytest.raises((ValueError, RecursionError)):
                read(text, size)


def test_a_value_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LARGEST_VALUE", 100)
    read_pieces = 0

    def pieces() -> object:
        nonlocal read_pieces
        yield b'{"a":"'
        while True:
            read_pieces += 1
            yield b"x" * 50

    with pytest.raises(ValueError, match="Unterminated"):
        read_object(pieces(), "files", lambda _name, _value: None)  # type: ignore[arg-type]
    assert read_pieces < 5
