"""Receipt documents for the tests of printers, and the lengths of real links (docs/printing.md, section 4)."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import strategies as st

from agent.domain.paper.receipt import Align, Blank, Element, Pair, Qr, Receipt, Rule, Table, Text
from printers.profiles.models import PROFILES, Profile, QrMode

INVOICE_LINK = (
    "https://qr-test.ksef.mf.gov.pl/invoice/5265877635/01-02-2026/UtQp9Gpc51y-u3xApZjIjgkpZ01js-J8KflSPW8WzIE"
)
_CERTIFICATE = (
    "https://qr-test.ksef.mf.gov.pl/certificate/Nip/5265877635/5265877635/01F20A5D352AE590/"
    "UtQp9Gpc51y-u3xApZjIjgkpZ01js-J8KflSPW8WzIE/"
)
EC_LINK = (_CERTIFICATE + "rT3-xK_9" * 40)[:216]
LONGEST_EC_LINK = (_CERTIFICATE + "rT3-xK_9" * 40)[:236]
RSA_LINK = (_CERTIFICATE + "rT3-xK_9" * 80)[:472]
LONGEST_RSA_LINK = (_CERTIFICATE + "rT3-xK_9" * 80)[:492]
RSA_4096_LINK = (_CERTIFICATE + "rT3-xK_9" * 120)[:813]

KSEF_NUMBER = "5265877635-20250826-0100001AF629-AF"

WIDTHS = ("generic-80", "generic-80-512", "generic-58")


def profile(name: str, qr: QrMode) -> Profile:
    """A generic profile that draws all its codes in one way."""
    return replace(PROFILES[name], qr=qr, qr_native_limit=7089)


def receipt(*elements: Element, open_drawer: bool = False) -> Receipt:
    return Receipt("Próba", elements, open_drawer=open_drawer)


def invoice(certificate_link: str = EC_LINK) -> Receipt:
    """A slip with everything a slip may have."""
    return receipt(
        Text("SKLEP „Żółta Łódź” Sp. z o.o.", Align.CENTER, bold=True, large=True),
        Text("ul. Źródlana 7, 00-001 Warszawa", Align.CENTER),
        Rule(),
        Text("Faktura VAT nr FV-1/2026/11/000001 wystawiona w trybie offline24 (art. 106nda)", bold=True),
        Pair("Chleb żytni na zakwasie, krojony, 500 g, z piekarni pod Łodzią", ""),
        Pair("2 szt. × 4,99", "9,98 A"),
        Table(
            ("Stawka", "Netto", "VAT", "Brutto"),
            (("23%", "100 000,00", "23 000,00", "123 000,00"), ("8%", "100,00", "8,00", "108,00")),
            ("Razem", "100 100,00", "23 008,00", "123 108,00"),
        ),
        Blank(),
        Pair("RAZEM", "123 108,00 PLN", bold=True, large=True),
        Text(KSEF_NUMBER, unbroken=True),
        Qr(INVOICE_LINK, "OFFLINE"),
        Qr(certificate_link, "CERTYFIKAT"),
    )


def squeezed(text: str) -> str:
    """Text without white space: what wrapping may not change."""
    return re.sub(r"\s", "", text)


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
"""Any text a cashier could type or paste, control characters and emoji too."""

elements = st.one_of(
    st.builds(Text, anything, st.sampled_from(Align), *[st.booleans()] * 4),
    st.builds(Pair, anything, anything, st.booleans(), st.booleans()),
    st.builds(
        lambda rows: Table(rows[0], tuple(rows[1:-1]), rows[-1]),
        st.integers(1, 5).flatmap(lambda n: st.lists(st.tuples(*[anything] * n), min_size=2, max_size=5)),
    ),
    st.just(Rule()),
    st.builds(Blank),
)
receipts = st.builds(lambda parts: receipt(*parts), st.lists(elements, max_size=6))
