"""Every paper of the agent on every width, with both kinds of codes and certificates: nothing lost or too wide."""

from __future__ import annotations

from itertools import product

import pytest

from agent.domain.fa3.view.read import read
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.paper.choice import PaperFacts, choose
from agent.domain.paper.compose import compose
from agent.domain.paper.receipt import Pair, Qr, Receipt, Table, Text
from printers.escpos import printed_page
from printers.escpos.charset import fit
from printers.escpos.encode import encode
from printers.escpos.printed_page import CodeBox, PictureBox, TextBox
from printers.profiles.models import Profile, QrMode
from tests.unit.fa3 import fa3_documents
from tests.unit.printers.slips import EC_LINK, INVOICE_LINK, KSEF_NUMBER, RSA_LINK, WIDTHS, profile, squeezed


def papers(link: str) -> list[Receipt]:
    """All cells of the matrix (docs/law.md, section 2), and every kind of document once."""
    slips = []
    for name, xml in fa3_documents.ALL.items():
        view = read(xml)
        modes = Mode if name in ("VAT", "CONSUMER", "FOREIGN") else (Mode.OFFLINE24,)
        buyers = (BuyerKind.NIP, BuyerKind.NONE) if name == "VAT" else (view.buyer.as_buyer().kind,)
        certificates = (True, False) if name == "VAT" else (True,)
        for mode, buyer, number, certificate in product(modes, buyers, (None, KSEF_NUMBER), certificates):
            facts = PaperFacts(
                mode, buyer, view.number, kind=view.kind, ksef_number=number, certificate_link=certificate
            )
            choice, given = choose(facts), link if certificate else None
            for copy in (1, 2):
                slips.append(compose(view, choice, link_invoice=INVOICE_LINK, link_certificate=given, copy=copy))
    return slips


def said(slip: Receipt, encoding: str) -> list[str]:
    """Every text of the document, each as it must be found on the paper."""
    words: list[str] = []
    for element in slip.elements:
        match element:
            case Text(text=text):
                words.append(text)
            case Pair(left=left, right=right):
                words.extend((left, right))
            case Table(header=header, rows=rows, total=total):
                words.extend(cell for row in (header, *rows, total or ()) for cell in row)
            case Qr(caption=caption):
                words.append(caption)
    return [squeezed(fit(word, encoding)) for word in words]


@pytest.mark.parametrize("mode", QrMode)
@pytest.mark.parametrize("link", [EC_LINK, RSA_LINK], ids=["ec", "rsa"])
@pytest.mark.parametrize("name", WIDTHS)
def test_every_paper_is_printed_whole(name: str, link: str, mode: QrMode) -> None:
    kind = profile(name, mode)
    for slip in papers(link):
        check(slip, kind)


def lost(slip: Receipt, printed: printed_page.Page, kind: Profile) -> list[str]:
    text = squeezed("".join(box.text for box in printed.boxes if isinstance(box, TextBox)))
    return [word for word in said(slip, kind.encoding) if word not in text]


def check(slip: Receipt, kind: Profile) -> None:
    printed = printed_page.compose(encode(slip, kind), kind)
    assert lost(slip, printed, kind) == []
    codes = [element.payload for element in slip.elements if isinstance(element, Qr)]
    drawn = [box for box in printed.boxes if isinstance(box, CodeBox | PictureBox)]
    assert len(drawn) == len(codes)
    if kind.qr is QrMode.NATIVE:
        assert [box.payload.decode() for box in drawn if isinstance(box, CodeBox)] == codes


def test_the_check_notices_what_is_missing() -> None:
    kind = profile("generic-58", QrMode.NATIVE)
    slip = papers(EC_LINK)[0]
    printed = printed_page.compose(encode(Receipt(slip.title, slip.elements[1:]), kind), kind)
    assert lost(slip, printed, kind) != []
