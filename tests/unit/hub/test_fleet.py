"""The fleet, search and books of a hub: judged, asked for over HTTP, seen as a page."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.domain.calendar import BusinessCalendar
from agent.domain.json_io.canonical import Json
from agent.domain.records.register import Marker
from agent.hub.domain.book_changes import changes
from agent.hub.domain.books import COLUMNS, Find, Question, days_late, marker, question, to_csv
from agent.hub.domain.fleet import FleetPolicy, Grade, TillView, view_of
from agent.hub.domain.presence import Presence
from agent.hub.domain.records import (
    HubRole,
    InvoiceFacts,
    LastBeat,
    Offer,
    OpenCount,
    OutcomeKind,
    Refusal,
    Till,
    UnreadRefusals,
)
from agent.hub.domain.states import HubState
from agent.hub.domain.tokens import token_hash
from agent.hub.ports import HubTransaction
from agent.hub.services import books
from agent.hub_contract.heartbeat import Heartbeat
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_served import ServedHub, served_hub
from tests.fakes.hub_stores import NIP, offer
from tests.unit.hub.test_web import BEAT

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
TILL = Till(1, NIP, "kasa 1", "Sklep 1", ("FV-1",), NOON)
POLICY = FleetPolicy(timedelta(minutes=5), 4.0, time(8), time(21), BusinessCalendar())


def beat(**changes: Any) -> Heartbeat:
    given: dict[str, Any] = {"unsent": 0, "next_deadline": None, "version": "1.0.0", "health": {}}
    return Heartbeat(database="d", process="p", machine="m", started_at=NOON, series=("FV-1",), **{**given, **changes})


def view(
    heard: Heartbeat | None, *, silent: timedelta = timedelta(0), counts: int = 0, now: datetime = NOON
) -> TillView:
    last = None
    if heard is not None:
        last = LastBeat(1, Presence("d", "p", "m", None, now - silent), "10.0.0.7", None, heard)
    held = [OpenCount(NIP, 1, HubState.WAITING, counts, date(2026, 11, 25), NOON)] if counts else []
    return view_of(TILL, "Sklep", last, held, now=now, policy=POLICY)


def codes(found: TillView) -> dict[str, Grade]:
    return {each.code: each.grade for each in found.troubles}


def test_a_till_that_is_heard_and_has_nothing_unsent_is_well() -> None:
    assert view(beat()).grade is Grade.WELL
    assert view(None).grade is Grade.UNHEARD


def test_a_silent_till_is_told_with_what_only_it_has_and_by_when() -> None:
    """The dead man's switch."""
    heard = beat(unsent=7, next_deadline=date(2026, 11, 26))
    found = view(heard, silent=timedelta(minutes=6), counts=3)
    (silent,) = [each for each in found.troubles if each.code == "till-silent"]
    assert silent.grade is Grade.WARNING
    assert "ani tutaj: 4" in silent.text
    assert "26.11.2026" in silent.text
    late = view(heard, silent=timedelta(hours=30), now=datetime(2026, 11, 26, 16, 30, tzinfo=UTC))
    assert codes(late) == {"deadline-near": Grade.CRITICAL, "till-silent": Grade.CRITICAL}


def test_a_till_that_died_is_no_trouble_once_the_hub_brought_its_invoices_to_ksef() -> None:
    """It said three unsent, all handed over; the hub has their numbers since."""
    last_said = beat(unsent=3, next_deadline=date(2026, 11, 25), alone=0)
    night = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    found = view(last_said, silent=timedelta(days=2), now=night)
    assert (found.grade, found.alone, found.deadline, found.not_in_ksef) == (Grade.WELL, 0, None, 0)
    assert view(last_said, counts=3).deadline == date(2026, 11, 25), "while the hub holds them"
    assert (found.unsent, view(last_said, counts=2).not_in_ksef) == (3, 2), "as the till last said; as it is"


def test_a_till_heard_by_a_clock_that_was_ahead_is_silent_all_the_same() -> None:
    assert codes(view(beat(), silent=timedelta(days=-2))) == {"till-silent": Grade.WARNING}
    assert view(beat(), silent=timedelta(seconds=-59)).grade is Grade.WELL, "another process of the hub heard it"


def test_a_silent_till_is_told_with_what_it_said_that_only_it_has() -> None:
    """Two of five, due later than those that the hub holds."""
    said = {"unsent": 5, "next_deadline": date(2026, 11, 24), "alone": 2, "alone_deadline": date(2026, 11, 26)}
    for held, deadline in ((3, date(2026, 11, 25)), (0, date(2026, 11, 26))):
        found = view(beat(**said), silent=timedelta(minutes=6), counts=held)
        (silent,) = [each for each in found.troubles if each.code == "till-silent"]
        assert "ani tutaj: 2, najbliższy termin 26.11.2026" in silent.text
        assert (found.alone, found.deadline) == (2, deadline)


