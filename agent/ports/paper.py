"""Paper: signing KOD II, and printers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from agent.domain.paper.receipt import Receipt
from agent.domain.paper.sheet import Sheet
from agent.domain.report import Report
from agent.domain.values import dataclass


class Signer(Protocol):
    """The Offline certificate: signs KOD II. The key is loaded once."""

    @property
    def serial(self) -> str:
        """Certificate serial, hexadecimal, upper case, as KSeF writes it."""
        ...

    @property
    def expires(self) -> datetime:
        """End of validity, UTC."""
        ...

    @property
    def valid_from(self) -> datetime:
        """Beginning of validity, UTC."""
        ...

    @property
    def owner_nip(self) -> str | None:
        """NIP of the certificate's subject; None where it names none."""
        ...

    def sign(self, text: bytes) -> bytes:
        """ECDSA P-256 SHA-256 in P1363 form, or RSA-PSS (SHA-256, MGF1, 32-byte salt)."""
        ...


class HeldSigner(Protocol):
    """The Offline certificate in use now, None while the till has none; a hub may hand one out while it runs."""

    @property
    def current(self) -> Signer | None: ...


@dataclass(frozen=True, slots=True)
class Picture:
    """A page of the picture of a paper, and how many there are: one, but for papers metres long."""

    png: bytes = field(repr=False)
    page: int
    pages: int


class Outcome(StrEnum):
    """What the printer's own answer says of a job."""

    DONE = "done"
    NOT_SENT = "not_sent"
    """Nothing usable left the printer; a silent retry is right."""
    UNKNOWN = "unknown"
    """Paper may lie there; only a person decides, and the new print is marked."""


@dataclass(frozen=True, slots=True)
class PrintResult:
    """Outcome of one job. ``problem`` is Polish, for the cashier; ``code`` stable (paper-out, cover-open, ...)."""

    outcome: Outcome
    printer: str
    problem: str | None = None
    code: str | None = None
    confirmed: bool = True
    """False where the printer cannot answer: DONE then means handed over, not printed."""


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """What a printer says of itself now."""

    name: str
    online: bool
    problem: str | None = None
    code: str | None = None
    near_end: bool = False


class ReadyPrinter(Protocol):
    """A printer that said it is ready, held for one job: whoever has it makes the bytes durable, then prints them."""

    @property
    def name(self) -> str: ...

    def framed(self, data: bytes) -> bytes:
        """The very bytes that leave with this paper: what ends a job and asks for its proof stands around them."""
        ...

    async def print(self, job: bytes) -> PrintResult:
        """Print what framed() made, once, and let the printer go. As Printer.print()."""
        ...

    async def release(self) -> None:
        """Let the printer go where nothing was printed; after print() it does nothing."""
        ...


class Printer(Protocol):
    """A printer (or several with a fallback order). One job at a time; a stuck one never blocks the loop."""

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Printers in fallback order."""
        ...

    async def print(self, encode: Callable[[str], bytes], sent: Callable[[str, bytes], Awaitable[None]]) -> PrintResult:
        """Print on the first printer that takes it.

        ``encode(printer_name)`` gives the bytes for that printer; ``sent(printer_name, data)`` is awaited,
        and so made durable, before the first byte leaves. Finite in time; never raises for printer trouble.
        """
        ...

    async def reserve(self) -> ReadyPrinter | None:
        """Hold the first printer for one job where it is free and ready; None where it is not.

        Finite in time; may be cancelled; never raises for printer trouble, which print() will tell.
        """
        ...

    def left_by_an_earlier_run(self, printer: str, data: bytes) -> None:
        """Note the last bytes an earlier run of the agent sent there, of which nobody knows whether all were printed.

        The printer may still hold a part of them, or wait for the rest of a picture. No I/O; a name that is no printer
        any more is passed over.
        """
        ...

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask every printer. Finite in time; never raises."""
        ...


class ReceiptRenderer(Protocol):
    """Turns receipt documents into what printers and screens show. Pure, but slow: up to seconds for long papers."""

    def encode(self, printer: str, receipt: Receipt) -> bytes:
        """ESC/POS bytes for a printer by name."""
        ...

    def png(self, printer: str, data: bytes, page: int = 1) -> Picture:
        """A page of the picture of exactly those bytes; BadInput where there is none of that number."""
        ...

    def text(self, printer: str, data: bytes) -> str:
        """Text of exactly those bytes."""
        ...

    def pdf(self, receipt: Receipt) -> bytes:
        """The slip as PDF."""
        ...

    def code(self, payload: str) -> bytes:
        """A QR code of a link as SVG."""
        ...

    def a4(self, sheet: Sheet) -> bytes:
        """The page as PDF/A-3, the FA(3) file inside where the sheet has one."""
        ...

    def report(self, report: Report) -> bytes:
        """The report as PDF/A-3."""
        ...

    @property
    def default(self) -> str:
        """Name of the first printer, or of the preview profile where there is none."""
        ...
