"""`rejected` and `reprint` against a running agent, over its HTTP API as a manager."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from agent.commands import issue, queue, rejected, reprint
from agent.domain.fa3.build import build_invoice
from agent.domain.invoice import Address, Buyer, BuyerKind, ReceiptLink
from tests.fakes.shop import Shop
from tests.fakes.world import BUYER_NIP, MANAGER, SELLER
from tests.unit.sale.sale_samples import sale


def test_technical_correction_and_resend_by_number(shop: Shop) -> None:
    for way, code in (("technical", 450), ("resend", 410)):
        number = shop.rejected(code)
        ran = shop.run(rejected, way, number)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout.startswith(f"{number}  issued  bez numeru KSeF\n")
        refused = shop.run(rejected, way, number)
        assert refused.exit_code == 1  # it is not rejected any more


def test_a_file_is_sent_as_the_technical_correction(shop: Shop, tmp_path: Path) -> None:
    number = shop.rejected(450)
    (waiting,) = shop.do(shop.place.invoices.queue()).invoices
    answer = shop.do(shop.place.invoices.one(waiting.record.id))
    file = tmp_path / "nowy.xml"
    file.write_bytes(answer.record.xml.replace(b"<SystemInfo>ksef-agent", b"<SystemInfo>ksef-agent 2"))
    answer = json.loads(shop.run(rejected, "technical", number, str(file), "--json").stdout)
    assert (answer["number"], answer["state"], answer["version"]) == (number, "issued", 2)


def test_the_number_on_the_receipt_goes_beside_an_xml(shop: Shop, tmp_path: Path) -> None:
    buyer = Buyer(BuyerKind.NIP, BUYER_NIP, "PL", "Nabywca S.A.", Address("ul. Polna 2"))
    to_receipt = replace(sale(buyer=buyer), receipt=ReceiptLink("W000123"))
    now = shop.place.clock.now()
    file = tmp_path / "faktura.xml"
    file.write_bytes(build_invoice(to_receipt, SELLER, number="ERP/1", issued_at=now, system_info="ERP"))
    ran = shop.run(issue, str(file))
    assert ran.exit_code == 1
    assert "?receipt_nip" in str(ran.exception)
    ran = shop.run(issue, str(file), "--receipt-nip", "111-111-11-11")
    assert (ran.exit_code, ran.stdout[:5]) == (0, "ERP/1")
    file.write_text("{}")
    assert shop.run(issue, str(file), "--receipt-nip", "111-111-11-11").exit_code == 2


def test_closing_needs_a_reason_and_ends_the_case(shop: Shop) -> None:
    number = shop.rejected(440)
    assert shop.run(rejected, "close", number).exit_code == 2
    ran = shop.run(rejected, "close", number, "--reason", "wystawiono FV-1/2")
    assert (ran.exit_code, ran.stdout) == (0, f"Zamknięto sprawę: {number}.\n")
    assert shop.do(shop.place.invoices.queue()).invoices == []


def test_what_is_not_there_is_refused(shop: Shop) -> None:
    for words in (("technical", "FV/0"), ("resend", "FV/0"), ("close", "FV/0", "--reason", "x")):
        ran = shop.run(rejected, *words)
        assert ran.exit_code == 1
        assert "Nie ma takiej faktury" in str(ran.exception)


def test_the_slip_of_a_held_correction_is_printed_again_and_its_case_closed(shop: Shop) -> None:
    base = shop.sell_offline()
    held = shop.hold(base)
    assert f"korekta czeka na numer KSeF faktury {base.number}" in shop.run(queue).stdout
    assert held in shop.run(queue).stdout
    papers = len(shop.place.printer.papers)
    ran = shop.run(reprint, held)
    assert ran.exit_code == 0
    assert ran.stdout.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty.")
    assert len(shop.place.printer.papers) == papers + 1
    shop.do(shop.place.be_rejected(base.id))
    shop.do(shop.place.rejected.close(base.id, "inny dokument", MANAGER))
    shop.do(shop.place.pending.issue_ready())
    assert f"korekty faktury {base.number} nie można wystawić" in shop.run(queue).stdout
    closed = shop.run(rejected, "close", held, "--reason", "oddano gotówkę")
    assert (closed.exit_code, closed.stdout) == (0, f"Zamknięto sprawę: korekta faktury {base.number}.\n")
    assert shop.do(shop.place.pending.refused()) == []
