"""What the hub's commands share: --config, and a store opened for a moment."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import click

from agent.commands.common import step_down
from agent.domain.identifiers import bare_nip
from agent.hub.app import open_store_beside
from agent.hub.ports import HubStore
from agent.hub.settings.load import find_hub_config, load_hub
from agent.hub.settings.model import HubSettings

ANSWER_SECONDS = 5.0
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_OPTION = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings (default: $KSEF_AGENT_HUB_CONFIG, /etc/ksef-agent/hub.toml, ./hub.toml).",
)


def hub_option(command: Callable[Concatenate[HubSettings, P], R]) -> Callable[..., R]:
    """Add --config and pass the hub's settings; all mistakes come out as one ConfigError."""
    return _pass_settings(command, need_files=True)


def hub_option_without_files(command: Callable[Concatenate[HubSettings, P], R]) -> Callable[..., R]:
    """As hub_option, but does not look at the files the settings name: systemd's credentials are the service's."""
    return _pass_settings(command, need_files=False)


def _pass_settings(command: Callable[Concatenate[HubSettings, P], R], *, need_files: bool) -> Callable[..., R]:
    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        config_file = cast(Path | None, kwargs.pop("config_file", None))
        settings = load_hub(find_hub_config(config_file), need_files=need_files)
        step_down(settings.hub.data_dir)
        return command(settings, *args, **kwargs)

    return _OPTION(wrapper)


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
