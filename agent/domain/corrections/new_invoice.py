"""The new invoice of a wrong buyer or of an exchange, which stands although its correction came to nothing.

KSeF decides on the two documents of such a press one by one. Where it refuses the correction alone, the same press
again makes the correction alone: a second new invoice would invoice one sale twice (art. 108 ust. 1 of the VAT Act).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agent.domain import vat
from agent.domain.amounts import amount
from agent.domain.buyer_identity import same_identity
from agent.domain.corrections.base import BaseInvoice
from agent.domain.errors import Conflict
from agent.domain.invoice import Buyer, BuyerKind, Deposit, InvoiceSummary, Payment, Sale, SaleLine
from agent.domain.payment_methods import SET_OFF


def would_be_again(wanted: Sale, made: InvoiceSummary, contents: Iterable[BaseInvoice]) -> bool:
    """Tell whether the new invoice of this press is one that stands.

    The same buyer, goods, prices and deposits, the same share settled with what came back. How the rest was paid says
    the one that was made.

    contents  what ``made`` says, as it was issued and as it stands now; none where its bytes are no longer here, and
              then buyer and total decide
    """
    if made.totals.currency != wanted.currency or _set_off(made.payments) != _set_off(wanted.payments):
        return False
    known = tuple(contents)
    if not known:
        return _same_buyer(made.buyer, wanted.buyer) and made.totals.gross == vat.totals(wanted).gross
    return any(_says(content, wanted) for content in known)


def stands_conflict(base_number: str, made: InvoiceSummary) -> Conflict:
    """Refuse a press that would make another new invoice beside ``made``."""
    currency = "zł" if made.totals.currency == "PLN" else made.totals.currency
    return Conflict(
        f"Do faktury {base_number} wystawiono już nową fakturę {made.number} ({_shown(made.buyer)}, "
        f"{amount(made.totals.gross)} {currency}), brakuje tylko korekty. Żeby ją wystawić, powtórz korektę z tymi "
        f"samymi danymi. Jeśli nowa faktura ma być inna, skoryguj najpierw fakturę {made.number} do zera.",
        code="new-invoice-stands",
    )


def repeat_hint(made: InvoiceSummary) -> str:
    """Say with the refused correction how the one that lacks comes about."""
    return (
        f"Nowa faktura {made.number} zostaje: gdy przyczyna zniknie, powtórz tę samą korektę, a kasa wystawi tylko ją."
    )


def _says(content: BaseInvoice, wanted: Sale) -> bool:
    return (
        content.prices is wanted.prices
        and _same_buyer(content.buyer, wanted.buyer)
        and [_goods(row.line) for row in content.rows if row.line.quantity] == [_goods(line) for line in wanted.lines]
        and _sum(content.deposits_standing) == _sum(wanted.deposits)
    )


def _goods(line: SaleLine) -> tuple[object, ...]:
    """What tells lines apart; how the name is typed does not matter."""
    return _plain(line.name), line.quantity, line.unit_price, line.discount, line.vat


def _same_buyer(one: Buyer, other: Buyer) -> bool:
    """Tell whether two are one: by the identifier, of consumers by name and address."""
    if not same_identity(one, other):
        return False
    return one.kind is not BuyerKind.NONE or _person(one) == _person(other)


def _person(buyer: Buyer) -> tuple[str, ...]:
    address = buyer.address
    lines = () if address is None else (address.line1, address.line2 or "", address.country)
    return tuple(_plain(each) for each in (buyer.name or "", *lines))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _set_off(payments: Iterable[Payment]) -> Decimal:
    return sum((payment.amount for payment in payments if payment.method in SET_OFF), vat.ZERO)


def _sum(deposits: Iterable[Deposit]) -> Decimal:
    return sum((deposit.amount for deposit in deposits), vat.ZERO)


def _shown(buyer: Buyer) -> str:
    if buyer.identifier is None:
        return buyer.name or "osoba prywatna"
    return f"NIP {buyer.identifier}" if buyer.kind is BuyerKind.NIP else f"{buyer.country or ''}{buyer.identifier}"
