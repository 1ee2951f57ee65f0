"""The Offline certificate a till shall use, with its key: the answer to GET /v1/offline-certificate, over TLS only."""

from __future__ import annotations

from dataclasses import field

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub_contract.reading import Members


@dataclass(frozen=True, slots=True)
class OfflinePair:
    """``serial`` as KSeF writes it; certificate and key as PEM, the key PKCS#8 and not encrypted."""

    serial: str
    certificate: str
    key: str = field(repr=False)


def pair_to_json(pair: OfflinePair) -> dict[str, Json]:
    """Return the JSON of a pair."""
    return {"serial": pair.serial, "certificate": pair.certificate, "key": pair.key}


def pair_from_json(value: object) -> OfflinePair:
    """Read a pair; ContractError where it is none."""
    members = Members(value, "certificate")
    return OfflinePair(members.text("serial"), members.text("certificate"), members.text("key"))
