"""Metrics and alert rules of the hub: what fires when, and that every rule stands on a metric there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from agent.domain.calendar import WARSAW, BusinessCalendar, end_of_day
from agent.domain.errors import Unavailable
from agent.domain.json_io.canonical import Json
from agent.hub.courier.rate_limited import RateLimitedCalls
from agent.hub.courier.state import CERTIFICATES, STATE, written
from agent.hub.domain.certificates import CertificateCount, count_to_json
from agent.hub.domain.fleet import FleetPolicy, Grade, TillView, view_of
from agent.hub.domain.presence import Presence
from agent.hub.domain.records import LastBeat
from agent.hub.ports import HubTransaction
from agent.hub.services.fleet import Fleet
from agent.hub.services.intake import Intake
from agent.hub.services.intake_probe import NOTE, REMEMBERED_SECONDS, IntakeProbe
from agent.hub.services.overview import BACKUP
from agent.hub.settings.model import FleetSettings
from agent.hub.web.metrics import render
from agent.hub_contract.heartbeat import Heartbeat
from agent.services.heartbeats import unheard
from agent.store.failures import disk_full
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, offer, seller_and_till, sqlite_hub

HQ = Path(__file__).parents[3] / "docs" / "hq"
RULES = HQ / "hub-alerts.yml"
TESTS = (HQ / "hub-alerts.test.yml", HQ / "hub-alerts-of-days.test.yml")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")


async def a_look(folder: Path, clock: FakeClock, backup_within: timedelta | None = None) -> tuple[str, set[str]]:
    """The page of metrics of a hub that has a little of everything, and the codes of its problems."""
    async with sqlite_hub(folder, clock, threaded=False) as store:
        fleet = Fleet(store, clock, FleetSettings(), "1.0", backup_within)
        view = await fleet.look()
        return render(view, {NIP: 3}).decode(), {each.code for each in view.troubles}


async def fill(folder: Path, clock: FakeClock) -> None:
    async with sqlite_hub(folder, clock, threaded=False) as store:
        till = await seller_and_till(store)

        async def work(tx: HubTransaction) -> None:
            await tx.invoices.add(till, offer("FV-1/1"))
            state: dict[str, Json] = {"ksef": "up", "left_hour": 7, "left_minute": 7, "wait": 0.0}
            await tx.log.put(STATE.format(NIP), written(state, clock.now()))
            count = CertificateCount(9, 5, "?", certificates_in_use=91)
            await tx.log.put(CERTIFICATES.format(NIP), count_to_json(count))

        await store.write(work)


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    for words in (("check", "rules", str(RULES)), ("test", "rules", *map(str, TESTS))):
        done = subprocess.run([str(PROMTOOL), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_an_incident_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    told = "".join(each.read_text() for each in TESTS)
    fires = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", told))
    silent = set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", told))
    assert fires == alerts
    beside = {"KsefHubCertificatesFew", "KsefHubBudgetUsedUp"}  # in the same incident, a NIP that has enough
    assert alerts - silent == beside


async def test_rules_use_only_metrics_that_exist(tmp_path: Path) -> None:
    clock = FakeClock()
    await fill(tmp_path, clock)
    text, _ = await a_look(tmp_path, clock)
    known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    used = set(re.findall(r"ksef_hub_\w+", RULES.read_text()))
    unheard = {"ksef_hub_till_heard_timestamp_seconds", "ksef_hub_till_versions"}  # of tills that report
    assert used <= known | unheard
    assert f'ksef_hub_rate_limited_calls_total{{nip="{NIP}"}} 3.0' in text
    assert f'ksef_hub_certificates_left{{nip="{NIP}"}} 9.0' in text
    assert f'ksef_hub_certificates_in_use{{nip="{NIP}"}} 91.0' in text


@needs_promtool
async def test_promtool_finds_no_fault_in_the_metrics(tmp_path: Path) -> None:
    clock = FakeClock()
    await fill(tmp_path, clock)
    text, codes = await a_look(tmp_path, clock)
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {"certificates", "certificates-few", "certificate-requests-few"} <= codes


async def test_an_old_copy_of_the_database_is_a_problem(tmp_path: Path) -> None:
    clock = FakeClock()
    within = timedelta(hours=48)
    assert "backup-old" not in (await a_look(tmp_path, clock, within))[1], "nothing to lose yet"
    await fill(tmp_path, clock)
    assert "backup-old" not in (await a_look(tmp_path, clock, within))[1], "the first night is still to come"
    await clock.advance(49 * 3600)
    assert "backup-old" in (await a_look(tmp_path, clock, within))[1]
    assert "backup-old" not in (await a_look(tmp_path, clock))[1], "PostgreSQL: nobody looks"
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        await store.write(lambda tx: tx.log.put(BACKUP, {"at": clock.now().isoformat()}))
    text, codes = await a_look(tmp_path, clock, within)
    assert "backup-old" not in codes
    assert f"ksef_hub_backup_timestamp_seconds {clock.now().timestamp():.6g}"[:38] in text


async def test_the_end_of_the_hubs_own_certificate_is_a_problem_before_tills_lose_it(tmp_path: Path) -> None:
    clock = FakeClock()
    ends = clock.now() + timedelta(days=31)
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        fleet = Fleet(store, clock, FleetSettings(), "1.0", tls_ends=ends)
        assert (await fleet.look()).troubles == ()
        await clock.advance(2 * 86_400)
        (soon,) = (await fleet.look()).troubles
        assert (soon.code, soon.grade) == ("tls-certificate", Grade.WARNING)
        await clock.advance(22 * 86_400)
        (late,) = (await fleet.look()).troubles
        assert late.grade is Grade.CRITICAL
        await clock.advance(30 * 86_400)
        (over,) = (await fleet.look()).troubles
        assert f"wygasł {ends.astimezone(WARSAW):%d.%m.%Y %H:%M}" in over.text


async def test_a_hub_that_can_store_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is written could tell: its disk is full."""

    async def refuse(_work: object) -> None:
        raise disk_full()

    clock = FakeClock()
    beats: list[int] = []
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        probe = IntakeProbe(store, clock, lambda: beats.append(1))
        fleet = Fleet(store, clock, FleetSettings(), "1.0", refused=lambda: probe.refused)
        await probe.probe()
        assert await store.read(lambda tx: tx.log.value(NOTE)) == clock.now().isoformat(), "an empty unit meets no disk"
        with monkeypatch.context() as patched:
            patched.setattr(store, "write", refuse)
            await probe.probe()
            (full,) = (await fleet.look()).troubles
            assert (full.code, full.grade) == ("store-refuses", Grade.CRITICAL)
            assert "Brak miejsca na dysku" in full.text
        await probe.probe()
        assert (await fleet.look()).troubles == ()
        assert len(beats) == 3, "a restart would mend nothing"


