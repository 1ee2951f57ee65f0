"""What happens to shops, and whom it wakes. Each docstring is the story at the head of its recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from agent.domain.invoice import Mode
from agent.ports import Json
from tests.fakes.agent_with_sandbox import MANAGER
from tests.incidents.receiver import Receiver
from tests.incidents.scene import BEGIN, PEOPLE, Scene, scene

INCIDENTS: dict[str, Callable[[Path], Awaitable[Scene]]] = {}


def incident(happen: Callable[[Path], Awaitable[Scene]]) -> Callable[[Path], Awaitable[Scene]]:
    """Enter it under the name of its recording."""
    INCIDENTS[happen.__name__.replace("_", "-")] = happen
    return happen


def message(category: str, kind: str, number: int = 1, **more: Json) -> Json:
    """Return a message of Latarnia."""
    begin = (BEGIN + timedelta(minutes=5)).isoformat()
    return {
        "id": f"K/2026/{number:02}",
        "eventId": 1,
        "category": category,
        "type": kind,
        "start": begin,
        "published": begin,
        "version": 1,
        **more,
    }


@incident
async def quiet_day(folder: Path) -> Scene:
    """Two tills sell, KSeF answers: nobody hears of it."""
    async with scene(folder, "1", "2") as place:
        for _ in range(6):
            for till in place.tills.values():
                await till.sell()
            await place.minutes(5)
            place.firing()
    return place


@incident
async def line_gone(folder: Path) -> Scene:
    """The line of one shop is gone for forty minutes; sales go on as offline24, and leave when it is back."""
    async with scene(folder) as place:
        await place.till.sell()
        await place.minutes(5)
        place.firing()
        await place.till.sandbox.plan("*", "refuse")
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(15)
        place.firing()
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(25)
        place.firing("KsefUnreachable", "KsefLatarniaSilent")
        await place.till.sandbox.plan("*", "none")
        await place.minutes(8)
        place.firing()
    return place


@incident
async def line_gone_until_the_deadline(folder: Path) -> Scene:
    """The line is gone over night and over the next day: its last hours wake somebody, and so does what is late."""
    async with scene(folder) as place:
        await place.till.sandbox.plan("ksef", "refuse")
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(5)
        place.clock.jump(timedelta(days=1, hours=8))
        await place.minutes(12)
        place.firing("KsefAgentCritical", "KsefDeadlineHours", "KsefDeadlineNear")
        place.clock.jump(timedelta(hours=6))
        await place.minutes(5)
        place.firing("KsefAgentCritical", "KsefInvoicesOverdue")
        await place.till.sandbox.plan("ksef", "none")
        await place.minutes(8)
        place.firing()
    return place


@incident
async def outage_of_ksef(folder: Path) -> Scene:
    """KSeF answers none of five tills: one alert for all at once, and before any of the tills' own."""
    async with scene(folder, "1", "2", "3", "4", "5") as place:
        await place.minutes(3)
        for till in place.tills.values():
            await till.sandbox.plan("ksef", "refuse")
        await place.minutes(8)
        place.firing("KsefOutage")
        await place.minutes(27)
        place.firing("KsefOutage", KsefUnreachable=5)
        for till in place.tills.values():
            await till.sandbox.plan("ksef", "none")
        await place.minutes(3)
        place.firing()
    return place


@incident
async def failure_announced(folder: Path) -> Scene:
    """The Ministry announces a failure (awaria), and its end: told once for all tills."""
    async with scene(folder, "1", "2") as place:
        await place.minutes(5)
        begin = message("FAILURE", "FAILURE_START")
        for till in place.tills.values():
            till.sandbox.latarnia.set("FAILURE", [begin])
        await place.minutes(5)
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(15)
        place.firing("KsefAnnounced")
        now = place.clock.now().isoformat()
        end = message("FAILURE", "FAILURE_END", 2, end=now, published=now)
        for till in place.tills.values():
            till.sandbox.latarnia.set("AVAILABLE", [begin, end])
        await place.minutes(6)
        place.firing()
    return place


@incident
async def total_failure_announced(folder: Path) -> Scene:
    """A total failure is announced: a manager has to confirm it, and is told so until it is done."""
    async with scene(folder) as place:
        await place.minutes(5)
        place.till.sandbox.latarnia.set("TOTAL_FAILURE", [message("TOTAL_FAILURE", "FAILURE_START")])
        await place.minutes(5)
        place.firing("KsefAgentCritical", "KsefOperatorNeeded")
        await declare(place)
        await place.minutes(5)
        place.firing("KsefAnnounced")
    return place