def test_a_till_switched_off_for_the_night_is_no_trouble() -> None:
    night = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    assert view(beat(), silent=timedelta(hours=2), now=night).grade is Grade.WELL
    assert codes(view(beat(), silent=timedelta(hours=2))) == {"till-silent": Grade.WARNING}


def test_what_the_till_says_of_itself_is_repeated() -> None:
    problems = [{"code": "printer", "severity": "warning", "message": "Brak papieru."}]
    found = view(beat(health={"problems": problems, "printers": [{"problem": "Brak papieru."}], "mode": "offline24"}))
    assert codes(found) == {"printer": Grade.WARNING}
    assert (found.printers, found.mode) == ("Brak papieru.", "offline24")


def test_health_of_any_shape_breaks_nothing() -> None:
    shapes: tuple[dict[str, Json], ...] = (
        {"problems": 5, "printers": "x", "certificates": [1]},
        {"problems": [None, {}]},
    )
    for health in shapes:
        assert view(beat(health=health)).till is TILL


def test_a_day_that_lies_ages_off_is_no_trouble() -> None:
    """What a till of before said, or an invoice that was handed over with such a day, is judged at once."""
    for far in ({"next_deadline": date.max}, {"alone": 1, "alone_deadline": date.max}):
        found = view(beat(unsent=1, **far))
        assert (found.grade, found.deadline) == (Grade.WELL, date.max)


def test_what_an_older_hub_took_of_a_till_is_bounded() -> None:
    health: dict[str, Json] = {"certificates": [{"days_left": -(10**400)}, {"days_left": 30}]}
    found = view(beat(unsent=10**400, alone=-7, version="9" * 5000, health=health))
    assert (found.unsent, found.alone, found.version, found.certificate_days) == (10**9, 0, "9" * 40, 30)


def test_of_a_revoked_till_the_deadlines_of_what_it_handed_over_are_watched() -> None:
    revoked = replace(TILL, revoked_at=NOON)
    held = [OpenCount(NIP, 1, HubState.DOUBT, 2, date(2026, 11, 25), NOON)]
    for now, found in (
        (NOON, {}),
        (datetime(2026, 11, 25, 17, 30, tzinfo=UTC), {"deadline-near": Grade.CRITICAL}),
        (datetime(2026, 11, 26, 17, 30, tzinfo=UTC), {"overdue": Grade.CRITICAL}),
    ):
        seen = view_of(revoked, "Sklep", None, held, now=now, policy=POLICY)
        assert (codes(seen), seen.held) == (found, 2)
    heard = LastBeat(1, Presence("d", "p", "m", None, NOON), "::1", None, beat(unsent=7, next_deadline=date.min))
    for last in (None, heard):
        quiet = view_of(revoked, "Sklep", last, [], now=NOON + timedelta(days=2), policy=POLICY)
        assert (quiet.grade, quiet.unsent, quiet.alone) == (Grade.WELL, 0, 0), "silent by order"


def test_what_ksef_refused_and_no_till_has_read_is_told() -> None:
    """A till that is switched on reads it at once; one that is silent says nothing; one that was revoked never will."""
    refused = UnreadRefusals(NIP, 1, 2, date(2026, 11, 25), NOON)
    given: dict[str, Any] = {"policy": POLICY, "refused": refused}
    heard = LastBeat(1, Presence("d", "p", "m", None, NOON), "::1", None, beat())
    at_once = view_of(TILL, "Sklep", heard, [], now=NOON + timedelta(minutes=4), **given)
    assert (codes(at_once), at_once.refused) == ({}, 2)
    later = view_of(TILL, "Sklep", heard, [], now=NOON + timedelta(minutes=6), **given)
    assert codes(later)["refusals-unread"] is Grade.WARNING
    last_hours = view_of(TILL, "Sklep", heard, [], now=datetime(2026, 11, 25, 17, 30, tzinfo=UTC), **given)
    assert codes(last_hours)["refusals-unread"] is Grade.CRITICAL
    gone = view_of(replace(TILL, revoked_at=NOON), "Sklep", heard, [], now=NOON, **given)
    assert codes(gone) == {"refusals-unread": Grade.CRITICAL}
    assert "2, najbliższy termin 25.11.2026, a kasa jest wycofana" in gone.troubles[0].text


