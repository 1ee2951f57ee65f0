"""The command line: one lazy group, so `ksef-agent --help` and `deadline` do not load the whole agent.

Each command lives in agent/commands/<module>.py as a click command named ``command``.
Exit codes: 0 done, 1 refused or found wanting, 2 wrong use.
"""

from __future__ import annotations

import importlib
import sys

import click

from agent import __version__
from agent.domain.errors import AgentError

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run the agent."),
    "demo": ("demo", "One of every paper through the embedded sandbox."),
    "sandbox": ("sandbox", "Run the embedded KSeF, Latarnia and printer."),
    "check": ("check", "Check settings, certificates, clock, printer, KSeF, disk: every problem at once."),
    "issue": ("issue", "Issue the invoice of a sale in FILE."),
    "status": ("status", "Show mode, queue and problems."),
    "queue": ("queue", "List invoices that KSeF does not have yet."),
    "sync": ("sync", "Send what waits, now."),
    "mode": ("mode", "Show, declare or withdraw a mode."),
    "deadline": ("deadline", "Explain the deadline for sending an invoice."),
    "register": ("register", "The register of invoices and the JPK markers."),
    "evidence": ("evidence", "Export or verify the evidence for an auditor."),
    "reprint": ("reprint", "Print an invoice again."),
    "print-test": ("print_test", "Print the calibration slip."),
    "enroll": ("enroll", "Get a KSeF certificate."),
    "token": ("token", "Tokens of tills and managers."),
    "backup": ("backup", "Copy the database while the agent runs."),
    "restore": ("restore", "Put a backup back in place."),
    "correct": ("correct", "Correct an invoice: return, price, buyer."),
    "export": ("export", "Export old invoices and make room."),
}


class LazyGroup(click.Group):
    """Loads a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"agent.commands.{entry[0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ksef-agent")
def cli() -> None:
    """KSeF till agent: invoices at the counter, online and offline."""


def main() -> None:
    """Run a command; an error of ours is one sentence on stderr and exit code 1."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except AgentError as error:
        click.echo(f"ksef-agent: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