async def declare(place: Scene) -> None:
    """A manager confirms the total failure."""
    await place.till.agent.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)


@incident
async def latarnia_contradicts_itself(folder: Path) -> Scene:
    """Its status names a failure that no message announces; then it says a word that nobody knows."""
    async with scene(folder) as place:
        await place.minutes(5)
        place.till.sandbox.latarnia.set("FAILURE", [])
        await place.minutes(20)
        place.firing("KsefProblem")
        place.till.sandbox.latarnia.set("SOLAR_STORM", [])
        await place.minutes(20)
        place.firing(KsefProblem=2)
        place.till.sandbox.latarnia.set("AVAILABLE", [])
        await place.minutes(3)
        place.firing()
    return place


@incident
async def latarnia_never_read(folder: Path) -> Scene:
    """A firewall lets KSeF through and not Latarnia, from the first day."""
    async with scene(folder, edit=without_latarnia) as place:
        await place.minutes(29)
        place.firing()
        await place.minutes(20)
        place.firing("KsefLatarniaNeverRead")
    return place


def without_latarnia(text: str) -> str:
    """Point Latarnia's address to a port where nobody listens."""
    lines = (
        'latarnia_url = "http://127.0.0.1:1"' if line.startswith("latarnia_url") else line for line in text.splitlines()
    )
    return "\n".join(lines) + "\n"


@incident
async def rate_limited(folder: Path) -> Scene:
    """Others behind the address have used up the hour: KSeF refuses with 429 for half an hour."""
    async with scene(folder) as place:
        await place.till.sell()
        await place.minutes(5)
        place.firing()
        await place.till.sandbox.plan("send", "429", seconds=1800)
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(16)
        place.firing("KsefHeldBackByLimits", "KsefRateLimited")
    return place


@incident
async def certificate_near_its_end(folder: Path) -> Scene:
    """Nobody renews the certificates: two days of warnings, then thirteen days before the end the louder one."""
    async with scene(folder, before=timedelta(days=705), step=10, extra=NO_COPIES) as place:
        await place.minutes(30)
        place.firing()
        await place.minutes(60 * 51)
        place.firing("KsefCertificateNotRenewed")
        place.clock.jump(timedelta(days=11))
        await place.minutes(70)
        place.firing("KsefCertificateNotRenewed", KsefCertificateExpires=2)
    return place


NO_COPIES = "\n[alerts]\nbackup_hours = 0\n"


@incident
async def certificates_ended(folder: Path) -> Scene:
    """Both certificates have run out: KSeF lets nobody in."""
    async with scene(folder, before=timedelta(days=731), extra=NO_COPIES) as place:
        await place.minutes(5)
        place.firing("KsefAgentCritical", KsefOperatorNeeded=2)  # certificate-expired, ksef-login-refused
    return place


@incident
async def clock_off(folder: Path) -> Scene:
    """KSeF's time is two minutes off the till's, then an hour: the till refuses to date invoices."""
    async with scene(folder) as place:
        await place.minutes(3)
        place.till.sandbox.clock.skew = timedelta(minutes=2)
        await place.minutes(20)
        place.firing("KsefProblem")
        place.till.sandbox.clock.skew = timedelta(hours=1)
        await place.minutes(3)
        place.firing("KsefAgentCritical", "KsefClockStopsTheTill")
    return place


@incident
async def same_name_twice(folder: Path) -> Scene:
    """The image of a till is put on another machine, with its name."""
    async with scene(folder, "1", "1") as place:
        await place.minutes(4)
        place.firing()
        await place.minutes(3)
        place.firing("KsefTillTwice")
    return place


@incident
async def silent_with_unsent(folder: Path) -> Scene:
    """A shop without line is switched off for the night with two invoices: their deadline is tomorrow."""
    async with scene(folder, "1", "2") as place:
        place.clock.jump(timedelta(hours=10))
        await place.minutes(3)
        await place.till.sandbox.plan("ksef", "refuse")
        for _ in range(2):
            await place.till.sell(buyer=PEOPLE)
        await place.minutes(3)
        place.off.update(place.tills)
        await place.minutes(8)
        place.firing(KsefAgentDown=2)
        await place.minutes(60 * 6)
        place.firing("KsefSilentWithUnsent", KsefAgentDown=2)
        place.off.clear()
        await place.till.sandbox.plan("ksef", "none")
        await place.minutes(3)
        place.firing()
    return place


