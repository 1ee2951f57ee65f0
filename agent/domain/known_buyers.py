"""A buyer as he is remembered by his NIP, and whether the Ministry's white list says the same of him."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.domain.invoice import Address, Buyer
from agent.domain.values import dataclass

CONFIRMED_FOR = timedelta(days=30)
"""How long the white list's word holds: firms change their names seldom, and it answers few questions a day."""
_WITH_TOWN = re.compile(r"(?P<street>.+), (?P<town>\d{2}-\d{3} .+)")
"""The white list gives an address as one text."""
_WORD = re.compile(r"\w+")
_UNFOLDED = str.maketrans("łŁøØ", "lLoO")
"""Letters that Unicode does not take apart."""
_FORMS = (
    "spolka z ograniczona odpowiedzialnoscia",
    "sp z o o",
    "sp z oo",
    "spolka akcyjna",
    "prosta spolka akcyjna",
    "spolka jawna",
    "spolka komandytowa",
    "spolka komandytowo akcyjna",
    "spolka partnerska",
    "spolka cywilna",
    "sp j",
    "sp k",
    "sp p",
    "s a",
    "p s a",
    "s k a",
    "s c",
    "sa",
    "psa",
    "ska",
    "sc",
)
_FORM = re.compile(rf"\b(?:{'|'.join(sorted(_FORMS, key=len, reverse=True))})\b")


class BuyerSourceName(StrEnum):
    """Who said what is remembered (GET /v1/buyers/{nip}, "source")."""

    INVOICES = "invoices"
    """A person, or the till's program, for an invoice to this NIP."""
    WHITE_LIST = "white-list"


@dataclass(frozen=True, slots=True)
class KnownBuyer:
    """Name and address of a NIP."""

    name: str
    address: Address | None
    source: BuyerSourceName
    confirmed_at: datetime | None = None
    """When the white list last said this name; None: never asked, or it does not know the NIP."""

    def confirmed(self, now: datetime) -> bool:
        """Tell whether the white list need not be asked again; a clock that was set back asks."""
        return self.confirmed_at is not None and timedelta(0) <= now - self.confirmed_at < CONFIRMED_FOR

    def same_as(self, buyer: Buyer) -> bool:
        """Tell whether ``buyer`` has this name and address."""
        return self.name == buyer.name and self.address == buyer.address

    def has_words(self, text: str) -> bool:
        """Tell whether each word of ``text`` begins a word of name or address; case and diacritics do not matter."""
        place = "" if self.address is None else f"{self.address.line1} {self.address.line2 or ''}"
        there = _plain(f"{self.name} {place}").split()
        return all(any(each.startswith(word) for each in there) for word in _plain(text).split())


def listed(name: str, address: str | None, now: datetime) -> KnownBuyer:
    """Return what the white list says."""
    return KnownBuyer(name, None if address is None else _address(address), BuyerSourceName.WHITE_LIST, now)


def checked(known: KnownBuyer | None, answer: KnownBuyer) -> tuple[KnownBuyer, str | None]:
    """Return what to remember after the white list's answer, and the name that it contradicts, if one.

    What somebody gave stays where the white list means the same firm: its own address is that of the register, and a
    sole trader stands there by his name alone.
    """
    if known is None:
        return answer, None
    if not same_firm(known.name, answer.name):
        return answer, known.name
    if known.source is BuyerSourceName.WHITE_LIST:
        return answer, None
    return replace(known, address=known.address or answer.address, confirmed_at=answer.confirmed_at), None


def same_firm(name: str, official: str) -> bool:
    """Tell whether ``name`` can be the firm that the white list calls ``official``.

    How it is written does not matter, nor how its legal form is abbreviated. A name without legal form is that of a
    person or an office, who may put more words around it.
    """
    own, theirs = _words(name), _words(official)
    if not own or not theirs:
        return False
    return own == theirs or (not _FORM.search(_plain(official)) and theirs < own)


def _words(name: str) -> frozenset[str]:
    plain = _plain(name)
    return frozenset(_FORM.sub(" ", plain).split()) or frozenset(plain.split())


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.translate(_UNFOLDED).casefold())
    return " ".join(_WORD.findall("".join(each for each in letters if not unicodedata.combining(each))))


def _address(text: str) -> Address:
    parts = _WITH_TOWN.fullmatch(text)
    return Address(text) if parts is None else Address(parts["street"], parts["town"])
