"""What identifies a buyer, and that no correction ever changes it (docs/law.md: nip-foreign, kor-nip)."""

from __future__ import annotations

from agent.domain.identifiers import bare_identifier
from agent.domain.invoice import Buyer, BuyerKind

SELF_SALE = "to NIP sprzedawcy; nabywcą musi być ktoś inny."
"""Said of a buyer that is the seller."""


def polish_nip_sentence(nip: str) -> str:
    """Say, without its end, that a NIP stands where a foreign identifier belongs (identifiers.polish_nip_in())."""
    return f"numer {nip} to polski NIP, a KSeF doręcza fakturę tylko na NIP podany jako NIP"


def same_identity(one: Buyer, other: Buyer) -> bool:
    """Tell whether two buyers are one to KSeF: the same identifier, however it is written, or none."""
    return _identity(one) == _identity(other)


def other_number_sentence(number: str, before: Buyer, after: Buyer) -> str:
    """Refuse a correction ``number`` (P_2) that would give the invoice another buyer (POD2 1.6.2 to 1.6.4)."""
    return (
        f"Korekta {number} zmienia identyfikator nabywcy ({_shown(before)} na {_shown(after)}), a tego nie wolno "
        "zrobić korektą: skoryguj fakturę do zera i wystaw nową na właściwego nabywcę."
    )


def _identity(buyer: Buyer) -> tuple[BuyerKind, str, str | None]:
    country = None if buyer.kind in {BuyerKind.NIP, BuyerKind.NONE} else buyer.country
    return buyer.kind, bare_identifier(buyer.identifier or ""), country


def _shown(buyer: Buyer) -> str:
    if buyer.identifier is None:
        return "bez numeru"
    return buyer.identifier if buyer.kind is BuyerKind.NIP else f"{buyer.country or ''}{buyer.identifier}"
