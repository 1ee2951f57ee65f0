"""`ksef-agent hub tls`: a CA of the chain's own, and the hub's certificate from it."""

from __future__ import annotations

from pathlib import Path

import click

from agent.system.durable_files import write_whole


@click.command("tls")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, required=True)
@click.option("--days", type=click.IntRange(1, 3650), default=825, show_default=True, help="Validity of hub.crt.")
def tls(directory: Path, names: tuple[str, ...], days: int) -> None:
    """Make hub.crt and hub.key for NAMES (host names, addresses) in DIRECTORY, and ca.crt for the tills.

    The CA is made once; again, it signs another certificate of the hub. ca.key belongs on no till and not on the hub.
    """
    from agent.hub.private_ca import issue  # noqa: PLC0415 - only this command needs it

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    existing = (directory / "ca.crt", directory / "ca.key")
    known = (existing[0].read_bytes(), existing[1].read_bytes()) if all(each.exists() for each in existing) else None
    made = issue(names, days=days, authority=known)
    for name, data, mode in (
        ("ca.crt", made.ca_certificate, 0o644),
        ("ca.key", made.ca_key, 0o600),
        ("hub.crt", made.certificate, 0o644),
        ("hub.key", made.key, 0o600),
    ):
        write_whole(directory / name, data, mode)
    click.echo(f'centrala: tls_certificate_file = "{directory / "hub.crt"}", tls_key_file = "{directory / "hub.key"}"')
    click.echo(f"kasy:     [hub] ca_file = kopia {directory / 'ca.crt'}")
    click.echo(f"Schowaj {directory / 'ca.key'} poza centralą: kto go ma, może się pod nią podszyć.", err=True)
