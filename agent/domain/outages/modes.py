"""Which mode an invoice is issued in: pure decisions with a reason that a manager can read.

Order of the rules (docs/law.md, section 1):
    total failure, confirmed by a manager        106ng  never sent
    offline24 declared by a manager              106nda the person at the shop knows best; always lawful
    clock not to be trusted                      106nda the date might be wrong; never a later deadline
    awaria announced and not contradicted        106nf
    niedostępność announced                      106nh
    an outage that only the status, or nobody who may confirm it, speaks of   106nda
    by choice, line down, rate budget used up    106nda
    otherwise                                    106gb  online, tried within the budget;
        handed over whether or not the number is there  106nda, tried in the same way

Silence is never awaria. Sending early is always allowed; ``attempt_online`` only says whether the cashier waits.
What left as online stays online: KSeF was told, and takes no technical correction of it (21167).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from agent.domain.calendar import end_text, local_date, local_time
from agent.domain.invoice import LEGAL_BASIS, OFFLINE_MODES, Mode
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.timeline import Outage, Situation
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class ModeFacts:
    """What the decision stands on."""

    situation: Situation
    link: LinkState = LinkState.CLOSED
    prefer_offline24: bool = False
    """Setting issue.prefer."""
    sends_left: int = 1
    """What KSeF's rate limit still allows this hour."""
    ksef_away: bool = False
    """The hub of the chain says that KSeF does not answer it."""
    rate_limited: bool = False
    """The limits, or KSeF's own Retry-After, allow no send within the press's budget."""
    kept_for_presses: bool = False
    """Nobody waits for the document, and what the limits still allow is kept for those who do."""
    clock_suspect: bool = False
    """The clock may be wrong by so much that the date or an announced window cannot be trusted."""
    has_offline_certificate: bool = True


@dataclass(frozen=True, slots=True)
class ModeDecision:
    """The mode, why (a Polish sentence), its article, and whether the press waits for a KSeF number."""

    mode: Mode
    reason: str
    legal_basis: str
    attempt_online: bool = False


def decide(facts: ModeFacts) -> ModeDecision:
    """Decide the mode of a press. The instant is that of ``facts.situation``."""
    announced = _announced(facts)
    if announced is not None:
        return announced
    offline_reason = _offline_reason(facts)
    if offline_reason is not None:
        return _offline24(offline_reason, facts)
    if facts.situation.doubtful:
        return _decision(
            Mode.ONLINE,
            "Komunikat mówi o awarii KSeF, ale status KSeF to „dostępny”: próba wystawienia online.",
            attempt_online=True,
        )
    return _decision(Mode.ONLINE, "KSeF jest dostępny.", attempt_online=True)


def after_budget(attempted: ModeDecision, *, may_have_left: bool, issued_on: date, now: datetime) -> ModeDecision:
    """Return what the mode becomes when an attempt ends without a KSeF number: offline24 where nothing left.

    ``may_have_left``: KSeF has, or may have, the file; the paper is a potwierdzenie then, which names no mode.
    ``issued_on`` is P_1.
    """
    if attempted.mode is not Mode.ONLINE or may_have_left:
        return attempted
    if local_date(now) != issued_on:
        return _decision(
            Mode.OFFLINE24,
            "Minęła północ, zanim fakturę przesłano, więc pozostaje z datą wystawienia jako offline24.",
        )
    return _decision(Mode.OFFLINE24, "Nie udało się przesłać faktury do KSeF w przewidzianym czasie.")


def handed_over_in_any_case(decision: ModeDecision) -> ModeDecision:
    """Return the mode of an invoice that its buyer gets outside KSeF (art. 106gb ust. 4), with both codes if need be.

    Its paper may come out before the number, as an offline one. KSeF is told offline or online once, with the file, so
    this is decided before the first attempt; the press waits for the number as it would online.
    """
    if decision.mode is not Mode.ONLINE:
        return decision
    reason = (
        f"{decision.reason} Nabywca dostaje fakturę poza KSeF, z numerem lub bez, więc wystawiono ją jako offline24."
    )
    return _decision(Mode.OFFLINE24, reason, attempt_online=decision.attempt_online)


def as_confirmed(mode: Mode, *, offline: bool) -> ModeDecision | None:
    """Return the mode that KSeF tells of (invoicingMode, the UPO's TrybWysylki) where it is another one, else None."""
    if offline and mode is Mode.ONLINE:
        return _decision(Mode.OFFLINE24, "KSeF zapisał fakturę jako przesłaną w trybie offline.")
    if not offline and mode in OFFLINE_MODES:
        return _decision(Mode.ONLINE, "KSeF zapisał fakturę jako przesłaną w trybie online.")
    return None


def refused_before_paper() -> ModeDecision:
    """Return the mode of what KSeF refused while its buyer waited: nothing was handed over, so no offline invoice is.

    As an online one that was refused it never became an invoice; the sale is issued anew.
    """
    return _decision(Mode.ONLINE, "KSeF odrzucił fakturę, zanim cokolwiek wydano nabywcy: nie została wystawiona.")


