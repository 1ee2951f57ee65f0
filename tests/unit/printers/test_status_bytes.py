"""What printers say, in any pieces and with noise; and connections that break at every place."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ports import Outcome, PrintResult
from agent.sandbox.printer import NetworkPrinter
from agent.system.clock import SystemClock
from printers.device.printer import EscPosPrinter
from printers.device.status_bytes import (
    COVER_OPEN,
    CUTTER_ERROR,
    FEED_BUTTON,
    OFFLINE,
    OVERHEATED,
    PAPER_OUT,
    PRINTER_ERROR,
    Cleared,
    Interpreted,
    Printed,
    RealTime,
    StatusParser,
    Trouble,
    near_end,
    offline_cause,
    paper_ended,
)
from printers.profiles.models import PROFILES, Answers
from printers.transports.interface import Connection, TransportError

SPEECH = b"\x12" + b"\x37\x221234\x00" + b"\x00" + b"\x37\x25\x00" + b"\x1a"
MEANING = [RealTime(0x12), Printed(b"1234"), Interpreted(0), Cleared(), RealTime(0x1A)]


@given(st.lists(st.integers(0, len(SPEECH))))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    parser, places = StatusParser(), sorted({0, len(SPEECH), *cuts})
    heard = [answer for start, end in itertools.pairwise(places) for answer in parser.feed(SPEECH[start:end])]
    assert heard == MEANING


def test_noise_is_skipped() -> None:
    automatic_status = b"\x10\x00\x00\x00"
    assert StatusParser().feed(automatic_status + b"\x11\x13\xff" + SPEECH) == MEANING
    assert StatusParser().feed(b"\x37\x00\x12") == [Interpreted(0), RealTime(0x12)]
    assert StatusParser().feed(b"\x37\x221234\x01") == []  # its end is wrong, and its digits are no answers


@pytest.mark.parametrize("place", range(2, 7))
@pytest.mark.parametrize("status", [0x12, 0x16, 0x1A])
def test_a_status_in_the_middle_of_a_process_id_spoils_neither(place: int, status: int) -> None:
    block = b"\x37\x221234\x00"
    spoken = block[:place] + bytes((status,)) + block[place:]
    assert StatusParser().feed(spoken) == [RealTime(status), Printed(b"1234")]
    parser = StatusParser()
    assert [answer for byte in spoken for answer in parser.feed(bytes((byte,)))] == [RealTime(status), Printed(b"1234")]


@pytest.mark.parametrize("block", [b"\x37\x22123\x00", b"\x37\x2212r34\x00", b"\x37\x2212\x80", b"\x37\x2212\x05"])
def test_a_spoiled_process_id_is_no_answer_at_all(block: bytes) -> None:
    assert StatusParser().feed(block + b"\x12") == [RealTime(0x12)]


def test_automatic_status_in_two_pieces_is_no_proof() -> None:
    parser = StatusParser()
    assert parser.feed(b"\x10\x00") == []
    assert parser.feed(b"\x00\x00\x12") == [RealTime(0x12)]


@given(st.binary(max_size=60))
def test_any_bytes_are_heard(noise: bytes) -> None:
    assert all(isinstance(answer, RealTime | Interpreted | Printed | Cleared) for answer in StatusParser().feed(noise))


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ((0x16, 0x12, 0x12), COVER_OPEN),
        ((0x32, 0x12, 0x12), PAPER_OUT),
        ((0x12, 0x12, 0x72), PAPER_OUT),
        ((0x52, 0x1A, 0x12), CUTTER_ERROR),
        ((0x52, 0x32, 0x12), PRINTER_ERROR),
        ((0x52, 0x52, 0x12), OVERHEATED),
        ((0x1A, 0x12, 0x12), FEED_BUTTON),
        ((0x52, 0x12, 0x12), PRINTER_ERROR),
        ((None, None, None), OFFLINE),
    ],
)
def test_why_a_printer_is_offline(answers: tuple[int | None, int | None, int | None], trouble: Trouble) -> None:
    assert offline_cause(*answers) is trouble


def test_paper_sensors() -> None:
    assert (paper_ended(0x12), near_end(0x12)) == (False, False)
    assert (paper_ended(0x1E), near_end(0x1E)) == (False, True)
    assert paper_ended(0x7E)


# --- connections that break -----------------------------------------------------------------------------


@dataclass
class Brittle:
    """A Connection that answers the precheck and breaks where the test says."""

    breaks: str
    replies: list[bytes] = field(default_factory=list)
    closed: int = 0

    async def write(self, data: bytes) -> None:
        if data.startswith(b"\x10\x04"):
            if self.breaks == "ask":
                raise TransportError("gone")
            self.replies.append(b"\x12")
        elif self.breaks == "write":
            raise TransportError("gone")
        elif self.breaks == "refuse":
            raise TransportError("never left", sent=False)

    async def touched(self) -> bool:
        return True

    async def read(self) -> bytes:
        if not self.replies:
            if self.breaks == "end":
                return b""
            raise TransportError("gone")
        return self.replies.pop(0)

    async def drained(self) -> None: ...

    async def finish(self) -> None:
        if self.breaks == "finish":
            raise TransportError("gone")

    async def close(self) -> None:
        self.closed += 1


@dataclass
class BrittleTransport:
    connection: Brittle

    async def open(self) -> Connection:
        return self.connection

    async def present(self) -> None:
        """It is there."""


async def print_through(connection: Brittle, answers: Answers) -> PrintResult:
    kind = PROFILES["epson-tm-t20" if answers is Answers.PROCESS_ID else "pos-58"]
    printer = EscPosPrinter("p", kind, BrittleTransport(connection), SystemClock())

    async def sent(_name: str, _data: bytes) -> None:
        """Nothing to store."""

    return await printer.print(lambda _: b"\x1b@x\n", sent)


@pytest.mark.parametrize(
    ("breaks", "answers", "outcome", "code"),
    [
        ("ask", Answers.PROCESS_ID, Outcome.NOT_SENT, "unreachable"),
        ("write", Answers.PROCESS_ID, Outcome.UNKNOWN, "connection-lost"),
        ("refuse", Answers.PROCESS_ID, Outcome.NOT_SENT, "unreachable"),
        ("read", Answers.PROCESS_ID, Outcome.UNKNOWN, "connection-lost"),
        ("end", Answers.PROCESS_ID, Outcome.UNKNOWN, "connection-lost"),
        ("write", Answers.NONE, Outcome.UNKNOWN, "connection-lost"),
        ("finish", Answers.NONE, Outcome.UNKNOWN, "connection-lost"),
        ("nowhere", Answers.NONE, Outcome.DONE, None),
    ],
)
async def test_outcome_where_the_connection_breaks(
    breaks: str, answers: Answers, outcome: Outcome, code: str | None
) -> None:
    connection = Brittle(breaks)
    result = await print_through(connection, answers)
    assert (result.outcome, result.code) == (outcome, code)
    assert connection.closed == 1


async def test_sandbox_printer_notes_bytes_that_are_no_command() -> None:
    device = NetworkPrinter()
    await device.start()
    reader, writer = await asyncio.open_connection(device.host, device.port)
    writer.write(b"\x1b@Hello\n\x07")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert [defect.data for defect in device.refused_bytes] == [b"\x07"]
    await device.stop()
