"""The till page as a cashier uses it."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from playwright.async_api import Page, Route, expect

from agent.domain.errors import BadInput, FieldError
from agent.domain.invoice import BuyerKind, Mode
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome
from agent.services.manager_pins import ManagerPins
from tests.browser.conftest import Counter, handed
from tests.fakes.world import MANAGER

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
BOTH = pytest.mark.parametrize("size", [(1024, 768), (390, 844)], indirect=True, ids=["till", "phone"])


@BOTH
async def test_from_basket_to_paper(counter: Counter) -> None:
    """Sample basket, NIP, one button: what to hand over, the mode and why, and the picture of the paper."""
    await counter.open()
    assert await counter.page.inner_text("#total") == "171,37\u00a0zł"
    await counter.press()
    assert await counter.headline() == "Wydaj klientowi fakturę."
    facts = await counter.page.inner_text(".facts")
    assert "FV-1/2026/11/000001" in facts
    assert "Tryb online" in facts
    assert "art." not in facts
    assert "KSeF jest dostępny." in facts
    image = counter.page.locator("#paper-image")
    await expect(image).to_have_attribute("alt", re.compile("Faktura VAT nr FV-1/2026/11/000001"))
    await expect(image).to_have_js_property("naturalWidth", 640)
    await expect(counter.page.locator("#paper-pages")).to_be_hidden()
    (record,) = await counter.invoices()
    assert str(record.totals.gross) == "171.37"
    assert record.buyer.identifier == "5260250274"


async def test_a_paper_metres_long_is_turned_page_by_page(counter: Counter) -> None:
    lines = [{"name": f"Śruba nr {n}", "quantity": "1", "unit_price": "1.00", "vat": "23"} for n in range(600)]
    record = await counter.place.sell(lines=lines)
    await counter.open()
    await counter.page.click("[data-view=find]")
    await counter.page.fill("#find-text", record.number)
    await counter.page.keyboard.press("Enter")
    pages = counter.page.locator("#paper-pages")
    await expect(pages).to_contain_text("Strona 1 z 3")
    await expect(pages.get_by_role("button", name="Poprzednia")).to_be_disabled()
    await pages.get_by_role("button", name="Następna").click()
    await expect(pages).to_contain_text("Strona 2 z 3")
    await pages.get_by_role("button", name="Następna").click()
    await expect(pages.get_by_role("button", name="Następna")).to_be_disabled()
    await pages.get_by_role("button", name="Poprzednia").click()
    await expect(pages).to_contain_text("Strona 2 z 3")


@pytest.mark.parametrize(
    "size", [(1024, 768), (390, 844), (320, 640)], indirect=True, ids=["till", "phone", "narrow phone"]
)
async def test_the_big_button_is_in_reach_and_nothing_sticks_out(counter: Counter) -> None:
    """320 px is what WCAG 1.4.10 asks for; the queue's count makes the row of views longer."""
    await counter.place.lose_the_line()
    await counter.place.sell()
    await counter.place.problems.refresh()
    await counter.open()
    await expect(counter.page.locator("#queue-count")).to_be_visible()
    box = await counter.page.locator("#press").bounding_box()
    assert box is not None
    size = counter.page.viewport_size
    assert size is not None
    assert box["y"] + box["height"] <= size["height"]
    assert box["height"] >= 44
    for view in ("sale", "queue", "find", "manager"):
        await counter.page.click(f"[data-view={view}]")
        await counter.page.wait_for_selector(f"#view-{view}:visible")
        assert await counter.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


async def test_token_is_asked_for_once(counter: Counter) -> None:
    await counter.page.goto(counter.address)
    await counter.page.fill("#login-token", "obcy")
    await counter.page.keyboard.press("Enter")
    await expect(counter.page.locator("#login-error")).to_contain_text("nieznany")
    await counter.page.fill("#login-token", "kasjer")
    await counter.page.keyboard.press("Enter")
    await counter.page.wait_for_selector("#sale-form:visible")
    await counter.page.reload()
    await counter.page.wait_for_selector("#sale-form:visible")


async def test_token_of_the_link_leaves_the_address_bar(counter: Counter) -> None:
    await counter.open()
    assert "token" not in counter.page.url


async def test_nip_is_checked_while_typing(counter: Counter) -> None:
    await counter.open()
    hint = counter.page.locator("#nip-hint")
    for typed, words in (("526", "10 cyfr"), ("5260250275", "Błędny"), ("52602502x4", "cyfr"), ("526-025-02-74", "")):
        await counter.page.fill("#nip", typed)
        assert words in (await hint.inner_text())
    await counter.page.fill("#nip", "5260250275")
    await counter.page.click("#press")
    assert await counter.page.get_attribute("#nip", "aria-invalid") == "true"
    assert not await counter.invoices()


async def test_known_buyer_is_filled_in(counter: Counter) -> None:
    await counter.open()
    await counter.page.fill("#nip", "526 025 02 74")
    await expect(counter.page.locator("#line1")).to_have_value("ul. Świętokrzyska 12")
    assert await counter.page.input_value("#buyer-name") == "Ministerstwo Finansów"


