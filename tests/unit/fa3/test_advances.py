"""Advances and settlements as ready FA(3): what they have to name (art. 106f)."""

from __future__ import annotations

import re

from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.test_supplied import check, mistakes

OF_ANOTHER = "<FakturaZaliczkowa><NrKSeFFaZaliczkowej>5261040828-20261120-8BEF280C8D35-4D</NrKSeFFaZaliczkowej>"
PREDECESSOR = (
    "<Podmiot3><DaneIdentyfikacyjne><NIP>5261040828</NIP><Nazwa>Poprzednik</Nazwa></DaneIdentyfikacyjne>"
    "<Rola>3</Rola></Podmiot3>"
)


def test_a_settlement_names_its_advances() -> None:
    xml = re.sub(rb"<FakturaZaliczkowa>.*</FakturaZaliczkowa>", b"", documents.SETTLEMENT)
    assert mistakes(xml) == {("advance-missing", "/Faktura/Fa/FakturaZaliczkowa")}


def test_advances_are_the_sellers_own() -> None:
    closing = f"{OF_ANOTHER}</FakturaZaliczkowa>"
    xml = documents.document(kind="ROZ", after_kind=closing)
    assert mistakes(xml) == {
        ("base-of-another-seller", "/Faktura/Fa/FakturaZaliczkowa[1]/NrKSeFFaZaliczkowej"),
    }
    assert check(documents.document(kind="ROZ", after_kind=closing, others=PREDECESSOR)).number


def test_an_advance_says_what_it_is_paid_for() -> None:
    assert mistakes(documents.document(kind="ZAL", body="")) == {("order-missing", "/Faktura/Fa/Zamowienie")}
    assert check(documents.document(kind="ZAL")).number


def test_an_advance_is_at_most_its_order() -> None:
    assert check(documents.ADVANCE.replace(b"<WartoscZamowienia>2460", b"<WartoscZamowienia>1230")).number
    more = documents.ADVANCE.replace(b"<WartoscZamowienia>2460", b"<WartoscZamowienia>1200")
    assert mistakes(more) == {("sum-contradicts", "/Faktura/Fa/P_15")}
