"""All printers of a till: built from the settings, encoded for, previewed, and printed on in fallback order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from agent.domain.errors import BadInput, ConfigError, FieldError
from agent.domain.paper.receipt import Receipt
from agent.domain.paper.sheet import Sheet
from agent.domain.report import Report
from agent.domain.values import dataclass
from agent.ports import Clock, Picture, Printer
from agent.system.os_errors import polish_reason
from printers.device.group import NoPrinter, PrinterGroup
from printers.device.printer import EscPosPrinter
from printers.escpos import bitmap
from printers.escpos.bitmap import Bitmap
from printers.escpos.encode import QrTooWide, check_profile, encode
from printers.profiles.lookup import profile_for
from printers.profiles.models import PROFILES, Profile
from printers.settings import PrinterSettings
from printers.transports import permissions
from printers.transports.interface import Transport
from printers.transports.open import transport_for

BITS_PER_BYTE = 10
"""On a serial line, 8N1."""
PREVIEW = "podglad"
"""Name under which previews are made where no printer is configured."""


@dataclass(frozen=True, slots=True)
class PrinterSet:
    """What app.py joins to the use cases: ``printer`` is the port, the rest makes and shows bytes."""

    printer: Printer
    profiles: dict[str, Profile]
    """By printer name, in fallback order."""
    logos: dict[str, Bitmap]
    individual: dict[str, EscPosPrinter]
    """Each printer without fallback, by name."""

    @property
    def default(self) -> str:
        """Name of the first printer, or of the preview profile where there is none."""
        return next(iter(self.profiles), PREVIEW)

    def profile(self, printer: str) -> Profile:
        """Return a printer's profile; that of the preview for a name no longer configured."""
        return self.profiles.get(printer) or PROFILES["generic-80"]

    def encode(self, printer: str, receipt: Receipt) -> bytes:
        """Return ESC/POS bytes for a printer by name. Raises qr.Unprintable."""
        return encode(receipt, self.profile(printer), logo=self.logos.get(printer))

    def png(self, printer: str, data: bytes, page: int = 1) -> Picture:
        """Return a page of the picture of exactly those bytes.

        BadInput where there is no such page. Blocking, up to seconds: call it in a thread.
        """
        from printers.preview import raster  # noqa: PLC0415 - Pillow only where pictures are wanted

        try:
            return raster.render(data, self.profile(printer), page)
        except raster.NoSuchPage as error:
            sentence = f"Obraz tego wydruku ma stron: {error}."
            raise BadInput(sentence, code="bad-query", errors=(FieldError("?page", sentence, "bad-query"),)) from error

    def text(self, printer: str, data: bytes) -> str:
        """Return the text of exactly those bytes."""
        from printers.preview import plaintext  # noqa: PLC0415 - a printed page is made of bytes only where it is shown

        return plaintext.decode(data, self.profile(printer))

    def pdf(self, receipt: Receipt) -> bytes:
        """Return the slip as PDF. Blocking: call it in a thread."""
        from printers.preview import pdf  # noqa: PLC0415 - reportlab only where a PDF is wanted

        return pdf.render_pdf(receipt)

    def code(self, payload: str) -> bytes:
        """Return the QR code of a link as SVG, for a screen."""
        from printers.preview.code_svg import render_svg  # noqa: PLC0415 - likewise

        return render_svg(payload)

    def a4(self, sheet: Sheet) -> bytes:
        """Return the page as PDF/A-3. Blocking: call it in a thread."""
        from printers.preview import a4  # noqa: PLC0415 - likewise

        return a4.render_a4(sheet)

    def report(self, report: Report) -> bytes:
        """Return a report as PDF/A-3. Blocking: call it in a thread."""
        from printers.preview import report as pages  # noqa: PLC0415 - likewise

        return pages.render_report(report)

    def check(self, longest_payload: int) -> tuple[str, ...]:
        """Return a Polish sentence per printer that cannot print a QR link of so many bytes."""
        problems = []
        for name, profile in self.profiles.items():
            try:
                check_profile(profile, longest_payload)
            except QrTooWide as error:
                problems.append(f"Drukarka „{name}”: {error}")
        return tuple(problems)


def build(
    printers: Sequence[PrinterSettings],
    clock: Clock,
    over: Callable[[PrinterSettings], Transport] = transport_for,
) -> PrinterSet:
    """Build every printer of the settings. No connection is opened. ConfigError names all mistakes at once.

    ``over``: how the way to a printer is made.
    """
    problems: list[str] = []
    built: list[EscPosPrinter] = []
    profiles: dict[str, Profile] = {}
    logos: dict[str, Bitmap] = {}
    for settings in printers:
        try:
            profile = profile_for(settings)
            transport = over(settings)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        profiles[settings.name] = profile
        if settings.logo_file is not None:
            try:
                logos[settings.name] = bitmap.of_logo(settings.logo_file.read_bytes(), profile)
            except OSError as error:
                problems.append(f"Drukarka „{settings.name}”: logo {settings.logo_file}: {polish_reason(error)}.")
            except ValueError as error:
                problems.append(f"Drukarka „{settings.name}”: logo {settings.logo_file}: {error}.")
        built.append(
            EscPosPrinter(
                settings.name,
                profile,
                transport,
                clock,
                timeout_seconds=settings.timeout_seconds,
                bytes_per_second=settings.baud / BITS_PER_BYTE if settings.connection == "serial" else None,
                closed_to_us=partial(permissions.refusal, settings),
            )
        )
    if problems:
        raise ConfigError(tuple(problems))
    printer: Printer = PrinterGroup(tuple(built)) if built else NoPrinter()
    return PrinterSet(printer, profiles, logos, {one.name: one for one in built})
