"""What the seed has been answered so far: after a crash it goes on from there, under the same request ids."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portolan_cli.embedded import secret_file

PASSWORD_CHARS = 20
# Five bits a letter; without those that look like another.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Journal:
    """`secret` makes request ids and passwords: the same ones however often the seed begins again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self._secret: str = content.get("secret") or secrets.token_hex(32)
        self._answers: dict[str, Any] = content.get("answers", {})
        self._keep()

    def request_id(self, name: str) -> str:
        return str(uuid.UUID(bytes=self._derived(f"request {name}")[:16], version=4))

    def password(self, email: str) -> str:
        number = int.from_bytes(self._derived(f"password {email}"), "big")
        return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(PASSWORD_CHARS))

    def once(self, name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self._answers:
            self._answers[name] = ask()
            self._keep()
        answer: dict[str, Any] = self._answers[name]
        return answer

    def _derived(self, purpose: str) -> bytes:
        return hmac.new(bytes.fromhex(self._secret), purpose.encode(), hashlib.sha256).digest()

    def _keep(self) -> None:
        secret_file.write_json(self._path, {"secret": self._secret, "answers": self._answers})
