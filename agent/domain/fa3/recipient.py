"""The recipient (Podmiot3) of a file, as a sale says it."""

from __future__ import annotations

from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.parties import PartyView
from agent.domain.invoice import Recipient, RecipientRole

_OF_CODE = {role.code: role for role in RecipientRole}


def recipient_of(view: FaView) -> Recipient | None:
    """Return the recipient of a file. ValueError where its parties say more than a sale can."""
    flags = (view.buyer.local_government, view.buyer.vat_group)
    if not view.third_parties:
        if any(flags):
            raise ValueError("JST or GV without the unit")
        return None
    who = view.third_parties[0]
    if len(view.third_parties) > 1 or who.role not in _OF_CODE or who.name is None or _says_more(who):
        raise ValueError("parties that a sale does not have")
    found = Recipient(_OF_CODE[who.role], who.name, who.nip, who.internal_id, who.address)
    if flags != (found.role is RecipientRole.LOCAL_GOVERNMENT, found.role is RecipientRole.VAT_GROUP):
        raise ValueError("JST or GV without the unit")
    return found


def _says_more(who: PartyView) -> bool:
    return any(
        (who.eu_vat, who.other_id, who.share, who.eori, who.gln, who.mail_address, who.contacts, who.customer_number)
    )
