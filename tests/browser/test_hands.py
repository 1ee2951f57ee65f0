"""Quick hands: what a field does when it is entered, where a mistake is shown, what outlives a tab and an agent."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import unquote

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.conftest import Counter, handed, kept_for_later

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SIZES = pytest.mark.parametrize(
    "size", [(1024, 768), (1366, 768), (390, 844)], indirect=True, ids=["till", "wide", "phone"]
)
COVERED = """
() => [...document.querySelectorAll("#sale-form input:not([type=radio]), #sale-form select, #sale-form button")]
  .filter((control) => control.checkVisibility())
  .filter((control) => {
    control.scrollIntoView({ block: "nearest" });
    const box = control.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.bottom - 2);
    return !(top === control || control.contains(top) || top?.closest("label")?.contains(control));
  })
  .map((control) => control.id)
"""
"""Controls of the sale that something lies over although they were scrolled to."""


async def test_entering_a_field_selects_it_and_enter_goes_through(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.focus("#line-0-name")
    await page.keyboard.press("Enter")
    await page.keyboard.type("21")
    assert await page.input_value("#line-0-quantity") == "21"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type("5")
    assert await page.input_value("#line-0-unit_price") == "5"
    await page.click("#line-1-quantity", position={"x": 5, "y": 10})
    await page.keyboard.type("4")
    assert await page.input_value("#line-1-quantity") == "4"
    await page.focus("#line-2-discount")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "nip"
    await page.keyboard.type("PL 526-025-02-74 ")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    assert await page.locator("[maxlength]").count() == 0


@SIZES
async def test_nothing_lies_over_a_field_and_mistakes_are_in_view(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.check("[name=pay][value=split]")
    await page.click("#more summary")
    assert await page.evaluate(COVERED) == []
    await page.fill("#split-cash", "100")
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).not_to_have_value("")
    await page.click("#press")
    await expect(page.locator("#split-cash-error")).to_contain_text("Do podziału zostało 71,37")
    assert await page.evaluate("document.activeElement.id") == "split-cash"
    await expect(page.locator("#split-cash-error")).to_be_in_viewport(ratio=1)
    assert await counter.invoices() == []
    await page.fill("#nip", "")
    await page.fill("#split-card", "71,37")
    await page.click("#press")
    await expect(page.locator("#nip-error")).to_be_in_viewport(ratio=1)
    assert "nip-error" in (await page.get_attribute("#nip", "aria-describedby") or "")


async def test_a_closed_tab_and_a_dead_browser_lose_nothing(counter: Counter) -> None:
    """The basket comes back; a press without an answer is asked for again with its key; the strip names what was."""
    await counter.open()
    page = counter.page
    counter.place.gateway.open.clear()
    await page.fill("#nip", "5260250274")
    await page.click("#press")
    await counter.place.gateway.reached.wait()
    second = await page.context.new_page()
    await page.close()
    counter.place.gateway.open.set()
    await second.goto(counter.address)
    await second.click("#retry")
    await expect(second.locator("#invoice-headline")).to_have_text("Wydaj klientowi fakturę.")
    assert len(await counter.invoices()) == 1
    await second.keyboard.press("Escape")
    await expect(second.locator("#last-invoice")).to_contain_text("Ostatnia faktura FV-1/2026/11/000001")
    await second.fill("#line-0-name", "Herbata")
    third = await page.context.new_page()
    await second.close()
    await third.goto(counter.address)
    await expect(third.locator("#line-0-name")).to_have_value("Herbata")
    await third.click("#last-print")
    await expect(third.locator("#said")).to_have_text("wydrukowano")
    await third.click("#last-show")
    await expect(third.locator(".facts").first).to_contain_text("FV-1/2026/11/000001")


async def test_two_tabs_show_one_basket(counter: Counter) -> None:
    await counter.open()
    other = await counter.page.context.new_page()
    await other.goto(counter.address)
    await other.fill("#line-0-name", "Herbata")
    await expect(counter.page.locator("#line-0-name")).to_have_value("Herbata")


async def test_the_page_opens_while_the_agent_is_down_and_comes_back(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await kept_for_later(page)
    await page.fill("#line-0-name", "Herbata")
    await page.wait_for_function("navigator.serviceWorker.controller?.state === 'activated'")
    await counter.stop_serving()
    await page.reload()
    await expect(page.locator("#banner-mode")).to_have_text("Brak połączenia z programem")
    await expect(page.locator("#line-0-name")).to_have_value("Herbata")
    await counter.serve()
    await expect(page.locator("#banner-mode")).to_have_text("Tryb online")
    await expect(page.locator("#line-0-name")).to_have_value("Herbata")


async def test_an_exchange_and_a_return_say_what_to_give_back(counter: Counter) -> None:
    await counter.open()
    await counter.press()
    await counter.headline()
    page = counter.page
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=exchange]")
    await page.click("#correct-submit")
    await expect(page.locator("#correct-error")).to_have_text("Wpisz, ile której pozycji wróciło.")
    await page.fill("#correct-line-1", "1")
    await page.click("#correct-submit")
    await expect(page.locator("#taken-0-name-error")).to_have_text("Wpisz, co klient bierze w zamian.")
    await page.fill("#taken-0-name", "Herbata")
    await page.fill("#taken-0-unit_price", "dużo")
    await page.click("#correct-submit")
    await expect(page.locator("#taken-0-unit_price-error")).to_have_text("Wpisz liczbę, np. 12,50.")
    await page.fill("#taken-0-unit_price", "70")
    await page.click("#correct-submit")
    await expect(page.locator("#replacement")).to_contain_text("Pobierz dopłatę 5,10 zł gotówką.")
    assert await counter.headline() == "Wydaj klientowi korektę."
    assert [each.kind for each in await counter.invoices()] == ["VAT", "KOR", "VAT"]
    await page.click("#relatives .link")
    await page.wait_for_selector(".answer-label >> text=000001")
    await page.click("#to-correct")
    await page.check("[name=correction-kind][value=full_return]")
    await page.click("#correct-submit")
    await page.wait_for_selector(".answer-label >> text=FK-1/2026/11/000002")
    assert await counter.headline() == "Wydaj klientowi korektę. Zwróć 106,47 zł gotówką."


async def scan(page: Page, text: str, *, enters: int = 1) -> None:
    """Type as a scanner does, key after key without a pause, whatever else the machine does.

    ``enters``: some end with carriage return and line feed, and both come as Enter.
    """
    await page.evaluate(
        """([text, enters]) => {
          for (const key of [...text, ...Array(enters).fill("Enter")]) {
            const down = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
            const taken = !document.activeElement.dispatchEvent(down);
            if (taken) continue;
            if (key !== "Enter") document.execCommand("insertText", false, key);
            else if (document.activeElement.matches("button")) document.activeElement.click();
          }
        }""",
        [text, enters],
    )


async def test_a_scanner_is_understood_wherever_the_focus_is(counter: Counter) -> None:
    """An own invoice opens, a NIP is found in a QR code, a product that was sold once comes back by its code."""
    await counter.open()
    page = counter.page
    keys = page.keyboard
    await page.click("#clear-button")
    await scan(page, "5901234123457")
    await expect(page.locator("#said")).to_have_text("Nieznany kod 5901234123457: wpisz nazwę i cenę.")
    await keys.type("Herbata")
    await page.fill("#line-0-unit_price", "12,50")
    await page.focus("#line-0-discount")
    await scan(page, "firma: NIP 526-025-02-74, Warszawa")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    assert await page.input_value("#nip") == "5260250274"
    assert await page.input_value("#line-0-discount") == ""
    await page.click("#press")
    await counter.headline()
    (record,) = await counter.invoices()
    await keys.press("Escape")
    for _ in range(2):
        await scan(page, "5901234123457")
    await expect(page.locator("#line-0-name")).to_have_value("Herbata")
    await expect(page.locator("#line-0-quantity")).to_have_value("2")
    await expect(page.locator("#line-0-unit_price")).to_have_value("12,50")
    for scanned in (record.number, record.ksef_number or "", record.link_invoice):
        await page.click("[data-view=sale]")
        await page.focus("#line-0-name")
        await scan(page, scanned)
        await expect(page.locator("#view-invoice .answer-label")).to_be_visible()
        await expect(page.locator(".facts").first).to_contain_text(record.number)
    await page.click("[data-view=sale]")
    await expect(page.locator("#line-0-name")).to_have_value("Herbata")
    await keys.press("F7")
    await expect(page.locator("#pay-card")).to_be_checked()
    assert len(await counter.invoices()) == 1


async def after_the_echo(page: Page) -> None:
    """Wait until an Enter is no longer taken for the second one of a scan that just ended (input/burst.js, ECHO)."""
    ended = await page.evaluate("performance.now()")
    await page.wait_for_function("ended => performance.now() - ended > 50", arg=ended)


async def test_neither_a_second_enter_of_a_scanner_nor_a_held_one_presses_faktura(counter: Counter) -> None:
    """The first Enter goes from the NIP to the button: whatever comes by itself after it must not issue."""
    await counter.open()
    page = counter.page
    await page.focus("#nip")
    await scan(page, "5260250274", enters=2)
    await expect(page.locator("#press")).to_be_focused()
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await page.focus("#nip")
    for _ in range(3):
        await page.keyboard.down("Enter")
    await page.keyboard.up("Enter")
    await expect(page.locator("#press")).to_be_focused()
    assert counter.sales == []
    await after_the_echo(page)
    await page.keyboard.press("Enter")
    await counter.headline()
    assert len(counter.sales) == 1


async def test_a_scan_while_a_press_waits_is_told_and_lands_nowhere(counter: Counter) -> None:
    """Goods of the next customer: the cashier who looks at them must not believe that they are in a basket."""
    await counter.open()
    page = counter.page
    counter.place.gateway.open.clear()
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await page.dblclick("#press")
    await page.keyboard.press("F9")
    await counter.place.gateway.reached.wait()
    for _ in range(2):
        await scan(page, "5901234123457")
    await expect(page.locator("#sale-error")).to_contain_text("Zeskanuj go jeszcze raz po wystawieniu.")
    counter.place.gateway.open.set()
    await counter.headline()
    await expect(page.locator("#answer-missed")).to_contain_text("nie weszły do koszyka (2)")
    assert len(await counter.invoices()) == len(counter.sales) == 1
    await page.keyboard.press("Escape")
    await expect(page.locator("#sale-error")).to_be_hidden()
    await expect(page.locator("#line-0-name")).to_have_value("")
    await page.fill("#line-0-name", "Herbata")
    await page.fill("#line-0-unit_price", "5")
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await page.keyboard.press("F9")
    await counter.headline()
    await expect(page.locator("#answer-missed")).to_have_count(0)


async def test_a_scan_over_a_dialog_closes_it_and_presses_nothing_in_it(counter: Counter) -> None:
    """The scanner's Enter would take the first basket of the list; what it read would land behind the dialog."""
    await counter.open()
    page = counter.page
    await page.keyboard.press("F3")
    for code in ("5260250274", "5901234123457", "LOJALNY-KLIENT"):
        await page.click("#parked-open")
        await expect(page.locator(".parked-take")).to_be_focused()
        await scan(page, code)
        await expect(page.locator("#parked")).to_have_count(0 if code.isdigit() else 1)
        await expect(page.locator("#parked-count")).to_have_text("1")
    await expect(page.locator("#nip")).to_have_value("5260250274")
    await expect(page.locator(".ean")).to_have_text("EAN 5901234123457")


