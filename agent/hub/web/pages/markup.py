"""HTML: everything is escaped unless it is markup already."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from html import escape

from agent.domain.calendar import local_time
from agent.hub.domain.fleet import Grade
from agent.hub.domain.records import Person
from agent.hub.web.people import RIGHTS, Right

GRADES = {
    Grade.CRITICAL: ("critical", "pilne"),
    Grade.WARNING: ("warning", "uwaga"),
    Grade.WELL: ("well", "w porządku"),
    Grade.UNHEARD: ("unheard", "jeszcze się nie zgłosiła"),
}
MODES = {
    "online": "online",
    "offline24": "offline24",
    "unavailability": "niedostępność KSeF",
    "failure": "awaria KSeF",
    "total_failure": "awaria całkowita",
}
STATES = {
    "waiting": "czeka na wysłanie",
    "exempt": "nie podlega wysłaniu",
    "sending": "w wysyłce",
    "doubt": "wyjaśniana",
    "sent": "KSeF przetwarza",
    "accepted": "w KSeF",
    "rejected": "odrzucona",
}


class Markup(str):
    """HTML that is ready."""

    __slots__ = ()


def tag(name: str, /, *inside: object, **attributes: object) -> Markup:
    """Return an element. ``class_`` is class; an attribute of None or False is left out."""
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{text}>{join(inside)}</{name}>")


def join(parts: Iterable[object]) -> Markup:
    """Return parts one after the other, escaped where they are text."""
    return Markup("".join(each if isinstance(each, Markup) else escape(str(each)) for each in parts))


def table(heads: Iterable[str], rows: Iterable[Iterable[object]], *, empty: str) -> Markup:
    """Return a table, a sentence where it has no rows. On a phone each cell stands under the next, with its head."""
    named = tuple(heads)
    body = [
        tag("tr", *(tag("td", each, data_label=head) for head, each in zip(named, row, strict=True))) for row in rows
    ]
    if not body:
        return tag("p", empty, class_="empty")
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", head, scope="col") for head in named))),
            tag("tbody", *body),
        ),
        class_="scroll",
        tabindex=0,
        role="group",
        aria_label="Tabela",
    )


def whole(*inside: object) -> Markup:
    """Return what does not break into two lines where there is room: a number, an amount, a name."""
    return tag("span", *inside, class_="whole")


def badge(grade: Grade) -> Markup:
    """Return how grave something is."""
    name, word = GRADES[grade]
    return tag("span", word, class_=f"badge {name}")


def moment(value: datetime | None) -> str:
    """Return an instant as people read it."""
    return "–" if value is None else f"{local_time(value):%d.%m.%Y %H:%M}"


def day(value: date | None) -> str:
    """Return a day as people read it."""
    return "–" if value is None else f"{value:%d.%m.%Y}"


def money(amount: object, currency: str) -> str:
    """Return an amount as people read it."""
    return f"{amount} {currency}".replace(".", ",")


def page(title: str, person: Person | None, *inside: object) -> str:
    """Return a whole document."""
    meta = [
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"{title} – centrala KSeF"),
        Markup('<link rel="stylesheet" href="/style.css">'),
    ]
    head = tag("header", tag("strong", "Centrala KSeF"), _menu(person), class_="top") if person else ""
    body = join([head, tag("main", tag("h1", title), *inside)])
    return f'<!doctype html>\n<html lang="pl"><head>{join(meta)}</head><body>{body}</body></html>\n'


def _menu(person: Person) -> Markup:
    rights = RIGHTS[person.role]
    links = [
        tag("a", word, href=path)
        for right, path, word in (
            (Right.FLEET, "/", "Kasy"),
            (Right.SEARCH, "/invoices", "Faktury"),
            (Right.BOOKS, "/books", "Rejestr i dowody"),
        )
        if right in rights
    ]
    leave = tag("form", tag("button", f"Wyloguj ({person.name})"), method="post", action="/logout")
    return tag("nav", *links, leave)
