"""What the event log says of the slip that tells a customer that a correction is pending. It has no print job.

slip_printing   the bytes are about to leave
slip_printed    the printer says that they are on paper
slip_failed     they are not, or nobody knows ("outcome")

Where nobody waited at a counter, no slip is due; ``correction_held`` says so ("paper").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from agent.domain.event_kinds import EventKind
from agent.ports import Event, Json, Outcome
from agent.services.paper.interrupted import PAPER_DUE, RESTARTED_WHILE_PRINTING

RESTARTED: Final = "Program został ponownie uruchomiony przed wydrukiem. Użyj „Drukuj potwierdzenie ponownie”."


def of_slip(events: Iterable[Event], held_id: str) -> list[Event]:
    """Return what the log says of one slip."""
    return [event for event in events if event.kind.startswith("slip_") and event.data.get("held") == held_id]


def handed_out(events: Iterable[Event]) -> int:
    """Count the slips that lie, or may lie, on the counter."""
    count = 0
    leaving = False
    for event in events:
        if event.kind == EventKind.SLIP_PRINTING:
            leaving = True
        elif leaving:
            count += event.data.get("outcome") != Outcome.NOT_SENT.value
            leaving = False
    return count + leaving


def due(events: Iterable[Event], held_id: str) -> bool | None:
    """Tell whether somebody waited for the slip at a counter; None of a correction that an older version took."""
    for event in events:
        if event.kind == EventKind.CORRECTION_HELD and event.data.get("held") == held_id:
            said = event.data.get(PAPER_DUE)
            return said if isinstance(said, bool) else None
    return None


def never_begun(slip: Sequence[Event]) -> bool:
    """Tell whether a crash kept the slip from its first byte: the cashier presses again because nothing came out."""
    return not slip or (slip[-1].data.get("problem") == RESTARTED and handed_out(slip) == 0)


def cut_off(slip: Sequence[Event]) -> Mapping[str, Json] | None:
    """Return what a start has to note of a slip that was due: how far it was when the process died; None: it ended."""
    if not slip or slip[-1].kind == EventKind.SLIP_REPRINT:
        return {"problem": RESTARTED, "outcome": Outcome.NOT_SENT.value}
    if slip[-1].kind == EventKind.SLIP_PRINTING:
        return {"problem": RESTARTED_WHILE_PRINTING, "outcome": Outcome.UNKNOWN.value}
    return None


def trouble(events: Sequence[Event], *, wanted: bool) -> str | None:
    """Return what is wrong with the newest slip, for the cashier; None where it is on paper.

    ``wanted``: somebody waits for one. Of none that the log knows, or knows no end of, nothing may be said to lie in
    the printer: a full disk keeps the slip from its first byte, or what became of it from the log.
    """
    if not events and wanted:
        return "Potwierdzenie dla klienta jeszcze się nie wydrukowało."
    if events and events[-1].kind == EventKind.SLIP_PRINTING:
        return "Trwa drukowanie potwierdzenia dla klienta."
    if not events or events[-1].kind != EventKind.SLIP_FAILED:
        return None
    if events[-1].data.get("outcome") == Outcome.UNKNOWN.value:
        return "Nie wiadomo, czy potwierdzenie dla klienta się wydrukowało. Nie ma go w drukarce: wydrukuj ponownie."
    problem = events[-1].data.get("problem") or "Drukarka nie odpowiada."
    return f"Nie wydrukowano potwierdzenia dla klienta. {problem}"
