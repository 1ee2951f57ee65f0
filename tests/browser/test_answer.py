"""The answer ends the job: what is waited for, what goes back, what KSeF refused, what was not printed, and again."""

from __future__ import annotations

import pytest
from playwright.async_api import Route, expect

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import Outcome, Rejected
from tests.browser.conftest import Counter

MODES = {Mode.ONLINE: "online", Mode.OFFLINE24: "offline24"}
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_from_the_wait_to_the_return_and_the_same_basket_again(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    counter.place.gateway.open.clear()
    await page.fill("#nip", "5260250274")
    await page.click("#press")
    await expect(page.locator("#press-text")).to_contain_text("Czekam na KSeF…")
    await counter.place.gateway.reached.wait()
    counter.place.gateway.open.set()
    assert await counter.headline() == "Wydaj klientowi fakturę."

    await page.click("#to-correct")
    await expect(page.locator("[name=settled][value=cash]")).to_be_checked()  # as the customer paid
    await page.get_by_label("Ilość zwracana: Chleb żytni").fill("1")
    await page.check("[name=settled][value=card]")
    await page.click("#correct-submit")
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000001")
    assert await counter.headline() == "Wydaj klientowi korektę. Zwróć 7,40 zł na kartę."

    await page.click("#relatives >> text=FV-1/2026/11/000001")
    await expect(page.locator("#relatives")).to_contain_text("Korekty: FK-1/2026/11/000001 (−7,40 zł)")
    await page.click("#again")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    assert await page.input_value("#line-2-discount") == "1,00"
    assert await page.inner_text("#total") == "171,37\u00a0zł"
    await page.click("#press")
    await page.wait_for_selector(".answer-label >> text=FV-1/2026/11/000002")
    await page.keyboard.press("Escape")
    await page.fill("#line-0-name", "Zaczęta sprzedaż")
    await page.click("#last-show")
    await page.click("#again")
    await expect(page.locator("#again")).to_have_text("W koszyku jest inna sprzedaż. Zastąp ją")
    await page.keyboard.press("Escape")
    assert await page.input_value("#line-0-name") == "Zaczęta sprzedaż"


async def test_a_refusal_by_ksef_keeps_the_basket_and_shows_no_paper(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    counter.place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
    await counter.press()
    assert await counter.headline() == "KSeF odrzucił fakturę i nic nie wydrukowano – zawołaj kierownika."
    shown = await page.inner_text("#view-invoice")
    assert shown.count("KSeF znalazł błąd w treści tej faktury.") == 1
    assert "semantyki" not in shown, "KSeF's own words are a detail"
    assert "Wysłać najpóźniej" not in shown
    for missing in (".paper", "#reprint", "#to-correct"):
        await expect(page.locator(missing)).to_have_count(0)
    await page.click("text=Wróć do koszyka")
    assert await page.input_value("#nip") == "5260250274"
    await page.fill("#line-1-name", "Chleb razowy")
    await page.click("#press")
    await page.wait_for_selector("text=Wydaj klientowi fakturę.")
    states = [record.state for record in await counter.invoices()]
    assert states == [InvoiceState.REJECTED, InvoiceState.ACCEPTED]


async def test_a_refused_correction_leads_to_the_correction_alone(counter: Counter) -> None:
    """KSeF took the new invoice of the right buyer, and refused the correction beside it."""
    await counter.open()
    await counter.press()
    assert await counter.headline() == "Wydaj klientowi fakturę."
    page = counter.page

    async def right_buyer(name: str) -> None:
        await page.click("#to-correct")
        await page.wait_for_selector("#correct-line-1:visible")
        await page.check("[name=correction-kind][value=buyer]")
        for field, value in (("name", name), ("line1", "ul. Cicha 3")):
            await page.fill(f"#right-{field}", value)
        await page.click("#correct-submit")

    counter.place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
    await right_buyer("Jan Kowalski")
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000001")
    assert await counter.headline() == "KSeF odrzucił korektę i nic nie wydrukowano – zawołaj kierownika."
    await expect(page.locator(".answer-more")).to_contain_text(
        "Nowa faktura FV-1/2026/11/000002 zostaje: gdy przyczyna zniknie, powtórz tę samą korektę, "
        "a kasa wystawi tylko ją."
    )
    replacement = page.locator("#replacement")
    await expect(replacement).to_contain_text(
        "Wystawiono też nową fakturę FV-1/2026/11/000002. Wydaj klientowi fakturę."
    )
    await expect(page.locator("#next-sale")).to_contain_text("Nowa sprzedaż")

    await page.click("#relatives >> text=FV-1/2026/11/000001")
    await right_buyer("Anna Nowak")
    await expect(page.locator("#correct-error")).to_contain_text(
        "Do faktury FV-1/2026/11/000001 wystawiono już nową fakturę FV-1/2026/11/000002 (Jan Kowalski, "
    )
    await page.fill("#right-name", "Jan Kowalski")
    await page.click("#correct-submit")
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000002")
    assert await counter.headline() == "Wydaj klientowi korektę."
    await expect(page.locator(".answer-more")).to_have_text("Nie zwracaj pieniędzy: rozlicza je nowa faktura.")
    await expect(replacement).to_contain_text(
        "Nową fakturę FV-1/2026/11/000002 wystawiono już wcześniej. Drugiej nie ma."
    )
    await expect(replacement).not_to_contain_text("Wydaj")
    await page.click("text=Pokaż nową fakturę")
    await page.wait_for_selector(".answer-label >> text=FV-1/2026/11/000002")
    assert len(await counter.invoices()) == 4


async def test_a_refused_new_invoice_is_not_told_as_issued(counter: Counter) -> None:
    """Its correction was taken: both are on the screen, and they must not contradict each other."""
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    sentence = "KSeF odrzucił fakturę i nic nie wydrukowano – zawołaj kierownika."

    async def refuse_the_new_one(route: Route) -> None:
        made = await (await route.fetch()).json()
        refused = {**made["replacement"], "state": "rejected", "hand_over": sentence}
        await route.fulfill(status=201, json={**made, "replacement": refused})

    await page.route("**/corrections", refuse_the_new_one)
    await page.click("#to-correct")
    await page.wait_for_selector("#correct-line-1:visible")
    await page.check("[name=correction-kind][value=buyer]")
    for field, value in (("name", "Jan Kowalski"), ("line1", "ul. Cicha 3")):
        await page.fill(f"#right-{field}", value)
    await page.click("#correct-submit")
    await expect(page.locator("#replacement.bad")).to_have_text(
        f"Nowa faktura FV-1/2026/11/000002: {sentence} Pokaż nową fakturę"
    )


async def test_todays_list_prints_what_did_not_come_out_and_refreshes_by_itself(counter: Counter) -> None:
    place, page = counter.place, counter.page
    place.printer.plan.append(Outcome.NOT_SENT)
    unprinted = await place.sell()
    printed = await place.sell(buyer={"name": "Żaneta Łęcka", "address": {"line1": "ul. Cicha 3"}})
    await counter.open()
    await page.click("[data-view=find]")
    rows = page.locator("#found tbody tr")
    await expect(rows).to_have_count(2)
    for shown in ("10:00", "Żaneta Łęcka", "135,60 zł", MODES[printed.mode], "wydrukowano"):
        await expect(rows.first).to_contain_text(shown)
    await expect(page.locator("#unprinted tbody tr")).to_have_count(1)
    await page.click(f"#unprinted >> text={unprinted.number} >> xpath=ancestor::tr >> text=Drukuj")
    await expect(page.locator("#unprinted tbody tr")).to_have_count(0)
    await expect(page.locator("#said")).to_have_text("wydrukowano")
    third = await place.sell()
    await counter.hear_the_news()
    await expect(rows).to_have_count(3)

    for typed in ("zaneta lecka", "135,6 zł"):
        await page.fill("#find-text", typed)
        await page.keyboard.press("Enter")
        await expect(rows).to_have_count(1 if typed.startswith("z") else 3)
    for typed in (third.link_invoice, printed.ksef_number or ""):
        await page.click("[data-view=find]")
        await page.fill("#find-text", typed)
        await page.keyboard.press("Enter")
        named = third if typed == third.link_invoice else printed
        await expect(page.locator(".answer-label")).to_have_text(f"Faktura {named.number}")
