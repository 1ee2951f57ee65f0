"""The work of `ksef-client` and `qrcode` for one offline invoice; run by an interpreter that has both installed.

Usage: PYTHON _ksef_client.py FOLDER NIP SERIAL DAY; FOLDER holds invoice.xml and key.pem. Milliseconds, a line.

Neither builds FA(3) nor validates it, so reading the finished file and parsing it stands for both.
"""

import base64
import hashlib
import statistics
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from ksef_client.config import KsefClientOptions
from ksef_client.services.qr import generate_qr_png
from ksef_client.services.verification_link import VerificationLinkService

ROUNDS = 40

folder, nip, serial, day = Path(sys.argv[1]), *sys.argv[2:5]
key = (folder / "key.pem").read_text()
links = VerificationLinkService(KsefClientOptions("https://api-test.ksef.mf.gov.pl"))


def work() -> None:
    data = (folder / "invoice.xml").read_bytes()
    ET.fromstring(data)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    first = links.build_invoice_verification_url(nip, day, digest)
    second = links.build_certificate_verification_url(
        seller_nip=nip,
        context_identifier_type="Nip",
        context_identifier_value=nip,
        certificate_serial=serial,
        invoice_hash=digest,
        private_key_pem=key,
    )
    generate_qr_png(first)
    generate_qr_png(second)


work()
times = []
for _ in range(ROUNDS):
    begun = time.perf_counter()
    work()
    times.append((time.perf_counter() - begun) * 1000)
print(statistics.median(times))
