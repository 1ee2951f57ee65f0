"""Invoices across tills, one invoice, the register and the days of outages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from agent.hub.domain.books import marker
from agent.hub.domain.records import Person, Seller
from agent.hub.services.books import Found, Hits, OutageDay
from agent.hub.web.pages.fleet import invoice_cells
from agent.hub.web.pages.markup import MODES, STATES, Markup, day, join, moment, money, page, table, tag
from agent.hub.web.people import RIGHTS, Right

HINT = "numer faktury albo numer KSeF (także sam początek), NIP nabywcy, kwota (123,45) albo zeskanowany kod QR"


def search_page(person: Person, text: str, hits: Hits | None) -> str:
    """Return the search, with what was found."""
    return page(
        "Faktury",
        person,
        tag(
            "form",
            tag(
                "label",
                f"Szukaj: {HINT} ",
                Markup(tag("input", name="q", value=text, autofocus="").removesuffix("</input>")),
                class_="wide",
            ),
            tag("button", "Szukaj"),
            class_="filter",
        ),
        tag(
            "p",
            f"Jest ich więcej. Oto pierwsze {len(hits.found)}; wpisz dłuższy początek numeru albo dokładniejsze dane.",
        )
        if hits is not None and hits.more
        else "",
        ""
        if hits is None
        else table(
            ("Sklep", "Kasa", "Numer", "Data", "Kwota", "Stan", "Numer KSeF", "Termin", "UPO", "Uwagi"),
            ((each.till.shop, each.till.name, *invoice_cells(each.invoice)) for each in hits.found),
            empty="Centrala nie zna takiej faktury.",
        ),
    )


def invoice_page(person: Person, found: Found, today: date) -> str:
    """Return one invoice."""
    invoice, till = found.invoice, found.till
    facts: list[tuple[str, object]] = [
        ("Sprzedawca", f"NIP {invoice.nip}"),
        ("Sklep i kasa", f"{till.shop or '–'}, {till.name}"),
        ("Rodzaj", invoice.kind),
        ("Data wystawienia", day(invoice.issued_on)),
        ("Kwota brutto", money(invoice.gross, invoice.currency)),
        ("Nabywca", f"{invoice.buyer_name or '–'} {invoice.buyer_identifier or ''}"),
        ("Tryb", MODES.get(invoice.mode, invoice.mode or "–")),
        ("Stan", STATES[invoice.state.value]),
        ("Numer KSeF", invoice.ksef_number or "–"),
        ("Oznaczenie w JPK dziś", marker(invoice, today).value),
        ("Przyjęta", moment(invoice.accepted_at)),
        ("Termin przesłania", day(invoice.deadline)),
        ("W centrali od", moment(invoice.received_at)),
        ("Prób wysłania", invoice.attempts),
        ("SHA-256", tag("code", invoice.sha256.hex())),
        ("Ostatni kłopot", invoice.trouble or "–"),
        *([] if invoice.closed_at is None else [("Sprawa zamknięta", moment(invoice.closed_at))]),
    ]
    books = Right.BOOKS in RIGHTS[person.role]
    return page(
        f"Faktura {invoice.number}",
        person,
        tag("dl", *(join((tag("dt", name), tag("dd", value))) for name, value in facts)),
        tag("p", tag("a", "Pobierz dowody (ZIP)", href=f"/v1/evidence?sha256={invoice.sha256.hex()}")) if books else "",
    )


def books_page(person: Person, sellers: Sequence[Seller], nip: str, month: str, days: Sequence[OutageDay]) -> str:
    """Return where the register is fetched, and the days on which invoices went out without their number."""
    options = [
        tag("option", f"{each.name} ({each.nip})", value=each.nip, selected="selected" if each.nip == nip else None)
        for each in sellers
    ]
    query = f"nip={nip}&month={month}"
    return page(
        "Rejestr i dowody",
        person,
        tag(
            "form",
            tag("label", "Sprzedawca ", tag("select", *options, name="nip")),
            tag(
                "label",
                "Miesiąc ",
                Markup(tag("input", name="month", type="month", value=month).removesuffix("</input>")),
            ),
            tag("button", "Pokaż"),
            class_="filter",
        ),
        tag(
            "p",
            tag("a", "Rejestr jako CSV", href=f"/v1/register?{query}&format=csv"),
            " · ",
            tag("a", "Rejestr jako JSON", href=f"/v1/register?{query}"),
        )
        if nip
        else "",
        tag("h2", "Faktury wydane bez numeru KSeF"),
        table(
            ("Dzień", "Sklep", "Kasa", "Faktur", "Bez numeru", "Pierwsza", "Ostatnia"),
            (
                (
                    day(each.day),
                    each.shop,
                    each.till,
                    each.count,
                    each.unnumbered,
                    moment(each.first_at),
                    moment(each.last_at),
                )
                for each in days
            ),
            empty="W tym miesiącu każda faktura miała numer przy kasie.",
        ),
    )