async def test_what_tills_are_refused_counts_though_a_note_finds_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL on a full disk: the note lies in a page that is there, an invoice needs another one."""

    async def refuse(_work: object) -> None:
        raise disk_full()

    clock = FakeClock()
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        till = await seller_and_till(store)
        probe = IntakeProbe(store, clock, unheard)
        intake = Intake(store, probe.told)
        fleet = Fleet(store, clock, FleetSettings(), "1.0", refused=lambda: probe.refused)
        ways = (
            lambda: intake.take(till, offer()),
            lambda: intake.keep(till, offer()),
            lambda: intake.take_all(till, [offer()]),
        )
        for way in ways:
            with monkeypatch.context() as patched:
                patched.setattr(store, "write", refuse)
                with pytest.raises(Unavailable):
                    await way()
            await probe.probe()
            assert "store-refuses" in {each.code for each in (await fleet.look()).troubles}
            await clock.advance(REMEMBERED_SECONDS)
            assert probe.refused is None, "no till was refused lately"
        with monkeypatch.context() as patched:
            patched.setattr(store, "write", refuse)
            with pytest.raises(Unavailable):
                await intake.take(till, offer())
        assert probe.refused is not None
        await intake.take(till, offer())
        assert probe.refused is None, "there is room again"


@needs_promtool
async def test_a_revoked_till_and_the_one_that_has_its_name_are_one_line_of_metrics(tmp_path: Path) -> None:
    """The old one's two wait at the hub, the new one's one, due later."""
    clock = FakeClock()
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        old = await seller_and_till(store)

        async def work(tx: HubTransaction) -> None:
            for number in (1, 2):
                await tx.invoices.add(old, offer(f"FV-1/{number}", deadline=date(2026, 11, 26)))
            await tx.parties.revoke_till(NIP, old.name)
            new = await tx.parties.add_till(NIP, old.name, old.shop, (), bytes(32))
            await tx.invoices.add(new, offer("FV-2/1", deadline=date(2026, 11, 27)))

        await store.write(work)
    text, _ = await a_look(tmp_path, clock)
    assert re.findall(r"ksef_hub_till_unsent_invoices{.*} (.*)", text) == ["3.0"]
    (deadline,) = re.findall(r"ksef_hub_till_next_deadline_timestamp_seconds{.*} (.*)", text)
    assert float(deadline) == end_of_day(date(2026, 11, 26)).timestamp()
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_seller_of_whom_only_revoked_tills_are_left_still_needs_a_courier(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        till = await seller_and_till(store)
        await store.write(lambda tx: tx.parties.revoke_till(NIP, till.name))
        fleet = Fleet(store, clock, FleetSettings(), "1.0")
        assert (await fleet.look()).troubles == ()
        await store.write(lambda tx: tx.invoices.add(till, offer("FV-1/1")))
        assert [each.code for each in (await fleet.look()).troubles] == ["no-courier"]


async def test_tills_of_many_versions_are_few_labels(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        till = await seller_and_till(store)
        view = await Fleet(store, clock, FleetSettings(), "1.0").look()
        said = Heartbeat("d", "p", "m", clock.now(), "1.0", (), 0, None)
        seen = LastBeat(till.id, Presence("d", "p", "m", None, clock.now()), "::1", None, said)
        policy = FleetPolicy(timedelta(minutes=5), 4.0, time(8), time(21), BusinessCalendar())

        def running(version: str, number: int) -> TillView:
            place = replace(till, id=number, name=str(number))
            beat = replace(seen, beat=replace(said, version=version))
            return view_of(place, "Sklep", beat, [], now=clock.now(), policy=policy)

        tills = [running(f"0.0.{number}", number) for number in range(30)] + [running("1.0", 30), running("1.0", 31)]
        text = render(replace(view, tills=tuple(tills)), {}).decode()
    found = dict(re.findall(r'ksef_hub_till_versions{version="(.*)"} (.*)', text))
    assert (len(found), found["1.0"], found["other"]) == (21, "2.0", "11.0")


def test_only_what_ksef_turned_away_is_counted() -> None:
    counts: Counter[str] = Counter()
    calls = RateLimitedCalls(NIP, counts)
    for outcome in ("ok", "rate_limited", "held_back", "rate_limited"):
        calls.ksef_called("POST /sessions/online", outcome, 0.1)
    assert counts == {NIP: 2}