@incident
async def printer_without_paper(folder: Path) -> Scene:
    """The printer is out of paper for twenty minutes; invoices exist all the same."""
    async with scene(folder) as place:
        await place.minutes(3)
        await place.till.sandbox.printer.plan("paper_out")
        await place.till.sell()
        await place.minutes(20)
        place.firing("KsefPrinterTrouble")
        await place.till.sandbox.printer.heal()
        await place.minutes(3)
        place.firing()
    return place


@incident
async def disk_nearly_full(folder: Path) -> Scene:
    """Less is free than alerts.disk_free_mb asks for."""
    async with scene(folder, extra="\n[alerts]\ndisk_free_mb = 1000000\n") as place:
        await place.minutes(4)
        place.firing("KsefAgentCritical", "KsefDiskFull")
    return place


@incident
async def ksef_refuses_an_invoice(folder: Path) -> Scene:
    """KSeF refuses an invoice that was handed out offline: a manager decides."""
    async with scene(folder) as place:
        await place.minutes(3)
        await place.till.sandbox.plan("ksef", "refuse")
        await place.till.sell(buyer=PEOPLE)
        place.till.sandbox.mood("430")
        await place.till.sandbox.plan("ksef", "none")
        await place.minutes(6)
        place.firing("KsefAgentCritical", "KsefInvoicesRejected")
    return place


@incident
async def answer_lost(folder: Path) -> Scene:
    """An answer is lost, and with it the line: for an hour nobody knows whether KSeF has the invoice."""
    async with scene(folder) as place:
        await place.minutes(3)
        await place.till.sandbox.plan("send", "reset_after", 1)
        await place.till.sell()
        await place.till.sandbox.plan("ksef", "refuse")
        await place.minutes(40)
        place.firing("KsefInvoicesInDoubt", "KsefUnreachable")
        await place.till.sandbox.plan("ksef", "none")
        await place.minutes(5)
        place.firing()
    return place


@incident
async def no_copies(folder: Path) -> Scene:
    """Nobody has enabled the nightly copy."""
    async with scene(folder, before=timedelta(days=3)) as place:
        await place.minutes(50)
        place.firing()
        await place.minutes(15)
        place.firing("KsefBackupTrouble")
    return place


@incident
async def credentials_refused(folder: Path) -> Scene:
    """The certificate with which the till signs in was revoked."""
    async with scene(folder, extra=NO_COPIES) as place:
        certificate = place.till.sandbox.authentication.certificate
        place.till.sandbox.authority.revoked.add(certificate.serial_number)
        await place.minutes(5)
        place.firing()
        place.clock.jump(timedelta(days=8))
        await place.minutes(10)
        place.firing("KsefAgentCritical", "KsefOperatorNeeded")
    return place


@incident
async def behind_a_router(folder: Path) -> Scene:
    """Two tills that only send heartbeats: one is out of paper, one falls silent with an invoice, its clock is off."""
    async with scene(folder, "1", "2") as place:
        receiver = Receiver(place, folder)
        await place.minutes(5)
        place.firing()
        await place.till.sandbox.printer.plan("paper_out")
        await place.minutes(65)
        place.firing("KsefHeartbeatProblem")
        await place.till.sandbox.plan("ksef", "refuse")
        await place.till.sell(buyer=PEOPLE)
        await place.minutes(2)
        place.off.add("till-1")
        await place.minutes(5)
        place.firing("KsefHeartbeatSilentWithUnsent")
        place.off.clear()
        place.till.sandbox.clock.skew = timedelta(hours=1)
        await place.till.sandbox.plan("ksef", "none")
        await place.till.sandbox.printer.heal()
        await place.minutes(5)
        place.firing("KsefHeartbeatCritical")
        place.till.sandbox.clock.skew = timedelta(0)
        await place.minutes(3)
        place.firing()
        place.off.add("till-2")
        await place.minutes(10)
        place.firing("KsefHeartbeatSilent")
        receiver.down = True
        await place.minutes(6)
        place.firing("KsefHeartbeatReceiverDown")
    return place


@incident
async def same_name_twice_behind_routers(folder: Path) -> Scene:
    """Two tills of one name send heartbeats: each looks like a start of the other."""
    async with scene(folder, "1", "1") as place:
        Receiver(place, folder)
        await place.minutes(20)
        place.firing("KsefHeartbeatTillTwice")
    return place


@incident
async def heartbeats_refused(folder: Path) -> Scene:
    """Headquarters changed the secret and one till still has the old one."""
    async with scene(folder) as place:
        receiver = Receiver(place, folder)
        place.behind.clear()
        await place.minutes(5)
        place.firing()
        receiver.secret(b"another secret of thirty-two letters")
        await place.minutes(35)
        place.firing("KsefHeartbeatRefused", "KsefHeartbeatSilent")
    return place
