"""Alerts through the whole agent: told once at the start and once at the end, in every place, over a restart too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.domain.callers import Role
from agent.domain.errors import Conflict
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alert import ActiveAlert, AlertCode, Severity
from agent.ports import CallOutcome, KsefError, Outcome, Rejected
from agent.services.monitoring import unsent
from agent.services.monitoring.alerts import Alerting
from agent.services.monitoring.disk import Disk
from agent.services.monitoring.webhooks import ALERT_TYPES, Subscriber
from agent.services.signals import Signal
from agent.services.tokens import FILE_NAME, Tokens
from agent.settings.model import Settings
from agent.store import copies
from agent.store.failures import disk_full
from agent.web.health import health_json
from agent.web.metrics import render
from tests.fakes import counter
from tests.fakes.invoices import lead
from tests.fakes.world import CASHIER, MANAGER, World, settings, world

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "api" / "health.schema.json").read_text())


async def told(place: World) -> list[str]:
    """The starts and ends in the log: +code, -code."""
    signs = {"alert_started": "+", "alert_ended": "-"}
    events = await place.all_events()
    return [f"{signs[event.kind]}{event.data['code']}" for event in events if event.kind in signs]


async def look(place: World, times: int = 3) -> list[str]:
    """Refresh a few times and return the codes in /health, which the metrics must agree with."""
    for _ in range(times):
        await place.problems.refresh()
    body = health_json(place.health.report())
    jsonschema.validate(json.loads(json.dumps(body)), SCHEMA)
    problems = body["problems"]
    assert isinstance(problems, list)
    codes = [str(item["code"]) for item in problems if isinstance(item, Mapping)]
    page = render(place.health.report(), place.counters)
    for code in codes:
        assert f'ksef_agent_problems{{code="{code}",' in page
    return codes


async def test_in_the_journal_a_critical_alert_is_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """So that "journalctl -p err" shows it, and does not show the others."""
    critical = ActiveAlert(AlertCode.DISK, "dysk jest pełny", Severity.CRITICAL)
    warning = ActiveAlert(AlertCode.BACKUP_OLD, "kopia jest stara", Severity.WARNING)
    async with world(tmp_path) as place:
        with caplog.at_level("INFO", "agent.alerts"):
            alerting = Alerting(place.store, place.clock, Signal())
            await alerting.update(frozenset({critical, warning}))
            await alerting.update(frozenset())
    levels = [(record.levelname, record.getMessage().split(":")[0]) for record in caplog.records]
    assert sorted(levels) == [
        ("ERROR", "alert disk started"),
        ("INFO", "alert backup-old ended"),
        ("INFO", "alert disk ended"),
        ("WARNING", "alert backup-old started"),
    ]


# --- each kind, from its cause to its end -----------------------------------------------------------


async def test_a_damaged_list_of_tokens(tmp_path: Path) -> None:
    """Nobody is let in: no press is taken, though the till is well else."""
    async with world(tmp_path) as place:
        tokens = Tokens.in_directory(tmp_path)
        place.judge.tokens_problem = tokens.problem
        assert await look(place) == [], "there is none yet"
        tokens.add("kasa 1", Role.CASHIER)
        assert await look(place) == []
        list_of_tokens = tmp_path / FILE_NAME
        good = list_of_tokens.read_bytes()
        list_of_tokens.write_text("[{")
        assert await look(place) == ["tokens-unreadable"]
        (problem,) = place.health.report().problems
        assert problem.severity == "critical"
        assert str(list_of_tokens) in problem.message
        assert not place.health.report().ready
        list_of_tokens.write_bytes(good)
        assert await look(place) == []
        assert place.health.report().ready
        assert await told(place) == ["+tokens-unreadable", "-tokens-unreadable"]


async def test_latarnia_silent_for_long(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.error = KsefError("cisza", outcome=CallOutcome.NOT_SENT, body="<html>")
        await place.announcements.poll()
        await place.clock.advance(29 * 60)
        await place.announcements.poll()
        assert await look(place) == []
        await place.clock.advance(60)
        assert await look(place) == ["latarnia-unreachable"]
        place.latarnia.error = None
        await place.announcements.poll()
        assert await look(place) == []
        assert await told(place) == ["+latarnia-unreachable", "-latarnia-unreachable"]
        seen = [event.data for event in await place.all_events() if event.kind == "latarnia"]
        assert [each["state"] for each in seen] == ["unreachable", "answers"]
        assert seen[0]["body"] == "<html>"


async def test_unknown_words_alarm_while_latarnia_says_them(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "METEOR"}
        await place.announcements.poll()
        assert await look(place) == ["latarnia-unknown"]
        assert place.mode.current().mode is Mode.ONLINE
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.announcements.poll()
        assert await look(place) == []
        assert await told(place) == ["+latarnia-unknown", "-latarnia-unknown"]
        assert len(place.timeline.current.unknown()) == 1  # the fact stays


async def test_status_without_a_message(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "FAILURE"}
        await place.announcements.poll()
        assert await look(place) == ["status-unannounced"]
        assert place.mode.current().mode is Mode.OFFLINE24
        await place.clock.advance(60)
        place.latarnia.status = {"status": "AVAILABLE"}
        await place.announcements.poll()
        assert await look(place) == []
        assert await told(place) == ["+status-unannounced", "-status-unannounced"]


async def test_clock(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.skew = 61.0
        await place.connection.probe()
        assert await look(place) == ["clock-skew"]
        place.gateway.skew = 0.5
        await place.connection.probe()
        assert await look(place) == []
        assert await told(place) == ["+clock-skew", "-clock-skew"]


async def test_a_correction_that_can_never_be_issued_until_a_manager_closes_its_case(tmp_path: Path) -> None:
    """Told once at the start and once at the end, over a restart too; only a manager ends it, with a reason."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await place.sell()
        held = (await counter.correct(place, base.id, b'{"kind": "full_return"}', "kor", CASHIER)).held
        assert held is not None
        with pytest.raises(Conflict):
            await place.pending.close_case(held.id, "za wcześnie", MANAGER)
        place.gateway.up = True
        rejection = Rejected(450, "Błąd weryfikacji semantyki")
        place.gateway.verdict_plan.extend([rejection, rejection])
        await place.catch_up(hours=0.01)
        await place.rejected.correct_technically(base.id, MANAGER)
        await place.catch_up(hours=0.01)
        await place.rejected.close(base.id, "sprzedaż wystawiona ponownie", MANAGER)
        assert await look(place) == ["correction-refused"]
        (problem,) = place.health.report().problems
        assert base.number in problem.message
    async with world(tmp_path, clock=place.clock) as place:
        assert await look(place) == ["correction-refused"]
        assert (await place.pending.close_case(held.id, "zwrot oddano", MANAGER)).to_close is False
        await place.pending.close_case(held.id, "drugi raz", MANAGER)
        assert await look(place) == []
        assert [code for code in await told(place) if code.endswith("correction-refused")] == [
            "+correction-refused",
            "-correction-refused",
        ]
        (settled,) = [event.data for event in await place.all_events() if event.kind == "correction_settled"]
        assert settled == {"by": MANAGER.name, "reason": "zwrot oddano", "held": held.id}


