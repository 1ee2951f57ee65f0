"""The drop folder joined: the folder on its disk, the use cases, the API's way of writing answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.app import Agent
    from agent.services.exchange.watcher import DropFolderWatch


@contextmanager
def watched_folder(agent: Agent) -> Iterator[DropFolderWatch | None]:
    """Return what watches the folder of the settings, None where there is none."""
    settings = agent.settings.drop_folder
    if settings.path is None:
        yield None
        return
    # Most tills have no such folder, and would hold a quarter of a megabyte for it.
    from agent.services.assembly.drop_folder import drop_folder_watch  # noqa: PLC0415
    from agent.shared_folder import SharedFolder  # noqa: PLC0415
    from agent.web.answers import exchange  # noqa: PLC0415

    folder = SharedFolder(settings.path, agent.clock, till=agent.settings.till, mounted=settings.mounted)
    try:
        yield drop_folder_watch(agent, folder, exchange.written)
    finally:
        folder.close()
