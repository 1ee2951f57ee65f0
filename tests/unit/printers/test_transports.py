"""Serial lines, device files, USB and CUPS: finite waits, hot-plug, honest outcomes. Real descriptors, fake devices."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import usb.core
import usb.util

from agent.domain.errors import ConfigError
from agent.ports import Outcome, PrintResult
from agent.sandbox.printer import Fault, Mechanism
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from agent.system.daemon_thread import DaemonThread
from printers.device.printer import EscPosPrinter
from printers.printer_set import PrinterSet, build
from printers.profiles.models import PROFILES
from printers.transports import blocking, file, serial
from printers.transports.blocking import LaneTransport
from printers.transports.file import open_path
from printers.transports.interface import TransportError
from printers.transports.serial import SerialDevice
from printers.transports.usb import UsbDevice, parse_identifier
from tests.unit.printers.slips import invoice

SLIP = invoice()


def fleet_of(**changes: object) -> PrinterSet:
    return build([PrinterSettings(name="p", **changes)], SystemClock())  # type: ignore[arg-type]


async def print_on(fleet: PrinterSet, journal: list[bytes] | None = None) -> PrintResult:
    async def sent(_name: str, data: bytes) -> None:
        if journal is not None:
            journal.append(data)

    return await fleet.printer.print(lambda name: fleet.encode(name, SLIP), sent)


# --- a printer on a line --------------------------------------------------------------------------------


@dataclass
class LinePrinter:
    """A printer at the other end of a pseudo-terminal, in the loop of the test."""

    path: str
    controller: int
    mechanism: Mechanism
    deaf: bool = False

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self.controller, self._take)

    def _take(self) -> None:
        try:
            data = os.read(self.controller, 4096)
        except OSError:
            return  # nobody has the line open
        while data.startswith(b"\x10\x04"):
            self._say(self.mechanism.real_time(data[2]))
            data = data[3:]
        if data and not self.deaf:
            self.mechanism.receive(data, self._say)

    def _say(self, data: bytes) -> None:
        os.write(self.controller, data)


@pytest.fixture
def line() -> Iterator[LinePrinter]:
    controller, terminal = os.openpty()
    tty.setraw(controller)
    printer = LinePrinter(os.ttyname(terminal), controller, Mechanism(PROFILES["epson-tm-t20"], SystemClock()))
    yield printer
    os.close(terminal)
    os.close(controller)


async def test_serial_line(line: LinePrinter) -> None:
    line.listen()
    fleet = fleet_of(profile="epson-tm-t20", connection="serial", device=line.path, flow="none")
    for _ in range(3):
        assert await print_on(fleet) == PrintResult(Outcome.DONE, "p")
    assert [paper.data for paper in line.mechanism.papers] == [fleet.encode("p", SLIP)] * 3
    assert (await fleet.printer.status())[0].online
    asyncio.get_running_loop().remove_reader(line.controller)


async def test_a_slow_line_gets_the_time_its_bytes_need(line: LinePrinter) -> None:
    """An RSA slip as raster takes 15 seconds at 9600 baud; a timeout is for silence, not for length."""
    settings = PrinterSettings(name="p", connection="serial", device=line.path, baud=9600)
    fleet = build([settings], SystemClock())
    assert fleet.individual["p"].seconds_for(bytes(9600)) == settings.timeout_seconds + 10
    network = build([replace(settings, connection="tcp")], SystemClock())
    assert network.individual["p"].seconds_for(bytes(9600)) == settings.timeout_seconds


async def test_device_file_that_answers(line: LinePrinter) -> None:
    line.listen()
    fleet = fleet_of(profile="epson-tm-t20", connection="file", device=line.path, answers=True)
    assert await print_on(fleet) == PrintResult(Outcome.DONE, "p")
    asyncio.get_running_loop().remove_reader(line.controller)


async def test_serial_printer_that_is_off_takes_no_job(line: LinePrinter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("printers.device.dialogue.ANSWER_SECONDS", 0.2)
    journal: list[bytes] = []
    result = await print_on(fleet_of(profile="epson-tm-t20", connection="serial", device=line.path), journal)
    assert (result.outcome, result.code, journal) == (Outcome.NOT_SENT, "no-answer", [])


@pytest.mark.parametrize(("waiting", "flushed"), [([0], 0), ([900, 400, 0], 0), ([900, 400, 400], 1), ([3, 3], 1)])
def test_a_line_that_holds_its_bytes_back_is_closed_without_them(
    line: LinePrinter, monkeypatch: pytest.MonkeyPatch, waiting: list[int], flushed: int
) -> None:
    """The kernel would wait 30 seconds for them, and every job behind that."""
    flushes: list[int] = []
    monkeypatch.setattr(serial, "HELD_SECONDS", 0.0)
    device = SerialDevice(line.path, 9600, "none")
    monkeypatch.setattr(type(device._port), "out_waiting", property(lambda _: waiting.pop(0)))
    monkeypatch.setattr(termios, "tcflush", lambda _descriptor, queue: flushes.append(queue))
    device.close()
    assert flushes == [termios.TCOFLUSH] * flushed
    assert not device._port.is_open


async def test_a_line_that_another_program_has_is_said_to_be_taken(line: LinePrinter) -> None:
    other = SerialDevice(line.path, 115200, "none")
    fleet = fleet_of(connection="serial", device=line.path)
    assert (await print_on(fleet)).code == "in-use"
    assert (await fleet.printer.status())[0].code == "in-use"
    other.close()


async def test_line_is_there_later(tmp_path: Path, line: LinePrinter) -> None:
    line.listen()
    device = tmp_path / "ttyUSB0"
    fleet = fleet_of(profile="epson-tm-t20", connection="serial", device=str(device))
    assert (await print_on(fleet)).code == "unreachable"
    assert not (await fleet.printer.status())[0].online
    device.symlink_to(line.path)
    assert (await print_on(fleet)).outcome is Outcome.DONE
    asyncio.get_running_loop().remove_reader(line.controller)


# --- files ----------------------------------------------------------------------------------------------


async def test_plain_file_is_appended_to_and_confirms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.touch()
    fleet = fleet_of(connection="file", device=str(path))
    for _ in range(2):
        assert await print_on(fleet) == PrintResult(Outcome.DONE, "p", confirmed=False)
    assert path.read_bytes() == fleet.encode("p", SLIP) * 2


async def test_missing_device_file_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "lp0"
    fleet = fleet_of(connection="file", device=str(path))
    assert (await print_on(fleet)).code == "unreachable"
    assert not path.exists()
    assert not (await fleet.printer.status())[0].online
    path.touch()
    assert (await print_on(fleet)).outcome is Outcome.DONE


async def test_a_device_that_never_stops_talking_is_not_listened_to_for_ever() -> None:
    result = await print_on(fleet_of(connection="file", device="/dev/zero"))
    assert (result.outcome, result.confirmed) == (Outcome.DONE, False)


async def test_a_device_file_forgets_late_answers_at_open(line: LinePrinter) -> None:
    os.write(line.controller, b"\x00\x12")
    device = open_path(line.path)
    assert device.read() == b""
    os.write(line.controller, b"\x12")
    assert device.read() == b"\x12"
    device.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A FIFO nobody reads: a printer whose buffer is full."""
    path = tmp_path / "lp0"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), reader
    os.close(reader)


