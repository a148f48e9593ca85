"""Standard Webhooks 1.0: `id.timestamp.body` signed over the very bytes sent, Ed25519 (v1a) or HMAC-SHA256 (v1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ED25519, HMAC = "ed25519", "hmac"
HMAC_SECRET_BYTES = 32
NONCE_BYTES = 12
SECRET_PURPOSE = b"portolan notifications webhook keys"


@dataclass(frozen=True)
class SealedKey:
    """As the table has it. `public` is empty for HMAC, whose secret both sides hold."""

    id: str
    endpoint_id: str
    public: bytes
    sealed_private: bytes
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Key:
    scheme: str
    private: bytes

    @classmethod
    def new(cls, scheme: str) -> Key:
        if scheme == HMAC:
            return cls(HMAC, os.urandom(HMAC_SECRET_BYTES))
        return cls(ED25519, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> bytes:
        if self.scheme == HMAC:
            return b""
        return Ed25519PrivateKey.from_private_bytes(self.private).public_key().public_bytes_raw()

    def sign(self, content: bytes) -> str:
        if self.scheme == HMAC:
            return "v1," + _text(hmac.new(self.private, content, hashlib.sha256).digest())
        return "v1a," + _text(Ed25519PrivateKey.from_private_bytes(self.private).sign(content))


def headers(message_id: str, at: datetime, body: bytes, keys: Sequence[Key]) -> Mapping[str, str]:
    """One signature for each key: during a rotation the receiver may hold either."""
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = " ".join(key.sign(content) for key in keys)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def shown_public(public: bytes) -> str:
    return "whpk_" + _text(public) if public else ""


def shown_secret(key: Key) -> str:
    """What the receiver must keep: only HMAC has such a thing."""
    return "whsec_" + _text(key.private) if key.scheme == HMAC else ""


class Vault:
    """Seals private keys at rest; a sealed key cannot stand in for another."""

    def __init__(self, service_secret: str) -> None:
        if not service_secret:
            raise ValueError("PORTOLAN_SERVICE_SECRET is not set: webhook keys cannot be sealed")
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, SECRET_PURPOSE).derive(service_secret.encode()))

    def seal(self, key: Key, name: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key.private, name.encode())

    def open(self, scheme: str, sealed: SealedKey) -> Key | None:
        """None when it was sealed under another service secret: the owner must rotate."""
        nonce, private = sealed.sealed_private[:NONCE_BYTES], sealed.sealed_private[NONCE_BYTES:]
        try:
            return Key(scheme, self._cipher.decrypt(nonce, private, sealed.id.encode()))
        except (InvalidTag, ValueError):
            return None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
