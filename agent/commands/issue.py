"""`ksef-agent issue FILE`: the invoice of a sale (JSON), a ready FA(3) (XML), or the documents of an .epp (EDI++)."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import Any

import click

from agent.commands import remote
from agent.commands.common import config_option_without_files, show_json
from agent.domain.errors import Refused
from agent.domain.exchange.encoding import looks_like_exchange
from agent.domain.json_io.encoding import to_utf_8
from agent.settings.model import Settings

STDIN = "-"
_WORDS = {
    "issued": "wystawiono",
    "rejected": "KSeF odrzucił",
    "waiting": "czeka na numer KSeF",
    "skipped": "pominięto",
    "refused": "NIE WYSTAWIONO",
}


@click.command("issue")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--key", help="Idempotency key: the same key never makes a second invoice.")
@click.option("--receipt-nip", help="Of an FA(3) to a fiscal receipt (FP): the buyer's number as the receipt has it.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer.")
@config_option_without_files
def command(settings: Settings, file: Path, key: str | None, receipt_nip: str | None, as_json: bool) -> None:
    """Issue and print the invoice of the sale in FILE (JSON, FA(3) XML, or EDI++); "-" reads standard input.

    Without --key every call is a new sale; documents of EDI++ are told by their numbers. docs/api.md describes the
    sale. Exit code 1: nothing was issued, or KSeF rejected it.
    """
    body = sys.stdin.buffer.read() if str(file) == STDIN else file.read_bytes()
    ready = body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<"
    if receipt_nip is not None and not ready:
        raise click.UsageError("--receipt-nip goes with an FA(3) XML; a JSON sale says it as receipt.nip.")
    if looks_like_exchange(body):
        _exchange(settings, body, key, as_json=as_json)
        return
    content_type = "application/xml" if ready else "application/json"
    sent = body if ready else to_utf_8(body)
    query = None if receipt_nip is None else {"receipt_nip": receipt_nip}

    async def work(console: remote.Console) -> Any:
        used = remote.key_for(sent, key)
        return await console.json("POST", "/v1/invoices", body=sent, content_type=content_type, key=used, query=query)

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
    else:
        _tell(answer)
    remote.exit_with(answer)


def _tell(answer: Any) -> None:
    click.echo(f"{answer['number']}  {answer['state']}  {answer['ksef_number'] or 'bez numeru KSeF'}")
    click.echo(f"Tryb: {answer['mode']} ({answer['legal_basis']}). {answer['reason']}")
    if answer["deadline"] and not answer["ksef_number"]:
        click.echo(f"Termin przesłania do KSeF: {answer['deadline']}")
    click.echo(answer["hand_over"])


def _exchange(settings: Settings, body: bytes, key: str | None, *, as_json: bool) -> None:
    async def work(console: remote.Console) -> Any:
        used = remote.key_for(body, key)
        return await console.json("POST", "/v1/exchange", body=body, content_type="application/x-epp", key=used)

    answer = remote.run(settings, work)
    if as_json:
        show_json(answer, indent=2)
    else:
        for document in answer["documents"]:
            click.echo(_line(document))
    refused = [document for document in answer["documents"] if document["status"] in {"refused", remote.REJECTED}]
    if refused:
        raise Refused(f"Nie wystawiono dokumentów: {len(refused)} z {len(answer['documents'])}.")


def _line(document: Any) -> str:
    """One document for people."""
    invoice, problem = document["invoice"], document["problem"]
    parts = [document["name"], _WORDS[document["status"]]]
    if invoice is not None:
        parts += [invoice["number"], invoice["ksef_number"] or "bez numeru KSeF"]
    parts += [text for text in (problem and problem["detail"], document["note"]) if text]
    return "  ".join(parts)
