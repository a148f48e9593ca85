"""Keys derived from the service secret: one seals private keys at rest, one fingerprints requests."""

import hashlib
import hmac
import secrets
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """With another service secret nothing sealed before opens: identity then signs with a new key."""

    def __init__(self, service_secret: str) -> None:
        if not service_secret:
            raise ValueError("PORTOLAN_SERVICE_SECRET is empty")
        self._aead = AESGCM(_derived(service_secret, b"portolan identity signing keys"))
        self._print_key = _derived(service_secret, b"portolan identity request fingerprints")

    def seal(self, plain: bytes, name: str) -> bytes:
        """`name` must be given again to open: a sealed key cannot stand in for another."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes | None:
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            return None

    def fingerprint(self, content: Any) -> bytes:
        """Keyed, because the content may hold a password."""
        raw = msgspec.json.encode(content, order="deterministic")
        return hmac.new(self._print_key, raw, hashlib.sha256).digest()


def _derived(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret.encode())