async def test_printer_that_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.printer.problem = "Otwarta pokrywa."
        await place.printers.ask()
        assert await look(place) == ["printer"]
        place.printer.problem = None
        await place.printers.ask()
        assert await look(place) == []
        assert await told(place) == ["+printer", "-printer"]


async def test_printer_that_calls_itself_well_while_its_jobs_fail(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.printers.ask()
        place.printer.plan.append(Outcome.UNKNOWN)
        record = await place.sell()
        assert await look(place) == ["printer"]
        (printer,) = place.health.report().printers
        assert printer.problem == "Drukarka zamilkła w trakcie wydruku."
        await place.reprinting.reprint(record.id, MANAGER)
        assert await look(place) == []
        assert await told(place) == ["+printer", "-printer"]


async def test_trouble_a_printer_told_of_ends_with_its_own_word(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.printer.plan.append(Outcome.UNKNOWN)
        place.printer.problem = "Skończył się papier."
        await place.printers.ask()
        await place.sell()
        await place.printers.ask()
        assert await look(place) == ["printer"]
        place.printer.problem = None
        await place.printers.ask()
        assert await look(place) == []
        assert await told(place) == ["+printer", "-printer"]


async def test_two_looks_at_once_tell_once(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.skew = 61.0
        await place.connection.probe()
        await asyncio.gather(place.problems.refresh(), place.problems.refresh())
        assert await told(place) == ["+clock-skew"]


async def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        monkeypatch.setattr(Disk, "free", lambda _: 10 * 1024 * 1024)
        assert await look(place) == ["disk"]
        assert " 10 MB" in place.health.report().problems[0].message
        monkeypatch.undo()
        assert await look(place) == []
        assert await told(place) == ["+disk", "-disk"]


async def test_an_alert_that_a_full_disk_lets_nobody_record_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_work: object) -> None:
        raise disk_full()

    caplog.set_level("INFO", "agent.alerts")
    async with world(tmp_path) as place:
        with monkeypatch.context() as patched:
            patched.setattr(place.store, "write", refuse)
            patched.setattr(Disk, "free", lambda _: 0)
            assert await look(place) == ["disk"]
            began = place.health.report().problems[0].since
            await place.clock.advance(300)
            assert await look(place) == ["disk"]
            assert place.health.report().problems[0].since == began
        assert await told(place) == []
        with monkeypatch.context() as patched:
            patched.setattr(Disk, "free", lambda _: 0)
            assert await look(place) == ["disk"]
            assert place.health.report().problems[0].since == began, "as it was told"
        assert await look(place) == []
        assert await told(place) == ["+disk", "-disk"]
    assert [record.getMessage()[:18] for record in caplog.records if "alert disk" in record.getMessage()] == [
        "alert disk started",
        "alert disk ended: ",
    ]


async def test_room_for_bytes_and_none_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may have no place for another file (ext4: inodes) though gigabytes are free."""
    async with world(tmp_path) as place:
        with monkeypatch.context() as patched:
            patched.setattr(Disk, "files", lambda _: 0)
            assert await look(place) == ["disk"]
            assert not place.health.report().ready
            patched.setattr(Disk, "files", lambda _: None)
            assert await look(place) == [], "btrfs counts none"
            assert place.health.report().ready
        assert await told(place) == ["+disk", "-disk"]


async def test_what_the_store_was_refused_is_an_alert_whatever_the_disk_says_of_itself(tmp_path: Path) -> None:
    """A quota of the service's user, say; the alert's own record is the try that ends it."""
    async with world(tmp_path) as place:
        await place.store.write(lambda tx: tx.facts.all())
        place.store.full = True
        assert not place.health.report().ready
        assert await look(place, 1) == ["disk"], "recorded, so there was room"
        assert await look(place) == []
        assert place.health.report().ready
        assert await told(place) == ["+disk", "-disk"]


async def test_database_found_damaged_stays_so_until_it_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(_stand_back: object) -> str:
        return "Baza danych jest uszkodzona."

    async with world(tmp_path) as place:
        with monkeypatch.context() as patched:
            patched.setattr(place.store, "check", damaged)
            await place.store_checks.check()
        assert await look(place) == ["database"]
        clock = place.clock
    async with world(tmp_path, clock=clock) as place:
        assert await look(place) == ["database"]
        await place.store_checks.check()
        assert await look(place) == []
        assert await told(place) == ["+database", "-database"]


async def test_rejected_until_a_person_closes_it(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury"))
        record = await place.sell()
        assert await look(place) == ["rejected"]
        await place.rejected.close(record.id, "sprzedaż udokumentowano inaczej", MANAGER)
        assert await look(place) == []
        assert await told(place) == ["+rejected", "-rejected"]


async def test_number_taken_by_another_document(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        number = "FV-1/2026/11/000001"
        place.gateway.ledger["5265877635", "VAT", number] = ("5265877635-20261124-000000000000-00", b"other")
        await place.sell()
        await place.catch_up()
        assert await look(place) == ["series-collision"]


async def test_certificate(tmp_path: Path) -> None:
    given = settings(tmp_path)
    given = replace(given, alerts=replace(given.alerts, backup_hours=0))
    async with world(tmp_path, given=given, start=datetime(2027, 12, 1, 9, 0, tzinfo=UTC)) as place:
        assert await look(place) == []
        await place.clock.advance(2 * 24 * 3600)
        assert await look(place) == ["certificate-expires"]
        await place.clock.advance(31 * 24 * 3600)
        assert await look(place) == ["certificate-expired"]
        assert await told(place) == ["+certificate-expires", "+certificate-expired", "-certificate-expires"]


async def test_a_till_without_copies_and_with_an_old_one(tmp_path: Path) -> None:
    """Counted from the first thing worth a copy, then from the newest copy."""
    async with world(tmp_path) as place:
        await place.clock.advance(100 * 3600)
        assert await look(place) == []  # an empty log needs no copy
        await place.sell()
        await place.catch_up()
        await place.clock.advance(47 * 3600)
        assert await look(place) == []
        await place.clock.advance(2 * 3600)
        assert await look(place) == ["backup-old"]
        copies.note_copy(place.store.path, place.clock.now(), tmp_path / "copy.db")
        assert await look(place) == []
        body = health_json(place.health.report())["backup"]
        assert isinstance(body, Mapping)
        assert body["file"] == str(tmp_path / "copy.db")
        assert "ksef_agent_backup_last_timestamp_seconds" in render(place.health.report(), place.counters)
        await place.clock.advance(48 * 3600)
        assert await look(place) == ["backup-old"]
        assert await told(place) == ["+backup-old", "-backup-old", "+backup-old"]


async def test_a_copy_of_a_clock_that_ran_ahead_is_none(tmp_path: Path) -> None:
    """Else the alarm would sleep for ninety days."""
    async with world(tmp_path) as place:
        await place.sell()
        await place.catch_up()
        copies.note_copy(place.store.path, place.clock.now() + timedelta(days=90), tmp_path / "copy.db")
        await place.clock.advance(3 * 3600)
        assert await look(place) == ["backup-old"]


async def test_a_copy_that_failed(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        copies.note_copy(place.store.path, place.clock.now(), tmp_path / "copy.db")
        copies.note_failure(place.store.path, place.clock.now(), "Brak miejsca na dysku.")
        assert await look(place) == ["backup-failed"]
        (problem,) = place.health.report().problems
        assert "Brak miejsca na dysku." in problem.message
        assert "ksef_agent_backup_failed 1" in render(place.health.report(), place.counters)
        assert place.health.report().copies.last_file == str(tmp_path / "copy.db")
        copies.note_copy(place.store.path, place.clock.now(), tmp_path / "copy.db")
        assert await look(place) == []
        assert await told(place) == ["+backup-failed", "-backup-failed"]


async def test_after_a_weekend_the_missed_copy_has_its_time(tmp_path: Path) -> None:
    """A till that was off since Friday makes the copy of the timer within its first hours: no alarm every Monday."""
    async with world(tmp_path) as place:
        await place.sell()
        await place.catch_up()
        copies.note_copy(place.store.path, place.clock.now(), tmp_path / "copy.db")
        monday = place.clock.now() + timedelta(days=3)
    async with world(tmp_path, start=monday) as place:
        assert await look(place) == []
        await place.clock.advance(2 * 3600)
        assert await look(place) == ["backup-old"]


async def test_what_is_known_of_copies_may_be_damaged(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        for content in (b"", b"{", b"[]", b'{"last_at": 5}', b'{"last_at": "x", "last_file": null}', b"\xff"):
            (tmp_path / copies.NAME).write_bytes(content)
            assert await look(place) == []


async def test_no_certificate(tmp_path: Path) -> None:
    async with world(tmp_path, with_certificate=False) as place:
        assert await look(place) == ["certificate-missing"]


async def test_deadline_near_then_overdue_then_sent(tmp_path: Path) -> None:
    """Issued on Tuesday with the line down; Wednesday is the last day, the shop closes at 21."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        record = await place.sell()
        assert await look(place) == []
        await place.clock.advance((31 * 60 + 1) * 60)  # Wednesday 17:01
        assert await look(place) == ["deadline-near"]
        await place.clock.advance(7 * 60 * 60)  # Thursday 00:01
        assert await look(place) == ["overdue"]
        place.gateway.up = True
        await place.catch_up()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        assert await look(place) == []
        assert await told(place) == ["+deadline-near", "+overdue", "-deadline-near", "-overdue"]


async def test_total_failure_to_confirm(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "TOTAL_FAILURE"}
        place.latarnia.messages = [total_failure(place)]
        await place.announcements.poll()
        assert await look(place) == ["total-failure-unconfirmed"]
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        assert await look(place) == []
        assert await told(place) == ["+total-failure-unconfirmed", "-total-failure-unconfirmed"]


def total_failure(place: World, **changes: Any) -> dict[str, Any]:
    begin = place.clock.now().isoformat()
    message = {
        "id": "m1",
        "eventId": 7,
        "category": "TOTAL_FAILURE",
        "type": "FAILURE_START",
        "title": "Awaria całkowita",
        "text": "",
        "start": begin,
        "end": None,
        "version": 1,
        "published": begin,
    }
    return {**message, **changes}


# --- over a restart ---------------------------------------------------------------------------------


async def test_a_restart_neither_ends_nor_repeats_what_no_source_has_spoken_of_yet(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "METEOR"}
        await place.announcements.poll()
        place.latarnia.error = KsefError("cisza", outcome=CallOutcome.NOT_SENT)
        await place.announcements.poll()
        place.gateway.skew = 90.0
        await place.connection.probe()
        place.printer.problem = "Otwarta pokrywa."
        await place.printers.ask()
        await place.clock.advance(31 * 60)
        known = ["clock-skew", "latarnia-unknown", "latarnia-unreachable", "printer"]
        assert sorted(await look(place)) == known
        before, clock = await told(place), place.clock
    async with world(tmp_path, clock=clock) as place:
        place.latarnia.error = KsefError("cisza", outcome=CallOutcome.NOT_SENT)
        assert sorted(await look(place)) == known
        await place.announcements.poll()  # still silent
        place.printer.problem = "Otwarta pokrywa."
        await place.printers.ask()
        assert sorted(await look(place)) == known
        assert await told(place) == before
        place.latarnia.error = None
        await place.announcements.poll()
        await place.connection.probe()
        place.printer.problem = None
        await place.printers.ask()
        assert await look(place) == []
        assert sorted((await told(place))[len(before) :]) == [f"-{code}" for code in known]


async def test_a_doubt_does_not_grow_young_by_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.lost_answers = 1
        await place.sell()
        place.gateway.up = False
        assert await look(place) == []
        await place.clock.advance(31 * 60)
        assert await look(place) == ["in-doubt"]
        clock, gateway = place.clock, place.gateway
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        assert await look(place) == ["in-doubt"]
        gateway.up = True
        await place.catch_up()
        assert await look(place) == []
        assert await told(place) == ["+in-doubt", "-in-doubt"]


# --- the webhook ------------------------------------------------------------------------------------


@dataclass
class Receiver:
    """WebhookSender port: answers what is planned, 200 after that."""

    plan: list[int | str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        self.bodies.append(body.decode())
        return self.plan.pop(0) if self.plan else 200


async def test_the_webhook_hears_start_and_end_though_it_was_down(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        receiver = Receiver(["brak odpowiedzi", 503])
        outbox = place.outbox(receiver, Subscriber("alerts", "https://hq.example/", b"secret", ALERT_TYPES))
        place.printer.problem = "Otwarta pokrywa."
        await place.printers.ask()
        await look(place)
        assert not await outbox.deliver_all()
        assert not await outbox.deliver_all()
        place.printer.problem = None
        await place.printers.ask()
        await look(place)
        assert await outbox.deliver_all()
        assert ['"alert.started"' in body for body in receiver.bodies] == [True, True, True, False]
        assert '"alert.ended"' in receiver.bodies[-1]
        assert await outbox.deliver_all()
        assert len(receiver.bodies) == 4


# --- what a manager says of a total failure ---------------------------------------------------------


async def test_manager_rejects_a_false_alarm(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "TOTAL_FAILURE"}
        place.latarnia.messages = [total_failure(place)]
        await place.announcements.poll()
        record = await place.sell()
        assert record.mode is Mode.OFFLINE24
        answer = await place.declarations.withdraw("BIP nic nie podaje", MANAGER, false_alarm=True)
        assert not answer.total_failure_to_confirm
        assert (await place.record(record.id)).deadline == record.deadline
        assert await look(place) == ["status-unannounced"]


async def test_a_confirmed_total_failure_that_was_none_brings_every_deadline_back(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        waiting = await place.sell()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        assert place.mode.current().declared == "total_failure"
        assert place.mode.current().declared_by == MANAGER.name
        await look(place)
        issued = await place.sell()
        assert [(await place.record(each.id)).deadline_state for each in (waiting, issued)] == ["lifted", "lifted"]
        await place.declarations.withdraw("pomyłka", MANAGER, false_alarm=True)
        assert [(await place.record(each.id)).deadline for each in (waiting, issued)] == [waiting.deadline] * 2
        assert [(await place.log(each.id)).count("deadline") for each in (waiting, issued)] == [2, 1]
        place.gateway.up = True
        await place.catch_up()
        assert {(await place.record(each.id)).state for each in (waiting, issued)} == {InvoiceState.ACCEPTED}


async def test_a_total_failure_whose_end_was_foreseen_is_over_without_a_word(tmp_path: Path) -> None:
    """What was issued in it is never sent, though no fact tells of the end (art. 106ng)."""
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "TOTAL_FAILURE"}
        end = (place.clock.now() + timedelta(hours=2)).isoformat()
        place.latarnia.messages = [total_failure(place, end=end)]
        await place.announcements.poll()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)
        record = await place.sell()
        assert record.mode is Mode.TOTAL_FAILURE
        await place.clock.advance(3 * 60 * 60)
        await place.queue.pass_once()
        assert place.gateway.sent == []
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT


async def test_opening_hours_come_from_the_settings(tmp_path: Path) -> None:
    given: Settings = settings(tmp_path)
    given = replace(given, alerts=replace(given.alerts, deadline_hours=13.0))
    async with world(tmp_path, given=given) as place:
        place.gateway.up = False
        await place.sell()
        await place.clock.advance(22 * 60 * 60)  # Wednesday 8:00, thirteen opening hours before the end
        assert await look(place) == ["deadline-near"]


async def test_of_a_long_outage_the_most_urgent_are_named_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsent, "NAMED", 2)
    async with world(tmp_path) as place:
        place.gateway.up = False
        for _ in range(5):
            await place.sell()
        await place.clock.advance(4 * 24 * 3600)
        await look(place)
        problems = [each for each in place.health.report().problems if each.code == "overdue"]
        assert len(problems) == 3
        assert any(each.message.endswith(": 3.") for each in problems)
        assert place.health.report().queue.unsent == place.health.report().queue.overdue == 5
        place.gateway.up = True
        await place.connection.probe()
        await place.catch_up()
        assert "overdue" not in await look(place)
        signs = await told(place)
        assert signs.count("+overdue") == signs.count("-overdue")


@pytest.mark.parametrize(("state", "code"), [(InvoiceState.REJECTED, "rejected"), (InvoiceState.IN_DOUBT, "in-doubt")])
async def test_of_many_with_one_fate_those_beside_the_named_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: InvoiceState, code: str
) -> None:
    monkeypatch.setattr(unsent, "NAMED", 2)
    async with world(tmp_path) as place:
        await place.lose_the_line()
        for record in [await place.sell() for _ in range(5)]:
            await place.store.write(partial(lead, invoice_id=record.id, to=state))
        await look(place)
        await place.clock.advance(6 * 3600)
        await look(place)
        said = [each.message for each in place.health.report().problems if each.code == code]
        assert len(said) == 3
        assert [each.rsplit(": ", 1)[1] for each in said if each.startswith("Dalsze faktury")] == ["3."]
