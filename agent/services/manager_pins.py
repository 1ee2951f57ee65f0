"""Managers' PINs for the till page: short, so guessed at most MOST_FAILURES times, ever, until somebody sets one anew.

    manager-pins.json           [{"name": "Anna", "salt": "…", "scrypt": "…"}], hexadecimal (`ksef-agent token pin`)
    manager-pin-failures.json   {"failures": 3, "last_at": "2026-11-28T10:00:00+00:00"}; written by the agent

A PIN is never a bearer token: it opens a session of the page (agent/web/manager_session.py), beside the till's token.
Every attempt is counted and synced before it is checked, so neither a crash nor a restart gives one away.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.domain.errors import BadInput, Conflict, FieldError, NotFound, NotPermitted, Unavailable
from agent.domain.values import dataclass
from agent.ports import Clock
from agent.system.durable_files import require_file, write_as_folder_owner

PINS_FILE: Final = "manager-pins.json"
FAILURES_FILE: Final = "manager-pin-failures.json"
DIGITS: Final = re.compile(r"[0-9]{6,12}")
MOST_PINS: Final = 10
MOST_FAILURES: Final = 10
"""In a row. Ten guesses of a million: one in a hundred thousand."""
FREE_FAILURES: Final = 3
FIRST_WAIT: Final = timedelta(seconds=30)
"""After FREE_FAILURES; each further failure doubles it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One line of manager-pins.json."""

    name: str
    salt: str
    scrypt: str


@dataclass(frozen=True, slots=True)
class _Failures:
    failures: int = 0
    last_at: datetime | None = None


class ManagerPins:
    """Sets and checks PINs."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        """``data_dir``: the agent's; the files need not exist yet."""
        self._pins = data_dir / PINS_FILE
        self._failures = data_dir / FAILURES_FILE
        self._clock = clock
        self._one_guess_at_a_time = asyncio.Lock()

    def names(self) -> tuple[str, ...]:
        """Return whose PINs there are. Unavailable where the file is damaged."""
        return tuple(entry.name for entry in self._entries())

    def set(self, name: str, pin: str) -> None:
        """Give ``name`` this PIN in place of an earlier one, and end every lock.

        BadInput for a PIN that is no 6 to 12 digits or is easily guessed; Conflict where another manager has it.
        """
        _require_fit(pin)
        others = [entry for entry in self._entries() if entry.name != name]
        if len(others) >= MOST_PINS:
            raise Conflict(f"PIN-ów kierowników może być najwyżej {MOST_PINS}.", code="too-many-pins")
        if any(_fits(entry, pin) for entry in others):
            raise Conflict("Ten PIN ma już inny kierownik. Wybierz inny.", code="pin-taken")
        salt = secrets.token_bytes(16)
        self._write([*others, PinEntry(name, salt.hex(), _scrypt(pin, salt).hex())])
        self._failures.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Take the PIN of ``name`` away. NotFound where there is none."""
        entries = self._entries()
        kept = [entry for entry in entries if entry.name != name]
        if len(kept) == len(entries):
            raise NotFound(f"Kierownik „{name}” nie ma PIN-u.", code="pin-unset")
        self._write(kept)

    async def check(self, pin: str) -> str:
        """Return whose PIN it is. NotPermitted (pin-wrong, pin-locked); NotFound (pin-unset) where there are none."""
        async with self._one_guess_at_a_time:
            entries = self._entries()
            if not entries:
                raise NotFound(
                    "Kierownik nie ma jeszcze PIN-u. Ustawia go serwis (ksef-agent token pin).", code="pin-unset"
                )
            before = self._read_failures()
            self._require_unlocked(before)
            failures = before.failures + 1
            self._write_failures(failures, self._clock.now())
            found = await asyncio.to_thread(_owner, entries, pin)
            if found is None:
                log.warning("wrong PIN of a manager, attempt %d", failures)
                raise NotPermitted(f"PIN jest błędny. {_what_next(failures)}", code="pin-wrong")
            self._failures.unlink(missing_ok=True)
            return found

    def _require_unlocked(self, before: _Failures) -> None:
        if before.failures >= MOST_FAILURES:
            raise NotPermitted(_BLOCKED, code="pin-locked")
        if before.last_at is None or before.failures < FREE_FAILURES:
            return
        now = self._clock.now()
        since = max(now - before.last_at, timedelta(0))  # a clock that was put back does not lengthen the wait for long
        wait = _wait(before.failures) - since
        if wait > timedelta(0):
            raise NotPermitted(f"Za dużo błędnych PIN-ów. Spróbuj za {_in_words(wait)}.", code="pin-locked")

    def _entries(self) -> list[PinEntry]:
        try:
            return [_entry(item) for item in json.loads(_bytes_of(self._pins))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise _unreadable(self._pins) from error

    def _read_failures(self) -> _Failures:
        try:
            return _counted(json.loads(_bytes_of(self._failures)))
        except FileNotFoundError:
            return _Failures()
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(self._failures) from error

    def _write(self, entries: list[PinEntry]) -> None:
        text = json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2) + "\n"
        write_as_folder_owner(self._pins, text.encode())

    def _write_failures(self, failures: int, at: datetime) -> None:
        text = json.dumps({"failures": failures, "last_at": at.isoformat()})
        write_as_folder_owner(self._failures, text.encode())


_BLOCKED: Final = (
    f"PIN kierownika jest zablokowany po {MOST_FAILURES} błędnych próbach. Serwis ustawi nowy (ksef-agent token pin); "
    "do tego czasu kierownik może podać kod dostępu."
)


def _entry(item: object) -> PinEntry:
    match item:
        case {"name": str(name), "salt": str(salt), "scrypt": str(digest)}:
            return PinEntry(name, bytes.fromhex(salt).hex(), bytes.fromhex(digest).hex())
    raise ValueError("name, salt and scrypt expected")


def _counted(item: object) -> _Failures:
    match item:
        case {"failures": int(failures), "last_at": str(last_at)} if datetime.fromisoformat(last_at).tzinfo is not None:
            return _Failures(failures, datetime.fromisoformat(last_at))
    raise ValueError("failures and last_at expected")


def _require_fit(pin: str) -> None:
    """Refuse what is no PIN, or among the first that anybody tries."""
    sentence = ""
    if not DIGITS.fullmatch(pin):
        sentence = "PIN to od 6 do 12 cyfr."
    elif len({(int(two) - int(one)) % 10 for one, two in pairwise(pin)}) == 1:
        sentence = "Ten PIN za łatwo zgadnąć: same takie same albo kolejne cyfry."
    if sentence:
        raise BadInput(sentence, errors=(FieldError("/pin", sentence, "weak-pin"),))


def _owner(entries: list[PinEntry], pin: str) -> str | None:
    found = [entry.name for entry in entries if _fits(entry, pin)]  # all of them, so that the time does not tell
    return found[0] if found else None


def _fits(entry: PinEntry, pin: str) -> bool:
    return hmac.compare_digest(_scrypt(pin, bytes.fromhex(entry.salt)).hex(), entry.scrypt)


def _scrypt(pin: str, salt: bytes) -> bytes:
    """RFC 7914: 32 MB and some tens of milliseconds a guess, for whoever has the file."""
    return hashlib.scrypt(pin.encode(), salt=salt, n=2**15, r=8, p=1, maxmem=64 * 2**20, dklen=32)


def _wait(failures: int) -> timedelta:
    return timedelta(0) if failures < FREE_FAILURES else FIRST_WAIT * 2 ** (failures - FREE_FAILURES)


def _what_next(failures: int) -> str:
    if failures >= MOST_FAILURES:
        return _BLOCKED
    left = f"Pozostałe próby: {MOST_FAILURES - failures}."
    wait = _wait(failures)
    return f"{left} Następna za {_in_words(wait)}." if wait else left


def _in_words(wait: timedelta) -> str:
    seconds = -(-wait // timedelta(seconds=1))
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"


def _bytes_of(path: Path) -> bytes:
    require_file(path)
    return path.read_bytes()


def _unreadable(path: Path) -> Unavailable:
    return Unavailable(f"Nie można odczytać pliku {path.name}. Zawiadom serwis.", code="pins-unreadable")