class TestNeverASecondInvoice:
    async def test_double_click(self, counter: Counter) -> None:
        await counter.open()
        counter.place.gateway.open.clear()
        await counter.page.fill("#nip", "5260250274")
        await counter.page.evaluate("for (let i = 0; i < 5; i++) document.getElementById('press').click()")
        await counter.page.keyboard.press("F9")
        await counter.place.gateway.reached.wait()
        assert await counter.page.is_disabled("#press")
        counter.place.gateway.open.set()
        await counter.headline()
        assert len(await counter.invoices()) == len(counter.place.printer.papers) == 1

    async def test_reload_in_the_middle(self, counter: Counter) -> None:
        """The key and the body survive; the retry is answered with the same invoice."""
        await counter.open()
        counter.place.gateway.open.clear()
        await counter.page.fill("#nip", "5260250274")
        await counter.page.click("#press")
        await counter.place.gateway.reached.wait()
        await counter.page.reload()
        await counter.page.wait_for_selector("#retry:visible")
        counter.place.gateway.open.set()
        await counter.page.click("#retry")
        await counter.headline()
        assert len(await counter.invoices()) == len(counter.place.printer.papers) == 1

    async def test_line_lost_after_the_agent_took_it(self, counter: Counter) -> None:
        await counter.open()
        await counter.page.fill("#nip", "5260250274")

        async def lose_the_answer(route: Route) -> None:
            await route.fetch()
            await route.abort()

        await counter.page.route("**/v1/invoices", lose_the_answer)
        await counter.page.click("#press")
        await counter.page.wait_for_selector("#retry:visible")
        assert not await counter.page.is_visible("#sale-form")
        await counter.page.unroute("**/v1/invoices")
        await counter.page.click("#retry")
        await counter.headline()
        assert len(await counter.invoices()) == len(counter.place.printer.papers) == 1

    async def test_keys_leave_the_basket_alone_until_there_is_an_answer(self, counter: Counter) -> None:
        """F3 would put the basket that was sent aside, under its key, and the answer would clear another one."""
        await counter.open()
        page = counter.page
        await page.fill("#nip", "5260250274")
        counter.place.gateway.open.clear()
        await page.click("#press")
        await counter.place.gateway.reached.wait()
        await page.reload()
        await page.wait_for_selector("#retry:visible")
        second = await page.context.new_page()
        await second.goto(counter.address)
        for each in (page, second):
            await each.wait_for_selector("#retry:visible")
            before = await each.evaluate("localStorage.getItem('ksef-agent.draft')")
            for key in ("F3", "F4", "F2", "F6", "F9"):
                await each.keyboard.press(key)
            assert await each.evaluate("localStorage.getItem('ksef-agent.draft')") == before
            assert await each.evaluate("localStorage.getItem('ksef-agent.parked')") is None
        await second.close()
        counter.place.gateway.open.set()
        await page.click("#retry")
        await counter.headline()
        assert len(await counter.invoices()) == 1

    async def test_a_basket_whose_key_was_used_gets_a_new_one_and_another_basket_is_not_cleared(
        self, counter: Counter
    ) -> None:
        """An older page could put the sent basket aside: what lies in this browser has to become a sale too."""
        await counter.open()
        page = counter.page
        await page.fill("#nip", "5260250274")

        async def lose_the_answer(route: Route) -> None:
            await route.fetch()
            await route.abort()

        await page.route("**/v1/invoices", lose_the_answer)
        await page.click("#press")
        await page.wait_for_selector("#retry:visible")
        await page.unroute("**/v1/invoices")
        other = """() => {
            const basket = JSON.parse(localStorage.getItem("ksef-agent.draft"));
            localStorage.setItem("used", basket.key);
            basket.key = "another";
            basket.lines[0].name = "Inny koszyk";
            localStorage.setItem("ksef-agent.draft", JSON.stringify(basket));
        }"""
        await page.evaluate(other)
        await page.reload()
        await page.click("#retry")
        await counter.headline()
        await page.keyboard.press("Escape")
        assert await page.input_value("#line-0-name") == "Inny koszyk"
        await page.evaluate("""() => {
            const basket = JSON.parse(localStorage.getItem("ksef-agent.draft"));
            localStorage.setItem("ksef-agent.draft", JSON.stringify({ ...basket, key: localStorage.getItem("used") }));
        }""")
        await page.reload()
        await page.click("#press")
        await page.wait_for_selector("#sale-error:visible")
        await page.click("#press")
        await counter.headline()
        assert len(await counter.invoices()) == 2

    async def test_defect_of_the_agent_counts_as_unknown(
        self, counter: Counter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("bug")

        await counter.open()
        with monkeypatch.context() as patch:
            patch.setattr(counter.place.mode, "decide", broken)
            await counter.page.fill("#nip", "5260250274")
            await counter.page.click("#press")
            await counter.page.wait_for_selector("#retry:visible")
        await counter.page.click("#retry")
        await counter.headline()
        assert len(await counter.invoices()) == 1

    async def test_a_new_basket_gets_a_new_key(self, counter: Counter) -> None:
        await counter.open()
        for number in (1, 2):
            await counter.page.click("#sample-button")
            await counter.press()
            await counter.headline()
            assert len(await counter.invoices()) == number
            await counter.page.keyboard.press("Escape")


async def test_refusals_stand_at_their_fields(counter: Counter) -> None:
    await counter.open()
    errors = (
        FieldError("/lines/1/unit_price", "cena ma za dużo cyfr.", "too-many-decimals"),
        FieldError("/buyer/address", "brakuje pola.", "required"),
    )
    await counter.refuse_once("**/v1/invoices", BadInput("Sprzedaż: …", errors=errors))
    await counter.page.fill("#nip", "5260250274")
    await expect(counter.page.locator("#buyer-name")).not_to_have_value("")
    await counter.page.click("#press")
    await counter.page.wait_for_selector("#line-1-unit_price-error")
    assert await counter.page.get_attribute("#line-1-unit_price", "aria-invalid") == "true"
    assert await counter.page.inner_text("#line-1-unit_price-error") == "Cena ma za dużo cyfr."
    assert await counter.page.inner_text("#line1-error") == "Uzupełnij to pole."
    assert await counter.page.evaluate("document.activeElement.id") == "line-1-unit_price"
    await counter.page.click("#press")
    assert await counter.headline()


async def test_keyboard_alone(counter: Counter) -> None:
    """From an empty basket to the invoice without a mouse."""
    await counter.open()
    page = counter.page
    await page.click("#clear-button")
    await page.keyboard.type("Herbata")
    await page.keyboard.press("Tab")
    await page.keyboard.type("3")
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.type("12,50")
    await page.keyboard.press("F4")
    await page.keyboard.type("Cukier 1 kg")
    for _ in range(3):
        await page.keyboard.press("Tab")
    await page.keyboard.type("4,10")
    await page.keyboard.press("F2")
    await page.keyboard.type("5260250274")
    assert await page.inner_text("#total") == "41,60\u00a0zł"
    await page.keyboard.press("F9")
    assert await counter.headline()
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#sale-form:visible")
    assert await page.inner_text("#total") == "0,00\u00a0zł"


async def test_consumer_and_split_payment(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.check("[name=buyer-kind][value=none]")
    await page.fill("#buyer-name", "Jan Kowalski")
    await page.fill("#line1", "ul. Cicha 3")
    await page.check("[name=pay][value=split]")
    await page.fill("#split-cash", "100")
    assert "71,37" in await page.inner_text("#split-rest")
    await page.fill("#split-card", "71,37")
    assert "zgadza" in await page.inner_text("#split-rest")
    await page.click("#press")
    await counter.headline()
    (record,) = await counter.invoices()
    assert record.buyer.kind is BuyerKind.NONE
    assert [(item.method, str(item.amount)) for item in record.payments] == [("cash", "100"), ("card", "71.37")]


async def test_basket_from_the_till(counter: Counter) -> None:
    """The till's own program opens the page with the sale in the fragment."""
    sale = {
        "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów", "address": {"line1": "ul. Świętokrzyska 12"}},
        "prices": "gross",
        "lines": [{"name": "Żarówka", "quantity": "2", "unit": "szt.", "unit_price": "9.99", "vat": "23"}],
        "payments": [{"method": "card", "amount": "19.98"}],
        "external_ref": "order-7",
    }
    await counter.open(extra=f"&sale={handed(sale)}")
    assert await counter.page.input_value("#line-0-name") == "Żarówka"
    assert await counter.page.is_checked("[name=pay][value=card]")
    async with counter.page.expect_request("**/v1/invoices") as request:
        await counter.page.click("#press")
    sent = json.loads((await request.value).post_data or "")
    assert sent["external_ref"] == "order-7"
    assert sent["payments"] == sale["payments"]
    await counter.headline()
    await counter.hand_over(sale | {"external_ref": "order-8"})
    await counter.page.click("#press")
    await counter.headline()
    assert len(await counter.invoices()) == 2


async def test_offline_and_printer_trouble_are_told(counter: Counter) -> None:
    await counter.place.lose_the_line()
    counter.place.printer.problem = "Skończył się papier."
    counter.place.printer.plan.append(Outcome.NOT_SENT)
    await counter.place.printers.ask()
    await counter.place.problems.refresh()
    await counter.open()
    await counter.page.wait_for_selector("#banner[data-mode=offline24]")
    assert "KSeF nie odpowiada" in await counter.page.inner_text("#banner")
    assert "Skończył się papier" in await counter.page.inner_text("#troubles")
    await counter.press()
    assert "Nie wydrukowano" in await counter.headline()
    text = await counter.page.inner_text(".answer")
    assert text.count("Skończył się papier.") == 1
    assert "Brak łączności z KSeF" in text
    await counter.page.click("#reprint")
    await expect(counter.page.locator(".paper figcaption")).to_contain_text(", wydrukowano")


async def test_number_appears_by_itself(counter: Counter) -> None:
    await counter.place.lose_the_line()
    await counter.open()
    await counter.press()
    await counter.headline()
    await counter.place.problems.refresh()
    await counter.hear_the_news()
    await expect(counter.page.locator("#queue-count")).to_have_text("1")
    await counter.place.restore_the_line()
    (record,) = await counter.invoices()
    accepted = await counter.place.sender.deliver(record.id)
    await counter.page.wait_for_selector(f"text={accepted.ksef_number}")


async def test_queue_find_and_reprint(counter: Counter) -> None:
    await counter.place.lose_the_line()
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("[data-view=queue]")
    await page.wait_for_selector("#queue-title:visible")
    assert "25.11.2026" in await page.inner_text(".queue-next")
    await page.click("#sync")
    await page.click("[data-view=find]")
    await page.fill("#find-text", "ministerstwo")
    await page.keyboard.press("Enter")
    await page.click("#found .link")
    assert await counter.headline()
    await page.click("#reprint")
    await expect(page.locator("#said")).to_have_text("wydrukowano")
    assert [job.state for job in await counter.place.invoices.prints((await counter.invoices())[0].id)] == [
        PrintState.PRINTED,
        PrintState.PRINTED,
    ]


async def test_partial_return(counter: Counter) -> None:
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("#to-correct")
    await page.click("#correct-submit")
    assert "Wpisz, ile" in await page.inner_text("#correct-error")
    await page.get_by_label("Ilość zwracana: Chleb żytni").fill("1,5")
    async with page.expect_request("**/corrections") as request:
        await page.click("#correct-submit")
    sent = json.loads((await request.value).post_data or "")
    assert sent == {
        "kind": "return",
        "reason": "zwrot towaru",
        "payments": [{"method": "cash"}],
        "lines": [{"line": 2, "quantity": "1.5"}],
    }
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000001")
    assert [record.kind for record in await counter.invoices()] == ["VAT", "KOR"]


async def test_refused_return_is_marked_at_its_line(counter: Counter) -> None:
    """Pointers name what was sent: the second filled row of three is /lines/1."""
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("#to-correct")
    await page.get_by_label("Ilość zwracana: Kawa ziarnista").fill("1")
    await page.get_by_label("Ilość zwracana: Ser żółty").fill("9")
    errors = (
        FieldError("/lines/1/quantity", "do zwrotu zostało 0,485 kg.", "more-than-left"),
        FieldError("/reason", "za długa.", "too-long"),
    )
    await page.keyboard.press("Enter")  # a scanner's Enter only moves on
    assert len(await counter.invoices()) == 1
    await counter.refuse_once("**/corrections", BadInput("Korekta: …", errors=errors))
    await page.click("#correct-submit")
    await expect(page.locator("#correct-line-3-error")).to_have_text("Do zwrotu zostało 0,485 kg.")
    await expect(page.locator("#correct-reason-error")).to_have_text("Za długa.")
    assert await page.evaluate("document.activeElement.id") == "correct-line-3"
    await page.get_by_label("Ilość zwracana: Ser żółty").fill("0,1")
    await page.click("#correct-submit")
    await counter.headline()


async def test_collective_discount(counter: Counter) -> None:
    """Numbers by scanner, one of another till; the amounts go by rate; a refusal lands at its field."""
    await counter.open()
    page = counter.page
    for _ in range(2):
        await page.click("#sample-button")
        await counter.press()
        await counter.headline()
        await page.keyboard.press("Escape")
    await page.click("[data-view=find]")
    await page.fill("#find-text", "FV-1/2026/11/000001")
    await page.keyboard.press("Enter")  # a whole number opens its invoice at once
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=collective]")
    assert await page.input_value("#collective-period") == "listopad 2026"
    await page.click("#correct-submit")
    await expect(page.locator("#collective-number-error")).to_contain_text("co najmniej jedną fakturę")
    for number in ("FV-1/2026/11/000002", "FV-2/2026/11/000009"):
        await page.focus("#collective-number")
        await page.keyboard.type(number)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f".bases >> text={number}")
    assert await page.evaluate("document.activeElement.id") == "base-1-issued_on"
    await page.fill("#base-1-issued_on", "2026-11-02")
    await page.fill("#collective-rate-5", "1,50")
    errors = (
        FieldError("/rates/0/amount", "za dużo.", "more-than-left"),
        FieldError("/bases/0/number", "faktura ma innego nabywcę.", "other-buyer"),
        FieldError("/bases/1/ksef_number", "to nie jest numer KSeF.", "ksef-number"),
    )
    await counter.refuse_once("**/corrections", BadInput("Korekta: …", errors=errors))
    await page.click("#correct-submit")
    await expect(page.locator("#collective-rate-5-error")).to_have_text("Za dużo.")
    await expect(page.locator("#base-0-number")).to_have_text("Faktura ma innego nabywcę.")
    await expect(page.locator("#base-1-ksef_number-error")).to_have_text("To nie jest numer KSeF.")
    async with page.expect_request("**/corrections") as request:
        await page.evaluate("for (let i = 0; i < 5; i++) document.getElementById('correct-submit').click()")
    sent = json.loads((await request.value).post_data or "")
    assert sent == {
        "kind": "collective",
        "reason": "rabat",
        "period": "listopad 2026",
        "rates": [{"vat": "5", "amount": "1.50"}],
        "bases": [
            {"number": "FV-1/2026/11/000002"},
            {"number": "FV-2/2026/11/000009", "issued_on": "2026-11-02", "outside_ksef": True},
        ],
    }
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000001")
    assert len(await counter.invoices()) == 3


