"""Whose name stands on the invoice: name, address and the receipt's number belong to the identifier on the screen."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Counter, handed

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ALFA, BETA, GAMMA = "5260250274", "1111111111", "9999999999"
FIRMS: dict[str, dict[str, Any]] = {
    ALFA: {"name": "Alfa sp. z o.o.", "address": {"line1": "ul. Alfy 1", "line2": "00-001 Warszawa"}},
    BETA: {"name": "Beta S.A.", "address": {"line1": "ul. Bety 2", "line2": None}},
}
NOTHING = ["", "", ""]
CONSUMER = {"name": "Jan Kowalski", "address": {"line1": "00-003 Warszawa", "country": "PL"}}
SALE: dict[str, Any] = {
    "prices": "gross",
    "lines": [{"name": "Żarówka", "quantity": "2", "unit": "szt.", "unit_price": "9.99", "vat": "23"}],
    "payments": [{"method": "card", "amount": "19.98"}],
}


@dataclass
class Lookups:
    """GET /v1/buyers/{nip} as a test wants it: who is known, and whose answer waits for its event."""

    page: Page
    firms: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(FIRMS))
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    came: dict[str, asyncio.Event] = field(default_factory=dict)
    lost: bool = False

    async def answer(self, route: Route) -> None:
        nip = route.request.url.rsplit("/", 1)[1]
        self.asked.append(nip)
        self.came.setdefault(nip, asyncio.Event()).set()
        if nip in self.held:
            await self.held[nip].wait()
        if self.lost:
            await route.abort()
        elif nip in self.firms:
            await route.fulfill(json={"nip": nip, "source": "white-list", **self.firms[nip]})
        else:
            await route.fulfill(status=404, json={"code": "buyer-unknown", "detail": "Nie znamy nabywcy."})

    async def hold(self, nip: str) -> None:
        self.held[nip] = asyncio.Event()
        self.came[nip] = asyncio.Event()


@pytest_asyncio.fixture(loop_scope="module")
async def lookups(counter: Counter) -> Lookups:
    made = Lookups(counter.page)
    await counter.page.route("**/v1/buyers/*", made.answer)
    return made


async def data(page: Page, *ids: str) -> list[str]:
    return [await page.input_value(f"#{each}") for each in ids or ("buyer-name", "line1", "line2")]


async def shows(page: Page, name: str, line1: str) -> None:
    await expect(page.locator("#buyer-name")).to_have_value(name)
    await expect(page.locator("#line1")).to_have_value(line1)


async def pressed(counter: Counter) -> dict[str, Any]:
    """Press, and return the sale that went out."""
    async with counter.page.expect_request("**/v1/invoices") as request:
        await counter.page.click("#press")
    await counter.headline()
    sent: dict[str, Any] = json.loads((await request.value).post_data or "")
    return sent


async def focused(page: Page) -> str:
    found: str = await page.evaluate("document.activeElement.id")
    return found


class TestFieldsBelongToTheirNip:
    async def test_an_unknown_nip_does_not_keep_the_name_before(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await page.fill("#nip", GAMMA)
        await expect(page.locator("#nip-hint")).to_contain_text("Wpisz nazwę i adres")
        assert await data(page) == NOTHING
        await page.click("#press")
        await expect(page.locator("#buyer-name-error")).to_contain_text(f"Nie wiadomo, czyj jest NIP {GAMMA}")
        assert not await counter.invoices()

    async def test_a_press_waits_for_the_nip_on_the_screen(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await lookups.hold(BETA)
        await page.fill("#nip", BETA)
        await page.click("#press")
        await lookups.came[BETA].wait()
        assert not await counter.invoices()
        async with page.expect_request("**/v1/invoices") as request:
            lookups.held[BETA].set()
        buyer = json.loads((await request.value).post_data or "")["buyer"]
        assert (buyer["nip"], buyer["name"], buyer["address"]["line1"]) == (BETA, "Beta S.A.", "ul. Bety 2")

    async def test_it_does_not_wait_long_and_asks(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.clock.install()
        await lookups.hold(BETA)
        await page.fill("#nip", BETA)
        await page.click("#press")
        await expect(page.locator("#press-text")).to_have_text("Sprawdzam nabywcę…")
        await page.clock.run_for(2_100)
        await expect(page.locator("#buyer-name-error")).to_contain_text(f"Nie wiadomo, czyj jest NIP {BETA}")
        assert await focused(page) == "buyer-name"
        assert not await counter.invoices()
        await page.fill("#buyer-name", "Beta wpisana")
        await page.fill("#line1", "ul. Wpisana 3")
        sent = await pressed(counter)  # a person gave both: nothing to wait for
        assert (sent["buyer"]["name"], sent["buyer"]["address"]["line1"]) == ("Beta wpisana", "ul. Wpisana 3")
        lookups.held[BETA].set()

    async def test_a_lost_lookup_is_tried_again_at_the_press(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        lookups.lost = True
        await counter.page.fill("#nip", BETA)
        await expect(counter.page.locator("#nip-hint")).to_contain_text("Nie udało się sprawdzić")
        lookups.lost = False
        assert (await pressed(counter))["buyer"]["name"] == "Beta S.A."

    async def test_answers_out_of_order(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await lookups.hold(ALFA)
        await page.fill("#nip", ALFA)
        await lookups.came[ALFA].wait()
        await page.fill("#nip", BETA)
        await shows(page, "Beta S.A.", "ul. Bety 2")
        async with page.expect_response(f"**/v1/buyers/{ALFA}"):
            lookups.held[ALFA].set()
        assert (await pressed(counter))["buyer"]["name"] == "Beta S.A."

    async def test_a_nip_being_mended_asks_once_and_forgets_nothing(self, counter: Counter, lookups: Lookups) -> None:
        """A digit is taken away and typed again while the answer is on its way; then after a name was written."""
        await counter.open()
        page = counter.page
        await lookups.hold(ALFA)
        await page.fill("#nip", ALFA)
        await lookups.came[ALFA].wait()
        await page.press("#nip", "Backspace")
        await page.press("#nip", ALFA[-1])
        lookups.held[ALFA].set()
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        assert lookups.asked == [ALFA]
        await page.fill("#buyer-name", "Alfa, oddział Łódź")
        await page.press("#nip", "End")
        await page.press("#nip", "Backspace")
        assert await data(page) == NOTHING
        await page.press("#nip", ALFA[-1])
        assert await data(page) == ["Alfa, oddział Łódź", "ul. Alfy 1", "00-001 Warszawa"]
        await page.fill("#nip", GAMMA)
        assert await data(page) == NOTHING
        await page.fill("#nip", f"PL {ALFA[:3]}-{ALFA[3:6]}.{ALFA[6:]}")
        assert (await pressed(counter))["buyer"] == {
            "nip": ALFA,
            "name": "Alfa, oddział Łódź",
            "address": {"line1": "ul. Alfy 1", "line2": "00-001 Warszawa", "country": "PL"},
        }

    async def test_what_a_person_wrote_stays(self, counter: Counter, lookups: Lookups) -> None:
        """A late answer fills in what is empty, and never half an address."""
        await counter.open()
        page = counter.page
        await lookups.hold(ALFA)
        await page.fill("#nip", ALFA)
        await page.fill("#line1", "ul. Nowa 7")
        async with page.expect_response(f"**/v1/buyers/{ALFA}"):
            lookups.held[ALFA].set()
        await expect(page.locator("#buyer-name")).to_have_value("Alfa sp. z o.o.")
        assert await data(page) == ["Alfa sp. z o.o.", "ul. Nowa 7", ""]

    async def test_a_name_written_before_its_nip(self, counter: Counter, lookups: Lookups) -> None:
        """It was meant for whoever comes; what is known of the NIP is better, an unknown NIP keeps it."""
        await counter.open()
        page = counter.page
        await page.fill("#buyer-name", "Gamma")
        await page.fill("#line1", "ul. Gammy 3")
        await page.fill("#nip", GAMMA)
        await expect(page.locator("#nip-hint")).to_contain_text("Wpisz nazwę")
        assert await data(page) == ["Gamma", "ul. Gammy 3", ""]
        await page.click("#clear-button")
        await page.fill("#buyer-name", "Zła nazwa")
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")

    async def test_a_firm_s_data_are_not_a_private_person_s(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await page.check("[name=buyer-kind][value=none]")
        assert await data(page) == NOTHING
        await page.fill("#buyer-name", "Jan Kowalski")
        await page.check("[name=buyer-kind][value=nip]")
        assert (await data(page))[0] == "Alfa sp. z o.o."
        await page.check("[name=buyer-kind][value=none]")
        await page.fill("#line2", "00-003 Warszawa")
        assert (await pressed(counter))["buyer"] == CONSUMER
        assert lookups.asked == [ALFA]

    async def test_a_private_person_has_a_name_and_an_address_too(self, counter: Counter, lookups: Lookups) -> None:
        """Content of every invoice (art. 106e ust. 1 pkt 3)."""
        await counter.open()
        page = counter.page
        await counter.hand_over(SALE | {"buyer": {"none": True}})
        await page.click("#press")
        await expect(page.locator("#buyer-name-error")).to_contain_text("Wpisz imię i nazwisko.")
        await expect(page.locator("#line1-error")).to_contain_text("Wpisz adres")
        await expect(page.locator("#buyer-name")).to_be_focused()
        assert not await counter.invoices()

    async def test_other_identifiers_keep_their_own_too(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.check("[name=buyer-kind][value=eu_vat]")
        await page.fill("#eu-vat", "DE136695976")
        await page.fill("#buyer-name", "Müller GmbH")
        await page.fill("#line1", "Hauptstraße 5")
        await page.fill("#eu-vat", "ATU12345675")
        await page.keyboard.press("F9")  # the focus is still in the field
        assert await data(page) == NOTHING
        assert [each["buyer"] for each in await sales(counter)] == [{"eu_vat": "ATU12345675"}]

    async def test_clearing_and_samples_leave_no_late_name(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        for button in ("#clear-button", "#sample-button"):
            await lookups.hold(ALFA)
            await page.fill("#nip", ALFA)
            await lookups.came[ALFA].wait()
            await page.click(button)
            async with page.expect_response(f"**/v1/buyers/{ALFA}"):
                lookups.held[ALFA].set()
            assert await data(page, "nip", "buyer-name", "line1") == NOTHING

    async def test_a_reload_and_another_view_in_the_middle(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await lookups.hold(ALFA)
        await page.fill("#nip", ALFA)
        await lookups.came[ALFA].wait()
        await page.click("[data-view=find]")
        lookups.held.pop(ALFA).set()
        await page.click("[data-view=sale]")
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await page.fill("#nip", GAMMA)
        await page.reload()
        await page.wait_for_selector("#sale-form:visible")
        assert await data(page) == NOTHING
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")

    async def test_what_a_browser_fills_in_without_a_word(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.fill("#nip", ALFA)
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await page.evaluate(f"document.getElementById('nip').value = '{BETA}'")
        assert (await pressed(counter))["buyer"]["name"] == "Beta S.A."

    async def test_a_memory_that_the_white_list_contradicts_is_told(self, counter: Counter, lookups: Lookups) -> None:
        lookups.firms[BETA] = {**FIRMS[BETA], "replaced": "Alfa sp. z o.o."}
        await counter.open()
        await counter.page.fill("#nip", BETA)
        hint = counter.page.locator("#nip-hint")
        await expect(hint).to_contain_text("zapamiętana nazwa „Alfa sp. z o.o.” jest inna niż na białej liście")
        assert (await data(counter.page))[0] == "Beta S.A."


async def sales(counter: Counter) -> list[dict[str, Any]]:
    """Sales that the till was asked to issue, as they came."""
    await counter.pressed.wait()
    return counter.sales


class TestCorrections:
    async def test_the_right_buyer_is_the_one_of_his_nip(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.press()
        await counter.headline()
        page = counter.page
        await page.click("#to-correct")
        await page.check("[name=correction-kind][value=buyer]")
        await page.fill("#right-nip", BETA)
        await expect(page.locator("#right-name")).to_have_value("Beta S.A.")
        await page.fill("#right-nip", GAMMA)
        await expect(page.locator("#right-name")).to_have_value("")
        await page.fill("#right-nip", "")
        await page.fill("#right-name", "Jan Kowalski")
        await page.click("#correct-submit")
        await expect(page.locator("#right-line1-error")).to_contain_text("Wpisz adres")
        await page.fill("#right-line2", "00-003 Warszawa")
        async with page.expect_request("**/corrections") as request:
            await page.click("#correct-submit")
        assert json.loads((await request.value).post_data or "")["buyer"] == CONSUMER

    async def test_a_press_waits_there_too(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.press()
        await counter.headline()
        page = counter.page
        await page.click("#to-correct")
        await page.check("[name=correction-kind][value=buyer]")
        await lookups.hold(BETA)
        await page.fill("#right-nip", BETA)
        await page.click("#correct-submit")
        await lookups.came[BETA].wait()
        async with page.expect_request("**/corrections") as request:
            lookups.held[BETA].set()
        assert json.loads((await request.value).post_data or "")["buyer"]["name"] == "Beta S.A."

    async def test_the_buyer_of_an_invoice_from_elsewhere(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        await page.click("[data-view=find]")
        await page.fill("#find-text", "STARA/7/2026")
        await page.keyboard.press("Enter")
        await page.click("#outside")
        await page.fill("#base-buyer-nip", ALFA)
        await expect(page.locator("#base-buyer-name")).to_have_value("Alfa sp. z o.o.")
        await page.fill("#base-buyer-nip", GAMMA)
        await expect(page.locator("#base-buyer-name")).to_have_value("")
        await page.fill("#base-buyer-nip", ALFA)
        await page.check("[name=base-buyer-kind][value=none]")
        await expect(page.locator("#base-buyer-name")).to_have_value("")


class TestBasketHandedOver:
    async def test_nobody_named_is_a_firm_whose_nip_comes_next(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        page = counter.page
        for number, buyer in enumerate(({"none": True}, None, {"none": True}, {"name": ""}, {"none": True}, {})):
            await counter.hand_over(SALE | {"buyer": buyer, "lines": [SALE["lines"][0] | {"name": f"Koszyk {number}"}]})
            firm = await page.is_checked("[name=buyer-kind][value=nip]")
            assert firm is (buyer != {"none": True})
        assert await focused(page) == "nip"
        await page.keyboard.type(ALFA)
        await page.keyboard.press("Enter")
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        assert not await counter.invoices()
        assert (await pressed(counter))["buyer"]["nip"] == ALFA

    async def test_only_a_nip_is_looked_up(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"nip": "PL 526-025-02-74"}})
        await shows(counter.page, "Alfa sp. z o.o.", "ul. Alfy 1")
        assert (await pressed(counter))["buyer"]["nip"] == ALFA

    async def test_what_the_program_says_of_the_buyer_stays(self, counter: Counter, lookups: Lookups) -> None:
        buyer = {"nip": ALFA, "name": "Alfa od kasy", "address": {"line1": "ul. Kasy 1", "country": "PL"}}
        await counter.open()
        await counter.hand_over(SALE | {"buyer": buyer})
        assert (await pressed(counter))["buyer"] == buyer
        assert lookups.asked == []

    @pytest.mark.parametrize(
        ("buyer", "place"),
        [
            ({"none": True}, ""),
            (CONSUMER, "#press"),
            ({"none": True}, "#total"),
            ({"name": "Jan Kowalski"}, "[name=buyer-kind][value=none]"),
            ({"name": "Jan Kowalski"}, "#buyer-name"),
        ],
    )
    async def test_a_scanned_nip_is_never_lost(
        self, counter: Counter, lookups: Lookups, buyer: dict[str, Any], place: str
    ) -> None:
        """The program said that it is a private person; the customer shows a card. Wherever the focus is."""
        await counter.no_pause_counts()
        await counter.open()
        await counter.hand_over(SALE | {"buyer": buyer})
        page = counter.page
        assert await page.is_checked("[name=buyer-kind][value=none]")
        if place == "#total":
            await page.click("#total")
        elif place:
            await page.focus(place)
            await page.evaluate("document.activeElement.value && document.activeElement.select?.()")
        await page.keyboard.type(ALFA)
        await page.keyboard.press("Enter")
        await expect(page.locator("#nip")).to_have_value(ALFA)
        assert await page.is_checked("[name=buyer-kind][value=nip]")
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        assert not await counter.invoices()

    async def test_a_scan_without_enter_ends_by_itself(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"none": True}})
        await counter.page.focus("#press")
        await counter.page.keyboard.type(ALFA)
        await expect(counter.page.locator("#nip")).to_have_value(ALFA)

    async def test_a_second_scan_replaces_the_first_and_issues_nothing(
        self, counter: Counter, lookups: Lookups
    ) -> None:
        await counter.no_pause_counts()
        await counter.open()
        await counter.hand_over(SALE)
        page = counter.page
        for nip in (ALFA, BETA):
            await page.keyboard.type(nip)
            await page.keyboard.press("Enter")
            assert await focused(page) == "press"
        assert await page.input_value("#nip") == BETA
        assert not await counter.invoices()

    async def test_a_product_code_is_no_nip(self, counter: Counter, lookups: Lookups) -> None:
        await counter.no_pause_counts()
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"none": True}})
        await counter.page.focus("#press")
        await counter.page.keyboard.type("5901234123457")
        await counter.page.keyboard.press("Enter")
        await expect(counter.page.locator("#said")).to_have_text("Nieznany kod 5901234123457: wpisz nazwę i cenę.")
        assert not await counter.invoices()

    async def test_a_nip_in_the_name_is_found_at_the_press(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"none": True}})
        await counter.page.fill("#buyer-name", ALFA)
        await counter.page.keyboard.press("F9")
        await expect(counter.page.locator("#sale-error")).to_contain_text("był NIP")
        await expect(counter.page.locator("#nip")).to_have_value(ALFA)
        assert not await counter.invoices()

    async def test_pasted_anywhere(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"none": True}})
        await counter.page.evaluate(
            """() => {
              const data = new DataTransfer();
              data.setData("text", "NIP: 526\u2013025\u201302\u201374");
              document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
            }"""
        )
        await shows(counter.page, "Alfa sp. z o.o.", "ul. Alfy 1")

    async def test_a_long_spelling_fits_into_the_field(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.page.focus("#nip")
        await counter.page.keyboard.type("NIP: PL 526-025-02-74")
        await shows(counter.page, "Alfa sp. z o.o.", "ul. Alfy 1")

    async def test_while_a_lookup_is_waited_for(self, counter: Counter, lookups: Lookups) -> None:
        """The press goes out for the basket that was pressed; the new one comes next."""
        await counter.open()
        page = counter.page
        await lookups.hold(ALFA)
        await page.fill("#nip", ALFA)
        await page.click("#press")
        await lookups.came[ALFA].wait()
        await page.evaluate(f"location.hash = 'sale={handed(SALE | {'buyer': {'nip': BETA}})}'")
        lookups.held[ALFA].set()
        await counter.headline()
        assert [each["buyer"]["nip"] for each in await sales(counter)] == [ALFA]
        await page.keyboard.press("Escape")
        await shows(page, "Beta S.A.", "ul. Bety 2")
        assert await page.input_value("#line-0-name") == "Żarówka"

    async def test_what_only_the_program_knows_belongs_to_the_nip_too(self, counter: Counter, lookups: Lookups) -> None:
        recipient = {"role": "local_government", "internal_id": f"{ALFA}-00001", "name": "Szkoła nr 5"}
        await counter.open()
        for nip, expected in ((BETA, None), (ALFA, recipient)):
            await counter.hand_over(SALE | {"buyer": {"nip": ALFA}, "recipient": recipient})
            await counter.page.fill("#nip", nip)
            assert (await pressed(counter)).get("recipient") == expected

    async def test_a_foreign_identifier_with_its_country(self, counter: Counter, lookups: Lookups) -> None:
        buyer = {"foreign_id": {"country": "CH", "number": "CHE-1"}, "name": "Rösti AG", "address": {"line1": "Berg 1"}}
        await counter.open()
        await counter.hand_over(SALE | {"buyer": buyer})
        assert (await pressed(counter))["buyer"] == {
            "foreign_id": "CHE-1",
            "name": "Rösti AG",
            "address": {"line1": "Berg 1", "country": "CH"},
        }


class TestReceipt:
    async def open(self, counter: Counter) -> Page:
        await counter.open()
        await counter.page.click("#more summary")
        await counter.page.fill("#nip", ALFA)
        await shows(counter.page, "Alfa sp. z o.o.", "ul. Alfy 1")
        return counter.page

    async def test_a_firm_is_asked_about_its_receipt(self, counter: Counter, lookups: Lookups) -> None:
        page = await self.open(counter)
        question = page.locator("#on-receipt")
        await expect(question).to_be_hidden()
        await page.fill("#receipt-number", "W000123")
        await expect(question).to_contain_text("Czy NIP jest na paragonie?")
        await page.click("#press")
        await expect(question).to_contain_text("Odpowiedz")
        assert await focused(page) == "on-receipt-yes"
        await page.check("[name=on-receipt][value=no]")
        await expect(page.locator("#on-receipt-yes-error")).to_have_count(0)
        await page.click("#press")
        await expect(page.locator("#on-receipt-yes-error")).to_contain_text("nie wolno wystawić faktury na firmę")
        assert not await counter.invoices()
        await page.check("[name=on-receipt][value=yes]")
        assert (await pressed(counter))["receipt"] == {"number": "W000123", "nip": ALFA}

    async def test_an_answer_is_for_one_nip_and_one_receipt(self, counter: Counter, lookups: Lookups) -> None:
        page = await self.open(counter)
        yes = page.locator("[name=on-receipt][value=yes]")
        await page.fill("#receipt-number", "W000123")
        await yes.check()
        await page.fill("#nip", BETA)
        await expect(yes).not_to_be_checked()
        await page.fill("#nip", ALFA)
        await expect(yes).to_be_checked()
        await page.fill("#receipt-number", "W000124")
        await expect(yes).not_to_be_checked()
        await page.check("[name=buyer-kind][value=eu_vat]")
        await expect(page.locator("#on-receipt")).to_contain_text("Czy numer VAT UE jest na paragonie?")
        await page.check("[name=buyer-kind][value=none]")
        await expect(page.locator("#on-receipt")).to_be_hidden()
        await page.fill("#buyer-name", "Jan Kowalski")
        await page.fill("#line1", "ul. Cicha 3")
        assert (await pressed(counter))["receipt"] == {"number": "W000124"}

    async def test_the_program_knows_the_receipt(self, counter: Counter, lookups: Lookups) -> None:
        """Its NIP is the buyer's where none was named, and nobody is asked."""
        receipt = {"number": "W000123", "register": "EAZ 2301234567", "nip": ALFA}
        await counter.open()
        await counter.hand_over(SALE | {"receipt": receipt})
        page = counter.page
        await shows(page, "Alfa sp. z o.o.", "ul. Alfy 1")
        await expect(page.locator("#on-receipt")).to_contain_text(f"Na paragonie jest NIP {ALFA}.")
        await expect(page.locator("#on-receipt-choices")).to_be_hidden()
        assert (await pressed(counter))["receipt"] == receipt

    async def test_a_program_that_does_not_know_leaves_the_question(self, counter: Counter, lookups: Lookups) -> None:
        await counter.open()
        await counter.hand_over(SALE | {"buyer": {"nip": ALFA}, "receipt": {"number": "W000123"}})
        await expect(counter.page.locator("#on-receipt")).to_contain_text("Czy NIP jest na paragonie?")