SHA = bytes(range(32))
LINK = base64.urlsafe_b64encode(SHA).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"https://qr.ksef.mf.gov.pl/invoice/{NIP}/24-11-2026/{LINK}", Question(Find.HASH, SHA.hex())),
        (
            f"https://qr.ksef.mf.gov.pl/certificate/Nip/{NIP}/{NIP}/01F20A5D352AE590/{LINK}/sig",
            Question(Find.HASH, SHA.hex()),
        ),
        (SHA.hex().upper(), Question(Find.HASH, SHA.hex())),
        (f"{NIP}-20261124-010000000001-AB", Question(Find.KSEF_NUMBER, f"{NIP}-20261124-010000000001-AB")),
        ("526-104-08-28", Question(Find.BUYER, "5261040828")),
        ("1 234,50 zł", Question(Find.AMOUNT, "1234.50")),
        ("123.00", Question(Find.AMOUNT, "123.00")),
        ("-1 234,50", Question(Find.AMOUNT, "-1234.50")),
        ("\u2212123.00 PLN", Question(Find.AMOUNT, "-123.00")),
        (f"{NIP}-20261124-010000000001-ab", Question(Find.KSEF_NUMBER, f"{NIP}-20261124-010000000001-AB")),
        (f"{NIP}-", Question(Find.KSEF_BEGINNING, f"{NIP}-")),
        (f"{NIP}-20261124-01a", Question(Find.KSEF_BEGINNING, f"{NIP}-20261124-01A")),
        ("1234567890-20261124", Question(Find.NUMBER, "1234567890-20261124")),
        ("FV\x00-1", Question(Find.NUMBER, "FV-1")),
        (" FV-1/2026/11/000001 ", Question(Find.NUMBER, "FV-1/2026/11/000001")),
    ],
)
def test_what_somebody_types_or_scans_is_understood(text: str, asked: Question) -> None:
    assert question(text) == asked


# --- over HTTP --------------------------------------------------------------------------------------------------------


@dataclass
class Office:
    """A hub with two tills, and people."""

    hub: ServedHub
    clock: FakeClock
    http: aiohttp.ClientSession
    tokens: dict[str, str]

    async def get(self, path: str, who: str | None = "manager", **more: Any) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        async with self.http.get(
            self.hub.listener.url + path, headers=headers, allow_redirects=False, **more
        ) as answer:
            return answer.status, await answer.text(errors="replace")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = FakeClock(NOON)
    gateway = FakeGateway(clock)
    gateway.up = False
    async with served_hub(tmp_path, clock, lambda _: gateway) as hub, aiohttp.ClientSession() as http:
        first, secret = await hub.till("kasa 1", series=("FV-1",))
        await hub.till("kasa 2", series=("FV-2",))
        tokens = {role.value: f"word-{role.value}" for role in HubRole} | {"till": secret}

        async def work(tx: HubTransaction) -> None:
            for role in HubRole:
                await tx.parties.add_person(role.value, role, token_hash(tokens[role.value]))
            await tx.invoices.add(first, replace(offer("FV-1/1"), mode="offline24"))

        await hub.store.write(work)
        yield Office(hub, clock, http, tokens)


async def test_roles_see_what_they_may(office: Office) -> None:
    month = f"/v1/register?nip={NIP}&month=2026-11"
    evidence = f"/v1/evidence?sha256={offer('FV-1/1').sha256.hex()}"
    may = {
        "viewer": {"/v1/fleet", "/v1/search?q=FV-1/1"},
        "auditor": {"/v1/search?q=FV-1/1", month, evidence},
        "manager": {"/v1/fleet", "/v1/search?q=FV-1/1", month, evidence},
        "monitor": set[str](),
        "till": set[str](),
        None: set[str](),
    }
    for who, paths in may.items():
        for path in ("/v1/fleet", "/v1/search?q=FV-1/1", month, evidence):
            status, _ = await office.get(path, who)
            assert (status == 200) is (path in paths), (who, path, status)
    assert (await office.get("/v1/outcomes", "manager"))[0] == 401, "a person is no till"


QUERIES = {
    "/v1/invoices": "?group=HB-1",
    "/v1/upo": "?group=HB-1",
    "/v1/search": "?q=FV-1/1",
    "/v1/register": f"?nip={NIP}&month=2026-11",
    "/v1/register/changes": f"?nip={NIP}&month=2026-11&since=2026-11-23",
    "/v1/outages": f"?nip={NIP}&month=2026-11",
    "/v1/evidence": f"?sha256={offer('FV-1/1').sha256.hex()}",
    "/invoices": "?q=FV-1/1",
    "/books": f"?nip={NIP}&month=2026-11",
}
"""What each call that needs it is asked."""


def asked_of(office: Office) -> list[str]:
    """Return every path that the hub answers GET on, with what it stands for there."""
    found = set()
    for route in office.hub.app.router.routes():
        if route.method != "GET" or route.resource is None:
            continue
        path = route.resource.canonical.replace("{sha256}", offer("FV-1/1").sha256.hex()).replace("{id}", "1")
        found.add(path + QUERIES.get(path, ""))
    assert set(QUERIES) <= {path.partition("?")[0] for path in found}, "a path that is none any more"
    return sorted(found)