@BOTH
async def test_correction_of_an_invoice_from_elsewhere(counter: Counter) -> None:
    """The customer's paper is copied; every refusal lands at its field; a second click changes nothing."""
    await counter.open()
    page = counter.page
    await page.click("[data-view=find]")
    await page.fill("#find-text", "STARA/7/2026")
    await page.keyboard.press("Enter")
    await page.click("#outside")
    assert await page.input_value("#base-number") == "STARA/7/2026"
    await page.fill("#base-issued-on", "2026-01-15")
    await page.fill("#base-buyer-nip", "5260250274")
    await expect(page.locator("#base-buyer-line2")).to_have_value("00-916 Warszawa")
    for index, (name, quantity, price) in enumerate((("Lampa", "2", "99,00"), ("Kabel", "5", "10,00"))):
        await page.fill(f"#base-line-{index}-name", name)
        await page.fill(f"#base-line-{index}-quantity", quantity)
        await page.fill(f"#base-line-{index}-unit_price", price)
        await page.click("#add-base-line")
    await page.click("#correct-submit")
    assert "Wraca" in await page.inner_text("#correct-error")
    await page.fill("#base-line-1-more", "2")
    errors = (
        FieldError("/base/ksef_number", "to nie jest numer KSeF.", "ksef-number"),
        FieldError("/base/lines/0/unit_price", "za dużo cyfr.", "too-many-decimals"),
        FieldError("/correction/lines/0/quantity", "do zwrotu zostało 1 szt.", "more-than-left"),
    )
    await counter.refuse_once("**/v1/corrections", BadInput("Korekta: …", errors=errors))
    await page.click("#correct-submit")
    for field, words in (
        ("base-ksef-number", "To nie jest numer KSeF."),
        ("base-line-0-unit_price", "Za dużo cyfr."),
        ("base-line-1-more", "Do zwrotu zostało 1 szt."),
    ):
        await expect(page.locator(f"#{field}-error")).to_have_text(words)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    async with page.expect_request("**/v1/corrections") as request:
        await page.evaluate("for (let i = 0; i < 5; i++) document.getElementById('correct-submit').click()")
    sent = json.loads((await request.value).post_data or "")
    assert sent["correction"] == {"kind": "return", "reason": "zwrot towaru", "lines": [{"line": 2, "quantity": "2"}]}
    assert sent["base"]["outside_ksef"] is True
    assert [line["name"] for line in sent["base"]["lines"]] == ["Lampa", "Kabel"]
    assert sent["base"]["buyer"]["nip"] == "5260250274"
    await counter.headline()
    assert len(await counter.invoices()) == 1


