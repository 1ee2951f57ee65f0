"""The outside world, as the use cases see it: app.py gives real adapters, tests give fakes."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.ports import (
    BuyerSource,
    Clock,
    HeldSigner,
    KsefGateway,
    Printer,
    ReceiptRenderer,
    Signer,
    StatusSource,
    Store,
    WebhookSender,
)
from agent.ports.evidence import OpenIndex
from agent.services.records.retention import DropArchive


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the use cases need of the world."""

    clock: Clock
    store: Store
    gateway: KsefGateway
    latarnia: StatusSource
    printer: Printer
    renderer: ReceiptRenderer
    webhooks: WebhookSender
    white_list: BuyerSource | None
    drop_archive: DropArchive
    signer: HeldSigner
    """Signs KOD II."""
    open_index: OpenIndex
    """Of a bundle of evidence."""
    authentication: Signer | None = None
    """The certificate that signs in: looked at, never signs here."""
