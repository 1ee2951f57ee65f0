"""docs/commands.md: every command ends with the codes it documents."""

from __future__ import annotations

from pathlib import Path

import click

from tests.fakes.command_line import subcommands

ROOT = Path(__file__).parents[3]
COMMANDS = {
    " ".join(words): each
    for words, each in subcommands().items()
    if not isinstance(each, click.Group) or each.invoke_without_command
}
