"""The hub's rules: who goes next, which way, who has the name, which part of a page is whose."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from agent.hub.domain.backlog_plan import BATCH_SECONDS, Way, left_for_backlog, way_for
from agent.hub.domain.presence import ALIVE, Presence, is_second, presence_after
from agent.hub.domain.press_order import press_order
from agent.hub.domain.records import HubInvoice
from agent.hub.domain.states import HubState
from agent.hub.domain.upo_parts import UPO, UpoPageParts
from agent.hub_contract.heartbeat import Heartbeat
from agent.ports import NO_LIMIT, SendBudget
from tests.fakes.hub_stores import offer

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def waiting(till: int, number: int) -> HubInvoice:
    given = offer(f"FV-{till}/{number}")
    names = ("sha256", "nip", "kind", "number", "issued_on", "gross", "currency", "buyer_identifier", "buyer_name")
    more = ("offline", "group", "version", "corrects", "deadline", "urgent_until")
    blank: dict[str, Any] = dict.fromkeys(
        ("not_before", "session_ref", "invoice_ref", "sent_at", "ksef_number", "accepted_at", "refusal", "trouble")
    )
    return HubInvoice(
        **{name: getattr(given, name) for name in (*names, *more)},
        **blank,
        till_id=till,
        received_at=NOW + timedelta(seconds=number),
        state=HubState.WAITING,
        attempts=0,
        proven=False,
    )


# --- presses ----------------------------------------------------------------------------------------------------------


def test_a_till_that_sent_little_goes_before_one_that_sent_much() -> None:
    order = press_order([waiting(1, 0), waiting(1, 1), waiting(2, 5)], {1: 40, 2: 3})
    assert [each.number for each in order] == ["FV-2/5", "FV-1/0", "FV-1/1"]


def test_equals_take_turns_the_one_that_waits_longest_first() -> None:
    order = press_order([waiting(1, 0), waiting(1, 1), waiting(2, 2), waiting(2, 3)], {})
    assert [each.number for each in order] == ["FV-1/0", "FV-2/2", "FV-1/1", "FV-2/3"]


# --- backlog ----------------------------------------------------------------------------------------------------------

FULL = SendBudget(180, 0.0, 30, 30, 180)


@pytest.mark.parametrize(
    ("count", "budget", "since", "way"),
    [
        (3, FULL, None, Way.SINGLY),
        (3, replace(FULL, sends_left_hour=91), 0.0, Way.WAIT),
        (3, replace(FULL, sends_left_hour=91), BATCH_SECONDS, Way.BATCH),
        (3, replace(FULL, sends_left_hour=93), 0.0, Way.SINGLY),
        (3, replace(FULL, sends_left_minute=16), 0.0, Way.WAIT),
        (3, replace(FULL, wait=5.0), None, Way.BATCH),
        (10, FULL, None, Way.BATCH),
        (10, FULL, BATCH_SECONDS - 1, Way.WAIT),
        (10, FULL, BATCH_SECONDS, Way.BATCH),
        (0, replace(FULL, sends_left_hour=0), None, Way.WAIT),
    ],
)
def test_few_go_singly_many_together_and_half_is_left_to_presses(
    count: int, budget: SendBudget, since: float | None, way: Way
) -> None:
    assert way_for(count, budget, batch_from=10, full=False, since_batch=since, rest=BATCH_SECONDS) is way


def test_a_full_batch_goes_at_once_however_few_fill_it() -> None:
    assert way_for(3, FULL, batch_from=10, full=True, since_batch=0.0, rest=BATCH_SECONDS) is Way.BATCH
    assert way_for(0, FULL, batch_from=10, full=False, since_batch=None, rest=BATCH_SECONDS) is Way.WAIT


def test_without_limits_nothing_is_kept_back() -> None:
    assert left_for_backlog(SendBudget(NO_LIMIT, 0.0)) == NO_LIMIT
    assert left_for_backlog(SendBudget(NO_LIMIT, 1.0)) == 0


# --- presence ---------------------------------------------------------------------------------------------------------


def beat(database: str = "d", process: str = "p", machine: str = "m") -> Heartbeat:
    return Heartbeat(database, process, machine, NOW, "1", (), 0, None)


KNOWN = Presence("d", "p", "m", None, NOW)


def test_the_first_to_come_has_the_name() -> None:
    assert presence_after(None, beat(), NOW) == KNOWN


def test_the_same_run_goes_on() -> None:
    later = NOW + timedelta(seconds=20)
    assert presence_after(KNOWN, beat(), later) == replace(KNOWN, seen_at=later)


def test_a_start_supersedes_the_run_before() -> None:
    after = presence_after(KNOWN, beat(process="q"), NOW + timedelta(seconds=5))
    assert after is not None
    assert (after.process, after.superseded) == ("q", "p")
    assert presence_after(after, beat(process="p"), NOW + timedelta(seconds=6)) is None, "two runs that take turns"


def test_another_database_is_another_till_however_long_the_first_was_silent() -> None:
    assert presence_after(KNOWN, beat(database="e", process="q"), NOW + timedelta(days=400)) is None
    assert presence_after(KNOWN, beat(database="e"), NOW) is None


def test_a_copied_disk_is_found_out_by_its_machine_while_the_first_is_alive() -> None:
    copy = beat(process="q", machine="n")
    assert presence_after(KNOWN, copy, NOW + ALIVE - timedelta(seconds=1)) is None
    moved = presence_after(KNOWN, copy, NOW + ALIVE)
    assert moved is not None
    assert moved.machine == "n"


@pytest.mark.parametrize("away", [ALIVE, -ALIVE], ids=["silent", "the hub's clock was set back"])
def test_a_second_run_counts_only_while_the_one_that_has_the_name_is_alive(away: timedelta) -> None:
    """An image of a till that was started once, and carries the machine's identifier, has the name for that long."""
    copy = presence_after(KNOWN, beat(process="q"), NOW)
    assert copy is not None
    for process, refused in (("p", ()), ("r", ("r",))):
        for part, second in ((0.9, True), (1, False)):
            assert is_second(copy, "d", process, refused, NOW + away * part) is second
    assert presence_after(copy, beat(), NOW + away * 0.9) is None, "two that live are told apart"
    back = presence_after(copy, beat(), NOW + away)
    assert back is not None
    assert (back.process, back.superseded) == ("p", "q")
    assert presence_after(back, beat(process="q"), NOW + away) is None
    assert is_second(copy, "e", "p", (), NOW + away), "another database is another till"
    assert presence_after(KNOWN, beat(process="q", machine="n"), NOW + away) is not None


