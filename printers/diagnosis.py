"""Why a printer cannot be reached, for the technician at `ksef-agent check`; a cashier reads status_bytes.Trouble."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from agent.system.os_errors import polish_reason
from printers.settings import PrinterSettings

CONNECT_SECONDS: Final = 5.0
REMEDIES: Final = {
    errno.ECONNREFUSED: "pod tym adresem coś działa, ale nie przyjmuje wydruków: sprawdź port (zwykle 9100)",
    errno.EHOSTUNREACH: "sprawdź adres, zasilanie drukarki i kabel sieciowy",
    errno.ENETUNREACH: "kasa nie ma drogi do tej sieci: sprawdź jej adres, maskę i bramę",
    errno.EACCES: "systemd lub zapora nie pozwala usłudze na to połączenie",
    errno.EPERM: "systemd lub zapora nie pozwala usłudze na to połączenie",
}


def one_device(printers: Sequence[PrinterSettings]) -> tuple[str, ...]:
    """Return a Polish sentence per printer that is the same device as one before it, and so can never stand in."""
    first: dict[tuple[str, str], str] = {}
    problems = []
    for printer in printers:
        way, remedy = _way(printer)
        before = first.setdefault((printer.connection, way), printer.name)
        if before != printer.name:
            problems.append(f"Drukarki „{before}” i „{printer.name}” to to samo urządzenie ({way}): {remedy}.")
    return tuple(problems)


def _way(printer: PrinterSettings) -> tuple[str, str]:
    """Return what is at the other end, and what to do where that is meant to be two."""
    match printer.connection:
        case "tcp":
            return f"{printer.host}:{printer.port}", "popraw host"
        case "usb":
            model = printer.device.lower()
            return model, f"podaj też gniazdo USB (lsusb -t), np. „{model}@1-4”"
        case _:
            return printer.device, "popraw device"


async def cause(printer: PrinterSettings, which: Callable[[str], str | None] = shutil.which) -> str | None:
    """Return in Polish what stands in the way and what to do, None where nothing is found."""
    match printer.connection:
        case "tcp":
            return await _tcp(printer.host, printer.port)
        case "cups":
            missing = [name for name in ("lp", "lpstat") if which(name) is None]
            return f"nie ma programu {missing[0]}: zainstaluj pakiet cups-client" if missing else None
        case "file" | "serial":
            return _device(Path(printer.device))
        case _:
            return None


async def _tcp(host: str, port: int) -> str | None:
    place = f"{host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return f"nazwy „{host}” nie zna serwer DNS: wpisz adres IP drukarki albo popraw nazwę"
    except ValueError:
        return f"„{host}” nie jest adresem ani nazwą komputera: popraw host"
    except TimeoutError:
        return f"{place} milczy: sprawdź adres, zasilanie i kabel"
    except OSError as error:
        found = error.errno
        if found is None and isinstance(error.__cause__, OSError):
            found = error.__cause__.errno
        remedy = REMEDIES.get(found or 0)
        return f"{place}: {polish_reason(error)}" + (f"; {remedy}" if remedy else "")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


def _device(path: Path) -> str | None:
    try:
        path.stat()
    except ValueError:
        return f"„{path}” nie jest nazwą urządzenia: popraw device"
    except OSError as error:
        return f"{path}: {polish_reason(error)}; sprawdź kabel i nazwę urządzenia (dmesg pokazuje ją po podłączeniu)"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path}: brak uprawnień; użytkownik usługi musi być w grupie tego urządzenia (ls -l {path})"
    return None
