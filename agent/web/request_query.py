"""Query parameters of the routes that read. Every mistake is a 400 that names the parameter."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from aiohttp import web

from agent.domain.errors import BadInput, FieldError
from agent.domain.fiscal_receipt import MAX_NUMBER
from agent.domain.identifiers import bare_nip, valid_nip
from agent.domain.json_io.reader import shown
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import InvoiceFilter

Word = TypeVar("Word", bound=StrEnum)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROTECTED_PREFIX: Final = "/v1/"
MONTH: Final = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""date.fromisoformat() alone takes 20261122 and 2026-W48-1 too."""
SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
LIST_LIMIT: Final = 500
SHORTEST_TEXT: Final = 3
LONGEST_TEXT: Final = 200
PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "POST /v1/invoices": frozenset({"receipt_nip", "print"}),
    "POST /v1/exchange": frozenset({"print"}),
    "GET /v1/invoices": frozenset(
        {"state", "from", "to", "number", "sha256", "text", "base", "paper", "limit", "after"}
    ),
    "GET /v1/invoices/{id}/upo": frozenset({"scope"}),
    "GET /v1/invoices/{id}/receipt.png": frozenset({"page"}),
    "GET /v1/invoices/{id}/receipt.pdf": frozenset({"page"}),
    "DELETE /v1/mode": frozenset({"reason", "false_alarm"}),
    "GET /v1/buyers": frozenset({"text"}),
    "GET /v1/changes": frozenset({"after", "wait"}),
    "GET /v1/register": frozenset({"month", "format", "as_of", "dialect", "bom"}),
    "GET /v1/register/changes": frozenset({"month", "since", "as_of"}),
    "GET /v1/register/counts": frozenset({"month", "as_of"}),
    "GET /v1/register/ksef": frozenset({"month", "from", "to"}),
    "GET /v1/evidence": frozenset({"from", "to"}),
    "GET /v1/outages": frozenset({"from", "to"}),
    "GET /v1/outages/{name}": frozenset({"format"}),
}
"""What each route takes in its query; all others take nothing."""


def _bad(name: str, sentence: str) -> BadInput:
    return BadInput(sentence, code="bad-query", errors=(FieldError(f"?{name}", sentence, "bad-query"),))


@web.middleware
async def known_parameters(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse misspelt and repeated parameters: a filter that silently does nothing shows the wrong invoices."""
    resource = request.match_info.route.resource
    if resource is not None and request.path.startswith(PROTECTED_PREFIX):
        method = "GET" if request.method == "HEAD" else request.method
        known = PARAMETERS.get(f"{method} {resource.canonical}", frozenset())
        for name in request.query:
            if name not in known:
                raise _bad(name, f"Nieznany parametr „{shown(name)}”.")
            if len(request.query.getall(name)) > 1:
                raise _bad(name, f"Parametr „{name}” podano więcej niż raz.")
    return await handler(request)


def receipt_nip(request: web.Request, *, ready: bool) -> str | None:
    """Read what is said beside a ready FA(3): the buyer's number on its receipt; a JSON sale says it inside."""
    given = request.query.get("receipt_nip")
    if given is None:
        return None
    if not ready:
        raise _bad("receipt_nip", "Parametr „receipt_nip” jest do gotowej faktury XML; w JSON podaj receipt.nip.")
    if len(given) > MAX_NUMBER:
        raise _bad("receipt_nip", f"Parametr „receipt_nip” to jeden numer, najwyżej {MAX_NUMBER} znaków.")
    return given.strip() or None


def own_printing(request: web.Request, *, ready: bool = True) -> bool:
    """Read ?print=false beside a file: the till prints by its own means; a JSON sale says it inside."""
    given = request.query.get("print")
    if given is not None and not ready:
        raise _bad("print", "Parametr „print” jest do gotowego pliku; w JSON podaj print.")
    if given not in {None, "true", "false"}:
        raise _bad("print", "Parametr „print” to true albo false.")
    return given == "false"


def optional_day(request: web.Request, name: str) -> date | None:
    """ISO date or None."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        if DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _bad(name, f"Parametr „{name}” musi być datą RRRR-MM-DD.")


def required_day(request: web.Request, name: str) -> date:
    """ISO date; 400 where it is missing."""
    value = optional_day(request, name)
    if value is None:
        raise _bad(name, f"Podaj parametr „{name}” jako datę RRRR-MM-DD.")
    return value


def whole(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """Whole number within bounds."""
    text = request.query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", text) or not low <= int(text) <= high:
        raise _bad(name, f"Parametr „{name}” musi być liczbą od {low} do {high}.")
    return int(text)


def month(request: web.Request) -> str:
    """YYYY-MM."""
    text = request.query.get("month", "")
    if not MONTH.fullmatch(text):
        raise _bad("month", "Podaj parametr „month” jako RRRR-MM.")
    return text


def choice(request: web.Request, name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    text = request.query.get(name, default)
    if text not in allowed:
        raise _bad(name, f"Parametr „{name}” może mieć wartość: {', '.join(allowed)}.")
    return text


def words(request: web.Request, name: str) -> str:
    """Text to look for: at least three characters, since one letter finds everybody."""
    text = " ".join(request.query.get(name, "").split())
    if not SHORTEST_TEXT <= len(text) <= LONGEST_TEXT:
        raise _bad(name, f"Podaj parametr „{name}”: od {SHORTEST_TEXT} do {LONGEST_TEXT} znaków.")
    return text


def in_order(first: date | None, last: date | None) -> None:
    """Refuse a period that ends before it begins: an empty list would pass for "there are none"."""
    if first is not None and last is not None and first > last:
        raise _bad("from", "Data początkowa jest późniejsza niż końcowa.")


def _searched(text: str) -> str:
    """A NIP is found however it is typed."""
    nip = bare_nip(text)
    return nip if valid_nip(nip) else text


def _sha256(request: web.Request) -> bytes | None:
    text = request.query.get("sha256")
    if not text:
        return None
    if SHA256.fullmatch(text) is None:
        raise _bad("sha256", "Parametr „sha256” to 64 cyfry szesnastkowe: skrót pliku faktury.")
    return bytes.fromhex(text)


def within(first: date, last: date, begin: date, end: date) -> None:
    """Refuse days outside ``begin`` to ``end``."""
    for name, day in (("from", first), ("to", last)):
        if not begin <= day <= end:
            raise _bad(name, f"Parametr „{name}” musi leżeć w tym miesiącu.")


def _words(request: web.Request, name: str, kind: type[Word]) -> frozenset[Word] | None:
    """Several words, separated by commas; None without any."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        return frozenset(kind(word.strip()) for word in text.split(","))
    except ValueError as error:
        raise _bad(name, f"Parametr „{name}” może mieć wartości: {', '.join(kind)}.") from error


def invoice_filter(request: web.Request) -> InvoiceFilter:
    """Read the filters of GET /v1/invoices."""
    first, last = optional_day(request, "from"), optional_day(request, "to")
    in_order(first, last)
    return InvoiceFilter(
        states=_words(request, "state", InvoiceState),
        papers=_words(request, "paper", PrintState),
        issued_from=first,
        issued_to=last,
        number=request.query.get("number") or None,
        sha256=_sha256(request),
        text=_searched(request.query.get("text", "")) or None,
        base_id=request.query.get("base") or None,
        limit=whole(request, "limit", 100, 1, LIST_LIMIT),
        after_id=request.query.get("after") or None,
    )
