"""All tills, worst first, and one till."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.domain.values import dataclass
from agent.hub.domain.fleet import Grade, TillView
from agent.hub.domain.records import HubInvoice, Person
from agent.hub.services.fleet import FleetView, TillPage
from agent.hub.web.pages.markup import (
    MODES,
    STATES,
    Markup,
    badge,
    day,
    join,
    moment,
    money,
    page,
    table,
    tag,
    whole,
)
from agent.hub.web.people import RIGHTS, Right

SHOWN = 500
"""Tills on one page; the worst ones."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show: a NIP, a shop, only trouble, a word in name or shop."""

    nip: str = ""
    shop: str = ""
    trouble: bool = False
    word: str = ""
    still: bool = False
    """The page does not refresh by itself."""

    def fits(self, view: TillView) -> bool:
        """Tell whether a till is shown."""
        return (
            self.nip in {"", view.till.nip}
            and self.shop in {"", view.till.shop}
            and (not self.trouble or view.grade in {Grade.CRITICAL, Grade.WARNING})
            and self.word.casefold() in f"{view.till.name} {view.till.shop} {view.version}".casefold()
        )


def fleet_page(person: Person, fleet: FleetView, chosen: Filter) -> str:
    """Return the page of all tills."""
    shown = [each for each in fleet.tills if chosen.fits(each)]
    return page(
        "Kasy",
        person,
        _summary(fleet),
        tag("ul", *(tag("li", badge(each.grade), " ", each.text) for each in fleet.troubles), class_="troubles")
        if fleet.troubles
        else "",
        _form(fleet, chosen),
        table(
            (
                "Stan",
                "Sklep",
                "Kasa",
                "Ostatnio",
                "Wersja",
                "Tryb",
                "Nieprzesłane",
                "Termin",
                "Drukarka",
                "Certyfikat, dni",
                "Co się dzieje",
            ),
            (_row(each) for each in shown[:SHOWN]),
            empty="Żadna kasa nie pasuje. Kasy dodaje: ksef-agent hub till add NAZWA.",
        ),
        tag("p", f"Pokazano {SHOWN} najgorszych z {len(shown)} kas.") if len(shown) > SHOWN else "",
        _sellers(fleet),
    )


def till_page(person: Person, found: TillPage) -> str:
    """Return the page of one till."""
    view = found.view
    facts: list[tuple[str, object]] = [
        ("Stan", badge(view.grade)),
        *([("Wycofana", moment(view.till.revoked_at))] if view.till.revoked_at is not None else []),
        ("Sprzedawca", f"{view.seller}, NIP {view.till.nip}"),
        ("Sklep", view.till.shop or "–"),
        ("Serie numerów", ", ".join(view.till.series) or "dowolne"),
        ("Ostatnio słyszana", f"{moment(view.heard_at)} z adresu {view.address or '–'}"),
        ("Wersja programu", view.version or "–"),
        ("Tryb", _mode(view)),
        ("Nieprzesłane (mówi kasa)", view.unsent),
        ("W centrali, jeszcze nie w KSeF", view.held),
        ("Tylko na kasie", view.alone),
        ("Odrzucone przez KSeF, nieodczytane przez kasę", view.refused),
        ("Najbliższy termin", day(view.deadline)),
        ("Drukarka", view.printers or "–"),
        ("Certyfikaty, dni ważności", "–" if view.certificate_days is None else view.certificate_days),
    ]
    return page(
        f"{view.till.name}, {view.till.shop}" if view.till.shop else view.till.name,
        person,
        tag("ul", *(tag("li", badge(each.grade), " ", each.text) for each in view.troubles), class_="troubles")
        if view.troubles
        else "",
        tag("dl", *(join((tag("dt", name), tag("dd", value))) for name, value in facts)),
        _adopt(person, view),
        *_refused(person, found),
        tag("h2", "Jeszcze nie w KSeF"),
        invoices_table(found.open, empty="Wszystko, co kasa przekazała, jest w KSeF."),
        tag("h2", "Ostatnio przekazane"),
        invoices_table(found.newest, empty="Kasa niczego jeszcze nie przekazała."),
    )


def invoices_table(invoices: Iterable[HubInvoice], *, empty: str) -> Markup:
    """Return a table of invoices of one till."""
    return table(
        ("Numer", "Data", "Kwota", "Stan", "Numer KSeF", "Termin", "UPO", "Uwagi"),
        ([*invoice_cells(each)] for each in invoices),
        empty=empty,
    )


def invoice_cells(invoice: HubInvoice) -> Sequence[object]:
    """Return what every list says of an invoice."""
    refusal = invoice.refusal
    remark = invoice.trouble or ("" if refusal is None else f"{refusal.code}: {refusal.description}")
    return (
        whole(tag("a", invoice.number, href=f"/invoices/{invoice.sha256.hex()}")),
        whole(day(invoice.issued_on)),
        whole(money(invoice.gross, invoice.currency)),
        STATES[invoice.state.value],
        whole(invoice.ksef_number or "–"),
        whole(day(invoice.deadline)),
        "tak" if invoice.proven else "–",
        remark,
    )


