"""What one process found out, told to the others: sealed, so that nobody with Redis alone can read or forge it."""

from __future__ import annotations

from kit.sealing import Sealer
from kit.shared import Shared, opaque

PURPOSE = b"portolan shared answers"


class Answers:
    """Of one kind, each kept for `ttl_s` at most. Without a secret to seal them with nothing is told and nothing known.

    Whoever asks waits for the port once, and it never fails: an answer that cannot be had is asked for anew.
    """

    def __init__(self, shared: Shared, secret: str, kind: str, ttl_s: float) -> None:
        self._shared = shared
        self._secret = secret
        self._sealer = Sealer(secret, PURPOSE) if secret else None
        self._kind = kind
        self._ttl_s = ttl_s

    async def get(self, name: str) -> str | None:
        if self._sealer is None:
            return None
        key = self._key(name)
        sealed = await self._shared.get(key)
        return None if sealed is None else self._sealer.open(sealed.decode(errors="replace"), key)

    async def put(self, name: str, answer: str, ttl_s: float | None = None) -> None:
        """`ttl_s` may shorten the time that it is kept, never lengthen it."""
        kept_s = self._ttl_s if ttl_s is None else min(ttl_s, self._ttl_s)
        if self._sealer is not None and kept_s > 0:
            key = self._key(name)
            await self._shared.put(key, self._sealer.seal(answer, key).encode(), kept_s)

    def _key(self, name: str) -> str:
        return f"{self._kind}:{opaque(self._secret, name)}"
