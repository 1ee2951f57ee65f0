"""Errors of the operating system in Polish: strerror() speaks the language of the process, not that of the till."""

from __future__ import annotations

import errno
from typing import Final

_WORDS: Final = {
    errno.EACCES: "brak uprawnień",
    errno.EPERM: "brak uprawnień",
    errno.ENOENT: "nie ma takiego pliku ani katalogu",
    errno.ENOTDIR: "część ścieżki nie jest katalogiem",
    errno.EISDIR: "to katalog, a nie plik",
    errno.EEXIST: "taki plik już istnieje",
    errno.ENOTEMPTY: "katalog nie jest pusty",
    errno.ENAMETOOLONG: "nazwa jest za długa",
    errno.ELOOP: "dowiązania wskazują na siebie nawzajem",
    errno.EXDEV: "pliki leżą na różnych dyskach",
    errno.ENOSPC: "brak miejsca na dysku",
    errno.EDQUOT: "przekroczono przydział miejsca na dysku",
    errno.EFBIG: "plik jest za duży dla tego dysku",
    errno.EROFS: "dysk jest tylko do odczytu",
    errno.EIO: "błąd dysku lub urządzenia",
    errno.EBUSY: "używa go inny program",
    errno.ETXTBSY: "używa go inny program",
    errno.EMFILE: "program ma otwartych za dużo plików",
    errno.ENFILE: "system ma otwartych za dużo plików",
    errno.ENOMEM: "brak pamięci",
    errno.ENODEV: "nie ma takiego urządzenia",
    errno.ENXIO: "nie ma takiego urządzenia",
    errno.ENOTSUP: "ten dysk lub urządzenie tego nie potrafi",
    errno.EADDRINUSE: "zajmuje go inny program",
    errno.EADDRNOTAVAIL: "tego adresu nie ma na tym komputerze",
    errno.ECONNREFUSED: "połączenie odrzucone",
    errno.ECONNRESET: "połączenie przerwane",
    errno.EPIPE: "połączenie przerwane",
    errno.ETIMEDOUT: "brak odpowiedzi",
    errno.EHOSTUNREACH: "brak połączenia z tym adresem",
    errno.ENETUNREACH: "brak połączenia z siecią",
}


def polish_reason(error: OSError) -> str:
    """Return the reason as the end of a Polish sentence, without a full stop."""
    if error.errno in _WORDS:
        return _WORDS[error.errno]
    if error.errno is None:
        return "błąd systemu"
    return f"błąd systemu nr {error.errno} ({errno.errorcode.get(error.errno, '?')})"