def _row(view: TillView) -> Sequence[object]:
    return (
        badge(view.grade),
        view.till.shop or "–",
        join((whole(tag("a", view.till.name, href=f"/tills/{view.till.id}")), _revoked(view))),
        moment(view.heard_at),
        view.version or "–",
        _mode(view),
        view.not_in_ksef if view.held == 0 else f"{view.not_in_ksef} (w centrali {view.held})",
        whole(day(view.deadline)),
        view.printers or "–",
        "–" if view.certificate_days is None else view.certificate_days,
        join(tag("div", each.text, class_="trouble") for each in view.troubles),
    )


def _revoked(view: TillView) -> str:
    return "" if view.till.revoked_at is None else " (wycofana)"


def _mode(view: TillView) -> str:
    return "–" if view.mode is None else MODES.get(view.mode, view.mode)


def _summary(fleet: FleetView) -> Markup:
    counts = {grade: sum(each.grade is grade for each in fleet.tills) for grade in Grade}
    waiting = sum(fleet.overview.open_counts.values())
    shares = [
        f"{each.shop or 'bez nazwy'}: {100 * (each.count - each.online) // each.count} %"
        for each in fleet.shares
        if each.count
    ]
    return join(
        (
            tag(
                "p",
                join(join((badge(grade), f" {count} ")) for grade, count in counts.items() if count),
                f"– w centrali czeka na KSeF: {waiting}. Stan z {moment(fleet.at)}.",
            ),
            tag("p", f"Bez numeru przy kasie w ciągu doby: {', '.join(shares)}.") if shares else "",
        )
    )


def _form(fleet: FleetView, chosen: Filter) -> Markup:
    nips = sorted({each.till.nip for each in fleet.tills})
    shops = sorted({each.till.shop for each in fleet.tills if each.till.shop})
    return tag(
        "form",
        tag("label", "NIP ", _select("nip", nips, chosen.nip)),
        tag("label", "Sklep ", _select("shop", shops, chosen.shop)),
        tag(
            "label",
            Markup(f'<input type="checkbox" name="trouble" value="1"{" checked" if chosen.trouble else ""}>'),
            " tylko kłopoty",
        ),
        tag(
            "label",
            Markup(f'<input type="checkbox" name="still" value="1"{" checked" if chosen.still else ""}>'),
            " bez odświeżania",
        ),
        tag("label", "Szukaj ", _input("word", chosen.word)),
        tag("button", "Pokaż"),
        class_="filter",
    )


def _input(name: str, value: str) -> Markup:
    return Markup(tag("input", name=name, value=value).removesuffix("</input>"))


def _select(name: str, values: Sequence[str], chosen: str) -> Markup:
    options = [tag("option", "wszystkie", value="")]
    options += [tag("option", each, value=each, selected="selected" if each == chosen else None) for each in values]
    return tag("select", *options, name=name)


def _sellers(fleet: FleetView) -> Markup:
    return join(
        (
            tag("h2", "Sprzedawcy"),
            table(
                ("NIP", "Nazwa", "Kasy", "KSeF", "Wysyła proces", "Zostało wysyłek w godzinie"),
                (
                    (
                        each.nip,
                        each.name,
                        each.tills,
                        {"up": "odpowiada", "down": "nie odpowiada"}.get(each.ksef, "nieznany"),
                        each.leader or "żaden",
                        _left(each.budget.get("left_hour", "–")),
                    )
                    for each in fleet.overview.sellers
                ),
                empty="Nie ma sprzedawców. Dodaje ich: ksef-agent hub seller add NIP.",
            ),
        )
    )


def _left(value: object) -> str:
    return "bez ograniczeń" if isinstance(value, int) and value > 100_000 else str(value)


def _adopt(person: Person, view: TillView) -> Markup:
    if Right.MANAGE not in RIGHTS[person.role] or not any(each.code == "till-duplicate" for each in view.troubles):
        return Markup("")
    return tag(
        "form",
        tag("p", "Pod tą nazwą zgłosiła się druga kasa. Jeżeli zastąpiła tę (nowy dysk), przyjmij ją:"),
        tag("button", "Przyjmij kasę, która zgłosi się następna"),
        method="post",
        action=f"/tills/{view.till.id}/adopt",
    )


def _refused(person: Person, found: TillPage) -> Sequence[Markup]:
    """What KSeF refused and the till has not read, each with what a manager says once it was looked after."""
    if not found.refused:
        return ()
    may = Right.MANAGE in RIGHTS[person.role]
    return (
        tag("h2", "Odrzucone przez KSeF, nieodczytane przez kasę"),
        tag(
            "p",
            "Gdy kasa działa, odczyta to sama i tam się to wyjaśnia. Gdy już nie wróci: wystaw fakturę ponownie albo "
            "skoryguj ją na innej kasie i zapisz tutaj, jak sprawę załatwiono.",
        ),
        table(
            ("Numer", "Data", "Kwota", "Stan", "Numer KSeF", "Termin", "UPO", "Uwagi", "Załatwione"),
            ([*invoice_cells(each), _settle(each) if may else "–"] for each in found.refused),
            empty="",
        ),
    )


def _settle(invoice: HubInvoice) -> Markup:
    field = Markup(
        tag(
            "input", name="why", required="required", maxlength="500", aria_label=f"Jak załatwiono {invoice.number}"
        ).removesuffix("</input>")
    )
    action = f"/invoices/{invoice.sha256.hex()}/settle"
    return tag("form", field, tag("button", "Zapisz"), method="post", action=action)