async def test_a_correction_without_an_answer_is_asked_for_again_with_its_key(counter: Counter) -> None:
    """Also after a reload; the basket that was begun is not touched."""
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.keyboard.press("Escape")
    await page.fill("#line-0-name", "Zaczęty koszyk")
    await page.click("[data-view=find]")
    await page.click("#found .link")
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=full_return]")

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/corrections", lose_the_answer)
    await page.click("#correct-submit")
    await page.wait_for_selector("#retry:visible")
    await page.unroute("**/corrections")
    await page.reload()
    await page.click("#retry")
    assert await counter.headline()
    assert len(await counter.invoices()) == 2
    await page.keyboard.press("Escape")
    assert await page.input_value("#line-0-name") == "Zaczęty koszyk"


async def test_held_correction_its_slip_again_and_its_end(counter: Counter) -> None:
    place = counter.place
    await place.lose_the_line()
    await counter.open(token="kierownik")
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=full_return]")
    await page.click("#correct-submit")
    await expect(page.locator(".answer-kind")).to_have_text("Korekta czeka")
    assert await counter.headline() == "Wydaj klientowi potwierdzenie przyjęcia korekty. Zwróć 171,37 zł gotówką."
    papers = len(place.printer.papers)
    async with page.expect_response("**/v1/corrections/*/reprint"):
        await page.click("#reprint")
    assert len(place.printer.papers) == papers + 1
    await page.click("[data-view=queue]")
    await page.click("[aria-labelledby=held-title] .link")
    await expect(page.locator(".answer-kind")).to_have_text("Korekta czeka")
    (base,) = await counter.invoices()
    await place.be_rejected(base.id)
    await place.rejected.close(base.id, "inny dokument", MANAGER)
    await place.pending.issue_ready()
    await counter.hear_the_news()
    await expect(page.locator(".answer-kind")).to_have_text("Korekta niemożliwa")
    await page.click("#settle")
    await page.fill("#case-reason", "Zwrot oddano gotówką.")
    await page.keyboard.press("Enter")
    await expect(page.locator("#settle")).to_have_count(0)
    assert await place.pending.refused() == []


