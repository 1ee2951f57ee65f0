"""Symmetric encryption of sessions: AES-256-CBC with PKCS#7, the IV sent apart (OpenAPI: EncryptionInfo)."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from agent.sandbox.ksef.auth import unknown_key
from agent.sandbox.ksef.pki import SYMMETRIC_KEY_ENCRYPTION, KeyRing
from agent.sandbox.ksef.wire import JsonObject, binary, optional

KEY_BYTES = 32
BLOCK_BYTES = 16


def session_key(encryption: JsonObject, keys: KeyRing, now: datetime) -> tuple[bytes | None, bytes]:
    """Return (key, IV); key None where it does not decrypt, which KSeF tells only later (status 415)."""
    encrypted = binary(encryption, "encryptedSymmetricKey")
    iv = binary(encryption, "initializationVector", BLOCK_BYTES)
    key_id = optional(encryption, "publicKeyId", str)
    public = keys.find(SYMMETRIC_KEY_ENCRYPTION, key_id, now)
    if public is None:
        raise unknown_key(key_id)
    try:
        key = public.decrypt(encrypted)
    except ValueError:
        return None, iv
    return (key if len(key) == KEY_BYTES else None), iv


def decrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """Return the plain bytes; ValueError where key, IV or padding do not fit."""
    worker = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = worker.update(data) + worker.finalize()
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