def fill(path: str) -> None:
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, bytes(65536))
    except BlockingIOError:
        os.close(writer)


async def test_device_that_takes_nothing_has_printed_nothing(pipe: tuple[str, int]) -> None:
    fill(pipe[0])
    result = await print_on(fleet_of(connection="file", device=pipe[0], timeout_seconds=0.3))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "stalled")


async def test_device_that_stops_in_the_middle_is_unknown(
    pipe: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "PIECE", 100)
    fill(pipe[0])
    os.read(pipe[1], 4096)  # room for one page
    fleet = fleet_of(connection="file", device=pipe[0], timeout_seconds=0.5, profile="pos-58")
    result = await print_on(fleet)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "stalled")


async def test_a_hung_driver_costs_its_lane_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_path: str) -> file.Descriptor:
        release.wait()
        raise OSError("at last")

    monkeypatch.setattr("printers.device.job.CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(file, "open_path", hang)
    before = threading.active_count()
    hung = fleet_of(connection="file", device=str(tmp_path / "lp0"))
    for _ in range(3):
        assert (await print_on(hung)).code == "unreachable"
    assert threading.active_count() <= before + 2  # its lane, and the encoder's thread
    release.set()


# --- the lane -------------------------------------------------------------------------------------------


@dataclass
class FakeDevice:
    """Answers what it is told, and counts who closes it."""

    closed: threading.Event = field(default_factory=threading.Event)

    def write(self, data: bytes) -> int:
        return len(data)

    def drained(self) -> bool:
        return True

    def read(self) -> bytes:
        return b""

    def close(self) -> None:
        self.closed.set()


async def test_a_device_opened_too_late_is_closed_again() -> None:
    started, release = threading.Event(), threading.Event()
    device = FakeDevice()
    watcher = DaemonThread("watcher")

    def open_slowly() -> FakeDevice:
        started.set()
        release.wait()
        return device

    transport = LaneTransport("x", open_slowly, lambda: None)
    opening = asyncio.create_task(transport.open())
    await asyncio.sleep(0)
    await watcher.run(started.wait)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    release.set()
    assert await watcher.run(lambda: device.closed.wait(5))


async def test_a_cancelled_read_loses_nothing() -> None:
    gate = threading.Event()

    class Slow(FakeDevice):
        def read(self) -> bytes:
            gate.wait()
            return b"\x12"

    connection = await LaneTransport("x", Slow, lambda: None).open()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.read(), 0.01)
    gate.set()
    assert await connection.read() == b"\x12"
    await connection.close()