async def test_a_scanner_never_presses_faktura(counter: Counter) -> None:
    """What a scanner types ends with Enter: it names a product, goes to the next field, from the NIP to the button."""
    await counter.open()
    page = counter.page
    await page.click("#clear-button")
    await page.focus("#line-0-name")
    await page.keyboard.type("5901234123457")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "line-0-name", "an unknown code asks for a name"
    assert not await counter.invoices()
    await page.fill("#line-0-name", "Śruba")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "line-0-quantity"
    await page.fill("#line-0-unit_price", "10,00")
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).not_to_have_value("")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "press"
    assert not await counter.invoices()
    await page.keyboard.press("Enter")
    assert await counter.headline()


async def test_net_prices(counter: Counter) -> None:
    """The sum shown is what the buyer pays, with tax by rate as the agent counts it."""
    await counter.open()
    page = counter.page
    await page.click("summary")
    await page.select_option("#prices", "net")
    assert await page.inner_text("label[for=line-0-unit_price]") == "Cena netto"
    # 23 %: 129.80 -> 29.85; 5 %: 22.20 + 19.37 = 41.57 -> 2.08
    assert await page.inner_text("#total") == "203,30\u00a0zł"
    await page.fill("#nip", "5260250274")
    async with page.expect_request("**/v1/invoices") as request:
        await page.click("#press")
    sent = json.loads((await request.value).post_data or "")
    assert sent["prices"] == "net"
    assert sent["payments"] == [{"method": "cash", "amount": "203.30"}]


async def test_nothing_of_the_tills_own_sale_is_lost(counter: Counter) -> None:
    """What the form cannot show goes to the agent as it came: currency, net prices, GTU, notes, payments."""
    sale = {
        "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów"},
        "prices": "net",
        "lines": [
            {"name": "Lampa", "quantity": "2", "unit": "szt.", "unit_price": "9.99", "vat": "23", "gtu": "GTU_06"}
        ],
        "payments": [{"method": "card", "amount": "20.00"}, {"method": "cheque", "amount": "4.58"}],
        "currency": "EUR",
        "exchange_rate": "4.25",
        "exemption": {"directive": "art. 135"},
        "notes": [{"key": "Zamówienie", "value": "7"}, {"key": "Dostawa", "value": "kurier"}],
        "external_ref": "order-7",
    }
    await counter.open(extra=f"&sale={handed(sale)}")
    page = counter.page
    assert await page.inner_text("#total") == "24,58\u00a0EUR"
    assert "czek 4,58" in (await page.inner_text("#pay-given")).replace("\u00a0", " ")
    async with page.expect_request("**/v1/invoices") as request:
        await page.click("#press")
    assert json.loads((await request.value).post_data or "") == sale


async def test_an_empty_row_between_does_not_shift_the_refusals(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.fill("#line-1-name", "")
    await page.fill("#line-1-unit_price", "")
    await page.fill("#nip", "5260250274")
    errors = (FieldError("/lines/1/unit_price", "za mało.", "not-positive"),)
    await counter.refuse_once("**/v1/invoices", BadInput("…", errors=errors))
    await page.click("#press")
    await page.wait_for_selector("#line-1-unit_price-error")
    assert await page.input_value("#line-1-name") == "Ser żółty na wagę"


async def test_wrong_buyer_and_a_base_without_number(counter: Counter) -> None:
    await counter.place.lose_the_line()
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=buyer]")
    await page.fill("#right-nip", "1111111112")
    await page.click("#correct-submit")
    assert "błędny" in await page.inner_text("#right-nip-error")
    assert await page.evaluate("document.activeElement.id") == "right-nip"
    await page.fill("#right-nip", "1111111111")
    await page.fill("#right-name", "Nabywca S.A.")
    await page.fill("#right-line1", "ul. Polna 2")
    await page.click("#correct-submit")
    assert await counter.headline() == "Wydaj klientowi potwierdzenie przyjęcia korekty."
    assert "zostanie wystawiona, gdy numer nadejdzie" in await page.inner_text(".answer-more")
    await page.click("[data-view=queue]")
    await page.wait_for_selector("#held-title")


