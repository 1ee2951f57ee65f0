"""Korekta techniczna: the same content as new bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lxml import etree

from agent.domain.fa3.view.read import read

NAMESPACE = "http://crd.gov.pl/wzor/2025/06/25/13775/"
MADE_AT = f".//{{{NAMESPACE}}}Naglowek/{{{NAMESPACE}}}DataWytworzeniaFa"


def with_new_timestamp(xml: bytes, now: datetime) -> bytes:
    """Return the same document with a later DataWytworzeniaFa (UTC, seconds): other bytes, same content."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=False)
    root = etree.fromstring(xml, parser)
    element = root.find(MADE_AT)
    if element is None:
        raise ValueError("FA(3) without Naglowek/DataWytworzeniaFa")
    before = element.text
    element.text = _seconds(now)
    if element.text == before:
        element.text = _seconds(now + timedelta(seconds=1))
    result: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return result


def _seconds(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def same_content(old: bytes, new: bytes) -> bool:
    """Whether two documents say the same but for their header (when and by what they were made)."""
    return _content(old) == _content(new) and read(old).number == read(new).number


def _content(xml: bytes) -> bytes:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
    root = etree.fromstring(xml, parser)
    header = root.find(f"{{{NAMESPACE}}}Naglowek")
    if header is not None:
        root.remove(header)
    canonical: bytes = etree.tostring(root, method="c14n2")
    return canonical