async def test_f1_shows_the_keys_and_turns_sounds_on(counter: Counter) -> None:
    await counter.open()
    page = counter.page
    await page.keyboard.press("F1")
    await expect(page.locator("#keys")).to_contain_text("BLIK")
    await page.check("#sounds")
    await page.keyboard.press("F9")
    assert not counter.sales
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_have_count(0)
    await page.reload()
    await page.keyboard.press("F1")
    await expect(page.locator("#sounds")).to_be_checked()


async def test_change_baskets_put_aside_and_what_was_cleared(counter: Counter) -> None:
    """The change is told and stands on no invoice; a basket put aside keeps its key and outlives its tab.

    The invoice is handed to the customer's phone: by a code on the screen, or in a message.
    """
    await counter.open()
    page = counter.page
    keys = page.keyboard
    await keys.press("F6")
    await keys.type("100")
    await expect(page.locator("#change-sum")).to_have_text("Brakuje 71,37\u00a0zł")
    await page.click("#change-notes button >> nth=1")
    await expect(page.locator("#change-sum")).to_have_text("Reszta 28,63\u00a0zł")
    await page.fill("#nip", "5260250274")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await page.click("#more summary")
    await page.fill("#email", "biuro@example")
    await page.click("#preview-button")
    await expect(page.locator("#email-error")).to_contain_text("nie jest adresem e-mail")
    await page.fill("#email", "biuro@example.pl")
    await page.click("#preview-button")
    await expect(page.locator("#preview")).to_contain_text("Kawa ziarnista 1 kg")
    await keys.press("Escape")
    key = await page.evaluate("JSON.parse(localStorage['ksef-agent.draft']).key")
    await keys.press("F3")
    await keys.type("Herbata")
    await page.fill("#line-0-unit_price", "5")
    await page.click("#clear-button")
    await expect(page.locator("#line-0-name")).to_have_value("")
    await page.click("#undo-clear")
    await expect(page.locator("#line-0-name")).to_have_value("Herbata")
    second = await page.context.new_page()
    await page.close()
    await second.goto(counter.address)
    await second.click("#parked-open")
    await expect(second.locator(".parked-take")).to_contain_text("171,37\u00a0złMinisterstwo Finansów")
    await second.click(".parked-take")
    await expect(second.locator("#parked-count")).to_have_text("1")
    await expect(second.locator("#change-sum")).to_have_text("Reszta 28,63\u00a0zł")
    async with second.expect_request("**/v1/invoices") as asked:
        await second.click("#press")
    request = await asked.value
    assert await request.header_value("Idempotency-Key") == key
    assert (request.post_data_json or {})["payments"] == [{"method": "cash", "amount": "171.37"}]
    await expect(second.locator("#answer-change")).to_have_text("Reszta 28,63\u00a0zł.")
    await second.click("#phone summary")
    code = second.locator("#phone img")
    await expect(code).to_be_visible()
    await code.evaluate("image => image.decode()")
    picture = Image.open(BytesIO(await code.screenshot()))
    (record,) = await counter.invoices()
    assert [found.text for found in zxingcpp.read_barcodes(picture.convert("L"))] == [record.link_invoice]
    message = unquote(await second.get_attribute("#phone-mail", "href") or "")
    assert message.startswith("mailto:biuro@example.pl?subject=Faktura FV-1/2026/11/000001&")
    assert record.link_invoice in message
    await second.keyboard.press("Escape")
    await second.keyboard.press("F3")
    await second.click("#parked .remove")
    await second.click("#undo-clear")
    await expect(second.locator("#line-0-name")).to_have_value("Herbata")
    sugar = {"lines": [{"name": "Cukier", "quantity": "1", "unit_price": "4"}]}
    await second.evaluate(f"location.hash = 'sale={handed(sugar)}'")
    await expect(second.locator("#line-0-name")).to_have_value("Cukier")
    await second.click("#undo-clear")
    await expect(second.locator("#line-0-name")).to_have_value("Herbata")
    await expect(second.locator("#parked-count")).to_have_text("1")


