"""The signed receipt of a submission, verifiable by anybody who has the public key and nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from intake.domain.canonical import canonical

FORMAT = "portolan-receipt/1"
ALGORITHM = "Ed25519"
NONCE_BYTES = 12
SECRET_PURPOSE = b"portolan intake receipt keys"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """As the table has it: the private part sealed."""

    key_id: str
    public: bytes
    sealed_private: bytes


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    key_id: str
    private: Ed25519PrivateKey

    def receipt(self, members: Mapping[str, str | int]) -> bytes:
        """{"receipt": {...}, "signature": {...}}; the signature is over the RFC 8785 form of "receipt"."""
        signed = canonical({**members, "format": FORMAT, "key_id": self.key_id})
        signature = {"algorithm": ALGORITHM, "key_id": self.key_id, "value": _text(self.private.sign(signed))}
        return b'{"receipt":' + signed + b',"signature":' + msgspec.json.encode(signature) + b"}"

    def sealed(self, secret: str) -> StoredKey:
        public = self.private.public_key().public_bytes_raw()
        nonce = os.urandom(NONCE_BYTES)
        private = self.private.private_bytes_raw()
        return StoredKey(self.key_id, public, nonce + _cipher(secret).encrypt(nonce, private, self.key_id.encode()))


def body_digest(canonical_body: bytes) -> str:
    return hashlib.sha256(canonical_body).hexdigest()


def new_key() -> ReceiptKey:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return ReceiptKey("receipt-" + hashlib.sha256(public).hexdigest()[:16], private)


def unsealed(stored: StoredKey, secret: str) -> ReceiptKey:
    """Raises InvalidTag when the secret is not the one it was sealed under."""
    nonce, sealed = stored.sealed_private[:NONCE_BYTES], stored.sealed_private[NONCE_BYTES:]
    private = _cipher(secret).decrypt(nonce, sealed, stored.key_id.encode())
    return ReceiptKey(stored.key_id, Ed25519PrivateKey.from_private_bytes(private))


def jwk(key_id: str, public: bytes) -> str:
    members = {"kty": "OKP", "crv": ALGORITHM, "kid": key_id, "use": "sig", "alg": "EdDSA", "x": _text(public)}
    return msgspec.json.encode(members).decode()


def _cipher(secret: str) -> AESGCM:
    if not secret:
        raise ValueError("PORTOLAN_SERVICE_SECRET is not set: receipt keys cannot be sealed")
    return AESGCM(HKDF(hashes.SHA256(), 32, None, SECRET_PURPOSE).derive(secret.encode()))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
