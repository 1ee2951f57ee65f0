"""The certificates a till holds, as alerts and /health look at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.ports import Signer


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """One: ``use`` is authentication or offline, ``nips`` whose it may be."""

    use: str
    holder: Signer
    nips: tuple[str, ...]


class HeldCertificates:
    """All of them; what they say changes when one is renewed."""

    def __init__(self, certificates: Iterable[HeldCertificate]) -> None:
        self.all = tuple(certificates)

    def ends(self) -> Mapping[str, datetime | None]:
        """Return by use when each expires; None for the Offline certificate that is missing."""
        return {"offline": None, **{each.use: each.holder.expires for each in self.all}}

    def starts(self) -> Mapping[str, datetime]:
        """Return by use from when each is valid."""
        return {each.use: each.holder.valid_from for each in self.all}

    def foreign(self) -> Mapping[str, str]:
        """Return by use the NIP of each that belongs to somebody else."""
        return {
            each.use: each.holder.owner_nip
            for each in self.all
            if each.holder.owner_nip is not None and each.holder.owner_nip not in each.nips
        }
