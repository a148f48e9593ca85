"""Dead letters put through the handlers again, each with its effect once, because somebody asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kit import dead, telemetry, trace
from kit.database import Database, Tx
from kit.dead import Redrive
from kit.events import Decoder, Event

Heard = tuple[Event, Any]
Handler = Callable[[Tx, Event, Any], Awaitable[None]]
Prepare = Callable[[Sequence[Heard]], Awaitable[None]]


class UnheardType(Exception):
    """This release does not hear what the dead letter says."""


class Redriver:
    """The consumer's own: what it knows and prepares is what the events would have met."""

    def __init__(
        self,
        database: Database,
        group: str,
        decoder: Decoder,
        handlers: Mapping[str, Handler],
        prepare: Prepare | None,
    ) -> None:
        self._database = database
        self._group = group
        self._decoder = decoder
        self._handlers = handlers
        self._prepare = prepare

    async def run(self) -> None:
        """All that was asked for. What fails again stays dead, with its newer reason."""
        while (redrive := await self._next()) is not None:
            while await self._drive_one(redrive):
                pass
            async with self._database.transaction() as tx:
                done = await dead.finish(tx, redrive)
            told = {"consumer": self._group, "succeeded": done.succeeded, "failed": done.failed}
            telemetry.log().info("redrive_finished", redrive_id=redrive.id, **told)

    async def _next(self) -> Redrive | None:
        async with self._database.connection() as connection:
            return await dead.next_redrive(connection, self._group)

    async def _drive_one(self, redrive: Redrive) -> bool:
        """Whether there was one. Its row is held meanwhile: effect and mark are one transaction."""
        async with self._database.connection() as connection:
            event = await dead.next_letter(connection, redrive)
        if event is None:
            return False
        try:
            await self._drive(redrive, event)
        except Exception as error:
            telemetry.log().warning("redrive_fails", consumer=self._group, event_id=event.id, reason=repr(error))
            async with self._database.transaction() as tx:
                await dead.fail(tx, redrive, event.id, repr(error))
        return True

    async def _drive(self, redrive: Redrive, event: Event) -> None:
        if not self._decoder.hears(event):
            raise UnheardType(event.type)
        message = self._decoder.decode(event)
        if self._prepare is not None:
            await self._prepare([(event, message)])
        async with self._database.transaction() as tx:
            if await dead.hold(tx, redrive, event.id):
                trace.begin(event.traceparent)
                await self._handlers[event.type](tx, event, message)
                await dead.succeed(tx, redrive, event.id)