async def test_goods_and_buyers_sold_before_come_back_by_name(counter: Counter) -> None:
    """Two sales teach the page: quick keys, names while typing without diacritics, a buyer by a word of his name."""
    await counter.open()
    page = counter.page
    keys = page.keyboard
    for number in (1, 2):
        await page.fill("#nip", "5260250274")
        await expect(page.locator("#buyer-name")).not_to_have_value("")
        await page.click("#press")
        await counter.headline()
        assert len(await counter.invoices()) == number
        await keys.press("Escape")
        if number == 1:
            await page.click("#sample-button")
    for _ in range(2):
        await keys.press("Alt+1")
    await expect(page.locator("#line-0-quantity")).to_have_value("2")
    await keys.press("F4")
    await keys.type("zol ser")
    await expect(page.locator("#suggestions")).to_contain_text("42,00")
    assert await page.get_attribute("#line-1-name", "aria-expanded") == "true"
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(page.locator("#line-1-quantity")).to_be_focused()
    await keys.type("3")
    await page.focus("#buyer-name")
    await keys.type("finansow")
    await page.click("#suggestions li")
    await expect(page.locator("#nip")).to_have_value("5260250274")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await expect(page.locator("#press")).to_be_focused()
    await page.evaluate("document.activeElement.blur()")
    await scan(page, "5901234123457")
    await keys.type("Herbata")
    await page.fill("#line-2-unit_price", "12,50")
    await keys.press("F9")
    await counter.headline()
    assert [(line["name"], line["quantity"], line.get("ean")) for line in counter.sales[-1]["lines"]] == [
        ("Kawa ziarnista 1 kg", "2", None),
        ("Ser żółty na wagę", "3", None),
        ("Herbata", "1", "5901234123457"),
    ]
    await keys.press("Escape")
    await page.fill("#line-0-name", "Cukier")
    await page.click("[name=buyer-kind][value=eu_vat]")
    await page.fill("#eu-vat", "DE12345")
    await page.fill("#line-0-unit_price", "5")
    await page.fill("#buyer-name", "Müller GmbH")
    await page.fill("#line1", "Hauptstraße 5")
    await page.click("#press")
    await expect(page.locator("#eu-vat-error")).to_be_in_viewport()
    await page.fill("#eu-vat", "DE136695976")
    await page.click("#press")

    await counter.headline()
    await keys.press("Escape")
    await page.click("[name=buyer-kind][value=eu_vat]")
    await page.focus("#eu-vat")
    await keys.type("muller")
    await page.click("#suggestions li")
    await expect(page.locator("#eu-vat")).to_have_value("DE136695976")
    await expect(page.locator("#line1")).to_have_value("Hauptstraße 5")