async def test_each_route_answers_head_as_get_to_whoever_asks_and_without_a_body(office: Office) -> None:
    """aiohttp answers HEAD by GET: what asks for a token has to ask there, too."""
    paths = asked_of(office)
    assert len(paths) > 20
    for who in (None, *office.tokens):
        headers = {"Authorization": f"Bearer {office.tokens[who]}"} if who else {}
        seen = set()
        for path in paths:
            answers = []
            for method in ("GET", "HEAD"):
                url = office.hub.listener.url + path
                async with office.http.request(method, url, headers=headers, allow_redirects=False) as answer:
                    body = await answer.read()
                    answers.append((answer.status, answer.content_type, answer.headers.get("Location")))
                    assert method == "GET" or body == b"", (who, path)
            assert answers[0] == answers[1], (who, path)
            seen.add(answers[0][0])
        assert 500 not in seen
        assert 200 in seen, who
        assert {401, 403} & seen, who


async def test_the_fleet_page_shows_the_worst_first_and_filters(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.tokens['till']}"}
    body = json.dumps({**BEAT, "unsent": 3, "next_deadline": "2026-11-24", "version": "0.9<b>"})
    async with office.http.put(office.hub.listener.url + "/v1/heartbeat", data=body, headers=headers) as answer:
        assert answer.status == 200
    await office.clock.advance(6 * 60)
    status, text = await office.get("/", "viewer")
    assert status == 200
    assert text.index("kasa 1") < text.index("kasa 2")
    assert "Kasa milczy od 24.11.2026 12:00. Faktur, których nie ma ani w KSeF, ani tutaj: 2" in text
    assert "0.9&lt;b&gt;" in text
    assert "<script" not in text
    _, only = await office.get("/?trouble=1", "viewer")
    assert '"/tills/1"' in only
    assert '"/tills/2"' not in only
    _, none = await office.get("/?word=nie+ma", "viewer")
    assert "Żadna kasa nie pasuje" in none
    status, one = await office.get("/tills/1", "viewer")
    assert status == 200
    assert "FV-1/1" in one
    assert (await office.get("/tills/99", "viewer"))[0] == 404
    assert (await office.get("/health", None))[0] in {200, 503}
    assert (await office.get("/metrics", None))[0] == 401, "it names sellers, shops and tills"
    _, metrics = await office.get("/metrics", "monitor")
    assert f'ksef_hub_open_invoices{{nip="{NIP}",state="waiting"}} 1.0' in metrics
    assert 'ksef_hub_till_unsent_invoices{nip="5265877635",shop="Sklep kasa 1",till="kasa 1"} 3.0' in metrics


async def test_a_revoked_till_is_seen_until_all_it_handed_over_is_in_ksef(office: Office) -> None:
    """Its invoice is overdue: page, JSON, health and metrics say so, whoever has its name now."""
    old = (await office.hub.store.read(lambda tx: tx.parties.tills()))[0]
    await office.hub.store.write(partial(_add, old, offer("FV-1/2", deadline=date(2026, 11, 23))))
    await office.hub.store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1"))
    await office.hub.store.write(lambda tx: tx.parties.add_till(NIP, "kasa 1", "Sklep kasa 1", (), bytes(32)))
    status, text = await office.get("/", "viewer")
    assert status == 200
    assert text.index('"/tills/1"') < text.index('"/tills/2"')
    assert "(wycofana)" in text
    assert "Termin przesłania do KSeF minął 23.11.2026." in text
    tills = json.loads((await office.get("/v1/fleet", "viewer"))[1])["tills"]
    (seen,) = [each for each in tills if each["revoked_at"]]
    assert (seen["id"], seen["held"], [each["code"] for each in seen["troubles"]]) == (1, 2, ["overdue"])
    assert (await office.get("/health", None))[0] == 503
    _, metrics = await office.get("/metrics", "monitor")
    critical = 'ksef_hub_till_problems{nip="5265877635",severity="critical",shop="Sklep kasa 1",till="kasa 1"} 1.0'
    assert metrics.count(critical) == 1
    status, one = await office.get("/tills/1", "viewer")
    assert (status, "Wycofana" in one, "FV-1/1" in one) == (200, True, True)
    headers = {"Authorization": f"Bearer {office.tokens['manager']}"}
    async with office.http.post(f"{office.hub.listener.url}/tills/1/adopt", headers=headers) as answer:
        assert answer.status == 404, "the name is another till's now"


