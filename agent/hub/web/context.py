"""What the handlers share."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.hub.domain.records import Till
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.services.intake import Intake
from agent.hub.services.outcomes import Outcomes
from agent.ports import Clock
from agent.services.background import BackgroundTasks

INTAKE: Final = web.AppKey("intake", Intake)
OUTCOMES: Final = web.AppKey("outcomes", Outcomes)
HEARTBEATS: Final = web.AppKey("heartbeats", Heartbeats)
HUB_TASKS: Final = web.AppKey("hub-tasks", BackgroundTasks)
CLOCK: Final = web.AppKey("hub-clock", Clock)
TILL: Final = web.RequestKey("till", Till)
