"""JSON bodies: what is refused, where, and what counts as the same request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.errors import BadInput
from agent.domain.json_io.body import one_way, parse_object

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b'{"a":\n 1,}', "not-json", "wierszu 2, kolumnie 4"),
        ('{"a": "ż"}'.encode("cp1250"), "not-json", "Bajt 8"),
        (b'{"a": NaN}', "not-json", "NaN"),
        (b'{"a":' * 100_000, "not-json", "zagnieżdżeń"),
        (b" <Faktura/>", "not-json", "application/xml"),
        (b"[]", "not-json", "obiektu"),
        (b'{"a": {"nip": 1, "nip": 2}}', "duplicate-json-key", "nip"),
    ],
    ids=["comma", "cp1250", "nan", "deep", "xml", "list", "twice"],
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
    assert one_way(parse_object(body)) == one_way(parse_object(json.dumps(document).encode()))


def test_another_value_is_another_request() -> None:
    assert one_way(parse_object(b'{"a": "1.0"}')) != one_way(parse_object(b'{"a": "1.00"}'))
