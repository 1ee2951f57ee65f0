"""Who stands on the paper: seller, buyer, third parties."""

from __future__ import annotations

from agent.domain.amounts import plain
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.parties import PartyView
from agent.domain.paper.receipt import Align, Element, Text
from agent.domain.paper.wording import AUTHORISED_ROLES, SELLER_STATUS, THIRD_PARTY_ROLES, address_lines


def seller_head(seller: PartyView) -> list[Element]:
    """The seller as the head of a slip, centred: name, address, NIP (art. 106e ust. 1 pkt 3 i 4)."""
    lines = list(address_lines(seller.address)) if seller.address is not None else []
    lines += _identity(seller)
    if seller.status in SELLER_STATUS:
        lines.append(SELLER_STATUS[seller.status])
    return [
        Text("Sprzedawca", Align.CENTER),
        Text(seller.name or "", Align.CENTER, bold=True),
        *(Text(line, Align.CENTER) for line in lines),
    ]


def party(heading: str, who: PartyView) -> list[Element]:
    """One party under its heading (art. 106e ust. 1 pkt 3 i 5)."""
    elements: list[Element] = [Text(heading)]
    if who.name:
        elements.append(Text(who.name, bold=True))
    if who.address is not None:
        elements.append(Text(", ".join(address_lines(who.address))))
    elements.extend(Text(line) for line in _identity(who))
    if who.status in SELLER_STATUS:
        elements.append(Text(SELLER_STATUS[who.status]))
    if who.local_government:
        elements.append(Text("Faktura dla jednostki podrzędnej JST"))
    if who.vat_group:
        elements.append(Text("Faktura dla członka grupy VAT"))
    if who.customer_number:
        elements.append(Text(f"Nr klienta {who.customer_number}"))
    if len(elements) == 1:
        elements.append(Text("bez identyfikatora podatkowego"))
    return elements


def third_parties(view: FaView) -> list[list[Element]]:
    """Podmiot3 and PodmiotUpowazniony, each with its role."""
    sections: list[list[Element]] = []
    for who in view.third_parties:
        heading = who.role_description or THIRD_PARTY_ROLES.get(who.role or "", "Inny podmiot")
        if who.share is not None:
            heading = f"{heading} (udział {plain(who.share)}%)"
        sections.append(party(heading, who))
    if view.authorised is not None:
        sections.append(party(AUTHORISED_ROLES.get(view.authorised.role or "", "Podmiot upoważniony"), view.authorised))
    return sections


def _identity(who: PartyView) -> list[str]:
    lines = []
    if who.nip is not None:
        lines.append(f"NIP {who.prefix or ''}{who.nip}")
    if who.internal_id is not None:
        lines.append(f"Identyfikator wewnętrzny {who.internal_id}")
    if who.eu_vat is not None:
        lines.append(f"VAT UE {who.id_country or ''}{who.eu_vat}")
    if who.other_id is not None:
        country = f" ({who.id_country})" if who.id_country else ""
        lines.append(f"Nr identyfikacyjny {who.other_id}{country}")
    if who.eori is not None:
        lines.append(f"EORI {who.eori}")
    return lines
