"""A till's sign of life, and the news that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain.errors import Conflict
from agent.domain.json_io.canonical import Json
from agent.hub.courier.state import STATE, said_now
from agent.hub.domain.presence import is_second, presence_after
from agent.hub.domain.records import Till
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.certificates import OfflineCertificates
from agent.hub_contract.heartbeat import Budget, Heartbeat, LatarniaNews, News
from agent.hub_contract.reading import Members
from agent.ports import Clock

LATARNIA = "latarnia"
"""In the notebook: what Latarnia said last, as received."""
SECOND_RUNS = "second-runs:{}"
"""In the notebook, by id of a till: the runs of second tills of its name whose signs of life were refused."""
RUNS_KEPT = 8


class Heartbeats:
    """Hears tills, and tells them what only the hub knows."""

    def __init__(self, store: HubStore, clock: Clock, version: str, certificates: OfflineCertificates) -> None:
        self._store = store
        self._certificates = certificates
        self._clock = clock
        self._version = version

    async def hear(self, till: Till, beat: Heartbeat, address: str, *, secure: bool) -> News:
        """Note a sign of life and return the news. Conflict "till-name-duplicate" where a second till has the name.

        ``secure``: it came over TLS, so this till may be told of a certificate to fetch.
        """

        async def work(tx: HubTransaction) -> bool:
            known = await tx.fleet.last_beat(till.id)
            presence = presence_after(None if known is None else known.presence, beat, self._clock.now())
            if presence is not None:
                await tx.fleet.beat(till.id, presence, beat, address)
                if known is not None and known.duplicate_at is not None:
                    await _note_runs(tx, till, without=beat.process)
                return True
            assert known is not None
            if known.duplicate_at is None:
                data: dict[str, Json] = {"first": known.address, "second": address, "till": till.name}
                await tx.log.append("duplicate_till", data, nip=till.nip, till_id=till.id)
            await tx.fleet.duplicate(till.id)
            if beat.process != known.presence.process:
                await _note_runs(tx, till, without=beat.process, also=(beat.process,))
            return False

        if not await self._store.write(work):
            raise duplicate(till)
        return await self.news(till, secure=secure)

    async def require_own(self, till: Till, database: str | None, process: str | None) -> None:
        """Refuse what a second till of the same name hands over. ``database``, ``process``: as it says; None: not."""
        if database is None and process is None:
            return

        async def work(tx: HubTransaction) -> bool:
            known = await tx.fleet.last_beat(till.id)
            if known is None:
                return False
            refused = () if known.duplicate_at is None else await _runs(tx, till)
            return is_second(known.presence, database, process, refused, self._clock.now())

        if await self._store.read(work):
            raise duplicate(till)

    async def news(self, till: Till, *, secure: bool) -> News:
        """Return what a till is told."""

        async def work(tx: HubTransaction) -> tuple[Json, Json, str | None]:
            serial = await self._certificates.serial(tx, till) if secure else None
            return await tx.log.value(STATE.format(till.nip)), await tx.log.value(LATARNIA), serial

        state, latarnia, serial = await self._store.read(work)
        now = self._clock.now()
        said = said_now(state, now)
        courier = None if said is None else Members(said, "courier")
        return News(
            now=now,
            version=self._version,
            ksef="down" if courier is None else courier.text("ksef"),
            budget=None
            if courier is None
            else Budget(courier.whole("left_hour"), courier.whole("left_minute"), courier.number("wait")),
            latarnia=_latarnia(latarnia),
            offline_serial=serial,
        )


async def forget_second(tx: HubTransaction, till: Till) -> None:
    """Let whoever comes next under this name be the till."""
    await tx.fleet.forget(till.id)
    await tx.log.put(SECOND_RUNS.format(till.id), None)


async def _runs(tx: HubTransaction, till: Till) -> tuple[str, ...]:
    value = await tx.log.value(SECOND_RUNS.format(till.id))
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


async def _note_runs(tx: HubTransaction, till: Till, *, without: str, also: tuple[str, ...] = ()) -> None:
    before = await _runs(tx, till)
    runs = [each for each in before if each != without][1 - RUNS_KEPT :] + list(also)
    if tuple(runs) != before:
        await tx.log.put(SECOND_RUNS.format(till.id), runs or None)


def duplicate(till: Till) -> Conflict:
    """Return the refusal of a second till under one name."""
    return Conflict(
        f"Pod nazwą „{till.name}” działa już inna kasa. Dwie kasy o jednej nazwie nadałyby te same numery faktur: "
        "zatrzymaj jedną z nich albo nadaj jej inną nazwę w centrali.",
        code="till-name-duplicate",
    )


def _latarnia(value: Json) -> LatarniaNews | None:
    if not isinstance(value, Mapping):
        return None
    members = Members(value, "latarnia")
    return LatarniaNews(members.text("status"), members.text("messages"), members.instant("seen_at"))
