"""One of every paper: press, break something, press again. Writes PNG, text and ESC/POS bytes of each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from agent.demo.embedded import Embedded
from agent.demo.sales import sample_sale
from agent.domain.callers import Caller, Role
from agent.domain.invoice import Mode
from agent.domain.values import dataclass
from agent.ports import Json
from agent.services.issuing.idempotency import IssueOutcome
from agent.system.durable_files import write_whole

CASHIER = Caller("demo", Role.CASHIER)
MANAGER = Caller("demo-kierownik", Role.MANAGER)


@dataclass(frozen=True, slots=True)
class Shown:
    """A paper and the situation it belongs to."""

    name: str
    title: str
    invoice_id: str


class Papers:
    """Goes through the situations of docs/law.md, section 2."""

    def __init__(self, pair: Embedded) -> None:
        self._pair = pair
        self._presses = 0
        self._messages: list[dict[str, Json]] = []

    async def all(self) -> AsyncIterator[Shown]:
        """Make every paper, in an order that ends with everything in KSeF."""
        agent = self._pair.agent
        online = await self._press("nip")
        yield Shown("1-online", "Online, numer znany", online)
        self._pair.sandbox.behaviour.number_delay = 6.0
        yield Shown("2-potwierdzenie-online", "Online, numer jeszcze nieznany", await self._press("nip"))
        self._pair.sandbox.behaviour.number_delay = 0.05
        await self._pair.sandbox.plan("*", "refuse")
        held_base = await self._press("nip")
        yield Shown("3-potwierdzenie-offline24", "Brak łączności, nabywca z NIP", held_base)
        yield Shown("4-faktura-offline24", "Brak łączności, konsument", await self._press("consumer"))
        await self._pair.sandbox.plan("*", "none")
        await self._announce("MAINTENANCE")
        yield Shown("5-faktura-niedostepnosc", "Niedostępność KSeF, nabywca z UE", await self._press("eu"))
        await self._announce("FAILURE")
        yield Shown("6-faktura-awaria", "Awaria KSeF, nabywca z NIP", await self._press("nip"))
        await self._announce("TOTAL_FAILURE")
        await agent.declarations.declare(Mode.TOTAL_FAILURE, "Komunikat w radiu i telewizji", MANAGER)
        yield Shown("7-faktura-awaria-calkowita", "Awaria całkowita", await self._press("nip"))
        await agent.declarations.withdraw("Koniec awarii całkowitej", MANAGER)
        await self._all_well()
        await self._send_all()
        await agent.reprinting.reprint(held_base, CASHIER)
        yield Shown("8-ponowny-z-numerem", "Ponowny wydruk, gdy numer nadszedł", held_base)
        yield Shown("9-korekta", "Zwrot jednej pozycji", await self._correct(online))

    async def write(self, shown: Shown, folder: Path) -> None:
        """Write the three forms of a paper."""
        previews = self._pair.agent.previews
        write_whole(folder / f"{shown.name}.png", (await previews.picture(shown.invoice_id)).png)
        write_whole(folder / f"{shown.name}.txt", (await previews.text(shown.invoice_id)).encode())
        write_whole(folder / f"{shown.name}.escpos", await previews.last_sent(shown.invoice_id))

    async def _press(self, buyer: str) -> str:
        self._presses += 1
        body = json.dumps(sample_sale(buyer)).encode()
        return _first(await self._pair.agent.issuing.sale(body, f"demo-{self._presses}", CASHIER))

    async def _correct(self, invoice_id: str) -> str:
        body = json.dumps({"kind": "return", "reason": "zwrot towaru", "lines": [{"line": 1, "quantity": "1"}]})
        return _first(await self._pair.agent.issuing.correct(invoice_id, body.encode(), "demo-kor", CASHIER))

    async def _announce(self, category: str) -> None:
        """Say that an outage has begun; what was announced before it ends now."""
        now = self._pair.agent.clock.now()
        self._end(now)
        kind = "MAINTENANCE_ANNOUNCEMENT" if category == "MAINTENANCE" else "FAILURE_START"
        end = now + timedelta(hours=2) if category == "MAINTENANCE" else None
        self._messages.append(
            {
                "id": f"K/2026/{category[:3]}/01",
                "eventId": len(self._messages) + 1,
                "category": category,
                "type": kind,
                "title": "Komunikat próbny",
                "text": "Komunikat próbny środowiska pokazowego.",
                "start": _stamp(now - timedelta(minutes=1)),
                "end": _stamp(end),
                "version": 1,
                "published": _stamp(now - timedelta(minutes=2)),
            }
        )
        await self._publish(category)

    def _end(self, now: datetime) -> None:
        for message in self._messages:
            if message["version"] == 1:
                message.update(version=2, end=_stamp(now), published=_stamp(now))

    async def _all_well(self) -> None:
        self._end(self._pair.agent.clock.now())
        await self._publish("AVAILABLE")

    async def _publish(self, status: str) -> None:
        self._pair.sandbox.latarnia.set(status, [dict(message) for message in self._messages])
        await self._pair.agent.announcements.poll()

    async def _send_all(self) -> None:
        """Let the queue empty itself; KSeF answers within milliseconds here."""
        agent = self._pair.agent
        for _ in range(100):
            await agent.connection.probe()
            await agent.queue.pass_once()
            listed = (await agent.invoices.queue()).invoices
            waiting = [each for each in listed if each.record.mode is not Mode.TOTAL_FAILURE]
            if not waiting:
                return
            await agent.clock.sleep(0.3)


def _first(pressed: IssueOutcome) -> str:
    return pressed.invoice_ids[0]


def _stamp(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
