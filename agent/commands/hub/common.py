"""What the hub's commands share: --config, and a store opened for a moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from agent.commands.common import file_option, passing_settings
from agent.domain.identifiers import bare_nip
from agent.hub.app import open_store_beside
from agent.hub.ports import HubStore
from agent.hub.settings.load import find_hub_config, load_hub
from agent.hub.settings.model import HubSettings

ANSWER_SECONDS = 5.0
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_OPTION = file_option("$KSEF_AGENT_HUB_CONFIG, /etc/ksef-agent/hub.toml, ./hub.toml")


def hub_option(command: Callable[Concatenate[HubSettings, P], R]) -> Callable[..., R]:
    """Add --config and pass the hub's settings; all mistakes come out as one ConfigError."""
    return passing_settings(command, _OPTION, partial(_read, need_files=True), _data_dir)


def hub_option_without_files(command: Callable[Concatenate[HubSettings, P], R]) -> Callable[..., R]:
    """As hub_option, but does not look at the files the settings name: systemd's credentials are the service's."""
    return passing_settings(command, _OPTION, partial(_read, need_files=False), _data_dir)


def _read(file: Path | None, *, need_files: bool) -> HubSettings:
    return load_hub(find_hub_config(file), need_files=need_files)


def _data_dir(settings: HubSettings) -> Path:
    return settings.hub.data_dir


def serves(settings: HubSettings) -> bool:
    """Whether something answers where this machine's hub listens."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not opened
    host = everywhere.get(settings.hub.host, settings.hub.host)
    try:
        socket.create_connection((host, settings.hub.port), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def with_store(settings: HubSettings, work: Callable[[HubStore], Awaitable[T]]) -> T:
    """Open the hub's store, also beside a running hub, and return what ``work`` does with it."""

    async def run() -> T:
        store = await open_store_beside(settings)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def one_nip(_: click.Context, __: click.Parameter, value: str) -> str:
    """Take a NIP as people write it, dashes, spaces and PL included; whether it is one is asked later."""
    return bare_nip(value)
