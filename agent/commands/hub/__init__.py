"""`ksef-agent hub …`: one courier with a memory for all tills of a chain (docs/hub.md)."""

from __future__ import annotations

import click

from agent.commands.hub import backup, certificates, check, demo, parties, people, run, state, till_import, tls


@click.group("hub")
def command() -> None:
    """The hub of a chain: takes its tills' invoices, brings them to KSeF, watches the tills."""


parties.till.add_command(till_import.till_import)
for each in (
    run.run,
    check.check,
    parties.seller,
    parties.till,
    people.token,
    certificates.certificate,
    state.status,
    state.drain,
    tls.tls,
    backup.backup,
    demo.demo,
):
    command.add_command(each)