# --- UPO --------------------------------------------------------------------------------------------------------------


def page(*hashes: bytes) -> bytes:
    documents = "".join(
        f"<Dokument><NumerKSeFDokumentu>N-{each.hex()[:4]}</NumerKSeFDokumentu>"
        f"<SkrotDokumentu>{base64.b64encode(each).decode()}</SkrotDokumentu></Dokument>"
        for each in hashes
    )
    return (
        f'<Potwierdzenie xmlns="{UPO}"><NumerReferencyjnySesji>SB-1</NumerReferencyjnySesji>{documents}'
        "<Podpis>x</Podpis></Potwierdzenie>"
    ).encode()


def test_a_part_names_only_whom_it_concerns_and_its_page() -> None:
    hashes = [hashlib.sha256(bytes([each])).digest() for each in range(4)]
    whole = page(*hashes)
    parts = UpoPageParts(whole)
    part = parts.part([hashes[2], hashes[0]])
    root = etree.fromstring(part)
    named = [each.text for each in root.iterfind(f"{{{UPO}}}Dokument/{{{UPO}}}SkrotDokumentu")]
    assert named == [base64.b64encode(each).decode() for each in (hashes[2], hashes[0])]
    assert root.findtext(f"{{{UPO}}}NumerReferencyjnySesji") == "SB-1"
    assert [etree.QName(each).localname for each in root.iterchildren("{*}*")][-1] == "Podpis"
    assert hashlib.sha256(whole).hexdigest().encode() in part
    with pytest.raises(KeyError):
        parts.part([bytes(32)])


@pytest.mark.parametrize("wrong", [b"", b"<a>", page(b"x").replace(b"eA==", b"?")])
def test_what_is_no_upo_is_no_page(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"not XML|Dokument"):
        UpoPageParts(wrong)
