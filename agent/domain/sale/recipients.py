"""For whom a firm buys: Podmiot3 of the sale's JSON.

    {"role": "recipient" | "local_government" | "vat_group" | "employee",
     "nip" | "internal_id", "name", "address": {"line1", "line2", "country"}}

recipient         takes the goods (Odbiorca); an identifier is optional
local_government  a unit of the local government that buys (school of a gmina): JST=1, so KSeF gives it the invoice
vat_group         a member of the VAT group that buys: GV=1
employee          paid for his employer (Pracownik); he has no identifier here

Only beside a buyer with a Polish NIP. Codes beside those of reader.py: nip-checksum, nip-form, internal-id,
recipient-needs-nip, buyer-ids.
"""

from __future__ import annotations

from agent.domain.identifiers import is_internal_id
from agent.domain.invoice import Buyer, BuyerKind, Recipient, RecipientRole
from agent.domain.json_io.reader import Fields, Problems
from agent.domain.sale.buyers import parse_address, read_nip

_IDENTIFIED = frozenset({RecipientRole.LOCAL_GOVERNMENT, RecipientRole.VAT_GROUP})
"""Roles by which KSeF lets the recipient see the invoice, so they need what identifies it there."""


def parse_recipient(value: object, pointer: str, buyer: Buyer, problems: Problems) -> Recipient | None:
    """Read "recipient"; mistakes are noted in ``problems``."""
    if value is None:
        return None
    fields = Fields.of(value, pointer, problems, "odbiorca")
    if fields is None:
        return None
    role = RecipientRole(fields.word("role", tuple(RecipientRole)) or RecipientRole.RECIPIENT)
    name = fields.text("name", maximum=512, required=True)
    nip = read_nip(fields) if fields.has("nip") else None
    internal_id = fields.text("internal_id", maximum=16)
    address = parse_address(fields, required=False, default_country="PL")
    fields.take("nip")
    fields.finish()
    given = [word for word in ("nip", "internal_id") if fields.says(word)]
    if internal_id is not None and not is_internal_id(internal_id):
        fields.note("internal_id", "to nie jest identyfikator wewnętrzny (NIP-XXXXX).", "internal-id")
    if len(given) > 1 or (given and role is RecipientRole.EMPLOYEE):
        fields.note_all("podano za dużo identyfikatorów.", "buyer-ids")
    elif not given and role in _IDENTIFIED:
        fields.note("nip", "podaj NIP albo identyfikator wewnętrzny (internal_id).", "required")
    if buyer.kind is not BuyerKind.NIP:
        fields.note_all("odbiorcę podaje się tylko przy nabywcy z polskim NIP.", "recipient-needs-nip")
    return None if name is None else Recipient(role, name, nip, internal_id, address)
