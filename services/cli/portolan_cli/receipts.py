"""Is this receipt what the window signed: answered from the file and the public keys alone, with nothing running."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from kit import strict_json
from kit.errors import Malformed

ALGORITHM = "Ed25519"
DEPTH_MAX = 64


class Outcome(IntEnum):
    """The command's exit status."""

    VALID = 0
    INVALID = 1
    UNKNOWN = 2


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    reason: str
    receipt: Mapping[str, Any] | None = None


def verify_file(file: Path, keys_file: Path) -> Verdict:
    try:
        content = strict_json.loads(file.read_bytes(), depth_max=DEPTH_MAX)
    except (OSError, Malformed) as error:
        return Verdict(Outcome.UNKNOWN, f"{file} cannot be read as JSON: {error}")
    try:
        keys = json.loads(keys_file.read_bytes())
    except (OSError, ValueError) as error:
        return Verdict(Outcome.UNKNOWN, f"no public keys: {keys_file} cannot be read ({error}); name them with --keys")
    return verify(content, keys)


def verify(content: Any, keys: Any) -> Verdict:
    """`content` is a receipt, or a document that holds one; `keys` a JWKS."""
    signed = _parts(content)
    if signed is None:
        return Verdict(Outcome.UNKNOWN, "this is no receipt: it needs the members receipt and signature")
    receipt, signature, body = signed
    if signature.get("algorithm") != ALGORITHM:
        return Verdict(Outcome.UNKNOWN, f"signed with {signature.get('algorithm')!r}, which is not known here", receipt)
    key = _key(keys, signature.get("key_id"))
    if key is None:
        return Verdict(Outcome.UNKNOWN, f"key {signature.get('key_id')!r} is not among the public keys", receipt)
    reason = _fault(receipt, signature, body, key)
    if reason is not None:
        return Verdict(Outcome.INVALID, reason, receipt)
    covered = "receipt and body are" if body is not None else "the receipt (it comes without its body) is"
    return Verdict(Outcome.VALID, f"{covered} as signed by {signature['key_id']}", receipt)


def _parts(content: Any) -> tuple[dict[str, Any], dict[str, Any], Any] | None:
    if not isinstance(content, dict):
        return None
    holder = content
    if isinstance(content.get("receipt"), dict) and "signature" in content["receipt"]:
        holder = content["receipt"]
    receipt, signature = holder.get("receipt"), holder.get("signature")
    if not isinstance(receipt, dict) or not isinstance(signature, dict):
        return None
    return receipt, signature, content.get("body")


def _key(keys: Any, key_id: Any) -> Ed25519PublicKey | None:
    known = keys.get("keys", []) if isinstance(keys, dict) else []
    for jwk in known:
        if isinstance(jwk, dict) and jwk.get("kid") == key_id and jwk.get("crv") == ALGORITHM:
            return Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"]))
    return None


def _fault(receipt: dict[str, Any], signature: dict[str, Any], body: Any, key: Ed25519PublicKey) -> str | None:
    if receipt.get("key_id", signature["key_id"]) != signature["key_id"]:
        return "the receipt names another key than its signature"
    try:
        key.verify(_bytes(signature.get("value")), rfc8785.dumps(receipt))
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        return "the signature does not fit: the receipt was changed, or never signed by this key"
    if body is not None and not _is_body_of(receipt, body):
        return "the body is not the one that was received: its hash differs"
    return None


def _is_body_of(receipt: dict[str, Any], body: Any) -> bool:
    try:
        digest = hashlib.sha256(rfc8785.dumps(body)).hexdigest()
    except rfc8785.CanonicalizationError:
        return False
    return digest == receipt.get("body_sha256")


def _bytes(text: Any) -> bytes:
    """Base64url as JOSE writes it, without padding."""
    if not isinstance(text, str):
        raise TypeError("base64url is text")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
