"""The till's HTTP on a whole agent with fakes: for tests of handlers, documents, commands and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from agent.domain.callers import Role
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings, PageSettings
from agent.web.api import till_app
from agent.web.health import health_app
from tests.fakes.world import World

CASHIER = {"Authorization": "Bearer kasjer"}
MANAGER = {"Authorization": "Bearer kierownik"}


def tokens_in(folder: Path) -> Tokens:
    """Tokens of a cashier (kasjer) and of a manager (kierownik)."""
    tokens = Tokens.in_directory(folder)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    tokens.put("kierownik", Role.MANAGER, "kierownik")
    return tokens


def till_http(
    place: World, tokens: Tokens, api: ApiSettings | None = None, page: PageSettings | None = None, **more: Any
) -> web.Application:
    """Application of the till's listener."""
    return till_app(place, tokens, api or ApiSettings(port=0), page, **more)


def health_http(place: World) -> web.Application:
    """Application of the health listener."""
    return health_app(place)
