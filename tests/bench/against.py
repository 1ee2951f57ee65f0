"""The same offline invoice with what a developer would pick: `ksef-client` and `qrcode` from PyPI.

Ours builds the FA(3) document, validates it by the official schema, hashes it, makes both links and both codes as
pictures for the printer. Theirs reads a finished document, hashes it, makes both links and both codes as PNG: they
neither build nor validate. What a developer would have to write for that is not free: it is counted on their side with
what ours takes for it. Both take turns. They live in an environment of their own under build/bench.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.domain.sale.parse import parse_sale
from agent.services.issuing.documents import BuiltDocument
from agent.services.issuing.plans import PlannedDocument
from printers.escpos import bitmap, qr
from tests.bench import _results as results
from tests.bench.press import milliseconds, sale
from tests.fakes import counter
from tests.fakes.agent_with_sandbox import CASHIER, agent_with_sandbox

WANTED = ("ksef-client==0.20.0", "qrcode==8.2", "pillow==13.0.0")
PLACE = Path("build/bench")
ROUNDS = 5
AT_ONCE = 40


def python() -> Path:
    """Return the interpreter that has them, made at the first run."""
    found = PLACE / "bin" / "python"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
        subprocess.run([str(found), "-m", "pip", "--quiet", "install", *WANTED], check=True)
    return found


async def measure() -> None:
    """Print all."""
    interpreter = python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with agent_with_sandbox(folder / "agent") as place:
            signer = place.agent.ports.signer.current
            assert signer is not None
            body = json.dumps(sale(5)).encode()
            answer = await counter.sale(place.agent, body, "first", CASHIER)
            record = answer.invoices[0].record
            (folder / "invoice.xml").write_bytes(record.xml)
            offline = place.agent.settings.offline
            assert offline.key_file is not None
            shutil.copy(offline.key_file, folder / "key.pem")
            documents = place.agent.issuing._documents  # what a press builds with
            decision = place.agent.mode.decide(record.issued_at)
            number = 0

            async def document() -> BuiltDocument:
                nonlocal number
                number += 1
                sold = parse_sale(json.loads(body), today=record.issued_on, seller_nip=record.seller_nip)
                planned = PlannedDocument(sold)
                return documents.build(planned, documents.number("FV", number, record.issued_at), record.issued_at)

            async def ours() -> None:
                qr.matrix.cache_clear()
                built = await document()
                made = documents.new_invoice(built, decision, record.issued_at, CASHIER)
                assert made.link_certificate is not None
                for link in (made.link_invoice, made.link_certificate):
                    bitmap.of_code(qr.payload_bytes(link), 6)

            def theirs() -> float:
                day = f"{record.issued_on:%d-%m-%Y}"
                script = Path(__file__).with_name("_ksef_client.py")
                command = [str(interpreter), str(script), str(folder), record.seller_nip, signer.serial, day]
                return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

            mine, built_and_valid, other = [], [], []
            for _ in range(ROUNDS):
                mine += [await milliseconds(ours) for _ in range(AT_ONCE)]
                built_and_valid += [await milliseconds(document) for _ in range(AT_ONCE)]
                other.append(await asyncio.to_thread(theirs))
    pair = statistics.median(mine), statistics.median(other) + statistics.median(built_and_valid)
    results.ratio("against ksef-client and qrcode: an offline invoice", *pair, limit=0.1, unit="ms")
    print(f"{pair[1] / pair[0]:.1f} times as fast")


def main() -> None:
    """Print all."""
    asyncio.run(measure())
