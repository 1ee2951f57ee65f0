"""`ksef-agent hub status` and `drain`: how the hub stands, and emptying it before a stop."""

from __future__ import annotations

import asyncio
import sys
import time

import click

from agent.commands.common import show_json
from agent.commands.hub.common import hub_option_without_files, serves, with_store
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.administration import Administration
from agent.hub.services.overview import Overview, overview
from agent.hub.settings.model import HubSettings
from agent.system.clock import SystemClock

LOOK_SECONDS = 1.0
STOPPED = "Centrala na tym komputerze nie działa: systemctl start ksef-agent-hub"


@click.command("status")
@hub_option_without_files
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def status(settings: HubSettings, *, as_json: bool) -> None:
    """Show sellers, tills, what is not in KSeF yet, and which process leads.

    Exit code 1 where no hub answers on this machine.
    """
    found = with_store(settings, lambda store: store.read(_overview))
    running = serves(settings)
    if as_json:
        show_json({"running": running, **found.to_json()})
    else:
        for line in (*(() if running else (STOPPED,)), *_lines(found)):
            click.echo(line)
    sys.exit(0 if running else 1)


async def _overview(tx: HubTransaction) -> Overview:
    return await overview(tx, SystemClock().now())


def _lines(found: Overview) -> list[str]:
    lines = []
    if found.draining:
        lines.append("Centrala jest opróżniana: nie przyjmuje nowych faktur (ksef-agent hub drain --cancel odwołuje).")
    for each in found.sellers:
        word = {"up": "KSeF odpowiada", "down": "KSeF nie odpowiada"}.get(each.ksef, "nikt nie łączy się z KSeF")
        lines.append(f"{each.nip}  {each.name}: kas {each.tills}, {word}, {each.leader or '-'}")
        waits = ", ".join(f"{state} {count}" for state, count in each.open.items()) or "nic nie czeka"
        deadline = f", najbliższy termin {each.deadline}" if each.deadline else ""
        lines.append(f"    {waits}{deadline}")
    return lines or ["Centrala nie ma jeszcze sprzedawców: ksef-agent hub seller add."]


@click.command("drain")
@hub_option_without_files
@click.option("--wait", type=click.IntRange(0), default=600, show_default=True, help="Seconds to wait for that.")
@click.option("--cancel", is_flag=True, help="Take new invoices again.")
def drain(settings: HubSettings, wait: int, *, cancel: bool) -> None:
    """Take nothing new and wait until everything is in KSeF; exit code 1 where something is left.

    Tills keep what they cannot hand over and sell on, offline24. A hub that is updated needs no drain: nothing is lost.
    """
    since = None if cancel else time.strftime("%Y-%m-%dT%H:%M:%S%z")

    async def work(store: HubStore) -> int:
        await Administration(store).drain(since)
        give_up = time.monotonic() + wait
        while not cancel:
            left = sum((await store.read(_overview)).open_counts.values())
            if left == 0 or time.monotonic() >= give_up:
                return left
            await asyncio.sleep(LOOK_SECONDS)
        return 0

    left = with_store(settings, work)
    if cancel:
        click.echo("Centrala znowu przyjmuje faktury.", err=True)
    elif left:
        click.echo(f"Do KSeF nie dotarło jeszcze faktur: {left}.", err=True)
        sys.exit(1)
    else:
        click.echo("Centrala jest pusta.", err=True)