async def test_ways_out_of_a_rejection_are_the_managers(counter: Counter) -> None:
    await counter.place.lose_the_line()
    page = counter.page

    async def show() -> None:
        await page.click("[data-view=find]")
        await page.fill("#find-text", "ministerstwo")
        await page.keyboard.press("Enter")
        await page.click("#found .link")
        await counter.headline()

    await counter.open()
    await counter.press()
    await counter.headline()
    (record,) = await counter.invoices()
    await counter.place.be_rejected(record.id, 410, "brak uprawnień")
    await show()
    await expect(page.locator("#close-case")).to_have_count(0)

    await counter.open(token="kierownik")
    await page.reload()
    await show()
    await expect(page.locator("#technical")).to_have_count(0)
    await page.click("#resend")
    await expect(page.locator("#resend")).to_have_count(0)
    assert (await counter.place.record(record.id)).state is InvoiceState.ISSUED

    await counter.place.be_rejected(record.id)
    await show()
    await expect(page.locator("#technical")).to_have_count(1)
    await page.click("#close-case")
    await page.fill("#case-reason", "Wystawiono FV-1/2.")
    await page.keyboard.press("Enter")
    await expect(page.locator("#close-case")).to_have_count(0)
    assert (await counter.place.record(record.id)).closed_at is not None


async def erases_what_is_due(page: Page) -> None:
    """Consumers' data whose period is over, asked for twice; the plan is made up, years would have to pass."""
    left = [2]

    async def answer(route: Route) -> None:
        if route.request.method == "POST":
            left.pop()
            await route.fulfill(json={"erased": 2, "waiting": []})
        else:
            plan = await (await route.fetch()).json()
            await route.fulfill(json=plan | {"due_count": sum(left), "clock_confirmed": True})

    await page.route("**/v1/retention", answer)
    await page.click("[data-view=find]")
    await page.click("[data-view=manager]")
    await page.click("text=Usuń dane z faktur: 2")
    await expect(page.locator("#erase-no")).to_be_focused()
    await page.click("#erase-yes")
    await expect(page.locator("#retention")).to_contain_text("Usunięto dane z faktur: 2.")
    await expect(page.locator("#erase")).to_have_count(0)
    assert left == []


async def test_manager_comes_in_with_a_pin(counter: Counter) -> None:
    """A few digits instead of the token; books, proof and certificates are there; the sale is the till's again."""
    place, page = counter.place, counter.page
    ManagerPins(place.settings.data_dir, place.clock).set("Anna", "271828")
    await counter.open()
    await counter.press()
    await counter.headline()
    (record,) = await counter.invoices()
    await page.click("[data-view=manager]")
    await page.fill("#manager-pin", "271829")
    await page.keyboard.press("Enter")
    await expect(page.locator("#manager-error")).to_contain_text("PIN jest błędny. Pozostałe próby: 9.")
    await page.keyboard.type("271828")
    await page.keyboard.press("Enter")
    await expect(page.locator("#manager-title")).to_have_text("Kierownik: Anna")
    await expect(page.locator(".office")).to_contain_text("Offline (kod CERTYFIKAT)")
    async with page.expect_download() as jpk:
        await page.click("text=JPK (XML)")
    assert (await jpk.value).suggested_filename == "jpk-sprzedaz-2026-11.xml"
    async with page.expect_download() as proof:
        await page.click("text=Zapisz dowody (ZIP)")
    assert (await proof.value).suggested_filename == "dowody-2026-11-01-2026-11-24.zip"
    await page.fill("#manager-reason", "burza")
    await page.click("text=Ogłoś offline24")
    await page.wait_for_selector("text=Ogłoszono tryb offline24.")
    assert place.mode.current().declared_by == "Anna"
    for button, name in (("Załącznik do polityki", "zalacznik-polityka"), ("Raport (PDF)", "raport-offline24-")):
        async with page.expect_download() as paper:
            await page.click(f".office >> text={button}")
        assert (await paper.value).suggested_filename.startswith(name)
    await erases_what_is_due(page)
    await page.fill("#office-month", "2026-10")
    await place.clock.advance(60)
    await place.declarations.withdraw("po burzy", MANAGER)
    await place.clock.advance(1)
    await counter.hear_the_news()
    await expect(page.locator("#manager-mode .facts")).to_contain_text("Tryb online")
    await expect(page.locator("#office-month")).to_be_focused()
    await expect(page.locator("#office-month")).to_have_value("2026-10")
    await page.click("[data-view=find]")
    await page.click("[data-view=manager]")
    await expect(page.locator("#manager-title")).to_have_text("Kierownik: Anna")
    await page.click("[data-view=sale]")
    await page.click("#sample-button")
    await counter.press()
    await counter.headline()
    assert [each.pressed_by for each in await counter.invoices()] == ["kasa 1", "kasa 1"]
    await page.click("[data-view=manager]")
    await page.wait_for_selector("#manager-pin")
    assert record.pressed_by == "kasa 1"


