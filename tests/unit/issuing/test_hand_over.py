"""What the cashier is told to hand over: by buyer, certificate, place of supply and receipt."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agent.domain.calendar import local_date
from agent.domain.errors import Conflict
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import is_invoice, rows
from agent.domain.rejection import refusal
from agent.ports import InvoiceFilter, Outcome, Rejected
from agent.services.queries.invoice_answer import InvoiceAnswer
from tests.fakes import counter
from tests.fakes.world import BUYER_NIP, CASHIER, CONSUMER, MANAGER, SELLER, World, sale, settings, world
from tests.unit.fa3 import fa3_documents as documents

ABROAD = [{"name": "Montaż w Berlinie", "quantity": "1", "unit_price": "100.00", "vat": "np I"}]


async def press(place: World, body: dict[str, Any]) -> InvoiceAnswer:
    task = asyncio.ensure_future(counter.sale(place, json.dumps(body).encode(), "key", CASHIER))
    for _ in range(100):
        if task.done():
            break
        await place.clock.advance(0.1)
    return (await task).invoices[0]


# --- no Offline certificate -------------------------------------------------------------------------------


async def test_without_certificate_a_consumer_waits_for_the_number(tmp_path: Path) -> None:
    async with world(tmp_path, with_certificate=False) as place:
        place.gateway.up = False
        answer = await press(place, sale(buyer=CONSUMER))
        assert answer.paper is not None
        assert answer.paper.document == "transaction_confirmation"
        assert answer.hand_over == (
            "Wydaj klientowi potwierdzenie transakcji. Fakturę jeszcze nie: kasa nie ma certyfikatu Offline, więc "
            "wydrukujesz ją i wydasz, gdy nadejdzie numer KSeF."
        )
        slip = await place.previews.text(answer.record.id)
        assert "To nie jest faktura." in " ".join(slip.split())
        assert "CERTYFIKAT" not in slip
        place.gateway.up = True
        await place.catch_up()
        told = (await place.invoices.one(answer.record.id)).hand_over
        assert told == "Wydrukuj fakturę ponownie i wydaj. Numer KSeF już jest."
        await place.reprinting.reprint(answer.record.id, CASHIER)
        assert (await place.invoices.one(answer.record.id)).hand_over == "Wydaj klientowi fakturę."


async def test_without_certificate_a_firm_gets_a_confirmation_and_the_screen_says_what_it_lacks(tmp_path: Path) -> None:
    async with world(tmp_path, with_certificate=False) as place:
        place.gateway.up = False
        answer = await press(place, sale())
        assert answer.hand_over.startswith("Wydaj klientowi potwierdzenie transakcji.")
        assert "Bez kodu CERTYFIKAT" in answer.hand_over


# --- a number that comes after the paper --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buyer", "told", "then"),
    [
        (None, "Wydaj klientowi potwierdzenie transakcji. ", "Numer KSeF już jest: może też dostać wydruk faktury."),
        (CONSUMER, "Wydaj klientowi fakturę z kodami OFFLINE i CERTYFIKAT. ", "Numer KSeF już jest."),
    ],
)
async def test_a_late_number_does_not_change_what_to_hand_over(
    tmp_path: Path, buyer: dict[str, Any] | None, told: str, then: str
) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        answer = await press(place, sale() if buyer is None else sale(buyer=buyer))
        assert answer.hand_over.startswith(told)
        place.gateway.up = True
        await place.catch_up()
        assert (await place.invoices.one(answer.record.id)).hand_over == told + then
        await place.reprinting.reprint(answer.record.id, CASHIER)
        assert (await place.invoices.one(answer.record.id)).hand_over == "Wydaj klientowi fakturę."


# --- a correction: how much goes back, and how ------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "given", "told"),
    [
        (["cash"], [], "Zwróć 135,60 zł gotówką."),
        (["card"], [], "Zwróć 135,60 zł na kartę."),
        (["transfer"], [], "Zwróć 135,60 zł przelewem, jeśli klient już zapłacił."),
        (["card", "cash"], [], "Zwróć 135,60 zł (klient zapłacił: kartą, gotówką)."),
        (["kasa fiskalna nr 2"], [], "Zwróć 135,60 zł."),
        ([], [], "Zwróć 135,60 zł."),
        (["card"], [{"method": "gotówka", "amount": "135.60"}], "Zwróć 135,60 zł gotówką."),
        (["cash"], [{"method": "card"}], "Zwróć 135,60 zł na kartę."),
    ],
)
async def test_a_return_says_how_to_give_back(
    tmp_path: Path, methods: list[str], given: list[dict[str, str]], told: str
) -> None:
    """As the customer paid, unless the correction says otherwise."""
    amounts = ["135.60"] if len(methods) == 1 else ["100.00", "35.60"]
    payments = [{"method": method, "amount": much} for method, much in zip(methods, amounts, strict=False)]
    async with world(tmp_path) as place:
        base = await press(place, sale(payments=payments))
        body = json.dumps({"kind": "full_return", "payments": given}).encode()
        made = await counter.correct(place, base.record.id, body, "back", CASHIER)
        assert made.invoices[0].hand_over == f"Wydaj klientowi korektę. {told}"
        place.printer.plan.append(Outcome.NOT_SENT)
        await place.reprinting.reprint(made.invoices[0].record.id, CASHIER)
        again = await place.invoices.one(made.invoices[0].record.id)
        assert again.hand_over.startswith("Nie wydrukowano.")
        assert again.hand_over.endswith(f"Korekta jest zapisana i nie zginie. {told}")


async def test_deposits_go_back_with_the_goods(tmp_path: Path) -> None:
    """What changes hands is DoRozliczenia, not the difference; a list says the same."""
    kaucja = {"name": "Kaucja", "amount": "5.00"}
    async with world(tmp_path) as place:
        base = await press(place, sale(deposits=[kaucja], payments=[{"method": "cash", "amount": "140.60"}]))
        body = json.dumps({"kind": "full_return", "deposits": [kaucja]}).encode()
        made = await counter.correct(place, base.record.id, body, "back", CASHIER)
        told = "Wydaj klientowi korektę. Zwróć 140,60 zł"
        assert made.invoices[0].hand_over == f"{told} gotówką."
        found = await place.invoices.find(InvoiceFilter())
        listed = [each.hand_over for each in found if each.record.kind == "KOR"]
        assert listed == [f"{told}."]


@pytest.mark.parametrize(
    ("payments", "told"),
    [([], "Zwróć 14,40 zł."), ([{"method": "cash", "amount": "14.40"}], "Zwróć 14,40 zł gotówką.")],
)
async def test_more_packaging_than_goods_is_paid_out(tmp_path: Path, payments: list[dict[str, str]], told: str) -> None:
    async with world(tmp_path) as place:
        answer = await press(place, sale(deposits=[{"name": "Kaucja", "amount": "-150.00"}], payments=payments))
        assert answer.hand_over == f"Wydaj klientowi fakturę. {told}"


# --- place of supply abroad -------------------------------------------------------------------------------


async def test_a_supply_abroad_is_handed_over_as_an_invoice_whatever_the_number(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        answer = await press(place, sale(lines=ABROAD, payments=None))
        assert answer.paper is not None
        assert answer.paper.document == "invoice"
        assert answer.hand_over == "Wydaj klientowi fakturę z kodami OFFLINE i CERTYFIKAT. Do KSeF trafi sama."


async def test_taken_without_a_number_it_is_an_offline_one(tmp_path: Path) -> None:
    """What may become an OFFLINE paper is no online invoice."""
    async with world(tmp_path) as place:
        place.gateway.pending_answers = 1000
        answer = await press(place, sale(lines=ABROAD, payments=None))
        assert answer.record.state is InvoiceState.SENT
        assert answer.record.mode is Mode.OFFLINE24


async def test_refused_before_its_paper_it_never_became_an_invoice(tmp_path: Path) -> None:
    """The sale is in the books once: with the invoice that the next press made of it."""
    async with world(tmp_path) as place:
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
        refused = await press(place, sale(buyer=CONSUMER))
        assert (refused.record.state, refused.paper) == (InvoiceState.REJECTED, None)
        assert not is_invoice(refused.record, place.clock.now())
        assert "Wystaw nową fakturę" in str(refusal(refused.record))
        issued = await place.sell(buyer=CONSUMER)
        today = local_date(place.clock.now())
        records = [each.record for each in await place.invoices.find(InvoiceFilter())]
        assert [row.number for row in rows(records, as_of=today)] == [issued.number]


# --- what the law does not want, and nobody can refuse ---------------------------------------------------------


@pytest.mark.parametrize("changes", [{"unit_price": "0.00"}, {"discount": "10.00"}])
async def test_an_invoice_of_nothing_is_told(tmp_path: Path, changes: dict[str, str]) -> None:
    """A sale is one for money (art. 2 pkt 22): a gift alone is not invoiced."""
    free = {"name": "Gratis", "quantity": "1", "unit_price": "10.00", "vat": "23"} | changes
    async with world(tmp_path) as place:
        answer = await press(place, sale(lines=[free], payments=None))
        assert answer.hand_over.startswith("Wydaj klientowi fakturę. Faktura jest na 0,00")
        paid = {"name": "Kawa", "quantity": "1", "unit_price": "10.00", "vat": "23"}
        body = json.dumps(sale(lines=[free, paid], payments=None)).encode()
        assert "0,00" not in (await counter.sale(place, body, "paid", CASHIER)).invoices[0].hand_over
        back = await counter.correct(place, answer.record.id, b'{"kind": "full_return"}', "back", CASHIER)
        assert "Faktura jest na" not in back.invoices[0].hand_over


@pytest.mark.parametrize(
    ("dates", "line", "told"),
    [
        ("", "<P_6A>2026-09-30</P_6A>", True),
        ("", "<P_6A>2026-11-02</P_6A>", False),
        ("<OkresFa><P_6_Od>2026-09-01</P_6_Od><P_6_Do>2026-09-30</P_6_Do></OkresFa>", "", True),
        ("<OkresFa><P_6_Od>2026-09-01</P_6_Od><P_6_Do>2026-11-30</P_6_Do></OkresFa>", "", False),
    ],
)
async def test_a_ready_document_that_is_late_by_its_lines_or_its_period(
    tmp_path: Path, dates: str, line: str, told: bool
) -> None:
    seller = documents.SELLER.replace("9999999999", SELLER.nip)
    body = documents.ONE_LINE.replace("<P_7>", f"{line}<P_7>")
    async with world(tmp_path) as place:
        xml = documents.document(seller=seller, dates=dates, body=body)
        answer = await counter.ready(place, xml, "late", CASHIER)
        assert ("art. 106i ust. 1" in answer.invoices[0].hand_over) is told


@pytest.mark.parametrize(
    ("dates", "line", "told"),
    [
        ("", "", False),
        ("<P_6>2026-12-31</P_6>", "", False),
        ("<P_6>2027-01-02</P_6>", "", True),
        ("", "<P_6A>2027-01-02</P_6A>", True),
        ("<OkresFa><P_6_Od>2026-12-01</P_6_Od><P_6_Do>2027-01-31</P_6_Do></OkresFa>", "", True),
    ],
)
async def test_a_domestic_reverse_charge_after_its_end_is_told(
    tmp_path: Path, dates: str, line: str, told: bool
) -> None:
    """Art. 145e ends with 2026; it was put off before, so a ready document is not refused."""
    seller = documents.SELLER.replace("9999999999", SELLER.nip)
    body = documents.ONE_LINE.replace("<P_7>", f"{line}<P_7>").replace("<P_12>23", "<P_12>oo")
    sums = "<P_13_10>123</P_13_10><P_15>123</P_15>"
    reversed_charge = documents.marked(P_18="1")
    async with world(tmp_path) as place:
        xml = documents.document(seller=seller, dates=dates, sums=sums, annotations=reversed_charge, body=body)
        answer = await counter.ready(place, xml, "oo", CASHIER)
        assert ("art. 145e" in answer.invoices[0].hand_over) is told


# --- the fiscal receipt -----------------------------------------------------------------------------------

KEEP = "Zatrzymaj paragon klienta i zachowaj go z fakturą"


@pytest.mark.parametrize(
    ("register", "setting", "kept"),
    [(None, "", True), ("EAZ 2301234567", "", False), (None, "EAZ 2301234567", False)],
)
async def test_an_invoice_to_a_receipt_names_it_or_the_paper_is_kept(
    tmp_path: Path, register: str | None, setting: str, kept: bool
) -> None:
    """Art. 106h: the receipt's number and the unique number of its register, else the receipt itself."""
    own = settings(tmp_path)
    given = replace(own, issue=replace(own.issue, cash_register=setting))
    async with world(tmp_path, given=given) as place:
        receipt = {"number": "W000123"} | ({} if register is None else {"register": register})
        answer = await press(place, sale(buyer=CONSUMER, receipt=receipt))
        assert (KEEP in answer.hand_over) is kept
        assert (b"EAZ 2301234567" in answer.record.xml) is not kept


