"""`ksef-agent hub tls`: a CA of the chain's own, and the hub's certificate from it."""

from __future__ import annotations

from pathlib import Path

import click

from agent.domain.errors import BadInput
from agent.system.durable_files import write_as_folder_owner


@click.command("tls")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, required=True)
@click.option("--days", type=click.IntRange(1, 3650), default=825, show_default=True, help="Validity of hub.crt.")
def tls(directory: Path, names: tuple[str, ...], days: int) -> None:
    """Make hub.crt and hub.key for NAMES (host names, addresses) in DIRECTORY, and ca.crt for the tills.

    The CA is made once; again, it signs another certificate of the hub, for which ca.key has to lie beside ca.crt once
    more. ca.key belongs on no till and not on the hub.

    Raises BadInput where one of the two is there without the other: a new CA in its place would lock out every till.
    """
    from agent.hub.private_ca import issue  # noqa: PLC0415 - only this command needs it

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = issue(names, days=days, authority=_authority(directory))
    for name, data, mode in (
        ("ca.crt", made.ca_certificate, 0o644),
        ("ca.key", made.ca_key, 0o600),
        ("hub.crt", made.certificate, 0o644),
        ("hub.key", made.key, 0o600),
    ):
        write_as_folder_owner(directory / name, data, mode)
    click.echo(f'centrala: tls_certificate_file = "{directory / "hub.crt"}", tls_key_file = "{directory / "hub.key"}"')
    click.echo(f"kasy:     [hub] ca_file = kopia {directory / 'ca.crt'}")
    click.echo(f"Schowaj {directory / 'ca.key'} poza centralą: kto go ma, może się pod nią podszyć.", err=True)


def _authority(directory: Path) -> tuple[bytes, bytes] | None:
    """Return certificate and key of the CA that is there, None where there is none yet."""
    certificate = directory / "ca.crt"
    key = directory / "ca.key"
    there = [each for each in (certificate, key) if each.exists()]
    if not there:
        return None
    if len(there) == 1:
        missing = key if there[0] == certificate else certificate
        raise BadInput(
            f"W {directory} jest {there[0].name}, a nie ma {missing.name}: połóż go obok. "
            "Nowy urząd certyfikacji powstaje tylko w katalogu bez obu: kasy zaufają mu dopiero z jego ca.crt.",
        )
    return certificate.read_bytes(), key.read_bytes()