async def test_manager_declares_with_a_reason(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.click("[data-view=manager]")
    await page.wait_for_selector("#manager-token")
    await page.fill("#manager-reason", "burza, brak internetu")
    await page.click("text=Ogłoś offline24")
    await page.wait_for_selector("#manager-error:visible")
    assert "kierownik" in await page.inner_text("#manager-error")
    await page.fill("#manager-token", "kierownik")
    await page.click("text=Ogłoś offline24")
    await page.wait_for_selector("text=Ogłoszono tryb offline24.")
    assert counter.place.mode.current().declared_reason == "burza, brak internetu"
    assert await page.input_value("#manager-token") == ""
    await counter.place.clock.advance(1)
    await page.fill("#manager-token", "kierownik")
    await page.fill("#manager-reason", "działa")
    await page.click("text=Odwołaj tryb")
    await page.wait_for_selector("text=Odwołano tryb.")
    assert counter.place.mode.current().declared is None


async def test_manager_confirms_a_date_that_nothing_else_confirms(counter: Counter) -> None:
    """The clock was set and there is no line: the cashier is told, the basket stays, a manager ends it."""
    place = counter.place
    place.gateway.up = False
    await place.clock_check.keep()
    place.clock.step(timedelta(days=40))
    await counter.open()
    page = counter.page
    await counter.press()
    await page.wait_for_selector("text=Zegar kasy przestawił się o 40 dni do przodu")
    assert await counter.invoices() == []
    await page.click("[data-view=manager]")
    await page.wait_for_selector("#manager-clock")
    assert "Kasa pokazuje 03.01.2027" in await page.inner_text("#manager-clock")
    await page.click("text=Data i godzina są właściwe")
    await page.wait_for_selector("#manager-error:visible")
    await page.fill("#manager-token", "kierownik")
    await page.click("text=Data i godzina są właściwe")
    await page.wait_for_selector("text=Potwierdzono datę: kasa znowu wystawia faktury.")
    assert await page.locator("#manager-clock").count() == 0
    await page.click("[data-view=sale]")
    await page.click("text=Ponów")
    await page.wait_for_selector("text=Wydaj")
    (record,) = await counter.invoices()
    assert record.issued_on == date(2027, 1, 3)


async def test_manager_answers_an_announced_total_failure(counter: Counter) -> None:
    await counter.announce_total_failure()
    await counter.open(token="kierownik")
    page = counter.page
    await page.wait_for_selector("#troubles .bad:has-text('zakładka „Kierownik”')")
    await page.click("[data-view=manager]")
    await page.wait_for_selector("text=Odrzuć: fałszywy alarm")
    assert await page.locator("details:has-text('podały media')").count() == 0
    await page.fill("#manager-reason", "BIP milczy")
    await page.click("text=Odrzuć: fałszywy alarm")
    assert counter.place.mode.current().total_failure_to_confirm is True, "asked once more"
    await page.keyboard.press("Enter")  # the focus is on the way back
    await expect(page.locator("#manager-sure")).to_be_hidden()
    await page.click("text=Odrzuć: fałszywy alarm")
    await page.click("#manager-yes")
    await page.wait_for_selector("text=Odrzucono awarię całkowitą.")
    assert counter.place.mode.current().total_failure_to_confirm is False


async def test_managers_view_follows_the_news_but_never_interrupts(counter: Counter) -> None:
    await counter.open(token="kierownik")
    page = counter.page
    await page.click("[data-view=manager]")
    await page.wait_for_selector("text=Ogłoś offline24")
    await counter.place.clock.asleep.wait()
    await counter.announce_total_failure()
    await page.wait_for_selector("text=Odrzuć: fałszywy alarm")
    await page.fill("#manager-reason", "sprawdz")
    async with page.expect_request("**/v1/changes*"):  # it has heard the news and asks for the next
        await counter.hear_the_news()
    assert await page.input_value("#manager-reason") == "sprawdz"


async def test_manager_confirms_what_only_the_media_told_and_ends_it(counter: Counter) -> None:
    await counter.open(token="kierownik")
    page = counter.page
    await page.click("[data-view=manager]")
    await page.fill("#manager-reason", "Radio, 10:30")
    assert not await page.is_visible("text=Potwierdź awarię całkowitą")
    await page.click("summary:has-text('podały media')")
    await page.click("text=Potwierdź awarię całkowitą")
    await page.click("#manager-yes")
    await page.wait_for_selector("dt:has-text('Potwierdził')")
    assert await page.locator("#manager-steps button").all_inner_texts() == [
        "Awaria całkowita się skończyła",
        "To był fałszywy alarm",
    ]
    await counter.place.clock.advance(60)
    await page.fill("#manager-reason", "Radio, 14:00")
    await page.click("text=Awaria całkowita się skończyła")
    await page.click("#manager-yes")
    await page.wait_for_selector("text=faktury znowu trafiają do KSeF")
    await counter.place.clock.advance(1)
    assert counter.place.mode.current().declared is None


async def test_agent_gone_and_back(counter: Counter) -> None:
    await counter.open()
    await counter.page.wait_for_selector("#banner[data-mode=online]")
    await counter.place.clock.asleep.wait()  # the page waits for news, which is what breaks off
    await counter.page.context.set_offline(offline=True)
    await counter.hear_the_news()
    await counter.page.wait_for_selector("#banner[data-mode=gone]")
    await counter.page.context.set_offline(offline=False)
    await counter.page.wait_for_selector("#banner[data-mode=online]")


async def test_deadlines_are_told_in_days(counter: Counter) -> None:
    """Relative to the browser's day, which here is years away from the fake till's: only the words differ."""
    await counter.place.lose_the_line()
    await counter.page.clock.set_fixed_time(counter.place.clock.now())
    await counter.open()
    await counter.press()
    await counter.headline()
    assert "śr. 25.11.2026 (jutro)" in await counter.page.inner_text(".facts")
    await counter.page.clock.set_fixed_time(counter.place.clock.now() + timedelta(days=2))
    await counter.page.click("[data-view=queue]")
    await counter.page.wait_for_selector("text=po terminie")


@BOTH
async def test_focus_is_never_hidden_under_the_bar(counter: Counter) -> None:
    """WCAG 2.4.11: tab through the whole form; the focused control lies above the bar with the button."""
    await counter.open()
    page = counter.page
    await page.focus("#sample-button")
    for _ in range(40):
        await page.keyboard.press("Tab")
        hidden = await page.evaluate(
            """() => {
              const focused = document.activeElement;
              if (!focused.closest("#sale-form") || focused.closest(".pay-bar")) return null;
              const bar = document.querySelector(".pay-bar").getBoundingClientRect();
              const box = focused.getBoundingClientRect();
              const beside = box.right <= bar.left || box.left >= bar.right;
              return beside || box.bottom <= bar.top + 1 ? null : focused.outerHTML;
            }"""
        )
        assert hidden is None
        if await page.evaluate("document.activeElement.id") == "press":
            return
    pytest.fail("the button was not reached")


@BOTH
async def test_a_line_asks_for_the_annex_where_it_matters(counter: Counter) -> None:
    """Up to 15 000 zł nobody sees the mark; over it a phone is marked with one click, and a reload keeps that."""
    await counter.open()
    page = counter.page
    mark = page.locator("#line-1-annex_15")
    await expect(mark).to_be_hidden()
    await page.fill("#line-1-unit_price", "16000")
    await expect(mark).to_be_visible()
    await page.click("text=Z załącznika nr 15 >> nth=1")
    await page.reload()
    await expect(mark).to_be_checked()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).not_to_have_value("")
    async with page.expect_request("**/v1/invoices") as request:
        await page.click("#press")
    sent = json.loads((await request.value).post_data or "")
    assert [line.get("annex_15") for line in sent["lines"]] == [None, True, None]