async def test_a_call_cancelled_in_the_queue_is_never_made() -> None:
    gate = threading.Event()
    calls: list[str] = []
    one = DaemonThread("x")
    first = one.run(gate.wait)
    second = one.run(lambda: calls.append("second"))
    second.cancel()
    third = one.run(lambda: calls.append("third"))
    gate.set()
    await first
    await third
    assert calls == ["third"]


@pytest.mark.parametrize(
    "error", [termios.error(errno.EIO, "I/O error"), ValueError("Invalid baud rate"), OSError("x")]
)
async def test_whatever_a_driver_raises_is_trouble_of_the_printer(error: Exception) -> None:
    def fail(*_: object) -> Any:
        raise error

    failing: Any = SimpleNamespace(write=fail, read=fail, close=fail)
    with pytest.raises(TransportError) as caught:
        await LaneTransport("x", fail, fail).open()
    assert not caught.value.sent
    connection = await LaneTransport("x", lambda: failing, fail).open()
    for call in (connection.write(b"x"), connection.read()):
        with pytest.raises(TransportError):
            await call
    assert await connection.touched()
    await connection.close()


# --- the end of a job -----------------------------------------------------------------------------------


def over_socket(buffer: socket.socket) -> EscPosPrinter:
    """A printer that cannot answer, behind a descriptor that says when it has taken everything, as usblp does."""
    transport = LaneTransport("p", lambda: file.Descriptor(os.dup(buffer.fileno()), answers=True), lambda: None)
    return EscPosPrinter("p", PROFILES["pos-58"], transport, SystemClock(), timeout_seconds=0.5)


