"""What the event log says of the slip that tells a customer that a correction is pending. It has no print job.

slip_printing   the bytes are about to leave
slip_printed    the printer says that they are on paper
slip_failed     they are not, or nobody knows ("outcome")
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.domain.event_kinds import EventKind
from agent.ports import Event, Outcome


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


def trouble(events: list[Event]) -> str | None:
    """Return what is wrong with the newest slip, for the cashier; None where it is on paper or still printing."""
    if not events or events[-1].kind != EventKind.SLIP_FAILED:
        return None
    if events[-1].data.get("outcome") == Outcome.UNKNOWN.value:
        return "Nie wiadomo, czy potwierdzenie dla klienta się wydrukowało. Nie ma go w drukarce: wydrukuj ponownie."
    problem = events[-1].data.get("problem") or "Drukarka nie odpowiada."
    return f"Nie wydrukowano potwierdzenia dla klienta. {problem}"