async def test_deposits_count_in_what_is_paid(counter: Counter) -> None:
    """Those of the till's own program, and those that the cashier types; the return offers them back."""
    sale = {
        "buyer": {"name": "Anna Nowak", "address": {"line1": "ul. Cicha 3"}},
        "prices": "gross",
        "lines": [{"name": "Woda", "quantity": "10", "unit_price": "3.00", "vat": "23", "annex_15": False}],
        "deposits": [{"name": "Kaucja 10 × 0,50 zł", "amount": "5.00"}],
        "payments": [{"method": "cash", "amount": "35.00"}],
    }
    await counter.open(extra=f"&sale={handed(sale)}")
    assert await counter.page.inner_text("#total") == "35,00\u00a0zł"
    async with counter.page.expect_request("**/v1/invoices") as request:
        await counter.page.click("#press")
    sent = json.loads((await request.value).post_data or "")
    assert (sent["payments"], sent["deposits"]) == (sale["payments"], sale["deposits"])
    await counter.headline()
    page = counter.page
    await page.click("#again")
    await expect(page.locator("#deposits-given")).to_have_text("Z programu kasowego: Kaucja 10 × 0,50 zł 5,00\u00a0zł")
    await page.fill("#deposit-charged", "dwa")
    await page.click("#press")
    await expect(page.locator("#deposit-charged-error")).to_have_text("Wpisz kwotę kaucji, np. 5,00.")
    await page.fill("#deposit-returned", "100")
    await expect(page.locator("#pay-bar .total")).to_have_text("Do wypłaty klientowi 65,00\u00a0zł")
    await page.fill("#deposit-charged", "1,5")
    await page.fill("#deposit-returned", "0,50")
    assert await page.inner_text("#total") == "36,00\u00a0zł"
    await page.click("#press")
    await page.wait_for_selector(".answer-label >> text=000002")
    assert counter.sales[-1]["payments"] == [{"method": "cash", "amount": "36.00"}]
    assert [deposit["amount"] for deposit in counter.sales[-1]["deposits"]] == ["5.00", "1.5", "-0.50"]
    await page.click("#to-correct")
    await page.fill("#correct-line-1", "10")
    await expect(page.locator("label[for=correct-deposit]")).to_contain_text("6,50")
    await page.fill("#correct-deposit", "6")
    await page.click("#correct-submit")
    assert "Zwróć 36,00 zł gotówką" in await shown_headline(page, "FK-1")


async def shown_headline(page: Page, number: str) -> str:
    """Return the sentence of the document whose number contains this."""
    await page.wait_for_selector(f".answer-label >> text={number}")
    return await page.inner_text("#invoice-headline")


async def test_the_number_alone_is_enough_for_a_simplified_invoice(counter: Counter) -> None:
    await counter.place.lose_the_line()
    await counter.open()
    page = counter.page
    await page.fill("#nip", "9876543210")
    await page.click("#more summary")
    await page.check("#simplified")
    await page.check("[name=buyer-kind][value=none]")
    await page.click("#press")
    told = "Faktura uproszczona musi mieć NIP albo numer VAT UE nabywcy."  # the article stands in the API's detail
    await expect(page.locator(".field-error:visible")).to_have_text(told)
    await page.check("[name=buyer-kind][value=nip]")
    await page.click("#press")
    await counter.headline()
    assert counter.sales[-1] == counter.sales[0] | {"buyer": {"nip": "9876543210"}}
    assert counter.sales[-1]["simplified"] is True
    assert [each.kind for each in await counter.invoices()] == ["UPR"]
    assert not await page.is_checked("#simplified")
    await page.click("#again")
    await expect(page.locator("#simplified")).to_be_checked()


async def test_a_total_failure_that_is_over_is_called_a_false_alarm(counter: Counter) -> None:
    place = counter.place
    await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
    await place.clock.advance(60)
    record = await place.sell()
    await place.clock.advance(60)
    await place.declarations.withdraw("radio", MANAGER)
    await place.clock.advance(1)
    assert (await place.record(record.id)).state is InvoiceState.EXEMPT
    await counter.open(token="kierownik")
    page = counter.page
    await page.click("[data-view=manager]")
    await page.fill("#manager-reason", "BIP: nie było jej")
    await page.click("text=Awarii całkowitej, która się skończyła, wcale nie było")
    await page.click("text=To był fałszywy alarm")
    await page.click("#manager-yes")
    await page.wait_for_selector("text=Faktury z czasu tej awarii zostaną przesłane do KSeF.")
    assert (await place.record(record.id)).state is InvoiceState.ISSUED
    assert not await page.query_selector("text=To był fałszywy alarm")


async def test_a_correction_that_a_total_failure_will_hold_is_told_before(counter: Counter) -> None:
    place = counter.place
    record = await place.sell()
    await place.catch_up()
    await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
    await counter.open()
    page = counter.page
    await page.wait_for_selector("#banner[data-mode=total_failure]")
    await page.click("[data-view=find]")
    await page.click(f"#found >> text={record.number}")
    await page.click("#to-correct")
    told = "Kasa przyjmie korektę teraz i wystawi ją sama, gdy awaria się skończy."
    await expect(page.locator("#view-correct .note.warn").first).to_contain_text(told)