@pytest.fixture
def half_full() -> Iterator[tuple[socket.socket, socket.socket, bytes]]:
    """A way that takes a job whole and still has it: all of it fits, and nobody reads."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    with ours, theirs:
        yield ours, theirs, bytes(3000)


async def no_journal(_name: str, _data: bytes) -> None:
    """Kept nowhere."""


async def test_a_device_that_still_has_the_end_of_a_job_has_not_printed_it(
    half_full: tuple[socket.socket, socket.socket, bytes],
) -> None:
    """Closing /dev/usb/lp0 cancels what is under way: it has to say first that it took everything."""
    ours, theirs, job = half_full
    result = await over_socket(ours).print(lambda _: job, no_journal)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "stalled")
    assert len(theirs.recv(65536)) == len(job), "it took the whole job"


async def test_a_device_is_waited_for_until_it_has_taken_everything(
    half_full: tuple[socket.socket, socket.socket, bytes],
) -> None:
    ours, theirs, job = half_full
    device = file.Descriptor(ours.fileno(), answers=True)
    assert device.write(job) == len(job)
    assert not device.drained()
    theirs.recv(65536)
    assert device.drained()
    theirs.close()
    with pytest.raises(OSError, match="gone"):
        device.drained()


def test_a_plain_file_and_a_pipe_keep_what_they_were_given(pipe: tuple[str, int]) -> None:
    fill(pipe[0])
    device = open_path(pipe[0])
    assert device.drained()
    device.close()


@pytest.mark.parametrize("connection", ["serial", "file"])
async def test_a_line_that_holds_the_end_of_a_job_back_has_not_printed_it(
    line: LinePrinter, monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    """Closing throws away what it still has: nobody may be told that this was printed."""
    line.listen()
    waiting = [900]
    monkeypatch.setattr(file, "unsent", lambda _descriptor: waiting[0])
    monkeypatch.setattr(file, "WAIT", 0.01)
    fleet = fleet_of(profile="pos-58", connection=connection, device=line.path, flow="none", timeout_seconds=0.3)
    result = await print_on(fleet)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "stalled")
    waiting[0] = 0
    assert await print_on(fleet) == PrintResult(Outcome.DONE, "p", confirmed=False)
    asyncio.get_running_loop().remove_reader(line.controller)


async def test_a_line_that_is_pulled_out_at_the_end_is_lost(line: LinePrinter, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_descriptor: int) -> int:
        raise OSError(errno.EIO, "I/O error")

    line.listen()
    monkeypatch.setattr(file, "unsent", gone)
    result = await print_on(fleet_of(profile="pos-58", connection="serial", device=line.path, flow="none"))
    asyncio.get_running_loop().remove_reader(line.controller)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "connection-lost")


# --- USB ------------------------------------------------------------------------------------------------


@dataclass
class FakeEndpoint:
    bEndpointAddress: int  # noqa: N815
    bmAttributes: int = 2  # noqa: N815
    wMaxPacketSize: int = 64  # noqa: N815
    handle: Callable[[bytes], int] | None = None
    pending: list[bytes] = field(default_factory=list)

    def write(self, data: bytes, _timeout: int) -> int:
        assert self.handle is not None
        return self.handle(data)

    def read(self, _size: int, _timeout: int) -> bytes:
        if not self.pending:
            raise usb.core.USBTimeoutError("timed out")
        return self.pending.pop(0)


class FakeInterface:
    bInterfaceClass = 7  # noqa: N815
    bInterfaceNumber = 0  # noqa: N815

    def __init__(self, *ends: FakeEndpoint, alternate: int = 0, protocol: int = 2) -> None:
        self._ends = ends
        self.bAlternateSetting = alternate
        self.bInterfaceProtocol = protocol

    def __iter__(self) -> Iterator[FakeEndpoint]:
        return iter(self._ends)


class FakeUsb:
    """What pyusb gives for a plugged-in printer; the mechanism of the sandbox prints."""

    def __init__(self, *, takes: int = 64, pulled_at: int = 1_000_000, port: tuple[int, ...] | None = (4,)) -> None:
        self.mechanism = Mechanism(PROFILES["epson-tm-t20"], SystemClock())
        self.bus, self.address, self.port_numbers = 1, 7, port
        self.alternate = 0
        self.detached = 0
        self._takes = takes
        self._left = pulled_at
        self._back = FakeEndpoint(0x82)
        self._out = FakeEndpoint(0x01, handle=self._take)
        self.mute = False
        """Takes jobs and forgets them; answers DLE EOT."""
        self.late: tuple[bytes, ...] = ()
        """Said before the answer to the next DLE EOT."""
        self.late_in_job: tuple[bytes, ...] = ()
        """Said when the next job begins."""

    def say(self, *answers: bytes) -> None:
        self._back.pending.extend(answers)

    def __iter__(self) -> Iterator[list[FakeInterface]]:
        return iter([[FakeInterface(self._out, self._back)]])

    def set_interface_altsetting(self, _interface: int, alternate: int) -> None:
        self.alternate = alternate

    def is_kernel_driver_active(self, _number: int) -> bool:
        return self.detached == 0

    def detach_kernel_driver(self, _number: int) -> None:
        self.detached += 1

    def _take(self, data: bytes) -> int:
        if self._takes == 0:
            raise usb.core.USBTimeoutError("timed out")
        self._left -= min(len(data), self._takes)
        if self._left < 0:
            raise usb.core.USBError("No such device (it may have been disconnected)", errno=errno.ENODEV)
        if data.startswith(b"\x10\x04"):
            self.say(*self.late, self.mechanism.real_time(data[2]))
            self.late = ()
        elif self.mute:
            self.say(*self.late_in_job)
            self.late_in_job = ()
        else:
            self.mechanism.receive(data[: self._takes], self._back.pending.append)
        return min(len(data), self._takes)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[FakeUsb]:
    """Printers on the bus; the test plugs them in."""
    bus: list[FakeUsb] = []

    def find(*, idVendor: int, idProduct: int, custom_match: Callable[[FakeUsb], bool]) -> FakeUsb | None:  # noqa: N803
        return next((device for device in bus if custom_match(device)), None)

    monkeypatch.setattr(usb.core, "find", find)
    monkeypatch.setattr(usb.util, "claim_interface", lambda *_: None)
    monkeypatch.setattr(usb.util, "dispose_resources", lambda *_: None)
    return bus


async def test_usb_printer_plugged_in_later(plugged: list[FakeUsb]) -> None:
    fleet = fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202")
    assert (await print_on(fleet)).code == "unreachable"
    plugged.append(FakeUsb())
    assert await print_on(fleet) == PrintResult(Outcome.DONE, "p")
    assert await print_on(fleet) == PrintResult(Outcome.DONE, "p")
    assert [paper.data for paper in plugged[0].mechanism.papers] == [fleet.encode("p", SLIP)] * 2
    assert plugged[0].detached == 1


async def test_two_usb_printers_of_one_model_are_told_apart_by_their_sockets(plugged: list[FakeUsb]) -> None:
    plugged.extend([FakeUsb(port=None), FakeUsb(port=(4,)), FakeUsb(port=(1, 4))])
    fleet = fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202@1-1.4")
    assert (await print_on(fleet)).outcome is Outcome.DONE
    assert [len(each.mechanism.papers) for each in plugged] == [0, 0, 1]
    del plugged[2]
    assert (await print_on(fleet)).code == "unreachable"
    assert not (await fleet.printer.status())[0].online


async def test_usb_printer_pulled_out_in_the_middle_and_back(plugged: list[FakeUsb]) -> None:
    fleet = fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202")
    plugged.append(FakeUsb(pulled_at=500))
    result = await print_on(fleet)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "connection-lost")
    plugged.clear()
    assert (await print_on(fleet)).code == "unreachable"
    assert not (await fleet.printer.status())[0].online
    plugged.append(FakeUsb())
    assert (await print_on(fleet)).outcome is Outcome.DONE
    assert (await fleet.printer.status())[0].online


async def test_usb_printer_that_takes_nothing(plugged: list[FakeUsb]) -> None:
    plugged.append(FakeUsb(takes=0))
    fleet = fleet_of(connection="usb", device="04b8:0202", answers=False, timeout_seconds=0.1)
    assert (await print_on(fleet)).code == "stalled"


LATE = (b"\x12", b"\x37\x220001\x00", b"\x00")
"""What a job given up earlier is answered at last: a status, its process ID, GS r."""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("printers.device.job.GRACE_SECONDS", 0.05)
    monkeypatch.setattr("printers.device.job.POLL_SECONDS", 0.05)


@pytest.mark.parametrize("when", ["at open", "at the first question", "after a restart", "during the job"])
@pytest.mark.usefixtures("hasty")
async def test_late_answers_of_an_earlier_job_prove_nothing(plugged: list[FakeUsb], when: str) -> None:
    """A USB line is one for all jobs: what the printer still had to say of the last one comes first."""
    printer = FakeUsb()
    plugged.append(printer)
    fleet = fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202", timeout_seconds=0.4)
    printer.mute = True
    assert (await print_on(fleet)).outcome is Outcome.UNKNOWN
    if when == "at open":
        printer.say(*LATE)
    elif when == "during the job":
        printer.late_in_job = LATE
    else:
        printer.late = LATE
    if when == "after a restart":
        fleet = fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202", timeout_seconds=0.4)
    assert (await print_on(fleet)).outcome is Outcome.UNKNOWN
    printer.mute = False
    for _ in range(2):
        assert (await print_on(fleet)).outcome is Outcome.DONE


async def test_a_status_said_before_is_not_the_answer(plugged: list[FakeUsb]) -> None:
    printer = FakeUsb()
    plugged.append(printer)
    printer.say(b"\x12", b"\x12")
    printer.mechanism.offline = Fault.PAPER_OUT
    result = await print_on(fleet_of(profile="epson-tm-t20", connection="usb", device="04b8:0202"))
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "paper-out")


@pytest.mark.parametrize("open_to_us", [True, False])
async def test_mute_usb_printer_is_well_only_where_it_may_be_opened(
    plugged: list[FakeUsb], monkeypatch: pytest.MonkeyPatch, open_to_us: bool
) -> None:
    plugged.append(FakeUsb())
    asked: list[str] = []

    def access(node: str, _mode: int) -> bool:
        asked.append(node)
        return open_to_us

    monkeypatch.setattr(os, "access", access)
    fleet = fleet_of(connection="usb", device="04b8:0202", answers=False)
    assert (await fleet.printer.status())[0].online is open_to_us
    assert asked == ["/dev/bus/usb/001/007"]


@pytest.mark.usefixtures("plugged")
def test_usb_setting_that_can_answer_is_chosen() -> None:
    printer = FakeUsb()
    out, back = FakeEndpoint(0x01), FakeEndpoint(0x82)
    mute, packets = FakeInterface(out, protocol=1), FakeInterface(out, back, alternate=2, protocol=3)
    settings = [mute, packets, FakeInterface(out, back, alternate=1)]
    printer.__class__ = type("Choosy", (FakeUsb,), {"__iter__": lambda _: iter([settings])})
    back.pending.append(b"stale")
    device = UsbDevice(printer)
    assert printer.alternate == 1
    back.pending.append(b"\x12")
    assert device.read() == b"\x12"


def test_usb_device_that_is_no_printer() -> None:
    with pytest.raises(OSError, match="no printer interface"):
        UsbDevice([[]])


@pytest.mark.parametrize(
    "device", ["-", "04b8", "04b8:02021", "xxxx:0202", "04b8:0202@", "04b8:0202@4", "04b8:0202@1-4.", "04b8:0202@1-4\n"]
)
def test_usb_identifiers(device: str) -> None:
    with pytest.raises(ValueError, match=device):
        parse_identifier(device)
    assert parse_identifier("04B8:0e15") == (0x04B8, 0x0E15, "")
    assert parse_identifier("04B8:0e15@1-1.4") == (0x04B8, 0x0E15, "1-1.4")


# --- CUPS -----------------------------------------------------------------------------------------------


@pytest.fixture
def spooler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put programs named lp and lpstat first on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(script: str) -> Path:
        for name in ("lp", "lpstat"):
            program = tmp_path / name
            program.write_text(f'#!/bin/sh\ncd "{tmp_path}"\n{script}\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return tmp_path

    return write


async def test_cups_queue(spooler: Callable[[str], Path]) -> None:
    folder = spooler('echo "$@" > arguments; cat > job')
    fleet = fleet_of(connection="cups", device="paragon")
    assert await print_on(fleet) == PrintResult(Outcome.DONE, "p", confirmed=False)
    assert (folder / "job").read_bytes() == fleet.encode("p", SLIP)
    assert (folder / "arguments").read_text().split() == ["-d", "paragon", "-o", "raw", "-s", "--", "-"]
    assert (await fleet.printer.status())[0].online


async def test_cups_that_says_no(spooler: Callable[[str], Path]) -> None:
    spooler("echo 'no such queue' >&2; exit 1")
    fleet = fleet_of(connection="cups", device="paragon")
    result = await print_on(fleet)
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "spooler")
    assert not (await fleet.printer.status())[0].online


async def test_cups_that_hangs_is_killed(spooler: Callable[[str], Path]) -> None:
    spooler("case $0 in *lpstat) exit 0;; esac; exec sleep 60")
    result = await print_on(fleet_of(connection="cups", device="paragon", timeout_seconds=0.2))
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "stalled")


async def test_a_stopped_queue_gets_no_job(spooler: Callable[[str], Path]) -> None:
    """It would take the job and print it whenever somebody lets it go on: beside the reprint."""
    folder = spooler(
        "case $0 in *lpstat) echo 'printer paragon disabled since Tue Nov 24 10:00:00 2026 -'; echo '\tUnplugged';;"
        " *) cat > job;; esac"
    )
    fleet = fleet_of(connection="cups", device="paragon")
    result = await print_on(fleet)
    assert (result.outcome, result.code) == (Outcome.NOT_SENT, "queue-stopped")
    assert not (folder / "job").exists()
    assert (await fleet.printer.status())[0].code == "queue-stopped"


async def test_cups_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await print_on(fleet_of(connection="cups", device="paragon"))).code == "spooler"


async def test_cups_connection_never_answers(spooler: Callable[[str], Path]) -> None:
    spooler("cat")
    fleet = fleet_of(connection="cups", device="paragon")
    connection = await fleet.individual["p"]._device._transport.open()
    with pytest.raises(TransportError):
        await connection.read()
    assert await connection.touched()
    await connection.close()


# --- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"connection": "usb", "device": "printer"},
        {"connection": "cups", "device": "x", "answers": True},
        {"profile": "matrix"},
        {"encoding": "utf-8"},
        {"encoding": "klingon"},
        {"encoding": "cp037"},
        {"logo_file": Path("/nonexistent.png")},
    ],
)
def test_wrong_settings_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        fleet_of(**changes)
    assert "„p”" in caught.value.problems[0]


def test_all_mistakes_of_all_printers_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        build(
            [
                PrinterSettings(profile="x"),
                PrinterSettings(encoding="y", connection="cups", device="z", answers=True),
                PrinterSettings(),
            ],
            SystemClock(),
        )
    assert len(caught.value.problems) == 3
