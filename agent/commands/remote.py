"""How commands reach the agent: over HTTP where it runs, else an agent of their own for the length of the command.

Both ways go through the same HTTP API, so a command behaves alike with and without a running service.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import aiohttp
from aiohttp import web

from agent.domain.errors import Conflict, OutcomeUnknown, Refused, Unavailable
from agent.domain.values import dataclass
from agent.ports import Json
from agent.services.tokens import COMMANDS_FILE, ensure_token
from agent.settings.model import Settings
from agent.system.os_errors import polish_reason

T = TypeVar("T")
CALL_SECONDS = 300.0
REJECTED = "rejected"
OUTCOME_UNKNOWN = frozenset({"internal-error", "store-lost"})
"""Refusals that leave open whether it was done."""


@dataclass(frozen=True, slots=True)
class Console:
    """An HTTP conversation with the agent, as a manager."""

    base: str
    token: str
    session: aiohttp.ClientSession
    own: bool
    """True where this command is the agent."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        key: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the answer's body; Refused or Unavailable with the agent's own sentence otherwise."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = content_type
        if key is not None:
            headers["Idempotency-Key"] = key
        url = self.base + path
        try:
            async with self.session.request(method, url, data=body, headers=headers, params=query) as response:
                status, data = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broken(error, key, changes=method != "GET") from error
        if status < 400:
            return data
        raise _refusal(status, data, key)

    async def json(self, method: str, path: str, **more: object) -> Json:
        """Return the answer's JSON."""
        answer: Json = json.loads(await self.call(method, path, **more))  # type: ignore[arg-type]
        return answer


def run(settings: Settings, work: Callable[[Console], Awaitable[T]]) -> T:
    """Run ``work`` with a console."""

    async def inside() -> T:
        async with console(settings) as found:
            return await work(found)

    return asyncio.run(inside())


@asynccontextmanager
async def console(settings: Settings) -> AsyncIterator[Console]:
    """Find the running agent, or be one."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        base = settings.api.address
        token_file = settings.data_dir / COMMANDS_FILE
        if await _answers(session, base):
            yield Console(base, _read_token(token_file), session, own=False)
            return
        async with own_agent(settings) as (own_base, token):
            yield Console(own_base, token, session, own=True)


@asynccontextmanager
async def own_agent(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Be the agent, without listeners others could find: a free loopback port and a token of this run only."""
    from agent import app  # noqa: PLC0415 - heavy, and not needed where an agent runs
    from agent.web.api import till_app  # noqa: PLC0415

    app.require_data_dir(settings.data_dir)
    logging.getLogger("agent").setLevel(logging.ERROR)  # what a person should know is in the answer
    async with app.assembled(settings) as agent:
        await agent.announcements.poll()
        await agent.connection.probe()
        token = ensure_token(agent.tokens, settings.data_dir)
        api = till_app(agent, agent.tokens, settings.api, settings.page)
        runner = web.AppRunner(api, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}", token
            await agent.queue.pass_once()
            await agent.upos.pass_once()
        finally:
            await runner.cleanup()


def _read_token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unavailable(
            f"Program działa, ale nie można odczytać {file} ({polish_reason(error)}). "
            "Uruchom polecenie jako użytkownik programu albo root.",
            code="no-cli-token",
        ) from error


async def _answers(session: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with session.get(f"{base}/openapi.json", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _broken(error: Exception, key: str | None, *, changes: bool) -> Unavailable:
    """Say that no answer came: of what changes something nobody knows then whether it was done."""
    what = "przerwał połączenie"
    if isinstance(error, TimeoutError):
        what = f"nie odpowiedział w ciągu {CALL_SECONDS:.0f} s"
    if not changes:
        return Unavailable(f"Program {what}. Ponów polecenie.", code="no-answer")
    text = f"Program {what}. Nie wiadomo, czy polecenie się wykonało.{_repeat(key)}"
    return OutcomeUnknown(text, code="no-answer")


def _repeat(key: str | None) -> str:
    """Tell how to repeat without making anything twice."""
    return "" if key is None else f" Powtórz je z opcją --key {key}: nic nie powstanie drugi raz."


def _refusal(status: int, data: bytes, key: str | None) -> Exception:
    try:
        problem = json.loads(data)
        detail, code = str(problem["detail"]), str(problem["code"])
        errors = problem.get("errors", [])
    except (ValueError, KeyError, TypeError):
        return Unavailable(f"Program odpowiedział HTTP {status}.")
    lines = [f"  {error.get('pointer', '')}: {error.get('message', '')}" for error in errors]
    text = "\n".join([detail, *lines])
    if code in OUTCOME_UNKNOWN:
        return OutcomeUnknown(text + _repeat(key), code=code)
    return Unavailable(text, code=code) if status >= 500 else Refused(text, code=code)


def exit_with(answer: Json) -> NoReturn:
    """End a command that made or sent a document: exit code 1 where KSeF rejected it, whatever became of its paper."""
    rejected = isinstance(answer, Mapping) and answer.get("state") == REJECTED
    sys.exit(1 if rejected else 0)


def key_for(content: bytes, given: str | None) -> str:
    """Return the idempotency key: the caller's, or one that changes with every call."""
    if given is not None:
        return given
    if not content:
        raise Conflict("Plik jest pusty.")
    return f"cli-{secrets.token_hex(16)}"
