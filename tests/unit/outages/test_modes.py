"""The mode of a press in every situation, and what becomes of an online attempt without a number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.calendar import WARSAW, BusinessCalendar
from agent.domain.invoice import LEGAL_BASIS, Mode
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.deadlines import DeadlineState, deadline
from agent.domain.outages.latarnia import Category, Status
from agent.domain.outages.modes import (
    ModeDecision,
    ModeFacts,
    after_budget,
    as_confirmed,
    decide,
    handed_over_in_any_case,
)
from agent.domain.outages.timeline import Declaration, DeclarationKind, Declared, Outage, Situation, Timeline
from tests.sim import oracle
from tests.sim.announcing import facts, message

NOW = datetime(2026, 12, 9, 11, 0, tzinfo=UTC)
QUIET = Situation(NOW, status=Status.AVAILABLE)


def event(category: Category, *, end: datetime | None = None, confirmed: bool | None = None) -> Outage:
    begin = NOW - timedelta(hours=3)
    return Outage("5", category, begin, begin, begin, end=end, confirmed=confirmed, messages=("K/2026/AWR/01",))


FAILURE = replace(QUIET, status=Status.FAILURE, failure=event(Category.FAILURE))
WORKS = replace(QUIET, maintenance=event(Category.MAINTENANCE, end=NOW + timedelta(hours=1)))
TOTAL = replace(QUIET, status=Status.TOTAL_FAILURE, total_failure=event(Category.TOTAL_FAILURE))
CONFIRMED = replace(TOTAL, total_failure=event(Category.TOTAL_FAILURE, confirmed=True))
DECLARED = replace(
    QUIET,
    offline24=Declaration(DeclarationKind.OFFLINE24_DECLARED, "Burza zerwała łącze", "Anna", NOW - timedelta(hours=1)),
)


def mode(situation: Situation = QUIET, **changes: object) -> ModeDecision:
    return decide(replace(ModeFacts(situation), **changes))  # type: ignore[arg-type]


def test_online_when_all_is_well() -> None:
    decision = mode()
    assert (decision.mode, decision.attempt_online, decision.legal_basis) == (Mode.ONLINE, True, "art. 106gb")


def test_never_seen_latarnia_is_no_outage() -> None:
    assert mode(Situation(NOW)).mode is Mode.ONLINE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prefer_offline24": True}, "ustawieniem"),
        ({"link": LinkState.OPEN}, "łączności"),
        ({"link": LinkState.HALF_OPEN}, "łączności"),
        ({"sends_left": 0}, "godzinowy limit"),
        ({"rate_limited": True}, "na razie"),
        ({"kept_for_presses": True}, "zostawiono kasie"),
        ({"clock_suspect": True}, "Zegar"),
        ({"situation": DECLARED}, "Anna): Burza zerwała łącze"),
        ({"situation": TOTAL}, "nie potwierdził"),
        ({"situation": replace(QUIET, status=Status.FAILURE, unannounced=Status.FAILURE)}, "żaden obowiązujący"),
        ({"situation": replace(QUIET, unannounced=Status.TOTAL_FAILURE)}, "żaden obowiązujący"),
        ({"situation": replace(QUIET, unannounced=Status.MAINTENANCE)}, "żaden obowiązujący"),
    ],
)
def test_offline24_and_why(changes: dict[str, object], words: str) -> None:
    decision = mode(**changes)  # type: ignore[arg-type]
    assert (decision.mode, decision.attempt_online, decision.legal_basis) == (Mode.OFFLINE24, False, "art. 106nda")
    assert words in decision.reason


def test_announced_failure() -> None:
    decision = mode(FAILURE)
    assert (decision.mode, decision.attempt_online, decision.legal_basis) == (Mode.FAILURE, False, "art. 106nf")
    assert decision.reason == "Ogłoszono awarię KSeF od 09.12.2026 09:00 (komunikat K/2026/AWR/01)."


def test_announced_maintenance() -> None:
    decision = mode(WORKS)
    assert (decision.mode, decision.attempt_online) == (Mode.UNAVAILABILITY, False)
    assert "od 09.12.2026 09:00 do 09.12.2026 13:00" in decision.reason


def test_total_failure_only_after_a_manager_confirmed_it() -> None:
    assert mode(TOTAL).mode is Mode.OFFLINE24
    assert mode(CONFIRMED).mode is Mode.TOTAL_FAILURE
    assert mode(replace(TOTAL, failure=event(Category.FAILURE))).mode is Mode.FAILURE


@pytest.mark.parametrize("link", list(LinkState))
def test_a_silent_ksef_is_never_awaria(link: LinkState) -> None:
    assert mode(replace(QUIET, status=None), link=link).mode in (Mode.ONLINE, Mode.OFFLINE24)


def test_a_doubtful_failure_is_tried_online() -> None:
    doubtful = replace(FAILURE, status=Status.AVAILABLE, doubtful=True)
    assert mode(doubtful).attempt_online
    assert mode(doubtful, link=LinkState.OPEN).mode is Mode.OFFLINE24


@pytest.mark.parametrize("situation", [FAILURE, WORKS, TOTAL, QUIET])
def test_a_suspect_clock_never_gives_a_later_deadline(situation: Situation) -> None:
    assert mode(situation, clock_suspect=True).mode is Mode.OFFLINE24


@pytest.mark.parametrize("situation", [FAILURE, WORKS, TOTAL, QUIET])
def test_the_managers_word_stands_before_announcements(situation: Situation) -> None:
    assert mode(replace(situation, offline24=DECLARED.offline24)).mode is Mode.OFFLINE24
    assert mode(replace(CONFIRMED, offline24=DECLARED.offline24)).mode is Mode.TOTAL_FAILURE


def test_offline24_by_choice_needs_the_certificate() -> None:
    assert mode(prefer_offline24=True, has_offline_certificate=False).mode is Mode.ONLINE
    down = mode(link=LinkState.OPEN, has_offline_certificate=False)
    assert down.mode is Mode.OFFLINE24
    assert "CERTYFIKAT" in down.reason


@given(
    st.sampled_from([QUIET, FAILURE, WORKS, TOTAL, CONFIRMED, DECLARED]),
    st.sampled_from(list(LinkState)),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
)
def test_every_decision_is_whole(
    situation: Situation, link: LinkState, prefer: bool, left: int, suspect: bool, certificate: bool
) -> None:
    decision = decide(ModeFacts(situation, link, prefer, left, suspect, certificate))
    assert decision.legal_basis == LEGAL_BASIS[decision.mode]
    assert decision.reason.endswith((".", "łącze"))
    assert decision.attempt_online == (decision.mode is Mode.ONLINE)


# --- after the budget -------------------------------------------------------------------------------

ONLINE = decide(ModeFacts(QUIET))
TODAY = date(2026, 12, 9)


def test_what_surely_did_not_leave_is_offline24() -> None:
    decision = after_budget(ONLINE, may_have_left=False, issued_on=TODAY, now=NOW)
    assert (decision.mode, decision.attempt_online) == (Mode.OFFLINE24, False)


def test_what_may_have_left_as_online_stays_online() -> None:
    assert after_budget(ONLINE, may_have_left=True, issued_on=TODAY, now=NOW) == ONLINE


@pytest.mark.parametrize(("clock", "crossed"), [("23:59:58", False), ("00:00:00", True), ("00:00:02", True)])
@pytest.mark.parametrize("left", [True, False])
def test_midnight_in_warsaw(clock: str, *, left: bool, crossed: bool) -> None:
    """Sent before midnight it is online whenever the number comes (POD2 1.4)."""
    day = "2026-12-10" if crossed else "2026-12-09"
    now = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=WARSAW).astimezone(UTC)
    decision = after_budget(ONLINE, may_have_left=left, issued_on=TODAY, now=now)
    assert (decision.mode is Mode.ONLINE) is left
    assert ("północ" in decision.reason) is (crossed and not left)


def test_another_mode_stays() -> None:
    decided = mode(FAILURE)
    assert after_budget(decided, may_have_left=False, issued_on=TODAY, now=NOW) == decided


# --- what is handed over with or without its number ---------------------------------------------------


def test_what_may_come_out_as_an_offline_paper_is_offline_from_the_start_and_tried_at_once() -> None:
    decision = handed_over_in_any_case(ONLINE)
    assert (decision.mode, decision.attempt_online) == (Mode.OFFLINE24, True)
    assert decision.reason.startswith("KSeF jest dostępny. Nabywca dostaje fakturę poza KSeF")


@pytest.mark.parametrize("situation", [FAILURE, WORKS, CONFIRMED, DECLARED])
def test_a_mode_that_is_offline_already_stays(situation: Situation) -> None:
    assert handed_over_in_any_case(mode(situation)) == mode(situation)


@pytest.mark.parametrize("before", Mode)
@pytest.mark.parametrize("offline", [True, False])
def test_the_mode_follows_what_ksef_tells(before: Mode, *, offline: bool) -> None:
    confirmed = as_confirmed(before, offline=offline)
    sent_offline = before in {Mode.OFFLINE24, Mode.UNAVAILABILITY, Mode.FAILURE}
    if offline and before is Mode.ONLINE:
        assert confirmed is not None
        assert confirmed.mode is Mode.OFFLINE24
    elif sent_offline and not offline:
        assert confirmed is not None
        assert confirmed.mode is Mode.ONLINE
    else:
        assert confirmed is None


# --- modes and deadlines agree ----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "expected"), [("failure", Mode.FAILURE), ("maintenance", Mode.UNAVAILABILITY)])
@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_a_mode_that_was_decided_is_covered_by_its_event(kind: str, expected: Mode, seconds: int) -> None:
    begin = NOW - timedelta(seconds=seconds)
    outage = oracle.Outage(kind, begin, begin, NOW + timedelta(hours=1) if kind == "maintenance" else None)
    word = "FAILURE_START" if kind == "failure" else "MAINTENANCE_ANNOUNCEMENT"
    timeline = Timeline.of(facts([message(outage, 1, kind=word, published=begin)], NOW))
    assert decide(ModeFacts(timeline.at(NOW))).mode is expected
    limit = deadline(expected, NOW, timeline, BusinessCalendar())
    assert limit.events == ("1",)


def test_a_declared_total_failure_is_never_sent() -> None:
    word = Declaration(DeclarationKind.TOTAL_FAILURE_CONFIRMED, "Radio", "Anna", NOW)
    timeline = Timeline.of([Declared(word)])
    assert decide(ModeFacts(timeline.at(NOW))).mode is Mode.TOTAL_FAILURE
    limit = deadline(Mode.TOTAL_FAILURE, NOW, timeline, BusinessCalendar())
    assert limit.state is DeadlineState.LIFTED
