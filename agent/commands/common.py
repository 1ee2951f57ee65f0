"""What all commands share: --config, the settings read from it, whose rights a command has, JSON for programs."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Callable
from datetime import date
from functools import partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import click

from agent.commands import rights
from agent.commands.service_layers import read_settings
from agent.settings.model import Settings

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Function = TypeVar("Function", bound=Callable[..., object])


def file_option(places: str) -> Callable[[Function], Function]:
    """Return --config; ``places``: where the settings are looked for without it."""
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"Settings (default: {places}).",
    )


config_file_option = file_option("$KSEF_AGENT_CONFIG, /etc/ksef-agent/config.toml, ./config.toml")


def config_option(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Add --config and pass ``settings``; all mistakes, and files that cannot be read, come out as one ConfigError."""
    return passing_settings(command, config_file_option, partial(read_settings, need_files=True), _data_dir)


def config_option_without_files(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """As config_option, but does not look at the files the settings name.

    For commands that tell about these files, and for those that leave them to the running agent: systemd's credentials
    can be read by the service alone.
    """
    return passing_settings(command, config_file_option, partial(read_settings, need_files=False), _data_dir)


def _data_dir(settings: Settings) -> Path:
    return settings.data_dir


def passing_settings(
    command: Callable[Concatenate[S, P], R],
    option: Callable[[Callable[..., R]], Callable[..., R]],
    read: Callable[[Path | None], S],
    data_dir: Callable[[S], Path],
) -> Callable[..., R]:
    """Give a command the settings that ``read`` makes of --config, with the rights of who owns ``data_dir``."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        settings = read(cast(Path | None, kwargs.pop("config_file", None)))
        rights.step_down(data_dir(settings))
        return command(settings, *args, **kwargs)

    return option(wrapper)


def show_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON for programs. Where the locale is not UTF-8, letters beyond ASCII are escaped: none may be changed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    escaped = codecs.lookup(encoding).name != "utf-8"
    click.echo(json.dumps(value, ensure_ascii=escaped, indent=indent, default=plain))


def plain(value: object) -> str:
    """Give json.dumps(default=...) dates and instants as ISO 8601, anything else as its text."""
    return value.isoformat() if isinstance(value, date) else str(value)