async def test_the_days_of_certificates_stand_on_the_page(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.tokens['till']}"}
    said = {**BEAT, "health": {"certificates": [{"days_left": 411}, {"days_left": 37}]}}
    async with office.http.put(f"{office.hub.listener.url}/v1/heartbeat", json=said, headers=headers) as answer:
        assert answer.status == 200
    _, text = await office.get("/", "viewer")
    assert text.count('<td data-label="Certyfikat, dni">37</td>') == 1
    assert text.count('<td data-label="Certyfikat, dni">–</td>') == 1


async def test_one_tills_date_stops_nobodys_look(office: Office) -> None:
    """PUT invoice with deadline=9999-12-31: page, health and metrics are there all the same."""
    till = (await office.hub.store.read(lambda tx: tx.parties.tills()))[1]
    for number, day in enumerate((date.max, date.min)):
        given = offer(f"FV-2/{number}", deadline=day)
        await office.hub.store.write(partial(_add, till, given))
        assert (await office.get("/", "viewer"))[0] == 200
        assert (await office.get("/v1/fleet", "viewer"))[0] == 200
        assert (await office.get("/metrics", "monitor"))[0] == 200
        assert (await office.get("/health", None))[0] == (503 if day == date.min else 200)


async def _add(till: Till, given: Offer, tx: HubTransaction) -> None:
    assert await tx.invoices.add(till, given) is not None


OTHER = "1111111111"


async def test_whoever_is_bound_to_one_seller_sees_only_it(office: Office) -> None:
    """A firm of a franchise, an accountant: another seller's tills and invoices are not there for it."""
    third, _ = await office.hub.till("kasa 3", nip=OTHER)
    theirs = offer("FV-3/1", nip=OTHER)

    async def work(tx: HubTransaction) -> None:
        await tx.invoices.add(third, theirs)
        for role in HubRole:
            office.tokens[f"other {role}"] = f"other-{role}"
            await tx.parties.add_person(f"other {role}", role, token_hash(f"other-{role}"), OTHER)

    await office.hub.store.write(work)
    _, text = await office.get("/v1/fleet", "other viewer")
    assert {each["nip"] for each in json.loads(text)["tills"]} == {OTHER}
    assert [each["nip"] for each in json.loads(text)["sellers"]] == [OTHER]
    assert {each["shop"] for each in json.loads(text)["shares"]} == {"Sklep kasa 3"}
    _, text = await office.get("/", "other viewer")
    assert "kasa 3" in text
    assert "kasa 1" not in text
    for who in ("other viewer", "other manager"):
        assert (await office.get("/tills/1", who))[0] == 404
        assert (await office.get(f"/tills/{third.id}", who))[0] == 200
    sha256 = offer("FV-1/1").sha256.hex()
    for asked in ("FV-1/1", "5261040828", "123,00", sha256):
        _, text = await office.get("/v1/search", "other auditor", params={"q": asked})
        assert {each["number"] for each in json.loads(text)["invoices"]} <= {"FV-3/1"}
        _, text = await office.get("/invoices", "other auditor", params={"q": asked})
        assert "FV-1/1</a>" not in text
    for path in (f"/invoices/{sha256}", f"/v1/evidence?sha256={sha256}"):
        assert (await office.get(path, "other manager"))[0] == 404
    for path in ("/v1/register", "/v1/register/changes", "/v1/outages", "/books"):
        assert (await office.get(f"{path}?nip={NIP}&month=2026-11", "other auditor"))[0] == 403
        query = f"{path}?nip={OTHER}&month=2026-11&since=2026-11-24"
        assert (await office.get(query, "other auditor"))[0] == 200
    _, text = await office.get("/books", "other auditor")
    assert NIP not in text
    _, metrics = await office.get("/metrics", "other monitor")
    assert OTHER in metrics
    assert NIP not in metrics
    headers = {"Authorization": f"Bearer {office.tokens['other manager']}"}
    async with office.http.post(f"{office.hub.listener.url}/tills/1/adopt", headers=headers) as answer:
        assert answer.status == 404


async def test_health_without_a_token_names_nobody(office: Office) -> None:
    for path in ("/health", "/health/live"):
        _, text = await office.get(path, None)
        for name in (NIP, "Sklep", "kasa", "FV-"):
            assert name not in text


