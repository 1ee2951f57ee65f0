"""The profile of a printer of the settings: by its name, with the overrides.

Single values are what the settings allow (their rules stand beside the fields); looked at here is only what needs the
profile, the code pages or another setting.
"""

from __future__ import annotations

import codecs
from dataclasses import replace

from agent.domain.errors import ConfigError
from printers.profiles.models import PROFILES, Answers, Profile, QrMode
from printers.settings import PrinterSettings


def profile_for(settings: PrinterSettings) -> Profile:
    """Return the printer's profile with the overrides of its settings. ConfigError names every mistake."""
    problems = _problems(settings)
    if problems:
        raise ConfigError(tuple(f"Drukarka „{settings.name}”: {problem}" for problem in problems))
    base = _base(settings)
    dots = base.dots if settings.dots is None else settings.dots
    return replace(
        base,
        dots=dots,
        dpi=base.dpi if settings.dpi is None else settings.dpi,
        columns_a=_columns(settings.columns, base.columns_a, base.dots, dots),
        columns_b=_columns(settings.columns_small, base.columns_b, base.dots, dots),
        code_page=base.code_page if settings.code_page is None else settings.code_page,
        encoding=base.encoding if settings.encoding is None else settings.encoding,
        qr=base.qr if settings.qr is None else QrMode(settings.qr),
        answers=_answers(base, settings),
        cutter=base.cutter if settings.cutter is None else settings.cutter,
    )


def _base(settings: PrinterSettings) -> Profile:
    """Return the profile by its name: one of ours, or of python-escpos's database (``escpos:MODEL``)."""
    if settings.profile.startswith("escpos:"):
        from printers.profiles import python_escpos  # noqa: PLC0415 - the database is read only where it is asked for

        return python_escpos.profile_of(settings)
    base = PROFILES.get(settings.profile)
    if base is None:
        known = ", ".join(PROFILES)
        message = f"Drukarka „{settings.name}”: nieznany profil „{settings.profile}”. Znane: {known}, escpos:MODEL."
        raise ConfigError((message,))
    return base


def _columns(wanted: int | None, base: int, base_dots: int, dots: int) -> int:
    """Keep the character's width where only the paper's width was overridden."""
    if wanted is not None:
        return wanted
    return base if dots == base_dots else dots // (base_dots // base)


def _answers(base: Profile, settings: PrinterSettings) -> Answers:
    """A raw file or a spooler brings no answers back, unless the settings insist (/dev/usb/lp0 can)."""
    if settings.answers is None:
        return Answers.NONE if settings.connection in ("file", "cups") else base.answers
    if not settings.answers:
        return Answers.NONE
    return Answers.GS_R if base.answers is Answers.NONE else base.answers


def _problems(settings: PrinterSettings) -> list[str]:
    problems: list[str] = []
    if settings.encoding is not None and not _single_byte(settings.encoding):
        problems.append(f"encoding = „{settings.encoding}”: nieznana strona kodowa (np. cp852, cp1250, cp1257).")
    if settings.connection == "cups" and settings.answers:
        problems.append("answers = true: CUPS nie przekazuje odpowiedzi drukarki.")
    return problems


def _single_byte(encoding: str) -> bool:
    """A code page: every character one byte, and ASCII where ASCII is."""
    try:
        codecs.lookup(encoding)
        return len("ąŁé".encode(encoding, "replace")) == 3 and "A~".encode(encoding) == b"A~"
    except (LookupError, UnicodeError):
        return False
