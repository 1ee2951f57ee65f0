"""`ksef-agent hub certificate`: the Offline certificates the hub hands out to its tills."""

from __future__ import annotations

import asyncio

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option_without_files, with_store
from agent.domain.errors import AgentError
from agent.hub.app import seller_gateway
from agent.hub.courier.state import CERTIFICATES
from agent.hub.domain.certificates import CertificateCount, KeptCertificate, count_from_json, slot_of
from agent.hub.domain.records import Seller, Till
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.settings.model import HubSettings
from agent.ksef.certificates import Certificates
from agent.ports import KsefError
from agent.system.clock import SystemClock


@click.group("certificate")
def certificate() -> None:
    """The Offline certificates that the hub hands out to its tills."""


@certificate.command("list")
@hub_option_without_files
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def show(settings: HubSettings, *, as_json: bool) -> None:
    """List the certificates, which tills share each, and what KSeF leaves of its limits."""

    async def work(tx: HubTransaction) -> list[tuple[Seller, CertificateCount, list[KeptCertificate], list[Till]]]:
        return [
            (
                each,
                count_from_json(await tx.log.value(CERTIFICATES.format(each.nip))),
                await tx.certificates.of(each.nip),
                await tx.parties.tills(each.nip),
            )
            for each in await tx.parties.sellers()
        ]

    slots = settings.offline.certificates
    found = with_store(settings, lambda store: store.read(work))
    rows = [
        {
            "nip": seller.nip,
            "certificates_left": count.certificates_left,
            "certificates_in_use": count.certificates_in_use,
            "requests_left": count.requests_left,
            "trouble": count.trouble,
            "certificates": [
                {
                    "serial": each.serial,
                    "slot": each.slot,
                    "expires": each.expires_at,
                    "tills": [till.name for till in tills if slots and slot_of(till.id, slots) == each.slot],
                }
                for each in kept
            ],
        }
        for seller, count, kept, tills in found
    ]
    if as_json:
        show_json(rows)
        return
    for seller, count, kept, tills in found:
        left = "-" if count.certificates_left is None else count.certificates_left
        asks = "-" if count.requests_left is None else count.requests_left
        click.echo(f"{seller.nip}  {seller.name}: w KSeF zostało certyfikatów {left}, wniosków {asks}")
        if count.trouble is not None:
            click.echo(f"  {count.trouble}")
        for each in kept:
            users = ", ".join(till.name for till in tills if slots and slot_of(till.id, slots) == each.slot) or "-"
            until = "w drodze" if each.expires_at is None else f"do {each.expires_at:%Y-%m-%d}"
            click.echo(f"  {each.serial or '-':16}  nr {each.slot}, {until}, kasy: {users}")


@certificate.command("withdraw")
@hub_option_without_files
@click.argument("serial")
@click.option(
    "--revoke",
    is_flag=True,
    help="Revoke it at KSeF as well: code II of papers that were signed with it no longer verifies.",
)
def withdraw(settings: HubSettings, serial: str, *, revoke: bool) -> None:
    """Let no till use the certificate SERIAL any more: after a theft, for instance. The hub gets a new one.

    Its tills adopt the new one within half a minute. Papers already printed stay as they are.
    """

    async def work(store: HubStore) -> str:
        service = OfflineCertificates(store, SystemClock(), OfflineKeys())
        withdrawn = await service.withdraw(serial.upper())
        if not revoke:
            return ""
        seller = await store.read(lambda tx: tx.parties.seller(withdrawn.nip))
        await _revoke(settings, seller, serial.upper())
        return " i unieważniony w KSeF"

    click.echo(f"Certyfikat {serial.upper()} jest wycofany{with_store(settings, work)}.", err=True)


async def _revoke(settings: HubSettings, seller: Seller, serial: str) -> None:
    clock = SystemClock()
    gateway = await asyncio.to_thread(seller_gateway, settings, seller, clock)
    try:
        await Certificates(gateway.api, clock).revoke(serial)
    except KsefError as error:
        raise AgentError(
            f"Kasy już nie używają certyfikatu {serial}, ale KSeF go nie unieważnił: {error.message} "
            "Powtórz w aplikacji podatnika KSeF."
        ) from error
    finally:
        await gateway.close()
