"""What the handlers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from agent.hub.domain.records import Person, Till
from agent.hub.ports import HubStore
from agent.hub.services.administration import Administration
from agent.hub.services.books import BookQueries
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.services.fleet import Fleet
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.services.intake import Intake
from agent.hub.services.ksef_time import KsefTime
from agent.hub.services.outcomes import Outcomes
from agent.ports import Clock
from agent.services.background import BackgroundTasks

INTAKE: Final = web.AppKey("intake", Intake)
OUTCOMES: Final = web.AppKey("outcomes", Outcomes)
HEARTBEATS: Final = web.AppKey("heartbeats", Heartbeats)
OFFLINE_CERTIFICATES: Final = web.AppKey("offline-certificates", OfflineCertificates)
HUB_TASKS: Final = web.AppKey("hub-tasks", BackgroundTasks)
CLOCK: Final = web.AppKey("hub-clock", Clock)
KSEF_TIME: Final = web.AppKey("ksef-time", KsefTime)
HUB_STORE: Final = web.AppKey("hub-store", HubStore)
FLEET: Final = web.AppKey("fleet", Fleet)
BOOKS: Final = web.AppKey("books", BookQueries)
ADMINISTRATION: Final = web.AppKey("administration", Administration)
RATE_LIMITED: Final = web.AppKey("rate-limited", Mapping)
OPEN_TOKEN: Final = web.AppKey("open-token", str)
PERSON: Final = web.RequestKey("person", Person)
TILL: Final = web.RequestKey("till", Till)
