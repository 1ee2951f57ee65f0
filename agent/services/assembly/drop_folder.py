"""The watch over a folder that other systems put files into, joined where the settings name one."""

from __future__ import annotations

from agent.ports import DropFolder
from agent.services.assembly.services import Services
from agent.services.exchange.answers import Answers, View
from agent.services.exchange.taker import Taker
from agent.services.exchange.updates import Updates
from agent.services.exchange.watcher import DropFolderWatch


def drop_folder_watch(services: Services, folder: DropFolder, view: View) -> DropFolderWatch:
    """Join what watches a folder; alerts know of its trouble from now on. ``view``: how the API writes documents."""
    settings, ports = services.settings.drop_folder, services.ports
    answers = Answers(
        folder,
        store=ports.store,
        pending=services.pending,
        papers=services.papers,
        renderer=ports.renderer,
        view=view,
        results=settings.results,
    )
    watch = DropFolderWatch(
        folder,
        clock=ports.clock,
        issuing=services.issuing,
        taker=Taker(folder, services.intake, answers, clock=ports.clock, settings=settings),
        updates=Updates(ports.store, answers, ports.clock),
        changed=services.changed,
        settings=settings,
    )
    services.judge.folder_problems = lambda: watch.problems
    return watch
