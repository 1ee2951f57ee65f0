"""The two HTTP listeners: the till's (loopback, tokens) and HQ's (read-only)."""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agent.domain.errors import ConfigError
from agent.system.os_errors import why
from agent.web.api import till_app
from agent.web.health import health_app

if TYPE_CHECKING:
    from agent.app import Agent

STOP_SECONDS = 25.0
REASONS = {
    errno.EADDRINUSE: "zajmuje go inny program; zatrzymaj go albo zmień port w ustawieniach",
    errno.EADDRNOTAVAIL: "tego adresu nie ma na tym komputerze; popraw host w ustawieniach",
    errno.EACCES: "brak uprawnień; wybierz port od 1024 wzwyż",
}
"""What a technician can do about it."""


def without_foreign_bytes(record: logging.LogRecord) -> bool:
    """Log what is no HTTP in one line: the traceback would quote the header, which may hold a token."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        record.msg = f"{record.msg}: not HTTP"
    return True


@asynccontextmanager
async def listening(agent: Agent, *, open_token: str | None = None) -> AsyncIterator[None]:
    """Listen on both addresses; a taken port is one clear sentence and nothing half started.

    ``open_token``: for the demo only, the till page opens without asking for a token.
    """
    logging.getLogger("aiohttp.server").addFilter(without_foreign_bytes)
    settings = agent.settings
    app = till_app(agent.till, agent.tokens, settings.api, settings.page, open_token=open_token)
    till = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, access_log=None)
    health = web.AppRunner(health_app(agent.till), shutdown_timeout=1.0, access_log=None)
    await till.setup()
    await health.setup()
    try:
        await _listen(till, settings.api.host, settings.api.port, "kasy")
        await _listen(health, settings.health.host, settings.health.port, "nadzoru (health)")
        yield
    finally:
        await till.cleanup()
        await health.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int, whom: str) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or why(error)
        raise ConfigError((f"Nie można otworzyć portu {port} na adresie {host} dla {whom}: {reason}.",)) from error
