"""`ksef-agent hub check`: settings, TLS, database, credentials, KSeF, Latarnia, clock: every problem at once."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option
from agent.domain.errors import AgentError
from agent.domain.values import dataclass
from agent.hub.app import database_url, open_store_beside, seller_gateway, seller_settings, server_tls, tls_until
from agent.hub.domain.records import Seller
from agent.hub.settings.model import HubSettings
from agent.ksef.certificates import Certificates
from agent.ksef.credentials import authentication_credentials
from agent.ksef.latarnia import open_latarnia
from agent.ports import KsefError
from agent.system.clock import SystemClock

SOON = timedelta(days=30)
FEW = 10
"""Certificates left of KSeF's 100."""
SKEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``level``: ok, warning, error."""

    subject: str
    level: str
    text: str


class Findings:
    """What was found so far."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def ok(self, subject: str, text: str) -> None:
        """Note that something is right."""
        self._found(Finding(subject, "ok", text))

    def warn(self, subject: str, text: str) -> None:
        """Note what somebody should see to."""
        self._found(Finding(subject, "warning", text))

    def wrong(self, subject: str, error: object) -> None:
        """Note what keeps the hub from working."""
        self._found(Finding(subject, "error", str(error)))

    def _found(self, finding: Finding) -> None:
        self.all.append(finding)


@click.command("check")
@hub_option
@click.option(
    "--offline",
    is_flag=True,
    help="Do not call KSeF and Latarnia, nor read the whole database (before systemd's start).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(settings: HubSettings, *, offline: bool, as_json: bool) -> None:
    """Check everything the hub needs and name every problem; exit code 1 where one keeps it from working."""
    findings = Findings()
    asyncio.run(_look(settings, findings, offline=offline))
    failed = any(each.level == "error" for each in findings.all)
    if as_json:
        rows = [{"subject": each.subject, "level": each.level, "text": each.text} for each in findings.all]
        show_json({"ok": not failed, "findings": rows})
    else:
        marks = {"ok": "OK   ", "warning": "UWAGA", "error": "BŁĄD "}
        for each in findings.all:
            click.echo(f"{marks[each.level]}  {each.subject}: {each.text}")
    sys.exit(1 if failed else 0)


async def _look(settings: HubSettings, findings: Findings, *, offline: bool) -> None:
    _look_at_tls(settings, findings)
    sellers = await _look_at_database(settings, findings, whole=not offline)
    for each in sellers:
        await _look_at_seller(settings, each, findings, offline=offline)
    if not offline:
        await _look_at_latarnia(settings, findings)


def _look_at_tls(settings: HubSettings, findings: Findings) -> None:
    try:
        context = server_tls(settings)
    except AgentError as error:
        findings.wrong("TLS", error)
        return
    if context is None:
        findings.warn("TLS", "bez TLS: tylko na tym komputerze albo za serwerem, który go zapewnia")
        return
    expires = tls_until(settings)
    if expires is None:
        findings.warn("TLS", "nie można odczytać, kiedy wygasa certyfikat centrali (format inny niż PEM X.509)")
    elif expires - datetime.now(UTC) < SOON:
        findings.warn("TLS", f"certyfikat centrali wygasa {expires:%Y-%m-%d}")
    else:
        findings.ok("TLS", f"certyfikat centrali ważny do {expires:%Y-%m-%d}")


async def _look_at_database(settings: HubSettings, findings: Findings, *, whole: bool) -> list[Seller]:
    """``whole``: look through all of it, which takes minutes of gigabytes; before a start nobody has them."""
    subject = "PostgreSQL" if database_url(settings) else "SQLite"
    try:
        store = await open_store_beside(settings)
    except AgentError as error:
        findings.wrong(subject, error)
        return []
    try:
        problem = await store.check() if whole else None
        size = await store.size()
        sellers = await store.read(lambda tx: tx.parties.sellers())
        tills = await store.read(lambda tx: tx.parties.tills())
    except AgentError as error:
        findings.wrong(subject, error)
        return []
    finally:
        await store.close()
    if problem is not None:
        findings.wrong(subject, problem)
    else:
        findings.ok(subject, f"{size / 1e6:.1f} MB, sprzedawców {len(sellers)}, kas {len(tills)}")
    if not sellers:
        findings.warn("sprzedawcy", "nie ma żadnego: ksef-agent hub seller add")
    return sellers


async def _look_at_seller(settings: HubSettings, seller: Seller, findings: Findings, *, offline: bool) -> None:
    subject = f"KSeF {seller.nip}"
    clock = SystemClock()
    try:
        credentials = authentication_credentials(seller_settings(settings.ksef, seller))
        gateway = seller_gateway(settings, seller, clock)
    except AgentError as error:
        findings.wrong(subject, error)
        return
    if credentials is not None and credentials.expires - clock.now() < SOON:
        findings.warn(subject, f"certyfikat wygasa {credentials.expires:%Y-%m-%d}")
    if offline:
        await gateway.close()
        findings.ok(subject, "poświadczenia odczytane")
        return
    try:
        skew = await gateway.probe()
        await gateway.authenticate()
        findings.ok(subject, "uwierzytelnienie działa")
        if abs(skew) > SKEW_SECONDS:
            findings.warn(subject, f"zegar centrali różni się od zegara KSeF o {skew:.0f} s")
        if credentials is not None:
            left = (await Certificates(gateway.api, clock).limits()).certificates_left
            (findings.warn if left < FEW else findings.ok)(subject, f"zostało certyfikatów KSeF: {left}")
    except KsefError as error:
        findings.wrong(subject, error.message)
    finally:
        await gateway.close()


async def _look_at_latarnia(settings: HubSettings, findings: Findings) -> None:
    source = open_latarnia(settings.ksef, SystemClock())
    try:
        await source.read()
        findings.ok("Latarnia", "odpowiada")
    except KsefError as error:
        findings.warn("Latarnia", error.message)
    finally:
        await source.close()