async def test_search_register_outages_and_evidence_agree(office: Office) -> None:
    sha256 = offer("FV-1/1").sha256.hex()
    for asked in ("FV-1/1", "5261040828", "123,00", sha256):
        _, text = await office.get("/v1/search", "auditor", params={"q": asked})
        (row,) = json.loads(text)["invoices"]
        assert (row["number"], row["till"], row["mode"]) == ("FV-1/1", "kasa 1", "offline24")
    _, text = await office.get(f"/v1/register?nip={NIP}&month=2026-11", "auditor")
    assert [each["marker"] for each in json.loads(text)["rows"]] == ["DI"]
    assert json.loads((await office.get(f"/v1/register?nip={NIP}&month=2026-12", "auditor"))[1])["rows"] == []
    _, text = await office.get(f"/v1/register?nip={NIP}&month=2026-11&format=csv", "auditor")
    assert text.splitlines()[1].startswith("Sklep kasa 1;kasa 1;FV-1/1;VAT;2026-11-24;DI;")
    _, text = await office.get(f"/v1/outages?nip={NIP}&month=2026-11", "auditor")
    assert [(each["day"], each["unnumbered"]) for each in json.loads(text)["days"]] == [("2026-11-24", 1)]
    for path in ("/v1/register?month=2026-11", "/v1/register/changes?month=2026-11&since=2026-11-24", "/v1/outages"):
        status, text = await office.get(path, "auditor")
        assert (status, json.loads(text)["code"]) == (400, "bad-query"), path
    for wrong in ("/v1/register?nip=1&month=2026-11", f"/v1/register?nip={NIP}&month=2026-13", "/v1/evidence?sha256=x"):
        assert (await office.get(wrong, "auditor"))[0] in {400, 404, 422}
    headers = {"Authorization": f"Bearer {office.tokens['auditor']}"}
    async with office.http.get(f"{office.hub.listener.url}/v1/evidence?sha256={sha256}", headers=headers) as answer:
        with zipfile.ZipFile(io.BytesIO(await answer.read())) as archive:
            assert archive.read("invoice.xml") == offer("FV-1/1").xml
            assert "outcomes.json" in archive.namelist()


async def test_a_beginning_finds_no_more_than_a_page_holds_and_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked, more in (("fv-", False), ("FV-1/", False), ("%", None), ("FV_1", None)):
        _, text = await office.get("/v1/search", "auditor", params={"q": asked})
        answer = json.loads(text)
        assert answer["more"] is bool(more)
        assert [each["number"] for each in answer["invoices"]] == ([] if more is None else ["FV-1/1"])
    _, text = await office.get("/invoices", "auditor", params={"q": "fv-1"})
    assert "FV-1/1</a>" in text
    assert "Jest ich więcej" not in text
    till = (await office.hub.store.read(lambda tx: tx.parties.tills()))[0]
    await office.hub.store.write(lambda tx: tx.invoices.add(till, offer("FV-1/2")))
    monkeypatch.setattr(books, "FOUND", 1)
    answer = json.loads((await office.get("/v1/search", "auditor", params={"q": "fv-"}))[1])
    assert ([each["number"] for each in answer["invoices"]], answer["more"]) == (["FV-1/2"], True)
    assert "Jest ich więcej" in (await office.get("/invoices", "auditor", params={"q": "fv-1"}))[1]


async def test_a_browser_signs_in_and_out(office: Office) -> None:
    url = office.hub.listener.url
    assert (await office.get("/", None))[0] == 302
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        async with browser.post(f"{url}/login", data={"token": "wrong"}) as answer:
            assert answer.status == 403
            assert "nieznany" in await answer.text()
        headers = {"Origin": "https://elsewhere.example"}
        async with browser.post(f"{url}/login", data={"token": office.tokens["viewer"]}, headers=headers) as answer:
            assert answer.status == 403
        async with browser.post(f"{url}/login", data={"token": office.tokens["auditor"]}) as answer:
            assert (answer.status, answer.url.path) == (200, "/invoices")
        async with browser.get(f"{url}/") as answer:
            assert answer.url.path == "/invoices", "an auditor begins there"
        async with browser.get(f"{url}/invoices", params={"q": "FV-1/1"}) as answer:
            assert "FV-1/1" in await answer.text()
        sha256 = offer("FV-1/1").sha256.hex()
        async with browser.get(f"{url}/invoices/{sha256}") as answer:
            assert "Pobierz dowody" in await answer.text()
        async with browser.get(f"{url}/books?month=2026-11") as answer:
            assert "Rejestr jako CSV" in await answer.text()
        async with browser.post(f"{url}/tills/1/adopt") as answer:
            assert answer.status == 403
        async with browser.post(f"{url}/logout") as answer:
            assert answer.url.path == "/login"
        async with browser.get(f"{url}/invoices") as answer:
            assert answer.url.path == "/login"


async def test_a_manager_adopts_a_till_and_the_log_says_who(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.tokens['manager']}"}
    async with office.http.post(f"{office.hub.listener.url}/tills/1/adopt", headers=headers) as answer:
        assert answer.status == 200
    (entry,) = [
        each for each in await office.hub.store.read(lambda tx: tx.log.after(0, 100)) if each.kind == "till_adopted"
    ]
    assert entry.data["by"] == "manager"


