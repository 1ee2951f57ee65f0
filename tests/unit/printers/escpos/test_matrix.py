"""Every paper of the matrix (docs/law.md, section 2) x 3 widths x native and raster x EC and RSA, as phones see it.

The documents are those the agent composes; what two readers scan off the picture of the bytes are the links, and
nothing else. Texts are held against the paper in test_printers_papers.
"""

from __future__ import annotations

import subprocess
from itertools import product
from pathlib import Path

import pytest

from agent.domain.fa3.view.read import read
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.paper.choice import MODE_WORDS, PaperChoice, PaperFacts, choose
from agent.domain.paper.compose import compose
from agent.domain.paper.receipt import Qr, Receipt
from printers.escpos.encode import encode
from printers.escpos.printed_page import TextBox
from printers.escpos.printed_page import compose as page_of
from printers.preview.raster import render_png
from printers.profiles.models import PROFILES, QrMode
from tests.unit.fa3 import fa3_documents
from tests.unit.printers.escpos.test_scan import ZBAR, by_zxing
from tests.unit.printers.slips import EC_LINK, INVOICE_LINK, KSEF_NUMBER, LONGEST_RSA_LINK, WIDTHS, profile, squeezed

DOCUMENT = {BuyerKind.NIP: "VAT", BuyerKind.NONE: "CONSUMER", BuyerKind.EU_VAT: "FOREIGN"}


def cells() -> dict[PaperChoice, str]:
    """Return every paper there is, once, with the name of a document it is made of."""
    found: dict[PaperChoice, str] = {}
    settings = ("transaction_confirmation", "invoice")
    for mode, buyer, number, setting in product(Mode, DOCUMENT, (None, KSEF_NUMBER), settings):
        facts = PaperFacts(
            mode,
            buyer,
            read(fa3_documents.ALL[DOCUMENT[buyer]]).number,
            ksef_number=number,
            offline_domestic=setting,
        )
        found.setdefault(choose(facts), DOCUMENT[buyer])
    return found


CELLS = cells()


def paper(choice: PaperChoice, link: str) -> Receipt:
    certificate = link if choice.caption_certificate is not None else None
    view = read(fa3_documents.ALL[CELLS[choice]])
    return compose(view, choice, copy=1, link_invoice=INVOICE_LINK, link_certificate=certificate)


def codes(slip: Receipt) -> list[str]:
    return sorted(element.payload for element in slip.elements if isinstance(element, Qr))


def test_the_matrix_is_whole() -> None:
    labels = {choice.label for choice in CELLS}
    assert all(any(label.endswith(words) for label in labels) for words in MODE_WORDS.values())
    assert {len(codes(paper(choice, EC_LINK))) for choice in CELLS} == {0, 1, 2}


@pytest.mark.parametrize("name", sorted(set(PROFILES) - {"epson-tm-t88iii"}))
def test_the_label_is_on_paper_word_for_word(name: str) -> None:
    """Its dashes and its Polish letters too; only the TM-T88III has no page with those."""
    kind = profile(name, QrMode.NATIVE)
    for choice in CELLS:
        page = page_of(encode(paper(choice, EC_LINK), kind), kind)
        assert squeezed(choice.label) in squeezed("".join(box.text for box in page.boxes if isinstance(box, TextBox)))


@pytest.mark.parametrize("mode", QrMode)
@pytest.mark.parametrize("link", [EC_LINK, LONGEST_RSA_LINK], ids=["ec", "rsa"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_links_and_nothing_else_are_scanned(width: str, link: str, mode: QrMode, tmp_path: Path) -> None:
    kind = profile(width, mode)
    expected: list[str] = []
    for number, choice in enumerate(CELLS):
        if link is not EC_LINK and choice.caption_certificate is None:
            continue  # the same paper whatever the certificate
        slip = paper(choice, link)
        picture = render_png(encode(slip, kind), kind)
        assert by_zxing(picture) == codes(slip), choice
        expected += codes(slip)
        (tmp_path / f"{number}.png").write_bytes(picture)
    if ZBAR is not None:
        assert by_zbar(*sorted(tmp_path.iterdir())) == sorted(expected)


def by_zbar(*pictures: Path) -> list[str]:
    """Scan all pictures in one process; papers without a code make it exit with 4."""
    command = [str(ZBAR), "--quiet", "--nodbus", "--raw", "-Sdisable", "-Sqrcode.enable", *map(str, pictures)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    return sorted(done.stdout.decode("ascii").split())
