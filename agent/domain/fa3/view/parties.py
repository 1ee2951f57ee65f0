"""Who stands on a document."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.invoice import Address, Buyer, BuyerKind
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Contact:
    """DaneKontaktowe."""

    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class PartyView:
    """Podmiot1, Podmiot2, Podmiot3, PodmiotUpowazniony, Podmiot1K, Podmiot2K, Przewoznik.

    At most one identifier is set: ``nip``; ``internal_id`` (IDWew); ``eu_vat`` with ``id_country`` (KodUE);
    ``other_id`` (NrID) with an optional ``id_country`` (KodKraju). None of them: BrakID.
    """

    name: str | None
    address: Address | None
    nip: str | None = None
    internal_id: str | None = None
    eu_vat: str | None = None
    other_id: str | None = None
    id_country: str | None = None
    prefix: str | None = None
    """PrefiksPodatnika: the EU prefix that belongs before ``nip``."""
    eori: str | None = None
    gln: str | None = None
    """GLN of the address."""
    mail_address: Address | None = None
    """AdresKoresp."""
    contacts: tuple[Contact, ...] = ()
    status: str | None = None
    """StatusInfoPodatnika, "1".."4"."""
    customer_number: str | None = None
    """NrKlienta."""
    buyer_key: str | None = None
    """IDNabywcy."""
    role: str | None = None
    """Rola "1".."11", RolaPU "1".."3"."""
    role_description: str | None = None
    """OpisRoli, where the role is another one."""
    share: Decimal | None = None
    """Udzial, per cent."""
    local_government: bool = False
    """JST."""
    vat_group: bool = False
    """GV."""

    def as_buyer(self) -> Buyer:
        """Return the buyer as the rest of the agent knows it."""
        if self.nip is not None:
            return Buyer(BuyerKind.NIP, self.nip, "PL", self.name, self.address)
        if self.eu_vat is not None:
            return Buyer(BuyerKind.EU_VAT, self.eu_vat, self.id_country, self.name, self.address)
        if self.other_id is not None:
            return Buyer(BuyerKind.FOREIGN_ID, self.other_id, self.id_country, self.name, self.address)
        return Buyer(BuyerKind.NONE, None, None, self.name, self.address)
