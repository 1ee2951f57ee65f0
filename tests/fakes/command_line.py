"""The command line as main() runs it, in this process; every command by its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from agent import command_line


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

    for name in command_line.COMMANDS:
        command = command_line.cli.get_command(click.Context(command_line.cli), name)
        assert command is not None
        take((name,), command)
    return found