async def test_other_invoices_keep_no_receipt(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        assert KEEP not in (await press(place, sale())).hand_over


ALREADY = "jest już fakturą uproszczoną"
WITH_NIP = {"number": "W000123", "register": "EAZ 2301234567", "nip": BUYER_NIP}
DEAR = [{"name": "Wiertarka", "quantity": "1", "unit_price": "450.01", "vat": "23"}]
AT_THE_LIMIT = [{"name": "Wiertarka", "quantity": "1", "unit_price": "450.00", "vat": "23"}]


@pytest.mark.parametrize(
    ("start", "changes", "told"),
    [
        ("2026-11-24", {"receipt": WITH_NIP}, True),
        ("2026-11-24", {"receipt": WITH_NIP, "lines": AT_THE_LIMIT}, True),
        ("2026-11-24", {"receipt": WITH_NIP, "simplified": True}, True),
        ("2026-11-24", {"receipt": WITH_NIP, "lines": DEAR}, False),
        ("2026-11-24", {"receipt": {"number": "W000123"}, "buyer": CONSUMER}, False),
        ("2026-11-24", {}, False),
        ("2027-01-04", {"receipt": WITH_NIP, "sold_on": "2026-12-31"}, True),
        ("2027-01-04", {"receipt": WITH_NIP}, False),
    ],
)
async def test_a_receipt_that_is_an_invoice_already_is_told_of(
    tmp_path: Path, start: str, changes: dict[str, Any], told: bool
) -> None:
    """Until 31.12.2026 a receipt with the buyer's number and up to 450 PLN is a simplified invoice (art. 145n)."""
    async with world(tmp_path, start=datetime.fromisoformat(f"{start}T11:00:00+00:00")) as place:
        answer = await press(place, sale(**changes))
        assert (ALREADY in answer.hand_over) is told


# --- the simplified invoice -------------------------------------------------------------------------------


async def test_a_simplified_invoice_from_a_till(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        answer = await press(place, sale(buyer={"nip": "1111111111"}, simplified=True))
        assert answer.record.kind == "UPR"
        assert answer.record.state is InvoiceState.ACCEPTED
        assert answer.record.buyer.name is None
        assert "Faktura uproszczona nr" in await place.previews.text(answer.record.id)


async def test_what_a_manager_closed_is_no_invoice_and_gets_no_paper_any_more(tmp_path: Path) -> None:
    """KSeF refused it, and the sale has another document: a second invoice would go out for it."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        refused = (await press(place, sale(buyer=CONSUMER))).record
        await place.be_rejected(refused.id)
        assert (await place.record(refused.id)).copies == 1
        await place.reprinting.reprint(refused.id, CASHIER)  # a technical correction may still come
        await place.rejected.close(refused.id, "sprzedaż ma inny dokument", MANAGER)
        with pytest.raises(Conflict, match="Sprawa tej faktury została zamknięta"):
            await place.reprinting.reprint(refused.id, CASHIER)
        for page in ("a4", "receipt"):
            with pytest.raises(Conflict, match="Sprawa tej faktury została zamknięta"):
                await place.previews.pdf(refused.id, page)
        assert len(place.printer.papers) == 2
