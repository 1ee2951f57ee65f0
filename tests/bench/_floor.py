"""The least that a press can cost: a server that does what nobody can leave out, and nothing else.

The same HTTP server, JSON, validation by the official schema, one signature, one durable commit, and the same dialogue
with the same printer. The document and the bytes of its paper are those of an invoice that the agent issued before.

Usage: python -m tests.bench._floor FOLDER PRINTER_PORT; FOLDER holds invoice.xml, slip.bin and key.pem. Its port is the
first line of the output.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import sys
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import schemas
from agent.domain.fa3.schema import Fa3Schema
from agent.ports import Outcome
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from printers.printer_set import build


class Floor:
    """Answers POST / with the document's hash once it is durable and on paper."""

    def __init__(self, folder: Path, printer_port: int) -> None:
        self._xml = (folder / "invoice.xml").read_bytes()
        self._slip = (folder / "slip.bin").read_bytes()
        self._schema = Fa3Schema(schemas.load())
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._database = sqlite3.connect(folder / "floor.db", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=wal", "synchronous=extra", "wal_autocheckpoint=0"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE documents (sha256 BLOB, xml BLOB, body TEXT)")
        self._printer = build(
            [PrinterSettings(profile="epson-tm-t20", host="127.0.0.1", port=printer_port)], SystemClock()
        ).printer

    async def press(self, request: web.Request) -> web.Response:
        sale = json.loads(await request.read())
        self._schema.check(self._xml)
        digest = hashlib.sha256(self._xml).digest()
        self._key.sign(digest, ec.ECDSA(hashes.SHA256()))
        await asyncio.to_thread(self._commit, digest, json.dumps(sale))
        result = await self._printer.print(lambda _: self._slip, _no_note)
        assert result.outcome is Outcome.DONE, result
        return web.json_response({"sha256": digest.hex()}, status=201)

    def _commit(self, digest: bytes, body: str) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("INSERT INTO documents VALUES (?, ?, ?)", (digest, self._xml, body))
        self._database.execute("COMMIT")


async def _no_note(_name: str, _data: bytes) -> None:
    """Nothing is kept of the paper."""


async def serve(folder: Path, printer_port: int) -> None:
    """Serve until killed; the port is the only line on standard output."""
    application = web.Application()
    application.router.add_post("/", Floor(folder, printer_port).press)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
