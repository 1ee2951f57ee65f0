"""Who stands on a ready FA(3): whose invoice it is, and whether KSeF can deliver it to its buyer.

What a buyer has to be is judged on every invoice. A correction repeats the buyer of its base (art. 106j ust. 2 pkt 3),
so an old mistake may stand on it again, but only where that base is here and has it: ``as_on_base``.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain.buyer_identity import SELF_SALE, polish_nip_sentence
from agent.domain.characters import is_visible, is_word
from agent.domain.errors import FieldError
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.parties import PartyView
from agent.domain.identifiers import eu_vat_in, polish_nip_in, repeats_prefix, split_eu_vat, valid_nip
from agent.domain.invoice import Buyer

BUYER = "/Faktura/Podmiot2"
IDENTITY = "DaneIdentyfikacyjne"
LOCAL_GOVERNMENT_RECIPIENT, VAT_GROUP_RECIPIENT = "8", "10"
"""Podmiot3/Rola."""


def seller_mistakes(view: FaView, seller_nip: str) -> Iterator[FieldError]:
    """Yield what is wrong with the seller, and each NIP with a wrong check digit."""
    if view.seller.nip != seller_nip:
        if view.annotations.self_billing:
            # The buyer issues such an invoice in KSeF with the seller's permission; a till sells (art. 106d).
            yield FieldError(
                "/Faktura/Fa/Adnotacje/P_17",
                f"Faktura jest oznaczona jako samofakturowanie, a sprzedawcą jest NIP {view.seller.nip}. "
                f"Ta kasa wystawia tylko faktury sprzedawcy o NIP {seller_nip}.",
                "self-billing",
            )
        else:
            yield FieldError(
                f"/Faktura/Podmiot1/{IDENTITY}/NIP",
                f"Sprzedawcą na fakturze jest NIP {view.seller.nip}, a ta kasa wystawia faktury NIP {seller_nip}.",
                "seller-nip",
            )
    address = view.seller.address
    texts = ((f"{IDENTITY}/Nazwa", view.seller.name), ("Adres/AdresL1", None if address is None else address.line1))
    for place, text in texts:
        if text is not None and not is_visible(text):
            yield FieldError(f"/Faktura/Podmiot1/{place}", "Sprzedawca nie ma czytelnej nazwy albo adresu.", "required")
    for place, who in (*_parties(view), ("/Faktura/PodmiotUpowazniony", view.authorised)):
        if who is not None and who.nip is not None and not valid_nip(who.nip):
            yield FieldError(
                f"{place}/{IDENTITY}/NIP",
                f"NIP {who.nip} ma błędną cyfrę kontrolną; sprawdź, czy nie ma literówki.",
                "nip-checksum",
            )


def buyer_mistakes(view: FaView, seller_nip: str) -> Iterator[FieldError]:
    """Yield what is wrong with the buyer and with those beside him."""
    if view.buyer.nip == seller_nip:
        yield FieldError(f"{BUYER}/{IDENTITY}/NIP", f"Nabywca: {SELF_SALE}", "buyer-is-seller")
    for place, who in _parties(view):
        yield from _identifier(place, who, seller_nip if place == BUYER else None)
    yield from _name_and_address(view)
    yield from _unit(view)


def as_on_base(view: FaView, base: Buyer) -> bool:
    """Tell whether the buyer of a correction stands on it as on the invoice it corrects, mistakes included."""
    return view.buyer.as_buyer() == base


def _parties(view: FaView) -> list[tuple[str, PartyView]]:
    return [
        (BUYER, view.buyer),
        *((f"/Faktura/Podmiot3[{place}]", who) for place, who in enumerate(view.third_parties, start=1)),
    ]


def _identifier(place: str, who: PartyView, seller_nip: str | None) -> Iterator[FieldError]:
    """A Polish NIP as KodUE and NrVatUE or as NrID, a prefix that stands twice, a buyer's VAT UE number as NrID."""
    name, number = ("NrVatUE", who.eu_vat) if who.eu_vat is not None else ("NrID", who.other_id)
    if number is None:
        return
    pointer = f"{place}/{IDENTITY}/{name}"
    nip = polish_nip_in(number, who.id_country)
    if nip is not None and nip == seller_nip:
        yield FieldError(pointer, f"Nabywca: {SELF_SALE}", "buyer-is-seller")
    elif nip is not None:
        advice = ", w elemencie NIP (jednostkę jako Podmiot3 z IDWew)."
        if who.id_country is None:
            advice += " Jeśli to numer z innego kraju, podaj KodKraju."
        sentence = polish_nip_sentence(nip)
        yield FieldError(pointer, f"{sentence[0].upper()}{sentence[1:]}{advice}", "polish-nip")
    elif name == "NrVatUE" and who.id_country == "PL":
        yield FieldError(pointer, "Polskiego nabywcę wskazuje się elementem NIP, nie KodUE.", "polish-nip")
    elif name == "NrVatUE" and who.id_country is not None and repeats_prefix(who.id_country, number):
        yield FieldError(
            pointer, f"Numer VAT UE {number} powtarza prefiks {who.id_country}, który stoi już w KodUE.", "eu-vat"
        )
    elif name == "NrVatUE" and place == BUYER and split_eu_vat(f"{who.id_country}{number}") is None:
        yield FieldError(pointer, f"{who.id_country}{number} nie jest numerem VAT UE tego kraju.", "eu-vat")
    elif name == "NrID" and place == BUYER and (vat_number := eu_vat_in(number, who.id_country)) is not None:
        prefix, bare = vat_number
        sentence = f"{number} to numer VAT UE; wskazuje się nim nabywcę jako KodUE {prefix} i NrVatUE {bare}, nie NrID."
        yield FieldError(pointer, sentence, "eu-vat")


def _name_and_address(view: FaView) -> Iterator[FieldError]:
    """Content of every invoice, a consumer's too (art. 106e ust. 1 pkt 3), but of a simplified one (ust. 5 pkt 3)."""
    if view.kind is Kind.UPR:
        return
    address = view.buyer.address
    for name, value, what in (
        (f"{IDENTITY}/Nazwa", view.buyer.name, "nazwy (imienia i nazwiska) nabywcy"),
        ("Adres", None if address is None else address.line1, "adresu nabywcy"),
    ):
        if not is_word(value):
            sentence = f"Faktura nie ma {what}; wymaga tego także faktura dla konsumenta (art. 106e ust. 1 pkt 3)."
            yield FieldError(f"{BUYER}/{name}", sentence, "buyer-incomplete")


def _unit(view: FaView) -> Iterator[FieldError]:
    """JST and GV say that a unit of the buyer's gets the invoice: KSeF has to learn which (XSD, JST and GV)."""
    flags = (
        ("JST", view.buyer.local_government, LOCAL_GOVERNMENT_RECIPIENT, "jednostki podrzędnej JST"),
        ("GV", view.buyer.vat_group, VAT_GROUP_RECIPIENT, "członka grupy VAT"),
    )
    for name, flagged, role, what in flags:
        named = any(who.role == role and (who.nip or who.internal_id) for who in view.third_parties)
        if flagged and view.buyer.nip is None:
            sentence = f"{name} = 1, a nabywca nie ma NIP: {what} wskazuje się tylko przy nabywcy z polskim NIP."
            yield FieldError(f"{BUYER}/{name}", sentence, "recipient-needs-nip")
        elif flagged and not named:
            yield FieldError(
                f"{BUYER}/{name}",
                f"{name} = 1, a nie ma Podmiot3 z rolą {role} i numerem NIP albo IDWew {what}.",
                "unit-missing",
            )
