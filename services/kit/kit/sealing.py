"""Short secrets on their way from one service to another, sealed under the service secret for one purpose and name."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
LETTERS = b"portolan secrets in letters"


class Sealer:
    def __init__(self, service_secret: str, purpose: bytes = LETTERS) -> None:
        if not service_secret:
            raise ValueError("PORTOLAN_SERVICE_SECRET is empty")
        key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(service_secret.encode())
        self._aead = AESGCM(key)

    def seal(self, plain: str, name: str) -> str:
        """`name` must be given again to open: what is sealed for one cannot be read as another's."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, plain.encode(), name.encode())).decode()

    def open(self, sealed: str, name: str) -> str | None:
        try:
            raw = base64.urlsafe_b64decode(sealed)
            return self._aead.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], name.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error):
            return None
