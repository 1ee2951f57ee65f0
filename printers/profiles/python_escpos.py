"""Profiles out of python-escpos's printer database: ``profile = "escpos:TM-T20II"``.

Only the data file is read: the library's own loader takes a third of a second, configures logging, prints to stdout
and leaves a folder in the temporary directory at every start. What the database does not know, or says in a way that
would spoil the paper, the settings have to say; each such case is named:

  no width              "Unknown" or absent: RP326, TEP-200M, default, ...
  columns below 20      NT-80-V-UL: these are the width of a letter in dots, turned into columns here
  no font B             ZJ-5870
  no CP852              TM-T88III, TM-T88IV-SA, T-1, simple: Polish letters would become question marks
  CP852 several times   18 (Epson's number) where it is among them, else the lowest: the higher ones are often copies
  Star's own commands   TSP600, TUP500, SP2000: these are not ESC/POS
  no QR, no raster      customer displays, TM-U220
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, Final

from agent.domain.errors import ConfigError
from printers.profiles.models import PROFILES, Profile, QrMode
from printers.settings import PrinterSettings

PREFIX: Final = "escpos:"
EPSON_CP852: Final = 18
SMALLEST_COLUMNS: Final = 20
DOTS_PER_INCH: Final = 203
WIDEST: Final = 576
UNKNOWN_PRINTER: Final = "generic-80"
"""Where answers and the longest QR come from for models that only the database knows: GS r, 255 bytes."""

SAME_PRINTER: Final = {
    "TM-T20II": "epson-tm-t20",
    "TM-T20II-42col": "epson-tm-t20-42",
    "TM-T88III": "epson-tm-t88iii",
    "TM-T88IV": "epson-tm-t88",
    "TM-T88V": "epson-tm-t88",
    "CT-S651": "citizen-ct-s",
    "RP326": "xprinter-80",
    "POS-5890": "pos-58",
    "ZJ-5870": "pos-58",
    "NT-5890K": "nt-5890k",
    "Sunmi-V2": "sunmi-v2",
}
"""Models that our own profiles know too: what the database does not hold (answers, longest QR) is taken from there."""


def names() -> tuple[str, ...]:
    """Return the database's models as a setting takes them, the impossible ones included."""
    return tuple(PREFIX + model for model in _database())


def title(name: str) -> str:
    """Return maker and model of a profile of ``names``."""
    return _title(_database()[name.removeprefix(PREFIX)])


def profile_of(settings: PrinterSettings) -> Profile:
    """Return the profile that ``settings.profile`` names. ConfigError says everything the settings must add."""
    model = settings.profile.removeprefix(PREFIX)
    entry = _database().get(model)
    if entry is None:
        raise _wrong(settings, f"python-escpos nie zna takiego modelu. Zna: {', '.join(_database())}.")
    features = {feature for feature, present in entry["features"].items() if present}
    if "starCommands" in features:
        raise _wrong(settings, "ten model mówi językiem Star. Przełącz go na ESC/POS i ustaw profile = „star-escpos”.")
    if not features & {"qrCode", "bitImageRaster"}:
        raise _wrong(settings, "ten model nie drukuje kodów QR ani grafiki (GS v 0), więc nie wydrukuje faktury.")
    missing: list[str] = []
    dots = settings.dots or _pixels(entry)
    if dots is None:
        missing.append("baza nie zna szerokości wydruku: ustaw dots, np. 576 (80 mm) albo 384 (58 mm).")
        dots = WIDEST
    columns_a = settings.columns or _columns(entry, "0", dots)
    if columns_a is None:
        missing.append("baza nie zna czcionki A: ustaw columns, np. 48 dla 576 punktów.")
    columns_b = settings.columns_small or _columns(entry, "1", dots)
    if columns_b is None:
        missing.append("baza nie zna czcionki B: ustaw columns_small, np. 42 dla 384 punktów.")
    page = _cp852(entry) if settings.code_page is None or settings.encoding is None else settings.code_page
    if page is None:
        missing.append("baza nie zna strony CP852, polskie litery by zginęły: ustaw code_page i encoding.")
    if columns_a is None or columns_b is None or page is None or missing:
        raise _wrong(settings, *missing)
    return replace(
        PROFILES[SAME_PRINTER.get(model, UNKNOWN_PRINTER)],
        name=settings.profile,
        title=_title(entry),
        dots=dots,
        dpi=_number(entry["media"].get("dpi")) or DOTS_PER_INCH,
        columns_a=columns_a,
        columns_b=columns_b,
        code_page=page,
        encoding="cp852",
        qr=QrMode.NATIVE if "qrCode" in features else QrMode.RASTER,
        cutter=bool(features & {"paperFullCut", "paperPartCut"}),
    )


def _title(entry: dict[str, Any]) -> str:
    vendor, name = str(entry["vendor"]), str(entry["name"])
    return name if name.startswith(vendor) else f"{vendor} {name}"


def _pixels(entry: dict[str, Any]) -> int | None:
    return _number(entry["media"].get("width", {}).get("pixels"))


def _number(value: object) -> int | None:
    """Return a number of the database, which writes "Unknown" where it has none."""
    return value if isinstance(value, int) else None


def _columns(entry: dict[str, Any], font: str, dots: int) -> int | None:
    """Return the characters of a line; None where the database has no such font."""
    if font not in entry["fonts"]:
        return None
    columns = int(entry["fonts"][font]["columns"])
    return columns if columns >= SMALLEST_COLUMNS else dots // columns


def _cp852(entry: dict[str, Any]) -> int | None:
    pages = [int(page) for page, encoding in entry["codePages"].items() if encoding == "CP852"]
    if EPSON_CP852 in pages:
        return EPSON_CP852
    return min(pages, default=None)


def _wrong(settings: PrinterSettings, *problems: str) -> ConfigError:
    return ConfigError(tuple(f"Drukarka „{settings.name}”, profil „{settings.profile}”: {each}" for each in problems))


@cache
def _database() -> dict[str, dict[str, Any]]:
    """Read the file beside the library's code; importing the package itself is cheap and silent."""
    file = resources.files("escpos") / "capabilities.json"
    profiles: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["profiles"]
    return profiles
