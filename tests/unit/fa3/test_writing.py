"""Writing FA(3): what stands in a text stays a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from agent.domain.fa3.writing import Element, add, section, to_bytes

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.sampled_from("&<>\"'\t\n\r"), max_size=20)


@given(text=TEXT, attribute=TEXT.filter(lambda text: not {"\t", "\n", "\r"} & set(text)))
def test_a_parser_reads_what_was_written(text: str, attribute: str) -> None:
    root = Element("a", {"b": attribute})
    add(section(root, "c"), "d", text, {"e": attribute})
    read = etree.fromstring(to_bytes(root))
    (leaf,) = read[0]
    assert (read.get("b"), leaf.get("e"), leaf.text or "") == (attribute, attribute, text)


def test_elements_stand_in_the_order_of_writing() -> None:
    root = Element("a")
    inner = section(root, "b")
    add(root, "c", None)
    add(inner, "d", "")
    section(root, "e")
    assert to_bytes(root) == b"<?xml version='1.0' encoding='UTF-8'?>\n<a><b><d></d></b><c/><e/></a>"
