"""The calibration slip: what to look at on paper, and what to put into the settings for it."""

from __future__ import annotations

from agent.domain.paper.receipt import Align, Receipt, Rule, Text
from printers.escpos import bitmap, qr
from printers.escpos.encode import Job, sheet
from printers.escpos.layout import Code, lay_out
from printers.profiles.models import POLISH_PAGES, Profile

LETTERS = "ĄĆĘŁŃÓŚŹŻ ąćęłńóśźż –"
ABOUT_LETTERS = (
    "Który wiersz ma poprawne polskie litery i kreskę na końcu? Jego numer i nazwę wpisz jako code_page i encoding."
)
WIDTHS = (384, 512, 576, 640)
"""Dots of common print heads."""
MODULES = (4, 6)
"""Dots: the smallest allowed, and the largest used."""
FRAME_HEIGHT = 20
EC_LINK = 216
"""Characters of KOD II with an EC P-256 certificate (docs/printing.md, section 4)."""
RSA_LINK = 472
"""Characters of KOD II with an RSA-2048 certificate."""


def slip(name: str, profile: Profile) -> bytes:
    """Return the slip for a printer: letters in every likely code page, width frames, QR codes of both kinds."""
    job = Job(profile)
    job.start()
    _say(job, Text("WYDRUK PRÓBNY", align=Align.CENTER, bold=True, large=True))
    _say(job, Text(f"Drukarka: {name}"), Text(f"Profil: {profile.name} ({profile.title})"))
    _say(job, Text(_current(profile)), Rule(), Text("1. LITERY", bold=True))
    _say(job, Text(ABOUT_LETTERS))
    pages = dict.fromkeys(((profile.code_page, profile.encoding), *POLISH_PAGES))
    for page, encoding in pages:
        job.foreign_line(f"{page:3} {encoding:6} {LETTERS}", page, encoding)
    _say(job, Rule(), Text("2. SZEROKOŚĆ", bold=True))
    _say(job, Text("Najszersza ramka z całym prawym bokiem podaje dots. Linijka mieści się w jednym wierszu: columns."))
    for dots in (*(width for width in WIDTHS if width < profile.dots), profile.dots // 8 * 8):
        _say(job, Text(f"{dots} punktów"))
        job.picture(bitmap.of_frame(dots, FRAME_HEIGHT), Align.LEFT)
    _say(job, Text(_ruler(profile.columns_a), unbroken=True))
    _say(job, Rule(), Text("3. KODY QR", bold=True))
    _say(job, Text("Zeskanuj telefonem każdy kod. Czyta N: qr = native. Czyta tylko R: qr = raster."))
    for length, label in ((EC_LINK, "klucz EC"), (RSA_LINK, "klucz RSA")):
        _codes(job, length, label)
    job.end()
    return job.data()


def advice(profile: Profile) -> str:
    """Return what to do with the slip, for the screen."""
    return "\n".join(
        (
            _current(profile),
            "Obejrzyj wydruk i w razie potrzeby zmień w sekcji [[printer]]:",
            "  1. Litery: numer i nazwa wiersza z poprawnymi polskimi literami -> code_page, encoding.",
            "  2. Szerokość: najszersza ramka z całym prawym bokiem -> dots; zawinięta linijka -> mniejsze columns.",
            '  3. Kody QR: telefon czyta kody N -> qr = "native"; zamiast kodu N jest tekst lub nic -> qr = "raster".',
            "  4. Brak odcięcia papieru -> cutter = false. Wydruk bez potwierdzenia -> answers = false.",
        )
    )


def _current(profile: Profile) -> str:
    return (
        f"Ustawione: dots = {profile.dots}, columns = {profile.columns_a}, code_page = {profile.code_page}, "
        f"encoding = {profile.encoding}, qr = {profile.qr.value}"
    )


def _codes(job: Job, length: int, label: str) -> None:
    """Print a link of so many characters in every size that fits, by the printer (N) and by us (R)."""
    payload = _payload(length)
    fitting = [dots for dots in MODULES if (qr.side(length) + 2 * qr.QUIET) * dots <= job.profile.dots]
    for dots in fitting:
        if length <= job.profile.qr_native_limit:
            job.native_code(payload, dots)
            _say(job, Text(f"N{dots} ({label})", align=Align.CENTER))
        job.picture(bitmap.of_code(payload, dots))
        _say(job, Text(f"R{dots} ({label})", align=Align.CENTER))
    if not fitting:
        _say(job, Text(f"{label}: kod nie mieści się na tym papierze"))


def _payload(length: int) -> bytes:
    head = "https://ksef.podatki.gov.pl/?wydruk-probny="
    return (head + "0123456789-_" * length)[:length].encode("ascii")


def _ruler(columns: int) -> str:
    return ("....:....|" * (columns // 10 + 1))[:columns]


def _say(job: Job, *elements: Text | Rule) -> None:
    for item in lay_out(Receipt("", elements), sheet(job.profile)):
        assert not isinstance(item, Code)
        job.line(item)