def on_issue_date(decision: ModeDecision, situation: Situation, issued_on: date) -> ModeDecision:
    """Return the mode of a document with its own P_1: ``decision`` is that of a press now, in ``situation``.

    An outage is the mode of what was issued in it. What is dated before it, or before today, is offline24, and so is
    what is dated on the day on which a maintenance began: it may have been issued before, then due a day earlier.
    """
    if issued_on == local_date(situation.at):
        return decision
    outage = {
        Mode.FAILURE: situation.failure,
        Mode.UNAVAILABILITY: situation.maintenance,
        Mode.TOTAL_FAILURE: situation.total_failure,
    }.get(decision.mode)
    if outage is not None and _covers(outage, issued_on, from_midnight=decision.mode is Mode.UNAVAILABILITY):
        return decision
    if decision.mode is Mode.OFFLINE24:
        return decision
    return _decision(
        Mode.OFFLINE24, "Data wystawienia (P_1) jest wcześniejsza niż dzień przesłania (art. 106nda ust. 16)."
    )


def _covers(outage: Outage, day: date, *, from_midnight: bool) -> bool:
    """Tell whether an outage that lasts until now was there on ``day``; ``from_midnight``: already when it began."""
    if from_midnight:
        return local_date(outage.begin - timedelta(microseconds=1)) < day
    return local_date(outage.begin) <= day


def outside_ksef() -> ModeDecision:
    """Return the mode of what the shop does not send to KSeF at all: invoices to consumers."""
    return _decision(
        Mode.OUTSIDE_KSEF,
        "Zgodnie z ustawieniem faktur dla osób prywatnych nie wystawia się w KSeF (nie ma obowiązku).",
    )


def without_total_failure(situation: Situation) -> ModeDecision:
    """Return the mode of an invoice whose total failure turned out to be none, or not to cover it.

    ``situation`` is that of its issue. The customer has an ordinary invoice; KSeF takes the file as an offline one.
    """
    why = "Awaria całkowita KSeF, w której wystawiono fakturę, była fałszywym alarmem albo jej nie objęła"
    announced = _communique(situation)
    if announced is not None:
        return _decision(announced.mode, f"{why}. {announced.reason}")
    return _decision(Mode.OFFLINE24, f"{why}, więc fakturę trzeba przesłać do KSeF.")


def _announced(facts: ModeFacts) -> ModeDecision | None:
    """Modes that communiqués and managers decide, not the line."""
    situation = facts.situation
    total = situation.total_failure
    if total is not None and total.confirmed is True:
        return _decision(
            Mode.TOTAL_FAILURE, f"Potwierdzona awaria całkowita KSeF{_since(total)}: faktur się nie przesyła."
        )
    if situation.offline24 is not None:
        word = situation.offline24
        return _decision(Mode.OFFLINE24, f"Tryb offline24 włączony ręcznie ({word.by}): {word.reason}")
    if facts.clock_suspect:
        return _decision(Mode.OFFLINE24, "Zegar kasy jest niepewny, więc data wystawienia online byłaby niepewna.")
    return _communique(situation)


def _communique(situation: Situation) -> ModeDecision | None:
    """Return the mode that a communiqué of awaria or maintenance gives."""
    if situation.failure is not None and not situation.doubtful:
        return _decision(Mode.FAILURE, f"Ogłoszono awarię KSeF{_since(situation.failure)}{_names(situation.failure)}.")
    if situation.maintenance is not None:
        event = situation.maintenance
        return _decision(
            Mode.UNAVAILABILITY, f"Ogłoszono niedostępność KSeF{_since(event)}{_until(event)}{_names(event)}."
        )
    return None


def _offline_reason(facts: ModeFacts) -> str | None:
    """Return why an online attempt would be useless, or is not wanted: the first that holds."""
    situation = facts.situation
    unknown = f"Latarnia podaje status {situation.unannounced}, ale żaden obowiązujący komunikat go nie potwierdza."
    offline = facts.prefer_offline24 and facts.has_offline_certificate
    hindrances = (
        (
            situation.total_failure is not None,
            "Ogłoszono awarię całkowitą KSeF, której kierownik jeszcze nie potwierdził.",
        ),
        (situation.unannounced is not None, unknown),
        (offline, "Zgodnie z ustawieniem faktury wystawia się w trybie offline24."),
        (facts.link is not LinkState.CLOSED, "Brak łączności z KSeF w tym sklepie."),
        (facts.ksef_away, "Centrala sieci nie ma łączności z KSeF."),
        (facts.sends_left <= 0, "Wyczerpano godzinowy limit wysyłek do KSeF."),
        (facts.rate_limited, "Limit wysyłek do KSeF jest na razie wyczerpany."),
        (facts.kept_for_presses, "Resztę limitu wysyłek do KSeF zostawiono kasie."),
    )
    return next((reason for hinders, reason in hindrances if hinders), None)


def _offline24(reason: str, facts: ModeFacts) -> ModeDecision:
    if not facts.has_offline_certificate:
        reason += " Brak certyfikatu Offline: wydruk nie będzie miał kodu CERTYFIKAT."
    return _decision(Mode.OFFLINE24, reason)


def _decision(mode: Mode, reason: str, *, attempt_online: bool = False) -> ModeDecision:
    return ModeDecision(mode, reason, LEGAL_BASIS[mode], attempt_online)


def _since(event: Outage) -> str:
    return f" od {local_time(event.begin):%d.%m.%Y %H:%M}"


def _until(event: Outage) -> str:
    return f" do {end_text(event.end)}" if event.end else ""


def _names(event: Outage) -> str:
    return f" (komunikat {', '.join(event.messages)})" if event.messages else ""
