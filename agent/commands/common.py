"""What all commands share: --config and the settings read from it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import click

from agent.config import Settings
from agent.settings_file import find_config, load

P = ParamSpec("P")
R = TypeVar("R")

_OPTION = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings (default: $KSEF_AGENT_CONFIG, /etc/ksef-agent/config.toml, ./config.toml).",
)


def config_option(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Add --config and pass ``settings``; all mistakes of the settings come out as one ConfigError."""
    return _pass_settings(command, need_files=True)


def config_option_without_files(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """As config_option, for commands that make the files the settings name (enroll) or tell about them (check)."""
    return _pass_settings(command, need_files=False)


def _pass_settings(command: Callable[Concatenate[Settings, P], R], *, need_files: bool) -> Callable[..., R]:
    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        config_file = cast(Path | None, kwargs.pop("config_file", None))
        settings = load(find_config(config_file), need_files=need_files)
        return command(settings, *args, **kwargs)

    return _OPTION(wrapper)
