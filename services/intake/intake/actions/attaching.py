"""Attachments: received once, judged by content and by the search for viruses, read by whoever may see them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from kit import clock, telemetry
from kit.auth import Principal
from kit.database import Database
from kit.errors import Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType

from intake.actions import metrics
from intake.actions.reading import Seen, unseen, viewer_of
from intake.domain.attachments import HEAD_BYTES, Attachment, Standing, media_type, require_sha256
from intake.store import attachments
from intake.store.files import FileStore, Incoming
from intake.store.viruses import VirusSearch

UPLOADS_AT_ONCE_MAX = 16
SEARCH_AT_ONCE_S_MAX = 5.0
SEARCH_AGAIN_S = 2.0
PENDING_AT_ONCE_MAX = 20
# Of a file that many documents refer to, the newest are noted as read.
REFERRING_NOTED_MAX = 20


@dataclass(slots=True)
class _Reception:
    """What is known of the bytes so far."""

    bytes_max: int
    size_bytes: int = 0
    head: bytes = b""
    media_type: str | None = None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def take(self, chunk: bytes) -> None:
        """Raises TooLarge, UnsupportedMediaType as soon as it is known."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self.bytes_max:
            facts = {"bytes_max": str(self.bytes_max)}
            raise TooLarge("TOO_LARGE", f"an attachment is at most {self.bytes_max} bytes", facts=facts)
        self.digest.update(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + chunk)[:HEAD_BYTES]
            if len(self.head) == HEAD_BYTES:
                self.decide()

    def decide(self) -> str:
        """Raises Malformed, UnsupportedMediaType."""
        if not self.head:
            raise Malformed("MALFORMED", "the file is empty")
        self.media_type = self.media_type or media_type(self.head)
        if self.media_type is None:
            raise UnsupportedMediaType("UNSUPPORTED_MEDIA_TYPE", "PDF, PNG, JPEG, XML, JSON and office files are taken")
        return self.media_type


class Attachments:
    def __init__(self, db: Database, files: FileStore, search: VirusSearch, bytes_max: int) -> None:
        self._db = db
        self._files = files
        self._search = search
        self._bytes_max = bytes_max
        self._places = asyncio.Semaphore(UPLOADS_AT_ONCE_MAX)

    async def check(self) -> None:
        """Raises Unavailable while nothing could be kept."""
        await self._files.open()
        async with self._files.receive() as incoming:
            await incoming.write(b"?")

    async def store(self, caller: Principal, chunks: AsyncIterator[bytes]) -> Attachment:
        """Kept before it is told of, told of before it is searched. The same bytes again are the same attachment."""
        if self._places.locked():
            raise Unavailable("OVERLOADED", "too many files arrive at once")
        async with self._places, self._files.receive() as incoming:
            received = await self._received(incoming, chunks)
        async with self._db.transaction() as tx:
            kept = await attachments.keep(tx, received, caller.organisation_id, caller.subject)
        if kept.state is Standing.PENDING:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(SEARCH_AT_ONCE_S_MAX):
                    await self._judge(kept)
        metrics.ATTACHMENTS_TOTAL.labels("new" if kept.stored_at == received.stored_at else "known").inc()
        return await self._as_it_stands(caller, kept)

    async def _received(self, incoming: Incoming, chunks: AsyncIterator[bytes]) -> Attachment:
        reception = _Reception(self._bytes_max)
        async for chunk in chunks:
            reception.take(chunk)
            await incoming.write(chunk)
        found = reception.decide()
        sha256 = reception.digest.hexdigest()
        await incoming.keep(sha256)
        return Attachment(sha256, found, reception.size_bytes, Standing.PENDING, clock.now())

    async def _as_it_stands(self, caller: Principal, attachment: Attachment) -> Attachment:
        async with self._db.connection() as connection:
            return await attachments.find(connection, attachment.sha256, viewer_of(caller)) or attachment

    async def read(
        self, caller: Principal, sha256: str, seen: Seen = unseen
    ) -> tuple[Attachment, AsyncGenerator[bytes, None]]:
        """Raises NotFound, Refused while it is not known to be clean."""
        async with self._db.connection() as connection:
            found = await attachments.find(connection, require_sha256(sha256), viewer_of(caller))
            if found is None:
                raise NotFound("NOT_FOUND")
            found.require_clean()
            referring = await attachments.referring(connection, sha256, viewer_of(caller), REFERRING_NOTED_MAX)
        for document_id in referring:
            seen(document_id)
        return found, self._files.read(sha256)

    async def run(self, stop: asyncio.Event) -> None:
        """What nobody could judge when it came is judged when somebody can."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SEARCH_AGAIN_S)
                return
            try:
                await self.judge_pending()
            except Unavailable as error:
                telemetry.log().warning("attachments_wait", reason=str(error))

    async def judge_pending(self) -> None:
        """Raises Unavailable."""
        async with self._db.connection() as connection:
            waiting = await attachments.pending(connection, PENDING_AT_ONCE_MAX)
        metrics.PENDING_ATTACHMENTS.set(len(waiting))
        for one in waiting:
            await self._judge(one)

    async def _judge(self, attachment: Attachment) -> None:
        finding = await self._search.finding(self._files.read(attachment.sha256))
        state = Standing.INFECTED if finding else Standing.CLEAN
        async with self._db.transaction() as tx:
            await attachments.judge(tx, attachment.sha256, state, finding, clock.now())
        if finding:
            telemetry.log().warning("virus_found", sha256=attachment.sha256, finding=finding)
