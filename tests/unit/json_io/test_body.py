"""JSON bodies: what is refused, where, and what counts as the same request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.errors import BadInput
from agent.domain.json_io.body import DEEPEST, canonical_bytes, parse_object

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b'{"a":\n 1 2}', "not-json", "wierszu 2, kolumnie 4"),
        (b'{"a":\n 1,}', "not-json", "wierszu 2"),
        ('{"a": "ż"}'.encode("cp1250"), "not-json", "Bajt 8"),
        (b'{"a": NaN}', "not-json", "NaN"),
        (b'{"a":\n' * DEEPEST + b" [1]", "not-json", f"zagnieżdżenia w wierszu {DEEPEST + 1}, kolumnie 2"),
        (b'{"a":' * 100_000, "not-json", "zagnieżdżenia"),
        (b'{"a":' + b"[" * 100_000, "not-json", "zagnieżdżenia"),
        (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "not-json", "zagnieżdżenia"),
        (b" <Faktura/>", "not-json", "application/xml"),
        (b"[]", "not-json", "obiektu"),
        (b'{"a": {"nip": 1, "nip": 2}}', "duplicate-json-key", "nip"),
    ],
    ids=["number", "comma", "cp1250", "nan", "deep", "unfinished", "arrays", "finished", "xml", "list", "twice"],
)
def test_refusals_tell_the_place_in_polish(body: bytes, code: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_object(body)
    sentences = [caught.value.detail, *(error.message for error in caught.value.errors)]
    assert caught.value.code == code
    assert any(told in sentence for sentence in sentences), sentences


@given(st.dictionaries(st.text(), values, max_size=4), st.integers(0, 4))
def test_the_same_object_however_it_is_written(document: dict[str, object], indent: int) -> None:
    turned = dict(reversed(document.items()))
    body = json.dumps(turned, indent=indent, ensure_ascii=True).encode()
    assert canonical_bytes(parse_object(body)) == canonical_bytes(parse_object(json.dumps(document).encode()))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (r'{"reason": "zwrot \ud800"}', "/reason"),
        (r'{"bases": [{"number": "FV-1"}, {"number": "\uDFFF"}]}', "/bases/1/number"),
        (r'{"a/b": {"\uD83D": 1}}', "/a~1b/?"),
        (r'{"a": ["\ude00\ud83d"]}', "/a/0"),
    ],
)
def test_half_a_character_gets_no_further(body: str, pointer: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_object(body.encode())
    [error] = caught.value.errors
    assert (caught.value.code, error.pointer, error.code) == ("forbidden-character", pointer, "forbidden-character")
    f"{caught.value.detail}{error.message}{error.pointer}".encode()


def test_whole_pairs_are_characters() -> None:
    assert parse_object(rb'{"a": "\ud83d\uDE00", "b": "\\ud800"}') == {"a": "\U0001f600", "b": "\\ud800"}


def test_as_deep_as_allowed_is_read() -> None:
    body = b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST
    assert parse_object(body)
    assert parse_object(b'{"a":' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}")
    many = b'{"a": [' + b"[{}], " * 10_000 + b"[]]}"
    assert parse_object(many)


@pytest.mark.parametrize("text", ["[" * 99, "}{" * 99, '\\"' + "{" * 99, "\\\\", '"' + "[{" * 99], ids=repr)
def test_brackets_within_texts_are_no_depth(text: str) -> None:
    document = {"a": text, text: [text]}
    assert parse_object(json.dumps(document).encode()) == document


@given(values)
def test_the_depth_counted_is_the_depth_there_is(value: object) -> None:
    def depth(of: object) -> int:
        if isinstance(of, dict):
            return 1 + max((depth(each) for each in of.values()), default=0)
        return 1 + max((depth(each) for each in of), default=0) if isinstance(of, list) else 0

    around = DEEPEST - 1 - depth(value)
    body = '{"a":' + "[" * around + json.dumps(value) + "]" * around + "}"
    parse_object(body.encode())
    if depth(value):
        with pytest.raises(BadInput):
            parse_object(body.replace('{"a":', '{"a":[', 1).removesuffix("}").encode() + b"]}")


def test_a_text_without_its_end_takes_no_longer_for_its_length() -> None:
    """A pattern that began anew at every quote would take hours."""
    with pytest.raises(BadInput):
        parse_object(b'{"a": [[[[' + b"{" * 40 + b'"' + b'\\"' * 500_000)
    with pytest.raises(BadInput):
        parse_object(b"[" * DEEPEST + b"{}" + b'"' + b'\\"[' * 500_000)


def test_another_value_is_another_request() -> None:
    assert canonical_bytes(parse_object(b'{"a": "1.0"}')) != canonical_bytes(parse_object(b'{"a": "1.00"}'))
