"""Schemas: fa3/ (official XSD, placed at build), api/ (our own)."""

from __future__ import annotations

from pathlib import Path

FA3_FILES = (
    "schemat_FA(3)_v1-0E.xsd",
    "StrukturyDanych_v10-0E.xsd",
    "ElementarneTypyDanych_v10-0E.xsd",
    "KodyKrajow_v10-0E.xsd",
)
_PACKAGED = Path(__file__).parent / "fa3"


class SchemasMissing(FileNotFoundError):
    """The official XSD files are not there. The message is Polish: a technician reads it."""


def load(directory: Path | None = None) -> dict[str, bytes]:
    """Read the FA(3) schema and the three files it refers to: file name -> content.

    ``directory`` (setting schemas.dir) replaces the packaged files as a whole; there the names are free, as the
    Ministry changes them with the version. SchemasMissing where files are missing or cannot be read.
    """
    place = directory or _PACKAGED
    try:
        found = {path.name: path.read_bytes() for path in sorted(place.glob("*.xsd"))}
    except OSError as error:
        raise SchemasMissing(f"Nie można odczytać schematów FA(3) z katalogu {place}: {error.strerror}.") from error
    if directory is not None:
        if not found:
            raise SchemasMissing(f"W katalogu {place} nie ma żadnego pliku .xsd (ustawienie schemas.dir).")
        return found
    missing = [name for name in FA3_FILES if name not in found]
    if missing:
        raise SchemasMissing(
            f"W katalogu {place} brakuje plików: {', '.join(missing)}. "
            "Zainstaluj program ponownie (pliki Ministerstwa dokłada budowanie pakietu)."
        )
    return {name: found[name] for name in FA3_FILES}
