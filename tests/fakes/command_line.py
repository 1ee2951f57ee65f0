"""The command line as main() runs it, in this process; every command by its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from agent import cli


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


Run = Callable[..., Ran]


def subcommands() -> dict[tuple[str, ...], click.Command]:
    """Every command and every command of a group, by its words."""
    found: dict[tuple[str, ...], click.Command] = {}

    def take(words: tuple[str, ...], command: click.Command) -> None:
        found[words] = command
        for inner, each in command.commands.items() if isinstance(command, click.Group) else ():
            take((*words, inner), each)

    for name in cli.COMMANDS:
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        take((name,), command)
    return found
