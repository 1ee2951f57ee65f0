"""Where a certificate and its key lie, and how a new pair takes the place of the old one in spite of a crash.

Beside ``offline.crt`` and ``offline.key`` there may lie, while an enrolment is under way:

    offline.key.next       the new key, 0600, durable before the request leaves
    offline.crt.request    the reference KSeF gave the request
    offline.crt.next       the new certificate, proven to work: from here on the switch is decided

The old pair stays as ``.previous``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent.system.durable_files import sync_folder


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate and its key lie; the key is encrypted where there is a passphrase file."""

    certificate_file: Path
    key_file: Path
    passphrase_file: Path | None = None

    @property
    def next_certificate(self) -> Path:
        """Return the file of the new certificate."""
        return self.certificate_file.with_name(self.certificate_file.name + ".next")

    @property
    def next_key(self) -> Path:
        """Return the file of the new key."""
        return self.key_file.with_name(self.key_file.name + ".next")

    @property
    def request(self) -> Path:
        """Return the file of the request's reference."""
        return self.certificate_file.with_name(self.certificate_file.name + ".request")


def finish_switch(place: CertificateFiles) -> None:
    """Complete a decided switch. Safe to repeat; nothing to do is fine."""
    if not place.next_certificate.exists():
        return
    if place.next_key.exists():
        _keep(place.certificate_file)
        _keep(place.key_file)
        place.next_key.replace(place.key_file)
        sync_folder(place.key_file.parent)
    place.request.unlink(missing_ok=True)
    place.next_certificate.replace(place.certificate_file)
    sync_folder(place.certificate_file.parent)


def _keep(path: Path) -> None:
    """Leave the old file under ``.previous`` without a moment in which ``path`` is missing."""
    if path.exists():
        previous = path.with_name(path.name + ".previous")
        previous.unlink(missing_ok=True)
        os.link(path, previous)
