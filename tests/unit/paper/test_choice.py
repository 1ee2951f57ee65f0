"""The matrix of docs/law.md, section 2, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.fa3.view.document import Kind
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.paper.choice import CERTIFICATE_MISSING, NO_INVOICE_YET, names_other_way
from agent.domain.paper.compose import NO_CERTIFICATE, Document, PaperChoice, PaperFacts, choose

KSEF_NUMBER = "9999999999-20261124-8BEF280C8D35-4D"

ONLINE = "Faktura VAT nr F/1 wystawiona w trybie online (art. 106gb)"
OFFLINE24 = "Faktura VAT nr F/1 wystawiona w trybie offline24 (art. 106nda)"
UNAVAILABILITY = "Faktura VAT nr F/1 wystawiona w trybie offline – niedostępność KSeF (art. 106nh)"
FAILURE = "Faktura VAT nr F/1 wystawiona w trybie offline – awaria KSeF (art. 106nf)"
TOTAL_FAILURE = "Faktura VAT nr F/1 wystawiona w trybie awarii całkowitej KSeF (art. 106ng)"
OUTSIDE_KSEF = "Faktura VAT nr F/1 wystawiona poza KSeF (art. 106ga ust. 2 pkt 4)"
CONFIRMATION = "Potwierdzenie transakcji nr F/1"
AWAITS = "Faktura nr F/1 jest przekazywana do KSeF i oczekuje na numer KSeF."

LABELS = {
    Mode.ONLINE: ONLINE,
    Mode.OFFLINE24: OFFLINE24,
    Mode.UNAVAILABILITY: UNAVAILABILITY,
    Mode.FAILURE: FAILURE,
    Mode.TOTAL_FAILURE: TOTAL_FAILURE,
    Mode.OUTSIDE_KSEF: OUTSIDE_KSEF,
}
OTHERS = (BuyerKind.EU_VAT, BuyerKind.FOREIGN_ID, BuyerKind.NONE)
SETTINGS = ("transaction_confirmation", "invoice")

Expected = tuple[Document, str, str | None, str | None, str | None]
"""document, label, sentence under it, captions of KOD I and KOD II."""


def confirmation(note: str) -> Expected:
    return (Document.CONFIRMATION, CONFIRMATION, note, "OFFLINE", "CERTYFIKAT")


def offline(label: str) -> Expected:
    return (Document.INVOICE, label, None, "OFFLINE", "CERTYFIKAT")


UNNUMBERED: dict[tuple[Mode, bool, str], Expected] = {
    # mode, domestic buyer with NIP, paper.offline_domestic
    (Mode.ONLINE, True, "transaction_confirmation"): confirmation(AWAITS),
    (Mode.ONLINE, True, "invoice"): confirmation(AWAITS),
    (Mode.ONLINE, False, "transaction_confirmation"): confirmation(AWAITS),
    (Mode.ONLINE, False, "invoice"): confirmation(AWAITS),
    (Mode.OFFLINE24, True, "transaction_confirmation"): confirmation(OFFLINE24),
    (Mode.OFFLINE24, True, "invoice"): offline(OFFLINE24),
    (Mode.OFFLINE24, False, "transaction_confirmation"): offline(OFFLINE24),
    (Mode.OFFLINE24, False, "invoice"): offline(OFFLINE24),
    (Mode.UNAVAILABILITY, True, "transaction_confirmation"): confirmation(UNAVAILABILITY),
    (Mode.UNAVAILABILITY, True, "invoice"): offline(UNAVAILABILITY),
    (Mode.UNAVAILABILITY, False, "transaction_confirmation"): offline(UNAVAILABILITY),
    (Mode.UNAVAILABILITY, False, "invoice"): offline(UNAVAILABILITY),
    (Mode.FAILURE, True, "transaction_confirmation"): offline(FAILURE),
    (Mode.FAILURE, True, "invoice"): offline(FAILURE),
    (Mode.FAILURE, False, "transaction_confirmation"): offline(FAILURE),
    (Mode.FAILURE, False, "invoice"): offline(FAILURE),
    **{
        (mode, domestic, setting): (Document.INVOICE, label, None, None, None)
        for mode, label in ((Mode.TOTAL_FAILURE, TOTAL_FAILURE), (Mode.OUTSIDE_KSEF, OUTSIDE_KSEF))
        for domestic in (True, False)
        for setting in SETTINGS
    },
}


def shape(choice: PaperChoice) -> Expected:
    return (
        choice.document,
        choice.label,
        choice.mode_note,
        choice.caption_invoice,
        choice.caption_certificate,
    )


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("buyer", BuyerKind)
@pytest.mark.parametrize("mode", Mode)
def test_without_a_number(mode: Mode, buyer: BuyerKind, setting: str) -> None:
    choice = choose(PaperFacts(mode, buyer, "F/1", offline_domestic=setting))
    assert shape(choice) == UNNUMBERED[mode, buyer is BuyerKind.NIP, setting]
    assert choice.problem is None
    outside = buyer is not BuyerKind.NIP and choice.document is Document.CONFIRMATION
    assert choice.notice == (NO_INVOICE_YET if outside else None)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("buyer", BuyerKind)
@pytest.mark.parametrize("mode", Mode)
def test_with_a_number_everybody_gets_the_invoice(
    mode: Mode, buyer: BuyerKind, certificate: bool, setting: str
) -> None:
    facts = PaperFacts(
        mode, buyer, "F/1", ksef_number=KSEF_NUMBER, offline_domestic=setting, certificate_link=certificate
    )
    choice = choose(facts)
    assert shape(choice) == (Document.INVOICE, LABELS[mode], None, KSEF_NUMBER, None)
    assert choice.problem is None


facts = st.builds(
    PaperFacts,
    mode=st.sampled_from(Mode),
    buyer=st.sampled_from(BuyerKind),
    number=st.text(min_size=1, max_size=40),
    kind=st.sampled_from([kind.value for kind in Kind]),
    ksef_number=st.none() | st.just(KSEF_NUMBER),
    offline_domestic=st.text(),
    certificate_link=st.booleans(),
)


@given(facts)
def test_every_combination_has_a_paper(given_facts: PaperFacts) -> None:
    choice = choose(given_facts)
    assert given_facts.number in choice.label
    # A code that says who issued it never stands alone, and never beside a KSeF number.
    if choice.caption_certificate is not None:
        assert choice.caption_invoice not in (None, given_facts.ksef_number)
    # A paper says "online" only when the number is known.
    if given_facts.ksef_number is None:
        assert "online" not in choice.label.replace(given_facts.number, "")
        assert "online" not in (choice.mode_note or "").replace(given_facts.number, "")
    # An OFFLINE invoice has both codes, and never left, nor may have left, as an online one.
    if choice.document is Document.INVOICE and choice.caption_invoice == "OFFLINE":
        assert choice.caption_certificate == "CERTYFIKAT"
        assert given_facts.mode is not Mode.ONLINE


@given(facts)
def test_without_certificate_the_paper_says_so_and_somebody_is_told(given_facts: PaperFacts) -> None:
    choice = choose(given_facts)
    unverified = (
        given_facts.ksef_number is None
        and given_facts.mode not in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF}
        and not given_facts.certificate_link
    )
    assert (choice.problem == NO_CERTIFICATE) is unverified
    assert (CERTIFICATE_MISSING in (choice.notice or "")) is unverified
    if unverified:
        assert choice.document is Document.CONFIRMATION, (
            "no invoice is handed over with one code and without its number"
        )
        assert choice.caption_invoice is not None
        assert choice.caption_certificate is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("KOR", "Faktura korygująca nr F/1 wystawiona w trybie offline24 (art. 106nda)"),
        ("ZAL", "Faktura zaliczkowa nr F/1 wystawiona w trybie offline24 (art. 106nda)"),
        ("ROZ", "Faktura rozliczeniowa nr F/1 wystawiona w trybie offline24 (art. 106nda)"),
        ("UPR", "Faktura uproszczona nr F/1 wystawiona w trybie offline24 (art. 106nda)"),
    ],
)
def test_other_kinds_keep_the_words_of_the_mode(kind: str, words: str) -> None:
    assert choose(PaperFacts(Mode.OFFLINE24, BuyerKind.NONE, "F/1", kind=kind)).label == words


@pytest.mark.parametrize("buyer", BuyerKind)
@pytest.mark.parametrize("mode", [Mode.OFFLINE24, Mode.UNAVAILABILITY])
def test_a_supply_abroad_is_invoiced_on_paper_whatever_the_number(mode: Mode, buyer: BuyerKind) -> None:
    """Place of supply outside Poland (np I, np II): art. 106gb ust. 4 pkt 1."""
    choice = choose(PaperFacts(mode, buyer, "F/1", supplied_abroad=True))
    assert choice.document is Document.INVOICE
    assert (choice.caption_invoice, choice.caption_certificate) == ("OFFLINE", "CERTYFIKAT")


@pytest.mark.parametrize("mode", Mode)
def test_a_label_that_names_another_way_than_ksef_is_known(mode: Mode) -> None:
    for said, label in LABELS.items():
        assert names_other_way(label, mode) is ((said is Mode.ONLINE) != (mode is Mode.ONLINE))
    assert not names_other_way(CONFIRMATION, mode)
