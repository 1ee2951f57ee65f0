"""Korekta techniczna: the same content as new bytes (docs/law.md, section 4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from agent.domain.fa3.technical_correction import same_content, with_new_timestamp
from tests.unit.fa3.fa3_documents import document

LATER = datetime(2026, 12, 1, 8, 30, 15, tzinfo=UTC)


def made_at(xml: bytes) -> str:
    found = re.search(rb"<DataWytworzeniaFa>(.*)</DataWytworzeniaFa>", xml)
    assert found is not None
    return found[1].decode()


def test_other_bytes_that_say_the_same() -> None:
    corrected = with_new_timestamp(document(), LATER)
    assert corrected.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<Faktura ")
    assert made_at(corrected) == "2026-12-01T08:30:15Z"
    assert same_content(document(), corrected)
    assert not same_content(document(), with_new_timestamp(document(number="FV/2"), LATER))


def test_white_space_between_elements_says_nothing() -> None:
    spaced = document().replace(b"<Podmiot2>", b"\n  <Podmiot2>\n    ")
    assert same_content(document(), spaced)


def test_within_the_same_second_the_bytes_differ_all_the_same() -> None:
    once = with_new_timestamp(document(), LATER)
    twice = with_new_timestamp(once, LATER + timedelta(milliseconds=400))
    assert made_at(twice) == "2026-12-01T08:30:16Z"


def test_a_document_without_its_time_is_none() -> None:
    spoilt = document().replace(b"DataWytworzeniaFa", b"DataWytworzenia")
    with pytest.raises(ValueError, match="DataWytworzeniaFa"):
        with_new_timestamp(spoilt, LATER)
