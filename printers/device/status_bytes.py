"""What a printer says: bytes from the printer to typed answers, and status bytes to problems in Polish.

Sources: Epson's reference of DLE EOT, DLE DC4, GS r, GS ( H, GS a (docs/printing.md, section 5).
"""

from __future__ import annotations

from agent.domain.values import dataclass

PROCESS_HEADER = b"\x37\x22"
_ID_LENGTH = 4
_LONGEST_BLOCK = 12
"""Bytes of a process ID block with a status of every kind in its middle."""
CLEAR_ANSWER = b"\x37\x25\x00"


@dataclass(frozen=True, slots=True)
class RealTime:
    """Answer to DLE EOT n; which n, only the asker knows."""

    byte: int


@dataclass(frozen=True, slots=True)
class Interpreted:
    """Answer to GS r: everything before it was interpreted."""

    byte: int


@dataclass(frozen=True, slots=True)
class Printed:
    """Answer to GS ( H fn 48: everything before it is on paper."""

    identifier: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """Answer to DLE DC4 fn 8: what waited in the printer is gone."""


Answer = RealTime | Interpreted | Printed | Cleared


class StatusParser:
    """Sorts the bytes a printer sends, in whatever pieces they come; skips what was not asked for."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Answer]:
        """Return the answers that are complete."""
        self._buffer += data
        answers: list[Answer] = []
        while self._buffer:
            first = self._buffer[0]
            if len(self._buffer) < len(CLEAR_ANSWER) and CLEAR_ANSWER.startswith(self._buffer):
                break
            if self._buffer.startswith(CLEAR_ANSWER):
                answers.append(Cleared())
                self._buffer = self._buffer[len(CLEAR_ANSWER) :]
                continue
            if first == PROCESS_HEADER[0]:
                if len(self._buffer) == 1:
                    break
                if self._buffer.startswith(PROCESS_HEADER):
                    if not self._process_block(answers):
                        break
                    continue
            if first & 0x93 == 0x10:  # automatic status (GS a): four bytes nobody asked for
                if len(self._buffer) < 4:
                    break
                self._buffer = self._buffer[4:]
                continue
            if first & 0x93 == 0x12:
                answers.append(RealTime(first))
            elif first & 0x90 == 0:
                answers.append(Interpreted(first))
            self._buffer = self._buffer[1:]
        return answers

    def _process_block(self, answers: list[Answer]) -> bool:
        """Take one block of header, ID and NUL, and the statuses sent in its middle; False where it is not whole yet.

        A spoiled block is dropped up to where it goes wrong: none of its bytes may pass for another answer.
        """
        identifier = b""
        between: list[Answer] = []
        for place, byte in enumerate(self._buffer[2:_LONGEST_BLOCK], 2):
            if 0x20 <= byte <= 0x7E:
                identifier += bytes((byte,))
            elif byte & 0x93 == 0x12:
                between.append(RealTime(byte))
            else:
                whole = byte == 0 and len(identifier) == _ID_LENGTH
                answers += [*between, Printed(identifier)] if whole else between
                self._buffer = self._buffer[place + 1 :]
                return True
        if len(self._buffer) < _LONGEST_BLOCK:
            return False
        answers += between
        self._buffer = self._buffer[_LONGEST_BLOCK:]
        return True


@dataclass(frozen=True, slots=True)
class Trouble:
    """A stable code and Polish for the cashier; „Drukarka …:” stands before it."""

    code: str
    message: str


PAPER_OUT = Trouble("paper-out", "Brak papieru. Włóż nową rolkę.")
COVER_OPEN = Trouble("cover-open", "Pokrywa jest otwarta. Zamknij ją.")
CUTTER_ERROR = Trouble("cutter-error", "Zacięcie obcinarki. Otwórz pokrywę, usuń papier i zamknij pokrywę.")
PRINTER_ERROR = Trouble("printer-error", "Zgłasza awarię. Wyłącz ją i włącz; jeśli to nie pomoże, wezwij serwis.")
OVERHEATED = Trouble("overheated", "Głowica jest przegrzana. Poczekaj, aż ostygnie.")
FEED_BUTTON = Trouble("feed-button", "Wciśnięty jest przycisk wysuwu papieru.")
OFFLINE = Trouble("offline", "Jest w stanie offline. Sprawdź papier, pokrywę i przyciski.")
UNREACHABLE = Trouble("unreachable", "Brak połączenia z drukarką. Sprawdź zasilanie i kabel.")
IN_USE = Trouble("in-use", "Zajął ją inny program. Zamknij go; jeśli nie wiesz który, wezwij serwis.")
NO_ANSWER = Trouble("no-answer", "Nie odpowiada. Sprawdź, czy jest włączona i czy nie drukuje dla innej kasy.")
STALLED = Trouble("stalled", "Przestała przyjmować dane.")
CONNECTION_LOST = Trouble("connection-lost", "Połączenie z drukarką zostało przerwane w trakcie wydruku.")
UNCONFIRMED = Trouble("unconfirmed", "Nie potwierdziła wydruku.")
BUSY = Trouble("busy", "Jest zajęta poprzednim wydrukiem.")
SPOOLER = Trouble("spooler", "System druku nie przyjął wydruku.")
QUEUE_STOPPED = Trouble("queue-stopped", "Kolejka druku jest wstrzymana. Dla serwisu: cupsenable z nazwą kolejki.")


def offline_cause(offline: int | None, errors: int | None, paper: int | None) -> Trouble:
    """Name why a printer is offline, from its answers to DLE EOT 2, 3, 4; what it did not answer is None."""
    two, three, four = offline or 0, errors or 0, paper or 0
    causes = (
        (bool(two & 0x04), COVER_OPEN),
        (bool(two & 0x20) or four & 0x60 == 0x60, PAPER_OUT),
        (bool(three & 0x08), CUTTER_ERROR),
        (bool(three & 0x20), PRINTER_ERROR),
        (bool(three & 0x40), OVERHEATED),
        (bool(two & 0x08), FEED_BUTTON),
        (bool(two & 0x40), PRINTER_ERROR),
    )
    return next((trouble for holds, trouble in causes if holds), OFFLINE)


def paper_ended(paper: int) -> bool:
    """Tell from DLE EOT 4 that the roll has ended."""
    return paper & 0x60 == 0x60


def near_end(paper: int) -> bool:
    """Tell from DLE EOT 4 that the roll is nearly used up."""
    return paper & 0x0C == 0x0C
