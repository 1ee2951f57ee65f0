"""Tokens of tills and managers: tokens.json in the data directory holds their SHA-256, never themselves.

    [{"name": "kasa 1", "role": "cashier", "sha256": "…64 hexadecimal digits…"}]

A token has 256 random bits, so a plain hash is enough: there is nothing to guess.
The file is read again when it changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Final

from agent.domain.callers import Caller, Role
from agent.domain.errors import Conflict, NotFound, Unavailable
from agent.domain.values import dataclass
from agent.system.durable_files import require_file, write_as_folder_owner
from agent.system.os_errors import polish_reason

FILE_NAME: Final = "tokens.json"
COMMANDS_FILE: Final = "commands-token"
"""Readable by the agent's user only: whoever can read it may run commands."""
COMMANDS_NAME: Final = "polecenia"
LEAST_LETTERS: Final = 32
"""Of a token made elsewhere: a plain hash protects only what nobody can guess."""
PREFIX: Final = "ksef-"
"""Makes a token that leaked into a log or a repository findable."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One line of tokens.json."""

    name: str
    role: Role
    sha256: str


class Tokens:
    """Knows who a bearer token belongs to; changes are seen at the next request."""

    def __init__(self, path: Path) -> None:
        """``path``: tokens.json; it need not exist yet."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._entries: tuple[TokenEntry, ...] = ()

    @classmethod
    def in_directory(cls, data_dir: Path) -> Tokens:
        """Tokens of an agent's data directory."""
        return cls(data_dir / FILE_NAME)

    async def caller(self, token: str) -> Caller | None:
        """Return who this token belongs to, None where nobody. Unavailable where the file is damaged."""
        # Every request asks: waking a thread costs ten times as much as a look whether the file has changed.
        entries = self._entries if self._is_current() else await asyncio.to_thread(self.list)
        digest = _digest(token)
        found: TokenEntry | None = None
        for entry in entries:  # all of them, so that the time does not tell which one was near
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return Caller(found.name, found.role) if found else None

    def _is_current(self) -> bool:
        """Tell whether the entries are those of the file as it is now."""
        try:
            return self._seen is not None and self._seen == self._version()
        except OSError:
            return False

    def _version(self) -> tuple[int, int, int]:
        """Return what changes whenever the file does. OSError where it is none."""
        require_file(self._path)
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size

    def list(self) -> tuple[TokenEntry, ...]:
        """Return all entries as the file has them now."""
        try:
            version = self._version()
            if version != self._seen:
                self._entries = _parse(self._path.read_bytes())
                self._seen = version
        except FileNotFoundError:
            self._entries, self._seen = (), None
        except (OSError, ValueError, RecursionError) as error:
            self._seen = None
            raise Unavailable(
                f"Nie można odczytać listy kodów dostępu ({self._path.name}). Zawiadom serwis.",
                code="tokens-unreadable",
            ) from error
        return self._entries

    def problem(self) -> str | None:
        """Say for technicians why nobody is let in, and what helps; None where the file is sound, or not there yet."""
        if self._is_current():
            return None
        try:
            self.list()
        except Unavailable as error:
            cause = error.__cause__
            why = polish_reason(cause) if isinstance(cause, OSError) else "jest uszkodzony"
            return (
                f"Listy kodów dostępu nie da się odczytać ({self._path}: {why}); kasa nie przyjmuje żadnych żądań. "
                "Napraw uprawnienia pliku albo przenieś go gdzie indziej i nadaj kody od nowa: ksef-agent token add."
            )
        return None

    def add(self, name: str, role: Role) -> str:
        """Make a token and return it; it is kept nowhere. Conflict where the name is taken."""
        token = PREFIX + secrets.token_urlsafe(32)
        self.put(name, role, token)
        return token

    def put(self, name: str, role: Role, token: str) -> None:
        """Store a token made elsewhere (sandbox, provisioning). Conflict where the name is taken."""
        entries = self.list()
        if any(entry.name == name for entry in entries):
            raise Conflict(f"Kod dostępu o nazwie „{name}” już istnieje. Najpierw go wycofaj.", code="token-name-taken")
        self._write((*entries, TokenEntry(name, role, _digest(token))))

    def ensure(self, name: str, role: Role, token: str) -> bool:
        """See that NAME has this token, made elsewhere, and this role; return whether something was changed.

        Whatever it had before is refused from the next request on. Conflict where another name has the same token.
        """
        entries = self.list()
        wanted = TokenEntry(name, role, _digest(token))
        if wanted in entries:
            return False
        others = tuple(entry for entry in entries if entry.name != name)
        for entry in others:
            if entry.sha256 == wanted.sha256:
                raise Conflict(f"Ten kod dostępu ma już nazwa „{entry.name}”.", code="token-taken")
        self._write((*others, wanted))
        return True

    def revoke(self, name: str) -> None:
        """Take a token back; running agents refuse it from the next request on. NotFound where there is none."""
        entries = self.list()
        kept = tuple(entry for entry in entries if entry.name != name)
        if len(kept) == len(entries):
            raise NotFound(f"Nie ma kodu dostępu o nazwie „{name}”.", code="token-name-unknown")
        self._write(kept)

    def _write(self, entries: tuple[TokenEntry, ...]) -> None:
        text = json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2) + "\n"
        write_as_folder_owner(self._path, text.encode())


def ensure_token(tokens: Tokens, data_dir: Path) -> str:
    """Return the token of this machine's commands (manager), making it where needed; its file is the agent's alone."""
    file = data_dir / COMMANDS_FILE
    for entry in tokens.list():
        if entry.name == COMMANDS_NAME:
            token = _kept(file)
            if _digest(token) == entry.sha256:
                return token
            tokens.revoke(COMMANDS_NAME)
    token = PREFIX + secrets.token_urlsafe(32)
    write_as_folder_owner(file, token.encode("ascii"))  # a command of root may be the first that needs it
    tokens.put(COMMANDS_NAME, Role.MANAGER, token)
    return token


def _kept(file: Path) -> str:
    """Return the token in the file; empty where it is missing, damaged or somebody else's: another one is made."""
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()  # a header may hold any bytes


class _Damaged(ValueError):
    """tokens.json is not what `token add` writes."""


def _parse(data: bytes) -> tuple[TokenEntry, ...]:
    """Read tokens.json; ValueError where it is not what `token add` writes."""
    items = json.loads(data)
    if not isinstance(items, list):
        raise _Damaged("not a list")
    return tuple(_entry(item) for item in items)


def _entry(item: object) -> TokenEntry:
    match item:
        case {"name": str(name), "role": str(role), "sha256": str(digest)} if _DIGEST.fullmatch(digest):
            return TokenEntry(name, Role(role), digest)
    raise _Damaged("an entry lacks name, role or sha256")