async def refused_of(office: Office, number: str) -> bytes:
    """Let KSeF refuse an invoice of the first till, which is told."""
    given = offer(number)
    (till, _) = await office.hub.store.read(lambda tx: tx.parties.tills())

    async def work(tx: HubTransaction) -> None:
        await tx.invoices.add(till, given)
        for state in (HubState.SENDING, HubState.REJECTED):
            facts = (
                InvoiceFacts(refusal=Refusal(450, "Błąd weryfikacji semantyki")) if state is HubState.REJECTED else None
            )
            await tx.invoices.move(given.sha256, state, facts or InvoiceFacts())
        await tx.outcomes.add([(await tx.invoices.get(given.sha256), OutcomeKind.REJECTED, {})])

    await office.hub.store.write(work)
    return given.sha256


async def refusals_told(office: Office) -> list[tuple[int, list[str]]]:
    tills = json.loads((await office.get("/v1/fleet"))[1])["tills"]
    return [(each["refused"], [x["code"] for x in each["troubles"]]) for each in tills if each["refused"]]


async def test_what_ksef_refused_of_a_revoked_till_is_told_until_a_manager_settles_it(office: Office) -> None:
    sha256 = await refused_of(office, "FV-1/9")
    await office.hub.store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1"))
    assert await refusals_told(office) == [(1, ["refusals-unread"])]
    await office.hub.store.write(lambda tx: tx.invoices.move(offer("FV-1/1").sha256, HubState.EXEMPT))
    assert await refusals_told(office) == [(1, ["refusals-unread"])], "nothing else of it is open any more"
    assert (await office.get("/health", None))[0] == 503
    _, metrics = await office.get("/metrics", "monitor")
    assert 'ksef_hub_till_unread_refusals{nip="5265877635",shop="Sklep kasa 1",till="kasa 1"} 1.0' in metrics
    assert "KSeF odrzucił faktury tej kasy: 1" in (await office.get("/", "viewer"))[1]
    action = f"/invoices/{sha256.hex()}/settle"
    assert action in (await office.get("/tills/1"))[1]
    assert action not in (await office.get("/tills/1", "viewer"))[1]
    for who, why, status in (
        ("viewer", "x", 403),
        ("manager", " ", 422),
        ("manager", "x" * 501, 422),
        ("manager", "Wystawiona ponownie na kasie 2.", 303),
        ("manager", "I jeszcze raz.", 303),
    ):
        headers = {"Authorization": f"Bearer {office.tokens[who]}"}
        url = office.hub.listener.url + action
        async with office.http.post(url, data={"why": why}, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status, (who, why)
    assert await refusals_told(office) == []
    register = json.loads((await office.get(f"/v1/register?nip={NIP}&month=2026-11", "auditor"))[1])["rows"]
    assert "FV-1/9" not in {each["number"] for each in register}, "it never became an invoice"
    assert "Sprawa zamknięta" in (await office.get(f"/invoices/{sha256.hex()}"))[1]
    log = await office.hub.store.read(lambda tx: tx.log.after(0, 100))
    (entry,) = [each.data for each in log if each.kind == "refusal_settled"]
    assert (entry["number"], entry["by"], entry["why"]) == ("FV-1/9", "manager", "Wystawiona ponownie na kasie 2.")


async def test_what_ksef_refused_is_told_until_the_till_has_read_it(office: Office) -> None:
    await refused_of(office, "FV-1/9")
    assert await refusals_told(office) == [(1, [])], "it reads it at once, where it is switched on"
    await office.clock.advance(360)
    assert await refusals_told(office) == [(1, ["refusals-unread"])]
    answer = json.loads((await office.get("/v1/outcomes", "till"))[1])
    assert await refusals_told(office) == [(1, ["refusals-unread"])], "it was told, and may not have made it durable"
    await office.get(f"/v1/outcomes?after={answer['cursor']}", "till")
    assert await refusals_told(office) == []


async def test_a_month_of_many_pages_is_given_whole(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    tills = await office.hub.store.read(lambda tx: tx.parties.tills())

    async def work(tx: HubTransaction) -> None:
        for number in range(2, 6):
            given = offer(f"FV-1/{number}", issued_on=date(2026, 11, 24 + number % 2))
            await tx.invoices.add(tills[number % 2], given)

    await office.hub.store.write(work)
    path = f"/v1/register?nip={NIP}&month=2026-11"
    whole = [await office.get(f"{path}&format={each}", "auditor") for each in ("json", "csv")]
    assert [each["number"] for each in json.loads(whole[0][1])["rows"]] == [f"FV-1/{n}" for n in (1, 2, 4, 3, 5)]
    assert len(whole[1][1].splitlines()) == 6
    for size in (1, 2, 3):
        monkeypatch.setattr(books, "PAGE", size)
        assert [await office.get(f"{path}&format={each}", "auditor") for each in ("json", "csv")] == whole
    _, empty = await office.get(f"/v1/register?nip={NIP}&month=2026-12&format=csv", "auditor")
    assert empty.splitlines() == whole[1][1].splitlines()[:1]


async def test_what_came_after_a_filing_is_told(office: Office) -> None:
    """A number that came, one for an OFF, an invoice handed over later; what did not change is not told."""
    invoice = await office.hub.store.read(lambda tx: tx.invoices.get(offer("FV-1/1").sha256))
    filed, later = date(2026, 11, 26), NOON + timedelta(days=3)
    numbered = replace(invoice, ksef_number="x", accepted_at=later)
    month = [
        invoice,
        replace(numbered, number="FV-1/2"),
        replace(numbered, number="FV-1/3", mode="failure"),
        replace(numbered, number="FV-1/4", received_at=later),
        replace(numbered, number="FV-1/5", accepted_at=NOON),
        replace(invoice, number="FV-1/6", received_at=later, state=HubState.REJECTED, offline=False),
        replace(numbered, number="FV-1/7", received_at=later, version=2),
        replace(invoice, number="FV-1/8", state=HubState.REJECTED, closed_at=later),
        replace(invoice, number="FV-1/9", state=HubState.REJECTED, closed_at=NOON),
    ]
    till = await office.hub.store.read(lambda tx: tx.parties.till(invoice.till_id))
    found = changes(month, {till.id: till}, filed, date(2026, 11, 30))
    told = [(each["number"], each["old"], each["new"], each["needs_correction"]) for each in found]
    assert told == [
        ("FV-1/2", "DI", "NrKSeF", True),
        ("FV-1/3", "OFF", "NrKSeF", False),
        ("FV-1/4", None, "NrKSeF", True),
        ("FV-1/7", "DI", "NrKSeF", True),
        ("FV-1/8", "DI", None, True),
    ]
    path = f"/v1/register/changes?nip={NIP}&month=2026-11&since="
    _, text = await office.get(f"{path}2026-11-23", "auditor")
    assert [(each["number"], each["old"], each["new"]) for each in json.loads(text)["changes"]] == [
        ("FV-1/1", None, "DI")
    ]
    _, text = await office.get(f"{path}2026-11-24", "manager")
    assert json.loads(text)["changes"] == []
    assert (await office.get(f"{path}2026-13-01", "auditor"))[0] == 400
    assert (await office.get(f"{path}2026-11-24", "viewer"))[0] == 403
    assert (await office.get(path.replace(NIP, OTHER) + "2026-11-24", "auditor"))[0] == 404


@pytest.mark.parametrize(
    ("state", "sent", "accepted", "late"),
    [
        (HubState.ACCEPTED, "2026-11-25T22:59", "2026-11-26T10:00", 0),  # the number of the night comes the day after
        (HubState.SENT, "2026-11-25T23:01", None, 1),  # 26 November in Poland
        (HubState.ACCEPTED, None, "2026-11-27T10:00", 2),  # the answer to the sending was lost
        (HubState.ACCEPTED, "2026-12-09T10:00", "2026-12-09T10:00", 5),  # as of 30 November nobody had sent it
        (HubState.WAITING, "2026-11-25T10:00", None, 5),  # KSeF cancelled it
        (HubState.REJECTED, "2026-11-25T10:00", None, 5),
        (HubState.EXEMPT, None, None, 0),
    ],
)
async def test_days_late_count_from_the_deadline_to_the_sending_as_on_the_till(
    office: Office, state: HubState, sent: str | None, accepted: str | None, late: int
) -> None:
    def at(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(f"{text}:00+00:00")

    invoice = await office.hub.store.read(lambda tx: tx.invoices.get(offer("FV-1/1").sha256))
    due = replace(invoice, deadline=date(2026, 11, 25), state=state, sent_at=at(sent), accepted_at=at(accepted))
    assert days_late(due, date(2026, 11, 30)) == late
    assert days_late(replace(due, deadline=None), date(2026, 11, 30)) == 0


async def test_markers_and_a_cell_that_would_be_a_formula(office: Office) -> None:
    invoice = await office.hub.store.read(lambda tx: tx.invoices.get(offer("FV-1/1").sha256))
    today = date(2026, 11, 30)
    assert marker(replace(invoice, mode="failure"), today) is Marker.OFF
    numbered = replace(invoice, ksef_number="x", accepted_at=NOON + timedelta(days=1))
    assert marker(numbered, date(2026, 11, 24)) is Marker.DI
    assert marker(numbered, today) is Marker.NUMBER
    assert invoice.gross == Decimal("123.00")
    row = dict.fromkeys(("shop",), "=1+1")
    full = {name: row.get(name) for name in COLUMNS}
    assert "'=1+1" in to_csv([full])
