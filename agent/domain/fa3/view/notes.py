"""What is told besides: DodatkowyOpis, the registers of Stopka, Zalacznik."""

from __future__ import annotations

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class NoteView:
    """DodatkowyOpis; ``line`` where it belongs to one line."""

    key: str
    value: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Stopka/Rejestry."""

    full_name: str | None = None
    krs: str | None = None
    regon: str | None = None
    bdo: str | None = None


@dataclass(frozen=True, slots=True)
class AttachedTable:
    """Zalacznik/BlokDanych/Tabela. Rows may be shorter than the header."""

    notes: tuple[tuple[str, str], ...]
    description: str | None
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttachedBlock:
    """Zalacznik/BlokDanych."""

    heading: str | None
    notes: tuple[tuple[str, str], ...]
    paragraphs: tuple[str, ...]
    tables: tuple[AttachedTable, ...]
